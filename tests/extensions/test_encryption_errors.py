"""Wrong keys, changed and moved values, a lost mixin: an error that says so, and nothing else."""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime, timedelta, timezone
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixstore import (
    ConfigurationError,
    CorruptRecordError,
    Envelope,
    Field,
    HookError,
    Key,
    Model,
    SchemaError,
)
from mixstore_backends.memory import InMemoryBackend
from mixstore_extensions import Compressed, Encrypted
from tests.backends.shared.support import examples, refusal
from tests.extensions.sealing import (
    SECRET,
    TWO,
    Both,
    Patient,
    Sealing,
    put,
    stored,
    tells_nothing,
    with_keys,
)

# -- wrong keys, tampering


def test_a_missing_key_is_an_error_that_names_it(use):
    use(Patient)
    Patient.create(id="a", name=SECRET)
    other = use(with_keys(Patient, {"two": TWO}))
    for ask in (lambda: other.get("a"), lambda: other.all(), lambda: list(other.where())):
        error = refusal(ask)
        assert isinstance(error, ConfigurationError)
        assert "there is no key 'one'" in str(error)
        assert "key='a'" in str(error)
        assert tells_nothing(error, stored(Patient, "a")["name"])


def test_a_wrong_key_is_a_corrupt_record(use):
    use(Patient)
    Patient.create(id="a", name=SECRET)
    other = use(with_keys(Patient, {"one": TWO}))
    error = refusal(lambda: other.get("a"))
    assert isinstance(error, CorruptRecordError)
    assert (error.field, error.key) == ("name", "a")
    assert "does not decrypt with the key 'one'" in str(error)
    assert tells_nothing(error, stored(Patient, "a")["name"])


@examples(60)
@given(data=st.data())
def test_a_changed_value_does_not_decrypt(data):
    with InMemoryBackend() as store:
        store.create(Patient, {"id": "a", "name": SECRET})
        row = store.bound(Patient).native.rows[("a",)]
        sealed = bytearray(row["name"])
        place = data.draw(st.integers(0, len(sealed) - 1))
        sealed[place] ^= data.draw(st.integers(1, 255))
        row["name"] = bytes(sealed[: data.draw(st.sampled_from([len(sealed), place]))])
        error = refusal(lambda: store.get(Patient, id="a"))
        assert isinstance(error, CorruptRecordError | ConfigurationError)
        assert tells_nothing(error, sealed)


def test_a_damaged_key_id_is_not_shown(use):
    use(Patient)
    Patient.create(id="a", name=SECRET)
    sealed = bytearray(stored(Patient, "a")["name"])
    sealed[sealed.index(b"one") - 1] = 200  # the length of the id, which now takes in all that follows
    put(Patient, "a", name=bytes(sealed))
    error = refusal(lambda: Patient.get("a"))
    assert isinstance(error, CorruptRecordError)
    assert "is damaged" in str(error)
    assert "one" not in str(error).replace("None", "")


def test_a_value_can_not_be_moved_to_another_row_field_or_entity(use, backend):
    class Other(Sealing):
        id: str = Field(primary_key=True)
        name: str | None = Field(None, encrypted=True)

    class Pair(Sealing):
        id: str = Field(primary_key=True)
        left: str = Field("", encrypted=True)
        right: str = Field("", encrypted=True)

    use(Patient, Other, Pair)
    Patient.create(id="a", name=SECRET)
    Patient.create(id="b", name="x")
    Other.create(id="a", name="x")
    Pair.create(id="a", left=SECRET, right="x")
    sealed = stored(Patient, "a")["name"]
    put(Patient, "b", name=sealed)
    put(Other, "a", name=sealed)
    put(Pair, "a", right=stored(Pair, "a")["left"])
    for model, key in ((Patient, "b"), (Other, "a"), (Pair, "a")):
        with pytest.raises(CorruptRecordError, match="moved from another row, field or entity"):
            model.get(key)
    put(Patient, "a", name=sealed)
    assert Patient.get("a").name == SECRET


def test_a_plain_value_in_its_place_is_not_taken_for_one(use):
    use(Patient)
    Patient.create(id="a", name=SECRET)
    put(Patient, "a", name="Eve")
    with pytest.raises(CorruptRecordError, match=r"Patient\.name is stored as it is, and 'encrypted' can't read it"):
        Patient.get("a")


@pytest.mark.parametrize(
    ("annotation", "key"),
    [
        (int, 7),
        (bytes, b"\xff\0"),
        (UUID, UUID(int=5)),
        (datetime, datetime(2025, 1, 1, tzinfo=timezone(timedelta(hours=2)))),
        (str, "ä\0"),
    ],
)
def test_every_kind_of_key_binds_a_value_to_its_row(use, annotation, key):
    model = use(type(Sealing)("Keyed", (Sealing,), {
        "__module__": __name__, "__qualname__": f"Keyed_{annotation.__name__}",
        "__annotations__": {"id": annotation, "name": str},
        "id": Field(primary_key=True), "name": Field(encrypted=True),
    }))  # fmt: skip
    model.create(id=key, name=SECRET)
    assert model.get(key).name == SECRET


