"""Importing: from real corpora, small ones made here, and sources that mean harm."""

import json
import zipfile
from collections import Counter, defaultdict

import pytest
from pyarrow import parquet

from dj_core.beat import Beat, Hit
from dj_core.corpus import Corpus, import_corpus
from dj_core.errors import CorpusError, DigitalDJError, LibraryError
from dj_core.families import assign_families, assign_splits, sketch_beat
from dj_core.library import STARTER_CORPUS, Library
from dj_core.limits import LIMITS
from dj_core.midi import midi_bytes, read_midi


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
    corpus = import_corpus(folder, tmp_path / "corpus", "mine").corpus
    hits = {file.title: file.hits for file in corpus.files}
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


def test_a_damaged_index_is_said_in_words(folder, tmp_path):
    corpus = import_corpus(folder, tmp_path / "corpus", "mine").corpus
    corpus.index_path.write_bytes(corpus.index_path.read_bytes()[:100])
    with pytest.raises(CorpusError, match="Import it again"):
        Corpus(tmp_path / "corpus")


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


def test_a_file_can_be_had_as_one_of_its_own(folder, tmp_path):
    corpus = import_corpus(folder, tmp_path / "corpus", "mine").corpus
    for file in corpus.files:
        path = corpus.path_of(file)
        assert path.read_bytes() == (folder / file.name).read_bytes()
        path.write_bytes(b"")  # cut off by a power cut
        assert corpus.path_of(file).read_bytes() == corpus.content(file)


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


def made_format_1(corpus):
    """Lay a corpus out as Digital DJ did before there were packs."""
    for file in corpus.files:
        corpus.path_of(file)
    for pack in (corpus.folder / "files").glob("*.pack"):
        pack.unlink()
    table = parquet.read_table(corpus.index_path)
    facts = json.loads(table.schema.metadata[b"digital-dj"]) | {"format_version": 1}
    table = table.drop_columns(["pack", "offset_bytes", "size_bytes"])
    table = table.replace_schema_metadata({b"digital-dj": json.dumps(facts).encode()})
    parquet.write_table(table, corpus.index_path)


def test_a_corpus_of_format_1_is_read_and_added_to(folder, tmp_path):
    before = import_corpus(folder, tmp_path / "corpus", "mine").corpus
    files, beats = before.files, [before.beat(file) for file in before.files]
    made_format_1(before)
    old = Corpus(tmp_path / "corpus")
    assert old.files == files
    assert [old.beat(file) for file in old.files] == beats
    (folder / "House" / "zzz.mid").write_bytes(midi_bytes(beat_of(3)))
    grown = import_corpus(folder, tmp_path / "corpus", "mine").corpus
    assert [grown.beat(file).hits for file in grown.files] == [
        *(beat.hits for beat in beats),
        read_midi(folder / "House" / "zzz.mid").hits,
    ]
    assert {file.kept.pack != "" for file in grown.files[:-1]} == {False}
    assert grown.files[-1].kept.pack


def test_a_corpus_that_shares_nothing_new_is_left_alone(folder, tmp_path):
    corpus = import_corpus(folder, tmp_path / "corpus", "mine").corpus
    written = corpus.written
    assert import_corpus(folder, tmp_path / "corpus", "mine").corpus.written == written
    assert import_corpus(folder, tmp_path / "corpus", "renamed").corpus.name == "renamed"


# --- families and splits ----------------------------------------------------------------------


def test_near_duplicates_are_one_family_and_strangers_are_not():
    base = beat_of(0, 2, 4, 6, 8, 10, 12, 14)
    close = beat_of(0, 2, 4, 6, 8, 10, 12, 15)
    far = beat_of(1, 3, 5, 7, 9, 11, 13, 15, drum="snare")
    assert assign_families([sketch_beat(beat) for beat in (base, close, far)]) == [0, 0, 1]


def test_a_shared_full_bar_makes_kin_of_beats_of_any_length():
    bar = [Hit.of("closed_hat", step / 4) for step in range(12)]
    short = Beat(tuple(bar), bars=1)
    extra = [Hit.of("snare", 4 + step / 4) for step in range(16)]
    long = Beat(tuple(bar + extra), bars=2)
    assert assign_families([sketch_beat(short), sketch_beat(long)]) == [0, 0]


def test_splits_keep_families_whole_and_come_near_the_papers_shares():
    families = [number // 3 for number in range(900)]
    splits = assign_splits(families, ["rock"] * 600 + ["soul"] * 300)
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
    from dj_core.patterns import load_patterns

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
