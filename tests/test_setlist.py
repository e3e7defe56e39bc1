"""Sets: planned, arranged, written as MIDI and sound, saved."""

import dataclasses
import io
import json
import os
import time
import wave

import mido
import numpy as np
import pytest
import soundfile
import symusic
from hostile_json import hostile_forms, only_our_errors
from hypothesis import assume, example, given
from hypothesis import strategies as st
from mixed import mixed

from dj_core.cli import main
from dj_core.errors import GenerationError, SetChangedError, SetError
from dj_core.files.midi import midi_bytes, read_midi, save_midi
from dj_core.library.library import SHIPPED_MODELS
from dj_core.models.families import load_model
from dj_core.music.beat import Beat, Hit, Meter
from dj_core.music.drums import LANE
from dj_core.music.patterns import load_patterns
from dj_core.sets.arrangement import (
    BREAKDOWN_LEVEL,
    as_beat,
    bars_of,
    section_loop,
    slot_beat,
    transition,
)
from dj_core.sets.bar_counts import Count, in_count, nearest_count, tempo_distance
from dj_core.sets.mixdown import Mixdown, change_wav, cue_sheet, save_mix
from dj_core.sets.saved_sets import keep_set, load_set, open_set, save_set, saved_sets, set_path
from dj_core.sets.set_edits import (
    at_own_tempo,
    lengthened,
    moved,
    recounted,
    replanned,
    with_beat,
    with_new_take,
    without,
)
from dj_core.sets.set_midi import set_midi
from dj_core.sets.set_names import set_stem, slot_stem
from dj_core.sets.set_plan import (
    PHRASE_BARS,
    Entry,
    SetSettings,
    energy_at,
    plan_set,
    sections_of,
    warnings_of,
)
from dj_core.sets.set_takes import add_fills, beat_power, build_set, order_entries
from dj_core.sound.beat_sound import BeatSound
from dj_core.sound.render import CEILING

PATTERNS = [beat for beat in load_patterns() if "fill" not in beat.title and beat.bars > 1]
FILL = Beat(tuple(Hit.of("snare", step / 4) for step in range(16)), 1, 120.0, title="Roll")


def pattern(genre, number=0):
    return [beat for beat in PATTERNS if beat.genre == genre][number]


def four_floor(tempo_bpm=120.0, bars=2, velocity=100, **names):
    """Kick on every beat, hats between, a snare on two and four, a ride on one."""
    hits = [Hit.of("kick", beat, velocity) for beat in range(4 * bars)]
    hits += [Hit.of("closed_hat", beat + 0.5, velocity) for beat in range(4 * bars)]
    hits += [Hit.of("snare", beat, velocity) for beat in range(1, 4 * bars, 2)]
    hits += [Hit.of("ride", 4.0 * bar, velocity) for bar in range(bars)]
    return Beat(tuple(hits), bars, tempo_bpm, **names)


def planned(*beats, **settings):
    given_settings = {"mix_ends": True, "fills": False, **settings}
    return plan_set([Entry(beat) for beat in beats], SetSettings(**given_settings))


def drums(bar):
    return {hit.drum.name for hit in (*bar.hits, *bar.pushed)}


# -- planning ------------------------------------------------------------------------------------


@given(
    count=st.integers(1, 40),
    minutes=st.floats(1, 240),
    phrase=st.sampled_from(PHRASE_BARS),
    tempos=st.tuples(st.floats(60, 200), st.floats(60, 200)),
    ends=st.booleans(),
)
@example(count=33, minutes=65.0, phrase=32, tempos=(187.0, 95.0), ends=True)  # it gets slower
def test_a_set_lasts_as_long_as_asked_to_half_a_phrase(count, minutes, phrase, tempos, ends):
    settings = SetSettings(
        minutes=minutes, phrase_bars=phrase, tempo_bpm=tempos[0], to_tempo_bpm=tempos[1],
        mix_ends=ends,
    )  # fmt: skip
    try:
        made = plan_set([Entry(four_floor())] * count, settings)
    except SetError:
        shortest = plan_set(
            [Entry(four_floor())] * count, dataclasses.replace(settings, minutes=None)
        )
        least = settings.least_phrases / max(4, settings.least_phrases)
        assert shortest.duration_seconds * least > minutes * 60
        return
    assert len(made.slots) == count
    longest = max(slot.bar_seconds * phrase for slot in made.slots)
    assert abs(made.duration_seconds - minutes * 60) <= longest / 2 + 1e-6


@given(st.integers(1, 30), st.sampled_from(PHRASE_BARS), st.booleans(), st.booleans())
def test_sections_are_whole_phrases_with_a_groove_and_mirrored_ends(phrases, bars, ends, breaks):
    settings = SetSettings(phrase_bars=bars, mix_ends=ends, breakdowns=breaks)
    assume(phrases >= settings.least_phrases)
    sections = sections_of(phrases, settings)
    kinds = [section.kind for section in sections]
    assert sum(section.bars for section in sections) == phrases * bars
    assert "groove" in kinds
    assert min(section.bars for section in sections) >= bars // 2
    assert (kinds[0] == "intro") == (kinds[-1] == "outro") == ends
    if "breakdown" in kinds:
        assert breaks
        place = kinds.index("breakdown")
        assert kinds[place - 1] == kinds[place + 1] == "groove"


