// A list of beats: a row is chosen by a click, a touch, the arrow keys or Enter, and plays. Where
// beats may be changed, a row also holds their stars, and opens to their name, tags and notes.
//
// What was changed stays in `edits` until the server says that it has it, each with the value it
// was changed from: nothing is lost while the page runs, and nothing is written that nobody typed.

import { drawing, make } from '../deck/dom.js'

const ROWS_A_PAGE_KEY_MOVES = 8
const REST_MILLISECONDS = 140 // on a row, while arrow keys move, before it plays
const ANSWER_MILLISECONDS = 4000 // after which the server's word about the chosen row counts
const MAX_NAME = 120
const STARS = 5

const lists = new WeakMap() // element → the list in it

class BeatList {
  constructor(parent) {
    this.rows = new Map() // id → its elements and what they show
    this.edits = []
    this.counter = Date.now() // grows from one list to the next, so that no edit looks old
    this.ticked = new Set()
    this.allBox = make('input', { type: 'checkbox', 'aria-label': 'Tick all in this list', onchange: () => this.tickAll() })
    this.all = make('label', { class: 'tick' }, this.allBox)
    this.size = make('span', { class: 'size', role: 'status' })
    this.before = make('button', { type: 'button', class: 'turn', 'aria-label': 'The beats before', onclick: () => this.turn(-1) }, '‹')
    this.after = make('button', { type: 'button', class: 'turn', 'aria-label': 'The beats after', onclick: () => this.turn(1) }, '›')
    this.body = make('div', { class: 'rows', role: 'grid', onkeydown: (event) => this.onKey(event) })
    this.known = make('datalist', { id: 'known-tags' })
    this.root = make('div', { class: 'list' },
      make('div', { class: 'head' }, this.all, this.size, this.before, this.after), this.body, this.known)
    parent.append(this.root)
  }

  update({ data, setStateValue, setTriggerValue }) {
    this.data = data
    this.setState = setStateValue
    this.trigger = setTriggerValue
    this.edits = this.edits.filter(({ number }) => number > data.taken)
    // an answer to an earlier click does not take the list back
    if (data.shown === this.asked || performance.now() > this.patience) this.asked = null
    this.shown = this.asked ?? data.shown
    this.body.setAttribute('aria-label', data.label)
    this.body.toggleAttribute('aria-multiselectable', data.changes)
    this.root.classList.toggle('changes', data.changes)
    this.all.hidden = !data.changes
    this.known.replaceChildren(...data.tags.map((tag) => make('option', { value: tag })))
    const last = data.first + data.rows.length
    const whole = `${data.total.toLocaleString('en')} ${data.total === 1 ? data.noun : `${data.noun}s`}`
    this.size.textContent = data.rows.length < data.total
      ? `${(data.first + 1).toLocaleString('en')} to ${last.toLocaleString('en')} of ${whole}` : whole
    this.before.hidden = this.after.hidden = data.rows.length >= data.total
    this.before.disabled = !data.first
    this.after.disabled = last >= data.total
    this.drawRows()
  }

  // -- rows --------------------------------------------------------------------------------------

  drawRows() {
    const hadFocus = this.body.contains(focused(this.body))
    const wanted = new Set(this.data.rows.map(({ id }) => id))
    for (const [id, row] of this.rows) {
      if (wanted.has(id)) continue
      row.element.remove()
      row.form?.element.remove()
      this.rows.delete(id)
    }
    let place = null
    for (const facts of this.data.rows) {
      if (!this.rows.has(facts.id)) this.rows.set(facts.id, this.newRow(facts.id))
      const row = this.rows.get(facts.id)
      this.fill(row, this.withEdits(facts))
      place = putAfter(this.body, row.element, place)
      if (row.form) place = putAfter(this.body, row.form.element, place)
    }
    if (!this.rows.has(this.shown)) this.shown = this.data.rows[0]?.id
    this.mark()
    if (hadFocus && !this.body.contains(focused(this.body))) this.rows.get(this.shown)?.element.focus()
    const first = `${this.data.first}`
    if (this.at !== first) {
      this.at = first
      this.show()
    }
  }

  newRow(id) {
    const row = { id }
    row.name = make('div', { class: 'name' })
    row.words = make('div', { class: 'words' })
    row.tempo = make('div', { class: 'tempo', role: 'gridcell' })
    row.element = make('div', { class: 'row', role: 'row', onclick: (event) => this.onClick(event, id) })
    row.element.dataset.id = id
    row.tick = make('input', { type: 'checkbox', onchange: () => this.tick(id, row.tick.checked) })
    row.stars = make('div', { class: 'stars', role: 'slider', 'aria-valuemin': 0, 'aria-valuemax': STARS,
      onclick: (event) => this.onStars(event, row), onkeydown: (event) => this.onStarKey(event, row) },
      ...Array.from({ length: STARS }, () => make('span', { 'aria-hidden': 'true' }, '★')))
    row.open = make('button', { type: 'button', class: 'open', 'aria-expanded': 'false', onclick: () => this.describe(row) },
      drawing('0 0 24 24', PENCIL))
    const label = make('label', { class: 'tick' }, row.tick)
    const cells = this.data.changes ? [label, null, row.tempo, row.stars, row.open] : [null, row.tempo]
    for (const cell of cells) {
      if (cell === null) row.element.append(make('div', { class: 'what', role: 'gridcell' }, row.name, row.words))
      else row.element.append(cell === row.tempo ? cell : make('div', { role: 'gridcell' }, cell))
    }
    return row
  }

