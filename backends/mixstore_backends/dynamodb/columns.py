"""Items of one model: straight-line functions from a record to an item, and from an item to a record or to values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from mixstore.adapter import decode_one, straight_line
from mixstore.envelopes import Envelope
from mixstore.errors import ValidationError
from mixstore_backends.dynamodb.values import is_plain, read_decimal
from mixstore_backends.dynamodb.wire import MARKS, NULL, Wire, from_wire, raw, to_wire, whole

if TYPE_CHECKING:
    from mixstore.codecs import Codec
    from mixstore.schema import FieldSpec, ModelSchema

Item = dict[str, Wire]


class Column:
    """One field as an attribute.

    `form` is what it holds ("json" for anything), `nullable` whether None is a value of it. None is left out of the
    item, unless a row without the attribute has another default (`keeps_null`).
    """

    __slots__ = ("codec", "exact", "form", "keeps_null", "name", "nullable", "opaque", "plain")

    def __init__(self, spec: FieldSpec, form: str, codec: Codec, opaque: bool) -> None:
        self.name = spec.name
        self.form = "json" if opaque else form
        self.codec = codec
        self.opaque = opaque
        self.nullable = opaque or spec.type.nullable or form == "json"
        self.keeps_null = spec.has_default and (spec.default is not None or spec.default_factory is not None)
        self.plain = not opaque and is_plain(spec.type)
        self.exact = not opaque and spec.type.kind == "decimal" and spec.type.python is Decimal

    def wire(self, value: Any) -> Wire | None:
        """A record's value as an attribute; None if it is left out.

        ValueError for bytes that would be taken for what an extension stored.
        """
        if value is None:
            return NULL if self.keeps_null else None
        if self.form == "bytes" and Envelope.read(value) is not None:
            raise ValueError("bytes that begin as the values of extensions do can't be told from those")
        mark = MARKS.get(self.form)
        if mark is None or type(value) not in _HELD[mark]:
            return to_wire(value)
        return {mark: str(value) if mark == "N" else value}

    @property
    def written(self) -> tuple[str, Callable[[Any], Any] | None]:
        """The python text that makes an attribute of a record `d`, or reads what a function makes it of.

        None is for one that is left out. A value of another type than the form's is a KeyError.
        """
        place = f"d[{self.name!r}]"
        mark = MARKS.get(self.form)
        kind = _INLINE.get(self.form)
        if mark is None or kind is None:
            return place, self.wire
        held = {"int": "str(v)", "float": "repr(v)", "decimal": "str(v)"}.get(self.form, "v")
        absent = NULL if self.keeps_null else None
        made = f"{{{mark!r}: {held}}} if type(v := {place}) is {kind} else"
        return f"{made} {absent!r} if v is None else d[()]", None

    @property
    def source(self) -> tuple[str, Callable[[Any], Any] | None]:
        """The python text that reads a record's value out of an item `d`, and what is left to do with it."""
        found = f"d[{self.name!r}]" if self.keeps_null or not self.nullable else f"d.get({self.name!r})"
        if self.form == "json":
            return found, _value if self.opaque else _json_value
        mark = MARKS[self.form]
        if self.nullable:
            found, guard = "w", f"None if (w := {found}) is None or 'NULL' in w else "
        else:
            guard = ""
        read = f"{found}[{mark!r}]"
        inline = {"int": f"int({read})", "float": f"float({read})"}.get(self.form, read)
        return f"{guard}{inline}", _REST.get(self.form)

    def patiently(self, item: Mapping[str, Wire]) -> Any:
        """A record's value, whatever the attribute holds."""
        found = item[self.name]
        if "N" in found and self.form in ("int", "decimal", "float"):
            return _NUMBERS[self.form](found["N"])
        value = from_wire(found)
        return Envelope.read(value) or value if self.form == "bytes" else value


_INLINE = {"text": "str", "int": "int", "float": "float", "bool": "bool", "decimal": "Decimal"}
"""form -> the type of its values in a record, which needs no look."""
_NUMBERS: dict[str, Callable[[Any], Any]] = {"int": whole, "decimal": Decimal, "float": float}
_HELD: dict[str, tuple[type, ...]] = {"S": (str,), "N": (int, float, Decimal), "BOOL": (bool,), "B": (bytes,)}


def _value(found: Wire) -> Any:
    return from_wire(found)


