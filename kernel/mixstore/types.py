"""`FieldType`: what an annotation means to a store.

pydantic knows hundreds of types; a store needs to know about two dozen kinds. `describe` reads an annotation
into a tree of `FieldType`, or refuses it with a `SchemaError` that names the field; codecs, lookups and
column types all derive from that tree, and nobody else looks at annotations.
"""

from __future__ import annotations

import ipaddress
import math
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, ForwardRef, Literal, Union, get_args, get_origin
from uuid import UUID

from pydantic import BaseModel, JsonValue, Secret, SecretBytes, SecretStr
from pydantic.fields import FieldInfo

from mixstore.annotations import (
    alias_value,
    annotated,
    bare,
    builtin,
    constrained,
    discriminator_of,
    named,
    refuse,
)
from mixstore.errors import SchemaError

__all__ = ["FieldType", "Kind", "annotated", "bare", "builtin", "constrained", "describe", "forms"]

Kind = Literal[
    "str", "int", "float", "decimal", "bool", "bytes", "datetime", "date", "time", "timedelta", "uuid",
    "enum", "literal", "ip", "url", "model", "list", "tuple", "set", "frozenset", "dict", "any", "union",
]  # fmt: skip

SCALARS: Mapping[type, Kind] = {
    bool: "bool",
    str: "str",
    int: "int",
    float: "float",
    Decimal: "decimal",
    bytes: "bytes",
    datetime: "datetime",
    date: "date",
    time: "time",
    timedelta: "timedelta",
    UUID: "uuid",
}
SEQUENCES: Mapping[Any, Kind] = {list: "list", set: "set", frozenset: "frozenset"}
COMPOUND = frozenset({"model", "list", "tuple", "set", "frozenset", "dict", "any", "union"})
KEY_KINDS = ("str", "int", "uuid", "date", "datetime", "enum", "literal")
_ADDRESSES = (
    ipaddress.IPv4Address, ipaddress.IPv6Address, ipaddress.IPv4Network,
    ipaddress.IPv6Network, ipaddress.IPv4Interface, ipaddress.IPv6Interface,
)  # fmt: skip
_STORED_AS_TEXT = frozenset({"ip", "url", "uuid"})
_FORMS: Mapping[str, str] = {
    "int": "number", "float": "number", "timedelta": "number", "bool": "bool", "list": "list",
    "tuple": "list", "set": "list", "frozenset": "list", "dict": "object", "model": "object",
}  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class FieldType:
    """One type, as stores see it.

    kind: what it is; containers, models, `any` and unions are not scalar.
    python: the class of the values (UUID, the Enum, IPv4Address, HttpUrl, the nested model); None for any,
        union and literal.
    nullable: whether None is a value; it is never an element of `args` or `choices`.
    args: list, set, frozenset: (element,); tuple: its elements, or (element,) when `variadic`; dict: (key,
        value); union: its members.
    stored: the kind of what is stored: for enum and literal that of their values ("any" when mixed), "str"
        for ip, url and uuid, else `kind`.
    choices: the values of an enum, or the literals.
    discriminator: the field that tells the models of a union apart.
    """

    kind: Kind
    python: Any
    nullable: bool = False
    args: tuple[FieldType, ...] = ()
    variadic: bool = False
    stored: str = ""
    choices: tuple[Any, ...] = ()
    discriminator: str | None = None
    _fields: _Fields | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not self.stored:
            object.__setattr__(self, "stored", "str" if self.kind in _STORED_AS_TEXT else self.kind)

    @property
    def scalar(self) -> bool:
        """Whether it is one plain value: no container, model, union, nor `Any`."""
        return self.kind not in COMPOUND

    @property
    def orderable(self) -> bool:
        """Whether any two values compare: scalars, except enums and literals of mixed types."""
        return self.scalar and self.stored != "any"

    def nested(self) -> Mapping[str, FieldType]:
        """The fields of a model kind, by name; empty for any other. Models may contain themselves."""
        return self._fields.read() if self._fields is not None else {}

    def __str__(self) -> str:
        if self.kind == "literal":
            name = f"Literal[{', '.join(map(repr, self.choices))}]"
        elif self.kind == "union":
            name = " | ".join(map(str, self.args))
        else:
            name = getattr(self.python, "__name__", "Any")
            if self.args or self.kind == "tuple":
                name += f"[{', '.join([*map(str, self.args), *(['...'] if self.variadic else [])])}]"
        return f"{name} | None" if self.nullable else name


def describe(annotation: Any, where: str, *, enum_values: bool = False) -> FieldType:
    """What `annotation` (or a pydantic `FieldInfo`) means to a store, all nested models included.

    where: the field, for errors: "User.address".
    enum_values: the model's `use_enum_values`, with which a field of an Enum holds the values.
    Raises SchemaError for a type that can't be stored, and for a union whose members would be stored alike.
    """
    models: dict[type, _Fields] = {}
    described = _Reader(models, enum_values).read(annotation, where)
    pending = list(models.values())
    while pending:
        for fields in pending:
            fields.read()
        pending = [fields for fields in models.values() if fields.known is None]
    return described


