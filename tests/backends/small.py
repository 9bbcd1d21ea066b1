"""Backends that can do little: one that implements the contract directly, and a planned one without capabilities."""

from __future__ import annotations

import copy

import pydantic

from mixstore import (
    OK,
    REMOVE,
    SKIPPED,
    Add,
    Backend,
    Capability,
    DuplicateKeyError,
    NotFoundError,
    Outcome,
    PlannedBackend,
    QueryBuilder,
    QueryError,
    QueryPlan,
    Rows,
    UnsupportedOperationError,
    ValidationError,
    evaluate,
    schema_of,
)
from mixstore.direct import ValuesAdapter
from mixstore.errors import SchemaError
from mixstore_backends.memory import InMemoryBackend


class DirectBackend(Backend):
    """Rows as dicts of values, by key: the abstract methods and nothing else."""

    backend_name = "direct"

    def __init__(self):
        super().__init__(ValuesAdapter())
        self.tables = {}

    def _table(self, model_class):
        return self.tables.setdefault(self.adapter.get_entity_type(model_class), {})

    def _key(self, model_class, values):
        key = schema_of(model_class).key_from(values)
        if key is None:
            raise QueryError("the key is missing", model=model_class)
        return key

    def _checked(self, model_class, data):
        schema = schema_of(model_class)
        try:
            values = {name: schema.field(name).validator(value) for name, value in data.items()}
        except (SchemaError, pydantic.ValidationError) as error:
            raise ValidationError(f"{schema.name} refuses {error}", model=model_class) from error
        return model_class.model_construct(**values)

    def _store(self, instance):
        record = self.adapter.model_to_storage(instance)
        self._table(type(instance))[self._key(type(instance), vars(instance))] = record
        return copy.deepcopy(record)

    def create(self, model_class, data):
        instance = self._checked(model_class, data)
        if self._key(model_class, vars(instance)) in self._table(model_class):
            raise DuplicateKeyError("the row exists already")
        return self._store(instance)

    def upsert(self, model_class, data):
        return self._store(self._checked(model_class, data))

    def get(self, model_class, /, **filters):
        return copy.deepcopy(self._table(model_class).get(self._key(model_class, filters)))

    def update(self, model_class, instance):
        if self._key(model_class, vars(instance)) not in self._table(model_class):
            raise NotFoundError("the row to update is not there")
        return self._store(instance)

    def delete(self, model_class, instance):
        return self._table(model_class).pop(self._key(model_class, vars(instance)), None) is not None

    def query(self, model_class):
        return QueryBuilder.over(model_class, copy.deepcopy(list(self._table(model_class).values())))

    def count(self, model_class, /, **filters):
        return self.query(model_class).filter(**filters).count()

    def exists(self, model_class, /, **filters):
        return self.query(model_class).filter(**filters).exists()


class Call(QueryPlan):
    """A query that reads all rows."""


class BarePlannedBackend(PlannedBackend):
    """Reads everything, writes one row at a time, promises nothing: what it looks at may be old when it writes."""

    backend_name = "bare"
    scan_policy = "warn"
    capabilities = Capability(0)

    def __init__(self):
        super().__init__(ValuesAdapter())
        self.tables = {}

    def prepare(self, bound):
        return self.tables.setdefault(bound.schema.entity, {})

    def compile_get(self, bound, keys):
        return lambda: [copy.deepcopy(bound.native.get(key)) for key in keys]

    def compile_query(self, bound, query):
        if query.search is not None:
            raise UnsupportedOperationError("there is no full-text search here", model=bound.model)
        plan = Call("scan", residual=query.where, ordered=not query.order, sliced=False, scan=True)
        plan.request = bound.native
        return plan

    def compile_writes(self, bound, writes):
        return lambda: self._all(writes)

    def execute(self, plan):
        return Rows(copy.deepcopy(list(plan.request.values()))) if isinstance(plan, Call) else plan()

    def _all(self, writes):
        outcomes = []
        for write in writes:
            outcomes.append(SKIPPED if outcomes and outcomes[-1] is not OK else self._one(write))
        return outcomes

    def _one(self, write):
        table = write.bound.native
        stored = table.get(write.key)
        if write.op in ("create", "upsert") and write.evict is not None and _holds(write.evict, write, stored):
            stored = None
        if stored is None and write.op in ("update", "delete"):
            return Outcome("missing")
        if stored is not None and (write.op == "create" or write.absent):
            return Outcome("exists", copy.deepcopy(stored))
        if stored is not None and write.condition is not None and not _holds(write.condition, write, stored):
            return Outcome("condition", copy.deepcopy(stored))
        if write.op == "delete":
            table.pop(write.key, None)
        else:
            table[write.key] = write.record if write.op != "update" else _changed(stored, write.changes)
        return OK


def _holds(expr, write, stored):
    return stored is not None and evaluate(expr, write.bound.values_from_row(stored))


def _changed(stored, changes):
    record = dict(stored)
    for name, value in changes.items():
        if value is REMOVE:
            record.pop(name, None)
        else:
            record[name] = (record.get(name) or 0) + value.by if isinstance(value, Add) else value
    return record


class LimitedBackend(InMemoryBackend):
    """Takes small values and short transactions."""

    most_bytes = 1000
    most_writes = 20

    def compile_plain(self, bound, operation, key, record, changes):
        self._check(record if changes is None else changes)
        return super().compile_plain(bound, operation, key, record, changes)

    def compile_writes(self, bound, writes):
        if len(writes) > self.most_writes:
            raise UnsupportedOperationError(f"a transaction takes at most {self.most_writes} writes")
        return super().compile_writes(bound, writes)

    def _check(self, record):
        if any(_size(value) > self.most_bytes for value in (record or {}).values()):
            raise ValidationError(f"a value has at most {self.most_bytes} bytes")


def _size(value):
    return len(value if isinstance(value, bytes) else str(value).encode())
