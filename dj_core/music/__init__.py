"""Music itself: beats, drums, genres, the grid of steps. Nothing here reads a file or draws."""
