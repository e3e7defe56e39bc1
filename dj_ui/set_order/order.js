// The list of a set's beats. Text is always text: nothing a person wrote becomes markup.

import { make } from '../deck/dom.js'

const LOWEST_BPM = 10, HIGHEST_BPM = 600
const EDGE = 40 // pixels from the list's ends where it scrolls while a beat is dragged
const ANSWER_MILLISECONDS = 8000 // after which the next change is sent without an answer

class OrderList {
  constructor(parent) {
    this.rows = []
    this.waiting = [] // changes to send
    this.list = make('ol', { class: 'list', 'aria-label': 'The beats of the set in order' })
    this.said = make('div', { class: 'unseen', role: 'status' })
    this.tools = make('div', { class: 'tools', role: 'group', 'aria-label': 'The chosen beat' })
    this.earlier = this.tool('Earlier', () => this.moveChosen(-1))
    this.later = this.tool('Later', () => this.moveChosen(1))
    this.out = this.tool('Take out', () => this.remove(this.chosen))
    this.tools.append(this.earlier, this.later, this.out)
    this.root = make('div', { class: 'order' }, this.list, this.tools, this.said)
    parent.append(this.root)
    // one thing sounds at a time: a change that is heard stops the deck, and the deck stops it
    this.onplay = () => {
      const { engine } = window.digitalDj
      engine.stop()
      this.unsubscribe ??= engine.subscribe(() => {
        if (engine.state().playing) document.querySelectorAll('audio').forEach((one) => one.pause())
      })
    }
    document.addEventListener('play', this.onplay, true)
  }

  tool(label, onclick) { return make('button', { type: 'button', class: 'tool', onclick }, label) }

  close() {
    document.removeEventListener('play', this.onplay, true)
    this.unsubscribe?.()
    this.root.remove()
  }

  update({ data, setTriggerValue }) {
    this.send = (change) => setTriggerValue('did', change)
    const answered = this.sent
    this.sent = false
    clearTimeout(this.timer)
    if (answered && this.waiting.length) return this.flush()
    if (this.dragged) { this.late = data; return }
    this.show(data)
  }

  // -- drawing -----------------------------------------------------------------------------------

  show({ rows, chosen }) {
    const active = this.root.getRootNode().activeElement
    const focused = active?.closest?.('.row') && {
      id: Number(active.closest('.row').dataset.id),
      part: ['grip', 'pick', 'bpm'].find((part) => active.classList.contains(part)),
      typed: active.classList.contains('bpm') && active.value !== active.dataset.shown
        ? active.value : null,
    }
    this.rows = rows
    this.chosen = chosen
    const scrolled = this.list.scrollTop
    this.list.replaceChildren(...rows.map((row, index) => this.row(row, index)))
    this.list.scrollTop = scrolled
    if (focused?.part) {
      const again = this.list.querySelector(`[data-id="${focused.id}"] .${focused.part}`)
      if (again && focused.typed !== null) again.value = focused.typed
      again?.focus({ preventScroll: true })
    }
    this.earlier.disabled = chosen === 0
    this.later.disabled = chosen === rows.length - 1
    this.out.disabled = rows.length < 2
    if (this.seen !== rows[chosen]?.id) this.bringIntoView(chosen)
    this.seen = rows[chosen]?.id
  }

  row(row, index) {
    const here = index === this.chosen
    const grip = make('button', { type: 'button', class: 'grip',
      'aria-label': `Move ${row.name}, ${index + 1} of ${this.rows.length}: drag, or press the up and down arrows`,
      onkeydown: (event) => this.onGripKey(event, index),
      onpointerdown: (event) => this.lift(event, index) }, make('span', { 'aria-hidden': 'true' }, '⠿'))
    const pick = make('button', { type: 'button', class: 'pick', 'aria-pressed': here,
      onclick: () => this.choose(index), onkeydown: (event) => this.onPickKey(event, index) },
      make('span', { class: 'number' }, String(index + 1).padStart(2, '0')),
      make('span', { class: 'name' }, row.name),
      make('span', { class: 'genre' }, row.genre))
    if (row.warning) {
      const sign = make('span', { class: 'sign', role: 'img', 'aria-label': row.warning }, '!')
      pick.append(sign)
      pick.title = row.warning
    }
    const bpm = make('input', { class: `bpm${row.own ? ' own' : ''}`, inputmode: 'decimal',
      autocomplete: 'off', 'aria-label': `Tempo of ${row.name} in BPM; empty for the set's`,
      title: row.own ? 'Its own tempo. Empty the field for the one that the set plans.'
        : 'As the set plans it. Type another tempo for this beat.',
      'data-shown': row.tempo, onchange: (event) => this.takeTempo(event.target, row),
      onkeydown: (event) => {
        if (event.key === 'Enter') event.target.blur()
        if (event.key === 'Escape') { event.target.value = row.tempo; event.target.blur() }
      } })
    bpm.value = row.tempo
    return make('li', { class: `row${here ? ' here' : ''}`, 'data-id': row.id }, grip, pick,
      make('span', { class: 'starts' }, row.starts),
      make('label', { class: 'tempo' }, bpm, make('span', { 'aria-hidden': 'true' }, 'BPM')),
      make('span', { class: 'length' }, row.length))
  }

