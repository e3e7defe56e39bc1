"""Starter patterns: the notation reads to exact hits, and what we wrote in it can be played."""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dj_core.errors import PatternError
from dj_core.music.beat import Beat, Hit, Meter
from dj_core.music.drums import DRUM, DRUMS, LANE
from dj_core.music.genres import GENRE
from dj_core.music.patterns import (
    FLAM_SECONDS,
    LEVELS,
    PATTERN_SUFFIX,
    RATCHET_TAIL,
    STARTER_FOLDER,
    genre_patterns,
    load_patterns,
    parse_patterns,
)

ACOUSTIC = {"blues", "country", "indie", "jazz", "pop", "psychedelic-rock", "rock", "soul"}
DANCED = {
    "house",
    "techno",
    "drum-and-bass",
    "uk-garage",
    "hip-hop",
    "trap",
    "breakbeat",
    "electro",
    "disco",
    "dub",
    "reggaeton",
}
FEET = {LANE["kick"], LANE["pedal_hat"]}
STARTERS = load_patterns()


def title_of(beat: Beat) -> str:
    return f"{beat.genre}/{beat.title}"


every_starter = pytest.mark.parametrize("beat", STARTERS, ids=title_of)


def read(*lines: str, genre: str = "house") -> Beat:
    (beat,) = parse_patterns("\n".join(lines), source="test.beat", genre=genre)
    return beat


def onsets(beat: Beat, drum: str) -> list[float]:
    return [hit.onset_quarters for hit in beat.hits if hit.lane == LANE[drum]]


def velocities(beat: Beat, drum: str) -> list[int]:
    return [hit.velocity for hit in beat.hits if hit.lane == LANE[drum]]


# --- the notation


def test_a_simple_pattern_is_read_to_exact_onsets_and_velocities():
    beat = read(
        "# a comment",
        "beat: Plain",
        "tempo: 120.5  meter: 4/4  touch: exact",
        "BD |X... .... x... ....|",
        "snare |.... o... .... g...|",
    )
    kick, snare = DRUM["kick"].default_velocity, DRUM["snare"].default_velocity
    assert beat.hits == (
        Hit(0.0, LANE["kick"], round(kick * LEVELS["X"])),
        Hit(1.0, LANE["snare"], round(snare * LEVELS["o"])),
        Hit(2.0, LANE["kick"], round(kick * LEVELS["x"])),
        Hit(3.0, LANE["snare"], round(snare * LEVELS["g"])),
    )
    assert (beat.title, beat.genre, beat.bars) == ("Plain", "house", 1)
    assert (beat.tempo_bpm, beat.meter) == (120.5, Meter(4, 4))
    assert beat.provenance.source == "starter/house"
    assert beat.provenance.settings == {"kind": "beat", "role": "groove", "energy": 3}


def written(beat: Beat) -> str:
    """`beat`, whose hits lie on sixteenths at exact levels, as the notation would have it."""
    sign_of = {
        (drum.name, min(127, round(drum.default_velocity * level))): sign
        for drum in DRUMS
        for sign, level in LEVELS.items()
    }
    steps = round(beat.length_quarters * 4)
    rows = {lane: ["."] * steps for lane in beat.lanes}
    for hit in beat.hits:
        rows[hit.lane][round(hit.onset_quarters * 4)] = sign_of[hit.drum.name, hit.velocity]
    bar = steps // beat.bars
    lines = [f"beat: {beat.title}", f"meter: {beat.meter}  touch: exact"]
    for lane, signs in rows.items():
        bars = ("".join(signs[start : start + bar]) for start in range(0, steps, bar))
        lines.append(f"{DRUMS[lane].short} |{'|'.join(bars)}|")
    return "\n".join(lines)


@st.composite
def grid_texts(draw: st.DrawFn) -> str:
    meter = draw(st.sampled_from(("4/4", "3/4", "7/8", "12/8")))
    steps = round(Meter.parse(meter).bar_quarters * 4)
    bars = draw(st.integers(1, 3))
    drums = draw(st.lists(st.sampled_from(DRUMS), min_size=1, max_size=4, unique=True))
    bar = st.text(".goxX", min_size=steps, max_size=steps)
    lines = ["beat: Round trip", f"meter: {meter}  touch: exact"]
    for drum in drums:
        row = [draw(bar) for _ in range(bars)]
        lines.append(f"{drum.short} |{'|'.join(row)}|")
    spare = next(drum for drum in DRUMS if drum not in drums)  # never all rests
    lines.append(f"{spare.short} |{'|'.join(['x' * steps] * bars)}|")
    return "\n".join(lines)


