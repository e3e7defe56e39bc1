"""One-shots for tests of kits of one's own: the drums of a kit of ours, as WAV files."""

import numpy as np
from hostile_audio import written

from dj_core.music.drums import DRUMS
from dj_core.sound.kits.building import strokes
from dj_core.sound.kits.recipes import recipes
from scripts.train_drum_ear import NAMES

RATE = 44_100
KIT = "garage"


def wav(samples, rate_hz=RATE):
    """Samples as a WAV file."""
    return written(np.asarray(samples, float).reshape(len(samples), -1), "WAV", "PCM_16", rate_hz)


def stroke(lane, layer=3):
    """A stroke of a drum, near full scale."""
    sound = strokes(recipes()[KIT], lane, 0, (layer,))[layer]
    return sound / np.abs(sound).max() * 0.9


def pack_name(lane):
    """What the file of a drum is called."""
    return f"{NAMES[lane][0].format(n=7)}.wav"


def write_pack(folder):
    """Sixteen one-shots with telling names."""
    folder.mkdir(parents=True)
    for drum in DRUMS:
        (folder / pack_name(drum.name)).write_bytes(wav(stroke(drum.name)))
    return folder
