// What Python puts before the program (dj_ui/deck/__init__.py): the table of drums, in the order of
// their lanes, the table of the mixer, and the text of deck.css.

export const DRUMS = window.digitalDjGiven.drums
export const MIXER_TABLE = window.digitalDjGiven.mixer
export const DECK_STYLES = window.digitalDjGiven.styles
