"""What happens when a stream no longer has changes that nobody has followed: it is told, kept, and mended."""

from __future__ import annotations

import json
from datetime import datetime, timezone

import pytest

from mixstore import ConfigurationError, Field, Model, UnsupportedOperationError
from mixstore.feeds import Shard
from mixstore_backends.composite import Relay, composite_handler
from mixstore_backends.composite.following import gap_between
from mixstore_backends.composite.marks import Checkpoint
from tests.backends.composite.streaming import again, backend, relayed, storage, streams_client, use
from tests.backends.dynamodb.test_streams import lambda_record
from tests.backends.shared.support import ids

__all__ = ["again", "backend", "storage", "streams_client", "use"]
NOW = datetime(2025, 6, 1, tzinfo=timezone.utc)


class Article(Model):
    """A plain one."""

    id: str = Field(primary_key=True)
    title: str = Field("", searchable=True)


def listed(*shards):
    """Parts of one stream; each is (name, the one before it)."""
    return {name: Shard(name, "table", "stream", after, ("Article",)) for name, after in shards}


def kept(*shards, stream="stream"):
    """Positions in parts; each is (name, whether it was followed to its end)."""
    return {name: Checkpoint(feed="table", shard=name, stream=stream, ended=ended, at=NOW) for name, ended in shards}


@pytest.mark.parametrize(
    ("before", "now", "told"),
    [
        (kept(), listed(("b", "a")), ""),
        (kept(("a", False)), listed(("a", None)), ""),
        (kept(("a", True)), listed(("b", "a")), ""),
        (kept(("a", False)), listed(("a", None), ("b", "a")), ""),
        (kept(("a", True)), listed(("b", "a"), ("c", "b")), ""),
        (kept(("a", False)), listed(("b", "a")), "the end of its part a"),
        (kept(("a", True)), listed(("c", "b")), "its part b"),
        (kept(("a", True), stream="former"), listed(("b", None)), "what came before it was switched on again"),
    ],
    ids=["first", "same", "next", "both", "two later", "trimmed", "missed", "other stream"],
)
def test_gaps_are_seen_by_what_is_kept_and_what_there_is(before, now, told):
    assert gap_between(before, now) == told


@pytest.fixture
def gone(backend, use):
    """A relay was at a part of the stream that is not there any more, and knows of an article."""
    use(Article)
    Article.create(id="a", title="word")
    assert relayed(backend) == 1
    assert backend.lost() == []
    table = backend.bound(Article).native.name
    backend.upsert(Checkpoint, {"feed": table, "shard": "gone", "stream": "former", "at": backend.clock()})


def test_a_gap_is_logged_and_kept_until_the_model_is_reindexed(backend, gone, caplog):
    assert Relay(backend).once().failed == 0
    assert "changes of Article may be lost" in caplog.text
    assert [one.of for one in backend.lost()] == ["Article"]
    caplog.clear()
    assert Relay(backend).once().failed == 0
    assert caplog.text == ""
    backend.search.clear()
    backend.reindex(Article)
    assert backend.lost() == []
    assert ids(Article.search("word").all()) == ["a"]


def test_a_gap_is_closed_by_verify_if_it_repairs_all(backend, gone):
    Relay(backend).once()
    backend.search.clear()
    assert backend.verify(Article).differences == 1
    assert [one.of for one in backend.lost()] == ["Article"]
    assert backend.verify(Article, repair=True).repaired == 1
    assert backend.lost() == []


