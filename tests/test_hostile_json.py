"""Every JSON file of a model, a run or a corpus, damaged and hostile, ends in words.

Those of the crate, sets and sessions are with the tests of what reads them.
"""

import json
from dataclasses import asdict

import numpy as np
import pyarrow.parquet as pq
import pytest
from hostile_json import hostile_forms, only_our_errors
from test_hostile_models import LOAD, WRITE

from dj_core.corpus.store import INDEX_NAME, METADATA_KEY, Corpus, import_corpus
from dj_core.files.midi import save_midi
from dj_core.library.library import STARTER_STAMP, Library, _stamp_in
from dj_core.library.training_jobs import list_runs, resume_training, start_training
from dj_core.models.checkpoint import CARD_NAME, read_card
from dj_core.models.families import read_run_settings, settings_from
from dj_core.models.run_folder import PROGRESS_NAME, SETTINGS_NAME, STATUS_NAME, read_progress
from dj_core.music.beat import Beat, Hit


@pytest.fixture(autouse=True)
def no_second_look(monkeypatch):
    """Do not wait for a training run that may be writing."""
    monkeypatch.setattr("dj_core.models.checkpoint.SECONDS_TO_RETRY", 0.0)


@pytest.mark.parametrize("family", WRITE)
def test_cards(family, tmp_path):
    folder = tmp_path / "models" / "mine"
    WRITE[family](folder)
    card = (folder / CARD_NAME).read_bytes()
    library = Library(tmp_path)
    for form in hostile_forms(card):
        (folder / CARD_NAME).write_bytes(form.content)
        with only_our_errors(form):
            read_card(folder)
        with only_our_errors(form):
            LOAD[family](folder)
        with only_our_errors(form):
            library.models(), library.broken_models()


@pytest.fixture
def run(home, monkeypatch):
    """A run that has begun, as far as its process."""
    monkeypatch.setattr(
        "dj_core.library.training_jobs.subprocess.Popen", lambda *_, **__: NoProcess()
    )
    start_training(home, "night", corpora=["starter"], preset="groove")
    folder = home / "runs" / "night"
    step = {
        "epoch": 1, "epochs": 6, "step": 4, "steps": 9, "train_loss": 1.5, "train_accuracy": 0.5,
        "validation_loss": 1.25, "validation_accuracy": 0.4, "notes_per_second": 80.0,
        "seconds": 3.5, "seconds_left": 9.0, "finished": False, "take": "epoch-0001.mid",
    }  # fmt: skip
    (folder / PROGRESS_NAME).write_text(json.dumps(step) + "\n")
    settings = asdict(settings_from("groove", corpora=("starter",)))
    (folder / SETTINGS_NAME).write_text(json.dumps({"family": "groove", **settings}))
    assert read_progress(folder)[0].take == folder / "takes" / "epoch-0001.mid"
    assert read_run_settings(folder).corpora == ("starter",)
    return folder


class NoProcess:
    pid = 2**22 + 1

    def wait(self):
        pass


@pytest.mark.parametrize("name", [STATUS_NAME, SETTINGS_NAME, PROGRESS_NAME, "pid"])
def test_files_of_a_run(name, run, home):
    path = run / name
    for form in hostile_forms(path.read_bytes().strip()):
        path.write_bytes(form.content)
        with only_our_errors(form):
            list_runs(run.parent)
        with only_our_errors(form):
            read_run_settings(run)
        with only_our_errors(form):
            read_progress(run)
        with only_our_errors(form):
            resume_training(home, run.name)
        (run / STATUS_NAME).write_text('{"state": "stopped", "message": ""}')


def test_an_index_of_a_corpus_and_the_stamp_of_the_starter_patterns(home, tmp_path):
    beat = Beat((Hit.of("kick", 0), Hit.of("snare", 1)), bars=1)
    save_midi(beat, tmp_path / "in" / "1.mid")
    library = Library(home)
    folder = library.import_corpus(tmp_path / "in", "mine").corpus.folder
    table = pq.read_table(folder / INDEX_NAME)
    facts = table.schema.metadata[METADATA_KEY]
    for number, form in enumerate(hostile_forms(facts)):
        pq.write_table(
            table.replace_schema_metadata({METADATA_KEY: form.content}), folder / INDEX_NAME
        )
        with only_our_errors(form):
            corpus = Corpus(folder)
            [corpus.content(file) for file in corpus.files]
        with only_our_errors(form):
            library.corpora()
        if number % 20 == 0:  # a quarter of a second each
            with only_our_errors(form):
                import_corpus(tmp_path / "in", folder, "mine")
    stamp = library.corpora_folder / "starter" / STARTER_STAMP
    genuine = stamp.read_bytes()
    for form in hostile_forms(genuine):
        stamp.write_bytes(form.content)
        with only_our_errors(form):
            _stamp_in(stamp.parent)
    assert library.corpora()


ODD_CELLS = {
    "id": ["", "../../../x", "x" * 64, None], "pack": ["", "../../../etc/passwd", None],
    "meter": ["", "4", "0/0", "99999999999/4", None], "offset_bytes": [-1, 2**62, None],
    "size_bytes": [-1, 2**31 - 1, None], "bars": [-1, 0, 2**31 - 1, None],
    "tempo_bpm": [np.nan, np.inf, -1.0, 0.0, None], "genre": [None, "", "x" * 99_999],
    "name": [None, "", "../x"], "kind": [None, "odd"], "split": [None, "odd"], "hits": [None, -1],
    "drum_map": [None, "odd"],
}  # fmt: skip


def test_an_index_whose_cells_are_odd(home, tmp_path):
    """A corpus that was fetched may say anything of where its files lie."""
    import pyarrow as pa

    beat = Beat((Hit.of("kick", 0), Hit.of("snare", 1)), bars=1)
    save_midi(beat, tmp_path / "in" / "1.mid")
    folder = Library(home).import_corpus(tmp_path / "in", "mine").corpus.folder
    table = pq.read_table(folder / INDEX_NAME)
    before = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    from hostile_json import Form

    for name, values in ODD_CELLS.items():
        for value in values:
            place = table.column_names.index(name)
            column = pa.array([value], table.schema.types[place])
            pq.write_table(table.set_column(place, name, column), folder / INDEX_NAME)
            with only_our_errors(Form(f"{name} is {value!r:.40}", b"")):
                corpus = Corpus(folder)
                for file in corpus.files:
                    corpus.content(file)
                    corpus.beat(file)
    after = [path for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".mid"]
    assert not {path for path in after if folder not in path.parents} - set(before)
