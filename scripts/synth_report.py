"""Draws FluidSynth's and our sample player's spectra beside each other: docs/light/.

``python -m scripts.synth_report``, where FluidSynth is installed: a figure a kit, a panel a drum,
struck at velocity 100, each with the difference in level; prints the greatest of them per kit.
"""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from dj_core.files.storage import write_bytes_atomic
from dj_core.music.drums import DRUMS
from dj_core.sound.render import SAMPLE_RATE_HZ, SYNTH_VARIABLE, Striker

PICTURES = Path(__file__).resolve().parent.parent / "docs" / "light"
KITS = ("house", "standard")
VELOCITY = 100
_FRAMES = SAMPLE_RATE_HZ  # a second
_BANDS_HZ = 20 * 2 ** np.arange(0, 10, 1 / 6)  # a sixth of an octave each
_FLOOR_DB = -70


def main() -> None:
    """Write the figures."""
    for kit in KITS:
        sounds = []
        for synth in ("", "samples"):
            os.environ[SYNTH_VARIABLE] = synth
            with Striker(kit) as striker:
                assert bool(striker._player) == bool(synth), "FluidSynth is not installed."
                sounds.append([striker.strike(drum.note, VELOCITY, _FRAMES) for drum in DRUMS])
        write_bytes_atomic(PICTURES / f"spectra-{kit}.png", figure(*sounds))
        apart = {
            drum.label: level_db(ours) - level_db(theirs)
            for drum, theirs, ours in zip(DRUMS, *sounds, strict=True)
        }
        worst = max(apart, key=lambda label: abs(apart[label]))
        print(f"{kit}: at most {apart[worst]:+.2f} dB ({worst})")


def level_db(sound: np.ndarray) -> float:
    """The energy of a stroke."""
    return float(10 * np.log10(np.square(sound, dtype=np.float64).sum()))


def spectrum_db(sound: np.ndarray) -> np.ndarray:
    """Energy per band of `_BANDS_HZ`, both channels together."""
    power = np.square(np.abs(np.fft.rfft(sound, _FRAMES, axis=0))).sum(1)
    hz = np.fft.rfftfreq(_FRAMES, 1 / SAMPLE_RATE_HZ)
    band = np.digitize(hz, _BANDS_HZ)
    sums = np.bincount(band, power, minlength=len(_BANDS_HZ) + 1)[1:]
    return 10 * np.log10(sums + 1e-12)


def figure(theirs: list[np.ndarray], ours: list[np.ndarray]) -> bytes:
    """The spectra of all drums as a small PNG."""
    drawing = Figure(figsize=(9, 7), dpi=90)
    panels = drawing.subplots(4, 4, sharex=True, sharey=True)
    for drum, panel, one, other in zip(DRUMS, panels.flat, theirs, ours, strict=True):
        spectra = [spectrum_db(one), spectrum_db(other)]
        top = max(map(np.max, spectra))
        panel.semilogx(_BANDS_HZ, spectra[0] - top, color="#e0a060", linewidth=4)
        panel.semilogx(_BANDS_HZ, spectra[1] - top, color="#203050", linewidth=1)
        apart = level_db(other) - level_db(one)
        panel.set_title(f"{drum.label}: {apart:+.2f} dB", fontsize=9)
        panel.set_ylim(_FLOOR_DB, 5)
        panel.set_xlim(30, 18_000)
        panel.set_xticks([100, 1_000, 10_000], ["100 Hz", "1k", "10k"])
        panel.minorticks_off()
        panel.tick_params(labelsize=7)
    drawing.legend(["FluidSynth", "our sample player"], loc="lower center", ncols=2, fontsize=9)
    drawing.supylabel("dB", fontsize=9)
    drawing.tight_layout(rect=(0, 0.04, 1, 1))
    file, small = io.BytesIO(), io.BytesIO()
    drawing.savefig(file, format="png")
    Image.open(file).convert("RGB").quantize(32).save(small, "PNG", optimize=True)
    return small.getvalue()


if __name__ == "__main__":
    main()
