"""`Conformance`: the fixtures, limits and gaps that the cases of backends and of extensions share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest

from mixstore import Backend, Model
from mixstore.testing.clock import Clock
from mixstore.testing.gaps import check_gaps, skip
from mixstore.testing.tags import MARK, MISSING, lacks


@dataclass(frozen=True)
class Limits:
    """How much of something an engine takes; None: the cases meet no limit.

    value_bytes: of the largest value of one field. transaction_writes: writes of one transaction.
    rows: in the fullest table of the cases; fewer where each row costs a request, but more than a page of the engine.
    """

    value_bytes: int | None = None
    transaction_writes: int | None = None
    rows: int = 2500


class Conformance:
    """Base of the conformance classes. A subclass brings the fixture `backend`, and may set `gaps` and `limits`."""

    gaps: ClassVar[Mapping[str, str]] = {}
    """{name of a case, also with its parameters in brackets, or a pattern with `*`: why it fails}."""
    limits: ClassVar[Limits] = Limits()
    matrix: ClassVar[str | None] = None
    """The column of the support matrix (`mixstore matrix`) that this class tells of, if any."""

    pytestmark = [
        pytest.mark.usefixtures("_mixstore_registry"),
        pytest.mark.filterwarnings("ignore::mixstore.ScanWarning"),  # the cases scan where they have to
    ]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        check_gaps(cls.__name__, cls.gaps, (name for name in dir(cls) if name.startswith("test")))

    @pytest.fixture
    def backend(self) -> Any:
        """An empty backend, for one case. It is given back (`close()`) by the fixture that made it."""
        raise NotImplementedError(
            f"{type(self).__name__} needs a fixture `backend` that yields an empty backend: "
            "@pytest.fixture, def backend(self): with MyBackend() as backend: yield backend"
        )

    @pytest.fixture(autouse=True)
    def _able(self, request: pytest.FixtureRequest, backend: Backend) -> None:
        """Skip what is tagged with something that the backend lacks, or has."""
        needed = [what for mark in request.node.iter_markers(MARK) for what in mark.args]
        absent = [what for mark in request.node.iter_markers(MISSING) for what in mark.args]
        for what in needed:
            lacking = lacks(backend, what)
            if lacking is not None:
                skip(request.node, self.gaps, f"{backend.backend_name} {lacking}")
        if absent and all(lacks(backend, what) is None for what in absent):
            skip(request.node, self.gaps, f"{backend.backend_name} lacks nothing of this")

    @pytest.fixture
    def use(self, backend: Backend) -> Iterator[Callable[..., Any]]:
        """`use(User)` binds models to the backend for this test and initializes it; returns the (first) model."""
        bound: list[type[Model]] = []

        def bind(*models: type[Model]) -> type[Model]:
            for model in models:
                model.bind(backend)
                bound.append(model)
            backend.initialize(*models)
            return models[0]

        yield bind
        for model in bound:
            model.bind(None)

    @pytest.fixture
    def clock(self, backend: Backend) -> Clock:
        """The backend's clock, which moves only when it is told to."""
        backend.clock = moving = Clock()
        return moving