@pytest.mark.parametrize("curve", ["steady", "rise", "wave", "peak", "fall"])
def test_energy_stays_in_its_range(curve):
    heights = [energy_at(curve, place / 50) for place in range(51)]
    assert 0 <= min(heights) <= max(heights) <= 1
    assert (max(heights) - min(heights) > 0.3) == (curve != "steady")


def test_a_planned_tempo_goes_evenly_from_the_first_beat_to_the_last():
    made = planned(*[four_floor(100.0)] * 5, tempo_bpm=120, to_tempo_bpm=128)
    assert [slot.tempo_bpm for slot in made.slots] == [120, 122, 124, 126, 128]
    assert planned(four_floor(97.5)).slots[0].tempo_bpm == 97.5


def test_slow_beats_are_counted_double_where_the_plan_is_fast():
    made = planned(four_floor(87.0), tempo_bpm=174)
    slot = made.slots[0]
    assert slot.tempo_bpm == 174
    assert slot.beat.bars == 4
    assert not warnings_of(made)
    as_is = plan_set([Entry(four_floor(87.0), count="as-is")], made.settings)
    assert "Made for 87 BPM" in warnings_of(as_is)[0].words


@pytest.mark.parametrize(("second", "warned"), [(106.0, False), (106.1, True), (93.9, True)])
def test_tempo_steps_over_six_percent_are_warned_of(second, warned):
    found = warnings_of(planned(four_floor(100.0), four_floor(second)))
    assert bool(found) == warned
    assert all(item.slot == 1 for item in found)


def test_half_and_double_time_are_offered_where_they_help():
    made = planned(four_floor(87.0), four_floor(172.0), four_floor(88.0))
    offers = [(item.slot, item.offer) for item in warnings_of(made)]
    assert offers == [(1, "half"), (2, "double")]
    mended = recounted(recounted(made, 1, "half"), 2, "as-is")
    assert not warnings_of(mended)


@pytest.mark.parametrize(
    "wrong",
    [
        {"phrase_bars": 12}, {"energy": "loud"}, {"beats": 0}, {"beats": 100}, {"minutes": 0},
        {"minutes": 241}, {"seed": -1}, {"tempo_bpm": 5}, {"tempo_bpm": 120, "to_tempo_bpm": 601},
        {"to_tempo_bpm": 120},
    ],
)  # fmt: skip
def test_settings_out_of_range_are_refused_with_what_was_received(wrong):
    with pytest.raises(SetError, match=str(next(reversed(wrong.values())))):
        SetSettings(**wrong)


def test_a_set_needs_beats_and_no_gaps():
    with pytest.raises(SetError, match="1 to 99 beats"):
        plan_set([], SetSettings())
    with pytest.raises(SetError, match="Place 2"):
        plan_set([Entry(FILL), Entry(None)], SetSettings())
    with pytest.raises(SetError, match="2 phrases or more"):
        plan_set([Entry(FILL, phrases=1)], SetSettings())


# -- counting ------------------------------------------------------------------------------------


@st.composite
def beats(draw):
    meter = draw(st.sampled_from([Meter(), Meter(3, 4), Meter(12, 8), Meter(7, 8)]))
    bars = draw(st.integers(1, 5))
    grid = st.integers(0, int(bars * meter.bar_quarters * 24) - 1)
    hits = draw(
        st.lists(
            st.builds(
                Hit,
                onset_quarters=grid.map(lambda step: step / 24),
                lane=st.integers(0, 15),
                velocity=st.integers(1, 127),
                duration_quarters=st.none() | st.floats(0, 2),
            ),
            min_size=1,
            max_size=30,
        )
    )
    return Beat(tuple(hits), bars, draw(st.floats(60, 180)), meter)


@given(beats(), st.sampled_from(["half", "double"]))
def test_counted_otherwise_a_beat_sounds_the_same(beat, count: Count):
    counted = in_count(beat, count)
    passes = round(counted.duration_seconds / beat.duration_seconds)
    assert passes == (2 if count == "half" and beat.bars % 2 else 1)
    assert counted.duration_seconds == pytest.approx(passes * beat.duration_seconds)
    once = counted.hits[: len(beat.hits)] if passes == 1 else counted.hits
    seconds = [hit.onset_quarters * 60 / counted.tempo_bpm for hit in once]
    own = [
        hit.onset_quarters * 60 / beat.tempo_bpm + number * beat.duration_seconds
        for number in range(passes)
        for hit in beat.hits
    ]
    assert seconds == pytest.approx(own)


@given(beats())
def test_double_and_half_undo_each_other(beat):
    assert in_count(in_count(beat, "double"), "half") == beat


