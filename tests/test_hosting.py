"""What a host can switch on: limits, queues, read-only mode, sign-in; and what visitors share."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from dj_core.cli import main
from dj_core.errors import LibraryError
from dj_core.files.midi import save_midi
from dj_core.host.limits import Limits, read_limits
from dj_core.host.queues import Allowance, Line, turn_to_train
from dj_core.host.read_only import read_only
from dj_core.library.kept_beats import Crate
from dj_core.library.library import STARTER_CORPUS, Library
from dj_core.library.training_jobs import start_training
from dj_core.music.beat import Beat, Hit
from dj_ui.frame import PAGES

ROOT = Path(__file__).resolve().parent.parent
BEAT = Beat((Hit.of("kick", 0), Hit.of("snare", 1)), bars=1)

# -- limits ----------------------------------------------------------------------------------------


def test_limits_are_as_written_unless_a_host_says_otherwise(tmp_path):
    assert read_limits({}) == (Limits(), ())
    (tmp_path / "limits.toml").write_text("zip_entries = 7\nmidi_tracks = 8\n")
    found, problems = read_limits(
        {"DIGITAL_DJ_LIMITS": str(tmp_path / "limits.toml"), "DIGITAL_DJ_LIMIT_MIDI_TRACKS": "9"}
    )
    assert (found.zip_entries, found.midi_tracks, problems) == (7, 9, ())


@pytest.mark.parametrize("text", ["0", "-1", "1e9", "many", "", "9" * 40, "²"])
def test_a_limit_that_is_no_number_is_not_heeded_and_said(text):
    found, problems = read_limits({"DIGITAL_DJ_LIMIT_MIDI_BYTES": text})
    assert found == Limits()
    assert "midi_bytes" in problems[0]


def test_unheard_of_limits_and_files_that_cannot_be_read_are_said(tmp_path):
    (tmp_path / "bad.toml").write_text("not = = toml")
    for path in (tmp_path / "bad.toml", tmp_path / "none.toml"):
        assert "cannot be read" in read_limits({"DIGITAL_DJ_LIMITS": str(path)})[1][0]
    assert "There is no limit" in read_limits({"DIGITAL_DJ_LIMIT_TEA": "1"})[1][0]


def test_a_limit_reaches_the_parser(tmp_path):
    path = save_midi(BEAT, tmp_path / "beat.mid")
    answer = subprocess.run(
        [sys.executable, "-m", "dj_core", "import", path, "--name", "mine"],
        capture_output=True, text=True, check=False, cwd=ROOT,
        env={**os.environ, "DIGITAL_DJ_LIMIT_MIDI_BYTES": "50", "DIGITAL_DJ_HOME": str(tmp_path)},
    )  # fmt: skip
    assert answer.returncode == 1
    assert "never over 50" in answer.stderr


# -- queues ----------------------------------------------------------------------------------------


def test_a_line_serves_in_order_and_tells_the_place():
    line, told = Line(1, 3), []
    first, second, third = line.join(), line.join(), line.join()
    assert [line.before(ticket) for ticket in (first, second, third)] == [0, 1, 2]
    assert line.wait(first, told.append, lambda: False)
    served = threading.Thread(target=line.wait, args=(third, told.append, lambda: False))
    served.start()
    line.leave(first)
    assert line.wait(second, told.append, lambda: False)
    line.leave(second)
    served.join(30)
    assert not served.is_alive()
    assert told == sorted(told, reverse=True)
    line.leave(third)


def test_a_line_that_is_full_says_so_and_one_who_gives_up_makes_room():
    line = Line(1, 1)
    line.join()
    waiting = line.join()
    with pytest.raises(LibraryError, match="Try again"):
        line.join()
    assert not line.wait(waiting, lambda before: None, lambda: True)
    line.leave(waiting)
    line.join()


def test_visitors_are_served_by_turns_and_nobody_has_more_than_their_share():
    line = Line(1, 20, each=3)
    tabs = [line.join("one") for _ in range(3)]
    with pytest.raises(LibraryError, match="3 of yours"):
        line.join("one")
    assert line.wait(tabs[0], print, lambda: False)
    other, third = line.join("two"), line.join("three")
    assert [line.before(ticket) for ticket in (*tabs, other, third)] == [0, 3, 4, 1, 2]
    line.leave(tabs[0])
    assert [line.before(ticket) for ticket in (*tabs[1:], other, third)] == [0, 3, 1, 2]
    assert line.wait(tabs[1], print, lambda: False)  # what was called stays
    assert [line.before(ticket) for ticket in (*tabs[1:], other, third)] == [0, 3, 1, 2]


def test_a_visitor_is_asked_to_wait_and_others_are_not():
    allowance = Allowance(2, "Training can be started")
    for now in (0.0, 10.0):
        allowance.take("one", now)
    with pytest.raises(LibraryError, match=r"2 times an hour\. Go on in 59 minutes"):
        allowance.take("one", 70.0)
    allowance.take("two", 70.0)
    allowance.take("one", 3_601.0)


def test_trainings_take_turns_and_the_dead_keep_nobody_waiting(tmp_path):
    told, entered = [], threading.Event()

    def second():
        with turn_to_train(tmp_path, 1, told.append):
            entered.set()

    (tmp_path / ".turns").mkdir()
    (tmp_path / ".turns" / "ticket-00000000000000000001-1").write_bytes(b"")  # of a dead process
    with turn_to_train(tmp_path, 1):
        waiting = threading.Thread(target=second)
        waiting.start()
        assert not entered.wait(1.2)
        assert told == [1]
    assert entered.wait(30)
    waiting.join()
    with turn_to_train(tmp_path, 1, stopped=lambda: True):
        pass
    assert [path.name for path in (tmp_path / ".turns").iterdir()] == ["slot-0"]


# -- read only -------------------------------------------------------------------------------------


@pytest.fixture
def read_only_home(home, monkeypatch):
    """A home with a beat in its crate, read only from now on."""
    Crate.open().keep(BEAT)
    Library(home).corpora()
    monkeypatch.setenv("DIGITAL_DJ_READ_ONLY", "1")
    return home


@pytest.mark.parametrize("text", ["", "0", "no", "False"])
def test_read_only_is_off_unless_it_is_on(monkeypatch, text):
    monkeypatch.setenv("DIGITAL_DJ_READ_ONLY", text)
    assert not read_only()


def test_read_only_keeps_everything_as_it_is(read_only_home, tmp_path, capsys):
    library, crate = Library(read_only_home), Crate.open()
    path = save_midi(BEAT, tmp_path / "beat.mid")
    (item,) = crate.find()
    for change in (
        lambda: library.import_corpus(path, "mine"),
        lambda: library.delete_corpus(STARTER_CORPUS),
        lambda: crate.keep(BEAT),
        lambda: crate.delete([item.id]),
        lambda: start_training(read_only_home, "run", corpora=[STARTER_CORPUS], preset="groove"),
    ):
        with pytest.raises(LibraryError, match="read only"):
            change()
    assert main(["train", "--corpus", STARTER_CORPUS, "--preset", "groove"]) == 1
    assert "read only" in capsys.readouterr().err
    assert crate.get(item.id).beat == BEAT
    assert library.corpus(STARTER_CORPUS).files


# -- the pages -------------------------------------------------------------------------------------


def shown(page):
    from streamlit.testing.v1 import AppTest

    test = AppTest.from_file(str(ROOT / "home.py"), default_timeout=180)
    test.switch_page(f"pages/{page}.py").run()
    assert not test.exception, test.exception
    return test


def words_of(test):
    kinds = (test.info, test.warning, test.error, test.caption, test.markdown)
    return " ".join(element.value for kind in kinds for element in kind)


def test_sign_in_that_is_not_set_up_lets_nobody_in(home, monkeypatch):
    monkeypatch.setenv("DIGITAL_DJ_SIGN_IN", "1")
    test = shown("explore")
    assert "not set up" in words_of(test)
    assert not test.selectbox


def test_sign_in_shows_a_door_and_nothing_behind_it(home, monkeypatch):
    from streamlit.testing.v1 import AppTest

    monkeypatch.setenv("DIGITAL_DJ_SIGN_IN", "1")
    test = AppTest.from_file(str(ROOT / "home.py"), default_timeout=180)
    test.secrets["auth"] = {"client_id": "x"}
    test.switch_page("pages/crate.py").run()
    assert [button.label for button in test.button] == ["Sign in"]


@pytest.mark.parametrize(
    ("wanted", "visitor", "allowed"),
    [
        ("", {}, True),
        ("a@x.org", {"email": "A@x.org"}, True),
        ("a@x.org", {"email": "b@x.org"}, False),
        ("@x.org", {"email": "b@x.org"}, True),
        ("@x.org", {"email": "b@evilx.org"}, False),
        ("@x.org", {"email": "b@x.org", "email_verified": False}, False),
        ("@x.org", {}, False),
    ],
)
def test_only_invited_visitors_come_in(wanted, visitor, allowed, monkeypatch):
    from dj_ui.visiting import is_allowed

    monkeypatch.setenv("DIGITAL_DJ_ALLOWED_EMAILS", wanted)
    assert is_allowed(visitor) is allowed


def test_two_sessions_never_see_each_others_takes(home):
    first, second = shown("generate"), shown("generate")
    first.number_input(key="seed").set_value(4_711).run()
    first.button(key="dj_go").click().run()
    second.run()
    assert "dj_takes" not in second.session_state or not second.session_state["dj_takes"]
    assert [kept.settings["seed"] for kept in first.session_state["dj_takes"]] == [4_711]


# -- what may go missing ---------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES)
def test_a_page_without_its_folder_says_so_and_stands(page, tmp_path, monkeypatch):
    """The DJ's folder cannot be made: a file lies in its place."""
    (tmp_path / "home").write_bytes(b"")
    monkeypatch.setenv("DIGITAL_DJ_HOME", str(tmp_path / "home" / "inner"))
    told = words_of(shown(page))
    assert str(tmp_path) not in told
    if page in ("explore", "crate", "train"):
        assert "DIGITAL" in told


