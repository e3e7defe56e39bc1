"""Set: put beats in order, hear the transitions, download the set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import Any

import streamlit as st

from dj_core.errors import DigitalDJError
from dj_core.files.file_names import counted
from dj_core.files.midi import MidiSettings
from dj_core.host.read_only import read_only
from dj_core.library.kept_beats import Crate, CrateSearch
from dj_core.library.library import Library
from dj_core.music.beat import MAX_TEMPO_BPM, MIN_TEMPO_BPM
from dj_core.music.genres import genre_label
from dj_core.music.note_maps import NOTE_MAPS
from dj_core.sets.arrangement import transition
from dj_core.sets.bar_counts import Count, counted_tempo_bpm
from dj_core.sets.mixdown import Mixdown, change_wav, save_cue_sheet, save_mix
from dj_core.sets.pack_contents import PackSettings, save_pack
from dj_core.sets.saved_sets import saved_sets
from dj_core.sets.set_edits import (
    at_own_tempo,
    lengthened,
    moved,
    recounted,
    replanned,
    with_beat,
    with_new_take,
    without,
)
from dj_core.sets.set_midi import set_midi
from dj_core.sets.set_names import set_stem, slot_name, slot_title
from dj_core.sets.set_plan import (
    MAX_BEATS,
    MAX_MINUTES,
    PHRASE_BARS,
    Entry,
    SetList,
    SetSettings,
    warnings_of,
)
from dj_core.sets.set_takes import build_set
from dj_core.sound.loop_files import LOUDNESSES_LUFS, TARGET_LUFS, LoopSettings
from dj_ui import set_state
from dj_ui.deck import bring_back_sound, chosen_kit, deck, own_sound
from dj_ui.deck.payload import beat_id
from dj_ui.downloads import download_button
from dj_ui.frame import open_page, run_page
from dj_ui.models import loaded
from dj_ui.set_files import offer
from dj_ui.set_order import Change, order_list
from dj_ui.set_view import (
    COUNT_LABELS,
    ENERGY_LABELS,
    order_rows,
    sections_words,
    set_display,
)
from dj_ui.set_work import Work
from dj_ui.turns import bars_of, turn_to_play, turn_to_render
from dj_ui.visiting import take_allowance, tell_shared
from dj_ui.words import spoken

OWN, ONE, GLIDE = "Each its own", "One tempo", "From … to"
THIS_BEAT, BOTH_DECKS = "This beat", "Both decks"
BUILD, WAV, PACK = "The set", "The whole set as WAV", "The pack"
CRATE_SHOWN = 500
FIRST_BEATS, FIRST_MINUTES = 8, 20.0
FIRST_FROM, FIRST_TO = 122.0, 128.0
FIRST_NAME = "My set"
LEAST_MINUTES = 0.1
LARGEST_SEED = 2**53 - 1  # that a browser counts exactly
LOOK_EVERY = "0.5s"
LONGEST_PHRASES = 16  # offered for one beat
OPENING, SHOWN, TOLD = "set_opening", "set_shown", "set_told"
# a set's settings and the controls that show them as they are
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
    if changed := set_state.follow_file():
        st.toast(changed)
    with st.container(key="dj_bench"):
        go, stage, side = (st.container(key=f"dj_{part}") for part in ("go_box", "stage", "side"))
    with side:
        settings, beats = choose_settings(library)
    with go:
        draw_go(library, settings, beats)
    with stage:
        # whatever comes and goes has a box of its own, so that what stands below it stays
        with st.container(key="set_telling"):
            tell()
        planned = set_state.current()
        if planned is None:
            st.html(
                '<p class="dj-invite">A set is beats in order, one going into the next. Say how '
                "long, how fast and how it shall rise, and press <b>Build the set</b>: what your "
                "crate does not give, the model plays.</p>"
            )
            return
        draw_set(planned, library)
        draw_takeaway(planned)


def tell() -> None:
    """What went wrong with the last change; and where the set at hand is saved nowhere."""
    if problem := st.session_state.pop(TOLD, None):
        st.warning(spoken(problem))
    if set_state.is_lost():
        st.warning(
            "Somebody else renamed or removed this set. What you see is not saved; give it "
            "another name to keep it."
        )
    elif read_only() and set_state.current() is not None:
        st.caption("Read only: what you change here stays with you until you leave.")
    else:
        tell_shared("A set")


# the controls call these before the page runs again


def tried(change: Callable[[], object]) -> bool:
    """Make a change; one that cannot be is told on the page, and nothing is changed."""
    try:
        change()
    except DigitalDJError as error:
        st.session_state[TOLD] = str(error)
        return False
    return True


# -- settings --------------------------------------------------------------------------------


def choose_settings(library: Library) -> tuple[SetSettings, list[str]]:
    """The controls; as settings, and the crate's beats that were chosen."""
    planned = set_state.current()
    if planned is not None and st.session_state.get(SHOWN) != planned.settings:
        show_settings(planned.settings)

    def follow(field: str) -> Callable[[], None]:
        """Give the set at hand what a control now says, and nothing else."""
        return lambda: take_setting(field, library)

    name = st.text_input(
        "Name", FIRST_NAME, max_chars=120, key="set_name", persist_state="session",
        on_change=follow("name"),
    )  # fmt: skip
    beats = choose_beats()
    with st.container(horizontal=True):
        count = number("Beats", "set_beats", max(1, len(beats)), MAX_BEATS, FIRST_BEATS)
        minutes = st.number_input(
            "Minutes", LEAST_MINUTES, MAX_MINUTES, FIRST_MINUTES, 1.0, "%g", key="set_minutes",
            persist_state="session", on_change=follow("minutes"),
        )  # fmt: skip
    tempo_bpm, to_tempo_bpm = choose_tempo(follow("tempo"))
    energy = choice(
        "Energy", "set_energy", list(ENERGY_LABELS), "rise", ENERGY_LABELS.get, follow("energy")
    )
    phrase = choice(
        "Bars in a phrase", "set_phrase", list(PHRASE_BARS), 16, str, follow("phrase_bars")
    )
    with st.expander("More"):
        details = choose_details(library, follow)
    settings = SetSettings(
        name=name.strip() or FIRST_NAME,
        beats=count,
        minutes=minutes,
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
        placeholder="Choose beats; the others are made new",
        max_selections=MAX_BEATS,
        key="set_crate",
        persist_state="session",
    )


