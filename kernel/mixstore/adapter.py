"""`ModelAdapter`: how a model's instances become records of a store, and back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, NamedTuple

from mixstore import shortcuts
from mixstore.codecs import Codec
from mixstore.envelopes import Envelope
from mixstore.errors import CorruptRecordError, ValidationError
from mixstore.indexes import index_keys
from mixstore.schema import FieldSpec, ModelSchema, schema_of
from mixstore.types import FieldType
from mixstore.write import KeyValue


class RecordCodec(NamedTuple):
    """Prepared functions for one model.

    encode: instance -> record; ValidationError names the field that can't be stored.
    decode: record -> {field: python value}; CorruptRecordError names the field that does not decode.
    key_of: record -> the row's key.
    """

    encode: Callable[[Any], dict[str, Any]]
    decode: Callable[[Mapping[str, Any]], dict[str, Any]]
    key_of: Callable[[Mapping[str, Any]], KeyValue]


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
        schema = schema_of(model_class)

        def decode(record: Mapping[str, Any]) -> dict[str, Any]:
            return self.storage_to_model(model_class, record)

        def key_of(record: Mapping[str, Any]) -> KeyValue:
            return schema.key_from(decode(record)) or ()

        return RecordCodec(self.model_to_storage, decode, key_of)


class CompiledAdapter(ModelAdapter):
    """An adapter made of one codec per field, compiled to straight-line functions per model.

    A subclass says how one type is stored. One that overrides a conversion is heard: its method is what runs.
    """

    def __init__(self) -> None:
        self._codecs: dict[type, RecordCodec] = {}

    @abstractmethod
    def field_codec(self, field_type: FieldType) -> Codec:
        """How values of this type (never None) are stored and read."""

    def spec_codec(self, spec: FieldSpec) -> Codec:
        """How values of one field are stored and read, where its options matter too."""
        return self.field_codec(spec.type)

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

    def get_index_keys(self, instance: Any) -> dict[str, Any]:
        return index_keys(schema_of(type(instance)).indexes, vars(instance))

    def codec(self, model_class: type[Any]) -> RecordCodec:
        compiled = self._compiled(model_class)
        plain = super().codec(model_class)
        overridden = type(self).model_to_storage is not CompiledAdapter.model_to_storage
        reads_own = type(self).storage_to_model is not CompiledAdapter.storage_to_model
        return RecordCodec(
            plain.encode if overridden else compiled.encode,
            plain.decode if reads_own else compiled.decode,
            plain.key_of if reads_own else compiled.key_of,
        )

    def whole_decoder(self, model_class: type[Any]) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
        """As `codec(...).decode`, for a store whose records hold nothing but fields: those can be copied whole."""
        schema = schema_of(model_class)
        return _decoder(schema, {name: self.spec_codec(spec) for name, spec in schema.fields.items()}, whole=True)

    def patient_decoder(self, model_class: type[Any]) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
        """As `codec(...).decode`, looking at each value, for rows that were written for another class."""
        schema = schema_of(model_class)
        decoders = {name: self.spec_codec(spec).decode for name, spec in schema.fields.items()}

        def patient(record: Mapping[str, Any]) -> dict[str, Any]:
            return {name: decode_one(schema, spec, record, decoders[name]) for name, spec in schema.fields.items()}

        return patient

    def _compiled(self, model_class: type[Any]) -> RecordCodec:
        codec = self._codecs.get(model_class)
        if codec is None:
            schema = schema_of(model_class)
            fields = {name: self.spec_codec(spec) for name, spec in schema.fields.items()}
            codec = RecordCodec(_encoder(schema, fields), _decoder(schema, fields), _key_reader(schema, fields))
            self._codecs[model_class] = codec
        return codec


def straight_line(
    name: str,
    sources: Mapping[str, str],
    functions: Mapping[str, Callable[[Any], Any] | None],
    otherwise: Callable[[Any, Exception], dict[str, Any]] | None = None,
    given: str = "d",
    whole: bool = False,
) -> Any:
    """A function `f(d)` that returns a dict, one expression a field, with no loop.

    `sources` maps each field to the expression that reads it from `d`; `functions` holds what converts it (None:
    nothing to do); `given` is what `d` is made of, if not the argument `d` itself; `otherwise` answers when anything is
    raised; `whole` says that a `d` with as many entries holds just these fields, so that it can be copied.
    The text holds nothing but `repr()` of names, positions and names made here: no value of a user's ever gets in.
    """
    namespace: dict[str, Any] = {"otherwise": otherwise, **shortcuts.NAMES}
    items = []
    for position, (field, source) in enumerate(sources.items()):
        function = functions[field]
        if function is None:
            items.append(f"{field!r}: {source}")
        else:
            namespace[f"f{position}"] = function
            items.append(f"{field!r}: None if (v := {source}) is None else {shortcuts.said(function, position)}")
    made = f"{{{', '.join(items)}}}"
    if whole:
        changed = [item for item, field in zip(items, sources, strict=True) if functions[field] is not None]
        copied = f"{{{', '.join(['**d', *changed])}}}" if changed else "d.copy()"
        made = f"{copied} if len(d) == {len(items)} else {made}"
    lines = [f"def {name}({given.partition('.')[0]}):"]
    lines += [f" d = {given}"] if given != "d" else []
    if otherwise is None:
        lines += [f" return {made}"]
    else:
        lines += [" try:", f"  return {made}", " except Exception as error:", "  return otherwise(d, error)"]
    exec(compile("\n".join(lines) + "\n", f"<mixstore {name}>", "exec"), namespace)  # noqa: S102
    return namespace[name]


def _encoder(schema: ModelSchema, fields: Mapping[str, Codec]) -> Callable[[Any], dict[str, Any]]:
    encoders = {name: codec.encode for name, codec in fields.items()}
    sources = {name: f"d[{name!r}]" for name in fields}

    def refuse(values: Mapping[str, Any], error: Exception) -> dict[str, Any]:
        raise refused_value(schema, values, encoders, error) from error

    whole = not any(isinstance(one, cached_property) for base in schema.model.__mro__ for one in vars(base).values())
    quick = straight_line("encode", sources, encoders, refuse, given="instance.__dict__", whole=whole)
    hidden, key_from = schema.hidden_key, schema.key_from
    if not hidden:
        return quick  # type: ignore[no-any-return]

    def encode_with_key(instance: Any) -> dict[str, Any]:
        record: dict[str, Any] = quick(instance)
        key = key_from(instance.__dict__)
        if key is None:
            raise ValidationError(f"{schema.name}: a part of the key is missing", model=schema.model)
        record.update(zip(hidden, key, strict=True))
        return record

    return encode_with_key


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


def _decoder(
    schema: ModelSchema, fields: Mapping[str, Codec], whole: bool = False
) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    decoders = {name: codec.decode for name, codec in fields.items()}

    def patient(record: Mapping[str, Any], error: Exception) -> dict[str, Any]:
        return {name: decode_one(schema, spec, record, decoders[name]) for name, spec in schema.fields.items()}

    return straight_line(  # type: ignore[no-any-return]
        "decode", {name: f"d[{name!r}]" for name in fields}, decoders, patient, whole=whole
    )


def _key_reader(schema: ModelSchema, fields: Mapping[str, Codec]) -> Callable[[Mapping[str, Any]], KeyValue]:
    hidden = schema.hidden_key
    if hidden:
        return lambda record: tuple([record[name] for name in hidden])
    parts = [(name, fields[name].decode) for name in schema.key_fields]

    def key_of(record: Mapping[str, Any]) -> KeyValue:
        return tuple([record[name] if decode is None else decode(record[name]) for name, decode in parts])

    return key_of


def decode_one(
    schema: ModelSchema, spec: FieldSpec, record: Mapping[str, Any], decoder: Callable[[Any], Any] | None
) -> Any:
    """One field of a record with patience: an absent one takes its default, a damaged one is a CorruptRecordError."""
    value = record.get(spec.name)
    envelope = value if type(value) is Envelope else None if spec.type.stored == "bytes" else Envelope.read(value)
    if envelope is not None:
        raise sealed(schema, spec.name, record, envelope)
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


def sealed(schema: ModelSchema, field: str, record: Mapping[str, Any], envelope: Envelope) -> CorruptRecordError:
    """The error for a value that an extension stored which is not in the chain any more."""
    problem = f"was stored by the extension {envelope.owner!r}, which is not active and alone can read it"
    return corrupt(schema, field, record, problem)


def corrupt(schema: ModelSchema, field: str, record: Mapping[str, Any], problem: str) -> CorruptRecordError:
    """The error for a stored value that can't be read, with the record's key as far as it can be told."""
    key = {name: record.get(name) for name in schema.key_names}
    return CorruptRecordError(f"{schema.name}.{field} {problem}", field=field, model=schema.model, key=key)
