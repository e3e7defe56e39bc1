// The deck's program: it opens the gate to the decks that wait, and is itself the booth in the header.

import { gate } from './gate.js'
import {
  mountAb, mountAhead, mountBooth, mountDeck, mountJam, mountListener, mountPads, mountTrack, takeKit,
} from './mounting.js'

gate.open({ mountAb, mountAhead, mountDeck, mountJam, mountListener, mountPads, mountTrack, takeKit })

export default mountBooth
