"""Jam: a performance that never repeats, steered by hand or by an energy plan, and kept."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import streamlit as st

from dj_core.errors import DigitalDJError
from dj_core.files.file_names import safe_stem
from dj_core.files.midi import midi_bytes
from dj_core.library.kept_beats import Crate
from dj_core.library.library import Library, ModelInfo
from dj_core.live.performance import CURVES, JamPlan, as_set, bars_for, curve
from dj_core.music.beat import Beat
from dj_core.music.genres import GENRES, genre_label, typical_tempo_bpm
from dj_core.sets.mixdown import Mixdown, save_mix
from dj_core.sets.saved_sets import keep_set, set_path
from dj_core.sound.kit_table import kit_or, offered_kits
from dj_core.sound.mixer_table import NEUTRAL, PRESETS
from dj_ui.controls import OPENING_GENRE
from dj_ui.deck import (
    choose_kit,
    chosen_kit,
    follow_style,
    give_sound,
    jam,
    own_sound,
    send_kit,
    sound_of,
)
from dj_ui.downloads import download_button
from dj_ui.frame import open_page, run_page
from dj_ui.live_jams import LiveJam
from dj_ui.models import loaded
from dj_ui.set_files import SessionFolder, offer
from dj_ui.set_state import sets_folder
from dj_ui.set_work import Work
from dj_ui.shaping import put_on_generate
from dj_ui.visiting import take_allowance, visitor
from dj_ui.words import spoken

DECK = "jam_deck"
JAM, RECORDED, WORK, FOLDER = "jam_now", "jam_recorded", "jam_work", "jam_folder"
SEED, DRUMS, MIXER = "jam_seed", "jam_drums", "jam_mixer"
NO_MIXER, OWN = "No mixer", "As on Generate"
OPENS = "jam_opens"  # a phrase of it on Generate
NONE = "None"
PLANS = {name: name.capitalize() for name in CURVES}
MINUTES = (5, 10, 20, 30, 60)
LOOK_EVERY = 1.0  # seconds, while a file is made


def main() -> None:
    """The page, top to bottom."""
    open_page("Jam")
    if st.session_state.pop(OPENS, False):
        st.switch_page("pages/generate.py")
    library = Library.open()
    st.session_state.setdefault(SEED, random.randrange(1, 100_000))
    place = st.container(key="jam_stage")
    with st.container(key="jam_settings"):
        model, genres, plan, minutes = choose(library)
    asked = (model.name, genres, plan, minutes, st.session_state[SEED])
    known = st.session_state.get(JAM)
    if known is None or known[0] != asked:
        tempo_bpm = typical_tempo_bpm(genres[0]) or 120.0
        bars = bars_for(minutes, tempo_bpm)
        planned = JamPlan(genres, bars, curve(plan, bars), seed=st.session_state[SEED])
        known = st.session_state[JAM] = (asked, LiveJam(loaded(model), planned, visitor()))
    live: LiveJam = known[1]
    with place:
        jam(
            {**live.payload(), "mixer": sound_of(DECK).mixer.to_json()}, key=DECK,
            on_kept=keep, on_recorded=take_recording, on_opened=open_phrase,
        )  # fmt: skip
    with st.container(key="jam_taken"):
        draw_recording(library)
    send_kit(DECK, slot=DECK)


def choose(library: Library) -> tuple[ModelInfo, tuple[str, ...], str, int]:
    """What the jam is made of. Raises CheckpointError where no model can play on."""
    model = library.model(None)
    known = [genre.name for genre in GENRES if genre.name in model.genres]
    with st.container(horizontal=True, key="jam_choices"):
        first = st.selectbox(
            "Style", known, known.index(OPENING_GENRE) if OPENING_GENRE in known else 0,
            format_func=genre_label, key="jam_genre", persist_state="session",
        )  # fmt: skip
        second = st.selectbox(
            "Second style", [NONE, *known], key="jam_other", persist_state="session",
            format_func=lambda name: name if name == NONE else genre_label(name),
            help="The style fader goes from the first to the second, drum by drum.",
        )  # fmt: skip
        plan = st.selectbox(
            "Energy plan", list(PLANS), CURVES.index("waves"), format_func=PLANS.get,
            key="jam_plan", persist_state="session",
            help="Moves the energy while no hand does, and asks for breaks, builds and drops.",
        )  # fmt: skip
        minutes = st.selectbox(
            "Over (minutes)", MINUTES, 1, key="jam_minutes", persist_state="session",
            help="How long the plan takes; then it begins again.",
        )  # fmt: skip
        follow_style(first)
        kits = {"": "The style's own", **{kit.name: kit.label for kit in offered_kits()}}
        st.session_state[DRUMS] = kit_or(sound_of(DECK).kit, "")
        st.selectbox(
            "Kit", list(kits), format_func=kits.get, key=DRUMS,
            on_change=lambda: choose_kit(st.session_state[DRUMS], DECK),
        )  # fmt: skip
        st.selectbox(
            "Mixer", choose_jam_mixer(), key=MIXER, on_change=take_mixer,
            format_func=lambda name: PRESETS[name].label if name in PRESETS else name,
            help="What the jam, what is kept of it and its WAV are mixed with.",
        )  # fmt: skip
        st.number_input(
            "Seed", 1, None, key=SEED, persist_state="session",
            help="Another seed, another jam.",
        )  # fmt: skip
    return model, (first,) if second in (NONE, first) else (first, second), plan, minutes


def choose_jam_mixer() -> list[str]:
    """Mixers to choose from; the jam begins with that of Generate's deck."""
    if own_sound(DECK) is None:
        give_sound(DECK, sound_of(""))
    now = sound_of(DECK).mixer
    named = next((name for name, preset in PRESETS.items() if preset.mixer == now), None)
    own = [OWN] if now != NEUTRAL and named is None else []
    st.session_state[MIXER] = NO_MIXER if now == NEUTRAL else named or OWN
    return [NO_MIXER, *own, *PRESETS]


