"""A hook that fails, wherever it stands, stores nothing and says which extension, hook, model and key it was."""

from __future__ import annotations

from typing import Any

import pytest

from mixstore import (
    BackendExtension,
    BatchError,
    Capability,
    Condition,
    ConfigurationError,
    ConflictError,
    Field,
    HookError,
    Mixin,
    MixstoreError,
    Model,
    NotFoundError,
    Q,
    QueryError,
    SideWrite,
    TransactionError,
    ValidationError,
    WriteChange,
)


class Fragile(Mixin):
    class Anywhere(BackendExtension):
        """Fails in the hook that `fails` names, with what `fails` holds; an answer is given instead of raised."""

        fails: dict[str, Any] = {}

        def _told(self, hook: str, otherwise: Any) -> Any:
            answer = self.fails.get(hook, otherwise)
            if isinstance(answer, Exception):
                raise answer
            return answer

        def before_write(self, context):
            return self._told("before_write", None)

        def validate(self, data):
            return self._told("validate", None)

        def serialize(self, data):
            return self._told("serialize", data)

        def deserialize(self, data):
            return self._told("deserialize", data)

        def modify_query(self, query):
            return self._told("modify_query", query)

        def after_write(self, context, outcome):
            return self._told("after_write", None)

        def after_read(self, context, values):
            return self._told("after_read", values)


class Cup(Fragile, Model):
    id: str = Field(primary_key=True)
    size: int = 0


@pytest.fixture(autouse=True)
def fails(store) -> Any:
    """Cup is bound and holds row "old"; what is put in here happens from then on."""
    fails = Fragile.Anywhere.fails
    fails.clear()
    Cup.create(id="old")
    yield fails
    fails.clear()


WRITES = {
    "create": lambda store, old: Cup.create(id="new"),
    "upsert": lambda store, old: Cup.upsert(id="new"),
    "save": lambda store, old: Cup(id="new").save(),
    "save loaded": lambda store, old: old.save(),
    "update": lambda store, old: old.update(size=5),
    "delete": lambda store, old: old.delete(),
    "update by query": lambda store, old: Cup.where().update(size=5),
    "delete by query": lambda store, old: Cup.where().delete(),
    "backend create": lambda store, old: store.create(Cup, {"id": "new"}),
}
every_write = pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
stores = pytest.mark.parametrize(
    "write",
    [write for name, write in WRITES.items() if "delete" not in name],
    ids=[n for n in WRITES if "del" not in n],
)


def rows(fails: dict[str, Any]) -> list[tuple[str, int]]:
    fails.clear()
    return [(cup.id, cup.size) for cup in Cup.all()]


def key_of(write: Any) -> str:
    return "new" if write in [WRITES[name] for name in ("create", "upsert", "save", "backend create")] else "old"


@every_write
@pytest.mark.parametrize("error", [RuntimeError("crack"), StopIteration("crack"), KeyError("crack")], ids=repr)
def test_a_failing_before_write_stores_nothing_and_says_where(store, fails, write, error):
    old = Cup.get("old")
    fails["before_write"] = error
    with pytest.raises(
        HookError, match=r"Fragile\.Anywhere\.before_write raised .*crack.*nothing was stored"
    ) as caught:
        write(store, old)
    found = caught.value
    assert (found.model, found.key, found.backend) == (Cup, key_of(write), "memory")
    assert found.hook == "Fragile.Anywhere.before_write"
    assert found.__cause__ is error
    assert (rows(fails), old.size) == ([("old", 0)], 0)


@stores
@pytest.mark.parametrize("hook", ["validate", "serialize"])
def test_a_failing_validate_or_serialize_stores_nothing_and_says_where(store, fails, write, hook):
    old = Cup.get("old")
    fails[hook] = StopIteration("crack")
    with pytest.raises(HookError, match=rf"Fragile\.Anywhere\.{hook} raised StopIteration: crack") as caught:
        write(store, old)
    assert (caught.value.model, caught.value.key) == (Cup, key_of(write))
    assert (rows(fails), old.size) == ([("old", 0)], 0)


@stores
def test_a_value_error_in_validate_is_a_validation_error_that_names_the_extension(store, fails, write):
    fails["validate"] = ValueError("too small")
    old = Cup.batch_get(["old"])[0]
    with pytest.raises(ValidationError, match=r"Fragile\.Anywhere\.validate raised ValueError: too small") as caught:
        write(store, old)
    assert caught.value.hook == "Fragile.Anywhere.validate"
    assert rows(fails) == [("old", 0)]


@every_write
def test_a_failing_after_write_says_that_the_row_is_stored(store, fails, write):
    old = Cup.get("old")
    fails["after_write"] = RuntimeError("crack")
    with pytest.raises(HookError, match=r"Fragile\.Anywhere\.after_write raised .*; the row is stored") as caught:
        write(store, old)
    assert caught.value.key == key_of(write)
    assert rows(fails) != [("old", 0)] or write is WRITES["save loaded"]


