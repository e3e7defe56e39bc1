"""In read-only mode no button, choice or download of any page changes a byte of the host's."""

import hashlib
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import streamlit
from streamlit.testing.v1 import AppTest, element_tree

from dj_core.library.kept_beats import Crate
from dj_core.library.library import Library
from dj_core.music.patterns import load_patterns
from dj_core.sets.saved_sets import save_set, set_path
from dj_core.sets.set_plan import Entry, SetSettings, plan_set

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted(path.stem for path in (ROOT / "pages").glob("*.py"))
MOST_STEPS = 150
WAIT_SECONDS = 240
# one after another: what a step brings to light is walked too
KINDS = (
    "checkbox", "toggle", "radio", "button_group", "selectbox", "multiselect", "slider",
    "number_input", "text_input", "text_area", "download_button", "button",
)  # fmt: skip


@pytest.fixture(scope="module")
def furnished(tmp_path_factory):
    """What a host keeps: beats in the crate, a corpus, two sets."""
    folder = tmp_path_factory.mktemp("furnished")
    beats = [beat for beat in load_patterns() if beat.bars > 1][:3]
    crate = Crate(folder / "crate.db")
    for number, beat in enumerate(beats):
        crate.keep(replace(beat, title=f"Kept {number}"), tags=["mine"])
    Library(folder).corpora()
    for name, minutes in (("Friday", 2.6), ("Sunday", None)):
        settings = SetSettings(name, minutes=minutes, phrase_bars=8, tempo_bpm=122.5, fills=False)
        planned = plan_set([Entry(beat, phrases=2) for beat in beats], settings)
        save_set(planned, set_path(folder / "sets", name))
    return folder


@pytest.fixture
def host(furnished, home, monkeypatch):
    """The home of a host, read only from now on."""
    shutil.copytree(furnished, home)
    monkeypatch.setenv("DIGITAL_DJ_READ_ONLY", "1")
    return home


@pytest.fixture
def made(monkeypatch):
    """Every download a page offers makes its file at once, as if it had been pressed."""
    files = []
    plain = streamlit.download_button

    def button(label, data, *rest, **more):
        files.append((label, data() if callable(data) else data))
        return plain(label, b"", *rest, **more)

    monkeypatch.setattr(streamlit, "download_button", button)
    return files


class Shown(str):
    """An option as the page shows it, whatever stands behind it."""


@pytest.fixture(autouse=True)
def options_by_their_words(monkeypatch):
    """AppTest chooses by what stands behind an option; here by what a visitor reads."""
    plain = element_tree._format_value_for_widget
    monkeypatch.setattr(
        element_tree,
        "_format_value_for_widget",
        lambda words, value: str(value) if isinstance(value, Shown) else plain(words, value),
    )


def hashes(folder):
    """Every path below a folder with what is in it."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        if path.is_file()
        else ""
        for path in folder.rglob("*")
        if not path.name.endswith(("-wal", "-shm"))  # SQLite's own, while a page reads
    }


def touch(widget):
    """Do with a control what is not what it stands at."""
    kind = widget.type
    if kind in ("button", "download_button"):
        widget.click()
    elif kind in ("checkbox", "toggle"):
        widget.set_value(not widget.value)
    elif kind in ("number_input", "slider") and not isinstance(widget.value, (list, tuple)):
        step = widget.step or 1
        higher = (widget.value or 0) + step
        top = widget.max
        widget.set_value(higher if top is None or higher <= top else (widget.value or 0) - step)
    elif kind in ("text_input", "text_area"):
        widget.set_value("Another word")
    elif kind == "multiselect":
        widget.set_value([] if widget.value else [Shown(one) for one in widget.options[:1]])
    elif kind in ("selectbox", "radio"):
        widget.set_value(Shown(widget.options[-1]))
    elif kind == "button_group":
        several = isinstance(widget.value, list)
        last = Shown(widget.options[-1])
        widget.set_value([last] if several else last)


@pytest.mark.parametrize("page", PAGES)
def test_no_control_of_a_page_changes_anything_of_the_hosts(host, made, page):
    before = hashes(host)
    at = AppTest.from_file(str(ROOT / "home.py"), default_timeout=WAIT_SECONDS)
    if page == "set":
        at.query_params["set"] = "Friday"
    at.switch_page(f"pages/{page}.py").run()
    done = set()
    for _ in range(MOST_STEPS):
        widgets = [widget for kind in KINDS for widget in at.get(kind)]
        left = [one for one in widgets if one.key not in done and not one.proto.disabled]
        if not left:
            break
        done.add(left[0].key)
        touch(left[0])
        at.run()
        assert not at.exception, (left[0].key, at.exception)
        if "set_work" in at.session_state:
            at.session_state["set_work"].wait(WAIT_SECONDS)
            at.run()
        changed = {
            name for name, content in hashes(host).items() if before.get(name) != content
        } | (before.keys() - hashes(host).keys())
        assert not changed, (left[0].key, changed)
    assert done, "the page has no controls"
