"""The same seed, the same beat: the shipped models play the takes that were recorded of them."""

import json

import pytest

from scripts.record_takes import MODELS, RECORD, played, weights

RECORDED = json.loads(RECORD.read_text("utf-8"))
ADVICE = "Where that is meant, run `python -m scripts.record_takes` and say so in CHANGELOG.md."


@pytest.mark.parametrize("name", MODELS)
def test_a_shipped_model_plays_what_was_recorded_of_it(name):
    recorded = RECORDED[name]
    assert recorded["weights"] == weights(name)["weights"], f"Other weights. {ADVICE}"
    takes = played(name)
    other = sorted(told for told in takes if takes[told] != recorded.get(told))
    assert not other, f"{len(other)} of {len(takes)} takes differ: {other}. {ADVICE}"
    assert recorded.keys() == {"weights", *takes}
