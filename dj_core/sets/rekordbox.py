"""Writes a rekordbox collection (XML): tracks with tempo, beat grid and loop, and playlists.

rekordbox reads it under *Preferences › Advanced › Database › rekordbox xml*; Engine DJ and Lexicon
are reported to read the same file. Format: Pioneer DJ, "rekordbox xml file format list".
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath, PureWindowsPath
from urllib.parse import quote
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from dj_core.errors import SetError
from dj_core.files.file_names import one_line
from dj_core.music.beat import Meter

PRODUCT, COMPANY, XML_VERSION = "Digital DJ", "Digital DJ", "1"
FIRST_PAD = 0  # hot cues are numbered from 0; a memory cue is -1
MEMORY_CUE = -1
NOWHERE = PurePosixPath("/run-relocate-first")
"""The folder of tracks that lie nobody knows where yet."""


@dataclass(frozen=True)
class DeckTrack:
    """An audio file as a deck shall know it.

    Attributes:
        file: where it is inside the pack's folder, with / between the parts.
        name, genre, comment: what a DJ reads.
        tempo_bpm: quarter notes a minute.
        meter: its bars.
        duration_seconds: its length, which is that of its loop.
        size_bytes: its size.
        sample_rate, bits: of its stereo samples.
    """

    file: str
    name: str
    genre: str
    comment: str
    tempo_bpm: float
    meter: Meter
    duration_seconds: float
    size_bytes: int
    sample_rate: int
    bits: int


def pack_folder(text: str) -> PurePosixPath | PureWindowsPath:
    """The folder a DJ types, of whatever system; `NOWHERE` for ''.

    Raises:
        SetError: not an absolute path of a Mac, Linux or Windows.
    """
    text = text.strip()
    if not text:
        return NOWHERE
    if re.match(r"[A-Za-z]:[\\/]", text):
        return PureWindowsPath(text)
    if text.startswith("/"):
        return PurePosixPath(text)
    raise SetError(
        f"A folder is given in full, as in /Users/you/Music or C:\\Users\\you\\Music; got {text!r}."
    )


def rekordbox_xml(
    name: str,
    playlists: Mapping[str, Sequence[DeckTrack]],
    folder: PurePosixPath | PureWindowsPath = NOWHERE,
) -> bytes:
    """The collection of a pack: its tracks, and its playlists in a folder of their own.

    Args:
        name: what the folder of playlists, and the album of all tracks, is called.
        playlists: name → tracks in order; no track is in two of them.
        folder: the absolute folder the pack will lie in; as long as it is `NOWHERE` rekordbox
            finds no file, and the pack's relocate script must be run first.
    """
    root = Element("DJ_PLAYLISTS", Version="1.0.0")
    SubElement(root, "PRODUCT", Name=PRODUCT, Version=XML_VERSION, Company=COMPANY)
    count = sum(len(tracks) for tracks in playlists.values())
    collection = SubElement(root, "COLLECTION", Entries=str(count))
    top = SubElement(SubElement(root, "PLAYLISTS"), "NODE", Name="ROOT", Type="0", Count="1")
    group = SubElement(top, "NODE", Name=one_line(name), Type="0", Count=str(len(playlists)))
    identity = 0
    for title, tracks in playlists.items():
        playlist = SubElement(
            group, "NODE", Name=one_line(title), Type="1", KeyType="0", Entries=str(len(tracks))
        )
        for number, track in enumerate(tracks, start=1):
            identity += 1
            # addresses begin with file://localhost/ whatever the system
            place = quote((folder / track.file).as_posix().lstrip("/"), safe="/:")
            facts = {
                "TrackID": identity,
                "Name": one_line(track.name),
                "Artist": PRODUCT,
                "Album": one_line(name),
                "Genre": one_line(track.genre),
                "Kind": "WAV File",
                "Size": track.size_bytes,
                "TotalTime": round(track.duration_seconds),
                "TrackNumber": number,
                "AverageBpm": f"{track.tempo_bpm:.2f}",
                "BitRate": round(track.sample_rate * track.bits * 2 / 1000),
                "SampleRate": track.sample_rate,
                "Comments": one_line(track.comment),
                "Location": f"file://localhost/{place}",
            }
            added = SubElement(
                collection, "TRACK", {key: str(value) for key, value in facts.items()}
            )
            # the grid from the first frame on; the whole track as a loop on a pad and in memory
            tempo_bpm = str(round(track.tempo_bpm, 2))
            SubElement(
                added, "TEMPO", Inizio="0.0", Bpm=tempo_bpm, Metro=str(track.meter), Battito="1"
            )
            end = str(round(track.duration_seconds, 3))
            for pad in (FIRST_PAD, MEMORY_CUE):
                SubElement(
                    added, "POSITION_MARK", Name="Loop", Type="4", Start="0.0", End=end,
                    Num=str(pad),
                )  # fmt: skip
            SubElement(playlist, "TRACK", Key=str(identity))
    indent(root, "\t")
    content: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return content
