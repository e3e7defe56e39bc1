// A beat as a DJ changes it. Every state is kept, so that all of it can be undone, back to the
// original, whose strokes are the very objects that came.
//
// stroke: { place (in the original beat, -1 for a new one), onset, velocity, lane, note, duration,
//         condition (see conditions.js, or null) }; onset and duration in quarter notes; touched
//         once its onset, velocity or condition was changed.
// lengths: [[lane, quarters], …] of the drums that go round in a length of their own, by lane.

import { withoutUsual } from './conditions.js'
import { DRUMS } from './given.js'
import { isNeutral, mixerKey } from './mixer_settings.js'
import { clamp } from './numbers.js'

const MOST_STATES = 300 // of one beat's history
const NEW_STROKE = -1

// What payload.py packed, as the beat that the engine plays.
export function unpackBeat(packed) {
  const strokes = packed.hits.map(([onset, lane, velocity, note, duration, condition], place) =>
    Object.freeze({
      place,
      onset: onset / packed.ticks,
      lane,
      velocity,
      note: note ?? DRUMS[lane].note,
      duration: duration == null ? null : duration / packed.ticks,
      condition: condition ? withoutUsual(condition) : null,
      touched: false,
    }))
  return { ...packed, strokes, lengths: packed.lengths ?? [] }
}

