"""Corpora: drum MIDI gathered, indexed, grouped into families and split."""
