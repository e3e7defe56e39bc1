// Sound files dropped onto a deck: they go to the page's own place for files, by Streamlit's way in.

import { make } from './dom.js'

const MOST_FILES = 2_000
const PLACE = '[class*="dj_dropped_shots"] input[type="file"]'

/** Takes drops on `root`; `say(words)` tells what cannot be done. */
export function takeDrops(root, say) {
  const veil = make('div', { class: 'veil', hidden: '' }, 'Drop one-shots to make a kit of them')
  root.append(veil)
  const isFiles = (event) => event.dataTransfer?.types.includes('Files')
  root.addEventListener('dragover', (event) => {
    if (!isFiles(event)) return
    event.preventDefault()
    veil.hidden = false
  })
  root.addEventListener('dragleave', (event) => {
    if (!root.contains(event.relatedTarget)) veil.hidden = true
  })
  root.addEventListener('drop', async (event) => {
    if (!isFiles(event)) return
    event.preventDefault()
    veil.hidden = true
    const input = document.querySelector(PLACE)
    if (!input) {
      say('No kits can be made here.')
      return
    }
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.())
    const plain = [...event.dataTransfer.files]
    const found = []
    for (const [place, entry] of entries.entries()) {
      if (entry?.isDirectory) await walk(entry, found)
      else if (plain[place]) found.push(plain[place])
    }
    const box = new DataTransfer()
    for (const file of found.slice(0, MOST_FILES)) box.items.add(file)
    input.files = box.files
    input.dispatchEvent(new Event('change', { bubbles: true }))
    say('Making a kit…')
  })
}

// The files of a folder, named after it: a name says which drum a file is.
async function walk(folder, found) {
  const reader = folder.createReader()
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject))
    if (!some.length) return
    for (const entry of some) {
      if (found.length >= MOST_FILES) return
      if (entry.isDirectory) await walk(entry, found)
      else {
        const file = await new Promise((resolve, reject) => entry.file(resolve, reject))
        found.push(new File([file], `${folder.name} - ${file.name}`, { type: file.type }))
      }
    }
  }
}
