"""Model hooks: methods that the lifecycle runs around the writes and after the reads of their model.

    class User(Model):
        @before_save
        def normalise(self) -> None:
            self.email = self.email.lower()

A hook takes nothing, or the `WriteContext` (`after_load`: nothing). Hooks add up along the bases, parents first: one
in a
subclass never drops its parent's, even under the same name. They run once per row on every path.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from mixstore.errors import SchemaError

EVENTS = ("before_save", "after_save", "before_delete", "after_delete", "after_load")
_MARK = "__mixstore_hooks__"
_Function = TypeVar("_Function", bound=Callable[..., Any])
Hook = Callable[[Any, Any], None]


def _decorator(event: str, meaning: str) -> Callable[[_Function], _Function]:
    def mark(function: _Function) -> _Function:
        if not inspect.isfunction(function):
            raise SchemaError(f"@{event} belongs directly on a method, below @staticmethod or the like")
        setattr(function, _MARK, (*getattr(function, _MARK, ()), event))
        return function

    mark.__name__ = mark.__qualname__ = event
    mark.__doc__ = meaning
    return mark


before_save = _decorator("before_save", "Runs on the candidate before create, upsert, save and update; may change it.")
after_save = _decorator("after_save", "Runs after create, upsert, save and update have been stored.")
before_delete = _decorator("before_delete", "Runs before a row is deleted; an exception keeps the row.")
after_delete = _decorator("after_delete", "Runs after a row has been deleted.")
after_load = _decorator("after_load", "Runs once for every instance that a read returns.")


def collect(model: type) -> dict[str, tuple[Hook, ...]]:
    """All hooks of a class by event, parents first, each as a function of (instance, context)."""
    found: dict[str, list[Hook]] = {event: [] for event in EVENTS}
    for base in reversed(model.__mro__):
        for name, function in vars(base).items():
            for event in getattr(function, _MARK, ()) if inspect.isfunction(function) else ():
                found[event].append(_checked(model, name, event, function))
    return {event: tuple(functions) for event, functions in found.items()}


def _checked(model: type, name: str, event: str, function: Callable[..., Any]) -> Hook:
    where = f"{model.__name__}.{name}"
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise SchemaError(f"{where}: a hook can't be async", hint="hooks run inside one write; start tasks elsewhere")
    required = [
        parameter
        for parameter in inspect.signature(function).parameters.values()
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
    ]
    if len(required) == 2 and event != "after_load":
        return _named(function, function)
    if len(required) != 1:
        takes = "(self)" if event == "after_load" else "(self) or (self, context)"
        raise SchemaError(f"{where}: an @{event} hook takes {takes}")
    return _named(lambda instance, context: function(instance), function)


def _named(hook: Hook, function: Callable[..., Any]) -> Hook:
    if hook is not function:
        hook.__name__, hook.__qualname__ = function.__name__, function.__qualname__
    return hook
