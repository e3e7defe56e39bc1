// What a tab remembers across reruns and pages. Players come and go; the engine plays on.

import { EditedBeat, unpackBeat } from './edits.js'
import { createEngine } from './engine.js'
import { DRUMS, MIXER_TABLE } from './given.js'

const BEATS_REMEMBERED = 48 // with their histories

export const booth = (window.digitalDj ??= {
  engine: (window.digitalDjEngine ??= createEngine({ mixerTable: MIXER_TABLE })),
  beats: new Map(), // slot → EditedBeat
  faces: new Set(), // on screen, listen buttons too
  started: new Set(), // play tokens that were answered
  jam: null, // the tab's jam, once there is one
  kept: null, // what is on deck B: { name, beat, edited }; a copy, which later edits leave alone
  locks: rememberedLocks(), // drums that a new take keeps, numbers in the table of drums
  silence: '', // why there is no sound, if there is none
})

// Locks last as long as the tab: across takes, pages and reloads.
function rememberedLocks() {
  try {
    const names = JSON.parse(sessionStorage.getItem('digitalDjLocks')) ?? []
    return DRUMS.map((_, lane) => lane).filter((lane) => names.includes(DRUMS[lane].name))
  } catch { return [] } // a tab that may not remember, or somebody else's word
}

export function rememberLocks() {
  try {
    const names = booth.locks.map((lane) => DRUMS[lane].name)
    sessionStorage.setItem('digitalDjLocks', JSON.stringify(names))
  } catch { /* they last until the page is left */ }
}

// The EditedBeat of a slot: the one this tab has, unless another beat took its place.
export function beatOf({ slot, beat, edit, mixer }) {
  const known = booth.beats.get(slot)
  if (known && known.original.id === beat.id) {
    booth.beats.delete(slot) // to the end of the line
    booth.beats.set(slot, known)
    known.mixAs(mixer)
    return known
  }
  const edited = new EditedBeat(unpackBeat(beat), edit, mixer)
  booth.beats.set(slot, edited)
  if (booth.beats.size > BEATS_REMEMBERED) booth.beats.delete(booth.beats.keys().next().value)
  return edited
}

// Draw all that shows what sounds.
export function refreshBooth() {
  booth.mini?.refresh()
  for (const face of booth.faces) face.refresh()
}
