"""Files in and out: MIDI, beats as JSON, atomic storage, names."""
