"""Guards that do not count, and what becomes of them and of their rows when somebody wants the value."""

from __future__ import annotations

from typing import Any

import pytest

from mixstore import BatchError, DuplicateKeyError, Write
from mixstore_extensions.guards import UniqueGuard
from tests.backends.guarded.engines import GuardedMemory, guards_of
from tests.backends.guarded.models import Lease, Page, User
from tests.backends.shared.support import ids, refusal, together


def email(value: str) -> str:
    return f'["User","email",["{value}"]]'


def take_away(backend: Any, value: str) -> None:
    """Remove a guard as an engine does that removes rows whose time is over."""
    other = backend.bound(UniqueGuard)
    assert backend.execute(backend.compile_writes(other, (Write("delete", other, (value,)),)))[0].status == "ok"


# -- guards that do not count ----------------------------------------------------------------------------------------


def test_a_guard_whose_row_is_gone_is_taken_over(use, backend):
    use(User)
    bound = backend.bound(User)
    User.create(id="a", email="x")
    backend.execute(backend.compile_writes(bound, (Write("delete", bound, ("a",)),)))
    assert User.get(email="x") is None
    User.create(id="b", email="x")
    assert guards_of(backend) == {email("x"): '["b"]'}


def test_a_guard_whose_row_has_another_value_is_taken_over(use, backend):
    use(User)
    bound = backend.bound(User)
    User.create(id="a", email="x")
    changes = {"email": "y"}
    backend.execute(backend.compile_writes(bound, (Write("update", bound, ("a",), None, changes),)))
    assert User.get(email="x") is None
    User.create(id="b", email="x")
    assert User.get(email="x").id == "b"
    assert User.get("a").email == "y"


def test_an_upsert_guards_a_row_that_had_no_guard_yet(use, backend):
    use(User)
    bound = backend.bound(User)
    row = {"id": "a", "email": "x", "number": None}
    backend.execute(backend.compile_writes(bound, (Write("create", bound, ("a",), row),)))
    User.batch_upsert(User.all())
    assert guards_of(backend) == {email("x"): '["a"]'}
    row["id"] = "b"
    backend.execute(backend.compile_writes(bound, (Write("create", bound, ("b",), row),)))
    with pytest.raises(BatchError) as caught:
        User.batch_upsert(User.where().order_by("id").all())
    assert list(caught.value.failed) == [1]


def test_a_dead_holder_is_removed_with_all_of_its_guards(use, backend, clock):
    use(Lease)
    Lease.create(id="a", slot="s", port=1, expires_in=10)
    clock.forward(seconds=10)
    Lease.create(id="b", slot="s")
    assert guards_of(backend) == {'["Lease","slot",["s"]]': '["b"]'}
    assert ids(Lease.include_expired().all()) == ["b"]


def test_all_values_of_one_dead_holder_can_be_taken_at_once(use, backend, clock):
    use(Lease)
    Lease.create(id="a", slot="s", port=1, expires_in=10)
    clock.forward(seconds=10)
    Lease.create(id="b", slot="s", port=1)
    assert set(guards_of(backend).values()) == {'["b"]'}
    assert Lease.include_expired().count() == 1


def test_values_of_two_dead_holders_can_be_taken_at_once(use, backend, clock):
    use(Lease)
    Lease.create(id="a", slot="s", expires_in=10)
    Lease.create(id="b", port=1, expires_in=10)
    clock.forward(seconds=10)
    with backend.transaction():
        Lease.create(id="c", slot="s", port=1)
    assert set(guards_of(backend).values()) == {'["c"]'}
    assert Lease.include_expired().count() == 1


def test_of_many_who_want_the_value_of_a_dead_row_one_gets_it(use, backend, clock):
    use(Lease)
    Lease.create(id="dead", slot="s", port=1, expires_in=10)
    clock.forward(seconds=10)
    found = together(16, lambda n: Lease.create(id=f"{n}", slot="s"))
    [winner] = [one for one in found if isinstance(one, Lease)]
    assert sum(isinstance(one, DuplicateKeyError) for one in found) == 15
    assert guards_of(backend) == {'["Lease","slot",["s"]]': f'["{winner.id}"]'}


