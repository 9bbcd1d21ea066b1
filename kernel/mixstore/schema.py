"""`ModelSchema`: what the kernel knows of a model class. Compiled once, when the model is first used; frozen."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, Any
from uuid import UUID

from pydantic import TypeAdapter
from pydantic.errors import PydanticUndefinedAnnotation
from pydantic_core import PydanticUndefined, PydanticUndefinedType

from mixstore import checking, codecs, types
from mixstore.definition import Definition
from mixstore.errors import ConfigurationError, SchemaError, nearest
from mixstore.expressions import Order
from mixstore.indexes import IndexSpec, indexes_of
from mixstore.keymaking import by_methods, by_templates
from mixstore.keyranges import KeyShape
from mixstore.keys import Key, marked_keys
from mixstore.narrowing import check_redefined
from mixstore.vectors import Vector

if TYPE_CHECKING:
    from types import FrameType

    from mixstore.keytexts import KeyTexts
    from mixstore.types import FieldType
    from mixstore.write import KeyValue

READY = (str, int, bytes, date, UUID)
"""Types of which a value of just this type is a part of a key as it is, if its text is in ASCII."""
HIDDEN_KEY = ("_pk", "_sk")
"""Attributes of a record that hold a rendered key; no field can start with an underscore."""


class FieldSpec:
    """One field of a model: its type as stores see it, its default, its options."""

    def __init__(
        self,
        name: str,
        type: FieldType,
        required: bool,
        default: Any,
        default_factory: Callable[[], Any] | None,
        options: Mapping[str, Any],
        constraint: Any,
    ) -> None:
        self.name = name
        self.type = type
        self.required = required
        self.default = default
        self.default_factory = default_factory
        self.options = options
        self.constraint = constraint

    def option(self, name: str) -> Any:
        """The value of an option, or None."""
        return self.options.get(name)

    @property
    def has_default(self) -> bool:
        """Whether there is a default, by value or factory."""
        return not self.required

    def make_default(self) -> Any:
        """A default, made anew."""
        if self.default_factory is not None:
            return self.default_factory()
        decode = codecs.copier(self.type).decode
        return self.default if decode is None or self.default is None else decode(self.default)

    @cached_property
    def validator(self) -> Callable[[Any], Any]:
        """Checks a value against the annotation and its constraints, without the model's own validators."""
        return TypeAdapter(self.constraint).validator.validate_python

    @cached_property
    def coerce(self) -> Callable[[Any], Any]:
        """Turns a value into the field's type, without its constraints."""
        return TypeAdapter(types.bare(self.constraint)).validator.validate_python


