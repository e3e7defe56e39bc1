"""A beat as it sounds: its stems mixed, turned down as a whole where that would go over."""

from dataclasses import dataclass

import numpy as np

from dj_core.sound.mixer_table import NEUTRAL
from dj_core.sound.render import (
    CEILING,
    FULL_SCALE,
    SAMPLE_RATE_HZ,
    SILENCE_DBFS,
    render_mixed,
    render_stems,
)


@dataclass(frozen=True, eq=False)
class Mixed:
    samples: np.ndarray  # 16-bit integers, (frames, 2)
    sample_rate: int

    @property
    def frames(self):
        return len(self.samples)

    @property
    def duration_seconds(self):
        return self.frames / self.sample_rate

    @property
    def peak_dbfs(self):
        peak = np.abs(self.samples.astype(int)).max(initial=0)
        return 20 * np.log10(peak / FULL_SCALE) if peak else SILENCE_DBFS


def mixed(
    beat, kit="standard", soundfont=None, sample_rate=SAMPLE_RATE_HZ, loop=False, mixer=NEUTRAL
):
    if mixer.is_neutral:
        stems = render_stems(beat, kit, soundfont, sample_rate, loop)
        whole = np.zeros((round(beat.duration_seconds * sample_rate), 2), np.float32)
        for stem in stems.values():
            whole += stem
    else:
        whole, _ = render_mixed(beat, mixer, kit, soundfont, sample_rate, loop)
    whole *= min(1.0, CEILING / max(float(np.abs(whole).max(initial=0)), 1e-9))
    return Mixed(np.rint(whole * FULL_SCALE).astype(np.int16), sample_rate)
