"""Engines in front of what is not planned:

Backends that implement `Backend` directly, and rows that are already here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mixstore import codecs
from mixstore.adapter import ModelAdapter, decode_one, refused_value
from mixstore.backend import Backend, Capability
from mixstore.bound import Bound
from mixstore.chain import Chain
from mixstore.errors import DuplicateKeyError, NotFoundError, UnsupportedOperationError
from mixstore.expressions import TRUE
from mixstore.planned import Plan, PlannedBackend, QueryPlan, Rows
from mixstore.query import Query
from mixstore.schema import ModelSchema, schema_of
from mixstore.write import OK, Operation, Outcome, Write

if TYPE_CHECKING:
    from mixstore.codecs import Codec
    from mixstore.write import KeyValue


class ValuesAdapter(ModelAdapter):
    """Records that are copies of the python values, by field; JSON forms of them are understood too."""

    def __init__(self) -> None:
        self._copiers: dict[type, dict[str, Codec]] = {}

    def _copiers_of(self, schema: ModelSchema) -> dict[str, Codec]:
        known = self._copiers.get(schema.model)
        if known is None:
            known = {name: codecs.copier(spec.type) for name, spec in schema.fields.items()}
            self._copiers[schema.model] = known
        return known

    def model_to_storage(self, instance: Any) -> dict[str, Any]:
        schema, values = schema_of(type(instance)), instance.__dict__
        encoders = {name: codec.encode for name, codec in self._copiers_of(schema).items()}
        try:
            return {
                name: values[name] if encode is None or values[name] is None else encode(values[name])
                for name, encode in encoders.items()
            }
        except Exception as error:
            raise refused_value(schema, values, encoders, error) from error

    def storage_to_model(self, model_class: type[Any], data: Mapping[str, Any]) -> dict[str, Any]:
        schema = schema_of(model_class)
        values = {name: decode_one(schema, spec, data, spec.coerce) for name, spec in schema.fields.items()}
        for name, codec in self._copiers_of(schema).items():
            if codec.decode is not None and values[name] is not None:
                values[name] = codec.decode(values[name])
        return values

    def get_primary_key_value(self, instance: Any) -> Any:
        schema = schema_of(type(instance))
        return schema.key_as_told(schema.key_from(instance.__dict__))


class _Call(Plan):
    """One call of a method of the backend in front of which the engine stands."""

    __slots__ = ("bound", "keys", "writes")

    def __init__(self, bound: Bound, keys: Sequence[KeyValue] = (), writes: Sequence[Write] = ()) -> None:
        self.bound = bound
        self.keys = keys
        self.writes = writes


class _RowsPlan(QueryPlan):
    __slots__ = ("bound",)
    bound: Bound


def _everything_left(bound: Bound, query: Query, operation: str) -> _RowsPlan:
    residual = None if query.where == TRUE else query.where
    if query.search is not None:
        raise UnsupportedOperationError(
            f"{bound.backend.backend_name} has no full-text search",
            model=bound.model,
            backend=bound.backend.backend_name,
        )
    plan = _RowsPlan(operation, residual=residual, ordered=not query.order, sliced=False, scan=True)
    plan.bound = bound
    return plan


class DirectEngine:
    """Runs the lifecycle on a backend that implements `Backend` directly: model hooks yes, extensions no."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.adapter = ValuesAdapter()

    def prepare(self, bound: Bound) -> None:
        """Nothing to keep."""

    def row_record(self, bound: Bound) -> None:
        """Rows are records."""

    def row_values(self, bound: Bound) -> None:
        """Values come by the record."""

    def row_hit(self, row: Any) -> None:
        """There is no search."""

    def compile_get(self, bound: Bound, keys: Sequence[KeyValue]) -> Plan:
        """One `get` a key."""
        return _Call(bound, keys=keys)

    compile_read = compile_get

    def compile_query(self, bound: Bound, query: Query) -> QueryPlan:
        """All rows of the model; the reference evaluator does the rest."""
        return _everything_left(bound, query, "query")

    compile_count = compile_query

    def compile_aggregate(self, bound: Bound, query: Query, asked: Any) -> None:
        """The rows say it."""

    def compile_delete_all(self, bound: Bound, query: Query) -> None:
        """There is one call a row."""

    def compile_writes(self, bound: Bound, writes: Sequence[Write]) -> Plan:
        """One `create`, `upsert`, `update` or `delete`."""
        return _Call(bound, writes=writes)

    def compile_plain(
        self,
        bound: Bound,
        operation: Operation,
        key: KeyValue,
        record: dict[str, Any] | None,
        changes: dict[str, Any] | None,
    ) -> Plan:
        """One call."""
        return _Call(bound, writes=(Write(operation, bound, key, record, changes),))

    def compile_batch(self, bound: Bound, writes: Sequence[Write]) -> Plan:
        """One call a write."""
        return _Call(bound, writes=writes)

    def compile_finish(self, bound: Bound, keys: Any) -> None:
        """Nothing is written beside rows."""

    def compile_collect(self, bounds: Sequence[Bound], partition: str) -> None:
        """No shorter way than one query a model."""

    def execute(self, plan: Any) -> Any:
        """Call the backend."""
        if isinstance(plan, QueryPlan):
            model = plan.bound.model  # type: ignore[attr-defined]
            rows = self.backend.query(model).select().all()
            return Rows(rows)
        if plan.keys:
            return [self._row(plan.bound, key) for key in plan.keys]
        return [self._write(write) for write in plan.writes]

    async def aexecute(self, plan: Any) -> Any:
        """`execute()` in a thread."""
        import asyncio

        return await asyncio.to_thread(self.execute, plan)

    def _row(self, bound: Bound, key: KeyValue) -> dict[str, Any] | None:
        """The row with this key. A rendered key doesn't tell the fields it is made of, so its row is looked for."""
        schema = bound.schema
        if not schema.hidden_key:
            return self.backend.get(schema.model, **dict(zip(schema.key_fields, key, strict=True)))
        rows = self.backend.query(schema.model).select().all()
        return next((row for row in rows if schema.key_from(row) == key), None)

    def _delete(self, bound: Bound, key: KeyValue) -> Outcome:
        hidden = bound.schema.hidden_key
        values = self._row(bound, key) if hidden else dict(zip(bound.schema.key_fields, key, strict=True))
        if values is None:
            return Outcome("missing")
        holder = bound.model.model_construct(**values)
        return OK if self.backend.delete(bound.model, holder) else Outcome("missing")

    def _write(self, write: Write) -> Outcome:
        model = write.bound.model
        if write.op == "delete":
            return self._delete(write.bound, write.key)
        record = dict(write.record or {})
        try:
            if write.op == "create":
                self.backend.create(model, record)
            elif write.op == "upsert":
                self.backend.upsert(model, record)
            else:
                self.backend.update(model, model.model_construct(**record))
        except DuplicateKeyError as error:
            return Outcome("exists") if error.field is None else Outcome("unique", field=error.field)
        except NotFoundError:
            return Outcome("missing")
        return OK


