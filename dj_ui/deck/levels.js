// How loud a beat is: as its sound file, it is turned down as a whole where it would clip.

const LEVEL_SECONDS = 60 // of a long beat, this much says how loud it is
const LEVELS_KEPT = 200

/** `onQuieter()` is called when a beat turns out to need turning down. */
function createLevels(onQuieter) {
  const levels = new Map()

  /** {value, ready}: the gain, 1 until it is known, and a promise of its being known. */
  function of(beat, kit) {
    const key = `${kit.name} ${beat.id}`
    if (!levels.has(key)) {
      if (levels.size >= LEVELS_KEPT) levels.delete(levels.keys().next().value)
      levels.set(key, measured(beat, kit))
    }
    return levels.get(key)
  }

  function measured(beat, kit) {
    const level = { value: 1, ready: null }
    const bars = Math.max(1, Math.floor(LEVEL_SECONDS / barSeconds(beat)))
    const measure = rendered(bars < beat.bars ? shortened(beat, bars) : beat, kit, { loop: true })
    level.ready = measure.then(
      ({ peak }) => {
        level.value = Math.min(1, kit.ceiling / peak)
        if (level.value < 1) onQuieter()
      },
      () => {}, // no memory for it: the guard against clipping has to do
    )
    return level
  }

  return { of, forget: () => levels.clear() }
}

function barSeconds(beat) {
  return (beat.bar_quarters * 60) / tempoOf(beat)
}

function shortened(beat, bars) {
  const end = bars * beat.bar_quarters
  return { ...beat, bars, hits: beat.hits.filter(([onset]) => onset < end) }
}
