"""The shortest script that still shows a difference: steps, columns and arguments that it can do without are cut."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any, cast

from mixstore.backend import Backend
from mixstore.config import connect
from mixstore.model import Model
from mixstore.testing.answers import Answers, check_same
from mixstore.testing.source import Ask, Enter, Environment, Link, Step, Together
from mixstore.testing.subject import NAME, Subject

Maker = str | Callable[[], Backend]
TRIALS = 500
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


class _Search:
    """A subject and steps that fail, and ever smaller ones that fail alike."""

    def __init__(self, subject: Subject, steps: Sequence[Step], made: Sequence[Maker], error: Exception) -> None:
        self.subject = subject
        self.steps = list(steps)
        self.made = made
        self.error = error
        self.trials = TRIALS
        self.model = subject.model()

    def smaller(self, steps: Sequence[Step], subject: Subject | None = None) -> bool:
        """Whether these fail alike; if so, they are what is left."""
        if not self.trials:
            return False
        self.trials -= 1
        model = self.model if subject is None else subject.model()
        error = failure_of(subject or self.subject, steps, self.made, model)
        if type(error) is not type(self.error):
            return False
        self.steps, self.subject, self.model = list(steps), subject or self.subject, model
        self.error = error
        return True

    def cut_steps(self) -> None:
        """Leave out many steps at once, then fewer, from the end on; the last one is the one that fails."""
        size = len(self.steps) // 2
        while size:
            start = len(self.steps) - 1 - size
            while start >= 0:
                self.smaller(self.steps[:start] + self.steps[start + size :])
                start -= size
            size //= 2

    def cut_columns(self) -> None:
        """Leave out columns."""
        for name in list(self.subject.columns):
            columns = {other: one for other, one in self.subject.columns.items() if other != name}
            self.smaller(self.steps, self.subject._replace(columns=columns))

    def shorten(self) -> None:
        """Leave out parts of steps."""
        for index in range(len(self.steps)):
            while any(self.smaller(self._with(index, shorter)) for shorter in _shorter_step(self.steps[index])):
                pass

    def _with(self, index: int, step: Step) -> list[Step]:
        return [*self.steps[:index], step, *self.steps[index + 1 :]]


def failure_of(
    subject: Subject, steps: Sequence[Step], made: Sequence[Maker], model: type[Model] | None = None
) -> Exception | None:
    """What goes wrong with these steps, if anything."""
    try:
        with closing(Pair(subject, made, model)) as pair:
            for step in steps:
                pair.run(step)
    except Exception as error:
        return error
    return None


def minimal(
    subject: Subject, steps: Sequence[Step], made: Sequence[Maker], error: Exception
) -> tuple[Subject, list[Step], Exception]:
    """A smaller subject and fewer, shorter steps that fail alike, and how."""
    search = _Search(subject, steps, made, error)
    before: list[Step] = []
    while search.steps != before:
        before = search.steps
        search.cut_steps()
        search.cut_columns()
        search.shorten()
    return search.subject, search.steps, search.error


def _shorter_step(step: Step) -> Iterator[Step]:
    if isinstance(step, Together):
        for index, one in enumerate(step.steps):
            yield step._replace(steps=[*step.steps[:index], *step.steps[index + 1 :]])
            for shorter in _shorter_step(one):
                yield step._replace(steps=[*step.steps[:index], cast("Ask", shorter), *step.steps[index + 1 :]])
    if isinstance(step, Ask):
        for index, link in enumerate(step.links):
            if index and index < len(step.links) - 1:
                yield step._replace(links=[*step.links[:index], *step.links[index + 1 :]])
            for less in _shorter_link(link):
                yield step._replace(links=[*step.links[:index], less, *step.links[index + 1 :]])


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
