"""The jam in the browser: bars on their lines, hands obeyed on the next bar, kept as it sounded.

The engine stands in a page with a kit of clicks and a tap at the loudspeaker, as in
test_deck_engine.py; phrases come from a real `LiveJam`, which stands behind an address of the page.
"""

import json
import random
from pathlib import Path
from urllib.parse import parse_qsl, urlparse

import pytest
from test_deck_engine import CLICKS, DECK, TAP, Booth, as_sent, assert_on_frames

from dj_core.library.kept_beats import Crate
from dj_core.library.library import Library
from dj_core.live.jam_bar import NUMBERS, Faders, Pads, bar_hits
from dj_core.live.performance import JamPlan
from dj_core.live.phrases import PhraseMaker
from dj_core.models.families import load_model
from dj_core.music.drums import DRUMS
from dj_ui.live_jams import LiveJam

pytestmark = pytest.mark.browser
TEMPO_BPM = 240  # twice as fast as it is danced to
PHRASES, ASIDE = 10, 6  # that are made beforehand
PAGE = f"""<!doctype html><button>Sound</button><script>{TAP}
window.digitalDjGiven = {{ styles: '', drums: {
    json.dumps([{"family": drum.family, "note": drum.note} for drum in DRUMS])
} }}</script>
<script type="module">import {{ createEngine }} from './deck/engine.js'
import {{ Jam }} from './deck/jam.js'
import {{ barHits, varied }} from './deck/jam_bar.js'
window.engine = createEngine()
window.jam = new Jam(engine)
jam.owner = 'jam'
Object.assign(window, {{ barHits, varied }})
</script>"""


@pytest.fixture(scope="module")
def model():
    return load_model(Library.open().model(None).folder)


@pytest.fixture(scope="module")
def made(model):
    """A jam of house and drum and bass in the middle of its energy, and phrases of it: those that
    follow each other, and those for the pads."""
    plan = JamPlan(("house", "drum-and-bass"), 64, (0.6,), seed=11, tempo_bpm=124)
    live = LiveJam(model, plan, "test")
    grooves = [live.answer(number, {"energy": "0.6"}) for number in range(PHRASES)]
    aside = {section: [] for section in ("break", "build", "drop")}
    for number in range(PHRASES, PHRASES + ASIDE):  # in the order in which they are made
        section = [*aside][number % 3]
        aside[section].append(live.answer(number, {"section": section}))
    assert all(grooves)
    assert all(map(all, aside.values()))
    return live, grooves, aside


class Stage(Booth):
    """A jam in a page, and the server behind it, which can be cut off."""

    def __init__(self, context, live, grooves, aside):
        page = context.new_page()
        super().__init__(page)
        self.live, self.is_cut_off, self.failures = live, False, []
        self.grooves, self.aside = [*grooves], {name: [*made] for name, made in aside.items()}
        page.on("pageerror", lambda error: self.failures.append(str(error)))
        page.route("http://localhost/**", self.answer)
        page.goto("http://localhost/")
        page.wait_for_function("window.jam")
        page.get_by_role("button").click()  # browsers sound only after one
        self.do("engine.loadKit(value)", CLICKS)
        self.do("engine.play()")  # opens the context, so that it can be recorded
        self.until("engine.state().playing")
        self.do("engine.stop(); await record()")
        self.do("jam.use(value)", {**live.payload(), "tempo": TEMPO_BPM})

    def answer(self, route):
        address = urlparse(route.request.url)
        if address.path.startswith("/deck/"):
            route.fulfill(path=DECK / Path(address.path).name)
        elif address.path.startswith("/jam/"):
            section = dict(parse_qsl(address.query)).get("section")
            waiting = self.aside[section] if section else self.grooves
            phrase = None if self.is_cut_off or not waiting else waiting.pop(0)
            route.fulfill(status=200 if phrase else 204, body=phrase or "")
        else:
            route.fulfill(body=PAGE, content_type="text/html; charset=utf-8")

    def start(self):
        """Play, and record from the first bar on."""
        self.do("jam.record(true); jam.start()")
        self.until("jam.isSounding")

    def bars(self, count):
        """The first bars that were heard, `count` of them or more."""
        self.until(f"jam.recorded.length >= {count}")
        return self.get("jam.recorded")

    def assert_as_heard(self, bars):
        """Each stroke of the bars is in the tap on its frame, and nothing else is."""
        recording = self.heard()
        quarter = 60 / TEMPO_BPM * recording.rate
        expected = sorted({round((4 * bar["number"] + at) * quarter)
                           for bar in bars for at, _, _ in bar["hits"]})  # fmt: skip
        strokes = [frame for frame, _ in recording.strokes()]
        first = strokes[0] - expected[0]
        end = first + round(4 * (bars[-1]["number"] + 1) * quarter) - 2
        strokes = [frame for frame in strokes if frame < end]
        for frame in expected:
            assert any(abs(frame + first - stroke) <= 1 for stroke in strokes), frame
        for stroke in strokes:
            assert any(abs(frame + first - stroke) <= 1 for frame in expected), stroke


