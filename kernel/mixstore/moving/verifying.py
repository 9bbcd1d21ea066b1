"""Whether two stores hold the same rows of a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mixstore.backend import Backend
from mixstore.moving.forms import Forms
from mixstore.moving.reading import number_of, pages, place
from mixstore.moving.storing import stored_values
from mixstore.query import Query

if TYPE_CHECKING:
    from mixstore.bound import Bound

MODULUS = 1 << 256


@dataclass(slots=True)
class Verified:
    """What a comparison found, by the rows of the first store.

    `missing` are not in the second one, `different` have other values there; `example` is the key of the first of
    those. `rows` and `others` say how many each store has. The checksums are sums of the SHA-256 of the values of each
    row, modulo 2**256, whatever the order: `checksum` of the first store, `found` of the same keys in the second.
    """

    entity: str
    rows: int = 0
    others: int = 0
    missing: int = 0
    different: int = 0
    checksum: int = 0
    found: int = 0
    example: Any = None

    @property
    def agrees(self) -> bool:
        """Whether the second store has each row of the first, and no other."""
        return not self.missing and not self.different and self.rows == self.others


def verify(model: type[Any], source: Backend | str, destination: Backend | str) -> Verified:
    """Compare all rows of a model in two stores, page by page. Hidden rows are among them, dead ones are not."""
    here, there = place(model, source), place(model, destination)
    return compare(here, there, Query(model))


def compare(source: Bound, destination: Bound, query: Query) -> Verified:
    """`verify` of some rows."""
    result, forms = Verified(source.schema.entity), Forms(source, destination)
    for page in pages(source, query):
        there = stored_values(destination, page.rows) if page.rows else []
        for values, found in zip(page.rows, there, strict=True):
            _add(source, result, values, forms.digest(values), None if found is None else forms.digest(found))
    result.others = number_of(destination, query)
    return result


def _add(source: Bound, result: Verified, values: dict[str, Any], mine: int, other: int | None) -> None:
    result.rows += 1
    result.checksum = (result.checksum + mine) % MODULUS
    if mine != other and result.example is None:
        result.example = source.schema.key_as_told(source.key_from(values))
    if other is None:
        result.missing += 1
        return
    result.found = (result.found + other) % MODULUS
    result.different += mine != other
