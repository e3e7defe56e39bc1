// The kit: its name in sight on the display; a list to choose from, heard under the pointer first.

import { Audition } from './audition.js'
import { booth } from './booth.js'
import { icon, make } from './dom.js'
import { clamp } from './numbers.js'

const INTENT_MILLISECONDS = 130 // a pointer on its way somewhere else is heard nothing of

export class KitMenu {
  constructor(face) {
    this.face = face
    this.audition = new Audition(face.engine)
    this.label = make('b', {})
    this.button = make('button', { type: 'button', class: 'kit-choice', 'aria-haspopup': 'dialog',
      title: 'Choose a kit', onclick: () => this.open() }, 'Kit ', this.label, icon('down'))
    this.list = make('div', { class: 'menu kits', popover: 'auto', role: 'dialog', 'aria-label': 'Kits' })
    this.list.addEventListener('toggle', ({ newState }) => newState === 'closed' && this.endHearing())
    this.list.onkeydown = (event) => this.#pressKey(event)
    this.rows = new Map() // kit → its row
  }

  close() { this.endHearing() }

  refresh() {
    const { kits, kit } = this.face.data
    const words = kits.find(([name]) => name === kit)?.[1] ?? kit
    if (this.label.textContent !== words) this.label.textContent = words
    this.button.disabled = Boolean(booth.silence)
  }

  open() {
    const { kits, kit, usual, follows } = this.face.data
    this.rows.clear()
    const labels = new Map(kits.map(([name, label]) => [name, label]))
    const parts = [this.#row(usual, `As the style: ${labels.get(usual)}`, '', follows)]
    let group = null
    for (const [name, label, source] of kits) {
      if (source !== group) parts.push(make('div', { class: 'caps' }, source))
      group = source
      parts.push(this.#row(name, label, name, !follows && name === kit))
    }
    this.list.replaceChildren(...parts)
    this.list.showPopover()
    const [box, own] = [this.button.getBoundingClientRect(), this.list.getBoundingClientRect()]
    this.list.style.left = `${clamp(box.right - own.width, 8, innerWidth - own.width - 8)}px`
    this.list.style.top = `${clamp(box.bottom + 6, 8, Math.max(8, innerHeight - own.height - 8))}px`
    const chosen = this.list.querySelector('[aria-pressed="true"]')
    chosen?.scrollIntoView({ block: 'center' })
    chosen?.focus()
  }

  // heard: the kit to hear; chosen: what the choice is called, '' for whatever the style's is.
  #row(heard, label, chosen, on) {
    const choose = make('button', { type: 'button', class: 'entry', 'aria-pressed': on,
      onclick: () => { this.list.hidePopover(); this.face.trigger('kit', chosen) } }, label)
    const hear = make('button', { type: 'button', class: 'hear', 'aria-label': `Hear ${label}`,
      onclick: () => this.heard === row ? this.endHearing() : this.#hear(row, heard) }, icon('play'), icon('stop'))
    const row = make('div', { class: 'kit-row' }, hear, choose)
    row.onpointerenter = ({ pointerType }) => pointerType === 'mouse' && this.#hearSoon(row, heard)
    row.onpointerleave = ({ pointerType }) => pointerType === 'mouse' && this.endHearing()
    choose.onfocus = () => this.byKey && this.#hearSoon(row, heard)
    return row
  }

  #hearSoon(row, kit) {
    clearTimeout(this.waits)
    this.waits = setTimeout(() => this.#hear(row, kit), INTENT_MILLISECONDS)
  }

  async #hear(row, kit) {
    clearTimeout(this.waits)
    this.heard?.classList.remove('heard')
    this.heard = row
    row.classList.add('heard')
    if (!await this.audition.hear(kit, { ...this.face.edited.beat, tempo_bpm: this.face.tempo })) {
      this.face.tools.say('This kit cannot be heard just now.')
      if (this.heard === row) this.endHearing()
    }
  }

  endHearing() {
    clearTimeout(this.waits)
    this.byKey = false
    this.heard?.classList.remove('heard')
    this.heard = null
    this.audition.end()
  }

  // Arrow keys go from kit to kit, and each is heard.
  #pressKey(event) {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key]
    if (!by) return
    const entries = [...this.list.querySelectorAll('.entry')]
    const at = entries.indexOf(this.list.getRootNode().activeElement)
    this.byKey = true
    entries[clamp(at + by, 0, entries.length - 1)].focus()
    event.preventDefault()
    event.stopPropagation()
  }
}
