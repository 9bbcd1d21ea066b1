"""`mixstore new-extension` and `mixstore new-backend`: the examples of the documentation, under another name.

So what they write is what the tests of mixstore run, and there is no second copy of it.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Annotated

import typer

from mixstore.cli.naming import Names, check_code, check_module, check_taken, identifiers, names_of
from mixstore.cli.screen import INDENT, Screen
from mixstore.errors import ConfigurationError
from mixstore.registry import current

SHIPPED = Path(__file__).with_name("examples")
CHECKOUT = Path(__file__).resolve().parents[3] / "docs" / "examples"
SUFFIXES = {".md", ".py", ".toml", ".typed"}

Name = Annotated[
    str, typer.Argument(metavar="NAME", help="The name of the package: mixstore-geo-fence.", show_default=False)
]
Folder = Annotated[Path, typer.Option("--folder", help="The package becomes a new folder in this one.")]


def new_extension(name: Name, folder: Folder = Path()) -> None:
    """Write a package with a mixin, its extensions and their tests, to be changed into one's own.

    Nothing is overwritten. Exit code 1, and nothing written, if the name can't be.
    """
    names = names_of(name)
    registry = current()
    check_taken(names, names.extension, {*registry.extensions, *registry.lookups}, "an extension or lookup")
    words = {"acme-slugs": names.distribution, "acme_slugs": names.module}
    _write("acme-slugs", {**words, "Slugged": names.class_name, "slugged": names.extension}, names, folder)


def new_backend(name: Name, folder: Folder = Path()) -> None:
    """Write a package with a backend on a file and its tests, to be changed into one's own.

    Nothing is overwritten. Exit code 1, and nothing written, if the name can't be.
    """
    names = names_of(name)
    check_taken(names, names.scheme, current().backends, "a backend")
    words = {"acme-journal": names.distribution, "acme_journal": names.module}
    _write("acme-journal", {**words, "Journal": names.class_name, "journal": names.scheme}, names, folder)


def _write(example: str, words: Mapping[str, str], names: Names, folder: Path) -> None:
    """Write the example with its words replaced, and tell what is there now."""
    check_module(names)
    files = _files(example)
    code = {name for path, text in files.items() if path.suffix == ".py" for name in identifiers(text)}
    mine = {name for name in code if _replaced(name, words) != name or name in words}
    check_code(names, {_replaced(name, words) for name in mine}, code - mine)
    written = {PurePosixPath(_replaced(str(path), words)): _replaced(text, words) for path, text in files.items()}
    target = folder / names.distribution
    _store(target, written)
    screen = Screen()
    screen.good(f"{names.distribution}: {names.class_name} in {names.module}")
    for path in sorted(written):
        screen.show(str(path), indent=INDENT)
    screen.show("Next:")
    screen.verbatim(f"cd {target}\npip install --editable '.[dev]'\npytest", indent=INDENT)


def _files(example: str) -> dict[PurePosixPath, str]:
    """The text of each file of an example, by its path inside: from the wheel, or from a checkout."""
    root = next((base / example for base in (SHIPPED, CHECKOUT) if (base / example).is_dir()), None)
    if root is None:
        raise ConfigurationError(f"this installation of mixstore lacks its example {example}", hint="install it again")
    paths = sorted(path for path in root.rglob("*") if path.is_file() and path.suffix in SUFFIXES)
    inside = {path: path.relative_to(root) for path in paths}
    return {
        PurePosixPath(found.as_posix()): path.read_text(encoding="utf-8")
        for path, found in inside.items()
        if not any(part.startswith(".") for part in found.parts)  # what tools leave in a checkout
    }


def _replaced(text: str, words: Mapping[str, str]) -> str:
    """All words in one go, so that a new one is not taken for an old one."""
    return re.sub("|".join(map(re.escape, words)), lambda found: words[found[0]], text)


def _store(target: Path, files: Mapping[PurePosixPath, str]) -> None:
    """Write the files to a folder that is not there yet; all of them, or it is not there afterwards either."""
    try:
        target.mkdir(parents=True)
    except FileExistsError as error:
        raise ConfigurationError(f"{error.filename} is there already; nothing was written") from error
    except OSError as error:
        raise ConfigurationError(f"{target} can't be made: {error}") from error
    try:
        for path, text in files.items():
            file = target / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8", newline="\n")
    except BaseException as error:
        shutil.rmtree(target)
        if isinstance(error, OSError):
            raise ConfigurationError(f"{target} can't be written, and is gone again: {error}") from error
        raise
