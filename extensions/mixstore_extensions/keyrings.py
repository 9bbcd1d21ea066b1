"""Keys for encryption: a ring of them in memory, and what else may give them."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from pydantic import SecretStr

from mixstore import ConfigurationError

SIZES = (16, 24, 32)
"""Bytes of an AES key."""


@runtime_checkable
class KeyProvider(Protocol):
    """Where keys come from. Called for each value that is read or written, so one that asks a service remembers."""

    def current(self) -> str:
        """The id of the key to encrypt with."""

    def get(self, key_id: str, /) -> bytes:
        """The key of this id: 16, 24 or 32 bytes. LookupError if there is none."""


class KeyRing:
    """Keys in memory by id, of which `current` encrypts and all decrypt. Shows its ids and nothing else."""

    __slots__ = ("_current", "_keys")

    def __init__(self, keys: Mapping[str, bytes | str], current: str | None = None) -> None:
        """`keys` as bytes or base64 text; with one, `current` need not be told. ConfigurationError names a bad one."""
        self._keys = {key_id: checked_key(key_id, given) for key_id, given in keys.items()}
        if current is None and len(self._keys) == 1:
            (current,) = self._keys
        if current is None or current not in self._keys:
            told = "is not told" if current is None else f"{current!r} is none of the keys"
            raise ConfigurationError(f"the current key {told}", hint=f"keys: {', '.join(self._keys) or 'none'}")
        self._current = current

    def current(self) -> str:
        """The id of the key to encrypt with."""
        return self._current

    def get(self, key_id: str, /) -> bytes:
        """The key of this id; KeyError."""
        return self._keys[key_id]

    def ids(self) -> tuple[str, ...]:
        """The ids of all keys, the current one first."""
        return (self._current, *(key_id for key_id in self._keys if key_id != self._current))

    def __repr__(self) -> str:
        return f"KeyRing({', '.join(map(repr, self._keys))}; current {self._current!r})"


def ring_of(keys: Mapping[str, SecretStr], current: str | None) -> KeyRing:
    """The keys that a config gives."""
    return KeyRing({key_id: key.get_secret_value() for key_id, key in keys.items()}, current)


def checked_key(key_id: str, given: bytes | str) -> bytes:
    """The key itself. ConfigurationError, which does not tell it, for what can't be one."""
    if not key_id or not key_id.isprintable() or len(key_id.encode()) > 255:
        raise ConfigurationError("the id of a key is text of 1 to 255 bytes that can be printed")
    if not isinstance(given, (str, bytes, bytearray)):
        raise ConfigurationError(f"the key {key_id!r} is {type(given).__name__}, and must be bytes or base64 text")
    try:
        key = base64.b64decode(given, validate=True) if isinstance(given, str) else bytes(given)
    except ValueError:
        raise ConfigurationError(f"the key {key_id!r} is not base64") from None
    if len(key) not in SIZES:
        raise ConfigurationError(f"the key {key_id!r} has {len(key)} bytes, and AES takes 16, 24 or 32")
    return key
