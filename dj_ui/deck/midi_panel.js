// What leads and plays the deck from outside: clocks, Ableton Link, layouts and learned controls.

import { ACTIONS, actionOf } from './actions.js'
import { booth } from './booth.js'
import { make, toggle } from './dom.js'
import { LAYOUTS } from './layouts.js'
import { Link } from './link.js'
import { MidiIn } from './midi_in.js'
import { shortTempo } from './numbers.js'

const LINK = 'link:' // among the clocks, which are called by their ports

export class MidiPanel {
  constructor(face) {
    this.face = face
    bringControllers()
    this.open = toggle('MIDI in', () => this.show(this.root.hidden))
    this.open.setAttribute('aria-expanded', 'false')
    this.open.removeAttribute('aria-pressed')
    const field = (label, ...parts) => make('div', { class: 'control' },
      make('div', { class: 'caps' }, label), make('div', { class: 'field' }, ...parts))
    this.connect = make('button', { type: 'button', class: 'small',
      onclick: () => booth.midiIn.connect() }, 'Find controllers')
    this.words = make('span', { class: 'why', role: 'status' })
    this.clocks = select('Clock to follow', (name) => follow(name))
    this.port = select('Controller', () => this.refresh())
    this.layout = select('Layout', (layout) => booth.midiIn.setLayout(this.port.value, layout))
    fill(this.layout, [['', 'Only what was learned'], ...LAYOUTS.map(({ id, label }) => [id, label])])
    this.action = select('What to learn', () => {})
    fill(this.action, ACTIONS.map(({ id, label }) => [id, label]))
    this.learn = toggle('Learn', () =>
      booth.midiIn.learn(booth.midiIn.learning ? null : this.action.value))
    this.learned = make('ul', { class: 'learned' })
    this.forController = [field('Layout', this.layout), field('Learn a control', this.action, this.learn),
      this.learned]
    this.root = make('section', { class: 'midi-in', 'aria-label': 'MIDI in', hidden: '' },
      field('Clock', this.clocks), field('Controllers', this.port, this.connect), ...this.forController,
      this.words)
  }

  show(shows) {
    this.root.hidden = !shows
    this.open.setAttribute('aria-expanded', shows)
    this.refresh()
  }

  refresh() {
    if (this.root.hidden) return
    const { midiIn, link } = booth
    const { ports, kept, learning } = midiIn
    fill(this.clocks, [['', 'The deck’s own'], [LINK, 'Ableton Link'],
      ...ports.map((name) => [name, `MIDI: ${name}`])])
    this.clocks.value = booth.followsLink ? LINK : ports.includes(kept.clock) ? kept.clock : ''
    fill(this.port, ports.map((name) => [name, name]))
    this.port.hidden = !ports.length
    this.connect.hidden = ports.length > 0
    for (const part of this.forController) part.hidden = !ports.length
    const own = kept.ports[this.port.value] ?? { layout: '', learned: {} }
    this.layout.value = own.layout
    this.learn.setAttribute('aria-pressed', Boolean(learning))
    this.learned.replaceChildren(...Object.entries(own.learned).map(([key, id]) => make('li', {},
      make('span', {}, `${wordsOf(key)}: ${actionOf(id)?.label ?? id}`),
      make('button', { type: 'button', class: 'small', 'aria-label': `Forget ${wordsOf(key)}`,
        onclick: () => midiIn.forget(this.port.value, key) }, 'Forget'))))
    const words = learning ? `Move the control that shall be: ${actionOf(learning).label}.`
      : booth.followsLink ? link.why || linkWords(link)
      : midiIn.why || clockWords(midiIn)
    if (this.words.textContent !== words) this.words.textContent = words
  }
}

function wordsOf(key) {
  const [kind, channel, number] = key.split(' ')
  return `${kind === 'note' ? 'Note' : 'Control'} ${number}, channel ${channel}`
}

function linkWords({ bpm, peers }) {
  if (bpm === null) return 'Asking for the Link session…'
  return `Link: ${shortTempo(bpm)} BPM, ${peers} ${peers === 1 ? 'other program' : 'other programs'}.`
}

function clockWords({ kept, clock }) {
  if (!kept.clock) return ''
  if (clock.bpm === null) return 'No clock yet, or one beyond 40 to 240 BPM.'
  return `Clock: ${shortTempo(clock.bpm)} BPM, ${clock.running ? 'running' : 'stopped'}.`
}

/** Controllers and clocks, once for a tab. */
function bringControllers() {
  if (booth.midiIn) return
  const { engine } = booth
  const held = new Set()
  booth.followsLink = false
  booth.link = new Link(() => engine.notify())
  booth.midiIn = new MidiIn({
    act(id, value, isOn, by) {
      const action = actionOf(id)
      if (!action) return
      if (action.kind === 'slide') action.start(value / 127)
      else if (action.kind === 'pad') {
        if (isOn) action.start(value, by)
        else action.end(by)
      } else if (isOn && !held.has(by)) {
        held.add(by)
        action.start()
      } else if (!isOn && held.delete(by)) action.end()
    },
    start() {
      const deck = booth.mini?.deck
      engine.stop()
      if (deck) deck.start(deck.own.beat, deck.data.name)
      else engine.play()
    },
    stop: () => engine.stop(),
    follow: (clock) => { if (!booth.followsLink) engine.follow.use(clock) },
    onChange: () => engine.notify(),
  })
}

function follow(name) {
  const { engine, link, midiIn } = booth
  booth.followsLink = name === LINK
  if (booth.followsLink) link.start()
  else link.stop()
  midiIn.useClock(booth.followsLink ? '' : name)
  if (booth.followsLink) engine.follow.use(link)
  engine.notify()
}

function select(label, onchange) {
  const box = make('select', { 'aria-label': label })
  box.onchange = () => onchange(box.value)
  return box
}

function fill(box, entries) {
  const wanted = entries.map((entry) => entry.join('=')).join()
  if (box.dataset.entries === wanted) return
  const { value } = box
  box.dataset.entries = wanted
  box.replaceChildren(...entries.map(([key, words]) => make('option', { value: key }, words)))
  if (entries.some(([key]) => key === value)) box.value = value
}
