"""MIDI in: a clock leads the deck, and controllers play it, as learned or by a layout."""

import json

import numpy as np
import pytest
from test_deck_engine import RATE, booth, steady  # noqa: F401
from test_deck_face import Deck

# Another machine: it sends clocks at a tempo, each up to `jitter` ms early or late, as a port's
# time stamps say. What a timer of a busy page delivers late has its own stamp nevertheless.
MACHINE = """
const { MidiClock } = await import('/deck/midi_clock.js')
window.machine = { clock: new MidiClock(), bpm: 120, jitter: 3, readings: [] }
let random = 7
const uniform = () => { random = (random * 16807) % 2147483647; return random / 2147483647 * 2 - 1 }
machine.begin = (bpm) => {
  machine.bpm = bpm
  machine.apart = 60000 / bpm / 24
  machine.zero = performance.now() + 50
  machine.count = 0
}
machine.say = (status, position = 0) => machine.clock.take(status, performance.now(), position)
machine.begin(value)
setInterval(() => {
  const now = performance.now()
  for (;; machine.count += 1) {
    const at = machine.zero + machine.count * machine.apart
    if (at > now) break
    machine.clock.take(0xf8, at + uniform() * machine.jitter)
  }
  const { output } = engine
  if (output.isOpen) machine.readings.push([output.now, output.millisecondsAt(0)])
}, 4)
engine.follow.use(machine.clock)
"""


def follow_a_machine(booth, bpm):  # noqa: F811
    booth.do(MACHINE, bpm)
    booth.until("machine.count > 48")
    # Start goes out just before a clock, and the song begins with that
    booth.do(
        "machine.clock.take(0xfa, performance.now()); machine.start = machine.count; engine.play()"
    )
    booth.until("engine.state().playing")


@pytest.mark.browser
@pytest.mark.parametrize("bpm", [62.5, 127.3, 174.0])
def test_a_clock_with_jitter_leads_tempo_and_beats(booth, bpm):  # noqa: F811
    booth.do("engine.setBeat('A', value)", steady("loop", "kick", every=1, tempo_bpm=120))
    follow_a_machine(booth, bpm)
    booth.until(f"machine.count - machine.start > {16 * 24}")
    tempos = []
    for _ in range(8):
        tempos.append(booth.get("engine.tempoBpm"))
        booth.wait(0.5)
    told = booth.get("[machine.zero, machine.apart, machine.start, machine.readings]")
    heard = booth.heard().strokes()
    assert max(abs(tempo - bpm) for tempo in tempos) < 0.05
    zero, apart, start, readings = told
    beat = apart * 24
    # each reading of the two clocks is off by some milliseconds: their median around a stroke
    at, zeros = np.array(readings).T
    late, first = [], None
    for frame, _ in heard:
        seconds = frame / RATE
        before, after = (zeros[np.abs(at - seconds - way) < 1] for way in (-1, 1))
        if not len(before) or not len(after):
            continue  # from before the machine
        when = np.median([*before, *after]) + seconds * 1000
        place = (when - (zero + start * apart)) / beat
        first = place * beat if first is None else first
        # on a busy machine the sound itself slips at times, and no page can foresee that
        if place > 16 and abs(np.median(before) - np.median(after)) < 1.5:
            late.append((place - round(place)) * beat)
    print(f"{bpm} BPM: first stroke {first:.1f} ms late, the others {np.round(late, 2)} ms")
    assert len(late) >= 3
    assert np.abs(late).max() < 5
    assert np.median(np.abs(late)) < 2


@pytest.mark.browser
def test_start_stop_position_and_continue_are_obeyed(booth):  # noqa: F811
    booth.do("engine.setBeat('A', value)", steady("loop", "kick", every=1, bars=2))
    follow_a_machine(booth, 120)
    booth.until("machine.clock.quarterAt(performance.now()) > 2")
    place = booth.get("[engine.position('A'), machine.clock.quarterAt(performance.now()) % 8]")
    assert abs(place[0] - place[1]) < 0.15
    booth.do("machine.say(0xfc); engine.stop()")
    assert not booth.get("engine.state().playing")
    assert booth.get("machine.clock.quarterAt(performance.now())") is None
    # from the fifth quarter
    booth.do("machine.say(0xf2, 20); machine.say(0xfb); engine.play()")
    booth.until("engine.state().playing && engine.position('A') > 5")
    place = booth.get("[engine.position('A'), machine.clock.quarterAt(performance.now()) % 8]")
    assert abs(place[0] - place[1]) < 0.15


