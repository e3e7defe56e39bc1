"""The words and the playing of notes-best: names in the paper's order, each with its time."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dj_core.corpus.note_strings import REST, NoteEvent, NoteSong
from dj_core.errors import GenerationError, TokenizerError
from dj_core.library.library import DEFAULT_NOTES_MODEL, SHIPPED_MODELS
from dj_core.models.checkpoint import ModelFacts
from dj_core.models.families import load_model, train_run
from dj_core.models.notes.network_settings import NAME, TIME, WORD, NetworkSettings
from dj_core.models.notes.note_checkpoint import NoteCheckpoint, load_note_model, save_note_model
from dj_core.models.notes.note_network import build_network
from dj_core.models.notes.note_player import NotesModel
from dj_core.models.notes.note_tokenizer import (
    END,
    START,
    TICKS_PER_QUARTER,
    NotesSettings,
    NotesTokenizer,
    Vocabulary,
    first_names,
    name_parts,
    repeated_pieces,
    song_words,
    words_made_of,
)
from dj_core.models.notes.note_training import NOTE_PRESETS
from dj_core.models.request import GenerationRequest
from dj_core.music.beat import Meter

VOICES = NotesSettings(times=True, prime=True, drum_map="extended")


def song(*events, bars=1, genre="rock", split="train", file_id="id"):
    events = tuple(NoteEvent(*event) for event in events)
    return NoteSong(file_id, genre, split, events, 4.0, bars, "extended")


# a hat in one voice; kick and snare, which come after it, in another
TWO_VOICES = song(
    ("F#2", 0, 1), ("F#2", 1, 1), ("F#2", 2, 2), ("C2", 0, 2), ("D2", 2, 1), ("rest", 3, 1),
    ("C2 F#2", 4, 4), bars=2,
)  # fmt: skip


def onsets_of(words):
    """Names and the onsets their times lead to, in quarters."""
    now, found = 0.0, []
    for name, time in zip(words[::2], words[1::2], strict=True):
        found.append((name, round(now, 3)))
        now += float(time[1:])
    return found, now


def test_a_time_after_every_name_leads_to_the_next_and_back_to_a_second_voice():
    words = song_words(TWO_VOICES, VOICES)
    assert words[:3] == ["<genre:rock>", "<kind:beat>", "<bar:4>"]
    assert words[3:9] == ["F#2", "+1", "F#2", "+1", "F#2", "+-2"]
    found, end = onsets_of(words[3:])
    assert found == [(event.name, event.onset_quarters) for event in TWO_VOICES.events]
    assert end == 8.0  # the song's last bar line: a loop goes on from there


ticks = st.integers(0, 4 * TICKS_PER_QUARTER - 1)


@given(st.lists(st.tuples(st.sampled_from(["C2", "rest", "C2 F#2"]), ticks), min_size=1))
def test_every_onset_comes_back_from_its_words(strokes):
    events = [(name, tick / TICKS_PER_QUARTER, 0.25) for name, tick in strokes]
    found, end = onsets_of(song_words(song(*events), VOICES)[3:])
    assert [name for name, _ in found] == [name for name, *_ in events]
    first = events[0][1]  # times lead from element to element, the first of which starts the song
    for (_, onset), (_, expected, _) in zip(found, events, strict=True):
        assert onset + first == pytest.approx(expected, abs=0.002 * len(events))
    assert end + first == pytest.approx(4.0, abs=0.002 * len(events))


def test_names_are_the_papers_own_whatever_is_written_beside_them():
    plain = song_words(TWO_VOICES, NotesSettings(drum_map="extended"))
    assert [word for word in song_words(TWO_VOICES, VOICES)[3:] if word[0] != "+"] == plain
    framed = song_words(TWO_VOICES, NotesSettings(ends=True, drum_map="extended"))
    assert framed == [START, *plain, END]


def test_words_say_what_they_are_made_of():
    tokenizer = NotesTokenizer.for_songs(VOICES, [TWO_VOICES])
    parts = name_parts(tokenizer)
    assert parts == ("2 together", "C2", "D2", "F#2", "rest")
    made_of = dict(zip(tokenizer.vocabulary.words, words_made_of(tokenizer, parts), strict=True))
    assert made_of["C2 F#2"] == [True, True, False, True, False]
    assert not any(made_of["<genre:rock>"])
    assert not any(made_of["+1"])


def test_times_and_durations_do_not_go_together():
    with pytest.raises(TokenizerError, match="durations or with times"):
        NotesSettings(durations=True, times=True)
    with pytest.raises(TokenizerError, match="says no time"):
        NotesTokenizer(VOICES, Vocabulary(("+soon", "C2")))


def test_songs_are_repeated_whole_and_keep_their_prime():
    pieces = repeated_pieces([9, 8], [1, 2, 3], [7], 5, 6)
    assert pieces == [[9, 8, 1, 2, 3, 1], [9, 8, 2, 3, 7]]
    assert repeated_pieces([9], [1, 2], [], 1, 50) == [[9, 1, 2]]


# -- playing -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def model():
    tokenizer = NotesTokenizer.for_songs(VOICES, [TWO_VOICES, song(("rest", 0, 1), ("D2", 1, 1 / 3),
        ("F#2", 4 / 3, 2 / 3), ("F#2", 0, 0.25), ("C2", 0, 0.25), genre="jazz")])  # fmt: skip
    parts = name_parts(tokenizer)
    shape = NetworkSettings(
        len(tokenizer.vocabulary), cell="pointing", layers=1, hidden=16, parts=len(parts)
    )
    network = build_network(shape, seed=4)
    roles = [WORD if not word.is_music else NAME if word.name else TIME for word in tokenizer.words]
    network.learn_words(
        torch.tensor(words_made_of(tokenizer, parts)), torch.ones(len(roles)), torch.tensor(roles)
    )
    for weight in network.parameters():  # decided opinions, as after training
        weight.data *= 4
    facts = ModelFacts("tiny", ("paper",), first_names([TWO_VOICES]))
    return NotesModel("tiny", NoteCheckpoint.of(network, tokenizer, facts, "f" * 64))


@pytest.mark.parametrize("meter", [Meter(4, 4), Meter(3, 4), Meter(7, 8), Meter(5, 16)], ids=str)
@pytest.mark.parametrize("temperature", [0.0, 1.0, 5.0])
def test_bars_are_met_exactly_and_never_gone_back_behind(model, meter, temperature):
    for seed in (1, 2):
        take = model.generate(
            GenerationRequest(bars=5, meter=meter, temperature=temperature, seed=seed)
        )
        assert take.beat.bars == 5
        assert all(hit.onset_quarters < take.beat.length_quarters for hit in take.beat.hits)
        assert not any("+" in note for note in take.notes)


@pytest.mark.parametrize("notes", [1, 40, 500])
def test_a_length_in_notes_is_met_with_rhythm_and_without(model, notes):
    for spacing in ("learned", "fixed"):
        take = model.generate(GenerationRequest(notes=notes, spacing=spacing))
        assert len(take.notes) == notes
    assert {hit.onset_quarters % 0.5 for hit in take.beat.hits} <= {0.0}


def test_a_start_note_is_played_first_and_strangers_are_refused(model):
    take = model.generate(GenerationRequest(notes=5, start_note="C2 F#2"))
    assert take.notes[0] == "C2 F#2"
    with pytest.raises(GenerationError, match="start note"):
        model.generate(GenerationRequest(notes=5, start_note="G9"))


def test_a_run_of_notes_best_makes_a_model_that_plays_the_same_when_loaded(tmp_path):
    songs = [song(("F#2", 0, 1), ("C2", 0, 2), ("D2 F#2", 2, 1), file_id=str(n)) for n in range(6)]
    tiny = {"epochs": 1, "hidden": 8, "embedding": 8, "take_every_epochs": 0}
    settings = replace(NOTE_PRESETS["notes-best"], **tiny)
    *_, last = train_run(settings, songs, tmp_path / "run")
    assert last.finished
    folder = tmp_path / "run" / "model"
    loaded = load_note_model(folder)
    save_note_model(tmp_path / "again", loaded.network, loaded.tokenizer, loaded.facts)
    request = GenerationRequest(bars=2, genre="rock", seed=5)
    takes = {load_model(place).generate(request).notes for place in (folder, tmp_path / "again")}
    assert len(takes) == 1


# -- the model that ships ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shipped():
    return load_model(SHIPPED_MODELS / "notes-best")


def test_notes_best_is_the_notes_model_that_ships(shipped):
    assert DEFAULT_NOTES_MODEL == "notes-best"
    assert len(shipped.genres) == 8
    assert shipped.spacings == ("learned", "fixed")
    card = (SHIPPED_MODELS / "notes-best" / "README.md").read_text("utf-8")
    assert shipped.checkpoint.weights_sha256 in card
    size = sum(path.stat().st_size for path in Path(SHIPPED_MODELS / "notes-best").iterdir())
    assert size < 5_000_000


def test_notes_best_plays_drums_in_every_bar_of_every_genre(shipped):
    for genre in shipped.genres:
        beat = shipped.generate(GenerationRequest(genre=genre, bars=4, seed=3)).beat
        assert {int(hit.onset_quarters // 4) for hit in beat.hits} == {0, 1, 2, 3}
        assert 3 <= len(beat.hits) / beat.bars <= 40
        assert REST not in {hit.drum.name for hit in beat.hits}
