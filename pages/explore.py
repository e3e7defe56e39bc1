"""Explore: a collection of MIDI, file by file and as a whole; imports more."""

from __future__ import annotations

import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from dj_core.corpus.figures import (
    PALETTES,
    drum_use,
    figure_svg,
    genre_balance,
    length_distribution,
    note_histogram,
    start_note_histogram,
)
from dj_core.corpus.note_strings import REST, note_songs
from dj_core.corpus.search import Catalogue, FileFilter, catalogue_of
from dj_core.corpus.store import Corpus, CorpusFile, ImportReport
from dj_core.errors import DigitalDJError, LibraryError
from dj_core.files.file_names import counted, safe_stem
from dj_core.files.midi import MIDI_ENDINGS
from dj_core.host.limits import LIMITS
from dj_core.host.read_only import read_only
from dj_core.library.library import STARTER_CORPUS, Library
from dj_core.music.drums import DRUM, DRUMS, LANE
from dj_core.music.genres import genre_label
from dj_core.sound.decoding import AUDIO_ENDINGS
from dj_ui.beat_list import ROWS_A_PART, BeatRow, beat_list, first_row
from dj_ui.finding import draw_search
from dj_ui.frame import open_page, palette_name, run_page
from dj_ui.import_report import show_note_maps, show_reading, tell_import
from dj_ui.player import player, show_figure
from dj_ui.uploads import forget_uploads
from dj_ui.visiting import take_allowance, tell_shared
from dj_ui.words import spoken

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure
    from streamlit.runtime.uploaded_file_manager import UploadedFile

KINDS = {"": "Beats and fills", "beat": "Beats", "fill": "Fills"}
LIST = "files"
UPLOADS = "dj_explore_uploads"  # counts the uploaders: each press takes what is in one of them
REFUSED = "dj_explore_refused"  # why the last import did not come about


def show_corpus(library: Library, corpus: Corpus) -> None:
    """Search, audition and numbers of one collection."""
    catalogue = catalogue_of(corpus)
    bars, genres = int(catalogue.bars.sum()), len(catalogue.count_genres())
    size = (len(catalogue), "file"), (bars, "bar"), (genres, "genre")
    words = [counted(number, noun) for number, noun in size]
    words += [f"{corpus.transcribed:,} transcribed from sound"] if corpus.transcribed else []
    st.caption(" · ".join(words))
    left_out = [f"Left out ({len(corpus.skipped)})"] if corpus.skipped else []
    listen, numbers, maps, *refused = st.tabs(
        ["Listen", "Numbers", "Note map", *left_out], on_change="rerun"
    )
    with listen:
        show_files(catalogue)
    if numbers.open:  # pictures take their time, and nobody has asked for them before
        with numbers:
            show_numbers(catalogue)
    if maps.open:
        with maps:
            show_note_maps(library, corpus)
    for tab in refused:
        with tab:
            show_refused(corpus)


def show_files(catalogue: Catalogue) -> None:
    """The search, its results, and the chosen file to hear."""
    wanted = ask_filter(catalogue)
    found = catalogue.find(wanted)
    if not len(found):
        st.info("No file is like that. Widen the search.")
        return
    table, audition = st.columns([5, 6], gap="large")
    with table:
        first = first_row(LIST, (str(catalogue.corpus.folder), catalogue.corpus.written, wanted))
        files = {file.id: file for file in catalogue.files_at(found[first : first + ROWS_A_PART])}
        rows = [row_of(file) for file in files.values()]
        picked = beat_list(
            rows, key=LIST, label="Files", noun="file", total=len(found), first=first
        )
    with audition:
        file = files[picked.id]
        try:
            beat = catalogue.corpus.beat(file).at_tempo(file.playing_tempo_bpm)
            reading = catalogue.corpus.reading(file)
        except DigitalDJError as error:
            st.error(spoken(error))
            return
        player(beat, key="audition", slot=f"file-{file.id}", play=picked.play)
        draw_search(beat, key="explore_ear")
        show_reading(reading)


def ask_filter(catalogue: Catalogue) -> FileFilter:
    """The search fields, as a filter."""
    words, kind = st.columns([3, 2])
    text = words.text_input("Search", key="words", placeholder="words in the file's name")
    chosen_kind = kind.segmented_control(
        "Kind", list(KINDS), default="", format_func=KINDS.get, key="kind"
    )
    with st.expander("Genre, drums, length, tempo"):
        genres = st.multiselect(
            "Genres",
            sorted(catalogue.count_genres()),
            format_func=genre_label_or_none,
            key="genres",
        )
        drums = st.multiselect(
            "Must play", [drum.name for drum in DRUMS], format_func=drum_label, key="drums"
        )
        bars = ask_range("Bars", catalogue.bars, "bars")
        tempo = ask_range("Tempo (BPM)", catalogue.tempos_bpm, "tempo")
    return FileFilter(
        words=text,
        genres=frozenset(genres),
        kind=chosen_kind or "",
        lanes=frozenset(LANE[name] for name in drums),
        bars=bars,
        tempo_bpm=tempo and (tempo[0] - 0.5, tempo[1] + 0.5),  # the slider shows whole BPM
    )


