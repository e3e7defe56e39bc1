"""A DJ's collection, read from a rekordbox XML file: tracks with tempo, grid, cues, playlists.

Format: Pioneer DJ, "rekordbox xml file format list". Serato, Traktor and Mixxx users export the
same file with Lexicon or DJCU. A file of declarations (``<!DOCTYPE``) is refused: rekordbox writes
none, and they are how an XML file takes all memory.
"""

from __future__ import annotations

import io
import math
import re
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath, PureWindowsPath
from urllib.parse import unquote
from xml.etree import ElementTree

from dj_core.errors import BeatError, DigitalDJError, SetError
from dj_core.files.file_names import safe_stem
from dj_core.files.midi import save_midi
from dj_core.files.storage import write_bytes_atomic
from dj_core.listening.listening import listen
from dj_core.matching.takes_for_track import fitted, nearest_style, takes_for
from dj_core.models.request import BeatModel, Feel, GenerationRequest
from dj_core.music.beat import MAX_TEMPO_BPM, MIN_TEMPO_BPM, Beat, Meter
from dj_core.music.genres import GENRE, genre_name
from dj_core.sets.rekordbox import DeckTrack, rekordbox_xml
from dj_core.sound.loop_files import LoopSettings, save_loop

MOST_BYTES = 200_000_000
MOST_TRACKS = 200_000
PARTS = ("intro", "loop", "outro")
PART_BARS = 8
_DECLARATION = re.compile(rb"<!(?:DOCTYPE|ENTITY)", re.IGNORECASE)


@dataclass(frozen=True)
class GridPoint:
    """From `seconds` on, the grid has this tempo; `beat` of the bar (from 1) falls there."""

    seconds: float
    tempo_bpm: float
    meter: Meter
    beat: int


@dataclass(frozen=True)
class Cue:
    """A cue or loop: `end_seconds` is None for a cue, `pad` is -1 for one in memory."""

    name: str
    seconds: float
    end_seconds: float | None
    pad: int


@dataclass(frozen=True)
class CollectionTrack:
    """A track of a collection.

    Attributes:
        identity: its TrackID.
        name, artist, genre: what a DJ reads.
        file: where it lies, as the collection says.
        tempo_bpm: the average; None where it was not analysed.
        grid, cues: in order of time.
    """

    identity: str
    name: str
    artist: str
    genre: str
    file: PurePosixPath
    tempo_bpm: float | None
    grid: tuple[GridPoint, ...]
    cues: tuple[Cue, ...]


@dataclass(frozen=True)
class Collection:
    """Tracks by identity, and playlists: name → identities in order."""

    tracks: dict[str, CollectionTrack]
    playlists: dict[str, tuple[str, ...]]


