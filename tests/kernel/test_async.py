"""The async twins do what the verbs do; tasks share no transaction; a cancelled operation is closed."""

from __future__ import annotations

import asyncio
import inspect
import threading
from typing import Any

import pytest

from mixstore import (
    BackendExtension,
    BatchError,
    DuplicateKeyError,
    Field,
    HookError,
    Mixin,
    Model,
    NotFoundError,
    QueryBuilder,
    TransactionError,
    ValidationError,
    after_save,
    before_save,
)
from mixstore_backends.memory import InMemoryBackend

log: list[Any] = []


class User(Model):
    id: str = Field(primary_key=True)
    name: str = ""
    age: int = 0
    email: str | None = Field(None, unique=True)

    @before_save
    def note(self) -> None:
        log.append(self.id)


@pytest.fixture(params=["inline", "threads"])
def either(request, fresh):
    """A backend whose I/O is awaited at once, and one whose I/O happens in threads."""

    class Threaded(InMemoryBackend):
        async def aexecute(self, plan):
            return await asyncio.to_thread(self.execute, plan)

    backend = InMemoryBackend() if request.param == "inline" else Threaded()
    fresh.connect_as("default", backend)
    log.clear()
    return backend


# -- twins


def test_every_verb_and_end_has_a_twin():
    for owner, words in (
        (Model, "create upsert get all count exists batch_create batch_upsert batch_get save update delete refresh"),
        (QueryBuilder, "all first last one get count exists paginate update delete"),
    ):
        for word in words.split():
            twin = getattr(owner, f"a{word}")
            assert inspect.iscoroutinefunction(twin), word
            assert (
                inspect.signature(twin).parameters.keys() == inspect.signature(getattr(owner, word)).parameters.keys()
            )


async def test_the_verbs_of_a_model_do_the_same(either):
    user = await User.acreate(id="a", name="x")
    assert await User.aget("a") == user == User.get("a")
    assert await User.aget(email="none") is None
    await user.aupdate(name="y")
    user.age = 3
    await user.asave()
    User.get("a").update(name="z")
    assert (await user.arefresh()).name == "z"
    await User.aupsert(id="a", name="w")
    await User(id="b").asave()
    await User.abatch_create([{"id": "c"}, {"id": "d"}])
    await User.abatch_upsert([{"id": "d", "age": 9}, {"id": "e"}])
    assert [one and one.age for one in await User.abatch_get(["d", "none"])] == [9, None]
    assert (await User.acount(), await User.aexists(id="e"), len(await User.aall())) == (5, True, 5)
    assert (await user.adelete(), await user.adelete()) == (True, False)
    assert log == ["a", "a", "a", "a", "a", "b", "c", "d", "d", "e"]


async def test_the_ends_of_a_query_do_the_same(either):
    User.batch_create([{"id": key, "age": age} for age, key in enumerate("abcde")])
    query = User.where(age__gte=1).order_by("-age")
    assert [one.id for one in await query.aall()] == ["e", "d", "c", "b"]
    assert ((await query.afirst()).id, (await query.alast()).id) == ("e", "b")
    assert (await query.acount(), await query.aexists(), (await User.where(id="c").aone()).age) == (4, True, 2)
    assert await User.where(id="none").aget() is None
    page = await query.limit(3).apaginate()
    rest = await query.limit(3).cursor(page.cursor).apaginate()
    assert ([one.id for one in page], [one.id for one in rest], rest.cursor) == (["e", "d", "c"], ["b"], None)
    assert [one.id async for one in query.limit(3)] == ["e", "d", "c"]
    assert await query.limit(1).aupdate(name="old") == 1
    assert await User.where(name="").adelete() == 4
    assert [one.id for one in User.all()] == ["e"]


async def test_errors_are_the_same(either):
    await User.acreate(id="a", email="x")
    with pytest.raises(DuplicateKeyError, match="key='a'"):
        await User.acreate(id="a")
    with pytest.raises(DuplicateKeyError, match=r"User\.email"):
        await User.acreate(id="b", email="x")
    with pytest.raises(ValidationError):
        await User.acreate(id="b", age="many")
    with pytest.raises(NotFoundError):
        await User.where(id="b").aone()
    with pytest.raises(BatchError):
        await User.abatch_create([{"id": "a"}, {"id": "b"}])
    user = await User.aget("a")
    await user.adelete()
    with pytest.raises(NotFoundError):
        await user.asave()


