"""`Analyzed`: how a search engine cuts the texts of a field into words, and what its index is like."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from mixstore import BackendExtension, Declaration, Mixin, SchemaError
from mixstore.errors import nearest

PARTS = ("analysis", "settings")
KINDS = ("analyzer", "char_filter", "filter", "normalizer", "tokenizer")


class Analyzed(Mixin):
    """Fields with an analyzer of the engine, and settings of the index.

        class Meta:
            opensearch = {"settings": {"number_of_shards": 3}, "analysis": {"analyzer": {"german": {...}}}}

        title: str = Field(searchable=True, analyzer="english")

    `search()` finds in such a field what the analyzer takes for the same word ("running" and "runs"), where it finds
    the word itself in others. On a backend that is no such engine this is inactive, and every field is searched alike.
    """

    Declares = Declaration(meta={"opensearch": dict}, options={"analyzer": str})

    class OpenSearch(BackendExtension):
        """Hands all of it to the backend, which makes the index."""

        backend_name = "opensearch"
        fidelity = "native"

        def configure_backend(self, model_class: type[Any]) -> None:
            told = self.schema.meta.get("opensearch", {})
            fields = self.schema.fields.items()
            analyzers = {name: one for name, spec in fields if (one := spec.option("analyzer")) is not None}
            self.backend.declare_index(model_class, analyzers, told.get("analysis", {}), told.get("settings", {}))  # type: ignore[attr-defined]

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        told = getattr(vars(cls).get("Meta"), "opensearch", None)
        if isinstance(told, Mapping):  # or the kernel says what it must be
            _check(cls, told)


def _check(model: type[Any], told: Mapping[str, Any]) -> None:
    """At the class statement: known parts, and kinds of them."""
    where = f"{model.__name__}.Meta.opensearch"
    _check_names(model, where, told, PARTS)
    for part, value in told.items():
        if not isinstance(value, Mapping):
            raise SchemaError(f"{where}[{part!r}] must be a dict, not {type(value).__name__}", model=model)
    analysis = told.get("analysis", {})
    _check_names(model, f"{where}['analysis']", analysis, KINDS)
    for kind, parts in analysis.items():
        if not isinstance(parts, Mapping) or not all(isinstance(one, Mapping) for one in parts.values()):
            raise SchemaError(f"{where}['analysis'][{kind!r}] must be a dict of names and dicts", model=model)


def _check_names(model: type[Any], where: str, names: Iterable[Any], known: Iterable[str]) -> None:
    for name in names:
        if name not in known:
            raise SchemaError(f"{where} has no part {name!r}", model=model, hint=nearest(str(name), known))
