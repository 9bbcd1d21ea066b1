"""What mixstore gets to know of this package; named by its entry point."""

from __future__ import annotations

from collections.abc import Callable

from mixstore import Lookup, hookimpl

from acme_slugs.mixin import slugify


@hookimpl
def mixstore_register_lookups(register: Callable[[Lookup], None]) -> None:
    """`title__slugged="creme-brulee"`: text that looks so in an address."""
    register(Lookup("slugged", frozenset({"str"}), "text", has_slug))


def has_slug(found: str, slug: str) -> bool:
    """Whether a text that is stored has this slug."""
    return slugify(found) == slug
