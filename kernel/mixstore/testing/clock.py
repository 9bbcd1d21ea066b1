"""A clock that moves only when it is told to."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

UTC = timezone.utc
NOON = datetime(2025, 6, 1, 12, tzinfo=UTC)


class Clock:
    """Gives the same moment until it is moved."""

    def __init__(self, now: datetime = NOON) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **lapse: float) -> None:
        """Let time pass: `forward(seconds=5)`."""
        self.now += timedelta(**lapse)
