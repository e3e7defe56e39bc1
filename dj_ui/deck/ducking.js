// Kicks turn the other drums down: a line of gains, planned from the kicks, not a compressor.

const KEPT_SECONDS = 8 // longer than any dip lasts

export class Ducking {
  constructor(param) {
    this.param = param
    this.dips = [] // { time, quarter, gain, attack, release }, in order
    this.points = [[0, 1]]
    param.setValueAtTime(1, 0)
  }

  add(dip) {
    this.dips = this.dips.filter(({ time }) => time > dip.time - KEPT_SECONDS)
    if (this.dips.at(-1)?.time === dip.time) dip.gain = Math.min(dip.gain, this.dips.pop().gain)
    this.dips.push(dip)
    this.#draw(dip.time)
  }

  /** Take back what was planned from `quarter` on; `cut` is when that is. */
  cancelFrom(quarter, cut) {
    const left = this.dips.filter((dip) => dip.quarter < quarter)
    if (left.length === this.dips.length) return
    this.dips = left
    this.#draw(cut)
  }

  clear() {
    this.dips = []
    this.#draw(0)
  }

  #draw(from) {
    const here = valueAt(this.points, from)
    this.points = duckLine(this.dips)
    this.param.cancelScheduledValues(from)
    this.param.linearRampToValueAtTime(here, from)
    for (const [time, gain] of this.points) if (time > from) this.param.linearRampToValueAtTime(gain, time)
  }
}

/** As `duck_line` in dj_core/sound/mixing.py: points of [seconds, gain], straight between. */
function duckLine(dips) {
  let points = [[0, 1]]
  for (const { time, gain, attack, release } of dips) {
    const here = valueAt(points, time)
    points = points.filter(([at]) => at < time)
    points.push([time, here], [time + attack, gain], [time + attack + release, 1])
  }
  return points
}

function valueAt(points, time) {
  const next = points.findIndex(([at]) => at > time)
  if (next < 0) return points.at(-1)[1]
  if (next === 0) return points[0][1]
  const [[start, from], [end, to]] = [points[next - 1], points[next]]
  return from + ((to - from) * (time - start)) / (end - start)
}
