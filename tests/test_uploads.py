"""Files on their way in: who may add them, how many bytes, and how long it may take."""

import asyncio
import uuid
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.uploaded_file_manager import UploadedFileRec

from dj_core.host.limits import Limits
from dj_ui import uploads
from dj_ui.uploads import Uploads

MEGABYTE = 1_000  # a thousandth of the real ones, limits too
SMALL = Limits(upload_bytes=100 * MEGABYTE, uploads_bytes=150 * MEGABYTE)


class Server:
    """Streamlit's own place for files, and the sessions it knows: the first of each visitor is 0.

    Addresses are those of documents (RFC 5737); session 'a-1' is the second tab of visitor a.
    """

    def __init__(self, users=None):
        self.sessions, self.said = set(), []
        self.users = users or {}
        self.uploaded_file_mgr = MemoryUploadedFileManager("/_stcore/upload_file")
        self.door = Uploads(self.app)

    def get_app_session(self, session_id):
        known = session_id in self.sessions
        return SimpleNamespace(_user_info=self.users.get(session_id, {})) if known else None

    def is_active_session(self, session_id):
        return session_id in self.sessions

    async def app(self, scope, receive, send):
        """Read a file whole and keep it, as Streamlit does; a websocket lasts until it is left."""
        content, more = b"", True
        while more:
            message = await receive()
            content += message.get("body", b"")
            more = message.get("more_body", False)
        if scope["type"] == "http":
            session_id, file_id = scope["path"].split("/")[-2:]
            record = UploadedFileRec(file_id, "a.mid", "audio/midi", content)
            self.uploaded_file_mgr.add_file(session_id, record)
            await send({"type": "http.response.start", "status": 204, "headers": []})
            await send({"type": "http.response.body", "body": b""})

    async def put(self, session_id, size, *, declared=True, silent=False, meanwhile=None):
        """Send a file in pieces; returns the number and words of the answer."""
        address = f"192.0.2.{ord(session_id[0])}"
        pieces = [bytes(min(MEGABYTE, size - at)) for at in range(0, size, MEGABYTE)] or [b""]
        sent = []

        async def receive():
            await asyncio.sleep(30 if silent else 0)
            if meanwhile:
                meanwhile()
            piece = pieces.pop(0)
            return {"type": "http.request", "body": piece, "more_body": bool(pieces)}

        async def send(message):
            sent.append(message)

        headers = [(b"content-length", str(size).encode())] if declared else []
        scope = {"type": "http", "method": "PUT", "headers": headers, "client": (address, 1),
                 "path": f"/_stcore/upload_file/{session_id}/{uuid.uuid4()}"}  # fmt: skip
        await self.door(scope, receive, send)
        return sent[0]["status"], sent[1]["body"].decode()

    async def leave(self, session_id):
        """Close a page."""
        self.sessions.discard(session_id)

        async def receive():
            return {"type": "websocket.disconnect"}

        await self.door({"type": "websocket"}, receive, None)

    @property
    def held(self):
        """Bytes in memory."""
        files = self.uploaded_file_mgr.file_storage.values()
        return sum(len(file.data) for session in files for file in session.values())


@pytest.fixture
def server(monkeypatch):
    return serving(monkeypatch)


def serving(monkeypatch, users=None):
    server = Server(users)
    for name, value in (("LIMITS", SMALL), ("BYTES_OF_A_FILE", 2), ("_BYTES_AT_A_TIME", 100)):
        monkeypatch.setattr(uploads, name, value)
    monkeypatch.setattr(uploads.runtime, "get_instance", lambda: server)
    monkeypatch.setattr(uploads.runtime, "exists", lambda: True)
    monkeypatch.setattr(
        uploads, "say_to", lambda session, words, seconds: server.said.append(words)
    )
    return server


@settings(max_examples=30)
@given(st.lists(st.tuples(st.sampled_from(["put", "unsaid", "leave"]), st.sampled_from("abcd"),
                          st.sampled_from("01"), st.integers(0, 49)), max_size=60))  # fmt: skip
