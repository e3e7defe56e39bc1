"""Examining a model: whom it is compared with, what every family is asked, and one flat answer."""

import csv
import json
import math
import re
import sys
import types
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from test_sampling import NAMES, SPELLED, TIMED, checkpoint_of

from dj_core.cli import main
from dj_core.corpus.note_strings import note_songs
from dj_core.corpus.store import import_corpus
from dj_core.errors import CorpusError, GenerationError
from dj_core.evaluation import examination
from dj_core.evaluation.evaluation_charts import FIGURES, flat
from dj_core.evaluation.examination import examine
from dj_core.evaluation.likelihood import PatternNGram
from dj_core.evaluation.references import reference_of_corpora, reference_of_folder
from dj_core.evaluation.surprise import surprise_of
from dj_core.files.midi import save_midi
from dj_core.library.library import SHIPPED_MODELS
from dj_core.models.families import load_model
from dj_core.models.notes.note_player import NotesModel
from dj_core.models.notes.note_tokenizer import song_words
from dj_core.music.beat import Beat, Hit

ROOT = Path(__file__).resolve().parent.parent
GENRES = {
    "house": ("kick", "open_hat", "clap"),
    "rock": ("kick", "snare", "closed_hat"),
    "jazz": ("ride", "pedal_hat", "kick"),
}


def performance(genre, number, bars=8):
    """A drummer with a pattern of their own, who leaves strokes out and is never on the grid."""
    random = np.random.default_rng([number, len(genre)])
    steps = {drum: random.choice(16, 5, replace=False) for drum in GENRES[genre]}
    strokes = [
        (drum, bar * 4 + step / 4)
        for bar in range(bars)
        for drum in steps
        for step in steps[drum]
        if random.random() < 0.8
    ]
    hits = [
        Hit.of(drum, max(0.0, onset + random.normal(0, 0.02)), int(random.integers(40, 120)))
        for drum, onset in strokes
    ]
    return Beat(tuple(hits), bars=bars, tempo_bpm=float(random.integers(90, 140)))


def write_performances(folder, split_of=None):
    """36 performances in a folder per genre; with `split_of`, an info.csv that divides them."""
    rows = []
    for genre in GENRES:
        for number in range(12):
            name = f"{genre}/{number}.mid"
            save_midi(performance(genre, number), folder / name)
            rows.append((name, genre, split_of(number) if split_of else ""))
    if split_of:
        with (folder / "info.csv").open("w", newline="", encoding="utf-8") as sheet:
            csv.writer(sheet).writerows([("midi_filename", "style", "split"), *rows])
    return folder


def third_held_out(number):
    return "validation" if number % 3 == 0 else "train"


@pytest.fixture(scope="module")
def divided(tmp_path_factory):
    return write_performances(tmp_path_factory.mktemp("divided"), third_held_out)


@pytest.fixture(scope="module")
def undivided(tmp_path_factory):
    return write_performances(tmp_path_factory.mktemp("undivided"))


@pytest.fixture
def quick(monkeypatch):
    """Less of everything, where what is measured matters and not how sharply."""
    monkeypatch.setattr("dj_core.evaluation.judge.TREES", 3)
    monkeypatch.setattr("dj_core.evaluation.genre_classifier.TREES", 10)
    for name, value in (("DRIFT_BARS", 16), ("SPEED_TRIES", 2), ("SPEED_TAKES", 8)):
        monkeypatch.setattr(examination, name, value)


@pytest.fixture
def run(home, capsys):
    def run(*arguments):
        code = main([*map(str, arguments), "--json"])
        out, err = capsys.readouterr()
        return code, json.loads(out.splitlines()[-1]) if code == 0 else None, err

    return run


# -- the command ---------------------------------------------------------------------------------


def test_two_processes_find_what_one_finds(run, divided, home, quick, monkeypatch):
    # processes begun here run the main module anew; tests of pages leave a page in its place
    monkeypatch.setitem(sys.modules, "__main__", types.ModuleType("__main__"))
    asked = ("evaluate", "--reference", divided, "--clips", 10, "--seeds", "1")
    found = []
    for processes in (1, 2):
        code, answer, err = run(*asked, "--processes", processes)
        assert code == 0, err
        same = {each.name for each in FIGURES if not each.name.startswith("speed")}
        found.append({name: answer[name] for name in same})
    assert found[0] == found[1]


