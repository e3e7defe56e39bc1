"""What a beat sounds like in two dozen plain numbers, and what a model's styles will sound like.

Both are read off style vectors, a beat's own and those in a groove model's tables, by the same
formulas: what is learned from beats of any origin says which styles a DJ would like.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from dj_core.errors import DigitalDJError
from dj_core.models.groove.style_tables import STEPS_A_SPREAD
from dj_core.models.groove.style_vector import STYLE_NAMES, StyleSums
from dj_core.models.groove.training_clips import KINDS, ClipSet, clip_of
from dj_core.music.beat import Beat

if TYPE_CHECKING:
    from dj_core.models.groove.groove_player import GrooveModel

FARTHEST = 3.0  # spreads from a genre's mean, beyond which a trait is not told apart


@dataclass(frozen=True)
class Trait:
    """Something one hears in a beat.

    Attributes:
        name: in files.
        less, more: what a DJ calls beats that have little or much of it.
        style: the number of a style vector that says how much.
    """

    name: str
    less: str
    more: str
    style: str

    def words(self, weight: float) -> str:
        """What a DJ likes whose weight for it is positive or negative."""
        return self.more if weight > 0 else self.less


TRAITS: tuple[Trait, ...] = tuple(
    Trait(*row)
    for row in (
        ("density", "few strokes", "many strokes", "density"),
        ("loudness", "soft beats", "loud beats", "loudness"),
        ("on the beat", "off the beat", "on the beat", "on beat"),
        ("swing", "straight 16ths", "swung 16ths", "offset between"),
        ("repetition", "bars that change", "bars that repeat", "alike 1 bars"),
        ("ghost notes", "no ghost notes", "ghost notes", "ghosts"),
        ("rolls", "no rolls", "flams and rolls", "flams"),
        ("kicks", "sparse kicks", "busy kicks", "kick: often"),
        ("kick places", "broken kicks", "kicks on the beat", "kick: share on_beat"),
        ("snares", "few snares", "many snares", "snare: often"),
        ("snare timing", "early snares", "late snares", "snare: offset"),
        ("claps", "few claps and rims", "many claps and rims", "side_stick: often"),
        ("clap timing", "early claps", "late claps", "side_stick: offset"),
        ("hats", "sparse hats", "busy hats", "closed_hat: often"),
        ("hat places", "hats off the and", "hats on the and", "closed_hat: share on_eighth"),
        ("hat timing", "early hats", "late hats", "closed_hat: offset"),
        ("hat accents", "even hats", "accented hats", "closed_hat: velocity spread"),
        ("open hats", "few open hats", "many open hats", "open_hat: often"),
        ("open hat places", "open hats off the and", "open hats on the and",
         "open_hat: share on_eighth"),
        ("toms", "no toms", "toms", "low_tom: often"),
        ("crashes", "few crashes", "crashes", "crash: often"),
        ("rides", "no ride", "ride", "ride: often"),
        ("percussion", "little percussion", "busy percussion", "tambourine: often"),
        ("percussion places", "percussion off the beat", "percussion on the beat",
         "tambourine: share on_beat"),
    )
)  # fmt: skip
TRAIT: dict[str, Trait] = {trait.name: trait for trait in TRAITS}
_COLUMNS = np.array([STYLE_NAMES.index(trait.style) for trait in TRAITS])


def heard_in(beat: Beat) -> dict[str, float] | None:
    """The traits of a beat by name, in the style vector's units; None where no grid fits it."""
    try:
        clips = ClipSet.of([clip_of(beat, KINDS[1], "")], ("", beat.genre))
    except (DigitalDJError, ValueError):  # a meter that grids do not have
        return None
    style = StyleSums(clips).between(np.array([0]), np.array([clips.steps]))[0]
    return {trait.name: float(style[at]) for trait, at in zip(TRAITS, _COLUMNS, strict=True)}


@dataclass(frozen=True)
class Norms:
    """What is usual in a model's genres.

    Attributes:
        styles: traits of every style in the model's tables, (styles, traits).
        means: of every genre's styles, by name; '' for all styles.
        spread: of a trait around its genre's mean, (traits).
    """

    styles: np.ndarray
    means: dict[str, np.ndarray]
    spread: np.ndarray

    def placed(self, numbers: np.ndarray, genre: str) -> np.ndarray:
        """Traits as spreads from what is usual in a genre, -3 to 3."""
        mean = self.means.get(genre, self.means[""])
        placed: np.ndarray = np.clip((numbers - mean) / self.spread, -FARTHEST, FARTHEST)
        return placed


@lru_cache(maxsize=2)
def norms_of(model: GrooveModel) -> Norms:
    """What is usual in a model's genres, by its own tables."""
    tables = model.tables
    styles = tables.styles[:, _COLUMNS] / float(STEPS_A_SPREAD)
    styles = styles * tables.spread[_COLUMNS] + tables.mean[_COLUMNS]
    means, away = {"": styles.mean(0)}, np.zeros_like(styles)
    for index in np.unique(tables.genre):
        own = tables.genre == index
        means[model.settings.genres[index]] = styles[own].mean(0)
        away[own] = styles[own] - styles[own].mean(0)
    return Norms(styles, means, np.maximum(away.std(0), 1e-3))
