"""Shows facts as a list of two columns, and figures under their names."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

import streamlit as st


def show_facts(facts: Mapping[str, str]) -> None:
    """Facts as a quiet two-column list."""
    rows = "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(fact)}</dd>" for name, fact in facts.items()
    )
    st.html(f'<dl class="dj-list">{rows}</dl>')


def show_readouts(numbers: Mapping[str, str]) -> None:
    """Numbers side by side, each under its name."""
    tiles = [f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in numbers.items()]
    st.html(f'<dl class="dj-readouts">{"".join(f"<div>{tile}</div>" for tile in tiles)}</dl>')
