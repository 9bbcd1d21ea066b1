"""Reads: from keys and queries to plans. Compiling is pure; a plan's `steps` are what `execute()` does with it."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import TYPE_CHECKING, Any

from mixstore.errors import QueryError
from mixstore.expressions import TRUE, Compare, Expr, conjunction, sort_key, terms
from mixstore.planned import Plan, QueryPlan, Rows
from mixstore_backends.dynamodb.access import Access, choose, pins
from mixstore_backends.dynamodb.compiler import NO_FILTER, Where
from mixstore_backends.dynamodb.placeholders import Placeholders
from mixstore_backends.dynamodb.reading import KEYS_AT_ONCE, read_keys
from mixstore_backends.dynamodb.transport import Together

if TYPE_CHECKING:
    from mixstore.query import Query
    from mixstore.write import KeyValue
    from mixstore_backends.dynamodb.layout import Table
    from mixstore_backends.dynamodb.transport import Steps, Transport
    from mixstore_backends.dynamodb.wire import Wire

Key = dict[str, "Wire"]
MOST_SEGMENTS = 1_000_000
LARGEST_PAGE = 1000
"""How many items are looked at for one page, when few are wanted and some may be filtered out."""
_HELPED = frozenset({"eq", "in", "lt", "lte", "gt", "gte", "between", "startswith"})


# -- by key --------------------------------------------------------------------------------------------------------


class PointRead(Plan):
    """Rows by their keys: a list of rows or None, in the order of the keys."""

    __slots__ = ("consistent", "keys", "table")

    def __init__(self, table: Table, keys: Sequence[Key | None], consistent: bool) -> None:
        self.table = table
        self.keys = keys
        self.consistent = consistent

    def steps(self, transport: Transport) -> Steps[list[Any]]:
        table = self.table
        found = yield from read_keys(transport, table.name, table.keying, self.keys, self.consistent)
        return [item if item is not None and table.is_mine(item) else None for item in found]


def point_read(table: Table, keys: Sequence[KeyValue], consistent: bool) -> PointRead:
    """The plan that reads these keys. A key that no row can hold is not there."""
    find = table.keying.find
    return PointRead(table, [find(key) for key in keys], consistent)


# -- queries -------------------------------------------------------------------------------------------------------


class Find(QueryPlan):
    """Rows of a query, page by page; `Query` may need a request for each of several partitions.

    size: how many items to look at for a page, None for as many as fit in 1 MB. skip: rows to leave out at the
    beginning. held: rows whose place among those of equal values is not known before the next page.
    """

    __slots__ = ("access", "at", "consistent", "held", "requests", "size", "skip", "start", "table")

    def __init__(self, table: Table, access: Access, where: Where, requests: list[Any], consistent: bool) -> None:
        super().__init__(
            access.operation,
            request=requests[0] if len(requests) == 1 else requests,
            pushed=conjunction(*access.said, *where.terms),
            residual=where.residual,
            index=access.index,
            scan=access.operation == "Scan",
        )
        self.table = table
        self.access = access
        self.requests = requests
        self.consistent = consistent
        self.at = 0
        self.start = access.start
        self.size: int | None = None
        self.skip = 0
        self.held: list[Any] = []

    def steps(self, transport: Transport) -> Steps[Rows]:
        if not self.requests:
            return Rows([])
        if self.access.keys:
            return Rows((yield from self._by_keys(transport, self.access.keys)))
        answer = yield from self._ask(transport)
        rows: list[Any] = answer["Items"]
        if self.access.secondary is not None and not self.access.secondary.whole:
            keys = [{name: row[name] for name in self.table.key_attributes} for row in rows]
            rows = yield from self._by_keys(transport, keys)
        return self._page(rows, answer.get("LastEvaluatedKey"))

    def count(self, transport: Transport) -> Steps[int]:
        """How many rows there are in all, without reading them."""
        total = 0
        more: Find | None = self
        while more is not None:
            answer = yield from more._ask(transport, {"Select": "COUNT"})
            total += answer["Count"]
            more = more._next(answer.get("LastEvaluatedKey"))
        return total

    def _ask(self, transport: Transport, also: dict[str, Any] | None = None) -> Steps[dict[str, Any]]:
        request = {**self.requests[self.at], **(also or {})}
        if self.start is not None:
            request["ExclusiveStartKey"] = self.start
        if self.size is not None and also is None:
            request["Limit"] = self.size
        operation = "scan" if self.access.operation == "Scan" else "query"
        return (yield from transport.call(operation, self.table.name, request))

    def _by_keys(self, transport: Transport, keys: Sequence[Key]) -> Steps[list[Any]]:
        table = self.table
        found = yield from read_keys(transport, table.name, table.keying, keys, self.consistent)
        return [item for item in found if item is not None and table.is_mine(item)]

    def _page(self, rows: list[Any], last: Key | None) -> Rows:
        more = self._next(last)
        if self.access.ties is not None:
            rows, held = self._settled([*self.held, *rows], more is None)
            if more is not None:
                more.held = held
        if self.skip:
            rows, skipped = rows[self.skip :], min(self.skip, len(rows))
            if more is not None:
                more.skip = self.skip - skipped
        return Rows(rows, more)

    def _next(self, last: Key | None) -> Find | None:
        """The plan of the page after this one."""
        if last is None and self.at + 1 == len(self.requests):
            return None
        more = Find(self.table, self.access, NO_FILTER, self.requests, self.consistent)
        more.at = self.at if last is not None else self.at + 1
        more.start = last
        more.size = None if self.size is None else min(4 * self.size, LARGEST_PAGE)
        return more

    def _settled(self, rows: list[Any], at_end: bool) -> tuple[list[Any], list[Any]]:
        """The rows whose order is final, sorted where values are equal; and the last of them, if others may follow."""
        ties = self.access.ties
        assert ties is not None
        runs: list[list[Any]] = []
        before: Any = None
        for row in rows:
            mark = [row.get(name) for name in ties.attributes]
            if not runs or mark != before:
                runs.append([])
            runs[-1].append(row)
            before = mark
        held = [] if at_end or not runs else runs.pop()
        key, told = sort_key(ties.order), self.table.told
        return [
            row for run in runs for row in (run if len(run) == 1 else sorted(run, key=lambda r: key(told(r))))
        ], held


class Segments(Find):
    """A scan whose segments are read at once; `starts` has those of which more is to be read."""

    __slots__ = ("starts",)

    def __init__(self, find: Find, requests: list[Any], starts: dict[int, Key | None]) -> None:
        super().__init__(find.table, find.access, NO_FILTER, requests, find.consistent)
        self.request = requests
        self.pushed, self.residual = find.pushed, find.residual
        self.starts = starts

    @classmethod
    def of(cls, find: Find, parts: int) -> Segments:
        """A scan, divided."""
        request = find.requests[0]
        requests = [{**request, "Segment": number, "TotalSegments": parts} for number in range(parts)]
        return cls(find, requests, dict.fromkeys(range(parts)))

    def steps(self, transport: Transport) -> Steps[Rows]:
        answers = yield from self._answers(transport)
        rows = [row for answer in answers.values() for row in answer["Items"]]
        if self.access.secondary is not None and not self.access.secondary.whole:
            keys = [{name: row[name] for name in self.table.key_attributes} for row in rows]
            rows = yield from self._by_keys(transport, keys)
        more = self._rest(answers)
        if more is not None:
            more.skip = max(0, self.skip - len(rows))
        return Rows(rows[self.skip :], more)

    def count(self, transport: Transport) -> Steps[int]:
        total = 0
        more: Segments | None = self
        while more is not None:
            answers = yield from more._answers(transport, {"Select": "COUNT"})
            total += sum(answer["Count"] for answer in answers.values())
            more = more._rest(answers)
        return total

    def _answers(self, transport: Transport, also: dict[str, Any] | None = None) -> Steps[dict[int, Any]]:
        """A page of each segment that is not at its end."""
        asked = []
        for number, start in self.starts.items():
            one = Find(self.table, self.access, NO_FILTER, [self.requests[number]], self.consistent)
            one.start, one.size = start, self.size
            asked.append(one._ask(transport, also))
        answers = yield Together(tuple(asked))
        return dict(zip(self.starts, answers, strict=True))

    def _rest(self, answers: dict[int, Any]) -> Segments | None:
        starts = {number: answer.get("LastEvaluatedKey") for number, answer in answers.items()}
        left = {number: start for number, start in starts.items() if start is not None}
        if not left:
            return None
        more = Segments(self, self.requests, left)
        more.size = None if self.size is None else min(4 * self.size, LARGEST_PAGE)
        return more


def segments_of(query: Query) -> int:
    """How many segments `query.option(segments=...)` asks a scan to be read in. QueryError for no such number."""
    asked = query.options.get("segments", 1)
    if type(asked) is not int or not 1 <= asked <= MOST_SEGMENTS:
        raise QueryError(f"segments is a number from 1 to {MOST_SEGMENTS}, not {asked!r}", model=query.model)
    return asked


class Count(QueryPlan):
    """How many rows match."""

    __slots__ = ("find",)

    def __init__(self, find: Find) -> None:
        super().__init__(
            find.operation,
            request=find.request,
            pushed=find.pushed,
            index=find.index,
            scan=find.scan,
            notes=find.notes,
        )
        self.find = find

    def steps(self, transport: Transport) -> Steps[int]:
        return self.find.count(transport)


def select(table: Table, query: Query, consistent: bool) -> Find:
    """The plan of a query."""
    plan = _find(table, query, consistent)
    plan.ordered = plan.access.descending is not None or not query.order
    plan.sliced = plan.ordered and plan.residual is None
    if query.limit is not None and plan.ordered and not plan.access.keys:
        wanted = query.limit + query.offset + (1 if plan.access.ties else 0)
        plan.size = min(wanted * 4 + 16 if _may_leave_out(table, query, plan) else wanted, LARGEST_PAGE)
        if len(plan.requests) == 1:
            plan.request = {**plan.requests[0], "Limit": plan.size}
    if plan.sliced:
        plan.skip = query.offset
    plan.notes = _notes(table, query, plan)
    return plan


def _may_leave_out(table: Table, query: Query, plan: Find) -> bool:
    """Whether the filter is likely to leave out some of the items that are looked at: it asks for more than the entity
    and what the partition says already.
    """
    access = plan.access
    if plan.scan or plan.residual is not None:
        return plan.residual is not None or any("FilterExpression" in one for one in plan.requests)
    shape = table.keying.shape if access.secondary is None else access.secondary.spec.shape
    named = () if shape is None else shape.partition.fields
    left = [term for term in terms(query.where) if term not in access.said]
    return not all(any(pins(term, name) for name in named) for term in left)


def count(table: Table, query: Query, consistent: bool) -> QueryPlan:
    """The plan that counts; if something is residual, the rows to count."""
    find = select(table, query, consistent)
    return find if find.residual is not None or find.access.keys or not find.requests else Count(find)


def _find(table: Table, query: Query, consistent: bool) -> Find:
    told = terms(query.where)
    access = choose(table, query, told)
    if access.operation in ("GetItem", "BatchGetItem"):
        requests: list[Any] = [_key_request(table, access, consistent)] if access.keys else []
        residual = None if query.where == TRUE else query.where
        plan = Find(table, access, Where("", (), residual), requests, consistent)
        plan.request = requests[0] if requests else None
        return plan
    left = conjunction(*[term for term in told if term not in access.said])
    fresh = consistent and (access.secondary is None or access.secondary.local)
    if access.operation == "Scan":
        where, request = _request(table, access, left, fresh, None)
        scan, parts = Find(table, access, where, [request], consistent), segments_of(query)
        return scan if parts == 1 else Segments.of(scan, parts)
    made = [_request(table, access, left, fresh, write) for write in access.partitions]
    return Find(table, access, made[0][0], [request for _, request in made], consistent)


def _key_request(table: Table, access: Access, consistent: bool) -> dict[str, Any]:
    if access.operation == "GetItem":
        return {"TableName": table.name, "Key": access.keys[0], "ConsistentRead": consistent}
    return {"RequestItems": {table.name: {"Keys": list(access.keys), "ConsistentRead": consistent}}}


def _request(table: Table, access: Access, where: Expr, fresh: bool, write: Any) -> tuple[Where, dict[str, Any]]:
    """The filter and the request of a Query (`write` makes its key condition) or a Scan."""
    given = Placeholders()
    request: dict[str, Any] = {"TableName": table.name}
    refused = frozenset[str]()
    if write is not None:
        request["KeyConditionExpression"] = write(given)
        request["ScanIndexForward"] = not access.descending
        refused = table.refused_in_filters
    index = access.secondary
    if index is not None:
        request["IndexName"] = index.name
    if fresh:
        request["ConsistentRead"] = True
    partial = index is not None and not index.whole
    if partial:  # what it holds is not all that the filter asks for; the whole rows are looked at
        filtered, text = Where("", (), None if where == TRUE else where), ""
    else:
        filtered = table.compiler.where(where, given, refused)
        text = filtered.text
    if table.entity is not None and not partial:
        entity = f"{given.name(table.entity[0])} = {given.value({'S': table.entity[1]})}"
        text = f"{entity} AND {text}" if text else entity
    if text:
        request["FilterExpression"] = text
    return filtered, given.into(request)


# -- what to tell about it -----------------------------------------------------------------------------------------


def _notes(table: Table, query: Query, plan: Find) -> tuple[str, ...]:
    notes = list(plan.access.notes)
    index = plan.access.secondary
    if plan.operation == "Query" and len(plan.requests) > 1:
        notes.append(f"{len(plan.requests)} requests, one for each range of keys")
    if len(plan.access.keys) > KEYS_AT_ONCE:
        notes.append(f"{ceil(len(plan.access.keys) / KEYS_AT_ONCE)} requests, {KEYS_AT_ONCE} keys each")
    if index is not None:
        if not index.local:
            notes.append("an index is read eventually consistent")
        if not index.whole:
            notes.append(f"{index.name} does not hold whole rows: they are read from the table by BatchGetItem")
    if plan.access.ties is not None:
        notes.append("rows of equal values are sorted by mixstore, without reading further")
    if plan.scan:
        notes.append(_help(table, query))
    return tuple(notes)


def _asks_for_none(term: Compare) -> bool:
    """Whether rows that are in no index match too."""
    return term.value is None or (term.lookup == "in" and None in term.value)


def _help(table: Table, query: Query) -> str:
    """Which index would turn a scan into a query."""
    fields = table.schema.fields
    told = [one for one in terms(query.where) if isinstance(one, Compare) and one.path[0] in fields]
    told = [one for one in told if len(one.path) == 1 and not _asks_for_none(one)]
    equal = [one.path[0] for one in told if one.lookup in ("eq", "in")]
    ranged = [one.path[0] for one in told if one.lookup in _HELPED and one.path[0] not in equal]
    ordered = [one.path[0] for one in query.order if len(one.path) == 1 and one.path[0] in table.schema.fields]
    helped = [name for name in equal if table.schema.fields[name].type.orderable]
    if not helped:
        return "no index helps: nothing says which partition to read"
    name = helped[0]
    others = [other for other in (*ranged, *ordered) if other != name and table.schema.fields[other].type.orderable]
    sort = f', sort="{{{others[0]}}}"' if others else ""
    head = name.upper()
    return f'GSI("by_{name}", partition="{head}#{{{name}}}"{sort}) in Meta.indexes would make this a query'