def choose_tempo(follow: Callable[[], None]) -> tuple[float | None, float | None]:
    """The tempo the set begins and ends with; None where beats keep their own."""
    choice("Tempo", "set_tempo", [OWN, ONE, GLIDE], GLIDE, str, follow)
    plan = st.session_state["set_tempo"]
    if plan != OWN:
        with st.container(horizontal=True):
            bpm("BPM" if plan == ONE else "From BPM", "set_from", FIRST_FROM, follow)
            if plan == GLIDE:
                bpm("To BPM", "set_to", FIRST_TO, follow)
    return tempo_chosen()


def tempo_chosen() -> tuple[float | None, float | None]:
    """What the tempo's controls say."""
    state = st.session_state
    plan = state.get("set_tempo", GLIDE)
    first = None if plan == OWN else state.get("set_from", FIRST_FROM)
    return first, state.get("set_to", FIRST_TO) if plan == GLIDE else None


def bpm(label: str, key: str, default: float, follow: Callable[[], None]) -> None:
    """A tempo."""
    st.number_input(
        label, MIN_TEMPO_BPM, MAX_TEMPO_BPM, default, 1.0, "%g", key=key,
        persist_state="session", on_change=follow,
    )  # fmt: skip


def choose_details(library: Library, follow: Callable[[str], Callable[[], None]]) -> dict[str, Any]:
    """What a DJ sets now and then."""
    try:
        genres = library.model().genres
    except DigitalDJError:
        genres = ()
    wanted = st.multiselect(
        "Genres for the beats that the model plays",
        list(genres),
        format_func=genre_label,
        placeholder="Like the beats beside them",
        key="set_genres",
        persist_state="session",
    )
    return {
        "genres": tuple(wanted),
        "keep_order": toggle("Keep the order I chose them in", "set_keep", False),
        "mix_ends": toggle("Mix in and out on kick and hats", "set_ends", True, follow("mix_ends")),
        "fills": toggle("A fill at the end of each phrase", "set_fills", True, follow("fills")),
        "breakdowns": toggle("Breakdowns", "set_breaks", True, follow("breakdowns")),
        "seed": number("Seed", "set_seed", 0, LARGEST_SEED, 1),
    }