@given(grid_texts())
def test_any_grid_survives_a_round_trip_through_the_notation(text):
    beat = read(*text.split("\n"))
    assert read(*written(beat).split("\n")).hits == beat.hits


@pytest.mark.parametrize(("percent", "late_quarters"), [(50, 0.0), (60, 0.05), ("66.7", 0.0835)])
def test_swing_delays_every_second_sixteenth_and_nothing_else(percent, late_quarters):
    beat = read("beat: Swung", f"swing: {percent}", "CH |xxxx xxxx xxxx xxxx|")
    for step, onset in enumerate(onsets(beat, "closed_hat")):
        assert onset == pytest.approx(step / 4 + (late_quarters if step % 2 else 0.0))


def test_swing_of_eighths_carries_the_sixteenths_along():
    beat = read("beat: Swung", "swing: 60/8", "CH |xxxx .... .... ....|")
    assert onsets(beat, "closed_hat") == pytest.approx([0, 0.3, 0.6, 0.8])


def test_a_bracket_shares_one_beat_evenly_and_never_swings():
    beat = read("beat: Rolls", "swing: 66", "CH |.... (xxx) (xxxxxxxx) ....|")
    thirds, eighths = [1, 4 / 3, 5 / 3], [2 + part / 8 for part in range(8)]
    assert onsets(beat, "closed_hat") == pytest.approx(thirds + eighths)


def test_brackets_fill_a_dotted_beat_in_compound_meters():
    beat = read("beat: Slow", "meter: 12/8  steps: 12", "SD |... (xx) x.x ...|")
    assert onsets(beat, "snare") == pytest.approx([1.5, 2.25, 3.0, 4.0])
    assert beat.length_quarters == 6


def test_steps_set_the_grid_of_a_bar():
    beat = read("beat: Triplets", "steps: 12", "RD |x.x x.x x.x x.x|")
    assert onsets(beat, "ride")[:4] == pytest.approx([0, 2 / 3, 1, 5 / 3])


def test_a_ratchet_splits_its_step_and_falls_in_velocity():
    beat = read("beat: Ratchet", "touch: exact", "CH |3... .... .... ....|")
    assert onsets(beat, "closed_hat") == pytest.approx([0, 1 / 12, 1 / 6])
    first, *tail = velocities(beat, "closed_hat")
    expected = round(DRUM["closed_hat"].default_velocity * LEVELS["x"] * RATCHET_TAIL)
    assert tail == [expected, expected]
    assert first > expected


def test_a_flam_puts_a_softer_grace_stroke_ahead_of_the_beat():
    beat = read("beat: Flam", "tempo: 150", "SD |.... F... .... ....|")
    assert onsets(beat, "snare") == pytest.approx([1 - FLAM_SECONDS * 150 / 60, 1])
    grace, main = velocities(beat, "snare")
    assert grace < main / 2


def test_feel_moves_a_row_in_milliseconds_or_96ths_and_stays_inside_the_beat():
    beat = read(
        "beat: Lean",
        "tempo: 120",
        "SD |.... x... .... x...|  +10ms",
        "BD |x... .... x... ....|  -6ms",
        "CH |x... .... .... ....|  +1/96",
    )
    assert onsets(beat, "snare") == pytest.approx([1.02, 3.02])
    assert onsets(beat, "kick") == pytest.approx([0.0, 1.988])
    assert onsets(beat, "closed_hat") == pytest.approx([1 / 96])


def test_percent_signs_repeat_one_and_two_bars():
    beat = read("beat: Simile", "BD |x... .... .... ....|.x.. .... .... ....|%%|%|")
    assert onsets(beat, "kick") == pytest.approx([0, 4.25, 8, 12])
    assert beat.bars == 4


def test_settings_above_the_first_pattern_hold_until_a_pattern_says_otherwise():
    first, second = parse_patterns(
        "tempo: 90 swing: 60\nbeat: One\nBD |xxxx............|\n"
        "fill: Two\ntempo: 100\nBD |xxxx............|",
        source="test.beat",
        genre="hip-hop",
    )
    assert (first.tempo_bpm, second.tempo_bpm) == (90, 100)
    assert onsets(first, "kick") == onsets(second, "kick") == pytest.approx([0, 0.3, 0.5, 0.8])
    assert (second.title, second.provenance.settings["kind"]) == ("Two fill", "fill")


