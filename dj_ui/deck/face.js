// A deck as a DJ sees it: display, transport, steps. It is built once per place on a page and
// then told what is on it.

const SEND_MILLISECONDS = 250 // after the last touch, an edit goes to Python
const HEAR_MILLISECONDS = 90 // between two moments of a drag that are played

class Face extends Player {
  constructor(parent, owner) {
    super(parent, owner)
    this.follows = true // the steps turn with the music
    this.display = new Display((share) => this.goTo(share))
    this.transport = new Transport(this)
    this.tools = new Tools(this)
    this.pager = new Pager(this)
    this.stage = make('div', { class: 'stage' })
    this.menu = make('div', { class: 'menu', popover: 'auto' })
    this.live = make('div', { class: 'unseen', 'aria-live': 'polite' })
    this.root.append(this.display.root, this.transport.root, this.pager.root, this.stage,
      this.tools.root, this.menu, this.live)
    this.grid = new StepGrid(this.stage, this)
    this.onKey = (event) => this.pressKey(event)
    document.addEventListener('keydown', this.onKey)
    this.root.addEventListener('pointerleave', () => this.send())
    new ResizeObserver(([entry]) => this.transport.fold(entry.contentRect.width < 620))
      .observe(this.root)
  }

  close() {
    this.send()
    document.removeEventListener('keydown', this.onKey)
    this.grid.close()
    super.close()
  }

  // -- from Python -----------------------------------------------------------------------------

  update({ data, setTriggerValue }) {
    const another = this.data?.slot !== data.slot || this.edited?.original.id !== data.beat.id
    if (another && this.data) this.send()
    this.data = data
    this.trigger = setTriggerValue
    if (another) {
      this.edited = beatOf(data)
      this.grid.first = 0
      this.follows = true
    }
    if (data.other) this.keepOther(data.other)
    if (this.isMine && another) this.load(this.edited.beat, data.name)
    this.answerPlay(data.play)
    this.redraw()
    this.sendWhatWasLost()
  }

  // A new take starts by itself, once: its token says which.
  answerPlay(token) {
    if (token === null || booth.started.has(token)) return
    booth.started.add(token)
    this.start(this.edited.beat, this.data.name)
  }

  keepOther({ name, beat }) {
    if (booth.kept?.beat.id === beat.id) return
    this.keep(name, new EditedBeat(unpackBeat(beat)).beat)
  }

  // -- to Python -------------------------------------------------------------------------------

  send() {
    if (!this.unsent) return
    clearTimeout(this.unsent)
    this.unsent = null
    this.edited.sent = this.edited.serial // said once, whatever becomes of it
    this.trigger('edited', {
      slot: this.data.slot, serial: this.edited.serial, ...this.edited.payload,
    })
  }

  // An edit made just before the page was left, or before the server was started anew.
  sendWhatWasLost() {
    const { edited } = this
    const here = edited.isOriginal ? null : edited.payload
    const there = this.data.edit
    const same = here?.tempo_bpm === there?.tempo_bpm
      && JSON.stringify(here?.hits) === JSON.stringify(there?.hits)
    if (same || this.unsent || edited.sent === edited.serial) return
    this.unsent = setTimeout(() => this.send(), SEND_MILLISECONDS)
  }

  // -- edits (also called by the grid and the keyboard) ------------------------------------------

  // A drag changes the beat with every pixel; it is heard a few times a second.
  changing() {
    if (!this.isMine || this.pending) return
    this.pending = setTimeout(() => this.sound(), HEAR_MILLISECONDS)
  }

  sound() {
    clearTimeout(this.pending)
    this.pending = null
    if (this.isMine) this.load(this.edited.beat, this.data.name)
  }

  changed() {
    this.sound()
    clearTimeout(this.unsent)
    this.unsent = setTimeout(() => this.send(), SEND_MILLISECONDS)
    this.redraw()
  }

  undo() { if (this.edited.canUndo) { this.edited.undo(); this.changed() } }
  redo() { if (this.edited.canRedo) { this.edited.redo(); this.changed() } }
  restore() { this.edited.restore(); this.engine.setTempo(null); this.changed() }