READS = {
    "get": lambda: Cup.get("old"),
    "batch_get": lambda: Cup.batch_get(["old"]),
    "all": lambda: Cup.all(),
    "iteration": lambda: list(Cup.where()),
    "first": lambda: Cup.where().first(),
    "select": lambda: Cup.where().select().all(),
    "paginate": lambda: Cup.where().paginate(),
    "update by query": lambda: Cup.where().update(size=5),
    "delete by query": lambda: Cup.where().delete(),
}
every_read = pytest.mark.parametrize("read", READS.values(), ids=READS)


@every_read
@pytest.mark.parametrize("hook", ["deserialize", "after_read"])
@pytest.mark.parametrize("error", [RuntimeError("crack"), StopIteration("crack"), ValueError("crack")], ids=repr)
def test_a_failing_hook_of_a_read_says_where(fails, read, hook, error):
    fails[hook] = error
    with pytest.raises(HookError, match=rf"Fragile\.Anywhere\.{hook} raised .*crack; nothing was read") as caught:
        read()
    assert (caught.value.model, caught.value.key, caught.value.__cause__) == (Cup, "old", error)
    assert rows(fails) == [("old", 0)]


@pytest.mark.parametrize("read", [read for name, read in READS.items() if "get" not in name])
@pytest.mark.parametrize("error", [RuntimeError("crack"), StopIteration("crack"), ValueError("crack")], ids=repr)
def test_a_failing_modify_query_says_where(fails, read, error):
    fails["modify_query"] = error
    with pytest.raises(HookError, match=r"Fragile\.Anywhere\.modify_query raised .*crack") as caught:
        read()
    assert (caught.value.model, caught.value.__cause__) == (Cup, error)


def test_an_error_of_mixstore_keeps_its_type_and_gains_the_place(fails):
    fails["before_write"] = NotFoundError("no shelf")
    with pytest.raises(NotFoundError, match=r"no shelf \[model=Cup, key='new', backend=memory, hook=Fragile\.Any"):
        Cup.create(id="new")


@pytest.mark.parametrize(
    ("hook", "answer", "told"),
    [
        ("before_write", {"size": 1}, r"before_write must give a WriteChange or None, not dict"),
        ("before_write", WriteChange({"id": None}), "id"),
        ("before_write", WriteChange(side_writes=("junk",)), "must give side writes that are a SideWrite, not str"),
        ("serialize", None, r"serialize must give a dict, not NoneType"),
        ("serialize", ["id"], r"serialize must give a dict, not list"),
    ],
)
def test_a_hook_of_a_write_that_answers_nonsense_stores_nothing_and_is_named(fails, hook, answer, told):
    fails[hook] = answer
    with pytest.raises(MixstoreError, match=told):
        Cup.create(id="new")
    assert rows(fails) == [("old", 0)]


@pytest.mark.parametrize(
    ("hook", "answer", "told"),
    [
        ("deserialize", None, "must give a dict, not NoneType"),
        ("after_read", None, "must give a dict, not NoneType"),
        ("after_read", {"id": "old"}, "a value for each field and nothing else: size"),
        ("after_read", {"id": "old", "size": 1, "colour": "red"}, "nothing else: colour"),
    ],
)
def test_a_hook_of_a_read_that_answers_nonsense_is_named(fails, hook, answer, told):
    fails[hook] = answer
    with pytest.raises(HookError, match=rf"Fragile\.Anywhere\.{hook}.*{told}"):
        Cup.get("old")


def test_modify_query_that_answers_nonsense_is_named(fails):
    fails["modify_query"] = "all of them"
    with pytest.raises(HookError, match=r"Fragile\.Anywhere\.modify_query must give a Query, not str"):
        Cup.all()


def test_a_failing_row_of_a_batch_does_not_keep_the_others_from_being_stored(fails):
    class Picky(Mixin):
        class Anywhere(BackendExtension):
            def before_write(self, context):
                if context.values["size"] < 0:
                    raise StopIteration("crack")

    class Plate(Picky, Model):
        id: str = Field(primary_key=True)
        size: int = 0

    with pytest.raises(BatchError, match="1 of 3 rows failed") as caught:
        Plate.batch_create([{"id": "a"}, {"id": "b", "size": -1}, {"id": "c"}])
    (error,) = caught.value.failed.values()
    assert (type(error), error.key) == (HookError, "b")
    assert sorted(plate.id for plate in Plate.all()) == ["a", "c"]


def test_a_failing_hook_in_a_transaction_drops_all_of_it(store, fails):
    with pytest.raises(HookError), store.transaction():  # noqa: PT012  (the transaction is the block)
        Cup.create(id="new")
        fails["before_write"] = RuntimeError("crack")
        Cup.create(id="newer")
    assert rows(fails) == [("old", 0)]


