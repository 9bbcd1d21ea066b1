"""What an instance remembers of the store: one slot, outside pydantic's private attributes, never copied."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mixstore.bound import Bound
    from mixstore.write import KeyValue

SLOT = "__mixstore_state__"


class State:
    """The backend that an instance came from and its row as loaded, from which the record and the key follow."""

    __slots__ = ("_key", "_stored", "bound", "row")

    def __init__(self, bound: Bound, row: Any, stored: dict[str, Any] | None, key: KeyValue | None) -> None:
        self.bound = bound
        self.row = row
        self._stored = stored
        self._key = key

    @property
    def stored(self) -> dict[str, Any]:
        """The row as a record, in the stored form. Not to be changed."""
        if self._stored is None:
            self._stored = self.bound.stored_of(self.row)
        return self._stored

    @property
    def key(self) -> KeyValue:
        """The key of the row as loaded."""
        if self._key is None:
            self._key = self.bound.key_of_stored(self.stored)
        return self._key


def state_of(instance: Any) -> State | None:
    """The state of an instance, or None for one that was neither loaded nor saved."""
    try:
        told = _get(instance)
    except AttributeError:
        return None
    return State(*told)


def set_state(instance: Any, bound: Bound, row: Any, stored: dict[str, Any] | None, key: KeyValue | None) -> None:
    """Remember where the instance stands. The slot holds a tuple, which costs a tenth of an object on every load."""
    _set(instance, (bound, row, stored, key))


def install(model: type) -> None:
    """Take the slot of the base class of models; called once, by `mixstore.model`."""
    global _get, _set
    slot = vars(model)[SLOT]
    _get, _set = slot.__get__, slot.__set__


def _get(instance: Any) -> Any:
    raise AttributeError(SLOT)


def _set(instance: Any, state: Any) -> None:
    raise AttributeError(SLOT)


def slot_setter() -> Any:
    """The bare setter of the slot, for prepared functions."""
    return _set
