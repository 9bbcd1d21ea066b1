"""What every extension keeps true, for each mixin that comes with mixstore."""

from __future__ import annotations

import pytest

from mixstore import Field, Model
from mixstore.testing import ExtensionConformance
from mixstore_extensions import (
    Compressed,
    Counters,
    Encrypted,
    Geo,
    Graph,
    History,
    Point,
    SoftDelete,
    Tenant,
    Unique,
    tenant,
)
from mixstore_extensions.testing import TimestampsConformance, TTLConformance, VersionedConformance
from tests.extensions.places import PARIS, Shop
from tests.extensions.sealing import RING


class Titled(Model):
    class Meta:
        abstract = True

    id: str = Field(primary_key=True)
    title: str = ""
    stars: int = 0


class Deletable(SoftDelete, Titled): ...


class Owned(Tenant, Titled): ...


class Recorded(History, Titled): ...


class Counted(Counters, Titled): ...


class Related(Graph, Titled): ...


class Together(Unique, Titled):
    class Meta:
        unique_together = [("id", "title")]


class Secret(Encrypted, Titled):
    class Meta:
        encryption = RING

    title: str = Field("", encrypted=True)


class Packed(Compressed, Titled):
    title: str = Field("", compressed=True)


class TitledConformance(ExtensionConformance):
    changes = {"title": "changed " * 50, "stars": 5}

    def row(self, number):
        return {"id": f"r{number}", "title": f"title {number} " * 50}


class TestTTL(TTLConformance): ...


class TestVersioned(VersionedConformance): ...


class TestTimestamps(TimestampsConformance): ...


class TestSoftDelete(TitledConformance):
    mixin, model = SoftDelete, Deletable


class TestTenant(TitledConformance):
    mixin, model = Tenant, Owned

    @pytest.fixture(autouse=True)
    def of_a_tenant(self):
        with tenant("a"):
            yield


class TestHistory(TitledConformance):
    mixin, model = History, Recorded


class TestGraph(TitledConformance):
    mixin, model = Graph, Related


class TestCounters(TitledConformance):
    mixin, model = Counters, Counted


class TestUnique(TitledConformance):
    mixin, model = Unique, Together


class TestEncrypted(TitledConformance):
    mixin, model = Encrypted, Secret


class TestGeo(ExtensionConformance):
    mixin, model = Geo, Shop
    changes = {"location": PARIS, "name": "moved"}

    def row(self, number):
        return {"id": f"s{number}", "name": f"shop {number}", "location": Point(number, 2.5 * number)}


class TestCompressed(TitledConformance):
    mixin, model = Compressed, Packed
