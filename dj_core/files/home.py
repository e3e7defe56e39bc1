"""Where the DJ's own folder is."""

from __future__ import annotations

import os
from pathlib import Path


def home_folder() -> Path:
    """The folder named by DIGITAL_DJ_HOME, or the platform's place for user data."""
    chosen = os.environ.get("DIGITAL_DJ_HOME")
    if chosen:
        return Path(chosen).expanduser()
    import platformdirs

    return platformdirs.user_data_path("digital-dj", appauthor=False)
