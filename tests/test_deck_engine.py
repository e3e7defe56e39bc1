"""The deck's sound: every stroke on its frame, whatever happens while it plays.

Most tests load a kit of clicks into the engine in a real Chromium and record what reaches the
loudspeaker. A click dies away by a tenth from each frame to the next; undo that, and every stroke
is one frame high as its velocity and lane, at exactly the frame on which it began.
"""

import base64
import io
import json
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import PAGE_MILLISECONDS, ROOT, START_SECONDS
from mixed import mixed
from one_shots import write_pack

from dj_core.errors import SoundError
from dj_core.library.own_kits import change_kit, import_kit, open_kit
from dj_core.music.beat import Beat, Hit, Meter
from dj_core.music.drums import DRUMS, GENERAL_MIDI_PERCUSSION, general_midi_note
from dj_core.music.patterns import load_patterns
from dj_core.sound import render as sound
from dj_core.sound.mixer_table import table_payload
from dj_core.sound.own_kit import Layer
from dj_ui.deck.kits import KIT_BYTES, kit_payload, note_payload

DECK = ROOT / "dj_ui" / "deck"
BUNDLED = sound._bundled_soundfont()  # the same on every machine, whatever the system offers
RATE = sound.SAMPLE_RATE_HZ
DECAY = 0.9  # of a click, from frame to frame
LOUDEST_CLICK = 0.4
FOUR_FOUR = Meter(4, 4)

# Records what goes to the loudspeaker of the live audio context, frame by frame.
TAP = """
const toLoudspeaker = []
const connect = AudioNode.prototype.connect
AudioNode.prototype.connect = function (target, ...rest) {
  if (target instanceof AudioDestinationNode && this.context instanceof AudioContext)
    toLoudspeaker.push(this)
  return connect.call(this, target, ...rest)
}
window.BLOCK = 2048
const recorder = `registerProcessor('recorder', class extends AudioWorkletProcessor {
  process([input]) {
    if (!this.block) {
      this.block = new Float32Array(${2 * BLOCK})
      Object.assign(this, { at: 0, first: currentFrame })
    }
    this.block.set(input[0] ?? [], this.at)
    this.block.set(input[1] ?? input[0] ?? [], this.at + ${BLOCK})
    this.at += 128
    if (this.at < ${BLOCK}) return true
    this.port.postMessage([this.first, this.block])
    this.block = null
    return true
  }
})`
window.record = async () => {
  const node = toLoudspeaker.at(-1)
  if (window.recorded?.node === node) return
  const url = URL.createObjectURL(new Blob([recorder], { type: 'text/javascript' }))
  await node.context.audioWorklet.addModule(url)
  const tap = new AudioWorkletNode(node.context, 'recorder', { numberOfOutputs: 0 })
  window.recorded = { node, blocks: [] }
  tap.port.onmessage = ({ data }) => window.recorded.blocks.push(data)
  connect.call(node, tap)
  await until(() => recorded.blocks.length > 2)
  recorded.blocks.length = 0 // it begins with a gap
}
const text = (samples) => {
  const bytes = new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength)
  let all = ''
  for (let i = 0; i < bytes.length; i += 32768)
    all += String.fromCharCode(...bytes.subarray(i, i + 32768))
  return btoa(all)
}
window.heard = () => {
  const { blocks, node } = window.recorded
  const sides = [0, 1].map((side) => {
    const samples = new Float32Array(blocks.length * BLOCK)
    blocks.forEach(([, block], i) =>
      samples.set(block.subarray(side * BLOCK, (side + 1) * BLOCK), i * BLOCK))
    return text(samples)
  })
  // on a busy machine a block is now and then told an old frame, but none may be missing
  const firsts = blocks.map(([frame], i) => frame - i * BLOCK)
  const first = Math.max(...firsts)
  const whole = firsts.slice(0, 10).includes(first) && firsts.slice(-10).includes(first)
  return { sides, first, whole, rate: node.context.sampleRate }
}
window.offline = async (beat, options) => {
  const buffer = await engine.renderOffline(beat, options)
  return [0, 1].map((side) => text(buffer.getChannelData(side)))
}
// the frame that is sounding, for marking a moment
window.frameNow = () => {
  const { context } = window.recorded.node
  return Math.round(context.currentTime * context.sampleRate)
}
const until = async (done, milliseconds = 60_000) => {
  const end = performance.now() + milliseconds
  while (!done()) {
    if (performance.now() > end) throw new Error(`never came true: ${done}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
window.until = until
"""
# the modules as they lie in dj_ui/deck/: the browser follows their imports itself
PAGE = f"""<!doctype html><button>Sound</button><script>{TAP}</script>
<script type="module">import {{ createEngine }} from './deck/engine.js'
const mixerTable = {json.dumps(table_payload())}
window.createEngine = (options) => createEngine({{ mixerTable, ...options }})
window.engine = window.createEngine()
</script>"""


# -- what is played ------------------------------------------------------------------------------


def as_sent(beat, name="beat"):
    """A beat as the engine takes it."""
    meter = beat.meter
    return {
        "id": name,
        "name": name,
        "tempo_bpm": beat.playing_tempo_bpm,
        "bars": beat.bars,
        "meter": [meter.numerator, meter.denominator],
        "bar_quarters": meter.bar_quarters,
        "steps": {"per_quarter": 4, "per_bar": 16, "per_beat": 4},
        "hits": [
            [
                hit.onset_quarters,
                hit.lane,
                hit.velocity,
                general_midi_note(hit.drum, hit.source_note),
                hit.duration_quarters,
            ]
            for hit in beat.hits
        ],
    }


def steady(name, drum="kick", bars=1, tempo_bpm=120.0, every=0.5, velocity=127, meter=FOUR_FOUR):
    """A stroke of one drum every so many quarters."""
    length = bars * meter.bar_quarters
    onsets = np.arange(0, length - 1e-9, every)
    hits = tuple(Hit.of(drum, float(onset), velocity) for onset in onsets)
    return as_sent(Beat(hits, bars=bars, tempo_bpm=tempo_bpm, meter=meter), name)


