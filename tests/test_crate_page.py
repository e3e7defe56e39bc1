"""The crate on screen: keep, find, describe, delete and undo, take away, play again."""

import json
import zipfile
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import mido
import pytest
import soundfile
from conftest import Screen
from streamlit.testing.v1 import AppTest

from dj_core.beat import Beat, Hit
from dj_core.crate import Crate, CrateSearch
from dj_core.drums import DRUM
from dj_core.export import loop_files
from dj_core.library import Library
from dj_core.midi import midi_bytes
from dj_core.note_maps import NOTE_MAP
from dj_core.patterns import load_patterns
from dj_core.sampling import GenerationRequest, load_model
from dj_ui.replay import link_of, play_again

ROOT = Path(__file__).resolve().parent.parent
WAIT_SECONDS = 120
BEAT = Beat(
    (Hit.of("kick", 0.0), Hit.of("snare", 1.0), Hit.of("closed_hat", 0.5), Hit.of("shaker", 3.3)),
    bars=1,
    tempo_bpm=120.0,
    genre="house",
)


@pytest.fixture
def crate(home):
    return Crate(home / "crate.db")


def visit(page="crate", **state):
    at = AppTest.from_file(str(ROOT / "home.py"), default_timeout=WAIT_SECONDS)
    for key, value in state.items():
        at.session_state[key] = value
    at.switch_page(f"pages/{page}.py").run()
    assert not at.exception
    return at


def click(at, key):
    at.button(key=key).click().run()
    assert not at.exception
    return at


def words(at):
    return "\n".join(element.proto.body for element in at.get("html"))


def on_deck(at):
    (deck,) = [
        one.proto for one in at.get("bidi_component") if one.proto.component_name == "dj_deck"
    ]
    return json.loads(deck.json)


def listed(at):
    return list(at.dataframe[0].value["Name"])


@pytest.fixture(scope="module")
def made():
    """A beat of the model that comes along."""
    model = load_model(Library(Path("nowhere")).model().folder)
    return model.generate(GenerationRequest(genre="house", bars=1, tempo_bpm=124.0, seed=7)).beat


# -- without a browser -----------------------------------------------------------------------------


def test_an_empty_crate_says_how_to_fill_it(home):
    assert "Nothing is kept yet" in words(visit())


def test_keep_puts_the_beat_on_screen_in_the_crate_once(crate):
    at = visit("generate")
    assert at.button(key="deck_keep").label == "Keep"
    click(at, "deck_keep")
    (item,) = crate.find()
    assert item.genre == "house"
    assert at.button(key="deck_keep").disabled
    assert at.button(key="deck_keep").label == "In the crate"


def test_a_search_narrows_the_list_and_the_deck_plays_its_first(crate):
    for pattern in load_patterns()[::60]:
        crate.keep(pattern)
    crate.keep(BEAT, name="Röller", tags=["late"], rating=5)
    at = visit()
    assert len(listed(at)) == len(crate.find())
    assert on_deck(at)["name"] == "Röller"
    at.text_input(key="crate_words").input("LATE").run()
    assert listed(at) == ["Röller"]
    at.text_input(key="crate_words").input("no such beat").run()
    assert not at.exception
    assert "Widen the search" in at.info[0].value


def test_a_name_a_star_a_tag_and_a_note_are_kept_at_once(crate):
    id = crate.keep(BEAT, name="Old").id
    at = visit()
    at.text_input(key=f"crate_name_{id}").input("New").run()
    at.text_area(key=f"crate_notes_{id}").input("loud").run()
    at.feedback(key=f"crate_stars_{id}").set_value(3).run()
    assert not at.exception
    item = crate.get(id).item
    assert (item.name, item.notes, item.rating) == ("New", "loud", 4)
    assert listed(at) == ["New"]


def test_a_name_of_nothing_is_refused_in_words_and_the_old_one_stays(crate):
    id = crate.keep(BEAT, name="Old").id
    at = visit()
    at.text_input(key=f"crate_name_{id}").input("").run()
    assert not at.exception
    assert "1 to 120 characters" in at.warning[0].value
    assert crate.get(id).item.name == "Old"


def test_what_is_deleted_comes_back_by_undo(crate):
    items = [crate.keep(replace(BEAT, tempo_bpm=100.0 + n), name=f"Beat {n}") for n in range(3)]
    at = click(visit(), "crate_delete")
    assert listed(at) == ["Beat 1", "Beat 0"]
    at = click(at, "crate_undo")
    assert listed(at) == ["Beat 2", "Beat 1", "Beat 0"]
    assert crate.find() == tuple(reversed(items))


def test_the_last_beat_deleted_can_still_be_undone(crate):
    crate.keep(BEAT, name="Only")
    at = click(visit(), "crate_delete")
    assert "Nothing is kept yet" in words(at)
    assert listed(click(at, "crate_undo")) == ["Only"]


def test_a_copy_is_shown_when_it_was_made(crate):
    crate.keep(BEAT, name="A")
    at = click(visit(), "crate_duplicate")
    assert listed(at) == ["A copy", "A"]
    assert on_deck(at)["name"] == "A copy"


def test_a_beat_of_the_crate_goes_on_generates_deck_until_a_take_comes(crate, made):
    kept = crate.get(crate.keep(BEAT, name="Mine").id)
    from dj_ui.crate import FromCrate

    at = visit("generate", dj_from_crate=FromCrate(kept, "token"))
    assert on_deck(at)["name"] == "Mine"
    assert on_deck(at)["play"] == "token"
    at = click(at, "dj_go")
    assert on_deck(at)["name"].startswith("Take 1")


