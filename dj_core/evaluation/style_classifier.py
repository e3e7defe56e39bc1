"""Recognises dance styles: a forest over where each drum plays, and each style's tempos."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dj_core.music.beat import Beat
from dj_core.music.drums import DRUMS
from dj_core.music.genres import GENRE

TREES = 400
FEATURES_A_SPLIT = 0.2  # share of them that a split chooses from
STEPS_A_BAR = 16
TEMPO_WIDTH = 0.8  # spread of a style's tempos, in halves of its range
SURELY = 1.5  # power of the forest's odds, which are flatter than they should be
ANY_TEMPO = 0.001  # density that every style has at every tempo


@dataclass(frozen=True)
class Recognition:
    """How often the classifier names the style of beats.

    Attributes:
        first, top_three: share of beats whose style is its first choice, or among its first three.
        by_style: of each style that occurs, the latter.
    """

    first: float
    top_three: float
    by_style: dict[str, float]


class StyleClassifier:
    """A forest that has learned styles from beats of 4/4."""

    def __init__(self, beats: Sequence[Beat], seed: int = 1) -> None:
        """Learn from beats whose genres are dance styles."""
        from sklearn.ensemble import ExtraTreesClassifier

        self._forest = ExtraTreesClassifier(TREES, max_features=FEATURES_A_SPLIT, random_state=seed)
        self._forest.fit([_description(beat) for beat in beats], [beat.genre for beat in beats])
        self.styles: tuple[str, ...] = tuple(self._forest.classes_.tolist())

    def recognise(self, beats: Sequence[Beat], *, hears_tempo: bool = True) -> Recognition:
        """How well it names the styles of beats.

        Args:
            beats: 4/4, of styles that were learned.
            hears_tempo: it also knows how usual each beat's tempo is in each style.
        """
        odds = self._forest.predict_proba([_description(beat) for beat in beats])
        if hears_tempo:
            odds = odds**SURELY * np.array([self._tempo_odds(beat) for beat in beats])
        asked = np.array([self.styles.index(beat.genre) for beat in beats])
        place = np.argmax(np.argsort(-odds, axis=1, kind="stable") == asked[:, None], axis=1)
        by_style = {
            self.styles[style]: float((place[asked == style] < 3).mean())
            for style in np.unique(asked)
        }
        return Recognition(float((place == 0).mean()), float((place < 3).mean()), by_style)

    def _tempo_odds(self, beat: Beat) -> list[float]:
        """Density of the beat's tempo in each style: normal in the logarithm over its range."""
        odds = []
        for style in self.styles:
            slowest, fastest = GENRE[style].tempo_range_bpm
            middle = math.log(slowest * fastest) / 2
            width = TEMPO_WIDTH * math.log(fastest / slowest) / 2
            away = (math.log(beat.playing_tempo_bpm) - middle) / width
            odds.append(math.exp(-0.5 * away**2) / width + ANY_TEMPO)
        return odds


def _description(beat: Beat) -> np.ndarray:
    """Numbers of a beat: of each drum, how often and how hard it plays on each 16th of the bar, how
    far off the 16th (on even and odd ones), and how often at all."""
    lanes = len(DRUMS)
    struck, hard = np.zeros((lanes, STEPS_A_BAR)), np.zeros((lanes, STEPS_A_BAR))
    off, counted = np.zeros((lanes, 2)), np.zeros((lanes, 2))
    for hit in beat.hits:
        sixteenths = hit.onset_quarters * 4
        step = math.ceil(sixteenths - 0.5)
        struck[hit.lane, step % STEPS_A_BAR] += 1
        hard[hit.lane, step % STEPS_A_BAR] += hit.velocity / 127
        off[hit.lane, step % 2] += sixteenths - step
        counted[hit.lane, step % 2] += 1
    return np.concatenate(
        [
            (struck / beat.bars).ravel(),
            (hard / np.maximum(struck, 1)).ravel(),
            4 * (off / np.maximum(counted, 1)).ravel(),
            np.log1p(struck.sum(1) / beat.bars),
        ]
    )
