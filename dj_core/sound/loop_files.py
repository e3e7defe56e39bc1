"""Loop files (WAV, AIFF, FLAC) of exact length, their stems, and a kit's one-shots.

    Beat --render_stems--> a sound per drum family --one gain--> LoopSound --loop_files--> files

A loop lasts round(bars · quarters · 60 / BPM · rate) frames, and what rings at its end is heard at
its start. The gain is one number for mix and stems, so that stems played together are the mix:
they sum to it to the bit. At the usual loudness there is no limiter: nothing is squashed. At a
louder one, what a limiter multiplies each frame of the mix with, it multiplies each stem with. No
dither, whose noise would stand in the silence of a stem; at 16 bits, rounding is 98 dB below full
scale.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from dj_core.errors import SoundError
from dj_core.files.beat_json import canonical_json, provenance_to_json
from dj_core.files.file_names import beat_stem, one_line, origin_words, safe_stem
from dj_core.files.storage import write_bytes_atomic
from dj_core.music.beat import Beat, Meter
from dj_core.music.drums import DRUMS, LANE, Family
from dj_core.music.genres import genre_label
from dj_core.sound.beat_sound import BeatSound
from dj_core.sound.kit_table import kit_or
from dj_core.sound.loudness import SILENCE_LUFS, limiting_db, loudness_lufs, true_peak_dbtp
from dj_core.sound.mixer_table import NEUTRAL, Mixer
from dj_core.sound.render import kit_shots, render_mixed, render_stems

if TYPE_CHECKING:
    from mutagen import FileType
    from mutagen.id3 import Frame

Container = Literal["wav", "aiff", "flac"]
Normalise = Literal["loudness", "peak", "none"]
SAMPLE_RATES = (44_100, 48_000)
BITS = (16, 24)

TARGET_LUFS = -20.0
"""As loud as nine of ten beats can be made without squashing a peak (measured over kits)."""
LOUDNESSES_LUFS = (TARGET_LUFS, -14.0, -9.0)
"""What a loop can be brought to: untouched, as streaming plays it, as a club does."""
MOST_LIMITING_DB = 12.0  # what a beat's peaks are turned down by, at most
_LOUDNESS_ROUNDS = 8
_LOUDNESS_ERROR_LU = 0.05

CEILING_DBTP = -1.0
_AIM_DBTP = -1.2  # meters interpolate differently: all of them read less than the ceiling

MAX_SECONDS = 600.0  # of one file: about 1 GB of memory
MAX_STEMS_SECONDS = 300.0  # of a file with stems: each is held until all are done
SHOT_VELOCITY = 112  # a firm stroke, as programmed beats have them
_SHOT_SECONDS = 6.0
_SHOT_FADE_FRAMES = 256
_UNITY_NOTE = 60  # the key samplers play a sample back on as it is
_ACID_STRETCH, _ACID_ONE_SHOT = 4, 1
TOLD = "digital-dj"  # the tag that holds what we know of a file, as JSON


@dataclass(frozen=True)
class LoopSettings:
    """How a beat becomes audio files.

    Attributes:
        kit: a name from `kit_table.KITS`.
        soundfont: an .sf2 file; None for the best one at hand.
        container: 'wav' (PCM format tag 1, which every deck reads), 'aiff' or 'flac'.
        sample_rate: 44,100 or 48,000 frames per second.
        bits: 16 or 24 a sample.
        normalise: 'loudness' brings the loop to `target_lufs`; 'peak' to a true peak of -1 dB;
            'none' leaves the kit's own level (and turns down what would go over).
        loop: seamless, with loop points; False for a recording that ends.
        target_lufs: -20, or as near as a true peak of -1 dB allows, without touching a peak; -14
            or -9, where a limiter turns peaks down, by 12 dB at most.
        mixer: how the beat is mixed.

    Raises:
        SoundError: a value not named here.
    """

    kit: str = "standard"
    soundfont: Path | None = None
    container: Container = "wav"
    sample_rate: int = 44_100
    bits: int = 16
    normalise: Normalise = "loudness"
    loop: bool = True
    target_lufs: float = TARGET_LUFS
    mixer: Mixer = NEUTRAL

    def __post_init__(self) -> None:
        for name, value, choices in (
            ("format", self.container, get_args(Container)),
            ("sample rate", self.sample_rate, SAMPLE_RATES),
            ("number of bits", self.bits, BITS),
            ("normalising", self.normalise, get_args(Normalise)),
            ("loudness", self.target_lufs, LOUDNESSES_LUFS),
        ):
            if value not in choices:
                known = ", ".join(str(choice) for choice in choices)
                raise SoundError(f"The {name} {value!r} cannot be written. Choose of: {known}.")


def heard_with(sound: BeatSound, settings: LoopSettings) -> LoopSettings:
    """The settings for a beat of this sound: its own kit, if it has one that is here, and mixer."""
    return replace(settings, kit=kit_or(sound.kit, settings.kit), mixer=sound.mixer)


@dataclass(frozen=True, eq=False)
class LoopSound:
    """A beat as the whole numbers a file holds.

    Attributes:
        mix: shape (frames, 2): left, right; `bits` wide.
        stems: drum family → its part of the mix, in table order; they sum to it exactly.
        sample_rate, bits: as asked.
        gain_db: what every stem was turned up (or down) by.
        loudness_lufs: of the mix, going round.
        true_peak_dbtp: of the mix.
        limited_db: what its peaks were turned down by, at most; 0 without a limiter.
    """

    mix: NDArray[np.int32]
    stems: dict[Family, NDArray[np.int32]]
    sample_rate: int
    bits: int
    gain_db: float
    loudness_lufs: float
    true_peak_dbtp: float
    limited_db: float = 0.0

    @property
    def words(self) -> str:
        """Its level, as a DJ reads it."""
        told = f"{self.loudness_lufs:.1f} LUFS, true peak {self.true_peak_dbtp:.1f} dB"
        if self.limited_db >= 0.05:
            told += f", peaks turned down by up to {self.limited_db:.1f} dB"
        return told

    @property
    def frames(self) -> int:
        """Length in frames."""
        return len(self.mix)


def loop_sound(
    beat: Beat, settings: LoopSettings | None = None, *, stems: bool = True
) -> LoopSound:
    """The beat at its final level, mixed and, if wanted, apart.

    The mix is the same with and without stems.

    Raises:
        SoundError: as `render.render`, or a beat of over ten minutes (five, with stems).
    """
    settings = settings or LoopSettings()
    longest = MAX_STEMS_SECONDS if stems else MAX_SECONDS
    if beat.duration_seconds > longest:
        raise SoundError(
            f"A sound file {'with stems ' if stems else ''}is up to {longest / 60:g} minutes long; "
            f"this beat lasts {beat.duration_seconds / 60:.1f}. Take fewer bars."
        )
    whole, parts = _mixed(beat, settings, stems=stems)
    lufs = loudness_lufs(whole, settings.sample_rate, loop=settings.loop)
    peak = true_peak_dbtp(whole, loop=settings.loop)
    gain_db, limited_db = 0.0, 0.0
    if lufs > SILENCE_LUFS:
        room = _AIM_DBTP - peak
        wishes = {"loudness": settings.target_lufs - lufs, "peak": room, "none": 0.0}
        gain_db = min(wishes[settings.normalise], room)  # never over the ceiling
        if gain_db < wishes[settings.normalise] and settings.target_lufs > TARGET_LUFS:
            gain_db, line = _limiting(whole, settings, gain_db, room)
            whole *= line
            parts = {family: part * line for family, part in parts.items()}
            limited_db = -20 * math.log10(float(line.min()))
            lufs = loudness_lufs(whole, settings.sample_rate, loop=settings.loop)
            peak = true_peak_dbtp(whole, loop=settings.loop)
    mix = _rounded(whole, gain_db, settings.bits)
    # Each stem is the difference between two roundings: of the sum with it and the sum without it.
    # Those differences add up to the rounded mix, are at most one step off, and are silent where
    # the stem is. The last stem closes the sum: floats that went through a mixer or a limiter one
    # by one may add up to a hair more or less than the mix.
    total, before = np.zeros_like(whole), np.zeros_like(mix)
    quantised: dict[Family, NDArray[np.int32]] = {}
    for number, (family, part) in enumerate(parts.items(), start=1):
        total += part
        rounded = mix if number == len(parts) else _rounded(total, gain_db, settings.bits)
        quantised[family] = rounded - before
        before = rounded
    return LoopSound(
        mix, quantised, settings.sample_rate, settings.bits, gain_db, lufs + gain_db,
        peak + gain_db, limited_db,
    )  # fmt: skip


def _mixed(
    beat: Beat, settings: LoopSettings, *, stems: bool
) -> tuple[NDArray[np.float32], dict[Family, NDArray[np.float32]]]:
    """The beat whole and, if wanted, by drum family, at the kit's own level."""
    if not settings.mixer.is_neutral:
        return render_mixed(
            beat, settings.mixer, settings.kit, settings.soundfont, settings.sample_rate,
            settings.loop, stems,
        )  # fmt: skip
    frames = round(beat.duration_seconds * settings.sample_rate)
    whole = np.zeros((frames, 2), np.float32)
    parts: dict[Family, NDArray[np.float32]] = {}
    for family in dict.fromkeys(DRUMS[lane].family for lane in beat.lanes):
        # one family after another, so that few need be in memory
        played = replace(beat, hits=tuple(hit for hit in beat.hits if hit.drum.family == family))
        part = render_stems(
            played, settings.kit, settings.soundfont, settings.sample_rate, settings.loop
        )[family]
        whole += part
        if stems:
            parts[family] = part
    return whole, parts


