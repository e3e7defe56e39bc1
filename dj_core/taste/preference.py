"""A small Bayesian model of what a DJ likes, and the styles it would rather have drawn.

The log odds that a beat is liked are a line in its traits x (spreads from what is usual in its
genre), with weights that all genres share and a genre's own deviations from them:

    f = offset + offset(genre) + sum over traits of (shared + own(genre)) * x

Priors: every number is normal around 0, the offset around -1 (more is skipped than kept); spreads
are `SHARED`, `OWN` and `OFFSET_SPREAD`. Likelihood: Bernoulli, a judgement's weight its exponent.
The posterior is approximated by Laplace's method in function space, as for Gaussian processes
(Rasmussen and Williams 2006, algorithm 3.1; the kernel is that of the line above).

Forgetting: a judgement's weight halves with every `MEMORY` later ones. Where it is likelier that
there were two tastes, one after the other, than one, the judgements of the first count no more, in
genres that were judged since: a change is looked for at several `AGES`, each side has the prior
anew, and both evidences (Laplace's approximation, equation 3.32 there) are weighed with the prior
chance of a change, `CHANGE`.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dj_core.models.request import GenerationRequest
from dj_core.taste.heard import TRAITS, Norms, norms_of
from dj_core.taste.judgements import Judgement, Taste

if TYPE_CHECKING:
    from dj_core.models.groove.groove_player import GrooveModel

SHARED, OWN = 0.3, 0.5  # prior spread of a trait's weight, in log odds for a spread of the trait
OFFSET, OFFSET_SPREAD = -1.0, 1.0
MEMORY = 100.0  # judgements after which one counts half
CHANGE = 0.01  # chance that the taste becomes another one, a judgement
AGES = (6, 9, 13, 19, 28, 41, 60, 90, 130, 200, 300)  # judgements since a change
COMPARED = 100  # judgements before a change that its evidence is made of, at most
LEAST_WEIGHT = 0.05  # a judgement that counts less is left out
FEWEST = 3  # judgements before anything is drawn otherwise
STRONGEST = 4.5  # at the strongest, a style's chance is multiplied by this power of its liking's
UNTAUGHT = 0.1  # share of draws that stay as without taste: what is never played is never liked
_MOST_STEPS, _SETTLED = 20, 1e-4


@dataclass(frozen=True)
class Preference:
    """What was learned of one DJ, on the scale of one model's genres.

    Attributes:
        norms: of the model.
        edits: weights set by hand, by the trait's place.
        x: traits of the judged beats, (judgements, traits).
        genres: of each.
        slopes: the likelihood's gradient at the posterior's peak, times the prior: (judgements).
        precision: what the posterior takes off the prior's covariance, (judgements, judgements).
        since: the first judgement after the taste changed; 0 where it has not.
    """

    norms: Norms
    edits: dict[int, float]
    x: np.ndarray
    genres: np.ndarray
    slopes: np.ndarray
    precision: np.ndarray
    since: int

    def weights(self, genre: str = "") -> tuple[np.ndarray, np.ndarray]:
        """Posterior mean and spread of every trait's weight in a genre; '' for all genres.

        A weight that was set by hand has no spread.
        """
        own = OWN**2 * (self.genres == genre)[:, None]
        prior = SHARED**2 + (OWN**2 if (self.genres == genre).any() else 0.0)
        with_judged = self.x * (SHARED**2 + own)
        mean = self.slopes @ with_judged
        variance = prior - np.einsum("it,ij,jt->t", with_judged, self.precision, with_judged)
        spread = np.sqrt(np.maximum(variance, 0.0))
        for trait, weight in self.edits.items():
            mean[trait], spread[trait] = weight, 0.0
        return mean, spread

    def chance_of_liking(self, placed: np.ndarray, genre: str) -> np.ndarray:
        """That beats of a genre are liked, by the posterior's mean.

        Args:
            placed: traits, (beats, traits), as `Norms.placed` gives them.
            genre: its name.
        """
        usual = OFFSET_SPREAD**2 * self.slopes[self.genres == genre].sum()
        return _chance_of(placed @ self.weights(genre)[0] + usual)


def learned(taste: Taste, model: GrooveModel) -> Preference | None:
    """What a taste says of a model's styles; None while too little was judged or set by hand."""
    norms = norms_of(model)
    judged = [one for one in taste.judgements if one.verdict[1]]
    places = {trait.name: place for place, trait in enumerate(TRAITS)}
    edits = {places[name]: weight for name, weight in taste.weights.items()}
    if len(judged) < FEWEST:
        if not edits:
            return None
        judged = []
    return _fitted(judged, norms, edits)


