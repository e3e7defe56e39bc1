"""Model folders: what is saved is what is loaded, and nothing that was touched is."""

import json
import os
import subprocess
import sys

import pytest
import torch

from dj_core.errors import CheckpointError
from dj_core.files.storage import sha256_of
from dj_core.models.checkpoint import CARD_NAME, WEIGHTS_NAME, ModelFacts, read_card, write_card
from dj_core.models.notes.network_settings import NetworkSettings
from dj_core.models.notes.note_checkpoint import load_note_model, save_note_model
from dj_core.models.notes.note_network import build_network
from dj_core.models.notes.note_tokenizer import NotesSettings, NotesTokenizer, Vocabulary

SETTINGS = NotesSettings(durations=True, spelled=True, prime=True, drum_map="extended")
WORDS = ("+0.5", "+1", "<bar:4>", "<genre:jazz>", "<genre:rock>", "<kind:beat>", "C2", "D2", "|")
FACTS = ModelFacts(
    preset="tiny",
    corpora=("paper", "mine"),
    start_notes=(("C2", 7), ("D2", 2)),
    settings={"epochs": 3},
    results={"validation_loss": 1.5},
    label="Tiny",
)


@pytest.fixture(autouse=True)
def no_second_look(monkeypatch):
    """Do not wait for a training run that may be writing."""
    monkeypatch.setattr("dj_core.models.checkpoint.SECONDS_TO_RETRY", 0.0)


@pytest.fixture
def folder(tmp_path):
    tokenizer = NotesTokenizer(SETTINGS, Vocabulary(WORDS))
    network = build_network(NetworkSettings(len(WORDS), hidden=8), seed=1)
    save_note_model(tmp_path / "mine", network, tokenizer, FACTS)
    return tmp_path / "mine"


def change_card(folder, **changes):
    card = json.loads((folder / CARD_NAME).read_text("utf-8"))
    write_card(folder, {**card, **changes})  # its checksum is right, what it says is not


def test_a_model_comes_back_as_it_was(folder):
    checkpoint = load_note_model(folder)
    network = build_network(NetworkSettings(len(WORDS), hidden=8), seed=1)
    assert checkpoint.network.settings == network.settings
    for name, weight in network.state_dict().items():
        assert torch.equal(checkpoint.network.state_dict()[name], weight)
    assert not checkpoint.network.training
    assert checkpoint.tokenizer.settings == SETTINGS
    assert checkpoint.tokenizer.vocabulary.words == WORDS
    assert checkpoint.facts == FACTS
    assert checkpoint.weights_sha256 == sha256_of((folder / WEIGHTS_NAME).read_bytes())


def test_saving_again_replaces_the_model(folder):
    checkpoint = load_note_model(folder)
    other = build_network(NetworkSettings(len(WORDS), hidden=8), seed=2)
    save_note_model(folder, other, checkpoint.tokenizer, FACTS)
    assert torch.equal(load_note_model(folder).network.output.weight, other.output.weight)
    assert sorted(path.name for path in folder.iterdir()) == [CARD_NAME, WEIGHTS_NAME]


def test_the_card_is_read_without_torch(folder):
    program = (
        "import sys; from pathlib import Path; from dj_core.models.checkpoint import read_card;"
        f"card = read_card(Path({str(folder)!r}));"
        "print(card['family'], card['genres'], 'torch' in sys.modules)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "notes ['jazz', 'rock'] False"


@pytest.mark.parametrize("name", [WEIGHTS_NAME, CARD_NAME])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    for read in (read_card, load_note_model):
        with pytest.raises(CheckpointError, match=name):
            read(folder)


def test_a_missing_folder_is_an_error(tmp_path):
    with pytest.raises(CheckpointError, match="nowhere"):
        load_note_model(tmp_path / "nowhere")


@pytest.mark.parametrize("kept", [0, 1, 7, 100, -1])
def test_weights_cut_short_are_refused(folder, kept):
    content = (folder / WEIGHTS_NAME).read_bytes()
    (folder / WEIGHTS_NAME).write_bytes(content[:kept])
    for read in (read_card, load_note_model):
        with pytest.raises(CheckpointError, match="bytes"):
            read(folder)


def test_a_single_flipped_bit_anywhere_in_the_weights_is_noticed(folder):
    content = (folder / WEIGHTS_NAME).read_bytes()
    for place in range(0, len(content), len(content) // 20):
        flipped = bytearray(content)
        flipped[place] ^= 1 << place % 8
        (folder / WEIGHTS_NAME).write_bytes(flipped)
        with pytest.raises(CheckpointError, match="altered"):
            load_note_model(folder)
    (folder / WEIGHTS_NAME).write_bytes(content)
    load_note_model(folder)


@pytest.mark.parametrize(
    "words",
    [
        ("+0.5", "+1", "<bar:4>", "<genre:jazz>", "<genre:rock>", "<kind:beat>", "D2", "C2", "|"),
        WORDS[:-1],
        (*WORDS, "E2"),
        (*WORDS[:-1], "C2"),
        (*WORDS[:-1], "nonsense"),
        (*WORDS[:-1], 7),
    ],
)
def test_another_vocabulary_is_refused(folder, words):
    change_card(folder, vocabulary=list(words))
    with pytest.raises(CheckpointError):
        load_note_model(folder)


@pytest.mark.parametrize(
    "changes",
    [
        {"vocabulary_size": 10**12},
        {"hidden": 2048, "embedding": 2048, "layers": 6, "vocabulary_size": 200_000},
        {"hidden": 9},
        {"layers": 1},
        {"layers": "2"},
        {"cell": "os.system"},
        {"unheard": 1},
    ],
)
def test_shapes_that_are_absurd_or_not_the_weights_are_refused(folder, changes):
    network = json.loads((folder / CARD_NAME).read_text("utf-8"))["network"]
    change_card(folder, network={**network, **changes})
    with pytest.raises(CheckpointError):
        load_note_model(folder)


@pytest.mark.parametrize(
    "changes",
    [
        {"format": 2},
        {"format": None},
        {"family": "groove-of-tomorrow"},
        {"family": 3},
        {"network": []},
        {"tokenizer": {"durations": "perhaps"}},
        {"tokenizer": {"unheard": True}},
        {"start_notes": [["C2"]]},
        {"start_notes": ["C2 3"]},
        {"genres": None},
        {"weights_sha256": "0" * 64},
        {"vocabulary_sha256": "0" * 64},
    ],
)
def test_cards_of_another_kind_are_refused(folder, changes):
    change_card(folder, **changes)
    with pytest.raises(CheckpointError):
        load_note_model(folder)


@pytest.mark.parametrize("content", [b"", b"[]", b"7", b"{", b"\xff\xfe", b'"model"', b"null"])
def test_a_card_that_is_no_card_is_refused(folder, content):
    (folder / CARD_NAME).write_bytes(content)
    for read in (read_card, load_note_model):
        with pytest.raises(CheckpointError):
            read(folder)
