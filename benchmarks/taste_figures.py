"""Measures how fast taste is learned: simulated DJs with known likings, and real takes.

.venv/bin/python -m benchmarks.taste_figures [--djs 36] [--more-me 1.0] [--json FILE]
.venv/bin/python -m benchmarks.taste_figures --search CORPUS

Takes are made with the shipped groove model first, several in each of its styles. A simulated DJ
likes a fifth of what a genre's draws sound like, by what sounds alone: numbers of the judge's
(`evaluation.features`), which the model of taste does not use. Half of the DJs like an extreme of
three of them (such as few kicks, late snares, many open hats); half like what is near to one take
they have heard, in the eight main directions of all those numbers. One answer of ten is wrong. They
keep what they like and skip the rest; after 100 answers their taste changes to another one. Shares
are of what would be drawn by the taste of that moment, by the true liking. Diversity is the mean
distance (`shaping.distance`) of pairs of drawn takes against the same without taste.

With --search: how often what is nearest to four bars of a performance are its next four.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dj_core.corpus.store import Corpus
from dj_core.evaluation.features import feature_names, window_features
from dj_core.evaluation.judged_clips import stretch
from dj_core.library.library import Library
from dj_core.models.families import load_model
from dj_core.models.groove.groove_player import GrooveModel
from dj_core.models.request import GenerationRequest
from dj_core.music.beat import Beat
from dj_core.shaping.distance import relative_distance
from dj_core.taste.heard import heard_in
from dj_core.taste.judgements import Judgement, Taste
from dj_core.taste.preference import drawn_shares, learned
from dj_core.taste.search_by_ear import apart, sound_of_beat

GENRES = (
    ("house",), ("techno",), ("trap",), ("drum-and-bass",), ("uk-garage",), ("funk",), ("jazz",),
    ("rock",), ("house", "techno", "uk-garage"),
)  # fmt: skip
SOUNDS = (
    "hits kick: count", "hits kick: on 16th 1 of the beat", "hits kick: on 16th 3 of the beat",
    "hits snare: count", "hits hat: count", "hits hat: on 16th 3 of the beat",
    "hits open hat: count", "hits open hat: on 16th 3 of the beat", "hits percussion: count",
    "velocity: mean", "velocity: ghosts below 40", "velocity: spread", "velocity hat: spread",
    "timing snare: mean", "timing hat: mean", "timing: mean", "hits: entropy of steps",
    "hits: drums in use", "hits together: 2 drums", "hits: overlap 8 16ths apart",
    "hits: equal steps a bar apart", "hits: quietest quarter",
)  # fmt: skip
BARS, TAKES_A_STYLE = 4, 6
ASKED, ASKED_AFTER = 100, 45  # judgements before and after the change of taste
LEARNED_EVERY = 3  # answers, to save time; in the app after every one
LIKED, MISTAKEN, MAIN_DIRECTIONS = 0.2, 0.1, 8
DRAWN_FOR_DIVERSITY = 24
FIRST_SEED = 2_000  # the settings were chosen on DJs of other seeds


@dataclass(frozen=True)
class Heard:
    """Takes of one genre, (styles, takes): what they are drawn from, and what sounds.

    Attributes:
        numbers, chance: of the styles.
        beats: the takes, style by style.
        traits: what the model of taste hears in them.
        sounds: the judge's numbers, scaled to a spread of 1, (styles, takes, features).
        main: the same in their main directions.
    """

    numbers: np.ndarray
    chance: np.ndarray
    beats: list[list[Beat]]
    traits: list[list[dict[str, float]]]
    sounds: np.ndarray
    main: np.ndarray


def play(model: GrooveModel, genre: str) -> Heard:
    """Takes in every style of a genre that may be drawn."""
    numbers, chance = model.candidates(GenerationRequest(genre=genre, bars=BARS))
    numbers, chance = numbers[chance > 0], chance[chance > 0]
    asked = [
        GenerationRequest(genre=genre, bars=BARS, seed=1 + take, style=int(style))
        for style in numbers
        for take in range(TAKES_A_STYLE)
    ]
    beats = [take.beat for take in model.generate_all(asked)]
    windows = [
        np.mean([[*window_features(stretch(beat, bar, 2)).values()] for bar in (0, 2)], axis=0)
        for beat in beats
    ]
    sounds = np.array(windows)
    spread = sounds.std(0)
    sounds = (sounds - sounds.mean(0)) / np.where(spread > 1e-6, spread, np.inf)
    left, size, _ = np.linalg.svd(sounds, full_matrices=False)
    shape = len(numbers), TAKES_A_STYLE, -1
    main = left[:, :MAIN_DIRECTIONS] * size[:MAIN_DIRECTIONS]
    each = [beats[at : at + TAKES_A_STYLE] for at in range(0, len(beats), TAKES_A_STYLE)]
    traits = [[heard_in(beat) or {} for beat in some] for some in each]
    return Heard(numbers, chance, each, traits, sounds.reshape(shape), main.reshape(shape))


def liking(
    kind: str, genres: Sequence[str], heard: dict[str, Heard], chance: np.random.Generator
) -> dict[str, np.ndarray]:
    """Which takes of each genre a DJ likes: a fifth of what is drawn, (styles, takes)."""
    places = np.array([feature_names().index(name) for name in SOUNDS])
    vary = np.all([heard[genre].sounds[..., places].std((0, 1)) > 0 for genre in genres], axis=0)
    three = chance.choice(places[vary], 3, replace=False)
    signs = chance.choice([-1.0, 1.0], 3)
    liked = {}
    for genre in genres:
        here = heard[genre]
        if kind == "extreme":
            score = (here.sounds[..., three] * signs).sum(-1)
        else:
            style, take = (int(chance.integers(size)) for size in here.main.shape[:2])
            score = -np.linalg.norm(here.main - here.main[style, take], axis=-1)
        score = score + chance.normal(0, 1e-6, score.shape)
        shares = np.repeat(here.chance, TAKES_A_STYLE) / TAKES_A_STYLE
        order = np.argsort(-score.ravel())
        most = int(np.searchsorted(np.cumsum(shares[order]), LIKED)) + 1
        chosen = np.zeros(score.size, bool)
        chosen[order[:most]] = True
        liked[genre] = chosen.reshape(score.shape)
    return liked


def session(
    model: GrooveModel, heard: dict[str, Heard], kind: str, genres: Sequence[str], seed: int,
    more_me: float,
) -> dict[str, Any]:  # fmt: skip
    """One DJ: the true share of liked takes before every answer, and diversity after 100."""
    chance = np.random.default_rng(seed)
    likes, later = (liking(kind, genres, heard, chance) for _ in range(2))
    taste = Taste()
    known = None
    shares, diversity = [], 1.0
    for answer in range(ASKED + ASKED_AFTER):
        if answer == ASKED:
            likes = later
        genre = genres[answer % len(genres)]
        here = heard[genre]
        if answer % LEARNED_EVERY == 0:
            known = learned(taste, model)
        drawn = here.chance
        if known:
            drawn = drawn_shares(known, here.numbers, here.chance, genre, more_me)
        shares.append(float(drawn @ likes[genre].mean(1)))
        if answer == ASKED:
            diversity = _diversity(here, drawn, chance) / _diversity(here, here.chance, chance)
        style, take = chance.choice(len(drawn), p=drawn), chance.integers(TAKES_A_STYLE)
        keeps = likes[genre][style, take] != (chance.random() < MISTAKEN)
        traits, deed = here.traits[style][take], {"keep" if keeps else "skip": 1}
        new = Judgement(f"{answer:064}", "", genre, traits, deed, float(answer))
        taste = taste.with_judgement(new)
    return {"shares": shares, "diversity": diversity}


def _diversity(here: Heard, drawn: np.ndarray, chance: np.random.Generator) -> float:
    styles = chance.choice(len(drawn), DRAWN_FOR_DIVERSITY, p=drawn)
    beats = [here.beats[style][chance.integers(TAKES_A_STYLE)] for style in styles]
    pairs = [(a, b) for at, a in enumerate(beats) for b in beats[:at]]
    return float(np.mean([relative_distance(a, b) for a, b in pairs]))


def figures(sessions: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Means over DJs: shares of liked takes at several times, and diversity."""
    shares = np.array([one["shares"] for one in sessions])
    end = ASKED + ASKED_AFTER
    return {
        "DJs": len(sessions),
        "before": float(shares[:, :3].mean()),
        "after 30": float(shares[:, 28:33].mean()),
        "after 100": float(shares[:, ASKED - 5 : ASKED].mean()),
        "diversity after 100": float(np.mean([one["diversity"] for one in sessions])),
        "taste changed": float(shares[:, ASKED : ASKED + 3].mean()),
        "40 after the change": float(shares[:, end - 8 : end - 2].mean()),
    }


