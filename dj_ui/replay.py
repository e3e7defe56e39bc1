"""Makes a beat again from its provenance, or puts its settings on Generate."""

from __future__ import annotations

from dataclasses import dataclass

from dj_core.errors import CheckpointError, GenerationError
from dj_core.library.library import Library, ModelInfo
from dj_core.models.request import GenerationRequest, replay_request
from dj_core.music.beat import Beat, Provenance
from dj_core.music.genres import genre_label
from dj_ui.models import loaded
from dj_ui.turns import bars_asked, turn_to_play


@dataclass(frozen=True)
class Replay:
    """What a model plays when it is asked once more.

    Attributes:
        beat: what it played.
        model: which model it was.
        same: whether every stroke is the one it was.
        words: the outcome in a sentence.
    """

    beat: Beat
    model: ModelInfo
    same: bool
    words: str


def play_again(beat: Beat) -> Replay:
    """Ask the model that made a beat for it once more, when it is the visitor's turn.

    Raises:
        GenerationError: no model made it, its settings were altered, or ask for too much.
        CheckpointError: the model is not here.
        LibraryError: too many wait.
    """
    origin = beat.provenance
    request = replay_request(origin)
    model = model_of(origin)
    with turn_to_play("Making it again…", bars_asked(request)):
        again = loaded(model).generate(request).beat
    same = (again.hits, again.bars, again.tempo_bpm) == (beat.hits, beat.bars, beat.tempo_bpm)
    return Replay(again, model, same, _outcome(origin, model, same))


def model_of(origin: Provenance) -> ModelInfo:
    """The very model that made a beat, else the one of its name.

    Raises:
        GenerationError: no model made it.
        CheckpointError: there is no model of that name any more.
    """
    if origin.model is None:
        raise GenerationError("This beat was not made by a model; it cannot be played again.")
    library = Library.open()
    for model in library.models():
        if model.card["weights_sha256"] == origin.model_sha256:
            return model
    try:
        return library.model(origin.model)
    except CheckpointError as error:
        raise CheckpointError(
            f"The model {origin.model!r} that made this beat is not here any more. {error}"
        ) from error


def link_of(beat: Beat) -> dict[str, str]:
    """The settings of a beat as Generate's link has them. Raises as `play_again`."""
    request, model = replay_request(beat.provenance), model_of(beat.provenance)
    link = {
        "model": model.label,
        "genre": genre_label(request.genre) if request.genre else "Any",
        "bars": _text(request.bars),
        "tempo": _text(request.tempo_bpm),
        "temperature": _text(request.temperature),
        "top_p": _text(request.top_p * 100),
        "seed": _text(request.seed),
        "meter": str(request.meter) if model.meters else "",
        **(_feel_link(request) if model.has_feel else _notes_link(request)),
    }
    return {name: text for name, text in link.items() if text}


def _notes_link(request: GenerationRequest) -> dict[str, str]:
    """What only a model that writes notes is asked."""
    return {
        "length": "Notes" if request.notes else "Bars",
        "notes": _text(request.notes),
        "sampling": "Temperature",
        "start": request.start_note or "",
        "rhythm": "Even" if request.spacing == "fixed" else "",
    }


def _feel_link(request: GenerationRequest) -> dict[str, str]:
    """How a model that plays as drummers do is asked to play."""
    feel = request.feel
    return {
        "kind": {"beat": "Beat", "fill": "Fill", "": "Either"}[feel.kind],
        "density": ("Any", "Sparse", "Light", "Full", "Dense")[feel.density],
        "loudness": ("Any", "Soft", "Medium", "Strong", "Loud")[feel.loudness],
        "hits": _text(feel.hits),
        "dynamics": _text(feel.velocity),
        "timing": _text(feel.timing),
        "style": _text(request.style),
    }


def _text(number: float | None) -> str:
    return "" if number is None else f"{number:.10g}"


def _outcome(origin: Provenance, model: ModelInfo, same: bool) -> str:
    if same:
        return f"{model.label} plays it again, the same to the last stroke."
    if origin.edited:
        return f"This is what {model.label} played before you edited it."
    if model.card["weights_sha256"] != origin.model_sha256:
        return f"{model.label} has learned something else since, and plays it differently."
    return f"{model.label} plays it differently on this machine."
