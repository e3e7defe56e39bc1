"""The jam without a screen: a plan becomes phrases that go on from each other."""

import json
from collections import Counter
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dj_core.cli import main
from dj_core.errors import GenerationError
from dj_core.files.midi import read_midi
from dj_core.library.library import Library
from dj_core.live.jam_bar import (
    NUMBERS,
    PHRASE_BARS,
    Faders,
    Pads,
    Phrase,
    Side,
    bar_hits,
    needs_of,
)
from dj_core.live.performance import JamPlan, Move, as_set, bars_for, curve, perform, role_of
from dj_core.live.phrases import PhraseMaker, phrase_again
from dj_core.models.families import load_model
from dj_core.music.beat import Beat, Hit
from dj_core.music.patterns import load_patterns
from dj_core.sets.saved_sets import load_set
from dj_core.shaping.distance import relative_distance
from dj_core.shaping.morphing import looped

UNIT = st.floats(0, 1)


@pytest.fixture(scope="module")
def model():
    return load_model(Library.open().model(None).folder)


@pytest.fixture(scope="module")
def phrases(model):
    """Eight phrases of house, the fifth a break."""
    maker = PhraseMaker(model, ["house"], 5)
    return [maker.next("break" if number == 4 else "groove", 4) for number in range(8)]


def written(genre):
    """A written phrase of a genre with all that a jam's phrase has."""
    beat = looped(next(beat for beat in load_patterns() if beat.genre == genre), PHRASE_BARS)
    fill = Beat(tuple(Hit.of("snare", step / 4) for step in range(16)), bars=1)
    return Side(beat, needs_of(beat), fill)


HOUSE, TRAP = written("house"), written("trap")
BOTH = Phrase(0, "groove", 3, 1, (HOUSE, TRAP))
ALONE = Phrase(0, "groove", 3, 1, (HOUSE,))


def test_a_jam_is_the_same_each_time_and_its_files_open(home, tmp_path, capsys):
    asked = ["jam", "--genre", "House", "--minutes", "0.5", "--energy", "rise", "--json"]
    answers = []
    for name in ("one", "two"):
        assert main([*asked, "--out", str(tmp_path / name)]) == 0
        answers.append(json.loads(capsys.readouterr().out.splitlines()[-1]))
    one, two = (
        {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()}
        for name in ("one", "two")
    )
    assert one == two
    assert set(one) == {"jam.mid", "jam.wav", "jam.set.json"}
    bars = answers[0]["bars"]
    assert bars == 16
    assert read_midi(tmp_path / "one" / "jam.mid").bars == bars
    assert load_set(tmp_path / "one" / "jam.set.json").bars == bars
    seconds = bars * 4 * 60 / answers[0]["tempo_bpm"]
    assert len(one["jam.wav"]) == 44 + 4 * round(seconds * 44_100)
    assert [event["bar"] for event in answers[0]["events"] if "role" in event] == [1, 9]


def test_what_cannot_be_played_is_said(home, tmp_path, capsys):
    for wrong, words in (
        (["--genre", "polka"], "genres"),
        (["--energy", "1,2"], "energy curve"),
        (["--minutes", "inf"], "minutes"),
        (["--move", "9:loudness=1"], "fader"),
        (["--move", "nine"], "BAR:FADER=VALUE"),
        (["--seed", "-1"], "seed"),
        (["--model", "notes-best"], "groove model"),
    ):
        usual = {"--genre": "house", "--minutes": "1", "--out": str(tmp_path)}
        asked = usual | dict([wrong])
        assert main(["jam", *(part for pair in asked.items() for part in pair)]) == 1
        assert words in capsys.readouterr().err


def test_a_phrase_goes_on_from_the_one_before(phrases):
    grooves = [phrase.sides[0].beat for phrase in phrases if phrase.role == "groove"]
    others = [looped(beat, PHRASE_BARS) for beat in load_patterns() if beat.genre == "house"]
    near = np.mean([relative_distance(a, b) for a, b in pairwise(grooves)])
    far = np.mean([relative_distance(grooves[0], beat) for beat in others])
    assert 0 < near < far
    assert len({beat.hits for beat in grooves}) == len(grooves)
    for beat in grooves:
        assert beat.bars == PHRASE_BARS
        assert {hit.drum.family for hit in beat.hits} >= {"kick", "hat"}


def test_a_phrase_can_be_made_again(model, phrases):
    again = phrase_again(model, phrases[5].sides[0].beat.provenance.settings)
    assert again == phrases[5]
    with pytest.raises(GenerationError, match="settings"):
        phrase_again(model, {"shape": "vary"})


def test_the_second_style_is_made_at_its_own_tempo_and_sounds_at_the_jams(model):
    one, two = PhraseMaker(model, ["house", "drum-and-bass"], 3).next("groove", 4).sides
    alone = PhraseMaker(model, ["drum-and-bass"], 3).next("groove", 4).sides[0]
    assert two.beat.hits == alone.beat.hits
    assert two.fill.hits == alone.fill.hits
    assert one.beat.tempo_bpm == two.beat.tempo_bpm == 124
    assert alone.beat.tempo_bpm > 160