def test_the_nearest_count_is_found():
    assert nearest_count(four_floor(87.0), 170) == "double"
    assert nearest_count(four_floor(174.0), 90) == "half"
    assert nearest_count(four_floor(120.0), 126) == "as-is"
    assert tempo_distance(four_floor(87.0), 174) == pytest.approx(0)


def test_counts_beyond_reason_are_refused():
    with pytest.raises(SetError, match="700 BPM"):
        in_count(four_floor(350.0), "double")
    with pytest.raises(SetError, match="'triple'"):
        in_count(four_floor(), "triple")


# -- order ---------------------------------------------------------------------------------------


def test_energy_decides_the_order_where_tempo_does_not():
    lively = [four_floor(velocity=velocity) for velocity in (60, 120, 20, 90)]
    for curve, reverse in (("rise", False), ("fall", True)):
        settings = SetSettings(energy=curve, tempo_bpm=120)
        ordered = order_entries([Entry(beat) for beat in lively], settings)
        powers = [beat_power(entry.beat) for entry in ordered]
        assert powers == sorted(powers, reverse=reverse)


def test_without_a_plan_beats_go_from_slow_to_fast():
    tempos = (140.0, 90.0, 120.0, 100.0)
    entries = [Entry(four_floor(tempo)) for tempo in tempos]
    ordered = order_entries(entries, SetSettings(energy="steady"))
    assert [entry.beat.tempo_bpm for entry in ordered] == sorted(tempos)
    kept = order_entries(entries, SetSettings(keep_order=True))
    assert [entry.beat.tempo_bpm for entry in kept] == list(tempos)


def test_gaps_lie_between_beats_whose_order_is_kept():
    entries = [Entry(four_floor(tempo)) for tempo in (100.0, 110.0)]
    ordered = order_entries(entries, SetSettings(keep_order=True, beats=5))
    tempos = [entry.beat and entry.beat.tempo_bpm for entry in ordered]
    assert tempos == [100.0, None, None, None, 110.0]


@given(st.integers(1, 12), st.integers(0, 6), st.sampled_from(["rise", "wave", "steady"]))
def test_every_beat_finds_one_place(count, gaps, curve):
    entries = [Entry(four_floor(80.0 + 7 * number)) for number in range(count)]
    ordered = order_entries(entries, SetSettings(beats=count + gaps, energy=curve))
    placed = [entry for entry in ordered if entry.beat is not None]
    assert len(ordered) == count + gaps
    assert sorted(placed, key=lambda entry: entry.beat.tempo_bpm) == entries


def test_too_many_beats_and_none_at_all_are_refused():
    with pytest.raises(SetError, match="2 beats are given"):
        order_entries([Entry(FILL)] * 2, SetSettings(beats=1))
    with pytest.raises(SetError, match="needs beats"):
        build_set([], SetSettings())
    with pytest.raises(SetError, match="3 places and 1 beats"):
        build_set([FILL], SetSettings(beats=3))


# -- arrangement ---------------------------------------------------------------------------------


