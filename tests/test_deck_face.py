"""The deck as a DJ touches it: edits that reach the files, keys, fingers, pages, traffic."""

import asyncio
import contextlib
import re
import threading
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from conftest import DESKTOP, PHONE
from hypothesis import given
from hypothesis import strategies as st
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from dj_core.errors import BeatError
from dj_core.files.beat_json import condition_from_json
from dj_core.files.midi import midi_bytes, read_beat, read_midi
from dj_core.library.library import Library
from dj_core.music.beat import Beat, Hit, Meter
from dj_core.music.conditions import Condition
from dj_core.music.drums import DRUMS, LANE
from dj_core.music.patterns import load_patterns
from dj_ui.deck import program
from dj_ui.deck.payload import beat_id, beat_of_payload, beat_payload
from dj_ui.grid import steps_of

AXE_RULES = [
    "wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice", "experimental",
]  # fmt: skip
BEAT_BYTES = 30_000  # what a beat may cost on the way to the browser, the page around it included

# -- payloads ------------------------------------------------------------------------------------

HITS = st.builds(
    Hit,
    onset_quarters=st.one_of(
        st.integers(0, 7679).map(lambda tick: tick / 480), st.floats(0, 15.99)
    ),
    lane=st.integers(0, 15),
    velocity=st.integers(1, 127),
    duration_quarters=st.one_of(st.none(), st.floats(0, 8)),
    source_note=st.one_of(st.none(), st.integers(0, 127)),
    condition=st.sampled_from([None, Condition(50), Condition(loops="2:3", strokes=4)]),
)
BEATS = st.builds(
    lambda hits, tempo, lengths: Beat(tuple(hits), 4, tempo, lane_lengths=lengths),
    st.lists(HITS, max_size=30),
    st.one_of(st.none(), st.floats(40, 240)),
    st.sampled_from([(), ((0, 3.0), (5, 7.75))]),
)


def untouched(beat):
    return {"tempo_bpm": beat.playing_tempo_bpm, "hits": list(range(len(beat.hits)))}


@given(BEATS)
def test_a_beat_reaches_the_browser_to_the_bit(beat):
    sent = beat_payload(beat)
    for hit, (onset, lane, velocity, *rest) in zip(beat.hits, sent["hits"], strict=True):
        note, duration, told = [*rest, None, None, None][:3]
        assert (condition_from_json(told) if told else None) == hit.condition
        assert onset / sent["ticks"] == hit.onset_quarters
        assert (lane, velocity) == (hit.lane, hit.velocity)
        assert note != DRUMS[lane].note
        assert (duration is None) == (hit.duration_quarters is None)
        if duration is not None:
            assert duration / sent["ticks"] == hit.duration_quarters


@given(BEATS)
def test_an_untouched_beat_comes_back_as_the_very_same(beat):
    assert beat_of_payload(untouched(beat), beat) is beat


@given(BEATS, st.data())
def test_what_was_not_touched_is_the_very_same_hit(beat, data):
    left = data.draw(
        st.lists(st.sampled_from(range(len(beat.hits))), unique=True) if beat.hits else st.just([])
    )
    onset, velocity = data.draw(st.floats(0, 15.99)), data.draw(st.integers(1, 127))
    rows = [*sorted(left), [-1, onset, velocity, 3]]
    if left:
        rows.append([left[0], onset, velocity])
        rows.append([left[0], onset, velocity, 3, {"loops": "1:2"}])
    rows.append([-1, onset, velocity, 3, {"chance_percent": 30}])
    edited = beat_of_payload({**untouched(beat), "hits": rows}, beat)
    by_identity = {id(hit) for hit in edited.hits}
    assert {id(beat.hits[place]) for place in left} <= by_identity
    assert len(edited.hits) == len(rows)
    assert Hit(onset, 3, velocity) in edited.hits
    assert Hit(onset, 3, velocity, condition=Condition(30)) in edited.hits
    if left:
        moved = beat.hits[left[0]]
        assert any(
            (hit.onset_quarters, hit.velocity) == (onset, velocity)
            and (hit.source_note, hit.duration_quarters, hit.lane)
            == (moved.source_note, moved.duration_quarters, moved.lane)
            and hit.condition == condition
            for condition in (moved.condition, Condition(loops="1:2"))
            for hit in edited.hits
        )
    assert edited.provenance.edited
    assert edited.tempo_bpm == beat.tempo_bpm


def test_another_tempo_is_an_edit_and_the_old_one_again_is_none():
    beat = Beat.fit([Hit.of("kick", 0)]).at_tempo(120.0)
    faster = beat_of_payload({**untouched(beat), "tempo_bpm": 128}, beat)
    assert faster.tempo_bpm == 128
    assert faster.provenance.edited
    assert beat_of_payload({**untouched(beat), "tempo_bpm": 120}, beat) is beat


