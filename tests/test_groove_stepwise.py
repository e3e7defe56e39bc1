"""Playing one 16th at a time: the odds of the network as it was trained, row by row the same."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from dj_core.models.exact_product import ExactProduct, WholeProduct
from dj_core.models.groove import groove_inference
from dj_core.models.groove.groove_checkpoint import GrooveCheckpoint
from dj_core.models.groove.groove_inference import LaneChain, StepwiseNetwork
from dj_core.models.groove.groove_likelihood import ClipTensors, _strokes, remember
from dj_core.models.groove.groove_network import GrooveNetwork, build_network
from dj_core.models.groove.groove_player import (
    DEFAULT_TUNING,
    ROWS,
    GrooveModel,
    _Block,
    load_groove_player,
    tempo_of,
)
from dj_core.models.groove.groove_shape import CHAIN
from dj_core.models.groove.streams import LAG_BARS, OWN_STYLE, Conditions, Streams, window_at
from dj_core.models.groove.training_clips import KINDS, Clip, ClipSet, role_index
from dj_core.models.request import Feel, GenerationRequest, role_of
from dj_core.music.beat import Meter
from dj_core.music.step_grid import LANES, METERS, Grid, steps_per_bar

FOLDER = Path(__file__).resolve().parents[1] / "models" / "groove"


class Unrounded(ExactProduct):
    """What whole numbers stand for."""

    def __init__(self, weight, largest=1.0):
        super().__init__(weight)

    def of_few(self, rows):
        return self(rows)


ODDS_APART = {Unrounded: 1e-5, WholeProduct: 0.02}  # at most, in any 16th


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def shipped():
    return load_groove_player(FOLDER)


def with_network(model, network):
    old = model.checkpoint
    checkpoint = GrooveCheckpoint.of(network, old.tables, old.facts)
    return GrooveModel(model.name, checkpoint)


# --- odds -----------------------------------------------------------------------------------------


class Overheard:
    """The logits by which a take of one request was decided, by 16th and lane."""

    def __init__(self, monkeypatch):
        self.lanes, self.velocity, self.offset, self.flam = [], {}, {}, {}
        decide = LaneChain.decide

        def overhear(chain, *asked):
            struck, logits = decide(chain, *asked)
            self.lanes.append(logits[0])
            self.struck = struck[0]
            return struck, logits

        monkeypatch.setattr(LaneChain, "decide", overhear)
        for name, heard in (("velocity", self.velocity), ("offset", self.offset)):
            self._listen(monkeypatch, f"{name}_logits", heard)

        flams = StepwiseNetwork.flam_logits

        def overhear_flam(network, around, velocity, offset):
            answers = flams(network, around, velocity, offset)
            sounded = [at for at in self.velocity if at not in self.flam]
            told = np.concatenate([answers[0][:, None], answers[1]], axis=1)
            self.flam.update(zip(sounded, told, strict=True))
            return answers

        monkeypatch.setattr(StepwiseNetwork, "flam_logits", overhear_flam)

    def next_stroke(self, heard):
        """16th and lane of the first stroke of this 16th of which nothing is heard yet."""
        step = len(self.lanes) - 1
        struck = set(np.flatnonzero(self.struck).tolist())
        return next((step, lane) for lane in CHAIN if lane in struck and (step, lane) not in heard)

    def _listen(self, monkeypatch, name, heard):
        method = getattr(StepwiseNetwork, name)

        def overhear(network, around, earlier, *more):
            answer = method(network, around, earlier, *more)
            heard[self.next_stroke(heard)] = answer[0]
            return answer

        monkeypatch.setattr(StepwiseNetwork, name, overhear)


def trained_odds(model, request, block):
    """What the training path says of the 16ths and strokes that a block's first row has played."""
    steps = request.bars * steps_per_bar(request.meter)
    grid = Grid(*(part[:steps] for part in vars(block.grid(0)).values()))
    genres, tempo_bpm = model.checkpoint.network.settings.genres, tempo_of(request)
    clip = Clip(
        grid, METERS.index(request.meter), request.genre, tempo_bpm, request.feel.kind, "made", "",
        np.zeros(128, int), 0.0,
    )  # fmt: skip
    clips = ClipSet.of([clip], genres)

    def one(value):
        return np.array([value])

    conditions = Conditions(
        genre=one(genres.index(request.genre)),
        tempo_bpm=one(tempo_bpm),
        meter=one(METERS.index(request.meter)),
        kind=one(KINDS.index(request.feel.kind)),
        density=one(request.feel.density),
        loudness=one(request.feel.loudness),
        role=one(role_index(role_of(request))),
        energy=one(request.feel.energy),
        style=block.styles[:1],
        style_source=one(OWN_STYLE),
    )
    streams = Streams(one(0), one(0), one(steps), one(0))
    tensors, window = ClipTensors(clips), window_at(clips, streams, steps, conditions)
    with torch.no_grad():
        memory, heard, _ = remember(model.checkpoint.network, tensors, window, None)
        struck = (tensors.velocity[torch.from_numpy(window.places)] > 0).float()
        lags = heard.lags.unflatten(-1, (len(LAG_BARS), -1))[..., :LANES]
        lanes = model.checkpoint.network.lanes(memory, lags, heard.known, struck)[:, 0]
        time, stream, lane = (struck > 0).nonzero(as_tuple=True)
        row, head = torch.from_numpy(window.places)[time, stream], model.checkpoint.network.strokes
        stroke = _strokes(
            model.checkpoint.network, tensors, window, memory, heard, (time, stream, lane, row)
        )
        core, around = head.begin(stroke)
        velocity = tensors.velocity[row, lane].long() - 1
        offset = tensors.offset[row, lane].long() - 1
        levels = head.velocity_logits(around, stroke)
        places = head.offset_logits(around, stroke, velocity)
        flam, second, _ = head.second_logits(core, velocity, offset)
    at = list(zip(time.tolist(), lane.tolist(), strict=True))
    flams = torch.cat([flam[:, None], second], dim=1)
    return lanes, *(dict(zip(at, part, strict=True)) for part in (levels, places, flams))


