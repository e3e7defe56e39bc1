"""The Paper page: readable from top to bottom, its songs to be heard, on a phone too."""

import base64
import json
import re
from html import unescape
from pathlib import Path

import pytest
from conftest import DESKTOP, PHONE
from playwright.sync_api import expect
from streamlit.testing.v1 import AppTest

from dj_core.corpus.figures import PALETTES
from dj_core.paper.plan import BEST, FINAL
from dj_core.paper.results import load_results
from dj_core.paper.songs import FIGURE_TEMPERATURES
from dj_core.paper.story import all_claims
from dj_core.paper.tables import all_tables
from dj_ui.paper_parts import SHIPPED_RESULTS

# numbers that say what is shown, not what was measured
SETTINGS = re.compile(r"2 × 32: two layers of 32|Dropout .9|at 1 |above 1 |temperature 0")
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


def test_every_number_in_the_pages_sentences_is_quoted_from_a_table(visit):
    """What is not a claim (whose numbers are cells, see test_paper) names settings alone."""
    shown = "\n".join(element.proto.body for element in visit.get("html"))
    shown = re.sub(r"<(table|style|svg|script)\b.*?</\1>", " ", shown, flags=re.DOTALL)
    results = load_results(SHIPPED_RESULTS)
    claims = all_claims(results).values()
    told = {text for claim in claims for text in (claim.paper, claim.here, claim.difference)}
    cells = {cell for table in all_tables(results) for row in table.rows for cell in row}
    says = {table.says for table in all_tables(results)}
    for part in re.findall(r"<(?:p|dd|dt)\b[^>]*>(.*?)</(?:p|dd|dt)>", shown, flags=re.DOTALL):
        text = unescape(re.sub(r"<[^>]+>", "", part)).strip()
        if text in told or text in cells:
            continue
        for known in says:
            text = text.replace(known, "")
        assert not re.search(r"\d", SETTINGS.sub("", text)), text


def test_a_song_is_heard_from_every_system_by_name_or_blind(visit):
    results = load_results(SHIPPED_RESULTS)
    sampled_systems = [system for system in results.systems if system.samples]
    names = [label for label, _ in sampled(visit)]
    assert len(names) == len(sampled_systems) + 2  # the drummer's own and the n-gram's
    visit.toggle(key="paper_blind").set_value(True).run()
    assert {label for label, _ in sampled(visit)} == {f"Song {n + 1}" for n in range(len(names))}
    blind = [beat for _, beat in sampled(visit)]
    visit.toggle(key="paper_blind_names").set_value(True).run()
    assert sorted(label for label, _ in sampled(visit)) == sorted(names)
    assert [beat for _, beat in sampled(visit)] == blind  # only the names were hidden
    visit.radio(key="paper_sampled").set_value("loss").run()
    assert not visit.exception
    assert len(sampled(visit)) == len(sampled_systems) + 1


def sampled(at):
    """Names and beats of the continuations on the page."""
    shown = [one.proto.json for one in at.get("bidi_component") if '"same_' in one.proto.json]
    return [(one["name"], one["beat"]) for one in map(json.loads, shown)]


def test_notation_is_drawn_in_the_colour_of_the_text(visit):
    shown = "\n".join(element.proto.body for element in visit.get("html"))
    images = re.findall(r'class="dj-notes"[^>]*base64,([^"]+)"', shown)
    assert len(images) == 2
    for image in images:
        drawn = base64.b64decode(image).decode()
        assert 'color="black"' not in drawn
        text = PALETTES["dark"].text
        assert f'color="{text}" fill="{text}"' in drawn


def beats_shown(at):
    """Beats on the page by the component that plays them."""
    shown = [one.proto for one in at.get("bidi_component")]
    loaded = {one.id: json.loads(one.json) for one in shown if '"beat"' in one.json}
    return {data["owner"]: data["beat"] for data in loaded.values()}


def test_every_song_of_the_figures_can_be_heard_where_it_is_and_put_on_the_deck(visit):
    for temperature in FIGURE_TEMPERATURES:
        for name in (FINAL, BEST):
            visit.selectbox(key="paper_song").set_value((name, temperature)).run()
            assert not visit.exception
            beats = beats_shown(visit)
            assert beats["paper_deck"] == beats[f"hear_{name}_{temperature:g}"]


def test_missing_results_are_said_in_one_sentence(home, monkeypatch, tmp_path):
    monkeypatch.setattr("dj_ui.paper_parts.SHIPPED_RESULTS", tmp_path)
    at = AppTest.from_file(str(ROOT / "home.py"), default_timeout=WAIT_SECONDS)
    at.switch_page("pages/paper.py").run()
    assert not at.exception
    assert "cannot be read" in at.error[0].value


@pytest.mark.browser
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_a_reader_goes_down_the_page_hears_songs_and_stops_them(visitor, size):
    """The journey: read, hear one song, then another, stop it, scroll tables, come back."""
    screen = visitor(viewport=size)
    page = screen.page
    screen.open("/paper")
    expect(page.get_by_role("heading", name="The drum files themselves")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    playing = "window.digitalDjEngine?.state().playing"

    def song(number, to):
        heard = page.get_by_role("region", name=re.compile(f"A beat to hear: Figure {number} "))
        return heard.get_by_role("button", name=re.compile(f"^{to} Figure {number} "))

    for number in (1, 2):
        song(number, "Play").click()
        page.wait_for_function(playing)
        song(number, "Stop").wait_for()
        screen.look()
    song(1, "Play").wait_for()  # one thing sounds at a time
    song(2, "Stop").click()
    page.wait_for_function(f"!{playing}")
    song(2, "Play").wait_for()
    page.get_by_text("The whole table").click()
    expect(page.get_by_role("cell", name="notes-best").first).to_be_visible()
    screen.look(moves=True)
    wide = page.locator(".dj-staff").first
    wide.focus()
    if size == PHONE:  # notation scrolls in its own box, by keys too
        page.keyboard.press("ArrowRight")
        page.wait_for_function("document.querySelector('.dj-staff').scrollLeft > 0")
    with screen.rerun():
        page.get_by_role("link", name="Train", exact=True).click()
    page.go_back()
    expect(page.get_by_role("heading", name="Table 1", exact=False)).to_be_visible()
    screen.settle()
