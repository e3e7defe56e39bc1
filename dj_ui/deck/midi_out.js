// The beat as MIDI: notes and clock to a port that the DJ chose, in step with what is heard.

const CLOCKS_PER_QUARTER = 24
const MIDI = { clock: 0xf8, start: 0xfa, stop: 0xfc, noteOn: 0x99, noteOff: 0x89, control: 0xb9 }
const ALL_NOTES_OFF = 123
const NOTE_MILLISECONDS = { shortest: 20, usual: 60, longest: 500 }

const NO_MIDI =
  'This browser cannot send MIDI. Chrome, Edge, Opera and Firefox on a computer can.'
const NOT_SECURE = 'Browsers send MIDI only from this computer (localhost) or over https.'
const REFUSED = 'This browser was told not to send MIDI. Allow it beside the address, then try again.'
const NO_PORT = 'No MIDI port found. Connect an instrument or start a virtual port, then try again.'

/** Web MIDI out; `onChange` is called when ports come and go. */
function createMidiOut(onChange) {
  let access = null
  let why = ''
  let port = null
  let cursor = -Infinity // song quarter up to which everything was sent
  let startAt = null // song quarter at which the other side shall start; null once it was told
  let running = false

  function reasonAgainst() {
    if (!globalThis.isSecureContext) return NOT_SECURE
    if (!navigator.requestMIDIAccess) return NO_MIDI
    return why
  }

  /** The ports there are, [{id, name}]; asks the visitor for permission the first time. */
  async function ports() {
    why = ''
    if (!access && !reasonAgainst()) {
      try {
        access = await navigator.requestMIDIAccess({ sysex: false })
        access.onstatechange = portsChanged
      } catch {
        why = REFUSED
      }
    }
    const found = access ? [...access.outputs.values()].filter((one) => one.state !== 'disconnected') : []
    if (access) why = found.length ? '' : NO_PORT
    onChange()
    return found.map(({ id, name }) => ({ id, name: name ?? 'MIDI port' }))
  }

  function portsChanged() {
    if (port && access.outputs.get(port.id)?.state !== 'connected') {
      port = null
      why = 'The MIDI port was unplugged.'
    }
    onChange()
  }

  /** Send to the port with this id from the next bar line on; null for none. */
  function use(id) {
    stop()
    port = (id !== null && access?.outputs.get(id)) || null
    onChange()
  }

  /** Be ready to send from `quarter` on, and to start the other side at `startQuarter`. */
  function begin(quarter, startQuarter) {
    cursor = quarter
    startAt = startQuarter
    running = true
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
        port.send([MIDI.start], at - 1) // it begins with the first clock after this
        startAt = null
      }
      port.send([MIDI.clock], at)
    }
    for (const { quarter, note, velocity, duration } of strokesBetween(from, to)) {
      const at = millisecondsAt(quarter)
      const written = duration === null ? NOTE_MILLISECONDS.usual : (duration * 60_000) / tempoAt(quarter)
      const { shortest, longest } = NOTE_MILLISECONDS
      port.send([MIDI.noteOn, note, velocity], at)
      port.send([MIDI.noteOff, note, 0], at + Math.min(longest, Math.max(shortest, written)))
    }
  }

  function stop() {
    if (port && running) {
      port.clear?.()
      port.send([MIDI.stop])
      port.send([MIDI.control, ALL_NOTES_OFF, 0])
    }
    running = false
  }

  return {
    ports,
    use,
    begin,
    send,
    stop,
    isUsed: () => port !== null,
    isRunning: () => running,
    state: () => ({
      available: reasonAgainst() === '',
      why: reasonAgainst(),
      portId: port?.id ?? null,
      portName: port?.name ?? null,
    }),
  }
}
