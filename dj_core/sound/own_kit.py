"""A kit of one's own: sixteen pads, each with recordings and how they are played; as a SoundFont.

    recordings --cut, shaped, levelled by their pad--> samples and zones --soundfont_file--> .sf2

What plays it then is what plays every kit: the deck, loops, sets and packs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dj_core.errors import SoundError
from dj_core.files.beat_json import shown
from dj_core.music.drums import DRUM, DRUMS, GENERAL_MIDI_PERCUSSION
from dj_core.sound.decoding import Audio
from dj_core.sound.kit_table import HATS
from dj_core.sound.kits.soundfont_file import Sample, Zone, soundfont_bytes

FORMAT, VERSION = "digital-dj-kit", 1
LEVELS_DB: Mapping[str, float] = {
    "kick": -2, "snare": -4, "side_stick": -9, "clap": -7, "closed_hat": -13, "pedal_hat": -15,
    "open_hat": -13, "low_tom": -7, "mid_tom": -7, "high_tom": -7, "crash": -11, "ride": -14,
    "tambourine": -15, "shaker": -16, "cowbell": -12, "conga": -10,
}  # fmt: skip
"""How loud a drum's peak is to begin with: packs on sale have every recording at full scale."""
MOST_SECONDS = 3.0  # of a drum in a kit
MOST_LAYERS = 4
MOST_LABEL = 60
RATE_HZ = 44_100
_LEAD_IN_FRAMES = 44  # as our kits' strokes have it: FluidSynth fades voices in
_END_DB = -66.0  # a drum ends where it stays below, against its peak
_END_FADE_SECONDS, _CUT_FADE_SHARE = 0.004, 0.3
_DECAY_DB = 60
_MONO_DB = -30.0  # sides that differ by less are one channel
_HARD_PAN_DB = -3.0  # a side that plays alone is so much louder than one in the middle
_PEAK = 0.97
_CHOKE_CLASS = 1
_RANGES = {
    "start_seconds": (0.0, 10.0), "tune_semitones": (-24.0, 24.0), "gain_db": (-40.0, 6.0),
    "pan": (-1.0, 1.0), "response": (0.0, 1.5),
}  # fmt: skip
SHORTEST_DECAY_SECONDS, LONGEST_DECAY_SECONDS = 0.02, 10.0


@dataclass(frozen=True)
class Layer:
    """A recording of a pad.

    Attributes:
        file: its name among the kit's recordings.
        hardest: the hardest stroke it plays, 1 to 127.
    """

    file: str
    hardest: int = 127


@dataclass(frozen=True)
class Pad:
    """How a drum of the kit plays its recordings.

    Attributes:
        layers: the recordings, the softest first; the last plays up to velocity 127.
        start_seconds: what is left out at the beginning, 0 to 10.
        tune_semitones: how much higher than recorded, -24 to 24.
        decay_seconds: how long it takes to fall by 60 dB beside its own decay, 0.02 to 10; None
            leaves it as recorded.
        gain_db: its peak against full scale, -40 to 6.
        pan: -1 (left) to 1 (right).
        choke: it silences, and is silenced by, the other pads that have this.
        response: how much a soft stroke is softer: 0 not at all, 1 as SoundFonts have it, to 1.5.

    Raises:
        SoundError: a value out of its range.
    """

    layers: tuple[Layer, ...]
    start_seconds: float = 0.0
    tune_semitones: float = 0.0
    decay_seconds: float | None = None
    gain_db: float = 0.0
    pan: float = 0.0
    choke: bool = False
    response: float = 1.0

    def __post_init__(self) -> None:
        tops = [layer.hardest for layer in self.layers]
        if not 1 <= len(tops) <= MOST_LAYERS or tops[-1] != 127 or tops != sorted(set(tops)):
            raise SoundError(
                f"A pad has 1 to {MOST_LAYERS} recordings from soft to hard, the last up to 127; "
                f"got {shown(tops)}."
            )
        if tops[0] < 1:
            raise SoundError(f"A velocity is 1 to 127; got {shown(tops[0])}.")
        for name, (low, high) in _RANGES.items():
            if not low <= getattr(self, name) <= high:
                words = name.replace("_", " ")
                raise SoundError(
                    f"A pad's {words} is {low:g} to {high:g}; got {shown(getattr(self, name))}."
                )
        low, high = SHORTEST_DECAY_SECONDS, LONGEST_DECAY_SECONDS
        if self.decay_seconds is not None and not low <= self.decay_seconds <= high:
            raise SoundError(
                f"A pad's decay is {low:g} to {high:g} seconds; got {shown(self.decay_seconds)}."
            )


