"""`Counters`: numbers that many writers change at once. `Sequence`: numbers that are given out once."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from mixstore import (
    BackendExtension,
    Capability,
    Declaration,
    Field,
    Mixin,
    Model,
    SchemaError,
    aadd_to,
    add_to,
)

if TYPE_CHECKING:
    from typing_extensions import Self

NUMBERS = ("int", "float", "decimal")


class Counters(Mixin):
    """`increment()` adds to a number inside the engine: nothing is read first, and nobody's part is lost.

    It takes fields of type int, float and Decimal; None counts as 0. Bounds of the field (`ge`, `lt`, ...) are a
    condition of the write. Only the number is written (with what other mixins add to a write, such as `updated_at`);
    what the instance holds unsaved stays unsaved. On a `Versioned` model it asks for no version and adds 1 to it.
    """

    Declares = Declaration(required=True)  # a plain update in its place would lose what others add

    class Counting(BackendExtension):
        """Checks at bind that there is something to count; the adding is the kernel's and the engine's."""

        requires = (Capability.CONDITIONS,)
        fidelity = "native"

        def configure_backend(self, model_class: type[Any]) -> None:
            if Capability.ADD not in self.backend.capabilities:
                self.fidelity = "emulated"  # type: ignore[misc,assignment]  # read, and written if it is unchanged
            fields = self.schema.fields
            if not any(
                spec.type.kind in NUMBERS and name not in self.schema.key_fields for name, spec in fields.items()
            ):
                raise SchemaError(
                    f"{self.schema.name} has Counters and nothing to count: no field is an int, a float or a Decimal",
                    model=model_class,
                )

    def increment(self, field: str, /, by: int | float | Decimal = 1) -> Self:
        """Add `by`, which may be negative, to a field; the instance then shows what is stored.

        ValidationError for an unknown field, one that is no number, or a sum that does not fit it; NotFoundError.
        """
        add_to(self, {field: by})
        return self

    async def aincrement(self, field: str, /, by: int | float | Decimal = 1) -> Self:
        """`increment()`, awaited."""
        await aadd_to(self, {field: by})
        return self


class Sequence(Counters, Model):
    """Increasing numbers by name, each given out once; a subclass is the table that holds them.

        class Numbers(Sequence): ...

        Numbers.next("invoices")  # 1, then 2, ...

    A number is counted when it is asked for, so that a gap is a number that its taker did not use. TransactionError
    inside a transaction, which might still be dropped.
    """

    class Meta:
        abstract = True

    name: str = Field(primary_key=True)
    last: int = Field(default=0, ge=0)

    @classmethod
    def next(cls, name: str, /) -> int:
        """The next number of that name; the first is 1."""
        taken: Sequence = add_to(cls(name=name, last=0), {"last": 1}, or_create=True)
        return taken.last

    @classmethod
    async def anext(cls, name: str, /) -> int:
        """`next()`, awaited."""
        taken: Sequence = await aadd_to(cls(name=name, last=0), {"last": 1}, or_create=True)
        return taken.last
