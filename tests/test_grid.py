import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dj_core.music.beat import Beat, Hit, Meter
from dj_core.music.drums import DRUMS
from dj_core.music.patterns import load_patterns
from dj_ui.grid import overview, steps_of, summary

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


def test_a_long_song_stays_light():
    drums = [drum.name for drum in DRUMS]
    hits = tuple(Hit.of(drums[n % 16], n * 0.5) for n in range(500))
    markup = overview(Beat.fit(hits))
    assert len(markup) < 60_000
    assert len(Page(markup).of("dj-roll")) == 1


def test_every_stroke_is_drawn_once():
    for beat in load_patterns():
        assert overview(beat).count("<i ") == len(beat.hits), beat.title


BEATS = st.builds(
    lambda hits, meter: Beat.fit([Hit(o, lane, v) for o, lane, v in hits], meter),
    st.lists(st.tuples(st.floats(0, 40), st.integers(0, 15), st.integers(1, 127)), max_size=40),
    st.builds(Meter, st.integers(1, 64), st.sampled_from((1, 2, 4, 8, 16, 32))),
)


def test_a_harder_stroke_is_brighter():
    beat = Beat(
        tuple(Hit.of("snare", 0.25 * n, velocity) for n, velocity in enumerate((20, 110))), 1
    )
    soft, hard = (float(v) for v in re.findall(r"--v:([\d.]+)", overview(beat)))
    assert 0.3 < soft < hard <= 1


def test_what_is_seen_is_also_said():
    beat = Beat.fit([Hit.of("kick", 0), Hit.of("kick", 2), Hit.of("snare", 1)])
    assert summary(beat) == "1 bar of 4/4: Kick 2, Snare 1"
    assert summary(Beat((), 1)).endswith("silence")
    (roll,) = Page(overview(beat)).of("dj-roll")
    assert (roll["role"], roll["aria-label"]) == ("img", summary(beat))


@settings(deadline=None)  # machines differ, and no test is about time
@given(BEATS)
def test_any_beat_becomes_well_formed_markup(beat):
    markup = overview(beat)
    assert Page(markup).of("dj-roll")
    assert markup.count("<i ") == len(beat.hits)


@settings(deadline=None)
@given(BEATS)
def test_every_division_fills_the_bar_with_whole_beats_or_less(beat):
    steps = steps_of(beat)
    assert steps.per_bar == steps.per_quarter * beat.meter.bar_quarters
    assert 1 <= steps.per_beat <= max(1, steps.per_bar)