@dataclass(frozen=True)
class OneShot:
    """A recording of the kit, on a pad or not.

    Attributes:
        file: its name.
        drum: the lane it was guessed to be.
        sure: how sure that was, 0 to 1.
    """

    file: str
    drum: str
    sure: float


@dataclass(frozen=True)
class OwnKit:
    """A kit of one's own.

    Attributes:
        label: what a DJ reads, up to 60 characters.
        pads: by lane, in the drum table's order; a lane without one is silent.
        shots: its recordings.

    Raises:
        SoundError: no label, or a pad of no drum or with no recording.
    """

    label: str
    pads: Mapping[str, Pad]
    shots: tuple[OneShot, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.label) <= MOST_LABEL:
            raise SoundError(f"A kit's name has 1 to {MOST_LABEL} characters.")
        files = {shot.file for shot in self.shots}
        for lane, pad in self.pads.items():
            if lane not in DRUM:
                raise SoundError(f"No drum is called {shown(lane)}. Drums: {', '.join(DRUM)}.")
            for layer in pad.layers:
                if layer.file not in files:
                    raise SoundError(f"The kit has no recording called {shown(layer.file)}.")
        ordered = {drum.name: self.pads[drum.name] for drum in DRUMS if drum.name in self.pads}
        object.__setattr__(self, "pads", ordered)

    def with_pad(self, lane: str, pad: Pad | None) -> OwnKit:
        """The kit with another pad for a drum; None leaves the drum silent."""
        others = {name: one for name, one in self.pads.items() if name != lane}
        return replace(self, pads=others if pad is None else {**others, lane: pad})

    def swapped(self, lane: str, other: str) -> OwnKit:
        """The kit with the recordings of two pads exchanged; how each drum plays stays its own."""
        one, two = self.pads.get(lane), self.pads.get(other)
        kit = self
        for place, here, there in ((lane, one, two), (other, two, one)):
            if there is None:
                kit = kit.with_pad(place, None)
                continue
            usual = usual_pad(place, there.layers[-1].file, there.start_seconds)
            moved = replace(here or usual, layers=there.layers, start_seconds=there.start_seconds)
            kit = kit.with_pad(place, moved)
        return kit


def usual_pad(lane: str, file: str, start_seconds: float = 0.0) -> Pad:
    """A drum's pad before anybody has turned a knob of it."""
    return Pad((Layer(file),), start_seconds, gain_db=LEVELS_DB[lane], choke=lane in HATS)


def onset_seconds(audio: Audio) -> float:
    """Where a recording begins to sound: the silence before it is left out."""
    loud = np.abs(audio.samples).max(axis=1)
    heard = np.flatnonzero(loud > 0.02 * loud.max(initial=0.0))
    start = float(heard[0]) / audio.rate_hz - 0.001 if len(heard) else 0.0
    return round(min(max(0.0, start), _RANGES["start_seconds"][1]), 4)


