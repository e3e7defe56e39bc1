// What is smaller than a deck: a beat to hear, and the stop button of pages without the deck that
// sounds. Last, what Streamlit calls.

class Listener extends Player {
  constructor(parent, owner) {
    super(parent, owner)
    this.root.setAttribute('aria-label', 'A beat to hear')
    this.root.classList.add('listener')
    this.play = make('button', { type: 'button', class: 'play', 'aria-label': 'Play',
      onclick: () => this.toggle() }, make('span', { class: 'ring' }), icon('play'), icon('stop'))
    this.roll = make('div', { class: 'roll', role: 'img' })
    this.root.append(this.play, this.roll)
  }

  update({ data }) {
    this.data = data
    this.edited = new EditedBeat(unpackBeat(data.beat))
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

// -- on pages without the deck that sounds -------------------------------------------------------

class Mini {
  constructor(parent) {
    this.root = make('div', { class: 'mini', hidden: '' })
    parent.adoptedStyleSheets = [deckStyles()]
    parent.append(this.root)
    this.stop = make('button', { type: 'button', class: 'play on', 'aria-label': 'Stop',
      onclick: () => booth.engine.stop() }, icon('play'), icon('stop'))
    this.words = make('span', {})
    this.root.append(this.stop, this.words)
    this.unsubscribe = booth.engine.subscribe(() => this.refresh())
    this.refresh()
  }

  refresh() {
    const { playing, owner, tempoBpm } = booth.engine.state()
    const shown = [...booth.faces].some((face) => face.owner === owner)
    this.root.hidden = !playing || shown
    if (this.root.hidden) return
    const name = booth.sounding ?? 'Beat'
    this.stop.setAttribute('aria-label', `Stop ${name}`)
    this.words.replaceChildren(make('b', {}, name), ` ${shortTempo(tempoBpm)}`)
  }

  close() { this.unsubscribe(); this.root.remove() }
}

function refreshBooth() {
  booth.mini?.refresh()
  for (const face of booth.faces) face.refresh()
}

// -- what Streamlit calls ------------------------------------------------------------------------
// With every new message a component's function is called again on the same element.

const mounted = new WeakMap() // element → what stands in it

function mount(Kind, component) {
  const { parentElement } = component
  if (!mounted.has(parentElement)) {
    mounted.set(parentElement, new Kind(parentElement, component.data?.owner))
  }
  const player = mounted.get(parentElement)
  player.update(component)
  return () => {
    mounted.delete(parentElement)
    player.close()
  }
}

function mountDeck(component) { return mount(Face, component) }
function mountListener(component) { return mount(Listener, component) }

// A kit, one drum more of it, or the name of one that came before. The kit that plays stays until
// its successor is ready.
function takeKit({ data, setTriggerValue }) {
  const { engine } = booth
  booth.silence = data.silence ?? ''
  if (data.shots && !data.shots.every(({ note }) => engine.hasNote(data.name, note))) {
    engine.loadKit(data)
  }
  if (!booth.silence) {
    const here = data.note ? engine.hasNote(data.name, data.note) : engine.hasKit(data.name)
    if (!here) setTriggerValue('missing', data.name)
    else if (engine.state().kit !== data.name) engine.useKit(data.name)
  }
  refreshBooth()
}

function mountBooth({ parentElement }) {
  if (!mounted.has(parentElement)) {
    const mini = new Mini(parentElement)
    mounted.set(parentElement, mini)
    booth.mini = mini
  }
  const mini = mounted.get(parentElement)
  mini.refresh()
  return () => {
    mounted.delete(parentElement)
    if (booth.mini === mini) booth.mini = null
    mini.close()
  }
}
