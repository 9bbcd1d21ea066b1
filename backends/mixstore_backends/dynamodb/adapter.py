"""`DynamoDBAdapter`: records whose values DynamoDB can hold, and the names of the attributes around them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mixstore.adapter import CompiledAdapter, RecordCodec
from mixstore.codecs import Codec
from mixstore.errors import ConfigurationError, ValidationError
from mixstore.indexes import IndexSpec
from mixstore.schema import schema_of
from mixstore.types import FieldType
from mixstore_backends.dynamodb.keying import Keying, keying_of
from mixstore_backends.dynamodb.values import field_codec

INDEX_PLACE = "{index}"


class DynamoDBAdapter(CompiledAdapter):
    """Many entities in one table, told apart by an attribute; or, with `single_table=False`, a table for each.

    partition, sort, entity: the names of the attributes that hold the rendered key and the entity. In a table for one
    entity the key is its key fields in their own types; only rendered keys take `partition` and `sort` there.
    index_partition, index_sort: those of the key of an index, with its name for `{index}`. token: that of what a
    conditional write leaves, so that it knows itself again when its answer was lost.
    """

    def __init__(
        self,
        *,
        partition: str = "pk",
        sort: str = "sk",
        entity: str = "entity_type",
        index_partition: str = "{index}_pk",
        index_sort: str = "{index}_sk",
        token: str = "_w",
        single_table: bool = True,
    ) -> None:
        super().__init__()
        if INDEX_PLACE not in index_partition or INDEX_PLACE not in index_sort or index_partition == index_sort:
            raise ConfigurationError(
                f"index_partition={index_partition!r} and index_sort={index_sort!r} must differ, and say {INDEX_PLACE}"
            )
        self._index_attributes = (index_partition, index_sort)
        names = (partition, sort, entity, token)
        if not all(isinstance(name, str) and 0 < len(name) <= 255 for name in names) or len(set(names)) < 4:
            raise ConfigurationError(
                f"the attributes partition={partition!r}, sort={sort!r}, entity={entity!r}, token={token!r} need names "
                "that differ"
            )
        self.partition = partition
        self.sort = sort
        self.entity = entity
        self.token = token
        self.single_table = single_table
        self._keyings: dict[type, Keying] = {}

    def field_codec(self, field_type: FieldType) -> Codec:
        return field_codec(field_type)

    def keying(self, model_class: type[Any]) -> Keying:
        """How the keys of a model are made."""
        found = self._keyings.get(model_class)
        if found is None:
            schema, entity = schema_of(model_class), self.get_entity_type(model_class)
            found = keying_of(schema, entity, (self.partition, self.sort), self.single_table)
            self._keyings[model_class] = found
        return found

    def index_attributes(self, spec: IndexSpec) -> tuple[str, ...]:
        """The attributes that hold the key of an index."""
        names = tuple([name.replace(INDEX_PLACE, spec.name) for name in self._index_attributes])
        if spec.local:
            return self.partition, *names[1:]
        return names if spec.has_sort else names[:1]

    def own_attributes(self, model_class: type[Any]) -> frozenset[str]:
        """The attributes of a row that are no fields: those of its key, its entity, its keys in indexes."""
        schema = schema_of(model_class)
        of_indexes = [name for spec in schema.indexes.values() for name in self.index_attributes(spec)]
        of_entity = (self.entity,) if self.single_table else ()
        own = (*self.keying(model_class).attributes, *of_entity, self.token, *of_indexes)
        return frozenset((*own, *schema.hidden_key))

    def model_to_storage(self, instance: Any) -> dict[str, Any]:
        """`{'pk': 'USER#123', 'sk': 'METADATA', 'entity_type': 'User', 'id': '123', ...}`."""
        model = type(instance)
        record = self._compiled(model).encode(instance)
        schema, keying = schema_of(model), self.keying(model)
        key = schema.key_from(instance.__dict__)
        if key is None:
            raise ValidationError(f"{schema.name}: a part of the key is missing", model=model)
        for name in schema.hidden_key:
            del record[name]
        keying.wire(key)  # refuses what can't be a key
        made = dict(zip(keying.attributes, keying.parts(key), strict=True))
        if self.single_table:
            made[self.entity] = self.get_entity_type(model)
        return {**made, **record}

    def codec(self, model_class: type[Any]) -> RecordCodec:
        compiled, mine = self._compiled(model_class), type(self)
        writes = mine.model_to_storage is not DynamoDBAdapter.model_to_storage
        reads = mine.storage_to_model is not DynamoDBAdapter.storage_to_model
        own = super().codec(model_class) if writes or reads else compiled
        hidden = schema_of(model_class).hidden_key

        def encode(instance: Any) -> dict[str, Any]:
            """What an adapter of somebody else makes, and the rendered key that the kernel looks for."""
            record = dict(self.model_to_storage(instance))
            key = schema_of(model_class).key_from(instance.__dict__) or ()
            record.update(zip(hidden, key, strict=False))
            return record

        return RecordCodec(
            encode if writes else compiled.encode,
            own.decode if reads else compiled.decode,
            own.key_of if reads else compiled.key_of,
        )

    def storage_to_model(self, model_class: type[Any], data: Mapping[str, Any]) -> dict[str, Any]:
        return super().storage_to_model(model_class, data)