def _limiting(
    whole: NDArray[np.float32], settings: LoopSettings, gain_db: float, room_db: float
) -> tuple[float, NDArray[np.float32]]:
    """The gain with which a limited sound is as loud as wanted, and the limiter's own, by frame."""
    rate, loop = settings.sample_rate, settings.loop
    for rounds_left in reversed(range(_LOUDNESS_ROUNDS)):
        limiting = limiting_db(whole, rate, _AIM_DBTP - gain_db, loop=loop)
        line = (10 ** (-limiting / 20)).astype(np.float32)[:, np.newaxis]
        missing = settings.target_lufs - gain_db - loudness_lufs(whole * line, rate, loop=loop)
        wanted = min(gain_db + 1.4 * missing, room_db + MOST_LIMITING_DB)
        if abs(wanted - gain_db) < _LOUDNESS_ERROR_LU or not rounds_left:
            break
        gain_db = wanted
    return gain_db, line


def loop_files(
    beat: Beat,
    settings: LoopSettings | None = None,
    *,
    stems: bool = False,
    stem_name: str | None = None,
) -> Iterator[tuple[str, bytes]]:
    """The beat as named files: the mix first, then a stem per drum family that is played.

    Args:
        beat: what to play.
        settings: how.
        stems: also the stems, as 'NAME_kick.wav' and so on.
        stem_name: the mix's name without ending; None for genre, tempo and seed.

    Yields:
        (file name of A-Z a-z 0-9 _ - with its ending, content).
    """
    settings = settings or LoopSettings()
    sound = loop_sound(beat, settings, stems=stems)
    name = stem_name or beat_stem(beat)
    yield f"{name}.{settings.container}", audio_file(sound.mix, beat, settings)
    for family, samples in sound.stems.items():
        content = audio_file(samples, beat, settings, part=family)
        yield f"{name}_{family}.{settings.container}", content


