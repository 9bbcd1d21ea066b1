"""The airports: 28,000 rows that come with the package airportsdata, offline."""

from __future__ import annotations

from typing import Any

from mixstore import ConfigurationError


def airports(limit: int | None = None) -> list[dict[str, Any]]:
    """Rows by ICAO code, the only code that every airport has; with `limit`, so many from all over the list.

    A missing code is None, not "". ConfigurationError if airportsdata is not installed.
    """
    try:
        import airportsdata
    except ModuleNotFoundError as error:
        if error.name != "airportsdata":
            raise
        raise ConfigurationError("the demo needs airportsdata: pip install 'mixstore[demo]'") from error
    found = [
        {**row, "iata": row["iata"] or None, "lid": row["lid"] or None} for row in airportsdata.load("ICAO").values()
    ]
    if limit is None or limit >= len(found):
        return found
    return [found[number * len(found) // limit] for number in range(limit)]
