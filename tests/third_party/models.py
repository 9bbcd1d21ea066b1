"""What the programs of these tests begin with: models of a stranger's and of mixstore's mixins."""
# ruff: noqa: F401  (the programs use what is imported here)

from __future__ import annotations

from datetime import timedelta

from acme_slugs import Slugged

import mixstore
from mixstore import Field, Model, connect
from mixstore_extensions import TTL, Timestamps, Versioned


class Note(Slugged, Model):
    class Meta:
        slug_from = "title"

    id: str = Field(primary_key=True)
    title: str


class Session(TTL, Versioned, Timestamps, Model):
    id: str = Field(primary_key=True)
    user: str = ""
