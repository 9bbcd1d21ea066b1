"""The chain runs in one order on every path: writes forward, what follows them and reads in reverse."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from mixstore import (
    Backend,
    BackendExtension,
    Field,
    Mixin,
    Model,
    NotFoundError,
    Outcome,
    Q,
    Query,
    WriteChange,
    WriteContext,
)
from mixstore.testing.conformance import Conformance
from mixstore.testing.support import Use, awaited
from mixstore.testing.tags import atomic, extensions

LOG: list[str] = []


class Recording(BackendExtension):
    """Writes each hook down, and wraps what it stores in its own name."""

    def log(self, hook: str) -> str:
        """Note a call; answers the extension's own name."""
        own = str(self.name or self.mixin_class.__name__.lower())
        LOG.append(f"{own}.{hook}")
        return own

    def before_write(self, context: WriteContext) -> WriteChange | None:
        """Before the write: an update of the values that the next one sees."""
        own = self.log("before_write")
        if context.operation == "delete":
            return None
        return WriteChange({"trail": [*context.values["trail"], own]})

    def validate(self, data: Any) -> None:
        """On the final values."""
        self.log("validate")

    def serialize(self, data: dict[str, Any]) -> dict[str, Any]:
        """Around what those before stored."""
        own = self.log("serialize")
        return {**data, "_stack": f"{data.get('_stack', '')}{own}>"}

    def deserialize(self, data: dict[str, Any]) -> dict[str, Any]:
        """Off again, from the outside in."""
        own = self.log("deserialize")
        stack, data = data["_stack"], {name: value for name, value in data.items() if name != "_stack"}
        assert stack.endswith(f"{own}>"), f"{own} is not the last of {stack}"
        rest = stack[: -len(own) - 1]
        return {**data, "_stack": rest} if rest else data

    def modify_query(self, query: Query) -> Query:
        """On the finished query."""
        self.log("modify_query")
        return query

    def after_write(self, context: WriteContext, outcome: Outcome) -> None:
        """After the write."""
        self.log("after_write")

    def after_read(self, context: WriteContext | None, values: dict[str, Any]) -> dict[str, Any]:
        """On a row that was read."""
        self.log("after_read")
        return values


class Outer(Mixin):
    """First of the bases."""

    trail: list[str] = []

    class Anywhere(Recording):
        """On every backend."""


class Inner(Mixin):
    """Second of the bases."""

    class Anywhere(Recording):
        """On every backend."""


class Late(Mixin):
    """Second of the bases, but it wants to be the last."""

    class Anywhere(Recording):
        """After one that stands behind it."""

        after = ("inner",)


class Row(Outer, Inner, Model):
    """Two extensions."""

    id: str = Field(primary_key=True)
    n: int = 0


class Ordered(Outer, Late, Inner, Model):
    """Three, of which one says where it stands."""

    id: str = Field(primary_key=True)


class Loud(Mixin):
    """Rows that are read in capitals."""

    class Shouting(BackendExtension):
        """Changes what is read, not what is stored."""

        def after_read(self, context: WriteContext | None, values: dict[str, Any]) -> dict[str, Any]:
            """In capitals."""
            return {**values, "text": values["text"].upper()}


class Cry(Loud, Model):
    """A text that is read otherwise than it is stored."""

    id: str = Field(primary_key=True)
    text: str = ""


class Hushed(Loud):
    """Hides what is stored in capitals, not what is read in them."""

    class Hush(BackendExtension):
        """Rows that are there."""

        def veiled(self) -> Q:
            """By the stored text."""
            return Q(text="SECRET")


class Whisper(Hushed, Model):
    """Read in capitals, and hidden if it is stored so."""

    id: str = Field(primary_key=True)
    text: str = ""


def _text(row: Any) -> Any:
    return None if row is None else row.text


WHISPERS: dict[str, Callable[[Any, Any, str], Any]] = {
    "get": lambda model, backend, key: _text(model.get(key)),
    "batch_get": lambda model, backend, key: _text(model.batch_get([key])[0]),
    "refresh": lambda model, backend, key: _text(_refreshed(model(id=key))),
    "query": lambda model, backend, key: _text(model.where(id=key).get()),
    "a filter that is left to mixstore": lambda model, backend, key: _text(model.where(id__regex=key).get()),
    "backend.get": lambda model, backend, key: (backend.get(model, id=key) or {"text": None})["text"],
}


