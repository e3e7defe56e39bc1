"""Asks the package index whether every pin has a wheel on each system; writes docs/wheels.md.

``python -m scripts.check_wheels``, by hand after a pin has changed: it asks for one pin after the
other, and nothing is installed.
"""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "docs" / "wheels.md"
FILES = ("requirements.txt", "requirements-scale.txt")
PYTHONS = ("3.11", "3.12", "3.13")
SYSTEMS = {
    "Windows, x86-64": ("win_amd64",),
    "macOS, Apple silicon": ("macosx_11_0_arm64", "macosx_12_0_arm64", "macosx_14_0_arm64"),
    "Linux, x86-64": (
        "manylinux_2_17_x86_64", "manylinux2014_x86_64", "manylinux_2_24_x86_64",
        "manylinux_2_27_x86_64", "manylinux_2_28_x86_64", "manylinux_2_34_x86_64",
    ),
    "Linux, ARM64": (
        "manylinux_2_17_aarch64", "manylinux2014_aarch64", "manylinux_2_24_aarch64",
        "manylinux_2_27_aarch64", "manylinux_2_28_aarch64", "manylinux_2_34_aarch64",
    ),
}  # fmt: skip
_MISSING = re.compile(r"No matching distribution found for (\S+)")


def main() -> int:
    """Ask for all, write the document; returns how many pins have no wheel somewhere."""
    pins = [
        line
        for name in FILES
        for line in (ROOT / name).read_text("utf-8").splitlines()
        if "==" in line
    ]
    rows, missing = [], []
    for system, platforms in SYSTEMS.items():
        for python in PYTHONS:
            lost = _without_wheel(pins, platforms, python)
            missing += lost
            said = ", ".join(lost) or "none"
            rows.append(
                f"| {system} | {python} | {len(pins) - len(lost)} of {len(pins)} | {said} |"
            )
            print(rows[-1], flush=True)
    text = (
        "# Wheels\n\n"
        f"Which of the {len(pins)} pins in {' and '.join(FILES)} the package index has as a wheel, "
        f"asked on {datetime.now(UTC):%Y-%m-%d} by `python -m scripts.check_wheels`.\n\n"
        "| system | Python | have a wheel | without |\n|---|---|---|---|\n" + "\n".join(rows) + "\n"
    )
    DOCUMENT.write_text(text, "utf-8")
    return len(set(missing))


def _without_wheel(pins: list[str], platforms: tuple[str, ...], python: str) -> list[str]:
    """The pins of which pip finds no wheel; all others are asked for again without them."""
    lost: list[str] = []
    while True:
        asked = [pin for pin in pins if pin not in lost]
        with TemporaryDirectory() as folder:
            command = [sys.executable, "-m", "pip", "install", "--dry-run", "--no-deps", "-q"]
            command += ["--only-binary", ":all:", "--python-version", python, "--target", folder]
            command += [part for platform in platforms for part in ("--platform", platform)]
            answer = subprocess.run([*command, *asked], capture_output=True, text=True, check=False)
        if answer.returncode == 0:
            return lost
        found = _MISSING.search(answer.stderr)
        if found is None or found[1] not in asked:
            raise SystemExit(answer.stderr)
        lost.append(found[1])


if __name__ == "__main__":
    sys.exit(main())
