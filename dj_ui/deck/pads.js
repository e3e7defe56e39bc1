// The sixteen pads of a kit of one's own: each is heard by a touch, and dragged where it belongs.

import { Audition } from './audition.js'
import { make } from './dom.js'
import { DRUMS } from './given.js'
import { clamp } from './numbers.js'
import { Player } from './player.js'

const COLUMNS = 4
const DRAG_PIXELS = 6
const HOLD_MILLISECONDS = 230 // a finger that stays so long drags; one that moves sooner scrolls
const UNSURE = 0.6

export class Pads extends Player {
  constructor(parent, owner) {
    super(parent, owner)
    this.root.classList.add('pads-box')
    this.root.setAttribute('aria-label', 'Pads')
    this.audition = new Audition(this.engine)
    this.grid = make('div', { class: 'pads' })
    this.words = make('p', { class: 'hint', role: 'status' })
    this.root.append(this.grid, this.words)
    this.grid.onpointermove = (event) => this.#move(event)
    this.grid.onpointerup = (event) => this.#drop(event)
    this.grid.onpointercancel = () => this.#letGo()
    this.grid.onkeydown = (event) => this.#pressKey(event)
    // a finger that drags a pad does not scroll the page
    this.grid.addEventListener('touchmove', (event) => this.held && event.preventDefault(), { passive: false })
  }

  close() {
    this.audition.end()
    super.close()
  }

  update({ data, setTriggerValue }) {
    this.data = data
    this.trigger = setTriggerValue
    const focused = this.pads?.findIndex((pad) => pad === this.root.getRootNode().activeElement) ?? -1
    this.pads = data.pads.map((pad, place) => this.#pad(pad, place))
    this.grid.replaceChildren(...this.pads)
    if (focused >= 0) this.pads[focused].focus()
    this.#say()
  }

  #pad({ lane, file, sure }, place) {
    const drum = DRUMS[lane]
    const about = file ? `${drum.label}: ${file}${sure < UNSURE ? ', a guess' : ''}` : `${drum.label}: no recording`
    const pad = make('button', { type: 'button', class: `pad ${drum.family}${file ? '' : ' empty'}`,
      'aria-label': about, title: about, 'aria-pressed': lane === this.data.chosen },
    make('b', {}, drum.short), make('span', { class: 'pad-drum' }, drum.label),
    make('span', { class: 'pad-file' }, file || 'no recording'),
    make('i', { class: 'unsure', hidden: file && sure < UNSURE ? null : '' }, '?'))
    pad.onpointerdown = (event) => this.#press(event, place)
    pad.onclick = () => this.#click(place)
    return pad
  }

  #click(place) {
    if (this.dropped) return // it was dragged
    const { lane, file } = this.data.pads[place]
    if (file) this.audition.strike(this.data.kit, lane)
    if (lane !== this.data.chosen) this.trigger('chosen', DRUMS[lane].name)
  }

  // -- dragging --------------------------------------------------------------------------------

  #press(event, place) {
    this.dropped = false
    if (event.button || !this.data.canChange || !this.data.pads[place].file) return
    const { clientX, clientY, pointerId, pointerType } = event
    this.press = { place, clientX, clientY, pointerId }
    if (pointerType === 'mouse') return
    event.preventDefault()
    this.holds = setTimeout(() => this.#lift(), HOLD_MILLISECONDS)
  }

  #lift() {
    this.held = this.pads[this.press.place]
    this.held.classList.add('held')
    this.grid.setPointerCapture?.(this.press.pointerId)
  }

  #move({ clientX, clientY, pointerType }) {
    if (!this.press) return
    const [x, y] = [clientX - this.press.clientX, clientY - this.press.clientY]
    if (!this.held) {
      if (Math.hypot(x, y) < DRAG_PIXELS) return
      if (pointerType === 'mouse') this.#lift()
      else this.#letGo()
      return
    }
    this.held.style.transform = `translate(${x}px, ${y}px)`
    this.#aim(this.#padAt(clientX, clientY))
  }

  #padAt(x, y) {
    const found = this.pads.findIndex((pad) => {
      const box = pad.getBoundingClientRect()
      return pad !== this.held && x >= box.left && x < box.right && y >= box.top && y < box.bottom
    })
    return found
  }

  #aim(place) {
    this.pads.forEach((pad, number) => pad.classList.toggle('aimed', number === place))
  }

  #drop({ clientX, clientY }) {
    const to = this.held ? this.#padAt(clientX, clientY) : -1
    const from = this.press?.place
    this.dropped = Boolean(this.held)
    this.#letGo()
    if (to >= 0) this.#exchange(from, to)
  }

  #letGo() {
    clearTimeout(this.holds)
    if (this.held) {
      this.held.classList.remove('held')
      this.held.style.transform = ''
    }
    this.press = this.held = null
    this.#aim(-1)
  }

  #exchange(from, to) {
    const [one, other] = [from, to].map((place) => DRUMS[this.data.pads[place].lane])
    this.words.textContent = `${one.label} and ${other.label} are exchanged.`
    this.trigger('swapped', [one.name, other.name])
  }

  // -- keys ------------------------------------------------------------------------------------

  #pressKey(event) {
    const at = this.pads.indexOf(this.root.getRootNode().activeElement)
    if (at < 0 || event.ctrlKey || event.metaKey || event.altKey) return
    const by = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -COLUMNS, ArrowDown: COLUMNS }[event.key]
    if (by) this.pads[clamp(at + by, 0, this.pads.length - 1)].focus()
    else if (event.key === 'm' && this.data.canChange) this.#pickUp(at)
    else if (event.key === 'Escape' && this.picked !== undefined) this.#putDown()
    else return
    event.preventDefault()
    event.stopPropagation()
  }

  #pickUp(at) {
    if (this.picked === undefined) {
      if (!this.data.pads[at].file) return
      this.picked = at
      this.pads[at].classList.add('held')
      this.words.textContent = 'Go to another pad and press M to exchange them, or Escape.'
      return
    }
    const from = this.picked
    this.#putDown()
    if (from !== at) this.#exchange(from, at)
  }

  #putDown() {
    this.pads[this.picked].classList.remove('held')
    this.picked = undefined
    this.#say()
  }

  #say() {
    const drag = matchMedia('(pointer: coarse)').matches ? 'Hold it and drag it onto another to exchange them;'
      : 'Drag it onto another to exchange them (key M);'
    this.words.textContent = this.data.canChange ? `Touch a pad to hear it. ${drag} a question mark is a guess.`
      : 'Touch a pad to hear it.'
  }

  refresh() { /* it shows nothing that the engine changes */ }
}
