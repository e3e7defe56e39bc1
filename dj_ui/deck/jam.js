// The jam: bars made one by one of phrases that the server makes ahead. It lives in the tab, as the
// engine does, and plays on whatever the page does.
//
// Every bar has a state, which follows from the one before and from what hands did meanwhile. Bars
// that have not begun are made anew when a hand moves, so everything falls on the next bar line.

import { DRUMS } from './given.js'
import { barHits, varied } from './jam_bar.js'
import { mixerKey } from './mixer_settings.js'
import { clamp } from './numbers.js'
import { placed } from './pattern.js'

const IN_HAND = 2 // phrases, beside the one that plays
const HISTORY_BARS = 128
const MOST_RECORDED_BARS = 4_000 // two hours at 130 BPM
const CRASH_FROM = 0.4 // energy from which a fill leads to a crash
const FILL_EVERY = 2 // phrases, where the plan plays
const ASK_AGAIN_MILLISECONDS = 2_000
export const FADERS = ['energy', 'density', 'syncopation', 'swing', 'brightness', 'style']
export const SECTIONS = ['break', 'build', 'drop'] // pads that play a phrase of their own

export class Jam {
  constructor(engine) {
    this.engine = engine
    this.faders = { energy: 0.6, density: 0.5, syncopation: 0.5, swing: 0, brightness: 0.5, style: 0 }
    this.noKick = this.hold = false
    this.planned = true // the plan moves the energy; a hand on the fader ends that
    this.wishes = [] // pads that were pressed: { name, quarter: of the bar it falls in, or null }
    this.phrases = new Map() // number in the jam → phrase
    this.aside = {} // section → a phrase that waits for its pad
    this.bars = [] // states of bars that were made and are not over
    this.history = []
    this.recorded = null // bars since recording began
    this.measured = { varied: 0, asked: 0, failed: 0 }
    this.latest = -1 // number of the last phrase that came
    engine.subscribe(() => this.follow())
  }

  // -- from the page -----------------------------------------------------------------------------

  /** data: { address, numbers, curve, curveBars, tempo, sides, name, mixer } of a jam that the server makes. */
  use(data) {
    const another = this.data?.address !== data.address
    const mixed = mixerKey(this.data?.mixer) !== mixerKey(data.mixer)
    this.data = data
    this.numbers = data.numbers
    if (mixed && this.isMine) this.changed()
    if (!another) return
    this.made = 0 // phrases the server was asked for
    this.fresh = true // the first to come takes the place of those in hand
    this.aside = {}
    this.ask()
  }

  get isMine() { return this.engine.state().owner === this.owner }
  get isSounding() { return this.isMine && this.engine.state().playing }
  get isReady() { return this.phrases.size > 0 }

  // -- hands -------------------------------------------------------------------------------------

  setFader(name, value) {
    this.faders[name] = clamp(value, 0, 1)
    if (name === 'energy') this.planned = false
    this.changed()
  }

  setPlanned(on) { this.planned = on; this.changed() }

  press(pad) {
    if (pad === 'noKick' || pad === 'hold') this[pad] = !this[pad]
    else if (this.wishes.some(({ name }) => name === pad)) this.wishes = this.wishes.filter(({ name }) => name !== pad)
    else this.wishes.push({ name: pad, quarter: null })
    this.changed()
  }

  changed() {
    if (this.isSounding) this.engine.refeed('A')
    this.engine.notify()
  }

  start() {
    if (!this.isReady) {
      this.startsWhenReady = true
      return
    }
    const { engine } = this
    engine.claim(this.owner)
    engine.setCrossfade(0, { at: 'now' })
    if (engine.tempoOverride !== null) engine.setTempo(null)
    if (!engine.decks.A.feed) engine.setFeed('A', (quarter) => this.bar(quarter), this.levelBeat)
    engine.play()
  }

  toggle() {
    if (this.isSounding) this.engine.stop()
    else this.start()
  }

  // All that can sound of the first phrase: it says how loud the whole jam is.
  get levelBeat() {
    if (!this.level) {
      const [phrase] = this.phrases.values()
      const hits = phrase.sides.flatMap((side) => side.hits).map(struck)
      this.level = { ...this.beat(`jam-${this.data.address}`, hits), bars: this.numbers.bars }
    }
    return this.level
  }

  beat(id, hits) {
    return {
      id, hits, name: this.data.name, tempo_bpm: this.tempo, bars: 1, meter: [4, 4], mixer: this.data.mixer,
      bar_quarters: this.numbers.barQuarters,
      steps: { per_quarter: 4, per_bar: 16, per_beat: 4 },
    }
  }

