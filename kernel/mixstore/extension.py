"""`BackendExtension`: what a mixin does on one kind of backend. Hooks are no-ops until overridden."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import BaseModel

from mixstore.declaring import check_extension
from mixstore.errors import SchemaError

if TYPE_CHECKING:
    from datetime import datetime

    from mixstore.backend import Backend, Capability
    from mixstore.expressions import Deferred, Expr
    from mixstore.query import Query
    from mixstore.schema import ModelSchema
    from mixstore.write import KeyValue, Operation, Outcome, SideWrite, WriteChange, WriteContext

    _Compatible = Any  # or type checkers would refuse a model of two mixins whose inner classes have the same name
else:
    _Compatible = object

Derive = Callable[[Mapping[str, Any], Mapping[str, Any] | None], Any]
"""Makes the value of a field of a row's values, and of those that it was loaded with."""
ANY_BACKEND = "*"
HOOKS = (
    "configure_backend",
    "read_beside",
    "before_write",
    "validate",
    "serialize",
    "deserialize",
    "modify_query",
    "dead",
    "veiled",
    "frees_unique",
    "dies",
    "enforces",
    "after_write",
    "after_read",
    "opaque",
    "derived",
    "outdated",
    "side_models",
    "kept_beside",
    "write_beside",
    "claims",
    "holder",
)


class ExtensionType(type):
    """The metaclass of extensions: checks hooks and declarations when the class is defined."""

    def __init__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(name, bases, namespace)
        for attribute, value in namespace.items():
            if inspect.isfunction(value) and not attribute.startswith("_"):
                _check_hook(cls, attribute, value)
            elif attribute in HOOKS and not isinstance(value, (staticmethod, classmethod)):
                raise SchemaError(f"{cls.__qualname__}.{attribute} is an extension hook, and must be a method")
        if cls.__mro__[1:-1]:
            check_extension(cls, namespace)


def _check_hook(cls: type, name: str, function: Any) -> None:
    where = f"{cls.__qualname__}.{name}"
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise SchemaError(f"{where}: an extension hook can't be async", hint="hooks are pure; backends do the I/O")
    if name not in HOOKS:
        import difflib

        close = difflib.get_close_matches(name, HOOKS, n=1, cutoff=0.8)
        if close and cls.__mro__[1:-1]:
            raise SchemaError(f"{where} is no extension hook", hint=f"did you mean {close[0]!r}?")
        return
    base = BackendExtension.__dict__.get(name) if cls.__mro__[1:-1] else None
    if base is None:
        return
    expected = list(inspect.signature(base).parameters)
    try:
        inspect.signature(function).bind(*expected)
    except TypeError:
        raise SchemaError(f"{where} must take ({', '.join(expected)})") from None


