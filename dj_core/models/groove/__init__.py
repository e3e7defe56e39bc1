"""The groove model: beats of whole bars with dynamics and timing, conditioned on a style."""
