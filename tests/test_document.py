import asyncio
import re
from pathlib import Path

import pytest

from dj_ui.document import END, TITLE, DarkDocument, head, style_lines
from dj_ui.frame import PAGES
from dj_ui.program_files import early_links

pytestmark = pytest.mark.usefixtures("home")

PAGE = b"<html><head>" + TITLE + b"</head><body>" + END + b"</html>"


def answer(body_parts, status=200, accept=b"text/html", headers=(), method="GET"):
    """What a browser gets for one request through the middleware, and what the app was asked."""
    sent, scopes = [], []

    async def app(scope, receive, send):
        scopes.append(scope)
        await send({"type": "http.response.start", "status": status, "headers": list(headers)})
        for number, part in enumerate(body_parts, start=1):
            more = number < len(body_parts)
            await send({"type": "http.response.body", "body": part, "more_body": more})

    async def send(message):
        sent.append(message)

    request = [(b"accept", accept), (b"accept-encoding", b"gzip")]
    scope = {"type": "http", "method": method, "path": "/train", "headers": request}
    asyncio.run(DarkDocument(app)(scope, None, send))
    body = b"".join(message.get("body", b"") for message in sent[1:])
    return dict(sent[0]["headers"]), body, dict(scopes[0]["headers"])


@pytest.mark.parametrize("parts", [[PAGE], [PAGE[:20], PAGE[20:]], [PAGE, b""]])
def test_the_document_is_dark_brings_the_styles_and_says_its_length(parts):
    length = (b"Content-Length", str(len(PAGE)).encode())
    headers, body, asked = answer(parts, headers=[length])
    assert body == PAGE.replace(TITLE, head() + early_links()).replace(END, style_lines() + END)
    assert headers[b"Content-Length"] == str(len(body)).encode()
    assert b"accept-encoding" not in asked


def test_everything_else_passes_untouched():
    headers, body, asked = answer([PAGE], accept=b"*/*", headers=[(b"content-length", b"7")])
    assert body == PAGE
    assert headers == {b"content-length": b"7"}
    assert asked[b"accept-encoding"] == b"gzip"


def test_an_answer_without_a_body_stays_without():
    headers, body, _ = answer([b""], status=304, headers=[(b"etag", b"x")])
    assert (headers.keys(), body) == ({b"etag", b"set-cookie"}, b"")


def test_streamlits_document_has_the_places_we_write_to():
    from streamlit.file_util import get_static_dir

    document = (Path(get_static_dir()) / "index.html").read_bytes()
    assert document.count(TITLE) == document.count(END) == 1


def test_every_style_sheet_is_in_the_document_and_none_is_drawn_by_a_page():
    root = Path(__file__).resolve().parent.parent
    for sheet in (root / "dj_ui").glob("*.css"):
        assert sheet.read_bytes() in style_lines()
    for script in [*(root / "pages").glob("*.py"), *(root / "dj_ui").glob("*.py")]:
        drawn = re.findall(r'\w\.css"|<style', script.read_text("utf-8"))
        assert not drawn or script.name == "document.py", script


def test_every_script_in_pages_is_in_the_table_of_pages():
    pages = Path(__file__).resolve().parent.parent / "pages"
    assert set(PAGES) == {page.stem for page in pages.glob("*.py")}
