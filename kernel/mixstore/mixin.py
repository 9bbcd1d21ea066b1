"""`Mixin`, what it declares, and the metaclass that models and mixins share."""

from __future__ import annotations

import functools
import re
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from types import FunctionType
from typing import TYPE_CHECKING, Any

import pydantic
from pydantic import BaseModel, ConfigDict
from pydantic_core import PydanticUndefined

from mixstore.declaring import check_mixin
from mixstore.errors import SchemaError, nearest
from mixstore.extension import BackendExtension, ExtensionType
from mixstore.fields import Field

if TYPE_CHECKING:
    from pydantic._internal._model_construction import ModelMetaclass
    from typing_extensions import dataclass_transform

    from mixstore.builder import QueryBuilder
else:
    ModelMetaclass = type(BaseModel)

    def dataclass_transform(**_: Any) -> Callable[[Any], Any]:
        return lambda decorated: decorated


class query_method:
    """A mixin's method on queries: `f(query: QueryBuilder, ...) -> QueryBuilder`.

    It is found on the builder (`User.where(...).include_expired()`) and on the model (`User.include_expired()`).
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.__doc__ = function.__doc__

    def __get__(self, instance: Any, owner: Any) -> Callable[..., QueryBuilder[Any]]:
        from mixstore.builder import QueryBuilder

        return functools.partial(self.function, QueryBuilder.on(owner))


_PARTS = ("required", "arguments", "meta", "options")


class Declaration:
    """What a mixin declares, as a value: `Declares = Declaration(required=True)`.

    The same as a nested class `Declares`, for mixins whose users run a type checker: that takes two nested classes of
    one name, in two bases of a model, for a conflict.
    """

    __slots__ = _PARTS

    def __init__(
        self,
        *,
        required: bool = False,
        arguments: Mapping[str, Callable[[Any, datetime], Mapping[str, Any]]] | None = None,
        meta: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self.required = required
        self.arguments = arguments or {}
        self.meta = meta or {}
        self.options = options or {}


class Declared:
    """What the mixins of a class declare, together."""

    def __init__(self) -> None:
        self.required: dict[type, bool] = {}
        self.arguments: dict[str, Callable[..., Mapping[str, Any]]] = {}
        self.meta: dict[str, Any] = {}
        self.options: dict[str, Any] = {}
        self.query_methods: dict[str, Callable[..., Any]] = {}

    @classmethod
    def of(cls, model: type) -> Declared:
        """Everything declared along the MRO; the nearer class wins."""
        declared = cls()
        for base in reversed(model.__mro__):
            members = vars(base)
            told = members.get("Declares")
            if told is not None:
                declared.required[base] = bool(getattr(told, "required", False))
                declared.arguments.update(getattr(told, "arguments", {}))
                declared.meta.update(getattr(told, "meta", {}))
                declared.options.update(getattr(told, "options", {}))
            for name, member in members.items():
                if isinstance(member, query_method):
                    declared.query_methods[name] = member.function
        return declared


def snake_case(name: str) -> str:
    """`SoftDelete` -> `soft_delete`, `TTL` -> `ttl`, `GSIIndex` -> `gsi_index`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def _annotated_names(namespace: Mapping[str, Any]) -> set[str]:
    if sys.version_info >= (3, 14):
        import annotationlib

        annotate = annotationlib.get_annotate_from_class_namespace(namespace)
        if annotate is not None:
            return set(annotationlib.call_annotate_function(annotate, annotationlib.Format.FORWARDREF))
    return set(namespace.get("__annotations__", {}))


@dataclass_transform(kw_only_default=True, field_specifiers=(Field, pydantic.Field))
class MixstoreMeta(ModelMetaclass):
    """pydantic's metaclass, plus the checks of the moment "define"."""

    def __new__(
        mcs, name: str, bases: tuple[type, ...], namespace: dict[str, Any], _frames: int = 3, **kwargs: Any
    ) -> MixstoreMeta:
        inherited = _fields_of_mixins(bases)
        _check_methods(name, bases, {*_annotated_names(namespace), *inherited})
        shadowing = _make_room_for_fields(name, bases, namespace, inherited)
        cls: Any
        if shadowing:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "Field name .* shadows an attribute", UserWarning)
                cls = super().__new__(mcs, name, bases, namespace, **kwargs)
        else:
            cls = super().__new__(mcs, name, bases, namespace, **kwargs)
        for field_name in shadowing:
            type.__setattr__(cls, field_name, _Default())
        if not cls.__pydantic_complete__:
            # Frames deeper than pydantic expects: let it look again where the class statement stands.
            cls.model_rebuild(raise_errors=False, _parent_namespace_depth=_frames)
        _name_extensions(cls, namespace)
        _check_declares(cls, namespace.get("Declares"))
        return cls  # type: ignore[no-any-return]


class _Default:
    """Stands before a verb of the same name, so that pydantic does not take the verb as the field's default."""

    def __init__(self, *value: Any) -> None:
        self.value = value

    def __get__(self, instance: Any, owner: Any) -> Any:
        if not self.value:
            raise AttributeError("this is a field")
        return self.value[0]