@pytest.mark.parametrize(
    "edit",
    [
        {},
        {"hits": [0], "tempo_bpm": None},
        {"hits": "all", "tempo_bpm": 120},
        {"hits": [1], "tempo_bpm": 120},
        {"hits": [-1], "tempo_bpm": 120},
        {"hits": [True], "tempo_bpm": 120},
        {"hits": [[0, float("nan"), 3]], "tempo_bpm": 120},
        {"hits": [[0, 10**400, 3]], "tempo_bpm": 120},
        {"hits": [[0, 4.0, 3]], "tempo_bpm": 120},
        {"hits": [[0, 0.5, 128]], "tempo_bpm": 120},
        {"hits": [[-1, 0.5, 100, 16]], "tempo_bpm": 120},
        {"hits": [[-1, 0.5, 100]], "tempo_bpm": 120},
        {"hits": [{"lane": 1}], "tempo_bpm": 120},
        {"hits": [0], "tempo_bpm": 1e9},
        {"hits": [0] * 60_000, "tempo_bpm": 120},
        {"hits": [[0, 0.5, 100, 0, {"chance_percent": 0}]], "tempo_bpm": 120},
        {"hits": [[0, 0.5, 100, 0, "often"]], "tempo_bpm": 120},
        {"hits": [0], "tempo_bpm": 120, "lengths": [[0, 0.01]]},
        {"hits": [0], "tempo_bpm": 120, "lengths": [[0, 3.0], [0, 2.0]]},
        {"hits": [0], "tempo_bpm": 120, "lengths": [[99, 3.0]]},
        {"hits": [0], "tempo_bpm": 120, "lengths": "short"},
    ],
)
def test_what_is_no_edit_is_refused_in_words(edit):
    beat = Beat.fit([Hit.of("kick", 0)]).at_tempo(120.0)
    with pytest.raises(BeatError, match=r"\w+.*\."):
        beat_of_payload(edit, beat)


def test_a_length_of_a_drums_own_is_an_edit_and_none_again_is_none():
    beat = Beat.fit([Hit.of("kick", 0)]).at_tempo(120.0)
    shorter = beat_of_payload({**untouched(beat), "lengths": [[0, 3]]}, beat)
    assert shorter.lane_lengths == ((0, 3.0),)
    assert shorter.provenance.edited
    whole = beat_of_payload({**untouched(shorter), "lengths": []}, shorter)
    assert whole.hits == beat.hits
    assert whole.lane_lengths == ()
    assert beat_of_payload(untouched(shorter), shorter) is shorter


def test_equal_music_has_one_name_and_other_music_another():
    beats = load_patterns()
    assert len({beat_id(beat) for beat in beats}) >= len({beat.hits for beat in beats})
    one = Beat.fit([Hit.of("kick", 0)])
    assert beat_id(one) == beat_id(one.at_tempo(120.0))  # what a beat without a tempo plays at
    assert beat_id(one) != beat_id(one.at_tempo(121.0))


def test_what_people_wrote_stays_text():
    for never in ("innerHTML", "insertAdjacentHTML", "outerHTML", "document.write", "eval("):
        assert never not in program()


# -- in the browser ------------------------------------------------------------------------------

browser_test = pytest.mark.browser


class Deck:
    """The deck on a page, as its visitor uses it."""

    def __init__(self, screen):
        self.screen = screen
        self.page = screen.page
        self.root = screen.page.locator(".deck").first

    def cell(self, drum, step):
        return self.root.locator(f'.cell[data-lane="{LANE[drum]}"][data-step="{step}"]')

    def button(self, name):
        return self.root.get_by_role("button", name=name, exact=True)

    def state(self):
        return self.page.evaluate("window.digitalDjEngine.state()")

    def play(self):
        self.button("Play").click()
        self.page.wait_for_function("window.digitalDjEngine.state().playing")

    def steps(self):
        """(lane, step, velocity) of what is on screen, as screen readers are told."""
        found = self.root.locator('.cell[aria-selected="true"]').evaluate_all(
            "cells => cells.map(c => [+c.dataset.lane, +c.dataset.step, c.ariaLabel])"
        )
        return sorted(
            (lane, step, int(re.search(r"velocity (\d+)", label)[1])) for lane, step, label in found
        )

    def midi(self):
        with self.page.expect_download() as download:
            self.page.get_by_role("button", name="MIDI", exact=True).click()
        return Path(download.value.path()).read_bytes()


def steps_in(content):
    """(lane, step, velocity) of a MIDI file, the hardest stroke of each cell."""
    beat = read_midi(content)
    per_quarter = steps_of(beat).per_quarter
    cells = {}
    for hit in beat.hits:
        cell = hit.lane, round(hit.onset_quarters * per_quarter)
        cells[cell] = max(cells.get(cell, 0), hit.velocity)
    return sorted((*cell, velocity) for cell, velocity in cells.items())


@pytest.fixture
def odd_beats(app):
    """A corpus in the shared app: triplets, 12/8, 64 bars, and a name that would be markup."""
    drums = [drum.name for drum in DRUMS]
    beats = {
        "triplets": Beat(tuple(Hit.of("ride", third / 3) for third in range(24)), 2, 140.0),
        "twelve": Beat(
            tuple(Hit.of("closed_hat", eighth / 2) for eighth in range(24)), 2, 90.0, Meter(12, 8)
        ),
        "long": Beat(
            tuple(Hit.of(drums[n % 16], n / 4) for n in range(64 * 16)), 64, 174.0
        ),
        "<img src=x onerror=window.hacked=1>": Beat((Hit.of("kick", 0),), 1, 120.0),
    }  # fmt: skip
    library = Library(app.home)
    if "odd" not in [corpus.name for corpus in library.corpora()]:
        source = app.home / "odd-source"
        source.mkdir(parents=True)
        for name, beat in beats.items():
            (source / f"{name}.mid").write_bytes(midi_bytes(beat))
        library.import_corpus(source, "odd")
    return library.corpus("odd")


