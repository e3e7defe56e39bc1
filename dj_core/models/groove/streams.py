"""Streams of training material: excerpts of clips, read one window at a time.

A stream starts at a bar line inside a clip, as a take does: it knows nothing of what came before.
Its windows follow each other, so the network's memory can be carried from one to the next.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dj_core.models.groove.style_vector import (
    DENSITY,
    LOUDNESS,
    OUTLINE,
    STYLE_SIZE,
    StyleSums,
)
from dj_core.models.groove.training_clips import ClipSet
from dj_core.music.step_grid import MAX_STEPS_PER_BAR

LEVELS = 4  # density and loudness are asked for in quarters of the training material
PHRASE_BARS = 16  # two phrases of eight: the second may differ from the first
DANCE_PHRASE_BARS = 8  # dance music is written in phrases of so many bars
STREAM_BARS = (4, 8, 16)
MEAN_STREAM_BARS = 9
LAG_BARS = (1, 2, 4, 0.5, 0.25)
A_BAR, TWO_BARS, HALF_A_BAR, A_QUARTER_BAR = (LAG_BARS.index(b) for b in (1, 2, 0.5, 0.25))
COPIED_LAGS = (A_BAR, TWO_BARS, HALF_A_BAR, A_QUARTER_BAR)
"""Places in `LAG_BARS` of the 16ths whose velocities and offsets may be copied."""
NEXT_STEPS = 3  # steps of the bar before that follow the lagged one and are seen, too
NO_STYLE, OWN_STYLE, PAST_STYLE = 0, 1, 2
GUESSED_TEMPO_SPREAD = 0.15  # of the logarithm: two thirds lie within 15% of a genre's usual tempo
PAST_STYLE_BARS = 2  # bars that have to be over before they say something of a style


@dataclass(frozen=True)
class Scale:
    """What turns styles into inputs; learned from the training clips.

    Attributes:
        mean, spread: of every number of a style.
        density, loudness: the three limits between the four levels.
    """

    mean: np.ndarray
    spread: np.ndarray
    density: np.ndarray
    loudness: np.ndarray

    @classmethod
    def of(cls, styles: np.ndarray) -> Scale:
        """The scale of a table of styles."""
        quarters = np.linspace(0, 1, LEVELS + 1)[1:-1]
        return cls(
            styles.mean(0),
            np.maximum(styles.std(0), 1e-3),
            np.quantile(styles[:, DENSITY], quarters),
            np.quantile(styles[:, LOUDNESS], quarters),
        )

    def scaled(self, styles: np.ndarray) -> np.ndarray:
        """Styles with mean 0 and spread 1, outliers held at 4; outlines stay as they are."""
        scaled: np.ndarray = np.clip((styles - self.mean) / self.spread, -4, 4)
        scaled[..., OUTLINE] = styles[..., OUTLINE]
        return scaled

    def levels(self, density: np.ndarray, loudness: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Density and loudness, 1 to 4, of those numbers of styles."""
        return (
            1 + np.searchsorted(self.density, density),
            1 + np.searchsorted(self.loudness, loudness),
        )


@dataclass(frozen=True)
class Conditions:
    """What a take is asked to be, per stream; 0 stands for 'any'.

    Attributes:
        genre: index among the network's genres.
        tempo_bpm: quarters a minute.
        meter: index in `METERS`, always known.
        kind: index in `clips.KINDS`.
        density, loudness: 1 (lowest) to 4.
        role: 1 + index in `genres.ROLES`.
        energy: 1 to 5.
        style: scaled style (streams, STYLE_SIZE), zeros when there is none.
        style_source: `NO_STYLE`, `OWN_STYLE` (the stream's own, veiled with noise while training)
            or `PAST_STYLE` (of the bars already over).
    """

    genre: np.ndarray
    tempo_bpm: np.ndarray
    meter: np.ndarray
    kind: np.ndarray
    density: np.ndarray
    loudness: np.ndarray
    role: np.ndarray
    energy: np.ndarray
    style: np.ndarray
    style_source: np.ndarray


