"""Packages that not everybody needs: what asks for them says in one sentence what to install."""

from __future__ import annotations

from importlib.util import find_spec

from dj_core.errors import LibraryError

_EXTRAS = {
    "torch": ("train", "Training and examining models needs PyTorch"),
    "music21": ("train", "Notes as the paper writes them, and drum notation, need music21"),
    "verovio": ("train", "Drum notation needs verovio"),
    "sklearn": ("train", "Examining a model needs scikit-learn"),
    "distributed": ("scale", "Work on a cluster needs Dask"),
    "aalink": ("link", "Ableton Link needs the package aalink"),
}
"""By the name it is imported by: the extra that brings it, and what needs it."""


def require(package: str) -> None:
    """Raises LibraryError, which says what to install, where a package is missing."""
    if find_spec(package) is None:
        raise LibraryError(what_to_install(package))


def missing_extra(error: ModuleNotFoundError) -> str | None:
    """The sentence for an import that failed; None where no extra would help."""
    package = (error.name or "").partition(".")[0]
    return what_to_install(package) if package in _EXTRAS else None


def what_to_install(package: str) -> str:
    """The sentence for a package that is missing."""
    extra, what = _EXTRAS[package]
    file = "requirements.txt" if extra == "train" else f"requirements-{extra}.txt"
    return (
        f'{what}, which is not installed: pip install "digital-dj[{extra}]", or in a checkout '
        f"pip install -r {file}."
    )