export class EditedBeat {
  // original: from unpackBeat; edit: what Python kept of an earlier visit to it, or null;
  // mixer: how it is mixed
  constructor(original, edit = null, mixer = {}) {
    this.original = original
    this.steps = original.steps
    this.serial = 0 // grows with every change, undone ones too
    const { strokes, tempo_bpm: tempo, lengths } = original
    this.states = [{ strokes, tempo, lengths, mixer }]
    this.isMixed = false // by hand, here
    this.now = 0
    this.opened = new Set() // lanes a DJ added that have no stroke yet
    if (edit) this.change(this.#strokesOf(edit.hits), edit.tempo_bpm, edit.lengths ?? original.lengths)
  }

  get state() { return this.states[this.now] }
  get strokes() { return this.state.strokes }
  get tempo() { return this.state.tempo }
  get lengths() { return this.state.lengths }
  get mixer() { return this.state.mixer }
  get canUndo() { return this.now > 0 }
  get canRedo() { return this.now < this.states.length - 1 }
  get lengthQuarters() { return this.original.bars * this.original.bar_quarters }

  get isOriginal() {
    const { strokes, tempo } = this.state
    return tempo === this.original.tempo_bpm && this.hasOriginalLengths
      && strokes.length === this.original.strokes.length
      && strokes.every((stroke) => this.original.strokes[stroke.place] === stroke)
  }

  get hasOriginalLengths() { return this.lengths.join() === this.original.lengths.join() }

  // Rows of the grid, in the drum table's order: drums played now or at first, and added ones.
  get lanes() {
    const lanes = new Set([...this.original.strokes, ...this.strokes].map(({ lane }) => lane))
    for (const lane of this.opened) lanes.add(lane)
    return [...lanes].sort((a, b) => a - b)
  }

  // For the engine; a name of its own for every state that differs.
  get beat() {
    const { strokes: _, hits: __, ...shape } = this.original
    return {
      ...shape,
      id: `${this.isOriginal ? shape.id : `${shape.id}+${this.serial}`}${this.#mixed}`,
      mixer: this.mixer,
      tempo_bpm: this.tempo,
      lengths: this.lengths,
      hits: this.strokes.map(({ onset, lane, velocity, note, duration, condition }) =>
        condition ? [onset, lane, velocity, note, duration, condition]
          : [onset, lane, velocity, note, duration]),
    }
  }

  get #mixed() { return isNeutral(this.mixer) ? '' : `+${mixerKey(this.mixer)}` }

  // For Python; see payload.py.
  get payload() {
    const untouched = this.strokes.filter((stroke) => !stroke.touched && stroke.place >= 0)
    const others = this.strokes.filter((stroke) => stroke.touched || stroke.place < 0)
    return {
      original: this.original.id,
      tempo_bpm: this.tempo,
      hits: [
        ...untouched.map(({ place }) => place).sort((a, b) => a - b),
        ...others.map(({ place, onset, velocity, lane, condition }) => {
          if (condition !== (this.original.strokes[place]?.condition ?? null)) {
            return [place, onset, velocity, lane, condition]
          }
          return place < 0 ? [NEW_STROKE, onset, velocity, lane] : [place, onset, velocity]
        }),
      ],
      ...(this.hasOriginalLengths ? {} : { lengths: this.lengths }),
    }
  }

  // -- history ---------------------------------------------------------------------------------

  change(strokes, tempo = this.tempo, lengths = this.lengths, mixer = this.mixer) {
    this.states.splice(this.now + 1)
    this.states.push({ strokes, tempo, lengths, mixer })
    // the original stays within reach, whatever is forgotten in between
    if (this.states.length > MOST_STATES) this.states.splice(1, 1)
    this.now = this.states.length - 1
    this.serial += 1
  }

  // Replaces the latest state: a drag is one change, however far it goes.
  revise(strokes, lengths = this.lengths) {
    this.states[this.now] = { ...this.state, strokes, lengths }
    this.serial += 1
  }

  // Mixes it otherwise; goesOn: the same hand on the same knob as the last time.
  mix(mixer, goesOn = false) {
    if (mixerKey(mixer) === mixerKey(this.mixer)) return
    this.isMixed = true
    if (goesOn) this.states[this.now] = { ...this.state, mixer }
    else this.change(this.strokes, this.tempo, this.lengths, mixer)
  }

  // Takes over how it is mixed elsewhere, unless it was mixed here.
  mixAs(mixer) {
    if (this.isMixed || mixerKey(mixer) === mixerKey(this.mixer)) return
    this.states = this.states.map((state) => ({ ...state, mixer }))
  }

  undo() { if (this.canUndo) { this.now -= 1; this.serial += 1 } }
  redo() { if (this.canRedo) { this.now += 1; this.serial += 1 } }
  restore() { if (!this.isOriginal) this.change(this.original.strokes, this.original.tempo_bpm, this.original.lengths) }

  // -- places ----------------------------------------------------------------------------------

  // The cell a stroke is drawn in and how far from its middle, in steps. A stroke just before a
  // bar line that means the line is drawn there, a little early.
  cellOf({ onset }) {
    const { per_quarter: perQuarter, per_bar: perBar } = this.steps
    const place = onset * perQuarter
    const last = this.original.bars * perBar - 1
    const step = Math.min(Math.round(place), last)
    return { step, offset: place - step }
  }

  at(lane, step) {
    return this.strokes.filter((one) => one.lane === lane && this.cellOf(one).step === step)
  }

  // All strokes by lane and step: cells(lane)[step] is a list.
  cells() {
    const found = new Map()
    for (const stroke of this.strokes) {
      const key = `${stroke.lane}:${this.cellOf(stroke).step}`
      if (!found.has(key)) found.set(key, [])
      found.get(key).push(stroke)
    }
    return found
  }

  // -- changes ---------------------------------------------------------------------------------

  // On or off. A stroke that was in the original comes back as it was.
  toggle(lane, step) {
    if (this.at(lane, step).length) return this.#without(lane, step)
    const former = this.original.strokes.filter((one) =>
      one.lane === lane && this.cellOf(one).step === step)
    this.change([...this.strokes, ...(former.length ? former : [this.#fresh(lane, step)])])
    return true
  }

  // Sets the hardest stroke of a cell to a velocity and the others with it; 0 clears the cell.
  setVelocity(lane, step, velocity, { drag = false } = {}) {
    const struck = this.at(lane, step)
    if (velocity <= 0) return struck.length > 0 && this.#without(lane, step)
    if (!struck.length) {
      this.change([...this.strokes, this.#fresh(lane, step, velocity)])
      return true
    }
    const by = velocity - Math.max(...struck.map((one) => one.velocity))
    if (!by) return false
    return this.#replace(struck, drag, (one) =>
      ({ velocity: clamp(one.velocity + by, 1, 127) }))
  }

  // Sets how early or late the strokes of a cell are, in steps from -0.5 to 0.5.
  setOffset(lane, step, offset, { drag = false } = {}) {
    const struck = this.at(lane, step)
    if (!struck.length) return false
    const by = clamp(offset, -0.49, 0.49) - this.cellOf(struck[0]).offset
    const perQuarter = this.steps.per_quarter
    const last = this.lengthQuarters - 1 / 960
    return this.#replace(struck, drag, (one) =>
      ({ onset: clamp(one.onset + by / perQuarter, 0, last) }))
  }

  // Gives the strokes of a cell another condition, or takes it from them; an empty cell is struck.
  setCondition(lane, step, condition, { drag = false } = {}) {
    const told = withoutUsual(condition)
    const struck = this.at(lane, step)
    if (struck.length) this.#replace(struck, drag, () => ({ condition: told }))
    else this.change([...this.strokes, Object.freeze({ ...this.#fresh(lane, step), condition: told })])
  }

  conditionAt(lane, step) { return this.at(lane, step)[0]?.condition ?? null }

  // How many steps a drum plays before it begins again; all of them as a rule.
  lengthOf(lane) {
    const own = this.lengths.find(([one]) => one === lane)
    return own ? Math.round(own[1] * this.steps.per_quarter) : this.original.bars * this.steps.per_bar
  }

  setLength(lane, steps, { drag = false } = {}) {
    const all = this.original.bars * this.steps.per_bar
    if (steps === this.lengthOf(lane)) return
    const own = steps < all ? [[lane, steps / this.steps.per_quarter]] : []
    const lengths = [...this.lengths.filter(([one]) => one !== lane), ...own]
    lengths.sort(([one], [other]) => one - other)
    if (drag) this.revise(this.strokes, lengths)
    else this.change(this.strokes, this.tempo, lengths)
  }

  // Fills a drum with `pulses` strokes as even as they can be over `length` steps, `turned` later,
  // again and again; strokes that are there already stay as they are.
  fillEvenly(lane, pulses, length, turned) {
    const strokes = this.strokes.filter((one) => one.lane !== lane)
    const all = this.original.bars * this.steps.per_bar
    for (let step = 0; step < all; step += 1) {
      const place = (((step - turned) % length) + length) % length
      if (place * pulses % length >= pulses) continue
      const here = this.at(lane, step)
      strokes.push(...(here.length ? here : [this.#fresh(lane, step)]))
    }
    this.opened.add(lane)
    this.change(strokes)
  }

  setTempo(tempo) {
    if (tempo !== this.tempo) this.change(this.strokes, tempo)
  }

  // A stroke that a hand has played over the loop; `joins`: it is one change with the one before.
  record(lane, onset, velocity, joins) {
    const stroke = Object.freeze({ ...this.#fresh(lane, 0, velocity), onset })
    const others = this.strokes.filter((one) => one.lane !== lane || Math.abs(one.onset - onset) > 1e-6)
    if (joins) this.revise([...others, stroke])
    else this.change([...others, stroke])
  }

  clearLane(lane) {
    const left = this.strokes.filter((one) => one.lane !== lane)
    if (left.length < this.strokes.length) this.change(left)
  }

  clearBar(bar) {
    const left = this.strokes.filter((one) => this.barOf(one) !== bar)
    if (left.length < this.strokes.length) this.change(left)
  }

  // Bar `from` over the bars in `targets`.
  copyBar(from, targets) {
    const quarters = this.original.bar_quarters
    const last = this.lengthQuarters - 1 / 960
    const source = this.strokes.filter((one) => this.barOf(one) === from)
    const wanted = targets.filter((bar) => bar !== from)
    const kept = this.strokes.filter((one) => !wanted.includes(this.barOf(one)))
    const copies = wanted.flatMap((bar) => source.map((one) => Object.freeze({
      ...one,
      touched: true,
      onset: clamp(one.onset + (bar - from) * quarters, 0, last),
    })))
    if (wanted.length) this.change([...kept, ...copies])
  }

  barOf(stroke) { return Math.floor(this.cellOf(stroke).step / this.steps.per_bar) }

  // --------------------------------------------------------------------------------------------

  #without(lane, step) {
    const struck = new Set(this.at(lane, step))
    this.opened.add(lane)
    this.change(this.strokes.filter((one) => !struck.has(one)))
    return true
  }

  #fresh(lane, step, velocity = DRUMS[lane].velocity) {
    const { note } = DRUMS[lane]
    const onset = step / this.steps.per_quarter
    return Object.freeze({
      place: NEW_STROKE, onset, lane, velocity, note, duration: null, condition: null, touched: true,
    })
  }

  #replace(struck, drag, changes) {
    const chosen = new Set(struck)
    const strokes = this.strokes.map((one) =>
      chosen.has(one) ? this.#unlessOriginal({ ...one, ...changes(one), touched: true }) : one)
    if (drag) this.revise(strokes)
    else this.change(strokes)
    return true
  }

  // A stroke that was brought back to where it came from is untouched again.
  #unlessOriginal(stroke) {
    const former = this.original.strokes[stroke.place]
    const same = former?.onset === stroke.onset && former.velocity === stroke.velocity
      && JSON.stringify(former.condition) === JSON.stringify(stroke.condition)
    return same && !this.strokes.includes(former) ? former : Object.freeze(stroke)
  }

  #strokesOf(rows) {
    return rows.map((row) => {
      if (Number.isInteger(row)) return this.original.strokes[row]
      const [place, onset, velocity, lane, told] = row
      if (place >= 0) {
        const former = this.original.strokes[place]
        const condition = told === undefined ? former.condition : told && withoutUsual(told)
        return Object.freeze({ ...former, onset, velocity, condition, touched: true })
      }
      return Object.freeze({ place, onset, lane, velocity, note: DRUMS[lane].note, duration: null,
        condition: told ? withoutUsual(told) : null, touched: true })
    })
  }
}
