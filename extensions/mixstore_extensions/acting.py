"""Who acts: told once for a block, known to whatever keeps a record of writes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from mixstore import ValidationError

_actor: ContextVar[str | None] = ContextVar("mixstore_actor", default=None)

actor = _actor.get
"""Who acts in this task or thread, or None if nobody said so."""


@contextmanager
def acting_as(who: str | None) -> Iterator[None]:
    """Within the block, in this task or thread, writes are this one's: `with acting_as("ann"): ...`; None is nobody.

    A write of a transaction is whose it was at the call. ValidationError for anything but text.
    """
    if not (who is None or (isinstance(who, str) and who)):
        raise ValidationError(f"acting_as() takes a name, not {who!r}", field="who")
    token = _actor.set(who)
    try:
        yield
    finally:
        _actor.reset(token)
