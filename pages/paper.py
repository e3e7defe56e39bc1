"""Paper: the paper Digital DJ started from, with its figures measured again."""

from __future__ import annotations

import streamlit as st

from dj_core.errors import DigitalDJError
from dj_core.paper.drawing import (
    accuracy_figure,
    form_figure,
    heat_figure,
    likeliness_figure,
    loss_figure,
    song_figure,
    systems_figure,
)
from dj_core.paper.plan import BEST, FINAL
from dj_core.paper.results import Results
from dj_core.paper.songs import KeptSong, beat_of
from dj_core.paper.story import Claim, all_claims
from dj_core.paper.tables import (
    corpus_table,
    distinct_table,
    form_table,
    nats,
    percent,
    steps_table,
    systems_table,
    table_1,
)
from dj_ui.deck import deck, listen, send_kit
from dj_ui.frame import open_page, run_page
from dj_ui.paper_parts import (
    draw,
    draw_wide,
    palette,
    results_at_hand,
    show_claim,
    show_staff,
    show_table,
)
from dj_ui.readouts import show_readouts
from dj_ui.words import spoken

SONGS = {
    (FINAL, 0.0): "Figure 1 · always the likeliest note",
    (FINAL, 1.0): "Figure 2 · temperature 1",
    (FINAL, 5.0): "Figure 3 · temperature 5",
    (BEST, 0.0): "notes-best · always the likeliest note",
    (BEST, 1.0): "notes-best · temperature 1",
    (BEST, 5.0): "notes-best · temperature 5",
}

Claims = dict[str, Claim]


def show_lead(results: Results) -> None:
    """What this is about, and the outcome in four numbers."""
    best, final = results.system(BEST), results.system(FINAL)
    if results.quick:
        st.info(
            "These figures come from a quick run: narrow networks, a few minutes of learning. They "
            "show what is measured, not yet how good each network is. The full run is one command: "
            "python -m dj_core paper --corpus paper --out DIR"
        )
    st.html(
        "<p class='dj-lead'>Digital DJ began with a student paper: Cannon Lock, Prithvi Tanna "
        "and Nicole Athanasiou taught a small network to write drum beats, note by note, from a "
        "folder of 1,800 MIDI files. This page makes their figures again, says what they measured "
        "and what is there to be measured, and shows what it takes to do better.</p>"
        "<p class='dj-note'>How well a network knows drumming is told in <b>nats a note</b>: how "
        "surprised it is by each next note of songs it has never heard. Less is better; guessing "
        "blindly costs "
        f"{_blind(results):.1f}, knowing only how frequent each note is "
        f"{results.floor.frequencies_loss['validation']['once']:.1f}. Below, each song counts "
        "once, as it was written. Table 1 repeats short songs to the length of the longest, as the "
        "paper did: there the same network has "
        f"{final.loss('validation', 'looped'):.3f}.</p>"
    )
    show_readouts(
        {
            f"The paper's network, {final.label}": f"{nats(final.loss())} nats",
            "A table of counts": f"{nats(results.floor.scores['validation']['once'].loss)} nats",
            "notes-best, ours": f"{nats(best.loss())} nats",
            "Next notes notes-best gets right": percent(best.scores["validation"]["once"].accuracy),
        }
    )


def _blind(results: Results) -> float:
    import math

    return math.log(results.facts.vocabulary)


def show_accuracy(results: Results, claims: Claims) -> None:
    """Table 1."""
    st.subheader("Table 1: which network is best?")
    show_claim(claims["accuracy"])
    show_table(table_1(results))
    st.html(
        "<p class='dj-note'>The loss is of songs repeated to one length, so it is not the number "
        "at the top of this page. 2 × 32: two layers of 32 units each. lr: how large a step is "
        "learned from each song. Dropout .9: nine units in ten are silenced while learning, so "
        "that none is relied on. An epoch: once through all songs.</p>"
    )


def show_songs(results: Results, claims: Claims) -> None:
    """Figures 1 to 3, each song to be heard."""
    st.subheader("Figures 1 to 3: songs of 500 notes")
    st.html(
        "<p class='dj-note'>Temperature says how freely each next note is drawn: at 0 it is always "
        "the likeliest, at 1 it is drawn by the network's own odds, above that ever more at "
        "random.</p>"
    )
    show_player(results)
    heads = ("Always the likeliest note", "Drawn by the odds", "Temperature 5")
    for number, (temperature, head) in enumerate(zip((0.0, 1.0, 5.0), heads, strict=True), 1):
        st.markdown(f"**Figure {number} · {head}**")
        show_claim(claims[f"figure-{number}"])
        left, right = st.columns(2, gap="large")
        for column, name in ((left, FINAL), (right, BEST)):
            with column:
                show_song(results, name, temperature)


def show_openings(results: Results, claims: Claims) -> None:
    """Why the likeliest note says nothing, and what a bar to begin with changes."""
    st.subheader("Why it collapses")
    show_claim(claims["openings"])


