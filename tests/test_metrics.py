"""The judges are judged: on real drummers first, then on what they must catch."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dj_core.corpus.store import import_corpus
from dj_core.errors import BeatError, CorpusError
from dj_core.evaluation.copying import BarBank, copying
from dj_core.evaluation.evaluation import Ground, describe_clips, drift, evaluate
from dj_core.evaluation.evaluation_report import markdown, write_report
from dj_core.evaluation.features import feature_names, is_hit_feature, window_features
from dj_core.evaluation.genre_classifier import GenreEar
from dj_core.evaluation.judge import describe, judge
from dj_core.evaluation.judged_clips import (
    Clip,
    corpus_clips,
    cut,
    matched_clips,
    matched_requests,
    stretch,
)
from dj_core.evaluation.likelihood import (
    BAR_MEMORY,
    CLASS_NAMES,
    CLASS_OF_LANE,
    ExpressionHistogram,
    HitHistogram,
    PatternNGram,
    beat_of_hits,
    cells_of,
    hit_bits_per_step,
    quantise,
    step_bits,
)
from dj_core.music.beat import Beat, Hit, Meter
from dj_core.music.drums import DRUMS


@pytest.fixture(scope="module")
def groove(corpora, tmp_path_factory):
    """The Groove MIDI Dataset; its published figures hold for nothing else."""
    if not (corpora / "groove" / "LICENSE").exists():
        pytest.skip("A figure published for the Groove MIDI Dataset, which is not here.")
    folder = tmp_path_factory.mktemp("corpora") / "groove"
    return import_corpus(corpora / "groove", folder, "groove").corpus


@pytest.fixture(scope="module")
def ground(groove):
    return Ground.load([groove])


@pytest.fixture(scope="module")
def humans(ground):
    """Every other held-out clip, from all performances: judged twice as fast."""
    return describe_clips(ground.held_out[::2])


@pytest.fixture(autouse=True)
def quick_judge(monkeypatch):
    """A smaller forest: what it is fed matters and not how sharp it is."""
    monkeypatch.setattr("dj_core.evaluation.judge.TREES", 20)


def beat_of(*hits, bars=1, **facts):
    return Beat(tuple(Hit.of(*hit) for hit in hits), bars=bars, **facts)


def random_hits(seed, steps=64, share=0.2):
    return np.random.default_rng(seed).random((steps, len(CLASS_NAMES))) < share


grids = st.builds(random_hits, st.integers(0, 99), st.just(32), st.floats(0, 1))


# --- the grid ---------------------------------------------------------------------------------


@given(grids)
def test_hits_survive_the_way_through_a_beat(hits):
    assert (quantise(beat_of_hits(hits)) == hits).all()


@given(st.floats(0, 3.874))
def test_a_hit_belongs_to_the_nearest_sixteenth(onset_quarters):
    cells = cells_of(beat_of(("kick", onset_quarters)))
    [[step, number]] = np.argwhere(cells.hits)
    assert number == 0
    assert (step + cells.offsets[step, 0]) / 4 == pytest.approx(onset_quarters)
    assert -0.5 <= cells.offsets[step, 0] < 0.5


def test_the_loudest_hit_of_a_cell_stands_for_all():
    cells = cells_of(beat_of(("snare", 1.0, 40), ("side_stick", 1.05, 90), ("snare", 1.1, 60)))
    assert cells.hits.sum() == 1
    assert cells.velocities[4, 1] == 90
    assert cells.offsets[4, 1] == pytest.approx(0.2)


def test_a_hit_that_rounds_past_the_last_bar_has_no_cell():
    assert not quantise(beat_of(("kick", 3.99))).any()


def test_claps_and_percussion_have_no_class_and_all_kit_drums_have():
    silent = {drum.name for drum, number in zip(DRUMS, CLASS_OF_LANE, strict=True) if number < 0}
    assert silent == {"clap", "tambourine", "shaker", "cowbell", "conga"}


def test_only_four_four_is_measured():
    with pytest.raises(BeatError, match="4/4; got 3/4"):
        quantise(beat_of(("kick", 0), meter=Meter(3, 4)))


# --- likelihood -------------------------------------------------------------------------------


def test_the_published_floor_of_groove_is_reproduced(ground):
    """Published: 3.13 bits for order 2 with bar position, 3.88 for order 0."""
    train = [cells.hits for cells in ground.train_cells]
    held_out = [cells.hits for cells in ground.held_out_cells]
    assert PatternNGram(train).bits_per_step(held_out) == pytest.approx(3.13, abs=0.03)
    assert hit_bits_per_step(HitHistogram(train), held_out) == pytest.approx(3.88, abs=0.035)


def test_velocity_and_timing_histograms_cost_what_is_known(ground):
    """Known: 4.54 + 4.06 bits; here velocity and timing together."""
    velocity, timing = ExpressionHistogram(ground.train_cells).bits_per_hit(ground.held_out_cells)
    assert velocity + timing == pytest.approx(4.54 + 4.06, abs=0.06)
    assert velocity < math.log2(32)
    assert timing < math.log2(24)


def test_a_bar_of_memory_lowers_the_floor():
    """A loop of one random bar: who remembers a bar knows all but the first."""
    loops = [np.tile(random_hits(seed, steps=16), (8, 1)) for seed in range(30)]
    plain, memory = (
        PatternNGram(loops[:20], contexts).bits_per_step(loops[20:])
        for contexts in (PatternNGram(loops[:1]).contexts, BAR_MEMORY)
    )
    assert memory < plain


@settings(max_examples=20)
@given(st.integers(0, 1_000))
def test_an_ngrams_probabilities_sum_to_one(seed):
    ngram = PatternNGram([random_hits(3)], BAR_MEMORY)
    before = random_hits(seed, steps=17, share=0.1)
    total = 0.0
    for pattern in range(512):
        before[16] = [pattern >> bit & 1 for bit in range(9)]
        total += 2 ** -ngram.step_bits(before)[16]
    assert total == pytest.approx(1)


def test_an_ngram_plays_what_it_has_heard():
    bar = random_hits(1, steps=16)
    ngram = PatternNGram([np.tile(bar, (200, 1))])
    played = ngram.sample(64, np.random.default_rng(1))
    assert (played.reshape(4, 16, 9) == bar).mean() > 0.95
    assert (played == ngram.sample(64, np.random.default_rng(1))).all()


def test_bits_are_counted_over_all_steps_and_classes():
    truth = [random_hits(1, steps=16), random_hits(2, steps=48)]
    assert hit_bits_per_step(lambda hits: np.full(hits.shape, 0.5), truth) == pytest.approx(9)
    certain = [np.where(hits, 1.0, 0.0) for hits in truth]
    assert step_bits(certain[0], truth[0]).sum() == 0
    assert step_bits(certain[0], ~truth[0]).max() == math.inf


def test_logits_are_no_probabilities():
    with pytest.raises(BeatError, match="sigmoid"):
        step_bits(np.full((16, 9), -3.0), random_hits(1, steps=16))


def test_redrawn_beats_keep_every_hit_in_its_cell(ground):
    histogram = ExpressionHistogram(ground.held_out_cells[:5])
    for clip in ground.held_out[:20]:
        redrawn = histogram.redraw(clip.beat, np.random.default_rng(1))
        assert len(redrawn.hits) == len(clip.beat.hits)
        moved = quantise(redrawn) ^ quantise(clip.beat)
        assert not moved[1:].any()  # only a hit drawn ahead of the first line is held back


# --- clips ------------------------------------------------------------------------------------


@given(st.lists(st.floats(0, 31.9), max_size=40), st.sampled_from([1, 2, 4]))
def test_stretches_share_out_all_hits(onsets, bars):
    beat = beat_of(*(("kick", onset) for onset in onsets), bars=8)
    parts = [stretch(beat, start, bars) for start in range(0, 8, bars)]
    assert sum(len(part.hits) for part in parts) == len(onsets)
    assert all(part.bars == bars for part in parts)


def test_a_hit_played_early_stays_with_its_bar():
    beat = beat_of(("kick", 0), ("crash", 15.95), ("snare", 17), bars=8)
    before, after = (clip.beat for clip in cut(beat, "p"))
    assert [hit.drum.name for hit in before.hits] == ["kick"]
    assert [(hit.drum.name, hit.onset_quarters) for hit in after.hits] == [
        ("crash", 0),
        ("snare", 1),
    ]


def test_requests_repeat_the_mix_of_the_held_out_clips(ground):
    requests = matched_requests(ground.held_out, 2 * len(ground.held_out), seed=1)
    asked = sorted((ask.genre, ask.tempo_bpm) for ask in requests)
    held_out = sorted((clip.genre, clip.tempo_bpm) for clip in ground.held_out)
    assert asked == sorted(held_out * 2)
    assert requests == matched_requests(ground.held_out, len(requests), seed=1)
    assert requests != matched_requests(ground.held_out, len(requests), seed=2)


def test_no_performance_of_the_pool_answers_for_two(ground):
    requests = matched_requests(ground.held_out, 400, seed=1)
    drawn = matched_clips(requests, ground.train, seed=1)
    answers = {}
    for ask, clip in zip(requests, drawn, strict=True):
        assert answers.setdefault(clip.performance, ask.performance) == ask.performance
    same_genre = [ask.genre == clip.genre for ask, clip in zip(requests, drawn, strict=True)]
    assert np.mean(same_genre) > 0.9  # long gospel is held out only


def test_a_split_without_clips_says_so(groove):
    with pytest.raises(CorpusError, match="no clips of 4 bars"):
        corpus_clips(groove, "test")


# --- the judge --------------------------------------------------------------------------------


def test_two_human_sides_are_hard_to_tell_apart(ground, humans):
    side = describe_clips(ground.train[::16])
    result = judge(side, humans)
    assert 0.4 < result.forest_auc < 0.65
    assert 0.4 < result.logistic_auc < 0.65


def test_matched_humans_make_a_floor_near_one_half(ground, humans):
    result = judge(ground.drawn_humans(250, seed=1), humans)
    assert 0.38 < result.forest_auc < 0.65
    assert 0.38 < result.logistic_auc < 0.65


def test_humans_with_drawn_velocities_and_timing_are_caught(ground, humans):
    """Known: .997. The hits are the humans' own, so those alone give nothing away."""
    histogram = ExpressionHistogram(ground.train_cells)
    random = np.random.default_rng(1)
    clips = [
        replace(clip, beat=histogram.redraw(clip.beat, random)) for clip in ground.held_out[::3]
    ]
    side = describe_clips(clips)
    result = judge(side, humans)
    assert result.forest_auc > 0.95
    assert result.logistic_auc > 0.95
    assert not is_hit_feature(result.top_features[0].name)
    assert judge(side, humans, hits_only=True).forest_auc < 0.6


