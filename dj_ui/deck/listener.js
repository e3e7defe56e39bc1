// What is smaller than a deck: a beat to hear.

import { booth } from './booth.js'
import { icon, make } from './dom.js'
import { EditedBeat, unpackBeat } from './edits.js'
import { DRUMS } from './given.js'
import { SOFTEST_SHADE } from './grid.js'
import { Player } from './player.js'

export class Listener extends Player {
  constructor(parent, owner) {
    super(parent, owner)
    this.root.classList.add('listener')
    this.play = make('button', { type: 'button', class: 'play', 'aria-label': 'Play',
      onclick: () => this.toggle() }, make('span', { class: 'ring' }), icon('play'), icon('stop'))
    this.roll = make('div', { class: 'roll', role: 'img' })
    this.root.append(this.play, this.roll)
  }

  update({ data }) {
    this.data = data
    this.edited = new EditedBeat(unpackBeat(data.beat))
    this.root.setAttribute('aria-label', `A beat to hear: ${data.name}`)
    this.roll.setAttribute('aria-label', data.beat.summary)
    this.roll.style.setProperty('--bars', data.beat.bars)
    this.needle = make('div', { class: 'needle' })
    const { lanes, lengthQuarters } = this.edited
    this.roll.replaceChildren(...this.edited.strokes.map(({ onset, lane, velocity }) => {
      const tick = make('i', { class: DRUMS[lane].family })
      tick.style.left = `${onset / lengthQuarters * 100}%`
      tick.style.top = `${lanes.indexOf(lane) / lanes.length * 100}%`
      tick.style.height = `calc(${100 / lanes.length}% - 1px)`
      tick.style.opacity = (SOFTEST_SHADE + (1 - SOFTEST_SHADE) * velocity / 127).toFixed(2)
      return tick
    }), this.needle)
    if (this.isMine) this.load(this.edited.beat, data.name)
    this.refresh()
  }

  get name() { return this.data.name }

  toggle() {
    if (this.isSounding) this.engine.stop()
    else this.start(this.edited.beat, this.data.name)
  }

  refresh() {
    if (this.closed || !this.edited) return
    this.play.classList.toggle('on', this.isSounding)
    this.play.disabled = Boolean(booth.silence)
    this.play.setAttribute('aria-label',
      `${this.isSounding ? 'Stop' : 'Play'} ${this.data.name}`)
    if (this.isSounding) this.follow()
  }

  onFrame(state) {
    const at = state ? state.decks.A.positionQuarters / this.edited.lengthQuarters : 0
    this.roll.style.setProperty('--at', at)
    this.roll.classList.toggle('lit', Boolean(state))
  }
}
