"""The copy meter: finds the training bars nearest to a beat's bars.

What ships are fingerprints: a keyed hash of every training bar's hits (nine classes on 16ths) and
the name of a file it stands in. A hash says whether a bar one already has is the same, and nothing
else; neither hits, nor levels, nor timing, nor the order of bars can be read from it. Bars up to
`REACH` cells away are found by asking for every bar that far from one's own. Corpora that a DJ has
imported are compared cell by cell, at any distance.

Short idioms recur among people, too: the file also says how near drummers' bars nobody trained on
come to the same bars.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from dj_core.corpus.store import Corpus
from dj_core.errors import BeatError, CorpusError
from dj_core.evaluation.copying import distances
from dj_core.evaluation.likelihood import FOUR_FOUR, STEPS_PER_BAR, quantise
from dj_core.files.storage import write_bytes_atomic
from dj_core.music.beat import Beat
from dj_core.music.drum_classes import CLASSES
from dj_core.product import ASSETS

FINGERPRINTS = ASSETS / "training-bars.npz"
FORMAT = 1
REACH = 2  # cells; 10,441 bars are that near
CELLS = STEPS_PER_BAR * len(CLASSES)
_KEY, _BYTES = b"digital-dj bars 1", 6  # 48 bits: one false alarm in 2 million bars asked for


@dataclass(frozen=True)
class NearBar:
    """A bar's nearest training bar.

    Attributes:
        bar: of the beat, from 1.
        distance: cells of 144 that differ; None for more than can be seen.
        file, corpus: where that training bar stands; '' where none is near.
    """

    bar: int
    distance: int | None
    file: str = ""
    corpus: str = ""


@dataclass(frozen=True)
class Usual:
    """How near held-out human bars come to the same training bars.

    Attributes:
        within: share of them at most 0, 1 and 2 cells away.
        bars: how many were looked up.
        median: cells to the nearest, of a bar in the middle.
    """

    within: tuple[float, ...]
    bars: int
    median: float


class Fingerprints:
    """Hashes of training bars, to be asked about bars one has."""

    def __init__(self, hashes: np.ndarray, files: np.ndarray, facts: dict[str, Any]) -> None:
        self._files = dict(zip(hashes.tolist(), files.tolist(), strict=True))
        self._names: list[list[str]] = facts["files"]
        self.usual = Usual(tuple(facts["within"]), int(facts["bars"]), float(facts["median"]))

    def __len__(self) -> int:
        """Number of different bars."""
        return len(self._files)

    def nearest(self, beat: Beat, reach: int = REACH) -> tuple[NearBar, ...]:
        """The nearest training bar of every sounding bar. Raises BeatError for other meters."""
        return tuple(self._nearest(number, bar, reach) for number, bar in numbered_bars(beat))

    def _nearest(self, number: int, bar: np.ndarray, reach: int) -> NearBar:
        for away in range(reach + 1):
            for cells in combinations(range(CELLS), away):
                row = bar.copy()
                row[list(cells)] ^= True
                if (file := self._files.get(fingerprint(row))) is not None:
                    corpus, name = self._names[file]
                    return NearBar(number, away, name, corpus)
        return NearBar(number, None)


def numbered_bars(beat: Beat) -> list[tuple[int, np.ndarray]]:
    """Sounding bars by number from 1, each bool (144,).

    Raises:
        BeatError: the beat is not in 4/4.
    """
    if beat.meter != FOUR_FOUR:
        raise BeatError(f"Bars are compared in 4/4; this beat is in {beat.meter}.")
    bars = quantise(beat).reshape(-1, CELLS)
    return [(index + 1, bar) for index, bar in enumerate(bars) if bar.any()]


def fingerprint(bar: np.ndarray) -> int:
    """48 bits of a bar's hits, bool (144,)."""
    packed = np.packbits(bar).tobytes()
    digest = hashlib.blake2b(packed, digest_size=_BYTES, key=_KEY).digest()
    return int.from_bytes(digest, "big")


@lru_cache(maxsize=1)
def shipped_fingerprints() -> Fingerprints:
    """Those of what the shipped model learned from. Raises CorpusError when they are missing."""
    try:
        with np.load(FINGERPRINTS, allow_pickle=False) as content:
            facts = json.loads(bytes(content["facts"]).decode())
            if facts["format"] != FORMAT:
                raise ValueError(f"format {facts['format']}")
            return Fingerprints(content["hashes"], content["files"], facts)
    except (OSError, ValueError, KeyError) as error:
        raise CorpusError(
            f"{FINGERPRINTS.name} cannot be read ({error}); bars cannot be compared. "
            "Reinstall Digital DJ."
        ) from error


def write_fingerprints(
    train: Iterable[tuple[str, str, Beat]], held_out: Sequence[Beat], path: Path = FINGERPRINTS
) -> Usual:
    """Write the file that ships.

    Args:
        train: (corpus, file, beat) of everything learned from; what is not in 4/4 is left out.
        held_out: played beats that were not.
        path: where to.

    Raises:
        LibraryError: the file cannot be written.
    """
    found: dict[int, int] = {}
    names: list[list[str]] = []
    rows: list[np.ndarray] = []
    for corpus, file, beat in train:
        if beat.meter != FOUR_FOUR:
            continue
        names.append([corpus, file])
        for _, bar in numbered_bars(beat):
            rows.append(bar)
            found.setdefault(fingerprint(bar), len(names) - 1)
    bars = np.array([bar for beat in held_out for _, bar in numbered_bars(beat)])
    nearest = distances(bars, np.unique(np.array(rows), axis=0))[0]
    usual = Usual(
        tuple(float((nearest <= away).mean()) for away in range(REACH + 1)),
        len(bars),
        float(np.median(nearest)),
    )
    used = sorted(set(found.values()))
    facts = {"format": FORMAT, "files": [names[i] for i in used], **vars(usual)}
    place = {index: number for number, index in enumerate(used)}
    order = sorted(found)
    buffer = BytesIO()
    np.savez_compressed(
        buffer,
        hashes=np.array(order, np.int64),
        files=np.array([place[found[key]] for key in order], np.int32),
        facts=np.frombuffer(json.dumps(facts).encode(), np.uint8),
    )
    write_bytes_atomic(path, buffer.getvalue())
    return usual


def nearest_in(corpus: Corpus, beat: Beat) -> tuple[NearBar, ...]:
    """The nearest bar of an imported corpus for every sounding bar, at any distance.

    Raises:
        BeatError: the beat is not in 4/4.
        CorpusError: a file cannot be read, or none is in 4/4.
    """
    bars = numbered_bars(beat)
    rows, names = [], []
    for file in corpus.files:
        if file.meter == FOUR_FOUR and file.hits:
            for _, bar in numbered_bars(corpus.beat(file)):
                rows.append(bar)
                names.append(file.name)
    if not rows:
        raise CorpusError(f"Corpus {corpus.name!r} holds no bar in 4/4. Choose another.")
    if not bars:
        return ()
    away, which = distances(np.array([bar for _, bar in bars]), np.array(rows))
    return tuple(
        NearBar(number, int(cells), names[index], corpus.name)
        for (number, _), cells, index in zip(bars, away, which, strict=True)
    )
