"""Prints phrases of the `.beat` notation as a producer reads them, and what is wrong with them.

    .venv/bin/python -m scripts.read_phrases FILE.beat … [--grids] [--only TITLE]

Every stroke is a digit, its velocity divided by 14 (1 to 9); 'r' marks a roll or flam. One line a
phrase follows with its measures (`dj_core.evaluation.alive`), then the file's sum. Exit code 1
where a phrase breaks a rule of its style or the check list of docs/styles.md.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

from dj_core.errors import DigitalDJError
from dj_core.evaluation.alive import Liveliness, liveliness
from dj_core.music.beat import Beat
from dj_core.music.drums import DRUMS
from dj_core.music.genres import GENRE
from dj_core.music.idiom import bars_of
from dj_core.music.patterns import parse_patterns

PHRASE_BARS = 8
FEWEST_DRUMS, FEWEST_HITS_A_BAR = 5, 12.0
RULED_ROLES = ("groove", "drop")
LOUDEST_DIGIT = 9


def grid_text(beat: Beat) -> str:
    """A line a drum, a digit a stroke, bars between '|'."""
    a_bar = round(float(beat.meter.bar_quarters) * 4)
    steps = a_bar * beat.bars
    lines = []
    for lane, drum in enumerate(DRUMS):
        strokes = [hit for hit in beat.hits if hit.lane == lane]
        if not strokes:
            continue
        cells = Counter(min(steps - 1, round(hit.onset_quarters * 4)) for hit in strokes)
        row = ["."] * steps
        for hit in strokes:
            step = min(steps - 1, round(hit.onset_quarters * 4))
            digit = str(min(LOUDEST_DIGIT, max(1, round(hit.velocity / 14))))
            row[step] = "r" if cells[step] > 1 else digit
        bars = ["".join(row[bar * a_bar : (bar + 1) * a_bar]) for bar in range(beat.bars)]
        spaced = [" ".join(bar[at : at + 4] for at in range(0, a_bar, 4)) for bar in bars]
        lines.append(f"  {drum.short} |{'|'.join(spaced)}|")
    return "\n".join(lines)


def faults(beat: Beat, live: Liveliness) -> list[str]:
    """What a reader would send a phrase back for."""
    kind, role = (beat.provenance.settings[name] for name in ("kind", "role"))
    found = []
    if kind == "fill":
        return found
    if role in RULED_ROLES:
        found += [f"needs or forbids: {rule}" for rule in live.broken_rules]
        if live.drums < FEWEST_DRUMS:
            found.append(f"only {live.drums} drums")
        if live.hits_a_bar < FEWEST_HITS_A_BAR:
            found.append(f"only {live.hits_a_bar:.1f} hits a bar")
    if beat.bars != PHRASE_BARS:
        found.append(f"{beat.bars} bars instead of {PHRASE_BARS}")
    if live.flat:
        found.append("flat velocities")
    if live.identical:
        found.append("four identical bars")
    if beat.bars == PHRASE_BARS and bars_of(beat)[3] == bars_of(beat)[2]:
        found.append("bar 4 does not turn")
    low, high = GENRE[beat.genre].tempo_range_bpm
    if not low <= (beat.tempo_bpm or 0) <= high:
        found.append(f"{beat.tempo_bpm:g} BPM outside {low:g} to {high:g}")
    return found


def main() -> int:
    """Read the files named; 1 when something is wrong with a phrase."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--grids", action="store_true", help="print every phrase's grid")
    parser.add_argument("--only", metavar="TITLE", help="one phrase alone")
    options = parser.parse_args()
    wrong = 0
    for path in options.files:
        try:
            text = path.read_text(encoding="utf-8")
            beats = parse_patterns(text, source=path.name, genre=path.stem)
        except DigitalDJError as error:
            print(error)
            wrong += 1
            continue
        lives = []
        for beat in beats:
            if options.only and beat.title != options.only:
                continue
            live = liveliness(beat)
            settings = beat.provenance.settings
            if settings["kind"] == "beat":
                lives.append((beat, live))
            print(
                f"{path.stem}: {beat.title} [{settings['kind']} {settings['role']} "
                f"{settings['energy']}] {beat.tempo_bpm:g} BPM, {beat.bars} bars, "
                f"{live.drums} drums, {live.hits_a_bar:.0f} hits a bar, "
                f"{live.levels:.1f} levels, changes "
                + " ".join(f"{change:.2f}" for change in live.changes)
            )
            if options.grids:
                print(grid_text(beat))
            for fault in faults(beat, live):
                print(f"  WRONG: {fault}")
                wrong += 1
        if lives:
            roles = Counter(beat.provenance.settings["role"] for beat, _ in lives)
            print(
                f"{path.stem}: {len(lives)} phrases ({dict(roles)}), {len(beats) - len(lives)} "
                f"fills; drums {sum(live.drums for _, live in lives) / len(lives):.1f}, hits a bar "
                f"{sum(live.hits_a_bar for _, live in lives) / len(lives):.1f}"
            )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
