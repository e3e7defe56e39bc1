"""Composes phrases of a dance style from the layers of written ones, for training.

The written phrases (``assets/phrases``) are taken apart into layers: kick, backbeat, hats, cymbals,
shakers and percussion, eight bars each. A composed phrase keeps one phrase's anchor, takes other
layers from other phrases, puts their bars in another order and plays a role: an intro lets layers
enter, a break leaves the kick out, a build rolls into what follows. What breaks a rule of the
style, or leaves the density of the written phrases, is thrown away.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from dj_core.music.beat import Beat, Hit, Provenance
from dj_core.music.drums import LANE
from dj_core.music.genres import DANCE_STYLES, MOST_ENERGY, ROLES
from dj_core.music.idiom import bars_of, broken_rules
from dj_core.music.patterns import genre_patterns
from dj_core.product import ASSETS

PHRASE_FOLDER = ASSETS / "phrases"
PHRASE_BARS = 8
HELD_OUT_EVERY = 3  # of a role's phrases, the second, fifth, eighth … are never learned from

LAYERS: dict[str, tuple[str, ...]] = {
    "kick": ("kick",),
    "backbeat": ("snare", "clap"),
    "hats": ("closed_hat", "open_hat", "pedal_hat"),
    "cymbals": ("ride", "crash"),
    "shakers": ("shaker", "tambourine"),
    "percussion": ("side_stick", "conga", "cowbell", "low_tom", "mid_tom", "high_tom"),
}
_LAYER_OF_LANE = {LANE[drum]: layer for layer, drums in LAYERS.items() for drum in drums}
FROM_ANOTHER = {  # how often a layer comes from another phrase than the anchor
    "kick": 0.25,
    "backbeat": 0.25,
    "hats": 0.5,
    "cymbals": 0.4,
    "shakers": 0.5,
    "percussion": 0.6,
}
BAR_ORDERS = (  # which written bar sounds in each of the eight; bars 4 and 8 stay turns
    (0, 1, 2, 3, 4, 5, 6, 7),
    (0, 1, 2, 3, 4, 5, 6, 7),
    (4, 5, 6, 7, 0, 1, 2, 7),
    (0, 1, 0, 3, 4, 5, 4, 7),
    (4, 5, 6, 3, 4, 1, 6, 7),
    (2, 1, 0, 3, 6, 5, 4, 7),
)
TRIPLET_SHARE = 0.2  # of hits on triplets, from which a phrase counts as one of triplets
RUNNING_HITS_A_BAR = 9.0  # a row with more is continuous
MOST_RUNNING = 3
FEWEST_DRUMS, MOST_DRUMS = 5, 10
FILL_SHARE = {"groove": 0.3, "drop": 0.35, "build": 0.3, "break": 0.3, "intro": 0.2, "outro": 0.1}
TRIES = 30
ENERGIES = {"intro": (1, 3), "outro": (1, 2), "break": (1, 2), "build": (3, 4), "drop": (4, 5)}


@dataclass(frozen=True)
class Phrases:
    """Phrases and fills of one style.

    Attributes:
        genre: a dance style.
        phrases: of eight bars, each with a role and an energy in its provenance.
        fills: of one or two bars.
    """

    genre: str
    phrases: tuple[Beat, ...]
    fills: tuple[Beat, ...]

    @cached_property
    def in_triplets(self) -> dict[str, bool]:
        """By title, whether a phrase or fill is in triplets; only layers of one feel are joined."""
        return {beat.title: _in_triplets(beat) for beat in (*self.phrases, *self.fills)}

    @cached_property
    def hits_a_bar(self) -> tuple[float, float]:
        """Of the sparsest and of the densest groove."""
        grooves = [b for b in self.phrases if role_of_phrase(b) in ("groove", "drop")]
        counts = [len(beat.hits) / beat.bars for beat in grooves or self.phrases]
        return min(counts), max(counts)


def role_of_phrase(beat: Beat) -> str:
    """A written or composed phrase's role."""
    return str(beat.provenance.settings["role"])


