"""What is done to a beat after the first take."""