def save_loop(
    beat: Beat, path: Path, settings: LoopSettings | None = None, *, stems: bool = False
) -> tuple[Path, ...]:
    """Write the mix to `path` and its stems beside it, each completely or not at all.

    Raises:
        SoundError: as `loop_sound`.
        LibraryError: no space, no permission.
    """
    files = loop_files(beat, settings, stems=stems, stem_name=path.stem)
    paths = []
    for number, (name, content) in enumerate(files):
        paths.append(write_bytes_atomic(path if number == 0 else path.with_name(name), content))
    return tuple(paths)


def one_shot_files(
    kit: str = "standard",
    settings: LoopSettings | None = None,
    *,
    drums: tuple[str, ...] | None = None,
) -> Iterator[tuple[str, bytes]]:
    """A kit's drums one by one, in table order, each from its attack until it has died away.

    They keep their levels to each other; the loudest has a true peak of -1.2 dB.

    Args:
        kit: a name from `kit_table.KITS`.
        settings: format, rate, bits and SoundFont; what it says of kit and loudness is not heeded.
        drums: names of drums; None for all sixteen.

    Yields:
        ('tr-808_01_kick.wav', content) and so on.

    Raises:
        SoundError: as `render.kit_shots`.
    """
    settings = settings or LoopSettings()
    notes = {drum.note: drum for drum in DRUMS if drums is None or drum.name in drums}
    shots = kit_shots(
        kit,
        settings.soundfont,
        velocities=(SHOT_VELOCITY,),
        notes=tuple(notes),
        sample_rate=settings.sample_rate,
        longest_seconds=_SHOT_SECONDS,
    )
    peaks = [true_peak_dbtp(shot.samples, loop=False) for shot in shots]
    gain_db = _AIM_DBTP - max(peaks, default=_AIM_DBTP)
    for shot in shots:
        drum = notes[shot.note]
        samples = shot.samples.copy()
        fade = min(_SHOT_FADE_FRAMES, len(samples))
        samples[len(samples) - fade :] *= np.linspace(1, 0, fade, dtype=np.float32)[:, np.newaxis]
        name = f"{safe_stem(kit)}_{LANE[drum.name] + 1:02}_{drum.name}.{settings.container}"
        tags = {"TITLE": f"{drum.label} ({kit})", "COMMENT": "Digital DJ"}
        acid = _acid_chunk(_ACID_ONE_SHOT, 0, Meter(), 0.0)
        yield name, _file_of(_rounded(samples, gain_db, settings.bits), settings, tags, acid)


