"""Files as other programs leave them, each with what `inspect` must answer of it."""

import json
from collections import Counter
from pathlib import Path

import pytest

from dj_core.cli import main
from dj_core.files.midi import read_midi_report

SHARED = Path(__file__).resolve().parents[2] / "shared" / "cases"
END = b"\x00\xff\x2f\x00"
BAR = 1_920  # ticks
KICK, SNARE, HAT = 36, 38, 42


def size(value):
    parts = [value & 0x7F]
    while value := value >> 7:
        parts.append(value & 0x7F | 0x80)
    return bytes(reversed(parts))


def beat(channel=9, notes=(KICK, HAT, SNARE, HAT), first=0, end=BAR):
    """A note in every quarter of a bar, and the time up to the end mark."""
    track, now = b"", 0
    for number, note in enumerate(notes):
        start = first + number * 480
        track += size(start - now) + bytes((0x90 | channel, note, 90))
        track += size(100) + bytes((0x80 | channel, note, 0))
        now = start + 100
    return track + size(end - now) + END[1:]


def meta(kind, data, delta=0):
    return size(delta) + b"\xff" + bytes((kind,)) + size(len(data)) + data


def tempo(bpm, delta=0):
    return meta(0x51, round(60_000_000 / bpm).to_bytes(3), delta)


def chunk(body, length=None, name=b"MTrk"):
    return name + (len(body) if length is None else length).to_bytes(4) + body


def head(form=1, tracks=1, division=b"\x01\xe0"):
    return b"MThd\0\0\0\6" + form.to_bytes(2) + tracks.to_bytes(2) + division


def named(name, body):
    return chunk(meta(3, name) + body)


def riff(content):
    listed = b"LIST" + (5).to_bytes(4, "little") + b"INFOx\0"
    inside = b"RMID" + listed + b"data" + len(content).to_bytes(4, "little") + content
    return b"RIFF" + len(inside).to_bytes(4, "little") + inside


ONE = head() + chunk(beat())
BASS, PIANO = beat(0, (40, 43, 45, 47)), beat(0, (60, 64, 67, 72))
FOUR = {"hits": 4, "bars": 1}
KICK_ON, SNARE_ON = b"\x99\x24\x5a", b"\x99\x26\x5a"
CLOCKED = beat().replace(SNARE_ON, b"\x99\xf8\x26\x5a")
EIGHT_BARS = beat(0, (KICK, HAT) * 8, end=16 * 480)

# --- read all the same, and nothing to say -------------------------------------------------------

QUIET = {
    "clock and sensing bytes": head() + chunk(b"\x00\xf8\x00\xfe" + beat()),
    "a clock byte inside a note": head() + chunk(CLOCKED),
    "system common": head() + chunk(b"\x00\xf1\x10\x00\xf2\x01\x02\x00\xf3\x01\x00\xf6" + beat()),
    "running status over an exclusive": head()
    + chunk(b"\x00" + KICK_ON + b"\x00\xf0\x02\x7e\xf7" + b"\x00\x2a\x5a" * 3 + END),
    "a length never filled in": head() + chunk(beat(), 0xFFFFFFFF),
    "a length of nothing": head() + chunk(beat(), 0),
    "lengths never filled in": head(tracks=2) + chunk(tempo(120) + END, 0xFFFFFFFF)
    + chunk(beat(), 0),
    "a length too long": head() + chunk(beat(), len(beat()) + 3),
    "a length too short": head() + chunk(beat(), len(beat()) - 2),
    "more tracks than the head says": head(tracks=1) + chunk(END) + chunk(beat()),
    "a head of no tracks": head(tracks=0) + chunk(beat()),
    "chunks before and between": head(tracks=2) + chunk(b"abc", name=b"XFIH") + chunk(END)
    + chunk(b"", name=b"junk") + chunk(beat()),
    "an end-of-file byte": ONE + b"\x1a",
    "no end mark and a line end": head() + chunk(beat()[:-5]) + b"\r\n",
    "an end mark cut in two": ONE[:-2],
    "zeros inside the track": head() + chunk(beat() + bytes(40)),
    "an old Mac's own head": bytes(128) + ONE,
    "programs and pitch over 127": head() + chunk(b"\x00\xc9\xf0\x00\xe9\x81\x90" + beat()),
    "a type nobody knows": head(form=7) + chunk(beat()),
    "a RIFF file that begins with a list": riff(ONE),
    "a tempo of four bytes": head() + chunk(meta(0x51, (500_000).to_bytes(4)) + beat()),
    "an end mark three ticks late": head() + chunk(beat(end=BAR + 3)),
    "hats on a channel of their own": head(tracks=2) + chunk(beat(notes=(KICK, SNARE)))
    + named(b"Hats", beat(10, (HAT, HAT))),
    "a drum bank on channel 2": head(tracks=2) + chunk(b"\x00\xb1\x00\x78\x00\xc1\x00" + beat(1))
    + chunk(END),
}  # fmt: skip