def written_phrases(genre: str, held_out: bool = False, folder: Path = PHRASE_FOLDER) -> Phrases:
    """The written phrases of a style to learn from, or those that nothing is learned from.

    Raises:
        PatternError: the style has no file, or it cannot be read.
    """
    phrases: list[Beat] = []
    counted: dict[str, int] = {}
    for beat in genre_patterns(genre, folder):
        role = "fill" if beat.provenance.settings["kind"] == "fill" else role_of_phrase(beat)
        number = counted[role] = counted.get(role, 0) + 1
        if (number % HELD_OUT_EVERY == 2) == held_out:
            phrases.append(beat)
    fills = tuple(beat for beat in phrases if beat.provenance.settings["kind"] == "fill")
    return Phrases(genre, tuple(beat for beat in phrases if beat not in fills), fills)


def written_genres(folder: Path = PHRASE_FOLDER) -> tuple[str, ...]:
    """The dance styles that have a file of phrases, in the table's order."""
    return tuple(genre for genre in DANCE_STYLES if (folder / f"{genre}.beat").is_file())


def compose(
    material: Phrases, role: str, count: int, seed: int, long_share: float = 0.5
) -> Iterator[Beat]:
    """Up to `count` phrases of a role; fewer where too many tries break the style's rules.

    Args:
        material: phrases to take layers from.
        role: one of `genres.ROLES`.
        count: how many.
        seed: decides all of them; a style and a role draw their own.
        long_share: how many grooves and drops have sixteen bars, a phrase and its variation.
    """
    key = [seed, zlib.crc32(material.genre.encode()), ROLES.index(role)]
    generator = np.random.default_rng(key)
    found = tries = 0
    while found < count and tries < TRIES * count:
        tries += 1
        draft = _Draft(material, role, generator)
        hits = draft.hits()
        if role in ("groove", "drop") and generator.random() < long_share:
            hits += draft.second_half()
        beat = draft.beat(hits, f"{material.genre} {role} {found + 1}")
        if _is_good(beat, material, role):
            found += 1
            yield beat


def _is_good(beat: Beat, material: Phrases, role: str) -> bool:
    bars = bars_of(beat)
    drums = {hit.lane for hit in beat.hits}
    if not drums or len(drums) > MOST_DRUMS or len(set(bars[:4])) == 1:
        return False
    counts = [sum(hit.lane == lane for hit in beat.hits) / beat.bars for lane in drums]
    if sum(count > RUNNING_HITS_A_BAR for count in counts) > MOST_RUNNING:
        return False
    if role not in ("groove", "drop"):
        return True
    low, high = material.hits_a_bar
    dense_enough = low * 0.9 <= len(beat.hits) / beat.bars <= high * 1.15
    return len(drums) >= FEWEST_DRUMS and dense_enough and not broken_rules(beat)


