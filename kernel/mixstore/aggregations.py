"""Numbers about the rows of a query: what may be asked, the results, and the reference: what rows say of it.

    Article.where(open=True).aggregate(by_tag=Terms("tags"), price=Stats("price"), months=DateHistogram("at", "month"))

Rows with None in the field are in no bucket and no statistic; `Missing` counts them.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone, tzinfo
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from mixstore.comparing import comparable
from mixstore.errors import QueryError, nearest
from mixstore.lookups import type_at
from mixstore.matching import getter

if TYPE_CHECKING:
    from mixstore.schema import ModelSchema
    from mixstore.types import FieldType

T = TypeVar("T")
INTERVALS = ("minute", "hour", "day", "week", "month", "quarter", "year")
MOST_TERMS = 10_000
_NUMBERS = frozenset({"int", "float", "decimal"})
_COLLECTIONS = frozenset({"list", "tuple", "set", "frozenset"})


class Terms(NamedTuple):
    """How many rows have each value of a field, or each element of a list; the `size` most frequent ones.

    A row counts once for each element that it has. Of values that are as frequent, the smaller come first.
    """

    field: str
    size: int = 10


class Stats(NamedTuple):
    """Count, smallest, largest, mean and sum of a field of finite numbers, as floats."""

    field: str


class Histogram(NamedTuple):
    """How many rows lie in each `interval` of finite numbers: from a multiple of it up to the next."""

    field: str
    interval: float


class DateHistogram(NamedTuple):
    """How many rows lie in each `interval` of a datetime or date: minute, hour, day, week, month, quarter, year.

    tz: the time zone in which days and longer intervals of a datetime begin, as "Europe/Berlin". Weeks begin on Monday.
    """

    field: str
    interval: str
    tz: str = "UTC"


class Missing(NamedTuple):
    """How many rows have None in a field."""

    field: str


Aggregation = Terms | Stats | Histogram | DateHistogram | Missing


@dataclass(frozen=True)
class Bucket(Generic[T]):
    """A value, or the beginning of an interval, and how many rows have it."""

    key: T
    count: int


class Buckets(list[Bucket[Any]]):
    """The buckets of `Terms`, the fullest first.

    others: how many more the values have that are in none of them. off_by: how much a count of an engine of several
    shards may be too low; 0 elsewhere.
    """

    others: int = 0
    off_by: int = 0


@dataclass(frozen=True)
class Summary:
    """The result of `Stats`; all but the count and the sum are None where there is no number."""

    count: int
    min: float | None
    max: float | None
    mean: float | None
    sum: float


class Asked(NamedTuple):
    """One aggregation on its field: the path and the type of its values, those of the elements of a list."""

    one: Aggregation
    path: tuple[str, ...]
    type: FieldType
    listed: bool


# -- what may be asked -------------------------------------------------------------------------------------------------


def checked(schema: ModelSchema, asked: Mapping[str, Aggregation]) -> dict[str, Asked]:
    """The aggregations by their names. QueryError for one that makes no sense, or has no such field."""
    if not asked:
        raise QueryError("aggregate() takes aggregations by name: aggregate(by_tag=Terms('tags'))", model=schema.model)
    return {name: _checked(schema, one) for name, one in asked.items()}


def _checked(schema: ModelSchema, one: Aggregation) -> Asked:
    known = (Terms, Stats, Histogram, DateHistogram, Missing)
    if not isinstance(one, known):
        told = ", ".join(kind.__name__ for kind in known)
        raise QueryError(f"{one!r} is no aggregation: {told}", model=schema.model)
    if not isinstance(one.field, str):
        raise QueryError(f"an aggregation takes the name of a field, not {one.field!r}", model=schema.model)
    path = (one.field,) if one.field in schema.fields else tuple(one.field.split("__"))
    kind = type_at(schema, path)
    listed = isinstance(one, Terms) and kind.kind in _COLLECTIONS and len(kind.args) == 1
    asked = Asked(one, path, kind.args[0] if listed else kind, listed)
    check = _CHECKS.get(type(one))
    problem = None if check is None else check(asked)
    if problem is not None:
        raise QueryError(f"{schema.name}.{one.field} {problem}", model=schema.model)
    return asked


def _terms_problem(asked: Asked) -> str | None:
    size = asked.one.size  # type: ignore[union-attr]
    if isinstance(size, bool) or not isinstance(size, int) or not 0 < size <= MOST_TERMS:
        return f"has Terms of size {size!r}: it is a number from 1 to {MOST_TERMS:,}"
    return None if asked.type.orderable else f"is {asked.type}, of which no values can be counted"


def _number_problem(asked: Asked) -> str | None:
    if asked.type.kind not in _NUMBERS:
        return f"is {asked.type}, and no number"
    interval = getattr(asked.one, "interval", 1)
    if isinstance(interval, bool) or not isinstance(interval, (int, float)) or not 0 < interval < math.inf:
        return f"has a Histogram of the interval {interval!r}: it is a number above 0"
    return None


def _date_problem(asked: Asked) -> str | None:
    one = asked.one
    assert isinstance(one, DateHistogram)
    interval, tz = one.interval, one.tz
    if asked.type.kind not in ("datetime", "date"):
        return f"is {asked.type}, and no date"
    if interval not in INTERVALS:
        return f"has a DateHistogram of the interval {interval!r}; {nearest(str(interval), INTERVALS)}"
    short = interval in ("minute", "hour")
    if asked.type.kind == "date" and (short or tz != "UTC"):
        return "is a date, which has no time: its intervals are days or longer, and have no time zone"
    if short and tz != "UTC":
        return f"has a DateHistogram of {interval}s in {tz}: intervals of less than a day are those of UTC"
    try:
        zone(tz)
    except (ValueError, KeyError, OSError, TypeError, AttributeError):
        return f"has a DateHistogram in {tz!r}, which is no time zone: 'Europe/Berlin', 'UTC'"
    return None


_CHECKS: Mapping[Any, Callable[[Asked], str | None]] = {
    Terms: _terms_problem,
    Stats: _number_problem,
    Histogram: _number_problem,
    DateHistogram: _date_problem,
}


def zone(name: str) -> tzinfo:
    """The time zone of a name."""
    if name == "UTC":
        return timezone.utc
    from zoneinfo import ZoneInfo  # slow to import, and few ask for it

    return ZoneInfo(name)


# -- the reference -----------------------------------------------------------------------------------------------------


class Sums:
    """The reference: it is given rows of python values, one after the other, and then has the results."""

    def __init__(self, asked: Mapping[str, Asked]) -> None:
        self._asked = asked
        self._values: dict[str, list[Any]] = {name: [] for name in asked}
        self._columns = [(self._values[name].append, getter(one.path)) for name, one in asked.items()]

    def add(self, row: Mapping[str, Any]) -> None:
        """One more row."""
        for keep, read in self._columns:
            keep(read(row))

    def results(self) -> dict[str, Any]:
        """The result of each aggregation, by its name."""
        return {name: _RULES[type(one.one)](one, self._values[name]) for name, one in self._asked.items()}


def _terms(asked: Asked, values: Iterable[Any]) -> Buckets:
    counts: Counter[Any] = Counter()
    shown: dict[Any, Any] = {}
    for value in values:
        elements = value if asked.listed and value is not None else (value,)
        forms = {comparable(one): one for one in elements if one is not None}
        counts.update(forms.keys())
        shown.update(forms)
    found = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    size: int = asked.one.size  # type: ignore[union-attr]
    buckets = Buckets(Bucket(shown[form], count) for form, count in found[:size])
    buckets.others = sum(count for _, count in found[size:])
    return buckets


def _numbers(values: Iterable[Any]) -> list[float]:
    """The finite numbers, as floats."""
    found = [_real(value) for value in values if value is not None]
    return [one for one in found if math.isfinite(one)]


def _real(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _stats(asked: Asked, values: Iterable[Any]) -> Summary:
    found = _numbers(values)
    if not found:
        return Summary(0, None, None, None, 0.0)
    try:
        total = math.fsum(found)
    except OverflowError:
        total = sum(found)
    return Summary(len(found), min(found), max(found), total / len(found), total)


def _histogram(asked: Asked, values: Iterable[Any]) -> list[Bucket[Any]]:
    interval = float(asked.one.interval)  # type: ignore[union-attr]
    return _counted(multiple(one, interval) for one in _numbers(values))


def multiple(value: float, interval: float) -> float:
    """The multiple of the interval at or below a number."""
    steps = value / interval
    return (math.floor(steps) if abs(steps) < 2**53 else steps) * interval + 0.0


def _dates(asked: Asked, values: Iterable[Any]) -> list[Bucket[Any]]:
    one = asked.one
    assert isinstance(one, DateHistogram)
    where = zone(one.tz)
    return _counted(beginning(value, one.interval, where) for value in values if value is not None)


def beginning(moment: Any, interval: str, where: tzinfo) -> Any:
    """When the interval began that a moment lies in, by the clocks of a time zone; of a date, as a date."""
    if type(moment) is date:
        return _day(moment, interval)
    local = moment.astimezone(where)
    if interval == "minute":
        return local.replace(second=0, microsecond=0)
    if interval == "hour":
        return local.replace(minute=0, second=0, microsecond=0)
    day = _day(local.date(), interval)
    return datetime(day.year, day.month, day.day, tzinfo=where)


def _day(day: date, interval: str) -> date:
    match interval:
        case "week":
            return day - timedelta(days=day.weekday())
        case "month":
            return day.replace(day=1)
        case "quarter":
            return day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1)
        case "year":
            return day.replace(month=1, day=1)
        case _:
            return day


def _counted(keys: Iterable[Any]) -> list[Bucket[Any]]:
    return [Bucket(key, count) for key, count in sorted(Counter(keys).items())]


def _missing(asked: Asked, values: Iterable[Any]) -> int:
    return sum(1 for value in values if value is None)


_RULES: Mapping[Any, Callable[[Asked, list[Any]], Any]] = {
    Terms: _terms,
    Stats: _stats,
    Histogram: _histogram,
    DateHistogram: _dates,
    Missing: _missing,
}
