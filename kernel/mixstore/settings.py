"""Settings: what can be configured, and how it is read.

They come from mixstore.toml (or [tool.mixstore] of pyproject.toml), from MIXSTORE_* variables, which beat
the file, and from the arguments of `configure()`, which beat both. All mistakes are reported at once, with
place, key and the nearest valid key; never with the value, which may be a secret.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pydantic
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr
from pydantic_core import PydanticCustomError

from mixstore import requirements
from mixstore.errors import ConfigurationError, SettingsError, nearest

FILE = "mixstore.toml"
PYPROJECT = "pyproject.toml"
_VARIABLES: Mapping[str, tuple[str, ...]] = {
    "MIXSTORE_PLUGINS_BLOCK": ("plugins", "block"),
    "MIXSTORE_PLUGINS_REQUIRED": ("plugins", "required"),
    "MIXSTORE_CURSOR_SECRET": ("cursor_secret",),
    "MIXSTORE_STRICT": ("strict",),
    "MIXSTORE_TRACE": ("trace",),
}
_BACKENDS = "MIXSTORE_BACKENDS_"
_OF_A_BACKEND: Mapping[str, tuple[str, ...]] = {
    "_EXTENSIONS_ENABLE": ("extensions", "enable"),
    "_EXTENSIONS_DISABLE": ("extensions", "disable"),
    "_EXTENSIONS_APPLY": ("extensions", "apply"),
    "_URL": ("url",),
}
_LISTS = frozenset({"block", "required", "enable", "disable", "apply"})
_REFERENCE = re.compile(r"\$\$\{|\$\{(?P<name>[^}]*)(?P<end>\}?)")
_BETWEEN = re.compile(r",(?!\s*[<>=!~])")
"""What separates the items of a list, but not the parts of a range of versions."""
_Key = tuple[Any, ...]
_Table = dict[str, Any]


class _Source(NamedTuple):
    """Where settings come from, and the table in it that holds them."""

    label: str
    prefix: _Key = ()


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class PluginSettings(_Settings):
    """`[plugins]`: those in `block` (by their own name or their distribution's) are not even imported.

    Without those in `required` ("acme-geo>=1.2,<2"), active and in that range, nothing works.
    """

    block: tuple[str, ...] = ()
    required: tuple[str, ...] = ()

    @pydantic.field_validator("required")
    @classmethod
    def _readable(cls, texts: tuple[str, ...]) -> tuple[str, ...]:
        for text in texts:
            requirements.parse(text)
        return texts


class ExtensionSettings(_Settings):
    """`[backends.NAME.extensions]`: which extensions run on that backend, and their options.

    `enable` None means all that models declare; `apply` are attached to every model; `options` (by extension)
    are validated by the extension's own `Options` when a model is bound.
    """

    enable: tuple[str, ...] | None = None
    disable: tuple[str, ...] = ()
    apply: tuple[str, ...] = ()
    options: dict[str, dict[str, Any]] = Field(default_factory=dict, repr=False)

    @pydantic.model_validator(mode="after")
    def _agree(self) -> ExtensionSettings:
        both = sorted({*(self.enable or ()), *self.apply} & {*self.disable})
        if both:
            raise PydanticCustomError("both", "{names} both enabled and disabled", {"names": ", ".join(both)})
        return self


class BackendSettings(_Settings):
    """`[backends.NAME]`."""

    url: str = Field(pattern=r"^[a-z][a-z0-9+.-]*://", repr=False)
    extensions: ExtensionSettings = Field(default_factory=ExtensionSettings)


class Settings(_Settings):
    """All settings."""

    plugins: PluginSettings = Field(default_factory=PluginSettings)
    backends: dict[str, BackendSettings] = Field(default_factory=dict)
    models: dict[str, str] = Field(default_factory=dict)
    cursor_secret: str | None = Field(default=None, repr=False, min_length=1)
    strict: bool = False
    trace: bool = False
    _origins: dict[_Key, _Source] = PrivateAttr(default_factory=dict)

    def where(self, *key: str) -> str:
        """Where `key` is set, for messages: "mixstore.toml: backends.events.extensions.enable"."""
        return _where(self._origins, key)


def load(path: str | os.PathLike[str] | None = None, overrides: Mapping[str, Any] | None = None) -> Settings:
    """The settings that `configure()` would use. ConfigurationError lists everything that is wrong."""
    draft = _Draft()
    overrides = overrides or {}
    found = _find(Path.cwd()) if path is None else _read(Path(path))
    if found is not None:
        draft.merge(*found)
    draft.merge_environment([*_table(draft.data.get("backends")), *_table(overrides.get("backends"))])
    draft.merge(_Source("configure()"), overrides)
    if found is not None:
        draft.data = draft.interpolated(draft.data, (), found[0])
    return draft.settings()


class _Draft:
    """Settings in the making: the merged tables, who set each key, and all that is wrong so far."""

    def __init__(self) -> None:
        self.data: _Table = {}
        self.origins: dict[_Key, _Source] = {}
        self.mistakes: dict[str, str] = {}

    def merge(self, source: _Source, table: Mapping[str, Any]) -> None:
        """Lays `table` over what is there: tables are merged, other values replaced."""
        self._merge(self.data, table, source, ())

    def _merge(self, into: _Table, table: Mapping[str, Any], source: _Source, at: _Key) -> None:
        for name, value in table.items():
            key = (*at, name)
            if isinstance(value, Mapping):
                kept = into.get(name)
                into[name] = kept if isinstance(kept, dict) else {}
                self.origins.setdefault(key, source)
                self._merge(into[name], value, source, key)
            else:
                into[name] = value
                self.origins[key] = source

    def merge_environment(self, backends: list[str]) -> None:
        """Lays MIXSTORE_* over what is there; empty variables count as not set."""
        for variable, text in sorted(os.environ.items()):
            source = _Source(f"environment {variable}")
            key = _key_of(variable, backends)
            if text and key is not None:
                items = [item.strip() for item in _BETWEEN.split(text)]
                value = [item for item in items if item] if key[-1] in _LISTS else text
                self.merge(source, _nested(key, value))
            elif text and _mistyped(variable):
                names = [_shout(name) for name in (*backends, "default")]
                known = [f"{_BACKENDS}{name}{ending}" for name in names for ending in _OF_A_BACKEND]
                self.mistakes[source.label] = f"unknown variable, {nearest(variable, {*_VARIABLES, *known})}"

    def interpolated(self, value: Any, key: _Key, source: _Source) -> Any:
        """`value` with ${VAR} replaced in all strings that `source` set; $${ stands for ${."""
        if isinstance(value, dict):
            return {name: self.interpolated(item, (*key, name), source) for name, item in value.items()}
        if isinstance(value, list):
            return [self.interpolated(item, key, source) for item in value]
        if not isinstance(value, str) or self.origins[key] is not source:
            return value

        def replace(match: re.Match[str]) -> str:
            name = match["name"]
            if name is None:
                return "${"
            if not match["end"] or not name.isidentifier():
                self.mistakes[_where(self.origins, key)] = "write ${VARIABLE}, or $${ for a plain ${"
            elif name not in os.environ:
                self.mistakes[_where(self.origins, key)] = f"the environment variable {name} is not set"
            return os.environ.get(name, match[0])

        return _REFERENCE.sub(replace, value)

    def settings(self) -> Settings:
        """The settings, if nothing is wrong; otherwise one error for everything."""
        try:
            settings = Settings.model_validate(self.data)
        except pydantic.ValidationError as error:
            for detail in error.errors(include_url=False, include_input=False):
                self.mistakes.setdefault(_where(self.origins, detail["loc"]), _explained(detail))
        if self.mistakes:
            raise SettingsError(mistakes=tuple(self.mistakes.items()))
        settings._origins = self.origins
        return settings


def _find(folder: Path) -> tuple[_Source, _Table] | None:
    """The settings file nearest to `folder`, upward."""
    for parent in (folder, *folder.parents):
        if os.path.isfile(parent / FILE):
            return _read(parent / FILE)
        project = parent / PYPROJECT
        if os.path.isfile(project) and "mixstore" in _text(project) and "mixstore" in _tools(_parsed(project)):
            return _read(project)
    return None


def _read(path: Path) -> tuple[_Source, _Table]:
    content = _parsed(path)
    if path.name != PYPROJECT:
        return _Source(str(path)), content
    table = _tools(content).get("mixstore")
    if not isinstance(table, dict):
        raise ConfigurationError(f"{path}: there is no table [tool.mixstore]")
    return _Source(str(path), ("tool", "mixstore")), table


def _parsed(path: Path) -> _Table:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        return tomllib.loads(_text(path))
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path} is not TOML: {error}") from error


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} can't be read: {error}") from error


def _tools(content: _Table) -> _Table:
    return _table(content.get("tool"))


def _table(value: Any) -> _Table:
    return dict(value) if isinstance(value, Mapping) else {}


def _mistyped(variable: str) -> bool:
    """Whether a variable that sets nothing is nearly one that does; others may be a plugin's own."""
    if variable.startswith(("MIXSTORE_PLUGIN", "MIXSTORE_BACKEND")) or not variable.startswith("MIXSTORE_"):
        return variable.startswith("MIXSTORE_")
    import difflib  # slow to import

    known = [name.removeprefix("MIXSTORE_") for name in _VARIABLES]
    return bool(difflib.get_close_matches(variable.removeprefix("MIXSTORE_"), known, n=1, cutoff=0.85))


def _key_of(variable: str, backends: list[str]) -> _Key | None:
    """The key that an environment variable sets; backend names are compared as the shell can spell them."""
    for ending, key in _OF_A_BACKEND.items():
        if variable.startswith(_BACKENDS) and variable.endswith(ending):
            name = variable[len(_BACKENDS) : -len(ending)]
            known = next((known for known in backends if _shout(known) == name), name.lower())
            return ("backends", known, *key) if name else None
    return _VARIABLES.get(variable)


def _shout(name: str) -> str:
    return re.sub(r"\W|-", "_", name).upper()


def _nested(key: _Key, value: Any) -> _Table:
    for name in reversed(key):
        value = {name: value}
    table: _Table = value
    return table


def _where(origins: Mapping[_Key, _Source], key: _Key) -> str:
    """ "file: dotted.key"; a key that nobody set is looked for where its table is."""
    sources = (origins.get(key[:length]) for length in range(len(key), 0, -1))
    source = next((source for source in sources if source is not None), _Source("settings"))
    dotted = ".".join(_quoted(str(name)) for name in (*source.prefix, *key))
    return f"{source.label}: {dotted}"


def _quoted(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else f'"{name}"'


def _explained(detail: Any) -> str:
    """One of pydantic's errors in the words of the file."""
    match detail["type"]:
        case "extra_forbidden":
            return f"unknown key, {nearest(str(detail['loc'][-1]), _valid_keys(detail['loc'][:-1]))}"
        case "missing":
            return "is missing"
        case "model_type" | "dict_type":
            return "should be a table"
        case "tuple_type":
            return "should be a list"
        case "string_too_short":
            return "is empty; leave it out, or give it a value"
        case "string_type" if detail["loc"][0] == "models":
            told = (
                'should be the name or the URL of a backend; a dotted path takes quotes: "app.models.User" = "events"'
            )
            return told
        case "string_pattern_mismatch":
            return "should be a URL, such as sqlite:///app.db"
    return str(detail["msg"]).removeprefix("Input ").removeprefix("Value error, ")


def _valid_keys(table: _Key) -> Mapping[str, Any]:
    match table:
        case ():
            return Settings.model_fields
        case ("plugins",):
            return PluginSettings.model_fields
        case ("backends", _):
            return BackendSettings.model_fields
    return ExtensionSettings.model_fields