def test_a_generated_beat_is_played_again_from_its_seed(crate, made):
    crate.keep(made)
    at = click(visit(), "crate_again")
    assert "the same to the last stroke" in at.success[0].value


def test_an_edited_beat_is_not_passed_off_as_the_models(crate, made):
    hits = made.hits[:-1]
    edited = replace(made, hits=hits, provenance=replace(made.provenance, edited=True))
    outcome = play_again(edited)
    assert not outcome.same
    assert outcome.beat.hits == made.hits
    assert "before you edited it" in outcome.words


def test_the_settings_of_a_beat_are_a_link_that_makes_it_again(home, made):
    at = AppTest.from_file(str(ROOT / "home.py"), default_timeout=WAIT_SECONDS)
    for name, text in link_of(made).items():
        at.query_params[name] = text
    at.switch_page("pages/generate.py").run()
    assert not at.exception
    assert not [info.value for info in at.info]
    (take,) = at.session_state["dj_takes"]
    assert take.take.beat.hits == made.hits


def test_a_damaged_crate_is_told_and_the_page_works_again(crate):
    crate.keep(BEAT)
    for ending in ("-wal", "-shm"):
        crate.path.with_name(crate.path.name + ending).unlink(missing_ok=True)
    crate.path.write_bytes(b"nonsense" * 1000)
    at = visit()
    assert "kept as crate-damaged" in at.error[0].value
    assert "Nothing is kept yet" in words(at.run())


# -- in a browser ----------------------------------------------------------------------------------


@pytest.fixture
def own_screen(page, start_app, tmp_path):
    """The app with a crate of its own: one generated-looking beat in it."""
    app = start_app(home=tmp_path / "home")
    Crate(app.home / "crate.db").keep(BEAT, name="Mine", tags=["late"])
    return Screen(page, app.url), Crate(app.home / "crate.db")


def press(screen, name):
    screen.page.get_by_role("button", name=name, exact=True).first.click()


def downloaded(screen, name):
    with screen.page.expect_download() as download:
        press(screen, name)
    return Path(download.value.path()).read_bytes(), download.value.suggested_filename


@pytest.mark.browser
def test_what_is_taken_away_is_what_was_asked_for(own_screen):
    screen, _ = own_screen
    screen.open("/crate")
    screen.page.get_by_text("Take away:").click()
    for choice in ("One per drum", "Straight", "AIFF", "24 bit"):
        with screen.rerun():
            screen.page.get_by_role("radio", name=choice).click()
    with screen.rerun():
        screen.page.get_by_role("combobox", name="MIDI for").click()
        screen.page.get_by_role("option", name="Maschine").click()
    content, name = downloaded(screen, "MIDI · Maschine")
    assert name == "Mine_120bpm_maschine_straight.mid"
    file = mido.MidiFile(file=BytesIO(content))
    notes = {m.note for track in file.tracks for m in track if m.type == "note_on"}
    assert notes == {NOTE_MAP["maschine"].note(DRUM[hit.drum.name]) for hit in BEAT.hits}
    assert len(file.tracks) == 5
    content, name = downloaded(screen, "Loop")
    assert name == "Mine_120bpm.aiff"
    with soundfile.SoundFile(BytesIO(content)) as sound:
        assert (sound.frames, sound.subtype, sound.format) == (88_200, "PCM_24", "AIFF")
    content, name = downloaded(screen, "Stems")
    assert zipfile.ZipFile(BytesIO(content)).namelist() == [
        f"Mine_120bpm{part}.aiff" for part in ("", "_kick", "_snare", "_hat", "_percussion")
    ]
    content, _ = downloaded(screen, "One-shots")
    assert len(zipfile.ZipFile(BytesIO(content)).namelist()) == 16
    with screen.rerun():
        press(screen, "Check the loop")
    assert screen.page.get_by_text("Decks lock to this loop").is_visible()
    content, name = downloaded(screen, "WAV loop")
    assert (name, content) == ("Mine_120bpm.wav", next(loop_files(BEAT))[1])


@pytest.mark.browser
def test_a_crate_goes_out_and_comes_in_and_midi_comes_in_with_its_story(own_screen, tmp_path, made):
    screen, crate = own_screen
    screen.open("/crate")
    content, name = downloaded(screen, "Export the crate")
    (tmp_path / name).write_bytes(content)
    (tmp_path / "story.mid").write_bytes(midi_bytes(made))
    (tmp_path / "broken.mid").write_bytes(b"words")
    with screen.rerun():
        press(screen, "Delete")
    assert crate.find() == ()
    press(screen, "Bring in")
    files = [tmp_path / name, tmp_path / "story.mid", tmp_path / "broken.mid"]
    screen.page.locator("input[type=file]").set_input_files(files)
    screen.page.get_by_text("broken.mid").wait_for()
    with screen.rerun():
        press(screen, "Put in the crate")
    screen.page.get_by_text("broken.mid: This is not a MIDI file").wait_for()
    assert {item.name for item in crate.find()} == {"Mine", "story"}
    (story,) = crate.find(CrateSearch("story"))
    assert crate.get(story.id).beat.provenance == made.provenance
    assert story.genre == "house"
