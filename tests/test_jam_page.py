"""The Jam page: a DJ plays, moves a fader, presses a pad, keeps bars and takes a recording away."""

import io

import mido
import pytest
from conftest import PHONE

from dj_core.library.kept_beats import Crate
from dj_core.sound.mixer_table import PRESETS

pytestmark = pytest.mark.browser


def test_a_jam_from_the_first_click_to_the_crate(screen, app, monkeypatch):
    page = screen.page
    screen.open("/jam")
    page.wait_for_function("window.digitalDj.jam?.isReady")
    page.get_by_role("button", name="Play", exact=True).click()
    page.wait_for_function("digitalDj.jam.isSounding && digitalDj.jam.heard")
    with screen.rerun():  # while it plays, it is mixed otherwise
        page.get_by_role("combobox", name="Mixer").click()
        page.get_by_role("option", name=PRESETS["techno"].label, exact=True).click()
    page.wait_for_function(
        "digitalDj.engine.decks.A.placements.every((one) => one.beat.mixer?.bus)"
    )
    page.get_by_role("button", name="Record", exact=True).click()
    page.get_by_role("slider", name="Energy").fill("0.9")
    page.keyboard.press("f")  # a fill, by its key
    assert page.get_by_role("button", name="Fill").get_attribute("aria-pressed") == "true"
    page.wait_for_function("digitalDj.jam.recorded.some(({ pads }) => pads.fill)")
    page.wait_for_function("digitalDj.jam.history.length >= 8")
    with screen.rerun():
        page.get_by_role("button", name="Keep last 8").click()
    page.get_by_text("in the crate").wait_for()
    with screen.rerun(moves=True):
        page.get_by_role("button", name="End recording").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="MIDI").click()
    midi = mido.MidiFile(file=io.BytesIO(download.value.path().read_bytes()))
    bars = page.evaluate("digitalDj.jam.history.length")
    assert 1 <= round(midi.length / (4 * 60 / 124), 6) <= bars
    monkeypatch.setenv("DIGITAL_DJ_HOME", str(app.home))
    crate = Crate.open()
    item = next(item for item in crate.find() if item.name.startswith("Jam"))
    assert item.bars == 8
    assert crate.get(item.id).sound.mixer == PRESETS["techno"].mixer
    assert crate.get(item.id).beat.provenance.settings["shape"] == "jam"
    # it plays on where another page is open, and the page finds it again
    with screen.rerun(moves=True):
        page.get_by_role("link", name="Explore").click()
    assert page.evaluate("digitalDj.jam.isSounding")
    with screen.rerun(moves=True):
        page.get_by_role("link", name="Jam").click()
    page.get_by_role("button", name="Stop").click()
    assert not page.evaluate("digitalDj.jam.isSounding")
    # the phrase goes to Generate, with all its strokes
    seed = page.evaluate("digitalDj.jam.heard.phrase.seed")
    page.get_by_text(f"seed {seed}").wait_for()
    strokes = page.evaluate("digitalDj.jam.heard.phrase.sides[0].hits.length")
    with screen.rerun(moves=True):
        page.get_by_role("button", name="To Generate").click()
    page.wait_for_url("**/generate*")
    page.wait_for_function(
        "strokes => digitalDj.engine.decks.A.beat?.hits.length === strokes", arg=strokes
    )


def test_on_a_phone_all_hands_need_is_on_one_screen(visitor):
    screen = visitor(viewport=PHONE)
    screen.open("/jam")
    page = screen.page
    page.wait_for_function("window.digitalDj.jam?.isReady")
    for name in ("Energy", "Style", "Brightness"):
        box = page.get_by_role("slider", name=name).bounding_box()
        assert box["y"] > PHONE["height"] / 2  # under the thumb
        assert box["y"] + box["height"] < PHONE["height"] - 60  # above the pages' names
        assert box["height"] >= 44
    facts = page.locator(".jam .facts")
    assert facts.inner_text().startswith("124 BPM · 0 bars can be kept")
    for overflows in ("scrollWidth > facts.clientWidth", "scrollHeight > facts.clientHeight"):
        assert not facts.evaluate(f"(facts) => facts.{overflows}")
    for name in ("Fill", "Drop", "Keep last 16", "To Generate"):
        box = page.get_by_role("button", name=name, exact=True).bounding_box()
        assert box["height"] >= 44
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= PHONE["width"]
