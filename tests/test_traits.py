"""What beats are called by what stands out in them."""

from dataclasses import replace

import pytest

from dj_core.music.beat import Beat, Hit, Provenance
from dj_core.music.patterns import load_patterns
from dj_core.music.traits import trait, traits, usual_name

FOUR = [Hit.of("kick", quarter) for quarter in range(4)]
SNARES = [Hit.of("snare", quarter) for quarter in (1, 3)]
HATS = [Hit.of("closed_hat", eighth / 2) for eighth in range(8)]
PLAIN = (*FOUR, *SNARES, *HATS)


def with_hits(*hits):
    return Beat(tuple(hits), bars=1, tempo_bpm=124.0, genre="house")


@pytest.mark.parametrize(
    ("hits", "words"),
    [
        ((), "silent"),
        (PLAIN, "four on the floor"),
        ((*PLAIN, Hit.of("clap", 1.04), Hit.of("clap", 3.04)), "late claps"),
        ((*PLAIN, *(Hit.of("open_hat", quarter + 0.5) for quarter in range(4))),
         "open hats on the and"),
        ((FOUR[0], *SNARES, *HATS), "sparse kick"),
        ((*PLAIN, *(Hit.of("snare", step / 4, 30) for step in (3, 7, 9, 11))), "busy ghosts"),
        ((*FOUR, *SNARES, *(Hit.of("closed_hat", n + at) for n in range(4) for at in (0, 0.66))),
         "swung 8ths"),
        ((*PLAIN, *(Hit.of("low_tom", 3 + step / 4) for step in range(4))), "tom fill"),
        ((FOUR[0], Hit.of("kick", 1.5), Hit.of("snare", 2.0), *HATS), "half-time"),
        ((*SNARES, *HATS), "no kick"),
    ],
)  # fmt: skip
def test_a_beat_is_told_by_what_stands_out(hits, words):
    assert trait(with_hits(*hits)) == words


def test_a_name_is_style_tempo_and_traits_unless_a_person_gave_one():
    late = with_hits(*PLAIN, Hit.of("clap", 1.04), Hit.of("clap", 3.04))
    assert usual_name(late) == "House 124 · late claps, four on the floor"
    by_model = replace(late, title="House 7", provenance=Provenance(model="groove", seed=7))
    assert usual_name(by_model) == usual_name(late)
    assert usual_name(replace(by_model, genre="", title="Beat 7")).startswith("Beat 124 · late")
    assert usual_name(replace(late, title="Loft shuffle")) == "Loft shuffle"


def test_the_starter_patterns_are_told_apart():
    names = [usual_name(replace(beat, title="")) for beat in load_patterns()]
    assert len(set(names)) > 0.8 * len(names)
    assert all(traits(beat) for beat in load_patterns())
