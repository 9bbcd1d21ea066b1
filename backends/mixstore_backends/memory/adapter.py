"""Records of python values: copied on the way in and out, so that nothing a caller holds is ever shared."""

from __future__ import annotations

from mixstore.adapter import CompiledAdapter
from mixstore.codecs import Codec, copier
from mixstore.types import FieldType


class InMemoryAdapter(CompiledAdapter):
    """A record is {field: python value}; moments are in UTC, what can change is a copy."""

    def field_codec(self, field_type: FieldType) -> Codec:
        return copier(field_type)
