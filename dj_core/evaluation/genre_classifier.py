"""Genre accuracy: does a random forest trained on real clips recognise the requested genre?

It hears what the judge hears (hits, dynamics, microtiming of two-bar windows) and is not told
the tempo, which a request sets by itself. Genres overlap, so it agrees with real drummers only
part of the time; a model is measured against that.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter

import numpy as np

from dj_core.errors import BeatError
from dj_core.evaluation.judge import Judged, describe
from dj_core.evaluation.judged_clips import Clip
from dj_core.music.beat import Beat

TREES = 200
MAX_CLIPS_PER_GENRE = 150  # so that rock does not drown the rest


@dataclass(frozen=True)
class GenreAgreement:
    """How often the forest names the label a clip carries.

    Attributes:
        first: share of clips whose label is its first choice.
        top_three: share whose label is among its first three.
        clips: how many were heard; those with a genre it never learnt are left out.
    """

    first: float
    top_three: float
    clips: int


class GenreEar:
    """A forest over the genres of real clips."""

    def __init__(self, clips: Sequence[Clip]) -> None:
        """Learn from 4/4 training clips, at most 150 of a genre, spread over performances."""
        from sklearn.ensemble import RandomForestClassifier

        decks: dict[str, dict[str, list[Clip]]] = defaultdict(lambda: defaultdict(list))
        for index in np.random.default_rng(1).permutation(len(clips)):
            clip = clips[index]
            if clip.genre:
                decks[clip.genre][clip.performance].append(clip)
        chosen: list[Clip] = []
        for performances in decks.values():  # one clip from every performance before a second
            turns = [turn_clip for deck in performances.values() for turn_clip in enumerate(deck)]
            turns.sort(key=itemgetter(0))
            chosen += [clip for _, clip in turns[:MAX_CLIPS_PER_GENRE]]
        side = describe([clip.beat for clip in chosen], [clip.genre for clip in chosen])
        self._forest = RandomForestClassifier(
            TREES, min_samples_leaf=2, class_weight="balanced", random_state=1
        )
        self._forest.fit(side.features, list(side.groups))
        self.genres: tuple[str, ...] = tuple(self._forest.classes_.tolist())

    def agreement(
        self, beats: Sequence[Beat], genres: Sequence[str], described: Judged | None = None
    ) -> GenreAgreement:
        """How well the forest agrees that each beat is of its genre.

        Args:
            beats: 4/4, two bars or more.
            genres: what each was asked or labelled to be.
            described: `judge.describe(beats)`, where that is at hand.

        Raises:
            BeatError: no beat has a genre that was learnt.
        """
        side = described or describe(beats)
        owner = np.repeat(np.arange(len(beats)), [beat.bars // 2 for beat in beats])
        answers = np.zeros((len(beats), len(self.genres)))
        np.add.at(answers, owner, self._forest.predict_proba(side.features))
        known = [index for index, genre in enumerate(genres) if genre in self.genres]
        if not known:
            raise BeatError(f"None of these genres was learnt. Learnt: {', '.join(self.genres)}.")
        ranks = np.argsort(-answers[known], axis=1, kind="stable")
        asked = np.array([self.genres.index(genres[index]) for index in known])
        place = np.argmax(ranks == asked[:, None], axis=1)
        return GenreAgreement(float((place == 0).mean()), float((place < 3).mean()), len(known))
