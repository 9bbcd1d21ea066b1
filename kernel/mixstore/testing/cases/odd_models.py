"""Models of unusual shape or name: what a store makes of names is its own affair, and must not show."""

from __future__ import annotations

import sys
from typing import Any, Generic, TypeVar

import pytest
from pydantic import BaseModel, PrivateAttr, computed_field

import mixstore
from mixstore import (
    Backend,
    Capability,
    ConfigurationError,
    DuplicateKeyError,
    Field,
    Model,
    Q,
    SchemaError,
    ValidationError,
)
from mixstore.testing.conformance import Conformance
from mixstore.testing.kinds import MODELS
from mixstore.testing.models import Person
from mixstore.testing.support import Use, ids, refusal, same
from mixstore.testing.tags import full_text, unique

T = TypeVar("T")


class OnlyKey(Model):
    """Nothing but a key."""

    id: str = Field(primary_key=True)


class OnlyKeys(Model):
    """Nothing but a key of two fields."""

    left: int = Field(primary_key=True)
    right: int = Field(primary_key=True)


class Words(Model):
    """Fields that are words of query languages, or letters of other alphabets."""

    rowid: int = Field(primary_key=True)
    oid: int | None = Field(None, index=True)
    order: str = Field("", index=True)
    group: str | None = Field(None, index=True)
    select: str = Field("", searchable=True)
    key: dict[str, Any] = {}
    values: list[int] = []
    rank: int = 0
    größe: float = 0.0
    where_: bool = False
    a__b: int = 0
    end: int = 0


class Taken(Model):
    """Unique fields that are words of query languages."""

    rowid: int = Field(primary_key=True)
    group: str | None = Field(None, unique=True)
    order: int | None = Field(None, unique=True)


class Cases(Model):
    """Fields that differ in case only."""

    id: str = Field(primary_key=True)
    name: str = ""
    Name: str = ""
    NAME: int = Field(0, index=True)


class Upper(Model):
    """An entity whose name differs from another's in case only."""

    class Meta:
        """One of two."""

        entity = "Thing_x"

    id: str = Field(primary_key=True)
    n: int = Field(0, index=True)


class Lower(Model):
    """The other, with other fields."""

    class Meta:
        """Two of two."""

        entity = "thing_X"

    id: str = Field(primary_key=True)
    text: str = Field("", index=True)


class Base(Model):
    """A model with a child."""

    id: str = Field(primary_key=True)
    n: int = 0


class Child(Base):
    """A model of its own."""

    extra: str = ""


class Box(Model, Generic[T]):
    """A generic model."""

    id: str = Field(primary_key=True)
    content: T


class PersonBox(Box[list[int]]):
    """A concrete one."""


class Rich(Model):
    """Private attributes, computed fields, a nested model that allows extras."""

    class Loose(BaseModel):
        """Takes what comes."""

        model_config = {"extra": "allow"}
        n: int = 0

    id: str = Field(primary_key=True)
    loose: Loose = Loose()
    _cache: list[int] = PrivateAttr(default_factory=lambda: [1])

    @computed_field  # type: ignore[prop-decorator]
    @property
    def double(self) -> str:
        """Not stored."""
        return self.id * 2


def ids_of(rows: Any) -> list[int]:
    """The row ids."""
    return [row.rowid for row in rows]


