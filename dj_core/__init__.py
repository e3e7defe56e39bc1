"""Digital DJ's engine. It knows no screen; these names are its public surface."""

from __future__ import annotations

import importlib
from typing import Any

_PLACE = {
    "Beat": "music.beat",
    "BeatModel": "models.request",
    "Corpus": "corpus.store",
    "Crate": "library.kept_beats",
    "DigitalDJError": "errors",
    "Drum": "music.drums",
    "Feel": "models.request",
    "GenerationRequest": "models.request",
    "Hit": "music.beat",
    "Library": "library.library",
    "load_model": "models.families",
    "load_patterns": "music.patterns",
    "Meter": "music.beat",
    "MidiSettings": "files.midi",
    "Provenance": "music.beat",
    "read_midi": "files.midi",
    "replay_request": "models.request",
    "save_midi": "files.midi",
    "SetSettings": "sets.set_plan",
    "SoundFont": "sound.render",
    "Take": "models.request",
}
__all__ = list(_PLACE)


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever the name stands for
    """A public name, imported when it is first asked for: `import dj_core` itself is light."""
    if name not in _PLACE:
        raise AttributeError(f"module 'dj_core' has no attribute {name!r}")
    return getattr(importlib.import_module(f"dj_core.{_PLACE[name]}"), name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
