"""A set as one zip: complete, exact, readable by others, and at home wherever it is unpacked."""

import io
import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
import zipfile
from dataclasses import replace
from pathlib import Path
from unicodedata import category
from urllib.parse import unquote
from xml.parsers import expat

import mido
import numpy as np
import pytest
import soundfile
from hypothesis import example, given
from hypothesis import strategies as st
from mutagen.wave import WAVE
from pyrekordbox.rbxml import RekordboxXml

from dj_core.cli import main
from dj_core.errors import SetError
from dj_core.files.file_names import one_line
from dj_core.files.midi import MidiSettings, read_beat, save_midi
from dj_core.music.beat import Beat, Hit, Meter
from dj_core.music.note_maps import NOTE_MAP
from dj_core.music.patterns import load_patterns
from dj_core.sets.mixdown import cue_sheet
from dj_core.sets.pack_contents import PackSettings, loop_of, playlist, save_pack
from dj_core.sets.pack_readme import readme_text
from dj_core.sets.pack_sheet import set_sheet
from dj_core.sets.rekordbox import NOWHERE, DeckTrack, pack_folder, rekordbox_xml
from dj_core.sets.saved_sets import save_set
from dj_core.sets.set_midi import set_midi
from dj_core.sets.set_names import set_stem, slot_genre, slot_name, slot_stem
from dj_core.sets.set_plan import Entry, SetSettings, plan_set
from dj_core.sound.beat_sound import BeatSound
from dj_core.sound.loop_check import check_loop
from dj_core.sound.loop_files import LoopSettings

PATTERNS = {beat.title: beat for beat in load_patterns() if "fill" not in beat.title}
FILL = Beat(tuple(Hit.of("snare", step / 4) for step in range(16)), 1, 120.0, title="Roll")
NAME = re.compile(r"[A-Za-z0-9_-]+\.[a-z0-9]+")


def small_set(name="Friday"):
    """Three beats, one of them a shuffle in 12/8, one with a name that no file can have."""
    house = next(beat for beat in PATTERNS.values() if beat.genre == "house" and beat.bars == 2)
    slow = next(beat for beat in PATTERNS.values() if beat.meter == Meter(12, 8))
    odd = Beat(
        (Hit.of("kick", 0.0), Hit.of("closed_hat", 0.5), Hit.of("clap", 1.0)),
        1, 122.5, Meter(3, 4), title='Ünï/cödé & "☂" <x>\x07',
    )  # fmt: skip
    entries = [
        Entry(house, phrases=2, fills=(FILL,)),
        Entry(slow, phrases=2),
        Entry(odd, phrases=2),
    ]
    return plan_set(entries, SetSettings(name=name, phrase_bars=8, keep_order=True))


@pytest.fixture(scope="module")
def planned():
    return small_set()


@pytest.fixture(scope="module")
def one_beat():
    """A set of a single beat, for what takes several packs."""
    beat = Beat((Hit.of("kick", 0.0), Hit.of("clap", 1.0)), 1, 120.0, title="Two")
    return plan_set([Entry(beat, fills=(FILL,))], SetSettings(name="One", phrase_bars=8))


@pytest.fixture(scope="module")
def packed(planned, tmp_path_factory):
    """The zip, with everything in it."""
    path = tmp_path_factory.mktemp("pack") / "friday.zip"
    return save_pack(planned, path, PackSettings(mix=True))


@pytest.fixture(scope="module")
def unpacked(packed, tmp_path_factory):
    """The pack's folder, unpacked in a place with a name that addresses must encode."""
    place = tmp_path_factory.mktemp("booth") / "Ütz & # 100%"
    with zipfile.ZipFile(packed.path) as archive:
        archive.extractall(place)
    (folder,) = place.iterdir()
    return folder


def files(folder, place, ending=".wav"):
    return sorted((folder / place).glob(f"*{ending}"))


# -- what is in it -------------------------------------------------------------------------------


def test_the_pack_holds_one_folder_with_everything(packed, unpacked, planned):
    with zipfile.ZipFile(packed.path) as archive:
        assert tuple(archive.namelist()) == packed.entries
        assert archive.testzip() is None
    assert packed.bytes == packed.path.stat().st_size
    counts = {
        place: len(list((unpacked / place).iterdir()))
        for place in ("loops", "kick-and-hats", "fills", "midi", "mix")
    }
    assert counts == {"loops": 3, "kick-and-hats": 3, "fills": 1, "midi": 5, "mix": 2}
    stems = sum(len({hit.drum.family for hit in slot.beat.hits}) for slot in planned.slots)
    assert len(files(unpacked, "stems")) == stems
    for name in ("README.txt", "set-list.pdf", "rekordbox.xml", "relocate.py"):
        assert (unpacked / name).stat().st_size


