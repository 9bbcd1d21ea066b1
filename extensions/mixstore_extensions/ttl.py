"""`TTL`: rows that expire."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from pydantic import Field as Option

from mixstore import (
    NOW,
    BackendExtension,
    Declaration,
    Deferred,
    Field,
    Mixin,
    Q,
    QueryBuilder,
    WriteChange,
    WriteContext,
    query_method,
)


def _expires_in(lifetime: timedelta | float | None, now: datetime) -> dict[str, datetime | None]:
    if lifetime is None:
        return {"expires_at": None}
    if isinstance(lifetime, bool) or not isinstance(lifetime, timedelta | int | float):
        raise ValueError(f"it takes a timedelta or seconds, not {type(lifetime).__name__}")
    try:
        return {"expires_at": now + (lifetime if isinstance(lifetime, timedelta) else timedelta(seconds=lifetime))}
    except OverflowError:
        raise ValueError("so long a life falls out of the years 1 to 9999") from None


class TTL(Mixin):
    """A row is gone from `expires_at` on, for every read, before any limit; its key and its unique values are free
    again.

    Set `expires_at`, or `expires_in=` (a timedelta, or seconds) in create, upsert and update; `Meta.ttl` is the
    lifetime of
    rows that are created without either. A row whose `expires_at` is None stays. `purge_expired()` removes what is
    gone.
    """

    expires_at: datetime | None = Field(default=None, index=True)

    # required: rows that should expire must not outlive their time just since a backend can't do it
    Declares = Declaration(required=True, arguments={"expires_in": _expires_in}, meta={"ttl": timedelta})

    class Expiry(BackendExtension):
        """Hides expired rows by a filter that is part of every read."""

        reveals = "include_expired"
        unseen_deletes = True

        def before_write(self, context: WriteContext) -> WriteChange | None:
            lifetime = self.schema.meta.get("ttl")
            if lifetime is None or context.operation not in ("create", "upsert") or context.values["expires_at"]:
                return None
            return WriteChange({"expires_at": context.now + lifetime})

        def dead(self, now: Deferred) -> Q:
            return Q(expires_at__lte=now)

        def dies(self, values: Mapping[str, Any]) -> datetime | None:
            expires_at: datetime | None = values["expires_at"]
            return expires_at

    class DynamoDB(Expiry):
        """Hides them as everywhere, and has DynamoDB remove them: beside the moment stands its epoch second.

        The engine removes a row within some days of its time, so the second is rounded up. A row that stays has NULL
        there, which is no time to it, and which takes an older one away.
        """

        backend_name = "dynamodb"
        fidelity = "native"

        class Options(BackendExtension.Options):
            """attribute: which one holds the epoch second; a table has one such attribute."""

            attribute: str = Option(default="ttl", min_length=1, max_length=255)

        def configure_backend(self, model_class: type[Any]) -> None:
            backend: Any = self.backend
            backend.enable_ttl(model_class, self.options.attribute)

        @cached_property
        def _decode(self) -> Any:
            adapter: Any = self.backend.adapter
            return adapter.field_codec(self.schema.fields["expires_at"].type).decode

        def serialize(self, data: dict[str, Any]) -> dict[str, Any]:
            stored = data["expires_at"]
            moment = stored if stored is None or isinstance(stored, datetime) else self._decode(stored)
            return {**data, self.options.attribute: None if moment is None else math.ceil(moment.timestamp())}

        def deserialize(self, data: dict[str, Any]) -> dict[str, Any]:
            return {name: value for name, value in data.items() if name != self.options.attribute}

    @query_method
    def include_expired(query: QueryBuilder[Any]) -> QueryBuilder[Any]:
        """Show rows that have expired and are still there."""
        return query.option(include_expired=True)

    @classmethod
    def purge_expired(cls) -> int:
        """Remove expired rows physically; returns how many. A row whose time is extended meanwhile stays."""
        return _expired(cls).delete(physical=True)

    @classmethod
    async def apurge_expired(cls) -> int:
        """`purge_expired()`, awaited."""
        return await _expired(cls).adelete(physical=True)


def _expired(model: Any) -> QueryBuilder[Any]:
    # a row that was deleted before it expired is hidden by SoftDelete as well, and would be left
    found: QueryBuilder[Any] = model.include_expired().option(include_deleted=True)
    return found.filter(expires_at__lte=NOW)
