"""A jam in a browser, listened to at the loudspeaker: gaps, bar lines, repetition, memory.

    .venv/bin/python -m benchmarks.jam_live --minutes 30 --block-seconds 4

The app is started anew and played in headless Chromium with a kit of clicks, each of which dies
away by a tenth from frame to frame: undo that, and every stroke is one frame high. What reaches the
loudspeaker is compared with what the jam says it played, stroke by stroke. `--block-seconds` stops
the server's process for so long once a minute.
"""

from __future__ import annotations

import argparse
import base64
import io
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import soundfile

from dj_core.music.drums import DRUMS

ROOT = Path(__file__).resolve().parent.parent
RATE, DECAY = 44_100, 0.9
BLOCK_EVERY_SECONDS = 60.0
TAP = """
(() => {
  const connect = AudioNode.prototype.connect
  let last
  AudioNode.prototype.connect = function (target, ...rest) {
    if (target instanceof AudioDestinationNode && this.context instanceof AudioContext) last = this
    return connect.call(this, target, ...rest)
  }
  const code = `registerProcessor('tap', class extends AudioWorkletProcessor {
    process([input]) {
      const wave = input[0]
      const found = []
      for (let i = 0; wave && i < 128; i += 1) {
        const height = wave[i] - ${DECAY} * (this.before ?? 0)
        if (height > 0.01) found.push(currentFrame + i)
        this.before = wave[i]
      }
      if (this.next !== undefined && this.next !== currentFrame) found.push(-currentFrame)
      this.next = currentFrame + 128
      if (found.length) this.port.postMessage(found)
      return true
    }
  })`
  window.tap = { frames: [], missed: 0 }
  window.listen = async () => {
    const url = URL.createObjectURL(new Blob([code], { type: 'text/javascript' }))
    await last.context.audioWorklet.addModule(url)
    const node = new AudioWorkletNode(last.context, 'tap', { numberOfOutputs: 0 })
    node.port.onmessage = ({ data }) => {
      for (const frame of data) {
        if (frame < 0) tap.missed += 1
        else tap.frames.push(frame)
      }
    }
    connect.call(last, node)
    return last.context.sampleRate
  }
})()
""".replace("${DECAY}", str(DECAY))


