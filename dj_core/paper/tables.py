"""The tables of a reproduction, as CSV and Markdown.

Every number that a sentence of the page or the document quotes is a cell of one of these tables;
see `story`.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from dj_core.corpus.near_duplicates import SPLIT_SHARES
from dj_core.paper.facts import CorpusFacts
from dj_core.paper.plan import BEST, FINAL, PATIENCE
from dj_core.paper.results import Results, SystemResult
from dj_core.paper.scoring import NoteScore
from dj_core.paper.songs import SAMPLE_GIVEN, SAMPLE_NOTES
from dj_core.paper.structure import CONVERGED, one_bar_share

PAPER_DISTINCT = {"0": 3, "1": 105, "5": 406}
PAPER_VOCABULARY = 1_200
PAPER_STATES = (
    ("files", "1,800", "abstract"),
    ("notes, chords and rests", "1,200", "section 3.1"),
    ("training, validation and test files", "75%, 10% and 15%", "section 4.3"),
    ("accuracy, one layer of 128", "8.96%", "Table 1"),
    ("accuracy, two layers of 32, learning rate 0.0005", "38.05%", "Table 1"),
    ("test accuracy of the best network", "40%", "section 5.2"),
    ("different notes, greedy decoding", "3", "Figure 1"),
    ("different notes, temperature 1", "105", "Figure 2"),
    ("different notes, temperature 5", "406", "Figure 3"),
    ("plays of the most frequent note, temperature 5", "4", "Figure 3"),
    ("epochs", "50", "Figure 4"),
)
ARCHIVE_FILES = 1_544
# benchmarks/note_vocabulary.py over the archive's files, under either version of music21
ARCHIVE_VOCABULARY = {"6.7.1": 1_156, "10.5.1": 1_718}
NAMINGS = {
    "durations": "… each with its duration, as the authors' code can",
    "sets": "… a note once that is struck twice in a chord",
    "octaveless": "… octaves left out",
    "drums": "… the drums that the notes stand for",
    "parts": "… single notes in place of chords",
}
REST = "rest every time"
ENDINGS = {"budget": "all epochs", "patience": "patience", "stopped": "stopped, unfinished"}
STEPS = ("paper-1x128", "paper-1x128-once", "ours-trained", "ours-primed", "ours-pointing", BEST)


SHORT = {FINAL: "the paper's network", BEST: BEST}
CELL_LABELS = {"lstm": "LSTM", "gru": "GRU", "rnn": "plain RNN", "res-rnn": "Res-RNN"}
CELL_SYSTEMS = {
    "lstm": "paper-1x128", "gru": "gru-1x128", "rnn": "rnn-1x128", "res-rnn": "res-rnn-1x128",
}  # fmt: skip


@dataclass(frozen=True)
class Table:
    """A table with a name for its file and a sentence on what it says.

    Attributes:
        columns: their heads.
        rows: cells as text, as many as columns.
    """

    name: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    says: str = ""

    def csv(self) -> str:
        """With commas, for a spreadsheet."""
        file = io.StringIO()
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(self.columns)
        writer.writerows(self.rows)
        return file.getvalue()

    def markdown(self) -> str:
        """For a reader."""
        lines = [self.columns, ("---",) * len(self.columns), *self.rows]
        escaped = [[cell.replace("|", r"\|") for cell in line] for line in lines]
        return "\n".join(f"| {' | '.join(line)} |" for line in escaped) + "\n"


def all_tables(results: Results) -> tuple[Table, ...]:
    """Every table, in the order a reader wants them."""
    makers = (table_1, systems_table, steps_table, distinct_table, openings_table,
              temperature_table, learning_table, samples_table, cells_table, form_table,
              corpus_table, vocabulary_table)  # fmt: skip
    paper = Table("paper", "What the paper states", ("statement", "value", "where"), PAPER_STATES)
    return (paper, *(make(results) for make in makers))


def over_seeds(values: Sequence[float], digits: int = 3, *, shares: bool = False) -> str:
    """The mean and, of several seeds, the sample standard deviation."""
    scale, unit = (100, "%") if shares else (1, "")
    mean = f"{fmean(values) * scale:.{digits}f}{unit}"
    return f"{mean} ± {stdev(values) * scale:.{digits}f}{unit}" if len(values) > 1 else mean


def table_1(results: Results) -> Table:
    """The paper's Table 1, three ways."""
    floor = results.floor
    score = floor.scores["validation"]["looped"]
    rest = percent(floor.rest_accuracy["validation"]["looped"])
    networks = [system for system in results.systems if system.group == "paper"]
    rows: list[tuple[str, ...]] = [
        (REST, "", rest, rest, rest, "", "", ""),
        ("unigram", "", "", "", "", nats(floor.frequencies_loss["validation"]["looped"]), "", ""),
        (ngram_label(results), "", "", "", percent(score.accuracy), nats(score.loss), "", ""),
    ]
    for system in networks:
        epoch, peak = authors_peak(results, system)
        rows.append(
            (
                system.label, percent(system.paper_accuracy),
                "" if peak is None else f"{percent(peak)} (epoch {epoch})",
                percent(system.runs[0].authors_accuracy),
                over_seeds(system.accuracies(way="looped"), 1, shares=True),
                over_seeds(system.losses(way="looped")),
                _by_seed(run.epochs for run in system.runs), str(len(system.runs)),
            )
        )  # fmt: skip
    return Table(
        "table-1",
        "Table 1: validation accuracy",
        (
            "network", "accuracy in the paper", "the authors' accuracy, best epoch",
            "the authors' accuracy, epoch of least loss", "next-note accuracy",
            "validation cross-entropy, nats per note", "epochs run", "seeds",
        ),
        tuple(rows),
        "Validation songs extended cyclically, as in the paper. Mean ± standard deviation over "
        "seeds; the authors' accuracy is of seed 1. The authors' code feeds the network the notes "
        "it is then compared with, so their accuracy is the share of input notes repeated.",
    )  # fmt: skip


