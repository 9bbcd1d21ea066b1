"""The checks of the moment "define": what a class statement alone can get wrong. No config, no plugin, no network."""

from __future__ import annotations

import typing
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, get_args

from mixstore import hooks, types, vectors
from mixstore.annotations import alias_value
from mixstore.errors import SchemaError, nearest
from mixstore.fields import KERNEL_OPTIONS, PYDANTIC_PARAMETERS, FieldOptions, merged_options
from mixstore.indexes import check_indexes
from mixstore.keys import Key
from mixstore.mixin import Declared, declaring

META: Mapping[str, Any] = {
    "backend": object,
    "key": Key,
    "indexes": (list, tuple),
    "entity": str,
    "abstract": bool,
    "internal": bool,
    "scan": str,
}
NOT_INHERITED = frozenset({"abstract", "entity", "internal"})
SCANS = ("allow", "warn", "forbid")
_PARTS = {"arguments": "argument", "meta": "Meta key", "options": "Field option"}


class Definition:
    """What the class statement said: merged Meta, what the mixins declare, hooks, the options of each field."""

    __slots__ = ("declared", "hooks", "meta", "model", "options")

    def __init__(self, model: type[Any]) -> None:
        self.model = model
        self.declared = Declared.of(model)
        if model.model_config.get("extra") == "allow":
            raise SchemaError(
                f'{model.__name__} allows extra values, which no store would keep: extra="allow"',
                model=model,
                hint="a field `extra: dict[str, Any] = {}` holds what has no name yet",
            )
        if self.declared.query_methods:
            _check_query_methods(model, self.declared.query_methods)
        if self.declared.required:
            _check_declared(model)
        self.meta = merged_meta(model, self.declared)
        self.hooks = hooks.collect(model)
        self.options = {
            name: _field_options(model, name, info, self.declared) for name, info in model.__pydantic_fields__.items()
        }

    @property
    def abstract(self) -> bool:
        """Whether the class can't be bound: by Meta, or since its type parameters are open."""
        generic = getattr(self.model, "__pydantic_generic_metadata__", {})
        return bool(self.meta.get("abstract")) or bool(generic.get("parameters")) or bool(generic.get("origin"))

    @property
    def internal(self) -> bool:
        """Whether rows of the class are only written beside those of others: it is prepared where those are."""
        return bool(self.meta.get("internal"))


def _check_declared(model: type[Any]) -> None:
    """Who declares a name has it: it is not the kernel's, and two mixins mean the same by it, or one is the other's.

    An argument is told apart from fields by its name alone.
    """
    for part, own in (("arguments", model.__pydantic_fields__), ("meta", META), ("options", KERNEL_OPTIONS)):
        owners: dict[str, tuple[type, Any]] = {}
        for base in reversed(model.__mro__):
            for name, told in getattr(vars(base).get("Declares"), part, {}).items():
                what = f"the {_PARTS[part]} {name!r}"
                if name in own:
                    whose = f"a field of {model.__name__}" if part == "arguments" else "mixstore's own"
                    raise SchemaError(f"{base.__name__} declares {what}, which is {whose}", model=model)
                other, before = owners.get(name, (base, told))
                if not issubclass(base, other) and (part == "arguments" or before != told):
                    raise SchemaError(
                        f"{model.__name__}: {other.__name__} and {base.__name__} both declare {what}", model=model
                    )
                owners[name] = base, told


def _check_query_methods(model: type[Any], names: Iterable[str]) -> None:
    """Queries would never come to such a method: their own of that name is found first."""
    from mixstore.builder import QueryBuilder

    for name in names:
        if name in vars(QueryBuilder):
            raise SchemaError(
                f"{model.__name__}: a query method can't be called {name!r}, which all queries have", model=model
            )


def merged_meta(model: type, declared: Declared) -> dict[str, Any]:
    """Meta merged key by key along the MRO, the nearer class winning.

    Unknown keys and wrong types are a SchemaError.
    """
    merged: dict[str, Any] = {}
    parents = {vars(base).get("Meta") for base in model.__mro__[1:]}
    for base in reversed(model.__mro__):
        meta = vars(base).get("Meta")
        for owner in reversed(meta.__mro__[:-1]) if isinstance(meta, type) else ():
            for name, value in vars(owner).items():
                if name.startswith("__"):
                    continue
                _check_meta(base, name, value, declared)
                if name not in NOT_INHERITED or (base is model and owner not in parents):
                    merged[name] = value
    return merged