@dataclass(frozen=True)
class Window:
    """The same stretch of time of several streams; arrays are (steps, streams, ...).

    Attributes:
        places: row of each step in the clip set; the empty row where `inside` is 0.
        previous, lags: rows of the step before, and of those `LAG_BARS` ago.
        following: rows of the steps after the one a bar ago.
        last: rows of each lane's last stroke, (steps, streams, 16).
        origin: first row of every stream.
        position: 16th in the bar.
        phrase: bar in the phrase, 0 to 15.
        inside: 1 where there is a step to learn from, else 0.
        conditions: per stream.
        fresh: streams that begin here and remember nothing.
    """

    places: np.ndarray
    previous: np.ndarray
    lags: np.ndarray
    following: np.ndarray
    last: np.ndarray
    origin: np.ndarray
    position: np.ndarray
    phrase: np.ndarray
    inside: np.ndarray
    conditions: Conditions
    fresh: np.ndarray

    def of_streams(self, which: slice) -> Window:
        """The same of some of the streams alone."""
        conditions = {name: value[which] for name, value in vars(self.conditions).items()}
        return Window(
            places=self.places[:, which],
            previous=self.previous[:, which],
            lags=self.lags[:, :, which],
            following=self.following[:, :, which],
            last=self.last[:, which],
            origin=self.origin[which],
            position=self.position[:, which],
            phrase=self.phrase[:, which],
            inside=self.inside[:, which],
            conditions=Conditions(**conditions),
            fresh=self.fresh[which],
        )


@dataclass
class Streams:
    """Where several streams stand; arrays of one number per stream.

    Attributes:
        clip: index in the clip set.
        origin, end: first step, and the step after the last.
        now: the next step to read.
    """

    clip: np.ndarray
    origin: np.ndarray
    end: np.ndarray
    now: np.ndarray


def lag_steps(bar_steps: np.ndarray) -> list[np.ndarray]:
    """`LAG_BARS` in 16ths, for bars of so many 16ths."""
    return [(bar_steps * bars).astype(np.int64) for bars in LAG_BARS]


def window_at(clips: ClipSet, streams: Streams, steps: int, conditions: Conditions) -> Window:
    """The next `steps` steps of every stream. Moves nothing."""
    empty = clips.steps
    bar = clips.bar_steps[streams.clip]
    places = streams.now + np.arange(steps)[:, None]
    inside = places < streams.end

    def seen(rows: np.ndarray, known: np.ndarray) -> np.ndarray:
        return np.where(known & inside, rows, empty)

    def since_origin(rows: np.ndarray) -> np.ndarray:
        return seen(rows, rows >= streams.origin)

    a_bar_ago = places - bar
    following = [
        seen(rows, (rows >= streams.origin) & (rows < places))
        for rows in (a_bar_ago + ahead for ahead in range(1, NEXT_STEPS + 1))
    ]
    last = clips.last_hit[np.where(inside, places, empty)]
    bars_played, position = np.divmod(places - streams.origin, bar)
    return Window(
        places=np.where(inside, places, empty),
        previous=since_origin(places - 1),
        lags=np.stack([since_origin(places - lag) for lag in lag_steps(bar)]),
        following=np.stack(following),
        last=np.where((last >= streams.origin[:, None]) & inside[..., None], last, empty),
        origin=streams.origin.copy(),
        position=np.minimum(position, MAX_STEPS_PER_BAR - 1),
        phrase=bars_played % PHRASE_BARS,
        inside=inside,
        conditions=conditions,
        fresh=streams.now == streams.origin,
    )


@dataclass(frozen=True)
class Veil:
    """How often what a stream is asked to be is hidden in training.

    Attributes:
        genre, tempo, kind, level, role, energy: chance of 'any'.
        own_style, past_style: chance of a style from the stream itself, or from its past.
        style_noise: spread of the noise on a style, in units of the style's own spread.
        style_gaps: share of a style's numbers that are hidden.
    """

    genre: float = 0.1
    tempo: float = 0.2
    kind: float = 0.3
    level: float = 0.6
    role: float = 0.2
    energy: float = 0.4
    own_style: float = 0.5
    past_style: float = 0.3
    style_noise: float = 0.3
    style_gaps: float = 0.15