def forms(described: FieldType) -> frozenset[str]:
    """The JSON forms that its values take when stored: text, number, bool, list, object."""
    if described.kind == "union":
        return frozenset().union(*(forms(member) for member in described.args))
    if described.kind in ("enum", "literal"):
        values = [stored_value(choice) for choice in described.choices]
        return frozenset(_FORMS[_scalar_kind(value)] if not isinstance(value, str) else "text" for value in values)
    if described.kind == "any":
        return frozenset({"text", "number", "bool", "list", "object"})
    return frozenset({_FORMS.get(described.kind, "text")})


def stored_value(choice: Any) -> Any:
    """What is stored for a literal: the value of an enum member, anything else as it is."""
    return choice.value if isinstance(choice, Enum) else choice


class _Fields:
    """The fields of a nested model, read when first asked for, since models may contain themselves."""

    __slots__ = ("known", "model", "models", "where")

    def __init__(self, model: type[BaseModel], where: str, models: dict[type, _Fields]) -> None:
        self.model, self.where, self.models = model, where, models
        self.known: Mapping[str, FieldType] | None = None

    def read(self) -> Mapping[str, FieldType]:
        if self.known is None:
            model = self.model
            if not model.__pydantic_complete__ and not model.model_rebuild(raise_errors=False):
                raise SchemaError(
                    f"{self.where}: {model.__name__} refers to a type that is not defined",
                    hint=f"define or import it before the first use, or {model.__name__}.model_rebuild()",
                )
            reader = _Reader(self.models, bool(model.model_config.get("use_enum_values")))
            fields = model.__pydantic_fields__
            self.known = {name: reader.read(info, f"{self.where}.{name}") for name, info in fields.items()}
        return self.known


