"""Generating: exact lengths, seeds, temperature, and requests no model can fulfil."""

import math
from dataclasses import replace
from pathlib import Path
from statistics import median

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dj_core.corpus.note_strings import NoteEvent, NoteSong
from dj_core.errors import CheckpointError, GenerationError
from dj_core.models.checkpoint import ModelFacts, read_card
from dj_core.models.families import load_model
from dj_core.models.notes.network_settings import NetworkSettings
from dj_core.models.notes.note_checkpoint import NoteCheckpoint, load_note_model, save_note_model
from dj_core.models.notes.note_network import build_network
from dj_core.models.notes.note_player import NotesModel, divide_by, forbid, keep_top
from dj_core.models.notes.note_tokenizer import (
    NOTE_OF_NAME,
    NotesSettings,
    NotesTokenizer,
    first_names,
)
from dj_core.models.request import Feel, GenerationRequest, replay_request
from dj_core.music.beat import Meter, Provenance
from dj_core.music.drum_maps import drum_of_note
from dj_core.music.genres import typical_tempo_bpm

NAMES = NotesSettings(drum_map="extended")
TIMED = NotesSettings(durations=True, prime=True, drum_map="extended")
SPELLED = NotesSettings(durations=True, spelled=True, prime=True, drum_map="extended")
KINDS = {"names": NAMES, "timed": TIMED, "spelled": SPELLED}


def song(genre, *events, bars=1, bar_quarters=4.0):
    events = tuple(NoteEvent(*event) for event in events)
    return NoteSong("id", genre, "train", events, bar_quarters, bars, "extended")


SONGS = [
    song("rock", ("C2 F#2", 0, 0.5), ("F#2", 0.5, 0.5), ("D2 F#2", 1, 0.25), ("F#2", 1.25, 0.25)),
    song("rock", ("C2", 0, 0.5), ("rest", 0.5, 0.5), ("D2", 1, 0.25), ("C4", 3.75, 0.25)),
    song("jazz", ("E-3", 0, 2 / 3), ("E-3", 2 / 3, 1 / 3), ("E-3 G#2", 1, 1), bars=2),
    song("jazz", ("rest", 0, 1), ("E-3", 1, 1), ("B-3 C#7", 2, 1), bar_quarters=3.0),
]


def checkpoint_of(tokenizer_settings, seed=1):
    tokenizer = NotesTokenizer.for_songs(tokenizer_settings, SONGS)
    shape = NetworkSettings(len(tokenizer.vocabulary), hidden=12)
    network = build_network(shape, seed).eval()
    for weight in network.parameters():  # decided opinions, as after training
        weight.data *= 6
    facts = ModelFacts("tiny", ("paper",), start_notes=first_names(SONGS))
    return NoteCheckpoint.of(network, tokenizer, facts, "f" * 64)


@pytest.fixture(params=list(KINDS))
def model(request):
    return NotesModel("tiny", checkpoint_of(KINDS[request.param]))


@pytest.fixture
def spelled():
    return NotesModel("tiny", checkpoint_of(SPELLED))


# -- lengths -------------------------------------------------------------------------------------


@pytest.mark.parametrize("notes", [1, 2, 17, 500])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_a_length_in_notes_is_met_exactly(model, notes, temperature):
    take = model.generate(GenerationRequest(notes=notes, temperature=temperature))
    assert len(take.notes) == notes
    assert 1 <= take.distinct_notes <= notes
    assert take.distinct_notes == len(set(take.notes))


@pytest.mark.parametrize(
    "meter", [Meter(4, 4), Meter(3, 4), Meter(12, 8), Meter(7, 8), Meter(5, 16)]
)
@pytest.mark.parametrize("bars", [1, 3, 8])
def test_a_length_in_bars_is_met_exactly(model, meter, bars):
    for temperature in (0.0, 1.0, 5.0):
        take = model.generate(GenerationRequest(bars=bars, meter=meter, temperature=temperature))
        assert take.beat.bars == bars
        assert take.beat.meter == meter
        assert all(hit.onset_quarters < take.beat.length_quarters for hit in take.beat.hits)


@pytest.mark.parametrize("kind", ["timed", "spelled"])
def test_learned_rhythm_fills_every_bar_to_its_line(kind):
    model = NotesModel("tiny", checkpoint_of(KINDS[kind]))
    for seed in range(10):
        take = model.generate(GenerationRequest(bars=4, seed=seed))
        advances = [float(note.rpartition("-")[2]) for note in take.notes]
        assert sum(advances) == pytest.approx(16, abs=0.01)
        now, lines = 0.0, set()
        for advance in advances:
            now += advance
            lines.add(round(now, 1))
        assert {4.0, 8.0, 12.0, 16.0} <= lines  # no stroke reaches over a bar line


