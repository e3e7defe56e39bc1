"""Imports of any size in little memory: what lies on disk meanwhile changes nothing."""

import os
import signal
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from full_disk import files_of_at_most
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from dj_core import corpus as corpus_module
from dj_core import families as families_module
from dj_core import ledger as ledger_module
from dj_core import packs as packs_module
from dj_core.beat import Beat, Hit
from dj_core.corpus import Corpus, import_corpus
from dj_core.drums import DRUMS, TD_11_HAT_EDGES
from dj_core.errors import CorpusError, LibraryError
from dj_core.families import SPLIT_SHARES, _hash, assign_splits
from dj_core.midi import midi_bytes
from dj_core.packs import Contents
from dj_core.scratch import Scratch
from dj_core.sources import Names, open_source
from dj_core.storage import remove_leftovers

ROOT = Path(__file__).resolve().parent.parent
BYTES_A_FILE = 200  # that memory may grow by; the signatures alone would be 512


@pytest.fixture
def crowded(monkeypatch):
    """A memory so small that a few files are too many for it."""
    for module, name, size in (
        (ledger_module, "ROWS_AT_ONCE", 16),
        (corpus_module, "KNOWN_AT_ONCE", 16),
        (corpus_module, "ROWS_IN_GROUP", 24),
        (ledger_module, "_BATCHES_NEAR", 2),
        (ledger_module, "_SIGNATURES_AT_ONCE", 20),
        (families_module, "_MEMBERS_AT_ONCE", 16),
        (families_module, "_BARS_AT_ONCE", 32),
        (families_module, "_PAIRS_AT_ONCE", 64),
        (packs_module, "_CONTENTS_NEAR", 8),
    ):
        monkeypatch.setattr(module, name, size)


def content_of(number, edge=False):
    """A file some of whose neighbours are kin, some twins; with a Roland's hat if so wished."""
    steps = [place for place in range(12) if (number % 90 * 37 % 4_096) >> place & 1]
    hits = [Hit.of("closed_hat", step / 4, 100) for step in range(10 + number % 3)]
    hits += [Hit.of("snare", 4 + step / 4, 90) for step in steps]
    content = midi_bytes(Beat(tuple(hits), bars=2, tempo_bpm=90.0 + number % 7))
    if not edge:
        return content
    closed_hat = next(drum.note for drum in DRUMS if drum.name == "closed_hat")
    return content.replace(bytes([closed_hat]), bytes([min(TD_11_HAT_EDGES)]))


def write(folder, numbers, edge=False):
    for number in numbers:
        path = folder / f"genre {number % 3}" / f"{number:05d}.mid"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content_of(number, edge))


def same(one, other):
    """Whether two corpora have the same rows in the same order, and the same bytes."""
    packs = [
        {path.name: path.read_bytes() for path in sorted((corpus.folder / "files").iterdir())}
        for corpus in (one, other)
    ]
    tables = [parquet.read_table(corpus.index_path) for corpus in (one, other)]
    return packs[0] == packs[1] and tables[0].equals(tables[1], check_metadata=True)


def grown_in_steps(source, folder):
    """A corpus as several imports make it: every other file, files changed, files of a Roland."""
    write(source, range(0, 200, 2))
    import_corpus(source, folder, "mine")
    write(source, range(0, 240, 3))
    (source / "genre 1" / "00001.mid").write_bytes(b"MThd, and nothing else")
    (source / "genre 0" / "00000.mid").write_bytes(content_of(7))
    import_corpus(source, folder, "mine")
    write(source, range(300, 306), edge=True)
    write(source, range(200, 230))
    return import_corpus(source, folder, "mine")


