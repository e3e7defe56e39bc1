"""CONTRIBUTING.md's "How to add", followed with toys: one entry, and everything else finds it."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dj_core.cli import main
from dj_core.errors import CheckpointError, TrainingError
from dj_core.evaluation.surprise import Surprise, surprise_of
from dj_core.files.midi import midi_bytes, read_midi, save_midi
from dj_core.files.storage import sha256_of, write_json_atomic
from dj_core.library.training_jobs import read_run
from dj_core.models.checkpoint import ModelFacts, read_checkpoint, save_checkpoint
from dj_core.models.families import (
    FAMILIES,
    Family,
    family_of,
    load_model,
    presets,
    read_run_settings,
    settings_from,
    tunables,
)
from dj_core.models.groove.groove_training import GROOVE_PRESETS
from dj_core.models.humanizer.humanizer_training import HUMANIZER_PRESETS
from dj_core.models.notes.note_training import NOTE_PRESETS
from dj_core.models.request import GenerationRequest, Take, provenance_of, replay_request
from dj_core.models.run_folder import SETTINGS_NAME
from dj_core.models.trainer import Tally
from dj_core.music.beat import Beat, Hit
from dj_core.sound.kit_table import KITS, Kit
from dj_ui.document import head
from dj_ui.frame import PAGES

ROOT = Path(__file__).resolve().parent.parent
WAIT_SECONDS = 120
LOUD, UNTRAINED = 120, 64  # velocities of the kicks to learn from, and of a network that did not
BEAT = Beat(tuple(Hit.of("kick", beat, LOUD) for beat in range(4)), bars=1, tempo_bpm=120)


@pytest.fixture
def run(home, capsys):
    """Run a verb in a DJ's folder of its own; its answer, or what it says is wrong."""

    def run(*arguments):
        code = main([*map(str, arguments), "--json"])
        out, err = capsys.readouterr()
        return json.loads(out.splitlines()[-1]) if code == 0 else err

    return run


def visit(page, root=ROOT, **link):
    at = AppTest.from_file(str(root / "home.py"), default_timeout=WAIT_SECONDS)
    for key, value in link.items():
        at.query_params[key] = value
    at.switch_page(f"pages/{page}.py").run()
    assert not at.exception, at.exception
    return at


def given(at, component):
    """What a component of ours on a page was given."""
    (one,) = [
        one.proto for one in at.get("bidi_component") if one.proto.component_name == component
    ]
    return json.loads(one.json)


# -- a training preset ---------------------------------------------------------------------------


@pytest.mark.parametrize("table", [NOTE_PRESETS, GROOVE_PRESETS, HUMANIZER_PRESETS])
def test_a_preset_is_an_entry_in_its_familys_presets(table, run, tmp_path, monkeypatch):
    toy = replace(next(iter(table.values())), preset="toy", epochs=7)
    monkeypatch.setitem(table, "toy", toy)
    assert presets()["toy"] == toy
    assert tunables("toy")["epochs"].usual == 7
    assert "toy" in run("train", "--corpus", "mine", "--preset", "none such")
    settings = settings_from("toy", corpora=["mine"], learning_rate=0.25)
    assert settings == replace(toy, corpora=("mine",), learning_rate=0.25)
    content = {"family": family_of(toy).name, **asdict(settings)}
    write_json_atomic(tmp_path / SETTINGS_NAME, content)
    assert read_run_settings(tmp_path) == settings


# -- a family of models --------------------------------------------------------------------------


@dataclass(frozen=True)
class KickSettings:
    """What a run of the toy family is asked for."""

    preset: str = "kicks"
    corpora: tuple[str, ...] = ()
    learning_rate: float = 0.5
    epochs: int = 1
    patience: int | None = None
    take_every_epochs: int = 1
    gradient_clip: float | None = None
    threads: int = 1


def kick_network():
    """How loud a kick is, as a share of the loudest: the sigmoid of its one weight."""
    import torch

    network = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.zeros_(network.weight)
    return network


class KickTask:
    """Learns how loud the kicks of its corpora are, in two steps an epoch."""

    family = "kicks"
    note = last_stage = ""
    last_stage_steps = 0.0

    def __init__(self, settings, velocities, ranks):
        import torch

        if not velocities:
            raise TrainingError("There are no kicks to learn from.")
        self.settings = settings
        self.kicks = len(velocities)
        self.loudness = sum(velocities) / self.kicks / 127
        self.material_sha256 = sha256_of(repr(velocities).encode())
        self.network = kick_network()
        self.optimizer = torch.optim.SGD(self.network.parameters(), settings.learning_rate)

    def steps(self, epoch):
        return 2

    def learning_rate(self, epoch, step):
        return self.settings.learning_rate

    def loss(self, epoch, step):
        loss = (self.network.weight.sigmoid() - self.loudness).square().sum()
        return loss, Tally(loss.item() * self.kicks, 0.0, self.kicks)

    def validate(self):
        return None

    def results(self, epoch, train, validated):
        return {"epoch": epoch, "train_loss": train.mean_loss}

    def save_model(self, folder, results):
        settings = self.settings
        facts = ModelFacts(settings.preset, settings.corpora, asdict(settings), results)
        weights = {name: weight.numpy() for name, weight in self.network.state_dict().items()}
        save_checkpoint(folder, self.family, weights, facts, network={"size": 1})

    def play(self, name, bars, seed):
        return KickModel(name, self.network).generate(GenerationRequest(bars=bars, seed=seed)).beat

    def finish(self, model_folder) -> Iterator[float]:
        yield from ()

    def state(self):
        return {}

    def load_state(self, state):
        pass


