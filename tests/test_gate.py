"""What every request passes: names, headers, pace, and whose word counts for its origin."""

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from starlette.responses import PlainTextResponse

from dj_core.host.read_only import trusted_proxies
from dj_ui import pacing
from dj_ui.gate import Gate, browser_headers
from dj_ui.pacing import Pacing
from dj_ui.visiting import NOBODY, visitor_of

ROOT = Path(__file__).resolve().parent.parent

# -- the gate --------------------------------------------------------------------------------------


def asked(path="/", host="localhost"):
    """Status, headers and words of an answer."""
    sent = []

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": path, "headers": [(b"host", host.encode())]}
    asyncio.run(Gate(PlainTextResponse("the app"))(scope, None, send))
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], headers, sent[1]["body"].decode()


@pytest.mark.parametrize("path", ["/", "/generate", "/media/a.wav", "/_stcore/upload_file/a/b"])
@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "", "localhost@evil"])
def test_no_request_is_answered_under_a_strangers_name(path, host):
    status, _, words = asked(path, host)
    assert status == 421
    assert "NAMES" in words


def test_what_the_server_holds_is_nobodys_business():
    assert asked("/_stcore/metrics")[0] == asked("/dj/_stcore/metrics/")[0] == 404
    assert asked("/_stcore/health")[2] == "the app"


def test_every_answer_tells_the_browser_to_load_and_frame_nothing_of_others():
    for status, headers, _ in (asked("/"), asked("/", "evil.example"), asked("/_stcore/metrics")):
        policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
        assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'self'"
        assert policy["object-src"] == "'none'"
        assert not [word for word in policy["script-src"].split() if "http" in word or "*" in word]
        assert headers["x-frame-options"] == "SAMEORIGIN"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
        assert status in (200, 404, 421)


@pytest.mark.parametrize("name", ["x; script-src *", "x\r\ny: z", "x y", "é"])
def test_a_name_adds_nothing_to_the_policy(name):
    assert browser_headers(name) == browser_headers("")


# -- where visitors come from ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "believed", "problems"),
    [
        ("", "", 0),
        ("10.0.0.2", "10.0.0.2", 0),
        (" 10.0.0.2, 172.16.0.0/12,::1", "10.0.0.2,172.16.0.0/12,::1", 0),
        ("*", "", 1),
        ("0.0.0.0/0,10.0.0.2", "10.0.0.2", 1),
        ("::/0", "", 1),
        ("caddy,10.0.0.999,10.0.0.1/8", "", 3),
    ],
)
def test_only_servers_that_are_listed_are_believed(text, believed, problems):
    found, told = trusted_proxies({"DIGITAL_DJ_TRUSTED_PROXIES": text})
    assert found == believed
    assert len(told) == problems


def test_the_server_itself_believes_nobody_else():
    """As uvicorn loads the app: its own way is to believe whatever comes from this machine."""
    program = (
        "import uvicorn; config = uvicorn.Config('app:app'); config.load();"
        "print([host in config.loaded_app.trusted_hosts"
        " for host in ('127.0.0.1', '::1', '10.0.0.2', '10.0.0.3')])"
    )
    for listed, believed in (("", [False] * 4), ("10.0.0.2", [False, False, True, False])):
        answer = subprocess.run(
            [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True,
            env={**os.environ, "DIGITAL_DJ_TRUSTED_PROXIES": listed},
        )  # fmt: skip
        assert answer.stdout.splitlines()[-1] == str(believed)


def test_a_visitor_counts_by_their_sign_in_else_by_their_network():
    signed_in = {"is_logged_in": True, "email": "DJ@x.org"}
    assert visitor_of(signed_in, "192.0.2.1") == visitor_of(signed_in, None) == "dj@x.org"
    assert visitor_of({"email": "DJ@x.org"}, "192.0.2.1") == "192.0.2.1"
    first, second, other = "2001:db8::1", "2001:db8::ffff:1", "2001:db8:0:1::1"
    assert visitor_of({}, first) == visitor_of({}, second) != visitor_of({}, other)
    assert visitor_of({}, None) == visitor_of({}, "127.0.0.1") == visitor_of({}, "::1") == NOBODY


# -- pace ------------------------------------------------------------------------------------------


def test_who_floods_waits_and_the_others_do_not(monkeypatch):
    """Ten pages that never stop, and one that asks now and then."""
    for name in ("A_SECOND", "IN_LANE_A_SECOND"):
        monkeypatch.setattr(pacing, name, 20.0)
    asked = dict.fromkeys(range(11), 0)
    slowest = 0.0

    async def app(scope, receive, send):
        while (await receive())["type"] == "websocket.receive":
            asked[scope["number"]] += 1

    async def page(number, door, end):
        nonlocal slowest
        due = 0.0

        async def receive():
            nonlocal due, slowest
            if number == 10:
                slowest = max(slowest, time.monotonic() - due if due else 0.0)
                await asyncio.sleep(0.1)
                due = time.monotonic()
            over = time.monotonic() > end
            return {"type": "websocket.disconnect" if over else "websocket.receive"}

        await door({"type": "websocket", "number": number}, receive, None)

    async def all_of_them():
        door, end = Pacing(app), time.monotonic() + 1.5
        await asyncio.gather(*(page(number, door, end) for number in range(11)))

    asyncio.run(all_of_them())
    flood = [asked[number] for number in range(10)]
    assert sum(flood) < 10 * pacing.AT_ONCE + 20 * 3
    assert max(flood) - min(flood) <= 2  # by turns
    assert asked[10] >= 8
    assert slowest < 0.4  # in the lane it would be more
