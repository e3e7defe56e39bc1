"""Shaping with the shipped groove model: what is kept stays, what is asked for comes."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from benchmarks.shaping_figures import random_keep
from dj_core.errors import GenerationError
from dj_core.models.families import load_model
from dj_core.models.groove.groove_player import load_groove_player
from dj_core.models.groove.infilling import Guide, play_guided
from dj_core.models.groove.loop_odds import loop_log_odds
from dj_core.models.request import GenerationRequest
from dj_core.music.beat import Beat, Hit, Meter
from dj_core.music.drums import DRUMS, LANE
from dj_core.music.patterns import load_patterns
from dj_core.music.step_grid import Grid, encode, to_grid
from dj_core.shaping.attributes import NAMES, attributes, genre_norm
from dj_core.shaping.continuing import bars_of, continue_beat
from dj_core.shaping.distance import relative_distance
from dj_core.shaping.filling import add_fill, add_fills
from dj_core.shaping.locks import Keep, hits_in, struck
from dj_core.shaping.playing import take_of
from dj_core.shaping.rerolling import drum_to_beat, reroll, reroll_all, vary
from dj_core.shaping.sliders import Controls, adjust
from dj_core.shaping.song_form import DANCE_FORM, song, song_from
from dj_core.shaping.steering import STEERED

TOMS = [lane for lane, drum in enumerate(DRUMS) if drum.family == "tom"]
MODELS = Path(__file__).resolve().parents[1] / "models"


@pytest.fixture(scope="module")
def model():
    return load_groove_player(MODELS / "groove")


@pytest.fixture(scope="module")
def funk(model):
    return model.generate(GenerationRequest(genre="funk", tempo_bpm=100.0, bars=2, seed=5)).beat


def beats_of(meter):
    return [beat for beat in load_patterns() if beat.meter == meter]


# -- the guided sampler ---------------------------------------------------------------------------


def test_a_guide_that_holds_nothing_plays_what_the_model_plays(model):
    request = GenerationRequest(genre="rock", bars=1, seed=9)
    free = play_guided(model, [request], [Guide.free(16)], particles=1)[0]
    plain = model.generate(request).beat
    assert [hit.lane for hit in free.beat.hits] == [hit.lane for hit in plain.hits]


def test_steps_that_are_kept_stay_in_every_bar(model):
    rhythm = Beat(tuple(Hit.of("closed_hat", step / 2) for step in range(8)), bars=1)
    mask = Keep(steps=range(1, 17, 2)).mask(rhythm)
    beat = reroll(model, rhythm, Keep(steps=range(1, 17, 2)), seed=1)
    assert hits_in(beat, mask) == rhythm.hits


# -- lock and reroll ------------------------------------------------------------------------------


def test_random_locks_hold_exactly(model, funk):
    random = np.random.default_rng(4)
    human_like = [beat for beat in beats_of(Meter()) if beat.bars == 1]
    beats = [human_like[i % len(human_like)] for i in range(48)]
    asked = [(beat, random_keep(beat, random), i) for i, beat in enumerate(beats)]
    for (beat, keep, _), answer in zip(asked, reroll_all(model, asked, particles=1), strict=True):
        mask = keep.mask(beat)
        assert hits_in(answer, mask) == hits_in(beat, mask)
        assert (answer.bars, answer.meter, answer.tempo_bpm) == (1, beat.meter, beat.tempo_bpm)


def test_locked_drums_are_the_same_hits_note_for_note(model):
    hits = tuple(Hit(i / 3, LANE["kick"], 20 + i, 0.1, 35) for i in range(12))
    beat = Beat((*hits, *(Hit.of("ride", i / 2) for i in range(8))), bars=1, tempo_bpm=90.0)
    answer = reroll(model, beat, Keep(drums={"kick"}), seed=2)
    assert tuple(hit for hit in answer.hits if hit.lane == LANE["kick"]) == hits


def test_everything_kept_changes_nothing(model, funk):
    assert reroll(model, funk, Keep(bars={1, 2})).hits == funk.hits


def test_the_same_seed_gives_the_same_answer_and_another_another(model, funk):
    keep = Keep(drums={"kick"})
    one, again, other = (reroll(model, funk, keep, seed=seed) for seed in (3, 3, 4))
    assert one.hits == again.hits
    assert one.hits != other.hits


@pytest.mark.parametrize("meter", [Meter(3, 4), Meter(12, 8)], ids=str)
def test_other_meters_are_rerolled_too(model, meter):
    beat = beats_of(meter)[0]
    answer = reroll(model, beat, Keep(drums={"kick"}), seed=1)
    assert answer.meter == meter
    kept = Keep(drums={"kick"}).mask(beat)
    assert hits_in(answer, kept) == hits_in(beat, kept)


def test_models_that_write_notes_cannot_play_around(funk):
    notes = load_model(MODELS / "paper-2x32")
    with pytest.raises(GenerationError, match="groove model"):
        reroll(notes, funk)


# -- vary -----------------------------------------------------------------------------------------


def test_a_ladder_is_ordered_by_distance_and_keeps_what_is_kept(model, funk):
    ladder = vary(model, funk, 4, Keep(drums={"snare"}), seed=1)
    away = [rung.distance for rung in ladder]
    assert all(x < y for x, y in pairwise(away))
    assert away[0] < 0.2
    for rung in ladder:
        assert rung.distance == pytest.approx(relative_distance(funk, rung.beat))
        mask = Keep(drums={"snare"}).mask(funk)
        assert hits_in(rung.beat, mask) == hits_in(funk, mask)


def test_a_ladder_around_a_beat_that_is_all_kept_is_refused(model, funk):
    with pytest.raises(GenerationError, match="Keep less"):
        vary(model, funk, 2, Keep(bars={1, 2}))


# -- continue -------------------------------------------------------------------------------------


def test_a_continuation_begins_with_the_beat_itself(model, funk):
    (longer,) = continue_beat(model, funk, 3, seed=2)
    assert longer.bars == 5
    assert longer.hits[: len(funk.hits)] == funk.hits
    assert any(hit.onset_quarters > 12 for hit in longer.hits)


def test_a_stroke_that_anticipates_the_join_stays(model):
    early = Hit(3.97, LANE["crash"], 99)
    beat = Beat((Hit.of("kick", 0.0), early), bars=1, tempo_bpm=120.0)
    (longer,) = continue_beat(model, beat, 1)
    assert early in longer.hits
    crashes = [hit for hit in longer.hits if hit.lane == LANE["crash"]]
    assert [hit for hit in crashes if 3.875 <= hit.onset_quarters < 4.125] == [early]


def test_one_bar_is_a_primer(model, funk):
    primer = bars_of(funk, 2, 2)
    assert primer.bars == 1
    assert len(continue_beat(model, primer, 1, count=2)) == 2
    with pytest.raises(GenerationError, match="bars 1 to 2"):
        bars_of(funk, 2, 3)


# -- fills ----------------------------------------------------------------------------------------


def test_a_fill_changes_its_bar_and_the_one_after_alone(model, funk):
    filled = add_fill(model, funk, seed=3)
    before, after = struck(funk), struck(filled)
    assert (before[1:16] == after[1:16]).all()
    assert (before[16:] != after[16:]).any()
    changed = np.flatnonzero(before[0] != after[0])
    assert set(changed) <= {LANE["crash"], LANE["kick"]}
    kept = [hit for hit in funk.hits if hit.onset_quarters < 3.8]
    assert all(hit in filled.hits for hit in kept)


def test_half_a_fill_leaves_the_first_half(model, funk):
    filled = add_fill(model, funk, half=True, crash=False, seed=3)
    assert (struck(filled)[:24] == struck(funk)[:24]).all()


def test_fills_come_as_often_as_asked(model, funk):
    long = replace(continue_beat(model, funk, 6)[0])
    none = add_fills(model, long, every_bars=4, chance=0.0)
    assert none.hits == long.hits
    every = add_fills(model, long, every_bars=4, chance=1.0, crash=False)
    bars = [(struck(every)[i : i + 16] != struck(long)[i : i + 16]).any()
            for i in range(0, 128, 16)]  # fmt: skip
    assert [bar + 1 for bar, changed in enumerate(bars) if changed] == [4, 8]


def test_phrases_and_chances_out_of_range_are_refused(model, funk):
    with pytest.raises(GenerationError, match="less than a phrase"):
        add_fills(model, funk)
    with pytest.raises(GenerationError, match="chance"):
        add_fills(model, funk, chance=1.5)


def test_fills_are_fills(model):
    random = np.random.default_rng(2)
    requests = [
        GenerationRequest(genre=genre, bars=2, seed=int(random.integers(1_000)))
        for genre in ("rock", "funk", "pop", "latin")
    ]
    toms, hats, crashes = [], [], 0
    for take in model.generate_all(requests):
        filled = struck(add_fill(model, take.beat, seed=1))
        ordinary = struck(take.beat)
        toms.append([cells[-16:, TOMS].sum() for cells in (filled, ordinary)])
        hats.append([cells[-16:, LANE["closed_hat"]].sum() for cells in (filled, ordinary)])
        crashes += filled[0, LANE["crash"]]
    (toms_after, toms_before), (hats_after, hats_before) = np.sum(toms, 0), np.sum(hats, 0)
    assert toms_after > toms_before + 4
    assert hats_after < hats_before
    assert crashes >= 2


# -- one drum, sliders, songs ---------------------------------------------------------------------


def test_a_rhythm_becomes_a_beat_around_it(model):
    rhythm = Beat(tuple(Hit.of("kick", q) for q in (0, 0.75, 2.5)), bars=1, tempo_bpm=110.0)
    beat = drum_to_beat(model, rhythm, genre="house", seed=1)
    assert tuple(hit for hit in beat.hits if hit.lane == LANE["kick"]) == rhythm.hits
    assert len(beat.lanes) >= 2
    assert (beat.genre, beat.tempo_bpm) == ("house", 110.0)


def test_silence_is_nothing_to_build_on(model):
    with pytest.raises(GenerationError, match="no hit"):
        drum_to_beat(model, Beat((), bars=1))


@pytest.mark.parametrize("slider", STEERED)
@pytest.mark.parametrize("genre", ["jazz", "house"])
def test_a_slider_does_what_it_says_and_leaves_the_others(model, genre, slider):
    beat = model.generate(GenerationRequest(genre=genre, bars=2, seed=4)).beat
    norm = genre_norm(genre)
    was = attributes(beat)
    stands = {}
    for asked in (-1.5, 1.5):
        answer = adjust(model, beat, Controls(**{slider: asked}), seed=2)
        its = attributes(answer)
        stands[asked] = norm.position(slider, getattr(its, slider))
        moved = abs(norm.position(slider, getattr(was, slider)) - stands[asked])
        for other in NAMES:
            if other != slider:
                far = norm.position(other, getattr(its, other))
                assert abs(far - norm.position(other, getattr(was, other))) < max(moved, 1.0)
    assert stands[1.5] - stands[-1.5] > 1


def test_what_is_kept_stays_whatever_a_slider_asks(model, funk):
    keep = Keep(drums={"kick"}, bars={1})
    mask = keep.mask(funk)
    answer = adjust(model, funk, Controls(density=2.0, complexity=1.0), keep, seed=3)
    assert (struck(answer)[mask] == struck(funk)[mask]).all()
    assert (struck(answer) != struck(funk)).any()


def test_sliders_are_deterministic_and_say_what_was_asked(model, funk):
    one, again, other = (
        adjust(model, funk, Controls(syncopation=1.0), seed=seed) for seed in (3, 3, 4)
    )
    assert one.hits == again.hits
    assert one.provenance.settings["shape"] == "adjust"
    assert set(one.provenance.settings["asked"]) == {"syncopation"}
    assert other.provenance.seed == 4
    louder = adjust(model, funk, Controls(loudness=1.5))
    assert louder.provenance.settings["shape"] == "adjust"
    assert adjust(model, funk, Controls()) == funk


@pytest.mark.parametrize("meter", [Meter(3, 4), Meter(6, 8), Meter(12, 8)], ids=str)
def test_sliders_move_in_other_meters_too(model, meter):
    beat = model.generate(GenerationRequest(genre="", bars=2, meter=meter, seed=3)).beat
    less, more = (adjust(model, beat, Controls(density=asked)) for asked in (-1.5, 1.5))
    assert attributes(less).density < attributes(more).density


def test_the_odds_of_a_loop_are_those_of_playing_it(model, funk):
    grid = to_grid(encode(funk))
    (odds,) = loop_log_odds(model, [grid], funk.meter, funk.genre, 100.0)
    heard = np.where(struck(funk), odds, -odds)  # what is there is expected, on the whole
    assert heard.mean() > 2
    again = loop_log_odds(model, [grid, grid], funk.meter, funk.genre, 100.0)
    assert np.allclose(again, odds, atol=1e-3)
    rolled = Grid(*(np.roll(part, 16, axis=0) for part in vars(grid).values()))
    (other,) = loop_log_odds(model, [rolled], funk.meter, funk.genre, 100.0)
    # a loop that starts a bar later is near the same music
    assert np.corrcoef(other.ravel(), np.roll(odds, 16, axis=0).ravel())[0, 1] > 0.9


def test_a_slider_beyond_its_end_is_refused():
    with pytest.raises(GenerationError, match="density"):
        Controls(density=2.5)


def test_a_song_has_its_sections_in_phrases(model, funk):
    form = ("intro", "main", "variation", "fill", "break", "outro")
    made = song_from(model, funk, form=form, seed=2)
    assert [section.name for section in made.sections] == list(form)
    assert [section.bars for section in made.sections] == [8, 8, 8, 1, 8, 8]
    assert made.beat.bars == 41
    sizes = {s.name: len(made.part(i).hits) / s.bars for i, s in enumerate(made.sections)}
    assert sizes["break"] < sizes["main"]
    assert sizes["intro"] < sizes["main"]


def test_the_same_seed_grows_the_same_song(model, funk):
    one, again = (song_from(model, funk, form=("intro", "fill"), seed=2) for _ in range(2))
    assert one.beat.hits == again.beat.hits


def test_a_song_of_a_dance_style_follows_the_roles_the_model_plays(model):
    request = GenerationRequest(genre="house", bars=8, seed=5)
    made = song(model, request)
    assert tuple(section.name for section in made.sections) == DANCE_FORM
    parts = {section.name: made.part(n) for n, section in enumerate(made.sections)}
    main = parts["main"]

    def kicks(beat):
        return sum(hit.drum.name == "kick" for hit in beat.hits) / beat.bars

    assert main.bars == 8
    assert kicks(main) >= 3.5
    assert kicks(parts["break"]) < 0.5 * kicks(main)
    assert len(parts["intro"].hits) < 0.85 * len(main.hits)
    assert len(parts["drop"].hits) > 0.8 * len(main.hits)
    own = {(hit.lane, round(hit.onset_quarters, 3)) for hit in main.hits}
    intro = [(hit.lane, round(hit.onset_quarters, 3)) for hit in parts["intro"].hits]
    lanes = {lane for lane, _ in own}
    shared = [one for one in intro if one[0] in lanes and one[1] < 24]  # before its fill
    assert sum(one in own for one in shared) > 0.95 * len(shared)


def test_a_form_nobody_knows_is_refused(model, funk):
    with pytest.raises(GenerationError, match="chorus"):
        song_from(model, funk, form=("intro", "chorus"))


def test_a_shaped_beat_is_a_take_with_words():
    beat = Beat((Hit.of("kick", 0.0), Hit.of("snare", 1.0), Hit.of("crash", 1.0)), bars=1)
    take = take_of(beat)
    assert len(take.notes) == 16
    assert take.notes[0] == DRUMS[LANE["kick"]].name
    assert take.notes[4] == "snare crash"
    assert take.notes[1] == "rest"