def card_of(kit: OwnKit) -> dict[str, Any]:
    """The kit as JSON values, without its recordings."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "label": kit.label,
        "pads": {lane: asdict(pad) for lane, pad in kit.pads.items()},
        "shots": [asdict(shot) for shot in kit.shots],
    }


def kit_of_card(card: object) -> OwnKit:
    """The kit that `card_of` wrote. Raises SoundError about anything else."""
    if not isinstance(card, dict) or (card.get("format"), card.get("version")) != (FORMAT, VERSION):
        raise SoundError("This is not the card of a kit that this Digital DJ can read.")
    try:
        pads = {}
        for lane, told in card["pads"].items():
            layers = tuple(Layer(str(one["file"]), int(one["hardest"])) for one in told["layers"])
            numbers = {name: float(told[name]) for name in _RANGES}
            decay = told["decay_seconds"]
            pads[str(lane)] = Pad(
                layers,
                choke=told["choke"] is True,
                decay_seconds=None if decay is None else float(decay),
                **numbers,
            )
        shots = tuple(
            OneShot(str(one["file"]), str(one["drum"]), float(one["sure"])) for one in card["shots"]
        )
        return OwnKit(str(card["label"]), pads, shots)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise SoundError("The card of this kit is damaged.") from error


def built(kit: OwnKit, sounds: Mapping[str, Audio]) -> bytes:
    """The kit as a SoundFont: bank 128, program 0, General MIDI's notes.

    Args:
        kit: what to build.
        sounds: its recordings by file, those of its pads at least.
    """
    samples: list[Sample] = []
    zones: list[Zone] = []
    for lane, pad in kit.pads.items():
        softest = 1
        for number, layer in enumerate(pad.layers, start=1):
            shaped = _shaped(sounds[layer.file], pad)
            sides = shaped.shape[1]
            for side in range(sides):
                place = pad.pan
                if sides == 2:
                    place = -1 + 2 * max(0.0, pad.pan) if side == 0 else 1 + 2 * min(0.0, pad.pan)
                whole = np.rint(shaped[:, side] * 32_767).astype(np.int16)
                whole = np.concatenate([np.zeros(_LEAD_IN_FRAMES, np.int16), whole])
                zones += [
                    Zone(
                        key=note,
                        softest=softest,
                        hardest=layer.hardest,
                        sample=len(samples),
                        pan=place,
                        cents=round(100 * pad.tune_semitones),
                        choke=_CHOKE_CLASS if pad.choke else 0,
                        response=pad.response,
                    )
                    for note in DRUM[lane].general_midi
                    if note in GENERAL_MIDI_PERCUSSION
                ]
                samples.append(Sample(f"{lane} {number}{'LR'[side]}", whole, RATE_HZ))
            softest = layer.hardest + 1
    label = kit.label.encode("ascii", "replace").decode()
    return soundfont_bytes(label, "One-shots of a DJ, as a kit of Digital DJ.", samples, zones)


def _shaped(audio: Audio, pad: Pad) -> NDArray[np.float64]:
    """A recording as its pad plays it: (frames, 1 or 2), at 44,100 frames a second."""
    sound = audio.samples[round(pad.start_seconds * audio.rate_hz) :].astype(np.float64)
    sound = sound[: round(MOST_SECONDS * audio.rate_hz * 2)]
    if audio.rate_hz != RATE_HZ and len(sound):
        from scipy.signal import resample_poly

        common = math.gcd(RATE_HZ, audio.rate_hz)
        sound = resample_poly(sound, RATE_HZ // common, audio.rate_hz // common, axis=0)
    if len(sound) < 2:
        sound = np.zeros((2, 1))
    if sound.shape[1] == 2:
        apart, together = (float(np.square(sound @ mix).sum()) for mix in ([1, -1], [1, 1]))
        if apart <= together * 10 ** (_MONO_DB / 10):
            sound = sound.mean(axis=1, keepdims=True)
    most = round(MOST_SECONDS * RATE_HZ)
    if len(sound) > most:
        sound = sound[:most].copy()
        fade = round(_CUT_FADE_SHARE * most)
        sound[-fade:] *= np.linspace(1, 0, fade)[:, np.newaxis]
    if pad.decay_seconds is not None:
        fall = _DECAY_DB / pad.decay_seconds * np.arange(len(sound)) / RATE_HZ
        sound = sound * (10 ** (-fall / 20))[:, np.newaxis]
    loud = np.abs(sound).max(axis=1)
    peak = float(loud.max())
    if peak == 0:
        return np.zeros((2, 1))
    sound = sound[: int(np.flatnonzero(loud > peak * 10 ** (_END_DB / 20))[-1]) + 2].copy()
    fade = min(len(sound), round(_END_FADE_SECONDS * RATE_HZ))
    sound[-fade:] *= np.linspace(1, 0, fade)[:, np.newaxis]
    level_db = pad.gain_db + (_HARD_PAN_DB if sound.shape[1] == 2 else 0)
    return np.clip(sound * (_PEAK / peak * 10 ** (level_db / 20)), -1, 1)
