"""Making and extending the index of a model: `initialize()`.

The index is versioned (`people-000001`) and known by its alias (`people`), so that another one can take its place. What
the mapping lacks is added; what would have to change is refused, with what to do instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from mixstore.errors import BackendError, SchemaError
from mixstore_backends.opensearch.requests import Request, Steps, Stepwise, post, refreshing
from mixstore_backends.opensearch.values import dumps

if TYPE_CHECKING:
    from mixstore.schema import FieldSpec
    from mixstore_backends.opensearch.layout import Index

FIRST = "-000001"
BACKFILL = """
boolean changed = false;
for (e in params.values.entrySet()) {
  if (!ctx._source.containsKey(e.getKey())) { ctx._source[e.getKey()] = e.getValue(); changed = true }
}
if (!changed && !params.reindex) { ctx.op = 'noop' }
""".strip()
"""Gives documents the default of a field that was added; with `reindex` all are indexed anew."""
_ANOTHER = "export the rows, delete the index, initialize() and import them; or give the model another Meta.entity"


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
                return (yield from self._extend(found))
            created = yield from self._create()
            if created:
                return None
        raise self._refused(f"there is an index {self.index.name + FIRST!r} without the alias {self.index.name!r}")

    def _create(self) -> Any:
        """False if somebody else was faster."""
        body = {
            "settings": {**self.settings, "analysis": self.index.analysis},
            "mappings": self.index.mapping,
            "aliases": {self.index.name: {"is_write_index": True}},
        }
        try:
            yield Request("PUT", f"/{quote(self.index.name + FIRST, safe='')}", dumps(body), writes=True)
        except BackendError as error:
            if "resource_already_exists_exception" in str(error):
                return False
            raise
        return True

    def _extend(self, found: Mapping[str, Any]) -> Steps:
        (name, told), *others = found.items()
        if others:
            raise self._refused(f"the alias points to {', '.join(sorted(found))}, and one index can be written")
        if name == self.index.name:
            raise self._refused(f"{name!r} is an index, and must be an alias of one", "reindex it under another name")
        mapping = told.get("mappings", {})
        owner = mapping.get("_meta", {}).get("mixstore", {}).get("entity")
        if owner != self.index.schema.entity:
            raise self._refused(f"it holds {owner!r}" if owner else "it was not made by mixstore")
        change = Change(self.index)
        change.compare(self.index.mapping["properties"], mapping.get("properties", {}), ())
        if change.problem is not None:
            raise self._refused(*change.problem)
        if not change.added and not change.widened:
            return None
        return (yield from self._apply(name, change, told.get("settings", {})))

    def _apply(self, name: str, change: Change, settings: Mapping[str, Any]) -> Steps:
        wanted = self.index.mapping["properties"]
        yield refreshing(self.index.path)
        answer = yield post(f"{self.index.path}/_count", {"query": {"match_all": {}}})
        defaults: dict[str, Any] = {}
        if answer["count"]:
            for path in change.added:
                spec = self.index.schema.fields.get(path[0]) if len(path) == 1 else None
                self._default(path, spec, defaults)
        lacking = self.index.analysis.get("analyzer", {}).keys() - _analyzers(settings)
        if lacking:
            raise self._refused("its settings lack the analyzer of searchable fields", _ANOTHER)
        properties = {path[0]: wanted[path[0]] for path in (*change.added, *change.widened)}
        target = f"/{quote(name, safe='')}/_mapping"
        yield Request("PUT", target, dumps({"properties": properties}), writes=True)
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

    def _default(self, path: tuple[str, ...], spec: FieldSpec | None, defaults: dict[str, Any]) -> None:
        """What the documents that are there get for a new field, if it is not None."""
        if path[0] not in self.index.schema.fields:
            return
        if spec is None or not spec.has_default or spec.default_factory is not None:
            if spec is None and self._default_inside(path) is None:
                return
            told = ".".join(path)
            raise self._refused(
                f"{told!r} is new, and there are documents that have no value for it",
                "give the field a constant default, or make it Optional",
            )
        if spec.default is not None:
            encode = self.index.bound.backend.adapter.spec_codec(spec).encode  # type: ignore[attr-defined]
            defaults[path[0]] = spec.default if encode is None else encode(spec.default)

    def _default_inside(self, path: tuple[str, ...]) -> Any:
        """The default of a field of a nested model; something else than None if it has none."""
        kind = self.index.schema.fields[path[0]].type
        for name in path[1:-1]:
            kind = kind.nested()[name]
        kind = kind.args[0] if kind.kind != "model" and kind.args else kind
        info = kind.python.__pydantic_fields__[path[-1]]
        return ... if info.is_required() or info.default_factory is not None else info.default

    def _refused(self, problem: str, hint: str = _ANOTHER) -> SchemaError:
        index = self.index
        return SchemaError(
            f"{index.name!r} does not fit {index.schema.name}: {problem}", model=index.schema.model, hint=hint
        )


def _analyzers(settings: Mapping[str, Any]) -> set[str]:
    return set(settings.get("index", {}).get("analysis", {}).get("analyzer", {}))


class Change:
    """What a mapping lacks: `added` paths, `widened` ones that get a sub-field; `problem` is what can't be changed."""

    def __init__(self, index: Index) -> None:
        self.index = index
        self.added: list[tuple[str, ...]] = []
        self.widened: list[tuple[str, ...]] = []
        self.problem: tuple[str, str] | None = None

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
        if wanted != there:
            self.problem = (
                f"field {'.'.join(path)!r} is mapped as {_told(there)}, the model needs {_told(wanted)}",
                f"a changed type needs a new field, or a new index: {_ANOTHER}",
            )
        if any(_plain(one) != _plain(known[name]) for name, one in fields.items() if name in known):
            self.problem = (f"the sub-fields of {'.'.join(path)!r} are of another form", _ANOTHER)
        if fields.keys() - known.keys():
            self.widened.append(path)
        self.compare(inner, inner_known, path)


def _plain(one: Mapping[str, Any]) -> dict[str, Any]:
    """A property without what the engine leaves out when it shows it."""
    told = dict(one)
    if told.get("type") == "object":
        del told["type"]
    return told


def _told(one: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in sorted(one.items())) or "object"
