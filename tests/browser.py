"""The browser that tests drive: an installed Chromium or Chrome, else one that we install.

`python tests/browser.py` makes sure of one and prints its path; `make test` calls it first.
"""

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NAMES = ("chromium", "google-chrome", "google-chrome-stable", "chrome", "chromium-browser")
MACOS_APPS = (
    "Google Chrome.app/Contents/MacOS/Google Chrome",
    "Chromium.app/Contents/MacOS/Chromium",
)
# Without a screen, as root in a container, and quiet: no update, sync or first-run traffic.
# Playwright adds --headless itself. Sound needs a real click, as for any visitor.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def find_browser() -> Path | None:
    """The executable of a Chromium or Chrome that starts, or None. CHROME names another."""
    return next((path for path in _candidates() if _starts(path)), None)


def install_browser() -> None:
    """Install Chromium: from Debian's packages where we may, else Playwright's own build."""
    # Ubuntu's package is an empty one that asks for a snap, which containers cannot run
    if shutil.which("apt-get") and "ubuntu" not in _os_release():
        subprocess.run(["bash", ROOT / "scripts" / "system-packages.sh", "chromium"], check=True)
        if find_browser():
            return
    with_libraries = ["--with-deps"] if sys.platform == "linux" and os.geteuid() == 0 else []
    subprocess.run(
        [sys.executable, "-m", "playwright", "install", *with_libraries, "chromium"], check=True
    )


def _candidates() -> Iterator[Path]:
    if chosen := os.environ.get("CHROME"):
        yield Path(chosen)
    for name in NAMES:
        if found := shutil.which(name):
            yield Path(found)
    for folder in (Path("/Applications"), Path.home() / "Applications"):
        for app in MACOS_APPS:
            yield folder / app
    yield _playwrights_own()


def _playwrights_own() -> Path:
    """Where Playwright puts a Chromium that it downloads; it need not be there."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        return Path(playwright.chromium.executable_path)


def _starts(path: Path) -> bool:
    try:
        asked = subprocess.run([path, "--version"], capture_output=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return asked.returncode == 0


def _os_release() -> str:
    path = Path("/etc/os-release")
    return path.read_text("utf-8").lower() if path.is_file() else ""


def main() -> int:
    """Print the browser's path; 1 where none is to be had."""
    browser = find_browser()
    if browser is None:
        with contextlib.suppress(subprocess.CalledProcessError):  # it has said why itself
            install_browser()
        browser = find_browser()
    if browser is None:
        print("Tests need Chromium or Chrome; install one, or name it: CHROME=/path make test.")
        return 1
    print(f"Tests use {browser}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
