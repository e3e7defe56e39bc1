"""Listen: drop a track, see its beat, correct it, play along, and take drums that fit it."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import streamlit as st

from dj_core.errors import DigitalDJError
from dj_core.files.file_names import safe_stem
from dj_core.files.midi import midi_bytes
from dj_core.host.limits import LIMITS
from dj_core.library.library import Library
from dj_core.listening import grid_edits
from dj_core.listening.listening import Listening, listen
from dj_core.listening.transcribing import Transcription, transcribe
from dj_core.matching.match_files import save_whole
from dj_core.matching.takes_for_track import Match, takes_for, whole_track
from dj_core.music.genres import DANCE_STYLES, GENRE, genre_label
from dj_core.sound.loop_files import LoopSettings, loop_files
from dj_ui.deck import track_view
from dj_ui.downloads import download_button
from dj_ui.frame import open_page, run_page
from dj_ui.models import loaded
from dj_ui.opening import opening_beat
from dj_ui.own_tracks import show_bridge, show_collection
from dj_ui.player import player
from dj_ui.readouts import show_facts, show_readouts
from dj_ui.set_files import SessionFolder, offer
from dj_ui.turns import turn_to_play, turn_to_render
from dj_ui.uploads import forget_uploads
from dj_ui.visiting import tell_shared
from dj_ui.words import spoken

KINDS = ["wav", "flac", "mp3", "aif", "aiff", "ogg", "m4a"]
HEARD, FOLDER, TAKES, CHOSEN, PLAYED = (
    "dj_heard_track",
    "dj_track_folder",
    "dj_track_takes",
    "dj_track_take",
    "dj_track_played",
)
WRONG, ROUND = "dj_track_wrong", "dj_track_round"
NEAREST = ""
TAKE_BARS = 8


def main() -> None:
    """The page, top down."""
    st.title("Listen")
    ask_track()
    if words := st.session_state.pop(WRONG, None):
        st.error(words)
    heard: Listening | None = st.session_state.get(HEARD)
    if heard is None:
        invite()
    else:
        show_track(heard)
        if heard.tempo_bpm is not None:
            show_bridge(heard, show_drums(heard), KINDS)
        show_played(heard)
    show_collection()


def invite() -> None:
    """What comes out, and a loop to try it with."""
    st.html(
        '<p class="dj-invite"><b>Tempo and grid</b>: beats, bar lines, swing and sections over the '
        "waveform. You can correct them.</p>"
        '<p class="dj-invite"><b>Drums that fit</b>: takes with its swing and accents, as loops or '
        "as long as the track.</p>"
        '<p class="dj-invite"><b>Its own drums</b>: those of a loop, as a beat that you can change '
        "and keep.</p>"
        '<p class="dj-invite"><b>A bridge</b>: drums that lead from this track to the next, tempo '
        "and groove.</p>"
        '<p class="dj-invite">The file stays on this machine.</p>'
    )
    if st.button("Try it with a loop of ours", key="listen_try"):
        try:
            with st.spinner("Playing the loop"), turn_to_render(st.toast):
                (loop,) = loop_files(
                    opening_beat(), LoopSettings(kit="house"), stem_name="our_loop"
                )
                keep(*loop)
        except DigitalDJError as error:
            st.session_state[WRONG] = spoken(error)
        st.rerun()


def ask_track() -> None:
    """Let a visitor add a file, and listen to it."""
    number = st.session_state.setdefault(ROUND, 0)
    most = st.get_option("server.maxUploadSize")
    upload = st.file_uploader(
        f"A track or loop, up to {most} MB and 15 minutes", type=KINDS, key=f"listen_{number}"
    )
    tell_shared("The track")
    if upload is None:
        return
    st.session_state[ROUND] += 1  # what was heard is not heard once more
    try:
        with st.spinner(f"Listening to {upload.name}"), turn_to_render(st.toast):
            keep(upload.name, upload.getbuffer())
    except DigitalDJError as error:
        st.session_state[WRONG] = spoken(error)
    forget_uploads()
    st.rerun()


def keep(name: str, content: bytes | memoryview) -> None:
    """Put a file into a folder of the session, and remember what is heard in it."""
    folder = SessionFolder()
    file = Path(name)
    kind = file.suffix.lower().removeprefix(".")
    path = folder.path / f"{safe_stem(file.stem) or 'track'}.{kind if kind in KINDS else 'wav'}"
    path.write_bytes(content)
    st.session_state[HEARD] = listen(path)
    st.session_state[FOLDER] = folder  # the one before goes with its file
    st.session_state.pop(TAKES, None)
    st.session_state.pop(PLAYED, None)


def show_track(heard: Listening) -> None:
    """What was heard, in words; the waveform and its beat lines."""
    tempo = "none" if heard.tempo_bpm is None else f"{heard.tempo_bpm:.2f}"
    show_readouts(
        {
            "BPM": tempo,
            "Meter": str(heard.meter),
            "Swing": f"{heard.swing_percent:.0f}%",
            "Beat": heard.confidence_in_words,
        }
    )
    for warning in heard.warnings:
        st.warning(warning)
    path = next(st.session_state[FOLDER].path.iterdir())
    track_view(
        {
            "name": heard.name,
            "address": offer(path),
            "duration_seconds": heard.duration_seconds,
            "waveform": heard.waveform,
            "beats": [round(beat, 5) for beat in heard.beats],
            "first": heard.grid.first_downbeat if heard.grid else 0,
            "beats_per_bar": heard.meter.numerator,
            "sections": [{"start_seconds": part.start_seconds} for part in heard.sections],
        },
        take_edit,
        key="listen_track",
    )
    if heard.sections:
        show_facts(
            {
                f"{part.start_seconds // 60:.0f}:{part.start_seconds % 60:04.1f}": (
                    f"{part.role}, {part.bars} bars, energy {part.energy} of 5"
                )
                for part in heard.sections
            }
        )


def take_edit(edit: Mapping[str, Any]) -> None:
    """Correct the grid as the visitor did in the waveform."""
    heard: Listening = st.session_state[HEARD]
    try:
        match edit:
            case {"kind": "nudge", "seconds": float() | int() as seconds} if abs(seconds) <= 2:
                heard = grid_edits.nudged(heard, float(seconds))
            case {"kind": "one", "beats": int() as beats} if abs(beats) <= 8:
                heard = grid_edits.one_moved(heard, beats)
            case {"kind": "half"}:
                heard = grid_edits.halved(heard)
            case {"kind": "double"}:
                heard = grid_edits.doubled(heard)
            case {"kind": "tap", "times": list() as times} if len(times) <= 500 and all(
                type(time) in (int, float) for time in times
            ):
                heard = grid_edits.tapped(heard, times)
            case _:
                return
    except DigitalDJError as error:
        st.session_state[WRONG] = spoken(error)
        return
    st.session_state[HEARD] = heard
    st.session_state.pop(TAKES, None)  # they were for another grid


def show_drums(heard: Listening) -> Match | None:
    """Ask for drums, and show those that were played; the chosen ones."""
    st.header("Drums that fit")
    style, room, button = st.columns([3, 2, 2], vertical_alignment="bottom")
    genre = style.selectbox(
        "Style", [NEAREST, *DANCE_STYLES], key="listen_style",
        format_func=lambda name: genre_label(name) if name else "Nearest to the track",
    )  # fmt: skip
    around = room.toggle("Leave room for its drums", key="listen_around")
    if button.button("Find drums", type="primary", key="listen_find", width="stretch"):
        model = loaded(Library.open().model(None))
        seed = st.session_state.get("listen_seed", 1)
        with turn_to_play("Playing drums that fit", 8 * TAKE_BARS):
            st.session_state[TAKES] = takes_for(
                heard, model, genre=genre, count=4, seed=seed, bars=TAKE_BARS, around=around
            )
        st.session_state["listen_seed"] = seed + 100
        st.session_state[CHOSEN] = 0
    takes: tuple[Match, ...] = st.session_state.get(TAKES, ())
    if not takes:
        return None
    chosen = st.segmented_control(
        "Takes, the most alike first", range(len(takes)), key=CHOSEN, required=True,
        format_func=lambda n: f"{n + 1} · {takes[n].likeness.total:.0%} alike",
    )  # fmt: skip
    take = takes[chosen or 0]
    name = safe_stem(heard.name.rpartition(".")[0]) or "track"
    player(take.beat, key="listen_deck", name=take.beat.title, taken_as=f"{name}_drums")
    download_button(
        "Drums as long as the track (WAV, stems)",
        lambda: whole_zip(heard, take, name),
        f"{name}_drums_whole.zip",
        "application/zip",
        key="listen_whole",
    )
    return take


def show_played(heard: Listening) -> None:
    """The drums that the track itself plays, as a beat to hear, keep and take along."""
    if heard.duration_seconds > LIMITS.loop_seconds:
        return
    st.header("The drums in it")
    if st.button("Write out its drums", key="listen_transcribe"):
        path = next(st.session_state[FOLDER].path.iterdir())
        try:
            with st.spinner("Listening for drums"), turn_to_render(st.toast):
                st.session_state[PLAYED] = transcribe(path.read_bytes(), name=heard.name)
        except DigitalDJError as error:
            st.error(spoken(error))
    played: Transcription | None = st.session_state.get(PLAYED)
    if played is None:
        return
    for warning in played.warnings:
        st.warning(warning)
    player(played.beat, key="listen_played", name=played.beat.title)


def whole_zip(heard: Listening, take: Match, name: str) -> bytes:
    """Drums of the track's length, as WAV files in a zip."""
    folder = SessionFolder()
    whole = whole_track(heard, take.beat)
    genre = take.beat.genre
    kit = GENRE[genre].kit if genre in GENRE else "standard"
    file = io.BytesIO()
    with turn_to_render(), zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr(f"{name}_whole.mid", midi_bytes(whole, "general-midi"))
        for path in save_whole(whole, heard, folder.path / f"{name}_whole.wav", kit):
            out.write(path, path.name)
    return file.getvalue()


open_page("Listen")
run_page(main)
