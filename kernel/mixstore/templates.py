"""Templates of keys: text with fields in braces, `TODO#{created_at}#{todo_id}`, and what they render.

A template is data, not code, so that a planner can derive a key, a prefix or a range from a filter.

Rendered values are escaped: "%" and the punctuation of the template's literals become %XX, so that no two
rows share a key by accident: ("x#y", "z") and ("x", "y#z") differ. Numbers keep their order as text only
with a width: `{n:010d}`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timezone
from enum import Enum
from functools import lru_cache
from string import Formatter
from typing import TYPE_CHECKING, Any

from mixstore.codecs import primitive
from mixstore.errors import SchemaError, nearest
from mixstore.types import describe

if TYPE_CHECKING:
    from mixstore.types import FieldType

_PADDED = re.compile(r"0([1-9]\d?)d?")
_DIRECTIVE = re.compile(r"%(.?)", re.DOTALL)
_DIRECTIVES = frozenset("YmdHMSfjGVu%")  # those that no locale changes
_RESOLUTION = {"date": "Ymd", "datetime": "YmdHMSf", "time": "HMSf"}
_FIXED_WIDTH = frozenset({"datetime", "date", "time", "uuid"})
_KINDS = frozenset(
    {"str", "int", "float", "decimal", "bool", "datetime", "date", "time", "timedelta"}
    | {"uuid", "enum", "literal", "ip", "url"}
)


@dataclass(frozen=True, slots=True)
class Part:
    """The place of a field in a template; `format` is "", a width ("010d") or strftime ("%Y-%m")."""

    field: str
    format: str = ""


@dataclass(frozen=True, slots=True)
class Template:
    """Text with fields in braces. `parts` are literals (str) and Parts, in order; `fields` names, each once.

    SchemaError if the text is no template, or if two fields could run into each other.
    """

    source: str
    parts: tuple[str | Part, ...] = field(init=False, compare=False, repr=False)
    fields: tuple[str, ...] = field(init=False, compare=False, repr=False)
    _escapes: dict[int, str] = field(init=False, compare=False, repr=False)
    _writers: tuple[tuple[str, Callable[[Any], str] | None], ...] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        parts = _parse(self.source)
        escapes = _escapes("".join(part for part in parts if isinstance(part, str)))
        names = (part.field for part in parts if isinstance(part, Part))
        object.__setattr__(self, "parts", parts)
        object.__setattr__(self, "fields", tuple(dict.fromkeys(names)))
        object.__setattr__(self, "_escapes", escapes)
        object.__setattr__(self, "_writers", tuple(_writer(self.source, part, escapes) for part in parts))

    def render(self, values: Mapping[str, Any]) -> str | None:
        """The text for these python values, or None if a field is missing or None.

        ValueError for a value that can't be part of a key: naive, not finite, wider than its format.
        """
        text, complete = self.prefix(values)
        return text if complete else None

    def prefix(self, values: Mapping[str, Any]) -> tuple[str, bool]:
        """The longest text that all keys with these values start with, and whether it is the whole key.

        ValueError as in `render`.
        """
        text = ""
        for name, write in self._writers:
            if write is None:
                text += name
                continue
            value = values.get(name)
            if value is None:
                return text, False
            text += write(value)
        return text, True

    def start(self, values: Mapping[str, Any], name: str, value: Any) -> str:
        """What keys start with up to the first place of the field `name`, and with this value (or the beginning of one)
        there. All fields before it must be in `values`. ValueError as in `render`.
        """
        text = ""
        for part, write in self._writers:
            if write is None:
                text += part
            elif part == name:
                return text + write(value)
            else:
                text += write(values[part])
        raise ValueError(f"{self.source!r} has no {name!r}")

    def coarse(self, name: str, type_: FieldType) -> bool:
        """Whether, with all fields before it known, rendered texts never sort against this field's values, though
        several values may share a text: a moment of which only the year and month are written.
        """
        places = [part for part in self.parts if isinstance(part, Part) and part.field == name]
        if len(places) != 1 or not places[0].format or _PADDED.fullmatch(places[0].format):
            return False
        return _RESOLUTION.get(type_.kind, "").startswith(_directives(places[0].format))

    def sortable(self, name: str, type_: FieldType) -> bool:
        """Whether, with all fields before it known, rendered texts sort exactly as this field's values do.

        Datetimes, dates, times and UUIDs have a fixed width; integers need one; strings sort only at the end,
        and only if no escape moves a character.
        """
        places = [part for part in self.parts if isinstance(part, Part) and part.field == name]
        if len(places) != 1:
            return False
        part = places[0]
        if _PADDED.fullmatch(part.format):
            return type_.stored == "int"
        if part.format:
            return _directives(part.format) == _RESOLUTION.get(type_.kind)
        if type_.kind in _FIXED_WIDTH:
            return True
        if type_.stored != "str" or type_.kind == "ip" or part is not self.parts[-1]:
            return False
        # Escaped characters all move to where "%" is; that keeps the order only if nothing lies between them.
        moved = sorted(self._escapes)
        return moved[-1] - moved[0] == len(moved) - 1

    def check(self, where: str, types: Mapping[str, FieldType]) -> None:
        """Test the template against the fields of a model.

        SchemaError, naming `where`, for a field that is unknown, of a kind no key can hold, or ill formatted.
        """
        for part in self.parts:
            if isinstance(part, str):
                continue
            if part.field not in types:
                raise SchemaError(
                    f"{where}: {self.source!r} names no field: {part.field!r}",
                    hint=nearest(part.field, types),
                )
            kind = types[part.field].kind
            if kind not in _KINDS:
                raise SchemaError(f"{where}: {part.field!r} can't be part of a key: it is a {kind}")
            stored = types[part.field].stored
            if part.format and stored not in ({"int"} if _PADDED.fullmatch(part.format) else _RESOLUTION):
                raise SchemaError(f"{where}: the format {part.format!r} does not fit {part.field!r}, a {stored}")


def _parse(source: str) -> tuple[str | Part, ...]:
    """The literals and parts of a template, checked."""
    parts: list[str | Part] = []
    try:
        for literal, name, spec, conversion in Formatter().parse(source):
            if literal:
                parts.append(literal)
            if name is not None:
                parts.append(_part(source, name, spec or "", conversion))
    except ValueError as error:
        raise SchemaError(f"{source!r} is no key template: {error}") from error
    if not parts:
        raise SchemaError("a key template can't be empty")
    before: Part | None = None
    for part in parts:
        if isinstance(part, Part) and before is not None:
            raise SchemaError(
                f"{source!r}: {before.field!r} and {part.field!r} run into each other",
                hint="put a separator between them that is neither letter nor digit nor '%', like '#'",
            )
        if isinstance(part, Part):
            before = part
        elif any(not c.isalnum() and c != "%" for c in part):
            before = None
    return tuple(parts)


def _part(source: str, name: str, spec: str, conversion: str | None) -> Part:
    if not name.isidentifier():
        what = f"{name!r} is not the name of a field" if name else "a field needs a name, '{}' has none"
        raise SchemaError(f"{source!r}: {what}")
    if conversion:
        raise SchemaError(f"{source!r}: a conversion (!{conversion}) is not possible in a key")
    directives = _DIRECTIVE.findall(spec)
    if spec and not _PADDED.fullmatch(spec) and (not directives or not _DIRECTIVES.issuperset(directives)):
        raise SchemaError(
            f"{source!r}: {spec!r} is not a format for keys",
            hint="an integer takes a width like 010d; dates and times take %Y %m %d %H %M %S %f %j %G %V %u",
        )
    return Part(name, spec)


def _escapes(literals: str) -> dict[int, str]:
    """What each character becomes in a value, by code point.

    Punctuation just below "%" takes what lies between with it ("#" takes "$"): so strings keep their order.
    """
    points = {ord(c) for c in literals if not c.isalnum()} | {ord("%")}
    if min(points) >= ord(" "):
        points.update(range(min(points), ord("%")))
    return {point: "".join(f"%{byte:02X}" for byte in chr(point).encode()) for point in points}


def _writer(source: str, part: str | Part, escapes: dict[int, str]) -> tuple[str, Callable[[Any], str] | None]:
    """(literal, None), or (field, the function that writes its value, escaped)."""
    if isinstance(part, str):
        return part, None
    if not part.format:
        form: Callable[[Any], str] = _plain
    elif padded := _PADDED.fullmatch(part.format):
        form = _padded(int(padded[1]))
    else:
        form = _formatted(part.format)

    def write(value: Any) -> str:
        try:
            text = value if type(value) is str and form is _plain else form(value)
        except ValueError as error:
            raise ValueError(f"{part.field} can't be part of the key {source!r}: {error}") from error
        return text if text.isalnum() else text.translate(escapes)

    return part.field, write


def _plain(value: Any) -> str:
    """The text of a scalar, the same as the codecs store it."""
    python: Any = type(value)
    form = _encoder(python)(value)
    if isinstance(form, bool):
        return "true" if form else "false"
    if isinstance(form, float):
        if form - form != 0:
            raise ValueError(f"{form} is not finite")
        return repr(form + 0.0)  # so that -0.0, which equals 0.0, gives the same key
    if isinstance(form, (str, int)):
        return str(form)
    raise ValueError(f"{type(value).__name__} has no text form")


@lru_cache(maxsize=256)
def _encoder(python: type) -> Callable[[Any], Any]:
    try:
        described = describe(python, "a key")
    except SchemaError as error:
        raise ValueError(f"{python.__name__} has no text form") from error
    if described.kind not in _KINDS:
        raise ValueError(f"{python.__name__} has no text form")
    return primitive(described).encode or (lambda value: value)


def _padded(width: int) -> Callable[[Any], str]:
    """Integers from 0 on with leading zeros. A wider or negative one is refused: it would sort wrongly."""

    def form(value: Any) -> str:
        number = value.value if isinstance(value, Enum) else value
        if not isinstance(number, int) or isinstance(number, bool):
            raise ValueError(f"a format with a width is for integers, not {type(value).__name__}")
        text = f"{number:0{width}d}"
        if number < 0 or len(text) > width:
            raise ValueError(f"{text if width < 40 else 'the number'} is not a number of 0 to {width} digits")
        return text

    return form


def _formatted(spec: str) -> Callable[[Any], str]:
    """Datetimes (in UTC), dates and times by strftime, with years of four digits on every platform."""

    def form(value: Any) -> str:
        if isinstance(value, datetime):
            if value.tzinfo is None:
                raise ValueError("a datetime needs a time zone")
            value = value.astimezone(timezone.utc)
        elif not isinstance(value, (date, time)):
            raise ValueError(f"the format {spec!r} is for dates and times, not {type(value).__name__}")
        return _DIRECTIVE.sub(lambda found: _directive(value, found[1]), spec)

    return form


def _directives(spec: str) -> str:
    return "".join(directive for directive in _DIRECTIVE.findall(spec) if directive != "%")


def _directive(value: Any, directive: str) -> str:
    if directive == "Y":
        return f"{value.year:04d}"
    if directive == "G":
        return f"{value.isocalendar()[0]:04d}"
    text: str = value.strftime(f"%{directive}")
    return text