  // -- bars --------------------------------------------------------------------------------------

  /** The placement of the bar that begins at song quarter `quarter`. */
  bar(quarter) {
    this.bars = this.bars.filter((one) => one.quarter < quarter)
    const before = this.bars.at(-1) ?? this.resumed
    const state = this.stateAfter(before, quarter)
    const { phrase, bar, faders, pads } = state
    const beat = this.beat(`jam-${quarter}`, barHits(phrase, bar, faders, pads, this.numbers).map(struck))
    const placement = placed(beat, quarter, quarter, faders.swing)
    placement.until = quarter + this.numbers.barQuarters
    placement.levelBeat = this.levelBeat
    this.engine.setLevel(placement)
    state.strokes = placement.strokes
    this.bars.push(state)
    this.ask()
    return placement
  }

  stateAfter(before, quarter) {
    const wish = (name) => {
      const one = this.wishes.find((each) => each.name === name && (each.quarter ?? quarter) === quarter)
      if (one) one.quarter = quarter
      return Boolean(one)
    }
    const state = { quarter, number: (before?.number ?? -1) + 1, ...this.placeAfter(before) }
    const section = SECTIONS.find((name) => this.aside[name] && wish(name))
    if (section) this.enter(state, section)
    else if (wish('back')) this.goBack(state)
    state.bar = state.section ? state.section.bar : state.at
    state.phrase = state.section?.phrase ?? this.phraseAt(state.index, state.turn)
    state.faders = { ...this.faders }
    if (this.planned) state.faders.energy = this.plannedEnergy(state.number)
    const ends = this.planned && state.bar === this.numbers.bars - 1
      && (state.section || state.index % FILL_EVERY === FILL_EVERY - 1)
    state.pads = {
      fill: wish('fill') || Boolean(ends), noKick: this.noKick,
      crash: wish('crash') || Boolean(before?.pads.fill && state.faders.energy >= CRASH_FROM)
        || (state.section?.name === 'drop' && state.bar === 0),
    }
    state.hold = this.hold
    return state
  }

  /** Where a bar is that follows another: { index, turn, at } in the groove, and its section. */
  placeAfter(before) {
    if (!before) return { index: Math.min(...this.phrases.keys()), turn: 0, at: 0, section: null }
    const { index, turn, at, section } = before
    const last = this.numbers.bars - 1
    if (section && section.bar < last) {
      return { index, turn, at, section: { ...section, bar: section.bar + 1 } }
    }
    if (section?.name === 'build' && this.aside.drop) {
      return this.enter({ index, turn, at }, 'drop')
    }
    if (!section && at < last) return { index, turn, at: at + 1, section: null }
    if (!section && this.hold) return { index, turn, at: 0, section: null }
    const next = this.nextIndex(index)
    if (next !== null) return { index: next, turn: 0, at: 0, section: null }
    return { index, turn: turn + 1, at: 0, section: null } // late: the phrase goes on, varied
  }

  enter(state, name) {
    state.section = { name, bar: 0, phrase: this.aside[name] }
    return state
  }

  goBack(state) {
    const earlier = [...this.phrases.keys()].filter((index) => index < state.index)
    Object.assign(state, { at: 0, section: null })
    if (earlier.length) Object.assign(state, { index: Math.max(...earlier), turn: 0 })
  }

  nextIndex(index) {
    const later = [...this.phrases.keys()].filter((one) => one > index)
    return later.length ? Math.min(...later) : null
  }

  phraseAt(index, turn) {
    const phrase = this.phrases.get(index)
    return turn ? varied(phrase, turn, this.numbers) : phrase
  }

  plannedEnergy(bar) {
    const { curve, curveBars } = this.data
    const place = (bar % curveBars) / Math.max(1, curveBars - 1) * (curve.length - 1)
    const [low, share] = [Math.floor(place), place % 1]
    return curve[low] + share * ((curve[low + 1] ?? curve[low]) - curve[low])
  }

  // -- what was heard ----------------------------------------------------------------------------

  /** The state of the bar that is heard; the last one that was, while nothing plays. */
  get heard() {
    if (!this.isSounding) return this.resumed ?? null
    const quarter = this.engine.heardQuarter
    return this.bars.findLast((one) => one.quarter <= quarter) ?? null
  }

