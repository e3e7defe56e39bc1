"""The crate: what is kept stays kept, to the bit, whatever happens to the process or the disk."""

import contextlib
import functools
import itertools
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest
from hostile_json import Form, hostile_forms, only_our_errors
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dj_core.errors import BeatError, LibraryError
from dj_core.files.beat_json import (
    beat_from_json,
    beat_key,
    beat_to_json,
    canonical_json,
    parse_json,
)
from dj_core.host.limits import LIMITS
from dj_core.library.crate_store import APPLICATION_ID, MIGRATIONS, SCHEMA_VERSION
from dj_core.library.kept_beats import (
    FILE_FORMAT,
    MAX_TAGS,
    Crate,
    CrateOverview,
    CrateSearch,
    Sort,
)
from dj_core.music.beat import Beat, Hit, Meter, Provenance
from dj_core.music.drums import DRUM, DRUMS
from dj_core.music.patterns import load_patterns
from dj_core.sound.beat_sound import BeatSound

ROOT = Path(__file__).resolve().parent.parent

onsets = st.floats(0, 7.999, allow_nan=False)
hits = st.builds(
    Hit,
    onsets,
    st.integers(0, len(DRUMS) - 1),
    st.integers(1, 127),
    st.none() | st.floats(0, 100),
    st.none() | st.integers(0, 127),
)
beats = st.builds(
    Beat,
    st.lists(hits, max_size=12).map(tuple),
    st.just(2),
    st.none() | st.floats(10, 600),
    st.just(Meter()),
    st.text(max_size=20),
    st.text(st.characters(), max_size=20),
    st.builds(
        Provenance,
        st.text(max_size=9),
        st.none() | st.text(min_size=1, max_size=9),
        seed=st.none() | st.integers(0, 2**63 - 1),
        settings=st.dictionaries(st.text(max_size=5), st.floats(-9, 9) | st.booleans(), max_size=3),
        edited=st.booleans(),
    ),
)


@pytest.fixture
def crate(tmp_path):
    return Crate(tmp_path / "home" / "crate.db")


def beat(seed=1, **changes):
    made = Beat(
        hits=(Hit(0.0, 0, 100, 0.1, 35), Hit(1 / 3, 4, 33), Hit(2.0001, 1, 127, None, 40)),
        bars=1,
        tempo_bpm=124.0,
        genre="house",
        provenance=Provenance("groove", "groove", "ab" * 32, "starter", seed, {"top_p": 0.9}),
    )
    return replace(made, **changes)


# -- beats as JSON ---------------------------------------------------------------------------------


@given(beats)
def test_a_beat_comes_back_from_json_to_the_bit(made):
    text = canonical_json(beat_to_json(made))
    assert beat_from_json(parse_json(text)) == made
    assert beat_from_json(json.loads(text)) == made  # it is JSON to others too


def test_every_starter_pattern_has_a_key_of_its_own():
    patterns = load_patterns()
    assert len({beat_key(pattern) for pattern in patterns}) == len(patterns)


def test_equal_beats_have_one_key_however_their_numbers_are_written():
    assert beat_key(Beat((Hit(0, 0, 1),), 1, 120)) == beat_key(Beat((Hit(0.0, 0, 1),), 1, 120.0))


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(st.data())
@settings(max_examples=200)
def test_json_of_a_stranger_is_a_beat_or_refused_in_words(data):
    fields = beat_to_json(beat())
    for name in data.draw(st.sets(st.sampled_from(sorted(fields)), min_size=1)):
        fields[name] = data.draw(anything)
    if data.draw(st.booleans()):
        fields["hits"] = [data.draw(st.lists(anything, min_size=5, max_size=5))]
    try:
        made = beat_from_json(fields)
    except BeatError:
        return
    assert beat_from_json(beat_to_json(made)) == made


@pytest.mark.parametrize(
    "text",
    ["", "[" * 100_000, '{"a": NaN}', '{"a": Infinity}', "1" * 5_000, b"\xff\xfe{}", "{'a': 1}"],
)
def test_text_that_is_no_json_of_ours_is_refused(text):
    with pytest.raises(BeatError):
        parse_json(text)


# -- keeping and finding ---------------------------------------------------------------------------


