"""The tables of a reproduction, as CSV and Markdown."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass

from dj_core.corpus.near_duplicates import SPLIT_SHARES
from dj_core.paper.facts import CorpusFacts
from dj_core.paper.plan import BEST, FINAL
from dj_core.paper.results import Results, SystemResult
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
    return (
        table_1(results),
        systems_table(results),
        steps_table(results),
        distinct_table(results),
        corpus_table(results),
        vocabulary_table(results),
        form_table(results),
    )


def table_1(results: Results) -> Table:
    """The paper's Table 1, three ways."""
    floor = results.floor
    rows = [
        (
            "rest, every time", "", percent(floor.rest_accuracy["validation"]["looped"]),
            percent(floor.rest_accuracy["validation"]["looped"]),
            percent(floor.rest_accuracy["validation"]["looped"]),
            nats(floor.frequencies_loss["validation"]["looped"]),
        ),
        (
            f"n-gram of order {floor.order}, Witten-Bell", "", "", "",
            percent(floor.scores["validation"]["looped"].accuracy),
            nats(floor.scores["validation"]["looped"].loss),
        ),
    ]  # fmt: skip
    for system in results.systems:
        if system.group == "paper":
            score = system.scores["validation"]["looped"]
            rows.append(
                (
                    system.label,
                    percent(system.paper_accuracy),
                    _authors_best(results, system),
                    percent(system.authors_accuracy),
                    percent(score.accuracy),
                    nats(score.loss),
                )
            )
    return Table(
        "table-1",
        "Table 1: validation accuracy",
        (
            "network",
            "accuracy in the paper",
            "counted as the authors' code does, in its best epoch",
            "… in the epoch with the least loss",
            "next notes truly predicted",
            "loss, nats a note",
        ),
        tuple(rows),
        _ranking(results),
    )


def _authors_best(results: Results, system: SystemResult) -> str:
    """The highest accuracy by the authors' count over the epochs it was counted in."""
    epoch, share = authors_peak(results, system)
    return "" if share is None else f"{percent(share)} (epoch {epoch})"


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


def _ranking(results: Results) -> str:
    networks = [system for system in results.systems if system.group == "paper"]
    by_paper = max(networks, key=lambda system: system.paper_accuracy or 0)
    by_truth = max(networks, key=lambda system: system.scores["validation"]["looped"].accuracy)
    if by_paper.name == by_truth.name:
        return f"By either measure {by_paper.label} comes first."
    return (
        f"By the paper's accuracy {by_paper.label} is best; by next notes truly predicted it is "
        f"{by_truth.label}. The authors' code feeds the network the notes it is then compared "
        "with, so it counts notes answered with themselves: a network that always says rest is "
        "right wherever a rest was put in."
    )


def systems_table(results: Results) -> Table:
    """Every system on the same held-out songs."""
    floor = results.floor
    score = floor.scores["validation"]
    first = (
        f"n-gram of order {floor.order}, Witten-Bell (the floor)",
        f"{nats(score['once'].loss)} ({nats(score['once'].low)} to {nats(score['once'].high)})",
        nats(score["looped"].loss),
        nats(floor.scores["test"]["once"].loss),
        percent(score["once"].accuracy),
        f"{floor.counts:,} counts",
        "1",
        "",
        f"{results.ngram_notes_per_second:,.0f}",
        f"{results.ngram_distinct['1']:.0f}",
    )
    rows = [first, *(_system_row(system) for system in ranked(results))]
    best = results.system(BEST)
    behind = min(
        (system for system in results.systems if system.group != "ours"), key=SystemResult.loss
    )
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
        f"systems, {behind.label}, {nats(behind.loss())}; the n-gram {nats(score['once'].loss)}.",
    )  # fmt: skip


def ranked(results: Results) -> list[SystemResult]:
    """Systems from the least loss on songs once through to the most."""
    return sorted(results.systems, key=SystemResult.loss)


def _system_row(system: SystemResult) -> tuple[str, ...]:
    once = system.scores["validation"]["once"]
    epochs = str(system.epochs)
    if system.asked_epochs and system.asked_epochs > system.epochs:
        epochs += f" of {system.asked_epochs}"
    return (
        system.label,
        f"{nats(once.loss)} ({nats(once.low)} to {nats(once.high)})",
        nats(system.loss("validation", "looped")),
        nats(system.loss("test")),
        percent(once.accuracy),
        f"{system.parameters:,}",
        epochs,
        f"{system.cpu_seconds:.0f}" if system.cpu_seconds else "",
        f"{system.notes_per_second:,.0f}",
        f"{system.distinct['1']:.0f}",
    )


