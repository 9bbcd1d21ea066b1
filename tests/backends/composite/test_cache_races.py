"""Readers and writers of one row in two processes that share a cache, one step of each at a time, in any order.

A step is one request, to the cache or to the storage. Which is next is drawn by a number, so that what fails can be
done again. Processes die between any two steps, and time passes.
"""

from __future__ import annotations

import random

import pytest

from mixstore import BackendUnavailableError, Field, Model, Write
from mixstore_backends.composite import CompositeBackend, MemoryCache
from mixstore_backends.composite.cache import HOLD, LEASE
from mixstore_backends.memory import InMemoryBackend

TTL = 30.0
SEEDS, ACTIONS = 250, 150


class Row(Model):
    """What is written."""

    id: str = Field(primary_key=True)
    n: int


class Losing(MemoryCache):
    """A cache that may be away."""

    away = False

    def look(self, keys):
        self.check()
        return super().look(keys)

    def fill(self, entries):
        self.check()
        super().fill(entries)

    def hold(self, keys, token):
        self.check()
        super().hold(keys, token)

    def release(self, keys, token):
        self.check()
        super().release(keys, token)

    def drop(self, keys):
        self.check()
        super().drop(keys)

    def check(self):
        if self.away:
            raise BackendUnavailableError("nobody answers")


class Under:
    """A read or a write that is under way in a process; `told` is what it is about."""

    def __init__(self, process, steps, *told):
        self.process = process
        self.steps = steps
        self.told = told
        self.step = next(steps)

    def go_on(self):
        """One request; the answer of the whole if it was the last, in a list."""
        answer = self.step.backend.execute(self.step.plan)
        try:
            self.step = self.steps.send(answer)
        except StopIteration as stop:
            return [stop.value]
        return None


class Race:
    """Two processes, and what was stored when. `loses`: the cache is away now and then."""

    def __init__(self, seed, loses):
        self.choose = random.Random(seed)
        self.loses = loses
        self.now = 1000.0
        self.cache = Losing(ttl=TTL, clock=lambda: self.now)
        self.storage = InMemoryBackend()
        self.backends = [CompositeBackend(self.storage, InMemoryBackend(), self.cache) for _ in range(2)]
        for one in self.backends:
            one._caching.clock = lambda: self.now
        self.history = [(self.now, None)]
        self.known = [0, 0]  # the last write that each process knows to be stored
        self.writes = 0
        self.readers, self.writers = [], []

    def run(self):
        weights = {
            self.begin_a_read: 3,
            self.begin_a_write: 2,
            self.step_of_a_reader: 6,
            self.step_of_a_writer: 5,
            self.read_at_once: 5,
            self.a_writer_dies: 0.2,
            self.a_reader_dies: 0.2,
            self.time_passes: 0.7,
            self.the_cache_comes_and_goes: 1 if self.loses else 0,
        }
        for action in self.choose.choices(list(weights), list(weights.values()), k=ACTIONS):
            action()

    def begin_a_read(self):
        process = self.choose.randrange(2)
        backend = self.backends[process]
        least = self.known[process] if self.loses else len(self.history) - 1
        steps = backend.compile_read(backend.bound(Row), (("a",),)).steps()
        self.readers.append(Under(process, steps, least, self.now))

    def begin_a_write(self):
        process, deletes = self.choose.randrange(2), self.choose.random() < 0.1
        backend = self.backends[process]
        bound = backend.bound(Row)
        self.writes += 1
        value = None if deletes else self.writes
        record = None if deletes else {"id": "a", "n": value}
        write = Write("delete" if deletes else "upsert", bound, ("a",), record)
        self.writers.append(Under(process, backend.compile_writes(bound, (write,)).steps(), value))

    def step_of_a_reader(self):
        if self.readers:
            self.step_of(self.choose.choice(self.readers))

    def step_of(self, reader):
        """Whether it has read; what, is looked at."""
        answer = reader.go_on()
        if answer is None:
            return False
        self.readers.remove(reader)
        (row,) = answer[0]
        value = None if row is None else self.backends[0].bound(Row).stored_values(row)["n"]
        least, began = reader.told
        ends = [moment for moment, _ in self.history[1:]] + [float("inf")]
        right = [at for at, (_, stored) in enumerate(self.history) if stored == value and at >= least]
        assert any(ends[at] >= began - TTL - LEASE for at in right), (value, least, self.history)
        return True

    def read_at_once(self):
        self.begin_a_read()
        reader = self.readers[-1]
        while not self.step_of(reader):
            pass

    def step_of_a_writer(self):
        if self.writers:
            self.go_on(self.choose.choice(self.writers))

    def go_on(self, writer):
        stores = writer.step.backend is self.storage
        answer = writer.go_on()
        if stores:
            self.history.append((self.now, *writer.told))
            writer.told = (*writer.told, len(self.history) - 1)
        if answer is not None:
            self.writers.remove(writer)
            self.known[writer.process] = max(self.known[writer.process], writer.told[-1])

    def a_writer_dies(self):
        if self.writers:
            self.writers.pop(self.choose.randrange(len(self.writers))).steps.close()

    def a_reader_dies(self):
        if self.readers:
            self.readers.pop(self.choose.randrange(len(self.readers))).steps.close()

    def time_passes(self):
        """No write takes as long as it is held for, which is taken for granted; a read may take any time."""
        seconds = self.choose.choice([0.5, 2.0, LEASE + 1, TTL + 1, HOLD + 1])
        while self.writers and seconds > 2:
            self.go_on(self.writers[0])
        self.now += seconds

    def the_cache_comes_and_goes(self):
        self.cache.away = not self.cache.away


@pytest.mark.parametrize("part", range(2))
def test_nobody_is_shown_what_was_out_of_date_when_the_read_began(part):
    hits = 0
    for seed in range(part * SEEDS, (part + 1) * SEEDS):
        race = Race(seed, loses=False)
        race.run()
        hits += sum(one.cached().hits for one in race.backends)
    assert hits > SEEDS


@pytest.mark.parametrize("part", range(2))
def test_where_the_cache_is_away_at_times_nobody_is_shown_what_is_older_than_its_own_writes(part):
    """Nor anybody what has been out of date for longer than an entry lives."""
    errors = 0
    for seed in range(part * SEEDS, (part + 1) * SEEDS):
        race = Race(seed, loses=True)
        race.run()
        errors += sum(one.cached().errors for one in race.backends)
    assert errors > SEEDS
