"""Taking annotations apart and putting them together again: aliases, metadata, constraints."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Iterable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, ForwardRef, NewType, NoReturn, Union, get_args, get_origin
from uuid import UUID

import pydantic
from pydantic.fields import FieldInfo

from mixstore.errors import SchemaError
from mixstore.vectors import Vector

_BUILTIN = (bool, str, int, float, Decimal, bytes, datetime, date, time, timedelta, UUID)
_SUBCLASSED = (str, int, float, Decimal, bytes)
_STAND_INS = {
    "EmailStr": str,
    "AwareDatetime": datetime,
    "PastDatetime": datetime,
    "FutureDatetime": datetime,
    "PastDate": date,
    "FutureDate": date,
    "Json": Any,
}
_HINTS = {
    "Path": "store the path as str",
    "deque": "use list",
    "Sequence": "use list",
    "Iterable": "use list",
    "Mapping": "use dict",
    "defaultdict": "use dict",
    "OrderedDict": "use dict",
    "Counter": "use dict",
    "NaiveDatetime": "datetimes are stored with their time zone: use datetime or AwareDatetime",
    "NameEmail": "use EmailStr",
    "complex": "store the two parts as floats",
    "Fraction": "store numerator and denominator, or a Decimal",
    "TypeVar": "parametrise the generic model: Box[int]",
    "ForwardRef": "the name is not defined where the model is: import it, or call model_rebuild()",
}
_CONSTRAINTS = frozenset({"Discriminator", "Tag", "UuidVersion", "UrlConstraints"})


def annotated(info: FieldInfo) -> Any:
    """The whole annotation of a field, with the metadata and discriminator that pydantic keeps beside it."""
    metadata = list(info.metadata)
    if info.discriminator is not None:
        metadata.append(pydantic.Field(discriminator=info.discriminator))
    return with_metadata(info.annotation, metadata)


def with_metadata(annotation: Any, metadata: Iterable[Any]) -> Any:
    """`Annotated[annotation, *metadata]`, or just the annotation if there are none."""
    parts = (annotation, *metadata)
    special_form: Any = Annotated
    return special_form[parts] if len(parts) > 1 else annotation


def bare(annotation: Any) -> Any:
    """The annotation without constraints, functional validators and serializers, at every depth."""
    return _rebuilt(annotation, lambda entry: False, builtin, ())


def constrained(annotation: Any, metadata: Iterable[Any] = ()) -> Any:
    """The annotation with only its constraints (bounds, lengths, patterns, strictness), at every depth.

    What is left checks a value and runs no functional validator: a hashing validator must not hash twice.
    `metadata` is what pydantic keeps beside the annotation of a field.
    """
    return _rebuilt(with_metadata(annotation, metadata), _is_constraint, lambda cls: cls, ())


def builtin(cls: type) -> Any:
    """The built-in type that `cls` stands for: str for EmailStr, int for a subclass of int; else `cls`."""
    if cls in _BUILTIN or issubclass(cls, Enum):
        return cls
    if cls.__module__ in ("pydantic.types", "pydantic.networks") and cls.__name__ in _STAND_INS:
        return _STAND_INS[cls.__name__]
    return next((base for base in cls.__mro__ if base in _SUBCLASSED), cls)


def alias_value(annotation: Any) -> Any:
    """What a NewType or a `type` alias stands for, its parameters filled in; None if it is neither."""
    if isinstance(annotation, NewType):
        return annotation.__supertype__
    origin = get_origin(annotation)
    alias = annotation if origin is None else origin
    if type(alias).__name__ != "TypeAliasType":
        return None
    value = alias.__value__
    parameters = getattr(value, "__parameters__", ())
    if origin is None:
        return value
    given = dict(zip(alias.__type_params__, get_args(annotation), strict=True))
    if value in given:
        return given[value]
    return value[tuple(given[parameter] for parameter in parameters)] if parameters else value


def named(name: Any, aliases: Iterable[Any]) -> Any:
    """What a name in the text of one of these aliases refers to, in its module; None if that is unknown."""
    text = getattr(name, "__forward_arg__", name)
    for alias in aliases:
        found = getattr(sys.modules.get(getattr(alias, "__module__", "")), text, None)
        if found is not None:
            return found
    return None


def discriminator_of(metadata: Iterable[Any]) -> Any:
    """The discriminator among these metadata: the name of a field, a `Discriminator`, or None."""
    for entry in metadata:
        if isinstance(entry, pydantic.Discriminator):
            return entry.discriminator
        if isinstance(entry, FieldInfo) and entry.discriminator is not None:
            found = entry.discriminator
            return found.discriminator if isinstance(found, pydantic.Discriminator) else found
    return None


def _is_constraint(entry: Any) -> bool:
    if type(entry).__name__ in _CONSTRAINTS and type(entry).__module__.startswith("pydantic"):
        return True
    return isinstance(entry, Vector) or any(
        base.__module__.partition(".")[0] == "annotated_types" for base in type(entry).__mro__
    )


def _flat(metadata: Iterable[Any]) -> Iterable[Any]:
    for entry in metadata:
        if isinstance(entry, FieldInfo):
            yield from entry.metadata
            if entry.discriminator is not None:
                yield pydantic.Field(discriminator=entry.discriminator)
        else:
            yield entry


def _rebuilt(
    annotation: Any, keep: Callable[[Any], bool], simple: Callable[[type], Any], open_aliases: tuple[Any, ...]
) -> Any:
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *metadata = get_args(annotation)
        rebuilt = _rebuilt(inner, keep, simple, open_aliases)
        kept = [entry for entry in _flat(metadata) if keep(entry) or discriminator_of([entry]) is not None]
        return with_metadata(rebuilt, kept)
    if annotation is pydantic.JsonValue or annotation in open_aliases:
        return annotation
    if (aliased := alias_value(annotation)) is not None:
        return _rebuilt(aliased, keep, simple, (*open_aliases, annotation))
    if origin is None:
        return simple(annotation) if isinstance(annotation, type) else annotation
    if origin not in (Union, types.UnionType, list, set, frozenset, tuple, dict):
        return annotation
    arguments = get_args(annotation)
    if arguments in ((), ((),)):
        return annotation
    parts = tuple(_rebuilt(argument, keep, simple, open_aliases) for argument in arguments)
    if origin in (Union, types.UnionType):
        return Union[parts]  # noqa: UP007  (built from a tuple)
    return origin[parts]


def refuse(annotation: Any, where: str) -> NoReturn:
    """SchemaError: a type that no store can hold, with what to use instead if there is something."""
    origin = ForwardRef("x") if isinstance(annotation, str) else get_origin(annotation) or annotation
    name = getattr(origin, "__name__", None) or str(annotation)
    hint = _HINTS.get(name) or _HINTS.get(type(origin).__name__)
    if hint is None and isinstance(origin, type):
        hint = next((_HINTS[base.__name__] for base in origin.__mro__ if base.__name__ in _HINTS), None)
        hint = hint or "use a nested pydantic BaseModel, or a validator that gives one of the supported types"
    raise SchemaError(f"{where}: {name} can't be stored", hint=hint)
