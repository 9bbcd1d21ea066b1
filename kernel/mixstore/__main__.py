"""`python -m mixstore`, the same as the command `mixstore`."""

from __future__ import annotations

from mixstore.cli import main

main()
