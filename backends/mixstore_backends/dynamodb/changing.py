"""Tables are made and changed: one step at a time, each waited for, each told to the log `mixstore`."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mixstore.errors import BackendError, BackendTimeoutError, ConfigurationError
from mixstore.planned import Plan
from mixstore_backends.dynamodb.errors import NAME, code_of
from mixstore_backends.dynamodb.options import ON_DEMAND
from mixstore_backends.dynamodb.reindexing import Reindex
from mixstore_backends.dynamodb.settings import Setting, differing
from mixstore_backends.dynamodb.tables import (
    Wanted,
    holds,
    index_told,
    key_told,
    projection_told,
    same_key,
    types_of,
)

if TYPE_CHECKING:
    from mixstore_backends.dynamodb.layout import Table
    from mixstore_backends.dynamodb.transport import Steps, Transport

WAIT = 1.0
"""Seconds between two looks at a table that is being made or changed."""
PATIENCE = 1800
"""How many looks before it is given up: filling a new index can take long."""
TOLD = 15
"""After so many looks it is told what is waited for."""
LATE = 60
"""How many attempts to switch on what a table that was just made is not ready for."""

log = logging.getLogger("mixstore")


class Initialize(Plan):
    """Make the table, or what it lacks: indexes one at a time, then its settings.

    The rows that are there get their keys before an index is made. So whoever sees an index sees all rows in it, also
    when this was stopped halfway: an index that is there has been filled.
    """

    __slots__ = ("tables", "wanted")

    def __init__(self, wanted: Wanted, tables: Sequence[Table]) -> None:
        self.wanted = wanted
        self.tables = tables

    def steps(self, transport: Transport) -> Steps[None]:
        """Make it so."""
        wanted = self.wanted
        found = yield from described(transport, wanted.name)
        if found is None:
            log.info("table %s: making it", wanted.name)
            made = yield from transport.attempt_creation(wanted.name, wanted.create_request())
            found = yield from wait(transport, wanted.name)
            if made:
                yield from self._set(transport, found)
                return
        check(found, wanted)
        yield from self._grow(transport, found)
        yield from self._set(transport, (yield from wait(transport, wanted.name)))

    def _grow(self, transport: Transport, found: Mapping[str, Any]) -> Steps[None]:
        wanted = self.wanted
        there = {one["IndexName"] for one in found.get("GlobalSecondaryIndexes", ())}
        added = [name for name in wanted.indexes if name not in there]
        for table in self.tables:
            if not table.indexes.keys().isdisjoint(added):
                log.info("table %s: putting the rows of %s into the new indexes", wanted.name, table.schema.name)
                yield from Reindex(table).steps(transport)
        for number, name in enumerate(added, 1):
            yield from wait(transport, wanted.name)
            log.info("table %s: making index %s (%d of %d)", wanted.name, name, number, len(added))
            request = wanted.index_request(name, _capacity(found, wanted))
            yield from transport.call("update_table", wanted.name, request)

    def _set(self, transport: Transport, found: Mapping[str, Any]) -> Steps[None]:
        table = self.wanted.name
        for one in (yield from differing(transport, found, self.wanted)):
            if not one.operation:
                raise ConfigurationError(
                    f"the table {table!r}: its {one.what} is {one.real!r}, not {one.declared!r}",
                    backend=NAME,
                    hint=one.hint,
                )
            log.info("table %s: %s from %s to %s", table, one.what, one.real, one.declared)
            yield from self._change(transport, one)
            if one.operation == "update_table":
                yield from wait(transport, table)

    def _change(self, transport: Transport, one: Setting) -> Steps[None]:
        for attempt in range(LATE):
            try:
                yield from transport.call(one.operation, self.wanted.name, one.request)
            except BackendError as error:  # backups of a table that was just made take a moment to be there
                late = code_of(error.__cause__) == "ContinuousBackupsUnavailableException"
                if not late or attempt == LATE - 1:
                    raise
                yield WAIT
            else:
                return


class DropIndex(Plan):
    """Drop one index of a table; whether it was there. ConfigurationError if the models declare it as it is."""

    __slots__ = ("index", "wanted")

    def __init__(self, wanted: Wanted, index: str) -> None:
        self.wanted = wanted
        self.index = index

    def steps(self, transport: Transport) -> Steps[bool]:
        name, index = self.wanted.name, self.index
        found = (yield from described(transport, name)) or {}
        local = {one["IndexName"] for one in found.get("LocalSecondaryIndexes", ())}
        if index in local:
            raise ConfigurationError(
                f"the index {index!r} of {name!r} is local: DynamoDB drops it with its table only", backend=NAME
            )
        real = next((one for one in found.get("GlobalSecondaryIndexes", ()) if one["IndexName"] == index), None)
        if real is None:
            return False
        users = self.wanted.users.get(index, ())
        if users and index_problem(self.wanted, self.wanted.indexes.get(index, {}), found, real) is None:
            raise ConfigurationError(
                f"the index {index!r} of {name!r} is declared by {', '.join(model.__name__ for model in users)}",
                backend=NAME,
                hint="take it from Meta.indexes first, in all programs that use it",
            )
        yield from wait(transport, name)
        log.info("table %s: dropping index %s", name, index)
        request = {"TableName": name, "GlobalSecondaryIndexUpdates": [{"Delete": {"IndexName": index}}]}
        yield from transport.call("update_table", name, request)
        yield from wait(transport, name)
        return True


def described(transport: Transport, name: str) -> Steps[dict[str, Any] | None]:
    """What DynamoDB says of a table; None if it is not there."""
    try:
        answer = yield from transport.call("describe_table", name, {"TableName": name})
    except ConfigurationError:
        return None
    return answer["Table"]  # type: ignore[no-any-return]


def check(found: Mapping[str, Any], wanted: Wanted) -> None:
    """ConfigurationError if the table that is there has another key, or indexes that its models can't use."""
    types = types_of(found)
    if not same_key(wanted, wanted.key, found, found["KeySchema"]):
        raise ConfigurationError(
            f"the table {wanted.name!r} has another key: {key_told(found['KeySchema'], types)} "
            f"instead of {key_told(wanted.key, wanted.attributes)}",
            backend=NAME,
            hint="DynamoDBAdapter(partition=..., sort=...) names the attributes; or use another table",
        )
    local = {one["IndexName"]: one for one in found.get("LocalSecondaryIndexes", ())}
    world = {one["IndexName"]: one for one in found.get("GlobalSecondaryIndexes", ())}
    for name, index in {**wanted.indexes, **wanted.local}.items():
        mine, others = (local, world) if name in wanted.local else (world, local)
        if name in others or (name in wanted.local and name not in mine):
            raise ConfigurationError(
                f"the table {wanted.name!r} has {'another kind of' if name in others else 'no'} index {name!r}, "
                "and a local one is made with its table only",
                backend=NAME,
                hint="a GSI(...) can be added; or move the rows to a new table",
            )
        problem = index_problem(wanted, index, found, mine[name]) if name in mine else None
        if problem is not None:
            raise ConfigurationError(
                f"the index {name!r} of the table {wanted.name!r} {problem}",
                backend=NAME,
                hint=f'give the new one another name, or backend.drop_index({_user(wanted, name)}, "{name}") first',
            )


