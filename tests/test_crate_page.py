"""The crate on screen: keep, find, describe, delete and undo, take away, play again."""

import itertools
import json
import random
import zipfile
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import mido
import pytest
import soundfile
from conftest import DESKTOP, PHONE
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from streamlit.components.v2.bidi_component.main import _make_trigger_id
from streamlit.proto.WidgetStates_pb2 import WidgetState
from streamlit.runtime.scriptrunner import RerunException
from streamlit.runtime.scriptrunner_utils.script_requests import RerunData
from streamlit.testing.v1 import AppTest

from dj_core.files.midi import midi_bytes
from dj_core.library.kept_beats import Crate, CrateSearch
from dj_core.library.library import Library
from dj_core.models.families import load_model
from dj_core.models.request import GenerationRequest
from dj_core.music.beat import Beat, Hit
from dj_core.music.drums import DRUM
from dj_core.music.genres import GENRE
from dj_core.music.note_maps import NOTE_MAP
from dj_core.music.patterns import load_patterns
from dj_core.sound.loop_files import LoopSettings, loop_files
from dj_ui import beat_list
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


def component(at, name):
    (found,) = [one.proto for one in at.get("bidi_component") if one.proto.component_name == name]
    return found


def on_deck(at):
    return json.loads(component(at, "dj_deck").json)


def the_list(at):
    """What the list of beats is told to show."""
    return json.loads(component(at, "dj_beat_list").json)


def listed(at):
    return [row["name"] for row in the_list(at)["rows"]]


def send(at, events=(), **state):
    """What the browser says when a visitor has used the list: `chosen`, `turned`, or its state."""
    id = component(at, "dj_beat_list").id
    states = at._tree.get_widget_states()
    if state:
        states.widgets.append(WidgetState(id=id, json_value=json.dumps(state)))
    if events:
        told = [{"event": event, "value": value} for event, value in dict(events).items()]
        aggregate = _make_trigger_id(id, "events")
        states.widgets.append(WidgetState(id=aggregate, json_trigger_value=json.dumps(told)))
    at._run(states)
    assert not at.exception
    return at


_numbers = itertools.count(2)


def typed(at, id, field, value):
    """A visitor types into a beat's row, which holds what the list was told last."""
    (row,) = [row for row in the_list(at)["rows"] if row["id"] == id]
    edit = {"number": next(_numbers), "id": id, "field": field, "from": row[field], "value": value}
    return send(at, edits=[edit])


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
    assert (on_deck(at)["name"], on_deck(at)["play"]) == ("Röller", None)
    at.text_input(key="crate_words").input("LATE").run()
    assert listed(at) == ["Röller"]
    at.text_input(key="crate_words").input("no such beat").run()
    assert not at.exception
    assert "Widen the search" in at.info[0].value


def test_a_chosen_row_goes_on_the_deck_and_plays_once(crate):
    first = crate.keep(BEAT, name="A")
    crate.keep(BEAT, name="B")
    at = send(visit(), {"chosen": first.id})
    assert on_deck(at)["name"] == the_list(at)["rows"][1]["name"] == "A"
    play = on_deck(at)["play"]
    assert play
    assert on_deck(at.run())["play"] == play
    assert on_deck(send(at, {"chosen": first.id}))["play"] not in (play, None)
    at = visit(dj_crate_said=[])  # somebody else hears nothing of it
    assert (on_deck(at)["name"], on_deck(at)["play"]) == ("B", None)
    assert on_deck(send(at, {"chosen": "nobody"}))["name"] == "B"


def test_a_long_list_comes_in_parts_and_the_keys_go_on_to_the_next(crate):
    for number in range(230):
        crate.keep(BEAT.at_tempo(60.0 + number))
    at = visit()
    assert (len(listed(at)), the_list(at)["total"]) == (100, 230)
    at = send(at, {"turned": {"first": 100, "take": "first"}})
    assert the_list(at)["shown"] == the_list(at)["rows"][0]["id"]
    assert on_deck(at)["play"]
    at = send(at, {"turned": {"first": 200, "take": None}})
    assert len(listed(at)) == 30
    at = send(at, {"turned": {"first": 100, "take": "last"}})
    assert the_list(at)["shown"] == the_list(at)["rows"][-1]["id"]
    at.text_input(key="crate_words").input("house").run()
    assert the_list(at)["first"] == 0
    assert len(listed(send(at, {"turned": {"first": 10**30, "take": None}}))) == 100


# -- what is typed ---------------------------------------------------------------------------------