class BackendExtension(_Compatible, metaclass=ExtensionType):  # type: ignore[misc]
    """One behaviour of a mixin on the backends named `backend_name` ("*": on any that has no exact one).

    There is one instance per (model, backend, extension), with `mixin_class`, `model`, `schema`, `backend` and
    `options` set
    before the first hook; it holds no state of a call. Declared, not coded:

    - `name`: which extension of the mixin this is (default: the mixin's name in snake_case; subclasses inherit it).
    - `before`, `after`: names of extensions that come later, earlier, in the chain.
    - `requires`: names of extensions, or capabilities, without which this one can't work.
    - `unless`: capabilities of a backend that make this extension needless: where all are declared, it is inactive.
    - `rewrites`: `{"delete": "update"}` turns one operation into another.
    - `reads`: `{"upsert": ("email",)}`: the stored row is read first (`context.previous`), and the write happens
    only if those
      fields are unchanged; `()` reads without the condition.
    - `unseen_deletes`: a delete by query may leave `before_write` and `after_write` out, for the engine to delete the
    rows at once: of a delete that has found its rows they have nothing to say.
    - `reveals`: the query option that switches this extension's `dead` and `veiled` off (`"include_expired"`).
    - `extends`: the mixin of somebody else that this is for. `activates_on`: field options that attach it with no
    mixin.
    - `fidelity`: `native` where the engine does the work, or keeps it true by its own conditions, filters and
    transactions; `emulated` where mixstore does.
    """

    backend_name: ClassVar[str] = ANY_BACKEND
    name: ClassVar[str | None] = None
    before: ClassVar[tuple[str, ...]] = ()
    after: ClassVar[tuple[str, ...]] = ()
    requires: ClassVar[tuple[str | Capability, ...]] = ()
    unless: ClassVar[tuple[Capability, ...]] = ()
    rewrites: ClassVar[Mapping[str, str]] = {}
    reads: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    unseen_deletes: ClassVar[bool] = False
    reveals: ClassVar[str | None] = None
    extends: ClassVar[type | None] = None
    activates_on: ClassVar[frozenset[str]] = frozenset()
    fidelity: ClassVar[Literal["native", "emulated"]] = "emulated"

    class Options(BaseModel):
        """What an operator may set in the config; a subclass adds fields."""

        model_config = {"extra": "forbid"}

    def __init__(
        self, mixin_class: type, model: type[Any], schema: ModelSchema, backend: Backend, options: Any
    ) -> None:
        self.mixin_class = mixin_class
        self.model = model
        self.schema = schema
        self.backend = backend
        self.options = options

    def configure_backend(self, model_class: type[Any]) -> None:
        """Declare what the backend must set up for this model; `initialize()` does it."""

    def before_write(self, context: WriteContext) -> WriteChange | None:
        """Changed values, a condition, side writes; or None."""
        return None

    def validate(self, data: Mapping[str, Any]) -> None:
        """Raise ValueError if the final python values can't be stored."""

    def serialize(self, data: dict[str, Any]) -> dict[str, Any]:
        """The record with attributes added, or with declared-opaque fields replaced."""
        return data

    def deserialize(self, data: dict[str, Any]) -> dict[str, Any]:
        """The opposite of `serialize`."""
        return data

    def opaque(self, model_class: type[Any]) -> Mapping[str, Literal["refuse", "residual"]]:
        """The fields whose stored value this extension replaces, and what becomes of filters on them."""
        return {}

    def derived(self, model_class: type[Any]) -> Mapping[str, Derive]:
        """The fields that follow from others, each with what makes its value of the final values of a row.

        `make(values, loaded)`: `loaded` are the values that the row was loaded with, None for a row that is new or
        written anew (`rewrite()`). Nobody else can set such a field, and what keeps copies of rows leaves it out.
        """
        return {}

    def outdated(self, data: Mapping[str, Any]) -> Iterable[str]:
        """The opaque fields of a record, as `serialize` left it, whose stored value `rewrite()` should write anew."""
        return ()

    def side_models(self, model_class: type[Any]) -> Iterable[type[Any]]:
        """The internal models whose rows this extension writes beside the model's; `initialize()` prepares them too."""
        return ()

    def kept_beside(self, model_class: type[Any]) -> Iterable[Query]:
        """The rows of internal models that are data of the model's own rows: who moves those moves these as well.

        For a row that is moved from another store (`mixstore.copy`), such an extension is not asked to `write_beside`.
        """
        return ()

    def read_beside(self, operation: Operation, key: KeyValue) -> Query | None:
        """What `write_beside` must know of an internal model before this write; read before the row itself is."""
        return None

    def write_beside(self, context: WriteContext, found: Sequence[Mapping[str, Any]]) -> Iterable[SideWrite]:
        """Rows to write in the same atomic unit, made when the row is final.

        `context.record` is the row as it will be stored, `context.changed` the fields that an update writes. `found`
        are the values of the rows that `read_beside` asked for.
        """
        return ()

    def claims(self, values: Mapping[str, Any]) -> Iterable[Any]:
        """The rows beside, of which only the keys count, that `write_beside` claims for a row with these values.

        Of a part of the values: the claims that follow from those.
        """
        return ()

    def holder(self, claimed: Mapping[str, Any]) -> KeyValue:
        """The key of the row that a claim was written for; `claimed` are the values of the claim."""
        raise NotImplementedError(f"{type(self).__qualname__} writes claims, and can't tell whose they are")

    def modify_query(self, query: Query) -> Query:
        """The query to run instead; pure. What varies is a `Deferred` operand."""
        return query

    def dead(self, now: Deferred) -> Expr | None:
        """Rows that count as absent everywhere."""
        return None

    def veiled(self) -> Expr | None:
        """Rows that are present but can't be seen: their key stays taken."""
        return None

    def frees_unique(self) -> Expr | None:
        """Rows that are there, but whose unique values others may have. Nothing in it varies: it may be in an index."""
        return None

    def dies(self, values: Mapping[str, Any]) -> datetime | None:
        """When a row with these values becomes `dead`, if that is sure; what is written `linked` to it dies with it."""
        return None

    def enforces(self, model_class: type[Any]) -> Iterable[tuple[str, ...]]:
        """The fields, one or several together, whose values this extension lets no two rows share."""
        return ()

    def after_write(self, context: WriteContext, outcome: Outcome) -> None:
        """The write has been stored."""

    def after_read(self, context: WriteContext | None, values: dict[str, Any]) -> dict[str, Any]:
        """The python values of a row that was read, changed; it can't hide the row."""
        return values
