"""Beats in order: a plan, its mix and MIDI, and the pack for the booth."""
