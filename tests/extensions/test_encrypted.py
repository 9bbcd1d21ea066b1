"""Encrypted fields: they come back as they were, beside other extensions, and tell nothing to who holds the store."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixstore import (
    ConfigurationError,
    Envelope,
    Field,
    Model,
    QueryError,
    VersionConflictError,
    after_load,
)
from mixstore_backends.memory import InMemoryBackend
from mixstore_backends.sqlite import SQLiteBackend
from mixstore_extensions import Compressed, Encrypted
from tests.backends.shared.kinds import KINDS
from tests.backends.shared.support import examples, same
from tests.extensions.sealing import (
    ONE,
    RING,
    SECRET,
    Both,
    Locked,
    Patient,
    Sealing,
    holders,
    owner,
    stored,
)

HOLDERS = holders(Sealing, encrypted=True)


# -- there and back


@pytest.mark.parametrize("kind", KINDS)
def test_values_of_every_type_come_back_the_same(use, kind):
    model = use(HOLDERS[kind])

    @examples(5)
    @given(values=st.lists(KINDS[kind].values, min_size=1, max_size=5))
    def come_back(values):
        model.where().delete()
        made = model.batch_create([{"id": number, "value": value} for number, value in enumerate(values)])
        for number, row in enumerate(made):
            found = model.get(number)
            assert found == row
            assert same(found.value, row.value)
            assert owner(stored(model, number)["value"]) == (None if row.value is None else "encrypted")
        found = model.get(0)
        found.value = values[-1]
        found.save()
        assert same(model.get(0).value, found.value)

    come_back()


@pytest.mark.parametrize("kind", KINDS)
def test_what_one_backend_encrypted_another_decrypts(kind):
    """The form of the plaintext is that of no adapter, so that stored values can move with their row."""
    model = HOLDERS[kind]
    memory, sqlite = InMemoryBackend(), SQLiteBackend(":memory:")
    with memory, sqlite:
        sqlite.initialize(model)

        @examples(3)
        @given(value=KINDS[kind].values)
        def move(value):
            made = memory.upsert(model, {"id": 1, "value": value})
            sqlite.upsert(model, {"id": 1, "value": value})
            bound = memory.bound(model)
            sealed = bound.native.rows[(1,)]["value"]
            with sqlite._connections.get() as connection:
                connection.execute(f'UPDATE "{model.__name__}" SET value = ?', (sealed,))
            assert same(sqlite.get(model, id=1)["value"], made["value"])

        move()


def test_nothing_of_a_value_is_found_in_the_file(tmp_path):
    with SQLiteBackend(tmp_path / "store.db") as store:
        store.initialize(Patient)
        store.create(Patient, {"id": "p1", "name": SECRET, "notes": [SECRET]})
    for file in tmp_path.iterdir():
        assert SECRET.encode() not in file.read_bytes()
        assert ONE not in file.read_bytes()


def test_equal_values_are_stored_differently(use):
    use(Patient)
    Patient.create(id="a", name=SECRET)
    Patient.create(id="b", name=SECRET)
    assert stored(Patient, "a")["name"] != stored(Patient, "b")["name"]


def test_none_is_stored_as_none(use):
    use(Patient)
    Patient.create(id="a")
    assert stored(Patient, "a")["name"] is None
    assert Patient.get("a").name is None


def test_an_empty_text_is_encrypted(use):
    use(Patient)
    Patient.create(id="a", name="")
    assert owner(stored(Patient, "a")["name"]) == "encrypted"
    assert Patient.get("a").name == ""


def test_bytes_that_look_like_an_envelope_are_encrypted_as_bytes(use):
    model = use(HOLDERS["bytes"])
    fake = bytes(Envelope.of("encrypted", b"\1\3oneabc"))
    model.create(id=1, value=fake)
    assert same(model.get(1).value, fake)


def test_select_and_batch_get_decrypt(use):
    use(Patient)
    Patient.create(id="a", name=SECRET)
    assert Patient.where(id="a").select("name").all() == [{"name": SECRET}]
    assert [one.name for one in Patient.batch_get(["a"])] == [SECRET]


async def test_async_twins_decrypt(use):
    use(Patient)
    await Patient.acreate(id="a", name=SECRET)
    assert (await Patient.aget("a")).name == SECRET


def test_hooks_of_the_model_see_plain_values(use):
    seen = []

    class Heard(Sealing):
        id: int = Field(primary_key=True)
        name: str = Field(encrypted=True)

        @after_load
        def hear(self):
            seen.append(self.name)

    use(Heard)
    Heard.create(id=1, name=SECRET)
    Heard.get(1)
    assert seen == [SECRET]


# -- what is written


def test_an_update_sends_only_what_changed(use, backend, monkeypatch):
    use(Patient)
    patient = Patient.create(id="a", name=SECRET, notes=["x"])
    before = stored(Patient, "a")
    sent = []
    compile_writes = backend.compile_writes
    monkeypatch.setattr(
        backend, "compile_writes", lambda bound, writes: sent.extend(writes) or compile_writes(bound, writes)
    )
    patient.update(ward="east")
    loaded = Patient.get("a")
    loaded.notes.append("y")
    loaded.save()
    Patient.get("a").save()
    assert [sorted(write.changes) for write in sent] == [["ward"], ["notes"], []]
    after = stored(Patient, "a")
    assert after["name"] == before["name"]
    assert after["notes"] != before["notes"]
    assert Patient.get("a").notes == ["x", "y"]


def test_a_transaction_encrypts(use, backend):
    use(Patient)
    with backend.transaction():
        Patient.create(id="a", name=SECRET)
        Patient.create(id="b", name=SECRET)
    assert {owner(stored(Patient, key)["name"]) for key in "ab"} == {"encrypted"}
    assert Patient.get("b").name == SECRET


def test_an_update_by_query_encrypts(use):
    use(Patient)
    Patient.batch_create([{"id": key, "ward": "east"} for key in "abc"])
    assert Patient.where(ward="east").update(name=SECRET) == 3
    assert {owner(stored(Patient, key)["name"]) for key in "abc"} == {"encrypted"}
    assert {one.name for one in Patient.all()} == {SECRET}


def test_an_update_by_query_happens_only_while_a_row_still_matches(use, backend, monkeypatch):
    use(Patient)
    Patient.create(id="a", ward="east", name="x")
    compile_writes = backend.compile_writes
    stolen = []

    def steal(bound, writes):
        if not stolen:
            stolen.append(True)
            Patient.get("a").update(ward="west")
        return compile_writes(bound, writes)

    monkeypatch.setattr(backend, "compile_writes", steal)
    assert Patient.where(ward="east").update(name="y") == 0
    assert Patient.get("a").name == "x"


# -- with other extensions


def test_locks_and_expiry_work_beside_it(use, clock):
    use(Locked)
    mine = Locked.create(id=1, name=SECRET, expires_in=60)
    yours = Locked.get(1)
    mine.update(name="other")
    with pytest.raises(VersionConflictError) as caught:
        yours.update(name="third")
    assert SECRET not in str(caught.value)
    assert Locked.get(1).name == "other"
    clock.forward(seconds=61)
    assert Locked.get(1) is None
    assert Locked.create(id=1, name="new").name == "new"
    assert Locked.upsert(id=1, name="newer").version == 2
    assert Locked.get(1).name == "newer"


def test_a_page_of_encrypted_rows_goes_on_with_its_cursor(use):
    use(Locked)
    Locked.batch_create([{"id": number, "name": str(number)} for number in range(7)])
    first = Locked.where().order_by("-id").limit(4).paginate()
    second = Locked.where().order_by("-id").limit(4).cursor(first.cursor).paginate()
    assert [row.name for row in (*first.items, *second.items)] == [*"6543210"]


@pytest.mark.parametrize("bases", [(Encrypted, Compressed), (Compressed, Encrypted)])
def test_a_value_is_compressed_before_it_is_encrypted(use, bases):
    class Page(*bases, Model):
        class Meta:
            encryption = RING

        id: int = Field(primary_key=True)
        body: str = Field("", encrypted=True, compressed=True)

    use(Page)
    body = "all work and no play " * 500
    Page.create(id=1, body=body)
    assert [entry.name for entry in Page.extensions()] == ["compressed", "encrypted"]
    sealed = stored(Page, 1)["body"]
    assert owner(sealed) == "encrypted"
    assert len(sealed) < 300
    assert Page.get(1).body == body
    with pytest.raises(QueryError, match="opaque"):
        Page.where(body__contains="work").all()


@examples(20)
@given(body=st.text(max_size=50) | st.text(min_size=400, max_size=900))
def test_compressed_and_encrypted_text_comes_back(body):
    with InMemoryBackend() as store:
        store.create(Both, {"id": 1, "body": body})
        assert store.get(Both, id=1)["body"] == body


# -- filters


@pytest.mark.parametrize(
    "query",
    [
        lambda: Patient.where(name=SECRET),
        lambda: Patient.where(name__isnull=True),
        lambda: Patient.where(notes__contains=SECRET),
        lambda: Patient.where().order_by("name"),
    ],
)
def test_an_encrypted_field_can_not_be_asked_for(use, query):
    use(Patient)
    with pytest.raises(QueryError, match=r"Patient\.(name|notes) is stored opaque") as caught:
        query().all()
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("option", ["primary_key", "unique", "index", "searchable"])
def test_an_encrypted_field_is_no_key_and_in_no_index(backend, option):
    class Wrong(Sealing):
        id: str = Field(primary_key=option != "primary_key")
        name: str = Field("", encrypted=True, **{option: True})

    with pytest.raises(ConfigurationError, match=r"Wrong\.name"):
        backend.bound(Wrong)
