"""Numbers about the rows of a query, made by the engine where they are just those of the reference."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from mixstore.aggregations import (
    Asked,
    Bucket,
    Buckets,
    DateHistogram,
    Histogram,
    Missing,
    Stats,
    Summary,
    Terms,
    zone,
)
from mixstore.errors import UnsupportedOperationError
from mixstore.planned import QueryPlan
from mixstore_backends.opensearch.analysis import KEPT, MORE
from mixstore_backends.opensearch.layout import Index
from mixstore_backends.opensearch.lookups import LOOKUPS, Body
from mixstore_backends.opensearch.queries import access_of, query_body, seen
from mixstore_backends.opensearch.requests import Steps, searching
from mixstore_backends.opensearch.sources import NotPushableError, Source
from mixstore_backends.opensearch.values import document_codec

if TYPE_CHECKING:
    from mixstore.query import Query

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_COUNTED = frozenset({"text", "int", "bool", "date", "moment", "ip4"})
"""Forms whose terms are the values, and sort as they do."""


class Aggregate(QueryPlan):
    """One search for numbers, and no rows. Answers {name: result}."""

    __slots__ = ("body", "home", "read")

    def __init__(self, home: Index, body: Body, read: Mapping[str, Callable[[Any], Any]], **told: Any) -> None:
        self.home = home
        self.body = body
        self.read = read
        super().__init__("aggregate", request={"path": f"{home.path}/_search", "body": body}, **told)

    def steps(self) -> Steps:
        """The one request."""
        yield from seen(self.home)
        answer = yield searching(self.home.path, self.body)
        return {name: read(answer["aggregations"][name]) for name, read in self.read.items()}


def aggregate(home: Index, query: Query, asked: Mapping[str, Asked]) -> Aggregate | None:
    """The plan; None if the engine can't answer the filter, or one of these, exactly."""
    where = home.compiler.where(query.where)
    if where.residual is not None:
        return None
    try:
        made = {name: _MADE[type(one.one)](home, one) for name, one in asked.items()}
    except NotPushableError:
        return None
    aggs = {name: body for name, (body, _) in made.items()}
    body = {"query": query_body(home, where, query), "size": 0, "aggs": aggs}
    read = {name: read for name, (_, read) in made.items()}
    return Aggregate(home, body, read, pushed=where.pushed, **access_of(home, where, query))


Made = tuple[Body, Callable[[Any], Any]]
"""An aggregation as the engine takes it, and what makes the result of its answer."""


def _source(home: Index, asked: Asked) -> Source:
    source = home.compiler.sources.at(asked.path)
    return source.element or source if asked.listed else source


def _terms(home: Index, asked: Asked) -> Made:
    one, source = asked.one, _source(home, asked)
    assert isinstance(one, Terms)
    addresses = source.form == "text" and source.kind == "ip"  # whose texts sort otherwise
    if source.form not in _COUNTED or source.kind == "choice" or addresses:
        raise NotPushableError(source.field)
    decode = document_codec(asked.type, any_length=True).decode

    def value(bucket: Mapping[str, Any]) -> Any:
        stored = bucket["key"]
        if source.form == "bool":
            stored = bool(stored)
        elif source.form == "date":
            stored = bucket["key_as_string"]
        if source.clips and len(stored) == KEPT + 1 and stored[-1] == MORE:
            raise UnsupportedOperationError(
                f"{home.schema.name}.{one.field}: a text is longer than {KEPT} characters, and OpenSearch counts by "
                "no more",
                model=home.schema.model,
            )
        return stored if decode is None else decode(stored)

    def read(answer: Mapping[str, Any]) -> Buckets:
        found = Buckets(Bucket(value(one), one["doc_count"]) for one in answer["buckets"])
        found.others, found.off_by = answer["sum_other_doc_count"], answer["doc_count_error_upper_bound"]
        return found

    return {"terms": {"field": source.compared, "size": one.size}}, read


def _stats(home: Index, asked: Asked) -> Made:
    return {"stats": {"field": _number(home, asked)}}, _summary


def _summary(answer: Mapping[str, Any]) -> Summary:
    none = not answer["count"]
    low, high, mean = (None if none else answer[name] for name in ("min", "max", "avg"))
    return Summary(answer["count"], low, high, mean, answer["sum"])


def _number(home: Index, asked: Asked) -> str:
    """The field of finite numbers: what is none, or too large, has no place in it."""
    source = _source(home, asked)
    if source.form not in ("int", "float", "decimal"):
        raise NotPushableError(source.field)
    return source.field


def _histogram(home: Index, asked: Asked) -> Made:
    assert isinstance(asked.one, Histogram)
    told = {"field": _number(home, asked), "interval": asked.one.interval, "min_doc_count": 1}
    return {"histogram": told}, lambda answer: [Bucket(one["key"] + 0.0, one["doc_count"]) for one in answer["buckets"]]


def _dates(home: Index, asked: Asked) -> Made:
    one, source = asked.one, _source(home, asked)
    assert isinstance(one, DateHistogram)
    if source.form not in ("moment", "date"):
        raise NotPushableError(source.field)
    where = zone(one.tz)
    told = {"field": source.field, "calendar_interval": one.interval, "min_doc_count": 1}
    if one.tz != "UTC":
        told["time_zone"] = one.tz

    def begin(bucket: Mapping[str, Any]) -> Any:
        moment = (_EPOCH + timedelta(milliseconds=bucket["key"])).astimezone(where)
        return moment.date() if source.form == "date" else moment

    return {"date_histogram": told}, lambda answer: [Bucket(begin(one), one["doc_count"]) for one in answer["buckets"]]


def _missing(home: Index, asked: Asked) -> Made:
    piece = LOOKUPS["isnull"](home.compiler.sources.at(asked.path), True)
    return {"filter": piece.body}, lambda answer: answer["doc_count"]


_MADE: Mapping[Any, Callable[[Index, Asked], Made]] = {
    Terms: _terms,
    Stats: _stats,
    Histogram: _histogram,
    DateHistogram: _dates,
    Missing: _missing,
}
