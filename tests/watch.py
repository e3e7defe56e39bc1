"""A visitor's browser, and the watch on the whole page while a test uses it.

A test looks at what its click does. The watch looks at what the click does to everything else:
after each run of the page, and once more at the end of the test, the styles stand, nothing has
moved by itself, the browser's console is empty, no traceback is shown, and axe-core finds nothing.
"""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import axe_playwright_python

if TYPE_CHECKING:
    from playwright.sync_api import ConsoleMessage, Page

EFFECT_SECONDS = 60  # on a busy machine; usually one
SHIFT_ALLOWED = 0.05  # layout shift of one action, as browsers count it: share of the screen moved
_AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text("utf-8")
_LOOKED_AT: set[str] = set()  # what axe-core has seen: a page, its width and what stands on it

# What axe-core finds in Streamlit's own elements, which we cannot write otherwise.
# (rule, selector of the element or of what it is in, why)
AXE_EXCEPTIONS: tuple[tuple[str, str, str], ...] = (
    ("region", "#stFloatingOverlayPortal", "Streamlit puts what floats beside its landmarks"),
    (
        "presentation-role-conflict",
        ".stFileUploader",
        "Streamlit's place to drop files has a label",
    ),
    ("aria-dialog-name", ".stToast", "Streamlit calls a toast a dialog and gives it no name"),
)
# What the browser says that is not about us: (pattern, why)
CONSOLE_EXCEPTIONS: tuple[tuple[str, str], ...] = ()

# Streamlit's server answers a request to run the page (a BackMsg with field 11) by a message that a
# run begins (field 4) and one that it is over (field 6). Those are counted as they come. What
# the page shows of it is not: a run may be over before the browser draws. A run that was given
# up for the next one says so (status 2) and is not over yet. The page rests when what was asked
# last is answered and nothing has come or been drawn for a moment.
WATCH = """
window.watch = { asked: 0, askedAt: 0, began: 0, over: true, changed: 0, shifts: [], isFirst: true }
window.WebSocket = class extends WebSocket {
  constructor(...address) {
    super(...address)
    this.addEventListener('message', ({ data }) => {
      watch.changed = performance.now()
      if (data instanceof ArrayBuffer) noteAnswer(new Uint8Array(data))
    })
  }
  send(data) {
    if (data instanceof Uint8Array && data[0] === (11 << 3 | 2)) {
      watch.asked += 1
      watch.askedAt = watch.changed = performance.now()
    }
    super.send(data)
  }
}
function noteAnswer(bytes) {
  let at = 0
  const number = () => {
    let value = 0, shift = 0, byte
    do {
      byte = bytes[at++]
      value += (byte & 127) * 2 ** shift
      shift += 7
    } while (byte & 128)
    return value
  }
  while (at < bytes.length) {
    const tag = number()
    const content = number()  // every field is a number, or begins with its length
    if (tag >> 3 === 4) {
      watch.began = performance.now()
      watch.over = false
    }
    if (tag >> 3 === 6 && content !== 2) watch.over = true
    if ((tag & 7) === 2) at += content
  }
}
// a deck comes with the page and draws itself once its program is there
const decksDrawn = () => [...document.querySelectorAll('[data-testid="stBidiComponentIsolated"]')]
  .every((host) => host.closest('[class*="_kit"]')
    || host.shadowRoot?.querySelector('div:not(:empty), section'))
const shown = () => document.querySelector('[data-test-script-state="notRunning"]') !== null
watch.rests = (askedBefore) => {
  const now = performance.now()
  const answered = watch.began >= watch.askedAt || now - watch.changed > 15000
  return watch.asked > askedBefore && answered && watch.over && now - watch.changed > 400
    && shown() && decksDrawn()
}
new MutationObserver(() => { watch.changed = performance.now() }).observe(document, {
  subtree: true, childList: true, attributes: true, attributeFilter: ['data-test-script-state'],
})
new PerformanceObserver((entries) => {
  for (const shift of entries.getEntries())
    if (!shift.hadRecentInput) watch.shifts.push([shift.value, shift.sources.map(
      ({ node, previousRect: from, currentRect: to }) => {
        const place = node?.closest?.('[class*=st-key-]') ?? node?.parentElement ?? node
        const name = place?.className?.match?.(/st-key-\\S+/)?.[0]
          ?? node?.className ?? node?.nodeName
        return `${name} ${from.x},${from.y} → ${to.x},${to.y}`
      })])
}).observe({ type: 'layout-shift', buffered: true })
"""

_LOOK = """() => {
  const app = document.querySelector('.stApp')
  if (!app) return null  // no page of ours
  const brand = document.querySelector('.dj-brand')
  const shown = document.body.innerText
  const { isFirst } = window.watch
  window.watch.isFirst = false
  return {
    styles: getComputedStyle(app).getPropertyValue('--dj-ground').trim() !== ''
      && (brand === null || getComputedStyle(brand).display === 'grid'),
    failed: document.querySelector('[data-testid="stException"]')?.innerText
      ?? (shown.includes('Traceback') || shown.includes('Page not found') ? shown : ''),
    shifts: window.watch.shifts.splice(0),
    page: location.pathname,
    isFirst,
  }
}"""

