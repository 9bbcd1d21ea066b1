"""The support matrix: which backend has which capability, natively or not, runs which mixin, and by how many cases.

A plugin of pytest sees the conformance classes that say their column (`matrix`). What a backend declares is told by
one case of each class, which runs; the others are counted by their tags. So the table is the same whether all cases
are run (`mixstore matrix`) or only those (`--check`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest

from mixstore.backend import Backend, Capability
from mixstore.errors import ConfigurationError, nearest
from mixstore.testing.conformance import Conformance
from mixstore.testing.gaps import gap_of
from mixstore.testing.tags import EXTENSIONS, MARK, MISSING, lacks

NATIVE, EMULATED, NO = "native", "emulated", "no"
TAGS: dict[str, Capability | str] = {**{str(one.name): one for one in Capability}, EXTENSIONS: EXTENSIONS}
BY_THE_KERNEL = {"ORDERED": (), "ADD": ("CONDITIONS",)}
"""What mixstore does itself where the engine does not, and what that needs."""


@dataclass
class Column:
    """What is known of a backend. Counts are of cases that apply to it and that no gap excuses."""

    name: str
    native: set[str] = field(default_factory=set)
    kept: set[str] = field(default_factory=set)
    """Tags that it fulfils, natively or not."""
    cases: dict[str, int] = field(default_factory=dict)
    untagged: int = 0
    total: int = 0
    mixins: dict[str, tuple[str, int]] = field(default_factory=dict)
    gaps: dict[str, str] = field(default_factory=dict)

    def state(self, tag: str) -> str:
        """native, emulated or no."""
        if tag in self.native:
            return NATIVE
        by_the_kernel = tag in BY_THE_KERNEL and all(one in self.kept for one in BY_THE_KERNEL[tag])
        return EMULATED if tag in self.kept or by_the_kernel else NO


class Findings:
    """The plugin. `whole`: run all cases, not one of each class. `only`: columns, by default all."""

    def __init__(self, *, whole: bool = False, only: Iterable[str] = ()) -> None:
        self.whole = whole
        self.only = tuple(only)
        self.columns: dict[str, Column] = {}
        self.failed: list[str] = []
        self._items: dict[tuple[type, str], list[Any]] = {}
        self._first: dict[Any, list[Any]] = {}

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        """Keep the classes that have a column; of each, unless all are run, one case that always runs."""
        for item in items:
            column = _column(item)
            if column is not None and (not self.only or column in self.only):
                self._items.setdefault((item.cls, _engine(item)), []).append(item)
        self._first = {next(filter(_always, found), found[0]): found for found in self._items.values()}
        asked = {item for found in self._items.values() for item in found} if self.whole else set(self._first)
        items[:] = [item for item in items if item in asked]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: Any) -> Any:
        """Look at the backend of the first case of each class."""
        if item in self._first:
            self._look(item, self._first[item])
        return (yield)

    def pytest_runtest_logreport(self, report: Any) -> None:
        """What fails is in no table."""
        if report.failed:
            self.failed.append(report.nodeid)

    def _look(self, item: Any, items: list[Any]) -> None:
        from mixstore.testing.extensions import ExtensionConformance  # with hypothesis, which pytest imports first

        backend: Backend = item.funcargs["backend"]
        owner = item.cls
        name = str(_column(item))
        column = self.columns.setdefault(name, Column(name))
        kept = {name for name, what in TAGS.items() if lacks(backend, what) is None}
        mine = [one for one in items if _applies(one, kept) and _gap(one) is None and not _optional(one)]
        column.gaps.update((one.name, owner.gaps[gap]) for one in items if (gap := _gap(one)) is not None)
        if issubclass(owner, ExtensionConformance):
            state = self._mixin_state(item.instance, backend)
            column.mixins[owner.mixin.__name__] = (state, 0 if state == NO else len(mine))
            return
        column.kept = kept
        column.native = {name for name in kept if not isinstance(TAGS[name], Capability)}
        column.native |= {str(one.name) for one in Capability if one in backend.capabilities}
        column.total = len(mine)
        for one in mine:
            tags = _tags(one, MARK)
            column.untagged += not tags and not _tags(one, MISSING)
            for tag in {*tags, *_tags(one, MISSING)}:
                column.cases[tag] = column.cases.get(tag, 0) + 1

    def _mixin_state(self, case: Any, backend: Backend) -> str:
        names = {one.name for one in case._own(backend, case.model)}
        entries = backend.bound(case.model).chain.entries
        told = {one.fidelity for one in entries if one.name in names and one.state == "active"}
        return NO if not told else NATIVE if told == {NATIVE} else EMULATED

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: Any) -> Any:
        """A mixin whose first case is skipped can't be used."""
        report = yield
        mixin = getattr(item.cls, "mixin", None)
        if item in self._first and report.when == "setup" and report.skipped and mixin is not None:
            name = str(_column(item))
            self.columns.setdefault(name, Column(name)).mixins[mixin.__name__] = (NO, 0)
        return report


