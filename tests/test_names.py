"""Names of corpora and runs: one name is one folder, whoever writes it how."""

import errno
import shutil
import unicodedata
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dj_core.errors import CorpusError, LibraryError, TrainingError
from dj_core.files.file_names import (
    MAX_NAME_LENGTH,
    beat_stem,
    checked_name,
    name_key,
    safe_stem,
)
from dj_core.files.midi import save_midi
from dj_core.library.library import STARTER_CORPUS, Library
from dj_core.library.training_jobs import start_training
from dj_core.music.beat import Beat, Hit, Provenance
from dj_core.sets.saved_sets import set_path

LIKELY = st.text(
    st.sampled_from("aAéÉßΣςſK1 _-.:/\\\n\0\u0301\u200b\u202e\ufeff日Ａﬀİ"), max_size=9
)
NAMES = st.one_of(st.text(max_size=70), LIKELY, st.sampled_from(["con", "Nul ", "COM1", "..", ""]))


@given(NAMES)
def test_a_name_is_refused_or_names_a_folder_everywhere(text):
    try:
        name = checked_name(text)
    except LibraryError:
        return
    assert checked_name(name) == name == unicodedata.normalize("NFC", name).strip()
    assert Path(name).name == name
    assert len(name) <= MAX_NAME_LENGTH
    assert len(name.encode()) <= 200
    assert name.isprintable()
    assert name_key(name) not in {"con", "nul", "prn", "aux", "com1", "lpt9"}


def is_legal_on_windows(name):
    """As Microsoft's "Naming Files, Paths, and Namespaces" has it, and Explorer shows it."""
    stem = name.partition(".")[0].rstrip(" ").lower()
    devices = {"con", "prn", "aux", "nul", "conin$", "conout$"}
    devices |= {f"{port}{number}" for port in ("com", "lpt") for number in "0123456789¹²³"}
    return (
        not set(name) & set('<>:"/\\|?*')
        and not any(ord(character) < 32 for character in name)
        and name[-1] not in " ."
        and stem not in devices
        and 0 < len(name.encode("utf-16-le")) // 2 <= 255
    )


TITLES = st.one_of(NAMES, st.sampled_from(["CON", "aux", "nul.mid", "COM¹", "a. ", "x" * 300]))


@given(TITLES, TITLES, st.integers(0, 2**63))
def test_every_file_of_ours_has_a_name_that_windows_takes(title, genre, seed):
    beat = Beat((Hit.of("kick", 0),), bars=1, title=title, genre=genre)
    played = replace(beat, provenance=Provenance(model=title, seed=seed))
    names = [
        f"{safe_stem(title)}.mid",
        f"{beat_stem(beat)}.wav",
        f"{beat_stem(played)}_kick.flac",
        set_path(Path(), title).name,
    ]
    assert [name for name in names if not is_legal_on_windows(name)] == []
    with suppress(LibraryError):
        assert is_legal_on_windows(checked_name(title))


@given(NAMES, NAMES)
def test_two_ways_to_write_a_name_are_one_folder(first, second):
    library = Library(Path("/nowhere"))
    try:
        places = library.run_folder(first), library.run_folder(second)
    except LibraryError:
        return
    same = name_key(first) == name_key(second)
    assert same or places[0] != places[1]
    assert not same or name_key(places[0].name) == name_key(places[1].name)


@pytest.fixture
def library(home, tmp_path):
    save_midi(Beat((Hit.of("kick", 0), Hit.of("snare", 1)), bars=1), tmp_path / "in" / "1.mid")
    library = Library(home)
    library.import_corpus(tmp_path / "in", "mine ")
    return library


@pytest.mark.parametrize("name", ["starter", "starter ", " Starter", "STARTER", "ｓｔａｒｔｅｒ"])
def test_the_starter_patterns_name_is_taken_however_it_is_written(name, library, tmp_path):
    with pytest.raises(LibraryError, match="belongs to the patterns"):
        library.import_corpus(tmp_path / "in", name)
    assert library.corpus(STARTER_CORPUS).files


def test_a_corpus_is_added_to_by_any_way_to_write_its_name(library, tmp_path):
    for name in ("mine", "MINE", " Mine "):
        assert library.import_corpus(tmp_path / "in", name).corpus.name == "mine"
        assert library.corpus(name).name == "mine"
    assert [corpus.name for corpus in library.corpora()] == [STARTER_CORPUS, "mine"]


def test_only_the_corpus_of_that_name_is_removed_and_what_is_others_in_it_stays(library):
    shutil.copytree(library.corpora_folder / "mine", library.corpora_folder / "backup")
    note = library.corpora_folder / "mine" / "files" / "read me.txt"
    note.write_text("theirs")
    with pytest.raises(CorpusError, match="no corpus called 'MINE'"):
        library.delete_corpus("MINE")
    library.delete_corpus("mine")
    assert [corpus.name for corpus in library.corpora()] == [STARTER_CORPUS, "backup"]
    assert library.corpus("backup").files
    assert [path for path in note.parent.parent.rglob("*") if path.is_file()] == [note]
    with pytest.raises(LibraryError, match="that is no corpus"):
        library.corpus_folder("mine")


def test_a_link_is_not_followed_and_a_disk_that_refuses_is_said_in_words(library, monkeypatch):
    real = library.home / "elsewhere"
    (library.corpora_folder / "mine").rename(real)
    (library.corpora_folder / "mine").symlink_to(real)
    with pytest.raises(LibraryError, match="is a link"):
        library.delete_corpus("mine")
    assert library.corpus("mine").files
    (library.corpora_folder / "mine").unlink()
    real.rename(library.corpora_folder / "mine")

    def refuse(path, missing_ok=False):
        raise PermissionError(errno.EPERM, "Operation not permitted", str(path))

    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(LibraryError, match="Operation not permitted"):
        library.delete_corpus("mine")
    assert library.corpus("mine").files


def test_a_run_takes_no_name_that_another_has(home):
    (home / "runs" / "Night").mkdir(parents=True)
    (home / "runs" / "Night" / "status.json").write_text("{}")
    with pytest.raises(TrainingError, match="already is a run"):
        start_training(home, " night ", corpora=["starter"], preset="groove")
    (home / "runs" / "diary").mkdir()
    (home / "runs" / "diary" / "stop").write_text("theirs")
    with pytest.raises(TrainingError, match="is no run"):
        start_training(home, "diary", corpora=["starter"], preset="groove")
    with pytest.raises(LibraryError):
        start_training(home, "../up", corpora=["starter"], preset="groove")
