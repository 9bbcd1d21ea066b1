"""A write that is ready, and what happens with its outcome: the instance changes, or it is an error."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, Any

from mixstore.checking import differs
from mixstore.errors import ConflictError, MixstoreError
from mixstore.expressions import Expr, evaluate
from mixstore.failures import STORED, failure, hook_failed, hook_gave
from mixstore.state import set_state
from mixstore.write import (
    Condition,
    Operation,
    Outcome,
    Write,
    WriteContext,
)

if TYPE_CHECKING:
    from mixstore.bound import Bound
    from mixstore.write import KeyValue


NO_OPTIONS: Mapping[str, Any] = {}


class StaleReadError(ConflictError):
    """The row that an extension read first has changed; the lifecycle tries again."""


def apply(bound: Bound, target: Any, values: Mapping[str, Any]) -> None:
    """Give an instance the values that were stored; a container that is equal stays the object that it is."""
    mine = target.__dict__
    if not bound.mutable:
        mine.update(values)
        return
    kept = {name: mine[name] for name in bound.mutable if name in mine and not differs(mine[name], values.get(name))}
    mine.update(values)
    mine.update(kept)


class PreparedWrite:
    """A write that is ready, and what happens with its outcome."""

    __slots__ = ("asked", "bound", "candidate", "conditions", "context", "target", "visibility", "write")

    def __init__(
        self,
        bound: Bound,
        asked: Operation,
        candidate: Any,
        target: Any,
        context: WriteContext,
        write: Write,
        conditions: list[Condition],
        visibility: Expr,
    ) -> None:
        self.bound = bound
        self.asked = asked
        self.candidate = candidate
        self.target = target
        self.context = context
        self.write = write
        self.conditions = conditions
        self.visibility = visibility

    def in_vain(self, outcome: Outcome) -> bool:
        """Whether this deletes what is not there, or can't be seen: no error, and nothing to do."""
        return self.asked == "delete" and (outcome.status == "missing" or self._unseen(outcome))

    def finish(self, outcome: Outcome) -> None:
        """Change the caller's instance and run the after-hooks, or raise what the outcome means."""
        if outcome.status != "ok":
            raise self._failure(outcome)
        bound, write = self.bound, self.write
        if write.op != "delete":
            self.show(outcome)
        for extension, hook in bound.chain.after_write:
            try:
                hook(self.context, outcome)
            except Exception as error:
                raise hook_failed(
                    bound, type(extension).__qualname__, "after_write", write.key, error, STORED
                ) from error
        self._model_hooks("after_delete" if self.asked == "delete" else "after_save")
        if outcome.error is not None:
            raise outcome.error

    def told(self, outcome: Outcome) -> Generator[Any, Any, Outcome]:
        """The outcome, with what the engine did not tell and `finish` needs."""
        yield from ()
        return outcome

    def show(self, outcome: Outcome) -> None:
        """Give the caller's instance what is stored now."""
        values, changes = self.candidate.__dict__, self.write.changes
        if self.asked == "delete" and changes is not None:  # rewritten: only what that changed
            values = {name: value for name, value in values.items() if name in changes}
        apply(self.bound, self.target, values)
        set_state(self.target, self.bound, None, self.write.record, self.write.key)

    def _model_hooks(self, event: str) -> None:
        for hook in self.bound.schema.hooks[event]:
            try:
                hook(self.target, self.context)
            except Exception as error:
                raise hook_failed(
                    self.bound, self.bound.schema.name, hook.__name__, self.write.key, error, STORED
                ) from error

    def _failure(self, outcome: Outcome) -> MixstoreError:
        bound, write = self.bound, self.write
        if outcome.status == "exists" and write.absent and outcome.side is None:
            return StaleReadError("the row appeared in between")
        contested = outcome.status == "exists" and outcome.side is not None and outcome.side.contested
        if contested or outcome.disputed:
            return StaleReadError(
                f"{bound.schema.name} changed while it was written; nothing was stored",
                model=bound.model,
                key=bound.schema.key_as_told(write.key),
                backend=bound.backend.backend_name,
            )
        if outcome.status != "condition" or outcome.stored is None:
            return failure(bound, self.asked, write.key, outcome)
        if self._unseen(outcome):
            status = Outcome("exists" if write.op == "upsert" else "missing")
            return failure(bound, self.asked, write.key, status)
        values = bound.stored_values(outcome.stored)
        for condition in self.conditions:
            if not evaluate(condition.expr, values):
                error = _error_of(bound, condition, write.key, values)
                if isinstance(error, MixstoreError):
                    error.model = error.model or bound.model
                    error.key = bound.schema.key_as_told(write.key) if error.key is None else error.key
                    error.backend = error.backend or bound.backend.backend_name
                return error  # type: ignore[return-value]
        return failure(bound, self.asked, write.key, outcome)

    def _unseen(self, outcome: Outcome) -> bool:
        if outcome.status != "condition" or outcome.stored is None:
            return False
        return not evaluate(self.visibility, self.bound.stored_values(outcome.stored))


class Replica(PreparedWrite):
    """The write of a row as another store has it: nobody acted on it, so that there is nobody to tell."""

    __slots__ = ()

    def finish(self, outcome: Outcome) -> None:
        """Raise what the outcome means, if it is not stored, or what came after it."""
        if outcome.status != "ok":
            raise self._failure(outcome)
        if outcome.error is not None:
            raise outcome.error


def _error_of(bound: Bound, condition: Condition, key: KeyValue, values: Mapping[str, Any]) -> Exception:
    """The exception that a condition makes; what goes wrong in that is an error that names the condition."""
    owner = f"Condition({condition.expr!r})"
    try:
        error = condition.error(values)
    except Exception as failed:
        return hook_failed(bound, owner, "error", key, failed)
    return error if isinstance(error, Exception) else hook_gave(bound, owner, "error", key, "an exception", error)