async def test_stop_iteration_in_a_hook_is_a_hook_error_too(either):
    class Stopping(Model):
        id: str = Field(primary_key=True)

        @before_save
        def stop(self) -> None:
            raise StopIteration("stopped")

    with pytest.raises(HookError, match="stopped"):
        await Stopping.acreate(id="a")


async def test_twins_leave_the_loop_free(fresh):
    class Slow(InMemoryBackend):
        def execute(self, plan):
            assert reached.wait(5)
            return super().execute(plan)

        async def aexecute(self, plan):
            return await asyncio.to_thread(self.execute, plan)

    reached = threading.Event()
    backend = Slow()
    fresh.connect_as("default", backend)
    task = asyncio.create_task(User.acreate(id="a"))
    await asyncio.sleep(0.01)
    assert not task.done()
    reached.set()
    assert (await task).id == "a"


async def test_many_tasks_write_without_losing_any(either):
    await asyncio.gather(*(User.acreate(id=str(n)) for n in range(50)))
    taken = await asyncio.gather(*(User.acreate(id="0") for _ in range(5)), return_exceptions=True)
    assert all(isinstance(error, DuplicateKeyError) for error in taken)
    assert await User.acount() == 50


# -- transactions


async def test_an_async_transaction_commits_all_or_nothing(either):
    user = await User.acreate(id="a")
    async with either.transaction():
        await User.acreate(id="b")
        await user.aupdate(name="x")
        assert await User.acount() == 1
    assert (await User.acount(), user.name) == (2, "x")
    with pytest.raises(DuplicateKeyError, match="key='b'"):  # noqa: PT012  (the transaction is the block)
        async with either.transaction():
            await User.acreate(id="c")
            await User.acreate(id="b")
    with pytest.raises(KeyError):  # noqa: PT012  (see above)
        async with either.transaction():
            await User.acreate(id="d")
            raise KeyError("out")
    assert sorted(one.id for one in await User.aall()) == ["a", "b"]


async def test_a_with_block_commits_in_async_code_too(either):
    with either.transaction():
        await User.acreate(id="a")
    assert await User.acount() == 1


async def test_two_tasks_never_share_a_transaction(either):
    inside, outside = asyncio.Event(), asyncio.Event()

    async def first() -> None:
        async with either.transaction():
            await User.acreate(id="a")
            inside.set()
            await outside.wait()

    async def second() -> None:
        await inside.wait()
        await User.acreate(id="b")
        assert sorted(one.id for one in await User.aall()) == ["b"]
        async with either.transaction():
            await User.acreate(id="c")
        assert sorted(one.id for one in await User.aall()) == ["b", "c"]
        outside.set()

    await asyncio.gather(first(), second())
    assert sorted(one.id for one in await User.aall()) == ["a", "b", "c"]


@pytest.mark.parametrize(
    "use",
    [
        lambda: User.acreate(id="x"),
        lambda: User.aget("a"),
        lambda: User.abatch_create([{"id": "x"}]),
        lambda: User.where(id="a").aupdate(name="x"),
        lambda: User.where(id="a").adelete(),
        lambda: User.aupsert(id="a"),
    ],
    ids=["create", "get", "batch_create", "update by query", "delete by query", "upsert"],
)
async def test_a_child_task_that_inherits_a_transaction_cannot_use_it(either, use):
    await User.acreate(id="a")
    with pytest.raises(TransactionError, match="belongs to another task"):
        async with either.transaction():
            await asyncio.create_task(use())
    assert [one.id for one in await User.aall()] == ["a"]


async def test_a_child_task_cannot_use_it_after_it_ended_either(either):
    gate = asyncio.Event()

    async def late() -> None:
        await gate.wait()
        await User.acreate(id="late")

    async with either.transaction():
        task = asyncio.create_task(late())
        await asyncio.sleep(0)
    gate.set()
    with pytest.raises(TransactionError):
        await task
    assert await User.acount() == 0


