"""The rules that hold the code apart: who imports whom, what is public, how long a file may be."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mixstore import errors, hookspecs

ROOT = Path(__file__).resolve().parent.parent
TREES = {
    "mixstore": ROOT / "kernel" / "mixstore",
    "mixstore_backends": ROOT / "backends" / "mixstore_backends",
    "mixstore_extensions": ROOT / "extensions" / "mixstore_extensions",
}
FILES = [path for tree in TREES.values() for path in sorted(tree.rglob("*.py"))]
KERNEL = [path for path in FILES if path.is_relative_to(TREES["mixstore"])]

STANDARD = set(sys.stdlib_module_names) | {"annotationlib", "tomllib"}  # the last two are newer than 3.10
PYDANTIC = {"pydantic", "pydantic_core"}
KERNEL_EXTRAS = {
    "cli": {"rich", "typer"},
    "testing": {"pytest", "hypothesis"},
    "settings.py": {"tomli"},  # tomllib is in the standard library from 3.11 on
}
KERNEL_TYPES = {"hookspecs.py": {"typer"}}  # what a hook gets
BACKEND_EXTRAS = {"composite": {"typer"}, "plugin.py": {"typer"}}
EXTENSION_EXTRAS = {
    "compressed.py": {"zstandard"},
    "demo": {"airportsdata", "rich", "typer"},
    "blind_indexes.py": {"cryptography"},
    "encrypted.py": {"cryptography"},
    "geo": {"shapely"},
    "otel.py": {"opentelemetry"},
    "plugin.py": {"typer"},
    "testing": {"hypothesis", "pytest"},
}
DRIVERS = {
    "composite": {"redis"},
    "dynamodb": {"aiobotocore", "boto3", "botocore", "urllib3"},
    "opensearch": {"opensearchpy", "botocore", "urllib3"},  # botocore signs for Amazon OpenSearch Service
    "sqlite": {"sqlite3"},
}
LOADED_ON_DEMAND = (
    "aiobotocore",
    "airportsdata",
    "cryptography",
    "zstandard",
    "boto3",
    "botocore",
    "opensearchpy",
    "redis",
    "sqlite3",
    "typer",
    "click",
    "rich",
    "pytest",
    "hypothesis",
    "numpy",
    "opentelemetry",
    "shapely",
)
MOST_LINES = 400


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


every_file = pytest.mark.parametrize("path", FILES, ids=relative)
every_kernel_file = pytest.mark.parametrize("path", KERNEL, ids=relative)


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def first_folder(path: Path) -> str:
    """The folder (or file) directly below the package of this file."""
    tree = next(tree for tree in TREES.values() if path.is_relative_to(tree))
    return path.relative_to(tree).parts[0]


def imports(node: ast.AST, *, typing_too: bool = True) -> Iterator[str]:
    """The top-level packages imported anywhere below, also inside functions."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in child.names)
        elif isinstance(child, ast.ImportFrom) and not child.level:
            yield (child.module or "").partition(".")[0]
        elif isinstance(child, ast.If) and not typing_too and ast.unparse(child.test) == "TYPE_CHECKING":
            yield from (name for other in child.orelse for name in imports(ast.Module([other], [])))
        else:
            yield from imports(child, typing_too=typing_too)


def run_python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def test_import_contracts_hold():
    run_python("import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))")


@every_kernel_file
def test_the_kernel_imports_only_pydantic_and_pluggy(path):
    allowed = {"mixstore", "pluggy", *PYDANTIC, *KERNEL_EXTRAS.get(first_folder(path), ())}
    foreign = set(imports(tree_of(path), typing_too=False)) - STANDARD - allowed
    assert not foreign


@every_kernel_file
def test_types_come_from_no_other_package_than_typing_extensions(path):
    allowed = {
        "mixstore",
        "pluggy",
        "typing_extensions",
        *PYDANTIC,
        *KERNEL_EXTRAS.get(first_folder(path), ()),
        *KERNEL_TYPES.get(first_folder(path), ()),
    }
    foreign = set(imports(tree_of(path))) - STANDARD - allowed
    assert not foreign


@every_file
def test_a_driver_is_imported_by_its_own_backend_only(path):
    own = DRIVERS.get(first_folder(path), set()) if path.is_relative_to(TREES["mixstore_backends"]) else set()
    foreign = set(imports(tree_of(path))) & set().union(*DRIVERS.values()) - own
    assert not foreign


