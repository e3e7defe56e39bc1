"""Coins and lots: the plain formulas, and what is worked out beforehand, agree."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dj_core.models.groove.temperature import Heat

logits = st.floats(-30, 30)
draws = st.floats(0, 1, exclude_max=True)
temperatures = st.one_of(st.just(0.0), st.just(1.0), st.floats(0.05, 10))
nuclei = st.one_of(st.just(1.0), st.floats(0.001, 1))


def heat_of(temperature, top_p):
    return Heat(np.array([temperature]), np.array([top_p]))


@given(logits, draws, temperatures, nuclei)
def test_a_coin_falls_as_its_odds_say(logit, draw, temperature, top_p):
    heat = heat_of(temperature, top_p)
    got = logit > heat.demands(np.array([draw]))[0]
    if temperature == 0:
        assert got == (logit > 0)
        return
    chance = 1 / (1 + np.exp(-logit / temperature))
    likelier = max(chance, 1 - chance)
    if min(abs(logit), abs(draw - chance), abs(likelier - top_p)) < 1e-9:
        return  # rounding decides
    certain = top_p < 1 and likelier >= top_p
    assert got == (chance > 0.5 if certain else draw < chance)


@given(st.lists(logits, min_size=1, max_size=33, unique=True), draws, temperatures, nuclei)
def test_a_lot_falls_as_its_odds_say(scores, draw, temperature, top_p):
    got = heat_of(temperature, top_p).choose(np.array([scores]), np.array([draw]), np.array([0]))[0]
    if temperature == 0:
        assert got == np.argmax(scores)
        return
    scaled = np.array(scores) / temperature
    odds = np.exp(scaled - scaled.max())
    odds /= odds.sum()
    order = np.argsort(-odds, kind="stable")
    likelier = np.cumsum(odds[order]) - odds[order]
    alike = np.abs(np.diff(np.sort(odds))) < 1e-9
    if alike.any() or (np.abs(likelier - top_p) < 1e-9).any():
        return  # rounding decides
    odds[order[likelier >= top_p]] = 0
    assert odds[got] > 0
    below = odds[:got].sum() / odds.sum()
    assert below - 1e-9 <= draw <= below + odds[got] / odds.sum() + 1e-9


def test_every_row_has_a_heat_of_its_own():
    heat = Heat(np.array([0.0, 1.0]), np.array([1.0, 0.5]))
    scores, rows = np.array([[0.0, 0.1], [0.0, 0.1]]), np.array([0, 1])
    assert heat.choose(scores[::-1], np.array([0.1, 0.1]), rows).tolist() == [1, 1]
    warm = Heat(np.array([0.0, 1.0]), np.ones(2))
    assert warm.choose(scores, np.array([0.1, 0.1]), rows).tolist() == [1, 0]
    assert warm.choose(scores, np.array([0.1, 0.1]), rows[::-1]).tolist() == [0, 1]
