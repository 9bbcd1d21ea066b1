"""What of a table is not as it is wanted beside keys and indexes, and the request that would change it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from mixstore_backends.dynamodb.options import OFF, ON_DEMAND, Provisioned

if TYPE_CHECKING:
    from mixstore_backends.dynamodb.tables import Wanted
    from mixstore_backends.dynamodb.transport import Steps, Transport


class Setting(NamedTuple):
    """One difference. operation, request: what changes it; "" if nothing does, and then `hint` says why."""

    what: str
    declared: str
    real: str
    operation: str
    request: dict[str, Any]
    hint: str = ""


def differing(transport: Transport, found: Mapping[str, Any], wanted: Wanted) -> Steps[list[Setting]]:
    """All settings of a table that are not as wanted. `found` is its description; asks for no more than is needed."""
    told = [one for look in (_billing, _stream, _protection) for one in look(found, wanted)]
    for ask in (_recovery, _tags, _expiry):
        one = yield from ask(transport, found, wanted)
        told += [] if one is None else [one]
    return told


def _billing(found: Mapping[str, Any], wanted: Wanted) -> Iterator[Setting]:
    asked = wanted.options.billing
    mode = found.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED")
    there = found.get("ProvisionedThroughput", {})
    units = {name: there.get(name, 0) for name in ("ReadCapacityUnits", "WriteCapacityUnits")}
    real = mode if mode == ON_DEMAND else repr(Provisioned(*[max(1, number) for number in units.values()]))
    if asked is None or real == (asked if asked == ON_DEMAND else repr(asked)):
        return
    request: dict[str, Any] = {"TableName": wanted.name, "BillingMode": ON_DEMAND}
    if isinstance(asked, Provisioned):
        request = {"TableName": wanted.name, "BillingMode": "PROVISIONED", "ProvisionedThroughput": asked.units}
        indexes = [one["IndexName"] for one in found.get("GlobalSecondaryIndexes", ())]
        if indexes:
            request["GlobalSecondaryIndexUpdates"] = [
                {"Update": {"IndexName": name, "ProvisionedThroughput": asked.units}} for name in indexes
            ]
    yield Setting("billing", str(asked), real, "update_table", request)


def _stream(found: Mapping[str, Any], wanted: Wanted) -> Iterator[Setting]:
    asked = wanted.options.stream
    there = found.get("StreamSpecification", {})
    real = str(there.get("StreamViewType")) if there.get("StreamEnabled") else OFF
    if asked is None or asked == real:
        return
    if OFF in (asked, real):
        told = {"StreamEnabled": False} if asked == OFF else {"StreamEnabled": True, "StreamViewType": asked}
        request = {"TableName": wanted.name, "StreamSpecification": told}
        yield Setting("stream", asked, real, "update_table", request)
        return
    hint = f"""to change it ends the stream that programs read: initialize with stream="OFF", then with {asked!r}"""
    yield Setting("stream", asked, real, "", {}, hint)


def _protection(found: Mapping[str, Any], wanted: Wanted) -> Iterator[Setting]:
    asked, real = wanted.options.deletion_protection, bool(found.get("DeletionProtectionEnabled", False))
    if asked is not None and asked != real:
        request = {"TableName": wanted.name, "DeletionProtectionEnabled": asked}
        yield Setting("deletion protection", _on(asked), _on(real), "update_table", request)


def _recovery(transport: Transport, found: Mapping[str, Any], wanted: Wanted) -> Steps[Setting | None]:
    asked = wanted.options.point_in_time_recovery
    if asked is None:
        return None
    answer = yield from transport.call("describe_continuous_backups", wanted.name, {"TableName": wanted.name})
    told = answer["ContinuousBackupsDescription"].get("PointInTimeRecoveryDescription", {})
    real = told.get("PointInTimeRecoveryStatus") == "ENABLED"
    if asked != real:
        specification = {"PointInTimeRecoveryEnabled": asked}
        request = {"TableName": wanted.name, "PointInTimeRecoverySpecification": specification}
        return Setting("point-in-time recovery", _on(asked), _on(real), "update_continuous_backups", request)
    return None


def _tags(transport: Transport, found: Mapping[str, Any], wanted: Wanted) -> Steps[Setting | None]:
    asked = wanted.options.tags
    if not asked:
        return None
    there: dict[str, str] = {}
    request = {"ResourceArn": found["TableArn"]}
    more: dict[str, str] | None = {}
    while more is not None:
        answer = yield from transport.call("list_tags_of_resource", wanted.name, {**request, **more})
        there.update((one["Key"], one["Value"]) for one in answer.get("Tags", ()))
        more = {"NextToken": answer["NextToken"]} if answer.get("NextToken") else None
    wrong = {key: value for key, value in asked.items() if there.get(key) != value}
    if wrong:
        tags = [{"Key": key, "Value": value} for key, value in wrong.items()]
        real = {key: there[key] for key in wrong if key in there}
        return Setting("tags", _told(wrong), _told(real), "tag_resource", {**request, "Tags": tags})
    return None


def _expiry(transport: Transport, found: Mapping[str, Any], wanted: Wanted) -> Steps[Setting | None]:
    asked = wanted.ttl
    if asked is None:
        return None
    answer = yield from transport.call("describe_time_to_live", wanted.name, {"TableName": wanted.name})
    told = answer["TimeToLiveDescription"]
    real = told.get("AttributeName") if told.get("TimeToLiveStatus") in ("ENABLED", "ENABLING") else None
    if real is None:
        specification = {"Enabled": True, "AttributeName": asked}
        request = {"TableName": wanted.name, "TimeToLiveSpecification": specification}
        return Setting("expiry", asked, "-", "update_time_to_live", request)
    if real != asked:
        hint = "a table has one such attribute; change the option of the extension, or the table"
        return Setting("expiry", asked, str(real), "", {}, hint)
    return None


def _on(value: bool) -> str:
    return "on" if value else "off"


def _told(tags: Mapping[str, str]) -> str:
    return ", ".join(f"{key}={value}" for key, value in tags.items()) or "-"
