"""`CompositeBackend`: rows are written to a storage of record, and searched in another store that follows it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mixstore import BackendExtension, Capability, ConfigurationError, Drift, PlannedBackend, QueryPlan, Write, binding
from mixstore.backend import Told, silent
from mixstore.drivers import adrive, driver
from mixstore_backends.composite.applying import Applying
from mixstore_backends.composite.cache import Cache, checked
from mixstore_backends.composite.caching import Cached, Caching
from mixstore_backends.composite.comparing import Comparing, Comparison
from mixstore_backends.composite.copies import Copies, Copy, SyncedCopy
from mixstore_backends.composite.entries import CachedRow
from mixstore_backends.composite.following import Numbering, feed_of, lost_by
from mixstore_backends.composite.lag import Behind, Lag, token_of
from mixstore_backends.composite.marks import Lost, SyncMark, place_of
from mixstore_backends.composite.options import read_url
from mixstore_backends.composite.outbox import Followed, Outbox
from mixstore_backends.composite.plans import On, Steps, Stepwise
from mixstore_backends.composite.routing import QUERY_METHODS, Router
from mixstore_backends.composite.sides import check_sides
from mixstore_backends.composite.writing import Guarantee, Telling, guarantee_of

if TYPE_CHECKING:
    from mixstore import Bound, Query
    from mixstore.aggregations import Asked
    from mixstore.search import Hit
    from mixstore.write import KeyValue, Operation

SEARCHES = (
    Capability.FULL_TEXT
    | Capability.FUZZY_SEARCH
    | Capability.SIMPLE_SYNTAX
    | Capability.MORE_LIKE_THIS
    | Capability.HIGHLIGHTS
    | Capability.VECTORS
)
"""What is the search side's to do."""
TRIES = 10
"""How often the search side may refuse a record before it is left to an operator."""
PATIENCE = (0.5, 1.0, 2.0)