def test_names_suit_every_deck(packed):
    for entry in packed.entries:
        *folders, name = entry.split("/")
        assert NAME.fullmatch(name), name
        assert all(NAME.fullmatch(f"{folder}.x") for folder in folders)
        if name.endswith((".wav", ".mid")):
            assert re.search(r"\dbpm", name), name
    assert len(set(map(str.lower, packed.entries))) == len(packed.entries)


def test_every_loop_is_exact(unpacked, planned):
    for place in ("loops", "kick-and-hats"):
        for path, slot in zip(files(unpacked, place), planned.slots, strict=True):
            check = check_loop(path)
            assert not check.problems
            assert check.frames == round(slot.beat.duration_seconds * 44_100)
            assert check.tempo_bpm == pytest.approx(slot.tempo_bpm)
    (fill,) = files(unpacked, "fills")
    assert check_loop(fill).bars == 1


def test_libsndfile_reads_all_sound_and_mido_all_midi(unpacked):
    for path in unpacked.rglob("*.wav"):
        samples, rate = soundfile.read(path)
        assert rate == 44_100
        assert samples.shape[1] == 2
        assert np.abs(samples).max() > 0
    for path in unpacked.rglob("*.mid"):
        assert any(message.type == "note_on" for message in mido.MidiFile(path))


def test_stems_sum_to_their_loop(unpacked):
    for loop in files(unpacked, "loops"):
        whole = soundfile.read(loop, dtype="int16")[0].astype(int)
        stems = [
            soundfile.read(path, dtype="int16")[0].astype(int)
            for path in files(unpacked, "stems")
            if path.stem.startswith(loop.stem + "_")
        ]
        assert len(stems) > 1
        assert np.abs(sum(stems) - whole).max() == 0


def test_kick_and_hats_are_those_stems(unpacked):
    for path in files(unpacked, "kick-and-hats"):
        heard = soundfile.read(path, dtype="int16")[0].astype(int)
        base = path.stem.removesuffix("_kick-and-hats")
        parts = [
            soundfile.read(unpacked / "stems" / f"{base}_{family}.wav", dtype="int16")[0]
            for family in ("kick", "hat")
            if (unpacked / "stems" / f"{base}_{family}.wav").exists()
        ]
        assert np.array_equal(sum(part.astype(int) for part in parts), heard)


def test_the_playlist_names_the_loops_in_order(unpacked):
    (playlist,) = unpacked.glob("*.m3u8")
    lines = playlist.read_text("utf-8").splitlines()
    assert lines[0] == "#EXTM3U"
    named = [line for line in lines if not line.startswith("#")]
    assert [unpacked / name for name in named] == files(unpacked, "loops")
    seconds = [int(line.split(":")[1].split(",")[0]) for line in lines if "EXTINF" in line]
    durations = [soundfile.info(str(unpacked / name)).duration for name in named]
    assert seconds == [max(1, round(length)) for length in durations]


def test_the_mix_and_its_cue_sheet_belong_together(unpacked, planned):
    (wav,), (cue,) = files(unpacked, "mix"), files(unpacked, "mix", ".cue")
    assert soundfile.info(str(wav)).duration == pytest.approx(planned.duration_seconds, abs=1e-4)
    text = cue.read_text("utf-8-sig")
    assert f'FILE "{wav.name}" WAVE' in text
    assert text.count("INDEX 01") == 3


def test_the_printed_set_list_is_a_pdf_of_every_beat(planned):
    sheet = set_sheet(planned, [(0.5,) * 100] * 3)
    assert sheet.startswith(b"%PDF-")
    assert sheet.rstrip().endswith(b"%%EOF")
    assert sheet.count(b"/Type /Page\n") + sheet.count(b"/Type /Page ") == 2
    assert sheet == set_sheet(planned, [(0.5,) * 100] * 3)
    many = plan_set([Entry(FILL)] * 50, SetSettings(phrase_bars=8))
    assert set_sheet(many, []).count(b"/Type /Page ") > 5


