from __future__ import annotations

import ipaddress
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum
from itertools import pairwise
from typing import Any, Literal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AnyUrl

from mixstore.errors import SchemaError
from mixstore.keys import Key, marked_keys, partition_key, sort_key
from mixstore.templates import Part, Template
from mixstore.types import describe

TODO = Key(partition="USER#{user_id}", sort="TODO#{created_at}#{todo_id}")


class Colour(Enum):
    RED = "red"


class Level(IntEnum):
    HIGH = 7


def sortable(source: str, name: str, annotation: Any) -> bool:
    return Template(source).sortable(name, describe(annotation, name))


def test_a_key_renders_its_partition_and_its_sort_part():
    at = datetime(2025, 1, 15, 12, 30, tzinfo=timezone.utc)
    values = {"user_id": "alice", "created_at": at, "todo_id": 3}
    assert TODO.partition.render(values) == "USER#alice"
    assert TODO.sort is not None
    assert TODO.sort.render(values) == "TODO#2025-01-15T12:30:00.000000Z#3"


def test_a_key_names_the_fields_it_is_made_of_each_once():
    assert TODO.fields == ("user_id", "created_at", "todo_id")
    assert Key("{a}#{b}", "{b}#{c}#{a}").fields == ("a", "b", "c")
    assert Key("{a}").sort is None


def test_keys_are_values():
    assert Key("{a}", "{b}") == Key("{a}", "{b}") != Key("{a}")
    assert len({Key("{a}", "{b}"), Key("{a}", "{b}")}) == 1
    assert repr(Key("{a}", "{b}")) == "Key(partition='{a}', sort='{b}')"
    with pytest.raises(AttributeError):
        TODO.sort = None  # type: ignore[misc]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("ada", "ada"),
        ("", ""),
        ("naïve ☃", "naïve ☃"),
        (42, "42"),
        (-42, "-42"),
        (True, "true"),
        (False, "false"),
        (1.5, "1.5"),
        (-0.0, "0.0"),
        (Decimal("1.500"), "1.5"),
        (Decimal("-0"), "0"),
        (Colour.RED, "red"),
        (Level.HIGH, "7"),
        (date(2025, 1, 15), "2025-01-15"),
        (time(9, 5), "09:05:00.000000"),
        (timedelta(seconds=1), "1000000"),
        (datetime(25, 1, 15, tzinfo=timezone.utc), "0025-01-15T00:00:00.000000Z"),
        (datetime(2025, 1, 15, 1, tzinfo=timezone(timedelta(hours=2))), "2025-01-14T23:00:00.000000Z"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (ipaddress.IPv4Address("10.0.0.1"), "10.0.0.1"),
        (AnyUrl("https://example.org/a"), "https://example.org/a"),
    ],
)
def test_every_scalar_has_one_text(value, text):
    assert Template("{x}").render({"x": value}) == text


@pytest.mark.parametrize(
    "value",
    [datetime(2025, 1, 15), float("nan"), float("inf"), Decimal("NaN"), b"raw", ["a"], {"a": 1}, ...],
    ids=repr,
)
def test_what_has_no_text_is_refused_by_name(value):
    with pytest.raises(ValueError, match=r"user_id can't be part of the key 'USER#\{user_id\}'"):
        TODO.partition.render({"user_id": value})


@pytest.mark.parametrize("values", [{}, {"a": 1}, {"b": 1}, {"a": None, "b": 1}, {"a": 1, "b": None}])
def test_a_key_with_a_missing_field_is_no_key(values):
    assert Template("{a}#{b}").render(values) is None


def test_braces_are_doubled_to_stand_for_themselves():
    assert Template("{{{a}}}").render({"a": "x"}) == "{x}"


def test_punctuation_of_the_template_is_escaped_in_values():
    assert Template("A#{a}#{b}").render({"a": "x#y", "b": "100%"}) == "A#x%23y#100%25"
    assert Template("A:{a}").render({"a": "x:y#z"}) == "A:x%3Ay#z"
    assert Template("→{a}").render({"a": "x→y"}) == "→x%E2%86%92y"


def test_a_delimiter_in_a_value_does_not_move_the_border_between_two_values():
    template = Template("{a}#{b}")
    assert template.render({"a": "x#y", "b": "z"}) != template.render({"a": "x", "b": "y#z"})


texts = st.text(alphabet="ab01#$%&:|_-235/ é→", max_size=6)


@given(
    st.sampled_from(["{a}#{b}", "A#{a}#B#{b}", "{a}|{b}", "{a}_X_{b}#C", "2{a}%#{b}3", "{a}→{b}", "#{a}: {b}"]),
    st.tuples(texts, texts),
    st.tuples(texts, texts),
)
def test_different_values_never_share_a_key(source, one, other):
    template = Template(source)
    keys = [template.render({"a": a, "b": b}) for a, b in (one, other)]
    assert (keys[0] == keys[1]) == (one == other)