IGNORED = (ExtensionType, query_method, Declaration, _Default)
"""What pydantic must not take for a field when it stands in a class body."""


def below(base: type) -> Iterator[Any]:
    """All classes that are imported and derive from this one, each once: below `Mixin`, mixins and models."""
    seen: dict[type, None] = {}
    waiting = [base]
    child: Any
    while waiting:
        for child in waiting.pop().__subclasses__():  # a model with five mixins is a subclass of each
            if child not in seen:
                seen[child] = None
                waiting.append(child)
                yield child


def declaring(part: str, name: str) -> str | None:
    """The name of an imported mixin that declares a Meta key ("meta") or a Field option ("options") of that name."""
    for one in below(Mixin):
        if name in getattr(vars(one).get("Declares"), part, ()):
            return str(one.__name__)
    return None


def mixins_of(*classes: type) -> Iterator[Any]:
    """The mixins among the bases of classes: what is neither a model, nor a class that knows nothing of mixstore."""
    for base in dict.fromkeys(base for one in classes for base in one.__mro__):
        if isinstance(base, MixstoreMeta) and base is not Mixin and getattr(base, "__class_verbs__", None) is None:
            yield base


def _check_methods(name: str, bases: tuple[type, ...], fields: Iterable[str]) -> None:
    """SchemaError for a field called like a method of a mixin, which nobody could call any more."""
    for base in mixins_of(*bases) if fields else ():
        members = vars(base)
        for field in sorted(members.keys() & fields):
            if isinstance(members[field], (FunctionType, classmethod, staticmethod, property, query_method)):
                raise SchemaError(
                    f"{name}.{field}: a field can't have the name of a method of {base.__name__}",
                    hint=f"name it {field}_ or the like; storage uses field names",
                )


def _make_room_for_fields(
    name: str, bases: tuple[type, ...], namespace: dict[str, Any], inherited: Mapping[str, _Default]
) -> set[str]:
    """Let fields be called like a verb of the class (`count`); pydantic would take the verb as their default."""
    taken = frozenset[str]().union(*(getattr(base, "__instance_verbs__", ()) for base in bases))
    allowed = frozenset[str]().union(*(getattr(base, "__class_verbs__", ()) for base in bases))
    if not allowed:
        return set()
    own = _annotated_names(namespace)
    for refused in sorted(taken & {*own, *inherited}):
        raise SchemaError(
            f"{name}.{refused}: a field can't have the name of a method of the instance",
            hint=f"name it {refused}_ or the like; storage uses field names",
        )
    for field_name in own & allowed:
        namespace.setdefault(field_name, pydantic.Field())
    for field_name in inherited.keys() & allowed - own:
        namespace.setdefault(field_name, inherited[field_name])
    return set(allowed) & {*own, *inherited}


def _fields_of_mixins(bases: tuple[type, ...]) -> dict[str, _Default]:
    """The fields that come from bases other than models, with the default that a plain class gives them."""
    found: dict[str, _Default] = {}
    for base in bases:
        if base is BaseModel or getattr(base, "__class_verbs__", None) is not None:
            continue
        if issubclass(base, BaseModel):
            found.update(dict.fromkeys(base.__pydantic_fields__, _Default()))
            continue
        for owner in base.__mro__[:-1]:
            for name in _annotated_names(vars(owner)):
                default = getattr(base, name, PydanticUndefined)
                found[name] = _Default() if default is PydanticUndefined else _Default(default)
    return found


def _name_extensions(cls: type, namespace: Mapping[str, Any]) -> None:
    for member in namespace.values():
        if isinstance(member, type) and issubclass(member, BackendExtension):
            nested = member.__qualname__.startswith(f"{cls.__qualname__}.")
            if nested and member.name is None:
                member.name = snake_case(cls.__name__)


def _check_declares(cls: type, declares: Any) -> None:
    for name in vars(declares) if isinstance(declares, type) else ():
        if not name.startswith("_") and name not in _PARTS:
            raise SchemaError(f"{cls.__name__}.Declares.{name} is nothing a mixin declares", hint=nearest(name, _PARTS))
    check_mixin(cls, declares)


class Mixin(BaseModel, metaclass=MixstoreMeta):
    """Base of mixins: fields and methods for models, and `BackendExtension` inner classes.

    What a mixin declares stands in a nested class::

        class Declares:
            required = True                 # no active extension on the bound backend is an error at bind
            arguments = {"expires_in": fn}  # keyword of create, upsert and update: fn(value, now) -> {field: value}
            meta = {"ttl": timedelta}       # keys of Meta, with the type of their value
            options = {"encrypted": bool}   # options of Field, with the type of their value
    """

    model_config = ConfigDict(extra="forbid", ignored_types=IGNORED)


__all__ = [
    "BackendExtension",
    "Declared",
    "Mixin",
    "MixstoreMeta",
    "dataclass_transform",
    "query_method",
    "snake_case",
]
