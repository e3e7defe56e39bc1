import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dj_core.beat import Beat, Hit, Meter
from dj_core.drums import DRUMS
from dj_core.patterns import load_patterns
from dj_ui.grid import FOLD_BARS, overview, step_grid, steps_of, summary

STRAIGHT = [Hit.of("closed_hat", quarter / 4) for quarter in range(16)]


class Page(HTMLParser):
    """Every element of some markup with its attributes, and whether all were closed."""

    def __init__(self, markup):
        super().__init__()
        self.elements, self._open = [], []
        self.feed(markup)
        self.close()
        assert not self._open

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def of(self, name):
        return [attributes for _, attributes in self.elements if name in _classes(attributes)]


def _classes(attributes):
    return (attributes.get("class") or "").split()


def places_of_strokes(markup):
    return [float(x) for x in re.findall(r'<i style="--x:([-\d.e]+);--v', markup)]


def test_a_bar_has_a_row_per_drum_played_and_a_cell_per_16th():
    beat = Beat.fit([Hit.of("kick", 0), Hit.of("snare", 1), *STRAIGHT])
    markup = step_grid(beat)
    assert len(Page(markup).of("dj-lane")) == 3
    assert markup.count("<u></u>") + markup.count("<s></s>") == 3 * 16
    for label in ("BD", "Kick", "SD", "Snare", "CH", "Closed hat"):
        assert f">{label}<" in markup or f" {label}<" in markup


@pytest.mark.parametrize(
    ("onsets", "meter", "per_bar", "per_beat"),
    [
        ([0, 0.25, 0.5, 0.75, 1], Meter(4, 4), 16, 4),
        ([0, 1, 2, 3], Meter(4, 4), 16, 4),
        ([0, 1 / 3, 2 / 3, 1, 4 / 3, 5 / 3], Meter(4, 4), 12, 3),
        ([0, 1 / 6, 1 / 3, 1 / 2, 2 / 3, 5 / 6], Meter(4, 4), 24, 6),
        ([0, 0.5, 1, 1.5, 2, 2.5], Meter(12, 8), 12, 3),
        ([0, 0.25, 0.5, 0.75, 1, 1.25], Meter(6, 8), 12, 6),
        ([0, 0.5, 1], Meter(7, 8), 14, 2),
        ([0, 0.5, 1], Meter(3, 4), 12, 4),
        ([0], Meter(7, 32), 7, 1),
        ([], Meter(4, 4), 16, 4),
    ],
)
def test_the_division_follows_meter_and_strokes(onsets, meter, per_bar, per_beat):
    beat = Beat(tuple(Hit.of("kick", onset) for onset in onsets), bars=2, meter=meter)
    steps = steps_of(beat)
    assert (steps.per_bar, steps.per_beat) == (per_bar, per_beat)


def test_human_timing_still_finds_its_grid():
    late = [Hit.of("ride", onset / 3 + 0.02) for onset in range(12)]
    assert steps_of(Beat.fit(late)).per_quarter == 3


def test_microtiming_is_an_offset_in_the_cell():
    beat = Beat((Hit.of("snare", 1.05),), bars=1)
    assert places_of_strokes(step_grid(beat)) == [pytest.approx(1.05 / 4, abs=1e-4)]


def test_a_stroke_just_before_a_bar_line_belongs_to_the_bar_it_means():
    beat = Beat((Hit.of("kick", 3.98),), bars=2)
    first, second = step_grid(beat).split('<div class="dj-bar">')[1:]
    assert not places_of_strokes(first)
    assert places_of_strokes(second) == [pytest.approx(-0.005)]


def test_a_harder_stroke_is_brighter():
    beat = Beat(
        tuple(Hit.of("snare", 0.25 * n, velocity) for n, velocity in enumerate((20, 110))), 1
    )
    soft, hard = (float(v) for v in re.findall(r"--v:([\d.]+)", step_grid(beat)))
    assert 0.3 < soft < hard <= 1


def test_eight_bars_are_shown_and_the_rest_unfolds():
    hits = tuple(Hit.of("kick", float(quarter)) for quarter in range(4 * 63))
    markup = step_grid(Beat(hits, bars=63))
    before, after = markup.split("<details")
    assert len(Page(before + "</div>").of("dj-bar")) == FOLD_BARS
    assert f"Bars {FOLD_BARS + 1} to 63" in after
    assert len(Page(markup).of("dj-bar")) == 63


def test_a_long_song_stays_light():
    drums = [drum.name for drum in DRUMS]
    hits = tuple(Hit.of(drums[n % 16], n * 0.5) for n in range(500))
    markup = step_grid(Beat.fit(hits))
    assert len(markup) < 400_000
    assert len(Page(overview(Beat.fit(hits))).of("dj-roll")) == 1


def test_every_stroke_is_drawn_once_in_steps_and_overview():
    for beat in load_patterns():
        if beat.bars <= FOLD_BARS:
            assert len(places_of_strokes(step_grid(beat))) == len(beat.hits), beat.title
        assert overview(beat).count("<i ") == len(beat.hits), beat.title


def test_silence_is_drawn_as_empty_steps():
    markup = step_grid(Beat((), bars=1))
    assert not places_of_strokes(markup)
    assert "silence" in markup


def test_what_is_seen_is_also_said():
    beat = Beat.fit([Hit.of("kick", 0), Hit.of("kick", 2), Hit.of("snare", 1)])
    assert summary(beat) == "1 bar of 4/4: Kick 2, Snare 1"
    (steps,) = Page(step_grid(beat)).of("dj-steps")
    assert (steps["role"], steps["aria-label"]) == ("img", summary(beat))


BEATS = st.builds(
    lambda hits, meter: Beat.fit([Hit(o, lane, v) for o, lane, v in hits], meter),
    st.lists(st.tuples(st.floats(0, 40), st.integers(0, 15), st.integers(1, 127)), max_size=40),
    st.builds(Meter, st.integers(1, 64), st.sampled_from((1, 2, 4, 8, 16, 32))),
)


@settings(deadline=None)  # machines differ, and no test is about time
@given(BEATS)
def test_any_beat_becomes_well_formed_markup(beat):
    markup = step_grid(beat)
    assert Page(markup).of("dj-grid")
    assert len(places_of_strokes(markup)) == len(beat.hits)