def audio_file(
    samples: NDArray[np.int32], beat: Beat, settings: LoopSettings, *, part: Family | None = None
) -> bytes:
    """Samples of a `LoopSound` as a file with tempo, title, genre and, if it loops, loop points.

    Args:
        samples: shape (frames, 2), as wide as `settings.bits`.
        beat: what they play.
        settings: container, rate and width.
        part: the drum family, for a stem.
    """
    genre = one_line(genre_label(beat.genre)) if beat.genre else ""
    title = one_line(beat.title) or genre or "Beat"
    tempo_bpm = beat.playing_tempo_bpm
    told: dict[str, Any] = {
        "bars": beat.bars,
        "meter": str(beat.meter),
        "tempo_bpm": tempo_bpm,
        "provenance": provenance_to_json(beat.provenance),
    }
    length = f"{beat.bars} bar{'s' * (beat.bars > 1)} of {beat.meter}"
    tags = {
        "TITLE": f"{title} ({part})" if part else title,
        # '124', or '93.333333' where a whole number would drift
        "BPM": f"{tempo_bpm:.6f}".rstrip("0").rstrip("."),
        "COMMENT": ", ".join(filter(None, [length, "Digital DJ", origin_words(beat.provenance)])),
        TOLD: canonical_json(told),
    }
    if genre:
        tags["GENRE"] = genre
    acid = b""
    # beats are quarters here, as the tempo is; a fraction of one would contradict the tempo
    if settings.loop and beat.length_quarters.is_integer():
        acid = _acid_chunk(_ACID_STRETCH, int(beat.length_quarters), beat.meter, tempo_bpm)
    return _file_of(samples, settings, tags, acid, loop=settings.loop)


def _rounded(sound: NDArray[np.float32], gain_db: float, bits: int) -> NDArray[np.int32]:
    scale = np.float32(10 ** (gain_db / 20) * (2 ** (bits - 1) - 1))
    rounded: NDArray[np.int32] = np.rint(sound * scale).astype(np.int32)
    return rounded


def _acid_chunk(kind: int, beats: int, meter: Meter, tempo_bpm: float) -> bytes:
    """Sonic Foundry's loop facts: flags, key, beats, meter, tempo."""
    meter_parts = (meter.denominator, meter.numerator)
    return struct.pack("<IHHfIHHf", kind, _UNITY_NOTE, 0x8000, 0.0, beats, *meter_parts, tempo_bpm)


# -- containers ----------------------------------------------------------------------------------


