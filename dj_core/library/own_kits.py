"""Kits of one's own in the DJ's folder: made of one-shots, changed, exported.

kits/NAME/
  kit.json        what each pad plays, and what every recording was guessed to be
  one-shots.zip   the recordings as they came
  kit.sf2         what is played: built from both whenever a pad changes

A kit is written when its card is: the card comes last.
"""

from __future__ import annotations

import io
import shutil
import time
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import numpy as np

from dj_core.corpus.sources import FileKind, open_source
from dj_core.errors import BeatError, CorpusError, LibraryError, SoundError
from dj_core.files.beat_json import canonical_json, parse_json
from dj_core.files.file_names import one_line, safe_stem
from dj_core.files.home import home_folder
from dj_core.files.storage import one_at_a_time, write_bytes_atomic, write_json_atomic
from dj_core.host.limits import LIMITS
from dj_core.host.read_only import check_may_change
from dj_core.music.drums import DRUMS
from dj_core.sound.decoding import AUDIO_ENDINGS, Audio, AudioDecoder
from dj_core.sound.drum_ear import guess, guess_by_name
from dj_core.sound.kit_table import KITS, OWN_CARD, OWN_FOLDER, OWN_SOUNDFONT
from dj_core.sound.own_kit import (
    MOST_LABEL,
    OneShot,
    OwnKit,
    built,
    card_of,
    kit_of_card,
    onset_seconds,
    usual_pad,
)

ONE_SHOTS = "one-shots.zip"
_LOCK = ".lock"
_KIND = FileKind("sound file", (*AUDIO_ENDINGS, ".json"), LIMITS.shot_bytes)
_LEAST_CHANCE = 0.25  # a drum that is less likely than this stays off the pads
_TOMS = ("low_tom", "mid_tom", "high_tom")
_NO_SOUND = "It is no WAV, AIFF, FLAC, OGG or MP3."
_EPOCH = (1980, 1, 1, 0, 0, 0)  # of entries in a zip, which are the same for the same kit
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class KitImport:
    """What became of files that were to be a kit.

    Attributes:
        name: the kit's.
        drums: the file on each pad, by lane.
        skipped: files that are not in the kit, each with the reason.
    """

    name: str
    drums: Mapping[str, str]
    skipped: tuple[tuple[str, str], ...]


def import_kit(sources: Sequence[Path], label: str, progress: Progress | None = None) -> KitImport:
    """Make a kit of the one-shots in files, folders and zips; an exported kit comes as it was.

    Args:
        sources: where they are.
        label: what to call the kit.
        progress: told how many of how many files are read; it may raise to stop.

    Raises:
        SoundError: no recording can be used, or the name is one of a kit that is there.
        LibraryError: no space or permission, read-only mode, or too many kits.
    """
    check_may_change("its kits")
    label = one_line(label)[:MOST_LABEL].strip()
    name = _new_name(label)
    contents: dict[str, bytes] = {}
    audios: dict[str, Audio] = {}
    skipped: list[tuple[str, str]] = []
    card: OwnKit | None = None
    deadline = time.monotonic() + LIMITS.kit_seconds
    room = LIMITS.kit_bytes
    with AudioDecoder() as decoder:
        for source in sources:
            with open_source(source, _KIND) as files:
                for kind, left_out in files.left_out.items():
                    words = _NO_SOUND if kind.startswith(".") else f"It is passed over: {kind}."
                    skipped += [(file, words) for file in left_out]
                for number, file in enumerate(files.names, start=1):
                    if progress:
                        progress(number, len(files.names))
                    try:
                        if time.monotonic() > deadline:
                            raise SoundError(
                                f"Reading the kit took over {LIMITS.kit_seconds} seconds; this "
                                "one was not read. Import fewer files."
                            )
                        content = files.read(file)
                        if PurePosixPath(file).name == OWN_CARD:
                            card = kit_of_card(parse_json(content))
                            continue
                        audio = decoder.decode(content)
                        if not np.abs(audio.samples).max(initial=0.0) > 1e-5:
                            raise SoundError("It is silent.")
                        if len(content) > room or len(contents) >= LIMITS.kit_shots:
                            raise SoundError(
                                f"A kit holds {LIMITS.kit_shots:,} recordings and "
                                f"{LIMITS.kit_bytes / 1e6:,.0f} MB; this one is one too many."
                            )
                    except (SoundError, CorpusError, BeatError) as error:
                        skipped.append((file, str(error)))
                        continue
                    room -= len(content)
                    shown = file
                    while shown in contents:  # of two sources
                        shown = f"{PurePosixPath(shown).stem}+{PurePosixPath(shown).suffix}"
                    contents[shown], audios[shown] = content, audio
    if not contents:
        why = f" {skipped[0][0]}: {skipped[0][1]}" if skipped else ""
        raise SoundError(f"There is no recording that a kit can be made of.{why}")
    kit = _as_it_was(card, label, audios) or _guessed(label, audios)
    _write(name, kit, audios, contents)
    drums = {lane: pad.layers[-1].file for lane, pad in kit.pads.items()}
    return KitImport(name, drums, tuple(skipped))


