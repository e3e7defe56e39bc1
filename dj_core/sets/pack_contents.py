"""Assembles a pack: loops, stems, MIDI, set list and playlists in one zip.

SET/
  README.txt               what is what
  set-list.pdf             the set at a glance, every beat with its waveform and steps
  rekordbox.xml            tempo, beat grid and loop of every track; playlists
  relocate.py .command .bat   write the folder's place into rekordbox.xml
  SET.m3u8                 the loops in order, for everything else
  loops/                   each beat as a seamless loop at its tempo in the set
  kick-and-hats/           the same loops for mixing in and out
  fills/                   a bar to end a phrase with
  stems/                   the loops by drum group; together they are the loop
  midi/                    every beat, and the whole set with markers
  mix/                     on request: the whole set as one WAV with a cue sheet
  kits/                    the DJ's own kits that are heard, as SoundFonts and to import elsewhere
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dj_core.files.file_names import one_line, origin_words
from dj_core.files.midi import MidiSettings, midi_bytes
from dj_core.host.executors import in_order
from dj_core.library.own_kits import exported
from dj_core.music.beat import Beat
from dj_core.music.genres import genre_label
from dj_core.product import ASSETS
from dj_core.sets.mixdown import Mixdown, cue_sheet
from dj_core.sets.pack_readme import readme_text
from dj_core.sets.pack_sheet import Outline, set_sheet
from dj_core.sets.pack_zip import PackWriter, writing_pack
from dj_core.sets.rekordbox import DeckTrack, pack_folder, rekordbox_xml
from dj_core.sets.set_midi import set_midi
from dj_core.sets.set_names import set_stem, slot_name, slot_stem
from dj_core.sets.set_plan import SetList, Slot
from dj_core.sound.kit_table import OWN_SOUND, kit_named, kit_or
from dj_core.sound.loop_files import LoopSettings, audio_file, heard_with, loop_sound
from dj_core.sound.render import soundfont_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

SCRIPTS_FOLDER = ASSETS / "pack"
SCRIPTS = ("relocate.py", "relocate.command", "relocate.bat")
OUTLINE_COLUMNS = 240
LONGEST_LOOP_SECONDS = 45.0  # with its stems some 200 MB of memory
SLOTS_AHEAD = 4  # of some 60 MB at most, while other workers play
PHRASES = (32, 16, 8, 4, 2)  # bars; what is cut is cut to one of these
LOOPS, ENDS, FILLS = "loops", "kick-and-hats", "fills"
PLAYLISTS = {LOOPS: "Loops", ENDS: "Kick and hats", FILLS: "Fills"}
Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done and how much there is; what it raises
stops the work."""


@dataclass(frozen=True)
class PackSettings:
    """What goes into a pack.

    Attributes:
        sound: kit, rate and bits of all loops; always WAV. A beat with a kit of its own keeps it.
        stems: the loops by drum group too.
        mix: the whole set as one WAV too, about 10 MB a minute.
        midi: which machine all its MIDI files are for, the whole set's too.
        folder: the absolute folder the pack will be unpacked in, as the DJ's system writes it;
            '' where nobody knows yet.

    Raises:
        SetError: a folder that is not absolute.
    """

    sound: LoopSettings = field(default_factory=LoopSettings)
    stems: bool = True
    mix: bool = False
    midi: MidiSettings = field(default_factory=MidiSettings)
    folder: str = ""

    def __post_init__(self) -> None:
        pack_folder(self.folder)
        object.__setattr__(self, "sound", replace(self.sound, container="wav", loop=True))


@dataclass(frozen=True)
class Pack:
    """A pack that was written.

    Attributes:
        path: the zip.
        entries: the names in it, in order.
        bytes: its size.
    """

    path: Path
    entries: tuple[str, ...]
    bytes: int


