"""What a stranger's MIDI file may not do: end the app, hang it, raise, lose a note in silence."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest
import symusic
from hostile_midi import END, HEADER, counted_by_mido, hostile_file

from dj_core.errors import MidiError
from dj_core.files.midi import read_midi_report
from dj_core.host.limits import LIMITS

ROOT = Path(__file__).resolve().parent.parent
CASES = 2_000
REAL_FILES = {"digital-dj": 1_544, "groove": 1_021, "electronic": 169}


def test_two_thousand_hostile_files_are_read_or_refused():
    """In a process of its own, under 2 GiB; `make fuzz` runs twenty thousand."""
    answer = subprocess.run(
        [sys.executable, ROOT / "tests" / "hostile_midi.py", "--cases", str(CASES), "--json"],
        capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip
    assert answer.stdout, f"the process ended with {answer.returncode}: {answer.stderr[-2000:]}"
    outcome = json.loads(answer.stdout)
    assert (outcome["escaped"], outcome["lost"], outcome["too_long"]) == ([], [], [])
    assert outcome["cases"] == CASES == outcome["accepted"] + outcome["refused"]
    assert answer.returncode == 0
    # the cases are worth something: each kind came, many passed the first look, mido saw them too
    assert len(outcome["kinds"]) == 8
    assert len(outcome["reasons"]) >= 8
    assert outcome["accepted"] > CASES / 20
    assert outcome["witnessed"] + outcome["partly"] > outcome["accepted"] * 0.75
    assert outcome["witnessed"] > 3 * outcome["partly"]
    assert outcome["peak_megabytes"] < 400


def test_a_case_is_the_same_whenever_it_is_asked_for():
    assert hostile_file(1, 17) == hostile_file(1, 17)
    assert len({hostile_file(seed, case) for seed in (1, 2) for case in range(30)}) > 55


@pytest.mark.parametrize("corpus", REAL_FILES)
def test_every_real_file_is_accepted_with_every_note(corpora, corpus):
    paths = sorted((corpora / corpus).rglob("*.mid"))
    if corpora.parent.name == "shared":
        assert len(paths) == REAL_FILES[corpus]
    for path in paths:
        report = read_midi_report(path)
        notes = len(report.beat.hits) + report.notes_left_out
        # symusic is quick and leaves out notes that never end; where it has fewer, mido is asked
        if symusic.Score.from_file(path).note_num() != notes:
            assert notes == counted_by_mido(path.read_bytes()), path


def file_of(body, tracks=1):
    chunk = b"MTrk" + len(body + END).to_bytes(4) + body + END
    return HEADER + b"\x00\x01" + tracks.to_bytes(2) + b"\x01\xe0" + chunk * tracks


KICK = b"\x00\x99\x24\x7f"


def test_the_limits_are_where_they_are_said_to_be():
    most = KICK + b"\x00\x24\x7f" * (LIMITS.midi_events - 2)
    assert len(read_midi_report(file_of(most)).beat.hits) == LIMITS.midi_events - 1
    with pytest.raises(MidiError, match=f"{LIMITS.midi_events:,} events"):
        read_midi_report(file_of(most + b"\x00\x24\x7f"))
    assert read_midi_report(file_of(KICK, LIMITS.midi_tracks)).beat.hits
    with pytest.raises(MidiError, match=f"{LIMITS.midi_tracks} tracks"):
        read_midi_report(file_of(KICK, LIMITS.midi_tracks + 1))
    text = b"x" * (LIMITS.midi_bytes - len(file_of(KICK)) - 7)
    whole = file_of(b"\x00\xff\x01" + _size(len(text)) + text + KICK)
    assert LIMITS.midi_bytes - 2 <= len(whole) <= LIMITS.midi_bytes
    assert read_midi_report(whole).beat.hits
    with pytest.raises(MidiError, match=f"{LIMITS.midi_bytes:,}"):
        read_midi_report(whole + bytes(LIMITS.midi_bytes))


def test_notes_beside_the_drums_are_counted_and_none_is_dropped_for_want_of_an_end():
    body = KICK + b"\x00\x90\x3c\x7f" + b"\x00\x99\x26\x7f" + b"\x60\x99\x24\x7f" * 5
    report = read_midi_report(file_of(body))
    assert (len(report.beat.hits), report.notes_left_out) == (7, 1)


def test_music21_sees_no_file_that_was_not_checked():
    """Its only caller is `note_strings`, which gives it a beat that our parser has read."""
    doors = []
    for path in sorted((ROOT / "dj_core").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            if any(name.split(".")[0] in ("music21", "pretty_midi", "symusic") for name in names):
                doors.append(path.name)
    assert set(doors) <= {"note_strings.py", "engraving.py", "render.py"}


def _size(value):
    parts = [value & 0x7F]
    while value := value >> 7:
        parts.append(value & 0x7F | 0x80)
    return bytes(reversed(parts))
