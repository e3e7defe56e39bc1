"""Renders beats to audio: FluidSynth plays each drum of a SoundFont, numpy mixes the strokes.

    Beat --> notes in seconds --FluidSynth--> one sound per drum and velocity
         --mixed at the exact frame--> a sound per drum family

Why the strokes are mixed here and not in FluidSynth (measured on 2.3): its voices start on blocks
of 64 frames only, up to 1.5 ms late, and the first block of a voice depends on what was played
before. Struck one by one, every stroke of a drum is the same to the bit, begins on the frame it
belongs to, and a loop's end rings into its start without a seam.

The sound is dry: a DJ adds a room at the mixer, and cannot take one out of a loop.
"""

from __future__ import annotations

import bisect
import contextlib
import functools
import importlib.util
import io
import itertools
import math
import os
import struct
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from ctypes import c_int, c_void_p
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from dj_core.errors import SoundError
from dj_core.music.drum_maps import drum_of_note
from dj_core.music.drums import (
    DRUM,
    DRUM_CHANNEL,
    DRUMS,
    GENERAL_MIDI_PERCUSSION,
    LANE,
    Family,
    general_midi_note,
)
from dj_core.sound.kit_table import OUR_KITS, SHIPPED_FOLDER, keys_of, kit_named, note_of
from dj_core.sound.mixer_table import NEUTRAL, Mixer
from dj_core.sound.mixing import Console, voiced
from dj_core.sound.sample_player import SamplePlayer

if TYPE_CHECKING:
    from types import ModuleType

    from dj_core.music.beat import Beat

SAMPLE_RATE_HZ = 44_100
SAMPLE_RATES_HZ = range(8_000, 96_001)  # what FluidSynth accepts
SYSTEM_FOLDERS = (
    Path("/usr/share/sounds/sf2"),
    Path("/usr/share/soundfonts"),
    Path("/usr/local/share/soundfonts"),
    Path("/opt/homebrew/share/soundfonts"),
    Path("/Library/Audio/Sounds/Banks"),
)
BETTER_SOUNDFONTS = ("FluidR3_GM", "GeneralUser-GS", "MuseScore_General")  # best first

_BLOCK_FRAMES = 64  # FluidSynth's own; fixed when it is compiled
_CHUNK_BLOCKS = 64  # how much to ask for before looking whether anything still sounds
_DRUM_BANK = 128
SYNTH_VARIABLE = "DIGITAL_DJ_SYNTH"  # "samples" does without FluidSynth
_HOLD_SECONDS = 1.0  # drums die away by themselves; one that would sound on is let go then
RING_SECONDS = 12.0  # no drum known to us rings for longer than 6
CHOKE_SECONDS = 0.02  # two hi-hat cymbals closing
_END_FADE_SECONDS = 0.005  # long enough not to click, too short to hear
CEILING = 10 ** (-1 / 20)  # -1 dBFS: room for a converter's overshoot
# A kick and a snare struck together as hard as can be would peak here; beats as they are played
# then peak around -4 to -1 dBFS, and what goes over the ceiling is turned down as a whole.
_BACKBEAT_PEAK = 10 ** (1.5 / 20)
FULL_SCALE = 32_767
SILENCE_DBFS = -96.0


@dataclass(frozen=True)
class SoundFont:
    """A file of sampled instruments; `name` is what a DJ reads."""

    name: str
    path: Path


@dataclass(frozen=True, eq=False)
class Shot:
    """One stroke of a kit until it has died away.

    Attributes:
        note: what was struck: a General MIDI note, 35 to 81, or the key of its alternate.
        velocity: how hard, 1 to 127.
        samples: shape (frames, 2): left, right; 1.0 is full scale, at the level beats are
            mixed at. A lone stroke of a loud drum may go over.
        sample_rate: frames per second.
    """

    note: int
    velocity: int
    samples: NDArray[np.float32]
    sample_rate: int


