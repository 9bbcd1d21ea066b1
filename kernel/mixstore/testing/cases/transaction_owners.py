"""A transaction belongs to one task or thread; side by side they lose nothing."""

from __future__ import annotations

import asyncio
import threading

import pytest

from mixstore import (
    Backend,
    DuplicateKeyError,
    TransactionError,
    VersionConflictError,
)
from mixstore.testing.conformance import Conformance
from mixstore.testing.models import Account, Document, Person
from mixstore.testing.support import Use, awaited, ids, together
from mixstore.testing.tags import atomic, locking


class TransactionOwnerCases(Conformance):
    """A transaction belongs to one task or thread; side by side they lose nothing."""

    @atomic
    @awaited
    async def test_async_blocks_commit_all_or_nothing(self, use: Use, backend: Backend) -> None:
        use(Person, Account)
        async with backend.transaction():
            person = await Person.acreate(id="a")
            await Account.acreate(id="a", owner="a")
            with pytest.raises(TransactionError):
                await Person.aget("a")
            assert await Person.acount() == 0
        assert (await Account.aget("a")).owner == "a"
        await person.aupdate(age=1)
        with pytest.raises(DuplicateKeyError):  # noqa: PT012
            async with backend.transaction():
                await Person.acreate(id="b")
                await Account.acreate(id="a")
        assert await Person.aget("b") is None
        with pytest.raises(RuntimeError):  # noqa: PT012
            async with backend.transaction():
                await Person.acreate(id="b")
                raise RuntimeError
        assert await Person.acount() == 1

    @atomic
    @awaited
    async def test_tasks_side_by_side_have_their_own_transactions(self, use: Use, backend: Backend) -> None:
        use(Account)

        async def work(number: int) -> None:
            async with backend.transaction():
                await Account.acreate(id=f"{number}a")
                await asyncio.sleep(0.002 * (number % 3))
                await Account.acreate(id=f"{number}b")
                if number % 2:
                    raise RuntimeError

        results = await asyncio.gather(*(work(number) for number in range(8)), return_exceptions=True)
        assert [type(one) for one in results] == [type(None), RuntimeError] * 4
        expected = sorted(f"{number}{part}" for number in range(0, 8, 2) for part in "ab")
        assert sorted(ids(await Account.aall())) == expected

    @atomic
    @awaited
    async def test_a_task_started_inside_can_not_use_the_transaction(self, use: Use, backend: Backend) -> None:
        use(Person)
        async with backend.transaction():
            await Person.acreate(id="a")
            with pytest.raises(TransactionError, match="another task or thread"):
                await asyncio.create_task(Person.acreate(id="b"))
            with pytest.raises(TransactionError, match="another task or thread"):
                await asyncio.to_thread(Person.create, id="c")
        assert ids(await Person.aall()) == ["a"]

    @atomic
    def test_another_thread_does_not_see_the_transaction(self, use: Use, backend: Backend) -> None:
        use(Person)
        with pytest.raises(RuntimeError), backend.transaction():  # noqa: PT012
            Person.create(id="a")
            thread = threading.Thread(target=lambda: Person.create(id="b"))
            thread.start()
            thread.join()
            raise RuntimeError
        assert ids(Person.all()) == ["b"]

    @atomic
    def test_threads_move_money_without_losing_any(self, use: Use, backend: Backend) -> None:
        use(Account)
        Account.batch_create([{"id": name, "balance": 100} for name in "abcd"])

        def work(number: int) -> int:
            moved = 0
            for turn in range(6):
                with backend.transaction():
                    Account.create(id=f"{number}-{turn}-in", balance=-1)
                    Account.create(id=f"{number}-{turn}-out", balance=1)
                moved += 1
            return moved

        assert together(8, work) == [6] * 8
        assert sum(row.balance for row in Account.where()) == 400
        assert Account.count() == 4 + 8 * 12

    @atomic
    @locking
    def test_threads_that_race_for_one_record_in_transactions_store_whole_ones(
        self, use: Use, backend: Backend
    ) -> None:
        use(Document, Account)
        Document.create(id="d")

        def work(number: int) -> bool:
            document = Document.get("d")
            try:
                with backend.transaction():
                    Account.create(id=str(number))
                    document.update(text=str(number), hits=document.hits + 1)
            except VersionConflictError:
                return False
            return True

        results = together(12, work)
        assert set(map(type, results)) == {bool}, results
        found = Document.get("d")
        assert found.hits == results.count(True) == Account.count()
        assert Account.get(found.text) is not None
