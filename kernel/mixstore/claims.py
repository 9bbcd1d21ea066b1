"""Claims: rows of internal models that stand for what only one row may have; settled when somebody else's is found.

A claim counts only while its holder is there, is not dead, and still has what is claimed. Nobody needs to look before
a write: only one that finds a claim in its way reads it and its holder, and then either fails or takes it over, under
the condition that the claim is still the one that was read.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mixstore.beside import side_write
from mixstore.errors import ConflictError
from mixstore.expressions import Compare, conjunction, substitute
from mixstore.failures import NOTHING_STORED, failure, hook_failed
from mixstore.mixin import MixstoreMeta
from mixstore.write import Outcome, Write, WriteContext

if TYPE_CHECKING:
    from mixstore.bound import Bound
    from mixstore.extension import BackendExtension
    from mixstore.prepared import PreparedWrite
    from mixstore.write import Claim, KeyValue

Steps = Generator[Any, Any, Any]
ATTEMPTS = 100
"""How often a unit is executed whose claims are disputed: each time that it fails, another writer has moved one."""


def executed(prepared: PreparedWrite) -> Steps:
    """The outcome of one write, executed until none of its claims is disputed. DuplicateKeyError, ConflictError."""
    for _ in range(ATTEMPTS):
        (outcome,) = yield prepared.bound.engine.compile_writes(prepared.bound, (prepared.write,))
        if not outcome.disputed:
            return outcome
        yield from settle(prepared, outcome)
    raise unsettled(prepared)


def unsettled(prepared: PreparedWrite) -> ConflictError:
    """The error of a write whose claims others moved at each of many attempts."""
    bound = prepared.bound
    return ConflictError(
        f"what {bound.schema.name} claims was moved by others under {ATTEMPTS} attempts to {prepared.asked} it",
        model=bound.model,
        key=bound.schema.key_as_told(prepared.write.key),
        backend=bound.backend.backend_name,
    )


def settle(prepared: PreparedWrite, outcome: Outcome, before: Sequence[PreparedWrite] = ()) -> Steps:
    """Change the side writes of a write so that a disputed one may pass; DuplicateKeyError if it may not.

    `before` are the writes that come before it in its unit.
    """
    write, side = prepared.write, outcome.side
    assert side is not None
    if side.claim is None:  # to be removed, and somebody else's by now
        write.side_writes = tuple(one for one in write.side_writes if one is not side)
        return
    if any(_same_place(one, side) and one.claim for other in before for one in other.write.side_writes):
        raise _taken(prepared, side.claim)
    rows = yield side.bound.engine.compile_get(side.bound, (side.key,))
    if rows[0] is None:
        return  # let go in between
    claimed = side.bound.values_from_row(rows[0])
    beside = yield from _of_holder(prepared, side, side.claim, claimed)
    unchanged = conjunction(*[Compare((name,), "eq", value) for name, value in claimed.items()])
    mine = Write("upsert", side.bound, side.key, side.record, condition=unchanged, claim=side.claim, dies=side.dies)
    there = [*write.side_writes, *(one for other in before for one in other.write.side_writes)]
    more = [one for one in beside if not any(_same_place(one, other) for other in there)]
    write.side_writes = (*more, *[mine if one is side else one for one in write.side_writes])


def _of_holder(prepared: PreparedWrite, side: Write, claim: Claim, claimed: Mapping[str, Any]) -> Steps:
    """What goes with a claim that is taken over: its holder, if that is dead, and the holder's other claims."""
    bound, now = prepared.bound, prepared.context.now
    key = asked(bound, prepared.write.key, claim.extension, "holder", claimed)
    if key == prepared.write.key:
        return ()
    rows = yield bound.engine.compile_get(bound, (key,))
    if rows[0] is None:
        return ()
    values = bound.values_from_row(rows[0])
    if bound.dead is not None and bound.dead({"now": now})(values):
        return _removed(prepared, key, values)
    there = asked(bound, prepared.write.key, claim.extension, "claims", values)
    if any(side.bound.key_from(one.__dict__) == side.key for one in there):
        raise _taken(prepared, claim)
    return ()


def _removed(prepared: PreparedWrite, key: KeyValue, values: dict[str, Any]) -> Iterable[Write]:
    """The removal of a dead row, if it is dead then, and of all that it claims."""
    bound, now = prepared.bound, prepared.context.now
    assert bound.chain.evict is not None
    context = WriteContext("delete", "delete", bound.model, key, dict(values), values, now)
    dead = Write("delete", bound, key, condition=substitute(bound.chain.evict, {"now": now}))
    claiming = bound.chain.claiming
    beside = [
        (one, side) for one in claiming for side in asked(bound, prepared.write.key, one, "write_beside", context, ())
    ]
    return (dead, *[side_write(bound, context, one, side) for one, side in beside])


def asked(
    bound: Bound,
    key: KeyValue | None,
    extension: BackendExtension,
    hook: str,
    *args: Any,
    effect: str = NOTHING_STORED,
) -> Any:
    """What an extension says of claims; its errors come with their place."""
    try:
        told = getattr(extension, hook)(*args)
        if hook == "holder":
            names = bound.schema.key_names
            if not isinstance(told, tuple) or len(told) != len(names) or None in told:
                raise TypeError(f"it must give the key of a row as a tuple ({', '.join(names)}), not {told!r}")
            return told
        told = list(told)
        for one in told if hook == "claims" else ():
            if not isinstance(type(one), MixstoreMeta):
                raise TypeError(f"it must give instances of a model, not {one!r}")
        return told
    except Exception as error:
        raise hook_failed(bound, type(extension).__qualname__, hook, key, error, effect) from error


def _same_place(one: Write, other: Write) -> bool:
    return one.bound is other.bound and one.key == other.key


def _taken(prepared: PreparedWrite, claim: Claim) -> Exception:
    return failure(prepared.bound, prepared.asked, prepared.write.key, Outcome("unique", None, claim.field))