class _Draft:
    """A phrase being composed: its anchor, and which phrase each layer comes from."""

    def __init__(self, material: Phrases, role: str, generator: np.random.Generator) -> None:
        self.material, self.role, self.draw = material, role, generator
        own_role = [beat for beat in material.phrases if role_of_phrase(beat) == role]
        grooves = [b for b in material.phrases if role_of_phrase(b) in ("groove", "drop")]
        anchors = own_role if own_role and generator.random() < 0.4 else grooves
        self.anchor = self._one_of(anchors or list(material.phrases))
        triplets = material.in_triplets
        self.in_triplets = triplets[self.anchor.title]
        others = [b for b in grooves if triplets[b.title] == self.in_triplets] or [self.anchor]
        self.sources = {
            layer: self._one_of(others) if generator.random() < share else self.anchor
            for layer, share in FROM_ANOTHER.items()
        }
        self.tempo_bpm = float(self._one_of(others).tempo_bpm or 120.0)
        self.energy = int(self.anchor.provenance.settings["energy"])

    def _one_of(self, beats: Sequence[Beat]) -> Beat:
        return beats[int(self.draw.integers(len(beats)))]

    def hits(self) -> list[Hit]:
        """Eight bars."""
        order = {layer: BAR_ORDERS[int(self.draw.integers(len(BAR_ORDERS)))] for layer in LAYERS}
        hits = [hit for layer in LAYERS for hit in self._layer(layer, order[layer])]
        hits = self._in_role(hits)
        if self.draw.random() < FILL_SHARE[self.role]:
            hits = self._with_fill(hits)
        return hits

    def second_half(self) -> list[Hit]:
        """Eight bars more: one layer from elsewhere, bars in another order, a crash on one."""
        layer = list(LAYERS)[int(self.draw.integers(2, len(LAYERS)))]
        self.sources[layer] = self._one_of(self.material.phrases)
        if self.material.in_triplets[self.sources[layer].title] != self.in_triplets:
            self.sources[layer] = self.anchor
        hits = self.hits()
        crashes = any(hit.lane == LANE["crash"] for b in self.material.phrases for hit in b.hits)
        if crashes and self.role in ("groove", "drop") and self.draw.random() < 0.6:
            hits = [h for h in hits if not (h.lane == LANE["crash"] and h.onset_quarters < 1)]
            hits.append(Hit(0.0, LANE["crash"], int(self.draw.integers(96, 116))))
        length = float(PHRASE_BARS * self.anchor.meter.bar_quarters)
        return [replace(hit, onset_quarters=hit.onset_quarters + length) for hit in hits]

    def _layer(self, layer: str, order: Sequence[int]) -> list[Hit]:
        """A layer's hits with its bars in `order`, as loud as they were written."""
        source = self.sources[layer]
        bar_quarters = float(source.meter.bar_quarters)
        by_bar: dict[int, list[Hit]] = {}
        for hit in source.hits:
            if _LAYER_OF_LANE[hit.lane] == layer:
                by_bar.setdefault(self._bar(hit) - 1, []).append(hit)
        return [
            replace(hit, onset_quarters=max(0.0, hit.onset_quarters + (place - bar) * bar_quarters))
            for place, bar in enumerate(order)
            for hit in by_bar.get(bar, ())
            if place == bar or hit.lane != LANE["crash"]  # crashes stay where they were written
        ]

    # --- roles ----------------------------------------------------------------------------------

    def _in_role(self, hits: list[Hit]) -> list[Hit]:
        """What of the hits a phrase of this role plays, and what it adds."""
        draw = self.draw
        if self.role == "intro":
            enters = {"kick": 1, "hats": 1, "cymbals": 5, "shakers": 3, "percussion": 5}
            enters["backbeat"] = int(draw.choice([3, 5, 7]))
            if draw.random() < 0.3:
                enters["hats"] = 3
            return [hit for hit in hits if self._bar(hit) >= enters[_LAYER_OF_LANE[hit.lane]]]
        if self.role == "outro":
            leaves = {"kick": 9, "hats": 9, "cymbals": 5, "shakers": 7, "percussion": 5}
            leaves["backbeat"] = int(draw.choice([5, 7]))
            return [hit for hit in hits if self._bar(hit) < leaves[_LAYER_OF_LANE[hit.lane]]]
        if self.role == "break":
            silent = {"kick"} if draw.random() < 0.7 else set()
            silent |= {"backbeat"} if draw.random() < 0.5 else set()
            silent |= {"hats"} if draw.random() < 0.25 else {"cymbals"}
            kept = [hit for hit in hits if _LAYER_OF_LANE[hit.lane] not in silent]
            if "kick" not in silent:  # then it marks the phrase's ends alone
                kept = [h for h in kept if h.lane != LANE["kick"] or self._bar(h) in (1, 5, 8)]
            return kept
        if self.role == "build":
            return self._building(hits)
        if self.role == "drop" and not any(
            hit.lane == LANE["crash"] and hit.onset_quarters < 1 for hit in hits
        ):
            hits = [*hits, Hit(0.0, LANE["crash"], int(draw.integers(100, 118)))]
        return hits

    def _building(self, hits: list[Hit]) -> list[Hit]:
        """Kick out near the end, and a roll that doubles twice and grows louder."""
        draw = self.draw
        silent_from = int(draw.choice([5, 7, 8]))
        kept = [h for h in hits if h.lane != LANE["kick"] or self._bar(h) < silent_from]
        lane = LANE[str(draw.choice(["snare", "clap", "high_tom"], p=[0.7, 0.2, 0.1]))]
        first = int(draw.choice([3, 5]))
        bar_quarters = float(self.anchor.meter.bar_quarters)
        kept = [h for h in kept if h.lane != lane or self._bar(h) < first]
        rest_at_end = draw.random() < 0.4
        for bar in range(first, PHRASE_BARS + 1):
            done = (bar - first) / (PHRASE_BARS - first)
            a_quarter = 1 if done < 0.34 else 2 if done < 0.67 else 4
            strokes = round(a_quarter * bar_quarters)
            for number in range(strokes):
                at = (bar - 1) * bar_quarters + number / a_quarter
                if rest_at_end and bar == PHRASE_BARS and number >= strokes - a_quarter:
                    break
                along = (at / bar_quarters - first + 1) / (PHRASE_BARS - first + 1)
                accent = 8 if number % max(1, a_quarter) == 0 else -6
                velocity = round(46 + 66 * along) + accent
                kept.append(Hit(at, lane, int(np.clip(velocity, 20, 124))))
        return kept

    def _with_fill(self, hits: list[Hit]) -> list[Hit]:
        """The last bar, or half of it, given to a written fill of the style."""
        fills = [
            fill
            for fill in self.material.fills
            if fill.meter == self.anchor.meter
            and self.material.in_triplets[fill.title] in (self.in_triplets, False)
        ]
        if not fills:
            return hits
        fill = self._one_of(fills)
        bar_quarters = float(fill.meter.bar_quarters)
        end = PHRASE_BARS * bar_quarters
        length = min(fill.bars, 2) * bar_quarters
        taken = length if self.draw.random() < 0.6 else bar_quarters / 2
        start = end - taken
        shift = end - fill.bars * bar_quarters
        added = [
            replace(hit, onset_quarters=hit.onset_quarters + shift)
            for hit in fill.hits
            if hit.onset_quarters + shift >= start
        ]
        keeps_kick = not any(hit.lane == LANE["kick"] for hit in added)
        kept = [
            hit
            for hit in hits
            if hit.onset_quarters < start - 0.06
            or (keeps_kick and hit.lane == LANE["kick"] and self.role != "build")
        ]
        return kept + added

    def _bar(self, hit: Hit) -> int:
        """The bar a hit is in, from 1; a stroke a little ahead of a bar line is in that bar."""
        return 1 + int((hit.onset_quarters + 0.1) // float(self.anchor.meter.bar_quarters))

    def beat(self, hits: Sequence[Hit], title: str) -> Beat:
        """The hits as a beat, one a place, with its energy."""
        bar_quarters = float(self.anchor.meter.bar_quarters)
        bars = (
            2 * PHRASE_BARS
            if any(hit.onset_quarters >= PHRASE_BARS * bar_quarters for hit in hits)
            else PHRASE_BARS
        )
        end = bars * bar_quarters
        placed = {
            (round(hit.onset_quarters * 96), hit.lane): hit
            for hit in hits
            if 0 <= hit.onset_quarters < end
        }
        ordered = tuple(sorted(placed.values(), key=lambda hit: (hit.onset_quarters, hit.lane)))
        low, high = ENERGIES.get(self.role, (1, MOST_ENERGY))
        written = self.anchor.provenance.settings["energy"] if self.role == "groove" else low
        sparse, dense = self.material.hits_a_bar
        relative = (len(ordered) / bars - sparse) / max(dense - sparse, 1.0)
        moved = round(relative * (high - low)) + low
        energy = int(
            np.clip(
                round((moved + int(written)) / 2) if self.role == "groove" else moved, low, high
            )
        )
        return Beat(
            ordered,
            bars=bars,
            tempo_bpm=self.tempo_bpm,
            meter=self.anchor.meter,
            genre=self.material.genre,
            title=title,
            provenance=Provenance(
                source=f"composed/{self.material.genre}",
                settings={"kind": "beat", "role": self.role, "energy": energy},
            ),
        )


def _in_triplets(beat: Beat) -> bool:
    places = [hit.onset_quarters * 12 for hit in beat.hits]
    triplets = sum(abs(place - round(place)) < 0.05 and round(place) % 3 != 0 for place in places)
    return triplets > TRIPLET_SHARE * max(1, len(places))
