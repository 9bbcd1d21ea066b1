"""`PlannedBackend`: a backend as a compiler and one place of I/O; the lifecycle is written once in front of it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from mixstore import batches, binding, lifecycle, points
from mixstore.backend import Backend, Capability, Told, silent
from mixstore.builder import QueryBuilder
from mixstore.errors import ValidationError
from mixstore.expressions import TRUE, Expr
from mixstore.state import State, state_of
from mixstore.transaction import Transaction
from mixstore.write import Operation, Write

if TYPE_CHECKING:
    from mixstore.aggregations import Asked
    from mixstore.bound import Bound
    from mixstore.drift import Drift
    from mixstore.feeds import ChangeFeed
    from mixstore.query import Query
    from mixstore.search import Hit
    from mixstore.write import KeyValue

M = TypeVar("M")


class Plan:
    """What to do, ready to execute; the kernel only hands it on. One plan is one execute is one atomic unit.

    Any object may be a plan, apart from that of a query.
    """

    __slots__ = ()


class QueryPlan(Plan):
    """A compiled query, and what of it is left to the kernel.

    residual: the filter that the engine could not apply exactly; with one, the engine must not have applied limit
    and offset.
    ordered: rows come in the asked order. sliced: limit and offset have been applied.
    """

    __slots__ = ("index", "notes", "operation", "ordered", "pushed", "request", "residual", "scan", "sliced")

    def __init__(
        self,
        operation: str,
        *,
        request: Any = None,
        pushed: Expr = TRUE,
        residual: Expr | None = None,
        ordered: bool = True,
        sliced: bool = True,
        index: str | None = None,
        scan: bool = False,
        notes: tuple[str, ...] = (),
    ) -> None:
        self.operation = operation
        self.request = request
        self.pushed = pushed
        self.residual = residual
        self.ordered = ordered
        self.sliced = sliced
        self.index = index
        self.scan = scan
        self.notes = notes


class Rows(NamedTuple):
    """The answer to a query plan: rows in the engine's own form, and the plan for the rows after them."""

    rows: list[Any]
    more: Plan | None = None


class Removed(NamedTuple):
    """The answer to a plan of `compile_delete_all`: how many rows it has deleted, and the plan for more of them.

    rest: something was in the way, and rows may be there that still match; the kernel deletes these one by one.
    """

    number: int
    more: Plan | None = None
    rest: bool = False


