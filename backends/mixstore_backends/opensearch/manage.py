"""Making and extending the index of a model: `initialize()`.

The index is versioned (`people-000001`) and known by its alias (`people`), so that another one can take its place. What
the mapping lacks is added; what would have to change is refused, with what to do instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from mixstore.errors import BackendError, SchemaError
from mixstore_backends.opensearch.errors import ONLY
from mixstore_backends.opensearch.places import (
    FIRST,
    WRITTEN,
    Place,
    aliases,
    at,
    command,
    definition,
    numbered,
    owned,
    refused,
)
from mixstore_backends.opensearch.requests import Request, Steps, Stepwise, post, refreshing
from mixstore_backends.opensearch.settings import differing
from mixstore_backends.opensearch.values import dumps

if TYPE_CHECKING:
    from mixstore_backends.opensearch.layout import Index

BACKFILL = """
boolean changed = false;
for (e in params.values.entrySet()) {
  if (!ctx._source.containsKey(e.getKey())) { ctx._source[e.getKey()] = e.getValue(); changed = true }
}
if (!changed && !params.reindex) { ctx.op = 'noop' }
""".strip()
"""Gives documents the default of a field that was added; with `reindex` all are indexed anew."""


class Initialize(Stepwise):
    """Creates the index and its alias, or extends its mapping. SchemaError for what can't be extended."""

    __slots__ = ("index", "settings")

    def __init__(self, index: Index, settings: Mapping[str, Any]) -> None:
        self.index = index
        self.settings = settings

    def steps(self) -> Steps:
        for _ in range(2):
            found = yield Request("GET", self.index.path, absent=True)
            if "error" not in found:
                return (yield from self._extend(owned(self.index, found)))
            created = yield from self._create()
            if created:
                return None
        there = numbered(self.index, FIRST)
        raise refused(self.index, f"there is an index {there!r} without the alias {self.index.name!r}")

    def _create(self) -> Any:
        """False if somebody else was faster."""
        name = numbered(self.index, FIRST)
        own = {self.index.name: WRITTEN, name + ONLY: {}}
        body = {**definition(self.index, self.settings), "aliases": own}
        try:
            yield Request("PUT", at(name), dumps(body), writes=True)
        except BackendError as error:
            if "resource_already_exists_exception" in str(error):
                return False
            raise
        return True

    def _extend(self, there: Place) -> Steps:
        change = Change.of(self.index, there)
        if change.problems:
            raise self._refused("; ".join(map(str, change.problems)))
        found = list(differing(self.index, self.settings, there))
        other = [one for one in found if one.needs_new and not one.tolerated]
        if other:
            raise self._refused("; ".join(map(str, other)))
        if there.name + ONLY not in there.aliases and there.aliases.get(self.index.name, WRITTEN) == WRITTEN:
            yield aliases(("add", there.name, there.name + ONLY))
        changed = {one.key: one.value for one in found if not one.needs_new}
        if changed:
            yield Request("PUT", f"{there.path}/_settings", dumps(changed), writes=True)
        if change.added or change.widened:
            yield from self._apply(there, change)
        return None

    def _apply(self, there: Place, change: Change) -> Steps:
        wanted = self.index.mapping["properties"]
        yield refreshing(self.index.path)
        answer = yield post(f"{self.index.path}/_count", {"query": {"match_all": {}}})
        defaults: dict[str, Any] = {}
        if answer["count"]:
            for path in change.added:
                self._default(path, defaults)
        properties = {path[0]: wanted[path[0]] for path in (*change.added, *change.widened)}
        yield Request("PUT", f"{there.path}/_mapping", dumps({"properties": properties}), writes=True)
        if answer["count"] and (defaults or change.widened):
            yield from self._fill(defaults, bool(change.widened))
        return None

    def _fill(self, defaults: Mapping[str, Any], reindex: bool) -> Steps:
        params = (("conflicts", "proceed"), ("refresh", "true"))
        script = {"lang": "painless", "source": BACKFILL, "params": {"values": defaults, "reindex": reindex}}
        conflicts = True
        while conflicts:
            path = f"{self.index.path}/_update_by_query"
            answer = yield Request("POST", path, dumps({"script": script}), params, writes=True)
            conflicts = bool(answer["version_conflicts"])

    def _default(self, path: tuple[str, ...], defaults: dict[str, Any]) -> None:
        """What the documents that are there get for a new field, if it is not None."""
        if lacks_default(self.index, path):
            raise self._refused(
                f"{'.'.join(path)!r} is new, and there are documents that have no value for it",
                "give the field a constant default, or make it Optional",
            )
        spec = self.index.schema.fields.get(path[0])
        if len(path) == 1 and spec is not None and spec.default is not None:
            encode = self.index.bound.backend.adapter.spec_codec(spec).encode  # type: ignore[attr-defined]
            defaults[path[0]] = spec.default if encode is None else encode(spec.default)

    def _refused(self, problem: str, hint: str | None = None) -> SchemaError:
        again = f"`{command(self.index)}` makes another index and copies the documents, while others read and write"
        return refused(self.index, problem, hint or again)


