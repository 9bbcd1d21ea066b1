"""Threads and tasks on one backend: nothing is lost, nothing doubled, nothing seen half."""

from __future__ import annotations

import asyncio
import threading

from mixstore import Backend, DuplicateKeyError, Field, Model, NotFoundError
from mixstore.testing.conformance import Conformance
from mixstore.testing.models import Account, Person, Thing
from mixstore.testing.support import Use, awaited, ids, together
from mixstore.testing.tags import conditions


class ConcurrencyCases(Conformance):
    """Threads and tasks on one backend: nothing is lost, nothing doubled, nothing seen half."""

    def test_threads_that_write_different_rows_lose_none(self, use: Use) -> None:
        use(Person)

        def work(number: int) -> None:
            for turn in range(20):
                Person.create(id=f"{number}-{turn}", age=turn, email=f"{number}-{turn}")
                Person.get(f"{number}-{turn}").update(city=str(number))

        assert together(8, work) == [None] * 8
        assert Person.count() == 160
        assert all(Person.where(city=str(number)).count() == 20 for number in range(8))
        assert len({row.email for row in Person.where()}) == 160

    @conditions
    def test_threads_that_change_different_fields_of_one_row_keep_both(self, use: Use) -> None:
        use(Person)
        Person.create(id="a")

        def work(number: int) -> None:
            for turn in range(25):
                if number % 2:
                    Person.get("a").update(age=turn)
                else:
                    Person.get("a").update(city=str(turn))

        assert together(4, work) == [None] * 4
        found = Person.get("a")
        assert (found.age, found.city) == (24, "24")

    def test_a_reader_sees_whole_rows_only(self, use: Use) -> None:
        use(Person)
        Person.create(id="a", age=0, city="0", name="0")
        stop = threading.Event()

        def work(number: int) -> int:
            if number == 0:
                for turn in range(150):
                    Person.upsert(id="a", age=turn, city=str(turn), name=str(turn))
                stop.set()
                return 0
            seen = 0
            while not stop.is_set():
                for row in (Person.get("a"), Person.where().first()):
                    assert str(row.age) == row.city == row.name, row
                    seen += 1
            return seen

        results = together(3, work)
        assert all(isinstance(one, int) for one in results), results

    def test_queries_while_others_write_see_every_lasting_row(self, use: Use) -> None:
        use(Thing)
        Thing.batch_create([{"id": n, "number": n} for n in range(300)])
        stop = threading.Event()

        def work(number: int) -> int:
            if number == 0:
                for turn in range(120):
                    Thing.create(id=1000 + turn)
                    Thing.get(1000 + turn).delete()
                stop.set()
                return 0
            rounds = 0
            while not stop.is_set() or not rounds:
                assert Thing.where(number__gte=0).count() == 300
                assert [row.id for row in Thing.where() if row.id < 1000] == list(range(300))
                assert len(Thing.where(number__isnull=False).order_by("-number").limit(50).all()) == 50
                rounds += 1
            return rounds

        results = together(3, work)
        assert all(isinstance(one, int) for one in results), results

    @conditions
    def test_threads_that_delete_one_row_agree_on_who_did(self, use: Use) -> None:
        use(Person)
        Person.batch_create([{"id": str(n)} for n in range(20)])
        rows = Person.all()
        results = together(8, lambda n: [row.model_copy().delete() for row in rows])
        assert all(isinstance(one, list) for one in results), results
        assert [sum(column) for column in zip(*results, strict=True)] == [1] * 20

    @conditions
    def test_an_update_of_a_row_that_somebody_deletes_never_brings_it_back(self, use: Use) -> None:
        use(Person)

        def work(number: int) -> str:
            outcome = ""
            for turn in range(30):
                key = f"k{turn}"
                try:
                    if number == 0:
                        Person.create(id=key)
                    elif number == 1:
                        Person(id=key).delete()
                    else:
                        person = Person.get(key)
                        if person is not None:
                            person.update(age=number)
                except (NotFoundError, DuplicateKeyError):
                    outcome = "late"
            return outcome

        results = together(6, work)
        assert all(isinstance(one, str) for one in results), results
        for row in Person.all():
            assert row.delete() is True
        assert Person.count() == 0

    def test_upserts_of_one_key_leave_one_whole_row(self, use: Use) -> None:
        use(Account)
        together(8, lambda n: [Account.upsert(id="a", owner=str(n), balance=n) for _ in range(10)])
        [row] = Account.all()
        assert row.owner == str(row.balance)

    @conditions
    def test_a_batch_beside_single_writes_reports_what_it_stored(self, use: Use) -> None:
        use(Thing)

        def work(number: int) -> int:
            if number == 0:
                try:
                    return len(Thing.batch_create([{"id": n, "text": "batch"} for n in range(200)]))
                except Exception as error:
                    return 200 - len(error.failed)  # type: ignore[attr-defined]
            won = 0
            for n in range(0, 200, 5):
                try:
                    Thing.create(id=n, text="single")
                    won += 1
                except DuplicateKeyError:
                    pass
            return won

        batch, *singles = together(3, work)
        assert Thing.count() == 200
        assert Thing.where(text="batch").count() == batch
        assert Thing.where(text="single").count() == sum(singles)

    @awaited
    async def test_tasks_side_by_side_lose_nothing(self, use: Use) -> None:
        use(Person)

        async def work(number: int) -> None:
            await Person.acreate(id=str(number), email=str(number))
            person = await Person.aget(str(number))
            await person.aupdate(age=number)
            assert await Person.where(age=number).acount() == 1

        await asyncio.gather(*(work(number) for number in range(50)))
        assert sorted(row.age or 0 for row in await Person.aall()) == list(range(50))

    @conditions
    @awaited
    async def test_of_tasks_that_create_one_key_one_wins(self, use: Use) -> None:
        use(Person)
        results = await asyncio.gather(*(Person.acreate(id="a", age=n) for n in range(20)), return_exceptions=True)
        winners = [one for one in results if isinstance(one, Person)]
        assert len(winners) == 1
        assert (await Person.aget("a")).age == winners[0].age

    @awaited
    async def test_a_cancelled_write_leaves_a_whole_row_or_none(self, use: Use) -> None:
        use(Person)
        for number in range(20):
            task = asyncio.create_task(Person.acreate(id=str(number), email=str(number), tags=["x"]))
            for _ in range(number % 3):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await asyncio.sleep(0.05)
        found = await Person.aall()
        assert all(row == Person(id=row.id, email=row.id, tags=["x"]) for row in found)
        await Person.abatch_upsert([{"id": str(number)} for number in range(20)])
        assert await Person.acount() == 20

    def test_sync_and_async_calls_share_one_store(self, use: Use) -> None:
        use(Person)

        async def write() -> None:
            await asyncio.gather(*(Person.acreate(id=f"async{n}") for n in range(10)))

        def work(number: int) -> None:
            if number:
                for n in range(10):
                    Person.create(id=f"sync{number}-{n}")
            else:
                asyncio.run(write())

        assert together(3, work) == [None] * 3
        assert len(ids(Person.all())) == 30

    def test_a_model_initialized_by_many_threads_is_there_once(self, backend: Backend) -> None:
        class Late(Model):
            """Bound by whoever comes first."""

            id: str = Field(primary_key=True)

        Late.bind(backend)

        def work(number: int) -> Late:
            backend.initialize(Late)
            return Late.create(id=str(number))

        results = together(12, work)
        assert all(isinstance(one, Late) for one in results), results
        assert Late.count() == 12
