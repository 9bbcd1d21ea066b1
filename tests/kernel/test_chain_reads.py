"""What extensions do to reads: replaced values, changed queries, rows that are dead or veiled, changed values."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from mixstore import (
    NOW,
    BackendExtension,
    ConfigurationError,
    Deferred,
    DuplicateKeyError,
    Field,
    Mixin,
    Model,
    NotFoundError,
    Q,
    QueryBuilder,
    QueryError,
    WriteChange,
    query_method,
)

pytestmark = pytest.mark.usefixtures("store")


# -- opaque


def opaque(treatment: str) -> type[Mixin]:
    """A mixin that stores `body` back to front."""

    class Reversed(Mixin):
        class Anywhere(BackendExtension):
            name = f"reversed_{treatment}"

            def opaque(self, model_class):
                return {"body": treatment}

            def serialize(self, data):
                return {**data, "body": data["body"] and data["body"][::-1]}

            deserialize = serialize

    return Reversed


class Open(opaque("residual"), Model):
    id: str = Field(primary_key=True)
    body: str | None = None
    size: int = 0


class Closed(opaque("refuse"), Model):
    id: str = Field(primary_key=True)
    body: str | None = None
    size: int = 0


def test_an_opaque_field_is_stored_replaced_and_read_as_it_was(store):
    row = Open.create(id="a", body="abc")
    bound = store.bound(Open)
    (stored,) = store.execute(bound.engine.compile_get(bound, (("a",),)))
    assert (row.body, stored["body"], Open.get("a").body) == ("abc", "cba", "abc")


def test_an_unchanged_opaque_field_is_not_written_again():
    first = Open.create(id="a", body="abc")
    second = Open.get("a")
    second.update(body="xyz")
    first.size = 3
    first.save()
    assert (Open.get("a").body, Open.get("a").size) == ("xyz", 3)


def test_filters_on_a_residual_field_see_the_real_values():
    Open.batch_create([{"id": str(n), "body": "ab" * n, "size": n} for n in range(6)])
    query = Open.where(body__startswith="a", size__lt=5)
    assert [row.id for row in query.order_by("id").all()] == ["1", "2", "3", "4"]
    assert query.count() == 4
    assert [row.id for row in query.order_by("-id").offset(1).limit(2).all()] == ["3", "2"]
    assert (query.limit(3).count(), query.offset(3).count(), query.exists()) == (3, 1, True)
    assert [row.id for row in Open.where(Q(body="abab") | Q(size=5)).order_by("id").all()] == ["2", "5"]
    assert [row.id for row in Open.where(body=None).all()] == []


def test_pages_of_a_residual_filter_are_exact():
    Open.batch_create([{"id": f"{n:02}", "body": "x" if n % 3 else "y"} for n in range(20)])
    query, seen = Open.where(body="x").limit(4), []
    cursor = None
    while True:
        page = query.cursor(cursor).paginate()
        seen += [row.id for row in page]
        cursor = page.cursor
        if cursor is None:
            break
    assert seen == [f"{n:02}" for n in range(20) if n % 3]


def test_writes_by_query_see_the_real_values_of_a_residual_field():
    Open.batch_create([{"id": "a", "body": "abc"}, {"id": "b", "body": "cba"}])
    assert Open.where(body="abc").update(size=7) == 1
    assert Open.where(body="cba").delete() == 1
    assert [(row.id, row.size) for row in Open.all()] == [("a", 7)]


def test_a_query_on_a_residual_field_explains_what_mixstore_filters():
    told = Open.where(body="abc", size=3).limit(5).explain()
    assert "body" in told.residual
    assert "body" not in told.pushed
    assert "size" in told.pushed


@pytest.mark.parametrize(
    "query",
    [
        lambda: Closed.where(body="x"),
        lambda: Closed.where(Q(body="x") | Q(size=1)),
        lambda: Closed.where(~Q(body="x")),
        lambda: Closed.where(body__isnull=True),
    ],
)
@pytest.mark.parametrize(
    "end",
    [QueryBuilder.all, QueryBuilder.count, QueryBuilder.exists, QueryBuilder.paginate, QueryBuilder.delete, list],
)
def test_a_field_that_refuses_can_not_be_filtered_by(query, end):
    with pytest.raises(QueryError, match=r"Closed\.body is stored opaque"):
        end(query())


@pytest.mark.parametrize("model", [Open, Closed])
def test_an_opaque_field_can_not_be_ordered_by(model):
    for end in (QueryBuilder.all, QueryBuilder.first, QueryBuilder.paginate, list):
        with pytest.raises(QueryError, match=rf"{model.__name__}\.body is stored opaque and can't be ordered by"):
            end(model.where().order_by("body"))


def test_a_unique_field_can_not_be_opaque():
    class Thing(opaque("refuse"), Model):
        id: str = Field(primary_key=True)
        body: str | None = Field(None, unique=True)

    with pytest.raises(ConfigurationError, match=r"Thing\.body is a key or unique"):
        Thing.count()


def test_refuse_beats_residual_when_two_extensions_replace_a_field():
    class Thing(opaque("refuse"), opaque("residual"), Model):
        id: str = Field(primary_key=True)
        body: str | None = None

    Thing.create(id="a", body="abc")
    assert Thing.get("a").body == "abc"
    with pytest.raises(QueryError, match="opaque"):
        Thing.where(body="abc").all()


# -- changed queries


here = {"tenant": "x"}


class Tenanted(Mixin):
    tenant: str = ""

    class Anywhere(BackendExtension):
        def before_write(self, context):
            return WriteChange({"tenant": here["tenant"]}) if context.operation == "create" else None

        def modify_query(self, query):
            current = Deferred("tenant", lambda environment: here["tenant"])
            return query.replace(where=query.where & Q(tenant=current))


class Invoice(Tenanted, Model):
    id: str = Field(primary_key=True)
    n: int = 0


@pytest.fixture
def tenants(store):
    here["tenant"] = "y"
    Invoice.batch_create([{"id": "y1"}, {"id": "y2"}])
    here["tenant"] = "x"
    Invoice.batch_create([{"id": "x1"}, {"id": "x2"}])


@pytest.mark.usefixtures("tenants")
def test_a_changed_query_is_what_every_read_sees():
    assert sorted(one.id for one in Invoice.all()) == ["x1", "x2"]
    assert (Invoice.count(), Invoice.exists(id="y1"), Invoice.get("y1")) == (2, False, None)
    assert [one and one.id for one in Invoice.batch_get(["y1", "x1"])] == [None, "x1"]
    assert [one.id for one in Invoice.where(id__in=["y1", "x2"])] == ["x2"]
    assert [one.id for one in Invoice.where().limit(10).paginate()] == ["x1", "x2"]


@pytest.mark.usefixtures("tenants")
def test_what_varies_is_resolved_once_per_execution():
    query = Invoice.where()
    assert query.count() == 2
    here["tenant"] = "y"
    assert sorted(one.id for one in query.all()) == ["y1", "y2"]
    assert Invoice.get("y1").id == "y1"
    assert Invoice.get("x1") is None


@pytest.mark.usefixtures("tenants")
def test_writes_by_query_pass_through_a_changed_query():
    assert Invoice.where().update(n=5) == 2
    assert Invoice.where(id="y1").delete() == 0
    here["tenant"] = "y"
    assert [one.n for one in Invoice.all()] == [0, 0]


@pytest.mark.usefixtures("tenants")
def test_a_filter_of_the_user_cannot_widen_a_changed_query():
    assert Invoice.where(tenant="y").all() == []
    assert len(Invoice.where(id="x1").or_(tenant="y").all()) == 1
    assert len(Invoice.where(id="x1").not_().all()) == 1


# -- dead and veiled


class Mortal(Mixin):
    dies: Any = None

    class Anywhere(BackendExtension):
        reveals = "include_dead"

        def dead(self, now):
            return Q(dies__lte=now)

    @query_method
    def include_dead(query: QueryBuilder[Any]) -> QueryBuilder[Any]:
        return query.option(include_dead=True)


class Hidden(Mixin):
    hidden: bool = False

    class Anywhere(BackendExtension):
        reveals = "include_hidden"

        def veiled(self):
            return Q(hidden=True)

    @query_method
    def include_hidden(query: QueryBuilder[Any]) -> QueryBuilder[Any]:
        return query.option(include_hidden=True)


class Fly(Mortal, Hidden, Model):
    id: str = Field(primary_key=True)
    dies: datetime | None = None
    name: str | None = Field(None, unique=True)
    n: int = 0


@pytest.fixture
def flies(store):
    now = store.clock.now
    for name, dies, hidden in (("alive", 1, False), ("dead", 0, False), ("hidden", 1, True), ("both", 0, True)):
        store.clock.now = now - timedelta(days=1)
        Fly.create(id=name, name=name, dies=now + timedelta(hours=dies), hidden=hidden)
    store.clock.now = now
    return store


@pytest.mark.usefixtures("flies")
def test_dead_and_veiled_rows_are_invisible_to_every_read():
    assert [fly.id for fly in Fly.all()] == ["alive"]
    assert [fly.id for fly in Fly.where().limit(1).all()] == ["alive"]
    assert (Fly.count(), Fly.exists(id="dead"), Fly.where().offset(1).count()) == (1, False, 0)
    assert [Fly.get(key) and key for key in ("alive", "dead", "hidden", "both")] == ["alive", None, None, None]
    assert [fly and fly.id for fly in Fly.batch_get(["dead", "alive", "hidden"])] == [None, "alive", None]
    assert [Fly.get(name=name) and name for name in ("alive", "dead", "hidden")] == ["alive", None, None]
    assert [fly.id for fly in Fly.where(Q(id="dead") | Q(id="alive"))] == ["alive"]
    assert Fly.where(id="alive").not_().all() == []


@pytest.mark.usefixtures("flies")
def test_each_extension_is_revealed_by_its_own_option():
    assert sorted(fly.id for fly in Fly.include_dead().all()) == ["alive", "dead"]
    assert sorted(fly.id for fly in Fly.include_hidden().all()) == ["alive", "hidden"]
    assert Fly.include_dead().include_hidden().count() == 4


def test_a_row_dies_for_an_instance_that_is_held(flies):
    fly = Fly.get("alive")
    flies.clock.advance(hours=2)
    with pytest.raises(NotFoundError):
        fly.update(n=1)
    with pytest.raises(NotFoundError):
        fly.save()
    with pytest.raises(NotFoundError):
        fly.refresh()
    assert fly.delete() is False


@pytest.mark.usefixtures("flies")
def test_the_key_and_unique_values_of_a_dead_row_are_free():
    assert Fly.create(id="dead").n == 0
    assert Fly.create(id="new", name="dead").name == "dead"
    assert Fly.upsert(id="both", n=3).n == 3
    assert sorted(fly.id for fly in Fly.all()) == ["alive", "both", "dead", "new"]


@pytest.mark.usefixtures("flies")
def test_a_unique_value_may_be_taken_from_a_dead_row_by_an_update():
    Fly.get("alive").update(name="dead")
    assert Fly.get(name="dead").id == "alive"


@pytest.mark.usefixtures("flies")
def test_the_key_and_unique_values_of_a_hidden_row_are_taken():
    for write in (Fly.create, Fly.upsert):
        with pytest.raises(DuplicateKeyError):
            write(id="hidden")
    with pytest.raises(DuplicateKeyError, match="name"):
        Fly.create(id="new", name="hidden")


@pytest.mark.usefixtures("flies")
def test_writes_by_query_leave_invisible_rows_alone():
    assert Fly.where().update(n=5) == 1
    assert Fly.where().delete() == 1
    assert sorted((fly.id, fly.n) for fly in Fly.include_dead().include_hidden()) == [
        ("both", 0),
        ("dead", 0),
        ("hidden", 0),
    ]


@pytest.mark.usefixtures("flies")
def test_revealed_rows_can_be_written_by_query():
    assert Fly.include_dead().include_hidden().update(n=5) == 4
    assert Fly.include_dead().filter(dies__lte=NOW).delete() == 1
    assert Fly.include_dead().include_hidden().count() == 3


def test_a_cursor_does_not_show_what_died_meanwhile(flies):
    Fly.batch_create([{"id": f"n{n}", "dies": flies.clock.now + timedelta(minutes=n)} for n in range(5)])
    page = Fly.where(id__startswith="n").limit(1).paginate()
    flies.clock.advance(minutes=2.5)
    rest = Fly.where(id__startswith="n").limit(5).cursor(page.cursor).paginate()
    assert [fly.id for fly in rest] == ["n3", "n4"]


def test_one_query_has_one_now(flies):
    class Moody(Mixin):
        class Anywhere(BackendExtension):
            def after_read(self, context, values):
                flies.clock.advance(days=1)
                return values

    class Gnat(Mortal, Moody, Model):
        id: str = Field(primary_key=True)
        dies: datetime | None = None

    later = flies.clock.now + timedelta(hours=1)
    Gnat.batch_create([{"id": "a", "dies": later}, {"id": "b", "dies": later}])
    assert len(Gnat.all()) == 2


def test_deleting_a_dead_row_in_a_transaction_does_not_fail_the_others(flies):
    fly = Fly.get("alive")
    flies.clock.advance(hours=2)
    with flies.transaction():
        fly.delete()
        Fly.create(id="new")
    assert Fly.get("new") is not None


# -- changed values


def test_after_read_changes_what_the_caller_sees_and_not_what_is_stored(store):
    class Masked(Mixin):
        class Anywhere(BackendExtension):
            def after_read(self, context, values):
                return {**values, "card": values["card"][-2:].rjust(len(values["card"]), "*")}

    class Payment(Masked, Model):
        id: str = Field(primary_key=True)
        card: str

    Payment.create(id="a", card="1234")
    bound = store.bound(Payment)
    (stored,) = store.execute(bound.engine.compile_get(bound, (("a",),)))
    assert (Payment.get("a").card, stored["card"]) == ("**34", "1234")
    assert Payment.where().select("card").all() == [{"card": "**34"}]
