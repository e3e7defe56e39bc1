// One deck: the beats on it, now and next, and which of their strokes are planned already.

import { strokesBetween, SWING_QUARTERS } from './pattern.js'

const RECENT_QUARTERS = 4 // strokes this long ago cannot be planned twice any more

export class Deck {
  constructor() {
    this.clear()
  }

  clear() {
    this.beat = null // the one that was put on last; it may still wait for its bar line
    this.placements = []
    this.feed = null // makes bars one by one, for a deck that plays no loop: jam.js
    this.rewind(0)
  }

  /** Nothing is planned, and the next to plan is at `quarter`. */
  rewind(quarter) {
    this.cursor = quarter
    this.planned = new Map() // key of a stroke → song quarter
    this.byHand = new Map() // key → song quarter, of strokes that a hand has played itself
    this.due = new Set() // keys of strokes that were planned, and were taken back
  }

  /** What plays at a song quarter. */
  at(quarter) {
    return this.placements.findLast((one) => one.from <= quarter) ?? this.placements[0] ?? null
  }

  /** Only this placement, from the song's start. */
  reset(placement) {
    this.placements = placement ? [placement] : []
  }

  /** Have the bars made that begin before `to`, where they are made one by one. */
  extend(to) {
    if (!this.feed) return
    for (let end = this.placements.at(-1)?.until ?? 0; end < to; end = this.placements.at(-1).until)
      this.placements.push(this.feed(end))
  }

  /** Bars that have not begun at `cut` are made anew. */
  refeed(cut) { this.placements = this.placements.filter((one) => one.from < cut) }

  /** Another beat from `placement.from` on, whatever was to follow after `cut`. */
  follow(placement, cut) {
    const current = this.at(cut)
    this.placements = this.placements.filter((one) => one.from < cut || one === current)
    current.until = placement.from
    this.placements.push(placement)
  }

  /** The beat that plays at `cut` goes on, whatever was to follow. */
  stay(cut) {
    const current = this.at(cut)
    this.placements = this.placements.filter((one) => one.from < cut || one === current)
    current.until = Infinity
  }

  /** Where a beat must have begun to go on in step from `cut` with what plays there. */
  originInStep(beat, cut) {
    const { origin, beat: before } = this.at(cut)
    if (beat.bars === before.bars && beat.bar_quarters === before.bar_quarters) return origin
    const bar = Math.max(0, Math.floor((cut - origin) / before.bar_quarters))
    return origin + bar * before.bar_quarters - (bar % beat.bars) * beat.bar_quarters
  }

  /** Let go of what is over at `quarter`; true if another beat has begun. */
  forget(quarter) {
    let landed = false
    while (this.placements.length > 1 && this.placements[1].from <= quarter) {
      this.placements.shift()
      landed = true
    }
    for (const known of [this.planned, this.byHand]) {
      for (const [key, at] of known) if (at < quarter - RECENT_QUARTERS) known.delete(key)
    }
    return landed
  }

  /** Take back what is planned from `cut` on. */
  takeBack(cut) {
    for (const [key, quarter] of this.planned) {
      if (quarter < cut) continue
      this.planned.delete(key)
      this.due.add(key)
    }
    this.cursor = Math.min(this.cursor, cut)
  }

  /** The strokes to plan before `to`, each once: [stroke, song quarter, placement]. */
  *plan(to) {
    if (!(this.cursor < to)) return
    // strokes that a change of swing has moved to before the cursor still want to be played
    const from = this.due.size ? this.cursor - SWING_QUARTERS - 1e-6 : this.cursor
    for (const placement of this.placements) {
      for (const stroke of strokesBetween(placement, from, to)) {
        if (this.planned.has(stroke.key) || this.byHand.has(stroke.key)) continue
        if (stroke.quarter < this.cursor && !this.due.has(stroke.key)) continue
        const quarter = Math.max(stroke.quarter, this.cursor)
        this.planned.set(stroke.key, quarter)
        yield [stroke, quarter, placement]
      }
    }
    this.skipTo(to)
  }

  /** Plan nothing before `to`. */
  skipTo(to) {
    this.due.clear()
    this.cursor = Math.max(this.cursor, to)
  }
}
