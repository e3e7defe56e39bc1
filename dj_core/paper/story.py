"""Text of the reproduction: for each claim, what the paper says and what was measured.

A number in a sentence is a cell of a table: `Cells` looks it up and notes where it comes from, so
that text and tables cannot differ. Verdicts depend on the results, so the text is true for another
corpus or run. Nothing in it supposes that the reader knows the paper, or what a network is made of.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from dj_core.paper.plan import BEST, FINAL
from dj_core.paper.results import Results, SystemResult
from dj_core.paper.songs import OPENINGS
from dj_core.paper.structure import one_bar_share
from dj_core.paper.tables import (
    ARCHIVE_FILES,
    CELL_LABELS,
    CELL_SYSTEMS,
    REST,
    SHORT,
    Table,
    all_tables,
    ngram_label,
    ranked,
    turning_points,
)

LOSS, ACCURACY = "validation cross-entropy, nats per note", "next-note accuracy"
LATER = "bars right, choruses 2 to 8"
_QUOTED = re.compile("\ue000(\\d+)\ue001(.*?)\ue002")
_SENTENCE = re.compile("(?<=[.!?])(?<!al\\.)\\s+(?=[A-Z“0-9\ue000])")


@dataclass(frozen=True)
class Source:
    """A number in a sentence, and the cell it comes from.

    Attributes:
        sentence: it stands in.
        text: of the cell, as it stands in the sentence.
        table, row, column: names of the table, the row (its first cell) and the column.
    """

    sentence: str
    text: str
    table: str
    row: str
    column: str


@dataclass(frozen=True)
class Claim:
    """One claim of the paper beside what was measured here.

    Attributes:
        paper: what the paper says.
        here: what was measured.
        difference: what follows.
        sources: of every number in them.
    """

    paper: str
    here: str
    difference: str
    sources: tuple[Source, ...] = ()


class Cells:
    """Cells of the tables, to be quoted in sentences."""

    def __init__(self, tables: Sequence[Table]) -> None:
        self._tables = {table.name: table for table in tables}
        self._quoted: list[tuple[str, str, str]] = []

    def text(self, table: str, row: str, column: str) -> str:
        """The text of a cell. KeyError where there is none."""
        found = self._tables[table]
        place = found.columns.index(column)
        for cells in found.rows:
            if cells[0] == row:
                return cells[place]
        raise KeyError((table, row, column))

    def __call__(self, table: str, row: str, column: str) -> str:
        """The text of a cell, marked as a quotation until `claim` or `lead` notes its place."""
        self._quoted.append((table, row, column))
        return f"\ue000{len(self._quoted) - 1}\ue001{self.text(table, row, column)}\ue002"

    def claim(self, paper: str, here: str, difference: str) -> Claim:
        """A claim, its quotations read as plain text."""
        sources = [source for text in (paper, here, difference) for source in self._sources(text)]
        return Claim(plain(paper), plain(here), plain(difference), tuple(sources))

    def _sources(self, text: str) -> list[Source]:
        return [
            Source(plain(sentence), words, *self._quoted[int(number)])
            for sentence in sentences(text)
            for number, words in _QUOTED.findall(sentence)
        ]


def sentences(text: str) -> list[str]:
    """The sentences of a text."""
    return _SENTENCE.split(text)


def plain(text: str) -> str:
    """A text without the marks of quotations."""
    return _QUOTED.sub(r"\2", text)


def all_claims(results: Results) -> dict[str, Claim]:
    """Every claim by what it is about, in the order a reader meets them."""
    cells = Cells(all_tables(results))
    makers = (_lead, _accuracy, _songs, _decoding, _notation, _systems, _samples, _cells, _form,
              _corpus, _learning, _hopes)  # fmt: skip
    found: dict[str, Claim] = {}
    for make in makers:
        found |= make(results, cells)
    return found


def sentences_table(results: Results) -> Table:
    """Every number in a sentence, and the cell it comes from."""
    return Table(
        "sentences",
        "Numbers in sentences",
        ("sentence", "number", "table", "row", "column"),
        tuple(
            (source.sentence, source.text, source.table, source.row, source.column)
            for claim in all_claims(results).values()
            for source in claim.sources
        ),
    )


def _lead(results: Results, q: Cells) -> dict[str, Claim]:
    """What the page begins with."""
    final, best = results.system(FINAL), results.system(BEST)
    return {
        "lead": q.claim(
            "Digital DJ began with a student paper: Cannon Lock, Prithvi Tanna and Nicole "
            "Athanasiou trained a small recurrent network to write drum beats, note by note, from "
            f"{q('paper', 'files', 'value')} MIDI files. This page repeats their experiments, "
            "trains the systems they cite on the same songs, and shows what predicts drum beats "
            "better.",
            "A network is measured by its cross-entropy in nats per note on songs it was not "
            "trained on: the mean of the negative logarithm of the probability it gave to each "
            "next note (teacher forcing: it reads the drummer's own notes before it). Lower is "
            f"better. Blind guessing has {q('corpus', 'blind guessing, nats per note', 'here')} "
            f"nats; a unigram model, which knows only how frequent each note is, "
            f"{q('systems', 'unigram', LOSS)}.",
            f"The paper's network ({final.label}) has {q('systems', final.label, LOSS)} nats per "
            f"note, an n-gram {q('systems', ngram_label(results), LOSS)}, notes-best "
            f"{q('systems', best.label, LOSS)}.",
        )
    }


def _accuracy(results: Results, q: Cells) -> dict[str, Claim]:
    networks = [system for system in results.systems if system.group == "paper"]
    in_paper = max(networks, key=lambda system: system.paper_accuracy or 0)
    in_truth = max(networks, key=lambda system: max(system.accuracies(way="looped")))
    order = "By next-note accuracy the same network is best. "
    if in_truth.name != in_paper.name:
        order = f"By next-note accuracy {in_truth.label} is the best of the three. "
    echo = "the authors' accuracy, best epoch"
    counted = "; ".join(
        f"{system.label}: authors' accuracy up to {q('table-1', system.label, echo)}, next-note "
        f"accuracy {q('table-1', system.label, ACCURACY)}"
        for system in networks
    )
    stated = [f"accuracy, {what}" for what in ("two layers of 32, learning rate 0.0005",
                                               "one layer of 128")]  # fmt: skip
    return {
        "accuracy": q.claim(
            "Two layers of 32 units with a low learning rate are best: "
            f"{q('paper', stated[0], 'value')} of the notes are predicted correctly, against "
            f"{q('paper', stated[1], 'value')} for one layer of 128.",
            f"{counted}.",
            f"{order}The authors' code gives the network the same notes that it is then compared "
            "with, so their accuracy is the share of input notes that it repeats. Predicting a "
            f"rest every time has {q('table-1', REST, ACCURACY)} by either measure.",
        )
    }


def _songs(results: Results, q: Cells) -> dict[str, Claim]:
    """Figures 1 to 3."""
    best = results.system(BEST)
    said = (
        "Greedy decoding (always the most probable note) gives a song of "
        f"{q('paper', 'different notes, greedy decoding', 'value')} different notes.",
        "Sampling from the network's probabilities gives "
        f"{q('paper', 'different notes, temperature 1', 'value')} different notes in a song.",
        "Temperature 5 gives "
        f"{q('paper', 'different notes, temperature 5', 'value')} different notes, none played "
        "more than "
        f"{q('paper', 'plays of the most frequent note, temperature 5', 'value')} times.",
    )
    stays = "."
    if best.distinct["1"] < 3 * results.facts.song_distinct:
        stays = ", and a model that has learned what a song is stays within its song."
    row = "{}, short songs in a row".format
    follows = (
        "Both networks collapse into a short loop; a better network does so too. The reason is "
        "given below.",
        "A higher number of different notes is not better by itself. A drummer's song has "
        f"{q('distinct', 'drummers, one held-out song (median)', 'temperature 1')} different "
        f"notes{stays} One short song after another, as drummers' files are, has "
        f"{q('distinct', row(SHORT[BEST]), 'temperature 1')} in 500 notes for notes-best, "
        f"{q('distinct', row(SHORT[FINAL]), 'temperature 1')} for the paper's network and "
        f"{q('distinct', 'drummers, held-out songs in a row', 'temperature 1')} for drummers.",
        "At temperature 5 the probabilities are nearly equal for all notes of the vocabulary, so "
        "little of what was learned remains.",
    )
    columns = ("greedy decoding", "temperature 1", "temperature 5")
    claims = {}
    for number, column in enumerate(columns, start=1):
        here = (
            f"Median of three seeds: {q('distinct', SHORT[FINAL], column)} different notes for the "
            f"paper's network, {q('distinct', BEST, column)} for notes-best, "
            f"{q('distinct', 'n-gram', column)} for the n-gram."
        )
        claims[f"figure-{number}"] = q.claim(said[number - 1], here, follows[number - 1])
    return claims


def _decoding(results: Results, q: Cells) -> dict[str, Claim]:
    """How the next note is chosen: the most probable one, or sampled at a temperature."""
    lone, heard = (f"{SHORT[BEST]}, {given} given" for given in OPENINGS)
    paper = f"{SHORT[FINAL]}, {OPENINGS[1]} given"
    losses = {p.temperature: p.loss for p in results.temperatures[BEST] if p.loss is not None}
    alike = [at for at, loss in losses.items() if loss < min(losses.values()) + 0.005]
    least, highest = min(alike, key=lambda at: abs(at - 1.0)), max(losses)
    at = f"{SHORT[BEST]}, temperature {{:g}}".format
    verdict = (
        f"A temperature of about {least:g} fits held-out songs better than the authors' choice."
    )
    if abs(least - 1.0) < 0.3:
        verdict = "The measurements support the authors' choice."
    own, human = "nats per note, the model's own", "different notes, drummers' songs"
    distinct = "different notes in 500"
    return {
        "openings": q.claim(
            "Greedy decoding degenerates “into a two note sequence”; sampling prevents it.",
            "Started from one note, notes-best generates "
            f"{q('openings', lone, 'different notes')} different notes, at "
            f"{q('openings', lone, own)} nats per note by its own probabilities; drummers' loops "
            f"have {q('systems', BEST, 'validation songs looped')} nats. After the first "
            f"{OPENINGS[1]} notes of a held-out song it generates "
            f"{q('openings', heard, 'different notes')} different notes (the paper's network "
            f"{q('openings', paper, 'different notes')}) at {q('openings', heard, own)} nats; "
            f"those songs have {q('openings', heard, human)}.",
            "Greedy decoding of such models collapses: each repeat of a short loop makes the next "
            "repeat more probable, until the loop is more probable than what drummers play. "
            "Sampling shows what a model has learned; greedy decoding does not.",
        ),
        "temperature": q.claim(
            "Temperature 1 is kept, “because we did not want to introduce too much randomness”.",
            f"notes-best predicts held-out songs best at temperature {least:g}: "
            f"{q('temperature', at(least), LOSS)} nats per note, against "
            f"{q('temperature', at(highest), LOSS)} at temperature {highest:g}. Its song of 500 "
            f"notes has {q('temperature', at(1.0), distinct)} different notes at temperature 1 and "
            f"{q('temperature', at(highest), distinct)} at temperature {highest:g}.",
            f"{verdict} Above it the number of different notes rises and held-out songs become "
            "less probable.",
        ),
    }


def _notation(results: Results, q: Cells) -> dict[str, Claim]:
    return {
        "figure-5": q.claim(
            "“Image of a generated song segment and its pieces”, every note a half-note.",
            "Four bars of the paper's network, and four of notes-best, on a drum staff.",
            "The paper gives every note the same length, so its bar lines have no meaning; "
            "notes-best also learned the time to the next note, so its bars are real bars.",
        )
    }


def _systems(results: Results, q: Cells) -> dict[str, Claim]:
    best = results.system(BEST)
    others = sorted((s for s in results.systems if s.group != "ours"), key=SystemResult.loss)
    floor = results.floor.scores["validation"]["once"].loss
    behind = [system.label for system in others if system.loss() > floor]
    reach = "All of them are better than the n-gram"
    if behind:
        reach = f"Not better than the n-gram: {listed(behind)}"
    cited = [system for system in others if system.group == "cited"]
    beaten = ""
    if len(cited) > 1:
        order = ", ".join(f"{s.label} {q('systems', s.label, LOSS)}" for s in cited)
        beaten = f" Cited systems and cells in order: {order}."
    open_ = [s.label for s in results.systems if any(run.ended == "stopped" for run in s.runs)]
    unfinished = f" Training was not finished for {listed(open_)}." if open_ else ""
    verdict = f"{others[0].label} is the best system here."
    if best.loss() < min(others[0].loss(), floor):
        verdict = (
            "notes-best is better than all of them, though not the largest: it treats chords as "
            "sets of drums, points back to earlier notes of the song, and reads the times."
        )
        first = ranked(results)[0]
        if first.name != BEST:
            verdict += (
                f" The least cross-entropy, {q('systems', first.label, LOSS)}, is that of "
                f"{first.label}: it need not know when notes are played, and "
                "its songs have no rhythm of their own."
            )
    return {
        "systems": q.claim(
            "The paper builds on larger networks of the same kind and compares itself with none "
            "of them.",
            f"On held-out songs notes-best has {q('systems', best.label, LOSS)} nats per note; the "
            f"best of the paper's and the cited systems, {others[0].label}, "
            f"{q('systems', others[0].label, LOSS)}; the n-gram "
            f"{q('systems', ngram_label(results), LOSS)}. {reach}.{beaten}{unfinished}",
            verdict,
        )
    }


def _samples(results: Results, q: Cells) -> dict[str, Claim]:
    at_one = "different notes at temperature 1"
    known = [system.label for system in ranked(results) if system.samples]
    said = ", ".join(
        f"{label} {q('samples', label, at_one)}" for label in [*known, ngram_label(results)]
    )
    own = "different notes nearest to the drummers'"
    return {
        "samples": q.claim(
            "The paper compares its songs with no other system's.",
            "Every system continues the same two bars of a held-out song, here in the paper's "
            "even rhythm for all of them. Different notes of a continuation at temperature 1: "
            f"{said}; the drummer's own {q('samples', 'the drummer', own)}.",
            "Each can be heard at temperature 1, at the temperature at which it predicts held-out "
            "songs best, and at the one at which it plays about as many different notes as "
            "drummers do.",
        )
    }


def _cells(results: Results, q: Cells) -> dict[str, Claim]:
    """Res-RNN's claim: as accurate as LSTM and GRU, and faster."""
    known = {system.name: system for system in results.systems}
    train, generate = "training, notes per CPU s", "generating, notes per CPU s"
    speeds = "; ".join(
        f"{CELL_LABELS[found.cell]} {q('cells', CELL_LABELS[found.cell], train)} and "
        f"{q('cells', CELL_LABELS[found.cell], generate)}"
        for found in results.speeds
    )
    trained = [found.cell for found in results.speeds if CELL_SYSTEMS[found.cell] in known]
    losses = ", ".join(f"{CELL_LABELS[cell]} {q('cells', CELL_LABELS[cell], LOSS)}"
                       for cell in trained)  # fmt: skip
    orders = [
        ", ".join(
            CELL_LABELS[found.cell]
            for found in sorted(results.speeds, key=lambda found: -getattr(found, what))
        )
        for what in ("training", "generating")
    ]
    accuracy = "The accuracy of all cells is not measured yet in these results."
    if len(trained) == len(results.speeds):
        order = sorted(trained, key=lambda cell: known[CELL_SYSTEMS[cell]].loss())
        accuracy = f"By loss, best first: {', '.join(CELL_LABELS[cell] for cell in order)}."
    return {
        "cells": q.claim(
            "Res-RNNs are as accurate as LSTM and GRU on music, and faster in training and "
            "predicting (Yue, Fu and Liang 2018).",
            f"One layer of 128 units each, notes per CPU second in training and generating: "
            f"{speeds}. Validation cross-entropy in nats per note: {losses}.",
            f"Fastest first, in training: {orders[0]}; in generating: {orders[1]}. {accuracy} "
            "torch's own layers are compiled and the Res-RNN's steps are not, so a compiled "
            "Res-RNN could be faster.",
        )
    }


