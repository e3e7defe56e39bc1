"""The Set page: built, changed, kept and taken away, without a browser."""

import asyncio
import dataclasses
import time
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest
import soundfile
import streamlit
from conftest import DESKTOP, PHONE
from starlette.applications import Starlette
from streamlit.testing.v1 import AppTest

from dj_core.errors import SetError, SoundError
from dj_core.library.kept_beats import Crate
from dj_core.music.beat import Beat, Hit
from dj_core.sets.saved_sets import load_set, save_set, saved_sets, set_path
from dj_core.sets.set_plan import Entry, SetSettings, plan_set
from dj_ui import set_order
from dj_ui.downloads import SayingHandler
from dj_ui.set_files import ADDRESS, FILES_ROUTE, offer
from dj_ui.set_order import change_of
from dj_ui.set_view import order_rows, set_display, tempo_words
from dj_ui.set_work import Work

ROOT = Path(__file__).resolve().parent.parent
WAIT_SECONDS = 240


def simple(tempo_bpm=120.0, title="Plain"):
    hits = [Hit.of("kick", float(beat)) for beat in range(4)]
    hits += [Hit.of("closed_hat", beat + 0.5) for beat in range(4)]
    return Beat((*hits, Hit.of("clap", 1.0)), 1, tempo_bpm, title=title)


def small_set(name="Friday", count=3):
    settings = SetSettings(
        name=name, minutes=2.0, phrase_bars=8, tempo_bpm=120, to_tempo_bpm=124, fills=False
    )
    return plan_set([Entry(simple(title=f"Beat {n}")) for n in range(count)], settings)


def keep(home, planned):
    return save_set(planned, set_path(home / "sets", planned.settings.name))


def visit(**link):
    at = AppTest.from_file(str(ROOT / "home.py"), default_timeout=WAIT_SECONDS)
    for key, value in link.items():
        at.query_params[key] = value
    at.switch_page("pages/set.py").run()
    assert not at.exception
    return at


def click(at, key):
    at.button(key=key).click().run()
    assert not at.exception
    return at


def finish(at):
    """Wait for what the page is making, and draw the page again."""
    if "set_work" in at.session_state:
        at.session_state["set_work"].wait(WAIT_SECONDS)
    at.run()
    assert not at.exception
    return at


def text(at):
    return "\n".join(element.proto.body for element in at.get("html"))


def at_hand(at):
    return at.session_state["set_now"]


# -- the page ------------------------------------------------------------------------------------


def test_a_first_visit_invites_and_builds_a_set_with_one_click(home):
    at = visit()
    assert "Build the set" in text(at)
    assert "set_now" not in at.session_state
    at.number_input(key="set_beats").set_value(2)
    at.number_input(key="set_minutes").set_value(2)
    at.multiselect(key="set_genres").set_value(["house"])
    finish(click(at, "set_go"))
    planned = at_hand(at)
    assert [slot.beat.genre for slot in planned.slots] == ["house", "house"]
    assert all(entry.fills for entry in planned.entries)
    assert [slot.tempo_bpm for slot in planned.slots] == [122, 128]
    assert load_set(saved_sets(home / "sets")[0].path) == planned
    assert "dj-course" in text(at)
    # another one does not take its place
    finish(click(at, "set_go"))
    assert [saved.name for saved in saved_sets(home / "sets")] == ["My-set"]
    at.text_input(key="set_name").set_value("Other").run()
    assert [saved.name for saved in saved_sets(home / "sets")] == ["Other"]


def test_kept_beats_go_into_the_set(home):
    crate = Crate.open()
    ids = [crate.keep(simple(tempo), name=f"B{tempo:g}").id for tempo in (118.0, 121.0)]
    at = visit()
    at.multiselect(key="set_crate").set_value(ids)
    at.toggle(key="set_fills").set_value(False)
    at.number_input(key="set_beats").set_value(2).run()
    at.button_group(key="set_tempo").set_value("Each its own").run()
    finish(click(at, "set_go"))
    planned = at_hand(at)
    assert [slot.beat.title for slot in planned.slots] == ["B118", "B121"]
    assert [slot.tempo_bpm for slot in planned.slots] == [118, 121]


