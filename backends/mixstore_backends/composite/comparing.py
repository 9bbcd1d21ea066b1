"""Whether the search side has what the storage has, and how it is made so: `verify` and `reindex`."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from mixstore import Query
from mixstore.moving.forms import Forms
from mixstore.moving.reading import number_of, pages
from mixstore_backends.composite.copies import Copies
from mixstore_backends.composite.following import found_again
from mixstore_backends.composite.marks import Progress, SyncMark, new_mark, place_of
from mixstore_backends.composite.plans import On, Steps
from mixstore_backends.composite.routing import SIDE, STORAGE

Told = Callable[[str, int, "int | None"], None]

if TYPE_CHECKING:
    from mixstore_backends.composite.backend import CompositeBackend

Kind = Literal["missing", "stale", "orphan"]
EXAMPLES = 20
LASTS = timedelta(days=1)
"""One that was interrupted longer ago begins anew."""


class Difference(NamedTuple):
    """A record of which the search side has no copy, one with other values, or one though there is no record."""

    kind: Kind
    key: Any


@dataclass(slots=True)
class Comparison:
    """What `verify` found. `rows` were looked at, `waiting` of them are known to be on their way.

    `repaired` counts the differences that are none any more; `examples` are the first of all.
    """

    entity: str
    rows: int = 0
    waiting: int = 0
    missing: int = 0
    stale: int = 0
    orphans: int = 0
    repaired: int = 0
    examples: list[Difference] = field(default_factory=list)

    @property
    def differences(self) -> int:
        """How many there were."""
        return self.missing + self.stale + self.orphans


class Comparing:
    """One model on both sides, page by page; what has changed in between is looked at again before it is told."""

    def __init__(self, backend: CompositeBackend, copies: Copies) -> None:
        self.backend = backend
        self.copies = copies
        self.bound = copies.bound
        self.applying = backend.applying
        self.digest = Forms(copies.bound, copies.there).digest

    def verify(self, repair: bool, sample: int | None, note: Callable[[int], object]) -> Comparison:
        """Compare all rows, or about so many of them; `note` is told how many it has looked at."""
        result, begun = Comparison(self.bound.schema.entity), self.backend.clock()
        share = 1.0 if sample is None else sample / max(1, number_of(self.bound, self._originals))
        for rows in self._chosen(pages(self.bound, self._originals), share):
            self._page(result, rows, repair)
            note(result.rows)
        for rows in self._chosen(pages(self.copies.there, Query(self.bound.model)), share):
            self._page(result, rows, repair, orphans=True)
        if share >= 1 and result.repaired == result.differences:
            found_again(self.backend, result.entity, begun)
        return result

    def one(self, key: Any, repair: bool) -> Comparison:
        """Compare one row."""
        result = Comparison(self.bound.schema.entity, rows=1)
        self._look_again(result, [self.bound.key(key, {})], repair)
        return result

    def reindex(self, told: Told) -> int:
        """Write every copy anew, as the storage has its record then. Returns how many were written.

        How far it has come is kept in the storage: one that was interrupted goes on there.
        """
        begun = self.backend.clock()
        entity, total = self.bound.schema.entity, number_of(self.bound, self._originals)
        reached, done = self._progress(), 0
        for page in pages(self.bound, self._originals, None if reached is None else reached.cursor):
            if page.rows:
                self._copied([self._key(values) for values in page.rows])
            done += len(page.rows)
            if page.cursor is not None:
                self.backend.upsert(Progress, {"of": entity, "cursor": page.cursor, "at": self.backend.clock()})
            told(f"copying {entity} to the search side", done, total)
        self.backend.query(Progress).filter(of=entity).delete()
        if reached is None:
            found_again(self.backend, entity, begun)
        return done

    def _progress(self) -> Progress | None:
        """Where an interrupted one has to go on; None to begin."""
        found = self.backend.query(Progress).filter(of=self.bound.schema.entity).first()
        return found if found is not None and self.backend.clock() - found.at < LASTS else None

    # -- looking -----------------------------------------------------------------------------------------------------

    @property
    def _originals(self) -> Query:
        return Query(self.bound.model).replace(options={SIDE: STORAGE})

    @staticmethod
    def _chosen(found: Iterator[Any], share: float) -> Iterator[list[dict[str, Any]]]:
        for page in found:
            rows = page.rows if share >= 1 else [values for values in page.rows if random.random() < share]
            if rows:
                yield rows

    def _page(self, result: Comparison, rows: list[dict[str, Any]], repair: bool, orphans: bool = False) -> None:
        keys = [self._key(values) for values in rows]
        if orphans:
            originals = self._run(self._values(self.backend.storage, self.bound, keys))
            doubtful = [key for key, found in zip(keys, originals, strict=True) if found is None]
        else:
            result.rows += len(rows)
            copies = self._run(self._values(self.copies.search, self.copies.there, keys))
            doubtful = [key for key, *both in zip(keys, rows, copies, strict=True) if not self._same(*both)]
        if doubtful:
            self._look_again(result, doubtful, repair)

    def _look_again(self, result: Comparison, keys: list[Any], repair: bool) -> None:
        """Of these, tell those that differ though nothing is on its way; and make them equal."""
        waiting, found = self._run(self._differences(keys))
        for pause in self.backend.patience if found else ():
            time.sleep(pause)
            late, found = len(found), self._run(self._differences(list(found)))[1]
            waiting += late - len(found)
            if not found:
                break
        result.waiting += waiting
        for key, kind in found.items():
            setattr(result, _COUNTS[kind], getattr(result, _COUNTS[kind]) + 1)
            if len(result.examples) < EXAMPLES:
                result.examples.append(Difference(kind, self.bound.schema.key_as_told(key)))
        if repair and found:
            self._copied(list(found))
            left = self._run(self._differences(list(found)))[1]
            result.repaired += len(found) - len(left)

    def _differences(self, keys: Sequence[Any]) -> Steps:
        """How many of these are on their way, and {key: how the others differ}."""
        before = yield from self._marks(keys)
        originals = yield from self._values(self.backend.storage, self.bound, keys)
        copies = yield from self._values(self.copies.search, self.copies.there, keys)
        after = yield from self._marks(keys)
        waiting, found = 0, dict[Any, Kind]()
        for key, original, copy in zip(keys, originals, copies, strict=True):
            place = self._place(key)
            mark, later = before.get(place), after.get(place)
            if _number(mark) != _number(later) or (later is not None and later.waits):
                waiting += 1
            elif not self._same(original, copy):
                found[key] = "orphan" if original is None else "missing" if copy is None else "stale"
        return waiting, found

    def _same(self, original: Mapping[str, Any] | None, copy: Mapping[str, Any] | None) -> bool:
        if original is None or copy is None:
            return original is copy
        return self.digest(original) == self.digest(copy)

    def _values(self, side: Any, bound: Any, keys: Sequence[Any]) -> Steps:
        rows = yield On(side, side.compile_get(bound, tuple(keys)))
        return [None if row is None else bound.stored_values(row) for row in rows]

    def _marks(self, keys: Sequence[Any]) -> Steps:
        marks = yield from self.applying.marks_at([self._place(key) for key in keys])
        return {mark.place: mark for mark in marks}

    # -- mending -----------------------------------------------------------------------------------------------------

    def _copied(self, keys: list[Any]) -> None:
        self._run(self._copy(keys))

    def _copy(self, keys: list[Any]) -> Steps:
        """Bring these to the search side as if they had just been written."""
        now = self.backend.clock()
        marks = [new_mark(self.bound.schema.entity, self.copies.texts.text(key), now) for key in keys]
        waiting = yield from self.applying.number(marks)
        yield from self.applying.apply(waiting, now)

    def _key(self, values: Mapping[str, Any]) -> Any:
        return self.bound.key_from(values)

    def _place(self, key: Any) -> str:
        return place_of(self.bound.schema.entity, self.copies.texts.text(key))

    def _run(self, steps: Steps) -> Any:
        return self.backend.drive(steps)


_COUNTS = {"missing": "missing", "stale": "stale", "orphan": "orphans"}


def _number(mark: SyncMark | None) -> int:
    return 0 if mark is None else mark.number