def test_whatever_visitors_add_and_leave_there_is_room_for_no_more_than_the_limits(doings):
    async def all_of_it():
        for what, visitor, tab, megabytes in doings:
            session = f"{visitor}-{tab}"
            if what == "leave":
                await server.leave(session)
                assert not server.uploaded_file_mgr.file_storage.get(session)
                continue
            server.sessions.add(session)
            before = server.held
            size = megabytes * MEGABYTE
            status, words = await server.put(session, size, declared=what == "put")
            assert (status, server.held) in ((204, before + size), (413, before)), words
            assert status == 204 or (words == server.said[-1] and "Add fewer" in words)
            of_visitor = sum(
                len(file.data)
                for tab in "01"
                for file in server.uploaded_file_mgr.file_storage.get(
                    f"{visitor}-{tab}", {}
                ).values()
            )
            assert of_visitor <= SMALL.upload_bytes
            assert server.held <= SMALL.uploads_bytes

    with pytest.MonkeyPatch.context() as patched:
        server = serving(patched)
        asyncio.run(all_of_it())


def test_what_is_on_its_way_counts_and_small_files_cost_something(server):
    server.sessions |= {"a-0"}

    async def both():
        answers = await asyncio.gather(*(server.put("a-0", 49 * MEGABYTE) for _ in range(6)))
        assert sorted(status for status, _ in answers) == [204, 204, 413, 413, 413, 413]
        await server.leave("a-0")
        server.sessions.add("a-0")
        server.door._coming.append(uploads._Coming("192.0.2.97", SMALL.upload_bytes - 1))
        assert (await server.put("a-0", 0))[0] == 413

    asyncio.run(both())


def test_nobody_adds_anything_without_a_page_a_sign_in_or_leave_to_change(monkeypatch):
    users = {"b-0": {"is_logged_in": True, "email": "b@x.org"},
             "c-0": {"is_logged_in": True, "email": "c@y.org"}}  # fmt: skip
    server = serving(monkeypatch, users)

    def asked(session):
        return asyncio.run(server.put(session, MEGABYTE))

    assert asked("a-0")[0] == 400
    server.sessions |= {"a-0", *users}
    monkeypatch.setenv("DIGITAL_DJ_SIGN_IN", "1")
    monkeypatch.setenv("DIGITAL_DJ_ALLOWED_EMAILS", "@x.org")
    assert asked("a-0") == (403, "Sign in first, then add the file.")
    assert asked("c-0")[0] == 403
    assert asked("b-0")[0] == 204
    monkeypatch.setenv("DIGITAL_DJ_READ_ONLY", "1")
    assert "read only" in asked("b-0")[1]
    assert server.held == MEGABYTE


def test_an_upload_that_falls_silent_ends_and_gives_its_room_back(server, monkeypatch):
    monkeypatch.setattr(uploads, "SECONDS_OF_SILENCE", 0.02)
    server.sessions.add("a-0")
    assert asyncio.run(server.put("a-0", 49 * MEGABYTE, silent=True))[0] == 408
    assert server.held == 0
    assert not server.door._coming


def test_a_page_that_closes_while_it_sends_leaves_nothing(server):
    server.sessions.add("a-0")
    closing = server.put("a-0", MEGABYTE, meanwhile=lambda: server.sessions.discard("a-0"))
    assert asyncio.run(closing)[0] == 204
    assert server.held == 0


def test_what_was_read_long_ago_makes_room(server, monkeypatch):
    server.sessions |= {"a-0", "b-0"}

    async def later():
        for _ in range(2):
            assert (await server.put("a-0", 49 * MEGABYTE))[0] == 204
        assert (await server.put("b-0", 49 * MEGABYTE))[0] == 204
        assert (await server.put("b-0", 49 * MEGABYTE))[0] == 413
        now = uploads.time.monotonic()
        monkeypatch.setattr(uploads.time, "monotonic", lambda: now + SMALL.upload_seconds + 1)
        assert (await server.put("b-0", 49 * MEGABYTE))[0] == 204
        assert server.held <= SMALL.uploads_bytes

    asyncio.run(later())


def test_what_a_page_has_read_makes_room_at_once(server, monkeypatch):
    server.sessions.add("a-0")
    here = SimpleNamespace(session_id="a-0", uploaded_file_mgr=server.uploaded_file_mgr)
    monkeypatch.setattr(uploads, "get_script_run_ctx", lambda suppress_warning: here)
    for _ in range(3):
        for _ in range(2):
            assert asyncio.run(server.put("a-0", 49 * MEGABYTE))[0] == 204
        uploads.forget_uploads()
        assert server.held == 0
