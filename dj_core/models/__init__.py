"""What learns and plays: one trainer, one checkpoint folder, and a table of the families."""
