"""Kits of one's own on Generate: one-shots in, pads put right, a SoundFont out."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable
from dataclasses import replace
from html import escape
from pathlib import Path, PurePosixPath

import streamlit as st

from dj_core.errors import DigitalDJError, LibraryError
from dj_core.files.file_names import counted, one_line, safe_stem
from dj_core.files.home import home_folder
from dj_core.host.limits import LIMITS
from dj_core.host.read_only import read_only
from dj_core.library.own_kits import (
    change_kit,
    exported,
    import_kit,
    open_kit,
    remove_kit,
)
from dj_core.music.drums import DRUM, DRUMS
from dj_core.sound.kit_table import OWN_FOLDER, OWN_SOUNDFONT, kit_or, own_kits
from dj_core.sound.own_kit import (
    LONGEST_DECAY_SECONDS,
    MOST_LABEL,
    SHORTEST_DECAY_SECONDS,
    Layer,
    OwnKit,
    Pad,
    usual_pad,
)
from dj_ui.deck import choose_kit, pads
from dj_ui.downloads import download_button
from dj_ui.visiting import take_allowance, tell_shared
from dj_ui.words import spoken

CHOSEN, PAD = "dj_mykit", "dj_mykit_pad"  # which kit is shown, and which of its pads
DROPPED = "dj_dropped_shots"  # the place for files; the deck puts there what is dropped on it
_TIMES, _SAID = "dj_mykits_made", "dj_mykit_said"
SOFT_UP_TO = 79  # the hardest stroke that a second recording plays
NOTHING = ""
SKIPPED_SHOWN = 12


def draw_own_kits(slot: str) -> None:
    """The DJ's own kits, folded: what is on a pad, how it plays, and what to do with the kit.

    Args:
        slot: of the beat on deck, which is heard with a kit that was just made.
    """
    with st.expander("Your own kits", key="dj_mykits", on_change="rerun") as folded:
        if not read_only():
            _draw_way_in(slot)
        if not folded.open:
            return
        _tell()
        kits = {kit.name: kit.label for kit in own_kits()}
        if not kits:
            st.caption("There is no kit of yours yet.")
            return
        tell_shared("A kit")
        if st.session_state.get(CHOSEN) not in kits:
            st.session_state[CHOSEN] = next(iter(kits))
        name = st.selectbox("Kit", list(kits), format_func=kits.get, key=CHOSEN)
        try:
            _draw_kit(name, open_kit(name), slot)
        except DigitalDJError as error:
            st.warning(spoken(error))


def _draw_way_in(slot: str) -> None:
    """Where one-shots come in, by choice or dropped on the deck."""
    turn = st.session_state.setdefault(_TIMES, 0)
    st.file_uploader(
        "One-shots for a new kit: WAV, AIFF, FLAC, OGG, MP3, or a zip of them",
        accept_multiple_files=True,
        key=f"{DROPPED}_{turn}",
        on_change=_take_files,
        args=(slot, turn),
        help="You can drop files and folders on the deck, too. The drums are guessed from their "
        "names and their sound.",
    )


def _take_files(slot: str, turn: int) -> None:
    """Make a kit of the files that have come, and have the deck play it."""
    uploads = st.session_state.get(f"{DROPPED}_{turn}")
    st.session_state[_TIMES] = turn + 1  # an empty place next time
    if not uploads:
        return
    try:
        take_allowance("upload")
        if sum(upload.size for upload in uploads) > LIMITS.upload_bytes:
            raise LibraryError(
                f"These files are over {LIMITS.upload_bytes // 1_000_000} MB together. Bring them "
                "in in parts."
            )
        with tempfile.TemporaryDirectory(prefix="digital-dj-shots-") as place:
            zips, loose = [], Path(place) / "shots"
            loose.mkdir()
            for number, upload in enumerate(uploads):
                name = PurePosixPath(upload.name.replace("\\", "/")).name
                ending = PurePosixPath(name).suffix.lower()
                path = loose / f"{safe_stem(PurePosixPath(name).stem)}{ending}"
                if ending == ".zip":
                    path = Path(place) / f"{number}.zip"
                    zips.append(path)
                elif path.exists():
                    path = loose / f"{safe_stem(PurePosixPath(name).stem)} {number}{ending}"
                path.write_bytes(upload.getvalue())
            sources = [*zips, *([loose] if any(loose.iterdir()) else [])]
            made = import_kit(sources, _free_label(uploads[0].name))
    except DigitalDJError as error:
        st.session_state[_SAID] = [str(error)]
        st.toast(spoken(error))
        return
    choose_kit(made.name, slot)
    st.session_state[CHOSEN] = made.name
    words = f"{made.name} is a kit: {counted(len(made.drums), 'drum')} on its pads."
    if made.skipped:
        words += f" {counted(len(made.skipped), 'file')} could not be used."
    shown = [f"{file}: {reason}" for file, reason in made.skipped[:SKIPPED_SHOWN]]
    more = len(made.skipped) - len(shown)
    st.session_state[_SAID] = [words, *shown, *([f"… and {more:,} more."] if more > 0 else [])]
    st.toast(spoken(words))


def _tell() -> None:
    """What became of the files that came last."""
    if said := st.session_state.get(_SAID):
        st.caption("  \n".join(map(spoken, said)))


def _free_label(file: str) -> str:
    """What to call a kit of this file or folder: by its name, with a number if that is taken."""
    path = PurePosixPath(file.replace("\\", "/"))
    base = path.stem if path.suffix.lower() == ".zip" else path.stem.partition(" - ")[0]
    base = one_line(base)[: MOST_LABEL - 4] if " - " in file or file.endswith(".zip") else "My kit"
    label, number = base, 1
    while kit_or(safe_stem(label).lower(), ""):
        number += 1
        label = f"{base} {number}"
    return label


# -- a kit ---------------------------------------------------------------------------------------


def _draw_kit(name: str, kit: OwnKit, slot: str) -> None:
    lane = st.session_state.get(PAD)
    if lane not in DRUM:
        lane = next(iter(kit.pads), "kick")
    guesses = {shot.file: (shot.drum, shot.sure) for shot in kit.shots}
    shown = []
    for drum in DRUMS:
        pad = kit.pads.get(drum.name)
        file = pad.layers[-1].file if pad else ""
        guessed, sure = guesses.get(file, ("", 1.0))
        # where a DJ put another than was guessed, it is no guess any more
        shown.append((drum.name, PurePosixPath(file).stem, sure if guessed == drum.name else 1.0))

    def change(kit: OwnKit) -> None:
        try:
            change_kit(name, kit)
        except DigitalDJError as error:
            st.toast(spoken(error))

    def choose(touched: str) -> None:
        st.session_state[PAD] = touched

    pads(
        name,
        shown,
        lane,
        key="dj_pads",
        can_change=not read_only(),
        on_chosen=choose,
        on_swapped=lambda one, other: change(open_kit(name).swapped(one, other)),
    )
    if not read_only():
        _draw_pad(name, kit, lane, change)
    with st.container(horizontal=True, key="dj_mykit_actions"):
        st.button("Play with it", key="dj_mykit_use", on_click=choose_kit, args=(name, slot))
        soundfont = home_folder() / OWN_FOLDER / name / OWN_SOUNDFONT
        download_button(
            "SoundFont (.sf2)", soundfont.read_bytes, f"{name}.sf2",
            "application/octet-stream", "dj_mykit_sf2",
            "For a sampler or a DAW: every pad on its General MIDI note.",
        )  # fmt: skip
        download_button(
            "Kit (.zip)", lambda: exported(name), f"{name}.zip", "application/zip", "dj_mykit_zip",
            "Its recordings and pads, for another Digital DJ.",
        )  # fmt: skip
        if not read_only():
            st.button("Delete", key="dj_mykit_delete", on_click=_remove, args=(name,))


def _remove(name: str) -> None:
    try:
        remove_kit(name)
        st.toast(spoken(f"{name} is deleted."))
    except DigitalDJError as error:
        st.toast(spoken(error))


def _draw_pad(name: str, kit: OwnKit, lane: str, change: Callable[[OwnKit], None]) -> None:
    """How one pad plays; whatever is turned is heard from then on."""
    pad = kit.pads.get(lane)
    first = {shot.file: shot.drum != lane for shot in kit.shots}
    files = [NOTHING, *sorted(first, key=lambda file: (first[file], file))]
    words = {file: PurePosixPath(file).stem for file in files} | {NOTHING: "nothing"}

    def set_pad(made: Pad | None) -> None:
        change(open_kit(name).with_pad(lane, made))

    def control(part: str) -> str:
        return f"dj_pad_{name}_{lane}_{part}"

    def asked(part: str) -> object:
        return st.session_state[control(part)]

    def held(part: str, value: object) -> str:
        """A control's key; it shows what the pad is, whatever it showed before."""
        st.session_state[control(part)] = value
        return control(part)

    def take_recording() -> None:
        file = str(asked("file"))
        usual = usual_pad(lane, file) if file else None
        set_pad(replace(pad, layers=(Layer(file),), start_seconds=0.0) if pad and usual else usual)

    st.html(f'<h2 class="dj-head">{escape(DRUM[lane].label)}</h2>')
    left, right = st.columns(2, gap="large")
    here = pad.layers[-1].file if pad else NOTHING
    left.selectbox(
        "Recording", files, format_func=words.get, key=held("file", here),
        on_change=take_recording, help="Those that were guessed to be this drum come first.",
    )  # fmt: skip
    if pad is None:
        return

    def take_soft() -> None:
        file = str(asked("soft"))
        soft = (Layer(file, SOFT_UP_TO),) if file else ()
        set_pad(replace(pad, layers=(*soft, Layer(here))))

    soft = pad.layers[0].file if len(pad.layers) > 1 else NOTHING
    left.selectbox(
        "For soft strokes", files, format_func=words.get, key=held("soft", soft),
        on_change=take_soft,
    )  # fmt: skip

    def turned(part: str, taken: Callable[[float], dict[str, object]]) -> Callable[[], None]:
        return lambda: set_pad(replace(pad, **taken(float(asked(part)))))

    left.slider(
        "Start (ms)", 0.0, 500.0, step=1.0, key=held("start", min(500.0, pad.start_seconds * 1000)),
        on_change=turned("start", lambda value: {"start_seconds": value / 1000}),
    )  # fmt: skip
    left.slider(
        "Tune (semitones)", -24.0, 24.0, step=0.1, key=held("tune", pad.tune_semitones),
        on_change=turned("tune", lambda value: {"tune_semitones": value}),
    )  # fmt: skip
    longest = LONGEST_DECAY_SECONDS
    right.slider(
        "Decay (seconds)", SHORTEST_DECAY_SECONDS, longest, step=0.01,
        key=held("decay", pad.decay_seconds or longest),
        help="At the right end it rings as recorded.",
        on_change=turned(
            "decay",
            lambda value: {"decay_seconds": None if math.isclose(value, longest) else value},
        ),
    )  # fmt: skip
    right.slider(
        "Level (dB)", -40.0, 6.0, step=0.5, key=held("gain", pad.gain_db),
        on_change=turned("gain", lambda value: {"gain_db": value}),
    )  # fmt: skip
    right.slider(
        "Left to right", -1.0, 1.0, step=0.05, key=held("pan", pad.pan),
        on_change=turned("pan", lambda value: {"pan": value}),
    )  # fmt: skip
    right.slider(
        "Velocity", 0.0, 1.5, step=0.05, key=held("response", pad.response),
        help="How much softer a soft stroke is: 0 plays all alike, 1 is usual.",
        on_change=turned("response", lambda value: {"response": value}),
    )  # fmt: skip
    right.toggle(
        "Choke: silences the hats and other pads with this", key=held("choke", pad.choke),
        on_change=lambda: set_pad(replace(pad, choke=bool(asked("choke")))),
    )  # fmt: skip