def _form(results: Results, q: Cells) -> dict[str, Claim]:
    """Eck and Schmidhuber's claim: an LSTM keeps a form over twelve bars."""
    later = {found.cell: found.later for found in results.form}
    order = sorted(later, key=lambda cell: -later[cell])
    shares = ", ".join(
        f"{CELL_LABELS[cell]} {q('form', CELL_LABELS[cell], LATER)} (training loss "
        f"{q('form', CELL_LABELS[cell], 'training loss, nats per stroke')})"
        for cell in order
    )
    floor = one_bar_share()
    keep = [CELL_LABELS[cell] for cell in order if later[cell] > floor + 0.01]
    lose = [CELL_LABELS[cell] for cell in order if later[cell] <= floor + 0.01]
    kept = f"Better than that: {listed(keep)}" if keep else "No cell is better than that"
    lost = f"; no better: {listed(lose)}" if keep and lose else ""
    return {
        "form": q.claim(
            "Plain recurrent networks lose their place in a song; LSTMs keep the global structure "
            "(Eck and Schmidhuber 2002).",
            "Left to continue a twelve-bar form by greedy decoding, bars right in choruses 2 to "
            f"8: {shares}.",
            "Repeating the most frequent bar has "
            f"{q('form', 'the most frequent bar, repeated', LATER)} of the bars right. "
            f"{kept}{lost}.",
        )
    }


