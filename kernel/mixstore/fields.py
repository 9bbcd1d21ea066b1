"""`Field()`: pydantic's, with typed options that the kernel, mixins and extensions claim."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pydantic
from pydantic.fields import FieldInfo

from mixstore.errors import SchemaError
from mixstore.vectors import Vector

KERNEL_OPTIONS: Mapping[str, type] = {
    "primary_key": bool,
    "unique": bool,
    "index": bool,
    "searchable": bool,
    "vector": Vector,
}
"""The options that the kernel itself claims. On a backend that can't serve it, `unique` is refused when a model is
bound; `index`, `searchable` and `vector` are hints."""

PYDANTIC_PARAMETERS = frozenset(inspect.signature(pydantic.Field).parameters) - {"extra"}


class FieldOptions:
    """The options set on one field, as they lie in `FieldInfo.metadata`: only what was set."""

    __slots__ = ("values",)

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = dict(values)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FieldOptions) and self.values == other.values

    def __hash__(self) -> int:
        return hash(frozenset(self.values))

    def __repr__(self) -> str:
        return f"FieldOptions({', '.join(f'{name}={value!r}' for name, value in self.values.items())})"


def Field(
    default: Any = ...,
    *,
    default_factory: Callable[[], Any] | Callable[[dict[str, Any]], Any] | None = None,
    primary_key: bool | None = None,
    unique: bool | None = None,
    index: bool | None = None,
    searchable: bool | None = None,
    vector: Vector | None = None,
    **options: Any,
) -> Any:
    """A model field: everything that `pydantic.Field` takes, and the options of the store.

    Args:
        primary_key: the field is (part of) the primary key.
        unique: no two rows share a value; None is no value.
        index: equality and ranges on this field should not scan.
        searchable: the field takes part in full-text search.
        vector: the field holds vectors, whose nearest `similar()` finds.
        options: pydantic's arguments, or options that a mixin declares (`encrypted=True`). One that nobody
            claims is an error when the class is defined.
    """
    stored: dict[str, Any] = {
        name: value
        for name, value in (
            ("primary_key", primary_key),
            ("unique", unique),
            ("index", index),
            ("searchable", searchable),
            ("vector", vector),
        )
        if value is not None
    }
    pydantics = {name: options.pop(name) for name in list(options) if name in PYDANTIC_PARAMETERS}
    stored.update(options)
    if default_factory is not None:
        pydantics["default_factory"] = default_factory
    elif default is not ...:
        pydantics["default"] = default
    info: FieldInfo = pydantic.Field(**pydantics)
    if stored:
        info.metadata.append(FieldOptions(stored))
    if isinstance(vector, Vector):
        info.metadata.append(vector)  # by which pydantic checks values
    return info


def merged_options(where: str, metadata: Iterable[Any]) -> dict[str, Any]:
    """The options of one field from all its `FieldOptions`; two that disagree are a SchemaError."""
    merged: dict[str, Any] = {}
    for entry in metadata:
        if not isinstance(entry, FieldOptions):
            continue
        for name, value in entry.values.items():
            if name in merged and merged[name] != value:
                raise SchemaError(
                    f"{where}: option {name!r} is given twice, as {merged[name]!r} and as {value!r}",
                    hint="options of one field merge, so each needs one value",
                )
            merged[name] = value
    return merged