def save_pack(
    planned: SetList,
    path: Path,
    settings: PackSettings | None = None,
    progress: Progress | None = None,
    executor: Executor | None = None,
) -> Pack:
    """Write the set's pack to `path`, completely or not at all.

    The same set and settings give the same bytes on the same machine, whoever plays the beats.

    Args:
        planned: the set.
        path: the .zip file to write.
        settings: what goes into it.
        progress: told what is done; it may raise to stop.
        executor: plays the beats; None does it here. Workers of another machine need FluidSynth,
            and a SoundFont of one's own at the same path.

    Raises:
        SoundError: FluidSynth is missing, or the kit or SoundFont will not do.
        SetError: longer than a WAV file can be, if the mix is wanted.
        LibraryError: no space or permission.
    """
    settings = settings or PackSettings()
    tell = progress or (lambda *_: None)
    stem, sound = set_stem(planned), settings.sound
    tracks: dict[str, list[DeckTrack]] = {place: [] for place in PLAYLISTS}
    outlines: list[Outline] = []
    levels: list[str] = []
    jobs = (
        (slot, slot_stem(planned, number), slot_name(planned, number), settings)
        for number, slot in enumerate(planned.slots)
    )
    play = _slot_files if executor is None else _all_slot_files
    with writing_pack(path, stem) as pack:
        for done, files in enumerate(in_order(play, jobs, executor, SLOTS_AHEAD), start=1):
            for file in files:
                pack.add(file.name, file.content)
                if file.track is not None:
                    tracks[file.name.partition("/")[0]].append(file.track)
                if file.outline is not None:
                    outlines.append(file.outline)
                    levels.append(file.level)
            tell("Packing beats", done, len(planned.slots))
        pack.add(f"midi/{stem}.mid", set_midi(planned, settings.midi.target))
        if settings.mix:
            mixdown = Mixdown(planned, sound.kit, sound.soundfont, sample_rate=sound.sample_rate)
            pack.add(f"mix/{stem}.wav", mixdown.chunks(partial(tell, "Playing the set")))
            pack.add(f"mix/{stem}.cue", cue_sheet(planned, f"{stem}.wav").encode("utf-8-sig"))
        heard = {kit_or(entry.sound.kit, sound.kit) for entry in planned.entries}
        own = sorted(name for name in heard if kit_named(name).source == OWN_SOUND)
        for name in own:
            pack.add(f"kits/{name}.sf2", soundfont_of(name).read_bytes())
            pack.add(f"kits/{name}.zip", exported(name))
        tell("Printing the set list", 0, 1)
        pack.add("set-list.pdf", set_sheet(planned, outlines))
        playlists = {PLAYLISTS[place]: listed for place, listed in tracks.items() if listed}
        folder = pack_folder(settings.folder) / stem
        pack.add("rekordbox.xml", rekordbox_xml(planned.settings.name, playlists, folder))
        pack.add(f"{stem}.m3u8", playlist(tracks[LOOPS]))
        add_scripts(pack)
        readme = readme_text(planned, settings.folder, settings.mix, levels, bool(own))
        pack.add("README.txt", readme)
        tell("Printing the set list", 1, 1)
    return Pack(path, tuple(pack.entries), path.stat().st_size)


def add_scripts(pack: PackWriter) -> None:
    """What writes the pack's place into its rekordbox.xml, for every system."""
    for script in SCRIPTS:  # with the line ends its system wants, whatever those of our copy
        content = (SCRIPTS_FOLDER / script).read_bytes().replace(b"\r\n", b"\n")
        if script.endswith(".bat"):
            content = content.replace(b"\n", b"\r\n")
        pack.add(script, content, script=True)


@dataclass(frozen=True)
class _File:
    """A file of a slot.

    Attributes:
        name: below the pack's folder.
        content: the file's bytes.
        track: what a deck is told of it; None for what is not played from a deck.
        outline: its waveform, for the printed set list; None where that shows another file's.
        level: how loud it is, for the README; '' where that says it of another file.
    """

    name: str
    content: bytes
    track: DeckTrack | None = None
    outline: Outline | None = None
    level: str = ""


def _all_slot_files(slot: Slot, stem: str, name: str, settings: PackSettings) -> tuple[_File, ...]:
    """`_slot_files` to send from one process to another."""
    return tuple(_slot_files(slot, stem, name, settings))


