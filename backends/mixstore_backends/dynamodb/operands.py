"""Operands of comparisons as attribute values, exactly; and the attributes that paths lead to."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from mixstore import codecs, comparing
from mixstore.comparing import comparable
from mixstore.scalars import microseconds
from mixstore.types import FieldType
from mixstore.unicode import text
from mixstore_backends.dynamodb.values import check_digits, field_codec, form_of
from mixstore_backends.dynamodb.wire import Wire, to_wire

if TYPE_CHECKING:
    from mixstore_backends.dynamodb.layout import Table

Path = tuple[str, ...]
UNKNOWN = object()
"""The default of a field of which rows need not have one."""

_EXACT_FLOAT = 2**53
_RANKS: dict[str, tuple[int, ...]] = {
    "str": (comparing.TEXT,),
    "url": (comparing.TEXT,),
    "uuid": (comparing.UUIDS,),
    "datetime": (comparing.DATETIME,),
    "date": (comparing.DATE,),
    "time": (comparing.TIME,),
    "timedelta": (comparing.TIMEDELTA,),
    "ip": (comparing.ADDRESS, comparing.NETWORK, comparing.INTERFACE),
    "bool": (comparing.BOOL,),
    "bytes": (comparing.BYTES,),
    **dict.fromkeys(("int", "float", "decimal"), (comparing.NUMBER,)),
    "any": (comparing.TEXT, comparing.BOOL, comparing.NUMBER),
}


class NotNativeError(Exception):
    """This can't be said exactly in an expression of DynamoDB, so it is done after it."""


class Source:
    """An attribute, or a place inside of one, that a comparison looks at.

    kind: what its values are, those of an enum or a literal being what it stores; "any" for values of several kinds,
    "json" for lists, maps and models. nested: whether it stands inside of a list or a map, where values are JSON.
    ordered: whether DynamoDB orders the stored values as they are ordered. default: what a row without it has.
    """

    __slots__ = ("default", "encode", "field_type", "kind", "nested", "ordered", "path")

    def __init__(self, path: Path, field_type: FieldType, nested: bool, default: Any = UNKNOWN) -> None:
        self.path = path
        self.field_type = field_type
        self.nested = nested
        self.default = default
        kind = field_type.stored if field_type.kind in ("enum", "literal") else field_type.kind
        self.kind = "any" if kind == "union" else kind if kind in _RANKS else "json"
        codec = codecs.jsonable(field_type) if nested else field_codec(field_type)
        self.encode: Callable[[Any], Any] = codec.encode or _same
        odd = nested and form_of(field_type) in ("decimal", "bytes", "float")
        self.ordered = self.kind not in ("ip", "bool", "any", "json") and not odd

    def stored(self, value: Any) -> Wire:
        """The attribute value that equals and sorts as a value that is not None.

        LookupError if no value here has the same rank, so that nothing is equal and nothing in order;
        NotNativeError if it can't be told exactly.
        """
        if self.kind == "json":
            raise NotNativeError(self.path)
        rank, form = comparable(value)
        if rank not in _RANKS[self.kind]:
            if self.kind == "any" and rank > comparing.TEXT:
                raise NotNativeError(self.path)
            raise LookupError(value)
        try:
            if rank == comparing.NUMBER:
                return self._number(form)
            if rank == comparing.TIMEDELTA:
                return {"N": str(microseconds(form))}
            return {"S": text(form)} if rank == comparing.TEXT else to_wire(self.encode(value))
        except (ValueError, TypeError, OverflowError) as error:
            raise NotNativeError(self.path) from error

    def _number(self, value: Any) -> Wire:
        """Any number as one that compares with the stored ones as the reference does.

        Floats are stored by their shortest digits, which sort as they do, but are not exactly what they are: so only
        a float can be compared with these, and only a whole number that is a float.
        """
        if self.nested and self.kind == "decimal":
            return {"S": codecs.decimal_text(Decimal(value))}
        if self.kind in ("float", "any"):
            if not isinstance(value, float) and float(value) != value:
                raise NotNativeError(self.path)
            if self.kind == "any" and abs(value) > _EXACT_FLOAT:
                raise NotNativeError(self.path)
            value = Decimal(repr(float(value)))
        exact = Decimal(value)
        if not exact.is_finite():
            raise NotNativeError(self.path)
        check_digits(exact)
        return {"N": codecs.decimal_text(exact)}

    @property
    def element(self) -> Source | None:
        """The elements of a collection of plain values, which `contains` can look for; None if there is no such."""
        described = self.field_type
        if described.kind not in ("list", "tuple", "set", "frozenset") or len(described.args) != 1:
            return None
        inside = Source(self.path, described.args[0], True)
        return None if inside.kind in ("any", "json") else inside

    @property
    def textual(self) -> bool:
        """Whether the stored text is the text that python sees."""
        return self.kind in ("str", "url")


def _same(value: Any) -> Any:
    return value


class Sources:
    """The sources of one table, each made once."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self._known: dict[Path, Source | None] = {}

    def at(self, path: Path) -> Source:
        """The source of a path. NotNativeError if there is none that can be looked into."""
        if path not in self._known:
            self._known[path] = self._find(path)
        found = self._known[path]
        if found is None:
            raise NotNativeError(path)
        return found

    def _find(self, path: Path) -> Source | None:
        spec = self.table.schema.fields.get(path[0])
        if spec is None or path[0] in self.table.bound.chain.opaque:
            return None
        if len(path) == 1:
            return Source(path, spec.type, False, self.table.default_of(spec))
        described: FieldType | None = spec.type
        for name in path[1:]:
            described = None if described is None else _inside(described, name)
        return None if described is None else Source(path, described, True)


def _inside(described: FieldType, name: str) -> FieldType | None:
    if described.kind == "model":
        return described.nested().get(name)
    if described.kind == "dict":
        return described.args[1]
    return described if described.kind == "any" else None
