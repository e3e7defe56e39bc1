"""The browser's program is handed out at once, and just as Streamlit hands it out."""

import asyncio
from pathlib import Path

import pytest
from streamlit.file_util import get_static_dir
from streamlit.web.server.starlette.starlette_static_routes import create_streamlit_static_handler

from dj_ui.program_files import ProgramFiles, early_links

FOLDER = Path(get_static_dir())
NAMES = sorted(path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*") if path.is_file())
PROGRAM = [name for name in NAMES if name.endswith((".js", ".css", ".woff2"))]
ONE = "/" + next(name for name in PROGRAM if "/Slider." in name)


def answer(app, path, method="GET", headers=()):
    """Status, headers and bytes that an ASGI app answers with."""
    sent = []

    async def receive():  # the browser says nothing more
        await asyncio.Event().wait()

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http", "method": method, "path": path, "root_path": "", "headers": list(headers),
        "query_string": b"",
    }  # fmt: skip
    asyncio.run(app(scope, receive, send))
    body = b"".join(message.get("body", b"") for message in sent[1:])
    return sent[0]["status"], dict(sent[0]["headers"]), body


async def elsewhere(scope, receive, send):
    """An app behind the middleware that can be told by its answer."""
    await send({"type": "http.response.start", "status": 418, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def test_every_file_of_the_program_is_as_streamlit_gives_it():
    own = create_streamlit_static_handler(directory=str(FOLDER), base_url=None)
    ours = ProgramFiles(elsewhere)
    assert len(PROGRAM) > 100
    for name in [name for name in PROGRAM if (FOLDER / name).stat().st_size < 50_000][::10]:
        status, headers, body = answer(own, f"/{name}")
        told = {key: headers[key] for key in (b"content-type", b"content-length", b"cache-control")}
        assert answer(ours, f"/{name}") == (status, told, body), name


def test_it_answers_below_the_address_a_host_put_the_app_at():
    assert answer(ProgramFiles(elsewhere), f"/beats{ONE}")[0] == 200


@pytest.mark.parametrize(
    ("path", "method", "headers"),
    [
        ("/", "GET", ()),
        ("/static/../index.html", "GET", ()),
        ("/static//etc/passwd", "GET", ()),
        ("/static/js/none.js", "GET", ()),
        ("/manifest.json", "GET", ()),
        (ONE, "HEAD", ()),
        (ONE, "GET", ((b"range", b"bytes=0-9"),)),
        (ONE, "GET", ((b"if-none-match", b"x"),)),
    ],
)
def test_all_else_is_the_apps(path, method, headers):
    assert answer(ProgramFiles(elsewhere), path, method, headers)[0] == 418


def test_a_page_names_early_what_its_own_document_does_not():
    links = early_links().decode().split("\n")[1:]
    document = (FOLDER / "index.html").read_text("utf-8")
    names = [link.split('href="./')[1].split('"')[0] for link in links]
    assert {"BidiComponent", "Html", "PageLink", "Slider"} <= {
        Path(name).name.split(".")[0] for name in names
    }
    assert len(set(names)) == len(names)
    for name in names:
        assert (FOLDER / name).is_file()
        assert name not in document