class CompositeBackend(PlannedBackend):
    """`storage` has the rows, `search` follows it and answers what that would have to scan for.

    cache: where rows are looked for by their keys before the storage is asked.
    guarantee: what a write promises about the search side. "async": a relay will tell it. "write-sync": it has taken
    the copy, or else a relay will tell it. "sync": searches see the copy, or else NotSearchableError says that the
    row is stored and they don't. follow: how relays hear of writes, "marks" beside rows or the storage's "stream".
    ConfigurationError for sides that lack what is needed.
    """

    backend_name = "composite"
    brings: tuple[type[BackendExtension], ...] = (Outbox,)
    patience: tuple[float, ...] = ()
    """Seconds before `verify` looks again at what differs, where no mark tells that it is on its way."""
    query_methods = QUERY_METHODS

    def __init__(
        self,
        storage: PlannedBackend,
        search: PlannedBackend,
        cache: Cache | None = None,
        *,
        guarantee: Guarantee = "async",
        tries: int = TRIES,
        follow: str = "marks",
    ) -> None:
        check_sides(storage, search)
        self.feed = feed_of(storage, follow)
        if self.feed is not None:
            self.brings, self.patience = (Followed,), PATIENCE
        super().__init__(storage.adapter)
        self.storage = storage
        self.search = search
        self.cache = checked(cache)
        self._caching = None if cache is None else Caching(cache, self.backend_name)
        self.tries = tries
        self.capabilities = (storage.capabilities & ~SEARCHES) | (search.capabilities & SEARCHES)
        self.scan_policy = storage.scan_policy
        default = guarantee_of(guarantee)
        self._guarantee = ContextVar("guarantee", default=default)
        self._copies: dict[type, Copies | None] = {}
        self._by_entity: dict[str, Copies] = {}
        self._drive = driver(_execute)

    @classmethod
    def from_url(cls, url: str) -> CompositeBackend:
        """`composite://?storage=NAME&search=NAME&guarantee=async&cache=memory`.

        The names are those of configured backends. `cache=redis://host:6379/0&cache_prefix=shop:&cache_ttl=60` is the
        other kind of cache.
        """
        return cls(**read_url(url))

    @property
    def extension_names(self) -> tuple[str, ...]:
        return (self.backend_name, *self.storage.extension_names)

    def __getattr__(self, name: str) -> Any:
        """What the storage offers besides, which extensions use that were written for it."""
        if name.startswith("_") or name in ("storage", "search"):
            raise AttributeError(name)
        return getattr(self.storage, name)

    def close(self) -> None:
        self.storage.close()
        self.search.close()
        if self.cache is not None:
            self.cache.close()

    async def aclose(self) -> None:
        await self.storage.aclose()
        await self.search.aclose()
        if self.cache is not None:
            self.cache.close()

    # -- guarantees --------------------------------------------------------------------------------------------------

    @contextmanager
    def guaranteeing(self, guarantee: Guarantee) -> Iterator[None]:
        """Writes of this block, in this thread or task, promise something else."""
        token = self._guarantee.set(guarantee_of(guarantee))
        try:
            yield
        finally:
            self._guarantee.reset(token)

    def token(self, *instances: Any) -> str:
        """What stands for the last writes of these rows, for `consistent_with()`; text that may travel."""
        self.lag.refuse()
        places = []
        for instance in instances:
            bound = self.bound(type(instance))
            copies = self.copies(bound)
            key = bound.key_from(instance.__dict__)
            if copies is None or key is None:
                raise ConfigurationError(f"{bound.schema.name} has no copies that a token could be about")
            places.append(place_of(bound.schema.entity, copies.texts.text(key)))
        return token_of(places)

    def behind(self) -> Behind:
        """How far the search side is behind now."""
        told: Behind = self.drive(self.lag.told())
        return told

    def cached(self) -> Cached:
        """How the cache served this process."""
        return Cached(0, 0, 0) if self._caching is None else self._caching.counts()

    def lost(self) -> list[Lost]:
        """The models of which the search side may lack changes, until they are reindexed, or verified and repaired."""
        return [] if self.feed is None else lost_by(self)

    def drive(self, steps: Steps) -> Any:
        """Carry out steps on both sides; what they return."""
        return self._drive("", steps)

    # -- comparing ---------------------------------------------------------------------------------------------------

    def verify(
        self,
        model: type[Any],
        *,
        repair: bool = False,
        sample: int | None = None,
        key: Any = None,
        note: Callable[[int], object] = lambda rows: None,
    ) -> Comparison:
        """Whether the search side has what the storage has, of all rows, of about `sample` of them, or of one `key`.

        Both are read page by page. repair: what differs is copied again, or removed if it is in the search side only.
        What is on its way is no difference. Rows that are dead are not looked at.
        """
        comparing = self._comparing(model)
        return comparing.verify(repair, sample, note) if key is None else comparing.one(key, repair)

    def reindex(
        self,
        model_class: type[Any],
        /,
        *,
        keep: bool | None = None,
        told: Told = silent,
    ) -> int:
        """Copy all rows of a model to the search side again, while others read and write; how many rows.

        What the search side has made for a model of another form is put right first, as its own `reindex` does it. One
        that was interrupted goes on where it was.
        """
        comparing = self._comparing(model_class)
        if self.search.drift_bound([comparing.copies.there]):
            self.search.reindex_bound(comparing.copies.there, keep=keep, told=told)
        return comparing.reindex(told)

    def _comparing(self, model: type[Any]) -> Comparing:
        copies = self.copies(self.bound(model))
        if copies is None:
            raise ConfigurationError(f"{model.__name__} has no copies: extensions keep it beside rows", model=model)
        return Comparing(self, copies)

    # -- binding -----------------------------------------------------------------------------------------------------

    @cached_property
    def marks(self) -> Bound:
        """The model of marks, on the storage."""
        return self.bound(SyncMark)

    @cached_property
    def lag(self) -> Lag:
        """What looks at the marks that wait."""
        return Lag(self.storage, self.marks, lambda: self.clock(), self.feed is None)

    @cached_property
    def router(self) -> Router:
        """What decides which side answers."""
        return Router(self.storage, self.search, self.lag)

    @property
    def applying(self) -> Applying:
        """What brings the search side up to date."""
        return Applying(self.storage, self.marks, self.copies_of, self.tries)

    @property
    def kept(self) -> Bound | None:
        """The model of the versions of copies, where the search side does not keep them itself."""
        return None if Capability.EXTERNAL_VERSIONS in self.search.capabilities else self.search.bound(SyncedCopy)

    def copies_of(self, entity: str) -> Copies | None:
        """The search side of an entity; None if no model of this program is that, on this backend."""
        known = self._by_entity.get(entity)
        if known is None:
            for model in binding.models_of(self):
                self.copies(self.bound(model))
            found = {one.bound.schema.entity: one for one in self._copies.values() if one is not None}
            self._by_entity = found
            known = found.get(entity)
        return known

    def copies(self, bound: Bound) -> Copies | None:
        """The search side of a model; None for what extensions keep beside rows."""
        if bound.model not in self._copies:
            internal = bound.schema.definition.internal
            self._copies[bound.model] = None if internal else Copies(bound, self.search)
        return self._copies[bound.model]

    def prepare(self, bound: Bound) -> Any:
        return self.storage.prepare(bound)

    def row_record(self, bound: Bound) -> Callable[[Any], dict[str, Any]] | None:
        of_storage = self.storage.row_record(bound)
        if bound.schema.definition.internal:
            return of_storage
        convert = of_storage or dict

        def record(row: Any) -> dict[str, Any]:
            if type(row) is CachedRow:
                return dict(row.record)
            if type(row) is not Copy:
                return convert(row)
            copies = self.copies(bound)
            assert copies is not None
            return copies.record_of(bound, row.values)

        return record

    def row_values(self, bound: Bound) -> Callable[[Any], dict[str, Any]] | None:
        of_storage = self.storage.row_values(bound)
        if bound.schema.definition.internal:
            return of_storage
        if of_storage is None and self.storage.row_record(bound) is None:
            of_storage = bound.decode
        if of_storage is None:
            return None
        convert, decode = of_storage, bound.decode

        def values(row: Any) -> dict[str, Any]:
            if type(row) is CachedRow:
                return decode(row.record)
            return dict(row.values) if type(row) is Copy else convert(row)

        return values

    def row_hit(self, row: Any) -> Hit | None:
        if type(row) is CachedRow:
            return None
        return row.hit if type(row) is Copy else self.storage.row_hit(row)

    def row_with_hit(self, row: Any, hit: Hit) -> Any:
        return Copy(row.values, hit) if type(row) is Copy else self.storage.row_with_hit(row, hit)

    def initialize_bound(self, bounds: Sequence[Bound]) -> None:
        self.storage.initialize_bound(bounds)
        if self.feed is not None:
            self.storage.execute(self.feed.compile_shards())
        self.search.initialize_bound(self._there(bounds))

    def drift_bound(self, bounds: Sequence[Bound]) -> list[Drift]:
        return [*self.storage.drift_bound(bounds), *self.search.drift_bound(self._there(bounds))]

    def _there(self, bounds: Sequence[Bound]) -> list[Bound]:
        """What the search side keeps of these models."""
        found = [copies for bound in bounds if (copies := self.copies(bound)) is not None]
        kept = [copies.kept for copies in found if copies.kept is not None]
        return list(dict.fromkeys([*(copies.there for copies in found), *kept]))

    # -- compiling ---------------------------------------------------------------------------------------------------

    def compile_get(self, bound: Bound, keys: Sequence[KeyValue]) -> Any:
        return self.storage.compile_get(bound, keys)

    def compile_read(self, bound: Bound, keys: Sequence[KeyValue]) -> Any:
        if self._caching is None:
            return self.storage.compile_get(bound, keys)
        return self._caching.reading(self.storage, bound, keys)

    def compile_query(self, bound: Bound, query: Query) -> QueryPlan:
        return self.router.query(bound, self.copies(bound), query, counts=False)

    def compile_count(self, bound: Bound, query: Query) -> QueryPlan:
        return self.router.query(bound, self.copies(bound), query, counts=True)

    def compile_aggregate(self, bound: Bound, query: Query, asked: Mapping[str, Asked]) -> QueryPlan | None:
        return self.router.aggregate(bound, self.copies(bound), query, asked)

    def compile_plain(
        self,
        bound: Bound,
        operation: Operation,
        key: KeyValue,
        record: dict[str, Any] | None,
        changes: dict[str, Any] | None,
    ) -> Any:
        told = self.feed is not None and self._guarantee.get() != "async"
        if told or self._caching is not None:
            return self.compile_writes(bound, (Write(operation, bound, key, record, changes),))
        return self.storage.compile_plain(bound, operation, key, record, changes)

    def compile_writes(self, bound: Bound, writes: Sequence[Write]) -> Any:
        return self._telling(bound, self.storage.compile_writes(bound, writes), writes)

    def compile_batch(self, bound: Bound, writes: Sequence[Write]) -> Any:
        plan = self.storage.compile_batch(bound, writes)
        return None if plan is None else self._telling(bound, plan, writes)

    def compile_finish(self, bound: Bound, keys: Sequence[KeyValue] | None) -> Any:
        return self.storage.compile_finish(bound, keys)

    def compile_collect(self, bounds: Sequence[Bound], partition: str) -> Any:
        return self.storage.compile_collect(bounds, partition)

    def _telling(self, bound: Bound, plan: Any, writes: Sequence[Write]) -> Any:
        if self._caching is not None:
            plan = self._caching.writing(self.storage, plan, bound, writes)
        guarantee = self._guarantee.get()
        if guarantee == "async":
            return plan
        numbering = None if self.feed is None else Numbering(self)
        return Telling(self.applying, On(self, plan), writes, guarantee, self.clock, numbering)

    # -- executing ---------------------------------------------------------------------------------------------------

    def execute(self, plan: Any) -> Any:
        if isinstance(plan, Stepwise):
            return self.drive(plan.steps())
        return self.storage.execute(plan)

    async def aexecute(self, plan: Any) -> Any:
        if isinstance(plan, Stepwise):
            return await adrive(_aexecute, plan.steps())
        return await self.storage.aexecute(plan)


def _execute(step: On) -> Any:
    return step.backend.execute(step.plan)


async def _aexecute(step: On) -> Any:
    return await step.backend.aexecute(step.plan)