@given(beats(), st.sampled_from(PHRASE_BARS), st.integers(1, 3))
def test_a_bare_groove_is_the_beat_going_round(beat, phrase, phrases):
    settings = SetSettings(phrase_bars=phrase, mix_ends=False, fills=False, breakdowns=False)
    made = plan_set([Entry(beat, phrases=phrases)], settings)
    played = slot_beat(made, 0)
    assert played.bars == phrase * phrases
    span = next((n for n in (phrase // 2, phrase) if beat.bars <= n), played.bars)
    expected = sorted(
        (start * beat.meter.bar_quarters + hit.onset_quarters, hit.lane, hit.velocity)
        for again in range(0, played.bars, span)
        for start in range(again, again + span, beat.bars)
        for hit in beat.hits
        if hit.onset_quarters < (again + span - start) * beat.meter.bar_quarters - 0.08
    )
    got = sorted((hit.onset_quarters, hit.lane, hit.velocity) for hit in played.hits)
    # strokes just ahead of a bar line may go with the bar they lead into
    quarters = beat.meter.bar_quarters
    inside = [
        [item for item in hits if 0.08 < item[0] % quarters < quarters - 0.08]
        for hits in (expected, got)
    ]
    assert len(inside[0]) == len(inside[1])
    for one, other in zip(*inside, strict=True):
        assert one == pytest.approx(other)


def test_intros_and_outros_are_kick_and_hats_alone():
    made = planned(four_floor())
    bars = list(bars_of(made.slots[0], made.settings, 0))
    assert {bar.section for bar in bars} == {"intro", "groove", "breakdown", "outro"}
    for bar in bars:
        if bar.section in ("intro", "outro"):
            assert drums(bar) == {"kick", "closed_hat"}
    assert [bar.section for bar in bars[:8]] == ["intro"] * 8
    assert [bar.section for bar in bars[-8:]] == ["outro"] * 8


def test_a_breakdown_has_no_kick_and_is_softer():
    made = planned(four_floor())
    broken = [b for b in bars_of(made.slots[0], made.settings, 0) if b.section == "breakdown"]
    assert len(broken) == 8
    for bar in broken:
        assert drums(bar) == {"closed_hat", "snare", "ride"}
        assert {hit.velocity for hit in bar.hits} == {round(100 * BREAKDOWN_LEVEL)}


def test_where_there_are_no_hats_the_next_timekeeper_mixes():
    beat = four_floor()
    no_hats = dataclasses.replace(
        beat, hits=tuple(hit for hit in beat.hits if hit.drum.family != "hat")
    )
    loop = section_loop(planned(no_hats).slots[0], "intro")
    assert {hit.drum.name for hit in loop.hits} == {"kick", "ride"}
    congas = Beat((Hit.of("conga", 1.0),), 1, 120.0)
    assert section_loop(planned(congas).slots[0], "intro").hits == congas.hits
    kicks = Beat((Hit.of("kick", 1.0),), 1, 120.0)
    assert section_loop(planned(kicks).slots[0], "breakdown") is None


@pytest.mark.parametrize("phrase", PHRASE_BARS)
def test_fills_end_phrases_and_nothing_else(phrase):
    settings = SetSettings(phrase_bars=phrase)
    made = plan_set([Entry(four_floor(), phrases=6, fills=(FILL,))], settings)
    bars = list(bars_of(made.slots[0], settings, 0))
    filled = {number + 1 for number, bar in enumerate(bars) if bar.fill}
    assert filled
    for number in filled:
        assert number % (phrase // 2) == 0
        bar = bars[number - 1]
        assert bar.section in ("groove", "breakdown")
        assert drums(bar) == {"snare"}
    ends = {number for number in range(1, len(bars)) if bars[number].first} - {phrase // 2}
    assert ends <= filled


def test_a_drop_opens_with_a_crash_where_there_is_energy():
    crash = LANE["crash"]
    loud, calm = (
        plan_set([Entry(four_floor())], SetSettings(energy=energy, fills=False))
        for energy in ("steady", "rise")
    )
    for made, expected in ((loud, 2), (calm, 0)):
        bars = list(bars_of(made.slots[0], made.settings, 0))
        crashed = [bar for bar in bars if any(hit.lane == crash for hit in bar.hits)]
        assert len(crashed) == expected
        assert all(bar.first and bar.section == "groove" for bar in crashed)


def test_a_push_goes_with_the_bar_it_leads_into():
    pushed_snare = Hit.of("snare", 7.97)
    beat = dataclasses.replace(four_floor(), hits=(*four_floor().hits, pushed_snare))
    made = planned(beat)
    played = slot_beat(made, 0)
    pushes = [
        hit.onset_quarters
        for hit in played.hits
        if hit.drum.name == "snare" and hit.onset_quarters % 4 > 3.9
    ]
    groove = [
        b.section in ("groove", "breakdown") for b in bars_of(made.slots[0], made.settings, 0)
    ]
    expected = [4 * bar - 0.03 for bar in range(1, 64) if groove[bar] and bar % 2 == 0]
    assert len(expected) > 10
    assert pushes == pytest.approx(expected)


def test_fills_are_drawn_by_the_seed():
    other = dataclasses.replace(FILL, hits=FILL.hits[::2])
    entry = Entry(four_floor(), phrases=12, fills=(FILL, other))

    def hits(seed):
        settings = SetSettings(seed=seed, phrase_bars=8)
        return slot_beat(plan_set([entry], settings), 0).hits

    assert hits(1) == hits(1)
    assert len({hits(seed) for seed in range(6)}) > 1


def test_a_transition_is_the_end_of_one_and_the_start_of_the_next():
    made = planned(four_floor(120.0), pattern("house"))
    ending, opening = transition(made, 0)
    assert ending.bars == opening.bars == 4
    assert {hit.drum.name for hit in ending.hits} == {"kick", "closed_hat"}
    assert opening.playing_tempo_bpm == made.slots[1].tempo_bpm


# -- generating ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def groove():
    return load_model(SHIPPED_MODELS / "groove")


def test_a_model_fills_gaps_and_plays_fills(groove):
    settings = SetSettings(beats=4, tempo_bpm=124, seed=5, phrase_bars=8)
    told = []
    made = build_set([pattern("house")], settings, groove, lambda *step: told.append(step))
    assert made == build_set([pattern("house")], settings, groove)
    assert [slot.beat.genre for slot in made.slots] == ["house"] * 4
    assert len({slot.beat.hits for slot in made.slots}) == 4
    assert all(len(fill.hits) and fill.bars == 1 for e in made.entries for fill in e.fills)
    assert all(entry.fills for entry in made.entries)
    assert {doing for doing, _, _ in told} == {"Playing beats", "Playing fills", "Playing intros"}
    assert all(done <= total for _, done, total in told)


def test_genres_asked_for_come_one_after_another(groove):
    settings = SetSettings(beats=4, genres=("house", "techno"), fills=False, seed=9)
    made = build_set([], settings, groove)
    assert [slot.beat.genre for slot in made.slots] == ["house", "house", "techno", "techno"]
    with pytest.raises(GenerationError, match="does not play polka"):
        build_set([], SetSettings(beats=1, genres=("polka",)), groove)


def test_fills_keep_to_the_beats_meter(groove):
    waltz = four_floor().at_tempo(100.0)
    waltz = Beat(waltz.hits[:3], 1, 100.0, Meter(3, 4))
    odd = Beat((Hit.of("kick", 0.0),), 1, 100.0, Meter(11, 8))
    settings = SetSettings(keep_order=True)
    fills = [e.fills for e in add_fills([Entry(waltz), Entry(odd)], settings, groove)]
    assert {fill.meter for fill in fills[0]} == {Meter(3, 4)}
    assert fills[1] == ()


# -- changes -------------------------------------------------------------------------------------


def tempos_of(made):
    return [slot.tempo_bpm for slot in made.slots]


def test_a_set_can_be_changed_beat_by_beat():
    made = planned(four_floor(100.0), four_floor(104.0), four_floor(108.0))
    assert tempos_of(moved(made, 0, 1)) == [104, 100, 108]
    assert tempos_of(moved(made, 2, -1)) == [100, 108, 104]
    assert moved(made, 0, -1) == moved(made, 2, 5) == made
    assert tempos_of(without(made, 1)) == [100, 108]
    assert tempos_of(recounted(made, 1, "half")) == [100, 52, 108]
    assert recounted(recounted(made, 1, "half"), 1, None) == made
    assert [slot.bars for slot in lengthened(made, 2, 6).slots] == [64, 64, 96]
    swapped = with_beat(made, 1, four_floor(90.0, velocity=50))
    assert tempos_of(swapped) == [100, 90, 108]
    assert replanned(made, made.settings) is made
    assert replanned(made, SetSettings(phrase_bars=8)).bars == made.bars / 2
    with pytest.raises(SetError, match="one beat at least"):
        without(planned(four_floor()), 0)


def test_a_new_take_comes_instead_or_behind(groove):
    made = build_set([], SetSettings(beats=2, genres=("house",), seed=4, phrase_bars=8), groove)
    instead = with_new_take(made, 0, groove, after=False)
    assert instead.entries[1].beat == made.entries[1].beat
    assert instead.entries[0].beat.hits != made.entries[0].beat.hits
    again = with_new_take(instead, 0, groove, after=False)
    assert again.entries[0].beat.hits != instead.entries[0].beat.hits
    behind = with_new_take(made, 0, groove, after=True)
    assert len(behind.slots) == 3
    assert [behind.entries[n].beat for n in (0, 2)] == [entry.beat for entry in made.entries]
    assert behind.entries[1].fills


# -- MIDI ----------------------------------------------------------------------------------------


def varied():
    """Three beats with tempo and meter changes, fills and pushes."""
    waltz = Beat((Hit.of("kick", 0.0), Hit.of("closed_hat", 2.96)), 1, 110.0, Meter(3, 4), "jazz")
    entries = [
        Entry(four_floor(120.0, title="Ébène"), fills=(FILL,)),
        Entry(waltz),
        Entry(pattern("house"), fills=(FILL,)),
    ]
    return plan_set(entries, SetSettings(name="Friday", phrase_bars=8, keep_order=True))


def test_the_midi_file_has_every_stroke_tempo_meter_and_section():
    made = varied()
    file = mido.MidiFile(file=io.BytesIO(set_midi(made)), charset="utf-8")
    conductor, drum_track = file.tracks
    markers = [message.text for message in conductor if message.type == "marker"]
    assert markers[0] == "01 Ébène · intro"
    assert len(markers) == sum(len(slot.sections) for slot in made.slots)
    tempos = [mido.tempo2bpm(m.tempo) for m in conductor if m.type == "set_tempo"]
    assert tempos == pytest.approx([slot.tempo_bpm for slot in made.slots], rel=1e-5)
    meters = [(m.numerator, m.denominator) for m in conductor if m.type == "time_signature"]
    assert meters == [(4, 4), (3, 4), (4, 4)]
    ticks = sum(slot.bars * slot.beat.meter.bar_quarters for slot in made.slots) * 480
    assert sum(m.time for m in conductor) == sum(m.time for m in drum_track) == ticks
    assert file.length == pytest.approx(made.duration_seconds, rel=1e-5)


def test_other_readers_find_the_same_strokes():
    made = varied()
    content = set_midi(made)
    onsets = []
    start = 0.0
    for number, slot in enumerate(made.slots):
        quarters = slot.beat.meter.bar_quarters
        for place, bar in enumerate(bars_of(slot, made.settings, number)):
            line = start + place * quarters
            onsets += [line + hit.onset_quarters for hit in bar.hits]
            onsets += [max(0.0, line - hit.onset_quarters) for hit in bar.pushed]
        start += slot.bars * quarters
    ticks = sorted(round(onset * 480) for onset in onsets)
    score = symusic.Score.from_midi(content)
    assert sorted(note.time for track in score.tracks for note in track.notes) == ticks
    assert all(track.is_drum for track in score.tracks if len(track.notes))
    ours = read_midi(content)
    assert sorted(round(hit.onset_quarters * 480) for hit in ours.hits) == ticks


# -- sound ---------------------------------------------------------------------------------------


def read(content):
    with wave.open(io.BytesIO(content)) as file:
        frames = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)
        return frames, file.getparams()


def test_the_stream_is_what_one_render_of_the_same_bars_gives():
    made = planned(pattern("house"), mix_ends=False, breakdowns=False, phrase_bars=8, minutes=0.25)
    frames, facts = read(b"".join(Mixdown(made).chunks()))
    whole = mixed(slot_beat(made, 0)).samples
    assert (facts.nchannels, facts.sampwidth, facts.framerate) == (2, 2, 44_100)
    assert len(frames) == len(whole) == Mixdown(made).frames
    gain = np.abs(frames).max() / np.abs(whole).max()
    assert 0.9 < gain < 1.1
    # the same sound, but for how hats are damped and the last rounding
    left_over = frames / gain - whole.astype(np.float64)
    assert np.sqrt((left_over**2).mean()) < 0.02 * np.sqrt((whole.astype(float) ** 2).mean())


def test_every_beat_begins_on_its_frame_and_nothing_goes_over(tmp_path):
    made = varied()
    mixdown = Mixdown(made)
    path = save_mix(mixdown, tmp_path / "set.wav")
    told = soundfile.info(str(path))
    assert told.frames == mixdown.frames == round(made.duration_seconds * 44_100)
    assert told.subtype == "PCM_16"
    assert mixdown.start_frames == tuple(round(start * 44_100) for start in made.start_seconds)
    frames, _ = soundfile.read(str(path), dtype="int16")
    peak = np.abs(frames.astype(int)).max()
    assert peak <= round(CEILING * 32_767)
    assert mixdown.peak_dbfs == pytest.approx(20 * np.log10(peak / 32_767), abs=0.01)
    # each intro starts with a kick: silence or a tail before, a stroke after
    loud = np.abs(frames.astype(int)).max(axis=1)
    for start in mixdown.start_frames[1:]:
        assert loud[start : start + 2000].max() > 2 * loud[start - 400 : start - 50].max()


def test_a_change_is_heard_as_the_whole_set_has_it():
    made = planned(pattern("house"), pattern("techno"), phrase_bars=8, tempo_bpm=120)
    whole, _ = read(b"".join(Mixdown(made).chunks()))
    heard, _ = read(change_wav(made, 0))
    bar = round(made.slots[0].bar_seconds * 44_100)
    start = Mixdown(made).start_frames[1] - 8 * bar  # half a phrase out, four bars before it
    assert len(heard) == 16 * bar
    end = len(heard) - 1_000  # faded
    assert np.array_equal(heard[:end], whole[start : start + end])


def test_strokes_ring_over_bar_lines_and_into_the_next_beat():
    crash = Beat((Hit.of("crash", 3.5, 120), Hit.of("kick", 0.0)), 1, 120.0)
    quiet = Beat((Hit.of("kick", 3.0),), 1, 120.0)
    made = planned(crash, quiet, mix_ends=False, breakdowns=False, phrase_bars=8, keep_order=True)
    frames, _ = read(b"".join(Mixdown(made).chunks()))
    line = Mixdown(made).start_frames[1]
    loud = np.abs(frames.astype(int)).max(axis=1)
    assert loud[line : line + 10_000].max() > 300  # the crash goes on
    step = np.abs(np.diff(frames[line - 50 : line + 50].astype(int), axis=0)).max()
    inside = np.abs(np.diff(frames[line - 4000 : line + 4000].astype(int), axis=0)).max()
    assert step <= inside  # without a click


def test_a_beat_with_a_kit_of_its_own_keeps_it_in_the_set_and_one_that_is_gone_is_replaced():
    settings = SetSettings(mix_ends=False, breakdowns=False, fills=False, phrase_bars=8)
    kits = ("techno", "", "a-kit-of-somebody-else")
    made = plan_set([Entry(four_floor(), sound=BeatSound(kit)) for kit in kits], settings)
    heard, _ = read(b"".join(Mixdown(made, "trap").chunks()))
    starts = [*Mixdown(made).start_frames, len(heard)]
    for place, kit in enumerate(("techno", "trap", "trap")):
        usual = plan_set([Entry(four_floor())] * 3, settings)
        alone, _ = read(b"".join(Mixdown(usual, kit).chunks()))
        # past what the beat before leaves ringing
        part = slice(starts[place] + 4 * 44_100, starts[place + 1] - 44_100 // 8)
        assert np.array_equal(heard[part], alone[part]), kit


def test_the_same_set_sounds_the_same_to_the_bit():
    made = planned(pattern("techno"), phrase_bars=8)
    assert b"".join(Mixdown(made).chunks()) == b"".join(Mixdown(made).chunks())


def test_a_mixdown_that_is_stopped_leaves_nothing(tmp_path):
    class StopError(Exception):
        pass

    def stop(done, total):
        if done == 5:
            raise StopError

    with pytest.raises(StopError):
        save_mix(Mixdown(planned(four_floor())), tmp_path / "set.wav", stop)
    assert list(tmp_path.iterdir()) == []


def test_sets_too_long_for_a_wav_file_are_refused_at_once():
    made = plan_set([Entry(four_floor(30.0), phrases=200)], SetSettings(phrase_bars=32))
    assert made.duration_seconds > 3600 * 14
    with pytest.raises(SetError, match="hours"):
        Mixdown(made, sample_rate=48_000)


def test_the_cue_sheet_names_every_beat_at_its_moment():
    made = varied()
    lines = cue_sheet(made, "set.wav").splitlines()
    assert 'FILE "set.wav" WAVE' in lines
    places = [line.split()[-1] for line in lines if "INDEX 01" in line]
    moments = [
        int(minutes) * 60 + int(seconds) + int(frames) / 75
        for minutes, seconds, frames in (place.split(":") for place in places)
    ]
    assert moments == pytest.approx(list(made.start_seconds), abs=1 / 150 + 1e-9)
    named = planned(four_floor(title='The "one"\nTRACK 99 AUDIO'))
    assert "TITLE \"The 'one' TRACK 99 AUDIO (120 BPM)\"" in cue_sheet(named, "x.wav")


# -- names ---------------------------------------------------------------------------------------


def test_file_names_are_plain_unique_and_hold_the_tempo():
    odd = [four_floor(122.5, title=title) for title in ("Ünï/cödé ☂", "", "x" * 200, "..", "..")]
    made = planned(*odd, name="Fri/day ☂")
    names = [slot_stem(made, number) for number in range(5)]
    assert len(set(names)) == 5
    for name in (*names, set_stem(made)):
        assert name.isascii()
        assert name.replace("_", "").replace("-", "").isalnum()
        assert "bpm" in name
    assert names[0].endswith("_122-5bpm")
    taken = planned(four_floor(120.0, title="house_124bpm_seed7", genre="house"))
    assert slot_stem(taken, 0) == "01_house_seed7_120bpm"


# -- saving --------------------------------------------------------------------------------------


def test_a_saved_set_comes_back_as_it_was(tmp_path):
    made = varied()
    first = dataclasses.replace(made.entries[0], sound=BeatSound("techno"))
    made = plan_set([first, *made.entries[1:]], made.settings)
    assert load_set(save_set(made, set_path(tmp_path, "Friday night"))) == made
    assert [saved.name for saved in saved_sets(tmp_path)] == ["Friday-night"]
    assert set_midi(load_set(saved_sets(tmp_path)[0].path)) == set_midi(made)
    assert saved_sets(tmp_path / "none") == ()


DAMAGES = (
    lambda value: value.pop("format"),
    lambda value: value.update(version=2),
    lambda value: value.update(entries=None),
    lambda value: value.update(entries=[]),
    lambda value: value.update(entries=[None]),
    lambda value: value.update(entries=value["entries"] * 40),
    lambda value: value["settings"].pop("seed"),
    lambda value: value["settings"].update(fills=1),
    lambda value: value["settings"].update(seed=True),
    lambda value: value["settings"].update(genres=[1]),
    lambda value: value["settings"].update(phrase_bars=9),
    lambda value: value["settings"].update(minutes=1e999),
    lambda value: value["settings"].update(minutes=10**400),
    lambda value: value["settings"].update(seed=2**63),
    lambda value: value["entries"][0].update(count="third"),
    lambda value: value["entries"][0].update(sound="techno"),
    lambda value: value["entries"][0].update(sound={"kit": ["techno"]}),
    lambda value: value["entries"][0].update(phrases=0),
    lambda value: value["entries"][0].update(tempo_bpm=9),
    lambda value: value["entries"][0].update(tempo_bpm="fast"),
    lambda value: value["entries"][0].update(fills=None),
    lambda value: value["entries"][0].update(fills=[{}]),
    lambda value: value["entries"][0].pop("beat"),
    # 800,000 bars, a million strokes
    lambda value: [entry.update(phrases=50_000) for entry in value["entries"]],
    lambda value: (
        value.update(entries=value["entries"][:1] * 99)
        or value["settings"].update(phrase_bars=32)
        or [entry.update(phrases=256) for entry in value["entries"]]
    ),
    lambda value: (
        value["entries"][0]["beat"].update(hits=value["entries"][0]["beat"]["hits"] * 900)
        or value["entries"][0].update(phrases=256)
    ),
)


def test_every_damaged_or_hostile_set_is_refused_at_once_and_hides_no_other(tmp_path):
    """None of them costs three seconds; what is a set after all is one to play and take away."""
    genuine = save_set(varied(), set_path(tmp_path, "Genuine"))
    content = genuine.read_bytes()
    path = set_path(tmp_path, "Odd")
    for number, damage in enumerate(DAMAGES):
        value = json.loads(content)
        damage(value)
        path.write_text(json.dumps(value))
        started = time.process_time()
        with pytest.raises(SetError):
            load_set(path)
        assert time.process_time() - started < 3, number
    for form in hostile_forms(content):
        path.write_bytes(form.content)
        started = time.process_time()
        with only_our_errors(form):
            made = load_set(path)
            set_midi(made)
            cue_sheet(made, "x.wav")
            save_set(made, tmp_path / "again.json")
        assert time.process_time() - started < 3, form.what
    path.unlink()
    path.symlink_to(tmp_path / "nowhere")
    set_path(tmp_path, "Folder").mkdir()
    os.mkfifo(set_path(tmp_path, "Pipe"))
    assert [saved.name for saved in saved_sets(tmp_path)] == ["Genuine"]
    for name in ("Odd", "Folder", "Pipe", "Missing"):
        with pytest.raises(SetError):
            load_set(set_path(tmp_path, name))


def test_two_djs_who_change_one_set_both_keep_their_change_or_are_told(tmp_path):
    beats = [four_floor(100.0 + number, title=f"B{number}") for number in range(3)]
    path = set_path(tmp_path, "Night")
    first = keep_set(planned(*beats, name="Night"), path)
    second = open_set(path)

    def titles(kept):
        return [slot.beat.title for slot in kept.planned.slots]

    settings = dataclasses.replace(first.planned.settings, breakdowns=False)
    first = keep_set(replanned(first.planned, settings), path, first)
    merged = keep_set(recounted(second.planned, 1, "half"), path, second)
    assert not merged.planned.settings.breakdowns
    assert merged.planned.entries[1].count == "half"
    assert open_set(path) == merged
    # a beat that was taken out does not come back with another's change to it
    other = open_set(path)
    merged = keep_set(without(merged.planned, 2), path, merged)
    with pytest.raises(SetChangedError, match="same time"):
        keep_set(moved(other.planned, 2, -1), path, other)
    assert titles(open_set(path)) == ["B0", "B1"]
    # nor does the file of a set that was renamed
    renamed = dataclasses.replace(merged.planned.settings, name="Day")
    keep_set(replanned(merged.planned, renamed), set_path(tmp_path, "Day"), merged)
    with pytest.raises(SetChangedError, match="renamed or removed"):
        keep_set(moved(merged.planned, 0, 1), path, merged)
    assert [saved.name for saved in saved_sets(tmp_path)] == ["Day"]
    with pytest.raises(SetError, match="already"):
        keep_set(merged.planned, set_path(tmp_path, "Day"))


def test_a_tempo_of_its_own_wins_over_the_plan_and_comes_back(tmp_path):
    made = planned(four_floor(120.0), four_floor(120.0), tempo_bpm=122.5, to_tempo_bpm=128)
    changed = at_own_tempo(made, 1, 126.25)
    assert tempos_of(changed) == [122.5, 126.25]
    assert load_set(save_set(changed, tmp_path / "x.json")) == changed
    assert tempos_of(at_own_tempo(changed, 1, None)) == [122.5, 128]
    with pytest.raises(SetError, match="10 to 600"):
        at_own_tempo(made, 0, 9.0)


# -- command line --------------------------------------------------------------------------------


def run(capsys, *words):
    code = main([str(word) for word in words])
    said = capsys.readouterr()
    answer = json.loads(said.out.splitlines()[-1]) if code == 0 and "--json" in words else None
    return code, answer, said


def test_a_set_from_files_on_the_command_line(home, tmp_path, capsys):
    for number, tempo in enumerate((100.0, 110.0)):
        save_midi(four_floor(tempo), tmp_path / f"{number}.mid")
    code, answer, said = run(
        capsys, "set", tmp_path, "--no-fills", "--phrase-bars", 8, "--out", tmp_path / "out",
        "--take", "midi", "wav", "loops", "--name", "Friday", "--json",
    )  # fmt: skip
    assert code == 0
    assert answer["beats"] == 2
    assert answer["bars"] == 64
    assert answer["warnings"][0]["beat"] == 2
    assert "+10.0% in tempo" in said.out
    for file in answer["files"]:
        assert (tmp_path / file).stat().st_size
    assert {file.split(".")[-1] for file in answer["files"]} == {"json", "mid", "wav", "cue"}
    wav = next(file for file in answer["files"] if file.endswith("Friday_100-110bpm.wav"))
    assert soundfile.info(wav).duration == pytest.approx(answer["duration_seconds"], abs=0.001)


def test_the_command_line_says_what_is_missing(home, tmp_path, capsys):
    assert run(capsys, "set", "--out", tmp_path / "out")[0] == 1
    code, _, said = run(capsys, "set", "--crate", "--out", tmp_path / "out")
    assert code == 1
    assert "The crate holds no beats" in said.err
    empty = tmp_path / "empty"
    empty.mkdir()
    assert run(capsys, "set", empty, "--out", tmp_path / "out")[0] == 1
    assert not (tmp_path / "out").exists()


def test_midi_read_back_keeps_the_loop(tmp_path):
    made = planned(pattern("house"))
    loop = made.slots[0].beat
    assert len(read_midi(midi_bytes(loop)).hits) == len(loop.hits)
    assert as_beat(list(bars_of(made.slots[0], made.settings, 0)), loop).bars == made.slots[0].bars
    assert mixed(loop).peak_dbfs < 0
