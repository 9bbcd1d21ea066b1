"""Blind indexes of `Encrypted`: a keyed hash in a field of its own, by which equal values are found unread."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Mapping
from typing import Any

from mixstore import BackendExtension, ConfigurationError, Deferred, FieldSpec, SchemaError
from mixstore.expressions import Compare, Expr, replaced
from mixstore.extension import Derive
from mixstore_extensions._packing import Packer
from mixstore_extensions.keyrings import KeyRing, checked_key, ring_of

KINDS = ("str", "bytes", "int", "date", "datetime", "uuid")
"""Kinds of fields of which two values are equal just if their stored forms are."""
LOOKUPS = ("eq", "ne", "in", "not_in", "isnull")


class BlindIndexes:
    """Those of one model: the field that holds the index, by the encrypted field that it is of.

    A hash is HMAC-SHA256 of the stored form, under a key that is derived (HKDF) for entity and field from a key of the
    ring, with that key's id before it: "2025:...". None is not hashed.
    """

    def __init__(self, extension: BackendExtension, packers: Mapping[str, Packer]) -> None:
        self.extension = extension
        self.schema = extension.schema
        self.packers = packers
        self.index_of: dict[str, str] = {}
        for name, spec in self.schema.fields.items():
            source = spec.option("blind_index_of")
            if source is not None:
                self._check(spec, source)
                self.index_of[source] = name
        self.keys = {source: self._derived_keys(source) for source in self.index_of}

    def _check(self, spec: FieldSpec, source: str) -> None:
        where = f"{self.schema.name}.{spec.name}"
        of = self.schema.field(source, f"has a blind index, {spec.name}, of no field:")
        if source not in self.packers:
            raise SchemaError(f"{where} is a blind index of {source}, which is not encrypted: index that itself")
        if source in self.index_of:
            raise SchemaError(f"{where} and {self.index_of[source]} are both a blind index of {source}")
        if spec.type.kind != "str" or not spec.type.nullable or spec.required or spec.make_default() is not None:
            raise SchemaError(
                f"{where} is a blind index, which mixstore fills", hint=f"{spec.name}: str | None = Field(None, ...)"
            )
        if spec.name in self.packers or spec.option("searchable"):
            raise SchemaError(f"{where} is a blind index, and neither encrypted nor searchable")
        if of.type.kind not in KINDS:
            raise SchemaError(
                f"{where}: {source} is {of.type}, of which equal values may be stored differently",
                hint=f"a blind index is for {', '.join(KINDS)}",
            )

    def _derived_keys(self, source: str) -> dict[str, bytes]:
        """By id, the current one first."""
        ring = self._ring()
        ids, name = ring.ids(), self.index_of[source]
        if self.schema.fields[name].option("unique") and len(ids) > 1:
            raise ConfigurationError(
                f"{self.schema.name}.{name} is unique, and two keys would make two hashes of one value",
                hint="give the new key alone, and call reencrypt() before anybody else writes",
            )
        info = json.dumps(["mixstore", "blind index", 1, self.schema.entity, source]).encode()
        return {key_id: _hkdf(checked_key(key_id, ring.get(key_id)), info) for key_id in ids}

    def _ring(self) -> KeyRing:
        given: KeyRing | None = self.schema.meta.get("blind_index")
        options: Any = self.extension.options
        if given is None and options.index_keys:
            given = ring_of(options.index_keys, options.index_current)
        if given is None:
            raise ConfigurationError(
                f"{self.schema.name} has a blind index and no key for it",
                hint="options.encrypted.index_keys and .index_current in the config, or Meta.blind_index = KeyRing({})",
            )
        return given

    # -- writing ------------------------------------------------------------------------------------------------------

    def derived(self) -> Mapping[str, Derive]:
        """What makes each index, for the kernel."""
        return {name: self._maker(source, name) for source, name in self.index_of.items()}

    def _maker(self, source: str, name: str) -> Derive:
        def make(values: Mapping[str, Any], loaded: Mapping[str, Any] | None) -> str | None:
            value = values[source]
            if loaded is not None and type(value) is type(loaded[source]) and value == loaded[source]:
                return loaded[name]  # type: ignore[no-any-return]  # another writer may have changed both meanwhile
            return None if value is None else self.hashes(source, value)[0]

        return make

    def hashes(self, source: str, value: Any) -> list[str]:
        """The hash of a value that is not None under each key, the current one first."""
        packed = self.packers[source].pack_value(value)
        return [f"{key_id}:{_mac(key, packed)}" for key_id, key in self.keys[source].items()]

    def stale(self, data: Mapping[str, Any]) -> set[str]:
        """The encrypted fields of a record whose index is missing, or not made with the current key."""
        found = set()
        for source, name in self.index_of.items():
            index = data.get(name)
            current = None if index is None else str(index).rpartition(":")[0]
            if data.get(source) is not None and current != next(iter(self.keys[source])):
                found.add(source)
        return found

    # -- asking -------------------------------------------------------------------------------------------------------

    def rewritten(self, expr: Expr) -> Expr:
        """The filter with each comparison for equality made one of hashes; what can't be is left, and refused."""
        return replaced(expr, self._by_hash) if self.index_of else expr

    def _by_hash(self, expr: Compare) -> Expr:
        source = expr.path[0]
        if len(expr.path) > 1 or source not in self.index_of or expr.lookup not in LOOKUPS:
            return expr
        path = (self.index_of[source],)
        if expr.lookup == "isnull":
            return Compare(path, "isnull", expr.value)
        operands = expr.value if expr.lookup in ("in", "not_in") else (expr.value,)
        if any(isinstance(one, Deferred) for one in operands):
            return expr
        found = [hashed for one in operands for hashed in self._asked(source, one)]
        return Compare(path, "in" if expr.lookup in ("eq", "in") else "not_in", tuple(found))

    def _asked(self, source: str, operand: Any) -> list[str | None]:
        """The hashes that rows with this value may have; none for an operand that no value of the field equals."""
        if operand is None:
            return [None]
        fits = isinstance(operand, self.schema.fields[source].type.python) and not isinstance(operand, bool)
        return [*self.hashes(source, operand)] if fits else []


def _mac(key: bytes, packed: bytes) -> str:
    return base64.urlsafe_b64encode(hmac.digest(key, packed, "sha256")).decode().rstrip("=")


def _hkdf(key: bytes, info: bytes) -> bytes:
    try:
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF
    except ImportError as error:
        raise ConfigurationError(
            "blind indexes need the package cryptography", hint="pip install 'mixstore[encryption]'"
        ) from error
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(key)
