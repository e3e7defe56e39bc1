"""Killed in the middle of a save, a full disk, a limit on files: what was there before still is."""

import contextlib
import errno
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
import torch
from full_disk import files_of_at_most
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from dj_core.errors import DigitalDJError, LibraryError, TrainingError
from dj_core.files.midi import save_midi
from dj_core.files.remote import fetch, send
from dj_core.files.storage import (
    TEMPORARY_PREFIX,
    remove_leftovers,
    temporary_folder,
    write_bytes_atomic,
)
from dj_core.host.queues import turn_to_train
from dj_core.library.kept_beats import Crate
from dj_core.library.library import STARTER_CORPUS, Library
from dj_core.library.take_history import History, new_session_id
from dj_core.library.training_jobs import resume_training, start_training, stop_training
from dj_core.models.checkpoint import ModelFacts
from dj_core.models.families import train_run
from dj_core.models.notes.note_checkpoint import load_note_model, save_note_model
from dj_core.models.notes.note_network import NetworkSettings, build_network
from dj_core.models.notes.note_tokenizer import NotesSettings, NotesTokenizer, Vocabulary
from dj_core.models.notes.note_training import NoteTrainingSettings
from dj_core.models.run_folder import read_status
from dj_core.music.beat import Beat, Hit
from dj_core.sets.saved_sets import save_set, set_path
from dj_core.sets.set_plan import Entry, SetSettings, plan_set
from dj_ui.warming import make_ready

ROOT = Path(__file__).resolve().parent.parent
WORDS = ("C2", "D2", "F#2", "rest")
KILLS = 50


def add_take(history, beat, settings, *given, **named):
    return history.write(history.reserve(), beat, settings, *given, **named)


