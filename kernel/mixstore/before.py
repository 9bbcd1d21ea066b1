"""What hooks of a model and extensions make of a row before it is written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from mixstore import lookups
from mixstore.beside import check_side
from mixstore.expressions import Expr, substitute
from mixstore.failures import called, hook_failed, hook_gave
from mixstore.registry import current
from mixstore.write import Add, Condition, SideWrite, WriteChange, WriteContext, total

if TYPE_CHECKING:
    from mixstore.bound import Bound
    from mixstore.extension import BackendExtension


def run_hooks(bound: Bound, hooks: Iterable[Callable[..., Any]], candidate: Any, context: WriteContext) -> None:
    """The hooks of the model, on the candidate. HookError for one that fails."""
    for hook in hooks:
        try:
            hook(candidate, context)
        except Exception as error:
            raise hook_failed(bound, bound.schema.name, hook.__name__, context.key, error) from error


def run_extensions(
    bound: Bound, candidate: Any, context: WriteContext, added: dict[str, Any]
) -> tuple[list[Condition], list[tuple[BackendExtension, SideWrite]]]:
    """`before_write` of all extensions: their values are in the candidate, what they add to numbers in `added`.

    Their conditions and side writes. HookError for one that fails, or gives what is none of these.
    """
    conditions: list[Condition] = []
    side_writes: list[tuple[BackendExtension, SideWrite]] = []
    values = candidate.__dict__
    for extension, hook in bound.chain.before_write:
        change = called(bound, extension, "before_write", context.key, hook, context)
        if change is None:
            continue
        _check_change(bound, extension, context, change)
        for name, value in change.values.items():
            if name not in bound.schema.fields:
                bound.schema.field(name, f"lacks the field that {type(extension).__qualname__} sets:")
            if type(value) is Add:
                if not context.added:
                    owner = type(extension).__qualname__
                    raise hook_gave(bound, owner, "before_write", context.key, "values where nothing is added", value)
                added[name] = value.by
                value = total(values[name], value.by)
            values[name] = value
        if change.condition is not None:
            expr = called(bound, extension, "before_write", context.key, _resolved, bound, change.condition)
            conditions.append(Condition(substitute(expr, {"now": context.now}), change.condition.error))
        side_writes += [(extension, side) for side in change.side_writes]
    return conditions, side_writes


def _check_change(bound: Bound, extension: BackendExtension, context: WriteContext, change: Any) -> None:
    """HookError for what is no WriteChange, and for a part of one that is something else."""
    wrong: tuple[str, Any] | None = None
    if not isinstance(change, WriteChange):
        wrong = "a WriteChange or None", change
    elif not isinstance(change.values, (dict, MappingProxyType, Mapping)):  # an abstract class is asked last: slow
        wrong = "values that are a dict by field", change.values
    elif not (change.condition is None or isinstance(change.condition, Condition)):
        wrong = "a condition that is a Condition", change.condition
    elif not isinstance(change.side_writes, (tuple, list)):
        wrong = "side writes that are a tuple", change.side_writes
    if wrong is not None:
        raise hook_gave(bound, type(extension).__qualname__, "before_write", context.key, *wrong)
    for side in change.side_writes:
        check_side(bound, extension, "before_write", context.key, side)


def _resolved(bound: Bound, condition: Condition) -> Expr:
    return lookups.resolve(bound.schema, condition.expr, current().lookups)
