"""Changes that a feed tells in any order, twice, late or again after a crash: in the end both sides are the same."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from mixstore import Field, Model
from mixstore.feeds import Change, ChangeFeed
from mixstore_backends.composite import CompositeBackend
from mixstore_backends.composite.following import bring, passing_mark
from mixstore_backends.memory import InMemoryBackend

KEYS = st.sampled_from(["a", "b", "c"])


class Told(ChangeFeed):
    """One whose changes the test hands over, in an order of its own."""

    def compile_shards(self):
        raise AssertionError("nobody asks")

    def compile_changes(self, shard, position, cursor):
        raise AssertionError("nobody asks")

    def delivered(self, event):
        raise AssertionError("nobody asks")


class Feeding(InMemoryBackend):
    """A storage that the machine follows."""

    def change_feed(self):
        return Told()


class Record(Model):
    """What is written."""

    id: str = Field(primary_key=True)
    text: str = Field("", searchable=True)


class StreamDeliveries(RuleBasedStateMachine):
    """Relays that may stop for long between any two steps of a copy, or die there and be told again."""

    def __init__(self):
        super().__init__()
        self.backend = CompositeBackend(Feeding(), InMemoryBackend(), follow="stream")
        self.copies = self.backend.copies(self.backend.bound(Record))
        self.told, self.counted, self.under_way = [], [], []
        self.model, self.number = {}, 0

    @rule(key=KEYS)
    def write(self, key):
        self.number += 1
        self.model[key] = f"word{self.number}"
        self.backend.upsert(Record, {"id": key, "text": self.model[key]})
        self.told.append((self.number, key))

    @rule(key=KEYS)
    def delete(self, key):
        if self.backend.delete(Record, Record(id=key)):
            self.number += 1
            del self.model[key]
            self.told.append((self.number, key))

    @precondition(lambda self: self.told)
    @rule(data=st.data())
    def count(self, data):
        """A relay hears of a change, not for the last time, and lets the number go up."""
        event = data.draw(st.sampled_from(self.told))
        self.backend.drive(self.backend.applying.number([self.mark(event[1])]))
        self.counted.append(event)

    @precondition(lambda self: self.counted)
    @rule(data=st.data(), dies=st.booleans())
    def read(self, data, dies):
        """It reads the number, then the record; or it dies."""
        event = self.counted.pop(data.draw(st.integers(0, len(self.counted) - 1)))
        if dies:
            return
        (mark,) = self.backend.drive(self.backend.applying.marks_at([self.mark(event[1]).place]))
        key = self.copies.texts.key(mark.key)
        row = self.backend.storage.execute(self.backend.storage.compile_get(self.copies.bound, (key,)))[0]
        self.under_way.append((event, self.copies.write(mark, key, row)))

    @precondition(lambda self: self.under_way)
    @rule(data=st.data(), again=st.booleans(), says=st.booleans())
    def deliver(self, data, again, says):
        """Any copy, perhaps not for the last time; and the relay may die before it says that the change is done."""
        position = data.draw(st.integers(0, len(self.under_way) - 1))
        event, write = self.under_way[position]
        (outcome,) = self.backend.search.execute(self.copies.plans([write], visible=True)[0])
        assert outcome.status in ("ok", "condition")
        if says and event in self.told:
            self.told.remove(event)
        if not again:
            self.under_way.pop(position)

    @precondition(lambda self: self.told)
    @rule(data=st.data())
    def bring(self, data):
        """A relay does all steps at once, for some changes in any order."""
        some = data.draw(st.lists(st.sampled_from(self.told), min_size=1, unique=True))
        done = self.backend.drive(bring(self.backend, [Change("Record", (key,)) for _, key in some]))
        assert set(done.values()) == {None}
        self.told = [event for event in self.told if event not in some]

    def mark(self, key):
        return passing_mark("Record", self.copies.texts.text((key,)), self.backend.clock())

    @invariant()
    def what_is_not_to_be_told_again_is_the_same(self):
        """Whatever is still under way can't change that."""
        waiting = {key for _, key in self.told}
        copies = {row.id: row.text for row in self.backend.query(Record).from_search().all()}
        for key in {"a", "b", "c"} - waiting:
            assert copies.get(key) == self.model.get(key)

    def teardown(self):
        late = [write for _, write in self.under_way]
        if self.told:
            self.backend.drive(bring(self.backend, [Change("Record", (key,)) for _, key in reversed(self.told)]))
        for write in late:
            self.backend.search.execute(self.copies.plans([write], visible=True)[0])
        self.backend.patience = ()
        found = self.backend.verify(Record)
        assert (found.differences, found.rows) == (0, len(self.model))


TestStreamDeliveries = StreamDeliveries.TestCase
TestStreamDeliveries.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
