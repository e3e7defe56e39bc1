// The next take, fetched, measured and ready to sound before Generate is pressed. A press then asks
// no server: the deck has the take at once, and the page follows with the same one.

import { beatOf, booth } from './booth.js'
import { make } from './dom.js'
import { Face } from './face.js'
import { isWriting } from './keys.js'

const BUTTON = '.st-key-dj_go button'
const CONTROLS = '.st-key-dj_side :is(input, [role=slider], [role=radio], [role=combobox], button)'
const SAYS = ['aria-label', 'aria-valuenow', 'aria-checked', 'aria-pressed', 'kind']
const ASK_AGAIN_MILLISECONDS = [1_000, 2_000, 4_000, 8_000, 15_000] // where others come first

export class Ahead {
  constructor(parent) {
    this.root = make('section', { hidden: '' })
    parent.append(this.root)
    this.address = ''
    this.touches = 0 // of the controls
    this.next = null // what the deck will be told, once it is here and measured
    this.onClick = (event) => {
      if (event.target.closest?.(BUTTON)?.disabled === false) this.play()
    }
    // Streamlit's own shortcut presses no button: here it does, so that there is one way
    this.onKey = (event) => {
      const { key, repeat, ctrlKey, metaKey, altKey, shiftKey } = event
      const button = document.querySelector(BUTTON)
      if (key !== 'g' || repeat || ctrlKey || metaKey || altKey || shiftKey) return
      if (!this.isReady || isWriting(event) || !button || button.disabled) return
      event.preventDefault()
      event.stopImmediatePropagation()
      button.click()
    }
    this.onTouch = (event) => {
      if (!event.target.closest?.(BUTTON)) this.touches += 1
    }
    document.addEventListener('click', this.onClick, true)
    addEventListener('keydown', this.onKey, true)
    for (const kind of ['input', 'change']) document.addEventListener(kind, this.onTouch, true)
    booth.ahead = this
  }

  close() {
    document.removeEventListener('click', this.onClick, true)
    removeEventListener('keydown', this.onKey, true)
    for (const kind of ['input', 'change']) document.removeEventListener(kind, this.onTouch, true)
    clearTimeout(this.waiting)
    this.address = ''
    if (booth.ahead === this) booth.ahead = null
    this.root.remove()
  }

  // Python has drawn the page for the settings that this address stands for.
  expect({ address, owner, kit }) {
    if (address === this.address) return
    clearTimeout(this.waiting)
    Object.assign(this, { address, owner, kit, next: null })
    if (address) this.#fetch(address, this.touches, [...ASK_AGAIN_MILLISECONDS])
  }

  async #fetch(address, touches, pauses) {
    const answer = await fetch(`.${address}`, { cache: 'no-store' }).catch(() => null)
    const next = answer?.status === 200 ? await answer.json().catch(() => null) : null
    if (address !== this.address) return
    if (next) await this.#prepare(next, touches)
    else if (pauses.length) {
      const again = () => this.#fetch(address, touches, pauses)
      this.waiting = setTimeout(again, pauses.shift())
    }
  }

  async #prepare(next, touches) {
    const { address, kit } = this
    const isKnown = await booth.engine.prepare(beatOf({ ...next, edit: null, mixer: this.face?.own?.mixer ?? {} }).beat, kit)
    if (!isKnown || this.touches !== touches || this.address !== address) return
    this.next = { ...next, kit, settings: settingsInSight() }
  }

  get face() {
    return [...booth.faces].find((face) => face instanceof Face && face.owner === this.owner)
  }

  // Whether what is ready is what a click would ask for now.
  get isReady() {
    return Boolean(this.next && this.face && !booth.silence && !this.face.tellsFeel
      && this.next.settings === settingsInSight())
  }

  async play() {
    if (!this.isReady) return
    const { face, next: { kit, settings: _, ...next } } = this
    this.next = null
    if (booth.engine.state().kit !== kit) await booth.engine.useKit(kit)
    const { mixer } = face.own // it stays as it is for the next take
    const data = { ...face.data, ...next, edit: null, mixer, heard: face.data.heard && [null, 0] }
    booth.started.add(next.play)
    face.start(beatOf(data).beat, next.name)
    // it sounds; now the server may hear of the press, and then it is drawn
    setTimeout(() => face.closed || face.update({ data, setTriggerValue: face.trigger }))
  }
}

// What the controls show, to know whether one was turned since.
function settingsInSight() {
  return [...document.querySelectorAll(CONTROLS)]
    .map((one) => [one.value, ...SAYS.map((name) => one.getAttribute(name))].join()).join(';')
}