def test_damaged_files_of_a_library_cost_only_themselves(home):
    library = Library(home)
    library.corpora()
    (home / "corpora" / "odd").mkdir()
    (home / "corpora" / "odd" / "index.parquet").write_bytes(b"PAR1 nonsense")
    (home / "models" / "odd").mkdir(parents=True)
    (home / "models" / "odd" / "model.json").write_bytes(b"[" * 50_000)
    (home / "runs" / "odd").mkdir(parents=True)
    (home / "runs" / "odd" / "status.json").write_bytes(b"\xff")
    for page in ("generate", "explore", "train"):
        assert "Traceback" not in words_of(shown(page))
    assert library.corpus(STARTER_CORPUS).files


def test_a_work_that_breaks_says_so_and_gives_its_place_back():
    from dj_ui.set_work import Work

    def disk_full(_tell):
        raise LibraryError("No space left. Free some space.")

    broken = Work("pack", disk_full)
    broken.wait(30)
    assert (broken.state, broken.problem) == ("failed", "No space left. Free some space.")
    after = Work("pack", lambda tell: 7)
    after.wait(30)
    assert after.result == 7


@pytest.mark.parametrize(("away", "state"), [(40, "stopped"), (10, "running")])
def test_the_work_of_who_left_ends_and_lets_the_others_pass(away, state, monkeypatch):
    from dj_ui import set_work

    monkeypatch.setattr(set_work, "_LINE", Line(1, 5, each=3))
    monkeypatch.setattr(set_work.Presence, "seconds_away", lambda presence: away)
    pieces, may_end = [], threading.Event()

    def endless(tell):
        while not may_end.wait(0.005):
            tell("Playing the set", 0, 1)
            pieces.append(1)

    left = set_work.Work("pack", endless)
    behind = set_work._LINE.join("somebody else")
    deadline = time.monotonic() + 30
    while left.busy and len(pieces) < 50 and time.monotonic() < deadline:
        threading.Event().wait(0.005)
    assert left.state == state
    may_end.set()
    left.wait(30)
    assert set_work._LINE.before(behind) == 0


# -- links -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("page", "link"),
    [
        ("generate", {"session": "../../../../etc", "kit": "../x", "model": "<b>", "seed": "-1"}),
        ("generate", {"session": "a" * 17, "genre": "![x](http://e)", "bars": "1e400"}),
        ("set", {"set": "../../../../etc/passwd"}),
        ("explore", {"corpus": "../starter", "genre": "\u202e"}),
    ],
)
def test_ids_from_links_are_checked(page, link, home):
    from streamlit.testing.v1 import AppTest

    test = AppTest.from_file(str(ROOT / "home.py"), default_timeout=180)
    for key, value in link.items():
        test.query_params[key] = value
    test.switch_page(f"pages/{page}.py").run()
    assert not test.exception
    assert "/etc" not in words_of(test)
    assert not (home / "sessions").exists() or not list((home / "sessions").iterdir())


def test_what_is_everybodys_says_so_where_others_may_come(home, monkeypatch):
    assert "belongs to everybody" not in words_of(shown("explore"))
    monkeypatch.setattr("dj_ui.visiting.wants_sign_in", lambda: True)
    monkeypatch.setattr("dj_ui.frame.check_visitor", lambda: None)
    assert "belongs to everybody" in words_of(shown("explore"))