def test_the_same_clips_on_both_sides_cannot_be_told_apart(ground):
    result = judge(describe_clips(ground.held_out[::3]), describe_clips(ground.held_out[::3]))
    assert result.forest_auc == pytest.approx(0.5, abs=0.03)
    assert result.logistic_auc == pytest.approx(0.5, abs=0.03)


def test_a_judge_asks_for_enough_beats():
    few = [beat_of_hits(random_hits(seed)) for seed in range(4)]
    many = [beat_of_hits(random_hits(seed)) for seed in range(30)]
    with pytest.raises(BeatError, match="got 8 from 4"):
        judge(describe(few), describe(many))
    with pytest.raises(BeatError, match="one group"):
        describe(many, [1, 2])
    with pytest.raises(BeatError, match="two bars of 4/4"):
        describe([beat_of(("kick", 0))])


@given(st.lists(st.tuples(st.floats(0, 7.99), st.integers(0, 15), st.integers(1, 127))))
def test_every_beat_has_every_feature(hits):
    beat = Beat(tuple(Hit(*hit) for hit in hits), bars=2)
    features = window_features(beat)
    assert tuple(features) == feature_names()
    assert np.isfinite(list(features.values())).all()


def test_hit_features_hear_neither_velocity_nor_timing(ground):
    random = np.random.default_rng(1)
    beat = stretch(ground.held_out[0].beat, 0, 2)
    other = replace(
        beat,
        hits=tuple(
            replace(
                hit,
                onset_quarters=math.floor(hit.onset_quarters * 4 + 0.5) / 4,
                velocity=int(random.integers(1, 128)),
            )
            for hit in beat.hits
            if hit.onset_quarters < 7.875
        ),
    )
    beat = replace(beat, hits=tuple(hit for hit in beat.hits if hit.onset_quarters < 7.875))
    one, two = window_features(beat), window_features(other)
    differing = {name for name in one if one[name] != two[name]}
    assert differing
    assert not any(map(is_hit_feature, differing))


