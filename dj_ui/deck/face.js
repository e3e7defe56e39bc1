// A deck as a DJ sees it: display, transport, steps. It is built once per place on a page and
// then told what is on it. It shows the beat that sounds: its own, which is on deck A, or what was
// kept on deck B. Only its own can be edited.

import { Along } from './along.js'
import { beatOf, booth, refreshBooth, rememberLocks } from './booth.js'
import { Desk } from './desk.js'
import { Display } from './display.js'
import { make } from './dom.js'
import { takeDrops } from './dropping.js'
import { EditedBeat, unpackBeat } from './edits.js'
import { DRUMS } from './given.js'
import { StepGrid } from './grid.js'
import { isTyping, isWriting, keyOfHistory, keyOnSteps } from './keys.js'
import { KeysDialog } from './keys_list.js'
import { KitMenu } from './kit_menu.js'
import { mixerKey } from './mixer_settings.js'
import { clamp, shortTempo } from './numbers.js'
import { MidiPanel } from './midi_panel.js'
import { DrumPads } from './drum_pads.js'
import { Pager } from './pager.js'
import { laneControls, stepControls } from './panels.js'
import { baseOf, Player } from './player.js'
import { Tools } from './tools.js'
import { Transport } from './transport.js'

const SEND_MILLISECONDS = 250 // after the last touch, an edit goes to Python
const TURN_MILLISECONDS = 30 // between two places of a knob that are heard
const HEAR_MILLISECONDS = 90 // between two moments of a drag that are played

export class Face extends Player {
  constructor(parent, owner) {
    super(parent, owner)
    this.follows = true // the steps turn with the music
    this.deck = 'A' // the one that is shown
    this.display = new Display((share) => this.goTo(share), (deck) => this.look(deck))
    this.transport = new Transport(this)
    this.kits = new KitMenu(this)
    this.display.root.append(this.kits.button)
    this.desk = new Desk(this)
    this.tools = new Tools(this)
    this.pads = new DrumPads(this)
    this.midiPanel = new MidiPanel(this)
    this.transport.drawer.append(make('div', { class: 'control' }, make('div', { class: 'caps' }, 'By hand'),
      make('div', { class: 'field' }, this.pads.open, this.midiPanel.open)))
    this.pager = new Pager(this)
    this.along = new Along(this)
    this.stage = make('div', { class: 'stage' })
    this.menu = make('div', { class: 'menu', popover: 'auto', role: 'dialog' })
    this.help = new KeysDialog()
    this.live = make('div', { class: 'unseen', 'aria-live': 'polite' })
    this.root.append(this.display.root, this.transport.root, this.pager.root, this.tools.root,
      this.midiPanel.root, make('div', { class: 'room' }, this.stage, this.desk.root), this.along.root,
      this.pads.root, this.menu, this.kits.list, this.help.root, this.live)
    this.grid = new StepGrid(this.stage, this)
    takeDrops(this.root, (words) => this.tools.say(words))
    this.onKey = (event) => this.pressKey(event)
    document.addEventListener('keydown', this.onKey)
    this.root.addEventListener('pointerleave', () => this.send())
    // by its whole width: what is inside grows as the narrow deck's edges shrink, and would flip it
    new ResizeObserver(([{ borderBoxSize: [{ inlineSize: width }] }]) => this.fit(width)).observe(this.root)
  }

  close() {
    this.send()
    if (this.own) this.sendMixer()
    document.removeEventListener('keydown', this.onKey)
    this.grid.close()
    this.kits.close()
    this.pads.close()
    super.close()
  }

  fit(width) {
    this.transport.fold(width < 642)
    this.root.classList.toggle('wide', width >= 930)
  }

  // -- from Python -----------------------------------------------------------------------------

  update({ data, setTriggerValue }) {
    const another = this.data?.slot !== data.slot || this.own?.original.id !== data.beat.id
    if (another && this.data) {
      this.send()
      this.sendMixer()
    }
    this.data = data
    this.trigger = setTriggerValue
    if (another) {
      this.toldFeel = null
      this.own = beatOf(data)
      this.toldMixer = null
      this.grid.first = 0
      this.follows = true
    }
    if (this.root.offsetWidth) this.fit(this.root.offsetWidth) // before it is seen for the first time
    if (data.other) this.keepOther(data.other)
    if (this.isMine && another) this.load(this.own.beat, data.name)
    this.answerPlay(data.play)
    this.redraw()
    this.sendWhatWasLost()
    this.sendLocks()
    if (mixerKey(data.mixer) === this.toldMixer) this.toldMixer = null
    this.sendMixerSoon()
  }

