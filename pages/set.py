"""Set: put beats in order, hear one go into the next, take the whole night away."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any

import streamlit as st

from dj_core.crate import Crate, CrateSearch
from dj_core.errors import DigitalDJError
from dj_core.export import LoopSettings
from dj_core.genres import genre_label
from dj_core.library import Library
from dj_core.midi import MidiSettings
from dj_core.note_maps import NOTE_MAPS
from dj_core.pack.contents import PackSettings, save_pack
from dj_core.setlist.arrangement import transition
from dj_core.setlist.counting import Count, counted_tempo_bpm
from dj_core.setlist.editing import (
    lengthened,
    moved,
    recounted,
    replanned,
    with_beat,
    with_new_take,
    without,
)
from dj_core.setlist.generating import build_set
from dj_core.setlist.mixdown import Mixdown, save_cue_sheet, save_mix
from dj_core.setlist.naming import set_stem, slot_name, slot_title
from dj_core.setlist.plan import (
    MAX_BEATS,
    MAX_MINUTES,
    PHRASE_BARS,
    SetList,
    SetSettings,
    warnings_of,
)
from dj_core.setlist.saving import saved_sets
from dj_core.setlist.score import set_midi
from dj_ui import set_state
from dj_ui.deck import chosen_kit, deck
from dj_ui.downloads import download_button
from dj_ui.frame import open_page, run_page
from dj_ui.models import loaded
from dj_ui.set_files import offer
from dj_ui.set_view import (
    COUNT_LABELS,
    ENERGY_LABELS,
    list_columns,
    sections_words,
    set_display,
)
from dj_ui.set_work import Work
from dj_ui.turns import turn_to_play
from dj_ui.visiting import take_allowance
from dj_ui.words import counted, spoken

OWN, ONE, GLIDE = "Each its own", "One", "From, to"
THIS_BEAT, INTO_NEXT = "This beat", "Into the next"
BUILD, WAV, PACK = "The set", "The whole set as WAV", "The pack"
CRATE_SHOWN = 500
FIRST_BEATS, FIRST_MINUTES = 8, 20
FIRST_NAME = "My set"
LOOK_EVERY = "0.5s"
OPENING, ROWS = "set_opening", "set_rows"
# a set's settings and the controls that show them
CONTROLS = {
    "phrase_bars": "set_phrase", "energy": "set_energy", "keep_order": "set_keep",
    "mix_ends": "set_ends", "fills": "set_fills", "breakdowns": "set_breaks", "seed": "set_seed",
}  # fmt: skip


def main() -> None:
    """The page, top to bottom."""
    open_page("Set")
    library = Library.open()
    open_linked(library)
    take_work(library)
    with st.container(key="dj_bench"):
        go, stage, side = (st.container(key=f"dj_{part}") for part in ("go_box", "stage", "side"))
    with side:
        settings, beats = choose_settings(library)
    with stage:
        planned = follow_settings(settings, library)
    with go:
        draw_go(library, settings, beats)
    with stage:
        if planned is None:
            st.html(
                '<p class="dj-invite">A set is beats in order, one going into the next. Say how '
                "long, how fast and how it shall rise, and press <b>Build the set</b>: what your "
                "crate does not give, the model plays.</p>"
            )
            return
        draw_set(planned, library)
        draw_takeaway(planned, library)


# -- settings --------------------------------------------------------------------------------


def choose_settings(library: Library) -> tuple[SetSettings, list[str]]:
    """The controls; as settings, and the crate's beats that were chosen."""
    name = st.text_input("Name", FIRST_NAME, max_chars=60, key="set_name", persist_state="session")
    beats = choose_beats()
    with st.container(horizontal=True):
        count = number("Beats", "set_beats", max(1, len(beats)), MAX_BEATS, FIRST_BEATS)
        minutes = number("Minutes", "set_minutes", 1, round(MAX_MINUTES), FIRST_MINUTES)
    tempo_bpm, to_tempo_bpm = choose_tempo()
    energy = choice("Energy", "set_energy", list(ENERGY_LABELS), "rise", ENERGY_LABELS.get)
    phrase = choice("Bars in a phrase", "set_phrase", list(PHRASE_BARS), 16, str)
    with st.expander("More"):
        details = choose_details(library)
    settings = SetSettings(
        name=name.strip() or FIRST_NAME,
        beats=count,
        minutes=float(minutes),
        tempo_bpm=tempo_bpm,
        to_tempo_bpm=to_tempo_bpm,
        energy=energy,
        phrase_bars=phrase,
        **details,
    )
    return settings, beats


