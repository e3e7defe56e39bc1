"""The cited systems' networks and the one of notes-best: what each must do to be what it claims."""

import itertools

import pytest
import torch

from dj_core.models.notes.network_settings import NAME, TIME, WORD, NetworkSettings
from dj_core.models.notes.note_network import NETWORKS, build_network

ROLES = torch.tensor([TIME, TIME, TIME, WORD, WORD, NAME, NAME, NAME, NAME])
SONG = [3, 4, 5, 0, 6, 1, 5, 2, 8, 1, 7, 0]  # two primes, then names and times in turn


@pytest.fixture(params=["names", "times"])
def pointing(request):
    network = build_network(NetworkSettings(9, cell="pointing", hidden=16, parts=4), seed=3)
    roles = ROLES if request.param == "times" else torch.zeros(9)
    made_of = torch.arange(36).reshape(9, 4) % 3 == 0
    network.learn_words(made_of, torch.ones(9), roles)
    return network.eval()


@pytest.mark.parametrize("cell", list(NETWORKS))
def test_every_network_learns_a_loop(cell):
    network = build_network(NetworkSettings(5, cell=cell, layers=1, hidden=24), seed=1)
    torch.manual_seed(1)  # of the words a pointing network drops while it learns
    optimizer = torch.optim.Adam(network.parameters(), 0.05)
    loop = torch.tensor([[0, 1, 2, 3, 1, 4] * 3])
    for _ in range(40):
        logits, _ = network(loop[:, :-1])
        loss = torch.nn.functional.cross_entropy(logits[0], loop[0, 1:])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert float(loss.detach()) < 1.0  # frequencies alone cost 1.56 nats


@pytest.mark.parametrize("cuts", [(1,), (2,), (3,), (4,), (5, 6), (3, 8)])
def test_pointing_back_reads_on_from_any_word(pointing, cuts):
    ids = torch.tensor([SONG])
    with torch.inference_mode():
        whole, _ = pointing(ids)
        state, parts = None, []
        for start, end in itertools.pairwise((0, *cuts, len(SONG))):
            scores, state = pointing(ids[:, start:end], state)
            parts.append(scores)
        torch.testing.assert_close(torch.cat(parts, 1), whole)


def test_pointing_back_knows_no_future(pointing):
    other = [*SONG[:7], 0, 6, 2, 5, 1]
    with torch.inference_mode():
        one, _ = pointing(torch.tensor([SONG]))
        two, _ = pointing(torch.tensor([other]))
    torch.testing.assert_close(one[:, :7], two[:, :7])
    assert not torch.allclose(one[:, 7:], two[:, 7:])


def test_pointing_back_is_a_distribution_and_padding_changes_nothing(pointing):
    short = torch.tensor([SONG[:6]])
    with torch.inference_mode():
        alone, _ = pointing(short)
        padded = torch.tensor([SONG, [*SONG[:6], *[0] * 6]])
        together, _ = pointing(padded)
    torch.testing.assert_close(alone.exp().sum(-1), torch.ones(1, 6), atol=1e-5, rtol=0)
    torch.testing.assert_close(together[1, :6], alone[0])


def test_after_a_name_comes_a_time_and_after_a_time_none():
    network = build_network(NetworkSettings(9, cell="pointing", hidden=16, parts=4), seed=3).eval()
    network.learn_words(torch.zeros(9, 4), torch.ones(9), ROLES)
    scores, _ = network(torch.tensor([SONG]))
    times = scores[0].exp()[:, ROLES == TIME].sum(-1)
    expected = torch.tensor([float(ROLES[id_] == NAME) for id_ in SONG])
    torch.testing.assert_close(times, expected, atol=1e-5, rtol=0)


def test_words_that_never_occurred_are_scored_by_their_parts():
    network = build_network(NetworkSettings(4, cell="pointing", hidden=8, parts=2), seed=1).eval()
    made_of = torch.tensor([[1, 0], [0, 1], [1, 1], [1, 1]])
    network.learn_words(made_of, torch.tensor([1, 1, 1, 0]), torch.zeros(4))
    network.own.data[2:] = 5.0  # only the known one of the twins may use it
    vectors, _ = network._words()
    torch.testing.assert_close(vectors[3], network.part[0] + network.part[1])
    assert not torch.allclose(vectors[2], vectors[3])


def test_res_rnn_starts_as_a_memory_and_changes_little_by_little():
    network = build_network(NetworkSettings(6, cell="res-rnn", layers=1, hidden=32), seed=2)
    _, before = network(torch.zeros(1, 1, dtype=torch.long))
    _, after = network(torch.ones(1, 1, dtype=torch.long), before)
    assert float((after - before).detach().norm()) < 1.0
    # its gradient reaches the first of 200 notes
    ids = torch.zeros(1, 200, dtype=torch.long)
    values = network.embedding(ids).detach().requires_grad_()
    network.embedding.forward = lambda _: values
    logits, _ = network(ids)
    logits[0, -1].sum().backward()
    assert float(values.grad[0, 0].norm()) > 1e-3 * float(values.grad[0, -1].norm())


def test_folk_rnn_and_skuli_read_words_as_their_authors_do():
    folk = build_network(NetworkSettings(7, cell="folk-rnn", hidden=8, layers=3), seed=1)
    assert folk.lstm.input_size == 7
    skuli = build_network(NetworkSettings(7, cell="skuli", hidden=8, layers=3, embedding=5), seed=1)
    assert skuli.lstm.input_size == 1
    assert (skuli.dense.out_features, skuli.output.in_features) == (5, 5)
