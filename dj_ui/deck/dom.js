// Makes DOM elements; text is always set as text, never as markup.

const SVG = 'http://www.w3.org/2000/svg'

// make('button', { class: 'tap', onclick: … }, 'Tap')
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith('on')) element[name] = value
    else if (value !== null && value !== undefined) element.setAttribute(name, value)
  }
  element.append(...children) // strings become text nodes
  return element
}

export function drawing(viewBox, ...paths) {
  const svg = document.createElementNS(SVG, 'svg')
  svg.setAttribute('viewBox', viewBox)
  svg.setAttribute('aria-hidden', 'true')
  for (const d of paths) {
    const path = document.createElementNS(SVG, 'path')
    path.setAttribute('d', d)
    svg.append(path)
  }
  return svg
}

const ICONS = {
  play: 'M8 5.2v13.6a.7.7 0 0 0 1.07.6l10.6-6.8a.7.7 0 0 0 0-1.2L9.07 4.6A.7.7 0 0 0 8 5.2z',
  stop: 'M7.5 6h9A1.5 1.5 0 0 1 18 7.5v9a1.5 1.5 0 0 1-1.5 1.5h-9A1.5 1.5 0 0 1 6 16.5v-9A1.5 1.5 0 0 1 7.5 6z',
  undo: 'M9 6.5 4.8 10.7 9 14.9v-3.2h5.2a3.3 3.3 0 0 1 0 6.6H10v2h4.2a5.3 5.3 0 0 0 0-10.6H9z',
  redo: 'M15 6.5l4.2 4.2-4.2 4.2v-3.2H9.800a3.3 3.3 0 0 0 0 6.6H14v2H9.800a5.3 5.3 0 0 1 0-10.6H15z',
  left: 'M14.8 5.6 8.4 12l6.400 6.400 1.400-1.400L11.200 12l5-5z',
  right: 'M9.200 5.600 15.600 12l-6.400 6.400-1.400-1.400L12.800 12l-5-5z',
  lock: 'M8 10V8a4 4 0 0 1 8 0v2h.5A1.500 1.500 0 0 1 18 11.500v6A1.500 1.500 0 0 1 16.500 19h-9A1.500 1.500 0 0 1 6 17.500v-6A1.500 1.500 0 0 1 7.500 10zM10 10h4V8a2 2 0 0 0-4 0z',
  unlock: 'M8 10V7.500a4 4 0 0 1 7.700-1.500l-1.800.8A2 2 0 0 0 10 7.500V10h6.500A1.500 1.500 0 0 1 18 11.500v6A1.500 1.500 0 0 1 16.500 19h-9A1.500 1.500 0 0 1 6 17.500v-6A1.500 1.500 0 0 1 7.500 10zM8 12v5h8v-5z',
  down: 'M12 15.600 5.600 9.200 7 7.800l5 5 5-5 1.400 1.400z',
  more: 'M5 10.300h14v-1.900H5zM5 15.600h14v-1.900H5zM9 7.100h2.600v4.500H9zM13.400 12.400H16v4.500h-2.600z',
}

export function icon(name) { return drawing('0 0 24 24', ICONS[name]) }

// A slider under its name; `words` says a value as a DJ reads it.
export function slider(label, { min, max, step, words, oninput }) {
  const input = make('input', { type: 'range', min, max, step, 'aria-label': label })
  const output = make('output', {})
  const box = make('div', { class: `control ${label.toLowerCase()}` },
    make('div', { class: 'caps' }, label, output), input)
  const say = (value) => {
    input.style.setProperty('--filled', `${(value - min) / (max - min) * 100}%`)
    output.textContent = words(value)
    input.setAttribute('aria-valuetext', words(value))
  }
  input.oninput = () => { say(Number(input.value)); oninput(Number(input.value)) }
  box.set = (value) => {
    if (!input.matches(':active')) input.value = value
    say(Number(input.value))
  }
  return box
}

export function toggle(label, onclick) {
  return make('button', { type: 'button', class: 'toggle', 'aria-pressed': 'false', onclick }, label)
}
