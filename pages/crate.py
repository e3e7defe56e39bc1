"""Crate: the beats a DJ kept, found again, named, rated, and taken along."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import streamlit as st

from dj_core.crate import Crate, CrateItem, CrateSearch, KeptBeat, Sort
from dj_core.errors import DigitalDJError
from dj_core.genres import genre_label
from dj_core.midi import read_beat
from dj_core.storage import sha256_of
from dj_ui.crate import put_on_deck
from dj_ui.downloads import download_button
from dj_ui.frame import open_page, run_page
from dj_ui.models import model_label
from dj_ui.player import player, show_facts
from dj_ui.replay import link_of, play_again
from dj_ui.turns import turn_to_play
from dj_ui.visiting import tell_shared
from dj_ui.words import counted, spoken

if TYPE_CHECKING:
    from streamlit.runtime.uploaded_file_manager import UploadedFile

SORTS = {
    "newest": "Newest first",
    "oldest": "Oldest first",
    "name": "Name",
    "tempo": "Tempo",
    "rating": "Rating",
    "genre": "Genre",
}
RATINGS = ("Any", "★ and up", "★★ and up", "★★★ and up", "★★★★ and up", "★★★★★")
UPLOAD_TYPES = ["mid", "midi", "json"]
EXPORT_NAME = "digital-dj-crate.json"
DELETED, SAID, TABLE = "dj_crate_deleted", "dj_crate_said", "dj_crate_table"
SHOW = "dj_crate_show"  # the id of the beat to show, when nothing in the list is chosen


def main() -> None:
    """The page, top down."""
    crate = Crate.open()
    try:
        tell(crate)
        everything = crate.find()
        show_head(crate, everything)
        if not everything:
            st.html(
                '<p class="dj-invite">Nothing is kept yet. Press <b>Keep</b> under a beat on '
                "Generate or Explore, or bring in MIDI files.</p>"
            )
            return
        found = crate.find(ask_search(crate, everything))
        if not found:
            st.info("No beat in the crate is like that. Widen the search.")
            return
        table, chosen = st.columns([5, 6], gap="large")
        with table:
            items = choose(found)
        with chosen:
            show_beat(crate, crate.get(items[0].id))
        with table:
            show_many(crate, items)
    except DigitalDJError as error:
        st.error(spoken(error))


# -- what happened ---------------------------------------------------------------------------------


def tell(crate: Crate) -> None:
    """What the last click did, and a way back from a deletion."""
    for kind, words in st.session_state.pop(SAID, []):
        (st.success if kind == "good" else st.warning)(spoken(words))
    ids = st.session_state.get(DELETED, ())
    if ids:
        with st.container(horizontal=True, vertical_alignment="center", key="dj_undo"):
            st.markdown(f"{counted(len(ids), 'beat')} deleted.")
            st.button("Undo", key="crate_undo", on_click=undo, args=(crate, ids), shortcut="z")


def say(words: str, kind: str = "good") -> None:
    """A sentence for the run that follows."""
    st.session_state.setdefault(SAID, []).append((kind, words))


def delete(crate: Crate, ids: tuple[str, ...]) -> None:
    """Delete beats; they can be brought back."""
    attempt(lambda: crate.delete(ids))
    st.session_state[DELETED] = ids
    forget_choice()


def undo(crate: Crate, ids: tuple[str, ...]) -> None:
    """Bring deleted beats back."""
    attempt(lambda: crate.restore(ids))
    st.session_state.pop(DELETED, None)
    forget_choice()


def attempt(action: Callable[[], object]) -> None:
    """Do something to the crate from a button; what goes wrong is said on the page."""
    try:
        action()
    except DigitalDJError as error:
        say(str(error), "bad")


def forget_choice() -> None:
    """Choose nothing in the list, whose rows have moved."""
    st.session_state[TABLE] = st.session_state.get(TABLE, 0) + 1


# -- the head --------------------------------------------------------------------------------------


def show_head(crate: Crate, everything: tuple[CrateItem, ...]) -> None:
    """How much there is, and how to bring more in or take it all along."""
    with st.container(horizontal=True, vertical_alignment="center", key="dj_crate_head"):
        st.caption(f"{counted(len(everything), 'beat')} in the crate.")
        tell_shared("The crate")
        with st.popover("Bring in"):
            show_bring_in(crate)
        download_button(
            "Export the crate", crate.export, EXPORT_NAME, "application/json",
            key="crate_export", disabled=not everything,
            help_="All beats with names, tags, ratings and notes, in one file for another "
            "Digital DJ.",
        )  # fmt: skip


def show_bring_in(crate: Crate) -> None:
    """Upload MIDI files and crate files."""
    with st.form("crate_bring_in", border=False, clear_on_submit=True):
        uploads = st.file_uploader(
            "MIDI files, or a crate file", UPLOAD_TYPES, accept_multiple_files=True,
            key="crate_uploads",
        )  # fmt: skip
        wanted = st.form_submit_button("Put in the crate", type="primary")
    if not wanted:
        return
    if not uploads:
        st.warning("Choose at least one file first.")
        return
    for upload in uploads:
        try:
            say(bring_in(crate, upload))
        except DigitalDJError as error:
            say(f"{upload.name}: {error}", "bad")
    forget_choice()
    st.rerun()


def bring_in(crate: Crate, upload: UploadedFile) -> str:
    """Put one file's beats in the crate; returns what happened."""
    content = upload.getvalue()
    if Path(upload.name).suffix.lower() == ".json":
        brought = crate.import_file(content)
        known = f", {brought.known:,} were here already" if brought.known else ""
        return f"{counted(len(brought.added), 'beat')} brought in{known}."
    beat = replace(read_beat(content), title=Path(upload.name).stem)
    item = crate.keep(beat)
    st.session_state[SHOW] = item.id
    return f"{item.name} is in the crate."