texts = st.text(st.characters(codec="utf-8", categories=["L", "N", "P"]), min_size=1, max_size=9)
values = {
    "name": texts,
    "notes": st.just("") | texts,
    "rating": st.integers(0, 5),
    "tags": st.lists(st.sampled_from(["warm", "late", "ü"]), unique=True).map(sorted),
}
actions = st.one_of(
    st.tuples(st.just("visit"), st.integers(0, 2)),
    *(
        st.tuples(st.just("type"), st.integers(0, 2), st.just(field), value)
        for field, value in values.items()
    ),
    st.just(("leave",)),
    st.just(("delete",)),
    st.tuples(st.just("sort"), st.sampled_from(["name", "rating", "newest"])),
)


@given(st.lists(actions, min_size=3, max_size=9))
@settings(max_examples=8, suppress_health_check=[HealthCheck.too_slow])
def test_any_visits_and_edits_leave_each_beat_with_exactly_what_was_typed(tmp_path_factory, doing):
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("DIGITAL_DJ_HOME", str(tmp_path_factory.mktemp("home")))
        crate = Crate.open()
        items = [
            crate.keep(BEAT, name=f"Beat {n}", tags=["warm"] * n, rating=n, notes="n" * n)
            for n in range(3)
        ]
        fields = ("name", "tags", "rating", "notes")
        said = {item.id: {field: getattr(item, field) for field in fields} for item in items}
        at = visit()
        for what, *more in doing:
            if what == "visit":
                at = send(at, {"chosen": items[more[0]].id})
            elif what == "type":
                number, field, value = more
                id = items[number].id
                at = typed(at, id, field, value)
                said[id][field] = tuple(value) if field == "tags" else value
            elif what == "leave":
                at.switch_page("pages/explore.py").run()
                at.switch_page("pages/crate.py").run()
            elif what == "delete":
                at = click(click(at, "crate_delete"), "crate_undo")
            else:
                at.selectbox(key="crate_sort").set_value(more[0]).run()
            assert not at.exception
            assert not at.warning
            shown = {row["id"]: row for row in the_list(at)["rows"]}
            for id, typed_so_far in said.items():
                item = crate.get(id).item
                assert {field: getattr(item, field) for field in fields} == typed_so_far
                row = {field: shown[id][field] for field in fields}
                assert row | {"tags": tuple(row["tags"])} == typed_so_far


def test_edits_that_arrive_twice_late_or_together_are_written_once_each(crate):
    item = crate.keep(BEAT, name="A")
    edits = [
        {"number": 1, "id": item.id, "field": "name", "from": "A", "value": "B"},
        {"number": 2, "id": item.id, "field": "name", "from": "B", "value": "C"},
        {"number": 3, "id": item.id, "field": "rating", "from": 0, "value": 4},
    ]
    at = send(visit(), edits=edits[:1])
    at = send(at, edits=edits)
    assert (crate.get(item.id).item.name, crate.get(item.id).item.rating) == ("C", 4)
    crate.change(item.id, name="A")
    assert the_list(send(at, edits=[*edits]))["taken"] == 3
    assert crate.get(item.id).item.name == "A"
    for nonsense in ("x", [1], [{}], [{**edits[0], "number": 9, "field": "beat"}]):
        send(at, edits=nonsense)
    assert crate.get(item.id).item == replace(item, rating=4)


@pytest.mark.parametrize("place", [1, 2])
def test_an_edit_that_the_next_click_cuts_off_is_still_written(crate, monkeypatch, place):
    item = crate.keep(BEAT, name="A")
    at = visit()
    looks = itertools.count(1)
    change = Crate.change

    def look(key, state=beat_list._state):
        if next(looks) == place:
            raise RerunException(RerunData())
        return state(key)

    def write(self, *values, **changes):
        done = change(self, *values, **changes)
        look("crate_list")
        return done

    monkeypatch.setattr(beat_list, "_state", look)
    monkeypatch.setattr(Crate, "change", write)
    edits = [
        {"number": 1, "id": item.id, "field": "name", "from": "A", "value": "B"},
        {"number": 2, "id": item.id, "field": "notes", "from": "", "value": "n"},
    ]
    at = send(at, edits=edits)
    assert (crate.get(item.id).item.name, crate.get(item.id).item.notes) == ("B", "n")
    assert not at.warning


