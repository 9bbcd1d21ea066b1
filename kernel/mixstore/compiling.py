"""What the compilers of backends share: which rule compiles a comparison, and whether there has to be one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from mixstore.comparing import TESTS
from mixstore.errors import UnsupportedOperationError, nearest

if TYPE_CHECKING:
    from mixstore.expressions import Compare

Rule = TypeVar("Rule")


def native_rule(rules: Mapping[str, Rule], expr: Compare, engine: str, model: type[Any]) -> Rule | None:
    """The rule of a lookup by its name; None if mixstore has to evaluate the comparison itself.

    UnsupportedOperationError if it can't: the engine has no rule, and the lookup no `evaluate`.
    """
    if expr.function is not None:
        return None
    rule = rules.get(expr.lookup)
    if rule is None and expr.lookup not in TESTS:
        raise UnsupportedOperationError(
            f"{engine} can't compile the lookup {expr.lookup!r}, and it has no `evaluate`",
            model=model,
            hint=nearest(expr.lookup, {**TESTS, **rules}),
        )
    return rule
