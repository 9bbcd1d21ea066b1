"""`export_lines`: rows as JSON lines."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from mixstore.backend import Backend
from mixstore.errors import UnsupportedOperationError
from mixstore.moving.forms import Forms, secrets
from mixstore.moving.reading import kept, pages, place
from mixstore.moving.storing import Moved
from mixstore.query import Query

if TYPE_CHECKING:
    from mixstore.bound import Bound


def export_lines(
    *models: type[Any],
    backend: Backend | str | None = None,
    plain_secrets: bool = False,
    progress: Callable[[Moved], object] | None = None,
) -> Iterator[str]:
    """The rows of these models, and those that extensions keep beside them, each as a line of JSON in ASCII.

        {"entity": "Session", "values": {"id": "s1", "user": "ann"}}

    Values are what they mean, not as the store has them; fields that follow from others are left out, rows that are
    hidden are there, and dead ones are not. A model with fields that its chain keeps secret is an
    UnsupportedOperationError before the first line, unless `plain_secrets` allows them to be written as they are.
    """
    bounds = [place(model, backend) for model in models]
    if not plain_secrets:
        for bound in bounds:
            _check_secrets(bound)
    return _lines(bounds, progress)


def _check_secrets(bound: Bound) -> None:
    for name in secrets(bound):
        raise UnsupportedOperationError(
            f"{bound.schema.name}.{name} is stored so that only the application can read it, and would be written "
            "in plain",
            model=bound.model,
            backend=bound.backend.backend_name,
            hint="plain_secrets=True (--plain-secrets) does it; keep the file as safe as the keys",
        )


def _lines(bounds: list[Bound], progress: Callable[[Moved], object] | None) -> Iterator[str]:
    for bound in bounds:
        for query in (Query(bound.model), *kept(bound)):
            one = bound.backend.bound(query.model)
            forms, moved = Forms(one), Moved(one.schema.entity)
            for page in pages(one, query):
                for values in page.rows:
                    line = {"entity": one.schema.entity, "values": forms.encoded(values)}
                    yield json.dumps(line, allow_nan=False, separators=(", ", ": "))
                moved.read += len(page.rows)
                if progress is not None:
                    progress(moved)
