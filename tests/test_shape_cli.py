"""The verbs that shape a beat, as the command line answers them."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from dj_core.cli import main
from dj_core.files.midi import read_beat, read_midi, save_midi
from dj_core.music.as_played import as_played, play_seed
from dj_core.music.beat import Beat, Hit
from dj_core.music.drums import LANE


@pytest.fixture
def groove_file(tmp_path, home):
    hits = [Hit.of("closed_hat", q / 2) for q in range(16)]
    hits += [Hit.of("kick", 2.0 * q) for q in range(4)]
    hits += [Hit.of("snare", 1 + 2.0 * q) for q in range(4)]
    beat = Beat(tuple(hits), bars=2, tempo_bpm=96.0, genre="funk")
    return save_midi(beat, tmp_path / "groove.mid")


@pytest.fixture
def answer_of(capsys):
    def answer(*arguments):
        assert main([*map(str, arguments), "--json"]) == 0
        return json.loads(capsys.readouterr().out.splitlines()[-1])

    return answer


def places(beat, drum):
    return [(h.onset_quarters, h.velocity) for h in beat.hits if h.lane == LANE[drum]]


def test_vary_keeps_what_it_is_told_to_keep(groove_file, answer_of, tmp_path):
    found = answer_of("vary", groove_file, "--keep", "kick,snare", "--count", 3,
                      "--out", tmp_path / "out")  # fmt: skip
    assert len(found["files"]) == 3
    original = read_midi(groove_file)
    beats = [read_midi(Path(file)) for file in found["files"]]
    for beat in beats:
        assert places(beat, "kick") == places(original, "kick")
        assert places(beat, "snare") == places(original, "snare")
        assert beat.bars == 2
    assert len({beat.hits for beat in beats}) == 3


def test_vary_without_a_lock_is_a_ladder(groove_file, answer_of, tmp_path):
    found = answer_of("vary", groove_file, "--count", 2, "--out", tmp_path)
    assert found["distances"] == sorted(found["distances"])


def test_humanize_writes_one_file(groove_file, answer_of, tmp_path):
    found = answer_of("humanize", groove_file, tmp_path / "played.mid", "--amount", 0.9)
    assert found["files"] == [str(tmp_path / "played.mid")]
    played = read_midi(tmp_path / "played.mid")
    assert len(played.hits) == len(read_midi(groove_file).hits)
    assert len({velocity for _, velocity in places(played, "closed_hat")}) > 3


def test_tighten_undoes_timing(groove_file, answer_of, tmp_path):
    answer_of("humanize", groove_file, tmp_path / "played.mid")
    answer_of("tighten", tmp_path / "played.mid", tmp_path / "tight.mid")
    tight = read_midi(tmp_path / "tight.mid")
    assert all(abs(h.onset_quarters * 4 - round(h.onset_quarters * 4)) < 0.01
               for h in tight.hits if h.onset_quarters < 7.8)  # fmt: skip


def test_alive_gives_each_hit_the_models_chance_and_writes_it_as_played(
    groove_file, answer_of, tmp_path
):
    alive, played, none = (tmp_path / f"{name}.mid" for name in ("alive", "played", "none"))
    once = [Hit.of("cowbell", 3.25), Hit.of("high_tom", 5.75), Hit.of("kick", 6.75)]
    longer = as_played(read_beat(groove_file), 4, 0)
    groove_file = save_midi(replace(longer, hits=(*longer.hits, *once)), groove_file)
    chances = answer_of("alive", groove_file, alive)["chances"]
    beat = read_beat(alive)
    by_place = {(hit.drum.name, hit.onset_quarters): hit.condition for hit in beat.hits}
    assert by_place["cowbell", 3.25].chance_percent < 50  # the model did not expect it
    assert chances == [hit.condition.chance_percent if hit.condition else 100 for hit in beat.hits]
    assert min(chances) < 50 < 95 < max(chances)
    answer_of("alive", groove_file, played, "--as-played", 16)
    assert read_beat(played).hits == as_played(beat, 16, play_seed(beat)).hits
    assert len(read_beat(played).hits) < 4 * len(beat.hits)
    assert answer_of("alive", groove_file, none, "--amount", 0)["chances"] == [100] * len(beat.hits)
    assert not read_beat(none).has_conditions


def test_continue_adds_bars(groove_file, answer_of, tmp_path):
    (file,) = answer_of("continue", groove_file, "--bars", 2, "--out", tmp_path)["files"]
    longer = read_midi(Path(file))
    assert longer.bars == 4
    (file,) = answer_of("continue", groove_file, "--from-bar", 1, "--bars", 1, "--only-new",
                        "--out", tmp_path)["files"]  # fmt: skip
    assert read_midi(Path(file)).bars == 1


def test_fill_and_adjust_answer_with_files(groove_file, answer_of, tmp_path):
    (file,) = answer_of("fill", groove_file, "--half", "--out", tmp_path)["files"]
    assert read_midi(Path(file)).hits != read_midi(groove_file).hits
    found = answer_of("adjust", groove_file, "--swing", 2, "--out", tmp_path)
    assert found["after"]["swing"] > found["before"]["swing"] + 2
    assert found["after"]["density"] == found["before"]["density"]


def test_morph_goes_from_a_to_b(groove_file, answer_of, tmp_path):
    other = save_midi(Beat((Hit.of("crash", 0.0),), bars=1, tempo_bpm=90.0), tmp_path / "b.mid")
    found = answer_of("morph", groove_file, other, "--steps", 4, "--out", tmp_path / "out")
    assert len(found["files"]) == 4
    assert found["distance_from_a"] == sorted(found["distance_from_a"])
    assert found["distance_to_b"] == sorted(found["distance_to_b"], reverse=True)
    first = read_midi(Path(found["files"][0]))
    assert first.hits == read_midi(groove_file).hits


def test_tap_builds_on_times_or_a_drum(groove_file, answer_of, tmp_path):
    found = answer_of("tap", "--taps", "0,0.5,1.0,1.5", "--tempo-bpm", 120, "--genre", "house",
                      "--out", tmp_path)  # fmt: skip
    beat = read_midi(Path(found["files"][0]))
    assert [onset for onset, _ in places(beat, "kick")] == [0, 1, 2, 3]
    (file,) = answer_of("tap", "--file", groove_file, "--drum", "snare", "--bars", 1,
                        "--out", tmp_path)["files"]  # fmt: skip
    assert [onset for onset, _ in places(read_midi(Path(file)), "snare")] == [1, 3]


def test_nearest_says_how_near_each_bar_is(groove_file, answer_of):
    found = answer_of("nearest", groove_file)
    assert [bar["bar"] for bar in found["bars"]] == [1, 2]
    assert len(found["usual"]["share_within"]) == 3


def test_what_cannot_be_done_is_said_in_a_sentence(groove_file, capsys):
    assert main(["vary", str(groove_file), "--keep", "gong"]) == 1
    assert "No drum is called 'gong'" in capsys.readouterr().err
    assert main(["fill", str(groove_file), "--every-bars", "4"]) == 1
    assert "less than a phrase" in capsys.readouterr().err
