"""Documents of an index as another one takes them, which was made of a newer form of the model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, TypeAdapter

from mixstore.errors import SchemaError, ValidationError

if TYPE_CHECKING:
    from mixstore.codecs import Codec
    from mixstore.schema import FieldSpec
    from mixstore_backends.opensearch.layout import Index

Document = dict[str, Any]
Change = Callable[[Document], Document]
"""What a caller makes of a document before anything else: `{field: value as stored}`, and the same back."""


class Conversion:
    """Makes documents of the properties `there` into documents of the model's index.

    A field that is new gets its constant default, one that the model has no more is left out. A value whose mapping
    changes is read as the model reads what is given to it ("5" is 5 where it wants an int). SchemaError, at once, for a
    new field that documents can't be without.
    """

    def __init__(self, index: Index, there: Mapping[str, Any], change: Change | None, empty: bool) -> None:
        self.index = index
        self.change = change
        wanted = index.mapping["properties"]
        self.names = frozenset(wanted)
        fields = [name for name in index.schema.fields if name not in index.opaque]
        self.defaults = {
            name: one for name in fields if name not in there and (one := self._default(name, empty)) is not None
        }
        self.recoded = [name for name in fields if name in there and _differs(wanted[name], there[name])]

    def _default(self, name: str, empty: bool) -> Any:
        spec = self.index.schema.fields[name]
        if empty or self.change is not None:
            return None
        if not spec.has_default or spec.default_factory is not None:
            raise SchemaError(
                f"{self.index.schema.name}.{name} is new, and there are documents that have no value for it",
                model=self.index.schema.model,
                hint="give the field a constant default, make it Optional, or backend.reindex(Model, change=...)",
            )
        return None if spec.default is None else _encoded(self._codec(spec), spec.default)

    def __call__(self, id: str, source: Mapping[str, Any]) -> Document:
        """The document to store. ValidationError names the field whose value can't be converted."""
        document = dict(source)
        if self.change is not None:
            document = self.change(document)
        found = {name: value for name, value in document.items() if name in self.names}
        for name, value in self.defaults.items():
            found.setdefault(name, value)
        for name in self.recoded:
            if found.get(name) is not None:
                found[name] = self._recoded(id, name, found[name])
        return found

    def _recoded(self, id: str, name: str, value: Any) -> Any:
        spec = self.index.schema.fields[name]
        codec = self._codec(spec)
        for read in (codec.decode, self._lax[name]):
            if read is not None:
                try:
                    return _encoded(codec, read(value))
                except (ValueError, TypeError, ArithmeticError, KeyError) as error:
                    failed = error
        raise ValidationError(
            f"{self.index.schema.name}.{name}: the document {id!r} holds {value!r:.80}, which is no {spec.type}",
            field=name,
            model=self.index.schema.model,
            hint="backend.reindex(Model, change=function) takes what makes a document fit; nothing has changed so far",
        ) from failed

    def _codec(self, spec: FieldSpec) -> Codec:
        return self.index.bound.backend.adapter.spec_codec(spec)  # type: ignore[attr-defined, no-any-return]

    @cached_property
    def _lax(self) -> dict[str, Callable[[Any], Any]]:
        fields = self.index.schema.model.__pydantic_fields__
        return {name: _reader(fields[name].annotation) for name in self.recoded}


def _reader(annotation: Any) -> Callable[[Any], Any]:
    """What reads values that are nearly of a type."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return TypeAdapter(annotation).validate_python
    return TypeAdapter(annotation, config={"coerce_numbers_to_str": True}).validate_python


def _encoded(codec: Codec, value: Any) -> Any:
    return value if codec.encode is None or value is None else codec.encode(value)


def _differs(wanted: Mapping[str, Any], there: Mapping[str, Any]) -> bool:
    """Whether documents hold something else; sub-fields and analyzers are the index's own affair."""
    inner: Mapping[str, Any] = wanted.get("properties", {})
    known: Mapping[str, Any] = there.get("properties", {})
    if wanted.get("type", "object") != there.get("type", "object") or inner.keys() != known.keys():
        return _told(wanted) != _told(there)
    return any(_differs(one, known[name]) for name, one in inner.items())


def _told(one: Mapping[str, Any]) -> tuple[Any, ...]:
    """The kind of JSON that a property without properties of its own takes, as far as it tells."""
    kind = one.get("type", "object")
    if kind in ("text", "keyword"):
        return "text", one.get("normalizer")
    return kind, *sorted(one.get("properties", ()))