def index_problem(
    wanted: Wanted, asked: Mapping[str, Any], found: Mapping[str, Any], real: Mapping[str, Any]
) -> str | None:
    """Why an index that is there can't serve as the one that is asked for; None if it can."""
    if not asked or not same_key(wanted, asked["KeySchema"], found, real["KeySchema"]):
        told = index_told(asked, wanted.attributes) if asked else "a local one"
        return f"is of another key: {index_told(real, types_of(found))} instead of {told}"
    if not holds(real["Projection"], asked["Projection"]):
        return f"holds {projection_told(real['Projection'])} instead of {projection_told(asked['Projection'])}"
    return None


def _user(wanted: Wanted, index: str) -> str:
    return str(wanted.users[index][0].__name__)


def _capacity(found: Mapping[str, Any], wanted: Wanted) -> dict[str, Any]:
    """What a new index is given: the capacity that is wanted, or that of the table as it is."""
    if found.get("BillingModeSummary", {}).get("BillingMode") == ON_DEMAND:
        return {}
    there = found.get("ProvisionedThroughput", {})
    units = {name: there[name] for name in ("ReadCapacityUnits", "WriteCapacityUnits") if there.get(name)}
    return wanted.options.capacity or ({"ProvisionedThroughput": units} if units else {})


def wait(transport: Transport, name: str) -> Steps[dict[str, Any]]:
    """Wait until the table and its indexes can be used; what DynamoDB says of it then."""
    for look in range(1, PATIENCE + 1):
        found = yield from described(transport, name)
        busy = _busy(found)
        if found is not None and not busy:
            return found
        if look % TOLD == 0:
            log.info("table %s: waiting for %s (%d s)", name, busy, look * WAIT)
        yield WAIT
    raise BackendTimeoutError(f"the table {name!r} is still being made", backend=NAME, hint="initialize() again later")


def _busy(found: Mapping[str, Any] | None) -> str:
    """What of a table is not ready; "" if all is."""
    if found is None:
        return "it to be there"
    for one in found.get("GlobalSecondaryIndexes", ()):
        if one.get("IndexStatus", "ACTIVE") != "ACTIVE":
            filling = ", which is being filled" if one.get("Backfilling") else ""
            return f"index {one['IndexName']}{filling}"
    status = found.get("TableStatus", "ACTIVE")
    return "" if status == "ACTIVE" else f"it: {status}"