@given(st.lists(beats, max_size=4))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=12)
def test_what_is_kept_comes_back_to_the_bit(tmp_path_factory, some):
    crate = Crate(tmp_path_factory.mktemp("crate") / "crate.db")
    items = [crate.keep(made) for made in some]
    assert [crate.get(item.id).beat for item in items] == some
    assert problems_of(crate) == ()


def test_a_kept_beat_has_its_facts_beside_it(crate):
    item = crate.keep(beat(), name=" Röller ", tags=["Late", "late ", "b"], rating=4, notes="x\ny")
    assert (item.name, item.tags, item.rating, item.notes) == ("Röller", ("b", "late"), 4, "x\ny")
    assert (item.genre, item.tempo_bpm, item.bars, item.hits) == ("house", 124.0, 1, 3)
    assert (item.model, item.seed) == ("groove", 1)
    assert crate.find() == (item,)
    assert crate.get(item.id).item == item
    assert crate.get(item.id).titled.title == "Röller"
    assert crate.id_of(beat()) == item.id
    assert crate.id_of(beat(seed=2)) is None


def test_a_beat_nobody_named_is_called_by_what_it_is(crate):
    assert crate.keep(beat(seed=7)).name.startswith("House 124 · ")
    assert crate.keep(beat(title="Mine")).name == "Mine"
    assert crate.keep(beat(title="x" * 130)).name == "x" * 119 + "…"


@pytest.fixture
def full(crate):
    for number, (name, genre, tempo, tags, rating) in enumerate(
        [
            ("Rolling Thunder", "house", 124.0, ["warm"], 3),
            ("rolling stone", "rock", None, ["warm", "late"], 5),
            ("Čas", "drum-and-bass", 174.0, [], 0),
            ("Amen", "drum-and-bass", 170.0, ["late"], 4),
        ]
    ):
        crate.keep(
            beat(seed=number, genre=genre, tempo_bpm=tempo), name=name, tags=tags, rating=rating
        )
    return crate


@pytest.mark.parametrize(
    ("search", "names"),
    [
        (CrateSearch(), ["Amen", "Čas", "rolling stone", "Rolling Thunder"]),
        (CrateSearch(sort="oldest"), ["Rolling Thunder", "rolling stone", "Čas", "Amen"]),
        (CrateSearch(sort="name"), ["Amen", "rolling stone", "Rolling Thunder", "Čas"]),
        (CrateSearch(sort="tempo"), ["rolling stone", "Rolling Thunder", "Amen", "Čas"]),
        (CrateSearch(sort="rating"), ["rolling stone", "Amen", "Rolling Thunder", "Čas"]),
        (CrateSearch(sort="genre"), ["Amen", "Čas", "Rolling Thunder", "rolling stone"]),
        (CrateSearch("ROLLING"), ["rolling stone", "Rolling Thunder"]),
        (CrateSearch("cas"), ["Čas"]),
        (CrateSearch("drum bass late"), ["Amen"]),
        (CrateSearch("rolling nothing"), []),
        (CrateSearch(genres=frozenset({"house", "rock"})), ["rolling stone", "Rolling Thunder"]),
        (CrateSearch(tempo_bpm=(120.0, 124.0)), ["rolling stone", "Rolling Thunder"]),
        (CrateSearch(tempo_bpm=(170.0, 170.0)), ["Amen"]),
        (CrateSearch(tags=frozenset({"warm", "late"})), ["rolling stone"]),
        (CrateSearch(min_rating=4), ["Amen", "rolling stone"]),
        (CrateSearch(ids=()), []),
    ],
)
def test_a_search_finds_what_it_says_whole_and_in_parts(full, search, names):
    found = full.find(search)
    assert [item.name for item in found] == names
    assert full.count(search) == len(found)
    parts = [full.find(search, first=first, most=2) for first in range(0, 6, 2)]
    assert tuple(itertools.chain(*parts)) == found


def test_an_unknown_order_is_refused():
    with pytest.raises(LibraryError, match="sorted by newest"):
        CrateSearch(sort="colour")