def test_what_was_changed_elsewhere_is_told_and_not_written_over(crate):
    item = crate.keep(BEAT, name="Old")
    at = visit()
    crate.change(item.id, name="Theirs", notes="theirs")
    edit = {
        "number": 1,
        "id": item.id,
        "field": "name",
        "from": "Old",
        "value": "Mine",
    }
    at = send(at, edits=[edit])
    assert "to “Theirs”. Yours, “Mine”, is not written" in at.warning[0].value
    assert listed(at) == ["Theirs"]
    at = typed(at, item.id, "name", "x" * 121)
    assert "this one has 121" in at.warning[0].value
    assert crate.get(item.id).item.name == "Theirs"


def test_the_list_stands_still_while_its_beats_are_changed(crate):
    for number in range(3):
        crate.keep(BEAT, name=f"Beat {number}", rating=number + 1)
    at = visit()
    at.selectbox(key="crate_sort").set_value("rating").run()
    at.text_input(key="crate_words").input("beat").run()
    last = the_list(at)["rows"][2]["id"]
    at = typed(typed(at, last, "rating", 5), last, "name", "Other")
    assert listed(at) == ["Beat 2", "Beat 1", "Other"]
    at.text_input(key="crate_words").input("").run()
    assert listed(at) == ["Other", "Beat 2", "Beat 1"]


# -- several at once -------------------------------------------------------------------------------


def test_ticked_beats_are_tagged_put_in_a_set_and_deleted_together(crate):
    for number in range(4):
        crate.keep(BEAT, name=f"Beat {number}")
    crate.keep(BEAT, name="Hidden")
    at = visit()
    ids = {row["name"]: row["id"] for row in the_list(at)["rows"]}
    at.text_input(key="crate_words").input("beat").run()
    at = send(at, ticked=[ids["Beat 0"], ids["Beat 2"], ids["Hidden"], "gone", 7])
    assert at.button(key="crate_delete_some").label == "Delete 2"  # none that nobody sees
    at.text_input(key="crate_tag_all").input("Late, warm")
    (add,) = [button for button in at.button if button.label == "Add"]
    add.click().run()
    assert {item.name for item in crate.find(CrateSearch(tags=frozenset({"late", "warm"})))} == {
        "Beat 0",
        "Beat 2",
    }
    at = click(at, "crate_to_set")
    assert set(at.multiselect(key="set_crate").value) == {ids["Beat 0"], ids["Beat 2"]}
    at.switch_page("pages/crate.py").run()
    at = send(at, ticked=[ids["Beat 1"], ids["Beat 3"]])
    at = click(at, "crate_delete_some")
    assert listed(at) == ["Hidden", "Beat 2", "Beat 0"]
    assert listed(click(at, "crate_undo")) == ["Hidden", "Beat 3", "Beat 2", "Beat 1", "Beat 0"]


def test_where_nothing_may_be_changed_no_control_offers_it(crate, monkeypatch):
    crate.keep(BEAT, name="A")
    at = visit()
    monkeypatch.setenv("DIGITAL_DJ_READ_ONLY", "1")
    at = click(at, "crate_delete")  # drawn before
    assert "read only" in at.warning[0].value
    assert not [button for button in at.button if button.label in ("Undo", "Delete", "Duplicate")]
    assert not the_list(at)["changes"]
    assert "deleted" not in " ".join(caption.value for caption in at.caption)
    assert listed(typed(at, the_list(at)["rows"][0]["id"], "name", "B")) == ["A"]


# -- deleting, copying, moving on ------------------------------------------------------------------


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
    from dj_ui.keeping import FromCrate

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
def own_screen(visitor, start_app, tmp_path):
    """The app with a crate of its own: one generated-looking beat in it."""
    app = start_app(home=tmp_path / "home")
    Crate(app.home / "crate.db").keep(BEAT, name="Mine", tags=["late"])
    return visitor(app.url), Crate(app.home / "crate.db")


def press(screen, name):
    screen.page.get_by_role("button", name=name, exact=True).first.click()


def downloaded(screen, name):
    with screen.page.expect_download() as download:
        press(screen, name)
    return Path(download.value.path()).read_bytes(), download.value.suggested_filename


def row(screen, id):
    return screen.page.locator(f'.row[data-id="{id}"]')


def visit_row(screen, id):
    """Put a beat on the deck by a click on its row, wherever the list has scrolled to."""
    with screen.rerun(moves=True):
        row(screen, id).locator(".name").click()
    screen.page.locator(".deck .play.on").first.wait_for()


