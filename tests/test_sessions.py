"""Whose takes are whose: the history on disk, the cookie that names it, two who share a link."""

import copy
import json
import os
import random
import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from dj_core.errors import LibraryError
from dj_core.library import take_history
from dj_core.library.take_history import History, new_session_id
from dj_core.music.beat import Beat, Provenance
from dj_core.music.drums import DRUM
from dj_core.music.patterns import genre_patterns
from dj_core.sound.beat_sound import BeatSound
from dj_ui import sessions

ROOT = Path(__file__).resolve().parent.parent
WAIT_SECONDS = 180
ROCK, HOUSE = genre_patterns("rock")[0], genre_patterns("house")[0]
assert DRUM["kick"].note == 36


# -- on disk ---------------------------------------------------------------------------------------


def add_take(history, beat, settings, *given, **named):
    return history.write(history.reserve(), beat, settings, *given, **named)


def test_takes_come_back_to_the_bit(tmp_path):
    beat = replace(ROCK, provenance=Provenance(source="x", seed=3, settings={"shape": "vary"}))
    past = History(tmp_path, new_session_id())
    add_take(past, beat, {"tempo": 120, "seed": None}, "vary", ["kick", "rest"])
    add_take(past, HOUSE, {})
    again = History(tmp_path, past.folder.name)
    first, second = again.takes()
    assert (first.beat, first.settings, first.how) == (beat, {"tempo": 120, "seed": None}, "vary")
    assert first.notes == ("kick", "rest")
    assert second.beat == HOUSE
    assert [first.number, second.number] == [1, 2]
    assert again.takes(latest=1) == (second,)


def test_what_was_done_by_hand_and_what_lies_side_by_side_come_back(tmp_path):
    past = History(tmp_path, new_session_id())
    add_take(past, ROCK, {})
    add_take(past, HOUSE, {})
    edit = {"tempo_bpm": 120.0, "hits": [0, 1, [-1, 0.5, 90, 4]]}
    past.note_edit(2, edit)
    past.lay_out("Vary", [("2% away", ROCK), ("9% away", HOUSE)])
    again = History(tmp_path, past.folder.name)
    assert [take.edit for take in again.takes()] == [None, edit]
    assert again.laid_out() == ("Vary", (("2% away", ROCK), ("9% away", HOUSE)))
    past.note_edit(2, None)  # undone
    assert again.take(2).edit is None
    with pytest.raises(LibraryError, match="Take 3"):
        past.note_edit(3, edit)


def test_what_a_take_is_heard_with_comes_back_as_it_was_chosen_last(tmp_path):
    past = History(tmp_path, new_session_id())
    add_take(past, ROCK, {}, sound=BeatSound("techno"))
    add_take(past, HOUSE, {})
    again = History(tmp_path, past.folder.name)
    assert [take.sound for take in again.takes()] == [BeatSound("techno"), BeatSound()]
    past.note_edit(1, None, BeatSound("trap"))
    past.note_edit(2, None, BeatSound("a-kit-of-mine"))
    assert [take.sound.kit for take in again.takes()] == ["trap", "a-kit-of-mine"]


def test_the_take_that_a_tab_showed_is_found_by_its_settings(tmp_path):
    past = History(tmp_path, new_session_id())
    for beat in (ROCK, HOUSE):
        add_take(past, beat, {})
    past.note_place("0" * 8, {"genre": "Rock", "seed": 1}, 1)
    past.note_place("1" * 8, {"genre": "House", "seed": 2}, 2)
    past.note_place("0" * 8, {"genre": "Rock", "seed": 3}, 1)
    found = [past.take_shown_beside({"genre": "Rock", "seed": seed}) for seed in (1, 3)]
    assert found == [None, 1]
    assert past.take_shown_beside({"genre": "House", "seed": 2}) == 2


def test_takes_written_at_once_are_all_kept(tmp_path):
    past = History(tmp_path, new_session_id())
    with ThreadPoolExecutor(16) as threads:
        written = list(
            threads.map(lambda number: add_take(past, ROCK, {"seed": number}), range(48))
        )
    assert {take.number for take in written} == set(range(1, 49))
    assert {take.settings["seed"] for take in past.takes()} == set(range(48))


