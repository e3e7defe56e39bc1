// The steps of a beat, drawn and touched: a row per drum, a cell per step, as many bars as fit.
// The grid is as high for every beat and every page of one: its rows are lower or higher instead.
//
// host: what the grid belongs to (face.js).
//   edited         the EditedBeat that is shown
//   lanes          its rows, numbers in the table of drums
//   readOnly       the steps are to be seen, not touched
//   refuse()       somebody touched them nevertheless
//   changed()      it was changed by a finger: draw it, play it, tell Python
//   changing()     it is being changed: let it sound, tell nobody yet
//   tempo          in BPM, to say a stroke's timing in milliseconds
//   isMuted(lane) isSoloed(lane) isSilent(lane) mute(lane) solo(lane)
//   canLock isLocked(lane) lock(lane)
//   laneMenu(lane, anchor) barMenu(bar, anchor) stepMenu(lane, step, anchor)
//   turned()       other bars are shown

import { USUAL } from './conditions.js'
import { icon, make } from './dom.js'
import { DRUMS } from './given.js'
import { clamp } from './numbers.js'
import { wordsOf } from './panels.js'

// In pixels: from cell to cell, from row to row at the least, and the steps of all rows together.
const MOUSE = { cell: 22, row: 26, height: 472 }
const TOUCH = { cell: 35, row: 35, height: 324 } // a finger: 32 of cell and 3 of gap
const HIGHEST_ROW = 56
const HEAD_HEIGHT = 24 // the bar numbers above a line of rows
const LINE_GAP = 8
const CELL_GAP = 3
export const SOFTEST_SHADE = 0.26 // of a stroke of velocity 1, so that ghost notes stay visible
const STAY_MILLISECONDS = 4_000 // the page stays where a finger was
const HOLD_MILLISECONDS = 350 // a long press
const DRAG_PIXELS = 4 // less is a click
const VELOCITY_PER_PIXEL = 1

export class StepGrid {
  constructor(root, host) {
    this.root = root
    this.host = host
    this.first = 0 // the segment shown first
    this.shape = ''
    this.cells = new Map() // 'lane:step' → element, of those on screen
    this.focus = { lane: 0, step: 0 }
    this.lit = [] // cells that sound now
    this.bubble = make('div', { class: 'bubble', 'aria-hidden': 'true', hidden: '' })
    this.lines = make('div', { class: 'lines' })
    root.append(this.lines, this.bubble)
    this.#listen()
    this.resizes = new ResizeObserver(() => this.draw())
    this.resizes.observe(root)
  }

  // A finger is on the steps, or was a moment ago: the page is not turned under it.
  get isTouched() {
    return Boolean(this.held) || performance.now() < (this.staysUntil ?? 0)
  }

  close() { this.resizes.disconnect() }

  // -- layout ----------------------------------------------------------------------------------

  // How bars are cut into segments that fit side by side, and how many are shown.
  get layout() {
    const { edited } = this.host
    const { per_bar: perBar, per_beat: perBeat } = edited.steps
    const width = this.lines.clientWidth
    const touch = matchMedia('(pointer: coarse)').matches || width < 480
    const size = touch ? TOUCH : MOUSE
    const gutter = width < 620 ? 40 : 190
    const fit = Math.max(1, Math.floor((width - gutter) / size.cell))
    const perSegment = fit >= perBar ? perBar : beatsThatFit(fit, perBar, perBeat) * perBeat
    const perLine = perSegment < perBar ? 1
      : clamp(powerOfTwo((width - gutter + 24) / (perBar * size.cell + 24)), 1, perBar > 8 ? 2 : 4)
    const { lanes } = this.host
    const inBar = Math.ceil(perBar / perSegment)
    const segments = edited.original.bars * inBar
    // pages of 1, 2, 4, 8 … bars, as music has them: eight bars turn once, not at the seventh
    const lineHeight = Math.max(1, lanes.length) * size.row + HEAD_HEIGHT
    const fitting = powerOfTwo((size.height + LINE_GAP) / (lineHeight + LINE_GAP))
    const lineCount = Math.min(fitting, Math.ceil(segments / perLine))
    const room = (size.height + LINE_GAP) / lineCount - LINE_GAP - HEAD_HEIGHT
    return {
      perSegment, perLine, inBar, segments, lanes, narrow: gutter === 40, touch,
      perPage: Math.min(lineCount * perLine, segments),
      height: size.height,
      row: clamp(Math.floor(room / Math.max(1, lanes.length)), size.row, HIGHEST_ROW),
      locks: this.host.canLock,
    }
  }

