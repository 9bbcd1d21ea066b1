"""What the tests of encrypted and compressed fields share."""

from __future__ import annotations

import base64
from typing import Any

from pydantic import create_model

from mixstore import Envelope, Field, MixstoreError, Model, Write, schema_of
from mixstore_extensions import TTL, Compressed, Encrypted, KeyRing, Timestamps, Versioned
from tests.backends.shared.kinds import KINDS

ONE, TWO = bytes(range(32)), bytes(range(16))
RING = KeyRing({"one": ONE})


class Sealing(Encrypted, Model):
    """Base of encrypted models."""

    class Meta:
        abstract = True
        encryption = RING


def holders(*bases: type, **options: Any) -> dict[str, Any]:
    """A model for each supported type, whose field has these options."""
    return {
        name: create_model(
            f"Holds_{name}_{'_'.join(options)}",
            __base__=bases,
            id=(int, Field(primary_key=True)),
            value=(kind.annotation, Field(**options)),
        )
        for name, kind in KINDS.items()
    }


def with_keys(model: Any, keys: dict[str, bytes], current: str | None = None) -> Any:
    """The same entity under other keys, as after a new start of the application."""
    place = {"__module__": model.__module__, "__qualname__": model.__qualname__}
    ring = {"entity": model.__name__, "encryption": KeyRing(keys, current)}
    meta = type("Meta", (), {**place, "__qualname__": f"{model.__qualname__}.Meta", **ring})
    return type(model)(model.__name__, (model,), {**place, "Meta": meta})


def stored(model: Any, *key: Any) -> dict[str, Any]:
    """The record of a row as it is stored."""
    bound = model.where()._bound()
    (row,) = bound.backend.execute(bound.engine.compile_get(bound, (key,)))
    return bound.stored_of(row)  # type: ignore[no-any-return]


def put(model: Any, key: Any, **values: Any) -> None:
    """Change stored values behind the back of every extension."""
    bound = model.where()._bound()
    write = Write("update", bound, (key,), None, values)
    (outcome,) = bound.backend.execute(bound.engine.compile_writes(bound, (write,)))
    assert outcome.status == "ok"


def owner(value: Any) -> str | None:
    """The extension that stored a value, or None."""
    envelope = Envelope.read(value)
    return None if envelope is None else envelope.owner


def key_ids(model: Any, name: str) -> set[str]:
    """With which keys the values of a field are encrypted."""
    found = set()
    for row in model.where().all():
        (key,) = schema_of(model).key_from(vars(row)) or (None,)
        content = Envelope.read(stored(model, key)[name]).content  # type: ignore[union-attr]
        found.add(content[2 : 2 + content[1]].decode())
    return found


SECRET = "the name of the rose"
B64_ONE, B64_TWO = base64.b64encode(ONE).decode(), base64.b64encode(TWO).decode()


class Patient(Sealing):
    id: str = Field(primary_key=True)
    name: str | None = Field(None, encrypted=True)
    notes: list[str] = Field([], encrypted=True)
    ward: str = ""


class Locked(TTL, Versioned, Timestamps, Sealing):
    id: int = Field(primary_key=True)
    name: str = Field(encrypted=True)
    notes: dict[str, Any] = Field({}, encrypted=True)
    ward: str = ""


class Both(Encrypted, Compressed, Model):
    class Meta:
        encryption = RING

    id: int = Field(primary_key=True)
    body: str = Field("", encrypted=True, compressed=True)


def every_cause(error: BaseException | None) -> list[BaseException]:
    """An error and all that led to it."""
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__context__ if error.__cause__ in (None, error) else error.__cause__
    return found


def tells_nothing(error: MixstoreError, *sealed: Any) -> bool:
    """Whether neither the text nor the cause of an error holds a key, a plaintext or a ciphertext."""
    texts = [f"{one} {one!r} {vars(one)!r}" for one in every_cause(error)]
    hidden = [SECRET, B64_ONE, B64_TWO, repr(ONE)[2:20], ONE.hex(), *(repr(bytes(one))[-30:] for one in sealed)]
    return not any(secret in text for secret in hidden for text in texts)
