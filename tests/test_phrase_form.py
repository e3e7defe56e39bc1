"""The form of a phrase: what comes again is told and comes again, what rests stays silent."""

from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dj_core.models.groove.groove_player import load_groove_player
from dj_core.models.groove.phrase_form import (
    DECIDED,
    FORM_BARS,
    HALVES,
    REST,
    Repeats,
    form_of,
)
from dj_core.models.request import GenerationRequest
from dj_core.music.step_grid import encode, to_grid

BAR = 16
SHIPPED = Path(__file__).parents[1] / "models" / "groove"


def phrase(generator, drums=3):
    """Eight bars made of two bars, one of them changed, and rests."""
    a, b = (generator.random((BAR, drums)) < 0.3 for _ in range(2))
    changed = b.copy()
    changed[12:] = ~changed[12:]
    silent = np.zeros_like(a)
    return np.concatenate([a, b, a, changed, a, b, silent, changed])


@given(st.integers(0, 10_000))
def test_a_phrase_is_played_again_from_its_form_and_what_is_new_in_it(seed):
    struck = phrase(np.random.default_rng(seed))
    repeats = Repeats.of(form_of(struck, BAR)[None], len(struck), np.array([BAR]))
    played = np.zeros((1, len(struck), struck.shape[1]), bool)
    for now in range(len(struck)):
        then = played[0, repeats.before[now, 0], np.arange(struck.shape[1])][None]
        added = repeats.decided(now, then)
        is_free = np.abs(added) < DECIDED
        played[:, now] = np.where(is_free, struck[now], added > 0)
    assert (played[0] == struck).all()


def test_codes_tell_rests_repeats_and_changes():
    struck = phrase(np.random.default_rng(1))
    struck[:, 0] = False
    struck[0, 0] = True  # a drum that sounds once
    form = form_of(struck, BAR)
    assert form.shape == (HALVES, 3)
    assert (form[1:, 0] == REST).all()
    assert (form[4, 1:] == 2).all()  # the first bar again
    assert (form[7, 1:] > FORM_BARS).all()  # changed from an earlier bar
    assert (form[0] == 0).all()


def test_takes_of_a_style_repeat_exactly_where_its_phrase_does(monkeypatch):
    model = load_groove_player(SHIPPED)
    found, draw_style = [], model.draw_style
    monkeypatch.setattr(
        model, "draw_style", lambda *asked: found.append(draw_style(*asked)) or found[-1]
    )
    requests = [GenerationRequest(genre="house", bars=8, seed=seed) for seed in range(5, 9)]
    takes = model.generate_all(requests)
    for drawn, take in zip(found, takes, strict=True):
        struck = to_grid(encode(take.beat)).velocity > 0
        assert drawn.form is not None
        again = form_of(struck, BAR)
        assert (again[drawn.form == REST] == REST).all()
        copied = (drawn.form > 0) & (drawn.form < FORM_BARS)
        assert copied.any()
        assert (again[copied] < FORM_BARS).all()  # a repeat, or a repeated rest
