"""The groove model that ships: every genre plays, no two takes are alike, and it is small."""

from pathlib import Path

import pytest

from benchmarks.hit_odds import HitOdds
from dj_core.evaluation.likelihood import hit_bits_per_step, quantise
from dj_core.files.midi import read_midi
from dj_core.models.groove.groove_likelihood import bits_of
from dj_core.models.groove.groove_player import load_groove_player
from dj_core.models.groove.groove_shape import MAX_PARAMETERS
from dj_core.models.groove.training_clips import ClipSet, clip_of
from dj_core.models.request import GenerationRequest
from dj_core.music.beat import Meter
from dj_core.music.drums import LANE
from dj_core.music.genres import GENRES
from dj_core.music.step_grid import METERS

FOLDER = Path(__file__).resolve().parents[1] / "models" / "groove"
MAX_BYTES = 20_000_000


@pytest.fixture(scope="module")
def model():
    return load_groove_player(FOLDER)


@pytest.fixture(scope="module")
def houses(model):
    requests = [GenerationRequest(genre="house", bars=4, seed=seed) for seed in range(1, 25)]
    return [take.beat for take in model.generate_all(requests)]


def test_it_is_small(model):
    assert sum(file.stat().st_size for file in FOLDER.iterdir()) < MAX_BYTES
    assert sum(weight.numel() for weight in model.checkpoint.network.parameters()) <= MAX_PARAMETERS


def test_it_knows_every_genre_of_the_table(model):
    assert set(model.genres) == {genre.name for genre in GENRES}


def test_every_genre_plays_four_bars(model):
    requests = [GenerationRequest(genre=genre, bars=4) for genre in model.genres]
    beats = [take.beat for take in model.generate_all(requests)]
    assert [beat.genre for beat in beats] == list(model.genres)
    assert all(len(beat.hits) >= 8 and beat.bars == 4 for beat in beats)
    assert len({beat.hits for beat in beats}) == len(beats)


@pytest.mark.parametrize("meter", METERS[1:], ids=str)
def test_other_meters_play(model, meter):
    beat = model.generate(GenerationRequest(genre="jazz", bars=2, meter=meter)).beat
    assert beat.meter == meter
    assert len(beat.hits) >= 4


def test_takes_of_a_genre_all_differ(houses):
    assert len({beat.hits for beat in houses}) == len(houses)


def test_house_has_its_kick_on_the_quarters(houses):
    quarters = kicks = 0
    for beat in houses:
        struck = {round(h.onset_quarters * 4) for h in beat.hits if h.lane == LANE["kick"]}
        quarters += 16
        kicks += sum(4 * quarter in struck for quarter in range(16))
    assert kicks / quarters > 0.75


def test_all_drums_of_a_dance_take_share_one_swing(model):
    """Off the triplets, rolls and flams, which are on the 96ths, a drum has two places."""
    requests = [GenerationRequest(genre="uk-garage", bars=8, seed=seed) for seed in range(1, 9)]
    swinging = 0
    for beat in (take.beat for take in model.generate_all(requests)):
        places = {}
        for hit in beat.hits:
            step = round(hit.onset_quarters * 4)
            offset = round(hit.onset_quarters * 96 - step * 24, 2)
            if abs(offset - round(offset)) > 0.02:
                places.setdefault((hit.lane, step % 2), set()).add(offset)
        assert all(len(found) == 1 for found in places.values())
        swinging += any(odd for _, odd in places)
    assert swinging >= 6


def test_there_are_dynamics_and_in_played_genres_feel(model):
    beat = model.generate(GenerationRequest(genre="funk", bars=4, seed=2)).beat
    assert len({hit.velocity for hit in beat.hits}) > 10
    sixteenths = [hit.onset_quarters * 4 for hit in beat.hits]
    assert sum(abs(s - round(s)) > 0.01 for s in sixteenths) > len(sixteenths) / 2


def test_long_takes_go_on(model):
    beat = model.generate(GenerationRequest(genre="rock", bars=32, seed=3)).beat
    bars = [0] * 32
    for hit in beat.hits:
        bars[int(hit.onset_quarters // Meter().bar_quarters)] += 1
    first, last = sum(bars[:8]), sum(bars[-8:])
    assert min(bars[:31]) > 0
    assert 0.5 < last / first < 2


def test_its_hit_bits_are_the_same_counted_in_another_way(model, corpora):
    """Class after class, as the n-grams are measured, and a 16th at once, as its card says."""
    files = sorted(
        (corpora / "groove").rglob("*.mid"), key=lambda path: (path.stat().st_size, path)
    )
    beats = [beat for beat in map(read_midi, files[:12]) if beat.meter == Meter()][:4]
    known = model.checkpoint.network.settings.genres
    clips = ClipSet.of([clip_of(beat, "beat", "groove") for beat in beats], known)
    odds = HitOdds(model.checkpoint.network, model.tables.scale, clips)
    counted = hit_bits_per_step(odds, [quantise(beat) for beat in beats])
    bits = bits_of(model.checkpoint.network, model.tables.scale, clips, with_past_style=False)
    assert counted == pytest.approx(bits.hits_per_step, rel=1e-4)