  addDrum(lane) {
    this.edited.opened.add(lane)
    this.grid.draw()
    this.grid.focus = { lane, step: this.grid.window[0] }
    this.grid.move(0, 0)
    this.redraw()
  }

  // Writes the tempo and swing that are heard into the beat, and so into its files.
  keepFeel() {
    const { tempoBpm, swing } = this.engine.state()
    this.edited.change(withSwing(this.edited, swing), tempoBpm)
    this.engine.setTempo(null)
    this.engine.setSwing(0)
    this.changed()
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
    this.start(this.edited.beat, this.data.name)
  }

  keep(name, beat) {
    booth.kept = { name, beat: { ...beat, name } }
    if (this.isMine) this.engine.setBeat('B', booth.kept.beat)
    refreshBooth()
  }

  isMuted(lane) { return this.engine.state().muted.includes(lane) }
  isSoloed(lane) { return this.engine.state().soloed.includes(lane) }

  isSilent(lane) {
    const { muted, soloed } = this.engine.state()
    return muted.includes(lane) || (soloed.length > 0 && !soloed.includes(lane))
  }

  mute(lane) { this.engine.setMute(lane, !this.isMuted(lane)) }
  solo(lane) { this.engine.setSolo(lane, !this.isSoloed(lane)) }

  // -- menus -----------------------------------------------------------------------------------

  open(anchor, title, entries) {
    const close = (act) => () => { this.menu.hidePopover(); act() }
    const buttons = entries.map(([label, act, { on = false, hue = '' } = {}]) => make('button', {
      type: 'button', class: `entry ${hue}`, 'aria-pressed': on || null, onclick: close(act),
    }, label))
    this.menu.replaceChildren(make('div', { class: 'caps' }, title), ...buttons)
    this.menu.showPopover()
    const [box, own] = [anchor.getBoundingClientRect(), this.menu.getBoundingClientRect()]
    const left = clamp(box.left, 8, Math.max(8, innerWidth - own.width - 8))
    const below = box.bottom + 6 + own.height < innerHeight
    this.menu.style.left = `${left}px`
    this.menu.style.top = `${below ? box.bottom + 6 : Math.max(8, box.top - own.height - 6)}px`
    buttons[0]?.focus()
  }

  laneMenu(lane, anchor) {
    this.open(anchor, DRUMS[lane].label, [
      [this.isMuted(lane) ? 'Unmute' : 'Mute', () => this.mute(lane)],
      [this.isSoloed(lane) ? 'Solo off' : 'Solo', () => this.solo(lane)],
      ['Clear this drum', () => { this.edited.clearLane(lane); this.changed() }],
    ])
  }

  barMenu(bar, anchor) {
    const { bars } = this.edited.original
    const copy = (targets) => () => { this.edited.copyBar(bar, targets); this.changed() }
    const entries = []
    if (bar + 1 < bars) entries.push(['Copy to next bar', copy([bar + 1])])
    if (bars > 1) entries.push(['Copy to all bars', copy([...Array(bars).keys()])])
    entries.push(['Clear this bar', () => { this.edited.clearBar(bar); this.changed() }])
    this.open(anchor, `Bar ${bar + 1}`, entries)
  }

  drumMenu(anchor) {
    const { lanes } = this.edited
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
    if (!this.edited) return
    this.display.draw(this.edited, this.data)
    this.grid.draw()
    this.pager.draw()
    this.display.window(this.grid.window, this.edited)
    this.refresh()
  }

  refresh() {
    if (!this.edited || this.closed) return
    const state = this.engine.state()
    this.display.refresh(this, state)
    this.transport.refresh(state)
    this.tools.refresh()
    this.grid.paint()
    const sounds = this.isSounding
    if (sounds !== this.sounded) {
      this.sounded = sounds
      this.live.textContent = sounds ? `Playing ${this.data.name}` : 'Stopped'
    }
    if (sounds) this.follow()
  }

