"""The deck's mixer and the file's: the same settings sound the same in Web Audio and in numpy."""

import math

import numpy as np
import pytest
from mixed import mixed
from test_deck_engine import (
    BUNDLED,
    as_sent,
    click_db,
    kit_of,
    open_booth,
    samples_of,
    steady,
    tone,
)

from dj_core.music.beat import Beat, Hit
from dj_core.music.patterns import load_patterns
from dj_core.sound.mixer_table import PRESETS, Mixer
from dj_ui.deck.kits import kit_payload

pytestmark = pytest.mark.browser

EACH = {
    "level": {"kick": {"level": -6}, "clap": {"level": -48}},
    "pan": {"closed_hat": {"pan": -0.5}, "clap": {"pan": 0.8}},
    "tune down": {"kick": {"tune": -3.5}, "clap": {"tune": -7}},
    "tune up": {"kick": {"tune": 2}, "open_hat": {"tune": 5}},
    "decay": {"kick": {"decay": 0.4}, "open_hat": {"decay": 0.2}},
    "filter": {"closed_hat": {"filter": -0.5}, "clap": {"filter": 0.6}},
    "drive": {"kick": {"drive": 0.6}, "clap": {"drive": 0.3}},
    "room": {"clap": {"room": 0.6}, "kick": {"room": 0.1}},
    "plate": {"clap": {"plate": 0.7}},
    "delay": {"clap": {"delay": 0.8}, "bus": {"feedback": 0.6, "delay_time": 0.75}},
    "duck": {"bus": {"duck": 0.8, "duck_time": 0.75}, "clap": {"room": 0.5}},
    "bus drive": {"bus": {"drive": 0.5}},
    "bands": {"bus": {"low": -24, "mid": 3, "high": -6}},
    "bus filter": {"bus": {"filter": -0.6}},
    "bus filter, opening": {"bus": {"filter": 0.4}},
    "all": {
        **{
            drum: {"tune": -1, "decay": 0.7, "filter": 0.1, "pan": 0.2, "drive": 0.2, "room": 0.2,
                   "plate": 0.2, "delay": 0.2, "level": 1}
            for drum in ("kick", "clap", "closed_hat", "open_hat")
        },
        "bus": {"drive": 0.3, "low": -3, "filter": -0.2, "duck": 0.5},
    },
    **{f"preset {name}": PRESETS[name].mixer.to_json() for name in ("techno", "dubstep")},
}  # fmt: skip


def db(ratio):
    return 10 * math.log10(ratio + 1e-30)


@pytest.fixture(scope="module")
def decks(browser):
    context = browser.new_context()
    booth = open_booth(context, kit_payload("house", BUNDLED), record=False)
    yield booth
    context.close()


@pytest.mark.parametrize("name", EACH)
def test_deck_and_file_of_a_mixed_beat_sound_the_same(decks, name):
    pattern = next(one for one in load_patterns() if one.genre == "house")
    clap = (Hit.of("clap", 1.0, 110), Hit.of("open_hat", 0.5, 90))
    beat = Beat((*pattern.hits, *clap), pattern.bars, pattern.tempo_bpm)
    mixer = Mixer.from_json(EACH[name])
    for loop in (True, False):
        deck = samples_of(
            decks.page.evaluate(
                "([beat, loop]) => offline(beat, {loop})",
                [{**as_sent(beat), "mixer": mixer.to_json()}, loop],
            )
        )
        file = mixed(beat, "house", BUNDLED, loop=loop, mixer=mixer).samples / 32_767
        assert len(deck) == len(file)
        difference = db(np.square(deck - file).mean() / np.square(file).mean())
        level = db(np.square(deck).mean() / np.square(file).mean())
        print(f"{name}, loop {loop}: difference {difference:.1f} dB, level {level:+.3f} dB")
        assert difference < -50
        assert abs(level) < 0.2


def test_no_control_of_the_mixer_clicks(browser):
    context = browser.new_context()
    booth = open_booth(context, kit_of(tone, "tones"))
    booth.do("engine.setBeat('B', value)", steady("other", "snare", every=2))
    booth.play(steady("tones", "kick", every=2))
    for mixer in (
        {"kick": {"level": -12}},
        {"kick": {"pan": 0.5}},
        {"bus": {"filter": -0.4}},
        {"bus": {"low": -24}},
        {"bus": {"duck": 0.8}, "kick": {"room": 0.3, "plate": 0.3, "delay": 0.3}},
        {"kick": {"filter": -0.4, "drive": 0.1}},
        {},
    ):
        booth.wait(0.3)
        booth.do("engine.setMixer('A', value)", mixer)
    for change in ("setBassSwap(true)", "cue('B')", "cue('A')", "setBassSwap(false)", "stop()"):
        booth.wait(0.4)
        booth.do(f"engine.{change}")
    booth.wait(0.3)
    heard = booth.heard().samples
    context.close()
    assert np.abs(heard).max() > 0.3
    assert click_db(heard) < -40
