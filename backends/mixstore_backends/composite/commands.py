"""`mixstore relay`, the worker that keeps search sides in step, and `mixstore verify`, which looks whether they are."""

from __future__ import annotations

import json
import signal
import threading
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from mixstore import ConfigurationError, MixstoreError
from mixstore.cli.check import Modules
from mixstore.cli.importing import path_of, told
from mixstore.cli.inspection import inspect
from mixstore.cli.live import backend_label
from mixstore.cli.screen import INDENT, Screen
from mixstore.errors import nearest

if TYPE_CHECKING:
    from mixstore_backends.composite.backend import CompositeBackend
    from mixstore_backends.composite.comparing import Comparison
    from mixstore_backends.composite.relay import Relayed


def relay(
    modules: Modules = None,
    backend: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Only the backend of this name in the config.", show_default=False),
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="Do what is due now, and end.")] = False,
    retry: Annotated[bool, typer.Option("--retry", help="First take up again what was given up.")] = False,
    every: Annotated[float, typer.Option(min=1, help="Seconds between two lines about health and lag.")] = 60,
) -> None:
    """Bring search sides up to date, until SIGTERM or Ctrl-C. Several may run; none can put back an older copy.

    Prints a line of JSON now and then: what was applied and failed since the start, how many records wait, for how many
    seconds the first of them has, and how many were given up. Where the storage's stream is followed: also the
    entities of which it no longer has changes that nobody followed; then the exit code is 1.
    """
    screen, stop = Screen(), threading.Event()
    found = inspect(modules or [])
    if found.mistakes:
        found.show_mistakes(screen)
        raise typer.Exit(1)
    backends = _composites(found.bounds, backend)
    if not backends:
        named = "" if backend is None else f" named {backend!r}"
        screen.bad(
            f"No model is bound to a composite{named}. Name the modules that define them: mixstore relay app.models"
        )
        raise typer.Exit(1)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    workers = [_Worker(label, one, stop) for label, one in backends.items()]
    if once or retry:
        for worker in workers:
            worker.once(retry)
    if once:
        raise typer.Exit(int(any(worker.error or worker.lost for worker in workers)))
    _work(workers, stop, every)
    if any(worker.failed or worker.lost for worker in workers):
        raise typer.Exit(1)


def _work(workers: list[_Worker], stop: threading.Event, every: float) -> None:
    """All of them at once, with a line now and then, and a last one."""
    threads = [threading.Thread(target=worker.run, daemon=True) for worker in workers]
    for thread in threads:
        thread.start()
    while not stop.wait(every):
        for worker in workers:
            worker.tell()
    for thread, worker in zip(threads, workers, strict=True):
        thread.join()
        worker.tell()


def verify(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="The model, with its module: app.models.Article")],
    repair: Annotated[bool, typer.Option("--repair", help="Make the search side as the storage is.")] = False,
    sample: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Look at about N rows only.", show_default=False)
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(
            metavar="K", help="Look at one row: its key, as JSON if it has several parts.", show_default=False
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the numbers only, as JSON.")] = False,
) -> None:
    """Compare the search side of a model with its storage: what is missing, stale, or only in the search side.

    Reads both page by page. What a relay has yet to bring is no difference. Exit code 1 if differences are left.
    """
    if sample is not None and key is not None:
        raise typer.BadParameter("--sample and --key don't go together")
    screen = Screen(quiet=as_json)
    found = inspect([model.rpartition(".")[0]] if "." in model else [])
    bound = next((one for one in found.bounds if path_of(one.model) == model), None)
    if bound is None or not _composites([bound], None):
        found.show_mistakes(screen)
        known = [path_of(one.model) for one in found.bounds if _composites([one], None)]
        raise ConfigurationError(f"no model {model!r} is bound to a composite", hint=nearest(model, known))
    backend = cast("CompositeBackend", bound.backend)
    result = backend.verify(bound.model, repair=repair, sample=sample, key=None if key is None else _key(key))
    left = result.differences - result.repaired
    if as_json:
        typer.echo(json.dumps({name: value for name, value in asdict(result).items() if name != "examples"}))
    else:
        _show(screen, result, left)
    if left:
        raise typer.Exit(1)


def _key(text: str) -> Any:
    """A key as it was typed: JSON if it is a list or an object, otherwise the text itself."""
    if not text.startswith(("[", "{")):
        return text
    try:
        told = json.loads(text)
    except ValueError as error:
        raise typer.BadParameter(f"--key is no JSON: {error}") from error
    return tuple(told) if isinstance(told, list) else told


def _show(screen: Screen, result: Comparison, left: int) -> None:
    screen.show(f"{result.rows:,} rows looked at, {result.waiting:,} of them on their way")
    for one in result.examples:
        screen.bad(f"{one.kind}: {one.key!r}", indent=INDENT)
    counts = f"{result.missing} missing, {result.stale} stale, {result.orphans} only in the search side"
    (screen.bad if left else screen.good)(f"{counts}; {result.repaired} repaired")


def _composites(bounds: Any, name: str | None) -> dict[str, CompositeBackend]:
    from mixstore_backends.composite.backend import CompositeBackend

    return {
        backend_label(bound): bound.backend
        for bound in bounds
        if isinstance(bound.backend, CompositeBackend) and name in (None, bound.backend.config_name)
    }


class _Worker:
    def __init__(self, label: str, backend: CompositeBackend, stop: threading.Event) -> None:
        from mixstore_backends.composite.relay import Relay, Relayed

        self.label = label
        self.backend = backend
        self.stop = stop
        self.error: Exception | None = None
        self.failed = False
        self.done: Relayed = Relayed()
        self.lost: list[str] = []
        self.relay = Relay(backend, note=self._note)

    def _note(self, done: Relayed) -> None:
        self.done = self.done.and_(done)

    def once(self, retry: bool) -> None:
        """One round, told in a line."""
        try:
            if retry:
                self.relay.retry()
            self.relay.once()
        except MixstoreError as error:
            self.error = error
        self.tell()

    def run(self) -> None:
        """Until the end; what no relay can go on after ends them all."""
        try:
            self.relay.run(self.stop)
        except Exception as error:
            self.error = error
            self.failed = True
            self.stop.set()

    def tell(self) -> None:
        """A line about health and lag."""
        line: dict[str, Any] = {"backend": self.label, "applied": self.done.applied, "failed": self.done.failed}
        problem = self.error
        try:
            behind = self.backend.behind()
            oldest = None if behind.oldest is None else (self.backend.clock() - behind.oldest).total_seconds()
            line.update(waiting=behind.waiting, oldest_seconds=oldest, given_up=behind.given_up)
            if self.backend.feed is not None:
                self.lost = sorted(one.of for one in self.backend.lost())
                line["lost"] = self.lost
        except MixstoreError as error:
            problem = problem or error
        if problem is not None:
            line["error"] = told(problem)
        typer.echo(json.dumps(line))
