"""The chain: which extensions are active for a model on a backend, in which order, compiled to bound methods."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeGuard

import pydantic

from mixstore.backend import Backend, Capability
from mixstore.errors import ConfigurationError, MixstoreError, UnsupportedOperationError, nearest
from mixstore.expressions import TRUE, Deferred, Expr, Q, conjunction, disjunction
from mixstore.extension import ANY_BACKEND, BackendExtension
from mixstore.lookups import resolve
from mixstore.mixin import snake_case

if TYPE_CHECKING:
    from mixstore.schema import ModelSchema

ALL_OPERATIONS = ("create", "upsert", "update", "delete")
NOW = Deferred("now", lambda environment: environment["now"])
"""The time of an operation, as an operand; one moment for all of it."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """An extension that a model could use: where it comes from and how near."""

    name: str
    mixin: type
    extension: type[BackendExtension]
    distance: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of `Model.extensions()`: an extension (or a mixin without one), its state and why."""

    name: str
    fidelity: Literal["native", "emulated"] | None
    state: Literal["active", "inactive"]
    reason: str


def candidates(model: type, registered: Iterable[type[BackendExtension]], options: Iterable[str]) -> list[Candidate]:
    """Every extension along the MRO, and those registered for a mixin in it or for an option in use."""
    found: list[Candidate] = []
    used = set(options)
    for distance, base in enumerate(model.__mro__):
        found += [
            Candidate(_name(member, base), base, member, distance)
            for member in vars(base).values()
            if _is_extension(member)
        ]
        found += [Candidate(_name(one, base), base, one, distance) for one in registered if one.extends is base]
    far = len(model.__mro__)
    found += [
        Candidate(_name(one, one), one, one, far)
        for one in registered
        if one.extends is None and used & one.activates_on
    ]
    return found


def _is_extension(member: Any) -> TypeGuard[type[BackendExtension]]:
    return isinstance(member, type) and issubclass(member, BackendExtension)


def _name(extension: type[BackendExtension], mixin: type) -> str:
    if extension.name is not None:
        return extension.name
    own = getattr(extension.extends, "__name__", None) or mixin.__name__
    return snake_case(own)


def best_of(found: Sequence[Candidate], backend_name: str) -> dict[str, Candidate]:
    """The one extension of each name that fits the backend: exact beats any, near beats far."""
    best: dict[str, Candidate] = {}
    fitting = [one for one in found if one.extension.backend_name in (backend_name, ANY_BACKEND)]
    for one in sorted(fitting, key=lambda one: (one.extension.backend_name == ANY_BACKEND, one.distance)):
        best.setdefault(one.name, one)
    order = list(dict.fromkeys(one.name for one in found))
    return {name: best[name] for name in order if name in best}


def ordered(extensions: Mapping[str, BackendExtension], where: str) -> list[str]:
    """Names in chain order: topological by before and after, ties in the order given.

    A cycle is a ConfigurationError.
    """
    later: dict[str, set[str]] = {name: set() for name in extensions}
    for name, extension in extensions.items():
        for other in extension.before:
            if other in later:
                later[other].add(name)
        later[name].update(other for other in extension.after if other in extensions)
    order: list[str] = []
    waiting = list(extensions)
    while waiting:
        ready = next((name for name in waiting if later[name] <= set(order)), None)
        if ready is None:
            raise ConfigurationError(
                f"{where}: the extensions {', '.join(sorted(waiting))} want to come before each other",
                hint="look at their `before` and `after`",
            )
        waiting.remove(ready)
        order.append(ready)
    return order


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
    dead: tuple[tuple[str | None, Expr], ...] = ()
    veiled: tuple[tuple[str | None, Expr], ...] = ()

    @property
    def empty(self) -> bool:
        """Whether no extension is active."""
        return not self.extensions

    def visibility(self, options: Mapping[str, Any]) -> Expr:
        """What a row must fulfil to be seen, given the query's options; TRUE if nothing hides rows."""
        hiding = [expr for reveals, expr in (*self.dead, *self.veiled) if not (reveals and options.get(reveals))]
        return conjunction(*[~expr for expr in hiding]) if hiding else TRUE

    def evict(self) -> Expr | None:
        """Which rows count as absent, or None if all are present."""
        return disjunction(*[expr for _, expr in self.dead]) if self.dead else None

    def veil(self) -> Expr | None:
        """Which rows are there but can't be seen, or None."""
        return disjunction(*[expr for _, expr in self.veiled]) if self.veiled else None