class TrainingStreams:
    """Endless windows from random stretches of clips; every draw comes from one generator."""

    def __init__(
        self,
        clips: ClipSet,
        sums: StyleSums,
        scale: Scale,
        weights: dict[str, float],
        streams: int,
        veil: Veil,
        generator: np.random.Generator,
    ) -> None:
        """Begin.

        Args:
            clips: what to draw from.
            sums, scale: the styles of these clips.
            weights: share of each corpus among the streams that begin; 1 where none is given.
            streams: how many run side by side.
            veil: how often conditions are hidden.
            generator: the one source of chance.
        """
        self.clips, self.sums, self.scale, self.veil = clips, sums, scale, veil
        self.generator = generator
        self._chance = _chances(clips, weights)
        zeros = np.zeros(streams, np.int64)
        self.streams = Streams(zeros, zeros.copy(), zeros.copy(), zeros.copy())
        self.asked: dict[str, np.ndarray] = {
            name: np.zeros(streams, np.int64)
            for name in (
                *("genre", "kind", "density", "loudness", "role", "energy"),
                "style_source",
            )
        }
        self.asked["tempo_bpm"] = np.zeros(streams)
        self.style = np.zeros((streams, STYLE_SIZE))

    def next_window(self, steps: int) -> Window:
        """The next `steps` steps of every stream; streams that are over begin anew."""
        over = np.flatnonzero(self.streams.now >= self.streams.end)
        if len(over):
            self._begin(over)
        source, style = self.asked["style_source"], self.style
        past = np.flatnonzero(source == PAST_STYLE)
        source, style = source.copy(), style.copy()
        known = past_styles(self.clips, self.sums, self.scale, self.streams)
        style[past], source[past] = known[0][past], known[1][past]
        conditions = Conditions(
            **{**self.asked, "style_source": source},
            meter=self.clips.meter[self.streams.clip],
            style=style,
        )
        window = window_at(self.clips, self.streams, steps, conditions)
        self.streams.now = self.streams.now + steps
        return window

    def places(self) -> dict[str, np.ndarray]:
        """Where the streams stand and what they were asked, for `go_to`."""
        return {**vars(self.streams), **self.asked, "style": self.style}

    def go_to(self, places: dict[str, np.ndarray]) -> None:
        """Stand where `places` says; the generator is set by the caller."""
        self.streams = Streams(**{name: places[name].copy() for name in vars(self.streams)})
        self.asked = {name: places[name].copy() for name in self.asked}
        self.style = places["style"].copy()

    def _begin(self, which: np.ndarray) -> None:
        draw, clips, streams = self.generator, self.clips, self.streams
        clip = draw.choice(len(clips.clips), size=len(which), p=self._chance)
        bar = clips.bar_steps[clip]
        bars = np.diff(clips.starts)[clip] // bar
        length = np.minimum(draw.choice(STREAM_BARS, size=len(which)), bars)
        # phrases of played music begin every four bars, those of dance music every eight
        every = np.where(clips.is_dance[clip], DANCE_PHRASE_BARS, 4)
        first = draw.integers(0, (bars - length) // every + 1) * every
        streams.clip[which] = clip
        streams.origin[which] = clips.starts[clip] + first * bar
        streams.end[which] = streams.origin[which] + length * bar
        streams.now[which] = streams.origin[which]
        self._ask(which)

    def _ask(self, which: np.ndarray) -> None:
        """Choose what the starting streams are conditioned on."""
        draw, clips, streams, veil = self.generator, self.clips, self.streams, self.veil
        clip, count = streams.clip[which], len(which)

        def shown(values: np.ndarray, hidden: float) -> np.ndarray:
            return np.where(draw.random(count) < hidden, 0, values)

        styles = self.sums.between(streams.origin[which], streams.end[which])
        density, loudness = self.scale.levels(styles[:, DENSITY], styles[:, LOUDNESS])
        asked = self.asked
        asked["genre"][which] = shown(clips.genre[clip], veil.genre)
        asked["tempo_bpm"][which] = shown(self._tempo_bpm(clip), veil.tempo)
        asked["kind"][which] = shown(clips.kind[clip], veil.kind)
        asked["density"][which] = shown(density, veil.level)
        asked["loudness"][which] = shown(loudness, veil.level)
        asked["role"][which] = shown(clips.role[clip], veil.role)
        asked["energy"][which] = shown(clips.energy[clip], veil.energy)
        chance = draw.random(count)
        source = np.where(chance < veil.own_style + veil.past_style, PAST_STYLE, NO_STYLE)
        source = np.where(chance < veil.own_style, OWN_STYLE, source)
        asked["style_source"][which] = source
        noise = style_noise(draw, veil.style_noise, styles.shape)
        noise[~clips.is_dance[clip], OUTLINE] = 0.0
        kept = draw.random(styles.shape) >= veil.style_gaps
        own = (self.scale.scaled(styles) + noise) * kept
        self.style[which] = np.where((source == OWN_STYLE)[:, None], own, 0)

    def _tempo_bpm(self, clip: np.ndarray) -> np.ndarray:
        """The clips' tempos; where a file says none, sometimes one that its genre may have.

        Otherwise a tempo would tell which corpus a genre's clip comes from.
        """
        known, usual = self.clips.tempo_bpm[clip], self.clips.usual_tempo_bpm[clip]
        guess = usual * np.exp(self.generator.normal(0, GUESSED_TEMPO_SPREAD, len(clip)))
        guess = np.where(self.generator.random(len(clip)) < 0.5, guess, 0)
        return np.where(known > 0, known, guess)


def style_noise(
    generator: np.random.Generator, spread: float, shape: tuple[int, ...]
) -> np.ndarray:
    """Noise to add to scaled styles; outlines, which lie in 0 to 1, get half of it."""
    noise = generator.normal(0, spread, shape)
    noise[..., OUTLINE] *= 0.5
    return noise


def past_styles(
    clips: ClipSet, sums: StyleSums, scale: Scale, streams: Streams
) -> tuple[np.ndarray, np.ndarray]:
    """Scaled styles of what each stream has played, and their sources; none at the beginning."""
    now = np.minimum(streams.now, streams.end)
    enough = now - streams.origin >= PAST_STYLE_BARS * clips.bar_steps[streams.clip]
    style = scale.scaled(sums.between(streams.origin, now)) * enough[:, None]
    return style, np.where(enough, PAST_STYLE, NO_STYLE)


def _chances(clips: ClipSet, weights: dict[str, float]) -> np.ndarray:
    """How often streams begin in each clip.

    Long clips hold more streams and are chosen more often. Within a corpus a genre is chosen as
    the square root of how much of it there is, so that the rare ones are learned, too.
    """
    bars = np.diff(clips.starts) / clips.bar_steps
    chance = np.ceil(bars / MEAN_STREAM_BARS)
    for name in sorted({clip.corpus for clip in clips.clips}):
        here = np.array([clip.corpus == name for clip in clips.clips])
        amount = np.bincount(clips.genre[here], chance[here])
        chance[here] /= np.sqrt(amount[clips.genre[here]])
        chance[here] *= weights.get(name, 1.0) / chance[here].sum()
    share: np.ndarray = chance / chance.sum()
    return share


def whole_clips(
    clips: ClipSet,
    sums: StyleSums,
    scale: Scale,
    steps: int,
    streams: int,
    *,
    with_past_style: bool = True,
) -> Iterator[tuple[np.ndarray, Window]]:
    """Every clip from its first to its last step, as (clip indices, window), window by window.

    Streams in a group are of similar length. All is told that is known beforehand: genre, tempo,
    meter and kind; the style is that of the bars already over, or none.
    """
    lengths = np.diff(clips.starts)
    order = np.argsort(-lengths, kind="stable")
    for first in range(0, len(order), streams):
        clip = order[first : first + streams]
        zeros = np.zeros(len(clip), np.int64)
        state = Streams(clip, clips.starts[clip], clips.starts[clip + 1], clips.starts[clip])
        while (state.now < state.end).any():
            style, source = past_styles(clips, sums, scale, state)
            if not with_past_style:
                style, source = np.zeros_like(style), zeros
            conditions = Conditions(
                genre=clips.genre[clip],
                tempo_bpm=clips.tempo_bpm[clip],
                meter=clips.meter[clip],
                kind=clips.kind[clip],
                density=zeros,
                loudness=zeros,
                role=clips.role[clip],
                energy=clips.energy[clip],
                style=style,
                style_source=source,
            )
            yield clip, window_at(clips, state, steps, conditions)
            state.now = state.now + steps
