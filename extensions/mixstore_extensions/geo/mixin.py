"""`Geo`: rows are found by where they are, with an index."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pydantic

from mixstore import (
    BackendExtension,
    Capability,
    Condition,
    ConflictError,
    Declaration,
    Deferred,
    Field,
    Mixin,
    ModelSchema,
    Q,
    Query,
    QueryBuilder,
    SchemaError,
    WriteChange,
    WriteContext,
    schema_of,
)
from mixstore.expressions import Compare, Expr, conjunction, terms
from mixstore_extensions.geo import dynamodb, opensearch
from mixstore_extensions.geo.cells import cell, cover
from mixstore_extensions.geo.lookups import NEAR, SPANS
from mixstore_extensions.geo.places import Point

if TYPE_CHECKING:
    from typing_extensions import Self

LENGTHS = {"geohash": 5, "geohash_wide": 3}
"""Letters of the cells that rows are found by, finest first: 4.9 km and 156 km wide at the equator. Never to change:
stored rows have them."""
MOST_CELLS = 512
"""A question that touches more cells than this is asked by wider cells, or without."""
NOWHERE = "-"
"""The cell of a row without a place. None is that of a row that was stored before there were cells."""


class Geo(Mixin):
    """`near` and `within` on the model's `Point` find their rows by index, and answer exactly.

    `Meta.geo` names the field, where there are several Points. `geohash` and `geohash_wide` hold the cells that it lies
    in, and follow it by themselves. Rows that were stored before the model was `Geo` are found too; `rehash()` makes
    that fast.
    """

    geohash: str | None = Field(default=None, index=True)
    geohash_wide: str | None = Field(default=None, index=True)

    # required: a write without the extension leaves cells behind by which the row is no longer found
    Declares = Declaration(required=True, meta={"geo": str})

    class Cells(BackendExtension):
        """Keeps the cells of each row, and adds to a question those that its answer can lie in."""

        name = "geo"
        requires = (Capability.CONDITIONS,)
        unseen_deletes = True

        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            self._field = field_of(self.schema)
            if self.schema.fields[self._field].option("encrypted"):
                raise SchemaError(
                    f"{self.schema.name}.{self._field} is encrypted, and Geo would store beside it where it is",
                    model=self.model,
                    hint="leave out one of the two",
                )

        def before_write(self, context: WriteContext) -> WriteChange | None:
            if "delete" in (context.asked, context.operation):
                return None
            name, values, loaded = self._field, context.values, context.loaded
            try:
                point = self.schema.fields[name].validator(values[name])
            except pydantic.ValidationError:
                return None  # the field itself is refused
            cells = cells_of(point)
            if context.operation != "update" or loaded is None:
                return WriteChange(cells)
            known = {one: loaded[one] for one in LENGTHS}
            moved = repr(point) != repr(loaded[name])  # from 0.0 to -0.0 is no way, and yet it is written
            if not moved and (known == cells or known["geohash"] is values["geohash"] is None):
                return WriteChange(known)
            # a cell that stays is not written, and a writer in between may have moved the point to another
            kept = {one: known[one] for one in LENGTHS if not moved or known[one] == cells[one]}
            return WriteChange(cells, Condition(Q(**kept), _moved_meanwhile) if kept else None)

        def validate(self, data: Mapping[str, Any]) -> None:
            cells, point = {name: data[name] for name in LENGTHS}, data[self._field]
            if cells["geohash"] is not None and cells != cells_of(point):
                raise ValueError(f"{self._field} was changed after its cells were found")

        def modify_query(self, query: Query) -> Query:
            covers = [cells for term in terms(query.where) if (cells := self._cover(term)) is not None]
            return query.replace(where=conjunction(query.where, *covers)) if covers else query

        def _cover(self, term: Expr) -> Q | None:
            """Rows that a term can find, by their cells; None if it says nothing of the place, or too little."""
            if not isinstance(term, Compare) or term.path != (self._field,):
                return None
            if term.lookup not in SPANS or isinstance(term.value, Deferred):
                return None
            span = SPANS[term.lookup](term.value)
            for name, length in LENGTHS.items():
                cells = cover(span, length, MOST_CELLS)
                if cells is not None:
                    return Q(**{f"{name}__in": (None, *cells)})
            return None

    class DynamoDB(Cells):
        """A secondary index of the model keeps the rows in the order of their cells, and is asked for ranges of them.

        Its keys follow from the place itself, so that rows without cells are in it as well.
        """

        backend_name = "dynamodb"
        fidelity = "native"

        def configure_backend(self, model_class: type[Any]) -> None:
            backend: Any = self.backend
            backend.add_index(model_class, "geo", self._field, dynamodb.key, dynamodb.RANGES)

        def modify_query(self, query: Query) -> Query:
            return query

    class OpenSearch(Cells):
        """The place is a `geo_point`, asked for by distances and boxes; cells are kept, but not asked for."""

        backend_name = "opensearch"
        fidelity = "native"

        def configure_backend(self, model_class: type[Any]) -> None:
            backend: Any = self.backend
            backend.map_field(model_class, self._field, opensearch.MAPPING, opensearch.queries(self._field))

        def modify_query(self, query: Query) -> Query:
            return query

    @classmethod
    def nearest(cls, point: Point, km: float, limit: int | None = None, /, **filters: Any) -> list[Self]:
        """The rows at most `km` kilometres from a point that pass the filters, nearest first; at most `limit`.

        All rows within `km` are read to sort them.
        """
        found = _near(cls, point, km, limit, filters).all()
        return _sorted(cls, point, found, limit)

    @classmethod
    async def anearest(cls, point: Point, km: float, limit: int | None = None, /, **filters: Any) -> list[Self]:
        """`nearest()`, awaited."""
        found = await _near(cls, point, km, limit, filters).aall()
        return _sorted(cls, point, found, limit)

    @classmethod
    def rehash(cls) -> int:
        """Give their cells to rows that were stored before the model was `Geo`; returns how many.

        It can be stopped and started again; writers are not in the way.
        """
        return _unhashed(cls).update(geohash=NOWHERE)

    @classmethod
    async def arehash(cls) -> int:
        """`rehash()`, awaited."""
        return await _unhashed(cls).aupdate(geohash=NOWHERE)


def field_of(schema: ModelSchema) -> str:
    """The `Point` of a model. SchemaError if `Meta.geo` names none, or there is not exactly one."""
    points: list[str] = [name for name, spec in schema.fields.items() if spec.type.python is Point]
    named = schema.meta.get("geo")
    if named is not None:
        schema.field(named, "has a Meta.geo that is no field:")
        if named not in points:
            raise SchemaError(f"{schema.name}.{named}, its Meta.geo, is {schema.fields[named].type} and no Point")
        return str(named)
    if len(points) != 1:
        told = f"several Points ({', '.join(points)})" if points else "no Point"
        raise SchemaError(
            f"{schema.name} is Geo and has {told}",
            hint=f'class Meta: geo = "{points[0]}"' if points else "location: Point",
        )
    return points[0]


def cells_of(point: Point | None) -> dict[str, str]:
    """What is stored beside a place."""
    if point is None:
        return dict.fromkeys(LENGTHS, NOWHERE)
    longest = cell(point, max(LENGTHS.values()))
    return {name: longest[:length] for name, length in LENGTHS.items()}


def _moved_meanwhile(stored: Mapping[str, Any]) -> Exception:
    return ConflictError("another writer moved it in between", hint="refresh(), and change it again")


def _unhashed(model: Any) -> QueryBuilder[Any]:
    return QueryBuilder.on(model).filter(geohash=None)


def _near(model: Any, point: Point, km: float, limit: int | None, filters: Mapping[str, Any]) -> QueryBuilder[Any]:
    QueryBuilder.on(model).limit(limit)  # says what a limit may be; the nearest are known when all have been read
    near = f"{field_of(schema_of(model))}__{NEAR.name}"
    return QueryBuilder.on(model).filter(**filters).filter(**{near: (point, km)})


def _sorted(model: Any, point: Point, found: list[Any], limit: int | None) -> list[Any]:
    name = field_of(schema_of(model))
    return sorted(found, key=lambda one: float(getattr(one, name).distance_to(point)))[:limit]
