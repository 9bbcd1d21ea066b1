"""The chapters of the demo: each runs a step, and says what it found and whether that is right."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from mixstore import Backend, Capability, Explanation
from mixstore.cli.screen import grid
from mixstore_extensions.demo import steps
from mixstore_extensions.demo.models import Airport, Session

if TYPE_CHECKING:
    from rich.console import RenderableType

COUNTRY = "CN"
WORDS = "island international"
ACTIVE = {("Airport", "timestamps"), ("Airport", "versioned"), ("Session", "ttl")}


@dataclass
class Result:
    """What a chapter found: `facts` for programs, `told` for people, `checks` (by a name that both can read)."""

    facts: dict[str, Any] = field(default_factory=dict)
    told: list[RenderableType] = field(default_factory=list)
    checks: dict[str, bool] = field(default_factory=dict)
    skipped: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Facts and checks in one object; `ok` is whether all checks hold."""
        skipped = {"skipped": self.skipped} if self.skipped else {}
        return {"ok": all(self.checks.values()), **skipped, **self.facts, **self.checks}


class Stage(NamedTuple):
    """What chapters have: the rows as they are in the data set, the store, and a bar that shows progress."""

    rows: steps.Rows
    backend: Backend
    progress: Callable[[int], AbstractContextManager[Callable[[int], None]]]


class Chapter(NamedTuple):
    """A heading, the code that is shown below it, and what runs that code."""

    name: str
    title: str
    code: tuple[Callable[..., Any], ...]
    run: Callable[[Stage], Result]


def _load(stage: Stage) -> Result:
    with stage.progress(len(stage.rows)) as done:
        started = time.perf_counter()
        steps.load(stage.rows, done)
        seconds = time.perf_counter() - started
    count = Airport.count()
    rate = round(len(stage.rows) / seconds)
    return Result(
        {"rows": count, "seconds": round(seconds, 3), "rows_per_second": rate},
        [f"{count:,} rows in {seconds:.1f} s: {rate:,} rows/s"],
        {"all_stored": count == len(stage.rows)},
    )


def _country(stage: Stage) -> Result:
    found = steps.by_country(COUNTRY)
    there = [row for row in stage.rows if row["country"] == COUNTRY]
    high = sorted((-row["elevation"], row["icao"]) for row in there if row["elevation"] > 5000)
    highest = [one.icao for one in found.highest]
    can_index = Capability.INDEXES in stage.backend.capabilities
    return Result(
        {
            "country": COUNTRY,
            "count": found.total,
            "highest": highest,
            "plan": _plan(found.indexed),
            "plan_without_index": _plan(found.scanned),
        },
        [
            f"{COUNTRY} has {found.total}; the highest above 5,000 feet:",
            *_listed(found.highest, "name", "city", "elevation"),
            "",
            _explained("by country:", found.indexed),
            "",
            _explained("by city:", found.scanned),
            "",
        ],
        {
            "all_found": found.total == len(there),
            "in_order": highest == [icao for _, icao in high[:5]],
            "by_index": found.indexed.index is not None or not can_index,
        },
    )


def _listed(airports: list[Airport], *fields: str) -> Iterator[RenderableType]:
    """A table of airports, if there are any."""
    if airports:
        yield grid(("icao", *fields), [(one.icao, *(_cell(getattr(one, name)) for name in fields)) for one in airports])


def _cell(value: object) -> str:
    return f"{value:,.0f}" if isinstance(value, float) else str(value or "-")


def _plan(explanation: Explanation) -> dict[str, Any]:
    plan = asdict(explanation)
    plan["request"] = json.loads(json.dumps(plan["request"], default=str))
    return plan


def _explained(title: str, plan: Explanation) -> RenderableType:
    """`explain()` in two columns, with the native request part by part."""
    request = plan.request if isinstance(plan.request, Mapping) else {"request": plan.request}
    rows = [
        (title, f"{plan.operation} on {plan.backend}" + (f" by {plan.index}" if plan.index else "")),
        ("pushed", plan.pushed or "-"),
        ("residual", plan.residual or "-"),
        *((str(name), str(part)) for name, part in request.items()),
        *(("note", note) for note in plan.notes),
    ]
    return grid((), rows)


