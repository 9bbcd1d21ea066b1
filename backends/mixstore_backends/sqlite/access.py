"""Which index serves a query: what mixstore adds to a filter so that one can, and what `explain()` tells."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from mixstore.expressions import Compare, Expr, terms
from mixstore_backends.sqlite import fts
from mixstore_backends.sqlite.lookups import Sql
from mixstore_backends.sqlite.operands import PRIMARY, NotInSQLError, Source

if TYPE_CHECKING:
    from mixstore.keyranges import KeyCondition
    from mixstore.query import Query
    from mixstore_backends.sqlite.compiler import Compiler, Place, Where
    from mixstore_backends.sqlite.layout import Table

_EQUAL = frozenset({"eq", "in"})
_RANGES = frozenset({"lt", "lte", "gt", "gte", "between", "startswith"})
_INDEXABLE = _EQUAL | _RANGES | {"isnull"}


def by_rendered_key(table: Table, pushed: Sequence[Expr]) -> list[Sql]:
    """What filters on the fields of a rendered key say of the key itself, so that its index serves them."""
    shape = table.schema.key_shape
    found = () if shape is None else shape.conditions(pushed)
    if not found:
        return []
    if len(found) > 1:
        names = tuple(one.partition for one in found)
        return [Sql(f"{table.keys[0].sql} IN ({', '.join('?' * len(names))})", names)]
    return [Sql(f"{table.keys[0].sql} = ?", (found[0].partition,)), *_sort_range(table, found[0])]


def _sort_range(table: Table, condition: KeyCondition) -> Iterator[Sql]:
    if condition.exact:
        yield Sql(f"{table.keys[1].sql} = ?", (condition.low,))
        return
    bounds = [(sign, text) for sign, text in ((">=", condition.low), ("<", condition.high)) if text is not None]
    if bounds:
        name = table.keys[1].sql
        yield Sql(" AND ".join(f"{name} {sign} ?" for sign, _ in bounds), tuple(text for _, text in bounds))


def by_rendered_order(table: Table, query: Query, pushed: Sequence[Expr]) -> bool | None:
    """Whether the sort texts of the one partition have the asked order descending; None if they have not."""
    shape = table.schema.key_shape
    if shape is None or shape.sort is None or len(shape.conditions(pushed)) != 1:
        return None
    named = [one for one in query.order if one.path[0] not in table.schema.hidden_key]
    found = shape.order(named, pushed) if named else None
    decided = {name for one in named for name in one.path}.issuperset(shape.sort.fields)
    return found.descending if found is not None and decided and not found.rest else None


class _Way(NamedTuple):
    """An index that serves a query, and how far: one for each column whose value is told, less for a range."""

    rank: float
    by: str


_ONE_ROW = 1000.0


def access(compiler: Compiler, where: Where, query: Query, columns: Sequence[Place] | None) -> dict[str, Any]:
    """The index that serves a query, or that it reads the whole table and what would help."""
    table = compiler.table
    if query.search is not None:
        return {"index": fts.name_of(table)}
    unusable = _unusable(table, where)
    sought = [found for term in where.terms if (found := _sought(compiler, term)) is not None]
    ways = list(_by_columns(table, where.terms, sought))
    forced = forced_index(table, query)
    if forced is not None:
        return {"index": forced, "scan": all(way.by != forced for way in ways)}
    ways += [way for way in _by_fields(table, sought) if way.by not in unusable]
    if ways:
        return {"index": max(ways, key=lambda way: way.rank).by}
    ordering = _by_order(compiler, query, unusable) if columns and query.order else None
    if ordering is not None:
        return {"index": ordering}
    wanted = next((source.name for _, source in sought if source.index is None and source.name), None)
    if wanted is None:
        return {"scan": True}
    return {"scan": True, "notes": (f"Field(index=True) on {wanted!r} would make this a search",)}


def forced_index(table: Table, query: Query) -> str | None:
    """The index that a query is to use, whatever SQLite would choose. A search has its own way to rows."""
    ranked = query.search is not None or query.similar is not None
    found = None if query.index is None or ranked else table.key_indexes.get(query.index)
    return None if found is None else found.name


def _by_columns(table: Table, told: Sequence[Expr], sought: Iterable[tuple[Compare, Source]]) -> Iterator[_Way]:
    """The key and the secondary indexes, as far as their columns are told one after the other."""
    rendered = by_rendered_key(table, told)
    if rendered:
        one_row = len(rendered) == len(table.keys) and " = " in rendered[-1].text
        yield _Way(_ONE_ROW if one_row else 1.5 if len(rendered) > 1 else 1.05, PRIMARY)
    found = list(sought)
    equal = {source.name for term, source in found if term.lookup in _EQUAL or term.value is True}
    ranged = {source.name for term, source in found if term.lookup in _RANGES and source.ordered == source.sql}
    candidates = {PRIMARY: tuple(column.name for column in table.keys)}
    candidates.update({index.name: index.columns for index in table.key_indexes.values()})
    for name, columns in candidates.items():
        count = next((n for n, column in enumerate(columns) if column not in equal), len(columns))
        if name == PRIMARY and count == len(columns):
            yield _Way(_ONE_ROW, name)
        elif count < len(columns) and columns[count] in ranged:
            yield _Way(count + 0.5, name)
        elif count:
            yield _Way(count, name)


def _by_fields(table: Table, sought: Iterable[tuple[Compare, Source]]) -> Iterator[_Way]:
    for term, source in sought:
        if source.index == PRIMARY:
            yield _Way(0.6, PRIMARY)
        elif source.index is not None and term.lookup in _EQUAL:
            yield _Way(_ONE_ROW - 1 if source.name in table.unique else 1.1, source.index)
        elif source.index is not None:
            yield _Way(0.55, source.index)


def _by_order(compiler: Compiler, query: Query, unusable: set[str]) -> str | None:
    """The index in whose order the rows are wanted."""
    first = compiler.sources.at(query.order[0].path).index
    if first == PRIMARY:
        return first
    if query.limit is None:
        return None
    paths = [".".join(one.path) for one in query.order]
    if len({one.descending for one in query.order}) == 1:
        for index in compiler.table.key_indexes.values():
            if list(index.columns[: len(paths)]) == paths:
                return index.name
    return first if first not in unusable else None


def _unusable(table: Table, where: Where) -> set[str]:
    """The indexes that lack rows which are asked for: those of unique values, where some rows don't hold theirs."""
    freed = table.bound.chain.freed
    if freed is None or set(terms(~freed)) <= set(where.terms):
        return set()
    return {table.index_names[name] for name in table.unique if name in table.index_names}


def _sought(compiler: Compiler, term: Expr) -> tuple[Compare, Source] | None:
    """A comparison that an index would find rows by, and the source that it looks at."""
    if not isinstance(term, Compare) or term.lookup not in _INDEXABLE:
        return None
    try:
        source = compiler.sources.at(term.path)
    except NotInSQLError:
        return None
    return None if source.ordered is None else (term, source)
