"""Shared by all shaping tools: requests to the groove model, and its answers as beats."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from dj_core.errors import GenerationError
from dj_core.models.request import BeatModel, GenerationRequest, Take
from dj_core.music.beat import Beat, Hit, Provenance
from dj_core.music.drums import DRUMS
from dj_core.music.step_grid import STEPS_PER_QUARTER, Grid, encode, steps_per_bar, to_grid

if TYPE_CHECKING:
    from dj_core.models.groove.groove_player import GrooveModel
    from dj_core.models.groove.infilling import Guide


def shaper(model: BeatModel) -> GrooveModel:
    """`model`, if it can play around given hits. Raises GenerationError."""
    if not model.can_shape:
        raise GenerationError(
            f"Model {model.name} writes note after note and cannot play around what is there. "
            "Choose a groove model."
        )
    return cast("GrooveModel", model)  # no other family can shape


def request_like(
    model: BeatModel,
    beat: Beat,
    *,
    seed: int,
    temperature: float = 1.0,
    bars: int | None = None,
    genre: str | None = None,
) -> GenerationRequest:
    """A request for what goes with `beat`: its genre (if the model knows it), tempo and meter."""
    asked = beat.genre if genre is None else genre
    if genre is None and asked not in model.genres:
        asked = ""
    return GenerationRequest(
        genre=asked,
        tempo_bpm=beat.playing_tempo_bpm,
        meter=beat.meter,
        bars=bars or beat.bars,
        temperature=temperature,
        seed=seed,
    )


def grid_of(beat: Beat) -> Grid:
    """The beat on the grid. Raises TokenizerError for meters that grids do not have."""
    return to_grid(encode(beat))


def guide_for(beat: Beat, held: np.ndarray, **more: Any) -> Guide:  # noqa: ANN401
    """A guide that holds the marked cells of `beat`; `more` are fields of `Guide`."""
    from dj_core.models.groove.infilling import Guide, own_hand

    fields = {"felt": np.zeros_like(held), "leaning": np.zeros(held.shape), **more}
    return Guide(given=grid_of(beat), held=held, hand=own_hand(beat), **fields)


def with_played(
    base: Beat, kept: Sequence[Hit], played: Beat, model: GrooveModel, settings: dict[str, Any]
) -> Beat:
    """`base` with only its `kept` hits, and those a model played around them."""
    hits = (*kept, *(hit for hit in played.hits if hit.onset_quarters < base.length_quarters))
    return replace(base, hits=hits, provenance=shaped(base, model, settings))


def shaped(base: Beat, model: GrooveModel, settings: dict[str, Any]) -> Provenance:
    """Where a shaped beat comes from: what was done by which model, and what it was done to."""
    origin = {
        name: value
        for name, value in asdict(base.provenance).items()
        if value not in (None, "", {}, False)
    }
    before = origin.get("settings", {})
    if isinstance(before, dict) and "before" in before:  # one step back is enough to go on
        origin["settings"] = {k: v for k, v in before.items() if k != "before"}
    return Provenance(
        source=model.name,
        model=model.name,
        model_sha256=model.checkpoint.weights_sha256,
        corpus=", ".join(model.checkpoint.facts.corpora),
        seed=settings.get("seed"),
        settings={**settings, "before": origin},
    )


def bar_cells(beat: Beat) -> int:
    """16ths in a bar. Raises TokenizerError."""
    return steps_per_bar(beat.meter)


def take_of(beat: Beat) -> Take:
    """A beat as a take; its notes are what is struck together, 16th by 16th."""
    steps: dict[int, set[int]] = {}
    for hit in beat.hits:
        step = math.floor(hit.onset_quarters * STEPS_PER_QUARTER + 0.5)
        steps.setdefault(step, set()).add(hit.lane)
    words = (
        " ".join(DRUMS[lane].name for lane in sorted(steps.get(step, ()))) or "rest"
        for step in range(round(beat.length_quarters * STEPS_PER_QUARTER))
    )
    return Take(beat, tuple(words))
