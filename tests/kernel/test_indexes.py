"""Secondary indexes as a model declares them: what is checked, which key a row has, what a query says of it."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest

from mixstore import (
    ALL,
    GSI,
    INCLUDE,
    KEYS_ONLY,
    Capability,
    ConfigurationError,
    Field,
    Key,
    Model,
    QueryBuilder,
    QueryError,
    SchemaError,
    ValidationError,
    gsi_partition_key,
    gsi_sort_key,
    schema_of,
)
from mixstore_backends.memory import InMemoryBackend
from mixstore_extensions import Compressed, Encrypted
from tests.extensions.sealing import RING

NOON = datetime(2026, 1, 2, 12, tzinfo=timezone.utc)


class Ticket(Model):
    class Meta:
        indexes = [
            GSI("by_tenant", partition="TENANT#{tenant}", sort="{created_at}"),
            GSI("by_owner", partition="{owner}", projection=KEYS_ONLY),
            GSI("by_rank", partition="ALL", sort="{rank:04d}#{id}", projection=INCLUDE("title")),
        ]

    id: str = Field(primary_key=True)
    tenant: str
    created_at: datetime = NOON
    owner: str | None = None
    rank: int = 0
    title: str = ""

    @gsi_partition_key("by_word")
    def first_word(self) -> str | None:
        return self.title.split(" ")[0] or None

    @gsi_sort_key("by_word")
    def size(self) -> int:
        return len(self.title)


def model_with(*indexes: Any, **members: Any) -> Any:
    """A model with these indexes, compiled."""
    model = made("Made", (Model,), {"indexes": list(indexes)}, members)
    schema_of(model)
    return model


def made(name: str, bases: tuple[type, ...], meta: dict[str, Any], members: dict[str, Any]) -> Any:
    """A class statement, with parts that vary."""
    place = {"__module__": __name__, "__qualname__": f"{name}.Meta"}
    names = {"id": str, "n": int, "tag": str | None, "body": str, "words": list[str]}
    fields = {"id": Field(primary_key=True), "n": 0, "tag": None, "body": "", "words": [], **members}
    space = {
        "__module__": __name__,
        "__qualname__": name,
        "__annotations__": names,
        "Meta": type("Meta", (), {**place, **meta}),
    }
    return type(Model)(name, bases, {**space, **fields})


def fixed(self: Any) -> str:
    return "x"


# -- what is declared --------------------------------------------------------------------------------------------------


def test_indexes_are_listed_by_name_those_of_meta_first():
    assert list(schema_of(Ticket).indexes) == ["by_tenant", "by_owner", "by_rank", "by_word"]


def test_an_index_tells_its_templates_and_fields():
    spec = schema_of(Ticket).indexes["by_rank"]
    assert (spec.partition.source, spec.sort.source) == ("ALL", "{rank:04d}#{id}")
    assert (spec.fields, spec.has_sort) == (("rank", "id"), True)


def test_an_index_of_methods_has_no_templates():
    spec = schema_of(Ticket).indexes["by_word"]
    assert (spec.partition, spec.sort, spec.shape, spec.fields, spec.has_sort) == (None, None, None, (), True)


def test_a_projection_always_holds_the_keys():
    indexes = schema_of(Ticket).indexes
    assert indexes["by_tenant"].projected is None
    assert indexes["by_owner"].projected == {"id", "owner"}
    assert indexes["by_rank"].projected == {"id", "rank", "title"}


def test_an_index_covers_what_it_holds():
    indexes = schema_of(Ticket).indexes
    assert indexes["by_tenant"].covers(None)
    assert indexes["by_rank"].covers(["title", "id"])
    assert not indexes["by_rank"].covers(["title", "owner"])
    assert not indexes["by_rank"].covers(None)


def test_indexes_are_inherited_and_the_nearer_meta_replaces_them():
    class Base(Model):
        class Meta:
            abstract = True
            indexes = (GSI("by_n", partition="{n}"),)

        id: str = Field(primary_key=True)
        n: int = 0

        @gsi_partition_key("by_m")
        def m(self) -> str:
            return f"M{self.n}"

    class Same(Base):
        pass

    class Other(Base):
        class Meta:
            indexes = [GSI("by_id", partition="{id}")]

        def m(self) -> str:
            return f"O{self.n}"

    assert list(schema_of(Same).indexes) == ["by_n", "by_m"]
    assert list(schema_of(Other).indexes) == ["by_id", "by_m"]
    assert schema_of(Other).indexes["by_m"].key_from({"id": "1", "n": 2}) == ("O2",)


def test_an_index_and_a_projection_show_how_they_were_written():
    index = GSI("by_n", partition="N#{n:03d}", sort="{id}", projection=INCLUDE("a", "b", "a"))
    assert repr(index) == "GSI('by_n', partition='N#{n:03d}', sort='{id}', projection=INCLUDE('a', 'b'))"
    assert (repr(ALL), repr(KEYS_ONLY)) == ("ALL", "KEYS_ONLY")


# -- mistakes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("declare", "told"),
    [
        (lambda: GSI("", partition="{n}"), "'' can't be the name of an index"),
        (lambda: GSI("by n", partition="{n}"), "'by n' can't be the name of an index"),
        (lambda: GSI("x", partition="{n"), "is no key template"),
        (lambda: GSI("x", partition="{n}{id}"), "run into each other"),
        (lambda: GSI("x", partition="ALL"), "uses no field"),
        (lambda: GSI("x", partition="{n}", projection="ALL"), "a projection is ALL, KEYS_ONLY or INCLUDE"),
        (lambda: INCLUDE(), "INCLUDE.. takes the names of fields"),
        (lambda: INCLUDE(1), "INCLUDE.. takes the names of fields"),
        (lambda: gsi_partition_key(lambda self: "x"), "takes the name of an index"),
        (lambda: gsi_sort_key("a b"), "can't be the name of an index"),
        (lambda: gsi_sort_key("x")(property(lambda self: "x")), r"@gsi_sort_key\('x'\) marks a plain instance method"),
        (lambda: gsi_sort_key("x")(lambda self, other: "x"), "must take `self` and nothing else"),
    ],
)
def test_a_declaration_that_can_not_be_is_refused_where_it_is_written(declare, told):
    with pytest.raises(SchemaError, match=told):
        declare()


def test_an_async_method_can_not_make_the_key_of_an_index():
    async def later(self: Any) -> str:
        return "x"

    with pytest.raises(SchemaError, match="is async, but a key is computed"):
        gsi_partition_key("x")(later)


@pytest.mark.parametrize(
    ("indexes", "told"),
    [
        (("by_n",), "Made.Meta.indexes holds GSI"),
        ((GSI("a", partition="{n}"), GSI("a", partition="{id}")), "names two indexes 'a'"),
        ((GSI("a", partition="{n}"), GSI("A", partition="{id}")), "names two indexes 'A' .there is 'a'"),
        ((GSI("a", partition="{nn}"),), "a: '{nn}' names no field: 'nn'\\s.*'n'"),
        ((GSI("a", partition="{n}", sort="{tga}"),), "names no field: 'tga'\\s.*'tag'"),
        ((GSI("a", partition="{words}"),), "'words' can't be part of a key: it is a list"),
        ((GSI("a", partition="{n:%Y}"),), "the format '%Y' does not fit 'n'"),
        ((GSI("a", partition="{n}", projection=INCLUDE("tags")),), "INCLUDE names no field: 'tags'\\s.*'tag'"),
    ],
)
def test_an_index_that_does_not_fit_the_model_is_refused(indexes, told):
    with pytest.raises(SchemaError, match=told):
        model_with(*indexes)


def test_indexes_are_a_list_or_a_tuple():
    with pytest.raises(SchemaError, match=r"Meta.indexes must be list or tuple, not GSI"):

        class Wrong(Model):
            class Meta:
                indexes = GSI("a", partition="{id}")

            id: str = Field(primary_key=True)


def test_an_index_is_of_templates_or_of_methods_and_not_of_both():
    with pytest.raises(SchemaError, match="the index 'A' is declared twice"):
        model_with(GSI("a", partition="{n}"), method=gsi_partition_key("A")(fixed))


def test_a_sort_method_needs_a_partition_method():
    with pytest.raises(SchemaError, match=r"@gsi_sort_key\('a'\), but no @gsi_partition_key\('a'\)"):
        model_with(method=gsi_sort_key("a")(fixed))


def test_two_methods_of_one_class_can_not_make_one_key():
    def first(self: Any) -> str:
        return "x"

    def second(self: Any) -> str:
        return "x"

    with pytest.raises(SchemaError, match="marks two methods for one key of the index 'a': first, second"):
        model_with(first=gsi_partition_key("a")(first), second=gsi_partition_key("a")(second))


def test_one_method_may_make_keys_of_several_indexes():
    def both(self: Any) -> str:
        return self.id

    model = model_with(both=gsi_partition_key("a")(gsi_partition_key("b")(gsi_sort_key("b")(both))))
    indexes = schema_of(model).indexes
    assert indexes["a"].key_from({"id": "1"}) == ("1",)
    assert indexes["b"].key_from({"id": "1"}) == ("1", "1")


@pytest.mark.parametrize(
    ("mixin", "option"), [(Encrypted, {"encrypted": True}), (Compressed, {"compressed": True})], ids=["enc", "comp"]
)
def test_a_field_whose_stored_value_is_replaced_can_not_be_part_of_an_index(store, mixin, option):
    keys = {"encryption": RING} if mixin is Encrypted else {}
    meta = {"indexes": [GSI("by_body", partition="B#{body}")], **keys}
    sealed = made("Sealed", (mixin, Model), meta, {"body": Field("", **option)})
    with pytest.raises(ConfigurationError, match=r"Sealed.body is part of the index 'by_body', and \w+"):
        store.bound(sealed)


# -- the key of a row --------------------------------------------------------------------------------------------------


def test_a_row_has_a_key_in_each_index_that_it_is_in():
    row = Ticket(id="1", tenant="a#b", rank=7, title="leaking tap")
    assert InMemoryBackend().adapter.get_index_keys(row) == {
        "by_tenant": {"gsi_pk": "TENANT#a%23b", "gsi_sk": "2026-01-02T12:00:00.000000Z"},
        "by_rank": {"gsi_pk": "ALL", "gsi_sk": "0007#1"},
        "by_word": {"gsi_pk": "leaking", "gsi_sk": "11"},
    }


def test_a_row_with_a_part_missing_is_not_in_the_index():
    indexes = schema_of(Ticket).indexes
    assert indexes["by_owner"].key_from({"owner": None}) is None
    assert indexes["by_tenant"].key_from({"tenant": "a"}) is None
    assert indexes["by_word"].key_from({"id": "1"}) is None
    assert indexes["by_owner"].key_from({"owner": "ann"}) == ("ann",)


def test_a_value_that_an_index_can_not_hold_is_refused_when_it_is_stored(store):
    with pytest.raises(ValidationError, match="Ticket, index by_rank: rank can't be part of the key") as caught:
        Ticket.create(id="1", tenant="a", rank=12345)
    assert caught.value.field == "rank"
    assert Ticket.count() == 0
    row = Ticket.create(id="1", tenant="a")
    with pytest.raises(ValidationError, match="index by_rank"):
        row.update(rank=-1)
    row.rank = 10_000
    with pytest.raises(ValidationError, match="index by_rank"):
        row.save()
    assert Ticket.get("1").rank == 0


def test_a_method_that_fails_is_told_when_the_row_is_stored(store):
    def broken(self: Any) -> str:
        return 1 / self.n  # type: ignore[return-value]

    model = model_with(broken=gsi_partition_key("a")(broken))
    model.create(id="1", n=1)
    with pytest.raises(ValidationError, match=r"Made\.broken raised ZeroDivisionError"):
        model.create(id="2", n=0)


# -- using -------------------------------------------------------------------------------------------------------------


def test_using_keeps_the_index_in_the_query():
    assert Ticket.where(tenant="a").using("by_tenant").query.index == "by_tenant"
    assert Ticket.where().using("by_tenant").using(None).query.index is None


def test_using_an_unknown_index_names_the_nearest():
    with pytest.raises(QueryError, match=r"Ticket has no index 'by_tenent'\s.*by_tenant"):
        Ticket.where().using("by_tenent")
    with pytest.raises(QueryError, match=r"has no index 'x'\s.*Meta.indexes"):
        model_with().where().using("x")


def test_a_query_by_an_index_is_no_condition_of_another():
    with pytest.raises(QueryError, match="this one has index as well"):
        Ticket.where().filter(Ticket.where(tenant="a").using("by_tenant"))


def test_a_backend_without_indexes_lists_them_as_inactive_and_answers_all_the_same(fresh):
    class Bare(InMemoryBackend):
        capabilities = InMemoryBackend.capabilities & ~Capability.SECONDARY_INDEXES

    fresh.connect_as("default", Bare())
    Ticket.create(id="1", tenant="a")
    Ticket.create(id="2", tenant="a", owner="ann")
    assert [(one.name, one.state) for one in Ticket.extensions()] == [("indexes", "inactive")]
    assert [one.id for one in Ticket.where().using("by_owner").all()] == ["2"]


def test_rows_at_hand_are_asked_by_an_index_too():
    rows = [{"id": "1", "tenant": "a"}, {"id": "2", "tenant": "a", "owner": "ann", "title": "leaking tap"}]
    assert [one.id for one in QueryBuilder.over(Ticket, rows).using("by_owner")] == ["2"]
    assert [one.id for one in QueryBuilder.over(Ticket, rows).using("by_word")] == ["2"]
    assert QueryBuilder.over(Ticket, rows).using("by_word").count() == 1


def test_a_template_of_the_primary_key_has_a_shape_too():
    class Todo(Model):
        class Meta:
            key = Key(partition="USER#{user}", sort="TODO#{n:03d}")

        user: str
        n: int

    conditions = schema_of(Todo).key_shape.conditions([])
    assert conditions == ()
    assert schema_of(Ticket).key_shape is None
