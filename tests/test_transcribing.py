"""Transcription: strokes of rendered loops, tempo and bars, the verb, sounds as a corpus."""

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from dj_core.cli import main
from dj_core.corpus.store import Corpus, import_corpus, read_again
from dj_core.errors import CheckpointError, CorpusError, SoundError
from dj_core.files.midi import midi_bytes, read_beat
from dj_core.library.kept_beats import Crate
from dj_core.library.library import Library
from dj_core.listening.drum_features import BANDS, HOP, RATE_HZ, drum_features, levelled
from dj_core.listening.drum_network import OUTPUTS, load_transcriber
from dj_core.listening.stroke_reading import Stroke, strokes_of
from dj_core.listening.transcribing import beat_of, loop_tempos, transcribe
from dj_core.music.beat import Beat, Hit, Meter
from dj_core.music.drums import LANE
from dj_core.sound.render import render_stems

ROOT = Path(__file__).resolve().parent.parent


def wav(samples, rate=RATE_HZ):
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format="WAV")
    return file.getvalue()


def sound_of(beat, kit="house", loop=True):
    return sum(render_stems(beat, kit, loop=loop).values())


def four_on_the_floor(bars=2, tempo_bpm=124.0):
    hits = []
    for quarter in range(4 * bars):
        hits.append(Hit.of("kick", quarter, 120))
        hits.append(Hit.of("open_hat" if quarter % 4 == 3 else "closed_hat", quarter + 0.5, 90))
        if quarter % 2:
            hits.append(Hit.of("clap", quarter, 110))
    return Beat(tuple(hits), bars, tempo_bpm)


HOUSE = four_on_the_floor()


def strokes_at(beat, tempo_bpm):
    quarter = 60 / tempo_bpm
    return [Stroke(h.onset_quarters * quarter, h.lane, h.velocity, 0.9) for h in beat.hits]


# -- what is heard -------------------------------------------------------------


@pytest.mark.parametrize("kit", ["house", "standard", "trap"])
@pytest.mark.parametrize("rate", [44_100, 48_000])
def test_a_rendered_loop_is_read_back_with_its_tempo_bars_and_drums(kit, rate):
    import scipy.signal

    sound = sound_of(HOUSE, kit)
    if rate != RATE_HZ:
        sound = scipy.signal.resample_poly(sound, rate, RATE_HZ)
    heard = transcribe(wav(sound, rate), name="loop.wav")
    assert heard.tempo_from == "length"
    assert heard.beat.tempo_bpm == pytest.approx(124, abs=0.05)
    assert heard.beat.bars == 2
    kicks = [hit.onset_quarters for hit in heard.beat.hits if hit.lane == LANE["kick"]]
    assert kicks == pytest.approx(list(range(8)), abs=0.05)
    hats = [hit.onset_quarters for hit in heard.beat.hits if hit.drum.family == "hat"]
    assert all(min(abs(one - quarter - 0.5) for one in hats) < 0.05 for quarter in range(8))


