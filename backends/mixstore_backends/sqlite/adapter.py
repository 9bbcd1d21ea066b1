"""`SQLiteAdapter`: records whose values are what SQLite's columns hold."""

from __future__ import annotations

from mixstore.adapter import CompiledAdapter
from mixstore.codecs import Codec
from mixstore.types import FieldType
from mixstore_backends.sqlite.values import column_codec


class SQLiteAdapter(CompiledAdapter):
    """Plain values in real columns, everything else as JSON text.

    A subclass may override `model_to_storage` and `storage_to_model`, and add attributes; it must leave the stored form
    of the fields as it is, since filters are compiled against that.
    """

    def field_codec(self, field_type: FieldType) -> Codec:
        return column_codec(field_type)
