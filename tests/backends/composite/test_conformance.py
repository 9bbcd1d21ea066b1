"""The conformance kit on composites: extensions and queries see one backend."""

from __future__ import annotations

import pytest

from mixstore.testing import BackendConformance
from mixstore.testing.cases.batch import BatchCases
from mixstore.testing.cases.crud import CrudCases
from mixstore.testing.cases.hidden import HiddenCases
from mixstore.testing.cases.isolation import IsolationCases
from mixstore.testing.cases.pages import PageCases
from mixstore.testing.cases.search import SearchCases
from mixstore.testing.cases.select import SelectCases
from mixstore.testing.cases.transactions import TransactionCases
from mixstore.testing.cases.unique import UniqueCases
from mixstore.testing.cases.values import ValueCases
from mixstore_backends.composite import CompositeBackend, MemoryCache
from mixstore_backends.composite.plans import On, Stepwise
from mixstore_backends.memory import InMemoryBackend
from mixstore_backends.sqlite import SQLiteBackend
from mixstore_extensions.testing import TimestampsConformance, TTLConformance, VersionedConformance


class _Twice(Stepwise):
    def __init__(self, backend, plan):
        self.backend = backend
        self.plan = plan

    def steps(self):
        yield On(self.backend, self.plan)
        rows = yield On(self.backend, self.plan)
        return rows


class ReadingTwice(CompositeBackend):
    """What is shown was read before, so that it is in the cache unless it can't be."""

    def compile_read(self, bound, keys):
        return _Twice(self, super().compile_read(bound, keys))


FAST = {"timeout": 60, "synchronous": "off"}
"""Patient and careless of power failures, so that a slow disk or a busy machine fails no test of behaviour."""


class InMemory:
    @pytest.fixture
    def backend(self):
        with CompositeBackend(InMemoryBackend(), InMemoryBackend(), guarantee="sync") as backend:
            yield backend


class Cached:
    """Rows that are read by their keys come from a cache."""

    @pytest.fixture
    def backend(self):
        with ReadingTwice(InMemoryBackend(), InMemoryBackend(), MemoryCache(), guarantee="sync") as backend:
            yield backend


class OnSQLite:
    @pytest.fixture
    def backend(self, tmp_path):
        sides = SQLiteBackend(tmp_path / "storage.db", **FAST), SQLiteBackend(tmp_path / "search.db", **FAST)
        with CompositeBackend(*sides, guarantee="sync") as backend:
            yield backend


class CachedOnSQLite:
    @pytest.fixture
    def backend(self, tmp_path):
        sides = SQLiteBackend(tmp_path / "storage.db", **FAST), SQLiteBackend(tmp_path / "search.db", **FAST)
        with ReadingTwice(*sides, MemoryCache(), guarantee="sync") as backend:
            yield backend


TWICE = "never, because the search side has a chain of its own, which serializes the copy"
ONE_MORE = "never, because the chain of every model has the outbox in it"
TWO_STEPS = "never, because with the guarantee that this is tested with a write is more than one request"
GAPS = {
    "test_every_path_of_saving_runs_every_hook_once_in_order*": TWICE,
    "test_in_a_transaction_hooks_before_run_at_the_call_and_hooks_after_at_the_end": TWICE,
    "test_writes_run_forward_and_what_follows_them_in_reverse": TWICE,
    "test_a_transaction_runs_the_chain_at_the_call_and_what_follows_after_the_commit": TWICE,
    "test_an_awaited_write_runs_the_same_chain": TWICE,
    "test_an_extension_stands_where_it_says_and_else_in_the_order_of_the_bases": ONE_MORE,
    "test_a_model_without_extensions_has_an_empty_chain": ONE_MORE,
    "test_an_addition_inside_the_engine_is_one_request_that_tells_the_row_after_it": TWO_STEPS,
}


class TestCompositeInMemory(InMemory, BackendConformance):
    gaps = GAPS


class TestCompositeWithCache(Cached, BackendConformance):
    gaps = GAPS


class TestCompositeOnSQLite(
    OnSQLite,
    BatchCases,
    HiddenCases,
    IsolationCases,
    PageCases,
    SearchCases,
    SelectCases,
    TransactionCases,
    UniqueCases,
):
    """Those parts of the kit in which rows of two kinds of engines meet."""


class TestCachedOnSQLite(CachedOnSQLite, BatchCases, CrudCases, HiddenCases, TransactionCases, UniqueCases, ValueCases):
    """Those in which rows are read by their keys, from a store with a form of its own for each type."""


class TestTTL(InMemory, TTLConformance): ...


class TestVersioned(InMemory, VersionedConformance): ...


class TestTimestamps(InMemory, TimestampsConformance): ...


class TestCachedTTL(Cached, TTLConformance): ...


class TestCachedVersioned(Cached, VersionedConformance): ...