def test_the_readme_says_what_is_there(unpacked, planned):
    text = (unpacked / "README.txt").read_bytes()
    assert text.startswith(b"\xef\xbb\xbf")
    assert b"\n" not in text.replace(b"\r\n", b"")
    words = text.decode("utf-8-sig")
    for folder in unpacked.iterdir():
        if folder.is_dir():
            assert folder.name in words
    assert all(f"{number:02} " in words for number in range(1, len(planned.slots) + 1))


def test_each_loop_is_played_with_the_kit_of_its_beat(one_beat, tmp_path):
    entry = replace(one_beat.entries[0], sound=BeatSound("techno"))
    own = plan_set([entry], one_beat.settings)
    loops = []
    for planned, kit in ((own, "standard"), (one_beat, "techno"), (one_beat, "standard")):
        path = save_pack(planned, tmp_path / "a.zip", PackSettings(LoopSettings(kit))).path
        with zipfile.ZipFile(path) as archive:
            loops.append([archive.read(name) for name in archive.namelist() if "loops/" in name])
    assert loops[0] == loops[1] != loops[2]


def test_the_same_set_gives_the_same_bytes(one_beat, tmp_path):
    one, two = (save_pack(one_beat, tmp_path / name).path for name in ("a.zip", "b.zip"))
    assert one.read_bytes() == two.read_bytes()


def test_a_pack_can_be_plain_and_for_another_machine(one_beat, tmp_path):
    settings = PackSettings(stems=False, midi=MidiSettings(target="ableton"))
    pack = save_pack(one_beat, tmp_path / "plain.zip", settings)
    assert not any("/stems/" in entry or "/mix/" in entry for entry in pack.entries)
    with zipfile.ZipFile(pack.path) as archive:
        loop = next(entry for entry in pack.entries if "/midi/01" in entry)
        content = archive.read(loop)
    notes = {m.note for m in mido.MidiFile(file=io.BytesIO(content)) if m.type == "note_on"}
    assert notes <= set(range(36, 52))


def test_a_pack_that_is_stopped_leaves_nothing(one_beat, tmp_path):
    class StopError(Exception):
        pass

    def stop(doing, done, total):
        if doing == "Printing the set list":
            raise StopError

    with pytest.raises(StopError):
        save_pack(one_beat, tmp_path / "x.zip", progress=stop)
    assert list(tmp_path.iterdir()) == []


def test_long_performances_are_cut_to_whole_phrases():
    long = Beat(tuple(Hit.of("kick", float(step)) for step in range(800)), 200, 120.0)
    loop = loop_of(long)
    assert loop.bars == 16
    assert loop.duration_seconds == 32
    assert loop_of(FILL) is FILL


# -- rekordbox -----------------------------------------------------------------------------------

TRACK_NUMBERS = ("TrackID", "Size", "TotalTime", "TrackNumber", "BitRate", "SampleRate")


def check_strictly(content):
    """The rules of rekordbox's own description of the format, one by one."""
    expat.ParserCreate("utf-8").Parse(content, True)
    assert content.startswith(b"<?xml version='1.0' encoding='utf-8'?>")
    root = ElementTree.fromstring(content)
    assert (root.tag, root.attrib) == ("DJ_PLAYLISTS", {"Version": "1.0.0"})
    assert [child.tag for child in root] == ["PRODUCT", "COLLECTION", "PLAYLISTS"]
    product, collection, playlists = root
    assert set(product.attrib) == {"Name", "Version", "Company"}
    tracks = collection.findall("TRACK")
    assert int(collection.get("Entries")) == len(tracks) == len(collection)
    ids = [track.get("TrackID") for track in tracks]
    assert len(set(ids)) == len(ids)
    for track in tracks:
        for name in TRACK_NUMBERS:
            assert track.get(name).isdigit(), name
        assert re.fullmatch(r"\d+\.\d\d", track.get("AverageBpm"))
        assert re.fullmatch(r"file://localhost/[A-Za-z0-9._~%:/-]+", track.get("Location"))
        assert "//" not in track.get("Location").removeprefix("file://")
        assert [child.tag for child in track] == ["TEMPO", "POSITION_MARK", "POSITION_MARK"]
        tempo, *marks = track
        assert set(tempo.attrib) == {"Inizio", "Bpm", "Metro", "Battito"}
        assert float(tempo.get("Inizio")) == 0
        assert re.fullmatch(r"\d+/\d+", tempo.get("Metro"))
        assert tempo.get("Battito") == "1"
        assert [mark.get("Num") for mark in marks] == ["0", "-1"]
        for mark in marks:
            assert set(mark.attrib) == {"Name", "Type", "Start", "End", "Num"}
            assert mark.get("Type") == "4"
            assert 0 == float(mark.get("Start")) < float(mark.get("End"))
    check_nodes(playlists, set(ids))
    return root


