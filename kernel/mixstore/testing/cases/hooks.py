"""Hooks and extensions run on every path, once a row; one that fails aborts the write, and says where."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest

from mixstore import (
    Backend,
    BackendExtension,
    BatchError,
    Condition,
    ConflictError,
    Field,
    HookError,
    Mixin,
    MixstoreError,
    Model,
    Outcome,
    Q,
    ValidationError,
    WriteChange,
    WriteContext,
    after_delete,
    after_save,
    before_delete,
    before_save,
)
from mixstore.testing.conformance import Conformance
from mixstore.testing.support import Use, ids, refusal
from mixstore.testing.tags import atomic, extensions, locking

CALLS: list[str] = []

FAILS: set[str] = set()


def called(hook: str, key: Any, error: type[Exception] = RuntimeError) -> None:
    """Note a call, and fail if the test wants this hook to."""
    CALLS.append(f"{hook} {key}")
    if hook in FAILS:
        raise error(f"{hook} was told to fail")


class Traced(Mixin):
    """Notes every hook of an extension."""

    class Trace(BackendExtension):
        """Changes nothing."""

        def before_write(self, context: WriteContext) -> WriteChange | None:
            """Before the write."""
            called("before_write", context.values["id"])
            return None

        def validate(self, data: Any) -> None:
            """On the final values."""
            called("validate", data["id"], ValueError)

        def serialize(self, data: dict[str, Any]) -> dict[str, Any]:
            """On the record."""
            called("serialize", data["id"])
            return {**data, "traced": 1}

        def deserialize(self, data: dict[str, Any]) -> dict[str, Any]:
            """And back."""
            return {name: value for name, value in data.items() if name != "traced"}

        def after_write(self, context: WriteContext, outcome: Outcome) -> None:
            """After the write."""
            called("after_write", context.values["id"])


class Parent(Model):
    """Hooks to inherit."""

    class Meta:
        """Not stored itself."""

        abstract = True

    id: str = Field(primary_key=True)
    name: str = ""
    n: int = 0
    slug: str | None = None

    @before_save
    def saving(self) -> None:
        """The parent's."""
        called("parent", self.id)
        self.name = self.name.strip()


class Watched(Traced, Parent):
    """Its own hooks, one of the same name as the parent's."""

    @before_save
    def saving(self) -> None:
        """Beside the parent's, not instead of it."""
        called("before_save", self.id)

    @after_save
    def saved(self) -> None:
        """After the write."""
        called("after_save", self.id)

    @before_delete
    def deleting(self) -> None:
        """Before a delete."""
        called("before_delete", self.id)

    @after_delete
    def deleted(self) -> None:
        """After a delete."""
        called("after_delete", self.id)


WRITES = ["parent", "before_save", "before_write", "validate", "serialize", "after_write", "after_save"]

SAVES: dict[str, Callable[[Any, Any], Any]] = {
    "create": lambda model, backend: model.create(id="new"),
    "upsert": lambda model, backend: model.upsert(id="new"),
    "save of a new one": lambda model, backend: model(id="new").save(),
    "batch_create": lambda model, backend: model.batch_create([{"id": "new"}]),
    "batch_upsert": lambda model, backend: model.batch_upsert([{"id": "new"}]),
    "backend.create": lambda model, backend: backend.create(model, {"id": "new"}),
    "backend.upsert": lambda model, backend: backend.upsert(model, {"id": "new"}),
    "update": lambda model, backend: model.get("old").update(name=" x "),
    "save": lambda model, backend: renamed(model.get("old")).save(),
    "update by query": lambda model, backend: model.where(id="old").update(name=" x "),
    "backend.update": lambda model, backend: backend.update(model, renamed(model.get("old"))),
    "upsert of an old one": lambda model, backend: model.upsert(id="old"),
}

DELETES: dict[str, Callable[[Any, Any], Any]] = {
    "delete": lambda model, backend: model.get("old").delete(),
    "delete by query": lambda model, backend: model.where(id="old").delete(),
    "backend.delete": lambda model, backend: backend.delete(model, model.get("old")),
}


def renamed(row: Any) -> Any:
    """A change that is not saved yet."""
    row.name = " x "
    return row


class Closing(Mixin):
    """A row that can't be written after its end."""

    closes: datetime | None = None

    class Gate(BackendExtension):
        """A condition of the write itself."""

        def before_write(self, context: WriteContext) -> WriteChange | None:
            """The stored row must be open."""
            if context.operation == "create":
                return None
            open_ = Q(closes=None) | Q(closes__gt=context.now)
            return WriteChange(
                condition=Condition(open_, lambda stored: ConflictError(f"closed at {stored['closes']}"))
            )


class Poll(Closing, Model):
    """With a condition on every write."""

    id: str = Field(primary_key=True)
    n: int = 0


