"""Nine hundred damaged model folders, of every family: one error, and nothing is ever executed."""

import json
import os
import pickle
import random
import struct

import numpy as np
import pytest
import torch
from safetensors.torch import load, save

from dj_core.errors import CheckpointError, DigitalDJError
from dj_core.files.storage import sha256_of
from dj_core.library.library import Library
from dj_core.models.checkpoint import CARD_NAME, WEIGHTS_NAME, ModelFacts, read_card, write_card
from dj_core.models.families import load_model
from dj_core.models.groove.groove_checkpoint import load_groove_model, save_groove_model
from dj_core.models.groove.groove_network import build_network as groove_network
from dj_core.models.groove.groove_shape import GrooveSettings
from dj_core.models.groove.streams import LEVELS
from dj_core.models.groove.style_tables import Tables
from dj_core.models.groove.style_vector import OUTLINE, OUTLINE_SIZE, STYLE_SIZE
from dj_core.models.humanizer.humanizer_checkpoint import load_humanizer_checkpoint, save_humanizer
from dj_core.models.humanizer.humanizer_network import build_network as humanizer_network
from dj_core.models.humanizer.humanizer_shape import HumanizerSettings
from dj_core.models.humanizer.performances import Alphabet
from dj_core.models.notes.network_settings import NetworkSettings
from dj_core.models.notes.note_checkpoint import load_note_model, save_note_model
from dj_core.models.notes.note_network import build_network
from dj_core.models.notes.note_tokenizer import NotesSettings, NotesTokenizer, Vocabulary
from dj_core.models.request import GenerationRequest

FAMILIES = ("notes", "groove", "humanizer")
CASES = 300  # of each family
BIT_FLIPS = 110
WORDS = ("+0.5", "+1", "<bar:4>", "<genre:jazz>", "<genre:rock>", "<kind:beat>", "C2", "D2", "|")


@pytest.fixture(autouse=True)
def no_second_look(monkeypatch):
    """Do not wait for a training run that may be writing."""
    monkeypatch.setattr("dj_core.models.checkpoint.SECONDS_TO_RETRY", 0.0)


def write_notes(folder):
    settings = NotesSettings(durations=True, spelled=True, prime=True, drum_map="extended")
    network = build_network(NetworkSettings(len(WORDS), hidden=8), seed=1)
    facts = ModelFacts("tiny", ("mine",), {"epochs": 3}, start_notes=(("C2", 7), ("D2", 2)))
    save_note_model(folder, network, NotesTokenizer(settings, Vocabulary(WORDS)), facts)


def write_groove(folder):
    network = groove_network(
        GrooveSettings(("", "jazz"), hidden=16, layers=1, condition=8, lane_units=4, stroke_units=8)
    )
    rows = 6
    tables = Tables(
        mean=np.zeros(STYLE_SIZE, "f4"), spread=np.ones(STYLE_SIZE, "f4"),
        density=np.arange(LEVELS - 1, dtype="f4"), loudness=np.arange(LEVELS - 1, dtype="f4"),
        styles=np.zeros((rows, OUTLINE.start), "i1"), outline=np.full(rows, -1, "i4"),
        outlines=np.zeros((0, OUTLINE_SIZE), "i1"), role=np.zeros(rows, "i1"),
        drums=np.ones(rows, "i4"),
        energy=np.zeros(rows, "i1"), genre=np.ones(rows, "i2"), phrase=np.full(rows, -1, "i4"),
        hands=np.zeros((0, 16, 3), "f2"),
        form=np.full(rows, -1, "i4"), form_drums=np.zeros((0, 16), "i4"),
        forms=np.zeros((0, 16), "i4"),
        tempo_bpm=np.full(rows, 120, "f4"), meter=np.zeros(rows, "i1"), kind=np.ones(rows, "i1"),
        fine=np.zeros(rows, "f4"), bars=np.full(rows, 4, "i2"), velocities=np.ones((2, 128), "f4"),
        placement=np.zeros((2, 16, 16), "f2"),
    )  # fmt: skip
    save_groove_model(folder, network, tables, ModelFacts("groove", ("mine",)))