@every_file
def test_backends_and_extensions_need_the_kernel_and_pydantic_only(path):
    package = next(name for name, tree in TREES.items() if path.is_relative_to(tree))
    if package == "mixstore":
        return
    allowed = {package, "mixstore", "typing_extensions", *PYDANTIC, *set().union(*DRIVERS.values())}
    extras = EXTENSION_EXTRAS if package == "mixstore_extensions" else BACKEND_EXTRAS
    allowed |= extras.get(first_folder(path), set())
    foreign = set(imports(tree_of(path))) - STANDARD - allowed
    assert not foreign


@pytest.mark.parametrize("package", TREES)
def test_importing_a_package_loads_no_driver_and_no_tool(package):
    code = f"import {package}, sys; print([name for name in {LOADED_ON_DEMAND} if name in sys.modules])"
    assert run_python(code) == "[]"


def test_importing_the_kernel_loads_no_plugin():
    code = "import mixstore, sys; print([name for name in sys.modules if name.startswith('mixstore_')])"
    assert run_python(code) == "[]"


@pytest.mark.parametrize("package", TREES)
def test_the_public_names_are_sorted_and_exist(package):
    module = importlib.import_module(package)
    assert list(module.__all__) == sorted(set(module.__all__))
    for name in module.__all__:
        assert getattr(module, name) is not None


def test_every_public_class_and_function_says_what_it_is_for():
    module = importlib.import_module("mixstore")
    named = ((name, getattr(module, name)) for name in module.__all__)
    silent = [
        name for name, value in named if (inspect.isclass(value) or inspect.isroutine(value)) and not value.__doc__
    ]
    assert not silent


@pytest.mark.parametrize("package", TREES)
def test_a_package_ships_its_types(package):
    assert (TREES[package] / "py.typed").is_file()


def documented_errors() -> dict[str, str | None]:
    """{error: parent} as drawn at the top of errors.py."""
    parents: dict[str, str | None] = {}
    above: list[str] = []
    for line in inspect.cleandoc(errors.__doc__ or "").splitlines():
        drawn = re.match(r"((?:[│ ] {3})*(?:[├└]── )?)([A-Z]\w+Error)\b", line)
        if drawn:
            depth = len(drawn[1]) // 4
            parents[drawn[2]] = above[depth - 1] if depth else None
            above[depth:] = [drawn[2]]
    return parents


def test_the_tree_of_errors_is_the_one_at_the_top_of_its_module():
    classes = {name: value for name, value in vars(errors).items() if inspect.isclass(value)}
    real = {
        name: value.__bases__[0].__name__ if value.__bases__[0] is not Exception else None
        for name, value in classes.items()
        if issubclass(value, Exception)
    }
    assert documented_errors() == real


def test_every_error_is_public():
    public = set(importlib.import_module("mixstore").__all__)
    assert set(documented_errors()) <= public


@pytest.mark.parametrize("name", documented_errors())
def test_every_error_can_be_raised_with_just_a_message(name):
    assert str(getattr(errors, name)("it broke")) == "it broke"


def test_there_are_few_hooks_and_each_says_what_it_is_for():
    hooks = {name: hook for name, hook in vars(hookspecs).items() if name.startswith("mixstore_")}
    assert 0 < len(hooks) <= 6
    assert [name for name, hook in hooks.items() if not hook.__doc__] == []


@every_file
def test_a_file_holds_one_idea(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MOST_LINES


def found(path: Path, wrong: Callable[[ast.AST], bool]) -> list[str]:
    return [f"line {node.lineno}: {ast.unparse(node)}" for node in ast.walk(tree_of(path)) if wrong(node)]


def asks_for_a_name(node: ast.AST) -> bool:
    """`x.backend_name == "sqlite"`, `x.backend_name in ("sqlite", ...)`, `match x.backend_name`."""
    if isinstance(node, ast.Match):
        return is_backend_name(node.subject)
    if not isinstance(node, ast.Compare):
        return False
    operands = [node.left, *node.comparators]
    constants = (c.value for operand in operands for c in ast.walk(operand) if isinstance(c, ast.Constant))
    return any(map(is_backend_name, operands)) and any(value != "*" for value in constants)


def is_backend_name(node: ast.AST) -> bool:
    return getattr(node, "attr", getattr(node, "id", "")) == "backend_name"


def probes(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "hasattr"


@every_kernel_file
def test_the_kernel_asks_no_backend_for_its_name(path):
    assert found(path, asks_for_a_name) == []


@every_kernel_file
def test_the_kernel_probes_nothing_with_hasattr(path):
    assert found(path, probes) == []