def read_collection(path: Path) -> Collection:
    """A rekordbox XML file.

    Raises:
        SetError: it cannot be read, is none, or is too large.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SetError(f"{path} cannot be read: {error.strerror or error}.") from error
    if len(content) > MOST_BYTES:
        raise SetError(f"{path.name} has over {MOST_BYTES // 1_000_000} MB; no collection has.")
    if b"\0" in content or _DECLARATION.search(content):
        raise SetError(
            f"{path.name} declares entities or is not in UTF-8, which rekordbox never does. "
            "Export it anew."
        )
    tracks: dict[str, CollectionTrack] = {}
    playlists: dict[str, tuple[str, ...]] = {}
    names: list[str] = []
    root = None
    try:
        # without declarations, nothing in it expands
        for event, element in ElementTree.iterparse(io.BytesIO(content), ("start", "end")):
            root = element if root is None else root
            if element.tag == "NODE" and event == "start":
                names.append(element.get("Name", ""))
            elif element.tag == "NODE":
                keys = tuple(e.get("Key", "") for e in element if e.tag == "TRACK")
                if element.get("Type") == "1":
                    playlists[" / ".join(names[1:]) or names[-1]] = keys
                names.pop()
            elif element.tag == "TRACK" and event == "end" and element.get("TrackID"):
                track = _track(element)
                tracks[track.identity] = track
                element.clear()
                if len(tracks) > MOST_TRACKS:
                    raise SetError(f"{path.name} has over {MOST_TRACKS:,} tracks. Export fewer.")
    except ElementTree.ParseError as error:
        raise SetError(f"{path.name} is no complete XML file: {error}. Export it anew.") from error
    if root is None or root.tag != "DJ_PLAYLISTS":
        raise SetError(
            f"{path.name} is no rekordbox collection. In rekordbox choose File › Export Collection "
            "in xml format."
        )
    known = {name: tuple(key for key in keys if key in tracks) for name, keys in playlists.items()}
    return Collection(tracks, known)


def _track(element: ElementTree.Element) -> CollectionTrack:
    grid, cues = [], []
    for part in element:
        seconds = _number(part.get("Inizio" if part.tag == "TEMPO" else "Start"))
        if seconds is None:
            continue
        if part.tag == "TEMPO":
            tempo = _tempo(part.get("Bpm"))
            if tempo is not None:
                meter = _meter(part.get("Metro", "4/4"))
                beat = int(_number(part.get("Battito")) or 1)
                grid.append(GridPoint(seconds, tempo, meter, beat))
        elif part.tag == "POSITION_MARK":
            pad = int(_number(part.get("Num")) or 0)
            cues.append(Cue(part.get("Name", ""), seconds, _number(part.get("End")), pad))
    location = unquote(element.get("Location", "")).removeprefix("file://localhost")
    if re.match(r"/[A-Za-z]:/", location):
        location = location[1:]
    tempo = _tempo(element.get("AverageBpm")) or (grid[0].tempo_bpm if grid else None)
    return CollectionTrack(
        element.get("TrackID", ""),
        element.get("Name", ""),
        element.get("Artist", ""),
        element.get("Genre", ""),
        PurePosixPath(location),
        tempo,
        tuple(sorted(grid, key=lambda point: point.seconds)),
        tuple(sorted(cues, key=lambda cue: cue.seconds)),
    )


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) and abs(value) < 1e7 else None


def _tempo(text: str | None) -> float | None:
    value = _number(text)
    return value if value is not None and MIN_TEMPO_BPM <= value <= MAX_TEMPO_BPM else None


def _meter(text: str) -> Meter:
    try:
        return Meter.parse(text)
    except BeatError:
        return Meter()


# --- what is made for a track ---------------------------------------------------------------------


def parts_for(
    track: CollectionTrack, model: BeatModel, seed: int = 1, listens: bool = True
) -> dict[str, Beat]:
    """An intro, a loop and an outro in a track's tempo and feel.

    Where its file is here and `listens`, it is listened to: then they have its swing and accents.
    Otherwise they are in its own genre, or in the style nearest to its tempo.

    Raises:
        SetError: nobody knows the track's tempo.
        GenerationError: as the model.
    """
    heard = None
    path = Path(track.file)
    if listens and path.is_file():
        try:
            heard = listen(path)
        except DigitalDJError:
            heard = None  # what cannot be read is played for by its tempo
    tempo = track.tempo_bpm or (heard and heard.tempo_bpm)
    if not tempo:
        raise SetError(f"Nobody knows the tempo of {track.name}. Analyse it in rekordbox first.")
    genre = genre_name(track.genre)
    genre = genre if genre in model.genres and genre in GENRE else nearest_style(tempo)
    groove = heard.groove if heard and heard.tempo_bpm else None
    beats: dict[str, Beat] = {}
    for part in PARTS:
        if part == "loop" and heard and groove:
            beat = takes_for(heard, model, genre=genre, count=1, seed=seed)[0].beat
        else:
            role = "groove" if part == "loop" else part
            request = GenerationRequest(
                genre=genre, tempo_bpm=tempo, bars=PART_BARS, seed=seed, feel=Feel(role=role)
            )
            beat = model.generate(request).beat
            beat = fitted(beat, groove) if groove and groove.level.shape[1] == 16 else beat
        beats[part] = replace(beat, tempo_bpm=tempo, title=f"{track.name} {part}")
    return beats


def save_parts(
    collection: Collection,
    chosen: tuple[str, ...],
    model: BeatModel,
    folder: Path,
    seed: int = 1,
    *,
    where: PurePosixPath | PureWindowsPath | None = None,
    listens: bool = True,
) -> tuple[Path, ...]:
    """Parts for chosen tracks as loops and MIDI, and a rekordbox XML: a playlist, and hot loops.

    Args:
        collection, chosen: its tracks, by identity.
        model: plays the parts.
        folder: where they are written.
        seed: another seed, other parts.
        where: the folder in which rekordbox will find them; None for `folder`.
        listens: to the tracks' own files, where they are here.

    Raises:
        SetError: a track that is not in the collection, or whose tempo nobody knows.
    """
    paths: list[Path] = []
    playlist: list[DeckTrack] = []
    for number, identity in enumerate(chosen, start=1):
        if identity not in collection.tracks:
            raise SetError(f"The collection has no track {identity!r}. List it to see their IDs.")
        track = collection.tracks[identity]
        whose = " - ".join(filter(None, (track.artist, track.name)))
        for part, beat in parts_for(track, model, seed, listens).items():
            kit = GENRE[beat.genre].kit if beat.genre in GENRE else "standard"
            settings = LoopSettings(kit=kit)
            path = folder / f"{number:02d}_{safe_stem(track.name) or 'track'}_{part}.wav"
            paths += save_loop(beat, path, settings)
            paths.append(save_midi(beat, path.with_suffix(".mid"), "general-midi"))
            playlist.append(
                DeckTrack(
                    path.name, beat.title, beat.genre, f"for {whose}",
                    beat.playing_tempo_bpm, beat.meter, beat.duration_seconds,
                    path.stat().st_size, settings.sample_rate, settings.bits,
                )
            )  # fmt: skip
    where = where or PurePosixPath(folder.resolve().as_posix())
    content = rekordbox_xml("Digital DJ drums", {"Drums for my tracks": playlist}, where)
    paths.append(write_bytes_atomic(folder / "rekordbox.xml", content))
    return tuple(paths)
