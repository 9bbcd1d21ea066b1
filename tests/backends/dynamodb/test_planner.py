"""What a query becomes: its request, what is left to mixstore, and what is told about it. No server is asked."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from mixstore import Q, QueryError, ScanWarning
from mixstore_backends.dynamodb import DynamoDBAdapter, DynamoDBBackend
from tests.backends.dynamodb.models import NOON, Member, Reading, Task, Todo, User


@pytest.fixture
def planner() -> DynamoDBBackend:
    """A backend that has no client, so that nothing can be sent."""
    backend = DynamoDBBackend("app")
    backend.scan_policy = "allow"
    return backend


def filled(request: dict[str, Any], name: str) -> str:
    """An expression of a request with its names and values in their places."""
    told = request.get(name, "")
    for placeholder, wire in sorted(request.get("ExpressionAttributeValues", {}).items(), reverse=True):
        (value,) = wire.values()
        told = told.replace(placeholder, repr(value))
    for placeholder, attribute in sorted(request.get("ExpressionAttributeNames", {}).items(), reverse=True):
        told = told.replace(placeholder, attribute)
    return told


def test_the_whole_key_is_read_by_it(planner):
    told = planner.query(User).filter(id="1", name="x").explain()
    assert (told.operation, told.index) == ("GetItem", "primary key")
    assert told.request["Key"] == {"pk": {"S": "USER#1"}, "sk": {"S": "METADATA"}}
    assert told.request["ConsistentRead"] is True
    assert "name" in told.residual


def test_several_whole_keys_are_one_batch(planner):
    told = planner.query(User).filter(id__in=["1", "2", "1"]).explain()
    assert told.operation == "BatchGetItem"
    assert len(told.request["RequestItems"]["app"]["Keys"]) == 2
    told = planner.query(User).filter(id__in=[str(n) for n in range(201)]).explain()
    assert told.notes[0] == "3 requests, 100 keys each"
    told = planner.query(Member).filter(group="g", name__in=["a", "b"]).explain()
    assert told.operation == "Query", "the names lie in one partition"


def test_equality_on_the_fields_of_the_partition_is_a_query(planner):
    told = planner.query(Todo).filter(user="al").explain()
    assert told.operation == "Query"
    assert filled(told.request, "KeyConditionExpression") == "pk = 'USER#al' AND begins_with(sk, 'TODO#')"
    assert filled(told.request, "FilterExpression") == "entity_type = 'Todo' AND user = 'al'"
    assert not told.residual


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"created": NOON, "number": 3}, None),
        ({"created": NOON}, "begins_with(sk, 'TODO#2025-06-01T12:00:00.000000Z#')"),
        ({"created__gte": NOON}, "sk BETWEEN 'TODO#2025-06-01T12:00:00.000000Z' AND 'TODO$'"),
        ({"created__lt": NOON}, "sk BETWEEN 'TODO#' AND 'TODO#2025-06-01T12:00:00.000000Z'"),
        (
            {"created__gte": NOON, "created__lt": NOON + timedelta(days=1)},
            "sk BETWEEN 'TODO#2025-06-01T12:00:00.000000Z' AND 'TODO#2025-06-02T12:00:00.000000Z'",
        ),
    ],
)
def test_comparisons_of_the_sort_fields_are_a_range(planner, filters, expected):
    told = planner.query(Todo).filter(user="al", **filters).explain()
    if expected is None:
        assert told.operation == "GetItem"
        assert told.request["Key"]["sk"] == {"S": "TODO#2025-06-01T12:00:00.000000Z#3"}
    else:
        assert filled(told.request, "KeyConditionExpression") == f"pk = 'USER#al' AND {expected}"
        assert "created" in filled(told.request, "FilterExpression"), "a range may hold more than is asked for"


def test_a_key_of_several_fields_is_planned_as_well(planner):
    told = planner.query(Member).filter(group="g", name__startswith="a").order_by("-name").explain()
    assert filled(told.request, "KeyConditionExpression") == "pk = 'MEMBER#g' AND begins_with(sk, 'NAME#a')"
    assert told.request["ScanIndexForward"] is False


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"name": "x"}, "name = 'x'"),
        ({"name__ne": "x"}, "(NOT name = 'x')"),
        ({"age": None}, "(attribute_not_exists(age) OR age = True)"),
        ({"age__gte": 18}, "age >= '18'"),
        ({"age__between": (1, 9)}, "(age >= '1' AND age <= '9')"),
        ({"name__in": ["x", "y"]}, "name IN ('x', 'y')"),
        ({"name__startswith": "x"}, "begins_with(name, 'x')"),
        ({"name__contains": "x"}, "contains(name, 'x')"),
        ({"tags__contains": "x"}, "contains(tags, 'x')"),
        ({"price__lt": Decimal("1.50")}, "price < '1.5'"),
        ({"score__gt": 0.1}, "score > '0.1'"),
        ({"active__lt": True}, "active = False"),
        ({"active": True}, "(attribute_not_exists(active) OR active = True)"),
        ({"limit__isnull": True}, "(attribute_exists(limit) AND (attribute_not_exists(limit) OR limit = True))"),
        ({"home__city": "Rome"}, "home.city = 'Rome'"),
        ({"age": 10**50}, "age = '1" + "0" * 50 + "'"),
    ],
)
def test_a_filter_is_an_expression(planner, filters, expected):
    told = planner.query(User).filter(**filters).explain()
    assert (told.operation, told.index) == ("Scan", None)
    assert filled(told.request, "FilterExpression") == f"entity_type = 'User' AND {expected}"
    assert not told.residual


def test_junctions_are_expressions_too(planner):
    told = planner.query(User).filter(Q(name="x") | ~(Q(age=1) & Q(age__lt=2))).explain()
    assert filled(told.request, "FilterExpression").endswith(" AND (name = 'x' OR (NOT (age = '1' AND age < '2')))")


@pytest.mark.parametrize(
    "filters",
    [
        {"name__icontains": "x"},
        {"name__endswith": "x"},
        {"name__regex": "x"},
        {"name__size": 3},
        {"price": Decimal("1." + "3" * 40)},
        {"home": {"a": 1}},
        {"home__x__gt": 1},
    ],
)
def test_what_can_not_be_said_exactly_is_left_to_mixstore(planner, filters):
    told = planner.query(User).filter(name__ne="y", **filters).limit(3).explain()
    assert told.residual
    assert filled(told.request, "FilterExpression") == "entity_type = 'User' AND (NOT name = 'y')"
    assert len(told.request["ExpressionAttributeNames"]) == 2, "DynamoDB refuses names that nothing uses"


def test_reserved_words_are_no_words_of_expressions(planner):
    told = planner.query(User).filter(limit=7, name="x").explain()
    assert "limit" not in told.request["FilterExpression"]


def test_more_than_a_hundred_values_are_several_ins(planner):
    told = planner.query(User).filter(age__in=list(range(250))).explain()
    assert [part.count(",") + 1 for part in told.request["FilterExpression"].split(" OR ")] == [100, 100, 50]
    assert not told.residual


@pytest.mark.parametrize(
    "filters", [{"age__in": list(range(400))}, {"name__in": ["x" * 9 + str(n) for n in range(300)]}]
)
def test_an_expression_never_gets_too_long(planner, filters):
    told = planner.query(User).filter(active=True, **filters).explain()
    assert told.residual
    assert len(told.request["FilterExpression"]) < 4096


@pytest.mark.parametrize(
    ("order", "forward"),
    [((), True), (("created",), True), (("-created", "-number"), None), (("user", "created"), True)],
)
def test_the_order_of_the_sort_keys_is_native(planner, order, forward):
    told = planner.query(Todo).filter(user="al").order_by(*order).explain()
    sorted_here = any("sorted by mixstore: all" in note for note in told.notes)
    assert sorted_here is (forward is None)
    assert forward is None or told.request["ScanIndexForward"] is forward


def test_the_reverse_order_needs_no_further_rows(planner):
    told = planner.query(Todo).filter(user="al").order_by("-created").limit(2).explain()
    assert told.request["ScanIndexForward"] is False
    assert not any("all matching rows" in note for note in told.notes)


def test_an_index_is_used_where_it_serves(planner):
    told = planner.query(Task).filter(owner="ann", rank__gte=7).order_by("rank").explain()
    assert (told.operation, told.index, told.request["IndexName"]) == ("Query", "by_owner", "by_owner")
    assert filled(told.request, "KeyConditionExpression") == "by_owner_pk = 'OWNER#ann' AND by_owner_sk >= '007'"
    assert "ConsistentRead" not in told.request
    assert any("eventually" in note for note in told.notes)


def test_rows_of_an_index_that_does_not_hold_them_whole_are_read_from_the_table(planner):
    told = planner.query(Task).filter(state="open", text="x").explain()
    assert told.index == "by_state"
    assert "FilterExpression" not in told.request
    assert "text" in told.residual
    assert any("BatchGetItem" in note for note in told.notes)


def test_a_scan_says_which_index_would_help(planner):
    told = planner.query(User).filter(name="x", age__gte=3).explain()
    assert 'GSI("by_name", partition="NAME#{name}", sort="{age}")' in "".join(told.notes)


def test_no_index_is_said_to_help_where_rows_match_that_are_in_none(planner):
    told = planner.query(Task).filter(owner__in=["ann", None], text="x").explain()
    assert 'GSI("by_text", partition="TEXT#{text}")' in told.notes[-1]
    told = planner.query(Task).filter(owner__in=["ann", None]).explain()
    assert told.notes == ("no index helps: nothing says which partition to read",)


def test_a_scan_is_warned_of_or_forbidden(planner):
    planner.scan_policy = "forbid"
    with pytest.raises(QueryError, match="reads the whole table"):
        planner.query(User).filter(name="x").all()
    assert DynamoDBBackend.scan_policy == "warn"


def test_a_scan_warns_unless_the_model_allows_it(use, store):
    use(User)
    del store.scan_policy
    with pytest.warns(ScanWarning, match="by_name"):
        User.where(name="x").all()


def test_native_keys_are_key_conditions(planner):
    backend = DynamoDBBackend("own", DynamoDBAdapter(single_table=False))
    told = backend.query(Reading).filter(sensor=1, moment__gt=2, moment__lt=9, value__gt=0).explain()
    assert filled(told.request, "KeyConditionExpression") == "sensor = '1' AND moment > '2'"
    assert filled(told.request, "FilterExpression") == "value > '0'"
    assert "moment" in told.residual, "a key attribute can't be named in a filter"


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_pages_are_full_and_in_order_whatever_is_filtered_out(use, size):
    use(Todo)
    Todo.batch_upsert(
        [{"user": "a", "created": NOON + timedelta(hours=n // 3), "number": n, "done": n % 2 == 0} for n in range(21)]
    )
    Todo.batch_upsert([{"user": "b", "number": n} for n in range(5)])
    for order in ("created", "-created"):
        asked = Todo.where(user="a", done=True).order_by(order)
        expected = [row.number for row in sorted(asked.all(), key=lambda row: (row.created, str(row.number)))]
        if order == "-created":
            rows = sorted(asked.all(), key=lambda row: str(row.number))
            expected = [row.number for row in sorted(rows, key=lambda row: row.created, reverse=True)]
        walked: list[int] = []
        cursor = None
        while True:
            page = asked.limit(size).cursor(cursor).paginate()
            walked += [row.number for row in page]
            cursor = page.cursor
            if cursor is None:
                break
            assert len(page) == size
        assert walked == expected
        assert [row.number for row in asked.limit(size).offset(size)] == expected[size : 2 * size]
        assert asked.count() == len(expected) == 11
