"""The table of levers: each is the recipe but for what is taken away, and a stopped one goes on."""

import shutil

import pytest

from benchmarks.groove_ablation import LEVERS, measure, settings_without
from dj_core.corpus.store import import_corpus
from dj_core.errors import TrainingError
from dj_core.files.midi import save_midi
from dj_core.models.groove.groove_training import GROOVE_PRESETS, GrooveTrainingSettings
from dj_core.music.patterns import load_patterns


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Our own patterns as a DJ's corpus; a tenth of its families is held out."""
    folder = tmp_path_factory.mktemp("patterns")
    for number, beat in enumerate(load_patterns()[::4]):
        save_midi(beat, folder / "files" / f"{number}.mid")
    return import_corpus(folder / "files", folder / "corpus", "patterns").corpus


def test_every_lever_changes_the_recipe_and_the_budget_is_one():
    recipes = {lever: settings_without(changes, 7) for lever, changes in LEVERS.items()}
    assert len({str(recipe) for recipe in recipes.values()}) == len(LEVERS)
    assert all((r.epochs, r.steps_per_epoch) == (1, 7) for r in recipes.values())
    assert isinstance(GROOVE_PRESETS["groove"], GrooveTrainingSettings)


def test_a_table_begun_is_read_not_made_again(corpus, tmp_path):
    levers = ("as it is", "no style")
    found = dict(measure([corpus], tmp_path, 1, levers))
    assert set(found) == set(levers)
    assert found["as it is"] != found["no style"]
    weights = sorted(tmp_path.rglob("weights.safetensors"))
    before = [path.stat().st_mtime_ns for path in weights]
    assert dict(measure([corpus], tmp_path, 1, levers)) == found
    assert [path.stat().st_mtime_ns for path in weights] == before
    shutil.rmtree(tmp_path / "no-style")
    assert dict(measure([corpus], tmp_path, 1, levers)) == found


def test_another_budget_wants_another_folder(corpus, tmp_path):
    dict(measure([corpus], tmp_path, 1, ["as it is"]))
    with pytest.raises(TrainingError, match="other settings"):
        dict(measure([corpus], tmp_path, 2, ["as it is"]))
