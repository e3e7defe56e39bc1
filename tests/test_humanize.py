"""The humaniser: every hit stays, feel comes in by degree, and its training can be resumed."""

import csv
import shutil
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.humanizer_figures import divergence, figures_of, quantised, windows_of
from dj_core.corpus.store import Corpus, import_corpus
from dj_core.errors import CheckpointError, GenerationError, TrainingError
from dj_core.library.library import Library
from dj_core.models.families import train_run
from dj_core.models.humanizer.humanizer_checkpoint import load_humanizer_checkpoint
from dj_core.models.humanizer.humanizer_network import build_network
from dj_core.models.humanizer.humanizer_player import SHIPPED_HUMANIZER, load_humanizer
from dj_core.models.humanizer.humanizer_shape import (
    MAX_PARAMETERS,
    HumanizerSettings,
    strokes_of,
    weight_shapes,
)
from dj_core.models.humanizer.humanizer_training import HumanizerTrainingSettings
from dj_core.models.humanizer.performances import Alphabet, Batch, folded, performance_of
from dj_core.music.beat import Beat, Hit, Meter
from dj_core.music.drums import DRUMS
from dj_core.music.patterns import load_patterns

TINY = HumanizerTrainingSettings(
    encoder=8, player=8, units=8, steps_per_epoch=2, epochs=2, learning_rate=0.01
)


@pytest.fixture(scope="module")
def humanizer():
    return load_humanizer()


def stiff(bars=2, genre="rock"):
    hits = [Hit.of("closed_hat", q / 2) for q in range(8 * bars)]
    hits += [Hit.of("kick", 2.0 * q) for q in range(2 * bars)]
    hits += [Hit.of("snare", 1 + 2.0 * q) for q in range(2 * bars)]
    return Beat(tuple(hits), bars=bars, tempo_bpm=110.0, genre=genre)


BEATS = st.lists(
    st.builds(Hit, st.floats(0, 7.99), st.integers(0, len(DRUMS) - 1), st.integers(1, 127)),
    max_size=30,
).map(lambda hits: Beat(tuple(hits), bars=2, tempo_bpm=100.0))


# -- playing --------------------------------------------------------------------------------------


@given(BEATS, st.floats(0, 1))
@settings(max_examples=20, deadline=None)
def test_every_hit_stays_and_none_is_added(humanizer, beat, amount):
    played = humanizer.humanize(beat, amount)
    assert sorted(hit.lane for hit in played.hits) == sorted(hit.lane for hit in beat.hits)
    assert (played.bars, played.meter, played.tempo_bpm) == (2, beat.meter, 100.0)


def test_nothing_of_it_leaves_the_beat_as_it_is(humanizer):
    assert humanizer.humanize(stiff(), 0.0).hits == stiff().hits


def test_a_stiff_beat_gets_timing_and_dynamics(humanizer):
    played = humanizer.humanize(stiff())
    offsets = np.array([hit.onset_quarters * 2 % 1 for hit in played.hits])
    assert len({round(float(offset), 4) for offset in offsets}) > 8
    assert len({hit.velocity for hit in played.hits if hit.drum.name == "closed_hat"}) > 4
    moved = [abs(a.onset_quarters - b.onset_quarters)
             for a, b in zip(_by_place(played), _by_place(stiff()), strict=True)]  # fmt: skip
    assert max(moved) <= 0.1251  # half a 16th


def test_half_of_it_lies_in_between(humanizer):
    whole, half = (humanizer.humanize(stiff(), amount, seed=4) for amount in (1.0, 0.5))
    for was, some, full in zip(*map(_by_place, (stiff(), half, whole)), strict=True):
        assert some.velocity == pytest.approx((was.velocity + full.velocity) / 2, abs=1)
        if full.onset_quarters > 0:
            middle = (was.onset_quarters + full.onset_quarters) / 2
            assert some.onset_quarters == pytest.approx(middle, abs=0.02)


