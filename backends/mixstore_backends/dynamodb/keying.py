"""Where a row lives: from a key as the kernel has it to the key attributes of an item.

In a single table, a key is two texts. A model with a `Key(...)` or key methods says them itself; the key of one field
becomes `ENTITY#value` and `METADATA`, that of several `ENTITY#first` and `SECOND#second#third`. In a table of its own,
a key of one or two fields is those fields, in DynamoDB's own types.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mixstore.errors import SchemaError, ValidationError
from mixstore.keyranges import KeyShape
from mixstore.templates import Template
from mixstore_backends.dynamodb.heads import Heads, head_of
from mixstore_backends.dynamodb.values import field_codec, form_of
from mixstore_backends.dynamodb.wire import MARKS, Wire, to_wire

if TYPE_CHECKING:
    from mixstore.schema import ModelSchema
    from mixstore.write import KeyValue

METADATA = "METADATA"
"""The sort key of a row that is alone in its partition."""
MOST_BYTES = (2048, 1024)
"""How long a partition key and a sort key can be."""

_UNSAFE = re.compile(r"[^\w.-]+")


def prefix_of(name: str) -> str:
    """The head of a key: the name in upper case, without what would be part of a template or could end it."""
    return _UNSAFE.sub(lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode()), name.upper())


class Keying:
    """The key of one model. `attributes` are its names, `types` S, N or B.

    `shape` is what planners ask about texts that templates make, None for other keys. `constant` is the sort text of
    all rows, if it is the same for all.
    """

    attributes: tuple[str, ...]
    types: tuple[str, ...]
    shape: KeyShape | None = None
    constant: str | None = None
    as_it_is: bool = False
    """Whether a part that is a `str` is a key attribute as it is."""
    heads: Heads = ()
    """How partition text and sort text begin; empty for keys that no templates make."""
    head: str = ""
    """What all partition keys of the model start with, and of no other model."""

    def __init__(self, schema: ModelSchema) -> None:
        self.schema = schema

    @cached_property
    def identity(self) -> Callable[[Any], Any]:
        """What tells items (or their keys) apart: the values of their key attributes."""
        return identity_of(self.attributes, self.types)

    def parts(self, key: KeyValue) -> tuple[Any, ...]:
        """The values of the key attributes. ValueError for a key that no row can have."""
        raise NotImplementedError

    @cached_property
    def _quickly(self) -> Callable[[KeyValue], dict[str, Wire] | None]:
        """The key attributes of a key that is plainly right, which most are; None for one that has to be looked at."""
        return _text_pair(self.attributes) if self.types == ("S", "S") else lambda key: None

    def wire(self, key: KeyValue) -> dict[str, Wire]:
        """The key attributes of an item; ValidationError for a key that DynamoDB can't hold."""
        try:
            return (self.as_it_is and self._quickly(key)) or self._checked(self.parts(key))
        except ValueError as error:
            raise ValidationError(
                f"{self.schema.name}: this can't be a key: {error}",
                field=self.schema.key_fields[0] if self.schema.key_fields else None,
                model=self.schema.model,
                key=self.schema.key_as_told(key),
            ) from error

    def find(self, key: KeyValue) -> dict[str, Wire] | None:
        """As `wire`; None for a key that no row can have."""
        try:
            return (self.as_it_is and self._quickly(key)) or self._checked(self.parts(key))
        except ValueError:
            return None

    def _checked(self, parts: tuple[Any, ...]) -> dict[str, Wire]:
        made: dict[str, Wire] = {}
        for name, mark, part, most in zip(self.attributes, self.types, parts, MOST_BYTES, strict=False):
            if mark == "S" and part.isascii() and 0 < len(part) <= most:
                made[name] = {"S": part}
            elif mark != "N":
                size = _size(part)
                if not size:
                    raise ValueError(f"{name} would be empty")
                if size > most:
                    raise ValueError(f"{name} would take {size} bytes, and {most} is the most")
                made[name] = {mark: part}
            else:
                made[name] = to_wire(part)
        return made


def _size(part: Any) -> int:
    try:
        return len(part) if isinstance(part, bytes) or part.isascii() else len(part.encode())
    except UnicodeEncodeError:
        raise ValueError("a lone surrogate is no character, and can't be stored") from None