def _by_seed(numbers: Iterable[int]) -> str:
    """One number for each seed."""
    return ", ".join(map(str, numbers))


def ngram_label(results: Results) -> str:
    """The n-gram's name in the tables."""
    return f"n-gram of order {results.floor.order}, Witten-Bell"


def authors_peak(results: Results, system: SystemResult) -> tuple[int, float | None]:
    """The epoch with the highest accuracy by the authors' count, and that accuracy.

    Of epochs that come out alike it is the first. The epoch that was kept is always counted.
    """
    counted = {
        point.epoch: point.authors_accuracy
        for point in results.curves.get(system.name, ())
        if point.authors_accuracy is not None
    }
    first = system.runs[0]
    if first.authors_accuracy is not None:
        counted.setdefault(first.best_epoch, first.authors_accuracy)
    if not counted:
        return first.best_epoch, None
    epoch = max(sorted(counted), key=lambda number: counted[number])
    return epoch, counted[epoch]


def systems_table(results: Results) -> Table:
    """Every system on the same held-out songs."""
    floor = results.floor
    rows: list[tuple[str, ...]] = []
    unigram = floor.frequencies_loss
    rows.append(
        (
            "unigram", nats(unigram["validation"]["once"]), "",
            nats(unigram["validation"]["looped"]), nats(unigram["test"]["once"]),
            *[""] * 10,
        )
    )  # fmt: skip
    once = floor.scores["validation"]["once"]
    rows.append(
        (
            ngram_label(results), nats(once.loss), _interval(once),
            nats(floor.scores["validation"]["looped"].loss),
            nats(floor.scores["test"]["once"].loss), percent(once.accuracy),
            *[""] * 5, f"{floor.counts:,} counts", "",
            f"{results.ngram_notes_per_second:,.0f}", f"{results.ngram_distinct['1']:.0f}",
        )
    )  # fmt: skip
    for system in ranked(results):
        runs = system.runs
        rows.append(
            (
                system.label, over_seeds(system.losses()),
                _interval(runs[0].scores["validation"]["once"]),
                over_seeds(system.losses(way="looped")), over_seeds(system.losses("test")),
                over_seeds(system.accuracies(), 1, shares=True),
                _by_seed(run.epochs for run in runs), _by_seed(run.best_epoch for run in runs),
                f"{system.budget} ({'published' if system.published else 'ours'})",
                ", ".join(dict.fromkeys(ENDINGS[run.ended] for run in runs)), str(len(runs)),
                f"{system.parameters:,}",
                f"{system.cpu_seconds:.1f}" if system.cpu_seconds else "",
                f"{system.notes_per_second:,.0f}", f"{system.distinct['1']:.0f}",
            )
        )  # fmt: skip
    return Table(
        "systems",
        "Every system on the same songs",
        (
            "system", "validation cross-entropy, nats per note", "95% over songs, seed 1",
            "validation songs looped", "test cross-entropy", "next-note accuracy", "epochs run",
            "best epoch", "budget", "ended by", "seeds", "weights", "CPU s per epoch",
            "notes per CPU s", "different notes in 500, temperature 1",
        ),
        tuple(rows),
        "Mean ± standard deviation over seeds. The best epoch by validation loss is measured. "
        f"Patience: {PATIENCE} epochs without a better validation loss.",
    )  # fmt: skip


