"""`QueryBuilder`: how a `Query` is written. It never changes either."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Generator, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from mixstore import aggregating, bulk, conditions, expressions, lookups, pages, reads, suggesting
from mixstore.aggregations import Aggregation, checked
from mixstore.chain import PHYSICAL
from mixstore.errors import ConfigurationError, QueryError, nearest
from mixstore.expressions import Expr
from mixstore.indexes import check_named
from mixstore.nearness import sought
from mixstore.query import Explanation, Page, Query
from mixstore.schema import schema_of
from mixstore.search import Fields, likeness, order_by_score, searched
from mixstore.state import state_of

if TYPE_CHECKING:
    from typing_extensions import Self

    from mixstore.bound import Bound

M = TypeVar("M")
Operation = Callable[..., Generator[Any, Any, Any]]


NAMES: dict[Any, str] = {
    reads.fetch: "all",
    reads.at_most_one: "get",
    pages.stream: "iterate",
    bulk.update_all: "update",
    bulk.delete_all: "delete",
    aggregating.explain_aggregate: "explain",
}
"""What observers are told, where it is not the name of the function."""


class QueryBuilder(Generic[M]):
    """Writes a `Query`, one method at a time, each returning a new builder; the ends run it.

    `len()` and `bool()` do no I/O: a builder is a question, not its answer.
    """

    __slots__ = ("_bound", "query")

    def __init__(self, query: Query, bound: Callable[[], Bound]) -> None:
        self.query = query
        self._bound = bound

    @classmethod
    def on(cls, model: type[M]) -> QueryBuilder[M]:
        """All rows of a model, at the backend it is bound to when the query runs."""
        from mixstore import binding

        schema_of(model)
        return cls(Query(model), lambda: binding.bound_of(model))

    @classmethod
    def over(cls, model: type[M], rows: Iterable[Mapping[str, Any]]) -> QueryBuilder[M]:
        """Queries over rows that are already here ({field: value}), answered by the reference evaluator."""
        from mixstore import direct

        engine = direct.RowsBackend(rows)
        return cls(Query(model), lambda: engine.bound(model))

    def _with(self, **changes: Any) -> Self:
        return type(self)(self.query.replace(**changes), self._bound)

    def __repr__(self) -> str:
        query = self.query
        parts = [f"{query.model.__name__} where {query.where!r}"]
        parts += [f"order by {query.order!r}"] if query.order else []
        parts += [f"limit {query.limit}"] if query.limit is not None else []
        return f"<QueryBuilder {' '.join(parts)}>"

    def __getattr__(self, name: str) -> Callable[..., QueryBuilder[M]]:
        if name.startswith("_"):
            raise AttributeError(name)
        methods = schema_of(self.query.model).declared.query_methods
        if name not in methods:
            methods = {**self._of_backend(), **methods}
        if name not in methods:
            known = [*methods, *(public for public in dir(type(self)) if not public.startswith("_"))]
            raise AttributeError(f"a query on {self.query.model.__name__} has no {name!r}; {nearest(name, known)}")
        return lambda *args, **kwargs: methods[name](self, *args, **kwargs)

    def _of_backend(self) -> Mapping[str, Callable[..., Any]]:
        """What the backend adds to queries; nothing as long as there is none."""
        try:
            return self._bound().backend.query_methods
        except ConfigurationError:
            return {}

    # -- what to ask ------------------------------------------------------------------------------------------------

    def _condition(self, terms: tuple[Any, ...], named: Mapping[str, Any]) -> Expr:
        asked = [
            conditions.only_filter(self.query, one.query) if isinstance(one, QueryBuilder) else one for one in terms
        ]
        return conditions.condition(self.query.model, asked, named)

    def filter(self, /, *terms: Any, **named: Any) -> Self:
        """Rows for which all of this holds as well: `filter(age__gte=18)`, `filter(Q(a=1) | Q(b=2))`."""
        return self._with(where=expressions.conjunction(self.query.where, self._condition(terms, named)))

    where = and_ = filter

    def or_(self, /, *terms: Any, **named: Any) -> Self:
        """(what was asked so far) OR this. `a.or_(b).and_(c)` reads left to right: (a OR b) AND c."""
        return self._with(where=expressions.disjunction(self.query.where, self._condition(terms, named)))

    def not_(self, /, *terms: Any, **named: Any) -> Self:
        """Rows for which this does not hold; with no argument, the opposite of what was asked so far."""
        if not terms and not named:
            return self._with(where=~self.query.where)
        return self.filter(~self._condition(terms, named))

    def order_by(self, /, *names: str) -> Self:
        """Sort by fields or paths into them, `-` for descending; replaces an earlier order. None sorts first.

        The best that a search finds come first by `-score`; where the model has a field of that name, by `-_score`.
        """
        schema = schema_of(self.query.model)
        found = [order_by_score(schema, self.query, name) or lookups.parse_order(schema, name) for name in names]
        return self._with(order=tuple(found))

    def limit(self, count: int | None, /) -> Self:
        """At most so many rows; 0 is none, None is no limit."""
        return self._with(limit=None if count is None else _natural("limit", count))

    def offset(self, count: int, /) -> Self:
        """Skip so many rows."""
        return self._with(offset=_natural("offset", count))

    def select(self, /, *names: str) -> QueryBuilder[dict[str, Any]]:
        """Dicts of these fields instead of instances (no names: of all fields)."""
        fields = schema_of(self.query.model).fields
        for name in names:
            if name not in fields:
                raise QueryError(
                    f"{self.query.model.__name__} has no field {name!r} to select", hint=nearest(name, fields)
                )
        return self._with(fields=names or tuple(fields))  # type: ignore[return-value]

    def cursor(self, cursor: str | None, /) -> Self:
        """Go on after the page that gave this cursor; None starts at the beginning."""
        return self._with(cursor=cursor)

    def search(
        self,
        text: str,
        /,
        *,
        fields: Fields | None = None,
        fuzzy: bool = False,
        phrase: bool = False,
        prefix: bool = False,
        simple: bool = False,
        highlight: bool = False,
    ) -> Self:
        """Rows in whose searchable fields every word of the text occurs, whatever its case.

        fields: those to search, or {field: how much a word in it counts for the score}. fuzzy: words may have a typing
        error or two. phrase: the words in this order, in one field. prefix: the last word may go on. simple: signs say
        more (`"a phrase" -without this|that begin*`). highlight: tell the parts that were found. QueryError for what
        is no searchable field; UnsupportedOperationError, when it is asked, for an option that the backend lacks.
        """
        schema = schema_of(self.query.model)
        modes = {"fuzzy": fuzzy, "phrase": phrase, "prefix": prefix, "simple": simple}
        return self._with(search=searched(schema, text, fields, highlight, **modes))

    def like(self, row: M, /, *, fields: Fields | None = None) -> Self:
        """Rows that have many of the rarer words of this one, in these fields; not the row itself."""
        search, others = likeness(schema_of(self.query.model), row, fields)
        return self._with(search=search, where=expressions.conjunction(self.query.where, others))

    def similar(
        self, /, *, k: int = 10, weight: float | None = None, approximate: bool = False, **vector: Sequence[float]
    ) -> Self:
        """The `k` rows whose vectors are nearest to one, the nearest first: `similar(embedding=[...], k=20)`.

        The filter applies first. After `search()` or `like()`, the best of both: each list counts by its ranks, that of
        the vector for `weight` (0.5) of 1. approximate: an index of the engine may answer, which may miss some.
        QueryError for what is no vector of that field.
        """
        return self._with(similar=sought(schema_of(self.query.model), vector, k, weight, approximate))

    def using(self, name: str | None, /) -> Self:
        """Rows that are in this index, found by it: those that lack no part of its key. None: any way will do."""
        check_named(schema_of(self.query.model), name)
        return self._with(index=name)

    def option(self, /, **options: Any) -> Self:
        """Set query options, which extensions read; for the query methods of mixins."""
        return self._with(options={**self.query.options, **options})

    # -- the ends ---------------------------------------------------------------------------------------------------

    def _run(self, operation: Operation, *args: Any) -> Any:
        bound = self._bound()
        return bound.run(NAMES.get(operation, operation.__name__), operation(bound, self.query, *args))

    async def _arun(self, operation: Operation, *args: Any) -> Any:
        bound = self._bound()
        return await bound.arun(NAMES.get(operation, operation.__name__), operation(bound, self.query, *args))

    def all(self) -> list[M]:
        """All rows, as a list."""
        return self._run(reads.fetch)  # type: ignore[no-any-return]

    async def aall(self) -> list[M]:
        """`all()`, awaited."""
        return await self._arun(reads.fetch)  # type: ignore[no-any-return]

    def first(self) -> M | None:
        """The first row, by the key if no order is set, or None."""
        return self._run(reads.first)  # type: ignore[no-any-return]

    async def afirst(self) -> M | None:
        """`first()`, awaited."""
        return await self._arun(reads.first)  # type: ignore[no-any-return]

    def last(self) -> M | None:
        """The last row, by the key if no order is set, or None."""
        return self._run(reads.last)  # type: ignore[no-any-return]

    async def alast(self) -> M | None:
        """`last()`, awaited."""
        return await self._arun(reads.last)  # type: ignore[no-any-return]

    def one(self) -> M:
        """The only row; NotFoundError if there is none, MultipleResultsError if there are several."""
        return self._run(reads.one)  # type: ignore[no-any-return]

    async def aone(self) -> M:
        """`one()`, awaited."""
        return await self._arun(reads.one)  # type: ignore[no-any-return]

    def get(self) -> M | None:
        """The only row or None; MultipleResultsError if there are several."""
        return self._run(reads.at_most_one)  # type: ignore[no-any-return]

    async def aget(self) -> M | None:
        """`get()`, awaited."""
        return await self._arun(reads.at_most_one)  # type: ignore[no-any-return]

    def count(self) -> int:
        """How many rows `all()` would return, limit and offset included."""
        return self._run(reads.count)  # type: ignore[no-any-return]

    async def acount(self) -> int:
        """`count()`, awaited."""
        return await self._arun(reads.count)  # type: ignore[no-any-return]

    def exists(self) -> bool:
        """Whether `all()` would return anything."""
        return self._run(reads.exists)  # type: ignore[no-any-return]

    async def aexists(self) -> bool:
        """`exists()`, awaited."""
        return await self._arun(reads.exists)  # type: ignore[no-any-return]

    def paginate(self) -> Page[M]:
        """The next page of `limit` rows (100 if unset), by the key if no order is set, and the cursor after it."""
        return self._run(pages.paginate)  # type: ignore[no-any-return]

    async def apaginate(self) -> Page[M]:
        """`paginate()`, awaited."""
        return await self._arun(pages.paginate)  # type: ignore[no-any-return]

    def __iter__(self) -> Iterator[M]:
        """Streams rows page by page, by the key if no order is set; never holds more than a page."""
        state = None
        while True:
            items, state = self._run(pages.stream, state)
            yield from items
            if state is None:
                return

    async def __aiter__(self) -> AsyncIterator[M]:
        state = None
        while True:
            items, state = await self._arun(pages.stream, state)
            for item in items:
                yield item
            if state is None:
                return

    def update(self, /, **changes: Any) -> int:
        """Change every row found, each a conditional write through the chain. Returns the number of rows."""
        return self._run(bulk.update_all, changes)  # type: ignore[no-any-return]

    async def aupdate(self, /, **changes: Any) -> int:
        """`update()`, awaited."""
        return await self._arun(bulk.update_all, changes)  # type: ignore[no-any-return]

    def update_one(self, instance: M, /, **changes: Any) -> M:
        """Change the row of this instance as it is stored now; the instance, returned, becomes what is stored then.

        What it holds unsaved is given up. NotFoundError if the query does not find the row.
        """
        bound = self._bound_of(instance)
        return bound.run("update_one", bulk.update_one(bound, self.query, instance, changes))  # type: ignore[no-any-return]

    async def aupdate_one(self, instance: M, /, **changes: Any) -> M:
        """`update_one()`, awaited."""
        bound = self._bound_of(instance)
        return await bound.arun("update_one", bulk.update_one(bound, self.query, instance, changes))  # type: ignore[no-any-return]

    def _bound_of(self, instance: Any) -> Bound:
        """Where the instance came from, as for its own verbs."""
        if not isinstance(instance, self.query.model):
            raise QueryError(f"update_one() takes a {self.query.model.__name__}, not {type(instance).__name__}")
        state = state_of(instance)
        return self._bound() if state is None else state.bound

    def delete(self, *, physical: bool = False) -> int:
        """Delete every row found, each a conditional write through the chain. Returns the number of rows.

        `physical` removes the rows even where an extension turns a delete into something else.
        """
        return self.option(**{PHYSICAL: physical})._run(bulk.delete_all)  # type: ignore[no-any-return]

    async def adelete(self, *, physical: bool = False) -> int:
        """`delete()`, awaited."""
        return await self.option(**{PHYSICAL: physical})._arun(bulk.delete_all)  # type: ignore[no-any-return]

    def rewrite(self) -> int:
        """Store again the rows found, hidden ones too, in which an extension keeps something in an outdated form.

        Each is a conditional write through the chain. Returns the number of rows.
        """
        return self._run(bulk.rewrite_all)  # type: ignore[no-any-return]

    async def arewrite(self) -> int:
        """`rewrite()`, awaited."""
        return await self._arun(bulk.rewrite_all)  # type: ignore[no-any-return]

    def suggest(self, text: str, /, *, fields: Fields | None = None, size: int = 5) -> list[str]:
        """What may be meant by a text with typing errors, as the rows have it that the query can see; best first.

        [] if a row has the words as they are. Words are told without case and accents.
        """
        return self._run(suggesting.suggest, *self._sought(text, fields, size, fuzzy=True))  # type: ignore[no-any-return]

    async def asuggest(self, text: str, /, *, fields: Fields | None = None, size: int = 5) -> list[str]:
        """`suggest()`, awaited."""
        return await self._arun(suggesting.suggest, *self._sought(text, fields, size, fuzzy=True))  # type: ignore[no-any-return]

    def complete(self, text: str, /, *, fields: Fields | None = None, size: int = 5) -> list[str]:
        """How a text may go on whose last word is not finished, as the rows have it that the query can see."""
        return self._run(suggesting.complete, *self._sought(text, fields, size, prefix=True))  # type: ignore[no-any-return]

    async def acomplete(self, text: str, /, *, fields: Fields | None = None, size: int = 5) -> list[str]:
        """`complete()`, awaited."""
        return await self._arun(suggesting.complete, *self._sought(text, fields, size, prefix=True))  # type: ignore[no-any-return]

    def _sought(self, text: str, fields: Fields | None, size: int, **mode: bool) -> tuple[Any, int]:
        return searched(schema_of(self.query.model), text, fields, False, **mode), _natural("size", size)

    def aggregate(self, /, **asked: Aggregation) -> dict[str, Any]:
        """Numbers about the rows of `all()`, by their names: `aggregate(by_tag=Terms("tags"))["by_tag"]`.

        QueryError for a field that is not there, or whose values don't fit.
        """
        return self._run(aggregating.aggregate, self._checked(asked))  # type: ignore[no-any-return]

    async def aaggregate(self, /, **asked: Aggregation) -> dict[str, Any]:
        """`aggregate()`, awaited."""
        return await self._arun(aggregating.aggregate, self._checked(asked))  # type: ignore[no-any-return]

    def _checked(self, asked: Mapping[str, Aggregation]) -> Any:
        return checked(schema_of(self.query.model), asked)

    def explain(self, /, **asked: Aggregation) -> Explanation:
        """What `all()` would do, or `aggregate()` of these: the plan and the native request, without sending it."""
        if asked:
            return self._run(aggregating.explain_aggregate, self._checked(asked))  # type: ignore[no-any-return]
        return self._run(reads.explain)  # type: ignore[no-any-return]


def _natural(name: str, count: Any) -> int:
    if isinstance(count, bool) or not isinstance(count, int):
        raise QueryError(f"{name} must be a whole number, not {type(count).__name__}")
    if count < 0:
        raise QueryError(f"{name} must not be negative, but is {count}")
    return count
