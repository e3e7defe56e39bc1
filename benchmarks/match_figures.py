"""Whether drums fit the track they were made for; docs/listening.md quotes it.

``python -m benchmarks.match_figures --pairs 100``. A pair is two test tracks of different styles,
both played at one tempo. Takes for each are compared with what both tracks truly play: a pair
counts as right where each track's takes have more of its own accents than the other's takes have.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace

import numpy as np
from scipy.signal import resample_poly

from benchmarks.rendered_tracks import TEST_KITS, played, track
from dj_core.library.library import Library
from dj_core.listening.listening import listen_to_samples
from dj_core.matching.accents import accents_of, correlation
from dj_core.matching.takes_for_track import takes_for
from dj_core.models.families import load_model
from dj_core.shaping.attributes import attributes

TAKES = 4
_BARS = 16


def main() -> None:
    """Measure, and print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=100)
    options = parser.parse_args()
    model = load_model(Library.open().model(None).folder)
    right, nearer, swings, seconds, unheard, table = [], [], [], [], 0, []
    for pair in range(options.pairs):
        one, other = (track("test", 5000 + 2 * pair + step * 2 * options.pairs) for step in (0, 1))
        tempo = one.tempo_bpm
        tracks, takes = [], []
        for number, made in enumerate((one, other)):
            bars = min(_BARS, made.beat.bars)
            hits = tuple(h for h in made.beat.hits if h.onset_quarters < bars * 4)
            beat = replace(made.beat, hits=hits, bars=bars, tempo_bpm=tempo)
            sound = played(beat, TEST_KITS[(pair + number) % len(TEST_KITS)])
            heard = listen_to_samples(resample_poly(sound, 1, 2).astype(np.float32))
            if heard.groove is None or heard.tempo_bpm is None:
                break
            started = time.process_time()
            matches = takes_for(heard, model, genre=made.genre, count=8, seed=1 + pair)
            seconds.append(time.process_time() - started)
            tracks.append(beat)
            takes.append([match.beat for match in matches[:TAKES]])
            truth = attributes(beat).swing
            swings += [abs(attributes(take).swing - truth) for take in takes[-1]]
        if len(tracks) < 2:
            unheard += 1
            continue
        alike = [
            [
                float(np.mean([correlation(accents_of(take), accents_of(beat)) for take in own]))
                for own in takes
            ]
            for beat in tracks
        ]
        table.append(alike)
        for row in (0, 1):
            nearer.append(alike[row][row] > alike[row][1 - row])
        right.append(nearer[-1] and nearer[-2])
    print(
        json.dumps(
            {
                "pairs": len(right),
                "unheard": unheard,
                "both_right": float(np.mean(right)),
                "each_right": float(np.mean(nearer)),
                "mean_table": np.round(np.mean(table, axis=0), 3).tolist(),
                "takes_with_swing_within_3_points": float(np.mean(np.array(swings) <= 3)),
                "swing_error_median": float(np.median(swings)),
                "seconds_of_processor_for_8_takes_median": float(np.median(seconds)),
            },
            indent=1,
        )
    )


if __name__ == "__main__":
    main()