def _interval(score: NoteScore) -> str:
    return f"{nats(score.low)} to {nats(score.high)}"


def ranked(results: Results) -> list[SystemResult]:
    """Systems from the least validation loss on songs once through to the most."""
    return sorted(results.systems, key=SystemResult.loss)


def steps_table(results: Results) -> Table:
    """From the paper's best network to ours, change by change."""
    known = {system.name: system for system in results.systems}
    chain = [known[name] for name in STEPS if name in known]
    rows: list[tuple[str, ...]] = [
        (
            system.label, over_seeds(system.losses()),
            f"{before.loss() - system.loss():+.3f}" if before else "",
            over_seeds(system.losses(way="looped")),
            over_seeds(system.accuracies(), 1, shares=True),
            _by_seed(run.epochs for run in system.runs),
        )
        for before, system in zip([None, *chain], chain, strict=False)
    ]  # fmt: skip
    return Table(
        "steps",
        "What each change brings",
        (
            "network", "validation cross-entropy, nats per note", "gained",
            "validation songs looped", "next-note accuracy", "epochs run",
        ),
        tuple(rows),
        "Each row keeps what the rows above it changed. Mean ± standard deviation over seeds.",
    )  # fmt: skip


def openings_table(results: Results) -> Table:
    """Greedy decoding after the beginnings of held-out songs."""
    rows: list[tuple[str, ...]] = [
        (
            f"{SHORT[found.model]}, {found.given} given", f"{found.distinct:.0f}",
            f"{found.human:.0f}", nats(found.loss),
        )
        for found in results.openings
    ]  # fmt: skip
    return Table(
        "openings",
        "Greedy decoding after the first notes of a held-out song",
        (
            "network", "different notes", "different notes, drummers' songs",
            "nats per note, the model's own",
        ),
        tuple(rows),
        "200 notes after each of twelve validation songs; medians over songs, means of the loss.",
    )  # fmt: skip


def temperature_table(results: Results) -> Table:
    """Different notes and loss by temperature."""
    rows: list[tuple[str, ...]] = [
        (
            f"{SHORT[name]}, temperature {point.temperature:g}", f"{point.distinct:.0f}",
            "" if point.loss is None else nats(point.loss),
        )
        for name in SHORT
        for point in results.temperatures[name]
    ]  # fmt: skip
    return Table(
        "temperature",
        "Temperature",
        ("network", "different notes in 500", "validation cross-entropy, nats per note"),
        tuple(rows),
        "Songs of seed 1; validation songs once through, the logits divided by the temperature.",
    )


def learning_table(results: Results) -> Table:
    """The turning points of Figure 4."""
    rows: list[tuple[str, ...]] = [
        (label, str(epoch), nats(loss)) for label, epoch, loss in turning_points(results)
    ]
    curve = results.curves.get(FINAL, ())
    right = {p.epoch: p.authors_accuracy for p in curve if p.authors_accuracy is not None}
    if right:
        peak = max(right, key=right.__getitem__)
        for label, epoch in (("highest", peak), ("last", max(right))):
            rows.append((f"authors' accuracy, {label}", str(epoch), percent(right[epoch])))
    return Table(
        "learning", "Figure 4: turning points", ("what", "epoch", "value"), tuple(rows),
        "The paper's network, seed 1: loss in nats per note, validation songs looped.",
    )  # fmt: skip


