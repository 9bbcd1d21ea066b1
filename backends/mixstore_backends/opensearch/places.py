"""The indexes of a model: which one is known by its alias, which is being filled, and what they are called.

people-000001          an index
people                 the model's alias, by which everybody reads and writes
people-000001.only     its own alias, for writes that mean this very index
people-000002.fill-T   the alias by which one process fills an index; whoever takes over takes it away
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from mixstore.errors import SchemaError
from mixstore_backends.opensearch.requests import Request

if TYPE_CHECKING:
    from mixstore_backends.opensearch.layout import Index

FILL = ".fill-"
FIRST = 1
ANEW = "export the rows, delete the index, initialize() and import them; or give the model another Meta.entity"


class Place(NamedTuple):
    """An index that is there. meta: what mixstore keeps in its mapping."""

    name: str
    uuid: str
    shards: int
    meta: Mapping[str, Any]
    properties: Mapping[str, Any]
    settings: Mapping[str, Any]
    aliases: Mapping[str, Any]

    @property
    def path(self) -> str:
        return at(self.name)

    @property
    def fill(self) -> str | None:
        """The alias by which it is being filled."""
        return next((name for name in self.aliases if name.startswith(self.name + FILL)), None)

    @property
    def filling(self) -> Mapping[str, Any]:
        """Of an index that is being filled: `from` (the uuid of the other), `shape`, `seen`, `held`; or it is empty."""
        found: Mapping[str, Any] = self.meta.get("filling", {})
        return found


def at(name: str) -> str:
    """The path of an index or alias."""
    return f"/{quote(name, safe='')}"


def command(index: Index) -> str:
    """The command that makes the index of a model anew."""
    model = index.schema.model
    return f"mixstore reindex {model.__module__}.{model.__qualname__}"


def numbered(index: Index, number: int) -> str:
    """The name of the n-th index of a model."""
    return f"{index.name}-{number:06d}"


def definition(index: Index, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings and mappings that a model's index must have."""
    return {"settings": {**settings, **index.settings, "analysis": index.analysis}, "mappings": index.mapping}


def marked(mapping: Mapping[str, Any], filling: Mapping[str, Any]) -> dict[str, Any]:
    """The mapping of an index that is being filled."""
    meta = mapping["_meta"]["mixstore"]
    return {**mapping, "_meta": {"mixstore": {**meta, "filling": filling}}}


def shape(made: Mapping[str, Any]) -> str:
    """A mark of a definition."""
    return hashlib.sha256(json.dumps(made, sort_keys=True).encode()).hexdigest()[:16]


def place(name: str, told: Mapping[str, Any]) -> Place:
    """What the engine tells of an index."""
    mapping, settings = told.get("mappings", {}), told.get("settings", {}).get("index", {})
    return Place(
        name,
        settings.get("uuid", ""),
        int(settings.get("number_of_shards", 1)),
        mapping.get("_meta", {}).get("mixstore", {}),
        mapping.get("properties", {}),
        settings,
        told.get("aliases", {}),
    )


def living(index: Index) -> Any:
    """The index that the model's alias stands for; None if there is none. SchemaError if it is not ours alone."""
    found = yield Request("GET", index.path, absent=True)
    return None if "error" in found else owned(index, found)


def owned(index: Index, found: Mapping[str, Any]) -> Place:
    """The one index of an answer. SchemaError if that is no index of this model."""
    (name, told), *others = found.items()
    if others:
        raise refused(index, f"the alias points to {', '.join(sorted(found))}, and one index can be written")
    if name == index.name:
        raise refused(index, f"{name!r} is an index, and must be an alias of one", "reindex it under another name")
    one = place(name, told)
    owner = one.meta.get("entity")
    if owner != index.schema.entity:
        raise refused(index, f"it holds {owner!r}" if owner else "it was not made by mixstore")
    return one


def every(index: Index) -> Any:
    """{number: index} of all indexes that were made for this model's alias."""
    told = "*.mappings,*.aliases,*.settings.index.uuid,*.settings.index.number_of_shards"
    path = f"{index.path}-*"
    found = yield Request("GET", path, params=(("expand_wildcards", "all"), ("filter_path", told)), absent=True)
    named = re.compile(re.escape(index.name) + r"-(\d{6})")
    return {int(match[1]): place(name, one) for name, one in found.items() if (match := named.fullmatch(name))}


def aliases(*actions: tuple[str, str, str] | tuple[str, str, str, Mapping[str, Any]]) -> Request:
    """Changes of aliases, all at once or, if one that is to be removed is not there, none: (verb, index, alias)."""
    told = [_action(*action) for action in actions]
    return Request("POST", "/_aliases", json.dumps({"actions": told}), writes=True)


def _action(verb: str, index: str, alias: str, more: Mapping[str, Any] | None = None) -> dict[str, Any]:
    return {
        verb: {"index": index, "alias": alias, **(more or {}), **({"must_exist": True} if verb == "remove" else {})}
    }


WRITTEN = {"is_write_index": True}
NOT_WRITTEN = {"is_write_index": False}


def is_missing_alias(error: Exception) -> bool:
    """Whether nothing was changed, since an alias that was to be removed is not there."""
    return "aliases_not_found_exception" in str(error)


def refused(index: Index, problem: str, hint: str = ANEW) -> SchemaError:
    """The error of an index that a model can't use."""
    told = f"{index.name!r} does not fit {index.schema.name}: {problem}"
    return SchemaError(told, model=index.schema.model, hint=hint)