def open_file(screen, words):
    screen.open("/explore?corpus=odd")
    with screen.rerun():
        search = screen.page.get_by_placeholder("words in the file's name")
        search.fill(words)
        search.press("Enter")
    deck = Deck(screen)
    deck.root.locator(".cell").first.wait_for()
    return deck


@pytest.fixture
def deck(screen):
    """A take of two bars on Generate's deck."""
    screen.open("/generate?seed=3&bars=2&genre=House&tempo=124")
    deck = Deck(screen)
    deck.root.locator(".cell").first.wait_for()
    return deck


@browser_test
def test_the_file_holds_the_steps_on_screen_and_undo_restores_it_to_the_byte(deck, screen):
    before = deck.midi()
    assert deck.steps() == steps_in(before)
    with screen.rerun():
        deck.cell("kick", 3).click()
    with screen.rerun():
        deck.cell("kick", 3).focus()
        deck.page.keyboard.press("5")
        deck.page.keyboard.press("Shift+ArrowRight")
    after = deck.midi()
    assert (LANE["kick"], 3, round(5 / 9 * 127)) in deck.steps()
    assert deck.steps() == steps_in(after)
    assert after != before
    struck = [hit for hit in read_midi(after).hits if hit.lane == LANE["kick"]]
    assert any(0.75 < hit.onset_quarters < 0.8 for hit in struck)
    with screen.rerun():
        for _ in range(3):
            deck.page.keyboard.press("Control+z")
    assert deck.midi() == before
    with screen.rerun():
        deck.page.keyboard.press("Control+y")
    assert deck.midi() != before
    with screen.rerun():
        deck.button("Original: take back every edit").click()
    assert deck.midi() == before


@browser_test
def test_an_edited_take_survives_reruns_other_takes_and_other_pages(deck, screen):
    page = screen.page
    with screen.rerun():
        deck.cell("kick", 6).click()
    edited = deck.midi()
    with screen.rerun():
        page.locator(".st-key-dj_go button").first.click()
    assert deck.midi() != edited
    takes = page.locator(".st-key-dj_on_deck button")
    with screen.rerun():
        takes.first.click()
    assert "edited" in takes.first.inner_text()
    assert deck.midi() == edited
    with screen.rerun():
        page.get_by_role("link", name="Explore").click()
    with screen.rerun():
        page.get_by_role("link", name="Generate").click()
    deck.cell("kick", 6).wait_for()
    assert deck.steps() == steps_in(edited)
    assert deck.midi() == edited


@browser_test
def test_mutes_tempo_and_decks_ask_nobody(screen):
    page = screen.page
    sent = []
    page.on("websocket", lambda socket: socket.on("framesent", lambda frame: sent.append(frame)))
    screen.open("/generate?seed=3&bars=1&tempo=124")
    deck = Deck(screen)
    deck.play()
    before = len(sent)
    deck.root.get_by_role("button", name=re.compile("^Mute ")).first.click()
    deck.root.get_by_role("button", name=re.compile("^Solo ")).last.click()
    deck.root.get_by_label("Volume").fill("0.6")
    deck.button("Keep on deck B").click()
    deck.button("Fade to deck B on the beat").click()
    page.wait_for_timeout(600)  # longer than an edit waits
    state = deck.state()
    assert len(sent) == before
    assert len(state["muted"]) == len(state["soloed"]) == 1
    assert state["volume"] == 0.6
    assert state["crossfade"] == 1
    assert state["decks"]["B"]["beatId"]


@browser_test
def test_files_and_the_next_take_have_the_tempo_and_swing_that_are_heard(deck, screen):
    deck.play()
    straight = read_midi(deck.midi())
    assert straight.tempo_bpm == 124
    with screen.rerun():
        for _ in range(3):
            deck.button("Faster").click()
    with screen.rerun():
        deck.root.get_by_label("Swing").fill("0.5")
    heard = read_midi(deck.midi())
    assert heard.tempo_bpm == 127
    assert [hit.onset_quarters for hit in heard.hits] != [
        hit.onset_quarters for hit in straight.hits
    ]
    assert screen.page.get_by_role("spinbutton", name="Next take at").input_value() == "127"
    assert deck.state()["tempoBpm"] == 127
    deck.button("Reset").click()
    deck.button("Stop").click()


@browser_test
def test_a_new_take_drops_in_while_the_old_one_plays(deck, screen):
    deck.play()
    first = deck.state()["beatId"]
    screen.page.evaluate(
        """() => {
          window.silent = 0
          window.digitalDjEngine.subscribe(() => {
            if (!window.digitalDjEngine.state().playing) window.silent += 1
          })
        }"""
    )
    with screen.rerun():
        screen.page.locator(".st-key-dj_go button").first.click()
    screen.page.wait_for_function(
        f"window.digitalDjEngine.state().beatId !== '{first}'"
        " && window.digitalDjEngine.state().queuedId === null"
    )
    assert screen.page.evaluate("window.silent") == 0
    assert deck.root.locator(".name").inner_text().startswith("Take 2")
    deck.button("Stop").click()


