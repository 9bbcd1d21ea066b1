"""Operands of comparisons as SQLite's parameters, exactly.

A *source* is something in SQL that has a value for each row: a column, or a place inside of one that holds JSON. It
knows which python values compare with its own, and how they are stored.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from mixstore import codecs, comparing
from mixstore.comparing import comparable
from mixstore.ranks import RANKS, nearest_float, nearest_integer, stored_kind
from mixstore.scalars import microseconds
from mixstore.search import SCORE
from mixstore.types import FieldType
from mixstore_backends.sqlite.functions import ADDRESS, DECIMAL
from mixstore_backends.sqlite.values import LARGEST, SMALLEST, Form, form_of

if TYPE_CHECKING:
    from mixstore_backends.sqlite.layout import Column, Table


PRIMARY = "primary key"
FOUND_SCORE, FOUND_ROW = '"found.score"', '"found.row"'
"""The columns that a search adds; no field has a dot."""


class NotInSQLError(Exception):
    """This can't be said exactly in SQL, so it stays residual."""


_COLLATED = {"decimal": DECIMAL, "ip": ADDRESS}


class Source:
    """A value for each row: its SQL, whether that may be NULL, and the form and kind of what it holds.

    `kind` is that of the stored values, `declared` that of the field: they differ for enums and literals. `ordered` is
    the SQL to sort and compare by, None if stored values do not sort as the values do. `index` names the index that
    helps to find one, `name` the column itself. `textual` says that its values are text to python as well.
    """

    __slots__ = (
        "declared",
        "element",
        "encode",
        "form",
        "index",
        "kind",
        "name",
        "nullable",
        "ordered",
        "sql",
        "textual",
    )

    def __init__(
        self,
        sql: str,
        form: Form,
        nullable: bool,
        field_type: FieldType | None,
        encode: Callable[[Any], Any] | None,
        index: str | None = None,
        nested: bool = False,
        name: str = "",
    ) -> None:
        self.sql = sql
        self.name = name
        self.form = form
        self.nullable = nullable
        self.kind = stored_kind(field_type)
        self.declared = "str" if field_type is None else field_type.kind
        self.element = _element(field_type)
        self.encode = encode
        self.index = index
        self.textual = form == "text" and self.kind in ("str", "url")
        collation = _COLLATED.get(form)
        self.ordered: str | None = f"{sql} COLLATE {collation}" if collation else sql
        if form in ("json", "opaque") or (nested and form == "bytes"):
            self.ordered = None

    def stored(self, value: Any) -> tuple[Any, int]:
        """(parameter, how it compares with the value that was asked for: -1, 0 or 1), for a value that is not None.

        LookupError if no value of this source has the same rank, so that nothing is equal and nothing in order.
        """
        try:
            if self.kind == "choice" and self.encode is not None:
                return self.encode(value), 0
            rank, form = comparable(value)
            if rank not in RANKS[self.kind]:
                raise LookupError(value)
            if rank == comparing.NUMBER:
                return _number(self.form, form)
            if rank == comparing.TIMEDELTA:
                return _number("int", microseconds(form))
            if rank == comparing.TEXT or rank == comparing.BOOL:
                return (int(form) if rank == comparing.BOOL else form), 0
            return form if self.encode is None else self.encode(value), 0
        except (ValueError, TypeError) as error:
            raise NotInSQLError(self.sql) from error


def _element(field_type: FieldType | None) -> Source | None:
    """The elements of a collection of plain values, which `contains` can look into."""
    if field_type is None or field_type.kind not in ("list", "tuple", "set", "frozenset"):
        return None
    if len(field_type.args) != 1 or not field_type.args[0].scalar:
        return None
    element = field_type.args[0]
    return Source("", form_of(element), True, element, codecs.jsonable(element).encode, nested=True)


def _number(form: Form, value: Any) -> tuple[Any, int]:
    """The stored number nearest to any int, float or Decimal, and whether it is below (-1) or above (1) it."""
    if form == "decimal":
        number = Decimal(value)
        return (codecs.decimal_text(number) if number.is_finite() else str(number)), 0
    if form == "float":
        return nearest_float(value)
    return nearest_integer(value, SMALLEST, LARGEST)


