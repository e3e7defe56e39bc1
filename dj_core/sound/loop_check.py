"""Checks a loop file: length, tempo, loop points, seam, loudness and peak.

The file is read back by other libraries than wrote it (libsndfile for the sound, mutagen for the
tags), and any loop with a tempo can be looked at, not only ours.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dj_core.errors import BeatError, SoundError
from dj_core.files.beat_json import parse_json
from dj_core.files.file_names import counted
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
    content = _content_of(source)
    samples, facts = _sound_of(content)
    told = _told(content)
    tempo = _tempo_of(told, content)
    quarters, error = _length_error(len(samples), facts["sample_rate"], tempo, told)
    start, end = _loop_points(content, told)
    steps = np.abs(np.diff(samples, axis=0)).max(initial=0.0)
    found = {
        **facts,
        "frames": len(samples),
        "tempo_bpm": tempo,
        "quarters": quarters,
        "bars": told["ours"].get("bars"),
        "meter": told["ours"].get("meter"),
        "error_frames": error,
        "loop_start": start,
        "loop_end": end,
        "seam_step": float(np.abs(samples[:1] - samples[-1:]).max(initial=0.0)),
        "largest_step": float(steps),
        "loudness_lufs": loudness_lufs(samples, facts["sample_rate"]),
        "peak_dbfs": 20 * math.log10(max(float(np.abs(samples).max()), 10 ** (-96 / 20))),
        "true_peak_dbtp": true_peak_dbtp(samples),
        "title": told["title"],
        "genre": told["genre"],
    }
    check = LoopCheck(**found, problems=())
    return LoopCheck(**found, problems=_problems(check, content))


def _problems(check: LoopCheck, content: bytes) -> tuple[str, ...]:
    problems = []
    if check.tempo_bpm is None:
        problems.append("It does not say its tempo: a deck has to guess.")
    elif abs(check.error_frames) > _NEAR_FRAMES:
        problems.append(
            f"It is {abs(check.error_frames):.1f} frames too "
            f"{'long' if check.error_frames > 0 else 'short'} for {check.tempo_bpm:g} BPM: "
            "it drifts with every pass."
        )
    if check.loop_end is not None and (check.loop_start, check.loop_end) != (0, check.frames - 1):
        problems.append("Its loop points do not span the whole file.")
    if check.true_peak_dbtp > CEILING_DBTP:
        problems.append(
            f"It peaks at {check.true_peak_dbtp:+.1f} dB between samples: converters may clip."
        )
    if check.seam_step > check.largest_step:
        problems.append("Its end and its start do not meet: the seam clicks.")
    if check.container not in ("WAV", "AIFF", "FLAC"):
        problems.append(f"{check.container} files begin a little late: take WAV, AIFF or FLAC.")
    if check.is_float:
        problems.append(
            f"It is {check.bits}-bit float: programs play it, but many players want 16 or 24 bit."
        )
    elif check.container == "WAV" and _format_tag(content) != _PCM:
        problems.append("Its WAV format is not plain PCM: some players refuse it.")
    return tuple(problems)


# -- sound ---------------------------------------------------------------------------------------


def _content_of(source: Path | bytes) -> bytes:
    if isinstance(source, bytes):
        return source
    try:
        size = source.stat().st_size
        if size > MAX_CHECKED_BYTES:
            raise SoundError(
                f"{source.name} has {size / 1e6:.0f} MB; loops of up to "
                f"{MAX_CHECKED_BYTES / 1e6:.0f} MB can be checked."
            )
        return source.read_bytes()
    except OSError as error:
        raise SoundError(f"{source.name} could not be opened: {error.strerror}.") from error


def _sound_of(content: bytes) -> tuple[NDArray[np.float32], dict[str, Any]]:
    import soundfile

    try:
        with soundfile.SoundFile(BytesIO(content)) as file:
            samples = file.read(dtype="float32", always_2d=True)
            digits = "".join(letter for letter in file.subtype if letter.isdigit())
            bits = _FLOAT_BITS.get(file.subtype) or int(digits or 0)
            container = "WAV" if file.format.startswith("WAV") else file.format
            facts = {
                "container": container,
                "sample_rate": file.samplerate,
                "bits": bits,
                "is_float": file.subtype in _FLOAT_BITS,
                "channels": file.channels,
            }
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise SoundError(
            "This is no sound file that can be checked. Choose a WAV, AIFF or FLAC file."
        ) from error
    if not len(samples):
        raise SoundError("The file holds no sound at all.")
    return samples, facts


def _length_error(
    frames: int, sample_rate: int, tempo_bpm: float | None, told: dict[str, Any]
) -> tuple[float, float]:
    """Quarters in the file, and how many frames it is longer than they last."""
    if tempo_bpm is None:
        return 0.0, 0.0
    quarter_frames = 60 / tempo_bpm * sample_rate
    quarters = told["quarters"] or max(round(frames / quarter_frames * 8) / 8, 1 / 8)
    return quarters, frames - quarters * quarter_frames


# -- what the file says --------------------------------------------------------------------------


def _told(content: bytes) -> dict[str, Any]:
    """Title, genre, tempo and our own facts, from the tags of any container."""
    from mutagen import File, MutagenError

    try:
        audio = File(BytesIO(content))
    except MutagenError:
        audio = None
    tags = audio.tags if audio is not None and audio.tags is not None else {}
    told: dict[str, Any] = {
        "title": _tag(tags, "TIT2", "TITLE"),
        "genre": _tag(tags, "TCON", "GENRE"),
        "bpm": _tag(tags, "TBPM", "BPM"),
        "loop_length": _tag(tags, "LOOPLENGTH"),
        "ours": _our_facts(_tag(tags, f"TXXX:{TOLD}", TOLD)),
    }
    told["quarters"] = _told_quarters(told["ours"])
    return told


def _tag(tags: Any, *names: str) -> str:  # noqa: ANN401 - mutagen's tags are of several kinds
    for name in names:
        if name in tags:
            value = tags[name]
            return str(value[0] if isinstance(value, list) else value)
    return ""


def _our_facts(text: str) -> dict[str, Any]:
    """What we wrote about the loop, if it is still what we write."""
    try:
        facts = parse_json(text) if text else {}
    except BeatError:
        return {}
    if not isinstance(facts, dict) or type(facts.get("bars")) is not int:
        return {}
    return facts if isinstance(facts.get("meter"), str) else {}


def _told_quarters(facts: dict[str, Any]) -> float | None:
    from dj_core.music.beat import Meter

    try:
        return facts["bars"] * Meter.parse(facts["meter"]).bar_quarters if facts else None
    except BeatError:
        return None


def _tempo_of(told: dict[str, Any], content: bytes) -> float | None:
    """The tempo as exactly as the file has it: ours, the tag's, the acid chunk's."""
    acid = _chunks(content).get(b"acid", b"")
    found = (told["ours"].get("tempo_bpm"), told["bpm"], _unpacked("<20xf", acid))
    for value in found:
        try:
            tempo = float(value)
        except (TypeError, ValueError):
            continue
        if math.isfinite(tempo) and tempo > 0:
            return tempo
    return None


def _loop_points(content: bytes, told: dict[str, Any]) -> tuple[int | None, int | None]:
    """First and last frame of the first loop a file names."""
    chunks = _chunks(content)
    if (loops := _unpacked("<28xI", chunks.get(b"smpl", b""))) is not None and loops:
        start = _unpacked("<44xI", chunks[b"smpl"])
        return start, _unpacked("<48xI", chunks[b"smpl"])
    marks = _aiff_marks(chunks.get(b"MARK", b""))
    if b"INST" in chunks and len(marks) >= 2:
        begin, end = (_unpacked(f">{place}xH", chunks[b"INST"]) for place in (10, 12))
        if begin in marks and end in marks:
            return marks[begin], marks[end] - 1
    if told["loop_length"].isdigit():
        return 0, int(told["loop_length"]) - 1
    return None, None


def _aiff_marks(chunk: bytes) -> dict[int, int]:
    """Marker number → frame."""
    marks = {}
    position = 2
    while position + 7 <= len(chunk):
        number, frame, length = struct.unpack_from(">HIB", chunk, position)
        marks[number] = frame
        position += 7 + length + (length + 1) % 2  # names are padded to even with their length
    return marks


def _format_tag(content: bytes) -> int | None:
    return _unpacked("<H", _chunks(content).get(b"fmt ", b""))


def _chunks(content: bytes) -> dict[bytes, bytes]:
    """The chunks of a RIFF or AIFF file by name, the first of each."""
    if content[:4] not in (b"RIFF", b"FORM"):
        return {}
    order = "<I" if content[:4] == b"RIFF" else ">I"
    chunks: dict[bytes, bytes] = {}
    position = 12
    while position + 8 <= len(content):
        (length,) = struct.unpack_from(order, content, position + 4)
        name = content[position : position + 4]
        chunks.setdefault(name, content[position + 8 : position + 8 + length])
        position += 8 + length + length % 2
    return chunks


def _unpacked(form: str, chunk: bytes) -> Any:  # noqa: ANN401 - a number of the form's kind
    """The one value `form` names in a chunk; None when the chunk is too short."""
    return struct.unpack_from(form, chunk)[0] if len(chunk) >= struct.calcsize(form) else None
