"""`ModelAdapter`: how a model's instances become records of a store, and back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from mixstore.codecs import Codec
from mixstore.errors import CorruptRecordError, ValidationError
from mixstore.schema import FieldSpec, ModelSchema, schema_of
from mixstore.types import FieldType


class RecordCodec(NamedTuple):
    """Prepared functions for one model.

    encode: instance -> record; ValidationError names the field that can't be stored.
    decode: record -> {field: python value}; CorruptRecordError names the field that does not decode.
    """

    encode: Callable[[Any], dict[str, Any]]
    decode: Callable[[Mapping[str, Any]], dict[str, Any]]


class ModelAdapter(ABC):
    """What a store needs to know of models. Anyone may implement the three abstract methods and be done."""

    @abstractmethod
    def model_to_storage(self, instance: Any) -> dict[str, Any]:
        """The record of an instance; ValidationError names a field that can't be stored."""

    @abstractmethod
    def storage_to_model(self, model_class: type[Any], data: Mapping[str, Any]) -> dict[str, Any]:
        """The python values of a record, by field; CorruptRecordError names a field that does not decode."""

    @abstractmethod
    def get_primary_key_value(self, instance: Any) -> Any:
        """`'123'`, or `{'pk': 'USER#alice', 'sk': 'TODO#2025-01-15'}`."""

    def get_index_keys(self, instance: Any) -> dict[str, Any]:
        """`{'TenantIndex': {'gsi_pk': ..., 'gsi_sk': ...}}`; by default there are none."""
        return {}

    def get_entity_type(self, model_class: type[Any]) -> str:
        """What tells the rows of this model from others': `Meta.entity`, or the class name."""
        return schema_of(model_class).entity

    def codec(self, model_class: type[Any]) -> RecordCodec:
        """The prepared form of the two conversions; here it just calls them."""
        return RecordCodec(self.model_to_storage, lambda record: self.storage_to_model(model_class, record))


class CompiledAdapter(ModelAdapter):
    """An adapter made of one codec per field, compiled to straight-line functions per model.

    A subclass says how one type is stored. One that overrides a conversion is heard: its method is what runs.
    """

    def __init__(self) -> None:
        self._codecs: dict[type, RecordCodec] = {}

    @abstractmethod
    def field_codec(self, field_type: FieldType) -> Codec:
        """How values of this type (never None) are stored and read."""

    def model_to_storage(self, instance: Any) -> dict[str, Any]:
        return self._compiled(type(instance)).encode(instance)

    def storage_to_model(self, model_class: type[Any], data: Mapping[str, Any]) -> dict[str, Any]:
        return self._compiled(model_class).decode(data)

    def get_primary_key_value(self, instance: Any) -> Any:
        schema = schema_of(type(instance))
        key = schema.key_from(vars(instance))
        if key is None or len(key) == 1:
            return key if key is None else key[0]
        names = ("pk", "sk") if schema.hidden_key else schema.key_fields
        return dict(zip(names, key, strict=True))

    def codec(self, model_class: type[Any]) -> RecordCodec:
        compiled = self._compiled(model_class)
        plain = super().codec(model_class)
        overridden = type(self).model_to_storage is not CompiledAdapter.model_to_storage
        reads_own = type(self).storage_to_model is not CompiledAdapter.storage_to_model
        return RecordCodec(
            plain.encode if overridden else compiled.encode, plain.decode if reads_own else compiled.decode
        )

    def _compiled(self, model_class: type[Any]) -> RecordCodec:
        codec = self._codecs.get(model_class)
        if codec is None:
            schema = schema_of(model_class)
            fields = {name: self.field_codec(spec.type) for name, spec in schema.fields.items()}
            codec = RecordCodec(_encoder(schema, fields), _decoder(schema, fields))
            self._codecs[model_class] = codec
        return codec