# -- the list --------------------------------------------------------------------------------------


def ask_search(crate: Crate, everything: tuple[CrateItem, ...]) -> CrateSearch:
    """The search fields, as a search."""
    words, order = st.columns([3, 2])
    text = words.text_input("Search", key="crate_words", placeholder="name, tag, genre, note")
    sort = order.selectbox(
        "Order", list(get_args(Sort)), format_func=SORTS.get, key="crate_sort",
        persist_state="session",
    )  # fmt: skip
    with st.expander("Genre, tags, tempo, rating"):
        genres = st.multiselect(
            "Genres", list(crate.genres()), format_func=genre_words, key="crate_genres"
        )
        tags = st.multiselect("Tags", list(crate.tags()), key="crate_tags")
        rating = st.selectbox("Rating", RATINGS, key="crate_rating")
        low, *_, high = sorted([round(item.playing_tempo_bpm) for item in everything] * 2)
        tempo = None
        if low < high:
            tempo = st.slider("Tempo (BPM)", low, high, (low, high), key=f"crate_{low}_{high}")
    return CrateSearch(
        words=text,
        genres=frozenset(genres),
        tags=frozenset(tags),
        min_rating=RATINGS.index(rating),
        tempo_bpm=tempo and (tempo[0] - 0.5, tempo[1] + 0.5),  # the slider shows whole BPM
        sort=sort,
    )


def choose(found: tuple[CrateItem, ...]) -> tuple[CrateItem, ...]:
    """The beats chosen in the list; the first, or the one just brought in, until one is."""
    event = st.dataframe(
        {
            "Name": [item.name for item in found],
            "Rating": ["★" * item.rating for item in found],
            "Genre": [genre_words(item.genre) for item in found],
            "BPM": [round(item.playing_tempo_bpm) for item in found],
            "Bars": [item.bars for item in found],
            "Tags": [", ".join(item.tags) for item in found],
        },
        key=f"crate_list_{st.session_state.get(TABLE, 0)}",
        column_config={
            "Rating": st.column_config.TextColumn(width="small"),
            "BPM": st.column_config.NumberColumn(width=54),
            "Bars": st.column_config.NumberColumn(width=50),
        },
        hide_index=True,
        on_select="rerun",
        selection_mode="multi-row",
        height=420,
    )
    chosen = tuple(found[row] for row in event.selection.rows if row < len(found))
    if chosen:
        st.session_state[SHOW] = chosen[0].id
        return chosen
    shown = [item for item in found if item.id == st.session_state.get(SHOW)]
    return (shown or list(found))[:1]


def show_many(crate: Crate, items: tuple[CrateItem, ...]) -> None:
    """What can be done with several beats at once."""
    if len(items) < 2:
        st.caption("Tick several to export or delete them together.")
        return
    ids = tuple(item.id for item in items)
    with st.container(horizontal=True, key="dj_crate_many"):
        download_button(
            f"Export these {len(ids)}", lambda: crate.export(ids), EXPORT_NAME,
            "application/json", key="crate_export_some",
        )  # fmt: skip
        st.button(
            f"Delete these {len(ids)}", key="crate_delete_some", on_click=delete, args=(crate, ids)
        )


