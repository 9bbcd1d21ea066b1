"""Calls as values: they can be made, and written down as the source of a script that makes them again."""

from __future__ import annotations

import copy
import enum
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from types import NoneType
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from pydantic import BaseModel

from mixstore.errors import ConfigurationError
from mixstore.expressions import FALSE, TRUE, Expr, Q
from mixstore.testing.answers import Answers

Environment = dict[str, Any]


class Imports:
    """The names that a source needs, and their modules."""

    def __init__(self) -> None:
        self._names: dict[str, set[str]] = {}
        self._modules: set[str] = set()

    def name(self, thing: Any) -> str:
        """The source of a class or function of a module; ConfigurationError for one that can't be imported."""
        module, path = thing.__module__, thing.__qualname__
        if module == "builtins":
            return str(path)
        if "<" in path:
            raise ConfigurationError(f"{path} can't be imported by a script", hint="define it at the top of a module")
        first = path.partition(".")[0]
        package = module.partition(".")[0]
        public = vars(sys.modules[package]).get(first) is vars(sys.modules[module]).get(first)
        self.exported(package if public else module, first)
        return str(path)

    def exported(self, module: str, name: str) -> None:
        """This name of a module is needed."""
        self._names.setdefault(module, set()).add(name)

    def module(self, name: str) -> None:
        """The whole of a module is needed."""
        self._modules.add(name)

    def lines(self) -> list[str]:
        """The statements, sorted."""
        modules = [f"import {name}" for name in sorted(self._modules)]
        named = [f"from {module} import {', '.join(sorted(names))}" for module, names in sorted(self._names.items())]
        return [*modules, *named]


def source(value: Any, imports: Imports) -> str:
    """A value, as an expression of Python. ConfigurationError for one that has none."""
    match value:
        case Filter():
            return value.source(imports)
        case enum.Enum():
            return f"{imports.name(type(value))}.{value.name}"
        case float() if value != value or value in (float("inf"), float("-inf")):
            return f"float({str(value)!r})"
        case None | bool() | int() | float() | str() | bytes():
            return repr(value)
        case Decimal() | UUID():
            imports.name(type(value))
            return repr(value)
        case datetime() | date() | time() | timedelta():
            imports.module("datetime")
            return repr(value)
        case list() | tuple() | set() | frozenset() if type(value) in (list, tuple, set, frozenset):
            return _collection(value, imports)
        case dict():
            return "{" + ", ".join(f"{source(k, imports)}: {source(v, imports)}" for k, v in value.items()) + "}"
        case BaseModel():
            fields = ", ".join(f"{name}={source(one, imports)}" for name, one in vars(value).items())
            return f"{imports.name(type(value))}({fields})"
        case type():
            if value.__module__ == "datetime":
                imports.module("datetime")
                return f"datetime.{value.__name__}"
            return "None" if value is NoneType else imports.name(value)
    raise ConfigurationError(f"a {type(value).__name__} can't be written into a script: {value!r}")


def _collection(value: Any, imports: Imports) -> str:
    inner = ", ".join(source(one, imports) for one in value)
    match value:
        case list():
            return f"[{inner}]"
        case tuple():
            return f"({inner},)" if value else "()"
    return f"{type(value).__name__}([{inner}])"


def annotation(told: Any, imports: Imports) -> str:
    """A type as it is written in a class: `str`, `list[str] | None`, `datetime.datetime`."""
    arguments = getattr(told, "__args__", None)
    if arguments is None:
        if told is Any:
            imports.module("typing")
            return "typing.Any"
        return source(told, imports)
    for one in arguments:
        annotation(one, imports)
    text = repr(told).replace("NoneType", "None")
    return re.sub(r"\b(?!datetime\.|typing\.)[\w.]+\.(\w+)\b", r"\1", text)


# -- filters --------------------------------------------------------------------------------------------------------


class Filter(NamedTuple):
    """A filter: `how` is `is` (a lookup and its operand), `and`, `or`, `not`, `all` or `none`."""

    how: str
    parts: tuple[Any, ...] = ()

    def expr(self) -> Expr:
        """The filter as queries take it."""
        match self.how:
            case "is":
                return Q(**{self.parts[0]: self.parts[1]})
            case "and":
                return self.parts[0].expr() & self.parts[1].expr()  # type: ignore[no-any-return]
            case "or":
                return self.parts[0].expr() | self.parts[1].expr()  # type: ignore[no-any-return]
            case "not":
                return ~self.parts[0].expr()  # type: ignore[no-any-return]
        return TRUE if self.how == "all" else FALSE

    def source(self, imports: Imports) -> str:
        """The filter as it is written."""
        match self.how:
            case "is":
                imports.name(Q)
                return f"Q({self.parts[0]}={source(self.parts[1], imports)})"
            case "and" | "or":
                first, second = (one.source(imports) for one in self.parts)
                return f"({first} {'&' if self.how == 'and' else '|'} {second})"
            case "not":
                return f"~{self.parts[0].source(imports)}"
        name = "TRUE" if self.how == "all" else "FALSE"
        imports.exported("mixstore", name)
        return name