def test_a_memory_too_small_for_the_files_changes_nothing(tmp_path, request):
    roomy = grown_in_steps(tmp_path / "one", tmp_path / "roomy")
    request.getfixturevalue("crowded")
    crowded = grown_in_steps(tmp_path / "two", tmp_path / "crowded")
    assert same(roomy.corpus, crowded.corpus)
    assert crowded.accepted == roomy.accepted
    assert crowded.skipped == roomy.skipped
    assert crowded.corpus.drum_map == "td-11"
    assert len({file.family for file in crowded.corpus.files}) < len(crowded.corpus.files)
    assert {path.name for path in crowded.corpus.folder.iterdir()} == {"files", "index.parquet"}


def test_the_first_files_read_by_another_note_map_are_read_again(tmp_path, crowded):
    write(tmp_path / "source", range(40))
    write(tmp_path / "source", range(40, 60), edge=True)
    together = import_corpus(tmp_path / "source", tmp_path / "together", "mine").corpus
    told = import_corpus(tmp_path / "source", tmp_path / "told", "mine", drum_map="td-11").corpus
    assert together.drum_map == "td-11"
    assert same(together, told)


def test_memory_hardly_grows_with_the_files(tmp_path, crowded):
    import_corpus(_many(tmp_path, 20), tmp_path / "warm", "mine")
    few, many = (_peak(_many(tmp_path, count), tmp_path / f"{count} out") for count in (500, 1_500))
    assert (many - few) / 1_000 < BYTES_A_FILE


def _many(folder, count):
    """Files of which no two are alike."""
    source = folder / f"{count} in"
    source.mkdir()
    content = content_of(5)
    tempo = content.index(b"\xff\x51\x03") + 3
    for number in range(count):
        changed = content[:tempo] + (400_000 + number).to_bytes(3) + content[tempo + 3 :]
        (source / f"{number:05d}.mid").write_bytes(changed)
    return source


def _peak(source, folder):
    """The most bytes that Python and NumPy held during an import."""
    tracemalloc.start()
    try:
        import_corpus(source, folder, "mine")
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


# --- when it ends before its time -----------------------------------------------------------------


@pytest.mark.parametrize("room", [2_000, 8_000, 12_000])
def test_a_full_disk_is_said_in_words_and_harms_nothing(tmp_path, crowded, room):
    write(tmp_path / "source", range(3))
    corpus = import_corpus(tmp_path / "source", tmp_path / "corpus", "mine").corpus
    before = {path: path.read_bytes() for path in corpus.folder.rglob("*") if path.is_file()}
    write(tmp_path / "source", range(3, 90))
    with files_of_at_most(room), pytest.raises(LibraryError, match="Free some space"):
        import_corpus(tmp_path / "source", tmp_path / "corpus", "mine")
    after = {path: path.read_bytes() for path in corpus.folder.rglob("*") if path.is_file()}
    assert after == before
    assert len(import_corpus(tmp_path / "source", corpus.folder, "mine").corpus.files) == 90


def test_what_a_killed_import_leaves_is_known_for_what_it_is(tmp_path):
    write(tmp_path / "source", range(30))
    script = (
        "import os, signal, sys; from pathlib import Path\n"
        "from dj_core.corpus import import_corpus\n"
        "def stop(done, total):\n"
        "    if done == 20: os.kill(os.getpid(), signal.SIGKILL)\n"
        "import_corpus(Path(sys.argv[1]), Path(sys.argv[2]), 'mine', progress=stop)\n"
    )
    places = [tmp_path / "source", tmp_path / "corpus"]
    answer = subprocess.run([sys.executable, "-c", script, *places], cwd=ROOT, check=False)
    assert answer.returncode == -signal.SIGKILL
    (left,) = (tmp_path / "corpus").iterdir()
    os.utime(left, (time.time() - 3_600,) * 2)
    assert remove_leftovers(tmp_path / "corpus") == 1
    import_corpus(*places, "mine")
    assert len(Corpus(tmp_path / "corpus").files) == 30


def test_an_index_out_of_order_is_said_in_words(tmp_path):
    write(tmp_path / "source", range(5))
    corpus = import_corpus(tmp_path / "source", tmp_path / "corpus", "mine").corpus
    table = parquet.read_table(corpus.index_path)
    parquet.write_table(table.take([4, 2, 3, 0, 1]), corpus.index_path)
    write(tmp_path / "source", range(5, 7))
    with pytest.raises(CorpusError, match="damaged index"):
        import_corpus(tmp_path / "source", tmp_path / "corpus", "mine")


