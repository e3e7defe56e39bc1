"""What a one-shot sounds like in nine numbers, and what producers' one-shots measure.

The ranges (`assets/kit-ranges.json`) are the 10th, 50th and 90th percentiles over producers' kits
of four families, struck at velocity 120.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dj_core.product import ASSETS

RANGES_PATH = ASSETS / "kit-ranges.json"
MEASURED_DRUMS = ("kick", "snare", "clap", "closed_hat", "open_hat")
MEASURES: Mapping[str, str] = {
    "fund": "fundamental, Hz",
    "sub": "30 to 70 Hz, dB",
    "low": "70 to 200 Hz, dB",
    "mid": "200 to 2,000 Hz, dB",
    "hi": "2 to 8 kHz, dB",
    "air": "8 to 20 kHz, dB",
    "t20": "to a tenth, ms",
    "cent": "centroid, Hz",
    "bw": "99% below, Hz",
}
"""Each measure by its name in the ranges, in words."""
_BANDS_HZ = {
    "sub": (30, 70), "low": (70, 200), "mid": (200, 2_000), "hi": (2_000, 8_000),
    "air": (8_000, 20_000),
}  # fmt: skip
_FUNDAMENTAL_HZ = (30, 300)
_SHORTEST_SECONDS, _LONGEST_SECONDS = 1.0, 2.0
_ENVELOPE_SECONDS = 0.005
_TENTH = 0.1
_BELOW_SHARE = 0.99
_SIGMAS_BETWEEN = 2.563  # from the 10th to the 90th percentile of a normal distribution


@dataclass(frozen=True)
class Range:
    """What producers' one-shots measure: the 10th, 50th and 90th percentile."""

    low: float
    middle: float
    high: float

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high

    @property
    def sigma(self) -> float:
        """How far they spread, as a standard deviation."""
        return (self.high - self.low) / _SIGMAS_BETWEEN


Ranges = Mapping[str, Mapping[str, Range]]
"""By drum and measure."""


@functools.cache
def ranges() -> Mapping[str, Ranges]:
    """The ranges by family: house, trap, hip-hop, drum machines."""
    table = json.loads(RANGES_PATH.read_text("utf-8"))
    return {
        family: {
            drum: {measure: Range(*values) for measure, values in row.items()}
            for drum, row in drums.items()
        }
        for family, drums in table.items()
    }


def describe(samples: NDArray[np.floating], sample_rate: int) -> dict[str, float]:
    """The nine measures of a one-shot, by the names of `MEASURES`.

    Args:
        samples: one channel, or (frames, channels), which are averaged.
        sample_rate: frames per second.
    """
    sound = np.asarray(samples, np.float64)
    sound = sound.mean(axis=1) if sound.ndim > 1 else sound
    sound = sound[: round(_LONGEST_SECONDS * sample_rate)] / (np.abs(sound).max() + 1e-9)
    sound = np.pad(sound, (0, max(0, round(_SHORTEST_SECONDS * sample_rate) - len(sound))))
    power = np.square(np.abs(np.fft.rfft(sound)))
    hertz = np.fft.rfftfreq(len(sound), 1 / sample_rate)
    total = power.sum()
    measured = {}
    for band, (low, high) in _BANDS_HZ.items():
        share = power[(hertz >= low) & (hertz < high)].sum() / total
        measured[band] = float(10 * np.log10(share + 1e-9))
    audible = (hertz > _FUNDAMENTAL_HZ[0]) & (hertz < _FUNDAMENTAL_HZ[1])
    measured["fund"] = float(hertz[audible][power[audible].argmax()])
    measured["t20"] = _milliseconds_to_a_tenth(sound, sample_rate)
    measured["cent"] = float((hertz * power).sum() / total)
    measured["bw"] = float(hertz[np.cumsum(power) / total > _BELOW_SHARE][0])
    return {name: measured[name] for name in MEASURES}


def _milliseconds_to_a_tenth(sound: NDArray[np.float64], sample_rate: int) -> float:
    """From the peak of the envelope to a tenth of it."""
    width = int(sample_rate * _ENVELOPE_SECONDS)
    envelope = np.convolve(np.abs(sound), np.ones(width) / width, "same")
    peak = int(envelope.argmax())
    below = np.flatnonzero(envelope[peak:] < envelope[peak] * _TENTH)
    return float(below[0] / sample_rate * 1_000) if len(below) else 2_000.0


def distance(
    one: Mapping[str, Mapping[str, float]], other: Mapping[str, Mapping[str, float]]
) -> float:
    """How different two kits sound: the mean over drums and measures, in producers' sigmas.

    Args:
        one, other: measures by drum, of `MEASURED_DRUMS`.
    """
    apart = [
        abs(one[drum][measure] - other[drum][measure]) / _sigma(drum, measure)
        for drum in MEASURED_DRUMS
        for measure in MEASURES
    ]
    return sum(apart) / len(apart)


def _sigma(drum: str, measure: str) -> float:
    """The mean spread of the families."""
    sigmas = [family[drum][measure].sigma for family in ranges().values()]
    return sum(sigmas) / len(sigmas)
