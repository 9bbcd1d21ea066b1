"""The pages about OpenSearch are executed here, where there is one."""

from __future__ import annotations

from pathlib import Path

import pytest

import mixstore
from tests.engines.engines import Server
from tests.test_docs import ROOT, blocks, run

MARK = "<!-- no-run: needs OpenSearch -->"
PAGES = [page for page in sorted((ROOT / "docs").rglob("*.md")) if MARK in page.read_text(encoding="utf-8")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
@pytest.mark.filterwarnings("ignore::mixstore.ScanWarning")
def test_the_code_of_a_page_runs_against_an_engine(page: Path, opensearch: Server) -> None:
    program = [
        block._replace(code=block.code.replace("localhost:9200", f"127.0.0.1:{opensearch.port}"))
        for block in blocks(page.read_text(encoding="utf-8"))
        if block.above == MARK
    ]
    with mixstore.registry():
        run(f"page_{page.stem}", program, page)
