"""All that a model can do on a stranger's backend of forty lines, which shares its rows with nobody."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Annotated, Any

import pytest
from pydantic import BaseModel

from mixstore import (
    Backend,
    BackendExtension,
    BatchError,
    Capability,
    DuplicateKeyError,
    Field,
    Key,
    Mixin,
    Model,
    ModelAdapter,
    MultipleResultsError,
    NotFoundError,
    Q,
    QueryBuilder,
    UnsupportedOperationError,
    ValidationError,
    before_delete,
    before_save,
)


class DictAdapter(ModelAdapter):
    """Just the three methods that are asked for."""

    def model_to_storage(self, instance):
        return dict(instance)

    def storage_to_model(self, model_class, data):
        return dict(data)

    def get_primary_key_value(self, instance):
        return instance.id


class DictBackend(Backend):
    """Rows as dicts by id, one dict a model; nothing but the abstract methods."""

    backend_name = "dicts"

    def __init__(self):
        super().__init__(DictAdapter())
        self.rows: dict[str, dict[Any, dict[str, Any]]] = {}

    def _table(self, model_class):
        return self.rows.setdefault(self.adapter.get_entity_type(model_class), {})

    def create(self, model_class, data):
        if data["id"] in self._table(model_class):
            raise DuplicateKeyError("taken")
        return self.upsert(model_class, data)

    def upsert(self, model_class, data):
        self._table(model_class)[data["id"]] = dict(data)
        return dict(data)

    def get(self, model_class, **filters):
        return self._table(model_class).get(filters["id"])

    def update(self, model_class, instance):
        if instance.id not in self._table(model_class):
            raise NotFoundError("gone")
        return self.upsert(model_class, self.adapter.model_to_storage(instance))

    def delete(self, model_class, instance):
        return self._table(model_class).pop(instance.id, None) is not None

    def query(self, model_class):
        return QueryBuilder.over(model_class, self._table(model_class).values())

    def count(self, model_class, **filters):
        return self.query(model_class).filter(**filters).count()

    def exists(self, model_class, **filters):
        return self.query(model_class).filter(**filters).exists()


class Address(BaseModel):
    city: str


class User(Model):
    id: str = Field(primary_key=True)
    name: str = Field("", index=True)
    age: Annotated[int, Field(ge=0)] = 0
    tags: list[str] = []
    address: Address | None = None


class Shouting(User):
    @before_save
    def shout(self) -> None:
        self.name = self.name.upper()

    @before_delete
    def keep(self) -> None:
        if self.name == "KEEP":
            raise RuntimeError("kept")


@pytest.fixture
def dicts(fresh):
    backend = DictBackend()
    fresh.connect_as("default", backend)
    return backend


@pytest.fixture
def people(dicts):
    ages = (("a", "Ada", 36), ("b", "Bob", 20), ("c", "Cid", 20), ("d", "Dan", 51), ("e", "Eve", 7))
    for key, name, age in ages:
        User.create(id=key, name=name, age=age)
    return dicts


# -- verbs of models


def test_every_verb_of_a_model_works(dicts):
    user = User.create(id="a", name="x", tags=["t"], address={"city": "Rome"})
    assert User.get("a") == user == User.get(id="a")
    user.update(name="y")
    user.tags.append("u")
    user.save()
    assert (User.get("a").name, User.get("a").tags) == ("y", ["t", "u"])
    dicts.rows["User"]["a"]["name"] = "z"
    assert user.refresh().name == "z"
    assert User.upsert(id="a").name == ""
    assert (user.delete(), user.delete(), User.count()) == (True, False, 0)


def test_errors_of_the_backend_gain_model_key_and_backend(dicts):
    user = User.create(id="a")
    with pytest.raises(DuplicateKeyError) as caught:
        User.create(id="a")
    assert (caught.value.model, caught.value.key, caught.value.backend) == (User, "a", "dicts")
    user.delete()
    with pytest.raises(NotFoundError) as caught:
        user.save()
    assert (caught.value.model, caught.value.key) == (User, "a")


def test_what_the_stranger_stores_is_not_shared_with_instances(dicts):
    user = User.create(id="a", tags=["t"], address={"city": "Rome"})
    user.tags.append("leak")
    user.address.city = "leak"
    User.get("a").tags.append("leak")
    assert (User.get("a").tags, User.get("a").address.city) == (["t"], "Rome")


def test_changed_containers_are_checked_before_they_are_stored(dicts):
    user = User.create(id="a", tags=["t"])
    user.tags.append(5)
    with pytest.raises(ValidationError, match="tags"):
        user.save()
    assert User.get("a").tags == ["t"]


def test_values_are_checked_like_anywhere(dicts):
    with pytest.raises(ValidationError, match="age"):
        User.create(id="a", age=-1)
    user = User.create(id="a")
    user.age = -1
    with pytest.raises(ValidationError, match="age"):
        user.save()


def test_a_naive_datetime_is_refused_like_anywhere(dicts):
    class Event(Model):
        id: str = Field(primary_key=True)
        at: datetime

    with pytest.raises(ValidationError, match="at"):
        Event.create(id="a", at=datetime(2026, 1, 1))
    Event.create(id="a", at=datetime(2026, 1, 1, tzinfo=timezone.utc))


def test_batches_work_row_by_row(dicts):
    User.create(id="b")
    with pytest.raises(BatchError) as caught:
        User.batch_create([{"id": "a"}, {"id": "b"}, {"id": "c"}])
    assert {index: type(error) for index, error in caught.value.failed.items()} == {1: DuplicateKeyError}
    User.batch_upsert([{"id": "b", "name": "x"}, {"id": "d"}])
    assert [user and user.name for user in User.batch_get(["b", "z", "a"])] == ["x", None, ""]
    assert User.count() == 4


# -- hooks


def test_model_hooks_run(dicts):
    user = Shouting.create(id="a", name="ada")
    assert (user.name, dicts.rows["Shouting"]["a"]["name"]) == ("ADA", "ADA")
    user.update(name="keep")
    with pytest.raises(Exception, match="kept"):
        user.delete()
    assert Shouting.batch_create([{"id": "b", "name": "bob"}])[0].name == "BOB"
    assert Shouting.where(id="b").update(name="bill") == 1
    assert Shouting.get("b").name == "BILL"


def test_a_failing_hook_stores_nothing(dicts):
    class Failing(User):
        @before_save
        def fail(self) -> None:
            raise RuntimeError("no")

    with pytest.raises(Exception, match=r"Failing\.fail raised RuntimeError: no; nothing was stored"):
        Failing.create(id="a")
    assert Failing.count() == 0


# -- queries


@pytest.mark.usefixtures("people")
def test_queries_are_answered_by_the_reference():
    assert [user.id for user in User.where(age__gte=20).order_by("-age", "name").limit(3).all()] == ["d", "a", "b"]
    assert [user.id for user in User.where(Q(name__icontains="A") | Q(age__lt=10)).order_by("id")] == ["a", "d", "e"]
    assert (User.count(age=20), User.exists(name="Eve"), User.where(age=20).offset(1).count()) == (2, True, 1)
    assert User.where().order_by("age").select("id").first() == {"id": "e"}
    assert [user.id for user in User.where()] == ["a", "b", "c", "d", "e"]
    assert (User.where().first().id, User.where().last().id, User.where(name="Bob").one().id) == ("a", "e", "b")
    with pytest.raises(MultipleResultsError):
        User.where(age=20).one()


@pytest.mark.usefixtures("people")
def test_pages_are_exact():
    seen, cursor = [], None
    while True:
        page = User.where().order_by("-age").limit(2).cursor(cursor).paginate()
        seen.append([user.id for user in page])
        cursor = page.cursor
        if cursor is None:
            break
    assert seen == [["d", "a"], ["b", "c"], ["e"]]


@pytest.mark.usefixtures("people")
def test_writes_by_query_work():
    assert User.where(age=20).update(name="x") == 2
    assert User.where(age__gt=30).delete() == 2
    assert [(user.id, user.name) for user in User.where()] == [("b", "x"), ("c", "x"), ("e", "Eve")]


def test_the_strangers_own_methods_answer_too(people):
    assert people.query(User).filter(age__gte=36).order_by("id").all() == [User.get("a"), User.get("d")]
    assert (people.count(User, age=20), people.exists(User, id="z")) == (2, False)
    assert people.batch_get(User, ["b", "z"])[1] is None
    with pytest.raises(BatchError):
        people.batch_create(User, [{"id": "n"}, {"id": "a"}])


def test_explain_says_that_everything_is_read(people):
    told = User.where(age=20).explain()
    assert (told.backend, "age = 20" in told.residual, told.pushed) == ("dicts", True, "")


# -- extensions and capabilities


class Stamped(Mixin):
    stamp: int = 0

    class Anywhere(BackendExtension):
        def before_write(self, context):
            raise AssertionError("no extension runs here")


class Locked(Stamped):
    class Declares:
        required = True


def test_mixins_that_are_not_required_are_listed_as_inactive(dicts):
    class Thing(Stamped, User): ...

    assert Thing.create(id="a").stamp == 0
    told = {entry.name: (entry.state, entry.reason) for entry in Thing.extensions()}
    assert told["stamped"] == ("inactive", "Thing on dicts: the backend runs no extensions")
    assert told["index"][0] == "inactive"
    assert "name: the backend lacks INDEXES" in told["index"][1]


def test_it_has_no_capabilities_and_no_transactions(dicts):
    assert dicts.capabilities == Capability(0)
    with pytest.raises(UnsupportedOperationError, match="dicts has no transactions"):
        dicts.transaction()


# -- keys


def test_a_key_of_several_fields_is_given_to_the_backend_by_name(fresh):
    class Pairs(DictBackend):
        def get(self, model_class, **filters):
            assert filters == {"hall": "x", "number": 7}
            return {"hall": "x", "number": 7, "guest": "y"}

    class Seat(Model):
        hall: str = Field(primary_key=True)
        number: int = Field(primary_key=True)
        guest: str = ""

    Seat.bind(Pairs())
    assert Seat.get(("x", 7)).guest == "y"


class KeyedBackend(DictBackend):
    """The same, by the fields that a template is made of."""

    def _key(self, data):
        return data["user_id"], data["todo_id"]

    def create(self, model_class, data):
        if self._key(data) in self._table(model_class):
            raise DuplicateKeyError("taken")
        return self.upsert(model_class, data)

    def upsert(self, model_class, data):
        self._table(model_class)[self._key(data)] = dict(data)
        return dict(data)

    def get(self, model_class, **filters):
        return self._table(model_class).get(self._key(filters))

    def update(self, model_class, instance):
        if self._key(vars(instance)) not in self._table(model_class):
            raise NotFoundError("gone")
        return self.upsert(model_class, dict(instance))

    def delete(self, model_class, instance):
        return self._table(model_class).pop(self._key(vars(instance)), None) is not None


def test_a_key_template_is_given_to_the_backend_as_its_fields(fresh):
    class Todo(Model):
        class Meta:
            key = Key(partition="USER#{user_id}", sort="TODO#{todo_id}")

        user_id: str
        todo_id: int
        title: str = ""

    Todo.bind(KeyedBackend())
    todo = Todo.create(user_id="u", todo_id=1)
    with pytest.raises(DuplicateKeyError):
        Todo.create(user_id="u", todo_id=1)
    assert Todo.get(("u", 1)) == todo == Todo.get(user_id="u", todo_id=1)
    assert Todo.batch_get([("u", 2), ("u", 1)]) == [None, todo]
    todo.update(title="x")
    assert todo.refresh().title == "x"
    assert [one.todo_id for one in Todo.where(user_id="u")] == [1]
    assert (todo.delete(), todo.delete(), Todo.get(("u", 1))) == (True, False, None)
