"""What is heard in sound: tempo, beats, groove and sections of a track; the drums of a loop."""
