"""Queries as they are written: builders never change, do no I/O by themselves, and refuse what makes no sense."""

from __future__ import annotations

from typing import Any

import pytest

from mixstore import (
    ConfigurationError,
    Field,
    InvalidCursorError,
    Mixin,
    Model,
    Q,
    QueryBuilder,
    QueryError,
    SchemaError,
    query_method,
)
from mixstore_backends.memory import InMemoryBackend


class User(Model):
    id: str = Field(primary_key=True)
    name: str = Field("", searchable=True)
    age: int = 0
    tags: list[str] = []


class Deaf(InMemoryBackend):
    """Refuses to be asked anything."""

    def execute(self, plan):
        raise AssertionError("I/O")


@pytest.fixture
def deaf(fresh):
    fresh.connect_as("default", Deaf())


@pytest.fixture
def users(store):
    return User.batch_create([{"id": key, "age": age, "name": key.upper()} for age, key in enumerate("abcdef")])


def ids(query: Any) -> list[str]:
    return [user.id for user in query.order_by("id").all()]


# -- no change, no I/O


def test_every_method_returns_a_new_builder_and_changes_nothing(users):
    base = User.where(age__gte=2)
    before = repr(base), base.query
    for other in (
        base.filter(age=3),
        base.where(age=3),
        base.and_(age=3),
        base.or_(age=0),
        base.not_(age=3),
        base.not_(),
        base.order_by("-age"),
        base.limit(1),
        base.offset(1),
        base.select("id"),
        base.search("a"),
        base.option(x=1),
        base.cursor(None),
    ):
        assert other is not base
    base.first()
    base.limit(1).all()
    base.count()
    assert (repr(base), base.query) == before
    assert ids(base) == ["c", "d", "e", "f"]


@pytest.mark.usefixtures("deaf")
def test_len_and_bool_and_repr_do_no_io():
    query = User.where(age=1).order_by("-age").limit(3)
    assert bool(query) is True
    assert repr(query) == "<QueryBuilder User where age = 1 order by (-age,) limit 3>"
    with pytest.raises(TypeError):
        len(query)


@pytest.mark.usefixtures("deaf")
def test_writing_and_explaining_a_query_does_no_io():
    User.where(age=1).or_(Q(name="x") & ~Q(age=2)).search("x").limit(3).select("id").explain()


# -- conditions


@pytest.mark.usefixtures("users")
def test_filters_add_up_and_or_reads_from_left_to_right():
    assert ids(User.where(age__gte=2).filter(age__lt=4)) == ["c", "d"]
    assert ids(User.where(age=0).or_(age=1).and_(name="B")) == ["b"]
    assert ids(User.where(age=0).and_(name="B").or_(age=1)) == ["b"]
    assert ids(User.where(age__gte=4).not_(name="F")) == ["e"]
    assert ids(User.where(age__gte=2, name="C").not_()) == ["a", "b", "d", "e", "f"]
    assert ids(User.where(Q(age=0) | Q(age=5), ~Q(name="F"))) == ["a"]


@pytest.mark.usefixtures("users")
def test_a_query_may_be_a_condition_of_another():
    young = User.where(age__lt=2)
    assert ids(User.where(name="A").or_(young)) == ["a", "b"]
    assert ids(User.where(young, name="B")) == ["b"]
    assert ids(User.where().not_(young)) == ["c", "d", "e", "f"]


@pytest.mark.parametrize(
    ("query", "told"),
    [
        (lambda: User.where().limit(3), "limit"),
        (lambda: User.where().offset(3), "offset"),
        (lambda: User.search("a"), "search"),
        (lambda: User.where().select("id"), "fields"),
        (lambda: User.where().cursor("abc"), "cursor"),
    ],
)
def test_only_the_filter_of_a_query_can_be_a_condition(store, query, told):
    with pytest.raises(QueryError, match=told):
        User.where(query())


def test_a_query_of_another_model_is_no_condition(store):
    class Guest(Model):
        id: str = Field(primary_key=True)
        age: int = 0

    with pytest.raises(QueryError, match="a query on Guest"):
        User.where(Guest.where(age=1))


@pytest.mark.parametrize(
    "term", ["age = 1", {"age": 1}, True, lambda user: user.age, None], ids=lambda term: type(term).__name__
)
def test_what_is_no_condition_is_refused(store, term):
    with pytest.raises(QueryError, match="a condition is a Q, an expression or a query, not"):
        User.where(term)