# what stands on a page, without what is written there: the same again needs no second look
_STATE = """() => [location.pathname, innerWidth, document.documentElement.dataset.light ?? 'dark',
  ...new Set([...document.querySelectorAll('.stApp, .stApp *, [data-testid]')].flatMap((one) =>
    [...one.classList].filter((name) => name.startsWith('st-key-') || name.startsWith('dj-'))
      .concat(one.dataset.testid ?? [])))].sort().join(' ')"""

_FIND = """async (exceptions) => {
  // what is half faded in has another colour
  await Promise.allSettled(document.getAnimations().filter(
    (one) => one.playState === 'running'
      && Number.isFinite(one.effect?.getComputedTiming().endTime),
  ).map((one) => one.finished))
  const { violations } = await axe.run({
    elementRef: true,
    resultTypes: ['violations'],
    rules: { 'label-content-name-mismatch': { enabled: true } },
  })
  const known = (rule, element) => exceptions.some(
    ([excepted, selector]) => excepted === rule && element?.closest(selector))
  return violations.flatMap(({ id, nodes }) => nodes
    .filter(({ element }) => !known(id, element))
    .map(({ html, failureSummary }) => `${id}: ${html.slice(0, 300)}\\n${failureSummary}`))
}"""


class Screen:
    """A page of the app in a visitor's browser, and when it has settled.

    with screen.rerun():
        screen.page.get_by_role("button", name="Generate").click()
    """

    def __init__(self, page: Page, url: str) -> None:
        """Make it before the page goes anywhere; `url` is the app's, without a slash at its end."""
        self.page = page
        self.url = url
        self.complaints: list[str] = []
        self._page = ""  # the one that was looked at last
        page.add_init_script(WATCH)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", self._note)

    def open(self, path: str = "/") -> None:
        """Go to `path` of the app and wait until it is drawn."""
        self.page.goto(self.url + path)
        self.settle(moves=True)

    def settle(self, *, moves: bool = False) -> None:
        """Wait until the script has run for this document and rests."""
        self._rest(0)
        self.look(moves=moves)

    @contextlib.contextmanager
    def rerun(self, *, moves: bool = False) -> Iterator[None]:
        """What is done inside makes the script run; afterwards it has run and rests.

        Args:
            moves: the visitor asked for something that moves what is on screen.
        """
        asked = self.page.evaluate("window.watch.asked")
        yield
        self._rest(asked)
        self.look(moves=moves)

    def until(self, check: Callable[[], object]) -> None:
        """Wait for an effect: until `check` passes. Its last failure, if it never does."""
        deadline = time.monotonic() + EFFECT_SECONDS
        while True:
            try:
                check()
                return
            except AssertionError:
                if time.monotonic() > deadline:
                    raise
            self.page.wait_for_timeout(100)

    def _rest(self, asked: int) -> None:
        self.page.wait_for_function("asked => window.watch?.rests(asked)", arg=asked)

    def look(self, *, moves: bool = False) -> None:
        """Fail if something on the page is not as it should be, wherever the test looks."""
        seen: dict[str, Any] | None = self.page.evaluate(_LOOK)
        if seen is not None:
            assert seen["styles"], "the styles are gone"
            assert not seen["failed"], seen["failed"]
            shift = sum(value for value, _ in seen["shifts"])
            # a page that has just come moves nothing of the one before
            moves = moves or seen["isFirst"] or seen["page"] != self._page
            self._page = seen["page"]
            assert moves or shift < SHIFT_ALLOWED, (
                f"moved by itself ({shift:.3f} of the screen):\n{_lines(seen['shifts'])}"
            )
        assert not self.complaints, self.complaints

    def look_closely(self) -> None:
        """Have axe-core look at the page, unless it has seen one like it in this run."""
        if self.page.evaluate("document.querySelector('.stApp') === null"):
            return
        state = self.page.evaluate(_STATE)
        if state in _LOOKED_AT:
            return
        _LOOKED_AT.add(state)
        self.page.evaluate(_AXE)
        found = self.page.evaluate(_FIND, AXE_EXCEPTIONS)
        assert not found, f"axe-core, on {self.page.url}:\n" + "\n".join(found)

    def _note(self, said: ConsoleMessage) -> None:
        if said.type in ("error", "warning") and not any(
            re.search(pattern, said.text) for pattern, _ in CONSOLE_EXCEPTIONS
        ):
            self.complaints.append(f"{said.type} in the console: {said.text}")


def _lines(shifts: list[tuple[float, list[str]]]) -> str:
    large = [shift for shift in shifts if shift[0] >= 0.001]
    return "\n".join(f"{value:.3f} {json.dumps(sources)}" for value, sources in large)
