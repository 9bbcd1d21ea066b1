"""Rows of several models in one partition, in the order of their sort keys: `backend.collect(User, Order, user_id=1)`.

An engine that keeps them side by side reads them at once (`compile_collect`); for others, the models are asked one by
one and their rows are merged. Either way each row goes through the visibility and the chain of its own model.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Generator, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from mixstore.errors import QueryError, nearest
from mixstore.expressions import Compare, Expr, conjunction, terms
from mixstore.pages import stream
from mixstore.query import Query
from mixstore.reads import told

if TYPE_CHECKING:
    from mixstore.bound import Bound

Steps = Generator[Any, Any, Any]


class Asked(NamedTuple):
    """The models, the text of the partition (None: no row can be in it), and what tells it of each model's rows."""

    bounds: Sequence[Bound]
    partition: str | None
    filters: Sequence[Expr]


class _Source:
    """The rows of one model that have been read and not been returned yet. `state` is that of its stream."""

    __slots__ = ("bound", "query", "rows", "state", "unread")

    def __init__(self, bound: Bound, where: Expr) -> None:
        self.bound = bound
        self.query = Query(bound.model, where)
        self.rows: deque[tuple[str, Any]] = deque()
        self.state: Any = None
        self.unread = True

    def fill(self) -> Steps:
        """Read the next page; it may hold nothing."""
        found, self.state = yield from stream(self.bound, self.query, self.state)
        self.unread = self.state is not None
        key_from = self.bound.schema.key_from
        self.rows.extend(((key_from(row.__dict__) or ("", ""))[1], row) for row in found)


def collect(bounds: Sequence[Bound], fields: Mapping[str, Any]) -> Iterator[Any]:
    """The rows, read page by page. QueryError, before anything is read, if the models share no such partition."""
    asked = asked_of(bounds, fields)

    def rows() -> Iterator[Any]:
        state = None
        while True:
            found, state = asked.bounds[0].run("collect", page(asked, state))
            yield from found
            if state is None:
                return

    return rows()


def acollect(bounds: Sequence[Bound], fields: Mapping[str, Any]) -> AsyncIterator[Any]:
    """As `collect`, for `async for`."""
    asked = asked_of(bounds, fields)

    async def rows() -> AsyncIterator[Any]:
        state = None
        while True:
            found, state = await asked.bounds[0].arun("collect", page(asked, state))
            for row in found:
                yield row
            if state is None:
                return

    return rows()


def page(asked: Asked, state: Any) -> Steps:
    """Some of the rows, and the state for those after them; state None starts, and ends."""
    if asked.partition is None:
        return [], None
    if state is None:
        plan = asked.bounds[0].engine.compile_collect(asked.bounds, asked.partition)
        state = _sources(asked) if plan is None else (plan, asked.bounds[0].backend.clock())
    if isinstance(state, list):
        return (yield from _merged(state))
    plan, now = state
    answer = yield plan
    found: list[Any] = []
    for position, row in answer.rows:
        bound = asked.bounds[position]
        if bound.point_filter is None or bound.visible(now)(told(bound, row)):
            found.append(bound.load(row))
    return found, None if answer.more is None else (answer.more, now)


def _sources(asked: Asked) -> list[_Source]:
    """The models one by one, each asked for the rendered key as well, by which an engine that keeps it finds rows."""
    return [
        _Source(bound, conjunction(where, Compare((bound.schema.hidden_key[0],), "eq", asked.partition)))
        for bound, where in zip(asked.bounds, asked.filters, strict=True)
    ]


def _merged(sources: list[_Source]) -> Steps:
    """Rows until one of the models has none left of those that were read, while more of it may come before others'."""
    for source in sources:
        if source.unread and not source.rows:
            yield from source.fill()
    found: list[Any] = []
    while True:
        left = [source for source in sources if source.rows]
        if not left:
            break
        if any(source.unread and not source.rows for source in sources):
            break
        found.append(min(left, key=lambda source: source.rows[0][0]).rows.popleft()[1])
    return found, sources if any(source.rows or source.unread for source in sources) else None


# -- which partition -----------------------------------------------------------------------------------------------


def asked_of(bounds: Sequence[Bound], fields: Mapping[str, Any]) -> Asked:
    """What is asked for. QueryError if the models don't all have the partition that these fields make."""
    if not bounds or len(set(bounds)) < len(bounds):
        raise QueryError("collect() takes models, each once: backend.collect(User, Order, user_id=1)")
    for bound in bounds:
        _check_key(bound)
    used = {name for bound in bounds for name in bound.schema.template.partition.fields}  # type: ignore[union-attr]
    for name in fields:
        if name not in used:
            names = " or ".join(bound.schema.name for bound in bounds)
            raise QueryError(f"collect(): no partition of {names} is made of {name!r}", hint=nearest(name, used))
    filters = [_filter(bound, fields) for bound in bounds]
    partitions = [_partition(bound, where) for bound, where in zip(bounds, filters, strict=True)]
    if len(set(partitions)) > 1:
        pairs = ", ".join(f"{one.schema.name}: {text!r}" for one, text in zip(bounds, partitions, strict=True))
        raise QueryError(
            f"collect(): these models have no partition in common: {pairs}",
            hint="their Meta.key must make the same partition of these fields",
        )
    return Asked(bounds, partitions[0], filters)


def _check_key(bound: Bound) -> None:
    """QueryError for a model whose rows share no partition with others."""
    schema = bound.schema
    if schema.template is not None and schema.template.sort is not None:
        return
    fields = "#".join(f"{{{name}}}" for name in schema.key_fields) or "..."
    raise QueryError(
        f"collect(): {schema.name} has no Key(partition=..., sort=...), so its rows share no partition with others'",
        model=bound.model,
        hint=f'class Meta: key = Key(partition="{schema.name.upper()}#{fields}", sort="METADATA"), or the like',
    )


def _filter(bound: Bound, fields: Mapping[str, Any]) -> Expr:
    """The rows of a model whose partition these fields make."""
    template = bound.schema.template
    assert template is not None
    wanted = template.partition.fields
    missing = [name for name in wanted if fields.get(name) is None]
    if missing:
        raise QueryError(
            f"collect(): the partition of {bound.schema.name} is {template.partition.source!r}, "
            f"and {', '.join(missing)} is missing",
            model=bound.model,
        )
    return bound.backend.query(bound.model).filter(**{name: fields[name] for name in wanted}).query.where


def _partition(bound: Bound, where: Expr) -> str | None:
    shape = bound.schema.key_shape
    assert shape is not None
    found = shape.conditions(terms(where))
    return found[0].partition if found else None
