"""`reindex()`: another index takes the place of a model's, while everybody goes on reading and writing.

1. An index of the next number is made, and filled with all documents, pass after pass, until little changes meanwhile.
2. The aliases take no writes any more, so that who writes waits. `index.blocks.write` says when none is under way.
3. A last pass, and the numbers of documents are compared; if they differ, what was deleted is looked for.
4. The model's alias moves, in one step. The old index can't be written any more, so that a write which depends on what
   was read there (`if_seq_no`) fails, and looks again.

How far it came is in the mapping of the new index. Whoever reindexes next goes on from there, and replaces the alias by
which the one before filled it. Every step that others notice is a change of aliases that replaces this one too, so a
process that was only slow can't do it any more. See decision 0028.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from mixstore.errors import BackendError
from mixstore_backends.opensearch import errors
from mixstore_backends.opensearch.converting import Change, Conversion
from mixstore_backends.opensearch.copying import NOTHING, Copy, checkpoints, count, taken_over
from mixstore_backends.opensearch.errors import ONLY
from mixstore_backends.opensearch.places import (
    FILL,
    NOT_WRITTEN,
    WRITTEN,
    Place,
    aliases,
    at,
    definition,
    every,
    is_missing_alias,
    living,
    marked,
    numbered,
    refused,
    shape,
)
from mixstore_backends.opensearch.requests import Pause, Request, Steps, Stepwise, refreshing
from mixstore_backends.opensearch.values import dumps

if TYPE_CHECKING:
    from mixstore.backend import Told
    from mixstore_backends.opensearch.layout import Index

QUIET = 500
"""So many documents are copied while writes are held, rather than in one more pass."""
PASSES = 20
"""How often it is tried to come that near, while others write faster than this copies."""
LOOKS = 3
"""How often all copies are compared before writes are held, while others delete."""
SETTLING = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 4.0)
"""Seconds to wait for the copies of a shard to agree, once nobody writes."""


class Reindex(Stepwise):
    """Puts a new index in the place of a model's; answers how many documents it has.

    keep: the old index stays, closed to writes. held: what is copied, while writers wait.
    """

    __slots__ = ("change", "fill", "held", "index", "keep", "settings", "told")

    def __init__(
        self, index: Index, settings: Mapping[str, Any], *, keep: bool, change: Change | None, told: Told
    ) -> None:
        self.index = index
        self.settings = settings
        self.keep = keep
        self.change = change
        self.told = told
        self.held: Copy | None = None

    def steps(self) -> Steps:
        made = definition(self.index, self.settings)
        source, target, fill = yield from self._places(made)
        yield refreshing(source.path)
        total = yield from count(source)
        convert = Conversion(self.index, source.properties, self.change, not total)
        copy = Copy(self.index, source, target, fill, convert)
        yield from self._approach(copy, total)
        yield from self._hold(copy)
        number = yield from self._agree(copy)
        yield from self._swap(copy)
        return number

    # -- where from, where to --------------------------------------------------------------------------------------

    def _places(self, made: Mapping[str, Any]) -> Any:
        """(the index there is, the one to fill, the alias by which this process and no other fills it)."""
        for _ in range(5):
            source = yield from living(self.index)
            if source is None:
                raise refused(self.index, "there is no such index", "backend.initialize() makes it")
            target = yield from self._target(source, made)
            fill = yield from taken(self.index, target)
            # whoever filled it before may have moved the model's alias just before it lost the right to
            again = yield from living(self.index)
            if again is not None and again.uuid == source.uuid:
                yield from release(self.index, source, target, fill)
                return source, target, fill
        raise taken_over(self.index)

    def _target(self, source: Place, made: Mapping[str, Any]) -> Any:
        found = yield from every(self.index)
        mark = shape(made)
        for one in found.values():
            if one.filling.get("from") == source.uuid and one.name != source.name:
                if one.filling.get("shape") == mark and one.fill is not None:
                    return one
                yield Request("DELETE", one.path, writes=True, absent=True)  # begun for another form of the model
        name = numbered(self.index, max(found, default=0) + 1)
        filling = {"from": source.uuid, "shape": mark}
        own: dict[str, Any] = {name + ONLY: {}, f"{name}{FILL}{uuid4().hex}": {}}
        body = {**made, "mappings": marked(made["mappings"], filling), "aliases": own}
        try:
            yield Request("PUT", at(name), dumps(body), writes=True)
        except BackendError as error:
            if "resource_already_exists_exception" not in str(error):
                raise
        found = yield from every(self.index)
        target: Place | None = next((one for one in found.values() if one.name == name), None)
        if target is None or target.filling != filling or target.fill is None:
            raise taken_over(self.index)
        return target

    # -- copying ---------------------------------------------------------------------------------------------------

    def _approach(self, copy: Copy, total: int) -> Steps:
        """Pass after pass, until what changes during one is little, and nothing is there that was deleted."""
        changed = yield from copy.changes(lambda done: self.told("copying", done, max(done, total)))
        looks = 0
        for _ in range(PASSES):
            yield refreshing(copy.target.path)
            more = (yield from count(copy.target)) - (yield from count(copy.source))
            looking = more > 0 and looks < LOOKS
            if changed < QUIET and not looking:
                break
            if looking:
                looks += 1
                self.told("looking for what was deleted", 0, None)
                yield from copy.deletes()
            changed = yield from copy.changes(lambda done: self.told("catching up", done, None))
        yield from copy.save(held=True)

    def _hold(self, copy: Copy) -> Steps:
        """Let all who write wait, and wait for what is under way."""
        self.told("writers wait", 0, None)
        self.held = copy
        source, target, fill = copy.source.name, copy.target.name, copy.fill
        own = ("remove", source, source + ONLY)
        keeping = (("remove", target, fill), ("add", target, fill))
        yield from fenced(self.index, *keeping, own, ("add", source, self.index.name, NOT_WRITTEN))
        for again in (True, False):
            answer = yield Request("PUT", f"{copy.source.path}/_block/write", writes=True)
            if answer.get("shards_acknowledged"):
                break
            if not again:
                raise BackendError(f"writes to {source} could not be held", backend=errors.NAME, hint="do it again")
            yield unblocked(copy.source)  # of one that was blocked already the engine does not tell
        for seconds in SETTLING:
            marks = yield from checkpoints(copy.source)
            if all(reached == last for reached, last in marks):
                return
            yield Request("POST", f"{copy.source.path}/_flush")
            yield Pause(seconds)
        raise BackendError(f"the copies of a shard of {source} don't agree", backend=errors.NAME, hint="do it again")

    def _agree(self, copy: Copy) -> Any:
        """The last pass; how many documents both have then."""
        for attempt in range(3):
            yield from copy.changes(lambda done: None)
            yield refreshing(copy.target.path)
            here, there = (yield from count(copy.source)), (yield from count(copy.target))
            if here == there:
                return here
            if attempt:  # documents are lacking that were copied: begin anew
                copy.seen = [NOTHING] * copy.source.shards
                yield from copy.changes(lambda done: None)
            yield from copy.deletes()
        told = f"{copy.target.name} has {there} documents, and {copy.source.name} has {here}"
        raise BackendError(f"the copy is not complete: {told}", backend=errors.NAME)

    def _swap(self, copy: Copy) -> Steps:
        name = self.index.name
        yield from fenced(
            self.index,
            ("remove", copy.target.name, copy.fill),
            ("remove", copy.source.name, name),
            ("add", copy.target.name, name, WRITTEN),
        )
        self.held = None
        self.told("writers go on", 0, None)
        yield Request("PUT", f"{copy.target.path}/_mapping", dumps({"_meta": self.index.mapping["_meta"]}), writes=True)
        if not self.keep:
            yield Request("DELETE", copy.source.path, writes=True, absent=True)


class Release(Stepwise):
    """Lets those write who wait for a reindexing that failed. Does nothing if it is not in charge any more."""

    __slots__ = ("failed",)

    def __init__(self, failed: Reindex) -> None:
        self.failed = failed

    def steps(self) -> Steps:
        copy = self.failed.held
        if copy is not None:
            yield from release(self.failed.index, copy.source, copy.target, copy.fill, held=True)
            self.failed.held = None


class Abandon(Stepwise):
    """Ends a reindexing that was interrupted: what was filled goes, and who writes need not wait any more."""

    __slots__ = ("index",)

    def __init__(self, index: Index) -> None:
        self.index = index

    def steps(self) -> Steps:
        source = yield from living(self.index)
        found = yield from every(self.index)
        filled = [one for one in found.values() if source is not None and one.filling.get("from") == source.uuid]
        for one in filled:
            if one.fill is not None:
                fill = yield from taken(self.index, one)
                yield from release(self.index, source, one, fill)
            yield Request("DELETE", one.path, writes=True, absent=True)
        return bool(filled)


def taken(index: Index, target: Place) -> Any:
    """The alias by which the target is filled from now on, in place of the one that it had."""
    assert target.fill is not None
    fill = f"{target.name}{FILL}{uuid4().hex}"
    yield from fenced(index, ("remove", target.name, target.fill), ("add", target.name, fill))
    return fill


def release(index: Index, source: Place, target: Place, fill: str, held: bool = False) -> Steps:
    """Let the old index be written again, if it is held or never had an alias of its own."""
    held = held or bool(target.filling.get("held"))
    if not held and source.name + ONLY in source.aliases:
        return
    yield from fenced(
        index,
        ("remove", target.name, fill),
        ("add", target.name, fill),
        ("add", source.name, index.name, WRITTEN),
        ("add", source.name, source.name + ONLY),
    )
    if held:
        yield unblocked(source)


def fenced(index: Index, *actions: Any) -> Steps:
    """Change aliases, if this process is in charge: one of them is its own. ConflictError if it is not any more."""
    try:
        yield aliases(*actions)
    except BackendError as error:
        if is_missing_alias(error):
            raise taken_over(index) from error
        raise


def unblocked(source: Place) -> Request:
    """Lets an index be written, as far as its settings go."""
    return Request("PUT", f"{source.path}/_settings", dumps({"index.blocks.write": None}), writes=True)
