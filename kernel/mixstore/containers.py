"""Codecs of `Any`, lists, tuples, sets and dicts, made of the codecs of their elements."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mixstore.scalars import Codec, Function, primitive, wrong

if TYPE_CHECKING:
    from mixstore.codecs import Compiler
    from mixstore.types import FieldType

_CONTAINERS: Mapping[str, type] = {"list": list, "tuple": tuple, "set": set, "frozenset": frozenset}


def same(value: Any) -> Any:
    """The identity, where a function is needed."""
    return value


def json_value(value: Any) -> Any:
    """A copy of a JSON value; ValueError for anything else, for NaN and infinities, and for cycles."""
    try:
        return _checked(value)
    except RecursionError:
        raise ValueError("nested too deeply, or contains itself") from None


def _checked(value: Any) -> Any:
    kind = type(value)
    if kind is str or kind is int or kind is bool or value is None:
        return value
    if kind is float:
        if not math.isfinite(value):
            raise ValueError(f"Any holds JSON values only, not {value}")
        return value
    if kind is list:
        return [_checked(element) for element in value]
    if kind is dict:
        if not all(type(key) is str for key in value):
            raise ValueError("Any holds JSON values only: the keys of a dict are text")
        return {key: _checked(element) for key, element in value.items()}
    raise ValueError(f"Any holds JSON values (None, bool, int, float, str, list, dict), not {kind.__name__}")


def json_copy(value: Any) -> Any:
    """A copy of a JSON value, unchecked."""
    if type(value) is list:
        return [json_copy(element) for element in value]
    if type(value) is dict:
        return {key: json_copy(element) for key, element in value.items()}
    return value


def _each(source: Any, target: type, function: Function | None) -> Function:
    def convert(values: Any) -> Any:
        if not isinstance(values, source):
            raise wrong(f"a {source.__name__}", values)
        if function is None:
            return target(values)
        made = [function(value) for value in values]
        return made if target is list else target(made)

    return convert


def sequence(described: FieldType, compiler: Compiler) -> Codec:
    """Of a list, set, frozenset, or tuple of any length; sets become sorted lists in JSON."""
    cls = _CONTAINERS[described.kind]
    element = described.args[0]
    encode, decode = compiler.inner(element)
    if not compiler.as_json:
        immutable = cls in (tuple, frozenset)
        return Codec(
            None if immutable and encode is None else _each(cls, cls, encode),
            None if immutable and decode is None else _each(cls, cls, decode),
        )
    to_list = _each(cls, list, encode)
    if cls in (set, frozenset):
        key = None if element.scalar and element.stored not in ("float", "any") and not element.nullable else _rank
        return Codec(lambda values: sorted(to_list(values), key=key), _each(list, cls, decode))
    return Codec(to_list, _each(list, cls, decode))


def _rank(value: Any) -> tuple[int, Any]:
    """A sort key for JSON values of any type: None, then bools, numbers, text, the rest."""
    if value is None:
        return 0, 0
    if isinstance(value, bool):
        return 1, value
    if isinstance(value, (int, float)):
        return 2, value
    if isinstance(value, str):
        return 3, value
    import json  # slow to import, and hardly anybody stores sets of sets

    return 4, json.dumps(value)


def fixed_tuple(described: FieldType, compiler: Compiler) -> Codec:
    """Of a tuple with one type for each position."""
    parts = [compiler.inner(element) for element in described.args]
    encoders = [part.encode for part in parts]
    decoders = [part.decode for part in parts]
    if compiler.as_json:
        return Codec(_positions(tuple, list, encoders), _positions(list, tuple, decoders))
    return Codec(
        _positions(tuple, tuple, encoders) if any(encoders) else None,
        _positions(tuple, tuple, decoders) if any(decoders) else None,
    )


def _positions(source: Any, target: type, functions: list[Function | None]) -> Function:
    told = [same if function is None else function for function in functions]

    def convert(values: Any) -> Any:
        if not isinstance(values, source) or len(values) != len(told):
            raise wrong(f"{len(told)} values", values)
        return target([function(value) for function, value in zip(told, values, strict=True)])

    return convert


def dictionary(described: FieldType, compiler: Compiler) -> Codec:
    """Of a dict; in JSON its keys become text."""
    key, value = described.args
    keys = _text_key(key) if compiler.as_json else compiler.make(key)
    values = compiler.inner(value)
    return Codec(_items(keys.encode, values.encode), _items(keys.decode, values.decode))


def _items(on_key: Function | None, on_value: Function | None) -> Function:
    key_of, value_of = on_key or same, on_value or same

    def convert(values: Any) -> Any:
        if not isinstance(values, dict):
            raise wrong("a dict", values)
        if on_key is None:
            return {key: value_of(value) for key, value in values.items()} if on_value else dict(values)
        return {key_of(key): value_of(value) for key, value in values.items()}

    return convert


def _text_key(described: FieldType) -> Codec:
    codec = primitive(described)
    if described.stored != "int":
        return codec
    encode, decode = codec.encode or same, codec.decode or same

    def from_text(text: Any) -> Any:
        number = int(text)
        if str(number) != text:
            raise wrong("an int as text", text)
        return decode(number)

    return Codec(lambda key: str(int(encode(key))), from_text)
