// The deck follows another clock: its tempo, and its place in the song. Small differences are made
// good within a beat; a jump is followed by a new start.

import { createSteadyClock } from './midi_out.js'

const EVERY_MILLISECONDS = 100
const MADE_GOOD_QUARTERS = 2 // so long a difference takes to go
const MOST_BEND = 0.06 // of the tempo
const TOO_SMALL = { milliseconds: 0.4, bpm: 0.02 } // to plan anew for
const JUMP_QUARTERS = 0.5

export class Follow {
  /**
   * A source has `bpm` (or null), `quarterAt(milliseconds)` (its song's place, or null while it does
   * not run) and, where only the place in the bar counts, `bars: true`.
   */
  constructor(engine) {
    this.engine = engine
    this.source = null
    this.bent = null // the tempo that is played meanwhile
    this.steadyZero = createSteadyClock()
    this.lookedAt = 0
  }

  /** Follow a source; null for none. */
  use(source) {
    this.source = source
    this.bent = null
    if (source) this.engine.wake() // so that the sound is there when it starts
    this.engine.change()
    this.engine.notify()
  }

  /** The source's tempo, or null where the deck has its own. */
  get bpm() { return this.source?.bpm ?? null }
  get playedBpm() { return this.bpm === null ? null : this.bent ?? this.bpm }

  /** Where the source is when what the output plays at `time` is heard; null if nowhere. */
  quarterAt(time) {
    return this.source?.quarterAt(this.#look() + time * 1000) ?? null
  }

  // Where the audio clock's zero lies, in milliseconds: looked at often, for the sound may slip.
  #look() { return this.steadyZero(this.engine.output.millisecondsAt(0)) }

  /** Where a song that starts at `time` begins: behind its first stroke, or, on a bar line, before. */
  startAt(time, barQuarters) {
    const quarter = this.quarterAt(time)
    if (quarter === null) return null
    return this.source.bars ? (((quarter % barQuarters) + barQuarters) % barQuarters) - barQuarters : quarter
  }

  /** Look how far the deck is beside the source, and have it come closer. */
  tick() {
    const { engine } = this
    const now = performance.now()
    if (!this.source) return
    this.#look()
    if (now - this.lookedAt < EVERY_MILLISECONDS) return
    this.lookedAt = now
    const { bpm } = this
    if (bpm === null) return
    const time = engine.output.soon()
    const theirs = this.quarterAt(time)
    const off = theirs === null ? 0 : this.#off(theirs, engine.tempo.quarterAt(time))
    if (!this.source.bars && Math.abs(off) > JUMP_QUARTERS) {
      engine.startAgain()
      return
    }
    const bend = Math.min(MOST_BEND, Math.max(-MOST_BEND, off / MADE_GOOD_QUARTERS))
    const isClose = Math.abs(off) * (60_000 / bpm) < TOO_SMALL.milliseconds
    const wanted = isClose ? bpm : bpm * (1 + bend)
    if (Math.abs(wanted - (this.bent ?? 0)) < TOO_SMALL.bpm) return
    this.bent = wanted
    engine.change()
  }

  // How many quarters the source is ahead.
  #off(theirs, ours) {
    const bar = this.source.bars ? this.engine.leadBeat()?.bar_quarters : null
    const off = theirs - ours
    return bar ? ((((off + bar / 2) % bar) + bar) % bar) - bar / 2 : off
  }
}
