"""Where the value at a path is indexed, and what an operand is there.

A *source* is a field of the mapping (with its sub-fields) that has a value for each document, or none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from mixstore import comparing
from mixstore.codecs import decimal_text
from mixstore.comparing import comparable
from mixstore.ranks import RANKS, nearest_float, nearest_integer, stored_kind
from mixstore.scalars import microseconds
from mixstore.types import FieldType
from mixstore_backends.opensearch.analysis import KEPT
from mixstore_backends.opensearch.sorting import ADDRESS, DECIMAL, Column
from mixstore_backends.opensearch.values import (
    LARGEST,
    SMALLEST,
    Form,
    document_codec,
    element_of,
    form_of,
    is_open,
    may_be_null,
)


class NotPushableError(Exception):
    """The engine can't answer this exactly, nor with a superset that helps: it stays residual."""


class Source:
    """A value for each document.

    field: what the mapping calls it. compared: the field whose terms are compared. there: the field that has a term
    wherever there is a value. columns: what to sort by, in the order of the values; None if there is nothing.
    distinct: what sorts different values apart, in whatever order. clips: a long value is indexed in part only.
    textual: values are text to python too. nullable: the value may be None, or something around it.
    """

    __slots__ = (
        "clips",
        "columns",
        "compared",
        "distinct",
        "element",
        "encode",
        "field",
        "form",
        "kind",
        "nullable",
        "textual",
        "there",
        "witness",
    )

    def __init__(self, field: str, field_type: FieldType | None, *, nullable: bool, ranked: bool, words: bool) -> None:
        self.field = field
        self.kind = stored_kind(field_type)
        self.nullable = nullable
        element = None if field_type is None else element_of(field_type)
        self.element = None if element is None else Source(field, element, nullable=True, ranked=True, words=False)
        self.form: Form = "text" if field_type is None else "unindexed" if element else form_of(field_type)
        self.encode: Callable[[Any], Any] | None = None
        if field_type is not None and field_type.scalar:
            self.encode = document_codec(field_type, any_length=True).encode
        searchable_text = words and self.form == "text"
        self.clips = searchable_text or self.form == "bytes"
        self.textual = self.form == "text" and self.kind in ("str", "url")
        self.compared = f"{field}.keyword" if searchable_text else _compared(field, self.form)
        self.there = f"{field}.rank" if self.form == "float" else self.compared
        names = (f"{field}.rank", field) if self.form == "float" else (self.compared,)
        self.distinct = tuple(map(Column, names))
        self.columns = self._columns(ranked)
        self.witness = None if field_type is None else _witness(field, field_type)

    def _columns(self, ranked: bool) -> tuple[Column, ...] | None:
        if not self.indexed:
            return None
        if self.form == "decimal":
            return (Column(self.compared, script=DECIMAL),)
        if self.form == "text" and self.kind == "ip":
            return (Column(self.compared, script=ADDRESS),)
        if self.form == "int" and ranked:
            return (Column(f"{self.field}.rank"), Column(self.field))
        return self.distinct

    @property
    def indexed(self) -> bool:
        """Whether the engine can compare it."""
        return self.form not in ("unindexed", "object", "nested")

    def stored(self, value: Any) -> tuple[Any, int]:
        """(term, how it compares with the value that was asked for: -1, 0 or 1), for a value that is not None.

        LookupError if no value of this source has the same rank, so that nothing is equal and nothing in order.
        """
        try:
            return self._stored(value)
        except (ValueError, TypeError) as error:
            raise NotPushableError(self.field) from error

    def _stored(self, value: Any) -> tuple[Any, int]:
        rank, form = comparable(value)
        if rank not in RANKS.get(self.kind, ()):
            raise LookupError(value)
        if rank == comparing.TEXT or rank == comparing.BOOL:
            return form, 0
        if rank == comparing.TIMEDELTA:
            return nearest_integer(microseconds(form), SMALLEST, LARGEST)
        if rank != comparing.NUMBER:
            return (form if self.encode is None else self.encode(value)), 0
        if self.form == "decimal":
            number = Decimal(form)
            return (decimal_text(number) if number.is_finite() else str(number)), 0
        if self.form == "float":
            near, side = nearest_float(form)
            return near + 0.0, side
        return nearest_integer(form, SMALLEST, LARGEST)

    def cut(self, term: Any) -> bool:
        """Whether the term is longer than what is indexed of a value."""
        return self.clips and len(term) > KEPT


def _compared(field: str, form: Form) -> str:
    return f"{field}.exact" if form in ("decimal", "moment") else field


def _witness(field: str, field_type: FieldType) -> Source | None:
    """A part of a model that every value of it has, by which to see that there is one."""
    if field_type.kind != "model" or is_open(field_type):
        return None
    for name, kind in field_type.nested().items():
        if kind.scalar and not may_be_null(kind) and form_of(kind) != "unindexed":
            return Source(f"{field}.{name}", kind, nullable=True, ranked=True, words=False)
    return None


class Sources:
    """The sources of one model, each made once. `hidden` are rendered keys, `opaque` fields are not compared."""

    def __init__(
        self, fields: Mapping[str, FieldType], searchable: tuple[str, ...], hidden: tuple[str, ...], opaque: Any
    ) -> None:
        self.fields = fields
        self.searchable = frozenset(searchable)
        self.opaque = opaque
        self.cut: set[str] = set()
        """The fields seen so far of which a long value is indexed in part only."""
        self._known: dict[tuple[str, ...], Source | None] = {
            (name,): Source(name, None, nullable=False, ranked=False, words=False) for name in hidden
        }

    def at(self, path: tuple[str, ...]) -> Source:
        """The source of a path. NotPushableError if there is none."""
        try:
            source = self._known[path]
        except KeyError:
            source = self._known[path] = self._make(path)
            if source is not None and source.clips:
                self.cut.add(source.compared)
        if source is None:
            raise NotPushableError(".".join(path))
        return source

    def _make(self, path: tuple[str, ...]) -> Source | None:
        name = path[0]
        kind = self.fields.get(name)
        if kind is None or name in self.opaque:
            return None
        nullable, within = may_be_null(kind), [kind.python]
        for step in path[1:]:
            inner = kind.nested().get(step) if kind.kind == "model" else None
            if inner is None or is_open(kind):
                return None
            kind = inner
            if kind.kind == "model":
                if kind.python in within:
                    return None  # a model inside of itself is not indexed
                within.append(kind.python)
            nullable = nullable or may_be_null(kind)
        ranked = nullable or len(path) > 1
        words = len(path) == 1 and name in self.searchable
        return Source(".".join(path), kind, nullable=nullable, ranked=ranked, words=words)
