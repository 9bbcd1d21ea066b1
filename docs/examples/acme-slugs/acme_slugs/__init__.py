"""A mixin for mixstore: the text of a field, as it looks in an address."""

from __future__ import annotations

from acme_slugs.mixin import Slugged, slugify

__all__ = ["Slugged", "slugify"]