def test_a_failing_after_hook_of_a_transaction_does_not_keep_the_others_from_running(store, fails):
    first, second = Cup(id="a"), Cup(id="b")
    fails["after_write"] = RuntimeError("crack")
    with pytest.raises(HookError, match="the row is stored"), store.transaction():  # noqa: PT012  (the transaction is the block)
        first.save()
        second.save()
    fails.clear()
    second.update(size=2)
    assert rows(fails) == [("old", 0), ("a", 0), ("b", 2)]


def test_a_hook_may_not_wait_for_a_transaction_of_its_own_backend(store):
    class Waiting(Mixin):
        class Anywhere(BackendExtension):
            def before_write(self, context):
                with self.backend.transaction():
                    pass

    class Line(Waiting, Model):
        id: str = Field(primary_key=True)

    Line.create(id="a")
    with pytest.raises(TransactionError), store.transaction():
        Line.create(id="b")


def test_a_failing_hook_at_bind_leaves_the_model_unbound_and_may_be_repaired(fails):
    class Late(Mixin):
        class Anywhere(BackendExtension):
            ready = False

            def configure_backend(self, model_class):
                if not self.ready:
                    raise RuntimeError("not yet")

    class Train(Late, Model):
        id: str = Field(primary_key=True)

    for _ in range(2):
        with pytest.raises(ConfigurationError, match="not yet"):
            Train.create(id="a")
    Late.Anywhere.ready = True
    Train.create(id="a")


# -- answers that can't be used ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (WriteChange(5), "must give values that are a dict by field, not int"),  # type: ignore[arg-type]
        (WriteChange(condition=Q(size=1)), "must give a condition that is a Condition, not Q"),  # type: ignore[arg-type]
        (WriteChange(side_writes=5), "must give side writes that are a tuple, not int"),  # type: ignore[arg-type]
        (WriteChange(side_writes=(5,)), "must give side writes that are a SideWrite, not int"),  # type: ignore[arg-type]
        (WriteChange(side_writes=(SideWrite("create", 5),)), "must give side writes of instances of a model, not int"),
        (WriteChange(condition=Condition(Q(sise=1), ConflictError)), "did you mean 'size'"),  # type: ignore[arg-type]
    ],
)
def test_a_change_that_can_not_be_made_names_the_hook_and_stores_nothing(fails, change, told):
    fails["before_write"] = change
    with pytest.raises(MixstoreError) as caught:
        Cup.create(id="new")
    assert told in str(caught.value)
    assert (caught.value.hook, caught.value.key) == ("Fragile.Anywhere.before_write", "new")
    fails.clear()
    assert Cup.get("new") is None


def test_a_side_write_of_no_operation_names_the_hook(fails):
    fails["before_write"] = WriteChange(side_writes=(SideWrite("creat", Cup(id="beside")),))  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match=r"'creat' is no operation(.|\n)*did you mean 'create'"):
        Cup.create(id="new")


def test_counting_where_the_engine_can_not_add_is_refused_before_anything_is_stored(fails, store, monkeypatch):
    monkeypatch.setattr(store, "capabilities", store.capabilities & ~Capability.ADD)
    fails["before_write"] = WriteChange(side_writes=(SideWrite("upsert", Cup(id="beside"), counts=("size",)),))
    with pytest.raises(ConfigurationError, match=r"counts size inside the engine, and memory lacks ADD"):
        Cup.create(id="new")
    fails.clear()
    assert Cup.get("new") is None


def test_a_query_by_an_index_that_is_not_there_names_the_hook(fails):
    fails["modify_query"] = Cup.where().query.replace(index="by_size")
    with pytest.raises(QueryError, match="has no index 'by_size'") as caught:
        Cup.all()
    assert caught.value.hook == "Fragile.Anywhere.modify_query"


@pytest.mark.parametrize(
    ("hook", "answer", "told"),
    [
        ("opaque", None, "it must give a dict by field, not NoneType"),
        ("derived", ["size"], "it must give a dict by field, not list"),
        ("derived", {"size": 5}, "what makes Odd.size must be a function, not 5"),
        ("enforces", ["size"], "it must give tuples of fields"),
        ("enforces", None, "'NoneType' object is not iterable"),
        ("side_models", (int,), "it must give models, not <class 'int'>"),
    ],
)
def test_what_a_hook_says_at_bind_and_can_not_be_used_names_it(store, hook, answer, told):
    namespace = {"__qualname__": "Says.Ends", hook: lambda self, model_class: answer}

    class Says(Mixin):
        Ends = type(BackendExtension)("Ends", (BackendExtension,), namespace)

    class Odd(Says, Model):
        id: str = Field(primary_key=True)
        size: int = 0

    with pytest.raises(ConfigurationError) as caught:
        Odd.create(id="a")
    assert f"Says.Ends.{hook}" in str(caught.value)
    assert told in str(caught.value)
