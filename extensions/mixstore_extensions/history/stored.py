"""Revisions: how `History` keeps them, in a form that outlives the backend's own and the model's present fields."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from mixstore import Bound, ConfigurationError, CorruptRecordError, Field, Key, Model, jsonable

BYTES = "$bytes"


@dataclass(frozen=True, slots=True)
class Revision:
    """A row as one write left it. `number` counts from 1, without a gap; `by` is who acted, if that was said.

    `operation` is what was asked for: create, upsert, update or delete. `values` are python values by field; those of
    a row that the write removed (`deleted`) are the last that it had. `row` tells entity and key.
    """

    number: int
    at: datetime
    by: str | None
    operation: str
    values: dict[str, Any]
    deleted: bool = False
    row: str = field(default="", repr=False)


class StoredRevision(Model):
    """A revision in the store. `row` tells entity and key; what is `sealed` stands as the row itself had it."""

    class Meta:
        entity = "mixstore_revision"
        internal = True
        scan = "allow"
        key = Key(partition="MIXSTORE_REVISION#{row}", sort="NUMBER#{number:010d}")

    row: str = Field(index=True)
    number: int
    at: datetime
    by: str | None = None
    operation: str
    deleted: bool = False
    values: dict[str, Any]
    sealed: dict[str, Any]


def rows_of(entity: str) -> str:
    """What the `row` of each revision of an entity starts with."""
    return json.dumps([entity])[:-1] + ","


class Shelf:
    """Puts the rows of one model on one backend into revisions, and takes them out again.

    Values are kept as JSON of what they mean, so that they can be read when the store or the model has changed. What
    an extension allows no filter on (it is encrypted) is kept as it is stored, so that it is no less safe here. What
    follows from other fields is left out.
    """

    def __init__(self, bound: Bound) -> None:
        self.bound = bound
        self.keys = bound.schema.key_texts
        self.codecs = {name: jsonable(spec.type) for name, spec in bound.schema.fields.items()}
        self.secret = {name for name, treatment in bound.chain.opaque.items() if treatment == "refuse"}
        self.kept = [name for name in bound.schema.fields if name not in self.secret | bound.chain.derived.keys()]

    def row(self, key: tuple[Any, ...]) -> str:
        """Entity and key as text; different keys give different texts, whatever is in them."""
        return rows_of(self.bound.schema.entity) + self.keys.text(key)[1:]

    def keys_of(self, instance: Any) -> tuple[tuple[Any, ...], ...]:
        """The key of a row, if it has one."""
        key = self.bound.key_from(instance.__dict__)
        return () if key is None else (key,)

    def put(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """The `values` and `sealed` of a record as the store has it."""
        values = self.bound.decode(self.bound.plain_record(record))
        fields = self.bound.schema.fields
        sealed = {name: value for name, value in record.items() if name in self.secret or name not in fields}
        return {
            "values": {name: self._encoded(name, values[name]) for name in self.kept},
            "sealed": {name: _bare(value) for name, value in sealed.items()} if self.secret else {},
        }

    def take(self, stored: StoredRevision) -> Revision:
        """The revision, with the fields that the model has now; one that is newer than it has its default.

        CorruptRecordError for a value that does not decode.
        """
        values: dict[str, Any] = {}
        for name, spec in self.bound.schema.fields.items():
            if name in stored.values:
                values[name] = self._decoded(name, stored.values[name], stored.number, stored.row)
            elif name not in stored.sealed and spec.has_default:
                values[name] = spec.make_default()
        if stored.sealed:
            values.update(self._unsealed(values, stored))
        return Revision(stored.number, stored.at, stored.by, stored.operation, values, stored.deleted, stored.row)

    def _encoded(self, name: str, value: Any) -> Any:
        encode = self.codecs[name].encode
        return value if encode is None or value is None else encode(value)

    def some(self, found: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
        """The python values of these fields, as far as a revision, given as a dict, has them."""
        there = found["values"]
        return {
            name: self._decoded(name, there[name], found["number"], found["row"]) for name in names if name in there
        }

    def _decoded(self, name: str, value: Any, number: int, row: str) -> Any:
        decode = self.codecs[name].decode
        try:
            return value if decode is None or value is None else decode(value)
        except Exception as error:
            raise CorruptRecordError(
                f"{self.bound.schema.name}.{name} of revision {number} does not decode: {error}",
                field=name,
                model=self.bound.model,
                key=row,
            ) from error

    def _unsealed(self, values: Mapping[str, Any], stored: StoredRevision) -> dict[str, Any]:
        """What is sealed, opened by the extensions that sealed it."""
        bound = self.bound
        names = [name for name in stored.sealed if name in bound.schema.fields]
        for name in names:
            if name not in self.secret:
                raise ConfigurationError(
                    f"{bound.schema.name}.{name} of revision {stored.number} was sealed by an extension that is not "
                    "active now",
                    model=bound.model,
                )
        blank = {**dict.fromkeys(bound.schema.fields), **values}
        record = bound.encode(bound.construct(blank, (bound, None, None, None)))
        for _, serialize in bound.chain.serialize:
            record = serialize(dict(record))
        record = {**record, **{name: _dressed(value) for name, value in stored.sealed.items()}}
        opened = bound.decode(bound.plain_record(record))
        return {name: opened[name] for name in names}


def _bare(value: Any) -> Any:
    return {BYTES: base64.b64encode(value).decode()} if isinstance(value, bytes) else value


def _dressed(value: Any) -> Any:
    return base64.b64decode(value[BYTES]) if isinstance(value, dict) and value.keys() == {BYTES} else value
