// The jam as a DJ sees it: what plays and how it went, faders, pads, and what can be kept.

import { booth } from './booth.js'
import { icon, make, slider, toggle } from './dom.js'
import { FADERS, Jam, SECTIONS } from './jam.js'
import { isTyping, isWriting } from './keys.js'
import { shortTempo } from './numbers.js'
import { Player } from './player.js'

const COLUMNS = 64 // bars that are drawn
const MOST_STROKES = 40 // of a bar, as high as a column gets
const KEEPS = [8, 16, 32] // bars
const PADS = [ // name, label, key
  ['fill', 'Fill', 'f'], ['noKick', 'Drop the kick', 'k'], ['crash', 'Crash on one', 'x'],
  ['hold', 'Hold this phrase', 'h'], ['break', 'Break', 'b'], ['build', 'Build', 'u'],
  ['drop', 'Drop', 'd'], ['back', 'Back to the last', 'l'],
]
const LATCHING = ['noKick', 'hold']
const LABELS = {
  energy: 'Energy', density: 'Density', syncopation: 'Syncopation', swing: 'Swing',
  brightness: 'Brightness', style: 'Style',
}
const ROLES = { intro: 'Intro', groove: 'Groove', build: 'Build', break: 'Break', drop: 'Drop', outro: 'Outro' }

export class JamFace extends Player {
  constructor(parent, owner) {
    super(parent, owner)
    this.jam = booth.jam ??= new Jam(this.engine)
    this.jam.owner = owner
    this.root.classList.add('jam')
    this.root.setAttribute('aria-label', 'Jam')
    this.play = make('button', { type: 'button', class: 'play', title: 'Play or stop (space)',
      onclick: () => this.jam.toggle() }, make('span', { class: 'ring' }), icon('play'), icon('stop'))
    this.title = make('h3', { class: 'name' })
    this.role = make('span', { class: 'queue' })
    this.position = make('div', { class: 'position' })
    this.columns = Array.from({ length: COLUMNS }, () => make('i', {}))
    this.course = make('div', { class: 'course', 'aria-hidden': 'true' }, ...this.columns)
    this.facts = make('div', { class: 'facts' })
    this.plan = toggle('Plan', () => this.jam.setPlanned(!this.jam.planned))
    this.plan.title = 'The energy plan moves the energy fader; a hand on it ends that'
    this.recording = toggle('Record', () => this.record())
    this.live = make('div', { class: 'unseen', 'aria-live': 'polite' })
    this.faders = Object.fromEntries(FADERS.map((name) => [name, slider(LABELS[name], {
      min: 0, max: 1, step: 0.01, words: (value) => this.words(name, value),
      oninput: (value) => this.jam.setFader(name, value),
    })]))
    this.pads = Object.fromEntries(PADS.map(([name, label, key]) => [name, make('button', {
      type: 'button', class: `pad ${name}`, title: `${label} (${key.toUpperCase()})`, 'aria-pressed': 'false',
      onclick: () => this.jam.press(name) }, label)]))
    this.keeps = KEEPS.map((bars) => make('button', { type: 'button', class: 'small',
      'aria-label': `Keep last ${bars}`,
      title: `The last ${bars} bars into the crate, with this kit and mixer`,
      onclick: () => this.keep(bars) }, `${bars}`))
    this.open = make('button', { type: 'button', class: 'small open',
      title: 'This phrase with all its strokes to Generate\'s deck, which plays it; the jam stops',
      onclick: () => this.openPhrase() }, 'To Generate')
    this.root.append(
      make('div', { class: 'screen' },
        make('div', { class: 'title' }, this.title, this.role), this.position, this.course, this.facts),
      make('div', { class: 'jam-hands' },
        make('div', { class: 'jam-top' }, this.play, this.plan, this.recording,
          make('div', { class: 'keeps' }, make('span', { class: 'caps' }, 'Keep last'), ...this.keeps, this.open)),
        make('div', { class: 'pads' }, ...Object.values(this.pads)),
        make('div', { class: 'faders' }, ...Object.values(this.faders))),
      this.live)
    this.onKey = (event) => this.pressKey(event)
    document.addEventListener('keydown', this.onKey)
  }

  close() {
    document.removeEventListener('keydown', this.onKey)
    super.close()
  }

  update({ data, setTriggerValue }) {
    this.data = data
    this.trigger = setTriggerValue
    this.jam.use(data)
    this.refresh()
  }

  get name() { return this.data.name }
  get tempo() { return this.data.tempo }

  words(name, value) {
    if (name === 'swing') return `${Math.round(50 + 25 * value)}%`
    if (name !== 'style') return `${Math.round(100 * value)}`
    const [a, b] = this.data?.sides ?? ['A']
    return !b || value <= 0 ? a : value >= 1 ? b : `${Math.round(100 * value)}%`
  }

  keep(count) {
    const bars = this.jam.history.slice(-count)
    this.trigger('kept', this.jam.packed(bars))
    this.live.textContent = `The last ${count} bars are on their way to the crate.`
  }

