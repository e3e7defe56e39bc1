// The browser's MIDI: whether there is any, and the question for it.

export const ASKING = 'Your browser asks, beside the address, whether it may use MIDI.'
const NO_MIDI = 'This browser cannot use MIDI. Chrome, Edge, Opera and Firefox on a computer can.'
const NOT_SECURE = 'Browsers let a page use MIDI only from this computer (localhost) or over https.'
const REFUSED = 'This browser was told not to use MIDI. Allow it beside the address, then try again.'
const NO_SYSTEM = 'This computer has no MIDI that the browser can use. Start it, then try again.'

/** Why there can be no MIDI here, whatever the visitor says; '' where there can. */
export function reasonAgainst() {
  if (!globalThis.isSecureContext) return NOT_SECURE
  return navigator.requestMIDIAccess ? '' : NO_MIDI
}

/** {access, why}: the browser's MIDI, or null and why not. It asks the visitor the first time. */
export async function askForMidi() {
  try {
    return { access: await navigator.requestMIDIAccess({ sysex: false }), why: '' }
  } catch (error) {
    const refused = error?.name === 'NotAllowedError' || error?.name === 'SecurityError'
    return { access: null, why: refused ? REFUSED : NO_SYSTEM }
  }
}