def level_of(drum):
    """How loud the click of a drum is: each has its own."""
    return LOUDEST_CLICK * (1 - [one.name for one in DRUMS].index(drum) / 32)


def flac(wave):
    file = io.BytesIO()
    soundfile.write(file, np.rint(wave * 32_767).astype(np.int16), RATE, format="FLAC")
    return base64.b64encode(file.getvalue()).decode()


def kit_of(wave_of, name="clicks"):
    """A kit whose lane i sounds like wave_of(drum)."""
    return {
        "name": name,
        "label": name,
        "sample_rate": RATE,
        "lane_notes": [drum.note for drum in DRUMS],
        "choke_lanes": [i for i, drum in enumerate(DRUMS) if drum.family == "hat"],
        "choke_seconds": sound.CHOKE_SECONDS,
        "ceiling": sound.CEILING,
        "gains": [[velocity / 127 for velocity in range(1, 128)]],
        "shots": [
            {"note": drum.note, "velocity": 127, "gains": 0, "left": 1, "right": 1,
             "flac": flac(wave_of(drum))}
            for drum in DRUMS
        ],
        "more": [],
    }  # fmt: skip


CLICKS = kit_of(lambda drum: level_of(drum.name) * DECAY ** np.arange(400))


def tone(drum):
    """A second and a half of a low tone: whatever cuts it clicks."""
    seconds = np.arange(int(RATE * 1.5)) / RATE
    rise = np.minimum(1, seconds / 0.05)
    return 0.5 * np.sin(2 * np.pi * 110 * seconds) * rise * np.minimum(1, (1.5 - seconds) / 0.05)


# -- what is heard -------------------------------------------------------------------------------


@dataclass
class Recording:
    """What reached the loudspeaker, mono; `first` is the frame it begins on."""

    samples: np.ndarray
    first: int
    rate: int

    def strokes(self):
        """[(frame, height)] of the clicks, in order; at the rate they were made for."""
        before = np.concatenate([[0], self.samples[:-1]])
        heights = self.samples - DECAY * before
        frames = np.flatnonzero(heights > 0.02)
        return [(int(frame) + self.first, float(heights[frame])) for frame in frames]

    def beginnings(self):
        """The frames on which the clicks begin, at any rate."""
        loud = np.flatnonzero(np.abs(self.samples) > 0.4 * LOUDEST_CLICK)
        return [int(frame) + self.first for frame in loud[np.diff(loud, prepend=-500) > 400]]


def samples_of(sides):
    return np.stack([np.frombuffer(base64.b64decode(side), "<f4") for side in sides], axis=1)


class Booth:
    """An engine in a browser's page."""

    def __init__(self, page):
        self.page = page

    def do(self, script, value=None):
        return self.page.evaluate(f"async (value) => {{ {script} }}", value)

    def get(self, expression):
        return self.page.evaluate(f"() => ({expression})")

    def until(self, condition):
        self.page.evaluate(f"() => until(() => {condition})")

    def wait(self, seconds):
        self.page.wait_for_timeout(seconds * 1000)

    def heard(self):
        """Everything recorded so far."""
        tap = self.get("heard()")
        assert tap["whole"], "the recorder missed a block"
        return Recording(samples_of(tap["sides"])[:, 0], tap["first"], tap["rate"])

    def play(self, beat=None):
        if beat:
            self.do("engine.setBeat('A', value)", beat)
        self.do("engine.play()")
        self.until("engine.state().playing")


def open_page(context, address="http://localhost/"):
    context.set_default_timeout(PAGE_MILLISECONDS)
    page = context.new_page()
    page.route(
        f"{address}**",
        lambda route: route.fulfill(body=PAGE, content_type="text/html; charset=utf-8"),
    )
    page.route(
        f"{address}deck/*.js",
        lambda route: route.fulfill(path=DECK / Path(route.request.url).name),
    )
    page.goto(address)
    page.wait_for_function("window.engine")
    return page


def open_booth(context, kit=CLICKS, options="{}", record=True):
    page = open_page(context)
    booth = Booth(page)
    if options != "{}":
        booth.do(f"window.engine = createEngine({options})")
    page.get_by_role("button").click()  # browsers sound only after one
    booth.do("engine.loadKit(value)", kit)
    booth.do("engine.play()")  # opens the context, so that it can be recorded
    booth.until("engine.state().playing")
    booth.do("engine.stop()")
    if record:
        booth.do("await record()")
    return booth


@pytest.fixture
def booth(browser):
    """An engine with a kit of clicks, recorded."""
    context = browser.new_context()
    booth = open_booth(context)
    failures = []
    booth.page.on("pageerror", lambda error: failures.append(str(error)))
    yield booth
    context.close()
    assert not failures, failures


def assert_on_frames(strokes, expected):
    """Strokes, or frames of some, within one frame of `expected`, none missing and none besides."""
    assert len(strokes) == len(expected)
    frames = [stroke[0] if isinstance(stroke, tuple) else stroke for stroke in strokes]
    worst = max(abs(frame - want) for frame, want in zip(frames, expected, strict=True))
    assert worst <= 1, f"{worst} frames off"


def spaced(first, count, spacing_frames):
    return [first + number * spacing_frames for number in range(count)]


# -- kits ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kit", ["standard", "tr-808"])
def test_a_kit_fits_its_weight_and_has_every_lane(kit):
    payload = kit_payload(kit, BUNDLED)
    assert len(json.dumps(payload)) <= KIT_BYTES
    notes = [shot["note"] for shot in payload["shots"]]
    assert {drum.note for drum in DRUMS} <= set(notes)
    assert sorted({*notes, *payload["more"]}) == list(GENERAL_MIDI_PERCUSSION)
    assert payload["lane_notes"] == [drum.note for drum in DRUMS]


