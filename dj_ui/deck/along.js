// Out of the page: files to drag into a folder or a program, or to download, and the beat as a link.
//
// Chromium asks for a dragged file by the address in `DownloadURL` when it is dropped; elsewhere a
// press downloads it. The server makes it then, from the latest edit it knows.

import { make } from './dom.js'

export class Along {
  constructor(face) {
    this.face = face
    this.words = make('span', { class: 'caps' }, 'Drag out')
    this.files = make('div', { class: 'buttons' })
    this.link = make('button', { type: 'button', class: 'small', title: 'Copy a link that holds this beat',
      onclick: () => this.copyLink() }, 'Copy link')
    this.root = make('div', { class: 'along', hidden: '' }, this.words, this.files, this.link)
  }

  get data() { return this.face.data.along }

  draw() {
    this.root.hidden = !this.data
    if (!this.data) return
    const told = JSON.stringify(this.data.files)
    if (told === this.told) return
    this.told = told
    this.files.replaceChildren(...this.data.files.map((file) => this.#chip(file)))
  }

  #chip({ label, name, mime, address }) {
    const url = new URL(`.${address}`, location.href).href
    const words = `${label}: drag into a folder or a program, or press to download`
    const chip = make('a', { class: 'small file', href: url, download: name, draggable: 'true',
      'aria-label': words, title: words }, label)
    chip.onclick = (event) => { if (!this.#isReady()) event.preventDefault() }
    chip.ondragstart = (event) => {
      if (!this.#isReady()) {
        event.preventDefault()
        return
      }
      event.dataTransfer.effectAllowed = 'copy'
      event.dataTransfer.setData('DownloadURL', `${mime}:${name}:${url}`)
      event.dataTransfer.setData('text/uri-list', url)
    }
    return chip
  }

  // Whether the server knows what is on the deck; an edit is on its way for a moment.
  #isReady() {
    const { face } = this
    const isKnown = this.data.of === face.own.original.id // not the take before
    if (isKnown && face.isEditTold && !face.tellsFeel) return true
    face.send()
    face.tools.say('A moment: the file follows your edit. Then try again.')
    return false
  }

  async copyLink() {
    if (!this.#isReady()) return
    const { link } = this.data
    if (!link) {
      this.face.tools.say('This beat is too long for a link. Send its MIDI file.')
      return
    }
    const url = new URL(link, location.href).href
    try {
      await navigator.clipboard.writeText(url)
      this.face.tools.say('Link copied: it holds this beat, edits and conditions too.')
    } catch { // a page that is neither local nor over https, or a browser that asks and was refused
      const field = make('input', { class: 'link', readonly: '', value: url, 'aria-label': 'Link' })
      this.face.openWith(this.link, 'Copy this link', [field])
      field.select()
    }
  }
}
