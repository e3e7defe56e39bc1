"""Networks: their shape, their memory, and shapes that are refused before they are built."""

import pytest
import torch

from dj_core.errors import TrainingError
from dj_core.models.network_weights import weights_of
from dj_core.models.notes.network_settings import NetworkSettings, weight_shapes
from dj_core.models.notes.note_inference import stepper
from dj_core.models.notes.note_network import NETWORKS, build_network, count_weights


@pytest.mark.parametrize(
    "settings",
    [
        NetworkSettings(11, layers=1, hidden=8),
        NetworkSettings(11, layers=2, hidden=8, dropout=0.9),
        NetworkSettings(3, layers=3, hidden=5, embedding=2),
        NetworkSettings(1, layers=1, hidden=1),
    ],
)
def test_a_network_has_as_many_weights_as_its_settings_say(settings):
    network = build_network(settings)
    assert sum(weight.numel() for weight in network.parameters()) == count_weights(settings)
    logits, _ = network(torch.zeros(2, 7, dtype=torch.long))
    assert logits.shape == (2, 7, settings.vocabulary_size)


@pytest.mark.parametrize("cell", list(NETWORKS))
def test_carrying_the_state_gives_what_reading_the_whole_song_again_gives(cell):
    network = build_network(NetworkSettings(9, cell=cell, hidden=16, dropout=0.5), seed=3).eval()
    ids = torch.tensor([[1, 8, 0, 0, 5, 3, 2]])
    with torch.inference_mode():
        whole, _ = network(ids)
        state = None
        for place, id_ in enumerate(ids[0].tolist()):
            logits, state = network.step(id_, state)
            torch.testing.assert_close(logits, whole[0, place])
        head, state = network(ids[:, :3])
        tail, _ = network(ids[:, 3:], state)
    torch.testing.assert_close(torch.cat([head, tail], 1), whole)


@pytest.mark.parametrize("cell", list(NETWORKS))
def test_played_note_by_note_the_odds_are_those_of_the_whole_song(cell):
    network = build_network(NetworkSettings(40, cell=cell, hidden=24, dropout=0.5), seed=3).eval()
    ids = torch.randint(40, (1, 50), generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        odds = network(ids)[0][0].softmax(-1)
    step, state = stepper(network.settings, weights_of(network)), None
    for place, id_ in enumerate(ids[0].tolist()):
        logits, state = step(id_, state)
        played = torch.from_numpy(logits).float().softmax(-1)
        torch.testing.assert_close(played, odds[place], atol=1e-5, rtol=0)


def test_the_paper_s_layers_are_there_in_its_order():
    network = build_network(NetworkSettings(11, layers=2, hidden=8, dropout=0.9))
    assert [name for name, _ in network.named_children()] == ["embedding", "lstm", "output"]
    assert network.embedding.embedding_dim == 8  # as wide as the hidden layers
    assert (network.lstm.num_layers, network.lstm.dropout) == (2, 0.9)


def test_a_seed_decides_the_weights_and_touches_nobody_else_s_luck():
    settings = NetworkSettings(11, hidden=8)
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    one, same, other = (build_network(settings, seed) for seed in (1, 1, 2))
    assert torch.equal(torch.rand(3), expected)
    assert torch.equal(one.output.weight, same.output.weight)
    assert not torch.equal(one.output.weight, other.output.weight)


@pytest.mark.parametrize(
    "wrong",
    [
        {"vocabulary_size": 0},
        {"vocabulary_size": 200_001},
        {"vocabulary_size": True},
        {"layers": 0},
        {"layers": 7},
        {"hidden": 0},
        {"hidden": 4096},
        {"hidden": 32.0},
        {"hidden": "32"},
        {"embedding": 0},
        {"dropout": 1.0},
        {"dropout": -0.1},
        {"dropout": float("nan")},
        {"dropout": None},
        {"cell": "perceptron"},
        {"vocabulary_size": 200_000, "hidden": 2048},
    ],
)
def test_absurd_shapes_are_refused_before_anything_is_allocated(wrong):
    with pytest.raises(TrainingError, match=r"got|weights"):
        build_network(NetworkSettings(**{"vocabulary_size": 10, **wrong}))


LOOKS_INTO_VALUES = {"pointing", "folk-rnn"}  # which are not there on 'meta'


@pytest.mark.parametrize("cell", sorted(set(NETWORKS) - LOOKS_INTO_VALUES))
def test_a_network_computes_where_its_weights_are(cell):
    """'meta' computes nothing, and refuses to mix devices as a GPU would."""
    network = build_network(NetworkSettings(vocabulary_size=9, cell=cell, hidden=4)).to("meta")
    ids = torch.zeros(2, 5, dtype=torch.long, device="meta")
    logits, _ = network.train()(ids)
    assert (logits.shape, logits.device.type) == ((2, 5, 9), "meta")
    logits.sum().backward()


@pytest.mark.parametrize("cell", ["lstm", "pointing"])
def test_playing_and_training_agree_on_the_weights(cell):
    settings = NetworkSettings(9, cell=cell, layers=2, hidden=6, embedding=4, parts=3)
    state = build_network(settings).state_dict()
    assert weight_shapes(settings) == {name: tuple(part.shape) for name, part in state.items()}
