"""Compressed fields: long values take less room, and nothing else changes."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

import mixstore
from mixstore import ConfigurationError, CorruptRecordError, Envelope, Field, Model, QueryError
from mixstore_extensions import TTL, Compressed, Versioned
from tests.backends.shared.kinds import KINDS
from tests.backends.shared.support import examples, ids, paged, same
from tests.extensions.sealing import holders, owner, put, stored

LONG = "all work and no play makes jack a dull boy, " * 100
HOLDERS = holders(Compressed, Model, compressed=True)


class Page(TTL, Versioned, Compressed, Model):
    id: int = Field(primary_key=True)
    body: str = Field("", compressed=True)
    raw: bytes = Field(b"", compressed=True)
    data: dict[str, list[int]] = Field({}, compressed=True)
    topic: str = ""


@pytest.fixture(params=["zlib", "zstd"])
def small(request):
    """A model that compresses whatever gets smaller, on a configured backend."""
    with mixstore.registry():

        class Small(Compressed, Model):
            id: int = Field(primary_key=True)
            body: str = Field("", compressed=True)

        options = {"compressed": {"threshold": 0, "algorithm": request.param, "level": 5}}
        mixstore.configure(backends={"default": {"url": "memory://", "extensions": {"options": options}}})
        yield Small


@pytest.mark.parametrize("kind", KINDS)
def test_values_of_every_type_come_back_the_same(use, kind):
    model = use(HOLDERS[kind])
    model.where()._bound().chain.extensions[0].options.threshold = 0

    @examples(5)
    @given(values=st.lists(KINDS[kind].values, min_size=1, max_size=5))
    def come_back(values):
        model.where().delete()
        made = model.batch_create([{"id": number, "value": value} for number, value in enumerate(values)])
        for number, row in enumerate(made):
            assert model.get(number) == row
            assert same(model.get(number).value, row.value)
        found = model.get(0)
        found.value = values[-1]
        found.save()
        assert same(model.get(0).value, found.value)

    come_back()


def test_long_values_take_less_room_and_short_ones_stay_as_they_are(use):
    use(Page)
    Page.create(id=1, body=LONG, raw=LONG.encode(), data={"x": [1] * 2000})
    Page.create(id=2, body="short", raw=b"short", data={"x": [1]})
    long, short = stored(Page, 1), stored(Page, 2)
    assert {owner(long[name]) for name in ("body", "raw", "data")} == {"compressed"}
    assert all(len(long[name]) < 200 for name in ("body", "raw", "data"))
    assert (short["body"], short["raw"]) == ("short", b"short")
    assert Page.get(1).body == LONG
    assert Page.get(1).data == {"x": [1] * 2000}
    assert Page.get(2).data == {"x": [1]}


def test_a_value_that_gets_no_smaller_stays_as_it_is(use):
    import random

    use(Page)
    noise = random.Random(1).randbytes(5000)
    Page.create(id=1, raw=noise)
    assert stored(Page, 1)["raw"] == noise
    assert Page.get(1).raw == noise


def test_bytes_that_look_like_an_envelope_come_back(use):
    use(Page)
    for content in (b"", b"zabc", b"x" * 5000):
        fake = bytes(Envelope.of("compressed", content))
        assert same(Page.upsert(id=1, raw=fake).raw, fake)
        assert same(Page.get(1).raw, fake)


def test_filters_are_exact(use):
    use(Page)
    Page.batch_create([{"id": n, "body": LONG + str(n), "topic": "odd" if n % 2 else "even"} for n in range(30)])
    assert ids(Page.where(body__endswith=", 7")) == [7]
    assert Page.where(body__contains="jack").count() == 30
    assert ids(Page.where(body=LONG + "4", topic="even").limit(1).all()) == [4]
    assert Page.where(body__contains="jack", topic="odd").order_by("-id").limit(3).all()[0].id == 29
    assert paged(Page.where(body__contains="jack").order_by("topic", "id"), 7) == [*range(0, 30, 2), *range(1, 30, 2)]
    assert "body" in Page.where(body__contains="jack").explain().residual


def test_it_can_not_be_sorted_by(use):
    use(Page)
    with pytest.raises(QueryError, match=r"Page\.body is stored opaque"):
        Page.where().order_by("body").all()


def test_an_update_by_query_looks_at_the_values_when_it_writes(use, backend, monkeypatch):
    use(Page)
    Page.batch_create([{"id": n, "body": LONG} for n in range(3)])
    compile_writes, stolen = backend.compile_writes, []

    def steal(bound, writes):
        if not stolen:
            stolen.append(True)
            Page.get(0).update(body="changed")
        return compile_writes(bound, writes)

    monkeypatch.setattr(backend, "compile_writes", steal)
    assert Page.where(body__contains="jack").update(topic="x") == 2
    assert Page.where(body__contains="jack").delete() == 2
    assert ids(Page.all()) == [0]


def test_an_update_sends_only_what_changed(use, backend, monkeypatch):
    use(Page)
    page = Page.create(id=1, body=LONG)
    sent, compile_writes = [], backend.compile_writes
    monkeypatch.setattr(
        backend, "compile_writes", lambda bound, writes: sent.extend(writes) or compile_writes(bound, writes)
    )
    page.update(topic="x")
    Page.get(1).update(body=LONG + "!")
    assert [sorted(write.changes) for write in sent] == [["topic", "version"], ["body", "version"]]


def test_the_config_chooses_threshold_algorithm_and_level(small):
    small.create(id=1, body="a" * 50)
    assert len(stored(small, 1)["body"]) < 50
    assert small.get(1).body == "a" * 50


def test_what_one_algorithm_wrote_is_read_under_another(small):
    small.create(id=1, body="a" * 50)
    extension = small.where()._bound().chain.extensions[0]
    extension.options.algorithm = "zlib" if extension.options.algorithm == "zstd" else "zstd"
    assert small.get(1).body == "a" * 50


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"threshold": -1}, "options.compressed.threshold: "),
        ({"algorithm": "lzma"}, "options.compressed.algorithm: "),
        ({"level": 12}, "options.compressed: zlib has the levels 1 to 9, not 12"),
    ],
)
def test_wrong_options_are_told(options, told):
    with mixstore.registry():

        class Small(Compressed, Model):
            id: int = Field(primary_key=True)
            body: str = Field("", compressed=True)

        settings = {"url": "memory://", "extensions": {"options": {"compressed": options}}}
        mixstore.configure(backends={"default": settings})
        with pytest.raises(ConfigurationError, match=told):
            Small.count()


@pytest.mark.parametrize("option", ["unique", "index", "searchable"])
def test_a_compressed_field_is_in_no_index(backend, option):
    class Wrong(Compressed, Model):
        id: int = Field(primary_key=True)
        body: str = Field("", compressed=True, **{option: True})

    with pytest.raises(ConfigurationError, match=r"Wrong\.body"):
        backend.bound(Wrong)


def test_a_damaged_value_is_a_corrupt_record(use):
    use(Page)
    Page.create(id=1, body=LONG)
    damaged = bytearray(stored(Page, 1)["body"])
    damaged[-1] ^= 1
    put(Page, 1, body=bytes(damaged))
    with pytest.raises(CorruptRecordError, match=r"Page\.body does not decompress") as caught:
        Page.get(1)
    assert (caught.value.field, caught.value.key) == ("body", 1)


def test_zstd_without_its_package_is_told_with_what_to_install():
    code = (
        "import sys; sys.modules['zstandard'] = None\n"
        "import mixstore; from mixstore import ConfigurationError, Field, Model\n"
        "from mixstore_extensions import Compressed\n"
        "class Page(Compressed, Model):\n"
        "    id: int = Field(primary_key=True)\n"
        "    body: str = Field(compressed=True)\n"
        "options = {'compressed': {'algorithm': 'zstd'}}\n"
        "mixstore.configure(backends={'default': {'url': 'memory://', 'extensions': {'options': options}}})\n"
        "try: Page.count()\n"
        "except ConfigurationError as error: print(error)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "pip install 'mixstore[compression]'" in told
