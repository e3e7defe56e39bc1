"""Writes an evaluation as a page: figures beside their references, and two plots."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
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
    clips = results["clips"]
    parts = [
        f"# {title}",
        f"Measured on {results['ground']}: {clips['generated']} generated clips of 4 bars (seeds "
        f"{', '.join(map(str, results['seeds']))}) against {clips['held_out']} held-out human "
        f"clips; {clips['train']} training clips.",
        *([f"Command: `{results['command']}`"] if "command" in results else []),
        _likelihood_part(results["likelihood"]),
        *(_judge_part(name, section) for name, section in results["judge"].items()),
        "![What the judge can tell](judge.png)",
        _copying_part(results["copying"]),
        *([_genre_part(results["genre"])] if results["genre"] else []),
        "![Velocity and timing](expression.png)",
        *(_extra_part(title, rows) for title, rows in results.get("further", {}).items()),
    ]
    return "\n\n".join(parts) + "\n"


def _extra_part(title: str, figures: Mapping[str, float | None]) -> str:
    """A section of its own for figures that belong to no other: {label: figure}."""
    return f"## {title}\n\n" + _table(
        ("", ""), [(label, _number(value, 3)) for label, value in figures.items()]
    )


def _likelihood_part(section: Mapping[str, Any]) -> str:
    names = {
        "hit_bits_per_step": "hits, bits per 16th",
        "velocity_bits_per_hit": "velocity, bits per hit",
        "timing_bits_per_hit": "timing, bits per hit",
    }
    rows = [
        (label, _number(section[name]["value"], 2), _pairs(section[name]["reference"]))
        for name, label in names.items()
    ]
    return "## Likelihood\n\n" + _table(("", "model", "references"), rows)


def _judge_part(name: str, section: Mapping[str, Any]) -> str:
    rows = []
    for kind, label in _LABELS.items():
        figures = section[kind]
        controls = {control: aucs[kind] for control, aucs in section["control"].items()}
        rows.append(
            (
                label,
                _number(figures["value"], 3),
                _number(figures["human_floor"], 3),
                f"{figures['excess']:+.3f}",
                _pairs(controls),
            )
        )
    head = ("AUC", "generated", "human floor", "excess", "controls")
    features = [
        (
            feature["name"],
            _number(feature["auc"], 2),
            f"{feature['generated']:.3g}",
            f"{feature['human']:.3g}",
        )
        for feature in section["top_features"][:8]
    ]
    return "\n\n".join(
        (
            f"## Can a judge tell? ({name})",
            _table(head, rows),
            "What the forest relied on:",
            _table(("feature", "AUC alone", "generated", "human"), features),
        )
    )


def _copying_part(section: Mapping[str, Any]) -> str:
    value, human = section["value"], section["reference"]
    labels = {
        "share_found": ("bars found in training", 3),
        "share_bound": ("upper end of its 95% interval", 3),
        "nearest_median": ("cells off the nearest training bar, median", 1),
        "nearest_5th": ("the same, 5th percentile", 1),
        "unique_windows": ("unique two-bar windows", 3),
    }
    rows = [
        (
            label,
            _number(value[name], places),
            _number(human[name], places),
            *(_number(control[name], places) for control in section["control"].values()),
        )
        for name, (label, places) in labels.items()
    ]
    return f"## Copying\n\n{section['bank_bars']} different training bars.\n\n" + _table(
        ("", "generated", "held-out humans", *section["control"]), rows
    )


def _genre_part(section: Mapping[str, Any]) -> str:
    value, human = section["value"], section["reference"]
    rows = [
        (
            label,
            _number(value[name], 3),
            _number(human[name], 3),
            _number(section[relative], 2),
            *(_number(control[name], 3) for control in section["control"].values()),
        )
        for name, relative, label in (
            ("first", "relative_first", "the asked genre is the first choice"),
            ("top_three", "relative_top_three", "among the first three"),
        )
    ]
    head = ("", "generated", "held-out humans", "relative", *section["control"])
    return f"## Genre\n\nA forest over {section['genres']} genres.\n\n" + _table(head, rows)


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
    for axes, (name, section) in zip(
        figure.subplots(1, 2, sharey=True), results["judge"].items(), strict=True
    ):
        for column, kind in enumerate(_LABELS):
            figures = section[kind]
            marks = [
                ("human floor", figures["floor_per_seed"].values(), _HUMAN, "o"),
                ("generated", figures["per_seed"].values(), _GENERATED, "D"),
                ("controls", [c[kind] for c in section["control"].values()], _CONTROL, "x"),
            ]
            for shift, (side, values, colour, marker) in enumerate(marks):
                axes.scatter(
                    [column + 0.2 * (shift - 1)] * len(values),
                    list(values),
                    color=colour,
                    marker=marker,
                    label=side if column == 0 else None,
                )
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
    for side, label, colour in (
        ("held_out", "humans", _HUMAN),
        ("generated", "generated", _GENERATED),
    ):
        shares = results["distributions"][side]
        edges = [128 / VELOCITY_BINS * number for number in range(VELOCITY_BINS + 1)]
        velocity.stairs(shares["velocity"], edges, color=colour, label=label, linewidth=1.5)
        edges = [number / TIMING_BINS - 0.5 for number in range(TIMING_BINS + 1)]
        timing.stairs(shares["timing"], edges, color=colour, linewidth=1.5)
    velocity.set(title="Velocity", xlabel="velocity", ylabel="share of hits")
    timing.set(title="Timing", xlabel="offset from the grid in 16ths")
    velocity.legend(frameon=False)
    return figure
