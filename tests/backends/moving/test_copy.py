"""`copy` and `verify` of plain models, between all kinds of stores."""

from __future__ import annotations

import json
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixstore import (
    GSI,
    ConfigurationError,
    ConflictError,
    DuplicateKeyError,
    Field,
    Key,
    Model,
    Moved,
    TransactionError,
    ValidationError,
    after_save,
    before_save,
    copy,
    partition_key,
    verify,
)
from mixstore.pages import STREAM_PAGE
from mixstore_backends.memory import InMemoryBackend
from tests.backends.moving.conftest import WAYS
from tests.backends.shared.kinds import KINDS, MODELS
from tests.backends.shared.support import examples, same
from tests.backends.small import DirectBackend


class Item(Model):
    class Meta:
        scan = "forbid"

    id: int = Field(primary_key=True)
    name: str = ""
    code: str | None = Field(None, unique=True)


class Note(Model):
    id: int = Field(primary_key=True)
    name: str = ""


class Placed(Model):
    class Meta:
        key = Key(partition="USER#{user}", sort="N#{number:05d}")
        indexes = [GSI("by_kind", partition="K#{kind}", sort="{user}")]

    user: str
    number: int
    kind: str = "a"


class Computed(Model):
    first: str
    second: str = ""

    @partition_key
    def pk(self) -> str:
        return f"F#{self.first}"


class Hooked(Model):
    id: int = Field(primary_key=True)
    name: str = ""
    seen: list[str] = []

    @before_save
    def _before(self, context):
        self.name = "changed"

    @after_save
    def _after(self, context):
        raise AssertionError("nobody acted on the row")


def filled(backend, model, *rows):
    backend.initialize(model)
    backend.batch_create(model, rows)


def rows_of(backend, model):
    return sorted((vars(one) for one in backend.query(model).all()), key=str)


@pytest.mark.parametrize("stores", WAYS[:1], indirect=True, ids=" to ".join)
@pytest.mark.parametrize("kind", KINDS)
def test_values_of_every_type_are_the_same_afterwards(stores, kind):
    source, destination = stores
    model = MODELS[kind]
    numbers = count(1)

    @examples(3)
    @given(st.lists(KINDS[kind].values, min_size=2, max_size=4))
    def check(values):
        filled(source, model, *({"id": next(numbers), "value": value} for value in values))
        (moved,) = copy(model, source, destination)
        assert moved.stored == len(values)

    check()
    there = {row["id"]: row["value"] for row in rows_of(destination, model)}
    assert there
    assert all(same(there[row["id"]], row["value"]) for row in rows_of(source, model))


def test_rendered_keys_and_keys_by_methods_move(stores):
    source, destination = stores
    filled(source, Placed, *({"user": f"u{n % 3}", "number": n, "kind": "ab"[n % 2]} for n in range(10)))
    filled(source, Computed, *({"first": f"f{n}", "second": "x"} for n in range(10)))
    copy([Placed, Computed], source, destination)
    assert rows_of(destination, Placed) == rows_of(source, Placed)
    assert rows_of(destination, Computed) == rows_of(source, Computed)
    assert destination.query(Placed).using("by_kind").filter(kind="b").count() == 5


@pytest.mark.parametrize("stores", WAYS[:1], indirect=True, ids=" to ".join)
def test_a_model_that_forbids_scans_moves_in_several_pages(stores):
    source, destination = stores
    many = STREAM_PAGE + 20
    filled(source, Item, *({"id": n, "name": f"n{n}", "code": f"c{n}"} for n in range(many)))
    pages = []
    assert copy(Item, source, destination, progress=lambda moved: pages.append(moved.read))[0].stored == many
    assert pages[-1] == many
    assert len(pages) > 1
    found = verify(Item, source, destination)
    assert found.agrees
    assert found.checksum == found.found != 0


def test_a_store_that_implements_the_contract_directly_can_be_both(source):
    direct = DirectBackend()
    filled(source, Note, {"id": 1, "name": "a"}, {"id": 2, "name": "b"})
    assert copy(Note, source, direct)[0].stored == 2
    assert copy(Note, source, direct)[0].same == 2
    with InMemoryBackend() as third:
        assert copy(Note, direct, third)[0].stored == 2
        assert rows_of(third, Note) == rows_of(source, Note)


def test_hooks_of_the_model_are_not_run_for_a_row_that_is_copied(source, destination):
    source.initialize(Hooked)
    bound = source.bound(Hooked)
    source.execute(bound.engine.compile_plain(bound, "create", (1,), {"id": 1, "name": "mine", "seen": []}, None))
    copy(Hooked, source, destination)
    assert destination.get(Hooked, id=1)["name"] == "mine"


def test_a_row_that_does_not_fit_the_model_any_more_is_refused_and_named(source, destination):
    filled(source, Note, {"id": 1})
    bound = source.bound(Note)
    source.execute(bound.engine.compile_plain(bound, "update", (1,), None, {"name": 5}))
    with pytest.raises(ValidationError, match="Note refuses name"):
        copy(Note, source, destination)
    assert destination.count(Note) == 0


def test_a_copy_that_is_done_again_passes_over_what_is_there(stores):
    source, destination = stores
    filled(source, Item, {"id": 1, "code": "a"}, {"id": 2, "code": "b"})
    copy(Item, source, destination)
    assert copy(Item, source, destination) == [Moved("Item", read=2, same=2)]


