"""Importing what an application names, with each way that it can fail told in one line."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from collections.abc import Iterator
from importlib.util import find_spec
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any, NamedTuple

from mixstore.errors import MixstoreError, nearest
from mixstore.model import Model

if TYPE_CHECKING:
    from mixstore.settings import Settings


class Mistake(NamedTuple):
    """Something to correct: the module, plugin, setting or model, and what is wrong with it."""

    where: str
    what: str


def path_of(model: type) -> str:
    """The name of a model as the config spells it."""
    return f"{model.__module__}.{model.__qualname__}"


def told(error: BaseException) -> str:
    """An error as one reads it: mixstore's own speak for themselves."""
    return str(error) if isinstance(error, MixstoreError) else f"{type(error).__name__}: {error}"


def search_here() -> None:
    """Let imports find what lies in the working folder, as `python -m` does."""
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())


def imported(name: str) -> Iterator[Mistake]:
    """Imports the module `name`; yields what prevented it."""
    if name.endswith(".py") or "/" in name or os.sep in name:
        dotted = name.removesuffix(".py").replace(os.sep, "/").strip("./").replace("/", ".")
        yield Mistake(name, f"name the module, not its file: {dotted}")
        return
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{name}.".startswith(f"{error.name}."):
            yield Mistake(name, f"there is no module {error.name!r} in the working folder, nor is one installed")
        else:
            yield Mistake(name, _failed(error))
    except (Exception, SystemExit) as error:
        yield Mistake(name, _failed(error))


def model_named(path: str, settings: Settings) -> Iterator[Mistake]:
    """Imports the module of a model that the config names; yields what is wrong with the name."""
    where = settings.where("models", path)
    module_name = module_of(path)
    if module_name is None:
        yield Mistake(where, "there is no such module in the working folder, nor is one installed")
        return
    try:
        found: Any = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:
        yield Mistake(where, f"{module_name} can't be imported: {_failed(error)}")
        return
    for name in path[len(module_name) + 1 :].split("."):
        members = vars(found)
        if name not in members:
            known = {known for known, value in members.items() if isinstance(value, type)}
            known.update(module.name for module in iter_modules(members.get("__path__") or ()))
            yield Mistake(where, f"{found.__name__} has no {name!r}, {nearest(name, known)}")
            return
        found = members[name]
        if not isinstance(found, type):
            break
    if not (isinstance(found, type) and issubclass(found, Model)):
        yield Mistake(where, "this is not a Model")
    elif path_of(found) != path:
        yield Mistake(where, f"the model is defined as {path_of(found)}: write that")


def module_of(path: str) -> str | None:
    """The longest part of a dotted path, its last name aside, that names a module."""
    parts = path.split(".")
    for length in range(len(parts) - 1, 0, -1):
        name = ".".join(parts[:length])
        try:
            if find_spec(name) is not None:
                return name
        except Exception:  # its parent is broken, or no package: the next round comes to that one
            continue
    return None


def _failed(error: BaseException) -> str:
    """What an import raised, and the line of the first module that was being imported then."""
    frames = traceback.extract_tb(error.__traceback__)
    line = next((one for one in frames if one.name == "<module>"), None)
    at = f"{os.path.basename(line.filename)}, line {line.lineno}: " if line is not None else ""
    return f"{at}{told(error)}"
