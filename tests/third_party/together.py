"""What a stranger writes who tests the mixin of one package on the backend of another."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from acme_journal import JournalBackend
from acme_slugs.testing import SluggedConformance

from mixstore import Backend


class TestSluggedOnJournal(SluggedConformance):
    @pytest.fixture
    def backend(self, tmp_path: Path) -> Iterator[Backend]:
        with JournalBackend.from_url(f"journal:///{tmp_path}/rows.jsonl") as backend:
            yield backend
