"""The groove network looks at nothing it is about to say, and its odds add up to one."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from test_groove_material import made_clips, made_scale, random_beat

from benchmarks.hit_odds import HitOdds, folded
from dj_core.errors import BeatError, TrainingError
from dj_core.evaluation.likelihood import hit_bits_per_step
from dj_core.models.groove.groove_likelihood import (
    CLASSES,
    ClipTensors,
    _class_nats,
    asked_of,
    bits_of,
    remember,
    score,
    validate,
)
from dj_core.models.groove.groove_network import build_network
from dj_core.models.groove.groove_shape import (
    CHAIN,
    HALF_LIVES,
    OUTLINED,
    TOLD,
    GrooveSettings,
    weight_shapes,
)
from dj_core.models.groove.moving_averages import fade, nothing_recent, quantities, run_on
from dj_core.models.groove.streams import LAG_BARS, whole_clips
from dj_core.models.groove.style_vector import StyleSums
from dj_core.models.groove.training_clips import ClipSet, clip_of
from dj_core.music.drums import LANE
from dj_core.music.step_grid import LANES, Grid

SMALL = {"hidden": 24, "condition": 16, "lane_units": 6, "stroke_units": 16}


def network_of(clips, **changes):
    network = build_network(GrooveSettings(clips.genres, **{**SMALL, **changes}), seed=3).eval()
    with torch.no_grad():  # fresh gates are shut; what they let through is to be tested, too
        for weight in network.parameters():
            weight.add_(torch.randn(weight.shape, generator=torch.manual_seed(5)) * 0.05)
    return network


def first_window(clips, scale, steps=48):
    (_, window), *_ = whole_clips(clips, StyleSums(clips), scale, steps, 6, with_past_style=False)
    return window


@pytest.fixture(scope="module")
def clips():
    return made_clips()


@pytest.fixture(scope="module")
def scale(clips):
    return made_scale(clips)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Networks this small only lose time when threads share them."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def network(clips):
    return network_of(clips)


@torch.no_grad()
def test_odds_of_a_16th_do_not_depend_on_what_follows(clips, scale, network):
    window = first_window(clips, scale)
    nats, _ = score(network, ClipTensors(clips), window, None)
    changed = [clip_of(random_beat(s, bars=3 + 5 * s), "beat", "made") for s in range(20, 26)]
    grids = []
    for clip, other in zip(clips.clips, changed, strict=True):
        parts = [part.copy() for part in vars(clip.grid).values()]
        for part, new in zip(parts, vars(other.grid).values(), strict=True):
            part[20:] = new[np.arange(20, len(part)) % len(new)]
        grids.append(replace(clip, grid=type(clip.grid)(*parts)))
    others = ClipSet.of(grids, clips.genres)
    again, _ = score(network, ClipTensors(others), first_window(others, scale), None)
    for name in ("hits", "velocity", "offset", "second"):
        before, after = getattr(nats, name), getattr(again, name)
        assert torch.allclose(before[:20], after[:20], atol=1e-5), name
        assert not torch.allclose(before[20:], after[20:], atol=1e-3), name


@torch.no_grad()
def test_a_lanes_odds_do_not_depend_on_later_lanes(clips, network):
    draw = torch.Generator().manual_seed(1)
    memory = torch.randn(5, 24 + OUTLINED + 16 + TOLD, generator=draw)
    count = len(LAG_BARS)
    lags = torch.randint(0, 2, (5, count, LANES), generator=draw).float()
    known = torch.ones(5, count)
    struck = torch.randint(0, 2, (5, LANES), generator=draw).float()
    logits = network.lanes(memory, lags, known, struck)
    for place, lane in enumerate(CHAIN):
        flipped = struck.clone()
        flipped[:, lane] = 1 - flipped[:, lane]
        moved = (network.lanes(memory, lags, known, flipped) - logits).abs().amax(0) > 1e-7
        assert not moved[list(CHAIN[: place + 1])].any()
        assert moved[list(CHAIN[place + 1 :])].any() == (place + 1 < LANES)


@torch.no_grad()
def test_the_nine_classes_odds_add_up_to_one(clips, scale, network):
    """512 clips, alike in all they are told, hold every choice of classes in their first 16th."""
    ways = list(itertools.product((0, 1), repeat=len(CLASSES)))
    clip = clips.clips[0]
    silent = replace(clip, grid=Grid.empty(clip.steps_per_bar))
    many = ClipSet.of([silent] * len(ways), clips.genres)
    tensors = ClipTensors(many)
    for number, chosen in enumerate(ways):
        for names, sounds in zip(CLASSES, chosen, strict=True):
            tensors.velocity[many.starts[number], LANE[names[-1]]] = sounds
    (_, window), *_ = whole_clips(many, StyleSums(many), scale, 1, len(ways))
    memory, heard, _ = remember(network, tensors, window, None)
    odds = torch.exp(-_class_nats(network, tensors, window, memory, heard))
    assert float(odds.sum()) == pytest.approx(1.0, abs=1e-4)


@torch.no_grad()
def test_which_lane_of_a_class_is_struck_does_not_change_the_class(clips, scale, network):
    window = first_window(clips, scale, steps=1)
    tensors = ClipTensors(clips)
    memory, heard, _ = remember(network, tensors, window, None)
    nats = []
    for struck in (("snare",), ("side_stick",), ("snare", "side_stick"), ("snare", "clap")):
        tensors.velocity = torch.zeros_like(tensors.velocity)
        tensors.velocity[:-1, [LANE[name] for name in struck]] = 9
        nats.append(_class_nats(network, tensors, window, memory, heard))
    for other in nats[1:]:
        assert torch.allclose(nats[0], other, atol=1e-5)


def test_two_ways_of_counting_come_to_the_same_bits(clips, scale, network):
    """Class after class by the book of n-grams, or all of a 16th's ways of sounding at once."""
    four_four = ClipSet.of([clip for clip in clips.clips if clip.meter == 0], clips.genres)
    expected = bits_of(network, scale, four_four, with_past_style=False).hits_per_step
    truth = [folded(clip.grid.velocity) for clip in four_four.clips]
    odds = HitOdds(network, scale, four_four)
    assert hit_bits_per_step(odds, truth) == pytest.approx(expected, rel=1e-4)
    with pytest.raises(BeatError, match="no performance that was given"):
        odds(~truth[0])


