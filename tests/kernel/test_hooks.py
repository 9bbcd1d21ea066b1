"""Model hooks: inherited and additive, and run once per row on every path."""

from __future__ import annotations

from typing import Any

import pytest

from mixstore import (
    BatchError,
    Field,
    HookError,
    Mixin,
    Model,
    NotFoundError,
    QueryError,
    ValidationError,
    after_delete,
    after_load,
    after_save,
    before_delete,
    before_save,
)

log: list[Any] = []


@pytest.fixture(autouse=True)
def clean(store):
    log.clear()


class Logged(Mixin):
    """Writes down every hook that runs: (event, key)."""

    @before_save
    def log_before_save(self) -> None:
        log.append(("before_save", self.id))

    @after_save
    def log_after_save(self) -> None:
        log.append(("after_save", self.id))

    @before_delete
    def log_before_delete(self) -> None:
        log.append(("before_delete", self.id))

    @after_delete
    def log_after_delete(self) -> None:
        log.append(("after_delete", self.id))

    @after_load
    def log_after_load(self) -> None:
        log.append(("after_load", self.id))


class User(Logged, Model):
    id: str = Field(primary_key=True)
    name: str = ""
    email: str | None = Field(None, unique=True)
    tags: list[str] = []


def told(*events: str, keys: str = "a") -> list[tuple[str, str]]:
    return [(event, key) for key in keys for event in events]


SAVED = ("before_save", "after_save")
DELETED = ("before_delete", "after_delete")


def existing(*keys: str) -> list[User]:
    users = User.batch_create([{"id": key} for key in keys])
    log.clear()
    return users


# -- every path, once per row


def test_create_runs_the_hooks_once():
    User.create(id="a")
    assert log == told(*SAVED)


def test_upsert_runs_the_hooks_once_whether_the_row_is_there_or_not():
    User.upsert(id="a")
    User.upsert(id="a", name="Ada")
    assert log == told(*SAVED) * 2


def test_save_of_a_new_instance_runs_the_hooks_once():
    User(id="a").save()
    assert log == told(*SAVED)


def test_save_of_a_loaded_instance_runs_the_hooks_once():
    (user,) = existing("a")
    user.name = "Ada"
    user.save()
    assert log == told(*SAVED)


def test_update_runs_the_hooks_once():
    (user,) = existing("a")
    user.update(name="Ada")
    assert log == told(*SAVED)


def test_delete_runs_the_hooks_once():
    (user,) = existing("a")
    user.delete()
    assert log == told(*DELETED)


def test_batch_create_runs_the_hooks_once_per_row():
    User.batch_create([{"id": "a"}, User(id="b")])
    assert sorted(log) == sorted(told(*SAVED, keys="ab"))


def test_batch_upsert_runs_the_hooks_once_per_row():
    existing("a")
    User.batch_upsert([{"id": "a"}, {"id": "b"}])
    assert sorted(log) == sorted(told(*SAVED, keys="ab"))


def test_update_by_query_loads_and_saves_each_row_once():
    existing("a", "b")
    assert User.where().update(name="x") == 2
    assert sorted(log) == sorted(told("after_load", *SAVED, keys="ab"))


def test_delete_by_query_loads_and_deletes_each_row_once():
    existing("a", "b")
    assert User.where().delete() == 2
    assert sorted(log) == sorted(told("after_load", *DELETED, keys="ab"))


def test_a_transaction_runs_before_hooks_at_the_call_and_after_hooks_after_the_commit(store):
    (old,) = existing("b")
    with store.transaction():
        User.create(id="a")
        old.delete()
        assert log == [("before_save", "a"), ("before_delete", "b")]
    assert log[2:] == [("after_save", "a"), ("after_delete", "b")]


@pytest.mark.parametrize(
    "write",
    [
        lambda store: store.create(User, {"id": "a"}),
        lambda store: store.upsert(User, {"id": "a"}),
        lambda store: store.batch_create(User, [{"id": "a"}]),
    ],
    ids=["create", "upsert", "batch_create"],
)
def test_the_backends_own_methods_run_the_hooks(store, write):
    write(store)
    assert log == told(*SAVED)


def test_the_backends_own_update_and_delete_run_the_hooks(store):
    (user,) = existing("a")
    user.name = "Ada"
    store.update(User, user)
    store.delete(User, user)
    assert log == told(*SAVED, *DELETED)


@pytest.mark.parametrize(
    "read",
    [
        lambda: User.get("a"),
        lambda: User.get(email="a@x"),
        lambda: User.batch_get(["a"]),
        lambda: User.where().all(),
        lambda: User.where().first(),
        lambda: User.where().last(),
        lambda: User.where().one(),
        lambda: User.where().get(),
        lambda: User.where().paginate(),
        lambda: list(User.where()),
    ],
    ids=["get", "get unique", "batch_get", "all", "first", "last", "one", "where get", "paginate", "iteration"],
)
def test_every_read_of_a_row_runs_after_load_once(read):
    User.create(id="a", email="a@x")
    log.clear()
    read()
    assert log == told("after_load")


def test_refresh_runs_after_load_once():
    (user,) = existing("a")
    user.refresh()
    assert log == told("after_load")


@pytest.mark.parametrize("read", [lambda: User.count(), lambda: User.exists(), lambda: User.where().select("id").all()])
def test_reads_that_make_no_instance_run_no_hook(read):
    existing("a")
    read()
    assert log == []


def test_delete_of_a_missing_row_runs_no_after_hook():
    (user,) = existing("a")
    user.delete()
    log.clear()
    assert user.delete() is False
    assert log == told("before_delete")