def open_kit(name: str) -> OwnKit:
    """A kit of one's own. Raises SoundError where there is none of that name, or it is damaged."""
    try:
        return kit_of_card(parse_json((_folder(name) / OWN_CARD).read_bytes()))
    except OSError:
        raise SoundError(f"There is no kit of yours called {name!r}.") from None
    except BeatError as error:
        raise SoundError(f"The kit {name!r} is damaged: {error}") from error


def change_kit(name: str, kit: OwnKit) -> None:
    """Have a kit's pads play as `kit` says; what plays it plays the change.

    Raises:
        SoundError: it is not there, or a recording of it cannot be read.
        LibraryError: no space or permission, or read-only mode.
    """
    check_may_change("its kits")
    with one_at_a_time(home_folder() / OWN_FOLDER / _LOCK):
        open_kit(name)
        _write(name, kit, recordings(name, kit))


def remove_kit(name: str) -> None:
    """Delete a kit of one's own. Raises SoundError, and LibraryError in read-only mode."""
    check_may_change("its kits")
    open_kit(name)
    folder = _folder(name)
    try:
        for part in (OWN_CARD, OWN_SOUNDFONT, ONE_SHOTS):  # the card first: then it is no kit
            (folder / part).unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)
    except OSError as error:
        raise LibraryError(f"The kit could not be deleted: {error.strerror}.") from error


def recordings(name: str, kit: OwnKit) -> dict[str, Audio]:
    """The recordings that a kit's pads play, by file. Raises SoundError."""
    wanted = {layer.file for pad in kit.pads.values() for layer in pad.layers}
    found = {}
    with _archive(name) as archive, AudioDecoder() as decoder:
        for file in sorted(wanted):
            found[file] = decoder.decode(_entry(archive, file))
    return found


def exported(name: str) -> bytes:
    """A kit as one zip, its card and its pads' recordings: `import_kit` brings it back.

    The same kit gives the same bytes. Raises SoundError.
    """
    kit = open_kit(name)
    wanted = {layer.file for pad in kit.pads.values() for layer in pad.layers}
    kept = replace(kit, shots=tuple(shot for shot in kit.shots if shot.file in wanted))
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as target, _archive(name) as archive:
        target.writestr(zipfile.ZipInfo(OWN_CARD, _EPOCH), canonical_json(card_of(kept)))
        for shot in kept.shots:
            target.writestr(zipfile.ZipInfo(shot.file, _EPOCH), _entry(archive, shot.file))
    return file.getvalue()


# -- guessing ------------------------------------------------------------------------------------


