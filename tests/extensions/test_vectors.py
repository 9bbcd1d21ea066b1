"""The nearest vectors beside what extensions hide, keep apart or seal."""

from __future__ import annotations

import pytest

from mixstore import Backend, Capability, Field, Model, UnsupportedOperationError, Vector
from mixstore_extensions import TTL, Compressed, SoftDelete, Tenant, tenant


class Memory(TTL, SoftDelete, Tenant, Model):
    id: str = Field(primary_key=True)
    text: str = Field("", searchable=True)
    mood: list[float] | None = Field(None, vector=Vector(dimensions=2))


class Packed(Compressed, Model):
    id: str = Field(primary_key=True)
    mood: list[float] = Field(vector=Vector(dimensions=2), compressed=True)


@pytest.fixture
def able(backend: Backend) -> Backend:
    if Capability.VECTORS not in backend.capabilities:
        pytest.skip(f"{backend.backend_name} does not compare vectors")
    return backend


def test_rows_of_others_expired_and_deleted_ones_take_no_place_among_the_nearest(able, use, clock):
    use(Memory)
    with tenant("acme"):
        Memory.create(id="old", mood=[1, 0], text="red", expires_in=10)
        Memory.create(id="gone", mood=[1, 0.1], text="red").delete()
        Memory.create(id="a", mood=[1, 1], text="red")
        Memory.create(id="b", mood=[-1, 0], text="red")
    with tenant("other"):
        Memory.create(id="theirs", mood=[1, 0], text="red")
    clock.forward(seconds=11)
    with tenant("acme"):
        assert [row.id for row in Memory.similar(mood=[1, 0], k=1)] == ["a"]
        assert [row.id for row in Memory.similar(mood=[1, 0])] == ["a", "b"]
        assert {row.id for row in Memory.search("red").similar(mood=[1, 0])} == {"a", "b"}
        assert [row.id for row in Memory.similar(mood=[1, 0], k=2).include_deleted()] == ["gone", "a"]


def test_vectors_that_are_stored_opaque_are_not_compared(able, use):
    use(Packed)
    Packed.create(id="a", mood=[1, 0])
    assert Packed.get("a").mood == [1.0, 0.0]
    with pytest.raises(UnsupportedOperationError, match=r"Packed\.mood is stored opaque and can't be compared"):
        Packed.similar(mood=[1, 0]).all()
