"""The tests of mixins run on the same backends as those of backends, and on DynamoDB in this process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import Phase, settings

from mixstore import Backend
from mixstore.testing.gaps import BY_CHANCE
from tests.backends.conftest import BACKENDS, clock, dynamodb, dynamodb_client, made_for, registry, use
from tests.extensions.gaps import GAPS

__all__ = ["clock", "dynamodb_client", "registry", "use"]

DYNAMODB = "dynamodb"


@pytest.fixture(params=[*BACKENDS, DYNAMODB])
def backend(request: pytest.FixtureRequest) -> Iterator[Backend]:
    """An empty backend of each kind; closed at the end."""
    yield from made_for(request, {**BACKENDS, DYNAMODB: dynamodb}[request.param])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Those of `GAPS` have to fail on DynamoDB."""
    for item in items:
        parameters = getattr(item, "callspec", None)
        if parameters is None or DYNAMODB not in parameters.params.values():
            continue
        name = getattr(item, "originalname", item.name)
        others = "-".join(one for one in parameters._idlist if one != DYNAMODB)
        gaps = GAPS.get(item.path.stem, {})
        reason = gaps.get(f"{name}[{others}]") or gaps.get(name)
        if reason is not None:
            item.add_marker(pytest.mark.xfail(strict=not reason.endswith(BY_CHANCE), reason=reason))


@pytest.fixture(autouse=True)
def quickly_told(request: pytest.FixtureRequest) -> Iterator[None]:
    """Gaps fail each time, and to make the smallest example of each takes minutes."""
    if any(one.kwargs.get("strict") for one in request.node.iter_markers("xfail")):
        settings.register_profile("before", settings())
        settings.register_profile("as found", phases=(Phase.explicit, Phase.generate))
        settings.load_profile("as found")
        yield
        settings.load_profile("before")
    else:
        yield
