"""Take the pictures in docs/screenshots: `.venv/bin/python scripts/screenshots.py`.

They come from the running app. Everything on them is made by what the repository ships, in a
folder of its own, by fixed seeds.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

sys.path.insert(0, str(ROOT))

from browser import FLAGS, find_browser

from dj_core.files.beat_link import beat_to_text
from dj_core.library.kept_beats import Crate
from dj_core.library.library import SHIPPED_MODELS
from dj_core.models.families import load_model
from dj_core.models.request import GenerationRequest
from dj_core.music.patterns import parse_patterns
from dj_core.sets.saved_sets import save_set, set_path
from dj_core.sets.set_plan import SetSettings
from dj_core.sets.set_takes import build_set
from dj_ui.frame import PAGES

PORT = 8577
URL = f"http://127.0.0.1:{PORT}"
SHOTS = ROOT / "docs" / "screenshots"
SIZES = {1440: 900, 390: 844}
WAIT_MILLISECONDS = 120_000
SHOWING = {"generate": "?genre=House&seed=75906&bars=4&tempo=124", "set": "?set=Friday"}
LINKS = {address: address + SHOWING.get(address, "") for address in PAGES}
KEPT = (
    ("house", 122, "warm-up", 4),
    ("disco", 118, "warm-up", 5),
    ("funk", 112, "live", 3),
    ("techno", 130, "peak", 4),
    ("breakbeat", 128, "peak", 5),
    ("uk-garage", 132, "peak", 3),
)  # genre, tempo, tag, rating


def main() -> None:
    """Train a short run, serve the app, and photograph every page at both widths."""
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "DIGITAL_DJ_HOME": home}
        command = [sys.executable, "-m", "dj_core", "train", "--corpus", "starter"]
        command += ["--preset", "notes-rhythm", "--epochs", "12", "--run", "first-lessons"]
        subprocess.run(command, cwd=ROOT, env=environment, check=True)
        furnish(Path(home))
        serve = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(PORT)]
        server = subprocess.Popen(serve, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
        try:
            wait_until_served()
            photograph()
        finally:
            server.terminate()
            server.wait()


def furnish(home: Path) -> None:
    """Keep a handful of takes in the crate, and build a set of them."""
    model = load_model(SHIPPED_MODELS / "groove")
    crate = Crate(home / "crate.db")
    beats = []
    for seed, (genre, tempo_bpm, tag, rating) in enumerate(KEPT, start=1):
        request = GenerationRequest(genre=genre, tempo_bpm=tempo_bpm, bars=4, seed=seed)
        beats.append(model.generate(request).beat)
        crate.keep(beats[-1], tags=(tag,), rating=rating)
    settings = SetSettings("Friday", tempo_bpm=120, to_tempo_bpm=130, fills=False)
    save_set(build_set(beats, settings), set_path(home / "sets", settings.name))
    shots = home / "one-shots"
    import_verb = [sys.executable, "-m", "dj_core", "kit-import", shots, "--name", "Garage rack"]
    for command in ([*import_verb[:3], "kit", "garage", "--out", shots], import_verb):
        environment = {**os.environ, "DIGITAL_DJ_HOME": str(home)}
        subprocess.run(command, cwd=ROOT, env=environment, check=True)


def wait_until_served() -> None:
    """Return once the server answers."""
    for _ in range(300):
        try:
            urlopen(f"{URL}/_stcore/health")
            return
        except URLError:
            time.sleep(0.2)
    raise SystemExit("The app did not start.")


def photograph() -> None:
    """Every page at every width as docs/screenshots/PAGE-WIDTH.png; the deck playing, its kits,
    pads, and light.

    And a step's menu over a beat with conditions.
    """
    SHOTS.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=list(FLAGS))
        for width in SIZES:
            for name, path in LINKS.items():
                take(browser, path, width, f"{name}-{width}")
            take(browser, LINKS["generate"], width, f"generate-playing-{width}", playing=True)
            take(browser, with_conditions(), width, f"conditions-{width}", show=show_step)
            take(browser, LINKS["generate"], width, f"kits-{width}", show=show_kits)
            take(browser, LINKS["generate"], width, f"pads-{width}", show=show_pads)
            take(browser, "jam", width, f"jam-playing-{width}", show=show_jam)
            for playing, name in ((False, "generate-light"), (True, "generate-light-playing")):
                take(browser, LINKS["generate"], width, f"{name}-{width}", "Light", playing=playing)
        browser.close()


def with_conditions() -> str:
    """A link to a beat with all kinds of conditions."""
    text = """beat: Sometimes
tempo: 124  swing: 56
BD |x... x... x... x...|x... x... x... x..x| @2.16:1:2
CP |.... x... .... x...|.... x... .... x...|
SS |..x. ..x. .x.. ..x.|%| 12steps
CH |xox. xox. xox. xox.|%| @*:60% @1.3:x4-60 @1.15:x3+50 @2.7:not-first
OH |..x. ..x. ..x. ..x.|%| @1.3:2:4,flam/16 @2.15:85%
"""
    (beat,) = parse_patterns(text, "house.beat", "house")
    return f"generate?beat={beat_to_text(beat)}"


def show_step(page: Page) -> None:
    """Open a step's menu."""
    page.locator('.deck .cell[data-loops="2:4"]').focus()
    page.keyboard.press("m")
    page.locator(".deck .menu.panel").wait_for()


def show_kits(page: Page) -> None:
    """Open the list of kits."""
    page.locator(".kit-choice").click()


def show_jam(page: Page) -> None:
    """Play a jam for a while."""
    page.locator(".deck .play").first.click()
    page.wait_for_function("window.digitalDj.jam.history.length >= 26")


def show_pads(page: Page) -> None:
    """Open a kit of one's own."""
    page.locator("summary", has_text="Your own kits").click()
    page.locator(".pads-box .pad").first.wait_for()
    page.locator(".pads-box").evaluate("box => box.scrollIntoView({ block: 'center' })")


def take(
    browser: Browser,
    path: str,
    width: int,
    name: str,
    theme: str = "Dark",
    *,
    playing: bool = False,
    show: Callable[[Page], None] | None = None,
) -> None:
    """One picture: of a phone with a finger at 390 pixels, else of a computer with a mouse."""
    phone = {"has_touch": True, "is_mobile": True, "device_scale_factor": 2} if width < 500 else {}
    size = {"width": width, "height": SIZES[width]}
    page = browser.new_page(viewport=size, color_scheme=theme.lower(), **phone)
    page.add_init_script(f"""localStorage.setItem("djTheme", '"{theme}"')""")
    page.set_default_timeout(WAIT_MILLISECONDS)
    page.goto(f"{URL}/{path}")
    settle(page)
    if playing:
        page.locator(".deck .play").first.click()
        page.wait_for_function("window.digitalDjEngine.position('A') > 5.3")
    if show:
        show(page)
        page.wait_for_timeout(1_500)
    page.screenshot(path=SHOTS / f"{name}.png")
    page.close()


def settle(page: Page) -> None:
    """Wait until the page has been drawn and rests."""
    page.wait_for_selector(".dj-brand")
    page.wait_for_timeout(2_000)
    page.wait_for_selector('[data-test-script-state="notRunning"]')
    page.wait_for_timeout(2_000)


if __name__ == "__main__":
    main()
