"""The table of figure names, from which the flat JSON of an evaluation is made.

A figure's controls carry its name and an ending: ``_human`` is the same measured on other
drummers, ``_ngram`` on beats of an n-gram, ``_excess`` the difference to ``_human``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dj_core.evaluation.evaluation import NGRAM, NO_FEEL


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


_HITS, _VELOCITY, _TIMING = (
    ("likelihood", name)
    for name in ("hit_bits_per_step", "velocity_bits_per_hit", "timing_bits_per_hit")
)
_LIKELIHOOD = (
    Figure("hit_bits_per_step", (*_HITS, "value"), "bits per 16th, nine classes"),
    Figure("hit_bits_per_step_ngram", (*_HITS, "reference", "order 2 and bar position"),
           "of an n-gram of order 2 conditioned on the position in the bar"),
    Figure("hit_bits_per_step_ngram_bar", (*_HITS, "reference", "one bar back"),
           "of an n-gram also conditioned on the same step one bar before"),
    Figure("hit_bits_per_step_order0", (*_HITS, "reference", "order 0"),
           "of a model of order 0: how often each class is hit at each position in the bar"),
    Figure("hit_bits_per_step_without_style", ("surprise", "hits_per_step_without_style"),
           "of the model without the style vector of the bars already played"),
    Figure("lane_bits_per_step", ("surprise", "lanes_per_step"),
           "bits per 16th, all sixteen drums"),
    Figure("velocity_bits_per_hit", (*_VELOCITY, "value"), "bits per hit, 33 steps of velocity"),
    Figure("velocity_bits_per_hit_histogram", (*_VELOCITY, "reference", "histogram"),
           "of a histogram per class and place, 32 steps"),
    Figure("timing_bits_per_hit", (*_TIMING, "value"), "bits per hit, 25 places around a 16th"),
    Figure("timing_bits_per_hit_histogram", (*_TIMING, "reference", "histogram"),
           "of a histogram per class and place, 24 places"),
    Figure("flam_bits_per_hit", ("surprise", "flams_per_hit"),
           "bits per hit for second strokes"),
    Figure("total_bits_per_bar", ("surprise", "total_per_bar"),
           "drums, velocity, timing and flams"),
    Figure("note_bits", ("surprise", "words_per_note"),
           "of a model of note strings: bits per note, chord or rest, in its own words"),
    Figure("unknown_notes", ("surprise", "unknown_words"),
           "share of the words that such a model never learned; they are left out"),
)  # fmt: skip


def _judged(section: str, prefix: str, heard: str, short: str) -> tuple[Figure, ...]:
    """A judge's figure, and the same of what it must and must not catch."""
    name, path, kind = f"{prefix}_{short}", ("judge", section), f"{short}_auc"
    by = {"forest": "random forest", "logistic": "logistic regression"}[short]
    what = f"C2ST by {by} on {heard}: AUC, .5 is chance"
    return (
        Figure(name, (*path, kind, "value"), what),
        Figure(f"{name}_human", (*path, kind, "human_floor"), "of matched training clips"),
        Figure(f"{name}_excess", (*path, kind, "excess"), "the model's minus the humans'"),
        Figure(f"{name}_ngram", (*path, "control", NGRAM, kind), "of the n-gram's beats"),
        Figure(f"{name}_no_feel", (*path, "control", NO_FEEL, kind),
               "of human hits with velocity and timing from histograms"),
    )  # fmt: skip


def _beside(section: str, name: str, key: str, what: str) -> tuple[Figure, ...]:
    """A figure of the model, of held-out drummers and of the n-gram."""
    return (
        Figure(name, (section, "value", key), what),
        Figure(f"{name}_human", (section, "reference", key), "of held-out drummers"),
        Figure(f"{name}_ngram", (section, "control", NGRAM, key), "of the n-gram's beats"),
    )


FIGURES: tuple[Figure, ...] = (
    *_LIKELIHOOD,
    *_judged("hits and expression", "c2st", "hits, velocity and timing", "forest"),
    *_judged("hits and expression", "c2st", "hits, velocity and timing", "logistic"),
    *_judged("hits only", "c2st_hits", "hits alone", "forest"),
    *_judged("hits only", "c2st_hits", "hits alone", "logistic"),
    *_beside("copying", "copied_bars", "share_found", "share of bars found in the training bars"),
    *_beside("copying", "copied_bars_bound", "share_bound",
             "upper end of that share's 95% interval"),
    *_beside("copying", "nearest_bar", "nearest_median",
             "cells that differ from the nearest training bar, median"),
    *_beside("copying", "nearest_bar_5th", "nearest_5th", "the same, 5th percentile"),
    *_beside("copying", "unique_windows", "unique_windows",
             "share of two-bar windows that are different"),
    *_beside("genre", "genre_first", "first",
             "share whose requested genre a random forest ranks first"),
    Figure("genre_first_relative", ("genre", "relative_first"), "the model's over the humans'"),
    *_beside("genre", "genre_top3", "top_three",
             "share whose requested genre is among its first three"),
    Figure("genre_top3_relative", ("genre", "relative_top_three"), "the model's over the humans'"),
    *(
        Figure(f"drift_{short}", ("drift", f"{short}_change"), f"of 32 bars, {short} judge: AUC of "
               "the last eight minus that of the first eight")
        for short in ("forest", "logistic")
    ),
    *(
        Figure(f"drift_{short}_{place}", ("drift", f"{place}_8_bars_{short}_auc"),
               f"the {short} judge's AUC of the {place} eight bars")
        for place in ("first", "last")
        for short in ("forest", "logistic")
    ),
    Figure("speed_times_real_time", ("speed", "times_real_time"),
           "4 bars at 120 BPM, one at a time, one core: seconds of music per second"),
    Figure("speed_bars_per_second", ("speed", "bars_per_second"), "64 takes of 4 bars at once"),
)  # fmt: skip
"""Every figure, in the order of reports."""


def flat(results: Mapping[str, Any]) -> dict[str, float | None]:
    """The figures of an examination by name; None for what was not or cannot be measured."""

    def at(path: tuple[str, ...]) -> float | None:
        found: Any = results
        for step in path:
            if found is None:
                return None
            found = found[step]
        figure: float | None = found
        return figure

    return {figure.name: at(figure.path) for figure in FIGURES}
