"""What extensions and mixins declare is checked when their class is defined."""

from __future__ import annotations

from typing import Any

import pytest

from mixstore import BackendExtension, Capability, Declaration, Field, Lookup, Mixin, Model, PluginError, SchemaError
from mixstore.registry import Registry
from mixstore_extensions import TTL


def extension(**namespace: Any) -> Any:
    return type(BackendExtension)("Odd", (BackendExtension,), {"__qualname__": "Odd", **namespace})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("name", 5),
        ("name", ""),
        ("name", "a b"),
        ("backend_name", None),
        ("before", "ttl"),
        ("after", 5),
        ("requires", "ttl"),
        ("requires", Capability.UNIQUE),
        ("requires", (5,)),
        ("unless", Capability.UNIQUE),
        ("unless", ("UNIQUE",)),
        ("rewrites", "delete"),
        ("rewrites", {"delete": 5}),
        ("reads", {"upsert"}),
        ("reads", {"upsert": "email"}),
        ("reveals", 5),
        ("extends", "TTL"),
        ("activates_on", "unique"),
        ("fidelity", "natif"),
        ("Options", dict),
    ],
)
def test_a_declaration_of_an_extension_that_can_not_be_is_refused(name, value):
    with pytest.raises(SchemaError, match=rf"Odd\.{name} must be "):
        extension(**{name: value})


def test_what_may_be_declared_is_taken():
    made = extension(
        name="odd",
        before=("ttl",),
        after=["history"],
        requires=("tenant", Capability.CONDITIONS),
        unless=(Capability.UNIQUE,),
        rewrites={"delete": "update"},
        reads={"upsert": ("email",), "update": ()},
        extends=TTL,
        activates_on={"unique"},
        fidelity="native",
        helper=5,
        names=("a", "b"),
    )
    assert made.after == ["history"]


@pytest.mark.parametrize(("name", "nearest"), [("befor", "before"), ("require", "requires"), ("Option", "Options")])
def test_what_is_nearly_called_like_a_declaration_is_refused(name, nearest):
    with pytest.raises(SchemaError, match=rf"Odd\.{name} is nothing .* did you mean '{nearest}'"):
        extension(**{name: ("ttl",)})


@pytest.mark.parametrize("value", [5, property(lambda self: None), None])
def test_a_hook_that_is_no_method_is_refused(value):
    with pytest.raises(SchemaError, match=r"Odd\.before_write is an extension hook, and must be a method"):
        extension(before_write=value)


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("required", "yes"),
        ("arguments", {"for_days": 5}),
        ("arguments", ("for_days",)),
        ("meta", {"lifetime": "timedelta"}),
        ("options", {"masked": 5}),
        ("options", {5: bool}),
    ],
)
def test_a_part_of_what_a_mixin_declares_that_can_not_be_is_refused(part, value):
    with pytest.raises(SchemaError, match=rf"Ageing\.Declares\.{part} must be "):

        class Ageing(Mixin):
            Declares = Declaration(**{part: value})


@pytest.mark.parametrize(
    ("part", "name", "told"),
    [("meta", "entity", "the Meta key 'entity'"), ("options", "unique", "the Field option 'unique'")],
)
def test_what_is_the_kernels_own_is_for_no_mixin_to_declare(part, name, told):
    class Greedy(Mixin):
        Declares = Declaration(**{part: {name: bool}})

    with pytest.raises(SchemaError, match=rf"Greedy declares {told}, which is mixstore's own"):

        class User(Greedy, Model):
            id: str = Field(primary_key=True)


def test_two_mixins_that_mean_different_things_by_one_option_do_not_go_together():
    class Masked(Mixin):
        Declares = Declaration(options={"masked": bool})

    class Hidden(Mixin):
        Declares = Declaration(options={"masked": str})

    with pytest.raises(SchemaError, match="User: Hidden and Masked both declare the Field option 'masked'"):

        class User(Masked, Hidden, Model):
            id: str = Field(primary_key=True)


def test_a_mixin_may_declare_anew_what_its_base_declares():
    class Masked(Mixin):
        Declares = Declaration(options={"masked": bool})

    class Masking(Masked):
        Declares = Declaration(options={"masked": (bool, str)})

    class User(Masking, Model):
        id: str = Field(primary_key=True, masked="half")

    assert User.__pydantic_fields__["id"]


@pytest.mark.parametrize(
    ("lookup", "told"),
    [
        (Lookup("same", frozenset({"strr"})), "'strr' is no kind of field, did you mean 'str'"),
        (Lookup("same", operand="txet"), "can't be coerced by 'txet', did you mean 'text'"),  # type: ignore[arg-type]
        (Lookup("same", evaluate=5), "its `evaluate` is no function"),  # type: ignore[arg-type]
        (5, "lookup 5 is no mixstore.Lookup"),
    ],
)
def test_a_lookup_that_could_never_be_used_is_refused(lookup, told):
    with pytest.raises(PluginError, match=told):
        Registry().register_lookup(lookup)
