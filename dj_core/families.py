"""Near-duplicates: which files are kin, and a split that never divides a family.

Two files are kin when the Jaccard index of their hits on the 16th grid is at least 0.7, or when
they share a bar of ten hits or more. Kinship spreads (a kin of a kin is kin), so a family is a
connected component. Jaccard indices are estimated from MinHash signatures (Broder 1997) and
candidates found by banding, so the work grows with the number of files, not of pairs.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dj_core.beat import Beat
from dj_core.drums import DRUMS

KIN_JACCARD = 0.7
KIN_BAR_HITS = 10
SPLIT_SHARES = {"train": 0.75, "validation": 0.10, "test": 0.15}  # as in the paper

_HASHES = 128
_BAND_ROWS = 4  # 32 bands of 4: a pair at 0.7 is missed once in 5,000 times
_PRIME = (1 << 31) - 1
_RANDOM = np.random.default_rng(20_161_122)  # any fixed seed: signatures must never change
_MULTIPLIERS = _RANDOM.integers(1, _PRIME, _HASHES, dtype=np.int64)
_OFFSETS = _RANDOM.integers(0, _PRIME, _HASHES, dtype=np.int64)
_MAX_COMPARED = 64  # of one bucket; beyond, kinship spreads through those already joined


@dataclass(frozen=True)
class Sketch:
    """What grouping needs to know of a beat.

    Attributes:
        minhash: 128 minima; the share of equal ones estimates the Jaccard index.
        bar_hashes: one number per bar of at least `KIN_BAR_HITS` hits.
    """

    minhash: tuple[int, ...]
    bar_hashes: tuple[int, ...]


def sketch_beat(beat: Beat) -> Sketch:
    """The sketch of a beat on the 16th grid (step = floor(16ths + 0.5))."""
    if not beat.hits:
        return Sketch((0,) * _HASHES, ())
    steps = np.array([int(hit.onset_quarters * 4 + 0.5) for hit in beat.hits], dtype=np.int64)
    lanes = np.array([hit.lane for hit in beat.hits], dtype=np.int64)
    tokens = np.unique(steps * len(DRUMS) + lanes)
    scattered = (tokens * 2_654_435_761 + 12_345) % _PRIME  # Knuth's multiplicative hash
    minima = ((scattered[:, None] * _MULTIPLIERS + _OFFSETS) % _PRIME).min(axis=0)
    bar_steps = max(1, round(beat.meter.bar_quarters * 4))
    bars: defaultdict[int, list[int]] = defaultdict(list)
    for token in tokens.tolist():
        step, lane = divmod(token, len(DRUMS))
        bar, position = divmod(step, bar_steps)
        bars[bar].append(position * len(DRUMS) + lane)
    hashes = {_hash(bar_steps, bar) for bar in bars.values() if len(bar) >= KIN_BAR_HITS}
    return Sketch(tuple(minima.tolist()), tuple(sorted(hashes)))


def _hash(bar_steps: int, tokens: list[int]) -> int:
    digest = hashlib.blake2b(repr((bar_steps, tokens)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, signed=True)


def assign_families(sketches: Sequence[Sketch]) -> list[int]:
    """A family number per sketch, counted from 0 in order of first appearance."""
    kin = _Kinship(len(sketches))
    first_with_bar: dict[int, int] = {}
    for index, sketch in enumerate(sketches):
        for bar in sketch.bar_hashes:
            kin.join(index, first_with_bar.setdefault(bar, index))
    signatures = np.array([sketch.minhash for sketch in sketches], dtype=np.uint32)
    for bucket in _buckets(signatures):
        _join_similar(bucket, signatures, kin)
    numbers: dict[int, int] = {}
    return [numbers.setdefault(kin.family(index), len(numbers)) for index in range(len(sketches))]


def _buckets(signatures: np.ndarray) -> list[list[int]]:
    """Groups of indices that agree on a whole band of their signatures."""
    buckets: defaultdict[tuple[int, bytes], list[int]] = defaultdict(list)
    for start in range(0, _HASHES, _BAND_ROWS):
        band = np.ascontiguousarray(signatures[:, start : start + _BAND_ROWS])
        for index in range(len(signatures)):
            buckets[start, band[index].tobytes()].append(index)
    return [bucket for bucket in buckets.values() if len(bucket) > 1]


def _join_similar(bucket: list[int], signatures: np.ndarray, kin: _Kinship) -> None:
    for position, index in enumerate(bucket[1:], start=1):
        others = [
            other
            for other in bucket[max(0, position - _MAX_COMPARED) : position]
            if kin.family(other) != kin.family(index)
        ]
        if not others:
            continue
        jaccard = (signatures[others] == signatures[index]).mean(axis=1)
        for other, similarity in zip(others, jaccard.tolist(), strict=True):
            if similarity >= KIN_JACCARD:
                kin.join(index, other)


class _Kinship:
    """Union-find over file indices."""

    def __init__(self, size: int) -> None:
        self._parent = list(range(size))

    def family(self, index: int) -> int:
        while self._parent[index] != index:
            self._parent[index] = self._parent[self._parent[index]]
            index = self._parent[index]
        return index

    def join(self, first: int, second: int) -> None:
        first, second = sorted((self.family(first), self.family(second)))
        self._parent[second] = first


def assign_splits(families: Sequence[int], genres: Sequence[str]) -> list[str]:
    """'train', 'validation' or 'test' per file, 75/10/15 within each genre, by whole families.

    Large families are placed first, each where its genre lacks most files; a corpus of a single
    family is all training.
    """
    members: defaultdict[int, list[int]] = defaultdict(list)
    for index, family in enumerate(families):
        members[family].append(index)
    genre_of = {
        family: Counter(genres[index] for index in indices).most_common(1)[0][0]
        for family, indices in members.items()
    }
    wanted = Counter(genre_of[family] for family in families)
    placed: defaultdict[tuple[str, str], int] = defaultdict(int)
    split_of: dict[int, str] = {}
    for family in sorted(members, key=lambda family: (-len(members[family]), _scatter(family))):
        genre = genre_of[family]
        split = max(
            SPLIT_SHARES,
            key=lambda name: SPLIT_SHARES[name] * wanted[genre] - placed[genre, name],
        )
        split_of[family] = split
        placed[genre, split] += len(members[family])
    return [split_of[family] for family in families]


def _scatter(family: int) -> int:
    """An order unrelated to file names, the same every time."""
    return _hash(family, [])