def _slot_files(slot: Slot, stem: str, name: str, settings: PackSettings) -> Iterator[_File]:
    """What a slot brings, file after file, so that few need be in memory."""
    named = replace(slot.beat, title=name)
    beat = loop_of(named)
    settings = replace(settings, sound=heard_with(slot.entry.sound, settings.sound))
    sound = loop_sound(beat, settings.sound, stems=True)
    loop = _loop_file(f"{LOOPS}/{stem}.wav", name, beat, sound.mix, settings.sound)
    columns = np.array_split(np.abs(sound.mix).max(axis=1), OUTLINE_COLUMNS)
    peaks = [int(column.max(initial=0)) for column in columns]
    outline = tuple(peak / max(1, *peaks) for peak in peaks)
    yield replace(loop, outline=outline, level=sound.words)
    # at the loop's own level; not where it has neither, or nothing else
    kept = [sound.stems[family] for family in sound.stems if family in ("kick", "hat")]
    if 0 < len(kept) < len(sound.stems):
        ceiling = 2 ** (sound.bits - 1) - 1
        ends = np.clip(sum(kept), -ceiling, ceiling).astype(np.int32)
        title = f"{name} (kick and hats)"
        yield _loop_file(f"{ENDS}/{stem}_kick-and-hats.wav", title, beat, ends, settings.sound)
    if settings.stems:
        for family, samples in sound.stems.items():
            content = audio_file(samples, beat, settings.sound, part=family)
            yield _File(f"stems/{stem}_{family}.wav", content)
    yield _File(f"midi/{stem}.mid", midi_bytes(named, settings=settings.midi))
    for fill in slot.entry.fills[:1]:
        played = replace(
            fill,
            tempo_bpm=slot.tempo_bpm,
            genre=fill.genre or slot.beat.genre,
            title=f"{name} (fill)",
        )
        mix = loop_sound(played, settings.sound, stems=False).mix
        yield _loop_file(f"{FILLS}/{stem}_fill.wav", played.title, played, mix, settings.sound)
        yield _File(f"midi/{stem}_fill.mid", midi_bytes(played, settings=settings.midi))


def _loop_file(
    file: str, name: str, beat: Beat, samples: NDArray[np.int32], sound: LoopSettings
) -> _File:
    content = audio_file(samples, replace(beat, title=name), sound)
    length = f"{beat.bars} bar{'s' * (beat.bars > 1)} of {beat.meter}"
    told = (length, "a seamless loop", origin_words(beat.provenance))
    track = DeckTrack(
        file=file,
        name=name,
        genre=genre_label(beat.genre) if beat.genre else "",
        comment=", ".join(filter(None, told)),
        tempo_bpm=beat.playing_tempo_bpm,
        meter=beat.meter,
        duration_seconds=len(samples) / sound.sample_rate,
        size_bytes=len(content),
        sample_rate=sound.sample_rate,
        bits=sound.bits,
    )
    return _File(file, content, track)


def loop_of(beat: Beat) -> Beat:
    """The beat, or of a long performance as many whole phrases as a deck's loop may last."""
    bar_seconds = beat.duration_seconds / beat.bars
    if beat.duration_seconds <= LONGEST_LOOP_SECONDS:
        return beat
    bars = next((bars for bars in PHRASES if bars * bar_seconds <= LONGEST_LOOP_SECONDS), 1)
    end = bars * beat.meter.bar_quarters
    hits = tuple(hit for hit in beat.hits if hit.onset_quarters < end)
    return replace(beat, hits=hits, bars=bars)


def playlist(tracks: Sequence[DeckTrack]) -> bytes:
    """A playlist with paths relative to itself."""
    lines = ["#EXTM3U"]
    for track in tracks:
        seconds = max(1, round(track.duration_seconds))
        lines += [f"#EXTINF:{seconds},{one_line(track.name)}", track.file]
    return ("\r\n".join(lines) + "\r\n").encode()