# --- read, and said ------------------------------------------------------------------------------

SAID = {
    "a velocity of 200": (ONE.replace(b"\x99\x26\x5a", b"\x99\x26\xc8"), FOUR, "louder"),
    "note 164": (ONE.replace(b"\x99\x26\x5a", b"\x99\xa4\x5a"), {"hits": 3, "notes_left_out": 1},
                 "Left out: 1 note"),
    "cut off": (ONE[:-20], {"hits": 2}, "cut off"),
    "a track is missing": (head(tracks=2) + chunk(beat()), FOUR, "1 track more"),
    "a note after the end mark": (head() + chunk(beat() + b"\x00\x99\x24\x5a\x00\x89\x24\x00"),
                                  {"hits": 5}, "1 note after"),
    "words after the last track": (ONE + b"Made with care by nobody", FOUR, "Not read: 24 bytes"),
    "another file follows": (ONE + ONE, FOUR, "Another MIDI file"),
    "a meter of nothing": (head() + chunk(meta(0x58, b"\0\2\x18\x08") + beat()),
                           FOUR | {"meter": "4/4"}, "no beat can have"),
    "a denominator of 2^200": (head() + chunk(meta(0x58, b"\4\xc8\x18\x08") + beat()),
                               FOUR | {"meter": "4/4"}, "no beat can have"),
    "a tempo of 8": (head() + chunk(tempo(8) + beat()), FOUR | {"tempo_bpm": 120}, "8 BPM"),
    "a tempo of no time": (head() + chunk(meta(0x51, b"\0\0\0") + beat()),
                           FOUR | {"tempo_bpm": 120}, "10 to 600"),
    "no tempo": (ONE, FOUR | {"tempo_bpm": 120}, "says no tempo"),
    "the tempo comes after the first hit": (
        head(tracks=2) + chunk(tempo(90, 240) + END) + chunk(beat()), {"tempo_bpm": 90}, "changes"),
    "29.97 frames": (head(division=b"\xe3\x28") + chunk(tempo(100) + beat(end=2_878)),
                     {"hits": 4, "tempo_bpm": 100}, "film frames"),
    "patterns": (head(form=2, tracks=2) + chunk(tempo(120) + beat()) + chunk(beat()),
                 {"hits": 8, "bars": 2}, "2 patterns"),
    "a count-in of two quarters": (
        head(tracks=2) + chunk(meta(0x58, b"\2\2\x18\x08") + meta(0x58, b"\3\2\x18\x08", 960) + END)
        + chunk(beat(notes=(HAT, HAT, *(KICK, SNARE, SNARE) * 4), end=14 * 480)),
        {"meter": "3/4", "bars": 5, "hits": 14}, "3/4"),
    "a hit before bar 33": (head() + chunk(beat(first=32 * BAR - 2, end=33 * BAR)), FOUR,
                            "32 empty bars"),
    "a hit a tick after the last bar": (
        head() + chunk(beat(end=BAR + 1)[:-3] + KICK_ON + END), {"hits": 5, "bars": 1},
        "1 hit on the line"),
    "drums by a Japanese name": (
        head(tracks=2) + named("ドラム".encode("cp932"), beat(0))
        + named("ピアノ".encode("cp932"), PIANO), FOUR | {"notes_left_out": 4}, "ピアノ"),
    "drums by their shape": (
        head(tracks=3) + named(b"Track 1", BASS) + named(b"Track 2", EIGHT_BARS)
        + named(b"Track 3", PIANO), {"hits": 16, "notes_left_out": 8}, "Track 1 and Track 3"),
    "a bass on channel 10 beside drums by name": (
        head(tracks=2) + named(b"Bass", beat(9, (40, 43, 45, 47))) + named(b"Drum Rack", beat(0)),
        FOUR | {"notes_left_out": 4}, "Bass"),
    "one track of several channels": (
        head(form=0) + chunk(PIANO[:-4] + beat()), {"hits": 4, "notes_left_out": 4}, "channel 1"),
}  # fmt: skip