def test_unknown_names_are_refused_at_once_and_name_the_nearest(store):
    for write, told in (
        (lambda: User.where(nme="x"), "did you mean 'name'"),
        (lambda: User.where(age__gtt=1), "did you mean 'gt"),
        (lambda: User.where(Q(ag=1)), "did you mean 'age'"),
        (lambda: User.where().order_by("nme"), "did you mean 'name'"),
        (lambda: User.where().select("nme"), "did you mean 'name'"),
        (lambda: User.search("x", fields=["nme"]), "did you mean 'name'"),
        (lambda: User.search("x", fields=["age"]), "not searchable"),
        (lambda: User.where().order_by(3), "takes names of fields"),
        (lambda: User.where().order_by("tags"), "tags"),
        (lambda: User.where(age="many"), r"User\.age is int"),
        (lambda: User.count(nme="x"), "did you mean 'name'"),
        (lambda: User.exists(nme="x"), "did you mean 'name'"),
    ):
        with pytest.raises(QueryError, match=told):
            write()


def test_a_method_that_queries_do_not_have_names_the_nearest(store):
    with pytest.raises(AttributeError, match="a query on User has no 'fitler'; did you mean 'filter'"):
        User.where().fitler(age=1)


# -- slices


@pytest.mark.parametrize("count", [-1, 1.0, "3", True])
def test_limit_and_offset_are_natural_numbers(store, count):
    for method in ("limit", "offset"):
        with pytest.raises(QueryError, match=method):
            getattr(User.where(), method)(count)


@pytest.mark.usefixtures("users")
def test_a_later_slice_or_order_replaces_an_earlier_one():
    query = User.where().limit(1).limit(3).offset(5).offset(1).order_by("id").order_by("-id")
    assert [user.id for user in query.all()] == ["e", "d", "c"]
    assert [user.id for user in query.limit(None).all()] == ["e", "d", "c", "b", "a"]
    assert query.order_by().query.order == ()


@pytest.mark.usefixtures("users")
def test_limit_of_zero_is_nothing():
    query = User.where().limit(0)
    assert (query.all(), query.count(), query.exists(), query.first(), query.last(), list(query)) == (
        [],
        0,
        False,
        None,
        None,
        [],
    )


# -- cursors


@pytest.mark.usefixtures("users")
@pytest.mark.parametrize("cursor", ["", "junk", "AAAA", 5, b"x"])
def test_a_damaged_cursor_is_refused(cursor):
    with pytest.raises(InvalidCursorError):
        User.where().cursor(cursor).all()


@pytest.mark.usefixtures("users")
def test_a_cursor_belongs_to_its_query():
    cursor = User.where(age__gte=1).order_by("-age").limit(2).paginate().cursor
    for other in (
        User.where(age__gte=2).order_by("-age"),
        User.where(age__gte=1).order_by("age"),
        User.where(age__gte=1),
        User.where(age__gte=1).order_by("-age").option(include_x=True),
        User.search("a").filter(age__gte=1).order_by("-age"),
    ):
        with pytest.raises(InvalidCursorError):
            other.cursor(cursor).limit(2).paginate()


@pytest.mark.usefixtures("users")
def test_a_cursor_goes_with_any_limit_and_any_end():
    query = User.where(age__gte=1).order_by("-age")
    cursor = query.limit(2).paginate().cursor
    rest = query.cursor(cursor)
    assert [user.id for user in rest.all()] == ["d", "c", "b"]
    assert [user.id for user in rest] == ["d", "c", "b"]
    assert (rest.first().id, rest.last().id, rest.count(), rest.exists()) == ("d", "b", 3, True)
    assert rest.limit(2).count() == 2
    assert [user.id for user in rest.limit(1).paginate()] == ["d"]
    assert rest.select("id").all() == [{"id": "d"}, {"id": "c"}, {"id": "b"}]


@pytest.mark.usefixtures("users")
def test_offset_and_cursor_can_not_go_together():
    cursor = User.where().limit(2).paginate().cursor
    with pytest.raises(QueryError, match="offset and cursor"):
        User.where().offset(1).cursor(cursor).all()


@pytest.mark.usefixtures("users")
def test_the_last_page_has_no_cursor():
    assert User.where().limit(6).paginate().cursor is None
    assert User.where().limit(5).paginate().cursor is not None
    page = User.where().paginate()
    assert (len(page), [user.id for user in page], page.cursor) == (6, list("abcdef"), None)


def test_an_offset_applies_to_the_first_page_only(users):
    query = User.where().offset(1).limit(2)
    page = query.paginate()
    rest = User.where().limit(9).cursor(page.cursor).paginate()
    assert ([user.id for user in page], [user.id for user in rest]) == (["b", "c"], ["d", "e", "f"])


# -- query methods of mixins


def test_a_query_method_named_like_a_method_of_queries_is_refused():
    class Odd(Mixin):
        @query_method
        def limit(query: QueryBuilder[Any]) -> QueryBuilder[Any]:
            return query

    with pytest.raises(SchemaError, match=r"Thing: a query method can't be called 'limit'"):

        class Thing(Odd, Model):
            id: str = Field(primary_key=True)


def test_a_query_on_a_model_without_a_backend_fails_when_it_runs(fresh):
    query = User.where(age=1)
    with pytest.raises(ConfigurationError):
        query.all()
