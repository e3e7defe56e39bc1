"""The humaniser: the velocities and timing of a drummer for hits that are given."""
