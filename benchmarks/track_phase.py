"""How far a track that plays along is off the deck, over minutes; docs/listening.md quotes it.

``python -m benchmarks.track_phase --url http://127.0.0.1:8501 --seconds 120``, with the app served
there. A track of clicks is dropped on the page Listen; the deck strikes once a beat. Both are
recorded in the browser where they leave the track and the deck, and their onsets compared. With
``--drift`` the track's tempo wanders by 3%.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
import soundfile
from playwright.sync_api import sync_playwright

RATE_HZ = 44_100
TEMPO_BPM = 123.4
_RECORDER = """registerProcessor('onsets', class extends AudioWorkletProcessor {
  constructor() { super(); this.quiet = [0, 0] }
  process([input]) {
    input.forEach((samples, channel) => samples.forEach((sample, i) => {
      this.quiet[channel] += 1
      if (Math.abs(sample) < LEAST) return
      if (this.quiet[channel] > sampleRate * .15)
        this.port.postMessage([channel, currentFrame + i])
      this.quiet[channel] = 0
    }))
    return true
  }
})"""
_START = """async () => {
  const { engine } = window.digitalDj
  const inside = [...document.querySelectorAll('.st-key-listen_track *')]
  const host = inside.find((one) => one.shadowRoot)
  const { track } = host.shadowRoot.querySelector('.track').trackFace
  const beat = engine.decks.A.beat
  const hits = [...Array(beat.bars * beat.bar_quarters).keys()].map((at) => [at, 2, 120, 37, null])
  engine.stop()
  engine.setBeat('A', { ...beat, id: 'ticks', hits })
  const { context } = engine.output
  const code = URL.createObjectURL(new Blob([RECORDER], { type: 'text/javascript' }))
  await context.audioWorklet.addModule(code)
  const node = new AudioWorkletNode(context, 'onsets',
    { channelCount: 2, channelCountMode: 'explicit', channelInterpretation: 'discrete' })
  const merger = new ChannelMergerNode(context, { numberOfInputs: 2 })
  track.build()
  track.out.connect(merger, 0, 0)
  window.onsets = [[], []]
  const note = ([channel, frame]) => window.onsets[channel].push(frame / context.sampleRate)
  node.port.onmessage = ({ data }) => note(data)
  merger.connect(node).connect(new GainNode(context, { gain: 0 })).connect(context.destination)
  const connect = AudioNode.prototype.connect
  const seen = new WeakSet()
  AudioNode.prototype.connect = function (target, ...rest) {
    if (this instanceof AudioBufferSourceNode && !seen.has(this) && this.buffer !== track.buffer) {
      seen.add(this)
      connect.call(this, merger, 0, 1)
    }
    return connect.call(this, target, ...rest)
  }
  track.setLocked(true)
  engine.play()
}"""


def click_track(path: Path, seconds: float, drift: float) -> None:
    """A short kick on every beat, harder on the first of four."""
    frames = round(seconds * RATE_HZ)
    sound = np.zeros(frames)
    length = round(0.08 * RATE_HZ)
    time = np.arange(length) / RATE_HZ
    kick = np.sin(2 * np.pi * 70 * time) * np.exp(-40 * time)
    kick += np.random.default_rng(1).standard_normal(length) * np.exp(-400 * time)
    at, number = 0.7, 0
    while at < seconds - 0.5:
        start = round(at * RATE_HZ)
        sound[start : start + length] += kick * (0.9 if number % 4 == 0 else 0.6)
        at += 60 / (TEMPO_BPM * (1 + drift * np.sin(2 * np.pi * at / 40)))
        number += 1
    soundfile.write(path, 0.7 * sound / np.abs(sound).max(), RATE_HZ)


def main() -> None:
    """Play, record, compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--drift", action="store_true")
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        path = Path(folder) / "clicks.wav"
        click_track(path, options.seconds + 15, 0.03 if options.drift else 0.0)
        flags = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
        browser = playwright.chromium.launch(executable_path=options.chromium, args=flags)
        page = browser.new_context(bypass_csp=True).new_page()
        page.set_default_timeout(240_000)
        page.goto(f"{options.url}/listen")
        page.set_input_files("input[type=file]", path)
        page.locator(".track .far").wait_for()
        page.get_by_role("button", name="Find drums").click()
        page.wait_for_function("window.digitalDj?.engine.kit && window.digitalDj.engine.decks.A")
        page.locator(".st-key-listen_deck .deck .play").first.click()
        page.wait_for_function("window.digitalDj.engine.playing", timeout=60_000)
        code = json.dumps(_RECORDER.replace("LEAST", "0.02"))
        page.evaluate(_START.replace("RECORDER", code))
        page.wait_for_timeout(1000 * options.seconds)
        track, deck = (np.array(one) for one in page.evaluate("window.onsets"))
        measured = page.evaluate("window.digitalDj.engine.measurements()")
        browser.close()
    misses = np.array([deck[np.argmin(np.abs(deck - at))] - at for at in track])
    settled = misses[np.abs(misses) < 0.2]
    print(
        json.dumps(
            {
                "track_onsets": len(track),
                "deck_onsets": len(deck),
                "seconds": float(track[-1] - track[0]) if len(track) else 0,
                "constant_milliseconds": float(np.median(settled) * 1000),
                "worst_milliseconds": float(np.abs(settled).max() * 1000),
                "worst_around_constant_milliseconds": float(
                    np.abs(settled - np.median(settled)).max() * 1000
                ),
                "unmatched": int((np.abs(misses) >= 0.2).sum()),
                "engine": measured,
            },
            indent=1,
        )
    )


if __name__ == "__main__":
    main()
