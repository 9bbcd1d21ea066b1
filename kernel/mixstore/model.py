"""`Model`: the ActiveRecord face. It knows no feature; every verb is a lifecycle that runs on the bound backend."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import pydantic
from pydantic import BaseModel, ConfigDict

from mixstore import batches, lifecycle, points
from mixstore.backend import Backend
from mixstore.binding import bound_of
from mixstore.builder import QueryBuilder
from mixstore.chain import Entry
from mixstore.definition import Definition
from mixstore.errors import ConfigurationError
from mixstore.fields import Field
from mixstore.mixin import IGNORED, MixstoreMeta, dataclass_transform
from mixstore.registry import current
from mixstore.search import Fields, Hit, Meta
from mixstore.state import State, install, state_of

if TYPE_CHECKING:
    from typing_extensions import Self

    from mixstore.bound import Bound


@dataclass_transform(kw_only_default=True, field_specifiers=(Field, pydantic.Field))  # mypy looks at no base for it
class ModelMeta(MixstoreMeta):
    """Checks a model when it is defined, and lets the registry know of it."""

    def __new__(mcs, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **kwargs: Any) -> ModelMeta:
        kwargs.setdefault("_frames", 4)
        cls = super().__new__(mcs, name, bases, namespace, **kwargs)
        if any(isinstance(base, ModelMeta) for base in bases):
            cls.__mixstore_definition__ = definition = Definition(cls)  # type: ignore[attr-defined]
            if not (definition.abstract or definition.internal):
                current().add_model(cls)
        return cls  # type: ignore[return-value]

    if not TYPE_CHECKING:  # or type checkers would take any name for an attribute

        def __getattr__(cls, name: str) -> Any:
            try:
                return super().__getattr__(name)
            except AttributeError:
                if name.startswith("_") or name not in vars(QueryBuilder):
                    raise
            raise AttributeError(
                f"{cls.__name__} has no {name!r}, its queries have: {cls.__name__}.where().{name}(...)"
            )


class Model(BaseModel, metaclass=ModelMeta):
    """A pydantic class whose instances are rows of a store.

        class User(Model):
            id: str = Field(primary_key=True)
            email: str = Field(unique=True)

    Verbs have async twins with an `a` in front. `create`, `upsert` and `update` raise `mixstore.ValidationError` for
    bad data, the bare constructor pydantic's own.
    """

    model_config = ConfigDict(extra="forbid", ignored_types=IGNORED)
    __slots__ = ("__mixstore_state__",)
    __mixstore_bound__: ClassVar[Any] = None
    __class_verbs__: ClassVar[frozenset[str]]
    __instance_verbs__: ClassVar[frozenset[str]]

    # -- binding ------------------------------------------------------------------------------------------------------

    @classmethod
    def bind(cls, backend: Backend | str | None, /) -> None:
        """Use this backend (or the one of this name or URL) for this class and its subclasses; None takes it back."""
        if not (backend is None or isinstance(backend, str | Backend)):
            raise ConfigurationError(
                f"{cls.__name__}.bind() takes a name, a URL or a Backend, not {backend!r}", model=cls
            )
        type.__setattr__(cls, "__mixstore_backend__", backend)
        _forget_bounds(cls)

    @classmethod
    def extensions(cls) -> list[Entry]:
        """What is active on the bound backend, in chain order, then what is not, each with its reason."""
        return list(bound_of(cls).chain.entries)

    # -- rows ---------------------------------------------------------------------------------------------------------

    @classmethod
    def create(cls, /, **data: Any) -> Self:
        """Store a new row. ValidationError; DuplicateKeyError if the key or a unique value is taken."""
        bound = bound_of(cls)
        return bound.run("create", lifecycle.create(bound, data))  # type: ignore[no-any-return]

    @classmethod
    async def acreate(cls, /, **data: Any) -> Self:
        """`create()`, awaited."""
        bound = bound_of(cls)
        return await bound.arun("create", lifecycle.create(bound, data))  # type: ignore[no-any-return]

    @classmethod
    def upsert(cls, /, **data: Any) -> Self:
        """Store a row, replacing the whole of one with the same key.

        ValidationError, DuplicateKeyError (unique values).
        """
        bound = bound_of(cls)
        return bound.run("upsert", lifecycle.upsert(bound, data))  # type: ignore[no-any-return]

    @classmethod
    async def aupsert(cls, /, **data: Any) -> Self:
        """`upsert()`, awaited."""
        bound = bound_of(cls)
        return await bound.arun("upsert", lifecycle.upsert(bound, data))  # type: ignore[no-any-return]

    @classmethod
    def get(cls, key: Any = None, /, **filters: Any) -> Self | None:
        """The row with this primary key (`get("u1")`, `get(id="u1")`) or this value of one unique field; or None."""
        bound = bound_of(cls)
        return bound.run("get", points.get(bound, key, filters))  # type: ignore[no-any-return]

    @classmethod
    async def aget(cls, key: Any = None, /, **filters: Any) -> Self | None:
        """`get()`, awaited."""
        bound = bound_of(cls)
        return await bound.arun("get", points.get(bound, key, filters))  # type: ignore[no-any-return]

    # -- batches ------------------------------------------------------------------------------------------------------

    @classmethod
    def batch_create(cls, items: Iterable[Mapping[str, Any] | Self], /) -> list[Self]:
        """Create many rows, each by itself; BatchError has the outcome of each, in order."""
        bound = bound_of(cls)
        return bound.run("batch_create", batches.batch(bound, "create", items))  # type: ignore[no-any-return]

    @classmethod
    async def abatch_create(cls, items: Iterable[Mapping[str, Any] | Self], /) -> list[Self]:
        """`batch_create()`, awaited."""
        bound = bound_of(cls)
        return await bound.arun("batch_create", batches.batch(bound, "create", items))  # type: ignore[no-any-return]

    @classmethod
    def batch_upsert(cls, items: Iterable[Mapping[str, Any] | Self], /) -> list[Self]:
        """Upsert many rows; of two with one key the last wins."""
        bound = bound_of(cls)
        return bound.run("batch_upsert", batches.batch(bound, "upsert", items))  # type: ignore[no-any-return]

    @classmethod
    async def abatch_upsert(cls, items: Iterable[Mapping[str, Any] | Self], /) -> list[Self]:
        """`batch_upsert()`, awaited."""
        bound = bound_of(cls)
        return await bound.arun("batch_upsert", batches.batch(bound, "upsert", items))  # type: ignore[no-any-return]

    @classmethod
    def batch_get(cls, keys: Iterable[Any], /) -> list[Self | None]:
        """The rows with these keys, in their order; None where there is none."""
        bound = bound_of(cls)
        return bound.run("batch_get", points.batch_get(bound, keys))  # type: ignore[no-any-return]

    @classmethod
    async def abatch_get(cls, keys: Iterable[Any], /) -> list[Self | None]:
        """`batch_get()`, awaited."""
        bound = bound_of(cls)
        return await bound.arun("batch_get", points.batch_get(bound, keys))  # type: ignore[no-any-return]

    # -- queries ------------------------------------------------------------------------------------------------------

    @classmethod
    def where(cls, /, *terms: Any, **filters: Any) -> QueryBuilder[Self]:
        """A query: `User.where(age__gte=18).order_by("-age").limit(10).all()`."""
        return QueryBuilder.on(cls).filter(*terms, **filters)

    @classmethod
    def search(
        cls,
        text: str,
        /,
        *,
        fields: Fields | None = None,
        fuzzy: bool = False,
        phrase: bool = False,
        prefix: bool = False,
        simple: bool = False,
        highlight: bool = False,
    ) -> QueryBuilder[Self]:
        """A full-text query over the searchable fields: see `QueryBuilder.search`."""
        asked = {"fuzzy": fuzzy, "phrase": phrase, "prefix": prefix, "simple": simple}
        return QueryBuilder.on(cls).search(text, fields=fields, highlight=highlight, **asked)

    @classmethod
    def similar(
        cls, /, *, k: int = 10, weight: float | None = None, approximate: bool = False, **vector: Sequence[float]
    ) -> QueryBuilder[Self]:
        """The rows whose vectors are nearest to one: see `QueryBuilder.similar`."""
        return QueryBuilder.on(cls).similar(k=k, weight=weight, approximate=approximate, **vector)

    @classmethod
    def all(cls) -> list[Self]:
        """Every row."""
        return QueryBuilder.on(cls).all()

    @classmethod
    async def aall(cls) -> list[Self]:
        """`all()`, awaited."""
        return await QueryBuilder.on(cls).aall()

    @classmethod
    def count(cls, /, **filters: Any) -> int:
        """How many rows match."""
        return QueryBuilder.on(cls).filter(**filters).count()

    @classmethod
    async def acount(cls, /, **filters: Any) -> int:
        """`count()`, awaited."""
        return await QueryBuilder.on(cls).filter(**filters).acount()

    @classmethod
    def exists(cls, /, **filters: Any) -> bool:
        """Whether any row matches."""
        return QueryBuilder.on(cls).filter(**filters).exists()

    @classmethod
    async def aexists(cls, /, **filters: Any) -> bool:
        """`exists()`, awaited."""
        return await QueryBuilder.on(cls).filter(**filters).aexists()

    if TYPE_CHECKING:

        @property
        def meta(self) -> Hit:
            """What the search told that found this row: `.score` and `.highlights`."""

    # -- instances ----------------------------------------------------------------------------------------------------

    def save(self) -> Self:
        """Create the row if the instance is new, else store what changed since it was loaded.

        NotFoundError if it is gone.
        """
        bound, state = _place_of(self)
        return bound.run("save", lifecycle.save(bound, self, state))  # type: ignore[no-any-return]

    async def asave(self) -> Self:
        """`save()`, awaited."""
        bound, state = _place_of(self)
        return await bound.arun("save", lifecycle.save(bound, self, state))  # type: ignore[no-any-return]

    def update(self, /, **changes: Any) -> Self:
        """Validate the changes, store them, then apply them to this instance. NotFoundError, ValidationError."""
        bound, state = _place_of(self)
        return bound.run("update", lifecycle.update(bound, self, state, changes))  # type: ignore[no-any-return]

    async def aupdate(self, /, **changes: Any) -> Self:
        """`update()`, awaited."""
        bound, state = _place_of(self)
        return await bound.arun("update", lifecycle.update(bound, self, state, changes))  # type: ignore[no-any-return]

    def delete(self) -> bool:
        """Delete the row; False if it was not there."""
        bound, state = _place_of(self)
        return bound.run("delete", lifecycle.delete(bound, self, state))  # type: ignore[no-any-return]

    async def adelete(self) -> bool:
        """`delete()`, awaited."""
        bound, state = _place_of(self)
        return await bound.arun("delete", lifecycle.delete(bound, self, state))  # type: ignore[no-any-return]

    def refresh(self) -> Self:
        """Read the row again into this instance. NotFoundError if it is gone."""
        bound, _ = _place_of(self)
        return bound.run("refresh", points.refresh(bound, self))  # type: ignore[no-any-return]

    async def arefresh(self) -> Self:
        """`refresh()`, awaited."""
        bound, _ = _place_of(self)
        return await bound.arun("refresh", points.refresh(bound, self))  # type: ignore[no-any-return]


def place_of(instance: Any, /) -> Bound:
    """Where an instance came from, or for a new one where its class is bound; for mixins with verbs of their own."""
    return _place_of(instance)[0]


def _place_of(instance: Model) -> tuple[Bound, State | None]:
    """Where the instance came from, or for a new one where its class is bound."""
    state = state_of(instance)
    return (bound_of(type(instance)), None) if state is None else (state.bound, state)


def store_values(instance: Any, values: Mapping[str, Any], /) -> Any:
    """Update an instance's row with values that were stored before; returns the instance.

    As `update()`, except that the model's own validators don't run: they have seen these values, and one that, say,
    hashes would hash twice. For mixins that bring back what was.
    """
    bound, state = _place_of(instance)
    return bound.run("update", lifecycle.store_values(bound, instance, state, values))


async def astore_values(instance: Any, values: Mapping[str, Any], /) -> Any:
    """`store_values()`, awaited."""
    bound, state = _place_of(instance)
    return await bound.arun("update", lifecycle.store_values(bound, instance, state, values))


def _forget_bounds(model: type) -> None:
    type.__setattr__(model, "__mixstore_bound__", None)
    children: list[type] = type.__subclasses__(model)
    for child in children:
        _forget_bounds(child)


def _verbs(*, of_class: bool) -> frozenset[str]:
    return frozenset(
        name
        for name, member in vars(Model).items()
        if not name.startswith("_")
        and name != "model_config"
        and isinstance(member, classmethod) is of_class
        and (callable(member) or isinstance(member, classmethod))
    )


install(Model)
type.__setattr__(Model, "meta", Meta())
Model.__class_verbs__ = _verbs(of_class=True) | {"meta"}
Model.__instance_verbs__ = _verbs(of_class=False)
