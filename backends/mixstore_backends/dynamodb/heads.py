"""Which models of a table can't have a key in common: by how the texts of their keys begin."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from mixstore.templates import Template


class Head(NamedTuple):
    """What the texts of a template begin with. whole: there is nothing else in them, so that all are the same."""

    text: str
    whole: bool

    def apart(self, other: Head) -> bool:
        """Whether no text that begins so is one that begins as the other says."""
        if self.whole and other.whole:
            return self.text != other.text
        if self.whole or other.whole:
            fixed, open_ = (self, other) if self.whole else (other, self)
            return not fixed.text.startswith(open_.text)
        return not (self.text.startswith(other.text) or other.text.startswith(self.text))

    def names(self, name: str) -> bool:
        """Whether the name of an entity, in capitals, is told here, and ends here."""
        told = self.text.upper()
        rest = told[len(name) :]
        return told.startswith(name) and (not rest[0].isalnum() if rest else self.whole)


Heads = tuple[Head, ...]
"""Of the partition text and the sort text of a model; empty if nothing is known of them."""


def head_of(template: Template | str) -> Head:
    """Of a template, or of a text that is always the same."""
    if isinstance(template, str):
        return Head(template, True)
    first = template.parts[0] if template.parts else ""
    return Head(first if isinstance(first, str) else "", not template.fields)


def own_keys(name: str, heads: Heads, others: Iterable[Heads]) -> bool:
    """Whether keys name their entity, and no other of these models can have one of them."""
    if not any(head.names(name) for head in heads):
        return False
    return all(any(mine.apart(its) for mine, its in zip(heads, other, strict=False)) for other in others)
