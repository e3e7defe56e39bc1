"""Checks a loop file: length, tempo, loop points, seam, loudness and peak.

The file is read back by other libraries than wrote it (libsndfile for the sound, mutagen for the
tags), and any loop with a tempo can be looked at, not only ours.
"""

from __future__ import annotations

import math
import re
import struct
from contextlib import suppress
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from dj_core.errors import BeatError, SoundError
from dj_core.files.beat_json import parse_json
from dj_core.files.file_names import counted
from dj_core.music.beat import Meter
from dj_core.sound.loop_files import CEILING_DBTP, TOLD
from dj_core.sound.loudness import loudness_lufs, true_peak_dbtp

MAX_CHECKED_BYTES = 500_000_000
_PCM = 1
_FLOAT_BITS = {"FLOAT": 32, "DOUBLE": 64}  # libsndfile's names
_NEAR_FRAMES = 0.501  # a loop's length is rounded to the frame


@dataclass(frozen=True)
class LoopCheck:
    """What a loop's file holds and says.

    Attributes:
        container: 'WAV', 'AIFF' or 'FLAC'.
        sample_rate, bits, channels, frames: of the sound.
        is_float: whether its samples are floating-point numbers.
        tempo_bpm: what the file says of its tempo; None when nothing.
        quarters: how many quarter notes that makes, to the nearest eighth of one.
        bars, meter: as told by us; None in files of others.
        error_frames: frames more (or, negative, fewer) than those quarters last.
        loop_start, loop_end: first and last frame of the loop points; None without any.
        seam_step, largest_step: the jump from the last frame to the first, and the largest jump
            between neighbours elsewhere; full scale is 1.
        loudness_lufs, true_peak_dbtp: as heard going round.
        peak_dbfs: of the samples themselves; -96 for silence.
        title, genre: '' when not told.
        problems: a sentence for each thing a deck would stumble over.
    """

    container: str
    sample_rate: int
    bits: int
    is_float: bool
    channels: int
    frames: int
    tempo_bpm: float | None
    quarters: float
    bars: int | None
    meter: str | None
    error_frames: float
    loop_start: int | None
    loop_end: int | None
    seam_step: float
    largest_step: float
    loudness_lufs: float
    peak_dbfs: float
    true_peak_dbtp: float
    title: str
    genre: str
    problems: tuple[str, ...]

    @property
    def exact(self) -> bool:
        """Whether a deck can lock to it: nothing is wrong."""
        return not self.problems

    @property
    def duration_seconds(self) -> float:
        """Length in seconds."""
        return self.frames / self.sample_rate

    @property
    def words(self) -> str:
        """The check in one line, for a screen or a terminal."""
        length = f"{self.frames:,} frames, {self.duration_seconds:.3f} s"
        told = (
            f"{counted(self.bars, 'bar')} of {self.meter}"
            if self.bars
            else f"{self.quarters:g} quarters"
        )
        if self.tempo_bpm is None:
            return f"{length}; no tempo told"
        return f"{told} at {self.tempo_bpm:g} BPM: {length}, {self.error_frames:+.2f} frames off"