def test_fixed_spacing_is_half_a_quarter_a_note_rests_too(model):
    take = model.generate(GenerationRequest(notes=40, spacing="fixed"))
    expected = {
        (number * 0.5, NOTE_OF_NAME[name])
        for number, note in enumerate(take.notes)
        for name in (note.rpartition("-")[0] if model.timed else note).split(" ")
        if name != "rest"
    }
    played = {(hit.onset_quarters, hit.source_note) for hit in take.beat.hits}
    assert played == expected
    assert take.beat.bars == 5


def test_hits_are_the_corpus_s_notes_in_the_corpus_s_map(model):
    take = model.generate(GenerationRequest(notes=60, temperature=5))
    assert take.beat.hits
    for hit in take.beat.hits:
        assert hit.drum is drum_of_note(hit.source_note, "extended")
        assert hit.velocity == hit.drum.default_velocity


def test_a_bar_too_short_for_any_word_is_refused(spelled):
    with pytest.raises(GenerationError, match="short enough for a bar of 1/32"):
        spelled.generate(GenerationRequest(notes=4, meter=Meter(1, 32)))


# -- seeds and temperature -----------------------------------------------------------------------


def test_the_seed_decides(model):
    request = GenerationRequest(bars=4, seed=7, temperature=2)
    first = model.generate(request)
    torch.manual_seed(99)  # nobody else's luck matters
    model.generate(replace(request, seed=8))
    assert model.generate(request) == first
    others = {model.generate(replace(request, seed=seed)).notes for seed in range(20)}
    assert len(others) > 10


def test_greedy_takes_are_the_same_from_the_same_start(model):
    start = model.start_notes[0]
    request = GenerationRequest(
        notes=50, temperature=0, start_note=start, genre=(model.genres or ("",))[0]
    )
    takes = {model.generate(replace(request, seed=seed)).notes for seed in range(5)}
    assert len(takes) == 1


def test_more_temperature_plays_more_different_notes(model):
    def distinct(temperature):
        request = GenerationRequest(notes=200, temperature=temperature)
        return sum(model.generate(replace(request, seed=seed)).distinct_notes for seed in range(3))

    cold, warm, hot = distinct(0), distinct(1), distinct(5)
    assert cold < warm <= hot


def test_a_tiny_top_p_is_greedy(model):
    request = GenerationRequest(
        notes=60, start_note=model.start_notes[0], genre=(model.genres or ("",))[0]
    )
    greedy = model.generate(replace(request, temperature=0.0))
    assert model.generate(replace(request, top_p=0.001)).notes == greedy.notes


# -- what is asked for ---------------------------------------------------------------------------


def test_a_start_note_is_played_first(model):
    for name in ("C2", "C2 F#2", "E-3"):
        for seed in range(5):
            take = model.generate(GenerationRequest(notes=5, start_note=name, seed=seed))
            first = take.notes[0].rpartition("-")[0] if model.timed else take.notes[0]
            assert first == name
            assert take.beat.provenance.settings["played_start_note"] == name


@pytest.mark.parametrize("name", ["H9", "", "C2  F#2", "C9", "|", "<genre:rock>", "+0.5", "C2,F#2"])
def test_an_unknown_start_note_is_refused_with_known_ones(model, name):
    with pytest.raises(GenerationError, match=r"does not know .* It often begins with: .*C2"):
        model.generate(GenerationRequest(notes=5, start_note=name))


def test_without_a_start_note_one_of_the_corpus_s_first_notes_is_drawn():
    model = NotesModel("tiny", checkpoint_of(NAMES))
    assert set(model.start_notes) == {"C2 F#2", "C2", "E-3"}
    firsts = {model.generate(GenerationRequest(notes=1, seed=seed)).notes[0] for seed in range(40)}
    assert firsts == set(model.start_notes)


def test_genres_are_asked_for_or_drawn(spelled):
    assert spelled.genres == ("jazz", "rock")
    take = spelled.generate(GenerationRequest(bars=1, genre="rock"))
    assert take.beat.genre == "rock"
    assert take.beat.tempo_bpm == typical_tempo_bpm("rock")
    drawn = {
        spelled.generate(GenerationRequest(bars=1, seed=seed)).beat.genre for seed in range(20)
    }
    assert drawn == {"jazz", "rock"}
    with pytest.raises(GenerationError, match="jazz, rock"):
        spelled.generate(GenerationRequest(bars=1, genre="polka"))


