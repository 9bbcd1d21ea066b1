"""What the documentation has to name: each setting, hook, capability, lookup and decision that there is."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from mixstore import BackendExtension, Capability, hookspecs, settings
from mixstore.extension import HOOKS
from mixstore.lookups import BUILTIN

DOCS = Path(__file__).resolve().parent.parent / "docs"
DECISIONS = sorted(path.name for path in (DOCS / "decisions").glob("[0-9]*.md"))
PLUGIN_HOOKS = [name for name in vars(hookspecs) if name.startswith("mixstore_")]
SETTINGS = [
    *(f"plugins.{name}" for name in settings.PluginSettings.model_fields),
    "models.",
    *(f"backends.NAME.{name}" for name in settings.BackendSettings.model_fields),
    *(f"backends.NAME.extensions.{name}" for name in settings.ExtensionSettings.model_fields),
    *(name for name in settings.Settings.model_fields if name not in ("plugins", "backends", "models")),
]


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("key", SETTINGS)
def test_every_setting_is_explained(key):
    assert f"`{key}" in page("config.md")


@pytest.mark.parametrize("variable", settings._VARIABLES)
def test_every_environment_variable_is_listed(variable):
    assert f"`{variable}`" in page("config.md")


@pytest.mark.parametrize("hook", PLUGIN_HOOKS)
def test_every_hook_of_a_plugin_is_explained_with_its_arguments(hook):
    arguments = ", ".join(inspect.signature(getattr(hookspecs, hook)).parameters)
    assert f"`{hook}({arguments})`" in page("write-an-extension.md")


def signature(function) -> str:
    """A function's name, arguments and annotations, as they are written."""
    told = inspect.signature(function)
    arguments = [
        name if one.annotation is one.empty else f"{name}: {one.annotation}" for name, one in told.parameters.items()
    ]
    return f"{function.__name__}({', '.join(arguments)}) -> {told.return_annotation}"


@pytest.mark.parametrize(
    "hook",
    [*(getattr(hookspecs, name) for name in PLUGIN_HOOKS), *(getattr(BackendExtension, name) for name in HOOKS)],
    ids=lambda hook: hook.__name__,
)
def test_the_reference_of_hooks_has_each_with_its_exact_signature(hook):
    assert f"### `{hook.__name__}`\n\n```text\n{signature(hook)}\n```\n" in page("plugins.md")


def test_the_reference_of_hooks_has_no_other_hook():
    headings = [line for line in page("plugins.md").splitlines() if line.startswith("### ")]
    assert headings == [f"### `{name}`" for name in (*PLUGIN_HOOKS, *HOOKS)]


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_of_an_extension_is_explained(hook):
    assert f"`{hook}(" in page("write-an-extension.md")


@pytest.mark.parametrize("capability", [capability.name for capability in Capability])
def test_every_capability_is_explained(capability):
    assert f"| `{capability}` |" in page("write-a-backend.md")


@pytest.mark.parametrize("lookup", BUILTIN)
def test_every_lookup_is_listed(lookup):
    line = next(line for line in page("tutorial.md").splitlines() if line.startswith("The lookups are"))
    assert lookup in line.replace("`", " ").replace(".", " ").split()


@pytest.mark.parametrize("decision", DECISIONS)
def test_every_decision_is_in_the_index_and_of_one_form(decision):
    assert f"({decision})" in page("decisions/README.md")
    text = page(f"decisions/{decision}")
    assert text.startswith(f"# {decision[:4]}: ")
    for part in ("**Question.**", "**Decision.**", "**Why.**", "**Rejected.**"):
        assert f"\n{part}\n" in text
