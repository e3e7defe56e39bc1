"""The command line as a user has it: exit codes, JSON, and nothing but one sentence on failure."""

import json
import subprocess
import sys
import wave
from pathlib import Path
from statistics import mean

import mido
import pytest
from conftest import PAPER_GENRES

from dj_core.cli import VERBS, main, verb_named
from dj_core.cli.generating import _different_takes
from dj_core.files.midi import midi_bytes, read_midi
from dj_core.models.request import GenerationRequest, Take
from dj_core.music.beat import Beat, Hit

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def run(home, monkeypatch, capsys):
    """Run a verb in a library of its own; returns (exit code, last JSON or None, stderr)."""
    monkeypatch.setenv("DIGITAL_DJ_HOME", str(home))

    def run(*arguments):
        try:
            code = main([*map(str, arguments), "--json"])
        except SystemExit as stopped:  # argparse leaves this way
            code = stopped.code
        out, err = capsys.readouterr()
        answer = json.loads(out.splitlines()[-1]) if out and code == 0 else None
        return code, answer, err

    return run


@pytest.fixture
def small_corpus(tmp_path):
    folder = tmp_path / "beats" / "House"
    folder.mkdir(parents=True)
    for number in range(12):
        steps = [0, 4, 8, 12, (number * 3 + 2) % 16, (number * 5 + 6) % 16]
        hits = [Hit.of("kick", step / 4) for step in steps[:4]]
        hits += [Hit.of("snare" if number % 2 else "open_hat", step / 4) for step in steps[4:]]
        beat = Beat(tuple(hits), bars=1, tempo_bpm=124.0)
        (folder / f"{number}.mid").write_bytes(midi_bytes(beat))
    return tmp_path / "beats"


def test_import_reports_files_genres_bars_and_refusals(run, small_corpus):
    (small_corpus / "House" / "broken.mid").write_text("words")
    code, answer, _ = run("import", small_corpus, "--name", "mine")
    assert code == 0
    assert (answer["files"], answer["genres"], answer["bars"]) == (12, {"house": 12}, 12)
    assert [skipped["file"] for skipped in answer["skipped"]] == ["House/broken.mid"]
    assert answer["seconds"] > 0


def test_the_papers_corpus_imports_whole(run, corpora):
    code, answer, _ = run("import", corpora / "digital-dj", "--name", "paper")
    assert code == 0
    assert answer["files"] == len(list((corpora / "digital-dj").rglob("*.mid")))
    assert answer["skipped"] == []
    again = run("import", corpora / "digital-dj", "--name", "paper")[1]
    assert {**again, "seconds": 0} == {**answer, "seconds": 0}


def test_corpora_and_models_are_listed(run):
    _, corpora, _ = run("corpora")
    assert corpora["corpora"][0]["name"] == "starter"
    _, models, _ = run("models")
    assert sum(model["default"] for model in models["models"]) == 1
    assert all(model["shipped"] for model in models["models"])
    assert {model["family"] for model in models["models"]} == {"groove", "notes"}
    assert models["broken"] == []


def test_generate_needs_no_import_and_no_training(run, tmp_path):
    code, answer, _ = run(
        "generate", "--bars", 2, "--tempo-bpm", 124, "--count", 3, "--out", tmp_path / "out"
    )
    assert code == 0
    assert len(set(answer["files"])) == len(answer["distinct_notes"]) == 3
    for name in answer["files"]:
        beat = read_midi(Path(name))
        assert (beat.bars, beat.tempo_bpm) == (2, 124.0)
        file = mido.MidiFile(name)
        channels = {m.channel for track in file.tracks for m in track if m.type == "note_on"}
        assert channels == {9}


