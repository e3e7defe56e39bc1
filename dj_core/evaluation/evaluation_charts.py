"""The table of figure names, from which the flat JSON of an evaluation is made.

A figure's controls carry its name and an ending: ``_human`` is the same measured on other
drummers, ``_ngram`` on beats of an n-gram, ``_excess`` the difference to ``_human``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dj_core.evaluation.evaluation import NGRAM

_NO_FEEL = "human hits, feel from histograms"
_EITHER = "hits and expression"


@dataclass(frozen=True)
class Figure:
    """A number of an examination.

    Attributes:
        name: its key in the JSON.
        path: where it stands in the nested results.
        meaning: with its unit.
    """

    name: str
    path: tuple[str, ...]
    meaning: str


def _likelihood() -> list[Figure]:
    hits = ("likelihood", "hit_bits_per_step")
    own = ("surprise",)
    return [
        Figure("hit_bits_per_step", (*hits, "value"), "bits per 16th, nine classes"),
        Figure(
            "hit_bits_per_step_ngram", (*hits, "reference", "order 2 and bar position"),
            "of the n-gram of order 2 that knows the place in the bar",
        ),
        Figure(
            "hit_bits_per_step_ngram_bar", (*hits, "reference", "one bar back"),
            "of the n-gram that also knows the step one bar back",
        ),
        Figure(
            "hit_bits_per_step_order0", (*hits, "reference", "order 0"),
            "of how often each class is hit at each place of a bar",
        ),
        Figure(
            "hit_bits_per_step_without_style", (*own, "hits_per_step_without_style"),
            "of the model when the bars already over may not say what kind of drummer plays",
        ),
        Figure("lane_bits_per_step", (*own, "lanes_per_step"), "bits per 16th, all sixteen drums"),
        Figure(
            "velocity_bits_per_hit", ("likelihood", "velocity_bits_per_hit", "value"),
            "bits per hit, 33 steps of velocity",
        ),
        Figure(
            "velocity_bits_per_hit_histogram",
            ("likelihood", "velocity_bits_per_hit", "reference", "histogram"),
            "of a histogram per class and place, 32 steps",
        ),
        Figure(
            "timing_bits_per_hit", ("likelihood", "timing_bits_per_hit", "value"),
            "bits per hit, 25 places around a 16th",
        ),
        Figure(
            "timing_bits_per_hit_histogram",
            ("likelihood", "timing_bits_per_hit", "reference", "histogram"),
            "of a histogram per class and place, 24 places",
        ),
        Figure("flam_bits_per_hit", (*own, "flams_per_hit"), "bits per hit for second strokes"),
        Figure("total_bits_per_bar", (*own, "total_per_bar"), "drums, velocity, timing and flams"),
        Figure(
            "note_bits", (*own, "words_per_note"),
            "of a model of note strings: bits per note, chord or rest, in its own words",
        ),
        Figure(
            "unknown_notes", (*own, "unknown_words"),
            "share of the words that such a model never learned; they are left out",
        ),
    ]  # fmt: skip


def _judge() -> list[Figure]:
    figures = []
    for section, prefix, heard in ((_EITHER, "c2st", "hits, velocity and timing"),
                                   ("hits only", "c2st_hits", "hits alone")):  # fmt: skip
        for kind, short in (("forest_auc", "forest"), ("logistic_auc", "logistic")):
            name, path = f"{prefix}_{short}", ("judge", section)
            what = f"{short} judge of {heard}: AUC, .5 cannot tell"
            figures += [
                Figure(name, (*path, kind, "value"), what),
                Figure(f"{name}_human", (*path, kind, "human_floor"), "of matched training clips"),
                Figure(f"{name}_excess", (*path, kind, "excess"), "the model's minus the humans'"),
                Figure(f"{name}_ngram", (*path, "control", NGRAM, kind), "of the n-gram's beats"),
                Figure(
                    f"{name}_no_feel", (*path, "control", _NO_FEEL, kind),
                    "of human hits with velocity and timing from histograms",
                ),
            ]  # fmt: skip
    return figures


def _copying() -> list[Figure]:
    figures = []
    for name, key, what in (
        ("copied_bars", "share_found", "share of bars found in the training bars"),
        ("copied_bars_bound", "share_bound", "upper end of that share's 95% interval"),
        ("nearest_bar", "nearest_median", "cells off the nearest training bar, median"),
        ("nearest_bar_5th", "nearest_5th", "the same, 5th percentile"),
        ("unique_windows", "unique_windows", "share of two-bar windows that are different"),
    ):
        figures += [
            Figure(name, ("copying", "value", key), what),
            Figure(f"{name}_human", ("copying", "reference", key), "of held-out drummers"),
            Figure(f"{name}_ngram", ("copying", "control", NGRAM, key), "of the n-gram's beats"),
        ]
    return figures


def _genre() -> list[Figure]:
    figures = []
    for name, key, relative, what in (
        ("genre_first", "first", "relative_first", "share whose asked genre a forest hears first"),
        ("genre_top3", "top_three", "relative_top_three", "share with it among the first three"),
    ):
        figures += [
            Figure(name, ("genre", "value", key), what),
            Figure(f"{name}_human", ("genre", "reference", key), "of held-out drummers"),
            Figure(f"{name}_ngram", ("genre", "control", NGRAM, key), "of the n-gram's beats"),
            Figure(f"{name}_relative", ("genre", relative), "the model's over the humans'"),
        ]
    return figures


def _length_and_speed() -> list[Figure]:
    figures = [
        Figure(f"drift_{short}", ("drift", f"{short}_change"), f"of 32 bars, {short} judge: AUC of "
               "the last eight minus that of the first eight")
        for short in ("forest", "logistic")
    ]  # fmt: skip
    for place in ("first", "last"):
        for short in ("forest", "logistic"):
            figures.append(
                Figure(
                    f"drift_{short}_{place}", ("drift", f"{place}_8_bars_{short}_auc"),
                    f"the {short} judge's AUC of the {place} eight bars",
                )
            )  # fmt: skip
    return [
        *figures,
        Figure("speed_times_real_time", ("speed", "times_real_time"),
               "4 bars at 120 BPM, one at a time, one core: seconds of music per second"),
        Figure("speed_bars_per_second", ("speed", "bars_per_second"), "64 takes of 4 bars at once"),
    ]  # fmt: skip


FIGURES: tuple[Figure, ...] = (
    *_likelihood(),
    *_judge(),
    *_copying(),
    *_genre(),
    *_length_and_speed(),
)
"""Every figure, in the order of reports."""


def flat(results: Mapping[str, Any]) -> dict[str, float | None]:
    """The figures of an examination by name; None for what was not or cannot be measured."""
    return {figure.name: _found(results, figure.path) for figure in FIGURES}


def _found(results: Mapping[str, Any], path: tuple[str, ...]) -> float | None:
    at: Any = results
    for step in path:
        if at is None:
            return None
        at = at[step]
    return at
