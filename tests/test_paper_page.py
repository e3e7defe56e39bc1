"""The Paper page: readable from top to bottom, its songs to be heard, on a phone too."""

import base64
import re
from html import unescape
from pathlib import Path

import pytest
from conftest import PHONE
from playwright.sync_api import expect
from streamlit.testing.v1 import AppTest

from dj_core.figures import PALETTES
from dj_core.paper.plan import BEST, FINAL
from dj_core.paper.results import load_results
from dj_core.paper.songs import FIGURE_TEMPERATURES
from dj_core.paper.story import all_claims
from dj_ui.paper import SHIPPED_RESULTS

ROOT = Path(__file__).resolve().parent.parent
WAIT_SECONDS = 120


@pytest.fixture
def visit(home):
    """Opens the page as the app does, and again after each click."""
    at = AppTest.from_file(str(ROOT / "home.py"), default_timeout=WAIT_SECONDS)
    return at.switch_page("pages/paper.py").run()


def text_of(at):
    shown = "\n".join(element.proto.body for element in at.get("html"))
    return unescape(re.sub(r"<[^>]+>", " ", shown))


def test_every_claim_is_on_the_page_with_what_was_measured(visit):
    assert not visit.exception
    shown = text_of(visit)
    for name, claim in all_claims(load_results(SHIPPED_RESULTS)).items():
        for words in (claim.paper, claim.here, claim.difference):
            assert words in shown, name
    for number in (1, 2, 3):
        assert any(f"Figure {number}" in text.value for text in visit.markdown)
    assert "Table 1" in " ".join(head.value for head in visit.subheader)
    assert bool(visit.info) == load_results(SHIPPED_RESULTS).quick  # said where it is so


def test_notation_is_drawn_in_the_colour_of_the_text(visit):
    shown = "\n".join(element.proto.body for element in visit.get("html"))
    images = re.findall(r'class="dj-notes"[^>]*base64,([^"]+)"', shown)
    assert len(images) == 2
    for image in images:
        drawn = base64.b64decode(image).decode()
        assert 'color="black"' not in drawn
        text = PALETTES["dark"].text
        assert f'color="{text}" fill="{text}"' in drawn


def test_any_song_of_the_figures_is_put_on_the_deck(visit):
    for temperature in FIGURE_TEMPERATURES:
        for name in (FINAL, BEST):
            visit.button(key=f"hear_{name}_{temperature:g}").click().run()
            assert not visit.exception
            assert visit.selectbox(key="paper_song").value == (name, temperature)


def test_missing_results_are_said_in_one_sentence(home, monkeypatch, tmp_path):
    monkeypatch.setattr("dj_ui.paper.SHIPPED_RESULTS", tmp_path)
    at = AppTest.from_file(str(ROOT / "home.py"), default_timeout=WAIT_SECONDS)
    at.switch_page("pages/paper.py").run()
    assert not at.exception
    assert "cannot be read" in at.error[0].value


@pytest.mark.browser
def test_it_fits_a_phone_and_plays(visitor):
    screen = visitor(viewport=PHONE)
    screen.open("/paper")
    expect(screen.page.get_by_role("heading", name="The drum files themselves")).to_be_visible()
    assert screen.page.locator('[data-testid="stException"]').count() == 0
    assert screen.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    screen.page.get_by_role("button", name="Hear it").nth(2).click()  # Figure 2, the paper's own
    expect(screen.page.get_by_text("Figure 2 · temperature 1").first).to_be_visible()
    screen.page.wait_for_function("window.digitalDjEngine?.state().playing")
