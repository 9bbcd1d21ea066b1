"""`History`: every revision of a row, stored in the same atomic unit as the row itself, or brought along by it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from mixstore import (
    BackendExtension,
    Capability,
    Declaration,
    Mixin,
    Query,
    SchemaError,
    SideWrite,
    WriteContext,
    afinish_beside,
    astore_values,
    bound_of,
    finish_beside,
    place_of,
    store_values,
)
from mixstore_extensions.acting import actor
from mixstore_extensions.history.reading import (
    Expiry,
    before,
    difference,
    instance_of,
    newest_first,
    numbered,
    of_entity,
    restored,
    row_of,
    seen,
    shelf_of,
)
from mixstore_extensions.history.stored import Revision, Shelf, StoredRevision

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

        requires: ClassVar[tuple[str | Capability, ...]] = (Capability.ATOMIC_WRITES,)
        fidelity: ClassVar[Literal["native", "emulated"]] = "native"
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

        def kept_beside(self, model_class: type[Any]) -> Iterable[Query]:
            return (of_entity(self.shelf).query,)

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
            yield SideWrite("create", revision, contested=True, owned=True)
            keep = self.schema.meta.get("history_keep")
            if keep is not None and number > keep:
                oldest = StoredRevision.model_construct(row=row, number=number - keep)
                yield SideWrite("delete", oldest, owned=True)

    class InSteps(Revisions):
        """Without transactions: a row brings its revision along, and who meets it before that is written writes it."""

        backend_name = "opensearch"
        requires = (Capability.OWNED_ROWS, Capability.CONDITIONS)
        fidelity = "emulated"

    @classmethod
    def history(cls, key: Any = None, /, **filters: Any) -> list[Revision]:
        """The revisions of the row with this key (as in `get()`), newest first; also of one that is deleted."""
        shelf, row = row_of(bound_of(cls), key, filters)
        finish_beside(shelf.bound, (row,))
        return seen(shelf, newest_first(shelf, row).all())

    @classmethod
    async def ahistory(cls, key: Any = None, /, **filters: Any) -> list[Revision]:
        """`history()`, awaited."""
        shelf, row = row_of(bound_of(cls), key, filters)
        await afinish_beside(shelf.bound, (row,))
        return seen(shelf, await newest_first(shelf, row).aall())

    @classmethod
    def as_of(cls, time: datetime, key: Any = None, /, **filters: Any) -> Self | None:
        """The row as it was then, as a new instance; None if it was not there or could not be seen."""
        shelf, row = row_of(bound_of(cls), key, filters)
        query = before(shelf, row, time)
        finish_beside(shelf.bound, (row,))
        return instance_of(shelf, query.all(), time)  # type: ignore[no-any-return]

    @classmethod
    async def aas_of(cls, time: datetime, key: Any = None, /, **filters: Any) -> Self | None:
        """`as_of()`, awaited."""
        shelf, row = row_of(bound_of(cls), key, filters)
        query = before(shelf, row, time)
        await afinish_beside(shelf.bound, (row,))
        return instance_of(shelf, await query.aall(), time)  # type: ignore[no-any-return]

    def diff(self, a: int | Revision, b: int | Revision, /) -> dict[str, tuple[Any, Any]]:
        """{field: (its value in revision a, in b)} of what differs; a row that was deleted has None in each field."""
        shelf = shelf_of(place_of(self))
        query = numbered(shelf, self, (a, b))
        finish_beside(shelf.bound, shelf.keys_of(self))
        return difference(shelf, a, b, [] if query is None else query.all())

    async def adiff(self, a: int | Revision, b: int | Revision, /) -> dict[str, tuple[Any, Any]]:
        """`diff()`, awaited."""
        shelf = shelf_of(place_of(self))
        query = numbered(shelf, self, (a, b))
        await afinish_beside(shelf.bound, shelf.keys_of(self))
        return difference(shelf, a, b, [] if query is None else await query.aall())

    def revert(self, to: int | Revision, /) -> Self:
        """Store the values of a revision again, as a new one. NotFoundError if there is no such revision.

        QueryError for one of another row.
        """
        shelf = shelf_of(place_of(self))
        query = numbered(shelf, self, (to,))
        finish_beside(shelf.bound, shelf.keys_of(self))
        found = [] if query is None else query.all()
        return store_values(self, restored(shelf, to, found))  # type: ignore[no-any-return]

    async def arevert(self, to: int | Revision, /) -> Self:
        """`revert()`, awaited."""
        shelf = shelf_of(place_of(self))
        query = numbered(shelf, self, (to,))
        await afinish_beside(shelf.bound, shelf.keys_of(self))
        found = [] if query is None else await query.aall()
        return await astore_values(self, restored(shelf, to, found))  # type: ignore[no-any-return]

    @classmethod
    def prune_history(cls) -> int:
        """Remove the revisions that `Meta.history_keep` and `history_for` let go; returns how many.

        Only of rows that could be seen: of a tenant its own.
        """
        expiry = Expiry(shelf_of(bound_of(cls)))
        finish_beside(expiry.bound)
        found = expiry.revisions() if expiry.by_page else expiry.revisions().all()
        return sum(expiry.upto(one).delete() for one in found if expiry.reached(one))

    @classmethod
    async def aprune_history(cls) -> int:
        """`prune_history()`, awaited."""
        expiry = Expiry(shelf_of(bound_of(cls)))
        await afinish_beside(expiry.bound)
        if not expiry.by_page:
            reached = [one for one in await expiry.revisions().aall() if expiry.reached(one)]
            return sum([await expiry.upto(one).adelete() for one in reached])
        removed = 0
        async for one in expiry.revisions():
            if expiry.reached(one):
                removed += await expiry.upto(one).adelete()
        return removed
