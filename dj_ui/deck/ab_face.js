// The blind test's deck: two loops in step, A and B at will without a gap, and the answer.

import { booth } from './booth.js'
import { icon, make } from './dom.js'
import { deckStyles } from './styles.js'

const SIDES = ['A', 'B']
const RATE = 44_100 // the files' own
const START_SECONDS = 0.06
const SWITCH_SECONDS = 0.008 // too short to hear, long enough not to click
const STOP_SECONDS = 0.02
const AFTER_TYPING = 'input, textarea, select, [contenteditable]'

export class AbFace {
  constructor(parent, owner) {
    this.owner = owner
    this.engine = booth.engine
    this.root = make('section', { class: 'deck ab', 'aria-label': 'Blind test' })
    this.side = 0
    this.buffers = null
    this.sources = null // both loops while they sound, each { source, gain }
    this.build()
    parent.adoptedStyleSheets = [deckStyles()]
    parent.append(this.root)
    this.root.abFace = this
    // one thing sounds at a time
    this.unsubscribe = this.engine.subscribe(() => this.engine.playing && this.stop())
    this.onKey = (event) => this.key(event)
    document.addEventListener('keydown', this.onKey)
  }

  close() {
    this.closed = true
    this.unsubscribe()
    document.removeEventListener('keydown', this.onKey)
    this.stop()
    this.root.remove()
  }

  build() {
    this.play = make('button', { type: 'button', class: 'play', onclick: () => this.toggle() },
      make('span', { class: 'ring' }), icon('play'), icon('stop'))
    this.sides = SIDES.map((name, side) => make('button', { type: 'button', class: 'side hear',
      'aria-label': `Hear ${name}`, title: `${name} (key ${name})`, onclick: () => this.hear(side) }, name))
    this.line = make('div', { class: 'ab-line' }, make('div', { class: 'needle' }))
    this.answers = make('div', { class: 'answers' })
    this.words = make('p', { class: 'track-state', 'aria-live': 'polite' })
    this.root.append(make('div', { class: 'ab-row' }, this.play, ...this.sides), this.line,
      this.words, this.answers)
  }

  update({ data, setTriggerValue }) {
    const isNew = this.data?.pair !== data.pair
    this.data = data
    this.setTriggerValue = setTriggerValue
    if (isNew) {
      this.goesOn = this.sources !== null // who was listening hears the next pair at once
      this.stop()
      this.heard = [0, 0]
      this.chosen = data.players.map(() => null)
      this.sent = false
      this.buffers = null
      this.broken = ''
      this.side = 0
      this.answers.replaceChildren(...data.players.map((player, at) => this.answerRow(player, at)))
      this.fetch(data.pair, data.addresses)
    }
    this.refresh()
  }

  answerRow(player, at) {
    const who = this.data.players.length > 1 ? `${player}: ` : ''
    const buttons = SIDES.map((name) => make('button', { type: 'button', class: 'small answer',
      'aria-label': `${who}${name} is the ${this.data.person}`, onclick: () => this.answer(at, name) },
    who ? name : `${name} is the ${this.data.person}`))
    return make('div', { class: 'ab-row', role: 'group', 'aria-label': player },
      ...(who ? [make('span', { class: 'player' }, player)] : []), ...buttons)
  }

  async fetch(pair, addresses) {
    try {
      // no sound device is opened before a click
      const decoder = new OfflineAudioContext(2, 1, RATE)
      const buffers = await Promise.all(addresses.map(async (address) => {
        const answer = await fetch(address)
        if (!answer.ok) throw new Error('gone')
        return decoder.decodeAudioData(await answer.arrayBuffer())
      }))
      if (this.closed || this.data.pair !== pair) return
      this.buffers = buffers
      if (this.goesOn) this.start()
    } catch {
      if (this.data.pair === pair) this.broken = 'The sounds did not arrive. Reload the page.'
    }
    this.refresh()
  }

  toggle() { return this.sources ? this.stop() : this.start() }