def _check_meta(base: type, name: str, value: Any, declared: Declared) -> None:
    where = f"{base.__name__}.Meta.{name}"
    known = {**META, **declared.meta}
    if name not in known:
        raise SchemaError(f"{where} is not a Meta key", hint=_missing("meta", name) or nearest(name, known))
    expected = known[name]
    if not isinstance(value, expected):
        told = getattr(expected, "__name__", None) or " or ".join(one.__name__ for one in expected)
        raise SchemaError(f"{where} must be {told}, not {type(value).__name__}")
    if name == "indexes":
        check_indexes(where, value)
    if name == "scan" and value not in SCANS:
        raise SchemaError(f"{where} is {value!r}", hint=nearest(value, SCANS))


def _field_options(model: type, name: str, info: Any, declared: Declared) -> dict[str, Any]:
    where = f"{model.__name__}.{name}"
    for nested in _buried_options(info.annotation):
        raise SchemaError(
            f"{where}: {nested!r} lies inside the annotation, where no option is seen",
            hint="put the options at the top level: Annotated[Optional[X], Field(...)] or x: Optional[X] = Field(...)",
        )
    options = merged_options(where, info.metadata) or _inherited_options(model, name)
    known = {**KERNEL_OPTIONS, **declared.options}
    for option, value in options.items():
        if option not in known:
            raise SchemaError(
                f"{where}: nobody claims the Field option {option!r}",
                model=model,
                hint=_missing("options", option) or _nearest_option(option, known),
            )
        if not isinstance(value, known[option]):
            told = getattr(known[option], "__name__", str(known[option]))
            raise SchemaError(f"{where}: Field option {option!r} must be {told}, not {type(value).__name__}")
    if "vector" in options:
        _check_vector(model, name, info, options["vector"])
    return options


def _check_vector(model: type[Any], name: str, info: Any, vector: vectors.Vector) -> None:
    """A field of vectors is one that `similar()` can name, says itself what pydantic checks, and holds vectors."""
    where = f"{model.__name__}.{name}"
    if name in vectors.ARGUMENTS:
        raise SchemaError(f"{where}: a field of vectors can't be called {name!r}, which is an argument of similar()")
    if vector not in info.metadata:
        raise SchemaError(f"{where} redefines a field of vectors", hint=f"say it again: Field(vector={vector})")
    if model.__pydantic_complete__:  # otherwise the class is looked at again when it is used
        vectors.check_declared(where, vector, types.describe(types.annotated(info), where))


def _missing(part: str, name: str) -> str | None:
    """Which mixin would have to be among the bases, if one that is imported declares the name."""
    mixin = declaring(part, name)
    return None if mixin is None else f"{mixin} declares it: make that a base"


def _nearest_option(option: str, known: Mapping[str, Any]) -> str:
    found = nearest(option, {*known, *PYDANTIC_PARAMETERS})
    found = found if found.startswith("did you mean") else nearest(option, known)
    return f"{found} (a mixin may be missing from the bases)"


def _inherited_options(model: type[Any], name: str) -> dict[str, Any]:
    """A field redefined without options inherits those of the nearest base that has some."""
    for base in model.__mro__[1:]:
        definition = vars(base).get("__mixstore_definition__")
        if definition is not None:
            options = definition.options.get(name)
        else:  # a mixin, or a plain class
            info = getattr(base, "__pydantic_fields__", vars(base)).get(name)
            options = merged_options(f"{base.__name__}.{name}", getattr(info, "metadata", ()))
        if options:
            return dict(options)
    return {}


def _buried_options(annotation: Any, above: tuple[Any, ...] = ()) -> Iterator[FieldOptions]:
    if typing.get_origin(annotation) is typing.Literal or annotation in above:
        return
    try:
        aliased = alias_value(annotation)
    except NameError:
        return  # what the alias stands for comes later, and the class is looked at again when it is used
    for argument in get_args(annotation) if aliased is None else (aliased,):
        for entry in getattr(argument, "__metadata__", ()):
            metadata = getattr(entry, "metadata", (entry,))  # a FieldInfo carries its own
            yield from (one for one in metadata if isinstance(one, FieldOptions))
        yield from _buried_options(argument, (*above, annotation))