def choose_beats() -> list[str]:
    """Which of the kept beats go into the set, by their numbers in the crate."""
    crate, chosen = Crate.open(), tuple(st.session_state.get("set_crate", ()))
    latest = crate.find(most=CRATE_SHOWN)
    kept = {item.id: item for item in (*latest, *crate.find(CrateSearch(ids=chosen)))}
    if not kept:
        st.caption("Your crate is empty, so the model plays every beat. Keep takes on Generate.")
        return []
    if set(chosen) - kept.keys():
        st.session_state["set_crate"] = [i for i in chosen if i in kept]
    return st.multiselect(
        "From your crate",
        list(kept),
        format_func=lambda i: f"{kept[i].name} · {kept[i].playing_tempo_bpm:.4g}",
        placeholder="Choose beats; the model plays the rest",
        max_selections=MAX_BEATS,
        key="set_crate",
        persist_state="session",
    )


def choose_tempo() -> tuple[float | None, float | None]:
    """The tempo the set begins and ends with; None where beats keep their own."""
    plan = choice("Tempo", "set_tempo", [OWN, ONE, GLIDE], GLIDE, str)
    if plan == OWN:
        return None, None
    with st.container(horizontal=True):
        first = number("BPM" if plan == ONE else "From BPM", "set_from", 40, 300, 122)
        if plan == ONE:
            return float(first), None
        return float(first), float(number("To BPM", "set_to", 40, 300, 128))


def choose_details(library: Library) -> dict[str, Any]:
    """What a DJ sets now and then."""
    try:
        genres = library.model().genres
    except DigitalDJError:
        genres = ()
    wanted = st.multiselect(
        "Genres of the beats the model plays",
        list(genres),
        format_func=genre_label,
        placeholder="As the beats beside them",
        key="set_genres",
        persist_state="session",
    )
    return {
        "genres": tuple(wanted),
        "keep_order": toggle("Keep the order of the crate", "set_keep", False),
        "mix_ends": toggle("Begin and end beats with kick and hats", "set_ends", True),
        "fills": toggle("Fills at the ends of phrases", "set_fills", True),
        "breakdowns": toggle("Breakdowns", "set_breaks", True),
        "seed": number("Seed", "set_seed", 0, 999_999_999, 1),
    }


def number(label: str, key: str, low: int, high: int, default: int) -> int:
    """A whole number that stays while the visitor is elsewhere."""
    value = st.session_state.get(key, default)
    if not low <= value <= high:
        st.session_state[key] = min(max(value, low), high)
    start = max(low, default)
    return st.number_input(label, low, high, start, 1, key=key, persist_state="session")


def choice(
    label: str, key: str, options: list, default: object, words: Callable[[Any], str | None]
) -> Any:  # noqa: ANN401 - one of the options
    """One of a few, side by side."""
    return st.segmented_control(
        label,
        options,
        default=default,
        format_func=words,
        key=key,
        required=True,
        persist_state="session",
    )


def toggle(label: str, key: str, default: bool) -> bool:
    """Something that is done or not."""
    return st.toggle(label, default, key=key, persist_state="session")


def show_settings(settings: SetSettings) -> None:
    """Set the controls to those of a set; before they are drawn."""
    state = st.session_state
    for field, key in CONTROLS.items():
        state[key] = getattr(settings, field)
    state["set_name"] = settings.name
    state["set_minutes"] = round(settings.minutes or FIRST_MINUTES)
    state["set_genres"] = list(settings.genres)
    first, last = settings.tempo_bpm, settings.to_tempo_bpm
    state["set_tempo"] = OWN if first is None else ONE if last in (None, first) else GLIDE
    if first is not None:
        state["set_from"], state["set_to"] = round(first), round(last or first)