# -- steps ----------------------------------------------------------------------------------------------------------


class Step(Protocol):
    """One thing to do on each store."""

    def run(self, ask: Answers, names: Environment) -> None:
        """Do it."""

    def lines(self, imports: Imports) -> list[str]:
        """The same, written down."""


class Link(NamedTuple):
    """One call of a chain of calls: `.name(*args, **named)`; without a name the thing itself is called."""

    name: str
    args: tuple[Any, ...] = ()
    named: Mapping[str, Any] = {}

    def on(self, target: Any) -> Any:
        """Call it."""
        called = getattr(target, self.name) if self.name else target
        return called(*map(_given, self.args), **{name: _given(one) for name, one in self.named.items()})

    def source(self, imports: Imports) -> str:
        """The call, from the dot on."""
        told = [source(one, imports) for one in self.args]
        told += [f"{name}={source(one, imports)}" for name, one in self.named.items()]
        return f"{'.' if self.name else ''}{self.name}({', '.join(told)})"


def _given(value: Any) -> Any:
    return value.expr() if isinstance(value, Filter) else copy.deepcopy(value)


class Ask(NamedTuple):
    """A chain of calls on a name, whose answer is compared: `into = ask(lambda: wrap(start.a().b()))`."""

    start: str
    links: Sequence[Link] = ()
    into: str | None = None
    wrap: Callable[[Any], Any] | None = None

    def value(self, names: Environment) -> Any:
        """Make the calls."""
        value = names[self.start]
        for link in self.links:
            value = link.on(value)
        return value if self.wrap is None else self.wrap(value)

    def run(self, ask: Answers, names: Environment) -> None:
        result = ask(lambda: self.value(names))
        if self.into is not None:
            names[self.into] = result

    def written(self, imports: Imports) -> str:
        """The calls, written down."""
        text = self.start + "".join(link.source(imports) for link in self.links)
        return text if self.wrap is None else f"{imports.name(self.wrap)}({text})"

    def lines(self, imports: Imports) -> list[str]:
        into = "" if self.into is None else f"{self.into} = "
        return [f"{into}ask(lambda: {self.written(imports)})"]


class Assign(NamedTuple):
    """New values of fields of a loaded row, not stored yet."""

    row: str
    values: Mapping[str, Any]

    def run(self, ask: Answers, names: Environment) -> None:
        for name, value in self.values.items():
            setattr(names[self.row], name, copy.deepcopy(value))

    def lines(self, imports: Imports) -> list[str]:
        return [f"{self.row}.{name} = {source(value, imports)}" for name, value in self.values.items()]


class Wait(NamedTuple):
    """Time passes."""

    seconds: float

    def run(self, ask: Answers, names: Environment) -> None:
        ask.clock.forward(seconds=self.seconds)

    def lines(self, imports: Imports) -> list[str]:
        return [f"ask.clock.forward(seconds={self.seconds})"]


class Enter(NamedTuple):
    """From now on every call is made within `context(value)`."""

    context: Callable[[Any], Any]
    value: Any

    def run(self, ask: Answers, names: Environment) -> None:
        ask.within = self.entered

    def entered(self) -> Any:
        """The context manager."""
        return self.context(self.value)

    def lines(self, imports: Imports) -> list[str]:
        return [f"ask.within = lambda: {imports.name(self.context)}({source(self.value, imports)})"]


class Together(NamedTuple):
    """Calls in one transaction."""

    steps: Sequence[Ask]
    gives_up: bool = False

    def run(self, ask: Answers, names: Environment) -> None:
        with ask.transaction():
            for step in self.steps:
                ask.inside(lambda step=step: step.value(names))  # type: ignore[misc]
            if self.gives_up:
                ask.give_up()

    def lines(self, imports: Imports) -> list[str]:
        inner = [f"    ask.inside(lambda: {step.written(imports)})" for step in self.steps]
        inner += ["    ask.give_up()"] if self.gives_up else []
        return ["with ask.transaction():", *(inner or ["    pass"])]
