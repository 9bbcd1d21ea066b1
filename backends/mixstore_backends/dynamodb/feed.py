"""The streams of tables as a change feed: which rows were written, also by whoever knows nothing of mixstore.

Operations: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Operations_Amazon_DynamoDB_Streams.html
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mixstore.errors import ConfigurationError, MixstoreError
from mixstore.feeds import Change, ChangeFeed, Changes, Delivered, Shard
from mixstore.planned import Plan
from mixstore_backends.dynamodb import errors
from mixstore_backends.dynamodb.streams import image_of, native_key, records_of, table_name_of

if TYPE_CHECKING:
    from mixstore_backends.dynamodb.adapter import DynamoDBAdapter
    from mixstore_backends.dynamodb.layout import Table
    from mixstore_backends.dynamodb.transport import BlockingTransport

KIND = "NEW_AND_OLD_IMAGES"
HINT = f'DynamoDBBackend(..., table=TableOptions(stream="{KIND}")) and initialize() switch it on'
LOST = ("TrimmedDataAccessException", "ResourceNotFoundException")
"""What the engine says of records, and of whole shards, that are older than a day."""
BETWEEN = "#"
OVER = "ExpiredIteratorException"
_log = logging.getLogger("mixstore")


def check_kind(kind: str | None) -> None:
    """ConfigurationError for a stream that does not tell of which row a record is; None is not known yet."""
    if kind not in (None, KIND):
        raise ConfigurationError(f"a stream of {kind} can't be followed", backend=errors.NAME, hint=HINT)


class StreamFeed(ChangeFeed):
    """tables: gives all that models of the backend have, internal ones too."""

    def __init__(self, adapter: DynamoDBAdapter, tables: Callable[[], Sequence[Table]]) -> None:
        self._adapter = adapter
        self._tables = tables
        self._unknown: set[str] = set()

    def compile_shards(self) -> OfStreams:
        entities: dict[str, list[str]] = {}
        for table in self._tables():
            if not table.schema.definition.internal:
                entities.setdefault(table.name, []).append(table.schema.entity)
        return FindShards({name: tuple(sorted(some)) for name, some in entities.items()})

    def compile_changes(self, shard: Shard, position: str, cursor: Any) -> OfStreams:
        return ReadShard(shard, position, cursor, self.change_of)

    def delivered(self, event: Mapping[str, Any]) -> Iterator[Delivered]:
        for record in records_of(event):
            sequence = str(record.get("dynamodb", {}).get("SequenceNumber", ""))
            yield Delivered(sequence, self.change_of(record, table_name_of(record)))

    def change_of(self, record: Mapping[str, Any], name: str | None) -> Change | None:
        """What a record of this table (None: of any) tells; None if it is of no row that a model has."""
        told = record.get("dynamodb", {})
        check_kind(told.get("StreamViewType"))
        image = image_of(told, "NewImage") or image_of(told, "OldImage") or {}
        tables = [table for table in self._tables() if name in (None, table.name)]
        if self._adapter.single_table:
            mark = image.get(self._adapter.entity, {}).get("S")
            table = next((table for table in tables if table.entity_type == mark), None)
        else:
            table, mark = (tables[0] if len(tables) == 1 else None), name
        if table is None:
            self._warn(mark)
            return None
        if table.schema.definition.internal:
            return None
        return Change(table.schema.entity, native_key(table, image))

    def _warn(self, mark: str | None) -> None:
        """Tell once of rows that nobody here copies: perhaps another program ought to, or this one lacks a model."""
        if mark is not None and mark not in self._unknown:
            self._unknown.add(mark)
            _log.warning("the stream tells of rows of %r, which no model here is: they are not followed", mark)


def _name(stream: str, shard: str) -> str:
    """The name of a shard, whose own is that of one in its stream."""
    return f"{stream}{BETWEEN}{shard}"


class OfStreams(Plan):
    """What needs a client of streams beside that of tables."""

    __slots__ = ()

    def run(self, tables: BlockingTransport, streams: BlockingTransport) -> Any:
        """Its answer."""
        raise NotImplementedError


class FindShards(OfStreams):
    """The shards of the streams of tables. entities: {name of a table: those of its rows}."""

    __slots__ = ("entities",)

    def __init__(self, entities: Mapping[str, tuple[str, ...]]) -> None:
        self.entities = entities

    def run(self, tables: BlockingTransport, streams: BlockingTransport) -> list[Shard]:
        return [shard for name in self.entities for shard in self._of(name, tables, streams)]

    def _of(self, name: str, tables: BlockingTransport, streams: BlockingTransport) -> Iterable[Shard]:
        found = tables.run(tables.call("describe_table", name, {"TableName": name}))["Table"]
        spec = found.get("StreamSpecification", {})
        if not spec.get("StreamEnabled"):
            raise ConfigurationError(f"the table {name!r} has no stream", backend=errors.NAME, hint=HINT)
        check_kind(spec.get("StreamViewType"))
        request = {"StreamArn": found["LatestStreamArn"]}
        while True:
            told = streams.run(streams.call("describe_stream", name, request))["StreamDescription"]
            for one in told.get("Shards", ()):
                parent = one.get("ParentShardId")
                after = None if parent is None else _name(told["StreamArn"], parent)
                shard = _name(told["StreamArn"], one["ShardId"])
                yield Shard(shard, name, told["StreamArn"], after, self.entities[name])
            if not told.get("LastEvaluatedShardId"):
                return
            request["ExclusiveStartShardId"] = told["LastEvaluatedShardId"]


class ReadShard(OfStreams):
    """Records of a shard. change_of: makes changes of them."""

    __slots__ = ("change_of", "cursor", "position", "shard")

    def __init__(self, shard: Shard, position: str, cursor: Any, change_of: Callable[..., Change | None]) -> None:
        self.shard = shard
        self.position = position
        self.cursor = cursor
        self.change_of = change_of

    def run(self, tables: BlockingTransport, streams: BlockingTransport) -> Changes:
        name = self.shard.feed
        for cursor in (self.cursor, None):
            try:
                start = cursor or streams.run(streams.call("get_shard_iterator", name, self._start()))["ShardIterator"]
                told = streams.run(streams.call("get_records", name, {"ShardIterator": start}))
            except MixstoreError as error:
                code = errors.code_of(error.__cause__)
                if code == OVER and cursor is not None:
                    continue
                if code in LOST:
                    return Changes((), self.position, lost=True)
                raise
            break
        records = told["Records"]
        changes = [self.change_of(record, name) for record in records]
        position = records[-1]["dynamodb"]["SequenceNumber"] if records else self.position
        later = told.get("NextShardIterator")
        return Changes(tuple([one for one in changes if one is not None]), position, later, ended=later is None)

    def _start(self) -> dict[str, Any]:
        request = {"StreamArn": self.shard.stream, "ShardId": self.shard.name.rpartition(BETWEEN)[2]}
        if not self.position:
            return {**request, "ShardIteratorType": "TRIM_HORIZON"}
        return {**request, "ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": self.position}
