"""Many files read at once say of each what the strict reading says of it alone, or nothing."""

import random
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dj_core.beat import Beat, Hit, Meter
from dj_core.drums import DRUMS
from dj_core.families import KIN_JACCARD, Sketch, assign_families, sketch_beat
from dj_core.intake import Refused, summaries
from dj_core.midi import MidiSettings, guess_drum_map, midi_bytes, parse_midi, read_midi
from dj_core.outlines import plain_summaries

DAMAGES = 40


def told(summary):
    """A summary as plain values, which can be compared."""
    minhash, bars = summary.sketch.minhash.tolist(), summary.sketch.bar_hashes
    return summary._replace(sketch=(minhash, bars))


def alone(content, drum_map="general-midi"):
    """The same from the file's Beat, stroke by stroke."""
    beat = read_midi(content, drum_map)
    lanes = [hit.lane for hit in beat.hits]
    sketch = sketch_beat(beat)
    return (
        beat.bars,
        beat.tempo_bpm,
        beat.meter,
        tuple(lanes.count(lane) for lane in range(len(DRUMS))),
        (sketch.minhash.tolist(), sketch.bar_hashes),
        drum_map,
        guess_drum_map([parse_midi(content)]),
    )


def events_file(*tracks, division=480):
    """A file of tracks given as their events' bytes, end marks left to the caller."""
    chunks = b"".join(b"MTrk" + len(track).to_bytes(4) + track for track in tracks)
    header = b"MThd\0\0\0\6\0\1" + len(tracks).to_bytes(2) + division.to_bytes(2)
    return header + chunks


@pytest.mark.parametrize("corpus", ["digital-dj", "electronic", "groove"])
@pytest.mark.parametrize("drum_map", ["general-midi", "extended"])
def test_real_files_are_told_of_as_they_are_read_one_by_one(corpora, corpus, drum_map):
    paths = sorted((corpora / corpus).rglob("*.mid"))[:: 3 if corpus == "groove" else 1]
    contents = [path.read_bytes() for path in paths]
    contents = [content for content in contents if len(content) < 6_000]
    plain = plain_summaries(contents, drum_map)
    assert sum(summary is not None for summary in plain) > 0.9 * len(contents)
    for content, summary in list(zip(contents, plain, strict=True))[::7]:
        assert summary is None or told(summary) == alone(content, drum_map)


@pytest.mark.parametrize("seed", range(DAMAGES))
def test_of_a_damaged_file_nothing_is_told_that_the_strict_reading_does_not_say(corpora, seed):
    chance = random.Random(seed)
    paths = sorted((corpora / "digital-dj").rglob("*.mid"))
    contents = [_damaged(chance.choice(paths).read_bytes(), chance) for _ in range(12)]
    for content, summary, full in zip(
        contents,
        plain_summaries(contents, "general-midi"),
        summaries(contents, "general-midi"),
        strict=True,
    ):
        if summary is None:
            continue
        assert not isinstance(full, Refused)
        assert told(summary) == alone(content)


def _damaged(content, chance):
    content = bytearray(content)
    for _ in range(chance.choice([1, 1, 2, 4])):
        place = chance.randrange(len(content))
        damage = chance.choice(["byte", "bit", "less", "more", "end"])
        if damage == "byte":
            content[place] = chance.randrange(256)
        elif damage == "bit":
            content[place] ^= 1 << chance.randrange(8)
        elif damage == "less":
            del content[place]
        elif damage == "more":
            content.insert(place, chance.randrange(256))
        elif len(content) > 30:
            del content[-chance.randrange(1, 8) :]
    return bytes(content)


@given(st.lists(st.binary(max_size=60), max_size=5))
def test_bytes_of_any_kind_are_refused_or_told_of_alike(bodies):
    end = b"\0\xff\x2f\0"
    contents = [events_file(body + end) for body in bodies] + bodies
    contents.append(events_file(b"\0\x99\x24\x7f" + end))
    plain = plain_summaries(contents, "general-midi")
    assert plain[-1] is not None
    for content, summary in zip(contents, plain, strict=True):
        if summary is not None:
            assert told(summary) == alone(content)