# -- inheritance


def test_hooks_add_up_along_the_bases_parents_first():
    class Person(Model):
        id: str = Field(primary_key=True)

        @before_save
        def of_person(self) -> None:
            log.append("person")

    class Employee(Person):
        @before_save
        def of_employee(self) -> None:
            log.append("employee")

    Employee.create(id="a")
    assert log == ["person", "employee"]


def test_a_hook_of_the_same_name_does_not_drop_its_parents():
    class Person(Model):
        id: str = Field(primary_key=True)

        @before_save
        def prepare(self) -> None:
            log.append("person")

    class Employee(Person):
        @before_save
        def prepare(self) -> None:
            log.append("employee")

    Employee.create(id="a")
    assert log == ["person", "employee"]


def test_a_hook_of_a_mixin_that_two_bases_share_runs_once():
    class Left(Logged):
        pass

    class Right(Logged):
        pass

    class Both(Left, Right, Model):
        id: str = Field(primary_key=True)

    Both.create(id="a")
    assert log == told(*SAVED)


def test_a_hook_may_take_the_context():
    class Told(Model):
        id: str = Field(primary_key=True)
        name: str = ""

        @before_save
        @after_save
        def tell(self, context) -> None:
            previous = context.previous and context.previous["name"]
            log.append((context.operation, context.asked, context.key, context.values["name"], previous))

    Told.create(id="a", name="x").update(name="y")
    assert log == [("create", "create", ("a",), "x", None)] * 2 + [("update", "update", ("a",), "y", "x")] * 2


def test_one_method_may_be_a_hook_of_several_events():
    class Told(Model):
        id: str = Field(primary_key=True)

        @before_delete
        @before_save
        def tell(self, context) -> None:
            log.append(context.asked)

    Told.create(id="a").delete()
    assert log == ["create", "delete"]


# -- failing hooks


class Failing(Model):
    id: str = Field(primary_key=True)
    name: str = ""

    @before_save
    def check(self) -> None:
        if self.name == "wrong":
            raise ValueError("wrong name")
        if self.name == "broken":
            raise KeyError("broken")
        if self.name == "stop":
            raise StopIteration("stopped")
        if self.name == "missing":
            raise NotFoundError("nowhere")

    @before_delete
    def keep(self) -> None:
        if self.name == "keep":
            raise RuntimeError("keep me")

    @after_save
    def then(self) -> None:
        if self.name == "after":
            raise RuntimeError("too late")

    @after_load
    def loaded(self) -> None:
        if self.name == "unreadable":
            raise StopIteration("stopped")


def test_a_value_error_in_a_hook_is_a_validation_error_that_names_the_hook():
    with pytest.raises(ValidationError, match=r"Failing\.check raised ValueError: wrong name; nothing was stored") as e:
        Failing.create(id="a", name="wrong")
    assert (e.value.model, e.value.key, e.value.hook) == (Failing, "a", "Failing.check")
    assert isinstance(e.value.__cause__, ValueError)
    assert Failing.count() == 0


@pytest.mark.parametrize(("name", "cause"), [("broken", KeyError), ("stop", StopIteration)])
def test_any_other_error_in_a_hook_is_a_hook_error_that_names_the_hook(name, cause):
    with pytest.raises(HookError, match=r"Failing\.check raised .*nothing was stored.*model=Failing, key='a'") as e:
        Failing.create(id="a", name=name)
    assert isinstance(e.value.__cause__, cause)
    assert Failing.count() == 0


def test_an_error_of_mixstore_keeps_its_type_and_gains_the_place():
    with pytest.raises(NotFoundError, match=r"nowhere .*model=Failing, key='a'.*hook=Failing\.check"):
        Failing.create(id="a", name="missing")


def test_a_failing_before_delete_hook_keeps_the_row():
    one = Failing.create(id="a", name="keep")
    with pytest.raises(HookError, match=r"Failing\.keep"):
        one.delete()
    assert Failing.exists(id="a")


def test_a_failing_after_hook_says_that_the_row_is_stored():
    with pytest.raises(HookError, match=r"Failing\.then raised RuntimeError: too late; the row is stored"):
        Failing.create(id="a", name="after")
    assert Failing.exists(id="a")


@pytest.mark.parametrize(
    "read",
    [lambda: Failing.get("a"), lambda: Failing.all(), lambda: list(Failing.where()), lambda: Failing.batch_get(["a"])],
    ids=["get", "all", "iteration", "batch_get"],
)
def test_a_failing_after_load_hook_names_itself_and_the_row(read):
    Failing.create(id="a", name="unreadable")
    with pytest.raises(HookError, match=r"Failing\.loaded raised StopIteration.*key='a'"):
        read()


def test_one_failing_row_of_a_batch_does_not_keep_the_others_from_being_stored():
    with pytest.raises(BatchError) as caught:
        Failing.batch_create([{"id": "a"}, {"id": "b", "name": "broken"}, {"id": "c"}])
    assert {index: type(error) for index, error in caught.value.failed.items()} == {1: HookError}
    assert [one.id for one in Failing.where().order_by("id").all()] == ["a", "c"]


def test_a_failing_hook_in_a_transaction_leaves_nothing_stored(store):
    with pytest.raises(HookError), store.transaction():  # noqa: PT012  (the transaction is the block)
        Failing.create(id="a")
        Failing.create(id="b", name="broken")
    assert Failing.count() == 0


def test_update_by_query_of_an_unknown_field_names_the_nearest_one_before_anything_is_written():
    existing("a")
    with pytest.raises(QueryError, match="did you mean 'name'"):
        User.where().update(nme="x")
    assert log == []
