"""What shaping is measured by; docs/shaping.md quotes it.

``python -m benchmarks.shaping_figures WHAT --corpus FOLDER``.

Human material is the validation split of played performances, in 4/4. Nothing is picked.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dj_core.corpus.store import Corpus
from dj_core.errors import CorpusError, DigitalDJError
from dj_core.evaluation.judge import describe, judge
from dj_core.evaluation.judged_clips import Clip, corpus_clips, stretch
from dj_core.evaluation.likelihood import FOUR_FOUR
from dj_core.files.storage import write_json_atomic
from dj_core.models.families import load_model
from dj_core.models.request import BeatModel, GenerationRequest
from dj_core.music.beat import Beat
from dj_core.music.drums import DRUMS, LANE
from dj_core.shaping.attributes import NAMES, Attributes, Norm, attributes, genre_norm
from dj_core.shaping.continuing import bars_of, continue_all
from dj_core.shaping.distance import distance
from dj_core.shaping.filling import add_fill
from dj_core.shaping.locks import Keep, hits_in, struck
from dj_core.shaping.morphing import looped, morph
from dj_core.shaping.rerolling import reroll_all
from dj_core.shaping.sliders import Controls, adjust

Figures = dict[str, Any]
LARGEST_SPREAD = {"swing": 6.0}  # a genre of straight and of shuffled beats is wide for no use
# below these a slider would do nothing one hears
SMALLEST_SPREAD = {
    "density": 0.5, "syncopation": 0.3, "swing": 4.0, "loudness": 8.0, "complexity": 0.08,
}  # fmt: skip
_FAMILIES = ("kick", "snare", "hat", "tom", "cymbal", "percussion")
_FAMILY = np.array([drum.family for drum in DRUMS])


@dataclass(frozen=True)
class Material:
    """A model and the human beats it is measured with.

    Attributes:
        model: a groove model.
        corpus: played performances.
        seed: of every draw.
    """

    model: BeatModel
    corpus: Corpus
    seed: int = 1

    def clips(self, count: int, bars: int = 4) -> list[Clip]:
        """Clips of validation performances, drawn without return, all kinds of genres."""
        found = corpus_clips(self.corpus, "validation", bars)
        order = np.random.default_rng([self.seed, bars]).permutation(len(found))
        return [found[index] for index in order[:count]]

    def generated(self, count: int, bars: int) -> list[Beat]:
        """Takes of the model, genre after genre."""
        genres = self.model.genres
        requests = [
            GenerationRequest(genre=genres[i % len(genres)], bars=bars, seed=self.seed + i)
            for i in range(count)
        ]
        return [take.beat for take in self.model.generate_all(requests)]


def random_keep(beat: Beat, random: np.random.Generator) -> Keep:
    """A lock as a DJ may set it: some drums, bars, steps, or single cells; never quite all."""
    drums = [drum.name for drum in DRUMS if random.random() < 0.25]
    bars = [bar + 1 for bar in range(beat.bars) if random.random() < 0.2]
    steps = [step + 1 for step in range(16) if random.random() < 0.15]
    cells = zip(*np.nonzero(random.random(struck(beat).shape) < 0.1), strict=True)
    which = random.integers(1, 16)
    return Keep(
        drums=drums if which & 1 else (),
        bars=bars if which & 2 else (),
        steps=steps if which & 4 else (),
        cells=[(int(step), int(lane)) for step, lane in cells] if which & 8 else (),
    )


def measure_locks(material: Material, count: int = 1_000, particles: int = 1) -> Figures:
    """Random locks on human and generated beats of two bars: is anything kept changed?"""
    random = np.random.default_rng(material.seed)
    human = [clip.beat for clip in material.clips(count, 2)]
    beats = [*human[: count // 2], *material.generated(count, 2)][:count]
    asked = [(beat, random_keep(beat, random), index) for index, beat in enumerate(beats)]
    started, broken, touched, changed, kept_hits = time.perf_counter(), 0, 0, 0, 0
    for (beat, keep, _), answer in zip(
        asked, reroll_all(material.model, asked, particles=particles), strict=True
    ):
        mask = keep.mask(beat)
        before, after = hits_in(beat, mask), hits_in(answer, mask)
        broken += before != after
        kept_hits += len(before)
        lanes = [LANE[drum] for drum in keep.drums]
        same = [hit for hit in beat.hits if hit.lane in lanes] == [
            hit for hit in answer.hits if hit.lane in lanes
        ]
        touched += not same
        changed += answer.hits != beat.hits
    return {
        "locks": len(asked),
        "locks_broken": broken,
        "kept_drums_touched": touched,
        "kept_hits": kept_hits,
        "answers_that_differ_from_the_beat": changed,
        "particles": particles,
        "seconds": round(time.perf_counter() - started, 1),
    }


def measure_morphs(material: Material, count: int = 200, steps: int = 8) -> Figures:
    """Morphs between random human and generated beats: is every step a step on?"""
    random = np.random.default_rng(material.seed)
    beats = [clip.beat for clip in material.clips(count, 2)] + material.generated(count, 2)
    good = ends = 0
    for _ in range(count):
        one, other = random.choice(len(beats), 2, replace=False)
        a, b = looped(beats[one], 2), looped(beats[other], 2)
        path = morph(a, b, steps)
        away = [distance(a, beat) for beat in path]
        left = [distance(beat, b) for beat in path]
        good += all(x < y for x, y in itertools.pairwise(away)) and all(
            x > y for x, y in itertools.pairwise(left)
        )
        ends += path[0] == a and path[-1] == b
    return {"morphs": count, "steps": steps, "strictly_on_their_way": good, "exact_ends": ends}


def measure_fills(material: Material, count: int = 120) -> Figures:
    """Fills put into the last bar of human clips, beside drummers' fills and ordinary bars."""
    fills = [
        struck(stretch(material.corpus.beat(file), 0, 1))
        for file in material.corpus.files
        if file.kind == "fill" and file.split == "validation" and file.meter == FOUR_FOUR
    ]
    if not fills:
        raise CorpusError(f"Corpus {material.corpus.name!r} has no fills to compare with.")
    clips = material.clips(count)
    ours, after, before = [], [], []
    for index, clip in enumerate(clips):
        filled = add_fill(material.model, clip.beat, seed=material.seed + index)
        ours.append(struck(filled)[-16:])
        after.append(struck(filled)[0, [LANE["crash"], LANE["kick"]]])
        before.append(struck(clip.beat)[0, [LANE["crash"], LANE["kick"]]])
    ordinary = [struck(clip.beat)[-16:] for clip in clips]
    crash, kick = np.mean(after, axis=0)
    human_crash, human_kick = _after_human_fills(material.corpus)
    return {
        "fills": len(ours),
        "ours": _texture(ours),
        "drummers": _texture(fills),
        "ordinary_bars": _texture(ordinary),
        "repeats_the_bar_before": float(
            np.mean([(a == b).all() for a, b in zip(ours, ordinary, strict=True)])
        ),
        "crash_on_the_following_one": float(crash),
        "kick_on_the_following_one": float(kick),
        "crash_there_before": float(np.mean(before, axis=0)[0]),
        "drummers_crash_after_tom_fills": human_crash,
        "drummers_kick_after_tom_fills": human_kick,
    }