def test_a_link_opens_a_saved_set_with_its_settings(home):
    planned = small_set()
    keep(home, planned)
    at = visit(set="Friday")
    assert at_hand(at) == planned
    assert at.text_input(key="set_name").value == "Friday"
    assert at.number_input(key="set_minutes").value == 2
    assert "not" in visit(set="Gone").info[0].value


def test_turning_a_knob_replans_the_set_and_saves_it(home):
    keep(home, small_set())
    at = visit(set="Friday")
    at.number_input(key="set_to").set_value(130).run()
    assert at_hand(at).slots[-1].tempo_bpm == 130
    at.number_input(key="set_minutes").set_value(3).run()
    assert at_hand(at).duration_seconds == pytest.approx(180, abs=10)
    assert load_set(home / "sets" / "Friday.set.json") == at_hand(at)
    at.text_input(key="set_name").set_value("Saturday").run()
    assert [saved.name for saved in saved_sets(home / "sets")] == ["Saturday"]


def test_looking_at_a_set_never_writes_and_changing_one_thing_leaves_the_others_as_they_were(home):
    """7.6 minutes and 122.5 BPM stay what they are, to the last digit."""
    settings = SetSettings(
        "Friday", minutes=7.61234, phrase_bars=8, tempo_bpm=122.512345, to_tempo_bpm=124.25,
        fills=False, seed=2**60,
    )  # fmt: skip
    path = keep(home, plan_set([Entry(simple())] * 4, settings))
    unplanned = keep(home, plan_set([Entry(simple())], SetSettings("Open", fills=False)))
    before = [(each.read_bytes(), each.stat().st_mtime_ns) for each in (path, unplanned)]
    for name in ("Friday", "Open"):
        at = visit(set=name)
        at.button_group(key="set_hear").set_value("This beat").run()
        at.run()
    assert [(each.read_bytes(), each.stat().st_mtime_ns) for each in (path, unplanned)] == before
    at = visit(set="Friday")
    assert at.number_input(key="set_minutes").value == 7.61234
    at.toggle(key="set_breaks").set_value(False).run()
    wanted = dataclasses.replace(settings, breakdowns=False)
    assert load_set(path).settings == wanted


def test_two_visitors_of_one_set_see_and_keep_each_others_changes(home, order):
    path = keep(home, small_set())
    one, other = visit(set="Friday"), visit(set="Friday")
    one.toggle(key="set_breaks").set_value(False).run()
    other.number_input(key="set_to").set_value(126.0).run()
    assert not load_set(path).settings.breakdowns
    assert load_set(path).settings.to_tempo_bpm == 126
    assert not other.toggle(key="set_breaks").value
    one.run()
    assert at_hand(one) == at_hand(other)
    # one takes a beat out while the other lengthens it: the other is told, and the beat stays out
    ids = list(order.ids)
    order.told.append({"kind": "remove", "id": ids[2]})
    one.run()
    other.selectbox(key="set_length_1").set_value(3).run()
    assert "at the same time" in other.warning[0].value
    assert len(load_set(path).slots) == len(at_hand(other).slots) == 2
    # one renames it: the file of the old name does not come back with the other's next change
    one.text_input(key="set_name").set_value("Sunday").run()
    other.toggle(key="set_breaks").set_value(True).run()
    assert "renamed or removed" in other.warning[0].value
    other.toggle(key="set_ends").set_value(False).run()
    assert [saved.name for saved in saved_sets(home / "sets")] == ["Sunday"]
    other.text_input(key="set_name").set_value("Mine").run()
    assert {saved.name for saved in saved_sets(home / "sets")} == {"Sunday", "Mine"}
    assert not load_set(home / "sets" / "Mine.set.json").settings.mix_ends


def test_a_length_that_cannot_be_is_told_and_changes_nothing(home):
    planned = small_set(count=3)
    keep(home, planned)
    at = visit(set="Friday")
    at.button_group(key="set_phrase").set_value(32).run()
    assert "minutes at least" in at.warning[0].value
    assert at_hand(at) == planned