class HookCases(Conformance):
    """Hooks and extensions run on every path, once a row; one that fails aborts the write, and says where."""

    @pytest.fixture
    def watched(self, use: Use) -> Iterator[Any]:
        """The model, with a row `old`, and nothing noted yet."""
        use(Watched)
        FAILS.clear()
        Watched.create(id="old", name="before", slug="old")
        CALLS.clear()
        yield Watched
        FAILS.clear()

    @extensions
    @pytest.mark.parametrize("path", SAVES)
    def test_every_path_of_saving_runs_every_hook_once_in_order(
        self, watched: Any, backend: Backend, path: str
    ) -> None:
        SAVES[path](watched, backend)
        assert [call.split()[0] for call in CALLS] == WRITES
        assert len({call.split()[1] for call in CALLS}) == 1
        assert all(row.name in ("", "before", "x") for row in watched.all())

    @extensions
    @pytest.mark.parametrize("path", DELETES)
    def test_every_path_of_deleting_runs_every_hook_once_in_order(
        self, watched: Any, backend: Backend, path: str
    ) -> None:
        DELETES[path](watched, backend)
        assert CALLS == ["before_delete old", "before_write old", "after_write old", "after_delete old"]
        assert watched.count() == 0

    @extensions
    @pytest.mark.parametrize("hook", ["parent", "before_save", "before_write", "validate", "serialize"])
    @pytest.mark.parametrize("path", SAVES)
    def test_a_hook_that_fails_before_a_write_stores_nothing(
        self, watched: Any, backend: Backend, path: str, hook: str
    ) -> None:
        before = watched.all()
        FAILS.add(hook)
        error = refusal(lambda: SAVES[path](watched, backend))
        if isinstance(error, BatchError):
            [error] = error.failed.values()
        assert isinstance(error, ValidationError if hook == "validate" else HookError)
        assert error.model is watched
        assert error.key in ("old", "new")
        assert {"parent": "saving", "before_save": "saving"}.get(hook, f"Trace.{hook}") in str(error)
        assert "was told to fail" in str(error)
        assert isinstance(error.__cause__, ValueError if hook == "validate" else RuntimeError)
        FAILS.clear()
        assert watched.all() == before
        assert watched.exists(slug="old")

    @extensions
    @pytest.mark.parametrize("hook", ["before_delete", "before_write"])
    @pytest.mark.parametrize("path", DELETES)
    def test_a_hook_that_fails_before_a_delete_keeps_the_row(
        self, watched: Any, backend: Backend, path: str, hook: str
    ) -> None:
        FAILS.add(hook)
        error = refusal(lambda: DELETES[path](watched, backend))
        assert isinstance(error, HookError)
        assert (error.model, error.key) == (watched, "old")
        assert watched.get("old") is not None

    @extensions
    @pytest.mark.parametrize("hook", ["after_write", "after_save"])
    def test_a_hook_that_fails_after_a_write_says_that_the_row_is_stored(self, watched: Any, hook: str) -> None:
        FAILS.add(hook)
        error = refusal(lambda: watched.create(id="new"))
        assert isinstance(error, HookError)
        assert "the row is stored" in str(error)
        FAILS.clear()
        assert watched.get("new") is not None

    def test_a_batch_goes_on_after_a_row_whose_hook_fails(self, use: Use) -> None:
        class Picky(Parent):
            """Refuses one name."""

            @before_save
            def pick(self) -> None:
                """No `b`."""
                if self.id == "b":
                    raise ValueError("not b")

        use(Picky)
        error = refusal(lambda: Picky.batch_create([{"id": "a"}, {"id": "b"}, {"id": "c"}]))
        assert isinstance(error, BatchError)
        assert list(error.failed) == [1]
        assert isinstance(error.failed[1], ValidationError)
        assert ids(Picky.where().order_by("id").all()) == ["a", "c"]

    @extensions
    @atomic
    def test_in_a_transaction_hooks_before_run_at_the_call_and_hooks_after_at_the_end(
        self, watched: Any, backend: Backend
    ) -> None:
        with backend.transaction():
            watched.create(id="new")
            assert [call.split()[0] for call in CALLS] == WRITES[:5]
            watched.where(id="old").delete()
            assert CALLS[5:] == ["before_delete old", "before_write old"]
        assert CALLS[7:] == ["after_write new", "after_save new", "after_write old", "after_delete old"]

    @extensions
    @atomic
    def test_a_hook_that_fails_in_a_transaction_fails_its_own_write_only(self, watched: Any, backend: Backend) -> None:
        with backend.transaction():
            watched.create(id="a")
            FAILS.add("before_write")
            with pytest.raises(HookError):
                watched.create(id="b")
            FAILS.clear()
            watched.create(id="c")
        assert ids(watched.where().order_by("id").all()) == ["a", "c", "old"]

    @atomic
    def test_a_dropped_transaction_runs_no_hook_after(self, watched: Any, backend: Backend) -> None:
        with pytest.raises(MixstoreError), backend.transaction():  # noqa: PT012
            watched.create(id="new")
            watched.create(id="old")
        assert not [call for call in CALLS if call.startswith("after")]
        assert ids(watched.all()) == ["old"]

    @extensions
    def test_the_candidate_of_a_failed_write_is_not_the_callers_instance(self, watched: Any) -> None:
        row = renamed(watched.get("old"))
        FAILS.add("serialize")
        assert isinstance(refusal(row.save), HookError)
        assert row.name == " x "
        FAILS.clear()
        row.save()
        assert row.name == watched.get("old").name == "x"

    @locking
    def test_a_condition_of_an_extension_guards_every_path(self, use: Use, clock: Any, backend: Backend) -> None:
        use(Poll)
        Poll.create(id="a", closes=clock.now)
        Poll.create(id="b")
        poll = Poll.get("a")
        paths: list[Callable[[], Any]] = [
            lambda: poll.update(n=1),
            lambda: poll.delete(),
            lambda: Poll.upsert(id="a"),
            lambda: Poll.where(id="a").update(n=1),
            lambda: Poll.where(id="a").delete(),
            lambda: Poll.batch_upsert([{"id": "a"}]).clear(),
        ]
        for path in paths:
            error = refusal(path)
            if isinstance(error, BatchError):
                [error] = error.failed.values()
            assert isinstance(error, ConflictError)
            assert "closed at" in str(error)
            assert (error.model, error.key, error.backend) == (Poll, "a", backend.backend_name)
        assert Poll.get("a").n == 0
        Poll.get("b").update(n=1)
        assert Poll.upsert(id="b", n=2) == Poll.get("b")
