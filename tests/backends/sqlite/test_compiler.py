"""What expressions, queries and writes become in SQL. Nothing here opens a database."""

from __future__ import annotations

from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

import pytest

from mixstore import Field, Key, Model, UnsupportedOperationError
from mixstore.bound import Bound
from mixstore.expressions import TRUE, After, Compare, Expr, Order, Q
from mixstore.lookups import resolve
from mixstore.query import Query, Search
from mixstore.write import REMOVE, Add, Write
from mixstore_backends.sqlite import SQLiteBackend
from mixstore_backends.sqlite.units import Unit
from tests.backends.sqlite.models import Everything


class Item(Model):
    """A text key, an index, a unique field, words to search."""

    sku: str = Field(primary_key=True)
    size: int = Field(0, index=True)
    code: str | None = Field(None, unique=True)
    title: str = Field("", searchable=True)
    price: Decimal | None = None


class Todo(Model):
    """A rendered key of two parts."""

    user: str
    day: datetime
    number: int = 0

    class Meta:
        key = Key(partition="USER#{user}", sort="TODO#{day}#{number:010d}")


BACKEND = SQLiteBackend(":memory:")
SELECT = 'SELECT "sku", "size", "code", "title", "price" FROM "Item"'


def bound(model: type[Model] = Item) -> Bound:
    return BACKEND.bound(model)


def where(expr: Expr, model: type[Model] = Everything) -> tuple[str, tuple[Any, ...]]:
    found = bound(model).native.compiler.where(resolve(bound(model).schema, expr))
    assert found.residual is None
    return tuple(found.sql)


@pytest.mark.parametrize(
    ("asked", "text", "parameters"),
    [
        (Q(text="x"), '"text" = ?', ("x",)),
        (Q(note="x"), '"note" IS ?', ("x",)),
        (Q(note=None), '"note" IS NULL', ()),
        (Q(text__ne="x"), 'NOT ("text" = ?)', ("x",)),
        (Q(note__ne=None), 'NOT ("note" IS NULL)', ()),
        (Q(count__gt=3), '"count" > ?', (3,)),
        (Q(maybe__gt=3), '("maybe" IS NOT NULL AND "maybe" > ?)', (3,)),
        (Q(maybe__gt=None), "0", ()),
        (Q(count__gt=2.5), '"count" > ?', (2,)),
        (Q(count__lt=2.5), '"count" <= ?', (2,)),
        (Q(count=2.5), "0", ()),
        (Q(count__lt=2**70), '"count" <= ?', (2**63 - 1,)),
        (Q(count__between=(1, 5)), '("count" >= ? AND "count" <= ?)', (1, 5)),
        (Q(count__in=[1, 2, 2]), '"count" IN (?, ?)', (1, 2)),
        (Q(count__in=[]), "0", ()),
        (Q(maybe__in=[1, None]), '("maybe" IS NULL OR "maybe" = ?)', (1,)),
        (Q(maybe__not_in=[1]), 'NOT (("maybe" IS NOT NULL AND "maybe" = ?))', (1,)),
        (Q(text__contains="a%"), 'instr("text", ?) > 0', ("a%",)),
        (Q(text__startswith="ab"), '"text" >= ? AND "text" < ?', ("ab", "ac")),
        (Q(text__startswith="a\ud7ff"), '"text" >= ? AND "text" < ?', ("a\ud7ff", "a\ue000")),
        (Q(text__startswith="\U0010ffff"), '"text" >= ?', ("\U0010ffff",)),
        (Q(text__endswith="é"), 'coalesce(substr(CAST("text" AS BLOB), -2) = ?, 0)', ("é".encode(),)),
        (Q(text__icontains="ẞ"), 'mixstore_icontains("text", ?)', ("ss",)),
        (Q(text__regex="^a"), 'mixstore_regex("text", ?)', ("^a",)),
        (Q(note__isnull=True), '"note" IS NULL', ()),
        (Q(text__size=3), 'mixstore_size("text") IS ?', (3,)),
        (Q(flag=True), '"flag" IS ?', (1,)),
        (Q(money="1.50"), '"money" IS ?', ("1.5",)),
        (Q(money__lt=2), '("money" IS NOT NULL AND "money" COLLATE mixstore_decimal < ?)', ("2",)),
        (Q(moment="2020-01-01T02:00:00+02:00"), '"moment" IS ?', ("2020-01-01T00:00:00.000000Z",)),
        (Q(color="red"), '"color" IS ?', ("red",)),
        (Q(tags__contains="x"), 'mixstore_has("tags", ?)', ('"x"',)),
        (Q(tags__size=2), 'mixstore_json_size("tags") IS ?', (2,)),
        (Q(home__city="Paris"), """mixstore_at("home", '["city"]', NULL) IS ?""", ("Paris",)),
        (Q(home__place__floor__gt=2), """(mixstore_at("home", '["place", "floor"]', 3) IS NOT NULL AND """
         """mixstore_at("home", '["place", "floor"]', 3) > ?)""", (2,)),
        (Q(free__k__gt=1), 'mixstore_test("free", ?)', ('[["k"],"gt",1]',)),
        (Q(text="x") & ~Q(count=1), '("text" = ? AND NOT ("count" = ?))', ("x", 1)),
        (Q(text="x") | Q(count=1), '("text" = ? OR "count" = ?)', ("x", 1)),
    ],
)  # fmt: skip
def test_each_lookup_has_its_sql(asked: Expr, text: str, parameters: tuple[Any, ...]) -> None:
    assert where(asked) == (text, parameters)


