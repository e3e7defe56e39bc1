// Under the steps: undo and redo, another drum, and words about what was just done.

import { icon, make } from './dom.js'
import { DRUMS } from './given.js'
import { shortTempo } from './numbers.js'

export class Tools {
  constructor(face) {
    this.face = face
    const small = (label, name, onclick) => make('button', { type: 'button', class: 'small',
      'aria-label': name, title: name, onclick }, label)
    this.undo = small(icon('undo'), 'Undo (Ctrl Z)', () => face.undo())
    this.redo = small(icon('redo'), 'Redo (Ctrl Y)', () => face.redo())
    this.add = small('+ Drum', '+ Drum: add one', () => face.drumMenu(this.add))
    this.restore = small('Original', 'Original: take back every edit', () => face.restore())
    this.keys = small('?', 'Keys and gestures (?)', () => face.help.open())
    this.buttons = make('div', { class: 'buttons' }, this.undo, this.redo, face.desk.button, this.add,
      this.restore)
    this.hint = make('span', { class: 'hint' })
    this.aloud = make('span', { class: 'unseen', role: 'status' })
    this.heard = make('span')
    this.reset = make('button', { type: 'button', class: 'chip quiet',
      title: 'Back to the tempo and swing of the beat', onclick: () => face.dropFeel() }, 'Reset')
    this.feel = make('div', { class: 'feel', hidden: '' }, this.heard, this.reset)
    this.root = make('div', { class: 'tools' }, this.buttons, this.keys,
      make('div', { class: 'word' }, this.hint, this.aloud, this.feel))
  }

  // A word about what was just tried.
  say(words) {
    this.said = this.aloud.textContent = words
    this.refresh()
    clearTimeout(this.forgetting)
    this.forgetting = setTimeout(() => { this.said = this.aloud.textContent = ''; this.refresh() }, 4_000)
  }

  refresh() {
    const { own, readOnly, lanes, feel } = this.face
    this.undo.disabled = readOnly || !own.canUndo
    this.redo.disabled = readOnly || !own.canRedo
    this.restore.hidden = readOnly || own.isOriginal
    this.add.disabled = readOnly || lanes.length === DRUMS.length
    const heard = feel.tempo === null ? [] : [`${shortTempo(feel.tempo)} BPM`]
    if (feel.swing > 0) heard.push(`${Math.round(50 + 25 * feel.swing)}% swing`)
    this.feel.hidden = !heard.length || Boolean(this.said)
    this.hint.hidden = !this.feel.hidden
    const said = `${this.face.data.heard ? 'Files too' : 'Heard'}: ${heard.join(', ')}`
    if (this.heard.textContent !== said) this.heard.textContent = said
    const words = this.said || this.#usual(readOnly)
    if (this.hint.textContent !== words) this.hint.textContent = words
  }

  #usual(readOnly) {
    if (readOnly && !this.face.desk.isOpen) return `Edits and all below the deck work on A: ${this.face.data.name}`
    if (this.face.desk.isOpen) return 'Drag up or down. Double: back. Keys: ← → another knob, ↑ ↓ turn.'
    return matchMedia('(pointer: coarse)').matches
      ? 'Tap: on or off. Hold: more. Hold and drag: loudness, timing.'
      : 'Click: on or off. Drag: loudness. Right-drag: timing. Right-click: more.'
  }
}
