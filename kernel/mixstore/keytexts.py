"""The key of a row as text: what rows about other rows are found by, on every backend."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from mixstore.codecs import Codec, jsonable

if TYPE_CHECKING:
    from mixstore.schema import ModelSchema
    from mixstore.write import KeyValue


class KeyTexts:
    """Keys of one model as JSON text and back; different keys give different texts, whatever is in them."""

    def __init__(self, schema: ModelSchema) -> None:
        text = Codec(None, None)  # a part of a rendered key
        self.codecs = [
            jsonable(schema.fields[name].type) if name in schema.fields else text for name in schema.key_names
        ]

    def text(self, key: KeyValue) -> str:
        """A JSON list of the parts."""
        parts = [
            part if codec.encode is None else codec.encode(part) for codec, part in zip(self.codecs, key, strict=True)
        ]
        parts = [part + 0.0 if type(part) is float else part for part in parts]  # -0.0 is 0.0
        return json.dumps(parts, separators=(",", ":"))

    def key(self, text: str) -> KeyValue:
        """The key of a text. ValueError or TypeError if it is none of this model."""
        parts: list[Any] = json.loads(text)
        return tuple(
            part if codec.decode is None else codec.decode(part) for codec, part in zip(self.codecs, parts, strict=True)
        )
