"""Starts Digital DJ on any system: makes .venv beside this file the first time, then serves.

``python start.py`` opens the browser; a verb behind it goes to the command line.
"""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main() -> int:
    """Install what is pinned if that is not done, and go on in that Python."""
    if sys.version_info < (3, 11):  # noqa: UP036 - whoever starts this may have any Python
        print(f"Digital DJ needs Python 3.11 or newer; this is {sys.version.split()[0]}.")
        return 1
    folder = HERE / ".venv"
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    stamp = folder / "installed.txt"
    wanted = (HERE / "pyproject.toml").read_text("utf-8")
    if not python.exists() or not stamp.exists() or stamp.read_text("utf-8") != wanted:
        print("Installing; the first time this takes a few minutes.", flush=True)
        venv.create(folder, with_pip=True)
        done = subprocess.run([python, "-m", "pip", "install", "-q", str(HERE)], check=False)
        if done.returncode:
            return done.returncode
        stamp.write_text(wanted, "utf-8")
    try:
        program = [python, "-m", "dj_core", *sys.argv[1:]]
        return subprocess.run(program, cwd=HERE, check=False).returncode
    except KeyboardInterrupt:  # Ctrl+C ends the app, too, which says what there is to say
        return 0


if __name__ == "__main__":
    sys.exit(main())
