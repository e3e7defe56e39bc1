"""Chooses a take's style vector: one of its genre's, from the clips nearest in tempo."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import cast

import numpy as np

from dj_core.models.groove.streams import style_noise
from dj_core.models.groove.style_tables import STEPS_A_SPREAD, STYLE_BARS, Tables
from dj_core.models.groove.style_vector import DENSITY, LOUDNESS, OUTLINE
from dj_core.models.groove.training_clips import KINDS, role_index
from dj_core.models.request import GenerationRequest, role_of
from dj_core.music.step_grid import LANES, METERS

NEAREST_STYLES = 32
"""Styles to draw from, nearest in tempo first. Drummers play differently at other tempos, and real
clips drawn from farther away are told from a performance of that tempo, too (docs/groove-model.md).
"""
ENOUGH_PLAYED = 20  # with so many by drummers at known tempos the genre's other styles are left out
PLAYED = 0.5  # styles are of played music where more of the strokes than this lie off the 96ths
UNKNOWN_TEMPO_AWAY = 0.12  # how far off, in logarithms, a style counts whose tempo nobody knows
UNKNOWN_TEMPO_CHANCE = 0.2  # of such a style, beside one at a known tempo as far off
FEW_STYLES = 12  # a genre with fewer, all programmed, also has what lies between them
ONLY_STYLE_NOISE = 2.0  # on a programmed genre's only style; it falls with their square root
FARTHEST_WAY = 0.6  # that such a style may go towards one of another pattern


@dataclass(frozen=True)
class DrawnStyle:
    """A style for a take.

    Attributes:
        style: scaled, (STYLE_SIZE).
        fine: share of the take's strokes that shall lie between two 96ths of a quarter.
        drums: those a take in this style plays, bool (16).
        hand: the phrase's whose style it is, as in `Clip`; None for all other styles.
        form: that phrase's, see `phrase_form`; likewise.
    """

    style: np.ndarray
    fine: float
    drums: np.ndarray
    hand: np.ndarray | None = None
    form: np.ndarray | None = None

    @property
    def is_played(self) -> bool:
        """Whether it is a drummer's."""
        return self.fine > PLAYED and self.hand is None