@pytest.mark.parametrize("session", ["", "../../etc", "A" * 32, "0" * 31])
def test_odd_sessions_are_refused(tmp_path, session):
    with pytest.raises(LibraryError, match="no session"):
        History(tmp_path, session)


def test_a_session_of_many_takes_forgets_its_oldest(tmp_path, monkeypatch):
    monkeypatch.setattr(take_history, "MOST_TAKES", 3)
    past = History(tmp_path, new_session_id())
    for number in range(1, 6):
        add_take(past, ROCK, {})
        past.note_edit(number, {"hits": []})
    assert [take.number for take in past.takes()] == [3, 4, 5]
    assert len(list(past.folder.iterdir())) == 6


def test_nobody_who_plays_today_is_forgotten_for_cheap_sessions(tmp_path, monkeypatch):
    monkeypatch.setattr(take_history, "MOST_SESSIONS", 5)

    def session(takes, days):
        past = History(tmp_path, new_session_id())
        for _ in range(takes):
            add_take(past, ROCK, {})
        os.utime(past.folder, (1_700_000_000 if days else None,) * 2 if days else None)
        return past

    today, long_ago, cheap = session(2, 0), session(2, 9), session(1, 9)
    others = [session(2, 0), session(2, 0)]
    others.append(session(1, 0))
    assert not cheap.exists
    others.append(session(1, 0))
    assert not long_ago.exists
    with pytest.raises(LibraryError, match="within a day"):
        session(1, 0)
    assert all(one.exists for one in (today, *others))
    assert len(today.takes()) == 2


def test_what_cannot_be_written_is_said(tmp_path):
    (tmp_path / "sessions").write_bytes(b"")
    past = History(tmp_path, new_session_id())
    with pytest.raises(LibraryError, match="reload"):
        add_take(past, ROCK, {})
    assert past.takes() == ()
    past.used_now()


# -- damaged ---------------------------------------------------------------------------------------

ODD = [
    None, True, -1, 0, 1e308, 10**400, "", "x" * 9_000, "\ud800", "../..", [], {}, [[]] * 9,
    {"a": 1}, [None], ["kick"], {"beat": {}}, 0.5, "4/4", "0/0", 2**63,
]  # fmt: skip


def places(value, path=()):
    """The way to every value inside a JSON value."""
    inside = (
        value.items() if isinstance(value, dict)
        else enumerate(value) if isinstance(value, list) else ()
    )  # fmt: skip
    for key, one in inside:
        yield (*path, key)
        yield from places(one, (*path, key))


def damaged(text, draw):
    """A file as a disk, a hand or somebody hostile leaves it."""
    kind = draw.randrange(5)
    if kind == 0:
        return text[: draw.randrange(len(text))]
    if kind == 1:
        at = draw.randrange(len(text))
        return text[:at] + bytes([draw.randrange(256)]) + text[at + 1 :]
    if kind == 2:
        return draw.choice([b"", b"\xff\xfe", b"[" * 9_000, b"NaN", b'{"beat": NaN}', b"{}", b"[]"])
    content = json.loads(text)
    for _ in range(draw.randrange(1, 4)):
        *way, last = draw.choice(list(places(content)) or [("beat",)])
        inner = content
        try:
            for key in way:
                inner = inner[key]
            inner[last] = copy.deepcopy(draw.choice(ODD))
        except (KeyError, IndexError, TypeError):
            continue  # an earlier damage took its place
    return json.dumps(content).encode()


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(number=st.integers(0, 2**32), name=st.sampled_from(
    ["000001.json", "000001-edit.json", "laid-out.json", "place-00000000.json"]))  # fmt: skip
def test_a_damaged_file_costs_itself_and_raises_nothing(tmp_path, number, name):
    past = History(tmp_path, "0" * 32)
    if not past.exists:
        for beat in (ROCK, HOUSE):
            add_take(past, beat, {"tempo": 120, "kind": "Beat", "seed": 7}, notes=["kick"])
        past.note_edit(1, {"tempo_bpm": 100.0, "hits": [0, [1, 0.5, 90], [-1, 0.5, 90, 4]]})
        past.lay_out("Vary", [("2% away", ROCK)])
        past.note_place("0" * 8, {"seed": 7}, 1)
    path = past.folder / name
    whole = path.read_bytes()
    path.write_bytes(damaged(whole, random.Random(number)))
    try:
        found = past.takes()
        assert found[-1].beat == HOUSE
        assert all(isinstance(take.beat, Beat) for take in found)
        past.laid_out()
        assert past.take_shown_beside({"seed": 7}) in (None, 1, 2)
    finally:
        path.write_bytes(whole)


