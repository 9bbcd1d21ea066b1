"""What a URL says of a composite."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlsplit

from mixstore import ConfigurationError
from mixstore.errors import nearest
from mixstore.registry import current
from mixstore_backends.composite.cache import Cache
from mixstore_backends.composite.memory_cache import MemoryCache
from mixstore_backends.composite.redis_cache import SCHEMES, RedisCache

WHOLE = "composite://?storage=NAME&search=NAME"
OF_MEMORY, OF_REDIS = ("cache_entries", "cache_ttl"), ("cache_prefix", "cache_timeout", "cache_ttl")
OF_CACHES = tuple(dict.fromkeys(OF_MEMORY + OF_REDIS))
OPTIONS = ("storage", "search", "guarantee", "follow", "cache", *OF_CACHES)


def read_url(url: str) -> dict[str, Any]:
    """The arguments of a composite in its URL. ConfigurationError names what is wrong, and never shows a password."""
    parts = urlsplit(url)
    told = parse_qsl(parts.query, keep_blank_values=True)
    options = dict(told)
    shown = f"'composite://{parts.hostname or ''}?{'&'.join(f'{name}={_shown(value)}' for name, value in told)}'"
    if parts.netloc or parts.path.strip("/"):
        raise ConfigurationError(f"{shown}: a composite has no place of its own", hint=WHOLE)
    for name in options:
        if name not in OPTIONS:
            raise ConfigurationError(f"{shown}: there is no option {name!r}", hint=nearest(name, OPTIONS))
    storage, search = (_configured(shown, side, options.get(side)) for side in ("storage", "search"))
    cache = _cache(shown, options)
    given: dict[str, Any] = {name: options[name] for name in ("guarantee", "follow") if name in options}
    return {"storage": storage, "search": search, "cache": cache, **given}


def _shown(value: str) -> str:
    """A value without what may be a secret in it."""
    scheme, mark, _ = value.partition("://")
    return f"{scheme}://..." if mark else value


def _configured(shown: str, side: str, name: str | None) -> Any:
    if not name:
        raise ConfigurationError(f"{shown} names no {side}", hint=WHOLE)
    registry = current()
    if not registry.has_backend(name):
        known = sorted({*registry.named, *registry.settings.backends})
        raise ConfigurationError(f"{shown}: no backend is called {name!r}", hint=nearest(name, known))
    return registry.backend(name)


def _cache(shown: str, options: dict[str, str]) -> Cache | None:
    """The cache of `cache=memory` or `cache=redis://...`, if there is one."""
    kind = options.get("cache")
    in_redis = kind is not None and kind.startswith(SCHEMES)
    if not (kind in (None, "memory") or in_redis):
        raise ConfigurationError(
            f"{shown}: there is no such cache", hint="cache=memory, or cache=redis://host:6379/0&cache_prefix=shop:"
        )
    fitting = OF_REDIS if in_redis else OF_MEMORY if kind else ()
    for name in OF_CACHES:
        if name in options and name not in fitting:
            wanted = "a cache in Redis" if kind else "a cache"
            raise ConfigurationError(
                f"{shown}: {name} is an option of {wanted if name in OF_REDIS else 'cache=memory'}"
            )
    numbers = {"ttl": _number(shown, options, "cache_ttl"), "timeout": _number(shown, options, "cache_timeout")}
    given: dict[str, Any] = {name: value for name, value in numbers.items() if value is not None}
    if in_redis:
        return RedisCache(kind, prefix=options.get("cache_prefix", ""), **given)
    if kind is None:
        return None
    entries = _number(shown, options, "cache_entries")
    if entries is not None:
        given["max_entries"] = int(entries) if entries.is_integer() else entries
    return MemoryCache(**given)


def _number(shown: str, options: dict[str, str], name: str) -> float | None:
    if name not in options:
        return None
    try:
        return float(options[name])
    except ValueError:
        raise ConfigurationError(f"{shown}: {name} is a number, not {options[name]!r}") from None