class _Reader:
    """Reads the annotations of one model; `models` is shared with the models nested in it."""

    def __init__(self, models: dict[type, _Fields], enum_values: bool) -> None:
        self.models = models
        self.enum_values = enum_values
        self.open: list[Any] = []

    def read(self, annotation: Any, where: str, discriminator: Any = None) -> FieldType:
        if isinstance(annotation, FieldInfo):
            annotation = annotated(annotation)
        origin = get_origin(annotation)
        if origin is Annotated:
            inner, *metadata = get_args(annotation)
            return self.read(inner, where, discriminator or discriminator_of(metadata))
        if annotation is JsonValue or annotation is Any or annotation is object:
            return FieldType("any", None)
        if (aliased := alias_value(annotation)) is not None:
            return self._alias(annotation, aliased, where, discriminator)
        if origin is Literal:
            return self._literal(get_args(annotation), where, annotation)
        if origin is Union or origin is types.UnionType:
            return self._union(get_args(annotation), where, discriminator, annotation)
        if origin is not None:
            return self._container(origin, get_args(annotation), where, annotation)
        if isinstance(annotation, type):
            return self._class(annotation, where)
        if isinstance(annotation, (str, ForwardRef)) and (found := named(annotation, self.open)) is not None:
            return self.read(found, where, discriminator)
        return refuse(annotation, where)

    def _alias(self, alias: Any, aliased: Any, where: str, discriminator: Any) -> FieldType:
        if alias in self.open:
            raise SchemaError(
                f"{where}: the type alias {alias} contains itself",
                hint="use a nested model that contains itself, or JsonValue",
            )
        self.open.append(alias)
        try:
            return self.read(aliased, where, discriminator)
        finally:
            self.open.pop()

    def _class(self, cls: type, where: str) -> FieldType:
        if cls in (list, tuple, set, frozenset):
            anything = (FieldType("any", None),)
            return FieldType(SEQUENCES.get(cls, "tuple"), cls, args=anything, variadic=cls is tuple)
        if cls is dict:
            return FieldType("dict", dict, args=(FieldType("str", str), FieldType("any", None)))
        if issubclass(cls, (SecretStr, SecretBytes, Secret)):
            raise SchemaError(
                f"{where}: {cls.__name__} is not supported, since a store would hold the secret in the clear",
                hint="use str, and an extension that encrypts",
            )
        if issubclass(cls, Enum):
            return self._enum(cls, where)
        if issubclass(cls, BaseModel) and cls is not BaseModel:
            fields = self.models.setdefault(cls, _Fields(cls, where, self.models))
            return FieldType("model", cls, _fields=fields)
        if cls in _ADDRESSES or cls.__name__ in ("IPvAnyAddress", "IPvAnyNetwork", "IPvAnyInterface"):
            return FieldType("ip", cls)
        if any(base.__module__ == "pydantic.networks" and "Url" in base.__name__ for base in cls.__mro__):
            return FieldType("url", cls)
        simple = builtin(cls)
        if simple is Any:
            return FieldType("any", None)
        kind = SCALARS.get(simple)
        if kind is None:
            refuse(cls, where)
        return FieldType(kind, cls if issubclass(cls, simple) else simple)

    def _enum(self, cls: type[Enum], where: str) -> FieldType:
        values = tuple(dict.fromkeys(member.value for member in cls.__members__.values()))
        stored = _stored_kind(values, where, cls.__name__)
        if self.enum_values:
            return FieldType("literal", None, stored=stored, choices=values)
        return FieldType("enum", cls, stored=stored, choices=values)

    def _literal(self, values: Iterable[Any], where: str, annotation: Any) -> FieldType:
        choices = tuple(value for value in values if value is not None)
        told = str(annotation)
        stored = [stored_value(choice) for choice in choices]
        kind = _stored_kind(stored, where, told)
        if len({(type(value), value) for value in stored}) < len(stored):
            raise SchemaError(f"{where}: two choices of {told} are stored as the same value")
        return FieldType("literal", None, None in values, stored=kind, choices=choices)

    def _container(self, origin: Any, args: tuple[Any, ...], where: str, annotation: Any) -> FieldType:
        if not args and (origin is not tuple or annotation is typing.Tuple):  # noqa: UP006
            return self._class(origin, where)
        if origin is tuple:
            variadic = len(args) == 2 and args[1] is Ellipsis
            elements = args[:1] if variadic else () if args == ((),) else args
            return FieldType("tuple", tuple, args=self._all(elements, where), variadic=variadic)
        if origin in SEQUENCES:
            element = self.read(args[0], where)
            if origin is not list and not _hashable(element):
                raise SchemaError(f"{where}: {element} can't be the element of a set, it has no hash")
            return FieldType(SEQUENCES[origin], origin, args=(element,))
        if origin is dict:
            key, value = self._all(args, where)
            if key.kind not in KEY_KINDS or key.nullable or key.stored not in {*KEY_KINDS}:
                raise SchemaError(
                    f"{where}: {key} can't be the key of a dict",
                    hint=f"keys are stored as text: one of {', '.join(KEY_KINDS)}",
                )
            return FieldType("dict", dict, args=(key, value))
        if isinstance(origin, type) and issubclass(origin, Secret):
            return self._class(origin, where)
        if origin is typing.Final:
            return self.read(args[0], where)
        return refuse(annotation, where)

    def _all(self, annotations: Iterable[Any], where: str) -> tuple[FieldType, ...]:
        return tuple(self.read(annotation, where) for annotation in annotations)

    def _union(self, args: tuple[Any, ...], where: str, discriminator: Any, annotation: Any) -> FieldType:
        members: list[FieldType] = []
        nullable = type(None) in args
        for member in self._all((arg for arg in args if arg is not type(None)), where):
            nullable = nullable or member.nullable
            if member.kind == "union" and member.discriminator is None:
                members += member.args
            else:
                members.append(replace(member, nullable=False))
        members = self._simplified(members, where, annotation)
        if len(members) == 1:
            return replace(members[0], nullable=nullable)
        if discriminator is None:
            _check_told_apart(members, where)
        elif not isinstance(discriminator, str):
            raise SchemaError(f"{where}: a discriminator can't be a function", hint="name a field of the models")
        return FieldType("union", None, nullable, tuple(members), discriminator=discriminator)

    def _simplified(self, members: list[FieldType], where: str, annotation: Any) -> list[FieldType]:
        """Literals merged into one, or into the plain type of all their values; equal members once."""
        plain = {member.python for member in members if member.kind in ("str", "int", "bool")}
        choices = [choice for member in members if member.kind == "literal" for choice in member.choices]
        kept = {(type(choice), choice): choice for choice in choices if type(choice) not in plain}
        merged: dict[Any, FieldType] = {}
        for member in members:
            if member.kind == "literal":
                if kept and "literal" not in merged:
                    merged["literal"] = self._literal(tuple(kept.values()), where, annotation)
            else:
                merged.setdefault((member.kind, member.python) if member.scalar else id(member), member)
        return list(merged.values())


def _check_told_apart(members: list[FieldType], where: str) -> None:
    taken: dict[str, FieldType] = {}
    for member in members:
        for form in sorted(forms(member)):
            if form in taken:
                raise SchemaError(
                    f"{where}: {taken[form]} and {member} are both stored as {form}, and can't be told apart",
                    hint="use one type, or for models a discriminator: Field(discriminator='kind')",
                )
            taken[form] = member


def _stored_kind(values: Iterable[Any], where: str, told: str) -> str:
    """The one kind of all these values, "any" when they differ."""
    kinds = set()
    for value in values:
        kind = _scalar_kind(value)
        if not kind or (kind == "float" and not math.isfinite(value)):
            raise SchemaError(
                f"{where}: the value {value!r} of {told} can't be stored",
                hint="values are str, int, bool or a finite float",
            )
        kinds.add(kind)
    if not kinds:
        raise SchemaError(f"{where}: {told} has no values")
    return kinds.pop() if len(kinds) == 1 else "any"


def _scalar_kind(value: Any) -> str:
    return SCALARS[type(value)] if type(value) in (bool, str, int, float) else ""


def _hashable(described: FieldType) -> bool:
    if described.kind in ("tuple", "union"):
        return all(_hashable(arg) for arg in described.args)
    if described.kind == "model":
        return described.python.__hash__ is not None
    return described.kind not in ("list", "set", "dict")
