"""From a recipe to a SoundFont: strokes of four velocity layers, alternates, a zone for every key.

A layer is synthesised anew where strokes differ most. Elsewhere it is the next harder stroke
through a low-pass, which a SoundFont can say: long cymbals four times over would not fit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dj_core.music.drum_maps import drum_of_note
from dj_core.music.drums import DRUM, GENERAL_MIDI_PERCUSSION
from dj_core.sound.kit_table import ALTERNATE_KEYS_UP, ALTERNATED_NOTES
from dj_core.sound.kits.recipes import Recipe
from dj_core.sound.kits.signals import SAMPLE_RATE_HZ, Signal, decibels
from dj_core.sound.kits.soundfont_file import Sample, Zone, soundfont_bytes

LAYERS = ((1, 47), (48, 79), (80, 107), (108, 127))
"""The velocities of each layer, softest first."""
HARDNESS = (0.25, 0.5, 0.75, 1.0)
"""How hard a stroke of each layer is."""
_FULL_SCALE = 32_767
_HAT_CHOKE = 1
_DARKER = 0.87  # centroid of a layer made by a low-pass, against the next harder one
_CUTS_HZ = tuple(100 * 2 ** (step / 6) for step in range(46))  # low-passes: 100 to 18,100 Hz
_MOST_LOST_DB = 1.5  # of a stroke's energy, for each layer that it is softer
_SHORTER_DB = 14  # how much softer the end of a stroke is, for each layer that it is softer
_END_DBFS = -50.0  # a stroke ends where it stays below, as loud as it is in the kit
# FluidSynth fades every voice in over its first 64 frames; what is struck comes behind the most of
# that. A millisecond, the same for every drum.
_LEAD_IN_FRAMES = 44
# By how many cents each note of General MIDI lies off the drum of ours that plays it, in the order
# in which the drum table lists a drum's notes; those of a drum that is not here are all its own.
_CENTS = {
    "kick": (-200, 0),
    "snare": (0, 150),
    "low_tom": (-300, 0),
    "mid_tom": (-250, 0),
    "high_tom": (-250, 0),
    "crash": (0, -400, 500, 200),
    "ride": (0, 500, -150),
    "shaker": (0, 0, -600, -250, 0, 350, -450, 0),
    "cowbell": (0, 0, 0, 0, 0, 500, 150, 1200, 1000, 900, 500, 150, 1500, 1400, 0, 0, 0),
    "conga": (900, 500, 250, 0, -400, 700, 300, 1100, -700, 0, 0),
}
_WOOD = frozenset(DRUM["cowbell"].general_midi[9:12])
"""Clave and wood blocks: filed under the cowbell, played by the side stick."""
STROKES: dict[str, tuple[int, ...]] = {"kick": (1, 3), "snare": (1, 3), "closed_hat": (1, 3)}
"""Layers that are synthesised, by drum; of others the hardest alone."""
EVERY_LAYER = (0, 1, 2, 3)
TIMBRES = {
    "low_tom": (1, 1, 3, 3),
    "mid_tom": (1, 1, 3, 3),
    "high_tom": (1, 1, 3, 3),
    "crash": (1, 1, 3, 3),
    "ride": (1, 1, 3, 3),
    "tambourine": (1, 1, 3, 3),
}
"""Drums that ring too long for four timbres in a browser's kit: what each layer sounds like."""
ALTERNATE_TIMBRES = {"open_hat": (1, 1, 2, 3)}
"""The same of alternates."""
HISSING = {"clap", "pedal_hat", "open_hat", "crash", "ride", "tambourine", "shaker"}
"""Drums of noise, which are shorter when they are softer."""


def build(recipe: Recipe) -> bytes:
    """The kit as a SoundFont file, the same bytes each time."""
    samples: list[Sample] = []
    zones: list[Zone] = []
    for drum, part in recipe.parts.items():
        notes = [note for note in GENERAL_MIDI_PERCUSSION if _drum_playing(note) == drum]
        for alternate in range(2 if DRUM[drum].note in ALTERNATED_NOTES else 1):
            made = strokes(recipe, drum, alternate, STROKES.get(drum, (3,)))
            places = {}
            for layer, stroke in made.items():
                places[layer] = len(samples)
                name = f"{drum} {layer + 1}{'ab'[alternate]}"
                samples.append(Sample(name, _whole(stroke, part.level_db), SAMPLE_RATE_HZ))
            timbres = (ALTERNATE_TIMBRES if alternate else TIMBRES).get(drum, EVERY_LAYER)
            softened = _softened(made, timbres, drum in HISSING)
            for note in notes:
                if alternate and note not in ALTERNATED_NOTES:
                    continue
                zones += [
                    Zone(
                        key=note + ALTERNATE_KEYS_UP * alternate,
                        softest=softest,
                        hardest=hardest,
                        sample=places[soft.stroke],
                        pan=part.pan,
                        cents=_cents(note),
                        choke=_HAT_CHOKE if DRUM[drum].family == "hat" else 0,
                        low_pass_hz=soft.low_pass_hz,
                        decay_seconds=soft.decay_seconds,
                    )
                    for soft, (softest, hardest) in zip(softened, LAYERS, strict=True)
                ]
    return soundfont_bytes(f"{recipe.label} (Digital DJ)", recipe.about, samples, zones)


