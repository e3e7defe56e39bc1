"""One beat per genre as a picture: ``python -m scripts.gallery MODEL_FOLDER DOCS_FOLDER``.

Nothing is picked: every genre gets the beat of one seed, four bars at its usual tempo.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from dj_core.corpus.figures import DARK
from dj_core.errors import DigitalDJError
from dj_core.files.storage import write_bytes_atomic
from dj_core.models.groove.groove_player import GrooveModel, load_groove_player
from dj_core.models.request import GenerationRequest
from dj_core.music.beat import Beat
from dj_core.music.drums import DRUMS
from dj_core.music.genres import genre_label
from dj_core.music.step_grid import MAX_VELOCITY, STEPS_PER_QUARTER, steps_per_bar

SEED, BARS = 1, 4
STEP, ROW, LABELS, HEAD, BAR_GAP = 11, 13, 34, 6, 6  # pixels
BACKGROUND = "#15181e"
PICTURES = "gallery"


def beat_picture(beat: Beat) -> str:
    """A step grid as SVG: a row per drum, louder strokes brighter, shifted as they are played."""
    lanes, bar_steps = beat.lanes or (0,), steps_per_bar(beat.meter)
    width = LABELS + beat.bars * (bar_steps * STEP + BAR_GAP)
    height = 2 * HEAD + len(lanes) * ROW
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" font-family="monospace" font-size="9">',
        f'<rect width="{width}" height="{height}" rx="4" fill="{BACKGROUND}"/>',
    ]
    for row, lane in enumerate(lanes):
        y = HEAD + row * ROW
        parts.append(f'<text x="8" y="{y + 10}" fill="{DARK.quiet}">{DRUMS[lane].short}</text>')
        parts += [
            f'<rect x="{_x(step, bar_steps):.1f}" y="{y + 2}" width="{STEP - 2}" '
            f'height="{ROW - 3}" rx="2" fill="{DARK.line}" '
            f'opacity="{0.75 if step % bar_steps % STEPS_PER_QUARTER == 0 else 0.4}"/>'
            for step in range(beat.bars * bar_steps)
        ]
        parts += [
            f'<rect x="{_x(hit.onset_quarters * STEPS_PER_QUARTER, bar_steps):.1f}" y="{y + 2}" '
            f'width="{STEP - 2}" height="{ROW - 3}" rx="2" '
            f'fill="{DARK.families[DRUMS[lane].family]}" '
            f'opacity="{0.2 + 0.8 * hit.velocity / MAX_VELOCITY:.2f}"/>'
            for hit in beat.hits
            if hit.lane == lane
        ]
    return "\n".join([*parts, "</svg>", ""])


def _x(step: float, bar_steps: int) -> float:
    """Left edge of a stroke; `step` may lie between two 16ths."""
    return LABELS + step * STEP + BAR_GAP * ((step + 0.5) // bar_steps)


def write_gallery(model: GrooveModel, docs: Path) -> Path:
    """Write ``gallery.md`` and its pictures into `docs`. Raises LibraryError."""
    requests = [GenerationRequest(genre=genre, bars=BARS, seed=SEED) for genre in model.genres]
    lines = [
        "# Gallery",
        "",
        f"One beat per genre from the shipped groove model: seed {SEED}, {BARS} bars, the genre's "
        "usual tempo, default settings. Nothing is picked and nothing is edited. Brighter is "
        "louder, and every stroke stands where it is played, off the grid if need be.",
        "",
        "Made again with `python -m scripts.gallery models/groove docs`.",
        "",
    ]
    for take in model.generate_all(requests):
        beat = take.beat
        name = f"{beat.genre}.svg"
        write_bytes_atomic(docs / PICTURES / name, beat_picture(beat).encode())
        lines += [
            f"## {genre_label(beat.genre)}",
            "",
            f"![{genre_label(beat.genre)}, {BARS} bars]({PICTURES}/{name})",
            "",
            f"{beat.tempo_bpm:g} BPM, {len(beat.hits)} strokes.",
            "",
        ]
    return write_bytes_atomic(docs / "gallery.md", "\n".join(lines).encode())


def main() -> int:
    """Draw; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m scripts.gallery", description=__doc__)
    parser.add_argument("model", type=Path, help="folder of a groove model")
    parser.add_argument("docs", type=Path, help="folder that gets gallery.md and its pictures")
    given = parser.parse_args()
    try:
        print(write_gallery(load_groove_player(given.model), given.docs))
    except DigitalDJError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