  bringIntoView(index) {
    const row = this.list.children[index]
    if (!row) return
    const top = row.offsetTop - this.list.offsetTop
    if (top < this.list.scrollTop) this.list.scrollTop = top
    const below = top + row.offsetHeight - this.list.clientHeight
    if (below > this.list.scrollTop) this.list.scrollTop = below
  }

  say(words) { this.said.textContent = words }

  // -- what a visitor does -----------------------------------------------------------------------

  choose(index) {
    if (index === this.chosen || !this.rows[index]) return
    this.show({ rows: this.rows, chosen: index })
    this.tell({ kind: 'choose', id: this.rows[index].id })
  }

  moveChosen(by) { this.move(this.chosen, this.chosen + by) }

  move(from, to) {
    if (to < 0 || to >= this.rows.length || to === from) return
    const rows = [...this.rows]
    const [row] = rows.splice(from, 1)
    rows.splice(to, 0, row)
    this.show({ rows, chosen: to })
    this.say(`${row.name} is now ${to + 1} of ${rows.length}`)
    this.tell({ kind: 'move', id: row.id, before: rows[to + 1]?.id ?? null })
  }

  remove(index) {
    if (this.rows.length < 2) return
    const rows = [...this.rows]
    const [row] = rows.splice(index, 1)
    this.show({ rows, chosen: Math.min(index, rows.length - 1) })
    this.say(`${row.name} is taken out`)
    this.tell({ kind: 'remove', id: row.id })
  }

  takeTempo(input, row) {
    const text = input.value.trim().replace(',', '.')
    if (text === row.tempo) { input.value = row.tempo; return }
    const bpm = text === '' ? null : Number(text)
    if (bpm !== null && !(bpm >= LOWEST_BPM && bpm <= HIGHEST_BPM)) {
      this.say(`A tempo is ${LOWEST_BPM} to ${HIGHEST_BPM} BPM`)
      input.value = row.tempo
      return
    }
    input.dataset.shown = input.value
    this.tell({ kind: 'tempo', id: row.id, tempo_bpm: bpm })
  }

  onGripKey(event, index) {
    const by = { ArrowUp: -1, ArrowDown: 1 }[event.key]
    if (!by) return
    event.preventDefault()
    event.stopPropagation()
    this.move(index, index + by)
  }

  onPickKey(event, index) {
    const by = { ArrowUp: -1, ArrowDown: 1 }[event.key]
    if (!by && event.key !== 'Delete') return
    event.preventDefault()
    event.stopPropagation()
    if (event.key === 'Delete') return this.remove(index)
    if (event.altKey) return this.move(index, index + by)
    this.choose(index + by)
    this.list.children[index + by]?.querySelector('.pick').focus()
  }

  // -- dragging ----------------------------------------------------------------------------------

  lift(event, index) {
    if (event.button || this.dragged) return
    event.preventDefault()
    const grip = event.currentTarget, row = grip.parentElement
    grip.setPointerCapture(event.pointerId)
    grip.focus({ preventScroll: true })
    this.dragged = { row, index, to: index, y: event.clientY, scroll: this.list.scrollTop,
      height: row.offsetHeight }
    row.classList.add('lifted')
    this.list.classList.add('sorting')
    grip.onpointermove = (move) => this.drag(move)
    grip.onpointerup = () => this.drop(true)
    grip.onpointercancel = () => this.drop(false)
  }

  drag({ clientY }) {
    const { row, index, y, scroll, height } = this.dragged
    const box = this.list.getBoundingClientRect()
    if (clientY < box.top + EDGE) this.list.scrollTop -= 8
    if (clientY > box.bottom - EDGE) this.list.scrollTop += 8
    const away = clientY - y + this.list.scrollTop - scroll
    const last = this.rows.length - 1
    const to = Math.max(0, Math.min(last, Math.round(index + away / height)))
    this.dragged.to = to
    const furthest = Math.max(-index * height, Math.min((last - index) * height, away))
    row.style.transform = `translateY(${furthest}px)`
    ;[...this.list.children].forEach((other, place) => {
      if (other === row) return
      const shift = place > index && place <= to ? -height : place < index && place >= to ? height : 0
      other.style.transform = shift ? `translateY(${shift}px)` : ''
    })
  }

  drop(done) {
    const { row, index, to } = this.dragged
    this.dragged = null
    row.classList.remove('lifted')
    this.list.classList.remove('sorting')
    for (const each of this.list.children) each.style.transform = ''
    if (this.late) { this.show(this.late); this.late = null; return } // the list is another one
    if (done && to !== index) this.move(index, to)
    else if (done) this.choose(index)
  }

  // -- telling the server ------------------------------------------------------------------------

  tell(change) {
    this.waiting.push(change)
    if (!this.sent) this.flush()
  }

  flush() {
    const change = this.waiting.shift()
    if (!change) return
    this.sent = true
    this.timer = setTimeout(() => { this.sent = false; this.flush() }, ANSWER_MILLISECONDS)
    this.send(change)
  }
}

const mounted = new WeakMap() // element → the list in it

export default function (component) {
  const { parentElement } = component
  if (!mounted.has(parentElement)) mounted.set(parentElement, new OrderList(parentElement))
  const list = mounted.get(parentElement)
  list.update(component)
  return () => {
    mounted.delete(parentElement)
    list.close()
  }
}
