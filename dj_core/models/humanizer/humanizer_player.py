"""Humanise: gives a beat's hits a drummer's velocities and timing, by an amount from 0 to 1."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from dj_core.errors import GenerationError
from dj_core.models.checkpoint import SHIPPED_MODELS
from dj_core.models.humanizer.humanizer_checkpoint import (
    HumanizerCheckpoint,
    load_humanizer_checkpoint,
)
from dj_core.models.humanizer.humanizer_inference import HumanizerStepwise
from dj_core.models.humanizer.humanizer_shape import Strokes, earlier, strokes_of
from dj_core.models.humanizer.performances import Batch
from dj_core.models.threads import cpu_threads, one_thread
from dj_core.music.beat import Beat, Hit, Provenance
from dj_core.music.drums import DRUMS, LANE
from dj_core.music.step_grid import (
    LANES,
    METERS,
    STEPS_PER_QUARTER,
    VELOCITY_BINS,
    steps_per_bar,
    velocities_of_bin,
)

SHIPPED_HUMANIZER = SHIPPED_MODELS / "humanizer"
ON_THE_GRID_QUARTERS = 1 / 24  # a stroke further from its 16th (a triplet, a 32nd) is meant to be
PLAYED_AS = {
    "clap": "snare",
    "tambourine": "closed_hat",
    "shaker": "closed_hat",
    "cowbell": "ride",
    "conga": "mid_tom",
}
"""Drums that no recorded kit has, and whose hand they are given."""

_HAND = np.array([LANE[PLAYED_AS.get(drum.name, drum.name)] for drum in DRUMS])


@dataclass(frozen=True)
class Guess:
    """Chances per hit; hits in the order of `strokes_of`.

    Attributes:
        velocity: (hits, 128), by MIDI velocity; column 0 is empty.
        offset: (hits, 125), by 480th of a quarter from -62 to 62.
    """

    velocity: np.ndarray
    offset: np.ndarray


class Humanizer:
    """Gives hits velocity and timing as drummers play them."""

    def __init__(self, checkpoint: HumanizerCheckpoint) -> None:
        self.checkpoint, self.alphabet = checkpoint, checkpoint.alphabet
        self.sha256 = checkpoint.weights_sha256
        self.genres = tuple(genre for genre in checkpoint.settings.genres if genre)

    @cached_property
    def stepwise(self) -> HumanizerStepwise:
        """The network laid out for playing."""
        return HumanizerStepwise(self.checkpoint.weights)

    def humanize(
        self, beat: Beat, amount: float = 1.0, *, genre: str | None = None, seed: int = 1
    ) -> Beat:
        """`beat` with a drummer's dynamics and timing; every hit stays, none is added.

        Strokes that lie off the 16ths on purpose (triplets, 32nds, flams) keep their place and
        get a drummer's deviation from it.

        Args:
            beat: in a meter of `tokenizers.groove.METERS`.
            amount: 0 (as it is) to 1 (as played).
            genre: whose feel; None for the beat's own, '' for any.
            seed: another seed, another performance.

        Raises:
            GenerationError: an amount or genre out of range, or a meter nobody has learned.
        """
        if not 0 <= amount <= 1:
            raise GenerationError(f"Humanise by 0 to 1; got {amount:g}.")
        if genre and genre not in self.genres:
            raise GenerationError(
                f"The humaniser knows the feel of {', '.join(self.genres)}; got {genre!r}."
            )
        if beat.meter not in METERS:
            raise GenerationError(
                f"The humaniser plays in {', '.join(map(str, METERS))}; got {beat.meter}."
            )
        settings = {"shape": "humanize", "amount": amount, "genre": genre, "seed": seed}
        origin = Provenance(source=beat.provenance.source, model="humanizer",
                            model_sha256=self.sha256 or None, corpus=beat.provenance.corpus,
                            seed=seed, settings=settings)  # fmt: skip
        if not beat.hits or not amount:
            return replace(beat, provenance=origin)
        # hits by 16th and hand, the loudest first; what anticipates the end belongs to the last
        steps = beat.bars * steps_per_bar(beat.meter)
        cells: dict[tuple[int, int], list[Hit]] = defaultdict(list)
        struck = np.zeros((steps, 1, LANES), np.uint8)
        for hit in sorted(beat.hits, key=lambda hit: -hit.velocity):
            step = min(int(np.floor(hit.onset_quarters * STEPS_PER_QUARTER + 0.5)), steps - 1)
            hand = int(_HAND[hit.lane])
            cells[step, hand].append(hit)
            struck[step, 0, hand] = 1
        asked = beat.genre if genre is None else genre
        index = self.checkpoint.settings.genres.index(asked) if asked in self.genres else 0
        batch = Batch(
            struck,
            struck,
            meter=np.array([METERS.index(beat.meter)]),
            genre=np.array([index]),
            tempo_bpm=np.array([beat.tempo_bpm or 0.0]),
            bar_steps=np.array([steps_per_bar(beat.meter)]),
        )
        strokes = strokes_of(batch)
        velocity, offset = self.play(batch, seed)
        latest = float(np.nextafter(beat.length_quarters, 0))
        hits: list[Hit] = []
        for at in np.flatnonzero(strokes.there[:, 0]).tolist():
            cell = cells[int(strokes.step[at, 0]), int(strokes.lane[at, 0])]
            # the loudest as it is played, and the others with it
            off = cell[0].onset_quarters - int(strokes.step[at, 0]) / STEPS_PER_QUARTER
            shift = float(offset[at, 0]) / STEPS_PER_QUARTER
            if abs(off) <= ON_THE_GRID_QUARTERS:
                shift -= off
            for hit in cell:
                wanted = int(velocity[at, 0]) * hit.velocity / cell[0].velocity
                level = round(hit.velocity + amount * (wanted - hit.velocity))
                onset = min(max(hit.onset_quarters + amount * shift, 0.0), latest)
                level = min(max(level, 1), 127)
                hits.append(replace(hit, onset_quarters=onset, velocity=level))
        return replace(beat, hits=tuple(hits), provenance=origin)

    # --- as played -----------------------------------------------------------------------------

    def play(self, batch: Batch, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """One performance: MIDI velocity and offset in 16ths, (hits, streams) as `strokes_of`.

        Only where the batch is struck counts, not how.
        """
        network, strokes = self.stepwise, strokes_of(batch)
        hits, streams = strokes.step.shape
        draws = np.random.default_rng(seed).random((4, hits, streams))
        tokens = np.zeros((2, hits, streams), np.int64)
        with one_thread():
            state = network.player.silent(streams)
            heard = network.listen(batch)[strokes.step, np.arange(streams)]
            for now in range(hits):
                row = slice(now, now + 1)
                here = Strokes(**{name: part[row] for name, part in vars(strokes).items()})
                sources = [earlier(part, strokes, row)[0] for part in tokens]
                around = network.around(heard[now], here, *sources)
                state = network.player.step(state, around)
                levels = network.velocity_logits(state[0], around)
                tokens[0, now] = _drawn(levels, draws[0, now])
                places = network.offset_logits(state[0], around, tokens[0, now])
                tokens[1, now] = _drawn(places, draws[1, now])
        velocity = np.zeros(strokes.step.shape, np.int64)
        offset = np.zeros(strokes.step.shape)
        for at in zip(*np.nonzero(strokes.there), strict=True):
            level, place = int(tokens[0][at]), int(tokens[1][at])
            velocity[at] = self.alphabet.velocity(int(strokes.lane[at]), level, draws[2][at])
            offset[at] = self.alphabet.offset_sixteenths(place, draws[3][at])
        return velocity, offset

    # --- on average ----------------------------------------------------------------------------

    def guess(self, batch: Batch) -> Guess:
        """Chances of every hit of a batch on its own, streams one after another. Needs torch."""
        import torch

        network, strokes = self.checkpoint.network, strokes_of(batch)
        with torch.inference_mode(), cpu_threads(1):
            levels, places = network.on_average(network.listen(batch), strokes)
            there = torch.from_numpy(strokes.there.T)  # a stream's hits side by side
            velocity = levels.transpose(0, 1)[there].double().softmax(-1).numpy()
            offset = places.transpose(0, 1)[there].double().softmax(-1).numpy()
        lane = strokes.lane.T[strokes.there.T]
        # the alphabet's chances, not cumulative
        within, ticks = (
            np.diff(table, prepend=0.0) for table in (self.alphabet.velocities, self.alphabet.ticks)
        )
        spread = np.zeros((len(lane), 128))
        for index in range(VELOCITY_BINS):
            members = velocities_of_bin(index)
            spread[:, members.start : members.stop] = (
                velocity[:, index, None] * within[lane, index, : len(members)]
            )
        return Guess(spread, (offset[:, :, None] * ticks).reshape(len(lane), -1))


def load_humanizer(folder: Path = SHIPPED_HUMANIZER) -> Humanizer:
    """The humaniser in a model folder. Raises CheckpointError."""
    return Humanizer(load_humanizer_checkpoint(folder))


def _drawn(logits: np.ndarray, draws: np.ndarray) -> np.ndarray:
    chances = np.exp(logits.astype(np.float64) - logits.max(1, keepdims=True))
    cumulative = chances.cumsum(-1)
    reached = (cumulative <= (draws * cumulative[:, -1])[:, None]).sum(1)
    drawn: np.ndarray = np.minimum(reached, cumulative.shape[1] - 1)
    return drawn
