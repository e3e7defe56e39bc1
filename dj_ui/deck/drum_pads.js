// Pads: sixteen drums under keys and fingers, recorded over the loop; beside them rolls, repeats of
// what just played, where a new beat begins, and a deck pushed against the other.

import { booth } from './booth.js'
import { make, toggle } from './dom.js'
import { DRUMS } from './given.js'
import { isWriting } from './keys.js'
import { clamp } from './numbers.js'

// Four rows of the keyboard, the lowest first, as pads are counted.
const KEYS = ['KeyZ', 'KeyX', 'KeyC', 'KeyV', 'KeyA', 'KeyS', 'KeyD', 'KeyF',
  'KeyQ', 'KeyW', 'KeyE', 'KeyR', 'Digit1', 'Digit2', 'Digit3', 'Digit4']
const REPEAT_KEYS = ['Digit7', 'Digit8', 'Digit9', 'Digit0']
const KEY_VELOCITY = { usual: 100, shift: 127 }
const SOFTEST = 40 // at the lower edge of a pad
const LENGTHS = [['1/4', 1], ['1/8', 1 / 2], ['1/16', 1 / 4], ['1/32', 1 / 8]] // in quarters
const GRIDS = [['Free', 0], ['1/8', 1 / 2], ['1/8 T', 1 / 3], ['1/16', 1 / 4], ['1/32', 1 / 8]]
const NUDGE_SECONDS = 0.005
const HOLD_MILLISECONDS = 300 // a nudge that is held bends

export class DrumPads {
  constructor(face) {
    this.face = face
    this.recording = false
    this.grid = 1 / 4
    this.rollLength = 0
    this.held = new Map() // what holds a pad (a key, a finger, a note) → lane
    this.root = make('section', { class: 'hands', 'aria-label': 'Pads', hidden: '' },
      this.#pads(), this.#controls())
    this.open = toggle('Pads', () => this.show(this.root.hidden))
    this.open.title = 'Pads to play by hand (P)'
    this.open.setAttribute('aria-expanded', 'false')
    this.open.removeAttribute('aria-pressed')
    this.onKeys = (event) => this.#key(event)
    for (const kind of ['keydown', 'keyup']) addEventListener(kind, this.onKeys, true)
    this.onBlur = () => this.letGo()
    addEventListener('blur', this.onBlur)
    this.unsubscribe = face.engine.hands.subscribe((stroke) => this.#heard(stroke))
  }

  close() {
    this.letGo()
    for (const kind of ['keydown', 'keyup']) removeEventListener(kind, this.onKeys, true)
    removeEventListener('blur', this.onBlur)
    this.unsubscribe()
  }

  show(shows) {
    this.root.hidden = !shows
    this.open.setAttribute('aria-expanded', shows)
    if (!shows) {
      this.letGo()
      this.setRecording(false)
    }
    this.face.refresh()
  }

  // -- drawn -------------------------------------------------------------------------------------

  #pads() {
    this.pads = DRUMS.map((drum, lane) => {
      const key = KEYS[lane].at(-1)
      const pad = make('button', { type: 'button', class: `pad ${drum.family}`,
        'aria-label': `${drum.short} ${key}: ${drum.label}`, title: drum.label },
      make('b', {}, drum.short), ' ', make('span', {}, key))
      pad.onpointerdown = (event) => {
        const box = pad.getBoundingClientRect()
        const share = 1 - (event.clientY - box.top) / box.height
        this.press(event.pointerId, lane, Math.round(SOFTEST + (127 - SOFTEST) * clamp(share * 1.2, 0, 1)))
        pad.setPointerCapture(event.pointerId)
      }
      pad.onpointerup = pad.onpointercancel = (event) => {
        this.release(event.pointerId)
        this.face.engine.hands.wake() // a browser may let a page sound only now
      }
      pad.onclick = (event) => { // by Enter
        if (event.detail === 0) this.face.engine.hands.strike(lane, KEY_VELOCITY.usual)
      }
      pad.oncontextmenu = (event) => event.preventDefault()
      return pad
    })
    const rows = [3, 2, 1, 0].flatMap((row) => this.pads.slice(4 * row, 4 * row + 4))
    return make('div', { class: 'pads', role: 'group', 'aria-label': 'Drums' }, ...rows)
  }

  #controls() {
    const { engine } = this.face
    this.record = toggle('Record', () => this.setRecording(!this.recording))
    this.record.classList.add('record')
    this.grids = choice('Record on', GRIDS, (grid) => { this.grid = grid })
    this.rolls = choice('Roll', [['Off', 0], ...LENGTHS], (length) => { this.rollLength = length })
    this.repeats = LENGTHS.map(([label, length], number) => hold(label,
      `Repeat the last ${label} while held (key ${REPEAT_KEYS[number].at(-1)})`,
      () => engine.hands.repeat(length), () => engine.hands.goOn()))
    this.launch = choice('New beat begins on', [['Bar', 'bar'], ['Beat', 'beat']],
      (launch) => engine.setLaunch(launch))
    this.against = make('div', { class: 'hand-row' },
      this.#nudge('−', 'Deck B earlier; hold to push it', 1),
      this.#nudge('+', 'Deck B later; hold to hold it back', -1),
      make('button', { type: 'button', class: 'small', title: 'Deck B’s bars on deck A’s',
        onclick: () => engine.hands.inStep('B') }, 'In step'))
    const field = (label, ...parts) => make('div', { class: 'control' },
      make('div', { class: 'caps' }, label), ...parts)
    this.bField = field('Deck B against A', this.against)
    return make('div', { class: 'hand-controls' },
      field('Over the loop', make('div', { class: 'hand-row' }, this.record, this.grids)),
      field('Roll while a pad is held', this.rolls),
      field('Repeat while held', make('div', { class: 'hand-row stepper' }, ...this.repeats)),
      field('A new beat begins on', this.launch), this.bField)
  }