  // A new take starts by itself, once: its token says which.
  answerPlay(token) {
    if (token === null || booth.started.has(token)) return
    booth.started.add(token)
    this.start(this.own.beat, this.data.name)
  }

  keepOther({ name, beat }) {
    if (booth.kept?.beat.id !== beat.id) this.keep(name, new EditedBeat(unpackBeat(beat)).beat)
  }

  // -- which deck is shown -----------------------------------------------------------------------

  // What sounds; where both decks do, what the DJ chose to see.
  chooseDeck() {
    const { owner, crossfade, decks, lead } = this.engine.state()
    const hasBoth = owner === this.owner && booth.kept && decks.A.beatId && decks.B.beatId
    this.bothSound = Boolean(hasBoth && crossfade > 0 && crossfade < 1)
    if (!this.bothSound) this.chosen = null
    this.deck = hasBoth ? this.chosen ?? lead : 'A'
  }

  look(deck) {
    this.chosen = deck
    this.refresh()
  }

  get edited() { return this.deck === 'B' ? booth.kept.edited : this.own }
  get name() { return this.deck === 'B' ? booth.kept.name : this.data.name }
  get readOnly() { return this.deck === 'B' }

  // Rows of the grid: the drums of the beat, and those that are locked though it lacks them.
  get lanes() {
    const lanes = new Set(this.edited.lanes)
    if (this.canLock) for (const lane of booth.locks) lanes.add(lane)
    return [...lanes].sort((one, other) => one - other)
  }

  refuse() { this.tools.say('Deck B is here to compare. Fade to deck A to change its steps.') }

  // -- to Python -------------------------------------------------------------------------------

  send() {
    if (!this.unsent) return
    clearTimeout(this.unsent)
    this.unsent = null
    this.own.sent = this.own.serial // said once, whatever becomes of it
    this.trigger('edited', {
      slot: this.data.slot, serial: this.own.serial, ...this.own.payload,
    })
  }

  // Whether Python has the beat as it is here.
  get isEditTold() {
    const told = (edit) => JSON.stringify([edit?.tempo_bpm, edit?.hits, edit?.lengths])
    return told(this.own.isOriginal ? null : this.own.payload) === told(this.data.edit)
  }

  // An edit made just before the page was left, or before the server was started anew.
  sendWhatWasLost() {
    if (this.isEditTold || this.unsent || this.own.sent === this.own.serial) return
    this.unsent = setTimeout(() => this.send(), SEND_MILLISECONDS)
  }

  // Which drums a new take keeps: the tab knows, and tells a server that knows it otherwise, once.
  sendLocks() {
    if (!this.canLock) return
    const here = booth.locks.map((lane) => DRUMS[lane].name)
    if (here.join() === this.data.locks.join()) this.toldLocks = null
    else if (here.join() !== this.toldLocks) {
      this.toldLocks = here.join()
      this.trigger('locks', here)
    }
  }

  // -- edits (also called by the grid and the keyboard) ------------------------------------------

  // A drag changes the beat with every pixel; it is heard a few times a second.
  changing() {
    if (!this.isMine || this.pending) return
    this.pending = setTimeout(() => this.sound(), HEAR_MILLISECONDS)
  }

  // A drag of a slider in a menu.
  dragged() {
    this.grid.paint()
    this.changing()
  }

  sound() {
    clearTimeout(this.pending)
    this.pending = null
    if (this.isMine) this.load(this.own.beat, this.data.name)
  }

  changed() {
    this.sound()
    clearTimeout(this.unsent)
    this.unsent = setTimeout(() => this.send(), SEND_MILLISECONDS)
    this.redraw()
  }

  // -- the mixer ---------------------------------------------------------------------------------

  editedOn(deck) { return deck === 'B' ? booth.kept.edited : this.own }
  mixerOf(deck) { return this.editedOn(deck).mixer }

