"""Played by hand: pads, rolls, repeats, a deck against the other, and recording over the loop."""

import numpy as np
import pytest
from conftest import PHONE
from test_deck_engine import RATE, booth, level_of, spaced, steady  # noqa: F401
from test_deck_face import LANE, Deck, steps_in

pytestmark = pytest.mark.browser
QUARTER = RATE // 2  # frames at 120 BPM


def frames_of(recording, drum):
    """The frames of one drum's clicks at full velocity."""
    return [frame for frame, high in recording.strokes() if abs(high - level_of(drum)) < 0.004]


def test_a_stroke_by_hand_sounds_with_and_without_a_beat(booth):  # noqa: F811
    booth.do("engine.hands.strike(value, 127)", LANE["kick"])
    booth.wait(0.3)
    booth.play(steady("loop", "clap"))
    before = booth.get("frameNow()")
    booth.do("engine.hands.strike(value, 127)", LANE["kick"])
    booth.wait(0.3)
    kicks = frames_of(booth.heard(), "kick")
    assert len(kicks) == 2
    assert 0 <= kicks[1] - before < 0.5 * RATE  # on a busy machine


def test_a_roll_is_on_the_grid_and_ends_with_the_hand(booth):  # noqa: F811
    booth.play(steady("loop", "clap"))
    booth.wait(0.6)
    booth.do("engine.hands.roll(value, 127, 0.25)", LANE["kick"])
    booth.wait(0.8)
    booth.do("engine.hands.rollEnd(value)", LANE["kick"])
    let_go = booth.get("frameNow()")
    booth.wait(0.5)
    strokes = booth.heard().strokes()
    first = strokes[0][0]
    kicks = [frame for frame, high in strokes if high > 0.95 * level_of("kick")]  # or both at once
    assert len(kicks) >= 4
    assert kicks[-1] < let_go + 0.1 * RATE
    places = [(frame - first) / (QUARTER / 4) for frame in kicks]
    # a page that was made to wait strikes up to 20 ms late
    np.testing.assert_allclose(places, np.round(places), atol=0.022 * RATE / (QUARTER / 4))
    assert np.median(np.abs(places - np.round(places))) <= 2 / (QUARTER / 4)
    assert len(set(np.round(places))) == len(places)


def test_a_repeat_plays_the_slice_and_the_beat_goes_on_where_it_would_be(booth):  # noqa: F811
    beat = steady("loop", "clap", bars=2, every=1)
    beat["hits"] = [[quarter, LANE[drum], 127, [36, 38, 37, 39][quarter % 4]]
                    for quarter in range(8)
                    for drum in [("kick", "snare", "side_stick", "clap")[quarter % 4]]]  # fmt: skip
    booth.play(beat)
    booth.until("engine.position('A') > 2.1")
    booth.do("engine.hands.repeat(1)")
    booth.until("engine.state().repeating")
    booth.wait(1.2)
    inside = booth.get("engine.position('A')")
    booth.do("engine.hands.goOn()")
    booth.until("!engine.state().repeating")
    booth.wait(1.5)
    heard = booth.heard()
    drums = ("kick", "snare", "side_stick", "clap")
    strokes = sorted((frame, drum) for drum in drums for frame in frames_of(heard, drum))
    start = strokes[0][0]
    places = [(round((frame - start) / QUARTER), drum) for frame, drum in strokes]
    assert [place for place, _ in places] == list(range(len(places)))  # nothing lost or doubled
    others = [drum for place, drum in places if drum != drums[place % 4]]
    assert len(others) >= 1
    assert len(set(others)) == 1  # one slice, again and again
    slice_start = drums.index(others[0])
    assert slice_start <= inside % 4 < slice_start + 1
    assert places[-1][1] == drums[places[-1][0] % 4]


@pytest.mark.parametrize("seconds", [0.01, -0.01])
def test_a_nudge_shifts_one_deck_and_loses_and_doubles_nothing(booth, seconds):  # noqa: F811
    booth.do("engine.setBeat('B', value)", steady("other", "kick", every=0.25))
    booth.do("engine.setCrossfade(0.5)")
    booth.play(steady("loop", "clap", every=0.25))
    booth.wait(0.5)
    for _ in range(3):
        booth.do("engine.hands.nudge('B', value)", seconds)
        booth.wait(0.2)
    booth.wait(0.8)
    shifted = booth.heard()
    booth.do("engine.hands.inStep('B')")
    booth.wait(0.6)
    booth.do("engine.stop()")
    both, kick, clap = (
        np.cos(np.pi / 4) * level
        for level in (level_of("kick") + level_of("clap"), level_of("kick"), level_of("clap"))
    )

    def frames(recording, *heights):
        return np.array([frame for frame, high in recording.strokes()
                         if min(abs(high - one) for one in heights) < 0.004])  # fmt: skip

    kicks, claps = frames(shifted, kick), frames(shifted, clap)
    late = [np.min(np.abs(claps - (frame - 3 * seconds * RATE))) for frame in kicks[-3:-1]]
    assert max(late) <= 2
    # every sixteenth has its stroke of either deck, once
    for drum in (kick, clap):
        gaps = np.diff(frames(booth.heard(), drum, both))
        assert all(abs(gap - QUARTER / 4) <= 3 * abs(seconds) * RATE + 2 for gap in gaps)
    last = frames(booth.heard(), both)
    assert len(last) >= 3
    assert last[-1] > kicks[-1]  # in step again