def apart(ours, theirs):
    """The farthest that two tables of odds over bins are from each other."""
    ours, theirs = torch.from_numpy(np.stack(ours)).double(), torch.stack(theirs).double()
    return float((ours.softmax(-1) - theirs.softmax(-1)).abs().max())


def check_odds(model, request, monkeypatch):
    for product, most_apart in ODDS_APART.items():
        with monkeypatch.context() as patch:
            patch.setattr(groove_inference, "WholeProduct", product)
            anew = GrooveModel(model.name, model.checkpoint)
            check_odds_within(most_apart, anew, request, patch)


def check_odds_within(most_apart, model, request, monkeypatch):
    overheard = Overheard(monkeypatch)
    block = _Block(model, [request], DEFAULT_TUNING)
    block.play()
    lanes, velocity, offset, flam = trained_odds(model, request, block)
    ours = torch.from_numpy(np.stack(overheard.lanes))
    assert (ours.sigmoid() - lanes.double().sigmoid()).abs().max() < most_apart
    assert overheard.velocity.keys() == velocity.keys()
    assert len(velocity) > 5
    for mine, theirs in ((overheard.velocity, velocity), (overheard.offset, offset)):
        assert apart([mine[at] for at in theirs], list(theirs.values())) < most_apart
    mine = torch.from_numpy(np.stack([overheard.flam[at] for at in flam])).double()
    theirs = torch.stack(list(flam.values())).double()
    assert (mine[:, 0].sigmoid() - theirs[:, 0].sigmoid()).abs().max() < most_apart
    assert apart(list(mine[:, 1:].numpy()), [row.float() for row in theirs[:, 1:]]) < most_apart


@pytest.mark.parametrize(
    "request_",
    [
        GenerationRequest(genre="jazz", bars=5, tempo_bpm=150.0, seed=11),
        GenerationRequest(genre="", bars=3, seed=2, meter=Meter(6, 8)),
        GenerationRequest(genre="funk", bars=4, seed=3, feel=Feel(kind="fill", density=4)),
    ],
    ids=lambda request: request.genre or "any",
)
def test_the_shipped_model_is_played_by_the_odds_it_was_trained_to(shipped, request_, monkeypatch):
    check_odds(shipped, request_, monkeypatch)