def take_mixer() -> None:
    """Mix the jam as was chosen."""
    name = st.session_state[MIXER]
    if name != OWN:
        mixer = PRESETS[name].mixer if name in PRESETS else NEUTRAL
        give_sound(DECK, replace(sound_of(DECK), mixer=mixer))


# -- what is kept ----------------------------------------------------------------------------


def heard(played: Mapping[str, Any]) -> Beat | None:
    """Bars from the browser as a beat, or a word about why not."""
    _, live = st.session_state[JAM]
    try:
        return live.heard(played)
    except DigitalDJError as error:
        st.toast(spoken(error))
        return None


def keep(played: Mapping[str, Any]) -> None:
    """Put the last bars into the crate, with the sound they were heard with."""
    if (beat := heard(played)) is None:
        return
    try:
        item = Crate.open().keep(beat, name=beat.title, sound=sound_of(DECK))
    except DigitalDJError as error:
        st.toast(spoken(error))
        return
    st.toast(spoken(f"{item.name}: in the crate, with the jam's kit and mixer."))


def open_phrase(asked: Mapping[str, Any]) -> None:
    """Take a phrase to Generate's deck."""
    _, live = st.session_state[JAM]
    try:
        put_on_generate(live.phrase(asked))
    except DigitalDJError as error:
        st.toast(spoken(error))
        return
    st.session_state[OPENS] = True


def take_recording(played: Mapping[str, Any]) -> None:
    """Hold a recording, to be taken away."""
    if beat := heard(played):
        st.session_state[RECORDED] = beat
        st.session_state.pop(WORK, None)


def draw_recording(library: Library) -> None:
    """What was recorded last, as MIDI, as a set and as sound."""
    beat: Beat | None = st.session_state.get(RECORDED)
    if beat is None:
        return
    stem = safe_stem(beat.title)
    minutes, seconds = divmod(round(beat.duration_seconds), 60)
    st.html('<h2 class="dj-head">Recorded</h2>')
    st.caption(f"{beat.bars} bars, {minutes}:{seconds:02}")
    with st.container(horizontal=True, key="jam_files"):
        download_button(
            "MIDI", lambda: midi_bytes(beat), f"{stem}.mid", "audio/midi", "jam_midi",
            "All of it as one MIDI file.",
        )  # fmt: skip
        st.button(
            "Keep as a set", key="jam_set", on_click=keep_as_set, args=(library, beat),
            help="Puts it on the Set page, cut into tracks.",
        )  # fmt: skip
        work: Work | None = st.session_state.get(WORK)
        if work is None:
            st.button("Make the WAV", key="jam_wav", on_click=start_wav, args=(beat, stem))
        elif work.busy:
            follow_work()
        elif work.state == "done":
            st.link_button("WAV", offer(work.result), help="As it sounded, as one sound file.")
        else:
            st.warning(spoken(work.problem or "Stopped. Nothing was made."))


def keep_as_set(library: Library, beat: Beat) -> None:
    """Save the recording among the sets."""
    planned = as_set(beat, sound=sound_of(DECK))
    try:
        keep_set(planned, set_path(sets_folder(library), planned.settings.name))
    except DigitalDJError as error:
        st.toast(spoken(error))
        return
    st.toast(spoken(f"{planned.settings.name} is among your sets."))


def start_wav(beat: Beat, stem: str) -> None:
    """Make the recording's WAV in the background."""
    folder: SessionFolder = st.session_state.setdefault(FOLDER, SessionFolder())
    path = folder.path / f"{stem}.wav"
    try:
        mixdown = Mixdown(as_set(beat, most_tracks=1, sound=sound_of(DECK)), chosen_kit(DECK))

        def task(tell: Callable[[str, int, int], None]) -> Path:
            return save_mix(mixdown, path, lambda done, bars: tell("Playing the jam", done, bars))

        take_allowance("work")
        st.session_state[WORK] = Work("wav", task)
    except DigitalDJError as error:
        st.toast(spoken(error))


@st.fragment(run_every=LOOK_EVERY)
def follow_work() -> None:
    """How far the sound file is."""
    work: Work = st.session_state[WORK]
    if not work.busy:
        st.rerun()
    st.progress(work.progress.share, f"{work.progress.doing}…")


run_page(main)
