"""Steps with conditions: the right counts, the same in Python and in the browser, and in files."""

import io
from dataclasses import replace

import mido
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_deck_engine import CLICKS, RATE, as_sent, level_of, open_booth

from dj_core.errors import BeatError, PatternError
from dj_core.files.beat_json import beat_from_json, beat_to_json, canonical_json
from dj_core.files.midi import midi_bytes, read_beat
from dj_core.music.as_played import as_played, cycle_bars, play_seed
from dj_core.music.beat import Beat, Hit, Meter, Provenance
from dj_core.music.conditions import LOOPS, Condition
from dj_core.music.drums import LANE
from dj_core.music.patterns import load_patterns, parse_patterns
from dj_core.music.timing import swung
from dj_core.sets.arrangement import slot_beat
from dj_core.sets.bar_counts import in_count
from dj_core.sets.set_plan import Entry, SetSettings, plan_set

MANY = 10_000  # loops

CONDITIONS = st.builds(
    Condition,
    chance_percent=st.integers(1, 100),
    loops=st.sampled_from(LOOPS),
    strokes=st.integers(1, 8),
    span_quarters=st.sampled_from([0.125, 0.25, 1 / 3, 1 / 6, 0.5]),
    ramp_percent=st.integers(-100, 100),
    flam_quarters=st.sampled_from([0.0, 1 / 32, 1 / 16, 0.1]),
)


def hit(drum, onset, velocity=100, **condition):
    return replace(Hit.of(drum, onset, velocity), condition=Condition(**condition))


def alone(**condition):
    """A bar with one kick."""
    return Beat((hit("kick", 1.0, **condition),), bars=1, tempo_bpm=120.0)


