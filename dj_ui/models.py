"""Loaded models, shared by all visitors; they hold no state between takes."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from dj_core.library.library import Library, ModelInfo
from dj_core.models.families import load_model
from dj_core.models.request import BeatModel


def loaded(model: ModelInfo) -> BeatModel:
    """The model, from memory if it was played before. Raises CheckpointError."""
    return _loaded(model.folder, model.card["weights_sha256"])


def model_label(name: str) -> str:
    """What to call a model on screen; one that is not here any more goes by its name."""
    found = [model.label for model in Library.open().models() if model.name == name]
    return found[0] if found else name


@st.cache_resource(max_entries=4, show_spinner=False)
def _loaded(folder: Path, weights_sha256: str) -> BeatModel:
    """Keyed by the weights too: a run that goes on training is loaded anew."""
    return load_model(folder)