def engine_of(backend: Backend) -> Any:
    """What executes the plans of a backend: itself if it is planned."""
    return backend if isinstance(backend, PlannedBackend) else DirectEngine(backend)


class RowsBackend(PlannedBackend):
    """Rows that are already here, to be queried; behind `QueryBuilder.over`."""

    capabilities = Capability(0)
    backend_name = "rows"

    def __init__(self, rows: Iterable[Mapping[str, Any]]) -> None:
        super().__init__(ValuesAdapter())
        self._rows = [dict(row) for row in rows]

    def bound(self, model_class: type[Any]) -> Bound:
        """With no chain: the rows are values already, and what a model needs to be stored is not needed here."""
        if model_class not in self._bounds:
            self._bounds[model_class] = Bound(schema_of(model_class), self, self, Chain())
        return self._bounds[model_class]

    def compile_get(self, bound: Bound, keys: Sequence[KeyValue]) -> Plan:
        return _Call(bound, keys=keys)

    def compile_query(self, bound: Bound, query: Query) -> QueryPlan:
        return _everything_left(bound, query, "rows")

    def compile_writes(self, bound: Bound, writes: Sequence[Write]) -> Plan:
        raise UnsupportedOperationError("rows that were handed in can't be written", model=bound.model)

    def execute(self, plan: Any) -> Any:
        if isinstance(plan, QueryPlan):
            return Rows(list(self._rows))
        found = {plan.bound.key_from(row): row for row in self._rows}
        return [found.get(key) for key in plan.keys]
