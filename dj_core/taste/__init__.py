"""What a DJ likes, learned from what they keep and skip; and search by ear."""