def _column(item: Any) -> str | None:
    """The column that a case tells of; that of a mixin on the backends that come with mixstore is their scheme."""
    owner = getattr(item, "cls", None)
    if owner is None or not issubclass(owner, Conformance):
        return None
    scheme, found, _ = _engine(item).partition("://")
    return owner.matrix or (scheme if found else None)


def _engine(item: Any) -> str:
    """Which of several backends of a class a case runs on."""
    spec = getattr(item, "callspec", None)
    return str(spec.params.get("backend", "")) if spec is not None else ""


def _tags(item: Any, mark: str) -> set[str]:
    return {str(getattr(what, "name", what)) for one in item.iter_markers(mark) for what in one.args}


def _always(item: Any) -> bool:
    return not _tags(item, MARK) and not _tags(item, MISSING) and _gap(item) is None


def _applies(item: Any, kept: set[str]) -> bool:
    absent = _tags(item, MISSING)
    return _tags(item, MARK) <= kept and not (absent and absent <= kept)


def _optional(item: Any) -> bool:
    """Whether a case is skipped for a fixture that the class does not bring."""
    from mixstore.testing.cases.trouble import TroubleCases

    return "unreachable" in item.fixturenames and item.cls.unreachable is TroubleCases.unreachable


def _gap(item: Any) -> str | None:
    return gap_of(item.cls.gaps, item.originalname, item.name)


def found(paths: Iterable[str], *, whole: bool = False, only: Iterable[str] = ()) -> Findings:
    """Run pytest in this process. ConfigurationError if a class can't be collected, or there is no such column."""
    findings = Findings(whole=whole, only=only)
    code = pytest.main(["-q", "--no-header", "-p", "no:cacheprovider", *paths], plugins=[findings])
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED):
        raise ConfigurationError(f"pytest could not run the conformance classes (exit code {int(code)})")
    if not findings.columns:
        told = "no conformance class says its column"
        known = ", ".join(findings.only)
        raise ConfigurationError(
            f"{told}: {known}" if known else told, hint='set `matrix = "NAME"` in a BackendConformance'
        )
    for name in findings.only:
        if name not in findings.columns:
            raise ConfigurationError(f"there is no column {name!r}", hint=nearest(name, findings.columns))
    return findings


def table(columns: Iterable[Column]) -> dict[str, Any]:
    """The matrix as data: {column: {capabilities, extensions, mixins, cases, gaps}}."""
    return {
        one.name: {
            "capabilities": {tag: {"state": one.state(tag), "cases": one.cases.get(tag, 0)} for tag in TAGS},
            "mixins": {name: {"state": told, "cases": count} for name, (told, count) in sorted(one.mixins.items())},
            "other cases": one.untagged,
            "cases": one.total,
            "gaps": dict(sorted(one.gaps.items())),
        }
        for one in columns
    }


def page(told: dict[str, Any]) -> str:
    """The matrix as a page of Markdown; the same for the same cases."""
    names = list(told)
    tags = [
        (f"`{tag}`", [_cell(told[name]["capabilities"][tag]) for name in names]) for tag in TAGS if tag != EXTENSIONS
    ]
    tags.append(("extensions", [_cell(told[name]["capabilities"][EXTENSIONS]) for name in names]))
    tags.append(("cases without a tag", [str(told[name]["other cases"]) for name in names]))
    tags.append(("all cases", [str(told[name]["cases"]) for name in names]))
    mixins = sorted({mixin for name in names for mixin in told[name]["mixins"]})
    rows = [(f"`{one}`", [_cell(told[name]["mixins"].get(one)) for name in names]) for one in mixins]
    gaps = [f"| {name} | `{case}` | {why} |" for name in names for case, why in told[name]["gaps"].items()]
    parts = [HEAD, _grid("capability", names, tags), MIXINS, _grid("mixin", names, rows), GAPS]
    parts.append(
        "\n".join(["| backend | case | why |", "|---|---|---|", *gaps]) if gaps else "None: no case is excused."
    )
    return "\n\n".join(parts) + "\n"


def _cell(told: dict[str, Any] | None) -> str:
    if told is None:
        return "not tried"
    return f"{told['state']}, {told['cases']}" if told["cases"] else str(told["state"])


def _grid(first: str, names: list[str], rows: list[tuple[str, list[str]]]) -> str:
    lines = [f"| {first} | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    return "\n".join([*lines, *(f"| {name} | {' | '.join(cells)} |" for name, cells in rows)])


HEAD = """# Support matrix

Made by `mixstore matrix --write docs/matrix.md` from the [conformance kit](testing.md); a test fails when it is stale.

Each cell says how a backend has something, and how many cases of the kit hold it to that.
`native`: the engine does it, or keeps it true by a condition, a filter or a transaction of its own.
`emulated`: mixstore does it, and the same cases hold.
`no`: it is refused or does without, and the cases are of that.
A case with several tags counts for each of them.

## Capabilities"""
MIXINS = """## Mixins

By the cases that hold for every extension, and those of the mixin's own class where it has one."""
GAPS = """## Gaps

Cases that a backend fails, with the reason; one that is mended fails the run."""
