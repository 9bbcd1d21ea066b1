"""`Field(unique=True)` where the engine has no unique index, and `Unique`: several fields unique together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from mixstore import Capability, Declaration, Mixin, SchemaError
from mixstore.errors import nearest
from mixstore_extensions.guards import Guards

if TYPE_CHECKING:
    from mixstore import ModelSchema


class UniqueFields(Guards):
    """`Field(unique=True)` on a backend that has no unique index."""

    name = "unique"
    activates_on = frozenset({"unique"})
    unless = (Capability.UNIQUE,)

    def groups(self) -> tuple[tuple[str, ...], ...]:
        return tuple((name,) for name in self.schema.unique)


class UniqueFieldsOnOpenSearch(UniqueFields):
    """Without transactions: the backend itself writes guard and row one after the other, so that no two rows share."""

    backend_name = "opensearch"
    fidelity = "emulated"
    requires = (Capability.CONDITIONS,)


class Unique(Mixin):
    """No two rows share the values of several fields together.

        class Meta:
            unique_together = [("tenant", "email")]

    A row in which one of them is None shares nothing. `DuplicateKeyError.field` is "tenant, email".
    """

    # required: who relies on it must not find two rows one day
    Declares = Declaration(required=True, meta={"unique_together": (list, tuple)})

    class Together(Guards):
        """By guards on every backend: the engines' own indexes of several columns do not see that a row is dead."""

        name = "unique_together"

        def groups(self) -> tuple[tuple[str, ...], ...]:
            return tuple(tuple(names) for names in self.schema.meta.get("unique_together", ()))

        def configure_backend(self, model_class: type[Any]) -> None:
            if not self.groups():
                hint = 'class Meta: unique_together = [("tenant", "email")]'
                raise SchemaError(f"{self.schema.name} is Unique in nothing", model=model_class, hint=hint)
            _check_plain(self.schema, self.groups())

    class OnOpenSearch(Together):
        """Without transactions, as `UniqueFieldsOnOpenSearch`."""

        backend_name = "opensearch"
        fidelity = "emulated"
        requires = (Capability.CONDITIONS,)

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        abstract = vars(vars(cls).get("Meta", object)).get("abstract")
        told = next((meta for base in cls.__mro__ if hasattr(meta := vars(base).get("Meta"), "unique_together")), None)
        if told is not None and not abstract:
            _check_groups(cls, told.unique_together)


def _check_groups(model: type[Any], groups: Any) -> None:
    """At the class statement: `[("a", "b"), ...]`, of known and distinct fields, each group once."""
    where = f"{model.__name__}.Meta.unique_together"
    if not isinstance(groups, (list, tuple)):
        return  # the kernel says what it must be
    fields, seen = model.__pydantic_fields__, set[frozenset[str]]()
    for group in groups:
        if not isinstance(group, (list, tuple)) or len(group) < 2:
            raise SchemaError(
                f"{where} holds {group!r}, which is no tuple of two fields or more",
                model=model,
                hint='unique_together = [("tenant", "email")]; one field by itself is Field(unique=True)',
            )
        for name in group:
            if not isinstance(name, str) or name not in fields:
                raise SchemaError(f"{where} names no field: {name!r}", model=model, hint=nearest(str(name), fields))
        if len(set(group)) < len(group) or frozenset(group) in seen:
            raise SchemaError(f"{where}: {tuple(group)!r} says something twice", model=model)
        seen.add(frozenset(group))


def _check_plain(schema: ModelSchema, groups: Iterable[Sequence[str]]) -> None:
    for name in (name for names in groups for name in names):
        spec = schema.field(name, "has a Meta.unique_together that names no field:")
        if not spec.type.orderable:
            raise SchemaError(
                f"{schema.name}.{name}: unique_together needs plain values of one kind, not {spec.type}",
                model=schema.model,
            )
