"""`Encrypted`: fields that only the application can read, not who holds the store."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

from pydantic import ConfigDict, Field, SecretStr, field_validator, model_validator

from mixstore import (
    BackendExtension,
    ConfigurationError,
    Declaration,
    Envelope,
    Mixin,
    Query,
    QueryBuilder,
)
from mixstore.extension import Derive
from mixstore_extensions._packing import Packer, corrupt, not_ours, packer, packers
from mixstore_extensions.blind_indexes import BlindIndexes
from mixstore_extensions.keyrings import KeyProvider, KeyRing, checked_key, ring_of

OWNER = "encrypted"
VERSION = 1
NONCE = 12
"""Bytes of a random nonce, the length that GCM is made for."""


class Encrypted(Mixin):
    """`Field(encrypted=True)` stores a value encrypted with AES-GCM, bound to its entity, its field and its row's key.

    The keys come from the config (`keys`, `current`) or from `Meta.encryption`, a `KeyRing` or another `KeyProvider`.
    Such a field can't be sorted by, and filtered only for equality, by a blind index: a field of its own with
    `Field(None, index=True, blind_index_of="email")`. None is stored as None.
    """

    # required: what should be encrypted must not be stored plain since a backend can't do it
    Declares = Declaration(
        required=True,
        options={"encrypted": bool, "blind_index_of": str},
        meta={"encryption": KeyProvider, "blind_index": KeyRing},
    )

    class Encryption(BackendExtension):
        """Replaces the values of the fields by envelopes: version, key id, nonce, ciphertext with its tag."""

        class Options(BackendExtension.Options):
            """keys: base64 by id. current: the id to encrypt with. provider: instead of both, from code only.

            index_keys and index_current: the same for blind indexes, which need keys of their own.
            """

            model_config = ConfigDict(arbitrary_types_allowed=True, hide_input_in_errors=True, defer_build=True)

            keys: dict[str, SecretStr] = {}
            current: str | None = None
            provider: KeyProvider | None = Field(None, repr=False)
            index_keys: dict[str, SecretStr] = {}
            index_current: str | None = None

            @field_validator("keys", "index_keys")
            @classmethod
            def _fit(cls, keys: dict[str, SecretStr]) -> dict[str, SecretStr]:
                for key_id, given in keys.items():
                    try:
                        checked_key(key_id, given.get_secret_value())
                    except ConfigurationError as error:
                        raise ValueError(error.message) from None
                return keys

            @model_validator(mode="after")
            def _agree(self) -> Any:
                if self.provider is not None and (self.keys or self.current):
                    raise ValueError("give keys or a provider")
                return self

        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            self._packers = packers(self, "encrypted")
            self._key_parts = {name: self._key_part(name) for name in self.schema.key_names}
            self._blind = BlindIndexes(self, self._packers)
            if self._packers:
                self._aead = _aesgcm()
                self._provider = self._keys()

        def _keys(self) -> KeyProvider:
            given: KeyProvider | None = self.schema.meta.get("encryption") or self.options.provider
            if given is not None:
                return given
            if self.options.keys:
                return ring_of(self.options.keys, self.options.current)
            raise ConfigurationError(
                f"{self.schema.name} has encrypted fields and no keys",
                model=self.model,
                backend=self.backend.backend_name,
                hint="options.encrypted.keys and .current in the config, or Meta.encryption = KeyRing({...})",
            )

        def _key_part(self, name: str) -> Packer | None:
            return None if name in self.schema.hidden_key else packer(self, self.schema.fields[name])

        def derived(self, model_class: type[Any]) -> Mapping[str, Derive]:
            return self._blind.derived()

        def modify_query(self, query: Query) -> Query:
            asked = self._blind.rewritten(query.where)
            return query if asked is query.where else query.replace(where=asked)

        def opaque(self, model_class: type[Any]) -> Mapping[str, Literal["refuse", "residual"]]:
            return dict.fromkeys(self._packers, "refuse")

        def serialize(self, data: dict[str, Any]) -> dict[str, Any]:
            for name, one in self._packers.items():
                if data[name] is None:
                    continue
                key_id = self._provider.current()
                nonce = os.urandom(NONCE)
                sealed = self._cipher(key_id).encrypt(nonce, one.pack(data[name]), self._place(name, data))
                told = key_id.encode()
                data[name] = Envelope.of(OWNER, bytes((VERSION, len(told))) + told + nonce + sealed)
            return data

        def deserialize(self, data: dict[str, Any]) -> dict[str, Any]:
            for name, one in self._packers.items():
                if data.get(name) is None:
                    continue
                key_id, nonce, sealed = self._parts(name, data)
                packed = _quietly(self._cipher(key_id).decrypt, nonce, sealed, self._place(name, data))
                if packed is None:
                    raise corrupt(
                        self,
                        name,
                        f"does not decrypt with the key {key_id!r}: it is another key than it was encrypted with, or "
                        "the value was changed, or moved from another row, field or entity",
                    )
                data[name] = _quietly(one.unpack, packed)
                if data[name] is None:
                    raise corrupt(self, name, "was encrypted when the field had another type")
            return data

        def outdated(self, data: Mapping[str, Any]) -> Iterable[str]:
            there = [name for name in self._packers if data.get(name) is not None]
            current = self._provider.current() if there else ""
            stale = self._blind.stale(data)
            return [name for name in there if name in stale or self._parts(name, data)[0] != current]

        def _parts(self, name: str, data: Mapping[str, Any]) -> tuple[str, bytes, bytes]:
            """(key id, nonce, ciphertext) of a stored value."""
            envelope = Envelope.read(data[name])
            if envelope is None or envelope.owner != OWNER:
                raise not_ours(self, name, data[name])
            content = envelope.content
            start = 2 + int.from_bytes(content[1:2], "big")
            key_id = _quietly(content[2:start].decode)
            if content[:1] != bytes((VERSION,)) or not key_id or not key_id.isprintable():
                raise corrupt(self, name, "is damaged, or was encrypted by a later version of mixstore")
            return key_id, content[start : start + NONCE], content[start + NONCE :]

        def _cipher(self, key_id: str) -> Any:
            try:
                key = self._provider.get(key_id)
            except LookupError:
                raise ConfigurationError(
                    f"there is no key {key_id!r}, with which {self.schema.name} is encrypted",
                    hint="a key is needed for as long as rows are encrypted with it; reencrypt() changes them",
                ) from None
            return self._aead(checked_key(key_id, key))

        def _place(self, name: str, data: Mapping[str, Any]) -> bytes:
            """Where a value belongs, as associated data."""
            key = [
                data[one] if part is None else part.pack(data[one]).decode("latin-1")
                for one, part in self._key_parts.items()
            ]
            return json.dumps(["mixstore", VERSION, self.schema.entity, name, *key]).encode()

    @classmethod
    def reencrypt(cls) -> int:
        """Encrypt with the current key what is stored with another, row by row through the chain, hidden rows too.

        Blind indexes that are missing, or made with another key, are made anew.

        Returns how many rows changed. It can be stopped and started again; writers are not in the way.
        """
        return QueryBuilder.on(cls).rewrite()

    @classmethod
    async def areencrypt(cls) -> int:
        """`reencrypt()`, awaited."""
        return await QueryBuilder.on(cls).arewrite()


def _quietly(function: Callable[..., Any], *args: Any) -> Any:
    """What a function gives, or None if it fails: its error may tell the value."""
    try:
        return function(*args)
    except Exception:
        return None


def _aesgcm() -> Any:
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    except ImportError as error:
        raise ConfigurationError(
            "encrypted fields need the package cryptography", hint="pip install 'mixstore[encryption]'"
        ) from error
    return AESGCM
