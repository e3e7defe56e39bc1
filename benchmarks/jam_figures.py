"""Measures the jam without a screen: joins, distances, what the energy and style faders do.

.venv/bin/python -m benchmarks.jam_figures joins      # and distances
.venv/bin/python -m benchmarks.jam_figures energy     # and brightness, of rendered bars
.venv/bin/python -m benchmarks.jam_figures style
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from dj_core.evaluation.floor import COMPOSED_FOR_CLASSIFIER
from dj_core.evaluation.judge import describe, judge
from dj_core.evaluation.judged_clips import stretch
from dj_core.evaluation.style_classifier import StyleClassifier
from dj_core.library.library import Library
from dj_core.live.jam_bar import PHRASE_BARS, Faders, bar_hits
from dj_core.live.performance import level_of
from dj_core.live.phrases import PhraseMaker
from dj_core.models.families import load_model
from dj_core.models.request import BeatModel, Feel, GenerationRequest
from dj_core.music.beat import Beat
from dj_core.music.composer import compose, written_phrases
from dj_core.music.genres import DANCE_STYLES, GENRE
from dj_core.shaping.distance import relative_distance
from dj_core.sound.render import SAMPLE_RATE_HZ, render_stems

STYLES = ("house", "techno", "trance", "drum-and-bass", "uk-garage", "trap", "afrobeats", "disco")
SEEDS = (101, 102)
PHRASES = 8
SWEEPS, SWEEP_BARS = 20, 32
PAIRS = 40


def joins(model: BeatModel, seeds: Sequence[int] = SEEDS) -> dict[str, Any]:
    """Can a judge tell two bars around a join from others? How far do phrases go?

    Bars 8 and 1 differ from others in any music: a phrase ends and one begins. So joins are
    compared with bars 8 and 9 of takes that the model played in one go, with the end and start of
    written phrases that follow each other in a style, with bars 4 and 5 of the jam (where a half
    ends), with a phrase's own end and start, as it is held, and with all bar lines inside.
    """
    windows: dict[str, list[Beat]] = defaultdict(list)
    by_lag: dict[int, list[float]] = defaultdict(list)
    between: list[float] = []
    for style in STYLES:
        jams = []
        written = [beat for beat in written_phrases(style).phrases if beat.bars >= PHRASE_BARS]
        for seed in seeds:
            maker = PhraseMaker(model, [style], seed)
            phrases = [maker.next("groove", 4).sides[0].beat for _ in range(PHRASES)]
            jams.append(phrases)
            asked = [
                GenerationRequest(
                    genre=style, tempo_bpm=maker.tempo_bpm, bars=2 * PHRASE_BARS,
                    seed=1_000 * seed + number, feel=Feel(role="groove", energy=4),
                )
                for number in range(PHRASES - 1)
            ]  # fmt: skip
            takes = [take.beat for take in model.generate_all(asked)]
            chance = random.Random(seed)
            for number, (one, other) in enumerate(pairwise(phrases)):
                last = stretch(one, PHRASE_BARS - 1, 1)
                windows["joins"].append(_two(last, stretch(other, 0, 1)))
                windows["takes_8_to_9"].append(stretch(takes[number], PHRASE_BARS - 1, 2))
                windows["bars_4_to_5"].append(stretch(one, PHRASE_BARS // 2 - 1, 2))
                windows["held"].append(_two(last, stretch(one, 0, 1)))
                windows["inside"].append(stretch(one, number % (PHRASE_BARS - 1), 2))
                before, after = chance.sample(written, 2)
                ending = stretch(before, before.bars - 1, 1)
                windows["written"].append(_two(ending, stretch(after, 0, 1)))
            for first in range(PHRASES):
                for later in range(first + 1, PHRASES):
                    away = relative_distance(phrases[first], phrases[later])
                    by_lag[later - first].append(away)
        for one in range(len(seeds)):
            for other in range(one + 1, len(seeds)):
                between += [relative_distance(a, b)
                            for a, b in zip(jams[one], jams[other], strict=True)]  # fmt: skip
    groups = [(style, seed) for style in STYLES for seed in seeds for _ in range(PHRASES - 1)]
    described = {name: describe(beats, groups) for name, beats in windows.items()}
    found = {
        name: judge(described["joins"], described[name]) for name in windows if name != "joins"
    }
    takes_inside = judge(described["takes_8_to_9"], described["inside"])
    means = {lag: round(float(np.mean(values)), 3) for lag, values in sorted(by_lag.items())}
    grown = spearmanr(list(means), list(means.values())).statistic
    return {
        "windows": len(windows["joins"]),
        "c2st_forest": {name: round(one.forest_auc, 3) for name, one in found.items()},
        "c2st_logistic": {name: round(one.logistic_auc, 3) for name, one in found.items()},
        "c2st_forest_takes_8_to_9_against_inside": round(takes_inside.forest_auc, 3),
        "distance_by_lag": means,
        "lag_rank_correlation": round(float(grown), 3),
        "distance_between_seeds": round(float(np.mean(between)), 3),
    }


def energy(model: BeatModel) -> dict[str, Any]:
    """Rank correlation of the energy fader with a bar's hits and brightness, sweep by sweep."""
    hits, centroids, lagged = [], [], []
    for sweep in range(SWEEPS):
        style = STYLES[sweep % len(STYLES)]
        maker = PhraseMaker(model, [style], 200 + sweep)
        at = np.linspace(0, 1, SWEEP_BARS).round(3).tolist()
        counts, heard = [], []
        for first in range(0, SWEEP_BARS, PHRASE_BARS):
            phrase = maker.next("groove", level_of(at[first]))
            for bar in range(PHRASE_BARS):
                struck = bar_hits(phrase, bar, Faders(energy=at[first + bar]))
                counts.append(len(struck))
                start = 4.0 * (first + bar)
                heard += [replace(hit, onset_quarters=start + hit.onset_quarters) for hit in struck]
        whole = replace(phrase.sides[0].beat, hits=tuple(heard), bars=SWEEP_BARS)
        bright = _centroids(whole, GENRE[style].kit)
        hits.append(float(spearmanr(at, counts).statistic))
        centroids.append(float(spearmanr(at, bright).statistic))
        lagged.append(float(spearmanr(at[:-2], counts[2:]).statistic))
    return {
        "sweeps": SWEEPS,
        "hits": _spread(hits),
        "hits_two_bars_later": _spread(lagged),
        "brightness": _spread(centroids),
    }