def write_humanizer(folder):
    network = humanizer_network(HumanizerSettings(("", "jazz"), encoder=8, player=8, units=8))
    save_humanizer(folder, network, Alphabet.of(()), ModelFacts("humanizer", ("mine",)))


WRITE = {"notes": write_notes, "groove": write_groove, "humanizer": write_humanizer}
LOAD = {
    "notes": load_note_model,
    "groove": load_groove_model,
    "humanizer": load_humanizer_checkpoint,
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A small model of each family: card and weights by the family's name."""
    models = {}
    for family, write in WRITE.items():
        folder = tmp_path_factory.mktemp("models") / family
        write(folder)
        LOAD[family](folder)
        models[family] = (folder / CARD_NAME).read_bytes(), (folder / WEIGHTS_NAME).read_bytes()
    return models


class Bomb:
    """What a pickle does when it is opened by the wrong hands."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


ODD = (None, True, -1, 0, 7, 2**31, 10**30, 1.5, "", "os.system", [], [[]], {}, {"a": 1}, ["x"] * 9,
       "\u202e<script>", [1, "a"], float("inf"))  # fmt: skip


def damage(draw, card, weights, other, mark):
    """A damaged card and damaged weights; whether the damage was signed as if it were genuine."""
    kind = draw.choice(("cut", "grown", "noise", "zeros", "swap", "pickle", "torch", "json", "key",
                        "network", "deep", "tensor", "tensor", "tensor", "header"))  # fmt: skip
    content = json.loads(card)
    if kind == "cut":
        return card[: draw.randrange(len(card))], weights[: draw.randrange(len(weights))]
    if kind == "grown":
        return card, weights + draw.randbytes(draw.randrange(1, 99))
    if kind == "noise":
        return card, draw.randbytes(len(weights))
    if kind == "zeros":
        return bytes(len(card)) if draw.random() < 0.5 else card, bytes(len(weights))
    if kind == "swap":
        return (other[0], weights) if draw.random() < 0.5 else (card, other[1])
    if kind in ("pickle", "torch"):
        evil = pickle.dumps(Bomb(mark)) if kind == "pickle" else _torch_file(Bomb(mark))
        return (evil, evil) if draw.random() < 0.3 else signed(content, evil)
    if kind == "json":
        odd = draw.choice(
            (b"", b"[]", b"null", b"{", b'"x"', b"\xff\xfe", b"NaN", b"{}", b"7" * 9_999)
        )
        return odd, weights
    if kind == "deep":
        return draw.choice((b"[", b'{"a":')) * 100_000, weights
    if kind == "key":
        name = draw.choice((*content, "unheard-of"))
        content[name] = draw.choice(ODD)
        return signed(content, weights, honest=name.startswith("weights"))
    if kind == "network":
        name = draw.choice((*content["network"], "unheard_of"))
        content["network"][name] = draw.choice(ODD)
        return signed(content, weights)
    if kind == "header":
        size = draw.choice((0, 1, 8, 2**31, 2**63, 2**64 - 1, len(weights) * 2))
        return signed(content, struct.pack("<Q", size) + weights[8:])
    return signed(content, _other_tensors(draw, weights))


def signed(content, weights, *, honest=False):
    """A card whose every checksum is right, as somebody who means harm would make it."""
    if not honest:
        content = {**content, "weights_sha256": sha256_of(weights), "weights_bytes": len(weights)}
    return content, weights


def _torch_file(value):
    from io import BytesIO

    buffer = BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


def _other_tensors(draw, weights):
    tensors = load(weights)
    name = draw.choice(sorted(tensors))
    tensor = tensors[name]
    action = draw.randrange(7)
    if action == 0:
        tensors[name] = torch.full_like(tensor.float(), draw.choice((float("nan"), float("inf"))))
    elif action == 1:
        tensors[name] = torch.zeros((*tensor.shape, 2))
    elif action == 2:
        del tensors[name]
    elif action == 3:
        tensors[f"{name}.more"] = tensor.clone()
    elif action == 4:
        tensors[name] = torch.zeros(tensor.shape, dtype=torch.complex64)
    elif action == 5:
        tensors[name] = torch.zeros(0)
    else:
        tensors[name] = torch.full(tensor.shape, 30_000, dtype=torch.int16)
    return save(tensors)


def put(folder, card, weights):
    folder.mkdir(exist_ok=True)
    if isinstance(card, dict):
        write_card(folder, _without_infinity(card))
    else:
        (folder / CARD_NAME).write_bytes(card)
    (folder / WEIGHTS_NAME).write_bytes(weights)


def _without_infinity(value):
    return json.loads(json.dumps(value).replace("Infinity", "1e308"))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_damaged_model_is_refused_or_whole_and_nothing_in_it_runs(family, whole, tmp_path):
    """Also where every checksum was made to fit: then it may load, and plays or says why not."""
    mark, folder = tmp_path / "executed", tmp_path / "model"
    refused, told = 0, []
    other = whole[FAMILIES[FAMILIES.index(family) - 1]]
    for case in range(CASES - BIT_FLIPS):
        draw = random.Random(f"{family} {case}")
        put(folder, *damage(draw, *whole[family], other, mark))
        try:
            LOAD[family](folder)
        except CheckpointError as error:
            refused += 1
            told.append(str(error))
        else:
            play_if_it_can(folder, family)
        assert not mark.exists(), f"case {case} was executed"
        try:
            card = read_card(folder)
        except CheckpointError:
            continue
        assert all(isinstance(genre, str) for genre in card["genres"]), case
    assert refused > (CASES - BIT_FLIPS) * 0.75
    assert not [words for words in told if str(tmp_path) in words or len(words) > 1_000]


def play_if_it_can(folder, family):
    if family == "humanizer":
        return
    try:
        load_model(folder).generate(GenerationRequest(bars=1, seed=1))
    except DigitalDJError:
        return


@pytest.mark.parametrize("family", FAMILIES)
def test_every_flipped_bit_is_caught(family, whole, tmp_path):
    """In the weights always; in the card too, unless it says the same (1e-5 and 1E-5)."""
    card, weights = whole[family]
    folder = tmp_path / "model"
    draw = random.Random(family)
    for case in range(BIT_FLIPS):
        name, content = ((WEIGHTS_NAME, weights), (CARD_NAME, card))[case % 2]
        flipped = bytearray(content)
        place = draw.randrange(len(content))
        flipped[place] ^= 1 << draw.randrange(8)
        put(folder, card, weights)
        (folder / name).write_bytes(flipped)
        try:
            LOAD[family](folder)
        except CheckpointError:
            continue
        assert name == CARD_NAME, f"bit at byte {place}"
        assert json.loads(flipped) == json.loads(card), f"bit at byte {place}"


def test_the_library_shows_damaged_models_with_their_reason_and_plays_the_others(whole, home):
    """Every damaged folder beside the shipped ones: the page that lists them still opens."""
    draw = random.Random(1)
    for number in range(40):
        family = FAMILIES[number % 3]
        damaged = damage(draw, *whole[family], whole["notes"], home / "executed")
        (home / "models").mkdir(parents=True, exist_ok=True)
        put(home / "models" / f"odd{number}", *damaged)
    library = Library(home)
    assert library.model().default
    assert {"groove", "notes-best"} <= {model.name for model in library.models()}
    assert all(broken.reason for broken in library.broken_models())
    assert library.broken_models()
    assert not (home / "executed").exists()


@pytest.mark.parametrize("name", [CARD_NAME, WEIGHTS_NAME])
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with names")
def test_a_pipe_in_place_of_a_file_is_refused_at_once(name, whole, tmp_path):
    put(tmp_path / "model", *whole["groove"])
    (tmp_path / "model" / name).unlink()
    os.mkfifo(tmp_path / "model" / name)
    with pytest.raises(CheckpointError):
        load_groove_model(tmp_path / "model")
