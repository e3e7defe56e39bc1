"""A groove model from training to beat: repeatable, resumable, exact in what it is asked for."""

import json
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
import torch

from dj_core.errors import CheckpointError, GenerationError, TrainingError
from dj_core.files.midi import midi_bytes, read_midi
from dj_core.models.checkpoint import write_card
from dj_core.models.families import read_run_settings, settings_from, train_run
from dj_core.models.groove.groove_checkpoint import load_groove_model
from dj_core.models.groove.groove_likelihood import ClipTensors, _strokes, remember
from dj_core.models.groove.groove_player import DEFAULT_TUNING, Tuning, _Block, load_groove_player
from dj_core.models.groove.groove_shape import CHAIN
from dj_core.models.groove.groove_training import GROOVE_PRESETS, training_clips, weights_of
from dj_core.models.groove.streams import LAG_BARS, OWN_STYLE, Conditions, Streams, window_at
from dj_core.models.groove.style_vector import DENSITY, LOUDNESS
from dj_core.models.groove.temperature import Heat
from dj_core.models.groove.training_clips import Clip, ClipSet
from dj_core.models.request import Feel, GenerationRequest, replay_request, with_style_drawn
from dj_core.models.run_folder import read_progress
from dj_core.music.beat import Meter
from dj_core.music.drums import DRUMS
from dj_core.music.genres import typical_tempo_bpm
from dj_core.music.step_grid import LANES, METERS, Grid, encode, steps_per_bar, to_grid
from scripts.gallery import beat_picture