  // A tap shifts by 5 ms; held, the deck runs faster (way 1) or slower (-1) until let go.
  #nudge(label, words, way) {
    const { hands } = this.face.engine
    let timer = null
    return hold(label, words, () => {
      hands.nudge('B', -way * NUDGE_SECONDS)
      timer = setTimeout(() => hands.bend('B', way), HOLD_MILLISECONDS)
    }, () => {
      clearTimeout(timer)
      hands.bendEnd()
    })
  }

  refresh({ launch }) {
    if (this.root.hidden) return
    const { readOnly } = this.face
    this.record.disabled = readOnly
    this.record.setAttribute('aria-pressed', this.recording && !readOnly)
    this.grids.set(this.grid)
    this.rolls.set(this.rollLength)
    this.launch.set(launch)
    this.bField.hidden = !booth.kept
  }

  // -- played ------------------------------------------------------------------------------------

  /** A pad goes down; `by` says what holds it. */
  press(by, lane, velocity) {
    const { hands } = this.face.engine
    this.release(by)
    this.held.set(by, lane)
    if (this.rollLength) hands.roll(lane, velocity, this.rollLength)
    else hands.strike(lane, velocity)
  }

  release(by) {
    if (!this.held.has(by)) return
    const lane = this.held.get(by)
    this.held.delete(by)
    if (![...this.held.values()].includes(lane)) this.face.engine.hands.rollEnd(lane)
  }

  letGo() {
    for (const by of this.held.keys()) this.release(by)
    if (this.repeating) this.face.engine.hands.goOn()
    this.repeating = null
  }

  setRecording(on) {
    this.recording = on
    this.pass = null
    this.refresh(this.face.engine.state())
  }

  // While the pads are open, their keys are theirs.
  #key(event) {
    const { code, type, repeat, ctrlKey, metaKey, altKey, shiftKey } = event
    if (type === 'keyup') {
      this.release(code)
      if (this.repeating === code) {
        this.repeating = null
        this.face.engine.hands.goOn()
      }
      return
    }
    if (ctrlKey || metaKey || altKey || isWriting(event)) return
    if (code === 'KeyP' && !shiftKey && !repeat && booth.mini?.deck === this.face) {
      this.show(this.root.hidden)
      event.preventDefault()
    }
    if (this.root.hidden) return
    const [lane, length] = [KEYS.indexOf(code), REPEAT_KEYS.indexOf(code)]
    if (lane < 0 && length < 0) return
    event.preventDefault()
    event.stopImmediatePropagation()
    if (repeat) return
    if (lane >= 0) this.press(code, lane, shiftKey ? KEY_VELOCITY.shift : KEY_VELOCITY.usual)
    else {
      this.repeating = code
      this.face.engine.hands.repeat(LENGTHS[length][1])
    }
  }

  // A stroke sounded: show it, and write it down over the loop.
  #heard({ lane, velocity, quarter }) {
    const pad = this.pads[lane]
    pad.classList.add('struck')
    clearTimeout(pad.fading)
    pad.fading = setTimeout(() => pad.classList.remove('struck'), 120)
    const { face } = this
    const { engine, own } = face
    if (!this.recording || quarter === null || !face.isMine || face.readOnly) return
    const placement = engine.decks.A.at(quarter)
    if (!placement || placement.slice) return
    const { origin, length } = placement
    const played = quarter - origin
    const place = this.grid ? Math.round(played / this.grid) * this.grid : played
    const pass = Math.floor(place / length)
    if (pass < 0) return
    engine.decks.A.byHand.set(`${(origin + place).toFixed(5)}|${DRUMS[lane].note}`, origin + place)
    // one round of the loop is one change
    const joins = this.pass?.origin === origin && this.pass.number === pass && this.pass.serial === own.serial
    const laneLength = own.lengthOf(lane) / own.steps.per_quarter // it may go round in its own
    own.record(lane, Math.min(place % laneLength, laneLength - 1 / 960), velocity, joins)
    this.pass = { origin, number: pass, serial: own.serial }
    face.changed()
  }
}

function hold(label, words, start, end) {
  const button = make('button', { type: 'button', class: 'small', 'aria-label': words, title: words }, label)
  let held = false
  const stop = () => {
    if (held) end()
    held = false
    button.classList.remove('held')
  }
  button.onpointerdown = (event) => {
    button.setPointerCapture(event.pointerId)
    button.classList.add('held')
    held = true
    start()
  }
  button.onpointerup = button.onpointercancel = button.onlostpointercapture = stop
  button.onkeydown = (event) => {
    if (!['Enter', ' '].includes(event.key) || event.repeat) return
    event.preventDefault()
    event.stopPropagation()
    held = true
    start()
  }
  button.onkeyup = button.onblur = stop
  button.oncontextmenu = (event) => event.preventDefault()
  return button
}

function choice(label, entries, chosen) {
  const buttons = entries.map(([words, value]) => [make('button', { type: 'button', class: 'toggle',
    'aria-pressed': 'false', onclick: () => { box.set(value); chosen(value) } }, words), value])
  const box = make('div', { class: 'hand-row stepper', role: 'group', 'aria-label': label },
    ...buttons.map(([button]) => button))
  box.set = (now) => {
    for (const [button, value] of buttons) button.setAttribute('aria-pressed', value === now)
  }
  return box
}
