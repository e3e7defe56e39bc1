"""Kits of our own: voices synthesised from a table of parameters, built as SoundFonts."""
