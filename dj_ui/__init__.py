"""What the pages share: the frame, the drawn grid, the player, and what a session remembers."""
