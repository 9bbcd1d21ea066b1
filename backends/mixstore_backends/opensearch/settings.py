"""The settings of an index: those that a model or a backend asks for, compared with those that it has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from mixstore_backends.opensearch.declared import OWN

if TYPE_CHECKING:
    from mixstore_backends.opensearch.layout import Index
    from mixstore_backends.opensearch.places import Place

_FINAL = frozenset(
    {"analysis", "codec", "knn", "number_of_routing_shards", "number_of_shards", "routing_partition_size", "sort"}
)
"""What is settled when an index is made."""
NOTHING = "-"
SHOWN = 60


class Difference(NamedTuple):
    """A setting that is not as asked for. needs_new: only another index can have it.

    tolerated: searches go on with what is there. The rules for words follow Unicode, as the python that made them.
    """

    key: str
    value: Any
    what: str
    declared: str
    real: str
    needs_new: bool
    tolerated: bool = False

    def __str__(self) -> str:
        lacks = f"it lacks the {self.what}"
        return lacks if self.real == NOTHING else f"{self.what} is {self.real}, and must be {self.declared}"


def differing(index: Index, settings: Mapping[str, Any], there: Place) -> Iterator[Difference]:
    """The settings that are asked for and not there; of the analysis by the names of its parts."""
    asked = _flat({**settings, **index.settings})
    real = _flat(there.settings)
    for key, value in asked.items():
        found = real.get(key)
        if found is None or _text(value) != found:
            final = key.split(".")[0] in _FINAL
            yield Difference(key, value, f"setting {key}", _short(value), _short(found), final)
    kinds = there.settings.get("analysis", {})
    for kind, parts in index.analysis.items():
        for name, part in parts.items():
            found = kinds.get(kind, {}).get(name)
            if found is None or _texts(part) != _texts(found):
                own = found is not None and name.startswith(OWN)
                told = _short(part), _short(found)
                yield Difference(f"analysis.{kind}.{name}", part, f"{kind} {name}", *told, True, own)


def _flat(told: Mapping[str, Any], within: str = "") -> dict[str, Any]:
    """{"a.b": value} of nested settings, however they are written; `index.` in front says nothing."""
    found: dict[str, Any] = {}
    for name, value in told.items():
        key = f"{within}{name}".removeprefix("index.")
        if key == "index" and isinstance(value, Mapping):
            found.update(_flat(value))
        elif isinstance(value, Mapping) and value:
            found.update(_flat(value, f"{key}."))
        else:
            found[key] = value
    return {key: value if isinstance(value, (list, tuple)) else _text(value) for key, value in found.items()}


def _text(value: Any) -> Any:
    """A setting as the engine shows it."""
    if isinstance(value, (list, tuple)):
        return [_text(one) for one in value]
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)


def _texts(part: Mapping[str, Any]) -> dict[str, Any]:
    """A part of the analysis as the engine shows it, which makes no difference between one and a list of one."""
    return {name: text if isinstance(text := _text(value), list) else [text] for name, value in part.items()}


def _short(value: Any) -> str:
    told = NOTHING if value is None else str(value)
    return told if len(told) <= SHOWN else f"{told[: SHOWN - 3]}..."
