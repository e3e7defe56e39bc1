"""Loop files (WAV, AIFF, FLAC) of exact length, their stems, and a kit's one-shots.

    Beat --render_stems--> a sound per drum family --one gain--> LoopSound --loop_files--> files

A loop lasts round(bars · quarters · 60 / BPM · rate) frames, and what rings at its end is heard at
its start. The gain is one number for mix and stems, so that stems played together are the mix:
they sum to it to the bit. There is no limiter: nothing is squashed. And no dither, whose noise
would stand in the silence of a stem; at 16 bits, rounding is 98 dB below full scale.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
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
from dj_core.music.beat import Beat
from dj_core.music.drums import DRUMS, LANE, Family
from dj_core.music.genres import genre_label
from dj_core.sound.loudness import SILENCE_LUFS, loudness_lufs, true_peak_dbtp
from dj_core.sound.render import kit_shots, render_stems

if TYPE_CHECKING:
    from mutagen import FileType

Container = Literal["wav", "aiff", "flac"]
Normalise = Literal["loudness", "peak", "none"]
SAMPLE_RATES = (44_100, 48_000)
BITS = (16, 24)

TARGET_LUFS = -20.0
"""As loud as nine of ten beats can be made without squashing a peak (measured over kits)."""

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
        kit: a name from `render.KITS`.
        soundfont: an .sf2 file; None for the best one at hand.
        container: 'wav' (PCM format tag 1, which every deck reads), 'aiff' or 'flac'.
        sample_rate: 44,100 or 48,000 frames per second.
        bits: 16 or 24 a sample.
        normalise: 'loudness' brings the loop to -20 LUFS, or as near as a true peak of -1 dB
            allows; 'peak' to that peak; 'none' leaves the kit's own level (and turns down what
            would go over).
        loop: seamless, with loop points; False for a recording that ends.

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

    def __post_init__(self) -> None:
        for name, value, choices in (
            ("format", self.container, get_args(Container)),
            ("sample rate", self.sample_rate, SAMPLE_RATES),
            ("number of bits", self.bits, BITS),
            ("normalising", self.normalise, get_args(Normalise)),
        ):
            if value not in choices:
                known = ", ".join(str(choice) for choice in choices)
                raise SoundError(f"The {name} {value!r} cannot be written. Choose of: {known}.")


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
    """

    mix: NDArray[np.int32]
    stems: dict[Family, NDArray[np.int32]]
    sample_rate: int
    bits: int
    gain_db: float
    loudness_lufs: float
    true_peak_dbtp: float

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
    frames = round(beat.duration_seconds * settings.sample_rate)
    whole = np.zeros((frames, 2), np.float32)
    parts: dict[Family, NDArray[np.float32]] = {}
    for family, part in _family_sounds(beat, settings):
        whole += part
        if stems:
            parts[family] = part
    lufs = loudness_lufs(whole, settings.sample_rate, loop=settings.loop)
    peak = true_peak_dbtp(whole, loop=settings.loop)
    gain_db = _gain_db(lufs, peak, settings.normalise)
    if stems:
        mix, quantised = _quantised(parts, frames, gain_db, settings.bits)
    else:
        mix, quantised = _rounded(whole, gain_db, settings.bits), {}
    return LoopSound(
        mix, quantised, settings.sample_rate, settings.bits, gain_db, lufs + gain_db, peak + gain_db
    )


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
        kit: a name from `render.KITS`.
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
        mix, _ = _quantised({drum.family: samples}, len(samples), gain_db, settings.bits)
        name = f"{safe_stem(kit)}_{LANE[drum.name] + 1:02}_{drum.name}.{settings.container}"
        yield name, _file_of(mix, settings, _shot_tags(f"{drum.label} ({kit})"), _one_shot_chunk())


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
    acid = _acid_chunk(beat) if settings.loop else b""
    return _file_of(samples, settings, _tags(beat, part), acid, loop=settings.loop)


# -- levels --------------------------------------------------------------------------------------