def number(label: str, key: str, low: int, high: int, default: int) -> int:
    """A whole number that stays while the visitor is elsewhere."""
    value = st.session_state.get(key, default)
    if not low <= value <= high:
        st.session_state[key] = min(max(value, low), high)
    start = max(low, default)
    return st.number_input(label, low, high, start, 1, key=key, persist_state="session")


def choice(
    label: str,
    key: str,
    options: list,
    default: object,
    words: Callable[[Any], str | None],
    follow: Callable[[], None] | None = None,
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
        on_change=follow,
    )


def toggle(label: str, key: str, default: bool, follow: Callable[[], None] | None = None) -> bool:
    """Something that is done or not."""
    return st.toggle(label, default, key=key, persist_state="session", on_change=follow)


def show_settings(settings: SetSettings) -> None:
    """Set the controls to what a set's settings are; before they are drawn."""
    state = st.session_state
    state[SHOWN] = settings
    for field, key in CONTROLS.items():
        state[key] = getattr(settings, field)
    state["set_name"] = settings.name
    state["set_minutes"] = max(LEAST_MINUTES, float(settings.minutes or FIRST_MINUTES))
    state["set_genres"] = list(settings.genres)
    first, last = settings.tempo_bpm, settings.to_tempo_bpm
    state["set_tempo"] = OWN if first is None else ONE if last in (None, first) else GLIDE
    if first is not None:
        state["set_from"], state["set_to"] = float(first), float(last or first)


def take_setting(field: str, library: Library) -> None:
    """Plan the set at hand with what a control now says; the others are left as they are."""
    planned, state = set_state.current(), st.session_state
    if planned is None:
        return
    if field == "tempo":
        first, last = tempo_chosen()
        wanted = {"tempo_bpm": first, "to_tempo_bpm": last}
    elif field == "name":
        wanted = {"name": state["set_name"].strip() or FIRST_NAME}
    else:
        wanted = {field: state[CONTROLS.get(field, f"set_{field}")]}

    def change() -> None:
        settings = replace(planned.settings, **wanted)
        set_state.hold(replanned(planned, settings), library)
        state[SHOWN] = settings  # the controls say so already

    if not tried(change):
        show_settings((set_state.current() or planned).settings)


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
    st.session_state["set_beats"] = len(planned.slots)


# -- building --------------------------------------------------------------------------------


def draw_go(library: Library, settings: SetSettings, chosen: list[str]) -> None:
    """The button that builds, what is being made, and the sets kept so far."""
    work = set_state.work()
    if set_state.is_busy() and work is not None and work.name == BUILD:
        follow_work()
    elif st.button(
        "Build the set", type="primary", key="set_go", width="stretch",
        disabled=set_state.is_busy(),
    ):  # fmt: skip
        tried(lambda: start_build(library, settings, chosen))
        st.rerun()
    kept = [saved.name for saved in saved_sets(set_state.sets_folder(library))]
    if kept:
        with st.popover("My sets", width="stretch"):
            name = st.selectbox("Set", kept, key="set_kept")
            with st.container(horizontal=True):
                if st.button("Open", key="set_open"):
                    st.session_state[OPENING] = name
                    st.rerun()
                if not read_only() and st.button("Remove for good", key="set_remove"):
                    tried(lambda: set_state.remove_saved(name, library))
                    st.rerun()


