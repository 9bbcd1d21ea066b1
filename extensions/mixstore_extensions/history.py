"""`History`: every revision of a row, stored in the same atomic unit as the row itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mixstore import (
    BackendExtension,
    Bound,
    Capability,
    Declaration,
    Mixin,
    NotFoundError,
    Query,
    QueryBuilder,
    QueryError,
    SchemaError,
    SideWrite,
    UnsupportedOperationError,
    WriteContext,
    astore_values,
    bound_of,
    place_of,
    store_values,
)
from mixstore_extensions.acting import actor
from mixstore_extensions.revisions import Revision, Shelf, StoredRevision, rows_of

if TYPE_CHECKING:
    from typing_extensions import Self


class History(Mixin):
    """Keeps each revision of each row: what it was, since when, by whom (`with acting_as("ann"):`).

    `Meta.history_keep` is how many revisions of a row stay at most, `Meta.history_for` how long one stays after it was
    replaced. The first holds within each write, the second when `prune_history()` is called.
    """

    Declares = Declaration(meta={"history_keep": int, "history_for": timedelta})

    class Revisions(BackendExtension):
        """A revision is a row whose key is the row's and the next number: of two writers one finds it taken."""

        requires = (Capability.ATOMIC_WRITES,)
        reads = {"update": (), "delete": ()}

        @cached_property
        def shelf(self) -> Shelf:
            return Shelf(self.backend.bound(self.model))

        def configure_backend(self, model_class: type[Any]) -> None:
            keep, lifetime = self.schema.meta.get("history_keep", 1), self.schema.meta.get("history_for")
            if isinstance(keep, bool) or keep < 1:
                raise SchemaError(f"{self.schema.name}.Meta.history_keep must be a number from 1 on, not {keep!r}")
            if lifetime is not None and lifetime <= timedelta(0):
                raise SchemaError(f"{self.schema.name}.Meta.history_for must be positive, not {lifetime}")

        def side_models(self, model_class: type[Any]) -> Iterable[type[Any]]:
            return (StoredRevision,)

        def read_beside(self, operation: str, key: tuple[Any, ...]) -> Query:
            newest = self.backend.query(StoredRevision).filter(row=self.shelf.row(key)).order_by("-number").limit(1)
            return newest.query

        def write_beside(self, context: WriteContext, found: Sequence[Mapping[str, Any]]) -> Iterator[SideWrite]:
            removed = context.operation == "delete"
            if context.key is None or context.record is None or not (removed or context.changed):
                return
            number = found[0]["number"] + 1 if found else 1
            row = self.shelf.row(context.key)
            revision = StoredRevision(
                row=row,
                number=number,
                at=max(context.now, found[0]["at"]) if found else context.now,  # the clocks of two writers may differ
                by=actor(),
                operation=context.asked,
                deleted=removed,
                **self.shelf.put(context.record),
            )
            yield SideWrite("create", revision, contested=True)
            keep = self.schema.meta.get("history_keep")
            if keep is not None and number > keep:
                yield SideWrite("delete", StoredRevision.model_construct(row=row, number=number - keep))

    @classmethod
    def history(cls, key: Any = None, /, **filters: Any) -> list[Revision]:
        """The revisions of the row with this key (as in `get()`), newest first; also of one that is deleted."""
        shelf = _shelf(bound_of(cls))
        return _seen(shelf, _revisions(shelf, shelf.bound.key(key, filters)).all())

    @classmethod
    async def ahistory(cls, key: Any = None, /, **filters: Any) -> list[Revision]:
        """`history()`, awaited."""
        shelf = _shelf(bound_of(cls))
        return _seen(shelf, await _revisions(shelf, shelf.bound.key(key, filters)).aall())

    @classmethod
    def as_of(cls, time: datetime, key: Any = None, /, **filters: Any) -> Self | None:
        """The row as it was then, as a new instance; None if it was not there or could not be seen."""
        shelf = _shelf(bound_of(cls))
        query = _revisions(shelf, shelf.bound.key(key, filters)).filter(at__lte=time)
        return _instance(shelf, query.limit(1).all(), time)  # type: ignore[no-any-return]

    @classmethod
    async def aas_of(cls, time: datetime, key: Any = None, /, **filters: Any) -> Self | None:
        """`as_of()`, awaited."""
        shelf = _shelf(bound_of(cls))
        query = _revisions(shelf, shelf.bound.key(key, filters)).filter(at__lte=time)
        return _instance(shelf, await query.limit(1).aall(), time)  # type: ignore[no-any-return]

    def diff(self, a: int | Revision, b: int | Revision, /) -> dict[str, tuple[Any, Any]]:
        """{field: (its value in revision a, in b)} of what differs; a row that was deleted has None in each field."""
        shelf, numbers = _shelf(place_of(self)), _numbers(a, b)
        return _difference(shelf, a, b, _numbered(shelf, self, numbers).all() if numbers else [])

    async def adiff(self, a: int | Revision, b: int | Revision, /) -> dict[str, tuple[Any, Any]]:
        """`diff()`, awaited."""
        shelf, numbers = _shelf(place_of(self)), _numbers(a, b)
        return _difference(shelf, a, b, await _numbered(shelf, self, numbers).aall() if numbers else [])

    def revert(self, to: int | Revision, /) -> Self:
        """Store the values of a revision again, as a new one. NotFoundError if there is no such revision."""
        shelf, numbers = _shelf(place_of(self)), _numbers(to)
        found = _numbered(shelf, self, numbers).all() if numbers else []
        return store_values(self, _restored(shelf, to, found))  # type: ignore[no-any-return]

    async def arevert(self, to: int | Revision, /) -> Self:
        """`revert()`, awaited."""
        shelf, numbers = _shelf(place_of(self)), _numbers(to)
        found = await _numbered(shelf, self, numbers).aall() if numbers else []
        return await astore_values(self, _restored(shelf, to, found))  # type: ignore[no-any-return]

    @classmethod
    def prune_history(cls) -> int:
        """Remove the revisions that `Meta.history_keep` and `history_for` let go; returns how many."""
        bound = _shelf(bound_of(cls)).bound
        expiry = _Expiry(bound)
        return sum(expiry.upto(found).delete() for found in _all_revisions(bound) if expiry.reached(found))

    @classmethod
    async def aprune_history(cls) -> int:
        """`prune_history()`, awaited."""
        bound = _shelf(bound_of(cls)).bound
        expiry, removed = _Expiry(bound), 0
        async for found in _all_revisions(bound):
            if expiry.reached(found):
                removed += await expiry.upto(found).adelete()
        return removed