def test_the_crate_as_a_whole_is_counted(full, crate):
    overview = full.overview()
    assert overview.genres == {"drum-and-bass": 2, "house": 1, "rock": 1}
    assert overview.tags == {"late": 2, "warm": 2}
    assert (overview.beats, overview.tempo_bpm) == (4, (120.0, 174.0))
    full.delete([item.id for item in full.find()])
    assert full.overview() == CrateOverview(0, {}, {}, None)


def test_words_that_look_like_sql_are_words(crate):
    name = "'); DROP TABLE beats; --"
    item = crate.keep(beat(), name=name, tags=["%", "_"])
    assert crate.find(CrateSearch(name))[0] == item
    assert crate.find(CrateSearch("%")) == (item,)
    assert crate.find(CrateSearch("x%")) == ()


# -- changing --------------------------------------------------------------------------------------


def test_a_change_touches_only_what_it_names(crate):
    item = crate.keep(beat(), name="A", tags=["x"], rating=2, notes="n")
    assert crate.change(item.id, name="B") == replace(item, name="B")
    assert crate.change(item.id, tags=[], rating=0).tags == ()
    assert crate.change(item.id, notes="") == replace(item, name="B", tags=(), rating=0, notes="")
    assert crate.get(item.id).beat == beat()


def test_what_was_changed_elsewhere_meanwhile_is_not_written_over(crate):
    item = crate.keep(beat(), name="A", tags=["x"], notes="n")
    crate.change(item.id, name="B", rating=3)
    with pytest.raises(LibraryError, match=r"name .* to “B”. Yours, “C”, is not written"):
        crate.change(item.id, name="C", notes="mine", seen={"name": "A", "notes": "n"})
    assert crate.get(item.id).item == replace(item, name="B", rating=3)
    crate.change(item.id, name="B", seen={"name": "A"})  # the same wish twice
    crate.change(item.id, tags=["y"], notes="mine", seen={"tags": ("x",), "notes": "n"})
    assert crate.get(item.id).item == replace(item, name="B", rating=3, tags=("y",), notes="mine")


def test_tags_are_added_to_several_beats_or_to_none(full):
    ids = [item.id for item in full.find()]
    before = {item.id: item.tags for item in full.find()}
    assert full.add_tags(ids, ["Late", "x"]) == 4
    assert {item.id: set(item.tags) for item in full.find()} == {
        id: {*tags, "late", "x"} for id, tags in before.items()
    }
    assert full.add_tags(ids, ["x"]) == 0
    full.change(ids[-1], tags=[f"{n}" for n in range(MAX_TAGS)])
    with pytest.raises(LibraryError, match="32 tags"):
        full.add_tags(ids, ["y"])
    assert "y" not in full.overview().tags


def test_a_duplicate_is_a_beat_of_its_own(crate):
    item = crate.keep(beat(), name="A", tags=["x"], rating=2)
    copies = [crate.duplicate(item.id) for _ in range(2)]
    assert [copy.name for copy in copies] == ["A copy", "A copy 2"]
    crate.change(copies[0].id, rating=5)
    assert crate.get(item.id).item == item
    assert crate.get(copies[1].id).beat == beat()


def test_what_is_deleted_is_gone_and_comes_back_as_it_was(full):
    before = full.find()
    ids = [item.id for item in before[:2]]
    assert full.delete([*ids, "nobody"]) == 2
    assert full.find() == before[2:]
    assert full.overview().genres == {"house": 1, "rock": 1}
    with pytest.raises(LibraryError, match="not in the crate"):
        full.get(ids[0])
    assert full.delete(ids) == 0
    assert full.restore(ids) == 2
    assert full.find() == before


def test_after_a_month_the_deleted_are_forgotten(full, monkeypatch):
    first, second = full.find()[:2]
    full.delete([first.id])
    monkeypatch.setattr("dj_core.library.kept_beats.UNDO_SECONDS", -1)
    full.delete([second.id])
    assert full.restore([first.id]) == 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": ""}, "A name"),
        ({"name": "x" * 121}, "1 to 120"),
        ({"name": "\x00\x07"}, "A name"),
        ({"rating": 6}, "0 .none. to 5"),
        ({"rating": True}, "0 .none. to 5"),
        ({"notes": "x" * 4001}, "Notes"),
        ({"tags": ["x" * 41]}, "A tag"),
        ({"tags": [str(n) for n in range(MAX_TAGS + 1)]}, "32 tags"),
        ({"tags": "late"}, "one by one"),
    ],
)
def test_what_cannot_be_written_is_refused_and_nothing_changes(crate, change, words):
    item = crate.keep(beat(), name="A")
    with pytest.raises(LibraryError, match=words):
        crate.change(item.id, **change)
    assert crate.find() == (item,)