def check_nodes(playlists, ids):
    (top,) = playlists
    assert (top.tag, top.get("Type"), top.get("Name")) == ("NODE", "0", "ROOT")
    for node in top.iter("NODE"):
        children = list(node)
        if node.get("Type") == "0":
            assert int(node.get("Count")) == len(children)
            assert all(child.tag == "NODE" for child in children)
        else:
            assert node.get("KeyType") == "0"
            assert int(node.get("Entries")) == len(children)
            assert all(child.tag == "TRACK" and child.get("Key") in ids for child in children)


def test_the_collection_passes_a_strict_check(unpacked):
    check_strictly((unpacked / "rekordbox.xml").read_bytes())


def test_pyrekordbox_reads_tempo_grid_loop_and_playlists_back(unpacked, planned):
    xml = RekordboxXml(unpacked / "rekordbox.xml")
    assert xml.num_tracks == 7
    group = xml.get_playlist("Friday")
    names = [node.name for node in group.get_playlists()]
    assert names == ["Loops", "Kick and hats", "Fills"]
    loops = xml.get_playlist("Friday", "Loops").get_tracks()
    assert len(loops) == len(planned.slots)
    for key, slot in zip(loops, planned.slots, strict=True):
        track = xml.get_track(TrackID=key)
        assert track.AverageBpm == pytest.approx(slot.tempo_bpm, abs=0.005)
        assert track.tempos[0].Bpm == pytest.approx(slot.tempo_bpm, abs=0.005)
        assert track.tempos[0].Metro == str(slot.beat.meter)
        assert [mark.Type for mark in track.marks] == ["loop", "loop"]
        assert track.marks[0].End == pytest.approx(slot.beat.duration_seconds, abs=0.0006)
        assert Path(track.Location).name in {path.name for path in files(unpacked, "loops")}


def test_sizes_and_lengths_are_those_of_the_files(unpacked):
    for track in ElementTree.parse(unpacked / "rekordbox.xml").getroot().findall(".//TRACK[@Size]"):
        path = unpacked.joinpath(*unquote(track.get("Location")).split("/")[-2:])
        assert int(track.get("Size")) == path.stat().st_size
        assert int(track.get("TotalTime")) == round(soundfile.info(str(path)).duration)


@pytest.mark.parametrize(
    ("folder", "location"),
    [
        ("", "file://localhost/run-relocate-first/loops/x.wav"),
        ("/Users/Ann O'Dj/Müsic", "file://localhost/Users/Ann%20O%27Dj/M%C3%BCsic/loops/x.wav"),
        (r"C:\Users\DJ #1", "file://localhost/C:/Users/DJ%20%231/loops/x.wav"),
        ("D:/sets", "file://localhost/D:/sets/loops/x.wav"),
    ],
)
def test_addresses_are_written_as_rekordbox_writes_them(folder, location):
    track = DeckTrack("loops/x.wav", "x", "", "", 120.0, Meter(), 8.0, 1, 44_100, 16)
    root = check_strictly(rekordbox_xml("A", {"Loops": [track]}, pack_folder(folder)))
    assert root.find("COLLECTION/TRACK").get("Location") == location


@pytest.mark.parametrize("folder", ["Music", "~/Music", "C:Music", "../x", "file:///x"])
def test_folders_that_are_not_absolute_are_refused(folder):
    with pytest.raises(SetError, match="in full"):
        PackSettings(folder=folder)


MARKS = st.text(
    st.characters() | st.sampled_from('\r\n\x00\x0b\x1b\x85\u2028\u202e\ud800\ufffe"<&>=#|[]*')
)


