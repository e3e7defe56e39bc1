"""How drummers play what is written: velocity and timing for the hits of a beat."""
