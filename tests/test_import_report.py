"""What Explore says of files that were read: an import, a collection's note maps, one file."""

import zipfile

from streamlit.testing.v1 import AppTest

from dj_core.files.midi import midi_bytes
from dj_core.library.library import Library
from dj_core.music.beat import Beat, Hit

WAIT_SECONDS = 120


def note_map_tab():
    from dj_core.library.library import Library
    from dj_ui.import_report import show_note_maps

    library = Library.open()
    show_note_maps(library, library.corpus("mine"))


def file_tab():
    from dj_core.library.library import Library
    from dj_ui.import_report import show_reading

    corpus = Library.open().corpus("mine")
    for file in corpus.files:
        show_reading(corpus.reading(file))


def words_of(test):
    return "\n".join(element.value for element in (*test.markdown, *test.caption))


def shown(tab):
    test = AppTest.from_function(tab, default_timeout=WAIT_SECONDS).run()
    assert not test.exception
    return test


def bassline():
    """A file of another program with a melody on channel 1."""
    notes = b"".join(b"\x00\x90%c\x50\x60\x80%c\x00" % (note, note) for note in (26, 33, 38, 31))
    track = b"\x00\xff\x03\x04Bass" + notes + b"\x00\xff\x2f\x00"
    return b"MThd\0\0\0\6\0\0\0\1\0\x60MTrk" + len(track).to_bytes(4) + track


def imported(home, tmp_path):
    """Six beats on channel 10, a bassline, and what is no MIDI, in a zip."""
    with zipfile.ZipFile(tmp_path / "mine.zip", "w") as archive:
        for number in range(6):
            hits = (Hit.of("kick", 0), Hit.of("clap", 1 + number / 4), Hit.of("conga", 3))
            archive.writestr(f"House/{number}.mid", midi_bytes(Beat(hits, bars=1)))
        archive.writestr("Bass/bass.mid", bassline())
        archive.writestr("cover.jpg", b"JFIF")
        archive.writestr("House/broken.mid", b"MThd")
    return Library(home).import_corpus(tmp_path / "mine.zip", "mine")


def test_an_import_says_what_it_took_left_out_and_read_the_files_by(home, tmp_path):
    from dj_ui.import_report import tell_import

    report = imported(home, tmp_path)
    said = tell_import([report])
    assert said.startswith("7 files added to mine. 1 file could not be read")
    assert "1 .jpg (cover.jpg)" in said
    assert "General MIDI (7)" in said
    assert "1 file of the same name replaced." in tell_import(
        [Library(home).import_corpus(changed(tmp_path), "mine")]
    )


def changed(tmp_path):
    with zipfile.ZipFile(tmp_path / "again.zip", "w") as archive:
        archive.writestr("House/0.mid", midi_bytes(Beat((Hit.of("snare", 0),), bars=1)))
    return tmp_path / "again.zip"


def test_a_note_map_is_told_chosen_with_what_it_does_not_know_and_taken_back(home, tmp_path):
    before = [file.lane_hits for file in imported(home, tmp_path).corpus.files]
    test = shown(note_map_tab)
    assert "6 files" in words_of(test)
    assert "told by each file itself" in words_of(test)
    (choice,) = test.selectbox
    assert any("General MIDI · 0 of 22 hits unknown" in option for option in choice.options)
    assert any("Addictive Drums · 3 of 22 hits unknown" in option for option in choice.options)
    choice.set_value("extended")
    test.button(key="read_again").click().run()
    assert not test.exception
    assert "7 files** read as **Extended" in words_of(test)
    assert "(chosen)" in words_of(test)
    corpus = Library(home).corpus("mine")
    assert {file.drum_map for file in corpus.files} == {"extended"}
    assert [file.lane_hits for file in corpus.files] != before
    (choice,) = shown(note_map_tab).selectbox
    assert choice.value == "extended"
    test.selectbox[0].set_value("")
    test.button(key="read_again").click().run()
    assert [file.lane_hits for file in Library(home).corpus("mine").files] == before


def test_where_nothing_may_be_changed_the_note_maps_are_told_all_the_same(
    home, tmp_path, monkeypatch
):
    imported(home, tmp_path)
    monkeypatch.setenv("DIGITAL_DJ_READ_ONLY", "1")
    test = shown(note_map_tab)
    assert "6 files" in words_of(test)
    assert not test.selectbox
    assert not test.button


def test_a_file_has_its_warnings_beside_it(home, tmp_path):
    imported(home, tmp_path)
    said = words_of(shown(file_tab))
    assert "Read as General MIDI" in said
    assert "no drums to be seen" in said  # the bassline