class StyleChoice:
    """Draws styles from a model's tables.

    Args:
        tables: of the model.
        genres: the names its genre numbers stand for, '' (any) first.
    """

    def __init__(self, tables: Tables, genres: tuple[str, ...]) -> None:
        self.tables, self.genres = tables, genres

    def draw(
        self,
        request: GenerationRequest,
        tempo_bpm: float,
        noise: float,
        generator: np.random.Generator,
    ) -> DrawnStyle:
        """A style vector to condition the network on.

        Styles of the asked kind, meter, role, energy, density and loudness are preferred, in this
        order, as far as there are any.

        Args:
            request: of a genre the model knows, in bars.
            tempo_bpm: beats per minute to be near to.
            noise: spread of what is added, in units of the styles' own spread.
            generator: decides.
        """
        tables = self.tables
        candidates, chance = self.candidates(request, tempo_bpm)
        chosen = int(candidates[generator.choice(len(candidates), p=chance)])
        if request.style is not None:  # drawn all the same: what chance says later stays as it is
            chosen = request.style
        style = tables.style(chosen)
        fine = float(tables.fine[chosen])
        hand = tables.hand(chosen)
        if hand is not None:  # a phrase as it is: noise would only blur its outline
            # it has its own drums: a stray stroke of another one is heard
            drums = (int(tables.drums[chosen]) >> np.arange(LANES) & 1).astype(bool)
            return DrawnStyle(style, fine, drums, hand, tables.form_at(chosen))
        drums = np.ones(LANES, bool)
        if fine > PLAYED:
            style = style - tables.bias
        elif noise and len(candidates) < FEW_STYLES and not self._played(candidates).any():
            style = self._varied(style, len(candidates), generator)
        style = style + style_noise(generator, noise, style.shape)
        style[OUTLINE] = 0.0  # drummers' styles have none
        return DrawnStyle(style, fine, drums)

    def candidates(
        self, request: GenerationRequest, tempo_bpm: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Numbers of the styles a take may be drawn from, and the chance of each."""
        fitting = self._fitting(request)
        return fitting, self._chances(fitting, tempo_bpm)

    def _played(self, styles: np.ndarray) -> np.ndarray:
        tables = self.tables
        played: np.ndarray = (tables.fine[styles] > PLAYED) & (tables.phrase[styles] < 0)
        return played

    def _fitting(self, request: GenerationRequest) -> np.ndarray:
        """Styles of the asked genre and feel, by their numbers."""
        tables, feel = self.tables, request.feel
        asked = cast("int", request.bars)  # the player has checked that there are
        index = self.genres.index(request.genre)
        fits = tables.genre == index if index else np.ones(len(tables.genre), bool)
        away = [abs(math.log(bars / asked)) for bars in STYLE_BARS]
        for _, length in sorted(zip(away, STYLE_BARS, strict=True)):
            if (fits & (tables.bars == length)).any():  # phrases of dance styles have one length
                fits &= tables.bars == length
                break
        role = role_index(role_of(request))
        for also in (
            tables.kind == KINDS.index(feel.kind) if feel.kind else None,
            tables.meter == METERS.index(request.meter),
            tables.role == role if role else None,
            np.abs(tables.energy - feel.energy) <= 1 if feel.energy else None,
            tables.energy == feel.energy if feel.energy else None,
            self._levels[0] == feel.density if feel.density else None,
            self._levels[1] == feel.loudness if feel.loudness else None,
        ):
            if also is not None and (fits & also).any():
                fits = fits & also
        fitting = np.flatnonzero(fits)
        played = fitting[self._played(fitting) & (tables.tempo_bpm[fitting] > 0)]
        return played if len(played) >= ENOUGH_PLAYED else fitting

    def _chances(self, candidates: np.ndarray, tempo_bpm: float) -> np.ndarray:
        """Of each candidate: the nearest in tempo only, and the nearer the more."""
        known_bpm = self.tables.tempo_bpm[candidates].astype(np.float64)
        known = known_bpm > 0
        away = np.abs(np.log(np.maximum(known_bpm, 1.0) / tempo_bpm))
        away[~known] = UNKNOWN_TEMPO_AWAY
        reach = np.sort(away)[min(NEAREST_STYLES, len(away)) - 1]
        chance = np.exp(-0.5 * (away / max(reach, 1e-6)) ** 2) * (away <= reach)
        if known[away <= reach].any():
            chance[~known] *= UNKNOWN_TEMPO_CHANCE
        share: np.ndarray = chance / chance.sum()
        return share

    def _varied(self, style: np.ndarray, known: int, generator: np.random.Generator) -> np.ndarray:
        """A programmed style on its way to another one, with more noise than played ones get.

        Programmed patterns repeat to the letter: told the style of one, the network plays it, and
        a genre `known` from two patterns would be two beats for ever.
        """
        spread = ONLY_STYLE_NOISE / math.sqrt(known)
        programmed = np.flatnonzero(self.tables.fine <= PLAYED)
        other = self.tables.style(int(generator.choice(programmed)))
        way = generator.uniform(0, FARTHEST_WAY)
        varied: np.ndarray = (
            style + way * (other - style) + generator.normal(0, spread, style.shape)
        )
        return varied

    @cached_property
    def _levels(self) -> tuple[np.ndarray, np.ndarray]:
        """Density and loudness, 1 to 4, of every style."""
        tables, columns = self.tables, [DENSITY, LOUDNESS]
        scaled = tables.styles[:, columns] / float(STEPS_A_SPREAD)
        return tables.scale.levels(*(scaled * tables.spread[columns] + tables.mean[columns]).T)
