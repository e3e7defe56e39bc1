"""How easily is a human told from a human, when clips are drawn as a model draws its styles?

    python -m benchmarks.human_controls --corpus groove

The judge's floor gives every held-out performance training performances of its own. A model that
is asked for a genre and a tempo cannot do that: it draws anew for every take. Here real training
clips are drawn so, from within a spread of tempos or from the nearest ones, and judged like takes.
Printed is the excess over the floor, forest / logistic, the mean of the seeds.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np

from dj_core.evaluation.evaluation import Ground, describe_clips
from dj_core.evaluation.judge import Judged, judge
from dj_core.evaluation.judged_clips import Clip, ClipRequest
from dj_core.library.library import Library

SPREAD = 0.12  # of tempos, in logarithms
NEAREST = (None, 40, 25)


def draw(
    requests: Sequence[ClipRequest], pool: Sequence[Clip], nearest: int | None, seed: int
) -> list[Clip]:
    """A clip for each request, of its genre: among so many nearest in tempo, or all near ones."""
    random = np.random.default_rng([seed, nearest or 0])
    tempo_bpm = np.array([clip.tempo_bpm for clip in pool])
    genres = np.array([clip.genre for clip in pool])
    drawn = []
    for request in requests:
        fitting = np.flatnonzero(genres == request.genre)
        fitting = fitting if len(fitting) else np.arange(len(pool))
        away = np.abs(np.log(tempo_bpm[fitting] / request.tempo_bpm))
        if nearest is None:
            chance = np.exp(-0.5 * (away / SPREAD) ** 2) + 1e-9
        else:
            chance = (away <= np.sort(away)[min(nearest, len(away)) - 1]).astype(float)
        drawn.append(pool[random.choice(fitting, p=chance / chance.sum())])
    return drawn


def excess(
    ground: Ground, requests: Sequence[ClipRequest], nearest: int | None, floor: Judged, seed: int
) -> list[float]:
    """Over the floor: forest and logistic on everything, then both on hits only."""
    side = describe_clips(draw(requests, ground.train, nearest, seed), requests)
    figures = []
    for hits_only in (False, True):
        drawn, least = (
            judge(one, ground.humans, hits_only=hits_only, seed=seed) for one in (side, floor)
        )
        figures += [
            drawn.forest_auc - least.forest_auc,
            drawn.logistic_auc - least.logistic_auc,
        ]
    return figures


def main() -> None:
    """Print a line per way of drawing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", default="groove", help="an imported corpus")
    parser.add_argument("--clips", type=int, default=400)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    given = parser.parse_args()
    ground = Ground.load([Library.open().corpus(given.corpus)])
    floors = {seed: ground.drawn_humans(given.clips, seed) for seed in given.seeds}
    for nearest in NEAREST:
        rows = [
            excess(ground, ground.requests(given.clips, seed), nearest, floors[seed], seed)
            for seed in given.seeds
        ]
        forest, logistic, forest_hits, logistic_hits = np.mean(rows, axis=0)
        name = "tempos near by" if nearest is None else f"the {nearest} nearest"
        print(
            f"{name:16s} all {forest:+.3f} / {logistic:+.3f}   "
            f"hits only {forest_hits:+.3f} / {logistic_hits:+.3f}"
        )


if __name__ == "__main__":
    main()