def _file_of(
    samples: NDArray[np.int32],
    settings: LoopSettings,
    tags: dict[str, str],
    acid: bytes,
    loop: bool = False,
) -> bytes:
    """A file of sound, tags and, if it loops, loop points.

    Args:
        tags: by the names FLAC files have them; other containers translate them.
        acid: loop facts, which only WAV files hold; may be empty.
    """
    import soundfile
    from mutagen.aiff import AIFF
    from mutagen.flac import FLAC
    from mutagen.wave import WAVE

    frames, rate, bits = len(samples), settings.sample_rate, settings.bits
    if settings.container == "flac":
        file = BytesIO()
        # libsndfile takes the upper bits of 32
        soundfile.write(file, samples << 32 - bits, rate, format="FLAC", subtype=f"PCM_{bits}")
        file.seek(0)
        flac = FLAC(file)
        flac.update(tags)
        if loop:
            flac.update(LOOPSTART="0", LOOPLENGTH=str(frames))
        return _saved(flac, file)
    if settings.container == "aiff":
        exponent = rate.bit_length() - 1  # the rate is an 80-bit float
        extended = struct.pack(">HQ", 16383 + exponent, rate << (63 - exponent))
        chunks = _chunk(b"COMM", struct.pack(">hIh", 2, frames, bits) + extended, ">")
        if loop:  # markers, and the instrument that uses them
            marks = struct.pack(">HHI", 2, 1, 0) + b"\x05begin" + struct.pack(">HI", 2, frames)
            chunks += _chunk(b"MARK", marks + b"\x03end", ">")
            sustained = struct.pack(">6bh", _UNITY_NOTE, 0, 0, 127, 1, 127, 0)
            chunks += _chunk(b"INST", sustained + struct.pack(">6H", 1, 1, 2, 0, 0, 0), ">")
        chunks += _chunk(b"SSND", struct.pack(">II", 0, 0) + _packed(samples, bits, ">"), ">")
        form = b"FORM" + struct.pack(">I", len(chunks) + 4) + b"AIFF"
        return _id3_tagged(AIFF, form + chunks, tags)
    width = bits // 8 * 2  # bytes of a frame; format tag 1 is PCM
    chunks = _chunk(b"fmt ", struct.pack("<HHIIHH", 1, 2, rate, rate * width, width, bits), "<")
    chunks += _chunk(b"data", _packed(samples, bits, "<"), "<")
    if loop:  # one endless forward loop over all frames; its end is the last frame itself
        head = (0, 0, round(1e9 / rate), _UNITY_NOTE, 0, 0, 0, 1, 0)
        chunks += _chunk(b"smpl", struct.pack("<9I6I", *head, 0, 0, 0, frames - 1, 0, 0), "<")
    if acid:
        chunks += _chunk(b"acid", acid, "<")
    riff = b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WAVE"
    return _id3_tagged(WAVE, riff + chunks, tags)


def _id3_tagged(kind: type[FileType], content: bytes, tags: dict[str, str]) -> bytes:
    """A WAV or AIFF file with an ID3 chunk, version 2.3, which every program reads."""
    from mutagen.id3 import COMM, TBPM, TCON, TIT2, TXXX

    file = BytesIO(content)
    audio = kind(file)
    audio.add_tags()
    id3: Any = audio.tags  # there now; mutagen's class says None
    frames: dict[str, Callable[..., Frame]] = {"TITLE": TIT2, "BPM": TBPM, "GENRE": TCON}
    for name, text in tags.items():
        if name == "COMMENT":
            id3.add(COMM(encoding=1, lang="eng", desc="", text=[text]))
        elif name == TOLD:
            id3.add(TXXX(encoding=1, desc=TOLD, text=[text]))
        else:
            id3.add(frames[name](encoding=1, text=[text]))
    return _saved(audio, file, v2_version=3)


def _saved(audio: FileType, file: BytesIO, **options: int) -> bytes:
    file.seek(0)
    audio.save(file, **options)
    return file.getvalue()


def _chunk(name: bytes, content: bytes, order: Literal["<", ">"]) -> bytes:
    return name + struct.pack(f"{order}I", len(content)) + content + b"\0" * (len(content) % 2)


def _packed(samples: NDArray[np.int32], bits: int, order: Literal["<", ">"]) -> bytes:
    """Samples as 2 or 3 bytes each, interleaved."""
    if bits == 16:
        return np.ascontiguousarray(samples, f"{order}i2").tobytes()
    four = np.ascontiguousarray(samples, f"{order}i4").view(np.uint8).reshape(-1, 4)
    return np.ascontiguousarray(four[:, :3] if order == "<" else four[:, 1:]).tobytes()
