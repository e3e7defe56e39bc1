"""A catalogue finds and counts what looking at every file finds and counts."""

from collections import Counter

import pytest

from dj_core.corpus.search import FileFilter, catalogue_of
from dj_core.corpus.store import import_corpus
from dj_core.files.midi import save_midi
from dj_core.music.beat import Beat, Hit
from dj_core.music.drums import LANE

GENRES = ("House", "Rock", "nowhere known")
DRUMS = ("kick", "snare", "closed_hat", "conga")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Fifty files, no two alike in all."""
    source = tmp_path_factory.mktemp("source")
    for number in range(50):
        drums = [name for place, name in enumerate(DRUMS) if (number % 15 + 1) >> place & 1]
        bars = 1 + number % 3
        hits = tuple(Hit.of(name, 4 * bars - 1 - place) for place, name in enumerate(drums))
        tempo_bpm = None if number % 4 == 0 else 80.5 + number
        kind = "Fill" if number % 5 == 0 else "beat"
        folder = source / GENRES[number % 3] if number % 7 else source
        save_midi(
            Beat(hits, bars, tempo_bpm=tempo_bpm), folder / f"{kind} É{number}.mid", "as-in-corpus"
        )
    return import_corpus(source, tmp_path_factory.mktemp("home") / "corpus", "mine").corpus


def words_in(*words):
    return lambda file: all(word in file.name.lower() for word in words)


WANTED = {
    "everything": (FileFilter(), lambda file: True),
    "words": (FileFilter(words="É1 FILL"), words_in("é1", "fill")),
    "signs": (FileFilter(words=".m%"), words_in(".m%")),
    "genres": (
        FileFilter(genres=frozenset({"rock", "house"})),
        lambda file: file.genre in ("rock", "house"),
    ),
    "a genre nobody has": (FileFilter(genres=frozenset({"polka"})), lambda file: False),
    "fills": (FileFilter(kind="fill"), lambda file: file.kind == "fill"),
    "length": (FileFilter(bars=(2, 3)), lambda file: 2 <= file.bars <= 3),
    "tempo": (
        FileFilter(tempo_bpm=(101.5, 120.0)),
        lambda file: 101.5 <= file.playing_tempo_bpm <= 120,
    ),
    "drums": (
        FileFilter(lanes=frozenset({LANE["kick"], LANE["conga"]})),
        lambda file: {LANE["kick"], LANE["conga"]} <= set(file.lanes),
    ),
    "all at once": (
        FileFilter("beat", frozenset({"rock"}), (80.0, 200.0), (1, 2), frozenset({0}), "beat"),
        lambda file: (
            "beat" in file.name.lower()
            and file.genre == "rock"
            and 80 <= file.playing_tempo_bpm <= 200
            and file.bars <= 2
            and file.lane_hits[0]
            and file.kind == "beat"
        ),
    ),
}


@pytest.mark.parametrize("name", WANTED)
def test_a_search_finds_the_files_that_match(corpus, name):
    wanted, matches = WANTED[name]
    expected = tuple(file for file in corpus.files if matches(file))
    catalogue = catalogue_of(corpus)
    assert catalogue.files_at(catalogue.find(wanted)) == expected
    assert len(expected) < len(corpus.files) or name == "everything"


def test_numbers_are_those_of_the_files(corpus):
    catalogue = catalogue_of(corpus)
    assert len(catalogue) == len(corpus.files) == 50
    assert catalogue.count_genres() == dict(Counter(file.genre for file in corpus.files))
    counts = list(catalogue.count_genres().values())
    assert counts == sorted(counts, reverse=True)
    assert list(catalogue.count_bars().items()) == sorted(
        Counter(file.bars for file in corpus.files).items()
    )
    assert list(catalogue.count_drums().items()) == sorted(
        Counter(lane for file in corpus.files for lane in file.lanes).items()
    )
    assert catalogue.bars.sum() == corpus.bars


def test_a_file_found_is_the_file_that_is_heard(corpus):
    catalogue = catalogue_of(corpus)
    (row, *_) = catalogue.find(FileFilter(words="É17"))
    (file,) = catalogue.files_at([row])
    assert corpus.beat(file).title == file.title == "beat É17"


def test_a_corpus_that_grew_has_another_catalogue(tmp_path):
    source = tmp_path / "source"
    for number in range(2):
        save_midi(Beat((Hit.of("kick", number),), 1), source / f"{number}.mid")
        corpus = import_corpus(source, tmp_path / "corpus", "mine").corpus
        catalogue = catalogue_of(corpus)
        assert len(catalogue) == number + 1
        if number == 0:
            before = catalogue
    (file,) = before.files_at([0])  # a page that is still drawn from the one before
    assert before.corpus.beat(file).title == "0"
