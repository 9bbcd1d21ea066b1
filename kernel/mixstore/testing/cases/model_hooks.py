"""Hooks of a model run once a row on every path, on every backend; one that fails before the write stores nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from mixstore import (
    BatchError,
    Field,
    HookError,
    Model,
    after_delete,
    after_load,
    after_save,
    before_delete,
    before_save,
)
from mixstore.testing.conformance import Conformance
from mixstore.testing.support import Use, awaited, refusal

CALLS: list[str] = []
FAILS: set[str] = set()


def called(hook: str) -> None:
    """Note a call, and fail if the case wants this hook to."""
    CALLS.append(hook)
    if hook in FAILS:
        raise RuntimeError(f"{hook} was told to fail")


class Listed(Model):
    """Notes each of its hooks."""

    id: str = Field(primary_key=True)
    n: int = 0

    @before_save
    def saving(self) -> None:
        """Before the write; it may change the row."""
        called("before_save")
        self.n = abs(self.n)

    @after_save
    def saved(self) -> None:
        """After the write."""
        called("after_save")

    @before_delete
    def deleting(self) -> None:
        """Before a delete."""
        called("before_delete")

    @after_delete
    def deleted(self) -> None:
        """After a delete."""
        called("after_delete")

    @after_load
    def loaded(self) -> None:
        """When the row is read."""
        called("after_load")


Path = Callable[[Any], Any]
SAVES: dict[str, Path] = {
    "create": lambda model: model.create(id="new", n=-5),
    "upsert": lambda model: model.upsert(id="new", n=-5),
    "upsert of an old one": lambda model: model.upsert(id="old", n=-5),
    "save of a new one": lambda model: model(id="new", n=-5).save(),
    "update": lambda model: model.get("old").update(n=-5),
    "batch_create": lambda model: model.batch_create([{"id": "new", "n": -5}]),
    "batch_upsert": lambda model: model.batch_upsert([{"id": "new", "n": -5}]),
    "update by query": lambda model: model.where(id="old").update(n=-5),
}
DELETES: dict[str, Path] = {
    "delete": lambda model: model.get("old").delete(),
    "delete by query": lambda model: model.where(id="old").delete(),
}
READS: dict[str, Path] = {
    "get": lambda model: model.get("old"),
    "all": lambda model: model.all(),
    "first": lambda model: model.where().first(),
    "iteration": lambda model: list(model.where()),
    "paginate": lambda model: model.where().paginate(),
    "batch_get": lambda model: model.batch_get(["old", "none"]),
}


class ModelHookCases(Conformance):
    """Hooks of a model run once a row on every path."""

    @pytest.fixture
    def listed(self, use: Use) -> Iterator[Any]:
        """The model, with a row `old`, and nothing noted yet."""
        use(Listed)
        FAILS.clear()
        Listed.create(id="old", n=1)
        CALLS.clear()
        yield Listed
        FAILS.clear()

    @pytest.mark.parametrize("path", SAVES)
    def test_hooks_of_a_model_run_once_on_every_path_of_saving(self, listed: Any, path: str) -> None:
        SAVES[path](listed)
        assert [call for call in CALLS if call != "after_load"] == ["before_save", "after_save"]

    @pytest.mark.parametrize("path", SAVES)
    def test_what_a_hook_changes_is_stored_on_every_path_of_saving(self, listed: Any, path: str) -> None:
        SAVES[path](listed)
        assert 5 in [row.n for row in listed.all()]
        assert not listed.where(n__lt=0).exists()

    @pytest.mark.parametrize("path", DELETES)
    def test_hooks_of_a_model_run_once_on_every_path_of_deleting(self, listed: Any, path: str) -> None:
        DELETES[path](listed)
        assert [call for call in CALLS if call != "after_load"] == ["before_delete", "after_delete"]
        assert listed.count() == 0

    @pytest.mark.parametrize("path", READS)
    def test_a_hook_runs_once_for_a_row_that_is_read(self, listed: Any, path: str) -> None:
        READS[path](listed)
        assert CALLS == ["after_load"]

    @pytest.mark.parametrize("path", SAVES)
    def test_a_hook_of_a_model_that_fails_before_the_write_stores_nothing(self, listed: Any, path: str) -> None:
        FAILS.add("before_save")
        error = refusal(lambda: SAVES[path](listed))
        if isinstance(error, BatchError):
            [error] = error.failed.values()
        assert isinstance(error, HookError)
        assert (error.model, error.key in ("old", "new")) == (listed, True)
        assert "was told to fail" in str(error)
        assert listed.where().select("id", "n").all() == [{"id": "old", "n": 1}]

    @pytest.mark.parametrize("path", DELETES)
    def test_a_hook_of_a_model_that_fails_before_the_delete_keeps_the_row(self, listed: Any, path: str) -> None:
        FAILS.add("before_delete")
        assert isinstance(refusal(lambda: DELETES[path](listed)), HookError)
        assert listed.count() == 1

    def test_a_hook_of_a_model_that_fails_after_the_write_says_that_it_is_stored(self, listed: Any) -> None:
        FAILS.add("after_save")
        error = refusal(lambda: listed.create(id="new"))
        assert isinstance(error, HookError)
        assert "stored" in str(error)
        assert listed.count() == 2

    @awaited
    async def test_hooks_of_a_model_run_in_awaited_writes(self, listed: Any) -> None:
        row = await listed.acreate(id="new")
        await row.aupdate(n=-3)
        await row.adelete()
        saved = ["before_save", "after_save"]
        assert [*saved, *saved, "before_delete", "after_delete"] == CALLS
