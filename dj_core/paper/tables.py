"""The tables of a reproduction, as CSV and Markdown."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass

from dj_core.corpus.near_duplicates import SPLIT_SHARES
from dj_core.paper.facts import CorpusFacts
from dj_core.paper.plan import BEST, FINAL
from dj_core.paper.results import Results, SystemResult
from dj_core.paper.scoring import NoteScore
from dj_core.paper.structure import one_bar_share

PAPER_DISTINCT = {"0": 3, "1": 105, "5": 406}
PAPER_VOCABULARY = 1_200
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
STEPS = ("paper-1x128", "paper-1x128-once", "ours-trained", "ours-primed", "ours-pointing", BEST)


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
    makers = (table_1, systems_table, steps_table, distinct_table, corpus_table, vocabulary_table,
              form_table)  # fmt: skip
    return tuple(make(results) for make in makers)


def table_1(results: Results) -> Table:
    """The paper's Table 1, three ways."""
    floor = results.floor
    score = floor.scores["validation"]["looped"]
    rest = percent(floor.rest_accuracy["validation"]["looped"])
    networks = [system for system in results.systems if system.group == "paper"]
    rows: list[tuple[str, ...]] = [
        ("rest, every time", "", rest, rest, rest,
         nats(floor.frequencies_loss["validation"]["looped"])),
        (f"n-gram of order {floor.order}, Witten-Bell", "", "", "",
         percent(score.accuracy), nats(score.loss)),
    ]  # fmt: skip
    for system in networks:
        score = system.scores["validation"]["looped"]
        epoch, peak = authors_peak(results, system)
        peaked = "" if peak is None else f"{percent(peak)} (epoch {epoch})"
        accuracies = (system.authors_accuracy, score.accuracy)
        rows.append(
            (system.label, percent(system.paper_accuracy), peaked, *map(percent, accuracies),
             nats(score.loss))
        )  # fmt: skip
    by_paper = max(networks, key=lambda system: system.paper_accuracy or 0)
    by_truth = max(networks, key=lambda system: system.scores["validation"]["looped"].accuracy)
    return Table(
        "table-1",
        "Table 1: validation accuracy",
        (
            "network", "accuracy in the paper",
            "counted as the authors' code does, in its best epoch",
            "… in the epoch with the least loss", "next notes truly predicted",
            "loss, nats a note",
        ),
        tuple(rows),
        f"By either measure {by_paper.label} comes first."
        if by_paper.name == by_truth.name
        else f"By the paper's accuracy {by_paper.label} is best; by next notes truly predicted it "
        f"is {by_truth.label}. The authors' code feeds the network the notes it is then compared "
        "with, so it counts notes answered with themselves: a network that always says rest is "
        "right wherever a rest was put in.",
    )  # fmt: skip


def authors_peak(results: Results, system: SystemResult) -> tuple[int, float | None]:
    """The epoch with the highest accuracy by the authors' count, and that accuracy.

    Of epochs that come out alike it is the first. The epoch that was kept is always counted.
    """
    counted = {
        point.epoch: point.authors_accuracy
        for point in results.curves.get(system.name, ())
        if point.authors_accuracy is not None
    }
    if system.authors_accuracy is not None:
        counted.setdefault(system.best_epoch, system.authors_accuracy)
    if not counted:
        return system.best_epoch, None
    epoch = max(sorted(counted), key=lambda number: counted[number])
    return epoch, counted[epoch]


def systems_table(results: Results) -> Table:
    """Every system on the same held-out songs."""

    def measured(scores: dict[str, dict[str, NoteScore]]) -> tuple[str, ...]:
        once = scores["validation"]["once"]
        return (
            f"{nats(once.loss)} ({nats(once.low)} to {nats(once.high)})",
            nats(scores["validation"]["looped"].loss),
            nats(scores["test"]["once"].loss),
            percent(once.accuracy),
        )

    floor, best, systems = results.floor, results.system(BEST), ranked(results)
    rows: list[tuple[str, ...]] = [
        (
            f"n-gram of order {floor.order}, Witten-Bell (the floor)",
            *measured(floor.scores),
            f"{floor.counts:,} counts", "1", "",
            f"{results.ngram_notes_per_second:,.0f}", f"{results.ngram_distinct['1']:.0f}",
        )
    ]  # fmt: skip
    for system in systems:
        epochs = str(system.epochs)
        if system.asked_epochs and system.asked_epochs > system.epochs:
            epochs += f" of {system.asked_epochs}"
        seconds = f"{system.cpu_seconds:.0f}" if system.cpu_seconds else ""
        rows.append(
            (
                system.label,
                *measured(system.scores),
                f"{system.parameters:,}", epochs, seconds,
                f"{system.notes_per_second:,.0f}", f"{system.distinct['1']:.0f}",
            )
        )  # fmt: skip
    behind = next(system for system in systems if system.group != "ours")
    return Table(
        "systems",
        "Every system on the same songs",
        (
            "system", "loss, songs once (95%)", "loss, songs looped", "loss, test songs once",
            "next notes right", "weights", "epochs", "CPU s an epoch", "notes a CPU s",
            "different notes in 500, T = 1",
        ),
        tuple(rows),
        f"{best.label} has {nats(best.loss())} nats a note; the best of the paper's and the cited "
        f"systems, {behind.label}, {nats(behind.loss())}; the n-gram "
        f"{nats(floor.scores['validation']['once'].loss)}.",
    )  # fmt: skip