def measure(model: GrooveModel, djs: int, more_me: float) -> dict[str, dict[str, float]]:
    """Every figure, by kind of DJ."""
    heard = {genre: play(model, genre) for genres in GENRES[:-1] for genre in genres}
    found: dict[str, list[dict[str, Any]]] = {"extreme": [], "near": []}
    for number in range(djs):
        kind = ("extreme", "near")[number % 2]
        genres = GENRES[number // 2 % len(GENRES)]
        found[kind].append(session(model, heard, kind, genres, FIRST_SEED + number, more_me))
    everyone = [one for sessions in found.values() for one in sessions]
    return {"all": figures(everyone), **{kind: figures(some) for kind, some in found.items()}}


def search(corpus: Corpus, most: int = 200) -> dict[str, float]:
    """Of performances, one a family: how often their next four bars are found by the first four."""
    files = {file.family: file for file in corpus.files if file.bars >= 2 * BARS}
    beats = [corpus.beat(file) for file in list(files.values())[:most]]
    first, later = (
        [sound_of_beat(stretch(beat, bar, BARS)) for beat in beats] for bar in (0, BARS)
    )
    ranks = []
    for own, sound in enumerate(first):
        away = [apart(sound, other) for other in later]
        ranks.append(sum(other < away[own] for other in away))
    return {
        "performances": len(beats),
        "first": float(np.mean(np.array(ranks) == 0)),
        "in the first five": float(np.mean(np.array(ranks) < 5)),
    }


def main() -> int:
    """Measure, and say it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--djs", type=int, default=36)
    parser.add_argument("--more-me", type=float, default=1.0)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--search", metavar="CORPUS")
    options = parser.parse_args()
    if options.search:
        print(search(Library.open().corpus(options.search)))
        return 0
    model = load_model(Library.open().model(None).folder)
    assert isinstance(model, GrooveModel)
    found = measure(model, options.djs, options.more_me)
    for kind, numbers in found.items():
        print(kind, {name: round(value, 3) for name, value in numbers.items()})
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
