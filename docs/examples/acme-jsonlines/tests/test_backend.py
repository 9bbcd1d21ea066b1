"""The conformance kit, which leaves out what a direct backend does not promise."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from mixstore.testing import BackendConformance, Limits

from acme_jsonlines import JsonLinesBackend


class TestJsonLines(BackendConformance):
    limits = Limits(rows=200)  # each row is a line that is synced to the disk

    @pytest.fixture
    def backend(self, tmp_path: Path) -> Iterator[JsonLinesBackend]:
        with JsonLinesBackend.from_url(f"jsonlines:///{tmp_path}/rows.jsonl") as backend:
            yield backend
