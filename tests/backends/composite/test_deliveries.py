"""Copies that arrive in any order, twice, late or not at all: in the end the search side is as the storage."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from mixstore import Field, Model
from mixstore_backends.composite import CompositeBackend, Relay
from mixstore_backends.composite.marks import SHARDS
from mixstore_backends.memory import InMemoryBackend

KEYS = st.sampled_from(["a", "b", "c"])


class Record(Model):
    """What is written."""

    id: str = Field(primary_key=True)
    text: str = Field("", searchable=True)


class Deliveries(RuleBasedStateMachine):
    """Two relays, each of which may have read a mark and a record long before it delivers the copy."""

    def __init__(self) -> None:
        super().__init__()
        self.backend = CompositeBackend(InMemoryBackend(), InMemoryBackend())
        self.copies = self.backend.copies(self.backend.bound(Record))
        self.under_way = []
        self.model = {}
        self.number = 0

    @rule(key=KEYS)
    def write(self, key):
        self.number += 1
        self.model[key] = f"word{self.number}"
        self.backend.upsert(Record, {"id": key, "text": self.model[key]})

    @rule(key=KEYS)
    def delete(self, key):
        assert self.backend.delete(Record, Record(id=key)) == (self.model.pop(key, None) is not None)

    @rule()
    def read(self):
        """A relay reads what waits and makes the copies, and is slow to deliver them."""
        for mark in self.waiting():
            key = self.copies.texts.key(mark.key)
            row = self.backend.storage.execute(self.backend.storage.compile_get(self.copies.bound, (key,)))[0]
            self.under_way.append((mark, self.copies.write(mark, key, row)))

    @precondition(lambda self: self.under_way)
    @rule(data=st.data(), says=st.booleans())
    def deliver(self, data, says):
        """Any of them, perhaps not for the last time; and it may die before it says so."""
        position = data.draw(st.integers(0, len(self.under_way) - 1))
        mark, write = self.under_way[position]
        (outcome,) = self.backend.search.execute(self.copies.plans([write], visible=True)[0])
        if says and outcome.status == "ok":
            done = mark.model_copy(update={"shard": None})
            self.backend.drive(self.backend.applying.say([(mark, done)]))
        if data.draw(st.booleans()):
            self.under_way.pop(position)

    @rule()
    def relay(self):
        Relay(self.backend).once()

    def waiting(self):
        lag = self.backend.lag
        return [mark for shard in range(SHARDS) for mark in self.backend.drive(lag.rows(lag.query(shard)))]

    @invariant()
    def what_does_not_wait_is_the_same(self):
        """Whatever is still under way can't change that: every record of which no mark waits is right, now."""
        waiting = {self.copies.texts.key(mark.key)[0] for mark in self.waiting()}
        copies = {row.id: row.text for row in self.backend.query(Record).from_search().all()}
        for key in {"a", "b", "c"} - waiting:
            assert copies.get(key) == self.model.get(key)

    def teardown(self):
        for _, write in self.under_way:
            self.backend.search.execute(self.copies.plans([write], visible=True)[0])
        Relay(self.backend).once()
        assert self.waiting() == []
        found = self.backend.verify(Record)
        assert (found.differences, found.rows) == (0, len(self.model))


TestDeliveries = Deliveries.TestCase
TestDeliveries.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
