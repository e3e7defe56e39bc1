"""Near-duplicates: groups similar files into families; a split never divides a family.

Two files are duplicates when the Jaccard index of their hits on the 16th grid is at least 0.7, or
when they share a bar of ten hits or more. A family is a connected component of these pairs. Jaccard
indices are estimated from MinHash signatures (Broder 1997) and candidates found by banding, so the
work grows with the number of files, not of pairs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import NamedTuple

import numpy as np

from dj_core.music.beat import Meter
from dj_core.music.drums import DRUMS

KIN_JACCARD = 0.7
KIN_BAR_HITS = 10
SPLIT_SHARES = {"train": 0.75, "validation": 0.10, "test": 0.15}  # as in the paper
HASHES = 128  # numbers in a signature

_BAND_ROWS = 4  # 32 bands of 4: a pair at 0.7 is missed once in 5,000 times
_PRIME = (1 << 31) - 1
_RANDOM = np.random.default_rng(20_161_122)  # any fixed seed: signatures must never change
_MULTIPLIERS = _RANDOM.integers(1, _PRIME, HASHES, dtype=np.int64).astype(np.uint64)
_OFFSETS = _RANDOM.integers(0, _PRIME, HASHES, dtype=np.int64).astype(np.uint64)
_TOKENS_AT_ONCE = 1_024  # a megabyte at a time, which stays near the processor
_LARGEST_TABLE = 16_384  # tokens: 64 bars of 4/4, 8 MB
_BARS_REMEMBERED = 4_096  # hashes; loops repeat themselves
_BAND_MULTIPLIER = np.uint64(0x9E37_79B9_7F4A_7C15)  # odd, with bits all over
_PAIRS_AT_ONCE = 1_024  # of signatures, a megabyte
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


class Strokes(NamedTuple):
    """What is played in a beat, at least one stroke: onsets in quarter notes, and lanes."""

    onsets_quarters: Sequence[float]
    lanes: Sequence[int]
    meter: Meter


def sketches(beats: Sequence[Strokes]) -> list[Sketch]:
    """The sketches of many beats on the 16th grid (step = floor(16ths + 0.5))."""
    if not beats:
        return []
    count = len(DRUMS)
    counts = [len(beat.lanes) for beat in beats]
    onsets = np.fromiter(chain.from_iterable(beat.onsets_quarters for beat in beats), np.float64)
    lanes = np.fromiter(chain.from_iterable(beat.lanes for beat in beats), np.int64)
    played = (onsets * 4 + 0.5).astype(np.int64) * count + lanes
    reach = int(played.max()) + 1
    both = np.unique(np.repeat(np.arange(len(beats)), counts) * reach + played)
    owners, tokens = both // reach, both % reach  # by beat, ascending in each, none twice
    firsts = np.searchsorted(owners, np.arange(len(beats)))
    bar_cells = [max(1, round(beat.meter.bar_quarters * 4)) * count for beat in beats]
    cells_of_owner = np.asarray(bar_cells, np.int64)[owners]
    bars = tokens // cells_of_owner
    edges = np.flatnonzero((np.diff(owners) != 0) | (np.diff(bars) != 0)) + 1
    starts = np.concatenate([[0], edges])
    ends = np.concatenate([edges, [len(tokens)]])
    full = ends - starts >= KIN_BAR_HITS
    cells = (tokens - bars * cells_of_owner).astype(np.uint16)
    hashes: list[set[int]] = [set() for _ in beats]
    whose = owners[starts[full]].tolist()
    for owner, start, end in zip(whose, starts[full].tolist(), ends[full].tolist(), strict=True):
        hashes[owner].add(_bar_hash(bar_cells[owner], cells[start:end].tobytes()))
    minima = _minima(tokens, firsts)
    return [
        Sketch(minhash, tuple(sorted(found))) for minhash, found in zip(minima, hashes, strict=True)
    ]


@lru_cache(maxsize=_BARS_REMEMBERED)
def _bar_hash(bar_cells: int, cells: bytes) -> int:
    return _hash(bar_cells // len(DRUMS), np.frombuffer(cells, np.uint16).tolist())


def _minima(tokens: np.ndarray, firsts: np.ndarray) -> np.ndarray:
    """Under each hash function the smallest number among a beat's tokens, (beats, 128) of uint32.

    Tokens near the start, which every beat has, are looked up; those of long takes are reckoned.
    """
    least = np.full((len(firsts), HASHES), _PRIME, np.uint32)
    beats = np.repeat(np.arange(len(firsts)), np.diff(np.append(firsts, len(tokens))))
    step = _TOKENS_AT_ONCE
    for start in range(0, len(tokens), step):
        some, owners = tokens[start : start + step], beats[start : start + step]
        most = int(some.max())
        if most < _LARGEST_TABLE:
            numbers = np.take(_table(max(1_024, 1 << most.bit_length())), some, axis=0)
        else:
            numbers = _numbers(some)
        edges = np.flatnonzero(np.diff(owners)) + 1
        places = np.concatenate([[0], edges])
        whose = owners[places]
        least[whose] = np.minimum(least[whose], np.minimum.reduceat(numbers, places, axis=0))
    return least


@lru_cache(maxsize=8)
def _table(size: int) -> np.ndarray:
    """The numbers of the first tokens."""
    parts = (np.arange(at, min(at + 512, size)) for at in range(0, size, 512))
    return np.concatenate([_numbers(part) for part in parts])


def _numbers(tokens: np.ndarray) -> np.ndarray:
    """Each token under each hash function, (tokens, 128) of uint32."""
    scattered = (tokens * 2_654_435_761 + 12_345) % _PRIME  # Knuth's multiplicative hash
    wide = scattered.astype(np.uint64)[:, None] * _MULTIPLIERS
    wide += _OFFSETS
    # wide % (2**31 - 1), without a division: 2**31 is 1 there, so high bits add to low ones;
    # what comes out is less than twice the prime, and below it a subtraction wraps around
    numbers = (wide & _PRIME).astype(np.uint32)
    numbers += (wide >> np.uint64(31)).astype(np.uint32)
    below: np.ndarray = np.minimum(numbers, numbers - np.uint32(_PRIME))
    return below


def _hash(bar_steps: int, tokens: list[int]) -> int:
    digest = hashlib.blake2b(repr((bar_steps, tokens)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, signed=True)


def families_of(signatures: np.ndarray, bars: np.ndarray, owners: np.ndarray) -> np.ndarray:
    """A family number per beat, counted from 0 in order of first appearance.

    Args:
        signatures: of all beats, (beats, 128) of uint32.
        bars: the bar hashes (int64) of all beats.
        owners: the beat that each of these is of.
    """
    count = len(signatures)
    kin = _Kinship(count)
    order = np.argsort(bars, kind="stable")
    bars, owners = bars[order], owners[order]
    same = bars[1:] == bars[:-1]
    kin.join(owners[:-1][same], owners[1:][same])
    first_bytes = np.ascontiguousarray(signatures.view(np.uint8)[:, ::4])
    for row in range(0, HASHES, _BAND_ROWS):
        # those of one bucket agree on a band of hashes; should others ever have the same key, they
        # are compared and told apart
        band = np.ascontiguousarray(signatures[:, row : row + _BAND_ROWS]).view(np.uint64)
        keys = band[:, 0] * _BAND_MULTIPLIER + band[:, 1]
        members = np.argsort(keys, kind="stable").astype(np.int32)
        keys = keys[members]
        for distance in range(1, _MAX_COMPARED + 1):
            # only buckets that are not of one family yet, and have members so far apart
            begins = np.flatnonzero(np.append(True, keys[1:] != keys[:-1]))
            sizes = np.diff(np.append(begins, len(keys)))
            eldest = kin.eldest[members]
            least, most = (each.reduceat(eldest, begins) for each in (np.minimum, np.maximum))
            is_open = np.repeat((least != most) & (sizes > distance), sizes)
            members, keys = members[is_open], keys[is_open]
            if not len(keys):
                break
            first, second = members[:-distance], members[distance:]
            apart = kin.eldest[first] != kin.eldest[second]
            apart &= keys[:-distance] == keys[distance:]
            first, second = first[apart], second[apart]
            for looked_at in (first_bytes, signatures):  # a quarter tells nearly all that differ
                alike = np.empty(len(first), bool)
                for start in range(0, len(first), _PAIRS_AT_ONCE):
                    some = slice(start, start + _PAIRS_AT_ONCE)
                    equal = looked_at[first[some]] == looked_at[second[some]]
                    alike[some] = np.count_nonzero(equal, axis=1) >= KIN_JACCARD * HASHES
                first, second = first[alike], second[alike]
            kin.join(first, second)
    is_eldest = kin.eldest == np.arange(count, dtype=np.int32)
    return (np.cumsum(is_eldest, dtype=np.int32) - 1)[kin.eldest]


class _Kinship:
    """Union-find over file indices, many pairs at a time.

    Attributes:
        eldest: of every index the smallest of its family.
    """

    def __init__(self, size: int) -> None:
        self.eldest = np.arange(size, dtype=np.int32)

    def join(self, first: np.ndarray, second: np.ndarray) -> None:
        """Make one family of each pair's two."""
        while True:
            ours, theirs = self.eldest[first], self.eldest[second]
            apart = ours != theirs
            if not apart.any():
                return
            first, second = first[apart], second[apart]
            ours, theirs = ours[apart], theirs[apart]
            np.minimum.at(self.eldest, np.maximum(ours, theirs), np.minimum(ours, theirs))
            while not np.array_equal(self.eldest, further := self.eldest[self.eldest]):
                self.eldest = further


