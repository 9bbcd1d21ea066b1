"""Binding: which backend a model uses, and what is wrong when it has none."""

from __future__ import annotations

import threading

import pytest

from mixstore import ConfigurationError, Field, Model, NotFoundError, SchemaError, configure, connect
from mixstore.registry import registry
from mixstore_backends.memory import InMemoryBackend


class User(Model):
    id: str = Field(primary_key=True)
    name: str = ""


class Admin(User):
    level: int = 0


class Guest(Model):
    class Meta:
        backend = "guests"

    id: str = Field(primary_key=True)


class Visitor(Guest):
    pass


@pytest.fixture(autouse=True)
def installed(fresh, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fresh.register_backend("memory", InMemoryBackend)
    yield
    for model in (User, Admin, Guest, Visitor):
        model.bind(None)


def path(model: type[Model]) -> str:
    return f"{model.__module__}.{model.__qualname__}"


def backend(name: str) -> InMemoryBackend:
    return connect("memory://", name=name)


def home_of(model: type[Model]) -> str | None:
    return model.create(id="x") and model.where()._bound().backend.config_name


# -- precedence


def test_the_default_backend_is_used_when_nothing_else_is_said():
    backend("default")
    assert home_of(User) == "default"


def test_meta_beats_the_default():
    backend("default")
    backend("guests")
    assert home_of(Guest) == "guests"


def test_the_config_beats_meta():
    for name in ("default", "guests", "events"):
        backend(name)
    configure(models={path(Guest): "events"})
    assert home_of(Guest) == "events"


def test_bind_beats_the_config():
    for name in ("default", "guests", "events"):
        backend(name)
    configure(models={path(Guest): "events"})
    Guest.bind("default")
    assert home_of(Guest) == "default"


def test_bind_of_none_takes_the_binding_back():
    backend("default")
    backend("guests")
    Guest.bind("default")
    Guest.bind(None)
    assert home_of(Guest) == "guests"


def test_bind_takes_a_backend_a_name_or_a_url():
    own = InMemoryBackend()
    User.bind(own)
    User.create(id="a")
    assert own.exists(User, id="a")
    User.bind("memory://")
    assert User.get("a") is None
    backend("named")
    User.bind("named")
    assert home_of(User) == "named"


@pytest.mark.parametrize("told", [42, InMemoryBackend, object()])
def test_bind_to_what_is_no_backend_is_an_error_that_says_what_it_takes(told):
    with pytest.raises(ConfigurationError, match=r"User.*a name, a URL or a Backend"):
        User.bind(told)


def test_meta_backend_may_be_an_instance_or_a_url():
    own = InMemoryBackend()

    class Here(Model):
        class Meta:
            backend = own

        id: str = Field(primary_key=True)

    class There(Model):
        class Meta:
            backend = "memory://"

        id: str = Field(primary_key=True)

    Here.create(id="a")
    There.create(id="a")
    assert (own.count(Here), There.count()) == (1, 1)


def test_meta_backend_of_another_type_is_an_error_that_names_it():
    class Odd(Model):
        class Meta:
            backend = 3

        id: str = Field(primary_key=True)

    with pytest.raises(ConfigurationError, match=r"Odd\.Meta\.backend must be a name, a URL or a Backend, not int"):
        Odd.create(id="a")


# -- nearer classes


def test_a_subclass_follows_the_binding_of_its_parent():
    own = InMemoryBackend()
    User.bind(own)
    Admin.create(id="a")
    assert (own.count(Admin), own.count(User)) == (1, 0)


def test_the_binding_of_the_nearer_class_beats_the_farther():
    far, near = InMemoryBackend(), InMemoryBackend()
    User.bind(far)
    Admin.bind(near)
    User.create(id="a")
    Admin.create(id="b")
    assert (far.count(User), near.count(Admin), far.count(Admin)) == (1, 1, 0)


def test_a_later_binding_of_the_parent_reaches_a_subclass_that_was_used_already():
    first, second = InMemoryBackend(), InMemoryBackend()
    User.bind(first)
    Admin.create(id="a")
    User.bind(second)
    Admin.create(id="b")
    assert (first.count(Admin), second.count(Admin)) == (1, 1)


def test_the_config_of_the_nearer_class_beats_the_farther():
    backend("far")
    backend("near")
    configure(models={path(User): "far", path(Admin): "near"})
    assert (home_of(User), home_of(Admin)) == ("far", "near")


def test_the_config_of_a_parent_reaches_its_subclasses():
    backend("default")
    backend("far")
    configure(models={path(User): "far"})
    assert home_of(Admin) == "far"


def test_meta_of_a_parent_reaches_its_subclasses():
    backend("default")
    backend("guests")
    assert home_of(Visitor) == "guests"


# -- nothing is bound


def test_a_model_without_a_backend_says_the_ways_to_get_one():
    with pytest.raises(ConfigurationError, match="User is bound to no backend") as caught:
        User.create(id="a")
    told = str(caught.value)
    for way in ("User.bind(backend)", 'connect("sqlite:///', "Meta.backend", "[backends.default]"):
        assert way in told


def test_a_name_that_nobody_connected_names_the_nearest_one():
    backend("guest")
    with pytest.raises(ConfigurationError, match=r"(?s)Guest wants the backend 'guests'.*did you mean 'guest'"):
        Guest.create(id="a")


def test_a_url_of_an_unknown_scheme_names_the_nearest_one():
    User.bind("memry://")
    with pytest.raises(ConfigurationError, match="memory"):
        User.create(id="a")


def test_an_abstract_model_may_be_bound_for_its_subclasses_but_not_used():
    class Base(Model):
        class Meta:
            abstract = True

        id: str = Field(primary_key=True)

    class Thing(Base):
        pass

    own = InMemoryBackend()
    Base.bind(own)
    Thing.create(id="a")
    assert own.count(Thing) == 1
    with pytest.raises(SchemaError, match="Base is abstract"):
        own.create(Base, {"id": "a"})


# -- entities


def test_two_classes_of_one_entity_on_one_backend_are_refused():
    class Member(Model):
        class Meta:
            entity = "User"

        id: str = Field(primary_key=True)

    backend("default")
    User.create(id="a")
    with pytest.raises(ConfigurationError, match=r"Member and .*\.User are both the entity 'User' on memory"):
        Member.create(id="a")


def test_two_classes_of_one_entity_may_live_on_two_backends():
    class Member(Model):
        class Meta:
            entity = "User"

        id: str = Field(primary_key=True)

    one, other = InMemoryBackend(), InMemoryBackend()
    User.bind(one)
    Member.bind(other)
    User.create(id="a")
    Member.create(id="b")
    assert (one.count(User), other.count(Member)) == (1, 1)


def test_subclasses_do_not_appear_in_the_queries_of_their_parent():
    backend("default")
    User.create(id="a")
    Admin.create(id="b")
    assert ([user.id for user in User.all()], [admin.id for admin in Admin.all()]) == (["a"], ["b"])
    assert User.get("b") is None


def version(number: int) -> type[Model]:
    if number == 1:

        class Note(Model):
            id: str = Field(primary_key=True)
            text: str = ""

    else:

        class Note(Model):
            id: str = Field(primary_key=True)
            text: str = ""
            stars: int = Field(0, index=True)

    return Note


def test_a_class_that_is_defined_again_finds_its_rows():
    backend("default")
    Old = version(1)
    Old.create(id="a", text="x")
    New = version(2)
    assert New.get("a").text == "x"
    assert New.get("a").stars == 0


def test_instances_of_a_class_that_was_defined_again_still_write_to_its_rows():
    backend("default")
    old = version(1).create(id="a")
    New = version(2)
    assert New.count() == 1
    old.update(text="x")
    assert New.get("a").text == "x"
    assert old.delete() is True
    assert New.get("a") is None
    with pytest.raises(NotFoundError):
        old.save()


# -- when


def test_defining_a_model_needs_no_backend_and_no_config(monkeypatch, tmp_path):
    (tmp_path / "mixstore.toml").write_text("this is no toml")

    class Early(Model):
        id: str = Field(primary_key=True)

    assert Early(id="a").id == "a"
    with pytest.raises(ConfigurationError, match=r"mixstore\.toml"):
        Early.create(id="a")


def test_writing_a_query_needs_no_backend():
    query = User.where(name="x").order_by("-id").limit(3)
    assert "name" in repr(query)
    with pytest.raises(ConfigurationError):
        query.all()


def test_a_model_bound_in_one_registry_is_not_bound_in_the_next(fresh):
    backend("default")
    User.create(id="a")
    with registry() as inner:
        inner.load_plugins([])
        with pytest.raises(ConfigurationError, match="bound to no backend"):
            User.get("a")
    assert User.get("a").id == "a"


def test_connecting_another_default_is_heard_by_models_in_use():
    first = backend("default")
    User.create(id="a")
    second = backend("default")
    User.create(id="b")
    assert (first.count(User), second.count(User)) == (1, 1)


def test_threads_that_use_a_model_first_at_once_bind_it_once():
    class Slow(InMemoryBackend):
        prepared = 0

        def prepare(self, bound):
            self.prepared += 1
            return super().prepare(bound)

    own = Slow()
    User.bind(own)
    start = threading.Barrier(8)

    def use(n: int) -> None:
        start.wait()
        User.create(id=str(n))

    threads = [threading.Thread(target=use, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (own.prepared, User.count()) == (1, 8)


def test_initialize_without_models_takes_those_that_are_bound_to_the_backend():
    class Told(InMemoryBackend):
        def initialize_bound(self, bounds):
            self.told = {bound.model for bound in bounds}

    class Person(Model):
        id: str = Field(primary_key=True)

    class Pupil(Person):
        pass

    class Teacher(Model):
        id: str = Field(primary_key=True)

    backend("default")
    own = Told()
    Person.bind(own)
    own.initialize()
    assert own.told == {Person, Pupil}


def test_a_method_of_queries_on_a_model_says_where_it_is():
    class Book(Model):
        id: str = Field(primary_key=True)

    with pytest.raises(AttributeError, match=r"Book\.where\(\)\.order_by"):
        Book.order_by("id")
    with pytest.raises(AttributeError, match="nothing"):
        _ = Book.nothing
