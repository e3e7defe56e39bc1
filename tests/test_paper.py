"""The reproduction: its measure, its floor, its parts, and that it can be gone on with."""

import csv
import io
import math
import re
import xml.etree.ElementTree as ElementTree
from collections import Counter
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dj_core.cli import main
from dj_core.corpus.note_strings import NoteEvent, NoteSong
from dj_core.errors import BeatError, CorpusError, LibraryError, TrainingError
from dj_core.library.library import PRODUCT_FOLDER
from dj_core.models.notes.note_tokenizer import NotesSettings, NotesTokenizer
from dj_core.models.notes.note_training import NOTE_PRESETS, NoteTrainingSettings
from dj_core.music.beat import Beat, Hit, Meter
from dj_core.paper import reproduction
from dj_core.paper.facts import corpus_facts, split_leak, vocabulary_by_naming
from dj_core.paper.ngram import NoteNGram
from dj_core.paper.plan import BEST, FINAL, PLAN
from dj_core.paper.reproduction import Material, few_songs, reproduce
from dj_core.paper.results import load_results, save_results
from dj_core.paper.scoring import (
    NoteScore,
    SongScore,
    authors_accuracy,
    measured_words,
    score_network,
    score_ngram,
)
from dj_core.paper.songs import OPENINGS, KeptSong, beat_of, greedy_after
from dj_core.paper.story import all_claims, sentences
from dj_core.paper.structure import STEPS_PER_BAR, _bars_right, chorus, one_bar_share
from dj_core.paper.tables import Table, systems_table
from dj_core.sound.engraving import music_xml, staff_svg

SHIPPED = PRODUCT_FOLDER / "docs" / "reproduction"
# numbers in sentences that say what was done, not what came of it
SETTINGS = re.compile(
    r"Figure \d|Table \d|[Tt]emperature (of about )?[\d.]+|layers? of \d+|of \d+ units"
    r"|first \d+ notes|(of|in) 500|choruses 2 to 8|n-gram of order \d|version [\d.]+ finds"
    r"|and version [\d.]+|music21( [\d.]+)?|\([^()]* (2002|2016|2018)\)"
)
NAMES = ("C2", "C2 F#2", "D2 F#2", "F#2", "rest")


