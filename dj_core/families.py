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
from functools import lru_cache

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
_MULTIPLIERS = _RANDOM.integers(1, _PRIME, _HASHES, dtype=np.int64).astype(np.uint64)
_OFFSETS = _RANDOM.integers(0, _PRIME, _HASHES, dtype=np.int64).astype(np.uint64)
_TOKENS_AT_ONCE = 1_024  # a megabyte at a time, which stays near the processor
_LARGEST_TABLE = 16_384  # tokens: 64 bars of 4/4, 8 MB
_BARS_REMEMBERED = 16_384  # hashes; loops repeat themselves
_BAND_MULTIPLIER = np.uint64(0x9E37_79B9_7F4A_7C15)  # odd, with bits all over
_PAIRS_AT_ONCE = 1 << 18  # some megabytes of places
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
    bar_cells = cells_per_bar(meter)
    (sketch,) = sketches(np.zeros(len(tokens), np.int64), np.array(tokens), [bar_cells])
    return sketch


def cells_per_bar(meter: Meter) -> int:
    """Steps times drums."""
    return max(1, round(meter.bar_quarters * 4)) * len(DRUMS)


def sketches(owners: np.ndarray, tokens: np.ndarray, bar_cells: Sequence[int]) -> list[Sketch]:
    """The sketches of many beats at once.

    Args:
        owners: which beat each token is of, ascending; each has at least one.
        tokens: step times number of drums plus lane, ascending within a beat, none twice.
        bar_cells: of each beat.
    """
    firsts = np.searchsorted(owners, np.arange(len(bar_cells)))
    cells_of_owner = np.asarray(bar_cells, np.int64)[owners]
    bars = tokens // cells_of_owner
    edges = np.flatnonzero((np.diff(owners) != 0) | (np.diff(bars) != 0)) + 1
    starts = np.concatenate([[0], edges])
    ends = np.concatenate([edges, [len(tokens)]])
    full = ends - starts >= KIN_BAR_HITS
    cells = (tokens - bars * cells_of_owner).astype(np.uint16)
    hashes: list[set[int]] = [set() for _ in bar_cells]
    whose = owners[starts[full]].tolist()
    for owner, start, end in zip(whose, starts[full].tolist(), ends[full].tolist(), strict=True):
        hashes[owner].add(_bar_hash(bar_cells[owner], cells[start:end].tobytes()))
    minima = _minima(tokens, firsts)
    return [
        Sketch(minhash, tuple(sorted(bars))) for minhash, bars in zip(minima, hashes, strict=True)
    ]


