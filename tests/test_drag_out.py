"""Out of the page: what a drag from the deck carries, and the beat as a link."""

import io
import zipfile
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote, urlsplit
from urllib.request import urlopen

import mido
import pytest
import soundfile
from hypothesis import given
from test_conditions import CONDITIONAL, hit, tricky
from test_deck_face import Deck, steps_in

from dj_core.errors import BeatError
from dj_core.files.beat_link import MOST_LETTERS, beat_from_text, beat_to_text
from dj_core.files.midi import midi_bytes, read_beat
from dj_core.music.as_played import as_played
from dj_core.music.beat import Beat, Hit, Provenance
from dj_core.music.patterns import load_patterns
from dj_core.taste.judgements import TasteFile

# -- links ---------------------------------------------------------------------------------------


@given(CONDITIONAL)
def test_a_beat_comes_back_from_its_link(beat):
    assert beat_from_text(beat_to_text(beat)) == beat


def test_usual_beats_fit_a_link_with_their_seed_and_without_their_settings():
    for beat in (*load_patterns()[::20], tricky()):
        made = replace(beat, provenance=Provenance("groove", seed=2**60, settings={"a": 1}))
        again = beat_from_text(beat_to_text(made))
        assert again == replace(made, provenance=Provenance("groove", seed=2**60))


def test_a_beat_too_long_for_a_link_is_told_so():
    hits = tuple(Hit(step * 0.2511 % 400, step * 7 % 16, 1 + step**3 % 127) for step in range(3000))
    with pytest.raises(BeatError, match="too long for a link"):
        beat_to_text(Beat(hits, 100))


@pytest.mark.parametrize("text", [
    "", "A", "é", "eJw", "AAAA", "e30", beat_to_text(tricky())[:-9], "x" * (MOST_LETTERS + 1),
    "eJwDAAAAAAE",
])  # fmt: skip
def test_what_is_no_beat_of_a_link_is_refused_in_words(text):
    with pytest.raises(BeatError, match=r"\w+.*\."):
        beat_from_text(text)


# -- in the browser ------------------------------------------------------------------------------

SEEN = """() => document.addEventListener('dragstart', (event) => {
  window.dragged = event.dataTransfer.getData('DownloadURL')
})"""


def dragged(page, chip):
    """Mime, name and address of what a drag of a chip carries, by a real drag of the mouse."""
    page.evaluate("window.dragged = null")
    box = chip.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 60, y - 60, steps=8)
    page.wait_for_function("window.dragged")
    page.mouse.up()
    mime, name, address = page.evaluate("window.dragged").split(":", 2)
    return mime, name, address


@pytest.mark.browser
def test_a_drag_carries_files_that_other_programs_open_and_a_link_holds_the_beat(
    screen, visitor, app
):
    page = screen.page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    screen.open("/generate?seed=3&bars=2&genre=House")
    deck = Deck(screen)
    deck.root.locator(".cell").first.wait_for()
    page.evaluate(SEEN)
    with screen.rerun():
        deck.cell("kick", 5).click()
    chips = {name: deck.root.locator(".file", has_text=name) for name in ("MIDI", "WAV", "Stems")}
    mime, name, address = dragged(page, chips["MIDI"])
    content = urlopen(address).read()
    assert (mime, name[-4:]) == ("audio/midi", ".mid")
    assert unquote(urlsplit(address).path).endswith(name)
    assert len([one for one in mido.MidiFile(file=io.BytesIO(content)) if one.type == "note_on"])
    assert steps_in(content) == deck.steps()
    assert any("download" in one.deeds for one in TasteFile(app.home).read().judgements)
    mime, name, address = dragged(page, chips["WAV"])
    beat = read_beat(content)
    with soundfile.SoundFile(io.BytesIO(urlopen(address).read())) as sound:
        assert (mime, name[-4:], sound.format) == ("audio/wav", ".wav", "WAV")
        assert len(sound) == round(beat.duration_seconds * 44_100)
    mime, name, address = dragged(page, chips["Stems"])
    assert mime == "application/zip"
    with zipfile.ZipFile(io.BytesIO(urlopen(address).read())) as stems:
        for stem in stems.namelist():
            assert len(soundfile.SoundFile(io.BytesIO(stems.read(stem)))) == len(sound)
    # a press downloads the same
    with page.expect_download() as download:
        chips["MIDI"].click()
    assert download.value.suggested_filename.endswith(".mid")
    assert Path(download.value.path()).read_bytes() == content
    # as played, once a step has a condition; and what is dragged follows the edit
    with screen.rerun():
        deck.cell("kick", 0).click(button="right")
        deck.root.locator(".menu.panel").get_by_role("button", name="2:2", exact=True).click()
    page.keyboard.press("Escape")
    played = urlopen(dragged(page, chips["MIDI"])[2]).read()
    written = replace(
        beat,
        hits=tuple(
            replace(one, condition=hit("kick", 0, loops="2:2").condition)
            if (one.lane, round(one.onset_quarters * 4)) == (0, 0)
            else one
            for one in beat.hits
        ),
    )
    assert steps_in(played) == steps_in(midi_bytes(as_played(written, 4, 3)))
    # as a link
    deck.button("Copy link").click()
    page.wait_for_function("navigator.clipboard.readText().then((text) => text.includes('beat='))")
    link = page.evaluate("navigator.clipboard.readText()")
    steps = deck.steps()
    other = visitor()
    other.open(urlsplit(link)._replace(scheme="", netloc="").geturl())
    linked = Deck(other)
    linked.root.locator('.cell[data-loops="2:2"]').first.wait_for()
    assert linked.steps() == steps
    assert "beat=" not in other.page.url
