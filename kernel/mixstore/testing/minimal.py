"""The shortest script that still shows a difference: steps, columns and arguments that it can do without are cut."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any

from mixstore.backend import Backend
from mixstore.config import connect
from mixstore.model import Model
from mixstore.testing.answers import Answers, check_same
from mixstore.testing.source import Ask, Enter, Environment, Link, Step, Together
from mixstore.testing.subject import NAME, Subject

Maker = str | Callable[[], Backend]
TRIALS = 1000
"""How many shorter scripts are tried at most."""


class Pair:
    """The reference and another backend, empty, which are asked the same."""

    def __init__(self, subject: Subject, made: Sequence[Maker], model: type[Model] | None = None) -> None:
        self.model: Any = model or subject.model()
        context = next((one.within for one in subject.brings if one.within is not None), None)
        within = None if context is None else Enter(context[0], context[1][0]).entered
        self.asked = [Answers(connect(one) if isinstance(one, str) else one(), self.model, within) for one in made]
        self.names: list[Environment] = [{NAME: self.model} for _ in self.asked]

    def run(self, step: Step) -> None:
        """Do it on each. AssertionError if they answer differently."""
        before = len(self.asked[0].told)
        for ask, names in zip(self.asked, self.names, strict=True):
            step.run(ask, names)
        reference, other = (ask.told[before:] for ask in self.asked)
        check_same(other, reference, before)

    def close(self) -> None:
        """Both."""
        for ask in self.asked:
            ask.backend.close()
        self.model.bind(None)


def failure_of(subject: Subject, steps: Sequence[Step], made: Sequence[Maker]) -> Exception | None:
    """What goes wrong with these steps."""
    try:
        with closing(Pair(subject, made)) as pair:
            for step in steps:
                pair.run(step)
    except Exception as error:
        return error
    return None


def minimal(
    subject: Subject, steps: Sequence[Step], made: Sequence[Maker], error: Exception
) -> tuple[Subject, list[Step], Exception]:
    """A smaller subject and fewer, shorter steps that fail alike, and how."""
    state = (subject, list(steps), error)
    trials = TRIALS
    progress = True
    while progress:
        progress = False
        for smaller, fewer in _smaller(state[0], state[1]):
            trials -= 1
            if trials < 0:
                return state
            found = failure_of(smaller, fewer, made)
            if found is not None and type(found) is type(error):
                state, progress = (smaller, fewer, found), True
                break
    return state


def _smaller(subject: Subject, steps: list[Step]) -> Iterator[tuple[Subject, list[Step]]]:
    """Everything that is a bit smaller, the largest cuts first. The last step is the one that fails."""
    size = len(steps) // 2
    while size:
        for start in range(len(steps) - 1 - size, -1, -1):
            yield subject, steps[:start] + steps[start + size :]
        size //= 2
    for name in subject.columns:
        rest = {other: one for other, one in subject.columns.items() if other != name}
        yield subject._replace(columns=rest), steps
    for index, step in enumerate(steps):
        for shorter in _shorter_step(step):
            yield subject, [*steps[:index], shorter, *steps[index + 1 :]]


def _shorter_step(step: Step) -> Iterator[Step]:
    if isinstance(step, Together):
        for index in range(len(step.steps)):
            yield step._replace(steps=[*step.steps[:index], *step.steps[index + 1 :]])
    if isinstance(step, Ask):
        for index, link in enumerate(step.links):
            if index and index < len(step.links) - 1:
                yield step._replace(links=[*step.links[:index], *step.links[index + 1 :]])
            for shorter in _shorter_link(link):
                yield step._replace(links=[*step.links[:index], shorter, *step.links[index + 1 :]])


def _shorter_link(link: Link) -> Iterator[Link]:
    for name in link.named:
        yield link._replace(named=_without(link.named, name))
    for index, value in enumerate(link.args):
        for shorter in _shorter(value):
            yield link._replace(args=(*link.args[:index], shorter, *link.args[index + 1 :]))


def _shorter(value: Any) -> Iterator[Any]:
    """Values with one part less: of a list of rows, of a row in it, of a filter."""
    match value:
        case list():
            for index, item in enumerate(value):
                yield value[:index] + value[index + 1 :]
                for shorter in _shorter(item):
                    yield [*value[:index], shorter, *value[index + 1 :]]
        case dict():
            for name in value:
                yield dict(_without(value, name))
        case (("and" | "or" | "not"), tuple() as parts):
            yield from parts


def _without(values: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    return {other: value for other, value in values.items() if other != name}
