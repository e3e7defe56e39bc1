"""Records what the shipped models play, take by take: `python -m scripts.record_takes`.

Run it when a shipped model's weights are exchanged, or when its beats change on purpose; say in
CHANGELOG.md that they did. tests/test_recorded_takes.py plays the same takes again and compares.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import cast

from dj_core.files.beat_json import beat_to_json, canonical_json
from dj_core.files.storage import sha256_of, write_json_atomic
from dj_core.models.checkpoint import SHIPPED_MODELS
from dj_core.models.families import load_model
from dj_core.models.groove.groove_player import GrooveModel
from dj_core.models.humanizer.humanizer_player import load_humanizer
from dj_core.models.request import Feel, GenerationRequest
from dj_core.music.beat import Beat
from dj_core.music.patterns import load_patterns
from dj_core.music.step_grid import METERS
from dj_core.shaping.continuing import continue_beat
from dj_core.shaping.filling import add_fill
from dj_core.shaping.locks import Keep
from dj_core.shaping.rerolling import reroll

RECORD = Path(__file__).resolve().parent.parent / "tests" / "recorded_takes.json"
MODELS = ("groove", "notes-best", "notes-rhythm", "paper-2x32", "humanizer")
_DIGITS = 16  # of a take's SHA-256


def main() -> None:
    """Write the record."""
    write_json_atomic(RECORD, {name: {**weights(name), **played(name)} for name in MODELS})


def weights(name: str) -> dict[str, str]:
    """Which weights a shipped model has."""
    card = json.loads((SHIPPED_MODELS / name / "model.json").read_text("utf-8"))
    return {"weights": card["weights_sha256"]}


def played(name: str) -> dict[str, str]:
    """A digest of the hits of each take of a shipped model, by what was asked."""
    if name == "humanizer":
        takes = _humanized()
    elif name == "groove":
        takes = _grooves()
    else:
        takes = _notes(name)
    return {asked: _digest(beat) for asked, beat in takes}


def _digest(beat: Beat) -> str:
    facts = beat_to_json(beat)
    told = canonical_json([facts[part] for part in ("bars", "meter", "tempo_bpm", "hits")])
    return sha256_of(told.encode())[:_DIGITS]


def _grooves() -> Iterator[tuple[str, Beat]]:
    model = cast("GrooveModel", load_model(SHIPPED_MODELS / "groove"))
    asked = {
        f"{genre}, seed {seed}": GenerationRequest(genre=genre, bars=2, seed=seed)
        for seed, genre in enumerate(model.genres, 1)
    }
    for genre in ("", "house", "funk"):
        for meter in METERS:
            request = GenerationRequest(genre=genre, bars=3, meter=meter, seed=7)
            asked[f"{genre or 'any genre'} in {meter}"] = request
        for temperature, top_p in ((0.0, 1.0), (0.6, 0.9), (3.0, 1.0)):
            request = GenerationRequest(
                genre=genre, bars=9, seed=8, temperature=temperature, top_p=top_p
            )
            asked[f"{genre or 'any genre'} at {temperature:g}, {top_p:g}"] = request
        feel = Feel(kind="fill", density=4, loudness=3, timing=2.0)
        asked[f"{genre or 'any genre'}, a fill"] = GenerationRequest(
            genre=genre, bars=1, seed=9, feel=feel
        )
    for told, take in zip(asked, model.generate_all(list(asked.values())), strict=True):
        yield told, take.beat
    for genre in ("techno", "jazz"):
        beat = model.generate(GenerationRequest(genre=genre, bars=2, seed=1)).beat
        yield f"{genre}, alone", beat
        yield f"{genre}, continued", continue_beat(model, beat, 3, seed=2)[0]
        yield f"{genre}, with a fill", add_fill(model, beat, seed=3)
        yield f"{genre}, rerolled", reroll(model, beat, Keep(drums=frozenset({"kick"})), seed=4)


def _notes(name: str) -> Iterator[tuple[str, Beat]]:
    model = load_model(SHIPPED_MODELS / name)
    for seed, genre in enumerate(("", *model.genres), 1):
        request = GenerationRequest(genre=genre, bars=4, seed=seed)
        yield f"{genre or 'any genre'}, seed {seed}", model.generate(request).beat
    for temperature, top_p in ((0.0, 1.0), (0.7, 0.9), (2.0, 1.0)):
        request = GenerationRequest(notes=60, seed=5, temperature=temperature, top_p=top_p)
        yield f"60 notes at {temperature:g}, {top_p:g}", model.generate(request).beat


def _humanized() -> Iterator[tuple[str, Beat]]:
    model = load_humanizer()
    for beat in load_patterns()[::20]:
        yield f"{beat.genre}, {beat.title}", model.humanize(beat, seed=3)


if __name__ == "__main__":
    main()
