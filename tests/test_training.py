"""Training: what it learns, what it keeps, and that nothing is lost when it is cut off."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from dj_core.corpus.note_strings import NoteEvent, NoteSong
from dj_core.errors import TrainingError
from dj_core.files.midi import read_midi
from dj_core.models.families import load_model, read_run_settings, settings_from, train_run
from dj_core.models.notes.note_checkpoint import load_note_model
from dj_core.models.notes.note_tokenizer import NOTE_OF_NAME
from dj_core.models.notes.note_training import NOTE_PRESETS, NoteTrainingSettings
from dj_core.models.request import GenerationRequest
from dj_core.models.run_folder import (
    PROGRESS_NAME,
    SETTINGS_NAME,
    STATE_NAME,
    STATUS_NAME,
    STOP_NAME,
    is_locked,
    read_progress,
    stop_on_signals,
)

ROOT = Path(__file__).resolve().parent.parent
BEATS = {
    "rock": (("C2 F#2", 0), ("F#2", 0.5), ("D2 F#2", 1), ("F#2", 1.5), ("C2 F#2", 2), ("D2", 3)),
    "jazz": (("E-3", 0), ("E-3 G#2", 1), ("E-3", 5 / 3), ("E-3", 2), ("E-3 G#2", 3)),
}


def songs(count=24, **facts):
    """Songs of two genres, a few strokes different from each other, in the three splits."""
    made = []
    for number in range(count):
        genre = ("rock", "jazz")[number % 2]
        strokes = [*BEATS[genre], ("C2", 3.25 + 0.25 * (number % 3))]
        events = [
            event
            for name, onset in strokes
            for event in (NoteEvent(name, onset, 0.25), NoteEvent("rest", onset + 0.25, 0.25))
        ]
        split = ("train", "train", "train", "validation", "train", "test")[number // 2 % 6]
        made.append(NoteSong(f"id{number}", genre, split, tuple(events), 4.0, 1, **facts))
    return made


TINY = NoteTrainingSettings(
    preset="paper-2x32", corpora=("tiny",), hidden=8, batch_size=4, epochs=3, take_every_epochs=0
)
TINY_RHYTHM = replace(
    TINY, durations=True, spelled=True, prime=True, dropout=0.5, loop_bars=2,
    learning_rate=0.01, learning_rate_end=0.1, weight_decay=0.01, gradient_clip=1.0,
)  # fmt: skip


def weights_of(run_folder):
    return load_note_model(run_folder / "model").weights_sha256


def state_of(run_folder):
    return torch.load(run_folder / STATE_NAME, weights_only=True)


def same(one, other):
    """Equal to the last bit, tensors and all; the clock does not count."""
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(
            same(one[key], other[key]) for key in one if key != "seconds"
        )
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


def status_of(run_folder):
    return json.loads((run_folder / STATUS_NAME).read_text("utf-8"))["state"]


# -- a run from start to end ---------------------------------------------------------------------


@pytest.mark.parametrize("settings", [TINY, TINY_RHYTHM], ids=["paper", "rhythm"])
def test_a_run_learns_and_leaves_a_model_that_plays(settings, tmp_path):
    run = tmp_path / "run"
    settings = replace(settings, epochs=12, dropout=0.0, learning_rate=0.02, take_every_epochs=4)
    steps = list(train_run(settings, songs(), run))
    ends = [step for step in steps if step.ends_epoch]
    assert [step.epoch for step in ends] == list(range(1, 13))
    assert [step.step for step in steps[: steps[0].steps]] == list(range(1, steps[0].steps + 1))
    assert ends[-1].train_loss < 0.75 * ends[0].train_loss
    assert ends[-1].validation_loss < ends[0].validation_loss
    assert ends[-1].validation_accuracy > ends[0].validation_accuracy
    assert [step.finished for step in steps] == [False] * (len(steps) - 1) + [True]
    assert steps[-1].seconds_left == 0
    assert all(step.notes_per_second > 0 for step in steps)
    assert status_of(run) == "finished"
    assert not is_locked(run)

    model = load_model(run / "model")
    assert model.genres == (("jazz", "rock") if settings.prime else ())
    assert model.generate(GenerationRequest(bars=2)).beat.bars == 2
    results = model.checkpoint.facts.results
    best = min(ends, key=lambda step: step.validation_loss)
    assert results["epoch"] == best.epoch
    assert results["validation_loss"] == best.validation_loss
    assert results["references"]["bigram"]["loss"] > 0
    assert read_run_settings(run) == settings

    takes = [step.take for step in ends if step.take]
    assert [take.name for take in takes] == ["epoch-0004.mid", "epoch-0008.mid", "epoch-0012.mid"]
    assert all(read_midi(take).bars == 4 for take in takes)
    noted = [step for step in read_progress(run) if step.ends_epoch]
    assert noted == ends


def test_the_same_settings_and_seed_give_the_same_weights(tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        torch.manual_seed(time.perf_counter_ns() % 1000)  # nobody else's luck matters
        list(train_run(replace(TINY_RHYTHM, seed=seed), songs(), tmp_path / name))
    assert weights_of(tmp_path / "a") == weights_of(tmp_path / "b")
    assert weights_of(tmp_path / "a") != weights_of(tmp_path / "c")


def test_the_best_model_is_the_one_with_the_lowest_validation_loss(tmp_path):
    # a rate so high that it soon gets worse
    wild = replace(TINY, learning_rate=0.3, epochs=8, patience=3)
    ends = [step for step in train_run(wild, songs(), tmp_path / "run") if step.ends_epoch]
    losses = [step.validation_loss for step in ends]
    best = losses.index(min(losses))
    assert load_note_model(tmp_path / "run/model").facts.results["epoch"] == best + 1
    assert len(ends) == min(8, best + 1 + 3)  # patience ends it
    assert ends[-1].finished
    assert status_of(tmp_path / "run") == "finished"


def test_test_songs_are_never_learned_from(tmp_path):
    with_tests = songs()
    changed = [
        replace(song, events=song.events[::-1]) if song.split == "test" else song
        for song in with_tests
    ]
    list(train_run(TINY, with_tests, tmp_path / "a"))
    list(train_run(TINY, changed, tmp_path / "b"))
    assert weights_of(tmp_path / "a") == weights_of(tmp_path / "b")


def test_all_data_learns_from_every_song_and_validates_on_none(tmp_path):
    steps = list(train_run(replace(TINY, all_data=True), songs(), tmp_path / "run"))
    assert steps[-1].validation_loss is None
    assert steps[-1].steps == 6  # 24 songs, 4 at a time
    results = load_note_model(tmp_path / "run/model").facts.results
    assert (results["songs"], results["epoch"]) == (24, 3)
    assert "validation_loss" not in results


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_a_corpus_of_one_file_is_its_own_validation_and_says_so(split, tmp_path):
    one = [replace(songs(1)[0], split=split)]
    steps = list(train_run(TINY_RHYTHM, one, tmp_path / "run"))
    assert steps[-1].validation_loss is not None
    status = json.loads((tmp_path / "run" / STATUS_NAME).read_text("utf-8"))
    assert "measured on the training songs" in status["message"]
    results = load_note_model(tmp_path / "run/model").facts.results
    assert results["validated_on"] == "train"


def test_no_songs_are_an_error(tmp_path):
    empty = NoteSong("id", "", "train", ())
    for nothing in ([], [empty]):
        with pytest.raises(TrainingError, match="no songs"):
            list(train_run(TINY, nothing, tmp_path / "run"))
    list(train_run(TINY, songs(), tmp_path / "run"))  # the name is still free


def test_corpora_of_two_note_maps_share_general_midi(tmp_path):
    # note 60 is a kick in the one and a conga in the other
    mixed = songs(12) + [
        replace(song, events=(NoteEvent("C4", 0, 1), *song.events), drum_map="extended")
        for song in songs(12)
    ]
    list(train_run(TINY, mixed, tmp_path / "run"))
    tokenizer = load_note_model(tmp_path / "run/model").tokenizer
    assert tokenizer.settings.drum_map == "general-midi"
    assert not any(NOTE_OF_NAME["C4"] in word.notes for word in tokenizer.words)


# -- stopping and going on -----------------------------------------------------------------------


def cut_off(settings, run, after, resume=False):
    """Train for some steps, stop, and close the generator."""
    running = train_run(settings, songs(), run, resume=resume)
    for _ in range(after):
        next(running)
    running.close()


@pytest.mark.parametrize("settings", [TINY, TINY_RHYTHM], ids=["paper", "rhythm"])
def test_a_run_cut_off_again_and_again_ends_as_if_it_never_was(settings, tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    expected = [step for step in train_run(settings, songs(), whole) if step.ends_epoch]
    cut_off(settings, parts, 2)
    assert status_of(parts) == "stopped"
    cut_off(settings, parts, 3, resume=True)
    (parts / STOP_NAME).write_bytes(b"")  # of an earlier stop: must not stop the next one
    steps = list(train_run(settings, songs(), parts, resume=True))
    assert steps[-1].finished
    assert weights_of(parts) == weights_of(whole)
    assert same(state_of(parts), state_of(whole))

    def seen(step):
        return step.epoch, step.train_loss, step.train_accuracy, step.validation_loss

    noted = [step for step in read_progress(parts) if step.ends_epoch]
    assert [seen(step) for step in noted] == [seen(step) for step in expected]


def test_a_run_ends_after_the_step_in_which_it_is_asked_to(tmp_path):
    asked = []
    steps = list(
        train_run(
            TINY, songs(), tmp_path / "a", should_stop=lambda: len(asked) > 0 or asked.append(1)
        )
    )
    assert len(steps) == 2
    assert status_of(tmp_path / "a") == "stopped"

    for number, _ in enumerate(train_run(TINY, songs(), tmp_path / "b"), start=1):
        if number == 3:
            (tmp_path / "b" / STOP_NAME).write_bytes(b"")
    assert number == 3
    assert status_of(tmp_path / "b") == "stopped"
    assert not (tmp_path / "b" / STOP_NAME).exists()


TRAIN_IN_ANOTHER_PROCESS = """
import sys
import time
from pathlib import Path
sys.path[:0] = [{root!r}, {tests!r}]
from test_training import KILLED, songs
from dj_core.models.families import train_run
from dj_core.models.run_folder import stop_on_signals
with stop_on_signals() as should_stop:
    for step in train_run(KILLED, songs(), Path({run!r}), should_stop=should_stop):
        print(step.epoch, flush=True)
        time.sleep(0.05)  # leave time to be interrupted
