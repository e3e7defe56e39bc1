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
}
WAIT_SECONDS = 300  # a busy machine; usually 5


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A Python with the wheel and, linked, the packages it needs and no others."""
    folder = tmp_path_factory.mktemp("installed")
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation",
         "--no-index", "-w", folder, ROOT],
        check=True,
    )  # fmt: skip
    venv.create(folder / "venv", symlinks=True)
    (packages,) = (folder / "venv").glob("lib/python*/site-packages")
    for place in Path(distribution("numpy").locate_file("")).iterdir():
        name = place.name.partition("-")[0].partition(".")[0].lower()
        if name not in EXTRAS | {"dj_core", "digital_dj", "pip"}:
            (packages / place.name).symlink_to(place)
    (wheel,) = folder.glob("*.whl")
    shutil.unpack_archive(wheel, packages, "zip")
    return folder / "venv" / "bin" / "python"


@pytest.fixture
def digital_dj(installed, home, tmp_path, monkeypatch):
    """Runs a verb of what is installed in an empty directory."""
    monkeypatch.setenv("DIGITAL_DJ_HOME", str(home))
    monkeypatch.setenv("DIGITAL_DJ_SYNTH", "samples")
    monkeypatch.delenv("PYTHONPATH", raising=False)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()

    def run(*arguments):
        return subprocess.run(
            [installed, "-c", "import sys; from dj_core.cli import main; sys.exit(main())",
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


def test_what_needs_an_extra_says_in_one_sentence_what_to_install(digital_dj):
    outcome = digital_dj("train", "--corpus", "starter", "--preset", "groove")
    assert (outcome.returncode, outcome.stdout) == (1, "")
    (line,) = outcome.stderr.splitlines()
    assert 'pip install "digital-dj[train]"' in line


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
