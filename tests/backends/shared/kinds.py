"""Values of every kind, from the conformance kit."""

from __future__ import annotations

from mixstore.testing.kinds import KINDS, MODELS

__all__ = ["KINDS", "MODELS"]
