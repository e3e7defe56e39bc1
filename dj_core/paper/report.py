"""A reproduction on paper: tables, figures and one report to read them in."""

from __future__ import annotations

from pathlib import Path

from dj_core.figures import LIGHT, figure_svg
from dj_core.paper.drawing import all_figures, figure_png
from dj_core.paper.results import Results
from dj_core.paper.tables import Table, all_tables
from dj_core.storage import write_bytes_atomic

TABLES, FIGURES, REPORT_NAME = "tables", "figures", "report.md"
GROUND = "#ffffff"


def write_report(results: Results, out: Path) -> None:
    """Write every table and figure of `results` and ``report.md``. Raises LibraryError."""
    tables = all_tables(results)
    for table in tables:
        write_bytes_atomic(out / TABLES / f"{table.name}.csv", table.csv().encode())
        write_bytes_atomic(out / TABLES / f"{table.name}.md", table.markdown().encode())
    figures = all_figures(results, LIGHT)
    for name, figure in figures.items():
        write_bytes_atomic(out / FIGURES / f"{name}.svg", figure_svg(figure))
        write_bytes_atomic(out / FIGURES / f"{name}.png", figure_png(figure, GROUND))
    for name, drawn in results.figure5.items():
        write_bytes_atomic(out / FIGURES / f"figure-5-{name}.musicxml", drawn["xml"].encode())
        write_bytes_atomic(out / FIGURES / f"figure-5-{name}.svg", drawn["svg"].encode())
    pictures = [*figures, *(f"figure-5-{name}" for name in results.figure5)]
    write_bytes_atomic(out / REPORT_NAME, _report(results, tables, pictures).encode())


def _report(results: Results, tables: tuple[Table, ...], pictures: list[str]) -> str:
    lines = [
        "# The paper, reproduced",
        "",
        f"Corpus {results.corpus!r}, "
        + ", ".join(f"{name} {number}" for name, number in sorted(results.versions.items()))
        + (". A quick run: it shows that everything works, not how good it is." if results.quick
           else "."),
        "",
    ]  # fmt: skip
    for table in tables:
        lines += [f"## {table.title}", "", table.markdown()]
        lines += [table.says, ""] if table.says else []
    lines += ["## Notes on the systems", ""]
    lines += [f"- **{system.label}**: {system.note}." for system in results.systems if system.note]
    lines += ["", "## Figures", ""]
    lines += [f"![{name}](figures/{name}.svg)" for name in pictures]
    return "\n".join(lines) + "\n"


def made_files(out: Path) -> tuple[list[str], list[str]]:
    """Paths of the tables and of the figures in a reproduction's folder, sorted."""
    tables = sorted(str(path) for path in (out / TABLES).glob("*"))
    return tables, sorted(str(path) for path in (out / FIGURES).glob("*"))
