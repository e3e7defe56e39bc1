"""Writes an evaluation as a page: figures beside their references, and two plots."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dj_core.evaluation.likelihood import TIMING_BINS, VELOCITY_BINS
from dj_core.files.storage import write_bytes_atomic, write_json_atomic

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LABELS = {"forest_auc": "random forest", "logistic_auc": "logistic regression"}
_GENERATED, _HUMAN, _CONTROL = "#c2410c", "#3d6fb4", "#9a9a9a"


def write_report(results: Mapping[str, Any], folder: Path, title: str) -> Path:
    """Save `evaluate`'s results as report.json, report.md, judge.png and expression.png.

    Returns:
        The Markdown page.

    Raises:
        LibraryError: the folder cannot be written.
    """
    write_json_atomic(folder / "report.json", results)
    for name, figure in (
        ("judge", judge_figure(results)),
        ("expression", expression_figure(results)),
    ):
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=120, metadata={"Software": None})
        write_bytes_atomic(folder / f"{name}.png", buffer.getvalue())
    return write_bytes_atomic(folder / "report.md", markdown(results, title).encode())


def markdown(results: Mapping[str, Any], title: str) -> str:
    """The whole report as Markdown; plots are looked for beside it."""
    clips, likelihood, genre = results["clips"], results["likelihood"], results["genre"]
    names = {
        "hit_bits_per_step": "hits, bits per 16th",
        "velocity_bits_per_hit": "velocity, bits per hit",
        "timing_bits_per_hit": "timing, bits per hit",
    }
    costs = [
        (label, _number(likelihood[name]["value"], 2), _pairs(likelihood[name]["reference"]))
        for name, label in names.items()
    ]
    copied = {
        "share_found": ("bars found in training", 3),
        "share_bound": ("upper end of its 95% interval", 3),
        "nearest_median": ("cells off the nearest training bar, median", 1),
        "nearest_5th": ("the same, 5th percentile", 1),
        "unique_windows": ("unique two-bar windows", 3),
    }
    parts = [
        f"# {title}",
        f"Measured on {results['ground']}: {clips['generated']} generated clips of 4 bars (seeds "
        f"{', '.join(map(str, results['seeds']))}) against {clips['held_out']} held-out human "
        f"clips; {clips['train']} training clips.",
        *([f"Command: `{results['command']}`"] if "command" in results else []),
        "## Likelihood",
        _table(("", "model", "references"), costs),
        *(_judge_part(name, section) for name, section in results["judge"].items()),
        "![What the judge can tell](judge.png)",
        f"## Copying\n\n{results['copying']['bank_bars']} different training bars.",
        _beside(results["copying"], copied),
    ]
    if genre:
        choices = {
            "first": ("the asked genre is the first choice", 3),
            "top_three": ("among the first three", 3),
        }
        relative = [_number(genre[f"relative_{name}"], 2) for name in choices]
        parts += [
            f"## Genre\n\nA forest over {genre['genres']} genres.",
            _beside(genre, choices, relative),
        ]
    parts.append("![Velocity and timing](expression.png)")
    for heading, figures in results.get("further", {}).items():
        rows = [(label, _number(value, 3)) for label, value in figures.items()]
        parts += [f"## {heading}", _table(("", ""), rows)]
    return "\n\n".join(parts) + "\n"


def _judge_part(name: str, section: Mapping[str, Any]) -> str:
    aucs = [
        (
            label,
            _number(section[kind]["value"], 3),
            _number(section[kind]["human_floor"], 3),
            f"{section[kind]['excess']:+.3f}",
            _pairs({control: found[kind] for control, found in section["control"].items()}),
        )
        for kind, label in _LABELS.items()
    ]
    features = [
        (told["name"], _number(told["auc"], 2), f"{told['generated']:.3g}", f"{told['human']:.3g}")
        for told in section["top_features"][:8]
    ]
    parts = (
        f"## Can a judge tell? ({name})",
        _table(("AUC", "generated", "human floor", "excess", "controls"), aucs),
        "What the forest relied on:",
        _table(("feature", "AUC alone", "generated", "human"), features),
    )
    return "\n\n".join(parts)


def _beside(
    section: Mapping[str, Any],
    figures: Mapping[str, tuple[str, int]],
    relative: Sequence[str] | None = None,
) -> str:
    """Figures of generated beats beside those of held-out humans and of the controls.

    Args:
        figures: label and decimal places by the figure's name.
        relative: a further column.
    """
    sides = [section["value"], section["reference"], *section["control"].values()]
    rows = [
        [label, *(_number(side[name], places) for side in sides)]
        for name, (label, places) in figures.items()
    ]
    head = ["", "generated", "held-out humans", *section["control"]]
    if relative:
        for row, cell in zip([head, *rows], ["relative", *relative], strict=True):
            row.insert(3, cell)
    return _table(head, rows)


def _number(value: float | None, places: int) -> str:
    return "not measured" if value is None else f"{value:.{places}f}"


def _pairs(figures: Mapping[str, float]) -> str:
    return "; ".join(f"{name} {value:.2f}" for name, value in figures.items())


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = tuple(head)
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


# --- plots ------------------------------------------------------------------------------------


def judge_figure(results: Mapping[str, Any]) -> Figure:
    """AUC of generated beats beside the human floor and the controls."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.4), layout="constrained")
    plots = figure.subplots(1, 2, sharey=True)
    for axes, (name, section) in zip(plots, results["judge"].items(), strict=True):
        for column, kind in enumerate(_LABELS):
            figures, controls = section[kind], section["control"].values()
            marks = [
                ("human floor", figures["floor_per_seed"].values(), _HUMAN, "o"),
                ("generated", figures["per_seed"].values(), _GENERATED, "D"),
                ("controls", [control[kind] for control in controls], _CONTROL, "x"),
            ]
            for shift, (side, values, colour, marker) in enumerate(marks):
                places = [column + 0.2 * (shift - 1)] * len(values)
                label = side if column == 0 else None
                axes.scatter(places, list(values), color=colour, marker=marker, label=label)
        axes.axhline(0.5, color="#888888", linewidth=0.8, linestyle=":")
        axes.set(title=name, ylim=(0.3, 1.03), xlim=(-0.5, 1.5), xticks=(0, 1))
        axes.set_xticklabels(_LABELS.values())
    figure.axes[0].set_ylabel("AUC (0.5: cannot tell)")
    figure.axes[0].legend(loc="center left", frameon=False, fontsize="small")
    return figure


def expression_figure(results: Mapping[str, Any]) -> Figure:
    """Velocity and timing of all hits, generated and human."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3), layout="constrained")
    velocity, timing = figure.subplots(1, 2)
    sides = (("held_out", "humans", _HUMAN), ("generated", "generated", _GENERATED))
    for side, label, colour in sides:
        shares = results["distributions"][side]
        edges = [128 / VELOCITY_BINS * number for number in range(VELOCITY_BINS + 1)]
        velocity.stairs(shares["velocity"], edges, color=colour, label=label, linewidth=1.5)
        edges = [number / TIMING_BINS - 0.5 for number in range(TIMING_BINS + 1)]
        timing.stairs(shares["timing"], edges, color=colour, linewidth=1.5)
    velocity.set(title="Velocity", xlabel="velocity", ylabel="share of hits")
    timing.set(title="Timing", xlabel="offset from the grid in 16ths")
    velocity.legend(frameon=False)
    return figure
