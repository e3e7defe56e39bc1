"""Decodes sound files of strangers: in a process of its own, with limits, killed if it hangs.

libsndfile reads WAV, AIFF, FLAC, OGG and MP3; M4A goes through macOS's afconvert or ffmpeg, where
there is one. A file that crashes it, or keeps it busy, costs the
worker process and a sentence; the next file gets a new one.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import shutil
import subprocess
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dj_core.errors import SoundError
from dj_core.host.limits import LIMITS
from dj_core.host.worker_process import Answer, WorkerProcess, answer_questions

AUDIO_ENDINGS = (".wav", ".aif", ".aiff", ".aifc", ".flac", ".ogg", ".oga", ".mp3")
SECONDS_TO_START = 60  # of the worker on a busy machine: it imports numpy and libsndfile
SLOWEST_RATE_HZ = 4_000
LOUDEST = 1e4  # 80 dB over full scale: no recording, whatever the file says
_FORMATS = {"WAV", "WAVEX", "RF64", "AIFF", "FLAC", "OGG", "MP3"}
_BEGINNINGS = (b"RIFF", b"RIFX", b"RF64", b"FORM", b"fLaC", b"OggS", b"ID3")
_BLOCK_FRAMES = 65_536


@dataclass(frozen=True)
class AudioLimits:
    """What is accepted of a sound file.

    Attributes:
        most_bytes: of the file.
        most_seconds: it may play.
        most_channels: it may have.
        most_rate_hz: samples a second; the fewest are 4,000.
        most_work_seconds: the decoder may take on a clock, then it is killed.
        mono: mix the channels into one; the channels together are as loud as their mean.
        resample_hz: bring it to this rate, block by block, so that a long file takes little
            memory; 0 keeps the file's own.
    """

    most_bytes: int = LIMITS.shot_bytes
    most_seconds: float = LIMITS.shot_seconds
    most_channels: int = LIMITS.shot_channels
    most_rate_hz: int = LIMITS.shot_rate_hz
    most_work_seconds: float = LIMITS.shot_work_seconds
    mono: bool = False
    resample_hz: int = 0

    def __post_init__(self) -> None:
        least = min(self.most_bytes, self.most_seconds, self.most_channels, self.most_work_seconds)
        if least <= 0 or self.most_rate_hz < SLOWEST_RATE_HZ:
            raise SoundError(f"Limits of sound files are above 0; got {self}.")


ONE_SHOT = AudioLimits()
"""What a drum's recording may be."""


@dataclass(frozen=True, eq=False)
class Audio:
    """A decoded sound file.

    Attributes:
        samples: shape (frames, channels); full scale is 1.0, all are finite.
        rate_hz: frames a second.
    """

    samples: NDArray[np.float32]
    rate_hz: int


def decode_audio(content: bytes, limits: AudioLimits = ONE_SHOT) -> Audio:
    """The sound of one file. Raises SoundError with the reason why it cannot be had."""
    with AudioDecoder() as decoder:
        return decoder.decode(content, limits)


class AudioDecoder(WorkerProcess):
    """A worker process that decodes one file at a time; a context manager."""

    def __init__(self) -> None:
        super().__init__(__name__, SECONDS_TO_START)

    def decode(self, content: bytes, limits: AudioLimits = ONE_SHOT) -> Audio:
        """The sound of a file. Raises SoundError with the reason why it cannot be had."""
        if len(content) > limits.most_bytes:
            raise SoundError(
                f"The file has over {limits.most_bytes / 1e6:,.0f} MB, the most that is read here."
            )
        if not (content.startswith(_BEGINNINGS) or _is_mpeg(content) or _is_mp4(content)):
            raise SoundError("The file is no WAV, AIFF, FLAC, OGG or MP3.")
        if not self.start():
            raise SoundError(
                "The sound decoder did not start. Check that libsndfile's package is installed: "
                "python -m pip install soundfile."
            )
        answer = self.ask(asdict(limits), content, limits.most_work_seconds)
        if answer is None:
            raise SoundError(
                f"The decoder crashed on the file, or took over {limits.most_work_seconds:g} "
                "seconds. Save it anew in a sound editor."
            )
        head, samples = answer
        if reason := head.get("reason"):
            raise SoundError(reason)
        frames = np.frombuffer(samples, np.float32).reshape(-1, head["channels"])
        return Audio(frames, head["rate_hz"])


def _is_mpeg(content: bytes) -> bool:
    """Whether a file begins as an MP3 without a tag does: eleven bits set, and a known layer."""
    return len(content) > 4 and content[0] == 0xFF and content[1] & 0xE0 == 0xE0


def _is_mp4(content: bytes) -> bool:
    """Whether a file begins as M4A does."""
    return content[4:8] == b"ftyp"


