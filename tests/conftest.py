"""What tests share: real corpora, a fresh folder of one's own, the app and a browser for it."""

from __future__ import annotations

import contextlib
import csv
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import psutil
import pytest
from browser import FLAGS, find_browser
from hypothesis import settings
from watch import Screen

from dj_core.files.midi import midi_bytes
from dj_core.music.genres import genre_label
from dj_core.music.patterns import load_patterns

# examples take as long as the machine takes; how long is measured elsewhere
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ROOT = Path(__file__).resolve().parent.parent
REAL_CORPORA = ROOT.parent / "shared" / "corpora"
IN_CI = os.environ.get("CI") == "true"
START_SECONDS = 120  # a cold server on a busy machine; usually 3
PAGE_MILLISECONDS = 120_000  # likewise
PAPER_GENRES = {"blues", "country", "indie", "jazz", "pop", "psychedelic-rock", "rock", "soul"}
DESKTOP = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}

_stood_in: list[Path] = []


# -- corpora -------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the corpora digital-dj, electronic and groove.

    On a machine without them the starter patterns stand in, in the same three layouts; in
    continuous integration their absence is a failure.
    """
    if REAL_CORPORA.is_dir():
        return REAL_CORPORA
    if IN_CI:
        pytest.fail(f"The real corpora are missing; they belong in {REAL_CORPORA}.")
    folder = tmp_path_factory.mktemp("corpora")
    _write_stand_ins(folder)
    _stood_in.append(folder)
    return folder


def _write_stand_ins(folder: Path) -> None:
    electronic = [("file", "genre", "bpm", "bars")]
    groove = [("drummer", "style", "bpm", "beat_type", "time_signature", "midi_filename", "split")]
    for number, beat in enumerate(load_patterns()):
        content = midi_bytes(beat)
        tempo = f"{beat.playing_tempo_bpm:g}"
        loop_file = f"{beat.genre}/{number}.mid"
        style = beat.genre.replace("-", "")
        meter = str(beat.meter).replace("/", "-")
        take = f"drummer1/session1/{number}_{style}_{tempo}_beat_{meter}.mid"
        electronic.append((loop_file, beat.genre, tempo, beat.bars))
        split = "validation" if number % 9 == 0 else "train"
        groove.append(("drummer1", style, tempo, "beat", meter, take, split))
        files = [f"electronic/{loop_file}", f"groove/{take}"]
        if beat.genre in PAPER_GENRES:
            files.append(f"digital-dj/{genre_label(beat.genre)}/{number}.mid")
        for file in files:
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_bytes(content)
    for name, rows in (("electronic", electronic), ("groove", groove)):
        with (folder / name / "info.csv").open("w", newline="", encoding="utf-8") as sheet:
            csv.writer(sheet).writerows(rows)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Name a failure at once: a run that is cut off has no summary."""
    if report.failed and "PYTEST_XDIST_WORKER" not in os.environ:
        print(f"\nFAILED {report.nodeid} ({report.when})", flush=True)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say so when tests of real corpora ran on something else."""
    if _stood_in:
        terminalreporter.write_line(
            f"The real corpora are not in {REAL_CORPORA}: the starter patterns stood in for them."
        )


# -- the DJ's folder -----------------------------------------------------------------------------


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that DIGITAL_DJ_HOME names."""
    folder = tmp_path / "home"
    monkeypatch.setenv("DIGITAL_DJ_HOME", str(folder))
    return folder


# -- the app -------------------------------------------------------------------------------------


@dataclass
class App:
    """The real app on a port of its own.

    Attributes:
        url: without a slash at the end.
        home: its DIGITAL_DJ_HOME.
        process: the server; jobs that it started are processes of their own.
        log: what it printed.
    """

    url: str
    home: Path
    process: subprocess.Popen
    log: Path

    def stop(self) -> None:
        """End the server as Ctrl-C would, and nothing that should outlive it."""
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


StartApp = Callable[..., App]


@contextlib.contextmanager
def _apps(factory: pytest.TempPathFactory) -> Iterator[StartApp]:
    """A way to start apps; all of them end with it."""
    apps: list[App] = []

    def start(home: Path | None = None) -> App:
        folder = factory.mktemp("app")
        apps.append(_started(home or folder / "home", folder / "log.txt"))
        return apps[-1]

    try:
        yield start
    finally:
        for app in apps:
            app.stop()
            _end_jobs(app.home)


@pytest.fixture
def start_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartApp]:
    """Call it for a cold server of one's own: start_app() or start_app(home=folder) → App."""
    with _apps(tmp_path_factory) as start:
        yield start


@pytest.fixture(scope="session")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """The app that tests share; what one test leaves in its folder, others find."""
    with _apps(tmp_path_factory) as start:
        yield start()


@pytest.fixture
def app_url(app: App) -> str:
    """Where the shared app is served."""
    return app.url


def _started(home: Path, log: Path) -> App:
    port = _free_port()
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", "app.py",
             "--server.address", "127.0.0.1", "--server.port", str(port)],
            cwd=ROOT, env={**os.environ, "DIGITAL_DJ_HOME": str(home)},
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
    app = App(f"http://127.0.0.1:{port}", home, process, log)
    deadline = time.monotonic() + START_SECONDS
    while not _is_healthy(app.url):
        if process.poll() is not None or time.monotonic() > deadline:
            app.stop()
            pytest.fail(f"The app did not start:\n{log.read_text('utf-8', 'replace')}")
        time.sleep(0.1)
    return app


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def _is_healthy(url: str) -> bool:
    with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/_stcore/health") as answer:
        return answer.status == 200
    return False


def _end_jobs(home: Path) -> None:
    """Kill what the app left running; jobs of this test run are known by its temporary folder."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get("DIGITAL_DJ_HOME") == str(home):
                process.kill()
    shutil.rmtree(home, ignore_errors=True)


# -- the browser ---------------------------------------------------------------------------------


# Not for the whole session: while Playwright runs, no other code can start an event loop.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless Chromium or Chrome."""
    from playwright.sync_api import sync_playwright

    executable = find_browser()
    if executable is None:
        pytest.fail("No Chromium or Chrome starts here; `make test` gets one.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=list(FLAGS))
        yield browser
        browser.close()


class Visitor(Protocol):
    """`visitor(url, **options)`: a fresh visitor of the app at `url`; the shared one's for None."""

    def __call__(self, url: str | None = None, **options: object) -> Screen: ...


@pytest.fixture
def visitor(
    request: pytest.FixtureRequest,
    browser: Browser,
    start_app: StartApp,  # whose apps go after the visitors
) -> Iterator[Visitor]:
    """Call it for a browser of one's own: visitor() or visitor(url, viewport=PHONE) → Screen.

    The options are those of Playwright's `new_context`. Each page is looked at to the end.
    """
    screens: list[Screen] = []

    def come(url: str | None = None, **options: object) -> Screen:
        # Playwright evaluates what it waits for, which the app's content security policy forbids
        usual = {"viewport": DESKTOP, "accept_downloads": True, "bypass_csp": True}
        context = browser.new_context(**{**usual, **options})
        context.set_default_timeout(PAGE_MILLISECONDS)
        address = request.getfixturevalue("app_url") if url is None else url
        screens.append(Screen(context.new_page(), address))
        return screens[-1]

    yield come
    for screen in screens:
        try:
            if not screen.page.is_closed():
                screen.look()
                screen.look_closely()
            assert not screen.complaints, screen.complaints
        finally:
            screen.page.context.close()


@pytest.fixture
def screen(visitor: Visitor) -> Screen:
    """The shared app in a fresh visitor's browser, 1440 by 900."""
    return visitor()
