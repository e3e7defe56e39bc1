"""Parts of the Paper page: claims, tables that fit a phone, notation."""

from __future__ import annotations

import base64
from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from dj_core.corpus.figures import PALETTES, figure_svg
from dj_core.paper.results import Results, load_results
from dj_core.paper.story import Claim
from dj_core.paper.tables import Table
from dj_core.product import PRODUCT_FOLDER
from dj_ui.frame import palette_name
from dj_ui.player import show_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHIPPED_RESULTS = PRODUCT_FOLDER / "docs" / "reproduction"


@st.cache_resource(show_spinner=False)
def shipped_results(changed_ns: int) -> Results:
    """The reproduction that comes with the product; `changed_ns` is its file's time of change."""
    return load_results(SHIPPED_RESULTS)


def results_at_hand() -> Results:
    """The shipped reproduction, read once. Raises LibraryError when it is missing."""
    path = SHIPPED_RESULTS / "results.json"
    return shipped_results(path.stat().st_mtime_ns if path.exists() else 0)


def show_claim(claim: Claim) -> None:
    """The paper's claim, what was measured, and what to make of it."""
    rows = (("The paper", claim.paper), ("Measured", claim.here), ("So", claim.difference))
    parts = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in rows)
    st.html(f'<dl class="dj-claim">{parts}</dl>')


def show_table(table: Table, *, mark: str = "") -> None:
    """A table; on a phone each row becomes a small card.

    Args:
        mark: a row whose first cell begins with it stands out; '' for none.
    """
    heads = "".join(f"<th>{escape(name)}</th>" for name in table.columns)
    rows = "".join(
        f"<tr{' class=dj-mark' if mark and row[0].startswith(mark) else ''}>"
        + "".join(
            f'<td data-head="{escape(name)}">{escape(cell)}</td>'
            for name, cell in zip(table.columns, row, strict=True)
        )
        + "</tr>"
        for row in table.rows
    )
    st.html(
        f'<div class="dj-table"><table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody>'
        "</table></div>"
    )


def draw(figure: Figure, alt: str) -> None:
    """A figure, sharp at any size."""
    show_figure(figure_svg(figure), alt)


def draw_wide(figure: Figure, alt: str) -> None:
    """A figure with names too long for a phone: there it scrolls sideways and stays readable."""
    st.html(_scrolling_html("dj-wide", figure_svg(figure), alt, "dj-figure"))


def image_html(svg: bytes, alt: str, name: str) -> str:
    """A drawing as an element of the page, with a text for those who do not see it."""
    data = base64.b64encode(svg).decode()
    return (
        f'<img class="{escape(name)}" alt="{escape(alt)}" src="data:image/svg+xml;base64,{data}">'
    )


def palette():  # noqa: ANN201 - dj_core.corpus.store.figures.Palette, named there
    """The colours of the theme the visitor looks at."""
    return PALETTES[palette_name()]


def show_staff(svg: str, alt: str) -> None:
    """Notation in the colour of the text; it scrolls sideways where it does not fit."""
    # verovio draws lines in the colour said once for the whole drawing, and heads in plain black
    text = palette().text
    coloured = svg.replace('color="black"', f'color="{text}" fill="{text}"', 1).encode()
    st.html(_scrolling_html("dj-staff", coloured, alt, "dj-notes"))


def _scrolling_html(box: str, svg: bytes, alt: str, image: str) -> str:
    """A drawing in a box that scrolls sideways, by the arrow keys too."""
    return (
        f'<div class="{escape(box)}" role="group" tabindex="0" aria-label="{escape(alt)}">'
        f"{image_html(svg, alt, image)}</div>"
    )