async def test_work_in_a_thread_does_not_see_the_transaction_of_its_task(either):
    with pytest.raises(TransactionError, match="another task or thread"):
        async with either.transaction():
            await asyncio.to_thread(User.create, id="a")


def test_two_threads_never_share_a_transaction(either):
    inside, outside = threading.Event(), threading.Event()
    seen: list[int] = []

    def other() -> None:
        inside.wait(5)
        User.create(id="b")
        seen.append(User.count())
        outside.set()

    thread = threading.Thread(target=other)
    thread.start()
    with either.transaction():
        User.create(id="a")
        inside.set()
        assert outside.wait(5)
    thread.join()
    assert (seen, User.count()) == ([1], 2)


async def test_transactions_of_two_backends_are_two(either, fresh):
    other = InMemoryBackend()
    async with either.transaction():
        await User.acreate(id="a")
        other.create(User, {"id": "b"})
        async with other.transaction():
            other.create(User, {"id": "c"})
        assert (other.count(User), either.count(User)) == (2, 0)
    assert either.count(User) == 1


# -- cancellation


class Waiting(InMemoryBackend):
    """Waits before (or after) it stores, until it is told to go on."""

    def __init__(self, *, stores_first: bool = False) -> None:
        super().__init__()
        self.reached, self.go_on = asyncio.Event(), asyncio.Event()
        self.stores_first = stores_first

    async def aexecute(self, plan):
        answer = self.execute(plan) if self.stores_first else None
        self.reached.set()
        await self.go_on.wait()
        return answer if self.stores_first else self.execute(plan)


class Watched(Mixin):
    class Anywhere(BackendExtension):
        def before_write(self, context):
            log.append("before")

        def after_write(self, context, outcome):
            log.append("after")


class Doc(Watched, Model):
    id: str = Field(primary_key=True)
    text: str = ""

    @after_save
    def stored(self) -> None:
        log.append("saved")


async def cancelled(backend: Waiting, steps: Any) -> None:
    task = asyncio.create_task(steps)
    await backend.reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("stores_first", [False, True], ids=["before the store", "after the store"])
async def test_a_cancelled_write_is_closed_and_changes_no_instance(fresh, stores_first):
    backend = Waiting(stores_first=stores_first)
    fresh.connect_as("default", backend)
    log.clear()
    doc = Doc(id="a", text="x")
    await cancelled(backend, doc.asave())
    assert log == ["before"]
    assert backend.exists(Doc, id="a") is stores_first
    backend.go_on.set()
    if stores_first:
        with pytest.raises(DuplicateKeyError):
            await doc.asave()
    else:
        await doc.asave()
        assert log == ["before", "before", "after", "saved"]


async def test_a_cancelled_transaction_stores_nothing_and_is_over(fresh):
    backend = Waiting()
    fresh.connect_as("default", backend)

    async def work() -> None:
        async with backend.transaction():
            await Doc.acreate(id="a")

    await cancelled(backend, work())
    backend.go_on.set()
    await Doc.acreate(id="b")
    assert [doc.id for doc in await Doc.aall()] == ["b"]


async def test_a_block_that_is_cancelled_drops_its_buffer(either):
    async def work() -> None:
        async with either.transaction():
            await User.acreate(id="a")
            await asyncio.sleep(60)

    task = asyncio.create_task(work())
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await User.acount() == 0


async def test_a_timeout_leaves_the_model_usable(fresh):
    backend = Waiting()
    fresh.connect_as("default", backend)
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(Doc.acreate(id="a"), 0.01)
    backend.go_on.set()
    assert (await Doc.acreate(id="a")).id == "a"


async def test_an_iteration_that_is_left_early_reads_no_further(either):
    User.batch_create([{"id": f"{n:04}"} for n in range(1200)])
    seen = []
    async for user in User.where():
        seen.append(user.id)
        if len(seen) == 3:
            break
    assert seen == ["0000", "0001", "0002"]
