"""`History`: every write of a row leaves a revision, in the same atomic unit, whatever path it takes."""

from __future__ import annotations

import asyncio
from datetime import datetime

import pytest

from mixstore import (
    BatchError,
    ConflictError,
    DuplicateKeyError,
    NotFoundError,
    ValidationError,
)
from mixstore_extensions import acting_as
from tests.backends.shared.support import NOON, together
from tests.extensions.documents import Doc, titles, told

# -- every path leaves a revision --------------------------------------------------------------------------------------


def test_create_save_update_upsert_and_delete_each_leave_a_revision(use):
    doc = use(Doc).create(id="a", title="1")
    doc.title = "2"
    doc.save()
    doc.update(title="3")
    Doc.upsert(id="a", title="4")
    Doc.get("a").delete()
    assert told(Doc, "a") == [(1, "create"), (2, "update"), (3, "update"), (4, "upsert"), (5, "delete")]
    assert titles(Doc, "a") == ["1", "2", "3", "4", "4"]


def test_a_revision_tells_number_time_and_values(use, clock):
    use(Doc).create(id="a", title="x", stars=3)
    (revision,) = Doc.history(id="a")
    assert (revision.number, revision.at, revision.by, revision.operation) == (1, NOON, None, "create")
    assert revision.values == {"id": "a", "title": "x", "stars": 3, "tag": None}


def test_a_new_instance_that_is_saved_starts_a_history(use):
    use(Doc)(id="a", title="x").save()
    assert told(Doc, "a") == [(1, "create")]


def test_writes_by_query_leave_a_revision_for_each_row(use):
    use(Doc).batch_create([{"id": "a"}, {"id": "b"}])
    assert Doc.where(id="a").update(stars=5) == 1
    assert Doc.where(stars__gte=0).delete() == 2
    assert told(Doc, "a") == [(1, "create"), (2, "update"), (3, "delete")]
    assert told(Doc, "b") == [(1, "create"), (2, "delete")]


def test_batches_leave_a_revision_for_each_row(use):
    use(Doc).batch_create([{"id": "a", "title": "1"}, {"id": "b"}])
    Doc.batch_upsert([{"id": "a", "title": "2"}, {"id": "a", "title": "3"}, {"id": "c"}])
    assert (titles(Doc, "a"), told(Doc, "b"), told(Doc, "c")) == (["1", "3"], [(1, "create")], [(1, "upsert")])


def test_a_row_of_a_batch_that_fails_leaves_no_revision(use):
    use(Doc).create(id="a", tag="x")
    with pytest.raises(BatchError):
        Doc.batch_create([{"id": "a"}, {"id": "b", "tag": "x"}, {"id": "c"}])
    assert [told(Doc, key) for key in "abc"] == [[(1, "create")], [], [(1, "create")]]


def test_a_transaction_leaves_all_revisions_or_none(use, backend):
    doc = use(Doc).create(id="a")
    with pytest.raises(DuplicateKeyError), backend.transaction():  # noqa: PT012  (the transaction is the block)
        doc.update(title="x")
        Doc.create(id="b")
        Doc.create(id="b2", tag="t")
        Doc.create(id="b3", tag="t")
    assert [len(Doc.history(key)) for key in ("a", "b", "b2")] == [1, 0, 0]
    with backend.transaction():
        doc.update(title="y")
        Doc.create(id="b")
    assert (titles(Doc, "a"), told(Doc, "b")) == (["", "y"], [(1, "create")])


def test_a_transaction_that_another_writer_overtakes_conflicts_at_the_commit(use, backend):
    doc = use(Doc).create(id="a")
    with pytest.raises(ConflictError, match="changed while"), backend.transaction():  # noqa: PT012
        doc.update(title="mine")
        together(1, lambda _: Doc.get("a").update(title="theirs"))
    assert titles(Doc, "a") == ["", "theirs"]


async def test_async_writes_leave_revisions_too(use):
    doc = await use(Doc).acreate(id="a", title="1")
    await doc.aupdate(title="2")
    await doc.arevert(1)
    await doc.adelete()
    assert [one.operation for one in await Doc.ahistory("a")] == ["delete", "update", "update", "create"]
    assert await doc.adiff(1, 2) == {"title": ("1", "2")}
    assert await Doc.aas_of(datetime.max.replace(tzinfo=NOON.tzinfo), "a") is None
    assert await Doc.aprune_history() == 0


