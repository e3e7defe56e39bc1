"""music21's strings: one file's, a corpus's, and what happens to files music21 cannot take."""

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import mido
import pytest

from dj_core.corpus.note_strings import (
    CACHE_NAME,
    NoteEvent,
    note_songs,
    read_note_events,
)
from dj_core.errors import CorpusError, MidiError
from dj_core.files.midi import save_midi
from dj_core.music.beat import Beat, Hit, Meter

ROOT = Path(__file__).resolve().parent.parent


@dataclass
class File:
    id: str
    path: Path
    genre: str = "rock"
    split: str = "train"
    meter: Meter = field(default_factory=Meter)
    bars: int = 1
    kind: str = "beat"
    drum_map: str = "general-midi"


@dataclass
class Folder:
    """As much of a corpus as notation needs."""

    folder: Path
    files: list[File]

    def content(self, file):
        return file.path.read_bytes()


@pytest.fixture
def two_beats(tmp_path):
    first = Beat((Hit.of("kick", 0), Hit.of("closed_hat", 0), Hit.of("snare", 1)), bars=1)
    second = Beat((Hit.of("kick", 0.5), Hit.of("kick", 2)), bars=1)
    paths = [save_midi(beat, tmp_path / f"{n}.mid") for n, beat in enumerate((first, second))]
    return Folder(tmp_path, [File(f"id{n}", path) for n, path in enumerate(paths)])


def write_notes(path, notes, ticks=96, channel=0):
    """A type-0 file of (onset, note, duration) in ticks."""
    events = [(onset, "note_on", note, 90) for onset, note, _ in notes]
    events += [(onset + length, "note_off", note, 0) for onset, note, length in notes]
    track, now = mido.MidiTrack(), 0
    for tick, kind, note, velocity in sorted(events):
        track.append(
            mido.Message(kind, channel=channel, note=note, velocity=velocity, time=tick - now)
        )
        now = tick
    mido.MidiFile(type=0, ticks_per_beat=ticks, tracks=[track]).save(path)
    return path


def struck(events):
    return [(event.name, event.onset_quarters) for event in events if event.name != "rest"]


def test_notes_chords_and_rests_become_names_with_octave_sorted(tmp_path):
    path = write_notes(tmp_path / "a.mid", [(0, 42, 24), (0, 36, 24), (96, 38, 24)])
    events = read_note_events(path)
    assert events[:4] == (
        NoteEvent("C2 F#2", 0.0, 0.25),
        NoteEvent("rest", 0.25, 0.75),
        NoteEvent("D2", 1.0, 0.25),
        NoteEvent("rest", 1.25, 2.75),
    )


def test_channel_ten_has_names_like_any_other_channel(tmp_path):
    notes = [(0, 42, 24), (0, 36, 24), (96, 38, 24)]
    melodic = read_note_events(write_notes(tmp_path / "a.mid", notes))
    drums = read_note_events(write_notes(tmp_path / "b.mid", notes, channel=9))
    assert struck(drums) == struck(melodic) == [("C2 F#2", 0.0), ("D2", 1.0)]


def test_drums_spread_over_tracks_are_one_song(tmp_path):
    file = mido.MidiFile(type=1, ticks_per_beat=96)
    for note in (36, 42):
        file.tracks.append(
            mido.MidiTrack(
                [
                    mido.Message("note_on", channel=9, note=note, velocity=90, time=0),
                    mido.Message("note_off", channel=9, note=note, velocity=0, time=24),
                ]
            )
        )
    file.save(tmp_path / "a.mid")
    assert struck(read_note_events(tmp_path / "a.mid")) == [("C2 F#2", 0.0)]


def test_a_note_over_the_bar_line_goes_on_tied_and_is_not_struck_again(tmp_path):
    path = write_notes(tmp_path / "a.mid", [(0, 36, 24), (336, 49, 96)])
    crash = [event for event in read_note_events(path) if event.name == "C#3"]
    assert [(event.onset_quarters, event.tied) for event in crash] == [(3.5, False), (4.0, True)]


def test_a_second_voice_follows_its_measure_s_first(tmp_path):
    # a long crash and a short hat together: two lengths at once are two voices to music21
    hats = [(tick, 42, 24) for tick in range(0, 384, 48)]
    path = write_notes(tmp_path / "a.mid", [(0, 49, 300), *hats])
    events = struck(read_note_events(path))
    onsets = [onset for _, onset in events]
    assert onsets != sorted(onsets)
    expected = [("C#3", 0.0), *(("F#2", tick / 96) for tick in range(0, 384, 48))]
    assert sorted(events) == sorted(expected)