@pytest.fixture
def context(browser):
    context = browser.new_context()
    context.set_default_timeout(120_000)
    yield context
    context.close()


@pytest.fixture
def stage(context, made):
    """The jam that was made, in a page."""
    stage = Stage(context, *made)
    yield stage
    assert not stage.failures, stage.failures


def test_the_browser_plays_a_bar_as_python_does(stage, model):
    maker = PhraseMaker(model, ["house", "trap"], 2)
    draw = random.Random(3)
    for role in ("groove", "build"):
        phrase = maker.next(role, 5)
        sides = [
            {"hits": [[hit.onset_quarters, hit.lane, hit.velocity, need]
                      for hit, need in zip(side.beat.hits, side.needs, strict=True)],
             "fill": [[hit.onset_quarters, hit.lane, hit.velocity] for hit in side.fill.hits]}
            for side in phrase.sides
        ]  # fmt: skip
        for _ in range(60):
            names = ("energy", "density", "syncopation", "brightness", "style")
            faders = {name: draw.choice([0, 0.5, 1, round(draw.random(), 2)]) for name in names}
            pads = {"fill": draw.random() < 0.2, "noKick": draw.random() < 0.2,
                    "crash": draw.random() < 0.2}  # fmt: skip
            bar = draw.randrange(8)
            asked = [{"role": role, "sides": sides}, bar, faders, pads,
                     {**NUMBERS, "bars": 8, "barQuarters": 4}]  # fmt: skip
            there = stage.page.evaluate("(asked) => barHits(...asked)", asked)
            here = bar_hits(phrase, bar, Faders(**faders),
                            Pads(pads["fill"], pads["noKick"], pads["crash"]))  # fmt: skip
            assert sorted(map(tuple, there)) == sorted(
                (hit.onset_quarters, hit.lane, hit.velocity) for hit in here
            )


