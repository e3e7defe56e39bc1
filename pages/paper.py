"""Paper: the paper Digital DJ started from, measured again beside the systems it cites."""

from __future__ import annotations

import random
import secrets
from html import escape

import streamlit as st

from dj_core.errors import DigitalDJError
from dj_core.paper.drawing import (
    accuracy_figure,
    form_figure,
    loss_figure,
    song_figure,
    systems_figure,
    temperature_loss_figure,
    temperature_notes_figure,
)
from dj_core.paper.plan import BEST, FINAL
from dj_core.paper.results import Results
from dj_core.paper.songs import KeptSong, beat_of
from dj_core.paper.story import ACCURACY, LOSS, Cells, Claim, all_claims
from dj_core.paper.tables import (
    SHORT,
    all_tables,
    cells_table,
    corpus_table,
    distinct_table,
    form_table,
    ngram_label,
    ranked,
    samples_table,
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
    (FINAL, 0.0): "Figure 1 · greedy decoding",
    (FINAL, 1.0): "Figure 2 · temperature 1",
    (FINAL, 5.0): "Figure 3 · temperature 5",
    (BEST, 0.0): "notes-best · greedy decoding",
    (BEST, 1.0): "notes-best · temperature 1",
    (BEST, 5.0): "notes-best · temperature 5",
}
SAMPLED = {
    "equal": "Temperature 1 for all",
    "loss": "Each at its least validation loss",
    "distinct": "Each as varied as drummers",
}

Claims = dict[str, Claim]


def show_lead(results: Results, claims: Claims) -> None:
    """What this is about, and the outcome in four numbers."""
    if results.quick:
        st.info(
            "These figures come from a quick run: narrow networks, a few minutes of training. They "
            "show what is measured, not how good each network is. The full run is one command: "
            "python -m dj_core paper --corpus paper --out DIR"
        )
    lead, cells = claims["lead"], Cells(all_tables(results))
    st.html(
        f"<p class='dj-lead'>{escape(lead.paper)}</p><p class='dj-note'>{escape(lead.here)}</p>"
        f"<p class='dj-note'>{escape(lead.difference)}</p>"
    )
    rows = {"The paper's network": results.system(FINAL).label, "n-gram": ngram_label(results),
            "notes-best": BEST}  # fmt: skip
    show_readouts(
        {f"{name}, nats per note": cells.text("systems", row, LOSS) for name, row in rows.items()}
        | {"notes-best, next-note accuracy": cells.text("systems", BEST, ACCURACY)}
    )


def show_accuracy(results: Results, claims: Claims) -> None:
    """Table 1."""
    st.subheader("Table 1: which network is best?")
    show_claim(claims["accuracy"])
    table = table_1(results)
    show_table(table)
    st.html(
        f"<p class='dj-note'>{escape(table.says)} 2 × 32: two layers of 32 units each. lr: the "
        "learning rate, how far each step moves the weights. Dropout .9: nine units in ten are "
        "set to zero in training. Epoch: once through all training songs.</p>"
    )


def show_songs(results: Results, claims: Claims) -> None:
    """Figures 1 to 3, each song to be heard."""
    st.subheader("Figures 1 to 3: songs of 500 notes")
    st.html(
        "<p class='dj-note'>The logits are divided by the temperature before a note is sampled: at "
        "1 the network's own probabilities are used, above 1 they become more alike. Greedy "
        "decoding (temperature 0) takes the most probable note.</p>"
    )
    show_player(results)
    heads = ("Greedy decoding", "Temperature 1", "Temperature 5")
    for number, (temperature, head) in enumerate(zip((0.0, 1.0, 5.0), heads, strict=True), 1):
        st.markdown(f"**Figure {number} · {head}**")
        show_claim(claims[f"figure-{number}"])
        left, right = st.columns(2, gap="large")
        for column, name in ((left, FINAL), (right, BEST)):
            with column:
                show_song(results, name, temperature)


def show_openings(results: Results, claims: Claims) -> None:
    """Why greedy decoding collapses."""
    st.subheader("Why greedy decoding collapses")
    show_claim(claims["openings"])


def show_song(results: Results, name: str, temperature: float) -> None:
    """The ten most frequent notes of a song, and the song to hear."""
    song = results.song(name, temperature)
    whose = SHORT[name]
    st.caption("The paper's network" if name == FINAL else whose)
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


