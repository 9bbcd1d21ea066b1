"""Optimistic locking: nobody's write is lost, whichever way it is done."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from mixstore import BatchError, ConflictError, DuplicateKeyError, NotFoundError, VersionConflictError
from mixstore.testing.extensions import ExtensionConformance
from mixstore.testing.support import Use, awaited, ids, together
from mixstore_extensions import Versioned, retry_on_conflict
from mixstore_extensions.testing.models import Document


class VersionedConformance(ExtensionConformance):
    """Optimistic locking: nobody's write is lost, whichever way it is done."""

    mixin = Versioned
    model = Document
    changes = {"text": "changed"}

    def test_the_version_counts_the_writes(self, use: Use) -> None:
        use(Document)
        document = Document.create(id="a")
        assert document.version == 1
        document.update(text="x")
        document.text = "y"
        document.save()
        assert document.version == Document.get("a").version == 3

    def test_a_version_given_by_the_caller_is_not_believed(self, use: Use) -> None:
        use(Document)
        assert Document.create(id="a", version=7).version == 1
        document = Document.get("a")
        document.version = 5
        document.text = "x"
        document.save()
        assert Document.get("a").version == 2
        document.update(version=9)
        assert Document.get("a").version == 3
        assert Document(id="b", version=4).save().version == 1

    def test_a_stale_save_is_a_conflict_that_tells_both_versions(self, use: Use) -> None:
        use(Document)
        Document.create(id="a")
        first, second = Document.get("a"), Document.get("a")
        first.update(text="first")
        first.update(text="again")
        second.text = "second"
        with pytest.raises(VersionConflictError) as caught:
            second.save()
        assert (caught.value.expected, caught.value.stored) == (1, 3)
        assert (caught.value.model, caught.value.key) == (Document, "a")
        assert isinstance(caught.value, ConflictError)
        assert (second.text, second.version) == ("second", 1)
        assert Document.get("a").text == "again"

    def test_a_stale_update_leaves_the_instance_as_it_was(self, use: Use) -> None:
        use(Document)
        Document.create(id="a")
        stale = Document.get("a")
        Document.get("a").update(text="theirs")
        with pytest.raises(VersionConflictError):
            stale.update(text="mine")
        assert (stale.text, stale.version) == ("", 1)
        stale.refresh()
        stale.update(text="mine")
        assert (stale.text, stale.version) == ("mine", 3)

    def test_a_stale_delete_is_a_conflict(self, use: Use) -> None:
        use(Document)
        Document.create(id="a")
        stale = Document.get("a")
        Document.get("a").update(text="theirs")
        with pytest.raises(VersionConflictError) as caught:
            stale.delete()
        assert (caught.value.expected, caught.value.stored) == (1, 2)
        assert Document.get("a") is not None
        assert stale.refresh().delete() is True
        assert stale.delete() is False

    def test_a_write_without_a_change_of_data_is_checked_too(self, use: Use) -> None:
        use(Document)
        document = Document.create(id="a")
        stale = Document.get("a")
        document.save()
        assert document.version == 2
        with pytest.raises(VersionConflictError):
            stale.save()

    def test_a_deleted_row_is_not_found_rather_than_a_conflict(self, use: Use) -> None:
        use(Document)
        document = Document.create(id="a")
        Document.get("a").delete()
        with pytest.raises(NotFoundError):
            document.update(text="x")
        assert document.delete() is False
        assert Document.get("a") is None

    def test_a_row_that_was_deleted_and_made_again_is_a_conflict_or_has_the_same_version(self, use: Use) -> None:
        use(Document)
        stale = Document.create(id="a").update(text="old")
        stale.refresh()
        Document.get("a").delete()
        Document.create(id="a", text="new")
        with pytest.raises(VersionConflictError):
            stale.update(text="mine")
        assert Document.get("a").text == "new"

    def test_create_refuses_an_existing_key_and_leaves_its_version(self, use: Use) -> None:
        use(Document)
        Document.create(id="a").update(text="x")
        with pytest.raises(DuplicateKeyError):
            Document.create(id="a")
        assert Document.get("a").version == 2

    def test_upsert_replaces_whatever_is_there_and_counts_on(self, use: Use) -> None:
        use(Document)
        assert Document.upsert(id="a", text="1").version == 1
        Document.get("a").update(text="2")
        assert Document.upsert(id="a", text="3").version == 3
        assert (Document.get("a").text, Document.get("a").version) == ("3", 3)

    def test_a_stale_instance_notices_an_upsert_and_a_batch_upsert(self, use: Use) -> None:
        use(Document)
        first, second = Document.create(id="a"), Document.create(id="b")
        Document.upsert(id="a")
        Document.batch_upsert([{"id": "b"}])
        for stale in (first, second):
            with pytest.raises(VersionConflictError):
                stale.update(text="mine")
        assert Document.get("b").version == 2

    def test_an_update_by_query_counts_on_and_is_noticed(self, use: Use) -> None:
        use(Document)
        stale = Document.create(id="a")
        assert Document.where(id="a").update(text="theirs") == 1
        assert Document.get("a").version == 2
        with pytest.raises(VersionConflictError):
            stale.delete()
        assert Document.where(version__gte=2).delete() == 1

    def test_an_instance_of_an_upsert_or_batch_can_be_saved_on(self, use: Use) -> None:
        use(Document)
        document = Document.upsert(id="a")
        document.update(text="x")
        [document] = Document.batch_upsert([{"id": "a"}])
        document.update(text="y")
        [other] = Document.batch_create([{"id": "b"}])
        other.update(text="z")
        assert (document.version, other.version) == (4, 2)

    def test_unchanged_fields_of_others_survive(self, use: Use) -> None:
        use(Document)
        Document.create(id="a", hits=1)

        @retry_on_conflict()
        def rename(text: str) -> None:
            Document.get("a").update(text=text)

        stale = Document.get("a")
        rename("new")
        with pytest.raises(VersionConflictError):
            stale.update(hits=2)
        assert (Document.get("a").text, Document.get("a").hits) == ("new", 1)

    def test_a_conflict_in_a_batch_is_that_rows_own(self, use: Use) -> None:
        use(Document)
        Document.create(id="a")
        with pytest.raises(BatchError) as caught:
            Document.batch_create([{"id": "b"}, {"id": "a"}, {"id": "c"}])
        assert list(caught.value.failed) == [1]
        assert ids(Document.where().order_by("id").all()) == ["a", "b", "c"]

    def test_sixteen_threads_lose_no_increment(self, use: Use) -> None:
        use(Document)
        Document.create(id="a")

        @retry_on_conflict(attempts=1000)
        def increment() -> None:
            document = Document.get("a")
            document.update(hits=document.hits + 1)

        def work(number: int) -> None:
            for _ in range(50):
                increment()

        results = together(16, work)
        assert results == [None] * 16
        found = Document.get("a")
        assert (found.hits, found.version) == (800, 801)

    @awaited
    async def test_tasks_lose_no_increment(self, use: Use) -> None:
        use(Document)
        await Document.acreate(id="a")

        @retry_on_conflict(attempts=1000)
        async def increment() -> None:
            document = await Document.aget("a")
            await document.aupdate(hits=document.hits + 1)

        await asyncio.gather(*(increment() for _ in range(40)))
        assert (await Document.aget("a")).hits == 40

    def test_threads_that_upsert_one_row_each_count(self, use: Use) -> None:
        use(Document)

        @retry_on_conflict(attempts=1000)
        def upsert(number: int) -> int:
            return Document.upsert(id="a", hits=number).version

        results = together(8, lambda n: [upsert(n) for _ in range(5)])
        assert all(isinstance(one, list) for one in results), results
        versions = sorted(version for one in results for version in one)
        assert versions == list(range(1, 41))
        assert Document.get("a").version == 40

    def test_threads_that_delete_and_create_one_row_stay_consistent(self, use: Use) -> None:
        use(Document)

        def work(number: int) -> tuple[int, int]:
            made = gone = 0
            for _ in range(10):
                try:
                    Document.create(id="a", slug="s")
                    made += 1
                except DuplicateKeyError:
                    document = Document.get("a")
                    with contextlib.suppress(VersionConflictError):
                        gone += bool(document is not None and document.delete())
            return made, gone

        results = together(8, work)
        assert all(isinstance(one, tuple) for one in results), results
        made, gone = (sum(one[side] for one in results) for side in (0, 1))
        assert made - gone == Document.count() == Document.count(slug="s")
        assert made - gone in (0, 1)
