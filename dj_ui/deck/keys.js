// The keyboard. On the steps: arrows move, Enter strikes, 1 to 9 set how hard, 0 clears, Shift
// and arrows change loudness and timing, M opens the step's menu. Everywhere: space plays, Ctrl or ⌘ and Z takes back, and
// a question mark shows all of them.

import { clamp } from './numbers.js'

const ARROWS = {
  ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1],
}
const LOUDER = 8 // velocity, per key press
const LATER = 1 / 24 // of a step, per key press

// Whether the key meant something; then nobody else hears of it.
export function keyOnSteps(event, grid, face) {
  const { lane, step } = grid.focus
  const { edited } = face
  const changed = (done) => { if (done) face.changed(); return true }
  const strikes = /^[0-9]$|^(Enter|Backspace|Delete)$/.test(event.key)
    || (event.key in ARROWS && event.shiftKey)
  if (event.ctrlKey || event.metaKey || event.altKey) return false
  if (strikes && face.readOnly) {
    face.refuse()
    return true
  }
  if (event.key in ARROWS) {
    const [rows, steps] = ARROWS[event.key]
    if (!event.shiftKey) grid.move(rows, steps)
    else if (rows) changed(nudgeVelocity(edited, lane, step, -rows * LOUDER))
    else changed(nudgeOffset(edited, lane, step, steps * LATER))
    return true
  }
  if (event.key === 'm' || event.key === 'ContextMenu') {
    face.stepMenu(lane, step, grid.roving)
    return true
  }
  if (event.key === 'Enter') return changed(edited.toggle(lane, step))
  if (/^[1-9]$/.test(event.key)) {
    return changed(edited.setVelocity(lane, step, Math.round(Number(event.key) / 9 * 127)))
  }
  if (['0', 'Backspace', 'Delete'].includes(event.key)) {
    return changed(edited.setVelocity(lane, step, 0))
  }
  const perBar = edited.steps.per_bar
  if (event.key === 'Home') grid.move(0, -(step % perBar))
  else if (event.key === 'End') grid.move(0, perBar - 1 - (step % perBar))
  else if (event.key === 'PageUp') grid.move(0, -perBar)
  else if (event.key === 'PageDown') grid.move(0, perBar)
  else return false
  return true
}

function nudgeVelocity(edited, lane, step, by) {
  const struck = edited.at(lane, step)
  if (!struck.length) return false
  const hardest = Math.max(...struck.map(({ velocity }) => velocity))
  return edited.setVelocity(lane, step, clamp(hardest + by, 1, 127))
}

function nudgeOffset(edited, lane, step, by) {
  const [first] = edited.at(lane, step)
  return first ? edited.setOffset(lane, step, edited.cellOf(first).offset + by) : false
}

// Undo and redo, as every program has them.
export function keyOfHistory(event, face) {
  if (!(event.ctrlKey || event.metaKey) || event.altKey) return false
  const key = event.key.toLowerCase()
  if (key === 'z' && !event.shiftKey) face.undo()
  else if (key === 'y' || key === 'z') face.redo()
  else return false
  return true
}

// Whether a key press belongs to what has the focus: a field, or a control reached by keyboard.
export function isTyping(event) {
  const [inner] = event.composedPath()
  return isWriting(event) || (inner instanceof Element
    && inner.matches('button, a, [role=button], [role=option], [role=radio], [role=tab], summary, input')
    && inner.matches(':focus-visible'))
}

export function isWriting(event) {
  const [inner] = event.composedPath()
  return inner instanceof Element && Boolean(inner.closest(
    'input:not([type=range]), textarea, select, [contenteditable=true], [role=combobox]'))
}
