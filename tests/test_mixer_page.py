"""The mixer on the deck, as a DJ touches it: keys, fingers, undo, files, takes, links, decks."""

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import DESKTOP, PHONE
from test_deck_face import Deck

from dj_core.sound.mixer_table import PRESETS, Mixer

pytestmark = pytest.mark.browser


@pytest.fixture
def deck(screen):
    screen.open("/generate?seed=3&bars=2&genre=House&tempo=124")
    deck = Deck(screen)
    deck.root.locator(".cell").first.wait_for()
    return deck


def knob(deck, name):
    return deck.root.get_by_role("slider", name=name, exact=True)


def mixer_of(deck, name="A"):
    script = "(name) => window.digitalDjEngine.decks[name].beat?.mixer ?? {}"
    return deck.page.evaluate(script, name)


def wav(deck):
    with deck.page.expect_download() as download:
        deck.page.get_by_role("button", name="WAV loop", exact=True).click()
    return soundfile.read(io.BytesIO(Path(download.value.path()).read_bytes()))[0]


def test_a_mixed_beat_is_heard_downloaded_undone_and_comes_back(deck, screen):
    flat = wav(deck)
    deck.button("Mixer").click()
    deck.play()
    with screen.rerun():
        knob(deck, "Bus: Filter").focus()
        deck.page.keyboard.press("Home")
    assert mixer_of(deck) == {"bus": {"filter": -1}}
    low = wav(deck)
    treble = [
        np.abs(np.diff(sound[:, 0])).sum() / np.abs(sound[:, 0]).sum() for sound in (flat, low)
    ]
    assert treble[1] < treble[0] / 3
    with screen.rerun():
        deck.page.keyboard.press("Control+z")
    assert mixer_of(deck) == {}
    assert np.array_equal(wav(deck), flat)
    with screen.rerun():
        deck.root.get_by_label("Preset of the mixer").select_option("house")
    assert mixer_of(deck) == PRESETS["house"].mixer.to_json()
    assert f"mix={Mixer.from_json(mixer_of(deck)).to_text()}" in deck.page.evaluate(
        "decodeURIComponent(location.search)"
    )
    with screen.rerun(moves=True):
        deck.page.get_by_role("button", name="Generate").first.click()
    deck.page.wait_for_function("Object.keys(digitalDjEngine.decks.A.beat.mixer).length > 0")
    screen.page.reload()
    again = Deck(screen)
    again.root.locator(".cell").first.wait_for()
    again.button("Mixer").click()
    clap = knob(again, "Clap: Room")
    screen.until(lambda: pytest.approx(0.3) == float(clap.get_attribute("aria-valuenow")))
    with screen.rerun():
        again.button("Flat").click()
    assert again.root.get_by_label("Preset of the mixer").input_value() == "flat"


def test_a_knob_is_one_change_however_far_it_is_dragged(deck, screen):
    deck.button("Mixer").click()
    drive = knob(deck, "Kick: Drive")
    box = drive.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + 15
    with screen.rerun():
        deck.page.mouse.move(x, y)
        deck.page.mouse.down()
        for step in range(1, 11):
            deck.page.mouse.move(x, y - step * 6)
        deck.page.mouse.up()
    assert drive.get_attribute("aria-valuetext") == "40%"
    deck.page.keyboard.press("ArrowRight")
    assert deck.root.locator(":focus").get_attribute("aria-label") == "Kick: Room"
    with screen.rerun():
        deck.button("Undo (Ctrl Z)").click()
    assert drive.get_attribute("aria-valuetext") == "0%"
    drive.press("PageUp")
    assert drive.get_attribute("aria-valuetext") == "30%"
    drive.dblclick()
    assert drive.get_attribute("aria-valuetext") == "0%"


def test_each_deck_has_its_filter_and_kills_and_the_bass_changes_over(deck):
    deck.play()
    deck.button("Keep on deck B").click()
    deck.button("Mixer").click()
    deck.button("Deck B: kill low").click()
    assert mixer_of(deck, "B") == {"bus": {"low": -24}}
    assert mixer_of(deck) == {}
    deck.button("Deck B: kill low").click()
    assert mixer_of(deck, "B") == {}
    bass = "['A', 'B'].map((name) => digitalDjEngine.output.decks[name].desk.bass.target())"
    assert deck.page.evaluate(bass) == [1, 1]
    deck.button("Bass swap").click()
    assert deck.page.evaluate(bass) == [1, 0]
    deck.button("Fade to deck B on the beat").click()
    deck.page.wait_for_function(f"JSON.stringify({bass}) === '[0,1]'")
    deck.button("Bass swap").click()
    assert deck.page.evaluate(bass) == [1, 1]


@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_every_strip_is_in_reach_and_the_deck_is_no_taller(visitor, size):
    screen = visitor(viewport=size, has_touch=size == PHONE)
    screen.open("/generate?seed=3&bars=2&genre=House&tempo=124")
    deck = Deck(screen)
    deck.root.locator(".cell").first.wait_for()
    deck.button("Mixer").click()
    assert deck.root.locator(".cell").first.is_hidden()
    small = deck.root.locator(".desk :is(button, select, [role=slider])").evaluate_all(
        """all => all.filter((one) => one.checkVisibility()).filter((one) => {
          const { width, height } = one.getBoundingClientRect()
          return width < 24 || height < 24
        }).map((one) => one.ariaLabel || one.textContent)"""
    )
    assert not small
    if size == PHONE:
        deck.root.get_by_role("button", name="CP: Clap", exact=True).click()
    level = knob(deck, "Clap: Level")
    level.scroll_into_view_if_needed()
    box = level.bounding_box()
    with screen.rerun(moves=True):
        screen.page.mouse.move(box["x"] + 20, box["y"] + 60)
        screen.page.mouse.down()
        screen.page.mouse.move(box["x"] + 20, box["y"] + 110)
        screen.page.mouse.up()
    assert float(level.get_attribute("aria-valuenow")) < -5
    deck.button("Mixer").click()
    assert deck.root.locator(".cell").first.is_visible()
