"""The app in a real Chromium: what a DJ sees, hears and takes away."""

import json
import re
from io import BytesIO
from pathlib import Path

import mido
import pytest
import symusic
from conftest import PHONE

from dj_core.files.midi import midi_bytes, read_midi
from dj_core.library.library import Library
from dj_core.music.beat import Beat, Hit
from dj_ui.frame import PAGES
from dj_ui.words import preset_label

pytestmark = pytest.mark.browser

# Everything that goes to the loudspeakers also goes through a meter.
METER = """
const connect = AudioNode.prototype.connect
AudioNode.prototype.connect = function (target, ...rest) {
  if (target instanceof AudioDestinationNode && this.context instanceof AudioContext) {
    window.meter ??= new AnalyserNode(this.context, { fftSize: 32768 })
    connect.call(this, window.meter)
  }
  return connect.call(this, target, ...rest)
}"""
# the loudest sample of a second and a half
LISTEN = """async () => {
  const wave = new Float32Array(window.meter.fftSize)
  let peak = 0
  for (let i = 0; i < 15; i += 1) {
    await new Promise((resolve) => setTimeout(resolve, 100))
    window.meter.getFloatTimeDomainData(wave)
    peak = Math.max(peak, ...wave.map(Math.abs))
  }
  return peak
}"""


def button(screen, name):
    return screen.page.get_by_role("button", name=name, exact=True)


def downloaded(screen, name):
    with screen.page.expect_download() as download:
        button(screen, name).click()
    return Path(download.value.path()).read_bytes(), download.value.suggested_filename


def assert_calm(screen):
    """No traceback, no error box of Streamlit's, no dialog, and the app's frame around it."""
    page = screen.page
    page.locator(".dj-brand").first.wait_for()
    assert page.locator('[data-testid="stException"]').count() == 0
    assert page.locator('[data-testid="stDialog"]').count() == 0
    for words in ("Traceback", "Page not found"):
        assert words not in page.inner_text("body")


@pytest.mark.parametrize(
    ("path", "title", "theme"), [("/", "Generate", "Dark"), ("/train", "Train", "Light")]
)
def test_a_cold_deep_link_shows_its_page_in_the_frame_and_all_pages_are_accessible(
    start_app, visitor, path, title, theme
):
    screen = visitor(start_app().url)
    page = screen.page
    page.add_init_script(f"localStorage.setItem('djTheme', '\"{theme}\"')")
    screen.open(path)
    assert_calm(screen)
    assert page.title().startswith(title)
    for name in PAGES.values():
        page.get_by_role("link", name=name, exact=True).wait_for()
    for address, name in PAGES.items():
        screen.open(f"/{address}")
        assert_calm(screen)
        assert page.title().startswith(name)
        ground = page.locator(".stApp").evaluate("app => getComputedStyle(app).backgroundColor")
        assert ground == {"Dark": "rgb(15, 16, 19)", "Light": "rgb(244, 242, 238)"}[theme]
        screen.look_closely()


def test_one_click_makes_an_audible_beat_and_a_midi_file_others_open(start_app, visitor):
    screen = visitor(start_app().url)
    page = screen.page
    page.add_init_script(METER)
    screen.open("/")
    with screen.rerun():
        page.locator(".st-key-dj_go button").first.click()
    assert_calm(screen)
    page.wait_for_function("window.digitalDjEngine.position('A') > 0")
    assert page.evaluate(LISTEN) > 0.01
    content, name = downloaded(screen, "MIDI")
    assert name.endswith(".mid")
    assert "bpm" in name
    beat = read_midi(content)
    assert beat.bars == 8
    file = mido.MidiFile(file=BytesIO(content))
    strokes = []
    for track in file.tracks:
        tick = 0
        for message in track:
            tick += message.time
            if message.type == "note_on" and message.velocity:
                strokes.append((tick, message.note, message.velocity))
    score = symusic.Score.from_midi(content)
    theirs = [(n.time, n.pitch, n.velocity) for track in score.tracks for n in track.notes]
    assert sorted(strokes) == sorted(theirs)
    assert len(strokes) == len(beat.hits) > 0