def test_touch_shapes_velocities_the_same_way_every_time():
    rows = "CH |xxxx xxxx xxxx xxxx|%|"
    spread = {}
    for touch in ("exact", "machine", "hand"):
        beat = read("beat: Touch", f"touch: {touch}", rows)
        assert beat == read("beat: Touch", f"touch: {touch}", rows)
        played = velocities(beat, "closed_hat")
        spread[touch] = max(played) - min(played)
    assert spread["exact"] == 0 < spread["machine"] < spread["hand"] <= 12


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("beat: A\nBD |x... x... x... x..|", 2, "fills 15 steps of 16"),
        ("beat: A\n\nBD |x... x... x..? x...|", 3, "'?' is no stroke"),
        ("beat: A\nZZ |x... x... x... x...|", 2, "no drum is called 'ZZ'"),
        ("beat: A\nBD |x...............|%|\nSD |x...............|", 3, "1 bars where"),
        ("beat: A\nBD |x...............|\nkick |x...............|", 3, "a row on line 2"),
        ("beat: A\nbars: 2\nBD |x...............|", 3, "the pattern has 2"),
        ("beat: A\nBD |%|", 2, "no bar to repeat"),
        ("beat: A\nBD |x... x.(xxx)x. x...|", 2, "off its place"),
        ("beat: A\nBD |x... (xxx x... x...|", 2, "open"),
        ("beat: A\nSD |f...............|", 2, "no room for its grace"),
        ("beat: A\nSD |..............4x|  +900ms", 2, "follows the last bar"),
        ("beat: A\nSD |..............4x|  +80ms", 2, "0.160 quarters"),
        ("beat: A\nsteps: 64\nSD |" + 63 * "." + "x|  +12/96", 3, "over the end"),
        ("beat: A\ntempo: 9\n", 2, "tempo is '9'"),
        ("beat: A\ntempo: fast\n", 2, "tempo is 'fast'"),
        ("beat: A\nswing: 80\n", 2, "swing is '80'"),
        ("beat: A\nswing: 60/7\n", 2, "swing is '60/7'"),
        ("beat: A\nmeter: 4\n", 2, "meter is '4'"),
        ("beat: A\nbars: 1.5\n", 2, "whole number"),
        ("beat: A\ntouch: robot\n", 2, "touch"),
        ("beat: A\nmood: blue\n", 2, "mood: blue"),
        ("beat: A\nhello there\n", 2, "hello there"),
        ("beat: A\nsteps: 15\nBD |x..............|", 1, "do not share 4/4"),
        ("beat: A\nmeter: 3/8 swing: 60/8\nBD |x.....|", 1, "whole pairs"),
        ("beat: A\nBD |x...............|\ntempo: 90", 3, "expected a row"),
        ("BD |x...............|", 1, "before any pattern"),
        ("beat: A\nBD |................|", 1, "no strokes"),
        ("beat: A\n", 1, "no strokes"),
        ("beat: ../up\n", 1, "cannot name a file"),
        ("beat: A\nBD |x...............|\nbeat: A\nBD |..x.............|", 3, "called 'A'"),
    ],
)
def test_an_error_names_source_line_and_finding(text, line, words):
    with pytest.raises(PatternError) as caught:
        parse_patterns(text, source="odd.beat", genre="house")
    message = str(caught.value)
    assert message.startswith(f"odd.beat, line {line}: ")
    assert words in message


def test_a_file_named_after_no_genre_is_refused(tmp_path):
    (tmp_path / f"polka{PATTERN_SUFFIX}").write_text("beat: A\nBD |x...............|\n")
    with pytest.raises(PatternError, match="'polka' is no genre"):
        load_patterns(tmp_path)


def test_an_empty_folder_and_bytes_that_are_no_text_are_refused(tmp_path):
    with pytest.raises(PatternError, match="no starter patterns"):
        load_patterns(tmp_path)
    (tmp_path / f"house{PATTERN_SUFFIX}").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(PatternError, match=r"house\.beat cannot be read"):
        load_patterns(tmp_path)


LINE_PARTS = st.sampled_from((
    "beat: A", "fill: B", "tempo: 99", "swing: 60/8", "steps: 12", "meter: 6/8", "bars: 2", "BD ",
    "|x... x... x... x...", "|%", "|%%", "|", "(xxx)", "f", "4", " +8ms", "+3/96", "\n", "#", "²",
))  # fmt: skip


@given(st.one_of(st.text(), st.lists(LINE_PARTS).map("".join)))
def test_any_text_gives_beats_or_a_pattern_error(text):
    try:
        beats = parse_patterns(text, source="any.beat", genre="techno")
    except PatternError:
        return
    assert all(isinstance(beat, Beat) and beat.hits for beat in beats)


# --- what we wrote in it


def test_every_genre_has_beats_and_fills():
    beats, fills = Counter(), Counter()
    for beat in STARTERS:
        kind = fills if beat.provenance.settings["kind"] == "fill" else beats
        kind[beat.genre] += 1
    assert set(beats) == set(fills) == ACOUSTIC | DANCED <= set(GENRE)
    assert len(STARTERS) >= 190
    assert min((beats + fills).values()) >= 9
    assert min(fills.values()) >= 3


