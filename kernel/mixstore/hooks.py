"""Model hooks: methods that the lifecycle runs around the writes and after the reads of their model.

    class User(Model):
        @before_save
        def normalise(self) -> None:
            self.email = self.email.lower()

A hook takes nothing, or the `WriteContext` (`after_load`: nothing). Hooks add up along the bases, parents first: one
in a subclass never drops its parent's, even under the same name. They run once per row on every path.
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
            raise SchemaError(f"@{event} makes a hook of a plain method, not of a {type(function).__name__}")
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
        for name, member in vars(base).items():
            if inspect.isfunction(member):
                for event in getattr(member, _MARK, ()):
                    found[event].append(_checked(model, name, event, member))
                continue
            if getattr(_wrapped(member), _MARK, ()):
                raise SchemaError(f"{model.__name__}.{name}: a hook is a plain method, not a {type(member).__name__}")
    return {event: tuple(functions) for event, functions in found.items()}


def _wrapped(member: Any) -> Any:
    """The function in a member that is no plain method. Nothing else is looked into: in a class whose annotations are
    incomplete are members of pydantic's that rebuild it when they are asked for an attribute.
    """
    if isinstance(member, property):
        return member.fget
    return member.__func__ if isinstance(member, (classmethod, staticmethod)) else None


def _checked(model: type, name: str, event: str, function: Callable[..., Any]) -> Hook:
    where = f"{model.__name__}.{name}"
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise SchemaError(f"{where}: a hook can't be async", hint="hooks run inside one write; start tasks elsewhere")
    takes = 1 if event == "after_load" else len(inspect.signature(function).parameters)
    if takes not in (1, 2) or not _accepts(function, takes):
        told = "(self)" if event == "after_load" else "(self) or (self, context)"
        raise SchemaError(f"{where}: an @{event} hook takes {told}")
    return _named(function if takes == 2 else lambda instance, context: function(instance), function)


def _accepts(function: Callable[..., Any], count: int) -> bool:
    try:
        inspect.signature(function).bind(*range(count))
    except TypeError:
        return False
    return True


def _named(hook: Hook, function: Callable[..., Any]) -> Hook:
    if hook is not function:
        hook.__name__, hook.__qualname__ = function.__name__, function.__qualname__
    return hook
