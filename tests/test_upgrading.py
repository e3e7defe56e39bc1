"""What a DJ made with an earlier version is there after an upgrade.

`homes/` has a DJ's folder per version, made by that version: four starter patterns as the corpus
`mine`, two beats in the crate, a take with an edit, the set *Friday*, and the training run `first`,
stopped after 8 of 60 epochs.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dj_core.library.kept_beats import Crate
from dj_core.library.library import Library
from dj_core.library.take_history import History
from dj_core.models.families import load_model
from dj_core.models.request import GenerationRequest
from dj_core.models.run_folder import STATUS_NAME
from dj_core.sets.saved_sets import load_set, saved_sets

HOMES = sorted((Path(__file__).parent / "homes").glob("*.zip"))
SESSION = "0123456789abcdef0123456789abcdef"


@pytest.fixture(params=HOMES, ids=lambda path: path.stem)
def upgraded(request, home, monkeypatch):
    """The folder of an earlier version, where this one looks for it."""
    shutil.unpack_archive(request.param, home)
    monkeypatch.setenv("DIGITAL_DJ_HOME", str(home))
    return home


def test_corpora_crate_takes_settings_and_sets_are_there(upgraded):
    corpus = Library.open().corpus("mine")
    of_files = [corpus.beat(file) for file in corpus.files]
    crate = Crate.open()
    kept = {item.name: item for item in crate.find()}
    opener = kept.pop("Opener")
    assert (opener.rating, opener.notes, set(opener.tags)) == (
        4,
        "the quiet one",
        {"warm", "first"},
    )
    planned = load_set(saved_sets(upgraded / "sets")[0].path)
    beats = [entry.beat for entry in planned.entries]
    assert planned.settings.name == "Friday"
    assert beats == [crate.get(item.id).beat for item in (opener, *kept.values())]
    history = History(upgraded, SESSION)
    take = history.take(1)
    assert take.settings == {"genre": "house", "bars": 4, "seed": 3}
    assert take.edit == {"swing": 0.55}
    assert history.take_shown_beside({"kit": "nine", "tempo": 124}) == 1
    notes = [sorted((h.lane, h.velocity) for h in beat.hits) for beat in (*beats, take.beat)]
    found = [sorted((h.lane, h.velocity) for h in beat.hits) for beat in of_files]
    assert len(found) == 4
    assert all(strokes in found for strokes in notes)


def test_a_run_plays_and_goes_on(upgraded):
    library = Library.open()
    (run,) = library.runs()
    assert (run.name, run.state) == ("first", "stopped")
    request = GenerationRequest(bars=2, seed=1)
    assert load_model(library.model("first").folder).generate(request).beat.bars == 2
    program = [sys.executable, "-m", "dj_core", "train", "--run", "first", "--resume", "--json"]
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    status = json.loads((upgraded / "runs" / "first" / STATUS_NAME).read_text("utf-8"))
    assert status["state"] == "finished"
