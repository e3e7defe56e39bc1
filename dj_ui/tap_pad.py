"""Three pads for tapping a rhythm with keys, fingers or the mouse."""

from __future__ import annotations

import streamlit as st

PADS = (("kick", "Kick", "f"), ("snare", "Snare", "j"), ("closed_hat", "Hat", "k"))
MOST_TAPS = 1_000

_HTML = """
<div class="pads">{pads}</div>
<div class="row">
  <button type="button" class="done" disabled>Build a beat on it</button>
  <button type="button" class="clear" disabled>Clear</button>
  <span class="count" role="status">Tap a rhythm, or use the keys F, J and K while a pad has the
  focus.</span>
</div>
"""
_PAD = (
    '<button type="button" data-drum="{drum}" data-key="{key}">{label}<kbd>{shown}</kbd></button>'
)
_CSS = """
.pads { display: grid; grid-template-columns: repeat(3, 1fr); gap: 8px; touch-action: manipulation }
.pads button { min-height: 88px; font-size: 1rem }
button { min-height: 44px; padding: 0 16px; border-radius: 8px; font: inherit; cursor: pointer;
  color: var(--st-text-color); background: var(--st-secondary-background-color);
  border: 1px solid var(--st-border-color) }
button:focus-visible { outline: 2px solid var(--st-primary-color); outline-offset: 2px }
button:disabled { opacity: .5; cursor: default }
.pads button.hit { background: var(--st-primary-color); color: var(--st-background-color) }
kbd { display: block; font: .75rem var(--st-code-font, monospace); opacity: .7; margin-top: 4px }
.row { display: flex; flex-wrap: wrap; gap: 8px; align-items: center; margin-top: 8px }
.count { font-size: .85rem; opacity: .8 }
"""
_JS = """
export default function ({ parentElement, setTriggerValue }) {
  const pads = [...parentElement.querySelectorAll('.pads button')]
  const [done, clear, count] = ['.done', '.clear', '.count'].map(
    (name) => parentElement.querySelector(name))
  let taps = []
  const show = () => {
    done.disabled = clear.disabled = taps.length === 0
    if (taps.length) count.textContent = taps.length === 1 ? '1 tap' : `${taps.length} taps`
  }
  const tap = (pad) => {
    if (taps.length >= MOST) return
    taps.push([performance.now() / 1000, pad.dataset.drum])
    pad.classList.add('hit')
    setTimeout(() => pad.classList.remove('hit'), 90)
    show()
  }
  for (const pad of pads) {
    // pressing, not releasing, is when a drum sounds
    pad.onpointerdown = () => tap(pad)
    pad.onkeydown = (event) => {
      if (event.repeat) return
      const typed = event.key.toLowerCase()
      const struck = typed === ' ' || typed === 'enter'
        ? pad : pads.find((other) => other.dataset.key === typed)
      if (!struck) return
      event.preventDefault()
      event.stopPropagation()
      tap(struck)
    }
  }
  clear.onclick = () => { taps = []; count.textContent = 'Cleared.'; show() }
  done.onclick = () => {
    const first = taps[0][0]
    setTriggerValue('taps', taps.map(([at, drum]) => [at - first, drum]))
    taps = []
    show()
  }
}
""".replace("MOST", str(MOST_TAPS))


def tapping_pads(key: str) -> list[tuple[float, str]]:
    """The pads; the rhythm just tapped as (seconds, drum), once, when its button is pressed."""
    pads = "".join(
        _PAD.format(drum=drum, key=letter, label=label, shown=letter.upper())
        for drum, label, letter in PADS
    )
    mount = st.components.v2.component("dj_tap", html=_HTML.format(pads=pads), css=_CSS, js=_JS)
    answer = mount(key=key, on_taps_change=lambda: None)
    known = {drum for drum, *_ in PADS}
    taps = answer.taps if isinstance(answer.taps, list) else []
    return [
        (float(tap[0]), tap[1])
        for tap in taps[:MOST_TAPS]
        if isinstance(tap, list) and len(tap) == 2 and isinstance(tap[0], int | float)
        and tap[1] in known
    ]  # fmt: skip
