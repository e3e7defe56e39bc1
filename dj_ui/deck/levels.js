// How loud a beat is: as its sound file, it is turned down as a whole where it would clip.

import { isNeutral, mixerKey } from './mixer_settings.js'
import { rendered, toEven } from './offline.js'
import { placed, strokesBetween, strokesOf, tempoOf } from './pattern.js'
import { waveOf } from './shots.js'

const LEVEL_SECONDS = 60 // of a long beat, this much says how loud it is
const LOOPS_MEASURED = 8 // of a beat whose drums go round in lengths of their own
const LEVELS_KEPT = 200
const MIX_MILLISECONDS = 100 // at a stretch; a few bars take a tenth of it

/** `onQuieter()` is called when a beat turns out, later, to need turning down; `table`: a MixerTable. */
export function createLevels(onQuieter, table) {
  const levels = new Map()

  /** {value, isKnown, ready}: the gain, 1 until it is known, and a promise of its being known. */
  function of(beat, kit) {
    const key = `${kit.name} ${beat.id} ${mixerKey(beat.mixer)}`
    if (!levels.has(key)) {
      if (levels.size >= LEVELS_KEPT) levels.delete(levels.keys().next().value)
      levels.set(key, measured(beat, kit))
    }
    return levels.get(key)
  }

  function measured(beat, kit) {
    const level = { value: 1, isKnown: false, ready: null }
    const whole = beat.lengths?.length ? unrolled(beat) : beat
    const bars = Math.max(1, Math.floor(LEVEL_SECONDS / barSeconds(beat)))
    const heard = bars < whole.bars ? shortened(whole, bars) : whole
    const learn = (peak) => {
      level.value = Math.min(1, kit.ceiling / peak)
      level.isKnown = true
    }
    if (!isNeutral(beat.mixer)) { // by the browser, beside the page
      level.ready = rendered(heard, kit, table, { loop: true }).then(({ peak }) => {
        learn(peak)
        if (level.value < 1) onQuieter()
      })
      return level
    }
    const mixing = mixed(heard, kit)
    const first = mixing.next()
    if (first.done) {
      learn(first.value)
      level.ready = Promise.resolve()
    } else {
      level.ready = finished(mixing).then((peak) => {
        learn(peak)
        if (level.value < 1) onQuieter()
      })
    }
    return level
  }

  return { of, forget: () => levels.clear() }
}

async function finished(mixing) {
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve))
    const { done, value } = mixing.next()
    if (done) return value
  }
}

/**
 * The loudest sample of a beat as it sounds from the second round on, with the ends of the round
 * before ringing in. Pauses (yields) where it takes long.
 */
function* mixed(beat, kit) {
  const rate = [...kit.notes.values()][0][0].buffer.sampleRate
  const quarterSeconds = 60 / tempoOf(beat)
  const frames = toEven(beat.bars * beat.bar_quarters * quarterSeconds * rate)
  const sides = [new Float32Array(frames), new Float32Array(frames)]
  const strokes = strokesOf(beat, 0)
    .map((stroke) => ({ ...stroke, wave: waveOf(kit, stroke.lane, stroke.note, stroke.velocity, stroke.turn),
      frame: toEven(stroke.at * quarterSeconds * rate) }))
    .filter(({ wave }) => wave)
  const chokes = strokes.filter(({ lane }) => kit.chokes.has(lane)).map(({ frame }) => frame)
  const fade = Math.round(kit.chokeSeconds * rate)
  let pauseAt = performance.now() + MIX_MILLISECONDS
  for (const { frame, lane, wave } of strokes) {
    const until = kit.chokes.has(lane)
      ? (chokes.find((one) => one > frame) ?? chokes[0] + frames) - frame : Infinity
    for (const side of [0, 1]) ring(wave, side, frame, until, fade, sides[side])
    if (performance.now() < pauseAt) continue
    yield
    pauseAt = performance.now() + MIX_MILLISECONDS
  }
  let peak = 1e-9
  for (const side of sides) {
    for (let i = 0; i < frames; i += 1) {
      if (side[i] > peak) peak = side[i]
      else if (-side[i] > peak) peak = -side[i]
    }
  }
  return peak
}

/** Add a stroke to a loop, round and round; from frame `until` of its own on it fades in `fade`. */
function ring({ buffer, gain }, side, start, until, fade, loop) {
  const wave = buffer.getChannelData(Math.min(side, buffer.numberOfChannels - 1))
  const whole = Math.min(wave.length, until)
  for (let from = 0; from < whole;) {
    const at = (start + from) % loop.length
    const to = Math.min(whole, from + loop.length - at)
    add(wave, from, to, gain, loop, at)
    from = to
  }
  const end = Math.min(wave.length, until + fade)
  for (let i = whole; i < end; i += 1) {
    loop[(start + i) % loop.length] += wave[i] * gain * (1 - (i - until) / fade)
  }
}

function add(wave, from, to, gain, loop, at) {
  const ahead = at - from
  for (let i = from; i < to; i += 1) loop[i + ahead] += wave[i] * gain
}

function barSeconds(beat) {
  return (beat.bar_quarters * 60) / tempoOf(beat)
}

/** Some loops of a beat as one, with every stroke that its conditions may let sound. */
function unrolled(beat) {
  const { bars, bar_quarters: quarters } = beat
  const long = bars * LOOPS_MEASURED
  const strokes = strokesBetween(placed({ ...beat, seed: null }, 0, 0, 0), 0, long * quarters)
  const hits = [...strokes].map(({ quarter, lane, velocity, note }) => [quarter, lane, velocity, note])
  return { ...beat, bars: long, lengths: [], hits }
}

/** The first bars of a beat. */
export function shortened(beat, bars) {
  const end = bars * beat.bar_quarters
  return { ...beat, bars, hits: beat.hits.filter(([onset]) => onset < end) }
}