def victims(what, folder, rest):
    answer = subprocess.run(
        [sys.executable, ROOT / "tests" / "killed_saves.py", what, folder, str(rest)],
        capture_output=True, text=True, check=False, timeout=900,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr[-3000:]
    return json.loads(answer.stdout.splitlines()[-1])


# -- killed ----------------------------------------------------------------------------------------


def test_after_fifty_kills_during_saves_a_whole_model_was_always_there(tmp_path):
    told = victims("saves", tmp_path, KILLS)
    assert told["models_told_apart"] == 2
    assert told["kills"] == told["loaded"] == told["states"] == KILLS
    assert told["between"] > 0  # some fell between the weights and their card


@pytest.mark.parametrize("family", ["notes", "groove"])
def test_a_run_killed_again_and_again_ends_with_the_same_weights(family, tmp_path):
    told = victims("runs", tmp_path, family)
    assert told["kills"] >= 2
    assert told["war"] == told["peace"]


# -- no space --------------------------------------------------------------------------------------


def save(folder, hidden, seed=1):
    network = build_network(NetworkSettings(len(WORDS), hidden=hidden), seed=seed)
    tokenizer = NotesTokenizer(NotesSettings(), Vocabulary(WORDS))
    save_note_model(folder, network, tokenizer, ModelFacts("tiny", ("mine",)))
    return network


def beat_of(number):
    return Beat((Hit.of("kick", number % 4), Hit.of("snare", 1)), bars=1, title=f"beat {number}")


def test_a_model_that_does_not_fit_leaves_the_one_before(tmp_path):
    before = save(tmp_path / "model", 16)
    with files_of_at_most(20_000), pytest.raises(LibraryError, match="Free some space"):
        save(tmp_path / "model", 128)
    loaded = load_note_model(tmp_path / "model").network
    assert torch.equal(loaded.output.weight, before.output.weight)
    assert not [path for path in (tmp_path / "model").iterdir() if path.name.startswith(".")]


def test_a_run_whose_disk_fills_says_so_and_goes_on_when_there_is_space(tmp_path):
    from test_training import TINY, songs

    run, peace = tmp_path / "run", tmp_path / "peace"
    list(train_run(TINY, songs(), peace))
    steps = train_run(TINY, songs(), run)
    for step in steps:
        if step.ends_epoch:
            break
    with files_of_at_most(4_000), pytest.raises(DigitalDJError):
        list(steps)
    state, message = read_status(run)
    assert state == "failed"
    assert "space" in message
    list(train_run(TINY, songs(), run, resume=True))
    weights = [(folder / "model" / "weights.safetensors").read_bytes() for folder in (run, peace)]
    assert weights[0] == weights[1]


@pytest.fixture
def small_disk(tmp_path):
    """A disk of its own of one megabyte."""
    place = tmp_path / "small"
    place.mkdir()
    if not shutil.which("mount"):
        pytest.skip("no mount command here; the limit on files stands in above")
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    if answer.returncode:
        pytest.skip(f"this user may not mount: {answer.stderr.strip()}; the limit stands in above")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def fill(disk):
    """Leave no byte free."""
    with contextlib.suppress(OSError), (disk / "filler").open("wb", buffering=0) as file:
        while file.write(bytes(4_096)):
            pass


def test_on_a_full_disk_everything_kept_is_still_there(small_disk):
    """A model, the crate, takes, a corpus: each says that there is no space, none is harmed."""
    crate, history = Crate(small_disk / "crate"), History(small_disk, new_session_id())
    model = save(small_disk / "model", 16)
    kept = crate.keep(beat_of(1))
    add_take(history, beat_of(1), {})
    source = small_disk.parent / "in"
    save_midi(beat_of(1), source / "1.mid")
    library = Library(small_disk / "home")
    library.import_corpus(source, "mine")
    fill(small_disk)
    save_midi(beat_of(2), source / "2.mid")
    for attempt in (
        lambda: save(small_disk / "model", 64),
        lambda: [crate.keep(beat_of(number)) for number in range(200)],
        lambda: add_take(history, beat_of(2), {}),
        lambda: library.import_corpus(source, "mine"),
        lambda: Library(small_disk / "other").corpora(),
        lambda: list(
            train_run(NoteTrainingSettings("paper-2x32", ("x",)), _songs(), small_disk / "run")
        ),
    ):
        with pytest.raises((LibraryError, TrainingError)) as caught:
            attempt()
        assert "space" in str(caught.value), caught.value
    with pytest.raises(LibraryError, match="the disk is full"):
        crate.keep(beat_of(3))
    assert crate.get(kept.id).beat == beat_of(1)
    assert [item.name for item in crate.find()] == ["beat 1"]
    assert torch.equal(
        load_note_model(small_disk / "model").network.output.weight, model.output.weight
    )
    assert [take.beat for take in history.takes()] == [beat_of(1)]
    assert [file.name for file in library.corpus("mine").files] == ["1.mid"]
    (small_disk / "filler").unlink()
    assert crate.get(kept.id).beat == beat_of(1)
    library.import_corpus(source, "mine")
    assert len(library.corpus("mine").files) == 2


def _songs():
    from test_training import songs

    return songs()


# -- what a kill leaves behind ---------------------------------------------------------------------


def age(path, seconds=30 * 86_400):
    os.utime(path, (time.time() - seconds,) * 2, follow_symlinks=False)


def test_what_killed_processes_left_is_removed_and_what_living_ones_write_stays(home, monkeypatch):
    library = Library(home)
    library.corpora()
    left = home / "sets" / "made" / f"{TEMPORARY_PREFIX}ab12_xyz"
    write_bytes_atomic(left, b"half")
    half = home / "corpora" / f"{TEMPORARY_PREFIX}q1w2e3r4"
    (half / "files").mkdir(parents=True)
    young = home / "corpora" / f"{TEMPORARY_PREFIX}abcdefgh"
    young.write_bytes(b"")
    for path in (left, half):
        age(path)
    with monkeypatch.context() as patched:
        patched.setenv("DIGITAL_DJ_READ_ONLY", "1")
        assert library.tidy() == 0
    with temporary_folder(home / "corpora") as living:
        age(living)
        assert library.tidy() == 2
        assert living.exists()
    assert not living.exists()
    assert not left.exists()
    assert not half.exists()
    assert young.exists()
    assert library.corpus(STARTER_CORPUS).files


# -- what is somebody else's -----------------------------------------------------------------------

ODD_NAMES = (
    ".npm-packages", ".env.template", ".git-branches", ".bashrc-original", ".Friday.zip.ab12_xyz",
    ".starter-q1w2e3r4", f"{TEMPORARY_PREFIX}notes.txt", f"x{TEMPORARY_PREFIX}abcdefgh", "pid",
    "log.txt", "stop", "lock", ".mine.lock", ".starter.lock", "index.parquet.bak", "ticket-1",
    "0123456789abcdef", "000001.json", "notes", "Größe", "-rf", "a b", "%2e%2e", "con",
)  # fmt: skip
PLACES = (
    "", "corpora", "corpora/mine", "corpora/theirs", "corpora/starter", "corpora/starter/files",
    "runs", "runs/night", "runs/.turns", "sessions", f"sessions/{'0123456789abcdef' * 2}",
    "sets", "sets/made", "models", "models/odd", "soundfonts", "Music", ".ssh",
)  # fmt: skip
ACTIONS = {"tidy": 4, "look": 3, "import": 3, "import bad": 2, "delete": 4, "starter": 1,
           "train": 2, "resume": 2, "stop": 2, "take": 2, "keep": 2, "set": 2, "queue": 2,
           "fetch": 2, "warm": 1}  # fmt: skip


def state_of(place):
    """All that lies below a folder: kind, content, time and rights of everything, links unread."""
    found = {}
    for path in sorted(place.rglob("*")):
        about = path.lstat()
        content = (
            str(path.readlink())
            if path.is_symlink()
            else path.read_bytes()
            if path.is_file()
            else ""
        )
        kept = None if path.is_dir() and not path.is_symlink() else about.st_mtime_ns
        found[path.relative_to(place).as_posix()] = about.st_mode, content, kept
    return found


def strangers_files(draw, home, outside):
    """Files, folders and links of other people's, old ones, in every place of the DJ's folder."""
    (outside / "deep").mkdir(parents=True)
    (outside / "deep" / "thesis.txt").write_text("years of work")
    age(outside / "deep" / "thesis.txt")
    for _ in range(draw.randrange(10, 40)):
        place = home / draw.choice(PLACES)
        if any(part.is_file() or part.is_symlink() for part in (place, *place.parents)):
            continue
        place.mkdir(parents=True, exist_ok=True)
        path = place / draw.choice(ODD_NAMES)
        if path.exists() or path.is_symlink():
            continue
        kind = draw.choice(("file", "file", "folder", "empty", "link", "dangling"))
        if kind == "file":
            path.write_bytes(draw.randbytes(9))
        elif kind == "folder":
            path.mkdir()
            (path / draw.choice(ODD_NAMES)).write_bytes(b"theirs")
        elif kind == "empty":
            path.mkdir()
        else:
            path.symlink_to(outside / ("deep" if kind == "link" else "nowhere"))
        age(path)


def act(draw, what, home, files):
    """One thing the app does with the DJ's folder; what goes wrong is said in our words."""
    library = Library(home)
    name = draw.choice(("mine", "mine ", "theirs", "starter", "Starter ", "night", "con", "../up"))
    if what == "tidy":
        library.tidy()
    elif what == "look":
        library.corpora(), library.runs(), library.models(), library.broken_models()
    elif what.startswith("import"):
        library.import_corpus(files / ("bad.mid" if what == "import bad" else "in"), name)
    elif what == "delete":
        library.delete_corpus(name)
    elif what == "starter":  # as another version would ship others
        (home / "corpora" / "starter" / "starter.json").write_text("{}")
        library.corpora()
    elif what == "train":
        start_training(home, name, corpora=["mine"], preset="groove")
    elif what == "resume":
        resume_training(home, name)
    elif what == "stop":
        stop_training(library.run_folder(name))
    elif what == "take":
        add_take(
            History(home, draw.choice(("0123456789abcdef" * 2, new_session_id()))), beat_of(1), {}
        )
    elif what == "keep":
        Crate(home / "crate.db").keep(beat_of(draw.randrange(9)))
    elif what == "set":
        save_set(plan_set([Entry(beat_of(1))], SetSettings()), set_path(home / "sets", name))
    elif what == "queue":
        with turn_to_train(library.runs_folder, 1):
            pass
    elif what == "fetch":
        fetch(str(files / "sent.zip"), {"run": library.run_folder})
    else:
        make_ready()


@contextlib.contextmanager
def own_home(home):
    """The DJ's folder, for an app that begins trainings as far as the process that would train."""

    def refuse(*_, **__):
        raise OSError(errno.EAGAIN, "no more processes")

    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("DIGITAL_DJ_HOME", str(home))
        patched.setattr("dj_core.library.training_jobs.subprocess.Popen", refuse)
        patched.setattr("dj_core.library.take_history.MOST_SESSIONS", 3)
        patched.setattr("dj_core.library.take_history.SECONDS_IN_USE", 0.0)
        yield home


@settings(max_examples=5, phases=[Phase.explicit, Phase.generate])
@given(seed=st.integers(0, 2**32))
def test_nothing_that_the_app_did_not_make_ever_changes(seed):
    """A folder full of other people's files, as it was after a hundred random actions."""
    draw = random.Random(seed)
    with tempfile.TemporaryDirectory() as place, own_home(Path(place) / "home") as home:
        files, outside = Path(place) / "files", Path(place) / "outside"
        save_midi(beat_of(1), files / "in" / "1.mid")
        (files / "bad.mid").write_bytes(b"no music")
        (files / "run").mkdir()
        (files / "run" / "settings.json").write_text("{}")
        send(files / "run", "run", str(files / "sent.zip"))
        strangers_files(draw, home, outside)
        before, elsewhere = state_of(home), state_of(outside)
        for _ in range(100):
            (what,) = draw.choices(list(ACTIONS), ACTIONS.values())
            with contextlib.suppress(DigitalDJError, FileNotFoundError, NotADirectoryError):
                act(draw, what, home, files)
            now = state_of(home)
            assert {name: now.get(name) for name in before} == before, what
        assert state_of(outside) == elsewhere


def test_a_first_start_that_was_interrupted_is_made_good(home, monkeypatch):
    def stop(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("dj_core.library.library.import_corpus", stop)
        with pytest.raises(KeyboardInterrupt):
            Library(home).corpora()
    assert not (home / "corpora" / STARTER_CORPUS).exists()
    assert Library(home).corpus(STARTER_CORPUS).files


def test_a_clock_that_jumps_changes_no_weight(tmp_path, monkeypatch):
    from test_training import TINY, songs

    list(train_run(TINY, songs(), tmp_path / "steady"))
    clock = iter(range(10**9, 0, -86_400))
    with monkeypatch.context() as patched:
        patched.setattr("time.time", lambda: float(next(clock)))
        steps = list(train_run(TINY, songs(), tmp_path / "jumping"))
    assert all(step.seconds >= 0 for step in steps)
    assert load_note_model(tmp_path / "jumping" / "model").weights_sha256 == (
        load_note_model(tmp_path / "steady" / "model").weights_sha256
    )


def test_nothing_is_left_to_remove_where_nothing_was_killed(home):
    Library(home).corpora()
    assert remove_leftovers(home) == 0
