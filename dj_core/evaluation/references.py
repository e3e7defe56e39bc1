"""The human clips of an evaluation: imported corpora, or a folder of MIDI files."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dj_core.corpus.sources import open_source
from dj_core.corpus.store import SPLITS, Corpus, CorpusFile, Progress, import_corpus
from dj_core.errors import CorpusError
from dj_core.evaluation.evaluation import Ground, performance_cells
from dj_core.evaluation.judged_clips import Clip, corpus_clips
from dj_core.evaluation.likelihood import FOUR_FOUR


@dataclass(frozen=True)
class Reference:
    """Held-out drummers and, as their control, others.

    Attributes:
        ground: what is measured on.
        corpora: where the held-out performances lie.
        splits: which of their files are held out.
    """

    ground: Ground
    corpora: tuple[Corpus, ...]
    splits: tuple[str, ...]

    def held_out_files(self) -> Iterator[tuple[Corpus, CorpusFile]]:
        """The held-out 4/4 performances, fills included."""
        for corpus in self.corpora:
            for file in corpus.files:
                if file.split in self.splits and file.meter == FOUR_FOUR:
                    yield corpus, file


def reference_of_corpora(corpora: Sequence[Corpus], split: str) -> Reference:
    """One split of imported corpora, with their training split as the human control.

    Raises:
        CorpusError: an unknown split, a file that cannot be read, or a side without clips.
    """
    if split not in SPLITS[1:]:
        raise CorpusError(f"A split to judge on is {' or '.join(SPLITS[1:])}; got {split!r}.")
    return Reference(Ground.load(corpora, split), tuple(corpora), (split,))


@contextmanager
def reference_of_folder(
    folder: Path, split: str, own: Sequence[Corpus], progress: Progress | None = None
) -> Iterator[Reference]:
    """A folder (or zip) of MIDI files, imported for as long as the context lasts.

    If the folder says which files are held out (an info.csv with a column split, as the Groove
    MIDI Dataset has), that is honoured: `split` is judged on, the split 'train' is the control.
    Otherwise everything in it is held out, and the control is what the model itself learned from,
    `own`. Where that has fewer performances than the folder, the folder is divided by families of
    near-duplicates as at any import.

    Args:
        folder: of the files.
        split: 'validation' or 'test', where the folder is divided.
        own: the model's own corpora, those that are at hand.
        progress: told how many files are imported.

    Raises:
        CorpusError: nothing usable in the folder, or a side without clips.
    """
    with open_source(folder) as files:
        divided = any(files.facts(name).split for name in files.names)
    with tempfile.TemporaryDirectory(prefix="digital-dj-") as place:
        imported = import_corpus(folder, Path(place), folder.stem, progress=progress)
        corpus = imported.corpus
        if not divided:
            held_out, train = _clips([corpus], SPLITS), _clips(own, SPLITS[:1])
            families = [len({clip.performance for clip in side}) for side in (train, held_out)]
            if held_out and families[0] >= families[1]:
                ground = Ground(
                    f"{corpus.name}, all of it, beside {' + '.join(other.name for other in own)}",
                    train,
                    held_out,
                    performance_cells(own, SPLITS[:1]),
                    performance_cells([corpus], SPLITS),
                )
                yield Reference(ground, (corpus,), SPLITS)
                return
        yield reference_of_corpora([corpus], split)


def _clips(corpora: Sequence[Corpus], splits: Sequence[str]) -> tuple[Clip, ...]:
    found: list[Clip] = []
    for corpus in corpora:
        for split in splits:
            try:
                found += corpus_clips(corpus, split)
            except CorpusError:
                continue  # this split is too small for clips; the others may not be
    return tuple(found)
