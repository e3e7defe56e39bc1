"""The form of a phrase: what comes again is told and comes again, what rests stays silent."""

from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dj_core.evaluation.alive import liveliness
from dj_core.models.groove.groove_player import load_groove_player
from dj_core.models.groove.phrase_form import (
    CHANGES,
    HALVES,
    LARGEST,
    LEANS,
    LEVEL_OF_BIN,
    NEAR,
    OWN_VOICES,
    REST,
    Repeats,
    form_of,
)
from dj_core.models.request import GenerationRequest
from dj_core.music.composer import written_phrases
from dj_core.music.drums import LANE
from dj_core.music.step_grid import LANES, MAX_OFFSET, Grid, encode, to_grid

BAR = 16
FORM_BARS = HALVES // 2
SHIPPED = Path(__file__).parents[1] / "models" / "groove"


def phrase(generator, drums=3, bar=BAR):
    """Velocity bins of eight bars made of two bars, one of them changed, and rests."""
    a, b = (
        np.where(generator.random((bar, drums)) < 0.3, generator.integers(1, 34, (bar, drums)), 0)
        for _ in range(2)
    )
    changed, moved = b.copy(), a.copy()
    changed[12:] = np.where(changed[12:], 0, 20)
    moved[:4] = np.where(moved[:4], 1 + (moved[:4] + 15) % 33, 0)
    silent = np.zeros_like(a)
    return np.concatenate([a, b, a, changed, moved, b, silent, changed])


def grid_of(velocity, **parts):
    """A grid of these strokes, all on their 16ths if nothing else is said."""
    offset = np.where(velocity > 0, 1 + MAX_OFFSET, 0)
    silent = np.zeros_like(velocity)
    given_ = {"second_velocity": silent, "offset": offset, **parts}
    return Grid(velocity, second_offset=silent, between=silent, **given_)


@given(st.integers(0, 10_000), st.sampled_from([12, 16, 20, 24]))
def test_a_phrase_is_played_again_from_its_form_and_what_is_new_in_it(seed, bar):
    velocity = phrase(np.random.default_rng(seed), bar=bar)
    form = form_of(grid_of(velocity), bar)
    assert form.min() >= REST
    assert form.max() <= LARGEST
    repeats = Repeats.of(form[None], len(velocity), np.array([bar]))
    played, drums = np.zeros((len(velocity), 3), int), np.arange(3)
    for now, written in enumerate(velocity):
        then = played[repeats.before[now, 0], drums]
        added = repeats.decided(now, then[None] > 0)[0]
        is_free = np.abs(added) < CHANGES
        struck = np.where(is_free, written > 0, added > 0)
        again = (repeats.before[now, 0] >= 0) & (then > 0) & ~repeats.moved[now, 0]
        played[now] = np.where(struck, np.where(again, then, written), 0)
    assert ((played > 0) == (velocity > 0)).all()
    assert np.abs(played - velocity).max() <= NEAR * FORM_BARS  # a little at each repeat
    assert (np.abs(played - velocity)[: 4 * bar] <= NEAR).all()


@given(st.integers(0, 10_000))
def test_no_form_reaches_outside_what_is_played(seed):
    random = np.random.default_rng(seed)
    form = random.integers(REST, LARGEST, (2, HALVES, 3), endpoint=True)
    before = Repeats.of(form, 40, np.array([12, 24])).before
    assert (before >= -1).all()
    assert (before <= np.arange(40)[:, None, None]).all()


