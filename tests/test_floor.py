"""The dance floor: styles and rules, written and composed phrases, and their examination."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dj_core.cli import main
from dj_core.errors import BeatError
from dj_core.evaluation.alive import liveliness
from dj_core.evaluation.floor import examine_floor
from dj_core.library.library import SHIPPED_MODELS
from dj_core.models.families import load_model
from dj_core.music.beat import Beat, Hit
from dj_core.music.composer import (
    HELD_OUT_EVERY,
    PHRASE_FOLDER,
    compose,
    role_of_phrase,
    written_genres,
    written_phrases,
)
from dj_core.music.drums import LANE
from dj_core.music.genres import (
    DANCE_STYLES,
    GENRE,
    GENRES,
    MOST_ENERGY,
    ROLES,
    genre_label,
    genre_name,
)
from dj_core.music.idiom import bars_of, broken_rules
from dj_core.music.patterns import genre_patterns
from scripts.style_list import DOCUMENT, with_tables


def four_floor(bars=4, **changes):
    hits = [Hit(beat, LANE["kick"], 110) for beat in range(4 * bars)]
    hits += [Hit(beat + 1, LANE["clap"], 100) for beat in range(0, 4 * bars, 2)]
    hits += [Hit(beat + 0.5, LANE["open_hat"], 90) for beat in range(4 * bars)]
    return Beat(tuple(sorted(hits, key=lambda hit: hit.onset_quarters)), bars, genre="house")


# -- the table -----------------------------------------------------------------------------------


def test_the_table_holds_the_dance_floor():
    assert len(DANCE_STYLES) >= 45
    families = {genre.family for genre in GENRES if genre.is_dance}
    assert len(families) <= 12
    assert [genre.is_dance for genre in GENRES] == sorted(
        (genre.is_dance for genre in GENRES), reverse=True
    )  # dance first
    for name in DANCE_STYLES:
        style = GENRE[name]
        slowest, fastest = style.tempo_range_bpm
        assert slowest <= style.tempo_bpm <= fastest
        assert style.says.endswith(".")
        assert style.rules
        assert genre_name(style.label) == name
        for rule in style.rules:
            assert set(rule.drums) <= LANE.keys()
            assert 0 <= rule.least <= rule.most <= 1
            assert rule.least > 0 or rule.most < 1  # else it says nothing
            assert set(rule.steps) <= set(range(16))


@pytest.mark.parametrize(
    ("spelling", "name"),
    [("DnB", "drum-and-bass"), ("Deep House", "deep-house"), ("R&B", "rnb"), ("140", "deep-140"),
     ("UK garage", "uk-garage"), ("breaks", "breakbeat"), ("hip hop", "hip-hop")],
)  # fmt: skip
def test_other_spellings_lead_to_the_same_style(spelling, name):
    assert genre_name(spelling) == name
    assert genre_label(name) == GENRE[name].label


def test_a_rule_is_broken_when_its_anchor_is_missing():
    house = four_floor()
    assert broken_rules(house) == []
    kickless = Beat(tuple(h for h in house.hits if h.lane != LANE["kick"]), 4, genre="house")
    assert [rule.says for rule in broken_rules(kickless)] == ["a kick on every beat"]
    as_dubstep = Beat(house.hits, 4, genre="dubstep")
    assert "a snare or clap on three" in [rule.says for rule in broken_rules(as_dubstep)]
    assert broken_rules(Beat(house.hits, 4, genre="jazz")) == []


def test_the_document_has_the_table():
    text = DOCUMENT.read_text(encoding="utf-8")
    assert with_tables(text) == text, "run .venv/bin/python -m scripts.style_list"


# -- written phrases -----------------------------------------------------------------------------


def test_every_style_has_its_phrases():
    assert written_genres() == DANCE_STYLES


@pytest.mark.parametrize("style", DANCE_STYLES)
def test_written_phrases_are_whole_alive_and_in_the_style(style):
    beats = genre_patterns(style, PHRASE_FOLDER)
    phrases = [beat for beat in beats if beat.provenance.settings["kind"] == "beat"]
    assert len(phrases) >= 12
    assert len(beats) - len(phrases) >= 4
    assert {role_of_phrase(beat) for beat in phrases} == set(ROLES)
    for beat in phrases:
        live = liveliness(beat)
        assert beat.bars == 8
        assert not live.flat
        assert not live.identical
        assert 1 <= beat.provenance.settings["energy"] <= MOST_ENERGY
        slowest, fastest = GENRE[style].tempo_range_bpm
        assert slowest <= beat.tempo_bpm <= fastest
        if role_of_phrase(beat) in ("groove", "drop"):
            assert live.broken_rules == (), beat.title
            assert live.drums >= 5
    halves = [(bars_of(beat)[:4], bars_of(beat)[4:]) for beat in phrases]
    assert all(one != other for one, other in halves)


@pytest.mark.parametrize("style", ["house", "trap", "jungle"])
def test_held_out_phrases_are_apart_from_those_learned_from(style):
    learned, held_out = written_phrases(style), written_phrases(style, held_out=True)
    every = genre_patterns(style, PHRASE_FOLDER)
    titles = [{beat.title for beat in (*part.phrases, *part.fills)} for part in (learned, held_out)]
    assert not titles[0] & titles[1]
    assert titles[0] | titles[1] == {beat.title for beat in every}
    grooves = [beat for beat in every if role_of_phrase(beat) == "groove"]
    kept = sum(role_of_phrase(beat) == "groove" for beat in held_out.phrases)
    assert (
        kept
        == len([b for b in grooves if b.provenance.settings["kind"] == "beat"]) // HELD_OUT_EVERY
    )


# -- composed phrases ----------------------------------------------------------------------------


@pytest.mark.parametrize("style", ["house", "drum-and-bass", "dub"])
def test_composed_phrases_keep_the_style_and_come_again(style):
    material = written_phrases(style)
    made = list(compose(material, "groove", 6, seed=3))
    assert [b.hits for b in made] == [b.hits for b in compose(material, "groove", 6, seed=3)]
    assert len({beat.hits for beat in made}) == len(made) == 6
    assert not {b.hits for b in made} & {b.hits for b in compose(material, "groove", 6, seed=4)}
    for beat in made:
        assert beat.bars in (8, 16)
        assert broken_rules(beat) == []
        assert not liveliness(beat).flat


def test_roles_are_heard():
    material = written_phrases("techno")

    def kicks(role, bars):
        found = []
        for beat in compose(material, role, 4, seed=1):
            sounding = bars_of(beat)
            found.append(np.mean([(0, "kick") in sounding[bar] for bar in bars]))
        return float(np.mean(found))

    def hits(role, bars):
        beats = list(compose(material, role, 4, seed=1))
        return np.mean([len(bars_of(beat)[bar]) for beat in beats for bar in bars])

    assert kicks("groove", range(6)) > 0.9
    assert kicks("break", range(8)) < 0.5
    assert hits("intro", (0, 1)) < 0.7 * hits("intro", (5, 6))
    assert hits("outro", (5, 6)) < 0.8 * hits("outro", (0, 1))
    assert hits("build", (5, 6)) > hits("build", (0, 1))
    drops = list(compose(material, "drop", 4, seed=1))
    assert all((0, "crash") in bars_of(beat)[0] for beat in drops)


# -- measures ------------------------------------------------------------------------------------


def test_the_measures_of_a_flat_loop():
    live = liveliness(four_floor())
    assert live.flat
    assert live.identical
    assert live.on_grid
    assert (live.drums, live.hits_a_bar, live.levels) == (3, 10.0, 1.0)
    assert live.changes == (0.0, 0.0, 0.0)


@given(st.integers(1, 3), st.sampled_from(["shaker", "cowbell"]), st.integers(0, 15))
def test_a_bar_that_turns_is_seen(bar, drum, step):
    house = four_floor()
    turned = Beat((*house.hits, Hit(4 * bar + step / 4, LANE[drum], 60)), 4, genre="house")
    live = liveliness(turned)
    assert not live.identical
    assert live.changes[bar - 1] > 0


def test_swing_takes_hits_off_the_grid():
    house = four_floor()
    swung = Beat((*house.hits, Hit(0.29, LANE["closed_hat"], 60)), 4, genre="house")
    assert not liveliness(swung).on_grid


# -- the examination -----------------------------------------------------------------------------


def test_the_floor_is_examined_from_the_command_line(capsys, tmp_path):
    styles = ("house", "dubstep", "trap", "disco", "jungle")
    asked = [part for style in styles for part in ("--style", style)]
    command = ["evaluate", "--floor", "--takes", "6", *asked, "--out", str(tmp_path), "--json"]
    assert main(command) == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert set(found["styles"]) == set(styles)
    assert set(found["recognised"]["top_three_by_style"]) == set(styles)
    assert found["means"]["flat"] < 0.2
    assert found["means"]["distinct"] == 1.0
    assert found["written"]["idiom"] == 1.0
    assert found["judge"]["hits only"]["forest_excess"] == pytest.approx(
        found["judge"]["hits only"]["forest_auc"] - found["judge"]["hits only"]["forest_floor"]
    )
    assert json.loads((tmp_path / "floor.json").read_text())["styles"] == found["styles"]


def test_a_model_without_dance_styles_is_refused():
    model = load_model(SHIPPED_MODELS / "notes-best")
    with pytest.raises(BeatError, match="none of the styles"):
        examine_floor(model, takes=1)
