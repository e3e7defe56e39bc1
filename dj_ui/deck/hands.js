// Played by hand: strokes that sound at once, rolls on the grid, repeats of what just played, and a
// deck that is pushed against the other.

import { createTicker } from './clock.js'
import { nextLine, strokesBetween } from './pattern.js'
import { waveOf } from './shots.js'
import { createVoices } from './voices.js'

const TICK_MILLISECONDS = 15
const AHEAD_SECONDS = 0.08 // of a roll; a hand that lets go is heard this soon
const TOO_LATE_SECONDS = 0.02 // a stroke of a roll later than this is left out
const BEND = 0.04 // of the tempo, while a deck is held back or pushed
const BEND_MILLISECONDS = 100 // from one small step of it to the next

export class Hands {
  /** `onStrike({lane, velocity, quarter})` hears of every stroke; quarter: of the song, or null. */
  constructor(engine) {
    this.engine = engine
    this.listeners = new Set()
    this.rolls = new Map() // lane → {velocity, length, next}
    this.turns = new Map() // lane → strokes so far: every second one is the drum's alternate
    this.count = 0
    this.ticker = createTicker(() => this.tick(), TICK_MILLISECONDS)
  }

  /** Call `listener` with each stroke; returns what ends that. */
  subscribe(listener) {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  // -- strokes -----------------------------------------------------------------------------------

  /** A stroke that sounds now, whatever plays. */
  strike(lane, velocity) {
    const { engine } = this
    const quarter = engine.playing ? engine.heardQuarter : null // what the hand heard as it struck
    engine.openOutput()
    if (engine.output.isRunning) this.sound(lane, velocity, engine.output.now, quarter)
    else engine.output.context.resume().then(() => this.sound(lane, velocity, engine.output.now, quarter), () => {})
  }

  /** Have the output sound, once the browser allows it. */
  wake() { this.engine.output.context?.resume().catch(() => {}) }

  sound(lane, velocity, time, quarter) {
    const { engine } = this
    const { output, kit } = engine
    if (!kit) return
    if (this.context !== output.context) {
      this.context = output.context
      this.voices = createVoices(output.context)
      for (const { node } of this.voices.lanes) node.connect(output.guard) // also while all is stopped
    }
    const turn = this.turns.get(lane) ?? 0
    this.turns.set(lane, turn + 1)
    const note = kit.laneNotes[lane]
    const wave = waveOf(kit, lane, note, velocity, turn)
    if (!wave) return
    const level = engine.decks.A.placements[0]?.level.value ?? 1
    this.count += 1
    this.voices.strike({
      buffer: wave.buffer, gain: wave.gain * level, lane, time: output.onFrame(time), quarter: this.count,
      chokes: kit.chokes.has(lane), chokeSeconds: kit.chokeSeconds,
    })
    engine.midi.strike(note, velocity, performance.now() + Math.max(0, time - output.now) * 1000)
    for (const listener of this.listeners) listener({ lane, velocity, quarter })
  }

  // -- rolls -------------------------------------------------------------------------------------

  /** Strike a drum every `length` quarters, on the grid while a beat plays, until `rollEnd`. */
  roll(lane, velocity, length) {
    const { engine } = this
    engine.openOutput()
    if (!engine.playing) {
      this.strike(lane, velocity)
      this.rolls.set(lane, { velocity, length, next: engine.output.now + this.seconds(length) })
    } else {
      const now = engine.tempo.quarterAt(engine.output.now)
      const origin = engine.placementAt(now)?.origin ?? 0
      this.rolls.set(lane, { velocity, length, origin, next: nextLine(origin, length, now) })
    }
    this.ticker.start()
  }

  rollEnd(lane) {
    this.rolls.delete(lane)
    if (!this.rolls.size) this.ticker.stop()
  }

  seconds(quarters) { return (quarters * 60) / this.engine.tempoBpm }

  tick() {
    const { engine } = this
    const until = engine.output.now + AHEAD_SECONDS
    for (const [lane, roll] of this.rolls) {
      const onGrid = roll.origin !== undefined && engine.playing
      const timeOf = (next) => (onGrid ? engine.tempo.timeAt(next) : next)
      if (roll.origin !== undefined && !onGrid) this.rollEnd(lane) // the beat was stopped
      else for (; timeOf(roll.next) < until; roll.next += onGrid ? roll.length : this.seconds(roll.length)) {
        const time = timeOf(roll.next)
        if (time > engine.output.now - TOO_LATE_SECONDS) {
          this.sound(lane, roll.velocity, time, onGrid ? roll.next : null)
        }
      }
    }
  }

  // -- repeat ------------------------------------------------------------------------------------

  /** Play the slice of `length` quarters that sounds now again and again, until `goOn`. */
  repeat(length) {
    this.engine.changeDeck((deck, cut) => {
      const current = deck.at(cut)
      if (!current || current.slice) return
      const from = Math.max(current.from, nextLine(current.origin, length, cut) - length)
      follow(deck, { ...current, slice: { from, length }, from: from + length }, cut)
    })
  }

  /** The beat goes on where it would be by now. */
  goOn() {
    this.engine.changeDeck((deck, cut) => {
      const current = deck.placements.find((one) => one.slice)
      if (!current) return
      if (current.from > cut) deck.stay(cut)
      else follow(deck, { ...current, slice: null, from: cut }, cut)
    })
  }

  // -- a deck against the other ------------------------------------------------------------------

  /** Shift a deck by so many seconds, later or (below 0) earlier; no stroke is lost or doubled. */
  nudge(name, seconds) {
    this.engine.changeDeck((deck, cut) => {
      const current = deck.at(cut)
      const last = deck.placements.at(-1)
      if (!current || last.beat.id !== current.beat.id || last.slice) return
      this.shift(deck, last.origin + (seconds * this.engine.tempo.tempoAt(cut)) / 60, cut)
    }, name)
  }

  /** Put a deck's bars back on the other's. */
  inStep(name) {
    this.engine.changeDeck((deck, cut) => {
      const [current, other] = [deck.at(cut), this.engine.decks[name === 'A' ? 'B' : 'A'].at(cut)]
      if (!current || !other) return
      const bar = other.beat.bar_quarters
      const off = (((current.origin - other.origin) % bar) + bar) % bar
      this.shift(deck, current.origin + (off > bar / 2 ? bar - off : -off), cut)
    }, name)
  }

  shift(deck, origin, cut) {
    const current = deck.at(cut)
    const by = origin - current.origin
    let from = cut // a moment whose next strokes lie further away than the shift
    for (const { quarter } of strokesBetween(current, cut, cut + 8)) {
      if (quarter - from > Math.abs(by)) break
      from = quarter + 1e-6
    }
    follow(deck, { ...current, origin, from: by > 0 ? from + by : from }, cut)
  }

  /** Hold a deck back (-1) or push it (1) until `bendEnd`. */
  bend(name, way) {
    this.bendEnd()
    const step = () => this.nudge(name, (-way * BEND * BEND_MILLISECONDS) / 1000)
    step()
    this.bending = setInterval(step, BEND_MILLISECONDS)
  }

  bendEnd() { clearInterval(this.bending) }
}

/** As `deck.follow`, and a beat that waits for its line still comes. */
function follow(deck, placement, cut) {
  const current = deck.at(cut)
  const queued = deck.placements.find((one) => one.from > cut && one.beat.id !== current.beat.id)
  deck.follow({ ...placement, until: queued?.from ?? Infinity }, cut)
  if (queued) deck.placements.push(queued)
}