def ask_range(label: str, values: np.ndarray, key: str) -> tuple[int, int] | None:
    """A slider over what occurs, in whole numbers; None where all files agree."""
    low, high = round(float(values.min())), round(float(values.max()))
    if low == high:
        return None
    return st.slider(label, low, high, (low, high), key=f"{key}_{low}_{high}")


def row_of(file: CorpusFile) -> BeatRow:
    """A file as the list shows it."""
    words = f"{genre_label_or_none(file.genre)} · {counted(file.bars, 'bar')} · {file.meter}"
    words += " · from sound" if file.transcribed else ""
    return BeatRow(file.id, file.title, f"{file.playing_tempo_bpm:.0f}", words)


def show_numbers(catalogue: Catalogue) -> None:
    """The collection as a whole, in pictures."""
    corpus = catalogue.corpus
    genres, lengths, drums = pictures(str(corpus.folder), corpus.written, palette_name())
    left, right = st.columns(2, gap="large")
    with left:
        show_figure(genres, "Files per genre")
        show_figure(lengths, "Files by length")
    with right:
        show_figure(drums, "Files that play each drum")
    st.subheader("Notes, as the paper counts them")
    st.caption(
        "Every note, chord and rest is one word to the paper's model. "
        "Reading them takes a while the first time, and is kept."
    )
    if st.button("Count the notes", key="count_notes") or st.session_state.get("counted") == (
        corpus.name
    ):
        st.session_state["counted"] = corpus.name
        show_notes(corpus)


@st.cache_data(max_entries=16, show_spinner="Drawing the numbers")
def pictures(folder: str, written: int, colours: str) -> tuple[bytes, bytes, bytes]:
    """Genres, lengths and drums of a corpus as it was `written`, drawn once."""
    catalogue, palette = catalogue_of(Corpus(Path(folder))), PALETTES[colours]
    return (
        figure_svg(genre_balance(catalogue.count_genres(), palette)),
        figure_svg(length_distribution(catalogue.count_bars(), palette)),
        figure_svg(drum_use(catalogue.count_drums(), len(catalogue), palette)),
    )


def show_notes(corpus: Corpus) -> None:
    """Note frequencies, start notes and the size of the vocabulary."""
    palette = PALETTES[palette_name()]
    with st.empty():
        bar = st.progress(0.0, "Reading the notes")
        songs = note_songs(
            corpus, lambda done, total: bar.progress(done / max(1, total), "Reading the notes")
        )
        bar.empty()
    names = [event.name for song in songs for event in song.events]
    openings = [song.events[0].name for song in songs if song.events]
    words, notes, rests = st.columns(3)
    words.metric("Different notes", f"{len(set(names)):,}")
    notes.metric("Notes in all", f"{len(names):,}")
    rests.metric("Rests", f"{names.count(REST) / max(1, len(names)):.0%}")
    left, right = st.columns(2, gap="large")
    with left:
        draw(note_histogram(names, palette), "The ten most frequent notes")
    with right:
        draw(start_note_histogram(openings, palette), "What songs begin with")


def draw(figure: Figure, alt: str) -> None:
    """Show a matplotlib figure, sharp at any size."""
    show_figure(figure_svg(figure), alt)


def show_refused(corpus: Corpus) -> None:
    """Files that could not be read, each with its reason."""
    st.dataframe(
        {
            "File": [skipped.file for skipped in corpus.skipped],
            "Why": [skipped.reason for skipped in corpus.skipped],
        },
        hide_index=True,
    )


def show_import(library: Library) -> None:
    """Upload files or a zip into a collection."""
    if read_only():
        st.info("This Digital DJ is read only: its host keeps the library as it is.")
        return
    with st.form("import", border=False):
        # any type may be dropped: what is no use is refused below, with a reason
        number = st.session_state.setdefault(UPLOADS, 0)
        uploads = st.file_uploader(
            "MIDI files, drum loops (WAV, AIFF, FLAC, OGG, MP3) or zips of them, up to "
            f"{st.get_option('server.maxUploadSize')} MB each. Loops are transcribed.",
            accept_multiple_files=True,
            key=f"uploads_{number}",
        )
        name = st.text_input("Name of the collection", key="corpus_name", placeholder="my drums")
        wanted = st.form_submit_button("Add to the library", type="primary")
    if not wanted:
        return
    # what was taken, or refused, is not taken once more with what is dropped next
    st.session_state[UPLOADS] += 1
    try:
        reports = import_uploads(library, uploads, name)
    except DigitalDJError as error:
        st.session_state[REFUSED] = str(error)
    else:
        st.session_state["imported"] = tell_import(reports)
        st.session_state["show"] = reports[-1].corpus.name
    forget_uploads()
    st.rerun()