def test_needs_bring_in_the_beat_first(phrases):
    for side in [HOUSE, TRAP, *(phrase.sides[0] for phrase in phrases)]:
        assert len(side.needs) == len(side.beat.hits)
        assert min(side.needs) == 0
        assert max(side.needs) < 1
    first = {hit.drum.family for hit, need in zip(HOUSE.beat.hits, HOUSE.needs, strict=True)
             if need <= NUMBERS["floor"]}  # fmt: skip
    assert first == {"kick"}


@given(low=UNIT, high=UNIT, bar=st.integers(0, 7))
def test_more_energy_is_more_strokes_and_none_softer(low, high, bar):
    low, high = sorted((low, high))
    soft, loud = ({(hit.onset_quarters, hit.lane): hit.velocity
                   for hit in bar_hits(ALONE, bar, Faders(energy=energy))}
                  for energy in (low, high))  # fmt: skip
    assert soft.keys() <= loud.keys()
    assert all(velocity <= loud[at] for at, velocity in soft.items())


def test_faders_do_what_they_are_called():
    def heard(**faders):
        return [hit for bar in range(8) for hit in bar_hits(BOTH, bar, Faders(**faders))]

    def share(hits, is_so):
        return sum(map(is_so, hits)) / len(hits)

    for name, is_so in (
        ("syncopation", lambda hit: round(hit.onset_quarters * 4) % 4 > 0),
        ("brightness", lambda hit: hit.drum.family in NUMBERS["bright"]),
    ):
        shares = [share(heard(energy=0.5, **{name: at}), is_so) for at in (0, 0.5, 1)]
        assert shares == sorted(shares)
        assert shares[0] < shares[2]
    assert len(heard(density=0)) < len(heard(density=0.5)) < len(heard(density=1))
    # from style A to style B, family by family
    everything = {0.0: HOUSE, 1.0: TRAP}
    for style, side in everything.items():
        assert len(heard(energy=1, style=style)) == len(side.beat.hits)
    kicks = [hit for hit in heard(energy=1, style=0.5) if hit.drum.name == "kick"]
    assert len(kicks) == Counter(hit.drum.name for hit in HOUSE.beat.hits)["kick"]
    straight, swung = ({hit.onset_quarters for hit in heard(energy=1, swing=swing)}
                       for swing in (0.0, 1.0))  # fmt: skip
    assert straight - swung


def test_pads_do_what_they_are_called():
    names = [hit.drum.name for hit in bar_hits(ALONE, 0, Faders(), Pads(no_kick=True))]
    assert "kick" not in names
    crashes = [hit for hit in bar_hits(ALONE, 3, Faders(), Pads(crash=True))
               if hit.drum.name == "crash"]  # fmt: skip
    assert [hit.onset_quarters for hit in crashes] == [0.0]
    fill = bar_hits(ALONE, 2, Faders(energy=1), Pads(fill=True))
    assert [hit.drum.name for hit in fill] == ["snare"] * 16
    build = replace(ALONE, role="build")
    counts = [len(bar_hits(build, bar, Faders(energy=0))) for bar in range(8)]
    assert counts[0] < counts[7]


def test_a_plan_says_energy_faders_and_roles():
    plan = JamPlan(("house",), 64, curve("0,1", 64), (Move(33, "brightness", 1.0),))
    assert plan.energy_at(0) == 0
    assert plan.energy_at(63) == 1
    assert plan.faders_at(31).brightness == 0.5
    assert plan.faders_at(32).brightness == 1
    assert [role_of(0.3, 0.9, 0, first=False, last=False),
            role_of(0, 0.5, 0.3, first=False, last=False),
            role_of(0, 0.2, 0, first=False, last=False),
            role_of(0, 0.5, 0, first=True, last=False),
            role_of(0, 0.5, 0, first=False, last=True)] == [
                "drop", "build", "break", "intro", "outro"]  # fmt: skip
    waves = curve("waves", 128)
    assert max(waves) - min(waves) > 0.6
    assert bars_for(10, 124) == 312
    for wrong in ({"bars": 12}, {"energy": (2.0,)}, {"energy": ()}):
        with pytest.raises(GenerationError):
            replace(plan, **wrong)


def test_moved_faders_are_heard_and_told(model):
    plan = JamPlan(("house", "drum-and-bass"), 24, (0.5,), (Move(9, "style", 1.0),), seed=3)
    jam = perform(model, plan)
    assert {"bar": 9, "fader": "style", "value": 1.0} in jam.events
    bar = jam.phrases[1].sides[1].beat
    heard = [hit for hit in jam.beat.hits if 32 <= hit.onset_quarters < 36]
    assert {hit.lane for hit in heard} <= {hit.lane for hit in bar.hits} | {10}


def test_a_long_jam_fits_a_set():
    hits = tuple(Hit.of("kick", float(4 * bar)) for bar in range(1_600))
    beat = Beat(hits, bars=1_600, tempo_bpm=124, title="Long")
    planned = as_set(beat)
    assert len(planned.slots) <= 99
    assert planned.bars >= beat.bars
    assert sum(len(slot.beat.hits) for slot in planned.slots) == len(hits)
    assert len(as_set(beat, most_tracks=1).slots) == 1
