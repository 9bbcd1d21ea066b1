"""Guards: what stands beside a row with unique values, and when it counts."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from mixstore import (
    BackendExtension,
    BatchError,
    Capability,
    ConfigurationError,
    DuplicateKeyError,
    Field,
    HookError,
    Mixin,
    Model,
    Q,
    UnsupportedOperationError,
    VersionConflictError,
    Write,
    configure,
)
from mixstore.registry import current
from mixstore_backends.memory import InMemoryBackend
from mixstore_extensions.guards import UniqueGuard
from tests.backends.guarded.engines import GuardedMemory, guards_of
from tests.backends.guarded.models import Lease, Odd, Rank, Task, User
from tests.backends.shared.support import ids, refusal, together


def email(value: str) -> str:
    return f'["User","email",["{value}"]]'


# -- where there are guards ------------------------------------------------------------------------------------------


def test_without_guards_these_engines_let_rows_share_a_value(use, backend):
    bound = backend.bound(use(User))
    rows = [{"id": key, "email": "x", "number": None} for key in "ab"]
    writes = [Write("create", bound, (row["id"],), row) for row in rows]
    assert [one.status for one in backend.execute(backend.compile_writes(bound, writes))] == ["ok", "ok"]


def test_guards_attach_themselves_where_the_engine_does_not_enforce(use):
    use(User)
    entry = User.extensions()[0]
    assert (entry.name, entry.state, entry.fidelity) == ("unique", "active", "native")
    native = InMemoryBackend()
    [entry] = native.bound(User).chain.entries
    assert (entry.name, entry.state, entry.reason) == ("unique", "inactive", "the engine enforces it: UNIQUE")


def test_a_store_that_can_have_no_guards_refuses_the_model():
    class Loose(GuardedMemory):
        capabilities = GuardedMemory.capabilities & ~Capability.ATOMIC_WRITES

    with pytest.raises(ConfigurationError, match="'unique' of User requires ATOMIC_WRITES, which memory lacks"):
        Loose().bound(User)


def test_guards_can_not_be_switched_off():
    configure(backends={"off": {"url": "memory://", "extensions": {"disable": ["unique"]}}})
    backend = GuardedMemory()
    current().connect_as("off", backend)
    with pytest.raises(UnsupportedOperationError, match=r"User\.email is unique, which memory can't enforce"):
        backend.bound(User)


# -- what they hold --------------------------------------------------------------------------------------------------


def test_a_guard_is_there_for_each_value_and_goes_with_it(use, backend):
    use(User)
    user = User.create(id="a", email="x", number=1)
    assert guards_of(backend) == {email("x"): '["a"]', '["User","number",[1]]': '["a"]'}
    user.update(email="y", number=None)
    assert guards_of(backend) == {email("y"): '["a"]'}
    User.upsert(id="a", email="z")
    assert guards_of(backend) == {email("z"): '["a"]'}
    user.delete()
    assert guards_of(backend) == {}


def test_a_key_of_several_parts_is_told_whole(use, backend):
    use(Odd)
    Odd.create(first=1, second='2"]', code="c")
    assert list(guards_of(backend).values()) == ['[1,"2\\"]"]']
    assert Odd.get(code="c").second == '2"]'


def test_a_rendered_key_is_told_as_it_is_stored(use, backend):
    use(Task)
    Task.create(owner="ann", number=1, code="c")
    assert guards_of(backend) == {'["Task","code",["c"]]': '["LIST#ann","TASK#0001"]'}
    assert refusal(lambda: Task.create(owner="bob", number=1, code="c")).field == "code"
    assert Task.get(code="c").owner == "ann"
    Task.get(owner="ann", number=1).delete()
    Task.create(owner="bob", number=1, code="c")


def test_what_is_not_stored_leaves_no_guard(use, backend):
    use(User)
    User.create(id="a", email="x")
    before = guards_of(backend)
    assert refusal(lambda: User.create(id="a", email="y")).field is None
    assert refusal(lambda: User.create(id="b", number=1, email="x")).field == "email"
    assert refusal(lambda: User.get("a").update(number=5) and User.create(id="c", number=5)).field == "number"
    with pytest.raises(ZeroDivisionError), backend.transaction():  # noqa: PT012
        User.create(id="d", email="z")
        1 / 0  # noqa: B018
    with pytest.raises(DuplicateKeyError), backend.transaction():  # noqa: PT012
        User.create(id="d", email="z")
        User.create(id="a")
    assert guards_of(backend) == {**before, '["User","number",[5]]': '["a"]'}


def test_a_batch_guards_each_row_by_itself(use, backend):
    use(User)
    with pytest.raises(BatchError):
        User.batch_create([{"id": "a", "email": "x"}, {"id": "b", "email": "x"}, {"id": "c", "email": "y"}])
    assert guards_of(backend) == {email("x"): '["a"]', email("y"): '["c"]'}
    User.where(id="a").update(email="z")
    User.where(id="c").delete()
    assert guards_of(backend) == {email("z"): '["a"]'}


def test_long_values_are_told_by_a_digest(use, backend):
    use(User)
    long = "x" * 5000
    User.create(id="a", email=long)
    User.create(id="b", email=long + "y")
    assert refusal(lambda: User.create(id="c", email=long)).field == "email"
    assert User.get(email=long).id == "a"
    assert all(len(value) < 200 for value in guards_of(backend))


def test_of_sixteen_threads_that_create_one_value_one_wins_and_no_other_leaves_a_guard(use, backend):
    use(User)
    found = together(16, lambda n: User.create(id=f"{n}", email="x", number=n))
    [winner] = [one for one in found if isinstance(one, User)]
    assert sum(isinstance(one, DuplicateKeyError) for one in found) == 15
    assert guards_of(backend) == {
        email("x"): f'["{winner.id}"]',
        f'["User","number",[{winner.id}]]': f'["{winner.id}"]',
    }


def test_a_stale_instance_moves_the_guard_that_the_row_has_now(use, backend):
    use(User)
    stale = User.create(id="a", email="x")
    User.get("a").update(email="y")
    stale.update(number=3)
    assert set(guards_of(backend)) == {email("y"), '["User","number",[3]]'}
    stale.update(email="z")
    assert set(guards_of(backend)) == {email("z"), '["User","number",[3]]'}


def test_a_lock_is_looked_at_before_values(use):
    use(Lease)
    Lease.create(id="a", slot="s")
    stale = Lease.create(id="b", slot="t")
    Lease.get("b").update(name="n")
    with pytest.raises(VersionConflictError):
        stale.update(slot="s")


def test_an_increment_moves_the_guard(use, backend):
    use(Rank)
    rank = Rank.create(id="a", place=1)
    Rank.create(id="b", place=3)
    rank.increment("place")
    assert set(guards_of(backend)) == {'["Rank","place",[2]]', '["Rank","place",[3]]'}
    with pytest.raises(DuplicateKeyError) as caught:
        rank.increment("place")
    assert (caught.value.field, Rank.get("a").place) == ("place", 2)


async def test_guards_work_awaited(use, backend):
    use(User)
    await User.acreate(id="a", email="x")
    with pytest.raises(DuplicateKeyError):
        await User.acreate(id="b", email="x")
    assert (await User.aget(email="x")).id == "a"


# -- guards die with their rows --------------------------------------------------------------------------------------


def deaths(backend: Any) -> list[Any]:
    return [guard.dies for guard in backend.query(UniqueGuard).all()]


def test_a_guard_tells_when_its_row_dies(use, backend, clock):
    use(Lease)
    lease = Lease.create(id="a", slot="s", expires_in=10)
    assert deaths(backend) == [clock.now + timedelta(seconds=10)]
    lease.update(expires_in=20)
    assert deaths(backend) == [clock.now + timedelta(seconds=20)]
    lease.update(expires_in=None)
    assert deaths(backend) == [None]


def test_an_engine_is_told_when_a_row_beside_dies(clock):
    class Watching(GuardedMemory):
        told: list[Any] = []

        def compile_writes(self, bound, writes):
            self.told += [side.dies for write in writes for side in write.side_writes]
            return super().compile_writes(bound, writes)

    backend = Watching()
    backend.clock = clock
    backend.create(Lease, {"id": "a", "slot": "s", "expires_in": 10})
    assert backend.told == [clock.now + timedelta(seconds=10)]


def test_guards_of_dead_rows_can_be_removed_at_any_time(use, backend, clock):
    use(Lease)
    Lease.create(id="a", slot="s", expires_in=10)
    Lease.create(id="b", slot="t")
    clock.forward(seconds=10)
    assert backend.query(UniqueGuard).filter(dies__lte=clock.now).delete() == 1
    assert set(guards_of(backend)) == {'["Lease","slot",["t"]]'}


# -- in a transaction ------------------------------------------------------------------------------------------------


def test_two_creates_of_one_value_in_a_transaction_fail_naming_the_second(use, backend, clock):
    use(Lease)
    Lease.create(id="dead", slot="s", expires_in=10)
    clock.forward(seconds=10)
    with pytest.raises(DuplicateKeyError) as caught, backend.transaction():  # noqa: PT012
        Lease.create(id="a", slot="s")
        Lease.create(id="b", slot="s")
    assert (caught.value.field, caught.value.key, caught.value.model) == ("slot", "b", Lease)
    assert ids(Lease.include_expired().all()) == ["dead"]


def test_a_value_moves_between_rows_of_a_transaction_when_it_is_let_go_first(use, backend):
    use(User)
    first, second = User.create(id="a", email="x"), User.create(id="b", email="y")
    with backend.transaction():
        first.update(email="z")
        second.update(email="x")
    assert guards_of(backend) == {email("z"): '["a"]', email("x"): '["b"]'}
    with pytest.raises(DuplicateKeyError), backend.transaction():  # noqa: PT012
        first.update(email="x")
        second.update(email="y")
    assert guards_of(backend) == {email("z"): '["a"]', email("x"): '["b"]'}


# -- reading by a value ----------------------------------------------------------------------------------------------


def test_a_row_is_found_by_its_guard_where_the_engine_would_look_at_all_rows():
    class NoQueries(GuardedMemory):
        def compile_query(self, bound, query):
            raise AssertionError("a query")

    backend = NoQueries()
    backend.create(User, {"id": "a", "email": "x", "number": 7})
    assert backend.get(User, email="x")["id"] == backend.get(User, number="7")["id"] == "a"
    assert backend.get(User, email="nobody") is None


def test_a_row_that_frees_its_value_and_can_be_seen_is_found_by_a_query():
    class Retiring(Mixin):
        stage: str = "here"

        class Freeing(BackendExtension):
            def frees_unique(self):
                return Q(stage="gone")

    class Car(Retiring, Model):
        id: str = Field(primary_key=True)
        plate: str = Field(unique=True)

    backend = GuardedMemory()
    backend.create(Car, {"id": "a", "plate": "X", "stage": "gone"})
    assert guards_of(backend) == {}
    assert backend.get(Car, plate="X")["id"] == "a"
    backend.create(Car, {"id": "b", "plate": "X"})
    with pytest.raises(DuplicateKeyError):
        backend.query(Car).filter(id="a").update(stage="here")


def test_a_guard_that_can_not_be_read_is_an_error_that_names_the_hook():
    backend = GuardedMemory()
    backend.create(UniqueGuard, {"value": email("x"), "owner": "?", "token": ""})
    with pytest.raises(HookError, match=r"holder raised JSONDecodeError: .*; nothing was read"):
        backend.get(User, email="x")