@given(title=MARKS, name=MARKS, genre=MARKS.map(lambda text: text[:40]), folder=MARKS)
@example(title="a\x00b\x07c\ud800d\ufffe☂ 😀", name="\x1f", genre="\x0b", folder="\r\nX")
@example(title='"\r\nTRACK 99 AUDIO', name="#EXTM3U\r\nevil.wav", genre="=1+1", folder="")
def test_no_name_breaks_a_file_of_the_pack(title, name, genre, folder):
    """Cue, M3U8, README, XML, MIDI and file names, of any characters at all."""
    beat = Beat((Hit.of("kick", 0.0),), 1, 120.0, genre=genre, title=title)
    made = plan_set([Entry(beat)], SetSettings(name=name, phrase_bars=8))
    shown = slot_name(made, 0)
    assert not [letter for letter in shown if category(letter) in ("Cc", "Cs", "Zl", "Zp")]
    assert not set(shown + made.settings.name) & set("\u202a\u202e\u2066\ufffe")
    cue = cue_sheet(made, "x.wav").split("\r\n")
    assert len("\r\n".join(cue).splitlines()) == len(cue) - 1 == 6
    assert all(line.count('"') in (0, 2) for line in cue)
    genre_shown = slot_genre(made, 0)
    track = DeckTrack("loops/x.wav", title, genre, "c", 120.0, Meter(), 8.0, 1, 44_100, 16)
    m3u8 = playlist([track]).decode()
    assert len(m3u8.splitlines()) == m3u8.count("\r\n") == 3
    readme = readme_text(made, folder, False, ["-20.0 LUFS"] * len(made.slots)).decode("utf-8-sig")
    plain = readme_text(
        plan_set([Entry(FILL)], SetSettings(phrase_bars=8)),
        "/x" * bool(folder),
        False,
        ["-20.0 LUFS"],
    )
    assert len(readme.splitlines()) == plain.decode().count("\r\n")
    root = check_strictly(rekordbox_xml(name, {"L": [track]}, NOWHERE))
    assert root.find("COLLECTION/TRACK").get("Name") == one_line(title)
    assert root.find("COLLECTION/TRACK").get("Genre") == one_line(genre)
    assert genre_shown == one_line(genre_shown)
    for stem in (slot_stem(made, 0), set_stem(made)):
        assert all(letter in "_-" or category(letter)[0] in "LNM" for letter in stem)
        assert 0 < len(stem.encode()) < 240
    markers = [
        m.text
        for m in mido.MidiFile(file=io.BytesIO(set_midi(made)), charset="utf-8").tracks[0]
        if m.type == "marker"
    ]
    assert markers[0].startswith(f"01 {shown}")


# -- relocate ------------------------------------------------------------------------------------


def relocated(folder, *command):
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
    root = check_strictly((folder / "rekordbox.xml").read_bytes())
    places = [track.get("Location") for track in root.findall("COLLECTION/TRACK")]
    return done, [Path("/" + unquote(place).removeprefix("file://localhost/")) for place in places]


def test_relocate_points_every_track_to_its_file_wherever_the_folder_goes(unpacked, tmp_path):
    before = ElementTree.parse(unpacked / "rekordbox.xml").getroot()
    done, places = relocated(unpacked, sys.executable, "-I", str(unpacked / "relocate.py"))
    assert done.returncode == 0, done.stderr
    assert "7 tracks" in done.stdout
    assert all(place.is_file() and place.is_relative_to(unpacked) for place in places)
    moved = tmp_path / "C# Ümlaut" / "set"
    moved.parent.mkdir()
    unpacked.rename(moved)
    try:
        done, places = relocated(moved, "sh", str(moved / "relocate.command"))
        assert done.returncode == 0, done.stderr
        assert all(place.is_file() and place.is_relative_to(moved) for place in places)
        after = ElementTree.parse(moved / "rekordbox.xml").getroot()
        for one, other in zip(before.iter(), after.iter(), strict=True):
            names = one.attrib.keys() | other.attrib.keys()
            changed = {name for name in names if one.get(name) != other.get(name)}
            assert changed <= {"Location"}
        assert RekordboxXml(moved / "rekordbox.xml").num_tracks == 7
    finally:
        moved.rename(unpacked)


def test_relocate_changes_nothing_when_a_file_is_missing(unpacked, tmp_path):
    content = (unpacked / "rekordbox.xml").read_bytes()
    for name in ("rekordbox.xml", "relocate.py"):
        (tmp_path / name).write_bytes((unpacked / name).read_bytes())
    script = str(tmp_path / "relocate.py")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "was left as it is" in done.stderr
    assert (tmp_path / "rekordbox.xml").read_bytes() == content
    (tmp_path / "rekordbox.xml").write_text("<broken")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr


def test_scripts_start_on_their_systems(packed, unpacked):
    with zipfile.ZipFile(packed.path) as archive:
        modes = {Path(i.filename).name: i.external_attr >> 16 for i in archive.infolist()}
        assert modes["relocate.command"] & 0o111
        assert not modes["README.txt"] & 0o111
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    bat = (unpacked / "relocate.bat").read_bytes()
    assert bat.count(b"\r\n") == bat.count(b"\n") > 5
    assert b"\r" not in (unpacked / "relocate.command").read_bytes()


# -- command line --------------------------------------------------------------------------------


def test_files_become_a_pack_on_the_command_line(home, tmp_path, capsys):
    paths = []
    for number, tempo in enumerate((124.0, 90.0)):
        beat = Beat((Hit.of("kick", 0.0), Hit.of("snare", 2.0)), 1, tempo)
        paths.append(str(save_midi(beat, tmp_path / f"beat {number}.mid")))
    out = tmp_path / "my set.zip"
    assert main(["pack", *paths, "--out", str(out), "--folder", "/Music", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert answer["file"] == str(out)
    with zipfile.ZipFile(out) as archive:
        assert archive.namelist() == answer["entries"]
        collection = archive.read(next(n for n in answer["entries"] if n.endswith(".xml")))
    root = check_strictly(collection)
    first = root.find("COLLECTION/TRACK")
    assert first.get("Location").startswith("file://localhost/Music/my-set_90-124bpm/loops/01_")
    assert first.get("AverageBpm") == "124.00"  # in the order given


def test_what_our_own_midi_says_goes_all_the_way_into_the_pack(home, tmp_path, capsys):
    """Genre, model and seed: from generate through a shaping verb into every file of the pack."""
    made = tmp_path / "made"
    words = ["--genre", "house", "--bars", "1", "--seed", "7"]
    assert main(["generate", *words, "--out", str(made)]) == 0
    (take,) = made.iterdir()
    assert main(["tighten", str(take), str(made / "i.mid")]) == 0
    starter = next(beat for beat in PATTERNS.values() if beat.genre == "techno")
    save_midi(starter, made / "j.mid")
    out = tmp_path / "x.zip"
    capsys.readouterr()
    assert main(["pack", str(made), "--out", str(out), "--midi", "tr-8s"]) == 0
    with zipfile.ZipFile(out) as archive:
        archive.extractall(tmp_path / "out")
    (folder,) = (tmp_path / "out").iterdir()
    tracks = check_strictly((folder / "rekordbox.xml").read_bytes()).findall("COLLECTION/TRACK")
    assert [track.get("Genre") for track in tracks[:3]] == ["House", "House", "Techno"]
    assert "model groove" in tracks[0].get("Comments")
    assert "seed 7" in tracks[1].get("Comments")
    readme = (folder / "README.txt").read_text("utf-8-sig")
    assert readme.count("House · ") == 2
    assert readme.count("model groove, seed 7") == 2
    loops = files(folder, "loops")
    assert [str(WAVE(path).tags["TCON"]) for path in loops] == ["House", "House", "Techno"]
    # one pack, one note map, written into every MIDI file and read back with all the rest
    notes = set(NOTE_MAP["tr-8s"].notes.values())
    for path in files(folder, "midi", ".mid"):
        content = mido.MidiFile(path, charset="utf-8")
        assert '"target":"tr-8s"' in next(m.text for m in content if m.type == "text")
        assert {m.note for m in content if m.type == "note_on"} <= notes
    read = [read_beat(path) for path in files(folder, "midi", ".mid")]
    assert [beat.genre for beat in read] == ["house", "house", "techno", ""]
    assert read[1].provenance.seed == 7


def test_a_saved_set_becomes_a_pack_on_the_command_line(one_beat, home, tmp_path, capsys):
    saved = save_set(one_beat, tmp_path / "x.set.json")
    out = tmp_path / "x.zip"
    assert main(["pack", str(saved), "--out", str(out), "--no-stems", "--name", "Other"]) == 0
    with zipfile.ZipFile(out) as archive:
        assert all(name.startswith("Other_") for name in archive.namelist())
    capsys.readouterr()
    assert main(["pack", str(saved), str(saved), "--out", str(out)]) == 1
    assert "One saved set" in capsys.readouterr().err