# -- the crate as a file ---------------------------------------------------------------------------


def test_the_sound_of_a_beat_is_kept_copied_changed_and_goes_along(crate, tmp_path):
    item = crate.keep(beat(), sound=BeatSound(kit="techno"))
    assert crate.get(item.id).sound == crate.sound_of(item.id) == BeatSound("techno")
    assert crate.get(crate.duplicate(item.id).id).sound == BeatSound("techno")
    crate.set_sound(item.id, BeatSound("a-kit-of-mine"))
    other = Crate(tmp_path / "other.db")
    other.import_file(crate.export([item.id]).content)
    assert other.get(item.id).sound == BeatSound("a-kit-of-mine")


@pytest.mark.parametrize("damage", ["", "no JSON", "[1]", '{"kit": 7}', f'{{"kit": "{"x" * 99}"}}'])
def test_a_damaged_sound_is_the_usual_one(crate, damage):
    item = crate.keep(beat(), sound=BeatSound("techno"))
    asked(crate.path, f"UPDATE beats SET sound = '{damage}'")
    assert crate.get(item.id).sound == BeatSound()
    assert crate.export().damaged == ()


def test_a_crate_file_fills_another_crate_with_the_same(full, tmp_path):
    full.delete([full.find()[0].id])
    other = Crate(tmp_path / "other.db")
    brought = other.import_file(full.export().content)
    assert (len(brought.added), brought.known) == (3, 0)
    assert other.find() == full.find()
    assert [other.get(item.id).beat for item in other.find()] == [
        full.get(item.id).beat for item in full.find()
    ]
    again = other.import_file(full.export().content)
    assert (again.added, again.known) == ((), 3)
    assert other.export().content == full.export().content


def test_some_beats_can_be_exported_alone(full):
    one = full.find()[1]
    assert [entry["name"] for entry in json.loads(full.export([one.id]).content)["beats"]] == [
        one.name
    ]


def test_a_file_brings_back_what_was_deleted(full):
    content = full.export().content
    ids = [item.id for item in full.find()]
    full.delete(ids)
    assert len(full.import_file(content).added) == 4
    assert full.restore(ids) == 0


def test_a_damaged_beat_of_a_crate_file_costs_only_itself(full, tmp_path):
    content = json.loads(full.export().content)
    content["beats"][-1]["beat"]["hits"][0][2] = 200
    other = Crate(tmp_path / "other.db")
    brought = other.import_file(json.dumps(content).encode())
    assert len(brought.added) == 3
    (words,) = brought.damaged
    assert words.startswith("Beat 4 of the crate file is damaged: ")
    assert "velocity" in words
    content["beats"] = content["beats"][-1:]
    with pytest.raises(LibraryError, match="Beat 1 of the crate file is damaged"):
        other.import_file(json.dumps(content).encode())
    assert len(other.find()) == 3


def test_three_hundred_hostile_crate_files_are_read_or_refused(full, tmp_path):
    other = Crate(tmp_path / "other.db")
    for form in hostile_forms(full.export().content):
        with only_our_errors(form):
            other.import_file(form.content)
    assert problems_of(other) == ()
    with only_our_errors(form):
        other.export()


def test_a_crate_takes_only_so_much_and_what_was_deleted_makes_room(crate, monkeypatch):
    monkeypatch.setattr("dj_core.library.kept_beats.LIMITS", replace(LIMITS, crate_beats=3))
    items = [crate.keep(beat(seed=number)) for number in range(3)]
    for more in (
        lambda: crate.keep(beat(seed=3)),
        lambda: crate.duplicate(items[0].id),
    ):
        with pytest.raises(LibraryError, match="full: it holds up to 3 beats"):
            more()
    content = crate.export().content
    crate.delete([items[0].id, items[1].id])
    crate.keep(beat(seed=4))
    assert crate.restore([items[1].id, items[0].id]) == 1
    with pytest.raises(LibraryError, match="full"):
        crate.import_file(content)
    assert crate.count() == 3
    monkeypatch.setattr("dj_core.library.kept_beats.LIMITS", replace(LIMITS, crate_bytes=100_000))
    with pytest.raises(LibraryError, match="full"):
        crate.keep(beat(hits=tuple(Hit(n / 999, 0, 1) for n in range(3_000))))
    assert crate.count() == 3