def song(number, names, split="train"):
    events = tuple(NoteEvent(name, place * 0.5, 0.5) for place, name in enumerate(names))
    bars = -(-len(names) // 8)
    return NoteSong(f"{number:064d}", "rock", split, events, 4.0, bars, "extended")


def songs():
    splits = ["train"] * 6 + ["validation"] * 2 + ["test"] * 2
    loops = (("C2 F#2", "rest", "F#2", "rest", "D2 F#2", "rest", "F#2", "C2"),
             ("C2", "F#2", "D2 F#2", "F#2", "rest", "F#2", "D2 F#2", "rest", "C2 F#2"))  # fmt: skip
    return [song(n, loops[n % 2][n % 3 :], split) for n, split in enumerate(splits)]


# -- the floor -----------------------------------------------------------------------------------


def test_witten_bell_as_counted_by_hand():
    """Songs 'a b a b' and 'a a', a vocabulary of a, b and an unheard c, order 2."""
    ngram = NoteNGram([[0, 1, 0, 1], [0, 0]], 2, 3)
    # empty context: a 4 times, b 2 times, 2 different: (count + 2 / 3) / (6 + 2)
    alone = {0: (4 + 2 / 3) / 8, 1: (2 + 2 / 3) / 8, 2: (2 / 3) / 8}
    for word, expected in alone.items():
        assert ngram.probability(word, []) == pytest.approx(expected)
    # after a: b twice, a once, 2 different; after b: a once
    assert ngram.probability(1, [0]) == pytest.approx((2 + 2 * alone[1]) / (3 + 2))
    assert ngram.probability(2, [1]) == pytest.approx((0 + 1 * alone[2]) / (1 + 1))
    assert ngram.probability(0, [2]) == pytest.approx(alone[0])  # nothing ever followed c
    losses = ngram.losses([0, 1])
    assert losses == pytest.approx([-math.log(alone[0]), -math.log((2 + 2 * alone[1]) / 5)])


texts = st.lists(st.lists(st.integers(0, 4), min_size=1, max_size=12), min_size=1, max_size=4)


@given(texts, st.integers(1, 4), st.lists(st.integers(0, 6), max_size=5))
def test_an_ngram_is_a_distribution_after_anything(counted, order, before):
    ngram = NoteNGram(counted, order, 7)
    chances = ngram.distribution(before)
    assert chances.sum() == pytest.approx(1)
    assert chances.min() > 0
    for word in range(7):
        assert ngram.probability(word, before) == pytest.approx(chances[word])


def test_an_ngram_plays_from_its_start_and_by_its_seed():
    ngram = NoteNGram([[0, 1, 2, 0, 1, 2, 0]], 3, 4)
    assert ngram.generate([0, 1], 6, 0.0, seed=1) == [0, 1, 2, 0, 1, 2]
    assert ngram.generate([0], 50, 1.0, 5) == ngram.generate([0], 50, 1.0, 5)
    with pytest.raises(TrainingError, match="order is 1 to 12; got 0"):
        NoteNGram([[0]], 0, 1)


# -- the measure ---------------------------------------------------------------------------------


class Constant(torch.nn.Module):
    """Scores every word alike but one; or says back what it reads."""

    def __init__(self, words, favourite=None):
        super().__init__()
        self.words, self.favourite = words, favourite

    def forward(self, ids, state=None):
        chosen = ids if self.favourite is None else torch.full_like(ids, self.favourite)
        return torch.nn.functional.one_hot(chosen, self.words) * 3.0, None


def tokenizer(*others, **settings):
    words = NotesSettings(drum_map="extended", **settings)
    return NotesTokenizer.for_songs(words, [*songs(), *others])


def test_loss_is_per_name_over_names_alone_and_without_the_first():
    held_out = [song(1, ["C2", "rest", "rest"]), song(2, ["D2 F#2", "rest"])]
    for words in (tokenizer(), tokenizer(*held_out, prime=True, times=True)):
        network = Constant(len(words.words), words.vocabulary.ids["rest"])
        scores = score_network(network, words, held_out)
        assert [score.notes for score in scores] == [2, 1]
        assert [score.right for score in scores] == [2, 1]
        # e^3 for rest against four other names, whatever else the vocabulary holds
        each = -math.log(math.exp(3) / (math.exp(3) + 4))
        assert [score.loss for score in scores] == pytest.approx([2 * each, each], rel=1e-5)
        assert NoteScore.of(scores).loss == pytest.approx(each, rel=1e-5)


def test_flatter_odds_make_what_was_likely_less_so():
    words = tokenizer()
    network = Constant(len(words.words), words.vocabulary.ids["rest"])
    cool, hot = (
        score_network(network, words, [song(1, ["C2", "rest"])], temperature=temperature)[0].loss
        for temperature in (1.0, 5.0)
    )
    assert cool < hot < math.log(5)


def test_the_authors_accuracy_rewards_an_echo():
    words = tokenizer()
    held_out = [song(1, ["C2", "rest", "F#2", "rest"]), song(2, ["F#2", "C2 F#2"])]
    echo = Constant(len(words.words))
    assert authors_accuracy(echo, words, held_out, 8) == 1.0
    assert NoteScore.of(score_network(echo, words, held_out, 8)).accuracy == 0.0
    resting = Constant(len(words.words), words.vocabulary.ids["rest"])
    assert authors_accuracy(resting, words, held_out, 8) == pytest.approx(4 / 14)


def test_songs_are_looped_by_whole_names():
    words = tokenizer(prime=True, times=True, ends=True)
    looped = measured_words(song(1, ["C2", "rest"]), words, 3)
    assert looped == ["<start>", "<genre:rock>", "<kind:beat>", "<bar:4>",
                      "C2", "+0.5", "rest", "+3.5", "C2", "+0.5"]  # fmt: skip
    assert measured_words(song(1, ["C2", "rest"]), tokenizer(), None) == ["C2", "rest"]


def test_bounds_hold_the_mean_and_are_the_same_every_time():
    songs = [SongScore(loss, 1, 2) for loss in (1.0, 2.0, 6.0, 3.0)]
    score = NoteScore.of(songs)
    assert (score.loss, score.accuracy, score.notes) == (1.5, 0.5, 8)
    assert score.low < score.loss < score.high
    assert NoteScore.of(songs) == score


def test_an_ngram_is_measured_on_the_same_notes():
    ngram = NoteNGram([[0, 1, 0, 1]], 2, 2)
    once, looped = score_ngram(ngram, [[0, 1], [0, 1, 0, 1, 0]])
    assert (once.notes, once.right) == (1, 1)
    assert (looped.notes, looped.right) == (4, 4)


# -- parts ---------------------------------------------------------------------------------------


def test_facts_count_what_the_paper_counts():
    facts = corpus_facts(songs())
    assert facts.songs == {"train": 6, "validation": 2, "test": 2}
    assert facts.vocabulary == len(NAMES)
    assert facts.in_place == 1.0  # these songs are even, as the paper plays all
    assert 0 < facts.copies < 1
    assert facts.unseen == 0.0


def test_the_vocabulary_depends_on_how_notes_are_written_down():
    # a kick by either of its notes, a hat struck twice, and an octave of a note
    written = [song(1, ["C4", "C2", "F#2 F#2", "F#2", "F#3"]), song(2, ["C2", "rest"])]
    assert len({event.name for item in written for event in item.events}) == 6
    assert vocabulary_by_naming(written) == {
        "durations": 6,
        "sets": 5,
        "drums": 4,
        "octaveless": 4,
        "parts": 5,
        "in_one_song": 5,
    }


def test_a_split_by_file_lets_siblings_through():
    families = {item.file_id: number % 2 for number, item in enumerate(songs())}
    assert split_leak(songs(), families, 2).siblings == 1.0
    alone = {item.file_id: number for number, item in enumerate(songs())}
    assert split_leak(songs(), alone, 2).siblings == 0.0


def test_the_form_has_twelve_bars_and_a_bar_is_right_or_wrong():
    form = list(chorus())
    assert len(form) == 12 * STEPS_PER_BAR
    assert form[: 3 * STEPS_PER_BAR] == form[STEPS_PER_BAR : 4 * STEPS_PER_BAR]
    wrong = ["x", *form[1:]]
    assert _bars_right(form + wrong, form) == [1.0, 11 / 12]
    assert _bars_right(form[:STEPS_PER_BAR] * 12, form) == [one_bar_share()]


def test_a_kept_song_is_played_evenly_or_in_its_rhythm():
    kept = KeptSong("paper-2x32", 1.0, 1, ("C2 F#2", "rest", "D2") * 40, 3)
    beat = beat_of(kept, "extended")
    assert beat.bars == 8
    assert [hit.onset_quarters for hit in beat.hits[:4]] == [0.0, 0.0, 1.0, 1.5]
    timed = replace(kept, rhythm=((0.0, 36), (0.3333, 42)), bars=2)
    beat = beat_of(timed, "general-midi")
    assert [(hit.onset_quarters, hit.drum.name) for hit in beat.hits] == [
        (0.0, "kick"),
        (0.3333, "closed_hat"),
    ]


def test_greedy_decoding_takes_the_most_probable_note_after_what_was_read():
    words = tokenizer()
    favourite = words.vocabulary.ids["F#2"]
    network = Constant(len(words.words), favourite)
    network.step = lambda id_, state: (network(torch.tensor([[id_]]))[0][0, 0], None)
    heard = greedy_after("x", SimpleNamespace(network=network, tokenizer=words), songs()[:3], 2)
    assert (heard.given, heard.distinct, heard.human) == (2, 1.0, 4.0)
    assert heard.loss == pytest.approx(-math.log(math.exp(3) / (math.exp(3) + 4)), rel=1e-5)


# -- notation ------------------------------------------------------------------------------------


def notes_of(xml):
    return ElementTree.fromstring(xml).findall(".//note")


def test_a_beat_is_written_on_a_drum_staff():
    strokes = [("kick", 0), ("closed_hat", 0), ("snare", 1), ("ride", 2 + 1 / 3), ("cowbell", 3.75)]
    xml = music_xml(Beat(tuple(Hit.of(*stroke) for stroke in strokes), bars=2))
    root = ElementTree.fromstring(xml)
    assert root.find(".//clef/sign").text == "percussion"
    assert len(root.findall(".//measure")) == 2
    placed = {
        (note.find("unpitched/display-step").text, note.find("unpitched/display-octave").text)
        for note in notes_of(xml)
        if note.find("unpitched") is not None
    }
    assert placed == {("F", "4"), ("G", "5"), ("C", "5"), ("F", "5"), ("B", "5")}
    assert root.find(".//time-modification") is not None  # the third of a quarter is a triplet
    svg = staff_svg(xml)
    assert svg.count('class="measure"') == 2
    assert ElementTree.fromstring(svg).tag.endswith("svg")


@pytest.mark.parametrize("meter", [Meter(3, 4), Meter(7, 8), Meter(12, 8)], ids=str)
def test_bars_of_any_meter_are_filled(meter):
    xml = music_xml(Beat((Hit.of("kick", 0), Hit.of("snare", 1.97)), bars=1, meter=meter))
    root = ElementTree.fromstring(xml)
    divisions = int(root.find(".//divisions").text)
    lengths = [int(note.find("duration").text) for note in notes_of(xml) if
               note.find("chord") is None]  # fmt: skip
    assert sum(lengths) == meter.bar_quarters * divisions


def test_bars_that_are_not_there_are_refused():
    beat = Beat((), bars=2)
    for first, bars in ((0, 3), (-1, 1), (2, 1), (0, 0)):
        with pytest.raises(BeatError, match="Notation shows"):
            music_xml(beat, first, bars)


# -- all of it -----------------------------------------------------------------------------------


def material(found=None):
    found = songs() if found is None else found
    families = {item.file_id: number for number, item in enumerate(found)}
    return Material("tiny", tuple(found), families, quick=True)


@pytest.fixture
def short_plan(monkeypatch):
    """The paper's final network, a cited one and ours, as small as can be."""
    wanted = (BEST, FINAL, "paper-1x128", "paper-2x32-slow", "folk-rnn-2016")
    plan = tuple(entry for entry in PLAN if entry.name in wanted)
    monkeypatch.setattr(reproduction, "PLAN", plan)
    monkeypatch.setattr("dj_core.paper.plan.QUICK_HIDDEN", 4)
    monkeypatch.setattr("dj_core.paper.songs.SONG_NOTES", 20)
    monkeypatch.setattr(reproduction, "SONG_NOTES", 20)
    monkeypatch.setattr(reproduction, "SEEDS", (1,))
    monkeypatch.setattr("dj_core.paper.structure.QUICK_STEPS", 1)
    monkeypatch.setattr("dj_core.paper.structure.SPEED_STEPS", 2)
    monkeypatch.setattr("dj_core.paper.songs.SAMPLE_TEMPERATURES", (0.5, 1.0))
    monkeypatch.setattr("dj_core.paper.structure.CHORUSES_PLAYED", 2)
    return plan


def test_one_call_makes_everything_and_another_makes_nothing_again(tmp_path, short_plan):
    told = []
    results = reproduce(material(), tmp_path, lambda doing, done: told.append((doing, done)))
    assert [system.name for system in results.systems] == [entry.name for entry in short_plan]
    assert told[-1] == ("Done", 1.0)
    assert [done for _, done in told] == sorted(done for _, done in told)
    for name in ("table-1.csv", "table-1.md", "systems.csv", "steps.md"):
        assert (tmp_path / "tables" / name).stat().st_size
    for name in ("figure-1-paper-2x32", "figure-4", "temperature-loss", "systems"):
        assert (tmp_path / "figures" / f"{name}.svg").read_bytes().startswith(b"<?xml")
        assert (tmp_path / "figures" / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "figures" / "figure-5-best.musicxml").exists()
    assert load_results(tmp_path) == results
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "parts").iterdir()}
    (tmp_path / "parts" / "form.json").unlink()  # as if it had been stopped before the end
    again = reproduce(material(), tmp_path)
    assert again.systems == results.systems
    after = {path: path.stat().st_mtime_ns for path in (tmp_path / "parts").iterdir()}
    assert [path.name for path in before if before[path] != after[path]] == ["form.json"]


