"""The chain: which extensions are active for a model on a backend, in which order, compiled to bound methods."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from mixstore.backend import Backend, Capability
from mixstore.errors import ConfigurationError, MixstoreError, UnsupportedOperationError, nearest
from mixstore.expressions import TRUE, Deferred, Expr, conjunction, disjunction, filling, paths, varies
from mixstore.extension import ANY_BACKEND, BackendExtension, Derive
from mixstore.lookups import resolve
from mixstore.ordering import ordered
from mixstore.registry import current
from mixstore.selection import Candidate, select
from mixstore.telling import told_by
from mixstore.tracing import TracedStep
from mixstore.write import OPERATIONS

if TYPE_CHECKING:
    from mixstore.schema import ModelSchema
    from mixstore.write import Operation

PHYSICAL = "physical"
"""The query option under which a delete removes the row even where an extension rewrites it."""
REWRITE = "rewrite"
"""The query option under which an update writes values anew whose stored form is outdated."""
TO_WRITE = "to write"
"""The query option under which rows are read that are to be written: a backend with copies gives the originals."""
AS_IT_IS = "as it is"
"""The query option under which all rows are read that are not dead, and a row is written with the values that it has.

Such a write is that of a replica: nobody acts on the row, so no hook that may change it, or that tells of what somebody
did, is asked. What stores and checks the row is: `validate`, `serialize`, `derived`, `write_beside`.
"""
TREATMENTS = ("refuse", "residual")
NOW = Deferred("now", lambda environment: environment["now"])
"""The time of an operation, as an operand; one moment for all of it."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of `Model.extensions()`: an extension (or a mixin without one), its state and why.

    `reason` says of an active one which class it is and which rule put it at its place in the chain.
    """

    name: str
    fidelity: Literal["native", "emulated"] | None
    state: Literal["active", "inactive"]
    reason: str


@dataclass
class Chain:
    """The compiled chain of one (model, backend). An empty one costs nothing."""

    extensions: tuple[BackendExtension, ...] = ()
    entries: tuple[Entry, ...] = ()
    before_write: tuple[tuple[BackendExtension, Callable[..., Any]], ...] = ()
    validate: tuple[tuple[BackendExtension, Callable[..., Any]], ...] = ()
    serialize: tuple[tuple[BackendExtension, Callable[..., Any]], ...] = ()
    deserialize: tuple[Callable[..., Any], ...] = ()
    modify_query: tuple[tuple[BackendExtension, Callable[..., Any]], ...] = ()
    after_write: tuple[tuple[BackendExtension, Callable[..., Any]], ...] = ()
    after_read: tuple[Callable[..., Any], ...] = ()
    rewrites: dict[str, str] = field(default_factory=dict)
    reads: dict[str, tuple[str, ...]] = field(default_factory=dict)
    opaque: dict[str, str] = field(default_factory=dict)
    derived: dict[str, tuple[BackendExtension, Derive]] = field(default_factory=dict)
    """The fields that follow from others, and who makes them."""
    dead: tuple[tuple[str | None, Expr], ...] = ()
    veiled: tuple[tuple[str | None, Expr], ...] = ()
    evict: Expr | None = None
    """Which rows count as absent; None if all are present."""
    veil: Expr | None = None
    """Which rows are there but can't be seen; None if all can."""
    freed: Expr | None = None
    """Which rows don't hold their unique values; None if all do."""
    unique: tuple[str, ...] = ()
    """The unique fields that are the engine's to keep so; others are an extension's."""
    dies: tuple[tuple[BackendExtension, Callable[..., Any]], ...] = ()
    claiming: tuple[BackendExtension, ...] = ()
    finders: dict[str, BackendExtension] = field(default_factory=dict)
    """Whose claims find the row with a value of a unique field, where the engine would have to look at all rows."""

    side_models: tuple[type[Any], ...] = ()
    beside: tuple[tuple[BackendExtension, Callable[..., Any], Callable[..., Any]], ...] = ()
    """The `read_beside` and the `write_beside` of each extension that has the latter."""
    keeping: tuple[BackendExtension, ...] = ()
    """Those that keep data in rows beside."""

    def operation(self, asked: Operation, options: Mapping[str, Any]) -> Operation:
        """What is done for what was asked; a physical delete is not rewritten."""
        if options.get(PHYSICAL) or options.get(AS_IT_IS):
            return asked
        return self.rewrites.get(asked, asked)  # type: ignore[return-value]

    @cached_property
    def sees_deletes(self) -> bool:
        """Whether an extension must see each row that is deleted, or the row as it is read for that."""
        if self.beside or self.after_read or "delete" in self.reads:
            return True
        told = (("before_write", self.before_write), ("after_write", self.after_write))
        return any(not _unseen(type(extension), hook) for hook, steps in told for extension, _ in steps)

    def of_copies(self) -> Chain:
        """What of it is about rows that are stored, and not about how they come to be."""
        return replace(
            self,
            before_write=(),
            validate=(),
            after_write=(),
            beside=(),
            side_models=(),
            rewrites={},
            reads={},
            derived={},
        )

    @property
    def empty(self) -> bool:
        """Whether no extension is active."""
        return not self.extensions

    @property
    def revealed(self) -> dict[str, bool]:
        """The query options under which nothing is hidden but what no option reveals."""
        return {reveals: True for reveals, _ in (*self.dead, *self.veiled) if reveals}

    @cached_property
    def visible(self) -> Expr:
        """What a row must fulfil to be seen; TRUE if nothing hides rows."""
        return self._seen({})

    @cached_property
    def visible_in(self) -> Callable[[Any], Expr]:
        """`visible` in an environment."""
        return filling(self.visible)

    @cached_property
    def evicted_in(self) -> Callable[[Any], Expr | None]:
        """`evict` in an environment."""
        return (lambda environment: None) if self.evict is None else filling(self.evict)

    def visibility(self, options: Mapping[str, Any]) -> Expr:
        """The same, given the options of a query."""
        if options.get(AS_IT_IS):
            return TRUE if self.evict is None else ~self.evict
        return self._seen(options) if options else self.visible

    def _seen(self, options: Mapping[str, Any]) -> Expr:
        hiding = [expr for reveals, expr in (*self.dead, *self.veiled) if not (reveals and options.get(reveals))]
        return conjunction(*[~expr for expr in hiding]) if hiding else TRUE