class KickModel:
    """Plays a kick on every beat."""

    family = "kicks"
    genres = start_notes = ()
    spacings = ("learned",)
    has_feel = can_shape = False

    def __init__(self, name, network, weights_sha256="", corpora=()):
        self.name = name
        self.velocity = round(127 * network.weight.sigmoid().item())
        self.weights_sha256, self.corpora = weights_sha256, corpora

    def generate(self, request):
        hits = tuple(Hit.of("kick", beat, self.velocity) for beat in range(4 * request.bars))
        origin = provenance_of(self, request, self.weights_sha256, self.corpora)
        beat = Beat(hits, request.bars, request.tempo_bpm or 120, provenance=origin)
        return Take(beat, ("C2",) * len(hits))

    def generate_all(self, requests):
        return [self.generate(request) for request in requests]


def load_kicks(folder, name):
    import torch

    network = kick_network()
    stored = read_checkpoint(folder, "kicks")
    weights = {name: torch.from_numpy(array) for name, array in stored.tensors.items()}
    network.load_state_dict(weights)
    return KickModel(name, network, stored.weights_sha256, stored.facts.corpora)


def kicks_in(corpora, reading):
    beats = [corpus.beat(file) for corpus in corpora for file in corpus.files]
    return [hit.velocity for beat in beats for hit in beat.hits if hit.drum.name == "kick"]


KICKS = Family(
    name="kicks",
    unit="kick",
    settings=KickSettings,
    presets={"kicks": KickSettings()},
    bounds={"epochs": (1, 100), "learning_rate": (1e-6, 1.0)},
    read_material=kicks_in,
    make_task=KickTask,
    expected_seconds=lambda settings, files: 60.0 * settings.epochs,
    load=load_kicks,
)


@pytest.fixture
def trained(run, home, tmp_path, monkeypatch):
    """The toy family in the table, and a model of it that the command line trained."""
    (tmp_path / "one.mid").write_bytes(midi_bytes(BEAT))
    run("import", tmp_path / "one.mid", "--name", "mine")
    asked = ("train", "--corpus", "mine", "--preset", "kicks", "--run", "my-kicks")
    assert "A preset is one of groove" in run(*asked)
    monkeypatch.setitem(FAMILIES, "kicks", KICKS)
    assert run(*asked, "--epochs", 2, "--learning-rate", 1)["finished"]
    return home / "runs" / "my-kicks"


def test_a_family_is_an_entry_in_the_table_of_families(trained, run, tmp_path, monkeypatch):
    learned = read_run(trained)
    assert learned.settings == KickSettings(corpora=("mine",), epochs=2, learning_rate=1.0)
    assert [step.step for step in learned.epoch_steps] == [2, 2]
    assert len(learned.takes) == 2
    (told,) = [one for one in run("models")["models"] if one["name"] == "my-kicks"]
    assert (told["family"], told["genres"], told["meters"]) == ("kicks", [], [])
    model = load_model(trained / "model")
    assert isinstance(model, KickModel)
    assert UNTRAINED < model.velocity < LOUD
    assert surprise_of(model, None) == Surprise()
    request = GenerationRequest(bars=3, seed=5, tempo_bpm=99)
    assert replay_request(model.generate(request).beat.provenance) == request
    (file,) = run("generate", "--model", "my-kicks", "--bars", 2, "--out", tmp_path / "out")[
        "files"
    ]
    hits = read_midi(Path(file)).hits
    assert [(hit.drum.name, hit.onset_quarters) for hit in hits] == [("kick", n) for n in range(8)]
    assert {hit.velocity for hit in hits} == {model.velocity}
    assert run("train", "--run", "my-kicks", "--resume", "--epochs", 3)["epochs"] == 3
    assert load_model(trained / "model").velocity > model.velocity
    monkeypatch.delitem(FAMILIES, "kicks")
    with pytest.raises(CheckpointError, match="kicks"):
        load_model(trained / "model")


def test_the_pages_train_and_play_a_new_family(trained):
    at = visit("train")
    preset = at.selectbox(key="dj_preset")
    assert "kicks" in preset.options
    preset.set_value("kicks").run()
    assert not at.exception, at.exception
    assert at.number_input(key="dj_epochs_kicks").value == 1
    assert at.selectbox(key="run").value == "my-kicks"
    assert "Kicks guessed" in "".join(one.proto.body for one in at.get("html"))
    at = visit("generate", model="my-kicks", seed="3", bars="2")
    (played,) = (kept.take.beat for kept in at.session_state["dj_takes"])
    assert (played.provenance.model, len(played.hits)) == ("my-kicks", 8)
    assert len(given(at, "dj_deck")["beat"]["hits"]) == 8


