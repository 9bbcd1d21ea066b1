"""Fields that follow from others: made of the final values, by one extension and nobody else."""

from __future__ import annotations

import pytest

from mixstore import (
    BackendExtension,
    ConfigurationError,
    Field,
    HookError,
    Mixin,
    Model,
    SchemaError,
    ValidationError,
    WriteChange,
    before_save,
)
from mixstore_backends.memory import InMemoryBackend


class Slugged(Mixin):
    slug: str = ""

    class Anywhere(BackendExtension):
        def derived(self, model_class):
            return {"slug": self._slug}

        def _slug(self, values, loaded):
            if loaded is not None and loaded["title"] == values["title"]:
                return loaded["slug"]
            return values["title"].lower().replace(" ", "-")


class Page(Slugged, Model):
    id: str = Field(primary_key=True)
    title: str = ""
    number: int = 0

    @before_save
    def tidy(self, context):
        self.title = self.title.strip()


@pytest.fixture(autouse=True)
def backend():
    made = InMemoryBackend()
    Page.bind(made)
    yield made
    Page.bind(None)


def test_the_value_is_made_of_what_hooks_left():
    assert Page.create(id="a", title="  Big News ").slug == Page.get("a").slug == "big-news"


def test_every_write_makes_it(backend):
    row = Page.create(id="a", title="One")
    row.title = "Two"
    row.save()
    assert (row.slug, Page.get("a").slug) == ("two", "two")
    assert row.update(title="Three").slug == "three"
    assert Page.upsert(id="a", title="Four").slug == "four"
    assert [one.slug for one in Page.batch_create([{"id": "b", "title": "B"}])] == ["b"]
    assert Page.where(slug="four").update(title="Five") == 1
    with backend.transaction():
        Page.create(id="c", title="See C")
    assert sorted(one.slug for one in Page.all()) == ["b", "five", "see-c"]


def test_what_the_caller_says_of_it_does_not_count():
    row = Page.create(id="a", title="One", slug="mine")
    assert row.slug == "one"
    row.slug = "mine"
    row.save()
    assert (row.slug, Page.get("a").slug) == ("one", "one")
    with pytest.raises(ValidationError, match="Input should be a valid string"):
        row.update(slug=5)


def test_an_update_writes_it_only_if_it_changed(backend, monkeypatch):
    row = Page.create(id="a", title="One")
    sent = []
    compiled = backend.compile_writes
    monkeypatch.setattr(backend, "compile_writes", lambda bound, writes: sent.extend(writes) or compiled(bound, writes))
    row.update(number=1)
    row.update(title="Two")
    assert [sorted(write.changes) for write in sent] == [["number"], ["slug", "title"]]


def test_a_later_extension_may_change_what_it_is_made_of():
    class Loud(Mixin):
        class Anywhere(BackendExtension):
            after = ("slugged",)

            def before_write(self, context):
                return WriteChange({"title": context.values["title"] + " News"})

    class Paper(Loud, Slugged, Model):
        id: str = Field(primary_key=True)
        title: str = ""

    Paper.bind(InMemoryBackend())
    assert Paper.create(id="a", title="Big").slug == "big-news"


def test_a_value_that_does_not_fit_its_field_is_refused():
    class Broken(Slugged, Model):
        id: str = Field(primary_key=True)
        title: str = ""
        slug: str = Field("", max_length=3)

    Broken.bind(InMemoryBackend())
    with pytest.raises(ValidationError, match=r"slug: String should have at most 3 characters"):
        Broken.create(id="a", title="long")


def test_what_fails_says_whose_it_is():
    class Failing(Mixin):
        class Anywhere(BackendExtension):
            def derived(self, model_class):
                return {"text": lambda values, loaded: 1 / 0}

    class Row(Failing, Model):
        id: str = Field(primary_key=True)
        text: str = ""

    Row.bind(InMemoryBackend())
    with pytest.raises(HookError, match=r"Failing\.Anywhere\.derived raised ZeroDivisionError.*nothing was stored"):
        Row.create(id="a")
    assert Row.count() == 0


def deriving(name: str, *fields: str) -> type[Mixin]:
    class Anywhere(BackendExtension):
        def derived(self, model_class):
            return dict.fromkeys(fields, lambda values, loaded: "x")

    Anywhere.name = name
    return type(Mixin)(name, (Mixin,), {"__module__": __name__, "__qualname__": name, "Anywhere": Anywhere})


@pytest.mark.parametrize(
    ("mixins", "error", "told"),
    [
        (
            [deriving("one", "text"), deriving("two", "text")],
            ConfigurationError,
            "text is derived by another extension",
        ),
        ([deriving("one", "id")], ConfigurationError, r"Row\.id is a key"),
        ([deriving("one", "txet")], SchemaError, "'txet'.*\n.*'text'"),
    ],
    ids=["two", "key", "unknown"],
)
def test_what_can_not_be_derived_is_told_when_the_model_is_bound(mixins, error, told):
    class Row(*mixins, Model):
        id: str = Field(primary_key=True)
        text: str = ""

    Row.bind(InMemoryBackend())
    with pytest.raises(error, match=told):
        Row.count()