def listed(names: Sequence[str]) -> str:
    """Names in a row, the last after 'and'."""
    return names[0] if len(names) == 1 else f"{'; '.join(names[:-1])} and {names[-1]}"


def _corpus(results: Results, q: Cells) -> dict[str, Claim]:
    """What the files are, how they are split, and what is done with their lengths."""
    facts = results.facts
    here, words = "here", "different words"
    reading = "The number depends on how chords are spelled."
    if sum(facts.songs.values()) == ARCHIVE_FILES:  # the paper's own: why it counts fewer
        old = q("vocabulary", "the authors' way of reading, music21 6.7.1", words)
        new = q("vocabulary", "the authors' way of reading, music21 10.5.1", words)
        reading = (
            "The version of music21 explains the paper's number: read as the authors read, version "
            f"6.7.1 finds {old} different notes in these files and version 10.5.1 {new}."
        )
    names = {system.name: system for system in results.systems}
    looped, once = names.get("paper-1x128"), names.get("paper-1x128-once")
    trained = times = ""
    if looped and once:
        trained = (
            f" Trained on each song once through instead, the network of one layer has "
            f"{q('systems', once.label, LOSS)} nats per note on songs once through, against "
            f"{q('systems', looped.label, LOSS)} when trained on loops."
        )
    if pointing := names.get("ours-pointing"):
        times = (
            f" Reading the times too takes our network from {q('systems', pointing.label, LOSS)} "
            f"to {q('systems', BEST, LOSS)} nats."
        )
    count = "different notes, chords and rests"
    named = {"sets": "… a note once that is struck twice in a chord",
             "drums": "… the drums that the notes stand for"}  # fmt: skip
    return {
        "corpus": q.claim(
            f"{q('paper', 'files', 'value')} files give about "
            f"{q('paper', 'notes, chords and rests', 'value')} different notes, chords and rests.",
            f"{q('corpus', 'songs', here)} files give {q('corpus', count, here)}; "
            f"{q('corpus', 'rests among them', here)} of all {q('corpus', 'notes in all', here)} "
            f"notes are rests, and {q('corpus', 'held-out notes never seen in training', here)} of "
            "held-out notes occur in no training song. Writing a note once that is struck twice in "
            f"a chord leaves {q('vocabulary', named['sets'], words)}; naming drums instead of "
            f"notes, {q('vocabulary', named['drums'], words)}.",
            f"{reading} {q('corpus', 'notes that occur in one song only', here)} of the different "
            "notes occur in one song only: they are chords made of a few drums, and a network that "
            "treats each as an unrelated word cannot learn them.",
        ),
        "split": q.claim(
            f"{q('paper', 'training, validation and test files', 'value')} of the files for "
            "training, validation and test, drawn by file.",
            "Drawn so, "
            f"{q('corpus', 'held-out files with a near-duplicate in training', here)}"
            " of the held-out files have a near-duplicate among the training files, and the same "
            "n-gram has "
            f"{q('corpus', 'n-gram, nats per note, split by file', here)} nats per note instead of "
            f"{q('corpus', 'n-gram, nats per note, split by family', here)}.",
            "With a split by file, a part of the test is memory. All figures here keep families of "
            "near-duplicates on one side.",
        ),
        "length": q.claim(
            "Beats are cyclic, so all are extended to one length and nothing needs padding; every "
            "note has the same length.",
            f"Extended to {q('corpus', 'notes of the longest song', here)} notes, "
            f"{q('corpus', 'repetitions after cyclic extension', here)} of the "
            f"training notes are repetitions.{trained} With one length for all, "
            f"{q('corpus', 'strokes in place, every note half a quarter', here)} of "
            f"the strokes are where their drummer played them.{times}",
            "Cyclic extension teaches repeating, and one length for all loses the rhythm. Writing "
            "the time to the next note after each note keeps it.",
        ),
    }