def test_the_wav_download_has_exactly_the_beats_length(screen):
    import wave

    screen.open("/generate?seed=3&bars=2&tempo=125")
    content, name = downloaded(screen, "WAV loop")
    assert name.endswith(".wav")
    with wave.open(BytesIO(content)) as file:
        assert file.getnframes() == round(2 * 4 * 60 / 125 * file.getframerate())


def test_a_link_holds_the_beat(screen, visitor):
    link = "/generate?seed=11&bars=2&tempo=97&temperature=0.8"
    screen.open(link)
    first, name = downloaded(screen, "MIDI")
    assert "97bpm" in name
    assert "seed11" in name
    other = visitor()
    other.open(link)
    second, _ = downloaded(other, "MIDI")
    assert first == second


def test_settings_reach_the_link_and_new_seeds_make_new_beats(screen):
    screen.open("/generate?bars=2")
    seen = set()
    for name in (".st-key-dj_go", ".st-key-dj_go"):
        with screen.rerun():
            screen.page.locator(f"{name} button").first.click()
        assert "seed=" in screen.page.url
        seen.add(downloaded(screen, "MIDI")[0])
    with screen.rerun():
        screen.page.locator(".st-key-dj_same button").first.click()
    seen.add(downloaded(screen, "MIDI")[0])
    assert len(seen) == 2


@pytest.mark.parametrize(
    "query",
    [
        "seed=-1&bars=99999&temperature=nan",
        "model=<script>alert(1)</script>&genre=polka&start=Z9",
        "seed=1e400&tempo=0&length=Years&sampling=%00",
    ],
)
def test_a_hostile_link_is_answered_calmly(screen, query):
    screen.open(f"/generate?{query}")
    assert_calm(screen)
    with screen.rerun(moves=True):
        screen.page.locator(".st-key-dj_go button").first.click()
    assert_calm(screen)


def test_the_temperature_strip_shows_five_takes_of_one_seed(screen):
    screen.open("/generate?seed=5&length=Notes&notes=120")
    with screen.rerun(moves=True):
        screen.page.locator(".st-key-dj_strip_go button").first.click()
    assert screen.page.locator(".dj-strip").count() == 5
    assert_calm(screen)


# --- what a phone holds, and what is missing ------------------------------------------------------


def test_a_model_folder_with_a_missing_file_harms_nothing(start_app, visitor, tmp_path):
    home = tmp_path / "home"
    broken = home / "models" / "broken"
    broken.mkdir(parents=True)
    (broken / "model.json").write_text(json.dumps({"family": "notes", "label": "Broken"}))
    screen = visitor(start_app(home=home).url)
    for path in ("/generate", "/explore", "/train"):
        screen.open(path)
        assert_calm(screen)
    assert "Broken" not in screen.page.inner_text("body")


def test_every_page_fits_a_phone_and_is_under_the_thumb(visitor):
    screen = visitor(viewport=PHONE)
    page = screen.page
    screen.open("/generate")
    for name in PAGES.values():
        with screen.rerun():
            page.get_by_role("link", name=name, exact=True).click()
        page.wait_for_function("name => document.title.startsWith(name)", arg=name)
        assert_calm(screen)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        screen.look_closely()
        page.mouse.wheel(0, 2_000)  # the way to the other pages stays where the thumb is
        pads = {pad: page.get_by_role("link", name=pad, exact=True) for pad in PAGES.values()}
        boxes = {pad: link.bounding_box() for pad, link in pads.items()}
        # nine times 44 would be 396 of 390 pixels
        assert min(box["width"] for box in boxes.values()) >= 41
        assert all(box["height"] >= 44 and box["y"] > 700 for box in boxes.values())
        assert all(box["y"] + box["height"] <= 844 for box in boxes.values())
        edges = [(box["x"], box["x"] + box["width"]) for box in boxes.values()]
        assert all(
            end <= start for (_, end), (start, _) in zip(edges, [*edges[1:], (390, 0)], strict=True)
        )
        room = [link.evaluate(ROOM_BESIDE_WORDS) for link in pads.values()]
        assert min(room) >= 0, "a page's name is cut off"
        lit = [pad for pad, link in pads.items() if int(weight_of(link)) > 400]
        assert lit == [name]


# how many pixels wider a link is than its words
ROOM_BESIDE_WORDS = """(link) => {
  const words = document.createRange()
  words.selectNodeContents(link.querySelector('p'))
  return link.getBoundingClientRect().width - words.getBoundingClientRect().width
}"""