@browser_test
def test_it_plays_on_across_pages_and_can_be_stopped_there(deck, screen):
    page = screen.page
    deck.play()
    with screen.rerun():
        page.get_by_role("link", name="Explore").click()
    page.locator(".st-key-audition .cell").first.wait_for()
    stop = page.get_by_role("button", name=re.compile("^Stop Take 1"))
    assert stop.is_visible()
    assert deck.state()["owner"] == "deck"
    deck.button("Play").click()  # Explore's own beat: one thing sounds at a time
    page.wait_for_function(
        """() => {
          const { owner, playing } = window.digitalDjEngine.state()
          return owner === 'audition' && playing
        }"""
    )
    stop.wait_for(state="hidden")
    with screen.rerun():
        page.get_by_role("link", name="Generate").click()
    page.get_by_role("button", name=re.compile("^Stop ")).click()
    assert not deck.state()["playing"]


class CountedWay:
    """A way to a server on this computer that counts the bytes coming back."""

    def __init__(self, port):
        self.goal, self.bytes_back, self.url = port, 0, ""
        self.loop = asyncio.new_event_loop()  # in a thread: the browser's has this one
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()
        self.do(self.open())

    def do(self, what):
        return asyncio.run_coroutine_threadsafe(what, self.loop).result()

    async def open(self):
        self.server = await asyncio.start_server(self.join, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self.server.sockets[0].getsockname()[1]}"

    async def join(self, reader, writer):
        there, onward = await asyncio.open_connection("127.0.0.1", self.goal)
        await asyncio.gather(self.pass_on(reader, onward, 0), self.pass_on(there, writer, 1))

    async def pass_on(self, reader, writer, counts):
        try:
            while data := await reader.read(65_536):
                self.bytes_back += counts * len(data)
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def end(self):
        self.server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await asyncio.sleep(0)  # the last sockets close in the loop's next round

    def close(self):
        self.do(self.end())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()


@browser_test
def test_a_beat_costs_few_bytes_once_program_and_kit_are_there(visitor, app_url):
    received = []
    with contextlib.closing(CountedWay(urlsplit(app_url).port)) as way:
        screen = visitor(way.url)
        page = screen.page
        page.on(
            "websocket", lambda socket: socket.on("framereceived", lambda f: received.append(f))
        )
        screen.open("/generate?seed=3&bars=4")
        assert way.bytes_back > 500_000  # the kit was sent
        for _ in range(3):
            before, bytes_before = len(received), way.bytes_back
            with screen.rerun():
                page.locator(".st-key-dj_go button").first.click()
            screen.settle()
            assert bytes_until_the_deck(received[before:]) < BEAT_BYTES / 2
            # with all else that a new take changes on the page, as it goes over the wire
            assert way.bytes_back - bytes_before < BEAT_BYTES
        page.close()


def bytes_until_the_deck(frames):
    """What came from the click until the deck had its beat."""
    total = 0
    for frame in frames:
        total += len(frame)
        message = ForwardMsg()
        message.ParseFromString(frame)
        element = message.delta.new_element
        if element.bidi_component.component_name == "dj_deck":
            return total
    raise AssertionError("no beat came")


@browser_test
def test_the_grid_is_played_by_keyboard_and_says_what_it_shows(deck, screen):
    page = screen.page
    cells = deck.root.locator(".cell")
    assert deck.root.locator('.cell[tabindex="0"]').count() == 1
    assert all(cells.evaluate_all("all => all.map(c => c.role === 'gridcell' && !!c.ariaLabel)"))
    rows = deck.root.locator('[role="grid"] > [role="row"]')
    assert set(rows.evaluate_all("all => all.map(r => r.ariaLabel)")) <= {d.label for d in DRUMS}
    nameless = deck.root.locator("button, input, select").evaluate_all(
        "all => all.filter(e => !(e.ariaLabel || e.textContent).trim()).map(e => e.className)"
    )
    assert nameless == []
    deck.root.locator('.cell[tabindex="0"]').focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowDown", "Enter"):
        page.keyboard.press(key)
    focused = page.evaluate(
        """() => { let e = document.activeElement
          while (e.shadowRoot) e = e.shadowRoot.activeElement
          return [e.dataset.step, getComputedStyle(e).outlineStyle] }"""
    )
    assert focused == ["2", "solid"]
    page.keyboard.press(" ")
    page.wait_for_function("window.digitalDjEngine.state().playing")
    page.keyboard.press(" ")
    assert not deck.state()["playing"]
    page.keyboard.press("End")
    page.keyboard.press("ArrowRight")
    assert deck.root.locator('.cell[tabindex="0"]').get_attribute("data-step") == "16"


@browser_test
def test_fingers_set_loudness_and_timing(deck, screen):
    page = screen.page
    cell = deck.cell("kick", 0)
    velocity = {(lane, step): v for lane, step, v in deck.steps()}[0, 0]
    box = cell.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    with screen.rerun():
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(x, y + 20, steps=4)
        page.mouse.up()
    softer = {(lane, step): v for lane, step, v in deck.steps()}[0, 0]
    assert velocity - 22 <= softer <= velocity - 16
    with screen.rerun():
        page.mouse.move(x, y)
        page.mouse.down(button="right")
        page.mouse.move(x + 12, y, steps=4)
        page.mouse.up(button="right")
    late = next(hit for hit in read_midi(deck.midi()).hits if hit.lane == 0)
    assert 0.02 < late.onset_quarters < 0.12
    assert late.velocity == softer


