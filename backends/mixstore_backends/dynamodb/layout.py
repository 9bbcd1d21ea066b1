"""The layout of one model in DynamoDB: its table, its key, its attributes, and the functions prepared for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mixstore.errors import SchemaError, ValidationError
from mixstore_backends.dynamodb.adapter import DynamoDBAdapter
from mixstore_backends.dynamodb.columns import Column, Item, Shaper
from mixstore_backends.dynamodb.compiler import Compiler
from mixstore_backends.dynamodb.heads import own_keys
from mixstore_backends.dynamodb.keying import prefix_of
from mixstore_backends.dynamodb.operands import UNKNOWN
from mixstore_backends.dynamodb.values import form_of

if TYPE_CHECKING:
    from mixstore.bound import Bound
    from mixstore.indexes import IndexSpec
    from mixstore.schema import FieldSpec
    from mixstore.write import KeyValue
    from mixstore_backends.dynamodb.computed import Computed
    from mixstore_backends.dynamodb.wire import Wire

ENTITY_PLACE = "{entity}"
"""In the name of a table: the entity's name takes its place."""


class Index:
    """One secondary index: the attributes of its key, and what makes them.

    whole: whether it holds whole rows; of others, the rows are read from the table. local: whether its partitions are
    those of the table, so that it is made with it and reads as freshly. own: the attributes that are not the table's.
    """

    __slots__ = ("attributes", "local", "name", "own", "spec", "whole")

    def __init__(self, spec: IndexSpec, attributes: tuple[str, ...]) -> None:
        self.name = spec.name
        self.spec = spec
        self.attributes = attributes
        self.local = spec.local
        self.own = attributes[1:] if spec.local else attributes
        self.whole = spec.projected is None


class Table:
    """What is prepared for one bound model; `bound.native`.

    `entity` is (attribute, value) that tells its items from others', None in a table of its own. `guarded` says that
    another entity might have an item of the same key, since the model renders its keys itself.
    """

    def __init__(
        self,
        bound: Bound,
        table_name: str,
        adapter: DynamoDBAdapter,
        ttl: Mapping[str, str],
        computed: Sequence[Computed] = (),
    ) -> None:
        self.bound = bound
        self.schema = schema = bound.schema
        self.adapter = adapter
        self.entity_type = adapter.get_entity_type(bound.model)
        self.name = table_name.replace(ENTITY_PLACE, self.entity_type)
        self._ttl = ttl
        self.keying = adapter.keying(bound.model)
        self.key_attributes = self.keying.attributes
        self.entity = (adapter.entity, self.entity_type) if adapter.single_table else None
        self.guarded = self.entity is not None and bool(schema.hidden_key)
        specs = (*schema.indexes.values(), *[one.spec(schema, self.entity_type) for one in computed])
        if len({spec.name for spec in specs}) < len(specs):
            raise SchemaError(
                f"{schema.name} has an index {specs[-1].name!r}, and so has one of its extensions", model=schema.model
            )
        self.indexes = {spec.name: Index(spec, adapter.index_attributes(spec)) for spec in specs}
        opaque = bound.chain.opaque
        self.columns = {
            name: Column(spec, form_of(spec.type), adapter.field_codec(spec.type), name in opaque)
            for name, spec in schema.fields.items()
        }
        self.refused_in_filters = frozenset(self.key_attributes) & self.columns.keys()
        self.own_attributes = adapter.own_attributes(bound.model).union(*[one.own for one in self.indexes.values()])
        self.token = adapter.token
        self.writes_itself = type(adapter).model_to_storage is not DynamoDBAdapter.model_to_storage
        self.reads_itself = type(adapter).storage_to_model is not DynamoDBAdapter.storage_to_model
        self._check()
        hidden = dict(zip(schema.hidden_key, self.key_attributes, strict=False))
        self.shaper = Shaper(schema, self.columns, hidden)
        self.compiler = Compiler(self)

    def _check(self) -> None:
        taken = set(self.own_attributes)
        if self.entity is None and not self.schema.hidden_key:
            taken -= set(self.key_attributes)
        for name in self.columns:
            if name in taken:
                raise SchemaError(
                    f"{self.schema.name}.{name}: the table has an attribute of that name for its own use",
                    model=self.schema.model,
                    hint=f"rename the field, or the attribute: DynamoDBAdapter({_role(self.adapter, name)}=...)",
                )

    def default_of(self, spec: FieldSpec) -> Any:
        """What a row without this attribute has, if that is not None and known."""
        if (
            spec.name in self.schema.key_fields
            or spec.required
            or (spec.default is None and spec.default_factory not in (list, dict, set))
        ):
            return UNKNOWN
        return spec.make_default()

    def index_items(self, values: Mapping[str, Any], lenient: bool = False) -> Item:
        """The key attributes of the indexes that a row of these python values is in.

        ValidationError for values that an index can't hold; if `lenient`, the row is not in it.
        """
        made: Item = {}
        for index in self.indexes.values():
            try:
                key = index.spec.key_from(values)
            except ValidationError:
                if not lenient:
                    raise
                continue
            for name, part in zip(index.attributes, key or (), strict=False):
                if not part:
                    break  # an empty text can't be a key, so the row is not in the index
                if name in index.own:
                    made[name] = {"S": part}
        return made

    @property
    def expiry(self) -> str | None:
        """The attribute by which DynamoDB removes rows of the table, if an extension declared one."""
        return self._ttl.get(self.name)

    def is_alone(self, others: Iterable[Table]) -> bool:
        """Whether none of these models, nor one whose keys name its entity, has an item of the same key."""
        if not self.guarded:
            return True
        return own_keys(prefix_of(self.entity_type), self.keying.heads, [one.keying.heads for one in others])

    # -- items ------------------------------------------------------------------------------------------------------

    def item_of(self, key: KeyValue, record: Mapping[str, Any]) -> Item:
        """A whole item. ValidationError names what can't be stored."""
        made = self.shaper.item(record, self.own_attributes)
        made.update(self.keying.wire(key))
        if self.entity is not None:
            made[self.entity[0]] = {"S": self.entity[1]}
        if self.indexes:
            made.update(self.index_items(self.values_of(record)))
        return made

    def values_of(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """The python values of a record that is to be stored."""
        return self.bound.values_from_record(record) if self.bound.chain.deserialize else self.bound.decode(record)

    def is_mine(self, item: Mapping[str, Wire]) -> bool:
        """Whether an item that was read by its key is of this entity."""
        return self.entity is None or item.get(self.entity[0]) == {"S": self.entity[1]}

    def told(self, item: Any) -> dict[str, Any]:
        """An item's python values, with its rendered key."""
        values = self.bound.values_from_row(item)
        values.update(zip(self.schema.hidden_key, self.bound.key_from(values) or (), strict=False))
        return values

    def record_reader(self) -> Any:
        """item -> record."""
        if self.writes_itself or self.reads_itself:
            return self.shaper.record_reader(frozenset())
        return self.shaper.record_reader(self.own_attributes if self.bound.chain.serialize else None)

    def values_reader(self) -> Any:
        """item -> python values, or None if extensions or the adapter must see the record."""
        return None if self.reads_itself or self.bound.chain.opaque else self.shaper.values_reader()


def _role(adapter: DynamoDBAdapter, attribute: str) -> str:
    return next((role for role in ("partition", "sort", "entity") if getattr(adapter, role) == attribute), "entity")