def steps_table(results: Results) -> Table:
    """From the paper's best network to ours, change by change."""
    known = {system.name: system for system in results.systems}
    chain = [known[name] for name in STEPS if name in known]
    rows = []
    for place, system in enumerate(chain):
        gain = chain[place - 1].loss() - system.loss() if place else 0.0
        rows.append(
            (
                system.label,
                nats(system.loss()),
                f"{gain:+.3f}" if place else "",
                nats(system.loss("validation", "looped")),
                percent(system.scores["validation"]["once"].accuracy),
                str(system.epochs),
            )
        )
    return Table(
        "steps",
        "What each change brings",
        (
            "network",
            "loss, songs once",
            "gained",
            "loss, songs looped",
            "next notes right",
            "epochs",
        ),
        tuple(rows),
        "Each row keeps what the rows above it changed"
        + (
            "; what the last one gains, more epochs helped to gain."
            if len(chain) > 1 and chain[-1].epochs > chain[-2].epochs
            else "."
        ),
    )


def distinct_table(results: Results) -> Table:
    """Different notes in 500 at each temperature."""
    final, best = results.system(FINAL), results.system(BEST)
    rows = [
        ("the paper", *(str(number) for number in PAPER_DISTINCT.values())),
        ("our run of its network", *(f"{final.distinct[key]:.0f}" for key in PAPER_DISTINCT)),
        (best.label, *(f"{best.distinct[key]:.0f}" for key in PAPER_DISTINCT)),
        ("n-gram", *(f"{results.ngram_distinct[key]:.0f}" for key in PAPER_DISTINCT)),
    ]
    facts = results.facts
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
    shares = ", ".join(f"{name} {facts.songs[name] / total:.0%}" for name in _splits(facts))
    rows = [
        ("songs", "1,800", f"{total:,}"),
        (
            "different notes, chords and rests",
            f"about {PAPER_VOCABULARY:,}",
            f"{facts.vocabulary:,} (music21 {facts.music21})",
        ),
        ("notes in all", "", f"{facts.notes:,}"),
        ("rests among them", "“the most occurring note”", percent(facts.rests)),
        ("split", "75 / 10 / 15% by file", f"{shares}, by family of near-duplicates"),
        (
            "held-out files with a sibling in training, split by file",
            "",
            percent(leak.siblings),
        ),
        (
            "the n-gram's loss, split by file and by family",
            "",
            f"{nats(leak.by_file)} and {nats(leak.by_family)} nats",
        ),
        ("held-out notes never seen in training", "", percent(facts.unseen)),
        ("notes of the longest song, and of the median one", "",
         f"{facts.longest} and {facts.median_length:.0f}"),
        ("notes that are repetitions after cyclic extension", "none needed padding",
         percent(facts.copies)),
        ("strokes in their place when every note takes half a quarter", "all “half-notes”",
         percent(facts.in_place)),
    ]  # fmt: skip
    return Table(
        "corpus", "The corpus", ("", "in the paper", "here"), tuple(rows),
    )  # fmt: skip


def vocabulary_table(results: Results) -> Table:
    """How many different words the corpus has, by who writes them down and how."""
    facts = results.facts
    rows = [("the paper's count", f"about {PAPER_VOCABULARY:,}")]
    if sum(facts.songs.values()) == ARCHIVE_FILES:
        rows += [
            (f"the authors' way of reading, music21 {number}", f"{count:,}")
            for number, count in ARCHIVE_VOCABULARY.items()
        ]
    rows += [
        (f"read for this run, music21 {facts.music21}", f"{facts.vocabulary:,}"),
        *((words, f"{facts.namings[key]:,}") for key, words in NAMINGS.items()),
    ]
    return Table(
        "vocabulary",
        "How many different notes",
        ("written down as", "different words"),
        tuple(rows),
        f"{facts.namings['in_one_song']:,} of the {facts.vocabulary:,} occur in one song only.",
    )


def splits(facts: CorpusFacts) -> str:
    """How many songs each split has, in words."""
    return ", ".join(f"{name} {facts.songs[name]:,}" for name in _splits(facts))


def _splits(facts: CorpusFacts) -> list[str]:
    """Splits in the order of their use."""
    return sorted(facts.songs, key=list(SPLIT_SHARES).index)


def form_table(results: Results) -> Table:
    """The twelve-bar form, cell by cell."""
    rows = [
        (
            found.cell,
            f"{found.weights:,}",
            nats(found.loss),
            percent(found.bars_right[0]),
            percent(sum(found.bars_right[1:]) / max(len(found.bars_right) - 1, 1)),
            f"{found.seconds:.0f}",
        )
        for found in results.form
    ]
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