# -- the set at hand -------------------------------------------------------------------------


def open_linked(library: Library) -> None:
    """Open the set that the address, or the list of sets, asks for; once."""
    name = st.session_state.pop(OPENING, None)
    planned = set_state.current()
    if name is None and planned is None:
        name = st.query_params.get(set_state.LINK)
    if not name:
        return
    try:
        planned = set_state.open_saved(name, library)
    except DigitalDJError as error:
        st.query_params.pop(set_state.LINK, None)
        st.info(spoken(error))
        return
    show_settings(planned.settings)
    st.session_state["set_beats"] = len(planned.slots)


def follow_settings(settings: SetSettings, library: Library) -> SetList | None:
    """The set at hand as the controls now want it; what only building uses is left alone."""
    planned = set_state.current()
    if planned is None:
        return None
    own = planned.settings
    wanted = SetSettings(**{**vars(settings), "beats": own.beats, "genres": own.genres,
                            "keep_order": own.keep_order, "seed": own.seed})  # fmt: skip
    try:
        changed = replanned(planned, wanted)
        if changed is not planned:
            set_state.hold(changed, library)
    except DigitalDJError as error:
        st.warning(spoken(error))
        return planned
    return changed


def change(planned: SetList, library: Library) -> None:
    """Take a changed set and draw the page again."""
    set_state.hold(planned, library)
    st.session_state[ROWS] = st.session_state.get(ROWS, 0) + 1  # the table shows another choice
    st.rerun()


# -- building --------------------------------------------------------------------------------


def draw_go(library: Library, settings: SetSettings, chosen: list[str]) -> None:
    """The button that builds, what is being made, and the sets kept so far."""
    if set_state.is_busy():
        follow_work()
    elif st.button("Build the set", type="primary", key="set_go", width="stretch"):
        start_build(library, settings, chosen)
        st.rerun()
    kept = [saved.name for saved in saved_sets(set_state.sets_folder(library))]
    if kept:
        with st.popover("My sets", width="stretch"):
            name = st.selectbox("Set", kept, key="set_kept")
            with st.container(horizontal=True):
                if st.button("Open", key="set_open"):
                    st.session_state[OPENING] = name
                    st.rerun()
                if st.button("Remove for good", key="set_remove"):
                    try:
                        set_state.remove_saved(name, library)
                    except DigitalDJError as error:
                        st.warning(spoken(error))
                        st.stop()
                    st.rerun()


def start_build(library: Library, settings: SetSettings, chosen: list[str]) -> None:
    """Build in the background; the page takes the set when it is there."""
    crate = Crate.open()
    try:
        take_allowance("work")
        beats = [crate.get(number).titled for number in chosen]
        model = None
        if settings.fills or len(beats) < (settings.beats or 0):
            with st.spinner("Waking the model…"):
                model = loaded(library.model())
        name = set_state.free_name(settings.name, library)
        wanted = SetSettings(**{**vars(settings), "name": name})
        set_state.set_work(Work(BUILD, lambda tell: build_set(beats, wanted, model, tell)))
    except DigitalDJError as error:
        st.warning(spoken(error))
        st.stop()


@st.fragment(run_every=LOOK_EVERY)
def follow_work() -> None:
    """How far the work is, and the button that stops it."""
    work = set_state.work()
    if work is None or not work.busy:
        st.rerun()
    st.progress(work.progress.share, f"{work.progress.doing}…")
    if st.button("Stop", key="set_stop", width="stretch"):
        work.stop()


def take_work(library: Library) -> None:
    """Take what was made since the page was last drawn."""
    work = set_state.taken_work()
    if work is None:
        return
    if work.state == "failed":
        st.warning(spoken(work.problem))
    elif work.state == "stopped":
        st.toast("Stopped. Nothing was written.")
    elif work.name == BUILD:
        set_state.begin(work.result, library)
        show_settings(work.result.settings)
        st.session_state[ROWS] = st.session_state.get(ROWS, 0) + 1
    else:
        set_state.add_made(*work.result)


# -- the set ---------------------------------------------------------------------------------


