"""Events: observers hear of every operation once it ended, well or not."""

from __future__ import annotations

import asyncio
import logging

import pytest

from mixstore import DuplicateKeyError, Field, Model, NotFoundError
from mixstore.events import Event
from mixstore_backends.memory import InMemoryBackend


class User(Model):
    id: str = Field(primary_key=True)
    name: str = ""


@pytest.fixture
def heard(fresh, store):
    events: list[Event] = []
    fresh.register_observer(events.append)
    return events


def told(events: list[Event]) -> list[tuple[str, int]]:
    return [(event.operation, event.rows) for event in events]


def test_every_verb_is_one_event_with_its_name_and_rows(heard):
    user = User.create(id="a")
    User.upsert(id="b")
    User.batch_create([{"id": "c"}, {"id": "d"}])
    User.batch_upsert([{"id": "e"}])
    User.get("a")
    User.get("none")
    User.batch_get(["a", "none", "b"])
    user.update(name="x")
    user.save()
    user.refresh()
    user.delete()
    user.delete()
    assert told(heard) == [
        ("create", 1),
        ("upsert", 1),
        ("batch_create", 2),
        ("batch_upsert", 1),
        ("get", 1),
        ("get", 0),
        ("batch_get", 2),
        ("update", 1),
        ("save", 1),
        ("refresh", 1),
        ("delete", 1),
        ("delete", 0),
    ]


def test_every_end_of_a_query_is_one_event_with_its_name_and_rows(heard):
    User.batch_create([{"id": key} for key in "abc"])
    heard.clear()
    query = User.where()
    query.all()
    query.first()
    query.last()
    query.limit(1).one()
    query.limit(1).get()
    query.count()
    query.exists()
    query.limit(2).paginate()
    query.update(name="x")
    query.limit(2).delete()
    User.all()
    User.count()
    query.explain()
    assert told(heard) == [
        ("all", 3),
        ("first", 1),
        ("last", 1),
        ("one", 1),
        ("get", 1),
        ("count", 3),
        ("exists", 1),
        ("paginate", 2),
        ("update", 3),
        ("delete", 2),
        ("all", 1),
        ("count", 1),
        ("explain", 0),
    ]


def test_an_iteration_is_one_event_a_page(heard):
    User.batch_create([{"id": f"{n:04}"} for n in range(700)])
    heard.clear()
    list(User.where())
    assert told(heard) == [("iterate", 500), ("iterate", 200)]


def test_an_event_says_model_backend_and_how_long_it_took(heard):
    User.create(id="a")
    (event,) = heard
    assert (event.model, event.backend, event.error) == (User, "memory", None)
    assert 0 <= event.seconds < 5


def test_an_operation_that_fails_is_an_event_with_its_error(heard):
    User.create(id="a")
    heard.clear()
    with pytest.raises(DuplicateKeyError) as caught:
        User.create(id="a")
    with pytest.raises(NotFoundError):
        User(id="none").update(name="x")
    assert [(event.operation, type(event.error), event.rows) for event in heard] == [
        ("create", DuplicateKeyError, 0),
        ("update", NotFoundError, 0),
    ]
    assert heard[0].error is caught.value


def test_a_transaction_is_an_event_at_its_end(heard, store):
    with store.transaction():
        User.create(id="a")
        User.create(id="b")
    assert told(heard)[-1] == ("transaction", 2)


async def test_async_twins_are_the_same_events(heard):
    await User.acreate(id="a")
    await User.where().aall()
    await User.where().acount()
    assert told(heard) == [("create", 1), ("all", 1), ("count", 1)]


async def test_a_cancelled_operation_is_an_event(fresh):
    class Stuck(InMemoryBackend):
        async def aexecute(self, plan):
            await asyncio.sleep(60)

    events: list[Event] = []
    fresh.register_observer(events.append)
    fresh.connect_as("default", Stuck())
    task = asyncio.create_task(User.acreate(id="a"))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    (event,) = events
    assert isinstance(event.error, asyncio.CancelledError)


def test_an_observer_that_comes_later_hears_models_that_are_in_use(fresh, store):
    User.create(id="a")
    events: list[Event] = []
    fresh.register_observer(events.append)
    User.get("a")
    assert told(events) == [("get", 1)]


def test_an_observer_that_fails_is_logged_and_harms_nothing(fresh, store, caplog):
    events: list[Event] = []

    def broken(event: Event) -> None:
        raise RuntimeError("no ears")

    fresh.register_observer(broken)
    fresh.register_observer(events.append)
    with caplog.at_level(logging.ERROR, "mixstore"):
        assert User.create(id="a").id == "a"
    assert "no ears" in caplog.text
    assert told(events) == [("create", 1)]


def test_the_backends_own_methods_are_events_too(heard, store):
    store.create(User, {"id": "a"})
    store.get(User, id="a")
    store.query(User).all()
    assert told(heard) == [("create", 1), ("get", 1), ("all", 1)]


def test_models_of_another_registry_are_not_heard(heard):
    from mixstore.registry import registry

    with registry() as inner:
        inner.load_plugins([])
        inner.connect_as("default", InMemoryBackend())
        User.create(id="a")
    assert heard == []
