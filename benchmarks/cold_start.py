"""From nothing to a beat: what a first visitor to a server that was just started waits for.

    .venv/bin/python -m benchmarks.cold_start [--rounds 5] [--json FILE]

Starts the app anew each round, opens its first page in a real browser as soon as the server
answers, clicks Generate as soon as it can be clicked, and prints one JSON object of medians.

import_ms   `import dj_core` alone, as `python -X importtime` counts it; `heavy` lists what it
            should have left for later and did not
beat_core_ms, help_core_ms  processor time of the commands `generate --genre house` and `--help`
server_ms   from the command until the server answers; nobody waits for that; `server_core_ms` is
            its processor time
drawn_ms    from asking for the address until the first page is drawn: a beat on the deck, and
            Generate there to click
page_ms     until the deck can sound as well, its kit loaded; `page_core_ms` is what that costs the
            cores, the server and all processes of the browser together, whatever else the machine
            does
beat_ms     from that click until the beat's first stroke is due at the loudspeakers; `take_ms` of
            them until the deck has the beat
server_mb   the server's memory (resident set) after that beat

One round more is run first and not counted: it leaves Python's compiled files and the browser's
own caches behind, which a machine has to make once.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
from playwright.sync_api import Browser, sync_playwright

from benchmarks.deck_latency import FLAGS, PROBE, ROOT, find_browser, served_app

HEAVY = ("torch", "music21", "matplotlib", "pretty_midi", "fluidsynth", "streamlit", "numpy")
IMPORTS = 5
DRAWN = """() => {
  const button = document.querySelector('.st-key-dj_go button')
  const parts = [...document.querySelectorAll('.st-key-deck *')]
  return button && !button.disabled && parts.some((part) => part.shadowRoot?.querySelector('.cell'))
}"""
READY = """() => {
  const button = document.querySelector('.st-key-dj_go button')
  return window.digitalDjEngine?.state().kitReady && button && !button.disabled
}"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, help="also write the result here")
    asked = parser.parse_args()
    import_ms, heavy = importing()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=list(FLAGS))
        rounds = [one_round(browser) for _ in range(asked.rounds + 1)][1:]
        browser.close()
    result = {
        "rounds": asked.rounds,
        "import_ms": import_ms,
        "heavy": heavy,
        **{name: round(statistics.median(each[name] for each in rounds)) for name in rounds[0]},
        "load_average": round(os.getloadavg()[0], 1),
    }
    if asked.json:
        asked.json.write_text(json.dumps(result, indent=2) + "\n", "utf-8")
    print(json.dumps(result))


def importing() -> tuple[float, list[str]]:
    """Milliseconds of `import dj_core`, the median of several, and the heavy packages it loads."""
    taken: list[float] = []
    found: set[str] = set()
    for _ in range(IMPORTS):
        told = subprocess.run(
            [sys.executable, "-X", "importtime", "-c", "import dj_core"],
            cwd=ROOT, capture_output=True, text=True, check=True,
        ).stderr  # fmt: skip
        lines = re.findall(r"import time:\s+\d+ \|\s+(\d+) \|\s+(\S+)", told)
        taken += [int(microseconds) / 1000 for microseconds, name in lines if name == "dj_core"]
        found |= {name for _, name in lines} & set(HEAVY)
    return round(statistics.median(taken), 2), sorted(found)


def one_round(browser: Browser) -> dict[str, float]:
    """A server of its own, its first visitor, and that visitor's first beat; milliseconds."""
    with served_app() as (url, seconds):
        (server,) = (
            process for process in psutil.Process().children() if "streamlit" in process.cmdline()
        )
        spent = server.cpu_times()
        return {
            **command_core_ms(),
            "server_ms": 1000 * seconds,
            "server_core_ms": 1000 * (spent.user + spent.system),
            **first_visit(browser, url),
            "server_mb": server.memory_info().rss / 1e6,
        }


def command_core_ms() -> dict[str, float]:
    """Processor time of a beat and of help from the command line, in processes of their own."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        beat = ["generate", "--genre", "house", "--out", folder]
        for name, arguments in (("beat", beat), ("help", ["--help"])):
            before = os.times()
            subprocess.run(
                [sys.executable, "-m", "dj_core", *arguments],
                cwd=ROOT, env={**os.environ, "DIGITAL_DJ_HOME": folder},
                stdout=subprocess.DEVNULL, check=True,
            )  # fmt: skip
            after = os.times()
            spent = after.children_user + after.children_system
            spent -= before.children_user + before.children_system
            found[f"{name}_core_ms"] = 1000 * spent
    return found


def first_visit(browser: Browser, url: str) -> dict[str, float]:
    """Open the first page and click Generate as soon as it is there."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.set_default_timeout(120_000)
    try:
        asked, spent = time.perf_counter(), core_seconds()
        page.goto(f"{url}/", wait_until="commit")
        page.wait_for_function(DRAWN, polling="raf")
        drawn_ms = 1000 * (time.perf_counter() - asked)
        page.wait_for_function(READY, polling="raf")
        page_ms = 1000 * (time.perf_counter() - asked)
        page_core_ms = 1000 * (core_seconds() - spent)
        page.evaluate(PROBE)
        page.locator(".st-key-dj_go button").first.click()
        page.wait_for_function("window.marks.heard > 0")
        marks = page.evaluate("window.marks")
    finally:
        context.close()
    return {
        "drawn_ms": drawn_ms,
        "page_ms": page_ms,
        "page_core_ms": page_core_ms,
        "take_ms": marks["given"] - marks["click"],
        "beat_ms": marks["heard"] - marks["click"],
    }


def core_seconds() -> float:
    """What every process begun here has cost so far."""
    times = [process.cpu_times() for process in psutil.Process().children(recursive=True)]
    return sum(time.user + time.system for time in times)


if __name__ == "__main__":
    main()