def draw_set(planned: SetList, library: Library) -> None:
    """The course of the set, its list, and the chosen beat."""
    slot = set_state.chosen_slot()
    st.html(set_display(planned, slot))
    warnings = warnings_of(planned)
    version = st.session_state.get(ROWS, 0)
    event = st.dataframe(
        list_columns(planned, warnings),
        key=f"set_rows_{version}",
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        selection_default={"selection": {"rows": [slot]}},
        height=min(36 * (len(planned.slots) + 1) + 3, 326),
        alt="The set list; choose a row to hear and change its beat",
    )
    rows = event.selection.rows
    if rows and rows[0] != slot and rows[0] < len(planned.slots):
        set_state.choose(rows[0])
        st.rerun()
    for warning in warnings:
        if warning.slot == slot:
            st.warning(spoken(warning.words))
            label = COUNT_LABELS.get(warning.offer or "")
            if label and st.button(f"Play it in {label.lower()}", key=f"offer_{warning.offer}"):
                change(recounted(planned, slot, warning.offer), library)
    draw_slot(planned, slot, library)


def draw_slot(planned: SetList, slot: int, library: Library) -> None:
    """The chosen beat: on the deck, alone or going into the next; and where it stands."""
    hear = [THIS_BEAT, INTO_NEXT] if slot + 1 < len(planned.slots) else [THIS_BEAT]
    if st.session_state.get("set_hear") not in hear:
        st.session_state.pop("set_hear", None)
    st.html(f'<h2 class="dj-head">{slot_title_html(planned, slot)}</h2>')
    st.caption(sections_words(planned, slot))
    if choice("On the deck", "set_hear", hear, hear[0], str) == INTO_NEXT:
        ending, opening = transition(planned, slot)
        deck(
            ending,
            key="set_deck",
            slot=f"out-{slot}",
            name=f"Out of {slot_title(planned, slot)}",
            other=opening,
            other_name=f"Into {slot_title(planned, slot + 1)}",
        )
    else:
        beat = planned.slots[slot].beat
        now = deck(beat, key="set_deck", name=slot_name(planned, slot))
        if now is not beat and st.button("Put what you changed into the set", key="set_edit"):
            change(with_beat(planned, slot, now), library)
    draw_moves(planned, slot, library)


def slot_title_html(planned: SetList, slot: int) -> str:
    """A slot's number and name, safe to show."""
    from html import escape

    return escape(slot_title(planned, slot))


def draw_moves(planned: SetList, slot: int, library: Library) -> None:
    """Where the beat stands, how it is counted, how long it plays, and another one for it."""
    last = len(planned.slots) - 1
    with st.container(horizontal=True, key="set_moves"):
        for label, by, off in (("Earlier", -1, slot == 0), ("Later", 1, slot == last)):
            if st.button(label, key=f"set_{label.lower()}", disabled=off):
                set_state.choose(slot + by)
                change(moved(planned, slot, by), library)
        if st.button("Take out", key="set_out", disabled=not last):
            change(without(planned, slot), library)
        for label, after in (("Another take", False), ("Add a beat behind", True)):
            if st.button(label, key=f"set_take_{after}"):
                play_take(planned, slot, after, library)
    with st.expander("Tempo and length of this beat"):
        draw_counting(planned, slot, library)


def draw_counting(planned: SetList, slot: int, library: Library) -> None:
    """Half and double time, and the number of phrases."""
    entry = planned.entries[slot]
    counts: dict[str, Count | None] = {"As suits": None} | {
        f"{label} · {counted_tempo_bpm(entry.beat, count):.4g}": count
        for count, label in COUNT_LABELS.items()
    }
    labels = list(counts)
    now = next(label for label, count in counts.items() if count == entry.count)
    key = f"set_count_{slot}_{st.session_state.get(ROWS, 0)}"
    picked = st.segmented_control("Count it", labels, default=now, key=key, required=True)
    least = planned.settings.least_phrases
    phrases = st.number_input(
        f"Phrases of {planned.settings.phrase_bars} bars (0 for its share of the set)",
        0, 64, entry.phrases or 0, key=f"{key}_phrases",
    )  # fmt: skip
    try:
        if picked != now:
            change(recounted(planned, slot, counts[picked]), library)
        wanted = max(phrases, least) if phrases else None
        if wanted != entry.phrases:
            change(lengthened(planned, slot, wanted), library)
    except DigitalDJError as error:
        st.warning(spoken(error))


