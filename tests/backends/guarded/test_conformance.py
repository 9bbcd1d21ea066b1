"""The cases of unique values, and of what goes with them, where guards keep the values instead of the engine."""

from __future__ import annotations

import pytest

from mixstore.testing.cases.batch import BatchCases
from mixstore.testing.cases.freed import FreedCases
from mixstore.testing.cases.transactions import TransactionCases
from mixstore.testing.cases.unique import UniqueCases
from mixstore_extensions.testing import TTLConformance
from tests.backends.guarded.engines import GUARDED


class Guarded:
    @pytest.fixture(params=GUARDED)
    def backend(self, request, tmp_path):
        with GUARDED[request.param](tmp_path) as made:
            yield made


class TestUnique(Guarded, UniqueCases): ...


class TestFreed(Guarded, FreedCases): ...


class TestBatch(Guarded, BatchCases): ...


class TestTransactions(Guarded, TransactionCases): ...


class TestTTL(Guarded, TTLConformance): ...
