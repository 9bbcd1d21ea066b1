"""The names and values that the expressions of one request refer to: no word is reserved, nothing is quoted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from mixstore_backends.dynamodb.wire import Wire

MOST_OPERATORS = 300
LONGEST = 4096
"""Limits of DynamoDB: operators and functions, and bytes, in one expression."""
NOWHERE = "_nowhere"
"""An attribute that no item has: no field starts with an underscore."""


class TooLongError(Exception):
    """The expression would be longer than DynamoDB takes."""


class Mark(NamedTuple):
    """A state to go back to."""

    names: int
    values: int
    operators: int


class Placeholders:
    """`#n0` for a name, `:v0` for a value; each name once. DynamoDB refuses those that nothing refers to."""

    __slots__ = ("_names", "_values", "operators")

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._values: dict[str, Wire] = {}
        self.operators = 0

    def name(self, attribute: str) -> str:
        """The placeholder of an attribute's name, or of a step inside of one."""
        found = self._names.get(attribute)
        if found is None:
            found = self._names[attribute] = f"#n{len(self._names)}"
        return found

    def path(self, path: Sequence[str]) -> str:
        """The document path of an attribute."""
        return ".".join([self.name(step) for step in path])

    def value(self, value: Wire) -> str:
        """The placeholder of a value."""
        found = f":v{len(self._values)}"
        self._values[found] = value
        return found

    def count(self, operators: int = 1) -> None:
        """So many more operators and functions; TooLongError if these are too many."""
        self.operators += operators
        if self.operators > MOST_OPERATORS:
            raise TooLongError

    def mark(self) -> Mark:
        """What there is now."""
        return Mark(len(self._names), len(self._values), self.operators)

    def back_to(self, mark: Mark) -> None:
        """Forget what came since, as what used it was given up."""
        for table, size in ((self._names, mark.names), (self._values, mark.values)):
            for key in list(table)[size:]:
                del table[key]
        self.operators = mark.operators

    # -- pieces of expressions ------------------------------------------------------------------------------------

    def never(self) -> str:
        """An expression that holds for no item."""
        self.count()
        return f"attribute_exists({self.name(NOWHERE)})"

    def always(self) -> str:
        """An expression that holds for each item."""
        self.count()
        return f"attribute_not_exists({self.name(NOWHERE)})"

    def negated(self, piece: str) -> str:
        """What holds exactly where the piece does not."""
        self.count()
        return f"(NOT {piece})"

    def joined(self, pieces: Sequence[str], word: str) -> str:
        """The pieces joined by AND or OR."""
        self.count(len(pieces) - 1)
        return pieces[0] if len(pieces) == 1 else f"({f' {word} '.join(pieces)})"

    def into(self, request: dict[str, Any]) -> dict[str, Any]:
        """The request, with the names and values that its expressions use."""
        if self._names:
            request["ExpressionAttributeNames"] = {placeholder: name for name, placeholder in self._names.items()}
        if self._values:
            request["ExpressionAttributeValues"] = self._values
        return request


def enclosed(text: str) -> str:
    """The text in parentheses, of which DynamoDB takes no second pair."""
    depth = 0
    for position, letter in enumerate(text):
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if depth == 0:
            return text if position == len(text) - 1 and letter == ")" and text[0] == "(" else f"({text})"
    return f"({text})"