def test_codes_tell_rests_repeats_and_changes():
    velocity = phrase(np.random.default_rng(1))
    velocity[:, 0] = 0
    velocity[0, 0] = 20  # a drum that sounds once
    form = form_of(grid_of(velocity), BAR)
    assert form.shape == (HALVES, 3)
    assert (form[1:, 0] == REST).all()
    assert (form[4, 1:] == 2).all()  # the first bar again
    assert (form[7, 1:] > FORM_BARS).all()  # changed from an earlier bar
    new = Repeats.of(form[None], len(velocity), np.array([BAR]))
    assert (form[0] > FORM_BARS).all()  # new, with the levels of its strokes
    rests = form[:2].repeat(BAR // 2, axis=0) == REST
    told = np.where(rests, -1, LEVEL_OF_BIN[velocity[:BAR]])
    assert (new.level[:BAR, 0] == told).all()
    assert (new.level[4 * BAR : 5 * BAR, 0, 1:] == -1).all()


def test_what_changes_is_struck_or_left_out_as_written_whatever_the_take_played_before():
    velocity = phrase(np.random.default_rng(2))
    form = form_of(grid_of(velocity), BAR)
    repeats = Repeats.of(form[None], len(velocity), np.array([BAR]))
    code = form.repeat(BAR // 2, axis=0)
    changes = (code > 0) & (np.abs(repeats.odds[:, 0]) == CHANGES)
    assert changes.any()
    for then in (False, True):
        added = np.stack(
            [repeats.decided(now, np.full((1, 3), then))[0] for now in range(len(velocity))]
        )
        assert (np.sign(added[changes]) == np.where(velocity > 0, 1, -1)[changes]).all()


def test_new_half_bars_lean_to_their_phrase_but_for_drums_that_the_outline_tells():
    velocity = np.zeros((8 * BAR, LANES), int)
    velocity[::4], velocity[2::8] = 30, 10
    form = form_of(grid_of(velocity), BAR)
    repeats = Repeats.of(form[None], BAR, np.array([BAR]))
    leans = [LEANS if struck else -LEANS for struck in velocity[:BAR, 0] > 0]
    told = [LANE[drum] for drum in OWN_VOICES]
    for lane in range(LANES):
        asked = np.zeros(BAR) if lane in told else leans
        np.testing.assert_allclose(repeats.odds[:, 0, lane], asked)


def test_takes_of_a_style_repeat_exactly_where_its_phrase_does(monkeypatch):
    model = load_groove_player(SHIPPED)
    found, draw_style = [], model.draw_style
    monkeypatch.setattr(
        model, "draw_style", lambda *asked: found.append(draw_style(*asked)) or found[-1]
    )
    requests = [GenerationRequest(genre="house", bars=8, seed=seed) for seed in range(5, 9)]
    takes = model.generate_all(requests)
    for drawn, take in zip(found, takes, strict=True):
        grid = to_grid(encode(take.beat))
        assert drawn.form is not None
        again = form_of(grid, BAR)
        assert (again[drawn.form == REST] == REST).all()
        copied = (drawn.form > 0) & (drawn.form < FORM_BARS)
        assert copied.any()
        assert (again[copied] < FORM_BARS).all()  # a repeat, or a repeated rest


def test_triplets_and_rolls_are_told_by_the_beat_and_change_a_bar_that_has_other_strokes():
    velocity = np.zeros((2 * BAR, 1), int)
    velocity[[0, 1, 3, 4, 16, 17, 19, 20]] = 20
    offset, second = np.where(velocity > 0, 1 + MAX_OFFSET, 0), np.zeros_like(velocity)
    offset[17], offset[19] = 1 + MAX_OFFSET + 8, 1 + MAX_OFFSET - 8
    second[20] = 10
    form = form_of(grid_of(velocity, offset=offset, second_velocity=second), BAR)
    repeats = Repeats.of(form[None], 2 * BAR, np.array([BAR]))
    assert np.flatnonzero(repeats.triplets).tolist() == [17, 19]
    assert np.flatnonzero(repeats.rolls).tolist() == [20, 21, 22, 23]
    assert np.flatnonzero(repeats.odds[16:] == CHANGES).tolist() == [1, 3, 4]
    swing = np.zeros((1, 3))
    swing[0, 1] = 8.0  # the place of its strokes between the eighths
    late = form_of(grid_of(velocity, offset=offset), BAR, swing)
    of_swing = Repeats.of(late[None], 2 * BAR, np.array([BAR]))
    assert np.flatnonzero(of_swing.triplets).tolist() == [17, 19]  # one of the two is early
    offset[19] = offset[17]
    assert form_of(grid_of(velocity, offset=offset), BAR, swing)[2, 0] == 1  # the bar again


def test_takes_play_triplets_and_rolls_about_as_often_as_their_phrases():
    model = load_groove_player(SHIPPED)
    genres = ("trap", "footwork", "dubstep", "idm")
    requests = [
        GenerationRequest(genre=genre, bars=8, seed=seed)
        for genre in genres
        for seed in range(100, 112)
    ]
    takes = [liveliness(take.beat) for take in model.generate_all(requests)]
    phrases = [liveliness(beat) for genre in genres for beat in written_phrases(genre).phrases]
    for of in ("rolls", "triplets"):
        played, written = (
            np.mean([getattr(live, of) for live in side]) for side in (takes, phrases)
        )
        assert 0.4 * written < played < 2 * written, of
