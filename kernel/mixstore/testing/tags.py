"""What a case needs of a backend: capabilities that it declares, or that it runs extensions.

A backend passes every case whose tags it fulfils. What becomes of the others is tested as well: `cases/lacking.py` has
for each tag what must happen where it is missing.
"""

from __future__ import annotations

import pytest

from mixstore import Backend, Capability, ConfigurationError, UnsupportedOperationError

MARK = "mixstore_needs"
EXTENSIONS = "extensions"


def needs(*what: Capability | str) -> pytest.MarkDecorator:
    """Tags a case: it runs on backends that declare these capabilities (`EXTENSIONS`: that run extensions)."""
    decorator: pytest.MarkDecorator = getattr(pytest.mark, MARK)
    return decorator.with_args(*what)


def lacks(backend: Backend, what: Capability | str) -> str | None:
    """What a backend lacks of a tag, in words; None if it has it."""
    if isinstance(what, Capability):
        there = what in backend.capabilities or _kept_by_an_extension(backend, what)
        return None if there else f"does not declare {what.name}"
    return None if backend.runs_extensions else "runs no extensions"


def _kept_by_an_extension(backend: Backend, what: Capability) -> bool:
    """Whether an extension keeps values unique where the engine does not: then a model that needs it can be bound."""
    from mixstore.testing.models import Car, Contact

    model = {Capability.UNIQUE: Contact, Capability.PARTIAL_UNIQUE: Car}.get(what)
    if model is None:
        return False
    try:
        backend.bound(model)
    except (ConfigurationError, UnsupportedOperationError):
        return False
    return True


conditions = needs(Capability.CONDITIONS)
atomic = needs(Capability.ATOMIC_WRITES)
unique = needs(Capability.UNIQUE)
indexes = needs(Capability.INDEXES)
full_text = needs(Capability.FULL_TEXT)
adds = needs(Capability.ADD)
extensions = needs(EXTENSIONS)
locking = needs(Capability.CONDITIONS, EXTENSIONS)
"""For models whose extensions set conditions."""


def missing(*what: Capability | str) -> pytest.MarkDecorator:
    """Tags a case of what must happen on backends that lack this."""
    decorator: pytest.MarkDecorator = getattr(pytest.mark, MISSING)
    return decorator.with_args(*what)


MISSING = "mixstore_missing"
