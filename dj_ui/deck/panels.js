// What opens over a step and over a drum: chance, loops, ratchet and flam; length and even fill.
//
// Every change is heard at once and can be undone; a slider's whole way is one change.

import { LOOPS, USUAL } from './conditions.js'
import { make, slider } from './dom.js'
import { DRUMS } from './given.js'
import { clamp } from './numbers.js'

const RATCHETS = [1, 2, 3, 4, 5, 6, 7, 8]
const FLAMS = [['None', 0], ['Tight', 1 / 32], ['Open', 1 / 16], ['Wide', 1 / 8]]
const LOOP_WORDS = { '': 'Every loop', first: 'First', 'not-first': 'Not first' }

/** What a condition asks for, in words: 'chance 50%', 'loop 2 of 4', … */
export function wordsOf(condition) {
  if (!condition) return []
  const { chance_percent: chance, loops, strokes, flam_quarters: flam } = { ...USUAL, ...condition }
  const named = { first: 'first loop only', 'not-first': 'not in the first loop' }
  return [
    chance < 100 && `chance ${chance}%`,
    loops && (named[loops] ?? `loop ${loops.replace(':', ' of ')}`),
    strokes > 1 && `${strokes} strokes`,
    flam > 0 && 'flam',
  ].filter(Boolean)
}

/** The controls of a step's strokes. */
export function stepControls(face, lane, step) {
  const { edited } = face
  const now = () => ({ ...USUAL, ...edited.conditionAt(lane, step) })
  let dragged = false
  const set = (change, drag = false) => {
    const span_quarters = 1 / edited.steps.per_quarter // a ratchet fills its step
    edited.setCondition(lane, step, { ...now(), span_quarters, ...change }, { drag: drag && dragged })
    dragged = drag
    refresh()
    if (drag) face.dragged()
    else face.changed()
  }
  const slide = (label, name, range) => {
    const box = slider(label, { ...range, step: 1, oninput: (value) => set({ [name]: value }, true) })
    box.querySelector('input').onchange = () => { dragged = false; face.changed() }
    return box
  }
  const chance = slide('Chance', 'chance_percent', { min: 1, max: 100, words: (value) => `${value}%` })
  const ramp = slide('Ramp', 'ramp_percent', { min: -100, max: 100, words: rampWords })
  const loops = choice('Plays in', LOOPS.map((name) => [LOOP_WORDS[name] ?? name, name]), 'loops', set)
  const strokes = choice('Ratchet', RATCHETS.map((many) => [many === 1 ? 'Off' : `${many}`, many]),
    'strokes', set)
  const flam = choice('Flam', FLAMS, 'flam_quarters', set)
  const clear = make('button', { type: 'button', class: 'entry', onclick: () => set(USUAL) },
    'Always, as one stroke')

  function refresh() {
    const condition = now()
    chance.set(condition.chance_percent)
    ramp.set(condition.ramp_percent)
    ramp.hidden = condition.strokes === 1
    for (const one of [loops, strokes, flam]) one.refresh(condition)
    clear.disabled = !edited.conditionAt(lane, step)
  }

  refresh()
  return [chance, loops, strokes, ramp, flam, clear]
}

function rampWords(value) {
  if (!value) return 'even'
  return value < 0 ? `${-value}% softer to the end` : `${value}% louder to the end`
}

function choice(label, entries, name, set) {
  const buttons = entries.map(([words, value]) => {
    const button = make('button', { type: 'button', class: 'pick', 'aria-pressed': 'false',
      onclick: () => set({ [name]: value }) }, words)
    return [button, value]
  })
  const box = make('div', { class: `picks ${name}`, role: 'group', 'aria-label': label },
    ...buttons.map(([button]) => button))
  const root = make('div', { class: 'control' }, make('div', { class: 'caps' }, label), box)
  root.refresh = (condition) => {
    for (const [button, value] of buttons) button.setAttribute('aria-pressed', condition[name] === value)
  }
  return root
}

/** The controls of a drum: after how many steps it begins again, and strokes as even as can be. */
export function laneControls(face, lane) {
  const { edited } = face
  const { per_bar: perBar } = edited.steps
  const all = edited.original.bars * perBar
  const own = edited.lengthOf(lane)
  const words = (steps) => (steps === all ? 'whole beat' : `${steps} of ${all} steps`)
  let dragged = false
  const set = (steps, drag) => {
    edited.setLength(lane, clamp(steps, 1, all), { drag: drag && dragged })
    dragged = drag
    length.set(edited.lengthOf(lane))
    if (drag) face.dragged()
    else face.changed()
  }
  const length = slider('Length', { min: 1, max: all, step: 1, words,
    oninput: (steps) => set(steps, true) })
  const input = length.querySelector('input')
  const by = (amount) => make('button', { type: 'button', class: 'small',
    'aria-label': `Length in steps: ${amount < 0 ? 'less' : 'more'}`,
    onclick: () => { dragged = false; set(edited.lengthOf(lane) + amount, false) } }, amount < 0 ? '−' : '+')
  input.onchange = () => { dragged = false; face.changed() }
  length.append(make('div', { class: 'fine' }, by(-1), input, by(1)))
  length.set(own)
  const over = own < all ? own : perBar
  const struck = [...Array(over).keys()].filter((step) => edited.at(lane, step).length).length
  const pulses = stepper('Strokes', 1, over, Math.max(1, struck))
  const span = stepper('Over steps', 1, all, over)
  const turned = stepper('Turned by', 0, all, 0)
  const fill = make('button', { type: 'button', class: 'go', onclick: () => {
    edited.fillEvenly(lane, Math.min(pulses.value, span.value), span.value, turned.value)
    face.changed()
  } }, 'Fill evenly')
  return [length, make('div', { class: 'even' }, pulses, span, turned), fill,
    make('div', { class: 'note' },
      `Euclid’s rhythm: strokes as even as can be, on ${DRUMS[lane].label} alone.`)]
}

function stepper(label, least, most, start) {
  const output = make('output', {})
  const by = (amount) => make('button', { type: 'button', class: 'small',
    'aria-label': `${label}: ${amount < 0 ? 'less' : 'more'}`, onclick: () => move(amount) },
  amount < 0 ? '−' : '+')
  const box = make('div', { class: 'control' }, make('div', { class: 'caps' }, label),
    make('div', { class: 'stepper' }, by(-1), output, by(1)))

  function say() { output.textContent = `${box.value}` }

  function move(amount) {
    box.value = clamp(box.value + amount, least, most)
    say()
  }

  box.value = start
  say()
  return box
}
