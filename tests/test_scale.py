"""Past one machine: the same index, beats and losses, whoever does the work."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import types
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import training_ranks

from dj_core.cli import main
from dj_core.corpus.importing import BYTES_AT_ONCE, FILES_AT_ONCE, _pieces
from dj_core.corpus.store import INDEX_NAME, Corpus, import_corpus
from dj_core.errors import CorpusError, LibraryError, TrainingError
from dj_core.files.midi import midi_bytes
from dj_core.host.executors import executor_for, in_order
from dj_core.library.library import Library
from dj_core.models.distributed import Ranks
from dj_core.models.groove.groove_training import GrooveTask
from dj_core.models.run_folder import read_progress, read_status
from dj_core.music.beat import Beat, Hit
from dj_core.sets.pack_contents import save_pack
from dj_core.sets.set_plan import Entry, SetSettings, plan_set

ROOT = Path(__file__).resolve().parents[1]
SCHEDULER_SECONDS = 60


def beat_of(number):
    """A beat like no other: its kick and snare spell its number."""
    hits = [Hit.of("kick", 0.0, 100), Hit.of("closed_hat", 3.75, 60)]
    hits += [Hit.of("snare", 0.25 * place, 90) for place in range(12) if number >> place & 1]
    return Beat(tuple(hits), bars=1, tempo_bpm=120.0)


@pytest.fixture(autouse=True)
def plain_main(monkeypatch):
    """Processes begun here run the main module anew; tests of pages leave a page in its place."""
    monkeypatch.setitem(sys.modules, "__main__", types.ModuleType("__main__"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Five pieces of work, one broken file in the third."""
    folder = tmp_path_factory.mktemp("beats") / "House"
    folder.mkdir()
    for number in range(5 * FILES_AT_ONCE - 10):
        (folder / f"{number:04d}.mid").write_bytes(midi_bytes(beat_of(number)))
    (folder / f"{2 * FILES_AT_ONCE + 5:04d}.mid").write_bytes(b"MThd, and nothing else")
    return folder.parent


@pytest.fixture(scope="module")
def alone(folder, tmp_path_factory):
    """The index as one process makes it."""
    report = import_corpus(folder, tmp_path_factory.mktemp("alone") / "corpus", "mine")
    assert len(report.skipped) == 1
    return report.corpus.index_path.read_bytes()


# --- pieces ---------------------------------------------------------------------------------------


