"""Explore on screen: a collection by its link, a file by its row, and what visitors bring."""

import json
import zipfile
from io import BytesIO
from pathlib import Path

from streamlit.testing.v1 import AppTest

from dj_core.files.midi import midi_bytes
from dj_core.library.library import Library
from dj_core.music.beat import Beat, Hit

ROOT = Path(__file__).resolve().parent.parent
WAIT_SECONDS = 120
BEAT = midi_bytes(Beat((Hit.of("kick", 0.0), Hit.of("snare", 1.0)), bars=1, tempo_bpm=120.0))


def visit(**link):
    at = AppTest.from_file(str(ROOT / "home.py"), default_timeout=WAIT_SECONDS)
    for name, value in link.items():
        at.query_params[name] = value
    at.switch_page("pages/explore.py").run()
    assert not at.exception
    return at


def words(at):
    kinds = (at.success, at.error, at.warning, at.caption)
    return " ".join(element.value for kind in kinds for element in kind)


def listed(at):
    (found,) = [
        one.proto for one in at.get("bidi_component") if one.proto.component_name == "dj_beat_list"
    ]
    return json.loads(found.json)


def upload(at, name, files):
    at.file_uploader[0].set_value(
        [(file, content, "application/octet-stream") for file, content in files.items()]
    )
    at.text_input(key="corpus_name").input(name)
    (add,) = [button for button in at.button if button.label == "Add to the library"]
    add.click().run()
    assert not at.exception
    return at


def zip_of(**files):
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "/") + ".mid", content)
    return buffer.getvalue()


def test_a_long_collection_is_listed_in_parts(home):
    told = listed(visit())
    assert (len(told["rows"]), told["first"], told["changes"]) == (100, 0, False)
    assert told["total"] == len(Library(home).corpus("starter").files) > 200
    assert {"id", "name", "tempo", "words"} <= set(told["rows"][0])


def test_a_link_to_a_collection_that_is_not_here_says_so(home):
    at = visit(corpus="nonesuch")
    assert "no collection called 'nonesuch' here. This is starter" in words(at)
    assert "no collection" not in words(at.run())
    assert "no collection" not in words(visit(corpus="starter"))


REFUSED = (
    ({}, "No file has arrived"),
    ({"empty.zip": zip_of()}, "no MIDI files"),
    ({"text.mid": b"these are words"}, "not a MIDI file"),
    ({"silent.mid": midi_bytes(Beat((), bars=1))}, "no notes"),
    ({"huge.mid": b"MThd" + bytes(30_000_000)}, "never over"),
    ({"broken.zip": b"PK\x03\x04 and no more"}, "cannot be opened as a zip"),
    ({"loop.mp3": b"ID3 and more"}, "its sound cannot be decoded"),
    ({"cover.jpg": b"JFIF", "two.mid": BEAT}, "cover.jpg: no MIDI file, sound or zip"),
)


def test_a_bad_upload_is_refused_in_words_and_brings_nothing_of_the_one_before(home):
    at = visit()
    for number, (files, told) in enumerate(REFUSED):
        at = upload(at, f"good {number}", {f"<b>{number}.mid": BEAT})
        assert f"1 file added to good {number}." in words(at)
        assert "1 file · 1 bar · 1 genre" in words(at)
        at = upload(at, f"bad {number}", files)
        assert told in words(at)
        assert "added to" not in words(at)  # the former answer is gone
    collections = {corpus.name: corpus.files for corpus in Library(home).corpora()}
    collections.pop("starter")
    assert {name: len(files) for name, files in collections.items()} == {
        f"good {number}": 1 for number in range(len(REFUSED))
    }


def test_good_files_are_kept_and_bad_ones_listed(home):
    files = {"mixed.zip": zip_of(House__good=BEAT, House__bad=b"words")}
    at = upload(visit(), "mixed", files)
    assert "1 file added to mixed. 1 file could not be read" in words(at)
    assert "Left out (1)" in [tab.label for tab in at.tabs]
