"""Writes docs/reproduction.md: claims, tables and figures with the command and the seeds."""

from __future__ import annotations

from dj_core.paper.plan import BEST, FINAL
from dj_core.paper.results import Results
from dj_core.paper.story import all_claims
from dj_core.paper.tables import all_tables, splits

HEADINGS = {1: "always the likeliest note", 2: "temperature 1", 3: "temperature 5"}

_COMMAND = """\
Every number and figure of *Digital DJ* (Lock, Tanna, Athanasiou) beside our own measurement, made
by one command, and the systems it cites as baselines under the same roof. The app's *Paper* page
shows the same results, to read and to hear.

```
python -m dj_core import digital-dj --name paper
python -m dj_core paper --corpus paper --out reproduction
```

The full run takes an hour or two of one core. With `--quick` it takes minutes: 48 songs, networks
of 24 units, an epoch or two; that shows that everything works, not how good it is. Either goes on
where it was stopped. `--redraw` makes tables, figures and this document again from a run's
`results.json`:

```
python -m dj_core paper --out docs/reproduction --redraw --document docs/reproduction.md
```
"""

_SEEDS = """\
| what | seeds |
| --- | --- |
| training: weights, order of songs, dropout | 1 |
| songs of Figures 1 to 3 | 1, all from the corpus's most frequent start note |
| medians of different notes | 1 to 3; over temperature 1 |
| twelve-bar form | 1 and 2 |
| bounds of losses (songs drawn again 2,000 times), split by file | 1 |
"""


def document(results: Results, folder: str) -> str:
    """The document, in Markdown.

    Args:
        folder: where tables and figures lie, as seen from the document: '.' or 'reproduction'.
    """
    writer = _Writer(results, "" if folder == "." else f"{folder.rstrip('/')}/")
    sections = (writer.opening, writer.measure, writer.table_1, writer.songs, writer.learning,
                writer.notation, writer.systems, writer.form, writer.corpus)  # fmt: skip
    return "\n".join(line.rstrip("\n") + "\n" for section in sections for line in section())


class _Writer:
    """Sections of the document; each is a list of paragraphs."""

    def __init__(self, results: Results, prefix: str) -> None:
        self._results, self._prefix = results, prefix
        self._claims = all_claims(results)
        self._tables = {table.name: table for table in all_tables(results)}

    def opening(self) -> list[str]:
        """What this is, how it is made, from what."""
        results = self._results
        versions = ", ".join(f"{name} {number}" for name, number in results.versions.items())
        quick = "**This is a quick run**: it shows that everything works, not how good it is."
        return [
            "# The paper, reproduced and put right",
            _COMMAND,
            *([quick] if results.quick else []),
            f"Here: {sum(results.facts.songs.values()):,} files of corpus *{results.corpus}* "
            f"({splits(results.facts)}; no family of near-duplicates divided). {versions}; one CPU "
            f"thread. Numbers: [results.json]({self._prefix}results.json), "
            f"[tables]({self._prefix}tables), [figures]({self._prefix}figures).",
            _SEEDS,
        ]

    def measure(self) -> list[str]:
        """What nats a note are."""
        facts = self._results.facts
        return [
            "## The measure",
            "Nats per note of held-out songs, in the paper's strings: whatever a model's own "
            "words are, only names (notes, chords, rests) are counted, over the one vocabulary of "
            f"{facts.vocabulary:,}; primes, times and ends are read but not guessed. A song's "
            "first name is not counted. *Once*: each song once through. *Looped*: extended "
            f"cyclically to {facts.longest} notes, as the paper trains and validates. Networks "
            "keep the epoch with the best validation loss; the test songs were used for nothing "
            "but the columns that name them.",
            f"`{BEST}`, and the networks that are told the genre, also read the song's genre, "
            f"kind and meter; `{BEST}` reads the times of the notes it has heard. What each is "
            "worth stands under [What each change brings](#what-each-change-brings).",
        ]

    def table_1(self) -> list[str]:
        """Accuracy, counted both ways."""
        return ["## Table 1", self._claim("accuracy"), *self._table("table-1")]

    def songs(self) -> list[str]:
        """Figures 1 to 3, why greedy playing collapses, and temperature."""
        found = ["## Figures 1 to 3: songs of 500 notes"]
        for number, heading in HEADINGS.items():
            found += [
                f"### Figure {number}: {heading}",
                self._claim(f"figure-{number}"),
                self._pictures(f"figure-{number}-{FINAL}", f"figure-{number}-{BEST}"),
            ]
        greedy = ", ".join(f"{genre} {n}" for genre, n in sorted(self._results.greedy.items()))
        return [
            *found,
            "### Different notes",
            *self._table("distinct"),
            f"Different notes when `{BEST}` always takes the likeliest, by genre: {greedy}.",
            "## Why it collapses",
            self._claim("openings"),
            "## Temperature",
            self._claim("heat"),
            self._pictures("heat", "likeliness"),
        ]

    def learning(self) -> list[str]:
        """Figure 4 and the accuracy meanwhile."""
        told = [self._claim(name) for name in ("figure-4", "peak") if name in self._claims]
        pictures = self._pictures("figure-4", "accuracy")
        return ["## Figure 4: fifty epochs", *told, pictures] if told else []

    def notation(self) -> list[str]:
        """Figure 5."""
        return [
            "## Figure 5: a generated segment",
            self._claim("figure-5"),
            self._pictures("figure-5-paper"),
            self._pictures("figure-5-best"),
        ]

    def systems(self) -> list[str]:
        """Everything on one table, and the way from the paper's network to ours."""
        results = self._results
        notes = [f"- **{made.label}**: {made.note}." for made in results.systems if made.note]
        missing = "; ".join(results.missing)
        return [
            "## Every system on the same songs",
            self._claim("systems"),
            *self._table("systems"),
            self._pictures("systems"),
            "\n".join(notes),
            *([f"Not trained for these results: {missing}."] if missing else []),
            "Epochs below those its authors gave a system are said as *2 of 100*; nothing was "
            "taken from the architectures. What more epochs would bring them is open. The n-gram "
            "is what no network should stay behind.",
            "## What each change brings",
            *self._table("steps"),
        ]

    def form(self) -> list[str]:
        """The twelve-bar form."""
        pictures = self._pictures("form")
        return ["## Twelve bars", self._claim("form"), *self._table("form"), pictures]

    def corpus(self) -> list[str]:
        """What the corpus and the way it is cut do."""
        return [
            "## The corpus",
            *(self._claim(name) for name in ("corpus", "split", "length")),
            *self._table("corpus"),
            "### How many different notes",
            *self._table("vocabulary"),
        ]

    def _claim(self, name: str) -> str:
        claim = self._claims[name]
        return (
            f"**The paper:** {claim.paper}\n\n**Measured:** {claim.here}\n\n"
            f"**So:** {claim.difference}"
        )

    def _table(self, name: str) -> list[str]:
        table = self._tables[name]
        return [table.markdown(), *filter(None, [table.says])]

    def _pictures(self, *names: str) -> str:
        return " ".join(f"![{name}]({self._prefix}figures/{name}.svg)" for name in names)
