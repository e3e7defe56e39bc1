"""Writes docs/reproduction.md: claims, tables and figures with the command and the seeds."""

from __future__ import annotations

from dj_core.paper.plan import BEST, FINAL, PATIENCE
from dj_core.paper.results import Results
from dj_core.paper.story import all_claims
from dj_core.paper.tables import all_tables, splits

HEADINGS = {1: "greedy decoding", 2: "temperature 1", 3: "temperature 5"}

_COMMAND = """\
The paper *Digital DJ* (Lock, Tanna, Athanasiou) reproduced by one command: every number and figure
of the paper beside our own measurement, and the systems it cites trained on the same songs. The
app's *Paper* page shows the same results, and plays the songs.

```
python -m dj_core import digital-dj --name paper
python -m dj_core paper --corpus paper --out reproduction
```

The full run takes several hours of one core: every system is trained for the epochs its authors
published, or until its validation loss has not improved for ten epochs. It continues where it was
stopped. `--quick` takes minutes (48 songs, networks of 24 units, an epoch or two) and shows that
everything works, not how good it is. `--redraw` writes tables, figures and this document again from
a run's `results.json`:

```
python -m dj_core paper --out docs/reproduction --redraw --document docs/reproduction.md
```
"""

_SEEDS = """\
| what | seeds |
| --- | --- |
| training: weights, order of songs, dropout | 1, and 1 to 3 where a table says 3 seeds |
| songs of Figures 1 to 3 and of the comparison | 1 |
| medians of different notes | 1 to 3; by temperature 1 |
| twelve-bar form | 1 to 3 |
| 95% intervals of losses (songs resampled 2,000 times), split by file | 1 |
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
        used = sorted(results.versions.items())
        versions = ", ".join(f"{name} {number}" for name, number in used)
        quick = "**This is a quick run**: it shows that everything works, not how good it is."
        lead = self._claims["lead"]
        return [
            "# The paper, reproduced",
            _COMMAND,
            f"{lead.here} {lead.difference}",
            *([quick] if results.quick else []),
            f"Here: {sum(results.facts.songs.values()):,} files of corpus *{results.corpus}* "
            f"({splits(results.facts)}; no family of near-duplicates divided). {versions}; one CPU "
            f"thread. Numbers: [results.json]({self._prefix}results.json), "
            f"[tables]({self._prefix}tables), [figures]({self._prefix}figures).",
            _SEEDS,
        ]

    def measure(self) -> list[str]:
        """What is measured, and how systems are trained."""
        facts = self._results.facts
        return [
            "## The measure",
            "Cross-entropy in nats per note of held-out songs, by teacher forcing. Whatever a "
            "model's own tokens are, only names (notes, chords, rests) are scored, over the one "
            f"vocabulary of {facts.vocabulary:,}; tokens of genre, time or end are read but not "
            "scored, nor is a song's first name. *Once*: each song once through. *Looped*: "
            f"extended cyclically to {facts.longest} notes, as the paper trains and validates.",
            "## Training",
            "Each system has the optimiser, schedule, batch size and number of epochs that its "
            f"authors published, and stops when the validation loss has not improved for {PATIENCE}"
            " epochs; the paper's networks of 2 × 32 run all 50 epochs, as in its Figure 4. The "
            "epoch with the least validation loss is measured. The test songs are used for the "
            "columns that name them and nothing else. GRU, plain RNN and Res-RNN have the set-up "
            "of the paper's 1 × 128 LSTM.",
            f"`{BEST}`, and the networks conditioned on the genre, also read the song's genre, "
            f"kind and meter; `{BEST}` reads the times of earlier notes. What each is worth: "
            "[What each change brings](#what-each-change-brings).",
        ]

    def table_1(self) -> list[str]:
        """Accuracy, counted both ways."""
        return ["## Table 1", self._claim("accuracy"), *self._table("table-1")]

    def songs(self) -> list[str]:
        """Figures 1 to 3, why greedy decoding collapses, and temperature."""
        found = ["## Figures 1 to 3: songs of 500 notes"]
        for number, heading in HEADINGS.items():
            found += [
                f"### Figure {number}: {heading}",
                self._claim(f"figure-{number}"),
                self._pictures(f"figure-{number}-{FINAL}", f"figure-{number}-{BEST}"),
            ]
        return [
            *found,
            "### Different notes",
            *self._table("distinct"),
            "## Why greedy decoding collapses",
            self._claim("openings"),
            *self._table("openings"),
            "## Temperature",
            self._claim("temperature"),
            *self._table("temperature"),
            self._pictures("temperature-notes", "temperature-loss"),
        ]

    def learning(self) -> list[str]:
        """Figure 4 and the accuracy meanwhile."""
        told = [self._claim(name) for name in ("figure-4", "peak") if name in self._claims]
        pictures = self._pictures("figure-4", "accuracy")
        if not told:
            return []
        return ["## Figure 4: fifty epochs", *told, *self._table("learning"), pictures]

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
            *([f"Not trained yet for these results: {missing}."] if missing else []),
            "## What each change brings",
            *self._table("steps"),
            "## The same song, continued by every system",
            self._claim("samples"),
            *self._table("samples"),
        ]

    def form(self) -> list[str]:
        """The recurrent cells: Res-RNN's claim, and the twelve-bar form."""
        return [
            "## Recurrent cells",
            self._claim("cells"),
            *self._table("cells"),
            "## Twelve bars",
            self._claim("form"),
            *self._table("form"),
            self._pictures("form"),
        ]

    def corpus(self) -> list[str]:
        """What the corpus and the way it is cut do."""
        return [
            "## The corpus",
            *(self._claim(name) for name in ("corpus", "split", "length")),
            *self._table("corpus"),
            "### How many different notes",
            *self._table("vocabulary"),
            "## What the paper hoped for",
            self._claim("hopes"),
            "`docs/groove-model.md`, `docs/styles.md` and `docs/listening.md` describe these.",
            f"Every number in these sentences with the table cell it comes from: "
            f"[sentences]({self._prefix}tables/sentences.md).",
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