def test_loading_is_sorted_and_stable():
    assert load_patterns() == STARTERS
    genres = [beat.genre for beat in STARTERS]
    assert genres == sorted(genres)


def test_every_pattern_has_a_title_of_its_own_that_can_name_a_file():
    titles = Counter((beat.genre, beat.title.lower()) for beat in STARTERS)
    assert max(titles.values()) == 1
    for beat in STARTERS:
        assert re.fullmatch(r"[A-Za-z0-9 '-]+", beat.title)
        assert beat.title.endswith("fill") == (beat.provenance.settings["kind"] == "fill")


def test_no_two_patterns_are_the_same_music():
    def content(beat: Beat) -> tuple:
        # To a 24th of a quarter: swing or feel alone do not make another pattern.
        steps = {(round(hit.onset_quarters * 24), hit.lane) for hit in beat.hits}
        return beat.meter, beat.bars, frozenset(steps)

    owners: dict[tuple, list[str]] = {}
    for beat in STARTERS:
        owners.setdefault(content(beat), []).append(title_of(beat))
    assert [titles for titles in owners.values() if len(titles) > 1] == []


def test_there_are_four_bar_phrases_and_other_meters():
    assert {beat.bars for beat in STARTERS} <= {1, 2, 3, 4}
    assert len({beat.genre for beat in STARTERS if beat.bars == 4}) >= 15
    assert {str(beat.meter) for beat in STARTERS} >= {"4/4", "3/4", "6/8", "12/8"}


@every_starter
def test_a_starter_is_played_with_dynamics(beat):
    played = [hit.velocity for hit in beat.hits]
    assert max(played) - min(played) >= 30
    assert len(set(played)) >= 4


@every_starter
def test_the_tempo_suits_the_genre(beat):
    assert 60 <= beat.tempo_bpm <= 240
    assert 0.45 <= beat.tempo_bpm / GENRE[beat.genre].tempo_bpm <= 1.9


@every_starter
def test_one_pair_of_hats_is_open_or_closed_never_both(beat):
    choking = {LANE["closed_hat"], LANE["pedal_hat"]}
    opened = [hit.onset_quarters for hit in beat.hits if hit.lane == LANE["open_hat"]]
    for hit in beat.hits:
        if hit.lane in choking:
            assert all(abs(hit.onset_quarters - onset) > 0.05 for onset in opened)


def seconds(hit: Hit, beat: Beat) -> float:
    return hit.onset_quarters * 60 / beat.tempo_bpm


@pytest.mark.parametrize("beat", [b for b in STARTERS if b.genre in ACOUSTIC], ids=title_of)
def test_two_hands_and_two_feet_play_every_acoustic_starter(beat):
    for index, first in enumerate(beat.hits):
        at_once, flam = [], []
        for hit in beat.hits[index:]:
            gap = seconds(hit, beat) - seconds(first, beat)
            at_once += [hit] if gap <= 0.010 else []
            flam += [hit] if gap <= 0.035 else []
        hands = [hit for hit in at_once if hit.lane not in FEET]
        feet = [hit for hit in at_once if hit.lane in FEET]
        assert len(hands) <= 2, [hit.drum.name for hit in hands]
        assert len(feet) <= 2
        # A flam takes both hands: no third drum within its grace time.
        assert len({(hit.lane, hit.onset_quarters) for hit in flam if hit.lane not in FEET}) <= 2


@pytest.mark.parametrize("beat", [b for b in STARTERS if b.genre in ACOUSTIC], ids=title_of)
def test_no_hand_or_foot_of_an_acoustic_starter_outruns_a_drummer(beat):
    kicks = [seconds(hit, beat) for hit in beat.hits if hit.lane == LANE["kick"]]
    assert all(later - earlier > 0.085 for earlier, later in pairwise(kicks))
    times = sorted(seconds(hit, beat) for hit in beat.hits if hit.lane not in FEET)
    for start in times:  # singles at 16 a second are a fast roll
        assert sum(start <= time < start + 0.5 for time in times) <= 16


def test_the_readme_beside_the_patterns_holds_an_example_that_parses():
    text = (STARTER_FOLDER / "README.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```beat\n(.*?)```", text, re.DOTALL)
    (beat,) = parse_patterns(example, source="README.md", genre="house")
    assert beat.bars == 2


def test_one_genre_alone_is_what_it_is_among_all():
    every = load_patterns()
    genre = every[-1].genre
    assert genre_patterns(genre) == tuple(beat for beat in every if beat.genre == genre)
    with pytest.raises(PatternError, match=r"polka\.beat cannot be read"):
        genre_patterns("polka")