@browser_test
def test_bars_are_copied_drums_cleared_and_added(deck, screen):
    deck.button("Bar 1: copy or clear").click()
    with screen.rerun():
        deck.button("Copy to all bars").click()
    steps = deck.steps()
    first = [(lane, step) for lane, step, _ in steps if step < 16]
    second = [(lane, step - 16) for lane, step, _ in steps if step >= 16]
    assert first == second
    deck.root.get_by_role("button", name="BD Kick: mute, solo, lock, clear").first.click()
    with screen.rerun():
        deck.button("Clear this drum").click()
    assert not [step for step in deck.steps() if step[0] == LANE["kick"]]
    assert steps_in(deck.midi()) == deck.steps()
    deck.button("+ Drum: add one").click()
    deck.button("Congas").click()
    with screen.rerun():
        deck.cell("conga", 5).click()
    assert (LANE["conga"], 5, DRUMS[LANE["conga"]].default_velocity) in steps_in(deck.midi())


@browser_test
def test_a_step_has_a_menu_of_conditions_that_reach_the_file_and_can_be_undone(deck, screen):
    page = screen.page
    original = deck.midi()
    cell, empty = deck.cell("kick", 0), deck.cell("kick", 1)
    panel = deck.root.locator(".menu.panel")
    with screen.rerun():
        cell.click(button="right")
        assert panel.get_attribute("aria-label") == "Kick · bar 1, step 1"
        panel.get_by_role("button", name="1:2", exact=True).click()
        panel.get_by_role("group", name="Ratchet").get_by_role("button", name="4").click()
        slider = panel.get_by_role("slider", name="Chance")
        slider.focus()
        for _ in range(3):
            page.keyboard.press("ArrowLeft")
        slider.blur()
    page.keyboard.press("Escape")
    assert cell.get_attribute("aria-label").endswith("chance 97%, loop 1 of 2, 4 strokes")
    assert cell.get_attribute("data-loops") == "1:2"
    with screen.rerun():  # by keyboard, on a step that is not struck yet
        empty.focus()
        page.keyboard.press("m")
        panel.get_by_role("group", name="Flam").get_by_role("button", name="Open").click()
    page.keyboard.press("Escape")
    assert len(read_midi(deck.midi()).hits) > 2 * len(read_midi(original).hits)  # as played
    with screen.rerun():
        page.get_by_role("combobox", name="Files have").click()
        page.get_by_role("option", name="Every step once, as written").click()
    written = {
        (hit.lane, round(hit.onset_quarters * 4)): hit.condition
        for hit in read_beat(deck.midi()).hits
    }
    assert written[0, 0] == Condition(97, "1:2", 4)
    assert written[0, 1] == Condition(flam_quarters=1 / 16)
    deck.root.get_by_role("button", name="BD Kick: mute, solo, lock, clear").first.click()
    deck.button("Length and even fill…").click()
    with screen.rerun():
        for _ in range(4):
            deck.button("Length in steps: less").click()
        deck.button("Strokes: more").click()
        panel.get_by_role("button", name="Fill evenly").click()
    page.keyboard.press("Escape")
    last = deck.root.locator(f'.cell[data-lane="{LANE["kick"]}"]').last
    assert "over" in last.get_attribute("class")
    with screen.rerun():
        while deck.button("Undo (Ctrl Z)").is_enabled():
            deck.button("Undo (Ctrl Z)").click()
    assert deck.midi() == original


@browser_test
@pytest.mark.parametrize(("words", "cells_in_bar"), [("triplets", 12), ("twelve", 12)])
def test_triplets_and_twelve_eighths_have_their_own_grid(odd_beats, screen, words, cells_in_bar):
    deck = open_file(screen, words)
    bar = deck.root.locator('[role="grid"]').first
    assert bar.locator('[role="row"]').first.locator(".cell").count() == cells_in_bar
    assert len(deck.steps()) == 24


@browser_test
def test_sixty_four_bars_are_paged_and_stay_light(odd_beats, screen):
    deck = open_file(screen, "long")
    page = screen.page
    assert deck.root.locator(".cell").count() < 2_300
    seen = set(deck.steps())
    for _ in range(80):
        if deck.button("Bars after").is_disabled():
            break
        deck.button("Bars after").click()
        seen |= set(deck.steps())
    assert {step for _, step, _ in seen} == set(range(64 * 16))
    deck.play()
    page.wait_for_function("window.digitalDjEngine.position('A') !== null")
    deck.button("Follow").click()
    page.wait_for_function("document.querySelector('[class*=st-key-audition]') !== null")
    deck.root.locator('.cell[data-step="0"]').first.wait_for()
    deck.button("Stop").click()
    assert len(str(beat_payload(odd_beats.beat(odd_beats.files[0])))) < BEAT_BYTES


# Layout shifts that nobody asked for, and where what follows the deck begins.
WATCH_LAYOUT = """() => {
  window.shifts = []
  new PerformanceObserver((list) => {
    for (const one of list.getEntries()) if (!one.hadRecentInput) window.shifts.push(one.value)
  }).observe({ type: 'layout-shift' })
  window.below = () => document.querySelector('.st-key-deck').getBoundingClientRect().bottom
    + document.querySelector('[data-testid=stMain]').scrollTop
}"""

# Puts a beat on deck without the server, as another take.
PUT = """([beat, slot]) => {
  const [face] = [...window.digitalDj.faces].filter((one) => one.grid)
  face.update({ data: { ...face.data, slot, beat, edit: null, name: slot.repeat(9) },
                setTriggerValue() {} })
}"""