def lacks_default(index: Index, path: tuple[str, ...]) -> bool:
    """Whether documents that are there can't have a new field, or part of one."""
    spec = index.schema.fields.get(path[0])
    if spec is None:
        return False
    if len(path) == 1:
        return not spec.has_default or spec.default_factory is not None
    kind = spec.type
    for name in path[1:-1]:
        kind = kind.nested()[name]
    kind = kind.args[0] if kind.kind != "model" and kind.args else kind
    info = kind.python.__pydantic_fields__[path[-1]]
    return info.is_required() or info.default_factory is not None or info.default is not None


class Problem(NamedTuple):
    """A field whose mapping can't be changed, as it is declared and as it is."""

    field: str
    declared: str
    real: str

    def __str__(self) -> str:
        return f"field {self.field!r} is mapped as {self.real}, the model needs {self.declared}"


class Change:
    """What a mapping lacks: `added` paths, and `widened` ones that get a sub-field. `problems` can't be changed."""

    def __init__(self) -> None:
        self.added: list[tuple[str, ...]] = []
        self.widened: list[tuple[str, ...]] = []
        self.problems: list[Problem] = []

    @classmethod
    def of(cls, index: Index, there: Place) -> Change:
        """What must change in an index that is there."""
        change = cls()
        change.compare(index.mapping["properties"], there.properties, ())
        return change

    def compare(self, wanted: Mapping[str, Any], there: Mapping[str, Any], within: tuple[str, ...]) -> None:
        """Collect the differences of two `properties`."""
        for name, one in wanted.items():
            path = (*within, name)
            if name not in there:
                self.added.append(path)
            else:
                self._compare_one(_plain(one), _plain(there[name]), path)

    def _compare_one(self, wanted: dict[str, Any], there: dict[str, Any], path: tuple[str, ...]) -> None:
        fields, known = wanted.pop("fields", {}), there.pop("fields", {})
        inner, inner_known = wanted.pop("properties", {}), there.pop("properties", {})
        other = [name for name, one in fields.items() if name in known and _plain(one) != _plain(known[name])]
        if wanted != there:
            self.problems.append(Problem(".".join(path), mapping_told(wanted), mapping_told(there)))
        elif other:
            field = ".".join((*path, other[0]))
            self.problems.append(Problem(field, mapping_told(fields[other[0]]), mapping_told(known[other[0]])))
        elif fields.keys() - known.keys():
            self.widened.append(path)
        self.compare(inner, inner_known, path)


def _plain(one: Mapping[str, Any]) -> dict[str, Any]:
    """A property without what the engine leaves out when it shows it."""
    told = dict(one)
    if told.get("type") == "object":
        del told["type"]
    return told


def mapping_told(one: Mapping[str, Any]) -> str:
    """A property in words."""
    one = {name: value for name, value in one.items() if name not in ("properties", "fields")}
    return ", ".join(f"{name} {value}" for name, value in sorted(one.items())) or "object"