@pytest.mark.parametrize("velocity", [1, 17, 64, 100, 126])
def test_a_kit_says_how_loud_each_velocity_is(velocity):
    payload = kit_payload("tr-808", BUNDLED)
    struck = {
        shot.note: shot.samples
        for shot in sound.kit_shots("tr-808", BUNDLED, [velocity], longest_seconds=0.1)
    }
    for shot in payload["shots"]:
        if shot["note"] not in struck:
            continue
        wave, rate = soundfile.read(io.BytesIO(base64.b64decode(shot["flac"])), always_2d=True)
        assert rate == payload["sample_rate"] == RATE
        both = wave * [shot["left"], shot["right"]]
        told = both * payload["gains"][shot["gains"]][velocity - 1]
        real = struck[shot["note"]]
        frames = min(len(told), len(real)) - 500  # its end may be faded
        error = np.abs(told[:frames] - real[:frames]).max()
        assert error < 0.02 * np.abs(real).max() + 1 / 32_768


def test_drums_a_kit_leaves_out_come_one_by_one():
    payload = kit_payload("standard", BUNDLED)
    bell = note_payload(payload["more"][0], "standard", BUNDLED)
    assert bell["name"] == payload["name"]
    assert {shot["note"] for shot in bell["shots"]} == {payload["more"][0]}
    assert len(json.dumps(bell)) < 200_000


def test_kits_of_other_soundfonts_have_other_names(tmp_path):
    copy = tmp_path / BUNDLED.name
    copy.write_bytes(BUNDLED.read_bytes())
    assert kit_payload("standard", copy)["name"] != kit_payload("standard", BUNDLED)["name"]


@pytest.mark.parametrize("make", [lambda: kit_payload("kazoo", BUNDLED),
                                  lambda: note_payload(20, "standard", BUNDLED),
                                  lambda: kit_payload("standard", Path("absent.sf2"))])  # fmt: skip
def test_a_kit_that_is_not_there_is_a_sound_error(make):
    with pytest.raises(SoundError):
        make()


def test_one_shots_are_the_strokes_beats_are_made_of():
    (kick, snare) = sound.kit_shots("standard", BUNDLED, [127], [DRUMS[0].note, DRUMS[1].note])
    assert (kick.note, kick.velocity, kick.sample_rate) == (DRUMS[0].note, 127, RATE)
    beat = Beat((Hit.of("kick", 0, 127),), bars=1, tempo_bpm=60.0)
    played = mixed(beat, "standard", BUNDLED).samples[: len(kick.samples)] / 32_767
    np.testing.assert_allclose(kick.samples, played, atol=1e-4)
    assert len(snare.samples) > len(kick.samples) > 1_000


@pytest.mark.parametrize("wrong", [{"notes": [12]}, {"velocities": [0]}, {"sample_rate": 7}])
def test_one_shots_no_kit_has_are_refused(wrong):
    with pytest.raises(SoundError):
        sound.kit_shots("standard", BUNDLED, **wrong)


# -- as a file -----------------------------------------------------------------------------------

pytestmark = pytest.mark.browser


# What is left of a drum below a loop's noise is cut in the browser's kit; a drum of several voices
# answers to velocity in steps of a tenth of a dB each.
@pytest.mark.parametrize(
    ("kit", "difference_db"),
    [("standard", -60), ("tr-808", -40), ("house", -50), ("eight", -50), ("mine", -50)],
)
def test_the_deck_and_the_wav_of_a_beat_sound_the_same(
    browser, kit, difference_db, tmp_path, monkeypatch
):
    monkeypatch.setenv("DIGITAL_DJ_HOME", str(tmp_path / "home"))
    if kit == "mine":  # of one's own, with two recordings on a pad, and a pad that chokes
        import_kit([write_pack(tmp_path / "pack")], "Mine")
        own = open_kit("mine")
        kick, snare, ride = (own.pads[lane] for lane in ("kick", "snare", "ride"))
        layers = (Layer(own.pads["clap"].layers[0].file, 79), snare.layers[0])
        own = own.with_pad("snare", replace(snare, layers=layers, response=0.5))
        own = own.with_pad("ride", replace(ride, choke=True, pan=-0.4))
        change_kit("mine", own.with_pad("kick", replace(kick, tune_semitones=-2.5)))
    context = browser.new_context()
    booth = open_booth(context, kit_payload(kit, BUNDLED))
    beats = load_patterns()[4::60]
    for number, beat in enumerate(beats):
        sent, loop = as_sent(beat), number % 2 == 0
        for note in sorted({hit[3] for hit in sent["hits"]}):
            if not booth.page.evaluate("(n) => engine.hasNote(engine.state().kit, n)", note):
                booth.do("engine.loadKit(value)", note_payload(note, kit, BUNDLED))
        deck = samples_of(
            booth.page.evaluate("([beat, loop]) => offline(beat, {loop})", [sent, loop])
        )
        wav = mixed(beat, kit, BUNDLED, loop=loop).samples / 32_767
        assert len(deck) == len(wav)
        difference = np.square(deck - wav).mean() / np.square(wav).mean()
        assert 10 * np.log10(difference) < difference_db, beat.title
    context.close()
    assert len(beats) >= 3


def test_a_live_beat_is_turned_down_as_its_file_is(booth):
    """By the loudest sample of its loop: hats choke each other, tails ring into the next round."""
    booth.do("engine.loadKit(value); await engine.useKit('tones')", kit_of(tone, "tones"))
    booth.until("engine.state().kit === 'tones' && engine.kit?.name === 'tones'")
    for drums in (("kick",), ("kick", "snare", "clap"), ("closed_hat", "open_hat", "pedal_hat")):
        hits = tuple(
            Hit.of(drum, onset + shift / 3, 127)
            for onset in (0.0, 1.5, 3.25)
            for shift, drum in enumerate(drums)
        )
        beat = as_sent(Beat(hits, bars=1, tempo_bpm=150.0), "+".join(drums))
        level, peak = booth.page.evaluate(
            """async (beat) => {
              const level = engine.levels.of(beat, engine.kit)
              await level.ready
              const buffer = await engine.renderOffline(beat, { loop: true })
              return [level.value, Math.max(...buffer.getChannelData(0).map(Math.abs))]
            }""",
            beat,
        )
        # the file's loudest sample is at the ceiling where it was turned down at all
        if level < 1:
            assert peak == pytest.approx(sound.CEILING, abs=1e-4)
        unlevelled = booth.page.evaluate(
            """async ([beat, ceiling]) => {
              const kit = { ...engine.kit, ceiling }
              const own = Object.assign(Object.create(Object.getPrototypeOf(engine)), engine)
              own.kits = { decoded: async () => kit }
              const buffer = await own.renderOffline(beat, { loop: true })
              return Math.max(...buffer.getChannelData(0).map(Math.abs))
            }""",
            [beat, 1000],
        )
        assert level == pytest.approx(min(1, sound.CEILING / unlevelled), rel=2e-3)