  // [first, last) steps of a segment.
  stepsOf(segment, { inBar, perSegment }) {
    const { per_bar: perBar } = this.host.edited.steps
    const bar = Math.floor(segment / inBar)
    const start = (segment % inBar) * perSegment
    return [bar * perBar + start, bar * perBar + Math.min(start + perSegment, perBar)]
  }

  segmentOf(step, { inBar, perSegment }) {
    const { per_bar: perBar } = this.host.edited.steps
    return Math.floor(step / perBar) * inBar + Math.floor((step % perBar) / perSegment)
  }

  // Turns to the page that shows `segment`; false if it is on screen already.
  show(segment) {
    const { perPage, segments } = this.layout
    const first = Math.floor(clamp(segment, 0, segments - 1) / perPage) * perPage
    if (first === this.first) return false
    this.first = first
    this.draw()
    return true
  }

  showStep(step) { return this.show(this.segmentOf(step, this.layout)) }

  turn(pages) { return this.show(this.first + pages * this.layout.perPage) }

  // -- drawing ---------------------------------------------------------------------------------

  draw() {
    if (!this.host.edited || !this.root.clientWidth) return
    const layout = this.layout
    this.first = Math.floor(Math.min(this.first, layout.segments - 1) / layout.perPage)
      * layout.perPage
    const shape = JSON.stringify([layout, this.first, this.host.edited.steps, this.host.readOnly])
    if (shape !== this.shape) {
      this.shape = shape
      this.#build(layout)
      this.host.turned()
    }
    for (const { head } of this.heads) head.across = null // it may be wider now
    this.paint()
  }

  #build(layout) {
    const { perSegment, perLine, perPage, segments, narrow, touch, height, row } = layout
    this.cells.clear()
    this.lit = []
    this.heads = []
    const last = Math.min(this.first + perPage, segments)
    const lines = []
    for (let segment = this.first; segment < last; segment += perLine) {
      const line = make('div', { class: 'line' }, this.#gutter(layout))
      for (let one = segment; one < Math.min(segment + perLine, last); one += 1) {
        line.append(this.#panel(one, layout))
      }
      lines.push(line)
    }
    this.lines.replaceChildren(...lines)
    this.lines.style.setProperty('--cells', perSegment)
    this.lines.style.setProperty('--panels', Math.min(perLine, perPage))
    this.lines.style.setProperty('--pitch', `${row}px`)
    this.root.style.height = `${height}px`
    this.lines.classList.toggle('narrow', narrow)
    this.lines.classList.toggle('touch', touch)
    const [from] = this.stepsOf(this.first, layout)
    const [, to] = this.stepsOf(last - 1, layout)
    this.window = [from, to]
    if (this.focus.step < from || this.focus.step >= to) this.focus.step = from
    if (!layout.lanes.includes(this.focus.lane)) this.focus.lane = layout.lanes[0] ?? 0
  }

  #gutter({ lanes, locks }) {
    const flag = (kind, word, lane, ...signs) => make('button', { class: `flag ${kind}`,
      type: 'button', 'aria-label': `${word} ${DRUMS[lane].label}`, title: word,
      onclick: () => this.host[kind](lane) }, ...signs)
    const heads = lanes.map((lane) => {
      const drum = DRUMS[lane]
      const name = make('button', {
        class: 'lane-name', type: 'button', 'data-lane': lane,
        'aria-label': `${drum.short} ${drum.label}: mute, solo${locks ? ', lock' : ''}, clear`,
        title: drum.label,
      }, make('b', {}, drum.short), ' ', make('span', {}, drum.label), icon('lock'))
      name.onclick = () => this.host.laneMenu(lane, name)
      return make('div', { class: `lane-head ${drum.family}`, 'data-lane': lane }, name,
        flag('mute', 'Mute', lane, 'M'), flag('solo', 'Solo', lane, 'S'),
        ...(locks ? [flag('lock', 'Lock', lane, icon('unlock'), icon('lock'))] : []))
    })
    return make('div', { class: 'gutter' }, ...heads)
  }