def test_a_jam_goes_on_and_is_kept_as_it_sounded(stage, home):
    stage.start()
    bars = stage.bars(24)
    played, kept = stage.get("((last) => [jam.packed(last), last])(jam.recorded.slice(-16))")
    # fetching what was heard holds the page up, and with it strokes to come: all kept ones are over
    stage.bars(kept[-1]["number"] + 3)
    stage.assert_as_heard(bars)
    indices = [bar["index"] for bar in bars]
    assert indices[:24] == [number // 8 for number in range(24)]
    phrases = [json.dumps([bar["hits"] for bar in bars[at : at + 8]]) for at in range(0, 24, 8)]
    assert len(set(phrases)) == 3
    # what is kept is what sounded
    beat = stage.live.heard(played)
    assert beat.bars == 16
    assert beat.playing_tempo_bpm == TEMPO_BPM
    expected = [4 * place + at for place, bar in enumerate(kept) for at, _, _ in bar["hits"]]
    assert [hit.onset_quarters for hit in beat.hits] == sorted(expected)
    # played from the crate it has every stroke on the frame that it had in the jam
    quarter = 60 / TEMPO_BPM * stage.heard().rate
    length = round(64 * quarter)
    began = round(4 * kept[0]["number"] * quarter)
    frames = [frame for frame, _ in stage.heard().strokes()]
    zero = frames[0] - round(min(at for at, _, _ in bars[0]["hits"]) * quarter)
    in_jam = [frame - zero - began for frame in frames if -1 <= frame - zero - began < length - 2]
    crate = Crate.open()
    beat = crate.get(crate.keep(beat, name=beat.title).id).beat
    stage.do("engine.stop(); engine.claim('crate'); engine.setBeat('A', value)", as_sent(beat))
    silent = stage.get("frameNow()") + 1_000
    stage.until(f"frameNow() > {silent}")
    stage.do("engine.play()")
    stage.until(f"frameNow() > {silent + length + round(2 * quarter)}")
    frames = [frame for frame, _ in stage.heard().strokes() if frame > silent]
    zero = frames[0] - round(beat.hits[0].onset_quarters * quarter)
    again = [frame - zero for frame in frames if frame - zero < length - 2]
    assert_on_frames(again, in_jam)
    settings = beat.provenance.settings
    assert settings["phrases"]
    assert settings["asked"]
    assert as_sent(beat)["bars"] == 16


def test_hands_are_obeyed_on_the_next_bar_and_what_falls_is_pending_until_then(stage):
    stage.start()
    stage.bars(3)
    before = stage.do("jam.setFader('energy', 0); return jam.heard.number")
    after = stage.do("jam.setFader('energy', 1); jam.press('fill'); jam.press('noKick'); "
                     "return [jam.heard.number, jam.wishes.length]")  # fmt: skip
    assert after[1] == 1
    assert stage.get("jam.heard.faders.energy") == 0.6
    stage.until("jam.heard.faders.energy === 1")
    fell = stage.get("[jam.heard.number, jam.heard.pads.fill, jam.heard.pads.noKick]")
    assert fell[0] <= after[0] + 2
    assert before <= after[0]
    assert fell[2] is True
    stage.until("jam.wishes.length === 0")
    bars = stage.bars(fell[0] + 3)
    filled = [bar["number"] for bar in bars if bar["pads"]["fill"]]
    assert filled == [fell[0]]
    for bar in bars[fell[0] :]:
        assert all(DRUMS[lane].family != "kick" for _, lane, _ in bar["hits"])
    stage.assert_as_heard(bars)
    # the second style's drums, and only those
    stage.do("jam.setFader('style', 1); jam.press('noKick')")
    stage.until("jam.heard.faders.style === 1")
    heard = stage.get("jam.heard")
    lanes = {hit[1] for hit in heard["phrase"]["sides"][1]["hits"]}
    assert {stroke["lane"] for stroke in heard["strokes"]} <= lanes | {10}


def test_pads_play_their_phrases_hold_and_go_back(stage):
    stage.start()
    stage.until("jam.aside.break && jam.aside.build && jam.aside.drop")
    stage.do("jam.press('build')")
    stage.until("jam.heard?.section?.name === 'build'")
    stage.until("jam.heard?.section?.name === 'drop'")  # a build leads to a drop by itself
    assert stage.get("jam.heard.pads.crash")
    stage.until("jam.heard && !jam.heard.section")
    stage.until("jam.aside.build && jam.aside.drop")  # the next time they are others
    stage.do("jam.press('hold')")
    stage.until("jam.heard.hold && jam.heard.at === 7")
    index = stage.get("jam.heard.index")
    stage.until("jam.heard.hold && jam.heard.at < 7")
    assert stage.get("[jam.heard.index, jam.heard.turn]") == [index, 0]
    stage.do("jam.press('hold'); jam.press('back')")
    stage.until(f"jam.heard.index === {index - 1}")
    stage.assert_as_heard(stage.get("jam.recorded"))


def test_late_phrases_leave_no_gap_and_no_exact_repetition(stage):
    stage.start()
    stage.bars(9)
    stage.is_cut_off = True
    stage.until("jam.heard.turn === 2")
    bars = stage.get("jam.recorded")
    stage.is_cut_off = False
    stage.until("jam.heard.turn === 0")
    late = [json.dumps([bar["hits"] for bar in bars[at : at + 8]])
            for at in range(0, len(bars) - 7, 8)]  # fmt: skip
    assert len(set(late)) == len(late)
    stage.assert_as_heard(stage.get("jam.recorded"))


def test_it_stops_and_goes_on_where_it_was(stage):
    stage.start()
    stage.bars(5)
    stage.do("engine.stop()")
    stage.until("!engine.state().playing && jam.bars.length === 0")
    number, recorded = stage.get("[jam.resumed.number, jam.recorded.length]")
    stage.do("jam.start()")
    assert stage.bars(recorded + 2)[recorded]["number"] == number + 1
    stage.do("engine.claim('other')")
    stage.until("!jam.isSounding && jam.bars.length === 0")
    assert stage.get("engine.decks.A.feed") is None
