// A track that plays along: locked to the deck's beats, through a filter and three kills.
//
// The track has its own beats, in seconds. Song quarter by song quarter it is played at the rate
// that brings its next beat to where the deck has its own. At every tick it is worked out where the
// track should be and where it is; where they differ, it is taken up anew at the right place.

const AHEAD_SECONDS = 0.08
const TICK_MILLISECONDS = 60
const PLANNED_SECONDS = 2
const OFF_SECONDS = 0.0015 // from which the track is taken up anew
const FADE_SECONDS = 0.004
const SAME_RATE = 1e-4
const STEADY_SECONDS = 0.003 // of beats that are meant to be evenly spaced
const KILL_DB = -60
const CROSSOVERS_HERTZ = [200, 2500]

export class TrackPlayer {
  constructor(engine, onChange) {
    Object.assign(this, { engine, onChange })
    this.buffer = null
    this.beats = []
    this.first = 0 // index of the beat that falls on song quarter 0
    this.locked = false
    this.filter = 0 // -1 (only lows) over 0 (all) to 1 (only highs)
    this.killed = { low: false, mid: false, high: false }
    this.level = 1
    this.source = null
    this.unsubscribe = engine.subscribe(() => this.tick())
    this.timer = setInterval(() => this.tick(), TICK_MILLISECONDS)
  }

  close() {
    this.unsubscribe()
    clearInterval(this.timer)
    this.silence()
    this.out?.disconnect()
  }

  get context() { return this.engine.output.context }
  get isSounding() { return this.source !== null }

  setBuffer(buffer) {
    this.silence()
    this.buffer = buffer
    this.tick()
  }

  /** The track's beats in seconds, and which of them falls on the song's first quarter. */
  setBeats(beats, first) {
    this.beats = beats
    this.first = Math.max(0, Math.min(first, beats.length - 1))
    this.averagePeriod = beats.length > 1 ? (beats.at(-1) - beats[0]) / (beats.length - 1) : 0.5
    this.steady = beats.every((beat, i) =>
      Math.abs(beat - beats[0] - i * this.averagePeriod) < STEADY_SECONDS)
    if (this.source) this.resume()
    this.tick()
  }

  /** Play along while the deck plays, or not. */
  setLocked(on) {
    this.locked = on
    if (!on) this.silence()
    this.tick()
    this.onChange()
  }

  setFilter(position) { this.filter = position; this.applyTone() }
  setKill(band, on) { this.killed[band] = on; this.applyTone() }
  setLevel(level) { this.level = level; this.applyTone() }

  /** Where the track's beat of a song quarter lies, in seconds of the track. */
  placeAt(quarter) {
    const { beats, averagePeriod } = this
    const number = this.first + quarter
    if (this.steady) return beats[0] + number * averagePeriod
    const low = Math.max(0, Math.min(Math.floor(number), beats.length - 2))
    const gap = number < 0 || number > beats.length - 1 ? averagePeriod : beats[low + 1] - beats[low]
    const from = number > beats.length - 1 ? beats.length - 1 : number < 0 ? 0 : low
    return beats[from] + (number - from) * gap
  }

  /** The song quarter that is heard while the track is at `seconds`. */
  quarterOf(seconds) {
    const { beats } = this
    let at = beats.findIndex((beat) => beat > seconds)
    if (at < 0) at = beats.length - 1
    const low = Math.max(0, at - 1)
    return low + (seconds - beats[low]) / (beats[low + 1] - beats[low] || this.averagePeriod) - this.first
  }

  tick() {
    if (!this.locked || !this.buffer || this.beats.length < 2 || !this.engine.playing) {
      if (this.source) this.silence()
      return
    }
    const now = this.context.currentTime
    if (!this.source) return this.resume()
    const at = now + AHEAD_SECONDS
    if (Math.abs(this.positionAt(at) - this.placeAt(this.engine.tempo.quarterAt(at))) > OFF_SECONDS)
      return this.resume()
    this.plan(now)
  }

