"""Secondary indexes in SQLite: which there are, and that SQLite itself uses the one that is told."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from mixstore import GSI, KEYS_ONLY, BackendError, Field, Model
from mixstore_backends.sqlite import SQLiteBackend
from tests.backends.sqlite.conftest import Ask

Use = Callable[..., Any]
NOON = datetime(2026, 1, 1, 12, tzinfo=timezone.utc)


class Job(Model):
    class Meta:
        indexes = [
            GSI("by_tenant", partition="TENANT#{tenant}", sort="{at}"),
            GSI("by_owner", partition="{owner}#{tenant}", sort="{rank:03d}#{at}", projection=KEYS_ONLY),
            GSI("by_rank", partition="ALL", sort="{rank:03d}#{id}"),
        ]

    id: str = Field(primary_key=True)
    tenant: str = ""
    owner: str | None = None
    at: datetime = NOON
    rank: int = 0
    price: Decimal = Decimal(0)
    state: str = Field("", index=True)


def job(*indexes: GSI) -> type[Model]:
    """The entity Job with these indexes."""
    meta = {"entity": "Job", "indexes": indexes, "__module__": __name__, "__qualname__": "Job2.Meta"}
    space = {"__module__": __name__, "__qualname__": "Job2", "Meta": type("Meta", (), meta)}
    fields = {"__annotations__": {"id": str, "n": int, "tag": str}, "id": Field(primary_key=True), "n": 0, "tag": ""}
    return type(Model)("Job2", (Model,), {**space, **fields})  # type: ignore[return-value]


def indexes(ask: Ask) -> dict[str, str]:
    found = ask("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL")
    return {name: sql.rpartition(" ON ")[2] for name, sql in found}


def plan_of(ask: Ask, asked: Any) -> str:
    """What SQLite says of a query, as mixstore sends it."""
    request = asked.explain().request
    return "; ".join(row[3] for row in ask(f"EXPLAIN QUERY PLAN {request['sql']}", *request["parameters"]))


def test_an_index_is_of_the_fields_of_its_templates_and_then_of_the_key(use: Use, ask: Ask) -> None:
    use(Job)
    assert indexes(ask) == {
        "gx_Job.by_tenant": '"Job" ("tenant", "at", "id")',
        "gx_Job.by_owner": '"Job" ("owner", "tenant", "rank", "at", "id")',
        "gx_Job.by_rank": '"Job" ("rank", "id")',
        "ix_Job.state": '"Job" ("state")',
    }


@pytest.mark.parametrize(
    ("lookups", "order", "told", "searched"),
    [
        ({"tenant": "a"}, (), "by_tenant", "(tenant=?)"),
        ({"tenant": "a", "at": NOON}, (), "by_tenant", "(tenant=? AND at=?)"),
        ({"tenant": "a", "at__gte": NOON}, ("at",), "by_tenant", "(tenant=? AND at>?)"),
        ({"tenant": "a", "at__between": (NOON, NOON)}, ("-at", "-id"), "by_tenant", "(tenant=? AND at>? AND at<?)"),
        ({"tenant__in": ["a", "b"], "at__lt": NOON}, (), "by_tenant", "(tenant=? AND at<?)"),
        ({"owner": "o", "tenant": "a", "rank__gte": 3}, ("rank",), "by_owner", "(owner=? AND tenant=? AND rank>?)"),
        ({"rank__gt": 7}, ("rank",), "by_rank", "(rank>?)"),
    ],
)  # fmt: skip
def test_sqlite_searches_by_the_index_that_is_told(
    use: Use, ask: Ask, lookups: Any, order: Any, told: str, searched: str
) -> None:
    use(Job)
    asked = Job.where(**lookups).order_by(*order)
    explained = asked.explain()
    assert explained.index == f"gx_Job.{told}"
    assert plan_of(ask, asked).partition(";")[0] == f"SEARCH Job USING INDEX gx_Job.{told} {searched}"
    assert "reads the whole" not in " ".join(explained.notes)


def test_the_order_of_an_index_needs_no_sorting(use: Use, ask: Ask) -> None:
    use(Job)
    first = Job.where().order_by("rank").limit(5)
    assert first.explain().index == "gx_Job.by_rank"
    assert plan_of(ask, first) == "SCAN Job USING INDEX gx_Job.by_rank"
    turned = Job.where().order_by("-rank", "-id").limit(5)
    assert plan_of(ask, turned) == "SCAN Job USING INDEX gx_Job.by_rank"
    tie = plan_of(ask, Job.where(tenant="a").order_by("-at"))
    assert tie.startswith("SEARCH Job USING INDEX gx_Job.by_tenant (tenant=?); USE TEMP B-TREE FOR ")


def test_the_index_that_is_asked_for_is_used_whatever_else_there_is(use: Use, ask: Ask) -> None:
    use(Job)
    assert Job.where(state="new", rank=1).explain().index == "ix_Job.state"
    asked = Job.where(state="new", rank=1).using("by_rank")
    assert asked.explain().index == "gx_Job.by_rank"
    assert plan_of(ask, asked) == "SEARCH Job USING INDEX gx_Job.by_rank (rank=?)"
    assert plan_of(ask, Job.where().using("by_tenant")) == "SCAN Job USING INDEX gx_Job.by_tenant"
    assert plan_of(ask, Job.where(price=1).using("by_owner")) == "SEARCH Job USING INDEX gx_Job.by_owner (owner>?)"
    assert Job.where(rank=1).using("by_rank").count() == 0


def test_using_an_index_that_is_not_there_says_to_initialize(store: SQLiteBackend) -> None:
    store.initialize(job())
    late = job(GSI("by_n", partition="{n}"))
    late.bind(store)
    assert late.where(n=1).all() == []  # type: ignore[attr-defined]
    with pytest.raises(BackendError, match=r"no such index: gx_Job\.by_n") as caught:
        late.where(n=1).using("by_n").all()  # type: ignore[attr-defined]
    assert "initialize()" in str(caught.value.hint)
    late.bind(None)


def test_indexes_come_change_and_go_with_the_model(path: Path, ask: Ask) -> None:
    told = []
    for wanted in (
        [GSI("by_n", partition="{n}")],
        [GSI("by_n", partition="N#{n}", sort="A"), GSI("by_tag", partition="{tag}")],
        [GSI("by_n", partition="{n}", sort="{tag}")],
        [],
    ):
        with SQLiteBackend(path) as backend:
            backend.initialize(job(*wanted))
            told.append(indexes(ask))
    assert told == [
        {"gx_Job.by_n": '"Job" ("n", "id")'},
        {"gx_Job.by_n": '"Job" ("n", "id")', "gx_Job.by_tag": '"Job" ("tag", "id")'},
        {"gx_Job.by_n": '"Job" ("n", "tag", "id")'},
        {},
    ]


def test_an_index_that_is_as_it_should_be_is_left_alone(path: Path, ask: Ask) -> None:
    for _ in range(2):
        with SQLiteBackend(path) as backend:
            backend.initialize(job(GSI("by_n", partition="{n}")))
            pages = ask("SELECT rootpage FROM sqlite_master WHERE name = 'gx_Job.by_n'")
            ask("CREATE TABLE IF NOT EXISTS other (x)")
    assert ask("SELECT rootpage FROM sqlite_master WHERE name = 'gx_Job.by_n'") == pages
