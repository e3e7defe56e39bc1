// What Streamlit calls. With every new message a component's function is called again on the same
// element.

import { AbFace } from './ab_face.js'
import { Ahead } from './ahead.js'
import { booth, refreshBooth } from './booth.js'
import { Face } from './face.js'
import { JamFace } from './jam_face.js'
import { Listener } from './listener.js'
import { Mini } from './mini.js'
import { Pads } from './pads.js'
import { TrackFace } from './track_face.js'

const mounted = new WeakMap() // element → what stands in it

function mount(Kind, component) {
  const { parentElement } = component
  if (!mounted.has(parentElement)) {
    mounted.set(parentElement, new Kind(parentElement, component.data?.owner))
  }
  const player = mounted.get(parentElement)
  player.update(component)
  booth.mini?.refresh()
  return () => {
    mounted.delete(parentElement)
    player.close()
  }
}

export function mountAb(component) { return mount(AbFace, component) }
export function mountDeck(component) { return mount(Face, component) }
export function mountJam(component) { return mount(JamFace, component) }
export function mountListener(component) { return mount(Listener, component) }
export function mountPads(component) { return mount(Pads, component) }
export function mountTrack(component) { return mount(TrackFace, component) }

// A kit, one drum more of it, or the name of one that came before. The kit that plays stays until
// its successor is ready.
export function takeKit({ data, setTriggerValue }) {
  const { engine } = booth
  booth.silence = data.silence ?? ''
  if (data.shots && !data.shots.every(({ note }) => engine.hasNote(data.name, note))) {
    engine.loadKit(data)
  }
  if (!booth.silence) {
    const here = data.note ? engine.hasNote(data.name, data.note) : engine.hasKit(data.name)
    if (!here) setTriggerValue('missing', data.name)
    else if (!data.later && engine.state().kit !== data.name) engine.useKit(data.name)
  }
  refreshBooth()
}

// The next beat of a deck, fetched before it is asked for.
export function mountAhead({ parentElement, data }) {
  if (!mounted.has(parentElement)) mounted.set(parentElement, new Ahead(parentElement))
  const ahead = mounted.get(parentElement)
  ahead.expect(data)
  return () => {
    mounted.delete(parentElement)
    ahead.close()
  }
}

export function mountBooth({ parentElement }) {
  if (!mounted.has(parentElement)) {
    const mini = new Mini(parentElement)
    mounted.set(parentElement, mini)
    booth.mini = mini
  }
  const mini = mounted.get(parentElement)
  mini.refresh()
  return () => {
    mounted.delete(parentElement)
    if (booth.mini === mini) booth.mini = null
    mini.close()
  }
}