"""
KILLED = replace(TINY_RHYTHM, epochs=25)


def in_another_process(run):
    program = TRAIN_IN_ANOTHER_PROCESS.format(
        root=str(ROOT), tests=str(ROOT / "tests"), run=str(run)
    )
    return subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)


def read_until(process, epoch):
    for line in process.stdout:
        if int(line) >= epoch:
            return
    pytest.fail("the trainer ended too early")


def test_a_killed_run_ends_as_if_it_never_was(tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    process = in_another_process(killed)
    with process:
        read_until(process, 3)
        with pytest.raises(TrainingError, match="another process"):
            next(train_run(KILLED, songs(), killed, resume=True))
        assert is_locked(killed)
        os.kill(process.pid, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert not is_locked(killed)
    assert status_of(killed) == "running"  # it had no time to say anything
    list(train_run(KILLED, songs(), killed, resume=True))
    list(train_run(KILLED, songs(), whole))
    assert weights_of(killed) == weights_of(whole)
    assert same(state_of(killed), state_of(whole))


def test_a_terminated_run_saves_its_place(tmp_path):
    process = in_another_process(tmp_path / "run")
    with process:
        read_until(process, 2)
        process.terminate()
    assert process.returncode == 0
    assert status_of(tmp_path / "run") == "stopped"
    assert state_of(tmp_path / "run")["epoch"] >= 2


def test_signals_are_given_back():
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    with stop_on_signals() as should_stop:
        assert not should_stop()
        signal.raise_signal(signal.SIGINT)
        assert should_stop()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


def test_more_epochs_go_on_where_a_finished_run_ended(tmp_path):
    run = tmp_path / "run"
    list(train_run(TINY, songs(), run))
    with pytest.raises(TrainingError, match="already finished"):
        list(train_run(TINY, songs(), run, resume=True))
    longer = list(train_run(replace(TINY, epochs=5), songs(), run, resume=True))
    assert (longer[0].epoch, longer[-1].epoch) == (4, 5)
    list(train_run(replace(TINY, epochs=5), songs(), tmp_path / "whole"))
    assert weights_of(run) == weights_of(tmp_path / "whole")


def test_what_cannot_be_resumed_is_refused(tmp_path):
    run = tmp_path / "run"
    with pytest.raises(TrainingError, match="no run called 'run'"):
        next(train_run(TINY, songs(), run, resume=True))
    cut_off(TINY, run, 2)
    with pytest.raises(TrainingError, match="already is a run"):
        next(train_run(TINY, songs(), run))
    with pytest.raises(TrainingError, match="hidden"):
        next(train_run(replace(TINY, hidden=9), songs(), run, resume=True))
    with pytest.raises(TrainingError, match=r"corpus .* changed"):
        next(train_run(TINY, songs(26), run, resume=True))
    state = (run / STATE_NAME).read_bytes()
    for damaged in (b"", state[:100], b"\x80\x02K\x01.", state[:-1000]):
        (run / STATE_NAME).write_bytes(damaged)
        with pytest.raises(TrainingError, match="damaged"):
            next(train_run(TINY, songs(), run, resume=True))
    (run / SETTINGS_NAME).write_text("{}}")
    with pytest.raises(TrainingError, match="cannot be used"):
        next(train_run(TINY, songs(), run, resume=True))


def test_a_failing_run_says_why(tmp_path, monkeypatch):
    monkeypatch.setattr("dj_core.models.run_folder.PROGRESS_NAME", "no-such-folder/progress.jsonl")
    with pytest.raises(TrainingError, match="cannot be written"):
        list(train_run(TINY, songs(), tmp_path / "run"))
    assert status_of(tmp_path / "run") == "failed"


# -- settings and records ------------------------------------------------------------------------


@pytest.mark.parametrize("name", list(NOTE_PRESETS))
def test_every_preset_trains_and_plays(name, tmp_path):
    settings = settings_from(name, corpora=("tiny",), epochs=1, hidden=4)
    assert settings.preset == name
    list(train_run(settings, songs(8), tmp_path / name))
    take = load_model(tmp_path / name / "model").generate(GenerationRequest(notes=9))
    assert len(take.notes) == 9


def test_the_paper_s_three_networks_are_presets():
    shapes = {
        name: (item.layers, item.hidden, item.learning_rate, item.dropout, item.epochs)
        for name, item in NOTE_PRESETS.items()
        if name.startswith("paper")
    }
    assert shapes == {
        "paper-1x128": (1, 128, 0.001, 0.0, 50),
        "paper-2x32": (2, 32, 0.001, 0.9, 50),
        "paper-2x32-slow": (2, 32, 0.0005, 0.9, 50),
    }


def test_presets_can_be_changed_within_bounds():
    settings = settings_from("paper-2x32", epochs=3, learning_rate=None, seed=9)
    assert (settings.epochs, settings.learning_rate, settings.seed) == (3, 0.001, 9)
    with pytest.raises(TrainingError, match="notes-rhythm"):
        settings_from("paper-3x32")
    with pytest.raises(TrainingError, match="no setting 'speed'"):
        settings_from("paper-2x32", speed=3)


@pytest.mark.parametrize(
    "wrong",
    [
        {"epochs": 0}, {"epochs": 10_001}, {"epochs": 2.5}, {"batch_size": 0}, {"layers": 7},
        {"hidden": 0}, {"hidden": True}, {"dropout": 1.0}, {"dropout": float("nan")},
        {"learning_rate": 0.0}, {"learning_rate": 2}, {"learning_rate": "fast"}, {"seed": -1},
        {"gradient_clip": 0}, {"patience": 0}, {"longest": 1}, {"threads": 0},
        {"take_every_epochs": -1}, {"loop_bars": 0}, {"weight_decay": -1},
        {"learning_rate_end": 1.5}, {"embedding": 0},
    ],
)  # fmt: skip
def test_settings_out_of_bounds_are_refused(wrong):
    with pytest.raises(TrainingError, match="got"):
        NoteTrainingSettings(**wrong)


def test_a_torn_or_foreign_line_of_progress_is_left_out(tmp_path):
    list(train_run(TINY, songs(), tmp_path))
    path = tmp_path / PROGRESS_NAME
    steps = read_progress(tmp_path)
    with path.open("ab") as file:
        file.write(b'null\n{"epoch": 9}\n\xff\n[1]\n{"epoch": 4, "epo')
    assert read_progress(tmp_path) == steps
    # a run that goes on begins a line of its own
    list(train_run(replace(TINY, epochs=4), songs(), tmp_path, resume=True))
    assert [step.epoch for step in read_progress(tmp_path) if step.ends_epoch] == [1, 2, 3, 4]
    assert read_progress(tmp_path / "nowhere") == ()
