// Sounding strokes: each starts on a whole frame, can be taken back, and is let go without a click.

const MOST_VOICES = 96 // of one deck; beyond that the longest ringing is let go
const LET_GO_SECONDS = 0.006
const LANES = 16

/** A gain that moves in straight lines and can be told otherwise on the way. */
export function createFader(param, value) {
  let points = [[0, value]] // [time, value]; straight between, level after the last
  param.setValueAtTime(value, 0)

  function valueAt(time) {
    for (let i = points.length - 1; i >= 0; i -= 1) {
      const [start, from] = points[i]
      if (start > time) continue
      if (i === points.length - 1) return from
      const [end, to] = points[i + 1]
      return from + ((to - from) * (time - start)) / (end - start)
    }
    return points[0][1]
  }

  /** From `at` on follow `path`, [time, value] each; until then go on as planned. */
  function follow(path, at) {
    const here = valueAt(at)
    param.cancelScheduledValues(at)
    // the line under way lost its end: this is where it is by then
    param.linearRampToValueAtTime(here, at)
    points = [...points.filter(([time]) => time < at).slice(-1), [at, here]]
    for (const [time, next] of path) {
      param.linearRampToValueAtTime(next, time)
      points.push([time, next])
    }
  }

  return {
    valueAt,
    follow,
    to: (next, at, seconds) => follow([[at + seconds, next]], at),
    target: () => points.at(-1)[1],
  }
}

/** The strokes of one deck, each into the node of its lane; `mostVoices` ring at a time. */
export function createVoices(context, mostVoices = MOST_VOICES) {
  const lanes = Array.from({ length: LANES }, () => {
    const node = new GainNode(context)
    return { node, fader: createFader(node.gain, 1) }
  })
  const voices = new Set()

  /**
   * Plan a stroke.
   * stroke: {buffer, gain, lane, time, quarter, chokes, chokeSeconds}; `time` in seconds on a
   * whole frame; `chokes`: it silences, and is silenced by, the other strokes that do.
   */
  function strike(stroke) {
    if (stroke.chokes) chokeBefore(stroke)
    const gain = new GainNode(context, { gain: stroke.gain })
    const source = new AudioBufferSourceNode(context, { buffer: stroke.buffer })
    source.connect(gain).connect(lanes[stroke.lane].node)
    const voice = { ...stroke, source, node: gain, ends: stroke.time + stroke.buffer.duration }
    voice.choked = null
    voices.add(voice)
    source.onended = () => remove(voice)
    source.start(stroke.time)
    makeRoom(stroke.time)
  }

  function chokeBefore({ quarter, time, chokeSeconds }) {
    for (const voice of voices) {
      if (!voice.chokes || voice.choked || voice.quarter >= quarter) continue
      voice.choked = { quarter, time }
      letGo(voice, time, chokeSeconds)
    }
  }

  function letGo(voice, time, seconds) {
    voice.node.gain.setValueAtTime(voice.gain, time)
    voice.node.gain.linearRampToValueAtTime(0, time + seconds)
    voice.source.stop(time + seconds)
  }

  function ringOn(voice) {
    voice.node.gain.cancelScheduledValues(voice.choked.time)
    voice.source.stop(voice.ends)
    voice.choked = null
  }

  function makeRoom(time) {
    if (voices.size <= mostVoices) return
    const sounding = [...voices].filter(
      (voice) => voice.time < time && time < voice.ends && !voice.choked,
    )
    if (sounding.length < mostVoices) return
    const oldest = sounding.reduce((one, other) => (other.time < one.time ? other : one))
    oldest.choked = { quarter: -Infinity, time }
    letGo(oldest, time, LET_GO_SECONDS)
  }

  function remove(voice) {
    voices.delete(voice)
    voice.source.onended = null
    voice.source.disconnect()
    voice.node.disconnect()
  }

  /** Take back what was planned from `quarter` on, and what it would have silenced. */
  function cancelFrom(quarter) {
    for (const voice of voices) {
      if (voice.quarter >= quarter) {
        voice.source.stop()
        remove(voice)
      } else if (voice.choked && voice.choked.quarter >= quarter) ringOn(voice)
    }
  }

  /** Be silent from `time` on; whoever calls it has faded the sound out by then. */
  function silence(time) {
    for (const voice of voices) voice.source.stop(time)
  }

  return { strike, cancelFrom, silence, lanes, count: () => voices.size }
}
