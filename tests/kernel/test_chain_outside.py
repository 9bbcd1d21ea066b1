"""Extensions from outside of a model: from plugins, and by the config."""

from __future__ import annotations

import pytest

from mixstore import (
    Field,
    Mixin,
    Model,
    PluginError,
)
from tests.kernel.recording import Inner, Outer, Recorder, log, names


@pytest.fixture(autouse=True)
def clean(store):
    log.clear()


class Row(Outer, Inner, Model):
    id: str = Field(primary_key=True)
    n: int = 0


# -- plugins


def test_an_extension_from_outside_extends_somebody_elses_mixin(fresh):
    class Foreign(Mixin): ...

    class Geo(Recorder):
        extends = Foreign
        backend_name = "memory"

    class Place(Foreign, Model):
        id: str = Field(primary_key=True)

    fresh.register_extension(Geo)
    Place.create(id="a")
    assert (names(Place), "foreign.before_write" in log) == (["foreign"], True)


def test_an_exact_extension_from_outside_beats_the_mixins_own_for_any_backend(fresh):
    class Own(Mixin):
        class Anywhere(Recorder): ...

    class Better(Recorder):
        extends = Own
        backend_name = "memory"

        def note(self, hook: str) -> None:
            log.append("better")

    class Place(Own, Model):
        id: str = Field(primary_key=True)

    fresh.register_extension(Better)
    Place.create(id="a")
    assert set(log) == {"better"}


def test_an_extension_for_another_backend_stays_out(fresh):
    class Own(Mixin):
        class Elsewhere(Recorder):
            backend_name = "dynamodb"

    class Place(Own, Model):
        id: str = Field(primary_key=True)

    Place.create(id="a")
    assert (log, names(Place), names(Place, "inactive")) == ([], [], ["own"])


def test_an_extension_attaches_itself_by_a_field_option(fresh):
    class Attached(Recorder):
        name = "attached"
        activates_on = frozenset({"unique"})

    class Free(Model):
        id: str = Field(primary_key=True)

    class Bound(Model):
        id: str = Field(primary_key=True)
        email: str = Field("", unique=True)

    fresh.register_extension(Attached)
    assert (names(Free), names(Bound)) == ([], ["attached"])


def test_registering_what_would_change_a_bound_chain_names_the_pair(fresh):
    Row.create(id="a")

    class Late(Recorder):
        name = "late"
        extends = Outer

    with pytest.raises(PluginError, match=r"Row is bound to 'memory' already"):
        fresh.register_extension(Late)