def play_take(planned: SetList, slot: int, after: bool, library: Library) -> None:
    """Let the model play a beat for this place."""
    try:
        with turn_to_play("Playing…"):
            model = loaded(library.model())
            changed = with_new_take(planned, slot, model, after=after)
    except DigitalDJError as error:
        st.warning(spoken(error))
        return
    set_state.choose(slot + after)
    change(changed, library)


# -- taking away -----------------------------------------------------------------------------


def draw_takeaway(planned: SetList, library: Library) -> None:
    """The set as MIDI, as sound, and as a pack for the booth."""
    st.html('<h2 class="dj-head">Take it away</h2>')
    busy, stem = set_state.is_busy(), set_stem(planned)
    folder = set_state.sets_folder(library) / "made"
    with st.container(horizontal=True, key="set_takes"):
        if st.button("Pack for the booth", type="primary", key="set_pack", disabled=busy):
            settings = pack_settings()
            path = folder / f"{stem}.zip"
            start(PACK, lambda tell: (save_pack(planned, path, settings, tell).path,))
        if st.button("Whole set as WAV", key="set_wav", disabled=busy):
            kit = chosen_kit()
            start(WAV, lambda tell: write_mix(planned, folder / stem, kit, tell))
        download_button(
            "Whole set as MIDI", lambda: set_midi(planned), f"{stem}.mid", "audio/midi", "set_midi"
        )
        with st.popover("What goes into the pack"):
            choose_pack()
    for path in set_state.made():
        size = f"{path.stat().st_size / 1e6:,.0f} MB" if path.stat().st_size > 1e6 else "small"
        st.html(
            f'<p class="dj-done"><a href="{offer(path)}" download>Save {escape(path.name)}</a>'
            f"<span>{size} · it also lies in {escape(str(path.parent))}</span></p>"
        )
    st.caption(
        "The pack holds loops, kick-and-hats loops, fills, stems and MIDI of "
        f"{counted(len(planned.slots), 'beat')}, a printed set list, and playlists for rekordbox "
        "and everything else."
    )


def choose_pack() -> None:
    """Options of the pack; they stay in the session."""
    toggle("Stems of every beat", "set_stems", True)
    toggle("The whole set as one WAV too", "set_mix", False)
    st.selectbox(
        "MIDI for",
        [each.name for each in NOTE_MAPS],
        format_func={each.name: each.label for each in NOTE_MAPS}.get,
        key="set_target",
        persist_state="session",
    )
    st.text_input(
        "Folder you will unpack it in",
        key="set_folder",
        placeholder="/Users/you/Music",
        persist_state="session",
        help="rekordbox wants full addresses. Leave it empty and start the pack's relocate "
        "script once instead.",
    )


def pack_settings() -> PackSettings:
    """The pack as its options say. Stops the page with a word on a folder that cannot be."""
    state = st.session_state
    try:
        return PackSettings(
            sound=LoopSettings(kit=chosen_kit()),
            stems=state.get("set_stems", True),
            mix=state.get("set_mix", False),
            midi=MidiSettings(target=state.get("set_target") or NOTE_MAPS[0].name),
            folder=state.get("set_folder", ""),
        )
    except DigitalDJError as error:
        st.warning(spoken(error))
        st.stop()


def write_mix(planned: SetList, stem: Path, kit: str, tell: Callable) -> tuple[Path, Path]:
    """The whole set as WAV and cue sheet."""
    wav = stem.with_name(f"{stem.name}.wav")
    save_mix(Mixdown(planned, kit), wav, lambda done, bars: tell("Playing the set", done, bars))
    return wav, save_cue_sheet(planned, stem.with_name(f"{stem.name}.cue"), wav.name)


def start(name: str, task: Callable) -> None:
    """Make something in the background and show how far it is."""
    try:
        take_allowance("work")
        set_state.set_work(Work(name, task))
    except DigitalDJError as error:
        st.warning(spoken(error))
        return
    st.rerun()


run_page(main)