class PlannedBackend(Backend):
    """All of `Backend`, in front of a few primitives: pure `compile_*`, and `execute`.

    Plans answer: `compile_get` and `compile_read` a list of rows or None, one a key; `compile_query` `Rows`;
    `compile_count` an int, or `Rows` to be counted; `compile_writes` and `compile_batch` a list of `Outcome`, one a
    write.
    """

    runs_extensions = True

    @abstractmethod
    def compile_get(self, bound: Bound, keys: Sequence[KeyValue]) -> Any:
        """A point read of these keys; not a query."""

    def compile_read(self, bound: Bound, keys: Sequence[KeyValue]) -> Any:
        """A point read for somebody who looks: unlike `compile_get`, rows of it may be a little behind."""
        return self.compile_get(bound, keys)

    @abstractmethod
    def compile_query(self, bound: Bound, query: Query) -> QueryPlan:
        """A query whose filter, order, limit and offset the engine applies as far as it can."""

    @abstractmethod
    def compile_writes(self, bound: Bound, writes: Sequence[Write]) -> Any:
        """Writes that happen all or not at all, each under its condition."""

    def compile_plain(
        self,
        bound: Bound,
        operation: Operation,
        key: KeyValue,
        record: dict[str, Any] | None,
        changes: dict[str, Any] | None,
    ) -> Any:
        """One write with no condition and no side write: what can be prepared per operation."""
        return self.compile_writes(bound, (Write(operation, bound, key, record, changes),))

    @abstractmethod
    def execute(self, plan: Any) -> Any:
        """The only I/O. Driver exceptions leave as mixstore's, chained."""

    async def aexecute(self, plan: Any) -> Any:
        """`execute()`, awaited; by default in a thread."""
        import asyncio

        return await asyncio.to_thread(self.execute, plan)

    def compile_count(self, bound: Bound, query: Query) -> QueryPlan:
        """How many rows match, limit and offset aside."""
        return self.compile_query(bound, query)

    def compile_aggregate(self, bound: Bound, query: Query, asked: Mapping[str, Asked]) -> QueryPlan | None:
        """Numbers about the rows of a query that has neither order nor limit.

        The plan answers {name: result}, just as the reference would; None: the kernel makes the numbers of the rows.
        """
        return None

    def compile_delete_all(self, bound: Bound, query: Query) -> QueryPlan | None:
        """The deletion of all rows that a query finds, which has neither order nor limit; nobody has to see them.

        A row is deleted only while it matches, and counted by exactly one of several who delete it. The plan answers
        `Removed`, and is short: others want to write too. None: the kernel deletes the rows one by one.
        """
        return None

    def compile_batch(self, bound: Bound, writes: Sequence[Write]) -> Any:
        """Writes of which each succeeds or fails by itself; None: the kernel executes one plan a write."""
        return None

    def compile_copies(self, bound: Bound, writes: Sequence[Write], visible: bool) -> Any:
        """`compile_batch` of whole rows and deletes that bring a version, for backends with EXTERNAL_VERSIONS.

        visible: when the plan has been executed, searches see what was written; otherwise it is enough that they will.
        """
        return self.compile_batch(bound, writes)

    def compile_finish(self, bound: Bound, keys: Sequence[KeyValue] | None) -> Any:
        """Write what rows of these keys (None: all rows of the model) have brought along, for backends with OWNED_ROWS.

        None: nothing is ever left to do. The plan answers how many rows had something.
        """
        return None

    def compile_collect(self, bounds: Sequence[Bound], partition: str) -> Any:
        """The rows of these models in the partition of this text, in the order of their sort texts.

        The plan answers `Rows` of (position of the model, row), whether they may be seen or not; None: the kernel asks
        the models one by one.
        """
        return None

    def change_feed(self) -> ChangeFeed | None:
        """What tells of all writes of rows afterwards; None: nothing does. ConfigurationError if it is switched off."""
        return None

    def prepare(self, bound: Bound) -> Any:
        """What this backend wants to keep in `bound.native`, made once at bind."""
        return None

    def row_record(self, bound: Bound) -> Callable[[Any], dict[str, Any]] | None:
        """How a row becomes a record that may be changed; None: rows are records, and are copied."""
        return None

    def row_values(self, bound: Bound) -> Callable[[Any], dict[str, Any]] | None:
        """A prepared way from a row to python values, if there is a shorter one than by the record."""
        return None

    def row_hit(self, row: Any) -> Hit | None:
        """What a search told of a row that it found; None for a row that none found. FULL_TEXT and VECTORS need it."""
        return None

    def row_with_hit(self, row: Any, hit: Hit) -> Any:
        """The row, which a search found, with this as its `row_hit`: what several searches together tell of it."""
        raise NotImplementedError(f"{type(self).__name__} declares VECTORS and has no row_with_hit()")

    # -- the public contract, once for all ----------------------------------------------------------------------------

    def create(self, model_class: type[Any], data: Mapping[str, Any]) -> dict[str, Any]:
        bound = self.bound(model_class)
        return bound.values_of(bound.run("create", lifecycle.create(bound, dict(data))))

    def upsert(self, model_class: type[Any], data: Mapping[str, Any]) -> dict[str, Any]:
        bound = self.bound(model_class)
        return bound.values_of(bound.run("upsert", lifecycle.upsert(bound, dict(data))))

    def get(self, model_class: type[Any], /, **filters: Any) -> dict[str, Any] | None:
        bound = self.bound(model_class)
        instance = bound.run("get", points.get(bound, None, filters))
        return None if instance is None else bound.values_of(instance)

    def update(self, model_class: type[Any], instance: Any) -> dict[str, Any]:
        bound = self.bound(model_class)
        instance, state = self._own(bound, instance)
        return bound.values_of(bound.run("update", lifecycle.update_row(bound, instance, state)))

    def delete(self, model_class: type[Any], instance: Any) -> bool:
        bound = self.bound(model_class)
        instance, state = self._own(bound, instance)
        return bool(bound.run("delete", lifecycle.delete(bound, instance, state)))

    def _own(self, bound: Bound, instance: Any) -> tuple[Any, State | None]:
        """An instance and its state; one that came from another backend is taken as a new copy, and stays there."""
        told, name = type(instance), bound.schema.name
        if told is not bound.model and told.__qualname__ != bound.model.__qualname__:  # but it may be defined anew
            raise ValidationError(f"this takes a {name}, not a {told.__name__}", model=bound.model)
        state = state_of(instance)
        if state is not None and state.bound.backend is not self:
            return instance.model_copy(), None
        return instance, state

    def query(self, model_class: type[M]) -> QueryBuilder[M]:
        bound = self.bound(model_class)
        return QueryBuilder(QueryBuilder.on(model_class).query, lambda: bound)

    def count(self, model_class: type[Any], /, **filters: Any) -> int:
        return self.query(model_class).filter(**filters).count()

    def exists(self, model_class: type[Any], /, **filters: Any) -> bool:
        return self.query(model_class).filter(**filters).exists()

    def batch_create(self, model_class: type[Any], items: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
        bound = self.bound(model_class)
        rows = bound.run("batch_create", batches.batch(bound, "create", items))
        return [bound.values_of(instance) for instance in rows]

    def batch_get(self, model_class: type[Any], keys: Iterable[Any]) -> list[dict[str, Any] | None]:
        bound = self.bound(model_class)
        found = bound.run("batch_get", points.batch_get(bound, keys))
        return [None if instance is None else bound.values_of(instance) for instance in found]

    def transaction(self) -> Transaction:
        if Capability.ATOMIC_WRITES not in self.capabilities:
            return super().transaction()
        return Transaction(self)

    def initialize(self, *models: type[Any]) -> None:
        self.initialize_bound(self._with_beside(models))

    def initialize_bound(self, bounds: Sequence[Bound]) -> None:
        """Create or extend what these models need; nothing by default."""

    def drift(self, *models: type[Any]) -> list[Drift]:
        return self.drift_bound(self._with_beside(models))

    def drift_bound(self, bounds: Sequence[Bound]) -> list[Drift]:
        """What in the store is not as these models declare it; nothing by default. Never writes."""
        return []

    def reindex_bound(self, bound: Bound, *, keep: bool | None = None, told: Told = silent) -> int | None:
        """`reindex` of one model; None: nothing is kept beside its rows that could be made anew."""
        return None

    def _with_beside(self, models: Sequence[type[Any]]) -> list[Bound]:
        """These models (default: all of this backend), and those whose rows extensions write beside theirs."""
        asked = [self.bound(model) for model in models or binding.models_of(self)]
        beside = [self.bound(model) for bound in asked for model in bound.chain.side_models]
        return list(dict.fromkeys([*asked, *beside]))
