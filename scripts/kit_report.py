"""Writes what docs/kits.md says in numbers and pictures: `python -m scripts.kit_report`.

A table of our kits, the measures of five of them beside producers' ranges, how far kits lie apart,
and a spectrogram of each kit in docs/kits/.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dj_core.files.storage import write_bytes_atomic
from dj_core.music.drums import DRUM, DRUMS
from dj_core.music.genres import GENRE
from dj_core.sound.kit_table import OUR_KITS, genres_of
from dj_core.sound.kits.measures import MEASURED_DRUMS, MEASURES, Range, describe, distance, ranges
from dj_core.sound.kits.recipes import recipes
from dj_core.sound.kits.signals import noise
from dj_core.sound.render import SAMPLE_RATE_HZ, kit_shots

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "kits.md"
PICTURES = DOCUMENT.parent / "kits"
START, END = "<!-- kits: begin -->\n", "<!-- kits: end -->"
FAMILIES = {
    "house": "house",
    "trap": "trap",
    "boom-bap": "hip-hop",
    "eight": "drum machines",
    "nine": "drum machines",
}
"""Kits that are held to producers' ranges, and which."""
VELOCITY = 120
_WIDTH_INCHES, _HEIGHT_INCHES, _DPI = 8.0, 1.9, 80
_LONGEST_SECONDS, _GAP_SECONDS = 0.5, 0.03
_COLOURS = 32
_FLOOR_DB = -75

Measures = dict[str, dict[str, float]]


def main() -> None:
    """Write the document's tables and the pictures."""
    measured = {kit.name: kit_measures(kit.name) for kit in OUR_KITS}
    text = DOCUMENT.read_text(encoding="utf-8")
    before, _, rest = text.partition(START)
    _, _, after = rest.partition(END)
    parts = [_kits(), _ranges(measured), _distances(measured)]
    DOCUMENT.write_text(f"{before}{START}\n" + "\n".join(parts) + f"\n{END}{after}", "utf-8")
    for kit in OUR_KITS:
        write_bytes_atomic(PICTURES / f"{kit.name}.png", spectrogram(kit.name))


def kit_measures(kit: str) -> Measures:
    """The measures of a kit's five main drums."""
    notes = [DRUM[drum].note for drum in MEASURED_DRUMS]
    shots = kit_shots(kit, None, (VELOCITY,), notes)
    return {
        drum: describe(shot.samples, shot.sample_rate)
        for drum, shot in zip(MEASURED_DRUMS, shots, strict=True)
    }


def inside(measures: Measures, family: str) -> int:
    """How many of the 45 measures lie in a family's ranges."""
    return sum(
        measures[drum][measure] in ranges()[family][drum][measure]
        for drum in MEASURED_DRUMS
        for measure in MEASURES
    )


def family_distance() -> float:
    """How far the middles of producers' families lie apart, the mean of all pairs."""
    middles = [
        {
            drum: {measure: row[measure].middle for measure in MEASURES}
            for drum, row in family.items()
        }
        for family in ranges().values()
    ]
    return _mean(distance(one, other) for one, other in combinations(middles, 2))


def _kits() -> str:
    rows = []
    for kit in OUR_KITS:
        styles = ", ".join(GENRE[name].label for name in genres_of(kit.name)) or "–"
        picture = f"![Spectrogram of {kit.label}](kits/{kit.name}.png)"
        about = recipes()[kit.name].about
        rows.append(
            f"### {kit.label} (`{kit.name}`)\n\n{about} Usual for: {styles}.\n\n{picture}\n"
        )
    return "\n".join(rows)


def _ranges(measured: dict[str, Measures]) -> str:
    parts = ["## Beside producers' one-shots\n"]
    for kit, family in FAMILIES.items():
        count = inside(measured[kit], family)
        parts += [
            f"### {recipes()[kit].label} beside producers' {family} kits: {count} of 45 inside\n",
            "| drum | " + " | ".join(MEASURES.values()) + " |",
            "|---" * (len(MEASURES) + 1) + "|",
        ]
        for drum in MEASURED_DRUMS:
            cells = (
                _cell(measured[kit][drum][measure], ranges()[family][drum][measure])
                for measure in MEASURES
            )
            parts.append(f"| {DRUM[drum].label} | {' | '.join(cells)} |")
        parts.append("")
    return "\n".join(parts)


def _cell(value: float, of: Range) -> str:
    ours = f"{value:,.0f}" if abs(value) >= 30 else f"{value:.1f}"
    shown = f"**{ours}**" if value in of else f"{ours} (outside)"
    return f"{shown} ({of.low:g} to {of.high:g})"


def _distances(measured: dict[str, Measures]) -> str:
    apart = {
        pair: distance(measured[pair[0]], measured[pair[1]]) for pair in combinations(measured, 2)
    }
    nearest = min(apart, key=apart.__getitem__)
    return (
        "## How far apart\n\n"
        "Mean distance over five drums and nine measures, in standard deviations of producers' "
        f"kits: **{_mean(apart.values()):.2f}** over all pairs of our kits; the middles of "
        f"producers' families lie {family_distance():.2f} apart. The nearest pair, "
        f"{nearest[0]} and {nearest[1]}, is {apart[nearest]:.2f} apart.\n"
    )


def _mean(values: Iterable[float]) -> float:
    listed = list(values)
    return sum(listed) / len(listed)


def spectrogram(kit: str) -> bytes:
    """A kit's sixteen drums in a row: what sounds how high and for how long, as a small PNG."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt
    from PIL import Image

    shots = kit_shots(kit, None, (VELOCITY,), longest_seconds=_LONGEST_SECONDS)
    gap = np.zeros(round(_GAP_SECONDS * SAMPLE_RATE_HZ))
    parts: list[NDArray[np.float64]] = []
    starts = []
    for shot in shots:
        starts.append(sum(len(part) for part in parts) / SAMPLE_RATE_HZ)
        sound = shot.samples.mean(axis=1)
        parts += [sound / np.abs(sound).max(), gap]
    row = np.concatenate(parts)
    row += noise(1, len(row)) * 1e-6  # silence has no logarithm
    figure, axes = plt.subplots(figsize=(_WIDTH_INCHES, _HEIGHT_INCHES), dpi=_DPI)
    axes.specgram(
        row, NFFT=1024, Fs=SAMPLE_RATE_HZ, noverlap=768, cmap="magma",
        vmin=_FLOOR_DB - 40, vmax=-40, scale="dB",
    )  # fmt: skip
    axes.set_yscale("symlog", linthresh=200)
    axes.set_ylim(30, 20_000)
    axes.set_yticks([50, 200, 1_000, 5_000, 20_000], ["50 Hz", "200", "1k", "5k", "20k"])
    axes.set_xticks(starts, [drum.short for drum in DRUMS])
    axes.tick_params(labelsize=8, length=2)
    axes.minorticks_off()
    figure.tight_layout(pad=0.3)
    file = io.BytesIO()
    figure.savefig(file, format="png")
    plt.close(figure)
    small = io.BytesIO()
    Image.open(file).convert("RGB").quantize(_COLOURS).save(small, "PNG", optimize=True)
    return small.getvalue()


if __name__ == "__main__":
    main()
