"""mixstore: mix-ins and stores. Models declare behaviour, backends store it, a chain of extensions stands between."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mixstore.adapter import CompiledAdapter, ModelAdapter
from mixstore.adding import aadd_to, add_to
from mixstore.aggregations import (
    Bucket,
    Buckets,
    DateHistogram,
    Histogram,
    Missing,
    Stats,
    Summary,
    Terms,
)
from mixstore.backend import Backend, Capability
from mixstore.beside import afinish_beside, finish_beside
from mixstore.binding import bound_of
from mixstore.bound import Bound
from mixstore.builder import QueryBuilder
from mixstore.chain import NOW
from mixstore.codecs import jsonable
from mixstore.config import configure, connect
from mixstore.drift import Drift
from mixstore.envelopes import Envelope
from mixstore.errors import (
    AccessDeniedError,
    BackendError,
    BackendTimeoutError,
    BackendUnavailableError,
    BatchError,
    ConfigurationError,
    ConflictError,
    CorruptRecordError,
    DuplicateKeyError,
    HookError,
    InvalidCursorError,
    MixstoreError,
    MultipleResultsError,
    NotFoundError,
    PluginError,
    QueryError,
    SchemaError,
    SettingsError,
    ThrottledError,
    TransactionError,
    UnsupportedOperationError,
    ValidationError,
    VersionConflictError,
)
from mixstore.expressions import FALSE, TRUE, Deferred, Q, evaluate
from mixstore.extension import BackendExtension
from mixstore.fields import Field
from mixstore.hooks import after_delete, after_load, after_save, before_delete, before_save
from mixstore.indexes import (
    ALL,
    GSI,
    INCLUDE,
    KEYS_ONLY,
    LSI,
    IndexSpec,
    Projection,
    gsi_partition_key,
    gsi_sort_key,
)
from mixstore.keyranges import KeyCondition, KeyOrder, KeyShape
from mixstore.keys import Key, partition_key, sort_key
from mixstore.lookups import Lookup
from mixstore.mixin import Declaration, Mixin, query_method
from mixstore.model import Model, astore_values, place_of, store_values
from mixstore.moving import Moved, Verified, copy, export_lines, import_lines, verify
from mixstore.nearness import Similar
from mixstore.planned import Plan, PlannedBackend, QueryPlan, Removed, Rows
from mixstore.query import Explanation, Page, Query
from mixstore.reads import ScanWarning
from mixstore.registry import registry
from mixstore.schema import FieldSpec, ModelSchema, schema_of
from mixstore.search import Hit, Search, hit_of
from mixstore.types import FieldType
from mixstore.vectors import Vector
from mixstore.write import OK, REMOVE, SKIPPED, Add, Condition, Outcome, SideWrite, Write, WriteChange, WriteContext

if TYPE_CHECKING:
    from mixstore.hookspecs import hookimpl as hookimpl

__version__ = "0.1.0"

__all__ = [
    "ALL",
    "AccessDeniedError",
    "Add",
    "Backend",
    "BackendError",
    "BackendExtension",
    "BackendTimeoutError",
    "BackendUnavailableError",
    "BatchError",
    "Bound",
    "Bucket",
    "Buckets",
    "Capability",
    "CompiledAdapter",
    "Condition",
    "ConfigurationError",
    "ConflictError",
    "CorruptRecordError",
    "DateHistogram",
    "Declaration",
    "Deferred",
    "Drift",
    "DuplicateKeyError",
    "Envelope",
    "Explanation",
    "FALSE",
    "Field",
    "FieldSpec",
    "FieldType",
    "GSI",
    "Histogram",
    "Hit",
    "HookError",
    "INCLUDE",
    "IndexSpec",
    "InvalidCursorError",
    "KEYS_ONLY",
    "Key",
    "KeyCondition",
    "KeyOrder",
    "KeyShape",
    "LSI",
    "Lookup",
    "Missing",
    "Mixin",
    "MixstoreError",
    "Model",
    "ModelAdapter",
    "ModelSchema",
    "Moved",
    "MultipleResultsError",
    "NOW",
    "NotFoundError",
    "OK",
    "Outcome",
    "Page",
    "Plan",
    "PlannedBackend",
    "PluginError",
    "Projection",
    "Q",
    "Query",
    "QueryBuilder",
    "QueryError",
    "QueryPlan",
    "REMOVE",
    "Removed",
    "Rows",
    "SKIPPED",
    "ScanWarning",
    "SchemaError",
    "Search",
    "SettingsError",
    "SideWrite",
    "Similar",
    "Stats",
    "Summary",
    "TRUE",
    "Terms",
    "ThrottledError",
    "TransactionError",
    "UnsupportedOperationError",
    "ValidationError",
    "Vector",
    "Verified",
    "VersionConflictError",
    "Write",
    "WriteChange",
    "WriteContext",
    "aadd_to",
    "add_to",
    "afinish_beside",
    "after_delete",
    "after_load",
    "after_save",
    "astore_values",
    "before_delete",
    "before_save",
    "bound_of",
    "configure",
    "connect",
    "copy",
    "evaluate",
    "export_lines",
    "finish_beside",
    "gsi_partition_key",
    "gsi_sort_key",
    "hit_of",
    "hookimpl",
    "import_lines",
    "jsonable",
    "partition_key",
    "place_of",
    "query_method",
    "registry",
    "schema_of",
    "sort_key",
    "store_values",
    "verify",
]


def __getattr__(name: str) -> Any:
    # pluggy takes milliseconds to import, which only plugins need.
    if name == "hookimpl":
        from mixstore.hookspecs import hookimpl

        return hookimpl
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