def test_the_genre_changes_what_is_played(spelled):
    def takes(genre):
        requests = [GenerationRequest(bars=2, genre=genre, seed=seed) for seed in range(10)]
        return [spelled.generate(request).notes for request in requests]

    assert takes("rock") != takes("jazz")


def test_a_model_without_genres_says_so():
    model = NotesModel("tiny", checkpoint_of(NAMES))
    assert model.genres == ()
    take = model.generate(GenerationRequest(bars=1))
    assert (take.beat.genre, take.beat.tempo_bpm) == ("", 120.0)
    with pytest.raises(GenerationError, match="no genres"):
        model.generate(GenerationRequest(bars=1, genre="rock"))


def test_a_model_without_durations_has_fixed_spacing_only():
    model = NotesModel("tiny", checkpoint_of(NAMES))
    assert model.spacings == ("fixed",)
    with pytest.raises(GenerationError, match="no durations"):
        model.generate(GenerationRequest(bars=1, spacing="learned"))


def test_a_beat_says_where_it_comes_from(model):
    request = GenerationRequest(bars=2, seed=5, tempo_bpm=97.5, top_p=0.9)
    beat = model.generate(request).beat
    assert beat.tempo_bpm == 97.5
    origin = beat.provenance
    assert (origin.model, origin.model_sha256, origin.corpus, origin.seed) == (
        "tiny", "f" * 64, "paper", 5,
    )  # fmt: skip
    assert origin.settings["top_p"] == 0.9
    assert origin.settings["bars"] == 2


def test_a_beat_is_played_again_from_its_provenance(model):
    request = GenerationRequest(
        notes=40, meter=Meter(3, 4), tempo_bpm=99, temperature=1.3, top_p=0.9, seed=5
    )
    for asked in (request, replace(request, notes=None, bars=3)):
        beat = model.generate(asked).beat
        again = model.generate(replay_request(beat.provenance)).beat
        assert again.hits == beat.hits
        assert (again.bars, again.tempo_bpm, again.meter) == (beat.bars, 99, Meter(3, 4))


def test_a_beat_no_model_made_cannot_be_played_again():
    for altered in (
        Provenance(),
        Provenance(seed=1, settings={"meter": "4/4", "bars": 1, "feel": {"groovy": 1}}),
        Provenance(seed=1, settings={"meter": "four"}),
    ):
        with pytest.raises(GenerationError, match=r"not made by a model|altered"):
            replay_request(altered)


def test_several_takes_at_once_are_those_one_by_one(model):
    requests = [GenerationRequest(bars=1 + seed % 2, seed=seed) for seed in range(4)]
    assert model.generate_all(requests) == [model.generate(request) for request in requests]


def test_bare_notes_have_no_feel(model):
    for feel in (Feel(kind="fill"), Feel(density=2), Feel(timing=0.5)):
        with pytest.raises(GenerationError, match="knows no feel"):
            model.generate(GenerationRequest(bars=1, feel=feel))


@pytest.mark.parametrize("wrong", [{"kind": "solo"}, {"density": 5}, {"hits": 11.0}])
def test_a_feel_out_of_range_is_refused(wrong):
    with pytest.raises(GenerationError, match="got"):
        Feel(**wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        {"bars": None},
        {"notes": 5},
        {"bars": 0},
        {"bars": 1001},
        {"bars": 1.5},
        {"bars": None, "notes": 0},
        {"bars": None, "notes": 20_001},
        {"temperature": -0.1},
        {"temperature": 101},
        {"temperature": math.nan},
        {"top_p": 0},
        {"top_p": 1.1},
        {"seed": -1},
        {"seed": 2**63},
        {"seed": True},
        {"tempo_bpm": 5},
        {"tempo_bpm": 601},
        {"spacing": "loose"},
    ],
)
def test_requests_out_of_range_are_refused(wrong):
    with pytest.raises(GenerationError, match="got"):
        GenerationRequest(**{"bars": 4, **wrong})


# -- model folders -------------------------------------------------------------------------------