def ranked(results: Results) -> list[SystemResult]:
    """Systems from the least loss on songs once through to the most."""
    return sorted(results.systems, key=SystemResult.loss)


def steps_table(results: Results) -> Table:
    """From the paper's best network to ours, change by change."""
    known = {system.name: system for system in results.systems}
    chain = [known[name] for name in STEPS if name in known]
    rows: list[tuple[str, ...]] = [
        (
            system.label, nats(system.loss()),
            f"{before.loss() - system.loss():+.3f}" if before else "",
            nats(system.loss("validation", "looped")),
            percent(system.scores["validation"]["once"].accuracy), str(system.epochs),
        )
        for before, system in zip([None, *chain], chain, strict=False)
    ]  # fmt: skip
    end = "."
    if len(chain) > 1 and chain[-1].epochs > chain[-2].epochs:
        end = "; what the last one gains, more epochs helped to gain."
    return Table(
        "steps",
        "What each change brings",
        (
            "network", "loss, songs once", "gained", "loss, songs looped", "next notes right",
            "epochs",
        ),
        tuple(rows),
        f"Each row keeps what the rows above it changed{end}",
    )  # fmt: skip


def distinct_table(results: Results) -> Table:
    """Different notes in 500 at each temperature."""
    final, best, facts = results.system(FINAL), results.system(BEST), results.facts
    played = {
        "our run of its network": final.distinct,
        best.label: best.distinct,
        "n-gram": results.ngram_distinct,
    }
    rows: list[tuple[str, ...]] = [
        ("the paper", *map(str, PAPER_DISTINCT.values())),
        *((name, *(f"{counts[key]:.0f}" for key in PAPER_DISTINCT))
          for name, counts in played.items()),
    ]  # fmt: skip
    return Table(
        "distinct",
        "Different notes in a song of 500",
        ("played by", "always the likeliest", "temperature 1", "temperature 5"),
        tuple(rows),
        f"A held-out song of a drummer has {facts.song_distinct:.0f} different notes (median); "
        f"500 notes of such songs in a row have {facts.consecutive_distinct:.0f}.",
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
        ("notes in all", "", f"{facts.notes:,}"),
        ("rests among them", "“the most occurring note”", percent(facts.rests)),
        ("split", "75 / 10 / 15% by file", f"{shares}, by family of near-duplicates"),
        ("held-out files with a sibling in training, split by file", "", percent(leak.siblings)),
        ("the n-gram's loss, split by file and by family", "",
         f"{nats(leak.by_file)} and {nats(leak.by_family)} nats"),
        ("held-out notes never seen in training", "", percent(facts.unseen)),
        ("notes of the longest song, and of the median one", "",
         f"{facts.longest} and {facts.median_length:.0f}"),
        ("notes that are repetitions after cyclic extension", "none needed padding",
         percent(facts.copies)),
        ("strokes in their place when every note takes half a quarter", "all “half-notes”",
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
        (
            found.cell, f"{found.weights:,}", nats(found.loss), percent(found.bars_right[0]),
            percent(found.later), f"{found.seconds:.0f}",
        )
        for found in results.form
    ]  # fmt: skip
    return Table(
        "form",
        "Keeping a twelve-bar form",
        (
            "cell", "weights", "loss after training, nats a stroke", "bars right, first chorus",
            "bars right, choruses 2 to 8", "CPU s of training",
        ),
        tuple(rows),
        "Left to play alone after learning two choruses; mean of several seeds. The first bar over "
        f"and over has {percent(one_bar_share())} of the bars right.",
    )  # fmt: skip


def nats(value: float) -> str:
    """A loss to three decimals."""
    return f"{value:.3f}"


def percent(share: float | None) -> str:
    """A share of 0 to 1 in percent; nothing for nothing."""
    return "" if share is None else f"{share:.1%}"
