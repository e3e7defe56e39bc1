"""What the groove model learns from: clips, styles and streams that never look ahead."""

import numpy as np
import pytest

from dj_core.errors import TrainingError
from dj_core.models.groove.infilling import own_hand
from dj_core.models.groove.streams import (
    LAG_BARS,
    OWN_STYLE,
    PAST_STYLE,
    Conditions,
    Scale,
    Streams,
    TrainingStreams,
    Veil,
    whole_clips,
    window_at,
)
from dj_core.models.groove.style_tables import stretches
from dj_core.models.groove.style_vector import (
    DENSITY,
    LOUDNESS,
    STYLE_NAMES,
    STYLE_SIZE,
    VOICE_NAMES,
    VOICES,
    StyleSums,
)
from dj_core.models.groove.training_clips import (
    LOOPED_BARS,
    ClipSet,
    clip_of,
    hand_of,
    starter_clips,
)
from dj_core.music.beat import Beat, Hit, Meter
from dj_core.music.drums import DRUMS, LANE
from dj_core.music.genres import DANCE_STYLES
from dj_core.music.patterns import parse_patterns
from dj_core.music.touch import TOUCHES, UNKNOWN, touches_of, velocities


def four_on_the_floor(bars=1, meter=None, velocity=127, genre="house"):
    meter = meter or Meter()
    hits = tuple(Hit(float(q), LANE["kick"], velocity) for q in range(int(meter.bar_quarters)))
    whole = Beat(hits, bars=1, meter=meter)
    repeated = [
        Hit(hit.onset_quarters + bar * meter.bar_quarters, hit.lane, hit.velocity)
        for bar in range(bars)
        for hit in whole.hits
    ]
    return Beat(tuple(repeated), bars=bars, meter=meter, tempo_bpm=124.0, genre=genre)


def random_beat(seed, bars=8, meter=None):
    draw = np.random.default_rng(seed)
    meter = meter or Meter()
    hits = tuple(
        Hit(float(onset), int(lane), int(velocity))
        for onset, lane, velocity in zip(
            draw.uniform(0, bars * meter.bar_quarters - 0.2, 40 * bars),
            draw.integers(0, len(DRUMS), 40 * bars),
            draw.integers(1, 128, 40 * bars),
            strict=True,
        )
    )
    return Beat(hits, bars=bars, meter=meter, tempo_bpm=100.0 + seed, genre="rock")


def made_clips():
    meters = (Meter(), Meter(3, 4), Meter(12, 8))
    return ClipSet.of(
        clip_of(random_beat(seed, bars=3 + 5 * seed, meter=meters[seed % 3]), "beat", "made")
        for seed in range(6)
    )


def made_scale(clips):
    _, first, end = stretches(clips, 8)
    return Scale.of(StyleSums(clips).between(first, end))


@pytest.fixture(scope="module")
def clips():
    return made_clips()


@pytest.fixture(scope="module")
def sums(clips):
    return StyleSums(clips)


@pytest.fixture(scope="module")
def scale(clips):
    return made_scale(clips)


def test_short_programmed_patterns_are_looped():
    clip = clip_of(four_on_the_floor(), "beat", "made", loop_bars=LOOPED_BARS)
    assert clip.steps == LOOPED_BARS * 16
    assert np.flatnonzero(clip.grid.velocity[:, 0]).tolist() == list(range(0, 64, 4))


def test_starter_clips_are_the_same_every_time_and_know_their_genres():
    one, two = list(starter_clips()), list(starter_clips())
    assert all((a.grid.velocity == b.grid.velocity).all() for a, b in zip(one, two, strict=True))
    assert {"blues", "hip-hop", "jazz"} <= {clip.genre for clip in one}
    assert not {clip.genre for clip in one} & set(DANCE_STYLES)  # those have phrases
    assert {clip.kind for clip in one} == {"beat", "fill"}
    assert all(
        clip.steps >= LOOPED_BARS * clip.steps_per_bar for clip in one if clip.kind == "beat"
    )


def test_nothing_to_learn_from_is_said_so():
    with pytest.raises(TrainingError, match="no beat to learn from"):
        ClipSet.of([])


def test_the_last_stroke_of_a_lane_is_the_one_before_this_step():
    clips = ClipSet.of([clip_of(four_on_the_floor(), "beat", "made")])
    assert clips.last_hit[:6, 0].tolist() == [-1, 0, 0, 0, 0, 4]


