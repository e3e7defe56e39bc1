// The way out: the audio context, the nodes that every sound goes through, and what is heard when.

import { Console } from './console.js'
import { createFader, createVoices } from './voices.js'

export const DECKS = ['A', 'B']
export const GUARD_SECONDS = 0.03 // what sounds sooner than this is left as it was planned
const LONGEST_GUARD_SECONDS = 0.15 // on a machine that lets the page wait
const ASIDE_FADE_SECONDS = 0.02
const DEVICE_CHANGE_MILLISECONDS = 500

/** Owns the audio context. `isWanted()`: shall it sound? `onChange()`, `onFailure()`: see there. */
export class Output {
  constructor({ sampleRate, mixerTable, isWanted, onChange, onFailure }) {
    Object.assign(this, { sampleRate, mixerTable, isWanted, onChange, onFailure })
    this.context = null
    this.gestureArmed = false
    navigator.mediaDevices?.addEventListener?.('devicechange', () => this.deviceChanged())
  }

  get isOpen() { return this.context !== null && this.context.state !== 'closed' }
  get isRunning() { return this.context?.state === 'running' }
  get now() { return this.context.currentTime }
  get rate() { return this.context?.sampleRate ?? this.sampleRate }

  /** Make the context, once; true if it is a new one. */
  open() {
    if (this.isOpen) return false
    try {
      this.context = new AudioContext({ sampleRate: this.sampleRate, latencyHint: 'interactive' })
    } catch {
      this.context = new AudioContext() // a device that takes no rate but its own
    }
    this.build()
    const mine = this.context
    mine.onstatechange = () => {
      if (mine !== this.context) return
      if (this.isWanted() && !this.isRunning) this.resume()
      this.onChange()
    }
    mine.onerror = () => mine === this.context && this.onFailure() // the sound device failed
    return true
  }

  /** Decks, each through its mixer, and clicks → transport (play and stop) → guard against clipping → volume → the room. */
  build() {
    const { context } = this
    const volume = new GainNode(context)
    const transport = new GainNode(context)
    this.guard = guardAgainstClipping(context, volume)
    transport.connect(this.guard)
    volume.connect(context.destination)
    this.volume = createFader(volume.gain, 1)
    this.transport = createFader(transport.gain, 0)
    this.decks = {}
    for (const name of DECKS) {
      const node = new GainNode(context)
      node.connect(transport)
      const voices = createVoices(context)
      const inputs = voices.lanes.map((lane) => lane.node)
      const desk = new Console(context, inputs, node, this.mixerTable)
      this.decks[name] = { fader: createFader(node.gain, 0), voices, desk }
    }
    const clicks = createVoices(context)
    clicks.lanes[0].node.connect(transport)
    this.clicks = {
      voices: clicks,
      high: clickSound(context, 1600),
      low: clickSound(context, 1100),
    }
    this.silentUntil = 0
    this.aside = null
  }

  /** Play a sound once, as soon as can be; what played so before fades. */
  playAside(sound) {
    if (this.aside) {
      const { source, gain } = this.aside
      gain.gain.setTargetAtTime(0, this.now, ASIDE_FADE_SECONDS / 4)
      source.stop(this.now + 2 * ASIDE_FADE_SECONDS)
      this.aside = null
    }
    if (!sound) return
    const gain = new GainNode(this.context)
    const source = new AudioBufferSourceNode(this.context, { buffer: sound })
    source.connect(gain).connect(this.guard)
    source.onended = () => { if (this.aside?.source === source) this.aside = null }
    this.aside = { source, gain }
    source.start()
  }

  get allVoices() {
    return [...DECKS.map((name) => this.decks[name].voices), this.clicks.voices]
  }

  close() {
    this.context?.close().catch(() => {})
    this.context = null
  }

  /** Let it sound. Browsers let a page sound only after a click or a key; else the next will do. */
  resume() {
    if (!this.gestureArmed) {
      this.gestureArmed = true
      const kinds = ['pointerdown', 'keydown']
      const gesture = () => {
        this.gestureArmed = false
        for (const kind of kinds) removeEventListener(kind, gesture, true)
        if (this.isWanted() && !this.isRunning) this.context?.resume().catch(() => {})
      }
      for (const kind of kinds) addEventListener(kind, gesture, true)
    }
    this.context.resume().catch(() => {})
  }

  /** Most browsers move over to another sound device by themselves; a stopped clock says if not. */
  deviceChanged() {
    if (!this.isRunning || !this.isWanted()) return
    const [mine, before] = [this.context, this.now]
    setTimeout(() => {
      if (mine === this.context && this.isWanted() && this.now === before) this.onFailure()
    }, DEVICE_CHANGE_MILLISECONDS)
  }

  onFrame(time) {
    return Math.round(time * this.context.sampleRate) / this.context.sampleRate
  }

  /** The first moment that can still be planned; `waitedSeconds`: how long the page waits at times. */
  soon(waitedSeconds = 0) {
    const buffered = 2 * (this.context.baseLatency || 0)
    const waited = Math.min(LONGEST_GUARD_SECONDS, waitedSeconds)
    return this.now + Math.max(GUARD_SECONDS, buffered, waited)
  }

  /** The moment on the audio clock that is heard now. */
  heard() {
    const { now } = this
    const stamp = this.context.getOutputTimestamp?.()
    if (stamp?.contextTime > 0) {
      const heard = stamp.contextTime + (performance.now() - stamp.performanceTime) / 1000
      if (heard <= now && heard > now - 1) return heard
    }
    return now - (this.context.outputLatency || this.context.baseLatency || 0)
  }

  /** When a moment on the audio clock is heard, as performance.now() counts milliseconds. */
  millisecondsAt(time) {
    const stamp = this.context.getOutputTimestamp?.()
    return stamp?.contextTime > 0
      ? stamp.performanceTime + (time - stamp.contextTime) * 1000
      : performance.now() + (time - this.heard()) * 1000
  }
}

/** Leaves everything below the ceiling as it is and bends what two decks together push over it. */
function guardAgainstClipping(context, output) {
  const [ceiling, widest, points] = [0.9, 4, 8193]
  const curve = new Float32Array(points)
  for (let i = 0; i < points; i += 1) {
    const x = ((2 * i) / (points - 1) - 1) * widest
    const over = Math.abs(x) - ceiling
    const bent = ceiling + (1 - ceiling) * Math.tanh(over / (1 - ceiling))
    curve[i] = over > 0 ? Math.sign(x) * bent : x
  }
  const narrowed = new GainNode(context, { gain: 1 / widest })
  const shaper = new WaveShaperNode(context, { curve })
  narrowed.connect(shaper).connect(output)
  return narrowed
}

function clickSound(context, hertz) {
  const length = Math.round(context.sampleRate * 0.03)
  const buffer = new AudioBuffer({ length, sampleRate: context.sampleRate })
  const wave = buffer.getChannelData(0)
  for (let i = 0; i < length; i += 1) {
    const seconds = i / context.sampleRate
    wave[i] = Math.sin(2 * Math.PI * hertz * seconds) * Math.exp(-seconds * 150) * (1 - i / length)
  }
  return buffer
}