@pytest.mark.parametrize("rate", [44_100, 48_000])
def test_strokes_of_an_offline_render_lie_on_the_frames_of_the_wav(browser, rate):
    context = browser.new_context()
    booth = open_booth(context)
    onsets = [0.0, 0.517, 1.25, 2 + 1 / 3, 3.0001]  # off the grid, triplets, microtiming
    beat = Beat(tuple(Hit.of("kick", onset) for onset in onsets), bars=2, tempo_bpm=131.7)
    sides = booth.page.evaluate(
        "([beat, sampleRate]) => offline(beat, {sampleRate, passes: 2})", [as_sent(beat), rate]
    )
    context.close()
    samples = samples_of(sides)[:, 0]
    length = round(beat.duration_seconds * rate)
    assert len(samples) == 2 * length
    heard = Recording(samples, 0, rate).beginnings()
    expected = [
        round(onset * 60 / 131.7 * rate) + number * length for number in (0, 1) for onset in onsets
    ]
    assert_on_frames(heard, expected)


# -- in time -------------------------------------------------------------------------------------


def kinds(strokes, *drums):
    """Which of `drums` each stroke is, by its height; '?' for none."""
    named = {drum: level_of(drum) for drum in drums}
    return [
        next((name for name, level in named.items() if abs(height / level - 1) < 0.01), "?")
        for _, height in strokes
    ]


def test_a_loop_keeps_time_to_the_frame_and_has_no_seam(booth):
    tempo_bpm = 174.3  # no whole number of frames to the bar
    booth.play(steady("loop", every=0.25, tempo_bpm=tempo_bpm))
    booth.wait(3)
    strokes = booth.heard().strokes()
    assert len(strokes) > 30
    assert_on_frames(strokes, spaced(strokes[0][0], len(strokes), RATE * 15 / tempo_bpm))
    assert set(kinds(strokes, "kick")) == {"kick"}


def test_a_page_that_makes_it_wait_does_not_break_the_beat(booth):
    booth.play(steady("loop", every=0.25))
    for milliseconds in (120, 120, 250, 400):
        booth.wait(0.3)
        booth.do(
            "const end = performance.now() + value; while (performance.now() < end) {}",
            milliseconds,
        )
    booth.wait(0.3)
    strokes = booth.heard().strokes()
    assert len(strokes) > 15
    assert_on_frames(strokes, spaced(strokes[0][0], len(strokes), RATE / 8))
    assert booth.get("engine.measurements().lostStrokes") == 0


def test_a_new_tempo_takes_over_between_two_strokes_and_loses_none(booth):
    booth.play(steady("loop", every=0.5))
    booth.wait(1.2)
    booth.do("engine.setTempo(150)")
    booth.wait(1.2)
    booth.do("engine.halfTime()")
    assert booth.get("engine.state().tempoBpm") == 75
    booth.wait(1.6)
    frames = [frame for frame, _ in booth.heard().strokes()]
    spacings = np.diff(frames)
    expected = [RATE * 30 / bpm for bpm in (120, 150, 75)]
    groups = [np.abs(spacings - spacing) <= 1 for spacing in expected]
    assert all(group.sum() >= 2 for group in groups)
    between = spacings[~np.any(groups, axis=0)]
    assert len(between) <= 2  # the strokes between which the tempo changed
    assert np.all((between > expected[1] - 1) & (between < expected[2] + 1))


def test_taps_set_the_tempo_and_the_beats_own_comes_back(booth):
    booth.do("engine.setBeat('A', value)", steady("loop", tempo_bpm=99))
    booth.do("""const { now } = performance
    for (let i = 0; i < 5; i += 1) {
      performance.now = () => 1e6 + i * 400
      engine.tapTempo()
    }
    performance.now = now""")
    assert booth.get("engine.state().tempoBpm") == 150
    booth.do("engine.setTempo(null)")
    assert booth.get("engine.state().tempoBpm") == 99
    for wrong in ("1e9", "-5", "NaN"):
        booth.do(f"engine.setTempo({wrong})")
        assert 10 <= booth.get("engine.state().tempoBpm") <= 600


def test_swing_delays_off_sixteenths_and_neither_doubles_nor_drops_a_stroke(booth):
    booth.play(steady("loop", every=0.25))
    for swing in (0.3, 0.9, 0.1, 2 / 3):
        booth.wait(0.35)
        booth.do("engine.setSwing(value)", swing)
    booth.wait(1.5)
    frames = np.array([frame for frame, _ in booth.heard().strokes()])
    sixteenths = (frames - frames[0]) / (RATE / 8)
    numbers = np.round(sixteenths - 0.2).astype(int)
    assert list(numbers) == list(range(len(frames)))
    late = (sixteenths - numbers)[-6:]
    expected = np.where(numbers[-6:] % 2, 2 / 3 / 2, 0)
    np.testing.assert_allclose(late, expected, atol=2 / (RATE / 8))


def test_triplets_are_never_swung(booth):
    beat = steady("triplets", every=1 / 3)
    beat["steps"]["per_quarter"] = 3
    booth.do("engine.setSwing(1)")
    booth.play(beat)
    booth.wait(1)
    strokes = booth.heard().strokes()
    assert_on_frames(strokes, spaced(strokes[0][0], len(strokes), RATE / 6))


# -- one beat after another ----------------------------------------------------------------------


