"""How the history of a row is read back, and which revisions may go."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from mixstore import TRUE, Bound, Capability, NotFoundError, QueryBuilder, QueryError, UnsupportedOperationError
from mixstore.expressions import paths
from mixstore_extensions.history.stored import Revision, Shelf, StoredRevision, rows_of

LONG_AGO = datetime.min.replace(tzinfo=timezone.utc)


def shelf_of(bound: Bound) -> Shelf:
    """UnsupportedOperationError on a backend that can't keep any history."""
    if not bound.backend.capabilities & (Capability.ATOMIC_WRITES | Capability.OWNED_ROWS):
        raise UnsupportedOperationError(
            f"{bound.schema.name} has no history on {bound.backend.backend_name}, which lacks ATOMIC_WRITES",
            model=bound.model,
            backend=bound.backend.backend_name,
        )
    return Shelf(bound)


def row_of(bound: Bound, key: Any, filters: Mapping[str, Any]) -> tuple[Shelf, tuple[Any, ...]]:
    """The shelf of a model, and the key that a caller told."""
    shelf = shelf_of(bound)
    return shelf, bound.key(key, filters)


def newest_first(shelf: Shelf, key: tuple[Any, ...]) -> QueryBuilder[StoredRevision]:
    return shelf.bound.backend.query(StoredRevision).filter(row=shelf.row(key)).order_by("-number")


def of_entity(shelf: Shelf) -> QueryBuilder[StoredRevision]:
    """The revisions of all rows of the model."""
    return shelf.bound.backend.query(StoredRevision).filter(row__startswith=rows_of(shelf.bound.schema.entity))


def before(shelf: Shelf, key: tuple[Any, ...], time: datetime) -> QueryBuilder[StoredRevision]:
    """The newest revision of a row at a time. QueryError for anything but a datetime with a time zone."""
    if not isinstance(time, datetime) or time.tzinfo is None:
        raise QueryError(
            f"as_of() takes a datetime with a time zone, not {time!r}",
            model=shelf.bound.model,
            hint="datetime.now(timezone.utc)",
        )
    return newest_first(shelf, key).filter(at__lte=time).limit(1)


def numbered(shelf: Shelf, instance: Any, wanted: Sequence[int | Revision]) -> QueryBuilder[StoredRevision] | None:
    """Those of the instance's row that are told by number; None if none is. QueryError for another row's."""
    numbers = []
    key = shelf.bound.key_from(instance.__dict__) or ()
    for one in wanted:
        if isinstance(one, bool) or not isinstance(one, int | Revision):
            raise QueryError(f"a revision is a number or a Revision, not {type(one).__name__}")
        if isinstance(one, int):
            numbers.append(one)
        elif one.row != shelf.row(key):
            raise QueryError(
                f"revision {one.number} is one of another row",
                model=shelf.bound.model,
                key=shelf.bound.schema.key_as_told(key),
                backend=shelf.bound.backend.backend_name,
            )
    return newest_first(shelf, key).filter(number__in=numbers) if numbers else None


def seen(shelf: Shelf, found: Iterable[StoredRevision]) -> list[Revision]:
    """Without what no query option reveals (another tenant's); what is deleted or has expired stays history."""
    bound = shelf.bound
    visible = bound.visible(bound.backend.clock(), bound.chain.revealed)
    return [one for one in map(shelf.take, found) if visible(one.values)]


def instance_of(shelf: Shelf, found: Sequence[StoredRevision], time: datetime) -> Any:
    bound = shelf.bound
    visible = bound.visible(time)
    for one in map(shelf.take, found):
        if not one.deleted and visible(one.values):
            return bound.construct(one.values, (bound, None, None, None)).model_copy()  # copies are new
    return None


def _chosen(shelf: Shelf, wanted: int | Revision, found: Iterable[StoredRevision]) -> Revision:
    if isinstance(wanted, Revision):
        return wanted
    for one in seen(shelf, found):
        if one.number == wanted:
            return one
    raise NotFoundError(
        f"{shelf.bound.schema.name} has no revision {wanted}",
        model=shelf.bound.model,
        backend=shelf.bound.backend.backend_name,
        hint="history() lists those that are kept",
    )