def _texture(bars: Sequence[np.ndarray]) -> dict[str, float]:
    """Strokes per beat (quarter note), in all and by family; and how they spread over fills."""
    per_bar = np.array([bar.sum() / (len(bar) / 4) for bar in bars])
    cells = np.concatenate(bars)
    texture = {"strokes_per_beat": float(per_bar.mean())}
    for name, quantile in (("tenth", 0.1), ("ninetieth", 0.9)):
        texture[f"strokes_per_beat_{name}"] = float(np.quantile(per_bar, quantile))
    for family in _FAMILIES:
        texture[family] = float(cells[:, family == _FAMILY].sum() / (len(cells) / 4))
    texture["share_with_toms"] = float(np.mean([bar[:, _FAMILY == "tom"].any() for bar in bars]))
    return {name: round(value, 3) for name, value in texture.items()}


def _after_human_fills(corpus: Corpus) -> tuple[float, float]:
    """How often crash and kick fall on the one after bars with four toms and more among others."""
    found = []
    for file in corpus.files:
        if file.split == "test" or file.kind != "beat" or file.meter != FOUR_FOUR:
            continue
        cells = struck(corpus.beat(file)).reshape(-1, 16, len(DRUMS))
        toms = cells[:, :, _FAMILY == "tom"].sum((1, 2))
        for bar in range(2, len(cells) - 1):
            if toms[bar] >= 4 and not toms[[bar - 2, bar - 1, bar + 1]].any():
                found.append(cells[bar + 1, 0, [LANE["crash"], LANE["kick"]]])
    crash, kick = np.mean(found, axis=0) if found else (0.0, 0.0)
    return float(crash), float(kick)


def measure_joins(material: Material, count: int = 400, given: int = 4, seeds: int = 3) -> Figures:
    """Can a judge tell where a continuation begins? Two bars around joins against others.

    Joins: the last human bar and the first of ours. Against them stand two bars of the same
    performances around ordinary human bar lines (after the same number of bars), and around
    ordinary bar lines inside our continuations. The control splits the human ones in two.
    """
    clips = material.clips(count, given + 2)
    people = [clip.performance for clip in clips]
    human = describe([stretch(clip.beat, given - 1, 2) for clip in clips], people)
    later = describe([stretch(clip.beat, given, 2) for clip in clips], people)
    aucs: dict[str, list[float]] = {}
    for seed in range(material.seed, material.seed + seeds):
        asked = [
            (bars_of(clip.beat, 1, given), 1_000 * seed + index) for index, clip in enumerate(clips)
        ]
        whole = continue_all(material.model, asked, 4)
        joins = describe([stretch(beat, given - 1, 2) for beat in whole], people)
        inside = describe([stretch(beat, given + 1, 2) for beat in whole], people)
        for name, one, other in (
            ("joins_against_human_bar_lines", joins, human),
            ("joins_against_our_bar_lines", joins, inside),
            ("human_bar_lines_against_later_ones", human, later),
        ):
            heard = judge(one, other, seed=seed)
            aucs.setdefault(f"{name}_forest", []).append(heard.forest_auc)
            aucs.setdefault(f"{name}_logistic", []).append(heard.logistic_auc)
    return {
        "joins": len(clips),
        "given_bars": given,
        "seeds": seeds,
        **{name: round(float(np.mean(values)), 3) for name, values in aucs.items()},
    }


