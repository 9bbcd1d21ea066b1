"""What extensions and mixins declare rather than code, checked when the class is defined."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel

from mixstore.errors import SchemaError

_NEAR = 0.9
"""How much a name must be like one of these to be taken for a mistyped one; `names` is not `name`."""


def check_extension(cls: type, namespace: Mapping[str, Any]) -> None:
    """SchemaError for an attribute of an extension that can't be what it declares, or is nearly called like one."""
    for name, value in namespace.items():
        if name in _EXTENSION:
            wanted, fits = _EXTENSION[name]
            if not fits(value):
                raise SchemaError(f"{cls.__qualname__}.{name} must be {wanted}, not {value!r:.80}")
        elif not name.startswith("_"):
            _check_near(cls, name)


def check_mixin(cls: type, declares: Any) -> None:
    """SchemaError for a part of what a mixin `Declares` that can't be that."""
    for name, (wanted, fits) in _MIXIN.items():
        value = getattr(declares, name, None)
        if value is not None and not fits(value):
            raise SchemaError(f"{cls.__name__}.Declares.{name} must be {wanted}, not {value!r:.80}")


def _check_near(cls: type, name: str) -> None:
    import difflib  # slow to import

    close = difflib.get_close_matches(name, _EXTENSION, n=1, cutoff=_NEAR)
    if close:
        raise SchemaError(
            f"{cls.__qualname__}.{name} is nothing that an extension declares, did you mean {close[0]!r}?"
        )


def _text(value: Any) -> bool:
    return isinstance(value, str) and value.isprintable() and bool(value) and " " not in value


def _several(fits: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, (tuple, list)) and all(map(fits, value))


def _mapping(fits: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, Mapping) and all(map(_text, value)) and all(map(fits, value.values()))


def _capability(value: Any) -> bool:
    from mixstore.backend import Capability

    return isinstance(value, Capability)


def _checkable(value: Any) -> bool:
    """Whether `isinstance` takes it."""
    try:
        isinstance(None, value)
    except TypeError:
        return False
    return True


def _options(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, BaseModel)


_Rule = tuple[str, Callable[[Any], bool]]
_NAME: _Rule = ("a name without spaces", _text)
_NAMES: _Rule = ('a tuple of names of extensions, as ("ttl",)', _several(_text))

_EXTENSION: Mapping[str, _Rule] = {
    "name": ("a name without spaces, or None", lambda value: value is None or _text(value)),
    "backend_name": _NAME,
    "before": _NAMES,
    "after": _NAMES,
    "requires": (
        "a tuple of names of extensions and of Capability.X",
        _several(lambda value: _text(value) or _capability(value)),
    ),
    "unless": ("a tuple of Capability.X", _several(_capability)),
    "rewrites": ('a dict of operations, as {"delete": "update"}', _mapping(_text)),
    "reads": ('a dict of operations and tuples of fields, as {"upsert": ("email",)}', _mapping(_several(_text))),
    "unseen_deletes": ("True or False", lambda value: isinstance(value, bool)),
    "reveals": ("the name of a query option, or None", lambda value: value is None or _text(value)),
    "extends": ("a mixin, or None", lambda value: value is None or isinstance(value, type)),
    "activates_on": (
        'a set of options of fields, as frozenset({"unique"})',
        lambda value: isinstance(value, (set, frozenset)) and all(map(_text, value)),
    ),
    "fidelity": ('"native" or "emulated"', lambda value: value in ("native", "emulated")),
    "Options": ("a pydantic model, best a subclass of BackendExtension.Options", _options),
}
_TYPES: _Rule = ("a dict of names and what `isinstance` takes", _mapping(_checkable))
_MIXIN: Mapping[str, _Rule] = {
    "required": ("True or False", lambda value: isinstance(value, bool)),
    "arguments": ("a dict of names and functions", _mapping(callable)),
    "meta": _TYPES,
    "options": _TYPES,
}