def render_stems(
    beat: Beat,
    kit: str = "standard",
    soundfont: Path | None = None,
    sample_rate: int = SAMPLE_RATE_HZ,
    loop: bool = False,
) -> dict[Family, NDArray[np.float32]]:
    """The beat as played by a drum kit, to the frame as long as its bars.

    Args:
        beat: what to play; without a tempo it plays at MIDI's 120 BPM.
        kit: a name from `KITS`.
        soundfont: an .sf2 file of the DJ's own choice, for kits that bring none along; None for
            the best one at hand.
        sample_rate: frames per second, 8,000 to 96,000.
        loop: True for a seamless loop: what still rings at the last bar line is heard at the
            start, and the beat sounds as it does the second time round. False fades the last
            5 ms.

    Returns:
        A sound per drum family that is played, in table order: round(beat.duration_seconds *
        sample_rate) frames of left and right; 1.0 is full scale, which all of them together may
        go over. The same arguments give the same sound on the same machine.

    Raises:
        SoundError: the kit, the SoundFont or the rate will not do.
    """
    with Striker(kit, soundfont, sample_rate) as striker:
        frames = round(beat.duration_seconds * sample_rate)
        families = dict.fromkeys(DRUMS[lane].family for lane in beat.lanes)
        stems = {family: np.zeros((frames, 2), np.float32) for family in families}
        _mix_strokes(beat, striker, loop, lambda key: stems[drum_of_note(note_of(key)).family])
        gain = np.float32(striker.gain)
    for stem in stems.values():
        if not loop:
            fade_end(stem, sample_rate)
        stem *= gain
    return stems


def render_mixed(
    beat: Beat,
    mixer: Mixer,
    kit: str = "standard",
    soundfont: Path | None = None,
    sample_rate: int = SAMPLE_RATE_HZ,
    loop: bool = False,
    stems: bool = False,
) -> tuple[NDArray[np.float32], dict[Family, NDArray[np.float32]]]:
    """The beat through a mixer, whole and, if wanted, by drum family.

    A family's part has its own room, plate and echoes. What the bus's drive multiplies each sample
    of the whole with, it multiplies each part with: parts add up to the whole, apart from the
    rounding of floats.

    Args and errors are those of `render_stems`.
    """
    frames = round(beat.duration_seconds * sample_rate)
    frames_a_quarter = 60 / beat.playing_tempo_bpm * sample_rate
    kicks = [
        (frame % frames if loop else frame, hit.velocity)
        for hit in beat.hits
        if hit.lane == LANE["kick"]
        and (frame := round(hit.onset_quarters * frames_a_quarter)) < frames + loop
    ]
    desk = Console(mixer, beat.playing_tempo_bpm, sample_rate, loop=loop)
    parts: dict[Family, tuple[Console, NDArray[np.float32]]] = {}
    with Striker(kit, soundfont, sample_rate) as striker:
        for family in dict.fromkeys(DRUMS[lane].family for lane in beat.lanes):
            # one family after another, so that few drums need be in memory
            hits = tuple(hit for hit in beat.hits if hit.drum.family == family)
            played = replace(beat, hits=hits)
            sounds = {lane: np.zeros((frames, 2), np.float32) for lane in played.lanes}
            by_drum = {DRUMS[lane].name: sound for lane, sound in sounds.items()}
            _mix_strokes(played, striker, loop, functools.partial(_of_drum, by_drum), mixer)
            own = Console(mixer, beat.playing_tempo_bpm, sample_rate, loop=loop)
            for lane, sound in sounds.items():
                sound *= np.float32(striker.gain)
                desk.take(lane, sound)
                if stems:
                    own.take(lane, sound)
            if stems:
                parts[family] = own, own.before_drive(frames, kicks)
    before = desk.before_drive(frames, kicks)
    gain = desk.drive_gain(before)
    whole = desk.through_bus(before, gain)
    heard = {family: own.through_bus(part, gain) for family, (own, part) in parts.items()}
    for sound in (whole, *heard.values()):
        if not loop:
            fade_end(sound, sample_rate)
    return whole, heard