  onFrame(state) {
    if (this.closed || !this.edited) return
    const here = state && baseOf(state.decks.A.beatId) === this.edited.original.id
    const position = here ? state.decks.A.positionQuarters : null
    if (position !== null && this.follows && !this.grid.held) {
      const step = Math.floor(position * this.edited.steps.per_quarter)
      if (this.grid.window && (step < this.grid.window[0] || step >= this.grid.window[1])) {
        this.grid.showStep(step)
      }
    }
    const began = position !== null && !this.display.lit
    this.grid.head(position)
    this.display.head(position, this.edited)
    this.transport.beat(position, this.edited)
    if (began) this.display.refresh(this, state) // the count-in is over
  }

  pressKey(event) {
    if (!this.edited || event.defaultPrevented) return
    const path = event.composedPath()
    const inside = path.includes(this.root)
    // of several decks on a page, the one that is touched, else the one that plays
    const decks = [...booth.faces].filter((face) => face instanceof Face)
    const meant = decks.find((face) => path.includes(face.root))
      ?? decks.find((face) => face.isMine) ?? decks[0]
    if (meant !== this) return
    const onSteps = inside && path[0].classList?.contains('cell')
    let known = onSteps && keyOnSteps(event, this.grid, this)
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

// -- bars beyond the screen ----------------------------------------------------------------------

class Pager {
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
    this.root.hidden = segments <= perPage
    const last = Math.min(grid.first + perPage, segments) - 1
    const [from, to] = [Math.floor(grid.first / inBar) + 1, Math.floor(last / inBar) + 1]
    const { bars } = edited.original
    this.words.textContent = `${from === to ? `Bar ${from}` : `Bars ${from}–${to}`} of ${bars}`
    this.back.disabled = grid.first === 0
    this.forth.disabled = last === segments - 1
    this.follow.setAttribute('aria-pressed', follows)
  }
}

// -- under the steps -----------------------------------------------------------------------------

class Tools {
  constructor(face) {
    this.face = face
    const small = (label, name, onclick) => make('button', { type: 'button', class: 'small',
      'aria-label': name, title: name, onclick }, label)
    this.undo = small(icon('undo'), 'Undo (Ctrl Z)', () => face.undo())
    this.redo = small(icon('redo'), 'Redo (Ctrl Y)', () => face.redo())
    this.add = small('+ Drum', 'Add a drum', () => face.drumMenu(this.add))
    this.restore = small('Original', 'Back to the original', () => face.restore())
    this.state = make('span', { class: 'state', role: 'status' })
    this.hint = make('span', { class: 'hint' })
    this.write = make('button', { type: 'button', class: 'chip',
      title: 'Write the tempo and swing you hear into the beat and its files',
      onclick: () => face.keepFeel() }, 'Write into the beat')
    this.reset = make('button', { type: 'button', class: 'chip quiet',
      title: 'Back to the tempo and swing of the beat', onclick: () => face.dropFeel() }, 'Reset')
    this.feel = make('div', { class: 'feel' })
    this.root = make('div', { class: 'tools' }, this.undo, this.redo, this.add, this.restore,
      this.state, this.feel, this.hint)
  }

  refresh() {
    const { edited } = this.face
    this.undo.disabled = !edited.canUndo
    this.redo.disabled = !edited.canRedo
    this.restore.hidden = edited.isOriginal
    this.add.disabled = edited.lanes.length === DRUMS.length
    const words = edited.isOriginal ? '' : 'Edited'
    if (this.state.textContent !== words) this.state.textContent = words
    this.#refreshFeel()
    const touch = matchMedia('(pointer: coarse)').matches
    this.hint.textContent = touch
      ? 'Tap: on or off. Hold and drag: up for loudness, sideways for timing.'
      : 'Click: on or off. Drag up or down: loudness. Right-drag: timing.'
  }

  // What is heard but not in the beat, and what to do about it.
  #refreshFeel() {
    const { face } = this
    const { swing } = face.engine.state()
    const tempo = shortTempo(face.tempo)
    const heard = face.isMine && tempo !== shortTempo(face.edited.tempo) ? [`${tempo} BPM`] : []
    if (face.isMine && swing > 0) heard.push('swing')
    this.write.textContent = `Write ${heard.join(' and ')} into the beat`
    if (heard.length && !this.write.isConnected) this.feel.append(this.write, this.reset)
    else if (!heard.length) this.feel.replaceChildren()
  }
}
