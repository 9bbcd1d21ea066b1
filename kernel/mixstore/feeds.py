"""Change feeds: what a store tells afterwards of the rows that were written, whoever wrote them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from mixstore.write import KeyValue


class Change(NamedTuple):
    """A row that was written or removed: which one, and not what became of it."""

    entity: str
    key: KeyValue


class Shard(NamedTuple):
    """A part of a feed.

    name: of this part alone, for ever. feed: of all parts that tell of the same rows. stream: of those that came to be
    by one switching on. after: the name of the part before it, if there was one. entities: those whose rows it may
    tell of.
    """

    name: str
    feed: str
    stream: str
    after: str | None
    entities: tuple[str, ...]


class Changes(NamedTuple):
    """What a part tells after a position.

    position: where to go on, to be kept. cursor: the same for the next minutes, and for this program; it may have
    moved though the position has not. ended: there won't be more. lost: the feed keeps no longer what came after the
    position; the rest is empty then.
    """

    changes: tuple[Change, ...]
    position: str
    cursor: Any = None
    ended: bool = False
    lost: bool = False


class Delivered(NamedTuple):
    """One record that somebody handed over. change: None if it is of no row that models of this program have."""

    id: str
    change: Change | None


class ChangeFeed(ABC):
    """Tells of every write at least once, some time after it; in no order that anybody should count on.

    Plans are for `execute()` of the backend that gave the feed.
    """

    @abstractmethod
    def compile_shards(self) -> Any:
        """Which parts there are: a list of Shard. ConfigurationError if the store does not feed."""

    @abstractmethod
    def compile_changes(self, shard: Shard, position: str, cursor: Any) -> Any:
        """`Changes` after this position ("": from the oldest that is kept); the cursor is used if it still can be."""

    @abstractmethod
    def delivered(self, event: Mapping[str, Any]) -> Iterable[Delivered]:
        """The records of an event by which a service hands them over. ConfigurationError for another event."""