  openPhrase() {
    const { phrase, faders } = this.jam.heard
    const side = phrase.sides.length > 1 && faders.style >= 0.5 ? 1 : 0
    this.trigger('opened', { address: phrase.address, number: phrase.number, side })
  }

  record() {
    const bars = this.jam.record(!this.jam.recorded)
    if (bars?.length) this.trigger('recorded', this.jam.packed(bars))
  }

  // -- drawing ---------------------------------------------------------------------------------

  refresh() {
    if (!this.data || this.closed) return
    const { jam } = this
    const state = this.engine.state()
    const sounds = jam.isSounding
    const heard = jam.heard
    const played = sounds ? heard : null
    this.root.classList.toggle('playing', sounds)
    this.play.classList.toggle('on', sounds)
    this.play.disabled = Boolean(booth.silence)
    this.play.setAttribute('aria-label', sounds ? 'Stop' : jam.startsWhenReady ? 'The first phrase is made' : 'Play')
    this.title.textContent = this.data.name
    this.role.textContent = played ? this.roleWords(played) : jam.isReady ? '' : 'The first phrase is made…'
    this.facts.textContent = booth.silence || [
      `${shortTempo(sounds ? state.tempoBpm : this.data.tempo)} BPM`,
      ...(heard ? [`seed ${heard.phrase.seed}`] : []),
      `${jam.history.length} bars can be kept`,
      ...(jam.recorded ? [`${jam.recorded.length} recorded`] : []),
    ].join(' · ')
    this.open.disabled = !heard
    this.plan.setAttribute('aria-pressed', jam.planned)
    this.recording.setAttribute('aria-pressed', Boolean(jam.recorded))
    this.recording.textContent = jam.recorded ? 'End recording' : 'Record'
    for (const [place, button] of this.keeps.entries()) button.disabled = jam.history.length < KEEPS[place]
    const { faders } = jam
    for (const name of FADERS) {
      const planned = name === 'energy' && jam.planned && heard
      this.faders[name].set(planned ? heard.faders.energy : faders[name])
      this.faders[name].classList.toggle('pending', Boolean(played) && !planned && played.faders[name] !== faders[name])
    }
    this.faders.style.querySelector('input').disabled = !this.data.sides[1]
    for (const [name, button] of Object.entries(this.pads)) {
      const wished = jam.wishes.some((one) => one.name === name)
      const latched = LATCHING.includes(name) && jam[name]
      const plays = played && (played.section?.name === name
        || (name === 'hold' ? played.hold : Boolean(played.pads[name])))
      button.setAttribute('aria-pressed', Boolean(wished || latched || plays))
      button.classList.toggle('pending', sounds && (wished || (LATCHING.includes(name) && latched !== Boolean(plays))))
      if (SECTIONS.includes(name)) button.disabled = !jam.aside[name] && played?.section?.name !== name
    }
    this.drawCourse(played)
    if (sounds) this.follow()
  }

  roleWords({ phrase, section, turn, pads }) {
    const role = ROLES[section?.name ?? phrase.role]
    return [role, pads.fill ? 'fill' : '', turn ? 'varied' : ''].filter(Boolean).join(' · ')
  }

  /** The last bars as columns: how much was played in each; the one that sounds at the end. */
  drawCourse(played) {
    const bars = [...this.jam.history, ...(played ? [{ ...played, hits: played.strokes }] : [])].slice(-COLUMNS)
    const drawn = bars.map(({ number }) => number).join()
    if (drawn === this.drawn) return
    this.drawn = drawn
    for (const [place, column] of this.columns.entries()) {
      const bar = bars[place - COLUMNS + bars.length]
      column.style.setProperty('--high', bar ? Math.min(1, bar.hits.length / MOST_STROKES) : 0)
      column.classList.toggle('first', Boolean(bar && (bar.section?.bar ?? bar.at ?? bar.number % 8) === 0))
      column.classList.toggle('now', bar === bars.at(-1) && Boolean(played))
    }
  }

  onFrame(state) {
    if (this.closed) return
    const heard = state && this.jam.heard
    if (!heard || state.countingIn) {
      this.position.textContent = '–'
      return
    }
    const beat = Math.floor(this.engine.heardQuarter - heard.quarter)
    this.position.textContent = `${heard.bar + 1}.${Math.min(4, Math.max(0, beat) + 1)}`
    if (heard.number !== this.lastNumber) {
      this.lastNumber = heard.number
      this.refresh()
    }
  }

  pressKey(event) {
    if (event.defaultPrevented || event.repeat || event.ctrlKey || event.metaKey || event.altKey) return
    if (!this.data || (event.key === ' ' ? isTyping(event) : isWriting(event))) return
    const pad = PADS.find(([, , key]) => key === event.key)
    if (event.key === ' ') this.jam.toggle()
    else if (pad && !this.pads[pad[0]].disabled) this.jam.press(pad[0])
    else return
    event.preventDefault()
    event.stopImmediatePropagation()
  }
}