def test_a_crate_file_that_takes_too_long_ends_with_the_reason(full, tmp_path):
    other = Crate(tmp_path / "other.db")
    with pytest.raises(LibraryError, match="took over 0 seconds"):
        other.import_file(full.export().content, most_seconds=0)
    assert other.count() == 0


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK\x03\x04",
        b"[]",
        b'{"format": "other"}',
        json.dumps({"format": FILE_FORMAT, "version": 99, "beats": []}).encode(),
        json.dumps({"format": FILE_FORMAT, "version": 1}).encode(),
        json.dumps({"format": FILE_FORMAT, "version": 1, "beats": [7]}).encode(),
        b"[" * 1_000_000,
        b" " * 50_000_001,
    ],
)
def test_what_is_no_crate_file_is_refused(crate, content):
    with pytest.raises(LibraryError):
        crate.import_file(content)
    assert crate.find() == ()


# -- trouble ---------------------------------------------------------------------------------------

SAVE_A_THOUSAND = textwrap.dedent("""
    import sys
    from pathlib import Path
    from dj_core.library.kept_beats import Crate
    from dj_core.music.patterns import load_patterns
    crate = Crate(Path(sys.argv[1]))
    patterns = load_patterns()
    for number in range(1000):
        item = crate.keep(patterns[number % len(patterns)], name=f"Beat {number}", tags=["a", "b"])
        print(item.id, flush=True)
""")


@pytest.mark.parametrize("acknowledged", [1, 30, 210])
def test_kill_9_in_the_middle_of_saving_a_thousand_beats_loses_none(tmp_path, acknowledged):
    path = tmp_path / "crate.db"
    process = subprocess.Popen(
        [sys.executable, "-c", SAVE_A_THOUSAND, str(path)],
        cwd=ROOT, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    told = [process.stdout.readline().strip() for _ in range(acknowledged)]
    process.send_signal(signal.SIGKILL)
    told += [line.strip() for line in process.stdout if len(line) == 33]
    process.stdout.close()
    assert process.wait() == -signal.SIGKILL
    crate = Crate(path)
    assert problems_of(crate) == ()
    kept = {item.id: item for item in crate.find()}
    assert set(told) <= set(kept)
    assert len(kept) <= len(told) + 1  # one may be on disk that nobody was told of
    assert all(item.tags == ("a", "b") for item in kept.values())
    assert crate.keep(beat()).id in {item.id for item in crate.find()}


def test_many_processes_keep_beats_at_once(tmp_path):
    path = tmp_path / "crate.db"
    script = SAVE_A_THOUSAND.replace("1000", "25")
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(path)], cwd=ROOT, stdout=subprocess.PIPE
        )
        for _ in range(4)
    ]
    told = list(itertools.chain(*(process.communicate()[0].split() for process in processes)))
    assert [process.returncode for process in processes] == [0] * 4
    assert len(set(told)) == 100
    assert {item.id for item in Crate(path).find()} == {id.decode() for id in told}


def test_many_threads_use_one_crate(crate):
    with ThreadPoolExecutor(8) as pool:
        items = list(pool.map(lambda n: crate.keep(beat(seed=n)), range(40)))
        found = list(pool.map(lambda item: crate.get(item.id).beat.provenance.seed, items))
    assert found == list(range(40))


