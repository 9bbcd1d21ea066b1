"""`Field(unique=True)`: no two rows share a value, on every way to write; None is no value."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from mixstore import Backend, BatchError, DuplicateKeyError, Field, Model, Q
from mixstore.testing.conformance import Conformance
from mixstore.testing.models import Color, Contact, Pass, Sheet
from mixstore.testing.support import UTC, Clock, Use, ids, together
from mixstore.testing.tags import atomic, extensions, locking, unique


class Pair(Model):
    """Two unique fields."""

    id: str = Field(primary_key=True)
    left: int | None = Field(None, unique=True)
    right: str | None = Field(None, unique=True)


class Badge(Model):
    """A unique field of the same name and type as another model's."""

    id: str = Field(primary_key=True)
    left: int | None = Field(None, unique=True)


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


class UniqueCases(Conformance):
    """`Field(unique=True)`: no two rows share a value, on every way to write; None is no value."""

    @unique
    def test_create_refuses_a_taken_value_and_names_the_field(self, use: Use, backend: Backend) -> None:
        use(Contact)
        Contact.create(id="a", email="x@x.org")
        with pytest.raises(DuplicateKeyError) as caught:
            Contact.create(id="b", email="x@x.org")
        assert caught.value.field == "email"
        assert caught.value.key == "b"
        assert caught.value.model is Contact
        assert caught.value.backend == backend.backend_name
        assert Contact.get("b") is None
        assert Contact.get(email="x@x.org").id == "a"

    @unique
    def test_upsert_refuses_the_value_of_another_row_and_changes_nothing(self, use: Use) -> None:
        use(Contact)
        Contact.create(id="a", email="x@x.org")
        Contact.create(id="b", name="Bea", email="y@x.org")
        with pytest.raises(DuplicateKeyError) as caught:
            Contact.upsert(id="b", name="new", email="x@x.org")
        assert caught.value.field == "email"
        assert Contact.get("b") == Contact(id="b", name="Bea", email="y@x.org")

    @unique
    def test_upsert_of_the_same_row_keeps_its_own_value(self, use: Use) -> None:
        use(Contact)
        Contact.create(id="a", email="x@x.org")
        Contact.upsert(id="a", name="new", email="x@x.org")
        assert Contact.get(email="x@x.org").name == "new"

    @unique
    def test_update_and_save_refuse_a_taken_value(self, use: Use) -> None:
        use(Contact)
        Contact.create(id="a", email="x@x.org")
        person = Contact.create(id="b", email="y@x.org")
        with pytest.raises(DuplicateKeyError) as caught:
            person.update(email="x@x.org")
        assert caught.value.field == "email"
        assert person.email == "y@x.org"
        person.email = "x@x.org"
        with pytest.raises(DuplicateKeyError):
            person.save()
        assert Contact.get("b").email == "y@x.org"
        assert Contact.get(email="y@x.org").id == "b"

    @unique
    def test_update_of_a_row_keeps_its_own_value(self, use: Use) -> None:
        use(Contact)
        person = Contact.create(id="a", email="x@x.org")
        person.update(name="new", email="x@x.org")
        person.update(age=4)
        assert Contact.get(email="x@x.org").age == 4

    @unique
    def test_delete_releases_the_value(self, use: Use) -> None:
        use(Contact)
        Contact.create(id="a", email="x@x.org").delete()
        assert Contact.get(email="x@x.org") is None
        Contact.create(id="b", email="x@x.org")
        assert Contact.get(email="x@x.org").id == "b"

    @unique
    def test_a_change_releases_the_old_value(self, use: Use) -> None:
        use(Contact)
        person = Contact.create(id="a", email="x@x.org")
        person.update(email="y@x.org")
        Contact.create(id="b", email="x@x.org")
        person.update(email=None)
        Contact.create(id="c", email="y@x.org")
        assert (Contact.get(email="x@x.org").id, Contact.get(email="y@x.org").id) == ("b", "c")

    @unique
    def test_an_upsert_without_the_value_releases_it(self, use: Use) -> None:
        use(Contact)
        Contact.create(id="a", email="x@x.org")
        Contact.upsert(id="a")
        Contact.create(id="b", email="x@x.org")
        assert Contact.get(email="x@x.org").id == "b"

    @unique
    def test_delete_by_query_and_update_by_query_release_values(self, use: Use) -> None:
        use(Contact)
        Contact.create(id="a", age=1, email="x@x.org")
        Contact.create(id="b", age=2, email="y@x.org")
        Contact.where(age=1).delete()
        Contact.where(age=2).update(email=None)
        Contact.batch_create([{"id": "c", "email": "x@x.org"}, {"id": "d", "email": "y@x.org"}])
        assert Contact.get(email="y@x.org").id == "d"

    @unique
    def test_update_by_query_can_not_give_one_value_to_two_rows(self, use: Use) -> None:
        use(Contact)
        Contact.batch_create([{"id": "a"}, {"id": "b"}])
        with pytest.raises(DuplicateKeyError):
            Contact.where().update(email="x@x.org")
        assert Contact.where(email="x@x.org").count() == 1

    @unique
    def test_none_is_no_value(self, use: Use) -> None:
        use(Contact)
        Contact.batch_create([{"id": "a"}, {"id": "b"}, {"id": "c", "email": None}])
        Contact.get("a").update(email=None)
        Contact.upsert(id="b")
        assert Contact.where(email=None).count() == 3

    @unique
    def test_the_empty_text_is_a_value(self, use: Use) -> None:
        use(Contact)
        Contact.create(id="a", email="")
        with pytest.raises(DuplicateKeyError):
            Contact.create(id="b", email="")
        assert Contact.get(email="").id == "a"

    @unique
    @pytest.mark.parametrize("other", ["X@x.org", "x@x.org ", "x@x.org\0", "x@x.or", "x@x.örg"])
    def test_values_that_differ_at_all_are_different(self, use: Use, other: str) -> None:
        use(Contact)
        Contact.create(id="a", email="x@x.org")
        Contact.create(id="b", email=other)
        assert Contact.get(email=other).id == "b"
        assert Contact.get(email="x@x.org").id == "a"

    @unique
    @pytest.mark.parametrize(
        ("field", "value", "equal"),
        [
            ("price", Decimal("1.50"), Decimal("1.5")),
            ("price", Decimal("1E+3"), Decimal("1000")),
            (
                "moment",
                datetime(2025, 1, 1, 12, tzinfo=UTC),
                datetime(2025, 1, 1, 13, tzinfo=timezone(timedelta(hours=1))),
            ),
            ("uuid", UUID(int=5), UUID("00000000-0000-0000-0000-000000000005")),
            ("color", Color.RED, "red"),
            ("raw", b"\0", b"\0"),
            ("flag", True, "true"),
            ("real", 0.0, -0.0),
        ],
    )
    def test_equal_values_of_any_kind_clash(self, use: Use, field: str, value: Any, equal: Any) -> None:
        use(Typed)
        Typed.create(id=1, **{field: value})
        with pytest.raises(DuplicateKeyError) as caught:
            Typed.create(id=2, **{field: equal})
        assert caught.value.field == field
        assert Typed.get(**{field: equal}).id == 1

    @unique
    def test_a_row_refused_by_its_second_unique_field_keeps_nothing_of_the_first(self, use: Use) -> None:
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

    @unique
    def test_a_taken_key_and_a_taken_value_are_told_apart(self, use: Use) -> None:
        use(Contact)
        Contact.create(id="a", email="x@x.org")
        with pytest.raises(DuplicateKeyError) as caught:
            Contact.create(id="a", email="x@x.org")
        assert caught.value.field is None

    @unique
    def test_the_same_value_in_another_model_is_free(self, use: Use) -> None:
        use(Pair, Badge)
        Pair.create(id="a", left=1)
        Badge.create(id="a", left=1)
        assert Badge.get(left=1).id == "a"

    @unique
    def test_filters_on_a_unique_field_find_the_row(self, use: Use) -> None:
        use(Contact)
        Contact.batch_create([{"id": "a", "email": "x"}, {"id": "b", "email": "y"}, {"id": "c"}])
        assert ids(Contact.where(email="x").all()) == ["a"]
        assert ids(Contact.where(email="x", id="b").all()) == []
        assert ids(Contact.where(email__in=["x", "y", None]).order_by("id").all()) == ["a", "b", "c"]
        assert ids(Contact.where(Q(email="x") | Q(email=None)).order_by("-id").all()) == ["c", "a"]
        assert ids(Contact.where(email__gte="x").order_by("email").all()) == ["a", "b"]

    @unique
    def test_a_batch_refuses_the_second_of_two_rows_with_one_value(self, use: Use) -> None:
        use(Contact)
        Contact.create(id="z", email="z")
        with pytest.raises(BatchError) as caught:
            Contact.batch_create(
                [{"id": "a", "email": "x"}, {"id": "b", "email": "x"}, {"id": "c", "email": "z"}, {"id": "d"}]
            )
        outcomes = caught.value.outcomes
        assert [type(one) for one in outcomes] == [type(None), DuplicateKeyError, DuplicateKeyError, type(None)]
        assert outcomes[1].field == "email"
        assert ids(Contact.where().order_by("id").all()) == ["a", "d", "z"]

    @unique
    def test_a_batch_upsert_moves_a_value_when_its_rows_allow_it(self, use: Use) -> None:
        use(Contact)
        Contact.create(id="a", email="x")
        Contact.batch_upsert([{"id": "a", "email": None}, {"id": "b", "email": "x"}])
        assert Contact.get(email="x").id == "b"

    @unique
    @atomic
    def test_a_transaction_refuses_two_rows_with_one_value_and_stores_none(self, use: Use, backend: Backend) -> None:
        use(Contact)
        with pytest.raises(DuplicateKeyError) as caught, backend.transaction():  # noqa: PT012
            Contact.create(id="a", email="x")
            Contact.create(id="b", email="x")
        assert (caught.value.field, caught.value.key) == ("email", "b")
        assert Contact.count() == 0
        Contact.create(id="c", email="x")

    @unique
    @atomic
    def test_a_transaction_passes_a_value_on_from_a_deleted_row(self, use: Use, backend: Backend) -> None:
        use(Contact)
        person = Contact.create(id="a", email="x")
        with backend.transaction():
            person.delete()
            Contact.create(id="b", email="x")
        assert Contact.get(email="x").id == "b"

    @locking
    @unique
    def test_models_with_extensions_are_unique_too(self, use: Use) -> None:
        use(Sheet)
        Sheet.create(id="a", slug="s")
        document = Sheet.create(id="b", slug="t")
        with pytest.raises(DuplicateKeyError) as caught:
            document.update(slug="s")
        assert caught.value.field == "slug"
        assert (document.slug, document.version) == ("t", 1)
        with pytest.raises(DuplicateKeyError):
            Sheet.upsert(id="b", slug="s")
        document.update(slug="u")
        Sheet.get("a").update(slug="t")
        assert Sheet.get(slug="t").id == "a"

    @extensions
    @unique
    def test_an_expired_holder_gives_its_value_up_and_is_gone(self, use: Use, clock: Clock) -> None:
        use(Pass)
        Pass.create(id="a", token="t", expires_in=10)
        with pytest.raises(DuplicateKeyError):
            Pass.create(id="b", token="t")
        clock.forward(seconds=10)
        Pass.create(id="b", token="t")
        assert Pass.get(token="t").id == "b"
        assert ids(Pass.include_expired().order_by("id").all()) == ["b"]

    @unique
    def test_of_sixteen_threads_that_create_one_value_one_wins(self, use: Use) -> None:
        use(Contact)
        for round_ in range(3):
            email = f"{round_}@x.org"
            results = together(16, lambda n, email=email: Contact.create(id=f"{email}{n}", email=email))  # type: ignore[misc]
            winners = [one for one in results if isinstance(one, Contact)]
            assert len(winners) == 1
            assert all(isinstance(one, DuplicateKeyError) for one in results if one not in winners)
            assert ids(Contact.where(email=email).all()) == ids(winners)
        assert Contact.count() == 3

    @unique
    def test_of_sixteen_threads_that_create_one_key_one_wins(self, use: Use) -> None:
        use(Contact)
        results = together(16, lambda n: Contact.create(id="same", age=n))
        winners = [one for one in results if isinstance(one, Contact)]
        assert len(winners) == 1
        assert sum(isinstance(one, DuplicateKeyError) for one in results) == 15
        assert Contact.get("same").age == winners[0].age

    @unique
    def test_threads_that_swap_a_value_never_share_it(self, use: Use) -> None:
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
