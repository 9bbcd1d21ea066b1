"""Keys made of several fields: templates as data, or marked methods.

`Key(partition="USER#{user_id}", sort="TODO#{created_at}#{todo_id}")` names where a row lives and in which
order the rows of one partition lie.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from mixstore.errors import SchemaError
from mixstore.templates import Template

if TYPE_CHECKING:
    from mixstore.types import FieldType

F = TypeVar("F", bound=Callable[..., Any])
_ROLE = "__mixstore_key__"


@dataclass(frozen=True, slots=True, init=False)
class Key:
    """A primary key of a partition and, optionally, a sort template."""

    partition: Template
    sort: Template | None

    def __init__(self, partition: str, sort: str | None = None) -> None:
        object.__setattr__(self, "partition", Template(partition))
        object.__setattr__(self, "sort", None if sort is None else Template(sort))
        if not self.fields:
            raise SchemaError(f"{self!r} uses no field, so that all rows would share one key")

    @property
    def fields(self) -> tuple[str, ...]:
        """The names of all fields used, each once: those of the partition first."""
        return tuple(dict.fromkeys(self.partition.fields + (self.sort.fields if self.sort else ())))

    def check(self, where: str, types: Mapping[str, FieldType]) -> None:
        """SchemaError for a field that is unknown or does not fit; see `Template.check`."""
        for template in (self.partition, self.sort):
            if template is not None:
                template.check(where, types)

    def __repr__(self) -> str:
        sort = f", sort={self.sort.source!r}" if self.sort else ""
        return f"Key(partition={self.partition.source!r}{sort})"


def partition_key(method: F) -> F:
    """Marks the instance method that computes a model's partition key."""
    return mark(method, "partition_key")


def sort_key(method: F) -> F:
    """Marks the instance method that computes a model's sort key; there must be a `@partition_key` too."""
    return mark(method, "sort_key")


def marked_keys(model: type) -> tuple[Callable[[Any], Any], ...]:
    """The methods that compute a model's key: none, the partition's, or the partition's and the sort's."""
    found = {role: name for (role, of), name in marked(model).items() if of is None}
    return tuple(getattr(model, name) for name in both(model, found, ""))


def both(model: type, found: Mapping[str, str], prefix: str, of: str = "") -> tuple[str, ...]:
    """The partition's method and the sort's, as far as there are; SchemaError for a sort without a partition."""
    if "sort_key" in found and "partition_key" not in found:
        raise SchemaError(
            f"{model.__name__} has a @{prefix}sort_key{of}, but no @{prefix}partition_key{of}", model=model
        )
    return tuple(found[role] for role in ("partition_key", "sort_key") if role in found)


def marked(model: type) -> dict[tuple[str, str | None], str]:
    """The names of marked methods by (role, name of the index, or None for the key).

    The nearest class of the MRO that marks one decides; an override of a marked method needs no mark itself.
    """
    found: dict[tuple[str, str | None], str] = {}
    for base in model.__mro__:
        own = [(role, name) for name, value in vars(base).items() for role in _attributes(value).get(_ROLE, ())]
        if len(own) != len(dict(own)):
            twice = next(role for role, _ in own if [one for one, _ in own].count(role) > 1)
            names = ", ".join(sorted(name for role, name in own if role == twice))
            what = "key" if twice[1] is None else f"key of the index {twice[1]!r}"
            raise SchemaError(f"{base.__name__} marks two methods for one {what}: {names}", model=model)
        found = {**dict(own), **found}
    return found


def mark(method: F, role: str, index: str | None = None) -> F:
    """Notes on a method what it computes; SchemaError if it can't be called for that."""
    told = f"@{role}" if index is None else f"@gsi_{role}({index!r})"
    if not inspect.isfunction(method):
        raise SchemaError(f"{told} marks a plain instance method, not a {type(method).__name__}")
    if inspect.iscoroutinefunction(method):
        raise SchemaError(f"{told}: {method.__qualname__} is async, but a key is computed, not awaited")
    parameters = inspect.signature(method).parameters.values()
    if sum(p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in parameters) != 1:
        raise SchemaError(f"{told}: {method.__qualname__} must take `self` and nothing else")
    roles = vars(method).get(_ROLE, ())
    setattr(method, _ROLE, (*roles, (role, index)))
    return method


def _attributes(value: Any) -> Mapping[str, Any]:
    return vars(value) if inspect.isfunction(value) else {}
