"""Secondary indexes: other ways to find the rows of a model, declared in Meta or by marked methods.

`GSI("by_tenant", partition="TENANT#{tenant_id}", sort="{created_at}")` names a second key. It is data: a backend makes
of it what it has (a global secondary index, an index of columns, a dict), and its planner asks the `KeyShape` whether
the index serves a query. A row of which a part of that key is missing or None is not in the index: it is sparse.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from mixstore.errors import QueryError, SchemaError, ValidationError, nearest
from mixstore.expressions import Compare, Expr, conjunction
from mixstore.keymaking import KeyMaker, by_methods, by_templates
from mixstore.keyranges import KeyShape
from mixstore.keys import both, mark, marked
from mixstore.templates import Template

if TYPE_CHECKING:
    from mixstore.schema import ModelSchema
    from mixstore.write import KeyValue

F = TypeVar("F", bound=Callable[..., Any])
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,200}")


@dataclass(frozen=True, slots=True)
class Projection:
    """What an index holds of a row beside its own key and that of the row: all, nothing, or `fields`."""

    kind: Literal["all", "keys_only", "include"]
    fields: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"INCLUDE({', '.join(map(repr, self.fields))})" if self.fields else self.kind.upper()


ALL = Projection("all")
"""The index holds whole rows."""
KEYS_ONLY = Projection("keys_only")
"""The index holds the primary key and its own."""


def INCLUDE(*fields: str) -> Projection:
    """The index holds these fields beside the keys."""
    if not fields or not all(isinstance(name, str) for name in fields):
        raise SchemaError('INCLUDE() takes the names of fields: INCLUDE("title", "stars")')
    return Projection("include", tuple(dict.fromkeys(fields)))


@dataclass(frozen=True, slots=True, init=False)
class GSI:
    """A secondary index of a partition and, optionally, a sort template; `Meta.indexes = [GSI(...)]`."""

    name: str
    partition: Template
    sort: Template | None
    projection: Projection

    def __init__(self, name: str, partition: str, sort: str | None = None, projection: Projection = ALL) -> None:
        object.__setattr__(self, "name", _checked_name(name))
        object.__setattr__(self, "projection", _checked_projection(self, projection))
        object.__setattr__(self, "partition", Template(partition))
        object.__setattr__(self, "sort", None if sort is None else Template(sort))
        if not self.fields:
            raise SchemaError(f"{self!r} uses no field, so that all rows would share one key")

    @property
    def fields(self) -> tuple[str, ...]:
        """The names of all fields used, each once: those of the partition first."""
        return tuple(dict.fromkeys(self.partition.fields + (self.sort.fields if self.sort else ())))

    def __repr__(self) -> str:
        sort = f", sort={self.sort.source!r}" if self.sort else ""
        return f"GSI({self.name!r}, partition={self.partition.source!r}{sort}, projection={self.projection!r})"


@dataclass(frozen=True, slots=True, init=False)
class LSI:
    """Another order of the rows of one partition: the partition is that of `Meta.key`, the sort template another.

    A backend that knows local indexes makes one, with its table; to others it is an index as any.
    """

    name: str
    sort: Template
    projection: Projection

    def __init__(self, name: str, sort: str, projection: Projection = ALL) -> None:
        object.__setattr__(self, "name", _checked_name(name))
        object.__setattr__(self, "sort", Template(sort))
        object.__setattr__(self, "projection", _checked_projection(self, projection))
        if not self.sort.fields:
            raise SchemaError(f"{self!r} sorts by no field")

    def __repr__(self) -> str:
        return f"LSI({self.name!r}, sort={self.sort.source!r})"


def _checked_projection(one: GSI | LSI, projection: Any) -> Projection:
    if not isinstance(projection, Projection):
        raise SchemaError(
            f"{type(one).__name__} {one.name!r}: a projection is ALL, KEYS_ONLY or INCLUDE(...), "
            f"not {type(projection).__name__}"
        )
    return projection


def gsi_partition_key(name: str) -> Callable[[F], F]:
    """Marks the instance method that computes the partition key of the index `name`; None: the row is not in it."""
    return _marker(name, "partition_key")


def gsi_sort_key(name: str) -> Callable[[F], F]:
    """Marks the instance method that computes the sort key of the index `name`, whose partition key has one too."""
    return _marker(name, "sort_key")


def _marker(name: Any, role: str) -> Callable[[F], F]:
    if not isinstance(name, str):
        raise SchemaError(f'@gsi_{role} takes the name of an index: @gsi_{role}("by_tenant")')
    _checked_name(name)
    return lambda method: mark(method, role, name)


def _checked_name(name: Any) -> str:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise SchemaError(f"{name!r} can't be the name of an index", hint="letters, digits, '_', '-' and '.'")
    return name


class IndexSpec:
    """One index of a model, compiled.

    partition, sort: its templates; both None where methods compute the key. shape: what planners ask, None likewise.
    fields: those that the templates use. projected: the fields that it holds, None for all. local: whether its
    partitions are those of the primary key.
    key_from: the key that python values make, (partition,) or (partition, sort); None if the row is not in the index;
    ValidationError as for primary keys.
    """

    __slots__ = (
        "fields",
        "has_sort",
        "key_from",
        "local",
        "name",
        "partition",
        "present",
        "projected",
        "projection",
        "shape",
        "sort",
    )

    def __init__(
        self,
        name: str,
        key_from: KeyMaker,
        has_sort: bool,
        projection: Projection = ALL,
        shape: KeyShape | None = None,
        keys: Iterable[str] = (),
        local: bool = False,
    ) -> None:
        self.name = name
        self.local = local
        self.key_from = key_from
        self.has_sort = has_sort
        self.shape = shape
        self.partition = None if shape is None else shape.partition
        self.sort = None if shape is None else shape.sort
        self.fields = () if shape is None else shape.fields
        self.projection = projection
        self.projected: frozenset[str] | None = (
            None if projection.kind == "all" else frozenset((*keys, *self.fields, *projection.fields))
        )
        missing = (self.mark,) if shape is None else shape.nullable
        self.present: Expr = conjunction(*[Compare((name,), "isnull", False) for name in missing])
        """What tells whether a row is in the index; TRUE if all rows are."""

    @property
    def mark(self) -> str:
        """Under which name a row's values tell its key in an index whose key methods compute; no field is called so."""
        return f"_gsi_{self.name}"

    def key_as_read(self, values: Mapping[str, Any]) -> KeyValue | None:
        """`key_from` for a row that is stored already: an older one, which can't make a key, is not in the index."""
        try:
            return self.key_from(values)
        except ValidationError:
            return None

    def covers(self, fields: Iterable[str] | None) -> bool:
        """Whether the index holds all of these fields; None asks for whole rows."""
        return self.projected is None or (fields is not None and self.projected.issuperset(fields))

    def __repr__(self) -> str:
        return f"<IndexSpec {self.name}>"


