"""The mixins that come with mixstore, one concern a file."""

from __future__ import annotations

from mixstore_extensions.acting import acting_as
from mixstore_extensions.analyzed import Analyzed
from mixstore_extensions.audited import Audited, AuditEntry
from mixstore_extensions.compressed import Compressed
from mixstore_extensions.counters import Counters, Sequence
from mixstore_extensions.encrypted import Encrypted
from mixstore_extensions.geo import BBox, Geo, Point, Polygon
from mixstore_extensions.graph import Edge, Graph, TooManyEdgesError, Visit
from mixstore_extensions.history import History, Revision
from mixstore_extensions.keyrings import KeyProvider, KeyRing
from mixstore_extensions.soft_delete import SoftDelete
from mixstore_extensions.tenancy import Tenant, TenantError, TenantScoped, current_tenant, tenant, without_tenant
from mixstore_extensions.timestamps import Timestamps
from mixstore_extensions.ttl import TTL
from mixstore_extensions.unique import Unique
from mixstore_extensions.versioned import Versioned, retry_on_conflict

__all__ = [
    "Analyzed",
    "AuditEntry",
    "Audited",
    "BBox",
    "Compressed",
    "Counters",
    "Edge",
    "Encrypted",
    "Geo",
    "Graph",
    "History",
    "KeyProvider",
    "KeyRing",
    "Point",
    "Polygon",
    "Revision",
    "Sequence",
    "SoftDelete",
    "TTL",
    "Tenant",
    "TenantError",
    "TenantScoped",
    "Timestamps",
    "TooManyEdgesError",
    "Unique",
    "Versioned",
    "Visit",
    "acting_as",
    "current_tenant",
    "retry_on_conflict",
    "tenant",
    "without_tenant",
]