def show_temperature(results: Results, claims: Claims) -> None:
    """Different notes and loss over temperature."""
    st.subheader("Temperature")
    show_claim(claims["temperature"])
    left, right = st.columns(2, gap="large")
    with left:
        draw(temperature_notes_figure(results, palette()), "Different notes in 500, by temperature")
    with right:
        draw(temperature_loss_figure(results, palette()), "Validation loss, by temperature")
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
        draw(accuracy_figure(results, palette()), "Accuracy by epoch, both measures")
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
    """Everything in one table, and the steps to ours."""
    st.subheader("The systems it cites, on the same songs")
    show_claim(claims["systems"])
    draw_wide(systems_figure(results, palette()), "Validation loss of every system")
    with st.expander("The whole table"):
        table = systems_table(results)
        show_table(table, mark="notes-best")
        notes = [f"**{item.label}**: {item.note}." for item in results.systems if item.note]
        st.markdown("\n".join(f"- {note}" for note in [table.says, *notes]))
    if results.missing:
        st.caption(f"Not trained yet for these results: {'; '.join(results.missing)}.")
    st.subheader("What each change brings")
    show_table(steps_table(results), mark="notes-best")


def show_samples(results: Results, claims: Claims) -> None:
    """The same song, continued by every system, to be heard."""
    st.subheader("The same song, continued by every system")
    show_claim(claims["samples"])
    hear_samples(results)
    with st.expander("Their temperatures"):
        show_table(samples_table(results), mark="notes-best")


@st.fragment
def hear_samples(results: Results) -> None:
    """The continuations with a play button each, in a blind order on request."""
    which = st.radio("Sampled at", list(SAMPLED), key="paper_sampled", horizontal=True,
                     format_func=SAMPLED.__getitem__)  # fmt: skip
    heard = sampled_songs(results, which or "equal")
    named = True
    if st.toggle("Blind order", key="paper_blind"):
        seed = st.session_state.setdefault("paper_blind_seed", secrets.randbelow(2**31))
        random.Random(seed).shuffle(heard)
        named = st.toggle("Show the names", key="paper_blind_names")
    columns = st.columns(3, gap="large")
    for place, (label, song) in enumerate(heard):
        title = label if named else f"Song {place + 1}"
        with columns[place % len(columns)]:
            st.caption(title)
            listen(beat_of(song, results.drum_map), key=f"same_{place}", name=title)


def sampled_songs(results: Results, which: str) -> list[tuple[str, KeptSong]]:
    """Every system's continuation at one way of choosing its temperature, with its label."""
    heard = [("The drummer's own", results.drummer)]
    for system in ranked(results):
        if found := system.samples:
            at = {"equal": 1.0, "loss": found.by_loss, "distinct": found.by_distinct}[which]
            song = next(song for song in found.songs if song.temperature == at)
            heard.append((f"{system.label}, temperature {at:g}", song))
    if which == "equal":
        heard.append((f"{ngram_label(results)}, temperature 1", results.ngram_sample))
    return heard


def show_cells(results: Results, claims: Claims) -> None:
    """The recurrent cells: speed and accuracy, and the twelve-bar form."""
    st.subheader("Recurrent cells: is Res-RNN faster?")
    show_claim(claims["cells"])
    show_table(cells_table(results))
    st.subheader("Twelve bars: which cell keeps its place?")
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
    versions = ", ".join(f"{name} {number}" for name, number in sorted(results.versions.items()))
    st.caption(
        f"Made by `python -m dj_core paper --corpus {results.corpus} --out DIR` with {versions}. "
        "The command, the seeds and every table: docs/reproduction.md."
    )


def show_hopes(results: Results, claims: Claims) -> None:
    """What the paper hoped for, with links to where it stands now."""
    st.subheader("What the paper hoped for")
    show_claim(claims["hopes"])
    for address, label in (
        ("generate", "Generate: a beat by genre, tempo and request"),
        ("jam", "Jam: the groove model as a second player"),
        ("listen", "Listen: drums from and for an audio file"),
        ("train", "Train: a model of your own files"),
    ):
        st.page_link(f"pages/{address}.py", label=label)
    st.caption(
        "The groove model is described in docs/groove-model.md, the dance styles in "
        "docs/styles.md, reading audio in docs/listening.md."
    )


def main() -> None:
    """The page, top down."""
    try:
        results = results_at_hand()
    except DigitalDJError as error:
        st.error(spoken(error))
        return
    claims = all_claims(results)
    show_lead(results, claims)
    for show in (
        show_accuracy,
        show_songs,
        show_openings,
        show_temperature,
        show_learning,
        show_notation,
        show_systems,
        show_samples,
        show_cells,
        show_corpus,
        show_hopes,
    ):
        show(results, claims)
    songs = [results.song(*name) for name in SONGS]
    songs += [song for which in SAMPLED for _, song in sampled_songs(results, which)]
    send_kit("paper_deck", [beat_of(song, results.drum_map) for song in songs])


open_page("Paper")
run_page(main)