# --- what is known by little ----------------------------------------------------------------------

DIGESTS = st.tuples(st.sampled_from(["0" * 16, "f" * 16, "8" * 16]), st.integers(0, 30)).map(
    lambda parts: f"{parts[0]}{parts[1]:048x}"  # many begin alike
)


@given(st.lists(DIGESTS, max_size=60), st.integers(1, 9))
def test_contents_are_found_by_their_whole_hash_wherever_it_lies(digests, near):
    with pytest.MonkeyPatch.context() as patched, tempfile.TemporaryDirectory() as folder:
        patched.setattr(packs_module, "_CONTENTS_NEAR", near)
        scratch = Scratch(Path(folder))
        contents, plain = Contents(scratch), {}
        for number, digest in enumerate(digests):
            assert contents.find(digest) == plain.get(digest)
            if digest not in plain:
                plain[digest] = ((None, "", "ab" * 32)[number % 3], number, number + 1)
                contents.add(digest, plain[digest])
        assert {digest: contents.find(digest) for digest in plain} == plain
        scratch.close()


@given(st.sets(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1), max_size=40))
def test_names_are_a_list_in_little_memory(found):
    names, plain = Names(sorted(found)), sorted(found)
    assert list(names) == plain
    assert [names[place] for place in range(len(names))] == plain
    assert all(name in names for name in plain)
    assert "a" in names or "a" not in plain
    assert not any(f"{name}\N{BLACK STAR}" in names for name in plain if f"{name}★" not in found)


def test_more_names_than_are_read_at_once():
    plain = [f"{number:05d}.mid" for number in range(3_000)]
    assert list(Names(plain)) == plain


def test_a_folder_is_walked_in_the_order_of_names_and_odd_ones_are_told_apart(tmp_path):
    names = ["a/b.mid", "a.mid", "a!/c.mid", "ab.mid", "a/b/d.mid", "a/b.a/e.mid", "é.mid",
             "b\u200b.mid", "b.mid", "\u200bb.mid", "b (2).mid"]  # fmt: skip
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    with open_source(tmp_path) as source:
        shown = list(source.names)
        assert shown == sorted(set(shown))
        assert sorted(source.read(name) for name in shown) == sorted(map(str.encode, names))
        same = {name for name in names if name.isprintable()}
        assert all(source.read(name) == name.encode() for name in same)


# --- splits ---------------------------------------------------------------------------------------


def plainly_split(families, genres):
    """The rule in plain words: large families first, each where its genre lacks most."""
    members = defaultdict(list)
    for index, family in enumerate(families):
        members[family].append(index)
    genre_of = {
        family: Counter(genres[index] for index in indices).most_common(1)[0][0]
        for family, indices in members.items()
    }
    wanted = Counter(genre_of[family] for family in families)
    placed = {genre: dict.fromkeys(SPLIT_SHARES, 0) for genre in wanted}
    split_of = {}
    for family in sorted(members, key=lambda family: (-len(members[family]), _hash(family, []))):
        genre = genre_of[family]
        lacks = {
            split: share * wanted[genre] - placed[genre][split]
            for split, share in SPLIT_SHARES.items()
        }
        split_of[family] = max(lacks, key=lacks.get)  # the first of those that lack as much
        placed[genre][split_of[family]] += len(members[family])
    return [split_of[family] for family in families]


@given(st.lists(st.tuples(st.integers(0, 25), st.sampled_from(["", "rock", "soul"])), max_size=80))
def test_splits_are_what_the_rule_says(files):
    number = {family: place for place, family in enumerate(dict.fromkeys(f for f, _ in files))}
    families = [number[family] for family, _ in files]
    genres = [genre for _, genre in files]
    assert assign_splits(families, genres) == plainly_split(families, genres)
