"""Where models, sounds, patterns and pages of the product lie, and which version it is."""

from __future__ import annotations

from pathlib import Path

VERSION = "0.2.0"
IMPORT_FOLDER = Path(__file__).resolve().parent.parent
"""Where Python finds `dj_core`; other processes are told."""
_INSTALLED = Path(__file__).resolve().parent / "shipped"  # the build puts it there
PRODUCT_FOLDER = _INSTALLED if _INSTALLED.is_dir() else IMPORT_FOLDER
ASSETS = PRODUCT_FOLDER / "assets"
