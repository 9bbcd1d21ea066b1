"""A search side that follows the stream of a table: writers write nothing more, and nothing is lost."""

from __future__ import annotations

from datetime import timedelta

import pytest

from mixstore import BackendUnavailableError, ConfigurationError, Field, Key, Model, UnsupportedOperationError
from mixstore_backends.composite import CompositeBackend, MemoryCache, NotSearchableError, Relay, Relayed
from mixstore_backends.composite.marks import Checkpoint, SyncMark
from mixstore_backends.dynamodb import DynamoDBBackend, TableOptions
from mixstore_backends.memory import InMemoryBackend
from mixstore_extensions import TTL, Encrypted, History, KeyRing, SoftDelete, Tenant, Versioned, tenant
from tests.backends.composite.streaming import again, backend, relayed, storage, streams_client, use
from tests.backends.shared.support import ids

__all__ = ["again", "backend", "storage", "streams_client", "use"]


class Article(Model):
    """A plain one."""

    id: str = Field(primary_key=True)
    title: str = Field("", searchable=True)


class Note(TTL, SoftDelete, Versioned, Model):
    """One that expires, is deleted softly and is locked."""

    id: str = Field(primary_key=True)
    title: str = Field("", searchable=True)


class Owned(Tenant, Model):
    """One of a tenant."""

    id: str = Field(primary_key=True)
    title: str = Field("", searchable=True)


class Member(History, Encrypted, Model):
    """One with rows beside it, and a secret."""

    class Meta:
        encryption = KeyRing({"a": bytes(32)})

    id: str = Field(primary_key=True)
    email: str | None = Field(None, unique=True)
    secret: str = Field("", encrypted=True)
    title: str = Field("", searchable=True)


class Task(Model):
    """One whose key a template makes."""

    class Meta:
        key = Key(partition="USER#{user}", sort="TASK#{number:03d}")

    user: str
    number: int
    title: str = Field("", searchable=True)


def marks(backend):
    """All marks that are stored."""
    return backend.query(SyncMark).all()


def test_writers_leave_no_marks_and_a_relay_copies_what_they_wrote(backend, use):
    use(Article)
    article = Article.create(id="a", title="old lamp")
    Article.create(id="b", title="chair")
    assert marks(backend) == []
    assert Article.search("lamp").all() == []
    assert relayed(backend) == 2
    assert ids(Article.search("lamp").all()) == ["a"]
    article.update(title="new")
    Article.get("b").delete()
    assert relayed(backend) == 2
    assert (ids(Article.search("new").all()), Article.search("chair").all()) == (["a"], [])
    assert backend.verify(Article).differences == 0
    assert backend.behind() == (0, None, 0)


def test_the_numbers_of_marks_go_up_with_each_copy(backend, use):
    use(Article)
    Article.batch_create([{"id": f"a{n}", "title": "word"} for n in range(3)])
    for number in (1, 2, 3):
        assert relayed(backend) == 3
        assert [mark.number for mark in marks(backend)] == [number] * 3
        for row in Article.where().from_storage().all():
            row.update(title=f"word {number}")
    assert relayed(backend) == 3


def test_a_round_without_writes_copies_and_keeps_nothing(backend, use):
    use(Article)
    Article.create(id="a", title="word")
    relay = Relay(backend)
    assert relay.once() == Relayed(1, 0)
    before = backend.query(Checkpoint).all()
    assert [relay.once() for _ in range(3)] == [Relayed()] * 3
    assert backend.query(Checkpoint).all() == before


def test_verify_looks_again_before_it_tells_of_what_a_relay_is_about_to_bring(backend, use, monkeypatch):
    use(Article)
    Article.create(id="a", title="word")
    backend.patience = (0.0, 0.0)
    waited = []

    def sleep(seconds):
        waited.append(seconds)
        if len(waited) == 2:
            Relay(backend).once()

    monkeypatch.setattr("mixstore_backends.composite.comparing.time.sleep", sleep)
    found = backend.verify(Article)
    assert (found.differences, found.waiting, len(waited)) == (0, 1, 2)
    backend.search.clear()
    assert backend.verify(Article).missing == 1


def test_a_relay_goes_on_where_another_has_stopped(backend, use):
    use(Article)
    Article.batch_create([{"id": f"a{n}", "title": "word"} for n in range(30)])
    assert relayed(backend) == 30
    Article.create(id="b", title="word")
    assert relayed(backend) == 1


def test_a_relay_in_a_process_that_has_just_begun_knows_all_models_that_are_bound(backend, use, again):
    class Begun(Model):
        id: str = Field(primary_key=True)
        title: str = Field("", searchable=True)

    use(Begun)
    Begun.create(id="a", title="word")
    fresh = again(backend)
    Begun.bind(fresh)
    assert relayed(fresh) == 1
    assert ids(Begun.search("word").all()) == ["a"]