# -- where a path leads ----------------------------------------------------------------------------------------------


class Sources:
    """The sources of one table, each made once."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self._known: dict[tuple[str, ...], Source | None] = {}
        self._known[SCORE] = Source(FOUND_SCORE, "float", False, FieldType("float", float), None)
        for name, column in table.columns.items():
            index = PRIMARY if column is table.keys[0] else table.index_names.get(name)
            self._known[(name,)] = _column_source(column, index)

    def at(self, path: tuple[str, ...]) -> Source:
        """The source of a path. NotInSQLError if there is none."""
        try:
            source = self._known[path]
        except KeyError:
            source = self._known[path] = self._nested(path)
        if source is None:
            raise NotInSQLError(".".join(path))
        return source

    def _nested(self, path: tuple[str, ...]) -> Source | None:
        column = self.table.columns.get(path[0])
        if column is None or column.form != "json" or column.field_type is None:
            return None
        kind, default = column.field_type, None
        for depth, name in enumerate(path[1:], 2):
            inner = kind.nested().get(name) if kind.kind == "model" else None
            if inner is None:
                return None
            told, default = _default(kind, name, inner)
            if not told or (default is not None and depth < len(path)):
                return None
            kind = inner
        if not kind.scalar:
            return None
        function = "mixstore_real_at" if form_of(kind) == "float" else "mixstore_at"
        where = f"{_literal(json.dumps(path[1:], ensure_ascii=False))}, {_literal(default)}"
        form = form_of(kind)
        # Inside JSON, bytes are base64 text: equal when the values are, but in another order.
        encode = codecs.jsonable(kind).encode if form != "json" else None
        if form == "json":
            return None
        return Source(f"{function}({column.sql}, {where})", form, True, kind, encode, nested=True)

    def steps(self, path: tuple[str, ...]) -> tuple[Column, list[str]]:
        """The column and the names below it, for a value that is JSON to python too; else NotInSQLError."""
        column = self.table.columns.get(path[0])
        kind = None if column is None else column.field_type
        if column is None or column.form != "json" or kind is None:
            raise NotInSQLError(".".join(path))
        for name in path[1:]:
            if kind.kind == "model" and name in kind.nested():
                inner = kind.nested()[name]
                if _default(kind, name, inner) != (True, None):
                    raise NotInSQLError(".".join(path))
                kind = inner
            elif kind.kind == "dict" and kind.args[0].kind == "str":
                kind = kind.args[1]
            elif kind.kind != "any":
                raise NotInSQLError(".".join(path))
        if kind.kind not in ("any", "str", "int", "bool"):
            raise NotInSQLError(".".join(path))
        return column, list(path[1:])


def _column_source(column: Column, index: str | None) -> Source | None:
    if column.form == "opaque" or column.name == "_extra":
        return None
    kind, encode = column.field_type, column.codec.encode
    return Source(column.sql, column.form, column.nullable, kind, encode, index, name=column.name)


def _default(model: FieldType, name: str, inner: FieldType) -> tuple[bool, Any]:
    """(whether it can be told, the stored default) of a field of a nested model, which a stored object may lack."""
    info = model.python.__pydantic_fields__[name]
    if info.is_required() or (info.default_factory is None and info.default is None):
        return True, None
    if info.default_factory is not None or not inner.scalar or form_of(inner) == "json":
        return False, None
    encode = codecs.jsonable(inner).encode
    try:
        return True, info.default if encode is None else encode(info.default)
    except (ValueError, TypeError, AttributeError):
        return False, None


def _literal(value: Any) -> str:
    """A constant of the model itself (a path, a default) as SQL."""
    if value is None:
        return "NULL"
    if isinstance(value, (bool, int)):
        return str(int(value))
    found = str(value)
    if "\0" in found:
        raise NotInSQLError(found)
    # A float goes as text, which `mixstore_real_at` reads: SQLite's own reading may be off by one bit.
    return "'" + found.replace("'", "''") + "'"
