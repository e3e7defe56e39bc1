"""Kits of one's own in a real Chromium: dropped on the deck, put right, played, taken away."""

import base64
import re
import zipfile
from pathlib import Path

import pytest
from one_shots import pack_name, write_pack

pytestmark = pytest.mark.browser

DROP = """async (deck, files) => {
  const box = new DataTransfer()
  for (const [name, content] of files) {
    const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0))
    box.items.add(new File([bytes], name))
  }
  const happen = (kind) => deck.dispatchEvent(new DragEvent(kind,
    { dataTransfer: box, bubbles: true, composed: true, cancelable: true }))
  happen('dragover')
  const shown = !deck.querySelector('.veil').hidden
  happen('drop')
  return shown && deck.querySelector('.veil').hidden
}"""


def labels(pads):
    return [pad.get_attribute("aria-label") for pad in pads.all()]


def says(pads, label):
    assert labels(pads)[0] == label


def test_one_shots_dropped_on_the_deck_become_a_kit_that_is_put_right(screen, tmp_path):
    page = screen.page
    screen.open("/generate")
    page.locator(".deck .play").wait_for()
    files = [
        (path.name, base64.b64encode(path.read_bytes()).decode())
        for path in sorted(write_pack(tmp_path / "pack").iterdir())
    ]
    files.append(("notes.txt", base64.b64encode(b"no sound").decode()))
    with screen.rerun(moves=True):
        assert page.locator("section.deck").first.evaluate(DROP, files)
        page.wait_for_function("window.digitalDjEngine.state().kit?.startsWith('my-kit')")
    page.wait_for_url(re.compile("kit=my-kit"))
    with screen.rerun(moves=True):
        page.locator("summary", has_text="Your own kits").click()
    pads = page.locator(".pads-box .pad")
    pads.first.wait_for()
    stems = {lane: Path(pack_name(lane)).stem for lane in ("kick", "snare")}
    stems = {lane: stem.replace(" ", "-") for lane, stem in stems.items()}
    assert labels(pads)[:2] == [f"Kick: {stems['kick']}", f"Snare: {stems['snare']}"]
    assert page.get_by_text("1 file could not be used").first.is_visible()
    pads.nth(0).click()
    page.wait_for_function("window.digitalDjEngine.output.aside?.source")
    with screen.rerun(moves=True):  # by keys
        pads.nth(0).focus()
        for key in ("m", "ArrowRight", "m"):
            page.keyboard.press(key)
        screen.until(lambda: says(pads, f"Kick: {stems['snare']}"))
    with screen.rerun(moves=True):  # by dragging
        pads.nth(0).drag_to(pads.nth(1))
        screen.until(lambda: says(pads, f"Kick: {stems['kick']}"))
    with page.expect_download() as download:
        page.get_by_role("button", name="SoundFont (.sf2)").click()
    assert Path(download.value.path()).read_bytes()[:4] == b"RIFF"
    with page.expect_download() as download:
        page.get_by_role("button", name="Kit (.zip)").click()
    with zipfile.ZipFile(download.value.path()) as kit:
        assert len(kit.namelist()) == 17
    with screen.rerun(moves=True):
        page.locator(".st-key-dj_mykit_delete button").click()
    assert page.get_by_text("my-kit of this beat is not here").count() == 1
    page.wait_for_function("window.digitalDjEngine.state().kit.startsWith('house')")
    page.locator('[data-testid="stToast"]').first.wait_for(state="detached")