class ModelSchema:
    """Everything about a model class that does not depend on a backend.

    `fields` in the order of definition; `key_fields` are the fields the primary key is made of; `hidden_key` names
    the attributes of a record that hold a rendered key (empty when the key fields themselves are the key).
    """

    def __init__(self, model: type[Any], definition: Definition) -> None:
        self.model = model
        self.definition = definition
        self.name = model.__name__
        self.meta = definition.meta
        self.entity: str = definition.meta.get("entity") or model.__name__
        self.declared = definition.declared
        self.hooks = definition.hooks
        self.fields = {name: _spec(model, definition, name, info) for name, info in model.__pydantic_fields__.items()}
        check_redefined(model, self.fields)
        self._resolve_key()
        self.aliased = any(info.validation_alias is not None for info in model.__pydantic_fields__.values())
        self.unique = tuple(name for name, spec in self.fields.items() if spec.option("unique"))
        self.indexed = tuple(name for name, spec in self.fields.items() if spec.option("index"))
        self.searchable = tuple(name for name, spec in self.fields.items() if spec.option("searchable"))
        self.vectors: Mapping[str, Vector] = {
            name: spec.option("vector") for name, spec in self.fields.items() if spec.option("vector")
        }
        self.loose = frozenset(name for name, spec in self.fields.items() if _is_loose(spec.type))
        """Fields in which values that are equal may be of different types, such as 1 and True."""
        self._check_options()
        self.key_from = self._key_function()
        """The key that these python values make, or None if a part of it is missing.

        ValidationError for values that can't make a key.
        """
        self.indexes: Mapping[str, IndexSpec] = indexes_of(self)
        """The secondary indexes, by name."""
        self.computed_indexes = tuple(spec for spec in self.indexes.values() if spec.shape is None)
        self.index_fields = frozenset(name for spec in self.indexes.values() for name in spec.fields)

    def _resolve_key(self) -> None:
        primary = tuple(name for name, spec in self.fields.items() if spec.option("primary_key"))
        template = self.meta.get("key")
        methods = marked_keys(self.model)
        told = [
            text
            for text, given in (
                ("Field(primary_key=True)", primary),
                ("Meta.key", template),
                ("@partition_key", methods),
            )
            if given
        ]
        if len(told) != 1:
            problem = f"has its key declared {len(told)} times: {', '.join(told)}" if told else "has no primary key"
            raise SchemaError(
                f"{self.name} {problem}",
                model=self.model,
                hint='one of: Field(primary_key=True), Meta.key = Key(partition="..."), a @partition_key method',
            )
        self.template: Key | None = template
        self.key_methods: tuple[Callable[[Any], Any], ...] = methods
        self.hidden_key = HIDDEN_KEY[: self._parts()] if template or methods else ()
        types = {name: spec.type for name, spec in self.fields.items()}
        self.key_fields = primary or (template.fields if template else ())
        for name in self.key_fields:
            if name not in self.fields:
                raise SchemaError(f"{self.name}.Meta.key names no field: {name!r}", hint=nearest(name, self.fields))
            if not self.fields[name].type.orderable or self.fields[name].type.nullable:
                raise SchemaError(
                    f"{self.name}.{name}: a key is one plain value, of one kind and never None", model=self.model
                )
        if template is not None:
            template.check(f"{self.name}.Meta.key", types)
        self.key_shape = None if template is None else KeyShape(template.partition, template.sort, types)
        """What planners ask about rendered keys; None where the key is of another kind."""
        names = self.hidden_key or self.key_fields
        self.key_names: tuple[str, ...] = names
        self.key_order = tuple(Order((name,)) for name in names)
        self.text_key = len(primary) == 1 and self.fields[primary[0]].type.kind == "str"
        parts = [self.fields[name].type for name in primary]
        ready = len(parts) > 1 and all(part.python in READY for part in parts)
        self.ready_key: tuple[type[Any], ...] = tuple([part.python for part in parts]) if ready else ()
        """The types of the parts of a key that needs no look if it has just these; empty for other keys."""

    @cached_property
    def key_texts(self) -> KeyTexts:
        """Keys as text and back, for rows about these rows."""
        from mixstore.keytexts import KeyTexts

        return KeyTexts(self)

    @cached_property
    def fits(self) -> Callable[[Mapping[str, Any]], bool]:
        """Whether values are plainly right: each as its annotation and constraints have it. False: look at each."""
        if not all(spec.type.scalar for spec in self.fields.values()):
            return lambda values: False
        return checking.fitting({name: spec.validator for name, spec in self.fields.items()})

    def _parts(self) -> int:
        if self.template is not None:
            return 1 if self.template.sort is None else 2
        return len(self.key_methods)

    def _check_options(self) -> None:
        for name, spec in self.fields.items():
            for option in ("unique", "index"):
                if spec.option(option) and not (spec.type.orderable if option == "unique" else spec.type.scalar):
                    raise SchemaError(
                        f"{self.name}.{name}: {option}=True needs a plain value of one kind, not {spec.type}"
                    )
            if spec.option("searchable") and (spec.type.stored or spec.type.kind) != "str":
                raise SchemaError(f"{self.name}.{name}: searchable=True needs text, not {spec.type.kind}")

    def _key_function(self) -> Callable[[Mapping[str, Any]], KeyValue | None]:
        if self.template is not None:
            parts = (self.template.partition, self.template.sort)
            return by_templates(self.model, self.name, [part for part in parts if part is not None])
        if self.key_methods:
            return by_methods(self.model, self.key_methods, self.fields)
        if len(self.key_fields) == 1:
            (name,) = self.key_fields

            def single(values: Mapping[str, Any]) -> KeyValue | None:
                value = values.get(name)
                return None if value is None else (value,)

            return single
        return self._key_by_fields

    def _key_by_fields(self, values: Mapping[str, Any]) -> KeyValue | None:
        key = tuple([values.get(name) for name in self.key_fields])
        return None if None in key else key

    def key_as_told(self, key: KeyValue | None) -> Any:
        """A key as it is shown to people: the value itself, or a dict by name."""
        if key is None:
            return None
        return key[0] if len(key) == 1 and not self.hidden_key else dict(zip(self.key_names, key, strict=True))

    def field(self, name: str, problem: str = "has no field") -> FieldSpec:
        """The field of that name; SchemaError with the nearest one otherwise."""
        if name not in self.fields:
            raise SchemaError(f"{self.name} {problem} {name!r}", model=self.model, hint=nearest(name, self.fields))
        return self.fields[name]