def _unseen(extension: type[BackendExtension], hook: str) -> bool:
    """What `unseen_deletes` says of a hook: of one that a subclass overrides, it has to be said again."""
    for one in extension.__mro__:
        if "unseen_deletes" in vars(one):
            return extension.unseen_deletes
        if hook in vars(one):
            return False
    return False


def compile_chain(schema: ModelSchema, backend: Backend, registry: Any, copies: bool = False) -> Chain:
    """Resolve, check, order and compile; ConfigurationError names the mixin, the backend and what is installed.

    copies: of rows that another backend wrote, whose chain has seen to it that they may be: this one reads them, and
    stores them in its form.
    """
    on = f"{schema.name} on {backend.backend_name}"
    selection = select(schema, backend, registry)
    active = {
        name: one.extension(one.mixin, schema.model, schema, backend, selection.options[name])
        for name, one in selection.active.items()
    }
    if not copies:
        _check_requires(schema, backend, active)
    order = ordered(active, on)
    chain = _compiled(schema, backend, [active[name] for name in order], copies)
    why = {name: f"{_why(selection.active[name], backend)}; {place}" for name, place in order.items()}
    chain.entries = (
        *(Entry(name, active[name].fidelity, "active", why[name]) for name in order),
        *(Entry(name, None, "inactive", reason) for name, reason in selection.inactive.items()),
        *_inactive_hints(schema, backend),
    )
    return chain


def _why(one: Candidate, backend: Backend) -> str:
    match = "for any backend" if one.extension.backend_name == ANY_BACKEND else f"for {backend.backend_name}"
    return f"{one.extension.__qualname__} {match}, from {one.mixin.__name__}"


def _inactive_hints(schema: ModelSchema, backend: Backend) -> list[Entry]:
    hints = []
    for option, capability, names in (
        ("index", Capability.INDEXES, schema.indexed),
        ("searchable", Capability.FULL_TEXT, schema.searchable),
        ("vector", Capability.VECTORS, tuple(schema.vectors)),
        ("indexes", Capability.SECONDARY_INDEXES, tuple(schema.indexes)),
    ):
        if names and capability not in backend.capabilities:
            hints.append(Entry(option, None, "inactive", f"{', '.join(names)}: the backend lacks {capability.name}"))
    return hints


