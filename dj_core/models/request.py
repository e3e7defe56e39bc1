"""The request for a take, the take, and the protocol that every playing model follows.

Nothing here depends on a family of models: pages and the command line know no more of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from random import Random
from typing import Any, Literal, Protocol, get_args

from dj_core.errors import BeatError, GenerationError
from dj_core.music.beat import MAX_TEMPO_BPM, MIN_TEMPO_BPM, Beat, Meter, Provenance
from dj_core.music.genres import DANCE_STYLES, MOST_ENERGY, ROLES, is_dance

Spacing = Literal["learned", "fixed"]

FOUR_FOUR = Meter(4, 4)
MAX_REQUEST_BARS = 1_000
MAX_REQUEST_NOTES = 20_000
MAX_TEMPERATURE = 100.0
KINDS = ("beat", "fill", "")  # '' is either
LEVELS = 4  # of density and loudness: quarters of what a model learned from
MAX_PART_TEMPERATURE = 10.0


@dataclass(frozen=True)
class Feel:
    """How a beat shall be played, for models that know how drummers play.

    Attributes:
        kind: 'beat', 'fill' or '' for either.
        role: what the beat is for in a track, one of `genres.ROLES`; '' for the model's choice.
        energy: 1 (least) to 5 (most); 0 for any.
        density: 1 (sparse) to 4 (dense); 0 for any.
        loudness: 1 (soft) to 4 (loud); 0 for any.
        hits, velocity, timing: temperatures of these parts, 0 to 10, multiplied with the
            request's: below 1 plays them tighter than learned, above 1 looser.

    Raises:
        GenerationError: a value out of range.
    """

    kind: str = "beat"
    density: int = 0
    loudness: int = 0
    hits: float = 1.0
    velocity: float = 1.0
    timing: float = 1.0
    role: str = ""
    energy: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise GenerationError(f"kind is 'beat', 'fill' or ''; got {self.kind!r}.")
        if self.role not in ("", *ROLES):
            raise GenerationError(f"role is one of {', '.join(ROLES)}, or ''; got {self.role!r}.")
        if type(self.energy) is not int or not 0 <= self.energy <= MOST_ENERGY:
            raise GenerationError(
                f"energy is 1 (least) to {MOST_ENERGY} (most), or 0 for any; got {self.energy!r}."
            )
        for name in ("density", "loudness"):
            value = getattr(self, name)
            if type(value) is not int or not 0 <= value <= LEVELS:
                raise GenerationError(
                    f"{name} is 1 (least) to {LEVELS} (most), or 0 for any; got {value!r}."
                )
        for name in ("hits", "velocity", "timing"):
            value = getattr(self, name)
            if not 0 <= value <= MAX_PART_TEMPERATURE:
                raise GenerationError(f"{name} is 0 to {MAX_PART_TEMPERATURE:g}; got {value:g}.")


DEFAULT_FEEL = Feel()


@dataclass(frozen=True)
class GenerationRequest:
    """What a DJ asks of a model.

    Attributes:
        genre: a name the model knows, or '' for any.
        tempo_bpm: 10 to 600; None for the genre's usual tempo, or 120.
        meter: time signature of the beat.
        bars: length in bars, 1 to 1,000. Give either `bars` or `notes`.
        notes: length in notes, chords and rests, 1 to 20,000.
        temperature: 0 always takes the likeliest word, 1 draws by the model's odds, up to 100.
        top_p: only the likeliest words that together have this probability, over 0 to 1.
        seed: 0 to 2**63 - 1; same seed and settings, same beat.
        start_note: first note or chord, as in 'C2 F#2'; None draws one by the seed.
        spacing: 'learned' rhythm, or 'fixed' half a quarter per word as in the paper; None for
            the best the model can.
        feel: how it shall be played; a model that writes bare notes takes the default only.
        style: number of a style in a groove model's table, 0 to 2**31 - 1; None draws one by the
            seed. All else that chance decides is the same either way.

    Raises:
        GenerationError: a value out of range, or not exactly one of `bars` and `notes`.
    """

    genre: str = ""
    tempo_bpm: float | None = None
    meter: Meter = FOUR_FOUR
    bars: int | None = None
    notes: int | None = None
    temperature: float = 1.0
    top_p: float = 1.0
    seed: int = 1
    start_note: str | None = None
    spacing: Spacing | None = None
    feel: Feel = DEFAULT_FEEL
    style: int | None = None

    def __post_init__(self) -> None:
        if (self.bars is None) == (self.notes is None):
            raise GenerationError(
                f"Ask for a length in bars or in notes, one of the two; got bars={self.bars}, "
                f"notes={self.notes}."
            )
        value: float | None
        low: float
        high: float
        for name, value, low, high in (
            ("bars", self.bars, 1, MAX_REQUEST_BARS),
            ("notes", self.notes, 1, MAX_REQUEST_NOTES),
            ("seed", self.seed, 0, 2**63 - 1),
            ("style", self.style, 0, 2**31 - 1),
        ):
            if value is not None and (type(value) is not int or not low <= value <= high):
                raise GenerationError(f"{name} is a whole number, {low} to {high}; got {value!r}.")
        for name, value, low, high in (
            ("temperature", self.temperature, 0.0, MAX_TEMPERATURE),
            ("top_p", self.top_p, 0.001, 1.0),
            ("tempo_bpm", self.tempo_bpm, MIN_TEMPO_BPM, MAX_TEMPO_BPM),
        ):
            if value is not None and not low <= value <= high:
                raise GenerationError(f"{name} is {low:g} to {high:g}; got {value:g}.")
        if self.spacing not in (None, *get_args(Spacing)):
            raise GenerationError(f"spacing is 'learned' or 'fixed'; got {self.spacing!r}.")


def with_style_drawn(request: GenerationRequest, genres: Sequence[str]) -> GenerationRequest:
    """The same request, with a dance style drawn by its seed where it asks for any genre.

    Args:
        request: what is asked.
        genres: that the model knows; without a dance style among them the request stays.
    """
    styles = [name for name in DANCE_STYLES if name in genres]
    if request.genre or not styles:
        return request
    return replace(request, genre=Random(request.seed).choice(styles))


def role_of(request: GenerationRequest) -> str:
    """The role asked for; a beat of a dance style is a groove where nothing else is asked."""
    feel = request.feel
    return feel.role or ("groove" if is_dance(request.genre) and feel.kind == "beat" else "")


def replay_request(provenance: Provenance) -> GenerationRequest:
    """What was asked for a beat: the same model makes the same beat of it.

    Raises:
        GenerationError: the beat was not made by a model, or its settings were altered.
    """
    settings = dict(provenance.settings)
    if provenance.seed is None or "meter" not in settings:
        raise GenerationError("This beat was not made by a model; it cannot be played again.")
    known = {item.name for item in fields(GenerationRequest)} - {"meter", "seed", "feel"}
    try:
        return GenerationRequest(
            meter=Meter.parse(str(settings["meter"])),
            seed=provenance.seed,
            feel=Feel(**settings.get("feel", {})),
            **{name: settings[name] for name in known & settings.keys()},
        )
    except (TypeError, BeatError) as error:
        raise GenerationError(
            f"The settings this beat was made with were altered ({error}). Generate another."
        ) from error


@dataclass(frozen=True)
class Take:
    """What a model played.

    Attributes:
        beat: the music.
        notes: its notes, chords and rests in order ('C2 F#2-0.5' from a model whose words hold
            the time to the next stroke).
    """

    beat: Beat
    notes: tuple[str, ...]

    @property
    def distinct_notes(self) -> int:
        """How many different notes, chords and rests were played."""
        return len(set(self.notes))


class BeatModel(Protocol):
    """What every family of models can do; pages and the command line know no more of them.

    Attributes:
        name: unique among a DJ's models.
        family: its name in the table of families.
        genres: what it can be asked for, by name; empty when it knows none.
        start_notes: what a song may begin with; empty for models that write no notes.
        spacings: how it places its notes in time, the best first.
        has_feel: it can be asked for a `Feel`.
        can_shape: it goes on from a given beat: reroll, continue, fill, taps.
    """

    name: str
    family: str
    genres: tuple[str, ...]
    start_notes: tuple[str, ...]
    spacings: tuple[Spacing, ...]
    has_feel: bool
    can_shape: bool

    def generate(self, request: GenerationRequest) -> Take:
        """A beat as asked, whose provenance is `provenance_of` it. Raises GenerationError."""

    def generate_all(self, requests: Sequence[GenerationRequest]) -> list[Take]:
        """A beat per request, each the one `generate` would give. Raises GenerationError."""


def provenance_of(
    model: BeatModel,
    request: GenerationRequest,
    weights_sha256: str,
    corpora: Sequence[str],
    **played: Any,  # noqa: ANN401 - JSON-able values
) -> Provenance:
    """Where a beat that `model` plays comes from: all that `replay_request` and pages read.

    Args:
        model: which plays it.
        request: what was asked.
        weights_sha256, corpora: as its checkpoint says.
        played: what else to tell of the beat, or what was played instead of what was asked.
    """
    settings: dict[str, Any] = {
        "genre": request.genre,
        "tempo_bpm": request.tempo_bpm,
        "meter": str(request.meter),
        "bars": request.bars,
        "notes": request.notes,
        "temperature": request.temperature,
        "top_p": request.top_p,
    }
    if model.has_feel:
        settings["feel"] = asdict(request.feel)
    else:
        settings |= {"start_note": request.start_note, "spacing": request.spacing}
    return Provenance(
        source=model.name,
        model=model.name,
        model_sha256=weights_sha256,
        corpus=", ".join(corpora),
        seed=request.seed,
        settings=settings | played,
    )
