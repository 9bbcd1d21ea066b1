"""The tests of mixins that DynamoDB fails in this process, each with its reason; one that is mended fails the run.

Tests marked `each_engine` are thousands of rows or of random steps, and stay on memory and SQLite: moto takes minutes
for one of them. What they are about runs at a real engine (tests/engines/test_dynoxide_random.py and _threads.py).
"""

from __future__ import annotations

from tests.backends.dynamodb.gaps import COME_BACK, MOTO, NUMBERS, OF_FLOATS, SOME_NUMBERS

BY_RANGES = "never, because an index of its own serves: `explain()` shows ranges of it, and no filter of cells"
NO_KEY = "never, because what is compressed is no key: `explain()` shows a scan"
SOONER = "never, because it is mended sooner: `initialize()` puts each row where its place is"
WIDER = "never, because its numbers are wider than 64 bits: it holds the sum that other engines refuse"
NO_OTHER_KEY = "never, because an index keeps its key: `initialize()` refuses another under the same name"
TOLD = "never, because a query by an index would miss such rows: `initialize()` is an error that names one"


def come_back(*kinds: str, why: str = SOME_NUMBERS) -> dict[str, str]:
    """Values of these kinds that do not."""
    return {f"{COME_BACK}[{kind}]": why for kind in kinds}


LARGE = come_back("float", "decimal", "variadic_tuple", "any", *OF_FLOATS)
AWAITED = "the engine's limit: moto in this process answers botocore alone; the awaited kits have a server"
GAPS = {
    "test_audited": {"test_async_writes_are_audited": AWAITED},
    "test_compressed": {**LARGE, **come_back("dict", "bare_dict", "dict_by_enum", "json", why=MOTO)},
    "test_counters": {
        "test_decimals_are_never_rounded": NUMBERS,
        "test_a_number_that_the_engine_cannot_hold_is_refused": WIDER,
    },
    "test_encrypted": {**LARGE, **come_back("bare_list", "bare_dict", "json")},
    "test_geo": {"test_points_come_back_the_same": SOME_NUMBERS},
    "test_geo_cover": {
        "test_explain_shows_the_cells": BY_RANGES,
    },
    "test_geo_mixins": {"test_a_compressed_place_is_found_by_its_cells": NO_KEY},
    "test_geo_writes": {"test_a_row_that_another_program_moved_is_mended_by_its_next_write": SOONER},
    "test_gsi_redefined": {
        "test_an_index_that_is_added_later_has_the_rows_that_were_there": NO_OTHER_KEY,
        "test_rows_that_a_new_index_can_not_hold_are_found_all_the_same": TOLD,
    },
}
"""file -> {name of a test, with its other parameters in brackets: why}"""