def test_what_is_done_in_the_list_is_done_to_the_beat_it_was_done_to(home, order):
    """Order, tempo and taking out, also where the list has changed since; Undo brings it back."""
    keep(home, small_set())
    at = visit(set="Friday")
    names = ["Beat 0", "Beat 1", "Beat 2"]
    ids = dict(zip(names, order.ids, strict=True))

    def titles():
        return [slot.beat.title for slot in at_hand(at).slots]

    order.do(at, "move", ids["Beat 0"], before=None)
    assert titles() == ["Beat 1", "Beat 2", "Beat 0"]
    order.do(at, "move", ids["Beat 0"], before=ids["Beat 2"])
    assert titles() == ["Beat 1", "Beat 0", "Beat 2"]
    assert at.session_state["set_chosen"] == 1
    order.do(at, "tempo", ids["Beat 1"], tempo_bpm=118.25)
    assert [slot.tempo_bpm for slot in at_hand(at).slots] == [118.25, 122, 124]
    order.do(at, "tempo", ids["Beat 0"], tempo_bpm=9.0)
    assert "10 to 600" in at.warning[0].value
    order.do(at, "remove", ids["Beat 0"])
    order.do(at, "remove", ids["Beat 0"])  # it is gone: nothing else goes
    order.do(at, "move", ids["Beat 0"], before=None)
    assert titles() == ["Beat 1", "Beat 2"]
    assert load_set(home / "sets" / "Friday.set.json") == at_hand(at)
    click(at, "set_undo")
    click(at, "set_undo")
    assert titles() == ["Beat 1", "Beat 0", "Beat 2"]
    assert at_hand(at).slots[0].tempo_bpm != 118.25
    assert order.ids[::2] == [ids["Beat 1"], ids["Beat 2"]]  # they were never touched


class OrderInHand:
    """Stands where the browser's list stands: it shows what was sent, and sends what it is told."""

    def __init__(self, monkeypatch):
        self.ids, self.told = [], []
        monkeypatch.setattr(set_order, "_component", lambda: self.mount)

    def mount(self, *, key, data, on_did_change, height):
        self.ids = [row["id"] for row in data["rows"]]
        if self.told:
            streamlit.session_state[key] = SimpleNamespace(did=self.told.pop(0))
            on_did_change()
            streamlit.rerun()

    def do(self, at, kind, identity, **more):
        self.told.append({"kind": kind, "id": identity, **more})
        at.run()
        assert not at.exception


@pytest.fixture
def order(monkeypatch):
    return OrderInHand(monkeypatch)


@pytest.mark.parametrize(
    "payload", [None, 7, [], {}, {"kind": "x", "id": 1}, {"kind": "move", "id": "1"},
                {"kind": "move", "id": True}, {"kind": "move", "id": 1, "before": "x"},
                {"kind": "tempo", "id": 1, "tempo_bpm": "120"}],
)  # fmt: skip
def test_what_is_no_change_of_a_list_is_left_alone(payload):
    assert change_of(payload) is None


def test_the_next_beat_is_on_deck_b_for_a_transition(home):
    keep(home, small_set())
    at = visit(set="Friday")
    at.button_group(key="set_hear").set_value("Both decks").run()
    assert not at.exception
    assert "set_deck_originals" in at.session_state
    assert "out-0" in at.session_state["set_deck_originals"]


def test_a_pack_and_a_wav_are_made_and_offered(home):
    planned = small_set(count=1)
    keep(home, planned)
    at = visit(set="Friday")
    finish(click(at, "set_wav"))
    finish(click(at, "set_pack"))
    made = {path.suffix: path for path in at.session_state["set_made"]}
    assert set(made) == {".wav", ".cue", ".zip"}
    duration = soundfile.info(str(made[".wav"])).duration
    assert duration == pytest.approx(planned.duration_seconds, abs=1e-4)
    assert zipfile.ZipFile(made[".zip"]).testzip() is None
    assert text(at).count(ADDRESS) == 3


def test_what_is_made_can_be_stopped(home):
    settings = SetSettings(name="Long", minutes=120.0, fills=False)
    keep(home, plan_set([Entry(simple())], settings))
    at = visit(set="Long")
    click(at, "set_wav")
    at.button(key="set_stop").click().run()
    finish(at)
    assert "set_made" not in at.session_state
    assert not list(at.session_state["set_folder_made"].path.glob("*"))
    assert not (home / "sets" / "made").exists()


