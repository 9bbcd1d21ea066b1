"""What is near the limits of an engine is stored; what is beyond them is refused, and nothing of it stored."""

from __future__ import annotations

import pytest

from mixstore import Backend, MixstoreError, ValidationError
from mixstore.testing.conformance import Conformance
from mixstore.testing.kinds import MODELS
from mixstore.testing.models import Account, Thing
from mixstore.testing.support import Call, Use, same
from mixstore.testing.tags import atomic

MANY_WRITES = 300
LARGE = 600_000


class LimitCases(Conformance):
    """What is near the limits of an engine is stored; what is beyond them is refused."""

    def test_large_values_are_held(self, use: Use) -> None:
        size = min(LARGE, self.limits.value_bytes or LARGE)
        for kind, value in (
            ("str", "é" * (size // 2)),
            ("bytes", (bytes(range(256)) * (size // 256 + 1))[: size * 3 // 4]),  # as much as base64 makes of it
            ("list", list(range(size // 12))),
        ):
            model = use(MODELS[kind])
            model.create(id=1, value=value)
            assert same(model.get(1).value, value)

    def test_a_value_beyond_the_limit_is_refused_and_leaves_the_stored_one(self, use: Use) -> None:
        if self.limits.value_bytes is None:
            pytest.skip("there is no limit")
        model = use(MODELS["str"])
        row = model.create(id=1, value="x")
        beyond = "x" * (self.limits.value_bytes * 2)
        writes: tuple[Call, ...] = (
            lambda: model.create(id=2, value=beyond),
            lambda: model.upsert(id=1, value=beyond),
            lambda: row.update(value=beyond),
        )
        for write in writes:
            with pytest.raises(ValidationError):
                write()
        assert [one.value for one in model.all()] == ["x"]

    @atomic
    def test_a_transaction_of_many_writes_is_stored_whole(self, use: Use, backend: Backend) -> None:
        use(Account)
        count = min(MANY_WRITES, self.limits.transaction_writes or MANY_WRITES)
        with backend.transaction():
            for number in range(count):
                Account.create(id=f"{number:04d}", balance=number)
        assert Account.count() == count
        assert sum(row.balance for row in Account.where()) == sum(range(count))

    @atomic
    def test_a_transaction_beyond_the_limit_is_refused_and_stores_nothing(self, use: Use, backend: Backend) -> None:
        if self.limits.transaction_writes is None:
            pytest.skip("there is no limit")
        use(Account)
        with pytest.raises(MixstoreError, match=str(self.limits.transaction_writes)), backend.transaction():  # noqa: PT012
            for number in range(self.limits.transaction_writes + 1):
                Account.create(id=f"{number:04d}")
        assert Account.count() == 0

    def test_a_batch_of_more_rows_than_any_request_takes_is_stored_whole(self, use: Use) -> None:
        use(Thing)
        rows = self.limits.rows
        assert len(Thing.batch_create([{"id": n, "number": n % 3} for n in range(rows)])) == rows
        assert Thing.count() == rows
        assert Thing.where(number=1).count() == len(range(1, rows, 3))
        assert [row.id for row in Thing.where()] == list(range(rows))
