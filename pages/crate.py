"""Crate: the kept beats; search, name, rate, play and download them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from dj_core.corpus.sources import is_sound
from dj_core.errors import DigitalDJError, LibraryError
from dj_core.files.file_names import counted
from dj_core.files.midi import read_beat
from dj_core.host.limits import LIMITS
from dj_core.host.read_only import read_only
from dj_core.library.kept_beats import Crate, CrateItem, CrateOverview, CrateSearch, KeptBeat, Sort
from dj_core.listening.transcribing import transcribe
from dj_core.music.beat import TRANSCRIBED
from dj_core.music.genres import genre_label
from dj_ui.beat_list import ROWS_A_PART, BeatRow, RowEdit, beat_list, first_row, pick
from dj_ui.deck import bring_back_sound
from dj_ui.downloads import download_button
from dj_ui.finding import draw_search
from dj_ui.frame import open_page, run_page
from dj_ui.keeping import put_in_set, put_on_deck, slot_in_crate
from dj_ui.models import model_label
from dj_ui.player import player
from dj_ui.readouts import show_facts
from dj_ui.replay import link_of, play_again
from dj_ui.tasting import draw_taste, note
from dj_ui.turns import say_to
from dj_ui.uploads import forget_uploads
from dj_ui.visiting import take_allowance, tell_shared
from dj_ui.words import spoken

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
EXPORT_NAME = "digital-dj-crate.json"
LIST = "crate_list"
DELETED, SAID = "dj_crate_deleted", "dj_crate_said"
HELD = "dj_crate_held"  # what the list shows: it stands still while its beats are changed


def main() -> None:
    """The page, top down."""
    crate = Crate.open()
    try:
        tell()
        overview = crate.overview()
        show_head(crate, overview)
        with st.expander("Your taste", key="dj_taste", on_change="rerun") as about:
            if about.open:
                draw_taste()
        if not overview.beats:
            st.html(
                '<p class="dj-invite">Nothing is kept yet. Press <b>Keep</b> under a beat on '
                "Generate or Explore, or bring in MIDI files.</p>"
            )
            return
        search = ask_search(overview)
        if not (total := crate.count(search)):
            st.info("No beat in the crate is like that. Widen the search.")
            return
        table, chosen = st.columns([5, 6], gap="large")
        with table:
            first = first_row(LIST, search)
            rows = [row_of(item) for item in listed(crate, search, first)]
            picked = beat_list(
                rows, key=LIST, label="Beats in the crate", noun="beat", total=total, first=first,
                tags=list(overview.tags), on_edit=None if read_only() else edit,
            )  # fmt: skip
            if not read_only():
                show_many(crate, replace(search, ids=picked.ticked))
        with chosen:
            show_beat(crate, crate.get(picked.id), picked.play)
    except DigitalDJError as error:
        st.error(spoken(error))


# -- what happened ---------------------------------------------------------------------------------


def tell() -> None:
    """What the last click did."""
    for kind, words in st.session_state.pop(SAID, []):
        (st.success if kind == "good" else st.warning)(spoken(words))


def say(words: str, kind: str = "good") -> None:
    """A sentence for the run that follows."""
    st.session_state.setdefault(SAID, []).append((kind, words))


def attempt(action: Callable[[], object]) -> bool:
    """Do something to the crate from a button; what goes wrong is said on the page."""
    try:
        action()
    except DigitalDJError as error:
        say(str(error), "bad")
        return False
    st.session_state.pop(HELD, None)
    return True


def delete(crate: Crate, ids: tuple[str, ...]) -> None:
    """Delete beats; they can be brought back."""
    if attempt(lambda: crate.delete(ids)):
        st.session_state[DELETED] = ids


def undo(crate: Crate, ids: tuple[str, ...]) -> None:
    """Bring deleted beats back."""
    if attempt(lambda: crate.restore(ids)):
        st.session_state.pop(DELETED, None)


# -- the head --------------------------------------------------------------------------------------


def show_head(crate: Crate, overview: CrateOverview) -> None:
    """How much there is, and how to bring more in or take it all along."""
    with st.container(horizontal=True, vertical_alignment="center", key="dj_crate_head"):
        st.caption(f"{counted(overview.beats, 'beat')} in the crate")
        tell_shared("The crate")
        if not read_only():
            with st.popover("Bring in"):
                show_bring_in(crate)
        if overview.beats:
            export_button(
                "Export all", crate, None, "crate_export",
                "All beats with names, tags, ratings and notes, in one file for another "
                "Digital DJ.",
            )  # fmt: skip
        if ids := st.session_state.get(DELETED, ()):
            st.caption(f"{counted(len(ids), 'beat')} deleted.", width="content")
            st.button("Undo", key="crate_undo", on_click=undo, args=(crate, ids), shortcut="z")


def export_button(
    label: str, crate: Crate, ids: tuple[str, ...] | None, key: str, help_: str
) -> None:
    """A download of the crate or some of it; what is damaged is left out and named."""

    def content() -> bytes:
        export = crate.export(ids)
        visitor = get_script_run_ctx()
        if export.damaged and visitor:
            words = f"{counted(len(export.damaged), 'beat')} not in the file: {export.damaged[0]}"
            say_to(visitor.session_id, spoken(words))
        return export.content

    download_button(label, content, EXPORT_NAME, "application/json", key, help_)


def show_bring_in(crate: Crate) -> None:
    """Upload MIDI files, drum loops and crate files."""
    with st.form("crate_bring_in", border=False, clear_on_submit=True):
        # any type may be dropped: what is no use is refused below, with a reason
        uploads = st.file_uploader(
            "MIDI files, drum loops, or a crate file",
            accept_multiple_files=True,
            key="crate_uploads",
        )
        wanted = st.form_submit_button("Put in the crate", type="primary")
    if not wanted:
        return
    try:
        check_uploads(uploads)
        for upload in uploads:
            try:
                say(bring_in(crate, upload))
            except DigitalDJError as error:
                say(f"{upload.name}: {error}", "bad")
    except DigitalDJError as error:
        say(str(error), "bad")
    st.session_state.pop(HELD, None)
    forget_uploads()
    st.rerun()


def check_uploads(uploads: list[UploadedFile]) -> None:
    """Count one more upload of this visitor's. Raises LibraryError for none, and for too much."""
    if not uploads:
        most = st.get_option("server.maxUploadSize")
        raise LibraryError(
            f"No file has arrived. Choose MIDI files, drum loops or crate files of up to {most} MB."
        )
    take_allowance("upload")
    if sum(upload.size for upload in uploads) > LIMITS.upload_bytes:
        raise LibraryError(
            f"These files are over {LIMITS.upload_bytes // 1_000_000} MB together. Bring them in "
            "in parts."
        )


