"""A field's stored value as bytes that mean the same on every backend, for extensions that replace it."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from mixstore import (
    BackendExtension,
    CompiledAdapter,
    ConfigurationError,
    CorruptRecordError,
    Envelope,
    FieldSpec,
    jsonable,
)

TEXT, BYTES, JSON, ENVELOPE = b"s", b"b", b"j", b"e"
"""What the first byte says of the rest."""


class Packer(NamedTuple):
    """One field: an adapter has its own form of a value; packed, it is text, bytes or JSON, whatever the adapter."""

    adapter: Any
    common: Any
    is_bytes: bool

    def pack(self, stored: Any) -> bytes:
        """The bytes of a stored value that is not None."""
        if isinstance(stored, Envelope):
            return ENVELOPE + bytes(stored)
        value = stored if self.adapter.decode is None else self.adapter.decode(stored)
        if self.is_bytes:
            return BYTES + value  # type: ignore[no-any-return]
        plain = value if self.common.encode is None else self.common.encode(value)
        if type(plain) is str:
            return TEXT + plain.encode("utf-8", "surrogatepass")
        text = json.dumps(plain, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return JSON + text.encode("utf-8", "surrogatepass")

    def pack_value(self, value: Any) -> bytes:
        """The bytes of the stored form of a python value that is not None."""
        return self.pack(value if self.adapter.encode is None else self.adapter.encode(value))

    def unpack(self, packed: bytes) -> Any:
        """The stored value again. ValueError, TypeError or KeyError if the field is of another type by now."""
        kind, content = packed[:1], packed[1:]
        if kind == ENVELOPE:
            return Envelope(content)
        if (kind == BYTES) is not self.is_bytes:
            raise ValueError("the field is of another type")
        value: Any = content
        if not self.is_bytes:
            text = content.decode("utf-8", "surrogatepass")
            value = text if kind == TEXT else json.loads(text)
            value = value if self.common.decode is None else self.common.decode(value)
        return value if self.adapter.encode is None else self.adapter.encode(value)


def packer(extension: BackendExtension, spec: FieldSpec) -> Packer:
    """How a field of the extension's model is packed. ConfigurationError for an adapter that can't tell its form."""
    adapter = getattr(extension.backend, "adapter", None)
    if not isinstance(adapter, CompiledAdapter):
        raise ConfigurationError(
            f"{extension.schema.name}.{spec.name}: {extension.name} can't know how {type(adapter).__name__} stores it",
            hint="an adapter that derives from CompiledAdapter says so by field_codec()",
        )
    return Packer(adapter.field_codec(spec.type), jsonable(spec.type), spec.type.kind == "bytes")


def packers(extension: BackendExtension, option: str) -> dict[str, Packer]:
    """A packer for each field with an option. ConfigurationError if the field should be indexed or searched as well."""
    found = {name: spec for name, spec in extension.schema.fields.items() if spec.option(option)}
    for name, spec in found.items():
        for other in ("index", "searchable"):
            if spec.option(other):
                raise ConfigurationError(
                    f"{extension.schema.name}.{name} can't be both {option} and {other}: "
                    "the engine never sees its value",
                    model=extension.model,
                )
    return {name: packer(extension, spec) for name, spec in found.items()}


def not_ours(extension: BackendExtension, name: str, value: Any) -> CorruptRecordError:
    """The error for a stored value that the extension has not made."""
    envelope = Envelope.read(value)
    told = "is stored as it is" if envelope is None else f"was stored by the extension {envelope.owner!r}"
    return corrupt(extension, name, f"{told}, and {extension.name!r} can't read it")


def corrupt(extension: BackendExtension, name: str, problem: str) -> CorruptRecordError:
    """The error for a stored value, without the value; the kernel adds which row it is."""
    return CorruptRecordError(f"{extension.schema.name}.{name} {problem}", field=name, model=extension.model)
