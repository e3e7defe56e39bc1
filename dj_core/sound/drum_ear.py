"""Guesses which drum a recording is, from its sound and its name.

The sound's part is a small network (`assets/drum-ear.json`), trained by
``python -m scripts.train_drum_ear`` on the drums of our own kits. A name that says what it is
counts for more than the sound.
"""

from __future__ import annotations

import functools
import itertools
import json
import re
from collections.abc import Mapping
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

from dj_core.music.drums import DRUMS
from dj_core.product import ASSETS

WEIGHTS_PATH = ASSETS / "drum-ear.json"
HEARD = (
    "kick", "snare", "side_stick", "clap", "closed_hat", "open_hat", "tom", "crash", "ride",
    "tambourine", "shaker", "cowbell", "conga",
)  # fmt: skip
"""What can be told by ear: the three toms are one, and a pedal hat is a closed one."""
_LANES = {
    **{drum.name: (drum.name,) for drum in DRUMS if drum.name in HEARD},
    "closed_hat": ("closed_hat", "pedal_hat"),
    "tom": ("low_tom", "mid_tom", "high_tom"),
}
_NAME_WEIGHT = 0.97  # how sure a name is that says what it is
# Words by which files are named, each as a whole word or with digits behind it; the first that is
# found says the drum. What two words say together comes before what one says.
_WORDS: tuple[tuple[str, str], ...] = (
    ("pedal_hat", r"(pedal|foot) ?(hi)? ?(hats?|hh)|phh?|hhp"),
    ("open_hat", r"op(en)?(ed)? ?(hi)? ?(hats?|hh)|(hats?|hh) ?op(en)?|ohh?|hho"),
    ("closed_hat", r"cl(ose)?d? ?(hi)? ?(hats?|hh)|(hats?|hh) ?cl(ose)?d?|chh?|hhc"),
    ("side_stick", r"side ?sticks?|rims?|rim ?shots?|x ?sticks?|rs|cross ?sticks?"),
    ("low_tom", r"(low|lo|floor) ?toms?|toms? ?(low|lo|floor|l)|lt"),
    ("mid_tom", r"(mid|med|medium) ?toms?|toms? ?(mid|med|m)|mt"),
    ("high_tom", r"(high|hi|rack) ?toms?|toms? ?(high|hi|h)|ht"),
    ("conga", r"congas?|bongos?|djembes?|timbales?|tablas?|quinto|tumba|perc ?drums?"),
    ("cowbell", r"cow ?bells?|cb|claves?|wood ?blocks?|blocks?|agogos?|bells?|triangles?"),
    ("tambourine", r"tamb(ourine|orine|o)?s?"),
    ("shaker", r"shakers?|shk|shake|maracas?|cabasas?|egg|sha"),
    ("crash", r"crash(es)?|cymbals?|cym|splash|china|cr"),
    ("ride", r"rides?|rd"),
    ("clap", r"claps?|cp|clp|snaps?|hand ?claps?|finger ?snaps?"),
    ("snare", r"snares?|sn|sd|snr|snare ?drums?"),
    ("kick", r"kicks?|kik|kck|bd|bass ?drums?|kd|k"),
    ("closed_hat", r"(hi)? ?hats?|hh"),
    ("mid_tom", r"toms?"),
    ("conga", r"perc(ussion)?s?"),
)  # fmt: skip
_NAMED = tuple((lane, re.compile(rf"(?<![a-z])(?:{words})(?![a-z])")) for lane, words in _WORDS)

_LONGEST_SECONDS = 1.5
_BANDS_HZ = np.geomspace(30, 11_000, 19)
_MOMENTS = (0.0, 0.012, 0.04, 0.12, 0.4, _LONGEST_SECONDS)  # seconds between which bands are heard
_FLOOR = 1e-6


def guess_by_name(name: str) -> str | None:
    """The lane that a file's name, else its folder's, says; None where neither says any."""
    path = PurePosixPath(name.replace("\\", "/"))
    for text in (path.stem, path.parent.name):
        plain = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text)  # HatClosed
        plain = re.sub(r"[^a-z]+", " ", plain.lower()).strip()
        for lane, words in _NAMED:
            if words.search(plain):
                return lane
    return None


