"""`Backend`: the public contract of a store. Anyone may implement it; `PlannedBackend` makes it short."""

from __future__ import annotations

import enum
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from datetime import datetime, timezone
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

from mixstore.errors import BatchError, MixstoreError, UnsupportedOperationError

if TYPE_CHECKING:
    from typing_extensions import Self

    from mixstore.adapter import ModelAdapter
    from mixstore.bound import Bound
    from mixstore.builder import QueryBuilder
    from mixstore.drift import Drift
    from mixstore.extension import BackendExtension
    from mixstore.transaction import Transaction

M = TypeVar("M")
Told = Callable[[str, int, "int | None"], None]
"""Is told of long work: what is done, how many rows so far, and of how many, if that is known."""


class Capability(enum.Flag):
    """What a backend declares that it can do. Declared means: it passes every conformance case tagged with it."""

    CONDITIONS = enum.auto()
    """A write can depend on the stored row, atomically."""
    ATOMIC_WRITES = enum.auto()
    """Several writes happen all or not at all."""
    CONSISTENT_READS = enum.auto()
    """A read by key sees every write of the row that was answered before it."""
    UNIQUE = enum.auto()
    """Unique fields are enforced by the engine."""
    PARTIAL_UNIQUE = enum.auto()
    """Rows that a fixed expression tells apart don't hold their unique values (`chain.freed`)."""
    INDEXES = enum.auto()
    """Equality and ranges on `index=True` fields don't scan."""
    ORDERED = enum.auto()
    """Any order is native, ties broken by the key."""
    ADD = enum.auto()
    """An update adds to numbers inside the engine, Decimals exactly, and alone tells the row as it is then."""
    FULL_TEXT = enum.auto()
    """`search()` over searchable fields for words, phrases and prefixes, and the order by its score."""
    FUZZY_SEARCH = enum.auto()
    """`search(text, fuzzy=True)` finds words with typing errors."""
    SIMPLE_SYNTAX = enum.auto()
    """`search(text, simple=True)` takes signs for phrases, for words that may and that must not be there."""
    MORE_LIKE_THIS = enum.auto()
    """`like(row)` finds rows whose words are those of another."""
    HIGHLIGHTS = enum.auto()
    """`search(text, highlight=True)` tells the parts of the text that were found."""
    VECTORS = enum.auto()
    """`similar()` over fields of vectors: exactly the nearest of the rows that the filter leaves, with their scores."""
    SECONDARY_INDEXES = enum.auto()
    """Equality on the partition of an index that `Meta.indexes` declares doesn't scan."""
    EXTERNAL_VERSIONS = enum.auto()
    """A write may bring a version, which loses against a higher one that is stored (`Write.version`)."""
    OWNED_ROWS = enum.auto()
    """Without ATOMIC_WRITES: a row brings along what only it writes (`SideWrite.owned`), and that is written in steps.

    Where a process stops in between, whoever meets the row finishes it (`compile_finish`).
    """


def utc_now() -> datetime:
    """The default clock."""
    return datetime.now(timezone.utc)


def silent(what: str, done: int, total: int | None) -> None:
    """Tells nobody."""


