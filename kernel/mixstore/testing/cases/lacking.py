"""What a backend must do where it lacks something: refuse it by the right error at the right time, or do without."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mixstore import Backend, Capability, ConfigurationError, Model, UnsupportedOperationError, add_to
from mixstore.testing.conformance import Conformance
from mixstore.testing.models import Account, Car, Contact, Document, Entry, IndexedThing, Page, Session
from mixstore.testing.support import Use, awaited, ids, refusal
from mixstore.testing.tags import EXTENSIONS, missing


def refused(backend: Backend, model: type[Model]) -> Any:
    """The error of binding a model, which the use of it must meet again; None if there is none."""
    model.bind(backend)
    try:
        error = refusal(lambda: backend.bound(model))
        uses: tuple[Callable[[], Any], ...] = (lambda: model.create(id="a"), lambda: model.get("a"), model.all)
        for use in uses if error is not None else ():
            again = refusal(use)
            assert type(again) is type(error), "binding refuses it, and using it does not"
        return error
    finally:
        model.bind(None)


class LackingCases(Conformance):
    """What a backend must do where it lacks something."""

    @missing(Capability.ATOMIC_WRITES)
    def test_without_atomic_writes_a_transaction_is_refused_before_it_begins(self, use: Use, backend: Backend) -> None:
        use(Account)
        with pytest.raises(UnsupportedOperationError) as caught:
            backend.transaction()
        assert caught.value.backend == backend.backend_name
        assert "ATOMIC_WRITES" in str(caught.value)
        Account.create(id="a")
        assert Account.count() == 1

    @missing(Capability.UNIQUE)
    def test_without_unique_a_model_with_a_unique_field_is_refused_when_it_is_bound(self, backend: Backend) -> None:
        error = refused(backend, Contact)
        assert isinstance(error, ConfigurationError | UnsupportedOperationError)  # the former if guards can't run here
        for part in ("Contact", "unique", backend.backend_name):
            assert part in str(error)

    @missing(Capability.PARTIAL_UNIQUE)
    def test_without_partial_unique_values_that_may_be_freed_are_refused_when_the_model_is_bound(
        self, backend: Backend
    ) -> None:
        if not backend.runs_extensions:
            pytest.skip(f"{backend.backend_name} runs no extensions, and so none that frees values")
        error = refused(backend, Car)
        assert isinstance(error, ConfigurationError | UnsupportedOperationError)
        for part in ("Car", "unique", backend.backend_name):
            assert part in str(error)

    @missing(Capability.CONDITIONS)
    def test_without_conditions_a_mixin_that_needs_them_is_refused_when_the_model_is_bound(
        self, backend: Backend
    ) -> None:
        error = refused(backend, Document)
        assert isinstance(error, ConfigurationError)
        assert "Document" in str(error)
        assert (error.model, error.backend) == (Document, backend.backend_name)

    @missing(Capability.CONDITIONS)
    def test_without_conditions_an_addition_is_refused_and_changes_nothing(self, use: Use, backend: Backend) -> None:
        use(Account)
        account = Account.create(id="a", balance=1)
        with pytest.raises(UnsupportedOperationError) as caught:
            add_to(account, {"balance": 1})
        assert caught.value.backend == backend.backend_name
        assert account.balance == Account.get("a").balance == 1

    @missing(Capability.INDEXES)
    def test_without_indexes_they_are_listed_as_inactive_and_queries_answer_all_the_same(self, use: Use) -> None:
        use(IndexedThing)
        [entry] = [entry for entry in IndexedThing.extensions() if entry.name == "index"]
        assert entry.state == "inactive"
        assert "number" in entry.reason
        assert "INDEXES" in entry.reason
        IndexedThing.batch_create([{"id": n, "number": n % 2} for n in range(4)])
        assert ids(IndexedThing.where(number=1).order_by("id").all()) == [1, 3]

    @missing(Capability.FULL_TEXT)
    def test_without_full_text_searchable_fields_are_listed_as_inactive(self, use: Use) -> None:
        use(Page)
        [entry] = [entry for entry in Page.extensions() if entry.name == "searchable"]
        assert entry.state == "inactive"
        assert "title" in entry.reason
        assert "FULL_TEXT" in entry.reason

    @missing(Capability.FULL_TEXT)
    @pytest.mark.parametrize("end", ["all", "first", "count", "exists", "paginate", "explain", "delete"])
    def test_without_full_text_every_end_of_a_search_is_refused(self, use: Use, end: str) -> None:
        use(Page)
        Page.create(id="a", title="fox")
        with pytest.raises(UnsupportedOperationError, match="search"):
            getattr(Page.search("fox"), end)()
        assert Page.count() == 1

    @missing(Capability.FULL_TEXT)
    @awaited
    async def test_without_full_text_an_awaited_search_is_refused_too(self, use: Use) -> None:
        use(Page)
        with pytest.raises(UnsupportedOperationError, match="search"):
            await Page.search("fox").aall()

    @missing(EXTENSIONS)
    def test_without_extensions_a_required_mixin_is_refused_when_the_model_is_bound(self, backend: Backend) -> None:
        error = refused(backend, Session)
        assert isinstance(error, ConfigurationError)
        assert "Mortal" in str(error)
        assert backend.backend_name in str(error)

    @missing(EXTENSIONS)
    def test_without_extensions_other_mixins_are_listed_as_inactive_and_do_nothing(
        self, use: Use, backend: Backend
    ) -> None:
        use(Entry)
        assert Entry.create(id="a").created_at is None
        [entry] = [entry for entry in Entry.extensions() if entry.name == "stamped"]
        assert entry.state == "inactive"
        assert backend.backend_name in entry.reason