def norm_of(beats: Sequence[Beat]) -> Norm:
    """What is usual among some beats."""
    rows = np.array([list(attributes(beat).as_dict().values()) for beat in beats])
    least = [SMALLEST_SPREAD[name] for name in NAMES]
    most = [LARGEST_SPREAD.get(name, np.inf) for name in NAMES]
    spread = np.clip(rows.std(0), least, most)
    return Norm(Attributes(*map(float, rows.mean(0))), Attributes(*map(float, spread)))


def measure_norms(material: Material, count: int = 24) -> Figures:
    """What is usual in every genre, from `count` takes of four bars: assets/genre-norms.json."""
    norms, everyone = {}, []
    for genre in material.model.genres:
        requests = [
            GenerationRequest(genre=genre, bars=4, seed=material.seed + i) for i in range(count)
        ]
        beats = [take.beat for take in material.model.generate_all(requests)]
        norms[genre] = norm_of([beat for beat in beats if beat.hits])
        everyone += beats
    norms[""] = norm_of([beat for beat in everyone if beat.hits])
    return {
        genre: {
            part: {name: round(value, 4) for name, value in values.items()}
            for part, values in asdict(norm).items()
        }
        for genre, norm in sorted(norms.items())
    }


def measure_controls(
    material: Material, count: int = 200, bars: int = 2, sliders: Sequence[str] = NAMES
) -> Figures:
    """Every slider set at random on `count` takes: does it do what it says, and only that?

    Per slider: Spearman's correlation of the position asked with the position measured, both
    relative to the genre's norm; and how far the other attributes move from where they were, on
    average and in their own slider's units, over how far the slider's own attribute moves.
    """
    from scipy.stats import spearmanr

    figures: Figures = {"beats": count, "bars": bars}
    for slider in sliders:
        random = np.random.default_rng([material.seed, NAMES.index(slider)])
        asked = random.uniform(-2, 2, count)
        moved = []
        for position, beat in zip(asked, material.generated(count, bars), strict=True):
            norm = genre_norm(beat.genre)
            answer = adjust(material.model, beat, Controls(**{slider: float(position)}))
            before, after = attributes(beat).as_dict(), attributes(answer).as_dict()
            stood, stands = ([norm.position(n, of[n]) for n in NAMES] for of in (before, after))
            moved.append([stands, np.subtract(stands, stood)])
        stand, moves = np.array(moved).transpose(1, 0, 2)
        own = NAMES.index(slider)
        way = np.abs(moves).mean(0)
        trend = [np.polyfit(moves[:, own], moves[:, i], 1)[0] for i in range(len(NAMES))]
        others = [(i, name) for i, name in enumerate(NAMES) if name != slider]
        figures[slider] = {
            "rank_correlation": round(float(spearmanr(asked, stand[:, own])[0]), 3),
            "others_move": {name: round(float(way[i] / way[own]), 3) for i, name in others},
            "others_follow": {name: round(abs(float(trend[i])), 3) for i, name in others},
        }
    return figures


MEASURES = {
    "locks": measure_locks,
    "morphs": measure_morphs,
    "fills": measure_fills,
    "joins": measure_joins,
    "norms": measure_norms,
    "controls": measure_controls,
}
SHIPPED = Path(__file__).resolve().parents[1] / "models" / "groove"


def main() -> int:
    """Measure one thing; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.shaping_figures")
    parser.add_argument("what", choices=sorted(MEASURES))
    parser.add_argument("--corpus", type=Path, required=True, help="an imported corpus's folder")
    parser.add_argument("--model", type=Path, default=SHIPPED, help="a groove model's folder")
    parser.add_argument("--count", type=int, help="how many beats")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, help="a JSON file for the figures")
    options = parser.parse_args()
    try:
        material = Material(load_model(options.model), Corpus(options.corpus), options.seed)
        more = {} if options.count is None else {"count": options.count}
        figures = MEASURES[options.what](material, **more)
        if options.out:
            write_json_atomic(options.out, figures)
    except DigitalDJError as error:
        print(f"shaping: {error}", file=sys.stderr)
        return 1
    print(json.dumps(figures, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
