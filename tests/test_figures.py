import tomllib
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from dj_core.corpus import figures
from dj_core.corpus.figures import DARK, LIGHT, PALETTES, figure_svg
from dj_core.music.drums import DRUMS, LANE

ROOT = Path(__file__).resolve().parent.parent


def bars_of(figure):
    return [round(patch.get_width()) for patch in figure.axes[0].patches]


def labels_of(figure):
    return [label.get_text() for label in figure.axes[0].get_yticklabels()]


def title_of(figure):
    return figure.axes[0].get_title(loc="left")


def test_the_note_histogram_is_the_papers_top_ten_with_k_of_n():
    notes = [f"C{number}" for number in range(12) for _ in range(number + 1)]
    figure = figures.note_histogram(notes)
    assert title_of(figure) == "12 of 78 notes are distinct"
    assert labels_of(figure) == [f"C{number}" for number in range(11, 1, -1)]
    assert bars_of(figure) == list(range(12, 2, -1))


def test_greedy_songs_of_one_note_have_one_bar():
    figure = figures.note_histogram(["rest"] * 500)
    assert title_of(figure) == "1 of 500 notes are distinct"
    assert bars_of(figure) == [500]


def test_genres_lengths_and_drums_go_by_their_labels():
    assert labels_of(figures.genre_balance({"jazz": 2, "": 1, "uk-garage": 5})) == [
        "UK garage",
        "Jazz",
        "No genre",
    ]
    assert labels_of(figures.length_distribution({1: 3, 4: 9, 60: 1, 24: 1})) == [
        "1 bar",
        "4 bars",
        "longer",
    ]
    drums = figures.drum_use({LANE["snare"]: 7, LANE["kick"]: 9}, files=10)
    assert labels_of(drums) == ["Kick", "Snare"]
    assert bars_of(drums) == [9, 7]


@pytest.mark.parametrize(
    "figure",
    [
        figures.note_histogram([]),
        figures.start_note_histogram([]),
        figures.genre_balance({}),
        figures.length_distribution({}),
        figures.drum_use({}, files=0),
        figures.note_histogram(["$x^2$ <b>&", "C2 " * 40, ""]),
    ],
)
def test_nothing_and_strange_names_can_be_drawn(figure):
    root = ElementTree.fromstring(figure_svg(figure))
    assert root.tag == "{http://www.w3.org/2000/svg}svg"


def test_drawing_leaves_no_figure_behind():
    import matplotlib.pyplot

    figures.note_histogram(["C2"])
    assert matplotlib.pyplot.get_fignums() == []


def luminance(colour):
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def theme():
    return tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text("utf-8"))["theme"]


@pytest.mark.parametrize("name", PALETTES)
def test_words_and_hues_stand_out_as_wcag_aa_asks(name):
    palette, ground = PALETTES[name], theme()[name]["backgroundColor"]
    for word in (palette.text, palette.quiet, palette.accent, *palette.families.values()):
        assert contrast(word, ground) >= 4.5, word


def test_every_drum_family_has_a_hue_of_its_own():
    for palette in (DARK, LIGHT):
        assert set(palette.families) == {drum.family for drum in DRUMS}
        assert len(set(palette.families.values())) == len(palette.families)


@pytest.mark.parametrize("name", PALETTES)
def test_figures_theme_and_style_sheet_share_their_colours(name):
    palette, options = PALETTES[name], theme()[name]
    assert (palette.accent, palette.text) == (options["primaryColor"], options["textColor"])
    css = (ROOT / "dj_ui" / "theme.css").read_text("utf-8")
    for colour in (palette.accent, palette.text, palette.quiet, *palette.families.values()):
        assert colour in css