def test_redrawing_the_shipped_results_gives_the_shipped_files_byte_for_byte(tmp_path, capsys):
    out, told = tmp_path / "reproduction", tmp_path / "reproduction.md"
    save_results(load_results(SHIPPED), out)
    assert main(["paper", "--redraw", "--out", str(out), "--document", str(told)]) == 0
    assert told.read_bytes() == SHIPPED.with_suffix(".md").read_bytes()
    shipped = {path.relative_to(SHIPPED): path for path in SHIPPED.rglob("*.*")}
    made = {path.relative_to(out): path for path in out.rglob("*.*") if path.name != "report.md"}
    assert set(made) == set(shipped)
    for name, path in made.items():
        if path.suffix != ".png":  # whose bytes are those of a version of a library
            assert path.read_bytes() == shipped[name].read_bytes(), name
    links = re.findall(r"\]\(([^)#]+)\)", told.read_text("utf-8"))
    assert len(links) > 12
    assert all((tmp_path / link).exists() for link in links)
    inside = re.findall(r"\]\(([^)#]+)\)", (out / "report.md").read_text("utf-8"))
    assert all((out / link).exists() for link in inside)
    assert main(["paper", "--redraw", "--out", str(tmp_path / "nowhere")]) == 1
    assert "cannot be read" in capsys.readouterr().err