def test_a_write_that_fails_leaves_no_revision(use):
    doc = use(Doc).create(id="a", tag="x")
    with pytest.raises(DuplicateKeyError):
        Doc.create(id="a")
    with pytest.raises(DuplicateKeyError):
        Doc.create(id="b", tag="x")
    with pytest.raises(ValidationError):
        doc.update(stars="many")
    with pytest.raises(NotFoundError):
        Doc(id="c").update(title="x")
    assert Doc(id="c").delete() is False
    assert [told(Doc, key) for key in "abc"] == [[(1, "create")], [], []]


def test_saving_what_did_not_change_leaves_no_revision(use):
    doc = use(Doc).create(id="a")
    doc.save()
    assert told(Doc, "a") == [(1, "create")]


def test_numbers_go_on_when_a_deleted_row_is_created_again(use):
    use(Doc).create(id="a", title="1").delete()
    Doc.create(id="a", title="2")
    assert told(Doc, "a") == [(1, "create"), (2, "delete"), (3, "create")]
    Doc.get("a").delete()
    Doc.upsert(id="a", title="3")
    assert told(Doc, "a")[3:] == [(4, "delete"), (5, "upsert")]


def test_a_revision_has_the_row_as_stored_not_as_a_stale_writer_believes_it_to_be(use):
    use(Doc).create(id="a", title="1", stars=1)
    mine, theirs = Doc.get("a"), Doc.get("a")
    theirs.update(stars=2)
    mine.update(title="2")
    newest = Doc.history("a")[0]
    assert newest.values == vars(Doc.get("a")) == {"id": "a", "title": "2", "stars": 2, "tag": None}


def test_a_deletion_by_a_stale_writer_keeps_the_row_as_it_was_stored(use):
    stale = use(Doc).create(id="a", title="1")
    Doc.get("a").update(title="2")
    stale.delete()
    assert (Doc.history("a")[0].deleted, Doc.history("a")[0].values["title"]) == (True, "2")


def test_a_row_from_before_its_history_starts_with_its_next_write(use, backend):
    use(Doc)
    bound = backend.bound(Doc)
    record = bound.encode(Doc(id="a", title="old", stars=7))
    backend.execute(backend.compile_plain(bound, "create", ("a",), record, None))
    assert Doc.history("a") == []
    Doc.get("a").update(title="new")
    assert Doc.history("a")[0].values["stars"] == 7


# -- who ---------------------------------------------------------------------------------------------------------------


def test_a_revision_tells_who_acted(use, backend):
    with acting_as("ann"):
        doc = use(Doc).create(id="a")
        with acting_as("bob"):
            doc.update(title="x")
        doc.update(title="y")
    doc.update(title="z")
    with backend.transaction(), acting_as("eve"):
        doc.delete()
    assert [one.by for one in reversed(Doc.history("a"))] == ["ann", "bob", "ann", None, "eve"]


async def test_tasks_act_for_themselves(use):
    use(Doc)

    async def write(who: str) -> None:
        with acting_as(who):
            await asyncio.sleep(0)
            await Doc.acreate(id=who)

    await asyncio.gather(write("ann"), write("bob"))
    assert [(await Doc.ahistory(who))[0].by for who in ("ann", "bob")] == ["ann", "bob"]


@pytest.mark.parametrize("who", ["", 1, b"ann"])
def test_whoever_acts_has_a_name(who):
    with pytest.raises(ValidationError, match="takes a name"), acting_as(who):
        pass


# -- threads -----------------------------------------------------------------------------------------------------------


def test_eight_threads_leave_no_gap_and_no_duplicate(use):
    use(Doc).create(id="a")

    def work(thread: int) -> None:
        for number in range(1, 11):
            Doc.get("a").update(stars=thread * 1000 + number)

    assert together(8, work) == [None] * 8
    revisions = Doc.history("a")
    assert [one.number for one in reversed(revisions)] == list(range(1, len(revisions) + 1))
    assert len(revisions) == 81
    assert revisions[0].values == vars(Doc.get("a"))


def test_of_eight_creators_and_deleters_each_leaves_what_it_did(use):
    use(Doc)

    def work(thread: int) -> int:
        done = 0
        for _ in range(5):
            try:
                Doc.create(id="a")
                done += 1
            except DuplicateKeyError:
                pass
            done += Doc(id="a").delete()
        return done

    done = together(8, work)
    revisions = list(reversed(Doc.history("a")))
    assert [one.number for one in revisions] == list(range(1, sum(done) + 1))
    assert {one.operation for one in revisions[::2]} == {"create"}
    assert {one.operation for one in revisions[1::2]} == {"delete"}
