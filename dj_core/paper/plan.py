"""The list of training runs: the paper's networks, the systems it cites, and ours.

Every entry names a preset of `note_training`. A system is trained for the epochs its authors gave
it, or until its validation loss has not improved for `PATIENCE` epochs, whichever comes first; an
entry may have no patience, and says why. The epoch with the least validation loss is kept. A quick
run shows that everything works, not how good it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from dj_core.models.notes.note_training import NOTE_PRESETS, NoteTrainingSettings

Group = Literal["paper", "cited", "ours"]
FINAL = "paper-2x32"  # the network the authors settled on: Figures 1 to 4 are made with it
BEST = "notes-best"
PATIENCE = 10  # epochs
QUICK_HIDDEN = 24  # a quick run's networks are as narrow as this, whatever their presets say
QUICK_SONGS = 48


@dataclass(frozen=True)
class Entry:
    """One network to train and measure.

    Attributes:
        name: of its runs and in the results.
        label: what a reader of the table sees.
        group: the paper's own, a system it cites, or ours.
        preset: see `dj_core.models.notes.note_training.NOTE_PRESETS`.
        epochs: at most; where `published`, what its authors gave it.
        overrides: settings other than the preset's.
        published: whether the number of epochs is its authors'.
        patience: epochs without a better validation loss after which to stop; None for never.
        seeds: how many runs, of seeds 1, 2, ...
        paper_accuracy: what the paper's Table 1 says, 0 to 1.
        every_epoch: measure after each epoch of the first seed, for the curves.
        note: what a reader should know about it.
    """

    name: str
    label: str
    group: Group
    preset: str
    epochs: int
    overrides: Mapping[str, Any] = field(default_factory=dict)
    published: bool = False
    patience: int | None = PATIENCE
    seeds: int = 1
    paper_accuracy: float | None = None
    every_epoch: bool = False
    note: str = ""

    def settings(self, corpus: str, quick: bool, seed: int = 1) -> NoteTrainingSettings:
        """Its training settings. Raises TrainingError."""
        changes = {**self.overrides, "epochs": self.epochs, "patience": self.patience, "seed": seed}
        if quick:
            changes |= {"epochs": 2 if self.every_epoch else 1, "hidden": QUICK_HIDDEN}
        preset = NOTE_PRESETS[self.preset]
        return replace(preset, corpora=(corpus,), take_every_epochs=0, **changes)


PLAN: tuple[Entry, ...] = (
    Entry(
        "paper-2x32", "2 × 32, lr .001, dropout .9", "paper", "paper-2x32", 50,
        published=True, patience=None, seeds=3, paper_accuracy=0.1702, every_epoch=True,
        note="the paper's final network; Figures 1 to 4; all 50 epochs, as in its Figure 4",
    ),
    Entry(
        "paper-1x128", "LSTM, 1 × 128, lr .001", "paper", "paper-1x128", 50,
        published=True, seeds=3, paper_accuracy=0.0896, every_epoch=True,
    ),
    Entry(
        "paper-2x32-slow", "2 × 32, lr .0005, dropout .9", "paper", "paper-2x32-slow", 50,
        published=True, patience=None, seeds=3, paper_accuracy=0.3805, every_epoch=True,
    ),
    Entry(
        "rnn-1x128", "plain RNN, 1 × 128", "cited", "rnn-1x128", 50, seeds=3,
        note="the set-up of the paper's 1 × 128 LSTM, as GRU and Res-RNN: only the cell differs",
    ),
    Entry("gru-1x128", "GRU, 1 × 128", "cited", "gru-1x128", 50, seeds=3),
    Entry("res-rnn-1x128", "Res-RNN (Yue et al. 2018), 1 × 128", "cited", "res-rnn-1x128", 50,
          seeds=3),
    Entry(
        "folk-rnn-2016", "folk-rnn (Sturm et al. 2016), 3 × 512", "cited", "folk-rnn-2016", 100,
        published=True, patience=None,
        note="one-hot, dropout .5 after each layer, start, end and header symbols; songs once "
        "through, as its tunes are; all 100 epochs, which are 19 steps each here",
    ),
    Entry(
        "skuli-2017", "Skuli 2017, 3 × 512 and 256", "cited", "skuli-2017", 200, published=True,
        note="windows of 100 notes, scored at every place of a window and not only at its end",
    ),
    Entry(
        "paper-1x128-once", "1 × 128, songs once through", "ours", "paper-1x128", 50,
        {"loop_notes": 1}, seeds=3,
        note="padding in place of cyclic extension; all else as the paper's",
    ),
    Entry(
        "ours-trained", "2 × 256, AdamW on half a cosine", "ours", "notes-best", 12,
        {"cell": "lstm", "times": False, "prime": False},
        note="16 songs a step, dropout .4, gradients clipped at 1",
    ),
    Entry(
        "ours-primed", "2 × 256, conditioned on the genre", "ours", "notes-best", 12,
        {"cell": "lstm", "times": False},
    ),
    Entry(
        "ours-pointing", "2 × 256, notes as sets of drums, attention", "ours", "notes-best", 12,
        {"times": False},
    ),
    Entry("notes-best", "notes-best", "ours", "notes-best", 12),
)  # fmt: skip
"""In the order they are trained: all of the first seed, then all of the second."""
