"""Sound: kits, rendering, loop files for decks, loudness, engraving."""