def straight_line(name: str, sources: Mapping[str, str], functions: Mapping[str, Callable[[Any], Any] | None]) -> Any:
    """A function `f(d)` that returns a dict, one expression a field, with no loop.

    `sources` maps each field to the expression that reads it from `d`; `functions` holds what converts it (None:
    nothing to do).
    The text contains nothing but `repr()` of strings, positions and names made here: no value of a user's ever gets in.
    """
    namespace: dict[str, Any] = {}
    items = []
    for position, (field, source) in enumerate(sources.items()):
        function = functions[field]
        if function is None:
            items.append(f"{field!r}: {source}")
        else:
            namespace[f"f{position}"] = function
            items.append(f"{field!r}: None if (v := {source}) is None else f{position}(v)")
    code = f"def {name}(d):\n    return {{{', '.join(items)}}}\n"
    exec(compile(code, f"<mixstore {name}>", "exec"), namespace)  # noqa: S102
    return namespace[name]


def _encoder(schema: ModelSchema, fields: Mapping[str, Codec]) -> Callable[[Any], dict[str, Any]]:
    encoders = {name: codec.encode for name, codec in fields.items()}
    quick = straight_line("encode", {name: f"d[{name!r}]" for name in fields}, encoders)
    hidden, key_from = schema.hidden_key, schema.key_from

    def encode(instance: Any) -> dict[str, Any]:
        values = instance.__dict__
        try:
            record: dict[str, Any] = quick(values)
        except Exception as error:
            raise refused_value(schema, values, encoders, error) from error
        if hidden:
            key = key_from(values)
            if key is None:
                raise ValidationError(f"{schema.name}: a part of the key is missing", model=schema.model)
            record.update(zip(hidden, key, strict=True))
        return record

    return encode


def refused_value(
    schema: ModelSchema,
    values: Mapping[str, Any],
    encoders: Mapping[str, Callable[[Any], Any] | None],
    error: Exception,
) -> ValidationError:
    """The error that names the field whose value could not be encoded."""
    for name, encode in encoders.items():
        if name not in values:
            return ValidationError(f"{schema.name}.{name} is missing", field=name, model=schema.model)
        try:
            if encode is not None and values[name] is not None:
                encode(values[name])
        except Exception as cause:
            return ValidationError(
                f"{schema.name}.{name} can't be stored: {cause}",
                field=name,
                model=schema.model,
                errors=[{"type": "storage", "loc": (name,), "msg": str(cause)}],
            )
    return ValidationError(f"{schema.name} can't be stored: {error}", model=schema.model)


def _decoder(schema: ModelSchema, fields: Mapping[str, Codec]) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    decoders = {name: codec.decode for name, codec in fields.items()}
    quick = straight_line("decode", {name: f"d[{name!r}]" for name in fields}, decoders)

    def decode(record: Mapping[str, Any]) -> dict[str, Any]:
        try:
            values: dict[str, Any] = quick(record)
        except Exception:
            return {name: decode_one(schema, spec, record, decoders[name]) for name, spec in schema.fields.items()}
        return values

    return decode


def decode_one(
    schema: ModelSchema, spec: FieldSpec, record: Mapping[str, Any], decoder: Callable[[Any], Any] | None
) -> Any:
    """One field of a record with patience: an absent one takes its default, a damaged one is a CorruptRecordError."""
    value = record.get(spec.name)
    try:
        if value is not None:
            return value if decoder is None else decoder(value)
    except Exception as cause:
        raise corrupt(schema, spec.name, record, f"does not decode: {cause}") from cause
    if spec.name not in record and spec.has_default:
        return spec.make_default()
    if spec.type.nullable or spec.type.kind == "any":
        return None
    raise corrupt(schema, spec.name, record, "is missing")


def corrupt(schema: ModelSchema, field: str, record: Mapping[str, Any], problem: str) -> CorruptRecordError:
    """The error for a stored value that can't be read, with the record's key as far as it can be told."""
    key = {name: record.get(name) for name in schema.key_names}
    return CorruptRecordError(f"{schema.name}.{field} {problem}", field=field, model=schema.model, key=key)