def test_a_folder_is_enough_to_examine_the_shipped_model(run, divided, home, tmp_path, quick):
    asked = ("evaluate", "--reference", divided, "--clips", 12, "--seeds", "2")
    code, answer, err = run(*asked, "--out", tmp_path / "out")
    assert code == 0, err
    assert {figure.name for figure in FIGURES} < set(answer)
    own_words = {"note_bits", "unknown_notes"}
    missing = {figure.name for figure in FIGURES if answer[figure.name] is None}
    assert missing == own_words
    for name in ("c2st_forest", "c2st_hits_logistic"):
        assert answer[f"{name}_excess"] == pytest.approx(answer[name] - answer[f"{name}_human"])
    assert answer["hit_bits_per_step"] > 0
    assert answer["drift_forest"] == pytest.approx(
        answer["drift_forest_last"] - answer["drift_forest_first"]
    )
    assert (answer["clips"], answer["seeds"], answer["asked_as_any"]) == (12, [2], [])
    page = Path(answer["report"]).read_text("utf-8")
    command = re.search(r"Command: `python -m dj_core (.*)`", page)[1]
    assert command.split()[:3] == ["evaluate", "--model", "groove"]
    figures = json.loads((tmp_path / "out" / "figures.json").read_text("utf-8"))
    assert figures == {figure.name: answer[figure.name] for figure in FIGURES}
    report = json.loads((tmp_path / "out" / "report.json").read_text("utf-8"))
    assert flat(report) == figures
    assert not (home / "corpora" / divided.stem).exists()


def test_a_stopped_examination_leaves_nothing_behind(divided, home, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def press_ctrl_c(*_, **__):
        assert list(tmp_path.glob("digital-dj-*"))  # the folder is imported here
        raise KeyboardInterrupt

    monkeypatch.setattr("dj_core.evaluation.examination.surprise_of", press_ctrl_c)
    assert main(["evaluate", "--reference", str(divided), "--out", str(tmp_path / "out")]) == 130
    assert not list(tmp_path.glob("digital-dj-*"))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("--reference", "/nowhere/at/all"),
        ("--corpus", "nobody"),
        ("--corpus", "starter", "--model", "nobody"),
    ],
)
def test_what_cannot_be_examined_is_said(run, arguments):
    code, _, err = run("evaluate", *arguments)
    assert code == 1
    assert err.startswith("digital-dj: ")


@pytest.mark.parametrize(
    "arguments",
    [("--seeds", "1,x"), ("--seeds", "1,1"), ("--clips", "0"), ("--split", "train"), ()],
)
def test_wrong_usage_is_exit_2(run, divided, arguments):
    against = ("--reference", divided) if arguments else ()
    with pytest.raises(SystemExit) as stopped:
        run("evaluate", *against, *arguments)
    assert stopped.value.code == 2


# -- whom it is compared with ---------------------------------------------------------------------


def test_a_folder_that_is_divided_is_taken_at_its_word(divided, undivided, tmp_path):
    own = import_corpus(undivided, tmp_path / "own", "own").corpus
    with reference_of_folder(divided, "validation", [own]) as reference:
        files = [file.name for _, file in reference.held_out_files()]
        assert len(files) == 12
        assert all(third_held_out(int(Path(name).stem)) == "validation" for name in files)
        assert len(reference.ground.train) == 24 * 2
        place = reference.corpora[0].folder
    assert not place.exists()


def test_another_folder_is_held_out_whole_beside_what_the_model_learned(undivided, tmp_path):
    folder = tmp_path / "own-files"
    write_performances(folder, lambda number: "train")
    own = import_corpus(folder, tmp_path / "own", "own").corpus
    with reference_of_folder(undivided, "validation", [own]) as reference:
        assert len(list(reference.held_out_files())) == 36
        assert len(reference.ground.held_out) == len(reference.ground.train) == 72
        assert "all of it" in reference.ground.name


def test_without_the_models_corpora_it_is_divided_by_families(undivided):
    with reference_of_folder(undivided, "validation", []) as reference:
        held_out = {file.split for _, file in reference.held_out_files()}
        assert held_out == {"validation"}
        assert len(reference.ground.train) > len(reference.ground.held_out)