def check_loop(source: Path | bytes) -> LoopCheck:
    """Read a WAV, AIFF or FLAC file back and measure it.

    Raises:
        SoundError: a file that cannot be opened, or is none of these.
    """
    import soundfile

    if isinstance(source, bytes):
        content = source
    else:
        try:
            size = source.stat().st_size
            if size > MAX_CHECKED_BYTES:
                raise SoundError(
                    f"{source.name} has {size / 1e6:.0f} MB; loops of up to "
                    f"{MAX_CHECKED_BYTES / 1e6:.0f} MB can be checked."
                )
            content = source.read_bytes()
        except OSError as error:
            raise SoundError(f"{source.name} could not be opened: {error.strerror}.") from error
    try:
        with soundfile.SoundFile(BytesIO(content)) as file:
            samples = file.read(dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise SoundError(
            "This is no sound file that can be checked. Choose a WAV, AIFF or FLAC file."
        ) from error
    if not len(samples):
        raise SoundError("The file holds no sound at all.")
    frames, rate = len(samples), file.samplerate
    told = _told(content)
    quarters = error_frames = 0.0
    if told.tempo_bpm is not None:
        quarter_frames = 60 / told.tempo_bpm * rate
        quarters = told.quarters or max(round(frames / quarter_frames * 8) / 8, 1 / 8)
        error_frames = frames - quarters * quarter_frames
    check = LoopCheck(
        container="WAV" if file.format.startswith("WAV") else file.format,
        sample_rate=rate,
        bits=_FLOAT_BITS.get(file.subtype) or int(re.sub(r"\D", "", file.subtype) or 0),
        is_float=file.subtype in _FLOAT_BITS,
        channels=file.channels,
        frames=frames,
        tempo_bpm=told.tempo_bpm,
        quarters=quarters,
        bars=told.bars,
        meter=told.meter,
        error_frames=error_frames,
        loop_start=told.loop[0],
        loop_end=told.loop[1],
        seam_step=float(np.abs(samples[:1] - samples[-1:]).max(initial=0.0)),
        largest_step=float(np.abs(np.diff(samples, axis=0)).max(initial=0.0)),
        loudness_lufs=loudness_lufs(samples, rate),
        peak_dbfs=20 * math.log10(max(float(np.abs(samples).max()), 10 ** (-96 / 20))),
        true_peak_dbtp=true_peak_dbtp(samples),
        title=told.title,
        genre=told.genre,
        problems=(),
    )
    plain = check.container != "WAV" or told.format_tag == _PCM
    return replace(check, problems=_problems(check, plain))


def _problems(check: LoopCheck, plain: bool) -> tuple[str, ...]:
    """A sentence for each thing a deck would stumble over; `plain`: a WAV file is plain PCM."""
    off, bpm = check.error_frames, check.tempo_bpm
    whole = (check.loop_start, check.loop_end) == (0, check.frames - 1)
    problems = {
        "It does not say its tempo: a deck has to guess.": bpm is None,
        f"It is {abs(off):.1f} frames too {'long' if off > 0 else 'short'} for "
        f"{bpm or 0:g} BPM: it drifts with every pass.": abs(off) > _NEAR_FRAMES,
        "Its loop points do not span the whole file.": check.loop_end is not None and not whole,
        f"It peaks at {check.true_peak_dbtp:+.1f} dB between samples: converters may clip.":
            check.true_peak_dbtp > CEILING_DBTP,
        "Its end and its start do not meet: the seam clicks.":
            check.seam_step > check.largest_step,
        f"{check.container} files begin a little late: take WAV, AIFF or FLAC.":
            check.container not in ("WAV", "AIFF", "FLAC"),
        f"It is {check.bits}-bit float: programs play it, but many players want 16 or 24 bit.":
            check.is_float,
        "Its WAV format is not plain PCM: some players refuse it.":
            not plain and not check.is_float,
    }  # fmt: skip
    return tuple(problem for problem, is_there in problems.items() if is_there)


# -- what the file says --------------------------------------------------------------------------


@dataclass
class _Told:
    """What a file says of itself; see `LoopCheck`. `format_tag` is that of a WAV file."""

    title: str
    genre: str
    tempo_bpm: float | None = None
    bars: int | None = None
    meter: str | None = None
    quarters: float | None = None
    loop: tuple[int, int] | tuple[None, None] = (None, None)
    format_tag: int | None = None


def _told(content: bytes) -> _Told:
    """From the tags of any container, and the chunks of RIFF and AIFF files."""
    from mutagen import File, MutagenError

    try:
        audio = File(BytesIO(content))
    except MutagenError:
        audio = None
    tags = audio.tags if audio is not None and audio.tags is not None else {}

    def tag(*names: str) -> str:
        value = next((tags[name] for name in names if name in tags), "")
        return str(value[0] if isinstance(value, list) else value)

    chunks: dict[bytes, bytes] = {}  # the first of each name
    position, order = 12, "<I" if content[:4] == b"RIFF" else ">I"
    while content[:4] in (b"RIFF", b"FORM") and position + 8 <= len(content):
        (length,) = struct.unpack_from(order, content, position + 4)
        name = content[position : position + 4]
        chunks.setdefault(name, content[position + 8 : position + 8 + length])
        position += 8 + length + length % 2
    told = _Told(tag("TIT2", "TITLE"), tag("TCON", "GENRE"))
    told.format_tag = _unpacked("<H", chunks.get(b"fmt ", b""))
    ours: Any = {}
    with suppress(BeatError):
        ours = parse_json(tag(f"TXXX:{TOLD}", TOLD) or "{}")
    if not isinstance(ours, dict):
        ours = {}
    bars, meter = ours.get("bars"), ours.get("meter")
    if type(bars) is int and isinstance(meter, str):  # what we wrote, if still as we write it
        told.bars, told.meter = bars, meter
        with suppress(BeatError):
            told.quarters = bars * Meter.parse(meter).bar_quarters
    else:
        ours = {}
    # the tempo as exactly as the file has it: ours, the tag's, the acid chunk's
    acid = _unpacked("<20xf", chunks.get(b"acid", b""))
    for value in (acid, tag("TBPM", "BPM"), ours.get("tempo_bpm")):
        with suppress(TypeError, ValueError):
            if math.isfinite(tempo := float(value)) and tempo > 0:
                told.tempo_bpm = tempo
    # first and last frame of the first loop: WAV; AIFF, where an instrument names two markers;
    # FLAC
    loops, chunk, position = chunks.get(b"smpl", b""), chunks.get(b"MARK", b""), 2
    marks: dict[int, int] = {}
    while position + 7 <= len(chunk):
        number, frame, length = struct.unpack_from(">HIB", chunk, position)
        marks[number] = frame
        position += 7 + length + (length + 1) % 2  # names are padded to even with their length
    begin, end = (_unpacked(f">{place}xH", chunks.get(b"INST", b"")) for place in (10, 12))
    if _unpacked("<28xI", loops):
        told.loop = _unpacked("<44xI", loops), _unpacked("<48xI", loops)
    elif len(marks) >= 2 and begin in marks and end in marks:
        told.loop = marks[begin], marks[end] - 1
    elif (frames := tag("LOOPLENGTH")).isdigit():
        told.loop = 0, int(frames) - 1
    return told


def _unpacked(form: str, chunk: bytes) -> Any:  # noqa: ANN401 - a number of the form's kind
    """The one value `form` names in a chunk; None when the chunk is too short."""
    return struct.unpack_from(form, chunk)[0] if len(chunk) >= struct.calcsize(form) else None