def test_other_songs_are_measured_anew(tmp_path, short_plan, monkeypatch):
    monkeypatch.setattr(reproduction, "PLAN", short_plan[:2])
    parts = reproduction._Parts(tmp_path, material().fingerprint)
    assert parts.get("x", lambda: {"value": 1}) == {"value": 1}
    assert parts.get("x", lambda: {"value": 2}) == {"value": 1}
    other = reproduction._Parts(tmp_path, material(songs()[1:]).fingerprint)
    assert other.get("x", lambda: {"value": 3}) == {"value": 3}


def test_a_corpus_without_songs_to_hold_out_is_refused(tmp_path):
    with pytest.raises(CorpusError, match="too small"):
        reproduce(material(songs()[:6]), tmp_path)


def test_a_quick_run_takes_some_songs_of_each_split():
    splits = ["train", "validation", "test"] * 40
    few = few_songs([song(number, NAMES, split) for number, split in enumerate(splits)])
    assert Counter(item.split for item in few) == {"train": 32, "validation": 8, "test": 8}


def test_the_command_refuses_a_corpus_it_does_not_know(home, capsys, tmp_path):
    assert main(["paper", "--corpus", "nothing", "--out", str(tmp_path)]) == 1
    assert "no corpus called 'nothing'" in capsys.readouterr().err


