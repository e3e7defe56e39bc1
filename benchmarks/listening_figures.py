"""How well tracks are listened to; docs/listening.md quotes it.

``python -m benchmarks.listening_figures --tracks 300``. Test kits and test seeds only, nothing is
picked; ``--any-tempo`` plays every style at any tempo from 60 to 190 BPM, so that half and double
are often a matter of taste.
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

import mir_eval
import numpy as np
from scipy.signal import resample_poly

from benchmarks.odd_sounds import NO_BEAT, drifting, no_beat
from benchmarks.rendered_tracks import track
from dj_core.listening.listening import LEAST_CONFIDENCE, LIKELY, listen_to_samples
from dj_core.listening.onset_strength import RATE_HZ
from dj_core.shaping.attributes import attributes

WINDOW_SECONDS = 0.07


def measured(number: int, any_tempo: bool) -> dict[str, Any]:
    """One test track, listened to."""
    made = track("test", number, any_tempo=any_tempo)
    samples = resample_poly(made.samples, 1, 2).astype(np.float32)
    started = time.process_time()
    heard = listen_to_samples(samples)
    seconds = time.process_time() - started
    end = made.offset_seconds + made.beat.duration_seconds - 0.05
    found, lines = (
        np.array([at for at in times if made.offset_seconds - 0.05 <= at < end])
        for times in (heard.beats, heard.downbeats)
    )
    tempo = heard.tempo_bpm or 0.0
    ratio = tempo / made.tempo_bpm
    offered = [bpm / made.tempo_bpm for bpm in (tempo, *heard.other_tempos_bpm)]
    return {
        "number": number,
        "genre": made.genre,
        "kit": made.kit,
        "band": made.has_band,
        "tempo_bpm": made.tempo_bpm,
        "heard_bpm": round(tempo, 3),
        "within_1_percent": abs(ratio - 1) <= 0.01,
        "within_tenth": abs(tempo - made.tempo_bpm) <= 0.1,
        "offered": any(abs(other - 1) <= 0.01 for other in offered),
        "f_measure": float(
            mir_eval.beat.f_measure(made.beats, found, f_measure_threshold=WINDOW_SECONDS)
        ),
        "downbeat": float(
            mir_eval.beat.f_measure(made.downbeats, lines, f_measure_threshold=WINDOW_SECONDS)
        )
        >= 0.9,
        "confidence": heard.confidence,
        "swing_error": abs(heard.swing_percent - attributes(made.beat).swing),
        "seconds_a_minute": seconds / (len(samples) / RATE_HZ) * 60,
    }


def told(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The figures of the tracks so far."""
    wrong = [row for row in rows if not row["within_1_percent"]]
    right = [row for row in rows if row["within_1_percent"]]
    return {
        "tracks": len(rows),
        "within_1_percent": float(np.mean([row["within_1_percent"] for row in rows])),
        "within_tenth_bpm": float(np.mean([row["within_tenth"] for row in rows])),
        "offered_of_the_rest": float(np.mean([row["offered"] for row in wrong])) if wrong else 1.0,
        "downbeat": float(np.mean([row["downbeat"] for row in rows])),
        "beat_f_measure": float(np.mean([row["f_measure"] for row in rows])),
        "with_band": {
            name: float(np.mean([row[name] for row in rows if row["band"]]))
            for name in ("within_1_percent", "downbeat", "f_measure")
        },
        "swing_error_median_points": float(np.median([row["swing_error"] for row in right])),
        "swing_within_3_points": float(np.mean([row["swing_error"] <= 3 for row in right])),
        "seconds_a_minute_median": float(np.median([row["seconds_a_minute"] for row in rows])),
        "confidence_when_right": float(np.median([row["confidence"] for row in right])),
        "sure_but_wrong": sum(row["confidence"] >= LIKELY for row in wrong),
    }


def main() -> None:
    """Measure, print a line per miss, and the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tracks", type=int, default=300)
    parser.add_argument("--any-tempo", action="store_true")
    options = parser.parse_args()
    rows = []
    for number in range(options.tracks):
        row = measured(number, options.any_tempo)
        rows.append(row)
        if len(rows) % 25 == 0:
            print(json.dumps(told(rows)), flush=True)
        if not (row["within_1_percent"] and row["downbeat"] and row["f_measure"] > 0.9):
            print(json.dumps(row), flush=True)
    figures = told(rows)
    odd = {
        kind: [listen_to_samples(no_beat(kind, seed)).confidence for seed in range(100, 110)]
        for kind in NO_BEAT
    }
    figures["no_beat_believed"] = {
        kind: sum(value >= LIKELY for value in values) for kind, values in odd.items()
    }
    figures["no_beat_given_a_tempo"] = {
        kind: sum(value >= LEAST_CONFIDENCE for value in values) for kind, values in odd.items()
    }
    scores, confident = [], 0
    for number in range(0, 40, 2):
        made = track("test", number)
        samples = resample_poly(made.samples, 1, 2).astype(np.float32)
        played, before = drifting(samples, 0.04, number)
        heard = listen_to_samples(played)
        true = np.interp(made.beats, before, np.arange(len(before)) / RATE_HZ)
        score = mir_eval.beat.f_measure(true, np.array(heard.beats)) if heard.beats else 0.0
        scores.append(score)
        confident += score < 0.8 and heard.confidence >= LIKELY
    figures["drifting_f_measure"] = float(np.mean(scores))
    figures["drifting_confident_and_wrong"] = int(confident)
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
