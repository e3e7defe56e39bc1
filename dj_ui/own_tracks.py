"""Listen's second half: a bridge to the next track, and drums for a rekordbox collection."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import streamlit as st

from dj_core.errors import DigitalDJError, GenerationError
from dj_core.files.file_names import counted, safe_stem
from dj_core.library.library import Library
from dj_core.listening.listening import Listening, listen_to_content
from dj_core.matching.bridging import Bridge, bridge, save_bridge
from dj_core.matching.collection import (
    PART_BARS,
    PARTS,
    Collection,
    CollectionTrack,
    read_collection,
    save_parts,
)
from dj_core.matching.takes_for_track import Match, takes_for
from dj_core.music.genres import GENRE
from dj_core.sets.pack_contents import add_scripts
from dj_core.sets.pack_zip import writing_pack
from dj_core.sets.rekordbox import pack_folder
from dj_ui.downloads import download_button
from dj_ui.models import loaded
from dj_ui.readouts import show_facts, show_readouts
from dj_ui.set_files import SessionFolder
from dj_ui.turns import turn_to_play, turn_to_render
from dj_ui.uploads import forget_uploads
from dj_ui.visiting import NOBODY, visitor
from dj_ui.words import spoken

NEXT, BRIDGE, COLLECTION, PARTS_MADE = (
    "dj_next_track",
    "dj_bridge",
    "dj_collection",
    "dj_collection_parts",
)
_ROUND, _WRONG, _OF = "dj_own_round", "dj_own_wrong", "dj_bridge_of"
BRIDGE_BARS = (4, 8, 16, 32)
MOST_TRACKS = 12
_ALL = "All tracks"
_PACK = "drums_for_my_tracks"


def _dropped(label: str, kinds: list[str], key: str) -> Any:  # noqa: ANN401 - Streamlit's file
    """A file that was dropped since the page was last drawn; the next one finds an empty place."""
    number = st.session_state.setdefault(_ROUND, 0)
    if words := st.session_state.pop(f"{_WRONG}_{key}", None):
        st.error(words)
    return st.file_uploader(label, type=kinds, key=f"{key}_{number}")


def _taken(key: str, problem: DigitalDJError | None) -> None:
    """Forget what was dropped, and draw the page anew."""
    st.session_state[_ROUND] += 1
    if problem is not None:
        st.session_state[f"{_WRONG}_{key}"] = spoken(problem)
    forget_uploads()
    st.rerun()


def show_bridge(heard: Listening, take: Match | None, kinds: list[str]) -> None:
    """Drums that lead from the track to another one: drop that, hear them, take them.

    Args:
        heard: the track that plays.
        take: the drums chosen for it; None plays some.
        kinds: endings of the files that are read.
    """
    st.header("A bridge to the next track")
    upload = _dropped("The track that comes next", kinds, "bridge_next")
    if upload is not None:
        problem = None
        try:
            with st.spinner(f"Listening to {upload.name}"), turn_to_render(st.toast):
                coming = listen_to_content(bytes(upload.getbuffer()), upload.name)
            if coming.tempo_bpm is None:
                raise GenerationError(f"{upload.name}: {' '.join(coming.warnings)}")
            st.session_state[NEXT] = coming
            st.session_state.pop(BRIDGE, None)
        except DigitalDJError as error:
            problem = error
        _taken("bridge_next", problem)
    following: Listening | None = st.session_state.get(NEXT)
    if following is None:
        return
    show_readouts(
        {
            "From": f"{heard.tempo_bpm:.2f}",
            "To": f"{following.tempo_bpm:.2f}",
            "Beat": following.confidence_in_words,
        }
    )
    for warning in following.warnings:
        st.warning(f"{following.name}: {warning}")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        bars = st.segmented_control(
            "Bars", BRIDGE_BARS, default=8, key="bridge_bars", required=True
        )
        asked = st.button("Make the bridge", type="primary", key="bridge_make")
    if asked:
        try:
            st.session_state[BRIDGE] = _bridged(heard, take, following, bars or 8)
        except DigitalDJError as error:
            st.error(spoken(error))
    made = st.session_state.get(BRIDGE)
    if made is None or made[0] != (heard.name, following.name):
        return
    _, (crossing, midi, wav) = made
    st.caption(
        f"{crossing.beat.bars} bars, {crossing.duration_seconds:.1f} s: the first bar is "
        f"{heard.name}'s groove, the last one {following.name}'s. Every beat has its own tempo."
    )
    st.audio(wav.read_bytes(), "audio/wav")
    download_button(
        "Take the bridge (WAV, MIDI)",
        lambda: _zipped(midi, wav),
        f"{midi.stem}.zip",
        "application/zip",
        key="bridge_take",
    )


def _bridged(
    heard: Listening, take: Match | None, following: Listening, bars: int
) -> tuple[tuple[str, str], tuple[Bridge, Path, Path]]:
    """The bridge and its files. Raises DigitalDJError."""
    model = loaded(Library.open().model(None))
    with turn_to_play("Playing the bridge", 4 * PART_BARS):
        head = take or takes_for(heard, model, count=1)[0]
        tail = takes_for(following, model, count=1)[0]
        made = bridge(head.beat, tail.beat, bars)
    folder = SessionFolder()
    names = [safe_stem(Path(one.name).stem) or "track" for one in (heard, following)]
    genre = tail.beat.genre
    with st.spinner("Playing the bridge"), turn_to_render(st.toast):
        kit = GENRE[genre].kit if genre in GENRE else "standard"
        midi, wav = save_bridge(made, folder.path / f"{names[0]}_to_{names[1]}.mid", kit)
    st.session_state["dj_bridge_folder"] = folder  # it holds the files while the bridge is shown
    return (heard.name, following.name), (made, midi, wav)


def _zipped(*paths: Path) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as out:
        for path in paths:
            out.write(path, path.name)
    return file.getvalue()


def show_collection() -> None:
    """A rekordbox collection: its tracks, and an intro, a loop and an outro for chosen ones."""
    st.header("My collection")
    upload = _dropped("A rekordbox collection (XML)", ["xml"], "collection_file")
    if upload is not None:
        problem = None
        try:
            folder = SessionFolder()
            path = folder.path / "collection.xml"
            path.write_bytes(upload.getbuffer())
            with st.spinner("Reading the collection"), turn_to_render(st.toast):
                st.session_state[COLLECTION] = read_collection(path)
            st.session_state.pop(PARTS_MADE, None)
        except DigitalDJError as error:
            problem = error
        _taken("collection_file", problem)
    collection: Collection | None = st.session_state.get(COLLECTION)
    if collection is None:
        st.caption(
            "In rekordbox: File, Export Collection in xml format. For each track you choose: an "
            "intro, a loop and an outro at its tempo, with grid and hot loop."
        )
        return
    chosen = _choose_tracks(collection)
    place = st.text_input(
        "Folder you will unpack it in",
        key="collection_folder",
        placeholder="/Users/you/Music",
        help="rekordbox wants full addresses. Leave it empty and start the relocate script in the "
        "folder once instead.",
    )
    if st.button(
        f"Make drums for {counted(len(chosen), 'track')}",
        key="collection_make",
        type="primary",
        disabled=not chosen,
    ):
        try:
            st.session_state[PARTS_MADE] = _pack_of(collection, chosen, place)
        except DigitalDJError as error:
            st.error(spoken(error))
    if made := st.session_state.get(PARTS_MADE):
        folder, count = made
        download_button(
            f"Take drums for {counted(count, 'track')} (WAV, MIDI, rekordbox XML)",
            (folder.path / f"{_PACK}.zip").read_bytes,
            f"{_PACK}.zip",
            "application/zip",
            key="collection_take",
        )


def _choose_tracks(collection: Collection) -> tuple[str, ...]:
    """Choose tracks of the collection or of a playlist; what is known of those that are chosen."""
    playlist = _ALL
    if collection.playlists:
        playlist = st.selectbox("Playlist", [_ALL, *collection.playlists], key="collection_list")
    keys = collection.playlists.get(playlist, tuple(collection.tracks))
    tracks = collection.tracks
    chosen = st.multiselect(
        f"Tracks, up to {MOST_TRACKS} at a time",
        list(dict.fromkeys(keys)),
        format_func=lambda key: _named(tracks[key]),
        max_selections=MOST_TRACKS,
        placeholder=f"{counted(len(keys), 'track')}: type a name, an artist or a tempo",
        key=f"collection_chosen_{playlist}",
    )
    if chosen:
        show_facts({tracks[key].name: _facts(tracks[key]) for key in chosen})
    return tuple(chosen)


def _named(track: CollectionTrack) -> str:
    tempo = "no tempo" if track.tempo_bpm is None else f"{track.tempo_bpm:.2f}"
    return " · ".join(part for part in (track.name, track.artist, tempo) if part)


def _facts(track: CollectionTrack) -> str:
    """Its tempo, grid and cues in words."""
    words = ["no tempo" if track.tempo_bpm is None else f"{track.tempo_bpm:.2f} BPM"]
    if track.grid:
        words.append(f"grid from {track.grid[0].seconds:.2f} s")
        if len(track.grid) > 1:
            words.append(counted(len(track.grid), "tempo"))
    else:
        words.append("no grid")
    if track.cues:
        words.append(counted(len(track.cues), "cue"))
    return ", ".join(words)


def _pack_of(
    collection: Collection, chosen: tuple[str, ...], place: str
) -> tuple[SessionFolder, int]:
    """A zip of parts for the chosen tracks, with their rekordbox XML. Raises DigitalDJError."""
    where = pack_folder(place) / _PACK
    model = loaded(Library.open().model(None))
    folder, parts = SessionFolder(), SessionFolder()
    bars = len(chosen) * len(PARTS) * PART_BARS
    with turn_to_play("Playing and recording the parts", bars), turn_to_render(st.toast):
        # whoever comes over the network has their tracks elsewhere
        listens = visitor() == NOBODY
        paths = save_parts(collection, chosen, model, parts.path, where=where, listens=listens)
    with writing_pack(folder.path / f"{_PACK}.zip", _PACK) as pack:
        for path in paths:
            pack.add(path.name, path.read_bytes())
        add_scripts(pack)
    return folder, len(chosen)
