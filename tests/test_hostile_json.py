"""Every JSON file of a model, a run or a corpus, damaged and hostile, ends in words.

Those of the crate, sets and sessions are with the tests of what reads them.
"""

import numpy as np
import pyarrow.parquet as pq
import pytest
from hostile_json import hostile_forms, only_our_errors
from test_hostile_models import LOAD, WRITE

from dj_core.beat import Beat, Hit
from dj_core.corpus import INDEX_NAME, METADATA_KEY, Corpus, import_corpus
from dj_core.library import STARTER_STAMP, Library, _stamp_in
from dj_core.midi import save_midi
from dj_core.models.checkpoint import CARD_NAME, read_card


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
                    corpus.path_of(file)
    after = [path for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".mid"]
    assert not {path for path in after if folder not in path.parents} - set(before)