def bring_in(crate: Crate, upload: UploadedFile) -> str:
    """Put one file's beats in the crate; returns what happened."""
    content = upload.getvalue()
    if Path(upload.name).suffix.lower() == ".json":
        brought = crate.import_file(content)
        known = f", {brought.known:,} were here already" if brought.known else ""
        for words in brought.damaged[:5]:
            say(f"{upload.name}: {words}", "bad")
        if len(brought.damaged) > 5:
            say(f"{upload.name}: {len(brought.damaged) - 5:,} more are damaged.", "bad")
        return f"{counted(len(brought.added), 'beat')} brought in{known}."
    if is_sound(upload.name):
        with st.spinner("Listening to your loop"):
            heard = transcribe(content, name=upload.name)
        item = crate.keep(heard.beat)
        pick(LIST, item.id)
        return " ".join(
            [
                f"{item.name} is in the crate: {counted(len(heard.beat.hits), 'hit')} heard at "
                f"{heard.beat.playing_tempo_bpm:.1f} BPM.",
                *heard.warnings,
            ]
        )
    beat = replace(read_beat(content), title=Path(upload.name).stem)
    item = crate.keep(beat)
    pick(LIST, item.id)
    return f"{item.name} is in the crate."


# -- the list --------------------------------------------------------------------------------------


def ask_search(overview: CrateOverview) -> CrateSearch:
    """The search fields, as a search."""
    words, order = st.columns([3, 2])
    text = words.text_input("Search", key="crate_words", placeholder="name, tag, genre, note")
    sort = order.selectbox(
        "Order", list(get_args(Sort)), format_func=SORTS.get, key="crate_sort",
        persist_state="session",
    )  # fmt: skip
    with st.expander("Genre, tags, tempo, rating"):
        genres = st.multiselect(
            "Genres", list(overview.genres), format_func=genre_words, key="crate_genres"
        )
        tags = st.multiselect("Tags", list(overview.tags), key="crate_tags")
        rating = st.selectbox("Rating", RATINGS, key="crate_rating")
        low, high = (round(bpm) for bpm in overview.tempo_bpm or (0, 0))
        tempo = None
        if low < high:
            tempo = st.slider("Tempo (BPM)", low, high, (low, high), key=f"crate_{low}_{high}")
    if tempo == (low, high):
        tempo = None  # all of them
    return CrateSearch(
        words=text,
        genres=frozenset(genres),
        tags=frozenset(tags),
        min_rating=RATINGS.index(rating),
        tempo_bpm=tempo and (tempo[0] - 0.5, tempo[1] + 0.5),  # the slider shows whole BPM
        sort=sort,
    )