class Backend(ABC):
    """A store of records. Rows come and go as {field: python value}; keys come from the model's metadata.

    A class that implements just this gets model hooks; it runs no extensions, so required mixins are refused when a
    model is
    bound to it and others are listed as inactive.
    """

    capabilities: Capability = Capability(0)
    scan_policy: str = "allow"
    """What a full scan does unless `Meta.scan` says otherwise: allow, warn or forbid."""
    clock: Callable[[], datetime]
    """Gives the aware time that operations use; assign another one in tests."""
    runs_extensions: bool = False
    """Whether the chain of extensions stands in front of this backend."""
    config_name: str | None = None
    """The name under which the config knows this backend."""
    brings: tuple[type[BackendExtension], ...] = ()
    """Extensions that every model which is bound to this backend has, whatever it declares."""
    query_methods: Mapping[str, Callable[..., QueryBuilder[Any]]] = MappingProxyType({})
    """What queries on this backend can be told besides: `{"fresh": lambda query: query.option("fresh", True)}`."""

    def __init__(self, adapter: ModelAdapter) -> None:
        self.adapter = adapter
        self.clock = utc_now
        self._bounds: dict[type, Bound] = {}

    @property
    @abstractmethod
    def backend_name(self) -> str:
        """The kind of store, as extensions name it: `memory`, `sqlite`, ..."""

    @property
    def extension_names(self) -> tuple[str, ...]:
        """The kinds of store whose extensions fit this one, the best first."""
        return (self.backend_name,)

    @abstractmethod
    def create(self, model_class: type[Any], data: Mapping[str, Any]) -> dict[str, Any]:
        """Store a new row. ValidationError, DuplicateKeyError."""

    @abstractmethod
    def upsert(self, model_class: type[Any], data: Mapping[str, Any]) -> dict[str, Any]:
        """Store a row, replacing the whole of one that is there; never a version conflict. ValidationError."""

    @abstractmethod
    def get(self, model_class: type[Any], /, **filters: Any) -> dict[str, Any] | None:
        """The row with this primary key, or this value of one unique field; None if there is none."""

    @abstractmethod
    def update(self, model_class: type[Any], instance: Any) -> dict[str, Any]:
        """Store the changes of an instance. NotFoundError, ValidationError."""

    @abstractmethod
    def delete(self, model_class: type[Any], instance: Any) -> bool:
        """Delete the instance's row; False if it was not there."""

    @abstractmethod
    def query(self, model_class: type[M]) -> QueryBuilder[M]:
        """A query on this backend: `backend.query(User).filter(age__gte=18).limit(10).all()`."""

    @abstractmethod
    def count(self, model_class: type[Any], /, **filters: Any) -> int:
        """How many rows match."""

    @abstractmethod
    def exists(self, model_class: type[Any], /, **filters: Any) -> bool:
        """Whether any row matches."""

    def batch_create(self, model_class: type[Any], items: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Create many rows; every one is tried, then BatchError tells which failed, in order."""
        rows: list[dict[str, Any]] = []
        outcomes: list[Exception | None] = []
        for item in items:
            try:
                rows.append(self.create(model_class, item))
                outcomes.append(None)
            except MixstoreError as error:
                outcomes.append(error)
        if len(rows) < len(outcomes):
            failed = len(outcomes) - len(rows)
            raise BatchError(
                f"{failed} of {len(outcomes)} rows failed",
                outcomes=outcomes,
                model=model_class,
                backend=self.backend_name,
            )
        return rows

    def batch_get(self, model_class: type[Any], keys: Iterable[Any]) -> list[dict[str, Any] | None]:
        """The rows with these keys, in the order of the keys; None where there is none."""
        from mixstore.points import key_filters
        from mixstore.schema import schema_of

        schema = schema_of(model_class)
        return [self.get(model_class, **key_filters(schema, key)) for key in keys]

    def collect(self, /, *models: type[Any], **fields: Any) -> Iterator[Any]:
        """The rows of several models in one partition, by their sort keys: `backend.collect(User, Order, user_id=1)`.

        Read page by page while one goes through them. The fields are those that `Meta.key` makes the partition of;
        QueryError, at once, if the models have no such partition in common.
        """
        from mixstore import collecting

        return collecting.collect([self.bound(model) for model in models], fields)

    def acollect(self, /, *models: type[Any], **fields: Any) -> AsyncIterator[Any]:
        """`collect()`, for `async for`."""
        from mixstore import collecting

        return collecting.acollect([self.bound(model) for model in models], fields)

    def initialize(self, *models: type[Any]) -> None:  # noqa: B027  (optional)
        """Prepare the store for these models (default: every model bound to this backend): the only moment of DDL."""

    def drift(self, *models: type[Any]) -> list[Drift]:
        """What in the store is not as these models (default: every model bound to this backend) declare it.

        Asks the store and never changes it. Empty by default: for stores in which nothing is set up beforehand.
        """
        return []

    def reindex(self, model_class: type[Any], /, *, keep: bool | None = None, told: Told = silent) -> int:
        """Make what serves the queries of a model anew from its rows, while others read and write; how many rows.

        keep: whether what served them until now stays beside, where that is a thing of its own. told: is told what is
        done, how many rows so far, and of how many if that is known.
        """
        raise UnsupportedOperationError(
            f"{self.backend_name} keeps nothing beside the rows that could be made anew",
            model=model_class,
            backend=self.backend_name,
        )

    def close(self) -> None:  # noqa: B027  (optional)
        """Give back what the backend holds."""

    async def aclose(self) -> None:
        """`close()`, awaited: gives back what belongs to the running event loop too."""
        self.close()

    def transaction(self) -> Transaction:
        """`with backend.transaction(): ...` buffers writes and commits them all or nothing."""
        raise UnsupportedOperationError(
            f"{self.backend_name} has no transactions",
            backend=self.backend_name,
            hint="they need a backend that declares ATOMIC_WRITES",
        )

    def bound(self, model_class: type[Any]) -> Bound:
        """The model compiled for this backend."""
        bound = self._bounds.get(model_class)
        if bound is None:
            from mixstore import binding

            bound = binding.bind_pair(model_class, self)
        return bound

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()