def test_every_entry_of_the_plan_can_be_trained():
    for entry in PLAN:
        for quick in (False, True):
            settings = entry.settings("paper", quick)
            assert isinstance(settings, NoteTrainingSettings)
            assert settings.preset == entry.preset
        assert entry.preset in NOTE_PRESETS
    assert {"paper", "cited", "ours"} == {entry.group for entry in PLAN}


def test_tables_read_back_from_csv_and_keep_their_shape_in_markdown():
    table = Table("t", "T", ("a", "b"), (("1", 'x, "y"'), ("2", "p|q")))
    assert list(csv.reader(io.StringIO(table.csv()))) == [["a", "b"], *map(list, table.rows)]
    assert table.markdown().splitlines()[1] == "| --- | --- |"
    assert r"p\|q" in table.markdown()


def without(sentence, words):
    """A sentence without these words and without its settings."""
    for word in sorted(words, key=len, reverse=True):
        whole = rf"(?<![\d.,]){re.escape(word)}(?!\d)"
        sentence = re.sub(whole, "", sentence, count=1 if word[:1].isdigit() else 0)
    return SETTINGS.sub("", sentence)


# -- what ships ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shipped():
    return load_results(SHIPPED)


def test_the_shipped_results_are_a_full_run_and_round_trip(shipped, tmp_path):
    assert not shipped.quick
    assert shipped.corpus == "paper"
    made = [system.name for system in shipped.systems]
    assert made == [entry.name for entry in PLAN if entry.name in made]
    assert {BEST, FINAL} <= set(made)
    assert len(made) + len(shipped.missing) == len(PLAN)
    save_results(shipped, tmp_path)
    assert load_results(tmp_path) == shipped
    (tmp_path / "results.json").write_text('{"format": 1}')
    with pytest.raises(LibraryError, match="cannot be read"):
        load_results(tmp_path)


