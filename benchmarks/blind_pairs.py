"""Whether the pairs of a blind test are level, and whether anything but the music tells them apart.

``DIGITAL_DJ_HOME=… python -m benchmarks.blind_pairs --pairs 200 --seed 1``; docs/blind-test.md
quotes it. The sounds are measured as a browser gets them: 16-bit WAV files. Two classifiers, a
random forest and a logistic regression, then look for the person in what is no music: file name and
size, frames, channels, rate, silence at the start and at the end (below -60 dBFS), the first
sample, the place of the first stroke, kit and tempo. A second forest is told more than anybody can
hear: loudness and true peak, whose differences are far below a tenth of a dB, and how long it is
quiet at start and end (below -45 dBFS). Both files of a pair are in one fold of five. How far
chance alone takes the forest's AUC is measured by drawing anew which side is the person's.
"""

from __future__ import annotations

import argparse
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import soundfile
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from dj_core.blind_test.pairs import BlindTest, Pair, pair_of, played, pool_of
from dj_core.library.library import Library
from dj_core.models.families import load_model
from dj_core.sound.kit_table import KITS
from dj_core.sound.loudness import loudness_lufs, true_peak_dbtp

SILENT_DBFS = (-60, -45)
NAMES = (
    "bytes", "name", "frames", "channels", "rate", "silence_before", "quiet_before",
    "silence_after", "quiet_after", "first_sample", "first_stroke", "kit", "tempo", "lufs", "dbtp",
)  # fmt: skip
TOLD_MORE = ("quiet_before", "quiet_after", "lufs", "dbtp")
DRAWN_ANEW = 12


@dataclass(frozen=True)
class Measured:
    """One pair in numbers.

    Attributes:
        human: the person's side is A.
        lufs, dbtp: loudness and true peak of A and B.
        limited_db: what the limiter took from the peaks of the person's beat and of the model's.
        rows: what is no music of A and of B, by `NAMES`.
    """

    human: bool
    lufs: tuple[float, ...]
    dbtp: tuple[float, ...]
    limited_db: tuple[float, ...]
    rows: tuple[tuple[float, ...], ...]


def main() -> None:
    """Make the pairs and print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kind", default="both")
    asked = parser.parse_args()
    library = Library.open()
    info = library.model(None)
    model = load_model(info.folder)
    pool = pool_of(library, model, info.card["weights_sha256"])
    test = BlindTest(asked.kind, asked.pairs, asked.seed)
    numbers = range(1, asked.pairs + 1)
    found = [measured(pair_of(test, number, pool, model)) for number in numbers]
    told = {"test": test.name, "pool": pool.id, "drummers": len(pool.drummers)}
    print(json.dumps({**told, **figures(found)}, indent=1))


def measured(pair: Pair) -> Measured:
    """Measure a pair as a browser gets it."""
    lufs, dbtp, limited, rows = [], [], [], []
    for side, content, beat in zip("AB", pair.sounds, pair.beats, strict=True):
        samples, rate = soundfile.read(io.BytesIO(content))
        lufs.append(loudness_lufs(samples, rate))
        dbtp.append(true_peak_dbtp(samples))
        plain = played(beat, pair.kit)
        limited.append(
            20 * np.log10(np.abs(plain).max() / np.abs(samples).max())
            + lufs[-1]
            - loudness_lufs(plain, rate)
        )
        peaks = np.abs(samples).max(axis=1)
        heard = [np.flatnonzero(peaks > 10 ** (dbfs / 20)) for dbfs in SILENT_DBFS]
        rows.append((
            len(content), len(f"{side}.wav"), len(samples), samples.shape[1], rate,
            *(one[0] for one in heard), *(len(samples) - one[-1] for one in heard),
            float(peaks[0]), beat.hits[0].onset_quarters, [*KITS].index(pair.kit), pair.tempo_bpm,
            lufs[-1], dbtp[-1],
        ))  # fmt: skip
    person_first = limited if pair.human == "A" else limited[::-1]
    return Measured(pair.human == "A", tuple(lufs), tuple(dbtp), tuple(person_first), tuple(rows))


def figures(found: Sequence[Measured]) -> dict[str, Any]:
    """What the document quotes, JSON-able."""
    table = np.array([row for one in found for row in one.rows], float)
    truth = np.array([side for one in found for side in (one.human, not one.human)])
    groups = np.repeat(np.arange(len(found)), 2)
    judges = {
        "forest": RandomForestClassifier(300, min_samples_leaf=3, random_state=1),
        "logistic": make_pipeline(StandardScaler(), LogisticRegression(max_iter=1_000)),
    }
    usual = table[:, [name not in TOLD_MORE for name in NAMES]]
    auc = {name: judged(judge, usual, truth, groups) for name, judge in judges.items()}
    auc["forest, told more"] = judged(judges["forest"], table, truth, groups)
    draw = np.random.default_rng(1)
    turned = [np.repeat(draw.integers(2, size=len(found)) > 0, 2) for _ in range(DRAWN_ANEW)]
    chance = [judged(judges["forest"], usual, truth ^ turn, groups) for turn in turned]
    apart = np.abs([(*np.diff(one.lufs), *np.diff(one.dbtp)) for one in found])
    return {
        "pairs": len(found),
        "person_on_a": int(sum(one.human for one in found)),
        "most_apart": {"lu": float(apart[:, 0].max()), "true_peak_db": float(apart[:, 1].max())},
        "auc": auc,
        "auc_by_chance": {"mean": float(np.mean(chance)), "spread": float(np.std(chance))},
        "differ_within_pairs": [
            name
            for name, column in zip(NAMES, table.T, strict=True)
            if (column[::2] != column[1::2]).any()
        ],
        "limited_db": {
            name: float(mean)
            for name, mean in zip(
                ("person", "model"), np.mean([one.limited_db for one in found], axis=0), strict=True
            )
        },
    }


def judged(judge: Any, table: np.ndarray, truth: np.ndarray, groups: np.ndarray) -> float:  # noqa: ANN401
    """The area under the curve of a classifier that has not seen the pair it judges."""
    odds = cross_val_predict(
        judge, table, truth, groups=groups, cv=GroupKFold(5), method="predict_proba"
    )
    return float(roc_auc_score(truth, odds[:, 1]))


if __name__ == "__main__":
    main()