  hear(side) {
    this.count()
    this.side = side
    if (!this.sources) this.start()
    else {
      const now = this.context.currentTime
      this.sources.forEach(({ gain }, at) => {
        gain.gain.cancelScheduledValues(now)
        gain.gain.setValueAtTime(gain.gain.value, now)
        gain.gain.linearRampToValueAtTime(at === side ? 1 : 0, now + SWITCH_SECONDS)
      })
    }
    this.refresh()
  }

  get context() { return this.engine.output.context }

  start() {
    if (!this.buffers || this.sources) return
    if (this.engine.playing) this.engine.stop()
    this.engine.openOutput()
    const { context } = this
    context.resume()
    this.begun = context.currentTime + START_SECONDS
    this.sources = this.buffers.map((buffer, side) => {
      const gain = new GainNode(context, { gain: 0 })
      const source = new AudioBufferSourceNode(context, { buffer, loop: true })
      source.connect(gain).connect(this.engine.output.guard)
      gain.gain.setValueAtTime(0, this.begun)
      gain.gain.linearRampToValueAtTime(side === this.side ? 1 : 0, this.begun + SWITCH_SECONDS)
      source.start(this.begun)
      return { source, gain }
    })
    this.since = performance.now()
    this.follow()
    this.refresh()
  }

  stop() {
    if (!this.sources) return
    this.count()
    const now = this.context.currentTime
    for (const { source, gain } of this.sources) {
      gain.gain.cancelScheduledValues(now)
      gain.gain.setTargetAtTime(0, now, STOP_SECONDS / 4)
      source.stop(now + STOP_SECONDS)
    }
    this.sources = null
    this.refresh()
  }

  /** What was heard since the last count is written down for its side. */
  count() {
    if (!this.sources) return
    const now = performance.now()
    this.heard[this.side] += (now - this.since) / 1000
    this.since = now
  }

  get canAnswer() { return !this.sent && this.heard?.every((seconds, at) => seconds > 0 || (this.sources && at === this.side)) }

  answer(player, side) {
    this.count()
    this.chosen[player] = side
    if (this.chosen.every(Boolean)) {
      this.sent = true
      this.setTriggerValue('answer', { pair: this.data.pair, chosen: this.chosen, heard: this.heard })
    }
    this.refresh()
  }

  key(event) {
    const typing = event.composedPath().some((one) => one.matches?.(AFTER_TYPING))
    if (typing || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return
    const onButton = event.composedPath().some((one) => one.matches?.('button, a, [role]'))
    const side = SIDES.indexOf(event.key.toUpperCase())
    if (side >= 0) this.hear(side)
    else if (event.key === ' ' && !onButton) this.toggle()
    else return
    event.preventDefault()
  }

  follow() {
    if (this.following) return
    this.following = true
    const frame = () => {
      this.following = !this.closed && this.sources !== null
      const seconds = this.following ? Math.max(0, this.engine.output.heard() - this.begun) : 0
      this.line.style.setProperty('--at', this.following ? (seconds / this.buffers[0].duration) % 1 : 0)
      if (this.following) requestAnimationFrame(frame)
    }
    requestAnimationFrame(frame)
  }

  refresh() {
    if (this.closed || !this.data) return
    const on = this.sources !== null
    this.play.classList.toggle('on', on)
    this.play.setAttribute('aria-label', on ? 'Stop' : 'Play')
    this.play.disabled = !this.buffers
    this.line.classList.toggle('lit', on)
    this.sides.forEach((button, side) => {
      button.disabled = !this.buffers
      button.setAttribute('aria-pressed', String(on && side === this.side))
    })
    ;[...this.answers.children].forEach((row, player) => {
      const done = Boolean(this.chosen[player])
      row.classList.toggle('done', done)
      for (const button of row.querySelectorAll('button')) button.disabled = done || !this.canAnswer
    })
    this.words.textContent = this.sentence()
  }

  sentence() {
    if (this.broken) return this.broken
    if (!this.buffers || this.sent) return 'The pair is coming.'
    if (!this.canAnswer) return 'Hear both, then choose. Keys: space, A, B.'
    const waits = this.data.players.filter((_, at) => !this.chosen[at])
    return waits.length < this.data.players.length ? `${waits.join(' and ')} has not chosen yet.`
      : `Which one is the ${this.data.person}?`
  }
}