  #panel(segment, layout) {
    const { per_bar: perBar, per_beat: perBeat } = this.host.edited.steps
    const [from, to] = this.stepsOf(segment, layout)
    const bar = Math.floor(from / perBar)
    const beats = layout.inBar === 1 ? ''
      : ` beats ${Math.floor((from % perBar) / perBeat) + 1}–${Math.ceil((from % perBar + to - from) / perBeat)}`
    const name = make('button', { class: 'bar-name', type: 'button',
      'aria-label': `Bar ${bar + 1}${beats}: copy or clear`, disabled: this.host.readOnly || null },
      make('b', {}, `${bar + 1}`), ' ', make('span', {}, beats.trim()))
    name.onclick = () => this.host.barMenu(bar, name)
    const head = make('div', { class: 'head', 'aria-hidden': 'true' })
    this.heads.push({ head, from, to })
    const rows = layout.lanes.map((lane) => this.#row(lane, from, to))
    return make('div', { class: 'panel' }, name, make('div', {
      class: 'steps', role: 'grid', 'aria-label': `Bar ${bar + 1}${beats}`,
      'aria-readonly': this.host.readOnly,
    }, ...rows, head))
  }

  #row(lane, from, to) {
    const { per_bar: perBar, per_beat: perBeat } = this.host.edited.steps
    const row = make('div', {
      class: `row ${DRUMS[lane].family}`, role: 'row', 'aria-label': DRUMS[lane].label,
    })
    for (let step = from; step < to; step += 1) {
      const inBar = step % perBar
      const odd = Math.floor(inBar / perBeat) % 2
      const cell = make('div', {
        class: `cell${odd ? ' odd' : ''}${inBar % perBeat ? '' : ' on-beat'}`,
        role: 'gridcell', tabindex: '-1', 'data-lane': lane, 'data-step': step,
      })
      this.cells.set(`${lane}:${step}`, cell)
      row.append(cell)
    }
    return row
  }

  // Strokes, mutes and the cell that the keyboard is on; cells that are the same are left alone.
  paint() {
    const { edited, tempo } = this.host
    const struck = edited.cells()
    const lengths = new Map(edited.lengths.map(([lane]) => [lane, edited.lengthOf(lane)]))
    for (const [key, cell] of this.cells) {
      const strokes = struck.get(key) ?? []
      const places = strokes.map((stroke) => [stroke.velocity, edited.cellOf(stroke).offset])
      const condition = strokes[0]?.condition ?? null
      const looks = condition ? `${places.join(' ')} ${JSON.stringify(condition)}` : places.join(' ')
      const words = looks && `${looks} ${tempo}`
      if (cell.looks !== looks) {
        cell.replaceChildren(...places.map(drawnStroke))
        markCondition(cell, condition)
      }
      const over = Number(cell.dataset.step) >= (lengths.get(Number(cell.dataset.lane)) ?? Infinity)
      if (cell.over !== over) cell.classList.toggle('over', over)
      cell.over = over
      if (cell.words !== words) this.#describe(cell, strokes)
      cell.looks = looks
      cell.words = words
    }
    for (const head of this.lines.querySelectorAll('.lane-head')) {
      const lane = Number(head.dataset.lane)
      const { host } = this
      const flags = { mute: host.isMuted(lane), solo: host.isSoloed(lane), lock: host.isLocked(lane) }
      for (const [kind, on] of Object.entries(flags)) {
        head.querySelector(`.${kind}`)?.setAttribute('aria-pressed', on)
      }
      head.classList.toggle('silent', host.isSilent(lane))
      head.classList.toggle('locked', flags.lock)
    }
    for (const row of this.lines.querySelectorAll('.row')) {
      const lane = Number(row.firstElementChild?.dataset.lane)
      row.classList.toggle('silent', this.host.isSilent(lane))
    }
    this.#rove()
  }

  // Drum, place, loudness and timing, for who hears the grid read out.
  #describe(cell, strokes) {
    const lane = Number(cell.dataset.lane)
    const step = Number(cell.dataset.step)
    const { per_bar: perBar } = this.host.edited.steps
    const words = [DRUMS[lane].label, `bar ${Math.floor(step / perBar) + 1}`, `step ${step % perBar + 1}`]
    if (strokes.length) {
      words.push(`velocity ${Math.max(...strokes.map(({ velocity }) => velocity))}`)
      const off = Math.round(this.#milliseconds(strokes[0]))
      words.push(off ? `${Math.abs(off)} ms ${off < 0 ? 'early' : 'late'}` : 'on time',
        ...wordsOf(strokes[0].condition))
    }
    cell.setAttribute('aria-label', words.join(', '))
    cell.setAttribute('aria-selected', strokes.length > 0)
  }

  // How late a stroke is against its step, at the tempo that is heard.
  #milliseconds(stroke) {
    const { edited, tempo } = this.host
    return edited.cellOf(stroke).offset / edited.steps.per_quarter * 60_000 / tempo
  }

  // One cell of the grid takes part in the tab order; arrows move it.
  #rove() {
    this.roving?.setAttribute('tabindex', '-1')
    this.roving = this.cells.get(`${this.focus.lane}:${this.focus.step}`)
    this.roving?.setAttribute('tabindex', '0')
  }

  // Moves the keyboard's cell by lanes (rows) and steps, turning the page where needed.
  move(byRows, bySteps) {
    const { lanes } = this.host
    const row = clamp(lanes.indexOf(this.focus.lane) + byRows, 0, lanes.length - 1)
    const { original, steps } = this.host.edited
    const step = clamp(this.focus.step + bySteps, 0, original.bars * steps.per_bar - 1)
    this.focus = { lane: lanes[row], step }
    this.showStep(step)
    this.#rove()
    this.roving?.focus()
  }

  // -- playhead --------------------------------------------------------------------------------

  // position: in quarter notes from the beat's start, or null when it does not sound; played: from
  // where it began to go round, for drums with a length of their own.
  head(position, played) {
    const { per_quarter: perQuarter } = this.host.edited.steps
    const place = position === null ? -1 : position * perQuarter
    for (const { head, from, to } of this.heads ?? []) {
      const inside = place >= from && place < to
      if (inside) {
        head.across ??= head.parentElement.clientWidth + CELL_GAP
        head.style.transform = `translateX(${(place - from) / (to - from) * head.across}px)`
      }
      if (head.lit !== inside) {
        head.lit = inside
        head.classList.toggle('lit', inside)
      }
    }
    const own = new Map(this.host.edited.lengths)
    const lit = position === null ? [] : this.host.lanes.map((lane) => {
      const quarters = own.has(lane) ? played % own.get(lane) : position
      return this.cells.get(`${lane}:${Math.floor(quarters * perQuarter)}`)
    }).filter(Boolean)
    if (lit.length === this.lit.length && lit.every((cell, i) => cell === this.lit[i])) return
    for (const cell of this.lit) cell.classList.remove('now')
    for (const cell of lit) cell.classList.add('now')
    this.lit = lit
  }

  // -- fingers ---------------------------------------------------------------------------------

  #listen() {
    const { lines } = this
    lines.addEventListener('pointerdown', (event) => this.#press(event))
    lines.addEventListener('pointermove', (event) => this.#drag(event))
    lines.addEventListener('pointerup', (event) => this.#release(event))
    lines.addEventListener('pointercancel', () => this.#letGo())
    lines.addEventListener('contextmenu', (event) => {
      if (event.target.closest('.cell')) event.preventDefault()
    })
    // a long press has the finger; only before it may the page scroll
    lines.addEventListener('touchmove', (event) => {
      if (this.held?.long) event.preventDefault()
    }, { passive: false })
    // and its end is no click on what opens under the finger
    lines.addEventListener('touchend', (event) => {
      if (this.wasLong) event.preventDefault()
    }, { passive: false })
    lines.addEventListener('focusin', (event) => {
      const cell = event.target.closest('.cell')
      if (!cell) return
      this.focus = { lane: Number(cell.dataset.lane), step: Number(cell.dataset.step) }
      this.#rove()
    })
  }

  #press(event) {
    const cell = event.target.closest('.cell')
    if (!cell || this.held) return
    if (this.host.readOnly) {
      this.host.refuse()
      return
    }
    const lane = Number(cell.dataset.lane)
    const step = Number(cell.dataset.step)
    const [first] = this.host.edited.at(lane, step)
    this.held = {
      cell, lane, step, x: event.clientX, y: event.clientY, id: event.pointerId,
      timing: event.button === 2, touch: event.pointerType === 'touch', moved: false, axis: '',
      velocity: first ? Math.max(...this.host.edited.at(lane, step).map((one) => one.velocity)) : 0,
      offset: first ? this.host.edited.cellOf(first).offset : 0,
    }
    if (this.held.touch) {
      this.staysUntil = performance.now() + STAY_MILLISECONDS
      this.held.timer = setTimeout(() => this.#hold(), HOLD_MILLISECONDS)
    } else {
      this.lines.setPointerCapture(event.pointerId)
      if (event.button === 2) this.#say(this.held)
    }
  }

  #hold() {
    if (!this.held) return
    this.held.long = true
    this.held.cell.classList.add('held')
    navigator.vibrate?.(12)
    this.#say(this.held)
  }

  #drag(event) {
    const { held } = this
    if (!held || event.pointerId !== held.id) return
    const right = event.clientX - held.x
    const up = held.y - event.clientY
    const far = Math.max(Math.abs(right), Math.abs(up)) >= DRAG_PIXELS
    if (held.touch && !held.long) {
      if (Math.hypot(right, up) > 10) this.#letGo() // the page scrolls
      return
    }
    if (!held.axis && far) {
      const sideways = Math.abs(right) > Math.abs(up)
      if (held.touch) held.axis = sideways ? 'timing' : 'velocity'
      else if (held.timing) held.axis = 'timing'
      else if (!sideways) held.axis = 'velocity'
    }
    if (held.axis === 'velocity') this.#dragVelocity(held, up)
    if (held.axis === 'timing') this.#dragTiming(held, right)
  }

  #dragVelocity(held, up) {
    const from = held.velocity || DRUMS[held.lane].velocity
    const velocity = clamp(Math.round(from + up * VELOCITY_PER_PIXEL), 1, 127)
    this.#during(held, (drag) =>
      this.host.edited.setVelocity(held.lane, held.step, velocity, { drag }))
  }

  #dragTiming(held, right) {
    const pitch = held.cell.getBoundingClientRect().width + CELL_GAP
    const offset = clamp(held.offset + right / pitch / 2, -0.49, 0.49)
    this.#during(held, (drag) =>
      this.host.edited.setOffset(held.lane, held.step, offset, { drag }))
  }

  // The first change of a drag is a state of its own; the others revise it.
  #during(held, change) {
    if (!change(held.moved)) return
    held.moved = true
    this.paint()
    this.#say(held)
    this.host.changing()
  }

  #release(event) {
    const { held } = this
    if (!held || event.pointerId !== held.id) return
    const still = !held.axis
    const tapped = still && !held.timing && !held.long
    this.wasLong = held.long
    if (tapped) this.host.edited.toggle(held.lane, held.step)
    this.#letGo()
    if (tapped) this.host.changed()
    else if (still) setTimeout(() => this.host.stepMenu(held.lane, held.step, held.cell)) // not closed by this
  }

  #letGo() {
    if (!this.held) return
    clearTimeout(this.held.timer)
    this.held.cell.classList.remove('held')
    if (this.held.moved) this.host.changed()
    this.held = null
    this.bubble.hidden = true
  }

  // The number under the finger.
  #say({ cell, lane, step, axis, timing }) {
    const struck = this.host.edited.at(lane, step)
    if (!struck.length) return
    const hardest = Math.max(...struck.map(({ velocity }) => velocity))
    const milliseconds = this.#milliseconds(struck[0])
    const early = `${milliseconds > 0 ? '+' : ''}${milliseconds.toFixed(0)} ms`
    this.bubble.textContent = axis === 'timing' || timing ? early : `${hardest}`
    this.bubble.hidden = false
    const [box, frame] = [cell.getBoundingClientRect(), this.root.getBoundingClientRect()]
    this.bubble.style.left = `${box.left + box.width / 2 - frame.left}px`
    this.bubble.style.top = `${box.top - frame.top + this.root.scrollTop}px`
  }
}