def test_the_last_queued_beat_drops_in_on_the_bar_line(booth):
    waltz = Meter(3, 4)
    first = steady("first", bars=3, tempo_bpm=170, meter=waltz)
    booth.play(first)
    booth.wait(0.4)
    for drum in ("clap", "snare"):
        booth.do("engine.setBeat('A', value)", steady(drum, drum, tempo_bpm=170, meter=waltz))
    assert booth.get("engine.state().decks.A.queuedId") == "snare"
    booth.wait(1.6)
    deck = booth.get("engine.state().decks.A")
    assert (deck["beatId"], deck["queuedId"]) == ("snare", None)
    strokes = booth.heard().strokes()
    assert_on_frames(strokes, spaced(strokes[0][0], len(strokes), RATE * 30 / 170))
    played = kinds(strokes, "kick", "clap", "snare")
    line = played.index("snare")
    assert line % 6 == 0
    assert played == ["kick"] * line + ["snare"] * (len(played) - line)


def test_a_queued_beat_brings_its_own_tempo_and_can_be_called_back(booth):
    first, second = steady("first", tempo_bpm=160), steady("second", "snare", tempo_bpm=200)
    booth.play(first)
    booth.until("engine.position('A') > 0.1")
    booth.do("for (const beat of value) engine.setBeat('A', beat)", [second, first])
    assert booth.get("engine.state().decks.A.queuedId") is None
    booth.wait(1.7)
    booth.do("engine.setBeat('A', value)", second)
    booth.until("engine.state().decks.A.beatId === 'second' && engine.position('A') > 1")
    strokes = booth.heard().strokes()
    played = kinds(strokes, "kick", "snare")
    line = played.index("snare")
    assert line >= 8
    assert line % 8 == 0
    first = strokes[0][0]
    assert_on_frames(strokes[:line], spaced(first, line, RATE * 30 / 160))
    bar_line = first + line * RATE * 30 / 160
    assert_on_frames(strokes[line:], spaced(bar_line, len(strokes) - line, RATE * 30 / 200))


def test_a_beat_that_has_not_begun_gives_way_and_what_follows_is_always_told(booth):
    booth.do("engine.setCountIn(true)")
    booth.play(steady("first", tempo_bpm=240))
    told = booth.do(
        "engine.setBeat('A', value); return engine.state().decks.A",
        steady("second", "snare", tempo_bpm=240),
    )
    assert (told["beatId"], told["queuedId"]) == ("second", None)
    booth.until("engine.position('A') > 0.5")
    told = booth.do(
        "engine.setBeat('A', value); return engine.state().decks.A",
        steady("third", "clap", tempo_bpm=240),
    )
    assert (told["beatId"], told["queuedId"]) == ("second", "third")
    booth.until("engine.state().decks.A.beatId === 'third' && engine.position('A') > 1")
    played = [
        kind for kind in kinds(booth.heard().strokes(), "kick", "snare", "clap") if kind != "?"
    ]  # the count-in's clicks
    turn = played.index("clap")
    assert turn % 8 == 0
    assert played == ["snare"] * turn + ["clap"] * (len(played) - turn)


def test_an_edit_is_heard_at_once_and_keeps_the_phase(booth):
    booth.play(steady("before", bars=2))
    booth.wait(0.6)
    edited = steady("after", "snare", bars=2)
    edited["hits"] = edited["hits"][::2]  # on the quarters only
    edited_at = booth.do(
        "const now = frameNow(); engine.setBeat('A', value, {at: 'now'}); return now", edited
    )
    booth.wait(1.5)
    strokes = booth.heard().strokes()
    played = kinds(strokes, "kick", "snare")
    turn = played.index("snare")
    assert "kick" not in played[turn:]
    assert turn < 8
    assert strokes[turn][0] - edited_at < RATE * 0.7  # a quarter, and what was under way
    eighths = [(frame - strokes[0][0]) / (RATE / 4) for frame, _ in strokes]
    np.testing.assert_allclose(eighths, np.round(eighths), atol=2 / (RATE / 4))
    assert all(round(eighth) % 2 == 0 for eighth in eighths[turn:])


def test_two_decks_stay_in_step_and_fade_on_the_beat(booth):
    booth.do("engine.setBeat('A', value)", steady("one", "kick", bars=1))
    booth.do("engine.setBeat('B', value)", steady("two", "snare", bars=3))
    booth.play()
    booth.wait(1)
    state = booth.get("engine.state()")
    assert (state["lead"], state["decks"]["B"]["beatId"]) == ("A", "two")
    booth.do("engine.setCrossfade(1)")
    booth.wait(1.5)
    assert booth.get("engine.state().lead") == "B"
    strokes = booth.heard().strokes()
    assert_on_frames(strokes, spaced(strokes[0][0], len(strokes), RATE / 4))
    played = kinds(strokes, "kick", "snare")
    turn = played.index("snare")
    assert set(played[:turn]) == {"kick"}
    assert set(played[turn:]) == {"snare"}
    # the fade begins on a beat, whose own stroke is still the first deck's, and is over soon
    assert turn % 2 == 1


# -- what is heard and what not --------------------------------------------------------------------


def test_muted_and_unsoloed_drums_are_not_heard(booth):
    beat = steady("both", "kick")
    beat["hits"] += [[onset + 0.25, 1, 127, DRUMS[1].note, None] for onset, *_ in beat["hits"]]
    marks = []
    booth.play(beat)
    for change in (
        "setMute(0, true)",
        "setMute(0, false)",
        "setSolo(0, true)",
        "setSolo(0, false)",
    ):
        booth.wait(0.7)
        marks.append(booth.do(f"const now = frameNow(); engine.{change}; return now"))
    booth.wait(0.7)
    strokes = booth.heard().strokes()
    played = kinds(strokes, "kick", "snare")
    calm = RATE // 5  # until a change has come through
    expected = [{"kick", "snare"}, {"snare"}, {"kick", "snare"}, {"kick"}, {"kick", "snare"}]
    starts, ends = [0, *marks], [*marks, 1e12]
    for start, end, drums in zip(starts, ends, expected, strict=True):
        inside = [
            kind
            for (frame, _), kind in zip(strokes, played, strict=True)
            if start + calm < frame < end
        ]
        assert set(inside) == drums