def test_a_new_beat_begins_on_the_beat_where_that_is_chosen(booth):  # noqa: F811
    booth.play(steady("first", "clap", every=1))
    booth.do("engine.setLaunch('beat')")
    booth.until("engine.position('A') > 0.3")
    booth.do("engine.setBeat('A', value)", steady("second", "kick", every=1))
    booth.until("engine.state().beatId === 'second'")
    assert booth.get("engine.state().decks.A.positionQuarters") < 1
    booth.wait(0.6)
    heard = booth.heard()
    first, then = frames_of(heard, "clap"), frames_of(heard, "kick")
    assert len(first) < 4
    assert abs(then[0] - first[-1] - QUARTER) <= 1
    assert then == spaced(then[0], len(then), QUARTER)


def test_pads_are_recorded_over_the_loop_and_a_round_is_taken_back_at_once(visitor):
    screen = visitor()
    page = screen.page
    screen.open("/generate?seed=3&bars=1&genre=House&tempo=124")
    deck = Deck(screen)
    deck.root.locator(".cell").first.wait_for()
    before = deck.midi()
    with screen.rerun(moves=True):
        page.keyboard.press("p")
        deck.play()
        deck.button("Record").click()
        page.evaluate(
            """() => {
              window.struck = []
              digitalDjEngine.hands.subscribe((stroke) => window.struck.push(stroke))
            }"""
        )
        # both in one round of the loop
        page.wait_for_function("digitalDjEngine.position('A') < 0.5")
        page.keyboard.press("1")
        page.keyboard.press("Shift+4")
    own = "[...digitalDj.faces].find((face) => face.own).own"
    drums = (LANE["tambourine"], LANE["conga"])
    deck.button("Record").click()
    deck.button("Stop").click()
    assert [one["velocity"] for one in page.evaluate("window.struck")] == [100, 127]
    new = page.evaluate(f"{own}.strokes.filter((one) => one.place < 0)")
    assert [(one["lane"], one["velocity"]) for one in new] == [(drums[0], 100), (drums[1], 127)]
    assert all(one["onset"] * 4 == round(one["onset"] * 4) for one in new)
    screen.settle(moves=True)
    after = deck.midi()
    added = {*steps_in(after)} - {*steps_in(before)}
    assert {lane for lane, _, _ in added} == {*drums}
    rounds = page.evaluate(f"{own}.now")
    assert 1 <= rounds <= 2  # two where the end of the loop came between them
    with screen.rerun(moves=True):
        for _ in range(rounds):
            page.keyboard.press("Control+z")
    assert deck.midi() == before


def test_on_a_phone_pads_are_struck_by_fingers_and_the_grid_waits_for_them(visitor):
    screen = visitor(viewport=PHONE, has_touch=True, is_mobile=True)
    page = screen.page
    screen.open("/generate?seed=3&bars=4&genre=House&tempo=124")
    deck = Deck(screen)
    deck.root.locator(".cell").first.wait_for()
    deck.button("More controls").tap()
    pads = deck.button("Pads")
    pads.tap()
    page.evaluate("void digitalDjEngine.hands.subscribe(({ lane }) => { window.lane = lane })")
    deck.root.locator(".pad").nth(12).tap()  # the lowest row's first
    page.wait_for_function(f"window.lane === {LANE['kick']}")
    pads.tap()
    deck.play()
    with screen.rerun():
        deck.root.locator(".cell").nth(3).tap()
    grid = "[...digitalDj.faces].find((face) => face.own).grid"
    first = page.evaluate(f"{grid}.first")
    page.wait_for_function("digitalDjEngine.position('A') > 5")  # beyond the page
    stays = page.evaluate(f"[{grid}.isTouched, {grid}.first]")
    assert not stays[0] or stays[1] == first
    page.wait_for_function(f"!{grid}.isTouched && {grid}.first !== {first}")
    deck.button("Stop").click()
