"""Placement bias: where takes of dance styles strike more or less often than their material does.

A generating network drifts towards what all genres have in common: a backbeat creeps into half-time
styles, busy drums become busier. Takes of every dance style are counted, drum by drum and 16th by
16th, against the phrases the model learned from; the difference of the log odds is added when takes
are played. The groove preset does so at the end of training, ``python -m
scripts.settle_style_bias`` likewise. No held-out phrase is looked at.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from dj_core.models.groove.groove_checkpoint import (
    GrooveCheckpoint,
    load_groove_model,
    save_groove_model,
)
from dj_core.models.groove.style_tables import PLACED_ROLES, PLACES
from dj_core.models.groove.training_clips import Clip, clip_of, phrase_clips, role_index
from dj_core.models.request import GenerationRequest
from dj_core.music.composer import written_genres
from dj_core.music.genres import DANCE_STYLES
from dj_core.music.step_grid import LANES

TAKES_A_STYLE, TAKE_BARS = 20, 8
ROUNDS = (0.7, 0.6, 0.5, 0.4)
"""Share of the difference found in a round that the next one corrects; smaller later, against
noise."""
FARTHEST = 2.5  # log odds that are added at most
DOUBT = 2.0  # strokes and silences, half each, mixed into every count
FIRST_SEED = 800_000
STEPS_A_TAKE = 0.2  # a take of eight bars takes about as long as so many training steps
_AT_A_TIME = 64


def measure_placement_bias(
    checkpoint: GrooveCheckpoint, takes: int = TAKES_A_STYLE
) -> Generator[float, None, np.ndarray]:
    """What to add to log odds so that takes strike as often as their material, (genres, 16, 16).

    Yields the share that is done, over 0 to 1; the answer is what it returns: zeros for genres
    that are no dance styles or have no phrases.

    Args:
        checkpoint: its own placement bias is not used.
        takes: of eight bars, for each style and round.
    """
    from dj_core.models.groove.groove_player import GrooveModel

    genres = checkpoint.settings.genres
    roles = {role_index(role) for role in PLACED_ROLES}
    material: dict[str, list[Clip]] = {}
    styles = tuple(genre for genre in DANCE_STYLES if genre in genres)
    for clip in phrase_clips(() if styles == written_genres() else styles):
        if clip.role in roles and clip.meter == 0:
            material.setdefault(clip.genre, []).append(clip)
    styles = tuple(material)
    settled = np.zeros((len(genres), PLACES, LANES))
    wanted = {genre: _log_odds(material[genre]) for genre in styles}
    for number, share in enumerate(ROUNDS):
        tables = replace(checkpoint.tables, placement=settled.astype(np.float16))
        model = GrooveModel("measured", replace(checkpoint, tables=tables))
        first = FIRST_SEED + number * takes
        requests = [
            GenerationRequest(genre=genre, bars=TAKE_BARS, seed=first + take)
            for genre in styles
            for take in range(takes)
        ]
        played: dict[str, list[Clip]] = {genre: [] for genre in styles}
        for done in range(0, len(requests), _AT_A_TIME):
            for take in model.generate_all(requests[done : done + _AT_A_TIME]):
                played[take.beat.genre].append(clip_of(take.beat, "beat", "measured"))
            yield (number + min(1.0, (done + _AT_A_TIME) / len(requests))) / len(ROUNDS)
        for genre in styles:
            settled[genres.index(genre)] += share * (wanted[genre] - _log_odds(played[genre]))
        settled = np.clip(settled, -FARTHEST, FARTHEST)
    return settled.astype(np.float16)


def _log_odds(clips: list[Clip]) -> np.ndarray:
    """Log odds of a strike at each 16th of the bar, for each drum, (16, 16)."""
    struck = np.concatenate([clip.grid.velocity > 0 for clip in clips])
    bars = len(struck) // PLACES
    count = struck[: bars * PLACES].reshape(bars, PLACES, LANES).sum(0) + DOUBT / 2
    log_odds: np.ndarray = np.log(count) - np.log(bars + DOUBT - count)
    return log_odds


def settle_placement_bias(folder: Path, takes: int = TAKES_A_STYLE) -> Iterator[float]:
    """Measure a model folder's placement bias and store it there; the network stays as it is.

    Yields the share that is done, over 0 to 1; the bias is stored at the end.

    Raises:
        CheckpointError: no groove model.
        LibraryError: the folder cannot be written.
    """
    checkpoint = load_groove_model(folder)
    settled = yield from measure_placement_bias(checkpoint, takes)
    tables = replace(checkpoint.tables, placement=settled)
    save_groove_model(folder, checkpoint.network, tables, checkpoint.facts)
