"""What is heard in sound: tempo, beats, bars, groove and sections of a track."""