def test_records_that_are_trimmed_are_a_gap_and_the_relay_goes_on_with_what_there_is(
    backend, use, storage, streams_client, monkeypatch
):
    """moto trims nothing, so the answer is given here that DynamoDB gives for a position that is too old."""
    use(Article)
    Article.create(id="a", title="word")
    assert relayed(backend) == 1
    send, trimmed = streams_client._make_api_call, [True]

    def answer(operation, given):
        if operation == "GetShardIterator" and given["ShardIteratorType"] != "TRIM_HORIZON" and trimmed:
            trimmed.clear()
            told = {"Error": {"Code": "TrimmedDataAccessException", "Message": "The operation attempted to read"}}
            raise streams_client.exceptions.TrimmedDataAccessException(told, operation)
        return send(operation, given)

    monkeypatch.setattr(streams_client, "_make_api_call", answer)
    Article.create(id="b", title="word")
    relay = Relay(backend)
    relay.once()
    assert [one.of for one in backend.lost()] == ["Article"]
    relay.once()
    assert sorted(ids(Article.search("word").all())) == ["a", "b"]


# -- AWS Lambda


def items(backend, model=Article):
    """What the table of a model holds."""
    return backend.storage.transport.client.scan(TableName=backend.bound(model).native.name)["Items"]


def event(backend, *records, model=Article):
    """What Lambda hands over; each is (kind, before, after, number)."""
    storage = backend.storage
    made = [lambda_record(storage, kind, old, new, number) for kind, old, new, number in records]
    name = backend.bound(model).native.name
    return json.loads(json.dumps({"Records": made}).replace(f"table/{storage.table_name}/", f"table/{name}/"))


def test_a_handler_copies_what_an_event_tells_of_in_any_order_and_twice(backend, use):
    use(Article)
    Article.create(id="a", title="old")
    (old,) = items(backend)
    Article.get("a").update(title="new")
    (new,) = items(backend)
    handler = composite_handler(backend)
    told = event(backend, ("MODIFY", old, new, 2), ("INSERT", None, old, 1), ("INSERT", None, old, 1))
    assert handler(told, None) == {"batchItemFailures": []}
    assert ids(Article.search("new").all()) == ["a"]
    Article.get("a").delete()
    assert handler(told, None) == {"batchItemFailures": []}
    assert Article.search("new").all() == []


def test_a_handler_in_a_process_that_has_just_begun_knows_all_models_that_are_bound(backend, use, again):
    class Begun(Model):
        id: str = Field(primary_key=True)
        title: str = Field("", searchable=True)

    use(Begun)
    Begun.create(id="a", title="word")
    told = event(backend, ("INSERT", None, items(backend, Begun)[0], 1), model=Begun)
    fresh = again(backend)
    Begun.bind(fresh)
    assert composite_handler(fresh)(told, None) == {"batchItemFailures": []}
    assert ids(Begun.search("word").all()) == ["a"]


def test_a_handler_answers_the_first_record_whose_row_was_not_copied(backend, use):
    use(Article)
    Article.batch_create([{"id": "a"}, {"id": "b"}])
    told = event(backend, *(("INSERT", None, item, number) for number, item in enumerate(items(backend), 1)))
    handler = composite_handler(backend)
    backend.search.away = True
    assert handler(told, None) == {"batchItemFailures": [{"itemIdentifier": "100000000000000000001"}]}
    backend.search.away = False
    assert handler(told, None) == {"batchItemFailures": []}
    assert backend.verify(Article).differences == 0


def test_a_handler_answers_a_record_whose_row_is_refused_and_the_row_waits(backend, use, monkeypatch):
    use(Article)
    Article.batch_create([{"id": "bad"}, {"id": "good"}])
    found = sorted(items(backend), key=lambda item: "bad" in str(item))
    there = backend.copies(backend.bound(Article)).there
    encode = there.encode

    def refusing(instance):
        if instance.id == "bad":
            raise UnsupportedOperationError("too much")
        return encode(instance)

    monkeypatch.setattr(there, "encode", refusing)
    told = event(backend, *(("INSERT", None, item, number) for number, item in enumerate(found, 1)))
    answer = composite_handler(backend)(told, None)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "200000000000000000001"}]}
    assert backend.behind().waiting == 1


def test_a_handler_is_refused_where_marks_are_followed(losing):
    with pytest.raises(ConfigurationError, match="stream"):
        composite_handler(losing)