def busy_beat(bars, drums):
    """Every 16th, one of so many drums."""
    names = [drum.name for drum in DRUMS]
    hits = tuple(Hit.of(names[n % drums], n / 4) for n in range(bars * 16))
    return Beat(hits, bars, 124.0)


@browser_test
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_the_deck_is_as_high_whatever_is_on_it_and_plays(visitor, size):
    screen = visitor(viewport=size, has_touch=size is PHONE, is_mobile=size is PHONE)
    page = screen.page
    screen.open("/generate?tempo=124&genre=House&bars=8")
    deck = Deck(screen)
    deck.root.locator(".cell").first.wait_for()
    page.evaluate(WATCH_LAYOUT)
    below = page.evaluate("below()")
    deck.play()
    for _ in range(2):  # the first take, and one more
        with screen.rerun():
            page.locator(".st-key-dj_go button:visible").first.click()
        assert page.evaluate("below()") == below
    for bars in (1, 2, 4, 7, 8, 16, 64):
        for drums in (1, 6, 9, 16):
            page.evaluate(PUT, [beat_payload(busy_beat(bars, drums)), f"{bars}-{drums}"])
            page.evaluate("window.digitalDjEngine.setTempo(600)")
            assert page.evaluate("below()") == below, (bars, drums)
            forth = deck.button("Bars after")
            if bars <= 8 and forth.is_visible() and forth.is_enabled():
                forth.click()
                assert page.evaluate("below()") == below, (bars, drums)
        if bars == 8:  # once round, following: every page comes and goes
            page.evaluate(PUT, [beat_payload(busy_beat(8, 6)), "round"])
            page.evaluate("window.digitalDjEngine.setTempo(600)")
            page.wait_for_timeout(700)
            page.evaluate("window.shifts.length = 0")
            page.evaluate(
                """async () => {
                  const [face] = [...window.digitalDj.faces].filter((one) => one.grid)
                  window.pages = new Set()
                  window.heights = new Set()
                  for (const end = performance.now() + 4_000; performance.now() < end;) {
                    await new Promise((resolve) => setTimeout(resolve, 50))
                    pages.add(face.grid.first)
                    heights.add(below())
                  }
                }"""
            )
            assert page.evaluate("pages.size") >= (2 if size is DESKTOP else 8)
            assert page.evaluate("[...heights]") == [below]
            assert page.evaluate("shifts") == []
    if size is DESKTOP:  # a phone's deck has a row more once there is a deck B
        deck.button("Keep on deck B").click()
        deck.button("Fade to deck B on the beat").click()
        page.wait_for_function("window.digitalDjEngine.state().lead === 'B'")
        deck.button("Faster").click()
        assert page.evaluate("below()") == below
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]


@browser_test
def test_what_sounds_is_what_is_shown(screen):
    page = screen.page
    screen.open("/generate?seed=3&bars=2&genre=House&tempo=124")
    deck = Deck(screen)
    deck.root.locator(".cell").first.wait_for()
    on_b = deck.steps()
    deck.button("Keep on deck B").click()
    with screen.rerun():
        page.get_by_label("Next take at (BPM)", exact=True).first.fill("140")
        page.keyboard.press("Enter")
    with screen.rerun():
        page.locator(".st-key-dj_go button:visible").first.click()
    page.wait_for_function("window.digitalDjEngine.state().playing")
    on_a = deck.steps()
    name, badge, tempo = (deck.root.locator(one) for one in (".name", ".badge", ".bpm"))
    wave = deck.root.locator(".wave svg path").first
    assert name.inner_text().startswith("Take 2")
    assert (badge.inner_text(), tempo.input_value()) == ("A", "140")
    outline = wave.get_attribute("d")
    deck.button("Fade to deck B on the beat").click()
    page.wait_for_function("window.digitalDjEngine.state().lead === 'B'")
    deck.root.locator(".badge", has_text="B").wait_for()

    def check_deck_b():  # title, outline, steps, tempo and playhead
        assert name.inner_text().startswith("Take 1")
        assert deck.steps() == on_b != on_a
        assert wave.get_attribute("d") != outline
        assert tempo.input_value() == "124"
        assert deck.root.locator(".head.lit").count() == 1

    screen.until(check_deck_b)
    # nothing is offered that deck A would get
    assert not deck.root.locator(".feel").is_visible()
    assert deck.button("Stop deck B").is_visible()
    deck.cell("kick", 3).click()
    page.keyboard.press("5")
    assert deck.steps() == on_b
    assert "Fade to deck A" in deck.root.locator(".hint").inner_text()
    # both sound: the DJ chooses
    deck.root.get_by_label("Crossfader").fill("0.6")
    show = deck.button("Show deck A")
    assert deck.button("Show deck B").get_attribute("aria-pressed") == "true"
    show.click()
    assert show.get_attribute("aria-pressed") == "true"
    assert (deck.steps(), name.inner_text()[:6]) == (on_a, "Take 2")
    with screen.rerun():
        deck.cell("kick", 3).click()
    assert deck.steps() != on_a
    assert steps_in(deck.midi()) == deck.steps()
    deck.root.get_by_label("Crossfader").fill("1")
    show.wait_for(state="hidden")
    assert deck.steps() == on_b
    # out of sight of the deck, the header has what plays, which deck it is, and Generate
    for size in (DESKTOP, PHONE):
        page.set_viewport_size(size)
        page.evaluate("document.querySelector('[data-testid=stMain]').scrollTo(0, 1500)")
        stop = page.get_by_role("button", name=re.compile("^Stop Take 1"))
        stop.wait_for()
        mini = page.locator(".mini")
        assert "B" in mini.inner_text()
        header = page.locator(".st-key-dj_header").bounding_box()
        menu = page.get_by_role("button", name="Main menu").bounding_box()
        for box in (stop.bounding_box(), menu, mini.get_by_text("Generate").bounding_box()):
            assert header["y"] - 8 <= box["y"]
            assert box["y"] + box["height"] <= header["y"] + header["height"] + 2
            assert box["x"] + box["width"] <= size["width"]
        assert mini.bounding_box()["x"] + mini.bounding_box()["width"] <= menu["x"] + 8
        screen.look(moves=True)  # the window has another size
    with screen.rerun(moves=True):  # what a narrow window moves may still be on its way
        mini.get_by_text("Generate").click()
    page.wait_for_function("window.digitalDj.faces.size && /Take 3/.test("
                           "[...window.digitalDj.faces][0].data.name)")  # fmt: skip
    stop.click()
    assert not deck.state()["playing"]


