"""Numbers about the rows that a query finds: facets, statistics, histograms. Each has a result of its own type."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from mixstore.errors import QueryError, UnsupportedOperationError, nearest
from mixstore.lookups import type_at
from mixstore_backends.opensearch.layout import Index
from mixstore_backends.opensearch.lookups import Body
from mixstore_backends.opensearch.queries import seen
from mixstore_backends.opensearch.requests import Steps, Stepwise, searching
from mixstore_backends.opensearch.sources import NotPushableError, Source
from mixstore_backends.opensearch.values import document_codec

if TYPE_CHECKING:
    from mixstore.builder import QueryBuilder

T = TypeVar("T")
INTERVALS = ("minute", "hour", "day", "week", "month", "quarter", "year")
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


class Terms(NamedTuple):
    """How many rows have each value of a field, or each element of a list; the `size` most frequent ones."""

    field: str
    size: int = 10


class Stats(NamedTuple):
    """Count, smallest, largest, mean and sum of a field of numbers, as doubles."""

    field: str


class DateHistogram(NamedTuple):
    """How many rows lie in each `interval` of a datetime or date, in UTC: minute, hour, day, week, month, year."""

    field: str
    interval: str


@dataclass(frozen=True)
class Bucket(Generic[T]):
    """A value, or the beginning of an interval, and how many rows have it."""

    key: T
    count: int


class Buckets(list[Bucket[Any]]):
    """The buckets of `Terms`, the fullest first.

    others: rows that are in none of them. off_by: how much a count may be too low, which is 0 on a single shard.
    """

    others: int = 0
    off_by: int = 0


@dataclass(frozen=True)
class Summary:
    """The result of `Stats`; all but the count are None where there is no row."""

    count: int
    min: float | None
    max: float | None
    mean: float | None
    sum: float


Aggregation = Terms | Stats | DateHistogram


def aggregate(query: QueryBuilder[Any], /, **asked: Aggregation) -> dict[str, Any]:
    """`aggregate(Article.where(open=True), by_tag=Terms("tags"))["by_tag"]`: the result of each, by its name.

    The rows are those of `query.all()`, without what an extension hides. QueryError for a field or an interval that is
    none; UnsupportedOperationError for a query with a limit, or of which something is left to the kernel.
    """
    bound, plan = _plan(query, asked)
    return bound.run("aggregate", _once(plan))  # type: ignore[no-any-return]


async def aaggregate(query: QueryBuilder[Any], /, **asked: Aggregation) -> dict[str, Any]:
    """`aggregate()`, awaited."""
    bound, plan = _plan(query, asked)
    return await bound.arun("aggregate", _once(plan))  # type: ignore[no-any-return]


def _once(plan: Stepwise) -> Generator[Any, Any, Any]:
    return (yield plan)


def _plan(query: QueryBuilder[Any], asked: Mapping[str, Aggregation]) -> tuple[Any, Stepwise]:
    bound = query._bound()
    if not isinstance(bound.native, Index):
        name = bound.backend.backend_name
        raise UnsupportedOperationError(f"{name} has no aggregations", model=bound.model, backend=name)
    told = query.query
    if told.limit is not None or told.offset or told.cursor is not None:
        raise UnsupportedOperationError(
            "aggregations are about all rows: no limit, offset or cursor", model=bound.model
        )
    explained = query.order_by().explain()
    if explained.residual:
        raise UnsupportedOperationError(
            f"OpenSearch can't answer {explained.residual} exactly, so it can't count the rows", model=bound.model
        )
    made = {name: _Asked(bound.native, one) for name, one in asked.items()}
    return bound, _Aggregate(bound.native, explained.request["body"]["query"], made)


class _Asked:
    """One aggregation on its source."""

    def __init__(self, home: Index, one: Aggregation) -> None:
        if not isinstance(one, (Terms, Stats, DateHistogram)):
            raise QueryError(f"{one!r} is no aggregation: Terms, Stats or DateHistogram", model=home.schema.model)
        path = (one.field,) if one.field in home.schema.fields else tuple(one.field.split("__"))
        self.one = one
        self.type = type_at(home.schema, path)
        try:
            source = home.compiler.sources.at(path)
        except NotPushableError:
            raise self._refused(home, "is not indexed") from None
        self.source: Source = source.element or source
        self.element = self.type.args[0] if source.element is not None else self.type
        self._check(home)

    def _refused(self, home: Index, problem: str) -> QueryError:
        return QueryError(f"{home.schema.name}.{self.one.field} {problem}", model=home.schema.model)

    def _check(self, home: Index) -> None:
        one, form = self.one, self.source.form
        if isinstance(one, Terms):
            if not self.source.indexed or self.source.kind == "choice" or form == "bytes":
                raise self._refused(home, "has no terms to count")
            if isinstance(one.size, bool) or not isinstance(one.size, int) or not 0 < one.size <= 10_000:
                raise QueryError(f"size is a number from 1 to 10,000, not {one.size!r}", model=home.schema.model)
        elif isinstance(one, Stats):
            if form not in ("int", "float", "decimal"):
                raise self._refused(home, "is no number")
        elif form not in ("moment", "date"):
            raise self._refused(home, "is no date")
        elif one.interval not in INTERVALS:
            hint = nearest(str(one.interval), INTERVALS)
            raise QueryError(f"there is no interval {one.interval!r}", model=home.schema.model, hint=hint)

    @property
    def body(self) -> Body:
        """As the engine takes it."""
        match self.one:
            case Terms(size=size):
                return {"terms": {"field": self.source.compared, "size": size}}
            case Stats():
                return {"stats": {"field": self.source.field}}
            case DateHistogram(interval=interval):
                told = {"calendar_interval": interval, "min_doc_count": 1}
                return {"date_histogram": {"field": self.source.field, **told}}

    def result(self, answer: Mapping[str, Any]) -> Any:
        """What the engine answers, in the types of the model."""
        if isinstance(self.one, Stats):
            none = not answer["count"]
            low, high, mean = (None if none else answer[name] for name in ("min", "max", "avg"))
            return Summary(answer["count"], low, high, mean, answer["sum"])
        if isinstance(self.one, DateHistogram):
            return [Bucket(_EPOCH + timedelta(milliseconds=one["key"]), one["doc_count"]) for one in answer["buckets"]]
        found = Buckets([Bucket(self._value(one), one["doc_count"]) for one in answer["buckets"]])
        found.others, found.off_by = answer["sum_other_doc_count"], answer["doc_count_error_upper_bound"]
        return found

    def _value(self, bucket: Mapping[str, Any]) -> Any:
        form = self.source.form
        stored = bucket["key"]
        if form == "bool":
            stored = bool(stored)
        elif form == "date":
            stored = bucket["key_as_string"]
        decode = document_codec(self.element, any_length=True).decode
        return stored if decode is None else decode(stored)


class _Aggregate(Stepwise):
    """One search for numbers, and no rows."""

    __slots__ = ("asked", "home", "query")

    def __init__(self, home: Index, query: Body, asked: Mapping[str, _Asked]) -> None:
        self.home = home
        self.query = query
        self.asked = asked

    def steps(self) -> Steps:
        yield from seen(self.home)
        body = {"query": self.query, "size": 0, "aggs": {name: one.body for name, one in self.asked.items()}}
        answer = yield searching(self.home.path, body)
        return {name: one.result(answer["aggregations"][name]) for name, one in self.asked.items()}
