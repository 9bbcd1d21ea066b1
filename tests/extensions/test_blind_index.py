"""Blind indexes: equal values of an encrypted field are found by a keyed hash, and by nothing else."""

from __future__ import annotations

import enum
from datetime import date, datetime, timezone
from typing import Annotated
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import StringConstraints

import mixstore
from mixstore import (
    Capability,
    Deferred,
    DuplicateKeyError,
    Field,
    Model,
    Q,
    QueryError,
)
from mixstore_extensions import AuditEntry, Compressed, History, SoftDelete, Versioned
from mixstore_extensions.history import StoredRevision
from tests.backends.shared.support import examples, ids
from tests.extensions.indexed import Indexed, User, rotated, users
from tests.extensions.sealing import SECRET

# -- asking


def test_an_encrypted_field_is_found_by_equality(use):
    users(use, a="ann@x", b="bob@x", c="ann@x", d=None)
    assert ids(User.where(email="ann@x").order_by("id")) == ["a", "c"]
    assert ids(User.where(email__in=["bob@x", "nobody", None]).order_by("id")) == ["b", "d"]
    assert ids(User.where(email__ne="ann@x").order_by("id")) == ["b", "d"]
    assert ids(User.where(email__not_in=["ann@x", None])) == ["b"]
    assert ids(User.where(email=None)) == ids(User.where(email__isnull=True)) == ["d"]
    assert User.where(email="nobody").first() is None
    assert User.where(email__in=[]).count() == 0


def test_it_may_stand_anywhere_in_a_filter(use):
    users(use, a="ann@x", b="bob@x", c="cid@x")
    assert ids(User.where(Q(email="ann@x") | Q(age=1)).order_by("id")) == ["a", "b"]
    assert ids(User.where(~(Q(email="ann@x") & Q(age=0))).order_by("id")) == ["b", "c"]
    assert User.where(email="ann@x", age=1).count() == 0
    assert User.where(email="ann@x").exists()
    assert User.where(email="bob@x").one().email == "bob@x"


def test_the_engine_does_it_by_its_index_and_sees_no_value(use, backend):
    users(use, a=SECRET)
    told = User.where(email=SECRET).explain()
    assert told.residual == ""
    indexed = Capability.INDEXES in backend.capabilities
    assert "email_index" in str(told.index if indexed else told.pushed)
    assert SECRET not in str(told)
    assert User.get("a").email_index in str(told)


@pytest.mark.parametrize(
    "query",
    [
        lambda: User.where(email__startswith="a"),
        lambda: User.where(email__gt="a"),
        lambda: User.where(email__icontains="A"),
        lambda: User.where(Q(email="a") | Q(email__lt="b")),
        lambda: User.where(email=Deferred("mine", lambda environment: "a")),
        lambda: User.where().order_by("email"),
    ],
)
def test_everything_else_stays_refused(use, query):
    use(User)
    with pytest.raises(QueryError, match=r"User\.email is stored opaque"):
        query().all()


def test_get_takes_no_encrypted_field(use):
    use(User)
    with pytest.raises(QueryError, match=r"primary key of User or one unique field, not email"):
        User.get(email="a")


def test_an_operand_of_the_wrong_type_is_an_error_as_ever(use):
    use(User)
    with pytest.raises(QueryError, match=r"User\.email is str"):
        User.where(email=5).all()


class Color(str, enum.Enum):
    RED = "red"


KINDS = {
    "str": (str, st.text(max_size=3) | st.sampled_from(["", "e\u0301", "\u00e9", "E"]) | st.just(Color.RED)),
    "bytes": (bytes, st.binary(max_size=2)),
    "int": (int, st.integers(-3, 3) | st.sampled_from([2**62, -(2**62)])),
    "date": (date, st.dates(date(2024, 1, 1), date(2024, 1, 3))),
    "datetime": (
        datetime,
        st.sampled_from([datetime(2024, 1, 1, 12, tzinfo=timezone.utc)]).flatmap(
            lambda one: st.sampled_from([one, one.astimezone()])
        ),
    ),
    "uuid": (UUID, st.sampled_from([UUID(int=1), UUID(int=2)])),
}


def holder(kind, **options):
    place = {"__module__": __name__, "__qualname__": f"Of{kind}"}
    fields = {"value": Field(None, encrypted=True), "value_index": Field(None, index=True, blind_index_of="value")}
    notes = {"id": int, "value": KINDS[kind][0] | None, "value_index": str | None}
    return type(Model)(
        f"Of{kind}", (Indexed,), {**place, "__annotations__": notes, "id": Field(primary_key=True), **fields}
    )


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_found_is_what_is_equal_for_every_kind(use, kind):
    model = use(holder(kind))

    @examples(15)
    @given(values=st.lists(st.none() | KINDS[kind][1], max_size=5), asked=KINDS[kind][1])
    def agree(values, asked):
        model.where().delete()
        model.batch_create([{"id": number, "value": value} for number, value in enumerate(values)])
        there = {row.id: row.value for row in model.all()}
        assert ids(model.where(value=asked).order_by("id")) == [key for key, one in there.items() if one == asked]
        assert ids(model.where(value__ne=asked).order_by("id")) == [key for key, one in there.items() if one != asked]

    agree()


def test_a_fraction_equals_no_whole_number(use):
    model = use(holder("int"))
    model.create(id=1, value=17)
    assert model.where(value=17.5).count() == 0
    assert model.where(value=17.0).count() == 1


# -- writing


