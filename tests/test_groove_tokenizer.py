"""Grooves: every stroke survives the tokens, moved by less than an ear can tell."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dj_core.errors import TokenizerError
from dj_core.files.midi import read_midi
from dj_core.music import step_grid
from dj_core.music.beat import Beat, Hit, Meter
from dj_core.music.drums import DRUMS
from dj_core.music.patterns import load_patterns
from dj_core.music.step_grid import METERS, Grid, Groove, decode, encode, from_grid, to_grid

LIMIT_QUARTERS = 1 / 96


@st.composite
def beats(draw):
    meter = draw(st.sampled_from(METERS))
    bars = draw(st.integers(1, 3))
    end = meter.bar_quarters * bars
    onset = st.one_of(
        st.floats(0, end, exclude_max=True),
        st.integers(0, int(end * 96) - 1).map(lambda tick: tick / 96),
    )
    hit = st.builds(Hit, onset, st.integers(0, len(DRUMS) - 1), st.integers(1, 127))
    return Beat(tuple(draw(st.lists(hit, max_size=40))), bars=bars, meter=meter)


def by_lane(beat):
    return [sorted(h.onset_quarters for h in beat.hits if h.lane == lane) for lane in range(16)]


def assert_same_strokes(before, after):
    assert (after.bars, after.meter) == (before.bars, before.meter)
    for was, now in zip(by_lane(before), by_lane(after), strict=True):
        assert len(was) == len(now)
        assert all(abs(a - b) <= LIMIT_QUARTERS for a, b in zip(was, now, strict=True))


@given(beats())
def test_no_stroke_is_lost_and_none_moves_by_more_than_a_96th(beat):
    assert_same_strokes(beat, decode(encode(beat)))


@given(beats())
def test_a_second_round_trip_changes_nothing(beat):
    once = decode(encode(beat))
    assert decode(encode(once)).hits == once.hits


@given(st.integers(1, 127))
def test_velocities_stay_in_their_bin_and_127_stays_127(velocity):
    after = decode(encode(Beat((Hit(0.0, 0, velocity),), bars=1))).hits[0].velocity
    assert abs(after - velocity) < 4
    assert (after == 127) == (velocity == 127)


def test_the_bins_share_out_all_velocities():
    bins = [step_grid.velocities_of_bin(index) for index in range(step_grid.VELOCITY_BINS)]
    assert [velocity for members in bins for velocity in members] == list(range(1, 128))
    for index, members in enumerate(bins):
        assert {step_grid.velocity_bin(velocity) for velocity in members} == {index}


@pytest.mark.parametrize("onset", [1 / 3, 2 / 3, 1 / 6, 1 / 8, 3 / 8, 0.25])
def test_triplets_and_32nds_are_exact(onset):
    after = decode(encode(Beat((Hit(onset, 4, 90),), bars=1)))
    assert after.hits[0].onset_quarters == pytest.approx(onset, abs=1e-12)


def test_drawn_shifts_stay_within_their_96th():
    beat = Beat((Hit(1.0, 0, 90), Hit(2.25, 1, 90)), bars=1)
    shifted = decode(encode(beat), shifts=np.array([0.5, -0.5]))
    assert_same_strokes(beat, shifted)
    assert [hit.onset_quarters for hit in shifted.hits] == pytest.approx([193 / 192, 431 / 192])


def test_starter_patterns_survive():
    patterns = [beat for beat in load_patterns() if beat.meter in METERS]
    assert len(patterns) > 200
    for beat in patterns:
        assert_same_strokes(beat, decode(encode(beat)))


def test_played_performances_survive(corpora):
    paths = sorted((corpora / "groove").rglob("*.mid"))[::25]
    assert len(paths) > 10
    for path in paths:
        beat = read_midi(path)
        if beat.meter in METERS:
            assert_same_strokes(beat, decode(encode(beat)))


@given(beats())
def test_the_grid_keeps_the_loudest_stroke_of_a_cell_and_that_there_are_more(beat):
    tokens = encode(beat)
    inside = tokens.strokes[tokens.strokes[:, 0] < tokens.steps]
    back = from_grid(to_grid(tokens), beat.meter)
    for step, lane in np.unique(inside[:, :2], axis=0):
        mine = back.strokes[(back.strokes[:, 0] == step) & (back.strokes[:, 1] == lane)]
        theirs = inside[(inside[:, 0] == step) & (inside[:, 1] == lane)]
        places = len(set(theirs[:, 3].tolist()))
        assert mine[:, 2].max() == theirs[:, 2].max()
        assert min(places, 2) <= len(mine) <= min(places, 8)


@given(
    st.integers(2, 8),
    st.integers(1, 24),
    st.integers(0, 15),
    st.sampled_from([(30, 110), (90, 60)]),
)
def test_a_roll_of_up_to_eight_strokes_keeps_each_of_them(strokes, step, lane, velocities):
    apart_quarters = 0.25 / strokes
    levels = np.linspace(*velocities, strokes)
    hits = tuple(
        Hit(step / 4 + number * apart_quarters, lane, round(level))
        for number, level in enumerate(levels)
    )
    rolled = Beat(hits, bars=2)
    back = decode(from_grid(to_grid(encode(rolled)), rolled.meter))
    assert len(back.hits) == strokes
    for hit, written in zip(back.hits, rolled.hits, strict=True):
        assert abs(hit.onset_quarters - written.onset_quarters) <= 1 / 96
        assert abs(hit.velocity - written.velocity) <= 6


def test_a_flam_is_two_strokes_of_one_cell():
    flam = Beat((Hit(0.97, 1, 40), Hit(1.0, 1, 110)), bars=1)
    grid = to_grid(encode(flam))
    assert grid.velocity[4, 1] == 1 + step_grid.velocity_bin(110)
    assert grid.second_velocity[4, 1] == 1 + step_grid.velocity_bin(40)
    assert int(grid.second_offset[4, 1]) - int(grid.offset[4, 1]) == -3


def test_a_stroke_that_anticipates_the_last_bar_line_belongs_to_the_step_after_it():
    late = Beat((Hit(3.99, 0, 100),), bars=1)
    assert encode(late).strokes[0, 0] == 16
    assert not to_grid(encode(late)).velocity.any()
    assert_same_strokes(late, decode(encode(late)))


def test_an_empty_grid_is_an_empty_groove():
    assert len(from_grid(Grid.empty(12), Meter(3, 4)).strokes) == 0


def test_other_meters_are_refused_with_those_that_work():
    with pytest.raises(TokenizerError, match=r"4/4.*got 7/8"):
        encode(Beat((), bars=1, meter=Meter(7, 8)))


@pytest.mark.parametrize("row", [(17, 0, 0, 0), (0, 16, 0, 0), (0, 0, 33, 0), (0, 0, 0, 13)])
def test_tokens_out_of_range_are_refused(row):
    with pytest.raises(TokenizerError, match=r"is (0|-12) to"):
        Groove(Meter(), 1, np.array([row]))
