"""What rows may be in a store, after operations whose outcome is known, or not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from mixstore.errors import DuplicateKeyError, MixstoreError, NotFoundError


class Row(NamedTuple):
    """The values of a row, but for its key."""

    n: int
    text: str
    slug: str | None


World = Mapping[str, Row]
"""All rows of a model, by key."""


class Refused(NamedTuple):
    """What an operation is refused with."""

    error: type[MixstoreError]


Effect = Callable[[World], "World | Refused"]
"""What one atomic operation makes of a store."""


def create(key: str, row: Row) -> Effect:
    """A new row; refused if the key or the slug is taken."""
    return lambda world: Refused(DuplicateKeyError) if key in world else _put(world, key, row)


def upsert(key: str, row: Row) -> Effect:
    """A row, in place of one that is there."""
    return lambda world: _put(world, key, row)


def update(key: str, **changes: Any) -> Effect:
    """New values of a row; refused if there is none."""

    def effect(world: World) -> World | Refused:
        if key not in world:
            return Refused(NotFoundError)
        return _put(world, key, world[key]._replace(**changes))

    return effect


def add(key: str, by: int) -> Effect:
    """A greater number in a row; refused if there is none."""

    def effect(world: World) -> World | Refused:
        if key not in world:
            return Refused(NotFoundError)
        return {**world, key: world[key]._replace(n=world[key].n + by)}

    return effect


def delete(key: str) -> Effect:
    """No row."""
    return lambda world: {one: row for one, row in world.items() if one != key}


def together(effects: list[Effect]) -> Effect:
    """All or nothing."""

    def effect(world: World) -> World | Refused:
        for one in effects:
            made = one(world)
            if isinstance(made, Refused):
                return made
            world = made
        return world

    return effect


def _put(world: World, key: str, row: Row) -> World | Refused:
    if row.slug is not None and any(other.slug == row.slug for name, other in world.items() if name != key):
        return Refused(DuplicateKeyError)
    return {**world, key: row}


def after(worlds: list[World], effect: Effect, error: MixstoreError | None) -> list[World]:
    """The worlds that may be after an effect that answered with this error, or with none.

    None of them is left if the answer fits none of those before.
    """
    if error is not None and getattr(error, "outcome_unknown", None) is not None:  # the store was not there
        unknown = getattr(error, "outcome_unknown", False)
        return worlds + [made for made in map(effect, worlds) if unknown and not isinstance(made, Refused)]
    left: list[World] = []
    for world in worlds:
        made = effect(world)
        if isinstance(made, Refused):
            left += [world] if type(error) is made.error else []
        elif error is None:
            left.append(made)
    return left
