// The transport: two decks in one tempo, one thing sounding at a time, whatever the page does.
//
// Everything is planned a moment ahead on the audio clock. Whatever changes while it plays (tempo,
// swing, kit, a step, the beat itself) takes back what was planned and has not sounded yet, and
// plans it again; what is sounding rings on. That is why nothing clicks and nothing is lost.

import { createTapper, createTempoMap, createTicker } from './clock.js'
import { Deck } from './deck.js'
import { Follow } from './follow.js'
import { Hands } from './hands.js'
import { createLevels } from './levels.js'
import { KICK, measureLoop } from './console.js'
import { createMidiOut, createSteadyClock } from './midi_out.js'
import { FADER_SECONDS, Mixer } from './mixer.js'
import { MixerTable } from './mixer_settings.js'
import { levelled, rendered } from './offline.js'
import { DECKS, GUARD_SECONDS, Output } from './output.js'
import { beatQuarters, nextLine, placed, strokesBetween, tempoOf, withSwing } from './pattern.js'
import { createKits, waveOf } from './shots.js'
import { voiced } from './voicing.js'

const SAMPLE_RATE = 44_100 // the downloads' own, so that both sound alike; the browser converts
const TICK_MILLISECONDS = 25
const LOOK_AHEAD_SECONDS = 0.4 // plans can be taken back, so that a change need not wait for it
const LONGEST_LOOK_AHEAD_SECONDS = 1.5 // on a machine that lets the page wait
const CAREFUL_LOOK_AHEAD_SECONDS = 1 // in a hidden tab, and until it is known how the page waits
const GAPS_KEPT = 200 // five seconds of ticks
const START_SECONDS = 0.05
const FOLLOWED_START_SECONDS = 0.012 // a clock that is followed has begun already
const LONGEST_START_SECONDS = 0.4
const STOP_SECONDS = 0.012
const TOO_LATE_SECONDS = 0.05 // a stroke later than this is better left out
const MIDI_AHEAD_SECONDS = 0.1 // what is sent to a port cannot be taken back
const LATE_START_QUARTERS = 0.4 // of a clock that is followed: strokes so old still sound
const LEVEL_WAIT_MILLISECONDS = 80
const CLICK_GAIN = 0.5
const TEMPO_BPM = { lowest: 10, highest: 600 }

class Engine {
  /** mixerTable: as Python's mixer_table.py sends it; without one, beats are heard unmixed. */
  constructor({ sampleRate = SAMPLE_RATE, mixerTable } = {}) {
    this.mixerTable = new MixerTable(mixerTable)
    this.listeners = new Set()
    this.notified = false
    this.kits = createKits()
    this.levels = createLevels(() => this.change(), this.mixerTable)
    this.tempo = createTempoMap()
    this.tapper = createTapper((bpm) => this.setTempo(bpm))
    this.ticker = createTicker(() => this.tick(), TICK_MILLISECONDS)
    this.midi = createMidiOut(() => this.notify())
    this.steadyZero = createSteadyClock()
    this.decks = { A: new Deck(), B: new Deck() }
    this.output = new Output({
      sampleRate,
      mixerTable: this.mixerTable,
      isWanted: () => this.wanted,
      onChange: () => this.outputChanged(),
      onFailure: () => this.restart(),
    })
    this.mixer = new Mixer(this.output, this.decks)
    this.hands = new Hands(this)
    this.follow = new Follow(this)
    this.owner = null
    this.wanted = false // play was pressed, and stop was not
    this.playing = false
    this.kitName = null
    this.triedKit = null // heard in its place for a moment
    this.kit = null // decoded for the output's sample rate
    this.tempoOverride = null
    this.swing = 0
    this.countIn = false
    this.metronome = false
    this.launch = 'bar' // where a beat that is put on while another plays begins: 'bar' or 'beat'
    this.lead = [] // which deck gives tempo and bars: [{quarter, deck}], the first from the start
    this.clickCursor = 0
    this.gaps = []
    this.lastTick = 0
    this.measured = { ticks: 0, worstGapSeconds: 0, lateStrokes: 0, lostStrokes: 0, restarts: 0 }
  }

