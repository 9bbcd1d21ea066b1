"""Opaque cursors: where a page ended, as text that a client may keep and hand back.

A cursor holds the sort values (with the key) of the last returned row, and is bound to the *shape* of the
query that made it: any text that says which model, filter and order it has. Its bytes, as URL-safe base64
without padding:

    version 1 | seal 1 | digest of the shape 8 | tag 16 | JSON list of the values

The tag is a checksum, or with a `secret` an HMAC, which clients can't forge. Either way a cursor only says
where to go on; what may be seen is decided by the query, again for every page.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

from pydantic_core import from_json, to_json

from mixstore.errors import ConfigurationError, InvalidCursorError

_VERSION = b"\x01"
_CHECKSUM, _HMAC = b"c", b"h"
_SHAPE, _TAG = 8, 16
_HEAD = 2 + _SHAPE + _TAG
_HINT = "start again without a cursor"


def encode_cursor(shape: str, values: tuple[Any, ...], secret: str | None = None) -> str:
    """The cursor after the row with these sort `values` (JSON values, in the query's order)."""
    payload = to_json(values)
    seal = _CHECKSUM if secret is None else _HMAC
    raw = _VERSION + seal + _digest(shape) + _tag(shape, payload, secret) + payload
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def decode_cursor(text: str, shape: str, secret: str | None = None) -> tuple[Any, ...]:
    """The sort values in a cursor.

    InvalidCursorError for one that is damaged or forged, was made for a query of another shape, or was signed
    with another secret (or with none, where `secret` is set).
    """
    raw = _unpack(text)
    if raw[:1] != _VERSION:
        raise InvalidCursorError("the cursor was made by another version of mixstore", hint=_HINT)
    if raw[1:2] != (_CHECKSUM if secret is None else _HMAC):
        signed = "unsigned, but cursor_secret is set" if secret is not None else "not one of this configuration"
        raise InvalidCursorError(f"the cursor is {signed}", hint=_HINT)
    if raw[2 : 2 + _SHAPE] != _digest(shape):
        raise InvalidCursorError(
            "the cursor belongs to another query",
            hint="keep model, filters and order the same from page to page",
        )
    payload = raw[_HEAD:]
    import hmac  # slow to import, and only pages need it

    if not hmac.compare_digest(raw[2 + _SHAPE : _HEAD], _tag(shape, payload, secret)):
        raise InvalidCursorError("the cursor is damaged or forged", hint=_HINT)
    try:
        values = from_json(payload, allow_inf_nan=False)
    except ValueError as error:
        raise InvalidCursorError("the cursor is damaged or forged", hint=_HINT) from error
    if not isinstance(values, list):
        raise InvalidCursorError("the cursor is damaged or forged", hint=_HINT)
    return tuple(values)


def _unpack(text: str) -> bytes:
    """The bytes of a cursor in its one canonical spelling."""
    if not isinstance(text, str):
        raise InvalidCursorError(f"a cursor is text, not {type(text).__name__}", hint=_HINT)
    try:
        raw = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError as error:
        raise InvalidCursorError("the cursor is damaged", hint=_HINT) from error
    # b64decode skips foreign characters and stray bits, so only the way back tells that all of it was read.
    if len(raw) < _HEAD or urlsafe_b64encode(raw).rstrip(b"=").decode() != text:
        raise InvalidCursorError("the cursor is damaged", hint=_HINT)
    return raw


def _digest(shape: str) -> bytes:
    from hashlib import blake2b

    return blake2b(shape.encode("utf-8", "surrogatepass"), digest_size=_SHAPE).digest()


def _tag(shape: str, payload: bytes, secret: str | None) -> bytes:
    """Checksum or HMAC over the version, the whole shape and the values; no two inputs share one text."""
    name = shape.encode("utf-8", "surrogatepass")
    text = _VERSION + len(name).to_bytes(8, "big") + name + payload
    import hmac
    from hashlib import blake2b

    if secret is None:
        return blake2b(text, digest_size=_TAG).digest()
    if not secret:
        raise ConfigurationError("cursor_secret is empty", hint="set it to a long random text, or leave it out")
    return hmac.digest(secret.encode(), text, "sha256")[:_TAG]