def start_build(library: Library, settings: SetSettings, chosen: list[str]) -> None:
    """Build in the background; the page takes the set when it is there. Raises DigitalDJError."""
    crate = Crate.open()
    take_allowance("work")
    beats = [Entry(kept.titled, sound=kept.sound) for kept in map(crate.get, chosen)]
    model = None
    if settings.fills or len(beats) < (settings.beats or 0):
        with st.spinner("Waking the model…"):
            model = loaded(library.model())
    wanted = replace(settings, name=set_state.free_name(settings.name, library))
    set_state.set_work(Work(BUILD, lambda tell: build_set(beats, wanted, model, tell)))


@st.fragment(run_every=LOOK_EVERY)
def follow_work() -> None:
    """How far the work is, where its button was, and the button that stops it."""
    work = set_state.work()
    if work is None or not work.busy:
        st.rerun()
    with st.container(key="set_progress"):
        st.progress(work.progress.share, f"{work.progress.doing}…")
        if st.button("Stop", key="set_stop"):
            work.stop()


def take_work(library: Library) -> None:
    """Take what was made since the page was last drawn."""
    work = set_state.taken_work()
    if work is None:
        return
    if work.state == "failed":
        st.warning(spoken(work.problem))
    elif work.state == "stopped":
        st.toast("Stopped. Nothing was made.")
    elif work.name == BUILD:
        result = work.result
        if not read_only() and set_state.free_name(result.settings.name, library) != (
            result.settings.name
        ):  # another took the name while the set was built
            name = set_state.free_name(result.settings.name, library)
            result = replanned(result, replace(result.settings, name=name))
        tried(lambda: set_state.begin(result, library))
    else:
        set_state.add_made(*work.result)


# -- the set ---------------------------------------------------------------------------------


def draw_set(planned: SetList, library: Library) -> None:
    """The course of the set, its list, and the chosen beat."""
    slot = set_state.chosen_slot()
    st.html(set_display(planned, slot))
    warnings = warnings_of(planned)
    order_list(
        order_rows(planned, set_state.identities(), warnings),
        slot,
        lambda change: take_change(change, library),
        key="set_order",
    )
    with st.container(key="set_warnings"):
        for warning in warnings:
            if warning.slot == slot:
                st.warning(spoken(warning.words))
                label = COUNT_LABELS.get(warning.offer or "")
                if label:
                    st.button(
                        f"Play it in {label.lower()}",
                        key=f"offer_{warning.offer}",
                        on_click=lambda count=warning.offer: tried(
                            lambda: set_state.hold(recounted(planned, slot, count), library)
                        ),
                    )
    draw_slot(planned, slot, library)


def take_change(change: Change, library: Library) -> None:
    """Do with the set at hand what a visitor did in its list; what is gone since is left alone."""
    planned, identities = set_state.current(), set_state.identities()
    if planned is None or change.id not in identities:
        return
    slot = identities.index(change.id)
    others = [one for one in identities if one != change.id]
    if change.kind == "choose":
        set_state.choose(slot)
    elif change.kind == "move":
        to = others.index(change.before) if change.before in others else len(others)
        if tried(lambda: set_state.hold(moved(planned, slot, to - slot), library)):
            set_state.choose(to)
    elif change.kind == "remove":
        if tried(lambda: set_state.hold(without(planned, slot), library)):
            set_state.choose(min(slot, len(others) - 1))
    elif tried(lambda: set_state.hold(at_own_tempo(planned, slot, change.tempo_bpm), library)):
        set_state.choose(slot)