def compile_chain(schema: ModelSchema, backend: Backend, registry: Any) -> Chain:
    """Resolve, check, order and compile; ConfigurationError names the mixin, the backend and what is installed."""
    used = {option for spec in schema.fields.values() for option in spec.options}
    settings = registry.extension_settings(backend.config_name)
    found = candidates(schema.model, registry.all_extensions(), used)
    applied = _applied(schema, settings, registry)
    usable = backend.runs_extensions
    best = best_of([*found, *applied], backend.backend_name) if usable else {}
    _check_settings(schema, settings, {one.name for one in (*found, *applied)})
    active: dict[str, BackendExtension] = {}
    inactive: list[Entry] = []
    for name, one in best.items():
        if (
            settings.enable is not None and name not in settings.enable and one not in applied
        ) or name in settings.disable:
            inactive.append(Entry(name, one.extension.fidelity, "inactive", "switched off in the config"))
            continue
        options = _options(schema, name, one.extension, settings.options.get(name, {}))
        active[name] = one.extension(one.mixin, schema.model, schema, backend, options)
    _check_required(schema, backend, found, active)
    _check_requires(schema, backend, active)
    names = ordered(active, f"{schema.name} on {backend.backend_name}")
    chain = _compiled(schema, backend, [active[name] for name in names])
    on = f"{schema.name} on {backend.backend_name}"
    entries = [Entry(name, active[name].fidelity, "active", _why(best[name], backend)) for name in names]
    missing = [name for name in dict.fromkeys(one.name for one in found) if name not in best]
    reason = "no extension for this backend" if usable else "the backend runs no extensions"
    inactive += [Entry(name, None, "inactive", f"{on}: {reason}") for name in missing]
    chain.entries = (*entries, *inactive, *_inactive_hints(schema, backend))
    return chain


def _why(one: Candidate, backend: Backend) -> str:
    match = "for any backend" if one.extension.backend_name == ANY_BACKEND else f"for {backend.backend_name}"
    return f"{one.extension.__qualname__} {match}, from {one.mixin.__name__}"


def _inactive_hints(schema: ModelSchema, backend: Backend) -> list[Entry]:
    hints = []
    for option, capability, names in (
        ("index", Capability.INDEXES, schema.indexed),
        ("searchable", Capability.FULL_TEXT, schema.searchable),
    ):
        if names and capability not in backend.capabilities:
            hints.append(Entry(option, None, "inactive", f"{', '.join(names)}: the backend lacks {capability.name}"))
    if schema.unique and Capability.UNIQUE not in backend.capabilities:
        raise UnsupportedOperationError(
            f"{schema.name}.{schema.unique[0]} is unique, which {backend.backend_name} can't enforce",
            model=schema.model,
            backend=backend.backend_name,
        )
    return hints


def _applied(schema: ModelSchema, settings: Any, registry: Any) -> list[Candidate]:
    known = {_name(one, one): one for one in registry.all_extensions()}
    return [
        Candidate(name, known[name], known[name], len(schema.model.__mro__)) for name in settings.apply if name in known
    ]


def _check_settings(schema: ModelSchema, settings: Any, known: set[str]) -> None:
    disabled = set(settings.disable)
    for base, required in schema.declared.required.items():
        own = {_name(one, base) for one in vars(base).values() if _is_extension(one)}
        for name in own & disabled if required else ():
            raise ConfigurationError(
                f"the config disables {name!r}, which {base.__name__} requires on {schema.name}",
                model=schema.model,
                hint="a required mixin can't be switched off; take it from the model's bases",
            )


def _options(schema: ModelSchema, name: str, extension: type[BackendExtension], given: Mapping[str, Any]) -> Any:
    try:
        return extension.Options(**given)
    except pydantic.ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        raise ConfigurationError(
            f"extension {name!r} of {schema.name}: option {key!r}: {first['msg']}",
            model=schema.model,
            hint=nearest(key, extension.Options.model_fields),
        ) from None


