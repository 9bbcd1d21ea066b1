"""In which order extensions stand in a chain, and which rule put each where it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from mixstore.errors import ConfigurationError

if TYPE_CHECKING:
    from mixstore.extension import BackendExtension

Rules = dict[str, dict[str, str]]
"""For each extension, those that must stand before it, each with the rule that says so."""


def ordered(extensions: Mapping[str, BackendExtension], where: str) -> dict[str, str]:
    """The names in chain order, each with why it stands there: topological by the rules, ties in the order given.

    A cycle is a ConfigurationError.
    """
    earlier = _rules(extensions)
    order: list[str] = []
    waiting = list(extensions)
    while waiting:
        ready = next((name for name in waiting if earlier[name].keys() <= set(order)), None)
        if ready is None:
            raise ConfigurationError(
                f"{where}: the extensions {', '.join(sorted(waiting))} want to come before each other",
                hint="look at their `before` and `after`",
            )
        waiting.remove(ready)
        order.append(ready)
    return {name: _why(name, order, earlier) for name in order}


def _rules(extensions: Mapping[str, BackendExtension]) -> Rules:
    earlier: Rules = {name: {} for name in extensions}
    for name, extension in extensions.items():
        for other in extension.before:
            if other in extensions:
                earlier[other][name] = f"{name}.before"
        for other in extension.after:
            if other in extensions:
                earlier[name][other] = f"{name}.after"
    for name, extension in extensions.items():
        for need in extension.requires:
            if isinstance(need, str) and need in extensions and name not in earlier[need]:
                earlier[name].setdefault(need, f"{name}.requires")
    return earlier


def _why(name: str, order: list[str], earlier: Rules) -> str:
    """The rules that hold this one; where there are none, it stands where the bases (or the config) put it."""
    told = [f"after {other} ({rule})" for other, rule in earlier[name].items()]
    told += [f"before {other} ({earlier[other][name]})" for other in order if name in earlier[other]]
    return ", ".join(told) or "as declared"
