"""Codecs derived from a `FieldType`: compiled once to closures, one for every way of storing a value.

copier      python -> python: what an in-memory store keeps, normalised and shared with nobody
primitive   a scalar -> str, int, float, bool or bytes: a column
jsonable    anything -> JSON values: a document
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mixstore import containers, nested
from mixstore.scalars import (
    IDENTITY,
    Codec,
    Function,
    canonical_decimal,
    datetime_text,
    decimal_text,
    exact_date,
    in_utc,
    json_scalar,
    naive_time,
    primitive,
    real,
)

if TYPE_CHECKING:
    from mixstore.types import FieldType

__all__ = ["Codec", "copier", "datetime_text", "decimal_text", "jsonable", "primitive"]

_COPIED = {
    "float": Codec(real, None),
    "decimal": Codec(canonical_decimal, None),
    "datetime": Codec(in_utc, None),
    "date": Codec(exact_date, None),
    "time": Codec(naive_time, None),
}


def copier(described: FieldType) -> Codec:
    """python -> python, for stores that keep python values.

    encode normalises (datetimes to UTC, decimals to canonical form), refuses what no store holds and copies
    what is mutable; decode copies what is mutable. Immutable values pass as they are.
    """
    return Compiler(as_json=False).make(described)


def jsonable(described: FieldType) -> Codec:
    """python -> JSON values, that `json.dumps(..., allow_nan=False)` takes.

    As `primitive`, with bytes as base64 text, infinite floats as "inf" and "-inf", sets as sorted lists, the
    keys of dicts as text, models as dicts by field name. Models are built without running their validators.
    """
    return Compiler(as_json=True).make(described)


class Compiler:
    """Compiles one tree of types; each nested model once, since models may contain themselves."""

    def __init__(self, as_json: bool) -> None:
        self.as_json = as_json
        self.models: dict[type, Codec] = {}

    def make(self, described: FieldType) -> Codec:
        """The codec of a value that is not None."""
        match described.kind:
            case "any":
                return Codec(containers.json_value, containers.json_copy)
            case "model":
                if described.python not in self.models:
                    self.models[described.python] = nested.model(described, self)
                return self.models[described.python]
            case "union" if described.discriminator:
                return nested.discriminated(described, self)
            case "union":
                return nested.union(described, self)
            case "dict":
                return containers.dictionary(described, self)
            case "tuple" if not described.variadic:
                return containers.fixed_tuple(described, self)
            case "list" | "tuple" | "set" | "frozenset":
                return containers.sequence(described, self)
        return json_scalar(described) if self.as_json else _COPIED.get(described.kind, IDENTITY)

    def inner(self, described: FieldType) -> Codec:
        """The codec of something inside a container, where None may be a value."""
        codec = self.make(described)
        return Codec(_past_none(codec.encode), _past_none(codec.decode)) if described.nullable else codec


def _past_none(function: Function | None) -> Function | None:
    return None if function is None else lambda value: None if value is None else function(value)
