"""Kits of one's own, measured: ``python -m benchmarks.own_kits`` prints one JSON object.

Two hundred one-shots are written as WAV files, named as packs on sale name theirs, and imported.
Then the drums of a SoundFont's kits, which the ear has not learned from, are guessed by sound.
"""

from __future__ import annotations

import io
import json
import os
import random
import tempfile
import time
from pathlib import Path

import soundfile

from dj_core.library.own_kits import import_kit
from dj_core.music.drum_maps import drum_of_note
from dj_core.sound.drum_ear import guess_by_sound
from dj_core.sound.kit_table import KITS, OUR_KITS, SOUNDFONT
from dj_core.sound.render import kit_shots
from dj_ui.deck.kits import kit_payload
from scripts.train_drum_ear import HEARD_AS, examples, file_name

ONE_SHOTS = 200


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as place:
        os.environ["DIGITAL_DJ_HOME"] = str(Path(place) / "home")
        folder = Path(place) / "pack"
        folder.mkdir()
        draw = random.Random("pack")
        sounds = (pair for kit in OUR_KITS for pair in examples(kit.name, 0))
        for number, (lane, sound) in enumerate(sounds, start=1):
            if number > ONE_SHOTS:
                break
            file = io.BytesIO()
            soundfile.write(file, sound, 44_100, format="WAV", subtype="PCM_16")
            name = f"{number:03} {file_name(lane, draw, number)}"
            (folder / name).write_bytes(file.getvalue())
        started, worked = time.monotonic(), sum(os.times()[:4])
        made = import_kit([folder], "Measured")
        told = {
            "files": ONE_SHOTS,
            "import_seconds": round(time.monotonic() - started, 2),
            # with the decoder's, a process of its own
            "import_processor_seconds": round(sum(os.times()[:4]) - worked, 2),
            "pads": len(made.drums),
            "skipped": len(made.skipped),
            "browser_bytes": len(json.dumps(kit_payload(made.name))),
        }
        rights = []
        for kit in (kit for kit in KITS.values() if kit.source == SOUNDFONT):
            for shot in kit_shots(kit.name, velocities=(110,)):
                chances = guess_by_sound(shot.samples.mean(axis=1), shot.sample_rate)
                lane = drum_of_note(shot.note).name
                rights.append(max(chances, key=chances.__getitem__) == HEARD_AS.get(lane, lane))
        told |= {"soundfont_drums": len(rights), "guessed_right": sum(rights) / len(rights)}
    print(json.dumps(told))


if __name__ == "__main__":
    main()
