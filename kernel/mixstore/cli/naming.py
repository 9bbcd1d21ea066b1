"""The names in a new package that follow from the one that its author gives, and which of them can't be."""

from __future__ import annotations

import builtins
import io
import keyword
import re
import sys
import tokenize
from collections.abc import Collection, Iterator
from importlib.util import find_spec
from typing import NamedTuple

from mixstore.errors import ConfigurationError
from mixstore.mixin import snake_case
from mixstore.requirements import canonical

DISTRIBUTION = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
LONGEST = 40
"""Characters of a name: with more, lines of the code outgrow what its formatter leaves alone."""


class Names(NamedTuple):
    """How a package calls what it has, from the distribution `mixstore-geo-fence`."""

    distribution: str
    """`mixstore-geo-fence`, in canonical form."""
    module: str
    """`mixstore_geo_fence`."""
    class_name: str
    """`GeoFence`."""
    extension: str
    """`geo_fence`: how the settings call an extension."""
    scheme: str
    """`geo-fence`: how a URL calls a backend."""


def names_of(asked: str) -> Names:
    """The names that follow from what was asked for. ConfigurationError says why there can be none."""
    distribution = canonical(asked)
    if not DISTRIBUTION.fullmatch(asked):
        valid = re.sub(r"[^a-z0-9]+", "-", asked.lower()).strip("-")
        raise _refusal(asked, "it has other than letters, digits and - _ . between them", valid)
    if len(distribution) > LONGEST:
        raise _refusal(asked, f"it has more than {LONGEST} characters")
    parts = distribution.removeprefix("mixstore-").removesuffix("-mixstore").split("-")
    if parts == ["mixstore"]:
        raise _refusal(asked, "that is mixstore itself", "mixstore-geo-fence")
    if not parts[0][0].isalpha():
        raise _refusal(asked, "a name of Python begins with a letter")
    class_name = "".join(part.capitalize() for part in parts)
    return Names(distribution, distribution.replace("-", "_"), class_name, snake_case(class_name), "-".join(parts))


def check_module(names: Names) -> None:
    """ConfigurationError if Python, or somebody's package, has a module of that name."""
    module, asked = names.module, names.distribution
    other = None if asked.startswith("mixstore-") else f"mixstore-{asked}"
    if keyword.iskeyword(module):
        raise _refusal(asked, f"{module!r} is a keyword of Python", other)
    if module in sys.stdlib_module_names:
        raise _refusal(asked, f"{module!r} is a module of Python", other)
    if module in sys.modules or find_spec(module) is not None:
        raise _refusal(asked, f"a module {module!r} is installed already", other)


def check_code(names: Names, own: Collection[str], others: Collection[str]) -> None:
    """ConfigurationError if one of the package's `own` names means something else in Python or in its code."""
    for name in sorted(own):
        if name in others or name in vars(builtins) or keyword.iskeyword(name):
            raise _refusal(names.distribution, f"its code would have two meanings for {name!r}")


def check_taken(names: Names, short: str, taken: Collection[str], what: str) -> None:
    """ConfigurationError if `what` of the name `short` is registered by something that is installed."""
    if short in taken:
        raise _refusal(names.distribution, f"{what} {short!r} is registered already")


def identifiers(source: str) -> Iterator[str]:
    """The names in Python code, without those in its strings and comments."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.NAME:
            yield token.string


def _refusal(asked: str, why: str, other: str | None = None) -> ConfigurationError:
    return ConfigurationError(f"{asked!r} can't be the name: {why}", hint=f"did you mean {other!r}?" if other else None)
