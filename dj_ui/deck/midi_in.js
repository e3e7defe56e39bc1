// MIDI in: controllers play pads and turn controls, as learned or by a layout, and a clock leads the
// deck. What was learned is kept by the name of the port.

import { actionIn } from './layouts.js'
import { ASKING, askForMidi, reasonAgainst } from './midi_access.js'
import { MidiClock } from './midi_clock.js'

const NO_PORT = 'No MIDI port found. Connect a controller, then try again.'
const KEPT_AS = 'digitalDjMidi'
const REALTIME = new Set([0xf2, 0xf8, 0xfa, 0xfb, 0xfc])
const NOTIFY_MILLISECONDS = 250

export class MidiIn {
  /** `act(id, value, isOn, by)` does what is asked; `start()`, `stop()`: as a clock says. */
  constructor({ act, start, stop, follow, onChange }) {
    Object.assign(this, { act, start, stop, follow, onChange })
    this.clock = new MidiClock()
    this.learning = null // the action that waits for a control to be moved
    this.last = '' // the message that came last, in words
    this.why = ''
    this.kept = remembered() // { clock: port's name, ports: { name: { layout, learned: { key: action } } } }
    if (this.kept.clock || Object.keys(this.kept.ports).length) this.#connectIfAllowed()
  }

  async #connectIfAllowed() {
    const permission = await navigator.permissions?.query({ name: 'midi' }).catch(() => null)
    if (permission?.state === 'granted') await this.connect()
  }

  /** Listen to every port there is; asks the visitor the first time. */
  async connect() {
    this.why = ''
    if (!this.access && !reasonAgainst()) {
      this.why = ASKING
      this.onChange()
      const { access, why } = await askForMidi()
      Object.assign(this, { access, why })
      if (access) {
        const { onstatechange } = access
        access.onstatechange = (event) => {
          onstatechange?.call(access, event)
          this.#listen()
        }
      }
    }
    this.#listen()
  }

  #listen() {
    for (const port of this.access?.inputs.values() ?? []) {
      port.onmidimessage = (event) => this.take(port.name ?? 'MIDI port', event.data, event.timeStamp)
    }
    if (this.access) this.why = this.ports.length ? '' : NO_PORT
    this.useClock(this.kept.clock)
  }

  get ports() {
    const all = [...this.access?.inputs.values() ?? []]
    return all.filter(({ state }) => state !== 'disconnected').map(({ name }) => name ?? 'MIDI port')
  }

  // -- what is set -------------------------------------------------------------------------------

  /** Follow the clock of a port; '' for none. */
  useClock(name) {
    this.kept.clock = name
    this.#remember()
    const isThere = Boolean(name) && this.ports.includes(name)
    if (!isThere) this.clock.forget()
    this.follow(isThere ? this.clock : null)
    this.onChange()
  }

  setLayout(port, layout) {
    this.#of(port).layout = layout
    this.#remember()
    this.onChange()
  }

  /** The next control that is moved does `action`; null for none. */
  learn(action) {
    this.learning = action
    this.onChange()
  }

  forget(port, key) {
    delete this.#of(port).learned[key]
    this.#remember()
    this.onChange()
  }

  #of(port) { return (this.kept.ports[port] ??= { layout: '', learned: {} }) }

  #remember() {
    try {
      localStorage.setItem(KEPT_AS, JSON.stringify(this.kept))
    } catch { /* it lasts until the page is left */ }
  }

  // -- what comes --------------------------------------------------------------------------------

  /** A message of a port: its bytes, and when it came, as performance.now() counts. */
  take(port, [status, number = 0, value = 0], at) {
    if (REALTIME.has(status)) {
      if (port === this.kept.clock) this.#followed(status, at, number | (value << 7))
      return
    }
    const kind = { 0x80: 'note', 0x90: 'note', 0xb0: 'control' }[status & 0xf0]
    if (!kind) return
    const channel = (status & 0x0f) + 1
    const isOn = kind === 'control' ? value >= 64 : (status & 0xf0) === 0x90 && value > 0
    const key = `${kind} ${channel} ${number}`
    const known = this.kept.ports[port]
    if (this.learning && (isOn || kind === 'control')) {
      this.#of(port).learned[key] = this.learning
      this.learning = null
      this.#remember()
      this.onChange()
      return
    }
    const action = known?.learned[key] ?? actionIn(known?.layout, kind, channel, number)
    if (action) this.act(action, value, isOn, `${port} ${key}`)
  }

  #followed(status, at, position) {
    this.clock.take(status, at, position)
    if (status === 0xfa || status === 0xfb) this.start()
    if (status === 0xfc) this.stop()
    if (status === 0xf8 && at - (this.told ?? 0) < NOTIFY_MILLISECONDS) return
    this.told = at
    this.onChange()
  }
}

function remembered() {
  try {
    const { clock = '', ports = {} } = JSON.parse(localStorage.getItem(KEPT_AS)) ?? {}
    return { clock, ports }
  } catch { return { clock: '', ports: {} } } // a browser that may not remember, or somebody else's word
}
