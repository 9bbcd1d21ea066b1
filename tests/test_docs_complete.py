"""What the documentation has to name: each setting, hook, capability, lookup and decision that there is."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

import mixstore_extensions
from mixstore import BackendExtension, Capability, Mixin, MixstoreError, errors, hookspecs, query_method, settings
from mixstore.cli.app import OWN
from mixstore.definition import META as KERNEL_META
from mixstore.extension import HOOKS
from mixstore.fields import KERNEL_OPTIONS
from mixstore.lookups import BUILTIN
from mixstore.mixin import snake_case
from mixstore_extensions import Audited

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


# -- what extensions and the command line add

MIXINS = [one for one in vars(mixstore_extensions).values() if isinstance(one, type) and issubclass(one, Mixin)]
PAGE_OF = {"TenantScoped": "tenant", "TTL": "ttl", "Sequence": "counters"}
FORMS = {
    "options": r"\b{}=",
    "meta": r"(Meta\.{0}\b|^\s+{0} = )",
    "arguments": r"\b{}=",
    "Options": r"(`(options\.\w+\.)?{0}`|^{0} = |\"{0}\": )",
    "query method": r"\.{}\(",
}


def declared() -> list[tuple[str, str, str]]:
    """(page, what, name) of all that the built-in extensions let people write, options in the config included."""
    found = []
    for owner in (*MIXINS, Audited):
        page = PAGE_OF.get(owner.__name__, snake_case(owner.__name__))
        told = vars(owner).get("Declares")
        for what in ("options", "meta", "arguments"):
            found += [(page, what, name) for name in getattr(told, what, None) or ()]
        inner = [one for one in (owner, *vars(owner).values()) if isinstance(one, type)]
        for one in inner:
            if issubclass(one, BackendExtension):
                found += [(page, "Options", name) for name in one.Options.model_fields]
        found += [(page, "query method", name) for name, one in vars(owner).items() if isinstance(one, query_method)]
    return found


@pytest.mark.parametrize(("name", "what", "told"), declared(), ids=str)
def test_what_an_extension_lets_people_write_is_on_its_page(name, what, told):
    assert re.search(FORMS[what].format(told), page(f"extensions/{name}.md"), re.M)


@pytest.mark.parametrize("mixin", MIXINS, ids=lambda one: one.__name__)
def test_every_mixin_has_a_page_and_the_readme_points_to_it(mixin):
    name = PAGE_OF.get(mixin.__name__, snake_case(mixin.__name__))
    assert mixin.__name__ in page(f"extensions/{name}.md")
    assert f"docs/extensions/{name}.md" in (DOCS.parent / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("option", KERNEL_OPTIONS)
def test_every_option_of_a_field_is_explained(option):
    kind = KERNEL_OPTIONS[option]
    told = "True" if kind is bool else rf"{kind.__name__}\(.*\)"
    assert re.search(rf"^\| `{option}={told}` \|", page("reference.md"), re.M)


@pytest.mark.parametrize("key", KERNEL_META)
def test_every_key_of_meta_is_explained(key):
    assert f"| `{key}` |" in page("reference.md")


@pytest.mark.parametrize("command", [*OWN, "demo"])
def test_every_command_is_explained(command):
    assert re.search(rf"\| `mixstore {command}\b.*` \|", page("reference.md"))


@pytest.mark.parametrize(
    "error", [name for name, one in vars(errors).items() if isinstance(one, type) and issubclass(one, MixstoreError)]
)
def test_every_error_is_in_the_tree_that_opens_its_module(error):
    assert error in (errors.__doc__ or "")