def test_a_saved_set_can_be_opened_and_removed(home):
    keep(home, small_set("Friday"))
    keep(home, small_set("Sunday", count=2))
    at = visit()
    at.selectbox(key="set_kept").set_value("Sunday").run()
    click(at, "set_open")
    assert len(at_hand(at).slots) == 2
    at.selectbox(key="set_kept").set_value("Sunday").run()
    click(at, "set_remove")
    assert [saved.name for saved in saved_sets(home / "sets")] == ["Friday"]
    assert "set_now" not in at.session_state


# -- its parts -----------------------------------------------------------------------------------


def test_user_words_are_escaped():
    planned = small_set("<script>x</script>")
    assert "<script>" not in set_display(planned, 0)
    named = plan_set([Entry(simple(title='"><img src=x>'))], SetSettings())
    assert "<img" not in set_display(named, 0)


def test_the_list_says_when_and_what(home):
    planned = small_set()
    rows = order_rows(planned, [7, 8, 9], ())
    assert [(row.id, row.starts, row.name) for row in rows[:1]] == [(7, "0:00", "Beat 0")]
    assert [row.tempo for row in rows] == ["120", "122", "124"]
    assert tempo_words(planned) == "120–124"


def test_work_tells_ends_fails_and_stops():
    done = Work("x", lambda tell: tell("Half", 1, 2) or 7)
    done.wait(10)
    assert (done.state, done.result) == ("done", 7)
    assert (done.progress.doing, done.progress.share) == ("Half", 0.5)

    def refuse(tell):
        raise SetError("Too long.")

    failed = Work("x", refuse)
    failed.wait(10)
    assert (failed.state, failed.problem) == ("failed", "Too long.")

    def endless(tell):
        while True:
            tell("On", 0, 1)
            time.sleep(0.01)

    running = Work("x", endless)
    behind = Work("y", lambda tell: 1)
    time.sleep(0.1)
    assert (running.state, behind.state) == ("running", "waiting")
    running.stop()
    for work in (running, behind):
        work.wait(10)
    assert (running.state, behind.state, behind.result) == ("stopped", "done", 1)


def fetched(address, **headers):
    """Status, headers and body of what the server answers."""
    sent = []

    async def receive():  # a browser that neither sends nor leaves
        await asyncio.Event().wait()

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http", "method": "GET", "path": address, "raw_path": address.encode(),
        "query_string": b"", "headers": [(k.encode(), v.encode()) for k, v in headers.items()],
    }  # fmt: skip
    asyncio.run(Starlette(routes=[FILES_ROUTE])(scope, receive, send))
    body = b"".join(message.get("body", b"") for message in sent)
    return sent[0]["status"], dict(sent[0]["headers"]), body


def test_offered_files_are_served_to_those_who_know_where(tmp_path):
    path = tmp_path / "a_124bpm.zip"
    path.write_bytes(b"x" * 300_000)
    address = offer(path)
    assert offer(path) == address
    status, headers, body = fetched(address)
    assert (status, body) == (200, path.read_bytes())
    assert b"attachment" in headers[b"content-disposition"]
    assert fetched(address, range="bytes=10-19")[::2] == (206, b"x" * 10)
    for wrong in (address + "x", address.replace("a_124", "b_124"), f"{ADDRESS}/x/a_124bpm.zip"):
        assert fetched(wrong)[0] == 404
    path.unlink()
    assert fetched(address)[0] == 404


def test_a_download_that_cannot_be_made_says_why_and_names_no_place(home):
    """What a button's file fails by is what the button says, not that it failed."""
    from streamlit.proto.BackMsg_pb2 import BackendOperationRequest
    from streamlit.runtime.media_file_manager import MediaFileManager
    from streamlit.runtime.memory_media_file_storage import MemoryMediaFileStorage

    def refuse():
        raise SoundError(f"FluidSynth is missing beside {home}/sets. Install it.")

    def fail():
        raise RuntimeError(f"secret in {home}")

    files = MediaFileManager(MemoryMediaFileStorage("/media"))
    handler = SayingHandler(lambda: files)
    said = []
    for make in (refuse, fail, lambda: b"MThd"):
        request = BackendOperationRequest(request_id="1")
        request.deferred_file.file_id = files.add_deferred(make, "audio/midi", "x", "x.mid")
        said.append(asyncio.run(handler.handle(request, "session")))
    assert said[0].error_msg == "FluidSynth is missing beside sets. Install it."
    assert "try again" in said[1].error_msg
    assert "secret" not in said[1].error_msg
    assert said[2].deferred_file.url.startswith("/media/")


