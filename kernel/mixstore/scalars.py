"""How each scalar kind becomes a str, int, float, bool or bytes, and back; strict in both directions."""

from __future__ import annotations

import base64
import ipaddress
import math
import re
import sys
from collections.abc import Callable
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, Flag
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from mixstore.annotations import with_metadata
from mixstore.errors import SchemaError

if TYPE_CHECKING:
    from mixstore.types import FieldType

Function = Callable[[Any], Any]

DECIMAL_DIGITS = 4300
"""Decimals that take more digits written out are refused: Python's own limit for the text of an int."""

_UTC = timezone.utc
MOMENT = "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ"
READS_Z = sys.version_info >= (3, 11)
_DECIMAL = re.compile(r"-?[0-9]+(?:\.[0-9]+)?").fullmatch
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}").fullmatch
IP_ANY: dict[str, tuple[Function, tuple[type, ...]]] = {
    "IPvAnyAddress": (ipaddress.ip_address, (ipaddress.IPv4Address, ipaddress.IPv6Address)),
    "IPvAnyNetwork": (ipaddress.ip_network, (ipaddress.IPv4Network, ipaddress.IPv6Network)),
    "IPvAnyInterface": (ipaddress.ip_interface, (ipaddress.IPv4Interface, ipaddress.IPv6Interface)),
}


class Codec(NamedTuple):
    """Two functions between the python value and its stored form; None where nothing is to do.

    A codec never sees None for the value itself (callers test that), but handles it inside containers.
    encode raises ValueError for what can't be stored, decode ValueError, TypeError or KeyError for junk.
    """

    encode: Function | None
    decode: Function | None


IDENTITY = Codec(None, None)


def wrong(expected: str, value: Any) -> ValueError:
    """The error for a value of another type; shows the value only when it is short."""
    shown = repr(value) if isinstance(value, (str, int, float)) else ""
    told = f" {shown}" if 0 < len(shown) <= 40 else ""
    return ValueError(f"expected {expected}, found {type(value).__name__}{told}")


def in_utc(value: Any) -> datetime:
    """The same moment as a plain datetime whose tzinfo is `timezone.utc`; ValueError for a naive one."""
    if type(value) is datetime and value.tzinfo is _UTC:
        return value
    if not isinstance(value, datetime):
        raise wrong("a datetime", value)
    if value.utcoffset() is None:
        raise ValueError("a datetime without time zone can't be stored; use datetime.now(timezone.utc)")
    try:
        moment = datetime.astimezone(value, _UTC)
    except OverflowError:
        raise ValueError("the datetime lies outside of the years 1 to 9999 in UTC") from None
    return moment if type(moment) is datetime else datetime.combine(moment.date(), moment.time(), _UTC)


def datetime_text(value: datetime) -> str:
    """'YYYY-MM-DDTHH:MM:SS.ffffffZ' in UTC: fixed width, so that text order is time order."""
    # isoformat() asks the time zone for its offset, which takes longer than all the rest.
    m = value if type(value) is datetime and value.tzinfo is _UTC else in_utc(value)
    return MOMENT % (m.year, m.month, m.day, m.hour, m.minute, m.second, m.microsecond)


def to_datetime(text: Any) -> datetime:
    if type(text) is not str or len(text) != 27 or text[26] != "Z" or text[10] != "T" or text[19] != ".":
        raise wrong("'YYYY-MM-DDTHH:MM:SS.ffffffZ'", text)
    return datetime.fromisoformat(text if READS_Z else text[:26] + "+00:00")


def exact_date(value: Any) -> date:
    """The date itself; a datetime is no date."""
    if type(value) is not date and (isinstance(value, datetime) or not isinstance(value, date)):
        raise wrong("a date", value)
    return value


def date_text(value: Any) -> str:
    return date.isoformat(exact_date(value))


def to_date(text: Any) -> date:
    if type(text) is not str or len(text) != 10 or text[4] != "-" or text[7] != "-":
        raise wrong("'YYYY-MM-DD'", text)
    return date.fromisoformat(text)


def naive_time(value: Any) -> time:
    """The time itself; ValueError if it has a time zone, which means nothing without a date."""
    if not isinstance(value, time):
        raise wrong("a time", value)
    if value.tzinfo is not None:
        raise ValueError("a time with a time zone can't be stored; use a datetime, or a time without zone")
    return value


def _time_text(value: time) -> str:
    return naive_time(value).isoformat(timespec="microseconds")


