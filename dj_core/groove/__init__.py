"""The groove model: an LSTM over 16ths that knows bars, phrases, genres, dynamics and feel."""