def draw_slot(planned: SetList, slot: int, library: Library) -> None:
    """The chosen beat: on the deck, alone or going into the next; and where it stands."""
    last = slot + 1 == len(planned.slots)
    hear = [THIS_BEAT] if last else [THIS_BEAT, BOTH_DECKS]
    if st.session_state.get("set_hear") not in hear:
        st.session_state.pop("set_hear", None)
    st.html(f'<h2 class="dj-head">{slot_title_html(planned, slot)}</h2>')
    st.caption(sections_words(planned, slot))
    with st.container(horizontal=True, vertical_alignment="bottom", key="set_hearing"):
        on_both = choice("On the deck", "set_hear", hear, hear[0], str) == BOTH_DECKS
        asked = not last and st.button(
            f"Hear the change into {slot_title(planned, slot + 1)}", key="set_change"
        )
        with st.container(key="set_heard"):
            if not last:
                hear_change(planned, slot, bool(asked))
    if on_both:
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
        beat, entry = planned.slots[slot].beat, planned.slots[slot].entry
        bring_back_sound(beat_id(beat), entry.sound)
        now = deck(beat, key="set_deck", name=slot_name(planned, slot))
        sound = own_sound(beat_id(beat)) or entry.sound
        if now is not beat or sound != entry.sound:
            st.button(
                "Save your changes to the set",
                key="set_edit",
                on_click=lambda: tried(
                    lambda: set_state.hold(with_beat(planned, slot, now, sound), library)
                ),
            )
    draw_moves(planned, slot, library)


def hear_change(planned: SetList, slot: int, asked: bool) -> None:
    """Play the end of a beat and the start of the next as the whole set's WAV has them."""
    kit = chosen_kit()
    pair = (planned.settings, planned.slots[slot : slot + 2], slot, kit)
    sound = set_state.heard_change(pair)
    if sound is None and asked:
        try:
            with st.spinner("Mixing…"), turn_to_render(st.empty().caption):
                sound = change_wav(planned, slot, kit)
        except DigitalDJError as error:
            st.warning(spoken(error))
            return
        set_state.keep_heard_change(pair, sound)
    if sound is not None:
        st.audio(sound, "audio/wav", autoplay=asked)


def slot_title_html(planned: SetList, slot: int) -> str:
    """A slot's number and name, safe to show."""
    return escape(slot_title(planned, slot))


def draw_moves(planned: SetList, slot: int, library: Library) -> None:
    """Another beat in its place or after it, the way back, and how it is counted."""
    with st.container(horizontal=True, key="set_moves"):
        for label, after in (("Another take", False), ("Add a beat after it", True)):
            if st.button(label, key=f"set_take_{after}"):
                play_take(planned, slot, after, library)
        st.button(
            "Undo",
            key="set_undo",
            disabled=not set_state.can_undo(),
            help="Takes back your last change to this set.",
            on_click=lambda: tried(lambda: set_state.undo(library)),
        )
    with st.expander("Half or double time, and length"):
        draw_counting(planned, slot, library)


def draw_counting(planned: SetList, slot: int, library: Library) -> None:
    """Half and double time, and for how long the beat plays."""
    entry, settings = planned.entries[slot], planned.settings
    counts: dict[str, Count | None] = {"Automatic": None} | {
        f"{label} · {counted_tempo_bpm(entry.beat, count):.4g} BPM": count
        for count, label in COUNT_LABELS.items()
    }
    place = set_state.identities()[slot]
    for key, value in (
        (f"set_count_{place}", next(each for each in counts if counts[each] == entry.count)),
        (f"set_length_{place}", entry.phrases or 0),
    ):
        st.session_state[key] = value

    def recount() -> None:
        count = counts.get(st.session_state[f"set_count_{place}"])
        tried(lambda: set_state.hold(recounted(planned, slot, count), library))

    def lengthen() -> None:
        phrases = st.session_state[f"set_length_{place}"] or None
        tried(lambda: set_state.hold(lengthened(planned, slot, phrases), library))

    st.segmented_control(
        "Count this beat in", list(counts), key=f"set_count_{place}", required=True,
        on_change=recount,
    )  # fmt: skip
    most = max(LONGEST_PHRASES, entry.phrases or 0)
    own = "Automatic" if settings.minutes is None else f"Its share of {settings.minutes:g} minutes"
    st.selectbox(
        "How long it plays",
        [0, *range(settings.least_phrases, most + 1)],
        format_func=lambda count: counted(count * settings.phrase_bars, "bar") if count else own,
        key=f"set_length_{place}",
        on_change=lengthen,
    )