  // A knob is being turned: it is heard as it goes, and is one change once the hand lets go.
  turnKnob(channel, name, value, isDone, deck = this.deck) {
    const edited = this.editedOn(deck)
    const knob = `${deck} ${channel} ${name}`
    edited.mix(this.engine.mixerTable.with(edited.mixer, channel, name, value), this.turning === knob)
    this.turning = isDone ? null : knob
    if (isDone) this.mixed(deck)
    else this.#hearTurning(deck)
  }

  // The whole mixer at once: a preset, a kill, none.
  mix(mixer, deck = this.deck) {
    this.turning = null
    this.editedOn(deck).mix(mixer)
    this.mixed(deck)
  }

  #hearTurning(deck) {
    this.refresh()
    if (this.turnWaits || !this.isMine) return
    const mixer = this.mixerOf(deck)
    this.engine.setMixer(deck, mixer)
    this.turnWaits = setTimeout(() => {
      this.turnWaits = null
      if (this.turning && !this.closed && this.mixerOf(deck) !== mixer) this.#hearTurning(deck)
    }, TURN_MILLISECONDS)
  }

  mixed(deck) {
    clearTimeout(this.turnWaits)
    this.turnWaits = null
    if (deck === 'B') {
      booth.kept.beat = { ...booth.kept.edited.beat, name: booth.kept.name }
      if (this.isMine) this.engine.setBeat('B', booth.kept.beat, { at: 'now' })
    } else {
      this.sound()
      this.sendMixerSoon()
    }
    this.refresh()
  }

  sendMixerSoon() {
    clearTimeout(this.mixerWaits)
    this.mixerWaits = setTimeout(() => this.sendMixer(), SEND_MILLISECONDS)
  }

  // Files, the take and the crate have the beat as it is mixed.
  sendMixer() {
    clearTimeout(this.mixerWaits)
    const here = mixerKey(this.own.mixer)
    if (this.turning || here === (this.toldMixer ?? mixerKey(this.data.mixer))) return
    this.toldMixer = here
    this.trigger('mixer', { slot: this.data.slot, mixer: this.own.mixer })
  }

  undo() { if (!this.readOnly && this.own.canUndo) { this.own.undo(); this.changed(); this.sendMixerSoon() } }
  redo() { if (!this.readOnly && this.own.canRedo) { this.own.redo(); this.changed(); this.sendMixerSoon() } }
  restore() { this.own.restore(); this.engine.setTempo(null); this.changed() }

  addDrum(lane) {
    this.own.opened.add(lane)
    this.grid.draw()
    this.grid.focus = { lane, step: this.grid.window[0] }
    this.grid.move(0, 0)
    this.redraw()
  }

  // What is heard on deck A and is not in its beat: a tempo that the DJ set, a swing.
  get feel() {
    if (!this.isMine || this.readOnly) return { tempo: null, swing: 0 }
    const { tempoOverride, swing } = this.engine.state()
    const differs = tempoOverride !== null && shortTempo(tempoOverride) !== shortTempo(this.own.tempo)
    return { tempo: differs ? tempoOverride : null, swing }
  }

  // Whether what is heard is news to Python.
  get tellsFeel() {
    if (!this.isMine || this.readOnly || !this.data.heard) return false
    const { tempo, swing } = this.feel
    return JSON.stringify([tempo, swing]) !== JSON.stringify(this.data.heard)
  }

  // Files, the crate and the next take follow what is heard: Python is told once a hand rests.
  sendFeel() {
    if (!this.isMine || this.readOnly || !this.data.heard) return
    const { tempo, swing } = this.feel
    const { slot } = this.data
    const here = JSON.stringify([tempo, swing])
    clearTimeout(this.feelWaits)
    if (here === (this.toldFeel ?? JSON.stringify(this.data.heard))) return
    this.feelWaits = setTimeout(() => {
      if (this.closed || this.data.slot !== slot) return
      this.toldFeel = here
      this.trigger('heard', { slot, tempo_bpm: tempo, swing })
    }, SEND_MILLISECONDS)
  }

  dropFeel() {
    this.engine.setTempo(null)
    this.engine.setSwing(0)
  }

  // -- sound -----------------------------------------------------------------------------------

  get tempo() { return this.isMine ? this.engine.state().tempoBpm : this.edited.tempo }

  play() {
    if (this.isSounding) {
      this.engine.stop()
      return
    }
    this.follows = true
    this.pager.draw()
    this.start(this.own.beat, this.data.name)
  }

  keep(name, beat) {
    booth.kept = { name, beat: { ...beat, name }, edited: new EditedBeat(unpackBeat({ ...beat, ticks: 1 }), null, beat.mixer) }
    if (this.isMine) this.engine.setBeat('B', booth.kept.beat)
    refreshBooth()
  }

  isMuted(lane) { return this.engine.state().muted.includes(lane) }
  isSoloed(lane) { return this.engine.state().soloed.includes(lane) }

  isSilent(lane) {
    const { muted, soloed } = this.engine.state()
    return muted.includes(lane) || (soloed.length > 0 && !soloed.includes(lane))
  }

  get canLock() { return Boolean(this.data?.locks) && !this.readOnly }
  isLocked(lane) { return booth.locks.includes(lane) }

  lock(lane) {
    this.own.opened.add(lane) // its row stays until another beat comes
    booth.locks = this.isLocked(lane) ? booth.locks.filter((one) => one !== lane)
      : [...booth.locks, lane].sort((one, other) => one - other)
    rememberLocks()
    this.sendLocks()
    this.redraw()
  }

  mute(lane) { this.engine.setMute(lane, !this.isMuted(lane)) }
  solo(lane) { this.engine.setSolo(lane, !this.isSoloed(lane)) }

  // -- menus -----------------------------------------------------------------------------------

  open(anchor, title, entries) {
    const close = (act) => () => { this.menu.hidePopover(); act() }
    const buttons = entries.map(([label, act, { on = false, hue = '' } = {}]) => make('button', {
      type: 'button', class: `entry ${hue}`, 'aria-pressed': on || null, onclick: close(act),
    }, label))
    this.openWith(anchor, title, buttons)
    buttons[0]?.focus()
  }

  // A menu of any controls; on a narrow deck those stand at the bottom, under the thumb.
  openWith(anchor, title, children, { sheet = false, aside = false } = {}) {
    const low = sheet && this.root.classList.contains('narrow')
    this.menu.classList.toggle('panel', sheet)
    this.menu.classList.toggle('low', low)
    this.menu.setAttribute('aria-label', title)
    this.menu.replaceChildren(make('div', { class: 'caps' }, title), ...children)
    this.menu.showPopover()
    if (low) {
      this.menu.style.left = this.menu.style.top = ''
      return
    }
    const [box, own] = [anchor.getBoundingClientRect(), this.menu.getBoundingClientRect()]
    const beside = box.right + 10 + own.width < innerWidth ? box.right + 10 : box.left - own.width - 10
    const left = clamp(aside ? beside : box.left, 8, Math.max(8, innerWidth - own.width - 8))
    const below = box.bottom + 6 + own.height < innerHeight
    this.menu.style.left = `${left}px`
    const top = aside ? clamp(box.top - own.height / 3, 8, innerHeight - own.height - 8)
      : below ? box.bottom + 6 : box.top - own.height - 6
    this.menu.style.top = `${Math.max(8, top)}px`
  }

  // Chance, loops, ratchet and flam of a step.
  stepMenu(lane, step, anchor) {
    if (this.readOnly) {
      this.refuse()
      return
    }
    const { per_bar: perBar } = this.own.steps
    const place = `bar ${Math.floor(step / perBar) + 1}, step ${step % perBar + 1}`
    const controls = stepControls(this, lane, step)
    this.openWith(anchor, `${DRUMS[lane].label} · ${place}`, controls,
      { sheet: true, aside: true })
    controls[0].querySelector('input').focus({ preventScroll: true })
  }

  laneMenu(lane, anchor) {
    this.open(anchor, DRUMS[lane].label, [
      [this.isMuted(lane) ? 'Unmute' : 'Mute', () => this.mute(lane)],
      [this.isSoloed(lane) ? 'Solo off' : 'Solo', () => this.solo(lane)],
      ...(this.canLock ? [[this.isLocked(lane) ? 'Unlock' : 'Lock: a new take keeps this drum',
        () => this.lock(lane)]] : []),
      ...(this.readOnly ? [] : [
        ['Length and even fill…', () => this.openWith(anchor, DRUMS[lane].label,
          laneControls(this, lane), { sheet: true })],
        ['Clear this drum', () => { this.own.clearLane(lane); this.changed() }]]),
    ])
  }

  barMenu(bar, anchor) {
    const { bars } = this.own.original
    const copy = (targets) => () => { this.own.copyBar(bar, targets); this.changed() }
    const entries = []
    if (bar + 1 < bars) entries.push(['Copy to next bar', copy([bar + 1])])
    if (bars > 1) entries.push(['Copy to all bars', copy([...Array(bars).keys()])])
    entries.push(['Clear this bar', () => { this.own.clearBar(bar); this.changed() }])
    this.open(anchor, `Bar ${bar + 1}`, entries)
  }

  drumMenu(anchor) {
    const { lanes } = this
    const absent = DRUMS.map((drum, lane) => [drum, lane]).filter(([, lane]) => !lanes.includes(lane))
    this.open(anchor, 'Add a drum', absent.map(([drum, lane]) =>
      [drum.label, () => this.addDrum(lane), { hue: drum.family }]))
  }

  // -- drawing ---------------------------------------------------------------------------------

  turned() { this.pager?.draw(); this.display?.window(this.grid.window, this.edited) }

  goTo(share) {
    const { original, steps } = this.edited
    this.follows = false
    this.grid.showStep(Math.floor(share * original.bars * steps.per_bar))
    this.pager.draw()
  }

  // Everything that shows the beat; `refresh` is for what shows the engine.
  redraw() {
    if (!this.own) return
    this.chooseDeck()
    this.shown = this.edited
    this.display.draw(this.edited, this.name, this.readOnly ? [] : this.data.facts)
    this.grid.draw()
    this.pager.draw()
    this.along.draw()
    this.display.window(this.grid.window, this.edited)
    this.refresh()
  }

  refresh() {
    if (!this.own || this.closed) return
    this.chooseDeck()
    if (this.shown && this.shown !== this.edited) {
      this.redraw() // the other deck sounds now
      return
    }
    const state = this.engine.state()
    this.display.refresh(this, state)
    this.transport.refresh(state)
    this.kits.refresh()
    this.tools.refresh()
    this.desk.refresh()
    this.pads.refresh(state)
    this.midiPanel.refresh()
    this.sendFeel()
    this.grid.paint()
    const sounds = this.isSounding
    const words = sounds ? `Playing ${this.name}` : 'Stopped'
    if (words !== this.live.textContent && (sounds || this.live.textContent)) {
      this.live.textContent = words
    }
    if (sounds) this.follow()
  }

  onFrame(state) {
    if (this.closed || !this.own) return
    const deck = state?.decks[this.deck]
    const here = deck && baseOf(deck.beatId) === baseOf(this.edited.original.id)
    const position = here ? deck.positionQuarters : null
    if (position !== null && this.follows && !this.grid.isTouched) {
      const step = Math.floor(position * this.edited.steps.per_quarter)
      if (this.grid.window && (step < this.grid.window[0] || step >= this.grid.window[1])) {
        this.grid.showStep(step)
      }
    }
    const began = position !== null && !this.display.lit
    this.grid.head(position, here ? deck.playedQuarters : null)
    this.display.head(position, this.edited)
    this.transport.beat(position, this.edited)
    if (began) this.display.refresh(this, state) // the count-in is over
  }

  pressKey(event) {
    if (!this.own || event.defaultPrevented) return
    const path = event.composedPath()
    const inside = path.includes(this.root)
    // of several decks on a page, the one that is touched, else the one that plays
    const decks = [...booth.faces].filter((face) => face instanceof Face)
    const meant = decks.find((face) => path.includes(face.root))
      ?? decks.find((face) => face.isMine) ?? decks[0]
    if (meant !== this || this.help.root.open) return
    const onSteps = inside && path[0].classList?.contains('cell')
    let known = onSteps && keyOnSteps(event, this.grid, this)
    if (!known && event.key === '?' && !isWriting(event)) {
      this.help.open()
      known = true
    }
    if (!known && (inside || !isTyping(event))) known = keyOfHistory(event, this)
    if (!known && event.key === ' ' && !event.repeat && (onSteps || !isTyping(event))) {
      this.play()
      known = true
    }
    if (!known) return
    event.preventDefault()
    event.stopImmediatePropagation()
  }
}
