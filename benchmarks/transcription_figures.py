"""What the transcriber is measured by: held-out performances through kits that it never heard.

``python -m benchmarks.transcription_figures --groove FOLDER [--out FILE]``.

Performances are the validation split of the Groove MIDI Dataset, of each the most bars that loops
have (1, 2, 4, 8) within 20 seconds, from its middle; and beside them our phrases of styles that
were not learned from. Kits are ours that were held out, and those of the SoundFont that comes with
pretty_midi, none of which was learned from (`scripts.drum_mixes`). Each performance is played by
one kit, in turn, dry; then with a bass and a pad, which together are 0 to 6 dB softer than it.

A stroke is found if the same voice is heard within 50 ms, each at most once. Strokes of a voice
within 15 ms of each other count as one. Nothing else is left out, however soft it is.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from dj_core.files.storage import write_json_atomic
from dj_core.listening.drum_features import RATE_HZ
from dj_core.listening.drum_network import SHIPPED_TRANSCRIBER, Transcriber, load_transcriber
from dj_core.listening.stroke_reading import Stroke, strokes_of
from dj_core.listening.transcribing import FOUR_FOUR, loop_tempos
from dj_core.music.beat import Beat
from dj_core.music.drums import DRUMS
from dj_core.sound.kit_table import KITS
from dj_core.sound.render import render_stems
from scripts.drum_mixes import (
    HELD_OUT_KITS,
    SAME_STROKE_SECONDS,
    bass_and_pad,
    groove_beats,
    phrases,
)

CLASSES: dict[str, tuple[str, ...]] = {
    "kick": ("kick",),
    "snare and clap": ("snare", "side_stick", "clap"),
    "hats": ("closed_hat", "pedal_hat", "open_hat"),
    "toms": ("low_tom", "mid_tom", "high_tom"),
    "cymbals": ("crash", "ride"),
    "percussion": ("tambourine", "shaker", "cowbell", "conga"),
}
UNSEEN_KITS = (
    *HELD_OUT_KITS,
    *(name for name, kit in KITS.items() if not kit.file and name != "jazz"),
)
"""Jazz is Standard but for a few drums."""
WINDOW_SECONDS = 0.05
CUT_SECONDS = 20.0
BACKING_DB = (-6.0, 0.0)
_CLASS_OF = {drum: name for name, drums in CLASSES.items() for drum in drums}
Played = tuple[float, int]
"""When, and how hard."""


@dataclass
class Tally:
    """Counts of one class: strokes played, heard, and heard rightly."""

    played: int = 0
    heard: int = 0
    right: int = 0

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall."""
        return 2 * self.right / max(1, self.played + self.heard)


def by_class(strokes: Iterable[tuple[float, int, int]]) -> dict[str, list[Played]]:
    """Strokes (seconds, lane, velocity) by class; of those at once, the hardest."""
    found: dict[str, list[Played]] = {name: [] for name in CLASSES}
    for seconds, lane, velocity in sorted(strokes):
        mine = found[_CLASS_OF[DRUMS[lane].name]]
        if mine and seconds - mine[-1][0] < SAME_STROKE_SECONDS:
            mine[-1] = mine[-1][0], max(mine[-1][1], velocity)
        else:
            mine.append((seconds, velocity))
    return found


def matched(played: Sequence[Played], heard: Sequence[Played]) -> list[tuple[Played, Played]]:
    """As many pairs within the window as there can be."""
    pairs, place = [], 0
    for one in played:
        while place < len(heard) and heard[place][0] < one[0] - WINDOW_SECONDS:
            place += 1
        if place < len(heard) and heard[place][0] <= one[0] + WINDOW_SECONDS:
            pairs.append((one, heard[place]))
            place += 1
    return pairs


def middle(beat: Beat) -> Beat:
    """Bars from a beat's middle, as many as loops have: 1, 2, 4, 8, up to `CUT_SECONDS`."""
    bar = beat.meter.bar_quarters
    most = min(beat.bars, max(1, int(CUT_SECONDS * beat.playing_tempo_bpm / 60 / bar)))
    bars = 1 << (most.bit_length() - 1)
    first = (beat.bars - bars) // 2
    hits = tuple(
        replace(hit, onset_quarters=hit.onset_quarters - first * bar)
        for hit in beat.hits
        if first * bar <= hit.onset_quarters < (first + bars) * bar
    )
    return replace(beat, hits=hits, bars=bars)