def check_indexes(where: str, indexes: Iterable[Any]) -> None:
    """What Meta.indexes alone can get wrong: SchemaError for what is no index and for names that are not told apart."""
    seen: dict[str, str] = {}
    for one in indexes:
        if not isinstance(one, (GSI, LSI)):
            raise SchemaError(f"{where} holds GSI(...) and LSI(...) only, not {one!r}")
        if one.name.lower() in seen:
            also = "" if seen[one.name.lower()] == one.name else f" (there is {seen[one.name.lower()]!r})"
            raise SchemaError(f"{where} names two indexes {one.name!r}{also}; case does not tell them apart")
        seen[one.name.lower()] = one.name


def indexes_of(schema: ModelSchema) -> dict[str, IndexSpec]:
    """The indexes of a model by name: those of Meta, then those that methods make."""
    declared: tuple[GSI | LSI, ...] = tuple(schema.meta.get("indexes", ()))
    found = {one.name: _by_templates(schema, one) for one in declared}
    for spec in _by_methods(schema):
        same = next((name for name in found if name.lower() == spec.name.lower()), None)
        if same is not None:
            raise SchemaError(
                f"{schema.name}: the index {spec.name!r} is declared twice, by Meta.indexes or other methods as well",
                model=schema.model,
                hint="a template or methods, not both; case does not tell names apart",
            )
        found[spec.name] = spec
    return found


def _by_templates(schema: ModelSchema, one: GSI | LSI) -> IndexSpec:
    where = f"{schema.name}.Meta.indexes: {one.name}"
    types = {name: spec.type for name, spec in schema.fields.items()}
    local = isinstance(one, LSI)
    partition = _partition_of(schema, where) if isinstance(one, LSI) else one.partition
    templates = [partition] if one.sort is None else [partition, one.sort]
    for template in templates:
        template.check(where, types)
    shape = KeyShape(partition, one.sort, types)
    for name in shape.fields:
        if not types[name].orderable:
            raise SchemaError(f"{where}: {name!r} has values of several kinds and can't be part of a key")
    for name in one.projection.fields:
        if name not in types:
            raise SchemaError(f"{where}: INCLUDE names no field: {name!r}", hint=nearest(name, types))
    make = by_templates(schema.model, f"{schema.name}, index {one.name}", templates)
    return IndexSpec(one.name, make, one.sort is not None, one.projection, shape, schema.key_fields, local)


def _partition_of(schema: ModelSchema, where: str) -> Template:
    """The partition template of the primary key, which rows share; SchemaError if there is none."""
    if schema.template is None or schema.template.sort is None:
        raise SchemaError(
            f"{where} is another order of the rows of a partition, and {schema.name} has none with several rows",
            model=schema.model,
            hint="Meta.key = Key(partition=..., sort=...) makes partitions; or use GSI(...)",
        )
    return schema.template.partition


def _by_methods(schema: ModelSchema) -> Iterator[IndexSpec]:
    roles: dict[str, dict[str, str]] = {}
    for (role, index), method in marked(schema.model).items():
        if index is not None:
            roles.setdefault(index, {})[role] = method
    for index, found in roles.items():
        names = both(schema.model, found, "gsi_", f"({index!r})")
        methods: list[Callable[[Any], Any]] = [getattr(schema.model, name) for name in names]
        make = by_methods(schema.model, methods, schema.fields)
        yield IndexSpec(index, make, len(methods) == 2)


def index_keys(indexes: Mapping[str, IndexSpec], values: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """`{"by_tenant": {"gsi_pk": ..., "gsi_sk": ...}}` of a row's values; one that it is not in is left out."""
    found = ((name, spec.key_from(values)) for name, spec in indexes.items())
    return {name: dict(zip(("gsi_pk", "gsi_sk"), key, strict=False)) for name, key in found if key is not None}


def check_named(schema: ModelSchema, name: Any) -> None:
    """QueryError for the name of an index that the model has not; None is any way to find rows."""
    if name is None or name in schema.indexes:
        return
    hint = nearest(str(name), schema.indexes) if schema.indexes else "Meta.indexes = [GSI(...)] declares some"
    raise QueryError(f"{schema.name} has no index {name!r}", hint=hint)
