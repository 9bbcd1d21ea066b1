"""`export_lines` and `import_lines`."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixstore import (
    ConfigurationError,
    DuplicateKeyError,
    Field,
    Model,
    Moved,
    ValidationError,
    export_lines,
    import_lines,
)
from mixstore_backends.memory import InMemoryBackend
from tests.backends.shared.kinds import KINDS, MODELS
from tests.backends.shared.support import examples, same


class Person(Model):
    id: int = Field(primary_key=True)
    name: str = Field("", max_length=10)
    age: int | None = None
    nick: str


class Place(Model):
    id: int = Field(primary_key=True)


def line(entity="Person", **values):
    return json.dumps({"entity": entity, "values": values})


def good(number):
    return line(id=number, name="a", nick="b")


def names(backend):
    return {one.id: one.name for one in backend.query(Person).all()}


@pytest.mark.parametrize("kind", KINDS)
def test_every_type_survives_the_way_through_a_file(kind):
    model = MODELS[kind]

    @examples(6)
    @given(st.lists(KINDS[kind].values, min_size=1, max_size=4))
    def check(values):
        with InMemoryBackend() as source, InMemoryBackend() as destination:
            source.batch_create(model, [{"id": number, "value": value} for number, value in enumerate(values)])
            lines = list(export_lines(model, backend=source))
            assert all(one.isascii() and "\n" not in one for one in lines)
            import_lines([one.encode() + b"\n" for one in lines], model, backend=destination)
            mine, theirs = ({one.id: one.value for one in each.query(model).all()} for each in (source, destination))
            assert mine.keys() == theirs.keys()
            assert all(same(mine[number], theirs[number]) for number in mine)

    check()


def test_a_line_tells_entity_and_values(source):
    source.batch_create(Person, [{"id": 1, "name": "Zoë", "nick": "z"}])
    (told,) = export_lines(Person, Place, backend=source)
    assert told == '{"entity": "Person", "values": {"id": 1, "name": "Zo\\u00eb", "age": null, "nick": "z"}}'


def test_lines_of_several_entities_may_be_mixed_and_empty_ones_are_passed_over(destination):
    lines = [good(1), "", line("Place", id=1), "  \n", good(2), line("Place", id=2)]
    moved = import_lines(lines, Person, Place, backend=destination)
    assert moved == [Moved("Person", read=2, stored=2), Moved("Place", read=2, stored=2)]


def test_a_field_that_a_line_lacks_has_its_default(destination):
    import_lines([line(id=1, nick="n")], Person, backend=destination)
    assert destination.get(Person, id=1) == {"id": 1, "name": "", "age": None, "nick": "n"}


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        ("{", "this is no JSON"),
        ("NaN", "this is no JSON"),
        ("[" * 100_000, "this is no JSON"),
        ("[1]", "this is no row"),
        ('{"entity": "Person"}', "this is no row"),
        ('{"entity": "Person", "values": {}, "more": 1}', "this is no row"),
        ('{"entity": ["Person"], "values": {}}', "no model of the entity"),
        (line("Persn", id=3), "did you mean 'Person'"),
        (line(id=3, nick="n", nam="x"), "did you mean 'name'"),
        (line(id=3), "Person.nick is missing"),
        (line(id=3, nick="n", age="old"), "Person.age is int | None, which this is not"),
        (line(id=3, nick="n", name="far too long a name"), "Person refuses name"),
        (line(nick="n", id=None), "id"),
        (b'{"entity": "\xff"}', "this is no JSON"),
    ],
)
def test_a_bad_line_is_told_by_its_number_and_nothing_after_it_is_stored(destination, bad, told):
    with pytest.raises((ValidationError, ConfigurationError)) as caught:
        import_lines([good(1), "", bad, good(4)], Person, backend=destination)
    assert str(caught.value).startswith("line 3: ")
    assert told in str(caught.value)
    assert 1 in names(destination)
    assert 3 not in names(destination)


def test_a_value_that_does_not_decode_is_not_told(destination):
    model = MODELS["uuid"]
    with pytest.raises(ValidationError) as caught:
        import_lines([line(model.__name__, id=1, value="my secret")], model, backend=destination)
    assert "line 1: Holds_uuid.value is" in str(caught.value)
    assert "my secret" not in str(caught.value)


def test_a_row_that_is_there_with_other_values_is_told_by_its_line(destination):
    destination.initialize(Person)
    destination.create(Person, {"id": 2, "name": "other", "nick": "b"})
    lines = [good(number) for number in (1, 2, 3)]
    with pytest.raises(DuplicateKeyError, match="line 2: "):
        import_lines(lines, Person, backend=destination)
    (moved,) = import_lines(lines, Person, backend=destination, on_conflict="skip")
    assert (moved.skipped, moved.read) == (1, 3)
    assert names(destination) == {1: "a", 2: "other", 3: "a"}
    (moved,) = import_lines(lines, Person, backend=destination, on_conflict="replace")
    assert (moved.replaced, moved.same) == (1, 2)
    assert names(destination)[2] == "a"


def test_the_same_line_twice_is_one_row(destination):
    assert import_lines([good(1), good(1)], Person, backend=destination) == [Moved("Person", read=2, stored=1, same=1)]


def test_an_import_that_failed_is_done_again_when_the_line_is_mended(destination):
    with pytest.raises(ValidationError):
        import_lines([good(1), "{"], Person, backend=destination)
    assert import_lines([good(1), good(2)], Person, backend=destination)[0] == Moved("Person", read=2, stored=1, same=1)