def turning_points(results: Results) -> list[tuple[str, int, float]]:
    """Losses of the paper's network at the epochs that tell the shape of its curve.

    The first minimum of the validation loss, the highest point after it, the least of all, and the
    last training loss; nothing without a curve.
    """
    curve = [p for p in results.curves.get(FINAL, ()) if p.validation_loss is not None]
    losses = {p.epoch: p.validation_loss or 0.0 for p in curve}
    if not losses:
        return []
    best, early = (min(epochs, key=losses.__getitem__) for epochs in (losses, list(losses)[:10]))
    between = [epoch for epoch in losses if early <= epoch <= best] or [early]
    worst = max(between, key=losses.__getitem__)
    return [
        ("validation loss, first minimum", early, losses[early]),
        ("validation loss, maximum after it", worst, losses[worst]),
        ("validation loss, minimum", best, losses[best]),
        ("training loss, last", curve[-1].epoch, curve[-1].train_loss),
    ]


def samples_table(results: Results) -> Table:
    """Every system continuing one song, and its best temperatures."""
    systems = ranked(results)
    rows: list[tuple[str, ...]] = [
        ("the drummer", "", "", "", str(results.drummer.distinct), ""),
        (ngram_label(results), "", "", str(results.ngram_sample.distinct), "", ""),
        *(
            (
                system.label, f"{found.by_loss:g}", nats(found.least_loss),
                f"{found.distinct[0]:g}", f"{found.distinct[1]:g}", f"{found.by_distinct:g}",
            )
            for system in systems
            if (found := system.samples)
        ),
    ]  # fmt: skip
    return Table(
        "samples",
        "The same song, continued by every system",
        (
            "system", "temperature of least validation loss", "that loss, nats per note",
            "different notes at temperature 1", "different notes nearest to the drummers'",
            "at temperature",
        ),
        tuple(rows),
        f"{SAMPLE_NOTES - SAMPLE_GIVEN} notes after the first {SAMPLE_GIVEN} of validation songs; "
        "medians over six songs, for the drummer and the n-gram the one song to hear.",
    )  # fmt: skip


def cells_table(results: Results) -> Table:
    """The recurrent cells in one set-up: loss and speed."""
    known = {system.name: system for system in results.systems}
    rows: list[tuple[str, ...]] = []
    for speed in results.speeds:
        system = known.get(CELL_SYSTEMS[speed.cell])
        measured = ("", "", "", "")
        if system:
            measured = (
                over_seeds(system.losses()),
                over_seeds(system.accuracies(), 1, shares=True),
                _by_seed(run.epochs for run in system.runs),
                ", ".join(dict.fromkeys(ENDINGS[run.ended] for run in system.runs)),
            )
        rows.append(
            (
                CELL_LABELS[speed.cell], f"{speed.weights:,}", f"{speed.training:,.0f}",
                f"{speed.generating:,.0f}", *measured,
            )
        )  # fmt: skip
    return Table(
        "cells",
        "Recurrent cells, one layer of 128",
        (
            "cell", "weights", "training, notes per CPU s", "generating, notes per CPU s",
            "validation cross-entropy, nats per note", "next-note accuracy", "epochs run",
            "ended by",
        ),
        tuple(rows),
        "One set-up, only the cell differs. Speeds: one thread, four songs of 158 notes a step, "
        "median of three rounds in turns. LSTM, GRU and plain RNN are torch's compiled layers, "
        "the Res-RNN's steps run in Python.",
    )  # fmt: skip


def distinct_table(results: Results) -> Table:
    """Different notes in 500 at each temperature."""
    facts = results.facts
    played = {
        SHORT[FINAL]: results.system(FINAL).distinct,
        SHORT[BEST]: results.system(BEST).distinct,
        "n-gram": results.ngram_distinct,
    }
    rows: list[tuple[str, ...]] = [
        ("the paper", *map(str, PAPER_DISTINCT.values())),
        *((name, *(f"{counts[key]:.0f}" for key in PAPER_DISTINCT))
          for name, counts in played.items()),
        *((f"{SHORT[name]}, short songs in a row", "", str(results.fresh[name]), "")
          for name in SHORT),
        ("drummers, one held-out song (median)", "", f"{facts.song_distinct:.0f}", ""),
        ("drummers, held-out songs in a row", "", f"{facts.consecutive_distinct:.0f}", ""),
    ]  # fmt: skip
    return Table(
        "distinct",
        "Different notes in 500",
        ("generated by", "greedy decoding", "temperature 1", "temperature 5"),
        tuple(rows),
        "Medians over three seeds of songs of 500 notes; short songs in a row: one generated song "
        "of a drummer's length after another.",
    )


