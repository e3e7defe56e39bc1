"""Every speed that is quoted, measured again: `make bench`.

    .venv/bin/python -m benchmarks.speed --corpora FOLDER [--only PART] [--out benchmarks]

Prints a table, compares it with the last result that was committed, and writes RESULTS.md and
results.json. FOLDER holds corpora as folders of MIDI files; without it the starter patterns stand
in, and their figures are not comparable.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

import torch

from benchmarks.speed import importing, playing, rendering, training
from benchmarks.speed.measure import Row
from benchmarks.speed.report import as_json, as_markdown
from dj_core.files.midi import save_midi
from dj_core.music.patterns import STARTER_FOLDER, load_patterns

MOST_FILES = 2_000
PACKAGES = ("torch", "numpy", "symusic", "music21", "pretty_midi", "mido", "pyarrow")


def main() -> None:
    """Measure, tell, keep."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--corpora", type=Path, help="folder of folders of MIDI files")
    parser.add_argument("--only", action="append", help="as in import; see parts()")
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parents[1])
    asked = parser.parse_args()
    torch.set_num_threads(1)
    asked.out.mkdir(parents=True, exist_ok=True)
    kept = asked.out / "results.json"
    last = json.loads(kept.read_text("utf-8"))["rows"] if kept.exists() else []
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as place:
        for part, measure in parts(asked.corpora, Path(place)).items():
            if asked.only is None or part in asked.only:
                for row in measure():
                    rows.append(row)
                    print(f"{row.part:28} {row.name:44} {row.value:10.3f} {row.unit}", flush=True)
    command = " ".join(["python -m benchmarks.speed", *sys.argv[1:]])
    told = as_json(rows, machine(), command, last)
    kept.write_text(json.dumps(told, indent=1) + "\n", "utf-8")
    (asked.out / "RESULTS.md").write_text(as_markdown(told), "utf-8")


def parts(corpora: Path | None, place: Path) -> dict[str, Callable[[], Iterator[Row]]]:
    """What is measured, by the names that --only knows."""

    def imports() -> Iterator[Row]:
        folders = sorted(path for path in corpora.iterdir() if path.is_dir()) if corpora else []
        for folder in folders:
            files = sorted(folder.rglob("*.mid"))
            if files:
                yield from importing.rows(files[:: -(-len(files) // MOST_FILES)], folder.name)
        if not folders:
            patterns = load_patterns(STARTER_FOLDER)
            files = [save_midi(beat, place / f"{i}.mid") for i, beat in enumerate(patterns)]
            yield from importing.rows(files, "starter patterns")

    return {
        "import": imports,
        "groove": playing.groove_rows,
        "notes": playing.notes_rows,
        "train": lambda: training.rows(training.songs()),
        "render": lambda: rendering.rows(load_patterns(STARTER_FOLDER)[0]),
        "pack": lambda: rendering.pack_rows(load_patterns(STARTER_FOLDER)),
    }


def machine() -> dict[str, str]:
    """What the figures were measured on."""
    model = platform.processor() or platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":")[1].strip()
    return {
        "processor": f"{model}, {os.cpu_count()} cores, one used",
        "load average": f"{os.getloadavg()[0]:.1f} while measuring",
        "python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
    }


if __name__ == "__main__":
    main()
