"""Settings: files, environment, code, and what their mistakes look like."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from mixstore.config import configure
from mixstore.errors import ConfigurationError
from mixstore.registry import Registry, registry
from mixstore.settings import Settings, load

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """write(text, name="mixstore.toml"): writes a settings file; the working folder is `app`, beside it."""
    (tmp_path / "app").mkdir()
    monkeypatch.chdir(tmp_path / "app")

    def write(text: str, name: str = "mixstore.toml") -> Path:
        path = tmp_path / name
        path.write_text(dedent(text), encoding="utf-8")
        return path

    return write


@pytest.fixture
def fresh(write: Write) -> Iterator[Registry]:
    with registry() as fresh:
        yield fresh


def mistakes(path: Path | None = None, **overrides: object) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load(path, overrides)
    return str(caught.value)


def test_without_file_and_environment_there_are_defaults(write: Write):
    settings = load()
    assert settings == Settings()
    assert (settings.backends, settings.models, settings.plugins.block) == ({}, {}, ())
    assert (settings.strict, settings.trace, settings.cursor_secret) == (False, False, None)


def test_a_file_with_everything_is_read(write: Write):
    path = write("""
        cursor_secret = "s3cret"

        [plugins]
        block = ["legacy-geo"]

        [backends.default]
        url = "sqlite:///app.db"

        [backends.events]
        url = "dynamodb://events?region=eu-west-1"
        extensions.enable = ["ttl", "versioned"]
        extensions.disable = ["history"]
        extensions.apply = ["audit"]
        [backends.events.extensions.options.ttl]
        attribute = "ttl"

        [models]
        "app.models.Session" = "events"
    """)
    settings = load(path)
    assert settings.plugins.block == ("legacy-geo",)
    assert settings.backends["default"].url == "sqlite:///app.db"
    events = settings.backends["events"].extensions
    assert (events.enable, events.disable, events.apply) == (("ttl", "versioned"), ("history",), ("audit",))
    assert events.options == {"ttl": {"attribute": "ttl"}}
    assert settings.models == {"app.models.Session": "events"}
    assert settings.cursor_secret == "s3cret"


def test_no_enable_is_not_an_empty_one(write: Write):
    backends = {"a": {"url": "memory://"}, "b": {"url": "memory://", "extensions": {"enable": []}}}
    settings = load(None, {"backends": backends})
    assert settings.backends["a"].extensions.enable is None
    assert settings.backends["b"].extensions.enable == ()


def test_the_file_is_searched_upward(write: Write):
    write('[models]\nM = "here"')
    assert load().models == {"M": "here"}


def test_the_nearest_file_wins_and_mixstore_toml_beats_pyproject(write: Write):
    write('[models]\nM = "far"')
    write('[tool.mixstore.models]\nM = "near"', "app/pyproject.toml")
    assert load().models == {"M": "near"}
    write('[models]\nM = "nearest"', "app/mixstore.toml")
    assert load().models == {"M": "nearest"}


def test_a_pyproject_without_its_table_is_passed_over(write: Write):
    write('[models]\nM = "far"')
    write('[project]\ndependencies = ["mixstore"]', "app/pyproject.toml")
    assert load().models == {"M": "far"}


def test_a_pyproject_that_has_nothing_to_do_with_it_is_not_even_parsed(write: Write):
    write("{{ cookiecutter }}", "app/pyproject.toml")
    assert load() == Settings()


def test_an_explicit_pyproject_needs_the_table(write: Write):
    path = write('[project]\nname = "app"', "pyproject.toml")
    assert mistakes(path) == f"{path}: there is no table [tool.mixstore]"


def test_a_missing_file_is_an_error_that_names_it(write: Write, tmp_path: Path):
    assert f"{tmp_path / 'no.toml'} can't be read" in mistakes(tmp_path / "no.toml")


def test_a_file_that_is_not_toml_is_an_error_that_says_where(write: Write):
    path = write("[backends\n")
    text = mistakes(path)
    assert str(path) in text
    assert "is not TOML" in text
    assert "line 1" in text


def test_bytes_that_are_no_text_are_an_error_that_names_the_file(write: Write, tmp_path: Path):
    (tmp_path / "mixstore.toml").write_bytes(b"x = '\xff'")
    assert "mixstore.toml can't be read" in mistakes()


# the environment


def test_the_environment_beats_the_file(write: Write, monkeypatch: pytest.MonkeyPatch):
    write('[backends.default]\nurl = "memory://"\nextensions.disable = ["ttl"]\n[plugins]\nblock = ["a"]')
    monkeypatch.setenv("MIXSTORE_BACKENDS_DEFAULT_URL", "sqlite:///env.db")
    monkeypatch.setenv("MIXSTORE_PLUGINS_BLOCK", "b, c")
    settings = load()
    assert settings.backends["default"].url == "sqlite:///env.db"
    assert settings.backends["default"].extensions.disable == ("ttl",)
    assert settings.plugins.block == ("b", "c")


def test_code_beats_the_environment(write: Write, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MIXSTORE_BACKENDS_DEFAULT_URL", "sqlite:///env.db")
    settings = load(None, {"backends": {"default": {"url": "memory://"}}})
    assert settings.backends["default"].url == "memory://"


def test_the_environment_may_name_a_backend_that_no_file_has(write: Write, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MIXSTORE_BACKENDS_MY_EVENTS_URL", "memory://")
    assert list(load().backends) == ["my_events"]


def test_the_environment_finds_a_backend_whose_name_a_shell_can_not_spell(
    write: Write, monkeypatch: pytest.MonkeyPatch
):
    write('[backends.my-Events]\nurl = "memory://"')
    monkeypatch.setenv("MIXSTORE_BACKENDS_MY_EVENTS_URL", "sqlite://")
    assert {name: backend.url for name, backend in load().backends.items()} == {"my-Events": "sqlite://"}


def test_the_environment_lists_extensions_with_commas(write: Write, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MIXSTORE_BACKENDS_DEFAULT_URL", "memory://")
    monkeypatch.setenv("MIXSTORE_BACKENDS_DEFAULT_EXTENSIONS_DISABLE", "ttl,history")
    assert load().backends["default"].extensions.disable == ("ttl", "history")


@pytest.mark.parametrize(("text", "flag"), [("1", True), ("true", True), ("0", False), ("off", False), ("", False)])
def test_strict_and_trace_are_switches(write: Write, monkeypatch: pytest.MonkeyPatch, text: str, flag: bool):
    monkeypatch.setenv("MIXSTORE_STRICT", text)
    monkeypatch.setenv("MIXSTORE_TRACE", text)
    settings = load()
    assert (settings.strict, settings.trace) == (flag, flag)


def test_a_switch_that_is_neither_on_nor_off_names_its_variable(write: Write, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MIXSTORE_STRICT", "very")
    assert mistakes().startswith("environment MIXSTORE_STRICT: strict: should be a valid boolean")


def test_a_misspelt_variable_names_the_nearest(write: Write, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MIXSTORE_BACKENDS_DEFAULT_URI", "memory://")
    monkeypatch.setenv("MIXSTORE_PLUGIN_BLOCK", "a")
    monkeypatch.setenv("MIXSTORE_BACKENDS_DEFAULT_EXTENSION_APPLY", "a")
    monkeypatch.setenv("MIXSTORE_STRICTT", "1")
    text = mistakes()
    assert "MIXSTORE_STRICTT: unknown variable, did you mean 'MIXSTORE_STRICT'?" in text
    assert "_EXTENSION_APPLY: unknown variable, did you mean 'MIXSTORE_BACKENDS_DEFAULT_EXTENSIONS_APPLY'?" in text
    assert "MIXSTORE_BACKENDS_DEFAULT_URI: unknown variable, did you mean 'MIXSTORE_BACKENDS_DEFAULT_URL'?" in text
    assert "MIXSTORE_PLUGIN_BLOCK: unknown variable, did you mean 'MIXSTORE_PLUGINS_BLOCK'?" in text


def test_variables_for_something_else_are_left_alone(write: Write, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MIXSTORE_TEST_ENDPOINT", "x")
    monkeypatch.setenv("MIXSTORE_OTEL", "1")
    assert load() == Settings()


# ${VARIABLES} in values


def test_variables_in_values_are_replaced_everywhere(write: Write, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("REGION", "eu")
    monkeypatch.setenv("KEY", "a2V5")
    path = write("""
        [backends.default]
        url = "dynamodb://events-${REGION}?region=${REGION}"
        extensions.disable = ["x-${REGION}"]
        extensions.options.encrypted.keys = { one = "${KEY}" }
    """)
    default = load(path).backends["default"]
    assert default.url == "dynamodb://events-eu?region=eu"
    assert default.extensions.disable == ("x-eu",)
    assert default.extensions.options == {"encrypted": {"keys": {"one": "a2V5"}}}


def test_a_doubled_dollar_and_a_lone_one_stay(write: Write):
    path = write('[models]\nM = "a$${REGION}b$c$"')
    assert load(path).models == {"M": "a${REGION}b$c$"}


def test_a_variable_that_is_not_set_is_an_error_that_names_file_and_key(write: Write):
    path = write('[backends.default]\nurl = "sqlite:///${NO_SUCH_FOLDER}/app.db"')
    text = f"{path}: backends.default.url: the environment variable NO_SUCH_FOLDER is not set"
    assert mistakes(path) == text


def test_a_value_that_is_overridden_needs_no_variables(write: Write, monkeypatch: pytest.MonkeyPatch):
    write('[backends.default]\nurl = "${NO_SUCH_VARIABLE}"')
    monkeypatch.setenv("MIXSTORE_BACKENDS_DEFAULT_URL", "memory://")
    assert load().backends["default"].url == "memory://"


def test_variables_are_replaced_in_the_file_only(write: Write):
    assert load(None, {"models": {"M": "${NO_SUCH_VARIABLE}"}}).models == {"M": "${NO_SUCH_VARIABLE}"}


@pytest.mark.parametrize("reference", ["${", "${}", "${A B}", "${HOME"])
def test_a_malformed_variable_is_an_error(write: Write, reference: str):
    path = write(f'[models]\nM = "{reference}"')
    assert f"{path}: models.M: write ${{VARIABLE}}" in mistakes(path)


# mistakes


def test_all_mistakes_are_told_at_once_with_file_key_and_nearest(write: Write):
    path = write("""
        [plugin]
        [plugins]
        blok = []
        [backends.default]
        ulr = "memory://"
        [backends.events]
        url = "${NO_SUCH_VARIABLE}"
        extensions.enabled = ["ttl"]
        [models]
        "app.Session" = 5
    """)
    assert set(mistakes(path).splitlines()) == {
        "7 mistakes in the settings:",
        f"  {path}: backends.events.url: the environment variable NO_SUCH_VARIABLE is not set",
        f"  {path}: plugin: unknown key, did you mean 'plugins'?",
        f"  {path}: plugins.blok: unknown key, did you mean 'block'?",
        f"  {path}: backends.default.ulr: unknown key, did you mean 'url'?",
        f"  {path}: backends.default.url: is missing",
        f"  {path}: backends.events.extensions.enabled: unknown key, did you mean 'enable'?",
        f'  {path}: models."app.Session": should be the name or the URL of a backend; '
        'a dotted path takes quotes: "app.models.User" = "events"',
    }


def test_a_mistake_in_pyproject_names_the_whole_key(write: Write):
    path = write('[tool.mixstore.plugins]\nblok = ["a"]', "pyproject.toml")
    assert mistakes() == f"{path}: tool.mixstore.plugins.blok: unknown key, did you mean 'block'?"


def test_a_mistake_in_code_names_the_call(write: Write):
    write('[backends.default]\nurl = "memory://"')
    text = mistakes(backends={"default": {"extensions": {"aply": []}}}, modles={})
    assert "configure(): backends.default.extensions.aply: unknown key, did you mean 'apply'?" in text
    assert "configure(): modles: unknown key, did you mean 'models'?" in text


def test_mistakes_never_show_values(write: Write):
    text = mistakes(backends={"default": {"url": "hunter2"}}, cursor_secret=["hunter2"])
    assert "backends.default.url: should be a URL" in text
    assert "hunter2" not in text


def test_secrets_are_not_in_the_repr(write: Write):
    overrides = {"backends": {"a": {"url": "x://u:hunter2@h"}}, "cursor_secret": "hunter2"}
    assert "hunter2" not in repr(load(None, overrides))


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ('plugins = "geo"', "plugins: should be a table"),
        ('backends = "memory://"', "backends: should be a table"),
        ('[backends]\ndefault = "memory://"', "backends.default: should be a table"),
        ('[plugins]\nblock = "geo"', "plugins.block: should be a list"),
        ("[plugins]\nblock = [1]", "plugins.block.0: should be a valid string"),
        ('[backends.a]\nurl = "app.db"', "backends.a.url: should be a URL, such as sqlite:///app.db"),
        ('cursor_secret = ""', "cursor_secret: is empty; leave it out, or give it a value"),
        (
            '[models]\napp.models.User = "events"',
            "models.app: should be the name or the URL of a backend; a dotted path takes quotes: "
            '"app.models.User" = "events"',
        ),
        (
            '[backends.a]\nurl = "memory://"\nextensions.options.ttl = 5',
            "backends.a.extensions.options.ttl: should be a table",
        ),
        (
            '[backends.a]\nurl = "memory://"\nextensions = {enable = ["x"], disable = ["x"]}',
            "backends.a.extensions: x both enabled and disabled",
        ),
    ],
)
def test_a_value_of_the_wrong_kind_says_what_it_should_be(write: Write, text: str, mistake: str):
    path = write(text)
    assert mistakes(path) == f"{path}: {mistake}"


def test_settings_know_where_a_key_was_set(write: Write, monkeypatch: pytest.MonkeyPatch):
    path = write('[backends.events]\nurl = "memory://"\nextensions.enable = ["ttl"]')
    monkeypatch.setenv("MIXSTORE_BACKENDS_EVENTS_EXTENSIONS_DISABLE", "x")
    settings = load(path, {"models": {"app.M": "events"}})
    extensions = ("backends", "events", "extensions")
    assert settings.where(*extensions, "enable") == f"{path}: backends.events.extensions.enable"
    variable = "environment MIXSTORE_BACKENDS_EVENTS_EXTENSIONS_DISABLE"
    assert settings.where(*extensions, "disable") == f"{variable}: backends.events.extensions.disable"
    assert settings.where("models", "app.M") == 'configure(): models."app.M"'
    assert settings.where("plugins", "block") == "settings: plugins.block"


# in the registry


def test_the_registry_reads_the_settings_at_the_first_use(write: Write, fresh: Registry):
    write('[models]\n"app.M" = "events"')
    assert fresh.model_backend("app.M") == "events"
    assert fresh.model_backend("app.N") is None


def test_configure_replaces_the_settings_and_lets_models_bind_anew(write: Write, fresh: Registry):
    configure(models={"app.M": "events"})
    epoch = fresh.epoch
    settings = configure(write('[models]\n"app.N" = "default"'))
    assert fresh.settings is settings
    assert fresh.model_backend("app.M") is None
    assert fresh.epoch != epoch


def test_a_configure_that_fails_leaves_the_settings_as_they_were(write: Write, fresh: Registry):
    before = configure(models={"app.M": "events"})
    with pytest.raises(ConfigurationError):
        configure(modles={})
    assert fresh.settings is before


def test_extension_settings_of_an_unknown_backend_are_the_defaults(write: Write, fresh: Registry):
    configure(backends={"events": {"url": "memory://", "extensions": {"disable": ["ttl"]}}})
    assert fresh.extension_settings("events").disable == ("ttl",)
    assert fresh.extension_settings("default").enable is None
    assert fresh.extension_settings(None).disable == ()
