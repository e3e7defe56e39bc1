"""Write assets/training-bars.npz: ``python -m scripts.training_bars FOLDER …``

The folders are those of the imported corpora the groove model learned from; their training splits,
the starter patterns and the written phrases are fingerprinted, the validation splits say what is
usual among people.
"""

from __future__ import annotations

import sys
from pathlib import Path

from dj_core.corpus.store import Corpus
from dj_core.evaluation.likelihood import FOUR_FOUR
from dj_core.music.composer import written_genres, written_phrases
from dj_core.music.patterns import load_patterns
from dj_core.shaping.copy_meter import shipped_fingerprints, write_fingerprints


def main() -> int:
    """Write the file and say what is in it."""
    corpora = [Corpus(Path(folder)) for folder in sys.argv[1:]]
    train = [
        (corpus.name, file.name, corpus.beat(file))
        for corpus in corpora
        for file in corpus.files
        if file.split == "train" and file.hits
    ]
    train += [("starter", beat.title, beat) for beat in load_patterns()]
    train += [
        ("phrases", f"{genre}: {beat.title}", beat)
        for genre in written_genres()
        for beat in written_phrases(genre).phrases
    ]
    held = [
        corpus.beat(file)
        for corpus in corpora
        for file in corpus.files
        if file.split == "validation" and file.meter == FOUR_FOUR and file.hits
    ]
    usual = write_fingerprints(train, held)
    print(f"{len(shipped_fingerprints())} bars; {usual}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
