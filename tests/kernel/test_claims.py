"""Claims: rows beside a row that stand for what only one row may have."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest

from mixstore import (
    BackendExtension,
    BatchError,
    Capability,
    ConfigurationError,
    ConflictError,
    DuplicateKeyError,
    Field,
    HookError,
    Mixin,
    Model,
    Outcome,
    Q,
    SchemaError,
    SideWrite,
    schema_of,
)
from mixstore_backends.memory import InMemoryBackend

pytestmark = pytest.mark.usefixtures("store")
AT = datetime(2026, 1, 1, tzinfo=timezone.utc)


class Seat(Model):
    class Meta:
        internal = True

    number: int = Field(primary_key=True)
    guest: str
    turn: int


class Seated(Mixin):
    """A guest has one seat; `gone` guests are dead."""

    seat: int
    gone: bool = False

    class Seating(BackendExtension):
        turns: list[int] = []

        def side_models(self, model_class):
            return (Seat,)

        def dead(self, now):
            return Q(gone=True)

        def write_beside(self, context, found):
            if context.previous is not None and context.operation != "create":
                yield SideWrite(
                    "delete", Seat.model_construct(number=context.previous["seat"]), condition=self.mine(context)
                )
            if context.operation != "delete":
                self.turns.append(0)
                seat = Seat(number=context.final["seat"], guest=context.key[0], turn=len(self.turns))
                yield SideWrite("upsert", seat, condition=self.mine(context), claims="seat")

        def mine(self, context):
            return Q(guest=context.key[0])

        def claims(self, values):
            return (Seat.model_construct(number=values["seat"]),)

        def holder(self, claimed):
            return (claimed["guest"],)


class Guest(Seated, Model):
    id: str = Field(primary_key=True)


def seats() -> dict[int, str]:
    return {seat.number: seat.guest for seat in Seat.all()}


def test_what_another_row_claims_is_a_duplicate_of_the_field(store):
    Guest.create(id="a", seat=1)
    with pytest.raises(DuplicateKeyError, match=r"Guest\.seat is unique, and the value is taken") as caught:
        Guest.create(id="b", seat=1)
    assert (caught.value.field, caught.value.key, caught.value.backend) == ("seat", "b", "memory")
    with pytest.raises(BatchError):
        Guest.batch_create([{"id": "b", "seat": 2}, {"id": "c", "seat": 2}])
    with pytest.raises(DuplicateKeyError), store.transaction():  # noqa: PT012
        Guest.create(id="d", seat=3)
        Guest.create(id="e", seat=3)
    assert seats() == {1: "a", 2: "b"}


def test_the_claim_of_a_dead_row_is_taken_over_and_the_row_removed(store):
    Guest.create(id="a", seat=1, gone=True)
    Guest.create(id="b", seat=1)
    assert seats() == {1: "b"}
    assert list(store.bound(Guest).native.rows) == [("b",)]


def test_a_claim_of_a_row_that_is_not_there_is_taken_over():
    Seat.create(number=1, guest="nobody", turn=0)
    Guest.create(id="a", seat=1)
    assert seats() == {1: "a"}


def test_what_is_somebody_elses_by_now_is_not_removed():
    guest = Guest.create(id="a", seat=1)
    Seat.get(1).update(guest="b", turn=-1)
    assert guest.delete() is True
    assert seats() == {1: "b"}


def test_a_claim_that_others_move_all_the_time_is_a_conflict_in_the_end():
    class Busy(InMemoryBackend):
        tries = 0

        def compile_writes(self, bound, writes):
            claims = [side for write in writes for side in write.side_writes if side.claim]
            self.tries += 1
            return lambda: [Outcome("condition", None, None, claims[0])]

    backend = Busy()
    with pytest.raises(ConflictError, match="what Guest claims was moved by others under 100 attempts to create it"):
        backend.create(Guest, {"id": "a", "seat": 1})
    assert backend.tries == 100
    with pytest.raises(ConflictError, match="moved by others"), backend.transaction():
        backend.create(Guest, {"id": "a", "seat": 1})


def test_a_hook_that_fails_while_a_claim_is_settled_is_named():
    class Lost(Seated):
        class Seating(Seated.Seating):
            def holder(self, claimed):
                return claimed["nothing"]

    class Stray(Lost, Model):
        id: str = Field(primary_key=True)

    Stray.create(id="a", seat=1)
    with pytest.raises(HookError, match=r"Seating\.holder raised KeyError: 'nothing'; nothing was stored") as caught:
        Stray.create(id="b", seat=1)
    assert caught.value.key == "b"


def test_an_extension_that_claims_has_to_tell_whose_a_claim_is():
    class Mute(Seated):
        class Seating(Seated.Seating):
            holder = BackendExtension.holder

    class Silent(Mute, Model):
        id: str = Field(primary_key=True)

    with pytest.raises(ConfigurationError, match=r"claims seat, and has no `holder\(\)` to tell whose it is"):
        Silent.create(id="a", seat=1)
    assert seats() == {}


# -- what extensions declare -----------------------------------------------------------------------------------------


def test_the_earliest_of_several_deaths_counts(store):
    class Mortal(Mixin):
        until: datetime | None = None

        class Ending(BackendExtension):
            def dies(self, values):
                return values["until"]

    class Fixed(Mixin):
        class End(BackendExtension):
            def dies(self, values):
                return AT

    class Both(Mortal, Fixed, Model):
        id: str = Field(primary_key=True)

    class One(Mortal, Model):
        id: str = Field(primary_key=True)

    later = AT.replace(year=2027)
    death = store.bound(Both).death
    assert (death({"until": None}), death({"until": later})) == (AT, AT)
    death = store.bound(One).death
    assert (death({"until": None}), death({"until": later})) == (None, later)


def test_an_extension_is_inactive_unless_the_backend_needs_it():
    class Helped(Mixin):
        class Help(BackendExtension):
            unless = (Capability.UNIQUE, Capability.ADD)

    class Row(Helped, Model):
        id: str = Field(primary_key=True)

    class Plain(InMemoryBackend):
        capabilities = InMemoryBackend.capabilities & ~Capability.ADD

    def states(backend: Any) -> Any:
        return [(one.state, one.reason) for one in backend.bound(Row).chain.entries]

    assert states(InMemoryBackend()) == [("inactive", "the engine enforces it: UNIQUE, ADD")]
    assert [state for state, _ in states(Plain())] == ["active"]


def test_fields_that_an_extension_keeps_unique_must_be_there():
    class Keeping(Mixin):
        class Keep(BackendExtension):
            def enforces(self, model_class):
                return [("id", "nmae")]

    class Row(Keeping, Model):
        id: str = Field(primary_key=True)
        name: str = ""

    with pytest.raises(SchemaError, match=r"Row lacks the field that .*Keep keeps unique: 'nmae'"):
        InMemoryBackend().bound(Row)
    assert schema_of(Row).unique == ()


@pytest.mark.parametrize(
    ("hook", "answer", "told"),
    [
        ("holder", lambda self, claimed: claimed["guest"], r"the key of a row as a tuple \(id\), not 'a'"),
        ("holder", lambda self, claimed: None, "the key of a row as a tuple"),
        ("holder", lambda self, claimed: ("a", "b"), "the key of a row as a tuple"),
        ("claims", lambda self, values: [1], "must give instances of a model, not 1"),
    ],
)
def test_an_answer_that_would_let_two_rows_have_one_value_is_an_error(hook, answer, told):
    class Misseated(Mixin):
        seat: int

        Seating = type("Seating", (Seated.Seating,), {"__qualname__": "Misseated.Seating", "name": "m", hook: answer})
        Seating.dead = BackendExtension.dead

    class Visitor(Misseated, Model):
        id: str = Field(primary_key=True)

    Visitor.create(id="a", seat=1)
    with pytest.raises(HookError, match=told) as caught:
        Visitor.create(id="b", seat=1)
    assert caught.value.hook == f"Misseated.Seating.{hook}"
    assert seats() == {1: "a"}


def test_a_claim_that_nobody_could_settle_is_an_error_at_once():
    class Unsettled(Mixin):
        seat: int

        class Seating(BackendExtension):
            claimed = "seat"

            def write_beside(self, context, found):
                seat = Seat(number=1, guest=context.key[0], turn=0)
                yield SideWrite("upsert", seat, claims=self.claimed)

    class Visitor(Unsettled, Model):
        id: str = Field(primary_key=True)

    with pytest.raises(ConfigurationError, match=r"claims seat, and has no `claims\(\)` to tell whose it is"):
        Visitor.create(id="a", seat=1)
    Unsettled.Seating.claimed = "seta"
    with pytest.raises(SchemaError, match=r"(?s)claims: 'seta'.*did you mean 'seat'"):
        Visitor.create(id="a", seat=1)
    assert seats() == {}