def _refreshed(row: Any) -> Any:
    try:
        return row.refresh()
    except NotFoundError:
        return None


Path = Callable[[Any, Any], Any]
SAVES: dict[str, Path] = {
    "create": lambda model, backend: model.create(id="new"),
    "upsert": lambda model, backend: model.upsert(id="new"),
    "upsert of an old one": lambda model, backend: model.upsert(id="old"),
    "save of a new one": lambda model, backend: model(id="new").save(),
    "update": lambda model, backend: model.get("old").update(n=1),
    "batch_create": lambda model, backend: model.batch_create([{"id": "new"}]),
    "batch_upsert": lambda model, backend: model.batch_upsert([{"id": "new"}]),
    "update by query": lambda model, backend: model.where(id="old").update(n=1),
    "backend.create": lambda model, backend: backend.create(model, {"id": "new"}),
    "backend.upsert": lambda model, backend: backend.upsert(model, {"id": "new"}),
    "backend.batch_create": lambda model, backend: backend.batch_create(model, [{"id": "new"}]),
}
DELETES: dict[str, Path] = {
    "delete": lambda model, backend: model.get("old").delete(),
    "delete by query": lambda model, backend: model.where(id="old").delete(),
    "backend.delete": lambda model, backend: backend.delete(model, model.get("old")),
}
READS: dict[str, Path] = {
    "get": lambda model, backend: model.get("old"),
    "all": lambda model, backend: model.all(),
    "first": lambda model, backend: model.where().first(),
    "one": lambda model, backend: model.where(id="old").one(),
    "iteration": lambda model, backend: list(model.where()),
    "paginate": lambda model, backend: model.where().paginate(),
    "batch_get": lambda model, backend: model.batch_get(["old"]),
    "a filter that is left to mixstore": lambda model, backend: model.where(id__regex="l").all(),
    "select": lambda model, backend: model.where().select("n").all(),
    "backend.get": lambda model, backend: backend.get(model, id="old"),
    "backend.query": lambda model, backend: backend.query(model).all(),
}
WRITES = [
    "outer.before_write", "inner.before_write", "outer.validate", "inner.validate", "outer.serialize",
    "inner.serialize", "inner.after_write", "outer.after_write",
]  # fmt: skip
WRITE_HOOKS = {"before_write", "validate", "after_write"}


def written() -> list[str]:
    """The hooks of the write: reading the row before it may come in between."""
    return [call for call in LOG if call.split(".")[1] in WRITE_HOOKS]


