// What a tab remembers across reruns and pages, and what everything that plays a beat has in
// common. Players come and go; the engine plays on.

const BEATS_REMEMBERED = 48 // with their histories

const booth = (window.digitalDj ??= {
  engine: (window.digitalDjEngine ??= createEngine()),
  beats: new Map(), // slot → EditedBeat
  faces: new Set(), // on screen, listen buttons too
  started: new Set(), // play tokens that were answered
  kept: null, // what is on deck B: { name, beat, edited }; a copy, which later edits leave alone
  locks: rememberedLocks(), // drums that a new take keeps, numbers in the table of drums
  silence: '', // why there is no sound, if there is none
})

// Locks last as long as the tab: across takes, pages and reloads.
function rememberedLocks() {
  try {
    const names = JSON.parse(sessionStorage.getItem('digitalDjLocks')) ?? []
    return DRUMS.map((_, lane) => lane).filter((lane) => names.includes(DRUMS[lane].name))
  } catch { return [] } // a tab that may not remember, or somebody else's word
}

function rememberLocks() {
  try {
    const names = booth.locks.map((lane) => DRUMS[lane].name)
    sessionStorage.setItem('digitalDjLocks', JSON.stringify(names))
  } catch { /* they last until the page is left */ }
}

// The EditedBeat of a slot: the one this tab has, unless another beat took its place.
function beatOf({ slot, beat, edit }) {
  const known = booth.beats.get(slot)
  if (known && known.original.id === beat.id) {
    booth.beats.delete(slot) // to the end of the line
    booth.beats.set(slot, known)
    return known
  }
  const edited = new EditedBeat(unpackBeat(beat), edit)
  booth.beats.set(slot, edited)
  if (booth.beats.size > BEATS_REMEMBERED) booth.beats.delete(booth.beats.keys().next().value)
  return edited
}

// -- what every player does ----------------------------------------------------------------------

class Player {
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

function baseOf(id) { return (id ?? '').split('+')[0] }

function deckStyles() {
  if (!booth.styles || booth.stylesText !== DECK_STYLES) {
    booth.styles = new CSSStyleSheet()
    booth.styles.replaceSync(DECK_STYLES)
    booth.stylesText = DECK_STYLES
  }
  return booth.styles
}
