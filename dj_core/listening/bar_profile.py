"""Which tempo and which bar line a stretch of onsets has: a small network that knows patterns.

It reads onsets folded into one bar (`tempo_candidates.folded`) at every rotation and of every
candidate, and answers with log odds. What sounds on the one, between the beats and how fast is
learned from renders of our own phrases (``python -m scripts.train_bar_profile``); 60 kB.
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from dj_core.listening.tempo_candidates import Candidate
from dj_core.product import ASSETS

WEIGHTS_FILE = ASSETS / "bar-profile.npz"
LOUDEST = 8.0  # of a profile whose mean is 1
MIDDLE_BPM = 110.0

Scores = NDArray[np.float64]


@functools.cache
def _weights() -> dict[str, NDArray[np.float32]]:
    with np.load(WEIGHTS_FILE) as file:
        return {name: file[name].astype(np.float32) for name in file.files}


def facts_of(candidates: list[Candidate]) -> NDArray[np.float32]:
    """What the network reads of candidates beside their profiles, (candidates, 3)."""
    salience = np.array([one.salience for one in candidates])
    octave = np.log2([one.tempo_bpm / MIDDLE_BPM for one in candidates])
    facts = [octave, salience / max(float(salience.max()), 1e-6), salience]
    return np.stack(facts, axis=1).astype(np.float32)


def scores(profiles: NDArray[np.float32], facts: NDArray[np.float32]) -> Scores:
    """Log odds (candidates, ticks): that a candidate is right and its bar begins at a tick.

    Args:
        profiles: (candidates, 48, bands), as `folded` gives them.
        facts: `facts_of` the candidates.
    """
    weights = _weights()
    ticks = profiles.shape[1]
    heard = np.log1p(np.minimum(profiles, LOUDEST))
    first = weights["first"].reshape(-1, ticks, profiles.shape[2])
    # every rotation at once: a correlation along the bar
    spectra = np.einsum(
        "mfb,hfb->mfh", np.fft.rfft(heard, axis=1), np.conj(np.fft.rfft(first, axis=1))
    )
    units = np.fft.irfft(spectra, ticks, axis=1) + weights["first_bias"]
    units = np.maximum(units + (facts @ weights["facts"].T)[:, None], 0)
    units = np.maximum(units @ weights["second"].T + weights["second_bias"], 0)
    answer: Scores = (units @ weights["third"].T + weights["third_bias"])[..., 0].astype(float)
    return answer