def test_training_material_is_never_held_out(undivided, tmp_path):
    corpus = import_corpus(undivided, tmp_path / "own", "own").corpus
    with pytest.raises(CorpusError, match="validation or test; got 'train'"):
        reference_of_corpora([corpus], "train")


# -- likelihood ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def reference(divided):
    with reference_of_folder(divided, "validation", []) as reference:
        yield reference


@pytest.mark.parametrize("words", [NAMES, TIMED, SPELLED], ids=["names", "timed", "spelled"])
def test_a_network_without_opinions_costs_the_logarithm_of_its_words(reference, words):
    model = NotesModel("blank", checkpoint_of(replace(words, drum_map="general-midi")))
    for weight in model.checkpoint.network.parameters():
        torch.nn.init.zeros_(weight)
    surprise = surprise_of(model, reference)
    known, every, notes = 0, 0, 0
    held_out = {file.id for _, file in reference.held_out_files()}
    vocabulary = model.tokenizer.vocabulary
    for song in note_songs(reference.corpora[0]):
        if song.file_id in held_out:
            written = song_words(song, model.tokenizer.settings)
            ids = [vocabulary.ids[word] for word in written if word in vocabulary.ids]
            known += sum(model.tokenizer.words[id_].is_guessed for id_ in ids[1:])
            every += len(written)
            notes += len(song.events)
    assert 0 < surprise.unknown_words < 1
    expected = known * math.log2(len(vocabulary)) / notes
    assert surprise.words_per_note == pytest.approx(expected, rel=1e-5)
    assert surprise.notes == notes
    assert surprise.hits_per_step is None


def test_notes_numbered_otherwise_are_not_measured(reference):
    model = NotesModel("other", checkpoint_of(NAMES))
    assert model.tokenizer.settings.drum_map == "extended"
    assert surprise_of(model, reference).words_per_note is None


def test_a_groove_model_is_surprised_less_than_by_noise(reference, tmp_path):
    model = load_model(SHIPPED_MODELS / "groove")
    surprise = surprise_of(model, reference)
    random = np.random.default_rng(1)
    for number in range(6):
        hits = [
            Hit.of("kick", float(at), 90) for at in np.flatnonzero(random.random(128) < 0.5) / 4
        ]
        save_midi(Beat(tuple(hits), bars=8, tempo_bpm=120.0), tmp_path / "rock" / f"{number}.mid")
    noise = import_corpus(tmp_path / "rock", tmp_path / "noise", "noise").corpus
    noisy = surprise_of(model, replace(reference, corpora=(noise,), splits=("train", "validation")))
    assert 0 < surprise.hits_per_step < noisy.hits_per_step
    ngram = PatternNGram(cells.hits for cells in reference.ground.train_cells)
    truth = [cells.hits for cells in reference.ground.held_out_cells]
    assert ngram.bits_per_step(truth) > 0


# -- the table of figures ------------------------------------------------------------------------


def test_every_figure_has_one_name_and_stands_in_the_document():
    names = [figure.name for figure in FIGURES]
    assert len(set(names)) == len(names)
    document = (ROOT / "docs" / "evaluate.md").read_text("utf-8")
    figures, _, _ = document.partition("## The dance floor")
    told = re.findall(r"^\| `(\w+)` \| (.+) \|$", figures, re.MULTILINE)
    assert told == [(figure.name, figure.meaning) for figure in FIGURES]


def test_an_examination_without_seeds_is_refused(reference):
    with pytest.raises(GenerationError, match="needs seeds"):
        examine(load_model(SHIPPED_MODELS / "groove"), reference, seeds=())


def test_the_same_seed_gives_the_same_figures_and_progress_only_grows(reference, quick):
    model, told = NotesModel("tiny", checkpoint_of(TIMED)), []
    one, two = (
        examine(
            model, reference, clips=10, seeds=(1,), progress=lambda words, share: told.append(share)
        )
        for _ in range(2)
    )
    measured = [{**each, "speed": None, "figures": None} for each in (one, two)]
    assert measured[0] == measured[1]
    first = told[: len(told) // 2]
    assert first == sorted(first)
    assert (first[0], first[-1]) == (0.0, pytest.approx(1.0))
    figures = one["figures"]
    assert figures["c2st_forest"] > 0.5
    assert figures["hit_bits_per_step"] is None
    assert figures["hit_bits_per_step_ngram"] > 0
    assert one["asked_as_any"] == ["house"]