END = b"\0\xff\x2f\0"
KICK = b"\0\x99\x24\x7f"
PLAIN = {
    "running status": KICK + b"\x60\x26\x40\x60\x24\0" + END,
    "a long time": b"\x81\x80\0\x99\x24\x7f" + END,
    "off channel 10": b"\0\x90\x24\x7f\x60\x3c\x40" + END,
    "beside a melody": KICK + b"\0\x90\x3c\x7f" + END,
    "Roland's hat edges": b"\0\x99\x16\x7f" + END,
    "a program change": b"\0\xc9\x05" + KICK + b"\0\xb9\x07\x64" + END,
    "tempo and meter": b"\0\xff\x51\3\x07\xa1\x20\0\xff\x58\4\7\3\x18\x08" + KICK + END,
}
ODD = {
    "running status after another kind": b"\0\xc9\x05\0\x06" + KICK + END,
    "system exclusive": b"\0\xf0\2\x01\xf7" + KICK + END,
    "a long text": b"\0\xff\1\x81\0" + b"x" * 128 + KICK + END,
    "six sixteenths of a 64th": b"\0\xff\x58\4\4\6\x18\x08" + KICK + END,
    "no tempo at all": b"\0\xff\x51\3\0\0\0" + KICK + END,
    "a week": b"\xff\xff\xff\x7f\x99\x24\x7f" + b"\xff\xff\xff\x7f\x24\x7f" + END,
    "no notes": END,
    "no end": KICK,
    "two ends": KICK + END + END,
    "an end that is not empty": KICK + b"\0\xff\x2f\1\0",
    "running status at the start": b"\0\x24\x7f" + END,
    "running status after a meta event": KICK + b"\0\xff\1\0\0\x24\x7f" + END,
    "no data byte": b"\0\x99\x24\x90" + END,
    "a number of five bytes": b"\x81\x80\x80\x80\0\x99\x24\x7f" + END,
}


@pytest.mark.parametrize("name", PLAIN)
def test_plain_files_are_told_of(name):
    content = events_file(PLAIN[name])
    (summary,) = plain_summaries([content], "general-midi")
    assert told(summary) == alone(content)


@pytest.mark.parametrize("name", ODD)
def test_what_is_not_plain_is_left_to_the_strict_reading(name):
    files = [events_file(KICK + END), events_file(ODD[name]), events_file(KICK + KICK + END)]
    before, odd, after = plain_summaries(files, "general-midi")
    assert odd is None
    assert told(before) == alone(files[0])
    assert told(after) == alone(files[2])


def test_our_own_files_that_say_what_made_them_are_left_to_the_strict_reading():
    beat = Beat((Hit.of("kick", 0), Hit.of("clap", 1)), bars=1)
    machine = midi_bytes(beat, settings=MidiSettings(target="general-midi"))
    assert plain_summaries([machine], "general-midi") != [None]
    edited = Beat(beat.hits, 1, provenance=beat.provenance.__class__(seed=4))
    assert plain_summaries([midi_bytes(edited)], "general-midi") == [None]


def test_tracks_of_a_file_are_read_from_their_own_beginning():
    content = events_file(b"\x83\x60\x99\x24\x7f" + END, b"\x60\x99\x26\x40\0\x24\x10" + END)
    (summary,) = plain_summaries([content], "general-midi")
    assert told(summary) == alone(content)
    assert summary.lane_hits[:2] == (2, 1)


# --- families -------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_families_are_what_comparing_every_pair_finds(seed):
    chance = random.Random(seed)
    beats = []
    for _ in range(60):
        if beats and chance.random() < 0.7:
            steps = set(chance.choice(beats))
            for _ in range(chance.randrange(6)):
                steps ^= {chance.randrange(64)}
        else:
            steps = set(chance.sample(range(64), chance.randrange(1, 30)))
        beats.append(sorted(steps) or [0])
    sketches = [
        sketch_beat(Beat(tuple(Hit.of("kick", step / 4) for step in steps), 4, meter=Meter()))
        for steps in beats
    ]
    family = list(range(len(beats)))
    for first, second in combinations(range(len(beats)), 2):
        if _are_kin(sketches[first], sketches[second]):
            old, new = family[second], family[first]
            family = [new if number == old else number for number in family]
    found = assign_families(sketches)
    assert len(set(found)) < len(beats)
    for first, second in combinations(range(len(beats)), 2):
        assert (found[first] == found[second]) == (family[first] == family[second])
    assert list(dict.fromkeys(found)) == list(range(len(set(found))))


def _are_kin(first: Sketch, second: Sketch) -> bool:
    equal = first.minhash == second.minhash
    bands = equal.reshape(-1, 4).all(axis=1)
    return bool(set(first.bar_hashes) & set(second.bar_hashes)) or bool(
        bands.any() and np.count_nonzero(equal) >= KIN_JACCARD * len(equal)
    )
