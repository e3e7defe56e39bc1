"""One list of presets over both families: every one can be started, tuned and read back."""

from dataclasses import asdict

import pytest

from dj_core.errors import TrainingError
from dj_core.files.storage import write_json_atomic
from dj_core.models.families import (
    TUNABLE,
    expected_seconds,
    family_of,
    presets,
    read_run_settings,
    settings_from,
    train_run,
    tunables,
)
from dj_core.models.groove.groove_training import GrooveTrainingSettings
from dj_core.models.run_folder import SETTINGS_NAME


def test_the_groove_presets_are_offered_first():
    assert list(presets())[:2] == ["groove", "groove-quick"]
    assert {"notes-rhythm", "paper-2x32"} < set(presets())


@pytest.mark.parametrize("preset", presets())
def test_every_preset_is_read_back_and_tuned_by_the_same_names(preset, tmp_path):
    usual = tunables(preset)
    assert set(usual) <= set(TUNABLE)
    assert all(one.low <= one.usual <= one.high for one in usual.values())
    changed = {"epochs": 3, "batch_size": 5, "seed": 9}
    changed = {name: value for name, value in changed.items() if name in usual}
    settings = settings_from(preset, corpora=["a", "b"], **changed)
    family = family_of(settings)
    assert (settings.preset, settings.corpora) == (preset, ("a", "b"))
    for name in usual:
        value = getattr(settings, family.own_names.get(name, name))
        assert value == changed.get(name, usual[name].usual)
    write_json_atomic(tmp_path / SETTINGS_NAME, {"family": family.name, **asdict(settings)})
    assert read_run_settings(tmp_path) == settings


@pytest.mark.parametrize("preset", ["groove", "paper-2x32"])
@pytest.mark.parametrize(
    "wrong", [{"hidden": 0}, {"epochs": 0}, {"learning_rate": 2.0}, {"dropout": 1.0}, {"speed": 3}]
)
def test_a_setting_out_of_range_is_refused(preset, wrong):
    with pytest.raises(TrainingError, match=next(iter(wrong))):
        settings_from(preset, corpora=["a"], **wrong)


def test_what_only_one_family_can_do_is_said():
    with pytest.raises(TrainingError, match="notes preset"):
        settings_from("groove", corpora=["a"], all_data=True)
    assert settings_from("paper-2x32", corpora=["a"], all_data=True).all_data
    with pytest.raises(TrainingError, match=r"groove, groove-quick.*'grove'"):
        settings_from("grove", corpora=["a"])


@pytest.mark.parametrize("content", [None, b"", b"[]", b'{"streams": "many"}', b'{"layers": 99}'])
def test_settings_that_cannot_be_read_are_no_run(tmp_path, content):
    if content is not None:
        (tmp_path / SETTINGS_NAME).write_bytes(content)
    with pytest.raises(TrainingError, match=r"run|whole number"):
        read_run_settings(tmp_path)


def test_nothing_to_learn_from_is_said_before_a_folder_is_made(tmp_path):
    with pytest.raises(TrainingError, match="no songs"):
        list(train_run(settings_from("paper-2x32", corpora=[]), [], tmp_path / "run"))
    assert not (tmp_path / "run" / SETTINGS_NAME).exists()


def test_a_groove_run_takes_as_long_whatever_the_corpus():
    groove = settings_from("groove", corpora=[])
    assert isinstance(groove, GrooveTrainingSettings)
    assert expected_seconds(groove, 10) == expected_seconds(groove, 10_000) > 60
    notes = settings_from("notes-rhythm", corpora=[])
    assert expected_seconds(notes, 2_000) == pytest.approx(2 * expected_seconds(notes, 1_000))
    assert expected_seconds(settings_from("paper-1x128", corpora=[]), 100) is None