@lru_cache(maxsize=_BARS_REMEMBERED)
def _bar_hash(bar_cells: int, cells: bytes) -> int:
    return _hash(bar_cells // len(DRUMS), np.frombuffer(cells, np.uint16).tolist())


def _minima(tokens: np.ndarray, firsts: np.ndarray) -> np.ndarray:
    """Under each hash function the smallest number among a beat's tokens, (beats, 128) of uint32.

    Tokens near the start, which every beat has, are looked up; those of long takes are reckoned.
    """
    least = np.full((len(firsts), _HASHES), _PRIME, np.uint32)
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
    return np.minimum(numbers, numbers - np.uint32(_PRIME))


def _hash(bar_steps: int, tokens: list[int]) -> int:
    digest = hashlib.blake2b(repr((bar_steps, tokens)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, signed=True)


def assign_families(sketches: Sequence[Sketch]) -> list[int]:
    """A family number per sketch, counted from 0 in order of first appearance."""
    if not len(sketches):
        return []
    kin = _Kinship(len(sketches))
    kin.join(*_with_a_bar_in_common(sketches))
    signatures = np.concatenate([sketch.minhash for sketch in sketches]).reshape(-1, _HASHES)
    for start in range(0, _HASHES, _BAND_ROWS):
        _join_similar(start, signatures, kin)
    return np.unique(kin.eldest, return_inverse=True)[1].tolist()


def _with_a_bar_in_common(sketches: Sequence[Sketch]) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of indices that share a full bar, enough of them to connect all that do."""
    bars = np.array([bar for sketch in sketches for bar in sketch.bar_hashes], np.int64)
    counts = [len(sketch.bar_hashes) for sketch in sketches]
    owners = np.repeat(np.arange(len(sketches)), counts)
    order = np.argsort(bars, kind="stable")
    same = bars[order[1:]] == bars[order[:-1]]
    return owners[order[:-1][same]], owners[order[1:][same]]


def _join_similar(start: int, signatures: np.ndarray, kin: _Kinship) -> None:
    """Join those of one bucket, which agree on the band of hashes that begins at `start`."""
    band = np.ascontiguousarray(signatures[:, start : start + _BAND_ROWS]).view(np.uint64)
    # two numbers as one: should others ever come out alike, they are compared and told apart
    key = band[:, 0] * _BAND_MULTIPLIER + band[:, 1]
    members = np.argsort(key, kind="stable")
    edges = np.append(False, key[members[1:]] != key[members[:-1]])
    buckets = np.cumsum(edges)
    distance = 1
    while distance <= _MAX_COMPARED:
        members, buckets = _still_apart(members, buckets, kin, distance)
        if not len(members):
            return
        # twice as far each time, as what is joined meanwhile need not be compared any more
        beyond = min(2 * distance, distance + max(1, _PAIRS_AT_ONCE // len(members)))
        beyond = min(beyond, _MAX_COMPARED + 1)
        places = np.arange(len(members))
        others = (places + np.arange(distance, beyond)[:, None]).ravel()
        firsts = np.tile(places, beyond - distance)[others < len(members)]
        seconds = others[others < len(members)]
        inside = buckets[firsts] == buckets[seconds]
        first, second = members[firsts[inside]], members[seconds[inside]]
        apart = kin.eldest[first] != kin.eldest[second]
        first, second = first[apart], second[apart]
        alike = _are_similar(signatures, first, second)
        kin.join(first[alike], second[alike])
        distance = beyond


def _still_apart(
    members: np.ndarray, buckets: np.ndarray, kin: _Kinship, distance: int
) -> tuple[np.ndarray, np.ndarray]:
    """Only the buckets that are not of one family yet and have members so far apart."""
    families = kin.eldest[members]
    apart = (buckets[1:] == buckets[:-1]) & (families[1:] != families[:-1])
    is_open = np.zeros(int(buckets[-1]) + 1 if len(buckets) else 0, bool)
    is_open[buckets[1:][apart]] = True
    if distance > 1:
        is_open &= np.bincount(buckets, minlength=len(is_open)) > distance
    kept = is_open[buckets]
    return members[kept], buckets[kept]


def _are_similar(signatures: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Whether each pair agrees on enough hashes."""
    alike = np.empty(len(first), bool)
    for start in range(0, len(first), _TOKENS_AT_ONCE):
        some = slice(start, start + _TOKENS_AT_ONCE)
        equal = signatures[first[some]] == signatures[second[some]]
        alike[some] = np.count_nonzero(equal, axis=1) >= KIN_JACCARD * _HASHES
    return alike


class _Kinship:
    """Union-find over file indices, many pairs at a time.

    Attributes:
        eldest: of every index the smallest of its family.
    """

    def __init__(self, size: int) -> None:
        self.eldest = np.arange(size)

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


def assign_splits(families: Sequence[int], genres: Sequence[str]) -> list[str]:
    """'train', 'validation' or 'test' per file, 75/10/15 within each genre, by whole families.

    Large families are placed first, each where its genre lacks most files; a corpus of a single
    family is all training.
    """
    members: defaultdict[int, list[int]] = defaultdict(list)
    for index, family in enumerate(families):
        members[family].append(index)
    genre_of = {family: _main_genre(indices, genres) for family, indices in members.items()}
    wanted = Counter(genre_of[family] for family in families)
    placed = {genre: dict.fromkeys(SPLIT_SHARES, 0) for genre in wanted}
    split_of: dict[int, str] = {}
    for family in sorted(members, key=lambda family: (-len(members[family]), _scatter(family))):
        genre = genre_of[family]
        lacks = [
            (share * wanted[genre] - there, -number, split)
            for number, ((split, share), there) in enumerate(
                zip(SPLIT_SHARES.items(), placed[genre].values(), strict=True)
            )
        ]
        *_, split = max(lacks)  # the first of those that lack as much
        split_of[family] = split
        placed[genre][split] += len(members[family])
    return [split_of[family] for family in families]


def _main_genre(indices: list[int], genres: Sequence[str]) -> str:
    if len(indices) == 1:
        return genres[indices[0]]
    return Counter(genres[index] for index in indices).most_common(1)[0][0]


def _scatter(family: int) -> int:
    """An order unrelated to file names, the same every time."""
    return _hash(family, [])
