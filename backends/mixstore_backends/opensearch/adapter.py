"""`OpenSearchAdapter`: records whose values are what a document holds."""

from __future__ import annotations

from mixstore.adapter import CompiledAdapter
from mixstore.codecs import Codec
from mixstore.schema import FieldSpec
from mixstore.types import FieldType
from mixstore_backends.opensearch.values import document_codec


class OpenSearchAdapter(CompiledAdapter):
    """JSON values by field name; what is stored is what `GET index/_doc/id` shows.

    A subclass may override `model_to_storage` and `storage_to_model`, and add attributes; it must leave the stored form
    of the fields as it is, since filters are compiled against that.
    """

    def field_codec(self, field_type: FieldType) -> Codec:
        return document_codec(field_type)

    def spec_codec(self, spec: FieldSpec) -> Codec:
        if spec.option("searchable"):
            return document_codec(spec.type, any_length=True)
        return self.field_codec(spec.type)
