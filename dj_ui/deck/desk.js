// The mixer as it is seen: a strip a drum and the bus, in the place of the steps.
//
// Tab goes from strip to strip, the arrow keys left and right from knob to knob, up and down turn.

import { booth } from './booth.js'
import { make } from './dom.js'
import { DRUMS } from './given.js'
import { Knob } from './knob.js'
import { isNeutral, mixerKey } from './mixer_settings.js'

const KILLED = ['low', 'mid', 'high']

export class Desk {
  constructor(face) {
    this.face = face
    this.table = face.engine.mixerTable
    this.knobs = new Map() // channel → control → Knob
    this.shape = ''
    this.chosen = null // the channel that a phone shows
    const small = (label, title, onclick) =>
      make('button', { type: 'button', class: 'small', title, onclick }, label)
    this.presets = make('select', { 'aria-label': 'Preset of the mixer', onchange: () => this.#take() })
    this.flat = small('Flat', 'Every control where it changes nothing', () => face.mix({}))
    this.deckWord = make('b', { class: 'mark', hidden: '' }, 'B')
    this.tones = new DeckTones(face)
    this.channels = make('div', { class: 'channels', role: 'group', 'aria-label': 'Channel' })
    this.drums = make('div', { class: 'drums' })
    this.strips = make('div', { class: 'strips' }, this.drums)
    this.root = make('div', { class: 'desk', hidden: '', role: 'group', 'aria-label': 'Mixer' },
      make('div', { class: 'desk-head' }, this.deckWord, this.presets, this.flat,
        this.tones.root, this.channels),
      this.strips)
    this.root.addEventListener('keydown', (event) => this.#pressKey(event))
    this.button = make('button', { type: 'button', class: 'small mix-button', 'aria-pressed': 'false',
      title: 'The mixer in place of the steps', onclick: () => this.toggle() }, 'Mixer', make('i', {}))
  }

  get isOpen() { return !this.root.hidden }

  toggle() {
    this.root.hidden = this.isOpen
    this.face.stage.inert = this.isOpen
    this.face.stage.classList.toggle('behind', this.isOpen)
    this.button.setAttribute('aria-pressed', this.isOpen)
    this.face.refresh()
  }

  refresh() {
    const { mixer } = this.face.edited
    this.button.classList.toggle('mixed', !isNeutral(mixer))
    if (!this.isOpen) return
    this.#draw()
    this.tones.refresh(this.face.engine.state())
    this.deckWord.hidden = this.face.deck !== 'B'
    for (const [channel, knobs] of this.knobs) {
      for (const [name, knob] of knobs) knob.show(this.table.value(mixer, channel, name))
    }
    for (const strip of this.drums.children) {
      const { lane } = strip.dataset
      strip.classList.toggle('silent', this.face.isSilent(Number(lane)))
      const [mute, solo] = strip.querySelectorAll('.flag')
      mute.setAttribute('aria-pressed', this.face.isMuted(Number(lane)))
      solo.setAttribute('aria-pressed', this.face.isSoloed(Number(lane)))
    }
    for (const kill of this.strips.querySelectorAll('.kill')) {
      kill.setAttribute('aria-pressed', isKilled(this.table, mixer, kill.dataset.band))
    }
    this.flat.disabled = isNeutral(mixer)
    const key = mixerKey(mixer)
    const preset = this.table.presets.find((one) => mixerKey(one.mixer) === key)
    this.presets.value = preset?.name ?? (isNeutral(mixer) ? 'flat' : 'own')
  }

  // -- drawing -----------------------------------------------------------------------------------

  #draw() {
    const { lanes } = this.face
    const shape = `${lanes.join()} ${this.face.data.preset}`
    if (shape === this.shape) return
    this.shape = shape
    this.knobs.clear()
    this.#drawPresets()
    this.drums.replaceChildren(...lanes.map((lane) => this.#strip(lane)))
    this.strips.replaceChildren(this.drums, this.#bus())
    const names = [...lanes.map((lane) => [DRUMS[lane].name, DRUMS[lane].short, DRUMS[lane].family,
      DRUMS[lane].label]), [this.table.bus, 'Bus', '', 'all drums']]
    if (!names.some(([name]) => name === this.chosen)) [[this.chosen]] = names
    this.channels.replaceChildren(...names.map(([name, short, family, label]) => make('button', {
      type: 'button', class: `side ${family}`, 'aria-label': `${short}: ${label}`,
      'data-channel': name, onclick: () => this.#choose(name) }, short)))
    this.#choose(this.chosen)
  }

  #drawPresets() {
    const { presets } = this.table
    const own = presets.find(({ name }) => name === this.face.data.preset)
    const option = (value, label) => make('option', { value }, label)
    const others = presets.filter((one) => one !== own).map((one) => option(one.name, one.label))
    this.presets.replaceChildren(option('flat', 'No mixer'), option('own', 'My own'),
      ...(own ? [option(own.name, `${own.label}: this style`)] : []), ...others)
    this.presets.querySelector('[value=own]').disabled = true
  }

  #strip(lane) {
    const { name, label, family } = DRUMS[lane]
    const flag = (letter, word, act) => make('button', { type: 'button', class: `flag ${word}`,
      'aria-label': `${word === 'mute' ? 'Mute' : 'Solo'} ${label}`, tabindex: '-1', onclick: act }, letter)
    const knobs = this.#knobs(name, label, this.table.strip_controls.slice(1))
    return make('section', { class: `strip ${family}`, 'aria-label': label, 'data-channel': name,
      'data-lane': lane },
    make('h4', { title: label }, make('b', {}, label)),
    make('div', { class: 'knobs' }, ...knobs),
    make('div', { class: 'level' },
      ...this.#knobs(name, label, this.table.strip_controls.slice(0, 1), 'fader'),
      make('div', { class: 'flags' }, flag('M', 'mute', () => this.face.mute(lane)),
        flag('S', 'solo', () => this.face.solo(lane)))))
  }

  #bus() {
    const { bus, bus_controls: controls } = this.table
    const kills = KILLED.map((band) => make('button', { type: 'button', class: 'toggle kill',
      tabindex: '-1', 'data-band': band, 'aria-label': `Kill ${band}`,
      onclick: () => this.face.mix(killed(this.table, this.face.edited.mixer, band)) }, 'Kill'))
    const named = new Map(controls.map((control, i) =>
      [control.name, this.#knobs(bus, 'Bus', controls.slice(i, i + 1))[0]]))
    const group = (title, ...parts) => make('div', { class: 'bus-part' }, make('div', { class: 'caps' }, title),
      make('div', { class: title === 'Returns' ? 'knobs returns' : 'knobs' }, ...parts))
    const of = (...names) => names.map((name) => named.get(name))
    return make('section', { class: 'strip bus', 'aria-label': 'Bus', 'data-channel': bus },
      make('h4', {}, make('b', {}, 'Bus'), make('span', {}, 'all drums')),
      group('Tone', ...KILLED.map((band, i) => make('div', { class: 'band' }, named.get(band), kills[i])),
        make('div', { class: 'band' }, named.get('filter'), make('i', {}))),
      group('Drive and duck', ...of('drive', 'duck', 'duck_time')),
      group('Returns', ...of('room', 'plate', 'delay', 'delay_time', 'feedback')))
  }

  #knobs(channel, label, controls, shape = 'knob') {
    return controls.map((control) => {
      const knob = new Knob(control, { shape, name: `${label}: ${control.label}`,
        turn: (value, isDone) => this.face.turnKnob(channel, control.name, value, isDone) })
      if (!this.knobs.has(channel)) this.knobs.set(channel, new Map())
      this.knobs.get(channel).set(control.name, knob)
      return knob.root
    })
  }

  // -- touching ----------------------------------------------------------------------------------

  #take() {
    const preset = this.table.presets.find(({ name }) => name === this.presets.value)
    this.face.mix(preset?.mixer ?? {})
  }

  #choose(channel) {
    this.chosen = channel
    const strips = this.strips.querySelectorAll('.strip')
    for (const one of [...this.channels.children, ...strips]) {
      const isChosen = one.dataset.channel === channel
      if (one.matches('button')) one.setAttribute('aria-pressed', isChosen)
      else one.classList.toggle('chosen', isChosen)
    }
    for (const strip of strips) stopsOf(strip).forEach((one, i) => { one.tabIndex = i ? -1 : 0 })
  }

  #pressKey(event) {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key]
    const [inner] = event.composedPath()
    const strip = inner.closest?.('.strip')
    if (!by || !strip || event.ctrlKey || event.metaKey || event.altKey) return
    const stops = stopsOf(strip)
    const next = stops[(stops.indexOf(inner) + by + stops.length) % stops.length]
    for (const one of stops) one.tabIndex = one === next ? 0 : -1
    next.focus()
    event.preventDefault()
    event.stopPropagation()
  }
}

/** For each deck: its filter and kills, once there is a deck B; and the bass that goes with it. */
class DeckTones {
  constructor(face) {
    this.face = face
    this.table = face.engine.mixerTable
    const { engine } = face
    this.swap = make('button', { type: 'button', class: 'toggle swap', 'aria-pressed': 'false',
      title: 'The bass of one deck alone: it changes over in the middle of the crossfader',
      onclick: () => engine.setBassSwap(!engine.state().bassSwap) }, 'Bass swap')
    this.decks = ['A', 'B'].map((name) => this.#deck(name))
    this.root = make('div', { class: 'tones', hidden: '' },
      this.decks[0].root, this.swap, this.decks[1].root)
  }

  #deck(name) {
    const { bus } = this.table
    const knob = new Knob(this.table.control(bus, 'filter'), { name: `Deck ${name}: Filter`,
      turn: (value, isDone) => this.face.turnKnob(bus, 'filter', value, isDone, name) })
    knob.root.tabIndex = 0
    const kills = KILLED.map((band) => make('button', { type: 'button', class: 'toggle kill',
      'aria-label': `Deck ${name}: kill ${band}`, 'data-band': band,
      onclick: () => this.face.mix(killed(this.table, this.face.mixerOf(name), band), name) },
    band[0].toUpperCase() + band.slice(1)))
    const root = make('div', { class: 'tone', role: 'group', 'aria-label': `Tone of deck ${name}` },
      make('b', { class: 'mark' }, name), knob.root, ...kills)
    return { name, knob, kills, root }
  }

  refresh({ bassSwap }) {
    this.root.hidden = !booth.kept || !this.face.isMine
    if (this.root.hidden) return
    this.swap.setAttribute('aria-pressed', bassSwap)
    for (const { name, knob, kills } of this.decks) {
      const mixer = this.face.mixerOf(name)
      knob.show(this.table.value(mixer, this.table.bus, 'filter'))
      for (const kill of kills) {
        kill.setAttribute('aria-pressed', isKilled(this.table, mixer, kill.dataset.band))
      }
    }
  }
}

function stopsOf(strip) { return [...strip.querySelectorAll('[role=slider], button')] }

function isKilled(table, mixer, band) {
  return table.value(mixer, table.bus, band) <= table.control(table.bus, band).low
}

/** The mixer with a band killed, or as loud as it was made. */
function killed(table, mixer, band) {
  const { low, default: rest } = table.control(table.bus, band)
  return table.with(mixer, table.bus, band, isKilled(table, mixer, band) ? rest : low)
}