def style_for(
    preference: Preference, model: GrooveModel, request: GenerationRequest, more_me: float
) -> int:
    """The style to play a request in, by number: one it may be drawn from, those liked rather.

    It depends on the request's seed. At a `more_me` of 0 styles are as likely as without taste, at
    1 they are chosen by taste as strongly as is done.

    Raises:
        GenerationError: a genre, meter or length that the model cannot play.
    """
    numbers, chance = model.candidates(request)
    share = drawn_shares(preference, numbers, chance, request.genre, more_me)
    generator = np.random.default_rng([request.seed, zlib.crc32(request.genre.encode()), 2])
    return int(generator.choice(numbers, p=share))


def drawn_shares(
    preference: Preference, numbers: np.ndarray, chance: np.ndarray, genre: str, more_me: float
) -> np.ndarray:
    """How often each of these styles is drawn that have `chance` without taste."""
    norms = preference.norms
    liked = preference.chance_of_liking(norms.placed(norms.styles[numbers], genre), genre)
    # a power of the chance, not of the odds: what is surely liked comes as often as what is liked
    leaning = chance * (liked / liked[chance > 0].max()) ** (STRONGEST * more_me)
    untaught = UNTAUGHT * chance
    share: np.ndarray = untaught + (1 - UNTAUGHT) * leaning / leaning.sum()
    share /= share.sum()
    return share


# --- fitting ----------------------------------------------------------------------------------


def _fitted(judged: Sequence[Judgement], norms: Norms, edits: dict[int, float]) -> Preference:
    x = np.array(
        [
            norms.placed(np.array([one.heard[trait.name] for trait in TRAITS]), one.genre)
            for one in judged
        ]
    ).reshape(-1, len(TRAITS))
    genres = np.array([one.genre for one in judged], dtype=object)
    verdicts = np.array([one.verdict for one in judged], float).reshape(-1, 2)
    since = _changed(x, genres, verdicts)
    place = np.arange(len(x))
    weights = verdicts[:, 1] * 0.5 ** (place[::-1] / MEMORY)
    kept = (weights >= LEAST_WEIGHT) & ((place >= since) | ~np.isin(genres, genres[since:]))
    x, genres = x[kept], genres[kept]
    kernel = _kernel(x, genres, x, genres)
    slopes, root = _peak(kernel, verdicts[kept, 0], weights[kept])
    inverse = np.linalg.inv(np.eye(len(x)) + root[:, None] * kernel * root)
    precision = root[:, None] * inverse * root
    return Preference(norms, edits, x, genres, slopes, precision, since)


def _changed(x: np.ndarray, genres: np.ndarray, verdicts: np.ndarray) -> int:
    """Where the present taste begins: at the likeliest change, if that is likelier than none."""

    def evidence(part: np.ndarray) -> float:
        liked, counts = verdicts[part].T
        kernel = _kernel(x[part], genres[part], x[part], genres[part])
        slopes, root = _peak(kernel, liked, counts)
        f = kernel @ slopes
        chance = _chance_of(f)
        told = counts @ np.log(np.where(liked > 0, chance, 1 - chance))
        volume = np.linalg.slogdet(np.eye(len(f)) + root[:, None] * kernel * root)[1]
        return float(told - slopes @ f / 2 - volume / 2)

    best, since, place = 0.0, 0, np.arange(len(x))
    for younger, age in zip((AGES[0] // 2, *AGES), AGES, strict=False):
        at = len(x) - age
        both = (place >= at - COMPARED) & np.isin(genres, genres[max(at, 0) :])
        before, after = both & (place < at), place >= at
        if before.sum() < AGES[0]:
            continue
        gain = evidence(before) + evidence(after) - evidence(both)
        gain += np.log(CHANGE * (age - younger))
        if gain > best:
            best, since = gain, at
    return since


def _kernel(x: np.ndarray, genres: np.ndarray, y: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Prior covariance of two beats' log odds."""
    same = (genres[:, None] == others[None]).astype(float)
    covariance: np.ndarray = (SHARED**2 + OWN**2 * same) * (x @ y.T) + OFFSET_SPREAD**2 * same
    return covariance


def _peak(
    kernel: np.ndarray, liked: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The posterior's peak by Newton's method: `Preference.slopes`, and roots of the curvature."""
    count = len(liked)
    f, slopes, root = np.zeros(count), np.zeros(count), np.zeros(count)
    for _ in range(_MOST_STEPS):
        chance = _chance_of(f)
        bend = np.maximum(weights * chance * (1 - chance), 1e-9)
        root = np.sqrt(bend)
        wanted = bend * f + weights * (liked - chance)
        whole = np.eye(count) + root[:, None] * kernel * root
        slopes = wanted - root * np.linalg.solve(whole, root * (kernel @ wanted))
        before, f = f, kernel @ slopes
        if not count or np.abs(f - before).max() < _SETTLED:
            break
    return slopes, root


def _chance_of(f: np.ndarray) -> np.ndarray:
    chance: np.ndarray = 1 / (1 + np.exp(-(f + OFFSET)))
    return chance