def kit_shots(
    kit: str = "standard",
    soundfont: Path | None = None,
    velocities: Iterable[int] = (127,),
    notes: Iterable[int] | None = None,
    sample_rate: int = SAMPLE_RATE_HZ,
    longest_seconds: float = RING_SECONDS,
) -> tuple[Shot, ...]:
    """The strokes beats are made of: every drum of a kit, struck by itself.

    Args:
        kit: a name from `KITS`.
        soundfont: an .sf2 file; None for the best one at hand.
        velocities: how hard to strike, each 1 to 127.
        notes: General MIDI notes, and keys of alternates that the kit has; None for the notes of
            the drum table's lanes, in its order.
        sample_rate: frames per second, 8,000 to 96,000.
        longest_seconds: cut what rings longer, without a fade.

    Returns:
        A shot per note and velocity, in the order given; drums the kit does not have are left out.

    Raises:
        SoundError: as `render_stems`, or a note or velocity is out of its range.
    """
    wanted = tuple(velocities)
    struck = tuple(drum.note for drum in DRUMS) if notes is None else tuple(notes)
    alternated = kit_named(kit).alternated
    for note in struck:
        if note not in GENERAL_MIDI_PERCUSSION and note_of(note) not in alternated:
            raise SoundError(f"A kit's drums are notes 35 to 81; got {note}.")
    for velocity in wanted:
        if not 1 <= velocity <= 127:
            raise SoundError(f"A velocity is 1 to 127; got {velocity}.")
    with Striker(kit, soundfont, sample_rate) as striker:
        gain, longest = np.float32(striker.gain), round(longest_seconds * sample_rate)
        shots = [
            Shot(note, velocity, striker.strike(note, velocity, longest) * gain, sample_rate)
            for note in struck
            for velocity in wanted
        ]
    return tuple(shot for shot in shots if shot.samples.any())


def find_soundfonts(*folders: Path) -> tuple[SoundFont, ...]:
    """Every usable .sf2 file: the product's folder, then `folders`, pretty_midi's, the system's.

    Of files with one name the first is listed. Files that are no SoundFont are left out, and those
    of our own kits; a `Striker` says what is wrong with one that is named.
    """
    ours = {kit.file for kit in OUR_KITS}
    found: dict[str, SoundFont] = {}
    for folder in (SHIPPED_FOLDER, *folders, _bundled_soundfont().parent, *SYSTEM_FOLDERS):
        with contextlib.suppress(OSError):  # absent, or not ours to read: nothing to offer from it
            # resolved: systems link a default-GM.sf2 to one of its neighbours
            paths = {path.resolve() for path in folder.iterdir() if path.suffix.lower() == ".sf2"}
            for path in sorted(paths - ours):
                if _fault(path) is None:
                    found.setdefault(path.stem.lower(), SoundFont(path.stem, path))
    return tuple(found.values())


def default_soundfont() -> SoundFont:
    """The system's best SoundFont that we know, else the one pretty_midi ships."""
    for name, folder in itertools.product(BETTER_SOUNDFONTS, SYSTEM_FOLDERS):
        path = folder / f"{name}.sf2"
        if path.is_file() and _fault(path) is None:
            return SoundFont(name, path)
    path = _bundled_soundfont()
    return SoundFont(path.stem, path)


def soundfont_of(kit: str, soundfont: Path | None = None) -> Path:
    """The file that a kit is played from: its own, else the one that was chosen, else the best."""
    return kit_named(kit).file or soundfont or default_soundfont().path


# -- striking ------------------------------------------------------------------------------------


# FluidSynth's synthesizers share their samples, and two that load or drop them at once crash
_COMING_AND_GOING = threading.Lock()


