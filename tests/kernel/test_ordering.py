"""Where each extension stands in the chain, and which rule put it there."""

from __future__ import annotations

import pytest

from mixstore import BackendExtension, ConfigurationError, Field, Mixin, Model
from mixstore_backends.memory import InMemoryBackend


class First(Mixin):
    class Anywhere(BackendExtension):
        before = ("second",)


class Second(Mixin):
    class Anywhere(BackendExtension): ...


class Third(Mixin):
    class Anywhere(BackendExtension):
        after = ("second", "not_there")


class Fourth(Mixin):
    class Anywhere(BackendExtension):
        requires = ("third",)


class Fifth(Mixin):
    class Anywhere(BackendExtension): ...


def places(*bases: type) -> dict[str, str]:
    class Row(*bases, Model):
        id: str = Field(primary_key=True)

    Row.bind(InMemoryBackend())
    return {entry.name: entry.reason.partition("; ")[2] for entry in Row.extensions()}


def test_each_place_in_the_chain_has_the_rule_that_made_it():
    found = places(Fourth, Third, Second, Fifth, First)
    assert list(found) == ["fifth", "first", "second", "third", "fourth"]
    assert found == {
        "fifth": "as declared",
        "first": "before second (first.before)",
        "second": "after first (first.before), before third (third.after)",
        "third": "after second (third.after), before fourth (fourth.requires)",
        "fourth": "after third (fourth.requires)",
    }


def test_what_no_rule_concerns_stands_in_the_order_of_the_bases():
    assert list(places(Fifth, Second)) == ["fifth", "second"]
    assert list(places(Second, Fifth)) == ["second", "fifth"]
    assert set(places(Second, Fifth).values()) == {"as declared"}


def test_an_extension_may_say_that_it_comes_before_what_it_requires():
    class Early(Mixin):
        class Anywhere(BackendExtension):
            before = ("second",)
            requires = ("second",)

    assert list(places(Second, Early)) == ["early", "second"]


def test_a_requirement_can_close_a_circle():
    class Round(Mixin):
        class Anywhere(BackendExtension):
            requires = ("third",)
            before = ("second",)

    with pytest.raises(ConfigurationError, match="round, second, third want to come before each other"):
        places(Round, Second, Third)
