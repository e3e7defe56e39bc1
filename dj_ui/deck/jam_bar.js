// One bar of a jam: which strokes of a phrase the faders and pads let sound, and how hard. The twin
// of dj_core/live/jam_bar.py, by the same numbers, which come with the jam.

import { DRUMS } from './given.js'

/**
 * What sounds in bar `bar` (0 to 7) of a phrase, as [onset, lane, velocity], from its bar line and
 * without the swing. phrase: { role, sides: [{ hits: [[onset, lane, velocity, need]], fill: [[onset,
 * lane, velocity]] }] }; faders: all 0 to 1; pads: { fill, noKick, crash }.
 */
export function barHits(phrase, bar, faders, pads, numbers) {
  const { bars, barQuarters, floor } = numbers
  const energy = phrase.role === 'build' ? Math.max(faders.energy, (bar + 1) / bars) : faders.energy
  const through = floor + (1 - floor) * energy + numbers.density * (faders.density - 0.5)
  const first = bar * barQuarters
  const heard = []
  for (const [number, side] of phrase.sides.entries()) {
    const given = pads.fill ? side.fill.map((hit) => [...hit, 0])
      : side.hits.filter(([onset]) => onset >= first && onset < first + barQuarters)
        .map(([onset, ...rest]) => [onset - first, ...rest])
    for (const [onset, lane, velocity, need] of given) {
      const { family } = DRUMS[lane]
      if (phrase.sides.length > 1 && (faders.style >= numbers.cross[family]) !== Boolean(number)) continue
      if (pads.noKick && family === numbers.kick) continue
      let shift = numbers.syncopation[placeOf(onset)] * (faders.syncopation - 0.5)
      let gain = numbers.softest + (1 - numbers.softest) * energy
      if (numbers.bright.includes(family)) {
        shift += numbers.brightness * (faders.brightness - 0.5)
        gain *= numbers.dullest + (1 - numbers.dullest) * energy
        gain *= 1 + numbers.shine * (faders.brightness - 0.5)
      }
      if (need - shift > through) continue
      heard.push([onset, lane, Math.min(127, Math.max(1, Math.floor(velocity * gain + 0.5)))])
    }
  }
  if (!pads.crash) return heard
  const [crashLane, crashVelocity] = numbers.crash
  return [[0, crashLane, crashVelocity],
    ...heard.filter(([onset, lane]) => lane !== crashLane || onset >= 0.125)]
}

/** 0 on the beat, 1 between two beats, 2 on the 16ths between. */
function placeOf(onset) {
  const step = Math.floor(onset * 4 + 0.5)
  return step % 2 ? 2 : (step % 4) / 2
}

/**
 * A phrase that goes on for want of the next: some of its lighter strokes left out, others harder
 * or softer, its halves in the other order, a fill at its end; each `turn` another.
 */
export function varied(phrase, turn, { bars, barQuarters }) {
  const half = bars * barQuarters / 2
  const sides = phrase.sides.map(({ hits, fill }, side) => {
    const kept = hits.flatMap(([onset, lane, velocity, need], place) => {
      const chance = drawn(phrase.seed + side, turn, place)
      if (need > LIGHT && chance < LEFT_OUT) return []
      const level = Math.min(127, Math.max(1, velocity + Math.round((chance - 0.5) * 2 * LEVELS)))
      return [[turn % 2 ? (onset + half) % (2 * half) : onset, lane, level, need]]
    })
    const last = (bars - 1) * barQuarters
    const end = fill.map(([onset, ...rest]) => [onset + last, ...rest, 0])
    return { hits: [...kept.filter(([onset]) => onset < last), ...end], fill }
  })
  return { ...phrase, sides }
}

const LIGHT = 0.3 // strokes that need more than this may be left out
const LEFT_OUT = 0.15 // chance of that
const LEVELS = 8 // velocity, up or down

// The same number, 0 to 1, for the same three whole numbers: mulberry32 of their mix.
function drawn(...numbers) {
  let a = 0
  for (const number of numbers) a = Math.imul(a ^ number, 0x9e3779b1) + 0x6d2b79f5 | 0
  let t = Math.imul(a ^ (a >>> 15), 1 | a)
  t = t + Math.imul(t ^ (t >>> 7), 61 | t) ^ t
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296
}
