"""What stores need that follow each other: numbers that count writes, and versions that come from outside."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from mixstore import Backend, BackendExtension, Capability, Field, Mixin, Model, SideWrite, Write, WriteContext
from mixstore.planned import PlannedBackend
from mixstore.testing.conformance import Conformance
from mixstore.testing.support import Use, refusal, together
from mixstore.testing.tags import EXTENSIONS, needs


class Tally(Model):
    """How often a row was written, and what its last writer said."""

    class Meta:
        entity = "tally"
        internal = True
        scan = "allow"

    of: str = Field(primary_key=True)
    number: int = 1
    said: str = ""


class Counting(Mixin):
    """Counts the writes of each row beside it."""

    class Anywhere(BackendExtension):
        """Beside each row one more."""

        name = "counting"
        requires = (Capability.ATOMIC_WRITES,)

        def side_models(self, model_class: type[Any]) -> Iterable[type[Any]]:
            return (Tally,)

        def write_beside(self, context: WriteContext, found: Sequence[Mapping[str, Any]]) -> Iterator[SideWrite]:
            assert context.key is not None
            tally = Tally(of=context.key[0], said=context.values.get("said", ""))
            yield SideWrite("upsert", tally, counts=("number",))


class Counted(Counting, Model):
    """A row that is counted."""

    id: str = Field(primary_key=True)
    said: str = ""


class Followed(Model):
    """A row that another store has too."""

    id: str = Field(primary_key=True)
    text: str = ""


def tally(backend: Backend, key: str) -> tuple[int, str] | None:
    """What is counted of a row."""
    found = backend.get(Tally, of=key)
    return None if found is None else (found["number"], found["said"])


class FollowingCases(Conformance):
    """Numbers that count writes, and versions that come from outside."""

    @needs(Capability.ATOMIC_WRITES, Capability.ADD, EXTENSIONS)
    def test_what_counts_writes_goes_up_by_one_with_each_and_holds_what_the_last_one_said(
        self, use: Use, backend: Backend
    ) -> None:
        use(Counted)
        backend.initialize(Tally)
        row = Counted.create(id="a", said="one")
        assert tally(backend, "a") == (1, "one")
        row.update(said="two")
        Counted.upsert(id="a", said="three")
        assert tally(backend, "a") == (3, "three")
        Counted.get("a").delete()
        Counted.batch_create([{"id": "a", "said": "five"}, {"id": "b", "said": "first"}])
        assert (tally(backend, "a"), tally(backend, "b")) == ((5, "five"), (1, "first"))

    @needs(Capability.ATOMIC_WRITES, Capability.ADD, EXTENSIONS)
    def test_a_refused_write_counts_nothing(self, use: Use, backend: Backend) -> None:
        use(Counted)
        backend.initialize(Tally)
        Counted.create(id="a")
        assert refusal(lambda: Counted.create(id="a", said="no")) is not None
        assert tally(backend, "a") == (1, "")
        with backend.transaction():
            Counted.get("a").update(said="in one")
            Counted.create(id="b")
        assert (tally(backend, "a"), tally(backend, "b")) == ((2, "in one"), (1, ""))

    @needs(Capability.ATOMIC_WRITES, Capability.ADD, EXTENSIONS)
    def test_threads_lose_no_count(self, use: Use, backend: Backend) -> None:
        use(Counted)
        backend.initialize(Tally)

        def work(number: int) -> None:
            for _ in range(5):
                Counted.upsert(id="a", said=str(number))

        assert together(4, work) == [None] * 4
        counted = tally(backend, "a")
        assert counted is not None
        assert counted[0] == 20

    @needs(Capability.CONSISTENT_READS)
    def test_a_read_by_key_sees_the_writes_before_it(self, use: Use) -> None:
        use(Followed)

        def work(number: int) -> None:
            for step in range(10):
                Followed.upsert(id=str(number), text=str(step))
                assert text_of(str(number)) == str(step)
                assert [one and one.text for one in Followed.batch_get([str(number)])] == [str(step)]

        assert together(4, work) == [None] * 4

    @needs(Capability.EXTERNAL_VERSIONS)
    def test_a_write_with_a_lower_version_changes_nothing(self, use: Use, backend: Backend) -> None:
        use(Followed)
        assert isinstance(backend, PlannedBackend)
        assert copied(backend, ("a", "two", 2)) == ["ok"]
        assert copied(backend, ("a", "one", 1), ("b", "five", 5)) == ["condition", "ok"]
        assert text_of("a") == "two"
        assert copied(backend, ("a", "two again", 2)) == ["ok"]  # the same version may be written again
        assert copied(backend, ("a", None, 4)) == ["ok"]
        assert Followed.get("a") is None
        assert copied(backend, ("a", "three", 3)) == ["condition"]
        assert Followed.get("a") is None
        assert copied(backend, ("a", "seven", 7)) == ["ok"]
        assert (text_of("a"), text_of("b")) == ("seven", "five")


def text_of(key: str) -> str | None:
    """The text of the row, which is there."""
    found = Followed.get(key)
    assert found is not None
    return found.text


def copied(backend: PlannedBackend, *rows: tuple[str, str | None, int]) -> list[str]:
    """What becomes of rows, or their removal, that bring a version."""
    bound = backend.bound(Followed)
    writes = []
    for key, text, version in rows:
        record = None if text is None else bound.encode(Followed(id=key, text=text))
        writes.append(Write("upsert" if record else "delete", bound, (key,), record, version=version))
    plan = backend.compile_copies(bound, writes, visible=False)
    return [outcome.status for outcome in backend.execute(plan)]
