"""`SoftDelete`: a delete that hides the row and can be taken back."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from mixstore import (
    NOW,
    BackendExtension,
    Capability,
    Declaration,
    Mixin,
    NotFoundError,
    Q,
    QueryBuilder,
    QueryError,
    WriteChange,
    WriteContext,
    query_method,
)

if TYPE_CHECKING:
    from typing_extensions import Self


class SoftDelete(Mixin):
    """A deleted row is hidden from every read and write until `restore()` shows it or `purge_deleted()` removes it.

    `deleted_at` is when. Its key stays taken: create and upsert of it are a DuplicateKeyError. Its unique values stay
    taken as well, unless `Meta.soft_delete_frees_unique = True`; `restore()` then is a DuplicateKeyError if another
    row has one of them by now.
    """

    deleted_at: datetime | None = None

    # required: on a backend that runs no extension, a delete would be for ever
    Declares = Declaration(required=True, meta={"soft_delete_frees_unique": bool})

    class Hiding(BackendExtension):
        """Turns a delete into an update, and hides what was deleted by a filter that is part of every read."""

        requires = (Capability.CONDITIONS,)
        fidelity = "native"
        rewrites = {"delete": "update"}
        reveals = "include_deleted"
        unseen_deletes = True

        def before_write(self, context: WriteContext) -> WriteChange | None:
            if not (context.asked == "delete" and context.operation == "update"):
                return None
            if context.previous is not None and context.previous["deleted_at"] is not None:
                raise NotFoundError(f"{self.schema.name} to delete is deleted already")
            return WriteChange({"deleted_at": context.now})

        def veiled(self) -> Q:
            return _deleted()

        def frees_unique(self) -> Q | None:
            return _deleted() if self.schema.meta.get("soft_delete_frees_unique") else None

    @query_method
    def include_deleted(query: QueryBuilder[Any]) -> QueryBuilder[Any]:
        """Show deleted rows too."""
        return query.option(include_deleted=True)

    def restore(self) -> Self:
        """Show the row again, as it is stored. NotFoundError if it is not deleted; DuplicateKeyError (unique values).

        Only `deleted_at` is written; what the instance holds unsaved is given up.
        """
        try:
            return _deleted_rows(type(self)).update_one(self, deleted_at=None)  # type: ignore[no-any-return]
        except NotFoundError as error:
            raise _not_deleted(error) from error

    async def arestore(self) -> Self:
        """`restore()`, awaited."""
        try:
            return await _deleted_rows(type(self)).aupdate_one(self, deleted_at=None)  # type: ignore[no-any-return]
        except NotFoundError as error:
            raise _not_deleted(error) from error

    @classmethod
    def purge_deleted(cls, older_than: timedelta | None = None) -> int:
        """Remove deleted rows physically, all or those deleted at least so long ago; returns how many.

        A row that is restored meanwhile stays.
        """
        return _purged(cls, older_than).delete(physical=True)

    @classmethod
    async def apurge_deleted(cls, older_than: timedelta | None = None) -> int:
        """`purge_deleted()`, awaited."""
        return await _purged(cls, older_than).adelete(physical=True)


def _deleted() -> Q:
    return ~Q(deleted_at=None)  # type: ignore[return-value]


def _deleted_rows(model: Any) -> QueryBuilder[Any]:
    found: QueryBuilder[Any] = model.include_deleted()
    return found.filter(_deleted())


def _purged(model: Any, older_than: timedelta | None) -> QueryBuilder[Any]:
    # a row that has expired besides is hidden by TTL as well, and would be left
    deleted = _deleted_rows(model).option(include_expired=True)
    if older_than is None:
        return deleted
    if not isinstance(older_than, timedelta) or older_than < timedelta(0):
        raise QueryError(f"purge_deleted(older_than={older_than!r}): it takes a timedelta from 0 on, or None for all")
    try:
        datetime.now(timezone.utc) - older_than
    except OverflowError:
        raise QueryError("purge_deleted(older_than=...): so long ago falls out of the years 1 to 9999") from None
    return deleted.filter(deleted_at__lte=NOW - older_than)


def _not_deleted(error: NotFoundError) -> NotFoundError:
    return NotFoundError(
        "there is no deleted row to restore",
        model=error.model,
        key=error.key,
        backend=error.backend,
        hint="it was never deleted, or restored already, or purged",
    )
