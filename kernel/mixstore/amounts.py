"""What may be added to a field: amounts checked, and the field's constraints as conditions on the row before."""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

from mixstore.errors import UnsupportedOperationError, ValidationError, nearest
from mixstore.expressions import Compare, Expr, disjunction
from mixstore.write import Condition, total

if TYPE_CHECKING:
    from mixstore.bound import Bound
    from mixstore.schema import FieldSpec

_TAKES: dict[str, tuple[type, ...]] = {"int": (int,), "float": (int, float), "decimal": (int, Decimal)}
_ASKED = {"int": "a whole number", "float": "a finite number", "decimal": "a finite Decimal or a whole number"}
_BOUNDS = ("ge", "gt", "le", "lt")
_STEPS = 16


class Amount(NamedTuple):
    """What is added to one field. `conditions` must hold on the stored row, so that the sum fits the field.

    `seen` means that the sum itself has to be looked at, since the field has constraints of another kind.
    """

    by: Any
    conditions: tuple[Condition, ...] = ()
    seen: bool = False


def amount(bound: Bound, name: str, by: Any) -> Amount:
    """The amount, checked. ValidationError for an unknown field, no number, or a wrong amount."""
    schema = bound.schema
    spec = schema.fields.get(name)
    numbers = [other for other, one in schema.fields.items() if one.type.kind in _TAKES]
    if spec is None:
        told, hint = f"{schema.name} has no field {name!r} to add to", nearest(str(name), numbers)
        raise ValidationError(told, field=name, model=bound.model, hint=hint)
    kind = spec.type.kind
    if kind not in _TAKES:
        told, hint = (
            f"{schema.name}.{name} is {spec.type}, nothing to add to",
            f"numbers: {', '.join(numbers) or 'none'}",
        )
        raise ValidationError(told, field=name, model=bound.model, hint=hint)
    if name in schema.key_fields:
        raise ValidationError(f"{schema.name}.{name} is a key, which can't change", field=name, model=bound.model)
    if name in bound.chain.opaque:
        told = f"an extension replaces what is stored of {schema.name}.{name}, so nothing can be added to it"
        raise UnsupportedOperationError(told, model=bound.model, backend=bound.backend.backend_name)
    taken = isinstance(by, _TAKES[kind]) and not isinstance(by, bool)
    if not taken or not (isinstance(by, int) or _finite(by)):
        told = f"{schema.name}.{name} grows by {_ASKED[kind]}, not by {by!r}"
        raise ValidationError(told, field=name, model=bound.model)
    by = float(by) if kind == "float" else Decimal(by) if kind == "decimal" else by
    bounds = _bounds(spec, by)
    if bounds is None:
        return Amount(by, (), True)
    return Amount(by, tuple(_condition(bound, spec, by, rule, expr) for rule, expr in bounds.items()))


def _finite(by: Any) -> bool:
    return math.isfinite(by)


def _condition(bound: Bound, spec: FieldSpec, by: Any, rule: str, expr: Expr) -> Condition:
    def error(stored: Mapping[str, Any]) -> Exception:
        sum_ = total(stored[spec.name], by)
        told = f"{bound.schema.name}.{spec.name} would become {sum_}, and must be {rule}; nothing was added"
        return ValidationError(told, field=spec.name, model=bound.model)

    return Condition(expr, error)


def _bounds(spec: FieldSpec, by: Any) -> dict[str, Expr] | None:
    """What must hold before for each bound to hold after, by how it reads; None if there are other constraints."""
    metadata = getattr(spec.constraint, "__metadata__", ())
    if not metadata:
        inside = get_args(spec.constraint) if spec.type.nullable else ()
        return {} if all(isinstance(one, type) for one in inside) else None
    found: dict[str, Expr] = {}
    for one in metadata:
        told = {name: getattr(one, name) for name in _BOUNDS if getattr(one, name, None) is not None}
        if not told or type(one).__module__ != "annotated_types":
            return None
        for name, limit in told.items():
            before = _before(spec.type.kind, name, limit, by)
            if before is None:
                return None
            lookup, value = before
            expr: Expr = Compare((spec.name,), lookup, value)
            if spec.type.nullable and _holds(name, total(None, by), limit):
                expr = disjunction(expr, Compare((spec.name,), "eq", None))
            found[f"{name} {limit}"] = expr
    return found


def _holds(name: str, value: Any, limit: Any) -> bool:
    match name:
        case "ge":
            return bool(value >= limit)
        case "gt":
            return bool(value > limit)
        case "le":
            return bool(value <= limit)
    return bool(value < limit)


def _before(kind: str, name: str, limit: Any, by: Any) -> tuple[str, Any] | None:
    """`stored + by >= limit` as a comparison of `stored` alone; None where that can't be told exactly."""
    if not isinstance(limit, int | float | Decimal) or not math.isfinite(limit):
        return None
    if kind == "decimal":
        return {"ge": "gte", "le": "lte"}.get(name, name), total(Decimal(limit), -by)
    low = name in ("ge", "gt")
    if kind == "int":
        whole = math.ceil(limit) if name in ("ge", "lt") else math.floor(limit)
        return {"ge": "gte", "le": "lte"}.get(name, name), whole - by
    toward = math.inf if low else -math.inf
    limit = float(limit) if name in ("ge", "le") else math.nextafter(limit, toward)
    value = limit - by
    for _ in range(_STEPS):  # rounding may have gone the wrong way
        if value + by >= limit if low else value + by <= limit:
            return ("gte" if low else "lte"), value
        value = math.nextafter(value, toward)
    return None
