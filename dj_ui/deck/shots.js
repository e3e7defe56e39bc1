// The sounds of the kits: unpacked once, found by note and velocity.

/** Kits by name, each decoded for the sample rates that are asked for. */
export function createKits() {
  const kits = new Map()

  /** Take a kit as Python's kits.py packs it; more drums of a kit that is here join it. */
  function load(packed) {
    const known = kits.get(packed.name)
    const kit = known ?? { ...packed, more: new Set(packed.more), notes: new Map(), decoded: new Map() }
    const drums = new Map()
    for (const shot of packed.shots) {
      if (!drums.has(shot.note)) drums.set(shot.note, [])
      drums.get(shot.note).push({ ...shot, gains: packed.gains[shot.gains] })
    }
    for (const [note, shots] of drums) {
      // softest first: a stroke is played by the first recording that is hard enough
      kit.notes.set(note, shots.sort((one, other) => one.velocity - other.velocity))
      kit.more.delete(note)
    }
    kit.decoded.clear()
    kits.set(packed.name, kit)
  }

  /** A promise of a kit that can be struck at `sampleRate`: note → recordings. */
  function decoded(name, sampleRate) {
    const kit = kits.get(name)
    if (!kit) return Promise.resolve(null)
    if (!kit.decoded.has(sampleRate)) {
      const ready = decodeKit(kit, sampleRate)
      ready.catch(() => kit.decoded.delete(sampleRate)) // asked for again, it is tried again
      kit.decoded.set(sampleRate, ready)
    }
    return kit.decoded.get(sampleRate)
  }

  return {
    load,
    decoded,
    has: (name) => kits.has(name),
    /** Whether the kit has a drum of its own for `note` already. */
    hasNote: (name, note) => kits.get(name)?.notes.has(note) ?? false,
    label: (name) => kits.get(name)?.label ?? '',
  }
}

async function decodeKit(kit, sampleRate) {
  // a context without a sound device, for it may come before any click
  const decoder = new OfflineAudioContext(1, 1, sampleRate)
  const notes = new Map()
  await Promise.all(
    [...kit.notes].map(async ([note, shots]) => {
      const waves = await Promise.all(
        shots.map(async (shot) => ({
          velocity: shot.velocity,
          gains: shot.gains,
          buffer: stereo(await decoder.decodeAudioData(bytesOf(shot.flac)), shot.left, shot.right),
        })),
      )
      notes.set(note, waves)
    }),
  )
  return {
    name: kit.name,
    ceiling: kit.ceiling,
    chokeSeconds: kit.choke_seconds,
    chokes: new Set(kit.choke_lanes),
    laneNotes: kit.lane_notes,
    alternateKeysUp: kit.alternate_keys_up,
    notes,
    /** The longest sound in seconds. */
    ring: Math.max(0, ...[...notes.values()].flat().map((wave) => wave.buffer.duration)),
  }
}

/**
 * The recording and its gain for a stroke; null where the kit has no such drum. turn: how many
 * strokes of the drum came before in the beat; every second one is its alternate, if it has one.
 */
export function waveOf(kit, lane, note, velocity, turn = 0) {
  const alternate = turn % 2 ? kit.notes.get(note + kit.alternateKeysUp) : null
  const waves = alternate ?? kit.notes.get(note) ?? kit.notes.get(kit.laneNotes[lane])
  if (!waves) return null
  const wave = waves.find((one) => one.velocity >= velocity) ?? waves.at(-1)
  return { buffer: wave.buffer, gain: wave.gains[velocity - 1] }
}

function bytesOf(base64) {
  const text = atob(base64)
  const bytes = new Uint8Array(text.length)
  for (let i = 0; i < text.length; i += 1) bytes[i] = text.charCodeAt(i)
  return bytes.buffer
}

function stereo(wave, left, right) {
  if (wave.numberOfChannels === 2 && left === 1 && right === 1) return wave
  const both = new AudioBuffer({ numberOfChannels: 2, length: wave.length, sampleRate: wave.sampleRate })
  for (const [side, level] of [left, right].entries()) {
    const source = wave.getChannelData(Math.min(side, wave.numberOfChannels - 1))
    const target = both.getChannelData(side)
    for (let i = 0; i < target.length; i += 1) target[i] = source[i] * level
  }
  return both
}
