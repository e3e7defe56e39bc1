// Impulse responses made of noise, as `impulse_response` in dj_core/sound/mixing.py makes them.

const made = new Map()

/** An AudioBuffer of two channels for a row `reverb` of the mixer's table. */
export function impulseResponse(reverb, sampleRate) {
  const key = `${reverb.seed} ${sampleRate}`
  if (!made.has(key)) made.set(key, response(reverb, sampleRate))
  return made.get(key)
}

function response(reverb, sampleRate) {
  const length = Math.round(reverb.seconds * sampleRate)
  const buffer = new AudioBuffer({ numberOfChannels: 2, length, sampleRate })
  const low = Math.exp((-2 * Math.PI * reverb.low_hertz) / sampleRate)
  const high = Math.exp((-2 * Math.PI * reverb.high_hertz) / sampleRate)
  const falls = 10 ** (-3 / (reverb.fall_seconds * sampleRate)) // from frame to frame
  for (let side = 0; side < 2; side += 1) {
    const wave = noise(length, reverb.seed + side)
    let [dull, deep, energy, left] = [0, 0, 0, 1]
    for (let i = 0; i < length; i += 1) {
      const shape = left * Math.min(1, i / sampleRate / reverb.rise_seconds)
      dull = (1 - high) * wave[i] * shape + high * dull
      deep = (1 - low) * dull + low * deep
      wave[i] = dull - deep
      energy += wave[i] * wave[i]
      left *= falls
    }
    const scale = Math.sqrt(reverb.energy / energy)
    for (let i = 0; i < length; i += 1) wave[i] *= scale
    for (const [seconds, ...gains] of reverb.taps) {
      wave[Math.round(seconds * sampleRate)] += gains[side] * Math.sqrt(reverb.energy)
    }
    buffer.getChannelData(side).set(wave)
  }
  return buffer
}

function noise(length, seed) {
  const start = Math.imul(seed, 0x9e3779b9)
  const wave = new Float64Array(length)
  for (let i = 0; i < length; i += 1) {
    let mixed = (i + start) | 0
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b)
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
    wave[i] = ((mixed ^ (mixed >>> 16)) >>> 0) / 2 ** 31 - 1
  }
  return wave
}