def test_every_genre_the_default_model_lists_is_played(run, home, tmp_path, monkeypatch):
    """Three files each, all different: without a network, an import or a training run."""

    def refuse(*_):
        raise AssertionError("Nothing may be fetched.")

    monkeypatch.setattr("socket.socket.connect", refuse)
    (default,) = [model for model in run("models")[1]["models"] if model["default"]]
    assert set(PAPER_GENRES | {"house", "techno", "drum-and-bass"}) <= set(default["genres"])
    contents = set()
    for genre in default["genres"]:
        asked = ("--genre", genre, "--tempo-bpm", 137, "--bars", 2, "--count", 3, "--seed", 1)
        code, answer, err = run("generate", *asked, "--out", tmp_path / "out")
        assert code == 0, err
        for name in answer["files"]:
            contents.add(Path(name).read_bytes())
            beat, file = read_midi(Path(name)), mido.MidiFile(name)
            assert (beat.bars, beat.tempo_bpm) == (2, pytest.approx(137, abs=1e-3))
            assert beat.hits
            notes = [m for track in file.tracks for m in track if m.type == "note_on"]
            assert {m.channel for m in notes} == {9}
            ticks = {sum(m.time for m in track) for track in file.tracks}
            assert max(ticks) == 2 * 4 * file.ticks_per_beat
    assert len(contents) == 3 * len(default["genres"])
    assert not (home / "runs").exists()


def test_many_takes_are_those_made_one_by_one(run, tmp_path):
    feel = ("--kind", "fill", "--density", 3, "--feel", 0.7, "--meter", "6/8", "--bars", 1)
    many = run("generate", *feel, "--count", 9, "--seed", 5, "--out", tmp_path / "many")[1]
    for number in (0, 4, 8):
        one = run("generate", *feel, "--seed", 5 + number, "--out", tmp_path / "one")[1]
        alone = Path(one["files"][0])
        assert alone.read_bytes() == Path(many["files"][number]).read_bytes()
        assert alone.name == Path(many["files"][number]).name


