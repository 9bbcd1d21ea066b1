"""Models with blind indexes, for their tests."""

from __future__ import annotations

from mixstore import Field, Model
from mixstore_extensions import Encrypted, KeyRing
from tests.extensions.sealing import ONE, RING, TWO

INDEX = KeyRing({"i": TWO})


class Indexed(Encrypted, Model):
    class Meta:
        abstract = True
        encryption = RING
        blind_index = INDEX


class User(Indexed):
    id: str = Field(primary_key=True)
    email: str | None = Field(None, encrypted=True)
    email_index: str | None = Field(None, index=True, blind_index_of="email")
    age: int = 0


def users(use, **emails):
    use(User)
    for number, (key, email) in enumerate(emails.items()):
        User.create(id=key, email=email, age=number)


def rotated(ids_, current):
    keys = {"i": TWO, "j": ONE}
    meta = type("Meta", (), {"__module__": __name__, "__qualname__": "User.Meta", "entity": "User"})
    meta.blind_index = KeyRing({key_id: keys[key_id] for key_id in ids_}, current)
    return type(Model)("User", (User,), {"__module__": __name__, "__qualname__": "User", "Meta": meta})
