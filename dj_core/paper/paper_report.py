"""Writes a reproduction's tables and figures, and a report that holds them."""

from __future__ import annotations

import os
from pathlib import Path

from dj_core.corpus.figures import LIGHT, figure_svg
from dj_core.files.storage import write_bytes_atomic
from dj_core.paper.drawing import all_figures, figure_png
from dj_core.paper.paper_document import document
from dj_core.paper.results import Results
from dj_core.paper.story import sentences_table
from dj_core.paper.tables import all_tables

TABLES, FIGURES, REPORT_NAME = "tables", "figures", "report.md"
GROUND = "#ffffff"


def write_report(results: Results, out: Path) -> None:
    """Write every table and figure of `results` and ``report.md``. Raises LibraryError."""
    for table in (*all_tables(results), sentences_table(results)):
        write_bytes_atomic(out / TABLES / f"{table.name}.csv", table.csv().encode())
        write_bytes_atomic(out / TABLES / f"{table.name}.md", table.markdown().encode())
    for name, figure in all_figures(results, LIGHT).items():
        write_bytes_atomic(out / FIGURES / f"{name}.svg", figure_svg(figure))
        write_bytes_atomic(out / FIGURES / f"{name}.png", figure_png(figure, GROUND))
    for name, drawn in results.figure5.items():
        write_bytes_atomic(out / FIGURES / f"figure-5-{name}.musicxml", drawn["xml"].encode())
        write_bytes_atomic(out / FIGURES / f"figure-5-{name}.svg", drawn["svg"].encode())
    write_document(results, out, out / REPORT_NAME)


def write_document(results: Results, out: Path, path: Path) -> None:
    """Write the one document that tells all of it, its links leading to `out`.

    Raises:
        LibraryError: it cannot be written.
    """
    folder = Path(os.path.relpath(out.resolve(), path.resolve().parent)).as_posix()
    write_bytes_atomic(path, document(results, folder).encode())


def made_files(out: Path) -> tuple[list[str], list[str]]:
    """Paths of the tables and of the figures in a reproduction's folder, sorted."""
    tables = sorted(str(path) for path in (out / TABLES).glob("*"))
    return tables, sorted(str(path) for path in (out / FIGURES).glob("*"))