def _is_loose(described: FieldType, above: tuple[Any, ...] = ()) -> bool:
    if described.kind in ("any", "union"):
        return True
    if described.python in above:
        return False
    inner = (*described.args, *described.nested().values())
    return any(_is_loose(one, (*above, described.python) if described.kind == "model" else above) for one in inner)


def _spec(model: type[Any], definition: Definition, name: str, info: Any) -> FieldSpec:
    where = f"{model.__name__}.{name}"
    default = info.default
    factory = info.default_factory
    if factory is not None and info.default_factory_takes_validated_data:
        factory = None
    return FieldSpec(
        name=name,
        type=types.describe(types.annotated(info), where, enum_values=bool(model.model_config.get("use_enum_values"))),
        required=info.is_required() or (isinstance(default, PydanticUndefinedType) and factory is None),
        default=None if default is PydanticUndefined else default,
        default_factory=factory,
        options=definition.options[name],
        constraint=types.constrained(types.annotated(info)),
    )


def schema_of(model: type[Any]) -> ModelSchema:
    """The schema of a concrete model, compiled at its first use."""
    schema: ModelSchema | None = vars(model).get("__mixstore_schema__")
    if schema is None:
        schema = _compile(model)
        type.__setattr__(model, "__mixstore_schema__", schema)
    return schema


def _compile(model: type[Any]) -> ModelSchema:
    definition: Definition | None = vars(model).get("__mixstore_definition__")
    if definition is None:
        raise ConfigurationError(f"{model!r} is not a mixstore Model", hint="class Thing(Model): ...")
    if definition.abstract:
        raise SchemaError(
            f"{model.__name__} is abstract and can't be stored",
            model=model,
            hint="subclass it; a generic model is parametrised and named: class Users(Page[User]): ...",
        )
    if not model.__pydantic_complete__:
        _complete(model)
        definition = Definition(model)  # what names hid until now may hold options
        type.__setattr__(model, "__mixstore_definition__", definition)
    return ModelSchema(model, definition)


def _complete(model: type[Any]) -> None:
    """Resolve forward references, with what the caller of mixstore can see; SchemaError names what is missing."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and str(frame.f_globals.get("__name__")).startswith("mixstore"):
        frame = frame.f_back
    try:
        model.model_rebuild(_types_namespace={} if frame is None else frame.f_locals)
    except PydanticUndefinedAnnotation as error:
        raise SchemaError(
            f"{model.__name__} refers to {error.name!r}, which can't be found",
            model=model,
            hint=f"define it before the first use, or call {model.__name__}.model_rebuild() where it can be seen",
        ) from error