function powerOfTwo(most) { return 2 ** Math.floor(Math.log2(Math.max(1, most))) }

// How many beats of a bar to show at once: a part that goes into the bar evenly, if there is one.
function beatsThatFit(fit, perBar, perBeat) {
  const most = Math.max(1, Math.floor(fit / perBeat))
  const beats = perBar / perBeat
  for (let some = most; some > most / 2; some -= 1) if (beats % some === 0) return some
  return most
}

// A condition on its cell, quietly: the share of the chance, the loops, the ratchet's strokes, a flam.
function markCondition(cell, condition) {
  const { chance_percent: chance, loops, strokes, flam_quarters: flam } = { ...USUAL, ...condition }
  cell.classList.toggle('rare', chance < 100)
  cell.classList.toggle('ratchet', strokes > 1)
  cell.classList.toggle('flam', flam > 0)
  cell.style.setProperty('--chance', `${chance}%`)
  cell.style.setProperty('--strokes', strokes)
  const words = { first: '1st', 'not-first': '2+' }
  if (loops) cell.dataset.loops = words[loops] ?? loops
  else delete cell.dataset.loops
}

function drawnStroke([velocity, offset]) {
  const stroke = make('i')
  const shade = SOFTEST_SHADE + (1 - SOFTEST_SHADE) * (velocity / 127) ** 1.15
  stroke.style.setProperty('--v', shade.toFixed(3))
  stroke.style.setProperty('--x', offset.toFixed(4))
  return stroke
}
