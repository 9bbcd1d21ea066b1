"""Rows that were stored before an index was declared get the attributes that put them into it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mixstore.backend import Told, silent
from mixstore.errors import ValidationError
from mixstore.expressions import TRUE
from mixstore.planned import Plan
from mixstore.query import Query
from mixstore_backends.dynamodb.errors import ConditionFailedError
from mixstore_backends.dynamodb.placeholders import Placeholders
from mixstore_backends.dynamodb.queries import Find, select
from mixstore_backends.dynamodb.reading import read_keys

if TYPE_CHECKING:
    from mixstore_backends.dynamodb.layout import Table
    from mixstore_backends.dynamodb.transport import Steps, Transport

ATTEMPTS = 20


class Reindex(Plan):
    """Look at every row of a model; how many were not in an index as they should be.

    ValidationError, when all others are right, if there are rows that an index can't hold: a query by it would not
    find them.
    """

    __slots__ = ("table", "told", "unfit")

    def __init__(self, table: Table, told: Told = silent) -> None:
        self.table = table
        self.told = told
        self.unfit: dict[Any, ValidationError] = {}

    def steps(self, transport: Transport) -> Steps[int]:
        changed = seen = 0
        self.unfit.clear()
        more: Find | None = select(self.table, Query(self.table.bound.model, TRUE), True)
        while more is not None:
            rows, more = yield from more.steps(transport)  # type: ignore[assignment]
            for row in rows:
                changed += yield from self._put_right(transport, row)
            seen += len(rows)
            self.told("looking at rows", seen, None)
        if self.unfit:
            raise self._unfit(*next(iter(self.unfit.items())))
        return changed

    def _look_at(self, values: dict[str, Any]) -> None:
        """Note a row that an index can't hold; one of methods is no way to find rows, so that it may lack some."""
        key = self.table.bound.key_from(values)
        self.unfit.pop(key, None)  # it may have changed since it was looked at
        for index in self.table.indexes.values():
            try:
                if index.spec.shape is not None:
                    index.spec.key_from(values)
            except ValidationError as error:
                self.unfit[key] = error

    def _unfit(self, key: Any, error: ValidationError) -> ValidationError:
        schema = self.table.schema
        others = f", nor of {len(self.unfit) - 1} others" if len(self.unfit) > 1 else ""
        return ValidationError(
            f"{schema.name}: an index can't hold the values of this row{others}, which queries by it would not find: "
            f"{error.message}",
            field=error.field,
            model=schema.model,
            key=schema.key_as_told(key),
            hint="change the rows, or the template of the index under another name, and reindex()",
        )

    def _put_right(self, transport: Transport, row: Any) -> Steps[bool]:
        """Whether the row had to be changed; one that somebody writes meanwhile is looked at again."""
        table = self.table
        key = {name: row[name] for name in table.key_attributes}
        for _ in range(ATTEMPTS):
            request = self._request(row)
            if request is None:
                return False
            try:
                yield from transport.call("update_item", table.name, request)
            except ConditionFailedError:
                (row,) = yield from read_keys(transport, table.name, table.keying, [key], True)
                if row is None:
                    return False
                continue
            return True
        return False

    def _request(self, row: Any) -> dict[str, Any] | None:
        """The update that gives the row its keys in the indexes; None if it has them."""
        table = self.table
        values = table.bound.values_from_row(row)
        self._look_at(values)
        right = table.index_items(values, lenient=True)
        names = [name for index in table.indexes.values() for name in index.own]
        wrong = [name for name in names if row.get(name) != right.get(name)]
        if not wrong:
            return None
        given = Placeholders()
        sets = [f"{given.name(name)} = {given.value(right[name])}" for name in wrong if name in right]
        removes = [given.name(name) for name in wrong if name not in right]
        parts = [f"SET {', '.join(sets)}"] if sets else []
        parts += [f"REMOVE {', '.join(removes)}"] if removes else []
        same = [f"attribute_exists({given.name(table.key_attributes[0])})"]
        for name in sorted(self._looked_at() - set(table.key_attributes)):
            place = given.name(name)
            same.append(f"{place} = {given.value(row[name])}" if name in row else f"attribute_not_exists({place})")
        request = {
            "TableName": table.name,
            "Key": {name: row[name] for name in table.key_attributes},
            "UpdateExpression": " ".join(parts),
            "ConditionExpression": " AND ".join(same),
        }
        return given.into(request)

    def _looked_at(self) -> set[str]:
        """The attributes that decide in which indexes a row is."""
        specs = [index.spec for index in self.table.indexes.values()]
        if any(spec.shape is None for spec in specs):
            return set(self.table.columns)
        return {name for spec in specs for name in spec.fields}
