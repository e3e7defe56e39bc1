// Layouts of controllers, by the notes and controls they send as they come from the factory:
// 'note CHANNEL NUMBER' or 'control CHANNEL NUMBER' → an action; channel * is any. Each has its source.

import { DRUMS } from './given.js'

const pads = (first, channel) => Object.fromEntries(DRUMS.map((drum, place) =>
  [`note ${channel} ${first + place}`, `pad-${drum.name}`]))

export const LAYOUTS = [
  // General MIDI Level 1 Sound Set, percussion key map, on channel 10
  { id: 'general-midi', label: 'Drum pads, General MIDI notes on channel 10',
    map: Object.fromEntries(DRUMS.map(({ note, name }) => [`note 10 ${note}`, `pad-${name}`])) },
  // Akai's MPD218: pad 1 of its preset is note 36 on channel 10, the others follow
  { id: 'pads-36', label: '16 pads, notes 36 to 51 (Akai MPD218 and drum racks)', map: pads(36, '*') },
  // Korg's parameter guide; transport buttons send controls 41 to 46
  { id: 'nanokontrol2', label: 'Korg nanoKONTROL2', map: {
    'control 1 41': 'play', 'control 1 45': 'record', 'control 1 46': 'generate',
    'control 1 0': 'volume', 'control 1 1': 'crossfade', 'control 1 2': 'swing', 'control 1 3': 'tempo',
    ...Object.fromEntries(DRUMS.slice(0, 8).map((drum, place) =>
      [`control 1 ${48 + place}`, `mute-${drum.name}`])) } },
  // Pioneer DJ's list of MIDI messages of the DDJ-400, as Mixxx's mapping has them
  { id: 'ddj-400', label: 'Pioneer DDJ-400', map: {
    'note 1 11': 'play', 'note 2 11': 'generate', 'note 1 12': 'cue-a', 'note 2 12': 'cue-b',
    'control 7 31': 'crossfade', 'control 7 8': 'volume', 'note 1 20': 'repeat-1/4',
    ...Object.fromEntries(DRUMS.slice(0, 8).map((drum, place) => [`note 8 ${place}`, `pad-${drum.name}`])) } },
]

/** What a layout does with a message; undefined for nothing. */
export function actionIn(id, kind, channel, number) {
  const map = LAYOUTS.find((one) => one.id === id)?.map
  return map?.[`${kind} ${channel} ${number}`] ?? map?.[`${kind} * ${number}`]
}
