"""The styles takes are told: the asked genre's, near in tempo, played ones first."""

from dataclasses import replace

import numpy as np
import pytest

from dj_core.library.library import SHIPPED_MODELS
from dj_core.models.groove.groove_checkpoint import load_groove_model, save_groove_model
from dj_core.models.groove.style_bias import measure_style_bias, settle_style_bias
from dj_core.models.groove.style_choice import ENOUGH_PLAYED, NEAREST_STYLES, PLAYED, StyleChoice
from dj_core.models.groove.style_vector import OUTLINE, SHARED_NAMES, STYLE_SIZE
from dj_core.models.request import GenerationRequest

DRAWN = 200


@pytest.fixture(scope="module")
def checkpoint():
    return load_groove_model(SHIPPED_MODELS / "groove")


@pytest.fixture(scope="module")
def tables(checkpoint):
    return replace(checkpoint.tables, bias=np.zeros(STYLE_SIZE, np.float32))


def drawn(tables, genres, genre, tempo_bpm, noise=0.0):
    """The styles of many takes, as numbers in the tables."""
    choice = StyleChoice(tables, genres)
    request = GenerationRequest(genre=genre, bars=4)
    every = tables.style(np.arange(len(tables.fine)))
    stored = {style.tobytes(): row for row, style in enumerate(every)}
    draws = (np.random.default_rng(seed) for seed in range(DRAWN))
    styles = [choice.draw(request, tempo_bpm, noise, generator).style for generator in draws]
    return np.array([stored[style.tobytes()] for style in styles])


def test_a_take_is_told_a_style_of_its_genre_from_near_its_tempo(tables, checkpoint):
    genres = checkpoint.network.settings.genres
    rows = drawn(tables, genres, "rock", 140.0)
    assert {genres[index] for index in tables.genre[rows]} == {"rock"}
    rock = (tables.genre == genres.index("rock")) & (tables.bars == 4) & (tables.fine > PLAYED)
    away = np.sort(np.abs(np.log(tables.tempo_bpm[rock & (tables.meter == 0)] / 140.0)))
    told = np.abs(np.log(tables.tempo_bpm[rows] / 140.0))
    assert told.max() <= away[NEAREST_STYLES - 1] + 1e-6
    assert len(set(rows)) >= NEAREST_STYLES / 2


def test_where_drummers_played_enough_programmed_styles_are_left_out(tables, checkpoint):
    genres = checkpoint.network.settings.genres
    pop = (tables.genre == genres.index("pop")) & (tables.bars == 4)
    assert (pop & (tables.fine > PLAYED)).sum() >= ENOUGH_PLAYED  # else this shows nothing
    assert (pop & (tables.fine <= PLAYED) & (tables.tempo_bpm > 0)).any()
    assert (tables.fine[drawn(tables, genres, "pop", 110.0)] > PLAYED).all()
    assert (tables.fine[drawn(tables, genres, "techno", 130.0)] <= PLAYED).any()


def test_the_bias_of_takes_is_taken_off_played_styles_alone(tables, checkpoint):
    genres = checkpoint.network.settings.genres
    bias = np.arange(STYLE_SIZE, dtype=np.float32) / 100
    bias[OUTLINE] = 0  # drummers' styles have none
    for genre, tempo_bpm, off in (("rock", 120.0, bias), ("footwork", 160.0, 0 * bias)):
        told = []
        for some in tables, replace(tables, bias=bias):
            choice, generator = StyleChoice(some, genres), np.random.default_rng(3)
            request = GenerationRequest(genre=genre, bars=4)
            told.append(choice.draw(request, tempo_bpm, 0.1, generator).style)
        assert told[0] - told[1] == pytest.approx(off, abs=1e-6)


def test_the_shipped_model_knows_its_bias(checkpoint):
    found = np.abs(checkpoint.tables.bias).sum()
    assert found > 1  # spreads, over all numbers
    assert not checkpoint.tables.bias[len(SHARED_NAMES) :].any()


def test_settling_changes_the_bias_alone_and_again_gives_the_same(tmp_path, checkpoint):
    folders = [tmp_path / name for name in ("one", "two")]
    blank = replace(checkpoint.tables, bias=np.zeros(STYLE_SIZE, np.float32))
    for folder in folders:
        save_groove_model(folder, checkpoint.network, blank, checkpoint.facts)
        shares = list(settle_style_bias(folder, takes=8))
        assert shares == sorted(shares)
        assert shares[-1] == 1
    one, two = (load_groove_model(folder) for folder in folders)
    assert one.weights_sha256 == two.weights_sha256
    assert one.tables.bias.any()
    for name, table in vars(one.tables).items():
        if name != "bias":
            assert np.array_equal(table, getattr(checkpoint.tables, name)), name
    for name, weight in one.network.state_dict().items():
        assert weight.equal(checkpoint.network.state_dict()[name]), name


def test_a_model_of_programmed_styles_alone_has_no_bias(checkpoint):
    tables = replace(checkpoint.tables, fine=np.zeros_like(checkpoint.tables.fine))
    measuring = measure_style_bias(replace(checkpoint, tables=tables), takes=4)
    with pytest.raises(StopIteration) as ended:
        next(measuring)
    assert not ended.value.value.any()