def test_many_values_are_one_parameter() -> None:
    text, parameters = where(Q(count__in=range(100_000)))
    assert text == '"count" IN (SELECT value FROM json_each(?))'
    assert len(parameters) == 1


def test_values_that_json_would_change_go_as_digits() -> None:
    text, (parameter,) = where(Q(text__in=[f"{number}\0" for number in range(100)]))
    assert text == '"text" IN (SELECT CAST(mixstore_from_hex(value) AS TEXT) FROM json_each(?))'
    assert parameter.startswith('["3000", "3100"')


def test_going_on_after_a_row_compares_keys_as_one_value() -> None:
    after = After((Order(("size",)), Order(("sku",))), (3, "x"))
    assert where(after, Item) == ('("size", "sku") > (?, ?)', (3, "x"))


def test_going_on_after_a_row_knows_that_null_comes_first() -> None:
    order = (Order(("code",)), Order(("sku",)))
    assert where(After(order, (None, "x")), Item) == (
        '("code" IS NOT NULL OR ("code" IS NULL AND "sku" > ?))', ("x",)
    )  # fmt: skip
    assert where(After(order, ("c", "x")), Item) == (
        '(("code" IS NOT NULL AND "code" > ?) OR ("code" IS ? AND "sku" > ?))', ("c", "c", "x")
    )  # fmt: skip


def test_only_top_level_terms_are_split() -> None:
    compiler = bound(Everything).native.compiler
    custom = Compare(("text",), "sounds_like", "x", lambda found, operand: True)
    plain = Compare(("text",), "eq", "a")
    split = compiler.where(plain & custom)
    assert (split.sql.text, split.pushed, split.residual) == ('"text" = ?', plain, custom)
    assert compiler.where(plain | custom).residual == plain | custom


def test_an_unknown_node_raises() -> None:
    class Strange(Expr):
        __slots__ = ()

    with pytest.raises(TypeError, match="no expression that"):
        bound().native.compiler.expression(Strange())


def test_a_lookup_that_nobody_can_answer_is_refused() -> None:
    with pytest.raises(UnsupportedOperationError, match="soundslike"):
        bound().native.compiler.where(Compare(("title",), "soundslike", "x"))


# -- queries -------------------------------------------------------------------------------------------------------


def query(model: type[Model] = Item, asked: Expr = TRUE, **parts: Any) -> Any:
    expr = resolve(bound(model).schema, asked)
    return BACKEND.compile_query(bound(model), Query(model, where=expr, **parts))


def test_a_query_is_one_statement() -> None:
    plan = query(asked=Q(size__gte=3), order=(Order(("price",), True), Order(("sku",))), limit=5, offset=2)
    assert plan.sql == (
        SELECT + ' WHERE "size" >= ? ORDER BY "price" COLLATE mixstore_decimal DESC, "sku" LIMIT ? OFFSET ?'
    )
    assert plan.parameters == (3, 5, 2)
    assert (plan.ordered, plan.sliced, plan.index, plan.scan) == (True, True, "ix_Item.size", False)
    assert plan.request == {"sql": plan.sql, "parameters": [3, 5, 2]}


def test_a_scan_is_told_with_what_would_help() -> None:
    plan = query(asked=Q(price=3))
    assert (plan.scan, plan.index) == (True, None)
    assert plan.notes == ("Field(index=True) on 'price' would make this a search",)


def test_the_index_told_is_the_one_that_serves() -> None:
    assert query(asked=Q(sku="x", size=3)).index == "primary key"
    assert query(asked=Q(code="x")).index == "ux_Item.code"
    assert query(order=(Order(("sku",)),), limit=5).index == "primary key"
    assert query(search=Search("x")).index == "Item_fts"


def test_a_residual_filter_leaves_limit_and_offset_to_the_kernel() -> None:
    left = Compare(("title",), "sounds_like", "x", lambda found, operand: True)
    plan = BACKEND.compile_query(bound(), Query(Item, where=left, order=(Order(("size",)),), limit=1))
    assert (plan.residual, plan.ordered, plan.sliced) == (left, True, False)
    assert plan.sql.endswith('"size", "_id" FROM "Item" ORDER BY "size", "_id" LIMIT ?')


