"""`mixstore check --live`: what in the stores is not as the models declare it, and what would make it so."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mixstore.cli.importing import Mistake, path_of, told
from mixstore.cli.screen import INDENT, Screen
from mixstore.errors import MixstoreError

if TYPE_CHECKING:
    from mixstore.bound import Bound
    from mixstore.drift import Drift


@dataclass
class Live:
    """What the stores answered: differences with a label of the backend, and stores that did not answer."""

    drift: list[tuple[str, Drift]] = field(default_factory=list)
    mistakes: list[Mistake] = field(default_factory=list)

    def show(self, screen: Screen) -> None:
        """Print all, model by model."""
        for where, what in self.mistakes:
            screen.bad(where)
            screen.show(what, indent=INDENT)
        before = None
        for label, one in self.drift:
            place = f"{', '.join(path_of(model) for model in one.models)} on {label}"
            if place != before:
                screen.show(place, style="bold")
            before = place
            screen.bad(one.what, indent=INDENT)
            for name in ("declared", "real", "plan"):
                screen.show(f"{name + ':':<10}{getattr(one, name)}", indent=2 * INDENT)

    def as_objects(self) -> list[dict[str, Any]]:
        """For `--json`."""
        return [
            {
                "models": [path_of(model) for model in one.models],
                "backend": label,
                "what": one.what,
                "declared": one.declared,
                "real": one.real,
                "plan": one.plan,
            }
            for label, one in self.drift
        ]


def compare(bounds: Sequence[Bound]) -> Live:
    """Ask each backend of these models how it differs; nothing is written."""
    live = Live()
    for backend, some in by_backend(bounds):
        label = backend_label(some[0])
        try:
            live.drift += [(label, one) for one in backend.drift(*[bound.model for bound in some])]
        except MixstoreError as error:
            live.mistakes.append(Mistake(label, told(error)))
    live.drift.sort(key=lambda pair: (pair[0], [path_of(model) for model in pair[1].models]))
    return live


def by_backend(bounds: Sequence[Bound]) -> Iterator[tuple[Any, list[Bound]]]:
    """The models of each backend."""
    for backend in dict.fromkeys(bound.backend for bound in bounds):
        yield backend, [bound for bound in bounds if bound.backend is backend]


def backend_label(bound: Bound) -> str:
    """The kind of backend, and the name that the config gives it; never its URL, which may hold a secret."""
    kind, name = bound.backend.backend_name, bound.backend.config_name
    return f"{kind} ({name})" if name else kind


class _Lines(logging.Handler):
    def __init__(self, screen: Screen) -> None:
        super().__init__(logging.INFO)
        self.screen = screen

    def emit(self, record: logging.LogRecord) -> None:
        self.screen.show(record.getMessage(), indent=INDENT)


@contextmanager
def progress(screen: Screen) -> Iterator[None]:
    """Show what backends tell to the log `mixstore` while they work."""
    log, lines = logging.getLogger("mixstore"), _Lines(screen)
    before = log.level
    log.addHandler(lines)
    log.setLevel(min(before or logging.INFO, logging.INFO))
    try:
        yield
    finally:
        log.removeHandler(lines)
        log.setLevel(before)
