"""Takes for a track as files: loops, and drums as long as the track, in MIDI, WAV and stems."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from dj_core.files.file_names import safe_stem
from dj_core.files.midi import save_midi
from dj_core.files.storage import write_bytes_atomic
from dj_core.listening.listening import Listening
from dj_core.matching.takes_for_track import Match, whole_track
from dj_core.music.beat import Beat
from dj_core.music.drums import DRUMS
from dj_core.sound.loop_files import LoopSettings, save_loop
from dj_core.sound.render import CEILING, SAMPLE_RATE_HZ, peak_of, render_stems

_WHOLE_GAIN = 0.6  # of a kit's own level: room for all drums together
_FILE_PEAK = 32_767


def save_matches(
    heard: Listening, matches: Sequence[Match], folder: Path, kit: str = "standard"
) -> tuple[Path, ...]:
    """Every take as a loop (MIDI, WAV, stems), and the first one as long as the track.

    The long WAV files have the track's length and begin with it, so that both can start together;
    the long MIDI file begins at the track's first bar line.

    Raises:
        SoundError: no FluidSynth, or a kit it does not have.
        LibraryError: no space, no permission.
    """
    stem = safe_stem(Path(heard.name).stem) or "track"
    paths: list[Path] = []
    for number, match in enumerate(matches, start=1):
        path = folder / f"{stem}_take{number}.mid"
        paths.append(save_midi(match.beat, path, "general-midi"))
        settings = LoopSettings(kit=kit)
        paths += save_loop(match.beat, path.with_suffix(".wav"), settings, stems=True)
    if matches:
        whole = whole_track(heard, matches[0].beat)
        path = folder / f"{stem}_whole.mid"
        paths.append(save_midi(whole, path, "general-midi"))
        paths += save_whole(whole, heard, path.with_suffix(".wav"), kit)
    return tuple(paths)


def save_whole(whole: Beat, heard: Listening, path: Path, kit: str) -> tuple[Path, ...]:
    """Drums from `whole_track` as WAV files of the track's length, and a stem per drum family."""
    import soundfile

    frames = round(heard.duration_seconds * SAMPLE_RATE_HZ)
    first = round(heard.downbeats[0] * SAMPLE_RATE_HZ) if heard.downbeats else 0
    mix = np.zeros((frames, 2), np.float32)
    gain = _WHOLE_GAIN
    families = list(dict.fromkeys(DRUMS[lane].family for lane in whole.lanes))

    def written(sound: np.ndarray, name: Path) -> Path:
        file = io.BytesIO()
        whole_numbers = np.rint(sound * _FILE_PEAK).astype(np.int16)
        soundfile.write(file, whole_numbers, SAMPLE_RATE_HZ, format="WAV", subtype="PCM_16")
        return write_bytes_atomic(name, file.getvalue())

    def part(family: str) -> np.ndarray:
        """One family at its level, where it lies in the track."""
        own = replace(whole, hits=tuple(h for h in whole.hits if h.drum.family == family))
        struck = next(iter(render_stems(own, kit).values()))[: max(0, frames - first)]
        placed = np.zeros((frames, 2), np.float32)
        placed[first : first + len(struck)] = struck
        return placed

    for family in families:  # one after another: a track is long
        mix += part(family)
    peak = peak_of(mix) * gain
    gain *= min(1.0, CEILING / peak) if peak else 1.0
    paths = [written(mix * np.float32(gain), path)]
    del mix
    for family in families:
        name = path.with_name(f"{path.stem}_{family}.wav")
        paths.append(written(part(family) * np.float32(gain), name))
    return tuple(paths)