# -- the cookie ------------------------------------------------------------------------------------


def cookie_of(header="", scheme="http"):
    """What a document's visitor is given, who sent the cookie `header`."""
    headers = [(b"cookie", header.encode())] if header else []
    name, value = sessions.session_cookie({"type": "http", "scheme": scheme, "headers": headers})
    assert name == b"set-cookie"
    return value.decode()


def test_a_browser_keeps_its_session_and_nobody_can_choose_one(home):
    given = cookie_of()
    assert all(part in given for part in ("HttpOnly", "SameSite=Lax", "Path=/"))
    assert "Secure" not in given
    assert "Secure" in cookie_of(scheme="https")
    pair = given.partition(";")[0]
    name, value = pair.split("=")
    session, _, signature = value.partition(".")
    assert cookie_of(pair).partition(";")[0] == pair
    for forged in (
        session, f"{session}.", f"{new_session_id()}.{signature}", f"{session}.{'0' * 64}",
        f"{session}.{signature[:-1]}", "a" * 16, "", "é", value.upper(),
    ):  # fmt: skip
        assert cookie_of(f"{name}={forged}").partition(";")[0] != f"{name}={forged}"
        assert sessions._session_of(forged) is None
    key = home / "sessions" / "key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_servers_that_start_together_sign_with_one_key(home):
    path = home / "sessions" / "key"
    with ThreadPoolExecutor(8) as threads:
        keys = set(threads.map(sessions._key.__wrapped__, [path] * 32))
    assert keys == {bytes.fromhex(path.read_text())}
    path.write_text("half of o")
    assert sessions._key.__wrapped__(path) == bytes.fromhex(path.read_text())


def test_read_only_nothing_of_a_session_is_written_into_the_djs_folder(home, monkeypatch):
    monkeypatch.setenv("DIGITAL_DJ_READ_ONLY", "1")
    scope = {"type": "http", "headers": [], "scheme": "http"}
    assert sessions.session_cookie(scope) != sessions.session_cookie(scope)
    assert sessions.sessions_home().is_dir()
    assert not home.exists()


