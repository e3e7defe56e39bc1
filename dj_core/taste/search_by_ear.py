"""Search by ear: beats that sound like a beat, a loop or a track, or like none that was kept.

beat --> drums by 16th of two bars, levels by band, swing --> distance 0 (the same) to 1 --> nearest

Two thirds of the distance is of the groove: which drums play on which 16ths and how hard. The rest
is what any kit makes audible: how loud low, middle and high are on each 16th, and the swing. Of a
sound (`Listening`) only these are known, and count alone. Tempo is no part of it.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from dj_core.corpus.search import Catalogue
from dj_core.errors import CorpusError, GenerationError, LibraryError
from dj_core.library.kept_beats import Crate
from dj_core.listening.groove_template import GrooveTemplate
from dj_core.matching.accents import accents_of, correlation
from dj_core.models.request import GenerationRequest
from dj_core.music.beat import Beat
from dj_core.music.drums import DRUMS, LANE
from dj_core.music.step_grid import STEPS_PER_QUARTER
from dj_core.shaping.attributes import swing_of
from dj_core.taste.heard import TRAITS, heard_in, norms_of

if TYPE_CHECKING:
    from dj_core.models.groove.groove_player import GrooveModel

VOICES = (
    ("kick",), ("snare", "clap", "side_stick"), ("closed_hat", "pedal_hat", "shaker"),
    ("open_hat",), ("ride", "crash"), ("low_tom", "mid_tom", "high_tom"),
    ("tambourine", "cowbell", "conga"),
)  # fmt: skip
"""Drums that stand for one another when grooves are compared."""
FOLDED_BARS = 2
MOST_COMPARED = 400  # files of a collection, those first that use each drum about as much
FRESH_TAKES = 8
GROOVE, BANDS, SWING = 0.65, 0.25, 0.1  # shares of the distance
FAR_SWING = 12.0  # percent points at which swings have nothing in common
MOST_OF_SOUND = 5_000  # files, at random, where the drums of what is asked for are not known
SURPRISES_FROM = 60  # files that are looked at for a surprise
_VOICE = np.zeros(len(DRUMS), int)
for _row, _names in enumerate(VOICES):
    _VOICE[[LANE[_name] for _name in _names]] = _row


@dataclass(frozen=True, eq=False)
class Sound:
    """What a search compares.

    Attributes:
        drums: loudness 0 to 1 of each of `VOICES` on each 16th of two bars, all such pairs of bars
            averaged, (voices, steps); None of what was heard in a sound.
        bands: likewise of low, middle and high over one bar, (3, steps).
        swing: in percent, see `attributes.swing_of`.
    """

    drums: np.ndarray | None
    bands: np.ndarray
    swing: float


@dataclass(frozen=True)
class Found:
    """A beat that a search found.

    Attributes:
        where: 'crate', 'fresh take' or the collection's name.
        likeness: 1 for the same groove, 0 for nothing alike.
        name: what the crate calls it; '' elsewhere.
    """

    beat: Beat
    where: str
    likeness: float
    name: str = ""


def sound_of_beat(beat: Beat) -> Sound:
    """What is compared of a beat."""
    bar = max(1, round(beat.meter.bar_quarters * STEPS_PER_QUARTER))
    pairs = -(-beat.bars // FOLDED_BARS)
    drums = np.zeros((pairs, len(VOICES), FOLDED_BARS * bar))
    for hit in beat.hits:
        step = min(int(hit.onset_quarters * STEPS_PER_QUARTER + 0.5), beat.bars * bar - 1)
        place = step // (FOLDED_BARS * bar), _VOICE[hit.lane], step % (FOLDED_BARS * bar)
        drums[place] = max(drums[place], hit.velocity / 127)
    if beat.bars % FOLDED_BARS:  # the last bar has no second: it stands for both
        drums[-1, :, bar:] = drums[-1, :, :bar]
    return Sound(drums.mean(0), accents_of(beat), swing_of(beat)[0])


def sound_of_template(groove: GrooveTemplate) -> Sound:
    """What is compared of a loop or track that was listened to."""
    return Sound(None, np.asarray(groove.level, float), groove.swing_percent)


def apart(a: Sound, b: Sound) -> float:
    """Distance of two sounds, 0 to 1; 1 in other meters."""
    if a.bands.shape != b.bands.shape:
        return 1.0
    bands = min(1.0, 1 - correlation(a.bands, b.bands))
    swing = min(1.0, abs(a.swing - b.swing) / FAR_SWING)
    if a.drums is None or b.drums is None:
        return (BANDS * bands + SWING * swing) / (BANDS + SWING)
    half = a.drums.shape[1] // FOLDED_BARS  # a loop may begin with its other bar
    turned = (b.drums, np.roll(b.drums, half, axis=1))
    groove = min(
        float(np.abs(a.drums - other).sum() / max(np.maximum(a.drums, other).sum(), 1e-9))
        for other in turned
    )
    return GROOVE * groove + BANDS * bands + SWING * swing


def nearest(sound: Sound, among: Iterable[Found], most: int) -> tuple[Found, ...]:
    """The `most` alike, the most alike first; of beats with the same strokes one only."""
    ranked = (replace(one, likeness=1 - apart(sound, sound_of_beat(one.beat))) for one in among)
    found: list[Found] = []
    for one in heapq.nlargest(4 * most, ranked, key=lambda one: one.likeness):
        if all(one.beat.hits != other.beat.hits for other in found):
            found.append(one)
    return tuple(found[:most])


def farthest(kept: Sequence[Sound], among: Iterable[Found], most: int) -> tuple[Found, ...]:
    """The `most` unlike any that was kept; `likeness` is that to the nearest of them."""
    ranked = []
    for one in among:
        sound = sound_of_beat(one.beat)
        near = max((1 - apart(sound, other) for other in kept), default=0.0)
        ranked.append(replace(one, likeness=near))
    return tuple(heapq.nsmallest(most, ranked, key=lambda one: one.likeness))


# --- where to look ----------------------------------------------------------------------------


def in_crate(crate: Crate, *, but: str = "") -> Iterator[Found]:
    """Every beat of the crate but that of one id; what is damaged is left out."""
    for item in crate.find():
        if item.id != but:
            try:
                kept = crate.get(item.id)
            except LibraryError:
                continue
            yield Found(kept.beat, "crate", 0.0, item.name)


def in_collection(
    catalogue: Catalogue, beat: Beat | None, *, most: int = MOST_COMPARED, seed: int = 1
) -> Iterator[Found]:
    """`most` files of a collection, those first that use each drum about as often as `beat`.

    Without a beat they are drawn by the seed. What cannot be read any more is left out.
    """
    if beat is None:
        places = np.random.default_rng(seed).permutation(len(catalogue))[:most]
    else:
        often = catalogue.lane_hits / np.maximum(catalogue.bars, 1)[:, None]
        own = np.bincount([hit.lane for hit in beat.hits], minlength=len(DRUMS)) / beat.bars
        away = np.abs(np.sqrt(often) - np.sqrt(own)).sum(1)
        places = np.argsort(away, kind="stable")[:most]
    for file in catalogue.files_at(places):
        try:
            found = catalogue.corpus.beat(file).at_tempo(file.playing_tempo_bpm)
        except CorpusError:
            continue
        if found.hits:
            yield Found(found, catalogue.corpus.name, 0.0)


def fresh_takes(
    model: GrooveModel, beat: Beat, seed: int, *, count: int = FRESH_TAKES
) -> tuple[Found, ...]:
    """New takes of a beat's genre, in the styles that sound most like it.

    None where the model does not know the genre, or plays no such meter.
    """
    traits = heard_in(beat)
    genre = beat.genre if beat.genre in model.genres else ""
    try:
        request = GenerationRequest(
            genre=genre, tempo_bpm=beat.playing_tempo_bpm, meter=beat.meter,
            bars=min(beat.bars, 8), seed=seed,
        )  # fmt: skip
        numbers, _ = model.candidates(request)
    except GenerationError:
        return ()
    if traits is None:
        return ()
    norms = norms_of(model)
    own = norms.placed(np.array([traits[trait.name] for trait in TRAITS]), genre)
    away = np.abs(norms.placed(norms.styles[numbers], genre) - own).sum(1)
    near = numbers[np.argsort(away, kind="stable")[:count]]
    return _played(model, [replace(request, style=int(style)) for style in near])


def far_takes(
    model: GrooveModel, genres: Sequence[str], kept: Sequence[Beat], seed: int
) -> tuple[Found, ...]:
    """New takes in styles that are far from all that was kept, of genres drawn by the seed."""
    norms, chance = norms_of(model), np.random.default_rng(seed)
    rows = [heard_in(beat) for beat in kept]
    known = np.array([[row[trait.name] for trait in TRAITS] for row in rows if row])
    requests = []
    for genre in chance.choice([*genres], min(FRESH_TAKES, len(genres)), replace=False):
        request = GenerationRequest(genre=str(genre), bars=8, seed=seed)
        numbers, _ = model.candidates(request)
        chosen = int(chance.choice(numbers))
        if len(known):
            # on the scale of all genres: what is usual in an unheard genre is a surprise, too
            styles, judged = (norms.placed(table, "") for table in (norms.styles[numbers], known))
            near = np.abs(styles[:, None] - judged[None]).sum(2).min(1)
            chosen = int(numbers[near.argmax()])
        requests.append(replace(request, style=chosen))
    return _played(model, requests)


def _played(model: GrooveModel, requests: Sequence[GenerationRequest]) -> tuple[Found, ...]:
    return tuple(Found(take.beat, "fresh take", 0.0) for take in model.generate_all(requests))
