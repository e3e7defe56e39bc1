"""The verbs set and pack: beats as a set, and a set as one zip for the booth."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from dj_core.cli.verb import (
    Answer,
    ProgressBar,
    Verbs,
    add_verb,
    add_workers,
    positive,
    say,
    workers,
)
from dj_core.errors import SetError
from dj_core.music.beat import Beat

if TYPE_CHECKING:
    from dj_core.models.request import BeatModel
    from dj_core.sets.pack_contents import Pack, PackSettings
    from dj_core.sets.set_plan import SetList, SetSettings
    from dj_core.sound.loop_files import LoopSettings

TAKES = ("midi", "wav", "loops", "pack")


def add_set(verbs: Verbs) -> None:
    """The verb and its options."""
    from dj_core.sets.set_plan import PHRASE_BARS, EnergyCurve

    verb = add_verb(verbs, "set", "put beats in order as a set", _run_set)
    verb.add_argument("files", type=Path, nargs="*", help="MIDI files, or folders of them")
    verb.add_argument("--crate", nargs="?", const="", metavar="WORDS", help="and beats you kept")
    verb.add_argument("--beats", type=positive, help="how many; a model plays missing ones")
    verb.add_argument("--minutes", type=float, help="length (default: four phrases a beat)")
    verb.add_argument("--phrase-bars", type=int, choices=PHRASE_BARS, default=16)
    verb.add_argument("--tempo-bpm", type=float, help="to begin with (default: the beats' own)")
    verb.add_argument("--to-tempo-bpm", type=float, help="to end with")
    verb.add_argument("--energy", choices=get_args(EnergyCurve), default="rise")
    verb.add_argument("--genre", action="append", default=[], help="of beats a model plays")
    verb.add_argument("--keep-order", action="store_true", help="play the files as given")
    verb.add_argument("--no-mix-ends", action="store_true", help="no kick and hats alone")
    verb.add_argument("--no-fills", action="store_true")
    verb.add_argument("--no-breakdowns", action="store_true")
    verb.add_argument("--seed", type=int, default=1)
    verb.add_argument("--model", help="a model by name (default: the shipped one)")
    verb.add_argument("--name", default="Set")
    verb.add_argument("--out", type=Path, required=True, help="folder for the files")
    verb.add_argument("--take", nargs="+", choices=TAKES, default=["midi", "wav"])
    _add_sound(verb)


def add_pack(verbs: Verbs) -> None:
    """The verb and its options."""
    from dj_core.music.note_maps import NOTE_MAP

    verb = add_verb(verbs, "pack", "put a set into one zip for the booth", _run_pack)
    verb.add_argument(
        "files", type=Path, nargs="+", help="MIDI files in order, folders of them, or a saved set"
    )
    verb.add_argument("--out", type=Path, required=True, help="the .zip file to write")
    verb.add_argument("--name", help="what the set is called (default: as the zip)")
    verb.add_argument("--no-stems", action="store_true")
    verb.add_argument("--mix", action="store_true", help="also the whole set as one WAV")
    verb.add_argument("--midi", choices=list(NOTE_MAP), default="general-midi", help="target")
    verb.add_argument(
        "--folder", default="", help="where the zip will be unpacked, for rekordbox's addresses"
    )
    _add_sound(verb)


def _add_sound(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--kit", default="standard", help="as in tr-808")
    verb.add_argument("--soundfont", type=Path, help="an .sf2 file (default: the best one found)")
    verb.add_argument("--rate", type=int, choices=(44_100, 48_000), default=44_100)
    add_workers(verb)


# -- set -----------------------------------------------------------------------------------------


def _run_set(options: argparse.Namespace) -> Answer:
    from dj_core.sets.set_plan import warnings_of
    from dj_core.sets.set_takes import build_set

    started = time.perf_counter()
    settings = _settings(options)
    beats = _beats_in(options.files) + _beats_kept(options.crate)
    with ProgressBar("Playing", "beat") as bar:
        planned = build_set(
            beats,
            settings,
            _model(options, len(beats)),
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
        "seconds": round(time.perf_counter() - started, 3),
    }


def _settings(options: argparse.Namespace) -> SetSettings:
    from dj_core.music.genres import genre_name
    from dj_core.sets.set_plan import SetSettings

    return SetSettings(
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


def _model(options: argparse.Namespace, given: int) -> BeatModel | None:
    """The model, if this set needs one."""
    from dj_core.library.library import Library
    from dj_core.models.families import load_model

    if options.no_fills and (options.beats or given) <= given:
        return None
    return load_model(Library.open().model(options.model).folder)


def _write_set(planned: SetList, options: argparse.Namespace) -> list[Path]:
    """The files asked for, and the set itself."""
    from dj_core.files.storage import write_bytes_atomic
    from dj_core.sets.mixdown import Mixdown, save_cue_sheet, save_mix
    from dj_core.sets.saved_sets import SUFFIX, save_set
    from dj_core.sets.set_midi import set_midi
    from dj_core.sets.set_names import set_stem

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
        files += _write_loops(planned, options)
    if "pack" in options.take:
        files.append(_packed(planned, folder / f"{stem}.zip", options).path)
    return files


def _write_loops(planned: SetList, options: argparse.Namespace) -> list[Path]:
    from dj_core.files.storage import write_bytes_atomic
    from dj_core.host.executors import in_order
    from dj_core.sets.pack_contents import SLOTS_AHEAD, loop_of
    from dj_core.sets.set_names import slot_stem
    from dj_core.sound.loop_files import LoopSettings

    settings = LoopSettings(options.kit, options.soundfont, sample_rate=options.rate)
    jobs = (
        (loop_of(slot.beat), slot_stem(planned, number), settings)
        for number, slot in enumerate(planned.slots)
    )
    files: list[Path] = []
    with ProgressBar("Writing loops", "loop") as bar, workers(options) as executor:
        for name, content in in_order(_loop_file, jobs, executor, SLOTS_AHEAD):
            files.append(write_bytes_atomic(options.out / "loops" / name, content))
            bar.show(len(files), len(planned.slots))
    return files


def _loop_file(beat: Beat, stem: str, settings: LoopSettings) -> tuple[str, bytes]:
    """A beat's loop by its file's name."""
    from dj_core.sound.loop_files import loop_files

    return next(loop_files(beat, settings, stem_name=stem))


# -- pack ----------------------------------------------------------------------------------------


def _run_pack(options: argparse.Namespace) -> Answer:
    started = time.perf_counter()
    pack = _packed(_set_of(options), options.out, options)
    say(f"{pack.path}: {len(pack.entries)} files, {pack.bytes / 1e6:.1f} MB")
    return {
        "file": str(pack.path),
        "entries": list(pack.entries),
        "bytes": pack.bytes,
        "seconds": round(time.perf_counter() - started, 3),
    }


def _set_of(options: argparse.Namespace) -> SetList:
    """A saved set, or the files as a set in the order given."""
    from dataclasses import replace

    from dj_core.sets.saved_sets import SUFFIX, load_set
    from dj_core.sets.set_plan import SetSettings, plan_set
    from dj_core.sets.set_takes import build_set

    saved = [file for file in options.files if file.name.endswith(SUFFIX)]
    if saved and len(options.files) > 1:
        raise SetError("One saved set is packed at a time, without further files.")
    if saved:
        planned = load_set(saved[0])
        settings = replace(planned.settings, name=options.name or planned.settings.name)
        return plan_set(planned.entries, settings)
    name = options.name or options.out.stem
    return build_set(_beats_in(options.files), SetSettings(name, keep_order=True, fills=False))


def _pack_settings(options: argparse.Namespace) -> PackSettings:
    from dj_core.files.midi import MidiSettings
    from dj_core.sets.pack_contents import PackSettings
    from dj_core.sound.loop_files import LoopSettings

    chosen: dict[str, Any] = vars(options)
    return PackSettings(
        sound=LoopSettings(options.kit, options.soundfont, sample_rate=options.rate),
        stems=not chosen.get("no_stems", False),
        mix=chosen.get("mix", False),
        midi=MidiSettings(target=chosen.get("midi", "general-midi")),
        folder=chosen.get("folder", ""),
    )


def _packed(planned: SetList, path: Path, options: argparse.Namespace) -> Pack:
    from dj_core.sets.pack_contents import save_pack

    with ProgressBar("Packing", "step") as bar, workers(options) as executor:
        return save_pack(
            planned,
            path,
            _pack_settings(options),
            lambda doing, done, total: bar.show(done, total, doing.lower()),
            executor,
        )


# -- beats ---------------------------------------------------------------------------------------


def _beats_in(files: Sequence[Path]) -> list[Beat]:
    """The beats of MIDI files, and of folders of them, in order."""
    from dj_core.files.midi import MIDI_ENDINGS, read_beat

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


def _beats_kept(words: str | None) -> list[Beat]:
    """Beats of the crate, oldest first; none where they are not asked for."""
    from dj_core.library.kept_beats import Crate, CrateSearch

    if words is None:
        return []
    crate = Crate.open()
    kept = crate.find(CrateSearch(words=words, sort="oldest"))
    if not kept:
        about = f" with {words!r} in them" if words else ""
        raise SetError(f"The crate holds no beats{about}. Keep some first.")
    return [crate.get(item.id).titled for item in kept]