def struck(content, drum):
    return [hit for hit in read_midi(content).hits if hit.lane == LANE[drum]]


@browser_test
def test_a_locked_drum_stays_through_rerolls_takes_genres_and_reloads(deck, screen):
    page = screen.page
    before = deck.midi()
    lock = deck.root.get_by_role("button", name="Lock Kick", exact=True).first
    assert lock.get_attribute("aria-pressed") == "false"
    with screen.rerun():
        lock.focus()
        page.keyboard.press("Enter")
    assert lock.get_attribute("aria-pressed") == "true"
    shape = page.locator(".st-key-dj_shape")
    with screen.rerun(moves=True):  # to other controls
        shape.get_by_text("Reroll", exact=True).click()
    assert shape.get_by_text("Locked on the deck: Kick.").is_visible()
    for number in (2, 3):  # twice: it stays
        with screen.rerun():
            shape.get_by_role("button", name="Reroll the rest").click()
        page.wait_for_function(f"/Take {number}/.test([...window.digitalDj.faces][0].data.name)")
        screen.settle()
        after = deck.midi()
        assert struck(after, "kick") == struck(before, "kick")
        assert after != before
    page.reload()
    screen.settle()
    assert lock.get_attribute("aria-pressed") == "true"
    assert shape.get_by_text("Locked on the deck: Kick.").is_visible()
    with screen.rerun():  # a drum that a take lacks is kept silent, and its row is there
        deck.button("+ Drum: add one").click()
        lacking = next(drum.label for drum in DRUMS if not struck(after, drum.name))
        deck.button(lacking).click()
        deck.root.get_by_role("button", name=f"Lock {lacking}", exact=True).first.click()
    with screen.rerun():
        page.locator(".st-key-dj_go button:visible").first.click()
    row = deck.root.get_by_role("button", name=f"Lock {lacking}", exact=True).first
    assert row.get_attribute("aria-pressed") == "true"
    with screen.rerun():
        row.click()
    assert row.get_attribute("aria-pressed") == "false"  # its row stays until another beat comes
    # the kit that is chosen is in the address at once, and nothing jumps
    page.wait_for_timeout(600)
    page.evaluate(WATCH_LAYOUT)
    choose_kit(deck, "TR-808")
    page.wait_for_url(re.compile("kit=tr-808"))
    page.wait_for_function("window.digitalDjEngine.state().kit.startsWith('tr-808')")
    page.wait_for_timeout(700)
    assert sum(page.evaluate("shifts")) < 0.001
    # a take is heard with the kit it had; one that nobody chose a kit for follows the style
    with screen.rerun():
        page.locator(".st-key-dj_go button:visible").first.click()
    with screen.rerun():
        choose_kit(deck, "As the style: House")
    page.wait_for_function("window.digitalDjEngine.state().kit.startsWith('house')")
    assert "kit=" not in page.url
    before = page.locator(".st-key-dj_on_deck button").filter(has_text=re.compile("^4 · "))
    with screen.rerun():
        before.click()
    page.wait_for_function("window.digitalDjEngine.state().kit.startsWith('tr-808')")
    page.wait_for_url(re.compile("kit=tr-808"))


def choose_kit(deck, name):
    deck.root.get_by_title("Choose a kit").click()
    deck.root.get_by_role("dialog", name="Kits").get_by_role(
        "button", name=name, exact=True
    ).click()