# --- copying ----------------------------------------------------------------------------------


def test_a_copied_training_clip_is_found(ground):
    bank = BarBank(clip.beat for clip in ground.train[:200])
    copied = copying([ground.train[7].beat], bank)
    assert copied.share_found == 1
    assert copied.nearest_median == 0


def test_one_hit_more_is_no_copy_but_near():
    bar = random_hits(1, steps=16)
    bank = BarBank([beat_of_hits(bar), beat_of_hits(random_hits(2, steps=16))])
    changed = bar.copy()
    changed[5, 3] ^= True
    result = copying([beat_of_hits(changed)], bank)
    assert (result.share_found, result.nearest_median) == (0, 1)


def test_distances_are_those_of_a_plain_search():
    bank_hits = [random_hits(seed, steps=64) for seed in range(6)]
    beat = beat_of_hits(random_hits(9, steps=64))
    bank = BarBank(map(beat_of_hits, bank_hits))
    plain = [
        min((bar ^ known).sum() for hits in bank_hits for known in hits.reshape(4, 16, 9))
        for bar in quantise(beat).reshape(4, 16, 9)
    ]
    assert bank.nearest(quantise(beat).reshape(4, 144)).tolist() == plain


def test_humans_repeat_some_idioms_and_few_windows(ground):
    bank = BarBank(clip.beat for clip in ground.train)
    beats = [clip.beat for clip in ground.held_out]
    humans = copying(beats, bank, [clip.performance for clip in ground.held_out])
    assert 0.05 < humans.share_found < 0.12
    assert humans.share_found < humans.share_bound < 0.25
    assert 0.9 < humans.unique_windows < 0.98


