"""The models that the ledger keeps books about: one plain, one that writes a second row along with each of its own."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from mixstore.backend import Backend, Capability
from mixstore.extension import BackendExtension
from mixstore.fields import Field
from mixstore.mixin import Declaration, Mixin
from mixstore.model import Model
from mixstore.write import SideWrite, WriteContext

FIELDS = ("n", "text", "slug")


class LedgerShadow(Model):
    """The second row."""

    class Meta:
        internal = True
        scan = "allow"

    id: str = Field(primary_key=True)
    n: int = 0
    text: str = ""


class Shadowed(Mixin):
    """Every write of a row writes its shadow in the same atomic unit."""

    Declares = Declaration(required=True)

    class Shadowing(BackendExtension):
        requires = (Capability.ATOMIC_WRITES,)

        def side_models(self, model_class: type[Any]) -> tuple[type[Any], ...]:
            return (LedgerShadow,)

        def write_beside(self, context: WriteContext, found: Sequence[Mapping[str, Any]]) -> Iterator[SideWrite]:
            values: Mapping[str, Any] = context.values
            shadow = LedgerShadow(id=values["id"], n=values["n"], text=values["text"])
            yield SideWrite("delete" if context.operation == "delete" else "upsert", shadow)


@cache
def _model(name: str, bases: tuple[Any, ...], unique: bool) -> type[Model]:
    meta = type("Meta", (), {"__module__": __name__, "__qualname__": f"{name}.Meta", "scan": "allow", "entity": name})
    options: dict[str, Any] = {"unique": True} if unique else {}
    namespace = {
        "__module__": __name__,
        "__qualname__": name,
        "__annotations__": {"id": str, "n": int, "text": str, "slug": str | None},
        "Meta": meta,
        "id": Field(primary_key=True),
        "n": Field(0, index=True),
        "text": "",
        "slug": Field(None, **options),
    }
    made: type[Model] = types.new_class(name, bases, exec_body=lambda body: body.update(namespace))
    return made


def models(backend: Backend, mixins: tuple[type, ...]) -> list[type[Model]]:
    """The models for a backend: a shadow needs atomic writes, and a unique slug an engine that keeps it so."""
    unique = Capability.UNIQUE in backend.capabilities
    tag = "".join(mixin.__name__ for mixin in mixins) + ("" if unique else "Plain")
    found = [_model(f"Ledger{tag}", (*mixins, Model), unique)]
    if Capability.ATOMIC_WRITES in backend.capabilities:
        found.append(_model(f"LedgerTwin{tag}", (Shadowed, *mixins, Model), unique))
    return found
