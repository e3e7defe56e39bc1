"""The soak's own measures, and a few seconds of it; `make soak` is the whole."""

import asyncio
import importlib.util
import sys
from pathlib import Path

import pytest

SOAK = Path(__file__).resolve().parent.parent / "scripts" / "soak.py"
specification = importlib.util.spec_from_file_location("soak", SOAK)
soak = importlib.util.module_from_spec(specification)
sys.modules["soak"] = soak  # dataclasses look their module up
specification.loader.exec_module(soak)


def test_the_slope_is_megabytes_a_minute():
    assert soak.slope([(second, 500 + second / 60 * 3) for second in range(0, 600, 5)]) == (
        pytest.approx(3)
    )
    assert soak.slope([(0, 1)]) == 0


def test_a_percentile_is_a_value_that_occurred():
    assert soak.percentile([3, 1, 2], 0.5) == 2
    assert soak.percentile(list(range(100)), 0.95) == 95
    assert soak.percentile([], 0.95) == 0


def test_a_promise_is_broken_by_an_error_or_by_crosstalk():
    fine = soak.Outcome(memory=[(second, 500.0) for second in range(600)])
    assert soak.report(fine, 1, 10)["kept"]
    for broken in (
        soak.Outcome(errors=["x"]), soak.Outcome(crosstalk=["x"]),
        soak.Outcome(seconds={**fine.seconds, "generate": [2.5] * 20}),
        soak.Outcome(memory=[(second, 500.0 + second) for second in range(600)]),
    ):  # fmt: skip
        assert not soak.report(broken, 1, 10)["kept"]


def test_a_strangers_seed_is_noticed():
    from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

    dj = soak.Dj(3, "http://nowhere", soak.Outcome())
    dj.used.add(300_001)
    for seed in (300_001, 300_002):
        message = ForwardMsg()
        message.delta.new_element.bidi_component.json = f'{{"facts": [["seed", "{seed}"]]}}'
        dj._look_for_others(message)
    assert dj.outcome.crosstalk == ["DJ 3 was sent seed 300002"]


def test_a_few_djs_play_side_by_side_and_hear_only_themselves(app):
    outcome = soak.Outcome()

    async def everything():
        for action in (*soak.ACTIONS, "generate"):
            yield action

    async def play():
        djs = [soak.Dj(number, app.url, outcome) for number in (1, 2, 3)]
        await asyncio.gather(*(dj.visit(everything()) for dj in djs))

    asyncio.run(play())
    assert outcome.errors == []
    assert outcome.crosstalk == []
    assert {name: len(times) for name, times in outcome.seconds.items()} == {
        "open": 3, "generate": 6, "edit": 3, "knob": 3, "midi": 3, "wav": 3,
    }  # fmt: skip


def test_a_made_file_waits_for_its_visitor_while_others_play_on(app):
    """Streamlit clears a file no visitor holds away at the second run of anybody's page."""
    outcome = soak.Outcome()
    one, other = (soak.Dj(number, app.url, outcome) for number in (1, 2))

    async def ask_play_on_and_fetch():
        address = await one.made("deck_midi")
        await other.visit(after_opening("knob", "knob", "knob"))
        assert (await asyncio.to_thread(soak._fetched, address))[:4] == b"MThd"

    async def after_opening(*actions):
        for action in actions:
            yield action

    async def held():
        one._held = ask_play_on_and_fetch
        outcome.seconds["held"] = []
        await one.visit(after_opening("held"))

    asyncio.run(held())
    assert outcome.errors == []
    assert len(outcome.seconds["held"]) == 1
    assert len(outcome.seconds["knob"]) == 3


def test_who_waits_for_a_file_is_told_on_their_page_how_many_come_first(app):
    outcome = soak.Outcome()
    outcome.seconds["file"] = []
    djs = [soak.Dj(number, app.url, outcome) for number in range(1, 7)]
    everyone_is_there = asyncio.Barrier(len(djs))

    async def file_of(dj):
        """A long loop of the DJ's own, asked for when all others ask for theirs."""
        await dj._run({"bars": ("double_value", 32.0)})
        await dj._generate()
        await asyncio.wait_for(everyone_is_there.wait(), soak.PATIENCE_SECONDS)
        await dj._wav()

    async def once():
        yield "file"

    async def visit(dj):
        dj._file = lambda: file_of(dj)
        await dj.visit(once())

    async def all_at_once():
        await asyncio.gather(*map(visit, djs))

    asyncio.run(all_at_once())
    assert outcome.errors == []
    assert len(outcome.seconds["file"]) == len(djs)
    places = [dj.toasts for dj in djs if dj.toasts]
    assert places
    for toasts in places:
        assert toasts[0].startswith("In line: ")
        assert toasts[-1] == "Your file is being made."
