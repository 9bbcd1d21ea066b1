"""Whole models from one store to another: `copy`, `verify`, and JSON lines by `export_lines` and `import_lines`.

Rows keep the values that they have. They are read as their extensions mean them and stored through the chain of the
place where they go, which encrypts, compresses, checks and keeps values unique as it does for any other write.
"""

from __future__ import annotations

from mixstore.moving.copying import copy
from mixstore.moving.exporting import export_lines
from mixstore.moving.importing import import_lines
from mixstore.moving.storing import Moved
from mixstore.moving.verifying import Verified, verify

__all__ = ["Moved", "Verified", "copy", "export_lines", "import_lines", "verify"]
