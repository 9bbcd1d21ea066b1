"""The extensions of a composite: one marks each record in the unit that writes it, the other leaves that to a feed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from mixstore import BackendExtension, Capability, SideWrite, WriteContext
from mixstore.keytexts import KeyTexts
from mixstore_backends.composite.marks import Checkpoint, Lost, Progress, SyncMark, new_mark


class Outbox(BackendExtension):
    """Whoever is told that a record is stored knows that its mark is stored as well."""

    name = "outbox"
    fidelity = "native"
    requires = (Capability.ATOMIC_WRITES, Capability.CONDITIONS, Capability.ADD)

    @cached_property
    def texts(self) -> KeyTexts:
        return KeyTexts(self.schema)

    def side_models(self, model_class: type[Any]) -> Iterable[type[Any]]:
        return SyncMark, Progress

    def write_beside(self, context: WriteContext, found: Sequence[Mapping[str, Any]]) -> Iterator[SideWrite]:
        assert context.key is not None
        mark = new_mark(self.schema.entity, self.texts.text(context.key), context.now)
        yield SideWrite("upsert", mark, counts=("number",))


class Followed(BackendExtension):
    """Writes nothing: the storage's change feed tells of the record."""

    name = "outbox"
    fidelity = "native"
    requires = Outbox.requires

    def side_models(self, model_class: type[Any]) -> Iterable[type[Any]]:
        return SyncMark, Progress, Checkpoint, Lost
