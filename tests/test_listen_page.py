"""The page Listen in a real Chromium: drop a track, correct its grid, play along, take a loop."""

import io
import zipfile

import mido
import numpy as np
import pytest
import soundfile
from conftest import PHONE

from benchmarks.rendered_tracks import track

pytestmark = pytest.mark.browser

FACE = """() => [...document.querySelectorAll('.st-key-listen_track *')]
  .find((one) => one.shadowRoot)?.shadowRoot.querySelector('.track')?.trackFace"""


@pytest.fixture(scope="module")
def song(tmp_path_factory):
    made = track("test", 0, seconds=20)
    path = tmp_path_factory.mktemp("songs") / "my song.flac"
    soundfile.write(path, made.samples[: 34 * 44_100], 44_100)
    return path, made


def face(screen, words):
    """What the track's face in the page says of itself."""
    return screen.page.evaluate(f"() => {{ const face = ({FACE})(); return {words} }}")


def wait_for(screen, words):
    screen.page.wait_for_function(f"() => {{ const face = ({FACE})(); return face && ({words}) }}")


def press(screen, name):
    screen.page.locator(".st-key-listen_track").get_by_role("button", name=name).click()


def drop(screen, place, path):
    with screen.rerun(moves=True):
        screen.page.locator(f"[class*='st-key-{place}'] input[type=file]").set_input_files(path)


def test_a_track_is_dropped_corrected_played_along_and_a_loop_taken(screen, song):
    path, made = song
    screen.open("/listen")
    drop(screen, "listen_", path)
    screen.page.locator(".track .far").wait_for()
    wait_for(screen, "face.buffer")
    screen.settle(moves=True)
    screen.page.get_by_text(f"{made.tempo_bpm:.2f}"[:5]).first.wait_for()

    # the grid is corrected by hand: the one moves, a nudge moves every beat
    before = face(screen, "[face.data.first, face.data.beats[8]]")
    press(screen, "The one is a beat later")
    wait_for(screen, f"face.data.first % 4 === {(before[0] + 1) % 4}")
    press(screen, "The one is a beat earlier")
    wait_for(screen, f"face.data.first % 4 === {before[0] % 4}")
    press(screen, "All beats 5 ms later")
    wait_for(screen, f"face.data.beats.some((at) => Math.abs(at - {before[1] + 0.005}) < 1e-4)")
    press(screen, "All beats 5 ms earlier")
    wait_for(screen, f"face.data.beats.some((at) => Math.abs(at - {before[1]}) < 1e-4)")
    screen.settle(moves=True)

    # drums that fit, on the deck
    with screen.rerun(moves=True):
        screen.page.get_by_role("button", name="Find drums").click()
    screen.page.get_by_role("radio", name="alike").first.wait_for()
    play = screen.page.locator(".st-key-listen_deck").get_by_role("button", name="Play").first
    screen.until(lambda: play.is_enabled() or pytest.fail("no drums"))

    # the track plays along, in step with the deck, also when the deck's tempo changes
    press(screen, "Play along")
    play.click()
    wait_for(screen, "face.track.isSounding && face.engine.playing")
    errors = []
    for _ in range(20):
        screen.page.wait_for_timeout(100)
        errors.append(face(screen, "face.track.phaseError()"))
    assert np.abs(errors).max() < 0.002
    face(screen, "face.engine.setTempo(face.engine.tempoBpm * 1.03)")
    wait_for(
        screen, "face.track.pieces.at(-1).rate > 1.02 && Math.abs(face.track.phaseError()) < 0.002"
    )
    face(screen, "face.engine.setTempo(null)")
    press(screen, "Cut lows")
    wait_for(screen, "face.track.bands.low.gain.value < -20")
    face(screen, "face.engine.stop()")
    wait_for(screen, "!face.track.isSounding")

    # and a loop as a file, in the track's tempo
    with screen.page.expect_download() as waiting:
        screen.page.get_by_role("button", name="Drums as long as the track").click()
    files = io.BytesIO(waiting.value.path().read_bytes())
    with zipfile.ZipFile(files) as taken:
        wav = next(name for name in taken.namelist() if name.endswith("_whole.wav"))
        length = soundfile.info(io.BytesIO(taken.read(wav))).duration
    assert length == pytest.approx(soundfile.info(path).duration, abs=0.01)


def test_on_a_phone_the_drums_of_a_loop_of_ours_are_written_out_and_played(visitor):
    screen = visitor(viewport=PHONE)
    screen.open("/listen")
    with screen.rerun(moves=True):
        screen.page.get_by_role("button", name="Try it with a loop of ours").click()
    wait_for(screen, "face.buffer")
    screen.settle(moves=True)
    with screen.rerun(moves=True):
        screen.page.get_by_role("button", name="Write out its drums").click()
    written = screen.page.locator(".st-key-listen_played")
    play = written.get_by_role("button", name="Play").first
    screen.until(lambda: play.is_enabled() or pytest.fail("no drums"))
    screen.page.get_by_role("button", name="Keep", exact=True).wait_for()
    play.click()
    written.get_by_role("button", name="Stop").first.wait_for()


def test_what_is_no_sound_is_refused_with_a_sentence(screen, tmp_path):
    path = tmp_path / "letter.wav"
    path.write_text("This is a letter.")
    screen.open("/listen")
    drop(screen, "listen_", path)
    screen.page.get_by_text("is no WAV, AIFF, FLAC, OGG or MP3").wait_for()


def test_a_bridge_to_another_track_is_taken(screen, song, tmp_path):
    path, made = song
    other = track("test", 4, seconds=12)
    following = tmp_path / "the next.wav"
    soundfile.write(following, other.samples, 44_100)

    screen.open("/listen")
    drop(screen, "listen_", path)
    wait_for(screen, "face.buffer")
    screen.settle(moves=True)
    drop(screen, "bridge_next", following)
    with screen.rerun(moves=True):
        screen.page.get_by_role("radio", name="4", exact=True).click()
    with screen.rerun(moves=True):
        screen.page.get_by_role("button", name="Make the bridge").click()
    with screen.page.expect_download() as waiting:
        screen.page.get_by_role("button", name="Take the bridge").click()
    with zipfile.ZipFile(waiting.value.path()) as taken:
        midi, wav = sorted(taken.namelist())
        length = soundfile.info(io.BytesIO(taken.read(wav))).duration
        tempos = [one.tempo for one in mido.MidiFile(file=io.BytesIO(taken.read(midi))).tracks[0]
                  if one.type == "set_tempo"]  # fmt: skip
    assert (midi, wav) == ("my-song_to_the-next.mid", "my-song_to_the-next.wav")
    assert len(tempos) == 16
    assert length == pytest.approx(sum(tempos) / 1e6, abs=0.001)
    ends = [60e6 / made.tempo_bpm, 60e6 / other.tempo_bpm]
    assert [tempos[0], tempos[-1]] == pytest.approx(ends, abs=1000)
