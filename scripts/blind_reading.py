"""Sheets for a blind reading of takes among held-out written phrases, and their sums.

    python -m scripts.blind_reading sheets FOLDER [--takes 8] [--written 2] [--sheets 6]
    python -m scripts.blind_reading sum FOLDER

Every sheet (``sheet-1.txt`` …) holds grids as `scripts.read_phrases` prints them, shuffled, with
style and tempo and nothing that tells where they come from; ``key.json`` does. A reader writes one
line a grid into ``verdicts-1.txt`` …: its number, then play, edit or skip, then why. The takes are
those of seeds in a row, at default settings.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections import Counter, defaultdict
from pathlib import Path

from dj_core.evaluation.floor import FLOOR_BARS, FLOOR_FIRST_SEED
from dj_core.library.library import Library
from dj_core.models.families import load_model
from dj_core.models.request import GenerationRequest
from dj_core.music.beat import Beat
from dj_core.music.composer import role_of_phrase, written_genres, written_phrases
from dj_core.music.genres import genre_label
from scripts.read_phrases import grid_text

VERDICTS = ("play", "edit", "skip")
FIRST_SEED = FLOOR_FIRST_SEED + 2_000  # apart from the examination's


def write_sheets(folder: Path, takes: int, written: int, sheets: int) -> None:
    """Generate, shuffle and write."""
    model = load_model(Library.open().model(None).folder)
    beats: list[tuple[str, Beat]] = []
    for genre in written_genres():
        asked = [
            GenerationRequest(genre=genre, bars=FLOOR_BARS, seed=FIRST_SEED + number)
            for number in range(takes)
        ]
        beats += [("take", take.beat) for take in model.generate_all(asked)]
        held_out = written_phrases(genre, held_out=True).phrases
        grooves = [beat for beat in held_out if role_of_phrase(beat) == "groove"]
        beats += [("written", beat) for beat in grooves[:written]]
    random.Random(1).shuffle(beats)
    folder.mkdir(parents=True, exist_ok=True)
    key = {}
    texts: dict[int, list[str]] = defaultdict(list)
    for number, (source, beat) in enumerate(beats, start=1):
        key[number] = {"source": source, "style": beat.genre, "title": beat.title}
        tempo_bpm = round(beat.playing_tempo_bpm)
        texts[number % sheets + 1].append(
            f"#{number} {genre_label(beat.genre)}, {tempo_bpm} BPM\n{grid_text(beat)}\n"
        )
    for sheet, grids in texts.items():
        (folder / f"sheet-{sheet}.txt").write_text("\n".join(grids), encoding="utf-8")
    (folder / "key.json").write_text(json.dumps(key, indent=1), encoding="utf-8")


def summed(folder: Path) -> str:
    """Verdicts by source and, for takes, by style, as a Markdown table."""
    key = json.loads((folder / "key.json").read_text(encoding="utf-8"))
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for path in sorted(folder.glob("verdicts-*.txt")):
        for line in path.read_text(encoding="utf-8").splitlines():
            number, _, rest = line.strip().lstrip("#").partition(" ")
            verdict = rest.split()[0].strip(".,:;").lower() if rest.split() else ""
            if number in key and verdict in VERDICTS:
                row = key[number]
                counts[f"all {row['source']}"][verdict] += 1
                if row["source"] == "take":
                    counts[row["style"]][verdict] += 1
    rows = ["| | read | play | edit | skip |", "|---|---|---|---|---|"]
    for name in sorted(counts, key=lambda name: (not name.startswith("all "), name)):
        read = sum(counts[name].values())
        shares = " | ".join(f"{counts[name][verdict] / read:.2f}" for verdict in VERDICTS)
        rows.append(f"| {name} | {read} | {shares} |")
    return "\n".join(rows)


def main() -> int:
    """Write sheets or sum up verdicts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["sheets", "sum"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--takes", type=int, default=8, help="of each style")
    parser.add_argument("--written", type=int, default=2, help="held-out phrases of each style")
    parser.add_argument("--sheets", type=int, default=6, help="one a reader")
    options = parser.parse_args()
    if options.what == "sheets":
        write_sheets(options.folder, options.takes, options.written, options.sheets)
    else:
        print(summed(options.folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
