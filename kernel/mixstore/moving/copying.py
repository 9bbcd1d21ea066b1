"""`copy`: the rows of a model from one store to another."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from mixstore.backend import Backend
from mixstore.errors import ConfigurationError, ConflictError, UnsupportedOperationError
from mixstore.moving.checkpoints import Checkpoint
from mixstore.moving.forms import Forms
from mixstore.moving.reading import kept, pages, place
from mixstore.moving.storing import Moved, Refused, Store, check_conflict
from mixstore.moving.verifying import Verified, compare
from mixstore.query import Query

if TYPE_CHECKING:
    from mixstore.bound import Bound

Progress = Callable[[Moved], object]


class Part(NamedTuple):
    """The rows of one entity: the model's, or those that an extension keeps beside them."""

    owner: str
    source: Bound
    destination: Bound
    query: Query

    @property
    def entity(self) -> str:
        return self.source.schema.entity

    @property
    def label(self) -> str:
        """Of the rows of an internal model only those are a part that stand beside the owner's."""
        return f"{self.owner}/{self.entity}"


def copy(
    models: type[Any] | Sequence[type[Any]],
    source: Backend | str,
    destination: Backend | str,
    *,
    on_conflict: str = "fail",
    checkpoint: str | os.PathLike[str] | None = None,
    rows_only: bool = False,
    verify: bool = True,
    progress: Progress | None = None,
) -> list[Moved]:
    """Copy all rows of models, hidden ones too but not those that are dead, to a store that is initialized for them.

    Rows keep their values; what extensions keep beside them (revisions) comes along, unless `rows_only`. A row that is
    there with the same values is passed over, so that a copy that was stopped can be started again; with `checkpoint`,
    a file that is removed at the end, it goes on where it was, if the source sorts. A row with other values is a
    conflict: `fail` (a DuplicateKeyError), `skip`, or `replace`. At the end both stores are compared (`verify`), which
    is a ConflictError if they differ. `progress` is called after each page, with the numbers of its entity so far.

    Returns what became of each entity. Rows that somebody changes meanwhile may be copied as they were before.
    """
    check_conflict(on_conflict)
    pairs = [
        (place(one, source), place(one, destination)) for one in ([models] if isinstance(models, type) else models)
    ]
    for here, there in pairs:
        if here.backend is there.backend:
            raise ConfigurationError(f"{here.schema.name} can't be copied from a store to itself", model=here.model)
    parts = [part for pair in pairs for part in _parts(*pair, rows_only)]
    file = Checkpoint(checkpoint, " to ".join(_label(one) for one in pairs[0]) if pairs else "")
    for _, there in pairs:
        there.backend.initialize(there.model)
    found: list[Moved] = []
    for part in parts:
        found.append(moved := Moved(part.entity))
        if not file.done(part.label):
            _copy(part, on_conflict, file, moved, progress)
    for part in parts if verify else ():
        _check(compare(part.source, part.destination, part.query), part, on_conflict)
    file.remove()
    return found


def _label(bound: Bound) -> str:
    """The kind of a store and its name in the config; never its URL, which may hold a secret."""
    return f"{bound.backend.backend_name} {bound.backend.config_name or '(no name)'}"


def _parts(source: Bound, destination: Bound, rows_only: bool) -> list[Part]:
    queries = [] if rows_only else kept(source)
    theirs = {query.model for query in kept(destination)}
    for query in queries:
        if query.model not in theirs:
            raise UnsupportedOperationError(
                f"{source.schema.name} has rows of {query.model.__name__} beside its own, which no extension keeps on "
                f"{destination.backend.backend_name}",
                model=source.model,
                backend=destination.backend.backend_name,
                hint="rows_only=True leaves them",
            )
    owner = source.schema.entity
    beside = [
        Part(owner, source.backend.bound(one.model), destination.backend.bound(one.model), one) for one in queries
    ]
    return [Part(owner, source, destination, Query(source.model)), *beside]


def _copy(part: Part, on_conflict: str, file: Checkpoint, moved: Moved, progress: Progress | None) -> None:
    store = Store(part.destination, Forms(part.source, part.destination), on_conflict, moved)
    for page in pages(part.source, part.query, file.cursor(part.label)):
        try:
            store.put(page.rows)
        except Refused as refused:
            raise refused.error from refused.error.__cause__
        file.reached(part.label, page.cursor)
        if progress is not None:
            progress(moved)
    file.reached(part.label, None, done=True)


def _check(found: Verified, part: Part, on_conflict: str) -> None:
    wrong = found.missing + (0 if on_conflict == "skip" else found.different)
    if wrong:
        raise ConflictError(
            f"the copy of {part.entity} does not agree with its source: of {found.rows} rows {found.missing} are "
            f"missing and {found.different} differ; the first: {found.example!r}",
            model=part.source.model,
            key=found.example,
            backend=part.destination.backend.backend_name,
            hint="somebody wrote to one of them meanwhile; copy again when nobody does",
        )