def show_song(results: Results, name: str, temperature: float) -> None:
    """The ten most frequent notes of a song, and the song to hear."""
    song = results.song(name, temperature)
    whose = "The paper's network" if name == FINAL else "notes-best"
    st.caption(whose)
    draw(
        song_figure(results, name, temperature, palette()),
        f"{whose}, temperature {temperature:g}: {song.distinct} different notes in 500",
    )
    key = f"hear_{name}_{temperature:g}"
    listen(beat_of(song, results.drum_map), key=key, name=SONGS[name, temperature])


def show_player(results: Results) -> None:
    """The deck with the chosen song on it."""
    chosen = st.selectbox("On the deck", list(SONGS), key="paper_song", format_func=SONGS.get)
    song: KeptSong = results.song(*(chosen or (FINAL, 0.0)))
    deck(
        beat_of(song, results.drum_map),
        key="paper_deck",
        name=SONGS[song.model, song.temperature],
        facts=[("different notes", f"{song.distinct} of {len(song.notes)}")],
        kit_later=True,
    )


def show_heat(results: Results, claims: Claims) -> None:
    """Variety and likeliness over temperature."""
    st.subheader("Where variety turns into noise")
    show_claim(claims["heat"])
    left, right = st.columns(2, gap="large")
    with left:
        draw(heat_figure(results, palette()), "Different notes in 500, by temperature")
    with right:
        draw(likeliness_figure(results, palette()), "Loss of held-out songs, by temperature")
    show_table(distinct_table(results), mark="notes-best")


def show_learning(results: Results, claims: Claims) -> None:
    """Figure 4, and what accuracy does meanwhile."""
    if "figure-4" not in claims:
        return
    st.subheader("Figure 4: fifty epochs")
    show_claim(claims["figure-4"])
    left, right = st.columns(2, gap="large")
    with left:
        draw(loss_figure(results, palette()), "Training and validation loss by epoch")
    with right:
        draw(accuracy_figure(results, palette()), "Accuracy by epoch, counted both ways")
    if "peak" in claims:
        show_claim(claims["peak"])


def show_notation(results: Results, claims: Claims) -> None:
    """Figure 5."""
    st.subheader("Figure 5: a generated segment")
    show_claim(claims["figure-5"])
    for key, label in (("paper", "The paper's network"), ("best", "notes-best")):
        drawn = results.figure5[key]
        st.caption(f"{label}, temperature 1, the first four bars")
        show_staff(drawn["svg"], f"{label}: four bars on a drum staff")
        st.download_button(
            "MusicXML", drawn["xml"], f"figure-5-{key}.musicxml",
            "application/vnd.recordare.musicxml+xml", key=f"xml_{key}", on_click="ignore",
        )  # fmt: skip


def show_systems(results: Results, claims: Claims) -> None:
    """Everything on one table; the steps to ours; the twelve-bar form."""
    st.subheader("Everything it builds on, on the same songs")
    show_claim(claims["systems"])
    draw_wide(systems_figure(results, palette()), "Loss of every system on held-out songs")
    with st.expander("The whole table"):
        show_table(systems_table(results), mark="notes-best")
        notes = [f"**{item.label}**: {item.note}." for item in results.systems if item.note]
        st.markdown("\n".join(f"- {note}" for note in notes))
    st.subheader("What each change brings")
    show_table(steps_table(results), mark="notes-best")
    st.subheader("Twelve bars")
    show_claim(claims["form"])
    left, right = st.columns(2, gap="large")
    with left:
        draw(form_figure(results, palette()), "Bars right by chorus")
    with right:
        show_table(form_table(results))


def show_corpus(results: Results, claims: Claims) -> None:
    """What the corpus and the way it is cut do before any network learns."""
    st.subheader("The drum files themselves")
    for key in ("corpus", "split", "length"):
        show_claim(claims[key])
    with st.expander("Numbers"):
        show_table(corpus_table(results))
    if results.missing:
        st.caption(f"Not trained for these results: {'; '.join(results.missing)}.")
    versions = ", ".join(f"{name} {number}" for name, number in sorted(results.versions.items()))
    st.caption(
        f"Made by `python -m dj_core paper --corpus {results.corpus} --out DIR` with {versions}. "
        "The command, the seeds and every table: docs/reproduction.md."
    )


def main() -> None:
    """The page, top down."""
    try:
        results = results_at_hand()
    except DigitalDJError as error:
        st.error(spoken(error))
        return
    claims = all_claims(results)
    show_lead(results)
    for show in (
        show_accuracy,
        show_songs,
        show_openings,
        show_heat,
        show_learning,
        show_notation,
        show_systems,
        show_corpus,
    ):
        show(results, claims)
    songs = [results.song(*name) for name in SONGS]
    send_kit("paper_deck", [beat_of(song, results.drum_map) for song in songs])


open_page("Paper")
run_page(main)