def test_a_row_with_other_values_fails_and_names_the_key(stores):
    source, destination = stores
    filled(source, Item, {"id": 1, "name": "mine"})
    filled(destination, Item, {"id": 1, "name": "yours"})
    with pytest.raises(DuplicateKeyError) as caught:
        copy(Item, source, destination)
    assert caught.value.key == 1
    assert 'on_conflict="skip"' in caught.value.hint
    assert destination.get(Item, id=1)["name"] == "yours"


def test_skip_leaves_a_row_with_other_values(stores):
    source, destination = stores
    filled(source, Item, {"id": 1, "name": "mine"}, {"id": 2})
    filled(destination, Item, {"id": 1, "name": "yours"})
    assert copy(Item, source, destination, on_conflict="skip") == [Moved("Item", read=2, stored=1, skipped=1)]
    assert destination.get(Item, id=1)["name"] == "yours"


def test_replace_replaces_a_row_and_its_unique_values(stores):
    source, destination = stores
    filled(source, Item, {"id": 1, "name": "mine", "code": "new"}, {"id": 2})
    filled(destination, Item, {"id": 1, "name": "yours", "code": "old"})
    assert copy(Item, source, destination, on_conflict="replace") == [Moved("Item", read=2, stored=1, replaced=1)]
    assert destination.get(Item, code="new")["name"] == "mine"
    assert destination.get(Item, code="old") is None
    destination.create(Item, {"id": 3, "code": "old"})


@pytest.mark.parametrize("on_conflict", ["fail", "skip", "replace"])
def test_a_unique_value_that_another_row_has_is_an_error_however_conflicts_are_treated(stores, on_conflict):
    source, destination = stores
    filled(source, Item, {"id": 1, "code": "a"})
    filled(destination, Item, {"id": 2, "code": "a"})
    with pytest.raises(DuplicateKeyError) as caught:
        copy(Item, source, destination, on_conflict=on_conflict)
    assert (caught.value.field, caught.value.key) == ("code", 1)


def test_an_unknown_way_to_treat_conflicts_names_the_nearest(source, destination):
    with pytest.raises(ConfigurationError, match="replace"):
        copy(Item, source, destination, on_conflict="replac")


def test_a_store_is_not_copied_to_itself(source):
    with pytest.raises(ConfigurationError, match="to itself"):
        copy(Item, source, source)


def test_nothing_is_copied_in_a_transaction(source, destination):
    with pytest.raises(TransactionError), destination.transaction():
        copy(Item, source, destination)


# -- comparing


def test_verify_counts_what_is_missing_different_and_more(stores):
    source, destination = stores
    filled(source, Item, {"id": 1}, {"id": 2, "name": "a"}, {"id": 3})
    filled(destination, Item, {"id": 2, "name": "b"}, {"id": 3}, {"id": 4}, {"id": 5})
    found = verify(Item, source, destination)
    assert (found.rows, found.others, found.missing, found.different) == (3, 4, 1, 1)
    assert found.example in (1, 2)
    assert found.checksum != found.found
    assert not found.agrees


def test_a_copy_whose_source_was_written_to_meanwhile_says_that_they_differ(source, destination):
    filled(source, Item, {"id": 1}, {"id": 2})

    def meddle(moved):
        source.upsert(Item, {"id": 2, "name": "later"})

    with pytest.raises(ConflictError, match="0 are missing and 1 differ"):
        copy(Item, source, destination, progress=meddle)
    assert copy(Item, source, destination, on_conflict="replace") == [Moved("Item", read=2, same=1, replaced=1)]


# -- stopped


class Stop(Exception):
    pass


def stop_after(rows):
    def stop(moved):
        if moved.read >= rows:
            raise Stop

    return stop


def test_a_copy_that_was_stopped_goes_on_at_its_checkpoint(request, tmp_path, destination):
    source = a_store_that_sorts(request)
    many = 2 * STREAM_PAGE + 10
    filled(source, Note, *({"id": n} for n in range(many)))
    file = tmp_path / "copy.json"
    with pytest.raises(Stop):
        copy(Note, source, destination, checkpoint=file, progress=stop_after(STREAM_PAGE))
    assert destination.count(Note) == STREAM_PAGE
    assert file.stat().st_mode & 0o777 == 0o600
    (moved,) = copy(Note, source, destination, checkpoint=file)
    assert moved.read == moved.stored == many - STREAM_PAGE
    assert not file.exists()


def test_models_that_were_done_are_not_copied_again(tmp_path, source, destination):
    filled(source, Item, {"id": 1})
    filled(source, Computed, {"first": "a"})
    file = tmp_path / "copy.json"

    def stop(moved):
        if moved.entity == "Computed":
            raise Stop

    with pytest.raises(Stop):
        copy([Item, Computed], source, destination, checkpoint=file, progress=stop)
    moved = copy([Item, Computed], source, destination, checkpoint=file)
    assert moved[0] == Moved("Item")
    assert moved[1].read == 1


def test_a_checkpoint_of_another_copy_is_refused(tmp_path, source, destination):
    file = tmp_path / "copy.json"
    file.write_text(json.dumps({"version": 1, "copy": "sqlite old to memory new", "parts": {}}))
    with pytest.raises(ConfigurationError, match="of another copy: sqlite old to memory new"):
        copy(Item, source, destination, checkpoint=file)
    file.write_text("{}")
    with pytest.raises(ConfigurationError, match="no checkpoint"):
        copy(Item, source, destination, checkpoint=file)


def a_store_that_sorts(request):
    from tests.backends.conftest import BACKENDS

    return BACKENDS["sqlite-memory"](request)
