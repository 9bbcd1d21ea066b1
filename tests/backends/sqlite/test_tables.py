"""The tables that `initialize()` makes, and how they grow with their models."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from mixstore import ConfigurationError, Field, Key, Model, SchemaError
from mixstore_backends.sqlite import SQLiteBackend
from tests.backends.sqlite.conftest import Ask
from tests.backends.sqlite.models import Everything

Use = Callable[..., Any]


def item(**fields: Any) -> type[Model]:
    """The entity Item with these fields: `name=(type, Field(...))` or `name=type`; the key is `id: str`."""
    namespace: dict[str, Any] = {"__annotations__": {"id": str}, "id": Field(primary_key=True)}
    namespace.update(__module__=__name__, __qualname__="Item")
    for name, told in fields.items():
        kind, default = told if isinstance(told, tuple) else (told, None)
        namespace["__annotations__"][name] = kind
        if isinstance(told, tuple):
            namespace[name] = default
    return type(Model)("Item", (Model,), namespace)  # type: ignore[return-value]


def columns(ask: Ask, table: str = "Item") -> list[tuple[str, str, int]]:
    return [(row[1], row[2], row[3]) for row in ask(f'PRAGMA table_xinfo("{table}")')]


def indexes(ask: Ask) -> list[str]:
    return [row[0] for row in ask("SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL ORDER BY 1")]


def grown(path: Path, model: type[Model]) -> type[Model]:
    """The model on a new backend, as after a restart; the table is extended."""
    with SQLiteBackend(path) as again:
        again.initialize(model)
    return model


# -- new tables ----------------------------------------------------------------------------------------------------


def test_plain_fields_are_columns_of_their_own_type(use: Use, ask: Ask) -> None:
    use(Everything)
    assert columns(ask, "Everything")[:9] == [
        ("id", "INTEGER", 1), ("text", "TEXT", 1), ("note", "TEXT", 0), ("count", "INTEGER", 1),
        ("maybe", "INTEGER", 0), ("real", "REAL", 0), ("money", "TEXT", 0), ("flag", "INTEGER", 0), ("raw", "BLOB", 0),
    ]  # fmt: skip
    assert ("numbers", "TEXT", 1) in columns(ask, "Everything")


def test_a_table_is_strict_and_checks_what_it_is_told_by_others(use: Use, ask: Ask) -> None:
    use(item(flag=(bool, True), tags=(list[str], [])))
    for values in ("('a', 2, '[]')", "('a', 1, 'no json')", "('a', NULL, '[]')", "('a', 'x', '[]')"):
        with pytest.raises(Exception, match=r"constraint failed|cannot store"):
            ask(f"INSERT INTO Item (id, flag, tags) VALUES {values}")


def test_initialize_twice_changes_nothing(use: Use, ask: Ask, store: SQLiteBackend) -> None:
    model = use(item(name=(str, Field("", searchable=True, index=True))))
    before = ask("SELECT * FROM sqlite_master")
    store.initialize(model)
    assert ask("SELECT * FROM sqlite_master") == before


def test_a_rendered_key_has_columns_of_its_own(use: Use, ask: Ask) -> None:
    class Todo(Model):
        user: str
        number: int

        class Meta:
            key = Key(partition="USER#{user}", sort="TODO#{number:05d}")

    use(Todo)
    Todo.create(user="a", number=7)
    assert ask("SELECT _pk, _sk, user FROM Todo") == [("USER#a", "TODO#00007", "a")]
    assert Todo.get(user="a", number=7) == Todo(user="a", number=7)


def test_any_name_can_be_that_of_a_table_or_a_column(use: Use) -> None:
    class Odd(Model):
        order: str = Field(primary_key=True)
        group: int = Field(0, index=True)
        rank: str | None = Field(None, searchable=True)
        rowid: str | None = Field(None, searchable=True, unique=True)
        größe: float = 0

        class Meta:
            entity = 'select "from", x.y; --'

    use(Odd)
    Odd.create(order="a", group=1, rank="one two", rowid="three")
    Odd.upsert(order="a", group=2, rank="one two", rowid="four", größe=1.5)
    assert [one.größe for one in Odd.where(group=2).order_by("-rank").search("two", fields=["rank"]).all()] == [1.5]
    assert Odd.where().search("three").count() == 0
    assert Odd.get(rowid="four").order == "a"
    with pytest.raises(Exception, match="exists already"):
        Odd.create(order="a")
    with pytest.raises(Exception, match="rowid is unique"):
        Odd.create(order="b", rowid="four")


def test_tables_whose_names_run_together_keep_their_indexes_apart(use: Use, ask: Ask) -> None:
    class First(Model):
        id: str = Field(primary_key=True)
        b_c: int = Field(0, index=True)

        class Meta:
            entity = "a"

    class Second(Model):
        id: str = Field(primary_key=True)
        c: int = Field(0, index=True)

        class Meta:
            entity = "a_b"

    use(First, Second)
    assert indexes(ask) == ["ix_a.b_c", "ix_a_b.c"]


def test_fields_that_differ_in_case_only_are_refused(store: SQLiteBackend) -> None:
    with pytest.raises(SchemaError, match="'name' and 'Name' differ in case only"):
        store.bound(item(name=str, Name=str))


def test_entities_that_differ_in_case_only_are_refused(store: SQLiteBackend) -> None:
    class ITEM(Model):
        id: str = Field(primary_key=True)

    store.bound(item())
    with pytest.raises(ConfigurationError, match="'ITEM' and 'Item' differ in case only"):
        store.bound(ITEM)


def test_a_name_that_sqlite_keeps_for_itself_is_refused(store: SQLiteBackend) -> None:
    class Log(Model):
        id: str = Field(primary_key=True)

        class Meta:
            entity = "sqlite_log"

    with pytest.raises(SchemaError, match="can't be the name of a table"):
        store.bound(Log)


# -- tables that grow ----------------------------------------------------------------------------------------------


def test_new_fields_with_a_default_become_columns_that_hold_it(use: Use, path: Path) -> None:
    use(item()).create(id="a")
    moment = datetime(2025, 1, 2, tzinfo=timezone.utc)
    later = item(
        name=(str, "it's"), size=(int, 3), note=(str | None, None), five=(int | None, 5), tags=(list[str], ["x"]),
        made=(dict[str, int], Field(default_factory=dict)), real=(float, 0.1), flag=(bool, True),
        since=(datetime, moment), raw=(bytes, b"\0'"), top=(float, float("inf")),
    )  # fmt: skip
    with SQLiteBackend(path) as again:
        later.bind(again)
        again.initialize(later)
        assert later.get("a") == later(id="a")
        assert later.where(name="it's", since=moment, real=0.1).count() == 1


def test_a_new_required_field_is_refused_while_there_are_rows(use: Use, path: Path) -> None:
    use(item()).create(id="a")
    with pytest.raises(SchemaError, match=r"'Item'.*'name' is new and required") as caught:
        grown(path, item(name=str))
    assert "constant default, or make it Optional" in str(caught.value)


def test_a_new_required_field_is_fine_in_an_empty_table(use: Use, path: Path) -> None:
    use(item())
    later = item(name=str, tags=list[str])
    with SQLiteBackend(path) as again:
        later.bind(again)
        again.initialize(later)
        later.create(id="a", name="x", tags=["y"])
        assert later.get("a").tags == ["y"]


def test_a_default_that_is_made_anew_each_time_is_no_constant(use: Use, path: Path) -> None:
    use(item()).create(id="a")
    with pytest.raises(SchemaError, match="'when' is new and required"):
        grown(path, item(when=(datetime, Field(default_factory=lambda: datetime.now(timezone.utc)))))


def test_a_refused_table_is_left_as_it_was(use: Use, path: Path, ask: Ask) -> None:
    use(item()).create(id="a")
    before = ask("SELECT * FROM sqlite_master")
    with pytest.raises(SchemaError):
        grown(path, item(fine=(int, 1), name=str))
    assert ask("SELECT * FROM sqlite_master") == before


@pytest.mark.parametrize(
    ("old", "value", "new"),
    [
        (str, "x", int),
        (int, 1, float),
        (str, "x", datetime),
        (str, "x", list[str]),
        (list[str], ["x"], dict[str, str]),
        (list[str], ["x"], list[int]),
    ],
)
def test_a_changed_type_is_refused(use: Use, path: Path, old: Any, value: Any, new: Any) -> None:
    use(item(name=old)).create(id="a", name=value)
    with pytest.raises(SchemaError, match=r"'Item'.*'name'"):
        grown(path, item(name=new))


def test_a_changed_key_is_refused(use: Use, path: Path) -> None:
    use(item(name=str))

    class Item(Model):
        id: str
        name: str = Field(primary_key=True)

    with pytest.raises(SchemaError, match=r"its key is \(id\), the model's is \(name\)"):
        grown(path, Item)


def test_a_field_that_becomes_optional_is_refused(use: Use, path: Path) -> None:
    use(item(name=str))
    with pytest.raises(SchemaError, match="'name' is NOT NULL, the model's field may be None"):
        grown(path, item(name=(str | None, None)))


def test_a_field_that_becomes_required_is_fine_if_no_row_lacks_it(use: Use, path: Path) -> None:
    model = use(item(name=(str | None, None)))
    model.create(id="a", name="x")
    grown(path, item(name=str))
    model.create(id="b")
    with pytest.raises(SchemaError, match="'name' holds NULL in some rows"):
        grown(path, item(name=str))


def test_a_field_that_is_gone_leaves_its_column_if_rows_can_do_without(use: Use, path: Path, ask: Ask) -> None:
    use(item(note=(str | None, None))).create(id="a", note="kept")
    grown(path, item())
    assert ask("SELECT id, note FROM Item") == [("a", "kept")]


def test_a_required_field_that_is_gone_is_refused(use: Use, path: Path) -> None:
    use(item(name=str))
    with pytest.raises(SchemaError, match="'name' is NOT NULL and no field") as caught:
        grown(path, item())
    assert 'ALTER TABLE "Item" DROP COLUMN "name"' in str(caught.value)


def test_indexes_come_and_go_with_their_options(use: Use, path: Path, ask: Ask) -> None:
    use(item(name=(str, Field("", index=True)), size=(int, 0)))
    ask("CREATE INDEX mine ON Item (size)")
    assert indexes(ask) == ["ix_Item.name", "mine"]
    grown(path, item(name=(str, Field("", unique=True)), size=(int, Field(0, index=True))))
    assert indexes(ask) == ["ix_Item.size", "mine", "ux_Item.name"]


def test_a_unique_field_is_refused_while_rows_share_a_value(use: Use, path: Path) -> None:
    use(item(name=str)).batch_create([{"id": "a", "name": "x"}, {"id": "b", "name": "x"}])
    with pytest.raises(SchemaError, match="'name' is to be unique, and several rows share a value") as caught:
        grown(path, item(name=(str, Field(unique=True))))
    assert "HAVING count(*) > 1" in str(caught.value)


def test_a_view_in_the_place_of_the_table_is_refused(store: SQLiteBackend, ask: Ask) -> None:
    ask("CREATE VIEW item AS SELECT 1")
    with pytest.raises(SchemaError, match="there is a view 'item' already"):
        store.initialize(item())


def test_a_table_of_somebody_else_is_refused(store: SQLiteBackend, ask: Ask) -> None:
    ask("CREATE TABLE Item (number INTEGER PRIMARY KEY, id TEXT)")
    with pytest.raises(SchemaError, match=r"its key is \(number\), the model's is \(id\)"):
        store.initialize(item())