def test_a_style_says_what_a_plain_beat_is():
    clips = ClipSet.of([clip_of(four_on_the_floor(bars=4), "beat", "made")])
    (style,) = StyleSums(clips).between(np.array([0]), np.array([64]))
    assert style.shape == (STYLE_SIZE,)
    told = dict(zip(STYLE_NAMES, style, strict=True))
    assert told["kick: often"] == pytest.approx(np.sqrt(1 / 4))  # in a quarter of all steps
    assert told["kick: velocity"] == told["kick: ceiling"] == pytest.approx(1.0)
    assert told["kick: share on_beat"] == told["on beat"] == 1
    assert not any(told[f"{voice[0]}: {name}"] for voice in VOICES[1:] for name in VOICE_NAMES)
    assert style[DENSITY] == pytest.approx(1 / 4)
    assert style[LOUDNESS] == pytest.approx(1.0)
    assert (told["flams"], told["ceiling"], told["on grid"], told["far"]) == (0, 1, 1, 0)
    assert (told["alike 4 steps"], told["alike 3 steps"]) == (1, 0)
    assert told["alike 1 bars"] == 1  # where there was a bar before
    assert not any(told[f"kick: {what} spread"] for what in ("velocity", "offset"))


def test_a_style_knows_who_plays_together_and_how_strokes_hang_together():
    """Kick and hat in every quarter, the hat behind it; both a little later every time."""
    late = [0.005 * quarter for quarter in range(16)]
    hits = [
        Hit(quarter + off, LANE[name], level)
        for quarter, off in enumerate(late)
        for name, off, level in (("kick", off, 100), ("closed_hat", off + 0.03, 40 + quarter % 2))
    ]
    clips = ClipSet.of([clip_of(Beat(tuple(hits), bars=4), "beat", "made")])
    (style,) = StyleSums(clips).between(np.array([0]), np.array([64]))
    told = dict(zip(STYLE_NAMES, style, strict=True))
    assert told["pairs"] == 1
    assert told["apart"] == pytest.approx(0.03 * 8, abs=0.05)  # of half a 16th
    assert told["offsets correlate"] > 0.3
    assert told["velocities correlate"] < -0.9
    assert told["kick: offset by step"] == pytest.approx(0.005 * 8, abs=0.02)
    assert told["kick: offset by bar"] == pytest.approx(0.02 * 8, abs=0.02)
    assert told["kick: velocity by step"] == 0


def test_a_style_of_a_stretch_is_that_of_the_stretch_alone(clips, sums):
    """For clips that begin there; what repeats a bar from before the stretch is another matter."""
    for index, clip in enumerate(clips.clips):
        alone = ClipSet.of([clip])
        (expected,) = StyleSums(alone).between(np.array([0]), np.array([clip.steps]))
        (found,) = sums.between(clips.starts[[index]], clips.starts[[index + 1]])
        assert found == pytest.approx(expected)


def plain_conditions(clips, chosen):
    zeros = np.zeros(len(chosen), int)
    return Conditions(
        genre=zeros,
        tempo_bpm=zeros.astype(float),
        meter=clips.meter[chosen],
        kind=zeros,
        density=zeros,
        loudness=zeros,
        role=zeros,
        energy=zeros,
        style=np.zeros((len(chosen), STYLE_SIZE)),
        style_source=zeros,
    )


def test_windows_point_to_the_past_of_their_stream_only(clips):
    chosen = np.arange(len(clips.clips))
    bar = clips.bar_steps
    origin = clips.starts[:-1] + bar  # begin in the second bar: the first is none of its business
    streams = Streams(chosen, origin, clips.starts[1:], origin + bar)
    window = window_at(clips, streams, 40, plain_conditions(clips, chosen))
    now = window.places
    for rows in (window.previous, *window.lags, *window.following):
        known = rows != clips.steps
        assert (rows[known] < now[known]).all()
        assert (rows >= np.where(known, origin, 0)).all()
    known = window.last != clips.steps
    assert (window.last < now[..., None])[known].all()
    assert (window.last >= np.where(known, origin[:, None], 0)).all()
    for lag, bars in zip(window.lags, LAG_BARS, strict=True):
        known = lag != clips.steps
        assert (now - lag == (bars * bar).astype(int))[known].all()
        assert known.any() or bars == 4


def test_steps_after_a_streams_end_are_outside_and_empty(clips):
    streams = Streams(*(np.array([v]) for v in (0, 0, clips.starts[1], clips.starts[1] - 10)))
    window = window_at(clips, streams, 32, plain_conditions(clips, np.array([0])))
    assert window.inside.sum() == 10
    assert (window.places[10:] == clips.steps).all()
    assert (window.lags[:, 10:] == clips.steps).all()
    assert (window.last[10:] == clips.steps).all()


def streams_of(clips, sums, scale, seed=1, **veil):
    return TrainingStreams(clips, sums, scale, {}, 5, Veil(**veil), np.random.default_rng(seed))


def test_streams_are_decided_by_their_seed(clips, sums, scale):
    one, two, other = (streams_of(clips, sums, scale, seed) for seed in (1, 1, 2))
    for _ in range(6):
        a, b, c = (streams.next_window(16) for streams in (one, two, other))
        assert (a.places == b.places).all()
        assert (a.conditions.style == b.conditions.style).all()
    assert (a.places != c.places).any()


