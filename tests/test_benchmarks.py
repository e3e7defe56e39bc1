"""The benchmarks themselves: that they run, measure what they say, and tell it."""

import pytest
import torch

from benchmarks.speed import importing, playing, rendering, training
from benchmarks.speed.measure import Row, ratio_of
from benchmarks.speed.report import as_json, as_markdown
from dj_core.files.midi import save_midi
from dj_core.music.patterns import load_patterns


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_a_ratio_says_how_many_times_better():
    slow, quick = Row("a", "slow", 6.0, "ms"), Row("a", "quick", 2.0, "ms", against="slow")
    low, high = Row("b", "low", 2.0, "bars/s", True), Row("b", "high", 8.0, "bars/s", True, "low")
    rows = [slow, quick, low, high, Row("c", "alone", 1.0, "s", against="slow")]
    assert [ratio_of(row, rows) for row in rows] == [None, 3.0, None, 4.0, None]


def test_results_stand_beside_those_before():
    first = as_json([Row("a", "ours", 4.0, "ms"), Row("b", "kept", 1.0, "s")], {}, "bench", [])
    now = as_json([Row("a", "ours", 2.0, "ms")], {"processor": "one"}, "bench", first["rows"])
    table = as_markdown(now)
    assert "| a | ours | 2 ms | 4 |" in table
    assert "| b | kept | 1 s |" in table
    assert "- processor: one" in table


def test_imports_are_measured_beside_four_parsers(tmp_path):
    files = [
        save_midi(beat, tmp_path / f"{number}.mid")
        for number, beat in enumerate(load_patterns()[:4])
    ]
    rows = list(importing.rows(files, "tiny"))
    assert {"music21", "pretty_midi", "mido", "symusic", "strict check", "import"} <= {
        row.name for row in rows
    }
    assert all(row.value > 0 for row in rows)
    ratios = [ratio_of(row, rows) for row in rows if row.against]
    assert all(ratios)


def test_playing_is_measured_beside_the_roofline_and_the_papers_loop():
    rows = [*playing.groove_rows((1, 2)), *playing.notes_rows(12)]
    assert [row.name for row in rows] == [
        "roofline", "1 at once", "2 at once", "whole song re-read", "state carried", "ours",
    ]  # fmt: skip
    assert all(row.value > 0 for row in rows)


def test_training_is_measured_step_by_step():
    rows = list(training.rows(training.songs(8, 40), (1, 2)))
    assert len(rows) == 4
    assert all(row.value > 0 for row in rows)


def test_rendering_is_measured():
    rows = list(rendering.rows(load_patterns()[0]))
    assert [row.unit for row in rows][-2:] == ["x real time", "ms"]
    assert all(row.value > 0 for row in rows)