def _by_place(beat):
    return sorted(beat.hits, key=lambda hit: (hit.lane, hit.onset_quarters))


def test_a_seed_is_a_performance(humanizer):
    one, again, other = (humanizer.humanize(stiff(), seed=seed) for seed in (1, 1, 2))
    assert one.hits == again.hits
    assert one.hits != other.hits


def test_genres_are_played_differently(humanizer):
    jazz, punk = (humanizer.humanize(stiff(8), genre=genre, seed=1) for genre in ("jazz", "punk"))
    hats = [np.mean([hit.velocity for hit in beat.hits if hit.drum.name == "closed_hat"])
            for beat in (jazz, punk)]  # fmt: skip
    assert hats[0] != pytest.approx(hats[1], abs=1)


def test_triplets_and_flams_keep_their_place(humanizer):
    triplet = Hit.of("ride", 1 / 3)
    flam = (Hit.of("snare", 0.97, 40), Hit.of("snare", 1.0, 100))
    beat = Beat((Hit.of("kick", 0.0), triplet, *flam), bars=1, tempo_bpm=120.0)
    played = humanizer.humanize(beat)
    ride = next(hit for hit in played.hits if hit.drum.name == "ride")
    assert abs(ride.onset_quarters - 1 / 3) <= 0.1251
    soft, loud = sorted((hit for hit in played.hits if hit.drum.name == "snare"),
                        key=lambda hit: hit.velocity)  # fmt: skip
    assert loud.onset_quarters - soft.onset_quarters == pytest.approx(0.03, abs=1e-6)


def test_other_meters_are_played(humanizer):
    waltz = next(beat for beat in load_patterns() if beat.meter == Meter(3, 4))
    assert len(humanizer.humanize(waltz).hits) == len(waltz.hits)


@pytest.mark.parametrize(
    ("beat", "more", "words"),
    [
        (stiff(), {"amount": 1.5}, "0 to 1"),
        (stiff(), {"genre": "polka"}, "polka"),
        (Beat((Hit(0.0, 0, 9),), bars=1, meter=Meter(7, 8)), {}, "7/8"),
    ],
)
def test_what_cannot_be_humanised_is_refused(humanizer, beat, more, words):
    with pytest.raises(GenerationError, match=words):
        humanizer.humanize(beat, **more)


# -- the shipped model ----------------------------------------------------------------------------


def test_it_is_small_and_knows_drummers_genres(humanizer):
    assert (
        sum(weight.numel() for weight in humanizer.checkpoint.network.parameters())
        <= MAX_PARAMETERS
    )
    assert {"rock", "funk", "jazz"} <= set(humanizer.genres)
    assert (SHIPPED_HUMANIZER / "README.md").exists()


def test_it_is_no_model_to_generate_with(home):
    assert "humanizer" not in {model.name for model in Library.open().models()}
    assert not Library.open().broken_models()


def test_an_altered_model_is_refused(tmp_path):
    for file in SHIPPED_HUMANIZER.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    weights = tmp_path / "weights.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(CheckpointError, match="altered"):
        load_humanizer_checkpoint(tmp_path)


# -- material and training ------------------------------------------------------------------------


def test_folding_keeps_the_loudest_of_a_class():
    beat = Beat((Hit.of("closed_hat", 0.0, 40), Hit.of("pedal_hat", 0.0, 90)), bars=1)
    grid = folded(performance_of(beat).grid)
    assert (grid.velocity > 0).sum() == 1
    assert grid.velocity.max() == performance_of(beat).grid.velocity.max()


def test_strokes_know_the_ones_before():
    struck = np.zeros((32, 1, len(DRUMS)), np.uint8)
    struck[::4, 0, [0, 4]] = 1
    one = np.ones(1, int)
    strokes = strokes_of(Batch(struck, struck, 0 * one, 0 * one, 110.0 * one, 16 * one))
    assert strokes.there.sum() == 16
    assert strokes.last[:2, 0].tolist() == [-1, -1]
    assert strokes.last[2:4, 0].tolist() == [0, 1]
    assert strokes.bar_ago[8:10, 0].tolist() == [0, 1]
    assert strokes.gap[2, 0] == 4


