"""`Timestamps`: when a row was created and when it last changed."""

from __future__ import annotations

from datetime import datetime

from mixstore import BackendExtension, Mixin, WriteChange, WriteContext


class Timestamps(Mixin):
    """`created_at` and `updated_at`, aware and in UTC, by the backend's clock.

    Both are the moment of the operation, the same on a new row. A `created_at` given to create is kept; upsert keeps
    that of the row it replaces.
    """

    created_at: datetime | None = None
    updated_at: datetime | None = None

    class Stamping(BackendExtension):
        """Sets the fields before they are stored."""

        reads = {"upsert": ()}
        unseen_deletes = True

        def before_write(self, context: WriteContext) -> WriteChange | None:
            if context.operation == "delete":
                return None
            created = context.values["created_at"]
            if context.operation == "upsert" and context.previous is not None:
                created = context.previous["created_at"]
            return WriteChange({"created_at": created or context.now, "updated_at": context.now})
