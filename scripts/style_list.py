"""Writes the tables of docs/styles.md from the table of genres: `python -m scripts.style_list`."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from dj_core.music.genres import GENRES, Genre, Rule

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "styles.md"
START, END = "<!-- styles: begin -->\n", "<!-- styles: end -->"


def style_tables() -> str:
    """The dance styles in Markdown, a table a family."""
    dance = [genre for genre in GENRES if genre.is_dance]
    parts = []
    for family, styles in groupby(dance, key=lambda genre: genre.family):
        rows = "\n".join(_row(style) for style in styles)
        parts.append(
            f"### {family}\n\n"
            "| style | name | BPM (usual) | swing of hats | must have | must not have | kit |\n"
            "|---|---|---|---|---|---|---|\n"
            f"{rows}\n"
        )
    return "\n".join(parts)


def _row(genre: Genre) -> str:
    slowest, fastest = genre.tempo_range_bpm
    must = "; ".join(_words(rule) for rule in genre.rules if rule.least > 0)
    must_not = "; ".join(_words(rule) for rule in genre.rules if rule.most < 1)
    return (
        f"| {genre.label} | `{genre.name}` | {slowest:g} to {fastest:g} ({genre.tempo_bpm:g}) | "
        f"{genre.swing.hat:g}% | {must or '–'} | {must_not or '–'} | {genre.kit} |"
    )


def _words(rule: Rule) -> str:
    limit = f"at least {rule.least:.0%}" if rule.least > 0 else f"more than {rule.most:.0%}"
    return f"{rule.says} ({limit})"


def with_tables(text: str) -> str:
    """A document with its tables as the table of genres has them."""
    before, _, rest = text.partition(START)
    _, _, after = rest.partition(END)
    return f"{before}{START}\n{style_tables()}\n{END}{after}"


def main() -> None:
    """Write the tables."""
    DOCUMENT.write_text(with_tables(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
