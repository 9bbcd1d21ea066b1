"""The two drivers: a lifecycle yields plans, a driver executes them, and nothing else touches a store."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from typing import Any

Steps = Generator[Any, Any, Any]


def driver(execute: Callable[[Any], Any]) -> Callable[[str, Steps], Any]:
    """What runs lifecycles on an engine: executes each plan that is yielded, hands back the answer or the exception."""

    def drive(operation: str, steps: Steps) -> Any:
        send = steps.send
        try:
            plan = send(None)
            while True:
                try:
                    answer = execute(plan)
                except Exception as error:
                    plan = steps.throw(error)
                else:
                    plan = send(answer)
        except StopIteration as stop:
            return stop.value
        except BaseException:
            steps.close()
            raise

    return drive


async def adrive(aexecute: Callable[[Any], Awaitable[Any]], steps: Steps) -> Any:
    """The same, awaited. A cancellation closes the lifecycle: the outcome of a write in flight is then unknown."""
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
