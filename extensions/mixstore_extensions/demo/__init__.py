"""`mixstore demo` (extra: demo): 28,000 real airports, and what mixins do for them. Imported by the command only."""

from __future__ import annotations
