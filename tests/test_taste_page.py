"""Taste and search by ear on the pages: learned, shown, applied, linked, deleted."""

from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
from conftest import DESKTOP, PHONE
from streamlit.testing.v1 import AppTest

from dj_core.library.library import Library
from dj_core.models.families import load_model
from dj_core.models.request import GenerationRequest
from dj_core.taste.judgements import Taste, TasteFile
from dj_ui import tasting

ROOT = Path(__file__).resolve().parent.parent
WAIT_SECONDS = 180


@pytest.fixture(scope="module")
def takes():
    """Six takes of house."""
    model = load_model(Library(Path("nowhere")).model().folder)
    asked = [GenerationRequest(genre="house", bars=1, seed=seed) for seed in range(6)]
    return [take.beat for take in model.generate_all(asked)]


def visit(page, **link):
    at = AppTest.from_file(str(ROOT / "home.py"), default_timeout=WAIT_SECONDS)
    for key, value in link.items():
        at.query_params[key] = value
    at.switch_page(f"pages/{page}.py").run()
    assert not at.exception
    return at


def judge(home, takes):
    """Half of the takes are kept, half are skipped."""

    def judged(taste):
        for number, beat in enumerate(takes):
            taste = taste.noted(beat, ("keep", "skip")[number % 2])
        return taste

    TasteFile(home).change(judged)


def press_generate(at):
    at.button(key="dj_go").click().run()
    assert not at.exception
    return at.session_state["dj_takes"][-1]


def test_the_next_take_is_drawn_by_taste_and_its_link_plays_it_to_others(home, takes):
    judge(home, takes)
    at = visit("generate", bars=1)
    plain = press_generate(at)
    assert plain.settings["style"] is None
    assert "style" not in at.query_params
    at.slider(key="more_me").set_value(100).run()
    at.number_input(key="seed").set_value(7).run()
    mine = press_generate(at)
    style = mine.settings["style"]
    assert style is not None
    assert at.query_params["style"] == str(style)
    assert mine.take.beat.provenance.settings["style"] == style
    assert visit("generate", bars=1).slider(key="more_me").value == 100  # in a new session, too
    TasteFile(home).reset()
    assert visit("generate", bars=1).slider(key="more_me").value == 0
    theirs = visit("generate", bars=1, seed=7, style=style)
    (kept,) = theirs.session_state["dj_takes"]
    assert kept.take.beat == mine.take.beat
    again = visit("generate", bars=1, seed=7, style="moonlight").session_state["dj_takes"][-1]
    assert again.settings["style"] is None


def test_keeping_stars_and_read_only_mode(home, takes, monkeypatch):
    at = visit("generate", bars=1, seed=3)
    at.button(key="deck_keep").click().run()
    (one,) = TasteFile(home).read().judgements
    assert one.deeds == {"keep": 1}
    monkeypatch.setenv("DIGITAL_DJ_READ_ONLY", "1")
    tasting.note(takes[0], "keep")
    assert len(TasteFile(home).read().judgements) == 1
    at = visit("generate", bars=1, seed=3)
    assert "more_me" not in [slider.key for slider in at.slider]


def test_visitors_of_one_host_have_two_tastes(home, takes, monkeypatch):
    monkeypatch.setattr(tasting, "visitor", lambda: "10.0.0.7")
    for session, beat in (("a" * 32, takes[0]), ("b" * 32, takes[1])):
        monkeypatch.setattr(tasting, "visitors_session", lambda session=session: session)
        tasting.note(beat, "keep")
    one, other = (TasteFile(home, letter * 32).read() for letter in "ab")
    assert one.of(takes[0])
    assert other.of(takes[1])
    assert one.of(takes[1]) is None
    assert TasteFile(home).read() == Taste()
    monkeypatch.setattr(tasting, "visitors_session", lambda: None)
    assert tasting.own_taste() is None


@pytest.mark.browser
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_a_djs_taste_from_the_first_keep_to_its_end(visitor, start_app, tmp_path, takes, size):
    """Kept takes are learned; the slider draws by them; the crate shows, finds and forgets."""
    app = start_app(home=tmp_path / "home")
    judge(app.home, takes[1:])
    screen = visitor(app.url, viewport=size)
    page = screen.page
    screen.open("/generate?seed=7&bars=1")
    with screen.rerun():
        page.get_by_role("button", name="Keep", exact=True).first.click()
    assert len(TasteFile(app.home).read().judgements) == len(takes)
    slider = page.get_by_role("slider", name="More me")
    slider.focus()
    with screen.rerun():
        slider.press("End")
    with screen.rerun(moves=True):
        page.locator(".st-key-dj_go button:visible").first.click()
    screen.until(lambda: page.url.index("style="))
    link = dict(parse_qsl(urlsplit(page.url).query))
    assert link["style"].isdecimal()
    with screen.rerun(moves=True):
        page.get_by_role("link", name="Crate", exact=True).click()
    with screen.rerun(moves=True):
        page.get_by_text("Your taste").first.click()
    page.get_by_text(f"{len(takes)} beats judged").wait_for()
    with screen.rerun(moves=True):
        page.get_by_role("button", name="Find like this").click()
    page.get_by_text("% alike").first.wait_for()
    with screen.rerun(moves=True):
        page.get_by_role("button", name="Surprise me").click()
    page.get_by_text("% alike").first.wait_for()
    page.locator(".st-key-dj_taste_files").get_by_role("button", name="Reset").click()
    with screen.rerun(moves=True):
        page.get_by_role("button", name="Delete it").click()
    page.get_by_text("0 beats judged").wait_for()
    assert not TasteFile(app.home).path.exists()