def test_streams_go_on_from_where_they_were(clips, sums, scale):
    one = streams_of(clips, sums, scale)
    for _ in range(3):
        one.next_window(16)
    two = streams_of(clips, sums, scale, seed=9)
    two.go_to(one.places())
    two.generator.bit_generator.state = one.generator.bit_generator.state
    for _ in range(5):
        assert (one.next_window(16).places == two.next_window(16).places).all()


def test_every_step_of_every_clip_is_heard_once(clips, sums, scale):
    seen = np.zeros(clips.steps, int)
    for _, window in whole_clips(clips, sums, scale, 16, 4):
        np.add.at(seen, window.places[window.inside], 1)
    assert (seen == 1).all()


def test_the_style_of_the_past_knows_nothing_of_what_comes(clips, scale):
    """Change a clip's second half: what its first half was told stays the same."""
    changed = clip_of(random_beat(5, bars=28, meter=Meter(12, 8)), "beat", "made")
    half = 14 * changed.steps_per_bar
    for part in vars(changed.grid).values():
        part[half:] = 0
    other = ClipSet.of([*clips.clips[:5], changed], clips.genres)
    for (_, one), (_, two) in zip(
        whole_clips(clips, StyleSums(clips), scale, 24, 6),
        whole_clips(other, StyleSums(other), scale, 24, 6),
        strict=True,
    ):
        if one.places[one.inside].max() < clips.starts[5] + half:
            assert (one.conditions.style == two.conditions.style).all()
            assert not (one.conditions.style_source == OWN_STYLE).any()


def test_what_is_veiled_is_not_told(clips, sums, scale):
    hidden = streams_of(
        clips, sums, scale, genre=1.0, tempo=1.0, kind=1.0, level=1.0, own_style=0, past_style=0
    )
    told = streams_of(clips, sums, scale, genre=0.0, tempo=0.0, kind=0.0, level=0.0, own_style=1.0)
    for _ in range(4):
        nothing, everything = hidden.next_window(16).conditions, told.next_window(16).conditions
        for name in ("genre", "tempo_bpm", "kind", "density", "loudness", "style", "style_source"):
            assert not getattr(nothing, name).any()
        assert everything.genre.all()
        assert everything.tempo_bpm.all()
        assert (everything.style_source == OWN_STYLE).all()


def test_a_past_style_is_told_once_two_bars_are_over(clips, sums, scale):
    streams = streams_of(clips, sums, scale, own_style=0.0, past_style=1.0)
    sources = [streams.next_window(16).conditions.style_source for _ in range(4)]
    assert not sources[0].any()
    assert (np.array(sources) == PAST_STYLE).any()


def test_a_programmed_beat_has_one_place_a_drum_for_eighths_and_one_between_them():
    late = 2.4 / 96
    hats = [Hit(n / 4 + (late if n % 2 else 0.0), LANE["closed_hat"], 90) for n in range(16)]
    claps = [Hit(q + 0.5 / 96, LANE["clap"], 100) for q in (1.0, 3.0)]
    triplet = [Hit(2 + 8 / 96, LANE["clap"], 60)]  # one of three
    beat = Beat((*hats, *claps, *triplet), bars=1, genre="house")
    hand = hand_of(beat)
    swing = hand[:, :2]
    np.testing.assert_allclose(swing[LANE["closed_hat"]], [0.0, 2.4], atol=0.002)
    np.testing.assert_allclose(swing[LANE["clap"]], [0.5, 2.4], atol=0.002)
    np.testing.assert_allclose(swing[LANE["kick"]], [0.0, 2.4], atol=0.002)  # of all drums
    np.testing.assert_array_equal(own_hand(beat), hand)


@pytest.mark.parametrize("touch", TOUCHES)
def test_a_written_phrases_touch_is_told_from_its_velocities_and_gives_them_again(touch):
    bars = {"BD": "X..x X..o X.x. X..x", "CH": "x.gx x.Xx ggox x.Xg", "SD": ".... X..g .... X.g."}
    rows = "\n".join(f"{row} |{bar}|%|%|%|" for row, bar in bars.items())
    text = f"tempo: 124  touch: {touch}\nbeat: Told\n{rows}\n"
    (beat,) = parse_patterns(text, source="told.beat", genre="house")
    hits = beat.hits
    step = np.array([round(4 * hit.onset_quarters) for hit in hits])
    lane = np.array([hit.lane for hit in hits])
    told = touches_of(beat)
    assert {float(told[each]) for each in lane} == {TOUCHES[touch]}
    struck = velocities(step, lane, told[lane], beat.meter)
    written = np.array([hit.velocity for hit in hits])
    assert (np.abs(struck - written[:, None]).min(1) == 0).all()


def test_a_drum_that_is_struck_otherwise_has_no_touch():
    hits = [Hit(n / 4, LANE["kick"], 20 + 29 * n % 97) for n in range(32)]
    assert touches_of(Beat(tuple(hits), bars=2))[LANE["kick"]] == UNKNOWN


def test_a_drummers_beat_has_no_swing_of_its_own():
    assert own_hand(random_beat(1)) is None
    assert own_hand(Beat((), bars=1)) is None