def _to_time(text: Any) -> time:
    if type(text) is not str or len(text) != 15 or text[2] != ":" or text[5] != ":" or text[8] != ".":
        raise wrong("'HH:MM:SS.ffffff'", text)
    return naive_time(time.fromisoformat(text))


def microseconds(value: Any) -> int:
    """The whole duration in microseconds, exactly."""
    if not isinstance(value, timedelta):
        raise wrong("a timedelta", value)
    return (value.days * 86400 + value.seconds) * 1000000 + value.microseconds


def _to_timedelta(number: Any) -> timedelta:
    if type(number) is not int:
        raise wrong("microseconds as an int", number)
    try:
        return timedelta(microseconds=number)
    except OverflowError:
        raise ValueError("the duration is too long for a timedelta") from None


def decimal_text(value: Any) -> str:
    """Canonical digits: no exponent, no trailing zeros, '0' for every zero; never rounded."""
    if type(value) is Decimal and is_canonical(text := str(value)):
        return text
    if not isinstance(value, Decimal):
        if type(value) is not int:
            raise wrong("a Decimal", value)
        value = Decimal(value)
    if not value.is_finite():
        raise ValueError(f"{value} can't be stored: a Decimal must be finite")
    exponent = int(value.as_tuple().exponent) if "E" in (text := str(value)) else 0
    if max(len(text), abs(exponent), abs(value.adjusted())) > DECIMAL_DIGITS:
        raise ValueError(f"the Decimal takes more than {DECIMAL_DIGITS} digits")
    if exponent:
        text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return text if value else "0"


def _to_decimal(text: Any) -> Decimal:
    if type(text) is not str or _DECIMAL(text) is None:
        raise wrong("digits as text", text)
    return Decimal(text)


def is_canonical(text: str) -> bool:
    """Whether a text of a Decimal can be seen to be canonical; False leaves it to the full check."""
    if len(text) > DECIMAL_DIGITS:
        return False
    return text.isdigit() or (text[-1] in "123456789" and "E" not in text and "N" not in text)


def canonical_decimal(value: Any) -> Decimal:
    """The same number in the form that every store gives back (1.50 becomes 1.5)."""
    if type(value) is Decimal and is_canonical(str(value)):
        return value
    return Decimal(decimal_text(value))


def real(value: Any) -> float:
    """The float, also of an int; NaN is refused, since it is not equal to what comes back."""
    if type(value) is not float and (type(value) is bool or not isinstance(value, (int, float))):
        raise wrong("a float", value)
    number = float(value)
    if number != number:
        raise ValueError("NaN can't be stored")
    return number


def to_float(number: Any) -> float:
    if type(number) is int:
        try:
            return float(number)
        except OverflowError:
            raise ValueError("the number is too large for a float") from None
    if type(number) is not float:
        raise wrong("a number", number)
    return real(number)


def finite(value: Any) -> float:
    """The float itself; NaN and the infinities are refused."""
    if not math.isfinite(number := real(value)):
        raise ValueError(f"{number} can't be stored next to text")
    return number


def _float_json(value: Any) -> float | str:
    number = real(value)
    return number if math.isfinite(number) else str(number)


def float_from_json(number: Any) -> float:
    if number == "inf" or number == "-inf":
        return float(number)
    return to_float(number)


def _bytes_json(value: Any) -> str:
    if not isinstance(value, bytes):
        raise wrong("bytes", value)
    return base64.b64encode(value).decode("ascii")


def _bytes_from_json(text: Any) -> bytes:
    if type(text) is not str:
        raise wrong("base64 text", text)
    return base64.b64decode(text, validate=True)


def _to_uuid(text: Any) -> UUID:
    if type(text) is not str or _UUID(text) is None:
        raise wrong("a UUID as text", text)
    return UUID(text)


def _uuid_text(value: Any) -> str:
    if not isinstance(value, UUID):
        raise wrong("a UUID", value)
    return str(value)


def _exactly(cls: type, name: str) -> Function:
    def check(value: Any) -> Any:
        if type(value) is not cls:
            raise wrong(name, value)
        return value

    return check


def _text_of(classes: tuple[type, ...], cls: type) -> Function:
    def encode(value: Any) -> str:
        if not isinstance(value, classes):
            raise wrong(f"a {cls.__name__}", value)
        return str(value)

    return encode


def _of_text(make: Function) -> Function:
    def decode(text: Any) -> Any:
        if type(text) is not str:
            raise wrong("text", text)
        return make(text)

    return decode


