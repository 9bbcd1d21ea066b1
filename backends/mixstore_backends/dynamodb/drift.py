"""What of a table is not as its models declare it, and what would put it right. Asks and never writes."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from mixstore.drift import Drift
from mixstore.planned import Plan
from mixstore_backends.dynamodb.changing import described, index_problem
from mixstore_backends.dynamodb.settings import differing
from mixstore_backends.dynamodb.tables import Wanted, index_told, key_told, same_key, types_of

if TYPE_CHECKING:
    from mixstore_backends.dynamodb.transport import Steps, Transport

NOTHING = "-"
ANEW = "move the rows to a new table: DynamoDB changes it for none that is there"


class Compare(Plan):
    """Compare a table with what is wanted. `known`: the names of indexes that any model of the table declares."""

    __slots__ = ("known", "wanted")

    def __init__(self, wanted: Wanted, known: Collection[str]) -> None:
        self.wanted = wanted
        self.known = known

    def steps(self, transport: Transport) -> Steps[list[Drift]]:
        wanted = self.wanted
        found = yield from described(transport, wanted.name)
        if found is None:
            key = key_told(wanted.key, wanted.attributes)
            return [Drift(wanted.models, f"table {wanted.name}", key, NOTHING, "initialize() makes it")]
        told = [*_key(found, wanted), *self._indexes(found), *self._foreign(found)]
        for one in (yield from differing(transport, found, wanted)):
            plan = f"initialize() sets it, by {_spelled(one.operation)}" if one.operation else one.hint
            told.append(Drift(wanted.models, f"{one.what} of table {wanted.name}", one.declared, one.real, plan))
        return told

    def _indexes(self, found: Mapping[str, Any]) -> Iterator[Drift]:
        wanted = self.wanted
        world, local = _by_name(found, "Global"), _by_name(found, "Local")
        for name, index in {**wanted.indexes, **wanted.local}.items():
            mine, others = (local, world) if name in wanted.local else (world, local)
            what, models = f"index {name} of table {wanted.name}", wanted.users[name]
            declared = index_told(index, wanted.attributes)
            if name in others:
                real = f"{'global' if name in world else 'local'}: {index_told(others[name], types_of(found))}"
                yield Drift(models, what, declared, real, ANEW)
            elif name not in mine:
                grown = "initialize() puts the rows that are there into it, and adds it"
                yield Drift(models, what, declared, NOTHING, ANEW if name in wanted.local else grown)
            elif index_problem(wanted, index, found, mine[name]) is not None:
                again = f'backend.drop_index({models[0].__name__}, "{name}"), then initialize()'
                plan = ANEW if name in wanted.local else again
                yield Drift(models, what, declared, index_told(mine[name], types_of(found)), plan)

    def _foreign(self, found: Mapping[str, Any]) -> Iterator[Drift]:
        wanted, types = self.wanted, types_of(found)
        for kind in ("Global", "Local"):
            for name, index in _by_name(found, kind).items():
                if name not in self.known:
                    drop = f'if no program needs it: backend.drop_index({wanted.models[0].__name__}, "{name}")'
                    plan = drop if kind == "Global" else "it goes with its table only"
                    what = f"index {name} of table {wanted.name}"
                    yield Drift(wanted.models, what, NOTHING, index_told(index, types), plan)


def _key(found: Mapping[str, Any], wanted: Wanted) -> Iterator[Drift]:
    if not same_key(wanted, wanted.key, found, found["KeySchema"]):
        real, declared = key_told(found["KeySchema"], types_of(found)), key_told(wanted.key, wanted.attributes)
        yield Drift(wanted.models, f"key of table {wanted.name}", declared, real, ANEW)


def _by_name(found: Mapping[str, Any], kind: str) -> dict[str, Any]:
    return {one["IndexName"]: one for one in found.get(f"{kind}SecondaryIndexes", ())}


def _spelled(operation: str) -> str:
    """The operation as AWS writes it."""
    return "".join(part.capitalize() for part in operation.split("_"))
