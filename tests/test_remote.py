"""Corpora and runs at any address: sent whole, fetched whole, and nothing in between."""

import json
import zipfile
from io import BytesIO

import fsspec
import pytest

from dj_core.cli import main
from dj_core.corpus.store import Corpus
from dj_core.errors import LibraryError
from dj_core.files.midi import midi_bytes
from dj_core.files.remote import ABOUT_NAME, fetch, send
from dj_core.library.library import Library
from dj_core.models.run_folder import SETTINGS_NAME, locked
from dj_core.music.patterns import load_patterns

ADDRESS = "memory://bucket/mine.zip"


@pytest.fixture
def memory():
    system = fsspec.filesystem("memory")
    system.store.clear()
    yield system
    system.store.clear()


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A DJ's folder with a run in it."""
    monkeypatch.setenv("DIGITAL_DJ_HOME", str(tmp_path / "here"))
    library = Library.open()
    run = library.run_folder("night")
    (run / "model").mkdir(parents=True)
    (run / SETTINGS_NAME).write_text("{}")
    (run / "model" / "weights").write_bytes(bytes(range(256)))
    for left in ("lock", "stop", ".half-written"):
        (run / left).write_bytes(b"of this machine")
    return library


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def zipped(entries):
    file = BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return file.getvalue()


def encrypted(content):
    """The same zip, which says of its last entry that it is encrypted."""
    changed = bytearray(content)
    changed[content.rindex(b"PK\x03\x04") + 6] |= 1
    changed[content.rindex(b"PK\x01\x02") + 8] |= 1
    return bytes(changed)


def test_a_corpus_comes_back_as_it_was(here, memory, tmp_path, monkeypatch, capsys):
    for beat in load_patterns()[:3]:
        (tmp_path / f"{beat.title}.mid").write_bytes(midi_bytes(beat))
    corpus = here.import_corpus(tmp_path, "mine").corpus
    sent = contents(corpus.folder)
    assert main(["send", "corpus", "mine", ADDRESS, "--json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["files"] == len(sent)
    monkeypatch.setenv("DIGITAL_DJ_HOME", str(tmp_path / "there"))
    assert main(["fetch", ADDRESS]) == 0
    there = Library.open().corpora_folder / "mine"
    assert contents(there) == sent
    assert Corpus(there).files == corpus.files


def test_a_run_comes_back_without_what_speaks_of_its_machine(here, memory, tmp_path, monkeypatch):
    run = contents(here.run_folder("night"))
    assert main(["send", "run", "night", ADDRESS]) == 0
    monkeypatch.setenv("DIGITAL_DJ_HOME", str(tmp_path / "there"))
    assert main(["fetch", ADDRESS]) == 0
    fetched = contents(Library.open().run_folder("night"))
    assert fetched == {name: run[name] for name in (SETTINGS_NAME, "model/weights")}


def test_what_is_there_stays(here, memory, tmp_path, capsys):
    folder = here.run_folder("night")
    send(folder, "run", ADDRESS)
    with pytest.raises(LibraryError, match="already is something"):
        send(folder, "run", ADDRESS)
    with pytest.raises(LibraryError, match="already is a run called 'night'"):
        fetch(ADDRESS, {"run": here.run_folder})
    assert main(["send", "run", "day", ADDRESS]) == 1
    with locked(folder):
        assert main(["send", "run", "night", "memory://other.zip"]) == 1
    assert "is being trained" in capsys.readouterr().err


def test_a_sending_that_fails_leaves_nothing(here, memory, monkeypatch):
    def fail(*_):
        raise OSError("the line is dead")

    monkeypatch.setattr(zipfile.ZipFile, "write", fail)
    with pytest.raises(LibraryError, match="the line is dead"):
        send(here.run_folder("night"), "run", ADDRESS)
    assert not memory.exists("/bucket/mine.zip")


ABOUT = {"kind": "run", "name": "night", "files": 1}


@pytest.mark.parametrize(
    "content",
    [
        b"no zip",
        zipped({"settings.json": "{}"}),
        zipped({ABOUT_NAME: "[]"}),
        zipped({ABOUT_NAME: json.dumps({**ABOUT, "name": "../night"}), "a": "b"}),
        zipped({ABOUT_NAME: json.dumps({**ABOUT, "name": ".."}), "a": "b"}),
        zipped({ABOUT_NAME: json.dumps({**ABOUT, "kind": "password"}), "a": "b"}),
        zipped({ABOUT_NAME: json.dumps(ABOUT)}),
        zipped({ABOUT_NAME: json.dumps(ABOUT), "../a": "b"}),
        zipped({ABOUT_NAME: json.dumps(ABOUT), "/a": "b"}),
        zipped({ABOUT_NAME: json.dumps(ABOUT), "a": "b"})[:-40],
        zipped({ABOUT_NAME: json.dumps({**ABOUT, "name": "con"}), "a": "b"}),
        zipped({ABOUT_NAME: json.dumps(ABOUT), ".hidden": "b"}),
        zipped({ABOUT_NAME: json.dumps(ABOUT), "a/b\\..\\c": "b"}),
        zipped({ABOUT_NAME: json.dumps(ABOUT), "bomb": bytes(30_000_000)}),
        zipped({ABOUT_NAME: "[" * 100_000, "a": "b"}),
        encrypted(zipped({ABOUT_NAME: json.dumps(ABOUT), "a": "b"})),
        zipped({ABOUT_NAME: json.dumps(ABOUT), "a": "x" * 99}).replace(
            b"\xab\xa8\xa0", b"\xff\xff\xff"
        ),
    ],
)
def test_what_was_not_sent_is_refused_and_nothing_stays(content, memory, tmp_path):
    memory.pipe("/bucket/mine.zip", content)
    with pytest.raises(LibraryError):
        fetch(ADDRESS, {"run": Library(tmp_path / "home").run_folder})
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not (tmp_path / "home" / "runs" / "night").exists()


def test_addresses_nobody_knows_are_said_in_words(here, tmp_path):
    with pytest.raises(LibraryError, match="cannot be written"):
        send(here.run_folder("night"), "run", "nowhere://bucket/mine.zip")
    with pytest.raises(LibraryError, match="cannot be fetched"):
        fetch(str(tmp_path / "none.zip"), {})