def _json_value(found: Wire) -> Any:
    """ValueError for bytes, which no JSON value is: an extension that is not active stored them."""
    if "B" in found:
        raise ValueError("bytes are no JSON value")
    return from_wire(found)


def _own_bytes(found: Any) -> bytes:
    """ValueError for what an extension stored that is not active."""
    value = raw(found)
    if Envelope.read(value) is not None:
        raise ValueError("an extension stored it")
    return value


_REST: dict[str, Callable[[Any], Any]] = {"decimal": Decimal, "bytes": _own_bytes}


class Shaper:
    """The functions of one table. `hidden` maps the attributes of a record's rendered key to those of the item."""

    def __init__(self, schema: ModelSchema, columns: Mapping[str, Column], hidden: Mapping[str, str]) -> None:
        self.schema = schema
        self.columns = columns
        self.hidden = hidden
        self._attributes = self._attributes_maker()

    def item(self, record: Mapping[str, Any], left_out: frozenset[str]) -> Item:
        """The attributes of a record, but for its key. ValidationError names one that can't be stored."""
        made: Item = self._attributes(record)
        if None in made.values():
            made = {name: found for name, found in made.items() if found is not None}
        if len(record) != len(self.columns):
            for name in record.keys() - self.columns.keys() - left_out:
                found = self.attribute(name, record[name])
                if found is not None:
                    made[name] = found
        return made

    def _attributes_maker(self) -> Callable[[Mapping[str, Any]], Any]:
        """record -> attributes of its fields, None for one that is left out."""
        columns = self.columns

        def patiently(record: Any, error: Exception) -> dict[str, Any]:
            return {name: self.attribute(name, record[name], columns[name]) for name in columns if name in record}

        written = {name: column.written for name, column in columns.items()}
        return straight_line(  # type: ignore[no-any-return]
            "item_of",
            {name: text for name, (text, _) in written.items()},
            {name: function for name, (_, function) in written.items()},
            patiently,
        )

    def attribute(self, name: str, value: Any, column: Column | None = None) -> Wire | None:
        """One attribute; ValidationError if it can't be stored."""
        try:
            return to_wire(value) if column is None else column.wire(value)
        except (ValueError, RecursionError) as error:
            raise ValidationError(
                f"{self.schema.name}.{name} can't be stored: {error}", field=name, model=self.schema.model
            ) from error

    def values_reader(self) -> Callable[[Any], dict[str, Any]]:
        """item -> python values; what does not decode is looked at again, so that the error can name it."""
        schema, to_record = self.schema, self.record_reader(frozenset())
        decoders = {name: column.codec.decode for name, column in self.columns.items()}

        def patiently(item: Any, error: Exception) -> dict[str, Any]:
            record = to_record(item)
            return {name: decode_one(schema, spec, record, decoders[name]) for name, spec in schema.fields.items()}

        sources, functions = {}, {}
        for name, column in self.columns.items():
            sources[name], first = column.source
            functions[name] = (
                read_decimal if column.exact else _after(first, None if column.plain else column.codec.decode)
            )
        return straight_line("decode_item", sources, functions, patiently)  # type: ignore[no-any-return]

    def record_reader(self, left_out: frozenset[str] | None) -> Callable[[Any], dict[str, Any]]:
        """item -> record; with `left_out`, all other attributes are part of it, as extensions added them."""
        columns, hidden = self.columns, self.hidden
        sources = {name: column.source for name, column in columns.items()}

        def patiently(item: Any, error: Exception) -> dict[str, Any]:
            record = {name: column.patiently(item) for name, column in columns.items() if name in item}
            lacking = [name for name, column in columns.items() if name not in item and not column.keeps_null]
            record.update(dict.fromkeys([name for name in lacking if columns[name].nullable]))
            return record

        quick = straight_line(
            "record_of",
            {name: text for name, (text, _) in sources.items()},
            {name: function for name, (_, function) in sources.items()},
            patiently,
        )
        if not hidden and left_out is None:
            return quick  # type: ignore[no-any-return]
        own = frozenset(columns)

        def full(item: Any) -> dict[str, Any]:
            record: dict[str, Any] = quick(item)
            for name, attribute in hidden.items():
                record[name] = item[attribute]["S"]
            if left_out is not None:
                for name in item.keys() - own - left_out:
                    record[name] = from_wire(item[name])
            return record

        return full


def _after(first: Any, then: Any) -> Any:
    if first is None or then is None:
        return then or first
    return lambda value: then(first(value))
