"""What a chain needs and refuses when a model is bound, and what its extensions are given."""

from __future__ import annotations

from typing import Any

import pytest

from mixstore import (
    BackendExtension,
    Capability,
    ConfigurationError,
    Field,
    Mixin,
    Model,
    WriteChange,
)
from tests.kernel.recording import Inner, Outer, Recorder, log, names


@pytest.fixture(autouse=True)
def clean(store):
    log.clear()


class Row(Outer, Inner, Model):
    id: str = Field(primary_key=True)
    n: int = 0


# -- what it needs


def test_a_required_mixin_without_an_extension_names_mixin_backend_and_what_is_installed():
    class Locked(Mixin):
        class Declares:
            required = True

        class Dynamo(Recorder):
            backend_name = "dynamodb"

    class Safe(Locked, Model):
        id: str = Field(primary_key=True)

    with pytest.raises(ConfigurationError, match=r"(?s)Safe needs Locked.*'memory'.*dynamodb") as caught:
        Safe.create(id="a")
    assert (caught.value.model, caught.value.backend) == (Safe, "memory")


def test_a_mixin_that_is_not_required_is_listed_as_inactive_with_the_reason():
    class Optional(Mixin):
        class Dynamo(Recorder):
            backend_name = "dynamodb"

    class Safe(Optional, Model):
        id: str = Field(primary_key=True)

    (entry,) = Safe.extensions()
    assert (entry.name, entry.state, entry.fidelity) == ("optional", "inactive", None)
    assert "Safe on memory: no extension for this backend" in entry.reason


def test_required_is_inherited_by_mixins_that_subclass():
    class Locked(Mixin):
        class Declares:
            required = True

        class Dynamo(Recorder):
            backend_name = "dynamodb"

    class Relocked(Locked):
        class Declares:
            arguments = {}

    class Safe(Relocked, Model):
        id: str = Field(primary_key=True)

    with pytest.raises(ConfigurationError, match="Safe needs Locked"):
        Safe.create(id="a")


def test_a_required_capability_that_is_missing_is_an_error_that_names_it(store, monkeypatch):
    class Needy(Mixin):
        class Anywhere(Recorder):
            requires = (Capability.CONDITIONS, Capability.ATOMIC_WRITES)

    class Safe(Needy, Model):
        id: str = Field(primary_key=True)

    monkeypatch.setattr(type(store), "capabilities", Capability.CONDITIONS)
    with pytest.raises(ConfigurationError, match=r"'needy' of Safe requires ATOMIC_WRITES, which memory"):
        Safe.create(id="a")


def test_a_required_extension_that_is_missing_is_an_error_that_names_it():
    class Needy(Mixin):
        class Anywhere(Recorder):
            requires = ("outer",)

    class Alone(Needy, Model):
        id: str = Field(primary_key=True)

    class Together(Needy, Outer, Model):
        id: str = Field(primary_key=True)

    with pytest.raises(ConfigurationError, match=r"'needy' of Alone requires outer"):
        Alone.count()
    assert names(Together) == ["outer", "needy"]


def test_two_extensions_that_rewrite_one_operation_are_refused():
    class Soft(Mixin):
        class Anywhere(Recorder):
            rewrites = {"delete": "update"}

    class Softer(Mixin):
        class Anywhere(Recorder):
            rewrites = {"delete": "update"}

    class Pillow(Soft, Softer, Model):
        id: str = Field(primary_key=True)

    with pytest.raises(ConfigurationError, match=r"two extensions of Pillow rewrite delete"):
        Pillow.count()


@pytest.mark.parametrize(
    ("declared", "told"),
    [
        ({"rewrites": {"delet": "update"}}, "did you mean 'delete'"),
        ({"rewrites": {"delete": "updat"}}, "did you mean 'update'"),
        ({"reads": {"upsrt": ()}}, "did you mean 'upsert'"),
        ({"reads": {"update": ("nn",)}}, "'nn'"),
        ({"opaque": lambda self, model_class: {"nn": "refuse"}}, "'nn'"),
        ({"opaque": lambda self, model_class: {"n": "residul"}}, "did you mean 'residual'"),
        ({"opaque": lambda self, model_class: {"id": "refuse"}}, "id is a key"),
        ({"dead": lambda self, now: 3}, "dead"),
        ({"veiled": lambda self: None}, None),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else str(value),
)
def test_declarations_that_make_no_sense_are_refused_when_the_model_is_bound(declared, told):
    class Odd(Mixin):
        Anywhere = type(Recorder)("Anywhere", (BackendExtension,), declared)

    class Strange(Odd, Model):
        id: str = Field(primary_key=True)
        n: int = 0

    if told is None:
        assert names(Strange) == ["odd"]
        return
    with pytest.raises(ConfigurationError, match=told):
        Strange.count()


def test_a_hook_that_fails_when_the_model_is_bound_names_extension_hook_and_model():
    class Broken(Mixin):
        class Anywhere(BackendExtension):
            def configure_backend(self, model_class):
                raise KeyError("no such table")

    class Strange(Broken, Model):
        id: str = Field(primary_key=True)

    with pytest.raises(ConfigurationError, match=r"Broken\.Anywhere\.configure_backend.*Strange.*no such table"):
        Strange.count()


# -- what an extension is given


def test_there_is_one_instance_for_a_model_on_a_backend_with_everything_set(store):
    seen: list[Any] = []

    class Curious(Mixin):
        class Anywhere(BackendExtension):
            def configure_backend(self, model_class):
                seen.append((self, self.mixin_class, self.model, self.schema.name, self.backend, model_class))

            def before_write(self, context):
                seen.append(self)

    class Cat(Curious, Model):
        id: str = Field(primary_key=True)

    class Dog(Curious, Model):
        id: str = Field(primary_key=True)

    Cat.create(id="a")
    Cat.create(id="b")
    Dog.create(id="a")
    first, *rest = seen
    assert first[1:] == (Curious, Cat, "Cat", store, Cat)
    assert rest[:2] == [first[0]] * 2
    assert rest[2][0] is not first[0]


def test_configure_backend_runs_once_before_any_other_hook():
    order: list[str] = []

    class Early(Mixin):
        class Anywhere(Recorder):
            def configure_backend(self, model_class):
                order.append("configure")

            def before_write(self, context):
                order.append("write")
                return WriteChange()

    class Bird(Early, Model):
        id: str = Field(primary_key=True)

    Bird.create(id="a")
    Bird.create(id="b")
    assert order == ["configure", "write", "write"]


def test_a_model_without_extensions_has_an_empty_chain():
    class Plain(Model):
        id: str = Field(primary_key=True)

    assert Plain.extensions() == []


def test_an_active_entry_says_where_it_comes_from():
    (first, _) = Row.extensions()
    assert (first.state, first.fidelity, first.reason) == (
        "active",
        "emulated",
        "Recorder for any backend, from Outer; as declared",
    )
