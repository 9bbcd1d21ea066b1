"""`MIXSTORE_TRACE=1`: the steps of a chain, with their time, on stderr; nothing when it is off."""

from __future__ import annotations

import re

import pytest

from mixstore import BackendExtension, Field, HookError, Mixin, Model, WriteChange, registry
from mixstore_backends.memory import InMemoryBackend


class Marked(Mixin):
    class Marking(BackendExtension):
        def before_write(self, context):
            return WriteChange({"text": context.values["text"].upper()})

        def after_read(self, context, values):
            if values["text"] == "BAD":
                raise KeyError("bad")
            return values


def note(traced: bool, monkeypatch: pytest.MonkeyPatch) -> type[Model]:
    class Note(Marked, Model):
        id: str = Field(primary_key=True)
        text: str = ""

    monkeypatch.setenv("MIXSTORE_TRACE", "1" if traced else "")
    Note.bind(InMemoryBackend())
    return Note


def steps(text: str) -> list[str]:
    return [re.sub(r" in \d+\.\d{3} ms$", "", line) for line in text.splitlines() if "Marking" in line]


def test_each_step_of_the_chain_is_told_with_its_time(monkeypatch, capsys):
    with registry():
        model = note(True, monkeypatch)
        model.create(id="a")
        model.get("a")
        err = capsys.readouterr().err
        assert steps(err) == [
            "mixstore: Marked.Marking.before_write for Note: done",
            "mixstore: Marked.Marking.after_read for Note: done",
        ]
        assert re.search(r"^mixstore: get Note on memory: 1 rows in \d+\.\d{3} ms$", err, re.M)


def test_a_step_that_fails_is_told_and_the_error_names_it_as_ever(monkeypatch, capsys):
    with registry():
        model = note(True, monkeypatch)
        model.create(id="a", text="bad")
        with pytest.raises(HookError) as caught:
            model.get("a")
        assert caught.value.hook == "Marked.Marking.after_read"
        assert "mixstore: Marked.Marking.after_read for Note: KeyError('bad')" in steps(capsys.readouterr().err)


def test_without_the_switch_nothing_is_told_and_nothing_wrapped(monkeypatch, capsys):
    with registry():
        model = note(False, monkeypatch)
        model.create(id="a")
        ((_, hook),) = model.__mixstore_bound__[2].chain.before_write
        assert hook.__func__ is Marked.Marking.before_write
        assert capsys.readouterr().err == ""
