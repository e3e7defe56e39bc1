// Time: a timer that hidden tabs do not slow down, a map between quarter notes and seconds, and taps.

const TAP_PAUSE_MILLISECONDS = 2_000
const TAPS_KEPT = 8

/** Calls `onTick` every so often while started. */
export function createTicker(onTick, everyMilliseconds) {
  // The page's own timers are held back to once a second in a hidden tab; a worker's are not.
  const program = `let timer
    onmessage = ({ data }) => {
      clearInterval(timer)
      if (data) timer = setInterval(() => postMessage(null), data)
    }`
  let worker = null
  let timer = null

  function usePageTimer() {
    worker = null
    if (timer === null) timer = setInterval(onTick, everyMilliseconds)
  }

  function start() {
    try {
      if (!worker) {
        const address = URL.createObjectURL(new Blob([program], { type: 'text/javascript' }))
        worker = new Worker(address)
        URL.revokeObjectURL(address)
        worker.onmessage = onTick
        worker.onerror = usePageTimer
      }
      worker.postMessage(everyMilliseconds)
    } catch {
      usePageTimer() // a page that forbids workers
    }
  }

  function stop() {
    worker?.postMessage(0)
    clearInterval(timer)
    timer = null
  }

  return { start, stop }
}

/**
 * Where quarter notes lie in seconds, through changes of tempo.
 * Quarters count from the song's start, which a count-in precedes with negative ones.
 */
export function createTempoMap() {
  let anchors = [{ quarter: 0, time: 0, bpm: 120 }]

  /** The last anchor that `reached` says yes to; the first rules what lies before it too. */
  function anchorOf(reached) {
    for (let i = anchors.length - 1; i > 0; i -= 1) if (reached(anchors[i])) return anchors[i]
    return anchors[0]
  }

  function timeAt(quarter) {
    const anchor = anchorOf((one) => one.quarter <= quarter)
    return anchor.time + ((quarter - anchor.quarter) * 60) / anchor.bpm
  }

  function quarterAt(time) {
    const anchor = anchorOf((one) => one.time <= time)
    return anchor.quarter + ((time - anchor.time) * anchor.bpm) / 60
  }

  return {
    timeAt,
    quarterAt,
    tempoAt: (quarter) => anchorOf((one) => one.quarter <= quarter).bpm,
    /** Begin anew: `quarter` is at `time`. */
    reset(quarter, time, bpm) {
      anchors = [{ quarter, time, bpm }]
    },
    /** From `quarter` on play at `bpm`, whatever was planned after it. */
    change(quarter, bpm) {
      const time = timeAt(quarter)
      anchors = anchors.filter((one) => one.quarter < quarter)
      if (anchors.length && anchors.at(-1).bpm === bpm) return
      anchors.push({ quarter, time, bpm })
    },
    /** Let go of what was over before `time`. */
    forget(time) {
      while (anchors.length > 1 && anchors[1].time <= time) anchors.shift()
    },
  }
}

/** Taps in time: from the second one on, `onTempo(bpm)` hears the tempo of the last eight. */
export function createTapper(onTempo) {
  let taps = []

  function tap() {
    const now = performance.now()
    if (taps.length && now - taps.at(-1) > TAP_PAUSE_MILLISECONDS) taps = []
    taps = [...taps, now].slice(-TAPS_KEPT)
    if (taps.length < 2) return
    const spacing = (taps.at(-1) - taps[0]) / (taps.length - 1)
    onTempo(Math.round(600_000 / spacing) / 10)
  }

  return { tap }
}