def guess_by_sound(samples: NDArray[np.floating], rate_hz: int) -> dict[str, float]:
    """How likely each of `HEARD` is, together 1.

    Args:
        samples: one channel.
        rate_hz: of those a second.
    """
    ear = _ear()
    signal = (features(samples, rate_hz) - ear["mean"]) / ear["scale"]
    for number in range(int(ear["layers"])):
        signal = signal @ ear[f"weights_{number}"] + ear[f"bias_{number}"]
        if number + 1 < ear["layers"]:
            signal = np.maximum(signal, 0)
    odds = np.exp(signal - signal.max())
    return {drum: float(chance) for drum, chance in zip(HEARD, odds / odds.sum(), strict=True)}


def guess(name: str, samples: NDArray[np.floating], rate_hz: int) -> dict[str, float]:
    """How likely each lane is for a recording, by its name and its sound, together 1."""
    heard = guess_by_sound(samples, rate_hz)
    lanes = {
        lane: chance / len(_LANES[drum]) for drum, chance in heard.items() for lane in _LANES[drum]
    }
    named = guess_by_name(name)
    if named is None:
        return lanes
    rest = 1 - _NAME_WEIGHT
    return {lane: chance * rest + _NAME_WEIGHT * (lane == named) for lane, chance in lanes.items()}


def features(samples: NDArray[np.floating], rate_hz: int) -> NDArray[np.float64]:
    """A recording in numbers: its loudness by band and moment, and how it rings and begins.

    The same however loud it is, and whatever silence it begins with.
    """
    sound = np.asarray(samples, np.float64)
    loud = np.flatnonzero(np.abs(sound) > 0.05 * np.abs(sound).max(initial=0.0))
    sound = sound[loud[0] if len(loud) else 0 :][: round(_LONGEST_SECONDS * rate_hz)]
    sound = sound / (np.abs(sound).max(initial=0.0) + _FLOOR)
    found: list[float] = []
    for start, end in itertools.pairwise(_MOMENTS):
        part = sound[round(start * rate_hz) : round(end * rate_hz)]
        part = np.pad(part, (0, max(0, 1_024 - len(part))))
        power = np.square(np.abs(np.fft.rfft(part)))
        hertz = np.fft.rfftfreq(len(part), 1 / rate_hz)
        edges = np.searchsorted(hertz, _BANDS_HZ)
        summed = np.concatenate([[0.0], np.cumsum(power)])
        bands = summed[edges[1:]] - summed[edges[:-1]]
        total = bands.sum() + _FLOOR
        found += [float(np.log10(total)), *np.log10(bands / total + 1e-4)]
    whole = np.square(np.abs(np.fft.rfft(sound, 1 << 16)))
    hertz = np.fft.rfftfreq(1 << 16, 1 / rate_hz)
    inside = (hertz > 30) & (hertz < 11_000)
    whole, hertz = whole[inside], hertz[inside]
    total = whole.sum() + _FLOOR
    found.append(float(np.log2(hertz[int(whole.argmax())])))
    found.append(float(np.log2((hertz * whole).sum() / total + 1)))
    found.append(float(np.log10(np.sort(whole)[-40:].sum() / total + _FLOOR)))  # how pure it is
    width = max(1, round(0.003 * rate_hz))
    envelope = np.sqrt(np.convolve(np.square(sound), np.ones(width) / width, "same"))
    peak = int(envelope.argmax())
    for share in (0.5, 0.25, 0.1, 0.03):
        below = np.flatnonzero(envelope[peak:] < share * envelope[peak])
        found.append(float(np.log10((below[0] if len(below) else len(sound)) / rate_hz + 1e-3)))
    found.append(float(np.log10(peak / rate_hz + 1e-3)))
    # bursts: how far the envelope falls and rises again in the first 60 ms
    early = envelope[: round(0.06 * rate_hz)]
    rises = np.diff(np.log10(early + 1e-3))
    found.append(float(rises[rises > 0].sum()))
    return np.array(found)


@functools.cache
def _ear() -> Mapping[str, NDArray[np.float64]]:
    """The network: means and scales of the features, and the weights of its layers."""
    table = json.loads(WEIGHTS_PATH.read_text("utf-8"))
    if tuple(table.pop("heard")) != HEARD:
        raise ValueError(f"{WEIGHTS_PATH.name} is of other drums. Train it anew.")
    return {name: np.array(values) for name, values in table.items()}