def weight_of(link):
    return link.locator("p").evaluate("p => getComputedStyle(p).fontWeight")


# --- training ---------------------------------------------------------------------------------


@pytest.fixture
def home_with_small_corpus(tmp_path):
    """A DJ's folder with forty beats of eight bars called 'small'."""
    source = tmp_path / "source" / "House"
    source.mkdir(parents=True)
    for number in range(40):
        hits = [Hit.of("kick", float(quarter)) for quarter in range(32)]
        hits += [Hit.of("open_hat", (step * (number + 3) % 127) / 4) for step in range(64)]
        beat = Beat.fit(hits).at_tempo(124.0)
        (source / f"{number}.mid").write_bytes(midi_bytes(beat))
    home = tmp_path / "home"
    Library(home).import_corpus(source.parent, "small")
    return home


def start_run(screen, epochs):
    """Start a run of a small, quick network on the corpus 'small'."""
    page = screen.page
    screen.open("/train")
    page.locator(".st-key-dj_preset").get_by_role("combobox").click()
    with screen.rerun():
        page.get_by_role("option", name=preset_label("paper-2x32"), exact=True).click()
    learn_from = page.locator('[data-testid="stMultiSelect"]').first
    with screen.rerun():
        learn_from.get_by_role("button", name="Clear all").click()
    learn_from.get_by_role("combobox").click()
    with screen.rerun():
        page.get_by_role("option", name="small").click()
    page.keyboard.press("Escape")
    page.get_by_text("Fine tuning").click()
    with screen.rerun():
        page.get_by_label("Epochs").fill(str(epochs))
        page.get_by_label("Epochs").press("Enter")
    page.get_by_role("button", name="Start training").click()


def test_training_outlives_tab_and_server_and_is_found_again(
    start_app, visitor, home_with_small_corpus
):
    app = start_app(home=home_with_small_corpus)
    screen = visitor(app.url)
    page = screen.page
    start_run(screen, epochs=500)
    page.get_by_text(re.compile(r"Training, epoch (?:[3-9]|\d\d+) of 500")).first.wait_for()
    page.locator(".st-key-dj_stop button").first.wait_for()
    screen.look(moves=True)  # the run that was started
    page.get_by_text(re.compile(r"Training, epoch \d\d+ of 500")).first.wait_for()
    screen.look()  # it goes on, and nothing moves
    page.close()
    app.stop()
    (run,) = Library(home_with_small_corpus).runs()
    assert run.state == "running"

    again = start_app(home=home_with_small_corpus)
    other = visitor(again.url)
    other.page.goto(f"{again.url}/train")
    stop = other.page.locator(".st-key-dj_stop button").first
    stop.wait_for()
    stop.click()
    other.page.locator(".st-key-dj_resume button").first.wait_for()
    other.look(moves=True)
    assert_calm(other)
    (run,) = Library(home_with_small_corpus).runs()
    assert run.state == "stopped"
    with other.rerun():
        other.page.get_by_role("button", name="Play this model").click()
    other.page.locator(".st-key-dj_go button").first.wait_for()
    assert run.name in [model.name for model in Library(home_with_small_corpus).models()]


def test_a_run_on_a_phone_goes_to_its_end_and_is_heard(start_app, visitor, home_with_small_corpus):
    """The journey: choose, start, watch it finish, hear what it played on the way, reload."""
    screen = visitor(start_app(home=home_with_small_corpus).url, viewport=PHONE)
    page = screen.page
    start_run(screen, epochs=5)
    page.get_by_text(re.compile(r"Epoch 5 of 5 · finished after \d+:\d\d")).first.wait_for()
    screen.look(moves=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    with screen.rerun(moves=True):
        page.get_by_role("radio", name="5", exact=True).click()
    page.wait_for_function("window.digitalDjEngine?.state().playing")
    page.locator(".st-key-dj_lesson .deck .play").first.click()
    page.wait_for_function("!window.digitalDjEngine.state().playing")
    page.reload()
    screen.settle(moves=True)
    page.get_by_text("Epoch 5 of 5 · finished after").first.wait_for()
    page.locator(".st-key-dj_play button").first.wait_for()