  fill(row, facts) {
    row.facts = facts
    setText(row.name, facts.name)
    setText(row.tempo, facts.tempo)
    row.tempo.setAttribute('aria-label', `${facts.tempo} BPM`)
    setText(row.words, [facts.words, facts.tags.join(', ')].filter(Boolean).join(' · '))
    row.words.dataset.tempo = facts.tempo
    row.tick.setAttribute('aria-label', `Tick ${facts.name}`)
    row.tick.checked = this.ticked.has(row.id)
    row.stars.setAttribute('aria-label', `Stars of ${facts.name}`)
    row.stars.setAttribute('aria-valuenow', facts.rating)
    row.stars.setAttribute('aria-valuetext', facts.rating === 1 ? '1 star' : `${facts.rating || 'no'} stars`)
    ;[...row.stars.children].forEach((star, place) => star.classList.toggle('on', place < facts.rating))
    row.open.setAttribute('aria-label', `Name, tags and notes of ${facts.name}`)
    if (row.form) this.fillForm(row)
  }

  // A row as the visitor knows it: what they typed stands until the server has answered.
  withEdits(facts) {
    const seen = { ...facts }
    for (const { id, field, value } of this.edits) if (id === facts.id) seen[field] = value
    return seen
  }

  // Which row is on the deck, and which one the Tab key comes to.
  mark() {
    for (const [id, row] of this.rows) {
      const shown = id === this.shown
      row.element.classList.toggle('shown', shown)
      row.element.setAttribute('aria-current', shown)
      if (this.data.changes) row.element.setAttribute('aria-selected', this.ticked.has(id))
      row.element.tabIndex = shown ? 0 : -1
      for (const control of [row.tick, row.stars, row.open]) control.tabIndex = shown ? 0 : -1
    }
    const here = [...this.rows.keys()].filter((id) => this.ticked.has(id)).length
    this.allBox.checked = here > 0 && here === this.rows.size
    this.allBox.indeterminate = here > 0 && here < this.rows.size
  }

  // Scroll the list, and nothing else, to the row on the deck.
  show() {
    const row = this.rows.get(this.shown)?.element
    if (!row) return
    const above = row.offsetTop - this.body.scrollTop
    if (above < 0) this.body.scrollTop = row.offsetTop
    else if (above + row.offsetHeight > this.body.clientHeight) {
      this.body.scrollTop = row.offsetTop + row.offsetHeight - this.body.clientHeight
    }
  }

  // -- choosing ----------------------------------------------------------------------------------

  choose(id, wait = 0) {
    this.shown = this.asked = id
    this.patience = performance.now() + ANSWER_MILLISECONDS + wait
    this.mark()
    this.show()
    this.rows.get(id).element.focus({ preventScroll: true })
    clearTimeout(this.resting)
    this.resting = setTimeout(() => this.trigger('chosen', id), wait)
  }

  onClick(event, id) {
    if (!event.target.closest('input, button, label, [role=slider]')) this.choose(id)
  }