def test_a_prefix_ends_before_the_first_unknown_field():
    at = date(2025, 1, 15)
    template = Template("TODO#{created_at}#{todo_id}#END")
    assert template.prefix({}) == ("TODO#", False)
    assert template.prefix({"todo_id": 3}) == ("TODO#", False)
    assert template.prefix({"created_at": at}) == ("TODO#2025-01-15#", False)
    assert template.prefix({"created_at": at, "todo_id": 3}) == ("TODO#2025-01-15#3#END", True)


@given(texts, texts)
def test_every_key_starts_with_the_prefix_of_what_is_known_of_it(a, b):
    template = Template("A#{a}#{b}")
    whole = template.render({"a": a, "b": b})
    assert whole is not None
    prefix, complete = template.prefix({"a": a})
    assert whole.startswith(prefix)
    assert not complete


def test_a_number_with_a_width_sorts_as_text():
    template = Template("N#{n:05d}")
    rendered = [template.render({"n": n}) for n in (0, 2, 10, 99999)]
    assert rendered == ["N#00000", "N#00002", "N#00010", "N#99999"] == sorted(rendered)
    assert Template("{n:05}").render({"n": Level.HIGH}) == "00007"


@pytest.mark.parametrize("n", [-1, 100_000, 10**50, True, 1.0, "7"])
def test_a_number_that_would_sort_wrongly_is_refused(n):
    with pytest.raises(ValueError, match="n can't be part of the key"):
        Template("N#{n:05d}").render({"n": n})


def test_dates_and_times_take_a_format_that_is_the_same_everywhere():
    at = datetime(5, 1, 2, 3, 4, 5, 6, tzinfo=timezone(timedelta(hours=-1)))
    values = {"at": at, "day": date(2025, 12, 29)}
    assert Template("{at:%Y-%m-%dT%H:%M:%S.%f}").render(values) == "0005-01-02T04:04:05.000006"
    assert Template("{day:%G-W%V}").render(values) == "2026-W01"
    assert Template("{day:%Y%%%j}").render(values) == "2025%25363"


@pytest.mark.parametrize("value", [datetime(2025, 1, 15), "2025-01-15", 3])
def test_a_date_format_refuses_what_is_no_date(value):
    with pytest.raises(ValueError, match="at can't be part of the key"):
        Template("{at:%Y-%m}").render({"at": value})


def test_ranges_are_possible_on_values_of_a_fixed_width():
    for annotation in (datetime, date, time, UUID, datetime | None):
        assert sortable("A#{x}#{y}", "x", annotation)
    assert sortable("{x:%Y%m%d}#{y}", "x", date)
    assert sortable("{x:%Y-%m-%d %H:%M:%S.%f}", "x", datetime)
    assert sortable("{x:%H%M%S%f}", "x", time)


def test_ranges_on_numbers_need_a_width():
    assert sortable("A#{x:010d}#{y}", "x", int)
    assert sortable("A#{x:03d}", "x", Level)
    for annotation in (int, float, Decimal, timedelta, bool, Level):
        assert not sortable("A#{x}", "x", annotation)


def test_ranges_on_coarse_or_shuffled_dates_are_not_possible():
    assert not sortable("{x:%Y-%m}", "x", date)
    assert not sortable("{x:%Y-%m-%d}", "x", datetime)
    assert not sortable("{x:%d.%m.%Y}", "x", date)


def test_ranges_on_strings_are_possible_at_the_end_only():
    assert sortable("A#{y}#{x}", "x", str)
    assert sortable("{x}", "x", Colour)
    assert sortable("A#{x}", "x", Literal["a", "b"])
    assert not sortable("A#{x}#{y}", "x", str)
    assert not sortable("A#{x}#", "x", str)


def test_ranges_on_strings_are_not_possible_where_escapes_change_the_order():
    for delimiter in ":|/-_→":
        assert not sortable(f"A{delimiter}{{x}}", "x", str)


def test_ranges_on_addresses_or_on_fields_that_are_not_there_or_twice_are_not_possible():
    assert not sortable("{x}", "x", ipaddress.IPv4Address)
    assert not sortable("{x}#{x}", "x", date)
    assert not sortable("{x}", "y", date)


@given(st.lists(st.text(max_size=4) | texts, min_size=2), st.sampled_from(["{x}", "A#{x}", "A {x}", "B&{x}"]))
def test_sortable_strings_sort_as_text(values, source):
    assert sortable(source, "x", str)
    rendered = [Template(source).render({"x": value}) for value in sorted(values)]
    assert all(one <= other for one, other in pairwise(rendered))