def test_bits_do_not_depend_on_how_clips_are_batched(clips, scale, network):
    one, many = (bits_of(network, scale, clips, streams=streams) for streams in (1, 6))
    assert vars(one) == pytest.approx(vars(many), rel=1e-4)
    assert one.hits_per_step <= one.lanes_per_step
    assert one.steps == clips.steps


def test_validation_is_the_weighed_sum_of_its_parts(clips, scale, network):
    found = validate(network, scale, clips, 0.5)
    parts = found["velocity"] + found["offset"] + found["second"]
    assert found["loss"] == pytest.approx(found["hits"] + 0.5 * parts)
    assert 0 <= found["accuracy"] <= 1


@pytest.mark.parametrize("off", ["use_lags", "lanes_know_each_other", "copying", "use_recent"])
@torch.no_grad()
def test_every_lever_can_be_taken_away_and_matters(clips, scale, network, off):
    window = first_window(clips, scale)
    nats, _ = score(network, ClipTensors(clips), window, None)
    without = network_of(clips, **{off: False})
    lacking, _ = score(without, ClipTensors(clips), window, None)
    assert not torch.allclose(nats.hits + nats.velocity, lacking.hits + lacking.velocity, atol=1e-3)


def test_a_step_alone_is_the_step_in_a_window(clips, scale, network):
    """Generation reads one 16th at a time through a shorter path; it must say the same."""
    tensors, window = ClipTensors(clips), first_window(clips, scale, steps=6)
    with torch.no_grad():
        memory, heard, _ = remember(network, tensors, window, None)
        asked = asked_of(window.conditions)
        condition, state = network.sum_up(asked), network.empty_state(memory.shape[1])
        for step in range(6):
            here = type(heard)(*(part[step : step + 1] for part in vars(heard).values()))
            alone, state = network.remember(here, condition, asked.style, state)
            assert torch.allclose(alone[0], memory[step], atol=1e-5)


def test_recent_sums_fade_by_half_in_a_half_life():
    velocity = torch.zeros(80, 1, LANES, dtype=torch.uint8)
    velocity[3, 0, 5] = 33
    played = quantities(velocity, velocity)
    before, after = run_on(nothing_recent(1), played)
    assert not before[:4].any()
    for number, half_life in enumerate(HALF_LIVES):
        count = before[:, 0, number, 5, 0]
        assert count[4] == pytest.approx(1.0)
        assert count[4 + half_life] == pytest.approx(0.5, rel=1e-4)
    assert not before[..., [0, 1, 2, 3, 4, 6], :].any()
    sums = nothing_recent(1)
    for step, expected in zip(played, before, strict=True):
        assert torch.allclose(sums, expected, atol=1e-5)
        sums = fade(sums, step)
    half, carried = run_on(nothing_recent(1), played[:37])
    rest, end = run_on(carried, played[37:])
    assert torch.allclose(torch.cat([half, rest]), before, atol=1e-5)
    assert torch.allclose(end, after, atol=1e-5)


def test_networks_out_of_bounds_are_refused(clips):
    with pytest.raises(TrainingError, match="hidden is a whole number from 16 to 1024; got 4"):
        GrooveSettings(clips.genres, hidden=4)
    with pytest.raises(TrainingError, match="at most 5,000,000"):
        build_network(GrooveSettings(clips.genres, hidden=1024))
    with pytest.raises(TrainingError, match="genres are '' and distinct names"):
        GrooveSettings(("rock",))


@pytest.mark.parametrize("layers", [1, 3])
def test_playing_and_training_agree_on_the_weights(layers):
    settings = GrooveSettings(("", "rock"), layers=layers, **SMALL)
    network = build_network(settings)
    shapes = {name: tuple(weight.shape) for name, weight in network.state_dict().items()}
    assert weight_shapes(settings) == shapes