  /** After every change of the engine: what is over goes into the history. */
  follow() {
    const { playing, owner } = this.engine.state()
    if (owner !== this.owner || !this.engine.output.isOpen) this.bars = []
    if (!this.bars.length) return
    const quarter = this.engine.heardQuarter
    const { barQuarters } = this.numbers
    const heard = this.bars.findLast((one) => one.quarter <= quarter)
    while (this.bars.length && this.bars[0].quarter + barQuarters <= quarter) {
      const over = this.bars.shift()
      this.resumed = over
      this.note(over)
    }
    if (heard?.section && this.aside[heard.section.name] === heard.section.phrase) {
      delete this.aside[heard.section.name] // the next time it is another one
      this.ask()
    }
    if (heard) this.wishes = this.wishes.filter((one) => one.quarter === null || one.quarter > heard.quarter)
    if (!playing && this.bars.length) {
      if (heard) this.resumed = { ...heard, quarter: -barQuarters }
      this.bars = []
      for (const one of this.wishes) one.quarter = null
    }
    const oldest = (this.resumed?.index ?? 0) - 1 // "back to the last" can be pressed
    for (const index of this.phrases.keys()) if (index < oldest) this.phrases.delete(index)
  }

  note({ number, index, turn, section, phrase, faders, pads, strokes }) {
    const bar = {
      number, index, turn, section: section?.name ?? '', made: phrase.number, seed: phrase.seed, faders, pads,
      tempo: this.tempo,
      hits: strokes.map(({ at, lane, velocity }) => [at, lane, velocity]),
    }
    this.history.push(bar)
    if (this.history.length > HISTORY_BARS) this.history.shift()
    if (this.recorded && this.recorded.length < MOST_RECORDED_BARS) this.recorded.push(bar)
  }

  record(on) {
    const bars = this.recorded
    this.recorded = on ? [] : null
    this.engine.notify()
    return bars
  }

  /** Bars as Python takes them: their hits one after another, and what made them. */
  packed(bars) {
    const { barQuarters } = this.numbers
    return {
      address: this.data.address,
      bars: bars.length,
      first: bars[0].number + 1,
      tempo_bpm: bars.at(-1).tempo,
      hits: bars.flatMap(({ hits }, place) =>
        hits.map(([at, lane, velocity]) => [place * barQuarters + at, lane, velocity])),
      phrases: [...new Set(bars.map(({ made }) => made))],
    }
  }

  // -- phrases from the server -------------------------------------------------------------------

  /** What is missing is asked for, one at a time: phrases to come first, then those of the pads. */
  ask() {
    if (this.asking || !this.data) return
    const heard = this.bars.at(-1)?.index ?? this.resumed?.index ?? -1
    const inHand = this.fresh ? 0 : this.latest - Math.max(heard, -1)
    const section = SECTIONS.find((name) => !this.aside[name])
    if (inHand >= IN_HAND + (heard < 0 ? 1 : 0) && !section) return
    const wanted = inHand < IN_HAND + (heard < 0 ? 1 : 0) ? '' : section
    const bar = ((this.bars.at(-1) ?? this.resumed)?.number ?? 0) + (inHand + 1) * this.numbers.bars
    const asked = new URLSearchParams(wanted ? { section: wanted } : this.planned ? { bar } : {})
    asked.set('energy', this.faders.energy)
    this.asking = true
    this.measured.asked += 1
    this.fetched(this.data.address, asked, wanted)
  }

  async fetched(address, asked, section) {
    const answer = await fetch(`${address}/${this.made}?${asked}`).catch(() => null)
    const phrase = answer?.status === 200 ? await answer.json().catch(() => null) : null
    this.asking = false
    if (address !== this.data.address) {
      this.ask() // the page made another jam meanwhile
      return
    }
    if (!phrase) {
      this.measured.failed += 1
      setTimeout(() => this.ask(), ASK_AGAIN_MILLISECONDS)
      return
    }
    this.made += 1
    phrase.address = address
    if (section) this.aside[section] = phrase
    else this.take(phrase)
    this.engine.notify()
    this.ask()
    if (this.startsWhenReady && this.isReady) {
      this.startsWhenReady = false
      this.start()
    }
  }

  take(phrase) {
    if (this.fresh) {
      this.fresh = false
      this.level = null
      this.tempo = this.data.tempo
      const now = (this.bars.at(-1) ?? this.resumed)?.index ?? -1
      for (const index of this.phrases.keys()) if (index > now) this.phrases.delete(index)
      this.latest = Math.max(now, ...this.phrases.keys(), -1)
    }
    this.latest += 1
    this.phrases.set(this.latest, phrase)
  }
}

function struck([onset, lane, velocity]) { return [onset, lane, velocity, DRUMS[lane].note, null] }