def asked(path, statement):
    """What SQLite itself answers, past our own code."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        return connection.execute(statement).fetchall()


def problems_of(crate):
    """What is wrong: every page is read by SQLite, every beat by the crate."""
    pages = [answer for (answer,) in asked(crate.path, "PRAGMA integrity_check")]
    lost = asked(crate.path, "PRAGMA foreign_key_check")
    return (*(answer for answer in pages if answer != "ok"), *lost, *crate.export().damaged)


@pytest.mark.parametrize("version", range(1, SCHEMA_VERSION))
def test_a_crate_of_every_older_version_opens(tmp_path, version):
    path = tmp_path / "crate.db"
    old = sqlite3.connect(path)
    for statement in itertools.chain(*MIGRATIONS[:version]):
        old.execute(statement)
    text = canonical_json(beat_to_json(beat()))
    old.execute(
        "INSERT INTO beats (id, key, name, genre, tempo_bpm, bars, meter, hits, model, seed, "
        "rating, notes, created, beat) VALUES (?, ?, 'Old', 'house', 124, 1, '4/4', 3, 'groove', "
        "1, 4, 'n', 1.0, ?)",
        ("0f" * 16, beat_key(beat()), text),
    )
    old.execute("INSERT INTO tags VALUES (1, 'warm')")
    old.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    old.execute(f"PRAGMA user_version = {version}")
    old.commit()
    old.close()
    crate = Crate(path)
    (item,) = crate.find()
    assert (item.name, item.tags, item.rating) == ("Old", ("warm",), 4)
    assert crate.get(item.id).beat == beat()
    crate.delete([item.id])
    assert crate.restore([item.id]) == 1
    assert problems_of(crate) == ()


def test_an_upgrade_that_fails_leaves_the_old_crate_whole(crate, monkeypatch):
    crate.keep(beat())
    stumble = ("ALTER TABLE beats ADD COLUMN later TEXT", "SELECT luck()")
    with monkeypatch.context() as newer:
        newer.setattr("dj_core.library.crate_store.MIGRATIONS", (*MIGRATIONS, stumble))
        newer.setattr("dj_core.library.crate_store.SCHEMA_VERSION", SCHEMA_VERSION + 1)
        with pytest.raises(LibraryError, match="luck"):
            crate.find()
    assert len(crate.find()) == 1
    columns = asked(crate.path, "PRAGMA table_info(beats)")
    assert "later" not in [column[1] for column in columns]


def test_a_newer_crate_and_a_stranger_are_left_alone(crate, tmp_path):
    crate.keep(beat())
    asked(crate.path, "PRAGMA user_version = 99")
    with pytest.raises(LibraryError, match="newer Digital DJ"):
        crate.find()
    stranger = tmp_path / "stranger.db"
    asked(stranger, "CREATE TABLE recipes (name)")
    content = stranger.read_bytes()
    with pytest.raises(LibraryError, match="another program"):
        Crate(stranger).keep(beat())
    assert stranger.read_bytes() == content


def settle(crate):
    """Bring everything into the one file, as closing the last connection does."""
    asked(crate.path, "PRAGMA wal_checkpoint(TRUNCATE)")


def test_a_file_that_is_no_database_is_put_aside_and_kept(crate):
    crate.keep(beat())
    settle(crate)
    crate.path.write_bytes(b"no database at all " * 100)
    content = crate.path.read_bytes()
    with pytest.raises(LibraryError, match="damaged") as refused:
        crate.find()
    (aside,) = crate.path.parent.glob("crate-damaged-*.db")
    assert aside.name in str(refused.value)
    assert aside.read_bytes() == content
    assert crate.find() == ()
    assert crate.keep(beat()).name


def test_of_a_damaged_crate_every_readable_beat_is_brought_over(crate):
    items = {item.id: item for item in map(crate.keep, load_patterns())}
    crate.change(next(iter(items)), tags=["kept"])
    settle(crate)
    content = bytearray(crate.path.read_bytes())
    page = 4096
    torn = len(content) // page // 2  # one page in the middle of the table of beats
    content[torn * page : (torn + 1) * page] = random.Random(1).randbytes(page)
    crate.path.write_bytes(content)
    with pytest.raises(LibraryError, match="brought over"):
        [crate.get(id) for id in items]
    (aside,) = crate.path.parent.glob("crate-damaged-*.db")
    assert aside.read_bytes()[: len(content)] == bytes(content)
    rescued = {item.id for item in crate.find()}
    assert len(items) * 0.8 < len(rescued) < len(items)
    assert rescued <= set(items)
    assert problems_of(crate) == ()


def test_a_beat_altered_from_outside_is_told(crate):
    item = crate.keep(beat(), name="Mine")
    asked(crate.path, "UPDATE beats SET beat = replace(beat, '100', '101')")
    assert problems_of(crate) == ("The beat 'Mine' in the crate was altered from outside.",)
    with pytest.raises(LibraryError, match="altered"):
        crate.get(item.id)


@pytest.mark.parametrize(
    "damage",
    [
        "meter = 4", "meter = ''", "meter = '1/0'", "tempo_bpm = 9e999", "tempo_bpm = -1",
        "created = 9e999", "created = -9e15", "tempo_bpm = 0", "bars = -9223372036854775808",
        "name = CAST(x'ff00fe' AS TEXT)", "notes = CAST(x'80' AS TEXT)", "genre = '</script>'",
        "model = CAST(x'c3' AS TEXT)", "beat = 'no beat'", "beat = ''", "key = 'none'",
        "beat = CAST(x'ff' AS TEXT)", "id = ''", "deleted = 'x'",
    ],
)  # fmt: skip
def test_a_damaged_row_costs_at_most_its_own_beat(crate, damage):
    sound = [crate.keep(beat(seed=1), name="A"), crate.keep(beat(seed=2), name="B", tags=["t"])]
    hurt = crate.keep(beat(seed=3), name="C", tags=["t"])
    with contextlib.suppress(sqlite3.Error):  # SQLite itself refuses some
        asked(crate.path, f"UPDATE beats SET {damage} WHERE id = '{hurt.id}'")
    for search in (CrateSearch(), *(CrateSearch("c", sort=sort) for sort in get_args(Sort))):
        with only_our_errors(Form(damage, b"")):
            crate.find(search)
    assert {*sound} <= {*crate.find()}
    exported = json.loads(crate.export().content)["beats"]
    assert {item.id for item in sound} <= {entry["id"] for entry in exported}
    for item in crate.find():
        with only_our_errors(Form(damage, b"")):
            assert crate.get(item.id).beat
    with only_our_errors(Form(damage, b"")):
        crate.overview()
        crate.delete([hurt.id])


def test_eighty_damaged_crates_are_read_told_or_put_aside(tmp_path):
    """Any bytes of the database exchanged: our error or an answer, and never a write to lose by."""
    model = Crate(tmp_path / "model" / "crate.db")
    for pattern in load_patterns()[:12]:
        model.keep(pattern)
    settle(model)
    genuine = model.path.read_bytes()
    draw = random.Random(5)
    for number in range(80):
        content = bytearray(genuine)
        for _ in range(draw.choice((1, 1, 4, 400))):
            content[draw.randrange(len(content))] = draw.randrange(256)
        if number % 7 == 0:
            del content[draw.randrange(len(content)) :]
        crate = Crate(tmp_path / str(number) / "crate.db")
        crate.path.parent.mkdir()
        crate.path.write_bytes(content)
        for attempt in (
            crate.find,
            crate.overview,
            crate.export,
            functools.partial(crate.keep, beat()),
            functools.partial(crate.find, CrateSearch("slow", sort="name")),
        ):
            with only_our_errors(Form(f"crate {number}", b"")):
                attempt()
        kept = [path.read_bytes() for path in crate.path.parent.glob("crate*.db")]
        assert any(crate.path.parent.glob("crate-damaged*")) is (len(kept) > 1)


def test_read_only_a_crate_is_read_without_a_trace(tmp_path, monkeypatch):
    """Whole, damaged, of an older version, missing, and with its last beat still in the log."""
    whole = Crate(tmp_path / "whole" / "crate.db")
    whole.keep(beat())
    older = Crate(tmp_path / "older" / "crate.db")
    older.keep(beat())
    asked(older.path, "ALTER TABLE beats DROP COLUMN sound")
    asked(older.path, f"PRAGMA user_version = {SCHEMA_VERSION - 1}")
    damaged = Crate(tmp_path / "damaged" / "crate.db")
    damaged.path.parent.mkdir()
    damaged.path.write_bytes(b"no database at all " * 400)
    logged = Crate(tmp_path / "logged" / "crate.db")
    logged.keep(beat())
    writer = sqlite3.connect(logged.path, isolation_level=None)
    writer.execute("UPDATE beats SET name = 'in the log'")
    missing = Crate(tmp_path / "missing" / "crate.db")
    before = {path: path.is_file() and path.read_bytes() for path in tmp_path.rglob("*")}
    monkeypatch.setenv("DIGITAL_DJ_READ_ONLY", "1")
    for crate in (whole, older):
        (item,) = crate.find()
        assert crate.get(item.id).beat == beat()
        assert crate.export().content
    assert [item.name for item in logged.find()] == ["in the log"]
    assert missing.find() == ()
    for attempt in (damaged.find, damaged.export):
        with pytest.raises(LibraryError, match="read only, so it is left as it is"):
            attempt()
    for crate in (whole, older, damaged, missing, logged):
        with pytest.raises(LibraryError, match="read only"):
            crate.keep(beat())
    after = {path: path.is_file() and path.read_bytes() for path in tmp_path.rglob("*")}
    locks = logged.path.with_name("crate.db-shm")  # SQLite's own, of the process that writes
    assert {**after, locks: b""} == {**before, locks: b""}
    writer.close()


FILL_THE_DISK = textwrap.dedent("""
    import resource, sys
    from pathlib import Path
    from dj_core.library.kept_beats import Crate
    from dj_core.errors import LibraryError
    from dj_core.music.patterns import load_patterns
    crate, patterns = Crate(Path(sys.argv[1])), load_patterns()
    crate.keep(patterns[0])
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))  # no file grows past this
    kept = 1
    try:
        for pattern in patterns[1:]:
            crate.keep(pattern)
            kept += 1
    except LibraryError as error:
        print(kept, error)