@pytest.mark.parametrize("content", [b"", b"not midi", b"MThd\0\0\0\6\0\0\0\1\0\x60MTrk\0\0\0\4"])
def test_a_damaged_file_is_refused_before_music21_sees_it(tmp_path, content):
    path = tmp_path / "a.mid"
    path.write_bytes(content)
    with pytest.raises(MidiError):
        read_note_events(path)
    with pytest.raises(MidiError, match=r"gone\.mid"):
        read_note_events(tmp_path / "gone.mid")


def test_a_corpus_is_read_once_and_new_files_are_added(two_beats):
    calls = []
    songs = note_songs(two_beats, progress=lambda done, total: calls.append((done, total)))
    assert calls == [(1, 2), (2, 2)]
    assert [song.file_id for song in songs] == ["id0", "id1"]
    assert struck(songs[0].events) == [("C2 F#2", 0.0), ("D2", 1.0)]
    assert songs[0].genre == "rock"
    assert songs[0].bar_quarters == 4.0

    calls.clear()
    again = note_songs(two_beats, progress=lambda done, total: calls.append((done, total)))
    assert again == songs
    assert calls == []

    path = save_midi(Beat((Hit.of("crash", 0),), bars=1), two_beats.folder / "new.mid")
    two_beats.files.append(File("new", path, genre="jazz", split="test"))
    more = note_songs(two_beats, progress=lambda done, total: calls.append((done, total)))
    assert calls == [(1, 1)]
    assert more[:2] == songs
    assert (more[2].genre, more[2].split) == ("jazz", "test")


def test_files_of_the_same_content_are_read_once_and_stay_two_songs(two_beats):
    two_beats.files.append(File("id0", two_beats.files[0].path, genre="soul"))
    songs = note_songs(two_beats)
    assert [(song.file_id, song.genre) for song in songs] == [
        ("id0", "rock"), ("id1", "rock"), ("id0", "soul"),
    ]  # fmt: skip


def test_a_bad_file_is_left_out_and_not_tried_again(two_beats):
    bad = two_beats.folder / "bad.mid"
    bad.write_bytes(b"nothing of the kind")
    two_beats.files.insert(0, File("bad", bad))
    assert [song.file_id for song in note_songs(two_beats)] == ["id0", "id1"]
    save_midi(Beat((Hit.of("kick", 0),), bars=1), bad)
    assert [song.file_id for song in note_songs(two_beats)] == ["id0", "id1"]


def test_a_corpus_of_bad_files_only_is_an_error(tmp_path):
    bad = tmp_path / "bad.mid"
    bad.write_bytes(b"nothing of the kind")
    with pytest.raises(CorpusError, match="none of the corpus's 1 files"):
        note_songs(Folder(tmp_path, [File("bad", bad)]))


def test_a_file_that_takes_too_long_is_given_up(two_beats, monkeypatch):
    # half the time limit of an instant: whatever file comes first is over it
    monkeypatch.setattr("dj_core.corpus.note_strings.SECONDS_PER_FILE", 0.0)
    with pytest.raises(CorpusError, match="did not finish within"):
        note_songs(two_beats)


def test_a_damaged_cache_is_made_again(two_beats):
    songs = note_songs(two_beats)
    (two_beats.folder / CACHE_NAME).write_bytes(b"PAR1 torn")
    assert note_songs(two_beats) == songs


def test_songs_are_long_enough_for_a_hit_that_the_grid_moves_onto_the_bar_line(tmp_path):
    path = write_notes(tmp_path / "a.mid", [(0, 36, 24), (383, 36, 24)])
    song = note_songs(Folder(tmp_path, [File("a", path, bars=1)]))[0]
    assert song.bars == 2


def test_workers_need_nothing_from_the_main_program(tmp_path, two_beats):
    # as under a web server: a main module that must not run twice, started from elsewhere
    script = tmp_path / "main.py"
    script.write_text(
        "import sys; from pathlib import Path\n"
        f"sys.path.insert(0, {str(ROOT)!r})\n"
        "print('once')\n"
        "from dj_core.corpus.note_strings import _Worker\n"
        "worker = _Worker()\n"
        f"print(len(worker.read(Path({str(two_beats.files[0].path)!r}).read_bytes())['names']))\n"
        "worker.close()\n"
    )
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, script],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.split() == ["once", "4"]
