"""Which note map a file is read by, and who says so: it itself, many of its kind, or a DJ."""

from io import BytesIO

import mido
from hypothesis import given, settings
from hypothesis import strategies as st

from dj_core.corpus.importing import DECIDING_FILES, drum_map_of_kind
from dj_core.corpus.search import map_uses, unknown_hits
from dj_core.corpus.store import import_corpus, read_again
from dj_core.files.midi import midi_bytes, read_midi
from dj_core.music.drum_maps import DRUM_MAPS

TOM_RIM, HAT_EDGE, ODD = 58, 22, 97


def file_of(*notes, channel=9):
    """A file with a note in every quarter."""
    track = mido.MidiTrack()
    for note in notes:
        track.append(mido.Message("note_on", channel=channel, note=note, velocity=80, time=0))
        track.append(mido.Message("note_off", channel=channel, note=note, time=480))
    file = mido.MidiFile(ticks_per_beat=480)
    file.tracks.append(track)
    buffer = BytesIO()
    file.save(file=buffer)
    return buffer.getvalue()


def test_a_roland_kits_strokes_stay_themselves_through_general_midi():
    beat = read_midi(file_of(*range(22, 60)), "td-11")
    again = read_midi(midi_bytes(beat))
    assert [hit.lane for hit in again.hits] == [hit.lane for hit in beat.hits]
    kept = read_midi(midi_bytes(beat, "as-in-corpus"), "td-11")
    assert [hit.source_note for hit in kept.hits] == list(range(22, 60))
    assert [hit.lane for hit in kept.hits] == [hit.lane for hit in beat.hits]


# --- a corpus -------------------------------------------------------------------------------------


def imported(folder, files, **how):
    """The files, by name, as a corpus in `folder`; what is there already is added to."""
    source = folder / "source"
    source.mkdir(parents=True, exist_ok=True)
    for path in source.iterdir():
        path.unlink()
    for name, content in files.items():
        (source / name).write_bytes(content)
    return import_corpus(source, folder / "corpus", "mine", **how).corpus


def maps(corpus):
    return {file.name: file.drum_map for file in corpus.files}


def lanes(corpus):
    return {file.name: file.lane_hits for file in corpus.files}


GROOVES = {
    f"groove {number}.mid": file_of(36, 39, 48, 57, 59, 60, 36 + number) for number in range(3)
}
BESIDE = {
    "bassline": file_of(24, 28, 31, 36, channel=0),
    "piano": file_of(60, 64, 67, 96, 100, channel=3),
    "extended archive": file_of(36, 38, 90, 92, 94, ODD, channel=0),
    "Roland kit": file_of(36, HAT_EDGE, TOM_RIM),
    "refused": b"MThd, and nothing else",
    "General MIDI": file_of(36, 38, 42),
}


@settings(max_examples=20, deadline=None)
@given(beside=st.sampled_from(sorted(BESIDE)), first=st.booleans(), later=st.booleans())
def test_no_file_changes_how_those_beside_it_are_read(beside, first, later, tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    alone = lanes(imported(folder / "alone", GROOVES))
    name = f"{'a' if first else 'z'}.mid"
    if later:
        imported(folder, GROOVES)
        together = lanes(imported(folder, {name: BESIDE[beside]} | dict([*GROOVES.items()][:1])))
    else:
        together = lanes(imported(folder, GROOVES | {name: BESIDE[beside]}))
    assert {name: together[name] for name in alone} == alone


def test_many_files_off_channel_10_decide_for_their_kind_and_for_no_other(tmp_path):
    plain = {f"plain {number}.mid": file_of(36, 40 + number, channel=0) for number in range(9)}
    odd = {
        f"odd {number}.mid": file_of(36, ODD, 40 + number, channel=0)
        for number in range(DECIDING_FILES)
    }
    few = dict([*odd.items()][1:])
    assert set(maps(imported(tmp_path / "few", plain | few)).values()) == {"general-midi"}
    many = maps(imported(tmp_path / "many", plain | odd | GROOVES))
    assert {many[name] for name in plain | odd} == {"extended"}
    assert {many[name] for name in GROOVES} == {"general-midi"}


def test_a_small_share_of_many_files_decides_nothing():
    assert drum_map_of_kind({"general-midi": 1_299, "extended": 245}) == "extended"
    assert drum_map_of_kind({"general-midi": 73, "extended": 7}) == "extended"
    assert drum_map_of_kind({"general-midi": 960, "extended": 40}) == "general-midi"
    assert drum_map_of_kind({"extended": 4}) == "general-midi"
    assert drum_map_of_kind({}) == "general-midi"


def test_later_imports_ask_what_is_there_and_leave_it_as_it_is(tmp_path):
    odd = [file_of(36, ODD, 40 + number, channel=0) for number in range(2 * DECIDING_FILES)]
    early = imported(tmp_path, {f"a{number}.mid": odd[number] for number in range(2)})
    assert set(maps(early).values()) == {"general-midi"}
    grown = imported(tmp_path, {f"b{n}.mid": odd[n] for n in range(2, DECIDING_FILES)})
    assert {name[0]: by for name, by in maps(grown).items()} == {
        "a": "general-midi",
        "b": "extended",
    }
    later = imported(tmp_path, {"c.mid": file_of(36, 38, channel=0)})
    assert maps(later)["c.mid"] == "extended"
    assert {name: by for name, by in maps(later).items() if name != "c.mid"} == maps(grown)


def test_an_explicit_choice_wins_and_can_be_taken_back(tmp_path):
    files = GROOVES | {"off.mid": file_of(36, 60, channel=0)}
    found = imported(tmp_path / "found", files)
    chosen = imported(tmp_path, files, drum_map="extended")
    assert set(maps(chosen).values()) == {"extended"}
    assert [(use.drum_map, use.files) for use in map_uses(chosen)] == [("extended", 4)]
    assert lanes(chosen) != lanes(found)
    assert lanes(imported(tmp_path, files)) == lanes(chosen)  # nothing new, nothing said
    back = read_again(chosen, None).corpus
    assert (lanes(back), maps(back)) == (lanes(found), maps(found))
    assert lanes(imported(tmp_path, files, drum_map="extended")) == lanes(chosen)
    for file in chosen.files:
        assert file.hits == sum(file.lane_hits) == len(chosen.beat(file).hits)


def test_reading_again_keeps_what_a_fact_sheet_said(tmp_path):
    sheet = {"info.csv": b"file,genre,bpm,beat_type,split\na.mid,Jazz,141,fill,test\n"}
    corpus = imported(tmp_path, sheet | {"a.mid": file_of(36, 60)})
    (before,) = corpus.files
    (after,) = read_again(corpus, "extended").corpus.files
    assert (after.genre, after.tempo_bpm, after.kind, after.split) == ("jazz", 141, "fill", "test")
    assert before.lanes != after.lanes


def test_why_each_note_map_was_taken_is_told_and_what_others_would_not_know(tmp_path):
    odd = {f"{n}.mid": file_of(36, ODD, channel=n) for n in range(DECIDING_FILES)}
    corpus = imported(tmp_path, odd | GROOVES)
    uses = {(use.drum_map, use.files): use.because for use in map_uses(corpus)}
    assert uses == {
        ("extended", 5): "suggested by 5 of the 5 files that are not on channel 10",
        ("general-midi", 3): "told by each file itself",
    }
    unknown = unknown_hits(corpus)
    assert unknown["general-midi"] == 5
    assert unknown["extended"] == 0
    assert set(unknown) == set(DRUM_MAPS)
