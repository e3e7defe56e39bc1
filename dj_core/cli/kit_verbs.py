"""The verbs kits, kit and kit-import: which kits there are, one as files, one made of files."""

from __future__ import annotations

import argparse
from pathlib import Path

from dj_core.cli.verb import Answer, ProgressBar, option, say, verb
from dj_core.errors import SoundError

VELOCITY = 120  # what ranges of producers' one-shots are measured at
_FADE_FRAMES = 441  # of a drum that rings longer than a file


@verb("kits", timed=False)
def list_kits(_: argparse.Namespace) -> Answer:
    """List the drum kits."""
    from dj_core.sound.kit_table import genres_of, offered_kits

    kits = []
    for kit in offered_kits():
        genres = genres_of(kit.name)
        kits.append(
            {"name": kit.name, "label": kit.label, "source": kit.source, "genres": [*genres]}
        )
        say(f"{kit.name:15} {kit.source:11} {', '.join(genres)}".rstrip())
    return {"kits": kits}


@verb(
    "kit-import",
    option("path", type=Path, nargs="+", help="one-shots: files, folders or zips"),
    option("--name", required=True, help="what to call the kit"),
)
def import_one_shots(options: argparse.Namespace) -> Answer:
    """Make a kit of one-shots of one's own."""
    from dj_core.library.own_kits import import_kit

    with ProgressBar("Reading", "file") as bar:
        made = import_kit(options.path, options.name, bar.show)
    for lane, file in made.drums.items():
        say(f"{lane:12} {file}")
    for file, reason in made.skipped:
        say(f"not used: {file}: {reason}")
    skipped = [{"file": file, "reason": reason} for file, reason in made.skipped]
    return {"name": made.name, "drums": dict(made.drums), "skipped": skipped}


@verb(
    "kit",
    option("name", help="as `kits` lists it"),
    option("--out", type=Path, required=True, help="folder for the files"),
    option("--soundfont", type=Path, help="an .sf2 file (default: the best one found)"),
    timed=False,
)
def write_kit(options: argparse.Namespace) -> Answer:
    """Write a kit's drums as WAV files."""
    import io

    import numpy as np
    import soundfile

    from dj_core.files.storage import write_bytes_atomic
    from dj_core.music.drum_maps import drum_of_note
    from dj_core.sound.render import CEILING, FULL_SCALE, kit_shots, peak_of

    shots = kit_shots(options.name, options.soundfont, (VELOCITY,))
    loudest = max((peak_of(shot.samples) for shot in shots), default=0.0)
    if not loudest:
        raise SoundError(f"The SoundFont has no drums in its kit {options.name!r}. Take another.")
    files = []
    for shot in shots:
        # all by one gain: the drums keep their levels to each other
        sound = shot.samples * np.float32(CEILING / loudest * FULL_SCALE)
        end = sound[-_FADE_FRAMES:]
        end *= np.linspace(1, 0, len(end), dtype=np.float32)[:, np.newaxis]
        file = io.BytesIO()
        whole = np.rint(sound).astype(np.int16)
        soundfile.write(file, whole, shot.sample_rate, format="WAV", subtype="PCM_16")
        path = options.out / f"{drum_of_note(shot.note).name}.wav"
        files.append(str(write_bytes_atomic(path, file.getvalue())))
        say(files[-1])
    return {"files": files}
