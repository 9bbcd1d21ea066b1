"""Codecs of nested models and of unions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from mixstore.annotations import builtin
from mixstore.containers import json_copy, json_value, same
from mixstore.errors import SchemaError
from mixstore.scalars import IP_ANY, Codec, Function, finite, wrong
from mixstore.types import forms, stored_value

if TYPE_CHECKING:
    from mixstore.codecs import Compiler
    from mixstore.types import FieldType

_FORM_OF: Mapping[type, str] = {
    str: "text", int: "number", float: "number", bool: "bool", list: "list", dict: "object"
}  # fmt: skip
_set_values: Callable[[Any, Any], None] = vars(BaseModel)["__dict__"].__set__
_set_names: Callable[[Any, Any], None] = vars(BaseModel)["__pydantic_fields_set__"].__set__
_set_extra: Callable[[Any, Any], None] = vars(BaseModel)["__pydantic_extra__"].__set__
_set_private: Callable[[Any, Any], None] = vars(BaseModel)["__pydantic_private__"].__set__


def construct(model: type[Any], values: dict[str, Any], names: set[str], extra: dict[str, Any] | None) -> Any:
    """An instance with these values; no validator runs, and private attributes take their defaults."""
    instance = object.__new__(model)
    _set_values(instance, values)
    _set_names(instance, names)
    _set_extra(instance, extra)
    _set_private(instance, private_defaults(model, values) if model.__private_attributes__ else None)
    return instance


def private_defaults(model: type[Any], values: dict[str, Any]) -> dict[str, Any]:
    """The private attributes of a new instance that holds these values, as far as they have a default."""
    made: dict[str, Any] = {}
    for name, attribute in model.__private_attributes__.items():
        factory = attribute.default_factory
        if factory is None:
            default = deepcopy(attribute.default)
        elif getattr(attribute, "default_factory_takes_validated_data", False):
            default = factory({**values, **made})
        else:
            default = factory()
        if type(default).__name__ != "PydanticUndefinedType":
            made[name] = default
    return made


class _Steps:
    """What to do with each field of a model; compiled at first use, since models may contain themselves."""

    __slots__ = ("allows_extra", "described", "known", "maker")

    def __init__(self, described: FieldType, maker: Callable[[FieldType], Codec]) -> None:
        self.described, self.maker = described, maker
        self.known: list[tuple[str, bool, Codec]] | None = None
        self.allows_extra = described.python.model_config.get("extra") == "allow"

    def __iter__(self) -> Iterator[tuple[str, bool, Codec]]:
        if self.known is None:
            self.known = [
                (name, inner.nullable or inner.kind == "any", self.maker(inner))
                for name, inner in self.described.nested().items()
            ]
        return iter(self.known)


def model(described: FieldType, compiler: Compiler) -> Codec:
    """Of a nested model: a copy of the instance, or a document of all its fields by name."""
    cls, steps = described.python, _Steps(described, compiler.inner)
    take = _taker(cls, steps)
    if compiler.as_json:
        return Codec(_document(cls, take), _reader(cls, steps))

    def copy_in(instance: Any) -> Any:
        values, extra = take(instance)
        return construct(cls, values, set(instance.__pydantic_fields_set__), extra)

    def copy_out(instance: Any) -> Any:
        stored = instance.__dict__
        values = {name: (codec.decode or same)(stored[name]) for name, _, codec in steps}
        extra = instance.__pydantic_extra__
        names = set(instance.__pydantic_fields_set__)
        return construct(cls, values, names, None if extra is None else json_copy(extra))

    return Codec(copy_in, copy_out)


def _taker(model: type[Any], steps: _Steps) -> Callable[[Any], tuple[dict[str, Any], dict[str, Any] | None]]:
    """instance -> (encoded values, encoded extra or None). A subclass is refused: it would lose fields."""

    def take(instance: Any) -> tuple[dict[str, Any], dict[str, Any] | None]:
        if type(instance) is not model:
            raise wrong(f"a {model.__name__} itself", instance)
        values, encoded, name = instance.__dict__, {}, ""
        try:
            for name, nullable, codec in steps:
                value = values[name]
                if value is None and not nullable:
                    raise ValueError("None, which its type does not allow")
                encoded[name] = value if codec.encode is None else codec.encode(value)
            name = "extra fields"
            extra = instance.__pydantic_extra__
            return encoded, None if extra is None else json_value(extra)
        except KeyError:
            raise ValueError(f"{name}: missing") from None
        except RecursionError:
            raise ValueError("nested too deeply, or contains itself") from None
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error

    return take


def _document(model: type[Any], take: Function) -> Function:
    def encode(instance: Any) -> dict[str, Any]:
        encoded, extra = take(instance)
        if extra:
            for name in extra:
                if name in encoded:
                    raise ValueError(f"{name}: both a field and an extra field of {model.__name__}")
            encoded.update(extra)
        return encoded  # type: ignore[no-any-return]

    return encode


def _reader(model: type[Any], steps: _Steps) -> Function:
    """document -> instance. What is missing takes its default; what is unknown is extra, or left out."""
    fields = model.__pydantic_fields__

    def decode(document: Any) -> Any:
        if type(document) is not dict:
            raise wrong(f"the fields of a {model.__name__}", document)
        values: dict[str, Any] = {}
        names = set()
        for name, nullable, codec in steps:
            if name in document:
                names.add(name)
                values[name] = _read(name, document[name], nullable, codec.decode)
            elif fields[name].is_required():
                raise ValueError(f"{name}: missing")
            else:
                values[name] = fields[name].get_default(call_default_factory=True, validated_data=values)
        extra = {key: json_copy(document[key]) for key in document if key not in values}
        return construct(model, values, names, extra if steps.allows_extra else None)

    return decode


def _read(name: str, stored: Any, nullable: bool, decode: Function | None) -> Any:
    if stored is None and not nullable:
        raise ValueError(f"{name}: None, which its type does not allow")
    try:
        return stored if decode is None else decode(stored)
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{name}: {error}") from error


def _classes(described: FieldType) -> Iterator[type]:
    """The classes that the values of one member of a union can have."""
    if described.kind == "literal":
        yield from {type(choice) for choice in described.choices}
    elif described.kind == "union":
        for member in described.args:
            yield from _classes(member)
    elif described.kind == "ip" and described.python.__name__ in IP_ANY:
        yield from IP_ANY[described.python.__name__][1]
    else:
        yield described.python
        yield builtin(described.python)


def _by_class(table: Mapping[type, Function | None], expected: str) -> Function:
    """Applies the function of the value's class, or of the nearest base; a bool is no int."""

    def convert(value: Any) -> Any:
        cls = type(value)
        if cls not in table:
            bases = () if cls is bool else cls.__mro__
            cls = next((base for base in bases if base in table), type(None))
            if cls not in table:
                raise wrong(expected, value)
        function = table[cls]
        return value if function is None else function(value)

    return convert


