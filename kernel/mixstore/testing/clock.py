"""A clock that tests move."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

UTC = timezone.utc
NOON = datetime(2025, 6, 1, 12, tzinfo=UTC)


class Clock:
    """Gives the same aware moment, in UTC, until it is moved: `backend.clock = Clock()`."""

    def __init__(self, now: datetime = NOON) -> None:
        if now.tzinfo is None:
            raise ValueError("a clock gives aware moments: datetime(..., tzinfo=timezone.utc)")
        self.now = now.astimezone(timezone.utc)

    def __call__(self) -> datetime:
        return self.now

    def __repr__(self) -> str:
        return f"Clock({self.now.isoformat()})"

    def forward(self, **lapse: float) -> None:
        """Let time pass: `forward(minutes=5)`, in the units of `timedelta`."""
        self.now += timedelta(**lapse)
