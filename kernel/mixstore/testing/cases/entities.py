"""Models of one shape in one store: none of them ever meets a row of another, by any way of reading or writing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mixstore import GSI, Backend, Field, Key, Model, Q
from mixstore.testing.conformance import Conformance
from mixstore.testing.support import Use, awaited, ids, paged
from mixstore.testing.tags import atomic, full_text, unique


class Shape(Model):
    """Everything by which rows are found."""

    class Meta:
        """A second key of both."""

        abstract = True
        indexes = [GSI("by_group", partition="G#{group}", sort="{n:02d}")]

    id: str = Field(primary_key=True)
    n: int = Field(0, index=True)
    group: str = "g"
    text: str = Field("", searchable=True)


class Mine(Shape):
    """One of two."""


class Yours(Shape):
    """The other."""


class Drawer(Model):
    """A rendered key."""

    class Meta:
        """The same templates as those of the other."""

        key = Key(partition="P#{part}", sort="S#{n:02d}")

    part: str
    n: int


class Shelf(Model):
    """The same rendered key."""

    class Meta:
        """The same templates as those of the other."""

        key = Key(partition="P#{part}", sort="S#{n:02d}")

    part: str
    n: int


class Mark(Model):
    """A value that no other mark has."""

    id: str = Field(primary_key=True)
    code: str | None = Field(None, unique=True)


class Stamp(Model):
    """A value that no other stamp has."""

    id: str = Field(primary_key=True)
    code: str | None = Field(None, unique=True)


READS: dict[str, Callable[[Any], list[str]]] = {
    "get": lambda model: [row.id for row in (model.get(key) for key in "abcd") if row],
    "batch_get": lambda model: [row.id for row in model.batch_get("abcd") if row],
    "all": lambda model: ids(model.where().order_by("id").all()),
    "iteration": lambda model: ids(model.where()),
    "order": lambda model: ids(model.where().order_by("n")),
    "a key": lambda model: ids(model.where(id__in=list("abcd")).order_by("id").all()),
    "an index": lambda model: ids(model.where(n__gte=0).order_by("n").all()),
    "an equal value of an index": lambda model: [one for n in range(3) for one in ids(model.where(n=n).all())],
    "a second key": lambda model: ids(model.where(group="g").order_by("n").all()),
    "a second key by its name": lambda model: ids(model.where().using("by_group").order_by("n").all()),
    "or": lambda model: ids(model.where(Q(n=0) | Q(n=1) | Q(id="c")).order_by("id").all()),
    "a filter that is left to mixstore": lambda model: ids(model.where(id__regex=".").order_by("id").all()),
    "select": lambda model: [row["id"] for row in model.where().order_by("id").select("id")],
    "pages": lambda model: paged(model.where().order_by("n"), 1),
    "limits": lambda model: [model.where().order_by("id").offset(place).limit(1).one().id for place in range(2)],
    "ends": lambda model: [model.where().first().id, model.where().last().id],
}


class EntityCases(Conformance):
    """Models of one shape in one store."""

    @pytest.fixture
    def mine(self, use: Use) -> Any:
        """Rows a and b; the other model has a, c and d."""
        use(Mine, Yours)
        Yours.batch_create([{"id": key, "n": n, "text": "fox"} for n, key in enumerate("acd")])
        Mine.batch_create([{"id": key, "n": n, "text": "fox"} for n, key in enumerate("ab")])
        return Mine

    @pytest.mark.parametrize("read", READS)
    def test_rows_of_another_model_of_the_same_shape_are_never_read(self, mine: Any, read: str) -> None:
        assert READS[read](mine) == ["a", "b"]

    def test_rows_of_another_model_of_the_same_shape_are_never_counted(self, mine: Any) -> None:
        assert [mine.count(), mine.count(n__gte=0), mine.where().using("by_group").count()] == [2, 2, 2]
        assert [mine.count(id="c"), mine.count(n=2), mine.count(group="g", n=2)] == [0, 0, 0]
        assert [mine.exists(id="c"), mine.where().offset(2).exists(), mine.exists(n=2)] == [False] * 3

    @full_text
    def test_rows_of_another_model_of_the_same_shape_are_never_searched(self, mine: Any) -> None:
        assert ids(mine.search("fox").order_by("id").all()) == ["a", "b"]

    @pytest.mark.parametrize("filters", [{}, {"n__gte": 0}, {"group": "g"}, {"id__in": list("abcd")}], ids=str)
    def test_rows_of_another_model_of_the_same_shape_are_never_written(self, mine: Any, filters: Any) -> None:
        assert mine.where(**filters).update(text="new") == 2
        assert mine.where(**filters).delete() == 2
        assert mine.count() == 0
        assert [(row.id, row.text) for row in Yours.where().order_by("id")] == [(key, "fox") for key in "acd"]

    def test_a_write_of_one_row_leaves_the_row_of_that_key_of_another_model_alone(self, mine: Any) -> None:
        mine.get("a").update(text="new")
        mine.upsert(id="a", text="newer")
        mine.batch_upsert([{"id": key} for key in "acd"])
        assert mine.get("c").delete() is True
        assert [(row.id, row.text) for row in Yours.where().order_by("id")] == [(key, "fox") for key in "acd"]
        assert Yours.where().delete() == 3
        assert ids(mine.where().order_by("id").all()) == ["a", "b", "d"]

    @atomic
    def test_a_transaction_writes_rows_of_one_key_of_two_models(self, mine: Any, backend: Backend) -> None:
        with backend.transaction():
            mine.create(id="c", text="mine")
            Yours.get("c").update(text="yours")
        assert (mine.get("c").text, Yours.get("c").text) == ("mine", "yours")

    def test_models_of_one_rendered_key_are_apart(self, use: Use) -> None:
        use(Drawer, Shelf)
        Shelf.batch_create([{"part": "a", "n": n} for n in range(4)])
        Drawer.create(part="a", n=1)
        assert Drawer.get(part="a", n=0) is None
        assert [row.n for row in Drawer.where(part="a")] == [1]
        assert [row.n for row in Drawer.where(part="a", n__lte=2).order_by("-n")] == [1]
        assert [Drawer.where(part="a").count(), Drawer.where(part="a", n__gt=1).exists()] == [1, False]
        assert Drawer.where(part="a").delete() == 1
        assert Shelf.where(part="a").count() == 4

    @unique
    def test_models_do_not_share_their_unique_values(self, use: Use) -> None:
        use(Mark, Stamp)
        Mark.create(id="a", code="x")
        Stamp.create(id="b", code="x")
        assert (Mark.get(code="x").id, Stamp.get(code="x").id) == ("a", "b")
        Mark.get("a").delete()
        assert Stamp.get(code="x").id == "b"
        assert Mark.get(code="x") is None
        Mark.create(id="c", code="x").update(code="y")
        assert Stamp.where(code="x").count() == 1

    @awaited
    async def test_rows_of_another_model_are_never_awaited(self, use: Use) -> None:
        use(Mine, Yours)
        await Yours.abatch_create([{"id": key} for key in "acd"])
        await Mine.acreate(id="a")
        assert ids(await Mine.aall()) == [row.id async for row in Mine.where()] == ["a"]
        assert (await Mine.aget("c"), await Mine.acount(), await Mine.where(n=0).adelete()) == (None, 1, 1)
        assert await Yours.acount() == 3
