"""Many simulated DJs use one server at once, for minutes or hours: `make soak`.

    .venv/bin/python scripts/soak.py [--djs 30] [--hostile 2] [--minutes 10] [--link QUERY]
        [--json FILE]

Starts the app on a port and in a folder of its own. Every DJ is a session of Streamlit's own: a
websocket that speaks the protocol a browser speaks (its protobuf messages, taken from the
installed Streamlit), without the drawing, so that thirty of them fit beside the server on two
cores. Each generates, edits on the deck, turns a knob or downloads MIDI or a loop, about every ten
seconds. Every beat a DJ asks for carries a seed that no other DJ uses: a seed of another's in
anything a session is sent is cross-talk. At the end each DJ opens the page once more and must find
the last of the own beats. With --link all come by one shared link. Reported: errors, cross-talk,
the times of a generate, and the server's memory with its slope once it is warm. Exit code 1 where a
promise is broken.

The last of them may be hostile: they flood the server with clicks, leave in the middle of takes and
of sets, and bring in crate after crate. What happens to them is not reported; the others shall
notice nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from functools import partial
from http.cookies import SimpleCookie
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
from websockets.asyncio.client import connect

if TYPE_CHECKING:
    from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
SEEDS_EACH = 100_000  # DJ number 7 uses 700,000 to 799,999
SECONDS_BETWEEN = 10.0  # between two doings of a DJ, on average
PATIENCE_SECONDS = 120.0
MOST_SECONDS_TO_GENERATE = 2.0  # 95th percentile
MOST_SECONDS_BESIDE_HOSTILE = 3.0
MOST_MEGABYTES_A_MINUTE = 3.0  # slope of the server's memory once it is warm
WARM_SHARE = 0.4  # of the time, before memory is looked at
ACTIONS = {"generate": 5, "edit": 2, "knob": 1, "midi": 1, "wav": 1}  # and their weights


class SoakError(Exception):
    """A session that was not answered, or not as it should."""


@dataclass
class Outcome:
    """What happened to all DJs together; times in seconds."""

    seconds: dict[str, list[float]] = field(
        default_factory=lambda: {action: [] for action in ("open", *ACTIONS)}
    )
    errors: list[str] = field(default_factory=list)
    crosstalk: list[str] = field(default_factory=list)
    memory: list[tuple[float, float]] = field(default_factory=list)
    """(seconds since the start, megabytes)"""
    server_seconds: float = 0.0
    """Of processor time, from the moment the server answered"""


class Dj:
    """One visitor's session."""

    def __init__(self, number: int, url: str, outcome: Outcome, link: str = "") -> None:
        self.number, self.url, self.outcome = number, url, outcome
        self.draw = random.Random(number)
        self.known: dict[str, ForwardMsg] = {}  # messages by hash: the server sends each once
        self.ids: dict[str, str] = {}  # a widget's id by its key
        self.fragments: dict[str, str] = {}  # the part of the page a widget runs, by its key
        self.files: dict[str, str] = {}  # what to ask a download's file by, by the button's key
        self.deck: dict[str, Any] = {}
        self.toasts: list[str] = []  # words that came up over the page
        self.page, self.query, self.session = "", link, ""
        self.last_seed: int | None = None
        self.pages: dict[str, str] = {}  # what the server calls each page, by its address
        self.used: set[int] = set()

    async def live(self, start: float, end: float) -> None:
        """Come after `start` seconds, do things until the moment `end`."""
        await asyncio.sleep(start)
        await self.visit(self._until(end))

    async def visit(self, actions: AsyncIterator[str]) -> None:
        """Open the app and do one thing after another; what goes wrong is noted."""
        address = self.url.replace("http", "ws") + "/_stcore/stream"
        try:
            cookie = await asyncio.to_thread(_session, self.url)
            there = partial(
                connect, address, subprotocols=["streamlit"], origin=self.url, max_size=None,
                additional_headers={"Cookie": cookie},
            )  # fmt: skip
            async with there() as self.socket:
                await self._timed("open", self._open())
                async for action in actions:
                    await self._timed(action, getattr(self, f"_{action}")())
            if self.last_seed is not None:
                self.known, self.ids, self.deck, self.page, self.query = {}, {}, {}, "", ""
                async with there() as self.socket:
                    await self._open()
                if ["seed", str(self.last_seed)] not in self.deck.get("facts", []):
                    raise SoakError(f"left seed {self.last_seed}, found {self.deck.get('facts')}")
        except Exception as error:  # any of them is a finding; the others play on
            self.outcome.errors.append(f"DJ {self.number}: {type(error).__name__}: {error}"[:300])

    async def _until(self, end: float) -> AsyncIterator[str]:
        while time.monotonic() < end:
            await asyncio.sleep(self.draw.expovariate(1 / SECONDS_BETWEEN))
            yield self.draw.choices(list(ACTIONS), list(ACTIONS.values()))[0]

    async def _timed(self, action: str, doing: Any) -> None:  # noqa: ANN401 - a coroutine
        started = time.monotonic()
        await doing
        self.outcome.seconds[action].append(time.monotonic() - started)

    # -- doings ------------------------------------------------------------------------------------

    async def _open(self) -> None:
        await self._run()

    async def _generate(self) -> None:
        seed = self.number * SEEDS_EACH + self.draw.randrange(1, SEEDS_EACH)
        self.used.add(seed)
        self.last_seed = seed
        await self._run({"seed": ("double_value", float(seed)), "dj_go": ("trigger_value", True)})
        if ["seed", str(seed)] not in self.deck.get("facts", []):
            raise SoakError(f"asked for seed {seed}, got a deck of {self.deck.get('facts')}")

    async def _edit(self) -> None:
        hits = list(range(len(self.deck["beat"]["hits"])))
        changed = [*hits[: len(hits) // 2], [-1, 0.25, 64, self.draw.randrange(16)]]
        edit = {
            "slot": self.deck["slot"], "original": self.deck["beat"]["id"],
            "tempo_bpm": self.deck["beat"]["tempo_bpm"], "hits": changed,
        }  # fmt: skip
        await self._run({"deck": ("json_value", json.dumps({"edited": edit}))})

    async def _knob(self) -> None:
        await self._run({"temperature": ("double_array_value", self.draw.randrange(5, 20) / 10)})

    async def _midi(self) -> None:
        content = await self._download("deck_midi")
        if content[:4] != b"MThd":
            raise SoakError(f"the MIDI file begins with {content[:12]!r}")

    async def _wav(self) -> None:
        content = await self._download("deck_wav")
        if content[:4] != b"RIFF":
            raise SoakError(f"the loop begins with {content[:12]!r}")

    async def _download(self, key: str) -> bytes:
        return await asyncio.to_thread(_fetched, await self.made(key))

    async def made(self, key: str) -> str:
        """Press a download button: its file is made when it is asked for. Returns its address."""
        from streamlit.proto.BackMsg_pb2 import BackMsg

        message = BackMsg()
        request = message.backend_operation_request
        request.request_id, request.session_id = (
            f"{self.number}-{time.monotonic_ns()}",
            self.session,
        )
        request.deferred_file.file_id = self.files[key]
        await self.socket.send(message.SerializeToString())
        while True:
            answer = await self._next()
            if answer.WhichOneof("type") == "backend_operation_response":
                break
        response = answer.backend_operation_response
        if response.error_msg:
            raise SoakError(f"{key}: {response.error_msg}")
        return f"{self.url}{response.deferred_file.url}"

    # -- the protocol ------------------------------------------------------------------------------

    async def _run(self, changes: dict[str, tuple[str, Any]] | None = None) -> None:
        """Have the script run with changed widgets, and take in what it draws."""
        await self._ask(changes)
        while True:
            answer = await self._next()
            kind = answer.WhichOneof("type")
            if kind == "script_finished" and answer.script_finished != 2:  # 2: another run follows
                if answer.script_finished == 1:
                    raise SoakError("the script could not be compiled")
                return

    async def _ask(self, changes: dict[str, tuple[str, Any]] | None = None) -> None:
        """Have the script run with changed widgets."""
        from streamlit.proto.BackMsg_pb2 import BackMsg

        message = BackMsg()
        state = message.rerun_script
        state.page_script_hash, state.query_string = self.page, self.query
        state.cached_message_hashes.extend(self.known)
        for key, (kind, value) in (changes or {}).items():
            state.fragment_id = self.fragments.get(key, "")  # as a browser does: the last decides
            widget = state.widget_states.widgets.add(id=self.ids[key])
            if kind == "double_array_value":
                widget.double_array_value.data.append(value)
            elif kind == "file_uploader_state_value":
                widget.file_uploader_state_value.uploaded_file_info.add(**value)
            else:
                setattr(widget, kind, value)
        await self.socket.send(message.SerializeToString())

    async def _next(self) -> ForwardMsg:
        from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

        content = await asyncio.wait_for(self.socket.recv(), PATIENCE_SECONDS)
        message = ForwardMsg()
        message.ParseFromString(content)
        if message.WhichOneof("type") == "ref_hash":
            message = self.known[message.ref_hash]
        elif message.hash and message.metadata.cacheable:
            self.known[message.hash] = message
        self._look_for_others(message)
        self._take(message)
        return message

    def _take(self, message: ForwardMsg) -> None:
        kind = message.WhichOneof("type")
        if kind == "navigation":
            self.pages = {page.url_pathname: page.page_script_hash
                          for page in message.navigation.app_pages}  # fmt: skip
            self.page = message.navigation.page_script_hash or self.page
        elif kind == "new_session":
            self.page = message.new_session.page_script_hash
            self.session = message.new_session.initialize.session_id or self.session
        elif kind == "page_info_changed":
            self.query = message.page_info_changed.query_string
        elif kind == "delta" and message.delta.WhichOneof("type") == "new_element":
            self._take_element(message.delta.new_element, message.delta.fragment_id)

    def _take_element(self, element: Any, fragment: str) -> None:  # noqa: ANN401 - Streamlit's
        kind = element.WhichOneof("type")
        if kind == "exception":
            raise SoakError(f"the page shows {element.exception.type}")
        if kind == "toast":
            self.toasts.append(element.toast.body)
        found = getattr(element, kind)
        name = getattr(found, "id", "")
        if not name:
            return
        key = name.rsplit("-", 1)[-1]
        self.ids[key], self.fragments[key] = name, fragment
        if kind == "download_button":
            self.files[key] = found.deferred_file_id
        if kind == "bidi_component" and found.component_name.endswith("dj_deck"):
            self.deck = json.loads(found.json)

    def _look_for_others(self, message: ForwardMsg) -> None:
        """Everything a session is sent may name its own seeds only."""
        text = message.SerializeToString().decode("utf-8", "replace")
        for found in re.findall(r'"seed", ?"(\d+)"', text):
            if int(found) >= SEEDS_EACH and int(found) not in self.used:
                self.outcome.crosstalk.append(f"DJ {self.number} was sent seed {found}")


class HostileDj(Dj):
    """One who means harm: floods, leaves in the middle, and brings in crates."""

    async def live(self, start: float, end: float) -> None:
        """Come after `start` seconds, do harm until the moment `end`, and mind no answer."""
        await asyncio.sleep(start)
        ways = [self._flood, self._leave_a_take, self._leave_a_set, self._bring_in_crates]
        while time.monotonic() < end:
            for way in ways:
                self.known, self.ids, self.query = {}, {}, ""
                with contextlib.suppress(Exception):  # whatever the server does to it is right
                    await asyncio.wait_for(self._visit_for(way), 30)

    async def _visit_for(self, way: Any) -> None:  # noqa: ANN401 - a coroutine function
        address = self.url.replace("http", "ws") + "/_stcore/stream"
        async with connect(
            address, subprotocols=["streamlit"], origin=self.url, max_size=None
        ) as self.socket:
            self.page = ""
            await self._run()
            await way()

    async def _flood(self) -> None:
        """Turn a knob twenty times a second, for ten seconds."""
        reading = asyncio.create_task(self._drink())
        for turn in range(200):
            await self._ask({"temperature": ("double_array_value", 0.5 + turn % 15 / 10)})
            await asyncio.sleep(0.05)
        reading.cancel()

    async def _drink(self) -> None:
        with contextlib.suppress(Exception):  # the end of its page
            while True:
                await self._next()

    async def _leave_a_take(self) -> None:
        """Ask for a take and be gone."""
        await self._ask({"dj_go": ("trigger_value", True)})

    async def _leave_a_set(self) -> None:
        """Have a set built, and be gone."""
        self.page = self.pages["set"]
        await self._run()
        await self._run({"set_go": ("trigger_value", True)})

    async def _bring_in_crates(self) -> None:
        """Bring in a crate, five times."""
        self.page = self.pages["crate"]
        await self._run()
        for _ in range(5):
            content = await asyncio.to_thread(_crate_file, self.draw.random())
            file_id, token = str(uuid.uuid4()), await asyncio.to_thread(_token, self.url)
            path = f"/_stcore/upload_file/{self.session}/{file_id}"
            await asyncio.to_thread(_sent, f"{self.url}{path}", token, content)
            urls = {"file_id": file_id, "upload_url": path, "delete_url": path}
            info = {"file_id": file_id, "name": "crate.json", "size": len(content),
                    "file_urls": urls}  # fmt: skip
            await self._run({
                "crate_uploads": ("file_uploader_state_value", info),
                "Put in the crate": ("trigger_value", True),
            })  # fmt: skip


def _crate_file(seed: float) -> bytes:
    """A crate of 40 beats that no other crate has."""
    from dj_core.library.kept_beats import Crate
    from dj_core.music.beat import Beat, Hit

    draw = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        crate = Crate(Path(folder) / "crate.db")
        for number in range(40):
            hits = Hit.of("kick", draw.randrange(16) / 4), Hit.of("snare", draw.random() * 3)
            crate.keep(Beat(hits, 1, title=f"hostile {seed} {number}"))
        return crate.export().content


def _token(url: str) -> str:
    """What Streamlit wants to see with an upload, as it gives it to everybody."""
    with urllib.request.urlopen(f"{url}/_stcore/health") as answer:
        return SimpleCookie(answer.headers["set-cookie"])["_streamlit_xsrf"].value


def _session(url: str) -> str:
    """The cookie that comes with the document, by which the server keeps a browser's takes."""
    request = urllib.request.Request(f"{url}/generate", headers={"accept": "text/html"})
    with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:
        return answer.headers["set-cookie"].partition(";")[0]


def _sent(address: str, token: str, content: bytes) -> None:
    """Upload a file as a browser does."""
    edge = "----soak"
    head = (
        f'--{edge}\r\nContent-Disposition: form-data; name="file"; filename="crate.json"\r\n'
        "Content-Type: application/json\r\n\r\n"
    )
    request = urllib.request.Request(
        address, head.encode() + content + f"\r\n--{edge}--\r\n".encode(), method="PUT",
        headers={
            "content-type": f"multipart/form-data; boundary={edge}",
            "cookie": f"_streamlit_xsrf={token}", "x-xsrftoken": token,
        },
    )  # fmt: skip
    urllib.request.urlopen(request, timeout=PATIENCE_SECONDS).close()


def _fetched(address: str) -> bytes:
    with urllib.request.urlopen(address, timeout=PATIENCE_SECONDS) as answer:
        return answer.read()


# -- the server ------------------------------------------------------------------------------------


@contextlib.contextmanager
def served(folder: Path) -> Any:  # noqa: ANN401 - a generator of (address, process)
    """The app in a process of its own."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    with (folder / "log.txt").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", "app.py",
             "--server.address", "127.0.0.1", "--server.port", str(port)],
            cwd=ROOT, env={**os.environ, "DIGITAL_DJ_HOME": str(folder / "home")},
            stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and process.poll() is None:
            with contextlib.suppress(OSError):
                _fetched(f"{url}/_stcore/health")
                break
            time.sleep(0.2)
        yield url, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(30)


async def _watch(server: psutil.Process, outcome: Outcome, end: float) -> None:
    started, before = time.monotonic(), sum(server.cpu_times()[:2])
    while time.monotonic() < end:
        outcome.server_seconds = sum(server.cpu_times()[:2]) - before
        megabytes = server.memory_info().rss / 1e6
        outcome.memory.append((time.monotonic() - started, megabytes))
        await asyncio.sleep(5)


async def soak(
    url: str, server: psutil.Process, djs: int, minutes: float, hostile: int = 0, link: str = ""
) -> Outcome:
    """Let DJs play, the last `hostile` of them doing harm; all come in the first tenth of the time.

    What is reported is the others'. All come by the query of `link`, if there is one.
    """
    outcome = Outcome()
    end = time.monotonic() + minutes * 60
    everyone: list[Dj] = [
        HostileDj(number, url, Outcome())
        if number > djs - hostile
        else Dj(number, url, outcome, link)
        for number in range(1, djs + 1)
    ]
    apart = minutes * 6 / djs
    await asyncio.gather(
        _watch(server, outcome, end),
        *(dj.live(number * apart, end) for number, dj in enumerate(everyone)),
    )
    return outcome


# -- the report ------------------------------------------------------------------------------------


def percentile(values: list[float], share: float) -> float:
    """The value that so large a share of all stays at or below; 0 for none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def slope(points: list[tuple[float, float]]) -> float:
    """Megabytes a minute, by least squares."""
    if len(points) < 3:
        return 0.0
    middle = sum(x for x, _ in points) / len(points)
    level = sum(y for _, y in points) / len(points)
    spread = sum((x - middle) ** 2 for x, _ in points)
    return 60 * sum((x - middle) * (y - level) for x, y in points) / spread


def report(outcome: Outcome, djs: int, minutes: float, hostile: int = 0) -> dict[str, Any]:
    """Figures to print and to judge by."""
    most_seconds = MOST_SECONDS_BESIDE_HOSTILE if hostile else MOST_SECONDS_TO_GENERATE
    warm = [point for point in outcome.memory if point[0] > minutes * 60 * WARM_SHARE]
    told = {
        "djs": djs,
        "hostile": hostile,
        "minutes": minutes,
        "actions": {name: len(times) for name, times in outcome.seconds.items()},
        "median_seconds": {
            name: round(percentile(times, 0.5), 3) for name, times in outcome.seconds.items()
        },
        "p95_seconds": {
            name: round(percentile(times, 0.95), 3) for name, times in outcome.seconds.items()
        },
        "megabytes_warm": round(warm[0][1]) if warm else 0,
        "megabytes_end": round(outcome.memory[-1][1]) if outcome.memory else 0,
        "megabytes_a_minute": round(slope(warm), 2),
        "server_cores": round(outcome.server_seconds / (minutes * 60), 2),
        "machine_load": round(os.getloadavg()[1], 1),
        "errors": outcome.errors,
        "crosstalk": outcome.crosstalk,
    }
    told["kept"] = (
        not outcome.errors
        and not outcome.crosstalk
        and told["p95_seconds"]["generate"] < most_seconds
        and told["megabytes_a_minute"] < MOST_MEGABYTES_A_MINUTE
    )
    return told


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--djs", type=int, default=30)
    parser.add_argument("--hostile", type=int, default=0, help="how many of them do harm")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--link", default="", help="a shared link's query, as in genre=House")
    parser.add_argument("--json", type=Path, help="a file for the figures")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, served(Path(folder)) as (url, server):
        outcome = asyncio.run(
            soak(url, server, options.djs, options.minutes, options.hostile, options.link)
        )
        log = (Path(folder) / "log.txt").read_text("utf-8", "replace")
        if "Traceback" in log:
            outcome.errors.append("the server's log holds a traceback: " + log[-1_500:])
    told = report(outcome, options.djs, options.minutes, options.hostile)
    print(json.dumps(told, indent=1))
    if options.json:
        options.json.write_text(json.dumps(told, indent=1) + "\n", "utf-8")
    return 0 if told["kept"] else 1


if __name__ == "__main__":
    sys.exit(main())