def test_where_nothing_can_be_written_a_key_lasts_as_long_as_the_server(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    path = tmp_path / "file" / "sessions" / "key"
    assert sessions._key(path) == sessions._key(path)


# -- visitors --------------------------------------------------------------------------------------


class Player:
    """Somebody at a browser of their own, with its cookie, who opens tabs and clicks in them."""

    def __init__(self, monkeypatch, home):
        self.session, self.monkeypatch = new_session_id(), monkeypatch
        self.history = History(home, self.session)

    def do(self, tab, act):
        """Act in a tab, as the server sees it."""
        self.monkeypatch.setattr("dj_ui.takes.visitors_session", lambda: self.session)
        act(tab).run()
        assert not tab.exception
        return tab

    def open(self, **link):
        tab = AppTest.from_file(str(ROOT / "home.py"), default_timeout=WAIT_SECONDS)
        for key, value in link.items():
            tab.query_params[key] = value
        return self.do(tab, lambda tab: tab.switch_page("pages/generate.py"))

    def click(self, tab, key):
        return self.do(tab, lambda tab: tab.button(key=key).click())

    def set(self, tab, key, value):
        return self.do(tab, lambda tab: tab.number_input(key=key).set_value(value))


@pytest.fixture
def players(home, monkeypatch):
    return [Player(monkeypatch, home) for _ in range(2)]


def takes(tab):
    return tab.session_state["dj_takes"]


def deck(tab):
    """(beat's id, what was done to it by hand) of what is on the deck."""
    (shown,) = [
        one.proto for one in tab.get("bidi_component") if one.proto.component_name == "dj_deck"
    ]
    data = json.loads(shown.json)
    return data["beat"]["id"], data["edit"]


LINK = {"genre": "Jazz", "bars": "1", "seed": "7", "session": "0123456789abcdef"}


def test_a_link_gives_its_beat_and_nothing_of_anybodys(players):
    """Somebody plays, goes on, and sends the address; the other hears it and plays; both reload."""
    one, other = players
    tab = one.open(**LINK)
    beat = deck(tab)
    one.click(tab, "dj_go")
    later = deck(tab)
    assert later != beat
    assert [take.number for take in one.history.takes()] == [1, 2]

    visit = other.open(**LINK)
    assert deck(visit) == beat
    assert len(takes(visit)) == 1
    other.click(visit, "dj_go")
    assert len(one.history.takes()) == 2
    assert len(other.history.takes()) == 2

    seed = str(takes(tab)[-1].settings["seed"])
    back = one.open(**{**LINK, "seed": seed})
    assert deck(back) == later
    assert len(takes(back)) == 2  # nothing was made anew
    assert deck(one.open()) == later  # a tab opened without a link


def test_a_reload_finds_the_take_and_the_knob_that_was_turned_since(players):
    one, _ = players
    tab = one.open(**LINK)
    one.click(tab, "dj_go")
    shown = deck(tab)
    one.set(tab, "bars", 2)
    seed = str(takes(tab)[-1].settings["seed"])
    back = one.open(**{**LINK, "seed": seed, "bars": "2"})
    assert deck(back) == shown
    assert back.number_input(key="bars").value == 2
    assert takes(one.open(**{**LINK, "seed": seed, "bars": "3"}))[-1].take.beat.bars == 3


def test_two_tabs_of_a_browser_lose_nothing(players):
    one, _ = players
    tabs = [one.open(**LINK), one.open(genre="Rock", bars="1", seed="5")]
    for turn in range(4):
        one.click(tabs[turn % 2], "dj_go")
    numbers = [take.number for take in one.history.takes()]
    assert numbers == [1, 2, 3, 4, 5, 6]
    ids = [deck(tab) for tab in tabs]
    assert ids[0] != ids[1]
    seed = str(takes(tabs[0])[-1].settings["seed"])
    assert deck(one.open(**{**LINK, "seed": seed})) == ids[0]


def test_two_who_share_a_link_keep_all_of_theirs_and_none_of_the_others(players):
    """Random actions in turn: the link's beat again, new beats, the same seed, in several tabs."""
    draw = random.Random(15)
    tabs = {player: [player.open(**LINK)] for player in players}
    made = {player: [] for player in players}
    for number, player in enumerate(players):  # each has seeds of their own
        player.seeds = iter(range(1_000 * (number + 1), 1_000 * (number + 2)))
    for _ in range(36):
        player = draw.choice(players)
        tab = draw.choice(tabs[player])
        action = draw.choice(["generate"] * 3 + ["open", "same"])
        if action == "open":
            tabs[player].append(player.open(**LINK))
            tabs[player] = tabs[player][-3:]
        elif action == "same":
            player.click(tab, "dj_same")
            made[player].append(takes(tab)[-1].settings["seed"])
        else:
            seed = next(player.seeds)
            player.set(tab, "seed", seed)
            player.click(tab, "dj_go")
            made[player].append(seed)
    for player in players:
        kept = player.history.takes()
        seeds = [take.settings["seed"] for take in kept]
        assert 7 in seeds  # the link's own
        assert sorted(seed for seed in seeds if seed != 7) == sorted(
            seed for seed in made[player] if seed != 7
        )
        assert [take.number for take in kept] == list(range(1, len(kept) + 1))


def test_a_hostile_session_is_shown_without_a_word(players):
    """Files that are JSON but no settings, edits or notes of ours."""
    one, _ = players
    one.open(**LINK)
    path = one.history.folder / "000001.json"
    content = json.loads(path.read_bytes())
    draw = random.Random(3)
    for key in list(content["settings"]):
        content["settings"][key] = draw.choice([odd for odd in ODD if odd != 10**400])
    path.write_text(json.dumps(content))
    tab = one.open()
    assert len(takes(tab)) <= 1
    assert not tab.exception