# -- a kit ---------------------------------------------------------------------------------------


def toy_deck():
    from dj_core.music.beat import Beat, Hit
    from dj_ui.deck import choose_kit, deck, mount_booth

    choose_kit("toy")
    mount_booth()
    deck(Beat((Hit.of("kick", 0),), bars=1), key="deck")


def test_a_kit_is_a_row_in_the_table_of_kits(run, tmp_path, monkeypatch):
    midi = save_midi(BEAT, tmp_path / "beat.mid")
    asked = ("render", midi, "--out", tmp_path / "toy.wav", "--kit", "toy")
    assert "No drum kit is called 'toy'" in run(*asked)
    monkeypatch.setitem(KITS, "toy", Kit("toy", "Toy drums", KITS["brush"].program))
    run(*asked)
    sounds = {"toy": (tmp_path / "toy.wav").read_bytes()}
    for kit in ("brush", "standard"):
        run("render", midi, "--out", tmp_path / f"{kit}.wav", "--kit", kit)
        sounds[kit] = (tmp_path / f"{kit}.wav").read_bytes()
    assert sounds["toy"] == sounds["brush"] != sounds["standard"]
    at = AppTest.from_function(toy_deck, default_timeout=WAIT_SECONDS).run()
    assert not at.exception, at.exception
    assert ["toy", "Toy drums", "SoundFont"] in given(at, "dj_deck")["kits"]
    assert given(at, "dj_deck")["kit"] == "toy"
    assert any('"label": "Toy drums"' in one.proto.json for one in at.get("bidi_component"))


# -- a page --------------------------------------------------------------------------------------

TOY_PAGE = """
import streamlit as st

from dj_ui.frame import open_page, run_page


def main():
    open_page("Toy page")
    st.caption("A toy.")


run_page(main)
"""


def test_a_page_is_a_script_and_an_entry_in_the_table_of_pages(home, tmp_path, monkeypatch):
    shutil.copytree(ROOT / "pages", tmp_path / "pages")
    shutil.copy(ROOT / "home.py", tmp_path)
    (tmp_path / "pages" / "toy.py").write_text(TOY_PAGE)
    monkeypatch.setitem(PAGES, "toy", "Toy page")
    at = visit("toy", tmp_path)
    assert [caption.value for caption in at.caption] == ["A toy."]
    links = {link.proto.page: link.proto.label for link in at.get("page_link")}
    assert links == PAGES
    assert b"|toy)" in head()  # the document knows where the server is, seen from there


# -- a genre -------------------------------------------------------------------------------------

TOY_GENRE = """
    Genre("toy-step", "Toy step", 101, "House", (90, 110), "A toy.",
          (Rule("cowbells on every beat", ("cowbell",), BEATS, 1.0),)),
"""
TOY_PATTERNS = """
beat: Kept
CB |x... x... x... x...|

beat: Broken
CB |x... x... x... ....|
"""
WITH_TOY_GENRE = """
import json, sys
from pathlib import Path
from streamlit.testing.v1 import AppTest
from dj_core.music.genres import genre_label, genre_name, typical_tempo_bpm
from dj_core.music.idiom import broken_rules
from dj_core.music.patterns import load_patterns

picker = AppTest.from_string('''
from pathlib import Path
from dj_core.library.library import ModelInfo
from dj_ui.controls import choose_genre

genres = ("rock", "toy-step")
choose_genre(ModelInfo("a", "A", "groove", Path(), False, False, genres, (), {}))
''', default_timeout=120).run()
beats = load_patterns(Path(sys.argv[1]))
print(json.dumps({
    "name": genre_name("Toy Step"),
    "label": genre_label("toy-step"),
    "tempo_bpm": typical_tempo_bpm("toy-step"),
    "picked_from": [one for one in picker.selectbox(key="genre").options if "Toy" in one],
    "read": {beat.title: beat.genre for beat in beats},
    "broken": {beat.title: [rule.says for rule in broken_rules(beat)] for beat in beats},
}))
"""


def test_a_genre_is_a_row_in_the_table_of_genres(home, tmp_path):
    for folder in ("dj_core", "dj_ui"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    table = tmp_path / "dj_core" / "music" / "genres.py"
    text, rows = re.subn(
        r"^GENRES\b.*= \($",
        lambda found: found[0] + TOY_GENRE,
        table.read_text("utf-8"),
        flags=re.M,
    )
    assert rows == 1
    table.write_text(text, "utf-8")
    (tmp_path / "patterns").mkdir()
    (tmp_path / "patterns" / "toy-step.beat").write_text(TOY_PATTERNS)
    answer = subprocess.run(
        [sys.executable, "-c", WITH_TOY_GENRE, tmp_path / "patterns"],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout.splitlines()[-1]) == {
        "name": "toy-step",
        "label": "Toy step",
        "tempo_bpm": 101,
        "picked_from": ["Toy step · 90 to 110 BPM · House"],
        "read": {"Kept": "toy-step", "Broken": "toy-step"},
        "broken": {"Kept": [], "Broken": ["cowbells on every beat"]},
    }