def _shelf(bound: Bound) -> Shelf:
    """UnsupportedOperationError on a backend that can't keep any history."""
    if Capability.ATOMIC_WRITES not in bound.backend.capabilities:
        raise UnsupportedOperationError(
            f"{bound.schema.name} has no history on {bound.backend.backend_name}, which lacks ATOMIC_WRITES",
            model=bound.model,
            backend=bound.backend.backend_name,
        )
    return Shelf(bound)


def _revisions(shelf: Shelf, key: tuple[Any, ...]) -> QueryBuilder[StoredRevision]:
    return shelf.bound.backend.query(StoredRevision).filter(row=shelf.row(key)).order_by("-number")


def _numbered(shelf: Shelf, instance: Any, numbers: Sequence[int]) -> QueryBuilder[StoredRevision]:
    key = shelf.bound.key_from(instance.__dict__)
    return _revisions(shelf, key or ()).filter(number__in=numbers)


def _seen(shelf: Shelf, found: Iterable[StoredRevision]) -> list[Revision]:
    """Without what no query option reveals (another tenant's); what is deleted or has expired stays history."""
    bound = shelf.bound
    now, options = bound.backend.clock(), bound.chain.revealed
    return [one for one in map(shelf.take, found) if bound.visible(one.values, now, options)]


def _instance(shelf: Shelf, found: Sequence[StoredRevision], time: datetime) -> Any:
    bound = shelf.bound
    for one in map(shelf.take, found):
        if not one.deleted and bound.visible(one.values, time):
            return bound.construct(one.values, (bound, None, None, None)).model_copy()  # copies are new
    return None


def _numbers(*wanted: int | Revision) -> list[int]:
    for one in wanted:
        if isinstance(one, bool) or not isinstance(one, int | Revision):
            raise QueryError(f"a revision is a number or a Revision, not {type(one).__name__}")
    return [one for one in wanted if isinstance(one, int)]


def _chosen(shelf: Shelf, wanted: int | Revision, found: Iterable[StoredRevision]) -> Revision:
    if isinstance(wanted, Revision):
        return wanted
    for one in _seen(shelf, found):
        if one.number == wanted:
            return one
    raise NotFoundError(
        f"{shelf.bound.schema.name} has no revision {wanted}",
        model=shelf.bound.model,
        backend=shelf.bound.backend.backend_name,
        hint="history() lists those that are kept",
    )


def _difference(
    shelf: Shelf, a: int | Revision, b: int | Revision, found: Sequence[StoredRevision]
) -> dict[str, tuple[Any, Any]]:
    sides = [_chosen(shelf, one, found) for one in (a, b)]
    old, new = ({} if one.deleted else one.values for one in sides)
    pairs = {name: (old.get(name), new.get(name)) for name in shelf.bound.schema.fields}
    return {name: (one, other) for name, (one, other) in pairs.items() if one != other or type(one) is not type(other)}


def _restored(shelf: Shelf, to: int | Revision, found: Sequence[StoredRevision]) -> dict[str, Any]:
    revision = _chosen(shelf, to, found)
    if revision.deleted:
        raise QueryError(
            f"revision {revision.number} of {shelf.bound.schema.name} is its deletion",
            model=shelf.bound.model,
            hint="delete() does that; revert to an earlier one",
        )
    return {name: value for name, value in revision.values.items() if name not in shelf.bound.schema.key_fields}


def _all_revisions(bound: Bound) -> QueryBuilder[dict[str, Any]]:
    """Of each row the newest first, without the values."""
    query = bound.backend.query(StoredRevision).filter(row__startswith=rows_of(bound.schema.entity))
    return query.order_by("row", "-number").select("row", "number", "at", "deleted")


class _Expiry:
    """Walks the revisions of all rows, each row's newest first, and finds the first of a row that may go."""

    def __init__(self, bound: Bound) -> None:
        self.bound = bound
        self.keep = bound.schema.meta.get("history_keep")
        lifetime = bound.schema.meta.get("history_for")
        self.oldest = None if lifetime is None else bound.backend.clock() - lifetime
        self.row: str | None = None

    def reached(self, found: Mapping[str, Any]) -> bool:
        """Whether this one may go, and with it all that are older. The newest goes only if it is an old deletion."""
        if found["row"] != self.row:
            self.row, self.seen, self.done = found["row"], 0, False
            self.replaced = found["at"] if found["deleted"] else None
        self.seen += 1
        too_many = self.keep is not None and self.seen > self.keep
        too_old = self.oldest is not None and self.replaced is not None and self.replaced < self.oldest
        self.replaced = found["at"]
        first = (too_many or too_old) and not self.done
        self.done = self.done or first
        return first

    def upto(self, found: Mapping[str, Any]) -> QueryBuilder[StoredRevision]:
        query = self.bound.backend.query(StoredRevision)
        return query.filter(row=found["row"], number__lte=found["number"])
