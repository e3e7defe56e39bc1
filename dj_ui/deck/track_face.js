// A track on the page: its waveform with beat lines to correct, its sound, and the lock to the deck.

import { booth } from './booth.js'
import { icon, make, slider, toggle } from './dom.js'
import { deckStyles } from './styles.js'
import { TrackPlayer } from './track_player.js'

const SHOWN_SECONDS = 6 // in the close view
const NUDGE_SECONDS = 0.005
const CLICK_AHEAD_SECONDS = 0.3
const FEWEST_TAPS = 4
const TAP_PAUSE_SECONDS = 3

export class TrackFace {
  constructor(parent, owner) {
    this.owner = owner
    this.engine = booth.engine
    this.track = new TrackPlayer(this.engine, () => this.refresh())
    this.cursor = 0 // where listening begins, in seconds of the track
    this.taps = []
    this.alone = null // the track by itself: { source, start, from }
    this.clicks = true
    this.root = make('section', { class: 'deck track', 'aria-label': 'Track' })
    this.build()
    parent.adoptedStyleSheets = [deckStyles()]
    parent.append(this.root)
    this.unsubscribe = this.engine.subscribe(() => this.refresh())
    this.sizes = new ResizeObserver(() => this.draw())
    this.sizes.observe(this.root)
    this.root.trackFace = this
  }

  close() {
    this.closed = true
    this.unsubscribe()
    this.sizes.disconnect()
    this.stopAlone()
    this.track.close()
    this.root.remove()
  }

  build() {
    this.near = make('canvas', { class: 'near', role: 'img' })
    this.far = make('canvas', { class: 'far', role: 'img' })
    this.state = make('p', { class: 'track-state', 'aria-live': 'polite' })
    this.listen = make('button', { type: 'button', class: 'play small-play', 'aria-label': 'Hear the track',
      onclick: () => this.toggleAlone() }, make('span', { class: 'ring' }), icon('play'), icon('stop'))
    const press = (label, edit, title) => make('button', { type: 'button', class: 'small',
      'aria-label': title, title, onclick: () => this.send(edit) }, label)
    this.tapButton = make('button', { type: 'button', class: 'small tap-track', onclick: () => this.tap() }, 'Tap')
    this.setTaps = make('button', { type: 'button', class: 'small', disabled: '',
      onclick: () => this.sendTaps() }, 'Use taps')
    this.along = toggle('Play along', () => this.toggleAlong())
    this.clickButton = toggle('Clicks', () => { this.clicks = !this.clicks; this.refresh() })
    this.edits = make('div', { class: 'track-row' },
      press('− 5 ms', { kind: 'nudge', seconds: -NUDGE_SECONDS }, 'All beats 5 ms earlier'),
      press('+ 5 ms', { kind: 'nudge', seconds: NUDGE_SECONDS }, 'All beats 5 ms later'),
      press('One ‹', { kind: 'one', beats: -1 }, 'The one is a beat earlier'),
      press('One ›', { kind: 'one', beats: 1 }, 'The one is a beat later'),
      press('Half', { kind: 'half' }, 'Half the tempo'),
      press('Double', { kind: 'double' }, 'Double the tempo'),
      this.tapButton, this.setTaps)
    this.kills = ['low', 'mid', 'high'].map((band) => {
      const name = `Cut ${band === 'mid' ? 'mids' : `${band}s`}`
      const button = toggle(name, () => {
        this.track.setKill(band, !this.track.killed[band])
        this.refresh()
      })
      button.dataset.band = band
      return button
    })
    this.filter = slider('Filter', { min: -1, max: 1, step: 0.01, words: filterWords,
      oninput: (value) => this.track.setFilter(Math.abs(value) < 0.03 ? 0 : value) })
    this.level = slider('Loudness', { min: 0, max: 1, step: 0.01,
      words: (value) => `${Math.round(value * 100)}%`, oninput: (value) => this.track.setLevel(value) })
    this.filter.set(0)
    this.level.set(1)
    this.root.append(this.state, this.near, this.far,
      make('div', { class: 'track-row' }, this.listen, this.clickButton, this.along, ...this.kills,
        this.filter, this.level), this.edits)
    this.far.onclick = (event) => {
      const box = this.far.getBoundingClientRect()
      this.seek(((event.clientX - box.left) / box.width) * this.data.duration_seconds)
    }
    let dragged = null
    this.near.onpointerdown = (event) => {
      dragged = event.clientX
      this.near.setPointerCapture(event.pointerId)
    }
    this.near.onpointermove = (event) => {
      if (dragged === null) return
      this.shifted = ((event.clientX - dragged) / this.near.getBoundingClientRect().width) * SHOWN_SECONDS
      this.draw()
    }
    this.near.onpointerup = () => {
      dragged = null
      const seconds = this.shifted
      this.shifted = 0
      if (Math.abs(seconds) > 0.001) this.send({ kind: 'nudge', seconds })
      this.draw()
    }
    this.shifted = 0
  }

