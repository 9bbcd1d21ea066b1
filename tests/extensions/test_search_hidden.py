"""What a search, its suggestions and its numbers tell of rows that an extension hides: nothing, on every backend."""

from __future__ import annotations

from datetime import timedelta

import pytest

from mixstore import Bucket, Capability, Field, Missing, Model, Terms
from mixstore_extensions import TTL, SoftDelete, Tenant, tenant
from tests.backends.shared.support import ids

WORD = "confidential"


class Plain:
    """What the models have in common."""

    id: str = Field(primary_key=True)
    text: str = Field("", searchable=True)


class Shared(Plain, Tenant, Model): ...


class Kept(Plain, SoftDelete, Model): ...


class Short(Plain, TTL, Model): ...


@pytest.fixture(params=[Shared, Kept, Short])
def seen(request, use, backend):
    """A model with a row that can be seen, and one that can't. The test is another tenant's."""
    model = request.param
    if Capability.FULL_TEXT not in backend.capabilities:
        pytest.skip("it has no full-text search")
    use(model)
    with tenant("ours"):
        if model is Shared:
            with tenant("theirs"):
                model.create(id="theirs", text=f"{WORD} report")
        elif model is Kept:
            model.create(id="gone", text=f"{WORD} report").delete()
        else:
            model.create(id="old", text=f"{WORD} report", expires_in=timedelta(seconds=1))
            now = backend.clock()
            backend.clock = lambda: now + timedelta(minutes=1)
        model.create(id="mine", text="public report")
        yield model


def test_a_search_of_any_kind_finds_what_can_be_seen(seen):
    assert ids(seen.search("report").order_by("-score").all()) == ["mine"]
    for options in ({}, {"phrase": True}, {"prefix": True}):
        assert seen.search(WORD, **options).count() == 0
    page = seen.search("report").order_by("-score").limit(1).paginate()
    assert (ids(page), page.cursor) == (["mine"], None)


def test_words_of_rows_that_can_t_be_seen_are_not_suggested(seen, backend):
    assert seen.where().complete("conf") == []
    assert seen.where().complete("re") == ["report"]
    if Capability.FUZZY_SEARCH in backend.capabilities:
        assert seen.where().suggest("confidentail") == []
        assert seen.where().suggest("reprot") == ["report"]


def test_numbers_are_about_rows_that_can_be_seen(seen):
    told = seen.where().aggregate(texts=Terms("text"), none=Missing("text"))
    assert told == {"texts": [Bucket("public report", 1)], "none": 0}
    assert seen.search("report").aggregate(ids=Terms("id"))["ids"] == [Bucket("mine", 1)]
