// Conditions of a step: dj_core/music/conditions.py and as_played.py in the browser, number by number.
//
// condition: what a stroke asks for besides { chance_percent, loops, strokes, span_quarters,
// ramp_percent, flam_quarters }; what is usual is left out, and null is a plain stroke.

export const USUAL = Object.freeze({
  chance_percent: 100, loops: '', strokes: 1, span_quarters: 0.25, ramp_percent: 0, flam_quarters: 0,
})
export const LOOPS = ['', 'first', 'not-first',
  ...[2, 3, 4].flatMap((of) => Array.from({ length: of }, (_, nth) => `${nth + 1}:${of}`))]
const GRACE_LEVEL = 0.4

/** A condition without what is usual; null where nothing is left. A ratchet's length needs one. */
export function withoutUsual(condition) {
  const full = { ...USUAL, ...condition }
  if (full.strokes === 1) Object.assign(full, { span_quarters: 0.25, ramp_percent: 0 })
  const told = Object.entries(full).filter(([name, value]) => value !== USUAL[name])
  return told.length ? Object.freeze(Object.fromEntries(told)) : null
}

/** Whether a beat can sound otherwise the next time round. */
export function hasConditions({ hits, lengths }) {
  return lengths?.length > 0 || hits.some((hit) => hit[5])
}

/** A whole number from 0 to 2**32 - 1, the same for the same four numbers. */
function drawOf(seed, loop, lane, step) {
  let bits = mixed(seed)
  for (const number of [loop, lane, step]) {
    bits = mixed(bits + Math.imul(number, 0x9e3779b1) + 0x7f4a7c15)
  }
  return bits
}

function mixed(number) {
  let bits = number | 0
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b)
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35)
  return (bits ^ (bits >>> 16)) >>> 0
}

function holds({ chance_percent: chance, loops }, loop, draw) {
  if ((loops === 'first' && loop > 0) || (loops === 'not-first' && loop === 0)) return false
  const [nth, of] = loops.split(':').map(Number)
  if (of && loop % of !== nth - 1) return false
  return draw * 100 < chance * 2 ** 32
}

/**
 * The strokes of a hit in one loop, [{ ahead, velocity, longest }], `ahead` in quarters from where
 * the hit is (a flam's grace stroke has less than 0); draw: null for what it is at its fullest.
 */
export function strokesOfHit([onset, lane, velocity, , , condition], loop, seed) {
  if (!condition) return [{ ahead: 0, velocity, longest: Infinity }]
  const full = { ...USUAL, ...condition }
  const step = Math.floor(onset * 4 + 0.5)
  if (seed !== null && !holds(full, loop, drawOf(seed, loop, lane, step))) return []
  const { strokes, span_quarters: span, ramp_percent: ramp, flam_quarters: flam } = full
  const found = flam ? [{ ahead: -flam, velocity: levelled(velocity, GRACE_LEVEL), longest: flam }] : []
  const last = strokes - 1
  for (let part = 0; part < strokes; part += 1) {
    let share = 100
    if (last && ramp > 0) share = 100 - ramp * (last - part) / last
    else if (last) share = 100 + ramp * part / last
    found.push({ ahead: span * part / strokes, velocity: levelled(velocity, share / 100),
      longest: last ? span / strokes : Infinity })
  }
  return found
}

function levelled(velocity, level) { return Math.max(1, Math.floor(velocity * level + 0.5)) }
