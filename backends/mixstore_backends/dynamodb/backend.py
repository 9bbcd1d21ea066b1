"""`DynamoDBBackend`: compiles to requests of DynamoDB, and `execute()` is its only I/O."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

from mixstore.backend import Capability, Told, silent
from mixstore.binding import models_of
from mixstore.errors import ConfigurationError, UnsupportedOperationError, nearest
from mixstore.planned import Plan, PlannedBackend, QueryPlan
from mixstore.schema import schema_of
from mixstore_backends.dynamodb import batching, errors, queries, units
from mixstore_backends.dynamodb.adapter import DynamoDBAdapter
from mixstore_backends.dynamodb.awaiting import Loops, check_session, loops_of
from mixstore_backends.dynamodb.changing import DropIndex, Initialize
from mixstore_backends.dynamodb.clients import client_of
from mixstore_backends.dynamodb.collecting import collect
from mixstore_backends.dynamodb.computed import Computed, Ranges
from mixstore_backends.dynamodb.drift import Compare
from mixstore_backends.dynamodb.feed import OfStreams, StreamFeed, check_kind
from mixstore_backends.dynamodb.layout import ENTITY_PLACE, Table
from mixstore_backends.dynamodb.options import NO_OPTIONS, URL_OPTIONS, TableOptions, options_of_url, truth_of
from mixstore_backends.dynamodb.reindexing import Reindex
from mixstore_backends.dynamodb.tables import Wanted
from mixstore_backends.dynamodb.transport import BlockingTransport

if TYPE_CHECKING:
    from mixstore.bound import Bound
    from mixstore.drift import Drift
    from mixstore.query import Query
    from mixstore.write import KeyValue, Write

STREAMS = "dynamodbstreams"
OPTIONS = ("region", "endpoint", "consistent", *URL_OPTIONS, "read", "write")


class DynamoDBBackend(PlannedBackend):
    """Rows in a table of DynamoDB: those of all models in one (the adapter's default), or a table for each.

    table_name: of the table; `{entity}` in it stands for the entity's name. client: a low-level client of botocore or
    boto3, used as it is; otherwise one is made of the session, region and endpoint at the first request.
    async_session: a session of aiobotocore, which a backend with a client or a session of yours needs to be awaited
    without threads.
    streams_client: a client of `dynamodbstreams`, which a backend with a client of yours needs to be followed.
    consistent: whether reads of the table see all writes before them, for twice the price; indexes never promise it.
    table: what `initialize()` sees to beside keys and indexes: billing, stream, backups, tags.
    """

    backend_name = errors.NAME
    capabilities = Capability.CONDITIONS | Capability.ATOMIC_WRITES | Capability.ADD | Capability.SECONDARY_INDEXES
    scan_policy = "warn"
    adapter: DynamoDBAdapter

    def __init__(
        self,
        table_name: str,
        adapter: DynamoDBAdapter | None = None,
        *,
        client: Any = None,
        session: Any = None,
        region_name: str | None = None,
        endpoint_url: str | None = None,
        async_session: Any = None,
        streams_client: Any = None,
        consistent: bool = True,
        table: TableOptions | None = None,
    ) -> None:
        if adapter is not None and not isinstance(adapter, DynamoDBAdapter):
            raise ConfigurationError(f"the adapter of DynamoDB is a DynamoDBAdapter, not a {type(adapter).__name__}")
        if not isinstance(table_name, str) or not table_name:
            raise ConfigurationError(f"{table_name!r} can't be the name of a table", backend=errors.NAME)
        if table is not None and not isinstance(table, TableOptions):
            raise ConfigurationError(
                f"table takes TableOptions(...), not a {type(table).__name__}", backend=errors.NAME
            )
        if client is not None and (session is not None or region_name is not None or endpoint_url is not None):
            raise ConfigurationError("a client knows its session, region and endpoint: give it, or these")
        if async_session is not None:
            check_session(async_session)
        super().__init__(adapter or DynamoDBAdapter())
        self.table_name = table_name
        self.consistent = consistent
        if consistent:
            self.capabilities |= Capability.CONSISTENT_READS
        self.options = table or NO_OPTIONS
        self._client = client
        self._make_client: Callable[[], Any] = lambda: client_of(session, region_name, endpoint_url)
        self._streams_client = streams_client
        self._make_streams: Callable[[], Any] = lambda: client_of(session, region_name, endpoint_url, STREAMS)
        self._make_loops: Callable[[], Loops | None] = lambda: loops_of(
            client is not None or session is not None,
            async_session,
            region_name if client is None else client.meta.region_name,
            endpoint_url if client is None else client.meta.endpoint_url,
        )
        self._tables: dict[str, Table] = {}
        self._ttl: dict[str, str] = {}
        self._computed: dict[type[Any], list[Computed]] = {}

    @classmethod
    def from_url(cls, url: str) -> DynamoDBBackend:
        """`dynamodb://table?region=eu-west-1&endpoint=http://localhost:8000`; `?consistent=false` reads for less.

        Of TableOptions, a URL can say billing or read and write, stream, point_in_time_recovery, deletion_protection.
        """
        parts = urlsplit(url)
        if not parts.netloc or parts.path.strip("/") or parts.fragment or parts.username or parts.port:
            raise ConfigurationError(f"{url!r} names no table", hint="dynamodb://table?region=eu-west-1")
        options = dict(parse_qsl(parts.query, keep_blank_values=True))
        for name in options:
            if name not in OPTIONS:
                raise ConfigurationError(f"{url!r}: there is no option {name!r}", hint=nearest(name, OPTIONS))
        return cls(
            unquote(parts.netloc),
            region_name=options.get("region") or None,
            endpoint_url=options.get("endpoint") or None,
            consistent=truth_of(url, "consistent", options.get("consistent", "true")),
            table=options_of_url(url, options),
        )

    @cached_property
    def transport(self) -> BlockingTransport:
        """What does the I/O; made at the first request."""
        own = self._client is None
        return BlockingTransport(self._make_client() if own else self._client, own)

    @cached_property
    def _streams(self) -> BlockingTransport:
        """What asks the streams of tables; made at the first request."""
        given = self._streams_client
        return BlockingTransport(self._make_streams() if given is None else given, own=False)

    @cached_property
    def _loops(self) -> Loops | None:
        return self._make_loops()

    def enable_ttl(self, model_class: type[Any], attribute: str) -> None:
        """Declare the attribute, in epoch seconds, by which DynamoDB removes rows of the model's table.

        ConfigurationError for one that the table or the model uses otherwise, and for a second one of a table.
        """
        table = self.table_name.replace(ENTITY_PLACE, self.adapter.get_entity_type(model_class))
        known, problem = self._ttl.get(table, attribute), ""
        if known != attribute:
            problem = f"the rows of {table!r} expire by {known!r} already"
        if attribute in self.adapter.own_attributes(model_class) or attribute in schema_of(model_class).fields:
            problem = "the table or the model has an attribute of that name"
        if problem:
            raise ConfigurationError(
                f"{model_class.__name__} can't expire by {attribute!r}: {problem}",
                model=model_class,
                backend=self.backend_name,
                hint='its own name, the same for all models of a table, such as "ttl"',
            )
        self._ttl[table] = attribute

    def add_index(
        self,
        model_class: type[Any],
        name: str,
        field: str,
        key: Callable[[Any], tuple[str, str] | None],
        ranges: Mapping[str, Ranges],
    ) -> None:
        """For extensions, in `configure_backend`: a secondary index of one field, by keys that no template makes.

        key: the value of the field -> (partition, sort), None for a row that is not in the index. ranges: {lookup:
        function of its operand}, the ranges of the index that hold all rows which pass, and perhaps others, which
        mixstore leaves out; None for an operand by which the index is no way to find them. No rows have a None.
        """
        kept = [one for one in self._computed.get(model_class, ()) if one.name != name]
        self._computed[model_class] = [*kept, Computed(name, field, key, ranges)]

    # -- binding ---------------------------------------------------------------------------------------------------

    def prepare(self, bound: Bound) -> Table:
        computed = self._computed.get(bound.model, ())
        table = Table(bound, self.table_name, self.adapter, self._ttl, computed)
        for other in self._tables.values():
            if other.entity_type == table.entity_type or other.name != table.name:
                continue
            if not self.adapter.single_table:
                raise ConfigurationError(
                    f"{bound.schema.name} and {other.schema.name} would share the table {table.name!r}, "
                    "which is for one entity",
                    model=bound.model,
                    hint='DynamoDBBackend("app-{entity}", ...) names a table for each, or use a single table',
                )
            if table.keying.head and table.keying.head == other.keying.head:
                raise ConfigurationError(
                    f"{bound.schema.name} and {other.schema.name} would share keys: "
                    f"both begin with {table.keying.head!r}",
                    model=bound.model,
                    hint='give one of them another name: class Meta: entity = "..."',
                )
        self._tables[table.entity_type] = table
        if table.expiry is not None:  # what is written beside its rows dies with them
            for model in bound.chain.side_models:
                beside = self.table_name.replace(ENTITY_PLACE, self.adapter.get_entity_type(model))
                self._ttl.setdefault(beside, table.expiry)
        return table

    def row_record(self, bound: Bound) -> Callable[[Any], dict[str, Any]]:
        return bound.native.record_reader()  # type: ignore[no-any-return]

    def row_values(self, bound: Bound) -> Callable[[Any], dict[str, Any]] | None:
        return bound.native.values_reader()  # type: ignore[no-any-return]

    def initialize_bound(self, bounds: Sequence[Bound]) -> None:
        """Create the tables of these models, or the indexes and the expiry that they lack; waits for them.

        Rows that were there before an index get their place in it first, which reads all rows of the model.
        ValidationError if there are some that it can't hold; it is not made then.
        """
        for wanted, some in self._wanted(bounds):
            self.execute(Initialize(wanted, some))

    def drift_bound(self, bounds: Sequence[Bound]) -> list[Drift]:
        """What of the tables of these models is not as declared; asks for descriptions alone."""
        found: list[Drift] = []
        for wanted, some in self._wanted(bounds):
            known = {name for table in self._sharing(some[0]) for name in table.indexes}
            found += self.execute(Compare(wanted, known))
        return found

    def drop_index(self, model_class: type[Any], name: str) -> bool:
        """Drop a secondary index of the model's table and wait for it; False if it is not there.

        ConfigurationError if a model of this backend declares it, unless what is there is not as declared.
        """
        table = self.bound(model_class).native
        return bool(self.execute(DropIndex(Wanted(self._sharing(table)), name)))

    def _wanted(self, bounds: Sequence[Bound]) -> list[tuple[Wanted, list[Table]]]:
        """What each table of these models should be."""
        tables: dict[str, list[Table]] = {}
        for bound in bounds:
            tables.setdefault(bound.native.name, []).append(bound.native)
        return [(Wanted(some, self.options, self._ttl.get(name)), some) for name, some in tables.items()]

    def _sharing(self, table: Table) -> list[Table]:
        """All models of this backend in the same table."""
        every = [self.bound(model).native for model in models_of(self)]
        return list(dict.fromkeys(one for one in (table, *every) if one.name == table.name))

    def reindex(self, model_class: type[Any], /, *, keep: bool | None = None, told: Told = silent) -> int:
        """Put right the keys of all rows in the indexes of a model; how many rows were not right.

        For a model that takes up an index which its table has already: `initialize()` sees to new ones. There is
        nothing to `keep` or drop.
        """
        if keep is not None:
            raise UnsupportedOperationError(
                "DynamoDB changes rows where they are: there is no former index to keep or to drop",
                model=model_class,
                backend=self.backend_name,
            )
        return int(self.execute(Reindex(self.bound(model_class).native, told)))

    # -- compiling -------------------------------------------------------------------------------------------------

    def compile_get(self, bound: Bound, keys: Sequence[KeyValue]) -> Plan:
        return queries.point_read(bound.native, keys, self.consistent)

    def compile_query(self, bound: Bound, query: Query) -> QueryPlan:
        self._refuse_search(bound, query)
        return queries.select(bound.native, query, self.consistent)

    def compile_count(self, bound: Bound, query: Query) -> QueryPlan:
        self._refuse_search(bound, query)
        return queries.count(bound.native, query, self.consistent)

    def compile_collect(self, bounds: Sequence[Bound], partition: str) -> Plan | None:
        return collect([bound.native for bound in bounds], partition, self.consistent)

    def change_feed(self) -> StreamFeed:
        """The streams of the tables. ConfigurationError if they are switched off here, or can't be asked."""
        check_kind(self.options.stream)
        if self._client is not None and self._streams_client is None:
            raise ConfigurationError(
                "a client of yours can't ask for streams",
                backend=errors.NAME,
                hint='give streams_client=session.create_client("dynamodbstreams") too',
            )
        return StreamFeed(self.adapter, lambda: list(self._tables.values()))

    def compile_writes(self, bound: Bound, writes: Sequence[Write]) -> Plan:
        return units.plan_of(writes)

    def compile_batch(self, bound: Bound, writes: Sequence[Write]) -> Plan | None:
        table: Table = bound.native
        others = [one for one in self._tables.values() if one.name == table.name and one is not table]
        return batching.batch_of(table, writes, others)

    def _refuse_search(self, bound: Bound, query: Query) -> None:
        if query.search is not None:
            raise UnsupportedOperationError(
                "DynamoDB has no full-text search",
                model=bound.model,
                backend=self.backend_name,
                hint="icontains reads all rows; a search engine beside it does not",
            )

    # -- executing -------------------------------------------------------------------------------------------------

    def execute(self, plan: Any) -> Any:
        if isinstance(plan, OfStreams):
            return plan.run(self.transport, self._streams)
        transport = self.transport
        return transport.run(plan.steps(transport))

    async def aexecute(self, plan: Any) -> Any:
        """`execute()`, awaited: by aiobotocore, or in a thread where that is not to be had."""
        loops = self._loops
        if loops is None or isinstance(plan, OfStreams):
            return await asyncio.to_thread(self.execute, plan)
        transport = await loops.transport()
        return await transport.run(plan.steps(transport))

    async def aclose(self) -> None:
        """Close the connections of the running event loop; without it they are closed with the loop."""
        loops = self.__dict__.get("_loops")
        if loops is not None:
            await loops.aclose()
        await super().aclose()
