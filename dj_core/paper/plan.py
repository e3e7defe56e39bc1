"""The list of training runs: the paper's networks, the systems it cites, and ours.

Every entry names a preset of `note_training` and how many epochs it gets: in a full run, and in a
quick one, which shows that everything works and not how good it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from dj_core.models.notes.note_training import NOTE_PRESETS, NoteTrainingSettings

Group = Literal["paper", "cited", "ours"]
FINAL = "paper-2x32"  # the network the authors settled on: Figures 1 to 4 are made with it
BEST = "notes-best"
QUICK_HIDDEN = 24  # a quick run's networks are as narrow as this, whatever their presets say
QUICK_SONGS = 48


@dataclass(frozen=True)
class Entry:
    """One network to train and measure.

    Attributes:
        name: of its run and in the results.
        label: what a reader of the table sees.
        group: the paper's own, a system it cites, or ours.
        preset: see `dj_core.models.notes.note_training.PRESETS`.
        epochs: in a full run. Fewer than the preset's is a reduction, and the tables say so.
        overrides: settings other than the preset's.
        asked_epochs: epochs its authors gave it; None where they do not say or it is ours.
        paper_accuracy: what the paper's Table 1 says, 0 to 1.
        every_epoch: measure after each epoch, for the curves.
        note: what a reader should know about it.
    """

    name: str
    label: str
    group: Group
    preset: str
    epochs: int
    overrides: Mapping[str, Any] = field(default_factory=dict)
    asked_epochs: int | None = None
    paper_accuracy: float | None = None
    every_epoch: bool = False
    note: str = ""

    def settings(self, corpus: str, quick: bool) -> NoteTrainingSettings:
        """Its training settings. Raises TrainingError."""
        changes = {**self.overrides, "epochs": self.epochs}
        if quick:
            changes |= {"epochs": 2 if self.every_epoch else 1, "hidden": QUICK_HIDDEN}
        preset = NOTE_PRESETS[self.preset]
        return replace(preset, corpora=(corpus,), take_every_epochs=0, **changes)


PLAN: tuple[Entry, ...] = (
    Entry("notes-best", "notes-best", "ours", "notes-best", 12),
    Entry(
        "paper-2x32", "2 × 32, lr .001, dropout .9", "paper", "paper-2x32", 50,
        asked_epochs=50, paper_accuracy=0.1702, every_epoch=True,
        note="the paper's final network; Figures 1 to 4",
    ),
    Entry(
        "paper-1x128", "1 × 128, lr .001", "paper", "paper-1x128", 12,
        paper_accuracy=0.0896, every_epoch=True,
    ),
    Entry(
        "paper-2x32-slow", "2 × 32, lr .0005, dropout .9", "paper", "paper-2x32-slow", 12,
        paper_accuracy=0.3805, every_epoch=True,
    ),
    Entry(
        "lstm-1x128", "LSTM, 1 × 128", "cited", "lstm-1x128", 4,
        note="the cells below under one set-up: nothing but the cell differs",
    ),
    Entry("gru-1x128", "GRU, 1 × 128", "cited", "gru-1x128", 4),
    Entry("rnn-1x128", "plain RNN, 1 × 128", "cited", "rnn-1x128", 4),
    Entry("res-rnn-1x128", "Res-RNN (Yue et al. 2018), 1 × 128", "cited", "res-rnn-1x128", 4),
    Entry(
        "folk-rnn-2016", "folk-rnn (Sturm et al. 2016), 3 × 512", "cited", "folk-rnn-2016", 2,
        asked_epochs=100,
        note="one-hot, dropout .5 after each layer, start, end and header symbols; songs once "
        "through, as its tunes are",
    ),
    Entry(
        "skuli-2017", "Skuli 2017, 3 × 512 and 256", "cited", "skuli-2017", 2,
        asked_epochs=200,
        note="windows of 100 notes, scored at every place of a window and not only at its end: "
        "a hundred times as much to learn from per pass",
    ),
    Entry(
        "paper-1x128-once", "1 × 128, songs once through", "ours", "paper-1x128", 8,
        {"loop_notes": 1},
        note="padding in place of cyclic extension; all else as the paper's",
    ),
    Entry(
        "ours-trained", "2 × 256, trained with care", "ours", "notes-best", 4,
        {"cell": "lstm", "times": False, "prime": False},
        note="AdamW on half a cosine, 16 songs a step, dropout .4, clipped, stopped early",
    ),
    Entry(
        "ours-primed", "2 × 256, told the genre too", "ours", "notes-best", 4,
        {"cell": "lstm", "times": False},
    ),
    Entry(
        "ours-pointing", "2 × 256, of parts, points back", "ours", "notes-best", 4,
        {"times": False},
    ),
)  # fmt: skip
"""In the order they are trained."""