def style(model: BeatModel) -> dict[str, Any]:
    """Is the first style heard with the fader at 0, and the second at 1?"""
    chance = random.Random(5)
    pairs = [tuple(chance.sample(DANCE_STYLES, 2)) for _ in range(PAIRS)]
    taught: dict[str, list[Beat]] = {}
    for name in DANCE_STYLES:
        held_out = written_phrases(name, held_out=True)
        grooves = [beat for beat in held_out.phrases if str(beat.meter) == "4/4"]
        taught[name] = grooves + list(
            compose(held_out, "groove", COMPOSED_FOR_CLASSIFIER, seed=1, long_share=0.0)
        )
    everything = StyleClassifier([beat for beats in taught.values() for beat in beats])
    right = {"of_the_two": [], "of_all": [], "of_all_with_tempo": []}  # type: dict[str, list[float]]
    for number, pair in enumerate(pairs):
        phrase = PhraseMaker(model, pair, 300 + number).next("groove", 4)
        two = StyleClassifier([*taught[pair[0]], *taught[pair[1]]])
        for end, name in enumerate(pair):
            heard = [
                replace(hit, onset_quarters=4 * bar + hit.onset_quarters)
                for bar in range(PHRASE_BARS)
                for hit in bar_hits(phrase, bar, Faders(energy=1.0, style=float(end)))
            ]
            beat = Beat(tuple(heard), bars=PHRASE_BARS, genre=name, tempo_bpm=GENRE[name].tempo_bpm)
            right["of_the_two"].append(two.recognise([beat], hears_tempo=False).first)
            right["of_all"].append(everything.recognise([beat], hears_tempo=False).first)
            right["of_all_with_tempo"].append(everything.recognise([beat]).first)
    return {"pairs": PAIRS, **{name: round(float(np.mean(v)), 3) for name, v in right.items()}}


def _two(one: Beat, other: Beat) -> Beat:
    length = one.length_quarters
    later = (replace(hit, onset_quarters=hit.onset_quarters + length) for hit in other.hits)
    return replace(one, hits=(*one.hits, *later), bars=2)


def _centroids(beat: Beat, kit: str) -> list[float]:
    """The spectral centroid of each bar's sound in Hz."""
    found = []
    sound = sum(render_stems(beat, kit).values()).mean(1)
    for bar in np.array_split(sound, beat.bars):
        spectrum = np.abs(np.fft.rfft(bar))
        frequencies = np.fft.rfftfreq(len(bar), 1 / SAMPLE_RATE_HZ)
        found.append(float((spectrum * frequencies).sum() / spectrum.sum()))
    return found


def _spread(values: Sequence[float]) -> dict[str, float]:
    return {
        "mean": round(float(np.mean(values)), 3),
        "least": round(float(np.min(values)), 3),
        "share_of_.8": round(float(np.mean([value >= 0.8 for value in values])), 3),
    }


MEASURES: dict[str, Callable[[BeatModel], dict[str, Any]]] = {
    "joins": joins,
    "energy": energy,
    "style": style,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print one JSON object."""
    parser = argparse.ArgumentParser(description="Figures of the jam.")
    parser.add_argument("measure", choices=MEASURES)
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS, help="of the jams of joins")
    options = parser.parse_args(arguments)
    model = load_model(Library.open().model(None).folder)
    measure = MEASURES[options.measure]
    print(json.dumps(joins(model, options.seeds) if measure is joins else measure(model)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