def _guessed(label: str, audios: Mapping[str, Audio]) -> OwnKit:
    """A kit with the recordings on the pads that they most likely are.

    All are decided together (the assignment problem): each pad takes one, each recording one pad.
    Of toms that nothing names, the deeper is the lower.
    """
    from scipy.optimize import linear_sum_assignment

    lanes = [drum.name for drum in DRUMS]
    files = sorted(audios)
    chances = np.zeros((len(files), len(lanes)))
    for row, file in enumerate(files):
        audio = audios[file]
        told = guess(file, audio.samples.mean(axis=1), audio.rate_hz)
        chances[row] = [told[lane] for lane in lanes]
    # of equally likely ones the first by name
    order = np.arange(len(files))[:, np.newaxis] * 1e-7
    on_pads = {
        lanes[column]: files[row]
        for row, column in zip(*linear_sum_assignment(order - chances), strict=True)
        if chances[row, column] >= _LEAST_CHANCE
    }
    toms = [lane for lane in _TOMS if lane in on_pads and not guess_by_name(on_pads[lane])]
    by_pitch = sorted((on_pads[lane] for lane in toms), key=lambda file: _pitch_hz(audios[file]))
    on_pads |= dict(zip(toms, by_pitch, strict=True))
    pads = {
        lane: usual_pad(lane, file, onset_seconds(audios[file])) for lane, file in on_pads.items()
    }
    shots = []
    for row, file in enumerate(files):
        best = int(chances[row].argmax())
        shots.append(OneShot(file, lanes[best], round(float(chances[row, best]), 3)))
    return OwnKit(label, pads, tuple(shots))


def _as_it_was(card: OwnKit | None, label: str, audios: Mapping[str, Audio]) -> OwnKit | None:
    """The kit that was exported with these recordings; None where it was not, or they are gone."""
    if card is None or not {shot.file for shot in card.shots} <= audios.keys():
        return None
    return replace(card, label=label)


def _pitch_hz(audio: Audio) -> float:
    """The strongest frequency of a recording."""
    power = np.abs(np.fft.rfft(audio.samples.mean(axis=1), 1 << 16))
    return float(np.fft.rfftfreq(1 << 16, 1 / audio.rate_hz)[power.argmax()])


# -- files ---------------------------------------------------------------------------------------


def _folder(name: str) -> Path:
    """Where a kit is kept. Raises SoundError for what cannot be one's name."""
    if safe_stem(name) != name:
        raise SoundError(f"There is no kit of yours called {one_line(name)[:MOST_LABEL]!r}.")
    return home_folder() / OWN_FOLDER / name


def _new_name(label: str) -> str:
    """The name of a new kit. Raises SoundError where it is taken, LibraryError for too many."""
    name = safe_stem(label).lower() if label else ""
    if not name:
        raise SoundError(f"A kit needs a name of 1 to {MOST_LABEL} characters.")
    folder = home_folder() / OWN_FOLDER
    if name in KITS or (folder / name / OWN_CARD).exists():
        raise SoundError(f"There is a kit called {name!r} already. Choose another name.")
    if folder.is_dir() and sum(path.is_dir() for path in folder.iterdir()) >= LIMITS.kits_kept:
        raise LibraryError(f"There are {LIMITS.kits_kept:,} kits here already. Delete one first.")
    return name


def _write(
    name: str,
    kit: OwnKit,
    audios: Mapping[str, Audio],
    contents: Mapping[str, bytes] | None = None,
) -> None:
    """Write a kit, and its recordings where they are new."""
    folder = _folder(name)
    if contents is not None:
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            for entry, content in contents.items():
                archive.writestr(zipfile.ZipInfo(entry, _EPOCH), content)
        write_bytes_atomic(folder / ONE_SHOTS, file.getvalue())
    write_bytes_atomic(folder / OWN_SOUNDFONT, built(kit, audios))
    write_json_atomic(folder / OWN_CARD, card_of(kit))


def _archive(name: str) -> zipfile.ZipFile:
    """The recordings of a kit. Raises SoundError."""
    try:
        return zipfile.ZipFile(_folder(name) / ONE_SHOTS)
    except (OSError, zipfile.BadZipFile) as error:
        raise SoundError(f"The recordings of the kit {name!r} cannot be read: {error}.") from error


def _entry(archive: zipfile.ZipFile, file: str) -> bytes:
    try:
        with archive.open(file) as entry:
            return entry.read(LIMITS.shot_bytes + 1)
    except (KeyError, OSError, zipfile.BadZipFile) as error:
        raise SoundError(f"The kit's recording {file!r} is gone. Import the kit anew.") from error