def type_in_row(screen, id, field, value):
    """Say something of a beat in its row, as a visitor does; without waiting for the server."""
    page = screen.page
    if field == "rating":
        row(screen, id).focus()
        page.keyboard.press(str(value))
        return
    opener = row(screen, id).locator(".open")
    if opener.get_attribute("aria-expanded") == "false":
        opener.click()
    control = page.locator(f'.row[data-id="{id}"] + .form .{field} :is(input, textarea)')
    control.fill(", ".join(value) if field == "tags" else value)
    control.blur()


@pytest.mark.browser
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_a_djs_way_through_the_crate_loses_nothing(visitor, start_app, tmp_path, size):
    """Keep, rate, leave, come back, edit, reload, hear by keys, delete, undo; in Explore too."""
    app = start_app(home=tmp_path / "home")
    crate = Crate(app.home / "crate.db")
    ids = [crate.keep(BEAT.at_tempo(100.0 + n), name=f"Beat {n}").id for n in range(3)]
    screen = visitor(app.url, viewport=size)
    page = screen.page

    def go_to(name):
        with screen.rerun(moves=True):
            page.get_by_role("link", name=name, exact=True).click()

    screen.open("/generate?seed=7&bars=1")
    with screen.rerun():
        press(screen, "Keep")
    assert len(crate.find()) == 4
    go_to("Crate")
    said = {
        id: {"name": f"Beat {n}", "rating": 0, "tags": (), "notes": ""} for n, id in enumerate(ids)
    }
    draw = random.Random(3)
    choices = {
        "name": ["Röller", "<b>Late</b>", "Last one"],
        "rating": [1, 4, 5],
        "tags": [("late", "warm"), (), ("peak",)],
        "notes": ["for the end", "", "two\nlines"],
    }

    def check():
        for id, fields in said.items():
            item = crate.get(id).item
            assert {field: getattr(item, field) for field in fields} == fields

    for step in range(10):
        id = draw.choice(ids)
        if step % 3 == 0:
            visit_row(screen, id)
        field = draw.choice(sorted(choices))
        value = draw.choice(choices[field])
        type_in_row(screen, id, field, value)
        said[id][field] = value
        if step == 4:
            go_to("Explore")  # what was typed last has not been answered yet
            for key, place in (("Enter", 0), ("ArrowDown", 1), ("End", 99)):
                listed = page.locator(".row[data-id] .name")
                with screen.rerun(moves=True):
                    page.locator(".row.shown").press(key)
                name = listed.nth(place).inner_text()
                page.locator(".deck .name", has_text=name).first.wait_for()
                assert page.evaluate("window.digitalDjEngine.state().playing")
            with screen.rerun(moves=True):
                page.locator(".row.shown").press("ArrowDown")  # on to the next hundred
            assert page.locator(".list .size").inner_text().startswith("101 to 200 of ")
            go_to("Crate")
        if step == 7:
            screen.until(check)  # what was typed is kept
            page.reload()
            screen.settle(moves=True)
    screen.until(check)
    screen.open("/crate")
    check()
    for id, fields in said.items():  # a form holds what is kept, and closing it changes nothing
        row(screen, id).locator(".open").click()
        form = page.locator(f'.row[data-id="{id}"] + .form')
        assert form.locator(".name input").input_value() == fields["name"]
        assert form.locator(".notes textarea").input_value() == fields["notes"]
        assert form.locator(".tags input").input_value() == ", ".join(fields["tags"])
        row(screen, id).locator(".open").click()

    visit_row(screen, ids[2])
    with screen.rerun(moves=True):
        page.keyboard.press("ArrowDown")
    page.locator(".deck .name", has_text=said[ids[1]]["name"]).first.wait_for()
    assert page.evaluate("window.digitalDjEngine.state().playing")
    for id in ids[:2]:
        with screen.rerun():
            row(screen, id).get_by_role("checkbox").click()
    with screen.rerun(moves=True):
        page.locator(".st-key-crate_delete_some button").click()
    assert {item.id for item in crate.find()} & set(ids) == {ids[2]}
    with screen.rerun(moves=True):
        page.locator(".st-key-crate_undo button").click()
    check()
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]


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
    usual = LoopSettings(kit=GENRE[BEAT.genre].kit)
    assert (name, content) == ("Mine_120bpm.wav", next(loop_files(BEAT, usual))[1])


@pytest.mark.browser
def test_a_crate_goes_out_and_comes_in_and_midi_comes_in_with_its_story(own_screen, tmp_path, made):
    screen, crate = own_screen
    screen.open("/crate")
    content, name = downloaded(screen, "Export all")
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