def test_rendered_and_composite_keys_bind_a_value_to_its_row(use):
    class Todo(Sealing):
        class Meta:
            key = Key(partition="USER#{user}", sort="TODO#{number}")

        user: str
        number: int
        text: str = Field(encrypted=True)

    class Part(Sealing):
        order: int = Field(primary_key=True)
        line: str = Field(primary_key=True)
        text: str = Field(encrypted=True)

    use(Todo, Part)
    Todo.create(user="ann", number=1, text=SECRET)
    Part.create(order=1, line="x", text=SECRET)
    assert Todo.get(user="ann", number=1).text == SECRET
    assert Part.get((1, "x")).text == SECRET


def test_a_provider_that_fails_is_a_hook_error_and_no_corrupt_record(use):
    class Down:
        def current(self):
            return "one"

        def get(self, key_id):
            raise OSError("no route to the key service")

    class Remote(Encrypted, Model):
        class Meta:
            encryption = Down()

        id: int = Field(primary_key=True)
        name: str = Field(encrypted=True)

    use(Remote)
    with pytest.raises(HookError, match="no route to the key service; nothing was stored"):
        Remote.create(id=1, name=SECRET)


@pytest.mark.parametrize("given_key", [b"short", 32, None, "%%%"])
def test_a_provider_that_gives_no_key_stores_nothing(use, given_key):
    class Broken:
        def current(self):
            return "one"

        def get(self, key_id):
            return given_key

    class Remote(Encrypted, Model):
        class Meta:
            encryption = Broken()

        id: int = Field(primary_key=True)
        name: str = Field(encrypted=True)

    use(Remote)
    with pytest.raises(ConfigurationError, match="the key 'one'"):
        Remote.create(id=1, name=SECRET)
    assert Remote.count() == 0


# -- what is shown


def test_an_envelope_shows_nothing_of_its_content(use):
    use(Patient)
    Patient.create(id="a", name=SECRET)
    envelope = Envelope.read(stored(Patient, "a")["name"])
    assert repr(envelope) == str(envelope) == f"<Envelope of 'encrypted', {len(envelope)} bytes>"


# -- data outlives configuration


def test_without_the_mixin_the_values_are_an_error_that_names_it(use, backend):
    use(Patient)
    Patient.create(id="a", name=SECRET)

    class Plain(Model):
        class Meta:
            entity = "Patient"

        id: str = Field(primary_key=True)
        name: str | None = None
        notes: list[str] = []
        ward: str = ""

    Patient.bind(None)
    del backend._bounds[Patient]
    Plain.bind(backend)
    told = "stored by the extension 'encrypted', which is not active"
    if backend.backend_name == "sqlite":
        with pytest.raises(SchemaError, match=told):
            backend.initialize(Plain)
    with pytest.raises(CorruptRecordError, match=told) as caught:
        Plain.get("a")
    assert tells_nothing(caught.value)


def test_a_field_that_got_another_type_is_an_error_that_does_not_show_it(use):
    use(Patient)
    Patient.create(id="a", name=SECRET)

    class Numbered(Sealing):
        class Meta:
            entity = "Patient"

        id: str = Field(primary_key=True)
        name: int | None = Field(None, encrypted=True)

    bound = Patient.where()._bound()
    Patient.bind(None)
    bound.backend._bounds.clear()
    use(Numbered)
    error = refusal(lambda: Numbered.get("a"))
    assert isinstance(error, CorruptRecordError)
    assert "was encrypted when the field had another type" in str(error)
    assert tells_nothing(error)


def test_a_lost_mixin_of_two_is_named(use, backend):
    use(Both)
    Both.create(id=1, body="x" * 5000)

    class OnlyEncrypted(Sealing):
        class Meta:
            entity = "Both"

        id: int = Field(primary_key=True)
        body: str = Field("", encrypted=True)

    class OnlyCompressed(Compressed, Model):
        class Meta:
            entity = "Both"

        id: int = Field(primary_key=True)
        body: str = Field("", compressed=True)

    for model, lost in ((OnlyEncrypted, "compressed"), (OnlyCompressed, "encrypted")):
        backend._bounds.clear()
        use(model)
        with pytest.raises(CorruptRecordError, match=f"extension '{lost}'"):
            model.get(1)


def test_a_missing_package_is_told_with_what_to_install():
    code = (
        "import sys; sys.modules['cryptography'] = None\n"
        "from mixstore import ConfigurationError, Field, Model, connect\n"
        "from mixstore_extensions import Encrypted, KeyRing\n"
        "class Card(Encrypted, Model):\n"
        "    class Meta: encryption = KeyRing({'a': bytes(32)})\n"
        "    id: int = Field(primary_key=True)\n"
        "    number: str = Field(encrypted=True)\n"
        "connect('memory://', name='default')\n"
        "try: Card.count()\n"
        "except ConfigurationError as error: print(error)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "encrypted fields need the package cryptography" in told
    assert "pip install 'mixstore[encryption]'" in told
