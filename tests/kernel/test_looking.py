"""Point reads for somebody who looks may be a little behind; those on which a write depends may not."""

from __future__ import annotations

import pytest

from mixstore import Field, Model
from mixstore_backends.memory import InMemoryBackend
from mixstore_extensions import History, SoftDelete, Versioned


class Account(History, Versioned, SoftDelete, Model):
    """One whose writes read what is stored."""

    id: str = Field(primary_key=True)
    mail: str = Field("", unique=True)
    n: int = 0


class Telling(InMemoryBackend):
    """It tells which reads were asked for by their keys, and of which model."""

    def __init__(self):
        super().__init__()
        self.asked = []

    def compile_read(self, bound, keys):
        self.asked.append(("read", bound.schema.name))
        return super().compile_get(bound, keys)

    def compile_get(self, bound, keys):
        self.asked.append(("get", bound.schema.name))
        return super().compile_get(bound, keys)

    def reads(self, work):
        """What was asked for to do this."""
        self.asked = []
        work()
        return self.asked


@pytest.fixture
def backend():
    made = Telling()
    Account.bind(made)
    made.initialize(Account)
    Account.create(id="a", mail="a@example.org")
    yield made
    Account.bind(None)


def test_get_and_batch_get_only_look(backend):
    assert backend.reads(lambda: Account.get("a")) == [("read", "Account")]
    assert backend.reads(lambda: backend.get(Account, id="a")) == [("read", "Account")]
    assert backend.reads(lambda: Account.batch_get(["a", "b"])) == [("read", "Account")]


def test_in_a_transaction_they_are_told_what_is_stored(backend):
    def work():
        with backend.transaction():
            Account.get("a")
            Account.batch_get(["a"])

    assert backend.reads(work) == [("get", "Account")] * 2


def test_refresh_and_every_write_ask_for_what_is_stored(backend):
    account = Account.get("a")
    assert backend.reads(account.refresh) == [("get", "Account")]
    for work in (
        lambda: account.update(n=1),
        lambda: Account.upsert(id="a", mail="a@example.org", n=2),
        lambda: Account.batch_upsert([{"id": "a", "mail": "b@example.org"}]),
        lambda: Account.where(id="a").update(n=4),
        lambda: Account.get(mail="b@example.org"),
        lambda: Account.where().first().delete(),
        lambda: Account.where().delete(),
    ):
        assert "read" not in {how for how, _ in backend.reads(work)}


def test_a_backend_that_says_nothing_of_it_answers_both_alike():
    class Plain(InMemoryBackend):
        asked = 0

        def compile_get(self, bound, keys):
            self.asked += 1
            return super().compile_get(bound, keys)

    backend = Plain()
    backend.create(Account, {"id": "a"})
    assert backend.get(Account, id="a")["n"] == 0
    assert backend.asked > 0