class RenderedKeying(Keying):
    """A key that the model itself renders; a constant stands in for a sort key that it has not."""

    def __init__(self, schema: ModelSchema, attributes: tuple[str, str], constant: str | None) -> None:
        super().__init__(schema)
        whole = len(schema.hidden_key) == 2
        self.constant = None if whole else constant
        self.attributes = attributes if whole or constant is not None else attributes[:1]
        self.types = ("S",) * len(self.attributes)
        self.shape = schema.key_shape
        self.as_it_is = self.constant is None
        if schema.template is not None:
            sort = schema.template.sort or constant
            self.heads = (head_of(schema.template.partition), *([] if sort is None else [head_of(sort)]))

    def parts(self, key: KeyValue) -> tuple[Any, ...]:
        return key if self.constant is None else (*key, self.constant)


class FieldKeying(Keying):
    """Text made of key fields, in a table of many entities."""

    def __init__(self, schema: ModelSchema, entity: str, attributes: tuple[str, str]) -> None:
        super().__init__(schema)
        self.attributes = attributes
        self.types = ("S", "S")
        first, *rest = schema.key_fields
        self.head = f"{prefix_of(entity)}#"
        self.binary = [name for name in schema.key_fields if form_of(schema.fields[name].type) == "bytes"]
        sort = f"{prefix_of(rest[0])}#{'#'.join(f'{{{name}}}' for name in rest)}" if rest else None
        templates = [Template(f"{self.head}{{{first}}}"), *([] if sort is None else [Template(sort)])]
        if not self.binary:
            types = {name: spec.type for name, spec in schema.fields.items()}
            self.shape = KeyShape(templates[0], templates[1] if rest else None, types)
        self.constant = None if rest else METADATA
        self.heads = (head_of(templates[0]), head_of(templates[1] if rest else METADATA))
        self._templates = templates
        self._names = schema.key_fields

    def parts(self, key: KeyValue) -> tuple[Any, ...]:
        values: dict[str, Any] = dict(zip(self._names, key, strict=True))
        for name in self.binary:  # templates know no bytes; hexadecimal digits sort as they do
            values[name] = values[name].hex()
        made = tuple([template.render(values) for template in self._templates])
        return made if self.constant is None else (*made, self.constant)


class NativeKeying(Keying):
    """Key fields that are the key attributes themselves, in a table of one entity."""

    def __init__(self, schema: ModelSchema) -> None:
        super().__init__(schema)
        self.attributes = schema.key_fields
        forms = [form_of(schema.fields[name].type) for name in schema.key_fields]
        if len(forms) > 2 or not {MARKS.get(form) for form in forms} <= {"S", "N", "B"}:
            raise SchemaError(
                f"{schema.name} on DynamoDB: a key of its own table is one or two fields of text, numbers or bytes",
                model=schema.model,
                hint="use Meta.key = Key(...), or an adapter for a single table",
            )
        self.types = tuple([MARKS[form] for form in forms])
        self.as_it_is = all(schema.fields[name].type.kind == "str" for name in schema.key_fields)
        self._encoders = [field_codec(schema.fields[name].type).encode for name in schema.key_fields]

    def parts(self, key: KeyValue) -> tuple[Any, ...]:
        return tuple(
            [part if encode is None else encode(part) for encode, part in zip(self._encoders, key, strict=True)]
        )


def _text_pair(attributes: Sequence[str]) -> Callable[[KeyValue], dict[str, Wire] | None]:
    first_name, second_name = attributes
    most, most_second = MOST_BYTES

    def pair(key: KeyValue) -> dict[str, Wire] | None:
        first, second = key
        if type(first) is not str or type(second) is not str or not (first.isascii() and second.isascii()):
            return None
        if not (0 < len(first) <= most and 0 < len(second) <= most_second):
            return None
        return {first_name: {"S": first}, second_name: {"S": second}}

    return pair


def identity_of(attributes: Sequence[str], types: Sequence[str]) -> Callable[[Any], Any]:
    """item -> what tells it apart. Numbers are compared as such, since they may be written in several ways."""
    pairs = list(zip(attributes, types, strict=True))
    if "N" in types:
        return lambda item: tuple(
            [Decimal(item[name][mark]) if mark == "N" else item[name][mark] for name, mark in pairs]
        )
    if len(pairs) == 1:
        ((name, mark),) = pairs
        return lambda item: item[name][mark]
    (first, one), (second, other) = pairs
    return lambda item: (item[first][one], item[second][other])


def keying_of(schema: ModelSchema, entity: str, attributes: tuple[str, str], single: bool) -> Keying:
    """How the keys of a model are made."""
    if schema.hidden_key:
        return RenderedKeying(schema, attributes, METADATA if single else None)
    return FieldKeying(schema, entity, attributes) if single else NativeKeying(schema)


def key_of_item(keying: Keying, item: Mapping[str, Wire]) -> dict[str, Wire]:
    """The key attributes of an item that was read."""
    return {name: item[name] for name in keying.attributes}
