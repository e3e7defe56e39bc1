"""The Paper page: readable from top to bottom, its songs to be heard, on a phone too."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dj_core.paper.results import load_results
from dj_core.paper.songs import FIGURE_TEMPERATURES
from dj_core.paper.story import all_claims
from dj_ui.paper import SHIPPED_RESULTS

ROOT = Path(__file__).resolve().parent.parent
WAIT_SECONDS = 120
PHONE = {"width": 390, "height": 844}


@pytest.fixture
def page(home):
    return AppTest.from_file(str(ROOT / "pages" / "paper.py"), default_timeout=WAIT_SECONDS)


def html_of(at):
    return "\n".join(element.proto.body for element in at.get("html"))


def test_every_claim_is_on_the_page_with_what_was_measured(page):
    at = page.run()
    assert not at.exception
    shown = html_of(at)
    for claim in all_claims(load_results(SHIPPED_RESULTS)).values():
        assert claim.difference.split("&")[0].split("'")[0] in shown.replace("&#x27;", "'")
    for number in (1, 2, 3):
        assert any(f"Figure {number}" in text.value for text in at.markdown)
    assert "Table 1" in " ".join(head.value for head in at.subheader)


@pytest.mark.parametrize("temperature", FIGURE_TEMPERATURES)
def test_any_song_of_the_figures_is_put_on_the_deck(page, temperature):
    at = page.run()
    for name in ("paper-2x32", "notes-best"):
        at = at.button(key=f"hear_{name}_{temperature:g}").click().run()
        assert not at.exception
        assert at.selectbox(key="paper_song").value == (name, temperature)


def test_missing_results_are_said_in_one_sentence(page, monkeypatch, tmp_path):
    monkeypatch.setattr("dj_ui.paper.SHIPPED_RESULTS", tmp_path)
    at = page.run()
    assert not at.exception
    assert "cannot be read" in at.error[0].value


@pytest.mark.browser
def test_it_fits_a_phone_and_plays(screen):
    screen.page.set_viewport_size(PHONE)
    screen.open("/paper")
    assert screen.page.locator('[data-testid="stException"]').count() == 0
    width = screen.page.evaluate("document.documentElement.scrollWidth")
    assert width <= PHONE["width"]
    with screen.rerun():
        screen.page.get_by_role("button", name="Hear it").nth(2).click()
    screen.page.get_by_text("Figure 2 · temperature 1").first.wait_for()