@browser_test
def test_a_kit_is_heard_before_it_is_chosen_and_leaves_no_trace(deck, screen):
    page = screen.page
    chosen = page.evaluate("window.digitalDjEngine.state().kit")
    button = deck.root.get_by_title("Choose a kit")
    kits = deck.root.get_by_role("dialog", name="Kits")
    row = kits.locator(".kit-row").filter(has=page.get_by_text("Techno", exact=True))
    button.click()
    row.hover()  # it plays once where nothing else plays
    page.wait_for_function("window.digitalDjEngine.output.aside?.source")
    page.mouse.move(5, 5)
    page.wait_for_function("!window.digitalDjEngine.output.aside")
    row.get_by_role("button", name="Hear Techno").click()  # as a finger does
    page.wait_for_function("window.digitalDjEngine.output.aside?.source")
    page.keyboard.press("Escape")
    page.wait_for_function("!window.digitalDjEngine.output.aside")
    deck.play()
    button.click()
    page.keyboard.press("ArrowDown")  # the keyboard hears as it goes
    page.wait_for_function("window.digitalDjEngine.state().triedKit")
    row.hover()  # what plays goes on with it
    page.wait_for_function("window.digitalDjEngine.kit.name.startsWith('techno')")
    assert page.evaluate("window.digitalDjEngine.state().playing")
    page.keyboard.press("Escape")
    page.wait_for_function(f"window.digitalDjEngine.kit.name === {chosen!r}")
    deck.button("Stop").click()
    assert page.evaluate("window.digitalDjEngine.state().kit") == chosen


@browser_test
def test_the_deck_is_accessible_and_says_its_keys(deck, screen):
    page = screen.page
    with screen.rerun():
        deck.cell("kick", 0).focus()
        page.keyboard.press("Shift+ArrowRight")
    assert re.fullmatch(
        r"Kick, bar 1, step 1, velocity \d+, 5 ms late",
        deck.cell("kick", 0).get_attribute("aria-label"),
    )
    dialog = deck.root.get_by_role("dialog", name="Keys and gestures")
    page.keyboard.press("?")
    assert dialog.is_visible()
    assert "Generate" in dialog.inner_text()  # the page's own keys are there too
    page.keyboard.press("Escape")
    assert not dialog.is_visible()
    assert not deck.state()["playing"]
    deck.button("Keep on deck B").click()
    deck.button("More controls").click()
    # nothing is half under a phone's bars, where axe-core finds it too small
    phone = {**PHONE, "height": 1400}
    for size, scheme, opened in ((DESKTOP, "dark", False), (DESKTOP, "light", True),
                                 (phone, "dark", True), (phone, "light", False)):  # fmt: skip
        page.set_viewport_size(size)
        page.locator(".stApp").evaluate("(app, scheme) => app.style.colorScheme = scheme", scheme)
        if opened:
            deck.button("Keys and gestures (?)").click()
        page.evaluate("document.querySelector('[data-testid=stMain]').scrollTo(0, 0)")
        page.wait_for_timeout(200)
        found = Axe().run(page, context=".st-key-deck", options={"runOnly": AXE_RULES})
        assert found.violations_count == 0, found.generate_report()
        if opened:
            deck.button("Close").click()
    page.locator(".stApp").evaluate("app => app.style.colorScheme = ''")
    screen.look(moves=True)  # the window has had other sizes


@browser_test
def test_names_are_text_never_markup(odd_beats, screen):
    deck = open_file(screen, "onerror")
    assert "<img" in deck.root.locator(".name").inner_text()
    assert deck.root.locator("img").count() == 0
    assert screen.page.evaluate("window.hacked") is None


@browser_test
def test_a_phone_pages_by_bar_with_cells_for_fingers(visitor):
    screen = visitor(viewport=PHONE, has_touch=True, is_mobile=True)
    screen.open("/generate?seed=3&bars=4&genre=House")
    deck = Deck(screen)
    deck.root.locator(".cell").first.wait_for()
    sizes = deck.root.locator(".cell").evaluate_all(
        "all => all.map(c => [c.offsetWidth, c.offsetHeight])"
    )
    assert min(min(size) for size in sizes) >= 32
    controls = deck.root.locator("button:visible, input:visible, select:visible").evaluate_all(
        """all => all.filter(e => !e.closest('.stage'))
                   .map(e => [e.offsetWidth, e.offsetHeight, e.ariaLabel || e.textContent])"""
    )
    assert [one for one in controls if one[1] < 44] == []
    assert screen.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    go = screen.page.locator(".st-key-dj_go button:visible").first.bounding_box()
    assert go["y"] < 200
    assert deck.button("Bars before").is_disabled()
    deck.button("Bars after").click()
    steps = {step for _, step, _ in deck.steps()}
    assert min(steps) >= 8
    struck = deck.root.locator('.cell[aria-selected="true"]').first
    touch = screen.page.context.new_cdp_session(screen.page)
    box = struck.bounding_box()
    finger = [{"x": box["x"] + 15, "y": box["y"] + 15}]
    touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": finger})
    deck.root.locator(".cell.held").wait_for()
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    sheet = deck.root.locator(".menu.panel")
    sheet.wait_for()
    place = sheet.bounding_box()  # at the bottom, all of it on the screen
    assert PHONE["height"] - 20 < place["y"] + place["height"] <= PHONE["height"]
    assert place["y"] >= 0
    low = sheet.locator("button:visible, input:visible").evaluate_all(
        "all => all.filter(e => e.offsetHeight < 44 || e.offsetWidth < 32).length"
    )
    assert low == 0
    with screen.rerun():
        sheet.get_by_role("group", name="Ratchet").get_by_role("button", name="3").tap()
    screen.page.keyboard.press("Escape")
    assert "3 strokes" in struck.get_attribute("aria-label")
    cell = deck.root.locator(".cell").nth(3)
    was = cell.get_attribute("aria-selected")
    with screen.rerun():
        cell.tap()
    assert cell.get_attribute("aria-selected") != was
