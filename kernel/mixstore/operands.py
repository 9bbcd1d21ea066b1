"""Operands of filters, coerced to the type of the field that they are compared with.

By the rules of pydantic's lax mode, so that `born="1990-02-28"` works, with exceptions that keep
comparisons honest: a bool never passes for a number nor a number for a bool, NaN and naive moments are
refused, and constraints don't apply: `age__lt=0` is a fair question even where no age may be below 0. None
and Deferred operands pass as they are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, time, timezone
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from typing import Any

from pydantic import ValidationError

from mixstore.comparing import COLLECTIONS, comparable
from mixstore.errors import nearest
from mixstore.nested import construct
from mixstore.nodes import Deferred
from mixstore.types import SCALARS, FieldType


def coerce(kind: FieldType, value: Any) -> Any:
    """The operand as a value of this type. ValueError says what does not fit, without naming the field."""
    if value is None or isinstance(value, Deferred):
        return value
    if value.__class__ is kind.python and kind.kind in _AS_THEY_ARE:
        return value
    if kind.kind not in ("bool", "any", "union", "enum", "literal") and isinstance(value, bool):
        raise ValueError("a bool is not " + _article(kind.kind))
    return _COERCIONS[kind.kind](kind, value)


def text(value: Any) -> Any:
    """A text operand, exactly `str`. ValueError for another type and for what no store can encode."""
    if isinstance(value, Enum):
        value = value.value
    if not isinstance(value, str):
        raise ValueError(f"it takes text, not {_article(type(value).__name__)}")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ValueError("a lone surrogate is no character, and no store can hold it") from None
    return value if type(value) is str else str.__str__(value)


def first_fit(kinds: Iterable[FieldType], value: Any) -> Any:
    """The value as one of several types: one that takes it as it is, else the first that can make it fit."""
    fitting, problems = [], []
    for kind in kinds:
        try:
            fitting.append(coerce(kind, value))
        except ValueError as error:
            problems.append(f"{kind.kind}: {error}")
    if not fitting:
        raise ValueError("; ".join(problems))
    return next((found for found in fitting if type(found) is type(value)), fitting[0])


def _article(noun: str) -> str:
    return f"an {noun}" if noun[0].lower() in "aeio" else f"a {noun}"


_AS_THEY_ARE = frozenset({"int", "bool", "bytes", "date", "timedelta", "uuid", "enum", "model", "ip", "url"})
"""Kinds of which every instance is a fair operand."""

_PLAIN: dict[str, type] = {kind: python for python, kind in SCALARS.items()}


@lru_cache(maxsize=256)
def _validator(python: type) -> Callable[[Any], Any]:
    from pydantic import TypeAdapter

    return TypeAdapter(python).validator.validate_python


def _lax(kind: FieldType, value: Any) -> Any:
    try:
        return _validator(_PLAIN.get(kind.kind, kind.python))(value)
    except ValidationError as error:
        raise ValueError(error.errors(include_url=False)[0]["msg"]) from None


def _text(kind: FieldType, value: Any) -> Any:
    return text(value)


def _finite(number: float | Decimal) -> None:
    # math.isfinite() goes by way of a float, for which 1E+400 is infinite
    if not (number.is_finite() if isinstance(number, Decimal) else math.isfinite(number)):
        raise ValueError(f"{number} is not a finite number")


def _int(kind: FieldType, value: Any) -> Any:
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, (float, Decimal)):
        _finite(value)
        # A fraction is no int, but `age__gt=17.5` has an answer.
        return int(value) if value == int(value) else value
    return _lax(kind, value)


def _float(kind: FieldType, value: Any) -> Any:
    try:
        number = float(value) if isinstance(value, (int, Decimal)) else _lax(kind, value)
    except OverflowError:
        raise ValueError("it is too large for a float") from None
    if math.isnan(number):
        raise ValueError("NaN compares with nothing")
    return number


def _decimal(kind: FieldType, value: Any) -> Any:
    if isinstance(value, (float, Decimal)):
        _finite(value)
    number = _lax(kind, value)
    _finite(number)
    return number


def _bool(kind: FieldType, value: Any) -> Any:
    if isinstance(value, (int, float, Decimal)) and not isinstance(value, bool):
        raise ValueError("a number is not a bool")
    return _lax(kind, value)


def _moment(kind: FieldType, value: Any) -> Any:
    moment = value if isinstance(value, datetime) else _lax(kind, value)
    if not isinstance(moment, datetime) or moment.utcoffset() is None:
        raise ValueError("it has no time zone")
    try:
        return moment if moment.tzinfo is timezone.utc else moment.astimezone(timezone.utc)
    except OverflowError:
        raise ValueError("in UTC it falls out of the years 1 to 9999") from None


def _time(kind: FieldType, value: Any) -> Any:
    found = _lax(kind, value)
    if isinstance(found, time) and found.tzinfo is not None:
        raise ValueError("a time of day has no time zone")
    return found


def _choice(kind: FieldType, value: Any) -> Any:
    try:
        form = comparable(value)
    except TypeError as error:
        raise ValueError(str(error)) from None
    members = tuple(kind.python) if kind.kind == "enum" else kind.choices
    for member in members:
        if comparable(member) == form:
            return member
    raise ValueError(f"no such choice; {nearest(str(form[1]), [str(comparable(member)[1]) for member in members])}")


def _any(kind: FieldType, value: Any) -> Any:
    if isinstance(value, Enum):
        return _any(kind, value.value)
    if isinstance(value, str):
        return text(value)
    if isinstance(value, float):
        _finite(value)
        return value
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, (list, tuple)):
        return [_any(kind, part) for part in value]
    if isinstance(value, Mapping):
        return {text(key): _any(kind, part) for key, part in value.items()}
    raise ValueError(f"it holds JSON values, and {_article(type(value).__name__)} is none")


def _collection(kind: FieldType, value: Any) -> Any:
    if not isinstance(value, COLLECTIONS):
        raise ValueError(f"{_article(type(value).__name__)} is not {_article(kind.kind)}")
    make: Any = {"list": list, "tuple": tuple, "set": set, "frozenset": frozenset}[kind.kind]
    if kind.kind == "tuple" and not kind.variadic:
        if len(value) != len(kind.args):
            raise ValueError(f"it has {len(kind.args)} elements, not {len(value)}")
        return make(coerce(part, element) for part, element in zip(kind.args, value, strict=True))
    return make(coerce(kind.args[0], element) for element in value)


def _dict(kind: FieldType, value: Any) -> Any:
    if not isinstance(value, Mapping):
        raise ValueError(f"{_article(type(value).__name__)} is not a dict")
    keys, values = kind.args
    return {coerce(keys, key): coerce(values, part) for key, part in value.items()}


def _model(kind: FieldType, value: Any) -> Any:
    """A nested model from a dict, by the types of its fields alone: no validator runs on an operand."""
    model = kind.python
    if isinstance(value, model):
        return value
    if not isinstance(value, Mapping):
        raise ValueError(f"{_article(type(value).__name__)} is neither {_article(model.__name__)} nor a dict")
    nested, values = kind.nested(), {}
    extra = {name: part for name, part in value.items() if name not in nested}
    if extra and model.model_config.get("extra") != "allow":
        name = next(iter(extra))
        raise ValueError(f"{model.__name__} has no field {name!r}; {nearest(str(name), nested)}")
    for name, info in model.__pydantic_fields__.items():
        if name in value:
            values[name] = coerce(nested[name], value[name])
        elif info.is_required():
            raise ValueError(f"{model.__name__}.{name} is missing")
        else:
            values[name] = info.get_default(call_default_factory=True, validated_data=values)
    allowed = _any(kind, extra) if model.model_config.get("extra") == "allow" else None
    return construct(model, values, set(value), allowed)


_COERCIONS: dict[str, Callable[[FieldType, Any], Any]] = {
    "str": _text,
    "int": _int,
    "float": _float,
    "decimal": _decimal,
    "bool": _bool,
    "bytes": _lax,
    "datetime": _moment,
    "date": _lax,
    "time": _time,
    "timedelta": _lax,
    "uuid": _lax,
    "enum": _choice,
    "literal": _choice,
    "ip": _lax,
    "url": _lax,
    "model": _model,
    "list": _collection,
    "tuple": _collection,
    "set": _collection,
    "frozenset": _collection,
    "dict": _dict,
    "any": _any,
    "union": lambda kind, value: first_fit(kind.args, value),
}
