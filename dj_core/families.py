"""Near-duplicates: which files are kin, and a split that never divides a family.

Two files are kin when the Jaccard index of their hits on the 16th grid is at least 0.7, or when
they share a bar of ten hits or more. Kinship spreads (a kin of a kin is kin), so a family is a
connected component. Jaccard indices are estimated from MinHash signatures (Broder 1997) and
candidates found by banding, so the work grows with the number of files, not of pairs.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from dj_core.beat import Beat, Meter
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
_TOKENS_AT_ONCE = 4_096  # 4 MB at a time; all of the longest file at once would be 600
_MAX_COMPARED = 64  # of one bucket; beyond, kinship spreads through those already joined


@dataclass(frozen=True, eq=False, slots=True)
class Sketch:
    """What grouping needs to know of a beat.

    Attributes:
        minhash: 128 minima (uint32); the share of equal ones estimates the Jaccard index.
        bar_hashes: one number per bar of at least `KIN_BAR_HITS` hits.
    """

    minhash: np.ndarray
    bar_hashes: tuple[int, ...]


def sketch_beat(beat: Beat) -> Sketch:
    """The sketch of a beat on the 16th grid (step = floor(16ths + 0.5))."""
    return sketch_strokes(
        [hit.onset_quarters for hit in beat.hits], [hit.lane for hit in beat.hits], beat.meter
    )


def sketch_strokes(onsets_quarters: Sequence[float], lanes: Sequence[int], meter: Meter) -> Sketch:
    """The sketch of strokes, given by their onsets and lanes; see `sketch_beat`."""
    count = len(DRUMS)
    tokens = sorted(
        {
            int(onset * 4 + 0.5) * count + lane
            for onset, lane in zip(onsets_quarters, lanes, strict=True)
        }
    )
    if not tokens:
        return Sketch(np.zeros(_HASHES, np.uint32), ())
    bar_cells = max(1, round(meter.bar_quarters * 4)) * count
    hashes = set()
    start = 0
    while start < len(tokens):  # bar by bar
        bar = tokens[start] // bar_cells
        end = bisect_left(tokens, (bar + 1) * bar_cells, start)
        if end - start >= KIN_BAR_HITS:
            cells = [token - bar * bar_cells for token in tokens[start:end]]
            hashes.add(_hash(bar_cells // count, cells))
        start = end
    return Sketch(_minima(np.array(tokens, dtype=np.int64)), tuple(sorted(hashes)))


def _minima(tokens: np.ndarray) -> np.ndarray:
    """Under each of the hash functions the smallest number among the tokens, (128,) of uint32."""
    scattered = (tokens * 2_654_435_761 + 12_345) % _PRIME  # Knuth's multiplicative hash
    minima = np.full(_HASHES, _PRIME)
    for start in range(0, len(scattered), _TOKENS_AT_ONCE):
        some = scattered[start : start + _TOKENS_AT_ONCE, None] * _MULTIPLIERS + _OFFSETS
        # some % (2**31 - 1), without a division: 2**31 is 1 there, so high bits add to low ones
        some = (some & _PRIME) + (some >> 31)
        some = (some & _PRIME) + (some >> 31)
        some[some == _PRIME] = 0
        np.minimum(minima, some.min(axis=0), out=minima)
    return minima.astype(np.uint32)


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
    if not len(sketches):
        return []
    signatures = np.stack([sketch.minhash for sketch in sketches])
    for bucket in _buckets(signatures):
        _join_similar(bucket, signatures, kin)
    numbers: dict[int, int] = {}
    return [numbers.setdefault(kin.family(index), len(numbers)) for index in range(len(sketches))]


def _buckets(signatures: np.ndarray) -> Iterator[list[int]]:
    """Groups of indices that agree on a whole band of their signatures, band by band."""
    for start in range(0, _HASHES, _BAND_ROWS):
        band = np.ascontiguousarray(signatures[:, start : start + _BAND_ROWS]).view(np.uint64)
        order = np.lexsort(band.T)  # stable: members of a bucket stay in order
        same = (band[order[1:]] == band[order[:-1]]).all(axis=1)
        edges = np.flatnonzero(np.diff(np.r_[False, same, False]))
        firsts, lasts = edges[::2], edges[1::2]
        for place in np.argsort(order[firsts], kind="stable"):
            yield order[firsts[place] : lasts[place] + 1].tolist()


def _join_similar(bucket: list[int], signatures: np.ndarray, kin: _Kinship) -> None:
    if len({kin.family(index) for index in bucket}) == 1:
        return
    for position, index in enumerate(bucket[1:], start=1):
        mine = kin.family(index)
        others = [
            other
            for other in bucket[max(0, position - _MAX_COMPARED) : position]
            if kin.family(other) != mine
        ]
        if not others:
            continue
        alike = np.count_nonzero(signatures[others] == signatures[index], axis=1)
        for other, equal in zip(others, alike.tolist(), strict=True):
            if equal >= KIN_JACCARD * _HASHES:
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
