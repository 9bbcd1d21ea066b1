"""What generated code says in place of a call, where a value is plainly right: most are.

Both tables are of functions that encode or decode one value `v`; backends add those of their own.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time, timezone
from decimal import Decimal
from typing import Any

from mixstore import scalars
from mixstore.scalars import PLAIN
from mixstore.unicode import text

Function = Callable[[Any], Any]

PASSES: dict[Function, str] = {
    text: "type(v) is str and v.isascii()",
    scalars.real: "type(v) is float and v == v",
    scalars.to_float: "type(v) is float and v == v",
    scalars.float_from_json: "type(v) is float and v == v",
    scalars.in_utc: "type(v) is datetime and v.tzinfo is utc",
    scalars.exact_date: "type(v) is date",
    scalars.naive_time: "type(v) is time and v.tzinfo is None",
}
"""The test under which a function gives back its argument."""
for _kind in ("str", "int", "bool", "bytes"):
    if (_check := PLAIN[_kind].decode) is not None:
        PASSES[_check] = f"type(v) is {_kind}"

SHORTCUTS: dict[Function, tuple[str, str]] = {
    scalars.date_text: ("type(v) is date", "v.isoformat()"),
    scalars.to_date: ("type(v) is str and len(v) == 10 and v[4] == v[7] == '-'", "date.fromisoformat(v)"),
    scalars.datetime_text: (
        "type(v) is datetime and v.tzinfo is utc",
        f"{scalars.MOMENT!r} % (v.year, v.month, v.day, v.hour, v.minute, v.second, v.microsecond)",
    ),
    scalars.decimal_text: (
        f"type(v) is Decimal and len(t := str(v)) <= {scalars.DECIMAL_DIGITS} and "
        "(t.isdigit() or t[-1] in '123456789' and 'E' not in t and 'N' not in t)",
        "t",
    ),
}
"""(test, expression): what a function makes of its argument where the test holds."""
if scalars.READS_Z:
    SHORTCUTS[scalars.to_datetime] = (
        "type(v) is str and len(v) == 27 and v[26] == 'Z' and v[10] == 'T' and v[19] == '.'",
        "datetime.fromisoformat(v)",
    )

NAMES = {"datetime": datetime, "date": date, "time": time, "utc": timezone.utc, "Decimal": Decimal}
"""What the texts above may name."""


def said(function: Function, position: int) -> str:
    """The text of `function(v)`, where the function is known as `f{position}`."""
    call = f"f{position}(v)"
    test, quick = (PASSES[function], "v") if function in PASSES else SHORTCUTS.get(function, ("", ""))
    return f"{quick} if {test} else {call}" if test else call