class OddModelCases(Conformance):
    """Models of unusual shape or name: what a store makes of names is its own affair, and must not show."""

    def test_a_model_of_nothing_but_its_key_lives_like_others(self, use: Use) -> None:
        use(OnlyKey)
        row = OnlyKey.create(id="a")
        assert OnlyKey.upsert(id="a") == row.save() == OnlyKey.get("a") == row.refresh()
        assert OnlyKey.batch_upsert([{"id": "a"}, {"id": "b"}]) == OnlyKey.where().order_by("id").all()
        assert OnlyKey.where(id="a").update() == 1
        assert row.update() is row
        assert OnlyKey.where().select().order_by("-id").all() == [{"id": "b"}, {"id": "a"}]
        assert [row.delete(), row.delete()] == [True, False]

    def test_a_model_of_nothing_but_a_key_of_two_fields_does_too(self, use: Use) -> None:
        use(OnlyKeys)
        row = OnlyKeys.create(left=1, right=2)
        assert OnlyKeys.upsert(left=1, right=2) == row.save() == OnlyKeys.get((1, 2))
        OnlyKeys.batch_upsert([{"left": 1, "right": n} for n in (10, 2, 1)])
        assert [one.right for one in OnlyKeys.where(left=1)] == [1, 2, 10]
        assert OnlyKeys.where(right__gt=1).delete() == 2

    def test_fields_may_have_any_name(self, use: Use) -> None:
        use(Words)
        made = Words.create(
            rowid=5,
            oid=7,
            order="desc",
            group="by",
            select="all from",
            key={"key": 1},
            values=[1],
            rank=3,
            größe=1.5,
            a__b=4,
        )
        assert Words.get(5) == made
        assert Words.where(group="by").one() == made
        for filters in (
            {"rowid": 5}, {"rowid__gte": 5}, {"oid": 7}, {"order": "desc"}, {"group__in": ["by"]}, {"key__key": 1},
            {"values__contains": 1}, {"rank__between": (1, 3)}, {"größe__gt": 1}, {"where_": False}, {"a__b": 4},
            {"a__b__lt": 5}, {"end": 0},
        ):  # fmt: skip
            assert Words.where(**filters).one() == made
        assert ids_of(Words.where().order_by("-rank", "order", "größe", "a__b")) == [5]
        made.update(oid=None, order="asc", rank=-1, group=None)
        assert Words.get(5) == made
        assert Words.where(rank__lt=0).update(end=9) == 1
        assert Words.where(end=9).select("rowid", "end").all() == [{"rowid": 5, "end": 9}]
        Words.create(rowid=-1, group="by")
        page = Words.where().limit(1).paginate()
        assert ids_of(page) + ids_of(Words.where().cursor(page.cursor)) == [-1, 5]
        assert Words.where().delete() == 2

    @full_text
    def test_searchable_fields_may_have_any_name(self, use: Use) -> None:
        use(Words)
        made = Words.create(rowid=5, select="all from")
        assert Words.search("from").one() == made

    @unique
    def test_unique_fields_may_have_any_name(self, use: Use) -> None:
        use(Taken)
        made = Taken.create(rowid=5, group="by", order=1)
        assert Taken.get(group="by") == Taken.get(order=1) == made
        with pytest.raises(DuplicateKeyError) as caught:
            Taken.create(rowid=6, group="by")
        assert caught.value.field == "group"

    def test_fields_that_differ_in_case_are_different_or_refused(self, use: Use) -> None:
        error = refusal(lambda: use(Cases))
        if error is not None:
            assert isinstance(error, SchemaError)
            assert "name" in str(error).lower()
            return
        made = Cases.create(id="a", name="x", Name="y", NAME=3)
        assert Cases.get("a") == made
        assert (Cases.count(name="x", Name="y"), Cases.count(NAME=3), Cases.count(Name="x")) == (1, 1, 0)

    def test_entities_that_differ_in_case_are_different_or_refused(self, use: Use) -> None:
        error = refusal(lambda: use(Upper, Lower))
        if error is not None:
            assert isinstance(error, ConfigurationError)
            assert "thing_x" in str(error).lower()
            return
        Upper.create(id="a", n=1)
        Lower.create(id="a", text="x")
        assert (Upper.get("a").n, Lower.get("a").text) == (1, "x")
        Upper.get("a").delete()
        assert (Upper.count(), Lower.count(text="x")) == (0, 1)

    @pytest.mark.parametrize(
        "name", ["sqlite_master", "a b", 'q"uote', "semi;colon", "é", "select", "x" * 200, "%", "a.b", "0"]
    )
    def test_entities_may_have_any_name_or_are_refused_by_it(self, use: Use, backend: Backend, name: str) -> None:
        class Named(Model):
            """Called like nothing in particular."""

            class Meta:
                """The name."""

                entity = name

            id: str = Field(primary_key=True)
            n: int = Field(0, index=True)
            t: str = Field("", searchable=True)

        error = refusal(lambda: use(Named))
        if error is not None:
            assert isinstance(error, SchemaError)
            assert name in str(error)
            return
        Named.create(id="a", n=5, t="word")
        assert ids(Named.where(n=5).all()) == ["a"]
        if Capability.FULL_TEXT in backend.capabilities:
            assert ids(Named.search("word").all()) == ["a"]

    def test_a_child_is_an_entity_of_its_own(self, use: Use) -> None:
        use(Base, Child)
        Base.create(id="a", n=1)
        Child.create(id="a", n=2, extra="x")
        assert (Base.get("a").n, Child.get("a").n) == (1, 2)
        assert Base.count() == Child.count() == 1
        assert type(Base.all()[0]) is Base
        assert Base.where().delete() == 1
        assert Child.count() == 1

    def test_a_generic_model_is_used_once_it_is_named(self, use: Use) -> None:
        use(PersonBox)
        PersonBox.create(id="a", content=[1, 2])
        assert PersonBox.where(content__contains=2).one().content == [1, 2]

    def test_private_attributes_computed_fields_and_extras_of_nested_models(self, use: Use) -> None:
        use(Rich)
        made = Rich.create(id="ab", loose={"n": 1, "more": [1, {"deep": None}]})
        found = Rich.get("ab")
        assert found == made
        assert found._cache == [1]
        assert found.double == "abab"
        assert found.loose.model_extra == {"more": [1, {"deep": None}]}
        found._cache.append(2)
        assert Rich.get("ab")._cache == [1]
        assert set(Rich.where().select().one()) == {"id", "loose"}

    def test_one_model_on_two_backends_keeps_them_apart(self, use: Use, backend: Backend) -> None:
        use(Person)
        mine = Person.create(id="a", age=1)
        other: Any
        with mixstore.connect("memory://") as other:
            other.create(Person, {"id": "a", "age": 2})
            theirs = other.query(Person).one()
            theirs.update(age=3)
            mine.update(age=4)
            assert (Person.get("a").age, other.get(Person, id="a")["age"]) == (4, 3)
            assert theirs.delete() is True
            assert (Person.count(), other.count(Person)) == (1, 0)

    @pytest.mark.parametrize(
        ("kind", "value"),
        [
            ("str", "\ud800"),
            ("any", "\ud800"),
            ("any", {"a\udfff": 1}),
            ("dict", {"\ud800": 1}),
            ("list_of_unions", ["\ud800"]),
        ],
    )
    def test_a_lone_surrogate_is_held_exactly_or_refused_by_the_fields_name(
        self, use: Use, kind: str, value: Any
    ) -> None:
        model = use(MODELS[kind])
        for write in (lambda: model.create(id=1, value=value), lambda: model.batch_upsert([{"id": 1, "value": value}])):
            error = refusal(write)
            assert same(model.get(1).value, value) if error is None else "value" in str(error)
            assert model.where().delete() == (error is None)

    def test_a_lone_surrogate_is_the_key_of_no_row(self, use: Use) -> None:
        use(Person)
        Person.create(id="a")
        assert Person.get("\ud800") is None
        assert Person.batch_get(["\ud800", "a"])[0] is None

    @pytest.mark.parametrize("depth", [50, 500, 3000])
    def test_deeply_nested_values_are_held_or_refused_by_name(self, use: Use, depth: int) -> None:
        model = use(MODELS["any"])
        value: Any = "bottom"
        for level in range(depth):
            value = [value] if level % 2 else {"k": value}
        limit = sys.getrecursionlimit()
        error = refusal(lambda: model.create(id=1, value=value))
        assert sys.getrecursionlimit() == limit
        if error is None:
            assert repr(model.get(1).value) == repr(value)
            assert model.where(value__k=None).count() in (0, 1)
        else:
            assert depth > 50
            assert isinstance(error, ValidationError)
            assert error.field == "value"
            assert model.count() == 0

    def test_a_question_asked_with_a_set_is_the_same_in_every_order(self, use: Use) -> None:
        model = use(MODELS["int"])
        model.batch_create([{"id": n, "value": n % 2} for n in range(4)])
        left, right = set(range(0, 17, 8)), set(range(16, -1, -8))
        assert list(left) != list(right)
        cursor = model.where(value__in=left).limit(1).paginate().cursor
        assert ids(model.where(value__in=right).cursor(cursor).all()) == [2]
        sets = use(MODELS["set"])
        sets.batch_create([{"id": n, "value": left} for n in range(3)])
        cursor = sets.where(value=left).limit(1).paginate().cursor
        assert ids(sets.where(value=right).cursor(cursor).all()) == [1, 2]

    def test_columns_may_be_asked_for_twice(self, use: Use) -> None:
        use(Person)
        Person.batch_create([{"id": "a", "age": 1}, {"id": "b", "age": 1}])
        assert Person.where().order_by("age", "id", "-id", "-age").select("id", "id").all() == [
            {"id": "a"},
            {"id": "b"},
        ]
        assert ids(Person.where(Q(id="a") | Q(id="a") | Q(id__in=["a", "a"])).all()) == ["a"]
        page = Person.where().order_by("-id", "id", "age").limit(1).paginate()
        assert ids(Person.where().order_by("-id", "id", "age").cursor(page.cursor).all()) == ["a"]

    def test_limits_and_offsets_of_any_size(self, use: Use) -> None:
        use(Person)
        Person.batch_create([{"id": "a"}, {"id": "b"}])
        ordered = Person.where().order_by("id")
        assert ids(ordered.limit(2**70).all()) == ["a", "b"]
        assert ordered.offset(2**70).all() == []
        assert ordered.limit(2**70).offset(2**70).count() == 0
        assert ordered.limit(2**70).count() == 2
        assert ids(ordered.limit(2**63).offset(1).all()) == ["b"]
