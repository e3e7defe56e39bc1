// The transport: play, tempo, swing, volume, the two decks; what is rarely needed is folded away.

import { booth } from './booth.js'
import { icon, make, slider, toggle } from './dom.js'
import { clamp, shortTempo } from './numbers.js'

export class Transport {
  constructor(face) {
    this.face = face
    const { engine } = face
    this.play = make('button', { type: 'button', class: 'play', 'aria-label': 'Play',
      title: 'Play or stop (space)', onclick: () => face.play() },
      make('span', { class: 'ring' }), icon('play'), icon('stop'))
    this.tempo = this.#tempo(engine)
    this.swing = slider('Swing', { min: 0, max: 1, step: 0.01,
      words: (value) => `${Math.round(50 + 25 * value)}%`,
      oninput: (value) => engine.setSwing(value) })
    this.volume = slider('Volume', { min: 0, max: 1, step: 0.01,
      words: (value) => `${Math.round(value * 100)}`,
      oninput: (value) => engine.setVolume(value) })
    this.cross = this.#cross(engine)
    this.drawer = this.#drawer(engine)
    this.more = make('button', { type: 'button', class: 'toggle more', 'aria-expanded': 'false',
      'aria-label': 'More controls', title: 'More controls', onclick: () => this.openDrawer() },
      icon('more'))
    this.row = make('div', { class: 'transport' },
      this.play, this.tempo, this.swing, this.volume, this.cross, this.more)
    this.root = make('div', { class: 'transport-box' }, this.row, this.drawer)
  }