def strokes(
    recipe: Recipe, drum: str, alternate: int = 0, layers: tuple[int, ...] = (0, 1, 2, 3)
) -> dict[int, Signal]:
    """A drum's strokes by layer, each as loud as the hardest of the usual ones.

    By energy; one whose peak would go over full scale in the kit is softer.
    """
    part = recipe.parts[drum]
    end_db = _END_DBFS - part.level_db

    def struck(layer: int, alternate: int) -> Signal:
        return part.voice.stroke(HARDNESS[layer], alternate, recipe.seed, end_db)

    usual = float(np.square(struck(len(LAYERS) - 1, 0)).sum())
    made = {}
    for layer in layers:
        stroke = struck(layer, alternate)
        gain = math.sqrt(usual / float(np.square(stroke).sum()))
        made[layer] = stroke * min(gain, decibels(-part.level_db))
    return made


def _drum_playing(note: int) -> str:
    """The drum of ours that plays a note of General MIDI."""
    return "side_stick" if note in _WOOD else drum_of_note(note).name


def _cents(note: int) -> int:
    """How much higher a note sounds than the drum that plays it."""
    filed = drum_of_note(note)
    cents = _CENTS.get(filed.name)
    return cents[filed.general_midi.index(note)] if cents else 0


def _whole(stroke: Signal, level_db: float) -> NDArray[np.int16]:
    """A stroke as a file keeps it, behind a moment of silence."""
    loud = np.rint(stroke * (decibels(level_db) * _FULL_SCALE)).astype(np.int16)
    return np.concatenate([np.zeros(_LEAD_IN_FRAMES, np.int16), loud])


@dataclass(frozen=True)
class _Softened:
    """How a layer plays a stroke: as it is, or darker and shorter.

    Attributes:
        stroke: the layer whose stroke it is.
        low_pass_hz, decay_seconds: as of a zone.
    """

    stroke: int
    low_pass_hz: float | None = None
    decay_seconds: float | None = None


def _softened(made: Mapping[int, Signal], timbres: Sequence[int], hisses: bool) -> list[_Softened]:
    """How each layer plays the strokes that were made; what hisses is also shorter when soft.

    A layer without a stroke of its own lies between its neighbours in brightness (spectral
    centroid), or is darker than the softest; it never loses so much energy that it would vanish.
    """
    bright = {layer: _centroid(*_spectrum(stroke)) for layer, stroke in made.items()}
    softened = []
    for timbre in timbres:
        played = min(one for one in made if one >= timbre)
        steps = played - timbre
        if not steps:
            softened.append(_Softened(played))
            continue
        softer = [one for one in made if one < timbre]
        wanted = bright[played] * _DARKER**steps
        if softer:
            wanted = math.sqrt(bright[played] * min(bright[max(softer)], bright[played]))
        hertz, power = _spectrum(made[played])
        off = {}
        for cut in _CUTS_HZ:
            left = power * _passed(hertz, cut)
            if left.sum() > power.sum() * 10 ** (-_MOST_LOST_DB * steps / 10):
                off[cut] = abs(math.log(_centroid(hertz, left) / wanted))
        ring = len(made[played]) / SAMPLE_RATE_HZ
        fall = ring * 100 / (_SHORTER_DB * steps) if hisses else None
        softened.append(_Softened(played, min(off, key=off.__getitem__), fall))
    return softened


def _passed(hertz: Signal, cut_hz: float) -> Signal:
    """The share of power that a SoundFont's low-pass lets through at each frequency."""
    warped = np.tan(np.pi * np.minimum(hertz / SAMPLE_RATE_HZ, 0.4999))
    return 1 / (1 + (warped / math.tan(math.pi * cut_hz / SAMPLE_RATE_HZ)) ** 4)


def _spectrum(stroke: Signal) -> tuple[Signal, Signal]:
    """Frequencies in Hz, and the power at each."""
    frames = 2 ** math.ceil(math.log2(len(stroke)))
    power: Signal = np.square(np.abs(np.fft.rfft(stroke, frames)))
    return np.arange(len(power)) * (SAMPLE_RATE_HZ / frames), power


def _centroid(hertz: Signal, power: Signal) -> float:
    return float((hertz * power).sum() / power.sum())