def import_uploads(library: Library, uploads: list[UploadedFile], name: str) -> list[ImportReport]:
    """Import zips one by one and loose files together, with a progress bar."""
    if not uploads:
        most = st.get_option("server.maxUploadSize")
        raise LibraryError(
            f"No file has arrived. Choose MIDI files, drum loops or zips of up to {most} MB."
        )
    if others := other_files(uploads):
        raise LibraryError(
            f"{', '.join(others)[:200]}: no MIDI file, sound or zip, so nothing was added. Choose "
            f"files that end in {', '.join((*MIDI_ENDINGS, *AUDIO_ENDINGS))} or .zip."
        )
    take_allowance("upload")
    if sum(upload.size for upload in uploads) > LIMITS.upload_bytes:
        raise LibraryError(
            f"These files are over {LIMITS.upload_bytes // 1_000_000} MB together. Add them in "
            "parts."
        )
    reports = []
    bar = st.progress(0.0, "Reading your files")

    def show(done: int, total: int) -> None:
        bar.progress(done / max(1, total), f"Reading your files: {done:,} of {total:,}")

    with tempfile.TemporaryDirectory() as folder:
        for source in save_uploads(uploads, Path(folder)):
            reports.append(
                library.import_corpus(
                    source,
                    name.strip() or safe_stem(uploads[0].name),
                    progress=show,
                    most_seconds=LIMITS.upload_seconds,
                )
            )
    bar.empty()
    return reports


def other_files(uploads: list[UploadedFile]) -> list[str]:
    """The names of those that are neither MIDI nor sound nor a zip."""
    endings = (*MIDI_ENDINGS, *AUDIO_ENDINGS, ".zip")
    return [upload.name for upload in uploads if not upload.name.lower().endswith(endings)]


def save_uploads(uploads: list[UploadedFile], folder: Path) -> list[Path]:
    """The uploads as zips in `folder`: each zip as it came, loose files together in one."""
    zips = []
    loose = folder / "loose.zip"
    with zipfile.ZipFile(loose, "w") as archive:
        for number, upload in enumerate(uploads):
            if Path(upload.name).suffix.lower() == ".zip":
                zips.append(folder / f"{number}.zip")
                zips[-1].write_bytes(upload.getbuffer())
            else:
                archive.writestr(Path(upload.name).name, upload.getbuffer())
        loose_files = len(archive.namelist())
    return [*zips, loose] if loose_files else zips


def show_sources() -> None:
    """Where more drums are to be had."""
    st.markdown(
        """
**Groove MIDI Dataset** (Google, CC BY 4.0): 1,150 performances by professional drummers. Get
*the MIDI-only zip* at [magenta.tensorflow.org/datasets/groove](https://magenta.tensorflow.org/datasets/groove)
and drop it above as it is: genres and tempos come along.

**The paper's collection**: eight genres, one folder each. Download the repository
[github.com/CannonLock/PyCode](https://github.com/CannonLock/PyCode) as a zip, and zip its folder
*TrainingData* for the upload above.

**A folder on this computer** goes in faster by the command line:
`.venv/bin/python -m dj_core import FOLDER --name "my drums"`. Folder names become genres.
"""
    )


def show_delete(library: Library, corpus: Corpus) -> None:
    """Remove a collection, after a second thought."""
    if corpus.name == STARTER_CORPUS:
        return
    with st.popover("Remove this collection"):
        st.write(
            f"This removes **{counted(len(corpus.index), 'file')}** from Digital DJ's own folder."
        )
        if st.button("Remove for good", key="delete_corpus", type="primary"):
            try:
                library.delete_corpus(corpus.name)
            except DigitalDJError as error:
                st.error(spoken(error))
                return
            st.session_state["imported"] = f"{corpus.name} is removed."
            st.session_state.pop("corpus", None)
            st.rerun()


def genre_label_or_none(name: str) -> str:
    """A genre to read; files without one say so."""
    return genre_label(name) if name else "No genre"


def drum_label(name: str) -> str:
    """A drum to read."""
    return DRUM[name].label


def main() -> None:
    """The page, top down."""
    library = Library.open()
    try:
        corpora = {corpus.name: corpus for corpus in library.corpora()}
    except DigitalDJError as error:
        st.error(spoken(error))
        return
    if (wanted := st.session_state.pop("show", None)) in corpora:
        st.session_state["corpus"] = wanted
    if words := st.session_state.pop("imported", None):
        st.success(spoken(words))
    if words := st.session_state.pop(REFUSED, None):
        st.error(spoken(words))
    choice, more = st.columns([3, 2], vertical_alignment="bottom")
    asked = st.query_params.get("corpus")
    name = choice.selectbox(
        "Collection", list(corpora), key="corpus", bind="query-params",
        help="Drum files that were brought in together, and what is learned from together.",
    )  # fmt: skip
    if asked is not None and asked not in corpora:
        st.warning(spoken(f"There is no collection called {asked!r} here. This is {name}."))
    with more, st.popover("Add your own"):
        show_import(library)
        show_sources()
    show_corpus(library, corpora[name])
    tell_shared("The library")
    show_delete(library, corpora[name])


open_page("Explore")
run_page(main)
