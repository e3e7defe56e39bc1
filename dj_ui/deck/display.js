// The display: name and outline, facts and position.

import { booth } from './booth.js'
import { drawing, make } from './dom.js'
import { DRUMS } from './given.js'
import { clamp, shortTempo } from './numbers.js'

const OUTLINE_COLUMNS = 220
const RING_SECONDS = { kick: 0.16, snare: 0.13, hat: 0.05, tom: 0.2, cymbal: 0.5, percussion: 0.07 }
const WEIGHT = { kick: 1, snare: 0.86, hat: 0.4, tom: 0.8, cymbal: 0.62, percussion: 0.45 }

export class Display {
  constructor(seek, look) {
    this.said = [] // [number, unit] of the beat
    this.more = [] // [label, text] of the page's own
    this.name = make('h3', { class: 'name' })
    this.queue = make('span', { class: 'queue', role: 'status' })
    this.trouble = make('div', { class: 'trouble', role: 'status' })
    this.look = ['A', 'B'].map((deck) => make('button', { type: 'button', class: 'side',
      'aria-label': `Show deck ${deck}`, onclick: () => look(deck) }, deck))
    this.badge = make('span', { class: 'badge' })
    this.decks = make('div', { class: 'choice', role: 'group', 'aria-label': 'Deck to show' },
      ...this.look)
    this.facts = make('div', { class: 'facts' })
    this.position = make('div', { class: 'position', 'aria-hidden': 'true' }, '1.1')
    this.dim = drawing(`0 0 ${OUTLINE_COLUMNS} 100`, '')
    this.bright = drawing(`0 0 ${OUTLINE_COLUMNS} 100`, '')
    this.bright.classList.add('bright')
    for (const svg of [this.dim, this.bright]) svg.setAttribute('preserveAspectRatio', 'none')
    this.shown = make('div', { class: 'shown' })
    this.needle = make('div', { class: 'needle' })
    this.wave = make('div', { class: 'wave', 'aria-hidden': 'true' },
      this.shown, this.dim, this.bright, this.needle)
    this.wave.onclick = (event) => {
      const box = this.wave.getBoundingClientRect()
      seek(clamp((event.clientX - box.left) / box.width, 0, 0.9999))
    }
    this.root = make('div', { class: 'screen' },
      make('div', { class: 'title' }, this.badge, this.name, this.queue), this.position, this.wave,
      this.decks, this.facts, this.trouble)
  }

  draw(edited, name, more) {
    this.name.textContent = this.name.title = name
    const path = outlinePath(edited)
    for (const svg of [this.dim, this.bright]) svg.firstChild.setAttribute('d', path)
    this.wave.style.setProperty('--bars', edited.original.bars)
    this.said = [
      [`${edited.original.bars}`, edited.original.bars === 1 ? 'bar' : 'bars'],
      [edited.original.meter.join('/'), ''],
      [`${edited.strokes.length}`, edited.strokes.length === 1 ? 'stroke' : 'strokes'],
    ]
    this.more = more
  }

  refresh(face, { playing, decks, countIn, countingIn, suspended, waiting, launch }) {
    const tempo = face.tempo
    const facts = [[shortTempo(tempo), 'BPM'], ...this.said]
    this.facts.replaceChildren(...facts.map(([number, unit]) =>
      make('span', {}, make('b', {}, number), unit && ` ${unit}`)),
    ...this.more.map(([label, text]) => make('span', {}, `${label} `, make('b', {}, text))))
    const queued = playing && face.isMine && decks[face.deck].queuedId !== null
    this.root.classList.toggle('playing', face.isSounding)
    this.queue.classList.toggle('on', queued)
    const held = waiting && face.isMine && suspended
    const words = waiting && face.isMine && !held ? 'Loading the drums…'
      : face.isSounding && countIn && countingIn ? 'Counting in'
      : queued ? `Next ${launch}`
      : ''
    if (this.queue.textContent !== words) this.queue.textContent = words
    // long words take the place of the facts, so that nothing moves
    const trouble = booth.silence
      || (held ? 'Touch the page once more: the browser holds the sound back' : '')
    if (this.trouble.textContent !== trouble) this.trouble.textContent = trouble
    this.facts.classList.toggle('gone', Boolean(trouble))
    this.#refreshDecks(face)
  }

  // Which deck is shown, where there are two; a choice while both sound.
  #refreshDecks({ deck, bothSound }) {
    this.badge.hidden = !booth.kept
    if (this.badge.textContent !== deck) this.badge.textContent = deck
    this.badge.title = `Deck ${deck}`
    this.decks.hidden = !bothSound
    for (const button of this.look) {
      button.setAttribute('aria-pressed', button.textContent === deck)
    }
  }

  window([from, to] = [0, 0], { original, steps }) {
    const all = original.bars * steps.per_bar
    this.shown.hidden = from === 0 && to === all
    this.shown.style.clipPath =
      `inset(0 ${100 - to / all * 100}% 0 ${from / all * 100}% round 4px)`
  }

  head(position, edited) {
    const share = position === null ? 0 : position / edited.lengthQuarters
    this.wave.style.setProperty('--at', share)
    const lit = position !== null
    if (lit !== this.lit) this.wave.classList.toggle('lit', lit)
    this.lit = lit
    const { per_quarter: perQuarter, per_bar: perBar, per_beat: perBeat } = edited.steps
    const step = position === null ? 0 : Math.floor(position * perQuarter)
    const words = `${Math.floor(step / perBar) + 1}.${Math.floor(step % perBar / perBeat) + 1}`
    if (this.position.textContent !== words) this.position.textContent = words
  }
}

// How loud the beat is along its bars, from its strokes: each starts at its velocity and rings.
function outlinePath(edited) {
  const seconds = edited.lengthQuarters * 60 / edited.tempo
  const levels = new Float32Array(OUTLINE_COLUMNS)
  for (const { onset, lane, velocity } of edited.strokes) {
    const { family } = DRUMS[lane]
    const start = onset / edited.lengthQuarters * OUTLINE_COLUMNS
    const ring = RING_SECONDS[family] / seconds * OUTLINE_COLUMNS
    const peak = WEIGHT[family] * (velocity / 127) ** 1.4
    for (let column = Math.floor(start), n = 0; n < 4 * ring + 1 && n < OUTLINE_COLUMNS; n += 1) {
      const level = peak * Math.exp(-n / Math.max(ring, 0.35))
      const at = (column + n) % OUTLINE_COLUMNS
      levels[at] = Math.hypot(levels[at], level)
    }
  }
  const top = Math.max(0.6, ...levels)
  let path = ''
  levels.forEach((level, column) => {
    const half = Math.max(0.8, level / top * 49)
    path += `M${column + 0.14} ${(50 - half).toFixed(1)}h.72v${(2 * half).toFixed(1)}h-.72z`
  })
  return path
}