def listed(crate: Crate, search: CrateSearch, first: int) -> tuple[CrateItem, ...]:
    """A part of what a search finds, from place `first` on.

    Rated under the order of ratings, or renamed under a search for its name, a beat would leave
    its place while the DJ is at it: the list stands still until another one is asked for.
    """
    asked, ids = st.session_state.get(HELD, (None, ()))
    if asked == (search, first):
        held = {item.id: item for item in crate.find(CrateSearch(ids=ids))}
        if found := tuple(held[id] for id in ids if id in held):
            return found
    found = crate.find(search, first=first, most=ROWS_A_PART)
    if not found and first:  # what was there has been deleted
        pick(LIST, "")
        st.rerun()
    st.session_state[HELD] = (search, first), tuple(item.id for item in found)
    return found


def row_of(item: CrateItem) -> BeatRow:
    """A beat as the list shows it."""
    words = f"{genre_words(item.genre)} · {counted(item.bars, 'bar')}"
    return BeatRow(
        item.id, item.name, f"{item.playing_tempo_bpm:.0f}", words, item.rating, item.tags,
        item.notes,
    )  # fmt: skip


def edit(change: RowEdit) -> None:
    """Write what a DJ typed in a row, and nothing that they did not."""
    try:
        crate = Crate.open()
        crate.change(change.id, **{change.field: change.value}, seen={change.field: change.seen})
        if change.field == "rating":
            note(crate.get(change.id).beat, "stars", int(str(change.value)))
    except DigitalDJError as error:
        say(str(error), "bad")


def show_many(crate: Crate, ticked: CrateSearch) -> None:
    """What can be done with the ticked beats of the list together."""
    with st.container(horizontal=True, vertical_alignment="center", key="dj_crate_many"):
        ids = tuple(item.id for item in crate.find(ticked)) if ticked.ids else ()
        if not ids:
            st.caption("Tick beats to tag, export or delete them, or to put them in a set.")
            return
        with st.popover("Tag"), st.form("crate_tag", border=False, clear_on_submit=True):
            tags = st.text_input("Tags for all of them", key="crate_tag_all")
            if st.form_submit_button("Add"):
                attempt(lambda: crate.add_tags(ids, tags.split(",")))
                st.rerun()
        if st.button("Into a set", key="crate_to_set", help="Chooses them on the Set page."):
            if attempt(lambda: put_in_set(ids)):
                st.switch_page("pages/set.py")
            st.rerun()
        export_button("Export", crate, ids, "crate_export_some", "These, in one file.")
        st.button(
            f"Delete {len(ids):,}", key="crate_delete_some", on_click=delete, args=(crate, ids)
        )


# -- one beat --------------------------------------------------------------------------------------


def show_beat(crate: Crate, kept: KeptBeat, play: str | None) -> None:
    """The chosen beat: heard, taken along, told about."""
    item, slot = kept.item, slot_in_crate(kept)
    bring_back_sound(slot, kept.sound)
    player(
        kept.beat, key="crate", slot=slot, name=item.name, play=play, taken_as=item.name,
    )  # fmt: skip
    show_actions(crate, kept)
    draw_search(kept.beat, key="crate_ear", crate_id=item.id, surprises=True)
    show_origin(kept)


def show_actions(crate: Crate, kept: KeptBeat) -> None:
    """What to do with the beat as a whole."""
    item = kept.item
    with st.container(horizontal=True, key="dj_crate_actions"):
        if st.button("To Generate's deck", key="crate_to_deck"):
            put_on_deck(kept)
            st.switch_page("pages/generate.py")
        if read_only():
            return
        st.button("Duplicate", key="crate_duplicate", on_click=duplicate, args=(crate, item.id))
        st.button("Delete", key="crate_delete", on_click=delete, args=(crate, (item.id,)))


def duplicate(crate: Crate, id: str) -> None:
    """Copy a beat and show the copy."""
    attempt(lambda: pick(LIST, crate.duplicate(id).id))


def show_origin(kept: KeptBeat) -> None:
    """Where the beat comes from, and the way to have it played again."""
    origin, item = kept.beat.provenance, kept.item
    facts = {"Notes": item.notes} if item.notes else {}
    facts["Kept"] = item.created.astimezone().strftime("%d %B %Y, %H:%M")
    if origin.model:
        facts["Model"] = f"{model_label(origin.model)} ({(origin.model_sha256 or '')[:8]})"
        facts["Learned from"] = origin.corpus or "unknown"
        facts["Seed"] = f"{origin.seed}"
    elif origin.source:
        facts["From"] = origin.source
    if origin.settings.get(TRANSCRIBED):
        facts["Made"] = "transcribed from sound"
    if origin.edited:
        facts["Edited"] = "by hand"
    st.html('<h2 class="dj-head">About this beat</h2>')
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
            outcome = play_again(kept.beat)
            (st.success if outcome.same else st.info)(outcome.words)
        if settings:
            st.switch_page("pages/generate.py", query_params=link_of(kept.beat))
    except DigitalDJError as error:
        st.warning(spoken(error))


def genre_words(name: str) -> str:
    """A genre to read; beats without one say so."""
    return genre_label(name) if name else "No genre"


if open_page("Crate"):
    st.session_state.pop(HELD, None)
run_page(main)
