"""Indexes that extensions declare: of one field, with keys that no template makes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

from mixstore.expressions import Compare, Expr
from mixstore.indexes import IndexSpec
from mixstore.keyranges import KeyCondition, KeyShape
from mixstore.templates import Template
from mixstore_backends.dynamodb.keying import prefix_of

if TYPE_CHECKING:
    from mixstore.schema import ModelSchema

Ranges = Callable[[Any], "Sequence[KeyCondition] | None"]
_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]")


class Computed(NamedTuple):
    """An index as an extension declares it: `DynamoDBBackend.add_index`."""

    name: str
    field: str
    key: Callable[[Any], tuple[str, str] | None]
    ranges: Mapping[str, Ranges]

    def spec(self, schema: ModelSchema, entity: str) -> IndexSpec:
        """The index of one model. Each has its own, so that one which is there has all rows of its model."""
        head = f"{prefix_of(entity)}#{self.name.upper()}#"

        def key_from(values: Mapping[str, Any]) -> tuple[str, str] | None:
            value = values[self.field]
            key = None if value is None else self.key(value)
            return None if key is None else (head + key[0], key[1])

        return IndexSpec(_name(self.name, entity), key_from, True, shape=_Shape(self, schema, head))


class _Shape(KeyShape):
    """What a planner asks such an index: only lookups of its field say where rows lie, and never in which order."""

    def __init__(self, index: Computed, schema: ModelSchema, head: str) -> None:
        super().__init__(Template(head), None, {})
        self._index = index
        self._head = head
        self.fields = (index.field,)
        self.nullable = self.fields if schema.fields[index.field].type.nullable else ()

    def conditions(self, terms: Iterable[Expr]) -> tuple[KeyCondition, ...]:
        found = [one for term in terms if (one := self._told(term)) is not None]
        best: Sequence[KeyCondition] = min(found, key=len, default=())
        return tuple([one._replace(partition=self._head + one.partition) for one in best])

    def _told(self, term: Expr) -> Sequence[KeyCondition] | None:
        if not isinstance(term, Compare) or term.path != self.fields or term.lookup not in self._index.ranges:
            return None
        return self._index.ranges[term.lookup](term.value)

    def narrows(self, condition: KeyCondition) -> bool:
        return True


def _name(name: str, entity: str) -> str:
    """`geo-Shop`; with a hash where the name of the entity is none for an index."""
    safe = _UNSAFE.sub("_", entity)[:200]
    return f"{name}-{safe}" if safe == entity else f"{name}-{safe}-{sha256(entity.encode()).hexdigest()[:8]}"
