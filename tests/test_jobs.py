"""Training in a process of its own: started, watched, stopped, resumed, and found dead."""

import json
import os
import signal
import time

import pytest

from dj_core.errors import TrainingError
from dj_core.files.midi import save_midi
from dj_core.library.library import Library
from dj_core.library.training_jobs import (
    LOG_NAME,
    PID_NAME,
    list_runs,
    read_run,
    resume_training,
    start_training,
    stop_training,
)
from dj_core.models.families import load_model, settings_from, train_run
from dj_core.models.request import GenerationRequest
from dj_core.models.run_folder import write_status
from dj_core.music.beat import Beat, Hit

PATIENCE_SECONDS = 180  # a process imports torch and music21 first; usually 5


@pytest.fixture
def library(home, tmp_path):
    """A library with a corpus of a dozen one-bar beats."""
    for number in range(12):
        hits = [Hit.of("closed_hat", 0.5 * place) for place in range(8)]
        hits += [Hit.of("kick", 0), Hit.of("snare", 1 + number % 3), Hit.of("kick", number / 4)]
        save_midi(Beat(tuple(hits), bars=1), tmp_path / "beats" / "Rock" / f"{number}.mid")
    library = Library(home)
    library.import_corpus(tmp_path / "beats", "mine")
    return library


def wait_until(run_folder, answered):
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not answered(run := read_run(run_folder)):
        if time.monotonic() > deadline or (
            run.state != "running" and not answered(read_run(run_folder))
        ):
            log = (run_folder / LOG_NAME).read_text("utf-8", "replace")
            pytest.fail(f"The run is {run.state} ({run.message}):\n{log}")
        time.sleep(0.1)
    return run


def start(library, name, **overrides):
    settings = {"epochs": 2, "hidden": 8, "batch_size": 4, **overrides}
    start_training(library.home, name, corpora=["mine"], preset="paper-2x32", **settings)
    return library.runs_folder / name


def test_a_run_trains_by_itself_and_becomes_a_model(library):
    folder = start(library, "first", learning_rate=0.01, dropout=0.25, seed=3)
    assert read_run(folder).state == "running"
    with pytest.raises(TrainingError, match="already is a run"):
        start(library, "first")
    run = wait_until(folder, lambda run: run.state == "finished")
    assert run.settings == settings_from(
        "paper-2x32", corpora=("mine",), epochs=2, hidden=8, batch_size=4,
        learning_rate=0.01, dropout=0.25, seed=3,
    )  # fmt: skip
    assert [step.epoch for step in run.epoch_steps] == [1, 2]
    assert run.last_step.finished
    assert "first" in [model.name for model in library.models()]
    with pytest.raises(TrainingError, match="finished"):
        resume_training(library.home, "first")
    with pytest.raises(TrainingError, match="not running"):
        stop_training(folder)


def test_a_run_is_stopped_and_goes_on_dies_and_goes_on(library):
    folder = start(library, "long", epochs=10_000)
    wait_until(folder, lambda run: len(run.steps) > 1)
    assert os.getsid(int((folder / PID_NAME).read_text())) != os.getsid(0)  # outlives us
    stop_training(folder)
    stopped = wait_until(folder, lambda run: run.state == "stopped")

    resume_training(library.home, "long")
    further = wait_until(folder, lambda run: run.last_step.epoch > stopped.last_step.epoch + 1)
    with pytest.raises(TrainingError, match="nothing to resume"):
        resume_training(library.home, "long")
    os.kill(int((folder / PID_NAME).read_text()), signal.SIGKILL)
    dead = wait_until(folder, lambda run: run.state == "died")
    assert dead.last_step.epoch >= further.last_step.epoch