def corpus_table(results: Results) -> Table:
    """The corpus's numbers beside the paper's."""
    facts, leak = results.facts, results.leak
    total = sum(facts.songs.values())
    shares = ", ".join(f"{name} {count / total:.0%}" for name, count in _by_split(facts))
    rows: list[tuple[str, ...]] = [
        ("songs", "1,800", f"{total:,}"),
        ("different notes, chords and rests", f"about {PAPER_VOCABULARY:,}",
         f"{facts.vocabulary:,} (music21 {facts.music21})"),
        ("blind guessing, nats per note", "", nats(math.log(facts.vocabulary))),
        ("notes that occur in one song only", "",
         f"{facts.namings['in_one_song'] / facts.vocabulary:.0%}"),
        ("notes in all", "", f"{facts.notes:,}"),
        ("rests among them", "“the most occurring note”", percent(facts.rests)),
        ("split", "75 / 10 / 15% by file", f"{shares}, by family of near-duplicates"),
        ("held-out files with a near-duplicate in training", "",
         percent(leak.siblings)),
        ("n-gram, nats per note, split by file", "", nats(leak.by_file)),
        ("n-gram, nats per note, split by family", "", nats(leak.by_family)),
        ("held-out notes never seen in training", "", percent(facts.unseen)),
        ("notes of the longest song", "", f"{facts.longest}"),
        ("notes of the median song", "", f"{facts.median_length:.0f}"),
        ("repetitions after cyclic extension", "none needed padding",
         percent(facts.copies)),
        ("strokes in place, every note half a quarter", "all “half-notes”",
         percent(facts.in_place)),
    ]  # fmt: skip
    return Table("corpus", "The corpus", ("", "in the paper", "here"), tuple(rows))


def vocabulary_table(results: Results) -> Table:
    """How many different words the corpus has, by who writes them down and how."""
    facts = results.facts
    counts = {f"read for this run, music21 {facts.music21}": facts.vocabulary}
    if sum(facts.songs.values()) == ARCHIVE_FILES:
        counts = {
            f"the authors' way of reading, music21 {number}": count
            for number, count in ARCHIVE_VOCABULARY.items()
        } | counts
    counts |= {words: facts.namings[key] for key, words in NAMINGS.items()}
    return Table(
        "vocabulary",
        "How many different notes",
        ("written down as", "different words"),
        (
            ("the paper's count", f"about {PAPER_VOCABULARY:,}"),
            *((words, f"{count:,}") for words, count in counts.items()),
        ),
        f"{facts.namings['in_one_song']:,} of the {facts.vocabulary:,} occur in one song only.",
    )


def splits(facts: CorpusFacts) -> str:
    """How many songs each split has, in words."""
    return ", ".join(f"{name} {count:,}" for name, count in _by_split(facts))


def _by_split(facts: CorpusFacts) -> list[tuple[str, int]]:
    """Songs of each split, in the order of their use."""
    return sorted(facts.songs.items(), key=lambda item: list(SPLIT_SHARES).index(item[0]))


def form_table(results: Results) -> Table:
    """The twelve-bar form, cell by cell."""
    rows: list[tuple[str, ...]] = [
        ("the most frequent bar, repeated", "", "", "", percent(one_bar_share()),
         percent(one_bar_share()), "")
    ]  # fmt: skip
    rows += [
        (
            CELL_LABELS[found.cell], f"{found.weights:,}", nats(found.loss),
            f"{found.steps:,.0f}", percent(found.bars_right[0]), percent(found.later),
            str(found.seeds),
        )
        for found in results.form
    ]  # fmt: skip
    return Table(
        "form",
        "Keeping a twelve-bar form",
        (
            "cell", "weights", "training loss, nats per stroke", "training steps",
            "bars right, first chorus", "bars right, choruses 2 to 8", "seeds",
        ),
        tuple(rows),
        f"Trained on two choruses until the loss is below {CONVERGED:g} nats, at most for the "
        "steps given, then continued by greedy decoding; means over seeds.",
    )  # fmt: skip


def nats(value: float) -> str:
    """A loss to three decimals."""
    return f"{value:.3f}"


def percent(share: float | None) -> str:
    """A share of 0 to 1 in percent; nothing for nothing."""
    return "" if share is None else f"{share:.1%}"
