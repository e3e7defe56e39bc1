// Strokes tuned and shortened, as `voiced` in dj_core/sound/mixing.py has them.

const KEPT = 6 // of one recording: a knob on its way makes many
const kernels = new Map()
const voicings = new WeakMap() // recording → what was made of it

/** A recording `tune` semitones higher, dying away as `decay` (1: as it is) says. */
export function voiced(buffer, { tune = 0, decay = 1 }, formulas) {
  if (!tune && decay >= 1) return buffer
  if (!voicings.has(buffer)) voicings.set(buffer, new Map())
  const known = voicings.get(buffer)
  const key = `${tune} ${decay}`
  if (!known.has(key)) {
    if (known.size >= KEPT) known.delete(known.keys().next().value)
    known.set(key, made(buffer, tune, decay, formulas))
  }
  return known.get(key)
}

function made(buffer, tune, decay, formulas) {
  const { sampleRate } = buffer
  const ratio = 2 ** (tune / 12)
  const length = tune ? Math.floor((buffer.length - 1) / ratio) + 1 : buffer.length
  const heard = new AudioBuffer({ numberOfChannels: 2, length, sampleRate })
  const kernel = tune && kernelOf(ratio, formulas)
  const [lowest, highest] = formulas.decay_seconds
  const constant = lowest * (highest / lowest) ** decay * sampleRate
  for (let side = 0; side < 2; side += 1) {
    const wave = buffer.getChannelData(side)
    const target = heard.getChannelData(side)
    if (tune) resample(wave, target, ratio, kernel, formulas.tune_phases)
    else target.set(wave)
    if (decay < 1) for (let i = 0; i < length; i += 1) target[i] *= Math.exp(-i / constant)
  }
  return heard
}

function resample(wave, target, ratio, { weights, reach }, phases) {
  const taps = 2 * reach
  for (let i = 0; i < target.length; i += 1) {
    const place = i * ratio
    const whole = Math.floor(place)
    const row = Math.round((place - whole) * phases) * taps
    const first = Math.max(0, reach - 1 - whole)
    const end = Math.min(taps, wave.length - whole + reach - 1)
    let sum = 0
    for (let tap = first; tap < end; tap += 1) sum += wave[whole + tap - reach + 1] * weights[row + tap]
    target[i] = sum
  }
}

function kernelOf(ratio, { tune_taps: zeros, tune_phases: phases }) {
  if (kernels.has(ratio)) return kernels.get(ratio)
  const cut = Math.min(1, 1 / ratio)
  const reach = Math.ceil(zeros / cut)
  const taps = 2 * reach
  const weights = new Float32Array((phases + 1) * taps)
  const row = new Float64Array(taps)
  for (let phase = 0; phase <= phases; phase += 1) {
    let sum = 0
    for (let tap = 0; tap < taps; tap += 1) {
      const away = 1 - reach + tap - phase / phases
      const turn = Math.PI * cut * away
      const sinc = turn === 0 ? 1 : Math.sin(turn) / turn
      row[tap] = sinc * Math.cos((Math.min(1, Math.max(-1, away / reach)) * Math.PI) / 2) ** 2
      sum += row[tap]
    }
    for (let tap = 0; tap < taps; tap += 1) weights[phase * taps + tap] = row[tap] / sum
  }
  if (kernels.size >= 8) kernels.delete(kernels.keys().next().value)
  kernels.set(ratio, { weights, reach })
  return kernels.get(ratio)
}