def test_work_is_handed_out_in_pieces():
    sizes = [10] * (FILES_AT_ONCE + 3) + [BYTES_AT_ONCE, 5, BYTES_AT_ONCE // 2, BYTES_AT_ONCE, 1]
    pieces = list(_pieces(enumerate(map(bytes, sizes))))
    assert [len(content) for piece in pieces for _, content in piece] == sizes
    assert max(map(len, pieces)) == FILES_AT_ONCE
    assert all(sum(len(content) for _, content in piece[:-1]) < BYTES_AT_ONCE for piece in pieces)


# --- importing ------------------------------------------------------------------------------------


def test_two_processes_make_the_same_index(folder, alone, tmp_path):
    with executor_for(processes=2) as executor:
        report = import_corpus(folder, tmp_path / "corpus", "mine", executor=executor)
    assert report.corpus.index_path.read_bytes() == alone
    contents = {file.name: report.corpus.content(file) for file in report.corpus.files}
    assert contents == {name: (folder / name).read_bytes() for name in contents}


def test_a_stopped_import_elsewhere_leaves_nothing_behind(folder, tmp_path):
    def stop(done, total):
        if done == FILES_AT_ONCE + 1:
            raise KeyboardInterrupt

    with executor_for(processes=2) as executor, pytest.raises(KeyboardInterrupt):
        import_corpus(folder, tmp_path / "corpus", "mine", progress=stop, executor=executor)
    assert not (tmp_path / "corpus").exists()


def test_an_address_that_fsspec_knows_is_imported_like_a_folder(folder, alone, tmp_path):
    import fsspec

    memory = fsspec.filesystem("memory")
    for path in folder.rglob("*.mid"):
        memory.pipe(f"/drums/{path.relative_to(folder).as_posix()}", path.read_bytes())
    memory.pipe("/drums/.hidden/one.mid", b"never read")
    report = import_corpus("memory://drums", tmp_path / "corpus", "mine")
    assert report.corpus.index_path.read_bytes() == alone
    with pytest.raises(CorpusError, match="nowhere"):
        import_corpus("nowhere://drums", tmp_path / "other", "mine")


# --- rendering ------------------------------------------------------------------------------------


def test_answers_come_in_order_with_few_jobs_handed_out():
    taken = []

    def jobs():
        for number in range(20):
            taken.append(number)
            yield (number, 2)

    with ThreadPoolExecutor(3) as pool:
        answers = in_order(pow, jobs(), pool, ahead=4)
        assert not taken
        assert next(answers) == 0
        assert len(taken) == 5
        assert list(answers) == [number**2 for number in range(1, 20)]
    assert list(in_order(pow, jobs(), None, ahead=4)) == [number**2 for number in range(20)]


def test_work_nobody_waits_for_any_more_is_not_begun():
    done, gate = [], threading.Event()

    def work(number):
        if number:
            gate.wait()
        done.append(number)

    with ThreadPoolExecutor(1) as pool:
        answers = in_order(work, ((number,) for number in range(9)), pool, ahead=8)
        next(answers)
        answers.close()
        gate.set()
    assert done in ([0], [0, 1])  # the second may have begun


def test_two_processes_pack_the_same_bytes(tmp_path):
    entries = [Entry(beat_of(number), phrases=2, fills=(beat_of(9),)) for number in (1, 2, 3)]
    planned = plan_set(entries, SetSettings(name="Friday", phrase_bars=8, keep_order=True))
    alone = save_pack(planned, tmp_path / "alone.zip")
    with executor_for(processes=2) as executor:
        together = save_pack(planned, tmp_path / "together.zip", executor=executor)
    assert together.entries == alone.entries
    assert together.path.read_bytes() == alone.path.read_bytes()


# --- on the command line --------------------------------------------------------------------------


def test_two_processes_import_on_the_command_line(folder, alone, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("DIGITAL_DJ_HOME", str(tmp_path))
    assert main(["import", str(folder), "--name", "mine", "--processes", "2", "--json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["files"] > 0
    assert Library.open().corpus("mine").index_path.read_bytes() == alone


# --- on a cluster ---------------------------------------------------------------------------------


def wait_for(condition):
    deadline = time.monotonic() + SCHEDULER_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "the cluster did not come up"
        time.sleep(0.1)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A scheduler and two workers, processes of their own on loopback; kills are the test's."""
    distributed = pytest.importorskip("distributed", reason="needs requirements-scale.txt")
    place = tmp_path_factory.mktemp("cluster")
    told = place / "scheduler.json"
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
        "DASK_TEMPORARY_DIRECTORY": str(place),
    }
    dask = [sys.executable, "-m", "distributed.cli.dask_scheduler"]
    logs = (place / "log").open("wb")
    start = {"cwd": place, "env": environment, "stdout": logs, "stderr": logs}
    processes = [
        subprocess.Popen(
            [*dask, "--host", "127.0.0.1", "--port", "0", "--no-dashboard",
             "--scheduler-file", told], **start,
        )
    ]  # fmt: skip
    worker = [sys.executable, "-m", "distributed.cli.dask_worker", "--scheduler-file", told]
    worker += ["--nthreads", "1", "--no-dashboard", "--no-nanny", "--host", "127.0.0.1"]
    try:
        wait_for(told.exists)
        workers = [subprocess.Popen(worker, **start) for _ in range(2)]
        processes += workers
        address = json.loads(told.read_text())["address"]
        with distributed.Client(address, set_as_default=False) as client:
            client.wait_for_workers(2, timeout=SCHEDULER_SECONDS)
        yield address, workers
    finally:
        for process in reversed(processes):
            process.kill()  # asked to end, a worker may wait for a scheduler that is gone
        for process in processes:
            process.wait()
        logs.close()


def test_a_cluster_makes_the_same_index(cluster, folder, alone, tmp_path):
    address, _ = cluster
    with executor_for(address) as executor:
        report = import_corpus(folder, tmp_path / "corpus", "mine", executor=executor)
    assert report.corpus.index_path.read_bytes() == alone


def test_a_worker_that_is_killed_in_the_middle_costs_nothing(cluster, folder, alone, tmp_path):
    address, workers = cluster

    def kill(done, total):
        if done == FILES_AT_ONCE // 2 and workers[0].poll() is None:
            workers[0].send_signal(signal.SIGKILL)

    with executor_for(address) as executor:
        report = import_corpus(
            folder, tmp_path / "corpus", "mine", progress=kill, executor=executor
        )
    assert workers[0].wait() == -signal.SIGKILL
    assert workers[1].poll() is None
    assert report.corpus.index_path.read_bytes() == alone
    assert (tmp_path / "corpus" / INDEX_NAME).exists()
    assert Corpus(tmp_path / "corpus").files == report.corpus.files


def test_an_address_where_nobody_answers_is_said_in_words(monkeypatch):
    pytest.importorskip("distributed", reason="needs requirements-scale.txt")
    monkeypatch.setattr("dj_core.host.executors.CONNECT_SECONDS", 1)
    with (
        pytest.raises(LibraryError, match="No Dask scheduler answers"),
        executor_for("tcp://127.0.0.1:9"),
    ):
        pass


# --- training -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def two_ranks(tmp_path_factory):
    """The runs of tests/training_ranks.py, by two processes."""
    folder = tmp_path_factory.mktemp("ranks")
    done = subprocess.run(
        [
            sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
            ROOT / "tests" / "training_ranks.py", folder,
        ],
        env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=300,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


def assert_same_epochs(alone, shared):
    """Two runs went the same way, but for rounding."""
    alone, shared = (
        [step for step in read_progress(folder) if step.ends_epoch] for folder in (alone, shared)
    )
    assert len(alone) == len(shared)
    for one, two in zip(alone, shared, strict=True):
        assert two.train_loss == pytest.approx(one.train_loss, abs=1e-6)
        assert two.validation_loss == pytest.approx(one.validation_loss, abs=1e-6)
        assert two.train_accuracy == one.train_accuracy
    assert shared[-1].finished
    assert shared[0].validation_loss > shared[-1].validation_loss  # it learned at all


def test_two_ranks_reach_the_losses_of_one_process(two_ranks, tmp_path):
    list(training_ranks.notes(tmp_path / "alone"))
    assert_same_epochs(tmp_path / "alone", two_ranks / "notes")
    assert sorted(path.name for path in (tmp_path / "alone").iterdir()) == sorted(
        path.name for path in (two_ranks / "notes").iterdir()
    )


def test_a_groove_run_of_two_ranks_goes_on_in_one_process(two_ranks, tmp_path):
    list(training_ranks.groove(tmp_path / "alone"))
    assert read_status(two_ranks / "groove")[0] == "stopped"
    list(training_ranks.groove(two_ranks / "groove", resume=True))
    assert_same_epochs(tmp_path / "alone", two_ranks / "groove")


def test_more_ranks_than_streams_are_refused():
    ranks = Ranks(0, training_ranks.GROOVE.streams + 1)
    with pytest.raises(TrainingError, match="cannot share"):
        GrooveTask(training_ranks.GROOVE, [], ranks)


def test_a_beat_played_elsewhere_is_the_same_beat():
    from dj_core.evaluation.examination import play_away
    from dj_core.models.families import load_model
    from dj_core.models.request import GenerationRequest

    folder = ROOT / "models" / "groove"
    requests = [GenerationRequest(genre="house", bars=1, seed=seed) for seed in range(3)]
    with executor_for(processes=2) as executor:
        takes = executor.submit(play_away, folder, requests).result()
    assert [take.beat for take in takes] == [
        take.beat for take in load_model(folder).generate_all(requests)
    ]
