"""Shaping a beat in a real Chromium: every tool answers, and a reload loses nothing."""

from pathlib import Path

import pytest

from dj_core.files.midi import read_midi

pytestmark = pytest.mark.browser

LINK = "/generate?seed=5&genre=Funk&bars=2&tempo=110"


# What the page says while one waits, and how far down.
WATCH_WAITING = """() => {
  window.waited = []
  new MutationObserver(() => {
    const spinner = document.querySelector('[data-testid="stSpinner"]')
    if (spinner?.innerText.trim()) {
      waited.push([spinner.innerText.trim(), spinner.parentElement.getBoundingClientRect().top])
    }
  }).observe(document.body, { subtree: true, childList: true })
}"""


def panel(screen):
    return screen.page.locator(".st-key-dj_shape")


def choose(screen, tool):
    """Open one of the panel's tools."""
    with screen.rerun(moves=True):
        panel(screen).locator('[data-testid="stButtonGroup"]').first.get_by_text(
            tool, exact=True
        ).click()


def press(screen, label):
    with screen.rerun():
        panel(screen).get_by_role("button", name=label, exact=True).first.click()


def shaped(screen, words):
    """Wait until what is on deck says that it came to be so."""
    screen.page.locator("dl.dj-list dd", has_text=words).first.wait_for()
    screen.settle()


def takes(screen):
    return screen.page.locator(".st-key-dj_on_deck button").all_inner_texts()


def midi(screen):
    with screen.page.expect_download() as download:
        screen.page.get_by_role("button", name="MIDI", exact=True).click()
    return Path(download.value.path()).read_bytes()


def assert_calm(screen):
    assert screen.page.locator('[data-testid="stException"]').count() == 0
    assert screen.page.locator('[data-testid="stAlert"]').count() == 0


def test_every_tool_puts_its_answer_on_deck(screen):
    screen.open(LINK)
    first = midi(screen)
    for tool, button, words in (
        ("Reroll", "Reroll the rest", "rerolled around what was kept"),
        ("End in a fill", "Add a fill", "with a fill"),
        ("Feel", "Humanise", "humanised"),
        ("Continue", "Continue", "continued"),
    ):
        choose(screen, tool)
        press(screen, button)
        shaped(screen, words)
        assert_calm(screen)
    assert len(takes(screen)) == 5
    assert read_midi(midi(screen)).bars == 6
    choose(screen, "History")
    with screen.rerun():  # back to the first of all, in one press
        panel(screen).get_by_role("button", name="To deck", exact=True).last.click()
    shaped(screen, "Funk")
    assert midi(screen) == first
    assert len(takes(screen)) == 5


def test_variations_and_morphs_lie_side_by_side_and_a_reload_loses_nothing(screen):
    screen.open(LINK)
    choose(screen, "Vary")
    screen.page.evaluate(WATCH_WAITING)
    press(screen, "Make variations")
    button = panel(screen).get_by_role("button", name="Make variations").bounding_box()
    for words, top in screen.page.evaluate(
        "waited"
    ):  # nothing, where it was done before it is drawn
        assert words == "Making 4 variations…"  # it says what is done, where that was asked
        assert abs(top - button["y"]) < 4
    strip = panel(screen).locator(".dj-strip")
    strip.nth(3).wait_for()
    away = [int(text.split("%")[0]) for text in strip.all_inner_texts()]
    assert away == sorted(away)
    with screen.rerun():
        panel(screen).get_by_role("button", name="To deck", exact=True).last.click()
    shaped(screen, "a variation")
    cell = screen.page.get_by_role("gridcell").first  # an edit by hand
    before = midi(screen)
    with screen.rerun():
        cell.click()
    edited = midi(screen)
    assert edited != before
    screen.page.reload()
    screen.settle()
    shaped(screen, "a variation")
    assert len(takes(screen)) == 2
    assert midi(screen) == edited
    assert panel(screen).locator(".dj-strip").all_inner_texts()[:4] == [
        f"{far}% away" for far in away
    ]
    choose(screen, "Morph")
    press(screen, "Morph")
    panel(screen).locator(".dj-strip", has_text="Step 4").wait_for()
    assert_calm(screen)


def test_sliders_build_what_they_say_and_taps_become_a_beat(screen):
    page = screen.page
    screen.open(LINK)
    choose(screen, "Sliders")
    assert panel(screen).get_by_role("button", name="Apply").is_disabled()
    slider = panel(screen).get_by_role("slider", name="Density")
    slider.focus()
    stands = float(slider.evaluate("element => element.ariaValueNow ?? element.value"))
    key = "ArrowLeft" if stands > 0 else "ArrowRight"
    for _ in range(3):
        with screen.rerun():
            slider.press(key)
    hits = len(read_midi(midi(screen)).hits)
    press(screen, "Apply")
    shaped(screen, "adjusted")
    after = len(read_midi(midi(screen)).hits)
    assert (after - hits) * (1 if key == "ArrowRight" else -1) > 0
    choose(screen, "Tap")
    kick = page.locator("button[data-drum=kick]")
    for _ in range(4):
        kick.dispatch_event("pointerdown")
        page.wait_for_timeout(250)
    with screen.rerun():
        page.get_by_role("button", name="Build a beat on it").click()
    shaped(screen, "built on a rhythm")
    assert_calm(screen)


def test_the_tools_fit_a_phone_and_the_copy_meter_says_how_near_it_is(screen):
    page = screen.page
    page.set_viewport_size({"width": 390, "height": 844})
    screen.open(LINK)
    for tool in ("Reroll", "Sliders", "Tap", "Is it copied?"):
        choose(screen, tool)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
    facts = panel(screen).locator("dl.dj-list dt").all_inner_texts()
    assert facts == ["Bar 1", "Bar 2"]
    assert_calm(screen)