def difference(
    shelf: Shelf, a: int | Revision, b: int | Revision, found: Sequence[StoredRevision]
) -> dict[str, tuple[Any, Any]]:
    sides = [_chosen(shelf, one, found) for one in (a, b)]
    old, new = ({} if one.deleted else one.values for one in sides)
    pairs = {name: (old.get(name), new.get(name)) for name in shelf.bound.schema.fields}
    return {name: (one, other) for name, (one, other) in pairs.items() if one != other or type(one) is not type(other)}


def restored(shelf: Shelf, to: int | Revision, found: Sequence[StoredRevision]) -> dict[str, Any]:
    revision = _chosen(shelf, to, found)
    if revision.deleted:
        raise QueryError(
            f"revision {revision.number} of {shelf.bound.schema.name} is its deletion",
            model=shelf.bound.model,
            hint="delete() does that; revert to an earlier one",
        )
    if not shelf.bound.visible(shelf.bound.backend.clock())(revision.values):
        raise QueryError(
            f"revision {revision.number} of {shelf.bound.schema.name} would hide the row: it was deleted then, or has "
            "expired",
            model=shelf.bound.model,
            hint="revert to another one, or update() with its values",
        )
    return {name: value for name, value in revision.values.items() if name not in shelf.bound.schema.key_fields}


class Expiry:
    """Walks the revisions of all rows, each row's newest first, and finds the first of a row that may go.

    A row that nobody could see now (another tenant's) keeps its revisions. One that has expired counts as deleted at
    that time: it may have been replaced since by a row that wanted its unique value.
    """

    def __init__(self, shelf: Shelf) -> None:
        bound = self.bound = shelf.bound
        self.shelf = shelf
        self.keep = bound.schema.meta.get("history_keep")
        lifetime = bound.schema.meta.get("history_for")
        now = bound.backend.clock()
        self.by_page = Capability.ORDERED in bound.backend.capabilities  # or each page would sort all of them
        self.oldest = None if lifetime is None else now - lifetime
        seen, dead = bound.chain.visibility(bound.chain.revealed), bound.chain.evict
        self.visible = None if seen == TRUE else bound.visible(now, bound.chain.revealed)
        self.long_gone = None if bound.dead is None or self.oldest is None else bound.dead({"now": self.oldest})
        asked = [*([] if self.visible is None else [seen]), *([] if self.long_gone is None or dead is None else [dead])]
        self.names = {path[0] for expr in asked for path in paths(expr)}
        self.row: str | None = None
        self.replaced: datetime | None = None
        self.seen, self.done = 0, False

    def revisions(self) -> QueryBuilder[dict[str, Any]]:
        """Of each row the newest first, with the values only if they are needed."""
        wanted = ("row", "number", "at", "deleted", *(("values",) if self.names else ()))
        return of_entity(self.shelf).order_by("row", "-number").select(*wanted)

    def reached(self, found: Mapping[str, Any]) -> bool:
        """Whether this one may go, and with it all that are older. The newest goes only if it is an old deletion."""
        if found["row"] != self.row:
            self._begin(found)
        self.seen += 1
        too_many = self.keep is not None and self.seen > self.keep
        too_old = self.oldest is not None and self.replaced is not None and self.replaced < self.oldest
        self.replaced = found["at"]
        first = (too_many or too_old) and not self.done
        self.done = self.done or first
        return first

    def _begin(self, newest: Mapping[str, Any]) -> None:
        values = self.shelf.some(newest, self.names) if self.names else {}
        self.row, self.seen = newest["row"], 0
        self.done = self.visible is not None and not self.visible(values)
        self.replaced = newest["at"] if newest["deleted"] else None
        if self.replaced is None and self.long_gone is not None and self.long_gone(values):
            self.replaced = LONG_AGO

    def upto(self, found: Mapping[str, Any]) -> QueryBuilder[StoredRevision]:
        query = self.bound.backend.query(StoredRevision)
        return query.filter(row=found["row"], number__lte=found["number"])
