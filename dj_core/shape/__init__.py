"""What a producer does after the first take: every function takes a beat and gives one back."""
