// What a controller can do: a table of everything on the deck that a button, a knob or a pad may be.

import { booth } from './booth.js'
import { DRUMS } from './given.js'

const TEMPO_BPM = { lowest: 60, highest: 180 } // of a fader, from one end to the other

// kind: 'press' acts when it goes down; 'hold' until it is let go, too; 'slide' has a value from 0
// to 1; 'pad' a velocity.
export const ACTIONS = [
  ...DRUMS.map((drum, lane) => ({ id: `pad-${drum.name}`, label: `Pad: ${drum.label}`, kind: 'pad',
    start: (velocity, by) => deck()?.pads.press(by, lane, velocity),
    end: (by) => deck()?.pads.release(by) })),
  press('play', 'Play or stop', () => deck()?.play()),
  press('generate', 'Generate', () => booth.mini?.generate()),
  press('record', 'Record pads', () => deck()?.pads.setRecording(!deck().pads.recording)),
  press('undo', 'Undo', () => deck()?.undo()),
  press('tap', 'Tap the tempo', () => booth.engine.tapTempo()),
  press('metronome', 'Metronome', () => booth.engine.setMetronome(!booth.engine.metronome)),
  press('cue-a', 'Fade to deck A', () => booth.engine.cue('A')),
  press('cue-b', 'Fade to deck B', () => booth.engine.cue('B')),
  press('in-step', 'Deck B in step', () => booth.engine.hands.inStep('B')),
  slide('crossfade', 'Crossfader', (share) => booth.engine.setCrossfade(share, { at: 'now' })),
  slide('volume', 'Volume', (share) => booth.engine.setVolume(share)),
  slide('swing', 'Swing', (share) => booth.engine.setSwing(share)),
  slide('tempo', `Tempo, ${TEMPO_BPM.lowest} to ${TEMPO_BPM.highest}`, (share) => booth.engine.setTempo(
    Math.round(TEMPO_BPM.lowest + share * (TEMPO_BPM.highest - TEMPO_BPM.lowest)))),
  ...[['1/4', 1], ['1/8', 1 / 2], ['1/16', 1 / 4], ['1/32', 1 / 8]].map(([words, length]) =>
    hold(`repeat-${words}`, `Repeat ${words}`, () => booth.engine.hands.repeat(length),
      () => booth.engine.hands.goOn())),
  hold('push-b', 'Push deck B', () => booth.engine.hands.bend('B', 1), () => booth.engine.hands.bendEnd()),
  hold('drag-b', 'Hold deck B back', () => booth.engine.hands.bend('B', -1),
    () => booth.engine.hands.bendEnd()),
  ...DRUMS.map((drum, lane) => press(`mute-${drum.name}`, `Mute: ${drum.label}`, () => deck()?.mute(lane))),
]

/** By its id; undefined for none. */
export function actionOf(id) { return ACTIONS.find((one) => one.id === id) }

function deck() { return booth.mini?.deck }

function press(id, label, start) { return { id, label, kind: 'press', start, end: () => {} } }
function hold(id, label, start, end) { return { id, label, kind: 'hold', start, end } }
function slide(id, label, start) { return { id, label, kind: 'slide', start, end: () => {} } }