class Results:
    """What was found in one condition, over all beats."""

    def __init__(self) -> None:
        self.tallies = {name: Tally() for name in CLASSES}
        self.off: list[float] = []
        self.correlations: list[float] = []
        self.by_kit: dict[str, Tally] = {}
        self.tempos: list[tuple[bool, bool]] = []

    def add(self, beat: Beat, kit: str, heard: Sequence[Stroke]) -> None:
        """Count one beat."""
        quarter = 60 / beat.playing_tempo_bpm
        played_ = by_class(
            (hit.onset_quarters * quarter, hit.lane, hit.velocity) for hit in beat.hits
        )
        heard_ = by_class((one.seconds, one.lane, one.velocity) for one in heard)
        velocities = []
        for name, tally in self.tallies.items():
            pairs = matched(played_[name], heard_[name])
            for one in (tally, self.by_kit.setdefault(kit, Tally())):
                one.played += len(played_[name])
                one.heard += len(heard_[name])
                one.right += len(pairs)
            self.off += [found[0] - true[0] for true, found in pairs]
            velocities += [(true[1], found[1]) for true, found in pairs]
        if len(velocities) >= 10:
            true, found = np.array(velocities).T
            if len(set(true)) > 2 and len(set(found)) > 1:
                self.correlations.append(float(spearmanr(true, found).statistic))
        if heard and beat.meter == FOUR_FOUR:
            told = loop_tempos(heard, beat.duration_seconds)
            near = [abs(tempo / beat.playing_tempo_bpm - 1) < 0.01 for tempo in told[:3]]
            self.tempos.append((near[:1] == [True], any(near)))

    def as_json(self) -> dict[str, Any]:
        """The figures."""
        right, offered = np.mean(self.tempos, axis=0)
        return {
            "f1": {name: round(one.f1, 4) for name, one in self.tallies.items()},
            "precision": {
                name: round(one.right / max(1, one.heard), 4) for name, one in self.tallies.items()
            },
            "recall": {
                name: round(one.right / max(1, one.played), 4) for name, one in self.tallies.items()
            },
            "strokes": {name: one.played for name, one in self.tallies.items()},
            "velocity_rank_correlation": round(float(np.mean(self.correlations)), 4),
            "onset_median_ms": round(1000 * float(np.median(np.abs(self.off))), 2),
            "onset_bias_ms": round(1000 * float(np.median(self.off)), 2),
            "loop_tempo_right": round(float(right), 4),
            "loop_tempo_among_three": round(float(offered), 4),
            "f1_by_kit": {kit: round(one.f1, 4) for kit, one in self.by_kit.items()},
        }


def measure(
    beats: Sequence[Beat], transcriber: Transcriber, soundfont: Path | None = None
) -> dict[str, Any]:
    """Figures of beats, alone and with a bass and a pad."""
    alone, backed = Results(), Results()
    for number, beat in enumerate(beats):
        kit = UNSEEN_KITS[number % len(UNSEEN_KITS)]
        sound = sum(render_stems(beat, kit, soundfont).values()).mean(axis=1)
        alone.add(beat, kit, strokes_of(sound, transcriber))
        rng = np.random.default_rng([7, number])
        backing = bass_and_pad(rng, len(sound) / RATE_HZ + 0.1, beat.playing_tempo_bpm)[
            : len(sound)
        ]
        rms, backing_rms = (float(np.sqrt(np.square(one).mean())) for one in (sound, backing))
        level = rms / backing_rms * 10 ** (rng.uniform(*BACKING_DB) / 20)
        backed.add(beat, kit, strokes_of(sound + backing * np.float32(level), transcriber))
    return {"alone": alone.as_json(), "with bass and pad": backed.as_json()}


def main() -> None:
    """Measure, print, and write what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--groove", type=Path, required=True, help="the Groove MIDI Dataset")
    parser.add_argument("--model", type=Path, default=SHIPPED_TRANSCRIBER)
    parser.add_argument("--every", type=int, default=1, help="only every n-th performance")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    transcriber: Transcriber = load_transcriber(options.model)
    drummers = [middle(beat) for beat in groove_beats(options.groove, "validation")]
    drummers = [beat for beat in drummers if beat.hits][:: options.every]
    dance = phrases(held_out=True)[:: 4 * options.every]
    found = {}
    for name, beats in (("drummers", drummers), ("dance phrases", dance)):
        for condition, row in measure(beats, transcriber).items():
            found[f"{name}, {condition}"] = row
            print(name, condition, json.dumps(row), flush=True)
    if options.out:
        write_json_atomic(options.out, found)


if __name__ == "__main__":
    main()