class ChainCases(Conformance):
    """The chain runs in one order on every path."""

    @pytest.fixture
    def recorded(self, use: Use) -> Iterator[Any]:
        """The model, with a row `old`, and nothing written down yet."""
        use(Row)
        Row.create(id="old")
        LOG.clear()
        yield Row
        LOG.clear()

    @extensions
    def test_writes_run_forward_and_what_follows_them_in_reverse(self, recorded: Any) -> None:
        recorded.create(id="new")
        assert LOG == WRITES

    @extensions
    @pytest.mark.parametrize("path", SAVES)
    def test_every_path_of_saving_runs_the_chain_in_order(self, recorded: Any, backend: Backend, path: str) -> None:
        SAVES[path](recorded, backend)
        assert written() == [call for call in WRITES if call.split(".")[1] in WRITE_HOOKS]
        assert LOG.index("outer.serialize") < LOG.index("inner.serialize")

    @extensions
    @pytest.mark.parametrize("path", DELETES)
    def test_every_path_of_deleting_runs_the_chain_in_order(self, recorded: Any, backend: Backend, path: str) -> None:
        DELETES[path](recorded, backend)
        expected = ["outer.before_write", "inner.before_write", "inner.after_write", "outer.after_write"]
        assert [call for call in written() if "validate" not in call] == expected

    @extensions
    @pytest.mark.parametrize("path", READS)
    def test_every_path_of_reading_unwinds_the_chain(self, recorded: Any, backend: Backend, path: str) -> None:
        READS[path](recorded, backend)
        back = [call for call in LOG if "deserialize" in call or "after_read" in call]
        assert back[:2] == ["inner.deserialize", "outer.deserialize"]
        for inner, outer in zip(back[::2], back[1::2], strict=True):
            assert (inner, outer.replace("outer", "inner")) == (inner.replace("outer", "inner"), inner)

    @extensions
    @pytest.mark.parametrize("end", ["all", "first", "last", "count", "exists", "paginate", "explain", "delete"])
    def test_every_end_of_a_query_lets_the_chain_change_it(self, recorded: Any, end: str) -> None:
        getattr(recorded.where(), end)()
        changed = [call for call in LOG if "modify_query" in call]
        assert changed[:2] == ["outer.modify_query", "inner.modify_query"]

    @extensions
    def test_an_extension_sees_the_values_that_those_before_it_set(self, recorded: Any) -> None:
        assert recorded.create(id="new").trail == ["outer", "inner"]
        assert recorded.get("new").trail == ["outer", "inner"]
        assert recorded.where(id="new").update(n=1) == 1
        assert recorded.get("new").trail == ["outer", "inner"] * 2

    @extensions
    def test_an_extension_stands_where_it_says_and_else_in_the_order_of_the_bases(self, use: Use) -> None:
        use(Ordered)
        assert [entry.name for entry in Ordered.extensions() if entry.state == "active"] == ["outer", "inner", "late"]
        LOG.clear()
        Ordered.create(id="a")
        assert [call for call in LOG if "serialize" in call] == ["outer.serialize", "inner.serialize", "late.serialize"]
        assert Ordered.get("a").trail == ["outer", "inner", "late"]

    @extensions
    @atomic
    def test_a_transaction_runs_the_chain_at_the_call_and_what_follows_after_the_commit(
        self, recorded: Any, backend: Backend
    ) -> None:
        with backend.transaction():
            recorded.create(id="a")
            assert WRITES[:6] == LOG
            LOG.clear()
            recorded.create(id="b")
            assert WRITES[:6] == LOG
            LOG.clear()
        assert WRITES[6:] * 2 == LOG

    @extensions
    @awaited
    async def test_an_awaited_write_runs_the_same_chain(self, recorded: Any) -> None:
        await recorded.acreate(id="new")
        assert LOG == WRITES
        LOG.clear()
        await recorded.aget("new")
        assert [call for call in LOG if "deserialize" in call] == ["inner.deserialize", "outer.deserialize"]

    @extensions
    def test_a_model_without_extensions_has_an_empty_chain(self, use: Use, backend: Backend) -> None:
        class Plain(Model):
            """No mixin."""

            id: str = Field(primary_key=True)

        use(Plain)
        assert backend.bound(Plain).chain.empty
        assert Plain.extensions() == []

    @extensions
    @pytest.mark.parametrize(
        "filters", [{"text": "ab"}, {"text__regex": "^a"}, {"text__icontains": "B", "text__ne": "AB"}]
    )
    def test_filters_see_what_is_stored_and_not_what_a_hook_makes_of_it_after_reading(
        self, use: Use, filters: dict[str, str]
    ) -> None:
        use(Cry)
        Cry.create(id="a", text="ab")
        assert [row.text for row in Cry.where(**filters)] == ["AB"]
        assert Cry.where(**filters).count() == 1

    @extensions
    @pytest.mark.parametrize("read", [*READS, "a filter and an order that are left to mixstore", "refresh"])
    def test_what_is_done_after_reading_is_done_once_a_row(self, recorded: Any, backend: Backend, read: str) -> None:
        row = recorded.get("old")
        paths: dict[str, Path] = {
            **READS,
            "a filter and an order that are left to mixstore": lambda model, backend: (
                model.where(id__regex="l").order_by("-n").limit(1).all()
            ),
            "refresh": lambda model, backend: row.refresh(),
        }
        LOG.clear()
        paths[read](recorded, backend)
        assert [call for call in LOG if call.endswith("after_read")] == ["inner.after_read", "outer.after_read"]

    @extensions
    def test_counting_makes_nothing_of_a_row_after_reading(self, recorded: Any) -> None:
        recorded.create(id="new")
        LOG.clear()
        assert (recorded.where(id__regex="l").count(), recorded.where().count()) == (1, 2)
        assert not [call for call in LOG if call.endswith("after_read")]

    @extensions
    @pytest.mark.parametrize("read", WHISPERS)
    def test_what_may_be_seen_is_decided_on_what_is_stored_on_every_path(
        self, use: Use, backend: Backend, read: str
    ) -> None:
        use(Whisper)
        Whisper.create(id="a", text="SECRET")
        Whisper.create(id="b", text="secret")
        assert WHISPERS[read](Whisper, backend, "a") is None
        assert WHISPERS[read](Whisper, backend, "b") == "SECRET"