def play_take(planned: SetList, slot: int, after: bool, library: Library) -> None:
    """Let the model play a beat for this place."""

    def change() -> None:
        with turn_to_play("Making a beat…", bars_of(planned.slots[slot].beat)):
            model = loaded(library.model())
            changed = with_new_take(planned, slot, model, after=after)
        set_state.hold(changed, library)
        set_state.choose(slot + after)

    tried(change)
    st.rerun()


# -- taking away -----------------------------------------------------------------------------


def draw_takeaway(planned: SetList) -> None:
    """The set as MIDI, as sound, and as a pack for the booth."""
    st.html('<h2 class="dj-head">Take it with you</h2>')
    work, busy, stem = set_state.work(), set_state.is_busy(), set_stem(planned)
    if busy and work is not None and work.name != BUILD:
        with st.container(key="set_taking"):
            follow_work()
    else:
        with st.container(horizontal=True, key="set_takes"):
            if st.button("Pack for the booth", type="primary", key="set_pack", disabled=busy):
                tried(lambda: start_pack(planned, stem))
                st.rerun()
            if st.button("Whole set as WAV", key="set_wav", disabled=busy):
                tried(lambda: start_mix(planned, stem))
                st.rerun()
            target = st.session_state.get("set_target") or NOTE_MAPS[0].name
            download_button(
                "Whole set as MIDI", lambda: set_midi(planned, target), f"{stem}.mid",
                "audio/midi", "set_midi",
            )  # fmt: skip
    with st.expander("What goes into the pack"):
        choose_pack()
    with st.container(key="set_files"):
        draw_made()
    st.caption(
        "The pack holds loops, kick-and-hats loops, fills, stems and MIDI of "
        f"{counted(len(planned.slots), 'beat')}, a printed set list, and playlists for rekordbox "
        "and everything else."
    )


def draw_made() -> None:
    """The files that were made of the set, to save."""
    for path in set_state.made():
        size = f"{path.stat().st_size / 1e6:,.0f} MB" if path.stat().st_size > 1e6 else "small"
        st.html(
            f'<p class="dj-done"><a href="{offer(path)}" download>Save {escape(path.name)}</a>'
            f"<span>{size}</span></p>"
        )


def choose_pack() -> None:
    """Options of the pack; they stay in the session."""
    toggle("Stems of every beat", "set_stems", True)
    toggle("The whole set as one WAV too", "set_mix", False)
    st.segmented_control(
        "Loudness of the loops",
        LOUDNESSES_LUFS,
        default=TARGET_LUFS,
        format_func=lambda lufs: f"{lufs:g} LUFS",
        key="set_lufs",
        required=True,
        persist_state="session",
        help="-20: no peak is touched. -14 and -9: a limiter turns peaks down where it must. The "
        "README of the pack says how loud each loop is.",
    )
    st.selectbox(
        "MIDI for (the pack and the whole set)",
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


def start_pack(planned: SetList, stem: str) -> None:
    """Make the pack as its options say, in the background. Raises DigitalDJError."""
    state = st.session_state
    settings = PackSettings(
        sound=LoopSettings(kit=chosen_kit(), target_lufs=state.get("set_lufs") or TARGET_LUFS),
        stems=state.get("set_stems", True),
        mix=state.get("set_mix", False),
        midi=MidiSettings(target=state.get("set_target") or NOTE_MAPS[0].name),
        folder=state.get("set_folder", ""),
    )
    path = set_state.made_folder() / f"{stem}.zip"
    take_allowance("work")
    set_state.set_work(Work(PACK, lambda tell: (save_pack(planned, path, settings, tell).path,)))


def start_mix(planned: SetList, stem: str) -> None:
    """Make the whole set's WAV and its cue sheet, in the background. Raises DigitalDJError."""
    mixdown = Mixdown(planned, chosen_kit())
    wav = set_state.made_folder() / f"{stem}.wav"

    def task(tell: Callable[[str, int, int], None]) -> tuple[Path, Path]:
        save_mix(mixdown, wav, lambda done, bars: tell("Playing the set", done, bars))
        return wav, save_cue_sheet(planned, wav.with_suffix(".cue"), wav.name)

    take_allowance("work")
    set_state.set_work(Work(WAV, task))


run_page(main)