REFUSED = {
    "damaged in the middle": head() + chunk(b"\x00\x24\x5a" + beat()),
    "an event over the next track": head(tracks=2) + chunk(meta(1, b"x" * 9)[:-5]) + chunk(beat()),
    "a recording": b"RIFF\x10\0\0\0WAVEfmt ",
    "no notes": head() + chunk(END),
}


def answer(tmp_path, capsys, content, *options):
    path = tmp_path / "file.mid"
    path.write_bytes(content)
    code = main(["inspect", str(path), *options, "--json"])
    printed = capsys.readouterr()
    return code, json.loads(printed.out.splitlines()[-1]) if not code else printed.err


@pytest.mark.parametrize("name", QUIET)
def test_what_is_odd_but_plain_is_read_counted_and_not_worth_a_word(name, tmp_path, capsys):
    if b"\xff\x51" not in QUIET[name]:
        reading = read_midi_report(QUIET[name])
        assert (len(reading.beat.hits), reading.warnings) == (4, ())
    code, found = answer(tmp_path, capsys, QUIET[name])
    assert code == 0
    assert {key: found[key] for key in FOUR} == FOUR
    silent = ("hats on a channel of their own", "a drum bank on channel 2", "RIFF", "three ticks")
    assert found["oddities"] or any(word in name for word in silent)


@pytest.mark.parametrize("name", SAID)
def test_what_a_dj_should_know_is_said(name, tmp_path, capsys):
    content, expected, words = SAID[name]
    code, found = answer(tmp_path, capsys, content)
    assert code == 0
    assert {key: found[key] for key in expected} == expected
    assert any(words in sentence for sentence in found["warnings"]), found["warnings"]
    assert sum(found["drums"].values()) == found["hits"]


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_read_is_refused_in_a_sentence(name, tmp_path, capsys):
    code, said = answer(tmp_path, capsys, REFUSED[name])
    assert code == 1
    assert said.startswith("digital-dj: ")
    assert "Traceback" not in said


def expected_of_shared():
    if not SHARED.is_dir():  # a checkout of its own; the files above stand for them
        return [("built here", ONE, FOUR)]
    expected = json.loads((SHARED / "expected.json").read_text("utf-8"))
    return [(name, (SHARED / name).read_bytes(), told) for name, told in expected.items()]


@pytest.mark.parametrize(
    ("content", "expected"),
    [pytest.param(content, told, id=name) for name, content, told in expected_of_shared()],
)
def test_the_shared_files_answer_as_expected(content, expected, tmp_path, capsys):
    code, found = answer(tmp_path, capsys, content)
    assert code == 0
    found["warned"] = bool(found["warnings"])
    for key, value in expected.items():
        assert found[key] == value or (isinstance(value, list) and found[key] in value), key
    assert Counter(found["drums"]).total() == found["hits"]


def test_a_chosen_map_wins_and_every_map_is_counted(tmp_path, capsys):
    content = head() + chunk(beat(notes=(KICK, 60, SNARE, 24)))
    assert answer(tmp_path, capsys, content)[1]["drum_map"] == "ezdrummer"
    _, found = answer(tmp_path, capsys, content, "--drum-map", "general-midi")
    assert found["drums"] == {"kick": 1, "snare": 1, "conga": 2}
    assert found["hits_without_a_drum"]["general-midi"] == 1
    assert found["hits_without_a_drum"]["ezdrummer"] == 0
