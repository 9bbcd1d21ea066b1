"""`audited`: who did what to which row, for every model of a backend. Switched on in the config, not in models."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any
from uuid import UUID, uuid4

from mixstore import BackendExtension, Capability, ConfigurationError, Field, Model, SideWrite, WriteContext, jsonable
from mixstore_extensions.acting import actor
from mixstore_extensions.tenancy import tenant_of


class AuditEntry(Model):
    """One write: `key` is the row's key as JSON text (a list of its parts), `changed` the fields that were written.

    `values` has what became of those, as JSON, if the extension is told to keep values; otherwise None. `tenant` is
    that of the row, as text, if its model has `Tenant`: who shows entries to tenants filters by it.
    """

    class Meta:
        entity = "mixstore_audit"
        internal = True

    id: UUID = Field(primary_key=True, default_factory=uuid4)
    at: datetime = Field(index=True)
    by: str | None = Field(default=None, index=True)
    operation: str
    entity: str = Field(index=True)
    key: str = Field(index=True)
    changed: list[str]
    values: dict[str, Any] | None = None
    tenant: str | None = Field(default=None, index=True)


class Audited(BackendExtension):
    """Writes an `AuditEntry` in the same atomic unit as the row. `extensions.apply = ["audited"]`."""

    name = "audited"
    requires = (Capability.ATOMIC_WRITES,)
    fidelity = "native"

    class Options(BackendExtension.Options):
        """`values`: keep what the changed fields became, but for those of `exclude` and what is stored encrypted."""

        values: bool = False
        exclude: frozenset[str] = frozenset()

    @cached_property
    def _encoders(self) -> Mapping[str, Any]:
        return {name: jsonable(spec.type).encode for name, spec in self.schema.fields.items()}

    @cached_property
    def _kept(self) -> frozenset[str]:
        chain = self.backend.bound(self.model).chain
        secret = {name for name, treatment in chain.opaque.items() if treatment == "refuse"} | chain.derived.keys()
        kept: frozenset[str] = frozenset(self.schema.fields) - secret - self.options.exclude
        return kept

    def configure_backend(self, model_class: type[Any]) -> None:
        for name in self.schema.key_fields:
            if name in self.options.exclude:
                raise ConfigurationError(
                    f"audited can't leave out {self.schema.name}.{name}: an entry tells the key of the row",
                    hint="key the model by something that may be known, or take it from `exclude`",
                )

    def side_models(self, model_class: type[Any]) -> Iterable[type[Any]]:
        return (AuditEntry,)

    def write_beside(self, context: WriteContext, found: Sequence[Mapping[str, Any]]) -> Iterator[SideWrite]:
        changed = [name for name in self.schema.fields if name in context.changed]
        if context.key is None or not (changed or context.operation == "delete"):
            return
        values = None
        if self.options.values:
            values = {name: self._encoded(name, context.values[name]) for name in changed if name in self._kept}
        key = [self._encoded(name, part) for name, part in zip(self.schema.key_names, context.key, strict=True)]
        entry = AuditEntry(
            at=context.now,
            by=actor(),
            operation=context.asked,
            entity=self.schema.entity,
            key=json.dumps(key),
            changed=changed,
            values=values,
            tenant=self._tenant(context),
        )
        yield SideWrite("create", entry)

    def _tenant(self, context: WriteContext) -> str | None:
        found = tenant_of(self.schema, context.values, context.previous)
        encoded = None if found is None else self._encoded(*found)
        return encoded if encoded is None or isinstance(encoded, str) else json.dumps(encoded)

    def _encoded(self, name: str, value: Any) -> Any:
        encode = self._encoders.get(name)
        return value if encode is None or value is None else encode(value)
