"""What commands print with: rich on a terminal; elsewhere plain lines, 80 columns wide and without trailing blanks."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.padding import Padding
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from rich.console import RenderableType

INDENT = 3
PLAIN_WIDTH = 80


class Screen:
    """Standard output for one command; a quiet one prints nothing."""

    def __init__(self, *, quiet: bool = False) -> None:
        self.console = Console(highlight=False, quiet=quiet)
        if not self.terminal and "COLUMNS" not in os.environ:
            self.console.width = PLAIN_WIDTH

    @property
    def terminal(self) -> bool:
        """Whether a person looks at it."""
        return self.console.is_terminal

    def show(self, what: RenderableType = "", *, indent: int = 0, style: str = "") -> None:
        """Print a text (never taken for markup) or anything that rich can render."""
        rendered = Text(what) if isinstance(what, str) else what
        self._print(Padding(rendered, (0, 0, 0, indent)) if indent else rendered, style)

    def verbatim(self, text: str, *, indent: int = 0) -> None:
        """Print lines as they are, however long; for what one may want to copy, such as a traceback."""
        self._print(Text(textwrap.indent(text, " " * indent)), soft_wrap=True)

    def _print(self, what: RenderableType, style: str = "", *, soft_wrap: bool = False) -> None:
        if self.terminal or self.console.quiet:
            self.console.print(what, style=style or None, soft_wrap=soft_wrap)
            return
        with self.console.capture() as captured:
            self.console.print(what, soft_wrap=soft_wrap)
        for line in captured.get().splitlines():
            self.console.file.write(line.rstrip() + "\n")
        self.console.file.flush()

    def title(self, text: str) -> None:
        """A heading."""
        self.show()
        self.show(text, style="bold cyan")

    def good(self, text: str, *, indent: int = 0) -> None:
        """A line that tells that something is as it should be."""
        self.show(text, indent=indent, style="green")

    def bad(self, text: str, *, indent: int = 0) -> None:
        """A line that tells what is wrong."""
        self.show(text, indent=indent, style="bold red")

    def code(self, source: str) -> None:
        """Python source: highlighted on a terminal."""
        lines = textwrap.dedent(source).strip("\n")
        plain = Text(lines) if not self.terminal else None
        self.show(plain or Syntax(lines, "python", theme="ansi_dark", background_color="default"), indent=INDENT + 2)


def grid(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """A table without lines; a cell that is too long goes on below."""
    table = Table(
        *columns, box=None, padding=(0, 2, 0, 0), pad_edge=False, show_header=bool(columns), header_style="bold"
    )
    for row in rows:
        table.add_row(*map(Text, row))
    return table
