"""What of the index of a model is not as declared, and what would put it right. Asks and never writes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from mixstore.drift import Drift
from mixstore.errors import SchemaError
from mixstore_backends.opensearch.copying import count
from mixstore_backends.opensearch.errors import ONLY
from mixstore_backends.opensearch.manage import Change, lacks_default, mapping_told
from mixstore_backends.opensearch.places import FIRST, Place, command, every, living, numbered
from mixstore_backends.opensearch.requests import Steps, Stepwise
from mixstore_backends.opensearch.settings import NOTHING, differing

if TYPE_CHECKING:
    from mixstore_backends.opensearch.layout import Index

ADDS = "initialize() adds it"
FILLS = "initialize() adds it, and documents get the default"


class Compare(Stepwise):
    """Compare the index of a model with what is declared; answers a list of `Drift`."""

    __slots__ = ("index", "settings")

    def __init__(self, index: Index, settings: Mapping[str, Any]) -> None:
        self.index = index
        self.settings = settings

    def steps(self) -> Steps:
        index = self.index
        try:
            there = yield from living(index)
        except SchemaError as error:
            problem = str(error.args[0]).partition(": ")[2]
            return [
                self._drift(f"index {index.name}", f"the index of {index.schema.entity}", problem, error.hint or "")
            ]
        found = yield from every(index)
        if there is None:
            return [self._absent(found)]
        documents = yield from count(there)
        told = [*self._alias(there), *self._fields(there, documents), *self._settings(there)]
        return [*told, *(self._unfinished(one) for one in found.values() if one.filling.get("from") == there.uuid)]

    def _drift(self, what: str, declared: str, real: str, plan: str) -> Drift:
        return Drift((self.index.schema.model,), what, declared, real, plan)

    def _again(self, what: str = "makes it anew, while others read and write") -> str:
        return f"{command(self.index)} {what}"

    def _absent(self, found: Mapping[int, Place]) -> Drift:
        index = self.index
        if not found:
            name = numbered(index, FIRST)
            return self._drift(f"index {index.name}", f"{name} under this alias", NOTHING, "initialize() makes it")
        last = found[max(found)].name
        action = f'{{"add": {{"index": "{last}", "alias": "{index.name}", "is_write_index": true}}}}'
        plan = f'if its documents are wanted: POST /_aliases {{"actions": [{action}]}}; or delete it, and initialize()'
        return self._drift(f"alias {index.name}", "of an index", f"{NOTHING}, though there is {last}", plan)

    def _alias(self, there: Place) -> Iterator[Drift]:
        name = self.index.name
        if not there.aliases[name].get("is_write_index", True):
            plan = self._again("goes on with it; or backend.abandon_reindex(Model)")
            yield self._drift(f"alias {name}", "takes writes", "lets writers wait, for a reindexing to end", plan)
        elif there.name + ONLY not in there.aliases:
            yield self._drift(f"alias {there.name}{ONLY}", f"of {there.name}", NOTHING, ADDS)

    def _fields(self, there: Place, documents: int) -> Iterator[Drift]:
        index, change = self.index, Change.of(self.index, there)
        for path in change.added:
            field = ".".join(path)
            plan = ADDS
            if documents:
                lacking = lacks_default(index, path)
                plan = "give it a constant default, or make it Optional: there are documents" if lacking else FILLS
            yield self._drift(
                f"field {field} of index {index.name}", mapping_told(index.property_at(path)), NOTHING, plan
            )
        for path in change.widened:
            parts = ", ".join(sorted(index.property_at(path)["fields"]))
            plan = f"{ADDS}, and indexes all documents anew"
            yield self._drift(f"sub-fields of {'.'.join(path)} of index {index.name}", parts, "not all of them", plan)
        for field, declared, real in change.problems:
            yield self._drift(f"field {field} of index {index.name}", declared, real, self._again())
        for field in there.properties.keys() - index.mapping["properties"].keys():
            plan = f"leave it; or {self._again('leaves it out')}"
            told = mapping_told(there.properties[field])
            yield self._drift(f"field {field} of index {index.name}", NOTHING, told, plan)

    def _settings(self, there: Place) -> Iterator[Drift]:
        for one in differing(self.index, self.settings, there):
            plan = self._again() if one.needs_new else "initialize() sets it"
            if one.tolerated:
                plan = f"searches go on with what is there; {plan}"
            yield self._drift(f"{one.what} of index {self.index.name}", one.declared, one.real, plan)

    def _unfinished(self, one: Place) -> Drift:
        plan = self._again("goes on with it; or backend.abandon_reindex(Model)")
        return self._drift(f"index {one.name}", NOTHING, "the copy of a reindexing that has not ended", plan)
