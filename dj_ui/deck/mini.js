// In the header: what plays, and Generate, where the deck and the button are out of sight or on
// another page.

import { booth } from './booth.js'
import { icon, make } from './dom.js'
import { Face } from './face.js'
import { shortTempo } from './numbers.js'
import { deckStyles } from './styles.js'

const HEADER_PIXELS = 60 // what the header hides of a page
const FOOTER_PIXELS = 72 // and the pages' names on a phone

export class Mini {
  constructor(parent) {
    this.root = make('div', { class: 'mini' })
    parent.adoptedStyleSheets = [deckStyles()]
    parent.append(this.root)
    this.host = this.root.getRootNode().host
    this.play = make('button', { type: 'button', class: 'play', onclick: () => this.toggle() },
      icon('play'), icon('stop'))
    this.words = make('span', {})
    this.go = make('button', { type: 'button', class: 'go', onclick: () => this.generate() },
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

  generate() { this.#page()?.click() }

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
