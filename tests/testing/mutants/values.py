"""Values that do not come back as they were, and rows that are shared."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from mixstore.codecs import Codec
from mixstore_backends.memory import InMemoryAdapter, InMemoryBackend
from tests.testing.mutants.planting import MUTANTS, Mutant

CHANGES: dict[str, Any] = {
    "float": lambda value: value if value in (float("inf"), float("-inf")) else float(f"{value:.15g}"),
    "decimal": lambda value: Decimal(repr(float(value))),
    "datetime": lambda value: value.replace(microsecond=value.microsecond // 1000 * 1000),
    "timedelta": lambda value: timedelta(seconds=round(value.total_seconds())),
    "bytes": lambda value: value.rstrip(b"\0"),
    "str": lambda value: value.rstrip(" "),
}


class Drifting(InMemoryAdapter):
    """Rounds what it stores of one kind."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    def field_codec(self, field_type: Any) -> Codec:
        codec = super().field_codec(field_type)
        if field_type.kind != self.kind:
            return codec
        change, before = CHANGES[self.kind], codec.encode or (lambda value: value)
        return Codec(lambda value: change(before(value)), codec.decode)


def drifting(bug: str, kind: str, *cases: str) -> None:
    MUTANTS[bug] = Mutant(cases, lambda folder: InMemoryBackend(Drifting(kind)), None)


SAME = "test_values_of_every_type_come_back_the_same"
drifting("float drift", "float", f"{SAME}[float]", "test_a_filter_finds_the_rows_that_hold_a_value[float]")
drifting("decimals kept as floats", "decimal", f"{SAME}[decimal]", "test_decimals_are_added_exactly")
drifting("moments kept to the millisecond", "datetime", f"{SAME}[datetime]")
drifting("spans kept to the second", "timedelta", f"{SAME}[timedelta]")
drifting("bytes that lose the zeros at their end", "bytes", f"{SAME}[bytes]")
drifting("text that loses the blanks at its end", "str", f"{SAME}[str]", "test_any_text_is_a_key[ ]")


class Shared(InMemoryAdapter):
    """Copies nothing on the way out."""

    def field_codec(self, field_type: Any) -> Codec:
        return Codec(super().field_codec(field_type).encode, None)


MUTANTS["a returned row that shares a mutable with the store"] = Mutant(
    ("test_changing_what_was_read_changes_no_row_by_any_way_of_reading", "test_two_reads_share_nothing"),
    lambda folder: InMemoryBackend(Shared()),
    None,
)


class Kept(InMemoryAdapter):
    """Copies nothing on the way in."""

    def field_codec(self, field_type: Any) -> Codec:
        return Codec(None, super().field_codec(field_type).decode)


MUTANTS["a stored row that shares a mutable with its writer"] = Mutant(
    ("test_changing_what_was_given_to_a_write_changes_no_row", "test_changing_a_written_instance_changes_no_row"),
    lambda folder: InMemoryBackend(Kept()),
    None,
)
MUTANTS["a naive datetime accepted"] = Mutant(
    ("test_what_no_store_can_hold_is_refused_by_the_fields_name",),
    lambda folder: InMemoryBackend(Kept()),
    None,
)
