"""One beat per style as a picture: ``python -m scripts.gallery MODEL_FOLDER DOCS_FOLDER``.

Nothing is picked: every style gets the phrase of one seed, eight bars at its usual tempo.
"""

from __future__ import annotations

import argparse
import sys
from itertools import groupby
from pathlib import Path

from dj_core.corpus.figures import DARK
from dj_core.errors import DigitalDJError
from dj_core.files.storage import write_bytes_atomic
from dj_core.models.groove.groove_player import GrooveModel, load_groove_player
from dj_core.models.request import GenerationRequest
from dj_core.music.beat import Beat
from dj_core.music.drums import DRUMS
from dj_core.music.genres import GENRE, GENRES
from dj_core.music.step_grid import MAX_VELOCITY, STEPS_PER_QUARTER, steps_per_bar

SEED, BARS = 1, 8
BARS_A_LINE = 4
STEP, ROW, LABELS, HEAD, BAR_GAP, LINE_GAP = 11, 13, 34, 6, 6, 10  # pixels
BACKGROUND = "#15181e"
PICTURES = "gallery"


def beat_picture(beat: Beat) -> str:
    """A step grid as SVG, four bars a line: a row per drum, louder strokes higher and brighter.

    Strokes are shifted as they are played.
    """
    lanes, bar_steps = beat.lanes or (0,), steps_per_bar(beat.meter)
    bars, lines = min(beat.bars, BARS_A_LINE), -(-beat.bars // BARS_A_LINE)
    width = LABELS + bars * (bar_steps * STEP + BAR_GAP)
    line_height = len(lanes) * ROW + LINE_GAP
    height = 2 * HEAD + lines * line_height - LINE_GAP
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" font-family="monospace" font-size="9">',
        f'<rect width="{width}" height="{height}" rx="4" fill="{BACKGROUND}"/>',
    ]

    def left(step: float) -> float:
        """Left edge of a stroke in its line; `step` may lie between two 16ths."""
        return LABELS + step * STEP + BAR_GAP * ((step + 0.5) // bar_steps)

    for line in range(lines):
        first = line * BARS_A_LINE * bar_steps
        steps = min(BARS_A_LINE, beat.bars - line * BARS_A_LINE) * bar_steps
        for row, lane in enumerate(lanes):
            y = HEAD + line * line_height + row * ROW
            parts.append(f'<text x="8" y="{y + 10}" fill="{DARK.quiet}">{DRUMS[lane].short}</text>')
            beats = "".join(
                f"M{left(step):.0f} {y + 2}h{STEPS_PER_QUARTER * STEP - 2}v{ROW - 3}"
                f"h-{STEPS_PER_QUARTER * STEP - 2}z"
                for step in range(0, steps, STEPS_PER_QUARTER)
            )
            parts.append(f'<path d="{beats}" fill="{DARK.line}" opacity="0.45"/>')
            parts.append(f'<g fill="{DARK.families[DRUMS[lane].family]}">')
            for hit in beat.hits:
                step = hit.onset_quarters * STEPS_PER_QUARTER - first
                if hit.lane == lane and -0.5 <= step < steps - 0.5:
                    loud = hit.velocity / MAX_VELOCITY
                    tall = max(2.0, (ROW - 3) * loud)
                    parts.append(
                        f'<rect x="{left(step):.1f}" y="{y + ROW - 1 - tall:.1f}" '
                        f'width="{STEP - 3}" height="{tall:.1f}" '
                        f'opacity="{0.35 + 0.65 * loud:.2f}"/>'
                    )
            parts.append("</g>")
    return "\n".join([*parts, "</svg>", ""])


def write_gallery(model: GrooveModel, docs: Path) -> Path:
    """Write ``gallery.md`` and its pictures into `docs`. Raises LibraryError."""
    known = [genre for genre in GENRES if genre.name in model.genres]
    requests = [GenerationRequest(genre=genre.name, bars=BARS, seed=SEED) for genre in known]
    lines = [
        "# Gallery",
        "",
        f"One phrase of each style from the shipped groove model: seed {SEED}, {BARS} bars on two "
        "lines, the style's usual tempo, default settings. Nothing is picked and nothing is "
        "edited. A stroke is as high and bright as it is loud, and stands where it is played, off "
        "the grid if need be.",
        "",
        "Made again with `python -m scripts.gallery models/groove docs`.",
        "",
    ]
    takes = model.generate_all(requests)
    for family, group in groupby(takes, key=lambda take: GENRE[take.beat.genre].family):
        lines += [f"## {family}", ""]
        for take in group:
            beat = take.beat
            label, name = GENRE[beat.genre].label, f"{beat.genre}.svg"
            write_bytes_atomic(docs / PICTURES / name, beat_picture(beat).encode())
            lines += [
                f"### {label}",
                "",
                f"![{label}, {BARS} bars]({PICTURES}/{name})",
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