def union(described: FieldType, compiler: Compiler) -> Codec:
    """Of a union whose members take different JSON forms: read by form, written by class."""
    members = {member: compiler.make(member) for member in described.args}
    text = any("text" in forms(member) for member in members)
    encoders: dict[type, Function | None] = {}
    decoders: dict[type, Function | None] = {}
    readers: dict[str, Function] = {}
    for member, codec in members.items():
        if compiler.as_json and member.kind == "float" and text:  # "inf" could not be told from text
            codec = Codec(finite, codec.decode)
        for cls in _classes(member):
            encoders.setdefault(cls, codec.encode)
            decoders.setdefault(cls, codec.decode)
        for form in (*forms(member), *(["text"] if member.kind == "float" and not text else [])):
            readers[form] = codec.decode or same
    encode = _by_class(encoders, str(described)) if any(encoders.values()) else None
    if not compiler.as_json:
        return Codec(encode, _by_class(decoders, str(described)) if any(decoders.values()) else None)

    def decode(stored: Any) -> Any:
        form = _FORM_OF.get(type(stored))
        if form not in readers:
            raise wrong(str(described), stored)
        return readers[form](stored)

    return Codec(encode or same, decode)


def _models_of(described: FieldType) -> Iterator[FieldType]:
    for member in described.args if described.kind == "union" else (described,):
        yield from _models_of(member) if member.kind == "union" else (member,)


def discriminated(described: FieldType, compiler: Compiler) -> Codec:
    """Of a union of models that a field tells apart."""
    name = described.discriminator or ""
    encoders: dict[type, Function | None] = {}
    decoders: dict[type, Function | None] = {}
    readers: dict[Any, Function] = {}
    for member in described.args:
        codec = compiler.make(member)
        for leaf in _models_of(member):
            told = leaf.nested().get(name)
            if told is None or not told.choices:
                raise SchemaError(f"{leaf}.{name} discriminates a union, so it must be a Literal")
            encoders[leaf.python], decoders[leaf.python] = codec.encode, codec.decode
            readers.update((stored_value(choice), codec.decode or same) for choice in told.choices)
    if not compiler.as_json:
        return Codec(_by_class(encoders, str(described)), _by_class(decoders, str(described)))

    def decode(document: Any) -> Any:
        if type(document) is not dict or name not in document:
            raise wrong(f"a document with {name!r}", document)
        if document[name] not in readers:
            raise ValueError(f"{name}: no member of the union has {document[name]!r}"[:200])
        return readers[document[name]](document)

    return Codec(_by_class(encoders, str(described)), decode)
