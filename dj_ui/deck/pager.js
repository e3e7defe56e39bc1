// Bars beyond the screen: which are shown, and the way to the others.

import { icon, make, toggle } from './dom.js'

export class Pager {
  constructor(face) {
    this.face = face
    const turn = (by, name, words) => make('button', { type: 'button', class: 'small',
      'aria-label': words, title: words, onclick: () => this.turn(by) }, icon(name))
    this.words = make('div', { class: 'where', 'aria-live': 'off' })
    this.back = turn(-1, 'left', 'Bars before')
    this.forth = turn(1, 'right', 'Bars after')
    this.follow = toggle('Follow', () => {
      face.follows = !face.follows
      this.draw()
    })
    this.root = make('div', { class: 'pager' }, this.back, this.words, this.forth, this.follow)
  }

  turn(by) {
    this.face.follows = false
    this.face.grid.turn(by)
    this.draw()
  }

  draw() {
    const { grid, edited, follows } = this.face
    if (!grid.window || !edited) return
    const { segments, perPage, inBar } = grid.layout
    this.root.classList.toggle('single', segments <= perPage)
    const last = Math.min(grid.first + perPage, segments) - 1
    const [from, to] = [Math.floor(grid.first / inBar) + 1, Math.floor(last / inBar) + 1]
    const { bars } = edited.original
    this.words.textContent = `${from === to ? `Bar ${from}` : `Bars ${from}–${to}`} of ${bars}`
    this.back.disabled = grid.first === 0
    this.forth.disabled = last === segments - 1
    this.follow.setAttribute('aria-pressed', follows)
  }
}
