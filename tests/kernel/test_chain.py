"""The chain: which extensions run for a model on a backend, and in which order."""

from __future__ import annotations

import pytest

from mixstore import (
    BackendExtension,
    ConfigurationError,
    Field,
    Mixin,
    Model,
)
from tests.kernel.recording import Inner, Outer, Recorder, log, names, reasons


@pytest.fixture(autouse=True)
def clean(store):
    log.clear()


class Row(Outer, Inner, Model):
    id: str = Field(primary_key=True)
    n: int = 0


# -- order


def test_writes_run_forward_and_what_follows_them_reversed():
    Row.extensions()
    log.clear()
    Row.create(id="a")
    assert log == [
        "outer.before_write",
        "inner.before_write",
        "outer.validate",
        "inner.validate",
        "outer.serialize",
        "inner.serialize",
        "inner.after_write",
        "outer.after_write",
    ]


def test_reads_run_reversed():
    Row.create(id="a")
    log.clear()
    Row.get("a")
    assert [line for line in log if "query" not in line] == [
        "inner.deserialize",
        "outer.deserialize",
        "inner.after_read",
        "outer.after_read",
    ]


def test_queries_are_modified_forward():
    Row.extensions()
    log.clear()
    Row.all()
    assert log == ["outer.modify_query", "inner.modify_query"]


def test_extensions_stand_in_the_order_of_the_bases():
    assert names(Row) == ["outer", "inner"]


def test_before_and_after_change_the_order():
    class Last(Mixin):
        class Anywhere(Recorder):
            after = ("first", "middle")

    class Middle(Mixin):
        class Anywhere(Recorder): ...

    class First(Mixin):
        class Anywhere(Recorder):
            before = ("middle",)

    class Ordered(Last, Middle, First, Model):
        id: str = Field(primary_key=True)

    assert names(Ordered) == ["first", "middle", "last"]


def test_before_and_after_may_name_extensions_that_are_not_there():
    class Lonely(Mixin):
        class Anywhere(Recorder):
            before = ("nobody",)
            after = ("somebody",)

    class Ordered(Lonely, Model):
        id: str = Field(primary_key=True)

    assert names(Ordered) == ["lonely"]


def test_a_cycle_is_an_error_that_names_its_extensions():
    class Hen(Mixin):
        class Anywhere(Recorder):
            before = ("egg",)

    class Egg(Mixin):
        class Anywhere(Recorder):
            before = ("hen",)

    class Farm(Hen, Egg, Outer, Model):
        id: str = Field(primary_key=True)

    with pytest.raises(ConfigurationError, match=r"Farm on memory: the extensions egg, hen want to come before"):
        Farm.count()


# -- which extension


def test_an_override_in_a_subclass_replaces_its_parents_extension_of_the_same_name():
    class Loud(Outer):
        class Anywhere(Recorder):
            name = "outer"

            def note(self, hook: str) -> None:
                log.append(f"loud.{hook}")

    class Shout(Loud, Model):
        id: str = Field(primary_key=True)

    Shout.create(id="a")
    assert {line.split(".")[0] for line in log} == {"loud"}
    assert names(Shout) == ["outer"]


def test_a_subclassed_extension_inherits_its_bases_name():
    class Base(Mixin):
        class Anywhere(Recorder): ...

    class Special(Base):
        class Anywhere(Base.Anywhere):
            def note(self, hook: str) -> None:
                log.append("special")

    class Shout(Special, Model):
        id: str = Field(primary_key=True)

    Shout.create(id="a")
    assert (set(log), names(Shout)) == ({"special"}, ["base"])


def test_a_model_may_override_the_extension_of_a_mixin():
    class Base(Mixin):
        class Anywhere(Recorder): ...

    class Shout(Base, Model):
        class Anywhere(Base.Anywhere):
            def note(self, hook: str) -> None:
                log.append("own")

        id: str = Field(primary_key=True)

    Shout.create(id="a")
    assert (set(log), names(Shout)) == ({"own"}, ["base"])


def test_a_mixin_used_by_two_bases_runs_once():
    class Left(Outer): ...

    class Right(Outer): ...

    class Both(Left, Right, Model):
        id: str = Field(primary_key=True)

    Both.create(id="a")
    assert log.count("outer.before_write") == 1


def test_the_exact_backend_beats_any_backend_however_far():
    class Base(Mixin):
        class Memory(Recorder):
            backend_name = "memory"

    class Near(Base):
        class Anywhere(Base.Memory):
            backend_name = "*"

            def note(self, hook: str) -> None:
                log.append("anywhere")

    class Shout(Near, Model):
        id: str = Field(primary_key=True)

    Shout.create(id="a")
    assert "anywhere" not in log
    assert reasons(Shout)["base"].startswith("test_the_exact_backend")


def test_among_exact_ones_the_nearest_class_wins():
    class Base(Mixin):
        class Memory(Recorder):
            backend_name = "memory"

    class Near(Base):
        class Memory(Base.Memory):
            def note(self, hook: str) -> None:
                log.append("near")

    class Shout(Near, Model):
        id: str = Field(primary_key=True)

    Shout.create(id="a")
    assert set(log) == {"near"}


def test_extensions_of_one_mixin_with_different_names_both_run():
    class Double(Mixin):
        class One(Recorder):
            name = "one"

        class Two(Recorder):
            name = "two"

    class Shout(Double, Model):
        id: str = Field(primary_key=True)

    assert names(Shout) == ["one", "two"]


def test_two_mixins_may_call_their_inner_class_the_same():
    class Left(Mixin):
        class Memory(Recorder):
            backend_name = "memory"

    class Right(Mixin):
        class Memory(Recorder):
            backend_name = "memory"

    class Both(Left, Right, Model):
        id: str = Field(primary_key=True)

    assert names(Both) == ["left", "right"]


def test_an_extension_may_be_assigned_instead_of_nested():
    assert names(Row) == ["outer", "inner"]
    assert Outer.Anywhere is Inner.Anywhere is Recorder


def test_one_class_assigned_for_two_backends_is_one_extension():
    class Assigned(Mixin):
        Memory = Recorder
        Anywhere = Recorder

    class Shout(Assigned, Model):
        id: str = Field(primary_key=True)

    Shout.create(id="a")
    assert log.count("assigned.before_write") == 1


def test_two_mixins_that_have_nothing_in_common_cannot_share_an_extension_name():
    def audit(told: str) -> type[Mixin]:
        class Audit(Mixin):
            class Anywhere(BackendExtension):
                def before_write(self, context):
                    log.append(told)

        return Audit

    First, Second = audit("first"), audit("second")

    class Audited(First, Second, Model):
        id: str = Field(primary_key=True)

    with pytest.raises(ConfigurationError, match="audit"):
        Audited.create(id="a")
