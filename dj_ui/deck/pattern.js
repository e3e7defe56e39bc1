// Which stroke falls when: beats as loops on the song's line of quarter notes.

const USUAL_TEMPO_BPM = 120 // what MIDI means without a word about it
export const SWING_QUARTERS = 1 / 8 // how much later off-16ths come at full swing
const SWING_REACH_QUARTERS = 0.07 // a stroke this close to an off-16th is one, played loosely

/** A beat's own tempo; MIDI's 120 if it has none. */
export function tempoOf(beat) {
  return beat?.tempo_bpm || USUAL_TEMPO_BPM
}

/**
 * The strokes of a beat in the order they are played, swung; `at` counts from its start, `turn`
 * the strokes of the same drum before.
 */
export function strokesOf(beat, swing) {
  const straight = (beat.steps?.per_quarter ?? 4) % 4 === 0
  const hardest = new Map() // two strokes of one drum at once are one
  for (const [onset, lane, velocity, note, duration] of beat.hits) {
    const key = `${onset}|${note}`
    const known = hardest.get(key)
    if (known && known.velocity >= velocity) continue
    const at = straight ? swung(onset, swing) : onset
    hardest.set(key, { at, onset, lane, velocity, note, duration: duration ?? null })
  }
  const turns = new Map()
  return [...hardest.values()].sort((one, other) => one.at - other.at || one.lane - other.lane)
    .map((stroke) => {
      const turn = turns.get(stroke.note) ?? 0
      turns.set(stroke.note, turn + 1)
      return { ...stroke, turn }
    })
}

function swung(onset, swing) {
  const sixteenth = Math.round(onset * 4)
  const isOff = sixteenth % 2 === 1 && Math.abs(onset - sixteenth / 4) <= SWING_REACH_QUARTERS
  return isOff ? onset + swing * SWING_QUARTERS : onset
}

/**
 * A beat's place in the song: it plays from quarter `from` until quarter `until`, round and round,
 * as if it had begun at `origin`.
 */
export function placed(beat, origin, from, swing) {
  const length = beat.bars * beat.bar_quarters
  return { beat, origin, from, until: Infinity, length, strokes: strokesOf(beat, swing) }
}

/** The strokes of a placement from one quarter to before another, in order, each time round. */
export function* strokesBetween(placement, from, to) {
  const { origin, length, strokes } = placement
  const [first, last] = [Math.max(from, placement.from), Math.min(to, placement.until)]
  if (!strokes.length || !(first < last)) return
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
