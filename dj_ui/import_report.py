"""Reports in words of an import, of a collection's note maps and of one file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import streamlit as st

from dj_core.corpus.search import CHOSEN, map_uses, unknown_hits
from dj_core.corpus.sources import counted_left_out, is_sound
from dj_core.corpus.store import Corpus, ImportReport
from dj_core.errors import DigitalDJError
from dj_core.files.file_names import counted
from dj_core.files.midi import Reading
from dj_core.host.read_only import read_only
from dj_core.library.library import STARTER_CORPUS, Library
from dj_core.music.drum_maps import DRUM_MAPS
from dj_core.music.drums import DrumMap
from dj_ui.words import spoken

AS_FOUND = ""  # the choice to let the files say it


def tell_import(reports: Sequence[ImportReport]) -> str:
    """What an import of one or several sources did, in a few sentences."""
    corpus = reports[-1].corpus
    parts = [report.index for report in reports]
    files = sum(len(report.accepted) for report in reports)
    said = [f"{counted(files, 'file')} added to {corpus.name}."]
    if replaced := sum(report.replaced for report in reports):
        said.append(f"{counted(replaced, 'file')} of the same name replaced.")
    if skipped := sum(len(report.skipped) for report in reports):
        said.append(f"{counted(skipped, 'file')} could not be read, with reasons below.")
    for report in reports:
        if report.left_out:
            left_out = counted_left_out(report.left_out)
            said.append(f"Neither MIDI nor sound, and left out: {left_out}.")
    if heard := sum(is_sound(name) for report in reports for name in report.accepted):
        said.append(f"{counted(heard, 'file')} transcribed from sound.")
    maps: Counter[DrumMap] = Counter()
    for part in parts:
        maps.update(part["drum_map"].to_pylist())
    read = ", ".join(f"{map_label(name)} ({number:,})" for name, number in maps.most_common())
    said.append(f"Note map: {read}.")
    if notes := sum(sum(part["notes_left_out"].to_pylist()) for part in parts):
        said.append(f"{counted(notes, 'note')} left out that are no drums.")
    warned = sum(warnings > 0 for part in parts for warnings in part["warnings"].to_pylist())
    if warned:
        said.append(f"{counted(warned, 'file')} with something to know: it stands under the file.")
    return " ".join(said)


def map_label(drum_map: DrumMap) -> str:
    """What a DJ reads for a note map."""
    return DRUM_MAPS[drum_map].label if drum_map in DRUM_MAPS else "the file's own"


def show_note_maps(library: Library, corpus: Corpus) -> None:
    """Which note maps a collection is read by, why, what others would make of it; and a choice."""
    uses = map_uses(corpus)
    for use in uses:
        st.markdown(
            f"**{counted(use.files, 'file')}** read as **{spoken(map_label(use.drum_map))}** "
            f"({spoken(use.because)})"
        )
    if read_only() or corpus.name == STARTER_CORPUS:
        return
    unknown, hits = unknown_hits(corpus), sum(corpus.index["hits"].to_pylist())
    st.caption(
        "A note map says which drum each note is. A hit on a note that the map does not know is "
        "played as a conga."
    )
    by_fit = sorted(unknown, key=lambda name: unknown[name])

    def words(name: DrumMap) -> str:
        if name == AS_FOUND:
            return "As each file says"
        return f"{map_label(name)} · {unknown[name]:,} of {counted(hits, 'hit')} unknown"

    choice, button = st.columns([3, 1], vertical_alignment="bottom")
    options = [AS_FOUND, *by_fit]
    present = uses[0].drum_map if [use.because for use in uses] == [CHOSEN] else AS_FOUND
    chosen = choice.selectbox(
        "Read all files as",
        options,
        options.index(present),
        format_func=words,
        key=f"note_map_{corpus.name}",
    )
    if not button.button("Read again", key="read_again", width="stretch"):
        return
    bar = st.progress(0.0, "Reading the files")
    try:
        library.read_corpus_again(
            corpus.name,
            chosen or None,
            lambda done, total: bar.progress(done / max(1, total), "Reading the files"),
        )
    except DigitalDJError as error:
        bar.empty()
        st.error(spoken(error))
        return
    st.rerun()  # the sentences above say what came of it


def show_reading(reading: Reading) -> None:
    """What a DJ should know about a file, as the command `inspect` says it."""
    st.caption(spoken(f"Read as {map_label(reading.drum_map)}."))
    for warning in reading.warnings:
        st.caption(f":material/info: {spoken(warning)}")
