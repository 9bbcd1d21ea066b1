"""`Unique` beside each other mixin, and beside all of them."""

from __future__ import annotations

import pytest

from mixstore import BatchError, DuplicateKeyError
from tests.backends.shared.support import ids, refusal
from tests.extensions import paired
from tests.extensions.paired import together_with

registry, world, dynamodb_backend = paired.registry, paired.world, paired.dynamodb_backend
pytest_generate_tests = paired.pytest_generate_tests


@together_with("Unique")
def test_values_together_are_one_rows_only(world):
    model = world.model
    row = world.create("1", title="x", seat="s")
    other = world.create("2", title="x", seat="t")
    writes = [
        lambda: world.create("3", title="x", seat="s"),
        lambda: other.update(seat="s"),
        lambda: model.upsert(id="2", title="x", seat="s"),
        lambda: model.where(id="2").update(seat="s"),
        lambda: model.batch_create([{"id": "4", "title": "x", "seat": "s"}]),
    ]
    for write in writes:
        error = refusal(write)
        error = error.outcomes[0] if isinstance(error, BatchError) else error
        assert (type(error), error.field) == (DuplicateKeyError, "title, seat")
    with pytest.raises(DuplicateKeyError), world.backend.transaction():  # noqa: PT012
        other.update(seat="u")
        world.create("5", title="x", seat="s")
    assert (model.get("2").seat, other.seat) == ("t", "t")
    world.check("1", "create")
    world.check("2", "create")
    world.clock.forward(seconds=1)
    row.update(title="y", seat="s")
    other.update(seat="s")
    assert model.where(title="x", seat="s").one().id == "2"
    world.check("2", "create", "update")


@together_with("Unique")
def test_values_together_are_free_when_their_row_is_gone(world):
    row = world.create("1", title="x", seat="s", stars=1, code="c")
    row.delete()
    if world.has("SoftDelete"):
        assert isinstance(refusal(lambda: world.create("2", title="x", seat="s")), DuplicateKeyError)
        row.restore()
        world.model.where(id="1").delete(physical=True)
    world.create("2", title="x", seat="s", stars=1, code="c")
    if world.has("TTL"):
        world.model.get("2").update(expires_in=1)
        world.clock.forward(seconds=1)
        world.create("3", title="x", seat="s")
        assert ids(world.model.include_expired().all()) == ["3"]
        assert world.model.purge_expired() == 0