def test_one_loop_over_and_over_is_not_unique():
    loops = [beat_of_hits(np.tile(random_hits(1, steps=32), (2, 1)))] * 10
    assert copying(loops, BarBank(loops)).unique_windows == 1 / 20


# --- genre ------------------------------------------------------------------------------------


def test_the_ear_tells_kick_music_from_ride_music():
    def clips(drum, genre, seeds):
        for seed in seeds:
            onsets = np.flatnonzero(random_hits(seed).any(axis=1)) / 4
            beat = beat_of(*((drum, onset) for onset in onsets), bars=4, genre=genre)
            yield Clip(beat, f"{genre} {seed}")

    train = [*clips("kick", "house", range(20)), *clips("ride", "jazz", range(20))]
    ear = GenreEar(train)
    house = [clip.beat for clip in clips("kick", "house", range(50, 60))]
    assert ear.agreement(house, ["house"] * 10).first == 1
    assert ear.agreement(house, ["jazz"] * 10).first == 0
    assert ear.agreement(house, ["jazz"] * 9 + ["polka"]).clips == 9
    with pytest.raises(BeatError, match="house, jazz"):
        ear.agreement(house, ["polka"] * 10)


# --- all of it --------------------------------------------------------------------------------


def test_an_evaluation_is_one_json_a_page_and_two_plots(ground, tmp_path):
    small = Ground(
        "groove, a twelfth of it",
        ground.train[::12],
        ground.held_out[::12],
        ground.train_cells[::12],
        ground.held_out_cells[::12],
    )
    copies = [clip.beat for clip in matched_clips(small.requests(40, seed=3), small.train, seed=9)]
    hit_model = HitHistogram(cells.hits for cells in small.train_cells)
    results = evaluate({3: copies}, small, hit_model=hit_model)
    bits = results["likelihood"]["hit_bits_per_step"]
    assert bits["value"] == bits["reference"]["order 0"]
    assert results["copying"]["value"]["share_found"] == 1
    heard = results["judge"]["hits and expression"]
    assert heard["control"]["n-gram with bar memory"]["forest_auc"] > 0.95
    assert heard["forest_auc"]["excess"] == pytest.approx(
        heard["forest_auc"]["value"] - heard["forest_auc"]["human_floor"]
    )
    page = write_report(results, tmp_path, "Copies")
    assert json.loads((tmp_path / "report.json").read_text("utf-8")) == results
    assert page.read_text("utf-8") == markdown(results, "Copies")
    for plot in ("judge.png", "expression.png"):
        assert (tmp_path / plot).read_bytes().startswith(b"\x89PNG")
        assert f"({plot})" in page.read_text("utf-8")


def test_nothing_to_measure_says_so(ground):
    with pytest.raises(BeatError, match="no beats"):
        evaluate({}, ground)


def test_drift_hears_an_end_that_falls_apart(ground):
    """Sixteen bars: eight of a drummer, eight of noise."""
    beats, groups = [], []
    for clip in ground.held_out[::6]:
        end = beat_of_hits(random_hits(len(beats), steps=128, share=0.5))
        late = (replace(hit, onset_quarters=hit.onset_quarters + 32) for hit in end.hits)
        twice = (replace(hit, onset_quarters=hit.onset_quarters + 16) for hit in clip.beat.hits)
        beats.append(replace(clip.beat, hits=(*clip.beat.hits, *twice, *late), bars=16))
        groups.append(clip.performance)
    heard = drift(beats, ground, groups)
    assert heard["first_8_bars_forest_auc"] < 0.7
    assert heard["last_8_bars_forest_auc"] > 0.95