def click_kit() -> dict[str, Any]:
    """A kit whose drums are clicks."""
    file = io.BytesIO()
    wave = np.rint(0.4 * DECAY ** np.arange(400) * 32_767).astype(np.int16)
    soundfile.write(file, wave, RATE, format="FLAC")
    flac = base64.b64encode(file.getvalue()).decode()
    return {
        "name": "clicks", "label": "clicks", "sample_rate": RATE, "more": [],
        "lane_notes": [drum.note for drum in DRUMS], "choke_lanes": [], "choke_seconds": 0.02,
        "ceiling": 0.9, "gains": [[(value + 30) / 157 for value in range(1, 128)]],
        "shots": [{"note": drum.note, "velocity": 127, "gains": 0, "left": 1, "right": 1,
                   "flac": flac} for drum in DRUMS],
    }  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Play, listen, and print one JSON object."""
    parser = argparse.ArgumentParser(description="A jam, listened to at the loudspeaker.")
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--block-seconds", type=float, default=0.0)
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    options = parser.parse_args(arguments)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    with tempfile.TemporaryDirectory() as home:
        server = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", "app.py", "--server.address", "127.0.0.1",
             "--server.port", str(port)],
            cwd=ROOT, env={**os.environ, "DIGITAL_DJ_HOME": home}, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            wait_for(f"http://127.0.0.1:{port}/_stcore/health")
            heard = play(f"http://127.0.0.1:{port}/jam", server.pid, options)
        finally:
            server.terminate()
            server.wait(30)
    print(json.dumps(heard))
    return 0


def wait_for(url: str) -> None:
    """Until the server answers."""
    while True:
        try:
            with urllib.request.urlopen(url):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)


def play(url: str, server: int, options: argparse.Namespace) -> dict[str, Any]:
    """Play for so many minutes; the figures."""
    from playwright.sync_api import sync_playwright

    process = psutil.Process(server)
    flags = ["--no-sandbox", "--disable-gpu", "--enable-precise-memory-info"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=options.chromium, args=flags)
        page = browser.new_context(bypass_csp=True).new_page()
        page.set_default_timeout(180_000)
        page.add_init_script(TAP)
        page.goto(url)
        page.wait_for_function("window.digitalDj?.jam?.phrases.size >= 3")
        page.evaluate(
            """async (kit) => {
              digitalDj.engine.loadKit(kit)
              await digitalDj.engine.useKit(kit.name)
            }""",
            click_kit(),
        )
        page.get_by_role("button", name="Play", exact=True).click()
        page.wait_for_function("digitalDj.jam.isSounding")
        page.get_by_role("button", name="Stop", exact=True).click()
        rate = page.evaluate("listen()")
        page.evaluate("digitalDj.jam.record(true); digitalDj.jam.start()")
        page.wait_for_function("digitalDj.jam.isSounding")
        started, work = time.monotonic(), process.cpu_times()
        memory: list[tuple[float, float]] = []
        blocked_at = started + BLOCK_EVERY_SECONDS
        looked_at = started
        while time.monotonic() < started + 60 * options.minutes:
            page.wait_for_timeout(500)
            if options.block_seconds and time.monotonic() >= blocked_at:
                os.kill(server, signal.SIGSTOP)
                time.sleep(options.block_seconds)
                os.kill(server, signal.SIGCONT)
                blocked_at += BLOCK_EVERY_SECONDS
            if time.monotonic() >= looked_at:
                heap = page.evaluate("performance.memory.usedJSHeapSize") / 1e6
                memory.append((round(heap, 1), round(process.memory_info().rss / 1e6, 1)))
                looked_at += 30.0
        seconds = time.monotonic() - started
        spent = process.cpu_times()
        tempo, measured, engine, bars, tap = page.evaluate(
            """() => [digitalDj.jam.tempo, digitalDj.jam.measured, digitalDj.engine.measurements(),
              digitalDj.jam.recorded, window.tap]"""
        )
        browser.close()
    return {
        "seconds": round(seconds, 1),
        **compared(bars, tap["frames"], rate * 60 / tempo),
        "blocks_missed": tap["missed"],
        "late_strokes": engine["lateStrokes"],
        "lost_strokes": engine["lostStrokes"],
        "requests": measured,
        "bars_varied": sum(bar["turn"] > 0 for bar in bars),
        "server_core_share": round(
            (spent.user + spent.system - work.user - work.system) / seconds, 4
        ),
        "memory_mb_page_server": memory[:: max(1, len(memory) // 8)],
        "hits_a_bar_energy": rank_correlation(bars),
    }


def compared(bars: list[dict[str, Any]], frames: list[int], quarter: float) -> dict[str, Any]:
    """What was heard beside what the jam says, within one frame; and whether phrases repeat."""
    first_bar = bars[0]["number"]
    expected = sorted({round((4 * (bar["number"] - first_bar) + at) * quarter)
                       for bar in bars for at, _, _ in bar["hits"]})  # fmt: skip
    tap = np.array(sorted(frames), float)
    origin = tap[0] - expected[0]
    want = np.array(expected, float) + origin
    heard = tap[tap < origin + 4 * quarter * len(bars) - 2]
    missing = [near(heard, frame) for frame in want]
    besides = [near(want, frame) for frame in heard]
    lines = [
        min(
            away
            for away in (near(heard, round((4 * place + bar["hits"][0][0]) * quarter) + origin),)
        )
        for place, bar in enumerate(bars)
        if place % 8 == 0 and bar["hits"]
    ]
    phrases = [
        json.dumps([bar["hits"] for bar in bars[at : at + 8]]) for at in range(0, len(bars) - 7, 8)
    ]
    return {
        "bars": len(bars),
        "strokes": len(expected),
        "missing": sum(away > 1 for away in missing),
        "besides": sum(away > 1 for away in besides),
        "worst_frames_off": max(away for away in missing if away < 1_000),
        "phrases": len(phrases),
        "phrases_off_their_line": sum(away > 1 for away in lines),
        "phrases_repeated": len(phrases) - len(set(phrases)),
    }


def near(frames: np.ndarray, frame: float) -> float:
    """How far the nearest of sorted `frames` is from `frame`."""
    at = int(np.searchsorted(frames, frame))
    around = frames[max(0, at - 1) : at + 1]
    return float(np.abs(around - frame).min()) if len(around) else 1e9


def rank_correlation(bars: list[dict[str, Any]]) -> float:
    """Of a bar's energy with its hits, over all bars that play no fill."""
    from scipy.stats import spearmanr

    plain = [bar for bar in bars if not bar["pads"]["fill"]]
    energy = [bar["faders"]["energy"] for bar in plain]
    return round(float(spearmanr(energy, [len(bar["hits"]) for bar in plain]).statistic), 3)


if __name__ == "__main__":
    sys.exit(main())