def test_a_relay_that_fails_in_the_middle_keeps_no_position_beyond_what_it_copied(backend, use):
    use(Article)
    Article.batch_create([{"id": f"a{n}", "title": "word"} for n in range(30)])
    backend.search.away = True
    with pytest.raises(BackendUnavailableError):
        Relay(backend, batch=10).once()
    backend.search.away = False
    assert relayed(backend) == 30
    assert backend.verify(Article).differences == 0


def test_rows_that_the_engine_removes_take_their_copies_along(backend, use, storage):
    """As DynamoDB does when their time is over: nobody writes by mixstore then."""
    use(Note)
    Note.create(id="a", title="word", expires_at=backend.clock() + timedelta(hours=1))
    assert relayed(backend) == 1
    there = backend.copies(backend.bound(Note)).there
    get = backend.search.compile_get(there, [("a",)])
    assert backend.search.execute(get) != [None]
    table = backend.bound(Note).native
    storage.transport.client.delete_item(TableName=table.name, Key=table.keying.wire(("a",)))
    assert relayed(backend) == 1
    assert backend.search.execute(get) == [None]


def test_rows_that_are_put_past_the_composite_are_copied_too(backend, use, storage):
    use(Article)
    other = CompositeBackend(storage, InMemoryBackend())
    other.storage.execute(other.storage.compile_get(backend.bound(Article), [("a",)]))
    table = backend.bound(Article).native
    Article.create(id="a", title="word")
    item = storage.transport.client.scan(TableName=table.name)["Items"]
    item = next(one for one in item if one.get("title") == {"S": "word"})
    storage.transport.client.put_item(TableName=table.name, Item={**item, "title": {"S": "foreign"}})
    relayed(backend)
    assert ids(Article.search("foreign").all()) == ["a"]


def test_soft_deletes_locks_tenants_secrets_and_templates_of_keys(backend, use):
    use(Note, Owned, Member, Task)
    note = Note.create(id="n", title="word")
    with tenant("one"):
        Owned.create(id="o", title="word")
    member = Member.create(id="m", title="word", email="a@b", secret="hidden words")
    Task.create(user="ada", number=7, title="word")
    Relay(backend).once()
    assert ids(Note.search("word").all()) == ["n"]
    note.delete()
    member.update(title="changed", secret="other")
    Task.get(user="ada", number=7).update(title="done")
    Relay(backend).once()
    assert Note.search("word").all() == []
    assert ids(Note.search("word").include_deleted().all()) == ["n"]
    assert Member.search("changed").one().secret == "other"
    assert Task.search("done").one().number == 7
    with tenant("one"):
        assert ids(Owned.search("word").all()) == ["o"]
    with tenant("other"):
        assert Owned.search("word").all() == []
    stored = str(list(backend.search.execute(backend.search.compile_get(there(backend, Member), [("m",)]))))
    assert "other" not in stored
    for model in (Note, Member, Task):
        assert backend.verify(model).differences == 0
    with tenant("one"):
        assert backend.verify(Owned).differences == 0


def there(backend, model):
    """A model as the search side has it."""
    return backend.copies(backend.bound(model)).there


def test_a_record_that_is_refused_waits_as_a_mark_and_is_taken_later(backend, use, monkeypatch):
    use(Article)
    encode = there(backend, Article).encode
    refused = [True]

    def refusing(instance):
        if instance.id == "bad" and refused:
            raise UnsupportedOperationError("too much")
        return encode(instance)

    monkeypatch.setattr(there(backend, Article), "encode", refusing)
    Article.batch_create([{"id": "bad", "title": "word"}, {"id": "good", "title": "word"}])
    assert Relay(backend).once() == Relayed(1, 1)
    assert backend.behind().waiting == 1
    refused.clear()
    backend.clock.forward(seconds=2)
    assert Relay(backend).once() == Relayed(1, 0)
    assert sorted(ids(Article.search("word").all())) == ["bad", "good"]


@pytest.mark.parametrize("guarantee", ["write-sync", "sync"])
def test_guarantees_are_kept_without_marks_of_the_writers(backend, use, guarantee):
    use(Article, Member)
    with backend.guaranteeing(guarantee):
        article = Article.create(id="a", title="old")
        article.update(title="new")
        assert ids(Article.search("new").all()) == ["a"]
        Article.batch_create([{"id": "b", "title": "new"}, {"id": "c", "title": "new"}])
        Member.create(id="m", email="m", title="new")
        with backend.transaction():
            Article.get("b").delete()
            Article.create(id="d", title="new")
        assert sorted(ids(Article.search("new").all())) == ["a", "c", "d"]
        assert ids(Member.search("new").all()) == ["m"]
    relayed(backend)
    assert backend.verify(Article).differences == 0


