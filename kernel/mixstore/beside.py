"""What stands beside a row: what is read before it is written, and the rows that are written together with it."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from mixstore import lookups
from mixstore.backend import Capability
from mixstore.chain import AS_IT_IS
from mixstore.errors import ConfigurationError, ValidationError, nearest
from mixstore.expressions import Expr, substitute
from mixstore.extension import BackendExtension
from mixstore.failures import called, hook_failed, hook_gave
from mixstore.mixin import MixstoreMeta
from mixstore.query import Query
from mixstore.registry import current
from mixstore.rowkeys import required_key
from mixstore.write import OPERATIONS, Add, Claim, SideWrite, Write

if TYPE_CHECKING:
    from datetime import datetime

    from mixstore.bound import Bound
    from mixstore.write import KeyValue, Operation, WriteContext

Steps = Generator[Any, Any, Any]
NO_OPTIONS: Mapping[str, Any] = {}
Found = Sequence[list[dict[str, Any]]]
"""What each extension that writes beside the row asked for, in the order of the chain."""


class StoredRow(NamedTuple):
    """A row that was read before it is written; both are None if there is none or it counts as absent."""

    values: dict[str, Any] | None
    record: Mapping[str, Any] | None


NO_ROW = StoredRow(None, None)


def stored_row(bound: Bound, operation: Operation, row: Any, now: datetime) -> StoredRow:
    """A row as the engine gave it, before a write.

    One that counts as absent is none to a write that would replace it; whether an update or a delete may see it is a
    condition of theirs.
    """
    if row is None:
        return NO_ROW
    values = bound.stored_values(row)
    replaces = operation in ("create", "upsert")
    if replaces and bound.dead is not None and bound.dead({"now": now})(values):
        return NO_ROW
    return StoredRow(bound.after_read(row, values), bound.stored_of(row))


def likely_key(bound: Bound, instance: Any) -> KeyValue | None:
    """The key of a row as it stands before hooks, which may still make it."""
    try:
        return bound.key_from(instance.__dict__)
    except ValidationError:
        return None


def _writes(bound: Bound, extension: BackendExtension, options: Mapping[str, Any]) -> bool:
    """Whether an extension writes beside such a row: what it keeps there comes along with a row that is moved."""
    return not (options.get(AS_IT_IS) and extension in bound.chain.keeping)


def read_beside(
    bound: Bound, operation: Operation, key: KeyValue | None, options: Mapping[str, Any] = NO_OPTIONS
) -> Steps:
    """The rows of internal models that extensions must know; none as long as the key is not known."""
    from mixstore.reads import rows_of

    answers: list[list[dict[str, Any]]] = []
    for extension, read, _ in bound.chain.beside:
        query = None
        if key is not None and _writes(bound, extension, options):
            owner = type(extension).__qualname__
            try:
                query = read(operation, key)
                if not (query is None or isinstance(query, Query)):
                    raise hook_gave(bound, owner, "read_beside", key, "a Query or None", query)
            except Exception as error:
                raise hook_failed(bound, owner, "read_beside", key, error) from error
        if query is None:
            answers.append([])
            continue
        other = bound.backend.bound(query.model)
        rows = yield from rows_of(other, query)
        answers.append([other.values_from_row(row) for row in rows])
    return answers


def write_beside(
    bound: Bound, context: WriteContext, found: Found, options: Mapping[str, Any]
) -> list[tuple[BackendExtension, SideWrite]]:
    """The rows that extensions write together with one that is final, and whose they are."""
    writes: list[tuple[BackendExtension, SideWrite]] = []
    for (extension, _, write), rows in zip(bound.chain.beside, found, strict=True):
        if not _writes(bound, extension, options):
            continue
        owner = type(extension).__qualname__
        try:
            for side in write(context, rows):
                check_side(bound, extension, "write_beside", context.key, side)
                writes.append((extension, side))
        except Exception as error:
            raise hook_failed(bound, owner, "write_beside", context.key, error) from error
    return writes


def finish_beside(bound: Bound, keys: Sequence[KeyValue] | None = None) -> int:
    """On a backend with OWNED_ROWS: write what rows (None: all of the model) have still to write beside them.

    For whoever reads such rows. Returns how many rows were left like that, by processes that stopped on the way.
    """
    plan = bound.engine.compile_finish(bound, keys)
    return 0 if plan is None else int(bound.engine.execute(plan))


async def afinish_beside(bound: Bound, keys: Sequence[KeyValue] | None = None) -> int:
    """`finish_beside()`, awaited."""
    plan = bound.engine.compile_finish(bound, keys)
    return 0 if plan is None else int(await bound.engine.aexecute(plan))


def check_side(bound: Bound, extension: BackendExtension, hook: str, key: KeyValue | None, side: Any) -> None:
    """HookError for what is no SideWrite, ConfigurationError for one that can't be done."""
    owner = type(extension).__qualname__
    wrong: tuple[str, Any] | None = None
    if not isinstance(side, SideWrite):
        wrong = "side writes that are a SideWrite", side
    elif not isinstance(type(side.instance), MixstoreMeta):
        wrong = "side writes of instances of a model", side.instance
    elif not (side.condition is None or isinstance(side.condition, Expr)):
        wrong = "side writes whose condition is a Q", side.condition
    elif not (side.claims is None or isinstance(side.claims, str)):
        wrong = "side writes whose claims are the name of a field", side.claims
    if wrong is not None:
        raise hook_gave(bound, owner, hook, key, *wrong)
    if side.op not in OPERATIONS:
        error = ConfigurationError(f"{side.op!r} is no operation", hint=nearest(str(side.op), OPERATIONS))
        raise hook_failed(bound, owner, hook, key, error)
    if side.counts and Capability.ADD not in bound.backend.capabilities:
        told = f"{owner} counts {', '.join(side.counts)} inside the engine, and {bound.backend.backend_name} lacks ADD"
        raise hook_failed(bound, owner, hook, key, ConfigurationError(told, hint="requires = (Capability.ADD,)"))
    if side.claims is not None:
        _check_claim(bound, extension, hook, key, side.claims)