  #tempo(engine) {
    const nudge = (by) => () => engine.setTempo(clamp(Math.round(this.face.tempo + by), 20, 400))
    this.bpm = make('input', { type: 'text', inputmode: 'decimal', class: 'bpm',
      'aria-label': 'Tempo in BPM', autocomplete: 'off', spellcheck: 'false' })
    this.bpm.onchange = () => {
      const tempo = Number(this.bpm.value.replace(',', '.'))
      if (tempo >= 20 && tempo <= 400) engine.setTempo(tempo)
      this.refresh(engine.state(), true)
    }
    this.bpm.onkeydown = (event) => {
      const by = { ArrowUp: 1, ArrowDown: -1 }[event.key]
      if (by) { nudge(by)(); event.preventDefault() }
      if (event.key === 'Enter') this.bpm.blur()
      event.stopPropagation()
    }
    const small = (label, name, onclick) =>
      make('button', { type: 'button', class: 'small', 'aria-label': name, title: name, onclick }, label)
    this.half = small('½', '½: half tempo', () => engine.halfTime())
    this.double = small('×2', '×2: double tempo', () => engine.doubleTime())
    return make('div', { class: 'control tempo' },
      make('div', { class: 'caps' }, 'Tempo'),
      make('div', { class: 'stepper' },
        small('−', 'Slower', nudge(-1)), this.bpm, small('+', 'Faster', nudge(1)),
        small('Tap', 'Tap the tempo', () => engine.tapTempo())))
  }

  #cross(engine) {
    this.fader = make('input', { type: 'range', min: 0, max: 1, step: 0.01, class: 'fader',
      'aria-label': 'Crossfader, from deck A to deck B' })
    this.fader.oninput = () => engine.setCrossfade(Number(this.fader.value), { at: 'now' })
    const cut = (label) => make('button', { type: 'button', class: 'side',
      'aria-label': `Fade to deck ${label} on the beat`, onclick: () => engine.cue(label) }, label)
    this.sides = [cut('A'), cut('B')]
    this.other = make('div', { class: 'caps' }, 'Decks')
    this.keepB = make('button', { type: 'button', class: 'small keep',
      title: 'Deck A’s beat on deck B too, to compare it with what comes next',
      onclick: () => this.face.keep(this.face.data.name, this.face.own.beat) })
    this.crossRow = make('div', { class: 'cross' }, this.sides[0], this.fader, this.sides[1])
    return make('div', { class: 'control decks' }, this.other,
      make('div', { class: 'cross-row' }, this.crossRow, this.keepB))
  }

  #drawer(engine) {
    this.countIn = toggle('Count-in', () => engine.setCountIn(!engine.state().countIn))
    this.metronome = toggle('Metronome', () => engine.setMetronome(!engine.state().metronome))
    this.ports = make('select', { 'aria-label': 'MIDI output' })
    this.ports.onchange = () => engine.midiUse(this.ports.value || null)
    this.connect = make('button', { type: 'button', class: 'small', onclick: () => this.askMidi() },
      'Connect')
    this.midiWords = make('span', { class: 'why' })
    this.drawerTop = make('div', { class: 'folded' })
    const field = (label, ...parts) => make('div', { class: 'control' },
      make('div', { class: 'caps' }, label), make('div', { class: 'field' }, ...parts))
    return make('div', { class: 'drawer', hidden: '' }, this.drawerTop,
      field('Tempo', this.half, this.double), field('Click', this.countIn, this.metronome),
      field('MIDI out', this.ports, this.connect, this.midiWords))
  }

  openDrawer() {
    this.drawer.hidden = !this.drawer.hidden
    this.more.setAttribute('aria-expanded', !this.drawer.hidden)
  }

  // On a narrow screen the sliders are folded away too.
  fold(narrow) {
    if (narrow === this.narrow) return
    this.narrow = narrow
    this.face.root.classList.toggle('narrow', narrow)
    if (narrow) {
      this.drawerTop.append(this.swing, this.volume)
      this.row.append(this.more)
      this.row.append(this.cross)
    } else {
      this.tempo.after(this.swing, this.volume, this.cross, this.more)
    }
  }

  async askMidi() {
    this.connect.disabled = true
    await this.face.engine.midiPorts()
    this.connect.disabled = false
    this.refresh(this.face.engine.state())
  }

  refresh(state, always = false) {
    const { face } = this
    const sounds = face.isSounding
    this.play.classList.toggle('on', sounds)
    const deck = booth.kept ? ` deck ${face.deck}` : ''
    this.play.setAttribute('aria-label', `${sounds ? 'Stop' : 'Play'}${deck}`)
    this.play.disabled = Boolean(booth.silence)
    const tempo = shortTempo(face.tempo)
    if (always || !this.bpm.matches(':focus')) this.bpm.value = tempo
    this.swing.set(state.swing)
    this.volume.set(state.volume)
    this.#refreshCross(state)
    for (const [button, on] of [[this.countIn, state.countIn], [this.metronome, state.metronome]]) {
      button.setAttribute('aria-pressed', on)
    }
    this.#refreshMidi(state)
  }

  #refreshCross({ crossfade }) {
    const { kept } = booth
    this.crossRow.hidden = !kept
    this.keepB.textContent = kept ? 'A → B' : 'Keep on deck B'
    this.keepB.setAttribute('aria-label', kept ? 'A → B: put deck A’s beat on deck B' : 'Keep on deck B')
    this.other.textContent = kept ? `A: ${this.face.data.name} · B: ${kept.name}` : 'Decks'
    this.other.title = this.other.textContent
    if (!this.fader.matches(':active')) this.fader.value = crossfade
    this.sides[0].setAttribute('aria-pressed', crossfade < 0.5)
    this.sides[1].setAttribute('aria-pressed', crossfade > 0.5)
  }

  #refreshMidi() {
    const { engine } = this.face
    const { available, why, portId, ports } = engine.midiState()
    this.ports.hidden = ports.length === 0
    this.connect.hidden = ports.length > 0 || (!available && !this.canAskAgain(why))
    this.midiWords.textContent = why
    const wanted = ports.map(({ id, name }) => `${id}=${name}`).join()
    if (this.ports.dataset.names !== wanted) {
      this.ports.dataset.names = wanted
      this.ports.replaceChildren(make('option', { value: '' }, 'Off'),
        ...ports.map(({ id, name }) => make('option', { value: id }, name)))
    }
    this.ports.value = portId ?? ''
  }

  // What can change while the page is open: a port that was missing, a permission.
  canAskAgain(why) { return why.includes('try again') }

  // The ring around the play button: one turn a bar, brightest on the beat.
  beat(position, { original, steps }) {
    const bar = position === null ? 0 : position % original.bar_quarters / original.bar_quarters
    const beats = position === null ? 1 : position * steps.per_quarter / steps.per_beat % 1
    this.play.style.setProperty('--turn', bar)
    this.play.style.setProperty('--pulse', position === null ? 0 : Math.max(0, 1 - beats * 2))
  }
}
