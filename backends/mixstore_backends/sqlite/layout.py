"""The layout of one model in SQLite: its table, its columns, and the statements that can be prepared for them.

A table has one column for each field in the order of definition, then the rendered key (`_pk`, `_sk`) of models that
have one, then `_extra` (JSON) if extensions add attributes. Rows are tuples in that order. In front of it all, and in
no row, is `_id`: the rowid, by which the full-text index knows a row; a key of one integer takes its place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from mixstore.adapter import CompiledAdapter
from mixstore.codecs import Codec
from mixstore.errors import SchemaError, ValidationError
from mixstore.unicode import text
from mixstore_backends.sqlite.compiler import Compiler
from mixstore_backends.sqlite.values import (
    SQL_TYPES,
    Form,
    column_codec,
    disclose,
    enclose,
    form_of,
    from_text,
    may_be_null,
    to_text,
)

if TYPE_CHECKING:
    from mixstore.bound import Bound
    from mixstore.types import FieldType
    from mixstore.write import KeyValue

ROWID = "_id"
EXTRA = "_extra"


def quoted(name: str) -> str:
    """A name as SQL; any text can be one."""
    return '"' + name.replace('"', '""') + '"'


class Column:
    """One column: what it is called, what it holds, whether NULL is among that.

    `field_type` is None for a part of a rendered key and for `_extra`.
    """

    __slots__ = ("codec", "field_type", "form", "name", "nullable", "sql")

    def __init__(self, name: str, form: Form, nullable: bool, field_type: FieldType | None, codec: Codec) -> None:
        self.name = name
        self.sql = quoted(name)
        self.form = form
        self.nullable = nullable
        self.field_type = field_type
        self.codec = codec

    @property
    def sql_type(self) -> str:
        """The type as SQLite knows it."""
        return SQL_TYPES[self.form]


class Table:
    """What is prepared for one bound model; `bound.native`."""

    def __init__(self, bound: Bound, name: str, has_extra: bool) -> None:
        self.bound = bound
        self.schema = schema = bound.schema
        self.name = name
        self.sql = quoted(name)
        opaque = bound.chain.opaque
        self.fields = {name: _column(name, spec.type, name in opaque) for name, spec in schema.fields.items()}
        self.columns = {**self.fields, **{part: _key_part(part) for part in schema.hidden_key}}
        if has_extra:
            self.columns[EXTRA] = Column(EXTRA, "json", True, None, Codec(None, None))
        self.has_extra = has_extra
        self.keys = tuple(self.columns[name] for name in schema.key_names)
        self.key_positions = tuple(list(self.columns).index(name) for name in schema.key_names)
        only = self.keys[0]
        self.rowid = only if len(self.keys) == 1 and only.form == "int" else None
        self.rowid_sql = quoted(ROWID) if self.rowid is None else self.rowid.sql
        self.unique = tuple(name for name in bound.chain.unique if name not in opaque)
        self.searchable = tuple(name for name in schema.searchable if name not in opaque)
        self.index_names = index_names(self)
        self.key_indexes = key_indexes(self)
        self._check()
        self._prepare()
        self.compiler = Compiler(self)

    def _check(self) -> None:
        where = f"{self.schema.name} on SQLite"
        if not self.name or "\0" in self.name or self.name.lower().startswith("sqlite_"):
            raise SchemaError(
                f"{where}: {self.name!r} can't be the name of a table",
                model=self.schema.model,
                hint='give it another: class Meta: entity = "..."',
            )
        seen: dict[str, str] = {}
        for name in self.columns:
            other = seen.setdefault(name.lower(), name)
            if other != name:
                raise SchemaError(
                    f"{where}: the fields {other!r} and {name!r} differ in case only, and SQLite takes them for one",
                    model=self.schema.model,
                )

    def _prepare(self) -> None:
        columns = self.columns.values()
        names = ", ".join(column.sql for column in columns)
        self.names_sql = names
        self.select_sql = f"SELECT {names} FROM {self.sql}"
        self.where_key = " AND ".join(f"{column.sql} = ?" for column in self.keys)
        self.get_sql = f"{self.select_sql} WHERE {self.where_key}"
        marks = ", ".join("?" * len(self.columns))
        self.insert_sql = f"INSERT INTO {self.sql} ({names}) VALUES ({marks})"
        key = ", ".join(column.sql for column in self.keys)
        others = [column for column in columns if column not in self.keys] or list(self.keys)
        changes = ", ".join(f"{column.sql} = excluded.{column.sql}" for column in others)
        self.upsert_sql = f"{self.insert_sql} ON CONFLICT ({key}) DO UPDATE SET {changes}"
        self.delete_sql = f"DELETE FROM {self.sql} WHERE {self.where_key}"
        self.taken = self._taken()
        self.row_of = self._row_of()
        self.encode_key = _tuple_encoder(self.keys)
        self.update_sql: dict[tuple[str, ...], str] = {}

    def _taken(self) -> dict[str, str | None]:
        """What SQLite says of a value that is taken -> the unique field, or None for the key."""
        key = ", ".join(f"{self.name}.{column.name}" for column in self.keys)
        told: dict[str, str | None] = {f"{self.name}.{name}": name for name in self.unique}
        return {**told, key: None}

    def _row_of(self) -> Callable[[Mapping[str, Any]], tuple[Any, ...]]:
        """record -> parameters, in the order of the columns."""
        plain = [name for name in self.columns if name != EXTRA]
        pick: Any = itemgetter(*plain) if len(plain) > 1 else lambda record: (record[plain[0]],)
        if not self.has_extra and not any(column.form == "opaque" for column in self.columns.values()):
            return pick  # type: ignore[no-any-return]

        def row_of(record: Mapping[str, Any]) -> tuple[Any, ...]:
            return tuple([self.stored(name, record.get(name)) for name in plain]) + self._extra_of(record)

        return row_of

    def stored(self, name: str, value: Any) -> Any:
        """An attribute of a record as its column takes it."""
        if self.columns[name].form != "opaque":
            return value
        try:
            return enclose(value)
        except ValueError as error:
            raise _refused(self.schema, name, error) from error

    def _extra_of(self, record: Mapping[str, Any]) -> tuple[Any, ...]:
        if not self.has_extra:
            return ()
        extra = {name: value for name, value in record.items() if name not in self.columns}
        return (self.extra_text(extra) if extra else None,)

    def extra_text(self, extra: Mapping[str, Any]) -> str:
        """Attributes that extensions added, as JSON. ValidationError if one is not JSON."""
        try:
            return to_text(dict(extra))
        except (ValueError, TypeError) as error:
            raise _refused(self.schema, ", ".join(extra), error) from error

    def key_of(self, key: KeyValue) -> tuple[Any, ...]:
        """A key as parameters; ValidationError names the part that no row can hold."""
        try:
            return key if self.encode_key is None else self.encode_key(key)
        except ValueError as error:
            raise _refused(self.schema, ", ".join(self.schema.key_names), error) from error

    # -- reading ------------------------------------------------------------------------------------------------------

    def record_maker(self) -> Callable[[Any], dict[str, Any]]:
        """row -> record."""
        names = tuple(name for name in self.columns if name != EXTRA)
        opaque = [name for name, column in self.columns.items() if column.form == "opaque"]
        position = len(names) if self.has_extra else None

        def plain(row: Any) -> dict[str, Any]:
            return dict(zip(names, row))  # noqa: B905 - a row may have more columns, for the page after it

        def full(row: Any) -> dict[str, Any]:
            record = plain(row)
            for name in opaque:
                record[name] = disclose(record[name])
            if position is not None and row[position] is not None:
                record.update(from_text(row[position]))
            return record

        return full if opaque or self.has_extra else plain


def index_names(table: Table) -> dict[str, str]:
    """The index of each indexed or unique field. The dot keeps names of different tables apart: no field has one."""
    schema, own = table.schema, {table.keys[0].name} if len(table.keys) == 1 else set()
    found = (*schema.indexed, *schema.unique)  # where others keep values unique, an index still finds them
    names = {name: f"ix_{table.name}.{name}" for name in found if name not in own}
    names.update({name: f"ux_{table.name}.{name}" for name in table.unique if name not in own})
    return {name: index for name, index in names.items() if table.columns[name].form != "opaque"}


class KeyIndex(NamedTuple):
    """A secondary index in SQLite: its columns are the fields of its templates, then the key, by which ties are broken.

    So it needs no hidden column, and serves equality, ranges and orders as SQLite does for any index of columns.
    """

    name: str
    columns: tuple[str, ...]


def key_indexes(table: Table) -> dict[str, KeyIndex]:
    """The secondary indexes by the name that the model gives them; those whose key methods compute are none here."""
    key = () if table.rowid is not None else table.schema.key_names
    return {
        name: KeyIndex(f"gx_{table.name}.{name}", tuple(dict.fromkeys((*spec.fields, *key))))
        for name, spec in table.schema.indexes.items()
        if spec.shape is not None
    }


def _column(name: str, field_type: FieldType, opaque: bool) -> Column:
    if opaque:
        return Column(name, "opaque", True, field_type, column_codec(field_type))
    return Column(name, form_of(field_type), may_be_null(field_type), field_type, column_codec(field_type))


def _key_part(name: str) -> Column:
    return Column(name, "text", False, None, Codec(text, None))


def _tuple_encoder(columns: Sequence[Column]) -> Callable[[KeyValue], tuple[Any, ...]] | None:
    encoders = [column.codec.encode for column in columns]
    if all(encode in (None, text) for encode in encoders):
        # The text of a key comes from a record or from a coerced operand; both have been checked.
        return None

    def encode_key(key: KeyValue) -> tuple[Any, ...]:
        return tuple([value if encode is None else encode(value) for encode, value in zip(encoders, key, strict=True)])

    return encode_key


def _refused(schema: Any, name: str, error: Exception) -> ValidationError:
    return ValidationError(f"{schema.name}.{name} can't be stored: {error}", field=name, model=schema.model)


def adapts_by_itself(adapter: Any) -> tuple[bool, bool]:
    """Whether an adapter overrides the way to the store, and the way back."""
    own = type(adapter)
    return (
        getattr(own, "model_to_storage", None) is not CompiledAdapter.model_to_storage,
        getattr(own, "storage_to_model", None) is not CompiledAdapter.storage_to_model,
    )