def test_a_search_is_quoted_word_by_word() -> None:
    plan = query(search=Search('red" OR NEAR(*) -shoe', ("title",)), fields=("sku",))
    assert plan.sql == SELECT + ' WHERE "_id" IN (SELECT rowid FROM "Item_fts" WHERE "Item_fts" MATCH ?)'
    assert plan.parameters == ('{"title"} : ("red" AND "OR" AND "NEAR" AND "shoe")',)


@pytest.mark.parametrize(
    ("search", "sought"),
    [
        (Search("red shoe", mode="phrase"), '"red" + "shoe"'),
        (Search("red sh", mode="prefix"), '"red" AND "sh"*'),
        (Search("red sh", ("title",), mode="prefix"), '{"title"} : ("red" AND "sh"*)'),
    ],
)
def test_phrases_and_prefixes_are_asked_of_fts5(search: Search, sought: str) -> None:
    assert query(search=search).parameters == (sought,)


def test_rows_that_a_search_finds_come_with_their_score() -> None:
    plan = query(search=Search("red", boosts=(("title", 2),)))
    found = (
        'SELECT rowid AS "found.row", -bm25("Item_fts", 2.0) AS "found.score" FROM "Item_fts" WHERE "Item_fts" MATCH ?'
    )
    assert plan.sql.endswith(f', "found.score" FROM "Item" JOIN ({found}) ON "found.row" = "Item"."_id"')


def test_a_search_without_a_word_finds_nothing() -> None:
    assert query(search=Search("!?")).sql == f"{SELECT} WHERE 0"


def test_filters_on_the_fields_of_a_rendered_key_use_its_index() -> None:
    plan = query(Todo, Q(user="a#b", day=datetime(2025, 1, 2, tzinfo=timezone.utc)))
    assert plan.sql.endswith('AND "_pk" = ? AND "_sk" >= ? AND "_sk" < ?)')
    assert plan.parameters[2] == "USER#a%23b"
    assert plan.parameters[3].startswith("TODO#2025-01-02T")
    assert plan.index == "primary key"


def test_a_count_counts_in_the_engine() -> None:
    plan: Any = BACKEND.compile_count(bound(), Query(Item, where=Compare(("size",), "eq", 1)))
    assert (plan.sql, plan.parameters) == ('SELECT COUNT(*) FROM "Item" WHERE "size" = ?', (1,))


def test_keys_are_read_by_the_primary_key() -> None:
    plan: Any = BACKEND.compile_get(bound(), [("x",)])
    assert (plan.sql, plan.parameters) == (SELECT + ' WHERE "sku" = ?', ("x",))


# -- writes --------------------------------------------------------------------------------------------------------

RECORD = {"sku": "x", "size": 1, "code": None, "title": "t", "price": "1"}


def written(op: Any, **parts: Any) -> tuple[str, tuple[Any, ...]]:
    plan: Any = BACKEND.compile_writes(bound(), [Write(op, bound(), ("x",), **parts)])
    if isinstance(plan, Unit):
        return tuple(plan.units[0][0].main)  # type: ignore[return-value]
    return plan.sql, plan.parameters


def test_create_is_an_insert() -> None:
    text, parameters = written("create", record=RECORD)
    assert text == 'INSERT INTO "Item" ("sku", "size", "code", "title", "price") VALUES (?, ?, ?, ?, ?)'
    assert parameters == ("x", 1, None, "t", "1")


def test_upsert_updates_all_that_is_not_the_key() -> None:
    text, _ = written("upsert", record=RECORD, condition=Compare(("size",), "eq", 3))
    assert text.endswith(
        'ON CONFLICT ("sku") DO UPDATE SET "size" = excluded."size", "code" = excluded."code", '
        '"title" = excluded."title", "price" = excluded."price" WHERE "size" = ?'
    )


def test_update_sets_what_changed_under_its_condition() -> None:
    changes = {"size": 4, "code": None}
    assert written("update", changes=changes, condition=Compare(("size",), "eq", 3)) == (
        'UPDATE "Item" SET "size" = ?, "code" = ? WHERE "sku" = ? AND "size" = ?', (4, None, "x", 3)
    )  # fmt: skip


def test_update_adds_and_removes_in_the_engine() -> None:
    assert written("update", changes={"size": Add(2), "code": REMOVE, "price": Add(Decimal("0.1"))}) == (
        'UPDATE "Item" SET "size" = coalesce("size", 0) + ?, "code" = NULL, '
        '"price" = mixstore_decimal_sum("price", ?) WHERE "sku" = ?', (2, "0.1", "x")
    )  # fmt: skip


def test_an_update_without_changes_still_asks_for_its_row() -> None:
    assert written("update", changes={}) == ('UPDATE "Item" SET "sku" = "sku" WHERE "sku" = ?', ("x",))


def test_delete_is_by_key_under_its_condition() -> None:
    assert written("delete", condition=Compare(("size",), "eq", 3)) == (
        'DELETE FROM "Item" WHERE "sku" = ? AND "size" = ?', ("x", 3)
    )  # fmt: skip
