// A knob or a fader: dragged up and down, turned by the arrow keys, put back by a double click.

import { drawing, make } from './dom.js'
import { clamp } from './numbers.js'

const DRAG_PIXELS = 150 // for the whole range of a knob
const FINE = 0.2 // with Shift held
const BIG_STEPS = 10 // of PageUp and PageDown
const SWEEP = 270 // degrees from one end to the other

/** `control`: a row of the mixer's table. turn(value, isDone) is called as it is turned. */
export class Knob {
  constructor(control, { name, turn, shape = 'knob' }) {
    Object.assign(this, { control, turn, shape })
    this.value = control.default
    this.words = make('span', { class: 'said', 'aria-hidden': 'true' })
    const label = make('span', { class: 'called', 'aria-hidden': 'true' }, control.label)
    const face = shape === 'fader' ? make('span', { class: 'slot' }, make('i', {}))
      : drawing('0 0 40 40', arc(0, 1), '', '')
    this.root = make('div', { class: shape, role: 'slider', tabindex: '-1', title: control.hint,
      'aria-label': name, 'aria-valuemin': control.low, 'aria-valuemax': control.high,
      'aria-orientation': 'vertical', 'data-control': control.name,
      onpointerdown: (event) => this.#grab(event), onkeydown: (event) => this.#pressKey(event),
      ondblclick: () => this.#set(control.default, true) },
    ...(shape === 'fader' ? [this.words, face] : [face, label, this.words]))
    this.paths = face.querySelectorAll('path')
    this.show(this.value)
  }

  show(value) {
    if (this.shown === value) return
    this.shown = this.value = value
    const { low, high, default: rest } = this.control
    const [at, from] = [value, rest].map((one) => (one - low) / (high - low))
    this.root.style.setProperty('--at', at)
    this.root.classList.toggle('moved', value !== rest)
    const words = said(value, this.control)
    this.words.textContent = words
    this.root.setAttribute('aria-valuenow', value)
    this.root.setAttribute('aria-valuetext', words)
    if (this.shape === 'fader') return
    this.paths[1].setAttribute('d', value === rest ? '' : arc(Math.min(at, from), Math.max(at, from)))
    this.paths[2].setAttribute('d', hand(at))
  }

  #set(value, isDone) {
    const { low, high, step } = this.control
    const next = clamp(Number((Math.round(value / step) * step).toFixed(6)), low, high)
    if (next === this.value && !isDone) return
    this.show(next)
    this.turn(next, isDone)
  }

  #grab(event) {
    if (event.button) return
    event.preventDefault()
    this.root.focus({ preventScroll: true })
    const { low, high } = this.control
    const range = high - low
    const pixels = this.shape === 'fader' ? this.root.querySelector('.slot').clientHeight : DRAG_PIXELS
    let [y, exact, moved] = [event.clientY, this.value, false]
    this.root.setPointerCapture(event.pointerId)
    this.root.onpointermove = (move) => {
      exact = clamp(exact + ((y - move.clientY) / pixels) * range * (move.shiftKey ? FINE : 1), low, high)
      y = move.clientY
      moved = true
      this.#set(exact, false)
    }
    this.root.onpointerup = this.root.onpointercancel = () => {
      this.root.onpointermove = this.root.onpointerup = this.root.onpointercancel = null
      if (moved) this.turn(this.value, true)
    }
  }

  #pressKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return
    const { low, high, step, default: rest } = this.control
    const by = event.shiftKey ? step : keyStep(this.control)
    const next = { ArrowUp: this.value + by, ArrowDown: this.value - by,
      PageUp: this.value + BIG_STEPS * by, PageDown: this.value - BIG_STEPS * by,
      Home: low, End: high, Delete: rest, Backspace: rest }[event.key]
    if (next === undefined) return
    event.preventDefault()
    event.stopPropagation()
    this.#set(clamp(next, low, high), true)
  }
}

/** One key press: a fortieth of the range, in whole steps. */
function keyStep({ low, high, step }) {
  return Math.max(1, Math.round((high - low) / 40 / step)) * step
}

/** A value as a DJ reads it. */
function said(value, { unit, low }) {
  const signed = (number, digits = 1) => `${number > 0 ? '+' : ''}${Number(number.toFixed(digits))}`
  const percent = `${Math.round(Math.abs(value) * 100)}`
  if (unit === 'dB') return value <= low ? 'off' : `${signed(value)} dB`
  if (unit === 'pan') return value ? `${value < 0 ? 'L' : 'R'} ${percent}` : 'mid'
  if (unit === 'semitones') return `${signed(value)} st`
  if (unit === 'filter') return value ? `${value < 0 ? 'LP' : 'HP'} ${percent}` : 'open'
  if (unit === 'quarters') {
    let [part, whole] = [Math.round(value * 8), 32]
    while (part % 2 === 0) [part, whole] = [part / 2, whole / 2]
    return `${part}/${whole}`
  }
  return `${percent}%`
}

function point(at, radius) {
  const angle = ((at - 0.5) * SWEEP * Math.PI) / 180
  return `${(20 + radius * Math.sin(angle)).toFixed(2)} ${(20 - radius * Math.cos(angle)).toFixed(2)}`
}

function arc(from, to) {
  const isLong = (to - from) * SWEEP > 180 ? 1 : 0
  return `M${point(from, 16)}A16 16 0 ${isLong} 1 ${point(to, 16)}`
}

function hand(at) { return `M${point(at, 5)}L${point(at, 12)}` }