def _family_sounds(
    beat: Beat, settings: LoopSettings
) -> Iterator[tuple[Family, NDArray[np.float32]]]:
    """What each drum family plays, one after another, so that few need be in memory."""
    for family in dict.fromkeys(DRUMS[lane].family for lane in beat.lanes):
        hits = tuple(hit for hit in beat.hits if hit.drum.family == family)
        yield from render_stems(
            replace(beat, hits=hits),
            settings.kit,
            settings.soundfont,
            settings.sample_rate,
            settings.loop,
        ).items()


def _gain_db(lufs: float, peak_dbtp: float, normalise: Normalise) -> float:
    """What to turn a mix up by, never over the ceiling."""
    if lufs <= SILENCE_LUFS:
        return 0.0
    room = _AIM_DBTP - peak_dbtp
    wish = {"loudness": TARGET_LUFS - lufs, "peak": room, "none": 0.0}[normalise]
    return min(wish, room)


def _quantised(
    parts: dict[Family, NDArray[np.float32]], frames: int, gain_db: float, bits: int
) -> tuple[NDArray[np.int32], dict[Family, NDArray[np.int32]]]:
    """The mix and its parts as whole numbers; the parts sum to the mix to the bit.

    Each part is the difference between two roundings: of the sum with it and the sum without it.
    Those differences add up to the rounded mix, are at most one step off, and are silent where
    the part is.
    """
    total = np.zeros((frames, 2), np.float32)
    before = np.zeros((frames, 2), np.int32)
    stems: dict[Family, NDArray[np.int32]] = {}
    for family, part in parts.items():
        total += part
        rounded = _rounded(total, gain_db, bits)
        stems[family] = rounded - before
        before = rounded
    return before, stems


def _rounded(sound: NDArray[np.float32], gain_db: float, bits: int) -> NDArray[np.int32]:
    scale = np.float32(10 ** (gain_db / 20) * (2 ** (bits - 1) - 1))
    return np.rint(sound * scale).astype(np.int32)


# -- what a file says ----------------------------------------------------------------------------


def _tags(beat: Beat, part: Family | None) -> dict[str, str]:
    """Tags by the names FLAC files have them; other containers translate them."""
    genre = one_line(genre_label(beat.genre)) if beat.genre else ""
    title = one_line(beat.title) or genre or "Beat"
    told: dict[str, Any] = {
        "bars": beat.bars,
        "meter": str(beat.meter),
        "tempo_bpm": beat.playing_tempo_bpm,
        "provenance": provenance_to_json(beat.provenance),
    }
    length = f"{beat.bars} bar{'s' * (beat.bars > 1)} of {beat.meter}"
    made = [length, "Digital DJ", origin_words(beat.provenance)]
    tags = {
        "TITLE": f"{title} ({part})" if part else title,
        "BPM": _written_tempo(beat.playing_tempo_bpm),
        "COMMENT": ", ".join(part for part in made if part),
        TOLD: canonical_json(told),
    }
    if genre:
        tags["GENRE"] = genre
    return tags


def _written_tempo(tempo_bpm: float) -> str:
    """'124', or '93.333333' where a whole number would drift."""
    return f"{tempo_bpm:.6f}".rstrip("0").rstrip(".")


def _shot_tags(title: str) -> dict[str, str]:
    return {"TITLE": title, "COMMENT": "Digital DJ"}


def _acid_chunk(beat: Beat) -> bytes:
    """Sonic Foundry's loop facts: flags, key, beats, meter, tempo.

    Beats are quarters here, as the tempo is; a loop of a fraction of one has no such chunk, for
    it would contradict the tempo.
    """
    if not beat.length_quarters.is_integer():
        return b""
    meter = beat.meter
    return struct.pack(
        "<IHHfIHHf",
        _ACID_STRETCH,
        _UNITY_NOTE,
        0x8000,
        0.0,
        int(beat.length_quarters),
        meter.denominator,
        meter.numerator,
        beat.playing_tempo_bpm,
    )


def _one_shot_chunk() -> bytes:
    return struct.pack("<IHHfIHHf", _ACID_ONE_SHOT, _UNITY_NOTE, 0x8000, 0.0, 0, 4, 4, 0.0)


# -- containers ----------------------------------------------------------------------------------