  update({ data, setTriggerValue }) {
    const isNew = this.data?.address !== data.address
    this.data = data
    this.setTriggerValue = setTriggerValue
    this.near.setAttribute('aria-label', `${data.name} near the cursor, with ${data.beats.length} beat lines`)
    this.far.setAttribute('aria-label', `${data.name} as a whole`)
    if (isNew) {
      this.stopAlone()
      this.cursor = data.beats[data.first] ?? 0
      this.taps = []
      this.fetch(data.address)
    }
    this.lineUp()
    this.draw()
    this.refresh()
  }

  /** The file comes from the DJ's own folder once, and stays in this tab. */
  async fetch(address) {
    this.buffer = null
    try {
      const content = await (await fetch(address)).arrayBuffer()
      this.engine.openOutput()
      const buffer = await this.engine.output.context.decodeAudioData(content)
      if (this.data.address !== address || this.closed) return
      this.buffer = buffer
      this.track.setBuffer(buffer)
    } catch {
      this.broken = 'This browser cannot play the file. Its beats and drums are here all the same.'
    }
    this.draw()
    this.refresh()
  }

  send(edit) {
    this.setTriggerValue?.('edit', { ...edit, address: this.data.address, turn: Date.now() })
  }

  seek(seconds) {
    this.cursor = Math.min(Math.max(0, seconds), this.data.duration_seconds)
    const wasAlone = this.alone
    this.stopAlone()
    if (wasAlone) this.startAlone()
    this.lineUp()
    this.draw()
  }

  /** The bar line at the cursor, or the nearest before it, falls on the deck's first beat. */
  lineUp() {
    const { beats, first, beats_per_bar: bar } = this.data
    if (beats.length < 2) return
    const at = beats.findLastIndex((beat) => beat <= this.cursor + 0.02)
    const number = first + Math.max(0, Math.floor((at - first) / bar)) * bar
    this.track.setBeats(beats, Math.min(number, beats.length - 1))
  }

  toggleAlong() {
    this.stopAlone()
    this.track.setLocked(!this.track.locked)
  }

  // -- the track alone ----------------------------------------------------------------------------

  toggleAlone() {
    if (this.alone) this.stopAlone()
    else this.startAlone()
  }

  startAlone() {
    if (!this.buffer) return
    if (this.engine.playing) this.engine.stop()
    this.engine.openOutput()
    const { context } = this.engine.output
    context.resume()
    this.track.build()
    const source = new AudioBufferSourceNode(context, { buffer: this.buffer })
    source.connect(this.track.in)
    const start = context.currentTime + 0.06
    source.start(start, this.cursor)
    source.onended = () => { if (this.alone?.source === source) this.stopAlone() }
    this.alone = { source, start, from: this.cursor, clicked: this.cursor - 1e-6 }
    this.clicker = setInterval(() => this.planClicks(), 100)
    this.planClicks()
    this.follow()
    this.refresh()
  }

  stopAlone() {
    if (!this.alone) return
    const { source } = this.alone
    this.cursor = Math.min(this.heardAlone(), this.data.duration_seconds)
    this.alone = null
    clearInterval(this.clicker)
    source.stop()
    this.lineUp()
    this.draw()
    this.refresh()
  }

  heardAlone() {
    const { start, from } = this.alone
    return from + Math.max(0, this.engine.output.heard() - start)
  }

  planClicks() {
    if (!this.alone) return
    const { context, clicks, guard } = this.engine.output
    const { start, from } = this.alone
    const until = from + context.currentTime - start + CLICK_AHEAD_SECONDS
    const { beats, first, beats_per_bar: bar } = this.data
    for (let i = 0; i < beats.length; i += 1) {
      if (beats[i] <= this.alone.clicked || beats[i] > until || !this.clicks) continue
      const isOne = (((i - first) % bar) + bar) % bar === 0
      const click = new AudioBufferSourceNode(context, { buffer: isOne ? clicks.high : clicks.low })
      const gain = new GainNode(context, { gain: 0.5 })
      click.connect(gain).connect(guard)
      click.start(Math.max(context.currentTime, start + beats[i] - from))
    }
    this.alone.clicked = Math.max(this.alone.clicked, until)
  }

  // -- taps ---------------------------------------------------------------------------------------

  tap() {
    const at = this.alone ? this.heardAlone() : this.track.heard()
    if (at === null) {
      this.startAlone()
      return
    }
    if (this.taps.length && at - this.taps.at(-1) > TAP_PAUSE_SECONDS) this.taps = []
    this.taps.push(at)
    this.refresh()
  }

  sendTaps() {
    this.send({ kind: 'tap', times: this.taps })
    this.taps = []
    this.refresh()
  }

  // -- what is shown ------------------------------------------------------------------------------