def test_notes_best_beats_everything_on_held_out_songs(shipped):
    best = shipped.system(BEST)
    for split in ("validation", "test"):
        for way in ("once", "looped"):
            floor = shipped.floor.scores[split][way].loss
            others = [s.loss(split, way) for s in shipped.systems if s.group in ("paper", "cited")]
            assert best.loss(split, way) < min([floor, *others]), (split, way)


def test_greedy_decoding_collapses_because_its_loops_are_more_probable_than_drummers(shipped):
    looped = shipped.system(BEST).loss("validation", "looped")
    for count in OPENINGS:
        assert shipped.opening(BEST, count).loss < looped / 2


def test_sampled_notes_best_plays_as_many_different_notes_as_drummers(shipped):
    facts = shipped.facts
    assert facts.song_distinct <= shipped.system(BEST).distinct["1"] <= 3 * facts.song_distinct
    assert facts.consecutive_distinct <= shipped.fresh[BEST] < shipped.fresh[FINAL]


def test_every_run_says_how_it_ended_and_none_is_shown_far_from_its_budget(shipped):
    plan = {entry.name: entry for entry in PLAN}
    for system in shipped.systems:
        entry = plan[system.name]
        assert len(system.runs) <= entry.seeds
        assert (system.budget, system.published) == (entry.epochs, entry.published)
        for run in system.runs:
            assert run.best_epoch <= run.epochs <= entry.epochs
            waited = run.epochs - run.best_epoch
            assert {
                "budget": run.epochs == entry.epochs,
                "patience": entry.patience is not None and waited >= entry.patience,
                "stopped": "stopped, unfinished" in systems_table(shipped).markdown(),
            }[run.ended], system.name


def test_every_number_in_a_sentence_is_a_cell_of_a_shipped_table(shipped):
    """A number that is no setting (see `SETTINGS`) is quoted, and stands in its table's file."""
    labels = sorted((system.label for system in shipped.systems), key=len, reverse=True)
    for name, claim in all_claims(shipped).items():
        quoted = {}
        for source in claim.sources:
            table = (SHIPPED / "tables" / f"{source.table}.csv").read_text("utf-8")
            rows = list(csv.reader(io.StringIO(table)))
            place = rows[0].index(source.column)
            assert source.text in {row[place] for row in rows if row[0] == source.row}, source
            quoted.setdefault(source.sentence, []).append(source.text)
        for text in (claim.paper, claim.here, claim.difference):
            for sentence in sentences(text):
                rest = without(sentence, [*labels, *quoted.get(sentence, [])])
                assert not re.search(r"\d", rest), (name, rest)


def test_every_claim_is_a_sentence(shipped):
    for claim in all_claims(shipped).values():
        for text in (claim.paper, claim.here, claim.difference):
            assert text.rstrip("”")[-1] in ".!"
            assert "None" not in text
            assert "nan" not in text
    assert "figure-4" not in all_claims(replace(shipped, curves={}))
