"""Digital DJ installed from its wheel, without torch, music21 and FluidSynth."""

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
import venv
from contextlib import suppress
from importlib.metadata import distribution
from pathlib import Path
from socket import socket

import pytest

from dj_core.files.midi import save_midi
from dj_core.music.patterns import load_patterns

ROOT = Path(__file__).resolve().parent.parent
EXTRAS = {
    "torch",
    "torchgen",
    "functorch",
    "music21",
    "sklearn",
    "verovio",
    "distributed",
    "authlib",
    "aalink",
}
WAIT_SECONDS = 300  # a busy machine; usually 5


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation",
         "--no-index", "-w", folder, ROOT],
        check=True,
    )  # fmt: skip
    return next(folder.glob("*.whl"))


def install(wheel, folder, without):
    """A Python with the wheel and, linked, the packages of this one, some left out."""
    venv.create(folder, symlinks=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    for place in Path(distribution("numpy").locate_file("")).iterdir():
        name = place.name.partition("-")[0].partition(".")[0].lower()
        if name not in without | {"dj_core", "digital_dj", "pip"}:
            (packages / place.name).symlink_to(place)
    shutil.unpack_archive(wheel, packages, "zip")
    return folder / "bin" / "python"


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """A Python with the wheel and without extras."""
    return install(wheel, tmp_path_factory.mktemp("installed") / "venv", EXTRAS)


@pytest.fixture
def digital_dj(home, installed, tmp_path, monkeypatch):
    """Runs a verb of what is installed, without extras or of `python`, in an empty directory."""
    monkeypatch.setenv("DIGITAL_DJ_HOME", str(home))
    monkeypatch.setenv("DIGITAL_DJ_SYNTH", "samples")
    monkeypatch.delenv("PYTHONPATH", raising=False)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()

    def run(*arguments, python=installed):
        return subprocess.run(
            [python, "-c", "import sys; from dj_core.cli import main; sys.exit(main())",
             *map(str, arguments)],
            cwd=elsewhere, capture_output=True, text=True, timeout=WAIT_SECONDS, check=False,
        )  # fmt: skip

    return run


def answer_of(outcome):
    assert outcome.returncode == 0, outcome.stderr
    return json.loads(outcome.stdout.splitlines()[-1])


def test_a_beat_becomes_sound_and_a_pack(digital_dj, tmp_path):
    made = answer_of(digital_dj("generate", "--genre", "house", "--out", tmp_path, "--json"))
    (beat,) = made["files"]
    sound = tmp_path / "beat.wav"
    answer_of(digital_dj("render", beat, "--out", sound, "--kit", "house", "--loop", "--json"))
    assert sound.stat().st_size > 100_000
    packed = answer_of(digital_dj("pack", beat, "--out", tmp_path / "pack.zip", "--json"))
    assert any(name.endswith("rekordbox.xml") for name in packed["entries"])


def test_a_jam_and_a_set_are_played(digital_dj, tmp_path):
    asked = ("--genre", "techno", "--minutes", 0.3, "--out", tmp_path / "jam")
    assert answer_of(digital_dj("jam", *asked, "--json"))["files"]
    assert (next((tmp_path / "jam").glob("*.wav"))).stat().st_size > 1_000_000
    beats = [tmp_path / f"{number}.mid" for number in range(2)]
    for path, beat in zip(beats, load_patterns(), strict=False):
        save_midi(beat, path)
    asked = ("--phrase-bars", 8, "--out", tmp_path / "set")
    assert answer_of(digital_dj("set", *beats, *asked, "--json"))
    assert {path.suffix for path in (tmp_path / "set").iterdir()} >= {".mid", ".wav"}


def test_what_needs_an_extra_says_in_one_sentence_what_to_install(digital_dj):
    outcome = digital_dj("train", "--corpus", "starter", "--preset", "groove")
    assert (outcome.returncode, outcome.stdout) == (1, "")
    (line,) = outcome.stderr.splitlines()
    assert 'pip install "digital-dj[train]"' in line


def test_with_the_extra_it_trains(wheel, digital_dj, home, tmp_path):
    python = install(wheel, tmp_path / "venv", set())
    for number, pattern in enumerate(load_patterns()[:12]):
        save_midi(pattern, tmp_path / "drums" / f"{number}.mid")
    answer_of(digital_dj("import", tmp_path / "drums", "--name", "mine", "--json"))
    asked = ("--corpus", "mine", "--preset", "paper-2x32", "--run", "first", "--epochs", 1)
    answer_of(digital_dj("train", *asked, "--json", python=python))
    asked = ("--model", "first", "--bars", 2, "--out", tmp_path, "--json")
    assert answer_of(digital_dj("generate", *asked))["files"]


def test_help_imports_nothing_heavy_and_names_every_verb(installed, digital_dj):
    outcome = digital_dj("--help")
    assert outcome.returncode == 0
    assert {"serve", "generate", "pack", "version"} <= set(outcome.stdout.split())
    assert answer_of(digital_dj("version", "--json"))["version"] == "0.2.0"


@pytest.mark.browser
def test_it_is_served_from_any_directory_and_plays(installed, home, tmp_path, browser, monkeypatch):
    monkeypatch.delenv("PYTHONPATH", raising=False)
    with socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    environment = {**os.environ, "DIGITAL_DJ_HOME": str(home), "DIGITAL_DJ_SYNTH": "samples"}
    program = "import sys; from dj_core.cli import main; sys.exit(main())"
    server = subprocess.Popen(
        [installed, "-c", program, "serve", "--port", str(port), "--no-browser"],
        cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    try:
        end = time.monotonic() + WAIT_SECONDS
        while not _answers(f"{url}/_stcore/health"):
            assert server.poll() is None
            assert time.monotonic() < end
            time.sleep(0.1)
        context = browser.new_context(bypass_csp=True)
        page = context.new_page()
        page.goto(f"{url}/generate")
        page.get_by_role("button", name="Generate").click(timeout=WAIT_SECONDS * 1_000)
        page.get_by_role("button", name="WAV").first.wait_for(timeout=WAIT_SECONDS * 1_000)
        context.close()
    finally:
        server.terminate()  # the app ends with it
        server.wait(timeout=WAIT_SECONDS)


def _answers(address):
    with suppress(OSError), urllib.request.urlopen(address) as answer:
        return answer.status == 200
    return False