def _check_required(
    schema: ModelSchema, backend: Backend, found: Sequence[Candidate], active: Mapping[str, BackendExtension]
) -> None:
    for base, required in schema.declared.required.items():
        names = {one.name for one in found if one.mixin is base} or {snake_case(base.__name__)}
        if not required or names & set(active):
            continue
        known = sorted({one.extension.backend_name for one in found if one.name in names})
        raise ConfigurationError(
            f"{schema.name} needs {base.__name__}, which has no extension that can run on {backend.backend_name!r}",
            model=schema.model,
            backend=backend.backend_name,
            hint=f"installed for: {', '.join(known) or 'nothing'}; bind to another backend, or install a plugin",
        )


def _check_requires(schema: ModelSchema, backend: Backend, active: Mapping[str, BackendExtension]) -> None:
    for name, extension in active.items():
        for need in extension.requires:
            there = need in active if isinstance(need, str) else need in backend.capabilities
            if not there:
                told = need if isinstance(need, str) else need.name
                raise ConfigurationError(
                    f"extension {name!r} of {schema.name} requires {told}, which {backend.backend_name} lacks",
                    model=schema.model,
                    backend=backend.backend_name,
                )


def _compiled(schema: ModelSchema, backend: Backend, active: list[BackendExtension]) -> Chain:
    def hooks(name: str) -> tuple[tuple[BackendExtension, Callable[..., Any]], ...]:
        base = getattr(BackendExtension, name)
        return tuple((one, getattr(one, name)) for one in active if getattr(type(one), name) is not base)

    chain = Chain(
        extensions=tuple(active),
        before_write=hooks("before_write"),
        validate=hooks("validate"),
        serialize=hooks("serialize"),
        deserialize=tuple(hook for _, hook in reversed(hooks("deserialize"))),
        modify_query=hooks("modify_query"),
        after_write=tuple(reversed(hooks("after_write"))),
        after_read=tuple(hook for _, hook in reversed(hooks("after_read"))),
    )
    for one in active:
        _declarations(schema, one, chain)
        one.configure_backend(schema.model)
    chain.dead = tuple(_expressions(schema, hooks("dead"), NOW))
    chain.veiled = tuple(_expressions(schema, hooks("veiled")))
    return chain


def _declarations(schema: ModelSchema, extension: BackendExtension, chain: Chain) -> None:
    who = type(extension).__qualname__
    for asked, operation in extension.rewrites.items():
        if asked not in ALL_OPERATIONS or operation not in ALL_OPERATIONS:
            raise ConfigurationError(f"{who}.rewrites: {asked!r} to {operation!r}", hint=nearest(asked, ALL_OPERATIONS))
        if asked in chain.rewrites:
            raise ConfigurationError(f"two extensions of {schema.name} rewrite {asked}; {who} is the second")
        chain.rewrites[asked] = operation
    for operation, fields in extension.reads.items():
        for name in fields:
            schema.field(name, f"lacks the field that {who} reads:")
        chain.reads[operation] = tuple(dict.fromkeys((*chain.reads.get(operation, ()), *fields)))
    for name, treatment in extension.opaque(schema.model).items():
        schema.field(name, f"lacks the field that {who} makes opaque:")
        if name in schema.key_fields or schema.fields[name].option("unique"):
            raise ConfigurationError(
                f"{schema.name}.{name} is a key or unique, and {who} would replace its stored value"
            )
        worst = "refuse" if "refuse" in (treatment, chain.opaque.get(name)) else "residual"
        chain.opaque[name] = worst


def _expressions(
    schema: ModelSchema, hooks: Iterable[tuple[BackendExtension, Callable[..., Any]]], *args: Any
) -> Iterable[tuple[str | None, Expr]]:
    for extension, hook in hooks:
        try:
            expr = hook(*args)
            if expr is not None:
                yield extension.reveals, resolve(schema, expr if isinstance(expr, Expr) else Q(expr))
        except MixstoreError:
            raise
        except Exception as error:
            raise ConfigurationError(
                f"{type(extension).__qualname__}.{hook.__name__} failed on {schema.name}: {error}",
                model=schema.model,
            ) from error
