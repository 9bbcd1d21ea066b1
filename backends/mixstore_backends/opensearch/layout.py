"""The layout of one model in OpenSearch: its index, the id of a document, and how records become documents.

A document has one entry for each field, then the rendered key (`_pk`, `_sk`) of models that have one, then `_extra` for
what extensions add. What an extension stores in place of a field is kept as it is, and not indexed.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from itertools import count
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from mixstore.adapter import CompiledAdapter
from mixstore.errors import SchemaError, UnsupportedOperationError, ValidationError
from mixstore.write import REMOVE, Add
from mixstore_backends.opensearch.analysis import settings
from mixstore_backends.opensearch.compiler import Compiler
from mixstore_backends.opensearch.declared import NOTHING_DECLARED, Declared
from mixstore_backends.opensearch.mapping import KEYWORD, UNINDEXED, Mapped, property_of, vectors_of
from mixstore_backends.opensearch.sources import Sources
from mixstore_backends.opensearch.values import disclose, document_codec, enclose, form_of

if TYPE_CHECKING:
    from mixstore.bound import Bound
    from mixstore.write import KeyValue

EXTRA = "_extra"
PENDING = "_pending"
"""Is said of a document that only reserves the place of a row with unique values; nobody sees it."""
BESIDE = "_beside"
"""What a document has brought along, which is still to be written beside it (`settling`)."""
STORED = {"type": "keyword", "index": False, "doc_values": False}
FORMAT = 1
"""The version of this layout, kept in the mapping."""
LONGEST_ID = 512
"""Bytes of an `_id`."""
_HASHED = "#"
_SPECIAL = "#."
"""What an id that is not plainly right may begin with."""
_NAME = re.compile(r"[^\x00-\x20A-Z\\/*?\"<>|,#:]+").fullmatch


class Index:
    """What is prepared for one bound model; `bound.native`. name: the alias by which its index is known.

    knn: whether the cluster has the k-NN plugin, and is to use it.
    """

    def __init__(
        self,
        bound: Bound,
        name: str,
        has_extra: bool,
        declared: Declared = NOTHING_DECLARED,
        mapped: Mapping[str, Mapped] = MappingProxyType({}),
        knn: bool = False,
    ) -> None:
        self.bound = bound
        self.schema = schema = bound.schema
        self.knn = knn and any(name not in bound.chain.opaque for name in schema.vectors)
        """Whether the k-NN plugin keeps graphs of its vectors."""
        vectors = {name: Mapped(vectors_of(one, self.knn), {}) for name, one in schema.vectors.items()}
        self.mapped = mapped = {**vectors, **mapped}
        self.name = name
        self.path = f"/{quote(name, safe='')}"
        self.has_extra = has_extra
        self.opaque = tuple(field for field in schema.fields if field in bound.chain.opaque)
        self.searchable = tuple(field for field in schema.searchable if field not in self.opaque)
        self.settings = {"knn": True, **declared.settings} if self.knn else declared.settings
        """The settings that the model asks for, apart from the analysis."""
        self.analyzers = {name: one for name, one in declared.analyzers.items() if name not in self.opaque}
        """{field: analyzer} of those that are not searched as everywhere."""
        self._analysis = declared.analysis
        self.settles = any(extension not in bound.chain.claiming for extension, _, _ in bound.chain.beside)
        """Whether rows bring along what is written beside them."""
        self.guarded = self.settles or bool(bound.chain.claiming)
        """Whether there may be reserved places among its documents, so that each write looks first."""
        self._check()
        keys = () if schema.hidden_key else schema.key_fields
        types = {field: spec.type for field, spec in schema.fields.items()}
        own = {(field, lookup): rule for field, one in mapped.items() for lookup, rule in one.queries.items()}
        sources = Sources(types, self.searchable, schema.hidden_key, (*self.opaque, *mapped))
        self.compiler = Compiler(sources, schema.model, own)
        if self.guarded:
            self.compiler.always = ({"bool": {"must_not": [{"term": {PENDING: True}}]}},)
        self._encoders = [None if types[part].kind == "str" else document_codec(types[part]).encode for part in keys]
        self._plain = not self.opaque and not has_extra and not self.settles
        self._names = frozenset((*schema.fields, *schema.hidden_key))
        partitions = [spec.partition.fields for spec in schema.indexes.values() if spec.partition is not None]
        second = {name for names in partitions for name in names}
        self.declared = frozenset({*schema.key_names, *schema.indexed, *schema.unique, *second})
        self.selects = False
        """Whether a row of some fields only can be read."""
        self.written = self.refreshed = 0
        """The number of the last write with the policy "lazy", and of the last one that searches see."""
        self._writes = count(1)

    def _check(self) -> None:
        where = f"{self.schema.name} on OpenSearch"
        if not _NAME(self.name) or self.name[0] in "-_+." or len(self.name.encode()) > 240:
            raise SchemaError(
                f"{where}: {self.name!r} can't be the name of an index",
                model=self.schema.model,
                hint='give it another: class Meta: entity = "..."',
            )

    @cached_property
    def sides(self) -> dict[str, Index]:
        """{name: index} of the models whose rows are written beside those of this one."""
        found = [self.bound.backend.bound(model).native for model in self.bound.chain.side_models]
        return {index.name: index for index in found}

    # -- what the index is ------------------------------------------------------------------------------------------

    @cached_property
    def mapping(self) -> dict[str, Any]:
        """The mapping, made from the model."""
        fields = {
            name: UNINDEXED if name in self.opaque else property_of(spec.type, name in self.searchable)
            for name, spec in self.schema.fields.items()
        }
        fields |= {name: one.mapping for name, one in self.mapped.items() if name not in self.opaque}
        for name, analyzer in self.analyzers.items():
            fields[name] = {**fields[name], "analyzer": analyzer}
        hidden = dict.fromkeys(self.schema.hidden_key, KEYWORD)
        if self.guarded:
            hidden[PENDING] = {"type": "boolean"}
        if self.settles:
            hidden[BESIDE] = {"properties": {"to": KEYWORD, "op": STORED, "id": STORED, "document": UNINDEXED}}
        told = {"mixstore": {"entity": self.schema.entity, "format": FORMAT}}
        return {"dynamic": "strict", "_meta": told, "properties": {**fields, **hidden, EXTRA: UNINDEXED}}

    def property_at(self, path: Sequence[str]) -> Mapping[str, Any]:
        """The mapping of a field, or of a part of one."""
        found: Mapping[str, Any] = self.mapping
        for name in path:
            found = found["properties"][name]
        return found

    @property
    def analysis(self) -> dict[str, Any]:
        """The analysis that the mapping needs."""
        made = settings(bool(self.searchable))
        return {kind: {**made.get(kind, {}), **self._analysis.get(kind, {})} for kind in {**made, **self._analysis}}

    def words_of(self, field: str) -> str:
        """The field of the mapping in which the words of a searchable field are found."""
        if field not in self.searchable:
            raise UnsupportedOperationError(
                f"{self.schema.name}.{field} is stored opaque and can't be searched", model=self.schema.model
            )
        return field if self.mapping["properties"][field]["type"] == "text" else f"{field}.words"

    def wrote(self) -> None:
        """There is something that searches don't see yet. Of two threads that say so none is lost."""
        self.written = next(self._writes)

    # -- documents --------------------------------------------------------------------------------------------------

    def id_of(self, key: KeyValue) -> str:
        """The `_id` of a key; ValidationError names the part that no document can have."""
        try:
            if self.schema.text_key:
                return safe_id(key[0])
            encoders = self._encoders or [None] * len(key)
            parts = [_part(encode, value) for encode, value in zip(encoders, key, strict=True)]
            if len(parts) == 1:
                return safe_id(parts[0])
            return safe_id("|".join([part.replace("%", "%25").replace("|", "%7C") for part in parts]))
        except ValueError as error:
            raise self.refused(", ".join(self.schema.key_names), error) from error

    def document(self, record: Mapping[str, Any]) -> Mapping[str, Any]:
        """The document of a record. ValidationError names an attribute that is no JSON."""
        if self._plain:
            return record
        found, extra = {}, {}
        for name, value in record.items():
            if name not in self._names:
                extra[name] = self.enclosed(name, value)
            else:
                found[name] = self.enclosed(name, value) if name in self.opaque else value
        if extra:
            found[EXTRA] = extra
        return found

    def refused(self, name: str, error: Exception) -> ValidationError:
        """The error for a value that can't be part of a document."""
        schema = self.schema
        return ValidationError(f"{schema.name}.{name} can't be stored: {error}", field=name, model=schema.model)

    def enclosed(self, name: str, value: Any) -> Any:
        """What an extension stored, as JSON."""
        try:
            return enclose(value)
        except (ValueError, TypeError) as error:
            raise self.refused(name, error) from error

    def changed(self, name: str, value: Any) -> tuple[str, Any]:
        """(the attribute's place: "" for the document itself or `_extra`, its new value) of one change."""
        if name in self._names:
            opaque = name in self.opaque and value is not REMOVE and type(value) is not Add
            return "", self.enclosed(name, value) if opaque else value
        if not self.has_extra:
            raise ValidationError(
                f"{self.schema.name} has no place for the attribute {name!r}",
                field=name,
                model=self.schema.model,
                hint="only an extension's `serialize` adds attributes",
            )
        return EXTRA, value if value is REMOVE else self.enclosed(name, value)

    def summand(self, name: str) -> Callable[[Any], Any] | None:
        """How what is added to a field is told the engine. ValidationError if the field is no number."""
        kind = self.schema.fields[name].type
        if form_of(kind) not in ("int", "float", "decimal") or name in self.opaque:
            raise ValidationError(
                f"{self.schema.name}.{name} is no number to add to", field=name, model=self.schema.model
            )
        return document_codec(kind).encode

    def is_real(self, name: str) -> bool:
        """Whether a field holds floats."""
        return form_of(self.schema.fields[name].type) == "float"

    def record_maker(self) -> Callable[[Any], dict[str, Any]] | None:
        """document -> record; None if they are the same."""
        return None if self._plain else self._record

    def _record(self, document: Mapping[str, Any]) -> dict[str, Any]:
        record = dict(document)
        record.pop(BESIDE, None)
        for name, value in (record.pop(EXTRA, None) or {}).items():
            record[name] = disclose(value)
        for name in self.opaque:
            if name in record:
                record[name] = disclose(record[name])
        return record


def _part(encode: Callable[[Any], Any] | None, value: Any) -> str:
    stored = value if encode is None else encode(value)
    return stored if isinstance(stored, str) else repr(stored)


def safe_id(text: str) -> str:
    """The text itself where it can be an `_id` and part of a path; otherwise its hash, after a "#"."""
    if text and text[0] not in _SPECIAL and len(text) <= LONGEST_ID and text.isascii():
        return text
    if text and text[0] != _HASHED and text not in (".", "..") and len(text.encode()) <= LONGEST_ID:
        return text
    return _HASHED + hashlib.sha256(text.encode()).hexdigest()


def adapts_by_itself(adapter: Any) -> tuple[bool, bool]:
    """Whether an adapter overrides the way to the store, and the way back."""
    own = type(adapter)
    return (
        own.model_to_storage is not CompiledAdapter.model_to_storage,
        own.storage_to_model is not CompiledAdapter.storage_to_model,
    )
