"""The plugin for built-in extensions that attach by field option or config, for lookups, and for the demo.

The extensions of the built-in mixins are inner classes of their mixins, which mixstore finds without being told.
"""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from mixstore.hookspecs import hookimpl
from mixstore.registry import current

if TYPE_CHECKING:
    from collections.abc import Callable

    from typer import Typer

    from mixstore.extension import BackendExtension
    from mixstore.lookups import Lookup


@hookimpl
def mixstore_register_extensions(register: Callable[[type[BackendExtension]], None]) -> None:
    """`audited` and `unique`; and here the plugins join that are switched on by the environment."""
    from mixstore_extensions.audited import Audited
    from mixstore_extensions.unique import UniqueFields, UniqueFieldsOnOpenSearch

    register(Audited)
    register(UniqueFields)
    register(UniqueFieldsOnOpenSearch)
    _observe_for_opentelemetry()


@hookimpl
def mixstore_register_lookups(register: Callable[[Lookup], None]) -> None:
    """`near` and `within` of Points."""
    from mixstore_extensions.geo.lookups import NEAR, WITHIN

    register(NEAR)
    register(WITHIN)


@hookimpl
def mixstore_register_commands(app: Typer) -> None:
    """`mixstore demo`."""
    from mixstore_extensions.demo.command import demo

    app.command()(demo)


def _observe_for_opentelemetry() -> None:
    if os.environ.get("MIXSTORE_OTEL", "").lower() not in ("1", "true", "yes", "on"):
        return
    try:
        from mixstore_extensions import otel
    except ImportError as error:
        logging.getLogger("mixstore").warning("MIXSTORE_OTEL is set: pip install 'mixstore[otel]' (%s)", error)
        return
    current().add_plugin(otel, "otel")