@given(st.lists(st.datetimes(timezones=st.timezones()), min_size=2))
def test_sortable_datetimes_sort_as_text(values):
    def utc(value: datetime) -> datetime | None:
        try:
            return value.astimezone(timezone.utc)
        except OverflowError:
            return None

    moments = sorted(moment for moment in map(utc, values) if moment is not None)
    for source in ("A-{x}:{y}", "A#{x:%Y-%m-%dT%H:%M:%S.%f}"):
        rendered = [Template(source).render({"x": moment, "y": "z"}) for moment in moments]
        assert rendered == sorted(rendered)


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("", "empty"),
        ("USER#{", "no key template"),
        ("USER#}", "no key template"),
        ("USER#{user_id", "no key template"),
        ("USER#{}", "needs a name"),
        ("USER#{0}", "'0' is not the name of a field"),
        ("USER#{user.id}", "'user.id' is not the name of a field"),
        ("USER#{user[id]}", "is not the name of a field"),
        ("USER#{user id}", "is not the name of a field"),
        ("USER#{id!r}", "conversion"),
        ("USER#{id:>10}", "'>10' is not a format for keys"),
        ("USER#{id:10d}", "'10d' is not a format for keys"),
        ("USER#{id:.2f}", "is not a format for keys"),
        ("USER#{id:{width}}", "is not a format for keys"),
        ("USER#{at:%B}", "is not a format for keys"),
        ("USER#{at:%Y%}", "is not a format for keys"),
        ("{a}{b}", "'a' and 'b' run into each other"),
        ("{a}X{b}", "'a' and 'b' run into each other"),
        ("{a}%{b}", "'a' and 'b' run into each other"),
    ],
)
def test_a_bad_template_is_refused_when_it_is_written(source, problem):
    with pytest.raises(SchemaError, match=problem):
        Key(source)


def test_a_key_that_all_rows_would_share_is_refused():
    with pytest.raises(SchemaError, match="all rows would share one key"):
        Key("CONFIG", "ALL")
    assert Key("CONFIG", "{name}").fields == ("name",)


def test_a_template_shows_its_parts_to_planners():
    assert Template("A#{n:010d}#").parts == ("A#", Part("n", "010d"), "#")


def check(key: Key, **annotations: Any) -> None:
    key.check("Todo.Meta.key", {name: describe(a, name) for name, a in annotations.items()})


def test_a_key_fits_the_fields_of_its_model():
    check(TODO, user_id=str, created_at=datetime, todo_id=int)
    check(Key("{a:03d}", "{b:%Y}#{c:03d}"), a=int, b=date, c=Level)


def test_a_key_of_an_unknown_field_names_the_nearest_one():
    with pytest.raises(SchemaError, match=r"(?s)Todo.Meta.key: .*'created_at'.*did you mean 'create_at'"):
        check(TODO, user_id=str, create_at=datetime, todo_id=int)


@pytest.mark.parametrize("annotation", [bytes, list[str], dict[str, int], Any, int | str])
def test_a_key_of_a_field_without_text_form_is_refused(annotation):
    with pytest.raises(SchemaError, match="'a' can't be part of a key"):
        check(Key("{a}"), a=annotation)


@pytest.mark.parametrize(("source", "annotation"), [("{a:03d}", str), ("{a:03d}", date), ("{a:%Y}", int)])
def test_a_format_that_does_not_fit_its_field_is_refused(source, annotation):
    with pytest.raises(SchemaError, match="does not fit 'a'"):
        check(Key(source), a=annotation)


class Marked:
    @partition_key
    def pk(self) -> str:
        return "P"

    @sort_key
    def sk(self) -> str:
        return "S"


def test_marked_methods_are_found_partition_first():
    assert [method(Marked()) for method in marked_keys(Marked)] == ["P", "S"]
    assert marked_keys(object) == ()


def test_marking_leaves_a_method_callable():
    assert Marked().pk() == "P"


def test_an_override_of_a_marked_method_is_the_key_without_a_mark():
    class Child(Marked):
        def sk(self) -> str:
            return "T"

    assert [method(Child()) for method in marked_keys(Child)] == ["P", "T"]


def test_a_nearer_class_may_mark_another_method():
    class Child(Marked):
        @partition_key
        def tenant(self) -> str:
            return "TENANT"

    assert [method(Child()) for method in marked_keys(Child)] == ["TENANT", "S"]


def test_two_marks_for_one_key_are_refused():
    class Twice:
        @partition_key
        def one(self) -> str:
            return "1"

        @partition_key
        def two(self) -> str:
            return "2"

    with pytest.raises(SchemaError, match="marks two methods for one key: one, two"):
        marked_keys(Twice)


def test_a_sort_key_without_a_partition_key_is_refused():
    class Half:
        @sort_key
        def sk(self) -> str:
            return "S"

    with pytest.raises(SchemaError, match="no @partition_key"):
        marked_keys(Half)


async def _awaited(self: Any) -> str:
    return ""


@pytest.mark.parametrize(
    "method",
    [
        _awaited,
        lambda: "",
        lambda self, other: "",
        property(lambda self: ""),
        classmethod(lambda cls: ""),
        "name",
    ],
    ids=["async", "no self", "argument", "property", "classmethod", "text"],
)
@pytest.mark.parametrize("mark", [partition_key, sort_key])
def test_only_plain_instance_methods_can_be_marked(mark, method):
    with pytest.raises(SchemaError, match=r"@(partition|sort)_key"):
        mark(method)