class Stammerer:
    """A model to which two seeds in a row are the same beat, and that knows only so many."""

    genres = ()

    def __init__(self, beats):
        self.beats = beats

    def generate_all(self, requests):
        for request in requests:
            hit = Hit(request.seed // 2 % self.beats / 4, 0, 100)
            yield Take(Beat((hit,), 1), ())


def test_takes_that_repeat_are_left_out_while_others_are_known():
    request = GenerationRequest(bars=1, seed=1)
    takes = list(_different_takes(Stammerer(4), request, 4))
    assert sorted(take.beat.hits[0].onset_quarters for take in takes) == [0, 0.25, 0.5, 0.75]


def test_a_model_that_knows_one_beat_still_gives_as_many_as_asked():
    takes = list(_different_takes(Stammerer(1), GenerationRequest(bars=1, seed=1), 5))
    assert len(takes) == 5


def test_a_feel_changes_what_is_played(run, tmp_path):
    def strokes(*feel):
        asked = ("generate", "--genre", "rock", "--count", 8, "--out", tmp_path / "out")
        beats = [read_midi(Path(name)) for name in run(*asked, *feel)[1]["files"]]
        return [hit for beat in beats for hit in beat.hits]

    assert len(strokes("--density", 4)) > 1.5 * len(strokes("--density", 1))
    soft, loud = (strokes("--loudness", level) for level in (1, 4))
    assert mean(hit.velocity for hit in soft) < mean(hit.velocity for hit in loud) - 20


def test_the_same_seed_gives_the_same_bytes_and_another_other_ones(run, tmp_path):
    content = {}
    for folder, seed in (("a", 1), ("b", 1), ("c", 2)):
        answer = run("generate", "--seed", seed, "--notes", 60, "--out", tmp_path / folder)[1]
        content[folder] = Path(answer["files"][0]).read_bytes()
    assert content["a"] == content["b"]
    assert content["a"] != content["c"]


def test_more_temperature_gives_more_distinct_notes(run, tmp_path):
    distinct = []
    for temperature in (0, 1, 5):
        answer = run(
            "generate", "--model", "paper-2x32", "--notes", 500, "--temperature", temperature,
            "--out", tmp_path / str(temperature),
        )[1]  # fmt: skip
        distinct += answer["distinct_notes"]
    assert distinct[0] * 4 < distinct[1]
    assert distinct[1] * 2 < distinct[2]


def test_a_run_becomes_a_model_that_generates(run, small_corpus, tmp_path):
    run("import", small_corpus, "--name", "mine")
    code, answer, err = run(
        "train", "--corpus", "mine", "--preset", "paper-2x32", "--epochs", 1, "--run", "first"
    )
    assert code == 0, err
    assert (answer["run"], answer["epochs"]) == ("first", 1)
    assert answer["train_loss"] > 0
    assert answer["validation_loss"] > 0
    assert "first" in [model["name"] for model in run("models")[1]["models"]]
    code, answer, _ = run("generate", "--model", "first", "--notes", 20, "--out", tmp_path / "out")
    assert code == 0
    assert answer["model"] == "first"


def test_render_writes_a_wav_of_the_exact_length(run, tmp_path):
    midi = tmp_path / "beat.mid"
    midi.write_bytes(midi_bytes(Beat((Hit.of("kick", 0.0),), bars=2, tempo_bpm=125.0)))
    code, answer, _ = run("render", midi, "--out", tmp_path / "beat.wav", "--loop")
    assert code == 0
    assert answer["frames"] == round(2 * 4 * 60 / 125 * answer["sample_rate"])
    assert -40 < answer["peak_dbfs"] <= 0
    with wave.open(str(tmp_path / "beat.wav")) as file:
        assert (file.getnframes(), file.getnchannels()) == (answer["frames"], 2)


@pytest.mark.parametrize(
    "arguments",
    [
        ("import", "/nowhere/at/all", "--name", "x"),
        ("generate", "--model", "nobody", "--out", "no-such-folder"),
        ("generate", "--genre", "polka", "--out", "no-such-folder"),
        ("generate", "--temperature", "-1", "--out", "no-such-folder"),
        ("generate", "--bars", "0", "--out", "no-such-folder"),
        ("generate", "--density", "5", "--out", "no-such-folder"),
        ("generate", "--notes", "9", "--kind", "fill", "--out", "no-such-folder"),
        ("generate", "--meter", "7/8", "--out", "no-such-folder"),
        ("train", "--corpus", "nothing", "--preset", "paper-2x32"),
        ("train", "--corpus", "starter", "--preset", "nothing"),
        ("train", "--run", "nothing", "--resume"),
        ("render", "/nowhere.mid", "--out", "x.wav"),
    ],
)
def test_a_problem_is_one_sentence_on_stderr_and_exit_1(run, arguments):
    code, answer, err = run(*arguments)
    assert (code, answer) == (1, None)
    assert err.startswith("digital-dj: ")
    assert "Traceback" not in err


@pytest.mark.parametrize(
    "arguments",
    [
        ("dance",),
        ("import",),
        ("generate", "--bars", "4", "--notes", "4", "--out", "no-such-folder"),
        ("generate", "--meter", "nonsense", "--out", "no-such-folder"),
        ("generate", "--count", "0", "--out", "no-such-folder"),
        ("generate", "--kind", "solo", "--out", "no-such-folder"),
    ],
)
def test_wrong_usage_is_exit_2(run, arguments):
    assert run(*arguments)[0] == 2


def test_the_module_is_the_command(home):
    answer = subprocess.run(
        [sys.executable, "-m", "dj_core", "corpora", "--json"],
        cwd=ROOT,
        env={"DIGITAL_DJ_HOME": str(home), "PATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(answer.stdout.splitlines()[-1])["corpora"]


@pytest.mark.parametrize("name", VERBS)
def test_the_table_says_of_a_verb_what_the_verb_says(name):
    verb, (_, brief) = verb_named(name), VERBS[name]
    purpose = (verb.run.__doc__ or "").partition("\n")[0].removesuffix(".")
    assert (verb.name, brief) == (name, purpose[:1].lower() + purpose[1:])