# -- in a browser --------------------------------------------------------------------------------


@pytest.mark.browser
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_a_set_from_the_crate_to_the_booth(app, visitor, size, tmp_path):
    """Built, dragged and put in order by keys, a tempo, a change heard, packed, shared."""
    titles = [f"Journey {size['width']} {letter}" for letter in "ABC"]
    for number, title in enumerate(titles):
        Crate(app.home / "crate.db").keep(simple(120 + number, title), name=title)
    screen = visitor(viewport=size)
    page = screen.page

    def names():
        return page.locator(".order .row .name").all_inner_texts()

    def tempos():
        return [field.input_value() for field in page.locator(".order .bpm").all()]

    screen.open("/set")
    with screen.rerun():
        page.get_by_label("Name").fill(f"Night {size['width']}")
        page.get_by_label("Name").press("Enter")
    for title in titles:
        with screen.rerun(moves=True):
            page.get_by_role("combobox", name="From your crate").fill(title)
            page.get_by_role("combobox", name="From your crate").press("Enter")
    for label, value in (("Beats", "3"), ("Minutes", "3.5")):
        with screen.rerun():
            page.get_by_label(label, exact=True).fill(value)
            page.get_by_label(label, exact=True).press("Enter")
    page.get_by_role("button", name="Build the set").click()
    page.locator(".order .row").nth(2).wait_for()
    with screen.rerun(moves=True):
        page.get_by_role("button", name="Later").click()
    built = names()
    assert sorted(built) == titles
    # dragged by its handle from the first place to the last, and by keys back to the middle
    grip = page.locator(".order .grip").first.bounding_box()
    height = page.locator(".order .row").first.bounding_box()["height"]
    with screen.rerun():
        page.mouse.move(grip["x"] + 20, grip["y"] + 20)
        page.mouse.down()
        page.mouse.move(grip["x"] + 20, grip["y"] + 20 + 2.1 * height, steps=8)
        page.mouse.up()
    assert names() == [*built[1:], built[0]]
    with screen.rerun():
        page.locator(".order .grip").last.press("ArrowUp")
    order = [built[1], built[0], built[2]]
    assert names() == order
    with screen.rerun():
        page.locator(".order .bpm").nth(1).fill("126,5")
        page.locator(".order .bpm").nth(1).press("Enter")
    assert tempos()[1] == "126.5"
    with screen.rerun():
        page.get_by_role("button", name="Hear the change").click()
    page.locator("audio").wait_for()
    page.wait_for_function("document.querySelector('audio').duration > 5")
    # progress stands where the button was, and the work can be stopped there
    packing = page.get_by_role("button", name="Pack for the booth")
    packing.scroll_into_view_if_needed()
    there = packing.bounding_box()
    packing.click()
    stop = page.get_by_role("button", name="Stop", exact=True)
    stop.wait_for()
    assert abs(stop.bounding_box()["y"] - there["y"]) < 40
    stop.click()
    packing.wait_for()
    packing.click()
    link = page.get_by_role("link", name="Save")
    link.wait_for()
    with page.expect_download() as download:
        link.click()
    download.value.save_as(tmp_path / "pack.zip")
    with zipfile.ZipFile(tmp_path / "pack.zip") as archive:
        assert archive.testzip() is None
        assert any("126-5bpm" in name for name in archive.namelist())
    screen.settle(moves=True)
    page.reload()
    screen.settle(moves=True)
    assert (names(), tempos()[1]) == (order, "126.5")
    friend = visitor(viewport=size)
    friend.open(page.url.removeprefix(screen.url))
    assert friend.page.locator(".order .row .name").all_inner_texts() == order
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    assert str(app.home) not in page.content()
