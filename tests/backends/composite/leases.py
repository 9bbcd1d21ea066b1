"""What every cache must do: the cases for one in this process, and for one in a real Redis."""

from __future__ import annotations

import threading

import pytest

from mixstore_backends.composite import Found

NOTHING = Found()


class CacheCases:
    """`cache` is empty; `other` is the same one as another process sees it; `wait(seconds)` lets time pass."""

    def filled(self, cache, **entries):
        for key, found in zip(entries, cache.look(list(entries)), strict=True):
            cache.fill([(key, found.lease, entries[key])])

    def values(self, cache, *keys):
        return [found.value for found in cache.look(keys)]

    def test_what_was_brought_is_found_by_all(self, cache, other):
        self.filled(cache, a=b"\x00one\xff", b=b"two")
        assert self.values(other, "b", "a", "c") == [b"two", b"\x00one\xff", None]

    def test_one_reader_at_a_time_may_bring_an_entry(self, cache, other):
        (mine,), (theirs,) = cache.look(["a"]), other.look(["a"])
        assert mine.value is None
        assert mine.lease
        assert theirs == NOTHING
        cache.fill([("a", mine.lease, b"one")])
        assert other.look(["a"]) == [Found(b"one")]

    def test_a_lease_that_is_given_back_is_anyones(self, cache, other):
        (mine,) = cache.look(["a"])
        cache.fill([("a", mine.lease, None)])
        (theirs,) = other.look(["a"])
        assert theirs.lease not in (None, mine.lease)
        cache.fill([("a", mine.lease, b"late")])
        other.fill([("a", theirs.lease, b"one")])
        assert self.values(cache, "a") == [b"one"]

    def test_a_lease_ends_by_itself(self, cache, other, wait):
        (mine,) = cache.look(["a"])
        wait(5.1)
        cache.fill([("a", mine.lease, b"late")])
        (theirs,) = other.look(["a"])
        assert (theirs.value, theirs.lease is None) == (None, False)

    def test_an_entry_ends_by_itself(self, cache, wait):
        self.filled(cache, a=b"one")
        wait(cache.ttl - 1)
        assert self.values(cache, "a") == [b"one"]
        wait(2)
        assert self.values(cache, "a") == [None]

    def test_a_write_takes_away_the_entry_and_all_leases(self, cache, other):
        self.filled(cache, a=b"old")
        (lease,) = other.look(["b"])
        cache.hold(["a", "b"], "write")
        assert other.look(["a", "b"]) == [NOTHING, NOTHING]
        other.fill([("b", lease.lease, b"old")])
        cache.release(["a", "b"], "write")
        found = other.look(["a", "b"])
        assert [one.value for one in found] == [None, None]
        other.fill([("b", lease.lease, b"old")])
        assert self.values(cache, "b") == [None]
        other.fill([("a", found[0].lease, b"new")])
        assert self.values(cache, "a") == [b"new"]

    def test_a_reader_that_was_slow_can_not_bring_what_it_read_before_a_write(self, cache, other):
        (slow,) = cache.look(["a"])  # it reads now
        other.hold(["a"], "write")
        other.release(["a"], "write")
        cache.fill([("a", slow.lease, b"old")])
        assert self.values(cache, "a") == [None]

    def test_nothing_is_brought_until_the_last_of_several_writes_has_ended(self, cache, other):
        cache.hold(["a"], "one")
        other.hold(["a"], "two")
        other.release(["a"], "two")
        assert other.look(["a"]) == [NOTHING]
        cache.release(["a"], "one")
        assert other.look(["a"])[0].lease

    def test_a_write_that_never_ends_holds_for_a_minute(self, cache, other, wait):
        cache.hold(["a"], "killed")
        wait(59)
        other.hold(["a"], "other")
        other.release(["a"], "other")
        assert other.look(["a"]) == [NOTHING]
        wait(2)
        assert other.look(["a"])[0].lease

    def test_what_was_brought_after_a_hold_ran_out_goes_when_the_write_ends_after_all(self, cache, other, wait):
        cache.hold(["a"], "slow")
        wait(61)
        self.filled(other, a=b"old")
        cache.release(["a"], "slow")
        assert self.values(other, "a") == [None]

    def test_what_is_dropped_is_not_found_and_not_brought(self, cache, other):
        self.filled(cache, a=b"one")
        (lease,) = cache.look(["b"])
        other.drop(["a", "b", "c"])
        cache.fill([("b", lease.lease, b"two")])
        assert self.values(cache, "a", "b") == [None, None]

    def test_thousands_of_keys_at_once(self, cache, other):
        keys = [f"k{n}" for n in range(1_201)]
        found = cache.look(keys)
        cache.fill([(key, one.lease, key.encode()) for key, one in zip(keys, found, strict=True)])
        assert self.values(other, *keys) == [key.encode() for key in keys]
        other.hold(keys, "write")
        assert cache.look(keys) == [NOTHING] * len(keys)
        other.release(keys, "write")
        assert all(one.lease for one in cache.look(keys))

    def test_many_threads_never_find_what_is_older_than_what_they_wrote(self, cache, other):
        """A counter in a dict is the storage; each thread writes and looks, and never sees a number go back."""
        stored, problems, lock = {"a": 0}, [], threading.Lock()

        def work(mine, name):
            for turn in range(60):
                if turn % 3 == 0:
                    token = f"{name}-{turn}"
                    mine.hold(["a"], token)
                    with lock:
                        stored["a"] += 1
                    mine.release(["a"], token)
                with lock:
                    least = stored["a"]
                (found,) = mine.look(["a"])
                number = stored["a"] if found.value is None else int(found.value)
                if found.lease is not None:
                    mine.fill([("a", found.lease, str(number).encode())])
                if found.value is not None and number < least:
                    problems.append((number, least))

        threads = [threading.Thread(target=work, args=(one, str(at))) for at, one in enumerate([cache, other] * 3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert problems == []

    def test_a_ttl_that_is_none_is_refused(self, made):
        from mixstore import ConfigurationError

        for ttl in (0, -1, float("nan"), float("inf"), "60", True, None):
            with pytest.raises(ConfigurationError, match="a number of seconds"):
                made(ttl=ttl)