@pytest.mark.parametrize("part", ["use_lags", "lanes_know_each_other", "copying", "use_recent"])
def test_a_part_switched_off_is_off_in_playing_too(shipped, part, monkeypatch):
    network = GrooveNetwork(replace(shipped.checkpoint.network.settings, **{part: False}))
    network.load_state_dict(shipped.checkpoint.network.state_dict())
    request = GenerationRequest(genre="rock", bars=3, seed=4)
    check_odds(with_network(shipped, network), request, monkeypatch)


@pytest.mark.parametrize("layers", [1, 3])
def test_any_number_of_layers_is_played(shipped, layers, monkeypatch):
    settings = replace(shipped.checkpoint.network.settings, layers=layers, hidden=24, lane_units=8)
    model = with_network(shipped, build_network(settings, seed=layers))
    check_odds(model, GenerationRequest(genre="rock", bars=2, seed=4), monkeypatch)


# --- one seed, one beat ---------------------------------------------------------------------------


@pytest.mark.parametrize(("inputs", "outputs"), [(20, 7), (304, 768), (693, 1024)])
def test_a_row_is_multiplied_alike_in_any_place_company_and_order(inputs, outputs):
    chance = np.random.default_rng(1)
    weight = chance.standard_normal((outputs, inputs)).astype(np.float16).astype(np.float32)
    product = ExactProduct(weight)
    rows = chance.standard_normal((3 * ROWS, inputs)).astype(np.float32)

    together = product(rows)
    assert np.allclose(together, rows @ weight.T, atol=1e-3)
    assert (product(rows[:, :9], rows[:, 9:]) == together).all()
    for order in (np.arange(3 * ROWS)[::-1], chance.permutation(3 * ROWS)):
        assert (product(rows[order]) == together[order]).all()
    for row in (0, 5, 23):
        for count in (1, 2, 3):
            assert (product(rows[row : row + count]) == together[row : row + count]).all()
    # another order of the sums, as another machine may have it
    shuffled = chance.permutation(inputs)
    assert (ExactProduct(weight[:, shuffled])(rows[:, shuffled]) == together).all()


@pytest.mark.parametrize(("inputs", "outputs", "largest"), [(256, 64, 1.0), (585, 32, 2.0)])
def test_whole_numbers_are_exact_also_where_inputs_and_weights_are_at_their_largest(
    inputs, outputs, largest
):
    chance = np.random.default_rng(2)
    weight = chance.standard_normal((outputs, inputs)).astype(np.float16).astype(np.float32)
    rows = np.concatenate(
        [
            chance.uniform(-largest, largest, (24, inputs)),
            largest * np.sign(weight),  # the largest sums there can be
        ]
    ).astype(np.float32)
    product = WholeProduct(weight, largest)
    together = product(rows)
    wanted = rows.astype(np.float64) @ weight.T
    assert np.abs(together - wanted).max() < 0.005 * np.abs(weight).sum(1).max() * largest
    for row in (0, 5, len(rows) - 1):
        assert (product(rows[row : row + 1]) == together[row]).all()
    shuffled = chance.permutation(inputs)
    assert (WholeProduct(weight[:, shuffled], largest)(rows[:, shuffled]) == together).all()
    few = rows.copy()
    few[:, ::2] = 0
    assert (product.of_few(few) == product(few)).all()


def test_the_shipped_model_plays_a_seed_alike_alone_and_among_many(shipped):
    genres = shipped.genres
    requests = [
        GenerationRequest(genre=genres[seed % len(genres)], bars=1 + (seed % 7 == 0), seed=seed)
        for seed in range(70)
    ]
    together = shipped.generate_all(requests)
    for index in (0, 13, 41, 69):
        assert shipped.generate(requests[index]) == together[index]
    backwards = shipped.generate_all(requests[::-1])[::-1]
    assert backwards == together
