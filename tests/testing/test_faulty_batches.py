"""Batches while the store fails: each row is told what became of it, and the rest is not tried."""

from __future__ import annotations

import pytest

from mixstore import (
    BackendTimeoutError,
    BackendUnavailableError,
    BatchError,
    DuplicateKeyError,
    ThrottledError,
    batches,
)
from mixstore.testing import Partial, Throttle, TimeoutAfter
from tests.testing.models import Paper, Shelf

each_model = pytest.mark.parametrize("model", [Shelf, Paper], ids=lambda model: model.__name__)


@pytest.fixture
def small_chunks(monkeypatch):
    monkeypatch.setattr(batches, "CHUNK", 2)


def rows(keys: str) -> list[dict[str, str]]:
    return [{"id": key} for key in keys]


def stored(model) -> str:
    return "".join(one.id for one in model.where().order_by("id").all())


@each_model
@pytest.mark.usefixtures("small_chunks")
def test_rows_that_are_stored_before_the_store_fails_are_told(faulty, model):
    faulty.schedule = [(lambda request: request.kind == "batch" and request.writes[0].key == ("c",), Throttle())]
    with pytest.raises(BatchError) as caught:
        model.batch_create(rows("abcdef"))
    assert sorted(caught.value.failed) == [2, 3, 4, 5]
    assert {type(error) for error in caught.value.failed.values()} == {ThrottledError}
    faulty.schedule = None
    assert stored(model) == "ab"


@pytest.mark.usefixtures("small_chunks")
def test_the_rest_is_not_tried_when_the_store_is_not_there(faulty):
    faulty.schedule = lambda request: Throttle()
    before = faulty.requests
    with pytest.raises(ThrottledError):  # nothing happened, for one reason
        Shelf.batch_create(rows("abcdef"))
    assert faulty.requests == before + 1


@pytest.mark.usefixtures("small_chunks")
def test_only_rows_that_were_under_way_are_unknown(faulty):
    faulty.schedule = [("batch", TimeoutAfter())]
    with pytest.raises(BatchError) as caught:
        Shelf.batch_create(rows("abcd"))
    assert [error.outcome_unknown for error in caught.value.outcomes] == [True, True, False, False]
    assert isinstance(caught.value.outcomes[2], BackendUnavailableError)
    assert caught.value.outcomes[2].__cause__ is caught.value.outcomes[0]
    assert stored(Shelf) == "ab"


def test_an_error_that_all_rows_share_is_raised_itself(faulty):
    faulty.schedule = [("batch", TimeoutAfter())]
    with pytest.raises(BackendTimeoutError) as caught:
        Shelf.batch_create(rows("ab"))
    assert caught.value.outcome_unknown


def test_what_a_row_did_wrong_and_what_the_store_did_are_told_apart(faulty):
    Shelf.create(id="a")
    faulty.schedule = [("batch", Partial(2))]
    with pytest.raises(BatchError) as caught:
        Shelf.batch_create(rows("abc"))
    assert [type(one) for one in caught.value.outcomes] == [DuplicateKeyError, type(None), ThrottledError]
    assert stored(Shelf) == "ab"


@each_model
def test_a_row_that_a_later_one_of_its_key_supersedes_shares_its_fate(faulty, model):
    faulty.schedule = [("batch", Partial(1))]
    with pytest.raises(BatchError) as caught:
        model.batch_upsert([{"id": "b", "n": 1}, {"id": "a", "n": 1}, {"id": "b", "n": 2}])
    assert sorted(caught.value.failed) == [0, 2]
    assert stored(model) == "a"


def test_a_read_that_fails_before_a_batch_of_chained_rows_is_their_error(faulty):
    faulty.schedule = [("query", Throttle())]
    with pytest.raises((BatchError, ThrottledError)):
        Paper.batch_create(rows("ab"))
    assert stored(Paper) == ""
