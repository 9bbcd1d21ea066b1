"""`Compressed`: long values take less room."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import ConfigDict, Field, model_validator

from mixstore import BackendExtension, ConfigurationError, Declaration, Envelope, Mixin
from mixstore_extensions._packing import corrupt, not_ours, packers

OWNER = "compressed"
PLAIN, ZLIB, ZSTD = b"p", b"z", b"Z"
"""What the first byte of an envelope says of the rest."""


class Compressed(Mixin):
    """`Field(compressed=True)` stores a long text, bytes or JSON compressed.

    Nothing else changes: filters work exactly, on rows that mixstore reads and unpacks for them.
    """

    # required: without the extension, what it stored could not be read
    Declares = Declaration(required=True, options={"compressed": bool})

    class Compression(BackendExtension):
        """Replaces values over the threshold that get smaller by it; the others are stored as if there were none."""

        before = ("encrypted",)  # what is encrypted does not get any smaller

        class Options(BackendExtension.Options):
            """threshold: bytes from which on it is tried. level: the algorithm's own scale. What is stored says how."""

            model_config = ConfigDict(defer_build=True)

            threshold: int = Field(1024, ge=0)
            algorithm: Literal["zlib", "zstd"] = "zlib"
            level: int | None = Field(None, ge=1, le=22)

            @model_validator(mode="after")
            def _agree(self) -> Any:
                if self.algorithm == "zlib" and self.level is not None and self.level > zlib.Z_BEST_COMPRESSION:
                    raise ValueError(f"zlib has the levels 1 to 9, not {self.level}")
                return self

        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            self._packers = packers(self, "compressed")
            if self._packers and self.options.algorithm == "zstd":
                _zstandard()

        def opaque(self, model_class: type[Any]) -> Mapping[str, Literal["refuse", "residual"]]:
            return dict.fromkeys(self._packers, "residual")

        def serialize(self, data: dict[str, Any]) -> dict[str, Any]:
            for name, packer in self._packers.items():
                stored = data[name]
                if stored is None:
                    continue
                packed = packer.pack(stored)
                content = self._compressed(packed) if len(packed) > self.options.threshold else packed
                if len(content) < len(packed):
                    data[name] = Envelope.of(OWNER, content)
                elif Envelope.read(stored) is not None:  # looks like an envelope, so that it takes one
                    data[name] = Envelope.of(OWNER, PLAIN + packed)
            return data

        def deserialize(self, data: dict[str, Any]) -> dict[str, Any]:
            for name, packer in self._packers.items():
                envelope = Envelope.read(data.get(name))
                if envelope is None:
                    continue
                if envelope.owner != OWNER:
                    raise not_ours(self, name, envelope)
                try:
                    data[name] = packer.unpack(_decompressed(envelope.content))
                except ConfigurationError:
                    raise
                except Exception as error:
                    raise corrupt(self, name, "does not decompress") from error
            return data

        def _compressed(self, packed: bytes) -> bytes:
            level = self.options.level
            if self.options.algorithm == "zlib":
                return ZLIB + zlib.compress(packed, -1 if level is None else level)
            made = _zstandard().ZstdCompressor(level=3 if level is None else level, write_checksum=True)
            return ZSTD + bytes(made.compress(packed))


def _decompressed(content: bytes) -> bytes:
    kind, rest = content[:1], content[1:]
    if kind == ZLIB:
        return zlib.decompress(rest)
    if kind == ZSTD:
        return bytes(_zstandard().ZstdDecompressor().decompress(rest))
    if kind == PLAIN:
        return rest
    raise ValueError("a later version of mixstore made this")


def _zstandard() -> Any:
    try:
        import zstandard
    except ImportError as error:
        raise ConfigurationError(
            "compressing with zstd needs the package zstandard", hint="pip install 'mixstore[compression]'"
        ) from error
    return zstandard
