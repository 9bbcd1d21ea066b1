"""`Unique`: several fields unique together, by guards on every backend."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from mixstore import (
    Backend,
    BatchError,
    Capability,
    ConfigurationError,
    DuplicateKeyError,
    Field,
    Model,
    SchemaError,
    VersionConflictError,
)
from mixstore_backends.memory import InMemoryBackend
from mixstore_extensions import (
    TTL,
    Compressed,
    Counters,
    Encrypted,
    History,
    SoftDelete,
    Tenant,
    Unique,
    Versioned,
    tenant,
)
from tests.backends.conftest import BACKENDS
from tests.backends.guarded.engines import GUARDED, GuardedMemory, guards_of
from tests.backends.shared.support import NOON, ids, refusal, together

TOGETHER = [("team", "email")]


class Member(Unique, Model):
    class Meta:
        unique_together = TOGETHER

    id: str = Field(primary_key=True)
    team: int | None = None
    email: str | None = None
    name: str = ""


class Badge(Unique, Versioned, TTL, Model):
    class Meta:
        unique_together = (("day", "price"), ["price", "color", "name"])

    id: str = Field(primary_key=True)
    name: str = Field("", unique=True)
    day: datetime | None = None
    price: Decimal | None = None
    color: str = "red"


class Kept(Unique, SoftDelete, History, Model):
    class Meta:
        unique_together = TOGETHER

    id: str = Field(primary_key=True)
    team: int = 1
    email: str = "x"


class Freed(Kept):
    class Meta:
        soft_delete_frees_unique = True


class Login(Unique, Tenant, Model):
    class Meta:
        unique_together = [("tenant", "email")]

    id: str = Field(primary_key=True)
    email: str


class Score(Unique, Counters, Model):
    class Meta:
        unique_together = [("game", "points")]

    id: str = Field(primary_key=True)
    game: str = "go"
    points: int = 0


@pytest.fixture(params=[*BACKENDS, *(f"guarded-{name}" for name in GUARDED)])
def backend(request: pytest.FixtureRequest) -> Iterator[Backend]:
    name = request.param.removeprefix("guarded-")
    guarded = name != request.param
    with GUARDED[name](request.getfixturevalue("tmp_path")) if guarded else BACKENDS[name](request) as made:
        yield made


def test_two_rows_can_not_share_all_values(use, backend):
    use(Member)
    Member.create(id="a", team=1, email="x")
    with pytest.raises(
        DuplicateKeyError, match="Member: team, email are unique together, and the values are taken"
    ) as e:
        Member.create(id="b", team=1, email="x")
    assert (e.value.field, e.value.key, e.value.model) == ("team, email", "b", Member)
    assert e.value.backend == backend.backend_name
    Member.create(id="b", team=2, email="x")
    Member.create(id="c", team=1, email="y")
    assert ids(Member.where(email="x").order_by("id")) == ["a", "b"]


def test_rows_without_one_of_the_values_share_nothing(use, backend):
    use(Member)
    Member.batch_create([{"id": "a", "team": 1}, {"id": "b", "team": 1}, {"id": "c", "email": "x"}, {"id": "d"}])
    assert guards_of(backend) == {}
    assert refusal(lambda: Member.where().update(team=1, email="x")).field == "team, email"
    assert Member.where(team=1, email="x").count() == 1


def test_values_are_let_go_by_every_way_to_write(use, backend):
    use(Member)
    row = Member.create(id="a", team=1, email="x")
    row.update(team=2)
    Member.create(id="b", team=1, email="x").delete()
    Member.create(id="b", team=1, email="x")
    Member.upsert(id="b", team=1)
    Member.create(id="c", team=1, email="x")
    Member.where(id="c").update(email="y")
    Member.create(id="d", team=1, email="x")
    Member.where(id="d").delete()
    assert sorted(guards_of(backend)) == ['["Member","team","email",[1,"y"]]', '["Member","team","email",[2,"x"]]']


def test_a_taken_pair_is_refused_by_every_way_to_write(use, backend):
    use(Member)
    Member.create(id="a", team=1, email="x")
    other = Member.create(id="b", team=2, email="x")
    writes: list[Any] = [
        lambda: other.update(team=1),
        lambda: Member.upsert(id="b", team=1, email="x"),
        lambda: Member.where(id="b").update(team=1),
        lambda: Member(id="c", team=1, email="x").save(),
    ]
    for write in writes:
        assert refusal(write).field == "team, email"
    with pytest.raises(BatchError) as caught:
        Member.batch_create([{"id": "c", "team": 3, "email": "x"}, {"id": "d", "team": 3, "email": "x"}])
    assert [one and one.field for one in caught.value.outcomes] == [None, "team, email"]
    with pytest.raises(BatchError):
        Member.batch_upsert([{"id": "b", "team": 1, "email": "x"}])
    with pytest.raises(DuplicateKeyError) as failed, backend.transaction():  # noqa: PT012
        Member.create(id="d", team=4, email="x")
        Member.create(id="e", team=4, email="x")
    assert failed.value.key == "e"
    assert ids(Member.where().order_by("id")) == ["a", "b", "c"]
    assert Member.get("b").team == other.team == 2


def test_equal_values_are_the_same_whatever_they_look_like(use):
    use(Badge)
    day = datetime(2025, 1, 1, 12, tzinfo=timezone.utc)
    Badge.create(id="a", name="a", day=day, price=Decimal("1.50"))
    moved = day.astimezone(timezone(timedelta(hours=2)))
    assert refusal(lambda: Badge.create(id="b", name="b", day=moved, price=Decimal("1.5"))).field == "day, price"
    Badge.create(id="c", name="c", day=day, price=Decimal("1.51"))


@pytest.mark.parametrize("other", [("a,", "b"), ('a"', "b"), ("a", '","b'), ("", "ab"), ("ab", "")])
def test_parts_never_run_into_each_other(use, other):
    class Pair(Unique, Model):
        class Meta:
            unique_together = [("left", "right")]

        id: int = Field(primary_key=True)
        left: str
        right: str

    use(Pair)
    Pair.create(id=1, left="a", right="b")
    Pair.create(id=2, left=other[0], right=other[1])
    assert refusal(lambda: Pair.create(id=3, left=other[0], right=other[1])).field == "left, right"


def test_each_group_is_looked_at_beside_unique_fields(use):
    use(Badge)
    Badge.create(id="a", name="a", price=Decimal(1))
    assert refusal(lambda: Badge.create(id="b", name="a", price=Decimal(1))).field in ("name", "price, color, name")
    assert refusal(lambda: Badge.create(id="b", name="a", price=Decimal(2))).field == "name"
    Badge.create(id="b", name="b", price=Decimal(1))


def test_expired_rows_give_way_and_are_gone(use, backend, clock):
    use(Badge)
    Badge.create(id="a", name="a", day=NOON, price=Decimal(1), expires_in=10)
    clock.forward(seconds=10)
    Badge.create(id="b", name="b", day=NOON, price=Decimal(1))
    assert ids(Badge.include_expired().all()) == ["b"]
    assert all(owner == '["b"]' for owner in guards_of(backend).values())
    assert Badge.purge_expired() == 0
    stale = Badge.get("b")
    Badge.get("b").update(color="blue")
    with pytest.raises(VersionConflictError):
        stale.update(day=None)


def test_deleted_rows_keep_their_values_or_free_them(use, backend):
    use(Kept, Freed)
    kept, freed = Kept.create(id="a"), Freed.create(id="a")
    kept.delete()
    freed.delete()
    assert refusal(lambda: Kept.create(id="b")).field == "team, email"
    Freed.create(id="b")
    assert refusal(freed.restore).field == "team, email"
    assert kept.restore().deleted_at is None
    assert Freed.purge_deleted() == 1
    assert refusal(lambda: Freed.create(id="c")).field == "team, email"
    assert [len(Kept.history("a")), len(Freed.history("a"))] == [3, 3]


def test_each_tenant_has_its_own_values(use):
    use(Login)
    with tenant("a"):
        Login.create(id="1", email="x")
        assert refusal(lambda: Login.create(id="2", email="x")).field == "tenant, email"
    with tenant("b"):
        Login.create(id="2", email="x")


def test_an_increment_of_a_part_moves_the_guard(use, backend):
    use(Score)
    Score.create(id="a", points=1)
    score = Score.create(id="b", points=3)
    score.increment("points", -1)
    assert refusal(lambda: score.increment("points", -1)).field == "game, points"
    assert Score.get("b").points == score.points == 2
    assert len(guards_of(backend)) == 2


def test_of_sixteen_threads_one_wins_and_no_other_leaves_a_guard(use, backend):
    use(Member)
    found = together(16, lambda n: Member.create(id=f"{n}", team=1, email="x"))
    [winner] = [one for one in found if isinstance(one, Member)]
    assert sum(isinstance(one, DuplicateKeyError) for one in found) == 15
    assert guards_of(backend) == {'["Member","team","email",[1,"x"]]': f'["{winner.id}"]'}


def test_threads_that_count_one_field_up_never_share_a_pair(use):
    use(Score)
    Score.batch_create([{"id": f"{n}", "points": n} for n in range(4)])

    def work(number: int) -> None:
        for _ in range(10):
            refusal(lambda: Score(id=f"{number % 4}").increment("points"))

    together(8, work)
    found = [row.points for row in Score.all()]
    assert len(found) == len(set(found)) == 4


# -- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("groups", "told"),
    [
        ([("team", "emial")], r"unique_together names no field: 'emial'.*\n.*did you mean 'email'"),
        ([("team",)], "holds \\('team',\\), which is no tuple of two fields or more"),
        (["team"], "holds 'team', which is no tuple"),
        ([(["team"], "email")], r"unique_together names no field: \['team'\]"),
        ([("team", "team")], "says something twice"),
        ([("team", "email"), ("email", "team")], "says something twice"),
        ("team, email", "must be list or tuple, not str"),
    ],
)
def test_a_wrong_group_is_refused_at_the_class_statement(groups, told):
    with pytest.raises(SchemaError, match=told):

        class Wrong(Unique, Model):
            class Meta:
                unique_together = groups

            id: str = Field(primary_key=True)
            team: int = 1
            email: str = ""


def test_the_fields_of_an_abstract_model_may_come_later():
    class Base(Unique, Model):
        class Meta:
            abstract = True
            unique_together = [("team", "email")]

        id: str = Field(primary_key=True)

    with pytest.raises(SchemaError, match=r"Less\.Meta\.unique_together names no field: 'email'"):

        class Less(Base):
            class Meta(Base.Meta):  # what is abstract is not inherited
                scan = "allow"

            team: int

    class Whole(Base):
        team: int
        email: str

    InMemoryBackend().bound(Whole)


def test_fields_that_are_no_plain_values_are_refused_when_the_model_is_bound():
    class Lists(Unique, Model):
        class Meta:
            unique_together = [("id", "tags")]

        id: str = Field(primary_key=True)
        tags: list[str] = []

    with pytest.raises(SchemaError, match=r"Lists\.tags: unique_together needs plain values of one kind, not list"):
        InMemoryBackend().bound(Lists)


def test_a_model_that_is_unique_in_nothing_is_refused():
    class Nothing(Unique, Model):
        id: str = Field(primary_key=True)

    with pytest.raises(SchemaError, match="Nothing is Unique in nothing"):
        InMemoryBackend().bound(Nothing)


@pytest.mark.parametrize(("mixin", "option"), [(Compressed, "compressed"), (Encrypted, "encrypted")])
@pytest.mark.parametrize("first", [True, False])
def test_fields_whose_stored_value_is_replaced_are_refused(mixin, option, first):
    from tests.extensions.sealing import RING

    bases = (Unique, mixin, Model) if first else (mixin, Unique, Model)

    class Sealed(*bases):  # type: ignore[misc]
        class Meta:
            unique_together = [("team", "body")]
            encryption = RING

        if mixin is Compressed:
            del Meta.encryption
        id: str = Field(primary_key=True)
        team: int = 1
        body: str = Field("", **{option: True})

    with pytest.raises(ConfigurationError, match=r"Sealed\.body is to be unique, and its stored value is replaced"):
        InMemoryBackend().bound(Sealed)


def test_a_backend_without_atomic_writes_is_refused():
    class Loose(GuardedMemory):
        capabilities = GuardedMemory.capabilities & ~Capability.ATOMIC_WRITES

    with pytest.raises(ConfigurationError, match="'unique_together' of Member requires ATOMIC_WRITES"):
        Loose().bound(Member)


def test_the_chain_tells_of_it(use):
    use(Badge)
    told = {entry.name: (entry.state, entry.fidelity) for entry in Badge.extensions()}
    assert told["unique_together"] == ("active", "native")
    assert "unique" in told
