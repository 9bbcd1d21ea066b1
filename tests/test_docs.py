"""The documentation is executed: one page is one program, from its first block to its last.

Each page runs in a working folder and a registry of its own. A `python` block that can't run here is fenced
as `python no-run`, right below a comment that says why: `<!-- no-run: needs a DynamoDB table -->`.
The pages of docs/examples are run by the tests of those packages, where the packages are installed.
"""

from __future__ import annotations

import gc
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import pytest

import mixstore

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "docs" / "examples"
PAGES = [ROOT / "README.md", *sorted(set((ROOT / "docs").rglob("*.md")) - set(EXAMPLES.rglob("*.md")))]
LANGUAGES = {"python", "python no-run", "toml", "console", "text", "json", "sql"}
FENCE = re.compile(r"( *)(`{3,}|~{3,})(.*)")
REASON = re.compile(r"<!-- no-run: \S.*-->")

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())


class Block(NamedTuple):
    """A fenced block: what the fence says, the code, and the line of the fence (from 1)."""

    language: str
    code: str
    line: int
    above: str


def blocks(text: str) -> Iterator[Block]:
    """The fenced blocks of a page; ValueError for one that is never closed."""
    lines = text.splitlines()
    position = 0
    while position < len(lines):
        opening, start = FENCE.fullmatch(lines[position]), position
        position += 1
        if opening is None:
            continue
        indent, fence, language = opening.groups()
        while position < len(lines) and lines[position].strip() != fence:
            position += 1
        if position == len(lines):
            raise ValueError(f"line {start + 1}: the block is never closed")
        code = "".join(line.removeprefix(indent) + "\n" for line in lines[start + 1 : position])
        above = next((line.strip() for line in reversed(lines[:start]) if line.strip()), "")
        yield Block(language.strip(), code, start + 1, above)
        position += 1


def run(name: str, program: list[Block], file: Path) -> None:
    """Execute blocks in one namespace: a module, since that is where pydantic looks up forward references."""
    module = ModuleType(name)
    sys.modules[name] = module
    try:
        for block in program:
            code = "\n" * block.line + block.code  # so that tracebacks show the line of the page
            exec(compile(code, str(file), "exec", dont_inherit=True), module.__dict__)
    finally:
        del sys.modules[name]
        module.__dict__.clear()
        gc.collect()  # so that whatever was left open is reported for this page


@pytest.fixture
def environment() -> Iterator[None]:
    """What a page sets in the environment is gone after it."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@every_page
@pytest.mark.usefixtures("environment")
def test_the_code_of_a_page_runs(page, tmp_path, monkeypatch):
    program = [block for block in blocks(page.read_text(encoding="utf-8")) if block.language == "python"]
    monkeypatch.chdir(tmp_path)
    with mixstore.registry():
        run(f"page_{page.stem.replace('-', '_').lower()}", program, page)


@every_page
def test_code_that_is_not_run_says_why_and_compiles(page):
    for block in blocks(page.read_text(encoding="utf-8")):
        if block.language == "python no-run":
            compile(block.code, f"{page}:{block.line}", "exec", dont_inherit=True)
            assert REASON.fullmatch(block.above), f"line {block.line}: needs a comment above, <!-- no-run: why -->"


@every_page
def test_the_settings_of_a_page_parse(page):
    for block in blocks(page.read_text(encoding="utf-8")):
        if block.language == "toml":
            tomllib.loads(block.code)


@every_page
def test_every_block_of_a_page_says_what_it_is(page):
    unknown = [
        (block.line, block.language)
        for block in blocks(page.read_text(encoding="utf-8"))
        if block.language not in LANGUAGES
    ]
    assert unknown == []


def test_blocks_are_found_with_their_lines_and_without_their_indent():
    page = "# A\n\n```python\nx = 1\n```\n- item\n\n  ```toml\n  a = 1\n\n  b = 2\n  ```\n"
    assert list(blocks(page)) == [
        Block("python", "x = 1\n", 3, "# A"),
        Block("toml", "a = 1\n\nb = 2\n", 8, "- item"),
    ]


def test_a_longer_fence_holds_a_shorter_one():
    assert [block.code for block in blocks("````text\n```python\n1/0\n```\n````\n")] == ["```python\n1/0\n```\n"]


def test_a_block_that_is_never_closed_is_an_error():
    with pytest.raises(ValueError, match="line 2: the block is never closed"):
        list(blocks("text\n```python\nx = 1\n"))


def test_blocks_of_a_page_share_their_names(tmp_path):
    run("page", [Block("python", "x = 1\n", 1, ""), Block("python", "assert x == 1\n", 5, "")], tmp_path)


def test_a_failing_block_tells_the_line_of_the_page(tmp_path):
    with pytest.raises(ZeroDivisionError) as caught:
        run("page", [Block("python", "x = 1\n1 / 0\n", 10, "")], tmp_path / "page.md")
    assert caught.traceback[-1].lineno + 1 == 12
