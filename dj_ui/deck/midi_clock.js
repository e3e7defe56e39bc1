// Another machine's clock: where its song is, from clock messages that each come a little early or
// late. A straight line through the last four bars of them says tempo and place.

const CLOCKS_PER_QUARTER = 24
const CLOCKS_PER_POSITION = 6 // song positions count 16ths
const CLOCKS_KEPT = 16 * CLOCKS_PER_QUARTER // four bars of 4/4
const FEWEST = 12 // clocks that say a tempo
const RECENT = 12 // that show whether the tempo has changed
const CHANGE_MILLISECONDS = 3.5 // how far these may lie beside the line, in the mean
const LOST_MILLISECONDS = 500
const TEMPO_BPM = { lowest: 40, highest: 240 }

export class MidiClock {
  constructor() {
    this.running = false // Start or Continue came, and no Stop since
    this.position = 0 // 16ths, where Continue goes on
    this.forget()
  }

  forget() {
    this.times = [] // of the last clocks, milliseconds
    this.count = 0 // of the clocks so far
    this.zero = 0 // the clock on which the song began
    this.line = null
  }

  /** A realtime message, by its status byte, or a song position; `at` in milliseconds. */
  take(status, at, position = 0) {
    if (status === 0xf8) this.#clock(at)
    else if (status === 0xf2) {
      this.position = position
      if (!this.running) this.zero = this.count - position * CLOCKS_PER_POSITION
    } else if (status === 0xfa || status === 0xfb) {
      if (status === 0xfa) this.position = 0
      this.zero = this.count - this.position * CLOCKS_PER_POSITION // the next clock is there
      this.running = true
    } else if (status === 0xfc) {
      this.running = false
      this.position = Math.max(0, Math.floor((this.count - this.zero) / CLOCKS_PER_POSITION))
    }
  }

  #clock(at) {
    if (this.times.length && at - this.times.at(-1) > LOST_MILLISECONDS) this.times.length = 0
    this.times.push(at)
    this.count += 1
    if (this.times.length > CLOCKS_KEPT) this.times.shift()
    this.#fit()
    if (this.times.length > 2 * RECENT && Math.abs(this.#strays()) > CHANGE_MILLISECONDS) {
      this.times = this.times.slice(-RECENT) // it plays at another tempo now
      this.#fit()
    }
  }

  // The line of least squares through (number of the clock, its time).
  #fit() {
    const { times } = this
    const n = times.length
    if (n < FEWEST) {
      this.line = null
      return
    }
    const middle = (n - 1) / 2
    const mean = times.reduce((sum, time) => sum + (time - times[0]), 0) / n
    let [along, spread] = [0, 0]
    times.forEach((time, i) => {
      along += (i - middle) * (time - times[0] - mean)
      spread += (i - middle) ** 2
    })
    const apart = along / spread // milliseconds from clock to clock
    const first = this.count - n
    this.line = { apart, number: first + middle, time: times[0] + mean }
  }

  #strays() {
    const recent = this.times.slice(-RECENT)
    const { apart, number, time } = this.line
    const first = this.count - RECENT
    return recent.reduce((sum, one, i) => sum + one - (time + (first + i - number) * apart), 0) / RECENT
  }

  /** Its tempo; null until that is known, or where it is beyond 40 to 240. */
  get bpm() {
    const bpm = this.line ? 60_000 / (this.line.apart * CLOCKS_PER_QUARTER) : NaN
    return bpm >= TEMPO_BPM.lowest - 0.5 && bpm <= TEMPO_BPM.highest + 0.5 ? bpm : null
  }

  /** Where its song is at a moment, in quarters; null while it does not run. */
  quarterAt(milliseconds) {
    if (!this.running || this.bpm === null) return null
    const { apart, number, time } = this.line
    return (number + (milliseconds - time) / apart - this.zero) / CLOCKS_PER_QUARTER
  }

  /** Whether it was heard lately. */
  isHeard(milliseconds) {
    return this.times.length > 0 && milliseconds - this.times.at(-1) < LOST_MILLISECONDS
  }
}