@pytest.mark.browser
def test_another_tempo_is_followed_and_one_out_of_range_is_not(booth):  # noqa: F811
    booth.do("engine.setBeat('A', value)", steady("loop", "kick", every=1, tempo_bpm=100))
    follow_a_machine(booth, 120)
    booth.until("Math.abs(engine.tempoBpm - 120) < 0.5")
    booth.do("machine.begin(value)", 140)
    booth.until("Math.abs(engine.tempoBpm - 140) < 0.5")
    booth.do("machine.begin(value)", 300)
    booth.until("machine.clock.bpm === null")
    booth.do("engine.follow.use(null)")
    booth.until("engine.tempoBpm === 100")


# A controller with a port in the page; what it sends, `press` sends.
CONTROLLER = """
const input = { id: 'in', name: 'Pad box', state: 'connected', onmidimessage: null }
window.access = { inputs: new Map([['in', input]]), outputs: new Map() }
navigator.requestMIDIAccess = async () => access
window.send = (...data) => input.onmidimessage({ data, timeStamp: performance.now() })
"""


@pytest.mark.browser
def test_a_controller_is_learned_by_its_ports_name_and_plays_by_a_layout(visitor):
    screen = visitor()
    page = screen.page
    page.add_init_script(CONTROLLER)
    screen.open("/generate?seed=3&bars=1&genre=House&tempo=124")
    deck = Deck(screen)
    deck.root.locator(".cell").first.wait_for()

    def open_panel():
        deck.button("More controls").click()
        deck.button("MIDI in").click()
        deck.button("Find controllers").click()

    open_panel()
    panel = deck.root.locator(".midi-in")
    assert panel.get_by_label("Controller", exact=True).input_value() == "Pad box"
    page.evaluate("void digitalDjEngine.hands.subscribe((one) => (window.struck ??= []).push(one))")
    # a layout: 16 pads from note 36 on, on any channel
    panel.get_by_label("Layout").select_option("pads-36")
    page.evaluate("send(0x92, 36, 90); send(0x82, 36, 0); send(0x99, 39, 64)")
    page.wait_for_function("window.struck?.length === 2")
    struck = page.evaluate("window.struck.map(({ lane, velocity }) => [lane, velocity])")
    assert struck == [[0, 90], [3, 64]]
    # a knob and a button are learned, and win over the layout
    for action, message in (("volume", "0xb0, 7, 100"), ("play", "0x90, 36, 127")):
        panel.get_by_label("What to learn").select_option(action)
        panel.get_by_role("button", name="Learn", exact=True).click()
        page.evaluate(f"send({message})")
    page.evaluate("send(0xb0, 7, 64)")
    assert deck.state()["volume"] == pytest.approx(64 / 127)
    page.evaluate("send(0x90, 36, 127); send(0x80, 36, 0)")
    page.wait_for_function("digitalDjEngine.state().playing")
    # pads play and record
    page.keyboard.press("p")
    deck.button("Record").click()
    with screen.rerun(moves=True):
        page.evaluate("send(0x99, 48, 111)")
        page.wait_for_function("[...digitalDj.faces].find((face) => face.own).own.now === 1")
    new = page.evaluate(
        "[...digitalDj.faces].find((face) => face.own).own.strokes.filter((one) => one.place < 0)"
    )
    assert [(one["lane"], one["velocity"]) for one in new] == [(12, 111)]
    page.evaluate("send(0x90, 36, 127); send(0x80, 36, 0)")
    page.wait_for_function("!digitalDjEngine.state().playing")
    # it is remembered
    page.reload()
    screen.settle(moves=True)
    open_panel()
    assert panel.get_by_label("Layout").input_value() == "pads-36"
    assert "Note 36, channel 1: Play or stop" in panel.inner_text()
    # a clock: it starts and stops the deck
    panel.get_by_label("Clock to follow").select_option("Pad box")
    page.evaluate(
        """() => {
          let count = 0
          const begin = performance.now()
          window.clocks = setInterval(() => {
            for (; begin + count * 20 < performance.now(); count += 1)
              access.inputs.get('in').onmidimessage({ data: [0xf8], timeStamp: begin + count * 20 })
          }, 5)
        }"""
    )
    page.wait_for_function("digitalDj.midiIn.clock.bpm !== null")
    page.evaluate("send(0xfa)")
    page.wait_for_function("digitalDjEngine.state().playing")
    assert deck.state()["tempoBpm"] == pytest.approx(125, abs=0.05)
    page.evaluate("send(0xfc)")
    page.wait_for_function("!digitalDjEngine.state().playing")
    page.evaluate("clearInterval(window.clocks)")
    assert json.loads(page.evaluate("localStorage.digitalDjMidi"))["clock"] == "Pad box"
