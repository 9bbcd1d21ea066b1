"""Extensions that write down which of their hooks ran, for tests of the chain."""

from __future__ import annotations

from mixstore import BackendExtension, Mixin, Model

log: list[str] = []


class Recorder(BackendExtension):
    """Writes down which of its hooks ran; nameless, so that each mixin that takes it has its own."""

    def note(self, hook: str) -> None:
        log.append(f"{self.name or self.mixin_class.__name__.lower()}.{hook}")

    def before_write(self, context):
        self.note("before_write")

    def validate(self, data):
        self.note("validate")

    def serialize(self, data):
        self.note("serialize")
        return data

    def deserialize(self, data):
        self.note("deserialize")
        return data

    def modify_query(self, query):
        self.note("modify_query")
        return query

    def after_write(self, context, outcome):
        self.note("after_write")

    def after_read(self, context, values):
        self.note("after_read")
        return values


class Outer(Mixin):
    Anywhere = Recorder


class Inner(Mixin):
    Anywhere = Recorder


def names(model: type[Model], state: str = "active") -> list[str]:
    return [entry.name for entry in model.extensions() if entry.state == state]


def reasons(model: type[Model]) -> dict[str, str]:
    return {entry.name: entry.reason for entry in model.extensions()}