# -- one beat --------------------------------------------------------------------------------------


def show_beat(crate: Crate, kept: KeptBeat) -> None:
    """The chosen beat: heard, taken along, described."""
    item = kept.item
    player(kept.beat, key="crate", slot=f"crate-{item.id}", name=item.name, taken_as=item.name)
    show_actions(crate, kept)
    show_description(crate, item)
    show_origin(kept)


def show_actions(crate: Crate, kept: KeptBeat) -> None:
    """What to do with the beat as a whole."""
    item = kept.item
    with st.container(horizontal=True, key="dj_crate_actions"):
        if st.button("To Generate's deck", key="crate_to_deck"):
            put_on_deck(kept)
            st.switch_page("pages/generate.py")
        st.button("Duplicate", key="crate_duplicate", on_click=duplicate, args=(crate, item.id))
        st.button("Delete", key="crate_delete", on_click=delete, args=(crate, (item.id,)))


def duplicate(crate: Crate, id: str) -> None:
    """Copy a beat and show the copy."""

    def copy() -> None:
        st.session_state[SHOW] = crate.duplicate(id).id

    attempt(copy)
    forget_choice()


def show_description(crate: Crate, item: CrateItem) -> None:
    """Name, rating, tags and notes; what is changed is kept at once."""
    keys = {what: f"crate_{what}_{item.id}" for what in ("name", "stars", "tags", "notes")}
    # a beat may have been described elsewhere since it was last on this page
    state = st.session_state
    drawn = sha256_of(repr((item.name, item.tags, item.rating, item.notes)).encode())
    if state.get(f"crate_drawn_{item.id}") != drawn:
        state[f"crate_drawn_{item.id}"] = drawn
        state[keys["name"]], state[keys["tags"]] = item.name, list(item.tags)
        state[keys["stars"]] = item.rating - 1 if item.rating else None
        state[keys["notes"]] = item.notes

    def save() -> None:
        stars = state[keys["stars"]]
        attempt(
            lambda: crate.change(
                item.id,
                name=state[keys["name"]],
                tags=state[keys["tags"]],
                rating=0 if stars is None else stars + 1,
                notes=state[keys["notes"]],
            )
        )

    name, stars = st.columns([3, 1], vertical_alignment="bottom")
    name.text_input("Name", key=keys["name"], on_change=save, max_chars=120)
    with stars:
        st.feedback("stars", key=keys["stars"], on_change=save)
    known = sorted({*crate.tags(), *item.tags})
    st.multiselect(
        "Tags", known, key=keys["tags"], on_change=save, accept_new_options=True,
        placeholder="choose, or write a new one",
    )  # fmt: skip
    st.text_area("Notes", key=keys["notes"], on_change=save, max_chars=4_000, height=80)


def show_origin(kept: KeptBeat) -> None:
    """Where the beat comes from, and the way to have it played again."""
    origin, item = kept.beat.provenance, kept.item
    facts = {"Kept": item.created.astimezone().strftime("%d %B %Y, %H:%M")}
    if origin.model:
        facts["Model"] = f"{model_label(origin.model)} ({(origin.model_sha256 or '')[:8]})"
        facts["Learned from"] = origin.corpus or "unknown"
        facts["Seed"] = f"{origin.seed}"
    elif origin.source:
        facts["From"] = origin.source
    if origin.edited:
        facts["Edited"] = "by hand"
    st.html('<h2 class="dj-head">Where it comes from</h2>')
    show_facts(facts)
    if not origin.model:
        return
    with st.container(horizontal=True, key="dj_crate_again"):
        again = st.button(
            "Play it again", key="crate_again",
            help="Asks the model for it once more, with the same seed and settings.",
        )  # fmt: skip
        settings = st.button("Its settings on Generate", key="crate_settings")
    try:
        if again:
            with turn_to_play("Playing…"):
                outcome = play_again(kept.beat)
            (st.success if outcome.same else st.info)(outcome.words)
        if settings:
            st.switch_page("pages/generate.py", query_params=link_of(kept.beat))
    except DigitalDJError as error:
        st.warning(spoken(error))


def genre_words(name: str) -> str:
    """A genre to read; beats without one say so."""
    return genre_label(name) if name else "No genre"


open_page("Crate")
run_page(main)
