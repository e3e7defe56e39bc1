"""The verbs set and pack: beats as a set, and a set as one zip for the booth."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from dj_core.cli.verb import (
    KIT,
    LUFS,
    WORKERS,
    Answer,
    ProgressBar,
    option,
    positive,
    say,
    verb,
    workers,
)
from dj_core.errors import SetError
from dj_core.files.midi import MIDI_ENDINGS, MidiSettings, read_beat
from dj_core.files.storage import write_bytes_atomic
from dj_core.host.executors import in_order
from dj_core.library.library import Library
from dj_core.music.beat import Beat
from dj_core.music.genres import genre_name
from dj_core.music.note_maps import NOTE_MAP
from dj_core.sets.set_plan import (
    PHRASE_BARS,
    EnergyCurve,
    Entry,
    SetList,
    SetSettings,
    plan_set,
    warnings_of,
)
from dj_core.sound.loop_files import LoopSettings, heard_with

if TYPE_CHECKING:
    from dj_core.sets.pack_contents import Pack

TAKES = ("midi", "wav", "loops", "pack")
_SOUND = (*KIT, option("--rate", type=int, choices=(44_100, 48_000), default=44_100), LUFS, WORKERS)


@verb(
    "set",
    option("files", type=Path, nargs="*", help="MIDI files, or folders of them"),
    option("--crate", nargs="?", const="", metavar="WORDS", help="and beats you kept"),
    option("--beats", type=positive, help="how many; a model plays missing ones"),
    option("--minutes", type=float, help="length (default: four phrases a beat)"),
    option("--phrase-bars", type=int, choices=PHRASE_BARS, default=16),
    option("--tempo-bpm", type=float, help="to begin with (default: the beats' own)"),
    option("--to-tempo-bpm", type=float, help="to end with"),
    option("--energy", choices=get_args(EnergyCurve), default="rise"),
    option("--genre", action="append", default=[], help="of beats a model plays"),
    option("--keep-order", action="store_true", help="play the files as given"),
    option("--no-mix-ends", action="store_true", help="no kick and hats alone"),
    option("--no-fills", action="store_true"),
    option("--no-breakdowns", action="store_true"),
    option("--seed", type=int, default=1),
    option("--model", help="a model by name (default: the shipped one)"),
    option("--name", default="Set"),
    option("--out", type=Path, required=True, help="folder for the files"),
    option("--take", nargs="+", choices=TAKES, default=["midi", "wav"]),
    *_SOUND,
)
def make_set(options: argparse.Namespace) -> Answer:
    """Put beats in order as a set."""
    from dj_core.models.families import load_model
    from dj_core.sets.set_takes import build_set

    settings = SetSettings(
        name=options.name,
        beats=options.beats,
        minutes=options.minutes,
        phrase_bars=options.phrase_bars,
        tempo_bpm=options.tempo_bpm,
        to_tempo_bpm=options.to_tempo_bpm,
        energy=options.energy,
        keep_order=options.keep_order,
        genres=tuple(map(genre_name, options.genre)),
        mix_ends=not options.no_mix_ends,
        fills=not options.no_fills,
        breakdowns=not options.no_breakdowns,
        seed=options.seed,
    )
    beats: list[Beat | Entry] = [*_beats_in(options.files), *_beats_kept(options.crate)]
    model = None
    if not options.no_fills or (options.beats or 0) > len(beats):
        model = load_model(Library.open().model(options.model).folder)
    with ProgressBar("Playing", "beat") as bar:
        planned = build_set(
            beats,
            settings,
            model,
            lambda doing, done, total: bar.show(done, total, doing.lower()),
        )
    warnings = warnings_of(planned)
    files = _write_set(planned, options)
    say(f"{settings.name}: {len(planned.slots)} beats, {planned.duration_seconds / 60:.1f} minutes")
    for warning in warnings:
        offer = f" Counted {warning.offer}, it fits." if warning.offer else ""
        say(f"  beat {warning.slot + 1}: {warning.words}{offer}")
    for file in files:
        say(f"  {file}")
    return {
        "name": settings.name,
        "beats": len(planned.slots),
        "bars": planned.bars,
        "duration_seconds": round(planned.duration_seconds, 3),
        "files": [str(file) for file in files],
        "warnings": [
            {"beat": item.slot + 1, "words": item.words, "offer": item.offer} for item in warnings
        ],
    }


@verb(
    "pack",
    option(
        "files", type=Path, nargs="+", help="MIDI files in order, folders of them, or a saved set"
    ),
    option("--out", type=Path, required=True, help="the .zip file to write"),
    option("--name", help="what the set is called (default: as the zip)"),
    option("--no-stems", action="store_true"),
    option("--mix", action="store_true", help="also the whole set as one WAV"),
    option("--midi", choices=list(NOTE_MAP), default="general-midi", help="target"),
    option(
        "--folder", default="", help="where the zip will be unpacked, for rekordbox's addresses"
    ),
    *_SOUND,
)
def make_pack(options: argparse.Namespace) -> Answer:
    """Put a set into one zip for the booth."""
    from dj_core.sets.saved_sets import SUFFIX, load_set
    from dj_core.sets.set_takes import build_set

    saved = [file for file in options.files if file.name.endswith(SUFFIX)]
    if saved and len(options.files) > 1:
        raise SetError("One saved set is packed at a time, without further files.")
    if saved:
        planned = load_set(saved[0])
        settings = replace(planned.settings, name=options.name or planned.settings.name)
        planned = plan_set(planned.entries, settings)
    else:  # the files in the order given
        name = options.name or options.out.stem
        beats = _beats_in(options.files)
        planned = build_set(beats, SetSettings(name, keep_order=True, fills=False))
    pack = _packed(planned, options.out, options)
    say(f"{pack.path}: {len(pack.entries)} files, {pack.bytes / 1e6:.1f} MB")
    return {"file": str(pack.path), "entries": list(pack.entries), "bytes": pack.bytes}


def _write_set(planned: SetList, options: argparse.Namespace) -> list[Path]:
    """The files asked for, and the set itself."""
    from dj_core.sets.mixdown import Mixdown, save_cue_sheet, save_mix
    from dj_core.sets.pack_contents import SLOTS_AHEAD, loop_of
    from dj_core.sets.saved_sets import SUFFIX, save_set
    from dj_core.sets.set_midi import set_midi
    from dj_core.sets.set_names import set_stem, slot_stem

    stem, folder = set_stem(planned), options.out
    files = [save_set(planned, folder / f"{stem}{SUFFIX}")]
    if "midi" in options.take:
        files.append(write_bytes_atomic(folder / f"{stem}.mid", set_midi(planned)))
    if "wav" in options.take:
        mixdown = Mixdown(planned, options.kit, options.soundfont, sample_rate=options.rate)
        with ProgressBar("Mixing", "bar") as bar:
            files.append(save_mix(mixdown, folder / f"{stem}.wav", bar.show))
        files.append(save_cue_sheet(planned, folder / f"{stem}.cue", f"{stem}.wav"))
    if "loops" in options.take:
        settings = _loop_settings(options)
        jobs = (
            (
                loop_of(slot.beat),
                slot_stem(planned, number),
                heard_with(slot.entry.sound, settings),
            )
            for number, slot in enumerate(planned.slots)
        )
        with ProgressBar("Writing loops", "loop") as bar, workers(options) as executor:
            loops = in_order(_loop_file, jobs, executor, SLOTS_AHEAD)
            for done, (name, content) in enumerate(loops, start=1):
                files.append(write_bytes_atomic(folder / "loops" / name, content))
                bar.show(done, len(planned.slots))
    if "pack" in options.take:
        files.append(_packed(planned, folder / f"{stem}.zip", options).path)
    return files


def _loop_settings(options: argparse.Namespace) -> LoopSettings:
    return LoopSettings(
        options.kit, options.soundfont, sample_rate=options.rate, target_lufs=options.lufs
    )


def _loop_file(beat: Beat, stem: str, settings: LoopSettings) -> tuple[str, bytes]:
    """A beat's loop by its file's name."""
    from dj_core.sound.loop_files import loop_files

    return next(loop_files(beat, settings, stem_name=stem))


def _packed(planned: SetList, path: Path, options: argparse.Namespace) -> Pack:
    from dj_core.sets.pack_contents import PackSettings, save_pack

    chosen: dict[str, Any] = vars(options)
    settings = PackSettings(
        sound=_loop_settings(options),
        stems=not chosen.get("no_stems", False),
        mix=chosen.get("mix", False),
        midi=MidiSettings(target=chosen.get("midi", "general-midi")),
        folder=chosen.get("folder", ""),
    )
    with ProgressBar("Packing", "step") as bar, workers(options) as executor:
        return save_pack(
            planned,
            path,
            settings,
            lambda doing, done, total: bar.show(done, total, doing.lower()),
            executor,
        )


def _beats_in(files: Sequence[Path]) -> list[Beat]:
    """The beats of MIDI files, and of folders of them, in order."""
    beats = []
    for file in files:
        if not file.is_dir():
            beats.append(read_beat(file))
            continue
        inside = sorted(path for path in file.rglob("*") if path.suffix.lower() in MIDI_ENDINGS)
        if not inside:
            raise SetError(f"The folder {file} holds no MIDI files.")
        beats += map(read_beat, inside)
    return beats


def _beats_kept(words: str | None) -> list[Entry]:
    """Beats of the crate with their sound, oldest first; none where they are not asked for."""
    from dj_core.library.kept_beats import Crate, CrateSearch

    if words is None:
        return []
    crate = Crate.open()
    kept = crate.find(CrateSearch(words=words, sort="oldest"))
    if not kept:
        about = f" with {words!r} in them" if words else ""
        raise SetError(f"The crate holds no beats{about}. Keep some first.")
    found = [crate.get(item.id) for item in kept]
    return [Entry(one.titled, sound=one.sound) for one in found]
