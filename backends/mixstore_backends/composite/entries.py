"""What of a row is cached: its record as it is stored, as bytes that can be read again without any class."""

from __future__ import annotations

import json
import math
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from hashlib import blake2b, sha256
from typing import TYPE_CHECKING, Any
from uuid import UUID

from mixstore.codecs import jsonable
from mixstore.envelopes import Envelope
from mixstore_backends.composite.marks import place_of

if TYPE_CHECKING:
    from mixstore import Bound
    from mixstore.write import KeyValue

FORM = 1
"""Goes up when bytes that were cached can't be read any more."""
TAG = "$"
_DIGEST = 8


class CachedRow:
    """A row that was found in a cache, in place of a row of the storage."""

    __slots__ = ("record",)

    def __init__(self, record: dict[str, Any]) -> None:
        self.record = record


class Entries:
    """The keys and bytes of one model in a cache.

    Values are of the types of JSON, or tagged: {"$": [tag, JSON]}. A value of another type, which stores of python
    values have, is in the form that its field has as JSON; a record that has one which is in no field is not cached.
    """

    def __init__(self, bound: Bound) -> None:
        self.bound = bound
        self.texts = bound.schema.key_texts
        self.codecs = {name: jsonable(spec.type) for name, spec in bound.schema.fields.items()}
        adapter = type(bound.engine.adapter)
        told = [FORM, adapter.__module__, adapter.__qualname__]
        told += [f"{name}: {spec.type}" for name, spec in bound.schema.fields.items()]
        self._decode: Callable[[str], Any] = json.JSONDecoder(object_hook=self._read).decode
        self.kind = f"{bound.schema.entity}/{sha256(json.dumps(told).encode()).hexdigest()[:12]}"

    def key(self, key: KeyValue) -> str:
        """The key of a row in the cache: another one when the model is of another form."""
        return place_of(self.kind, self.texts.text(key))

    def dumps(self, key: str, record: Mapping[str, Any]) -> bytes | None:
        """The bytes of a record; None for one that can't be cached."""
        try:
            told = {name: self._told(name, value) for name, value in record.items()}
            body = json.dumps(told, separators=(",", ":"), allow_nan=False).encode()
        except (TypeError, ValueError, LookupError):
            return None
        return _digest(key, body) + body

    def _told(self, name: str, value: Any) -> Any:
        try:
            return _tagged(value)
        except TypeError:
            encode = self.codecs[name].encode
            if encode is None:
                raise
            return {TAG: ["field", [name, _tagged(encode(value))]]}

    def loads(self, key: str, value: bytes) -> dict[str, Any] | None:
        """The record again; None if these are not the bytes of a record of this key."""
        seal, body = value[:_DIGEST], value[_DIGEST:]
        if seal != _digest(key, body):
            return None
        try:
            record = self._decode(body.decode())
        except (TypeError, ValueError, LookupError):
            return None
        return record if type(record) is dict else None

    def _read(self, told: dict[str, Any]) -> Any:
        if len(told) != 1 or TAG not in told:
            return told
        tag, value = told[TAG]
        if tag == "field":
            name, encoded = value
            decode = self.codecs[name].decode
            return encoded if decode is None else decode(encoded)
        return _READERS[tag](value)


def _digest(key: str, body: bytes) -> bytes:
    return blake2b(b"%b\0%b" % (key.encode(), body), digest_size=_DIGEST).digest()


def _tagged(value: Any) -> Any:
    """JSON that `_READERS` make the same value of; TypeError for a type that they don't know."""
    kind = type(value)
    if value is None or kind in _AS_THEY_ARE:
        return value
    writer = _WRITERS.get(kind)
    if writer is None:
        raise TypeError(f"{kind.__name__} is no type that is cached")
    return writer(value)


def _text(tag: str) -> Callable[[bytes], Any]:
    return lambda value: {TAG: [tag, b64encode(value).decode()]}


def _float(value: float) -> Any:
    return value if math.isfinite(value) else {TAG: ["float", repr(value)]}


def _datetime(value: datetime) -> Any:
    if value.tzinfo not in (None, timezone.utc) or value.fold:
        raise TypeError("moments are cached in UTC")
    return {TAG: ["datetime", value.isoformat()]}


def _time(value: time) -> Any:
    if value.tzinfo is not None or value.fold:
        raise TypeError("times of day are cached without a zone")
    return {TAG: ["time", value.isoformat()]}


def _dict(value: dict[Any, Any]) -> Any:
    if all(type(name) is str for name in value) and TAG not in value:
        return {name: _tagged(one) for name, one in value.items()}
    return {TAG: ["dict", [[_tagged(name), _tagged(one)] for name, one in value.items()]]}


def _several(tag: str) -> Callable[[Any], Any]:
    return lambda value: {TAG: [tag, [_tagged(one) for one in value]]}


_AS_THEY_ARE = frozenset({bool, int, str})
_WRITERS: dict[type, Callable[[Any], Any]] = {
    float: _float,
    bytes: _text("bytes"),
    Envelope: _text("envelope"),
    Decimal: lambda value: {TAG: ["decimal", str(value)]},
    datetime: _datetime,
    date: lambda value: {TAG: ["date", value.isoformat()]},
    time: _time,
    timedelta: lambda value: {TAG: ["timedelta", [value.days, value.seconds, value.microseconds]]},
    UUID: lambda value: {TAG: ["uuid", value.hex]},
    list: lambda value: [_tagged(one) for one in value],
    tuple: _several("tuple"),
    set: _several("set"),
    frozenset: _several("frozenset"),
    dict: _dict,
}
_READERS: dict[str, Callable[[Any], Any]] = {
    "float": float,
    "bytes": b64decode,
    "envelope": lambda value: Envelope(b64decode(value)),
    "decimal": Decimal,
    "datetime": datetime.fromisoformat,
    "date": date.fromisoformat,
    "time": time.fromisoformat,
    "timedelta": lambda value: timedelta(*value),
    "uuid": UUID,
    "tuple": tuple,
    "set": set,
    "frozenset": frozenset,
    "dict": dict,
}
