"""A model may redefine a field of a mixin: narrow its type, or allow None. Another type would break the mixin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mixstore import types
from mixstore.errors import SchemaError
from mixstore.mixin import mixins_of

if TYPE_CHECKING:
    from mixstore.schema import FieldSpec
    from mixstore.types import FieldType


def check_redefined(model: type[Any], fields: Mapping[str, FieldSpec]) -> None:
    """SchemaError for a field that holds, in this model, what a mixin of its bases does not expect in it."""
    for base in mixins_of(model):
        if base.__pydantic_generic_metadata__["parameters"] or not base.__pydantic_complete__:
            continue  # what it is, the parametrised mixin says; or names that are seen from the model alone
        for name, info in base.__pydantic_fields__.items():
            own = model.__pydantic_fields__.get(name)
            if own is None:
                raise SchemaError(f"{model.__name__} is {base.__name__}, and lacks its field {name!r}", model=model)
            if own.annotation == info.annotation:
                continue
            theirs = types.describe(types.annotated(info), f"{base.__name__}.{name}")
            if not narrows(fields[name].type, replace(theirs, nullable=True)):
                raise SchemaError(
                    f"{model.__name__}.{name} is {fields[name].type}, and {base.__name__} needs it to be {theirs}",
                    model=model,
                    hint=f"name the field something else; {base.__name__} brings its own",
                )


def narrows(one: FieldType, other: FieldType) -> bool:
    """Whether each value of the one type is a value of the other."""
    if one.nullable and not other.nullable:
        return False
    if other.kind == "any":
        return True
    if one.kind == "union":
        return all(narrows(member, other) for member in one.args)
    if other.kind == "union":
        return any(narrows(one, member) for member in other.args)
    if one.kind == "literal":
        return set(one.choices) <= set(other.choices) if other.kind == "literal" else one.stored == other.kind
    if other.kind == "literal" or (one.kind != other.kind and one.kind != "enum"):
        return False
    if not issubclass(one.python, other.python) or (one.variadic, len(one.args)) != (other.variadic, len(other.args)):
        return False
    return all(narrows(mine, theirs) for mine, theirs in zip(one.args, other.args, strict=True))
