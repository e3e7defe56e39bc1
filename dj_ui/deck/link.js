// Ableton Link, asked of the server on this computer: the session's tempo and its place in the bar.

const EVERY_MILLISECONDS = 250
const SAMPLES_KEPT = 12 // the one that was answered soonest says best where the beat is

/** A source for `Follow`: only the place in the bar counts. */
export class Link {
  constructor(onChange) {
    this.onChange = onChange
    this.bars = true
    this.why = ''
    this.peers = 0
    this.samples = []
  }

  get bpm() { return this.samples.at(-1)?.bpm ?? null }

  quarterAt(milliseconds) {
    const { bpm } = this
    const same = this.samples.filter((one) => one.bpm === bpm)
    if (!same.length) return null
    const best = same.reduce((one, other) => (other.took < one.took ? other : one))
    return best.beat + ((milliseconds - best.at) * bpm) / 60_000
  }

  start() {
    this.timer ??= setInterval(() => this.#ask(), EVERY_MILLISECONDS)
    this.#ask()
  }

  stop() {
    clearInterval(this.timer)
    this.timer = null
    this.samples = []
  }

  async #ask() {
    if (this.asking) return
    this.asking = true
    const asked = performance.now()
    const answer = await fetch('./link', { cache: 'no-store' }).catch(() => null)
    const told = performance.now()
    const state = answer?.ok ? await answer.json().catch(() => null) : null
    this.asking = false
    if (!this.timer) return
    const why = state ? state.why : 'The server does not answer.'
    if (state && !why) {
      const { bpm, beat } = state
      this.samples = [...this.samples, { bpm, beat, at: (asked + told) / 2, took: told - asked }]
        .slice(-SAMPLES_KEPT)
    }
    const peers = state?.peers ?? 0
    const isNews = why !== this.why || peers !== this.peers || bpmOf(this.samples, 1) !== bpmOf(this.samples, 2)
    Object.assign(this, { why, peers })
    if (isNews) this.onChange()
  }
}

function bpmOf(samples, back) { return samples.at(-back)?.bpm }