""")


def test_a_disk_that_takes_no_more_is_told_and_what_was_kept_stays(tmp_path):
    path = tmp_path / "crate.db"
    told = subprocess.run(
        [sys.executable, "-c", FILL_THE_DISK, str(path)],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    kept, words = told.split(" ", 1)
    assert "cannot be used" in words
    assert "What was kept before is untouched" in words
    crate = Crate(path)
    assert len(crate.find()) == int(kept) > 1
    assert problems_of(crate) == ()


READ_ONLY = textwrap.dedent("""
    import os, sys
    from pathlib import Path
    from dj_core.library.kept_beats import Crate
    from dj_core.errors import LibraryError
    from dj_core.music.patterns import load_patterns
    beat = load_patterns()[0]
    if os.getuid() == 0:
        os.setuid(65534)  # root may write everywhere
    try:
        Crate(Path(sys.argv[1])).keep(beat)
    except LibraryError as error:
        print(error)
""")


@pytest.mark.parametrize("existing", [True, False])
def test_a_folder_that_may_not_be_written_is_told(tmp_path, existing):
    path = tmp_path / "crate.db"
    if existing:
        Crate(path).keep(beat())
        path.chmod(0o444)
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(folder.stat().st_mode | 0o055)
    tmp_path.chmod(0o555)
    try:
        told = subprocess.run(
            [sys.executable, "-c", READ_ONLY, str(path)],
            cwd=ROOT, capture_output=True, text=True, check=True,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        ).stdout  # fmt: skip
    finally:
        tmp_path.chmod(0o755)
    assert "cannot be used" in told
    assert "DIGITAL_DJ_HOME" in told
    if existing:
        path.chmod(0o644)
        assert len(Crate(path).find()) == 1


def test_the_crate_stands_in_the_djs_folder(home):
    Crate.open().keep(beat())
    assert (home / "crate.db").is_file()


def test_a_beat_that_json_cannot_hold_is_refused(crate):
    odd = beat(provenance=Provenance(settings={"path": Path("x")}))
    with pytest.raises(LibraryError, match="cannot be kept"):
        crate.keep(odd)


def test_lanes_are_kept_by_name(crate):
    crate.keep(Beat((Hit.of("crash", 0.0),), 1))
    ((text,),) = asked(crate.path, "SELECT beat FROM beats")
    assert json.loads(text)["hits"] == [[0.0, "crash", DRUM["crash"].default_velocity, None, None]]