def test_a_groove_run_is_stopped_killed_and_goes_on_and_its_model_plays(library):
    """The same process, folder and stream of steps as for the models that write notes."""
    start_training(
        library.home, "grooves", corpora=["mine"], preset="groove-quick", starter=False,
        epochs=40, hidden=16, batch_size=1,
    )  # fmt: skip
    folder = library.runs_folder / "grooves"
    wait_until(folder, lambda run: len(run.steps) > 1)
    os.kill(int((folder / PID_NAME).read_text()), signal.SIGKILL)  # before anything was saved
    wait_until(folder, lambda run: run.state == "died")

    resume_training(library.home, "grooves")
    wait_until(folder, lambda run: run.epoch_steps)
    stop_training(folder)
    stopped = wait_until(folder, lambda run: run.state == "stopped")
    assert stopped.settings.corpora == ("mine",)
    assert stopped.epoch_steps[0].epoch == 1
    assert all(step.validation_loss > 0 for step in stopped.epoch_steps)

    resume_training(library.home, "grooves")
    further = wait_until(folder, lambda run: run.last_step.step != stopped.last_step.step)
    assert (further.last_step.epoch, further.last_step.step) > (
        stopped.last_step.epoch, stopped.last_step.step,
    )  # fmt: skip
    stop_training(folder)
    wait_until(folder, lambda run: run.state == "stopped")
    made = library.model("grooves")
    assert made.has_feel
    assert made.card["corpora"] == ["mine"]
    genre = made.genres[0]
    beat = load_model(made.folder).generate(GenerationRequest(bars=2, genre=genre)).beat
    assert (beat.bars, beat.genre) == (2, genre)


def test_a_run_is_stopped_while_it_is_still_starting(library):
    folder = start(library, "hasty", epochs=10_000)
    stop_training(folder)
    run = wait_until(folder, lambda run: run.state == "stopped")
    assert len(run.steps) == 1


def test_a_run_that_cannot_begin_says_why(library):
    start_training(library.home, "lost", corpora=["nowhere"], preset="paper-2x32")
    folder = library.runs_folder / "lost"
    run = wait_until(folder, lambda run: run.state in ("died", "failed"))
    assert "nowhere" in run.message
    assert run.steps == ()


def test_wrong_settings_never_start_a_process(library):
    for wrong in (
        {"preset": "paper-9x9"}, {"corpora": []}, {"epochs": 0}, {"threads": 2}, {"speed": 3},
    ):  # fmt: skip
        options = {"corpora": ["mine"], "preset": "paper-2x32", **wrong}
        with pytest.raises(TrainingError):
            start_training(library.home, "wrong", **options)
    assert not (library.runs_folder / "wrong").exists()


def test_what_a_folder_says_of_its_run(tmp_path):
    with pytest.raises(TrainingError, match="no run called 'none'"):
        read_run(tmp_path / "none")
    for state in ("finished", "stopped", "failed"):
        write_status(tmp_path / state, state, f"{state} it is")
        run = read_run(tmp_path / state)
        assert (run.name, run.state, run.message) == (state, state, f"{state} it is")
        assert run.settings is None
        assert run.last_step is None
    write_status(tmp_path / "gone", "running")
    assert read_run(tmp_path / "gone").state == "died"
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / "status.json").write_bytes(b'{"state": "runn')
    assert read_run(tmp_path / "torn").state == "died"


def test_a_died_run_shows_the_last_thing_it_said(tmp_path):
    folder = tmp_path / "run"
    write_status(folder, "starting")
    (folder / LOG_NAME).write_bytes(b"Training:  0%\r 10%\ndigital-dj: The disk is full.\n\n")
    assert read_run(folder).message == "The disk is full."


def test_runs_are_listed_newest_first(tmp_path):
    assert list_runs(tmp_path / "nowhere") == ()
    for age, name in enumerate(("c", "a", "b")):
        write_status(tmp_path / name, "finished")
        os.utime(tmp_path / name / "status.json", (1e9 - age, 1e9 - age))
    (tmp_path / "no-run").mkdir()
    (tmp_path / "file").write_text("")
    assert [run.name for run in list_runs(tmp_path)] == ["c", "a", "b"]


def test_a_run_under_way_in_this_process_is_running(tmp_path):
    from test_training import TINY, songs

    running = train_run(TINY, songs(), tmp_path / "run")
    next(running)
    run = read_run(tmp_path / "run")
    assert (run.state, run.settings) == ("running", TINY)
    running.close()
    assert read_run(tmp_path / "run").state == "stopped"
    assert json.loads((tmp_path / "run" / "status.json").read_text())["state"] == "stopped"
