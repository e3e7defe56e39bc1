"""What a stranger's zip may not do: write outside, fill the memory, take its time, or stay half."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hostile_zips import MAKERS, good_midi

from dj_core.corpus import store as corpus_module
from dj_core.corpus.store import Corpus, import_corpus
from dj_core.errors import CorpusError
from dj_core.host.limits import LIMITS

ROOT = Path(__file__).resolve().parent.parent
KINDS = [maker.__name__ for maker in MAKERS]
MOST_MEGABYTES, MOST_SECONDS = 100, 5  # of memory more than before, of work; each zip


def files_below(folder):
    """Every file by its path, size and time of change."""
    stats = ((path, path.lstat()) for path in folder.rglob("*"))
    return {
        str(path): (stat.st_size, stat.st_mtime_ns) for path, stat in stats if not path.is_dir()
    }


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    """What importing each kind came to; and the folder it was done in."""
    root = tmp_path_factory.mktemp("root")
    (root / "neighbour.mid").write_bytes(b"mine")
    folder = root / "a" / "b"
    answer = subprocess.run(
        [sys.executable, ROOT / "tests" / "hostile_zips.py", folder, *KINDS],
        capture_output=True, text=True, check=True, timeout=600, cwd=root,
        env={**os.environ, "TMPDIR": str(root), "HOME": str(root)},
    )  # fmt: skip
    told = [json.loads(line) for line in answer.stdout.splitlines()]
    return {one["kind"]: one for one in told}, root, folder


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_cheap(imported, kind):
    told = imported[0][kind]
    assert told["megabytes"] < MOST_MEGABYTES
    assert told["seconds"] < MOST_SECONDS


def test_nothing_is_written_outside_the_corpora(imported):
    _, root, folder = imported
    outside = [
        path
        for path in files_below(root)
        if not path.startswith((f"{folder}/corpora/", f"{folder}/zips/"))
    ]
    assert outside == [str(root / "neighbour.mid")]
    assert not list(Path("/tmp").glob("slipped*"))
    inside = {Path(path).name for path in files_below(folder / "corpora")}
    assert all(name == "index.parquet" or len(name) == 69 for name in inside), inside  # our names


REFUSED = {
    "bomb": "unpacks to over 200 MB",
    "lying_sizes": "only in part",
    "lying_small": "only in part",
    "overlap": "unpacks to over 200 MB",
    "nested": "holds other zips",
    "many_entries": "5,000 can be imported at once",
    "encrypted": "locked with a password",
    "odd_methods": "packed in an unusual way",
    "torn": "cannot be opened as a zip",
}


@pytest.mark.parametrize("kind", REFUSED)
def test_it_is_refused_in_words_and_leaves_no_corpus(imported, kind):
    told, _, folder = imported
    assert REFUSED[kind] in told[kind]["refused"]
    assert not (folder / "corpora" / kind).exists()


def test_links_are_only_bytes_and_good_files_beside_them_come_in(imported):
    told = imported[0]["symlink"]
    assert told["accepted"] == ["good.mid"]
    assert len(told["skipped"]) == 3
    assert all("not a MIDI file" in reason for reason in told["skipped"].values())


def test_names_are_shown_without_what_cannot_be_seen(imported):
    accepted = imported[0]["names"]["accepted"]
    assert len(accepted) >= 10
    assert all(name.isprintable() and len(name) <= LIMITS.name_characters for name in accepted)


def test_files_of_one_name_all_come_in(imported):
    assert len(imported[0]["duplicates"]["accepted"]) == 3


def test_what_lies_too_deep_is_left_out_with_its_reason(imported):
    told = imported[0]["deep"]
    assert told["accepted"] == ["good.mid"]
    (reason,) = told["skipped"].values()
    assert "5000 folders deep" in reason


def test_folders_too_deep_are_refused(tmp_path):
    inner = tmp_path / "in"
    for _ in range(LIMITS.folder_depth + 2):
        inner = inner / "a"
    inner.mkdir(parents=True)
    (inner / "x.mid").write_bytes(good_midi())
    with pytest.raises(CorpusError, match="deep in one another"):
        import_corpus(tmp_path / "in", tmp_path / "corpus", "mine")


@pytest.mark.skipif(os.name != "posix", reason="other systems have no such names")
def test_a_file_whose_name_is_no_text_comes_in(tmp_path):
    (tmp_path / "in").mkdir()
    path = os.path.join(os.fsencode(tmp_path / "in"), b"caf\xe9.mid")  # noqa: PTH118 - bytes
    with open(path, "wb") as file:  # noqa: PTH123 - bytes
        file.write(good_midi())
    report = import_corpus(tmp_path / "in", tmp_path / "corpus", "mine")
    assert report.accepted == ("caf.mid",)


@pytest.mark.parametrize("where", ["reading", "index"])
def test_an_import_that_stops_leaves_the_corpus_as_it_was(tmp_path, monkeypatch, where):
    source = tmp_path / "in"
    source.mkdir()
    (source / "first.mid").write_bytes(good_midi(1))
    folder = tmp_path / "corpus"
    import_corpus(source, folder, "mine")
    before = files_below(folder)
    for number in range(2, 9):
        (source / f"{number}.mid").write_bytes(good_midi(number))

    def stop(done, total=0):
        if where == "reading" and done == 5:
            raise KeyboardInterrupt

    def full(*_):
        raise OSError(28, "No space left on device")

    if where == "index":
        monkeypatch.setattr(corpus_module, "_save_index", full)
    with pytest.raises((KeyboardInterrupt, OSError)):
        import_corpus(source, folder, "mine", progress=stop)
    assert files_below(folder) == before
    assert [file.name for file in Corpus(folder).files] == ["first.mid"]