PLAIN: dict[str, Codec] = {
    "str": Codec(None, _exactly(str, "text")),
    "int": Codec(None, _exactly(int, "an int")),
    "bool": Codec(None, _exactly(bool, "true or false")),
    "bytes": Codec(None, _exactly(bytes, "bytes")),
    "float": Codec(real, to_float),
    "decimal": Codec(decimal_text, _to_decimal),
    "datetime": Codec(datetime_text, to_datetime),
    "date": Codec(date_text, to_date),
    "time": Codec(_time_text, _to_time),
    "timedelta": Codec(microseconds, _to_timedelta),
    "uuid": Codec(_uuid_text, _to_uuid),
}
_JSON: dict[str, Codec] = {
    "float": Codec(_float_json, float_from_json),
    "bytes": Codec(_bytes_json, _bytes_from_json),
}


def primitive(described: FieldType) -> Codec:
    """Scalar kinds as str, int, float, bool or bytes.

    Decimals, dates and times become text, datetimes UTC text of fixed width, timedeltas whole microseconds,
    enums and literals their values. SchemaError for a kind that is not scalar.
    """
    return _scalar(described, PLAIN)


def json_scalar(described: FieldType) -> Codec:
    """As `primitive`, with bytes as base64 text and infinite floats as "inf" and "-inf"."""
    return _scalar(described, {**PLAIN, **_JSON})


def _scalar(described: FieldType, table: dict[str, Codec]) -> Codec:
    kind, cls = described.kind, described.python
    if kind == "enum":
        return _flag(cls) if issubclass(cls, Flag) else _enum(cls)
    if kind == "literal":
        return _literal(described.choices)
    if kind == "ip":
        make, classes = IP_ANY.get(cls.__name__, (cls, (cls,)))
        return Codec(_text_of(classes, cls), _of_text(make))
    if kind == "url":
        return Codec(_text_of((cls,), cls), _of_text(_url(cls)))
    if kind not in table:
        raise SchemaError(f"{described} is not one plain value")
    codec = table[kind]
    if codec.decode is None or cls.__module__ in ("builtins", "datetime", "decimal", "uuid"):
        return codec
    return _subclassed(codec, cls, codec.decode)


def _subclassed(codec: Codec, cls: Function, decode: Function) -> Codec:
    base = next(base for base in (str, int, float, Decimal, bytes) if issubclass(cls, base))  # type: ignore[arg-type]
    encode = codec.encode or base
    return Codec(encode, lambda stored: cls(decode(stored)))


def _table(choices: Any) -> dict[tuple[type, Any], Any]:
    """(type, stored value) -> value, since 1, 1.0 and True are equal; a whole float may return as an int."""
    pairs = [(choice.value if isinstance(choice, Enum) else choice, choice) for choice in choices]
    table = {(type(value), value): choice for value, choice in pairs}
    for value, choice in pairs:
        if isinstance(value, float) and value.is_integer():
            table.setdefault((int, int(value)), choice)
    return table


def _chooser(table: dict[tuple[type, Any], Any]) -> Function:
    def decode(stored: Any) -> Any:
        try:
            return table[type(stored), stored]
        except (KeyError, TypeError):
            raise wrong(f"one of {', '.join(repr(value) for _, value in table)}", stored) from None

    return decode


def _enum(cls: type[Enum]) -> Codec:
    def encode(value: Any) -> Any:
        if not isinstance(value, cls):
            raise wrong(f"a {cls.__name__}", value)
        return value._value_

    return Codec(encode, _chooser(_table(cls.__members__.values())))


def _flag(cls: type[Flag]) -> Codec:
    def decode(stored: Any) -> Any:
        if type(stored) is not int:
            raise wrong(f"the int of a {cls.__name__}", stored)
        return cls(stored)

    return Codec(_enum(cls).encode, decode)


def _literal(choices: tuple[Any, ...]) -> Codec:
    decode = _chooser(_table(choices))

    def encode(value: Any) -> Any:
        stored = value._value_ if isinstance(value, Enum) else value
        decode(stored)
        return stored

    return Codec(encode, decode)


@lru_cache(maxsize=64)
def _url(cls: type) -> Function:
    """Builds a URL from its text, which is canonical: nothing of it may change, not even an empty path."""
    from pydantic import TypeAdapter, UrlConstraints  # both slow to import, and seldom needed

    exact = with_metadata(cls, [UrlConstraints(preserve_empty_path=True)])
    parse = TypeAdapter[Any](exact).validate_python

    def decode(text: str) -> Any:
        try:
            return parse(text)
        except ValueError as error:
            raise ValueError(f"not the text of a {cls.__name__}") from error

    return decode
