// A beat as a sound file has it: the same strokes and kit, no clock, no loudspeaker.

import { Console, KICK, measureLoop, restSeconds } from './console.js'
import { isNeutral } from './mixer_settings.js'
import { strokesOf, tempoOf } from './pattern.js'
import { waveOf } from './shots.js'
import { createVoices } from './voices.js'
import { voiced } from './voicing.js'

const END_FADE_SECONDS = 0.005

/**
 * A beat played by a decoded kit into a buffer of exactly its bars, and the loudest sample of it.
 * loop: with the ends of earlier rounds ringing in, as it sounds the second time; else it fades out.
 * table: the MixerTable, by which its mixer is read.
 */
export async function rendered(beat, kit, table, { passes = 1, loop = false, swing = 0 } = {}) {
  if (!isNeutral(beat.mixer)) await measureLoop()
  const rate = [...kit.notes.values()][0][0].buffer.sampleRate
  const quarterSeconds = 60 / tempoOf(beat)
  const seconds = beat.bars * beat.bar_quarters * quarterSeconds
  const frames = toEven(seconds * rate)
  const { mixer } = beat
  const strips = table.drums.map((_, lane) => table.strip(mixer, lane))
  const slowest = 2 ** (Math.max(0, ...strips.map(({ tune }) => -tune)) / 12)
  const unmixed = isNeutral(mixer)
  const rest = kit.ring * slowest + (unmixed ? 0 : restSeconds(table, mixer, tempoOf(beat)))
  const runIn = loop ? Math.ceil(rest / seconds) : 0
  const context = new OfflineAudioContext(2, frames * (runIn + passes), rate)
  const voices = createVoices(context, Infinity)
  const inputs = voices.lanes.map(({ node }) => node)
  const desk = new Console(context, inputs, context.destination, table)
  desk.follow([{ from: 0, mixer, tempo: tempoOf(beat), level: 1 }], 0)
  const strokes = strokesOf(beat, swing)
  for (let pass = 0; pass < runIn + passes; pass += 1) {
    for (const { at, lane, note, velocity, turn } of strokes) {
      const wave = waveOf(kit, lane, note, velocity, turn)
      if (!wave) continue
      const frame = pass * frames + toEven(at * quarterSeconds * rate)
      const [time, quarter] = [frame / rate, pass * beat.bars * beat.bar_quarters + at]
      if (lane === KICK) desk.duck(mixer, { time, quarter, velocity, tempo: tempoOf(beat) })
      voices.strike({
        gain: wave.gain, buffer: voiced(wave.buffer, strips[lane] ?? {}, table.formulas),
        lane, time, quarter,
        chokes: kit.chokes.has(lane), chokeSeconds: kit.chokeSeconds,
      })
    }
  }
  const whole = await context.startRendering()
  const buffer = new AudioBuffer({ numberOfChannels: 2, length: frames * passes, sampleRate: rate })
  let peak = 1e-9
  for (let side = 0; side < 2; side += 1) {
    const samples = buffer.getChannelData(side)
    samples.set(whole.getChannelData(side).subarray(runIn * frames))
    if (!loop) fadeOut(samples, Math.round(END_FADE_SECONDS * rate))
    for (const sample of samples) peak = Math.max(peak, Math.abs(sample))
  }
  return { buffer, peak }
}

function fadeOut(samples, frames) {
  const start = samples.length - frames
  for (let i = 0; i < frames; i += 1) samples[start + i] *= 1 - i / (frames - 1)
}

/** The sound, turned down as a whole where it would go over `ceiling`. */
export function levelled({ buffer, peak }, ceiling) {
  const level = Math.min(1, ceiling / peak)
  for (let side = 0; side < buffer.numberOfChannels && level < 1; side += 1) {
    const samples = buffer.getChannelData(side)
    for (let i = 0; i < samples.length; i += 1) samples[i] *= level
  }
  return buffer
}

/** Rounds halves to even numbers, as the sound files' frames are. */
export function toEven(number) {
  const whole = Math.round(number)
  return Math.abs(number % 1) === 0.5 && whole % 2 !== 0 ? whole - 1 : whole
}