  /** Begin, or go on, at the place where the deck is. */
  resume() {
    this.build()
    const { tempo } = this.engine
    const start = Math.max(this.context.currentTime + AHEAD_SECONDS, tempo.timeAt(0))
    const quarter = tempo.quarterAt(start)
    const place = this.placeAt(quarter)
    this.silence(start)
    if (place < 0 || place >= this.buffer.duration) return
    const gain = new GainNode(this.context, { gain: 0 })
    const source = new AudioBufferSourceNode(this.context, { buffer: this.buffer })
    source.connect(gain).connect(this.in)
    gain.gain.setValueAtTime(0, start)
    gain.gain.linearRampToValueAtTime(1, start + FADE_SECONDS)
    source.start(start, place)
    source.onended = () => { if (this.source === source) { this.source = null; this.onChange() } }
    this.source = source
    this.gain = gain
    this.pieces = [{ time: start, place, rate: 1 }]
    this.cursor = quarter
    this.plan(this.context.currentTime)
    this.onChange()
  }

  /** Set the rates of the next seconds. */
  plan(now) {
    const { tempo } = this.engine
    while (tempo.timeAt(this.cursor) < now + PLANNED_SECONDS) {
      const next = Math.floor(this.cursor + 1 + 1e-9)
      const [time, until] = [tempo.timeAt(this.cursor), tempo.timeAt(next)]
      const piece = this.pieces.at(-1)
      const place = piece.place + (time - piece.time) * piece.rate
      const rate = this.steady
        ? this.averagePeriod / (until - time) * (next - this.cursor)
        : (this.placeAt(next) - place) / (until - time)
      if (Math.abs(rate - piece.rate) > SAME_RATE / 100) {
        const exact = Math.abs(rate - 1) < SAME_RATE / 100 ? 1 : rate
        this.source.playbackRate.setValueAtTime(exact, time)
        this.pieces.push({ time, place, rate: exact })
      }
      this.cursor = next
    }
    while (this.pieces.length > 1 && this.pieces[1].time < now - 1) this.pieces.shift()
  }

  /** Where the track is, in its own seconds, at a time of the audio clock. */
  positionAt(time) {
    const piece = this.pieces.findLast((one) => one.time <= time) ?? this.pieces[0]
    return piece.place + (time - piece.time) * piece.rate
  }

  /** Where the track is heard now, in its own seconds; null while it does not sound. */
  heard() {
    return this.source ? this.positionAt(this.engine.output.heard()) : null
  }

  /** How far the track is off the deck, in seconds, as it is planned for now. */
  phaseError() {
    if (!this.source) return null
    const now = this.context.currentTime
    return this.positionAt(now) - this.placeAt(this.engine.tempo.quarterAt(now))
  }

  silence(at = this.context?.currentTime ?? 0) {
    if (!this.source) return
    const { source, gain } = this
    this.source = null
    gain.gain.setValueAtTime(1, at)
    gain.gain.linearRampToValueAtTime(0, at + FADE_SECONDS)
    source.stop(at + 2 * FADE_SECONDS)
    this.onChange()
  }

  /** Source → low cut → high cut → three bands → level → the deck's own way out. */
  build() {
    if (this.built === this.context) return
    const { context } = this
    this.built = context
    const [low, high] = CROSSOVERS_HERTZ
    this.in = new GainNode(context)
    this.sweep = new BiquadFilterNode(context, { type: 'allpass', frequency: 20_000 })
    this.bands = {
      low: new BiquadFilterNode(context, { type: 'lowshelf', frequency: low }),
      mid: new BiquadFilterNode(context, { type: 'peaking', frequency: Math.sqrt(low * high), Q: 0.35 }),
      high: new BiquadFilterNode(context, { type: 'highshelf', frequency: high }),
    }
    this.out = new GainNode(context)
    const { bands } = this
    this.in.connect(this.sweep).connect(bands.low).connect(bands.mid).connect(bands.high)
    bands.high.connect(this.out).connect(this.engine.output.guard)
    this.applyTone()
  }

  applyTone() {
    if (!this.in || this.built !== this.context) return
    const now = this.context.currentTime
    const { filter } = this
    this.sweep.type = filter < 0 ? 'lowpass' : filter > 0 ? 'highpass' : 'allpass'
    const hertz = filter < 0 ? 20_000 * 0.005 ** -filter : 20 * 500 ** filter
    this.sweep.frequency.setTargetAtTime(filter ? hertz : 20_000, now, 0.02)
    for (const [name, node] of Object.entries(this.bands))
      node.gain.setTargetAtTime(this.killed[name] ? KILL_DB : 0, now, 0.01)
    this.out.gain.setTargetAtTime(this.level, now, 0.01)
  }
}