def test_a_saved_model_plays_what_it_played(tmp_path):
    checkpoint = checkpoint_of(SPELLED)
    for folder, name in ((tmp_path / "mine", "mine"), (tmp_path / "run 1" / "model", "run 1")):
        save_note_model(folder, checkpoint.network, checkpoint.tokenizer, checkpoint.facts)
        model = load_model(folder)
        assert (model.name, model.family) == (name, "notes")
        request = GenerationRequest(bars=2, seed=3)
        assert model.generate(request).notes == NotesModel(name, checkpoint).generate(request).notes
    with pytest.raises(CheckpointError):
        load_model(tmp_path / "none")


SHIPPED = sorted(
    path.parent
    for path in (Path(__file__).resolve().parent.parent / "models").glob("*/model.json")
    if read_card(path.parent)["family"] == "notes"
)


@pytest.mark.parametrize("folder", SHIPPED, ids=lambda folder: folder.name)
def test_a_shipped_model_is_whole_small_and_described(folder):
    checkpoint = load_note_model(folder)
    assert sum(path.stat().st_size for path in folder.iterdir()) < 5_000_000
    assert checkpoint.facts.preset == folder.name
    assert checkpoint.facts.corpora == ("paper",)
    # either it was trained on all songs, or it is the very one that was measured
    assert checkpoint.facts.settings["all_data"] or "validation_loss" in checkpoint.facts.results
    card = (folder / "README.md").read_text("utf-8")
    assert f"--preset {folder.name}" in card
    assert checkpoint.weights_sha256 in card


@pytest.mark.parametrize("folder", SHIPPED, ids=lambda folder: folder.name)
def test_a_shipped_model_plays_more_different_notes_the_hotter_it_is(folder):
    model = load_model(folder)
    # a song may keep to a few notes throughout, as drummers' songs do: the middle of three counts
    cold, warm, hot = (
        median(
            take.distinct_notes
            for take in model.generate_all(
                [
                    GenerationRequest(notes=300, temperature=temperature, seed=seed)
                    for seed in range(1, 4)
                ]
            )
        )
        for temperature in (0, 1, 5)
    )
    assert cold * 2 < warm
    assert warm * 1.5 < hot


def test_the_rhythm_model_plays_every_genre_as_its_drummers_do():
    model = load_model(next(folder for folder in SHIPPED if folder.name == "notes-rhythm"))
    assert len(model.genres) == 8
    for genre in model.genres:
        beats = [
            model.generate(GenerationRequest(genre=genre, bars=4, seed=seed)).beat
            for seed in range(1, 9)
        ]
        families = [{hit.drum.family for hit in beat.hits} for beat in beats]
        for beat in beats:
            assert {int(hit.onset_quarters // 4) for hit in beat.hits} == {0, 1, 2, 3}
            assert 3 <= len(beat.hits) / beat.bars <= 40
        assert sum("snare" in played for played in families) >= 5
        # jazz drummers of this corpus leave the kick out of half their beats
        assert sum("kick" in played for played in families) >= (1 if genre == "jazz" else 4)


# -- filters -------------------------------------------------------------------------------------

scores = st.lists(st.floats(-20, 20), min_size=1, max_size=12).map(np.array)


def odds_of(logits):
    odds = np.exp(logits - logits.max())
    return odds / odds.sum()


@settings(deadline=None)
@given(scores, st.floats(0.05, 50))
def test_temperature_is_the_paper_s_formula(logits, temperature):
    expected = np.exp(logits / temperature) / np.exp(logits / temperature).sum()
    np.testing.assert_allclose(odds_of(divide_by(temperature)(logits)), expected, rtol=1e-6)


@settings(max_examples=200, deadline=None)
@given(scores, st.floats(0.001, 1.0))
def test_top_p_keeps_the_fewest_words_that_reach_it(logits, probability):
    kept = np.isfinite(keep_top(probability)(logits))
    odds = odds_of(logits)
    assert kept.any()
    assert odds[kept].sum() >= probability - 1e-9
    if kept.sum() > 1:  # without its least likely word it would not be enough
        assert odds[kept].sum() - odds[kept].min() < probability + 1e-9
    if not kept.all():
        assert odds[kept].min() >= odds[~kept].max()


def test_the_coldest_temperature_there_is_takes_the_likeliest():
    assert odds_of(divide_by(5e-324)(np.array([1.0, 3.0, 2.0]))).tolist() == [0.0, 1.0, 0.0]


def test_forbidden_words_have_no_chance():
    odds = odds_of(forbid(np.array([True, False]))(np.array([9.0, -9.0])))
    assert odds.tolist() == [0.0, 1.0]