# -- in the worker -------------------------------------------------------------------------------


def serve() -> None:
    """The worker's loop: limits and a file there, samples back."""

    def answer(question: dict[str, Any], content: bytes) -> Answer:
        try:
            audio = _decoded(content, AudioLimits(**question))
        except SoundError as error:
            return {"reason": str(error)}, b""
        head = {"channels": audio.samples.shape[1], "rate_hz": audio.rate_hz}
        return head, audio.samples.data

    answer_questions(lambda: importlib.import_module("soundfile"), answer)


def _decoded(content: bytes, limits: AudioLimits) -> Audio:
    """The sound of a file, checked from its head on, so that no claim takes memory."""
    import soundfile

    if _is_mp4(content):
        content = _from_mp4(content, limits)
    try:
        with soundfile.SoundFile(io.BytesIO(content)) as file:
            rate_hz, channels = file.samplerate, file.channels
            if file.format not in _FORMATS:
                raise SoundError(f"The file is no WAV, AIFF, FLAC, OGG or MP3 but {file.format}.")
            if not SLOWEST_RATE_HZ <= rate_hz <= limits.most_rate_hz:
                raise SoundError(
                    f"The file has {rate_hz:,} samples a second; {SLOWEST_RATE_HZ:,} to "
                    f"{limits.most_rate_hz:,} are read. Convert it to 44,100."
                )
            if channels > limits.most_channels:
                raise SoundError(
                    f"The file has {channels} channels; up to {limits.most_channels} are read. "
                    "Mix it down to stereo."
                )
            most_frames = int(limits.most_seconds * rate_hz)
            blocks: list[NDArray[np.float32]] = []
            frames = 0
            resampler = None
            if limits.resample_hz not in (0, rate_hz):
                import soxr

                heard = 1 if limits.mono else channels
                resampler = soxr.ResampleStream(rate_hz, limits.resample_hz, heard)
            # what the head claims may be false: what is decoded is counted
            while frames <= most_frames and len(
                block := file.read(_BLOCK_FRAMES, dtype="float32", always_2d=True)
            ):
                if not np.isfinite(block).all() or float(np.abs(block).max()) > LOUDEST:
                    raise SoundError(
                        "The file holds samples that are no numbers, or far over full scale. "
                        "Save it anew in a sound editor."
                    )
                frames += len(block)
                block = block.mean(axis=1, keepdims=True) if limits.mono else block
                blocks.append(resampler.resample_chunk(block) if resampler else block)
            if resampler and blocks:
                blocks.append(resampler.resample_chunk(blocks[0][:0], last=True))
                rate_hz = limits.resample_hz
    except (soundfile.SoundFileError, RuntimeError, ValueError, OverflowError) as error:
        raise SoundError(
            "The file is damaged, or not what its name says: its sound cannot be decoded. "
            "Save it anew in a sound editor."
        ) from error
    if frames > most_frames:
        raise SoundError(
            f"The file lasts over {limits.most_seconds:,.0f} seconds, the most that is read here. "
            "Cut it."
        )
    if not frames:
        raise SoundError("The file holds no sound: it ends where its samples would begin.")
    return Audio(np.concatenate(blocks), rate_hz)


def _from_mp4(content: bytes, limits: AudioLimits) -> bytes:
    """An M4A as WAV, by a program of this system. Raises SoundError where there is none."""
    afconvert, ffmpeg = shutil.which("afconvert"), shutil.which("ffmpeg")
    if not afconvert and not ffmpeg:
        raise SoundError(
            "M4A is read where ffmpeg is installed (or on a Mac). Convert the file to WAV, FLAC or "
            "MP3."
        )
    with tempfile.TemporaryDirectory() as folder:
        came, went = Path(folder, "came.m4a"), Path(folder, "went.wav")
        came.write_bytes(content)
        if afconvert:
            command = [afconvert, "-f", "WAVE", "-d", "LEI16@44100", str(came), str(went)]
        else:
            # its own format only: a file may name no other files or addresses
            most = str(limits.most_seconds + 1)
            command = [
                str(ffmpeg), "-v", "error", "-nostdin", "-protocol_whitelist", "file",
                "-f", "mov", "-i", str(came), "-map", "0:a:0", "-t", most, "-ar", "44100",
                "-fs", str(2_000_000_000), "-c:a", "pcm_s16le", str(went),
            ]  # fmt: skip
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            subprocess.run(
                command, timeout=0.8 * limits.most_work_seconds, check=True, capture_output=True
            )
            return went.read_bytes()
    raise SoundError(
        "The file is damaged, or has no sound that can be decoded. Save it anew in a sound editor."
    )
