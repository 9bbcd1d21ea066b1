"""What a model asks of its index beside the fields: analyzers, the analysis they are made of, settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from mixstore.errors import SchemaError, nearest
from mixstore_backends.opensearch.values import form_of

if TYPE_CHECKING:
    from mixstore.schema import ModelSchema

OWN = "mixstore_"
_OF_PROGRAMS = "fingerprint keyword pattern simple standard stop whitespace"
_OF_LANGUAGES = (
    "arabic armenian basque bengali brazilian bulgarian catalan cjk czech danish dutch english estonian finnish french "
    "galician german greek hindi hungarian indonesian irish italian latvian lithuanian norwegian persian portuguese "
    "romanian russian sorani spanish swedish thai turkish"
)
ANALYZERS = frozenset(f"{_OF_PROGRAMS} {_OF_LANGUAGES}".split())
"""Those that every OpenSearch has. One of a plugin is declared: {"analysis": {"analyzer": {"x": {"type": ...}}}}."""


class Declared(NamedTuple):
    """analyzers: {field: analyzer}; analysis and settings as the engine takes them."""

    analyzers: Mapping[str, str] = {}
    analysis: Mapping[str, Mapping[str, Any]] = {}
    settings: Mapping[str, Any] = {}

    def check(self, schema: ModelSchema) -> Declared:
        """Itself. SchemaError, with the nearest name, for what the engine would refuse, or mixstore needs itself."""
        for kind, parts in self.analysis.items():
            for name in parts:
                if name.startswith(OWN):
                    problem = f"the {kind} {name!r} of Meta.opensearch has a name that begins as those of mixstore"
                    raise SchemaError(f"{schema.name}: {problem}", model=schema.model, hint="call it otherwise")
        if any(name.removeprefix("index.").split(".")[0] == "analysis" for name in self.settings):
            problem = "Meta.opensearch has the analysis among the settings"
            raise SchemaError(f"{schema.name}: {problem}", model=schema.model, hint="it is a part of its own: analysis")
        known = ANALYZERS | self.analysis.get("analyzer", {}).keys()
        for field, analyzer in self.analyzers.items():
            self._check_field(schema, field)
            if analyzer not in known:
                problem = f"{schema.name}.{field}: there is no analyzer {analyzer!r}"
                raise SchemaError(problem, model=schema.model, hint=nearest(analyzer, known))
        return self

    def _check_field(self, schema: ModelSchema, field: str) -> None:
        spec = schema.fields[field]
        if field not in schema.searchable or form_of(spec.type) != "text":
            problem = f"{schema.name}.{field}: an analyzer is for a text that is searched, and this is {spec.type}"
            raise SchemaError(problem, model=schema.model, hint="Field(searchable=True, analyzer=...) on a str")


NOTHING_DECLARED = Declared()
