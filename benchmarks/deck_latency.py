"""From the click on Generate to the new beat sounding, in a real browser: where the time goes.

    .venv/bin/python benchmarks/deck_latency.py [--rounds 20] [--bars 4] [--json FILE]

Starts the app on a port of its own, clicks Generate on a stopped deck again and again, and prints
one JSON object, in milliseconds: for settings that have been in sight a while (`unchanged`, the
take was made ahead) and for a tempo that was set in the moment of the click (`changed`), the median
and the 95th percentile of the whole, and the medians of its parts.

made_ahead the clicks, of all rounds, whose take was there before
audio      from the beat on the deck until the first stroke is due at the loudspeakers
page       from the click until the deck has a beat that was made ahead

Of `changed`, what lies before the audio is divided further:

compute    the model plays the beat: `generate` alone, in this process, on one thread; `core` is
           what it costs a core, whatever else the machine does
transport  the rest until the beat is on the deck, in three parts: `out`, from the click until the
           browser has told the server; `server`, until the message with the beat is back, less
           compute; `page`, until the deck has taken it
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from browser import FLAGS, find_browser
from playwright.sync_api import Page, TimeoutError, sync_playwright

from dj_core.library.library import Library
from dj_core.models.families import load_model
from dj_core.models.request import GenerationRequest

GENRE, TEMPO_BPM = "house", 124.0
# Marks when the click came, when the server was told of it, when its last message before the beat
# came, when the beat was given to the engine and when its first stroke is due.
PROBE = """() => {
  const engine = window.digitalDjEngine
  const marks = window.marks = {}
  addEventListener('pointerdown', () => { marks.click = performance.now() }, true)
  const { setBeat } = engine
  const { start } = AudioBufferSourceNode.prototype
  engine.setBeat = (...given) => {
    marks.given ||= performance.now()
    return setBeat.apply(engine, given)
  }
  AudioBufferSourceNode.prototype.start = function (when = 0, ...rest) {
    const wait = Math.max(0, when - this.context.currentTime)
    const output = this.context.outputLatency || this.context.baseLatency || 0
    const live = this.context instanceof AudioContext // loudness is measured without a room
    const due = performance.now() + (wait + output) * 1000
    if (live && marks.given && !marks.heard) marks.heard = due
    return start.call(this, when, ...rest)
  }
}"""
WIRE = """() => {
  const { send } = WebSocket.prototype
  WebSocket.prototype.send = function (...given) {
    if (!this.probed) {
      this.probed = true
      this.addEventListener('message', () => {
        if (window.marks && !marks.given) marks.received = performance.now()
      })
    }
    if (window.marks?.click) marks.sent ||= performance.now()
    return send.apply(this, given)
  }
}"""

# Whether the page has had nothing to do for a while: the last take is followed by the rest of it.
RESTS = """() => {
  const state = document.querySelector('[data-testid=stApp]').dataset.testScriptState
  if (state !== 'notRunning') window.busyAt = performance.now()
  return performance.now() - (window.busyAt ??= performance.now()) > 1500
}"""


READY = "Boolean(window.digitalDj.ahead?.isReady)"  # a take was made ahead of the click


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--bars", type=int, default=4)
    parser.add_argument("--json", type=Path, help="also write the result here")
    asked = parser.parse_args()
    compute = computing(asked.rounds, asked.bars)
    with served_app() as (url, _):
        unchanged, changed = visit(f"{url}/generate?genre=House&bars={asked.bars}", asked.rounds)
    compute_ms = statistics.median(clock for clock, _ in compute)
    out, server, page = (
        between(changed, *ends)
        for ends in (("click", "sent"), ("sent", "received"), ("received", "given"))
    )
    result = {
        "bars": asked.bars,
        "rounds": asked.rounds,
        "unchanged": {
            **whole(unchanged),
            "made_ahead": sum(mark["ready"] for mark in unchanged),
            "page_ms": between(unchanged, "click", "given"),
            "audio_ms": between(unchanged, "given", "heard"),
        },
        "changed": {
            **whole(changed),
            "compute_ms": round(compute_ms, 1),
            "compute_core_ms": round(statistics.median(core for _, core in compute), 1),
            "transport_ms": round(between(changed, "click", "given") - compute_ms, 1),
            "out_ms": out,
            "server_ms": round(server - compute_ms, 1),
            "page_ms": page,
            "audio_ms": between(changed, "given", "heard"),
        },
        "load_average": round(os.getloadavg()[0], 1),
    }
    if asked.json:
        asked.json.write_text(json.dumps(result, indent=2) + "\n", "utf-8")
    print(json.dumps(result))


def between(rounds: list[dict[str, float]], start: str, end: str) -> float:
    """The median time from one mark to another, in milliseconds."""
    return round(statistics.median(mark[end] - mark[start] for mark in rounds), 1)


def whole(rounds: list[dict[str, float]]) -> dict[str, float]:
    """Median and 95th percentile from the click to the sound, in milliseconds."""
    times = sorted(mark["heard"] - mark["click"] for mark in rounds)
    late = times[min(len(times) - 1, int(0.95 * len(times)))]
    return {"total_ms": round(statistics.median(times), 1), "total_p95_ms": round(late, 1)}


def computing(rounds: int, bars: int) -> list[tuple[float, float]]:
    """Milliseconds of `generate` on one thread, by the clock and of the core; a fresh seed each."""
    import torch

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as home:
        model = load_model(Library(Path(home)).model().folder)
    taken = []
    for seed in range(rounds + 1):
        request = GenerationRequest(genre=GENRE, tempo_bpm=TEMPO_BPM, bars=bars, seed=seed)
        clock, core = time.perf_counter(), time.process_time()
        model.generate(request)
        spent = time.perf_counter() - clock, time.process_time() - core
        taken.append((spent[0] * 1000, spent[1] * 1000))
    return taken[1:]  # the first also warms up


@contextlib.contextmanager
def served_app() -> Iterator[tuple[str, float]]:
    """The app in a process and a folder of its own: its address, and the seconds until it answered.

    One thread plays, as on a machine that has others to serve.
    """
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory() as home:
        started = time.perf_counter()
        server = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)],
            cwd=ROOT,
            env={**os.environ, "DIGITAL_DJ_HOME": home, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.DEVNULL,
        )
        try:
            wait_until_served(url)
            yield url, time.perf_counter() - started
        finally:
            server.terminate()
            server.wait()


def wait_until_served(url: str) -> None:
    """Return once the server answers."""
    for _ in range(600):
        try:
            urllib.request.urlopen(f"{url}/_stcore/health")
            return
        except OSError:
            time.sleep(0.2)
    raise SystemExit("The app did not start.")


def visit(url: str, rounds: int) -> tuple[list[dict[str, float]], list[dict[str, float]]]:
    """The marks of `rounds` clicks each, after one to warm up, every time on a stopped deck.

    Returns those with settings unchanged since the last take, and those with another tempo.
    """
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=list(FLAGS))
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.set_default_timeout(120_000)
        page.add_init_script(f"({WIRE})()")
        page.goto(url)
        page.wait_for_function("window.digitalDjEngine?.state().kitReady")
        page.evaluate(PROBE)
        unchanged = [one_round(page, 0) for _ in range(rounds + 1)]
        changed = [one_round(page, 100 + number) for number in range(rounds)]
        browser.close()
    return unchanged[1:], changed


def one_round(page: Page, tempo: int) -> dict[str, float]:
    """One click, until the beat sounds and is stopped again; with a tempo set before, or 0."""
    page.wait_for_function(RESTS, polling=100)
    with contextlib.suppress(TimeoutError):  # then this click is as slow as it is
        page.wait_for_function(READY, timeout=5_000)
    if tempo:
        page.get_by_role("spinbutton", name="Next take at").fill(str(tempo))
    ready = page.evaluate(READY)
    page.evaluate("for (const name in window.marks) window.marks[name] = 0; window.busyAt = null")
    page.locator(".st-key-dj_go button").first.click()
    page.wait_for_function("window.marks.heard > 0 && window.marks.sent > 0")
    page.evaluate("window.digitalDjEngine.stop()")
    return {**page.evaluate("window.marks"), "ready": ready}


if __name__ == "__main__":
    main()