  refresh() {
    if (this.closed || !this.data) return
    const { track } = this
    const press = (button, on) => button.setAttribute('aria-pressed', String(Boolean(on)))
    press(this.along, track.locked)
    press(this.clickButton, this.clicks)
    for (const button of this.kills) press(button, track.killed[button.dataset.band])
    this.listen.classList.toggle('on', this.alone !== null)
    this.listen.setAttribute('aria-label', this.alone ? 'Stop the track' : 'Hear the track')
    this.listen.disabled = !this.buffer
    this.along.disabled = !this.buffer || this.data.beats.length < 2
    this.tapButton.textContent = this.taps.length ? `Tap ${this.taps.length}` : 'Tap'
    this.setTaps.disabled = this.taps.length < FEWEST_TAPS
    for (const button of this.edits.children)
      if (button !== this.tapButton && button !== this.setTaps) button.disabled = this.data.beats.length < 3
    this.state.textContent = this.words()
    if (track.isSounding || this.alone) this.follow()
  }

  words() {
    if (this.broken) return this.broken
    if (!this.buffer) return 'The track is coming.'
    if (this.alone) return 'The track plays alone. Tap to its beat, or stop and correct the lines.'
    if (this.track.isSounding) return 'The track plays along, locked to the deck.'
    if (this.track.locked) return 'The track starts with the deck, at the bar under the cursor.'
    return 'Drag the close view to move the beat lines. Click the whole track to go there.'
  }

  follow() {
    if (this.following) return
    this.following = true
    const frame = () => {
      const sounds = !this.closed && (this.alone !== null || this.track.isSounding)
      this.following = sounds
      this.draw()
      if (sounds) requestAnimationFrame(frame)
    }
    requestAnimationFrame(frame)
  }

  get now() {
    if (this.alone) return this.heardAlone()
    return this.track.heard() ?? this.cursor
  }

  draw() {
    if (this.closed || !this.data) return
    const look = getComputedStyle(this.root)
    const [quiet, accent, head, line] = ['--dj-quiet', '--dj-accent', '--head', '--dj-line']
      .map((name) => colourOf(look, name))
    const { data, now } = this
    const far = paperOf(this.far)
    const { width, height, pen } = far
    pen.fillStyle = quiet
    const points = data.waveform.length
    for (let x = 0; x < width; x += 1) {
      const tall = data.waveform[Math.floor((x / width) * points)] * height
      pen.fillRect(x, (height - tall) / 2, 1, Math.max(1, tall))
    }
    pen.fillStyle = line
    for (const section of data.sections)
      pen.fillRect((section.start_seconds / data.duration_seconds) * width, 0, 1, height)
    pen.fillStyle = head
    pen.fillRect((now / data.duration_seconds) * width - 1, 0, 2, height)
    this.drawNear(now, { quiet, accent, head, line })
  }

  drawNear(now, { quiet, accent, head, line }) {
    const { width, height, pen } = paperOf(this.near)
    const from = now - SHOWN_SECONDS / 2
    const samples = this.buffer?.getChannelData(0)
    pen.fillStyle = quiet
    for (let x = 0; samples && x < width; x += 1) {
      const [low, high] = [x, x + 1].map((at) =>
        Math.floor((from + (at / width) * SHOWN_SECONDS) * this.buffer.sampleRate))
      let peak = 0
      for (let i = Math.max(0, low); i < high && i < samples.length; i += 8)
        peak = Math.max(peak, Math.abs(samples[i]))
      pen.fillRect(x, (height - peak * height) / 2, 1, Math.max(1, peak * height))
    }
    const { beats, first, beats_per_bar: bar } = this.data
    beats.forEach((beat, i) => {
      const x = ((beat + this.shifted - from) / SHOWN_SECONDS) * width
      if (x < 0 || x > width) return
      const isOne = (((i - first) % bar) + bar) % bar === 0
      pen.fillStyle = isOne ? accent : line
      pen.fillRect(x - (isOne ? 1 : 0.5), 0, isOne ? 2 : 1, height)
      if (isOne) pen.fillRect(x - 4, 0, 8, 4)
    })
    pen.fillStyle = head
    pen.fillRect(width / 2 - 1, 0, 2, height)
  }
}

/** A canvas's pen, cleared, in the page's own pixels. */
function paperOf(canvas) {
  const { clientWidth: width, clientHeight: height } = canvas
  const scale = window.devicePixelRatio || 1
  if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
    canvas.width = Math.round(width * scale)
    canvas.height = Math.round(height * scale)
  }
  const pen = canvas.getContext('2d')
  pen.setTransform(scale, 0, 0, scale, 0, 0)
  pen.clearRect(0, 0, width, height)
  return { width, height, pen }
}

/** A colour of the theme as a canvas takes it: `light-dark()` is settled by an element. */
function colourOf(look, name) {
  const probe = colourOf.probe ??= make('i', { hidden: '' })
  if (!probe.isConnected) document.body.append(probe)
  probe.style.color = look.getPropertyValue(name)
  return getComputedStyle(probe).color
}

function filterWords(value) {
  if (Math.abs(value) < 0.03) return 'open'
  return value < 0 ? `lows ${Math.round(-value * 100)}%` : `highs ${Math.round(value * 100)}%`
}
