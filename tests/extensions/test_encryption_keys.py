"""Keys of encrypted fields: where they come from, how they change, and that they are shown nowhere."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

import mixstore
from mixstore import (
    ConfigurationError,
    Field,
    Model,
    SchemaError,
)
from mixstore_extensions import Encrypted, KeyRing
from tests.extensions.sealing import (
    B64_ONE,
    B64_TWO,
    ONE,
    RING,
    SECRET,
    TWO,
    Locked,
    Patient,
    every_cause,
    key_ids,
    with_keys,
)

# -- keys


def test_rows_of_an_old_key_stay_readable_and_changes_use_the_current_one(use):
    use(Patient)
    Patient.batch_create([{"id": key, "name": key} for key in "ab"])
    rotated = use(with_keys(Patient, {"one": ONE, "two": TWO}, "two"))
    assert [row.name for row in rotated.where().order_by("id")] == ["a", "b"]
    assert key_ids(rotated, "name") == {"one"}
    rotated.get("a").update(name="changed")
    assert key_ids(rotated, "name") == {"one", "two"}


def test_reencrypt_moves_every_row_to_the_current_key_and_only_once(use):
    use(Patient)
    Patient.batch_create([{"id": f"{number:03}", "name": str(number)} for number in range(150)])
    Patient.create(id="none", notes=[])
    rotated = use(with_keys(Patient, {"one": ONE, "two": TWO}, "two"))
    assert rotated.reencrypt() == 151
    assert rotated.reencrypt() == 0
    alone = use(with_keys(Patient, {"two": TWO}))
    assert [row.name for row in alone.where().order_by("id")] == [*map(str, range(150)), None]
    assert key_ids(alone, "notes") == {"two"}


async def test_areencrypt_does_the_same(use):
    use(Patient)
    Patient.create(id="a", name=SECRET)
    rotated = use(with_keys(Patient, {"one": ONE, "two": TWO}, "two"))
    assert await rotated.areencrypt() == 1
    assert key_ids(rotated, "name") == {"two"}


def test_reencrypt_goes_through_the_chain_and_reaches_expired_rows(use, clock):
    use(Locked)
    Locked.create(id=1, name="here")
    Locked.create(id=2, name="gone", expires_in=1)
    clock.forward(seconds=2)
    rotated = use(with_keys(Locked, {"one": ONE, "two": TWO}, "two"))
    assert rotated.reencrypt() == 2
    assert rotated.get(1).version == 2
    alone = use(with_keys(Locked, {"two": TWO}))
    assert [row.name for row in alone.include_expired().order_by("id")] == ["here", "gone"]
    assert alone.purge_expired() == 1


def test_reencrypt_overwrites_nothing_that_is_written_meanwhile(use, backend, monkeypatch):
    use(Patient)
    Patient.create(id="a", name="old", ward="x")
    rotated = use(with_keys(Patient, {"one": ONE, "two": TWO}, "two"))
    compile_writes, interrupted = backend.compile_writes, []

    def interrupt(bound, writes):
        if not interrupted:
            interrupted.append(True)
            Patient.bind(backend)
            Patient.get("a").update(name="newer")  # still with the old key
        return compile_writes(bound, writes)

    monkeypatch.setattr(backend, "compile_writes", interrupt)
    assert rotated.reencrypt() == 1
    assert rotated.get("a").name == "newer"
    assert key_ids(rotated, "name") == {"two"}


def test_a_provider_is_asked_for_each_key(use):
    asked = []

    class Provider:
        def current(self):
            return "v7"

        def get(self, key_id):
            asked.append(key_id)
            return {"v7": TWO}[key_id]

    class Remote(Encrypted, Model):
        class Meta:
            encryption = Provider()

        id: int = Field(primary_key=True)
        name: str = Field(encrypted=True)

    use(Remote)
    Remote.create(id=1, name=SECRET)
    assert Remote.get(1).name == SECRET
    assert set(asked) == {"v7"}


def configured(options: dict[str, Any]) -> type[Model]:
    """A model on a configured backend, with these options."""

    class Card(Encrypted, Model):
        id: int = Field(primary_key=True)
        number: str = Field(encrypted=True)

    backends = {"default": {"url": "memory://", "extensions": {"options": {"encrypted": options}}}}
    mixstore.configure(backends=backends)
    return Card


def test_keys_come_from_the_config():
    with mixstore.registry():
        card = configured({"keys": {"a": B64_ONE, "b": B64_TWO}, "current": "b"})
        card.create(id=1, number=SECRET)
        assert card.get(1).number == SECRET
        assert key_ids(card, "number") == {"b"}


def test_a_provider_comes_from_the_arguments_of_configure():
    with mixstore.registry():
        card = configured({"provider": KeyRing({"a": ONE})})
        card.create(id=1, number=SECRET)
        assert key_ids(card, "number") == {"a"}


def test_keys_come_from_a_file_and_its_environment(tmp_path, monkeypatch):
    (tmp_path / "mixstore.toml").write_text(
        '[backends.default]\nurl = "memory://"\n[backends.default.extensions.options.encrypted]\ncurrent = "a"\n'
        'keys = { a = "${CARD_KEY}" }\n'
    )
    monkeypatch.setenv("CARD_KEY", B64_ONE)
    with mixstore.registry():
        card = configured({})
        mixstore.configure(tmp_path / "mixstore.toml")
        assert card.create(id=1, number=SECRET).number == SECRET


WRONG_OPTIONS = [
    ({}, "Card has encrypted fields and no keys"),
    ({"keys": {"a": "not base64!" + B64_ONE}}, "the key 'a' is not base64"),
    ({"keys": {"": B64_ONE}}, "the id of a key"),
    ({"keys": {"a\n": B64_ONE}}, "the id of a key"),
    ({"keys": {"a": B64_ONE[:-8]}}, "the key 'a' (has|is)"),
    ({"keys": {"a": B64_ONE, "b": B64_TWO}}, "the current key is not told"),
    ({"keys": {"a": B64_ONE}, "current": "b"}, "the current key 'b' is none of the keys"),
    ({"keys": {"a": B64_ONE}, "provider": RING}, "give keys or a provider"),
    ({"kees": {"a": B64_ONE}}, "no option 'kees', did you mean 'keys'"),
    ({"keys": B64_ONE}, "options.encrypted.keys: "),
    ({"provider": B64_ONE}, "options.encrypted.provider: "),
]


@pytest.mark.parametrize(("options", "told"), WRONG_OPTIONS)
def test_wrong_options_are_told_when_a_model_is_bound_and_no_key_is(options, told):
    with mixstore.registry():
        card = configured(options)
        with pytest.raises(ConfigurationError, match=told) as caught:
            card.count()
        assert B64_ONE[:20] not in "".join(map(str, every_cause(caught.value)))


def test_a_model_without_encrypted_fields_needs_no_keys(use):
    class Bare(Encrypted, Model):
        id: int = Field(primary_key=True)

    use(Bare)
    assert Bare.create(id=1).id == 1


def test_meta_encryption_must_be_able_to_give_keys():
    with pytest.raises(SchemaError, match=r"Meta\.encryption must be KeyProvider, not dict"):

        class Wrong(Encrypted, Model):
            class Meta:
                encryption = {"one": ONE}

            id: int = Field(primary_key=True)


def test_switching_it_off_is_refused():
    with mixstore.registry():
        card = configured({"keys": {"a": B64_ONE}})
        mixstore.configure(backends={"default": {"url": "memory://", "extensions": {"disable": ["encrypted"]}}})
        with pytest.raises(ConfigurationError, match="switches encrypted off, which Encrypted requires"):
            card.count()


def test_keys_are_shown_nowhere(use, caplog):
    caplog.set_level(logging.DEBUG)
    with mixstore.registry() as registry:
        card = configured({"keys": {"a": B64_ONE}})
        card.create(id=1, number=SECRET)
        (extension,) = card.where()._bound().chain.extensions
        shown = [repr(extension), repr(extension.options), repr(vars(extension)), repr(registry.settings), repr(RING)]
        shown += [repr(card.extensions()), str(extension.options.model_dump()), extension.options.model_dump_json()]
        shown += [json.dumps(extension.options.model_dump(mode="json")), repr(KeyRing({"a": B64_ONE})), caplog.text]
    for text in shown:
        assert B64_ONE[:20] not in text
        assert repr(ONE)[2:20] not in text
        assert SECRET not in text
