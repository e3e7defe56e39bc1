"""The judge: a classifier two-sample test (C2ST) of generated against human beats.

Clips are cut into windows of two bars, described by `features`, and a random forest and a
logistic regression learn to tell the two sides apart, tested on clips they have never seen, in
five folds. The area under the ROC curve is 0.5 when they cannot tell, 1 when they always can.

A fold holds whole performances, and with each what was made to match it. Were only the
performance held out, the judge would know its genre and tempo from the other side alone and
answer wrongly on purpose: two human sides then read .3 to .4 instead of .5.

Two groups of real drummers are told apart too, because they are different people on different
days. What counts is the excess over that floor: held-out humans against training clips of the
same genres and tempos, through the same judge.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from dj_core.errors import BeatError
from dj_core.evaluation.features import WINDOW_BARS, feature_names, is_hit_feature, window_features
from dj_core.evaluation.judged_clips import stretch
from dj_core.music.beat import Beat

FOLDS = 5
TREES = 100
TOP_FEATURES = 15
MIN_WINDOWS = 20  # a side; below, five folds say nothing


@dataclass(frozen=True)
class GiveAway:
    """A feature that helps the judge.

    Attributes:
        name: see `features`.
        importance: its share of the forest's decisions, 0 to 1.
        generated, human: its mean on either side.
        auc: how well it tells the sides apart all alone, 0.5 to 1.
    """

    name: str
    importance: float
    generated: float
    human: float
    auc: float


@dataclass(frozen=True)
class JudgeResult:
    """How well a judge told two sides apart.

    Attributes:
        forest_auc, logistic_auc: 0.5 cannot tell, 1 always tells.
        top_features: what the forest relied on, most first.
        windows: two-bar windows judged on both sides together.
    """

    forest_auc: float
    logistic_auc: float
    top_features: tuple[GiveAway, ...]
    windows: int


@dataclass(frozen=True)
class Judged:
    """Windows of one side, ready for judging.

    Attributes:
        features: (windows, features), in the order of `feature_names`.
        groups: one label per window; windows with equal labels share a fold.
    """

    features: np.ndarray
    groups: tuple[Hashable, ...]


def describe(beats: Sequence[Beat], groups: Sequence[Hashable] | None = None) -> Judged:
    """Cut 4/4 beats into two-bar windows (hop 2) and describe each.

    Describe a side once when it meets several others.

    Args:
        beats: of two bars or more each.
        groups: the performance each beat is cut from or was made to match; None makes every
            beat its own group.

    Raises:
        BeatError: a beat not in 4/4, shorter than two bars, or a number of groups that differs.
    """
    labels = [object() for _ in beats] if groups is None else list(groups)
    if len(labels) != len(beats):
        raise BeatError(f"Every beat needs one group; got {len(beats)} and {len(labels)}.")
    rows, kin = [], []
    for beat, label in zip(beats, labels, strict=True):
        if str(beat.meter) != "4/4" or beat.bars < WINDOW_BARS:
            raise BeatError(
                f"The judge hears two bars of 4/4 and more; got {beat.bars} of {beat.meter}."
            )
        for start in range(0, beat.bars - WINDOW_BARS + 1, WINDOW_BARS):
            rows.append(list(window_features(stretch(beat, start, WINDOW_BARS)).values()))
            kin.append(label)
    return Judged(np.array(rows, float).reshape(len(rows), len(feature_names())), tuple(kin))


def judge(
    generated: Judged, humans: Judged, *, hits_only: bool = False, seed: int = 1
) -> JudgeResult:
    """Let both classifiers try to tell `generated` from `humans`.

    Args:
        generated: beats to be judged, each in the group of the performance it was made to match.
        humans: real beats, matched in genre and tempo.
        hits_only: hide velocity and microtiming from the judge.
        seed: of folds and forest.

    Raises:
        BeatError: fewer than 20 windows or five groups on a side.
    """
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedGroupKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    for side in generated, humans:
        if len(side.features) < MIN_WINDOWS or len(set(side.groups)) < FOLDS:
            raise BeatError(
                f"A judge needs {MIN_WINDOWS} windows from {FOLDS} performances on either side; "
                f"got {len(side.features)} from {len(set(side.groups))}. Generate more beats."
            )
    chosen = [i for i, name in enumerate(feature_names()) if not hits_only or is_hit_feature(name)]
    features = np.concatenate([generated.features, humans.features])[:, chosen]
    truth = np.repeat([1, 0], [len(generated.features), len(humans.features)])
    groups = generated.groups + humans.groups
    number = {label: index for index, label in enumerate(dict.fromkeys(groups))}
    kin = np.array([number[label] for label in groups])
    # the answer of forest and logistic for every window, unseen; the forest's mean importances
    answers = np.zeros((len(truth), 2))
    importance = np.zeros(features.shape[1])
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    for train, test in folds.split(features, truth, kin):
        forest = RandomForestClassifier(
            TREES, min_samples_leaf=3, max_samples=0.6, class_weight="balanced", random_state=seed
        )
        logistic = make_pipeline(
            StandardScaler(),
            LogisticRegression(C=0.05, class_weight="balanced", max_iter=2_000, tol=1e-3),
        )
        for column, judge_ in enumerate((forest, logistic)):
            judge_.fit(features[train], truth[train])
            answers[test, column] = judge_.predict_proba(features[test])[:, 1]
        importance += forest.feature_importances_ / FOLDS
    give_aways = []
    for index in np.argsort(-importance, kind="stable")[:TOP_FEATURES]:
        values = features[:, index]
        alone = roc_auc_score(truth, values)
        give_aways.append(
            GiveAway(
                name=feature_names()[chosen[index]],
                importance=float(importance[index]),
                generated=float(values[truth == 1].mean()),
                human=float(values[truth == 0].mean()),
                auc=float(max(alone, 1 - alone)),
            )
        )
    forest, logistic = (float(roc_auc_score(truth, answer)) for answer in answers.T)
    return JudgeResult(forest, logistic, tuple(give_aways), len(truth))
