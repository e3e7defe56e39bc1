// A deck's mixer in Web Audio: a strip a drum, and the bus they meet on. dj_core/sound/mixing.py does
// the same to files, by the same formulas (docs/mixer.md).
//
// A stage that is set otherwise is built anew, and the new one fades in while the old one fades out.
// What changes nothing is not built: a neutral mixer is wires alone.

import { Ducking } from './ducking.js'
import { impulseResponse } from './impulses.js'
import { createFader } from './voices.js'

const FADE_SECONDS = 0.02
const LEAST_AHEAD_SECONDS = 0.01
const CLOSE_MILLISECONDS = 300
export const KICK = 0 // its lane
const SENDS = ['room', 'plate', 'delay']
const STEREO = { channelCount: 2, channelCountMode: 'explicit' } // also while nothing sounds
const SLOWEST_ECHO_SECONDS = 10

export class Console {
  /** `inputs`: a node a drum, to be heard at `output`; `table`: a MixerTable. */
  constructor(context, inputs, output, table) {
    Object.assign(this, { context, table })
    const gain = (value = 1) => new GainNode(context, { ...STEREO, gain: value })
    const [trim, bass] = [gain(), gain()]
    this.sum = gain()
    this.ducked = gain()
    this.ducked.connect(this.sum)
    this.ducking = new Ducking(this.ducked.gain)
    this.trim = createFader(trim.gain, 1)
    this.bass = createFader(bass.gain, 1)
    this.sends = Object.fromEntries(SENDS.map((name) => {
      const mono = { channelCount: 1, channelCountMode: 'explicit' }
      const node = new GainNode(context, { ...(name === 'delay' ? STEREO : mono), gain: 0 })
      return [name, { node, fader: createFader(node.gain, 0), close: null }]
    }))
    this.strips = inputs.map((input, lane) => new Switch(context, input, (values) =>
      this.#strip(values, lane === KICK ? this.sum : this.ducked)))
    this.busStage = new Switch(context, this.sum, (values) => this.#bus(values, trim))
    this.swapStage = new Switch(context, trim, (isOn) => this.#swap(isOn, bass, output))
    bass.connect(output)
    this.swapStage.follow([[0, false]], 0)
    this.isSet = false
  }

  /**
   * Be set, from `cut` on, as `timeline` says: [{ from, mixer, tempo, level }], seconds, the first of
   * them since whenever. `level` is how far the whole beat is turned down.
   */
  follow(timeline, cut) {
    this.first = timeline[0]
    const plan = (valueOf) => timeline.map((one) => [one.from, valueOf(one)])
    this.strips.forEach((strip, lane) => strip.follow(plan(({ mixer }) => {
      const { tune: _, decay: __, ...values } = this.table.strip(mixer, lane)
      return values
    }), cut))
    const bus = plan(({ mixer }) => this.table.busOf(mixer))
    this.busStage.follow(bus.map(([from, { drive, low, mid, high, filter }]) =>
      [from, { drive, low, mid, high, filter }]), cut)
    for (const name of SENDS) {
      slide(this.sends[name].fader, bus.map(([from, values]) => [from, values[name] ?? 0]), cut, !this.isSet)
    }
    slide(this.trim, plan(({ level }) => level), cut, !this.isSet)
    if (this.echo) {
      slide(this.echo.feedback, bus.map(([from, { feedback }]) => [from, feedback]), cut)
      const lost = loopFrames / this.context.sampleRate
      slide(this.echo.once, plan((one) => this.#echoSeconds(one)), cut)
      slide(this.echo.again, plan((one) => Math.max(0, this.#echoSeconds(one) - lost)), cut)
    }
    this.isSet = true
  }

  /** Between two echoes, in whole frames. */
  #echoSeconds({ mixer, tempo }) {
    const { sampleRate } = this.context
    return Math.round((this.table.busOf(mixer).delay_time * 60 * sampleRate) / tempo) / sampleRate
  }

  /** Let the bass of this deck through, or not: [[seconds, gain]], from `cut` on; null: as it is. */
  swapBass(path, cut) {
    this.swapStage.follow([[cut, path !== null]], cut)
    this.bass.follow(path ?? [[cut + FADE_SECONDS, 1]], cut)
  }

  /** Have the room, the plate and the delay ready that a mixer needs: they take a moment to make. */
  prepare(mixer) {
    if (!this.first) return
    for (const name of SENDS) {
      if (this.table.drums.some((_, lane) => this.table.strip(mixer, lane)[name])) this.#effect(name)
    }
  }

  /** A kick turns the other drums down. */
  duck(mixer, { time, quarter, velocity, tempo }) {
    const { duck, duck_time: quarters } = this.table.busOf(mixer)
    if (!duck) return
    const attack = this.table.formulas.duck_attack_seconds
    const gain = 1 - (duck * velocity) / 127
    this.ducking.add({ time, quarter, gain, attack, release: (quarters * 60) / tempo })
  }

  /** Let go of what still rings in the room, the plate and the delay. */
  hush() {
    for (const send of Object.values(this.sends)) {
      send.close?.()
      send.close = null
    }
    this.echo = null
    this.isSet = false
    this.strips.forEach((strip) => strip.forget())
    this.ducking.clear()
  }

  // -- stages ------------------------------------------------------------------------------------

  #strip({ drive, filter, level, pan, ...sent }, target) {
    const { context } = this
    const { strip_q_db: resonance } = this.table.formulas
    const nodes = [...this.#drive(drive), ...this.#filter(filter, resonance)]
    if (level) {
      const { low } = this.table.strip_controls.find(({ name }) => name === 'level')
      nodes.push(new GainNode(context, { gain: gainOf(level, low) }))
    }
    if (pan) nodes.push(new StereoPannerNode(context, { pan, channelCountMode: 'explicit' }))
    const end = [target]
    for (const name of SENDS) {
      if (!sent[name]) continue
      const node = new GainNode(context, { ...STEREO, gain: sent[name] })
      node.connect(this.#effect(name))
      end.push(node)
    }
    return { nodes, ends: end }
  }

  #bus({ drive, low, mid, high, filter }, target) {
    const nodes = this.#drive(drive)
    if (low || mid || high) nodes.push(this.#bands([low, mid, high]))
    nodes.push(...this.#filter(filter, this.table.formulas.bus_q_db))
    return { nodes, ends: [target] }
  }

  /** Bass by itself, so that the crossfader can take it from one deck to the other. */
  #swap(isOn, bass, output) {
    if (!isOn) return { nodes: [], ends: [output] }
    const [hertz] = this.table.formulas.split_hertz
    const [low, rest] = ['lowpass', 'highpass'].map((type) => this.#twice(type, hertz))
    const fork = new GainNode(this.context, STEREO)
    fork.connect(low.first)
    fork.connect(rest.first)
    low.last.connect(bass)
    rest.last.connect(output)
    return { nodes: [fork], ends: [], others: [low.last, rest.last] }
  }

  #drive(amount) {
    if (!amount) return []
    const { drive_range: range, drive_points: points, drive_steepness: most,
      drive_anchor: anchor } = this.table.formulas
    const steepness = most * amount
    const curve = new Float32Array(points)
    for (let i = 0; i < points; i += 1) {
      const x = ((2 * i) / (points - 1) - 1) * range
      curve[i] = (anchor * Math.tanh(x * steepness)) / Math.tanh(anchor * steepness)
    }
    const narrowed = new GainNode(this.context, { ...STEREO, gain: 1 / range })
    return [narrowed, new WaveShaperNode(this.context, { curve, ...STEREO })]
  }

  #filter(place, resonance) {
    if (!place) return []
    const { filter_low_hertz: low, filter_high_hertz: high } = this.table.formulas
    const [open, shut] = place < 0 ? low : high
    const frequency = open * (shut / open) ** Math.abs(place)
    const type = place < 0 ? 'lowpass' : 'highpass'
    return [new BiquadFilterNode(this.context, { type, frequency, Q: resonance, ...STEREO })]
  }

  #bands(levels) {
    const { context } = this
    const [first, second] = this.table.formulas.split_hertz
    const { low: off } = this.table.bus_controls.find(({ name }) => name === 'low')
    const [fork, end] = [new GainNode(context, STEREO), new GainNode(context, STEREO)]
    const even = new BiquadFilterNode(context,
      { type: 'allpass', frequency: second, Q: Math.SQRT1_2, ...STEREO })
    const bass = this.#twice('lowpass', first)
    const rest = this.#twice('highpass', first)
    const [middle, treble] = [this.#twice('lowpass', second), this.#twice('highpass', second)]
    fork.connect(bass.first)
    fork.connect(rest.first)
    bass.last.connect(even)
    rest.last.connect(middle.first)
    rest.last.connect(treble.first)
    for (const [i, node] of [even, middle.last, treble.last].entries()) {
      const gain = new GainNode(context, { gain: gainOf(levels[i], off) })
      node.connect(gain).connect(end)
    }
    return { first: fork, last: end }
  }

  #twice(type, frequency) {
    const Q = this.table.formulas.butterworth_db
    const [first, last] = [0, 1].map(() =>
      new BiquadFilterNode(this.context, { type, frequency, Q, ...STEREO }))
    first.connect(last)
    return { first, last }
  }

  /** Where a send goes in: made when it is used for the first time. */
  #effect(name) {
    const send = this.sends[name]
    send.close ??= name === 'delay' ? this.#delay(send.node) : this.#reverb(name, send.node)
    return send.node
  }

  #reverb(name, node) {
    const buffer = impulseResponse(this.table.formulas[name], this.context.sampleRate)
    const convolver = new ConvolverNode(this.context, { buffer, disableNormalization: true })
    node.connect(convolver).connect(this.ducked)
    return () => {
      node.disconnect()
      convolver.disconnect()
    }
  }

  #delay(node) {
    const { context } = this
    const { echo_hertz: frequency, butterworth_db: Q } = this.table.formulas
    const filter = new BiquadFilterNode(context, { type: 'lowpass', frequency, Q, ...STEREO })
    const { feedback } = this.table.busOf(this.first.mixer)
    const delayTime = this.#echoSeconds(this.first)
    const around = Math.max(0, delayTime - loopFrames / context.sampleRate)
    const [once, line] = [delayTime, around].map((seconds) =>
      new DelayNode(context, { maxDelayTime: SLOWEST_ECHO_SECONDS, delayTime: seconds, ...STEREO }))
    const again = new GainNode(context, { ...STEREO, gain: feedback })
    node.connect(once).connect(filter).connect(this.ducked)
    filter.connect(again).connect(line).connect(filter)
    this.echo = { once: createFader(once.delayTime, delayTime),
      again: createFader(line.delayTime, around), feedback: createFader(again.gain, feedback) }
    return () => [node, once, line, filter, again].forEach((one) => one.disconnect())
  }
}

let loopFrames = 0

/**
 * Learn how much later than it is set a delay in a loop is heard: 128 frames in Chrome, none by the
 * standard. Whoever plays waits for it.
 */
export async function measureLoop() {
  const context = new OfflineAudioContext(1, 1024, 44_100)
  const [click, line] = [new ConstantSourceNode(context), new DelayNode(context)]
  line.delayTime.value = 256 / context.sampleRate
  click.connect(line).connect(context.destination)
  line.connect(new GainNode(context, { gain: 1 })).connect(line)
  click.start(0)
  click.stop(1 / context.sampleRate)
  const wave = (await context.startRendering()).getChannelData(0)
  loopFrames = Math.max(0, wave.findIndex((sample, i) => i > 300 && sample > 0.5) - 512)
}

/** One of several stages between an input and what follows, each faded in when its time comes. */
class Switch {
  constructor(context, input, build) {
    Object.assign(this, { context, input, build })
    this.stages = new Map() // what it is set to, as text → a stage
  }

  /** Be what `plan` says, [[from, values]], from `cut` on. */
  follow(plan, cut) {
    const keys = plan.map(([, values]) => JSON.stringify(values))
    const isFirst = !this.stages.size
    keys.forEach((key, i) => this.#open(key, plan[i][1], isFirst && i === 0 ? 1 : 0))
    const now = this.context.currentTime // building takes a moment, and nothing may jump
    const at = now > 0 ? Math.max(cut, now + LEAST_AHEAD_SECONDS) : cut
    for (const [key, { fader }] of this.stages) {
      slide(fader, plan.map(([from], i) => [from, keys[i] === key ? 1 : 0]), at)
    }
    clearTimeout(this.tidying)
    if (this.stages.size > 1 && !(this.context instanceof OfflineAudioContext)) {
      this.tidying = setTimeout(() => this.#close(keys), CLOSE_MILLISECONDS)
    }
  }

  #open(key, values, gain) {
    if (this.stages.has(key)) return
    const entry = new GainNode(this.context, { ...STEREO, gain })
    this.input.connect(entry)
    const { nodes, ends, others = [] } = this.build(values)
    let last = entry
    for (const node of nodes) {
      last.connect(node.first ?? node)
      last = node.last ?? node
    }
    for (const end of ends) last.connect(end)
    this.stages.set(key, { entry, last, others: [...others, ...ends.slice(1)], fader: createFader(entry.gain, gain) })
  }

  #close(kept) {
    for (const [key, stage] of this.stages) if (!kept.includes(key)) this.#remove(key, stage)
  }

  #remove(key, { entry, last, others }) {
    this.input.disconnect(entry)
    for (const node of [last, ...others]) node.disconnect()
    this.stages.delete(key)
  }

  /** As new. */
  forget() {
    for (const [key, stage] of this.stages) this.#remove(key, stage)
  }
}

/**
 * Move a fader along `plan`, [[from, value]]: to the first at once, and to each other one until its
 * time has come, so that what begins then is heard as it shall be from its first sample.
 */
function slide(fader, plan, cut, isAtOnce = false) {
  const path = []
  let [value, at] = [plan[0][1], cut]
  const go = (time, next) => {
    at = Math.max(at, time)
    path.push([at, next])
  }
  if (fader.valueAt(cut) !== value) go(isAtOnce ? cut : cut + FADE_SECONDS, value)
  for (const [from, next] of plan.slice(1)) {
    if (next !== value) {
      go(from - FADE_SECONDS, value)
      go(from, next)
    }
    value = next
  }
  if (path.length || fader.target() !== value) fader.follow(path, cut)
}

/** How long a mixer sounds on after a stroke, in seconds, at its longest. */
export function restSeconds(table, mixer, tempo) {
  const { room, plate, echo_floor: floor } = table.formulas
  const { feedback, delay_time: quarters } = table.busOf(mixer)
  const used = (name) => table.drums.some((_, lane) => table.strip(mixer, lane)[name])
  const echoes = feedback > 0 ? 1 + Math.ceil(Math.log(floor) / Math.log(feedback)) : 1
  const filters = 0.6
  return filters + Math.max(used('room') ? room.seconds : 0, used('plate') ? plate.seconds : 0,
    used('delay') ? (echoes * quarters * 60) / tempo : 0)
}

/** A level in decibels as a factor; at its lowest, nothing. */
function gainOf(decibels, off) { return decibels <= off ? 0 : 10 ** (decibels / 20) }