def test_purging_a_row_leaves_the_guard_of_who_has_its_value_now(use, backend, clock):
    use(Lease)
    Lease.create(id="a", slot="s", expires_in=10)
    clock.forward(seconds=10)
    take_away(backend, '["Lease","slot",["s"]]')
    Lease.create(id="b", slot="s")
    assert Lease.purge_expired() == 1
    assert guards_of(backend) == {'["Lease","slot",["s"]]': '["b"]'}
    assert refusal(lambda: Lease.create(id="c", slot="s")).field == "slot"


def test_purging_frees_what_nobody_took(use, backend, clock):
    use(Lease)
    Lease.create(id="a", slot="s", expires_in=10)
    clock.forward(seconds=10)
    assert Lease.purge_expired() == 1
    assert guards_of(backend) == {}


def test_a_row_can_not_come_back_to_a_value_that_somebody_has_now(use, backend, clock):
    use(Lease)
    Lease.create(id="a", slot="s", expires_in=10)
    clock.forward(seconds=10)
    take_away(backend, '["Lease","slot",["s"]]')
    Lease.create(id="b", slot="s")
    back: Any = Lease.include_expired().filter(id="a")
    with pytest.raises(DuplicateKeyError):
        back.update(expires_at=None)
    Lease.get("b").delete()
    assert back.update(expires_at=None) == 1
    assert guards_of(backend) == {'["Lease","slot",["s"]]': '["a"]'}


def test_a_purged_row_that_was_soft_deleted_leaves_the_guard_of_who_has_its_value_now(use, backend):
    use(Page)
    Page.create(id="a", slug="s").delete()
    assert guards_of(backend) == {}
    Page.create(id="b", slug="s")
    assert Page.purge_deleted() == 1
    assert guards_of(backend) == {'["Page","slug",["s"]]': '["b"]'}


# -- between two looks -----------------------------------------------------------------------------------------------


class Meddling(GuardedMemory):
    """Lets somebody else act after a row of a model was read by its key."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model
        self.meddle: list[Any] = []

    def compile_get(self, bound, keys):
        plan = super().compile_get(bound, keys)

        def read() -> Any:
            rows = plan()
            if bound.model is self.model and self.meddle:
                self.meddle.pop()()
            return rows

        return read


def test_a_holder_that_comes_back_while_it_is_looked_at_keeps_its_value():
    backend = Meddling(User)
    bound = backend.bound(User)
    backend.create(User, {"id": "a", "email": "x"})
    backend.execute(backend.compile_writes(bound, (Write("delete", bound, ("a",)),)))
    backend.meddle.append(lambda: backend.create(User, {"id": "a", "email": "x"}))
    with pytest.raises(DuplicateKeyError):
        backend.create(User, {"id": "b", "email": "x"})
    assert backend.get(User, id="b") is None


def test_a_dead_holder_that_is_created_anew_while_it_is_looked_at_stays(clock):
    backend = Meddling(Lease)
    backend.clock = clock
    for anew, allowed in (({"slot": "s"}, False), ({"slot": "t"}, True)):
        backend.clear()
        backend.create(Lease, {"id": "a", "slot": "s", "expires_in": 10})
        clock.forward(seconds=10)
        backend.meddle.append(lambda anew=anew: backend.create(Lease, {"id": "a", **anew}))
        error = refusal(lambda: backend.create(Lease, {"id": "b", "slot": "s"}))
        assert (error is None) is allowed
        assert backend.get(Lease, id="a")["slot"] == anew["slot"]


def test_a_guard_that_is_let_go_while_it_is_looked_at_is_taken():
    backend = Meddling(User)
    backend.create(User, {"id": "a", "email": "x"})
    holder = backend.query(User).get()
    backend.meddle.append(lambda: backend.meddle.append(lambda: None) or backend.delete(User, holder))
    with pytest.raises(DuplicateKeyError):  # it was held when it was looked at
        backend.create(User, {"id": "b", "email": "x"})
    backend.create(User, {"id": "c", "email": "x"})
    assert list(guards_of(backend).values()) == ['["c"]']
