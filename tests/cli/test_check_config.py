"""`mixstore check` on a config: all that is wrong with it at once, each with file, key and the nearest valid name."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from mixstore import SettingsError
from mixstore.cli.app import build
from mixstore_backends.plugin import LazyBackend

MODELS = """
    from mixstore import Field, Model
    from mixstore_extensions import TTL, Compressed, History, Versioned

    class Session(TTL, Versioned, Model):
        id: str = Field(primary_key=True)

    class Page(Compressed, History, Model):
        id: str = Field(primary_key=True)
        body: str = Field("", compressed=True)
"""
WRONG = """
    [plugins]
    required = ["acme-geo>=1", "acme-audit"]

    [backends.default]
    url = "memory://"
    [backends.default.extensions]
    disable = ["histroy", "nothing-like-it"]
    apply = ["auditd"]
    [backends.default.extensions.options]
    compressed = { treshold = 3, level = 99, algorithm = "zip" }
    audited = { vallues = true }
    ttl = { attribute = "ttl" }

    [backends.events]
    url = "memroy://"

    [backends.files]
    url = "memory://somewhere"

    [models]
    "shop.models.Sesion" = "default"
    "shop.models.Page" = "evnts"
    "shp.models.Page" = "default"
"""


@pytest.fixture
def shop(write):
    write("shop/__init__.py", "")
    write("shop/models.py", MODELS)


pytestmark = pytest.mark.usefixtures("shop")


@pytest.fixture
def mistakes(run):
    """What is wrong, by place."""
    return lambda *arguments: told_by(run, *arguments)


def told_by(run, *arguments: str) -> dict[str, list[str]]:
    """What is wrong, by place; the exit code says so, too."""
    done = run("check", "--json", *arguments)
    found: dict[str, list[str]] = {}
    for one in json.loads(done.stdout)["mistakes"]:
        found.setdefault(one["where"], []).append(one["what"])
    assert done.exit_code == (1 if found else 0)
    return found


def test_every_mistake_of_a_config_is_told_at_once_with_file_key_and_nearest_name(mistakes, write, tmp_path):
    write("mixstore.toml", WRONG.replace('required = ["acme-geo>=1", "acme-audit"]', ""))
    found = mistakes("shop.models")
    file = f"{tmp_path}/mixstore.toml: "
    options = f"{file}backends.default.extensions.options."
    page = (
        f"{file}models.\"shop.models.Page\": Page wants the backend 'evnts', which is neither configured nor connected"
    )
    assert found == {
        f'{file}models."shop.models.Sesion"': ["shop.models has no 'Sesion', did you mean 'Session'?"],
        f'{file}models."shp.models.Page"': ["there is no such module in the working folder, nor is one installed"],
        f"{file}backends.events.url": [found[f"{file}backends.events.url"][0]],
        f"{file}backends.files.url": [
            "'memory://somewhere': nothing can follow memory://, which has no place and no options"
        ],
        f"{file}backends.default.extensions.disable": [
            "there is no extension 'histroy', did you mean 'history'?",
            found[f"{file}backends.default.extensions.disable"][1],
        ],
        f"{file}backends.default.extensions.apply": ["there is no extension 'auditd', did you mean 'audited'?"],
        f"{options}compressed.treshold": ["there is no option 'treshold', did you mean 'threshold'?"],
        f"{options}compressed.level": ["Input should be less than or equal to 22"],
        f"{options}compressed.algorithm": ["Input should be 'zlib' or 'zstd'"],
        f"{options}audited.vallues": ["there is no option 'vallues', did you mean 'values'?"],
        f"{options}ttl.attribute": ["there is no option 'attribute', there are none"],
        "shop.models.Page": [f"{page} [model=Page]\n  hint: {found['shop.models.Page'][0].partition('hint: ')[2]}"],
    }
    assert "no backend for URLs of scheme 'memroy', did you mean 'memory'?" in found[f"{file}backends.events.url"][0]
    assert "did you mean 'events'?" in found["shop.models.Page"][0]
    assert "nothing-like-it" in found[f"{file}backends.default.extensions.disable"][1]


def test_plugins_that_are_required_and_missing_are_told_once_each_beside_the_rest(fresh, points, write, tmp_path):
    write("mixstore.toml", WRONG)
    with pytest.raises(SettingsError, match="2 mistakes"):
        fresh.load_plugins(points)
    found = told_by(lambda *told: CliRunner().invoke(build(), told, prog_name="mixstore"), "shop.models")
    required = found[f"{tmp_path}/mixstore.toml: plugins.required"]
    assert [text.partition(",")[0] for text in required] == [
        "acme-geo>=1: it is not installed",
        "acme-audit: it is not installed",
    ]
    assert f'{tmp_path}/mixstore.toml: models."shop.models.Sesion"' in found
    assert f"{tmp_path}/mixstore.toml: backends.default.extensions.options.compressed.treshold" in found


def test_the_same_in_pyproject_and_in_the_environment_is_told_with_its_own_place(
    mistakes, write, tmp_path, monkeypatch
):
    write(
        "pyproject.toml",
        """
        [tool.mixstore.backends.default]
        url = "memory://"
        extensions.options.compressed.treshold = 3
        """,
    )
    monkeypatch.setenv("MIXSTORE_BACKENDS_DEFAULT_EXTENSIONS_DISABLE", "histroy")
    assert mistakes("shop.models") == {
        "environment MIXSTORE_BACKENDS_DEFAULT_EXTENSIONS_DISABLE: backends.default.extensions.disable": [
            "there is no extension 'histroy', did you mean 'history'?"
        ],
        f"{tmp_path}/pyproject.toml: tool.mixstore.backends.default.extensions.options.compressed.treshold": [
            "there is no option 'treshold', did you mean 'threshold'?"
        ],
    }


def test_a_backend_that_can_not_be_imported_is_told_with_the_key_of_its_url(fresh, mistakes, write, tmp_path):
    fresh.register_backend("cloud", LazyBackend("no_such_driver.backend", "Cloud"))
    write("mixstore.toml", '[backends.default]\nurl = "cloud://here"\n')
    place = f"{tmp_path}/mixstore.toml: backends.default.url"
    assert mistakes()[place] == ["ModuleNotFoundError: No module named 'no_such_driver'"]


def test_all_mistakes_of_structure_are_told_before_anything_else(run, write, tmp_path):
    write(
        "mixstore.toml",
        """
        strickt = true
        [plugins]
        blok = ["x"]
        required = ["geo>>1", "=1"]
        [backends.default]
        ulr = "memory://"
        [backends.events]
        url = "memory"
        extensions.enabel = ["ttl"]
        extensions.enable = ["ttl"]
        extensions.disable = ["ttl"]
        [models]
        "shop.models.Page" = 3
        """,
    )
    with pytest.raises(SettingsError, match="mistakes in the settings") as caught:
        run("check")
    lines = str(caught.value).splitlines()
    file = f"  {tmp_path}/mixstore.toml: "
    assert {line.removeprefix(file).partition(":")[0] for line in lines[1:]} == {
        "strickt",
        "plugins.blok",
        "plugins.required",
        "backends.default.url",
        "backends.default.ulr",
        "backends.events.url",
        "backends.events.extensions.enabel",
        'models."shop.models.Page"',
    }
    assert all(line.startswith(file) for line in lines[1:])


def test_what_the_config_can_not_apply_is_told_with_the_mixin_that_has_it(mistakes, write, tmp_path):
    write("mixstore.toml", '[backends.default]\nurl = "memory://"\nextensions.apply = ["timestamps"]\n')
    assert mistakes("shop.models") == {
        f"{tmp_path}/mixstore.toml: backends.default.extensions.apply": [
            "'timestamps' is the mixin Timestamps's own: make that a base of the models that want it"
        ]
    }


def test_a_url_that_the_config_gives_to_a_model_is_told_with_its_key(mistakes, write, tmp_path):
    write(
        "mixstore.toml",
        """
        [backends.default]
        url = "memory://"
        [models]
        "shop.models.Page" = "memroy://"
        """,
    )
    (told,) = mistakes("shop.models")["shop.models.Page"]
    assert told.startswith(f'{tmp_path}/mixstore.toml: models."shop.models.Page": no backend for URLs of scheme')
    assert "did you mean 'memory'?" in told


def test_a_name_to_block_that_is_nearly_a_plugin_is_told(mistakes, write, tmp_path):
    write("mixstore.toml", '[plugins]\nblock = ["extension", "legacy-geo"]\n[backends.default]\nurl = "memory://"\n')
    assert mistakes("shop.models") == {
        f"{tmp_path}/mixstore.toml: plugins.block": ["no plugin 'extension' is installed, did you mean 'extensions'?"]
    }


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("[plugin]", "{file}: plugin", "unknown key, did you mean 'plugins'?"),
        ("[plugins", "settings", "{file} is not TOML: "),
    ],
)
def test_settings_that_can_not_be_read_are_told_as_json_too(write, tmp_path, text, where, what):
    write("mixstore.toml", text)
    command = [sys.executable, "-c", "from mixstore.cli import main; main()", "check", "shop.models", "--json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    told = json.loads(done.stdout)
    file = f"{tmp_path}/mixstore.toml"
    assert (done.returncode, done.stderr, told["models"]) == (1, "", [])
    (mistake,) = told["mistakes"]
    assert mistake["where"] == where.format(file=file)
    assert mistake["what"].startswith(what.format(file=file))


def test_the_chain_is_told_with_the_reason_of_each_place(run, write):
    write("mixstore.toml", '[backends.default]\nurl = "memory://"\nextensions.disable = ["history"]\n')
    done = run("check", "--json", "shop.models")
    assert done.exit_code == 0
    session, page = json.loads(done.stdout)["models"]
    assert session == {
        "model": "shop.models.Session",
        "backend": {"kind": "memory", "name": "default"},
        "extensions": [
            {
                "name": "ttl",
                "fidelity": "emulated",
                "state": "active",
                "reason": "TTL.Expiry for any backend, from TTL; as declared",
            },
            {
                "name": "versioned",
                "fidelity": "native",
                "state": "active",
                "reason": "Versioned.VersionCheck for any backend, from Versioned; as declared",
            },
        ],
    }
    assert [(one["name"], one["state"]) for one in page["extensions"]] == [
        ("compressed", "active"),
        ("history", "inactive"),
    ]
