// The beat as MIDI: notes and clock to a port that the DJ chose, in step with what is heard.

import { ASKING, askForMidi, reasonAgainst } from './midi_access.js'

const CLOCKS_PER_QUARTER = 24
const MIDI = { clock: 0xf8, start: 0xfa, goOn: 0xfb, stop: 0xfc, position: 0xf2, noteOn: 0x99, noteOff: 0x89, control: 0xb9 }
const LONGEST_SONG = 16_384 // 16ths, as song positions count
const ALL_NOTES_OFF = 123
const NOTE_MILLISECONDS = { shortest: 20, usual: 60, longest: 500 }

const UNSTEADY_MILLISECONDS = 50 // two clocks this far apart: one of them was stopped meanwhile
const SLEW = 0.04 // of what they differ by is made good with each reading

const NO_PORT = 'No MIDI port found. Connect an instrument or start a virtual port, then try again.'
const UNPLUGGED = 'The MIDI port was unplugged. It goes on from a bar line when it is back.'

/** Web MIDI out; `onChange` is called when ports come and go. */
export function createMidiOut(onChange) {
  let access = null
  let why = ''
  let wishedId = null // the port the DJ chose; it may be unplugged
  let port = null
  let cursor = -Infinity // song quarter up to which everything was sent
  let startAt = null // song quarter at which the other side shall start; null once it was told
  let running = false
  let lastAt = 0 // when the last message is due
  const sounding = new Map() // note → when its end is due

  /** The ports there are, [{id, name}]; asks the visitor for permission the first time. */
  async function ports() {
    why = ''
    if (!access && !reasonAgainst()) {
      why = ASKING
      onChange()
      ;({ access, why } = await askForMidi())
      if (access) access.onstatechange = portsChanged
    }
    const found = connected()
    if (access) why = found.length ? '' : NO_PORT
    onChange()
    return found
  }

  function connected() {
    const all = access ? [...access.outputs.values()] : []
    return all.filter(({ state }) => state !== 'disconnected')
      .map(({ id, name }) => ({ id, name: name ?? 'MIDI port' }))
  }

  function portsChanged() {
    const wished = access.outputs.get(wishedId)
    const isThere = wished !== undefined && wished.state !== 'disconnected'
    if (port && !isThere) lose()
    else if (!port && isThere) port = wished // back again
    if (isThere || (why === NO_PORT && connected().length)) why = ''
    onChange()
  }

  function lose() {
    port = null
    running = false
    sounding.clear()
    why = UNPLUGGED
  }

  /** Send to the port with this id from the next bar line on; null for none. */
  function use(id) {
    stop()
    wishedId = id
    port = (id !== null && access?.outputs.get(id)) || null
    why = ''
    onChange()
  }

  function say(bytes, at) {
    try {
      port?.send(bytes, at)
      lastAt = Math.max(lastAt, at)
    } catch {
      lose() // unplugged, and the browser has not told us yet
      onChange()
    }
  }

  /** Be ready to send from `quarter` on, and to start the other side at `startQuarter`. */
  function begin(quarter, startQuarter) {
    cursor = quarter
    startAt = startQuarter
    running = true
    lastAt = 0
    sounding.clear()
  }

  /**
   * Send what lies before `to`.
   * strokesBetween(from, to) → strokes; millisecondsAt(quarter) → when it is heard, as
   * performance.now() counts; tempoAt(quarter) → bpm.
   */
  function send(to, { strokesBetween, millisecondsAt, tempoAt }) {
    if (!port || !running || !(cursor < to)) return
    const from = cursor
    cursor = to
    const first = Math.ceil(from * CLOCKS_PER_QUARTER)
    for (let clock = first; clock / CLOCKS_PER_QUARTER < to; clock += 1) {
      const quarter = clock / CLOCKS_PER_QUARTER
      const at = millisecondsAt(quarter)
      if (startAt !== null && quarter >= startAt - 1e-6) {
        // it begins with the first clock after this; not at the song's start, it is told where
        const sixteenths = Math.round(startAt * 4) % LONGEST_SONG
        if (sixteenths) say([MIDI.position, sixteenths & 127, sixteenths >> 7], at - 2)
        say([sixteenths ? MIDI.goOn : MIDI.start], at - 1)
        startAt = null
      }
      say([MIDI.clock], at)
    }
    for (const { quarter, note, velocity, duration } of strokesBetween(from, to)) {
      const at = millisecondsAt(quarter)
      const written = duration === null ? NOTE_MILLISECONDS.usual : (duration * 60_000) / tempoAt(quarter)
      const { shortest, longest } = NOTE_MILLISECONDS
      const ends = at + Math.min(longest, Math.max(shortest, written))
      say([MIDI.noteOn, note, velocity], at)
      say([MIDI.noteOff, note, 0], ends)
      sounding.set(note, ends)
    }
  }

  /** A stroke played by hand, heard at `at`. */
  function strike(note, velocity, at) {
    say([MIDI.noteOn, note, velocity], at)
    say([MIDI.noteOff, note, 0], at + NOTE_MILLISECONDS.usual)
  }

  /** Stop the other side and end every note that may still sound there. */
  function stop() {
    if (port && running) {
      const now = performance.now()
      const drops = typeof port.clear === 'function' // what waits in the port; Chrome keeps it
      if (drops) port.clear()
      const at = drops ? now : Math.max(now, lastAt)
      say([MIDI.stop], at)
      for (const [note, ends] of sounding) if (drops && ends > now) say([MIDI.noteOff, note, 0], at)
      say([MIDI.control, ALL_NOTES_OFF, 0], at)
    }
    sounding.clear()
    running = false
  }

  addEventListener('pagehide', stop)

  return {
    ports,
    use,
    begin,
    send,
    strike,
    stop,
    isUsed: () => port !== null,
    isRunning: () => running,
    state: () => ({
      available: (reasonAgainst() || why) === '',
      why: reasonAgainst() || why,
      ports: connected(),
      portId: port?.id ?? null,
      portName: port?.name ?? null,
    }),
  }
}

/**
 * Where the audio clock's zero lies, in milliseconds of performance.now(), from readings that
 * each are some milliseconds off: a machine that follows our clock would hear that as jitter.
 */
export function createSteadyClock() {
  let zero = null

  return (reading) => {
    const isNew = zero === null || Math.abs(reading - zero) > UNSTEADY_MILLISECONDS
    zero = isNew ? reading : zero + (reading - zero) * SLEW
    return zero
  }
}
