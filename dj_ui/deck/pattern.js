// Which stroke falls when: beats as loops on the song's line of quarter notes.

import { hasConditions, strokesOfHit } from './conditions.js'

const USUAL_TEMPO_BPM = 120 // what MIDI means without a word about it
export const SWING_QUARTERS = 1 / 8 // how much later off-16ths come at full swing
const ONE_STROKE = [{ ahead: 0 }]
const SWING_REACH_QUARTERS = 0.07 // a stroke this close to an off-16th is one, played loosely

/** A beat's own tempo; MIDI's 120 if it has none. */
export function tempoOf(beat) {
  return beat?.tempo_bpm || USUAL_TEMPO_BPM
}

/**
 * The strokes of a beat in the order they are played, swung; `at` counts from its start, `turn`
 * the strokes of the same drum before. With conditions: all that may sound in one loop.
 */
export function strokesOf(beat, swing) {
  const hardest = new Map() // two strokes of one drum at once are one
  for (const hit of beat.hits) {
    const [onset, lane, , note, duration] = hit
    for (const { ahead, velocity } of strokesOfHit(hit, 0, null)) {
      const key = `${onset + ahead}|${note}`
      const known = hardest.get(key)
      if (known && known.velocity >= velocity) continue
      const at = Math.max(0, onset + swungBy(beat, onset, swing) + ahead)
      hardest.set(key, { at, onset, lane, velocity, note, duration: duration ?? null })
    }
  }
  const turns = new Map()
  return [...hardest.values()].sort((one, other) => one.at - other.at || one.lane - other.lane)
    .map((stroke) => {
      const turn = turns.get(stroke.note) ?? 0
      turns.set(stroke.note, turn + 1)
      return { ...stroke, turn }
    })
}

/** How much later the swing puts what is at `onset` in a beat. */
function swungBy(beat, onset, swing) {
  const straight = (beat.steps?.per_quarter ?? 4) % 4 === 0
  const sixteenth = Math.round(onset * 4)
  const isOff = sixteenth % 2 === 1 && Math.abs(onset - sixteenth / 4) <= SWING_REACH_QUARTERS
  return straight && isOff ? swing * SWING_QUARTERS : 0
}

/**
 * A beat's place in the song: it plays from quarter `from` until quarter `until`, round and round,
 * as if it had begun at `origin`.
 */
export function placed(beat, origin, from, swing) {
  const length = beat.bars * beat.bar_quarters
  const placement = { beat, origin, from, until: Infinity, length, varies: hasConditions(beat) }
  return withSwing(placement, swing)
}

/** The same placement, swung otherwise from now on. */
export function withSwing(placement, swing) {
  return Object.assign(placement, { swing, strokes: strokesOf(placement.beat, swing) })
}

/** The strokes of a placement from one quarter to before another, in order, each time round. */
export function* strokesBetween(placement, from, to) {
  if (placement.slice) {
    yield* repeatedBetween(placement, from, to)
    return
  }
  const { origin, length, strokes } = placement
  const [first, last] = [Math.max(from, placement.from), Math.min(to, placement.until)]
  if (!strokes.length || !(first < last)) return
  if (placement.varies) {
    yield* playedBetween(placement, first, last)
    return
  }
  const firstPass = Math.max(0, Math.floor((first - origin) / length) - 1)
  for (let pass = firstPass; origin + pass * length < last; pass += 1) {
    const start = origin + pass * length
    for (let i = firstNotBefore(strokes, first - start); i < strokes.length; i += 1) {
      const quarter = start + strokes[i].at
      if (quarter >= last) break
      if (quarter < first) continue
      // what makes it this stroke and no other, also after the swing has moved it
      const key = `${(start + strokes[i].onset).toFixed(5)}|${strokes[i].note}`
      yield { ...strokes[i], quarter, key }
    }
  }
}

/**
 * The same where no loop need be like the one before: each drum goes round in its own length, and
 * what sounds in which loop is for its conditions to say. As `as_played` in Python, to the bit.
 */
function playedBetween({ beat, origin, length, swing }, first, last) {
  const lengths = new Map(beat.lengths)
  const seed = beat.seed === undefined ? 0 : beat.seed
  const turns = new Map()
  const found = new Map() // strokes of one drum at once are the hardest
  for (const hit of beat.hits) {
    const [onset, lane, , note, duration] = hit
    const own = lengths.get(lane) ?? length
    if (onset >= own) continue
    const turn = turns.get(note) ?? 0
    const full = hit[5] ? strokesOfHit(hit, 0, null) : ONE_STROKE
    turns.set(note, turn + full.length)
    const [early, late] = [full[0].ahead, full.at(-1).ahead + SWING_QUARTERS]
    let loop = Math.max(0, Math.floor((first - origin - onset - late) / own))
    for (; origin + loop * own + onset + early < last; loop += 1) {
      const start = loop * own + onset
      const at = start + swungBy(beat, start % length, swing)
      strokesOfHit(hit, loop, seed).forEach(({ ahead, velocity, longest }, part) => {
        const quarter = origin + (at + ahead)
        if (quarter < first || quarter >= last) return
        const place = `${quarter}|${note}`
        if (found.get(place)?.velocity >= velocity) return
        const key = `${(origin + start).toFixed(5)}|${note}${ahead ? `|${ahead.toFixed(5)}` : ''}`
        const lasts = duration === null || duration === undefined ? null : Math.min(duration, longest)
        found.set(place, { at, onset, lane, velocity, note, duration: lasts, turn: turn + part, quarter, key })
      })
    }
  }
  return [...found.values()].sort((one, other) => one.quarter - other.quarter || one.lane - other.lane)
}

/** The strokes of a placement that plays `slice` of the song, {from, length}, again and again. */
function* repeatedBetween({ slice, ...placement }, from, to) {
  const [first, last] = [Math.max(from, placement.from), Math.min(to, placement.until)]
  const whole = { ...placement, from: -Infinity, until: Infinity }
  const strokes = [...strokesBetween(whole, slice.from, slice.from + slice.length)]
  for (let round = Math.floor((first - slice.from) / slice.length); ; round += 1) {
    const later = round * slice.length
    if (slice.from + later >= last) return
    for (const { key, quarter, ...stroke } of strokes) {
      const at = quarter + later
      if (at >= first && at < last) yield { ...stroke, quarter: at, key: `${key}~${round}` }
    }
  }
}

/** Where in `strokes` the search for a place may begin; a hair early, for sums of floats. */
function firstNotBefore(strokes, at) {
  let [low, high] = [0, strokes.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (strokes[middle].at < at - 1e-6) low = middle + 1
    else high = middle
  }
  return low
}

/** How long one beat of the meter is in quarter notes: a dotted quarter in 6/8, 9/8 and 12/8. */
export function beatQuarters([numerator, denominator]) {
  const compound = denominator >= 8 && numerator > 3 && numerator % 3 === 0
  return (compound ? 12 : 4) / denominator
}

/** The first multiple of `step` after `origin` that is `quarter` or later. */
export function nextLine(origin, step, quarter) {
  return origin + Math.max(0, Math.ceil((quarter - origin) / step - 1e-9)) * step
}