  onKey(event) {
    const element = event.target.closest('.row')
    if (!element || event.ctrlKey || event.metaKey || event.altKey) return
    const order = this.data.rows.map(({ id }) => id)
    const row = this.rows.get(element.dataset.id)
    const here = order.indexOf(row.id)
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: ROWS_A_PAGE_KEY_MOVES, PageUp: -ROWS_A_PAGE_KEY_MOVES,
      Home: -order.length, End: order.length }
    if (event.key in steps) {
      const to = here + steps[event.key]
      if (to < 0 && event.key === 'ArrowUp' && !this.before.hidden && !this.before.disabled) this.turn(-1, 'last')
      else if (to >= order.length && event.key === 'ArrowDown' && !this.after.hidden && !this.after.disabled) this.turn(1, 'first')
      else this.choose(order[Math.max(0, Math.min(order.length - 1, to))], REST_MILLISECONDS)
    } else if (event.target !== element) return // a control of the row has keys of its own
    else if (event.key === 'Enter') this.choose(row.id)
    else if (this.data.changes && /^[0-5]$/.test(event.key)) this.rate(row, Number(event.key))
    else if (this.data.changes && event.key === 'F2') this.describe(row)
    else return
    event.preventDefault()
    event.stopPropagation()
  }

  turn(by, take = null) {
    this.trigger('turned', { first: Math.max(0, this.data.first + by * this.data.most), take })
  }

  tick(id, on) {
    if (on) this.ticked.add(id)
    else this.ticked.delete(id)
    this.mark()
    this.setState('ticked', [...this.ticked])
  }

  tickAll() {
    for (const [id, row] of this.rows) {
      row.tick.checked = this.allBox.checked
      if (this.allBox.checked) this.ticked.add(id)
      else this.ticked.delete(id)
    }
    this.mark()
    this.setState('ticked', [...this.ticked])
  }

  // -- changing ----------------------------------------------------------------------------------

  edit(row, field, value) {
    const from = row.facts[field]
    if (JSON.stringify(from) === JSON.stringify(value)) return
    this.counter += 1
    this.edits.push({ number: this.counter, id: row.id, field, from, value })
    this.fill(row, { ...row.facts, [field]: value })
    this.setState('edits', this.edits)
  }

  rate(row, stars) { this.edit(row, 'rating', stars) }

  onStars(event, row) {
    const { left, width } = row.stars.getBoundingClientRect()
    const stars = Math.max(1, Math.min(STARS, Math.ceil((event.clientX - left) / width * STARS)))
    this.rate(row, stars === row.facts.rating ? 0 : stars) // the same star again takes them away
  }

  onStarKey(event, row) {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key]
    if (!by && !/^[0-5]$/.test(event.key)) return
    this.rate(row, by ? Math.max(0, Math.min(STARS, row.facts.rating + by)) : Number(event.key))
    event.preventDefault()
    event.stopPropagation()
  }

  // Open or close the row's name, tags and notes.
  describe(row) {
    if (row.form) {
      row.form.element.remove()
      row.form = null
      row.open.setAttribute('aria-expanded', 'false')
      row.element.focus({ preventScroll: true })
      return
    }
    const form = { fields: {} }
    const field = (name, label, control) => {
      form.fields[name] = control
      control.onchange = () => this.typed(row, name)
      control.onkeydown = (event) => {
        event.stopPropagation()
        if (event.key === 'Escape') { this.putBack(row, name); this.describe(row) }
        if (event.key === 'Enter' && control.tagName === 'INPUT') this.typed(row, name)
      }
      return make('label', { class: `field ${name}` }, make('span', {}, label), control)
    }
    form.told = make('p', { class: 'told', role: 'alert' })
    form.element = make('div', { class: 'form', role: 'row' }, make('div', { role: 'gridcell' },
      field('name', 'Name', make('input', { type: 'text', autocomplete: 'off' })),
      field('tags', 'Tags, with commas between', make('input', { type: 'text', autocomplete: 'off', list: 'known-tags' })),
      field('notes', 'Notes', make('textarea', { rows: 2 })),
      form.told))
    row.form = form
    row.element.after(form.element)
    row.open.setAttribute('aria-expanded', 'true')
    this.fillForm(row)
    form.fields.name.focus()
    form.element.scrollIntoView?.({ block: 'nearest' })
  }

  // Show what is kept, but never over what somebody is typing.
  fillForm(row) {
    const { fields } = row.form
    for (const [name, control] of Object.entries(fields)) {
      const kept = name === 'tags' ? row.facts.tags.join(', ') : row.facts[name]
      if (control.shown === undefined || control.value === control.shown) control.value = kept
      control.shown = kept
    }
  }

  putBack(row, name) {
    const control = row.form.fields[name]
    control.value = control.shown
  }

  typed(row, name) {
    const control = row.form.fields[name]
    const text = control.value.trim()
    const told = row.form.told
    told.textContent = ''
    if (name === 'name' && !text) told.textContent = 'A beat needs a name. Escape brings the old one back.'
    else if (name === 'name' && [...text].length > MAX_NAME) {
      told.textContent = `A name has up to ${MAX_NAME} characters; this one has ${[...text].length}. It is not kept yet.`
    } else {
      const value = name === 'tags' ? tagsOf(text) : text
      this.edit(row, name, value)
      control.shown = control.value = name === 'tags' ? value.join(', ') : value
    }
  }
}

const PENCIL = 'M4 16.600V20h3.400L17.800 9.600l-3.400-3.400zM20.400 7a1 1 0 0 0 0-1.400l-2-2a1 1 0 0 0-1.400 0l-1.600 1.600 3.400 3.400z'

// As the crate writes tags: small letters, each once, in alphabetical order.
function tagsOf(text) {
  return [...new Set(text.split(/[,;]/).map((tag) => tag.trim().toLowerCase()).filter(Boolean))].sort()
}

function focused(element) { return element.getRootNode().activeElement }

function setText(element, text) { if (element.textContent !== text) element.textContent = text }

// An element already in its place is not touched: it would lose its focus.
function putAfter(parent, element, place) {
  const next = place ? place.nextSibling : parent.firstChild
  if (next !== element) parent.insertBefore(element, next)
  return element
}

export default (component) => {
  const { parentElement } = component
  if (!lists.has(parentElement)) lists.set(parentElement, new BeatList(parentElement))
  lists.get(parentElement).update(component)
  return () => {
    lists.delete(parentElement)
  }
}
