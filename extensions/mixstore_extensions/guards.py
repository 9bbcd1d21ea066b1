"""Guards: rows whose key is a value, and which tell whose it is, so that no two rows have it.

A guard is written and removed in the same atomic unit as its row: of all who want a value at once, one finds the guard
free. See decision 0009.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any, ClassVar, Literal
from uuid import uuid4

from mixstore import (
    BackendExtension,
    Bound,
    Capability,
    Field,
    Model,
    Q,
    SideWrite,
    WriteContext,
    evaluate,
    jsonable,
)

LONGEST = 1000
"""Values whose text has more characters are told by their SHA-256: the keys of engines are short."""


class UniqueGuard(Model):
    """`value` is entity, fields and values as JSON text; `owner` the key of the row that has them, as JSON text.

    `token` is another one each time that the guard is written; from `dies` on the guard is of no use to anybody.
    """

    class Meta:
        entity = "mixstore_unique"
        internal = True
        scan = "allow"

    value: str = Field(primary_key=True)
    owner: str
    token: str
    dies: datetime | None = None


class Guards(BackendExtension):
    """Writes, moves and removes the guards of a row; what `groups` gives decides of which fields."""

    requires: ClassVar[tuple[str | Capability, ...]] = (Capability.ATOMIC_WRITES, Capability.CONDITIONS)
    fidelity: ClassVar[Literal["native", "emulated"]] = "native"

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        groups = self.groups()
        fields = tuple(dict.fromkeys(name for names in groups for name in names if name in self.schema.fields))
        reads = dict.fromkeys(("upsert", "update", "delete"), fields) if groups else {}
        self.reads = reads  # type: ignore[misc]  # each model has its own

    def groups(self) -> tuple[tuple[str, ...], ...]:
        """The fields, one or several together, whose values no two rows share."""
        return ()

    def enforces(self, model_class: type[Any]) -> Iterable[tuple[str, ...]]:
        return self.groups()

    def side_models(self, model_class: type[Any]) -> Iterable[type[Any]]:
        return (UniqueGuard,)

    def write_beside(self, context: WriteContext, found: Sequence[Mapping[str, Any]]) -> Iterator[SideWrite]:
        assert context.key is not None
        owner = self.schema.key_texts.text(context.key)
        mine: Any = Q(owner=owner)
        before = {} if context.previous is None else self._held(context.previous)
        after = {} if context.operation == "delete" else self._held(context.final)
        for value in before:
            if value not in after:
                yield SideWrite("delete", UniqueGuard.model_construct(value=value), condition=mine)
        if not after:
            return
        dies = self._bound.death(context.final)
        if context.operation == "update" and context.previous and dies == self._bound.death(context.previous):
            after = {value: names for value, names in after.items() if value not in before}
        for value, names in after.items():
            guard = UniqueGuard(value=value, owner=owner, token=uuid4().hex, dies=dies)
            yield SideWrite("upsert", guard, condition=mine, contested=True, claims=", ".join(names), linked=True)

    def holder(self, claimed: Mapping[str, Any]) -> tuple[Any, ...]:
        return self.schema.key_texts.key(claimed["owner"])

    def claims(self, values: Mapping[str, Any]) -> Iterable[UniqueGuard]:
        return [UniqueGuard.model_construct(value=value) for value in self._held(values)]

    # -- guards of a row ----------------------------------------------------------------------------------------------

    @cached_property
    def _bound(self) -> Bound:
        return self.backend.bound(self.model)

    @cached_property
    def _codecs(self) -> Mapping[str, Any]:
        names = {name for group in self.groups() for name in group}
        return {name: jsonable(self.schema.fields[name].type) for name in names}

    def _text(self, names: Sequence[str], values: Sequence[Any]) -> list[Any]:
        """Values as JSON, equal where they are equal; bytes and moments have one text each."""
        pairs = zip(names, values, strict=True)
        encoded = [_converted(self._codecs[name].encode, value) for name, value in pairs]
        return [value + 0.0 if type(value) is float else value for value in encoded]  # -0.0 is 0.0

    def _held(self, values: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
        """{key of the guard: fields} of a row with these values; none if it frees them, or for a None among them."""
        freed = self._bound.chain.freed
        if freed is not None and evaluate(freed, values):
            return {}
        told = {names: [values.get(name) for name in names] for names in self.groups()}
        return {self._value(names, one): names for names, one in told.items() if None not in one}

    def _value(self, names: Sequence[str], values: Sequence[Any]) -> str:
        told = _json(self._text(names, values))
        if len(told) > LONGEST:
            told = _json({"sha256": hashlib.sha256(told.encode()).hexdigest()})
        return f"{_json([self.schema.entity, *names])[:-1]},{told}]"


def _converted(convert: Callable[[Any], Any] | None, value: Any) -> Any:
    return value if convert is None or value is None else convert(value)


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))
