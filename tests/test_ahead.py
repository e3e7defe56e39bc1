"""Takes made ahead of a click: the same as after it, only sooner, and never at others' cost."""

import asyncio
import json
import os
import re
import signal
import threading

import pytest
from starlette.requests import Request
from test_generate_page import click, on_deck, takes, visit

from dj_core.errors import GenerationError
from dj_core.host.limits import LIMITS
from dj_core.library.library import Library
from dj_core.models.families import load_model
from dj_core.models.request import replay_request
from dj_ui.ahead import AHEAD_ROUTE, Ahead
from dj_ui.turns import spare_turn


def work(make=lambda: 7, bars=1.0):
    return Ahead(make, lambda made: {"made": made}, bars=bars, who="me")


def fetch(address):
    """What a browser gets: status and content."""
    scope = {"type": "http", "path_params": {"token": address.rpartition("/")[2]}}
    answer = asyncio.run(AHEAD_ROUTE.endpoint(Request(scope)))
    return answer.status_code, bytes(answer.body)


def test_work_is_done_once_when_it_is_fetched_and_then_there():
    done = []
    ahead = work(lambda: done.append(1) or len(done))
    assert ahead.outcome() is None
    assert [fetch(ahead.address) for _ in range(2)] == [(200, b'{"made": 1}')] * 2
    assert ahead.outcome() == 1
    assert done == [1]


def test_it_is_forgotten_with_whoever_wanted_it():
    address = work().address
    assert fetch(address) == (204, b"")


def test_while_anybody_has_a_turn_nothing_is_made_ahead():
    ahead = work()
    with spare_turn("somebody") as is_spare:
        assert is_spare
        assert fetch(ahead.address)[0] == 204
        assert ahead.outcome() is None
    assert fetch(ahead.address)[0] == 200


def test_what_is_too_long_or_fails_is_left_to_the_click():
    def fail():
        raise GenerationError("no")

    for ahead in (work(fail), work(bars=LIMITS.ahead_bars + 1)):
        assert fetch(ahead.address)[0] == 204
        assert ahead.outcome() is None


def test_a_click_waits_for_the_same_work_under_way():
    begun, go_on = threading.Event(), threading.Event()

    def make():
        begun.set()
        assert go_on.wait(20)
        return 7

    ahead = work(make)
    fetching = threading.Thread(target=ahead.answer)
    fetching.start()
    assert begun.wait(20)
    threading.Timer(0.05, go_on.set).start()
    assert ahead.outcome() == 7
    fetching.join()


def test_a_click_takes_what_was_made_ahead_and_it_is_the_same_as_made_plainly(home):
    at = visit(bars="2", genre="House")
    offer = at.session_state["dj_offered"]
    payload = json.loads(offer.ahead.answer())
    click(at, "dj_go")
    kept = takes(at)[-1]
    assert kept.take is offer.ahead.outcome()
    told = on_deck(at)
    assert {key: told[key] for key in payload} == payload
    assert at.session_state["seed"] == kept.settings["seed"] == offer.request.seed
    plain = load_model(Library.open().model().folder).generate(
        replay_request(kept.take.beat.provenance)
    )
    assert plain.beat == kept.take.beat
    assert at.session_state["dj_offered"].request.seed != offer.request.seed


def test_changed_settings_start_it_anew(home):
    at = visit(bars="2", genre="House")
    offer = at.session_state["dj_offered"]
    assert offer.ahead.answer()
    at.number_input(key="tempo").set_value(101).run()
    another = at.session_state["dj_offered"]
    assert another.ahead.address != offer.ahead.address
    assert another.request.tempo_bpm == 101
    at.run()
    assert at.session_state["dj_offered"] is another
    # the click comes with a control turned in the same moment
    at.number_input(key="tempo").set_value(102)
    click(at, "dj_go")
    assert takes(at)[-1].take.beat.tempo_bpm == 102


READY = "window.digitalDj.ahead?.isReady"
SOUNDS = "window.digitalDjEngine.state().playing && window.digitalDjEngine.state().beatId"


@pytest.mark.browser
def test_a_click_sounds_while_the_server_stands_still_and_the_page_follows(start_app, visitor):
    app = start_app()
    screen = visitor(app.url)
    page = screen.page
    screen.open("/generate?bars=2&genre=House")
    name = page.locator(".deck .name").first
    for press in ("click", "key"):
        page.wait_for_function(READY)
        page.evaluate("window.digitalDjEngine.stop()")
        before = page.evaluate("window.digitalDj.ahead.next.beat.id")
        os.kill(app.process.pid, signal.SIGSTOP)
        try:
            with screen.rerun():
                if press == "click":
                    page.locator(".st-key-dj_go button").first.click()
                else:
                    page.keyboard.press("g")
                assert page.wait_for_function(SOUNDS).json_value() == before
                number = {"click": 1, "key": 2}[press]
                page.wait_for_function(
                    "words => document.querySelector('.st-key-deck')"
                    " && [...window.digitalDj.faces].some((face) => face.name?.startsWith(words))",
                    arg=f"Take {number} ·",
                )
                shown = name.inner_text()
                os.kill(app.process.pid, signal.SIGCONT)
        finally:
            os.kill(app.process.pid, signal.SIGCONT)
        screen.settle()
        assert name.inner_text() == shown
        assert page.evaluate(SOUNDS) == before
        seed = re.search(r"seed=(\d+)", page.url)[1]
        assert seed == page.get_by_label("Seed", exact=True).input_value()
        assert f"seed {seed}" in page.locator(".deck .facts").first.inner_text()
    # a control that was turned and not yet told asks the server
    page.wait_for_function(READY)
    page.get_by_role("spinbutton", name="Next take at").fill("131")
    assert not page.evaluate(READY)
    with screen.rerun():
        page.locator(".st-key-dj_go button").first.click()
    page.wait_for_function("window.digitalDjEngine.state().tempoBpm === 131")
    # the link gives the same beat to somebody else
    playing = page.evaluate(SOUNDS)
    other = visitor(app.url)
    other.open(page.url.removeprefix(app.url))
    assert other.page.evaluate("[...window.digitalDj.faces][0].own.original.id") == playing
