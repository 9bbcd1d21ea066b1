"""Writes whose caller is promised more than that the record is stored."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, get_args

from mixstore import ConfigurationError, MixstoreError, Outcome, Write
from mixstore.errors import nearest
from mixstore_backends.composite.applying import Applying
from mixstore_backends.composite.errors import NotSearchableError
from mixstore_backends.composite.following import Numbering
from mixstore_backends.composite.marks import SyncMark
from mixstore_backends.composite.plans import On, Steps, Stepwise

Guarantee = Literal["async", "write-sync", "sync"]
GUARANTEES: tuple[Guarantee, ...] = get_args(Guarantee)
_log = logging.getLogger("mixstore")


def guarantee_of(told: Any) -> Guarantee:
    """A guarantee by its name; ConfigurationError for another word."""
    if told not in GUARANTEES:
        raise ConfigurationError(f"{told!r} is no guarantee of a composite", hint=nearest(str(told), GUARANTEES))
    return told  # type: ignore[no-any-return]


class Telling(Stepwise):
    """Writes on the storage, and then the search side is told of those that were stored."""

    __slots__ = ("applying", "clock", "guarantee", "numbering", "plan", "writes")

    def __init__(
        self,
        applying: Applying,
        plan: On,
        writes: Sequence[Write],
        guarantee: Guarantee,
        clock: Callable[[], datetime],
        numbering: Numbering | None = None,
    ) -> None:
        self.applying = applying
        self.plan = plan
        self.writes = writes
        self.guarantee = guarantee
        self.clock = clock
        self.numbering = numbering

    def steps(self) -> Steps:
        outcomes: list[Outcome] = yield self.plan
        stored = {
            place: position
            for position, (write, outcome) in enumerate(zip(self.writes, outcomes, strict=True))
            if outcome.status == "ok"
            for place in self._places(write)
        }
        if not stored:
            return outcomes
        problems = yield from self._problems(stored)
        outcomes = list(outcomes)
        for place, problem in problems.items():
            write = self.writes[stored[place]]
            if self.guarantee == "sync":
                outcomes[stored[place]] = Outcome("ok", outcomes[stored[place]].stored, error=_told(write, problem))
            else:
                _log.warning("%r is stored, and a relay will tell the search side: %s", write, problem)
        return outcomes

    def _problems(self, places: Mapping[str, int]) -> Steps:
        """{place: what keeps searches from seeing the record}."""
        try:
            waiting = yield from self._waiting(places)
            told = yield from self.applying.apply(waiting, self.clock(), visible=self.guarantee == "sync")
        except MixstoreError as error:
            return dict.fromkeys(places, error)
        return {one.mark.place: one.error for one in told if one.error is not None}

    def _waiting(self, places: Mapping[str, int]) -> Steps:
        """The marks of what is to be copied. places: {place: position of the write}."""
        if self.numbering is not None:
            return (yield from self.numbering.marks(self.applying, [self.writes[one] for one in places.values()]))
        marks = yield from self.applying.marks_at(list(places))
        return [mark for mark in marks if mark.waits]

    def _places(self, write: Write) -> Sequence[str]:
        if self.numbering is not None:
            return self.numbering.places(write)
        return [side.key[0] for side in write.side_writes if side.bound.model is SyncMark]


def _told(write: Write, problem: Exception) -> NotSearchableError:
    schema = write.bound.schema
    error = NotSearchableError(
        f"{schema.name} is stored, and searches don't see it yet: {problem}",
        model=write.bound.model,
        key=schema.key_as_told(write.key),
        backend=write.bound.backend.backend_name,
        hint="a relay will bring it; don't write it again",
    )
    error.__cause__ = problem
    return error