def _check_claim(bound: Bound, extension: BackendExtension, hook: str, key: KeyValue | None, claimed: str) -> None:
    """ConfigurationError for a claim that nobody could settle: two rows would have what it stands for."""
    owner = type(extension)
    try:
        for name in claimed.split(", "):
            bound.schema.field(name, f"lacks the field that {owner.__qualname__} claims:")
        for needed in ("claims", "holder"):
            if getattr(owner, needed) is getattr(BackendExtension, needed):
                raise ConfigurationError(
                    f"{owner.__qualname__} claims {claimed}, and has no `{needed}()` to tell whose it is"
                )
    except ConfigurationError as error:
        raise hook_failed(bound, owner.__qualname__, hook, key, error) from error


def side_write(bound: Bound, context: WriteContext, extension: BackendExtension, side: SideWrite) -> Write:
    """A row of an internal model: through its adapter, on the same backend, with no chain."""
    other = bound.backend.bound(type(side.instance))
    key = required_key(other, side.instance)
    condition = None
    if side.condition is not None:
        resolved = partial(lookups.resolve, other.schema, side.condition, current().lookups)
        condition = substitute(called(bound, extension, "SideWrite", context.key, resolved), {"now": context.now})
    if side.op == "delete":
        return Write("delete", other, key, condition=condition, owned=side.owned)
    record = other.encode(side.instance)
    changes = dict(record) if side.op == "update" else None
    if side.counts:
        changes = {name: value for name, value in record.items() if name not in other.schema.key_fields}
        changes.update({name: Add(1) for name in side.counts})
    return Write(
        side.op,
        other,
        key,
        record,
        changes,
        condition,
        contested=side.contested,
        claim=None if side.claims is None else Claim(extension, side.claims),
        dies=bound.death(context.final) if side.linked else None,
        owned=side.owned,
    )