class Striker:
    """A kit to strike drum by drum; a context manager, for the C memory of a fresh FluidSynth.

    Where there is no FluidSynth, `sample_player` plays the same kit.

    Attributes:
        sample_rate: frames per second.
        alternated: notes with an alternate, whose key `keys_of` knows.
        choked: the drums that silence each other.

    Raises:
        SoundError: the kit, the SoundFont or the rate will not do.
    """

    def __init__(
        self,
        kit: str = "standard",
        soundfont: Path | None = None,
        sample_rate: int = SAMPLE_RATE_HZ,
    ) -> None:
        chosen = kit_named(kit)
        if sample_rate not in SAMPLE_RATES_HZ:
            raise SoundError(
                f"A sample rate is 8000 to 96000 frames per second; got {sample_rate}. Try 44100."
            )
        path = soundfont_of(kit, soundfont)
        if fault := _fault(path):  # bad files can crash FluidSynth
            raise SoundError(
                f"{path.name} is not a SoundFont we can play: {fault}. Choose another."
            )
        self.sample_rate = sample_rate
        self.alternated, self.choked = chosen.alternated, chosen.choked
        self._player: SamplePlayer | None = None
        without = os.environ.get(SYNTH_VARIABLE) == "samples"
        if without or (fluidsynth := _fluidsynth()) is None:
            self._player = SamplePlayer(path, chosen.program)
            return
        self._fluidsynth = fluidsynth
        # its float output, which pyfluidsynth leaves out: 16 bits clip and add dither
        self._write_float = self._fluidsynth.cfunc(
            "fluid_synth_write_float", c_int,
            ("synth", c_void_p, 1), ("frames", c_int, 1),
            ("left", c_void_p, 1), ("left_offset", c_int, 1), ("left_step", c_int, 1),
            ("right", c_void_p, 1), ("right_offset", c_int, 1), ("right_step", c_int, 1),
        )  # fmt: skip
        with _COMING_AND_GOING:
            self._synth = self._fluidsynth.Synth(
                gain=1.0,
                samplerate=float(sample_rate),
                channels=16,
                **{
                    "synth.reverb.active": 0,
                    "synth.chorus.active": 0,
                    # only the chosen kit's samples: large SoundFonts load in a fraction of the time
                    "synth.dynamic-sample-loading": 1,
                },
            )
            font = self._synth.sfload(str(path))
            fault = ""
            if font < 0:
                fault = (
                    f"FluidSynth cannot read the SoundFont {path.name}; it is damaged. "
                    "Copy it again or choose another."
                )
            elif self._synth.program_select(DRUM_CHANNEL, font, _DRUM_BANK, chosen.program) != 0:
                fault = (
                    f"The SoundFont {path.name} has no {chosen.label} kit (bank {_DRUM_BANK}, "
                    f"program {chosen.program}). Choose another kit or SoundFont."
                )
            if fault:
                self._synth.delete()
                raise SoundError(fault)

    @functools.cached_property
    def gain(self) -> float:
        """What beats multiply this kit's strokes with; 1.0 is full scale then.

        By the peak of kick and snare struck together as hard as can be; a kit without either is
        left as it is.
        """
        frames = self.sample_rate // 5
        backbeat = np.zeros((frames, 2), np.float32)
        for drum in ("kick", "snare"):
            struck = self.strike(DRUM[drum].note, 127, frames)
            backbeat[: len(struck)] += struck
        return _BACKBEAT_PEAK / (peak_of(backbeat) or _BACKBEAT_PEAK)

    def strike(self, note: int, velocity: int, longest: int | None = None) -> NDArray[np.float32]:
        """One stroke until it has died away, at most `longest` frames (None for 12 seconds)."""
        if longest is None:
            longest = round(RING_SECONDS * self.sample_rate)
        if self._player is not None:
            hold = round(_HOLD_SECONDS * self.sample_rate)
            return self._player.strike(note, velocity, longest, hold, self.sample_rate)
        # A voice glides from its predecessor's place in the stereo image. Struck twice, it is
        # its own predecessor, and every stroke is the same whatever came before.
        self._synth.noteon(DRUM_CHANNEL, note, velocity)
        self._read(_BLOCK_FRAMES)
        self._synth.all_sounds_off(DRUM_CHANNEL)
        self._read(_BLOCK_FRAMES)
        self._synth.noteon(DRUM_CHANNEL, note, velocity)
        hold = min(longest, round(_HOLD_SECONDS * self.sample_rate))
        heard = [*self._ring(hold)]
        self._synth.noteoff(DRUM_CHANNEL, note)
        heard += self._ring(longest - hold)
        self._synth.all_sounds_off(DRUM_CHANNEL)
        self._read(_BLOCK_FRAMES)
        return np.concatenate(heard)[:longest] if heard else np.zeros((0, 2), np.float32)

    def _ring(self, frames: int) -> Iterator[NDArray[np.float32]]:
        """The next frames in whole blocks, `frames` at least, or until nothing sounds."""
        while frames > 0 and self._fluidsynth.fluid_synth_get_active_voice_count(self._synth.synth):
            chunk = min(-(-frames // _BLOCK_FRAMES), _CHUNK_BLOCKS) * _BLOCK_FRAMES
            yield self._read(chunk)
            frames -= chunk

    def _read(self, frames: int) -> NDArray[np.float32]:
        out = np.empty((frames, 2), np.float32)
        start = out.ctypes.data
        if self._write_float(self._synth.synth, frames, start, 0, 2, start, 1, 2) != 0:
            raise SoundError("FluidSynth stopped in the middle of a beat. Play it again.")
        return out

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._player is None:
            with _COMING_AND_GOING:
                self._synth.delete()


# -- mixing --------------------------------------------------------------------------------------


def _mix_strokes(
    beat: Beat,
    striker: Striker,
    loop: bool,
    target: Callable[[int], NDArray[np.float32]],
    mixer: Mixer = NEUTRAL,
) -> None:
    """Play a beat into the sounds that `target` names for each key, tuned as `mixer` says.

    Drums are folded to General MIDI (35 to 81), which every kit knows. A stroke rings until its
    drum falls silent: a hi-hat until the hi-hat is played again, any other until it has died away,
    12 seconds later at most. In a loop both happen past the last bar line too, as often round as
    needed, else everything ends there.
    """
    rate, quarter_seconds = striker.sample_rate, 60 / beat.playing_tempo_bpm
    chokes = sorted({hit.onset_quarters for hit in beat.hits if hit.drum.name in striker.choked})
    if loop and chokes:
        chokes.append(beat.length_quarters + chokes[0])
    last_end = math.inf if loop else beat.length_quarters
    hardest: dict[tuple[float, int], tuple[int, float]] = {}  # strokes of a drum at once are one
    for hit in beat.hits:
        start, end = hit.onset_quarters, hit.onset_quarters + RING_SECONDS / quarter_seconds
        following = bisect.bisect_right(chokes, start)
        if hit.drum.name in striker.choked and following < len(chokes):
            end = min(end, chokes[following])
        at = start * quarter_seconds, general_midi_note(hit.drum, hit.source_note)
        velocity, until = hardest.get(at, (0, min(end, last_end) * quarter_seconds))
        hardest[at] = max(velocity, hit.velocity), until
    played = sorted(hardest.items())
    keys = keys_of((note for (_, note), _ in played), striker.alternated)
    strips = {DRUMS[lane].name: mixer.values(DRUMS[lane].name) for lane in beat.lanes}
    # by key and velocity: where it is struck and for how long it may ring, in frames
    places: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for ((seconds, _), (velocity, until)), key in zip(played, keys, strict=True):
        place = round(seconds * rate), round((until - seconds) * rate)
        places.setdefault((key, velocity), []).append(place)
    for stroke in sorted(places):  # in one order, for sums of floats depend on it
        # one that is damped sounds on while it is
        longest = max(length for _, length in places[stroke]) + round(CHOKE_SECONDS * rate)
        strip = strips[drum_of_note(note_of(stroke[0])).name]
        whole = striker.strike(*stroke, math.ceil(longest * max(1, 2 ** (strip["tune"] / 12))))
        whole = voiced(whole, strip["tune"], strip["decay"], rate)
        sound = target(stroke[0])
        for frame, length in places[stroke]:
            struck = choked(whole, length, rate)
            if loop:
                frame %= len(sound)  # an onset within half a frame of the end is at the start
            while len(struck) and frame < len(sound):
                part = struck[: len(sound) - frame]
                sound[frame : frame + len(part)] += part
                struck = struck[len(part) :] if loop else struck[:0]
                frame = 0


def _of_drum(sounds: Mapping[str, NDArray[np.float32]], key: int) -> NDArray[np.float32]:
    return sounds[drum_of_note(note_of(key)).name]


def choked(struck: NDArray[np.float32], frames: int, sample_rate: int) -> NDArray[np.float32]:
    """The stroke, damped from `frames` on."""
    if frames >= len(struck):
        return struck
    damped = struck[: frames + round(CHOKE_SECONDS * sample_rate)].copy()
    _fade_out(damped[frames:])
    return damped


def fade_end(sound: NDArray[np.float32], sample_rate: int) -> None:
    """Bring the last 5 ms down to nothing, in place."""
    _fade_out(sound[-round(_END_FADE_SECONDS * sample_rate) :])


def _fade_out(sound: NDArray[np.float32]) -> None:
    """Bring `sound` down to nothing, in place."""
    sound *= np.linspace(1, 0, len(sound), dtype=np.float32)[:, np.newaxis]


def peak_of(samples: NDArray[Any]) -> float:
    """The largest distance from zero, without a copy of the samples."""
    if not samples.size:
        return 0.0
    return float(max(samples.max(), -float(samples.min())))


# -- what the machine offers ---------------------------------------------------------------------


def _fault(path: Path) -> str | None:
    """What is wrong with a SoundFont as seen from its outline; None for nothing."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(0)
            kind, length, form = struct.unpack("<4sI4s", file.read(12))
            if (kind, form) != (b"RIFF", b"sfbk"):
                return "it does not begin as an .sf2 file does"
            if size < length + 8:
                return "its end is missing"
            for part in (b"INFO", b"sdta", b"pdta"):  # about it, its samples, its presets
                kind, length, form = struct.unpack("<4sI4s", file.read(12))
                if (kind, form) != (b"LIST", part):
                    return f"its part {part.decode()!r} is missing"
                file.seek(length - 4, os.SEEK_CUR)
    except struct.error:
        return "it is too short"
    except OSError as error:
        return error.strerror or "it cannot be read"
    return None


def _bundled_soundfont() -> Path:
    """The SoundFont inside the pretty_midi package, which need not be imported for it."""
    found = importlib.util.find_spec("pretty_midi")
    return Path((found and found.origin) or "").parent / "TimGM6mb.sf2"


@functools.cache
def _fluidsynth() -> ModuleType | None:
    """pyfluidsynth with its library loaded and its chatter off; None where there is no library."""
    brew = Path("/opt/homebrew")
    if sys.platform == "darwin" and brew.is_dir():
        # where pyfluidsynth looks when a Python that is not Homebrew's misses Homebrew's library
        os.environ.setdefault("HOMEBREW_PREFIX", str(brew))
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # it says where it is when CI is set
            fluidsynth = importlib.import_module("fluidsynth")
    except (ImportError, OSError, AttributeError):  # none, of another machine, or of no use
        return None
    # FluidSynth writes nothing to stderr; what goes wrong we read from its return values
    set_log_function = fluidsynth.cfunc(
        "fluid_set_log_function", c_void_p,
        ("level", c_int, 1), ("function", c_void_p, 1), ("data", c_void_p, 1),
    )  # fmt: skip
    for level in range(5):  # panic, error, warning, information, debugging
        set_log_function(level, None, None)
    return fluidsynth