def click_db(samples):
    """The loudest of what lies above 3 kHz, in dB below the tones' own loudness."""
    from scipy.signal import butter, sosfilt

    high = sosfilt(butter(4, 3_000, "high", fs=RATE, output="sos"), samples)
    return 20 * np.log10(np.abs(high[RATE // 10 :]).max() / 0.5)


def test_the_measure_of_clicks_hears_one():
    wave = tone(None)
    assert click_db(wave) < -60
    wave[RATE // 2 + 100 :] = 0
    assert click_db(wave) > -40


def test_no_control_clicks(browser):
    context = browser.new_context()
    booth = open_booth(context, kit_of(tone, "tones"))
    booth.do("engine.loadKit(value)", kit_of(lambda drum: 0.8 * tone(drum), "softer"))
    booth.do("engine.setBeat('B', value)", steady("other", "snare", every=2))
    booth.play(steady("tones", "kick", every=2))
    for change in (
        "setMute(0, true)",
        "setMute(0, false)",
        "setSolo(1, true)",
        "setSolo(1, false)",
        "setTempo(133)",
        "setSwing(0.5)",
        "setVolume(0.4)",
        "setVolume(1)",
        "useKit('softer')",
        "setCrossfade(0.7)",
        "setCrossfade(0.2, {at: 'now'})",
        "cue('A')",
        "setTempo(null)",
        "stop()",
    ):
        booth.wait(0.25)
        booth.do(f"engine.{change}")
    booth.wait(0.3)
    heard = booth.heard().samples
    context.close()
    assert np.abs(heard).max() > 0.3
    assert np.abs(heard[-RATE // 10 :]).max() == 0
    assert click_db(heard) < -40


# -- play, stop, and who plays ---------------------------------------------------------------------


def test_a_count_in_lasts_one_bar(booth):
    booth.do("engine.setCountIn(true)")
    booth.play(steady("loop", tempo_bpm=200))
    assert booth.get("engine.state().countingIn")
    assert booth.get("engine.position('A')") is None
    booth.wait(1.8)
    assert not booth.get("engine.state().countingIn")
    heard = booth.heard()
    kicks = [frame for frame, height in heard.strokes() if height > 0.3]
    first_sound = np.flatnonzero(np.abs(heard.samples) > 1e-3)[0] + heard.first
    assert abs(kicks[0] - first_sound - RATE * 240 / 200) < 5


def test_the_metronome_clicks_on_every_beat_of_the_meter(booth):
    booth.do("engine.setMetronome(true)")
    empty = steady("empty", bars=1, tempo_bpm=180, meter=Meter(6, 8)) | {"hits": []}
    booth.play(empty)
    booth.wait(1.6)
    heard = booth.heard()
    loud = np.flatnonzero(np.abs(heard.samples) > 0.02)
    clicks = loud[np.diff(loud, prepend=-RATE) > RATE // 10]
    assert len(clicks) >= 2
    np.testing.assert_allclose(np.diff(clicks), RATE * 60 / 180 * 1.5, atol=5)


def test_stop_is_silence_and_play_begins_at_the_start(booth):
    booth.play(steady("loop"))
    booth.wait(0.7)
    booth.do("engine.toggle()")
    booth.wait(0.3)
    assert np.abs(booth.heard().samples[-RATE // 10 :]).max() == 0
    booth.do("recorded.blocks.length = 0; engine.toggle(); engine.toggle(); engine.toggle()")
    booth.until("engine.state().playing")
    booth.wait(0.5)
    assert booth.get("engine.position('A')") < 2
    strokes = booth.heard().strokes()
    assert_on_frames(strokes, spaced(strokes[0][0], len(strokes), RATE / 4))


def test_whoever_claims_the_engine_has_it_alone(booth):
    assert booth.get("engine.claim('deck')") is False
    booth.play(steady("loop"))
    booth.do("engine.setMute(0, true)")
    assert booth.get("engine.claim('deck')") is False
    assert booth.get("engine.claim('row 3')") is True
    state = booth.get("engine.state()")
    assert (state["playing"], state["owner"], state["muted"]) == (False, "row 3", [])
    assert state["decks"]["A"]["beatId"] is None


def test_without_a_click_it_waits_for_one(browser):
    context = browser.new_context()
    page = open_page(context)
    # Playwright's own way of running scripts counts as a click
    session = context.new_cdp_session(page)

    def run(expression):
        asked = {"expression": expression, "returnByValue": True, "awaitPromise": True}
        return session.send("Runtime.evaluate", asked)["result"].get("value")

    page.reload()
    while not run("window.engine !== undefined"):
        time.sleep(0.05)
    run(f"engine.loadKit({json.dumps(CLICKS)})")
    run(f"engine.setBeat('A', {json.dumps(steady('loop'))}); engine.play()")
    run("new Promise((resolve) => setTimeout(resolve, 300))")
    state = run("engine.state()")
    assert (state["playing"], state["waiting"], state["suspended"]) == (False, True, True)
    page.get_by_role("button").click()
    Booth(page).until("engine.state().playing")
    context.close()


def test_other_sample_rates_keep_time_too(browser):
    context = browser.new_context()
    booth = open_booth(context, options="{sampleRate: 48000}")
    booth.play(steady("loop"))
    booth.wait(1)
    heard = booth.heard()
    context.close()
    assert heard.rate == 48_000
    frames = heard.beginnings()
    assert len(frames) > 2
    assert_on_frames(frames, spaced(frames[0], len(frames), 48_000 / 4))


def test_listeners_hear_of_changes_until_they_leave(booth):
    booth.do("window.heardOf = 0; window.leave = engine.subscribe(() => { heardOf += 1 })")
    booth.do("engine.setVolume(0.5)")
    assert booth.get("heardOf") == 1
    booth.do("leave(); engine.setVolume(1)")
    assert booth.get("heardOf") == 1


def test_eight_tabs_at_once_stay_playable(browser):
    context = browser.new_context()
    booths = [open_booth(context, record=number == 0) for number in range(8)]
    for booth in booths:
        booth.play(steady("loop", every=0.25))
    booths[0].wait(3)
    measured = [booth.get("engine.measurements()") for booth in booths]
    strokes = booths[0].heard().strokes()
    context.close()
    for one in measured:
        # a machine so busy that a page stands still for long costs strokes, but never the time
        assert one["lostStrokes"] == 0 or one["worstGapSeconds"] > 0.35, one
    sixteenths = [(frame - strokes[0][0]) / (RATE / 8) for frame, _ in strokes]
    np.testing.assert_allclose(sixteenths, np.round(sixteenths), atol=2 / (RATE / 8))


# -- MIDI ------------------------------------------------------------------------------------------

# A port that writes down what it is sent: real ones hang on hardware.
PORT = """
const output = { id: 'one', name: 'Drum machine', state: 'connected', sent: [],
                 send(bytes, at) {
                   if (this.state !== 'connected') throw new Error('InvalidStateError')
                   this.sent.push([at ?? performance.now(), ...bytes])
                 } }
window.port = output
window.access = { outputs: new Map([['one', output]]) }
navigator.requestMIDIAccess = async () => access
"""
# Drops what is not due yet, as browsers do that can; Chromium cannot.
CLEARING = "port.clear = () => { port.sent = port.sent.filter(([at]) => at <= performance.now()) };"
CLOCK, START, STOP, NOTE_ON, NOTE_OFF, CONTROL = 0xF8, 0xFA, 0xFC, 0x99, 0x89, 0xB9
POSITION, CONTINUE = 0xF2, 0xFB


def test_midi_sends_clock_and_notes_in_step_with_the_sound(booth):
    booth.do(PORT)
    assert booth.get("engine.midiPorts()") == [{"id": "one", "name": "Drum machine"}]
    booth.do("engine.midiUse('one')")
    state = booth.get("engine.midiState()")
    assert state["ports"] == [{"id": "one", "name": "Drum machine"}]
    assert (state["available"], state["why"], state["portId"]) == (True, "", "one")
    booth.play(steady("loop", "clap", every=0.5, velocity=90))
    booth.wait(1.2)
    booth.do("engine.stop()")
    sent = booth.get("port.sent")
    at = {
        kind: np.array([row[0] for row in sent if row[1] == kind])
        for kind in (CLOCK, START, STOP, NOTE_ON, NOTE_OFF)
    }
    assert len(at[START]) == len(at[STOP]) == 1
    jitter = 1.5  # milliseconds; each reading of the browser's two clocks is off by up to ten
    np.testing.assert_allclose(np.diff(at[CLOCK]), 500 / 24, atol=jitter)
    assert np.mean(np.diff(at[CLOCK])) == pytest.approx(500 / 24, abs=0.3)
    assert 0 <= at[CLOCK][0] - at[START][0] <= 2
    assert len(at[NOTE_ON]) == len(at[NOTE_OFF]) >= 4
    # not against a ruler: where a busy machine's sound slips, clock and notes slip with it
    beats = at[CLOCK][::12][: len(at[NOTE_ON])]
    assert len(beats) >= 4
    np.testing.assert_allclose(at[NOTE_ON][: len(beats)], beats, atol=jitter)
    assert all(row[2:] == [DRUMS[3].note, 90] for row in sent if row[1] == NOTE_ON)


def test_midi_follows_mutes_and_starts_on_a_bar_line_when_chosen_late(booth):
    booth.do(PORT + "await engine.midiPorts()")
    booth.play(steady("loop", "clap", every=0.5))
    booth.do("engine.setMute(3, true)")
    booth.wait(0.4)
    booth.do("engine.midiUse('one')")
    booth.wait(2)
    sent = booth.get("port.sent")
    booth.do("engine.stop()")
    assert not [row for row in sent if row[1] == NOTE_ON]
    # it is told where the song is: a bar line, in 16ths
    (place,) = [row for row in sent if row[1] == POSITION]
    assert (place[2] + place[3] * 128) % 16 == 0
    (start,) = [row[0] for row in sent if row[1] == CONTINUE]
    assert place[0] < start
    before = [row for row in sent if row[1] == CLOCK and row[0] < start]
    assert len(before) > 12  # the other side learns the tempo meanwhile


@pytest.mark.parametrize("clearing", ["", CLEARING], ids=["cannot clear", "clears"])
def test_midi_that_is_stopped_leaves_no_note_hanging_and_no_clock_after_it(booth, clearing):
    booth.do(PORT + clearing + "await engine.midiPorts(); engine.midiUse('one')")
    long = steady("loop", "clap", every=0.25)
    long["hits"] = [[*hit[:4], 4.0] for hit in long["hits"]]
    booth.play(long)
    booth.wait(0.6)
    booth.do("engine.stop()")
    sent = sorted(booth.get("port.sent"), key=lambda row: row[0])
    kinds_sent = [row[1] for row in sent]
    assert kinds_sent.count(STOP) == 1
    after = sent[kinds_sent.index(STOP) :]
    assert not {CLOCK, START, NOTE_ON} & {row[1] for row in after}
    assert [CONTROL, 123, 0] in [row[1:] for row in after]
    last_on = max(row[0] for row in sent if row[1] == NOTE_ON)
    assert max(row[0] for row in sent if row[1] == NOTE_OFF) >= last_on
    booth.do("engine.play()")
    booth.until("engine.state().playing")
    booth.until(f"port.sent.filter(([, kind]) => kind === {START}).length === 2")


def test_a_midi_port_that_is_unplugged_stops_nothing_and_goes_on_when_it_is_back(booth):
    booth.do(PORT + "await engine.midiPorts(); engine.midiUse('one')")
    booth.play(steady("loop", "clap", tempo_bpm=240))
    booth.until("port.sent.length > 20")
    booth.do("port.state = 'disconnected'")  # sending fails before the browser says why
    booth.until("!engine.midiState().portId")
    booth.do("access.onstatechange({ port })")
    state = booth.get("engine.midiState()")
    assert "unplugged" in state["why"]
    assert state["ports"] == []
    booth.wait(0.3)
    assert booth.get("engine.state().playing")
    booth.do("port.sent.length = 0; port.state = 'connected'; access.onstatechange({ port })")
    booth.until(f"port.sent.some(([, kind]) => kind === {CONTINUE})")
    assert booth.get("engine.midiState()")["why"] == ""
    booth.do("engine.stop()")
    strokes = booth.heard().strokes()
    assert_on_frames(strokes, spaced(strokes[0][0], len(strokes), RATE / 8))


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("Object.defineProperty(navigator, 'requestMIDIAccess', {value: null})", "cannot use"),
        ("navigator.requestMIDIAccess = async () => ({outputs: new Map()})", "No MIDI port"),
    ],
)
def test_midi_that_is_not_to_be_had_says_why(booth, setting, words):
    booth.do(setting)
    assert booth.get("engine.midiPorts()") == []
    state = booth.get("engine.midiState()")
    assert not state["available"]
    assert words in state["why"]


# The browser's own answers, nothing stood in for.
@pytest.mark.parametrize(
    ("permissions", "address", "words"),
    [
        ([], "http://localhost/", ["told not to use MIDI"]),
        # what a computer has differs: no MIDI at all, or MIDI without a port
        (["midi", "midi-sysex"], "http://localhost/", ["no MIDI", "No MIDI port"]),
        ([], "http://booth.test/", ["localhost"]),
    ],
    ids=["refused", "no port", "not secure"],
)
def test_the_browser_itself_says_why_there_is_no_midi(browser, permissions, address, words):
    context = browser.new_context()
    context.grant_permissions(permissions)
    booth = Booth(open_page(context, address))
    found = booth.get("engine.midiPorts()")
    state = booth.get("engine.midiState()")
    context.close()
    if found:
        pytest.skip("this computer has a MIDI port")
    assert not state["available"]
    assert any(one in state["why"] for one in words)


# -- in the app ------------------------------------------------------------------------------------

APP = """
import json, sys, time
from pathlib import Path
import streamlit as st

sys.path.insert(0, {root!r})
from dj_ui.javascript import joined

engine = joined(Path({deck!r}) / "engine.js")
booth = st.components.v2.component("booth", js=engine + '''
  export default ({{ data }}) => {{
    window.engine ??= createEngine()
    if (!engine.hasKit(data.kit.name)) engine.loadKit(data.kit)
  }}''')
deck = st.components.v2.component("deck", js='''
  export default ({{ data }}) => {{
    const wait = setInterval(() => {{
      if (!window.engine) return
      clearInterval(wait)
      engine.setBeat('A', data)
    }}, 10)
  }}''')
sent = json.loads(Path({sent!r}).read_text())
booth(data={{"kit": sent["kit"]}}, key="booth")
if st.button("Generate"):
    time.sleep(3)
    st.session_state.made = True
deck(data=sent["second" if "made" in st.session_state else "first"], key="deck")
"""


@pytest.fixture
def small_app(tmp_path):
    """A page whose button keeps the server busy for three seconds, then brings a new beat."""
    sent = {
        "kit": CLICKS,
        "first": steady("first", tempo_bpm=126.5),
        "second": steady("second", "snare", bars=2, tempo_bpm=126.5),
    }
    (tmp_path / "sent.json").write_text(json.dumps(sent))
    script = tmp_path / "small.py"
    script.write_text(APP.format(root=str(ROOT), deck=str(DECK), sent=str(tmp_path / "sent.json")))
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    options = {
        "server.port": port,
        "server.address": "127.0.0.1",
        "server.headless": "true",
        "server.fileWatcherType": "none",
        "browser.gatherUsageStats": "false",
    }
    flags = [text for name, value in options.items() for text in (f"--{name}", str(value))]
    process = subprocess.Popen(
        [sys.executable, "-m", "streamlit", "run", script, *flags],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(f"{url}/_stcore/health").close()
            break
        except OSError:
            time.sleep(0.1)
    yield url
    process.kill()
    process.wait()


def test_it_plays_through_a_blocking_rerun_and_swaps_on_the_bar_line(browser, small_app):
    context = browser.new_context()
    context.add_init_script(TAP)
    context.set_default_timeout(PAGE_MILLISECONDS)
    page = context.new_page()
    traffic = []  # (whose, bytes) of every websocket frame
    page.on(
        "websocket",
        lambda socket: [
            socket.on("framesent", lambda data: traffic.append(("ours", len(data)))),
            socket.on("framereceived", lambda data: traffic.append(("theirs", len(data)))),
        ],
    )
    page.goto(small_app)
    page.wait_for_function("window.engine?.state().decks.A.beatId === 'first'")
    booth = Booth(page)
    page.mouse.click(5, 5)  # browsers sound only after a click
    booth.play()
    booth.do("engine.stop(); await record()")
    booth.play()
    booth.wait(2)
    quiet = len(traffic)
    booth.do("engine.setMute(5, true); engine.setSolo(0, true); engine.setSolo(0, false)")
    booth.do("engine.setTempo(126.5); engine.setVolume(1)")
    booth.wait(0.5)
    assert len(traffic) == quiet, "a control went to the server"
    page.get_by_role("button", name="Generate").click()
    page.wait_for_function("window.engine.state().decks.A.beatId === 'second'")
    cost = sum(size for whose, size in traffic[quiet:] if whose == "theirs")
    page.wait_for_function("recorded.blocks.length > 12.2 * 44100 / BLOCK")
    strokes = booth.heard().strokes()
    context.close()
    assert (strokes[-1][0] - strokes[0][0]) / RATE > 11.5
    assert_on_frames(strokes, spaced(strokes[0][0], len(strokes), RATE * 30 / 126.5))
    played = kinds(strokes, "kick", "snare")
    line = played.index("snare")
    assert line % 8 == 0
    assert line > 3 * 126.5 / 30  # it played on while the server was busy
    assert played == ["kick"] * line + ["snare"] * (len(played) - line)
    assert cost < 30_000, "a beat is to cost less than 30 kB"
