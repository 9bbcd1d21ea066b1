"""A cache in this process."""

from __future__ import annotations

import pytest

from mixstore import ConfigurationError
from mixstore_backends.composite import MemoryCache
from tests.backends.composite.leases import CacheCases


class TestMemoryCache(CacheCases):
    @pytest.fixture
    def time(self):
        return [100.0]

    @pytest.fixture
    def made(self, time):
        return lambda **options: MemoryCache(**{"clock": lambda: time[0], "ttl": 30, **options})

    @pytest.fixture
    def cache(self, made):
        return made()

    @pytest.fixture
    def other(self, cache):
        return cache

    @pytest.fixture
    def wait(self, time):
        def pass_by(seconds):
            time[0] += seconds

        return pass_by

    def test_what_was_not_asked_for_the_longest_makes_room(self, made):
        cache = made(max_entries=2)
        self.filled(cache, a=b"1", b=b"2")
        assert self.values(cache, "a") == [b"1"]
        self.filled(cache, c=b"3")
        assert self.values(cache, "a") == [b"1"]
        assert len(cache) == 2
        assert self.values(cache, "c", "b") == [b"3", None]

    def test_writes_that_never_end_take_no_room_for_ever(self, made, wait):
        cache = made(max_entries=10)
        cache.hold([f"dead{n}" for n in range(11)], "killed")
        wait(61)
        cache.hold(["a"], "write")
        assert set(cache._holds) == {"a"}
        cache.release(["a"], "write")
        assert cache._holds == {}

    def test_clear_forgets_all_entries(self, cache):
        self.filled(cache, a=b"1", b=b"2")
        cache.clear()
        assert (len(cache), self.values(cache, "a")) == (0, [None])

    def test_a_number_of_entries_that_is_none_is_refused(self):
        for entries in (0, -1, 1.5, "10", True):
            with pytest.raises(ConfigurationError, match="max_entries of a cache is a number"):
                MemoryCache(entries)