def _learning(results: Results, q: Cells) -> dict[str, Claim]:
    """What the curves of the paper's network show; nothing where there are none."""
    points = turning_points(results)
    if not points:
        return {}
    (_, early, low), (_, worst, high), (_, best, _), _ = points
    at = {what: (q("learning", what, "value"), q("learning", what, "epoch"))
          for what, *_ in points}  # fmt: skip
    (first, first_at), (top, top_at), (least, least_at), (trained, trained_at) = at.values()
    descent = "There is no double descent in this run."
    if early < worst < best and high > low + 0.02:
        descent = "The validation loss does fall twice."
    claims = {
        "figure-4": q.claim(
            f"Over {q('paper', 'epochs', 'value')} epochs both losses fall, with “a case of double "
            "drop descent”.",
            f"Training loss is {trained} nats per note at epoch {trained_at}. Validation loss is "
            f"{first} at epoch {first_at}, {top} at {top_at} and {least} at {least_at}.",
            f"{descent} A unigram model has {q('table-1', 'unigram', LOSS)} on the same songs: "
            "most of the fall in training loss does not carry over to held-out songs.",
        )
    }
    if any(point.authors_accuracy is not None for point in results.curves[FINAL]):
        rows = [f"authors' accuracy, {which}" for which in ("highest", "last")]
        (peak, peak_at), (last, last_at) = (
            (q("learning", row, "value"), q("learning", row, "epoch")) for row in rows
        )
        claims["peak"] = q.claim(
            "Accuracy is highest in one of the first five epochs and then falls; the best network "
            f"reached {q('paper', 'test accuracy of the best network', 'value')} on the test songs "
            "“by using a strategy of predicting rests”.",
            f"The authors' accuracy is highest at epoch {peak_at} with {peak} and {last} at epoch "
            f"{last_at}.",
            "Early in training the network predicts a rest everywhere, which their accuracy "
            "rewards; as it learns which note comes next, it repeats its input less.",
        )
    return claims


def _hopes(results: Results, q: Cells) -> dict[str, Claim]:
    """What the paper hoped for, and where it stands now."""
    return {
        "hopes": q.claim(
            "“In the future, it might be possible to have the model generate music based on a "
            "specific genre or request. Additionally, we could try out different formats of audio "
            "data”.",
            "Genre: notes-best is conditioned on the genres of the paper's corpus, and the groove "
            "model on these, on those of the drummers it learned from and on dance styles. "
            "Request: the groove model also takes tempo, meter, density, loudness, role and "
            "energy. Formats: the groove model reads and writes velocity and timing beside the "
            "notes; the Listen page reads audio files, and takes are saved as MIDI or audio.",
            "Both hopes are met in this program. Whether another format gives better music than "
            "MIDI was not tested: audio is turned into MIDI first.",
        )
    }
