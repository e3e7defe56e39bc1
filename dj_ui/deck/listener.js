// What is smaller than a deck: a beat to hear, and what the header shows of a deck out of sight.
// Last, what Streamlit calls.

class Listener extends Player {
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

// -- in the header ---------------------------------------------------------------------------------

const HEADER_PIXELS = 60 // what the header hides of a page
const FOOTER_PIXELS = 72 // and the pages' names on a phone

// What plays, and Generate, where the deck and the button are out of sight or on another page.
class Mini {
  constructor(parent) {
    this.root = make('div', { class: 'mini' })
    parent.adoptedStyleSheets = [deckStyles()]
    parent.append(this.root)
    this.host = this.root.getRootNode().host
    this.play = make('button', { type: 'button', class: 'play', onclick: () => this.toggle() },
      icon('play'), icon('stop'))
    this.words = make('span', {})
    this.go = make('button', { type: 'button', class: 'go', onclick: () => this.#page()?.click() },
      'Generate')
    this.root.append(this.play, this.words, this.go)
    this.unsubscribe = booth.engine.subscribe(() => this.refresh())
    // once a frame, however often the page scrolls
    this.onScroll = () => {
      this.waiting ??= requestAnimationFrame(() => { this.waiting = null; this.refresh() })
    }
    document.addEventListener('scroll', this.onScroll, { capture: true, passive: true })
    addEventListener('resize', this.onScroll)
    this.refresh()
  }

  // The page's own button; Streamlit draws it twice, for wide and narrow pages.
  #page() {
    return [...document.querySelectorAll('.st-key-dj_go button')].find((one) => one.offsetWidth > 0)
  }

  get deck() {
    const decks = [...booth.faces].filter((face) => face instanceof Face)
    return decks.find((face) => face.isMine) ?? decks[0]
  }

  toggle() {
    if (booth.engine.state().playing) booth.engine.stop()
    else this.deck?.play()
  }

  refresh() {
    const { playing, owner, tempoBpm, lead, name } = booth.engine.state()
    const player = playing ? [...booth.faces].find((face) => face.owner === owner) : this.deck
    const shows = player ? !isInSight(player.root.querySelector('.play')) : playing
    this.play.hidden = this.words.hidden = !shows
    if (shows) {
      const words = playing ? name || 'Beat' : player.name
      this.play.classList.toggle('on', playing)
      this.play.disabled = Boolean(booth.silence)
      this.play.setAttribute('aria-label', `${playing ? 'Stop' : 'Play'} ${words}`)
      const tempo = make('small', {}, ` ${shortTempo(playing ? tempoBpm : player.tempo)}`)
      this.words.replaceChildren(...(booth.kept ? [make('i', {}, playing ? lead : player.deck), ' '] : []),
        make('b', {}, words), tempo)
    }
    const button = this.#page()
    this.go.hidden = !button || isInSight(button)
    this.go.disabled = Boolean(button?.disabled)
    this.host.toggleAttribute('data-used', shows || !this.go.hidden) // for theme.css
  }

  close() {
    document.removeEventListener('scroll', this.onScroll, { capture: true })
    removeEventListener('resize', this.onScroll)
    this.unsubscribe()
    this.root.remove()
  }
}

function isInSight(element) {
  const box = element.getBoundingClientRect()
  const middle = box.top + box.height / 2
  return middle > HEADER_PIXELS && middle < innerHeight - FOOTER_PIXELS
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
  booth.mini?.refresh()
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