def test_an_alphabet_gives_back_what_it_was_counted_from():
    beat = Beat(tuple(Hit(q + 5 / 480, 1, 61) for q in range(4)), bars=1)
    alphabet = Alphabet.of([beat] * 500)
    assert {alphabet.velocity(1, 15, draw) for draw in (0.05, 0.5, 0.95)} == {61}
    assert alphabet.offset_sixteenths(13, 0.5) == pytest.approx(5 / 120)


@pytest.fixture(scope="module")
def small_corpus(tmp_path_factory, corpora) -> Corpus:
    """A few performances of either split, for as long as the tests run."""
    source, folder = corpora / "groove", tmp_path_factory.mktemp("humanize")
    with (source / "info.csv").open(newline="", encoding="utf-8") as sheet:
        rows = [row for row in csv.DictReader(sheet) if row["time_signature"] == "4-4"]
    chosen = [
        row
        for split in ("train", "validation")
        for row in [row for row in rows if row["split"] == split and row["beat_type"] == "beat"][:6]
    ]
    for row in chosen:
        target = folder / "files" / row["midi_filename"]
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source / row["midi_filename"], target)
    with (folder / "files" / "info.csv").open("w", newline="", encoding="utf-8") as sheet:
        writer = csv.DictWriter(sheet, rows[0])
        writer.writeheader()
        writer.writerows(chosen)
    return import_corpus(folder / "files", folder / "corpus", "small").corpus


def test_a_resumed_run_ends_with_the_same_weights(small_corpus, tmp_path):
    list(train_run(TINY, [small_corpus], tmp_path / "whole"))
    halfway = train_run(TINY, [small_corpus], tmp_path / "parts")
    for _ in range(3):  # into the second epoch
        next(halfway)
    halfway.close()
    (last,) = train_run(TINY, [small_corpus], tmp_path / "parts", resume=True)
    assert last.finished
    weights = [(tmp_path / run / "model" / "weights.safetensors").read_bytes()
               for run in ("whole", "parts")]  # fmt: skip
    assert weights[0] == weights[1]


def test_a_folder_already_used_is_refused(small_corpus, tmp_path):
    next(train_run(TINY, [small_corpus], tmp_path))
    with pytest.raises(TrainingError, match="already is a run"):
        next(train_run(TINY, [small_corpus], tmp_path))
    with pytest.raises(TrainingError, match="other settings"):
        next(train_run(replace(TINY, seed=2), [small_corpus], tmp_path, resume=True))


def test_a_network_beyond_a_million_weights_is_refused():
    with pytest.raises(TrainingError, match="1,000,000"):
        build_network(HumanizerSettings(("",), encoder=256, player=256, units=512))


# -- measuring ------------------------------------------------------------------------------------


def test_equal_histograms_do_not_diverge():
    values, edges = np.linspace(-0.4, 0.4, 999), np.linspace(-0.5, 0.5, 101)
    assert divergence(values, values, edges) == pytest.approx(0)
    assert divergence(values, np.zeros(999), edges) > 1


def test_the_grid_is_as_wrong_as_drummers_are_off_it(small_corpus):
    held = windows_of(small_corpus, "validation")
    random = np.random.default_rng(1)
    figures = figures_of(quantised(windows_of(small_corpus, "train"), held, random), held, random)
    assert len(held.cells[0]) == held.hits.sum()
    off = np.abs(held.offset[held.hits]) * 15_000 / held.tempo_bpm[held.cells[0]]
    assert figures["timing_mae_ms"] == pytest.approx(off.mean(), abs=1e-3)


def test_playing_and_training_agree_on_the_weights():
    settings = HumanizerSettings(("", "rock"), encoder=8, player=10, units=12)
    state = build_network(settings).state_dict()
    assert weight_shapes(settings) == {name: tuple(part.shape) for name, part in state.items()}