def test_harder_strokes_are_heard_as_harder():
    hits = [Hit.of("snare", quarter, 20 + 13 * quarter) for quarter in range(8)]
    heard = transcribe(wav(sound_of(Beat(tuple(hits), 2, 110))), tempo_bpm=110).beat
    velocities = [hit.velocity for hit in heard.hits if hit.drum.family == "snare"]
    assert velocities[-1] > velocities[len(velocities) // 2] > velocities[0]


def test_microtiming_is_kept():
    late = [Hit.of("closed_hat", step / 4 + (0.06 if step % 2 else 0), 100) for step in range(16)]
    heard = transcribe(wav(sound_of(Beat(tuple(late), 1, 100))), tempo_bpm=100).beat
    onsets = np.array([hit.onset_quarters for hit in heard.hits if hit.drum.family == "hat"])
    assert len(onsets) == 16
    off = onsets * 4 - np.round(onsets * 4)
    assert np.median(off[1::2]) - np.median(off[::2]) == pytest.approx(0.24, abs=0.08)


def test_how_loud_a_file_is_changes_nothing():
    loud = transcribe(wav(sound_of(HOUSE) * 0.5), tempo_bpm=124).beat
    soft = strokes_of((sound_of(HOUSE) * 0.005).mean(axis=1))
    assert len(soft) == len(loud.hits)


def test_the_same_file_gives_the_same_beat():
    content = wav(sound_of(HOUSE))
    assert transcribe(content, name="a.wav") == transcribe(content, name="a.wav")


@pytest.mark.parametrize(
    "samples", [np.zeros(RATE_HZ), np.full(RATE_HZ, 1e-6), np.zeros(1), np.zeros(500)]
)
def test_where_no_drum_is_heard_that_is_said(samples):
    with pytest.raises(SoundError, match="No drum is heard"):
        transcribe(wav(samples.astype(np.float32)))


def test_what_is_no_sound_is_refused_in_words():
    with pytest.raises(SoundError, match="no WAV, AIFF"):
        transcribe(b"MThd and more")
    with pytest.raises(SoundError, match="tempo is 10 to 600"):
        transcribe(wav(sound_of(HOUSE)), tempo_bpm=5)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 30_000), st.integers(0, 2**31))
def test_any_sound_can_be_read(length, seed):
    rng = np.random.default_rng(seed)
    samples = (rng.standard_normal(length) * rng.choice([1e-7, 0.01, 1, 100])).astype(np.float32)
    for stroke in strokes_of(samples):
        assert 0 <= stroke.seconds <= length / RATE_HZ + 0.03
        assert 1 <= stroke.velocity <= 127
        assert 0 <= stroke.confidence <= 1


def test_features_are_a_row_every_ten_milliseconds_with_an_attack_where_it_is():
    click = np.zeros(RATE_HZ, np.float32)
    click[50 * HOP] = 1
    levels = drum_features(levelled(click))
    assert levels.shape == (101, BANDS)
    assert int(levels.mean(axis=1).argmax()) == 50


# -- tempo and bars ------------------------------------------------------------


@pytest.mark.parametrize("tempo", [72.0, 90.0, 100.0, 124.0, 140.0, 174.0])
@pytest.mark.parametrize("bars", [1, 2, 4])
def test_a_loops_length_and_strokes_tell_its_tempo(tempo, bars):
    beat = four_on_the_floor(bars)
    found = loop_tempos(strokes_at(beat, tempo), bars * 240 / tempo)
    # half and double are as good by ear, and offered
    assert min(abs(one / tempo - 1) for one in found[:3]) < 1e-6


def test_what_has_no_length_is_no_loop():
    assert not loop_tempos(strokes_at(HOUSE, 124), 0.0)


def test_where_the_length_is_no_whole_bars_the_beats_decide_and_it_is_said():
    sound = np.concatenate(
        [np.zeros((9_000, 2), np.float32), sound_of(HOUSE), np.zeros((31_000, 2))]
    )
    heard = transcribe(wav(sound))
    assert heard.tempo_from == "beats"
    assert any("guess" in sentence for sentence in heard.warnings)
    assert heard.other_tempos_bpm
    assert heard.beat.hits[0].onset_quarters == pytest.approx(0, abs=0.1)


@pytest.mark.parametrize(
    ("name", "tempo"),
    [("Break 174bpm.wav", 174), ("loop_093.5 BPM_x.wav", 93.5), ("128-bpm.wav", 128)],
)
def test_a_files_name_may_tell_the_tempo(name, tempo):
    heard = transcribe(wav(sound_of(HOUSE)), name=name)
    assert (heard.tempo_from, heard.beat.tempo_bpm) == ("name", tempo)


