"""A condition that an extension sets is checked on the stored row, by the engine, on every path."""

from __future__ import annotations

from typing import Any

import pytest

from mixstore import (
    Backend,
    BatchError,
    ConflictError,
    DuplicateKeyError,
    NotFoundError,
    VersionConflictError,
)
from mixstore.testing.conformance import Conformance
from mixstore.testing.models import Document
from mixstore.testing.support import Use, awaited, ids, together
from mixstore.testing.tags import atomic, locking


class LockingCases(Conformance):
    """A condition that an extension sets is checked on the stored row."""

    @pytest.fixture
    def stale(self, use: Use) -> Any:
        """What somebody loaded before somebody else wrote."""
        use(Document)
        row = Document.create(id="a", text="mine")
        Document.get("a").update(text="theirs")
        return row

    @locking
    @pytest.mark.parametrize("path", ["update", "save", "save of nothing", "delete", "backend.update"])
    def test_a_stale_write_is_a_conflict_and_changes_nothing(self, stale: Any, backend: Backend, path: str) -> None:
        paths = {
            "update": lambda: stale.update(hits=1),
            "save of nothing": stale.save,
            "delete": stale.delete,
            "backend.update": lambda: backend.update(Document, stale),
        }
        if path == "save":
            stale.hits = 1
        with pytest.raises(VersionConflictError) as caught:
            paths.get(path, stale.save)()
        error = caught.value
        assert (error.expected, error.stored) == (1, 2)
        assert (error.model, error.key, error.backend) == (Document, "a", backend.backend_name)
        assert isinstance(error, ConflictError)
        found = Document.get("a")
        assert (found.text, found.version, found.hits) == ("theirs", 2, 0)

    @locking
    def test_an_instance_whose_write_is_refused_shows_what_it_showed(self, stale: Any) -> None:
        before = dict(vars(stale))
        with pytest.raises(VersionConflictError):
            stale.update(text="mine", hits=7)
        assert vars(stale) == before
        with pytest.raises(VersionConflictError):
            stale.update(hits=8)
        assert vars(stale) == before

    @locking
    def test_a_refreshed_instance_may_write(self, stale: Any) -> None:
        stale.refresh()
        stale.update(text="mine")
        assert (Document.get("a").text, Document.get("a").version) == ("mine", 3)

    @locking
    def test_the_lock_counts_on_by_every_way_to_write(self, use: Use) -> None:
        use(Document)
        Document.create(id="a")
        Document.get("a").save()
        Document.upsert(id="a")
        Document.batch_upsert([{"id": "a"}])
        Document.where(id="a").update(text="x")
        assert Document.get("a").version == 5

    @locking
    def test_a_row_that_is_gone_is_not_found_rather_than_a_conflict(self, use: Use) -> None:
        use(Document)
        held = Document.create(id="a")
        Document.get("a").delete()
        with pytest.raises(NotFoundError):
            held.update(text="x")
        assert held.delete() is False

    @locking
    def test_a_taken_key_is_a_duplicate_rather_than_a_conflict(self, stale: Any) -> None:
        with pytest.raises(DuplicateKeyError):
            Document.create(id="a")
        with pytest.raises(BatchError) as caught:
            Document.batch_create([{"id": "b"}, {"id": "a"}])
        assert isinstance(caught.value.failed[1], DuplicateKeyError)
        assert Document.get("a").version == 2

    @locking
    @atomic
    def test_a_conflict_drops_the_whole_transaction(self, stale: Any, backend: Backend) -> None:
        with pytest.raises(VersionConflictError) as caught, backend.transaction():  # noqa: PT012
            Document.create(id="b")
            stale.update(text="mine")
        assert caught.value.key == "a"
        assert ids(Document.all()) == ["a"]

    @locking
    def test_of_threads_that_write_on_one_version_one_wins(self, use: Use) -> None:
        use(Document)
        Document.create(id="a")
        rows = [Document.get("a") for _ in range(8)]

        def work(number: int) -> bool:
            try:
                rows[number].update(hits=number + 1)
            except VersionConflictError:
                return False
            return True

        results = together(8, work)
        assert sorted(results) == [False] * 7 + [True], results
        found = Document.get("a")
        assert (found.hits, found.version) == (results.index(True) + 1, 2)

    @locking
    def test_of_threads_that_delete_on_one_version_one_wins(self, use: Use) -> None:
        use(Document)
        Document.create(id="a")
        rows = [Document.get("a") for _ in range(6)]
        results = together(6, lambda number: rows[number].delete())
        assert sorted(results) == [False] * 5 + [True], results

    @locking
    @awaited
    async def test_an_awaited_stale_write_is_a_conflict(self, stale: Any) -> None:
        with pytest.raises(VersionConflictError):
            await stale.aupdate(text="mine")
        with pytest.raises(VersionConflictError):
            await stale.adelete()
        assert (await Document.aget("a")).text == "theirs"