def _name(stage: Stage) -> Result:
    if Capability.FULL_TEXT not in stage.backend.capabilities:
        return Result(skipped=f"{stage.backend.backend_name} does not declare FULL_TEXT")
    found = steps.by_name(WORDS)
    wanted = set(WORDS.split())
    expected = {row["icao"] for row in stage.rows if wanted <= set(re.findall(r"[^\W_]+", row["name"].lower()))}
    return Result(
        {"text": WORDS, "found": [one.icao for one in found]},
        [
            f"{WORDS!r} finds {len(found)}:",
            *_listed(found, "name", "country"),
        ],
        {"all_found": {one.icao for one in found} == expected, "once_each": len(found) == len(expected)},
    )


def _pages(stage: Stage) -> Result:
    size = min(1000, max(1, len(stage.rows) // 4))
    started = time.perf_counter()
    pages, keys = steps.in_pages(size)
    seconds = time.perf_counter() - started
    return Result(
        {"pages": pages, "rows": len(keys), "seconds": round(seconds, 3)},
        [f"{len(keys):,} rows in {pages} pages of {size:,}: {seconds:.1f} s"],
        {"every_row_once": sorted(keys) == sorted(row["icao"] for row in stage.rows), "in_order": keys == sorted(keys)},
    )


def _expiry(stage: Stage) -> Result:
    clock = stage.backend.clock
    try:
        found = steps.expiry(stage.backend)
    finally:
        stage.backend.clock = clock
    return Result(
        {"hidden": found.hidden, "purged": found.purged},
        [
            f"get() in time: {_session(found.before)}",
            f"get() later:   {_session(found.after)}",
            f"rows that were still there, hidden: {found.hidden}; purged: {found.purged}",
        ],
        {
            "seen_in_time": found.before is not None,
            "gone_after": found.after is None,
            "purged_once": (found.hidden, found.purged) == (1, 1),
        },
    )


def _session(found: Session | None) -> str:
    return "None" if found is None else f"{found.id} of {found.user}, expires at {found.expires_at:%H:%M:%S %Z}"


def _race(stage: Stage) -> Result:
    before, after, conflicts = steps.race(stage.rows[0]["icao"])
    return Result(
        {
            "conflicts": len(conflicts),
            "visits": [before.visits, after.visits],
            "versions": [before.version, after.version],
        },
        [
            *(f"{type(one).__name__}: expected version {one.expected}, stored {one.stored}" for one in conflicts),
            f"visits {before.visits} -> {after.visits}, version {before.version} -> {after.version}",
        ],
        {
            "one_conflict": len(conflicts) == 1,
            "nothing_lost": after.visits == before.visits + 2 and after.version == before.version + 2,
        },
    )


def _active(stage: Stage) -> Result:
    found = steps.active()
    backend = stage.backend.backend_name
    rows = [(model, backend, one) for model, entries in found.items() for one in entries]
    running = {(model, one.name) for model, _, one in rows if one.state == "active"}
    return Result(
        {"extensions": [{"model": model, "backend": backend, **asdict(one)} for model, _, one in rows]},
        [
            grid(
                ("model", "backend", "extension", "state", "how"),
                [(model, backend, one.name, one.state, one.fidelity or one.reason) for model, _, one in rows],
            )
        ],
        {"all_required_active": running >= ACTIVE},
    )


CHAPTERS = (
    Chapter("load", "Load them, in batches", (steps.load,), _load),
    Chapter("country", "Query by a field that has an index, and explain", (steps.by_country,), _country),
    Chapter("search", "Search the text of names", (steps.by_name,), _name),
    Chapter("pages", "Page through all of them; a cursor is a text that clients can keep", (steps.in_pages,), _pages),
    Chapter("expiry", "A session expires: half an hour passes by moving the clock", (steps.expiry,), _expiry),
    Chapter("race", "Two threads race on one record", (steps.add_visit, steps.race), _race),
    Chapter("active", "What is active: model x backend -> extensions", (steps.active,), _active),
)
