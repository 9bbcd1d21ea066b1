"""What a table is beside its keys and indexes: how it is paid for, whether it streams, is backed up, is tagged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from mixstore.errors import ConfigurationError, nearest
from mixstore_backends.dynamodb.errors import NAME

ON_DEMAND = "PAY_PER_REQUEST"
OFF = "OFF"
STREAMS = ("NEW_AND_OLD_IMAGES", "NEW_IMAGE", "OLD_IMAGE", "KEYS_ONLY", OFF)
MOST_TAGS = 50

Stream = Literal["NEW_AND_OLD_IMAGES", "NEW_IMAGE", "OLD_IMAGE", "KEYS_ONLY", "OFF"]


@dataclass(frozen=True, slots=True)
class Provisioned:
    """Capacity that is paid for whether it is used or not: read and write units a second, of table and each index."""

    read: int
    write: int

    def __post_init__(self) -> None:
        for name, units in (("read", self.read), ("write", self.write)):
            if type(units) is not int or units < 1:
                raise ConfigurationError(f"Provisioned({name}=...) is a number of units from 1 on, not {units!r}")

    @property
    def units(self) -> dict[str, int]:
        """As requests and answers have it."""
        return {"ReadCapacityUnits": self.read, "WriteCapacityUnits": self.write}


@dataclass(frozen=True, slots=True, kw_only=True)
class TableOptions:
    """What `initialize()` sees to; None leaves it as it is, and a new table as DynamoDB makes it.

    billing: "PAY_PER_REQUEST", which new tables get, or Provisioned(read, write). stream: which images its records
    hold, or "OFF". tags: those that the table must have; others stay. ConfigurationError for what can't be.
    """

    billing: Literal["PAY_PER_REQUEST"] | Provisioned | None = None
    stream: Stream | None = None
    point_in_time_recovery: bool | None = None
    deletion_protection: bool | None = None
    tags: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not (self.billing is None or isinstance(self.billing, Provisioned) or self.billing == ON_DEMAND):
            _refuse("billing", self.billing, (ON_DEMAND, "Provisioned(read, write)"))
        if self.stream is not None and self.stream not in STREAMS:
            _refuse("stream", self.stream, STREAMS)
        for name in ("point_in_time_recovery", "deletion_protection"):
            if type(getattr(self, name)) not in (bool, type(None)):
                _refuse(name, getattr(self, name), ("True", "False"))
        _check_tags(self.tags)

    @property
    def capacity(self) -> dict[str, Any]:
        """The part of a request that makes an index: its capacity, unless that is paid by request."""
        return {"ProvisionedThroughput": self.billing.units} if isinstance(self.billing, Provisioned) else {}

    @property
    def tag_list(self) -> list[dict[str, str]]:
        """As requests have tags."""
        return [{"Key": key, "Value": value} for key, value in self.tags.items()]

    def create_request(self) -> dict[str, Any]:
        """What CreateTable takes of it."""
        request: dict[str, Any] = {"BillingMode": "PROVISIONED" if self.capacity else ON_DEMAND, **self.capacity}
        if self.stream not in (None, OFF):
            request["StreamSpecification"] = {"StreamEnabled": True, "StreamViewType": self.stream}
        if self.deletion_protection is not None:
            request["DeletionProtectionEnabled"] = self.deletion_protection
        if self.tags:
            request["Tags"] = self.tag_list
        return request


def _refuse(name: str, value: Any, known: tuple[str, ...]) -> None:
    raise ConfigurationError(
        f"TableOptions: {name} is one of {', '.join(known)}, not {value!r}",
        backend=NAME,
        hint=nearest(str(value).upper() if known[0].isupper() else str(value), known),
    )


def _check_tags(tags: Any) -> None:
    if not isinstance(tags, Mapping) or not all(isinstance(part, str) for pair in tags.items() for part in pair):
        raise ConfigurationError(f"TableOptions: tags are texts by text, not {tags!r}", backend=NAME)
    if len(tags) > MOST_TAGS:
        raise ConfigurationError(f"TableOptions: {len(tags)} tags, and {MOST_TAGS} is the most", backend=NAME)
    for key, value in tags.items():
        if not 1 <= len(key) <= 128 or len(value) > 256 or key.lower().startswith("aws:"):
            raise ConfigurationError(
                f"TableOptions: {key!r}: {value!r} can't be a tag",
                backend=NAME,
                hint="1 to 128 characters, not beginning with aws:, and up to 256",
            )


NO_OPTIONS = TableOptions()

URL_OPTIONS = ("billing", "stream", "point_in_time_recovery", "deletion_protection")
"""Those of which a URL can tell; capacity is `read` and `write`."""


def options_of_url(url: str, told: Mapping[str, str]) -> TableOptions | None:
    """The options in a URL's query, None if it holds none. ConfigurationError names what is wrong."""
    given: dict[str, Any] = {name: told[name] for name in URL_OPTIONS if name in told}
    for name in ("point_in_time_recovery", "deletion_protection"):
        if name in given:
            given[name] = truth_of(url, name, given[name])
    units = {name: told[name] for name in ("read", "write") if name in told}
    if units:
        if "billing" in given or len(units) < 2 or not all(text.isdecimal() for text in units.values()):
            raise ConfigurationError(f"{url!r}: provisioned capacity is read=UNITS&write=UNITS, without billing")
        given["billing"] = Provisioned(int(units["read"]), int(units["write"]))
    return TableOptions(**given) if given else None


def truth_of(url: str, name: str, text: str) -> bool:
    """What `true` or `false` in a URL says."""
    if text.lower() not in ("true", "false"):
        raise ConfigurationError(f"{url!r}: {name} is true or false, not {text!r}")
    return text.lower() == "true"
