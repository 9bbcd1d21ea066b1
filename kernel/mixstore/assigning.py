"""Several fields assigned at once: each is validated, and the model's own validators see them all together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from pydantic_core import SchemaValidator

if TYPE_CHECKING:
    from pydantic import BaseModel

Assign = Callable[[Any, str, Any], Any]
_AROUND = ("function-after", "function-before", "function-wrap")


def assign(instance: BaseModel, changes: Mapping[str, Any], fields_only: Assign | None) -> None:
    """Set the fields as `validate_assignment` does; pydantic's ValidationError for what does not fit.

    `fields_only` leaves the validators of the model out; with it they run once, when the last field is set, so that two
    fields which depend on each other can change together.
    """
    whole: Assign = type(instance).__pydantic_validator__.validate_assignment
    last = len(changes) - 1
    for position, (name, value) in enumerate(changes.items()):
        one = whole if fields_only is None or position == last else fields_only
        one(instance, name, value)


def fields_only(model: type[BaseModel]) -> Assign | None:
    """Validates the assignment of a field without the validators of the model; None where it has none."""
    schema: Any = model.__pydantic_core_schema__
    definitions: list[Any] = []
    around = False
    while schema["type"] != "model":
        if schema["type"] == "definitions":
            definitions = schema["definitions"]
        elif schema["type"] in _AROUND:
            around = True
        else:
            return None
        schema = schema["schema"]
    if not around:
        return None
    if definitions:
        schema = {"type": "definitions", "schema": schema, "definitions": definitions}
    return SchemaValidator(schema).validate_assignment
