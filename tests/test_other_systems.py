"""The program without what only POSIX has, as `other_system.py` runs it."""

import json
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

import pytest

from dj_core.files.midi import save_midi
from dj_core.models.run_folder import PROGRESS_NAME, STATUS_NAME, STOP_NAME
from dj_core.music.patterns import load_patterns

ROOT = Path(__file__).resolve().parent.parent
WAIT_SECONDS = 200


@pytest.fixture
def other_system(home, monkeypatch):
    """Starts a verb on such a system; its folder is one of its own."""
    monkeypatch.setenv("DIGITAL_DJ_HOME", str(home))

    def start(*arguments):
        program = [sys.executable, str(ROOT / "tests" / "other_system.py"), "dj_core"]
        return subprocess.Popen(
            [*program, *map(str, arguments), "--json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )

    return start


@pytest.fixture
def other_server(home, tmp_path, monkeypatch):
    """The address of an app on such a system."""
    monkeypatch.setenv("DIGITAL_DJ_HOME", str(home))
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    program = [sys.executable, str(ROOT / "tests" / "other_system.py"), "streamlit", "run"]
    program += ["app.py", "--server.address", "127.0.0.1", "--server.port", str(port)]
    log = tmp_path / "log.txt"
    with (
        log.open("wb") as output,
        subprocess.Popen(program, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT) as server,
    ):
        end = time.monotonic() + WAIT_SECONDS
        while not _answers(f"http://127.0.0.1:{port}/_stcore/health"):
            assert server.poll() is None, log.read_text("utf-8", "replace")
            assert time.monotonic() < end, log.read_text("utf-8", "replace")
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
        server.terminate()


def _answers(address):
    with suppress(OSError), urllib.request.urlopen(address) as answer:
        return answer.status == 200
    return False


def answer_of(process):
    told, problems = process.communicate(timeout=WAIT_SECONDS)
    assert process.returncode == 0, problems
    return json.loads(told.splitlines()[-1])


def test_a_corpus_becomes_a_pack(other_system, tmp_path):
    for number, pattern in enumerate(load_patterns()[:6]):
        save_midi(pattern, tmp_path / "drums" / f"{number}.mid")
    asked = ("import", tmp_path / "drums", "--name", "Größe", "--processes", 2)
    assert answer_of(other_system(*asked))["files"] == 6
    took = answer_of(other_system("generate", "--genre", "house", "--out", tmp_path))
    (beat,) = took["files"]
    asked = ("render", beat, "--out", tmp_path / "beat.wav", "--kit", "house", "--loop")
    assert Path(answer_of(other_system(*asked))["file"]).stat().st_size > 100_000
    packed = answer_of(other_system("pack", beat, "--out", tmp_path / "set.zip"))
    assert any(name.endswith("rekordbox.xml") for name in packed["entries"])


def test_a_run_is_trained_by_one_process_and_stopped(other_system, home, tmp_path):
    for number, pattern in enumerate(load_patterns()[:12]):
        save_midi(pattern, tmp_path / "drums" / f"{number}.mid")
    answer_of(other_system("import", tmp_path / "drums", "--name", "mine"))
    asked = ("train", "--corpus", "mine", "--preset", "paper-2x32", "--run", "first")
    first = other_system(*asked, "--epochs", 5_000)
    run = home / "runs" / "first"
    end = time.monotonic() + WAIT_SECONDS
    while not (run / PROGRESS_NAME).exists():
        assert first.poll() is None, first.communicate()
        assert time.monotonic() < end, (run / STATUS_NAME).read_text()
        time.sleep(0.1)
    second = other_system("train", "--run", "first", "--resume")
    assert "another process" in second.communicate(timeout=WAIT_SECONDS)[1]
    assert second.returncode == 1
    (run / STOP_NAME).write_bytes(b"")
    answer_of(first)
    assert json.loads((run / STATUS_NAME).read_text("utf-8"))["state"] == "stopped"


def test_the_app_is_served(other_server):
    with urllib.request.urlopen(f"{other_server}/generate", timeout=WAIT_SECONDS) as answer:
        assert b'id="root"' in answer.read()
