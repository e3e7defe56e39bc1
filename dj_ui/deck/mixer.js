// The mixer: volume, mute and solo, and the crossfade between the decks.

import { DECKS } from './output.js'

const MUTE_SECONDS = 0.008
export const FADER_SECONDS = 0.03
const FADE_STEPS = 16 // straight lines that stand for an equal-power curve

/** What is set and how loud it makes things; `output` may not be open yet. */
export class Mixer {
  constructor(output, decks) {
    this.output = output
    this.decks = decks
    this.volume = 1
    this.crossfade = 0 // 0 is deck A, 1 is deck B
    this.muted = new Set()
    this.soloed = new Set()
    this.bassSwap = false // the bass of one deck alone
  }

  /** Set every fader of a new output. */
  apply() {
    this.output.volume.to(this.volume, 0, 0)
    this.mixDecks(0, 0)
    this.applyMutes(0)
    this.swapBass(0)
  }

  /** As before anybody touched it; the volume is the room's and stays. */
  clear() {
    this.crossfade = 0
    this.muted.clear()
    this.soloed.clear()
    this.bassSwap = false
    if (!this.output.isOpen) return
    this.mixDecks(this.output.silentUntil, 0)
    this.applyMutes(this.output.silentUntil)
    this.swapBass(this.output.silentUntil)
  }

  setBassSwap(on) {
    this.bassSwap = on
    if (this.output.isOpen) this.swapBass(this.output.soon())
  }

  /** Let the bass of the deck through that the crossfader is nearer to, from `time` on. */
  swapBass(time) {
    const [isLate, both] = [this.crossfade >= 0.5, this.decks.A.beat && this.decks.B.beat]
    for (const name of DECKS) {
      const gain = !both || (name === 'B') === isLate ? 1 : 0
      const path = this.bassSwap ? [[time + FADER_SECONDS, gain]] : null
      this.output.decks[name].desk.swapBass(path, time)
    }
  }

  setVolume(volume) {
    this.volume = Math.min(1, Math.max(0, volume))
    if (this.output.isOpen) this.output.volume.to(this.volume, this.output.soon(), FADER_SECONDS)
  }

  isHeard(lane) {
    return this.soloed.size ? this.soloed.has(lane) : !this.muted.has(lane)
  }

  setLane(set, lane, on) {
    if (on) set.add(lane)
    else set.delete(lane)
    if (this.output.isOpen) this.applyMutes(this.output.soon())
  }

  applyMutes(time) {
    for (const name of DECKS) {
      this.output.decks[name].voices.lanes.forEach(({ fader }, lane) => {
        const gain = this.isHeard(lane) ? 1 : 0
        if (fader.target() !== gain) fader.to(gain, time, MUTE_SECONDS)
      })
    }
  }

  /** How loud a deck is with the crossfader at a position; alone, it is heard wherever that is. */
  gainOf(name, crossfade = this.crossfade) {
    if (!this.decks[name].beat) return 0
    if (!this.decks.A.beat || !this.decks.B.beat) return 1
    const angle = (crossfade * Math.PI) / 2
    const gain = name === 'A' ? Math.cos(angle) : Math.sin(angle)
    return gain < 1e-9 ? 0 : gain
  }

  /** Set both decks to where the crossfader stands. */
  mixDecks(time, seconds) {
    for (const name of DECKS) {
      const { fader } = this.output.decks[name]
      const gain = this.gainOf(name)
      if (fader.target() !== gain) fader.to(gain, time, seconds)
    }
    if (this.bassSwap) this.swapBass(time)
  }

  /** Whether a deck sounds, or is on its way to. */
  isAudible(name, time = this.output.now) {
    const { fader } = this.output.decks[name]
    return fader.target() > 0 || fader.valueAt(time) > 0
  }

  /** Move the crossfader from where it was, `before`: nothing until `start`, then in `seconds`. */
  fade(before, cut, start, seconds) {
    for (const name of DECKS) {
      const { fader } = this.output.decks[name]
      const here = fader.valueAt(cut)
      // a fade that interrupts another sets out from where that one was
      const astray = here - this.gainOf(name, before)
      const path = [[start, here]]
      for (let step = 1; step <= FADE_STEPS; step += 1) {
        const part = step / FADE_STEPS
        const planned = this.gainOf(name, before + (this.crossfade - before) * part)
        path.push([start + seconds * part, Math.max(0, planned + astray * (1 - part))])
      }
      fader.follow(path, cut)
    }
    if (this.bassSwap && before < 0.5 !== this.crossfade < 0.5) this.swapBass(start + seconds / 2)
  }
}
