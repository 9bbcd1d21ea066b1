"""Point reads: by the primary key or one unique value. Not queries, but under the same visibility."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from mixstore import operands
from mixstore.claims import asked
from mixstore.errors import NotFoundError, QueryError, ValidationError, nearest
from mixstore.expressions import Compare
from mixstore.failures import NOTHING_READ
from mixstore.query import Query
from mixstore.reads import rows_of
from mixstore.rowkeys import required_key
from mixstore.state import set_state, state_of

if TYPE_CHECKING:
    from mixstore.bound import Bound
    from mixstore.schema import ModelSchema
    from mixstore.write import KeyValue

Steps = Generator[Any, Any, Any]


def key_filters(schema: ModelSchema, key: Any) -> dict[str, Any]:
    """A key, given as a value, a tuple in the order of the key fields, or a dict, as {field: value}."""
    if isinstance(key, Mapping):
        return dict(key)
    values = key if isinstance(key, tuple) and len(schema.key_fields) != 1 else (key,)
    if len(values) != len(schema.key_fields):
        raise QueryError(
            f"a key of {schema.name} has {len(schema.key_fields)} parts, not {len(values)}",
            model=schema.model,
            hint=f"give {', '.join(schema.key_fields) or 'the fields its key methods use'} by name",
        )
    return dict(zip(schema.key_fields, values, strict=True))


def _coerced(schema: ModelSchema, filters: Mapping[str, Any]) -> dict[str, Any]:
    coerced = {}
    for name, value in filters.items():
        spec = schema.fields.get(name)
        if spec is None:
            raise QueryError(
                f"{schema.name} has no field {name!r}", model=schema.model, hint=nearest(name, schema.fields)
            )
        try:
            coerced[name] = operands.coerce(spec.type, value)
        except ValueError as error:
            raise QueryError(f"{schema.name}.{name} is {spec.type}: {error}", model=schema.model) from None
    return coerced


def _is_ready(key: tuple[Any, ...], kinds: tuple[type[Any], ...]) -> bool:
    """Whether a key has just these types, so that there is nothing to coerce; text in ASCII can always be stored."""
    if len(key) != len(kinds):
        return False
    for value, kind in zip(key, kinds, strict=True):
        if type(value) is not kind or (kind is str and not value.isascii()):
            return False
    return True


def key_of(bound: Bound, key: Any) -> KeyValue:
    """The key that a caller gives, checked and coerced to the types of its fields."""
    schema = bound.schema
    if type(key) is str and schema.text_key:
        return (key,)
    if type(key) is tuple and schema.ready_key and _is_ready(key, schema.ready_key):
        return key
    filters = _coerced(schema, key_filters(schema, key))
    try:
        found = bound.key_from(filters)
    except ValidationError as error:
        raise QueryError(error.message, model=schema.model) from error
    if found is None or (schema.key_fields and set(filters) != set(schema.key_fields)):
        missing = [name for name in schema.key_fields if filters.get(name) is None]
        raise QueryError(
            f"this is not the key of a {schema.name}" + (f": {', '.join(missing)} missing" if missing else ""),
            model=schema.model,
            hint=f"the key is made of {', '.join(schema.key_fields) or 'what its key methods use'}",
        )
    return found


def get(bound: Bound, key: Any, filters: dict[str, Any]) -> Steps:
    """The instance with this key, or this value of one unique field; None if there is none."""
    schema = bound.schema
    if key is None:
        if len(filters) == 1 and schema.key_fields != tuple(filters):
            name = next(iter(filters))
            if schema.fields.get(name) is not None and schema.fields[name].option("unique"):
                return (yield from _get_unique(bound, name, filters[name]))
        if not filters:
            raise QueryError(f"get() takes the primary key of {schema.name}, or one unique field", model=schema.model)
        unfit = [name for name in filters if name not in schema.key_fields]
        if unfit and not schema.key_methods:
            unique = ", ".join((*schema.key_fields, *schema.unique))
            raise QueryError(
                f"get() takes the primary key of {schema.name} or one unique field, not {', '.join(unfit)}",
                model=schema.model,
                hint=f"{nearest(unfit[0], (*schema.key_fields, *schema.unique)) if unique else ''} or where(...).get()",
            )
        key = filters
    elif filters:
        raise QueryError("get() takes a key or names, not both", model=schema.model)
    found = key_of(bound, key)
    rows = yield _shown(bound, found)
    row = rows[0]
    if bound.point_filter is None:
        return None if row is None else bound.load(row, found)
    (values,) = _seen(bound, rows)
    return None if values is None else bound.load(row, found, values)


def _get_unique(bound: Bound, name: str, value: Any) -> Steps:
    coerced = _coerced(bound.schema, {name: value})[name]
    if coerced is None:
        raise QueryError(f"get() by {name} needs a value: None is not unique", model=bound.model)
    if name in bound.chain.finders:
        return (yield from _get_claimed(bound, name, coerced))
    found = yield from rows_of(bound, Query(bound.model, Compare((name,), "eq", coerced), limit=1))
    if not found:
        return None
    instance = bound.load(found[0])
    open_transaction = bound.transaction()
    if open_transaction is not None:
        open_transaction.refuse_buffered(bound, state_of(instance).key)  # type: ignore[union-attr]
    return instance


def _get_claimed(bound: Bound, name: str, value: Any) -> Steps:
    """The row by the claim that stands for its value, which only counts while the row is there and has it."""
    extension = bound.chain.finders[name]
    (claim,) = asked(bound, None, extension, "claims", {name: value}, effect=NOTHING_READ)
    other = bound.backend.bound(type(claim))
    rows = yield bound.engine.compile_get(other, (required_key(other, claim),))
    if rows[0] is None:
        return None
    claimed = other.values_from_row(rows[0])
    key = asked(bound, None, extension, "holder", claimed, effect=NOTHING_READ)
    rows = yield _point(bound, key)
    (values,) = _seen(bound, rows)
    return None if values is None or values[name] != value else bound.load(rows[0], key, values)


def _point(bound: Bound, *keys: KeyValue) -> Any:
    """The plan that reads these keys; TransactionError if one of them has a buffered write."""
    open_transaction = bound.transaction()
    if open_transaction is not None:
        for key in keys:
            open_transaction.refuse_buffered(bound, key)
    return bound.engine.compile_get(bound, keys)


def _shown(bound: Bound, *keys: KeyValue) -> Any:
    """As `_point`, of what may be a little behind; not in a transaction, whose writes may follow from what is read."""
    if bound.transaction() is not None:
        return _point(bound, *keys)
    return bound.engine.compile_read(bound, keys)


def _seen(bound: Bound, rows: Iterable[Any]) -> list[dict[str, Any] | None]:
    """The values of rows that were read by their keys; None for one that is not there or may not be seen.

    What may be seen is decided on the values as stored, as in a query.
    """
    if bound.point_filter is None:
        return [None if row is None else bound.values_from_row(row) for row in rows]
    visible = bound.point_filter({"now": bound.backend.clock()})
    told = ((row, None if row is None else bound.stored_values(row)) for row in rows)
    return [bound.after_read(row, values) if values is not None and visible(values) else None for row, values in told]


def batch_get(bound: Bound, keys: Iterable[Any]) -> Steps:
    """The instances with these keys, in their order; None where there is none."""
    wanted = [key_of(bound, key) for key in keys]
    if not wanted:
        return []
    rows = yield _shown(bound, *wanted)
    if bound.point_filter is None:
        return bound.load_all(rows)
    pairs = zip(rows, _seen(bound, rows), strict=True)
    return [None if values is None else bound.load(row, None, values) for row, values in pairs]


def refresh(bound: Bound, instance: Any) -> Steps:
    """Read the row again into the instance, as it is stored now. NotFoundError if it is gone."""
    state = state_of(instance)
    key = state.key if state is not None else required_key(bound, instance)
    rows = yield _point(bound, key)
    (values,) = _seen(bound, rows)
    if values is None:
        raise NotFoundError(
            f"{bound.schema.name} to refresh is not there",
            model=bound.model,
            key=bound.schema.key_as_told(key),
            backend=bound.backend.backend_name,
        )
    loaded = bound.load(rows[0], key, values)
    instance.__dict__.update(loaded.__dict__)
    set_state(instance, bound, rows[0], None, key)
    return instance
