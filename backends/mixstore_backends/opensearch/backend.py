"""`OpenSearchBackend`: it compiles to requests, and `execute()` sends them."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from mixstore.backend import Capability, Told, silent
from mixstore.drivers import adrive, driver
from mixstore.errors import ConfigurationError, MixstoreError, UnsupportedOperationError
from mixstore.planned import PlannedBackend, QueryPlan
from mixstore.search import Hit
from mixstore_backends.opensearch import (
    aggregations,
    clients,
    errors,
    guarding,
    manage,
    points,
    queries,
    removals,
    settling,
    units,
    vectors,
)
from mixstore_backends.opensearch.adapter import OpenSearchAdapter
from mixstore_backends.opensearch.declared import NOTHING_DECLARED, Declared
from mixstore_backends.opensearch.drift import Compare
from mixstore_backends.opensearch.layout import Index, adapts_by_itself
from mixstore_backends.opensearch.mapping import Mapped
from mixstore_backends.opensearch.native import Found
from mixstore_backends.opensearch.reindexing import Abandon, Reindex, Release
from mixstore_backends.opensearch.requests import Pause, Request, Stepwise, refreshing

if TYPE_CHECKING:
    from mixstore.aggregations import Asked
    from mixstore.bound import Bound
    from mixstore.drift import Drift
    from mixstore.query import Query
    from mixstore.write import KeyValue, Write
    from mixstore_backends.opensearch.converting import Change


class OpenSearchBackend(PlannedBackend):
    """Documents in OpenSearch: one index a model, known by the alias `prefix` + the entity in lower case.

    client: an `OpenSearch` of yours, with whatever it needs to sign in; otherwise `hosts`, as opensearch-py takes them,
    are asked without. async_client: an `AsyncOpenSearch` for the verbs that are awaited; without one they run in
    threads. refresh: "wait_for" makes a write return when searches see it (which takes up to a second, the engine's
    refresh interval), True makes them see it at once (which costs the engine), False does not wait; reads by key always
    see it. "lazy" does not wait either, and a search of this backend first refreshes what the same backend has written.
    settings: those of indexes that `initialize()` creates, such as {"number_of_shards": 3}. knn: the cluster has the
    k-NN plugin, which is to keep graphs of vectors for `similar(..., approximate=True)`.
    """

    backend_name = errors.NAME
    capabilities = (
        Capability.CONDITIONS
        | Capability.CONSISTENT_READS
        | Capability.INDEXES
        | Capability.ORDERED
        | Capability.ADD
        | Capability.FULL_TEXT
        | Capability.FUZZY_SEARCH
        | Capability.SIMPLE_SYNTAX
        | Capability.MORE_LIKE_THIS
        | Capability.HIGHLIGHTS
        | Capability.VECTORS
        | Capability.EXTERNAL_VERSIONS
        | Capability.OWNED_ROWS
    )
    adapter: OpenSearchAdapter

    def __init__(
        self,
        client: Any = None,
        adapter: OpenSearchAdapter | None = None,
        *,
        hosts: Any = None,
        prefix: str = "",
        refresh: str | bool = "wait_for",
        settings: Mapping[str, Any] | None = None,
        async_client: Any = None,
        knn: bool = False,
    ) -> None:
        if adapter is not None and not isinstance(adapter, OpenSearchAdapter):
            raise ConfigurationError(f"the adapter of OpenSearch is an OpenSearchAdapter, not {type(adapter).__name__}")
        if client is not None and hosts is not None:
            raise ConfigurationError("a client knows its hosts: give one of client and hosts")
        super().__init__(adapter or OpenSearchAdapter())
        self._owned = client is None
        self.client = clients.client_for(hosts or [{"host": "localhost", "port": 9200}]) if client is None else client
        self.async_client = async_client
        self.prefix = prefix
        self.settings = dict(settings or {})
        self.knn = knn
        default = clients.policy(refresh)
        self._refresh = ContextVar("refresh", default=default)
        self._indexes: dict[str, Index] = {}
        self._mapped: dict[type, dict[str, Mapped]] = {}
        self._declared: dict[type[Any], Declared] = {}
        self._abandoned: deque[str] = deque()
        self._drive = driver(self._send)

    @classmethod
    def from_url(cls, url: str) -> OpenSearchBackend:
        """`opensearch://user:password@host:9200?prefix=app-&tls=true`.

        Options: prefix, refresh (wait_for, lazy, true, false), timeout (seconds), tls, knn, ca (the file of a CA);
        sigv4 (a region) signs requests for Amazon OpenSearch Service, of the service es (default) or aoss.
        """
        told = clients.read_url(url)
        client = clients.client_for(told["hosts"], **told["client"])
        backend = cls(client, prefix=told["prefix"], refresh=told["refresh"], knn=told["knn"])
        backend._owned = True
        return backend

    def close(self) -> None:
        """Close points in time that are still open, and the client if it is this backend's own."""
        with suppress(MixstoreError):
            self._close_abandoned()
        if self._owned:
            self.client.close()

    # -- refresh ---------------------------------------------------------------------------------------------------

    @contextmanager
    def refreshing(self, refresh: str | bool) -> Iterator[None]:
        """Writes of this block, in this thread or task, have another refresh policy."""
        token = self._refresh.set(clients.policy(refresh))
        try:
            yield
        finally:
            self._refresh.reset(token)

    def refresh(self, *models: type[Any]) -> None:
        """Let searches see all that was written to these models, whatever the policy."""
        for model in models:
            self._send(refreshing(self.bound(model).native.path))

    def map_field(
        self, model: type[Any], field: str, mapping: Mapping[str, Any], queries: Mapping[str, Callable[[Any], Any]]
    ) -> None:
        """For extensions, in `configure_backend`: a field of the model is mapped like this.

        queries: {lookup: function of its operand}, the query of OpenSearch that finds all rows that pass the lookup,
        and perhaps others, which mixstore leaves out. Other lookups, orders and paths of the field are mixstore's.
        """
        self._mapped.setdefault(model, {})[field] = Mapped(dict(mapping), queries)

    # -- binding ---------------------------------------------------------------------------------------------------

    def prepare(self, bound: Bound) -> Index:
        entity = self.adapter.get_entity_type(bound.model)
        name = f"{self.prefix}{entity.lower()}"
        other = self._indexes.get(name)
        if other is not None and other.schema.entity != entity:
            raise ConfigurationError(
                f"{bound.schema.name} and {other.schema.name} would share an index: "
                f"{entity!r} and {other.schema.entity!r} differ in case only",
                model=bound.model,
                hint='give one of them another name: class Meta: entity = "..."',
            )
        writes_itself, _ = adapts_by_itself(self.adapter)
        extra, mapped = bool(bound.chain.serialize) or writes_itself, self._mapped.get(bound.model, {})
        declared = self._declared.get(bound.model, NOTHING_DECLARED).check(bound.schema)
        index = self._indexes[name] = Index(bound, name, extra, declared, mapped, self.knn)
        return index

    def declare_index(
        self,
        model_class: type[Any],
        analyzers: Mapping[str, str],
        analysis: Mapping[str, Mapping[str, Any]],
        settings: Mapping[str, Any],
    ) -> None:
        """What the index of a model must have beside its fields: {field: analyzer}, and settings before the backend's.

        Recorded for `initialize()`. What is wrong with it is a SchemaError when the model is bound.
        """
        self._declared[model_class] = Declared(analyzers, analysis, settings)

    def row_record(self, bound: Bound) -> Callable[[Any], dict[str, Any]] | None:
        index: Index = bound.native
        return index.record_maker()

    def row_values(self, bound: Bound) -> Callable[[Any], dict[str, Any]] | None:
        index: Index = bound.native
        _, reads_itself = adapts_by_itself(self.adapter)
        if reads_itself or index.record_maker() is not None:
            return None
        index.selects = True
        whole = bound.decode
        decoders = {name: self.adapter.spec_codec(spec).decode for name, spec in bound.schema.fields.items()}

        def values(row: Any) -> dict[str, Any]:
            return queries.decode_part(bound.schema, row, decoders) if type(row) is queries.Part else whole(row)

        return values

    def row_hit(self, row: Any) -> Hit | None:
        return row.hit if type(row) is Found else None

    def row_with_hit(self, row: Any, hit: Hit) -> Found:
        told = Found(row)
        told.hit = hit
        return told

    def initialize_bound(self, bounds: Sequence[Bound]) -> None:
        """Create or extend the index of each model."""
        for bound in bounds:
            self.execute(manage.Initialize(bound.native, self.settings))

    def drift_bound(self, bounds: Sequence[Bound]) -> list[Drift]:
        """What of the indexes of these models is not as declared. Asks, and never writes."""
        return [one for bound in bounds for one in self.execute(Compare(bound.native, self.settings))]

    def reindex(
        self,
        model_class: type[Any],
        /,
        *,
        keep: bool | None = None,
        told: Told = silent,
        change: Change | None = None,
    ) -> int:
        """Put a new index, made as the model is now, in the place of the one there is; how many documents it has.

        Others go on reading and writing, and wait at the end for a moment. One that was interrupted goes on where it
        was. keep: whether the old index stays, closed to writes (default), or is dropped. change: what makes of each
        document, as stored, one that fits: `{field: value} -> {field: value}`; it may be asked again for the same one.
        SchemaError for a new field that documents can't be without, ValidationError for a value that does not fit.
        """
        return self.reindex_bound(self.bound(model_class), keep=keep, told=told, change=change)

    def reindex_bound(
        self, bound: Bound, *, keep: bool | None = None, told: Told = silent, change: Change | None = None
    ) -> int:
        plan = Reindex(bound.native, self.settings, keep=keep is not False, change=change, told=told)
        try:
            return int(self.execute(plan))
        except BaseException:
            with suppress(MixstoreError):
                self.execute(Release(plan))
            raise

    def abandon_reindex(self, model_class: type[Any], /) -> bool:
        """End a reindexing that was interrupted, and drop what it had copied; whether there was one."""
        return bool(self.execute(Abandon(self.bound(model_class).native)))

    # -- compiling -------------------------------------------------------------------------------------------------

    def compile_get(self, bound: Bound, keys: Sequence[KeyValue]) -> Stepwise:
        return points.point_read(bound.native, keys)

    def compile_query(self, bound: Bound, query: Query) -> QueryPlan:
        compiler = queries.select if query.similar is None else vectors.similar
        return compiler(bound.native, query, self._abandoned)

    def compile_count(self, bound: Bound, query: Query) -> QueryPlan:
        return queries.count(bound.native, query, self._abandoned)

    def compile_aggregate(self, bound: Bound, query: Query, asked: Mapping[str, Asked]) -> QueryPlan | None:
        return aggregations.aggregate(bound.native, query, asked)

    def compile_delete_all(self, bound: Bound, query: Query) -> QueryPlan | None:
        return removals.removal(bound.native, query, self._refresh.get())

    def compile_writes(self, bound: Bound, writes: Sequence[Write]) -> Stepwise:
        if len(writes) > 1:
            raise UnsupportedOperationError("OpenSearch writes one document at a time", backend=self.backend_name)
        index: Index = bound.native
        if writes[0].side_writes and index.guarded:
            return guarding.Guarded(writes[0], self._refresh.get())
        return units.Bulk(bound.native, writes, self._refresh.get())

    def compile_batch(self, bound: Bound, writes: Sequence[Write]) -> Stepwise | None:
        if bound.chain.claiming or any(write.side_writes for write in writes):
            return None
        return units.Bulk(bound.native, writes, self._refresh.get())

    def compile_finish(self, bound: Bound, keys: Sequence[KeyValue] | None) -> Stepwise | None:
        index: Index = bound.native
        return settling.Finish(index, keys) if index.settles else None

    def compile_copies(self, bound: Bound, writes: Sequence[Write], visible: bool) -> Stepwise:
        return units.Bulk(bound.native, writes, clients.policy("wait_for" if visible else False))

    # -- executing -------------------------------------------------------------------------------------------------

    def execute(self, plan: Any) -> Any:
        if self._abandoned:
            self._close_abandoned()
        return self._drive("", plan.steps())

    async def aexecute(self, plan: Any) -> Any:
        if self.async_client is None:
            return await super().aexecute(plan)
        return await adrive(self._asend, plan.steps())

    def _send(self, request: Request | Pause) -> Any:
        if isinstance(request, Pause):
            return time.sleep(request.seconds)
        return clients.call(self.client, request)

    async def _asend(self, request: Request | Pause) -> Any:
        if isinstance(request, Pause):
            return await asyncio.sleep(request.seconds)
        return await clients.acall(self.async_client, request)

    def _close_abandoned(self) -> None:
        """Points in time whose rows nobody asked for any more."""
        ids = []
        with suppress(IndexError):
            while True:
                ids.append(self._abandoned.popleft())
        if ids:
            self._send(queries.closing(ids))