def _file_of(
    samples: NDArray[np.int32],
    settings: LoopSettings,
    tags: dict[str, str],
    acid: bytes,
    loop: bool = False,
) -> bytes:
    if settings.container == "flac":
        return _flac(samples, settings, tags, loop)
    if settings.container == "aiff":
        return _aiff(samples, settings, tags, loop)
    return _wav(samples, settings, tags, acid, loop)


def _wav(
    samples: NDArray[np.int32],
    settings: LoopSettings,
    tags: dict[str, str],
    acid: bytes,
    loop: bool,
) -> bytes:
    """RIFF WAVE: format tag 1, sound, then loop points, loop facts and tags."""
    from mutagen.wave import WAVE

    rate, frame_bytes = settings.sample_rate, settings.bits // 8 * 2
    form = struct.pack("<HHIIHH", 1, 2, rate, rate * frame_bytes, frame_bytes, settings.bits)
    chunks = _chunk(b"fmt ", form, "<") + _chunk(b"data", _packed(samples, settings.bits, "<"), "<")
    if loop:
        chunks += _chunk(b"smpl", _sampler_chunk(len(samples), rate), "<")
    if acid:
        chunks += _chunk(b"acid", acid, "<")
    return _id3_tagged(WAVE, b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WAVE" + chunks, tags)


def _sampler_chunk(frames: int, sample_rate: int) -> bytes:
    """One endless forward loop over all frames; its end is the last frame itself."""
    head = (0, 0, round(1e9 / sample_rate), _UNITY_NOTE, 0, 0, 0, 1, 0)
    return struct.pack("<9I6I", *head, 0, 0, 0, frames - 1, 0, 0)


def _aiff(
    samples: NDArray[np.int32], settings: LoopSettings, tags: dict[str, str], loop: bool
) -> bytes:
    """AIFF: format, loop markers and the instrument that uses them, sound, tags."""
    from mutagen.aiff import AIFF

    frames = len(samples)
    common = struct.pack(">hIh", 2, frames, settings.bits) + _extended(settings.sample_rate)
    chunks = _chunk(b"COMM", common, ">")
    if loop:
        marks = struct.pack(">HHI", 2, 1, 0) + b"\x05begin" + struct.pack(">HI", 2, frames)
        chunks += _chunk(b"MARK", marks + b"\x03end", ">")
        sustained = struct.pack(">6bh", _UNITY_NOTE, 0, 0, 127, 1, 127, 0)
        chunks += _chunk(b"INST", sustained + struct.pack(">6H", 1, 1, 2, 0, 0, 0), ">")
    sound = struct.pack(">II", 0, 0) + _packed(samples, settings.bits, ">")
    chunks += _chunk(b"SSND", sound, ">")
    return _id3_tagged(AIFF, b"FORM" + struct.pack(">I", len(chunks) + 4) + b"AIFF" + chunks, tags)


def _extended(sample_rate: int) -> bytes:
    """A whole number as the 80-bit float AIFF wants."""
    exponent = sample_rate.bit_length() - 1
    return struct.pack(">HQ", 16383 + exponent, sample_rate << (63 - exponent))


def _flac(
    samples: NDArray[np.int32], settings: LoopSettings, tags: dict[str, str], loop: bool
) -> bytes:
    """FLAC with Vorbis comments."""
    import soundfile
    from mutagen.flac import FLAC

    shift = 32 - settings.bits  # libsndfile takes the upper bits of 32
    file = BytesIO()
    soundfile.write(
        file, samples << shift, settings.sample_rate, format="FLAC", subtype=f"PCM_{settings.bits}"
    )
    file.seek(0)
    flac = FLAC(file)
    for name, text in tags.items():
        flac[name] = text
    if loop:
        flac["LOOPSTART"], flac["LOOPLENGTH"] = "0", str(len(samples))
    return _saved(flac, file)


def _id3_tagged(kind: type[FileType], content: bytes, tags: dict[str, str]) -> bytes:
    """A WAV or AIFF file with an ID3 chunk, version 2.3, which every program reads."""
    from mutagen.id3 import COMM, TBPM, TCON, TIT2, TXXX

    file = BytesIO(content)
    audio = kind(file)
    audio.add_tags()
    id3: Any = audio.tags  # there now; mutagen's class says None
    frames = {"TITLE": TIT2, "BPM": TBPM, "GENRE": TCON}
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
