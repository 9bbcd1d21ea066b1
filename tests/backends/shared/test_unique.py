"""`Field(unique=True)`: no two rows share a value, on every way to write; None is no value."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from mixstore import Backend, BatchError, DuplicateKeyError, Field, Model, Q
from tests.backends.shared.models import Account, Color, Document, Person, Session
from tests.backends.shared.support import UTC, Clock, atomic, ids, together, unique

Use = Callable[..., Any]
pytestmark = unique


class Pair(Model):
    """Two unique fields."""

    id: str = Field(primary_key=True)
    left: int | None = Field(None, unique=True)
    right: str | None = Field(None, unique=True)


class Typed(Model):
    """Unique values of many kinds."""

    id: int = Field(primary_key=True)
    price: Decimal | None = Field(None, unique=True)
    moment: datetime | None = Field(None, unique=True)
    uuid: UUID | None = Field(None, unique=True)
    color: Color | None = Field(None, unique=True)
    raw: bytes | None = Field(None, unique=True)
    flag: bool | None = Field(None, unique=True)
    real: float | None = Field(None, unique=True)


def test_create_refuses_a_taken_value_and_names_the_field(use: Use, backend: Backend) -> None:
    use(Person)
    Person.create(id="a", email="x@x.org")
    with pytest.raises(DuplicateKeyError) as caught:
        Person.create(id="b", email="x@x.org")
    assert caught.value.field == "email"
    assert caught.value.key == "b"
    assert caught.value.model is Person
    assert caught.value.backend == backend.backend_name
    assert Person.get("b") is None
    assert Person.get(email="x@x.org").id == "a"


def test_upsert_refuses_the_value_of_another_row_and_changes_nothing(use: Use) -> None:
    use(Person)
    Person.create(id="a", email="x@x.org")
    Person.create(id="b", name="Bea", email="y@x.org")
    with pytest.raises(DuplicateKeyError) as caught:
        Person.upsert(id="b", name="new", email="x@x.org")
    assert caught.value.field == "email"
    assert Person.get("b") == Person(id="b", name="Bea", email="y@x.org")


def test_upsert_of_the_same_row_keeps_its_own_value(use: Use) -> None:
    use(Person)
    Person.create(id="a", email="x@x.org")
    Person.upsert(id="a", name="new", email="x@x.org")
    assert Person.get(email="x@x.org").name == "new"


def test_update_and_save_refuse_a_taken_value(use: Use) -> None:
    use(Person)
    Person.create(id="a", email="x@x.org")
    person = Person.create(id="b", email="y@x.org")
    with pytest.raises(DuplicateKeyError) as caught:
        person.update(email="x@x.org")
    assert caught.value.field == "email"
    assert person.email == "y@x.org"
    person.email = "x@x.org"
    with pytest.raises(DuplicateKeyError):
        person.save()
    assert Person.get("b").email == "y@x.org"
    assert Person.get(email="y@x.org").id == "b"


def test_update_of_a_row_keeps_its_own_value(use: Use) -> None:
    use(Person)
    person = Person.create(id="a", email="x@x.org")
    person.update(name="new", email="x@x.org")
    person.update(age=4)
    assert Person.get(email="x@x.org").age == 4


def test_delete_releases_the_value(use: Use) -> None:
    use(Person)
    Person.create(id="a", email="x@x.org").delete()
    assert Person.get(email="x@x.org") is None
    Person.create(id="b", email="x@x.org")
    assert Person.get(email="x@x.org").id == "b"


def test_a_change_releases_the_old_value(use: Use) -> None:
    use(Person)
    person = Person.create(id="a", email="x@x.org")
    person.update(email="y@x.org")
    Person.create(id="b", email="x@x.org")
    person.update(email=None)
    Person.create(id="c", email="y@x.org")
    assert (Person.get(email="x@x.org").id, Person.get(email="y@x.org").id) == ("b", "c")


def test_an_upsert_without_the_value_releases_it(use: Use) -> None:
    use(Person)
    Person.create(id="a", email="x@x.org")
    Person.upsert(id="a")
    Person.create(id="b", email="x@x.org")
    assert Person.get(email="x@x.org").id == "b"


def test_delete_by_query_and_update_by_query_release_values(use: Use) -> None:
    use(Person)
    Person.create(id="a", age=1, email="x@x.org")
    Person.create(id="b", age=2, email="y@x.org")
    Person.where(age=1).delete()
    Person.where(age=2).update(email=None)
    Person.batch_create([{"id": "c", "email": "x@x.org"}, {"id": "d", "email": "y@x.org"}])
    assert Person.get(email="y@x.org").id == "d"


def test_update_by_query_can_not_give_one_value_to_two_rows(use: Use) -> None:
    use(Person)
    Person.batch_create([{"id": "a"}, {"id": "b"}])
    with pytest.raises(DuplicateKeyError):
        Person.where().update(email="x@x.org")
    assert Person.where(email="x@x.org").count() == 1


def test_none_is_no_value(use: Use) -> None:
    use(Person)
    Person.batch_create([{"id": "a"}, {"id": "b"}, {"id": "c", "email": None}])
    Person.get("a").update(email=None)
    Person.upsert(id="b")
    assert Person.where(email=None).count() == 3


def test_the_empty_text_is_a_value(use: Use) -> None:
    use(Person)
    Person.create(id="a", email="")
    with pytest.raises(DuplicateKeyError):
        Person.create(id="b", email="")
    assert Person.get(email="").id == "a"


@pytest.mark.parametrize("other", ["X@x.org", "x@x.org ", "x@x.org\0", "x@x.or", "x@x.örg"])
def test_values_that_differ_at_all_are_different(use: Use, other: str) -> None:
    use(Person)
    Person.create(id="a", email="x@x.org")
    Person.create(id="b", email=other)
    assert Person.get(email=other).id == "b"
    assert Person.get(email="x@x.org").id == "a"


@pytest.mark.parametrize(
    ("field", "value", "equal"),
    [
        ("price", Decimal("1.50"), Decimal("1.5")),
        ("price", Decimal("1E+3"), Decimal("1000")),
        ("moment", datetime(2025, 1, 1, 12, tzinfo=UTC), datetime(2025, 1, 1, 13, tzinfo=timezone(timedelta(hours=1)))),
        ("uuid", UUID(int=5), UUID("00000000-0000-0000-0000-000000000005")),
        ("color", Color.RED, "red"),
        ("raw", b"\0", b"\0"),
        ("flag", True, "true"),
        ("real", 0.0, -0.0),
    ],
)
def test_equal_values_of_any_kind_clash(use: Use, field: str, value: Any, equal: Any) -> None:
    use(Typed)
    Typed.create(id=1, **{field: value})
    with pytest.raises(DuplicateKeyError) as caught:
        Typed.create(id=2, **{field: equal})
    assert caught.value.field == field
    assert Typed.get(**{field: equal}).id == 1


def test_a_row_refused_by_its_second_unique_field_keeps_nothing_of_the_first(use: Use) -> None:
    use(Pair)
    Pair.create(id="a", left=1, right="x")
    with pytest.raises(DuplicateKeyError) as caught:
        Pair.create(id="b", left=2, right="x")
    assert caught.value.field == "right"
    Pair.create(id="c", left=2, right="y")
    with pytest.raises(DuplicateKeyError):
        Pair.get("c").update(left=3, right="x")
    Pair.create(id="d", left=3)
    assert Pair.get(left=2).id == "c"
    assert Pair.get(left=3).id == "d"


def test_a_taken_key_and_a_taken_value_are_told_apart(use: Use) -> None:
    use(Person)
    Person.create(id="a", email="x@x.org")
    with pytest.raises(DuplicateKeyError) as caught:
        Person.create(id="a", email="x@x.org")
    assert caught.value.field is None


def test_the_same_value_in_another_model_is_free(use: Use) -> None:
    use(Pair, Account)
    Pair.create(id="a", left=1)
    Account.create(id="a", number=1)
    assert Account.get(number=1).id == "a"


def test_filters_on_a_unique_field_find_the_row(use: Use) -> None:
    use(Person)
    Person.batch_create([{"id": "a", "email": "x"}, {"id": "b", "email": "y"}, {"id": "c"}])
    assert ids(Person.where(email="x").all()) == ["a"]
    assert ids(Person.where(email="x", id="b").all()) == []
    assert ids(Person.where(email__in=["x", "y", None]).order_by("id").all()) == ["a", "b", "c"]
    assert ids(Person.where(Q(email="x") | Q(email=None)).order_by("-id").all()) == ["c", "a"]
    assert ids(Person.where(email__gte="x").order_by("email").all()) == ["a", "b"]


def test_a_batch_refuses_the_second_of_two_rows_with_one_value(use: Use) -> None:
    use(Person)
    Person.create(id="z", email="z")
    with pytest.raises(BatchError) as caught:
        Person.batch_create(
            [{"id": "a", "email": "x"}, {"id": "b", "email": "x"}, {"id": "c", "email": "z"}, {"id": "d"}]
        )
    outcomes = caught.value.outcomes
    assert [type(one) for one in outcomes] == [type(None), DuplicateKeyError, DuplicateKeyError, type(None)]
    assert outcomes[1].field == "email"
    assert ids(Person.where().order_by("id").all()) == ["a", "d", "z"]


def test_a_batch_upsert_moves_a_value_when_its_rows_allow_it(use: Use) -> None:
    use(Person)
    Person.create(id="a", email="x")
    Person.batch_upsert([{"id": "a", "email": None}, {"id": "b", "email": "x"}])
    assert Person.get(email="x").id == "b"


@atomic
def test_a_transaction_refuses_two_rows_with_one_value_and_stores_none(use: Use, backend: Backend) -> None:
    use(Person)
    with pytest.raises(DuplicateKeyError) as caught, backend.transaction():  # noqa: PT012
        Person.create(id="a", email="x")
        Person.create(id="b", email="x")
    assert (caught.value.field, caught.value.key) == ("email", "b")
    assert Person.count() == 0
    Person.create(id="c", email="x")


@atomic
def test_a_transaction_passes_a_value_on_from_a_deleted_row(use: Use, backend: Backend) -> None:
    use(Person)
    person = Person.create(id="a", email="x")
    with backend.transaction():
        person.delete()
        Person.create(id="b", email="x")
    assert Person.get(email="x").id == "b"


def test_models_with_extensions_are_unique_too(use: Use) -> None:
    use(Document)
    Document.create(id="a", slug="s")
    document = Document.create(id="b", slug="t")
    with pytest.raises(DuplicateKeyError) as caught:
        document.update(slug="s")
    assert caught.value.field == "slug"
    assert (document.slug, document.version) == ("t", 1)
    with pytest.raises(DuplicateKeyError):
        Document.upsert(id="b", slug="s")
    document.update(slug="u")
    Document.get("a").update(slug="t")
    assert Document.get(slug="t").id == "a"


def test_an_expired_holder_gives_its_value_up_and_is_gone(use: Use, clock: Clock) -> None:
    use(Session)
    Session.create(id="a", token="t", expires_in=10)
    with pytest.raises(DuplicateKeyError):
        Session.create(id="b", token="t")
    clock.forward(seconds=10)
    Session.create(id="b", token="t")
    assert Session.get(token="t").id == "b"
    assert ids(Session.include_expired().order_by("id").all()) == ["b"]


def test_of_sixteen_threads_that_create_one_value_one_wins(use: Use) -> None:
    use(Person)
    for round_ in range(3):
        email = f"{round_}@x.org"
        results = together(16, lambda n, email=email: Person.create(id=f"{email}{n}", email=email))  # type: ignore[misc]
        winners = [one for one in results if isinstance(one, Person)]
        assert len(winners) == 1
        assert all(isinstance(one, DuplicateKeyError) for one in results if one not in winners)
        assert ids(Person.where(email=email).all()) == ids(winners)
    assert Person.count() == 3


def test_of_sixteen_threads_that_create_one_key_one_wins(use: Use) -> None:
    use(Person)
    results = together(16, lambda n: Person.create(id="same", age=n))
    winners = [one for one in results if isinstance(one, Person)]
    assert len(winners) == 1
    assert sum(isinstance(one, DuplicateKeyError) for one in results) == 15
    assert Person.get("same").age == winners[0].age


def test_threads_that_swap_a_value_never_share_it(use: Use) -> None:
    use(Pair)
    Pair.batch_create([{"id": f"r{n}"} for n in range(8)])

    def work(number: int) -> int:
        row, won = Pair.get(f"r{number}"), 0
        for turn in range(20):
            try:
                row.update(left=turn % 4)
                won += 1
            except DuplicateKeyError:
                row.update(left=None)
        return won

    results = together(8, work)
    assert all(isinstance(one, int) for one in results), results
    held = [row.left for row in Pair.where(left__isnull=False)]
    assert len(held) == len(set(held))
    assert all(Pair.get(left=value).left == value for value in held)