TINY = replace(
    GROOVE_PRESETS["groove"],
    hidden=16,
    streams=3,
    steps_per_epoch=4,
    epochs=2,
    take_every_epochs=1,
    style_bias_takes=6,
    styles=("drum-and-bass", "house", "trap"),
)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run on the starter patterns, trained to its end."""
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    steps = list(train_run(TINY, [], folder))
    assert steps[-1].finished
    return folder


@pytest.fixture(scope="module")
def model(run):
    return load_groove_player(run / "model", "run")


def weights(folder):
    return (folder / "model" / "weights.safetensors").read_bytes()


def ask(**changes):
    return GenerationRequest(**{"genre": "house", "bars": 2, "seed": 7, **changes})


# --- training -----------------------------------------------------------------------------------


def test_a_run_notes_its_way_and_plays_takes(run):
    steps = [step for step in read_progress(run) if step.ends_epoch]
    assert [step.epoch for step in steps] == [1, 2]
    assert all(step.validation_loss > 0 and 0 <= step.train_accuracy <= 1 for step in steps)
    assert [step.take.is_file() for step in steps] == [True, True]
    assert json.loads((run / "status.json").read_text())["state"] == "finished"
    assert read_run_settings(run) == TINY


def test_a_stopped_run_goes_on_to_the_same_weights(run, tmp_path):
    folder = tmp_path / "stopped"
    done = []
    for step in train_run(TINY, [], folder, should_stop=lambda: len(done) == 2):
        done.append(step)
    assert len(done) == 2
    assert json.loads((folder / "status.json").read_text())["state"] == "stopped"
    done += train_run(TINY, [], folder, resume=True)
    assert [(step.epoch, step.step) for step in done if step.stage == "training"] == [
        (epoch, step) for epoch in (1, 2) for step in (1, 2, 3, 4)
    ]
    assert weights(folder) == weights(run)


def test_measuring_styles_is_a_stage_of_its_own_that_stops_and_goes_on(tmp_path, monkeypatch):
    where = "dj_core.models.groove.groove_training"
    monkeypatch.setattr(f"{where}.settle_style_bias", lambda *_: iter((0.25, 0.5, 1.0)))
    monkeypatch.setattr(f"{where}.settle_placement_bias", lambda *_: iter((0.5, 1.0)))
    folder, last_stage = tmp_path / "measured", "measuring the styles of its takes"
    done = []
    for step in train_run(TINY, [], folder, should_stop=lambda: len(done) == 9):
        done.append(step)
    assert [step.stage for step in done] == ["training"] * 8 + [last_stage]
    assert json.loads((folder / "status.json").read_text())["state"] == "stopped"
    assert all(step.seconds_left > 0 for step in done), "measuring is still to come"
    done += train_run(TINY, [], folder, resume=True, seconds_spent=60)
    assert [step.stage for step in done[9:]] == [last_stage] * 6
    assert [step.finished for step in done] == [False] * 14 + [True]
    assert done[-1].seconds > done[8].seconds + 60, "what it took is the whole"
    assert done[-1].seconds_left == 0
    assert read_progress(folder)[-1] == done[-1]
    assert [step.epoch for step in read_progress(folder) if step.ends_epoch] == [1, 2]
    assert json.loads((folder / "status.json").read_text())["state"] == "finished"


def test_the_starter_patterns_take_part_unless_they_are_left_out():
    assert weights_of(TINY, ["mine"]) == {"mine": 0.4, "starter": 0.06, "phrases": 0.4}
    without = replace(TINY, starter=False)
    assert weights_of(without, ["mine"]) == {"mine": 0.4}
    train, _ = training_clips([], starter=True, styles=TINY.styles)
    assert {clip.corpus for clip in train.clips} == {"starter", "phrases"}
    with pytest.raises(TrainingError, match="nothing to learn from"):
        training_clips([], starter=False)
    with pytest.raises(TrainingError, match="left out at once"):
        settings_from("groove", corpora=["mine", "starter"], starter=False)


def test_a_run_is_neither_overwritten_nor_resumed_as_another(run):
    with pytest.raises(TrainingError, match="already is a run"):
        next(train_run(TINY, [], run))
    with pytest.raises(TrainingError, match="started with other settings"):
        next(train_run(replace(TINY, seed=2), [], run, resume=True))


def test_there_is_nothing_to_resume_in_an_empty_folder(tmp_path):
    with pytest.raises(TrainingError, match="no run called"):
        next(train_run(TINY, [], tmp_path, resume=True))


def test_presets_are_named_and_settings_checked():
    assert all(settings.preset == name for name, settings in GROOVE_PRESETS.items())
    with pytest.raises(TrainingError, match="streams is a whole number from 1 to 1,024; got 0"):
        replace(TINY, streams=0)
    with pytest.raises(TrainingError, match="add up to 1 at most"):
        replace(TINY, own_style=0.8, past_style=0.3)


# --- the model folder ---------------------------------------------------------------------------


def copy_of(run, tmp_path):
    folder = tmp_path / "copy"
    folder.mkdir()
    for file in (run / "model").iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    return folder


def test_a_flipped_bit_is_noticed(run, tmp_path):
    folder = copy_of(run, tmp_path)
    content = bytearray((folder / "weights.safetensors").read_bytes())
    content[-100] ^= 1
    (folder / "weights.safetensors").write_bytes(content)
    with pytest.raises(CheckpointError, match="was altered"):
        load_groove_model(folder)


def test_a_missing_file_is_named(run, tmp_path):
    folder = copy_of(run, tmp_path)
    (folder / "model.json").unlink()
    with pytest.raises(CheckpointError, match=r"model\.json"):
        load_groove_model(folder)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("family", "notes", "family 'notes'"),
        ("vocabulary", ["lane drum"], "vocabulary"),
        ("network", {"genres": ["", "rock"], "hidden": 64}, "do not fit"),
        ("network", {"genres": ["rock"]}, "do not fit"),
    ],
)
def test_cards_that_do_not_fit_are_refused(run, tmp_path, key, value, message):
    folder = copy_of(run, tmp_path)
    card = json.loads((folder / "model.json").read_text())
    write_card(folder, {**card, key: value})  # its checksum is right, what it says is not
    with pytest.raises(CheckpointError, match=message):
        load_groove_model(folder)


# --- beats --------------------------------------------------------------------------------------


@pytest.mark.parametrize("meter", METERS, ids=str)
def test_beats_have_the_bars_meter_tempo_and_genre_asked_for(model, meter):
    beat = model.generate(ask(meter=meter, bars=3, tempo_bpm=131.0)).beat
    assert (beat.bars, beat.meter, beat.tempo_bpm, beat.genre) == (3, meter, 131.0, "house")
    assert beat.hits
    read = read_midi(midi_bytes(beat))
    assert (read.bars, read.meter, len(read.hits)) == (3, meter, len(beat.hits))


def test_the_same_seed_gives_the_same_beat_in_any_company(model):
    alone = model.generate(ask())
    others = [ask(seed=seed, bars=1 + seed % 3, meter=METERS[seed % 2]) for seed in range(11)]
    together = model.generate_all([*others[:5], ask(), *others[5:]])
    assert together[5] == alone
    assert model.generate(others[3]) == together[3]
    assert len({take.beat.hits for take in together}) == len(together)


def test_more_bars_begin_like_fewer(model):
    short, long = (model.generate(ask(bars=bars)).beat for bars in (1, 4))
    end = short.length_quarters - 0.5
    assert [h for h in short.hits if h.onset_quarters < end] == [
        h for h in long.hits if h.onset_quarters < end
    ]


def test_without_a_tempo_the_genre_decides(model):
    assert model.generate(ask(genre="drum-and-bass")).beat.tempo_bpm == 174
    assert model.generate(ask(genre="")).beat.tempo_bpm == 120
    drawn = [with_style_drawn(replace(ask(genre=""), seed=n), model.genres) for n in range(40)]
    assert {request.genre for request in drawn} == set(TINY.styles)
    beat = model.generate(drawn[0]).beat
    assert beat.tempo_bpm == typical_tempo_bpm(drawn[0].genre)
    assert beat.genre == drawn[0].genre


def test_provenance_is_enough_to_play_it_again(model):
    beat = model.generate(ask(temperature=0.8)).beat
    told = beat.provenance
    assert (told.model, told.seed, told.corpus) == (model.name, 7, "starter, phrases")
    assert told.model_sha256 == model.checkpoint.weights_sha256
    assert told.settings["temperature"] == 0.8
    json.dumps(told.settings)


def test_a_beat_is_played_again_from_its_provenance(model):
    feel = Feel(kind="fill", density=3, loudness=2, velocity=0.5, timing=1.5)
    beat = model.generate(ask(temperature=0.8, top_p=0.9, feel=feel, meter=METERS[1])).beat
    assert model.generate(replay_request(beat.provenance)).beat == beat


def test_every_16th_has_its_word(model):
    take = model.generate(ask())
    assert len(take.notes) == 32
    assert take.distinct_notes == len(set(take.notes)) > 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"bars": None, "notes": 50}, "counts bars"),
        ({"genre": "polka"}, "knows these genres: .*house.*polka"),
        ({"meter": Meter(7, 8)}, "4/4.*7/8"),
        ({"start_note": "C2"}, "start note"),
        ({"spacing": "fixed"}, "fixed spacing"),
    ],
)
def test_what_it_cannot_play_is_said_plainly(model, changes, message):
    with pytest.raises(GenerationError, match=message):
        model.generate(ask(**changes))


@pytest.mark.parametrize("wrong", [{"hits_top_p": 0.0}, {"style_noise": 4.0}])
def test_a_tuning_out_of_range_is_refused(wrong):
    with pytest.raises(GenerationError, match="got"):
        Tuning(**wrong)


def test_each_take_has_the_feel_asked_for_it(model):
    feels = [Feel(kind=kind, density=d, velocity=t) for kind in ("beat", "fill") for d in (0, 4)
             for t in (0.0, 1.0)]  # fmt: skip
    together = model.generate_all([ask(feel=feel) for feel in feels])
    assert together == [model.generate(ask(feel=feel)) for feel in feels]
    assert len({take.beat.hits for take in together}) > 2  # it hardly learned any


def test_density_is_heard(model):
    """Styles of the asked density are drawn from, whatever the network makes of it."""
    draws = [np.random.default_rng(seed) for seed in range(40)]
    scale = model.tables.scale

    def density(level):
        asked, quiet = ask(genre="", feel=Feel(density=level)), Tuning(style_noise=0.0)
        styles = [model.draw_style(asked, quiet, draw).style for draw in draws]
        columns = [DENSITY, LOUDNESS]
        raw = np.stack(styles)[:, columns] * scale.spread[columns] + scale.mean[columns]
        return scale.levels(*raw.T)[0]

    assert set(density(1)) == {1}
    assert set(density(4)) == {4}


def test_velocities_are_drawn_within_their_bin_as_the_genre_plays_them(model):
    tables = model.tables
    house = model.checkpoint.network.settings.genres.index("house")
    draws = np.random.default_rng(1).random(4_000)
    drawn = np.bincount([model.velocity_within(house, 24, d) for d in draws], minlength=128)
    members = tables.velocities[house, 97:101]
    share = members / members.sum()
    assert drawn[97:101] / len(draws) == pytest.approx(share, abs=0.1)
    assert drawn.sum() == drawn[97:101].sum()


def tossed(logit, draw, temperature, top_p):
    """One coin."""
    heat = Heat(np.array([temperature]), np.array([top_p]))
    demands = heat.demands(np.array([draw]))
    return logit > demands[0]


def test_temperature_zero_takes_the_likelier(model):
    assert tossed(0.1, 0.99, 0.0, 1.0)
    assert not tossed(-0.1, 0.01, 0.0, 1.0)
    assert not tossed(-6.0, 0.0001, 1.0, 0.99)  # outside the nucleus
    assert tossed(-6.0, 0.0001, 1.0, 1.0)
    one, two = (model.generate(ask(temperature=0.0, seed=3)) for _ in range(2))
    assert one == two


def test_playing_follows_the_odds_that_training_learns(model):
    """Replay a take through the training path: with the same draws it strikes the same lanes."""
    request = ask(genre="jazz", bars=3, tempo_bpm=150.0, seed=11)
    block = _Block(model, [request], DEFAULT_TUNING)
    take = block.play()[0]
    steps = 3 * steps_per_bar(request.meter)
    grid = Grid(*(part[:steps] for part in vars(block.grid(0)).values()))
    genres = model.checkpoint.network.settings.genres
    clip = Clip(grid, 0, "jazz", 150.0, "beat", "made", "", np.zeros(128, int), 0.0)
    clips = ClipSet.of([clip], genres)

    def one(value):
        return np.array([value])

    conditions = Conditions(
        genre=one(genres.index("jazz")),
        tempo_bpm=one(150.0),
        meter=one(0),
        kind=one(1),
        density=one(0),
        loudness=one(0),
        role=one(0),
        energy=one(0),
        style=block.styles[:1],
        style_source=one(OWN_STYLE),
    )
    streams = Streams(one(0), one(0), one(steps), one(0))
    tensors, window = ClipTensors(clips), window_at(clips, streams, steps, conditions)
    with torch.no_grad():
        memory, heard, _ = remember(model.checkpoint.network, tensors, window, None)
        struck = (tensors.velocity[torch.from_numpy(window.places)] > 0).float()
        lags = heard.lags.unflatten(-1, (len(LAG_BARS), -1))[..., :LANES]
        logits = model.checkpoint.network.lanes(memory, lags, heard.known, struck)[:, 0]
    again = [
        [
            tossed(
                float(logits[s, lane]), block.draws[0, s, lane, 0], 1.0, DEFAULT_TUNING.hits_top_p
            )
            for lane in range(LANES)
        ]
        for s in range(steps)
    ]
    assert (np.array(again) == (grid.velocity > 0)).all()
    assert sorted(CHAIN) == list(range(LANES))
    assert _drawn_again(model, block, tensors, window, memory, heard) >= 0.99
    replayed = to_grid(encode(take.beat)).velocity
    assert (replayed > 0).sum() >= 0.95 * (grid.velocity > 0).sum()  # all but what met a bar line


def _drawn_again(model, block, tensors, window, memory, heard):
    """Share of velocities and offsets that the training path's odds and a take's draws give."""
    time, stream, lane = (tensors.velocity[torch.from_numpy(window.places)] > 0).nonzero(
        as_tuple=True
    )
    row, head = torch.from_numpy(window.places)[time, stream], model.checkpoint.network.strokes
    with torch.no_grad():
        stroke = _strokes(
            model.checkpoint.network, tensors, window, memory, heard, (time, stream, lane, row)
        )
        _, around = head.begin(stroke)
        velocity = tensors.velocity[row, lane].long() - 1
        levels = head.velocity_logits(around, stroke)
        places = head.offset_logits(around, stroke, velocity)
    draws, ones = block.draws[0][time, lane], np.ones(len(lane))
    rows, tuning = np.arange(len(lane)), DEFAULT_TUNING
    levels = Heat(ones, ones * tuning.velocity_top_p).choose(levels.numpy(), draws[:, 1], rows)
    places = Heat(ones, ones * tuning.timing_top_p).choose(places.numpy(), draws[:, 2], rows)
    offset = tensors.offset[row, lane].numpy() - 1
    assert len(lane) > 20
    return np.concatenate([levels == velocity.numpy(), places == offset]).mean()


def test_a_picture_shows_every_stroke_at_its_place(model):
    beat = model.generate(ask(bars=1)).beat
    picture = ElementTree.fromstring(beat_picture(beat))
    strokes = [e for e in picture.iter() if e.tag.endswith("rect") and e.get("opacity")]
    assert len(strokes) == len(beat.hits)
    assert {e.text for e in picture.iter() if e.text and e.text.strip()} == {
        DRUMS[lane].short for lane in beat.lanes
    }
