"""What the config says about extensions: enable, disable, apply, options; and what it can't say."""

from __future__ import annotations

import pydantic
import pytest

from mixstore import BackendExtension, ConfigurationError, Field, Mixin, Model, SettingsError, WriteChange, configure
from mixstore_backends.memory import InMemoryBackend
from tests.kernel.recording import Inner, Outer, Recorder, log, names, reasons


class Row(Outer, Inner, Model):
    id: str = Field(primary_key=True)
    n: int = 0


class Plain(Model):
    id: str = Field(primary_key=True)


class Limit(Mixin):
    size: int = 0

    class Anywhere(BackendExtension):
        class Options(pydantic.BaseModel):
            model_config = {"extra": "forbid"}
            biggest: int = 10

        def validate(self, data):
            if data["size"] > self.options.biggest:
                raise ValueError(f"more than {self.options.biggest}")


class Box(Limit, Model):
    id: str = Field(primary_key=True)


class Audit(Recorder):
    """What an operator may put on every model."""

    name = "audit"


@pytest.fixture(autouse=True)
def fresh_log(fresh, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fresh.register_backend("memory", InMemoryBackend)
    log.clear()


def extensions(**told) -> None:
    configure(backends={"default": {"url": "memory://", "extensions": told}})


# -- enable and disable


def test_without_a_word_in_the_config_all_that_a_model_declares_is_active():
    configure(backends={"default": {"url": "memory://"}})
    assert names(Row) == ["outer", "inner"]


def test_only_what_is_enabled_is_active():
    extensions(enable=["inner"])
    Row.create(id="a")
    assert (names(Row), names(Row, "inactive")) == (["inner"], ["outer"])
    assert {line.split(".")[0] for line in log} == {"inner"}
    assert reasons(Row)["outer"] == "switched off in the config"


def test_nothing_is_active_when_nothing_is_enabled():
    extensions(enable=[])
    assert names(Row) == []


def test_what_is_disabled_is_inactive():
    extensions(disable=["outer"])
    assert (names(Row), names(Row, "inactive")) == (["inner"], ["outer"])


def test_the_config_of_one_backend_does_not_touch_another():
    configure(
        backends={"default": {"url": "memory://"}, "other": {"url": "memory://", "extensions": {"disable": ["outer"]}}},
        models={f"{Row.__module__}.{Row.__qualname__}": "other"},
    )
    assert names(Row) == ["inner"]
    assert names(Box) == ["limit"]


class Locked(Mixin):
    class Declares:
        required = True

    class Anywhere(Recorder): ...


@pytest.mark.parametrize("told", [{"disable": ["locked"]}, {"enable": ["outer"]}, {"enable": []}], ids=str)
def test_a_required_mixin_cannot_be_switched_off(told):
    class Safe(Locked, Model):
        id: str = Field(primary_key=True)

    extensions(**told)
    with pytest.raises(ConfigurationError, match=r"switches locked off, which Locked requires on Safe"):
        Safe.create(id="a")


@pytest.mark.parametrize("key", ["enable", "disable", "options"])
def test_a_name_that_is_nearly_right_is_an_error_with_place_and_the_nearest_name(key):
    extensions(**{key: {"iner": {}} if key == "options" else ["iner"]})
    with pytest.raises(ConfigurationError, match=rf"backends\.default\.extensions\.{key}: .*'iner'.*'inner'"):
        Row.count()


def test_a_name_that_belongs_to_a_model_elsewhere_is_no_error():
    extensions(disable=["history", "limit"])
    assert names(Row) == ["outer", "inner"]


# -- apply


def test_an_extension_may_be_applied_to_every_model(fresh):
    fresh.register_extension(Audit)
    extensions(apply=["audit"])
    Plain.create(id="a")
    Row.create(id="a")
    assert log.count("audit.before_write") == 2
    assert (names(Plain), names(Row)) == (["audit"], ["outer", "inner", "audit"])


def test_what_is_applied_needs_not_be_enabled(fresh):
    fresh.register_extension(Audit)
    extensions(apply=["audit"], enable=["inner"])
    assert names(Row) == ["inner", "audit"]


def test_an_extension_that_is_registered_and_not_applied_stays_out(fresh):
    fresh.register_extension(Audit)
    extensions()
    assert names(Plain) == []


def test_applying_what_is_not_installed_is_an_error_with_place_and_the_nearest_name(fresh):
    fresh.register_extension(Audit)
    extensions(apply=["audti"])
    with pytest.raises(ConfigurationError, match=r"(?s)backends\.default\.extensions\.apply: .*'audti'.*'audit'"):
        Plain.count()


def test_applying_what_cannot_run_on_the_backend_is_an_error(fresh):
    class Elsewhere(Audit):
        backend_name = "dynamodb"

    fresh.register_extension(Elsewhere)
    extensions(apply=["audit"])
    with pytest.raises(ConfigurationError, match=r"no extension 'audit' can run on 'memory'"):
        Plain.count()


def test_of_what_is_applied_the_exact_backend_beats_any(fresh):
    class Exact(Audit):
        backend_name = "memory"

        def note(self, hook: str) -> None:
            log.append("exact")

    class Other(Audit):
        backend_name = "sqlite"

    for one in (Exact, Audit, Other):
        fresh.register_extension(one)
    extensions(apply=["audit"])
    Plain.create(id="a")
    assert set(log) == {"exact"}


def test_an_extension_that_needs_fields_can_be_applied_only_to_models_that_have_them(fresh):
    class Stamped(Mixin):
        stamp: int = 0

    class Stamp(BackendExtension):
        extends = Stamped

        def before_write(self, context):
            return WriteChange({"stamp": 1})

    class WithStamp(Stamped, Model):
        id: str = Field(primary_key=True)

    fresh.register_extension(Stamp)
    extensions(apply=["stamped"])
    assert WithStamp.create(id="a").stamp == 1
    assert names(WithStamp) == ["stamped"]
    with pytest.raises(ConfigurationError, match=r"'stamped' needs the fields of Stamped, and Plain has no stamp"):
        Plain.create(id="a")


# -- options


def test_options_reach_the_extension():
    extensions(options={"limit": {"biggest": 3}})
    with pytest.raises(ValueError, match="more than 3"):
        Box.create(id="a", size=4)


def test_without_options_their_defaults_hold():
    extensions()
    assert Box.create(id="a", size=10).size == 10


def test_an_unknown_option_names_the_nearest_one():
    extensions(options={"limit": {"bigest": 3}})
    with pytest.raises(ConfigurationError, match=r"extensions\.options\.limit\.bigest: .*did you mean 'biggest'"):
        Box.create(id="a")


def test_an_option_of_the_wrong_type_names_it():
    extensions(options={"limit": {"biggest": "many"}})
    with pytest.raises(ConfigurationError, match=r"extensions\.options\.limit\.biggest: .*integer"):
        Box.create(id="a")


def test_an_extension_without_options_takes_none():
    extensions(options={"outer": {"loud": True}})
    with pytest.raises(ConfigurationError, match=r"options\.outer\.loud: there is no option 'loud'"):
        Row.create(id="a")


def test_all_that_is_wrong_with_the_extensions_of_a_model_is_told_at_once_with_file_and_key(tmp_path):
    class Many(Outer, Inner, Limit, Model):
        id: str = Field(primary_key=True)

    (tmp_path / "mixstore.toml").write_text(
        """
        [backends.default]
        url = "memory://"
        [backends.default.extensions]
        disable = ["iner", "outr"]
        apply = ["audti"]
        [backends.default.extensions.options]
        limit = { bigest = 3, biggest = "many" }
        inner = { loud = true }
        """
    )
    configure()
    with pytest.raises(SettingsError) as caught:
        Many.count()
    file = f"{tmp_path}/mixstore.toml: backends.default.extensions"
    assert caught.value.mistakes == (
        (f"{file}.apply", "there is no extension 'audti', there are none"),
        (f"{file}.disable", "there is no extension 'iner', did you mean 'inner'?"),
        (f"{file}.disable", "there is no extension 'outr', did you mean 'outer'?"),
        (f"{file}.options.inner.loud", "there is no option 'loud', there are none"),
        (f"{file}.options.limit.biggest", "Input should be a valid integer, unable to parse string as an integer"),
        (f"{file}.options.limit.bigest", "there is no option 'bigest', did you mean 'biggest'?"),
    )
    assert str(caught.value).startswith("6 mistakes in the settings:\n  ")


def test_the_config_is_read_from_a_file(tmp_path):
    (tmp_path / "mixstore.toml").write_text(
        '[backends.default]\nurl = "memory://"\nextensions.disable = ["outer"]\n'
        "[backends.default.extensions.options.limit]\nbiggest = 2\n"
    )
    configure()
    assert names(Row) == ["inner"]
    with pytest.raises(ValueError, match="more than 2"):
        Box.create(id="a", size=3)
