// The list of keys and gestures.

import { make } from './dom.js'

const KEYS = [
  ['Anywhere', [['Space', 'play or stop'], ['Ctrl Z', 'undo'], ['Ctrl Y', 'redo'], ['P', 'pads'],
    ['?', 'this list']]],
  ['On the pads', [
    ['Z to V, A to F', 'the two lower rows'], ['Q to R, 1 to 4', 'the two upper rows'],
    ['Shift', 'as hard as can be'], ['7 to 0', 'repeat what just played'],
  ]],
  ['On the steps', [
    ['← → ↑ ↓', 'another step or drum'], ['Enter', 'on or off'], ['1 to 9', 'how hard'],
    ['0', 'off'], ['Shift ↑ ↓', 'louder, softer'], ['Shift ← →', 'earlier, later'],
    ['M', 'chance, loops, ratchet, flam'],
    ['Home, End', 'first, last step of the bar'], ['Page ↑ ↓', 'a bar back, a bar on'],
  ]],
  ['On the mixer', [
    ['← →', 'another knob'], ['↑ ↓', 'turn it'], ['Page ↑ ↓', 'ten times as far'], ['Shift ↑ ↓', 'finely'],
    ['Home, End', 'to its ends'], ['Delete', 'back to where it changes nothing'],
  ]],
  ['With a mouse', [
    ['Click', 'on or off'], ['Drag up, down', 'louder, softer'], ['Right-drag', 'earlier, later'],
    ['Right-click', 'chance, loops, ratchet, flam'],
  ]],
  ['With a finger', [
    ['Tap', 'on or off'], ['Hold, drag up', 'louder'], ['Hold, drag aside', 'earlier, later'],
    ['Hold, let go', 'chance, loops, ratchet, flam'],
  ]],
]

export class KeysDialog {
  constructor() {
    this.close = make('button', { type: 'button', class: 'small', onclick: () => this.root.close() },
      'Close')
    this.lists = make('div', { class: 'key-lists' })
    this.root = make('dialog', { class: 'keys', 'aria-label': 'Keys and gestures' },
      make('div', { class: 'keys-head' }, make('h3', {}, 'Keys and gestures'), this.close), this.lists)
    this.root.onclick = (event) => { if (event.target === this.root) this.root.close() }
  }

  open() {
    const pages = [...document.querySelectorAll('button kbd')].map((key) =>
      [key.textContent, key.closest('button').querySelector('p')?.textContent ?? ''])
    // Streamlit draws a button twice, for wide and narrow pages
    const own = [...new Map(pages)]
    const lists = own.length ? [KEYS[0], ['On this page', own], ...KEYS.slice(1)] : KEYS
    this.lists.replaceChildren(...lists.map(([title, keys]) => make('section', {},
      make('h4', { class: 'caps' }, title),
      make('dl', {}, ...keys.flatMap(([key, does]) => [make('dt', {}, key), make('dd', {}, does)])))))
    this.root.showModal()
  }
}
