"""Speed as ratios: ours and a named baseline on the same material, in the same run, on one core."""
