"""Values in order, and the rows that have them. Who removes something leaves a gap, which who looks skips."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from mixstore.expressions import comparable

if TYPE_CHECKING:
    from mixstore.write import KeyValue


class SortedForms:
    """Values in the order of their comparable form, sorted when somebody looks; who looks skips what was removed."""

    __slots__ = ("_form", "_forms", "_pending", "add")

    def __init__(self, form: Callable[[Any], Any]) -> None:
        self._form = form
        self._forms: list[tuple[Any, Any]] = []
        self._pending: list[Any] = []
        self.add = self._pending.append

    def forms(self) -> list[tuple[Any, Any]]:
        """All (form, value) in order."""
        if self._pending:
            self._forms += [(self._form(value), value) for value in self._pending]
            self._pending.clear()
            self._forms.sort(key=_form)
            # a value that left and came back would stand here twice
            self._forms = [one for n, one in enumerate(self._forms) if n == 0 or one[0] != self._forms[n - 1][0]]
        return self._forms

    def rebuild(self, values: Iterable[Any]) -> None:
        """Start again with these, when more was removed than is left."""
        self._pending[:] = values
        self._forms = []

    def __len__(self) -> int:
        return len(self._forms) + len(self._pending)


def _form(entry: tuple[Any, Any]) -> Any:
    return entry[0]


class Index:
    """The keys of the rows by the value of one field: equality by hash, ranges by order."""

    __slots__ = ("_sorted", "buckets")

    def __init__(self) -> None:
        self.buckets: dict[Any, dict[KeyValue, None]] = {}
        self._sorted = SortedForms(comparable)

    def add(self, value: Any, key: KeyValue) -> None:
        """A row with this value is there."""
        bucket = self.buckets.get(value)
        if bucket is None:
            self.buckets[value] = {key: None}
            self._sorted.add(value)
        else:
            bucket[key] = None

    def discard(self, value: Any, key: KeyValue) -> None:
        """It no longer is."""
        bucket = self.buckets.get(value)
        if bucket is not None:
            bucket.pop(key, None)
            if not bucket:
                del self.buckets[value]

    def equal(self, values: Iterable[Any]) -> Iterator[KeyValue]:
        """The keys of the rows with one of these values, each once."""
        for value in dict.fromkeys(values):
            yield from self.buckets.get(value, ())

    def between(self, low: Any, high: Any) -> Iterator[KeyValue]:
        """The keys of the rows from `low` to `high`, both included, None meaning open.

        Rows without a value are not among them.
        """
        for _, value in self.range(low, high):
            yield from self.buckets.get(value, ())

    def range(self, low: Any, high: Any) -> list[tuple[Any, Any]]:
        """(comparable form, value) from `low` to `high` in order, as in `between`; some may have no row any more."""
        if len(self._sorted) > 2 * len(self.buckets) + 100:
            self._sorted.rebuild(self.buckets)
        forms = self._sorted.forms()
        start = (
            bisect_right(forms, comparable(None), key=_form)
            if low is None
            else bisect_left(forms, comparable(low), key=_form)
        )
        end = len(forms) if high is None else bisect_right(forms, comparable(high), key=_form)
        return forms[start:end]
