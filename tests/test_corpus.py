"""Importing: from real corpora, small ones made here, and sources that mean harm."""

import os
import random
import signal
import subprocess
import sys
import time
import zipfile
from collections import Counter, defaultdict
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from full_disk import files_of_at_most
from hypothesis import given
from hypothesis import strategies as st

from dj_core.corpus import near_duplicates as families_module
from dj_core.corpus.near_duplicates import (
    KIN_JACCARD,
    SPLIT_SHARES,
    Sketch,
    Strokes,
    _hash,
    families_of,
    sketches,
    splits_of,
)
from dj_core.corpus.sources import open_source
from dj_core.corpus.store import Corpus, import_corpus
from dj_core.errors import CorpusError, DigitalDJError, LibraryError
from dj_core.files.midi import midi_bytes, read_midi
from dj_core.files.storage import remove_leftovers
from dj_core.host.limits import LIMITS
from dj_core.library.library import STARTER_CORPUS, Library
from dj_core.music.beat import Beat, Hit
from dj_core.music.genres import genre_name

ROOT = Path(__file__).resolve().parent.parent


def beat_of(*steps, drum="kick", bars=1):
    return Beat(tuple(Hit.of(drum, step / 4) for step in steps), bars=bars, tempo_bpm=120.0)


def stored_files(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def folder(tmp_path):
    """Two genres, three beats, and a file that is not MIDI."""
    source = tmp_path / "source"
    (source / "House").mkdir(parents=True)
    (source / "Drum & Bass").mkdir()
    (source / "House" / "one.mid").write_bytes(midi_bytes(beat_of(0, 4, 8, 12)))
    (source / "House" / "a Fill.MID").write_bytes(midi_bytes(beat_of(0, 1, 2, 3, drum="snare")))
    (source / "Drum & Bass" / "two.mid").write_bytes(midi_bytes(beat_of(0, 10)))
    (source / "House" / "notes.txt").write_text("nothing musical")
    (source / "House" / ".hidden.mid").write_bytes(b"")
    return source


def test_a_folder_becomes_a_corpus_with_genres_from_its_folders(folder, tmp_path):
    report = import_corpus(folder, tmp_path / "corpus", "mine")
    assert report.corpus.genres == {"drum-and-bass": 1, "house": 2}
    assert not report.skipped
    kinds = {file.title: file.kind for file in report.corpus.files}
    assert kinds == {"one": "beat", "a Fill": "fill", "two": "beat"}


def test_a_corpus_gives_back_the_beats_it_was_given(folder, tmp_path):
    corpus = import_corpus(folder, tmp_path / "corpus", "mine").corpus
    for file in corpus.files:
        beat = corpus.beat(file)
        assert beat.hits == read_midi(folder / file.name).hits
        assert (beat.genre, beat.title) == (file.genre, file.title)
        assert beat.provenance.corpus == "mine"


def test_a_zip_and_a_folder_make_the_same_corpus(folder, tmp_path):
    with zipfile.ZipFile(tmp_path / "beats.zip", "w") as archive:
        for path in folder.rglob("*"):
            archive.write(path, path.relative_to(folder))
    zipped = import_corpus(tmp_path / "beats.zip", tmp_path / "zipped", "a").corpus
    plain = import_corpus(folder, tmp_path / "plain", "a").corpus
    assert zipped.files == plain.files


def test_a_single_file_is_a_corpus(folder, tmp_path):
    corpus = import_corpus(folder / "House" / "one.mid", tmp_path / "corpus", "one").corpus
    assert [(file.name, file.genre, file.split) for file in corpus.files] == [
        ("one.mid", "", "train")
    ]


def test_importing_again_changes_nothing(folder, tmp_path):
    first = import_corpus(folder, tmp_path / "corpus", "mine")
    before = first.corpus.index_path.read_bytes()
    second = import_corpus(folder, tmp_path / "corpus", "mine")
    assert second.accepted == first.accepted
    assert second.corpus.index_path.read_bytes() == before


def test_new_files_join_and_changed_files_replace(folder, tmp_path):
    import_corpus(folder, tmp_path / "corpus", "mine")
    (folder / "House" / "one.mid").write_bytes(midi_bytes(beat_of(0, 8)))
    (folder / "House" / "three.mid").write_bytes(midi_bytes(beat_of(2, 6)))
    report = import_corpus(folder, tmp_path / "corpus", "mine")
    assert report.replaced == 1
    hits = {file.title: file.hits for file in report.corpus.files}
    assert hits == {"one": 2, "a Fill": 4, "two": 2, "three": 2}


def test_refused_files_are_listed_with_their_reason(folder, tmp_path):
    (folder / "House" / "text.mid").write_text("not MIDI at all")
    (folder / "House" / "silent.mid").write_bytes(midi_bytes(Beat((), bars=1)))
    report = import_corpus(folder, tmp_path / "corpus", "mine")
    reasons = {skipped.file: skipped.reason for skipped in report.skipped}
    assert "not a MIDI file" in reasons["House/text.mid"]
    assert "no notes" in reasons["House/silent.mid"]
    assert Corpus(tmp_path / "corpus").skipped == report.skipped


def test_progress_counts_every_file(folder, tmp_path):
    seen = []
    import_corpus(folder, tmp_path / "corpus", "mine", progress=lambda *at: seen.append(at))
    assert seen == [(0, 3), (1, 3), (2, 3), (3, 3)]


def test_a_stopped_import_leaves_nothing_behind(folder, tmp_path):
    def stop(done, total):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_corpus(folder, tmp_path / "corpus", "mine", progress=stop)
    assert not (tmp_path / "corpus").exists()


def test_a_stopped_import_leaves_the_earlier_corpus_as_it_was(folder, tmp_path):
    corpus = import_corpus(folder, tmp_path / "corpus", "mine").corpus
    files_before = stored_files(corpus.folder)
    index_before = corpus.index_path.read_bytes()
    (folder / "House" / "new.mid").write_bytes(midi_bytes(beat_of(3)))

    def stop(done, total):
        if done == total:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_corpus(folder, tmp_path / "corpus", "mine", progress=stop)
    assert stored_files(corpus.folder) == files_before
    assert corpus.index_path.read_bytes() == index_before


@pytest.mark.parametrize("kind", ["missing", "empty folder", "empty zip", "no zip", "text"])
def test_a_source_without_midi_is_refused_in_words(tmp_path, kind):
    source = tmp_path / "source"
    if kind == "empty folder":
        source.mkdir()
    elif kind == "empty zip":
        source = source.with_suffix(".zip")
        zipfile.ZipFile(source, "w").close()
    elif kind == "no zip":
        source = source.with_suffix(".zip")
        source.write_bytes(b"PK but not a zip")
    elif kind == "text":
        source = source.with_suffix(".txt")
        source.write_text("words")
    with pytest.raises(CorpusError):
        import_corpus(source, tmp_path / "corpus", "mine")
    assert not (tmp_path / "corpus").exists()


def test_a_zip_that_claims_too_much_is_refused_before_it_is_unpacked(tmp_path):
    bomb = tmp_path / "bomb.zip"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(LIMITS.zip_bytes // 50_000_000 + 1):
            archive.writestr(f"{number}.mid", b"\0" * 50_000_000)
    with pytest.raises(CorpusError, match="unpacks to over"):
        import_corpus(bomb, tmp_path / "corpus", "mine")


def test_a_zip_writes_only_under_its_own_names(tmp_path):
    evil = tmp_path / "evil.zip"
    with zipfile.ZipFile(evil, "w") as archive:
        archive.writestr("../../escaped.mid", midi_bytes(beat_of(0)))
        archive.writestr("/absolute.mid", midi_bytes(beat_of(1)))
    before = set(tmp_path.parent.rglob("*.mid"))
    corpus = import_corpus(evil, tmp_path / "corpus", "mine").corpus
    assert len(corpus.files) == 2
    new = set(tmp_path.parent.rglob("*.mid")) - before
    assert all(path.is_relative_to(corpus.folder / "files") for path in new)


def test_links_are_not_followed(folder, tmp_path):
    outside = tmp_path / "outside.mid"
    outside.write_bytes(midi_bytes(beat_of(5)))
    (folder / "House" / "link.mid").symlink_to(outside)
    (folder / "loop").symlink_to(folder)
    assert len(import_corpus(folder, tmp_path / "corpus", "mine").corpus.files) == 3


def test_a_damaged_index_is_said_in_words_and_an_import_repairs_it(folder, tmp_path):
    corpus = import_corpus(folder, tmp_path / "corpus", "mine").corpus
    files = corpus.files
    corpus.index_path.write_bytes(corpus.index_path.read_bytes()[:100])
    with pytest.raises(CorpusError, match="Import it again"):
        Corpus(tmp_path / "corpus")
    assert import_corpus(folder, tmp_path / "corpus", "mine").corpus.files == files


def test_what_a_killed_import_leaves_is_known_for_what_it_is(folder, tmp_path):
    script = (
        "import os, signal, sys; from pathlib import Path\n"
        "from dj_core.corpus.store import import_corpus\n"
        "def stop(done, total):\n"
        "    if done == 2: os.kill(os.getpid(), signal.SIGKILL)\n"
        "import_corpus(Path(sys.argv[1]), Path(sys.argv[2]), 'mine', progress=stop)\n"
    )
    command = [sys.executable, "-c", script, folder, tmp_path / "corpus"]
    answer = subprocess.run(command, cwd=ROOT, check=False)
    assert answer.returncode == -signal.SIGKILL
    (left,) = (tmp_path / "corpus").iterdir()
    os.utime(left, (time.time() - 3_600,) * 2)
    assert remove_leftovers(tmp_path / "corpus") == 1
    assert len(import_corpus(folder, tmp_path / "corpus", "mine").corpus.files) == 3


@pytest.mark.parametrize("room", [2_000, 8_000, 16_000])
def test_a_full_disk_is_said_in_words_and_harms_nothing(folder, tmp_path, room):
    corpus = import_corpus(folder, tmp_path / "corpus", "mine").corpus
    before = {path: path.read_bytes() for path in stored_files(corpus.folder)}
    for number in range(150):
        steps = [place for place in range(12) if number * 37 >> place & 1]
        (folder / f"{number}.mid").write_bytes(midi_bytes(beat_of(15, *steps)))
    with files_of_at_most(room), pytest.raises(LibraryError, match="Free some space"):
        import_corpus(folder, tmp_path / "corpus", "mine")
    assert {path: path.read_bytes() for path in stored_files(corpus.folder)} == before
    assert len(import_corpus(folder, corpus.folder, "mine").corpus.files) == 153


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
        assert "b (3).mid" in shown


def written_to(place, path, content):
    """A file of a folder, or of the zip that is being written."""
    if isinstance(place, zipfile.ZipFile):
        place.writestr(path, content)
    else:
        (place / path).parent.mkdir(parents=True, exist_ok=True)
        (place / path).write_bytes(content)


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_every_ending_of_a_midi_file_is_taken_and_what_is_left_out_is_named(tmp_path, kind):
    source = tmp_path / f"source.{kind}"
    place = source if kind == "folder" else zipfile.ZipFile(source, "w")
    for number, ending in enumerate(("mid", "MIDI", "smf", "kar", "rmi")):
        content = midi_bytes(beat_of(0, number + 1))
        if ending == "rmi":
            inner = b"RMIDdata" + len(content).to_bytes(4, "little") + content
            content = b"RIFF" + len(inner).to_bytes(4, "little") + inner
        written_to(place, f"House/{number}.{ending}", content)
    for name in ("a.jpg", "b.jpg", "read me.txt", "inner.zip", "LICENSE", "House/.DS_Store",
                 "__MACOSX/House/._0.mid"):  # fmt: skip
        written_to(place, name, b"something")
    if kind == "zip":
        place.close()
    report = import_corpus(source, tmp_path / "corpus", "mine")
    assert not report.skipped
    assert report.corpus.genres == {"house": 5}
    assert [file.hits for file in report.corpus.files] == [2] * 5
    inside = "" if kind == "folder" else "/House/._0.mid"  # a folder's is not looked into
    assert report.left_out == {
        ".jpg": ("a.jpg", "b.jpg"),
        ".txt": ("read me.txt",),
        ".zip": ("inner.zip",),
        "__MACOSX": (f"__MACOSX{inside}",),
        "hidden": ("House/.DS_Store",),
        "without an ending": ("LICENSE",),
    }


LEGACY_NAMES = {
    "cp932": ["ハウス/四つ打ち.mid", "ソウル/表.mid"],  # whose second bytes are backslashes
    "gbk": ["舞曲/节奏一.mid", "摇滚/鼓点 120.mid"],
    "big5": ["搖滾/鼓點 120.mid", "爵士/慢板.mid"],
    "cp949": ["하우스/드럼.mid"],
    "cp866": ["Хаус/Барабаны.mid"],
    "cp437": ["Café/Batería.mid", "Übung/Schläge.mid"],
    "latin-1": ["Chanson française/été.mid"],
    "utf-8": ["ハウス/四つ打ち.mid"],  # without its flag, as macOS writes them
}


@pytest.mark.parametrize("encoding", LEGACY_NAMES)
def test_names_in_old_zips_are_read_in_the_encoding_they_were_written_in(tmp_path, encoding):
    names = LEGACY_NAMES[encoding]
    written = {name: "QX"[number] * len(name.encode(encoding)) for number, name in enumerate(names)}
    with zipfile.ZipFile(tmp_path / "old.zip", "w") as archive:
        for number, name in enumerate(names):
            archive.writestr(written[name], midi_bytes(beat_of(0, number + 1)))
    content = (tmp_path / "old.zip").read_bytes()
    for name, stand_in in written.items():
        content = content.replace(stand_in.encode(), name.encode(encoding))
    (tmp_path / "old.zip").write_bytes(content)
    corpus = import_corpus(tmp_path / "old.zip", tmp_path / "corpus", "mine").corpus
    assert [file.name for file in corpus.files] == sorted(names)
    assert {file.genre for file in corpus.files} == {
        genre_name(name.partition("/")[0]) for name in names
    }


FACTS = [["file", "genre", "bpm"], ["a.mid", "Drum & Bass", "174.5"], ["ü.mid", "ハウス", "124"]]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp932"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_fact_sheet_is_read_as_any_spreadsheet_writes_it(tmp_path, encoding, delimiter):
    rows = [
        [cell.replace(".5", ",5") if delimiter != "," else cell for cell in row] for row in FACTS
    ]
    name = "ü.mid" if encoding.startswith("utf") else "う.mid"
    rows[2][0] = name
    (tmp_path / "in").mkdir()
    table = "\r\n".join(delimiter.join(row) for row in rows)
    (tmp_path / "in" / "info.csv").write_bytes(table.encode(encoding))
    for number, file in enumerate(("a.mid", name)):
        (tmp_path / "in" / file).write_bytes(midi_bytes(beat_of(0, number + 1)))
    files = import_corpus(tmp_path / "in", tmp_path / "corpus", "mine").corpus.files
    assert [(file.genre, file.tempo_bpm) for file in files] == [
        ("drum-and-bass", 174.5),
        ("ハウス", 124),
    ]


# --- where the bytes are ----------------------------------------------------------------------


def test_what_one_import_brings_is_one_file_and_twins_are_kept_once(folder, tmp_path):
    (folder / "House" / "twin.mid").write_bytes((folder / "House" / "one.mid").read_bytes())
    corpus = import_corpus(folder, tmp_path / "corpus", "mine").corpus
    (pack,) = (corpus.folder / "files").iterdir()
    contents = [(folder / file.name).read_bytes() for file in corpus.files]
    assert [corpus.content(file) for file in corpus.files] == contents
    assert pack.stat().st_size == sum(len(content) for content in set(contents))
    (folder / "House" / "new.mid").write_bytes(midi_bytes(beat_of(3)))
    grown = import_corpus(folder, tmp_path / "corpus", "mine").corpus
    assert len(list((corpus.folder / "files").iterdir())) == 2
    assert [grown.beat(file).title for file in grown.files] == [file.title for file in grown.files]


def test_a_pack_that_is_lost_or_cut_off_is_said_in_words(folder, tmp_path):
    corpus = import_corpus(folder, tmp_path / "corpus", "mine").corpus
    (pack,) = (corpus.folder / "files").iterdir()
    last = max(corpus.files, key=lambda file: file.kept.offset_bytes)
    pack.write_bytes(pack.read_bytes()[:-1])
    with pytest.raises(CorpusError, match="cut off"):
        corpus.beat(last)
    pack.unlink()
    with pytest.raises(CorpusError, match="Import the corpus again"):
        corpus.beat(last)


def test_a_corpus_that_shares_nothing_new_is_left_alone(folder, tmp_path):
    corpus = import_corpus(folder, tmp_path / "corpus", "mine").corpus
    written = corpus.written
    assert import_corpus(folder, tmp_path / "corpus", "mine").corpus.written == written
    assert import_corpus(folder, tmp_path / "corpus", "renamed").corpus.name == "renamed"


# --- families and splits ----------------------------------------------------------------------


def families_in(beats):
    found = sketches(
        [
            Strokes([hit.onset_quarters for hit in b.hits], [hit.lane for hit in b.hits], b.meter)
            for b in beats
        ]
    )
    bars = np.array([number for sketch in found for number in sketch.bar_hashes], np.int64)
    owners = np.repeat(np.arange(len(found)), [len(sketch.bar_hashes) for sketch in found])
    return families_of(np.stack([sketch.minhash for sketch in found]), bars, owners).tolist(), found


def split_names(families, genres):
    numbers = np.array([sorted(set(genres)).index(genre) for genre in genres], np.int32)
    return [[*SPLIT_SHARES][split] for split in splits_of(np.array(families, np.int32), numbers)]


def test_near_duplicates_are_one_family_and_strangers_are_not():
    base = beat_of(0, 2, 4, 6, 8, 10, 12, 14)
    close = beat_of(0, 2, 4, 6, 8, 10, 12, 15)
    far = beat_of(1, 3, 5, 7, 9, 11, 13, 15, drum="snare")
    assert families_in([base, close, far])[0] == [0, 0, 1]


def test_a_shared_full_bar_makes_kin_of_beats_of_any_length():
    bar = [Hit.of("closed_hat", step / 4) for step in range(12)]
    short = Beat(tuple(bar), bars=1)
    extra = [Hit.of("snare", 4 + step / 4) for step in range(16)]
    long = Beat(tuple(bar + extra), bars=2)
    assert families_in([short, long])[0] == [0, 0]


@pytest.fixture(params=["roomy", "crowded"])
def room(request, monkeypatch):
    """As many beats compared at a time as ever, or so few that it takes many rounds."""
    if request.param == "crowded":
        monkeypatch.setattr(families_module, "_PAIRS_AT_ONCE", 4)


@pytest.mark.parametrize("seed", range(3))
def test_families_are_what_comparing_every_pair_finds(seed, room):
    chance = random.Random(seed)
    beats = []
    for _ in range(60):
        if beats and chance.random() < 0.7:
            steps = set(chance.choice(beats))
            for _ in range(chance.randrange(6)):
                steps ^= {chance.randrange(64)}
        else:
            steps = set(chance.sample(range(64), chance.randrange(1, 30)))
        beats.append(sorted(steps) or [0])
    found, drawn = families_in([beat_of(*steps, bars=4) for steps in beats])
    family = list(range(len(beats)))
    for first, second in combinations(range(len(beats)), 2):
        if are_kin(drawn[first], drawn[second]):
            old, new = family[second], family[first]
            family = [new if number == old else number for number in family]
    assert len(set(found)) < len(beats)
    for first, second in combinations(range(len(beats)), 2):
        assert (found[first] == found[second]) == (family[first] == family[second])
    assert list(dict.fromkeys(found)) == list(range(len(set(found))))


def are_kin(first: Sketch, second: Sketch) -> bool:
    equal = first.minhash == second.minhash
    bands = equal.reshape(-1, 4).all(axis=1)
    return bool(set(first.bar_hashes) & set(second.bar_hashes)) or bool(
        bands.any() and np.count_nonzero(equal) >= KIN_JACCARD * len(equal)
    )


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
    assert split_names(families, genres) == plainly_split(families, genres)


def test_splits_keep_families_whole_and_come_near_the_papers_shares():
    families = [number // 3 for number in range(900)]
    splits = split_names(families, ["rock"] * 600 + ["soul"] * 300)
    by_family = defaultdict(set)
    for family, split in zip(families, splits, strict=True):
        by_family[family].add(split)
    assert all(len(found) == 1 for found in by_family.values())
    shares = {split: count / 900 for split, count in Counter(splits).items()}
    assert shares == pytest.approx({"train": 0.75, "validation": 0.10, "test": 0.15}, abs=0.01)


def test_the_papers_corpus_is_accepted_whole_and_split_by_family(corpora, tmp_path):
    report = import_corpus(corpora / "digital-dj", tmp_path / "corpus", "paper")
    assert not report.skipped
    files = report.corpus.files
    assert len(files) == len(list((corpora / "digital-dj").rglob("*.mid")))
    splits = defaultdict(set)
    for file in files:
        splits[file.family].add(file.split)
    assert all(len(found) == 1 for found in splits.values())
    shares = {split: count / len(files) for split, count in Counter(f.split for f in files).items()}
    assert shares == pytest.approx({"train": 0.75, "validation": 0.10, "test": 0.15}, abs=0.03)


def test_the_groove_dataset_brings_its_own_facts_and_splits(corpora, tmp_path):
    corpus = import_corpus(corpora / "groove", tmp_path / "corpus", "groove").corpus
    for file in corpus.files:
        style, tempo, kind = file.title.split("_")[1:4]
        assert file.tempo_bpm == float(tempo)
        assert file.kind == kind
        assert style.replace("-", "").startswith(file.genre.replace("-", ""))
    assert {file.split for file in corpus.files} == {"train", "validation"}


# --- the library ------------------------------------------------------------------------------


def test_a_fresh_library_holds_the_starter_patterns(home):
    from dj_core.music.patterns import load_patterns

    corpora = Library(home).corpora()
    assert [corpus.name for corpus in corpora] == [STARTER_CORPUS]
    patterns = load_patterns()
    assert len(corpora[0].files) == len(patterns)
    assert set(corpora[0].genres) == {pattern.genre for pattern in patterns}
    assert all(file.tempo_bpm for file in corpora[0].files)


def test_starter_patterns_are_unpacked_once(home):
    index = Library(home).corpora()[0].index_path
    modified = index.stat().st_mtime_ns
    assert Library(home).corpora()[0].index_path.stat().st_mtime_ns == modified


def test_corpora_come_and_go_by_name(folder, home):
    library = Library(home)
    library.import_corpus(folder, "mine")
    assert library.corpus("mine").genres
    library.delete_corpus("mine")
    with pytest.raises(CorpusError, match="starter"):
        library.corpus("mine")


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "x" * 65, "starter", "a\n", "<b>"])
def test_names_that_cannot_be_folders_are_refused(folder, home, name):
    with pytest.raises(DigitalDJError):
        Library(home).import_corpus(folder, name)


def test_the_starter_patterns_cannot_be_deleted(home):
    with pytest.raises(CorpusError):
        Library(home).delete_corpus(STARTER_CORPUS)


def test_a_folder_that_cannot_be_written_is_said_in_words(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    with pytest.raises(LibraryError, match="DIGITAL_DJ_HOME"):
        Library(blocked / "home").corpora()