def loops_in(beat, bars, seed=7):
    """The loops (of a bar each) in which something sounds."""
    return sorted({int(one.onset_quarters // 4) for one in as_played(beat, bars, seed).hits})


# -- counts --------------------------------------------------------------------------------------


@pytest.mark.parametrize("loops", LOOPS)
def test_in_ten_thousand_loops_a_step_sounds_exactly_in_those_it_names(loops):
    found = loops_in(alone(loops=loops), MANY)
    nth, _, of = loops.partition(":")
    expected = {
        "": range(MANY), "first": range(1), "not-first": range(1, MANY),
    }.get(loops) or range(int(nth) - 1, MANY, int(of))  # fmt: skip
    assert found == list(expected)


@pytest.mark.parametrize("chance", [1, 5, 10, 25, 50, 75, 90, 99, 100])
def test_in_ten_thousand_loops_a_chance_is_met_as_often_as_it_says(chance):
    share = chance / 100
    most_off = 4 * np.sqrt(MANY * share * (1 - share))  # four standard deviations
    for seed in (0, 1, 2**32 - 1):
        found = loops_in(alone(chance_percent=chance), MANY, seed)
        assert abs(len(found) - MANY * share) <= most_off
        # and one loop says nothing about the next
        both = len(set(found) & {loop + 1 for loop in found})
        assert abs(both - MANY * share**2) <= 2 * most_off + 1


@pytest.mark.parametrize("strokes", range(2, 9))
def test_in_ten_thousand_loops_a_ratchet_has_all_its_strokes_evenly(strokes):
    played = as_played(alone(strokes=strokes, ramp_percent=-50), MANY, 0).hits
    assert len(played) == strokes * MANY
    onsets = np.array([one.onset_quarters for one in played]).reshape(MANY, strokes)
    expected = 1 + np.arange(strokes) * 0.25 / strokes
    np.testing.assert_allclose(onsets - 4 * np.arange(MANY)[:, None], [expected] * MANY, atol=1e-9)
    velocities = [one.velocity for one in played[:strokes]]
    assert (velocities[0], velocities[-1]) == (100, 50)
    assert velocities == sorted(velocities, reverse=True)


def test_in_ten_thousand_loops_every_flam_has_its_grace_stroke():
    played = as_played(alone(flam_quarters=1 / 32), MANY, 0).hits
    assert len(played) == 2 * MANY
    grace, main = played[:2]
    assert (grace.onset_quarters, grace.velocity) == (1 - 1 / 32, 40)
    assert (main.onset_quarters, main.velocity) == (1.0, 100)


def test_chance_and_loops_must_both_hold():
    every_second = set(range(0, MANY, 2))
    found = set(loops_in(alone(loops="1:2", chance_percent=50), MANY))
    assert found < every_second
    assert abs(len(found) - MANY / 4) < 200


def test_two_steps_and_two_drums_draw_apart():
    steps = [hit(drum, onset, chance_percent=50) for drum in ("kick", "ride") for onset in (0, 1)]
    played = as_played(Beat(tuple(steps), 1), MANY, 3).hits
    draws = np.zeros((MANY, 4))
    for one in played:
        column = 2 * (one.lane == LANE["ride"]) + int(one.onset_quarters % 4)
        draws[int(one.onset_quarters // 4), column] = 1
    shared = np.corrcoef(draws.T) - np.eye(4)
    assert np.abs(shared).max() < 0.05


def test_a_first_step_with_a_flam_has_none_at_the_very_start():
    beat = Beat((hit("snare", 0.0, flam_quarters=1 / 16),), 1)
    onsets = [one.onset_quarters for one in as_played(beat, 2, 0).hits]
    assert onsets == [0.0, 4 - 1 / 16, 4.0, 8 - 1 / 16]  # the last leads into the third bar


# -- lengths -------------------------------------------------------------------------------------


def test_three_against_four_over_twelve_bars_is_exact():
    beat = Beat(
        (Hit.of("kick", 0), Hit.of("clap", 0), Hit.of("clap", 3.5)),
        bars=1,
        lane_lengths=((LANE["clap"], 3.0),),
    )
    played = as_played(beat, 12, 0)
    by_lane = {
        lane: [one.onset_quarters for one in played.hits if one.lane == LANE[lane]]
        for lane in ("kick", "clap")
    }
    assert by_lane == {"kick": list(range(0, 48, 4)), "clap": list(range(0, 48, 3))}
    assert (played.bars, cycle_bars(beat)) == (12, 3)


def test_a_drum_of_its_own_length_counts_its_own_loops():
    beat = Beat(
        (hit("clap", 0, loops="2:2"), Hit.of("kick", 0)), 1, lane_lengths=((LANE["clap"], 3.0),)
    )
    claps = [one.onset_quarters for one in as_played(beat, 6, 0).hits if one.drum.name == "clap"]
    assert claps == [3, 9, 15, 21]
    assert cycle_bars(beat) == 3


def test_a_cycle_is_how_long_it_takes_until_all_comes_round():
    assert cycle_bars(alone(loops="1:4")) == 4
    assert cycle_bars(alone(loops="first")) == 2
    assert cycle_bars(alone(chance_percent=50)) == 1
    many = tuple(hit("kick", place, loops=f"1:{of}") for place, of in enumerate((2, 3, 4)))
    assert cycle_bars(Beat(many, 2)) == 24
    assert cycle_bars(Beat((Hit.of("kick", 0),), 20, lane_lengths=((0, 17 / 4),))) == 64


# -- beats without conditions --------------------------------------------------------------------


def test_a_beat_without_conditions_goes_round_as_it_is():
    for beat in load_patterns()[::40]:
        played = as_played(beat, beat.bars, 5)
        assert played == beat
        assert midi_bytes(played) == midi_bytes(beat)
        twice = as_played(beat, 2 * beat.bars, 5)
        assert len(twice.hits) == 2 * len(beat.hits)
        assert "lane_lengths" not in beat_to_json(beat)
        assert all(len(row) == 5 for row in beat_to_json(beat)["hits"])


def test_what_asks_for_nothing_is_no_condition():
    assert hit("kick", 0).condition is None
    assert hit("kick", 0) == Hit.of("kick", 0, 100)
    whole = Beat((Hit.of("kick", 0),), 1, lane_lengths=((0, 4.0),))
    assert whole == Beat((Hit.of("kick", 0),), 1)


def test_swing_is_that_of_a_beat_without_conditions():
    beat = load_patterns()[0]
    played, expected = as_played(beat, beat.bars, 0, 0.6), swung(beat, 0.6)
    assert [one.onset_quarters for one in played.hits] == pytest.approx(
        [one.onset_quarters for one in expected.hits]
    )


# -- elsewhere -----------------------------------------------------------------------------------


def test_a_set_plays_a_beat_with_conditions_as_the_deck_does_from_the_slots_start():
    beat = tricky()
    settings = SetSettings(phrase_bars=8, mix_ends=False, fills=False, breakdowns=False)
    whole = slot_beat(plan_set([Entry(beat, phrases=3)], settings), 0)
    expected = as_played(beat, whole.bars, play_seed(beat))
    assert not whole.has_conditions
    strokes = [
        sorted((round(one.onset_quarters, 6), one.lane, one.velocity) for one in played.hits
               if 0.08 < one.onset_quarters % 4 < 3.92)
        for played in (whole, expected)
    ]  # fmt: skip
    assert strokes[0] == strokes[1]


def test_counted_double_conditions_sound_the_same_at_twice_the_tempo():
    beat = Beat(
        (hit("clap", 0.5, loops="2:2", strokes=3, flam_quarters=1 / 32), Hit.of("kick", 0)),
        1,
        87.0,
        lane_lengths=((LANE["clap"], 3.0),),
    )
    double = in_count(beat, "double")
    ours, theirs = as_played(beat, 12, 0), as_played(double, 24, 0)
    assert [one.onset_quarters * 2 for one in ours.hits] == pytest.approx(
        [one.onset_quarters for one in theirs.hits]
    )
    assert in_count(double, "half") == beat


# -- as JSON -------------------------------------------------------------------------------------

CONDITIONAL = st.builds(
    lambda rows, lengths: Beat(
        tuple(Hit(onset, lane, velocity, condition=told) for onset, lane, velocity, told in rows),
        bars=2,
        tempo_bpm=120.0,
        lane_lengths=tuple(lengths.items()),
    ),
    st.lists(
        st.tuples(
            st.sampled_from([step / 4 for step in range(32)] + [1 / 3, 2 / 3, 0.253, 7.98]),
            st.integers(0, 15),
            st.integers(1, 127),
            st.none() | CONDITIONS,
        ),
        max_size=24,
    ),
    st.dictionaries(st.integers(0, 15), st.sampled_from([0.25, 0.75, 3.0, 5 / 3, 7.5]), max_size=4),
)


@given(CONDITIONAL)
def test_conditions_come_back_from_json(beat):
    assert beat_from_json(beat_to_json(beat)) == beat
    assert canonical_json(beat_to_json(beat))


@pytest.mark.parametrize("wrong", [
    {"chance_percent": 0}, {"chance_percent": 101}, {"chance_percent": 50.5}, {"loops": "5:4"},
    {"loops": 3}, {"strokes": 9}, {"span_quarters": 0}, {"span_quarters": 5}, {"ramp_percent": 101},
    {"flam_quarters": 0.2}, {"flam_quarters": float("nan")}, {"swing": 1}, [], "x", None, 5,
])  # fmt: skip
def test_what_is_no_condition_is_refused_in_words(wrong):
    told = beat_to_json(alone(chance_percent=50))
    told["hits"][0][5] = wrong
    with pytest.raises(BeatError, match=r"\w+.*\."):
        beat_from_json(told)


@pytest.mark.parametrize("wrong", [
    {"kazoo": 3.0}, {"kick": 0.01}, {"kick": float("inf")}, {"kick": None}, [["kick", 3.0]],
])  # fmt: skip
def test_what_is_no_length_of_a_drum_is_refused_in_words(wrong):
    with pytest.raises(BeatError, match=r"\w+.*\."):
        beat_from_json({**beat_to_json(alone()), "lane_lengths": wrong})


@pytest.mark.parametrize("asked", [(0, 0, 0), (1, -1, 0), (1, 2**32, 0), (1, 0, 2), (20_000, 0, 0)])
def test_what_cannot_be_played_is_refused_in_words(asked):
    beat = Beat(tuple(hit("kick", step / 4, strokes=8) for step in range(16)), 1)
    with pytest.raises(BeatError, match=r"\w+.*\."):
        as_played(beat, *asked)


def test_a_large_seed_plays_in_32_bits():
    made = Beat((), 1, provenance=Provenance(seed=2**62 + 5))
    assert play_seed(made) == 2**30 + 5
    assert play_seed(alone()) == 0


# -- as notation ---------------------------------------------------------------------------------

NOTATION = """beat: Sometimes
tempo: 124
BD |x... x... x... x...|%|
CH |x.x. x.x. x.x. x.x.|%| +4ms 12steps @*:90% @1.3:50%,x4-60 @2.15:not-first,flam/16
CP |.... x... .... x...|.... x... .... x..x| @2.16:2:4
"""


def test_a_row_of_notation_says_what_is_asked_of_its_strokes():
    (beat,) = parse_patterns(NOTATION, "house.beat", "house")
    asked = {(one.drum.name, int(one.onset_quarters * 4 + 0.5)): one.condition for one in beat.hits}
    assert asked["kick", 0] is None
    assert asked["closed_hat", 0] == Condition(90)
    assert asked["closed_hat", 2] == Condition(50, strokes=4, ramp_percent=-60)
    assert asked["closed_hat", 30] == Condition(loops="not-first", flam_quarters=1 / 16)
    assert asked["clap", 31] == Condition(loops="2:4")
    assert beat.lane_lengths == ((LANE["closed_hat"], 3.0),)


@pytest.mark.parametrize("wrong", [
    "@1.2:50%", "@9.1:50%", "@1.1:", "@1.1:200%", "@1.1:5:4", "@1.1:x9", "@1.1:x4-200",
    "@1.1:flam/2", "@1.1:flam/0", "0steps", "@1:50%", "@1.1:50%,often",
])  # fmt: skip
def test_notation_that_asks_for_nothing_known_is_an_error_with_its_line(wrong):
    with pytest.raises((PatternError, BeatError), match=r"\w+.*\."):
        parse_patterns(f"beat: A\nBD |x... x... x... x...| {wrong}", "house.beat", "house")


# -- as MIDI -------------------------------------------------------------------------------------


def test_a_midi_file_keeps_the_conditions_and_what_was_altered_in_it_is_not_heeded():
    beat = tricky()
    again = read_beat(midi_bytes(beat))
    assert [one.condition for one in again.hits] == [one.condition for one in beat.hits]
    assert again.lane_lengths == beat.lane_lengths
    spoilt = midi_bytes(beat).replace(b'"chance_percent":', b'"chance_perhaps":')
    assert not read_beat(spoilt).has_conditions
    assert len(read_beat(spoilt).hits) == len(beat.hits)


# -- in the browser ------------------------------------------------------------------------------


def sent(beat, seed):
    """A beat as the engine takes it, with its conditions."""
    told = beat_to_json(beat)["hits"]
    hits = [
        [*row, *([mine[5]] if mine[5:] else [])]
        for row, mine in zip(as_sent(beat)["hits"], told, strict=True)
    ]
    lengths = [list(length) for length in beat.lane_lengths]
    return {**as_sent(beat), "hits": hits, "lengths": lengths, "seed": seed}


def tricky():
    """Two bars with every kind of condition, in drums of three lengths."""
    hats = [
        hit("closed_hat", step / 4, 60 + step, chance_percent=20 + 2 * step, strokes=1 + step % 8,
            ramp_percent=100 - 6 * step, flam_quarters=(step % 3) / 32)
        for step in range(32)
    ]  # fmt: skip
    kicks = [hit("kick", 2.0 * place, 120, loops=loops) for place, loops in enumerate(LOOPS[:4])]
    claps = [hit("clap", step / 3, 90, loops=LOOPS[step + 3]) for step in range(9)]
    ride = [replace(hit("ride", 0.25, 80, chance_percent=50, strokes=3), duration_quarters=0.5)]
    lengths = ((LANE["clap"], 3.0), (LANE["closed_hat"], 7.75))
    return Beat(tuple(hats + kicks + claps + ride), 2, 240.0, lane_lengths=lengths)


PLAYED = """async ([beat, swing, end, step]) => {
  const { placed, strokesBetween } = await import('./deck/pattern.js')
  const found = []
  for (let from = 0; from < end; from += step) {
    const to = Math.min(end, from + step)
    for (const one of strokesBetween(placed(beat, 0, 0, swing), from, to))
      found.push([one.quarter, one.lane, one.velocity, one.duration])
  }
  return found
}"""


@pytest.mark.browser
@pytest.mark.parametrize("swing", [0.0, 0.7])
def test_the_browser_plays_what_python_plays_over_thousands_of_loops(browser, swing):
    context = browser.new_context()
    booth = open_booth(context, record=False)
    six_eight = Beat((hit("kick", 0.5, chance_percent=33, strokes=2),), 1, meter=Meter(6, 8))
    beats = ((tricky(), 400), (six_eight, 5_000), (load_patterns()[3], 64))
    for beat, bars in beats:
        for seed in (90_210, 2**32 - 1):
            here = as_played(beat, bars, seed, swing)
            there = booth.page.evaluate(
                PLAYED, [sent(beat, seed), swing, here.length_quarters, 37.3]
            )
            assert sorted(
                (one.onset_quarters, one.lane, one.velocity, one.duration_quarters)
                for one in here.hits
            ) == sorted(map(tuple, there))  # to the bit
    context.close()


@pytest.mark.browser
def test_midi_as_played_is_what_reaches_the_loudspeaker(browser):
    """The file of a seed, read by mido, against the recorded frames of the deck."""
    bars, tempo = 6, 240.0
    hats = [
        hit("closed_hat", step / 4, 100, chance_percent=50, strokes=1 + 2 * (step % 4 == 3))
        for step in range(16)
    ]
    kicks = [
        hit("kick", 0, 110, loops="1:2"),
        hit("kick", 2.5, 110, loops="not-first", flam_quarters=1 / 16),
    ]
    claps = [Hit.of("clap", 1.0, 80), hit("clap", 2.25, 120, loops="2:3")]
    beat = Beat((*hats, *kicks, *claps), 1, tempo, lane_lengths=((LANE["clap"], 3.0),))
    context = browser.new_context()
    booth = open_booth(context, CLICKS)
    for seed in (11, 12):
        file = mido.MidiFile(file=io.BytesIO(midi_bytes(as_played(beat, bars, seed))))
        expected = {}  # frame → height, of all drums that are struck at once
        seconds = 0.0
        lanes = {Hit.of(name, 0).note: name for name in ("kick", "clap", "closed_hat")}
        for message in file:
            seconds += message.time
            if message.type == "note_on" and message.velocity:
                height = level_of(lanes[message.note]) * message.velocity / 127
                frame = round(seconds * RATE)
                expected[frame] = expected.get(frame, 0) + height
        tick = 60 / tempo / 480 * RATE  # of MIDI: 23 frames at this tempo
        for attempt in range(3):  # a page that stands still on a busy machine loses strokes
            booth.do("engine.stop(); engine.setBeat('A', null); recorded.blocks.length = 0")
            booth.play({**sent(beat, seed), "id": f"seed {seed}, {attempt}"})
            booth.until(f"engine.heardQuarter > {4 * bars + 1}")
            heard = booth.heard().strokes()
            start = heard[0][0] - min(expected)
            end = start + bars * 4 * 60 / tempo * RATE - tick
            heard = [stroke for stroke in heard if stroke[0] < end]
            if len(heard) == len(expected):
                break
        assert len(heard) == len(expected)
        for (at, height), frame in zip(heard, sorted(expected), strict=True):
            assert abs(at - start - frame) <= tick / 2 + 1
            assert height == pytest.approx(expected[frame], rel=0.02)
    context.close()
