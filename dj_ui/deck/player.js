// What everything that plays a beat has in common.

import { booth, refreshBooth } from './booth.js'
import { make } from './dom.js'
import { deckStyles } from './styles.js'

export class Player {
  constructor(parent, owner) {
    this.owner = owner
    this.engine = booth.engine
    this.root = make('section', { class: 'deck', 'aria-label': 'Deck' })
    parent.adoptedStyleSheets = [deckStyles()]
    parent.append(this.root)
    this.unsubscribe = this.engine.subscribe(() => this.refresh())
    booth.faces.add(this)
  }

  close() {
    this.closed = true
    this.unsubscribe()
    booth.faces.delete(this)
    this.root.remove()
    refreshBooth()
  }

  get isMine() { return this.engine.state().owner === this.owner }
  get isSounding() { const state = this.engine.state(); return state.playing && state.owner === this.owner }

  // The beat to the engine: at the bar line if another one is sounding, at once otherwise. A
  // tempo that the DJ set on the deck stays, unless the new beat was asked for in another one.
  load(beat, name) {
    const { playing, decks } = this.engine.state()
    const same = playing && baseOf(decks.A.beatId) === baseOf(beat.id)
    if (booth.tempo !== undefined && booth.tempo !== beat.tempo_bpm) this.engine.setTempo(null)
    booth.tempo = beat.tempo_bpm
    this.engine.setBeat('A', { ...beat, name }, { at: playing && !same ? 'bar' : 'now' })
  }

  take(beat, name) {
    const other = this.engine.claim(this.owner)
    this.load(beat, name)
    if (booth.kept && (other || !this.engine.state().decks.B.beatId)) {
      this.engine.setBeat('B', booth.kept.beat)
    }
  }

  // Plays, as soon as the drums have come.
  start(beat, name) {
    if (booth.silence) return
    this.take(beat, name)
    this.engine.play()
  }

  follow() {
    if (this.following) return
    const frame = () => {
      this.following = !this.closed && this.isSounding
      this.onFrame(this.following ? this.engine.state() : null)
      if (this.following) requestAnimationFrame(frame)
    }
    this.following = true
    requestAnimationFrame(frame)
  }
}

export function baseOf(id) { return (id ?? '').split('+')[0] }
