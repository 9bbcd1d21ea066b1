"""From the values of a row to a key: by templates, or by methods of the model that were marked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mixstore.errors import ValidationError

if TYPE_CHECKING:
    from mixstore.templates import Template
    from mixstore.write import KeyValue

KeyMaker = Callable[[Mapping[str, Any]], "KeyValue | None"]
"""The key that python values make, or None if a part of it is missing; ValidationError for what can't make one."""


def by_templates(model: type[Any], where: str, templates: Sequence[Template]) -> KeyMaker:
    """Renders each template; `where` says in errors what the key is of."""

    def make(values: Mapping[str, Any]) -> KeyValue | None:
        try:
            rendered = [template.render(values) for template in templates]
        except ValueError as error:
            field = str(error).partition(" ")[0]
            raise ValidationError(f"{where}: {error}", field=field, model=model) from error
        return None if None in rendered else tuple(rendered)

    return make


def by_methods(model: type[Any], methods: Sequence[Callable[[Any], Any]], fields: Mapping[str, Any]) -> KeyMaker:
    """Calls each method on the values, as on an instance. One that asks for what is not given makes no key."""

    def make(values: Mapping[str, Any]) -> KeyValue | None:
        holder = object.__new__(model)
        object.__setattr__(holder, "__dict__", dict(values))
        object.__setattr__(holder, "__pydantic_extra__", None)
        object.__setattr__(holder, "__pydantic_private__", None)
        parts = []
        for method in methods:
            try:
                parts.append(method(holder))
            except Exception as error:
                if isinstance(error, AttributeError) and not fields.keys() <= values.keys():
                    return None
                raise ValidationError(
                    f"{model.__name__}.{method.__name__} raised {type(error).__name__}: {error}", model=model
                ) from error
        return None if None in parts else tuple([str(part) for part in parts])

    return make
