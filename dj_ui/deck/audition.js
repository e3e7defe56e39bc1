// A kit heard before it is chosen: what plays goes on with it; else the beat's first bars play once.

import { DRUMS } from './given.js'
import { shortened } from './levels.js'
import { strokesOf, tempoOf } from './pattern.js'

const MOST_SECONDS = 2.6
const STROKE_VELOCITY = 112

export class Audition {
  constructor(engine) {
    this.engine = engine
    this.wanted = null // the kit that is to be heard, by the name that links have
  }

  /** Have `beat` heard with a kit until `end`, or another kit; false where it cannot be. */
  async hear(kit, beat) {
    this.wanted = kit
    try {
      const name = await this.#fetched(kit, beat)
      if (this.wanted !== kit) return true
      if (this.engine.state().playing) this.engine.tryKit(name)
      else {
        const seconds = 60 / tempoOf(beat) * beat.bar_quarters
        const bars = Math.min(beat.bars, Math.max(1, Math.floor(MOST_SECONDS / seconds)))
        const sound = await this.engine.renderOffline(shortened(beat, bars), { kit: name })
        if (this.wanted === kit) this.engine.playAside(sound)
      }
      return true
    } catch {
      return false // the server is gone, or the kit is
    }
  }

  /** One drum of a kit, once, whatever else plays. */
  async strike(kit, lane) {
    const { note } = DRUMS[lane]
    const beat = { id: `one ${note}`, bars: 1, bar_quarters: 4, tempo_bpm: 60,
      hits: [[0, lane, STROKE_VELOCITY, note]] }
    this.wanted = kit
    try {
      const sound = await this.engine.renderOffline(beat, { kit: await this.#fetched(kit, beat) })
      this.engine.playAside(sound)
    } catch { /* the server is gone, or the kit is: the page says so */ }
  }

  end() {
    this.wanted = null
    this.engine.tryKit(null)
    this.engine.playAside(null)
  }

  // Only the drums that the beat strikes are asked for; the whole kit comes when it is chosen.
  async #fetched(kit, beat) {
    const struck = strokesOf(beat, 0).flatMap(({ lane, note }) => [note, DRUMS[lane].note])
    const address = new URL(`kit-sounds/${encodeURIComponent(kit)}`, window.__streamlit.BACKEND_BASE_URL)
    address.searchParams.set('notes', [...new Set(struck)].sort((one, other) => one - other))
    const answer = await fetch(address)
    if (!answer.ok) throw new Error(answer.statusText)
    const drums = await answer.json()
    const known = drums.shots.every(({ note }) => this.engine.hasNote(drums.name, note))
    if (!known) this.engine.loadKit(drums)
    return drums.name
  }
}
