"""Drums for finished tracks: takes that fit, drums of a track's length, bridges, a collection."""
