// The deck's looks: one style sheet for all that is drawn in a tab.

import { booth } from './booth.js'
import { DECK_STYLES } from './given.js'

export function deckStyles() {
  if (!booth.styles || booth.stylesText !== DECK_STYLES) {
    booth.styles = new CSSStyleSheet()
    booth.styles.replaceSync(DECK_STYLES)
    booth.stylesText = DECK_STYLES
  }
  return booth.styles
}
