"""Shaping without a model: distances, morphs, tightening, taps, attributes, history, copy meter."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from dj_core.errors import BeatError
from dj_core.music.beat import Beat, Hit, Meter
from dj_core.music.drums import DRUMS, LANE
from dj_core.music.patterns import load_patterns
from dj_core.shaping.attributes import (
    Straightened,
    attributes,
    genre_norm,
    genre_norms,
    swing_of,
    with_loudness,
    with_swing,
)
from dj_core.shaping.copy_meter import (
    Fingerprints,
    fingerprint,
    numbered_bars,
    shipped_fingerprints,
    write_fingerprints,
)
from dj_core.shaping.distance import distance, match, relative_distance
from dj_core.shaping.locks import Keep, drums_of, hits_in, struck
from dj_core.shaping.morphing import looped, morph
from dj_core.shaping.steering import STEERED, Board, steer, values_after, values_of
from dj_core.shaping.tapping import Tap, only, rhythm_of
from dj_core.shaping.tightening import GRIDS, tighten

HITS = st.builds(
    Hit,
    st.floats(0, 7.99, allow_subnormal=False),
    st.integers(0, len(DRUMS) - 1),
    st.integers(1, 127),
)
BEATS = st.lists(HITS, max_size=24).map(lambda hits: Beat(tuple(hits), bars=2, tempo_bpm=120.0))


def on_steps(**drums):
    """A bar of 4/4: on_steps(kick=[0, 8], snare=[4, 12])."""
    hits = [Hit.of(drum, step / 4) for drum, steps in drums.items() for step in steps]
    return Beat(tuple(hits), bars=1, tempo_bpm=120.0)


ROCK = on_steps(kick=[0, 8], snare=[4, 12], closed_hat=range(0, 16, 2))
HOUSE = on_steps(kick=[0, 4, 8, 12], open_hat=[2, 6, 10, 14], clap=[4, 12])


# -- what is kept ---------------------------------------------------------------------------------


def test_a_family_names_all_its_drums():
    assert drums_of(["hat", "Side Stick"]) == {"closed_hat", "pedal_hat", "open_hat", "side_stick"}


def test_a_drum_there_is_none_of_is_refused():
    with pytest.raises(BeatError, match="No drum is called 'gong'"):
        drums_of(["gong"])
    with pytest.raises(BeatError, match="gong"):
        Keep(drums={"gong"})


def test_drums_bars_steps_and_cells_are_kept_together():
    beat = looped(ROCK, 2)
    mask = Keep(drums={"kick"}, bars={2}, steps={1}, cells={(4, LANE["snare"])}).mask(beat)
    assert mask[:, LANE["kick"]].all()
    assert mask[16:].all()
    assert mask[0].all()
    assert mask[4, LANE["snare"]]
    assert not mask[4, LANE["closed_hat"]]
    assert not mask[5, LANE["snare"]]


def test_a_hit_that_anticipates_the_end_belongs_to_the_last_16th():
    beat = Beat((Hit(3.99, LANE["crash"], 100),), bars=1)
    assert struck(beat)[15, LANE["crash"]]
    assert hits_in(beat, Keep(steps={16}).mask(beat)) == beat.hits


# -- distance -------------------------------------------------------------------------------------


@given(BEATS)
def test_a_beat_is_no_distance_from_itself(beat):
    assert distance(beat, beat) == pytest.approx(0)


@given(BEATS, BEATS)
def test_distance_is_the_same_both_ways(a, b):
    assert distance(a, b) == pytest.approx(distance(b, a))
    assert 0 <= relative_distance(a, b) <= 1 + 1e-9


@given(BEATS, BEATS, BEATS)
def test_no_detour_is_shorter(a, b, c):
    assert distance(a, c) <= distance(a, b) + distance(b, c) + 1e-6


def test_a_stroke_costs_what_the_docs_say():
    one = Beat((Hit(0.0, 0, 127),), bars=1)
    assert distance(one, Beat((), bars=1)) == pytest.approx(1.0)
    assert distance(one, Beat((Hit(0.125, 0, 127),), bars=1)) == pytest.approx(0.25)
    assert len(match(one, Beat((Hit(0.0, 1, 127),), bars=1)).added) == 1  # another drum


# -- morph ----------------------------------------------------------------------------------------


@given(BEATS, BEATS, st.integers(2, 9))
def test_every_step_of_a_morph_is_a_step_on(a, b, steps):
    assume(distance(a, b) > 3)
    path = morph(a, b, steps)
    assert len(path) == steps
    assert path[0] is a
    assert path[-1] is b
    away, left = ([distance(end, beat) for beat in path] for end in (a, b))
    assert all(x < y for x, y in pairwise(away))
    assert all(x > y for x, y in pairwise(left))


def test_strokes_both_have_move_from_one_to_the_other():
    a = Beat((Hit(1.0, 0, 100),), bars=1, tempo_bpm=100.0)
    b = Beat((Hit(1.2, 0, 60),), bars=1, tempo_bpm=121.0)
    middle = morph(a, b, 3)[1]
    assert middle.hits[0].onset_quarters == pytest.approx(1.1)
    assert middle.hits[0].velocity == 80
    assert middle.tempo_bpm == pytest.approx(110)


def test_beats_too_alike_are_refused():
    with pytest.raises(BeatError, match="too alike"):
        morph(ROCK, ROCK, 4)


@pytest.mark.parametrize("other", [looped(ROCK, 2), Beat((), bars=1, meter=Meter(3, 4))])
def test_other_lengths_and_meters_are_refused(other):
    with pytest.raises(BeatError, match="one meter and length"):
        morph(ROCK, other, 4)


@given(BEATS, st.integers(1, 9))
def test_a_looped_beat_repeats_what_it_is_made_of(beat, bars):
    longer = looped(beat, bars)
    assert longer.bars == bars
    if bars > beat.bars:
        assert longer.hits[: len(beat.hits)] == beat.hits


# -- tighten --------------------------------------------------------------------------------------


@given(BEATS, st.sampled_from(sorted(GRIDS)))
def test_fully_tightened_strokes_lie_on_the_grid(beat, grid):
    for hit in tighten(beat, grid=grid).hits:
        if hit.onset_quarters < 7.7:  # later ones may lead into what follows
            places = [abs(hit.onset_quarters / s - round(hit.onset_quarters / s)) * s
                      for s in GRIDS[grid]]  # fmt: skip
            assert min(places) < 1e-9


@given(BEATS, st.floats(0, 1))
def test_tightening_brings_nearer_and_loses_nothing(beat, amount):
    tight = tighten(beat, amount)
    assert sorted(hit.velocity for hit in tight.hits) == sorted(hit.velocity for hit in beat.hits)

    def off(one):
        return sum(abs(hit.onset_quarters * 4 - round(hit.onset_quarters * 4)) for hit in one.hits)

    assert off(tight) <= off(beat) + 1e-9


def test_no_tightening_leaves_a_beat_as_it_is():
    assert tighten(HOUSE, 0.0).hits == HOUSE.hits


# -- taps -----------------------------------------------------------------------------------------


def test_taps_become_strokes_at_their_tempo():
    taps = [Tap(10 + seconds, "kick") for seconds in (0, 0.52, 0.99, 1.5)]
    rhythm = rhythm_of(taps, 120.0)
    assert [hit.onset_quarters for hit in rhythm.hits] == [0, 1, 2, 3]
    assert rhythm.bars == 1


@pytest.mark.parametrize("tempo", [84.0, 96.0, 120.0, 126.0, 140.0])
def test_a_tempo_is_found_within_a_percent(tempo):
    jitter = np.random.default_rng(3).normal(0, 0.008, 12)
    steps = np.array([0, 3, 4, 6, 8, 10, 12, 14, 16, 20, 24, 28])
    taps = [Tap(float(t)) for t in steps * 60 / tempo / 4 + jitter]
    found = rhythm_of(taps).tempo_bpm
    assert min(abs(found / tempo / factor - 1) for factor in (0.5, 0.75, 1, 4 / 3, 2)) < 0.015


def test_taps_that_tell_no_tempo_are_refused():
    with pytest.raises(BeatError, match="do not tell a tempo"):
        rhythm_of([Tap(0.0), Tap(0.5)])
    with pytest.raises(BeatError, match="1 to 1000 taps"):
        rhythm_of([])


def test_one_drum_alone():
    assert {hit.drum.name for hit in only(ROCK, ["kick"]).hits} == {"kick"}


# -- attributes -----------------------------------------------------------------------------------


def test_attributes_of_a_plain_beat():
    its = attributes(ROCK)
    assert its.density == 3.0  # twelve cells in four quarters
    assert its.syncopation == (0 + 2 + 1 + 2) / 4  # the one, two, three and four; no silence
    assert its.swing == pytest.approx(50.0)


def test_a_stroke_before_a_silent_beat_is_syncopated():
    on_the_beat = attributes(on_steps(kick=[0, 4, 8, 12])).syncopation
    ahead = attributes(on_steps(kick=[0, 3, 8, 12])).syncopation
    answered = attributes(on_steps(kick=[0, 3, 4, 8, 12])).syncopation
    assert on_the_beat < answered < ahead


def test_what_repeats_is_not_complex():
    assert attributes(looped(ROCK, 4)).complexity == 0
    changing = replace(looped(ROCK, 2), hits=(*ROCK.hits, Hit.of("snare", 4.25)))
    assert attributes(changing).complexity > 0


@given(st.floats(46, 67))
def test_swing_set_is_swing_measured_and_nothing_else_moves(percent):
    for beat in (looped(ROCK, 2), on_steps(closed_hat=range(16), kick=[0, 8])):
        swung = with_swing(beat, percent)
        assert swing_of(swung)[0] == pytest.approx(percent, abs=0.5)
        before, after = attributes(beat), attributes(swung)
        assert after.density == before.density
        assert after.loudness == before.loudness


@given(BEATS.filter(lambda beat: len(beat.hits) > 3), st.integers(30, 110))
def test_loudness_set_is_loudness_measured_and_order_stays(beat, mean):
    louder = with_loudness(beat, mean)
    assert np.mean([hit.velocity for hit in louder.hits]) == pytest.approx(mean, abs=3)
    pairs = sorted(zip((h.velocity for h in beat.hits), (h.velocity for h in louder.hits),
                       strict=True))  # fmt: skip
    assert all(one[1] <= other[1] for one, other in pairwise(pairs) if one[0] < other[0])


def test_every_slider_position_has_one_value_and_back():
    for norm in genre_norms().values():
        for name in attributes(ROCK).as_dict():
            values = [norm.target(name, asked) for asked in (-2, -1, 0, 1, 2)]
            assert all(x < y for x, y in pairwise(values))
            assert norm.position(name, values[1]) == pytest.approx(-1)
            assert norm.position(name, values[4]) == pytest.approx(2)


def test_a_genre_nobody_knows_has_the_norm_of_any():
    assert genre_norm("polka") == genre_norms()[""]


# -- steering: what every cell would change --------------------------------------------------------

LOOPS = st.tuples(
    st.sampled_from([(16, 1), (16, 2), (16, 3), (12, 2)]),
    st.sampled_from([0.0, 0.5, 1.0]),
    st.integers(0, 2**32 - 1),
    st.sampled_from([0.03, 0.15, 0.4]),
)


def board_of(loop):
    (per_bar, bars), swung_pair, seed, share = loop
    cells = np.random.default_rng(seed).random((per_bar * bars, len(DRUMS))) < share
    return Board(cells, np.ones_like(cells), per_bar, swung_pair)


@given(LOOPS, st.data())
def test_what_a_change_would_do_is_what_it_does(loop, data):
    board = board_of(loop)
    foretold = values_after(board, board.cells)
    for _ in range(6):
        step = data.draw(st.integers(0, len(board.cells) - 1))
        lane = data.draw(st.integers(0, len(DRUMS) - 1))
        changed = board.cells.copy()
        changed[step, lane] ^= True
        for name, value in values_of(board, changed).items():
            assert foretold[name][step, lane] == pytest.approx(value, abs=1e-9)


@pytest.mark.parametrize("beat", list(load_patterns())[::40], ids=lambda b: b.title)
def test_cells_are_counted_as_beats_are(beat):
    its, straight = attributes(beat), Straightened(beat)
    cells = np.zeros((straight.steps, len(DRUMS)), bool)
    for cell in straight.cells:
        cells[cell] = True
    board = Board(cells, np.ones_like(cells), straight.steps // beat.bars)
    values = values_of(board, cells)
    for name in STEERED:
        assert values[name] == pytest.approx(getattr(its, name))


@pytest.mark.parametrize("goals", [{"density": 3.0}, {"density": 8.0}, {"syncopation": 3.2}])
def test_a_loop_is_steered_to_its_goal_and_keeps_what_is_not_free(goals):
    board = board_of(((16, 2), 0.0, 7, 0.3))
    held = np.arange(len(DRUMS)) == LANE["closed_hat"]
    board = replace(board, free=board.free & ~held)
    norm = genre_norm("funk")
    cells = steer(board, goals, norm, lambda loops: np.zeros(loops.shape), seed=1)
    before, after = values_of(board, board.cells), values_of(board, cells)
    for name in STEERED:
        wanted = goals.get(name, before[name])
        assert abs(norm.position(name, after[name]) - norm.position(name, wanted)) < 0.4
    assert (cells[:, held] == board.cells[:, held]).all()


# -- copy meter -----------------------------------------------------------------------------------


@pytest.fixture
def prints(tmp_path):
    path = tmp_path / "bars.npz"
    write_fingerprints([("mine", "rock.mid", ROCK), ("mine", "house.mid", HOUSE)], [ROCK], path)
    with np.load(path) as content:
        import json

        return Fingerprints(content["hashes"], content["files"],
                            json.loads(bytes(content["facts"])))  # fmt: skip


def test_the_nearest_bar_is_found_with_its_distance_and_file(prints):
    (same,) = prints.nearest(ROCK)
    assert (same.distance, same.file, same.corpus) == (0, "rock.mid", "mine")
    (near,) = prints.nearest(replace(ROCK, hits=(*ROCK.hits[1:], Hit.of("crash", 0.0))))
    assert (near.distance, near.file) == (2, "rock.mid")
    (far,) = prints.nearest(on_steps(ride=range(16)))
    assert (far.distance, far.file) == (None, "")


def test_fingerprints_ship_with_every_starter_pattern_and_no_music():
    known = shipped_fingerprints()
    pattern = next(beat for beat in load_patterns() if beat.meter == Meter())
    assert known.nearest(pattern, reach=0)[0].distance == 0
    assert 0 < known.usual.within[0] < known.usual.within[2] < 1


def test_bars_in_other_meters_are_not_compared():
    with pytest.raises(BeatError, match="4/4"):
        numbered_bars(Beat((), bars=1, meter=Meter(3, 4)))


def test_a_fingerprint_is_48_bits():
    bar = numbered_bars(ROCK)[0][1]
    assert 0 <= fingerprint(bar) < 2**48
    assert fingerprint(bar) != fingerprint(~bar)
