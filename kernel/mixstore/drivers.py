"""The two drivers: a lifecycle yields plans, a driver executes them, and nothing else touches a store."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from typing import Any


def drive(execute: Callable[[Any], Any], steps: Generator[Any, Any, Any]) -> Any:
    """Run a lifecycle: execute each plan that it yields, hand back the answer or the exception."""
    try:
        plan = steps.send(None)
        while True:
            try:
                answer = execute(plan)
            except Exception as error:
                plan = steps.throw(error)
            else:
                plan = steps.send(answer)
    except StopIteration as stop:
        return stop.value
    finally:
        steps.close()


async def adrive(aexecute: Callable[[Any], Awaitable[Any]], steps: Generator[Any, Any, Any]) -> Any:
    """`drive()`, awaited. A cancellation closes the lifecycle: the outcome of a write in flight is then unknown."""
    try:
        plan = steps.send(None)
        while True:
            try:
                answer = await aexecute(plan)
            except Exception as error:
                plan = steps.throw(error)
            else:
                plan = steps.send(answer)
    except StopIteration as stop:
        return stop.value
    finally:
        steps.close()