  // -- who listens -------------------------------------------------------------------------------

  /** Call `listener` after changes; returns what ends that. */
  subscribe(listener) {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  notify() {
    if (this.notified) return
    this.notified = true
    queueMicrotask(() => {
      this.notified = false
      const now = [...this.listeners] // whoever joins while they are told was not meant
      for (const listener of now) listener()
    })
  }

  // -- kits --------------------------------------------------------------------------------------

  /** Take a kit, or more drums of one, as Python packs them; the first one is used at once. */
  loadKit(packed) {
    this.kits.load(packed)
    this.levels.forget()
    if (this.kitName === null || packed.name === this.kitName) this.useKit(packed.name)
    this.notify()
  }

  hasKit(name) { return this.kits.has(name) }
  hasNote(name, note) { return this.kits.hasNote(name, note) }

  /** Play with another kit from the next stroke on. */
  useKit(name) {
    this.kitName = name
    this.triedKit = null
    return this.bringKit()
  }

  /** Play with a kit for a moment; null goes back to the one that is used. */
  tryKit(name) {
    if (name === this.triedKit) return Promise.resolve()
    this.triedKit = name
    return this.bringKit()
  }

  async bringKit() {
    const name = this.triedKit ?? this.kitName
    this.notify()
    const { rate } = this.output
    const [kit] = await Promise.all([this.kits.decoded(name, rate).catch(() => null), measureLoop()])
    if (name !== (this.triedKit ?? this.kitName) || rate !== this.output.rate || !kit) return
    this.kit = kit
    for (const { placements } of Object.values(this.decks)) placements.forEach((one) => this.setLevel(one))
    this.change()
    if (this.wanted && !this.playing) this.begin()
    this.notify()
  }

  /** Measure how loud a beat will be with a kit; false where the kit or a drum of it is not here. */
  async prepare(beat, name) {
    const kit = await this.kits.decoded(name, this.output.rate).catch(() => null)
    if (!kit || beat.hits.some(([, , , note]) => !this.kits.hasNote(name, note))) return false
    await this.levels.of(beat, kit).ready
    return true
  }

  /** Play a sound once, beside the decks, in place of the one before; null ends that. */
  playAside(sound) {
    if (sound) this.wake()
    if (this.output.isOpen) this.output.playAside(sound)
  }

  setLevel(placement) {
    const { beat, levelBeat = beat } = placement
    placement.level = this.kit ? this.levels.of(levelBeat, this.kit) : { value: 1 }
  }

  // -- play and stop -----------------------------------------------------------------------------

  play() {
    if (this.wanted) return
    this.wanted = true
    this.openOutput()
    if (this.output.isRunning) this.begin()
    else this.output.resume()
    this.notify()
  }

  /** Have the sound device run, and the kit decoded for it. */
  wake() {
    this.openOutput()
    if (!this.output.isRunning) this.output.resume()
  }

  openOutput() {
    if (!this.output.open()) return
    if (this.output.rate !== this.output.sampleRate) this.kit = null // decoded for another rate
    this.mixer.apply()
    if (this.kitName !== null && !this.kit) this.bringKit()
  }

  outputChanged() {
    if (this.output.isRunning && this.wanted && !this.playing) this.begin()
    this.notify()
  }

  /** Start, once the browser lets us and the sounds are there. */
  begin() {
    if (!this.canBegin) return
    const beats = DECKS.map((name) => this.decks[name].beat).filter(Boolean)
    const unknown = beats.map((beat) => this.levels.of(beat, this.kit)).filter((one) => !one.isKnown)
    if (!unknown.length) {
      this.beginNow()
      return
    }
    const pause = new Promise((resolve) => setTimeout(resolve, LEVEL_WAIT_MILLISECONDS))
    const known = Promise.all(unknown.map((one) => one.ready))
    Promise.race([known, pause]).then(() => this.canBegin && this.beginNow())
  }

  get canBegin() { return this.wanted && !this.playing && this.kit && this.output.isRunning }

  beginNow() {
    this.playing = true
    this.gaps = []
    this.lastTick = performance.now()
    for (const name of DECKS) this.output.decks[name].desk.hush()
    this.tempo.reset(0, this.output.now, this.tempoFrom(0))
    this.setDesks(this.output.now)
    let lead = this.follow.source ? FOLLOWED_START_SECONDS : START_SECONDS
    while (!this.startIn(lead) && lead < LONGEST_START_SECONDS) lead *= 2 // on a busy machine
    this.ticker.start()
    this.notify()
  }

  /** Plan the start; false if that took so long that it would be late. */
  startIn(seconds) {
    const { output } = this
    for (const voices of output.allVoices) voices.cancelFrom(-Infinity)
    this.lead = [{ quarter: -Infinity, deck: this.leadFor() }]
    const first = this.leadBeat()
    const start = output.onFrame(Math.max(output.now + seconds, output.silentUntil))
    const followed = this.follow.startAt(start, first?.bar_quarters ?? 4)
    const from = followed ?? (this.countIn && first ? -first.bar_quarters : 0)
    this.startTime = start
    for (const deck of Object.values(this.decks)) {
      deck.reset(deck.feed ? deck.feed(0) : deck.beat && this.place(deck.beat, 0, 0))
      deck.rewind(from > 0 && from < LATE_START_QUARTERS ? 0 : from)
    }
    this.clickCursor = from
    this.tempo.reset(from, start, this.tempoFrom(0))
    this.plan(this.tempo.quarterAt(start + CAREFUL_LOOK_AHEAD_SECONDS))
    this.midi.begin(from, Math.max(0, Math.ceil(from * 4) / 4))
    const isInTime = output.now < start - Math.min(seconds, START_SECONDS) / 2
    if (isInTime || seconds >= LONGEST_START_SECONDS) output.transport.to(1, start - 0.005, 0.001)
    return isInTime
  }

  stop() {
    this.wanted = false
    if (this.playing) {
      const { output } = this
      this.playing = false
      this.ticker.stop()
      this.midi.stop()
      output.transport.to(0, output.now, STOP_SECONDS)
      output.silentUntil = output.now + STOP_SECONDS + GUARD_SECONDS
      for (const voices of output.allVoices) voices.silence(output.silentUntil)
      for (const deck of Object.values(this.decks))
        deck.reset(deck.feed || !deck.beat ? null : this.place(deck.beat, 0, 0))
      this.mixer.mixDecks(output.silentUntil, 0)
    }
    this.notify()
  }

  toggle() {
    if (this.wanted) this.stop()
    else this.play()
  }

  /** From the beginning, or from where the clock is that is followed. */
  startAgain() {
    this.stop()
    this.play()
  }

  restart() {
    const again = this.wanted
    this.measured.restarts += 1
    this.stop()
    this.output.close()
    if (again) this.play()
  }

  /** Whoever plays last has the engine: true if another had it, and then all is cleared. */
  claim(id) {
    if (this.owner === id) return false
    const isOther = this.owner !== null
    this.owner = id
    if (isOther) {
      this.stop()
      for (const deck of Object.values(this.decks)) deck.clear()
      this.tempoOverride = null
      this.mixer.clear()
    }
    this.notify()
    return isOther
  }

  // -- planning ----------------------------------------------------------------------------------

  tick() {
    if (!this.playing) return
    const ahead = this.lookAhead()
    this.plan(this.tempo.quarterAt(this.output.now + ahead))
    this.sendMidi()
    this.follow.tick()
    if (!this.playing) return
    const heard = this.tempo.quarterAt(this.output.heard())
    for (const deck of Object.values(this.decks)) if (deck.forget(heard)) this.notify()
    this.tempo.forget(this.output.now - 2)
    if (this.lead.length > 1 && this.lead[1].quarter <= heard) {
      this.lead.shift()
      this.notify()
    }
  }

  /** How far to plan: further where the page was made to wait lately, or may be. */
  lookAhead() {
    const now = performance.now()
    const gap = Math.max(0, (now - this.lastTick) / 1000)
    this.lastTick = now
    this.measured.ticks += 1
    this.measured.worstGapSeconds = Math.max(this.measured.worstGapSeconds, gap)
    this.gaps.push(gap)
    if (this.gaps.length > GAPS_KEPT) this.gaps.shift()
    const safe = 2 * Math.max(...this.gaps) + GUARD_SECONDS
    const isUnsure = document.hidden || this.gaps.length < GAPS_KEPT
    const least = isUnsure ? CAREFUL_LOOK_AHEAD_SECONDS : LOOK_AHEAD_SECONDS
    return Math.min(LONGEST_LOOK_AHEAD_SECONDS, Math.max(least, safe))
  }

  /** Plan every sound before song quarter `to`. */
  plan(to) {
    for (const name of DECKS) {
      const deck = this.decks[name]
      const { voices } = this.output.decks[name]
      deck.extend(to)
      if (!this.mixer.isAudible(name, this.tempo.timeAt(deck.cursor))) deck.skipTo(to)
      for (const [stroke, quarter, placement] of deck.plan(to))
        this.strike(name, voices, stroke, quarter, placement.beat.mixer)
    }
    this.planClicks(to)
  }

  strike(name, voices, { lane, note, velocity, turn }, quarter, mixer) {
    const wave = this.kit && waveOf(this.kit, lane, note, velocity, turn)
    if (!wave) return
    const time = this.inTime(quarter)
    if (time === null) return
    if (lane === KICK && this.mixer.isHeard(lane)) {
      const tempo = this.tempo.tempoAt(quarter)
      this.output.decks[name].desk.duck(mixer, { time, quarter, velocity, tempo })
    }
    const strip = this.mixerTable.strip(mixer, lane)
    voices.strike({
      buffer: voiced(wave.buffer, strip, this.mixerTable.formulas), gain: wave.gain, lane, time, quarter,
      chokes: this.kit.chokes.has(lane) && this.mixer.isHeard(lane),
      chokeSeconds: this.kit.chokeSeconds,
    })
  }

  /** The frame, in seconds, that a song quarter falls on; null if that is over. */
  inTime(quarter) {
    const time = this.output.onFrame(this.tempo.timeAt(quarter))
    if (time < this.startTime) return this.startTime // it was due before the clock could be followed
    const late = this.output.now - time
    if (late <= 0) return time
    this.measured.lateStrokes += 1
    if (late <= TOO_LATE_SECONDS) return this.output.onFrame(this.output.now)
    this.measured.lostStrokes += 1
    return null
  }

  /** Metronome and count-in: a click per beat of the leading deck's bars, higher on the first. */
  planClicks(to) {
    const from = this.clickCursor
    if (!(from < to)) return
    this.clickCursor = to
    const placement = this.placementAt(from)
    if (!placement) return
    const { origin, beat } = placement
    const { voices, high, low } = this.output.clicks
    const step = beatQuarters(beat.meter)
    const before = origin - beat.bar_quarters * 64 // a count-in lies before the song
    for (let quarter = nextLine(before, step, from); quarter < to; quarter += step) {
      if (!this.metronome && quarter >= -1e-9) continue
      const inBar = (quarter - origin) / beat.bar_quarters
      const buffer = Math.abs(inBar - Math.round(inBar)) < 1e-6 ? high : low
      const time = this.inTime(quarter)
      if (time === null) continue
      voices.strike({ buffer, gain: CLICK_GAIN, lane: 0, time, quarter, chokes: false })
    }
  }

  sendMidi() {
    if (!this.midi.isUsed()) return
    if (!this.midi.isRunning()) {
      // chosen while it plays: the other side starts on a bar line
      const quarter = this.tempo.quarterAt(this.output.soon())
      this.midi.begin(quarter, this.nextBar(quarter))
    }
    const clockZero = this.steadyZero(this.output.millisecondsAt(0))
    this.midi.send(this.tempo.quarterAt(this.output.now + MIDI_AHEAD_SECONDS), {
      strokesBetween: (from, to) => this.leadStrokes(from, to),
      millisecondsAt: (quarter) => clockZero + this.tempo.timeAt(quarter) * 1000,
      tempoAt: this.tempo.tempoAt,
    })
  }

  *leadStrokes(from, to) {
    const { placements, byHand } = this.decks[this.leadAt(from)]
    for (const placement of placements)
      for (const stroke of strokesBetween(placement, from, to))
        if (this.mixer.isHeard(stroke.lane) && !byHand.has(stroke.key)) yield stroke
  }

  /** Make a change that takes effect at song quarter `cut`, and plan anew from there. */
  change(make = () => {}) {
    if (!this.playing) {
      make(0)
      return
    }
    const cut = this.tempo.quarterAt(this.output.soon(Math.max(0, ...this.gaps)))
    make(cut)
    this.retime(cut)
    const cutTime = this.tempo.timeAt(cut)
    this.setDesks(cutTime)
    for (const name of DECKS) {
      this.output.decks[name].voices.cancelFrom(cut)
      this.output.decks[name].desk.ducking.cancelFrom(cut, cutTime)
      this.decks[name].takeBack(cut)
    }
    this.output.clicks.voices.cancelFrom(cut)
    this.clickCursor = Math.min(this.clickCursor, cut)
    this.tick()
  }

  /** Every deck's mixer as its beats ask for, from `time` on. */
  setDesks(time) {
    for (const name of DECKS) {
      const { placements } = this.decks[name]
      const timeline = placements.map(({ beat, from, level }) => ({ mixer: beat.mixer,
        level: level.value, from: this.tempo.timeAt(from), tempo: this.tempo.tempoAt(from) }))
      const neutral = { mixer: undefined, level: 1, from: 0, tempo: this.tempoBpm } // bars to come
      if (!timeline.length && this.decks[name].feed) timeline.push(neutral)
      if (timeline.length) this.output.decks[name].desk.follow(timeline, time)
    }
  }

  /** Make a change to a deck that plays a loop, the leading one unless named: `make(deck, cut)`. */
  changeDeck(make, name = null) {
    if (!this.playing) return
    this.change((cut) => {
      const deck = this.decks[name ?? this.leadAt(cut)]
      if (!deck.feed) make(deck, cut)
    })
    this.notify()
  }

  // -- tempo and bars ----------------------------------------------------------------------------

  /** The tempo from `quarter` on: the DJ's own, else that of the beat that leads there. */
  tempoFrom(quarter) {
    return this.follow.playedBpm ?? this.tempoOverride ?? tempoOf(this.placementAt(quarter)?.beat ?? this.leadBeat())
  }

  /** Plan the tempo from `cut` on: it may change where another beat or deck takes the lead. */
  retime(cut) {
    this.tempo.change(cut, this.tempoFrom(cut))
    const turns = Object.values(this.decks).flatMap((deck) => deck.placements.map((one) => one.from))
    turns.push(...this.lead.map((one) => one.quarter))
    for (const quarter of turns.filter((one) => one > cut).sort((one, other) => one - other))
      this.tempo.change(quarter, this.tempoFrom(quarter))
  }

  /** Play at a tempo of the DJ's own; null for the beat's. */
  setTempo(bpm) {
    const chosen = bpm === null ? null : Math.min(TEMPO_BPM.highest, Math.max(TEMPO_BPM.lowest, bpm))
    if (chosen !== null && !Number.isFinite(chosen)) return
    this.change(() => {
      this.tempoOverride = chosen
    })
    this.notify()
  }

  get tempoBpm() {
    if (this.follow.bpm !== null) return this.follow.bpm
    if (this.tempoOverride !== null || !this.playing) return this.tempoOverride ?? tempoOf(this.leadBeat())
    return this.tempo.tempoAt(this.heardQuarter)
  }

  tapTempo() { this.tapper.tap() }
  halfTime() { this.setTempo(this.tempoBpm / 2) }
  doubleTime() { this.setTempo(this.tempoBpm * 2) }

  /** 0 is straight; at 1, off-16ths come an eighth of a quarter later. */
  setSwing(swing) {
    const chosen = Math.min(1, Math.max(0, swing))
    if (Number.isNaN(chosen) || chosen === this.swing) return
    this.change(() => {
      this.swing = chosen
      for (const { placements } of Object.values(this.decks))
        for (const one of placements) withSwing(one, chosen)
    })
    this.notify()
  }

  leadFor() {
    const [wished, other] = this.mixer.crossfade < 0.5 ? DECKS : [...DECKS].reverse()
    return this.decks[wished].beat || !this.decks[other].beat ? wished : other
  }

  leadAt(quarter) {
    return this.lead.findLast((one) => one.quarter <= quarter)?.deck ?? this.leadFor()
  }

  leadBeat() { return this.decks[this.leadFor()].beat }
  placementAt(quarter) { return this.decks[this.leadAt(quarter)].at(quarter) }

  nextBar(quarter) {
    const placement = this.placementAt(quarter)
    return placement ? nextLine(placement.origin, placement.beat.bar_quarters, quarter) : quarter
  }

  // -- beats -------------------------------------------------------------------------------------

  place(beat, origin, from) {
    const placement = placed(beat, origin, from, this.swing)
    this.setLevel(placement)
    return placement
  }

  /**
   * Put a beat on a deck, or take it off (null). While it plays: 'bar' lets it drop in on the next
   * bar line, the last one put there winning; 'now' at once and in step, for a beat that was edited.
   */
  setBeat(name, beat, { at = 'bar' } = {}) {
    const deck = this.decks[name]
    if (beat && deck.beat?.id === beat.id) return
    const wasEmpty = !deck.placements.length
    if (this.playing && beat) this.output.decks[name].desk.prepare(beat.mixer)
    deck.beat = beat
    if (!this.playing) {
      deck.reset(beat && this.place(beat, 0, 0))
      if (this.output.isOpen) this.mixer.mixDecks(this.output.now, 0)
    } else {
      this.change((cut) => {
        if (!beat) deck.reset(null)
        else if (wasEmpty || !this.mixer.isAudible(name)) this.joinInStep(deck, beat, cut)
        else if (at === 'now') this.replaceNow(deck, beat, cut)
        else this.replaceOnBar(deck, beat, cut)
        this.mixer.mixDecks(this.output.now, wasEmpty ? 0.001 : FADER_SECONDS)
        if (this.lead.length === 1) this.lead = [{ quarter: -Infinity, deck: this.leadFor() }]
      })
    }
    this.notify()
  }

  /**
   * Have a deck's bars made one by one: `feed(quarter)` gives the placement of the bar that begins
   * there. `beat` says how loud all of them are.
   */
  setFeed(name, feed, beat) {
    const deck = this.decks[name]
    deck.clear()
    Object.assign(deck, { feed, beat })
    if (this.output.isOpen) this.mixer.mixDecks(this.output.now, 0)
    this.notify()
  }

  /** Have the bars of a deck made anew that have not begun. */
  refeed(name) { this.change((cut) => this.decks[name].refeed(cut)) }

  joinInStep(deck, beat, cut) {
    deck.reset(null)
    const origin = this.placementAt(cut)?.origin ?? Math.max(0, cut)
    deck.reset(this.place(beat, origin, Math.max(origin, cut)))
  }

  replaceNow(deck, beat, cut) {
    const from = Math.max(cut, deck.at(cut).from)
    deck.follow(this.place(beat, deck.originInStep(beat, cut), from), cut)
  }

  replaceOnBar(deck, beat, cut) {
    const { beat: before, origin } = deck.at(cut)
    if (before.id === beat.id) {
      deck.stay(cut) // it was about to be replaced
      return
    }
    const step = this.launch === 'beat' ? beatQuarters(before.meter) : before.bar_quarters
    const line = nextLine(origin, step, cut)
    const placement = this.place(beat, line, line)
    if (line <= deck.at(cut).from) deck.reset(placement) // what it replaces has not begun
    else deck.follow(placement, cut)
    for (const other of DECKS) {
      // a deck that is not heard goes along, so that a fade to it finds it in step
      const beside = this.decks[other]
      if (beside === deck || !beside.placements.length || this.mixer.isAudible(other)) continue
      beside.follow(this.place(beside.beat, line, line), cut)
    }
  }

  // -- the mixer ---------------------------------------------------------------------------------

  /** Have a deck's beat mixed otherwise, while a hand is on a knob; `setBeat` follows at rest. */
  setMixer(name, mixer) {
    const deck = this.decks[name]
    if (!deck.beat) return
    const before = deck.beat
    if (this.playing) this.output.decks[name].desk.prepare(mixer)
    deck.beat = { ...before, mixer }
    for (const one of deck.placements) if (one.beat.id === before.id) one.beat = { ...one.beat, mixer }
    this.change()
    this.notify()
  }

  /**
   * Fade to deck A (0) or B (1) or between. While it plays: 'beat' waits for the next beat and takes
   * `beats` of one; 'now' is for a hand on the fader.
   */
  setCrossfade(position, { at = 'beat', beats = 0.25 } = {}) {
    const { mixer, tempo } = this
    const before = mixer.crossfade
    mixer.crossfade = Math.min(1, Math.max(0, position))
    if (!this.playing) {
      if (this.output.isOpen) mixer.mixDecks(this.output.now, 0)
    } else {
      this.change((cut) => {
        const placement = this.placementAt(cut)
        const step = placement ? beatQuarters(placement.beat.meter) : 1
        const isNow = at === 'now' || !placement
        const from = isNow ? cut : nextLine(placement.origin, step, cut)
        const start = tempo.timeAt(from)
        const seconds = isNow ? FADER_SECONDS : tempo.timeAt(from + step * beats) - start
        mixer.fade(before, tempo.timeAt(cut), start, seconds)
        this.handOver(from, cut)
      })
    }
    this.notify()
  }

  /** The deck that is faded to takes the lead at song quarter `from`. */
  handOver(from, cut) {
    this.lead = this.lead.filter((one) => one.quarter < cut)
    if (this.leadAt(cut) !== this.leadFor()) this.lead.push({ quarter: from, deck: this.leadFor() })
  }

  /** Fade to one of the decks within the next beat. */
  cue(name) { this.setCrossfade(name === 'B' ? 1 : 0, { beats: 1 }) }

  setMute(lane, on) { this.setLane(this.mixer.muted, lane, on) }
  setSolo(lane, on) { this.setLane(this.mixer.soloed, lane, on) }

  setLane(set, lane, on) {
    this.mixer.setLane(set, lane, on)
    this.change() // a muted hat chokes nothing
    this.notify()
  }

  setVolume(volume) {
    this.mixer.setVolume(volume)
    this.notify()
  }

  /** Have the bass change over in the middle of the crossfader, so that one deck alone has it. */
  setBassSwap(on) {
    this.mixer.setBassSwap(Boolean(on))
    this.notify()
  }

  setCountIn(on) {
    this.countIn = Boolean(on)
    this.notify()
  }

  setLaunch(launch) {
    this.launch = launch === 'beat' ? 'beat' : 'bar'
    this.notify()
  }

  setMetronome(on) {
    this.metronome = Boolean(on)
    this.change()
    this.notify()
  }

  // -- MIDI --------------------------------------------------------------------------------------

  midiPorts() { return this.midi.ports() }
  midiUse(id) { this.midi.use(id) }
  midiState() { return this.midi.state() }

  // -- what others see ---------------------------------------------------------------------------

  get heardQuarter() { return this.tempo.quarterAt(this.output.heard()) }

  /** How many quarters of its beat a deck has played, as heard; null while it does not play. */
  played(name) {
    if (!this.playing) return null
    let quarter = this.heardQuarter
    const placement = this.decks[name].at(quarter)
    if (!placement || quarter < placement.from) return null
    const { origin, slice } = placement
    if (slice) quarter = slice.from + ((quarter - slice.from) % slice.length)
    return quarter - origin
  }

  /** Where a deck is in its loop, in quarters, as heard; null while it does not play. */
  position(name) {
    const played = this.played(name)
    if (played === null) return null
    const { length } = this.decks[name].at(this.heardQuarter)
    return ((played % length) + length) % length
  }

  deckState(name) {
    const deck = this.decks[name]
    const current = this.playing ? deck.at(this.heardQuarter) : deck.placements[0]
    // what was called back after it was due is still heard before what was put on last
    const next = deck.placements[deck.placements.indexOf(current) + 1]
    return {
      beatId: current?.beat.id ?? null,
      name: current?.beat.name ?? '',
      queuedId: (current && next?.beat.id !== current.beat.id && next?.beat.id) || null,
      positionQuarters: this.position(name),
      playedQuarters: this.played(name),
    }
  }

  /** Everything a screen shows; cheap enough for every frame. */
  state() {
    const { playing, wanted, owner, mixer, swing, countIn, metronome, launch, tempoOverride } = this
    const decks = { A: this.deckState('A'), B: this.deckState('B') }
    const lead = playing ? this.leadAt(this.heardQuarter) : this.leadFor()
    return {
      playing, owner, lead, deck: lead, decks, ...decks[lead],
      waiting: wanted && !playing,
      suspended: wanted && !this.output.isRunning,
      countingIn: playing && this.heardQuarter < 0,
      tempoBpm: this.tempoBpm, tempoOverride, swing, countIn, metronome, launch,
      repeating: playing && Boolean(this.decks[lead].at(this.heardQuarter)?.slice),
      volume: mixer.volume, crossfade: mixer.crossfade, bassSwap: mixer.bassSwap,
      muted: [...mixer.muted], soloed: [...mixer.soloed],
      kit: this.kitName, kitReady: this.kit !== null && this.kit.name === this.kitName,
      triedKit: this.triedKit,
      midi: this.midi.state(),
    }
  }

  /** How punctual planning is: for tests, and for whoever looks into a complaint. */
  measurements() {
    const voices = this.output.isOpen ? this.output.allVoices : []
    return { ...this.measured, voices: voices.reduce((sum, one) => sum + one.count(), 0) }
  }

  /**
   * The beat as a sound file would have it, an AudioBuffer.
   * options: {passes, loop, sampleRate, swing, kit (a name)}; as they are now, if not given.
   */
  async renderOffline(beat, { sampleRate = SAMPLE_RATE, kit = this.kitName, ...options } = {}) {
    const decoded = await this.kits.decoded(kit, sampleRate)
    if (!decoded) throw new Error('No kit is loaded to play this beat with.')
    return levelled(await rendered(beat, decoded, this.mixerTable, { swing: this.swing, ...options }), decoded.ceiling)
  }
}

export function createEngine(options) {
  return new Engine(options)
}
