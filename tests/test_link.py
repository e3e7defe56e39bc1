"""Ableton Link: a session on this computer, told to browsers on it."""

import asyncio
import json
import subprocess
import sys
import time

import aalink
import numpy as np
import pytest
from starlette.requests import Request
from test_deck_face import Deck

from dj_ui import link


def ask(host="127.0.0.1"):
    scope = {"type": "http", "client": (host, 1234)}
    return json.loads(asyncio.run(link._answer(Request(scope))).body)


def test_link_is_told_to_this_computer_alone():
    assert ask("192.0.2.7")["why"] == link.ELSEWHERE


def test_without_the_package_it_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "aalink", None)
    assert ask()["why"] == link.NOT_INSTALLED


def test_two_sessions_on_this_computer_agree_on_tempo_and_beat():
    async def meet():
        other = aalink.Link(133.0)
        other.quantum = link.BAR_QUARTERS
        other.enabled = True
        session = link.LinkSession()
        end = time.monotonic() + 20
        while (state := session.state())["peers"] < 1 or abs(state["bpm"] - other.tempo) > 0.01:
            assert time.monotonic() < end, state
            await asyncio.sleep(0.1)
        other.tempo = 128.0
        while abs(session.state()["bpm"] - 128) > 0.01:
            assert time.monotonic() < end
            await asyncio.sleep(0.1)
        apart = []
        for _ in range(20):
            state, theirs = session.state(), other.beat
            apart.append((state["beat"] - theirs + 2) % 4 - 2)
            await asyncio.sleep(0.05)
        other.enabled = False
        return apart

    apart = asyncio.run(meet())
    assert np.median(np.abs(apart)) * 60 / 128 < 0.002  # seconds


OTHER_PROGRAM = """
import asyncio, time, aalink
async def main():
    link = aalink.Link(126.0)
    link.quantum = 4
    link.enabled = True
    while True:
        print(time.time(), link.beat, link.tempo, flush=True)
        await asyncio.sleep(0.1)
asyncio.run(main())
"""


@pytest.mark.browser
def test_the_deck_keeps_the_tempo_and_the_bar_of_a_session(start_app, visitor, tmp_path):
    told = tmp_path / "beats.txt"
    with told.open("w") as lines:
        other = subprocess.Popen([sys.executable, "-c", OTHER_PROGRAM], stdout=lines)
    try:
        screen = visitor(start_app().url)
        page = screen.page
        screen.open("/generate?seed=3&bars=1&genre=House&tempo=124")
        deck = Deck(screen)
        deck.root.locator(".cell").first.wait_for()
        deck.button("More controls").click()
        deck.button("MIDI in").click()
        panel = deck.root.locator(".midi-in")
        panel.get_by_label("Clock to follow").select_option("link:")
        page.wait_for_function("digitalDj.link.peers > 0 && digitalDj.link.bpm > 100")
        tempo = float(told.read_text().split()[-1])
        deck.play()
        page.wait_for_function("digitalDjEngine.heardQuarter > 12")
        heard = page.evaluate(
            """async () => {
              const heard = []
              for (let i = 0; i < 60; i += 1) {
                const now = performance.timeOrigin + performance.now()
                heard.push([now / 1000, digitalDjEngine.heardQuarter])
                await new Promise((resolve) => setTimeout(resolve, 50))
              }
              return heard
            }"""
        )
        assert deck.state()["tempoBpm"] == pytest.approx(tempo, abs=0.01)
        assert "1 other program" in panel.inner_text()
        lines = [line.split() for line in told.read_text().splitlines()[:-1]]
        at, beats, _ = np.array(lines, float).T
        ours = np.array([quarter for _, quarter in heard])
        theirs = np.interp([seconds for seconds, _ in heard], at, beats)
        apart = (ours - theirs + 2) % 4 - 2  # of a bar
        # what the browser says is heard is off by some milliseconds each time
        assert abs(np.median(apart)) * 60 / tempo < 0.015
        deck.button("Stop").click()
        panel.get_by_label("Clock to follow").select_option("")
        assert deck.state()["tempoBpm"] == 124
    finally:
        other.kill()
        other.wait()
