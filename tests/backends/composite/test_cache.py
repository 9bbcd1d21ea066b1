"""What a composite answers from its cache, and what never."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, reject

from mixstore import (
    BatchError,
    ConfigurationError,
    Field,
    Model,
    TransactionError,
    ValidationError,
    VersionConflictError,
    Write,
)
from mixstore.testing.support import same
from mixstore_backends.composite import Cached, CompositeBackend, MemoryCache
from mixstore_extensions import (
    TTL,
    Compressed,
    Counters,
    Encrypted,
    KeyRing,
    SoftDelete,
    Tenant,
    Versioned,
    retry_on_conflict,
    tenant,
)
from tests.backends.shared.kinds import KINDS, MODELS
from tests.backends.shared.support import Clock, examples

pytestmark = pytest.mark.filterwarnings("ignore::mixstore.ScanWarning")


@pytest.fixture(params=["memory", "sqlite", "dynamodb"])
def backend(request, sides):
    """A composite with a cache in this process, whose clock stands still."""
    made = CompositeBackend(sides(request.param, "storage"), sides("memory", "search"), MemoryCache())
    made.clock = Clock()
    return made


@pytest.fixture
def use(backend):
    """Bind models and initialize them."""
    bound = []

    def bind(*models):
        for model in models:
            model.bind(backend)
            bound.append(model)
        backend.initialize(*models)

    yield bind
    for model in bound:
        model.bind(None)


class Item(Model):
    """A plain one."""

    id: str = Field(primary_key=True)
    n: int = 0
    tags: list[str] = []


@pytest.fixture
def behind(backend):
    """`behind(Item, "a", n=5)`: somebody else writes to the storage, of which this cache hears nothing."""

    def write(model, key, **values):
        other = CompositeBackend(backend.storage, backend.search)
        other.clock = backend.clock
        row = other.query(model).filter(id=key).get()
        for name, value in values.items():
            setattr(row, name, value)
        other.update(model, row)

    return write


def test_a_row_is_read_from_the_storage_once(backend, use, behind):
    use(Item)
    Item.create(id="a", n=1, tags=["x"])
    first = Item.get("a")
    behind(Item, "a", n=2)
    assert (Item.get("a"), Item.get("a")) == (first, first)
    assert backend.get(Item, id="a")["n"] == 1
    assert backend.cached() == Cached(3, 1, 0)
    backend.cache.clear()
    assert Item.get("a").n == 2


def test_rows_from_the_cache_are_nobodys_but_the_readers(use):
    use(Item)
    Item.create(id="a", tags=["x"])
    Item.get("a").tags.append("y")
    Item.get("a").tags.append("z")
    assert Item.get("a").tags == ["x"]


def test_a_batch_asks_the_storage_for_what_is_missing_only(backend, use, behind):
    use(Item)
    Item.batch_create([{"id": f"{n}", "n": n} for n in range(4)])
    assert [one.n for one in Item.batch_get(["1", "2"])] == [1, 2]
    for n in range(4):
        behind(Item, f"{n}", n=n + 10)
    found = Item.batch_get(["3", "2", "no", "1", "2", "0"])
    assert [one and one.n for one in found] == [13, 2, None, 1, 2, 10]
    assert backend.cached() == Cached(3, 5, 0)


def test_that_there_is_no_row_is_not_cached(backend, use):
    use(Item)
    assert (Item.get("a"), Item.get("a")) == (None, None)
    assert len(backend.cache) == 0
    CompositeBackend(backend.storage, backend.search).create(Item, {"id": "a"})
    assert Item.get("a") == Item(id="a")


def test_a_row_is_written_with_what_the_reader_has_changed_in_it_only(backend, use, behind):
    use(Item)
    Item.create(id="a", n=1)
    Item.get("a")
    behind(Item, "a", n=2)
    row = Item.get("a")
    row.tags.append("x")
    row.save()
    assert Item.get("a") == Item(id="a", n=2, tags=["x"])


WRITES = {
    "create": lambda: (Item.get("a").delete(), Item.create(id="a", n=2)),
    "upsert": lambda: Item.upsert(id="a", n=2),
    "save": lambda: setattr(row := Item.get("a"), "n", 2) or row.save(),
    "update": lambda: Item.get("a").update(n=2),
    "delete": lambda: Item.get("a").delete(),
    "batch_upsert": lambda: Item.batch_upsert([{"id": "a", "n": 2}]),
    "update by query": lambda: Item.where(n=1).update(n=2),
    "delete by query": lambda: Item.where(n=1).delete(),
    "update of what a query found": lambda: Item.where(n=1).from_storage().first().update(n=2),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_every_write_is_seen_by_the_next_read(backend, use, write):
    use(Item)
    Item.create(id="a", n=1)
    Item.get("a")
    Item.get("a")
    write()
    stored = Item.where(id="a").from_storage().first()
    assert [Item.get("a"), Item.get("a")] == [stored] * 2
    assert stored is None or stored.n == 2


@pytest.mark.parametrize("guarantee", ["async", "sync"])
def test_what_a_transaction_writes_is_seen_after_it(backend, use, guarantee):
    use(Item)
    Item.batch_create([{"id": key} for key in "abc"])
    a, b, _ = Item.batch_get(["a", "b", "c"])
    with backend.guaranteeing(guarantee):
        with backend.transaction():
            a.update(n=1)
            b.delete()
            Item.create(id="d")
        assert Item.batch_get(["a", "b", "d"]) == [Item(id="a", n=1), None, Item(id="d")]


def test_a_transaction_reads_from_the_storage(backend, use, behind):
    use(Item)
    Item.batch_create([{"id": "a"}, {"id": "b"}])
    Item.batch_get(["a", "b"])
    behind(Item, "a", n=1)
    with backend.transaction():
        assert [one.n for one in (Item.get("a"), *Item.batch_get(["a", "b"]))] == [1, 1, 0]
        Item.upsert(id="b", n=5)
        with pytest.raises(TransactionError):
            Item.get("b")
    assert [one.n for one in Item.batch_get(["a", "b"])] == [0, 5]


def test_refresh_and_from_storage_read_what_is_stored(use, behind):
    use(Item)
    Item.create(id="a")
    row = Item.get("a")
    behind(Item, "a", n=1)
    assert Item.get("a").n == 0
    assert Item.where(id="a").from_storage().get().n == 1
    row.refresh()
    assert row.n == 1


def test_a_write_that_fails_takes_away_what_it_was_made_from(backend, use, behind):
    class Doc(Versioned, Model):
        id: str = Field(primary_key=True)
        n: int = 0

    use(Doc)
    Doc.create(id="a")
    Doc.get("a")
    behind(Doc, "a", n=1)

    @retry_on_conflict(attempts=2)
    def add():
        row = Doc.get("a")
        row.update(n=row.n + 1)

    add()
    assert Doc.get("a").n == 2
    old = Doc.get("a")
    behind(Doc, "a", n=10)
    with pytest.raises(VersionConflictError):
        old.update(n=0)
    assert Doc.get("a").n == 10


def test_a_batch_of_which_some_fail_leaves_nothing_old(backend, use):
    use(Item)
    Item.create(id="a", n=1)
    Item.get("a")
    with pytest.raises(BatchError):
        Item.batch_create([{"id": "a"}, {"id": "b"}])
    assert [one.n for one in Item.batch_get(["a", "b"])] == [1, 0]


def test_a_row_that_is_written_beside_another_is_taken_away_too(backend, use):
    use(Item)
    Item.batch_create([{"id": "a"}, {"id": "b"}])
    Item.batch_get(["a", "b"])
    bound = backend.bound(Item)
    beside = (Write("delete", bound, ("b",)),)
    write = Write("upsert", bound, ("a",), bound.encode(Item(id="a", n=5)), side_writes=beside)
    assert [one.status for one in backend.execute(backend.compile_writes(bound, (write,)))] == ["ok"]
    assert Item.batch_get(["a", "b"]) == [Item(id="a", n=5), None]


def test_counters_are_added_in_the_engine_and_read_as_they_are_then(use):
    class Post(Counters, Model):
        id: str = Field(primary_key=True)
        views: int = 0

    use(Post)
    post = Post.create(id="a")
    for n in range(1, 4):
        assert Post.get("a").views == n - 1
        post.increment("views")
        assert Post.get("a").views == n


# -- what others may not see -------------------------------------------------------------------------------------------


def test_a_row_that_expires_in_the_cache_is_not_shown(backend, use):
    class Session(TTL, Model):
        id: str = Field(primary_key=True)

    use(Session)
    Session.create(id="a", expires_in=timedelta(seconds=10))
    assert (Session.get("a").id, Session.get("a").id) == ("a", "a")
    backend.clock.now += timedelta(seconds=11)
    assert (Session.get("a"), Session.batch_get(["a"])) == (None, [None])
    assert backend.cached().hits == 3  # it is there, and not shown


def test_another_tenants_row_is_not_shown(backend, use):
    class Doc(Tenant, Model):
        id: str = Field(primary_key=True)

    use(Doc)
    with tenant("one"):
        Doc.create(id="a")
        assert (Doc.get("a").id, Doc.get("a").id) == ("a", "a")
    with tenant("two"):
        assert (Doc.get("a"), Doc.batch_get(["a"])) == (None, [None])
    assert backend.cached().hits == 3


def test_a_row_that_was_deleted_softly_is_not_shown(use):
    class Doc(SoftDelete, Model):
        id: str = Field(primary_key=True)

    use(Doc)
    doc = Doc.create(id="a")
    assert (Doc.get("a"), Doc.get("a")) == (doc, doc)
    doc.delete()
    assert (Doc.get("a"), Doc.get("a")) == (None, None)
    doc.restore()
    assert Doc.get("a").id == "a"


def test_what_is_encrypted_is_encrypted_in_the_cache(backend, use):
    class Letter(Encrypted, Compressed, Model):
        class Meta:
            encryption = KeyRing({"one": bytes(range(32))})

        id: str = Field(primary_key=True)
        text: str = Field(encrypted=True)
        long: str = Field("", compressed=True)

    use(Letter)
    letter = Letter.create(id="a", text="nobody knows this", long="again " * 100)
    assert [Letter.get("a") for _ in range(2)] == [letter] * 2
    assert backend.cached().hits == 1
    ((_, value, _),) = backend.cache._entries.values()
    assert b"nobody" not in value
    assert b"bm9ib2R5" not in value  # the same in base64
    found = Letter.get("a")
    found.update(text="nor this")
    assert [Letter.get("a").text for _ in range(2)] == ["nor this"] * 2


def test_a_row_is_found_by_a_unique_value_as_it_is_stored(backend, use, behind):
    class User(Model):
        id: str = Field(primary_key=True)
        mail: str = Field(unique=True)

    use(User)
    User.create(id="a", mail="old@example.org")
    User.get("a")
    behind(User, "a", mail="new@example.org")
    assert User.get("a").mail == "old@example.org"
    assert User.get(mail="new@example.org").id == "a"
    assert User.get(mail="old@example.org") is None


# -- forms -------------------------------------------------------------------------------------------------------------


def of_every_type(backend, use, kind):
    model = MODELS[kind]
    use(model)

    @examples(3)
    @given(value=KINDS[kind].values)
    def come_back(value):
        try:
            row = model.upsert(id=1, value=value)
        except ValidationError:  # more than DynamoDB can hold
            reject()
        hits = backend.cached().hits
        assert all(same(model.get(1).value, row.value) for _ in range(2))
        assert backend.cached().hits == hits + 1

    come_back()


@pytest.mark.parametrize("backend", ["memory", "sqlite"], indirect=True)
@pytest.mark.parametrize("kind", KINDS)
def test_values_of_every_type_come_back_from_the_cache(backend, use, kind):
    of_every_type(backend, use, kind)


@pytest.mark.parametrize("backend", ["dynamodb"], indirect=True)
@pytest.mark.parametrize("kind", ["int", "bytes", "datetime", "set", "tuple", "dict_by_int", "union", "optional"])
def test_values_as_dynamodb_stores_them_come_back_from_the_cache(backend, use, kind):
    of_every_type(backend, use, kind)


def test_a_damaged_entry_is_as_good_as_none(backend, use):
    use(Item)
    Item.create(id="a")
    Item.get("a")
    ((key, entry),) = backend.cache._entries.items()
    backend.cache._entries[key] = entry._replace(value=b"?" + entry.value[1:])
    assert Item.get("a") == Item(id="a")
    hits = backend.cached().hits
    assert (Item.get("a"), Item.get("a")) == (Item(id="a"), Item(id="a"))
    assert backend.cached().hits == hits + 1  # read anew, brought again, found


async def test_what_is_awaited_uses_the_cache_too(backend, use, behind):
    use(Item)
    await Item.acreate(id="a")
    assert await Item.aget("a") == Item(id="a")
    behind(Item, "a", n=1)
    assert [one.n for one in await Item.abatch_get(["a"])] == [0]
    await (await Item.aget("a")).aupdate(tags=["x"])
    assert await Item.aget("a") == Item(id="a", n=1, tags=["x"])


def test_without_a_cache_there_is_nothing_to_count(sides):
    backend = CompositeBackend(sides("memory", "storage"), sides("memory", "search"))
    assert (backend.cache, backend.cached()) == (None, Cached(0, 0, 0))
    with pytest.raises(ConfigurationError, match="must be a Cache, and dict is none"):
        CompositeBackend(sides("memory", "a"), sides("memory", "b"), {})