def test_a_sync_write_says_that_the_search_side_is_away_and_a_relay_brings_it(backend, use):
    use(Article)
    backend.search.away = True
    with backend.guaranteeing("sync"), pytest.raises(NotSearchableError):
        Article.create(id="a", title="word")
    assert Article.get("a").title == "word"
    backend.search.away = False
    assert relayed(backend) == 1
    assert ids(Article.search("word").all()) == ["a"]


def test_what_needs_marks_is_refused(backend, use):
    use(Article)
    article = Article.create(id="a")
    for ask in (
        lambda: backend.token(article),
        Article.where(title="x").max_lag(timedelta(0)).all,
        Article.where(title="x").consistent_with("[]").all,
    ):
        with pytest.raises(UnsupportedOperationError, match='follow="marks"'):
            ask()


async def test_a_round_can_be_awaited(backend, use):
    use(Article)
    await Article.acreate(id="a", title="one")
    assert await Relay(backend).aonce() == Relayed(1, 0)
    assert ids(await Article.search("one").aall()) == ["a"]


def test_a_storage_without_a_feed_is_refused():
    with pytest.raises(ConfigurationError, match="memory has no change feed"):
        CompositeBackend(InMemoryBackend(), InMemoryBackend(), follow="stream")
    with pytest.raises(ConfigurationError, match="follow 'streams'"):
        CompositeBackend(InMemoryBackend(), InMemoryBackend(), follow="streams")


@pytest.mark.parametrize("kind", ["KEYS_ONLY", "OFF"])
def test_a_stream_of_another_kind_is_refused(dynamodb_client, streams_client, kind):
    made = DynamoDBBackend(
        "app", client=dynamodb_client, streams_client=streams_client, table=TableOptions(stream=kind)
    )
    with pytest.raises(ConfigurationError, match="can't be followed"):
        CompositeBackend(made, InMemoryBackend(), follow="stream")


def test_a_client_without_one_for_streams_is_refused(dynamodb_client):
    with pytest.raises(ConfigurationError, match="streams_client"):
        CompositeBackend(DynamoDBBackend("app", client=dynamodb_client), InMemoryBackend(), follow="stream")


def test_a_table_without_a_stream_is_refused_by_initialize(dynamodb_client, streams_client, request):
    made = DynamoDBBackend("test-plain", client=dynamodb_client, streams_client=streams_client)
    request.addfinalizer(lambda: dynamodb_client.delete_table(TableName="test-plain"))
    backend = CompositeBackend(made, InMemoryBackend(), follow="stream")
    with pytest.raises(ConfigurationError, match="has no stream"):
        backend.initialize(Article)


def test_a_relay_that_follows_the_stream_looks_after_marks_of_writers_that_have_not_changed_over(backend, use, storage):
    use(Article)
    former = CompositeBackend(storage, backend.search)
    former.clock = backend.clock
    former.upsert(Article, {"id": "a", "title": "marked"})
    assert backend.behind().waiting == 1
    backend.upsert(Article, {"id": "b", "title": "marked"})
    assert relayed(backend) == 2
    former.upsert(Article, {"id": "b", "title": "again"})
    assert relayed(backend) == 1
    assert (ids(Article.search("again").all()), backend.behind().waiting) == (["b"], 0)


def test_the_mark_of_a_deleted_record_goes_after_a_day_and_not_if_the_record_is_there_again(backend, use):
    use(Article)
    for key in ("a", "b"):
        Article.create(id=key, title="word").delete()
    assert relayed(backend) == 2
    Article.create(id="b", title="again")
    assert relayed(backend) == 1
    assert len(marks(backend)) == 2
    backend.clock.forward(days=2)
    relayed(backend)
    assert [mark.key for mark in marks(backend)] == ['["b"]']


def test_a_plain_write_takes_its_row_out_of_the_cache(storage):
    backend = CompositeBackend(storage, InMemoryBackend(), MemoryCache(), follow="stream")
    Article.bind(backend)
    try:
        backend.initialize(Article)
        Article.create(id="a", title="one")
        for title in ("two", "three"):
            found = [Article.get("a").title for _ in range(2)]
            assert len(set(found)) == 1
            Article.get("a").update(title=title)
            assert Article.get("a").title == title
        assert backend.cached().hits > 0
        Article.upsert(id="a", title="four")
        assert Article.get("a").title == "four"
        Article.get("a").delete()
        assert Article.get("a") is None
    finally:
        Article.bind(None)