def test_every_write_keeps_the_index(use, backend):
    users(use, a="old@x", b="old@x")
    row = User.get("a")
    row.email = "new@x"
    row.save()
    assert User.where(email="new@x").one() == row == User.get("a")
    row.update(email=None)
    assert (row.email_index, User.get("a").email_index) == (None, None)
    User.upsert(id="a", email="up@x")
    assert ids(User.where(email="up@x")) == ["a"]
    assert User.where(email="up@x").update(email="query@x") == 1
    assert ids(User.where(email="query@x")) == ["a"]
    with backend.transaction():
        User.create(id="t", email="query@x")
    User.batch_upsert([{"id": "c", "email": "query@x"}])
    assert ids(User.where(email="query@x").order_by("id")) == ["a", "c", "t"]
    assert User.where(email="query@x").delete() == 3
    assert ids(User.all()) == ["b"]


async def test_it_can_be_awaited(use):
    users(use, a="ann@x")
    assert (await User.where(email="ann@x").aone()).id == "a"


def test_nobody_else_fills_the_index(use):
    use(User)
    row = User.create(id="a", email="ann@x", email_index="i:forged")
    assert row.email_index == User.get("a").email_index != "i:forged"
    row.email_index = None
    row.save()
    assert ids(User.where(email="ann@x")) == ["a"]
    assert row.update(email_index="i:forged").email_index == User.get("a").email_index
    assert ids(User.where(email="ann@x")) == ["a"]


def test_a_value_is_indexed_as_it_is_stored(use):
    class Trimmed(Indexed):
        id: str = Field(primary_key=True)
        email: Annotated[str, StringConstraints(strip_whitespace=True, to_lower=True)] = Field("", encrypted=True)
        email_index: str | None = Field(None, index=True, blind_index_of="email")

    row = use(Trimmed).create(id="a", email=" Ann@X ")
    assert ids(Trimmed.where(email="ann@x")) == ["a"]
    row.email = " Bob@X "
    row.save()
    assert (row.email, ids(Trimmed.where(email="bob@x"))) == ("bob@x", ["a"])


def test_an_update_of_something_else_sends_neither_value_nor_index(use, backend, monkeypatch):
    users(use, a="ann@x")
    sent = []
    compile_writes = backend.compile_writes
    monkeypatch.setattr(
        backend, "compile_writes", lambda bound, writes: sent.extend(writes) or compile_writes(bound, writes)
    )
    User.get("a").update(age=7)
    assert [sorted(write.changes) for write in sent] == [["age"]]


def test_two_writers_of_one_row_do_not_part_value_and_index(use):
    users(use, a="ann@x")
    mine, yours = User.get("a"), User.get("a")
    mine.update(email="new@x")
    yours.update(age=9)
    assert ids(User.where(email="new@x", age=9)) == ["a"]
    assert User.where(email="ann@x").count() == 0


# -- what it tells


def test_the_hash_is_keyed_and_its_own_for_each_entity_and_field(use):
    class Two(Indexed):
        id: str = Field(primary_key=True)
        one: str | None = Field(None, encrypted=True)
        one_index: str | None = Field(None, index=True, blind_index_of="one")
        two: str | None = Field(None, encrypted=True)
        two_index: str | None = Field(None, index=True, blind_index_of="two")

    users(use, a=SECRET, b=SECRET)
    use(Two)
    row = Two.create(id="a", one=SECRET, two=SECRET)
    same = {User.get("a").email_index, User.get("b").email_index}
    assert len(same) == 1
    assert len(same | {row.one_index, row.two_index}) == 3
    assert User.get("a").email_index != use(rotated("j", "j")).create(id="c", email=SECRET).email_index


def test_neither_history_nor_audit_keep_the_hash():
    class Kept(History, Indexed):
        id: str = Field(primary_key=True)
        email: str | None = Field(None, encrypted=True)
        email_index: str | None = Field(None, index=True, blind_index_of="email")

    told = {"apply": ["audited"], "options": {"audited": {"values": True}}}
    with mixstore.registry():
        mixstore.configure(backends={"default": {"url": "memory://", "extensions": told}})
        row = Kept.create(id="a", email="ann@x")
        row.update(email="bob@x")
        backend = row.where()._bound().backend
        hashes = [row.email_index.partition(":")[2]]
        told = [*backend.query(StoredRevision).all(), *backend.query(AuditEntry).all()]
        assert len(told) == 4
        assert not any(one in repr(told) for one in [*hashes, "email_index': 'i:"])
        assert [one.values["email"] for one in Kept.history("a")] == ["bob@x", "ann@x"]
        row.revert(1)
        assert ids(Kept.where(email="ann@x")) == ["a"]
        assert Kept.where(email="bob@x").count() == 0


# -- with others


def test_a_unique_index_makes_the_value_unique(use):
    class Member(Indexed):
        id: str = Field(primary_key=True)
        email: str | None = Field(None, encrypted=True)
        email_index: str | None = Field(None, unique=True, blind_index_of="email")

    use(Member).create(id="a", email="ann@x")
    with pytest.raises(DuplicateKeyError) as caught:
        Member.create(id="b", email="ann@x")
    assert caught.value.field == "email_index"
    Member.create(id="b", email=None)
    Member.create(id="c", email=None)
    Member.get("a").update(email="new@x")
    assert Member.create(id="d", email="ann@x").email == "ann@x"


def test_beside_compression_versions_and_soft_delete(use):
    class Full(Compressed, Versioned, SoftDelete, Indexed):
        id: str = Field(primary_key=True)
        body: str = Field("", encrypted=True, compressed=True)
        body_index: str | None = Field(None, index=True, blind_index_of="body")

    long = "spam and eggs, " * 200
    row = use(Full).create(id="a", body=long)
    assert ids(Full.where(body=long)) == ["a"]
    row.delete()
    assert Full.where(body=long).count() == 0
    Full.include_deleted().filter(body=long).one().restore()
    assert Full.where(body=long).one().version == 3
