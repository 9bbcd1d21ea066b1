"""The form of a row that means the same in every store: its values as JSON, without what follows from them."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from mixstore.codecs import jsonable
from mixstore.errors import ValidationError, nearest

if TYPE_CHECKING:
    from mixstore.bound import Bound


class Forms:
    """What of a model's rows is moved: each field but those that extensions make from others (`derived`)."""

    def __init__(self, bound: Bound, *others: Bound) -> None:
        self.bound = bound
        made = {name for one in (bound, *others) for name in one.chain.derived}
        self.codecs = {name: jsonable(spec.type) for name, spec in bound.schema.fields.items() if name not in made}

    def encoded(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """A row's python values as JSON values, by field."""
        return {
            name: values[name] if codec.encode is None or values[name] is None else codec.encode(values[name])
            for name, codec in self.codecs.items()
        }

    def decoded(self, encoded: Mapping[str, Any]) -> dict[str, Any]:
        """The python values again. A field that is not there has its default; ValidationError names one that is wrong.

        No error tells a value: it may be a secret.
        """
        schema = self.bound.schema
        for name in encoded:
            if name not in schema.fields:
                raise ValidationError(
                    f"{schema.entity} has no field {name!r}",
                    field=name,
                    model=self.bound.model,
                    hint=nearest(name, self.codecs),
                )
        return {name: self._one(name, encoded) for name in schema.fields}

    def _one(self, name: str, encoded: Mapping[str, Any]) -> Any:
        schema = self.bound.schema
        spec, codec = schema.fields[name], self.codecs.get(name)
        if codec is None:
            return None  # the chain makes it
        if name not in encoded:
            if spec.has_default:
                return spec.make_default()
            raise ValidationError(f"{schema.entity}.{name} is missing", field=name, model=self.bound.model)
        value = encoded[name]
        try:
            return value if codec.decode is None or value is None else codec.decode(value)
        except Exception:
            raise ValidationError(
                f"{schema.entity}.{name} is {spec.type}, which this is not", field=name, model=self.bound.model
            ) from None

    def digest(self, values: Mapping[str, Any]) -> int:
        """SHA-256 of a row's values as a number: the same for rows that mean the same, in whatever store they are."""
        return digest_of(self.encoded(values))


def digest_of(encoded: Any) -> int:
    """SHA-256 of JSON values; 5.0 is 5, and -0.0 is 0, since some engines have one number for both."""
    from hashlib import sha256  # slow to import, and only this needs it

    text = json.dumps(_settled(encoded), sort_keys=True, separators=(",", ":"))
    return int.from_bytes(sha256(text.encode()).digest(), "big")


def _settled(value: Any) -> Any:
    if type(value) is float:
        return int(value) if value.is_integer() else value
    if type(value) is dict:
        return {name: _settled(one) for name, one in value.items()}
    if type(value) is list:
        return [_settled(one) for one in value]
    return value


def secrets(bound: Bound) -> Collection[str]:
    """The fields whose values the chain keeps from whoever has the store: it allows no filter on them."""
    return [name for name, treatment in bound.chain.opaque.items() if treatment == "refuse"]