def test_a_choice_goes_before_all():
    heard = transcribe(wav(sound_of(HOUSE)), name="90bpm.wav", tempo_bpm=62, meter=Meter(3, 4))
    assert (heard.tempo_from, heard.beat.tempo_bpm, str(heard.beat.meter)) == ("choice", 62, "3/4")


def test_strokes_become_bars_and_what_lies_outside_a_loop_is_left_out():
    strokes = [Stroke(at, 0, 100, 0.9) for at in (-0.2, -0.01, 0.5, 3.99, 4.2)]
    assert [hit.onset_quarters for hit in beat_of(strokes, 120, bars=2).hits] == [0.0, 1.0, 7.98]
    assert beat_of(strokes, 120).bars == 3
    assert beat_of([], 120, bars=4) == Beat((), 4, 120.0)


# -- the verb ------------------------------------------------------------------


def test_the_verb_writes_midi_and_says_what_is_in_it(tmp_path, capsys):
    (tmp_path / "loop.wav").write_bytes(wav(sound_of(HOUSE)))
    out = tmp_path / "loop.mid"
    assert main(["transcribe", str(tmp_path / "loop.wav"), "--out", str(out), "--json"]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    beat = read_beat(out.read_bytes())
    assert told["hits"] == len(beat.hits) == sum(told["drums"].values())
    assert told["bars"] == beat.bars == 2
    assert told["tempo_bpm"] == pytest.approx(beat.tempo_bpm, abs=0.01)
    assert beat.provenance.settings["transcribed"] is True


def test_the_verb_says_why_it_cannot(tmp_path, capsys):
    assert main(["transcribe", str(tmp_path / "none.wav"), "--out", str(tmp_path / "a.mid")]) == 1
    assert "cannot be read" in capsys.readouterr().err
    assert not (tmp_path / "a.mid").exists()


# -- sounds as a corpus --------------------------------------------------------


def loops(folder):
    """Three loops and a MIDI file, with a fact sheet; one loop lies beside its MIDI file."""
    (folder / "House").mkdir(parents=True)
    for number, tempo in enumerate((120, 126, 132)):
        beat = four_on_the_floor(1, tempo)
        (folder / "House" / f"{number}.wav").write_bytes(wav(sound_of(beat)))
    (folder / "House" / "0.mid").write_bytes(midi_bytes(HOUSE))
    (folder / "House" / "broken.flac").write_bytes(b"fLaC and no more")
    (folder / "info.csv").write_text("file,genre,bpm,split\nHouse/1.wav,techno,126,validation\n")
    return folder


@pytest.mark.parametrize("zipped", [False, True])
def test_a_folder_of_loops_is_a_corpus_beside_midi_and_says_what_was_transcribed(tmp_path, zipped):
    source = loops(tmp_path / "mine")
    if zipped:
        with zipfile.ZipFile(tmp_path / "mine.zip", "w") as archive:
            for path in sorted(source.rglob("*.*")):
                archive.write(path, path.relative_to(source))
        source = tmp_path / "mine.zip"
    report = import_corpus(source, tmp_path / "corpus", "mine")
    files = {file.name: file for file in report.corpus.files}
    assert list(files) == ["House/0.mid", "House/1.wav", "House/2.wav"]
    assert [file.transcribed for file in files.values()] == [False, True, True]
    assert report.corpus.transcribed == 2
    assert report.left_out == {".wav": ("House/0.wav",)}  # its MIDI file is here
    assert [skipped.file for skipped in report.skipped] == ["House/broken.flac"]
    told, heard = files["House/1.wav"], files["House/2.wav"]
    assert (told.genre, told.tempo_bpm, told.split) == ("techno", 126, "validation")
    assert heard.tempo_bpm == pytest.approx(132, abs=0.05)
    beat = report.corpus.beat(heard)
    assert beat.provenance.settings["transcribed"] is True
    assert [hit.onset_quarters for hit in beat.hits if hit.lane == LANE["kick"]] == pytest.approx(
        [0, 1, 2, 3], abs=0.05
    )


def test_a_second_import_brings_nothing_new_and_the_corpus_can_be_read_again(tmp_path):
    source = loops(tmp_path / "mine")
    first = import_corpus(source, tmp_path / "corpus", "mine").corpus.files
    again = import_corpus(source, tmp_path / "corpus", "mine")
    assert not again.replaced
    assert again.corpus.files == first
    read = read_again(Corpus(tmp_path / "corpus"), "extended").corpus.files
    assert [file.drum_map for file in read] == ["extended"] * 3
    assert [file.name for file in read] == [file.name for file in first]


def test_a_folder_without_a_drum_is_refused_with_the_reason(tmp_path):
    (tmp_path / "voice.wav").write_bytes(wav(np.zeros(RATE_HZ)))
    with pytest.raises(CorpusError, match="No drum is heard"):
        import_corpus(tmp_path / "voice.wav", tmp_path / "corpus", "mine")


# -- on the pages ------------------------------------------------------------------


def visit(page):
    at = AppTest.from_file(str(ROOT / "home.py"), default_timeout=120)
    at.switch_page(f"pages/{page}.py").run()
    assert not at.exception
    return at


def test_a_loop_that_is_put_in_the_crate_is_kept_as_what_was_heard(home):
    at = visit("crate")
    at.file_uploader(key="crate_uploads").set_value(
        [("warehouse 124bpm.wav", wav(sound_of(HOUSE)), "audio/wav")]
    )
    (put,) = [button for button in at.button if button.label == "Put in the crate"]
    put.click().run()
    assert not at.exception
    (item,) = Crate(home / "crate.db").find()
    beat = Crate(home / "crate.db").get(item.id).beat
    assert (beat.title, beat.tempo_bpm, beat.bars) == ("warehouse 124bpm", 124, 2)
    assert beat.provenance.settings["transcribed"] is True
    assert "transcribed from sound" in " ".join(html.value for html in at.get("html"))


def test_loops_in_a_collection_are_marked_as_heard(home):
    at = visit("explore")
    at.file_uploader[0].set_value(
        [("a.wav", wav(sound_of(HOUSE)), "audio/wav"), ("b.mid", midi_bytes(HOUSE), "audio/midi")]
    )
    at.text_input(key="corpus_name").input("mixed")
    (add,) = [button for button in at.button if button.label == "Add to the library"]
    add.click().run()
    assert not at.exception
    said = " ".join(element.value for kind in (at.success, at.caption) for element in kind)
    assert "1 file transcribed from sound." in said
    assert "2 files" in said
    assert "1 transcribed from sound" in said
    assert Library(home).corpus("mixed").transcribed == 1


# -- the network ---------------------------------------------------------------


def test_the_shipped_network_is_small_and_answers_for_every_frame():
    network = load_transcriber()
    assert sum(array.size for array in network.weights.values()) < 1_000_000
    assert network.outputs(np.zeros((7, BANDS), np.float32)).shape == (7, OUTPUTS)


def test_numpy_plays_the_network_as_torch_does():
    torch = pytest.importorskip("torch")
    from dj_core.listening.drum_network import VOICES, Transcriber
    from scripts.train_transcriber import Network

    torch.manual_seed(1)
    network = Network().eval()
    weights = {name: array.astype(np.float32) for name, array in network.folded().items()}
    levels = np.random.default_rng(1).random((60, BANDS), np.float32)
    with torch.no_grad():
        wanted = network(torch.from_numpy(levels.T[None]))[0].T.numpy()
    told = Transcriber(weights, dict.fromkeys(VOICES, 0.5)).outputs(levels)
    assert np.abs(told - wanted).max() < 0.01


def test_a_damaged_network_is_refused_in_words(tmp_path):
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_transcriber(tmp_path)
    (tmp_path / "weights.safetensors").write_bytes(b"{}")
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_transcriber(tmp_path)
