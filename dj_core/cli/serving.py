"""`serve` and `version`: the app in the browser, and what is installed."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import webbrowser
from urllib.parse import quote

from dj_core.cli.verb import Answer, option, positive, say, verb
from dj_core.library.library import Library
from dj_core.product import IMPORT_FOLDER, PRODUCT_FOLDER, VERSION

OWN_MACHINE = ("127.0.0.1", "localhost")


@verb(
    "serve",
    option("--host", default=os.environ.get("HOST", OWN_MACHINE[0]), help="address to serve at"),
    option("--port", type=positive, default=os.environ.get("PORT", "8501")),
    option("--names", default=os.environ.get("NAMES", "*"), help="names others reach it by"),
    option("--no-browser", action="store_true", help="open no browser"),
    timed=False,
)
def serve(options: argparse.Namespace) -> Answer:
    """Serve the app and open the browser.

    The browser opens at once on a page that waits for the app: nothing heavy is loaded before.
    """
    own = options.host in OWN_MACHINE
    url = f"http://{options.host if own else 'localhost'}:{options.port}"
    command = [sys.executable, "-m", "streamlit", "run", str(PRODUCT_FOLDER / "app.py")]
    command += ["--server.address", options.host, "--server.port", str(options.port)]
    command += [] if own else ["--server.allowedHosts", options.names]
    search_path = os.pathsep.join(filter(None, [str(IMPORT_FOLDER), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "PYTHONPATH": search_path}
    say(f"Digital DJ is served at {url}. Ctrl-C ends it.")
    with subprocess.Popen(command, env=environment) as server:
        if own and not options.no_browser:
            page = (PRODUCT_FOLDER / "assets" / "starting.html").as_uri()
            webbrowser.open(f"{page}#{quote(url, safe='')}")
        for number in (signal.SIGINT, signal.SIGTERM):  # whoever ends this ends the server
            signal.signal(number, lambda *_: server.terminate())
        server.wait()
    return {"url": url, "exit": server.returncode}


@verb("version", timed=False)
def version(options: argparse.Namespace) -> Answer:
    """Say which version this is, and where its files lie."""
    home = Library.open().home
    say(f"digital-dj {VERSION}")
    say(f"your files   {home}")
    say(f"the program  {PRODUCT_FOLDER}")
    python = sys.version.partition(" ")[0]
    return {
        "version": VERSION, "home": str(home), "program": str(PRODUCT_FOLDER), "python": python,
    }  # fmt: skip
