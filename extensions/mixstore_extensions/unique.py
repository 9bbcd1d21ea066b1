"""Unique values by guards: `Field(unique=True)` where the engine has no unique index, and `Unique` for several fields.

A guard is a row whose key is a value, and which tells whose it is. It is written and removed in the same atomic unit
as the row, so that of all who want a value at once, one finds the guard free. See decision 0009.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import uuid4

from mixstore import (
    BackendExtension,
    Bound,
    Capability,
    Declaration,
    Field,
    Mixin,
    Model,
    Q,
    SchemaError,
    SideWrite,
    WriteContext,
    evaluate,
    jsonable,
)
from mixstore.errors import nearest

if TYPE_CHECKING:
    from mixstore import ModelSchema

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

    requires = (Capability.ATOMIC_WRITES, Capability.CONDITIONS)

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
        owner = self._owner(context.key)
        mine: Any = Q(owner=owner)
        before = {} if context.previous is None else self._held(context.previous)
        after = {} if context.operation == "delete" else self._held(context.final)
        for value in before:
            if value not in after:
                yield SideWrite("delete", UniqueGuard.model_construct(value=value), condition=mine)
        if not after:
            return
        dies = self._bound.chain.death(context.final)
        if context.operation == "update" and context.previous and dies == self._bound.chain.death(context.previous):
            after = {value: names for value, names in after.items() if value not in before}
        for value, names in after.items():
            guard = UniqueGuard(value=value, owner=owner, token=uuid4().hex, dies=dies)
            yield SideWrite("upsert", guard, condition=mine, claims=", ".join(names), linked=True)

    def holder(self, claimed: Mapping[str, Any]) -> tuple[Any, ...]:
        pairs = zip(self.schema.key_names, json.loads(claimed["owner"]), strict=True)
        return tuple([_converted(self._codec(name).decode, part) for name, part in pairs])

    def claims(self, values: Mapping[str, Any]) -> Iterable[UniqueGuard]:
        return [UniqueGuard.model_construct(value=value) for value in self._held(values)]

    # -- guards of a row ----------------------------------------------------------------------------------------------

    @cached_property
    def _bound(self) -> Bound:
        return self.backend.bound(self.model)

    @cached_property
    def _codecs(self) -> Mapping[str, Any]:
        names = {name for group in self.groups() for name in group} | set(self.schema.key_fields)
        return {name: jsonable(self.schema.fields[name].type) for name in names}

    def _codec(self, name: str) -> Any:
        return self._codecs.get(name, TEXT)  # a part of a rendered key is text

    def _text(self, names: Sequence[str], values: Sequence[Any]) -> list[Any]:
        """Values as JSON, equal where they are equal; bytes and moments have one text each."""
        pairs = zip(names, values, strict=True)
        encoded = [_converted(self._codec(name).encode, value) for name, value in pairs]
        return [value + 0.0 if type(value) is float else value for value in encoded]  # -0.0 is 0.0

    def _owner(self, key: Sequence[Any]) -> str:
        return _json(self._text(self.schema.key_names, key))

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
            told = _json({"sha256": hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()})
        return f"{_json([self.schema.entity, *names])[:-1]},{told}]"


class UniqueFields(Guards):
    """`Field(unique=True)` on a backend that has no unique index."""

    name = "unique"
    activates_on = frozenset({"unique"})
    unless = (Capability.UNIQUE,)

    def groups(self) -> tuple[tuple[str, ...], ...]:
        return tuple((name,) for name in self.schema.unique)


class Unique(Mixin):
    """No two rows share the values of several fields together.

        class Meta:
            unique_together = [("tenant", "email")]

    A row in which one of them is None shares nothing. `DuplicateKeyError.field` is "tenant, email".
    """

    # required: who relies on it must not find two rows one day
    Declares = Declaration(required=True, meta={"unique_together": (list, tuple)})

    class Together(Guards):
        """By guards on every backend: the engines' own indexes of several columns do not see that a row is dead."""

        name = "unique_together"

        def groups(self) -> tuple[tuple[str, ...], ...]:
            return tuple(tuple(names) for names in self.schema.meta.get("unique_together", ()))

        def configure_backend(self, model_class: type[Any]) -> None:
            if not self.groups():
                hint = 'class Meta: unique_together = [("tenant", "email")]'
                raise SchemaError(f"{self.schema.name} is Unique in nothing", model=model_class, hint=hint)
            _check_plain(self.schema, self.groups())

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        own = vars(cls).get("Meta")
        told = next((meta for base in cls.__mro__ if hasattr(meta := vars(base).get("Meta"), "unique_together")), None)
        if told is not None and not getattr(own, "abstract", False):
            _check_groups(cls, told.unique_together)


def _check_groups(model: type[Any], groups: Any) -> None:
    """At the class statement: `[("a", "b"), ...]`, of known and distinct fields, each group once."""
    where = f"{model.__name__}.Meta.unique_together"
    if not isinstance(groups, (list, tuple)):
        return  # the kernel says what it must be
    fields, seen = model.__pydantic_fields__, set[frozenset[str]]()
    for group in groups:
        if not isinstance(group, (list, tuple)) or len(group) < 2:
            raise SchemaError(
                f"{where} holds {group!r}, which is no tuple of two fields or more",
                model=model,
                hint='unique_together = [("tenant", "email")]; one field by itself is Field(unique=True)',
            )
        for name in group:
            if name not in fields:
                raise SchemaError(f"{where} names no field: {name!r}", model=model, hint=nearest(str(name), fields))
        if len(set(group)) < len(group) or frozenset(group) in seen:
            raise SchemaError(f"{where}: {tuple(group)!r} says something twice", model=model)
        seen.add(frozenset(group))


def _check_plain(schema: ModelSchema, groups: Iterable[Sequence[str]]) -> None:
    for name in (name for names in groups for name in names):
        if not schema.fields[name].type.orderable:
            raise SchemaError(
                f"{schema.name}.{name}: unique_together needs plain values of one kind, not {schema.fields[name].type}",
                model=schema.model,
            )


class _Text(NamedTuple):
    encode: None = None
    decode: None = None


TEXT = _Text()


def _converted(convert: Callable[[Any], Any] | None, value: Any) -> Any:
    return value if convert is None or value is None else convert(value)


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


__all__ = ["Guards", "Unique", "UniqueFields", "UniqueGuard"]