def splits_of(families: np.ndarray, genres: np.ndarray) -> np.ndarray:
    """Which of `SPLIT_SHARES` each file is in, 75/10/15 within each genre, by whole families.

    Large families are placed first, each where its genre lacks most files; a corpus of a single
    family is all training.

    Args:
        families: number of each file's family, from 0 without a gap.
        genres: number of each file's genre, likewise.
    """
    if not len(families):
        return np.empty(0, np.int8)
    # of every family the genre of most of its files; of several the one that comes first
    count = int(genres.max()) + 1
    both, firsts, files = np.unique(
        families.astype(np.int64) * count + genres, return_index=True, return_counts=True
    )
    both = both[np.lexsort([firsts, -files, both // count])]
    begins = np.flatnonzero(np.append(True, np.diff(both // count) != 0))
    genre_of = (both[begins] % count).astype(np.int32)
    sizes = np.bincount(families)
    wanted = np.bincount(genre_of, weights=sizes).astype(np.int64).tolist()
    targets = [[share * files for share in SPLIT_SHARES.values()] for files in wanted]
    placed = [[0] * len(SPLIT_SHARES) for _ in wanted]
    # an order unrelated to file names, the same every time
    hashes = (_hash(family, []) for family in range(len(sizes)))
    scattered = np.fromiter(hashes, np.int64, len(sizes))
    split_of = np.empty(len(sizes), np.int8)
    order = np.lexsort([scattered, -sizes])
    for start in range(0, len(order), _TOKENS_AT_ONCE):
        some = order[start : start + _TOKENS_AT_ONCE]
        chosen = []
        for genre, size in zip(genre_of[some].tolist(), sizes[some].tolist(), strict=True):
            there = placed[genre]
            lacks = [target - count for target, count in zip(targets[genre], there, strict=True)]
            split = lacks.index(max(lacks))  # the first of those that lack as much
            there[split] += size
            chosen.append(split)
        split_of[some] = chosen
    splits: np.ndarray = split_of[families]
    return splits