def _check_unique(schema: ModelSchema, backend: Backend, chain: Chain, enforced: Iterable[tuple[str, ...]]) -> None:
    """Each unique field is kept so by the engine or an extension, which must see its values as they are."""
    for name in schema.unique:
        if name not in chain.unique and (name,) not in enforced:
            raise UnsupportedOperationError(
                f"{schema.name}.{name} is unique, which {backend.backend_name} can't enforce",
                model=schema.model,
                backend=backend.backend_name,
                hint="it lacks UNIQUE, and no extension that is active there does it",
            )
    for name in (name for names in enforced for name in names if name in chain.opaque):
        raise ConfigurationError(f"{schema.name}.{name} is to be unique, and its stored value is replaced")


def _enforced(schema: ModelSchema, active: list[BackendExtension], chain: Chain) -> list[tuple[str, ...]]:
    """The fields that extensions keep unique.

    Those extensions read the row before they write; what tells whether it holds its values, and how long, must then
    still be the same when it is written.
    """
    exprs = [expr for expr in (chain.evict, chain.freed) if expr is not None]
    deciding = dict.fromkeys(path[0] for expr in exprs for path in paths(expr))
    enforced: list[tuple[str, ...]] = []
    for one in active:
        groups = told_by(schema, one, "enforces", schema.model)
        for name in (name for names in groups for name in names):
            schema.field(name, f"lacks the field that {type(one).__qualname__} keeps unique:")
        for operation in one.reads if groups else ():
            chain.reads[operation] = tuple(dict.fromkeys((*chain.reads[operation], *deciding)))
        enforced += groups
    return enforced


def _check_requires(schema: ModelSchema, backend: Backend, active: Mapping[str, BackendExtension]) -> None:
    lacking = [
        f"extension {name!r} of {schema.name} requires {need if isinstance(need, str) else need.name}, "
        f"which {backend.backend_name} lacks"
        for name, extension in active.items()
        for need in extension.requires
        if not (need in active if isinstance(need, str) else need in backend.capabilities)
    ]
    if lacking:
        raise ConfigurationError("\n  ".join(lacking), model=schema.model, backend=backend.backend_name)


def _compiled(schema: ModelSchema, backend: Backend, active: list[BackendExtension], copies: bool) -> Chain:
    step = TracedStep if current().settings.trace else getattr

    def hooks(name: str) -> tuple[tuple[BackendExtension, Callable[..., Any]], ...]:
        base = getattr(BackendExtension, name)
        return tuple((one, step(one, name)) for one in active if getattr(type(one), name) is not base)

    chain = Chain(
        extensions=tuple(active),
        before_write=hooks("before_write"),
        validate=hooks("validate"),
        serialize=hooks("serialize"),
        deserialize=tuple(hook for _, hook in reversed(hooks("deserialize"))),
        modify_query=hooks("modify_query"),
        after_write=tuple(reversed(hooks("after_write"))),
        after_read=tuple(hook for _, hook in reversed(hooks("after_read"))),
        beside=tuple((one, one.read_beside, write) for one, write in hooks("write_beside")),
    )
    chain.keeping = tuple(one for one, _ in hooks("kept_beside"))
    for one in active:
        _declarations(schema, one, chain)
        told_by(schema, one, "configure_backend", schema.model)
        chain.side_models += told_by(schema, one, "side_models", schema.model)
    chain.dead = tuple(_expressions(schema, [one for one, _ in hooks("dead")], "dead", NOW))
    chain.veiled = tuple(_expressions(schema, [one for one, _ in hooks("veiled")], "veiled"))
    if chain.dead:
        chain.evict = disjunction(*[expr for _, expr in chain.dead])
    if chain.veiled:
        chain.veil = disjunction(*[expr for _, expr in chain.veiled])
    if copies:
        return chain.of_copies()
    chain.dies = hooks("dies")
    chain.unique = schema.unique if Capability.UNIQUE in backend.capabilities else ()
    freeing = [one for one, _ in hooks("frees_unique")] if schema.unique or hooks("enforces") else []
    freed = [expr for _, expr in _expressions(schema, freeing, "frees_unique")]
    if freed:
        chain.freed = _fixed(schema, backend, chain.unique, disjunction(*freed), freeing)
    _check_unique(schema, backend, chain, _enforced(schema, active, chain))
    chain.claiming = tuple(one for one, _ in hooks("claims"))
    if Capability.INDEXES not in backend.capabilities and {*freed} <= {expr for _, expr in chain.veiled}:
        groups = [(one, names) for one in chain.claiming for names in one.enforces(schema.model)]
        chain.finders = {names[0]: one for one, names in groups if len(names) == 1}
    return chain


