"""`Tenant`: the rows of each tenant apart from those of the others, by a context variable."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from mixstore import (
    TRUE,
    BackendExtension,
    Capability,
    ConfigurationError,
    Declaration,
    Deferred,
    Field,
    Mixin,
    ModelSchema,
    NotFoundError,
    Q,
    SchemaError,
    ValidationError,
    WriteChange,
    WriteContext,
)

if TYPE_CHECKING:
    from typing_extensions import Self

HOW = 'with tenant("acme"): ..., or with without_tenant(): ... for a job that is about all of them'


class TenantError(ConfigurationError):
    """There is no tenant set, or one that can't be: nothing was read or written."""


class _Scope:
    """A block in which a tenant holds, for `with` and `async with`; in this task or thread, and tasks started in it."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __enter__(self) -> Self:
        _scopes.set((*_scopes.get(), self))
        return self

    def __exit__(self, *_: object) -> None:
        scopes = _scopes.get()
        if not scopes or scopes[-1] is not self:
            raise TenantError(f"{self!r} is left in another task or order than it was entered")
        _scopes.set(scopes[:-1])

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(self, *_: object) -> None:
        self.__exit__()


_scopes: ContextVar[tuple[_Scope, ...]] = ContextVar("mixstore_tenants", default=())


class tenant(_Scope):
    """`with tenant("acme"): ...`: the tenant of every read and write in the block. The inner of two blocks holds."""

    __slots__ = ()

    def __init__(self, value: Any, /) -> None:
        if value is None or value == "":
            raise TenantError(f"{value!r} is no tenant", hint=HOW)
        super().__init__(value)

    def __repr__(self) -> str:
        return f"tenant({self.value!r})"


class without_tenant(_Scope):
    """`with without_tenant(): ...`: reads and writes in the block see all tenants; a new row must name its own."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(None)

    def __repr__(self) -> str:
        return "without_tenant()"


def current_tenant() -> Any:
    """The tenant of the block that this is called in. TenantError if there is none, or it is without_tenant()."""
    scopes = _scopes.get()
    if not scopes or isinstance(scopes[-1], without_tenant):
        raise TenantError("no tenant is set", hint=HOW)
    return scopes[-1].value


class TenantScoped(Mixin):
    """What `Tenant` does, with a field of the model's own, which `Meta.tenant_field` names."""

    # required: a store that ignores it would show everything to everybody
    Declares = Declaration(required=True, meta={"tenant_field": str})

    class Isolation(BackendExtension):
        """Hides the rows of others by a filter that is part of every read and every write."""

        name = "tenant"
        requires = (Capability.CONDITIONS,)
        fidelity = "native"
        unseen_deletes = True

        def configure_backend(self, model_class: type[Any]) -> None:
            spec = self.schema.field(_field_of(self.schema), "lacks the field of its tenant:")
            if not spec.type.scalar or spec.type.kind in ("float", "bool"):
                raise SchemaError(f"{self.schema.name}.{spec.name} is {spec.type}, which can't tell tenants apart")
            # any other default would give rows to somebody that were stored before there were tenants
            if spec.name not in self.schema.key_fields and (spec.required or spec.make_default() is not None):
                raise SchemaError(
                    f"{self.schema.name}.{spec.name} must be None by default: the tenant that is set fills it",
                    hint=f"{spec.name}: str | None = Field(default=None, index=True)",
                )

        def veiled(self) -> Q:
            return ~Q(**{_field_of(self.schema): Deferred("tenant", self._tenant)})  # type: ignore[return-value]

        def before_write(self, context: WriteContext) -> WriteChange | None:
            name, mine, given = _field_of(self.schema), self._tenant(None), context.values[_field_of(self.schema)]
            whole = context.operation in ("create", "upsert")
            if mine is TRUE:
                if whole and given is None:
                    raise TenantError(f"a new {self.schema.name} needs its tenant", hint=f"give {name}=... by yourself")
                return None
            if not whole:  # whose the caller takes the row to be; whose it is by now is a condition of the write
                owner = given if context.loaded is None else context.loaded[name]
                owners = {owner, given} if context.asked == "delete" else {owner}
                if owners - {None, mine}:
                    raise NotFoundError(f"{self.schema.name} to {context.asked} is not there")
            if given is not None and given != mine:
                raise ValidationError(
                    f"{self.schema.name}.{name} is filled from the tenant that is set, and can't be another", field=name
                )
            return None if given is not None or context.operation == "delete" else WriteChange({name: mine})

        def _tenant(self, environment: Any) -> Any:
            return _in_force(self.schema)


def _in_force(schema: ModelSchema) -> Any:
    """The tenant as the model's field has it, or TRUE for all."""
    scopes = _scopes.get()
    if not scopes:
        raise TenantError(f"no tenant is set, and {schema.name} belongs to one", hint=HOW)
    if isinstance(scopes[-1], without_tenant):
        return TRUE
    spec = schema.fields[_field_of(schema)]
    try:
        return spec.coerce(scopes[-1].value)
    except ValueError as error:
        raise TenantError(f"{scopes[-1]!r} does not fit {schema.name}.{spec.name}, {spec.type}") from error


def _field_of(schema: ModelSchema) -> str:
    return str(schema.meta.get("tenant_field", "tenant"))


def tenant_of(schema: ModelSchema, *known: Mapping[str, Any] | None) -> tuple[str, Any] | None:
    """(field, tenant) of a row that is written, from what is known of it, else the tenant that is set.

    None if the model's rows belong to nobody, or it can't be known.
    """
    if not issubclass(schema.model, TenantScoped):
        return None
    name = _field_of(schema)
    for values in known:
        if values is not None and values.get(name) is not None:
            return name, values[name]
    mine = _in_force(schema)
    return None if mine is TRUE else (name, mine)


class Tenant(TenantScoped):
    """Rows belong to the tenant that was set when they were created, and nobody else reads, changes or deletes them.

        with tenant("acme"):
            Doc.create(id="d1")

    To others a row is not there, but its key is taken. With no tenant set, everything is a TenantError.
    """

    tenant: str | None = Field(default=None, index=True)


__all__ = ["Tenant", "TenantError", "TenantScoped", "current_tenant", "tenant", "without_tenant"]
