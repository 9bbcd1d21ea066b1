"""The models of the demo, as it shows them."""

from __future__ import annotations

from mixstore import Field, Model
from mixstore_extensions import TTL, Timestamps, Versioned


class Airport(Timestamps, Versioned, Model):
    class Meta:
        entity = "DemoAirport"
        scan = "allow"  # the demo pages through all of them

    icao: str = Field(primary_key=True)
    iata: str | None = None
    lid: str | None = None
    name: str = Field(searchable=True)
    city: str
    subd: str
    country: str = Field(index=True)
    elevation: float  # feet
    lat: float
    lon: float
    tz: str
    visits: int = 0


class Session(TTL, Model):
    class Meta:
        entity = "DemoSession"
        scan = "allow"

    id: str = Field(primary_key=True)
    user: str


MODELS = (Airport, Session)