def _fixed(
    schema: ModelSchema, backend: Backend, unique: tuple[str, ...], freed: Expr, by: list[BackendExtension]
) -> Expr:
    """What frees unique values, if it is the same at all times, and the backend can do it for those that it keeps."""
    who = ", ".join(type(one).__qualname__ for one in by)
    if varies(freed):
        raise ConfigurationError(f"{who}.frees_unique on {schema.name}: it can't hold an operand that varies")
    if unique and Capability.PARTIAL_UNIQUE not in backend.capabilities:
        raise UnsupportedOperationError(
            f"{who} frees unique values of {schema.name} ({', '.join(unique)}), "
            f"which {backend.backend_name} can't do: it lacks PARTIAL_UNIQUE",
            model=schema.model,
            backend=backend.backend_name,
            hint="let the values stay taken, or bind the model to another backend",
        )
    return freed


def _declarations(schema: ModelSchema, extension: BackendExtension, chain: Chain) -> None:
    who = type(extension).__qualname__
    for operation in (*extension.rewrites, *extension.rewrites.values(), *extension.reads):
        if operation not in OPERATIONS:
            raise ConfigurationError(f"{who}: {operation!r} is no operation", hint=nearest(operation, OPERATIONS))
    for asked, operation in extension.rewrites.items():
        if asked in chain.rewrites:
            raise ConfigurationError(f"two extensions of {schema.name} rewrite {asked}; {who} is the second")
        chain.rewrites[asked] = operation
    for operation, fields in extension.reads.items():
        for name in fields:
            schema.field(name, f"lacks the field that {who} reads:")
        chain.reads[operation] = tuple(dict.fromkeys((*chain.reads.get(operation, ()), *fields)))
    _replaced(schema, extension, chain)
    for name, make in told_by(schema, extension, "derived", schema.model).items():
        schema.field(name, f"lacks the field that {who} derives:")
        if name in schema.key_fields or name in chain.derived:
            other = "is a key" if name in schema.key_fields else "is derived by another extension"
            raise ConfigurationError(f"{schema.name}.{name} {other}, and {who} would make its value")
        if not callable(make):
            raise ConfigurationError(f"{who}.derived: what makes {schema.name}.{name} must be a function, not {make!r}")
        chain.derived[name] = extension, make


def _replaced(schema: ModelSchema, extension: BackendExtension, chain: Chain) -> None:
    who = type(extension).__qualname__
    for name, treatment in told_by(schema, extension, "opaque", schema.model).items():
        schema.field(name, f"lacks the field that {who} makes opaque:")
        if treatment not in TREATMENTS:
            raise ConfigurationError(
                f"{who}.opaque: {name!r} can't be {treatment!r}", hint=nearest(str(treatment), TREATMENTS)
            )
        if name in schema.key_fields or schema.fields[name].option("unique"):
            raise ConfigurationError(
                f"{schema.name}.{name} is a key or unique, and {who} would replace its stored value"
            )
        for spec in schema.indexes.values():
            if name in spec.fields:
                raise ConfigurationError(
                    f"{schema.name}.{name} is part of the index {spec.name!r}, "
                    f"and {who} would replace its stored value",
                    model=schema.model,
                )
        worst = "refuse" if "refuse" in (treatment, chain.opaque.get(name)) else "residual"
        chain.opaque[name] = worst


def _expressions(
    schema: ModelSchema, extensions: Iterable[BackendExtension], name: str, *args: Any
) -> Iterable[tuple[str | None, Expr]]:
    for extension in extensions:
        expr = told_by(schema, extension, name, *args)
        if expr is None:
            continue
        where = f"{type(extension).__qualname__}.{name} on {schema.name}"
        if not isinstance(expr, Expr):
            raise ConfigurationError(f"{where}: it gives a Q or None, not {type(expr).__name__}", model=schema.model)
        try:
            yield extension.reveals, resolve(schema, expr, current().lookups)
        except MixstoreError as error:
            raise ConfigurationError(f"{where}: {error.message}", model=schema.model, hint=error.hint) from error
